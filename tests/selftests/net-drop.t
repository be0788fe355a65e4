#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# drop: the frames that a rule says are lost, at the receiver as at the sender, and no others.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2 3

# expect_lost <description> <guest with the rule> <frames sent> <wanted: numbers lost>
expect_lost()
{
	local events

	is "$1" "$(lost_numbers "$3")" "$4"
	is "... as the counter says" "$(stat_of "$2" r fired)" "$(wc -w <<<"$4")"
	is "... and its bytes" "$(stat_of "$2" r bytes)" "$((100 * $(wc -w <<<"$4")))"
	events=$(events_of "$2" r)
	is "... and the event log" "$(grep -c " action=drop .* 100 bytes $(net_mac 1)>$(net_mac 2) 0x88b5\"" <<<"$events")" \
		"$(wc -w <<<"$4")"
	net_clear "$2"
}

frames 1 2 400
is "without a rule nothing is lost" "$(lost_numbers 400)" ""

# ---- 0 %, part, 100 %, at either end ----

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	rule "$guest" drop dir="$dir" prob=0 match="$PROBE"
	frames 1 2 400
	is "$dir: 400 frames match prob=0" "$(stat_of "$guest" r matched)" 400
	expect_lost "$dir: prob=0 loses nothing" "$guest" 400 ""

	rule "$guest" drop dir="$dir" prob=100% match="$PROBE"
	frames 1 2 400
	expect_lost "$dir: prob=100% loses all" "$guest" 400 "$(seq -s ' ' 400)"

	rule "$guest" drop dir="$dir" prob=30% match="$PROBE"
	frames 1 2 1000
	lost=$(lost_numbers 1000)
	n=$(wc -w <<<"$lost")
	# Four standard deviations of the binomial law.
	check "$dir: prob=30% loses 242 to 358 of 1000 ($n)" test "$n" -ge 242 -a "$n" -le 358
	expect_lost "$dir: prob=30% loses what it counts" "$guest" 1000 "$lost"

	# ---- exact triggers ----

	rule "$guest" drop dir="$dir" every=7 match="$PROBE"
	frames 1 2 50
	expect_lost "$dir: every=7 is each seventh" "$guest" 50 "7 14 21 28 35 42 49"

	rule "$guest" drop dir="$dir" after=3 every=10 count=2 match="$PROBE"
	frames 1 2 50
	like "$dir: after count= it is spent" "$(fault "$guest" stats r)" " state=spent "
	expect_lost "$dir: after=3 every=10 count=2 are the 13th and the 23rd" "$guest" 50 "13 23"

	rule "$guest" drop dir="$dir" count=1 after=4 match="$PROBE"
	frames 1 2 10
	expect_lost "$dir: after=4 count=1 is the fifth" "$guest" 10 "5"

	rule "$guest" drop dir="$dir" burst=100%,100% match="$PROBE"
	frames 1 2 10
	expect_lost "$dir: a channel that turns each time loses every other" "$guest" 10 "1 3 5 7 9"
done

# ---- a filter ----

rule n2 drop dir=tx
frames 1 2 50
is "dir=tx loses nothing that is received" "$(lost_numbers 50)" ""
check_fails "... but the answers to pings" icmp 1 2 3
net_clear n2

rule n2 drop dir=rx match='icmp[icmptype] == icmp-echo'
check_fails "match=icmp loses pings" icmp 1 2 5
is "... each counted once" "$(stat_of n2 r fired)" 5
frames 1 2 50
is "... and nothing else" "$(lost_numbers 50) $(stat_of n2 r fired)" " 5"
is "... list shows the expression" "$(fault n2 list | grep -c "match=\"icmp\[icmptype\] == icmp-echo\"")" 1
net_clear n2

rule n2 drop match=icmp
check_fails "without dir= it is both directions" icmp 1 2 4
check_fails "... from the other side too" icmp 2 1 4
is "... and a lost request has no answer to lose" "$(stat_of n2 r fired)" 8
net_clear n2

program="4,40 0 0 12,21 0 1 34997,6 0 0 65535,6 0 0 0"	# ether proto 0x88b5
reply=$(uml_mconsole "$(guest_mconsole n2)" fault "add eth0 drop dir=rx every=2 id=r bpf=\"$program\"" 2>/dev/null)
like "a raw program through uml_mconsole is taken" "$reply" 'r$'
net_mark n2
frames 1 2 20
check "... and lets pings through" icmp 1 2 3
expect_lost "... loses what it accepts" n2 20 "2 4 6 8 10 12 14 16 18 20"

# ---- one receiver of a broadcast loses it, another does not ----

everyone=ff:ff:ff:ff:ff:ff
broadcast()
{
	listen 2 1 100 $everyone
	listen 3 1 100 $everyone
	shoot 1 $everyone 100
	finish 1 $everyone
	seen=$(heard 2)
	lost2=$(lost_numbers 100)
	seen=$(heard 3)
	lost3=$(lost_numbers 100)
}

rule n1 drop dir=tx peer="$(net_mac 2)" every=10 match="$PROBE"
broadcast
is "tx: with peer= that receiver loses it" "$lost2" "10 20 30 40 50 60 70 80 90 100"
is "... the other does not" "$lost3" ""
is "... and it was asked for that one only" "$(stat_of n1 r matched) $(stat_of n1 r fired)" "100 10"
frames 1 3 20
is "... nor anything that goes to the other" "$(lost_numbers 20)" ""
net_clear n1

rule n2 drop dir=rx peer="$(net_mac 3)" match="$PROBE"
frames 1 2 20
is "rx: with peer= only what that one sends is lost" "$(lost_numbers 20)" ""
frames 3 2 20
is "... all of it" "$(lost_numbers 20) $(stat_of n2 r fired)" "$(seq -s ' ' 20) 20"
net_clear n2

# ---- when: at=, for=, on=, suspend ----

read -r up _ < <(guest_exec n2 'cat /proc/uptime')
start=$((${up%.*} + 2))
rule n2 drop dir=rx at=${start}s for=500ms match="$PROBE"
like "before at= it waits" "$(fault n2 stats r)" " state=waiting .* fired=0 "
frames 1 2 400 100 10000
lost=$(lost_numbers 400)
like "after for= it is spent" "$(fault n2 stats r)" " state=spent "
check "a window of time loses a run of frames ($(wc -w <<<"$lost"))" test "$lost" = "$(seq -s ' ' "${lost%% *}" "${lost##* }")"
outside=$(events_of n2 r | sed 's/.* time=\([0-9.]*\) .*/\1/' | awk -v a=$start '$1 < a || $1 >= a + 0.5')
is "... all of them in that time" "$outside" ""
is "... as many as counted" "$(stat_of n2 r fired)" "$(wc -w <<<"$lost")"
net_clear n2

rule n2 drop dir=rx every=5 count=1 id=first match="$PROBE"
rule n2 drop dir=rx count=3 on=first match="$PROBE"
frames 1 2 20
is "on= is armed by the other's firing" "$(lost_numbers 20)" "5 6 7 8"
check "what arms another cannot be deleted before it" test "$(fault n2 del first 2>&1)" != ""
net_clear n2

rule n2 drop dir=rx match="$PROBE"
fault n2 suspend r
frames 1 2 20
is "suspended, it does nothing" "$(lost_numbers 20) $(stat_of n2 r fired)" " 0"
fault n2 resume r
frames 1 2 20
is "resumed, it does" "$(stat_of n2 r fired)" 20
fault n2 del r
frames 1 2 20
is "deleted, it does not" "$(lost_numbers 20)" ""
is "and nothing is left" "$(fault n2 list)" "seed 2004"
pings "pings are answered" 1 2

done_testing
