#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
# Snapshot, commit and resize of a disk that a guest uses: what it reads is right at any moment, what is kept is what was
# acknowledged; killed in the middle nothing is lost.

. "$(dirname "$0")/../lib/blk.sh"

cow=$BIN/umf-cow
cd "$WORK" || exit 1
mkdir m
raw_image base 8M 1
cp base m/base

disk()
{
	mc d1 disk "$@"
}

refused()
{
	local description=$1 want=$2 reply
	shift 2
	if reply=$(disk "$@"); then
		not_ok "$description" "disk $* was done: $reply"
	else
		like "$description" "$reply" "$want"
	fi
}

# model_start <umid> <seed> <operations> [words]: in the background; model_end <umid>: what it said
model_start()
{
	guest_exec "$1" "rm -f /tmp/out; (/blk/blkmodel /dev/umfa /w/base /w/model $2 $3 4 ${4:-rwzf} >/tmp/out.new 2>&1; mv /tmp/out.new /tmp/out) &"
}

model_end()
{
	until_true 120 guest_exec "$1" 'test -e /tmp/out'
	guest_exec "$1" 'cat /tmp/out'
}

committed()
{
	disk umfa | grep -q 'commit: none'
}

# ---- snapshot ----

blk_boot d1 mem=192M umfa="$WORK/d,backing=$WORK/base" share="$WORK/m:/w"
probe d1 write umfa 100 200 2
check "snapshot" disk umfa snapshot "$WORK/s1"
probe d1 write umfa 200 200 3
expect_map "the guest goes on" d1 umfa 500 "0 99 v1, 100 199 v2, 200 399 v3, 400 499 v1"
check "what it held can be read by others meanwhile" "$cow" convert s1 flat
is "... as it was then" "$(map_of flat 500)" "0 99 v1, 100 299 v2, 300 499 v1"
check "... and be cloned" "$cow" clone s1 c1
refused "a name that is taken" "s1: cannot be made \(File exists\)" umfa snapshot "$WORK/s1"
check_fails "... leaves nothing" test -e d.new
# what a kill leaves
cp base leftover && ln leftover leftover.s1 && : >leftover.new
plug d1 umfc="$WORK/leftover" >/dev/null
check "a snapshot that was cut off is made again under its name" disk umfc snapshot "$WORK/leftover.s1"
probe d1 write umfc 0 8 7
is "... and holds what was there" "$(map_of leftover.s1 8)" "$(map_of base 8)"
unplug d1 umfc >/dev/null
check_fails "... nothing is left of the first" test -e leftover.new
: >fresh.new
check "a disk whose delta was cut off while it was made" plug d1 umfc="$WORK/fresh,backing=$WORK/base"
unplug d1 umfc >/dev/null
refused "no name" "needs the name" umfa snapshot
refused "no disk" "umfz: no such disk" umfz snapshot x
refused "an unknown verb" "fly: must be snapshot, commit, resize or mark" umfa fly
refused "a word too many" "more: not expected" umfa snapshot x more
expect_map "nothing is changed" d1 umfa 500 "0 99 v1, 100 199 v2, 200 399 v3, 400 499 v1"
like "disk tells" "$(disk umfa)" "d: 16384 sectors, 3 files, commit: none"

raw_image vol 1M 1
plug d1 umfb="$WORK/vol,cache=volatile" >/dev/null
probe d1 write umfb 0 50 2
check "a snapshot of a disk with a volatile cache" disk umfb snapshot "$WORK/vol.old"
is "... has what was in the cache" "$(map_of vol.old 100)" "0 49 v2, 50 99 v1"
unplug d1 umfb >/dev/null

guest_exec d1 'cat /dev/umfa >/w/model'
model_start d1 1 3000
for i in 2 3 4 5 6 7 8; do
	disk umfa snapshot "$WORK/s$i" >/dev/null || not_ok "snapshot $i"
done
like "seven snapshots under load" "$(model_end d1)" "^3000 operations"
check "... the chain is sound" "$cow" check -q d
for i in 2 3 4 5 6 7 8; do
	"$cow" check -q "s$i" || not_ok "snapshot $i is sound"
done

# a file system in it is one that was cut off, no worse
guest_exec d1 'dd if=/dev/zero of=/dev/umfa bs=1M count=8 2>/dev/null; sync'
mkfs.ext4 -q -F m/fs 7M >/dev/null 2>&1
guest_exec d1 'dd if=/w/fs of=/dev/umfa bs=1M 2>/dev/null; mount -t ext4 /dev/umfa /mnt && (while :; do i=$((i + 1)); echo $i >/mnt/f$((i % 50)); [ $((i % 7)) -ne 0 ] || sync; done) >/dev/null 2>&1 & echo $! >/tmp/pid'
until_true 20 guest_exec d1 'test -e /mnt/f30'
check "a snapshot under a mounted file system" disk umfa snapshot "$WORK/sfs"
"$cow" convert sfs flat2
e2fsck -fp flat2 >/dev/null 2>&1
check "... can be recovered" test $? -le 1
guest_exec d1 'kill $(cat /tmp/pid); sleep 0.2; umount /mnt'
guest_stop d1
check "after the guest has ended the chain is sound" "$cow" check -q d

blk_boot d1 umfa="$WORK/d,backing=$WORK/base"
like "the same command line finds it again" "$(disk umfa)" "11 files"
guest_stop d1
cp base other
touch -d "@$(($(stat -c %Y base) - 60))" other
expect_other()
{
	blk_boot d1
	expect_refused "another file in backing= is refused" d1 umfa="$WORK/d,backing=$WORK/other" "other: (is not below|was changed)"
	guest_stop d1
}
expect_other

# ---- commit ----

rm -f d s? sfs c1
args=(mem=192M umfa="$WORK/d,backing=$WORK/base" umfb="$WORK/raw" share="$WORK/m:/w")
raw_image raw 1M 1
# a host on which a sync takes until we say so
gcc -shared -fPIC -O2 -o blkhost.so "$TOP/tests/selftests/blkhost.c" -ldl 2>/dev/null
export BLKHOST_FAIL=$WORK/fail LD_PRELOAD=$WORK/blkhost.so BLKHOST_LOG=$WORK/calls
blk_boot d1 "${args[@]}"
unset LD_PRELOAD
hold()
{
	: >calls
	echo "hold 1" >fail
}
held()
{
	grep -q sync calls
}

cp m/base m/model
disk umfa snapshot "$WORK/s1" >/dev/null
model_start d1 2 4000
for i in 1 2 3; do
	disk umfa commit >/dev/null
	check "commit $i under load ends" until_true 60 committed
done
like "... all reads are right" "$(model_end d1)" "^4000 operations"
disk umfa commit >/dev/null
check "commit without load" until_true 60 committed
is "... leaves the delta empty" "$("$cow" info --json d | jq -c '.[0].files[0].held')" 0
"$cow" convert -f s1 flat
check "... the file below has all of it" cmp flat m/model
check_fails "... and no mark is left" test -e d.merge
like "all is right" "$(guest_exec d1 '/blk/blkmodel /dev/umfa /w/base /w/model 3 400 4 rwzf 2>&1')" "^400 operations"
plug d1 umfc="$WORK/s1,ro" >/dev/null
refused "what others count on is not written" "others use the file below" umfa commit
unplug d1 umfc >/dev/null

# ---- in the middle ----

hold
if disk umfa commit >/dev/null && until_true 10 held; then
	refused "one commit at a time" "a commit is under way" umfa commit
	refused "no snapshot meanwhile" "a commit is under way" umfa snapshot "$WORK/s2"
	like "the disk stays" "$(unplug d1 umfa)" "a commit is under way"
	like "disk tells" "$(disk umfa)" "commit: [0-9]+ sectors so far"
	: >fail
	check "... it ends" until_true 60 committed

	raw_image slow 1M 1
	plug d1 umfd="$WORK/slow.cow,backing=$WORK/slow,engine=threads" >/dev/null
	: >calls
	echo "late 1" >fail
	guest_exec d1 '(/blk/blkprobe write /dev/umfd 0 8 2 8 fua; echo >/tmp/late) >/dev/null 2>&1 &'
	until_true 10 grep -q write calls || not_ok "a write is under way"
	disk umfd snapshot "$WORK/slow.old" >/dev/null &
	waiter=$!
	check_fails "a snapshot waits for a write that is under way" until_true 2 test -e slow.old
	: >fail
	wait $waiter
	check "... which then ends" until_true 10 guest_exec d1 'test -e /tmp/late'
	expect_map "... and is right" d1 umfd 16 "0 7 v2, 8 15 v1"
	"$cow" convert -f slow.old flat
	is "... and in the snapshot" "$(map_of flat 16)" "0 7 v2, 8 15 v1"
	unplug d1 umfd >/dev/null

	like "a write" "$(guest_exec d1 '/blk/blkmodel /dev/umfa /w/base /w/model 4 400 4 rwzf 2>&1')" "^400 operations"
	hold
	disk umfa commit >/dev/null
	until_true 10 held
	guest_kill9 d1
	: >fail
	touch -d @1000000000 s1
	like "killed in a commit: check says so" "$("$cow" check d)" "a merge was cut off"
	cp --sparse=always d d.keep && cp --sparse=always s1 s1.keep
	check "umf-cow merge goes on with it" "$cow" merge -q --in-place d
	"$cow" convert -f d flat
	check "... rightly" cmp flat m/model
	cp --sparse=always d.keep d && cp --sparse=always s1.keep s1 && touch -d @1000000000 s1 && : >d.merge
	rm -f "$(guest_log d1)"
	blk_boot d1 "${args[@]}"
	like "and so does a guest: it reads all" "$(guest_exec d1 '/blk/blkmodel /dev/umfa /w/base /w/model 5 0 4 2>&1')" "^0 operations"
	refused "... no snapshot before" "a commit was cut off; commit goes on with it" umfa snapshot "$WORK/s3"
	disk umfa commit >/dev/null
	check "... and commits it" until_true 60 committed
	check_fails "... no mark is left" test -e d.merge
	like "... rightly" "$(guest_exec d1 '/blk/blkmodel /dev/umfa /w/base /w/model 6 400 4 rwzf 2>&1')" "^400 operations"
else
	: >fail
	skip "in the middle of a commit" "the kernel is linked statically: its host calls cannot be held"
fi

# ---- resize ----

check "resize: a raw image becomes larger" disk umfb resize 2M
is "... the guest knows" "$(guest_exec d1 'cat /sys/block/umfb/size')" 4096
check "... and writes there" probe d1 write umfb 4000 96 2
is "... it is in the file" "$(map_of raw 4096)" "0 2047 v1, 2048 3999 zero, 4000 4095 v2"
truncate -s 3M raw
check "resize: as large as its file has become" disk umfb resize
is "... the guest knows" "$(guest_exec d1 'cat /sys/block/umfb/size')" 6144
guest_exec d1 'exec 3</dev/umfb; sleep 5 <&3 & sleep 0.1'
refused "it becomes no smaller while it is used" "in use in the guest" umfb resize 1M
refused "a size" "fish: must be" umfb resize fish
refused "a delta keeps its size" "is a delta" umfa resize 16M
check "then it does" until_true 20 disk umfb resize 1M
is "... the guest knows" "$(guest_exec d1 'cat /sys/block/umfb/size')" 2048
raw_image odd 2M 1
plug d1 umfc="$WORK/odd,cache=volatile" >/dev/null
probe d1 write umfc 0 4096 2
check "resize: smaller, with a cache that is not flushed" disk umfc resize 1M
unplug d1 umfc >/dev/null
is "... it has that size behind the unplugging, too" "$(stat -c %s odd) $(map_of odd 2048)" "1048576 0 2047 v2"
truncate -s 1000100 odd
for cache in none volatile; do
	plug d1 umfc="$WORK/odd,cache=$cache" >/dev/null
	check "cache=$cache: a last sector in part is written" probe d1 write umfc 1946 8 3
	probe d1 sync umfc
	is "... and zeroed" "$(probe d1 zero umfc 1950 4; probe d1 show umfc 1946 8 | joined)" "1946 1949 v3, 1950 1953 zero"
	unplug d1 umfc >/dev/null
	is "... the image keeps its size" "$(stat -c %s odd)" 1000100
done
guest_stop d1
check "the chain is sound" "$cow" check -q d
done_testing
