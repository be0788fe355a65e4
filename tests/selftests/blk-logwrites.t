#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The kernel's own dm-log-writes on a disk that has a log, too: both say the same of the same operations, and umf-cow reads
# and replays either.

. "$(dirname "$0")/../lib/blk.sh"

cow=$BIN/umf-cow
command -v dmsetup >/dev/null || skip_all "there is no dmsetup"
cd "$WORK" || exit 1
raw_image image 8M 1
cp image before
truncate -s 64M theirs
blk_boot_host d1 mem=128M umfa="$WORK/image,log=$WORK/ours" umfb="$WORK/theirs"

dm()
{
	host_exec d1 "dmsetup --noudevsync --noudevrules $*"
}

# listed <log>: without marks, which each has of its own
listed()
{
	"$cow" replay "$1" | sed -e 's/^[0-9]* //' -e '/^mark/d'
}

dm 'create lw --table "0 16384 log-writes /dev/umfa /dev/umfb"' >/dev/null || skip_all "dmsetup makes no log-writes device here"
probe d1 write dm-0 0 64 2 8
dm message lw 0 mark first
probe d1 sync dm-0
probe d1 write dm-0 100 64 3 32
probe d1 write dm-0 8 8 4 8 fua
probe d1 discard dm-0 200 64
probe d1 zero dm-0 300 16
probe d1 write dm-0 204 8 5
probe d1 sync dm-0
guest_exec d1 '/blk/blkmodel /dev/dm-0 - /tmp/model 7 200 1 wzf >/dev/null 2>&1'
probe d1 sync dm-0
dm remove lw
guest_stop d1
listed theirs >theirs.list
listed ours >ours.list
check "dm-log-writes has logged ($(wc -l <theirs.list) entries)" test "$(wc -l <theirs.list)" -gt 100
check "... and we the same" diff theirs.list ours.list
is "its marks are read" "$("$cow" replay theirs | grep -o 'mark .*' | joined)" "mark first, mark dm-log-writes-end"
for log in theirs ours; do
	cp before replayed
	check "$log is done again" "$cow" replay -q "$log" replayed
	check "... bit by bit" cmp replayed image
done
done_testing
