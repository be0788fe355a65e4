#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
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
	[ $((n % 6)) != 0 ] || dd if=/dev/null of=/dev/umfb count=0 conv=fsync,notrunc 2>/dev/null
	usleep 20000
done
echo "power cut after $n writes"
cat /proc/uptime
sleep 5
sha1sum /dev/umfb
cat /proc/diskstats /proc/interrupts /sys/block/umf?/serial
END
cat >tools/times <<'END'
probe write /dev/umfa 0 512 1 256
probe read /dev/umfa 0 8 8
probe read /dev/umfa 0 256 256
probe write /dev/umfa 8 8 2 8
probe write /dev/umfa 8 8 3 8 fua
probe sync /dev/umfa
cp /bin/probe /bin/probe.b
probe.b write /dev/umfb 0 64 1 64
probe.b read /dev/umfb 0 8 8
probe.b sync /dev/umfb
cp /bin/probe /bin/probe.d
while read -r up x </proc/uptime; [ "${up%.*}" -lt 5 ]; do sleep 0.1; done
probe.d read /dev/umfa 0 8 8
probe.d read /dev/umfa 8 8 8
probe.d read /dev/umfa 16 8 8
sleep 1000
END
tar -cf tools.tar -C tools probe churn times
rm -r tools

# guest <run> <seed> <script> [kernel argument…]
guest()
{
	clock_guest "$1" 1 "$2" umfz=../tools.tar,ro "${@:4}" -- "tar -xf /dev/umfz -C /bin; . /bin/$3"
}

# churn <run> <seed>: a file system whose reads are delayed by a rule, and a disk with a cache whose power is cut
churn()
{
	clock_start "$1" 1 --at '8s ./n1 fault add umfb powercut reorder=on torn=40% inflight=torn id=cut' --at '9s ./n1 fault clear umfb' \
		--at '9s ./n1 fault stats' --at '9s ./n1 fault events since=0' --at '9s ./n1 disk umfa'
	truncate -s 256k "$1/disk"
	guest "$1" "$2" churn umfa=delta,backing=../base,log=log umfb=disk,cache=volatile:32k \
		umf="seed $2; add umfa delay op=read prob=40% time=5ms jitter=4ms id=slow; add umfa error op=discard id=no"
	clock_wait "$1"
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
like "the rule has delayed" "$(grep 'slow ' a/clock.out | tail -n 1)" 'fired=[1-9]'
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
truncate -s 1M t.a
truncate -s 1M t.b
clock_start t 1 --at '4s ./n1 fault add umfa delay op=read sectors=0+8 time=10ms' --at '4s ./n1 fault add umfa hang op=read sectors=16+8 id=stuck' \
	--at '7.5s ./n1 fault del stuck' --at '9s ./n1 kill'
guest t 1 times umfa=../t.a,engine=threads umfb=../t.b,model=5ms:1M:20ms
clock_wait t
mapfile -t us < <(took t probe $pread)
expect_took "4 kB are read in 100 us and at 1 GB/s" "${us[0]}" 104
expect_took "... 128 kB" "${us[1]}" 231
mapfile -t us < <(took t probe $pwrite | tail -n 2)
expect_took "... and written" "${us[0]}" 104
expect_took "... with FUA, that and a flush" "${us[1]}" 1104
expect_took "a flush takes 1 ms" "$(took t probe $fsync)" 1000
expect_took "model=5ms:1M:20ms: 4 kB take 5 ms and 1/256 s" "$(took t probe.b $pread)" 8906
expect_took "... a flush 20 ms" "$(took t probe.b $fsync)" 20000
mapfile -t us < <(took t probe.d $pread)
expect_took "delay time=10ms: 10 ms later" "${us[0]}" 10104
expect_took "... only what it is about" "${us[1]}" 104
stuck=$(awk '$2 ~ /^probe\.d\[/ && $3 == "call" && $4 == 17 { t = $1 } END { print int(t / 1000) }' t/n1.calls)
expect_took "hang: done when the rule has gone, at 7.5 s" "$stuck" 7500104
check "the log is clean" scan_log t/n1.out
done_testing
