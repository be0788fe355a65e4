#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One guest in virtual time: the same seed gives the same run, to the last system call; what ends, ends cleanly.

. "$(dirname "$0")/../lib/clock.sh"

# What a guest can tell of itself: what it drew, what its clocks say, what has happened in it.
tell='od -An -tx1 -N16 /dev/urandom; cd /proc; cat sys/kernel/random/uuid sys/kernel/random/boot_id self/maps; od -An -tx8 self/auxv; '
tell+='date; cat uptime; dd if=/dev/zero of=/dev/null bs=1 count=20000; cat uptime interrupts stat; sleep 100; cat uptime self/stat; date'

# run <run> <seed>
run()
{
	clock_start "$1" 1 --at '50s ./n1 version'
	clock_guest "$1" 1 "$2" -- "$tell"
	clock_wait "$1"
}

start=$SECONDS
check "a guest runs for 100 s" run a 7
check "... and the same again, with the same seed" run b 7
check "... and with another" run c 8
took=$((SECONDS - start))
check "three times 100 s took $took s" test "$took" -lt 100
check "the same seed: the consoles are identical" same a b n1.out
check "... and what happened, with the time" same a b clock.out
check "... and all system calls and page faults" same a b n1.calls
check_fails "another seed: other addresses and other numbers drawn" same a c n1.out
like "many calls were logged" "$(grep -c ' call ' "$WORK/a/n1.calls")" '^[0-9]{5,}$'
check "... and page faults" grep -q ' fault ' "$WORK/a/n1.calls"
check_fails "the host's generator feeds no seeded guest" grep -Eq ' random *$' "$WORK/a/n1.out"

# uptimes: 40000 calls of 1 us each in between, then 100 s
mapfile -t up < <(sed -n 's/^\([0-9]*\.[0-9]*\) [0-9]*\.[0-9]*\r*$/\1/p' "$WORK/a/n1.out")
check "system calls take time: from ${up[0]} to ${up[1]}" \
	awk -v a="${up[0]}" -v b="${up[1]}" 'BEGIN { exit !(b - a >= 0.04 && b - a < 0.1) }'
check "a sleep of 100 s ends after 100 s: at ${up[2]}" \
	awk -v a="${up[1]}" -v b="${up[2]}" 'BEGIN { exit !(b - a >= 100 && b - a < 100.1) }'
like "the date is the calendar's" "$(grep 2027 "$WORK/a/n1.out" | head -n 1)" 'Jan +1 00:00:00 UTC 2027'

# a request comes while it sleeps
like "a request is answered when it comes, and the guest sleeps on" "$(<"$WORK/a/clock.out")" \
	$'^50.000000000 ./n1 > version\n50.000000000 ./n1   Linux [^\n]*\n100\\.'
gone=$(awk '/is gone/ { print $1 }' "$WORK/a/clock.out")
last=$(awk 'END { printf "%.9f", $1 / 1e9 }' "$WORK/a/n1.calls")
check "the calendar knows when it ended: $gone, its last call was at $last" \
	awk -v a="$gone" -v b="$last" 'BEGIN { exit !(a >= b && a - b < 1) }'
check "nothing is left of it" test ! -e "$WORK/a/n1" -a ! -e "$WORK/a/clock"
check "its log is clean" scan_log "$WORK/a/n1.out"

# kills
clock_start k 1 --at '20s ./n1 kill'
clock_guest k 1 7 -- 'sleep 1000'
check "the calendar ends with the guest that it kills" clock_wait k
is "... at its time" "$(<"$WORK/k/clock.out")" "20.000000000 ./n1 is killed"$'\n'"20.000000000 ./n1 is gone"

clock_start e 1 --end 30s
clock_guest e 1 7 -- 'while :; do sleep 1; done'
check "the end comes" clock_wait e
is "... and the guest says why it ends, in one line" "$(grep -A 9 time-travel: "$WORK/e/n1.err")" \
	"time-travel: the calendar is gone, this guest ends"

clock_start g 1 --end 100000000s
clock_guest g 1 7 -- 'while :; do sleep 1; done'
until_true 20 grep -q "Run /init" "$WORK/g/n1.out"
kill -9 "$(clock_guest_pid g 1)"
clock_wait g
is "a guest killed by somebody: the end was not reached" "$?" 1
like "... and that is said" "$(<"$WORK/g/clock.out")" '^[0-9.]+ ./n1 is gone$'

clock_start d 1
clock_guest d 1 7 -- 'while :; do sleep 1; done'
until_true 20 grep -q "Run /init" "$WORK/d/n1.out"
kill -9 "$(clock_pid d)"
until_true 10 test -e "$WORK/d/n1.status"
is "the calendar killed: the guest ends, and says so" "$(cat "$WORK/d/n1.status"):$(grep -A 9 time-travel: "$WORK/d/n1.err")" \
	"1:time-travel: the calendar is gone, this guest ends"
check "... and leaves nothing" test ! -e "$WORK/d/n1"
check "who comes next finds a dead calendar's socket, and takes its place" \
	timeout 5 sh -c 'cd "$1" && "$2" --end 0s clock ./n1 & sleep 1; kill $!' - "$WORK/d" "$clock_tool"

# what cannot be
like "--at for nobody is refused" "$("$clock_tool" --at '1s x kill' s n1 2>&1)" 'there is no guest x'
like "so is a time without a unit" "$("$clock_tool" --at '1 n1 kill' s n1 2>&1)" '1 is no time such as 10s'
like "a seed is a number" "$("$LINUX" random-seed=x 2>&1)" 'random-seed=x: it is to be a number'
done_testing
