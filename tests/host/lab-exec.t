#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab exec, when what it has begun does not end as it should: the guest boots again, the shell that runs it is killed,
# an earlier command left something in the background. And exec -i: what the command reads.

. "$(dirname "$0")/../lib/lab.sh"

cat >t.lab <<E
memory = $GUEST_MEM
guest n1 {}
# hostfs shows it nothing
guest n2 { append = "hostfs=/nothing" }
E

# timed <seconds> <command…>: as run, but status 124 when it takes longer
timed()
{
	local seconds=$1
	shift
	run timeout "$seconds" "$umf_lab" -f "$LAB" --kernel "$LINUX" "$@"
}

state()
{
	lab status --json | jq -r '.[0].state'
}

is_state()
{
	[ "$(state)" = "$1" ]
}

run lab up
is "up: status" "$status: $err" "0: "

# ---- words ----

timed 60 exec n1 -- echo hi
is "-- ends the options: a command" "$status: $out$err" "0: hi"
timed 60 exec n1 -- 'echo one; exit 7'
is "... a line of the shell" "$status: $out$err" "7: one"
timed 60 exec n1 --
is "... and no more" "$status: $err" "2: umf-lab: exec: a command is missing"

# ---- the shell is gone ----

timed 60 exec n1 'echo out; echo err >&2; kill -9 $$'
is "a command that kills its shell: status, output, errors" "$status: $out: $err" "137: out: err"
timed 60 exec n1 'echo begun; pkill -f printf; sleep 0.1; echo ended'
is "what runs it has no words of its own to be killed for" "$status: $out" "0: begun"$'\n'ended
timed 60 exec n1 'sh -c "sleep 1; kill -9 \$PPID" & echo waits; wait; sleep 1000'
is "a command whose shell is killed by another process: status, output" "$status: $out" "137: waits"
timed 60 exec n1 'echo still here'
is "the agent is there still" "$status: $out" "0: still here"

# ---- the background ----

relays=$(lab exec n1 'ps | grep -c "[ ]cat$"')

timed 60 exec n1 '(while :; do echo noise; echo noise >&2; usleep 20000; done) & echo $! >/tmp/noisy; echo started'
like "a command that leaves something in the background: its output" "$status: $out" '^0: .*started'
timed 60 exec n1 'sleep 0.5; echo answer; echo error >&2'
is "... the next one has its own" "$status: $out: $err" "0: answer: error"
timed 60 exec n1 'kill -0 $(cat /tmp/noisy) && echo runs'
is "... and it runs on" "$status: $out: $err" "0: runs: "
timeout 60 "$umf_lab" -f "$LAB" --kernel "$LINUX" exec n1 'cat /dev/zero & echo $! >/tmp/flood; sleep 0.2' >/dev/null
is "a flood of it: status" $? 0
timed 60 exec n1 'of() { cut -d " " -f 14,15 /proc/$(cat /tmp/flood)/stat; }; n=$(of); sleep 1; [ "$n" != "$(of)" ] && echo on'
is "... waits for no reader" "$status: $out: $err" "0: on: "
lab exec n1 'kill $(cat /tmp/noisy /tmp/flood)'
lab exec n1 true
is "... what threw it away ends with it" "$(lab exec n1 'sleep 0.5; ps | grep -c "[ ]cat$"')" "$relays"
lab exec n1 'head -c 300000 /dev/urandom >/tmp/noise; md5sum </tmp/noise' >sum
lab exec n1 'cat /tmp/noise' >noise
is "output is what it is, byte for byte" "$(md5sum <noise)" "$(<sum)"

# ---- input ----

# input <command>: exec -i in n1, as run
input()
{
	timed 60 exec -i n1 "$@"
}

# what a killed tool or command may leave: mounts and FIFOs of the guest, folders of the host
left()
{
	lab exec n1 'grep hostfs /proc/mounts; ls /run | grep umf'
	find "$(lab_live)/guest" -name 'input.*'
}

input 'cat; echo "$0 $#"; exit 7' <<<"from the host"
is "-i: the command reads what comes here, has its status" "$status: $out$err" $'7: from the host\nsh 0'
timed 60 exec n1 cat <<<"from the host"
is "without it, it reads nothing" "$status: $out$err" "0: "
input -- tr '[:lower:] ' '[:upper:]_' <<<"a b"
is "several words stay words" "$status: $out$err" "0: A_B"
input 'wc -c' </dev/null
is "no input: it sees the end" "$status: $out$err" "0: 0"
head -c 20000000 /dev/urandom >random
printf '\001status 1\n\000\r\n\004\003\377' >>random
input md5sum <random
is "20 MB of any bytes" "$status: $out" "0: $(md5sum <random | cut -c -32)  -"
timed 60 exec -i n1 md5sum < <(head -c 2000001 random; sleep 0.3; tail -c +2000002 random)
is "... from a pipe that pauses" "$status: $out" "0: $(md5sum <random | cut -c -32)  -"
input 'head -c 3 | od -An -tx1; echo no more >&2; exit 5' <random
is "a command that ends early ends it" "$status: $out: $err" "5:  $(od -An -tx1 -N3 random | cut -c 2-): no more"
timed 60 exec -i n1 'echo did not wait' < <(exec sleep 20)
is "... while there is no end of input" "$status: $out$err" "0: did not wait"
input 'kill -9 $$' <random
is "... by killing its shell" "$status: $out$err" "137: "
mkfifo steps
"$umf_lab" -f "$LAB" --kernel "$LINUX" exec -i n1 'while read -r step; do echo "did $step"; done' <steps >stepped &
pid=$!
exec 5>steps
echo one >&5
check "what comes is there before the end comes" until_true 20 grep -q 'did one' stepped
kill -TERM $pid
status=0
wait $pid || status=$?
exec 5>&-
is "SIGTERM: status" "$status" 143
is "... nothing is left of any of them" "$(left)" ""
"$umf_lab" -f "$LAB" --kernel "$LINUX" exec -i n1 'cat >/tmp/cat' <random &
pid=$!
until_true 20 lab exec n1 'test -s /tmp/cat'
kill -KILL $pid
{ wait $pid; } 2>/dev/null
input cat <<<anew
is "after kill -9 the next one has its own input" "$status: $out" "0: anew"
is "... and nothing is left" "$(left)" ""
timed 60 exec -i n2 'echo runs' <<<"input"
like "a guest that can take no input: the command is not run" "$status: $out$err" '^126: .*umf-lab: n2: takes no input'
run sh -c 'exec "$@" <&-' sh "$umf_lab" -f "$LAB" exec -i n1 cat
is "no standard input" "$status: $err" "2: umf-lab: exec -i: there is no standard input"
run lab exec -i n1,n1 cat </dev/null
like "a list" "$status: $err" "^2: umf-lab: n1: named twice"
run lab exec -i all cat </dev/null
is "all" "$status: $err" "2: umf-lab: exec -i: all: input goes to one guest"
run lab -i status </dev/null
is "another verb" "$status: $err" "2: umf-lab: -i: status takes no input"

# ---- the guest boots again, in place ----

process=$(lab status --json | jq '.[0].pid')
timeout 200 "$umf_lab" -f "$LAB" --kernel "$LINUX" exec n1 'echo begun; sleep 1000' >begun 2>ended &
pid=$!
until_true 30 grep -q begun begun
lab fault n1 add node reboot >/dev/null
check "a guest that boots again is not ready" until_true 30 is_state booting
status=0
wait $pid || status=$?
is "... what ran there has ended: status" "$status: $(<begun)" "125: begun"
is "... is said" "$(<ended)" "umf-lab: n1: has booted again meanwhile"
timed 120 wait n1
is "... wait is until it is ready" "$status: $(state)" "0: ready"
is "... the same process" "$(lab status --json | jq '.[0].pid')" "$process"
timed 60 exec n1 'echo anew'
is "... and takes commands" "$status: $out" "0: anew"
lab fault n1 add node reboot >/dev/null
until_true 30 is_state booting
check "without anybody who waits, status learns that it is ready" until_true 120 is_state ready
lab down
lab_clean n1
done_testing
