#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab: root file systems on disk images, snapshots of a whole lab, a lab as one file, a debugger.

. "$(dirname "$0")/../lib/lab.sh"

mkdir lab other
LAB=$WORK/lab/t.lab
cp --sparse=always "$ROOTFS_EXT4" other/root.ext4
truncate -s 4M lab/base.img
cat >"$LAB" <<E
memory = $GUEST_MEM
seed = 3
segment pub {}
guest n1 {
	rootfs = ../other/root.ext4
	nic eth0 { segment = pub ip = 10.0.0.1/24 }
	disk umfa { image = common.img size = 8M shared = true }
}
guest n2 {
	rootfs = $WORK/other/root.ext4
	nic eth0 { segment = pub ip = 10.0.0.2/24 }
	disk umfa { image = common.img size = 8M shared = true }
	disk umfb { backing = base.img }
}
E
sum=$(md5sum <other/root.ext4)
run lab up
is "two guests on one image: status" "$status: $err" "0: "
check "each has a delta of its own" lab exec n1 'echo mine >/mine; sync'
check_fails "... that the other does not see" lab exec n2 'test -e /mine'
check "they reach each other" lab exec n2 'ping -c 1 -W 5 10.0.0.1'

# write <value>: to the shared disk by n1 and to the delta by n2, one after the other
write()
{
	lab exec n1 "echo $1 | dd of=/dev/umfa conv=fsync 2>/dev/null" &&
		lab exec n2 "echo $1 | dd of=/dev/umfb conv=fsync 2>/dev/null"
}
seen()
{
	echo "$(lab exec n1 'head -n 1 /dev/umfa') $(lab exec n2 'head -n 1 /dev/umfb')"
}

# ---- snapshots ----

write first
# the one counts on its disk, tells the other, and that one writes it down: never may it know more than there is
lab exec n2 'sleep 1000 | nc -l -p 7 | while read n; do echo $n | dd of=/dev/umfb seek=1 conv=fsync 2>/dev/null; done' >/dev/null 2>&1 &
until_true 10 lab exec n2 'grep -q ":0007 " /proc/net/tcp*'
lab exec n1 'n=0; while :; do n=$((n + 1)); echo $n | dd of=/dev/umfa seek=1 conv=fsync 2>/dev/null; echo $n; done | nc 10.0.0.2 7' >/dev/null 2>&1 &
until_true 20 lab exec n2 'test "$(dd if=/dev/umfb skip=1 count=1 2>/dev/null | head -n 1 | tr -dc 0-9)" -gt 5'
# slow copies: what the guests would do between two of them would show
mkdir slow
printf '#!/bin/sh\nsleep 0.3\nexec %s "$@"\n' "$(command -v cp)" >slow/cp
chmod +x slow/cp
PATH=$WORK/slow:$PATH run lab snapshot one
like "snapshot of a lab at work: status" "$status: $err: $out" '^0: : one: 4 files'
is "snapshot lists them" "$(lab snapshot)" one
run lab snapshot one
is "... a name is taken once" "$status: $(wc -l <<<"$err")" "1: 1"
check "the guests went on" lab exec -t 20 n1 'ping -c 1 -W 5 10.0.0.2'
lab kill n1 n2
wait
run lab rollback one
is "rollback of a lab that is up but dead: status" "$status: $err" "0: "
lab status | grep -q ready || lab restart >/dev/null
is "... what was there is there" "$(seen)" "first first"
told=$(lab exec n1 'dd if=/dev/umfa skip=1 count=1 2>/dev/null | head -n 1 | tr -dc 0-9')
heard=$(lab exec n2 'dd if=/dev/umfb skip=1 count=1 2>/dev/null | head -n 1 | tr -dc 0-9')
check "... at one instant: nobody heard ($heard) what nobody told ($told)" test "${heard:-0}" -gt 5 -a "${heard:-0}" -le "${told:-0}"
write second
is "(written again)" "$(seen)" "second second"
run lab -q rollback one
is "rollback of a lab at work: status" "$status: $err" "0: "
is "... it runs again" "$(lab status --json | jq -r '.[].state' | sort -u)" ready
is "... what was written since is gone" "$(seen)" "first first"
check "... what was not is not" lab exec n1 'test -e /mine'
run lab rollback none
is "rollback to nothing" "$status: $(wc -l <<<"$err")" "1: 1"

# ---- gdb ----

if command -v gdb >/dev/null; then
	run lab gdb n1 -batch -ex 'info symbol start_kernel' -ex 'info signals SIGSEGV' -ex 'info signals SIGALRM'
	like "gdb finds the kernel's symbols" "$out" 'start_kernel in section'
	is "... and leaves its signals alone" "$(grep -cE '^SIG(SEGV|ALRM)\s+No\s+No\s+Yes' <<<"$out")" 2
	check "... the guest goes on" lab exec -t 20 n1 true
else
	skip "gdb" "there is no gdb"
fi

# ---- pack ----

run lab pack "$WORK/t.tar.gz"
is "a lab that is up is not packed" "$status: $(wc -l <<<"$err")" "1: 1"
lab -q down
is "the image is as it was" "$(md5sum <other/root.ext4)" "$sum"
lab_clean n1 n2
run lab pack "$WORK/t.tar.gz"
is "pack: status" "$status: $err" "0: "
check_fails "... no lock is left" test -e "$(lab_live).lock"
run lab -q pack "$WORK/n:1.tar.gz"
is "pack, with a colon in the name: status" "$status: $err" "0: "
mkdir colon
check "... unpack" "$umf_lab" unpack n:1.tar.gz colon
check "... all is there" test -s colon/t/t.lab
rm -r colon
if [ "$(id -u)" = 0 ]; then
	mkdir -p strange/t out
	echo x >strange/t/tool
	chown 12345:12345 strange/t/tool
	chmod 6777 strange/t/tool
	tar -C strange -czf strange.tar.gz t
	"$umf_lab" unpack strange.tar.gz out
	is "unpack takes over neither owners nor set-uid bits" "$(umask 022; stat -c '%u %g %a' out/t/tool)" "0 0 755"
else
	skip "unpack takes over neither owners nor set-uid bits" "only root could"
fi
if command -v xorriso >/dev/null; then
	run lab -q pack --iso t.iso
	is "pack --iso: status" "$status" 0
	like "... the same is in it" "$(xorriso -indev t.iso -find / -type f 2>/dev/null)" "'/t/umf-lab'"
else
	skip "pack --iso" "there is no xorriso"
fi
mv lab gone-lab
mv other gone-other
check "unpack" "$umf_lab" unpack t.tar.gz "$WORK"
moved=$WORK/t
LAB=$moved/t.lab
run "$moved/umf-lab" up
is "it comes up elsewhere, with nothing of what was: status" "$status: $err" "0: "
is "... with its disks as they were" "$("$moved/umf-lab" exec n1 'head -n 1 /dev/umfa; ls /mine') $("$moved/umf-lab" exec n2 'head -n 1 /dev/umfb')" $'first\n/mine first'
like "... with a kernel of its own" "$(tr '\0' '\n' <"/proc/$("$moved/umf-lab" status --json | jq '.[0].pid')/cmdline" | head -n 1)" "^$moved/"
"$moved/umf-lab" down
lab_clean n1 n2

# ---- a disk of the host that is full ----

mkdir small
if mount -t tmpfs -o size=300k none small 2>/dev/null; then
	LAB=$WORK/full.lab
	echo 'guest n1 { disk umfa { size = 8M } }' >"$LAB"
	full()
	{
		lab --run "$WORK/small/run" "$@"
	}
	full -q up
	full exec n1 'dd if=/dev/urandom of=/dev/umfa bs=4k count=40 conv=fsync 2>/dev/null'
	sum=$(full exec n1 'md5sum </dev/umfa')
	run full snapshot before
	like "a snapshot on a full disk" "$status: $(wc -l <<<"$err"): $err" '^1: 1: .*No space left on device'
	is "... is none" "$(full snapshot)$(ls small/run/snapshots)" ""
	check "... the guest goes on" full exec n1 'dd if=/dev/umfa of=/dev/umfa bs=4k count=1 conv=fsync,notrunc 2>/dev/null'
	is "... and its disk is as it was" "$(full exec n1 'md5sum </dev/umfa')" "$sum"
	check_fails "a guest's write that finds no room is an error for it" full exec n1 'dd if=/dev/urandom of=/dev/umfa bs=4k count=400 conv=fsync 2>/dev/null'
	full down
	until_true 10 umount small
else
	skip "a snapshot on a full disk" "no tmpfs can be mounted here"
fi

# ---- several kernel lines ----

lines=()
for linux in "$TOP"/build/[0-9]*/linux; do
	line=${linux%/linux}
	[ ! -x "$linux" ] || lines+=("${line##*/}")
done
if [ ${#lines[@]} -gt 1 ]; then
	mkdir mixed
	LAB=$WORK/mixed/t.lab
	{
		echo "segment pub {}"
		for n in 0 1; do
			echo "guest n$n { kernel = ${lines[$n]} nic eth0 { segment = pub ip = 10.0.0.1$n/24 } }"
		done
	} >"$LAB"
	run lab up
	is "guests of two lines: status" "$status: $err" "0: "
	check "... reach each other" lab exec n0 'ping -c 1 -W 5 10.0.0.11'
	check "... and are of two lines" test "$(lab exec n0 'uname -r')" != "$(lab exec n1 'uname -r')"
	lab down
else
	skip "guests of two lines" "only $KERNEL is built"
fi
done_testing
