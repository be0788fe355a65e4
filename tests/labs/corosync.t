#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
#
# Two nodes of corosync; what is longer than 400 bytes is lost on its way to one of them, as with a path whose MTU is smaller
# than it says, and the token passes. Messages are sent again and again, nobody leaves, and when long ones pass again all
# is delivered in order. If the token is not held meanwhile it soon has gone round too often: FAILED TO RECEIVE.

. "$(dirname "$0")/../lib/labs.sh"

lab_asks='date; cat /run/messages; corosync-quorumtool -s; grep -v Retransmit /run/corosync.log | tail -n 40'

# said <guest> <text>: how often
said()
{
	on "$1" "grep -c '$2' /run/corosync.log || :"
}

retransmits()
{
	[ "$(said n1 'Retransmit List: [0-9a-f]')" -ge "$1" ]
}

failed_to_receive()
{
	[ "$(said n2 'FAILED TO RECEIVE')" -gt 0 ]
}

memberships()
{
	echo "$(said n1 'A new membership') $(said n2 'A new membership')"
}

members()
{
	on "$1" 'corosync-quorumtool -s' | sed -n 's/^Nodes: *//p'
}

# heard <guest> <messages of n1>
heard()
{
	[ "$(on "$1" 'cat /run/messages' | sed -n 's/^n1 //p' | paste -sd ,)" = "$2" ]
}

# long_ones_lost: and one is sent, and a short one
long_ones_lost()
{
	local frame=$((14 + 20 + 8 + 400))

	timeline "what is longer than 400 bytes does not reach n2" <<-END
	n2 add eth0 drop dir=rx match='udp and greater $((frame + 1))' id=long
	END
	check "n1 sends a long message and a short one" on n1 "messages say 1000 $1; messages say 100 $2"
	within 10 "... n1 hears both" heard n1 "$3"
	within 30 "... there are retransmit lists" retransmits 5
}

# logs of corosync begin anew
set_up()
{
	local guest

	for guest in n1 n2; do
		on $guest 'systemctl stop messages corosync; rm -f /run/corosync.log'
	done
	# they wait for each other
	for guest in n1 n2; do
		on $guest "$(<corosync.setup)" >"$guest.again" 2>&1 &
	done
	wait
	is "both are set up again" "$(members n1) $(members n2)" "2 2"
}

lab_begin
is "both are members" "$(members n1) $(members n2)" "2 2"
check "n1 sends a long message and a short one" on n1 'messages say 1000 first && messages say 100 second'
for guest in n1 n2; do
	within 10 "... $guest hears both" heard $guest "first 1000,second 100"
done

before=$(memberships)
long_ones_lost third fourth "first 1000,second 100,third 1000,fourth 100"
sleep 15	# corosync's own time; two more rounds of the token a second, of 2500 that it bears
is "... for 15 s nobody has left" "$(memberships)" "$before"
is "... nobody FAILED TO RECEIVE" "$(said n1 'FAILED TO RECEIVE') $(said n2 'FAILED TO RECEIVE')" "0 0"
is "... n2 is a member" "$(members n1) $(members n2)" "2 2"
check "... and waits with the short one, too" heard n2 "first 1000,second 100"
timeline "what is long passes again" <<END
n2 expect long fired>=5
end n2 clear
END
within 10 "... n2 hears all, in order" heard n2 "first 1000,second 100,third 1000,fourth 100"
is "... and nobody has left" "$(memberships)" "$before"

# ---- negative: the token is not held ----

setup_edit 's/^cancel_hold=no/cancel_hold=yes/'
set_up
before=$(memberships)
long_ones_lost fifth sixth "fifth 1000,sixth 100"
within 100 "... n2 FAILED TO RECEIVE" failed_to_receive
within 20 "... and there is another membership" eval '[ "$(memberships)" != "$before" ]'
timeline "... after more than the 2500 rounds" <<END
n2 expect long fired>=2000
end n2 clear
END
lab_end
done_testing
