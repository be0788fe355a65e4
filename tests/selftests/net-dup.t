#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# dup: the frames that a rule says arrive as often as it says, the others once.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2 3

# each_times <count> <copies> <every>: the numbers as they must come
each_times()
{
	local i j

	for ((i = 1; i <= $1; i++)); do
		printf '%d ' "$i"
		for ((j = 0; i % $3 == 0 && j < $2; j++)); do
			printf '%d ' "$i"
		done
	done
}

# expect_numbers <description> <guest> <wanted> <fired>
expect_numbers()
{
	is "$1" "$(seen_numbers) " "$3"
	is "... as counted and logged" "$(stat_of "$2" r fired) $(events_of "$2" r | grep -c ' action=dup ')" "$4 $4"
	is "... and unchanged" "$(grep -vc ' -$' <<<"$seen")" 0
	net_clear "$2"
}

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	rule "$guest" dup dir="$dir" prob=0 match="$PROBE"
	frames 1 2 200
	expect_numbers "$dir: prob=0 doubles nothing" "$guest" "$(each_times 200 0 1)" 0

	rule "$guest" dup dir="$dir" match="$PROBE"
	frames 1 2 200
	expect_numbers "$dir: always doubles each" "$guest" "$(each_times 200 1 1)" 200

	rule "$guest" dup dir="$dir" copies=3 every=4 match="$PROBE"
	frames 1 2 200
	expect_numbers "$dir: copies=3 every=4 makes four of each fourth" "$guest" "$(each_times 200 3 4)" 50
	rule "$guest" dup dir="$dir" prob=25% match="$PROBE"
	frames 1 2 400
	n=$(stat_of "$guest" r fired)
	check "$dir: prob=25% doubles 66 to 134 of 400 ($n)" test "$n" -ge 66 -a "$n" -le 134
	is "... which all come" "$(wc -l <<<"$seen") $(lost_numbers 400)" "$((400 + n)) "
	net_clear "$guest"

	# Effects of several rules add up, in the order of the list.
	rule "$guest" dup dir="$dir" every=2 match="$PROBE"
	rule "$guest" dup dir="$dir" every=4 id=more match="$PROBE"
	frames 1 2 8
	is "$dir: two rules add up" "$(seen_numbers)" "1 2 2 3 4 4 4 5 6 6 7 8 8 8"
	net_clear "$guest"
done

rule n1 dup dir=rx every=5 match=icmp
# The copy of the last answer would come too late.
icmp 1 2 21
is "every fifth answer to a ping comes twice" "$duplicates $received" "4 21"
net_clear n1

everyone=ff:ff:ff:ff:ff:ff
rule n1 dup dir=tx peer="$(net_mac 3)" match="$PROBE"
listen 2 1 100 $everyone
listen 3 1 100 $everyone
shoot 1 $everyone 20
finish 1 $everyone
seen=$(heard 2)
is "peer=: the other receiver of a broadcast has it once" "$(seen_numbers)" "$(seq -s ' ' 20)"
seen=$(heard 3)
is "... that one twice" "$(seen_numbers) " "$(each_times 20 1 1)"
net_clear n1

icmp 1 2 20
is "... once" "$duplicates $received" "0 20"

# Received segments and their copies are joined again by GRO, which must not find them sharing data.
for when in "prob=10% seed=5" "prob=1% seed=2" every=3; do
	# shellcheck disable=SC2086 # two words
	rule n2 dup dir=rx $when match="tcp dst port 5001"
	for i in 1 2 3; do
		guest_exec n2 '/net/netprobe sink 5001'
		check "$when: bulk TCP arrives ($i)" guest_exec -t 20 n1 '/net/netprobe source 10.0.0.2 5001 4 >/dev/null'
	done
	check "... and segments came twice ($(stat_of n2 r fired))" test "$(stat_of n2 r fired)" -gt 0
	net_clear n2
done

done_testing
