#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab gdb --hold-others: while a debugger has a guest the others stand still, and go on however it ends.

. "$(dirname "$0")/../lib/lab.sh"

command -v gdb >/dev/null || skip_all "there is no gdb"
cat >t.lab <<E
memory = $GUEST_MEM
guest n[1-3] {}
E
run lab -q up
is "up: status" "$status: $err" "0: "
lab freeze n3

states()
{
	lab status --json | jq -r '.[1:][].state' | xargs
}

states_are()
{
	[ "$(states)" = "$1" ]
}

# hold <gdb's command>: a debugger on n1, in the background, in $pid; it is there
hold()
{
	rm -f inside
	# what it does is seen by a file: without it gdb would have read the symbols only
	"$umf_lab" -f "$LAB" gdb --hold-others n1 -batch -ex 'shell : >inside' -ex "$1" >gdb.out 2>&1 &
	pid=$!
	until_true 60 test -e inside
}

# ended: it ends by itself, at last
ended()
{
	{ wait $pid; } 2>/dev/null
	until_true 10 states_are "ready frozen"
}

# ---- while it has the guest ----

mkfifo go
hold 'shell read -r go <go'
is "a debugger has n1: the others stand still" "$(states)" "frozen frozen"
run lab gdb n2 --hold-others -batch
like "... another one holds nobody" "$status: $err" "^1: umf-lab: n2: .*\$"
echo >go
check "it has ended: who stood still because of it goes on, who did before does not" ended
check "... and answers" lab exec -t 20 n2 true
is "... events say so" "$(lab events --no-kernel n2 | grep -oE '(frozen|thawed) by .*' | xargs)" "frozen by gdb thawed by gdb"
check_fails "... no note is left" test -e "$(lab_live)/held"
run lab gdb n1 -batch -ex 'shell true'
is "without the option nobody is held" "$(states)" "ready frozen"

# ---- what ends it ----

for signal in INT TERM KILL; do
	hold continue
	is "n1 goes on under a debugger: the others do not" "$(states)" "frozen frozen"
	kill -$signal $pid
	check "... SIG$signal: they do" ended
	check "... n1 too" lab exec -t 20 n1 true
done

hold continue
keeper=$(sed -n '1s/ .*//p' "$(lab_live)/held")
kill -KILL "$keeper"
kill -TERM $pid
{ wait $pid; } 2>/dev/null
is "the keeper is killed: they stay so" "$(states)" "frozen frozen"
run lab snapshot none	# there is no disk
check "... until the next verb that changes something" states_are "ready frozen"

# ---- what is not possible ----

run lab status --hold-others
is "another verb" "$status: $err" "2: umf-lab: --hold-others: status has no such option"
mkdir none
run env PATH="$WORK/none" "$umf_lab" -f "$LAB" gdb --hold-others n1
is "no gdb: status" "$status" 1
check "... nobody stays held" until_true 10 states_are "ready frozen"
lab kill n1
run lab gdb --hold-others n1
is "the guest does not run" "$status: $err" "125: umf-lab: n1: does not run"
is "... nobody is held" "$(states)" "ready frozen"
lab down --kill
lab_clean n1 n2 n3
done_testing
