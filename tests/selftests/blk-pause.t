#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# A host whose disk is slow keeps the guest's disk waiting, not the guest: flushes and write-back of a volatile cache, live
# snapshots and commits, power cuts, the end of a log, unplugging. Each sync takes 1.5 s here, so what is done by the
# guest's own kernel is a pause of that length.

. "$(dirname "$0")/../lib/blk.sh"

cd "$WORK" || exit 1
gcc -shared -fPIC -O2 -o blkhost.so "$TOP/tests/selftests/blkhost.c" -ldl 2>/dev/null || skip_all "blkhost cannot be built here"
SYNC=1500	# ms
raw_image base 1M 1
for i in a c d; do
	raw_image $i 1M 1
done
# before the guest: what is made at boot is not to be slow
BLKHOST_LOG=$WORK/calls BLKHOST_FAIL=$WORK/fail LD_PRELOAD=$WORK/blkhost.so
export BLKHOST_LOG BLKHOST_FAIL LD_PRELOAD
blk_boot d1 umfa="$WORK/a,cache=volatile" umfb="$WORK/cow,backing=$WORK/base" umfc="$WORK/c,cache=volatile,log=$WORK/log" \
	umfd="$WORK/d"
unset LD_PRELOAD
guest_allow d1 '(I/O|device offline) error, dev umf|Buffer I/O error on dev' "the power is cut in this test"
probe d1 write umfa 0 1 1
[ -s calls ] || skip_all "the kernel is linked statically: its host calls cannot be seen"

# pause_of <description> <least, in ms> <command>…: it takes at least that, and the guest does not stop. What else runs on
# this machine stops a guest, too, but not for that long.
pause_of()
{
	local what=$1 least=$2 start ms pause
	shift 2

	guest_exec d1 ': >/tmp/pause; /blk/blkprobe pause /tmp/pause >/tmp/longest </dev/null 2>&1 &'
	echo "slow $SYNC" >fail
	start=$EPOCHREALTIME
	"$@" >out 2>&1 || diag "$*: $(cat out)"
	ms=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
	: >fail
	pause=$(guest_exec d1 'rm /tmp/pause; sleep 0.1; cat /tmp/longest')
	diag "$what: $ms ms, the longest pause of the guest is $pause ms"
	check "$what: the host was slow" test "$ms" -ge "$least"
	check "... and the guest went on" test "$pause" -lt $((SYNC / 5))
}

pause_of "a flush of a plain disk" $SYNC probe d1 sync umfd
probe d1 write umfa 0 100 2
pause_of "a flush of a volatile cache" $SYNC probe d1 sync umfa
is "... has written it" "$(map_of a 110)" "0 99 v2, 100 109 v1"
pause_of "a FUA write past it" $SYNC probe d1 write umfa 200 8 2 8 fua
probe d1 write umfb 0 100 2
pause_of "a live snapshot" $((3 * SYNC)) mc d1 disk umfb snapshot "$WORK/snapshot.b"
is "... is right" "$(probe d1 show umfb 0 110 | joined)" "0 99 v2, 100 109 v1"
probe d1 write umfa 0 100 3
pause_of "a live snapshot of a disk with a volatile cache" $((3 * SYNC)) mc d1 disk umfa snapshot "$WORK/snapshot.a"
is "... has what was cached" "$(map_of snapshot.a 110)" "0 99 v3, 100 109 v1"
commit()
{
	mc d1 disk umfb commit && until_true 60 mc_says "none" d1 disk umfb
}
mc_says()
{
	mc "${@:2}" | grep -q "commit: $1"
}
probe d1 write umfb 0 100 3
pause_of "a commit" $SYNC commit
is "... is right" "$(probe d1 show umfb 0 110 | joined)" "0 99 v3, 100 109 v1"
cut()
{
	fault d1 add umfa powercut keep=100% id=r && until_true 20 grep -q "umfa: power cut" "$(guest_log d1)"
}
probe d1 write umfa 0 100 4
pause_of "a power cut" $SYNC cut
fault d1 clear
is "... leaves what it is to" "$(probe d1 show umfa 0 110 | joined)" "0 99 v4, 100 109 v1"
probe d1 write umfc 0 100 2
pause_of "unplugging a disk with a cache and a log" $SYNC unplug d1 umfc
is "... writes it back" "$(map_of c 110)" "0 99 v2, 100 109 v1"
done_testing
