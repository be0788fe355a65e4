#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# An address with its MAC moves from n1 to n2, as with VRRP: the switch sends to the old port until the new one is heard,
# and to the new one after a single gratuitous ARP.

. "$(dirname "$0")/../lib/real.sh"

for n in 1 2 3; do
	real_boot "$n" "eth0=switch,$WORK/seg,mac=$(net_mac "$n")" "ip=eth0:10.0.0.$n/24" ipv6.disable=1
done
for n in 1 2 3; do
	guest_wait_ready "n$n" || exit 1
done
vip=10.0.0.100 vmac=00:00:5e:00:01:01

# Quiet: neither ARP of its own nor any other frame tells of it.
take()
{
	in_guest "$1" "ip link add link eth0 name vrrp type macvlan mode private && ip link set vrrp address $vmac &&
		ip link set vrrp up && ip addr add $vip/32 dev vrrp"
}
give()
{
	in_guest "$1" "ip link del vrrp"
}
announce()
{
	in_guest "$1" "arping -U -c 1 -I vrrp $vip >/dev/null || true"
}

take 1
announce 1
in_guest 3 "arp -s $vip $vmac"
trips 3 $vip 20
is "n1 has the address" "$received" 20
check "... and the MAC" guest_exec n3 "arp -n | grep -q '$vip.*$vmac'"

give 1
take 2
trips 3 $vip 20
is "moved to n2 without a word, the switch sends to n1" "$received" 0

# Pings every 5 ms; the announcement comes in between.
guest_exec n2 "(usleep 500000; arping -U -c 1 -I vrrp $vip >/dev/null) &"
trips 3 $vip 400
check "one gratuitous ARP brings them to n2 ($received of 400)" test "$received" -ge 50
is "... and the last comes" "$(tail -n 2 <<<"$out" | head -n 1 | cut -d ' ' -f 1)" 400
is "... none is lost in between" "$((400 - received))" "$longest"

# Back, with a rule that loses the first announcement.
give 2
take 1
rule n3 drop dir=rx count=1 match=arp
announce 1
fault n3 expect r 'fired>=1' >/dev/null || not_ok "the rule has lost it"
# What n3 has not received its switch port has seen all the same: the sender's port is learned before rules.
trips 3 $vip 20
is "the switch learns from what the receiver's rule loses" "$received" 20
net_clear n3
give 1
take 2
rule n2 drop dir=tx count=1 match=arp
announce 2
trips 3 $vip 20
is "... and not from what the sender's loses" "$received" 0
announce 2
trips 3 $vip 20
is "... but from the next" "$received" 20
done_testing
