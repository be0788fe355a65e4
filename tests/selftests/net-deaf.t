#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 120
# A port that dies, or is stopped, when it has seen that another one sleeps and has not rung its bell yet takes nobody's
# bell away: those that are left reach each other. And a bell that was lost is only late.

. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/../lib/hostport.sh"

net_start 1
net_start 2
net_start 3
pings "n2 reaches n1" 2 1
pings "n3 reaches n1" 3 1

# ---- killed; n1 is port 0 ----

for try in 1 2 3 4; do
	"$hostport" die "$WORK/seg" 0 kill
	is "$try: a fourth port is killed before it rings n1's bell" "$?" 137
	pings "... n2 reaches n1" 2 1
	pings "... n1 reaches n3" 1 3
done

# ---- stopped ----

"$hostport" die "$WORK/seg" 0 stop &
port=$!
stopped()
{
	[[ $(<"/proc/$port/stat") == *") T "* ]]
}
check "a port stops before it rings n1's bell" until_true 10 stopped
pings "... meanwhile n2 reaches n1" 2 1
pings "... n1 reaches n3" 1 3
kill -KILL "$port"
wait "$port"

# ---- a bell that was rung and not heard ----

# n2's alone: n1 is stopped, and when it goes on its bell is empty.
for try in 1 2 3; do
	kill -STOP "$(guest_pid n1)"
	shoot 2 "$(net_mac 1)" 1
	timeout 5 head -c 1 "$WORK/seg/port-00.bell" >/dev/null
	is "$try: a byte is taken out of n1's bell" "$?" 0
	kill -CONT "$(guest_pid n1)"
	pings "... n2 reaches n1" 2 1
done

guest_stop n1
guest_stop n2
guest_stop n3
check "nothing is left" test ! -e "$WORK/seg"

done_testing
