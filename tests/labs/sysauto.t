#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 1800
#
# A movable virtual address and an ssh server on four routers: the service outlives an adapter, a node that is cut off and
# one that hangs; what is not known to be off is shot before its service is started elsewhere, and a hung node is reset by
# its watchdog when nobody can shoot it. Without fencing a node that was frozen comes back and believes it still serves.

. "$(dirname "$0")/../lib/labs.sh"

nodes="r1 r2 r3 r4"
lab_asks='date; ip route; vtysh -c "show ip ospf neighbor"; crm_mon -1A; corosync-cfgtool -s'

# serves [<guest that asks>]: the node whose ssh greets
serves()
{
	on "${1:-r1}" 'nc -w 5 10.0.0.100 22 </dev/null' | sed -n 's/^SSH-2.0-OpenSSH[^ ]* .* //p' | tr -d '\r'
}

# somebody_serves [<but not>]: leaves who it is in $node, and somebody else in $other
somebody_serves()
{
	local asks

	for asks in $nodes; do
		[ "$asks" != "${1:-}" ] || continue
		node=$(serves "$asks")
		if [ -z "$node" ] || [ "$node" = "${1:-}" ]; then
			continue
		fi
		other=$(tr ' ' '\n' <<<"$nodes" | grep -vx -e "$node" -e "${1:-x}" | head -n 1)
		return 0
	done
	return 1
}

# all_online: as the node sees it that $other names
all_online()
{
	on "$other" 'crm_mon -1' | grep -q 'Online: \[ r1 r2 r3 r4 \]'
}

# serving: $node is who serves now. A cluster that is busy with a node that comes back may move its service.
serving()
{
	within 60 "somebody serves" somebody_serves
}

shots()
{
	grep -c ": ask [^ ]* off $1: ok" "${LAB%.lab}.run/power.log"
}

state_of()
{
	lab status --json | jq -r --arg g "$1" '.[] | select(.guest == $g) | .state'
}

needs_pace 40 "four nodes of corosync"
lab_begin
within 180 "the service is there" somebody_serves
for asks in $nodes; do
	is "... $asks reaches the same node" "$(serves "$asks")" "$node"
done
check "... where the address is" on "$node" 'ip -br address show dummy0 | grep -q 10.0.0.100/32'
like "... and came before the server" "$(on "$node" 'journalctl -b -o cat | grep -E "Adding inet address 10.0.0.100|Started ssh" | head -n 1')" Adding

# One adapter: nothing moves, and all find the way to it.
first=$node
timeline "an adapter of $first loses its carrier" <<END
$first add eth0 down id=cable
$first wait cable fired>=1 --timeout 5s
END
within 60 "... which is noticed" on "$first" 'crm_mon -1A | grep -A 4 "Node: $(hostname)" | grep -q "eth0-lives.*: 0"'
for asks in $(tr ' ' '\n' <<<"$nodes" | grep -vx "$first"); do
	within 30 "... $asks reaches $first by the other one" eval "[ \"\$(serves $asks)\" = $first ]"
done
is "... nobody was shot" "$(shots '.*')" 0
timeline "the adapter is back" <<END
$first expect cable fired>=1
$first clear
END

# Both: the node is cut off, is shot, and the service moves.
timeline "both adapters of $first lose their carriers" <<END
$first add eth0 down id=one
$first add eth1 down id=two
$first expect one fired>=1
$first expect two fired>=1
END
within 120 "the service is elsewhere" somebody_serves "$first"
is "... and $first was shot once" "$(shots "$first")" 1
within 200 "$first is back in the cluster" all_online

# A node that hangs.
serving
second=$node before=$(shots "$node")
timeline "$second hangs" <<END
$second add node hang lockup=hard id=hang
END
within 150 "the service is elsewhere" somebody_serves "$second"
is "... and $second was shot once" "$(shots "$second")" $((before + 1))
within 200 "$second is back in the cluster" all_online

# A node that hangs, and nobody can shoot it: its own watchdog does, and only when it is known to be off the service moves.
serving
third=$node
switch=$(cut -d ' ' -f 1 "$(lab_live)/power.pid")
kill -STOP "$switch"
before=$(shots "$third")
timeline "$third hangs, and the power switch is stuck" <<END
$third add node hang lockup=hard id=hang
END
within 100 "... its watchdog resets it" eval "[ \"\$(state_of $third)\" = ended ]"
is "... it was not the switch" "$(shots "$third")" "$before"
check_fails "... nobody serves in its place as long as nobody can know" somebody_serves "$third"
[ "$tap_failed" = 0 ] || lab_keep
kill -CONT "$switch"
# who shoots waits for what it has asked before, up to a minute, and then asks again
within 300 "the service is elsewhere once the switch answers" somebody_serves "$third"
lab_end

# ---- without fencing, from outside or by itself ----

# The watchdog is a fence, too: it resets a node that was frozen for a minute.
setup_edit '/primitive fencing/d; s/stonith-enabled=true/stonith-enabled=false/; /^systemctl start deadman$/d'
lab_begin
within 180 "the service is there" somebody_serves
old=$node
check "without fencing $old is frozen" lab freeze "$old"
within 150 "... the service is elsewhere" somebody_serves "$old"
check "$old thaws" lab thaw "$old"
check "... and believes it still has the address, as $node does" on "$old" 'ip -br address show dummy0 | grep -q 10.0.0.100/32'
check "... so there are two" on "$node" 'ip -br address show dummy0 | grep -q 10.0.0.100/32'
lab_end
done_testing
