#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# timeout: 900
# kill -9 of one of three guests under traffic: the others go on without a gap, a restarted one rejoins by itself, and
# KILLS (default 100; 200 in check-long) of them in a row leave nothing behind.

. "$(dirname "$0")/../lib/net.sh"

KILLS=${KILLS:-100}
[ "$FLAVOR" != debug ] || KILLS=${KILLS_DEBUG:-50}
# One after the other: n1 is port 0, n2 is port 1.
net_start 1
net_start 2
net_start 3

# ---- under traffic ----

# Each sends to each; n1 and n2 write down when an answer came. A raw socket gets all that is ICMP: ping has room for it
# should it not run for a while.
for n in 1 2; do
	guest_exec n$n 'echo 33554432 >/proc/sys/net/core/rmem_default'
done
guest_exec n1 'ping -i 0.02 10.0.0.2 2>&1 | ts %.s >/tmp/trips & ping -i 0.01 10.0.0.3 >/dev/null 2>&1 &' >/dev/null
guest_exec n2 'ping -i 0.02 10.0.0.1 2>&1 | ts %.s >/tmp/trips & ping -i 0.01 10.0.0.3 >/dev/null 2>&1 &' >/dev/null
noise='ping -i 0.005 10.0.0.1 >/dev/null 2>&1 & ping -i 0.005 -s 1400 10.0.0.2 >/dev/null 2>&1 &'
guest_exec n3 "$noise" >/dev/null

# The longest time between two answers, ms, and how many requests have none, up to now.
trips()
{
	guest_exec "$1" 'cat /tmp/trips' | awk '
		!/ seq=/ { next }
		{ seq = $0; sub(/.* seq=/, "", seq); seq += 0 }
		last && $1 - last > gap { gap = $1 - last }
		!last { min = seq }
		seq > max { max = seq }
		!seen[seq]++ { n++ }
		{ last = $1 }
		END { printf "%d %d %d\n", gap * 1000, max - min + 1 - n, n }'
}

# What a survivor holds of the segment: descriptors and mappings of its process.
holds()
{
	local pid

	pid=$(guest_pid "$1")
	echo "$(find "/proc/$pid/fd" -mindepth 1 | wc -l) descriptors, $(grep -c "$WORK/seg" "/proc/$pid/maps") mappings"
}

folder()
{
	find "$WORK/seg" -mindepth 1 -printf '%f\n' | sort | paste -sd ' '
}

two_are_left()
{
	[ "$(folder)" = "port-00.bell port-01.bell ring-00-01 ring-01-00 segment" ] || { folder && return 1; }
}

guest_exec n1 'sleep 1'
guest_kill9 n3
guest_exec n1 'sleep 2'
for n in 1 2; do
	read -r gap lost answers < <(trips n$n)
	check "n$n: no gap of a second when n3 is killed ($gap ms)" test "$gap" -lt 1000 -a "$answers" -gt 50
	is "... and no answer is missing" "$lost" 0
done
check "its rings and its bell go away" until_true 5 two_are_left

net_boot 3
net_ready 3 || exit 1
pings "restarted, it reaches n1" 3 1
check "n2 reaches it" icmp 2 3 10
guest_kill9 n3

# ---- many in a row ----

# Two rounds to have everything in place that stays, the log's first lines and the allocator's mappings included.
for _ in 1 2; do
	start=${EPOCHREALTIME//[.,]/}
	net_boot 3
	net_ready 3 || exit 1
	boot_ms=$(((${EPOCHREALTIME//[.,]/} - start) / 1000))
	icmp 3 1 3
	guest_kill9 n3
done
check "the folder is clean before" until_true 5 two_are_left
declare -A before logged
for n in 1 2; do
	before[$n]=$(holds n$n)
	logged[$n]=$(wc -c <"$(guest_log n$n)")
done

# At any moment of its life: as it boots, joins, brings the interface up, in traffic.
RANDOM=2004
joined=0 deaf=0
for ((i = 1; i <= KILLS; i++)); do
	net_boot 3 -- "$noise sleep 60" || break
	ms=$((RANDOM % (2 * boot_ms)))
	sleep "$((ms / 1000)).$(printf '%03d' $((ms % 1000)))"
	! grep -q 'eth0: port ' "$(guest_log n3)" || joined=$((joined + 1))
	guest_kill9 n3
	: >"$(guest_log n3)"
	# Before anybody joins, which wakes all of them.
	icmp 1 2 3 && icmp 2 1 3 || deaf=$((deaf + 1))
done
is "$KILLS kills" "$((i - 1))" "$KILLS"
is "... after each the two that are left reach each other" "$deaf" 0
check "... of which some came before n3 had joined ($joined after)" test "$joined" -lt "$KILLS"
check "... and more after it" test "$joined" -gt $((KILLS / 3))

for n in 1 2; do
	read -r gap lost answers < <(trips n$n)
	check "n$n: no gap of a second in all that time ($gap ms, $answers answers)" test "$gap" -lt 1000
	is "... no answer is missing" "$lost" 0
done
check "no ring and no bell is left" until_true 5 two_are_left
for n in 1 2; do
	is "n$n holds what it held before" "$(holds n$n)" "${before[$n]}"
	is "n$n has logged nothing" "$(tail -c +$((logged[$n] + 1)) "$(guest_log n$n)")" ""
done

net_boot 3
net_ready 3 || exit 1
icmp 3 1 20
is "at the end a restarted guest rejoins" "$received" 20
icmp 2 3 20
is "... and is reached" "$received" 20
for n in 1 2; do
	guest_exec n$n 'killall ping' >/dev/null 2>&1
	guest_stop n$n
done
guest_stop n3
check "the last to leave removes the segment" test ! -e "$WORK/seg"

done_testing
