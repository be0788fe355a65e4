#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# Bonding active-backup: `down` on the active slave makes it fail over in the time its miimon says, and `clear` back.
#
#	n1: bond0 of eth0 and eth1          n2: br0 of eth0 and eth1
#	        eth0 ---- segment a ---- eth0
#	        eth1 ---- segment b ---- eth1

. "$(dirname "$0")/../lib/real.sh"

MIIMON=50	# ms

for n in 1 2; do
	real_boot "$n" "eth0=switch,$WORK/a" "eth1=switch,$WORK/b" ipv6.disable=1
done
guest_wait_ready n1 && guest_wait_ready n2 || exit 1
bond=/sys/class/net/bond0/bonding
in_guest 2 'brctl addbr br0 && echo 0 >/sys/class/net/br0/bridge/forward_delay && brctl addif br0 eth0 && brctl addif br0 eth1
	for i in eth0 eth1 br0; do ip link set $i up; done; ip addr add 10.0.0.2/24 dev br0'
in_guest 1 "[ -e $bond ] || echo +bond0 >/sys/class/net/bonding_masters
	echo active-backup >$bond/mode; echo $MIIMON >$bond/miimon
	ip link set bond0 up; echo +eth0 >$bond/slaves; echo +eth1 >$bond/slaves
	echo eth0 >$bond/primary; ip addr add 10.0.0.1/24 dev bond0"

active()
{
	guest_exec n1 "cat $bond/active_slave"
}

# until_active <slave>
until_active()
{
	guest_exec n1 "for i in \$(seq 1000); do [ \$(cat $bond/active_slave) = $1 ] && exit; usleep 10000; done; false"
}

# ms from the rule's event to the bond's message, both of the guest's clock. $1: the event, $2: the message
took()
{
	local event message

	event=$(fault n1 events | grep -F "what=\"$1\"" | tail -n 1 | sed 's/.* time=\([0-9.]*\) .*/\1/')
	message=$(guest_exec n1 'dmesg' | grep -F "$2" | tail -n 1 | sed 's/^\[ *\([0-9.]*\)\].*/\1/')
	awk -v e="$event" -v m="$message" 'BEGIN { if (e == "" || m == "") exit 1; printf "%d", (m - e) * 1000 }'
}

check "the primary is active" until_active eth0
trips 1 10.0.0.2 50
is "... and reaches n2" "$received" 50

# Pings all the while: 600, 5 ms apart.
failover()
{
	guest_exec n1 '(usleep 500000; echo "add eth0 down id=r" >/proc/umf/control) &'
	trips 1 10.0.0.2 600
}
failover
is "down: the other takes over" "$(active)" eth1
ms=$(took begin '(slave eth1): making interface the new active one')
check "... $ms ms after it, with miimon=$MIIMON" test "${ms:-9999}" -ge -5 -a "${ms:-9999}" -le $((MIIMON + 400))
check "... $((600 - received)) of 600 pings are lost, $longest in a row" test "$received" -gt 0 -a "$longest" -le 100
is "... and none at the end" "$(tail -n 2 <<<"$out" | head -n 1 | cut -d ' ' -f 1)" 600
is "the bond says the slave is down" "$(guest_exec n1 'cat /sys/class/net/eth0/bonding_slave/mii_status')" down
like "... and counts it" "$(guest_exec n1 'cat /sys/class/net/eth0/bonding_slave/link_failure_count')" '^1$'

fault n1 clear
check "cleared, the primary is active again" until_active eth0
trips 1 10.0.0.2 100
is "... and reaches n2" "$received" 100

# Lost silently, with carrier: miimon sees nothing.
rule n1 drop
trips 1 10.0.0.2 50
is "lost without carrier loss, the bond stays" "$(active)" eth0
is "... and nothing arrives" "$received" 0
net_clear n1

# A link that is up and down: as many failovers as edges, none lost for good.
rule n1 down period=600ms duty=50% for=1800ms
fault n1 wait r 'fired>=3' --timeout 20s >/dev/null
check "after a link that flaps the primary is active" until_active eth0
net_clear n1
trips 1 10.0.0.2 50
is "... and reaches n2" "$received" 50
done_testing
