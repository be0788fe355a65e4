# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For tests of the disk: guest.sh, and blkprobe and blkmodel (tests/selftests/), which are in /blk in the guest and in
# $blk_dir here.
#
#   blk_boot <umid> [kernel argument…]    boots a guest, until it is ready; else ends the test
#                                         BLK_ENGINE=uring|threads in the environment goes to each disk that names none
#   probe <umid> <verb> umf<x> <args>…    blkprobe in the guest, on that disk
#   expect_map <description> <umid> umf<x> <sectors> <wanted>
#                                         what the sectors from 0 on hold: "<first> <last> <what>" joined by ", "
#   map_of <file> <sectors> [offset]      the same of a file of the host, printed
#   fault <umid> <verb>…                  mconsole-fault; what it says, on stderr too
#   mc <umid> <request>                   any mconsole request; its reply, status 1 if it was refused
#   plug <umid> umf<x>=<…>, unplug <umid> umf<x>
#   expect_refused <description> <umid> umf<x>=<…> <wanted, extended regex>
#   raw_image <file> <size> [version]     a new file, of that version if one is given
#   old_delta <file> <version> <unit>     a delta in that version of UML's COW format, of sectors of so many bytes, on the file
#                                         before; it has the file new in its bytes 0 to 4095 and 8192 to 12287
#   blk_boot_host <umid> [argument…]      blk_boot, with the host's programs: /host is its root, for host_exec
#   host_exec <umid> <command>            runs it in there; what it writes outside of the guest's own /dev, /tmp, /run is
#                                         the host's

# shellcheck source=guest.sh
declare -F guest_start >/dev/null || . "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

blk_dir=$TOP/build/tests/blk
blkprobe=$blk_dir/blkprobe

blk_build()
{
	local name source

	mkdir -p "$blk_dir" || return
	(
		flock 9
		for name in blkprobe blkmodel; do
			source=$TOP/tests/selftests/$name.c
			[ "$blk_dir/$name" -nt "$source" ] ||
				"${CC:-gcc}" -O2 -Wall -static -o "$blk_dir/$name" "$source" || exit
		done
	) 9>"$blk_dir/.lock"
}
[ -x "$BIN/mconsole-fault" ] || skip_all "there is no $BIN/mconsole-fault; make tools"
blk_build || skip_all "blkprobe cannot be built here; it needs gcc and a static libc"

with_engine()
{
	if [[ -n ${BLK_ENGINE:-} && $1 =~ ^umf[a-z]= && $1 != *,engine=* ]]; then
		echo "$1,engine=$BLK_ENGINE"
	else
		echo "$1"
	fi
}

blk_boot()
{
	local umid=$1 word words=()
	shift

	for word in "$@"; do
		words+=("$(with_engine "$word")")
	done

	guest_start "$umid" share="$blk_dir:/blk" umf="seed 2004" "${words[@]}"
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
	mc "$1" config "$(with_engine "$2")"
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

old_delta()
{
	perl -e '
		my ($file, $version, $unit) = @ARGV;
		my ($mtime, $size, $path) = ((stat "before")[9], 4 << 20, pack "a4096", "'"$WORK"'/before");
		my $len = $size / $unit / 8;
		my $head = $version == 2 ? pack("NNa*NQ>N", 0x4f4f4f4d, 2, $path, $mtime, $size, $unit) :
			pack("NNNQ>NNNa*", 0x4f4f4f4d, 3, $mtime, $size, $unit, 4096, 0, $path);
		my $map = $version == 2 ? length $head : 8192;
		my $to = $version == 2 ? $unit : 4096;
		my $data = $to * int(($map + $len + $to - 1) / $to);
		open my $in, "<", "new" or die;
		read $in, my $new, 12288;
		open my $out, ">", $file or die;
		for ([0, $head], [$map, $unit == 4096 ? "\5" : "\377\0\377"], [$data, substr $new, 0, 4096],
		     [$data + 8192, substr $new, 8192]) {
			seek $out, $$_[0], 0;
			print $out $$_[1];
		}
		truncate $out, $data + $size' "$@"
}

raw_image()
{
	rm -f "$1"
	truncate -s "$2" "$1"
	[ -z "${3:-}" ] || "$blkprobe" write "$1" 0 $(($(stat -c %s "$1") / 512)) "$3" 2048
}

blk_boot_host()
{
	blk_boot "$@" share=/:/host
	guest_exec "$1" 'cd /host && mount -t devtmpfs none dev && mount -t proc none proc && mount -t sysfs none sys &&
		mount -t tmpfs none run && mount -t tmpfs none tmp' || exit 1
}

host_exec()
{
	guest_exec -t 120 "$1" "PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot /host sh -c '$2'"
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
