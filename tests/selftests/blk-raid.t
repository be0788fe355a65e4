#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
# MD over disks that fail: RAID1 and RAID5 lose a disk by errors, and by its going offline, and are rebuilt; bad sectors
# are read from the other disk and rewritten. All the time the data is that of a model.

. "$(dirname "$0")/../lib/blk.sh"

command -v mdadm >/dev/null || skip_all "there is no mdadm"
cd "$WORK" || exit 1
truncate -s 10M a b
truncate -s 5M c d e
blk_boot_host d1 mem=192M umfa="$WORK/a" umfb="$WORK/b" umfc="$WORK/c" umfd="$WORK/d" umfe="$WORK/e"
guest_allow d1 '(I/O|critical \w+|device offline) error, dev umf|Buffer I/O error on dev|md/raid|md: super_written' "disks fail in this test"
guest_exec d1 'echo 200000 >/proc/sys/dev/raid/speed_limit_min'

md_of()
{
	guest_exec d1 "cat /sys/block/$1/md/$2"
}

# make <array> <level> <disks>
make()
{
	host_exec d1 "mdadm --create /dev/$1 --run --assume-clean --quiet --metadata=1.2 --bitmap=none --level=$2 --raid-devices=$(wc -w <<<"$3") $3 2>&1" ||
		skip_all "mdadm makes no array here"
}

# model <array> <seed> <operations>: four processes at once
model()
{
	guest_exec -t 120 d1 "/blk/blkmodel /dev/$1 - /tmp/$1.model $2 $3 4 rwf 2>&1"
}

faulty()
{
	md_of "$1" "dev-$2/state" | grep -q faulty
}

whole()
{
	[ "$(md_of "$1" degraded) $(md_of "$1" sync_action)" = "0 idle" ]
}

# rebuild <array> <disk>
rebuild()
{
	host_exec d1 "mdadm --quiet /dev/$1 --remove /dev/$2 && mdadm --quiet --zero-superblock /dev/$2 && mdadm --quiet /dev/$1 --add /dev/$2" &&
		until_true 60 whole "$1"
}

mismatches()
{
	guest_exec d1 "echo check >/sys/block/$1/md/sync_action"
	until_true 60 whole "$1"
	md_of "$1" mismatch_cnt
}

# lose <array> <disk> <seed> <rule…>: by that rule, while it is used
lose()
{
	local array=$1 disk=$2 seed=$3
	shift 3

	fault d1 add "$disk" "$@" id=r >/dev/null || exit 1
	like "$array: $disk: $1: all goes on" "$(model "$array" "$seed" 300)" "^300 operations"
	check "... $disk is out" until_true 20 faulty "$array" "$disk"
	is "... and no other" "$(md_of "$array" degraded)" 1
	fault d1 clear "$disk"
	check "... it is rebuilt" rebuild "$array" "$disk"
	is "... from the others, rightly" "$(mismatches "$array")" 0
	like "... and all is there" "$(model "$array" 1 0)" "^0 operations"
}

make md0 1 "/dev/umfa /dev/umfb"
like "RAID1" "$(model md0 1 300)" "^300 operations"
lose md0 umfb 2 error op=write after=20
lose md0 umfa 3 offline

# MD reads a bad sector from the other disk, and rewrites it
first=$(md_of md0 dev-umfa/offset)
fault d1 add umfa badsector sectors=$((first + 1000))+16 id=bad >/dev/null
fault d1 add umfb badsector sectors=$((first + 3000))+16 id=bad2 >/dev/null
check_fails "sectors of umfa cannot be read" probe d1 read umfa $((first + 990)) 40
check_fails "... nor of umfb" probe d1 read umfb $((first + 2990)) 40
for i in 1 2 3 4; do
	like "bad sectors on both disks, at different places, round $i" "$(model md0 $((10 + i)) 200)" "^200 operations"
done
guest_exec d1 'echo check >/sys/block/md0/md/sync_action'
check "a check goes over all" until_true 60 whole md0
check "... they were met" test "$(stat_of d1 bad fired)" -ge 1 -a "$(stat_of d1 bad2 fired)" -ge 1
check "... are rewritten, and good" eval 'probe d1 read umfa $((first + 990)) 40 && probe d1 read umfb $((first + 2990)) 40'
is "... and no disk was lost" "$(md_of md0 degraded)" 0
fault d1 clear

make md1 5 "/dev/umfc /dev/umfd /dev/umfe"
guest_exec d1 'echo resync >/sys/block/md1/md/sync_action'
until_true 60 whole md1
like "RAID5" "$(model md1 1 300)" "^300 operations"
lose md1 umfd 2 error op=write after=30 status=timeout
lose md1 umfe 3 offline

host_exec d1 'mdadm --quiet --stop /dev/md0 /dev/md1'
guest_stop d1
done_testing
