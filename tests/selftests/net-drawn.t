#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# partition a=one, majority, ring: whom it keeps apart is drawn by the rule's seed, told by list, and drawn anew in each window.

. "$(dirname "$0")/../lib/net.sh"

# Which number a port has is a matter of who came first: that must not matter.
for n in 3 1 5 2 4; do
	net_boot $n
	net_ready $n || exit 1
done
hearing 1 2 3 4 5

# chosen <guest>: "n1 n3 ", as list has it
chosen()
{
	fault "$1" list | sed -n 's/.* chosen="\(.*\)"$/\1/p' | sed 's|/eth0||g' | tr ',' ' '
}

in_side()
{
	[[ " ${*:2} " == *" $1 "* ]] && echo yes
}

# expected <the numbers of one side>: what reach says of all, when these are apart from the others
expected()
{
	local from to heard out=()

	for from in 1 2 3 4 5; do
		heard=()
		for to in 1 2 3 4 5; do
			[ "$from" = "$to" ] && continue
			[ "$(in_side "$from" "$@")" = "$(in_side "$to" "$@")" ] && heard+=("$to")
		done
		out+=("$from:$(IFS=, && echo "${heard[*]}")")
	done
	echo "${out[*]}"
}

# ---- one, majority ----

declare -A got
for seed in 1 2 3 4 5 6; do
	rule n1 partition a=majority seed=$seed
	side=$(chosen n1)
	got[$side]=1
	is "a=majority seed=$seed: three of five ($side)" "$(wc -w <<<"$side") $(tr ' ' '\n' <<<"$side" | sort -u | wc -l)" "3 3"
	is "... are apart from the others" "$(reach 1 2 3 4 5)" "$(expected "${side//n/}")"
	net_clear n1
	rule n4 partition a=majority seed=$seed
	is "... the same ones, whoever's rule it is" "$(chosen n4)" "$side"
	net_clear n4
done
check "... not the same for each seed (${#got[@]} of 6)" test ${#got[@]} -ge 3

got=()
for seed in 1 2 3 4 5 6; do
	rule n1 partition a=one seed=$seed
	side=$(chosen n1)
	got[$side]=1
	[ "$(wc -w <<<"$side")" = 1 ] || break
	net_clear n1
done
check "a=one: one each time, not always the same (${#got[@]} of 5)" test ${#got[@]} -ge 2
net_clear n1
rule n2 partition a=one seed=3 oneway=on
one=$(chosen n2)
is "a=one oneway=on: it is not heard, and hears" "$(reach "${one#n}" | cut -d: -f 2) $(reach "$((${one#n} % 5 + 1))" | tr -cd ,)" " ,,,"
net_clear n2

# ---- ring ----

rule n3 partition a=ring seed=7
read -ra ring < <(chosen n3)
is "a=ring: all are in it" "$(printf '%s\n' "${ring[@]}" | sort | tr '\n' ' ')" "n1 n2 n3 n4 n5 "
want=
for n in 1 2 3 4 5; do
	for ((i = 0; i < 5; i++)); do
		[ "${ring[i]}" = n$n ] && want+="$n:$(printf '%s\n' "${ring[(i + 1) % 5]}" "${ring[(i + 4) % 5]}" | tr -d n | sort | paste -sd,) "
	done
done
is "... each hears its two neighbours (${ring[*]})" "$(reach 1 2 3 4 5) " "$want"
listed=$(fault n3 list | tail -n 1)
net_clear n3
is "... healed by one command" "$(reach 1 4)" "1:2,3,4,5 4:1,2,3,5"

# ---- list is input ----

eval "fault n3 ${listed/seed=7/seed=8}" >/dev/null
is "what list printed draws nothing: it is what it was" "$(chosen n3)" "${ring[*]}"
is "... in effect, too" "$(reach 1 2 3 4 5) " "$want"
net_clear n3

# ---- windows, and who leaves ----

rule n1 partition a=one seed=5 period=200ms duty=50%
got=()
for ((i = 0; i < 60 && ${#got[@]} < 3; i++)); do
	got[$(chosen n1)]=1
	sleep 0.05
done
check "each window draws anew (${#got[@]} of five)" test ${#got[@]} -ge 3
net_clear n1

rule n1 partition a=majority seed=1
before=$(chosen n1)
last=${before##* }
[ "$last" = n1 ] && last=${before%% *}
guest_kill9 "$last"
sleep 0.5
is "who of the majority dies ($last) stays on its side" "$(chosen n1)" "$before"
net_boot "${last#n}"
net_ready "${last#n}" || exit 1
hearing "${last#n}"
is "... and is there when it is back" "$(reach 1 2 3 4 5)" "$(expected "${before//n/}")"
net_clear n1

# ---- refused ----

like "with b=" "$(fault n1 add eth0 partition a=ring b=n1 2>&1)" "a=ring and b= contradict"
like "a ring one way" "$(fault n1 add eth0 partition a=ring oneway=on 2>&1)" "oneway=on"
like "chosen= without it" "$(fault n1 add eth0 partition a=n1 chosen=n1 2>&1)" "chosen= and seed= are for"
like "chosen= of nobody" "$(fault n1 add eth0 partition a=one chosen=n1, 2>&1)" "chosen="
is "... leave nothing" "$(fault n1 list)" "seed 2004"

done_testing
