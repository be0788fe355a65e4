#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 1800
# cache=volatile and powercut: what was flushed is there, what was not is old, new or torn by a seeded draw; a flush that
# lies is caught; ext4 survives cuts at many points. BLK_CUTS is how many (12).

. "$(dirname "$0")/../lib/blk.sh"

cd "$WORK" || exit 1
cuts=${BLK_CUTS:-12}

raw_image a 1M 1
blk_boot d1 umfa="$WORK/a,cache=volatile"
guest_allow d1 '(I/O|critical \w+|device offline) error, dev umf|Buffer I/O error on dev|lost (async|sync) page write' "the power is cut in this test"
ENODEV=19

# ---- the cache ----

check "a write" probe d1 write umfa 0 100 2 1
expect_map "is read" d1 umfa 200 "0 99 v2, 100 199 v1"
is "and is not on the host's disk" "$(map_of a 200)" "0 199 v1"
# Linux sends a flush behind it
rule d1 flushlie op=flush
check "FUA goes past the cache" probe d1 write umfa 10 10 3 10 fua
is "and is on the host's disk, alone" "$(map_of a 200)" "0 9 v1, 10 19 v3, 20 199 v1"
fault d1 clear
check "a flush" probe d1 sync umfa
is "brings all there" "$(map_of a 200)" "0 9 v2, 10 19 v3, 20 99 v2, 100 199 v1"
probe d1 write umfa 0 50 4
check "a discard" probe d1 discard umfa 20 10
is "... takes nothing else to the host's disk" "$(map_of a 200)" "0 9 v2, 10 19 v3, 20 29 zero, 30 99 v2, 100 199 v1"
expect_map "... and ends what the cache had there" d1 umfa 50 "0 19 v4, 20 29 zero, 30 49 v4"
check "zeroes" probe d1 zero umfa 100 50
expect_map "... are read" d1 umfa 200 "0 19 v4, 20 29 zero, 30 49 v4, 50 99 v2, 100 149 zero, 150 199 v1"
is "... and are not on the host's disk" "$(map_of a 200)" "0 9 v2, 10 19 v3, 20 29 zero, 30 99 v2, 100 199 v1"
check "... until a flush" probe d1 sync umfa
is "... brings them there" "$(map_of a 200)" "0 19 v4, 20 29 zero, 30 49 v4, 50 99 v2, 100 149 zero, 150 199 v1"
check "writes" probe d1 write umfa 0 200 5
rule d1 corrupt op=read sectors=7 count=1
is "rules act on what is cached" "$(probe d1 show umfa 6 3 | joined)" "6 6 v5, 7 7 bad1 v5, 8 8 v5"
fault d1 clear
check "unplugged" unplug d1 umfa
is "its cache is on the host's disk" "$(map_of a 200)" "0 199 v5"

# cut_map <rule's parameters>…: $count sectors of version 2, $step a write, over version 1; then that cut. The disk's blocks
# are $blocks, or as they are by default.
blocks=physical=512 count=100 step=10
cut_map()
{
	fault d1 clear
	raw_image a 1M 1
	plug d1 umfa="$WORK/a,cache=volatile${blocks:+,$blocks}" >/dev/null || exit 1
	probe d1 write umfa 0 "$count" 2 "$step"
	rule d1 powercut "$@"
	guest_exec d1 'sleep 0.2'
	dark=$(probe d1 read umfa 0 8 | head -n 1)
	fault d1 clear
	seen=$(probe d1 show umfa 0 112 | joined)
	unplug d1 umfa >/dev/null
}

cut_map keep=0
is "keep=0: all as before" "$seen" "0 111 v1"
is "while there is no power nothing works" "$dark" "0 $ENODEV"
is "and the host says the same" "$(map_of a 112)" "$seen"
cut_map keep=100%
is "keep=100%: all new" "$seen" "0 99 v2, 100 111 v1"
cut_map keep=37%
is "keep=37%: the first ones" "$seen" "0 36 v2, 37 111 v1"
cut_map keep=37% torn=100%
like "torn=100%: and the next in part" "$seen" "^0 36 v2, 37 37 bad.*, 38 111 v1$"
cut_map keep=50% reorder=on seed=3
n=$(tr ',' '\n' <<<"$seen" | wc -l)
check "reorder=on: each by its own draw ($n runs)" test "$n" -gt 20
first=$seen
cut_map keep=50% reorder=on seed=3
is "the same seed leaves the same" "$seen" "$first"
cut_map seed=4
like "drawn, unless keep= is given" "$seen" "^0 [0-9]+ v[12], "

# A disk never tears a block of its own: with 8 sectors a block, none is there in part.
count=96 step=24
for blocks in "" logical=4096; do
	cut_map keep=50% reorder=on seed=5
	is "${blocks:-by default}: some blocks survive, none in part" "$(tr ',' '\n' <<<"$seen" | awk '
		$1 % 8 || ($2 + 1) % 8 { print; next } /v2/ { n++ } END { if (!n) print "none" }')" ""
	cut_map keep=37%
	is "... in order, too" "$seen" "0 31 v2, 32 111 v1"
	cut_map keep=37% torn=100%
	like "... torn= says otherwise" "$seen" "^0 3[1-9] v2, (3[2-9] 3[2-9] bad[^,]*, )?(3[3-9]|40) 111 v1$"
done

# a small cache that writes back what it has no room for: whole blocks
raw_image a 1M 1
plug d1 umfa="$WORK/a,cache=volatile:64k" >/dev/null
probe d1 write umfa 5 1000 2 23
rule d1 powercut keep=0
guest_exec d1 'sleep 0.2'
fault d1 clear
last=$(probe d1 show umfa 0 1200 | awk '/v2/ { last = $2 } END { print last }')
is "what had no room is written in whole blocks" "$(((last + 1) % 8)) $((last > 100))" "0 1"
unplug d1 umfa >/dev/null

# ---- by an operation, by the clock, of the guest ----

raw_image a 1M 1
plug d1 umfa="$WORK/a,cache=volatile" >/dev/null
rule d1 powercut op=write after=5 keep=100%
is "op=write after=5: the sixth write finds no power" "$(probe d1 write umfa 0 80 2 8 | head -n 1)" "40 $ENODEV"
fault d1 clear
is "the five before are there" "$(probe d1 show umfa 0 100 | joined)" "0 39 v2, 40 99 v1"
rule d1 powercut at=+2s for=3s
check "at=: before it, all works" probe d1 read umfa 0 1
guest_exec d1 'sleep 2.2'
is "then there is no power" "$(probe d1 read umfa 0 1)" "0 $ENODEV"
guest_exec d1 'sleep 3.5'
check "for=: and then there is" probe d1 read umfa 0 1
is "one firing" "$(stat_of d1 r fired)" 1
fault d1 clear
unplug d1 umfa >/dev/null
raw_image b 1M 1
raw_image a 1M 1
plug d1 umfa="$WORK/a,cache=volatile" >/dev/null
plug d1 umfb="$WORK/b,cache=volatile" >/dev/null
probe d1 write umfa 0 100 2
probe d1 write umfb 0 100 3
fault d1 add umfa powercut keep=100% stop=guest >/dev/null 2>&1
guest_wait d1 20
is "stop=guest: the guest ends" "$?" 0
is "its disks as the cut left them" "$(map_of a 100), $(map_of b 100)" "0 99 v2, 0 99 v3"

# ---- what was flushed is there, at any point; and a flush that lies is caught ----

truncate -s 8M raw.new
sectors=16384
# one_cut <seed> <parameters of the cut> <more rules>: stress, cut after some writes; what the log says was flushed must be
# there. Without torn=: a sector that was flushed, and torn when it was being written again, is neither.
one_cut()
{
	local seed=$1 umid=p$1 how=$2
	shift 2

	rm -f raw
	cp --sparse=always raw.new raw
	rm -f "$(guest_log "$umid")"
	blk_boot "$umid" umfa="$WORK/raw,cache=$cache" \
		umf="seed $seed; $* add umfa powercut op=write,flush after=$((60 + seed * 13 % 150)) $how stop=guest"
	guest_exec "$umid" "/blk/blkprobe stress /dev/umfa $sectors $seed 2 >/dev/console 2>&1 </dev/null &" >/dev/null
	guest_wait "$umid" 60 || diag "round $seed: the guest ended with $?: $(tail -n 3 "$(guest_log "$umid")")"
	"$blkprobe" check raw $sectors "$seed" 2 "$(guest_log "$umid")" F
}
# a small one writes some back early, and has that no longer to lose
cache=volatile:64k lost='' flushed=0
for i in $(seq 4); do
	out=$(one_cut "$i" reorder=on) || lost+="$i: $out"$'\n'
	flushed=$((flushed + $(sed -n 's/ writes.*//p' <<<"$out")))
done
is "nothing flushed is lost in 4 cuts" "$lost" ""
check "there was something to lose ($flushed writes)" test "$flushed" -gt 10
found=0 cache=volatile
for i in 5 6; do
	one_cut "$i" keep=0 "add umfa flushlie;" >/dev/null || found=$((found + 1))
done
is "with flushes that lie the loss is found, both times" "$found" 2

# ---- ext4, cut at many points of the same work ----

truncate -s 32M fs.new
mkfs.ext4 -q -F -O ^has_journal fs.new 2>/dev/null && mkfs.ext4 -q -F fs.new 2>/dev/null
bad='' files=0
for i in $(seq "$cuts"); do
	rm -f fs
	cp --sparse=always fs.new fs
	blk_boot "e$i" umfa="$WORK/fs,cache=volatile" \
		umf="seed $i; add umfa powercut op=write,flush after=$((i * i * 3 % 200)) reorder=on stop=guest"
	guest_allow "e$i" '(I/O|device offline) error, dev umf|Buffer I/O error on dev|EXT4-fs|JBD2|Aborting journal|lost (async|sync) page write' "the power is cut in this test"
	guest_exec "e$i" 'mount -t ext4 /dev/umfa /mnt && cd /mnt && for n in $(seq 300); do echo "content of $n" >f$n && /blk/blkprobe sync f$n || exit; echo "S $n" >/dev/console; [ $n -lt 5 ] || mv f$((n - 4)) g$n; done' >/dev/null 2>&1
	guest_wait "e$i" 30 >/dev/null || guest_kill9 "e$i"
	# what the journal has, then a check that must find nothing
	e2fsck -fy fs >/dev/null 2>&1
	[ $? -le 1 ] || bad+="cut $i: e2fsck cannot repair it"$'\n'
	synced=$(sed -n 's/^S \([0-9]*\).*/\1/p' "$(guest_log "e$i")" | tail -n 1)
	files=$((files + ${synced:-0}))
	for n in $(seq "${synced:-0}"); do
		[ "$(debugfs -R "cat f$n" fs 2>/dev/null || :)" = "content of $n" ] && continue
		[ "$(debugfs -R "cat g$((n + 4))" fs 2>/dev/null || :)" = "content of $n" ] || bad+="cut $i: f$n of $synced is lost"$'\n'
	done
done
is "ext4: after $cuts cuts every synced file is there" "$bad" ""
check "there was something to lose ($files files)" test "$files" -gt "$cuts"
done_testing
