#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# The same fault by tc's netem and by a rule, measured in the same way: loss and delay agree within statistics.

. "$(dirname "$0")/../lib/real.sh"

real_programs tc
FRAMES=4000 PINGS=600
net_boot 1 "share=$real_dir:/prog"
net_boot 2
real_ready 1
net_neighbours 1
net_ready 2 || exit 1
for path in sbin usr/sbin bin usr/bin; do
	[ ! -e "$real_dir/$path/tc" ] || tc="TC_LIB_DIR=/prog/tc /prog/$path/tc"
done

netem()
{
	in_guest 1 "$tc qdisc replace dev eth0 root netem limit 100000 $*"
}
# Sets $counted, what it has dropped.
netem_off()
{
	counted=$(in_guest 1 "$tc -s qdisc show dev eth0" | sed -n 's/.*dropped \([0-9]*\),.*/\1/p')
	in_guest 1 "$tc qdisc del dev eth0 root"
}

# ---- loss ----

# agree <asked, in 1/1000> <lost with netem> <lost with ours>: both near what was asked, and each other: 4.5 deviations.
# netem draws anew each time, so this fails once in 50000 runs for nothing.
agree()
{
	awk -v p="$1" -v a="$2" -v b="$3" -v n="$FRAMES" 'BEGIN {
		p /= 1000
		d = sqrt(n * p * (1 - p))
		exit !(a > n * p - 4.5 * d && a < n * p + 4.5 * d && b > n * p - 4.5 * d && b < n * p + 4.5 * d &&
			(a - b) ^ 2 < (4.5 * d) ^ 2 * 2)
	}'
}

# shot <command>…: FRAMES frames, then the command, then the end mark; sets $came
shot()
{
	listen 2 1 60
	shoot 1 "$(net_mac 2)" "$FRAMES" 60
	"$@"
	finish 1 "$(net_mac 2)"
	came=$(heard 2 | wc -l)
}

for percent in 1 10 50; do
	netem loss "$percent%"
	shot netem_off
	theirs=$((FRAMES - came))
	rule n1 drop dir=tx prob="$percent%" match="$PROBE"
	shot true
	ours=$((FRAMES - came))
	is "loss $percent %: the rule has counted what is missing" "$(stat_of n1 r fired)" "$ours"
	is "... netem too" "$counted" "$theirs"
	net_clear n1
	check "... of $FRAMES frames netem has lost $theirs, the rule $ours" agree $((percent * 10)) "$theirs" "$ours"
done

# ---- delay ----

# round_trips: sets $median and $middle, the distance of the quartiles, of PINGS round trips, µs
round_trips()
{
	out=$(in_guest 1 "/net/netprobe echo 10.0.0.2 $PINGS 3000 10000")
	read -r got median middle < <(awk 'NF == 2 { print $2 }' <<<"$out" | sort -n | awk '
		{ v[NR] = $1 }
		END { printf "%d %d %d\n", NR, v[int((NR + 1) / 2)], v[int(NR * 3 / 4)] - v[int(NR / 4)] }')
	[ "$got" = "$PINGS" ]
}

near()
{
	[ "$1" -le $(($2 + $3)) ] && [ "$1" -ge $(($2 - $3)) ]
}

# Is the machine quiet now? Nine of ten pings without any fault take less than 2 ms.
calm()
{
	local slow

	slow=$(in_guest 1 "/net/netprobe echo 10.0.0.2 100 3000 5000" | awk 'NF == 2 { print $2 }' | sort -n | sed -n 90p)
	[ "${slow:-9999}" -lt 2000 ]
}

# delays <what> <netem's words> <distance of the quartiles> <the rule's words>: both as asked, and as each other. The bounds
# are more than 4.5 deviations of the estimates on a quiet machine. One that is not makes pings late, never early: they
# are tried again, and what is wrong is wrong each time. It is netem that tells whether the machine can measure that at
# all: where its delays are not as asked, the rule's say nothing.
delays()
{
	local try wrong=0 good=false

	for try in {1..20}; do
		calm || continue
		netem "delay 20ms $2"
		round_trips || { netem_off && continue; }
		theirs=$median theirs_middle=$middle
		netem_off
		if ! near "$theirs" 20600 1000 || ! near "$theirs_middle" "$3" 900; then
			continue
		fi
		# shellcheck disable=SC2086 # one word each
		rule n1 delay dir=tx time=20ms limit=60000 $4
		round_trips || { net_clear n1 && continue; }
		net_clear n1
		good="near $median 20600 1000 && near $middle $3 900 &&
			near $theirs $median 1000 && near $theirs_middle $middle 1000"
		! eval "$good" || break
		calm || continue
		diag "$1, try $try: netem $theirs and $theirs_middle, the rule $median and $middle us"
		wrong=$((wrong + 1))
		[ "$wrong" -lt 3 ] || break
	done
	check "$1: median ${theirs:-?} us by netem, ${median:-?} by the rule; quartiles ${theirs_middle:-?} and ${middle:-?} apart" \
		eval "$good"
}

delays "delay 20 ms" "" 100 ""
delays "... jitter 5 ms" "5ms" 5000 "jitter=5ms"
if [ -e "$real_dir/tc/normal.dist" ]; then
	delays "... jitter 3 ms, normal" "3ms distribution normal" 4047 "jitter=3ms dist=normal"
else
	skip "a normal distribution" "iproute2 has come without its tables"
fi

# ---- what else both can do ----

netem duplicate 20%
shot netem_off
theirs=$((came - FRAMES))
rule n1 dup dir=tx prob=20% match="$PROBE"
shot true
ours=$((came - FRAMES))
net_clear n1
check "dup 20 %: netem $theirs, the rule $ours" agree 200 "$theirs" "$ours"
done_testing
