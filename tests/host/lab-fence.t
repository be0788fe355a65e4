#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A power switch with faults, as fence_umf in a guest sees it.

. "$(dirname "$0")/../lib/lab.sh"

cat >t.lab <<E
seed = 7
memory = $GUEST_MEM
fencing = true
guest n1 {}
guest n2 {}
E

# fence <guest> <arguments of fence_umf>
fence()
{
	run lab exec -t 40 "$1" "fence_umf $2"
}
# rule <words>: the only one
rule()
{
	lab fault power clear
	run lab fault power add "$@"
}
is_on()
{
	[ "$(lab power status "$1")" = "$1 on" ]
}
fired()
{
	lab fault power list | sed -n 's/.*# fired=\([0-9]*\) .*/\1/p'
}
# again: both are on, and take commands
again()
{
	lab power on && lab wait -t 40
}

run lab fault power list
like "a lab that is down" "$status: $err" '^1: umf-lab: .*t.lab: is not up'
lab up -q || exit 1
run lab fault power list
is "no rules" "$status: $out$err" "0: "
check_fails "... nor does status show any" grep -q rules <<<"$(lab status)"

rule delay 1500ms op=off id=slow
is "delay" "$status: $out" "0: slow"
like "... status shows that there are rules" "$(lab status)" 'power switch on .* 1 rules'
is "... in JSON" "$(lab status --json | jq -c '[.[].power_rules]')" '[1,1]'
before=$(date +%s%N)
fence n1 "-o off -n n2"
took=$((($(date +%s%N) - before) / 1000000))
is "... it is done" "$status: $err" "0: "
check "... that late ($took ms)" test "$took" -ge 1500
check_fails "... and truly" is_on n2
again
fence n1 "-o status -n n2"
is "... another op is not delayed, nor counted" "$status $(fired)" "0 1"

rule drop guest=n2 op=off
fence n1 "-t 2 -o off -n n2"
like "drop" "$status: $err" '^1: fence_umf: the power switch does not answer within 2 s'
check "... and nothing is done" is_on n2
fence n1 "-o status -n n2"
is "... status is answered" "$status: $err" "0: "

rule stuck
fence n1 "-o off -n n2"
is "stuck" "$status: $err" "1: fence_umf: n2 is not off"
check "... and nothing is done" is_on n2
rule stuck id=idle
fence n1 "-o on -n n2"
is "... of what is so already: done" "$status: $err" "0: "
like "... which is no effect of the rule" "$(lab fault power list)" '^add stuck id=idle[[:space:]]# fired=0 matched=1$'
check_fails "... and the log names it not" grep -q 'stuck idle' t.run/power.log
rule lie id=idle
fence n1 "-o on -n n2"
like "... nor of a lie that is true" "$(lab fault power list)" '^add lie id=idle[[:space:]]# fired=0 matched=1$'

rule lie id=liar count=1
fence n1 "-o off -n n2"
is "lie: it says that it is done" "$status: $err" "0: "
check "... and nothing is done" is_on n2
like "... list says that it fired" "$(lab fault power list)" '^add lie count=1 id=liar[[:space:]]# fired=1 matched=1 spent$'
fence n1 "-o off -n n2"
check_fails "... once" is_on n2
again
rule lie op=status
fence n1 "-o status -n n2"
is "... of status: the other state" "$status" 2

rule late 3s
fence n1 "-t 1 -o off -n n2"
like "late: no answer in time" "$status: $err" '^1: fence_umf: the power switch does not answer'
check "... and nothing is done yet" is_on n2
check "... but later" until_true 10 eval '! is_on n2'
again
rule late 1000s
fence n1 "-t 1 -o off -n n2"
lab kill n1
check "... or when the asker is off" until_true 10 eval '! is_on n2'
again

# Whoever asked first is not the only one who is heard: both have asked before the switch does anything.
rule delay 1s op=off
switch=$(cut -d ' ' -f 1 "$(lab_live)/power.pid")
kill -STOP "$switch"
lab exec -t 40 n1 'fence_umf -o off -n n2' >/dev/null 2>&1 &
one=$!
lab exec -t 40 n2 'fence_umf -o off -n n1' >/dev/null 2>&1 &
two=$!
until_true 20 lab exec n1 'test -e /run/fence_umf.lock'
until_true 20 lab exec n2 'test -e /run/fence_umf.lock'
sleep 1
kill -CONT "$switch"
wait "$one" "$two"
check "two that shoot each other, delayed" until_true 10 eval '! is_on n1'
check "... both are off" until_true 10 eval '! is_on n2'
again

# states <n>: what n questions were told
states()
{
	lab exec -t 40 n1 "for i in \$(seq $1); do fence_umf -o status -n n2 >/dev/null; printf %s \$?; done"
}
rule lie op=status prob=50% seed=5
one=$(states 6)
like "prob: some" "$one" '0.*2|2.*0'
rule lie op=status prob=50% seed=5
is "... the same with the same seed" "$(states 6)" "$one"
rule lie op=status prob=0.5
like "... one is drawn, and told" "$(lab fault power list)" ' prob=0.5 seed=[0-9]+ id='
rule lie op=status every=3 after=1
is "every, after" "$(states 7)" 0002002
rule lie op=status for=1h
is "for" "$(states 1)" 2
rule lie op=status for=1ms
is "... over" "$(states 1)" 0
rule lie op=status count=3
states 2 >/dev/null
kill -KILL "$(cut -d ' ' -f 1 "$(lab_live)/power.pid")"
lab restart -q n2
is "count, over another switch" "$(states 2)" 20
rule stuck op=reboot guest=n1
fence n1 "-o off -n n2"
is "guest: not of another" "$status" 0
lab fault power clear
is "clear" "$(lab fault power list)" ""
again
fence n1 "-o status -n n2"
is "... and all is well" "$status: $err" "0: "

for words in "add explode" "add" "add lie fly=1" "add lie guest=n9" "add lie op=eat" "add delay" "add lie time=5s" "add drop prob=2" \
	"add drop count=x" "add drop 5s" "add lie op=list" "add stuck op=status" "fly" "del" ""; do
	# shellcheck disable=SC2086 # words
	run lab fault power $words
	like "refused: $words" "$status: $err" '^2: umf-lab: fault power: [^:]+(:| needs) |^2: umf-lab: fault power: : must'
done
lab fault power add drop name=one >/dev/null
run lab fault power add lie id=one
like "a name that is taken" "$status: $err" '^2: umf-lab: fault power: id=one: a rule of that name is there'
run lab fault power del two
like "a rule that is not there" "$status: $err" '^1: umf-lab: fault power: two: no such rule'
check "del" lab fault power del one
is "... and it is gone" "$(lab fault power list)" ""

like "power.log says which rule" "$(grep liar t.run/power.log)" ' n1: ask [^ ]* off n2: ok n2=off \([0-9.]* s\) \[lie liar\]$'
is "... and so do events" "$(lab events --json | jq -r 'select(.rule == "lie liar") | "\(.source) \(.event) \(.target)"')" "power off n2"
lab down --kill
sed -i "/fencing/d; /n2/d" t.lab
lab up -q
run lab fault power add lie
like "a lab without a power switch" "$status: $err" '^1: umf-lab: .*t.lab: has no power switch: fencing = true gives it one'
lab down --kill
lab_clean n1 n2
done_testing
