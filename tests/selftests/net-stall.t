#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# stall: the tx queue stops until the rule ends, and the watchdog says so. link: ethtool is told another speed and duplex.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2 3
guest_allow n1 "NETDEV WATCHDOG" "the message that stall is there to provoke"

sysfs()
{
	guest_exec n1 "cat /sys/class/net/eth0/$1"
}

timeouts()
{
	guest_exec n1 'cat /sys/class/net/eth0/queues/tx-0/tx_timeout'
}

# A receiver that is stopped holds nobody up, nor does it hide that a rule does.
kill -STOP "$(guest_pid n3)"
shoot 1 "$(net_mac 3)" 1000 1000
is "no timeouts yet" "$(timeouts)" 0
rule n1 stall
like "the rule is in force" "$(fault n1 stats r)" " state=open .* fired=1 "
listen 2 1
guest_exec n1 "/net/netprobe send eth0 $(net_mac 2) 20 100 >/dev/null 2>&1 &"
check_fails "nothing is sent" icmp 1 2 3
is "... no frame arrives" "$(arrived 2)" 0
check "... the carrier is there" test "$(sysfs carrier)" = 1
# The watchdog looks after 5 s, and up to a second later.
guest_exec n1 'for i in $(seq 120); do [ "$(cat /sys/class/net/eth0/queues/tx-0/tx_timeout)" -gt 0 ] && break; usleep 100000; done'
check "the watchdog finds it, while n3 is stopped as well" test "$(timeouts)" -ge 1
is "... the driver says so once" "$(grep -c 'the transmitter hangs: a rule stalls it' "$(guest_log n1)")" 1
net_clear n1
finish 1 "$(net_mac 2)"
seen=$(heard 2)
is "clear: what waited is sent, in order" "$(seen_numbers)" "$(seq -s ' ' 20)"
kill -CONT "$(guest_pid n3)"
pings "... and all works again" 1 2

rule n1 stall for=4s
check_fails "for=4s: stalled" icmp 1 2 1
sleep 4
pings "... and runs again by itself" 1 2
net_clear n1

rule n1 stall
guest_exec n1 'ip link set eth0 down; ip link set eth0 up'
net_neighbours 1
check_fails "down and up: still stalled" icmp 1 2 3
fault n1 suspend r
pings "suspend: runs" 1 2
fault n1 resume r
check_fails "resume: stalled" icmp 1 2 1
fault n1 del r
pings "del: runs" 1 2
net_mark n1

# ---- link ----

is "speed and duplex without a rule" "$(sysfs speed) $(sysfs duplex)" "10000 full"
rule n1 link rate=100Mbit duplex=half
is "link rate=100Mbit duplex=half" "$(sysfs speed) $(sysfs duplex)" "100 half"
changes=$(sysfs carrier_changes)
rule n1 link rate=2500Mbit id=more
is "a later rule changes what it names" "$(sysfs speed) $(sysfs duplex)" "2500 half"
check "... and whoever watches the link hears of it" test "$(sysfs carrier_changes)" -gt "$changes"
pings "... frames go on" 1 2
fault n1 del r
is "del: the other rule is left" "$(sysfs speed) $(sysfs duplex)" "2500 full"
net_clear n1
is "clear: as before" "$(sysfs speed) $(sysfs duplex)" "10000 full"
rule n1 link duplex=half for=3s
is "for=3s" "$(sysfs duplex)" half
full()
{
	[ "$(sysfs duplex)" = full ]
}
check "... is over" until_true 20 full
net_clear n1

done_testing
