# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For tests of the disk: guest.sh, and blkprobe (tests/selftests/blkprobe.c), which is /blk/blkprobe in the guest and
# $blkprobe here.
#
#   blk_boot <umid> [kernel argument…]    boots a guest, until it is ready; else ends the test
#   probe <umid> <verb> umf<x> <args>…    blkprobe in the guest, on that disk
#   expect_map <description> <umid> umf<x> <sectors> <wanted>
#                                         what the sectors from 0 on hold: "<first> <last> <what>" joined by ", "
#   map_of <file> <sectors> [offset]      the same of a file of the host, printed
#   fault <umid> <verb>…                  mconsole-fault; what it says, on stderr too
#   mc <umid> <request>                   any mconsole request; its reply, status 1 if it was refused
#   plug <umid> umf<x>=<…>, unplug <umid> umf<x>
#   expect_refused <description> <umid> umf<x>=<…> <wanted, extended regex>
#   raw_image <file> <size> [version]     a new file, of that version if one is given

# shellcheck source=guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

blk_dir=$TOP/build/tests/blk
blk_source=$TOP/tests/selftests/blkprobe.c
blkprobe=$blk_dir/blkprobe

blk_build_probe()
{
	mkdir -p "$blk_dir" || return
	(
		flock 9
		[ "$blkprobe" -nt "$blk_source" ] || "${CC:-gcc}" -O2 -Wall -static -o "$blkprobe" "$blk_source"
	) 9>"$blk_dir/.lock"
}
[ -x "$BIN/mconsole-fault" ] || skip_all "there is no $BIN/mconsole-fault; make tools"
blk_build_probe || skip_all "blkprobe cannot be built here; it needs gcc and a static libc"

blk_boot()
{
	local umid=$1
	shift

	guest_start "$umid" share="$blk_dir:/blk" umf="seed 2004" "$@"
	guest_wait_ready "$umid" || exit 1
}

probe()
{
	local umid=$1 verb=$2 disk=$3
	shift 3
	guest_exec "$umid" "/blk/blkprobe $verb /dev/$disk $*"
}

joined()
{
	sed -e ':a' -e 'N' -e '$!ba' -e 's/\n/, /g'
}

expect_map()
{
	is "$1" "$(probe "$2" show "$3" 0 "$4" | joined)" "$5"
}

map_of()
{
	"$blkprobe" show "$1" 0 "$2" "${3:-0}" | joined
}

fault()
{
	"$BIN/mconsole-fault" "$@"
}

mc()
{
	local umid=$1 reply
	shift

	reply=$("$LIB/mconsole-raw" "$(guest_mconsole "$umid")" ":$*")
	echo "${reply#* }"
	[ "${reply%% *}" = 0 ]
}

plug()
{
	mc "$1" config "$2"
}

unplug()
{
	mc "$1" remove "$2"
}

expect_refused()
{
	local reply

	if reply=$(plug "$2" "$3"); then
		not_ok "$1" "$3 was taken: $reply"
		unplug "$2" "${3%%=*}" >/dev/null
	else
		like "$1" "$reply" "$4"
	fi
}

raw_image()
{
	rm -f "$1"
	truncate -s "$2" "$1"
	[ -z "${3:-}" ] || "$blkprobe" write "$1" 0 $(($(stat -c %s "$1") / 512)) "$3" 2048
}

# rule <umid> <action>… : adds a rule on umfa, its name is r unless id= is given; else ends the test
rule()
{
	local umid=$1 id=(id=r)
	shift

	[[ " $* " != *" id="* ]] || id=()
	fault "$umid" add umfa "$@" "${id[@]}" >/dev/null || exit 1
}

stat_of()
{
	fault "$1" stats "$2" | sed -n "s/.* $3=\([^ ]*\).*/\1/p"
}

# The `what` of each record of a rule, joined.
events_of()
{
	fault "$1" events | grep -F " rule=$2 " | sed 's/.*what="\([^"]*\)".*/\1/' | joined
}
