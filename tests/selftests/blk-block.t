#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# A rule about sectors hits those, however the block layer merged what is around them: partial completion, what a match is
# (unit=), and draws that hang on the place (place=on).

. "$(dirname "$0")/../lib/blk.sh"

raw_image "$WORK/a.img" 4M 1
raw_image "$WORK/base" 4M 1
blk_boot d1 umfa="$WORK/a.img" umfb="$WORK/cow,backing=$WORK/base" umfc="$WORK/cow2,backing=$WORK/base,cache=volatile"
guest_allow d1 '(I/O|critical \w+) error, dev umf' "the faults of this test"

EIO=5 ENODATA=61

# on <disk> <action>…: a rule of that disk, named r unless id= is given
on()
{
	local id=(id=r)

	[[ " $* " != *" id="* ]] || id=()
	fault d1 add "$@" "${id[@]}" >/dev/null || exit 1
}

# named <disk>: the sectors that the kernel's log has named since `from_here`
from_here()
{
	from=$(wc -l <"$(guest_log d1)")
}
named()
{
	tail -n +$((from + 1)) "$(guest_log d1)" | sed -n "s/.* error, dev $1, sector \([0-9]*\) .*/\1/p" | joined
}

# ---- one bad sector is one failed request of many that were merged ----

for disk in umfa umfb umfc; do
	probe d1 write $disk 0 1024 1 256
	from_here
	on $disk error op=read sectors=100
	is "$disk: 64 reads at once, one bad sector: one fails" "$(probe d1 aio $disk 0 512 8 | joined)" "96 $EIO"
	is "... the log names the sector" "$(named $disk)" 100
	is "... it has fired once" "$(stat_of d1 r fired)" 1
	is "... of one match" "$(stat_of d1 r matched)" 1
	like "... as the event says" "$(events_of d1 r)" "read 100\+1 ioerr$"
	fault d1 clear
	on $disk badsector sectors=100+2
	is "$disk: the same with badsector" "$(probe d1 aio $disk 0 512 8 | joined)" "96 $ENODATA"
	probe d1 aio $disk 0 512 8 2 >/dev/null
	check "... until it is rewritten" probe d1 aio $disk 0 512 8
	fault d1 clear
	is "... as all is that was merged with it" "$(probe d1 show $disk 0 520 | joined)" "0 511 v2, 512 519 v1"

	from_here
	on $disk error op=write sectors=100
	is "$disk: 64 writes at once, one bad sector: one fails" "$(probe d1 aio $disk 0 512 8 3 | joined)" "96 $EIO"
	is "... the log names the sector" "$(named $disk)" 100
	fault d1 clear
	is "... what is before it in that write is written, what is behind it not" "$(probe d1 show $disk 0 520 | joined)" \
		"0 99 v3, 100 103 v2, 104 511 v3, 512 519 v1"

	from_here
	on $disk error op=write sectors=1000
	is "$disk: a write of 1 MiB with one bad sector fails" "$(probe d1 write $disk 0 2048 4 2048)" "0 $EIO"
	is "... the log names it" "$(named $disk)" 1000
	fault d1 clear
	is "... all before it is written" "$(probe d1 show $disk 0 1024 | joined)" "0 999 v4, 1000 1023 v1"

	probe d1 write $disk 0 1024 1 256
	on $disk lost sectors=100-103
	check "$disk: a lost sector of a write that succeeds" probe d1 aio $disk 0 512 8 5
	is "... four matches" "$(stat_of d1 r fired)" 4
	fault d1 clear
	is "... they are lost, and nothing else" "$(probe d1 show $disk 0 520 | joined)" "0 99 v5, 100 103 v1, 104 511 v5, 512 519 v1"

	on $disk corrupt op=write sectors=40-47 bits=3
	check "$disk: a write that goes wrong in eight sectors" probe d1 aio $disk 0 512 8 6
	fault d1 clear
	is "... each by itself" "$(probe d1 show $disk 32 24 | joined)" "32 39 v6, 40 47 bad3 v6, 48 55 v6"
	on $disk corrupt op=read sectors=300 bits=5
	on $disk error op=read sectors=200 id=e
	is "$disk: wrong and bad in what was merged" "$(probe d1 aio $disk 0 512 8 | joined)" "200 $EIO"
	is "... both have fired" "$(stat_of d1 r fired) $(stat_of d1 e fired)" "1 1"
	fault d1 clear
done

# ---- other operations, and what is done elsewhere or in part ----

probe d1 write umfa 0 2048 1 256
from_here
on umfa error op=discard,zeroes sectors=512
is "zeroes up to a bad sector" "$(probe d1 zero umfa 256 1024)" "$EIO"
is "... which is named" "$(named umfa)" 512
is "... and a discard" "$(probe d1 discard umfa 0 1024)" "$EIO"
fault d1 clear
is "... are done up to there" "$(probe d1 show umfa 0 1040 | joined)" "0 511 zero, 512 1039 v1"

probe d1 write umfa 0 2048 1 256
fault d1 add umfa misdirect op=write shift=1024 id=m >/dev/null
on umfa error op=write sectors=36
is "elsewhere: bad is what was asked for" "$(probe d1 aio umfa 0 64 8 2 | joined)" "32 $EIO"
fault d1 clear
is "... and the rest of it is done there" "$(guest_exec d1 'dd if=/dev/umfa bs=512 skip=1024 count=64 iflag=direct 2>/dev/null >/tmp/x; /blk/blkprobe show /tmp/x 0 64' | joined)" \
	"0 35 v2, 36 36 v1@1060, 37 37 v1@1061, 38 38 v1@1062, 39 39 v1@1063, 40 63 v2"
probe d1 write umfa 0 2048 1 256
fault d1 add umfa torn op=write done=20 id=t >/dev/null
on umfa error op=write sectors=36
is "in part: what is behind fails all the same" "$(probe d1 aio umfa 0 64 8 2 | joined)" "32 $EIO"
fault d1 clear
is "... and only the first sectors are written" "$(probe d1 show umfa 0 64 | joined)" "0 19 v2, 20 63 v1"
fault d1 add umfa stale sectors=0-127 >/dev/null
probe d1 write umfa 0 64 3
on umfa error op=read sectors=36
is "a stale read with a bad sector" "$(probe d1 aio umfa 0 64 8 | joined)" "32 $EIO"
fault d1 clear

# ---- what a match is ----

probe d1 write umfa 0 2048 1 256
on umfa error op=read unit=block every=8 after=4
is "unit=block: every eighth block, merged" "$(probe d1 aio umfa 0 64 1 | joined)" "$(for i in $(seq 11 8 63); do printf '%d %d, ' "$i" $EIO; done | sed 's/, $//')"
fault d1 clear
on umfa error op=read unit=block every=8 after=4
is "... and one by one" "$(probe d1 read umfa 0 64 | joined)" "$(for i in $(seq 11 8 63); do printf '%d %d, ' "$i" $EIO; done | sed 's/, $//')"
fault d1 clear
on umfa error op=read unit=block count=2 sectors=8-23
is "count= counts blocks" "$(probe d1 aio umfa 0 64 1 | joined)" "8 $EIO, 9 $EIO"
fault d1 clear
on umfa error op=read unit=request sectors=8-23
is "unit=request: one match, and all of it fails" "$(probe d1 read umfa 0 64 64)" "0 $EIO"
is "... once" "$(stat_of d1 r matched)" 1
fault d1 clear
on umfa error op=read unit=block seed=3 prob=10%
first=$(probe d1 aio umfa 0 256 1)
fault d1 clear
on umfa error op=read unit=block seed=3 prob=10%
is "the same seed fails the same sectors, merged or not" "$(probe d1 read umfa 0 256)" "$first"
fault d1 clear

# ---- place=on ----

# race: four writers at a time, each in a part of its own, twice over it
cat >"$blk_dir/race.$$" <<'S'
for w in 0 1 2 3; do
	(for v in 2 3; do /blk/blkprobe write /dev/umfa $((w * 1024)) 256 $v 1 | sed "s/^/$v /"; done >/tmp/race$w) &
done
wait
sort -k1,1n -k2,2n /tmp/race[0-3]
S
race()
{
	fault d1 clear
	on umfa "$@"
	guest_exec d1 "sh /blk/race.$$"
}
first=$(race error op=write prob=3% place=on seed=9)
check "place=on: some of 2048 writes fail" test "$(wc -l <<<"$first")" -gt 20
is "... the same ones with four writers racing" "$(race error op=write prob=3% place=on seed=9)" "$first"
check "... others with another seed" test "$(race error op=write prob=3% place=on seed=10)" != "$first"
check "... a second write of a block draws anew" test "$(sed -n 's/^2 //p' <<<"$first")" != "$(sed -n 's/^3 //p' <<<"$first")"
fault d1 clear
on umfa error op=write prob=3% place=on seed=9
merged=$(for w in 0 1 2 3; do probe d1 aio umfa $((w * 1024)) 256 1 2; done)
is "... merged, too" "$merged" "$(sed -n 's/^2 //p' <<<"$first")"
fault d1 clear
rm "$blk_dir/race.$$"

like "place=on with count= is refused" "$(fault d1 add umfa error place=on count=1 2>&1)" "count=: hangs on the order"
like "... with unit=request" "$(fault d1 add umfa error place=on unit=request 2>&1)" "place=on: is about blocks"
like "unit= is no word of a delay" "$(fault d1 add umfa delay time=1s unit=block 2>&1)" "unit"
on umfa error op=read sectors=5 unit=request
is "listed as it was given" "$(fault d1 list umfa | grep '^add')" "add umfa error op=read sectors=5 unit=request id=r"
fault d1 clear
check "and the disk can be unplugged" unplug d1 umfa
done_testing
