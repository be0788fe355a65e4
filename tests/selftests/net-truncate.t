#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# truncate: frames are cut to len= bytes, shorter ones are left alone, and the receiver notices.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	rule "$guest" truncate dir="$dir" len=60 prob=0 match="$PROBE"
	frames 1 2 50
	is "$dir: prob=0 cuts nothing" "$(seen_numbers)" "$(seq -s ' ' 50)"
	net_clear "$guest"

	# netprobe takes frames of the length it was told only.
	rule "$guest" truncate dir="$dir" len=60 every=2 match="$PROBE"
	frames 1 2 50
	is "$dir: every=2 cuts every second" "$(seen_numbers)" "$(seq -s ' ' 1 2 49)"
	like "... as the event log says" "$(events_of "$guest" r | head -n 1)" " 100 bytes .* to 60 bytes\"\$"
	net_clear "$guest"

	rule "$guest" truncate dir="$dir" len=60 match="$PROBE"
	listen 2 1 60
	shoot 1 "$(net_mac 2)" 50 100
	finish 1 "$(net_mac 2)"
	seen=$(heard 2)
	is "$dir: all of them arrive, 60 bytes long" "$(seen_numbers)" "$(seq -s ' ' 50)"
	is "... and these are what they were" "$(grep -vc ' -$' <<<"$seen")" 0
	net_clear "$guest"

	rule "$guest" truncate dir="$dir" len=100 match="$PROBE"
	frames 1 2 50 100
	is "$dir: len=100 leaves frames of 100 bytes whole" "$(seen_numbers)" "$(seq -s ' ' 50)"
	net_clear "$guest"

	rule "$guest" truncate dir="$dir" prob=30% len=14 match="$PROBE"
	frames 1 2 300
	n=$((300 - $(wc -l <<<"$seen")))
	# 4.5 deviations
	check "$dir: prob=30% cuts 55 to 125 of 300 ($n)" test "$n" -ge 55 -a "$n" -le 125
	is "... as often as counted" "$n" "$(stat_of "$guest" r fired)"
	net_clear "$guest"
done

rule n1 truncate dir=tx len=80 match=icmp
check_fails "pings that are cut are not answered" icmp 1 2 10
net_clear n1
pings "after clear" 1 2

done_testing
