#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
# Disks in virtual time: what an operation takes is the model's, to the microsecond; faults go by that time; the same run
# again is the same to the last byte of its images and of its write log.

. "$(dirname "$0")/../lib/clock.sh"
. "$(dirname "$0")/../lib/blk.sh"

cd "$WORK" || exit 1
truncate -s 32M base
ENODEV=19

# What guests run is on a disk of theirs: tar -xf /dev/umfz.
mkdir tools
cp "$blkprobe" tools/probe
cat >tools/churn <<'END'
fail() { echo "failed: $*"; }
mkdir /mnt/fs
mke2fs -F /dev/umfa >/dev/null && mount -t ext4 /dev/umfa /mnt/fs || fail mount
for n in $(seq 8); do
	dd if=/dev/urandom of=/mnt/fs/f$n bs=16k count=4 conv=fsync 2>/dev/null || fail write $n
	[ $n != 4 ] || rm /mnt/fs/f2
done
sync
echo 3 >/proc/sys/vm/drop_caches
sha1sum /mnt/fs/f*
umount /mnt/fs
blkdiscard -o 1048576 -l 65536 /dev/umfa || fail discard
sleep 5
echo "from here on /dev/umfb"
cat /proc/uptime
n=0
while dd if=/dev/urandom of=/dev/umfb bs=8k seek=$((n * 5 % 32)) count=1 oflag=direct 2>/dev/null; do
	n=$((n + 1))
	# not in the last second before the cut, which is to find something
	read -r up x </proc/uptime
	[ $((n % 6)) != 0 ] || [ "${up%.*}" -ge 7 ] || dd if=/dev/null of=/dev/umfb count=0 conv=fsync,notrunc 2>/dev/null
	usleep 100000
done
echo "power cut after $n writes"
cat /proc/uptime
sleep 5
sha1sum /dev/umfb
cat /proc/diskstats /proc/interrupts /sys/block/umf?/serial
END
cat >tools/times <<'END'
# until <hundredths of a second>
until_up() { read -r up x </proc/uptime; usleep $((($1 - ${up%.*} * 100 - 1${up#*.} + 100) * 10000)); }
probe write /dev/umfa 0 512 1 256
probe read /dev/umfa 0 8 8
probe read /dev/umfa 0 256 256
probe write /dev/umfa 8 8 2 8
probe write /dev/umfa 8 8 3 8 fua
probe sync /dev/umfa
for name in b d; do cp /bin/probe /bin/probe.$name; done
probe.b write /dev/umfb 0 64 1 64
probe.b read /dev/umfb 0 8 8
probe.b sync /dev/umfb
until_up 500
probe.d read /dev/umfa 0 8 8
probe.d read /dev/umfa 8 8 8
probe.d read /dev/umfa 16 8 8
until_up 980
for disk in umfc umfd umfe; do
	(probe write /dev/$disk 0 128 2 128 >/$disk; read -r up x </proc/uptime; echo "$disk: $(cat /$disk) at $up") &
done
wait
END
cat >tools/shared <<'END'
n=0
me=$(hostname)
while [ $n -lt 15 ]; do
	read -r up x </proc/uptime
	echo "$up $(dd if=/dev/umfa bs=4k count=1 iflag=direct 2>/dev/null | tr -d '\0')"
	echo "$me $n" | dd of=/dev/umfa bs=4k conv=sync,notrunc oflag=direct 2>/dev/null
	usleep $((RANDOM % 900))
	n=$((n + 1))
done
END
cat >tools/plugged <<'END'
until [ -e /dev/umfb ]; do usleep 100000; done
echo "plugged: $(probe show /dev/umfb 0 128), $(cat /sys/block/umfb/serial)"
probe write /dev/umfa 0 64 2 64
sleep 3
probe write /dev/umfa 32 64 3 64
sleep 10
echo "holds: $(probe show /dev/umfa 0 128 | tr '\n' ',')"
until probe read /dev/umfc 0 8 8 | grep -q .; do sleep 1; done
END
tar -cf tools.tar -C tools probe churn times shared plugged
rm -r tools

# guest <run> <seed> <script> [kernel argument…]
guest()
{
	clock_guest "$1" 1 "$2" umfz=../tools.tar,ro "${@:4}" -- "tar -xf /dev/umfz -C /bin; . /bin/$3"
}

# churn <run> <seed>: a file system whose reads are delayed by a rule, and a disk with a cache whose power is cut
churn()
{
	clock_start "$1" 1 --at '9.5s ./n1 fault stats' --at '9.5s ./n1 fault events since=0' --at '9.5s ./n1 disk umfa'
	truncate -s 256k "$1/disk"
	guest "$1" "$2" churn umfa=delta,backing=../base,log=log umfb=disk,cache=volatile:32k \
		umf="seed $2; add umfa delay op=read prob=40% time=5ms jitter=4ms id=slow; add umfa error op=discard id=no; add umfb powercut at=8s for=1s reorder=on torn=40% inflight=torn"
	clock_wait "$1" 180
}

# Somebody else is at work, and how long the host takes for its files is another each time.
(while :; do :; done) & load=$!
check "a guest with disks and faults" churn a 1
check "... with another seed" churn b 2
check "... with the first again" churn c 1
kill "$load"
for file in n1.out n1.calls clock.out delta disk log; do
	check "the same seed, the same run: $file" same a c "$file"
	check_fails "... with another it is not" cmp -s a/$file b/$file
done
like "the file system was read, what had been written" "$(grep -c '^[0-9a-f]\{40\}  /mnt/fs/f' a/n1.out):$(grep '^failed' a/n1.out)" '^7:failed: discard'
like "the rule has delayed" "$(grep 'slow umfa delay' a/clock.out)" 'fired=[1-9]'
like "the cut came, and something was under way or in the cache" "$(grep -o 'power cut, .*' a/n1.out)" 'of [1-9][0-9]* sectors'
like "the log goes on" "$(<a/clock.out)" 'log: [0-9]{2,} entries'

# took <run> <program> <call>: how long each of these system calls took, in us
took()
{
	awk -v program="$2" -v call="$3" '{
		name = pid = $2
		sub(/\[.*/, "", name)
		if (name == program && $3 == "call" && $4 == call)
			printf "%d\n", ($1 - last[pid]) / 1000
		last[pid] = $1 + ($3 == "call" ? 1000 : 0)
	}' "$1/n1.calls"
}

# expect_took <description> <took> <us>: that, and a few us at most for what else happens in the call
expect_took()
{
	check "$1: $2 us, to be $3" test "$2" -ge "$3" -a "$2" -le $(($3 + 5))
}

pread=17 pwrite=18 fsync=74
for disk in a b; do
	truncate -s 1M t.$disk
done
for disk in c d e; do
	raw_image t.$disk 128k 1
done
clock_start t 1
guest t 1 times umfa=../t.a,engine=threads umfb=../t.b,model=5ms:1M:20ms \
	umfc=../t.c,model=400ms umfd=../t.d,model=400ms umfe=../t.e,model=400ms,physical=512 \
	umf="seed 1; add umfa delay op=read sectors=0+8 time=10ms at=4s; add umfa hang op=read sectors=16+8 at=4s for=3500ms; add umfc powercut at=10s; add umfd powercut inflight=new at=10s; add umfe powercut inflight=torn seed=3 at=10s"
clock_wait t 180
mapfile -t us < <(took t probe $pread)
expect_took "4 KiB are read in 100 us and at 1 GiB/s" "${us[0]}" 103
expect_took "... 128 KiB" "${us[1]}" 222
mapfile -t us < <(took t probe $pwrite | sed -n 3,4p)
expect_took "... and written" "${us[0]}" 103
# for O_DSYNC a block device is synced as well, whatever is written with FUA
expect_took "... with FUA: that, a flush, and the kernel's own" "${us[1]}" 2103
expect_took "a flush takes 1 ms" "$(took t probe $fsync)" 1000
expect_took "model=5ms:1M:20ms: 4 KiB take 5 ms and 1/256 s" "$(took t probe.b $pread)" 8906
expect_took "... a flush 20 ms" "$(took t probe.b $fsync)" 20000
mapfile -t us < <(took t probe.d $pread)
expect_took "delay time=10ms: 10 ms later" "${us[0]}" 10103
expect_took "... only what it is about" "${us[1]}" 103
stuck=$(awk '$2 ~ /^probe\.d\[/ && $3 == "call" && $4 == 17 { t = $1 } END { print int(t / 1000) }' t/n1.calls)
expect_took "hang: done when the rule has gone, at 7.5 s" "$stuck" 7500103

# What has not taken its time yet when the power is cut is under way.
for disk in umfc umfd umfe; do
	like "$disk, cut in the middle of a write: it fails, then" "$(grep "^$disk: " t/n1.out)" "^$disk: 0 $ENODEV at 10\\.0"
done
is "... inflight=old: nothing of it is there" "$(map_of t.c 256)" "0 255 v1"
is "... new: all" "$(map_of t.d 256)" "0 127 v2, 128 255 v1"
like "... torn: a part" "$(map_of t.e 256)" '^0 [0-9]+ v2, [0-9]+ 255 v1$'

# Guests on one disk take turns, the same each time.
shared()
{
	local n

	clock_start "$1" 2
	truncate -s 64k "$1/disk"
	for n in 1 2; do
		clock_guest "$1" $n $n umfz=../tools.tar,ro umfa=disk,shared -- 'tar -xf /dev/umfz -C /bin; . /bin/shared'
	done
	clock_wait "$1" 180
}
check "two guests write and read one block" shared s
check "... and again" shared u
for file in n1.out n2.out n1.calls n2.calls disk; do
	check "both times the same: $file" same s u "$file"
done
for n in 1 2; do
	check "n$n has seen what the other wrote" grep -q "n$((3 - n)) [0-9]" s/n$n.out
done

# Plugged, copied and committed while it runs, and no time passes; in the end the host fails.
raw_image h.b 64k 1
raw_image h.c 64k 1
clock_start h 1 --at '1s ./n1 config ubda=../h.b' --at '1s ./n1 config vec0:transport=tap' --at '2s ./n1 config umfb=../h.b' \
	--at '4s ./n1 disk umfa snapshot kept' --at '7s ./n1 disk umfa commit' --at '7.000001s ./n1 disk umfa'
guest h 1 plugged umfa=delta,backing=../base umfc=../h.c umfd=../t.a,model=10parsecs umfe=../t.b,shared,model=10us
until_true 180 grep -q '^holds: ' h/n1.out
truncate -s 0 h.c
clock_wait h 180
answer()
{
	awk -v request="$1" 'index($0, " > " request) { getline; sub(/^[^ ]* [^ ]* */, ""); print; exit }' h/clock.out
}
like "no disk of ubd is plugged" "$(answer 'config ubda')" 'virtual time has no place for disks of ubd'
like "... and no vector NIC" "$(answer 'config vec0')" 'virtual time has no place for vector NICs'
like "a disk is" "$(grep -o 'plugged: .*' h/n1.out)" '^plugged: 0 127 v1, umf[0-9a-f]{16}'
check "a snapshot is made while it runs" grep -q 'umfa: what it held is kept as kept' h/n1.out
like "a commit is over at once" "$(grep -A 1 '^7.000001.* > disk umfa' h/clock.out | tail -n 1)" 'commit: none'
is "what it holds is right" "$(grep -o 'holds: .*' h/n1.out | tr -d '\r')" "holds: 0 31 v2,32 95 v3,96 127 zero,"
check "the snapshot is there" test -s h/kept
like "model= that is none is refused" "$(<h/n1.out)" 'umfd: model=: must be <access>'
like "... less than the lookahead for a shared disk, too" "$(<h/n1.out)" 'umfe: model=: a shared disk takes no less than .* lookahead, 100000 ns'
like "the host's failure makes the run void" "$(<h/n1.out)" 'umfc: the host has failed .*: this run is void'

guest_start real umfa="$WORK/t.a,model=1ms"
guest_wait_ready real
like "model= is refused in real time" "$(<"$(guest_log real)")" 'umfa: model= is for virtual time'
for run in a b t s h; do
	check "the log of $run is clean" scan_log $run/n1.out
done
done_testing
