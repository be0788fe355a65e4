#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A /dev/shm as containers have it, small or mounted noexec: the kernel takes another folder for its memory, or one line says
# what would help.

. "$(dirname "$0")/../lib/guest.sh"

# in_mounts <commands>: in a mount namespace of its own
in_mounts()
{
	local map=
	[ "$(id -u)" = 0 ] || map=-r
	unshare $map -m bash -c "$1"
}
in_mounts 'mount -t tmpfs none /dev/shm' 2>/dev/null || skip_all "nothing can be mounted here, not even in a namespace"

# boot <size of /dev/shm> <an option of its mount> <TMPDIR=…, or -u TMPDIR>: the status of `linux` in $status, its words in $out
boot()
{
	status=0
	out=$(in_mounts "mount -t tmpfs -o size=$1,$2 none /dev/shm && env -u TMP -u TEMP $3 timeout 100 '$LINUX' \
		mem=128M initrd='$INITRAMFS' con=null con0=null,fd:1 kunit.enable=0 umid=tmpdir uml_dir='$UML_DIR/' -- true \
		</dev/null 2>&1") || status=$?
}

boot 64m noexec "-u TMPDIR"
is "/dev/shm is mounted noexec: the guest runs" "$status" 0
like "... as another folder is taken" "$out" '/dev/shm is mounted noexec, trying another one'
boot 64m noexec TMPDIR=/dev/shm
is "TMPDIR names it: the guest does not run" "$status" 1
like "... and is told what would help" "$out" '/dev/shm must be not mounted noexec; TMPDIR can name another folder'
boot 64m exec "-u TMPDIR"
is "/dev/shm is smaller than the memory: the guest runs" "$status" 0
like "... and is told what would help" "$out" 'Warning: memory is [0-9]+ MB, /dev/shm has [0-9]+ MB: .*; TMPDIR can name another folder'
boot 256m exec "-u TMPDIR"
is "it is large enough: the guest runs" "$status" 0
check_fails "... and nothing is said" grep TMPDIR <<<"$out"
boot 256m exec TMPDIR=/nowhere
like "TMPDIR names what is not there" "$out" 'cannot create a file in /nowhere: No such file or directory; TMPDIR can name another folder'
done_testing
