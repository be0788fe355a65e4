#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
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

# round_trips: sets $mean and $dev of PINGS round trips, µs
round_trips()
{
	out=$(in_guest 1 "/net/netprobe echo 10.0.0.2 $PINGS 3000 5000")
	read -r got mean dev < <(awk '
		NF == 2 { n++; s += $2; q += $2 * $2 }
		END { m = s / n; printf "%d %d %d\n", n, m, sqrt(q / n - m * m) }' <<<"$out")
	[ "$got" = "$PINGS" ] || not_ok "all pings are answered" "$got of $PINGS"
}

# same <what> <theirs> <ours> <allowed difference>
same()
{
	check "$1: netem $2, the rule $3 us" awk -v a="$2" -v b="$3" -v d="$4" 'BEGIN { exit !((a - b) ^ 2 <= d * d) }'
}

netem delay 20ms
round_trips
theirs=$mean
netem_off
rule n1 delay dir=tx time=20ms limit=60000
round_trips
net_clear n1
same "delay 20 ms, mean" "$theirs" "$mean" 1500
check "... and no less than 20 ms" test "$theirs" -ge 20000 -a "$mean" -ge 20000

# Uniform: deviation 5 ms / sqrt(3). The bounds are 4.5 deviations of the estimate and what the machine adds.
netem delay 20ms 5ms
round_trips
theirs=$mean theirs_dev=$dev
netem_off
rule n1 delay dir=tx time=20ms jitter=5ms limit=60000
round_trips
net_clear n1
same "jitter 5 ms, mean" "$theirs" "$mean" 2000
same "... deviation" "$theirs_dev" "$dev" 700

if [ -e "$real_dir/tc/normal.dist" ]; then
	netem delay 20ms 3ms distribution normal
	round_trips
	theirs=$mean theirs_dev=$dev
	netem_off
	rule n1 delay dir=tx time=20ms jitter=3ms dist=normal limit=60000
	round_trips
	net_clear n1
	same "jitter 3 ms, normal, mean" "$theirs" "$mean" 2000
	same "... deviation" "$theirs_dev" "$dev" 700
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
