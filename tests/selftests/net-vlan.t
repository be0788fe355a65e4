#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# VLANs and jumbo frames, up to the largest MTU: who is in a VLAN hears it, nobody else does; long packets cross whole.

. "$(dirname "$0")/../lib/real.sh"

for n in 1 2 3; do
	real_boot "$n" "eth0=switch,$WORK/seg,mac=$(net_mac "$n"),mtu=9000" "ip=eth0:10.0.0.$n/24" ipv6.disable=1
done
for n in 1 2 3; do
	guest_wait_ready "n$n" || exit 1
done

# vlan <n> <id>
vlan()
{
	in_guest "$1" "ip link add link eth0 name eth0.$2 type vlan id $2 && ip addr add 10.$2.0.$1/24 dev eth0.$2 && ip link set eth0.$2 up"
}

# long <from> <address> <payload>: ten pings, in one packet each
long()
{
	local before after

	before=$(snmp "$1" Ip FragCreates)
	check "n$1 reaches $2 with $3 bytes" guest_exec "n$1" "ping -q -c 10 -i 0.02 -W 5 -s $3 $2 | grep -q ' 10 packets received'"
	after=$(snmp "$1" Ip FragCreates)
	is "... in one packet" "$before" "$after"
}

vlan 1 5
vlan 2 5
vlan 1 6
vlan 3 6
long 1 10.5.0.2 56
long 1 10.6.0.3 56
in_guest 2 'ip addr add 10.6.0.2/24 dev eth0.5'
check_fails "who is in VLAN 5 does not hear VLAN 6" guest_exec n1 'ping -c 2 -W 1 -i 0.1 -I eth0.6 10.6.0.2'
long 2 10.5.0.1 8972

# TCP over a VLAN goes in pieces that are larger than the MTU: cut up before, it would be half a megabyte of headers.
in_guest 2 '/net/netprobe sink 5000'
tx=/sys/class/net/eth0/statistics
read -r bytes < <(in_guest 1 "cat $tx/tx_bytes")
read -r got < <(in_guest 2 "cat $tx/rx_bytes")
rate=$(in_guest 1 '/net/netprobe source 10.5.0.2 5000 64')
bytes=$(($(in_guest 1 "cat $tx/tx_bytes") - bytes)) got=$(($(in_guest 2 "cat $tx/rx_bytes") - got))
check "TCP over a VLAN: 64 MiB sent and received ($rate Mbit/s, $((bytes - (64 << 20))) bytes of headers)" \
	test "$bytes" -ge $((64 << 20)) -a "$got" -ge $((64 << 20)) -a "$bytes" -lt $(((64 << 20) + 300000))

# Rules see the tag: match= has VLANs as pcap has.
rule n1 drop dir=tx match='vlan 5'
check_fails "a rule for VLAN 5 stops it" guest_exec n1 'ping -c 2 -W 1 -i 0.1 10.5.0.2'
long 1 10.6.0.3 56
net_clear n1
long 1 10.5.0.2 56

long 1 10.0.0.2 8972
long 3 10.0.0.1 8972
for n in 1 2; do
	check "n$n: the largest MTU" guest_exec "n$n" 'ip link set eth0 mtu 65521'
	check_fails "... and no larger one" guest_exec "n$n" 'ip link set eth0 mtu 65522'
done
long 1 10.0.0.2 65493
long 2 10.0.0.1 65493
in_guest 2 '/net/netprobe sink 5001'
rate=$(in_guest 1 '/net/netprobe source 10.0.0.2 5001 64')
ok "TCP with it ($rate Mbit/s)"
done_testing
