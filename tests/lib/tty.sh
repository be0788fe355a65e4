# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For tests of the serial line: guest.sh, and guests whose ttyS0 ends are joined by the link $WORK/cable, seed 2004.
# ttyprobe and ttybeat (tests/selftests/ttyprobe.c and ttybeat.c say what they can do) are in the guest's /t.
#
#   tty_boot <guest> [kernel argument…]   boots it with ttyS0=$CABLE unless an argument says ttyS0=; does not wait
#   tty_start <guest>…                    boots these, until they are ready; else ends the test
#   tty_programs <program>…               these of the host are for the guests, else skips all; before they are booted
#   tty_install <guest>                   puts them into it, with their libraries
#   probe <guest> <line> <command>…       ttyprobe on that line; its output is $out, too
#   behind <guest> <line> <command>…      the same in the background. With a command `ready` among them it returns when
#                                         that is done and the next one waits for something; then
#   nudge <guest> <line>                  nothing more will be sent: ends its sleep or echo, or its waiting for bytes
#   outcome <guest> <line>                waits for its end; $out is what it said
#   finish <guest> <line>                 nudge and outcome
#   quit <guest> <line>                   kills it, and waits for its end
#   lines_are <description> <guest> <line> <lines>   the line's `lines` are or become so, else not ok
#   config_says <guest> <line> <regex>    mconsole's `config <line>` says that; for until_true
#   said <guest> <line> <regex>           it has said that by now, a line of its own; for until_true
#   says <description> <regex>            a check of $out
#   value <name>                          the number in name=<number> or name <number>, the last such one, of $out
#   fault <guest> <verb>…                 mconsole-fault
#   rule <guest> <line> <action>…         adds a rule, named r unless id= is given; else ends the test
#   stat_of <guest> <rule> <counter>      one value of `stats`
#   mconsole <guest> <request>            one mconsole request; what it answers

# shellcheck source=guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

tty_tool=$BIN/mconsole-fault
tty_dir=$TOP/build/tests/tty
CABLE=link,$WORK/cable

tty_build_probe()
{
	mkdir -p "$tty_dir" || return
	(
		flock 9
		for name in ttyprobe ttybeat; do
			[ "$tty_dir/$name" -nt "$TOP/tests/selftests/$name.c" ] ||
				"${CC:-gcc}" -O2 -Wall -static -o "$tty_dir/$name" "$TOP/tests/selftests/$name.c" || exit
		done
	) 9>"$tty_dir/.lock"
}
[ -x "$tty_tool" ] || skip_all "there is no $tty_tool; make tools"
tty_build_probe || skip_all "the serial programs cannot be built here; it needs gcc and a static libc"

tty_programs()
{
	local program

	tty_root=$tty_dir/$(IFS=-; echo "$*")
	(
		flock 9
		for program; do
			"$TOP/rootfs/add-program" "$tty_root" "$program" || exit
		done
	) 9>"$tty_dir/.lock" || skip_all "there is no $*"
}

tty_install()
{
	guest_exec "$1" "cp -a /t/${tty_root##*/}/. /"
}

tty_boot()
{
	local umid=$1 cable=("ttyS0=$CABLE")
	shift

	[[ " $*" != *" ttyS0="* ]] || cable=()
	guest_start "$umid" "${cable[@]}" share="$tty_dir:/t" umf="seed 2004" "$@"
}

tty_start()
{
	local umid

	for umid; do
		tty_boot "$umid"
	done
	for umid; do
		guest_wait_ready "$umid" || exit 1
	done
}

probe()
{
	local umid=$1 line=$2 word words=
	shift 2

	for word; do
		words+=" '$word'"
	done
	out=$(guest_exec -t 120 "$umid" "/t/ttyprobe /dev/$line$words")
}

behind()
{
	local umid=$1 line=$2 word words="" wait=""
	shift 2

	for word; do
		words+=" '$word'"
		[ "$word" != ready ] || wait=yes
	done
	guest_exec "$umid" "cd /tmp; rm -f $line.done $line.ready $line.pid
		(/t/ttyprobe /dev/$line$words >$line.out 2>&1 & echo \$! >$line.pid; wait \$!; echo \$? >$line.done) >/dev/null 2>&1 &
		[ '$wait' ] || exit
		while [ ! -e $line.done ]; do
			[ -e $line.ready ] && read -r _ _ state _ 2>/dev/null </proc/\$(cat $line.pid 2>/dev/null)/stat && [ \$state = S ] && exit
			usleep 2000
		done"
}

nudge()
{
	guest_exec "$1" "[ -e /tmp/$2.done ] || kill -USR1 \$(cat /tmp/$2.pid) 2>/dev/null"
}

outcome()
{
	out=$(guest_exec -t 120 "$1" "while [ ! -e /tmp/$2.done ]; do usleep 5000; done; cat /tmp/$2.out")
}

finish()
{
	nudge "$1" "$2"
	outcome "$1" "$2"
}

quit()
{
	guest_exec "$1" "[ -e /tmp/$2.done ] || kill \$(cat /tmp/$2.pid) 2>/dev/null"
	outcome "$1" "$2"
}

tty_lines()
{
	probe "$1" "$2" lines
	[ "$out" = "$3" ]
}

lines_are()
{
	until_true 10 tty_lines "$2" "$3" "$4"
	probe "$2" "$3" lines
	is "$1" "$out" "$4"
}

said()
{
	guest_exec "$1" "grep -Eqx '$3' /tmp/$2.out"
}

says()
{
	like "$1" "$out" "$2"
}

value()
{
	sed -n "s/.*\\b$1[= ]\\([0-9]*\\).*/\\1/p" <<<"$out" | tail -n 1
}

fault()
{
	"$tty_tool" "$@"
}

rule()
{
	local umid=$1 line=$2 id=(id=r)
	shift 2

	[[ " $* " != *" id="* ]] || id=()
	fault "$umid" add "$line" "$@" "${id[@]}" >/dev/null || exit 1
}

stat_of()
{
	fault "$1" stats "$2" | sed -n "s/.* $3=\([^ ]*\).*/\1/p"
}

mconsole()
{
	uml_mconsole "$(guest_mconsole "$1")" "$2" 2>&1
}

config_says()
{
	[[ $(mconsole "$1" "config $2") =~ $3 ]]
}
