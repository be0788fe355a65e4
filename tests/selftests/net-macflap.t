#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# macflap: the switch takes a MAC to be at another port until it hears from it, and knows better when the rule ends.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2 3
hearing 1 2 3
mac1=$(net_mac 1)

# goes_to <n,…>: what n2 sends to n1 goes to these
goes_to()
{
	calls 2 to "$mac1"
	[ "$calls" = "2:$1" ]
}

calls 1
is "n1 is heard" "$calls" "1:2,3"
calls 2 to "$mac1"
is "what n2 sends to it goes there" "$calls" "2:1"

# ---- a MAC that is silent stays where it is not ----

rule n3 macflap peer="$mac1" time=1h
check "n3 has its MAC: what n2 sends to n1 goes to n3" until_true 5 goes_to 3
check_fails "... n1 is not reached" icmp 2 1 2
calls 3 to "$mac1"
is "... but from n3 itself" "$calls" "3:1"
like "... counted as begun once" "$(fault n3 stats r)" " state=open .* fired=1 "
calls 1
calls 2 to "$mac1"
is "n1 has spoken: what is for it goes there again" "$calls" "2:1"
net_clear n3
pings "... and with time=1h stays so" 2 1

rule n3 macflap peer="$mac1" time=1h
check "again" until_true 5 goes_to 3
net_clear n3
# Nobody knows now where n1 is, so it goes to all.
check "clear: the others forget it" until_true 5 goes_to 1,3
pings "... and n1 is reached" 2 1
calls 2 to "$mac1"
is "... learned anew" "$calls" "2:1"

# ---- one that talks flaps ----

rule n3 macflap peer="$mac1" time=30ms
guest_exec n1 '(while [ ! -e /tmp/stop ]; do /net/netprobe call eth0 ff:ff:ff:ff:ff:ff; usleep 7000; done; touch /tmp/silent) >/dev/null 2>&1 &'
guest_exec n2 ": >/tmp/heard; for i in \$(seq 200); do /net/netprobe call eth0 $mac1; usleep 5000; done"
guest_exec n1 'touch /tmp/stop; while [ ! -e /tmp/silent ]; do usleep 10000; done'
n1=$(guest_exec n1 "grep -c '^$(net_mac 2)' /tmp/heard; : >/tmp/heard")
n3=$(guest_exec n3 "grep -c '^$(net_mac 2)' /tmp/heard; : >/tmp/heard")
check "time=30ms: of 200 frames some reach n1 ($n1), some go to n3 ($n3)" test "$n1" -ge 5 -a "$n3" -ge 5
is "... each goes to one of them" "$((n1 + n3))" 200
net_clear n3

# ---- in time, and with other rules ----

rule n3 macflap peer="$mac1" time=20ms for=4s
check "for=4s: it is there" until_true 5 goes_to 3
check "... over" until_true 10 goes_to 1,3
net_clear n3
rule n3 down id=d
rule n3 macflap peer="$mac1" time=20ms
guest_exec n1 'usleep 200000'
calls 1
calls 2 to "$mac1"
is "without a carrier it says nothing" "$calls" "2:1"
fault n3 del d
check "... with one it does" until_true 5 goes_to 3
net_clear n3
pings "after clear" 2 1

# refused <description> <regex> <key=value>…
refused()
{
	like "$1" "$(fault n3 add eth0 macflap "${@:3}" 2>&1)" "^n3: $2"
}
refused "no peer=" "macflap needs peer=" time=1s
refused "a group" "peer=: a group of receivers" peer=01:00:5e:00:00:01
refused "time=0s" "time=: must be at least 100us" peer="$mac1" time=0s
is "... and there is no rule" "$(fault n3 list)" "seed 2004"

done_testing
