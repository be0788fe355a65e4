#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
# Random operations from four processes at once on a raw image, deltas of every kind and a chain of them, compared with a
# plain file that has the same done to it: in the guest, and of the files on the host. BLK_MODEL_SEED (drawn), BLK_MODEL_OPS
# (1200 on each disk).

. "$(dirname "$0")/../lib/blk.sh"

seed=${BLK_MODEL_SEED:-$RANDOM} ops=${BLK_MODEL_OPS:-1200}
diag "BLK_MODEL_SEED=$seed"
cd "$WORK" || exit 1
mkdir m

# header <file> <version, or wide> <bytes of a sector> <file it counts on>: a delta without content; with a fifth argument,
# with that of a delta of version 3
header()
{
	perl -e '
		my ($file, $version, $unit, $below, $from) = @ARGV;
		my ($size, $mtime) = (stat $below)[7, 9];
		my $path = pack "a4096", "'"$WORK"'/$below";
		if (open my $b, "<", $below) {
			read $b, my $head, 20;
			$size = unpack "Q>", substr $head, 12, 8 if substr($head, 0, 8) eq pack "NN", 0x4f4f4f4d, 3;
		}
		my $n = int(($size + $unit - 1) / $unit);
		my $len = $version eq 2 ? $n >> 3 : $n + 7 >> 3;
		my $head = $version eq 2 ? pack("NNa*NQ>N", 0x4f4f4f4d, 2, $path, $mtime, $size, $unit) :
			$version eq "wide" ? pack("NNNx4Q>NNNa*x4", 0x4f4f4f4d, 3, $mtime, $size, $unit, 4096, 0, $path) :
			pack("NNNQ>NNNa*", 0x4f4f4f4d, 3, $mtime, $size, $unit, 4096, 0, $path);
		my $map = $version eq 2 ? length $head : 8192;
		my $to = $version eq 2 ? $unit : 4096;
		my $data = $to * int(($map + $len + $to - 1) / $to);
		open my $out, ">", $file or die;
		print $out $head;
		if ($from) {
			open my $in, "<", $from or die;
			my $at = 4096 * int((8192 + ($n + 7 >> 3) + 4095) / 4096);
			seek $in, 8192, 0;
			read $in, my $bits, $len;
			seek $out, $map, 0;
			print $out $bits;
			# what follows is no bit
			print $out "\377" x ($data - $map - $len);
			seek $in, $at, 0;
			seek $out, $data, 0;
			print $out $bits while read $in, $bits, 1 << 20;
		}
		truncate $out, $data + $size' "$@"
}

round=0
# model <description> <disk and options> <model of what lies below> <model>
model()
{
	local out

	round=$((round + 1))
	if ! out=$(plug d1 umfa="$WORK/$2"); then
		not_ok "$1" "$out"
		return
	fi
	like "$1" "$(guest_exec -t 120 d1 "/blk/blkmodel /dev/umfa ${3/#[^-]*//w/$3} /w/$4 $((seed + round)) $ops 4 2>&1")" "^[0-9]+ operations"
	unplug d1 umfa >/dev/null
	# no operation: it is only read
	plug d1 umfa="$WORK/$2,ro" >/dev/null
	is "... and after it was plugged again" "$(guest_exec -t 120 d1 "/blk/blkmodel /dev/umfa - /w/$4 1 0 1 2>&1")" "0 operations"
	unplug d1 umfa >/dev/null
}

# the content of that image on the host
host_same()
{
	"$BIN/umf-cow" convert -f "$2" flat
	check "$1: the tool says the same" cmp flat "$3"
}

# no multiple of eight sectors: the last byte of a bitmap is used in part
truncate -s $((8190 * 512)) base
blk_boot d1 mem=128M share="$WORK/m:/w"
model "a raw image" base - raw
check "... the file is the model" cmp base m/raw
model "a delta" "d1,backing=$WORK/base" raw d1
host_same "..." d1 m/d1
if uml_moo -b base d1 moo >/dev/null 2>&1; then
	check "... uml_moo, too" cmp moo m/d1
else
	skip "... uml_moo, too" "there is no uml_moo (uml-utilities)"
fi

# version 2 has no bits for the last six sectors
header v2 2 512 base d1
{ head -c $((8184 * 512)) m/d1 && tail -c $((6 * 512)) m/raw; } >m/v2
plug d1 umfa="$WORK/v2,ro" >/dev/null
is "version 2, read" "$(guest_exec d1 "/blk/blkmodel /dev/umfa - /w/v2 $seed 400 4 r 2>&1")" "400 operations"
unplug d1 umfa >/dev/null
host_same "version 2" v2 m/v2
header wide wide 512 base d1
plug d1 umfa="$WORK/wide,ro" >/dev/null
is "version 3 as it was until 2005, read" "$(guest_exec d1 "/blk/blkmodel /dev/umfa - /w/d1 $seed 400 4 r 2>&1")" "400 operations"
unplug d1 umfa >/dev/null
model "... and written" wide raw d1

model "a delta on version 2" "d2,backing=$WORK/v2" v2 d2
model "order=strict, on that" "d3,backing=$WORK/d2,order=strict" d2 d3
model "cache=volatile, on that" "d4,backing=$WORK/d3,cache=volatile:64k" d3 d4
model "a chain of five, again" d4 d3 d4
host_same "... of the files" d4 m/d4

truncate -s 4M base4
"$blkprobe" write base4 0 8192 1
cp base4 m/raw4
header unit4096 3 4096 base4
model "sectors of 4096 bytes" unit4096 raw4 unit4096
host_same "..." unit4096 m/unit4096
model "blocks of 4096 bytes on sectors of 512" "blocks,backing=$WORK/base4,logical=4096" raw4 blocks
model "a delta of sectors of 512 on one of 4096" "mixed,backing=$WORK/unit4096" unit4096 mixed
host_same "..." mixed m/mixed

# ---- would it be seen? ----

# One process and a seed that is known: the write that is lost is always the same, and is read before it is written again.
plug d1 umfa="$WORK/blocks" >/dev/null
fault d1 add umfa lost op=write count=1 after=20 >/dev/null
like "a write that is lost is found" "$(guest_exec -t 120 d1 "/blk/blkmodel /dev/umfa /w/raw4 /w/blocks 1 400 1 2>&1")" "differs"
done_testing
