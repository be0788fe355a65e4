#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# What a segment is made of is truncated or removed under live guests: nobody dies, each says in one line what was done,
# and all reach each other again, with the addresses, the MACs and the rules they had.

. "$(dirname "$0")/../lib/net.sh"

net_start 1
net_start 2
net_start 3
seg=$WORK/seg

# said <n> <extended regex>: how often, since said_mark
declare -A mark
said_mark()
{
	local n

	for n in 1 2 3; do
		mark[$n]=$(wc -c <"$(guest_log n$n)")
	done
}

said()
{
	tail -c +$((mark[$1] + 1)) "$(guest_log "n$1")" | grep -cE "umf: (/.*: )?$2"
}

reach()
{
	local from to

	for from in 1 2 3; do
		for to in 1 2 3; do
			[ "$from" = "$to" ] || { icmp "$from" "$to" 3 && [ "$received" = 3 ]; } || return 1
		done
	done
}

# busy <command>: everybody sends to everybody while that is done
busy()
{
	local n

	for n in 1 2 3; do
		guest_exec n$n 'for n in 1 2 3; do ping -q -i 0.005 -s 1000 10.0.0.$n >/dev/null 2>&1 & done'
	done
	sleep 0.2
	eval "$1"
	sleep 0.5
	for n in 1 2 3; do
		guest_exec n$n 'killall ping'
	done
}

check "all reach each other" reach

# ---- rings ----

ring_said()
{
	[ $(($(said 1 'the ring to port 1 was truncated') + $(said 2 'the ring from port 0 is truncated'))) -gt 0 ]
}

for size in 0 6000; do
	said_mark
	busy "truncate -s $size $seg/ring-00-01"
	check "a ring is truncated to $size bytes: all reach each other" reach
	check "... one of its ends says so" until_true 5 ring_said
done

# ---- the segment ----

joined()
{
	local n

	for n in 1 2 3; do
		[ "$(said $n "$seg: joined anew, as port [0-9]+")" = 1 ] || return 1
	done
}

# lost <description> <what> <command>
lost()
{
	local n

	said_mark
	busy "$3"
	check "$1: all join anew" until_true 20 joined
	for n in 1 2 3; do
		is "... n$n says why, once" "$(said $n "$seg/segment was $2: port [0-9]+ is cut off, it joins anew")" 1
		is "... it has its MAC" "$(guest_exec n$n 'cat /sys/class/net/eth0/address')" "$(net_mac $n)"
	done
	check "... and reach each other" reach
}

lost "the segment is truncated to nothing" truncated "truncate -s 0 $seg/segment"
lost "the segment is truncated in the middle" truncated "truncate -s 12288 $seg/segment"
is "... the new one is whole" "$(stat -c %s "$seg/segment")" 266240
lost "the folder is removed" removed "rm -rf $seg"
lost "the file is replaced by a copy" removed "cp $seg/segment $seg/other; mv $seg/other $seg/segment"

rule n1 partition a=n2 b=n3
icmp 2 3 3
is "a rule cuts n2 from n3" "$received" 0
said_mark
rm -rf "$seg"
check "the folder is removed: all join anew" until_true 20 joined
cut_off()
{
	icmp 2 3 3
	[ "$received" = 0 ]
}
check "... the rule is in force" until_true 10 cut_off
pings "... and only that" 1 2
fault n1 clear
check "... until it is cleared" reach

# ---- moved ----

said_mark
mv "$seg" "$WORK/moved"
check "a folder that is moved is used on" reach
sleep 1
is "... and nobody minds" "$(said 1 .) $(said 2 .) $(said 3 .)" "0 0 0"
mv "$WORK/moved" "$seg"

# ---- whoever leaves then ----

rm -rf "$seg"
guest_stop n3
until_true 20 test -e "$seg/segment"
guest_stop n2
guest_stop n1
check "the last to leave removes the segment" test ! -e "$seg"

done_testing
