#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
#
# mconsole-fault run: a timeline over two guests, what it shows, how it fails and how it is ended.

. "$(dirname "$0")/../lib/guest.sh"

tool=$BIN/mconsole-fault
[ -x "$tool" ] || skip_all "there is no $tool; make tools"
export HOME=$WORK
cd "$WORK" || exit 1

for n in 1 2; do
	guest_start "n$n" eth0=switch,"$WORK/seg" ip=eth0:10.0.0.$n/24
done
guest_wait_ready n1
guest_wait_ready n2

# run <option…>: the file is standard input, output in $out, standard error in $err, status in $status
run()
{
	status=0
	cat >t
	out=$("$tool" "$@" run t 2>err) || status=$?
	err=$(<err)
}

# time_of <mark> <regex>: when the first such line was, in ms
time_of()
{
	sed -nE "s/^ *([0-9]+)\.([0-9]{3})[0-9]* +[^ ]+ +[$1] $2.*/\1\2/p" <<<"$out" | head -n 1 | sed 's/^0*\(.\)/\1/'
}

between()
{
	[ -n "$1" ] && [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

# ---- the whole of it ----

guest_exec n2 'ping -i 0.1 10.0.0.1 >/dev/null 2>&1 & echo $! >/tmp/ping'
run -w log --console "n1=$(guest_log n1)" <<'E2'
# three pings are lost, and a console speaks
n1,n2	seed 7
	n1 add eth0 drop dir=rx match='icmp and icmp[icmptype] == icmp-echo' count=3 id=loss

n1 wait loss fired==3 --timeout 20s
+300ms
n1 expect loss 'fired==3'
! echo from the host; echo "and more"
4s n1,n2 list
end n1,n2 clear
E2
is "a timeline: status" "$status" 0
is "... and nothing on standard error" "$err" ""
like "... a rule's id is shown" "$out" " n1 += loss"
is "... each firing is an event" "$(grep -cE '^ *[0-9.]+ n1 +\* eth0 loss drop [0-9]+ rx 98 bytes .*0x0800$' <<<"$out")" 3
like "... wait comes true" "$out" 'n1 +> wait loss fired==3'
like "... the host's command is shown" "$out" $'host \\| from the host\n.* host \\| and more'
check "... +300ms is 300 ms after what was before it" between $(($(time_of '>' 'expect') - $(time_of '=' 'true'))) 299 6000
check "... 4s is 4 s after the beginning ($(time_of '>' 'list') ms)" between "$(time_of '>' 'list')" 4000 20000
like "... at the end is what was to be" "$out" 'n1,n2 > clear$'
is "... no rule is left" "$("$tool" n1,n2 stats)" ""
is "... lines are in the order of their times" "$(awk '{ print $1 }' <<<"$out" | sort -n | md5sum)" \
	"$(awk '{ print $1 }' <<<"$out" | md5sum)"
is "-w has the same lines as JSON" "$(jq -r '.text' log | wc -l)" "$(wc -l <<<"$out")"
is "... events with their fields" "$(jq -r 'select(.kind == "event") | .rule + .action' log | sort -u)" lossdrop
is "... and the conditions" "$(jq -r 'select(.conditions and .verb == "expect") | .conditions[0].seen' log)" 3
# by the ping's clock: what is lost at 100 ms is apart so, whoever tells
times=$(jq -r 'select(.kind == "event") | .time_ns' log)
check "... at the times they had" between $((($(tail -n 1 <<<"$times") - $(head -n 1 <<<"$times")) / 1000000)) 1 20000
wait_ms=$(jq -r 'select(.kind == "reply" and .verb == "wait") | .time_ns' log)
check "... before wait saw them" test "$(tail -n 1 <<<"$times")" -lt "$wait_ms"

# ---- JSON, a console, another boot ----

run --json --console "n1=$(guest_log n1)" <<E2
! $tool n1 add eth0 drop dir=rx count=1 id=first
n1 wait first fired==1 --timeout 20s
n1 clear
+500ms n1 stats
end n1 clear
E2
is "--json: status" "$status" 0
is "... a line is an object" "$(jq -rs 'map(.kind) | unique | join(" ")' <<<"$out")" "command event output reply"

# ---- what fails ----

run <<'E2'
n1 add eth0 drop count=1 match='udp port 7' id=never
n1 expect never 'fired>=1'
n2 add eth0 down
end n1 clear
E2
is "an expect that is not true: status" "$status" 4
like "... says where" "$err" '^t:2: failed; what stands behind it was not done$'
like "... and what was seen" "$out" 'n1 +! never fired>=1: saw .*fired=0'
is "... nothing behind it is done" "$("$tool" n2 list | grep -c down)" 0
is "... but for the end" "$("$tool" n1 list | grep -c add)" 0

run <<'E2'
n1 wait r9 fired>=1
E2
is "a rule that is not there: status" "$status" 1
run <<'E2'
gone list
E2
is "a guest that is not there: status" "$status" 3
like "... is named" "$out" 'gone +! .*running: n1 n2'
run <<'E2'
! echo said; exit 7
E2
is "a command that fails: status" "$status" 1
like "... is told" "$out" $'\\| said\n.*! status 7'
run <<'E2'
n1 wait never fired>=1 --timeout 300ms
E2
is "no such rule any more" "$status" 1
run <<'E2'
n1 add eth0 drop match='udp port 7' id=never
n1 wait never fired>=1 --timeout 300ms
end n1 clear
E2
is "a wait that does not come true: status" "$status" 4

while IFS='|' read -r line want; do
	printf 'n1 add eth0 down\n%s\n' "$line" >t
	status=0
	err=$("$tool" run t 2>&1) || status=$?
	like "refused: $line" "$status: $err" "^2: t:2: $want"
done <<'E2'
+3x n1 list|\+3x: must be a time
n1|n1: a verb is missing
n1 fly|fly: no such verb
n1 add eth0 drop match='nonsense ('|match=
n1 expect r1|expect r1: a condition must follow
n1 wait r1 fired>=1 --timeout soon|--timeout soon: must be a time
!|!: a command is missing
end|end: a guest or ! is missing
n1 add 'eth0|a quote is not closed
E2
is "and nothing of it was done" "$("$tool" n1 stats)" ""
for args in "run gone" "run t list" "--console n1 run t" "--text run t" "-w - run t" "--console n1=/nonexistent/x run t"; do
	status=0
	# shellcheck disable=SC2086 # words
	err=$("$tool" $args 2>&1) || status=$?
	like "refused: $args" "$status: $(wc -l <<<"$err")" '^[23]: 1$'
done
printf '' >t
check_fails "an empty file is refused" "$tool" run t

# ---- Ctrl-C ----

cat >t <<'E2'
n1 add eth0 drop match='udp port 7' id=left
! sh -c 'echo $$ >sleeper; exec sleep 1000'; echo never
n2 add eth0 down
end n1 clear
end ! echo the end
E2
"$tool" run t >out 2>err &
pid=$!
until_true 10 test -s sleeper
kill -TERM $pid
status=0
wait $pid || status=$?
is "ended by a signal: status" "$status" 143
like "... the end is done" "$(<out)" 'the end'
# A zombie is gone: who should wait for it is not the run.
gone()
{
	! grep -qs "^State:[[:space:]]*[^ZX]" "/proc/$(<sleeper)/status"
}
check "... its command is gone" until_true 10 gone
is "... no rule is left" "$("$tool" n1,n2 stats)" ""

# ---- a guest that is frozen, and one that comes again ----

cat >t <<'E2'
n1,n2 seed 7
n1 add eth0 drop dir=rx every=2 id=f
! kill -STOP $PID
+1500ms ! kill -CONT $PID
+500ms n1 stats
end n1 clear
E2
status=0
out=$(PID=$(guest_pid n2) "$tool" run t 2>&1) || status=$?
is "a frozen guest does not hold up the others: status" "$status" 0
check "... $(time_of '>' 'stats') ms" between "$(time_of '>' 'stats')" 2000 10000

guest_stop n2
guest_start n2 eth0=switch,"$WORK/seg" ip=eth0:10.0.0.2/24
guest_wait_ready n2
boot()
{
	guest_stop n2 >/dev/null
	guest_start n2 eth0=switch,"$WORK/seg" ip=eth0:10.0.0.2/24 umf="add eth0 drop dir=tx every=1 id=boot"
	guest_wait_ready n2
	guest_exec n2 'echo spoken >/dev/kmsg; ping -c 3 -i 0.2 -W 1 10.0.0.1' >/dev/null
}
"$tool" n2 add eth0 drop dir=tx count=2 id=before >/dev/null
guest_exec n2 'ping -c 2 -i 0.1 -W 1 10.0.0.1' >/dev/null
until_true 10 "$tool" n2 expect before 'fired==2' 2>/dev/null
printf 'n2 stats\n! until test -e go; do sleep 0.05; done\n' >t
"$tool" --console "n2=$(guest_log n2)" run t >out 2>err &
pid=$!
until_true 10 grep -q ' before ' out
boot
"$tool" --json n2 events | jq -r '.[] | "* \(.device) \(.rule) \(.action) \(.index) "' >had
: >go
status=0
wait $pid || status=$?
is "a guest that boots again: status" "$status" 0
is "... what it did before the run is not shown" "$(grep -c ' before drop ' out)" 0
first=$(head -n 1 had)
like "... its events are, from the first one on (${first% })" "$(<out)" "n2 +[*] ${first#\* }"
is "... all that it had by then" "$(while IFS= read -r event; do grep -qF "$event" out || echo "$event"; done <had)" ""
is "... each once" "$(grep 'n2 .*[*] eth0 boot drop' out | awk '{ print $7 }' | sort | uniq -d | wc -l)" 0
like "... and what its console says" "$(<out)" 'n2 +# \[ .*\] spoken'

# ---- a guest that hangs, for longer than an answer may take ----

run <<'E2'
n1 add node hang for=6s id=h
n1 wait h fired>=1 --timeout 60s
n1 stats
end n1 clear
E2
is "a guest that hangs: status" "$status" 0
like "... wait goes on until it answers" "$out" 'n1 +> wait h .*n1 += true'
like "... when it began is shown" "$out" 'n1 +\* node h hang '
done_testing
