#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# The order of frames: whatever ends a rule while frames come, what it kept passes before anything newer.

. "$(dirname "$0")/../lib/net.sh"

net_ethtool
net_start 1 2

# Frames of $seen that came after a newer one, and how many came.
late()
{
	awk '$2 < last { late++ } $2 > last { last = $2 } END { printf "%d of %d", late, NR }' <<<"$seen"
}

# streaming <guest> <dir> <description> <frames> <what ends the rule…> -- <action> [key=value…]: so many numbered frames,
# 100 us apart, go through a rule that begins with the third of them and ends meanwhile
streaming()
{
	local guest=$1 dir=$2 what=$3 count=$4 end=()
	shift 4

	while [ "$1" != -- ]; do
		end+=("$1")
		shift
	done
	shift
	rule "$guest" dup dir="$dir" match="$PROBE" after=2 count=1 id=third
	rule "$guest" "$1" dir="$dir" match="$PROBE" on=third "${@:2}"
	listen 2 1
	guest_exec n1 "/net/netprobe send eth0 $(net_mac 2) $count 100 100 &" >/dev/null
	[ ${#end[@]} = 0 ] || fault "$guest" wait r 'fired>=50' --timeout 20s >/dev/null
	[ ${#end[@]} = 0 ] || fault "$guest" "${end[@]}" >/dev/null
	await 2 $((count + 1))
	finish 1 "$(net_mac 2)"
	seen=$(heard 2)
	is "$dir: $what" "$(late)" "0 of $((count + 1))"
	net_clear "$guest"
}

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	# Windows end between a frame and the next, again and again.
	for i in 1 2 3 4; do
		streaming "$guest" "$dir" "hold for= ends: nobody overtakes what was held ($i)" 1500 -- hold limit=10000 for=$((60 + 7 * i))ms
	done
	streaming "$guest" "$dir" "nor when period= ends it, again and again" 3000 -- hold limit=10000 period=20ms duty=50%
	streaming "$guest" "$dir" "nor when it is suspended" 1500 suspend r -- hold limit=10000
	streaming "$guest" "$dir" "nor when it is deleted" 1500 del r -- hold limit=10000
	streaming "$guest" "$dir" "rate for= ends: its queue leaves at once, in order" 1000 -- rate rate=8kbit limit=10000 for=100ms
	streaming "$guest" "$dir" "... and when it is suspended" 1000 suspend r -- rate rate=8kbit limit=10000
	streaming "$guest" "$dir" "delay order=keep for=" 1000 -- delay time=1h order=keep limit=10000 for=100ms

	# One rule after the other: the frame that has waited for the first has its place in the second.
	rule "$guest" delay dir="$dir" time=30ms jitter=30ms order=keep match="$PROBE" limit=10000 id=first
	rule "$guest" rate dir="$dir" rate=8Mbit match="$PROBE" limit=10000 id=second
	frames 1 2 300 100 100 300
	is "$dir: delay, then rate: all come, in order" "$(late)" "0 of 300"
	fault "$guest" clear
	net_mark "$guest"

	# The order of rules is no matter for who overtakes, not even where there is no room.
	for order in "rate reorder" "reorder rate"; do
		for action in $order; do
			case $action in
			rate) rule "$guest" rate dir="$dir" rate=8bit limit=5 match="$PROBE" id=slow ;;
			*) rule "$guest" reorder dir="$dir" every=3 match="$PROBE" ;;
			esac
		done
		listen 2 1
		shoot 1 "$(net_mac 2)" 30
		await 2 10
		is "$dir: $order: who overtakes arrives, however full the other is" "$(arrived 2) $(stat_of "$guest" r fired)" "10 10"
		is "... and has not been charged" "$(stat_of "$guest" slow fired)" 20
		fault "$guest" clear
		finish 1 "$(net_mac 2)"
		heard 2 >/dev/null
		net_mark "$guest"
	done

	rule "$guest" reorder dir="$dir" match="$PROBE"
	frames 1 2 10
	is "$dir: reorder has not fired where nobody waits" "$(stat_of "$guest" r matched) $(stat_of "$guest" r fired)" "10 0"
	net_clear "$guest"
done

# Without carrier nothing is kept.
rule n2 hold dir=rx match="$PROBE"
listen 2 1
shoot 1 "$(net_mac 2)" 20
icmp 1 2 2
rule n2 down id=off
fault n2 del off
net_neighbours 2
fault n2 clear
finish 1 "$(net_mac 2)"
is "what is held when the carrier goes is lost" "$(heard 2)" ""
check "... and counted" test "$(count_of 2 rx_fault_down)" -ge 20
net_mark n2

# An update looks at rules, not at each frame that waits.
cpu()
{
	awk '{ print ($14 + $15) * 10 }' "/proc/$(guest_pid n2)/stat"
}
rule n2 hold dir=rx match="$PROBE" limit=60000
rule n2 drop dir=rx prob=0 period=2ms duty=50% match="ether proto 0x1234" id=ticks
rule n2 hold dir=rx period=2ms duty=50% match="ether proto 0x1234" id=tocks
guest_exec n2 'sleep 0.5'
before=$(cpu)
guest_exec n2 'sleep 2'
idle=$(($(cpu) - before))
shoot 1 "$(net_mac 2)" 20000
icmp 1 2 2
before=$(cpu)
guest_exec n2 'sleep 2'
busy=$(($(cpu) - before))
check "20000 held frames make the edges of another rule no dearer ($idle ms without, $busy ms with them, of 2000)" \
	test "$busy" -lt $((idle + 250))
net_clear n2

done_testing
