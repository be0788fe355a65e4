#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The same seed and the same traffic meet the same fate, whatever other rules stand beside; another seed another one.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2

# run <guest> [rule before] [rule after]: 500 frames from n1 to n2 against the rule under test on that guest, which loses
# 30 % of them. Sets $lost, the numbers of those that did not come, and $indices, the operations the event log names.
run()
{
	local guest=$1 dir=rx

	[ "$guest" = n2 ] || dir=tx
	net_clear "$guest"
	fault "$guest" seed "${seed:-2004}"
	# shellcheck disable=SC2086 # a rule's words
	[ -z "${2:-}" ] || rule "$guest" $2 id=before match="$PROBE"
	rule "$guest" drop dir=$dir prob=30% match="$PROBE"
	# shellcheck disable=SC2086 # a rule's words
	[ -z "${3:-}" ] || rule "$guest" $3 id=after match="$PROBE"
	frames 1 2 500
	lost=$(lost_numbers 500)
	indices=$(events_of "$guest" r | sed 's/.* index=\([0-9]*\) .*/\1/' | paste -sd ' ')
}

for guest in n2 n1; do
	dir=rx other=tx
	[ "$guest" = n2 ] || dir=tx other=rx

	run "$guest"
	first=$lost first_indices=$indices
	check "$guest $dir: prob=30% loses some of 500 ($(wc -w <<<"$first"))" test "$(wc -w <<<"$first")" -gt 100
	is "... as many as the event log has" "$(wc -w <<<"$indices")" "$(wc -w <<<"$first")"

	run "$guest"
	is "$guest $dir: a second time it loses the same" "$lost" "$first"
	is "... at the same operations" "$indices" "$first_indices"

	run "$guest" "delay dir=$other time=1ms prob=50%" "drop dir=$other prob=50%"
	is "$guest $dir: so it does beside rules for the other direction" "$lost" "$first"
	is "... at the same operations" "$indices" "$first_indices"

	run "$guest" "corrupt dir=$dir prob=50% offset=60-80" "corrupt dir=$dir prob=50% offset=80-99"
	is "$guest $dir: and beside rules for the same frames" "$lost" "$first"
	is "... at the same operations" "$indices" "$first_indices"

	# dup draws on nothing that drop sees: copies are made after all rules were asked.
	run "$guest" "dup dir=$dir prob=50%" "dup dir=$dir prob=50%"
	is "$guest $dir: ... whatever they do" "$(tr ' ' '\n' <<<"$lost" | sort -un | paste -sd ' ')" "$first"

	seed=2005 run "$guest"
	check "$guest $dir: another seed loses others" test "$lost" != "$first"
	check "... not many more or fewer ($(wc -w <<<"$lost"))" test "$(wc -w <<<"$lost")" -gt 100 -a "$(wc -w <<<"$lost")" -lt 200
	seed=2004 run "$guest"
	is "$guest $dir: the first seed loses the first again" "$lost" "$first"
	net_clear "$guest"
done

# ---- a seed of the rule's own; the name of a rule is part of the guest's ----

one()
{
	net_clear n2
	fault n2 seed "$1"
	fault n2 add eth0 drop dir=rx prob=30% match="$PROBE" "${@:2}" >/dev/null
	frames 1 2 500
	lost_numbers 500
}
is "seed= of a rule overrides the guest's" "$(one 1 seed=7 id=a)" "$(one 2 seed=7 id=b)"
check "rules of other names lose others" test "$(one 1 id=a)" != "$(one 1 id=b)"
check "rules of other seeds lose others" test "$(one 1 seed=7)" != "$(one 1 seed=8)"

# ---- other effects draw from the rule's stream as well ----

effects()
{
	net_clear n2
	fault n2 seed "$1"
	net_mark n2
	rule n2 corrupt dir=rx prob=50% bits=3 offset=40-99 id=c match="$PROBE"
	rule n2 delay dir=rx prob=50% time=2ms jitter=2ms id=d match="$PROBE"
	frames 1 2 200 100 0 200
	fault n2 events since="${net_since[n2]}" | sed 's/seq=[0-9]* time=[0-9.]* //'
}
a=$(effects 1)
is "bits and delays are the same twice" "$(effects 1)" "$a"
check "... and others with another seed" test "$(effects 2)" != "$a"

# ---- and with the guests' own stack: echo requests, by their sequence numbers ----

answered()
{
	net_clear n1
	fault n1 seed "$1"
	rule n1 drop dir=rx prob=30% match=icmp
	icmp 1 2 100
	cut -d ' ' -f 1 <<<"$out" | sort -n | paste -sd ' '
}
a=$(answered 3)
check "of 100 pings some are answered ($(wc -w <<<"$a"))" test "$(wc -w <<<"$a")" -gt 40 -a "$(wc -w <<<"$a")" -lt 95
is "the same pings are answered twice" "$(answered 3)" "$a"
check "... others with another seed" test "$(answered 4)" != "$a"

# ---- a restarted guest ----

net_clear n2
fault n2 seed 5
rule n2 drop dir=rx prob=30% match="$PROBE"
frames 1 2 500
a=$(lost_numbers 500)
guest_stop n2
net_boot 2
net_ready 2 || exit 1
fault n2 seed 5
rule n2 drop dir=rx prob=30% match="$PROBE"
frames 1 2 500
is "a restarted guest with the same seed loses the same" "$(lost_numbers 500)" "$a"

done_testing
