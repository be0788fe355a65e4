# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Whole-cluster tests (tests/labs/*.t) of the labs in configs/labs. Sources lab.sh; the test sets nothing, its
# name is the lab's.
#
#   $labs                         the folder of these tests
#   needs_pace <µs> <who>         the test ends here, and says why, if a system call of a guest takes longer than that: daemons
#                                 that make thousands a second never rest then, and are late with their answers
#   lab_begin                     the lab is up and set up, or the test ends here; a negative run calls it again after
#   lab_end                       `down`, and one check per guest that its log is clean
#   on <guest> <command>          umf-lab exec, with a time limit of 60 s
#   within <seconds> <description> <command>…
#                                 a check: until_true; says how long it took
#   timeline <description> <<END  lines of a timeline (mconsole-fault run) for guests of the lab: a check that it went
#                                 through, every wait and expect in it included; its log is <lab>.timeline
#   lab_asks=<command>            what it says in each guest is kept with the logs of a failure, as <guest>.asked
#
# setup_edit <sed script>: the lab is copied and its setup script changed: what a negative run takes away.

lab_name=$(basename "$0" .t)
labs=$(cd "$(dirname "${BASH_SOURCE[0]}")/../labs" && pwd)	# lab.sh goes elsewhere

# shellcheck source=tests/lib/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"

LAB=$WORK/$lab_name.lab
cp "$labs/../../configs/labs/$lab_name".* "$WORK/"

# guest_cpu <command>…: the CPU time of a guest that runs it, in microseconds: what else the machine does is not in it
guest_cpu()
{
	local TIMEFORMAT='%U %S'

	{ time "$BIN/umf-run" --kernel "$LINUX" "$@" >/dev/null 2>&1; } 2>&1 | awk '{ printf "%d\n", ($1 + $2) * 1000000 }'
}

needs_pace()
{
	local calls=40000 took

	guest_cpu true >/dev/null	# the first one has to read it all
	took=$((($(guest_cpu dd if=/dev/zero of=/dev/null bs=1 count=$((calls / 2))) - $(guest_cpu true)) / calls))
	[ "$took" -le "$1" ] || skip_all "$2: a system call of a guest takes $took us on this machine, and is to take $1 at most"
	diag "a system call of a guest takes $took us"
}

lab_begin()
{
	lab_failures=$tap_failed
	# a machine on which this takes long is slow, not wrong
	lab up --fresh -t 600 >"$WORK/up.log" 2>&1 && ok "the lab is up" && return
	not_ok "the lab is up" "$(<"$WORK/up.log")"
	lab_keep
	done_testing
	exit 1
}

# lab_keep: what explains the first failure of a lab, while the guests are there: their consoles, journals, the power
# switch's log, and what they say to $lab_asks
lab_keep()
{
	local keep=$guest_kept guest

	[ "$lab_failures" -ge 0 ] || return 0	# has been called for this lab
	lab_failures=-1
	mkdir -p "$keep"
	cp "${LAB%.lab}".run/*.log "$WORK"/*.timeline "$keep/" 2>/dev/null
	for guest in $(guests); do
		[ -z "${lab_asks:-}" ] || lab exec -t 20 "$guest" "$lab_asks" >"$keep/$guest.asked" 2>&1
		lab exec -t 20 "$guest" journalctl -b --no-pager -o short-precise >"$keep/$guest.journal" 2>/dev/null
	done
	diag "kept: build/tests/${keep#"$TOP/build/tests/"}"
}

guests()
{
	lab status --json | jq -r '.[].guest'
}

lab_end()
{
	[ "$tap_failed" -eq "$lab_failures" ] || lab_keep
	lab down -t 5 >/dev/null 2>&1
	# shellcheck disable=SC2046 # names of guests
	lab_clean $(guests)
}

on()
{
	lab exec -t 60 "$@"
}

within()
{
	local seconds=$1 what=$2 begin=$EPOCHREALTIME

	shift 2
	if until_true "$seconds" "$@"; then
		ok "$what"
		diag "$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "after %.1f s", b - a }')"
	else
		not_ok "$what" "not within $seconds s: $*"
		lab_keep
		return 1
	fi
}

timeline()
{
	local file=$WORK/$lab_name.timeline

	cat >"$file.in"
	if lab fault run "$file.in" >"$file" 2>&1; then
		ok "$1"
	else
		not_ok "$1" "$(tail -n 20 "$file")"
		lab_keep
		return 1
	fi
}

setup_edit()
{
	local file=$WORK/$lab_name.setup

	sed -E -i.before "$1" "$file"
	if cmp -s "$file" "$file.before"; then
		not_ok "there is something to take away" "no line of $file is as $1 expects"
		return 1
	fi
}
