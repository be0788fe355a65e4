#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# What the host is asked (a flush reaches its disk, data comes before its bit), and what the guest hears of a host that
# fails, is full, answers in part or is interrupted.

. "$(dirname "$0")/../lib/blk.sh"

cd "$WORK" || exit 1
gcc -shared -fPIC -O2 -o blkhost.so "$TOP/tests/selftests/blkhost.c" -ldl 2>/dev/null || skip_all "blkhost cannot be built here"
BLKHOST_LOG=$WORK/calls BLKHOST_FAIL=$WORK/fail LD_PRELOAD=$WORK/blkhost.so
export BLKHOST_LOG BLKHOST_FAIL
raw_image base 1M 1
raw_image raw 1M 1
raw_image raw2 1M 1
raw_image raw3 1M 1
raw_image raw4 1M 1

# Only the guest is to see it.
export LD_PRELOAD
blk_boot d1 umfa="$WORK/raw" umfb="$WORK/cow,backing=$WORK/base" umfc="$WORK/strict,backing=$WORK/base,order=strict" \
	umfd="$WORK/raw2" umfe="$WORK/raw3" umff="$WORK/raw4,cache=volatile"
unset LD_PRELOAD
guest_allow d1 '(I/O|critical \w+) error, dev umf|Buffer I/O error on dev|lost async page write' "the host fails in this test"
[ -s calls ] || probe d1 write umfa 0 1 1
[ -s calls ] || skip_all "the kernel is linked statically: its host calls cannot be seen"

# calls_of <command>…: the calls it makes, one word each, in one line
calls_of()
{
	: >calls
	"$@" >/dev/null
	awk '{ printf "%s%s", sep, $1; sep = " " }' calls
}

say_fail()
{
	printf '%s\n' "$@" >fail.new
	mv fail.new fail
}

# ---- what is asked ----

is "raw: a write is one call" "$(calls_of probe d1 write umfa 0 8 2)" "write"
# Linux sends a flush behind an O_DSYNC write to a block device, FUA or not.
is "raw: a write with FUA is synced" "$(calls_of probe d1 write umfa 0 8 2 8 fua)" "dsync sync"
is "raw: a flush syncs" "$(calls_of probe d1 sync umfa)" "sync"
is "COW: data, then its bits" "$(calls_of probe d1 write umfb 0 8 2)" "write map"
is "COW: known sectors need no bits" "$(calls_of probe d1 write umfb 0 8 2)" "write"
is "COW: FUA, new" "$(calls_of probe d1 write umfb 8 8 2 8 fua)" "write map sync sync"
is "COW: a flush syncs" "$(calls_of probe d1 sync umfb)" "sync"
is "COW: a discard clears the bits first" "$(calls_of probe d1 discard umfb 8 8)" "map punch"
is "strict: the data is synced before its bits" "$(calls_of probe d1 write umfc 0 8 2)" "write sync map"
is "strict: a discard syncs the bits before it frees" "$(calls_of probe d1 discard umfc 0 8)" "map sync punch"

fault d1 add umfa flushlie >/dev/null
is "flushlie: a flush asks nothing" "$(calls_of probe d1 sync umfa)" ""
is "flushlie: FUA is a write like others" "$(calls_of probe d1 write umfa 0 8 2 8 fua)" "write"
fault d1 clear

# ---- interrupted, in part ----

say_fail "intr 1"
check "interrupted calls are made again: write" probe d1 write umfb 100 64 3
is "... read" "$(probe d1 show umfb 90 80 | joined)" "90 99 v1, 100 163 v3, 164 169 v1"
say_fail "short 1"
check "calls that do a part go on: write" probe d1 write umfb 200 64 4
is "... read" "$(probe d1 show umfb 190 80 | joined)" "190 199 v1, 200 263 v4, 264 269 v1"
: >fail

# ---- failing ----

EIO=5 ENOSPC=28
say_fail "read 5"
is "the host's EIO on a read" "$(probe d1 read umfa 0 1)" "0 $EIO"
say_fail "write 5"
is "the host's EIO on a write" "$(probe d1 write umfa 0 1 9)" "0 $EIO"
say_fail "write 28"
is "a full host is no space" "$(probe d1 write umfa 0 1 9)" "0 $ENOSPC"
say_fail "map 28"
is "full for the bitmap: the write fails" "$(probe d1 write umfb 300 8 9)" "300 $ENOSPC"
: >fail
is "and is not there, but what was before" "$(probe d1 show umfb 296 16 | joined)" "296 311 v1"
check "with space again it is written" probe d1 write umfb 300 8 9
say_fail "punch 95"
check "a host that cannot punch: zeros are written" probe d1 zero umfa 16 16
is "... and read" "$(probe d1 show umfa 0 64 | joined)" "0 7 v2, 8 15 v1, 16 31 zero, 32 63 v1"
: >fail
say_fail "sync 5"
is "a sync that fails fails the flush" "$(probe d1 sync umfa)" "$EIO"
: >fail
is "... and all after it: what it lost is unknown" "$(probe d1 sync umfa)" "$EIO"
check "another disk is as before" probe d1 sync umfb

# The host tells of a page that it could not write once, to who asks first: FUA here. The flush behind it must not say yes.
say_fail "fua 5"
is "a FUA write that fails" "$(probe d1 write umfd 0 8 2 8 fua)" "0 $EIO"
: >fail
is "... fails all flushes after it" "$(probe d1 sync umfd)" "$EIO"
is "... and FUA writes" "$(probe d1 write umfd 0 8 2 8 fua)" "0 $EIO"
is "... and is told once" "$(grep -c 'umfd: the host could not write what it had taken .*every flush fails' "$(guest_log d1)")" 1

# A FUA write that fails changes nothing of what a volatile cache has of that place.
probe d1 write umff 0 8 2
say_fail "write 28"
is "cache=volatile: a FUA write that fails" "$(probe d1 write umff 0 8 3 8 fua)" "0 $ENOSPC"
: >fail
is "... what was acknowledged before is there" "$(probe d1 show umff 0 16 | joined)" "0 7 v2, 8 15 v1"
check "... and is flushed" probe d1 sync umff
is "... to the host" "$(map_of raw4 16)" "0 7 v2, 8 15 v1"

probe d1 write umff 0 8 4
say_fail "write 28"
like "remove says that the cache could not be written back" "$(mc d1 'remove umff')" "is removed, but not all of it could be written .*No space"
: >fail
like "... and the disk is gone" "$(mc d1 'remove umff')" "no such disk"

# Bits that may be cleared in the file and are set in memory: a later write would mark nothing.
probe d1 write umfc 0 8 2
say_fail "map 28"
check_fails "a discard whose bits cannot be cleared" probe d1 discard umfc 0 8
: >fail
is "... nor restored: no flush succeeds" "$(probe d1 sync umfc)" "$ENOSPC"

# A snapshot whose folder cannot be synced once the new delta has the disk's name: it is made, and nothing is undone.
probe d1 write umfe 0 8 2
mkdir old
say_fail "folder 5"
like "a folder that cannot be synced" "$(mc d1 "disk umfe snapshot $WORK/old/raw3")" "is made, but its folder cannot be synced"
: >fail
check "... the disk is written" probe d1 write umfe 8 8 3
check "... and flushed" probe d1 sync umfe
check "... the snapshot is there" test -s old/raw3
is "... as it was" "$(map_of old/raw3 32)" "0 7 v2, 8 31 v1"
guest_stop d1
"$BIN/umf-cow" convert raw3 flat3
is "... and the disk as it is" "$(map_of flat3 32)" "0 7 v2, 8 15 v3, 16 31 v1"

# ---- a disk that is really full ----

if mkdir small && mount -t tmpfs -o size=300k none small 2>/dev/null; then
	blk_boot d2 umfa="$WORK/small/cow,backing=$WORK/base"
	guest_allow d2 '(I/O|critical \w+) error, dev umf|Buffer I/O error on dev' "the host is full in this test"
	out=$(probe d2 write umfa 0 2048 5 8)
	like "a full tmpfs is no space" "$out" "^[0-9]+ $ENOSPC"
	first=$(head -n 1 <<<"$out" | cut -d' ' -f1)
	is "all before it was written" "$(probe d2 show umfa 0 "$first")" "0 $((first - 1)) v5"
	check "what failed is as before or new" guest_exec d2 '! /blk/blkprobe show /dev/umfa 0 2048 | grep -qv "v[15]$"'
	guest_stop d2
	uml_moo -b base small/cow merged >/dev/null 2>&1
	is "the image is intact" "$(map_of merged "$first")" "0 $((first - 1)) v5"
	umount small
else
	skip "a full tmpfs is no space" "no tmpfs can be mounted here"
fi
done_testing
