#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# A line without pacing looks for an answer before the guest sleeps: no byte is missed, whenever it comes; a byte in time
# needs no interrupt; a guest that waits for none sleeps, and one that shares its processor with the other is not slower.

. "$(dirname "$0")/../lib/tty.sh"

command -v uml_mconsole >/dev/null || skip_all "there is no uml_mconsole; package uml-utilities"
fast=link,$WORK/fast,pace=off
tty_boot t1 "ttyS0=$fast"
tty_boot t2 "ttyS0=$fast"
guest_wait_ready t1 && guest_wait_ready t2 || exit 1

interrupts()
{
	guest_exec "$1" "sed -n 's/^ *[0-9]*: *\\([0-9]*\\) .* ttyS0\$/\\1/p' /proc/interrupts"
}

# exchange <n> [us] [line]: n bytes there and back, both guests hesitate up to us before each; $pinged is what came of it
exchange()
{
	local line=${3:-ttyS0}

	behind t2 "$line" raw 4000000 hesitate "${2:-0}" ready echo 20000
	probe t1 "$line" raw 4000000 hesitate "${2:-0}" ping "$1" 5000
	pinged=$out
	finish t2 "$line"
}

# milliseconds of the host's processors that this guest has had
used()
{
	awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%d", ($12 + $13) * 1000 / hz }' "/proc/$(guest_pid "$1")/stat"
}

for us in 400 40; do
	exchange 10000 $us
	like "10000 answers that come within $us us" "$pinged" "^ping us min="
done

# Others that have the other guest's processor make its answers late.
quick()
{
	local before

	before=$(interrupts t1)
	exchange 200
	[ $(($(interrupts t1) - before)) -lt 150 ]
}
check "an answer that comes at once needs no interrupt" until_true 60 quick

for umid in t1 t2; do
	before=$(used $umid)
	sleep 1
	check "$umid waits for nothing, and sleeps ($(($(used $umid) - before)) ms)" test $(($(used $umid) - before)) -lt 200
done

# ---- the end of one that looks ----

behind t2 ttyS0 raw 4000000 ready echo 20000
behind t1 ttyS0 raw 4000000 ready ping 1000000 20000
check "a line can be unplugged in the middle" timeout 20 uml_mconsole "$(guest_mconsole t1)" 'remove ttyS0'
outcome t1 ttyS0
like "... and plugged in" "$(mconsole t1 "config ttyS0=$fast")" "OK"
finish t2 ttyS0
exchange 100
like "... and bytes move" "$pinged" "^ping us min="
behind t2 ttyS0 raw 4000000 ready echo 20000
behind t1 ttyS0 raw 4000000 ready ping 1000000 20000
guest_kill9 t2
quit t1 ttyS0
lines_are "the other end is killed: no carrier" t1 ttyS0 "lines rts dtr"
guest_stop t1

# ---- both on one processor: neither has an answer while the other one looks ----

cpu=${guest_cpus[0]}
guest_cpus=("$cpu")
# shellcheck disable=SC2034 # of guest.sh
guest_next_cpu=0
for umid in t1 t2; do
	tty_boot $umid "ttyS0=$fast" "ttyS1=link,$WORK/paced"
done
guest_wait_ready t1 && guest_wait_ready t2 || exit 1
exchange 1000 0 ttyS1
paced=$(sed -n 's/.*min=\([0-9]*\).*/\1/p' <<<"$pinged")
exchange 1000
took=$(sed -n 's/.*min=\([0-9]*\).*/\1/p' <<<"$pinged")
# one that looked in vain would take 200 us longer, at either end
check "both guests on one processor: $took us, where one that never looks takes $paced us" \
	test "${took:-9999}" -lt $((${paced:-0} + 50))
guest_stop t1
guest_stop t2

# ---- virtual time, in which none passes while a guest looks ----

tty_boot t1 time-travel=inf-cpu "ttyS0=$fast" "ttyS1=$fast"
guest_wait_ready t1 || exit 1
# Its clock runs on while nothing is to be done: all in one command.
pinged=$(guest_exec t1 '/t/ttyprobe /dev/ttyS1 raw 4000000 echo 100000000 & usleep 1000
	/t/ttyprobe /dev/ttyS0 raw 4000000 ping 100 20000; kill -USR1 $!')
like "time-travel mode" "$pinged" "^ping us min="
done_testing
