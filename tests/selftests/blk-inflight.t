#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 3600
# What is under way when the power is cut is old, new or torn between blocks of physical= bytes, by seeded draw, FUA or not;
# and ext4 with checksums survives that at any moment of a load full of fsyncs. BLK_INFLIGHT_CUTS is how many (8).

. "$(dirname "$0")/../lib/blk.sh"

cd "$WORK" || exit 1
cuts=${BLK_INFLIGHT_CUTS:-8}
for i in a b c; do
	raw_image $i 1M 1
done
truncate -s 16M fs
mkfs.ext4 -q -F -b 4096 -O metadata_csum fs 2>/dev/null || skip_all "there is no mkfs.ext4 here"
blk_boot d1 umfa="$WORK/a" umfb="$WORK/b,cache=volatile" umfc="$WORK/c,physical=512" \
	umfd="$WORK/fs,logical=512,physical=512,cache=volatile"
guest_allow d1 '(I/O|critical \w+|device offline) error, dev umf|Buffer I/O error on dev|EXT4-fs|JBD2|Aborting journal|lost (async|sync) page write' "the power is cut in this test"
ENODEV=19

# cut_write <disk> <rule's parameters>…: a write of 96 sectors from 4 on, version 2, over version 1; it comes with the cut.
# What there is then.
how=()
cut_write()
{
	local disk=$1
	shift

	fault d1 clear
	probe d1 write "$disk" 0 128 1 128
	probe d1 sync "$disk"
	fault d1 add "$disk" powercut op=write "$@" id=r >/dev/null || exit 1
	said=$(probe d1 write "$disk" 4 96 2 96 "${how[@]}")
	fault d1 clear
	probe d1 show "$disk" 0 112 | joined
}

for disk in umfa umfb; do
	for word in "" fua; do
		how=()
		[ -z "$word" ] || how=("$word")
		seen=$(cut_write $disk)
		is "$disk${word:+, $word}: what is under way is old, unless inflight= is given" "$seen" "0 111 v1"
		said=$(cut_write $disk inflight=new >/dev/null; echo "$said")
		is "... it fails, whatever it leaves" "$said" "4 $ENODEV"
		is "... inflight=new: all of it" "$(cut_write $disk inflight=new)" "0 3 v1, 4 99 v2, 100 111 v1"
		all=
		for seed in 1 2 3 4 5 6 7 8; do
			all+="$(cut_write $disk inflight=torn seed=$seed)"$'\n'
		done
		is "... inflight=torn: so many blocks from the first on" "$(grep -vE '^0 3 v1, 4 (7|15|23|31|39|47|55|63|71|79|87|95|99) v2, [0-9]+ 111 v1$|^0 111 v1$' <<<"${all%$'\n'}")" ""
		check "... drawn ($(sort -u <<<"$all" | wc -l) of 8 differ)" test "$(sort -u <<<"$all" | wc -l)" -gt 3
		again=$(cut_write $disk inflight=torn seed=3)
		is "... by the seed" "$again" "$(sed -n 3p <<<"$all")"
	done
done
how=()
reordered=$(cut_write umfa inflight=torn reorder=on seed=2)
check "reorder=on: each block by itself ($reordered)" test "$(tr ',' '\n' <<<"$reordered" | grep -c v2)" -gt 1
is "... none of them split" "$(tr ',' '\n' <<<"$reordered" | awk '/bad/ || ($1 % 8 && $1 != 4 && $1 != 100) { print }')" ""
like "torn=100%: one is" "$(cut_write umfa inflight=torn torn=100% seed=2)" "bad"
all=
for seed in 1 2 3 4 5 6; do
	all+="$(cut_write umfc inflight=torn seed=$seed)"$'\n'
done
check "physical=512: anywhere between sectors" grep -qE '^0 3 v1, 4 ([0-9]*[0-6]|[0-9]*[89]) v2' <<<"$all"

# what rules keep waiting is under way, too
probe d1 write umfa 0 128 1 128
fault d1 add umfa delay op=write time=60s >/dev/null
guest_exec d1 '(/blk/blkprobe write /dev/umfa 8 8 3 8 >/tmp/late; echo done >>/tmp/late) </dev/null >/dev/null 2>&1 &'
sleep 0.3
fault d1 add umfa powercut inflight=new id=r >/dev/null
check "a write that waits when the power is cut" until_true 10 guest_exec d1 'grep -q done /tmp/late'
is "... fails" "$(guest_exec d1 'head -n 1 /tmp/late')" "8 $ENODEV"
fault d1 clear
is "... and is there" "$(probe d1 show umfa 0 32 | joined)" "0 7 v1, 8 15 v3, 16 31 v1"
# in order, what comes after something that is lost is lost, but FUA
probe d1 write umfb 0 128 1 128
probe d1 sync umfb
probe d1 write umfb 0 8 2
fault d1 add umfb powercut op=write keep=0 inflight=new id=r >/dev/null
probe d1 write umfb 64 8 2 >/dev/null
fault d1 clear
is "in order: nothing is new behind what is lost" "$(probe d1 show umfb 0 100 | joined)" "0 99 v1"
probe d1 write umfb 0 8 2
fault d1 add umfb powercut op=fua keep=0 inflight=new id=r >/dev/null
probe d1 write umfb 64 8 2 8 fua >/dev/null
fault d1 clear
like "... but FUA, which overtakes" "$(probe d1 show umfb 0 100 | joined)" "64 71 v2, 72 99 v1$"
like "inflight= is no word of a delay" "$(fault d1 add umfa delay time=1s inflight=new 2>&1)" "inflight"

# ---- ext4 ----

cat >"$blk_dir/load.$$" <<'S'
mount -t ext4 /dev/umfd /mnt || exit 9
mkdir -p /mnt/$1 || { umount /mnt; exit 8; }
n=0
while [ $n -lt 60 ]; do
	n=$((n + 1))
	echo "content of $n in $1" >/mnt/$1/f$n && /blk/blkprobe sync /mnt/$1/f$n >/dev/null || break
	echo $n >/tmp/synced
	[ $n -lt 5 ] || mv /mnt/$1/f$((n - 4)) /mnt/$1/g$n
done 2>/dev/null
umount /mnt
S
cat >"$blk_dir/look.$$" <<'S'
mount -t ext4 /dev/umfd /mnt || { echo "cannot be mounted"; exit; }
n=0
while [ $n -lt "$2" ]; do
	n=$((n + 1))
	{ cat /mnt/$1/f$n || cat /mnt/$1/g$((n + 4)); } 2>/dev/null | grep -q "^content of $n in $1\$" || echo "f$n of $2 is lost"
done
rm -r /mnt/$1
umount /mnt
S
bad='' files=0
for i in $(seq "$cuts"); do
	guest_exec d1 'echo 0 >/tmp/synced'
	# a commit block, or anything
	op=fua after=$((i * i * 7 % 50))
	[ $((i % 2)) = 0 ] || op=write after=$((i * i * 5 % 170))
	fault d1 add umfd powercut op=$op after=$after reorder=on inflight=torn seed="$i" id=r >/dev/null
	guest_exec d1 "sh /blk/load.$$ d$i" >/dev/null 2>&1
	fault d1 clear
	synced=$(guest_exec d1 'cat /tmp/synced')
	files=$((files + synced))
	out=$(guest_exec d1 "sh /blk/look.$$ d$i $synced" 2>&1)
	[ -z "$out" ] || bad+="cut $i: $out"$'\n'
	out=$(e2fsck -fn fs 2>&1) || bad+="cut $i: $out"$'\n'
done
rm "$blk_dir/load.$$" "$blk_dir/look.$$"
is "ext4: after $cuts cuts it mounts, is sound, and every synced file is there" "$bad" ""
check "there was something to lose ($files files)" test "$files" -gt "$cuts"
torn=$(grep -cE 'JBD2: .*(incomplete commit block|checksum|[Cc]ommit block)' "$(guest_log d1)" || :)
diag "$torn times the journal's commit block was torn, as jbd2 says"
[ "$cuts" -lt 100 ] || check "... and some tore the journal's commit block" test "$torn" -gt 0
done_testing
