#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# An interface takes no frame above its MTU: neighbours that do not agree on jumbo frames have the trouble that real ones have.

. "$(dirname "$0")/../lib/net.sh"

net_boot 1 mtu=9000
net_boot 2
for n in 1 2; do
	net_ready "$n" || exit 1
done
guest_exec n1 'ip link set eth0 mtu 9000'

too_long()
{
	guest_exec n2 'cd /sys/class/net/eth0/statistics; cat rx_length_errors rx_errors
		/net/netprobe counts eth0 | sed -n "s/^rx_too_long //p"' | paste -sd ' '
}

is "n1 has jumbo frames, n2 has not: nothing has gone wrong yet" "$(too_long)" "0 0 0"
check "pings of 1472 bytes are answered" guest_exec n1 'ping -c 3 -i 0.1 -W 5 -s 1472 10.0.0.2'
check_fails "pings of 4000 bytes are not" guest_exec n1 'ping -c 3 -i 0.1 -W 1 -s 4000 10.0.0.2'
is "... they are too long, and counted" "$(too_long)" "3 3 3"
check_fails "... nor in pieces: the answer is in one" guest_exec n2 'ping -c 2 -i 0.1 -W 1 -s 4000 10.0.0.1'
is "... counted as well" "$(too_long)" "5 5 5"

listen 2 1 1518
shoot 1 "$(net_mac 2)" 20 1518
shoot 1 "$(net_mac 2)" 10 1519
finish 1 "$(net_mac 2)"
seen=$(heard 2)
is "frames with the length of a VLAN tag more are taken" "$(seen_numbers)" "$(seq -s ' ' 20)"
is "... with a byte more they are not" "$(too_long)" "15 15 15"
guest_exec n2 'ip link set eth0 promisc on'
shoot 1 "$(net_mac 2)" 10 1519
guest_exec n2 'ip link set eth0 promisc off'
is "... in promiscuous mode neither" "$(too_long)" "25 25 25"
rule n2 delay time=1ms dir=rx
shoot 1 "$(net_mac 2)" 10 1519
pings "... nor with a rule" 1 2
net_clear n2
is "... which changes nothing" "$(too_long)" "35 35 35"

# Frames that a NIC makes segments of count by their segments.
guest_exec n2 '/net/netprobe sink 5001'
check "TCP agrees on segments that n2 takes" guest_exec n1 '/net/netprobe source 10.0.0.2 5001 8'
is "... in frames that are longer" "$(too_long)" "35 35 35"
guest_exec n2 'ip route change 10.0.0.0/24 dev eth0 src 10.0.0.2 advmss 8900'
guest_exec n2 '/net/netprobe sink 5002'
check_fails "n2 says that it takes longer ones: TCP gets nowhere" guest_exec -t 5 n1 'timeout 2 /net/netprobe source 10.0.0.2 5002 8'
check "... for the same reason" test "$(too_long | cut -d ' ' -f 1)" -gt 35
guest_exec n2 'ip link set eth0 mtu 9000'
check "n2 has jumbo frames, too: pings of 4000 bytes are answered" guest_exec n1 'ping -c 3 -i 0.1 -W 5 -s 4000 10.0.0.2'
guest_exec n2 '/net/netprobe sink 5003'
check "... and TCP with its long segments" guest_exec n1 '/net/netprobe source 10.0.0.2 5003 8'

done_testing
