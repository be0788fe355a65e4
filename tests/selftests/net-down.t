#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# down: the carrier is off while the rule is in force, the guest sees it, and it is on again afterwards.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2
changes=/sys/class/net/eth0/carrier_changes

carrier()
{
	guest_exec "$1" 'cat /sys/class/net/eth0/carrier'
}

# until_carrier <guest> <0 or 1>: for ten seconds
until_carrier()
{
	guest_exec "$1" "for i in \$(seq 500); do [ \$(cat /sys/class/net/eth0/carrier) = $2 ] && exit; usleep 20000; done; false"
}

is "at first there is a carrier" "$(carrier n1)" 1

rule n1 down
check "the carrier goes" until_carrier n1 0
like "ip link shows it" "$(guest_exec n1 'ip link show eth0')" 'NO-CARRIER'
is "ethtool's state too" "$(guest_exec n1 'cat /sys/class/net/eth0/operstate')" down
is "the peer keeps its own" "$(carrier n2)" 1
check_fails "nothing is sent" icmp 1 2 3
check_fails "nothing is received" icmp 2 1 3
like "it is counted once" "$(fault n1 stats r)" " state=open .* fired=1 "
is "and logged" "$(events_of n1 r | sed 's/.*action=/action=/;s/index=[0-9]* //')" 'action=down what="begin"'
net_clear n1
check "clear brings the carrier back" until_carrier n1 1
like "... ip link shows it" "$(guest_exec n1 'ip link show eth0')" 'LOWER_UP'
check "... pings are answered" icmp 1 2 5
check "... from the other side too" icmp 2 1 5

# ---- the two rules of a pair: off as long as one is ----

rule n1 down id=a
rule n1 down id=b
fault n1 del a
is "one of two rules keeps it down" "$(carrier n1)" 0
fault n1 suspend b
check "suspended, it does not" until_carrier n1 1
fault n1 resume b
check "resumed, it does" until_carrier n1 0
fault n1 del b
check "without both it is up" until_carrier n1 1

# ---- for=, at= ----

before=$(guest_exec n1 "cat $changes")
net_mark n1
rule n1 down at=+300ms for=700ms
like "before at= it waits" "$(fault n1 stats r)" " state=waiting "
check "wait sees it begin" fault n1 wait r 'fired>=1' --timeout 10s
check "after for= the carrier is back" until_carrier n1 1
like "... and the rule is spent" "$(fault n1 stats r)" " state=spent .* fired=1 "
is "... begin and end are logged" "$(events_of n1 r | sed 's/.*what=//' | paste -sd ' ')" '"begin" "end"'
length=$(events_of n1 r | sed 's/.* time=\([0-9.]*\) .*/\1/' | awk 'NR == 1 { a = $1 } END { printf "%d", ($1 - a) * 1000 }')
check "... not before their time ($length ms)" test "$length" -ge 690
check "... and soon after" test "$length" -lt 1700
is "... the carrier has changed twice" "$(($(guest_exec n1 "cat $changes") - before))" 2
net_clear n1

# ---- period=, duty= ----

before=$(guest_exec n1 "cat $changes")
net_mark n1
rule n1 down period=200ms duty=50% for=1s
check "five periods" fault n1 wait r 'fired>=5' --timeout 10s
check "... end with the carrier on" until_carrier n1 1
fault n1 wait r 'fired>=5' >/dev/null
guest_exec n1 'sleep 1'
like "... and a spent rule" "$(fault n1 stats r)" " state=spent .* fired=5 "
is "... begin and end take turns" "$(events_of n1 r | sed 's/.*what=//' | paste -sd ' ')" \
	'"begin" "end" "begin" "end" "begin" "end" "begin" "end" "begin" "end"'
is "... ten changes of the carrier" "$(($(guest_exec n1 "cat $changes") - before))" 10
net_clear n1

rule n1 down period=100ms duty=0%
guest_exec n1 'usleep 300000'
is "duty=0% is never down" "$(carrier n1) $(stat_of n1 r fired)" "1 0"
net_clear n1
rule n1 down period=100ms duty=100%
guest_exec n1 'usleep 300000'
is "duty=100% is always down" "$(carrier n1) $(stat_of n1 r fired)" "0 1"
net_clear n1

# ---- on= ----

rule n1 drop dir=rx count=1 after=2 match=icmp id=third
rule n1 down on=third for=300ms
icmp 1 2 2
is "until the other rule fires nothing happens" "$(carrier n1) $received" "1 2"
icmp 1 2 1
check "when it fires the carrier goes" fault n1 wait r 'fired==1' --timeout 5s
check "... and comes back" until_carrier n1 1
net_clear n1

# ---- an interface that is set down and up does not forget ----

rule n1 down
guest_exec n1 'ip link set eth0 down; ip link set eth0 up'
is "set down and up under the rule it has no carrier" "$(carrier n1)" 0
net_clear n1
check "... afterwards it has" until_carrier n1 1
net_neighbours 1
guest_exec n1 'ip link set eth0 down'
rule n1 down
net_clear n1
guest_exec n1 'ip link set eth0 up'
check "a rule that came and went while it was down leaves nothing" until_carrier n1 1
net_neighbours 1
pings "pings are answered" 1 2

done_testing
