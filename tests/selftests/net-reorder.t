#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# reorder, order=keep and release=reverse: who overtakes whom.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	# As tc-netem's "delay 300ms reorder 100% gap 5".
	rule "$guest" delay dir="$dir" time=300ms match="$PROBE"
	rule "$guest" reorder dir="$dir" every=5 match="$PROBE" id=first
	frames 1 2 50 100 0 50
	is "$dir: every fifth frame is sent before those that wait" "$(seen_numbers)" \
		"$(seq -s ' ' 5 5 50) $(seq 50 | awk '$1 % 5 { printf "%s%s", sep, $1; sep = " " }')"
	net_clear "$guest"

	rule "$guest" reorder dir="$dir" match="$PROBE" id=first
	rule "$guest" rate dir="$dir" rate=8bit match="$PROBE"
	frames 1 2 20
	is "$dir: wherever it stands, and whatever they would wait for" "$(seen_numbers)" "$(seq -s ' ' 20)"
	net_clear "$guest"

	rule "$guest" delay dir="$dir" time=300ms match="$PROBE"
	rule "$guest" reorder dir="$dir" prob=0 match="$PROBE" id=first
	frames 1 2 20 100 0 20
	is "$dir: prob=0 leaves the order" "$(seen_numbers) $(stat_of "$guest" first matched)" "$(seq -s ' ' 20) 20"
	net_clear "$guest"

	rule "$guest" delay dir="$dir" time=1s match="$PROBE"
	rule "$guest" reorder dir="$dir" prob=25% match="$PROBE" id=first
	frames 1 2 300 100 0 300
	n=$(stat_of "$guest" first fired)
	check "$dir: prob=25% moves 41 to 109 of 300 ($n)" test "$n" -ge 41 -a "$n" -le 109
	early=$(head -n "$n" <<<"$seen" | awk '{ print $2 }')
	late=$(tail -n +$((n + 1)) <<<"$seen" | awk '{ print $2 }')
	is "... both parts keep their order, and all are there" \
		"$(sort -nc <<<"$early" && sort -nc <<<"$late" && sort -n <<<"$early"$'\n'"$late" | paste -sd ' ')" "$(seq -s ' ' 300)"
	net_clear "$guest"

	rule "$guest" delay dir="$dir" time=50ms jitter=50ms order=keep match="$PROBE"
	frames 1 2 200 100 0 200
	is "$dir: order=keep: jitter moves nobody" "$(seen_numbers)" "$(seq -s ' ' 200)"
	net_clear "$guest"

	rule "$guest" hold dir="$dir" release=reverse match="$PROBE"
	listen 2 1
	shoot 1 "$(net_mac 2)" 100
	icmp 1 2 3
	is "$dir: held" "$(arrived 2) $received" "0 3"
	net_clear "$guest"
	finish 1 "$(net_mac 2)"
	seen=$(heard 2)
	is "... release=reverse: the last comes first" "$(seen_numbers)" "$(seq -s ' ' 100 -1 1)"
done

done_testing
