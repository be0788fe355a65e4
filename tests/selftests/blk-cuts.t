#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 3000
# Power cuts under ext4 and XFS, at seeded points of a load that syncs: what was synced is there after the file system has
# recovered, in every cut; with a flush that lies the loss is found. BLK_CUTS is how many for each (8), BLK_CUT_SEED the
# first one's seed (1).

. "$(dirname "$0")/../lib/blk.sh"

cuts=${BLK_CUTS:-8} seed=${BLK_CUT_SEED:-1}
cd "$WORK" || exit 1
mkdir w
truncate -s 40M ext4
mkfs.ext4 -q -F ext4 2>/dev/null
args=(umfa="$WORK/ext4,cache=volatile")
truncate -s 320M xfs
have_xfs=
if mkfs.xfs -q -f xfs 2>/dev/null; then
	have_xfs=y
	args+=(umfb="$WORK/xfs,cache=volatile:64M")
fi

# In the guest, cuts <type> <disk> <cuts> <seed> [rule, in place of none]: a line "lost <seed> <what>" for each loss, and
# last "<cuts that were made> <files synced> <writes synced>".
cat >w/cuts <<'E2'
type=$1 disk=$2 cuts=$3 seed=$4 lie=$5 control=/proc/umf/control
made=0 files=0 writes=0
say() { printf '%s' "$1" >$control || { echo "lost $n: the rule '$1' was refused: $(cat $control)"; exit; } }
mkdir -p /m
mount -t $type /dev/$disk /m || exit
dd if=/dev/zero of=/m/data bs=64k count=32 conv=fsync 2>/dev/null
for n in $(seq $seed $((seed + cuts - 1))); do
	rm -rf /m/d
	mkdir /m/d
	sync
	[ -z "$lie" ] || say "add $disk $lie"
	say "add $disk powercut op=write,flush after=$((n * 7919 % 997)) reorder=on seed=$n id=cut"
	/blk/blkprobe stress /m/data 4096 $n 1 7 >/tmp/log 2>/dev/null &
	stress=$!
	# files of their own, synced and renamed
	i=0
	while [ $i -lt 400 ]; do
		i=$((i + 1))
		echo "content of $n $i" >/m/d/new && /blk/blkprobe sync /m/d/new >/dev/null && mv /m/d/new /m/d/f$i || break
		[ $i -lt 2 ] || echo $((i - 1))
	done >/tmp/files 2>/dev/null
	# a rename is on the disk once something later was synced
	wait $stress
	grep -q fired=1 <<-E3 && made=$((made + 1))
	$(printf 'stats cut' >$control; cat $control)
	E3
	say "clear $disk"
	umount /m
	mount -t $type /dev/$disk /m || { echo "lost $n: it cannot be mounted again"; exit; }
	out=$(/blk/blkprobe check /m/data 4096 $n 1 /tmp/log F 7) || echo "lost $n: $out"
	writes=$((writes + ${out%% writes*}))
	last=$(tail -n 1 /tmp/files)
	for i in $(seq ${last:-0}); do
		[ "$(cat /m/d/f$i)" = "content of $n $i" ] || echo "lost $n: f$i of $last"
	done
	files=$((files + ${last:-0}))
done
umount /m
echo $made $files $writes
E2

blk_boot d1 mem=192M share="$WORK/w:/w" "${args[@]}"
guest_allow d1 '(I/O|critical \w+|device offline) error, dev umf|Buffer I/O error on dev|lost (async|sync) page write|EXT4-fs|JBD2|Aborting journal|XFS \(umf' "the power is cut in this test"

# run <type> <disk>
run()
{
	local out count

	out=$(guest_exec -t 3000 d1 "sh /w/cuts $1 $2 $cuts $seed 2>&1")
	count=$(tail -n 1 <<<"$out")
	diag "$1: cuts, synced files, synced writes: $count"
	is "$1: in $cuts cuts nothing synced is lost" "$(grep lost <<<"$out" | head -n 20)" ""
	is "... which were made" "${count%% *}" "$cuts"
	check "... and there was something to lose" test "$(cut -d' ' -f2 <<<"$count")" -gt $((cuts * 2)) -a "$(cut -d' ' -f3 <<<"$count")" -gt $((cuts * 2))
	check "with a flush that lies the loss is found" \
		grep -q lost <<<"$(guest_exec -t 300 d1 "sh /w/cuts $1 $2 6 $((seed + 1000)) flushlie 2>&1")"
}

run ext4 umfa
if [ -n "$have_xfs" ]; then
	run xfs umfb
else
	skip "XFS" "there is no mkfs.xfs (xfsprogs)"
fi
guest_exec d1 'umount /m' 2>/dev/null
guest_stop d1
done_testing
