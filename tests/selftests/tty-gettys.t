#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# Two gettys that take each other for a terminal neither keep a guest busy nor cost it memory, and mconsole answers.
# It measures processor time, of which virtual time knows nothing.

# The programs and their libraries are copied into the guest's memory.
[ "${FLAVOR:-default}" = debug ] || : "${GUEST_MEM:=192M}"
. "$(dirname "$0")/../lib/tty.sh"

command -v uml_mconsole >/dev/null || skip_all "there is no uml_mconsole; package uml-utilities"
tty_programs agetty
tty_boot t1 "ttyS0=$CABLE" "ttyS1=link,$WORK/fast"
tty_boot t2 "ttyS0=$CABLE" "ttyS1=link,$WORK/fast"
guest_wait_ready t1 && guest_wait_ready t2 || exit 1

# milliseconds of the host's processors that this guest has had
used()
{
	awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%d", ($12 + $13) * 1000 / hz }' "/proc/$(guest_pid "$1")/stat"
}

for umid in t1 t2; do
	tty_install $umid
	guest_exec $umid '(while :; do agetty -L ttyS0 9600 vt100; usleep 100000; done) >/dev/null 2>&1 &
		(while :; do getty -L 115200 ttyS1 vt100; usleep 100000; done) >/dev/null 2>&1 &'
done

# bytes of t1's that have moved, on both lines
moved()
{
	guest_exec t1 'cat /proc/tty/driver/umf-tty' | sed -n 's/.* tx:\([0-9]*\) rx:\([0-9]*\).*/\1 \2/p' | awk '{ n += $1 + $2 } END { print n }'
}

talk()
{
	[ "$(moved)" -gt 1000 ]
}

available()
{
	guest_exec "$1" "sed -n 's/^MemAvailable: *\\([0-9]*\\) .*/\\1/p' /proc/meminfo"
}

# One pair may get stuck, each with a word that has no end.
check "gettys talk to each other" until_true 20 talk
before=$(moved)
declare -A first=() cpu=()
for umid in t1 t2; do
	first[$umid]=$(available $umid)
	cpu[$umid]=$(used $umid)
done
at=$(date +%s%N)
for _ in 1 2 3 4 5; do
	sleep 1
	like "... and mconsole answers" "$(timeout 5 uml_mconsole "$(guest_mconsole t1)" version 2>&1)" "OK Linux t1"
done
took=$((($(date +%s%N) - at) / 1000000))
for umid in t1 t2; do
	ms=$(($(used $umid) - cpu[$umid]))
	check "$umid is not busy with that ($ms of $took ms)" test $ms -lt $((took / 2))
	kb=$((first[$umid] - $(available $umid)))
	check "... nor does it take memory ($kb kB)" test $kb -lt 1024
done
check "... and have not ceased to talk" test $(($(moved) - before)) -gt 1000
done_testing
