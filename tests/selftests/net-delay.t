#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# delay: frames wait as long as the event log says, within time= and jitter=, and clear lets them go at once.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2

# How long the rule r said that frames wait, ns, a line each.
logged()
{
	events_of "$1" r | sed -n 's/.* \([0-9]*\)ns"$/\1/p'
}

# Round trips of $out, µs, a line each, in the order of their requests.
trips()
{
	sort -n <<<"$out" | cut -d ' ' -f 2
}

# How much longer the round trips took than the rule said, µs; requests reach it in the order of sending.
excess()
{
	paste <(trips) <(logged "$1") | awk '{ print $1 - int($2 / 1000) }' | sort -n
}

median()
{
	awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

for at in "n2 rx" "n1 tx" "n1 rx"; do
	read -r guest dir <<<"$at"

	rule "$guest" delay dir="$dir" time=200ms prob=0 match=icmp
	icmp 1 2 20
	is "$guest $dir: prob=0 delays nothing" "$received $(stat_of "$guest" r matched) $(stat_of "$guest" r fired)" "20 20 0"
	net_clear "$guest"

	rule "$guest" delay dir="$dir" time=200ms match=icmp
	icmp 1 2 20
	is "$guest $dir: time=200ms loses nothing" "$received" 20
	is "... and delays each" "$(stat_of "$guest" r fired)" 20
	is "... for exactly that" "$(logged "$guest" | sort -u)" 200000000
	is "... which each round trip shows" "$(excess "$guest" | awk '$1 < 0')" ""
	over=$(excess "$guest" | median)
	# Twice would be 200 ms more. A guest that has to wait for its processor says nothing against the rule.
	check "... and not much more ($over us)" test "$over" -lt 150000
	net_clear "$guest"

	rule "$guest" delay dir="$dir" time=200ms jitter=100ms match=icmp
	icmp 1 2 200
	is "$guest $dir: jitter=100ms loses nothing" "$received $(stat_of "$guest" r fired)" "200 200"
	is "... delays are within 100 and 300 ms" "$(logged "$guest" | awk '$1 < 100000000 || $1 > 300000000')" ""
	third=$(logged "$guest" | awk '{ n[int(($1 - 100000000) / 66666667)]++ } END { print n[0], n[1], n[2] }')
	check "... each third of that often enough ($third)" test "$(tr ' ' '\n' <<<"$third" | sort -n | head -n 1)" -ge 40
	is "... no round trip is shorter than its delay" "$(excess "$guest" | awk '$1 < 0')" ""
	over=$(excess "$guest" | median)
	check "... nor much longer ($over us)" test "$over" -lt 150000
	net_clear "$guest"
done

# ---- order ----

rule n1 delay dir=tx time=30ms match="$PROBE"
frames 1 2 200 100 0 200
is "frames with the same delay keep their order" "$(seen_numbers)" "$(seq -s ' ' 200)"
net_clear n1

rule n2 delay dir=rx time=300ms every=2 match="$PROBE"
frames 1 2 20 100 0 20
is "who waits is overtaken" "$(seen_numbers)" "$(seq -s ' ' 1 2 19) $(seq -s ' ' 2 2 20)"
net_clear n2

net_mark n1
rule n1 delay dir=tx time=500ms jitter=500ms match="$PROBE"
frames 1 2 100 100 0 100
# What the log promised: the times at which the frames, in the order they came, were to leave. The clock goes on between
# the record and the frame's own timer.
early=$(awk 'NR == FNR { due[FNR] = $1; next } { if (due[$2] + 50 < last) print $2; if (due[$2] > last) last = due[$2] }' \
	<(events_of n1 r | sed 's/.* time=\([0-9.]*\) .* \([0-9]*\)ns"$/\1 \2/' | awk '{ print $1 * 1000 + $2 / 1000000 }') - <<<"$seen")
is "with jitter= they come in the order of their times" "$(wc -l <<<"$seen") $early" "100 "
check "... which is not the one they were sent in" test "$(seen_numbers)" != "$(seq -s ' ' 100)"
net_clear n1

# ---- delays of several rules add up ----

rule n1 delay dir=tx time=200ms match=icmp
rule n1 delay dir=tx time=300ms id=more match=icmp
icmp 1 2 10
is "two rules: their times add up" "$received $(trips | awk '$1 < 500000')" "10 "
net_clear n1

# ---- limit=, clear ----

rule n2 delay dir=rx time=300ms limit=10 match="$PROBE"
frames 1 2 50 100 0 10
is "limit=10 lets ten wait and drops the others" "$(seen_numbers)" "$(seq -s ' ' 10)"
net_clear n2

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	rule "$guest" delay dir="$dir" time=1h match="$PROBE"
	listen 2 1
	shoot 1 "$(net_mac 2)" 50
	icmp 1 2 3
	is "$dir: time=1h keeps them" "$(arrived 2)" 0
	net_clear "$guest"
	finish 1 "$(net_mac 2)"
	seen=$(heard 2)
	is "... clear lets them go, in order" "$(seen_numbers)" "$(seq -s ' ' 50)"
done

icmp 1 2 20
over=$(trips | sort -n | median)
check "after clear there is no delay left ($over us)" test "$received" -eq 20 -a "$over" -lt 150000

done_testing
