#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# 1,000 rules are added and removed under a flood of pings and TCP: the guest goes on, nothing is left of them.
# On FLAVOR=debug the kernel looks for itself (KASAN, lockdep, kmemleak).

. "$(dirname "$0")/../lib/net.sh"

RULES=${RULES:-1000}
net_start 1 2

# Traffic both ways until the file is removed: pings as fast as they are answered, bursts of frames, TCP.
flood='while [ -e /tmp/flood ]; do ping -q -A -c 200 -i 0.01 -w 1 10.0.0.PEER >/dev/null; done &
	while [ -e /tmp/flood ]; do /net/netprobe send eth0 02:00:00:00:00:0PEER 100 200 1000; done &
	while [ -e /tmp/flood ]; do head -c 300000 /dev/zero | nc -w 1 10.0.0.PEER 5000 >/dev/null 2>&1; usleep 10000; done &
	while [ -e /tmp/flood ]; do timeout 2 nc -l -p 5000 <>/tmp/idle >/dev/null; done &'
for n in 1 2; do
	guest_exec n$n "mkfifo /tmp/idle; touch /tmp/flood; exec >/dev/null 2>&1; ${flood//PEER/$((3 - n))}"
done

# One write to /proc/umf/control a rule: as fast as a guest can. Of all kinds, at most 20 at a time; some are deleted by
# name, some by clear, some armed by others.
churn='
i=0
while [ $i -lt '$RULES' ]; do
	i=$((i + 1))
	case $((i % 10)) in
	0) rule="corrupt prob=30% bits=3" ;;
	1) rule="drop prob=5%" ;;
	2) rule="delay time=3ms jitter=3ms prob=50%" ;;
	3) rule="dup prob=20% copies=2" ;;
	4) rule="hold prob=20% for=20ms" ;;
	5) rule="down period=20ms duty=10%" ;;
	6) rule="drop peer=PEER prob=5%" ;;
	7) rule="drop bpf=\"4,40 0 0 12,21 0 1 2048,6 0 0 65535,6 0 0 0\" every=9" ;;
	8) rule="delay time=2ms on=c$((i - 1))" ;;
	9) rule="hold dir=tx count=3 limit=2" ;;
	esac
	echo "add eth0 $rule id=c$i" >/proc/umf/control || { cat /proc/umf/control; exit 1; }
	# two milliseconds, without a fork
	read -t 0.002 nothing <>/tmp/idle
	case $((i % 20)) in
	9) echo "del c$((i - 3))" >/proc/umf/control || exit 1 ;;
	13) echo "suspend all; resume all" >/proc/umf/control || exit 1 ;;
	19) echo "clear" >/proc/umf/control || exit 1 ;;
	esac
done
echo clear >/proc/umf/control'

for n in 1 2; do
	(
		guest_exec -t 250 n$n "${churn//PEER/$(net_mac $((3 - n)))}" >"$WORK/churn.$n.out" 2>&1
		echo $? >"$WORK/churn.$n.status"
	) &
	churners[n]=$!
done
for n in 1 2; do
	wait "${churners[n]}"
	is "n$n: $RULES rules came and went" "$(<"$WORK/churn.$n.status") $(<"$WORK/churn.$n.out")" "0 "
	is "... none is left" "$(fault n$n list)" "seed 2004"
done
fired=$(fault n1 events | sed -n '$s/^seq=\([0-9]*\) .*/\1/p')
check "they fired meanwhile (the last record is number $fired)" test "$fired" -gt "$RULES"

for n in 1 2; do
	guest_exec n$n 'rm /tmp/flood; killall ping nc timeout; sleep 1' >/dev/null 2>&1
	is "n$n has its carrier" "$(guest_exec n$n 'cat /sys/class/net/eth0/carrier')" 1
done
frames 1 2 200
is "frames from n1 to n2 arrive" "$(seen_numbers)" "$(seq -s ' ' 200)"
frames 2 1 200
is "... from n2 to n1 as well" "$(seen_numbers)" "$(seq -s ' ' 200)"
icmp 1 2 20
is "pings are answered" "$received" 20

done_testing
