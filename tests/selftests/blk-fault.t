#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
# Every action on a disk does to requests what it says, to those it says, and nothing once it is cleared.

. "$(dirname "$0")/../lib/blk.sh"

raw_image "$WORK/a.img" 4M 1
blk_boot d1 umfa="$WORK/a.img"
guest_allow d1 '(I/O|critical \w+|protection|timeout|reservation conflict|device offline|operation not supported) error, dev umfa' "the faults of this test"
guest_allow d1 'Buffer I/O error on dev|lost (async|sync) page write' "the faults of this test"

EIO=5 ENOLINK=67 EREMOTEIO=121 EILSEQ=84 ENODATA=61 ENOSPC=28 ETIMEDOUT=110 EBADE=52 ENODEV=19 EOPNOTSUPP=95

reads()
{
	probe d1 read umfa "$@"
}

fresh()
{
	fault d1 clear
	probe d1 write umfa 0 8192 1 2048
}

# ---- error: each status, each operation, at 0 %, part, 100 %, triggered ----

while read -r status errno; do
	rule d1 error status="$status" op=read sectors=100
	is "error status=$status" "$(reads 99 3)" "100 $errno"
	fault d1 clear
done <<E2
ioerr $EIO
medium $ENODATA
transport $ENOLINK
target $EREMOTEIO
protection $EILSEQ
nospc $ENOSPC
timeout $ETIMEDOUT
resv $EBADE
offline $ENODEV
notsupp $EOPNOTSUPP
E2
rule d1 error op=write
check "op=write lets reads pass" reads 0 16 16
is "... and fails writes" "$(probe d1 write umfa 0 8 2)" "0 $EIO"
is "... which are not done" "$(probe d1 show umfa 0 8 | joined)" "0 7 v1"
like "... and says so" "$(events_of d1 r)" " write 0\+8 ioerr$"
fault d1 clear
rule d1 error op=flush
check "op=flush lets writes pass" probe d1 write umfa 0 8 1
is "... and fails fsync()" "$(probe d1 sync umfa)" "$EIO"
fault d1 clear
check "cleared, fsync() works" probe d1 sync umfa
rule d1 error op=fua
check "op=fua lets plain writes pass" probe d1 write umfa 0 8 1
is "... and fails those with FUA" "$(probe d1 write umfa 0 8 1 8 fua)" "0 $EIO"
fault d1 clear
rule d1 error op=discard,zeroes
is "a list: discard" "$(probe d1 discard umfa 0 8)" "$EIO"
is "... zeroes" "$(probe d1 zero umfa 0 8)" "$EIO"
check "... reads pass" reads 0 8 8
check "... and writes" probe d1 write umfa 0 8 1
fault d1 clear
rule d1 error prob=0
check "prob=0 fails nothing" reads 0 200
fault d1 clear
rule d1 error prob=100% op=read
is "prob=100% fails all" "$(reads 0 50 | wc -l)" 50
fault d1 clear
rule d1 error prob=30% op=read seed=7
n=$(reads 0 1000 | wc -l)
check "prob=30% fails 242 to 358 of 1000 ($n)" test "$n" -ge 242 -a "$n" -le 358
is "... as its counter says" "$(stat_of d1 r fired)" "$n"
first=$(fault d1 clear; rule d1 error prob=30% op=read seed=7; reads 0 200)
is "... and the same seed fails the same" "$(fault d1 clear; rule d1 error prob=30% op=read seed=7; reads 0 200)" "$first"
fault d1 clear
rule d1 error op=read after=3 every=2 count=2
is "after=3 every=2 count=2" "$(reads 0 20 | joined)" "4 $EIO, 6 $EIO"
fault d1 clear
rule d1 error op=read sectors=10-12
is "a range is met by what touches it" "$(reads 0 32 8 | joined)" "8 $EIO"
fault d1 clear
like "a range past the end is refused" "$(fault d1 add umfa error sectors=8192 2>&1)" "sectors=8192: the disk has only 8192"
like "so is an unknown operation" "$(fault d1 add umfa error op=red 2>&1)" "op=red: must be read"
rule d1 error op=read,fua sectors=5+2
is "listed as it was given" "$(fault d1 list umfa | grep '^add')" "add umfa error op=read,fua sectors=5-6 id=r"
fault d1 clear

# ---- badsector: until rewritten ----

rule d1 badsector sectors=100-109
is "bad sectors cannot be read" "$(reads 98 14 | joined)" \
	"100 $ENODATA, 101 $ENODATA, 102 $ENODATA, 103 $ENODATA, 104 $ENODATA, 105 $ENODATA, 106 $ENODATA, 107 $ENODATA, 108 $ENODATA, 109 $ENODATA"
probe d1 write umfa 103 5 2 5
is "those rewritten are good again" "$(reads 98 14 | joined)" "100 $ENODATA, 101 $ENODATA, 102 $ENODATA, 108 $ENODATA, 109 $ENODATA"
is "with what was written" "$(probe d1 show umfa 103 5 | joined)" "103 107 v2"
fault d1 clear
rule d1 badsector sectors=50 rewrites=3
for i in 1 2 3; do
	is "rewrites=3: bad before write $i" "$(reads 50 1)" "50 $ENODATA"
	probe d1 write umfa 50 1 "$i"
done
check "... good after" reads 50 1
fault d1 clear
rule d1 badsector sectors=50 rewrites=0
probe d1 write umfa 50 1 9
is "rewrites=0: for ever" "$(reads 50 1)" "50 $ENODATA"
fault d1 clear
check "until cleared" reads 50 1

# ---- corrupt ----

fresh
rule d1 corrupt op=read sectors=20 count=1
is "a read comes with one bit flipped" "$(probe d1 show umfa 16 8 | joined)" "16 19 v1, 20 20 bad1 v1, 21 23 v1"
is "once" "$(probe d1 show umfa 16 8 | joined)" "16 23 v1"
fault d1 clear
rule d1 corrupt op=read sectors=20 bits=17 count=1
like "bits=17" "$(probe d1 show umfa 20 1)" "bad17"
fault d1 clear
rule d1 corrupt op=read sectors=20-21 sticky=on bits=3
a=$(guest_exec d1 'dd if=/dev/umfa bs=512 skip=21 count=1 iflag=direct 2>/dev/null | md5sum')
b=$(guest_exec d1 'dd if=/dev/umfa bs=16k count=1 iflag=direct 2>/dev/null | dd bs=512 skip=21 count=1 2>/dev/null | md5sum')
is "sticky: wrong in the same way each time, also as a part of more" "$a" "$b"
fault d1 clear
rule d1 corrupt op=read sectors=20
c=$(guest_exec d1 'dd if=/dev/umfa bs=512 skip=20 count=1 iflag=direct 2>/dev/null | md5sum')
d=$(guest_exec d1 'dd if=/dev/umfa bs=512 skip=20 count=1 iflag=direct 2>/dev/null | md5sum')
check "otherwise in another" test "$c" != "$d"
fault d1 clear
is "the disk itself is right" "$(map_of "$WORK/a.img" 8192)" "0 8191 v1"
rule d1 corrupt op=write sectors=30-31 bytes=8 count=1
check "a write that goes wrong succeeds" probe d1 write umfa 28 8 2 8
fault d1 clear
like "and leaves it wrong, in one block of those" "$(map_of "$WORK/a.img" 40)" "^0 27 v1, 28 29 v2, 30 30 bad.*, 31 35 v2, 36 39 v1$"
rule d1 corrupt op=write data=deadbeef sectors=40 count=1
probe d1 write umfa 40 1 2
fault d1 clear
check "data= is what it leaves" sh -c "dd if='$WORK/a.img' bs=512 skip=40 count=1 2>/dev/null | od -An -v -tx1 | tr -d ' \n' | grep -q deadbeef"
like "data= that is no hex is refused" "$(fault d1 add umfa corrupt data=xyz 2>&1)" "data=xyz"
like "bits= and bytes= together are refused" "$(fault d1 add umfa corrupt bits=1 bytes=1 2>&1)" "exclude"

# ---- torn, lost, misdirect, stale ----

fresh
rule d1 torn done=3 count=1
check "a torn write succeeds" probe d1 write umfa 100 8 2 8
is "and has its first sectors written" "$(probe d1 show umfa 98 12 | joined)" "98 99 v1, 100 102 v2, 103 109 v1"
like "... as the event says" "$(events_of d1 r)" "write 100\+8 3 written"
fresh
rule d1 torn seed=5
probe d1 write umfa 0 1024 2 8
fault d1 clear
torn=$(probe d1 show umfa 0 1024 | grep -c v1)
check "drawn, in most of 128 writes some sectors are missing ($torn)" test "$torn" -gt 60
fresh
rule d1 lost sectors=200-207
check "a lost write succeeds" probe d1 write umfa 200 16 2 8
is "and is not there" "$(probe d1 show umfa 196 24 | joined)" "196 207 v1, 208 215 v2, 216 219 v1"
fresh
rule d1 misdirect op=write shift=1000 count=1
check "a misdirected write succeeds" probe d1 write umfa 300 8 2 8
is "and is not where it should be" "$(probe d1 show umfa 296 16 | joined)" "296 311 v1"
is "but elsewhere" "$(map_of "$WORK/a.img" 1310)" \
	"0 1299 v1, $(for i in $(seq 0 7); do echo "$((1300 + i)) $((1300 + i)) v2@$((300 + i)), "; done | tr -d '\n')1308 1309 v1"
fresh
rule d1 misdirect op=read seed=3 count=1
like "a misdirected read has other sectors" "$(probe d1 show umfa 300 1)" "300 300 v1@"
fresh
rule d1 stale sectors=400-407
probe d1 write umfa 400 4 2 4
is "a stale read has what was there before" "$(probe d1 show umfa 396 16 | joined)" "396 411 v1"
probe d1 write umfa 400 4 3 4
is "... before the last write" "$(probe d1 show umfa 396 16 | joined)" "396 399 v1, 400 403 v2, 404 411 v1"
fault d1 clear
is "cleared, it is what was written" "$(probe d1 show umfa 396 16 | joined)" "396 399 v1, 400 403 v3, 404 411 v1"

fresh
rule d1 lost
check "a lost discard succeeds" probe d1 discard umfa 500 8
check "... so do zeroes" probe d1 zero umfa 508 8
is "and are not there" "$(probe d1 show umfa 496 24 | joined)" "496 519 v1"
is "... both were counted" "$(stat_of d1 r fired)" 2

# drawn <seed> <action>…: the disk after writes of which that rule says what becomes
drawn()
{
	fresh
	rule d1 "${@:2}" op=write seed="$1"
	probe d1 write umfa 1000 512 2 64
	fault d1 clear
	md5sum <"$WORK/a.img"
}
for action in "corrupt bits=9" "corrupt bytes=9" torn misdirect; do
	# shellcheck disable=SC2086 # the words
	first=$(drawn 7 $action)
	# shellcheck disable=SC2086 # the words
	is "$action: the same seed does the same" "$(drawn 7 $action)" "$first"
	# shellcheck disable=SC2086 # the words
	check "... another one something else" test "$(drawn 8 $action)" != "$first"
done

# ---- delay, rate, hang, timeout ----

fresh
took()
{
	local start=$EPOCHREALTIME end

	"$@" >/dev/null
	end=$EPOCHREALTIME
	echo $(((${end/./} - ${start/./}) / 1000))
}
rule d1 delay op=read time=300ms
ms=$(took reads 0 1)
check "delay time=300ms ($ms ms)" test "$ms" -ge 300 -a "$ms" -lt 3000
rule d1 delay op=read time=500ms id=more
ms=$(took reads 0 1)
check "two rules: their times add up ($ms ms)" test "$ms" -ge 800 -a "$ms" -lt 4000
fault d1 clear
rule d1 delay op=read time=60s
guest_exec d1 '/blk/blkprobe read /dev/umfa 5 1 >/tmp/late; echo done >>/tmp/late' &
sleep 1
fault d1 clear
ms=$(took wait $!)
check "clear releases what is delayed ($ms ms)" test "$ms" -lt 5000
is "... done" "$(guest_exec d1 'cat /tmp/late')" "done"
rule d1 rate iops=50 op=read
ms=$(took reads 0 50)
check "rate iops=50: 50 reads take about 1 s ($ms ms)" test "$ms" -ge 950 -a "$ms" -lt 4000
fault d1 clear
rule d1 rate bps=1048576 op=write
ms=$(took probe d1 write umfa 0 2048 1 256)
check "rate bps=1M: 1 MiB takes about 1 s ($ms ms)" test "$ms" -ge 950 -a "$ms" -lt 4000
fault d1 clear
like "rate needs one of them" "$(fault d1 add umfa rate 2>&1)" "iops= or bps="
rule d1 hang op=read sectors=7
guest_exec d1 '(/blk/blkprobe read /dev/umfa 7 1 >/tmp/hung; echo done >>/tmp/hung) & '
sleep 0.5
is "hang keeps a read" "$(guest_exec d1 'cat /tmp/hung')" ""
check "others pass" reads 8 1
fault d1 del r
sleep 0.5
is "until its rule ends" "$(guest_exec d1 'cat /tmp/hung')" "done"
rule d1 hang op=read for=700ms
ms=$(took reads 0 1)
check "hang for=700ms ends by itself ($ms ms)" test "$ms" -ge 300 -a "$ms" -lt 4000
fault d1 clear
guest_exec d1 'echo 500 >/sys/block/umfa/queue/io_timeout'
rule d1 timeout op=read count=1
is "timeout: blk-mq ends it" "$(reads 0 1)" "0 $ETIMEDOUT"
check "the next passes" reads 0 1
fault d1 clear
rule d1 hang op=read for=1500ms
check "hang outlives blk-mq's patience" reads 0 1
fault d1 clear

# ---- levels ----

rule d1 offline
is "offline: reads" "$(reads 0 1)" "0 $ENODEV"
is "offline: writes" "$(probe d1 write umfa 0 1 1)" "0 $ENODEV"
fault d1 clear
check "back" reads 0 1
rule d1 readonly
is "readonly: the flag" "$(guest_exec d1 'sleep 0.2; cat /sys/block/umfa/ro')" 1
check "readonly: reads pass" reads 0 1
check_fails "readonly: writes fail" probe d1 write umfa 0 1 1
fault d1 clear
is "back: the flag" "$(guest_exec d1 'sleep 0.2; cat /sys/block/umfa/ro')" 0
check "back: writes" probe d1 write umfa 0 1 1
rule d1 nospace
is "nospace: writes" "$(probe d1 write umfa 0 1 1)" "0 $ENOSPC"
check "nospace: reads pass" reads 0 1
check "nospace: what makes room passes" probe d1 discard umfa 0 8
fault d1 clear
rule d1 offline period=400ms duty=50%
n=0
for i in $(seq 40); do
	reads 0 1 >/dev/null || n=$((n + 1))
	sleep 0.03
done
check "offline half of the time ($n of 40)" test "$n" -gt 5 -a "$n" -lt 35
fault d1 clear
check "cleared, all is well" reads 0 100

# ---- flushlie: what the host is asked ----

rule d1 flushlie
check "a flush that lies succeeds" probe d1 sync umfa
like "... and says so" "$(events_of d1 r)" "flush$"
fault d1 clear

# What is dirty when the disk becomes read-only: the block layer passes it on.
guest_exec d1 'exec 3</dev/umfa; sleep 600 <&3 >/dev/null 2>&1 & echo $! >/tmp/holder; echo dirty >/dev/umfa'
rule d1 readonly
until_true 10 guest_exec d1 'grep -q 1 /sys/block/umfa/ro'
guest_exec d1 sync
check "readonly: what was written before and comes after fails" until_true 10 grep -q 'dev umfa.* lost .*page write' "$(guest_log d1)"
check_fails "... and is not in the image" grep -aq dirty "$WORK/a.img"
guest_exec d1 'kill $(cat /tmp/holder)'
fault d1 clear

is "no rule is left, no request either" "$(fault d1 devices | grep umfa)" "umfa blk rules=0"
check "and the disk can be unplugged" unplug d1 umfa
done_testing
