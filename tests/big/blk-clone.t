#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
# A root file system of 2 GB for four guests: each costs what it writes; snapshot, change, rollback brings back every bit; a
# delta that is copied is a guest that is copied.

. "$(dirname "$0")/../lib/blk.sh"

cow=$BIN/umf-cow
[ -e "$ROOTFS_EXT4" ] || skip_all "there is no $ROOTFS_EXT4"
cd "$WORK" || exit 1
cp --sparse=always "$ROOTFS_EXT4" root
truncate -s 2G root
e2fsck -fy root >/dev/null 2>&1
resize2fs root >/dev/null 2>&1 || skip_all "resize2fs cannot make it larger"
# something that a copy would cost: half a gigabyte that is no hole
head -c 512M /dev/urandom >fill
debugfs -w -R 'write fill fill' root >/dev/null 2>&1
rm fill
kilobytes()
{
	du -k --total "$@" | tail -n 1 | cut -f 1
}

is "the root file system has 2 GB" "$(stat -c %s root)" $((2 << 30))
base=$(kilobytes root)
check "... and costs half a gigabyte ($base KB)" test "$base" -gt 500000
sum=$(md5sum <root)
check "four clones" "$cow" clone root g1 g2 g3 g4
check "... cost nothing ($(kilobytes g1 g2 g3 g4) KB)" test "$(kilobytes g1 g2 g3 g4)" -lt 200

# boot <image>…: guests with these as their root
boot()
{
	local image

	for image in "$@"; do
		blk_boot "$image" root=/dev/umfa rw init=/init umfa="$WORK/$image"
	done
}
boot g1 g2 g3 g4
for n in 1 2 3 4; do
	guest_exec "g$n" "dd if=/dev/urandom of=/own bs=64k count=$((n * 16)) 2>/dev/null; echo guest $n >/name; sync"
done
for n in 1 2 3 4; do
	is "g$n has its own" "$(guest_exec "g$n" 'cat /name; stat -c %s /own /fill')" "guest $n"$'\n'$((n << 20))$'\n'$((512 << 20))
	guest_stop "g$n"
done
for n in 1 2 3 4; do
	cost=$(kilobytes "g$n")
	check "g$n costs what it wrote, $n MB and some metadata ($cost KB)" test "$cost" -ge $((n * 1024)) -a "$cost" -lt $((n * 1024 + 4096))
done
diag "du: root $base KB, four guests $(kilobytes g1 g2 g3 g4) KB"
is "the root file system is as it was" "$(md5sum <root)" "$sum"

# ---- snapshot, change, rollback ----

content()
{
	rm -f flat
	"$cow" convert "$1" flat && md5sum <flat
}
before=$(content g1)
check "snapshot" "$cow" snapshot g1 g1.before
boot g1
guest_exec g1 'echo changed >/name; rm /own; dd if=/dev/zero of=/fill bs=1M count=4 conv=notrunc 2>/dev/null; sync'
guest_stop g1
check "it is changed" test "$(content g1)" != "$before"
check "rollback" "$cow" rollback g1
is "... every bit is back" "$(content g1)" "$before"
boot g1
is "... for the guest, too" "$(guest_exec g1 'cat /name; stat -c %s /own')" $'guest 1\n1048576'
guest_stop g1

# ---- the old way: the delta file is copied ----

check "a delta is copied" cp --sparse=always g2 g5
check "... which costs no more ($(kilobytes g5) KB)" test "$(kilobytes g5)" -le $(($(kilobytes g2) + 1024))
boot g5
is "... it is the guest that it was" "$(guest_exec g5 'cat /name; stat -c %s /own; echo guest 5 >/name; sync')" $'guest 2\n2097152'
guest_stop g5
boot g2
is "... and that one goes on" "$(guest_exec g2 'cat /name')" "guest 2"
guest_stop g2
cp --sparse=always g3 g3.kept
boot g3
guest_exec g3 'echo lost >/name; sync'
guest_stop g3
cp --sparse=always g3.kept g3
boot g3
is "... copied back it is as it was" "$(guest_exec g3 'cat /name')" "guest 3"
guest_stop g3
check "all are sound" "$cow" check -q g1 g2 g3 g4 g5
done_testing
