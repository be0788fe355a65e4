#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# Images and options that cannot be used are refused in one line that says which file and why; nothing is changed.

. "$(dirname "$0")/../lib/blk.sh"

cd "$WORK" || exit 1
raw_image base 1M 1
raw_image other 1M 2
blk_boot d1
d=$WORK

# header <file> <perl expressions that set %h>…: a COW file of version 3, as they change it
header()
{
	perl -e '
		my %h = (magic => 0x4f4f4f4d, version => 3, mtime => (stat "base")[9], size => 1 << 20, sector => 512,
			 align => 4096, format => 0, path => "'"$d"'/base", total => 12288 + (1 << 20));
		my $file = shift;
		for (@ARGV) { eval; die $@ if $@ }
		open my $f, ">", $file or die;
		print $f pack("NNNQ>NNN", @h{qw(magic version mtime size sector align format)}), $h{path}, "\0" x (4096 - length $h{path});
		truncate $f, $h{total};' "$@"
}

header good
check "a good header is taken" plug d1 umfa="$d/good"
expect_map "and right" d1 umfa 2048 "0 2047 v1"
unplug d1 umfa >/dev/null

while IFS='|' read -r what change want; do
	header bad "$change"
	before=$(md5sum <bad)
	expect_refused "$what" d1 umfa="$d/bad" "bad: .*$want"
	is "... and not touched" "$(md5sum <bad)" "$before"
done <<'E2'
version 1|$h{version} = 1|version 1
version 4|$h{version} = 4|version other than 2 and 3
version 2, which is laid out otherwise|$h{version} = 2|.
a size of 0|$h{size} = 0|disk size
a size beyond 2^60|$h{size} = ~0|disk size
a size that has no bitmap here|$h{size} = 1 << 59|ends inside its bitmap
a sector size of 0|$h{sector} = 0|sector size
a sector size of 511|$h{sector} = 511|sector size
a sector size of 2^31|$h{sector} = 1 << 31|sector size
an alignment of 0|$h{align} = 0|alignment
an alignment of 2^31|$h{align} = 1 << 31|alignment
another COW format|$h{format} = 1|format
no backing file|$h{path} = "\1"|control characters
a name without an end|$h{path} = "x" x 4096|no end
cut inside the header|$h{total} = 100|ends inside its header
cut inside the bitmap|$h{total} = 8200|ends inside its bitmap
E2

header bad
printf '\xff' | dd of=bad bs=1 seek=$((8192 + 255)) conv=notrunc 2>/dev/null
truncate -s $((12288 + 5000)) bad
expect_refused "a bitmap that says more than the file has" d1 umfa="$d/bad" "cut short"
header bad '$h{path} = "'"$d"'/bad"'
expect_refused "its own backing file" d1 umfa="$d/bad" "its own backing file"
check "raw: what begins as a COW file does is read as it is" plug d1 umfa="$d/bad,raw,ro"
is "... its header, too" "$(guest_exec d1 'head -c 4 /dev/umfa')" OOOM
unplug d1 umfa >/dev/null
expect_refused "raw with a backing file" d1 umfa="$d/none,raw,backing=$d/base" "raw: what has a backing file"
expect_refused "a physical block that is none" d1 umfa="$d/base,physical=1000" "'physical=1000' is none of"
header two '$h{path} = "'"$d"'/bad"'
header bad '$h{path} = "'"$d"'/two"'
touch -d "@$(stat -c %Y base)" bad two
expect_refused "a loop of two" d1 umfa="$d/bad" "its own backing file"
header bad '$h{path} = "'"$d"'/gone"'
expect_refused "a missing backing file" d1 umfa="$d/bad" "gone: no such file.*backing="
header bad '$h{size} = 1 << 19'
expect_refused "a backing file of another size" d1 umfa="$d/bad" "base: is not what its delta was made on: 1048576 bytes, not 524288"
header bad '$h{mtime} -= 10'
expect_refused "a backing file that was changed" d1 umfa="$d/bad" "base: was changed after.*touch -d @"
header bad
expect_refused "another backing file than it was made for" d1 umfa="$d/bad,backing=$d/umid" "umid: "
expect_refused "a missing file" d1 umfa="$d/none" "none: No such file"
expect_refused "a missing file with a missing backing file" d1 umfa="$d/none,backing=$d/none2" "none2: No such file"
check_fails "makes nothing" test -e none
: >empty
expect_refused "an empty file" d1 umfa="$d/empty" "empty: is empty"
expect_refused "a folder" d1 umfa="$d" "."
mkfifo fifo
expect_refused "a fifo" d1 umfa="$d/fifo" "neither a regular file nor a block device"
expect_refused "a raw image with backing=" d1 umfa="$d/base,backing=$d/other" "raw image"
expect_refused "no file" d1 umfa= "no file"
expect_refused "an unknown option" d1 umfa="$d/base,fast" "'fast' is none of"
expect_refused "an option's unknown value" d1 umfa="$d/base,logical=1024" "'logical=1024' is none of"
expect_refused "a disk that is no letter" d1 umf1="$d/base" "expected umf<a-z>"
ln base hard
check "an image for writing" plug d1 umfa="$d/base"
expect_refused "twice" d1 umfb="$d/hard" "hard: in use by another.*,shared"
expect_refused "twice, once for reading" d1 umfb="$d/hard,ro" "hard: somebody else has it open for writing"
expect_refused "as a backing file" d1 umfb="$d/new,backing=$d/hard" "hard: somebody else"
check_fails "makes nothing" test -e new
expect_refused "the same disk again" d1 umfa="$d/other" "configured already"
expect_refused "shared, with one that does not share it" d1 umfb="$d/hard,shared" "hard: in use by .* which does not share it"
unplug d1 umfa >/dev/null
check "shared is what it says" plug d1 umfa="$d/base,shared"
check "... with others" plug d1 umfb="$d/hard,shared"
expect_refused "an exclusive one beside them" d1 umfc="$d/hard" "hard: in use by another"
like "... and umf-cow" "$("$BIN/umf-cow" snapshot base base.s1 2>&1)" "base: .*in use"
check "... and can be unplugged at once" unplug d1 umfb
unplug d1 umfa >/dev/null
expect_refused "a shared COW file" d1 umfa="$d/new,backing=$d/base,shared" "a COW file has one writer; share a raw image"
rm -f new
is "as can one plugged in the same moment" \
	"$("$LIB/mconsole-raw" "$(guest_mconsole d1)" ":config umfa=$d/base" ':remove umfa' | cut -d ' ' -f 1 | tr '\n' ' ')" "0 0 "
check "read-only twice" plug d1 umfa="$d/base,ro"
check "... is fine" plug d1 umfb="$d/base,ro"
check "and so is a delta on it" plug d1 umfc="$d/new,backing=$d/base"
expect_refused "but a writer is not" d1 umfd="$d/base" "in use"
is "afterwards all reads as before" "$(probe d1 show umfc 0 2048 | joined)" "0 2047 v1"
done_testing
