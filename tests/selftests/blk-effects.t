#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What several rules come to on one request: where and how much come first, then what is done to the data that is left,
# whatever the order of the rules; and a rule that did nothing has not fired.

. "$(dirname "$0")/../lib/blk.sh"

raw_image "$WORK/raw" 1M 1
raw_image "$WORK/base" 1M 1
blk_boot d1 umfa="$WORK/raw" umfb="$WORK/cow,backing=$WORK/base" umfc="$WORK/cow2,backing=$WORK/base,cache=volatile"

fired()
{
	fault d1 stats "$1" | sed 's/.* fired=\([0-9]*\).*/\1/'
}

# wrong <disk> <sector> <count>: which of them have flipped bits
wrong()
{
	probe d1 show "$1" "$2" "$3" | awk '/bad/ { for (i = $1; i <= $2; i++) printf "%s%d", n++ ? " " : "", i }'
}

for disk in umfa umfb umfc; do
	for order in "corrupt torn" "torn corrupt"; do
		probe d1 write $disk 0 160 1 160
		for action in $order; do
			case $action in
			corrupt) fault d1 add $disk corrupt op=write bits=64 id=corrupt >/dev/null ;;
			torn) fault d1 add $disk torn done=2 id=torn >/dev/null ;;
			esac
		done
		check "$disk, $order: a write of 128 sectors succeeds" probe d1 write $disk 0 128 2 128
		is "... both have fired" "$(fired torn) $(fired corrupt)" "1 1"
		fault d1 clear
		is "... two sectors are written, and wrong" "$(wrong $disk 0 160)" "0 1"
		is "... no other is" "$(probe d1 show $disk 2 158 | joined)" "2 159 v1"
	done

	# what the rule is about is behind the part that is written
	probe d1 write $disk 0 160 1 160
	fault d1 add $disk corrupt op=write sectors=64-127 id=corrupt >/dev/null
	fault d1 add $disk torn done=2 id=torn >/dev/null
	probe d1 write $disk 0 128 2 128 >/dev/null
	is "$disk: corrupt behind the cut has not fired" "$(fired corrupt)" 0
	fault d1 clear
	is "... nothing is wrong" "$(probe d1 show $disk 0 160 | joined)" "0 1 v2, 2 159 v1"

	# where it lands counts, not the order
	for order in "corrupt misdirect" "misdirect corrupt"; do
		probe d1 write $disk 0 1024 1 128
		for action in $order; do
			case $action in
			corrupt) fault d1 add $disk corrupt op=write sectors=8 id=corrupt >/dev/null ;;
			misdirect) fault d1 add $disk misdirect op=write shift=512 id=misdirect >/dev/null ;;
			esac
		done
		probe d1 write $disk 8 8 2 8
		is "$disk, $order: both have fired" "$(fired misdirect) $(fired corrupt)" "1 1"
		fault d1 clear
		is "... one sector of eight is wrong, at the other place" "$(wrong $disk 0 1024)" 520
	done
done

for i in 1 2 3 4 5; do
	fault d1 add umfa corrupt op=read id=c$i >/dev/null
done
probe d1 read umfa 0 8 8 >/dev/null
is "five corrupts of one read" "$(fired c1) $(fired c4) $(fired c5)" "1 1 1"
fault d1 clear
fault d1 add umfa stale id=s1 >/dev/null
fault d1 add umfa stale id=s2 >/dev/null
probe d1 write umfa 0 8 2
probe d1 read umfa 0 8 8 >/dev/null
is "two stales of one read: the first" "$(fired s1) $(fired s2)" "1 0"
fault d1 clear
fault d1 add umfa torn done=8 id=t >/dev/null
probe d1 write umfa 0 8 3 8
is "torn behind the end of a write has not fired" "$(fired t)" 0
fault d1 clear

# ---- waiting for several rules ----

# ended <seconds>: the read that was begun ends until then
ended()
{
	guest_exec d1 "for i in \$(seq $(($1 * 20))); do [ ! -e /tmp/read ] || exit 0; sleep 0.05; done; exit 1"
}
begin_read()
{
	guest_exec d1 'rm -f /tmp/read; (/blk/blkprobe read /dev/umfa 0 1 >/dev/null; : >/tmp/read) </dev/null >/dev/null 2>&1 &'
}
fault d1 add umfa delay time=60s id=long >/dev/null
fault d1 add umfa delay time=300ms id=short >/dev/null
begin_read
check_fails "two delays add up" ended 1
fault d1 del short
check_fails "... without the short one the long one is left" ended 1
fault d1 del long
check "... without both it goes on" ended 5
fault d1 clear
for order in "hang delay" "delay hang"; do
	for action in $order; do
		case $action in
		hang) fault d1 add umfa hang op=read id=hang >/dev/null ;;
		delay) fault d1 add umfa delay time=200ms id=delay >/dev/null ;;
		esac
	done
	begin_read
	check_fails "$order: it hangs, whatever else it waits for" ended 1
	fault d1 del hang
	check "... until the rule is gone" ended 5
	fault d1 clear
done

fault d1 add umfa delay time=4s id=delay >/dev/null
fault d1 add umfa hang op=read id=hang >/dev/null
begin_read
fault d1 del hang
check_fails "what hung waits the time of the other rule, too" ended 1
check "... and then goes on" ended 10
fault d1 clear

# ---- what a rule forbids comes back with its end; what moves no data takes no bandwidth ----

fault d1 add umfa rate bps=50000 >/dev/null
begin=$SECONDS
probe d1 discard umfa 0 2048
check "rate bps=: 1 MiB is discarded at once" test $((SECONDS - begin)) -lt 10
fault d1 clear
fault d1 add umfa error op=discard status=notsupp id=no >/dev/null
probe d1 discard umfa 0 8	# "not supported" is success for who discards
is "a discard is not supported" "$(fired no)" 1
fault d1 clear
check "... then it is" guest_exec d1 'test "$(cat /sys/block/umfa/queue/discard_max_bytes)" -gt 0'

# ---- the guest's power, by two disks at once ----

fault d1 add umfa powercut stop=guest at=+500ms >/dev/null
fault d1 add umfb powercut stop=guest at=+500ms >/dev/null
check "two disks cut the guest's power at once: it ends" guest_wait d1 20
blk_boot d1 umfa="$WORK/raw,cache=volatile" umfb="$WORK/cow,backing=$WORK/base,cache=volatile" umfc="$WORK/cow2,backing=$WORK/base,cache=volatile"
probe d1 write umfa 0 100 5
probe d1 write umfb 0 100 5
fault d1 add umfa powercut stop=guest keep=0 at=+500ms >/dev/null
fault d1 add umfb powercut stop=guest keep=0 at=+500ms >/dev/null
fault d1 add umfc powercut stop=guest keep=0 at=+500ms >/dev/null
check "three of them, with caches" guest_wait d1 20
is "... which are lost" "$(map_of "$WORK/raw" 100 | grep -c v5)" 0

# ---- how a guest ends, and its cache ----

raw_image "$WORK/end" 1M 1
blk_boot d1 umfa="$WORK/end,cache=volatile"
probe d1 write umfa 0 100 2
guest_stop d1
is "an orderly poweroff writes the cache back" "$(map_of "$WORK/end" 200)" "0 99 v2, 100 199 v1"
blk_boot d1 umfa="$WORK/end,cache=volatile"
probe d1 write umfa 0 100 3
guest_kill9 d1
is "a kill does not" "$(map_of "$WORK/end" 200)" "0 99 v2, 100 199 v1"

# ---- the host's limit of file sizes ----

if command -v prlimit >/dev/null; then
	truncate -s 8M "$WORK/large"
	blk_boot d1 umfa="$WORK/large"
	prlimit --pid "$(guest_pid d1)" --fsize=4194304
	is "beyond the limit of file sizes a write finds no space" "$(probe d1 write umfa 12000 8 2 8)" "12000 28"
	check "... and the guest goes on" probe d1 write umfa 100 8 2
	guest_stop d1
else
	skip "the limit of file sizes" "there is no prlimit here"
fi

done_testing
