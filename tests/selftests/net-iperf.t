#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# iperf3 over the segment: TCP and UDP over IPv4 and IPv6, and what it says of frames that a rule has lost.

. "$(dirname "$0")/../lib/real.sh"

real_programs iperf3
for n in 1 2; do
	real_boot "$n" "eth0=switch,$WORK/seg,mac=$(net_mac "$n")" "ip=eth0:10.0.0.$n/24" "ip=eth0:[fd00::$n]/64"
done
real_ready 1
real_ready 2
# Room for all that may wait for a server that does not get the CPU.
in_guest 1 'echo 33554432 >/proc/sys/net/core/rmem_max; echo 33554432 >/proc/sys/net/core/rmem_default'
in_guest 1 '/prog/usr/bin/iperf3 -s -D && for i in $(seq 500); do netstat -tln | grep -q :5201 && exit; usleep 20000; done; false' >/dev/null

# iperf <argument>…: from n2 to n1; sets $json
iperf()
{
	json=$(in_guest 2 "/prog/usr/bin/iperf3 -J $*")
}

# sum <jq filter>: of the end's sums
sum()
{
	jq -r ".end$1 | floor" <<<"$json"
}

# What is on its way when the sender is done does not count for iperf3: megabytes for each connection where guests are slow.
bytes=$((64 << 20)) most=$((56 << 20))
for address in 10.0.0.1 fd00::1; do
	iperf -c "$address" -n "$bytes"
	check "TCP to $address moves 64 MiB ($(($(sum .sum_received.bits_per_second) / 1000000)) Mbit/s)" \
		test "$(sum .sum_received.bytes)" -ge "$most"
	iperf -c "$address" -n "$bytes" -R
	check "... and back" test "$(sum .sum_received.bytes)" -ge "$most"
	iperf -c "$address" -u -b 40M -l 1400 -n 5M
	check "UDP to $address: all arrives" test "$(sum .sum.packets)" -gt 3000
	is "... nothing is lost" "$(sum .sum.lost_packets)" 0
done
iperf -c 10.0.0.1 -P 4 -n "$bytes"
check "four connections at once" test "$(sum .sum_received.bytes)" -ge $((bytes - 4 * (bytes - most)))

# iperf3 counts what is missing before the last that came; the rule leaves the last ones.
# Nor does it count what its server has not read when the client is done: that is a matter of the machine, and tried again.
for _ in 1 2 3 4 5 6; do
	rule n1 drop dir=rx prob=10% count=200 match='udp dst port 5201 and greater 1000'
	iperf -c 10.0.0.1 -u -b 30M -l 1400 -n 5M
	fired=$(stat_of n1 r fired)
	matched=$(stat_of n1 r matched)
	net_clear n1
	[ "$(sum .sum.lost_packets)" != "$fired" ] || break
done
is "of UDP with a rule it misses as many as the rule has lost" "$(sum .sum.lost_packets)" "$fired"
check "... of about 10 % ($fired of $matched)" awk -v f="$fired" -v m="$matched" \
	'BEGIN { exit !(f == 200 || (f / m - 0.1) ^ 2 < 20 * 0.09 / m) }'
rule n1 drop dir=rx prob=1% match='tcp dst port 5201'
iperf -c 10.0.0.1 -n 16M
retransmits=$(sum .sum_sent.retransmits)
fired=$(stat_of n1 r fired)
net_clear n1
check "TCP with a rule goes on" test "$(sum .sum_received.bytes)" -ge $((14 << 20))
check "... $fired lost, $retransmits sent again" test "$fired" -gt 0 -a "$retransmits" -gt 0

done_testing
