#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# A raw image: what is written is read, in the guest and on the host, by every kind of request; a disk comes and goes;
# a root file system boots from it.

. "$(dirname "$0")/../lib/blk.sh"

raw_image "$WORK/a.img" 64M
raw_image "$WORK/odd.img" 1000100
blk_boot d1 umfa="$WORK/a.img"

size_of()
{
	guest_exec d1 "cat /sys/block/$1/size"
}

is "its size in sectors" "$(size_of umfa)" 131072
expect_map "an empty image reads as zeros" d1 umfa 131072 "0 131071 zero"
check "writes of 1 sector" probe d1 write umfa 0 100 1 1
check "writes of 7 sectors" probe d1 write umfa 100 700 2 7
check "writes of 1 MiB" probe d1 write umfa 4096 8192 3 2048
expect_map "are read" d1 umfa 20000 "0 99 v1, 100 799 v2, 800 4095 zero, 4096 12287 v3, 12288 19999 zero"
is "and are in the host's file" "$(map_of "$WORK/a.img" 20000)" \
	"0 99 v1, 100 799 v2, 800 4095 zero, 4096 12287 v3, 12288 19999 zero"
check "the last sector can be written" probe d1 write umfa 131071 1 9
check_fails "none behind it can" probe d1 write umfa 131072 1 9
expect_map "through the page cache, too" d1 umfa 100 "0 99 v1"

# ---- discard and write-zeroes: sparse stays sparse ----

check "all of it can be discarded" probe d1 discard umfa 4096 8192
expect_map "and reads as zeros on a raw image" d1 umfa 20000 "0 99 v1, 100 799 v2, 800 19999 zero"
check "the host has its space back" test "$(stat -c %b "$WORK/a.img")" -lt 2000
check "zeros are written" probe d1 zero umfa 50 100
expect_map "where they should" d1 umfa 1000 "0 49 v1, 50 149 zero, 150 799 v2, 800 999 zero"
check "fsync() works" probe d1 sync umfa

# ---- options, sysfs ----

like "a size that is no multiple of a sector" "$(plug d1 umfb="$WORK/odd.img")" "^(OK)?$"
is "is rounded up" "$(size_of umfb)" 1954
check "the sector the file holds in part can be read" probe d1 show umfb 1953 1
check "and written" probe d1 write umfb 1953 1 5
is "the file keeps its size" "$(stat -c %s "$WORK/odd.img")" 1000100
check "unplugged" unplug d1 umfb
check "it is gone" guest_exec d1 '! [ -e /sys/block/umfb ]'
cp "$WORK/a.img" "$WORK/c.img"
check "plugged as 4096 byte blocks, with a serial number" plug d1 umfb="$WORK/c.img,ro,shared,logical=4096,serial=abc-1"
is "logical_block_size" "$(guest_exec d1 'cat /sys/block/umfb/queue/logical_block_size')" 4096
is "serial" "$(guest_exec d1 'cat /sys/block/umfb/serial')" abc-1
is "ro" "$(guest_exec d1 'cat /sys/block/umfb/ro')" 1
check_fails "a read-only disk is not written" guest_exec d1 'dd if=/dev/zero of=/dev/umfb bs=4096 count=1 oflag=direct'
like "what mconsole says of it" "$(mc d1 config umfb)" "c.img,ro,shared,logical=4096,serial=abc-1.*131072 sectors, 1 file"
guest_exec d1 'exec sleep 30 </dev/umfb & echo $! >/tmp/pid; sleep 0.2'
like "a disk in use is not unplugged" "$(unplug d1 umfb)" "in use"
guest_exec d1 'kill $(cat /tmp/pid); sleep 0.2'
check "then it is" unplug d1 umfb
check "write cache and FUA are announced" guest_exec d1 \
	'[ "$(cat /sys/block/umfa/queue/write_cache)" = "write back" ] && [ "$(cat /sys/block/umfa/queue/fua)" = 1 ]'

# ---- a file system, over two boots ----

mkfs.ext4 -q -F "$WORK/a.img" 2>/dev/null && guest_stop d1
blk_boot d1 umfa="$WORK/a.img"
check "ext4 is mounted and filled" guest_exec d1 \
	'mount -t ext4 /dev/umfa /mnt && for i in 1 2 3; do cp -a /bin /mnt/$i || exit; done && find /mnt -type f | sort | xargs md5sum >/tmp/sums && cp /tmp/sums /mnt/ && umount /mnt'
check "e2fsck on the host finds nothing" e2fsck -fn "$WORK/a.img"
guest_stop d1
blk_boot d1 umfa="$WORK/a.img"
check "after a boot all is there" guest_exec d1 'mount -t ext4 -o ro /dev/umfa /mnt && md5sum -c /mnt/sums >/dev/null'
guest_exec d1 'umount /mnt'
guest_stop d1

if [ -e "$ROOTFS_EXT4" ]; then
	check "a root file system boots, on a delta" guest_run d2 root=/dev/umfa rw init=/init umfa="$WORK/root.cow,backing=$ROOTFS_EXT4" -- \
		'grep -q "^/dev/root / ext4\|umfa / ext4" /proc/mounts'
else
	skip "a root file system boots, on a delta" "there is no $ROOTFS_EXT4"
fi
done_testing
