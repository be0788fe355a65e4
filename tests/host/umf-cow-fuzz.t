#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# host only
# umf-cow on headers that nobody would write: no crash under the address sanitizer, and one line.

. "$(dirname "$0")/../lib/blk.sh"

cow=$BIN/umf-cow
[ -x "$cow" ] || skip_all "there is no $cow; make tools"
cd "$WORK" || exit 1

raw_image new 12k 7
raw_image base 4M 1
cp base before
source=$TOP/tools
if "${CC:-gcc}" -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -std=gnu11 -D_GNU_SOURCE -I/usr/include/fuse3 \
	-I"$TOP/drivers" -include "$source/kernel/kernel.h" -idirafter "$TOP/build/tools/kernel" -o asan \
	"$source"/umf-cow/*.c "$source"/lib/{message,units,xalloc}.c \
	"$TOP"/drivers/blk/{cow,image,io_user,file_user}.c -lfuse3 -ljansson -lpthread 2>/dev/null; then
	"$blkprobe" write before 10 100 2
	"$cow" convert -f -O cow -b base before seed3
	old_delta seed2 2 512
	mkdir fuzz
	perl -e '
		srand 7;
		my $n = 0;
		for my $seed (qw(seed2 seed3)) {
			open my $f, "<", $seed or die;
			read $f, my $text, 20000;
			for (1 .. 300) {
				my $bad = $text;
				for (0 .. rand 4) {
					my $at = rand() < 0.7 ? rand 32 : rand() < 0.5 ? 4100 + rand 40 : rand length $bad;
					substr($bad, $at, 1) = rand() < 0.5 ? chr rand 256 : substr($bad, $at, 1) ^ chr 1 << rand 8;
				}
				$bad = substr $bad, 0, rand length $bad if rand() < 0.3;
				open my $o, ">", "fuzz/" . $n++ or die;
				print $o $bad;
				truncate $o, 5 << 20 if rand() < 0.3;
			}
		}'
	ASAN_OPTIONS=detect_leaks=0 ./asan check fuzz/* >fuzz.out 2>fuzz.err
	is "600 of them: check says what it has found" "$? $(head -n 3 fuzz.err)" "3 "
	check "... of each" test "$(grep -c '^fuzz/[0-9]*: ' fuzz.out)" -ge 500
	for verb in "convert -f" "merge" "clone -f" "rollback" "snapshot"; do
		bad=
		for i in $(seq 0 25 599); do
			cp --sparse=always "fuzz/$i" x
			rm -f y
			# shellcheck disable=SC2086 # words
			ASAN_OPTIONS=detect_leaks=0 ./asan -q $verb x y >out 2>&1
			status=$?
			[ $status -le 1 ] && [ "$(wc -l <out)" -le 1 ] || bad+="fuzz/$i: status $status $(head -n 4 out)"$'\n'
		done
		is "... $verb: one line, no crash" "$bad" ""
	done
else
	skip "umf-cow under the address sanitizer" "gcc cannot build that here"
fi
done_testing
