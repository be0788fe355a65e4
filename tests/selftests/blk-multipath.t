#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
# dm-multipath over two shared disks on one image: a path that goes offline, or fails otherwise than by its medium, is
# left; nothing is lost; with no path left requests wait.

. "$(dirname "$0")/../lib/blk.sh"

command -v dmsetup >/dev/null || skip_all "there is no dmsetup"
cd "$WORK" || exit 1
truncate -s 8M image
blk_boot_host d1 mem=128M umfa="$WORK/image,shared" umfb="$WORK/image,shared"
guest_allow d1 '(I/O|critical \w+|device offline|recoverable transport|timeout) error, dev|Buffer I/O error on dev|device-mapper: multipath' "paths fail in this test"

dm()
{
	host_exec d1 "dmsetup --noudevsync --noudevrules $*"
}

a=$(guest_exec d1 'cat /sys/block/umfa/dev') b=$(guest_exec d1 'cat /sys/block/umfb/dev')
dm "create mp --table \"0 16384 multipath 1 queue_if_no_path 0 2 1 round-robin 0 1 1 $a 1 round-robin 0 1 1 $b 1\"" >/dev/null ||
	skip_all "dmsetup makes no multipath device here"

# "A" active, "F" failed; of umfa, then of umfb
paths()
{
	dm status mp | grep -o "\($a\|$b\) [AF]" | sed 's/.* //' | tr -d '\n'
}

model()
{
	guest_exec -t 120 d1 "/blk/blkmodel /dev/dm-0 - /tmp/model $1 $2 4 rwf 2>&1"
}

reads_of()
{
	fault d1 stats "$1" | sed -n 's/.* matched=\([0-9]*\).*/\1/p'
}

like "two paths" "$(model 1 300)" "^300 operations"
is "... work" "$(paths)" AA
for what in "offline" "error status=transport" "error status=ioerr" "error status=timeout op=write after=10"; do
	# shellcheck disable=SC2086 # words
	fault d1 add umfa $what id=r >/dev/null
	like "umfa: $what: all goes on" "$(model $RANDOM 300)" "^300 operations"
	is "... on the other path" "$(paths)" FA
	fault d1 clear umfa
	dm message mp 0 reinstate_path "$a" >/dev/null
	dm message mp 0 switch_group 1 >/dev/null
	is "... and back" "$(paths)" AA
done

# an error of the medium is the same on every path
fault d1 add umfa badsector sectors=0 id=r >/dev/null
like "umfa: badsector: is no path's fault" "$(probe d1 read dm-0 0 1)" "^0 61$"
is "... both stay" "$(paths)" AA
fault d1 clear umfa

# in the middle of it, up and down
fault d1 add umfa offline period=600ms duty=50% id=r >/dev/null
guest_exec d1 "(while [ ! -e /tmp/over ]; do chroot /host dmsetup --noudevsync message mp 0 reinstate_path $a; chroot /host dmsetup --noudevsync message mp 0 switch_group 1; sleep 0.1; done) >/dev/null 2>&1 &"
like "a path that comes and goes" "$(model 5 2000)" "^2000 operations"
guest_exec d1 ': >/tmp/over; sleep 0.3'
fault d1 clear umfa
dm message mp 0 reinstate_path "$a" >/dev/null

fault d1 add umfa offline >/dev/null
fault d1 add umfb offline >/dev/null
guest_exec d1 '(/blk/blkmodel /dev/dm-0 - /tmp/model 6 100 4 rwf >/tmp/out 2>&1; echo $? >>/tmp/out) &'
check "without a path" until_true 20 eval '[ "$(paths)" = FF ]'
is "... requests wait" "$(guest_exec d1 'cat /tmp/out')" ""
fault d1 clear
dm message mp 0 reinstate_path "$b" >/dev/null
check "until there is one" until_true 20 guest_exec d1 'grep -q "^0" /tmp/out'
is "... and are done" "$(guest_exec d1 'cat /tmp/out' | joined)" "100 operations, 0"

dm message mp 0 reinstate_path "$a" >/dev/null
guest_exec d1 'cat /tmp/model >/host/tmp/model'
like "in the end all is there" "$(model 1 0)" "^0 operations"
guest_exec d1 "mkdir -p /w && mount -t hostfs -o $WORK none /w && cp /tmp/model /w/model"
dm remove mp >/dev/null
guest_stop d1
check "... in the image" cmp model image
done_testing
