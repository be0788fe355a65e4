#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
# What file systems do when the disk fails: XFS shuts down, ext4 becomes read-only, a task that waits is reported; what was
# synced is there once the disk is well again.

. "$(dirname "$0")/../lib/blk.sh"

cd "$WORK" || exit 1
truncate -s 320M xfs
truncate -s 32M ext4
mkfs.ext4 -q -F -e remount-ro ext4 2>/dev/null
args=(umfb="$WORK/ext4")
have_xfs=
if mkfs.xfs -q -f xfs 2>/dev/null; then
	have_xfs=y
	args+=(umfa="$WORK/xfs")
fi
blk_boot d1 mem=160M "${args[@]}"
guest_allow d1 '(I/O|critical \w+) error, dev umf|Buffer I/O error on dev|lost (async|sync) page write' "the disk fails in this test"

# files <folder> <from> <to>: writes and syncs files; those that are synced
files()
{
	guest_exec -t 120 d1 "cd $1 && for n in \$(seq $2 $3); do echo content of \$n >f\$n && /blk/blkprobe sync f\$n && echo synced \$n; done" 2>/dev/null |
		sed -n 's/^synced \([0-9]*\).*/\1/p' | tr '\n' ' '
}

# all_there <folder> <files>
all_there()
{
	guest_exec d1 "for n in $2; do [ \"\$(cat $1/f\$n)\" = \"content of \$n\" ] || exit; done"
}

log_has()
{
	grep -qE "$1" "$(guest_log d1)"
}

guest_exec d1 'mkdir -p /x /e'
if [ -z "$have_xfs" ]; then
	skip "XFS shuts down" "there is no mkfs.xfs (xfsprogs)"
elif ! guest_exec d1 'mount -t xfs /dev/umfa /x'; then
	not_ok "XFS is mounted"
else
	guest_allow d1 'XFS \(umfa\)' "XFS shuts down in this test"
	is "XFS: files are written" "$(files /x 1 20)" "$(seq -s ' ' 20) "
	rule d1 error op=write,flush after=15
	more=$(files /x 21 100)
	check "... until the disk fails (${more:-none})" test "$(wc -w <<<"$more")" -lt 20
	# the data of a file is the file's own matter; the log is everybody's
	guest_exec d1 'sync'
	check "it shuts down" until_true 20 log_has 'XFS \(umfa\).*[Ss]hutting down|XFS \(umfa\).*Filesystem has been shut down'
	check_fails "... and nothing is written any more" guest_exec d1 'echo >/x/more'
	check_fails "... nor read" guest_exec d1 'ls /x/'
	fault d1 clear
	check "it is mounted again, its log is replayed" guest_exec d1 'umount /x && mount -t xfs /dev/umfa /x'
	check "what was synced is there" all_there /x "$(seq -s " " 20) $more"
	guest_exec d1 'umount /x'
	unplug d1 umfa >/dev/null
	check "xfs_repair finds nothing" xfs_repair -n xfs
fi

ext4_rule()
{
	fault d1 add umfb "$@" id=e >/dev/null || exit 1
}
guest_allow d1 'EXT4-fs|JBD2|Aborting journal' "ext4 has errors in this test"
check "ext4 is mounted" guest_exec d1 'mount -t ext4 /dev/umfb /e'
is "ext4: files are written" "$(files /e 1 20)" "$(seq -s ' ' 20) "
ext4_rule error op=write,flush after=15
more=$(files /e 21 100)
check "... until the disk fails (${more:-none})" test "$(wc -w <<<"$more")" -lt 20
check "it is read-only" until_true 20 guest_exec d1 'grep -q "/e ext4 ro" /proc/mounts || ! touch /e/more'
fault d1 clear
guest_exec d1 'umount /e'
e2fsck -fy ext4 >/dev/null 2>&1
check "e2fsck replays its journal" test $? -le 1
check "it is mounted again" guest_exec d1 'mount -t ext4 /dev/umfb /e'
check "what was synced is there" all_there /e "$(seq -s " " 20) $more"
guest_exec d1 'umount /e'

# ---- a task that waits ----

if guest_exec d1 'echo 1 >/proc/sys/kernel/hung_task_timeout_secs && echo 1 >/proc/sys/kernel/hung_task_check_interval_secs' 2>/dev/null; then
	guest_allow d1 'blocked.* for more than|Call Trace' "a task hangs in this test"
	# direct I/O hides from the watchdog, and so does a task that may be killed
	ext4_rule hang op=write
	guest_exec d1 'dd if=/dev/zero of=/dev/umfb bs=4k count=1 conv=fsync >/dev/null 2>&1 &'
	check "hang: the kernel reports the task" until_true 30 log_has 'task dd:[0-9]+ blocked.* for more than'
	fault d1 clear
	guest_exec d1 'echo 0 >/proc/sys/kernel/hung_task_timeout_secs'
	check "... which goes on when the rule ends" until_true 20 guest_exec d1 '! pidof dd'
else
	skip "hang: the kernel reports the task" "this kernel watches no tasks"
fi
guest_stop d1
done_testing
