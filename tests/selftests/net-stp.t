#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two bridges on two segments are a loop. Spanning tree breaks it in time, and opens the other way when a link goes down.

. "$(dirname "$0")/../lib/real.sh"

for n in 1 2; do
	real_boot "$n" "eth0=switch,$WORK/a" "eth1=switch,$WORK/b" ipv6.disable=1
done
guest_wait_ready n1 && guest_wait_ready n2 || exit 1

# The root is n1. Times are the least that are allowed.
for n in 1 2; do
	in_guest "$n" "brctl addbr br0 && cd /sys/class/net/br0/bridge && echo 100 >hello_time && echo 600 >max_age &&
		echo 200 >forward_delay && echo $((n * 4096)) >priority && echo 1 >stp_state &&
		brctl addif br0 eth0 && brctl addif br0 eth1 || exit 1
		ip addr add 10.0.0.$n/24 dev br0; for i in eth0 eth1 br0; do ip link set \$i up; done"
done

state()
{
	guest_exec "n$1" "cat /sys/class/net/$2/brport/state"
}

# 3 forwarding, 4 blocking
states()
{
	local n

	for n in 1 2; do
		echo "$(state $n eth0)$(state $n eth1)"
	done | paste -sd ' '
}

is_state()
{
	[ "$(states)" = "$1" ]
}

# Broadcasts that eth0 and eth1 of n2 have received in a second, while n1 sends 20.
storm()
{
	local before after

	before=$(guest_exec n2 'cat /sys/class/net/eth[01]/statistics/rx_packets' | awk '{ n += $1 } END { print n }')
	guest_exec n1 "/net/netprobe send br0 ff:ff:ff:ff:ff:ff 20 100 20000; usleep 500000"
	after=$(guest_exec n2 'cat /sys/class/net/eth[01]/statistics/rx_packets' | awk '{ n += $1 } END { print n }')
	frames=$((after - before))
}

check "one port blocks, three forward" until_true 40 is_state "33 34"
storm
check "a broadcast does not go round: $frames frames for 20" test "$frames" -ge 40 -a "$frames" -le 60
trips 1 10.0.0.2 50
is "n1 reaches n2" "$received" 50

# Without carrier loss: BPDUs that do not come let the blocked port forward after max age, and then it is a loop.
rule n2 drop dir=rx match='ether dst 01:80:c2:00:00:00'
fault n2 add eth1 drop dir=rx match='ether dst 01:80:c2:00:00:00' >/dev/null
check "without BPDUs the loop is closed" until_true 40 is_state "33 33"
storm
check "... a broadcast goes round: $frames frames for 20" test "$frames" -gt 500
fault n2 clear
check "with them it is broken again" until_true 40 is_state "33 34"
storm
check "... a broadcast does not go round: $frames frames for 20" test "$frames" -le 60

rule n2 down
check "when a link goes down the other way is opened" until_true 40 is_state "33 03"
# n2 has no designated port, so it tells n1 of no change: n1 learns the new way when n2 speaks.
trips 2 10.0.0.1 50
is "... n2 reaches n1" "$received" 50
trips 1 10.0.0.2 50
is "... n1 reaches n2" "$received" 50
done_testing
