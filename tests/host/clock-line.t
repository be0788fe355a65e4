#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A serial line in virtual time: its speed is the line's, the same run again to the last byte, its end is seen at once.

. "$(dirname "$0")/../lib/clock.sh"

# n1 says eight lines at 9600 baud and n2 gives each back; at 15 s n1 is killed.
# shellcheck disable=SC2016 # the guests' shells are to expand them
say='stty -F /dev/ttyS0 9600 raw -echo; cat /dev/ttyS0 & i=0; while [ $i -lt 8 ]; do sleep 1; read -r up x </proc/uptime; echo "$up: one line of a little more than fifty characters, $i" >/dev/ttyS0; i=$((i + 1)); done; sleep 100'
# shellcheck disable=SC2016
echo='stty -F /dev/ttyS0 9600 raw -echo -clocal; while read -r line; do read -r up x </proc/uptime; echo "$up got $line"; echo "back: $line" >/dev/ttyS0; done </dev/ttyS0; read -r up x </proc/uptime; echo "$up hung up"'

# run <run>
run()
{
	clock_start "$1" 2 --at '15s ./n1 kill'
	clock_guest "$1" 1 1 ttyS0=link,./line umf="capture ttyS0 line.pcapng" -- "$say"
	clock_guest "$1" 2 2 ttyS0=link,./line -- "$echo"
	clock_wait "$1"
}

(while :; do :; done) & load=$!
check "two guests on a line" run a
check "... and again" run b
kill "$load"
is "all lines came" "$(grep -c '^[0-9.]* got ' "$WORK/a/n2.out")" 8
is "... and came back" "$(grep -c '^back: ' "$WORK/a/n1.out")" 8
for file in n1.out n2.out line.pcapng n1.calls n2.calls clock.out; do
	check "both times the same: $file" same a b "$file"
done
# about 58 characters of 10 bits each at 9600 baud are 60 ms; uptime has hundredths
took=$(awk '/^[0-9.]+ got / { sub(":", "", $3); printf "%d\n", ($1 - $3) * 1000 + 0.5 }' "$WORK/a/n2.out" | sort -n | sed -n '1p;$p' | paste -sd -)
like "a line takes as long as its characters: $took ms" "$took" '^[6-9]0-[6-9]0$'
like "the end of the other guest is seen when it comes" "$(grep '^[0-9.]* hung up' "$WORK/a/n2.out")" '^15\.0[0-9] hung up'
for run in a b; do
	check "the logs of $run are clean" scan_log "$WORK/$run/n1.out"
	check "... of both" scan_log "$WORK/$run/n2.out"
done
done_testing
