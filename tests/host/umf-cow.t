#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# umf-cow: every verb against uml_mkcow, uml_moo and qemu-img, against what a guest sees, on bad input, stopped and killed.

. "$(dirname "$0")/../lib/blk.sh"

cow=$BIN/umf-cow
[ -x "$cow" ] || skip_all "there is no $cow; make tools"
cd "$WORK" || exit 1

# same <description> <image>: a raw copy of its content is as the file `want`
same()
{
	rm -f got
	"$cow" convert "$2" got
	check "$1" cmp got want
}

refused()
{
	local description=$1 want=$2 out
	shift 2
	if out=$("$cow" "$@" 2>&1); then
		not_ok "$description" "umf-cow $* was done"
	elif [ "$(wc -l <<<"$out")" -ne 1 ]; then
		not_ok "$description" "more than a line:" "$out"
	else
		like "$description" "$out" "$want"
	fi
}

blocks()
{
	stat -c %b "$1"
}

raw_image base 4M 1
# sectors 4000 to 5999 are a hole
fallocate -p -o $((4000 * 512)) -l $((2000 * 512)) base
touch -d @1000000000 base
sum=$(md5sum <base)

# ---- create, info ----

check "create: a delta" "$cow" create d1 -b base
uml_mkcow mk "$WORK/base" >/dev/null 2>&1
is "... is what uml_mkcow makes" "$(head -c 12288 d1 | md5sum) $(stat -c %s d1)" "$(head -c 12288 mk | md5sum) $(stat -c %s mk)"
check "create: a raw image" "$cow" create -s 9T huge
is "... of its size" "$(stat -c %s huge)" $((9 << 40))
refused "create: a file that is there" "^umf-cow: d1: is there already" create d1 -b base
refused "create: on nothing" "^umf-cow: gone: No such file" create d2 -b gone
check_fails "... makes nothing" test -e d2
mkdir -p sub
check "create --relative" "$cow" create sub/rel -b base --relative
is "... names it from its folder on" "$("$cow" info --json sub/rel | jq -r '.[0].files[0].backing')" ../base
is "info --json" "$("$cow" info --json d1 | jq -c '.[0].files[] | [.type, .size, .held, .in_use]')" \
	$'["COW v3",4194304,0,"no"]\n["raw",4194304,null,"no"]'

# ---- the guest's view, both ways ----

blk_boot g1 umfa="$WORK/d1"
probe g1 write umfa 3 5 2 1
probe g1 write umfa 100 3000 3 77
probe g1 zero umfa 200 100
probe g1 discard umfa 300 100
probe g1 write umfa 8191 1 4
probe g1 sync umfa
map="0 2 v1, 3 7 v2, 8 99 v1, 100 199 v3, 200 299 zero, 300 399 v1, 400 3099 v3, 3100 3999 v1, 4000 5999 zero, 6000 8190 v1, 8191 8191 v4"
expect_map "a guest writes" g1 umfa 8192 "$map"
refused "an image that a guest writes is not merged" "d1: in use by a guest" merge d1
refused "... nor read" "d1: somebody else has it open for writing" convert d1 got
refused "... nor replaced: create -f" "d1: in use by a guest" create -f d1 -b base
refused "... clone -f" "d1: in use by a guest" clone -f base d1
refused "... convert -f" "d1: in use by a guest" convert -f base d1
refused "... convert -f to a delta" "d1: in use by a guest" convert -f -O cow -b base base d1
refused "... nor is its backing file replaced" "base: in use by" snapshot base base.snap
is "info says so" "$("$cow" info --json d1 | jq -r '.[0].files[].in_use' | joined)" "written, read"
check "check works" "$cow" check d1
guest_exec g1 "dd if=/dev/umfa of=/tmp/image bs=1M 2>/dev/null; mkdir -p /w; mount -t hostfs -o $WORK none /w && cp /tmp/image /w/want"
guest_stop g1
is "the guest's copy" "$(map_of want 8192)" "$map"
same "convert: the same as the guest saw" d1
check "... and sparse" test "$(blocks got)" -le "$(blocks base)"
uml_moo -b base d1 moo >/dev/null 2>&1
check "... as uml_moo makes of it" cmp got moo
if command -v qemu-img >/dev/null; then
	check "convert: to qcow2" "$cow" convert -O qcow2 d1 q
	check "... qemu-img finds it the same" qemu-img compare -q q want
	check "convert: from qcow2, as a delta" "$cow" convert -O cow -b base q dq
	same "... is the same" dq
	check "... and as small" test "$(blocks dq)" -le "$(blocks d1)"
	rm -f q dq
else
	skip "convert: qcow2" "there is no qemu-img (qemu-utils)"
fi
check "convert: the difference to another image" "$cow" convert -O cow -b base want diff
is "... holds what differs" "$("$cow" info --json diff | jq '.[0].files[0].held')" 2906
same "... is the same" diff

# ---- snapshot, rollback, clone ----

cp want before
check "snapshot" "$cow" snapshot -q d1 s1
check "... again" "$cow" snapshot -q d1 s2
same "changes nothing" d1
blk_boot g2 umfa="$WORK/d1"
expect_map "a guest sees the same" g2 umfa 8192 "$map"
probe g2 write umfa 0 1000 9
probe g2 discard umfa 500 100
guest_stop g2
check_fails "and writes" eval "\"$cow\" convert -f d1 got && cmp got before"
check "clone" "$cow" clone s2 c1 c2 c3 c4
check "... costs next to nothing" test $(($(blocks c1) + $(blocks c2) + $(blocks c3) + $(blocks c4))) -lt 200
same "... is the snapshot" c3
check "clone --copy" "$cow" clone --copy d1 sub/copy
check "... has its own content" eval "\"$cow\" convert -f sub/copy a && \"$cow\" convert -f d1 b && cmp a b"
check "rollback" "$cow" rollback -q d1
same "... is bit for bit what it was" d1
check "rollback to a file further down" "$cow" rollback -q d1 s1
same "... is that" d1
refused "rollback to a file that is not below" "mk: is not below d1" rollback d1 mk
is "the backing file was never written" "$(md5sum <base)" "$sum"

# ---- merge ----

"$cow" snapshot -q d1 s3
"$cow" mount d1 sub 2>/dev/null && fusermount3 -u sub
check "merge: all into a raw file" "$cow" merge d1 all
check "... is the same" cmp all want
check "merge: the 3 topmost of 4 into a delta" "$cow" merge -n 3 d1 three
same "... is the same" three
is "... on the lowest" "$("$cow" info --json three | jq -r '.[0].files[].type' | joined)" "COW v3, raw"
check "merge: a file between into the one below it" "$cow" merge -q s1
same "... d1 above it is the same" d1
check "merge --in-place" "$cow" clone --copy base base2
touch -r base base2
check "..." eval "\"$cow\" create e1 -b base2 && \"$cow\" create e2 -b base2 && \"$cow\" create e3 -b e1"
"$cow" convert -f -O cow -b base2 before e1
"$cow" create -f e3 -b e1
cp --sparse=always e1 e3.keep
check "... a delta with content" "$cow" merge -q --in-place e1
check "... the backing file has it" cmp base2 <("$cow" convert e1 got.$$ && cat got.$$)
refused "... and another delta on it is refused" "base2: was changed after" convert e2 got
touch -d @1000000000 base2
touch e3.merge
cp --sparse=always e3.keep e1
touch e1.merge
like "a merge that was cut off: check" "$("$cow" check e1)" "a merge was cut off; umf-cow merge e1 goes on"
refused "... nothing else is: rollback" "e1: a merge was cut off; umf-cow merge e1 goes on" rollback e1
refused "... snapshot" "e1: a merge was cut off" snapshot e1 e1.s
refused "... clone" "e1: a merge was cut off" clone e1 e1.c
refused "... a delta on it" "e1: a merge was cut off" create e1.d -b e1
refused "... convert to a delta" "e1: a merge was cut off" convert -O cow e1 e1.c
check "... is done again" "$cow" merge -q --in-place e1
check_fails "... with no trace" test -e e1.merge
rm -f e3.merge got.*
refused "merge of a raw image" "base: is a raw image" merge base

# ---- version 2, and other units ----

raw_image new 12k 7
for v in "2 512" "2 4096" "3 4096"; do
	read -r version unit <<<"$v"
	old_delta old "$version" "$unit"
	"$cow" convert -f old got
	is "version $version, sectors of $unit: read" "$(map_of got 40)" "0 7 v7, 8 15 v1, 16 23 v7, 24 39 v1"
	check "... made version 3" "$cow" convert -f -O cow old new3
	is "... the same" "$("$cow" info --json new3 | jq -c '.[0].files[0] | [.type, .held]'; "$cow" convert -f new3 got2; cmp got got2)" '["COW v3",16]'
	check "... merged down" eval "\"$cow\" clone -f --copy before below && touch -r before below && \"$cow\" merge -q -b below old"
	check "... the same" cmp below got
done
old_delta old 2 512
check "a delta on version 2" "$cow" create -f -b old over
refused "into which it is not merged" "old: is of version 2, which is only read" merge over
rm -f old over new3

# ---- mount ----

mkdir mnt
: >point
if "$cow" mount d1 mnt 2>/dev/null; then
	check "mount: the disk is a file" cmp mnt/disk want
	check_fails "... that cannot be written" dd if=/dev/zero of=mnt/disk bs=512 count=1 conv=notrunc
	fusermount3 -u mnt
	rm -f d5
	"$cow" create -b s2 d5
	check "mount -w, on a file" "$cow" mount -w d5 point
	refused "... is locked" "d5: in use by" merge d5
	cp want mirror
	# pieces that begin and end within sectors
	for i in $(seq 12); do
		at=$((i * 7919 * 13 % 4000000)) len=$((i * 977 % 5000 + 1))
		head -c "$len" /dev/urandom >piece
		for file in point mirror; do
			dd if=piece of=$file bs=1 seek=$at conv=notrunc 2>/dev/null
		done
	done
	for file in point mirror; do
		fallocate -p -o 1000001 -l 300000 "$file"
		"$blkprobe" write "$file" 2000 700 6 33
	done
	check "... reads as it was written" cmp point mirror
	check "... sync" sync point
	fusermount3 -u point
	until_true 10 eval "\"$cow\" info --json d5 | jq -e '.[0].files[0].in_use == \"no\"'"
	rm -f got
	"$cow" convert d5 got
	check "... and so does the image" cmp got mirror
	check "... which is sound" "$cow" check d5
	mkfs.ext4 -q -F mirror 2>/dev/null
	"$cow" convert -f -O cow -b s2 mirror d5
	"$cow" mount -w d5 mnt
	debugfs -w -R "write $TOP/COPYING kept" mnt/disk >/dev/null 2>&1
	e2fsck -fp mnt/disk >/dev/null 2>&1
	fusermount3 -u mnt
	until_true 10 eval "\"$cow\" info --json d5 | jq -e '.[0].files[0].in_use == \"no\"'"
	"$cow" convert -f d5 got
	check "a file system that was repaired through it" e2fsck -fn got
	is "... has what was put in" "$(debugfs -R 'cat kept' got 2>/dev/null | md5sum)" "$(md5sum <"$TOP/COPYING")"
else
	skip "mount" "FUSE does not work here"
fi
refused "mount on nothing" "gone: No such file" mount d1 gone

# ---- check finds, explains and mends ----

cp --sparse=always d1 bad
poke()
{
	printf '%b' "$2" | dd of=bad bs=1 seek="$1" conv=notrunc 2>/dev/null
}
says()
{
	local out status
	out=$("$cow" check -q bad)
	status=$?
	[ $status -eq 3 ] || out="status $status: $out"
	like "check: $1" "$out" "$2"
}
poke 12 '\0\0\0\0\0\077\376\0'
says "a size that is not the backing file's, and bits behind it" "bad: its bitmap has|is not what .* was made on: 4194304 bytes, not 4193792"
cp --sparse=always d1 bad
poke 8 '\0\0\0\0'
says "a backing file that was changed" "s3: was changed after bad was made on it; if only in time: touch -d @0$"
cp --sparse=always d1 bad
poke 32 "$WORK/bad\\0"
says "a loop" "bad: is its own backing file, 1 files up"
poke 32 "$WORK/gone\\0"
says "a missing backing file" "gone: No such file"
truncate -s 100 bad
says "an end in the header" "bad: it ends inside its header"
"$cow" create -f -b s2 bad
poke 8200 '\377'
truncate -s $((12288 + 30000)) bad
says "an end before what the bitmap says" "bad: is cut short at sector 58: of 8 sectors behind, .* the content is lost"
poke 8200 '\0'
dd if=/dev/urandom of=bad bs=4096 seek=4 count=2 conv=notrunc 2>/dev/null
like "check: notes are no problems" "$("$cow" check bad; echo "status $?")" "shorter than its disk.*8192 bytes that no bit.*status 0"
check "check --repair" "$cow" check -q --repair bad
is "... and again" "$("$cow" check bad)" "bad: is sound"
"$cow" create -q -b s2 mid
"$cow" create -q -b mid top
dd if=/dev/urandom of=mid bs=4096 seek=4 count=2 conv=notrunc 2>/dev/null
touch -d '2020-01-01 00:00:00.5' mid
"$cow" create -q -f -b mid top
like "check --repair of a file in the middle" "$("$cow" check --repair top)" "mid: repaired: .*top: is sound"
is "... what is above still counts on it" "$("$cow" check top)" "top: is sound"

# ---- stopped, killed, full ----

"$cow" create -q -b huge hugecow
raw_image big 96M
"$blkprobe" write big 0 $((96 * 2048)) 1 2048
# a host on which each write takes a while
"${CC:-gcc}" -shared -fPIC -O2 -o slow.so -x c - <<'E2' -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t at)
{
	ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");

	usleep(20000);
	return real(fd, buf, len, at);
}
E2
before=$(find . -type f | sort)
for signal in INT TERM KILL; do
	rm -f progress
	# what the shell runs in the background ignores SIGINT
	LD_PRELOAD=$WORK/slow.so env --default-signal=INT "$cow" --progress convert big big2 2>progress &
	pid=$!
	until_true 20 grep -q '%' progress
	kill "-$signal" "$pid"
	wait "$pid" 2>/dev/null
	is "stopped by $signal" $? $((128 + $(kill -l "$signal")))
	is "... nothing is left" "$(find . -type f | sort)" "$(printf '%s\n' "$before" ./progress | sort)"
done
like "progress" "$(tr '\r' '\n' <progress | tail -n 1)" "umf-cow: copy [0-9]+ % of 96.0 MiB"
if mkdir -p small && mount -t tmpfs -o size=1m none small 2>/dev/null; then
	refused "a full host" "/small: cannot be written \(No space" convert want small/x
	is "... nothing is left" "$(ls small)" ""
	umount small
else
	skip "a full host" "no tmpfs can be mounted here"
fi
rm -f big big2
check "a delta of 9 TiB is converted in no time" timeout 100 "$cow" convert hugecow huge2
check "... and checked" timeout 100 "$cow" check hugecow
rm -f huge*

# ---- words ----

refused "no verb" "which verb" --quiet
refused "an unknown verb" "squash: no such verb" squash d1
refused "an option of another verb" "^umf-cow: --repair does not go with info" info --repair d1
refused "a size" "^umf-cow: --size 12q: must be" create -s 12q x
refused "a format" "^umf-cow: --format vdi: must be raw, cow or qcow2" convert -O vdi d1 x
refused "a word too few" "^umf-cow: convert \[-O" convert d1
"$cow" rollback >/dev/null 2>&1
is "usage is status 2" $? 2
for word in $("$cow" --help | grep -o -e '--[a-z-]*' -e '^  [a-z]* ' | sort -u); do
	word=${word//-/\\\\-}
	grep -q -- "$word" "$TOP/build/man/umf-cow.1" || missing+=" $word"
done
is "the manual has every verb and option" "${missing:-}" ""

done_testing
