#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# delay: the distribution of jitter=, dist= and corr=, as the event log has it; net-delay.t shows that frames wait as logged.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2

# sample <count> <key=value>…: mean, deviation, least, most, in µs, skewness, share below the mean - deviation in 1/1000,
# and the correlation of each with the next in 1/1000, of so many delays
sample()
{
	local count=$1
	shift

	rule n1 delay dir=tx time=20ms limit=65536 match="$PROBE" "$@"
	: >"$WORK/delays"
	# The event log keeps some hundreds.
	for ((i = 0; i < count; i += 200)); do
		net_mark n1
		shoot 1 "$(net_mac 2)" 200
		events_of n1 r | sed -n 's/.* \([0-9]*\)ns"$/\1/p' >>"$WORK/delays"
	done
	net_clear n1
	read -r n mean dev least most skew below corr < <(awk '
		{ v[NR] = $1 / 1000; s += v[NR] }
		END {
			m = s / NR
			for (i = 1; i <= NR; i++) {
				d = v[i] - m
				q += d * d
				c += d * d * d
				if (i < NR) k += d * (v[i + 1] - m)
				if (i == 1 || v[i] < lo) lo = v[i]
				if (i == 1 || v[i] > hi) hi = v[i]
			}
			dev = sqrt(q / NR)
			for (i = 1; i <= NR; i++) b += v[i] < m - dev
			printf "%d %d %d %d %d %d %d %d\n", NR, m, dev, lo, hi, dev ? c / NR / dev ^ 3 * 1000 : 0, b / NR * 1000, q ? k / q * 1000 : 0
		}' "$WORK/delays")
	diag "$*: $n delays, mean $mean us, deviation $dev us, $least to $most us, skewness $skew/1000, correlation $corr/1000"
}

within()
{
	check "$1 ($2)" test "$2" -ge "$3" -a "$2" -le "$4"
}

# The bounds are 4.5 deviations of the estimate, for 2000 draws.
sample 2000 jitter=6ms
is "uniform: 2000 draws" "$n" 2000
within "... mean 20 ms" "$mean" 19651 20349
within "... deviation 6 ms / sqrt(3)" "$dev" 3307 3621
check "... from 14 to 26 ms" test "$least" -ge 14000 -a "$most" -le 26000
within "... not correlated" "$corr" -101 101

sample 2000 jitter=5ms dist=normal
within "normal: mean 20 ms" "$mean" 19497 20503
within "... deviation 5 ms" "$dev" 4645 5355
within "... symmetric" "$skew" -250 250
within "... 15.9 % are more than a deviation below" "$below" 120 200
check "... farther out than uniform ($least to $most us)" test "$least" -lt 9000 -a "$most" -gt 31000

sample 2000 jitter=5ms dist=pareto
within "pareto: mean 20 ms" "$mean" 19200 20900
check "... nothing below 20 ms - 0.577 * 5 ms ($least us)" test "$least" -ge 17100
within "... 1 - 2^(-1/3) are below 1.5 ms less than the mean" "$(awk '$1 < 18613000 { n++ } END { printf "%d", n / NR * 1000 }' "$WORK/delays")" 450 550
check "... and a long tail ($most us, skewness $skew/1000)" test "$most" -gt 40000 -a "$skew" -gt 1500

# A file as tc has them: every fourth is 3 deviations late, the others are one early.
printf '# a comment, 99999 numbers\n-8192 -8192\n  -8192\t24576# the last\n' >"$WORK/table"
sample 2000 jitter=5ms table="$WORK/table"
is "table=: only what it has" "$(sort -u "$WORK/delays" | tr '\n' ' ')" "15000000 35000000 "
within "... each number as often" "$(grep -c '^35' "$WORK/delays")" 413 587
(cd "$WORK" && sample 200 jitter=5ms table=table)
is "... of the folder where mconsole-fault runs" "$(sort -u "$WORK/delays" | tr '\n' ' ')" "15000000 35000000 "
for bad in "1 2 x" "40000" "" "# none"; do
	echo "$bad" >"$WORK/bad"
	like "... '$bad' is refused" "$(fault n1 add eth0 delay time=1ms jitter=1ms table="$WORK/bad" 2>&1)" "table=$WORK/bad: "
done
like "... so is no file" "$(fault n1 add eth0 delay time=1ms jitter=1ms table=/dev/zero 2>&1)" "table=/dev/zero: no file that can be read"
is "... and leaves no rule" "$(fault n1 list)" "seed 2004"

sample 2000 jitter=6ms corr=75%
within "corr=75%: of each with the next" "$corr" 640 860
within "... the mean is what it was" "$mean" 19050 20950
within "... and the deviation" "$dev" 3100 3830
sample 400 jitter=6ms corr=100%
is "corr=100%: one draw for all" "$dev" 0
sample 400 jitter=6ms corr=0%
within "corr=0%: none" "$corr" -230 230

done_testing
