#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What distributions and test suites count on in a kernel, tried with this machine's programs in a guest (umf-run).

. "$(dirname "$0")/../lib/guest.sh"

tool=$BIN/umf-run
[ -x "$tool" ] || skip_all "there is no $tool; make tools"
[ -x "$LINUX" ] || skip_all "there is no kernel $LINUX; make KERNEL=$KERNEL FLAVOR=$FLAVOR"
export UMF_KERNEL=$LINUX HOME=$WORK PATH=$PATH:/usr/sbin:/sbin
mem=256M
[ "$FLAVOR" != debug ] || mem=600M
cd "$WORK" || exit 1

# in_guest <description> <shell command>: each is one guest
in_guest()
{
	check "$1" "$tool" --mem "$mem" --timeout 120 -a "umfa=$WORK/disk" sh -ec "$2"
}

truncate -s 64M disk
mkfs.ext4 -q -F disk 32M
# Nothing of the disk is loaded on its own: the guest sees it, and it only.
in_guest "a mounted file system is grown, and tuned" 'mkdir /tmp/m; mount /dev/umfa /tmp/m; resize2fs /dev/umfa; tune2fs -c 5 /dev/umfa'
in_guest "mount -o loop" 'mkdir /tmp/m; truncate -s 30M /tmp/l; mkfs.ext4 -q -F /tmp/l; mount -o loop /tmp/l /tmp/m; umount /tmp/m'
if command -v ethtool >/dev/null; then
	in_guest "ethtool speaks netlink" 'ip link add dummy9 type dummy; ethtool -S dummy9 --all-groups'
fi
in_guest "devices: macvtap, ipvlan, ifb, nlmon" 'ip link add dummy9 type dummy; ip link add link dummy9 type macvtap
	ip link add dummy8 type dummy; ip link add link dummy8 type ipvlan; ip link add ifb9 type ifb; ip link add nlmon9 type nlmon'
done_testing
