#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The rootfs: what the kernel command line says is done, and how the guest ends is the status of its linux process.

. "$(dirname "$0")/../lib/guest.sh"

# runs <description> <status> <regex of the console> <words after -->…
runs()
{
	local description=$1 wanted=$2 regex=$3 status=0
	shift 3
	rm -f "$(guest_log run)"
	guest_start run ${root[@]+"${root[@]}"} -- "$@"
	guest_wait run || status=$?
	is "$description: status" "$status" "$wanted"
	like "$description: output" "$(tr -d '\r' <"$(guest_log run)")" "$regex"
}

root=()
runs "sh -c and a script" 7 "" sh -c 'exit 7'
runs "a script with blanks, quotes and a loop" 3 'a  b\|1\|2\|' sh -c 'printf "a  b|"; for i in 1 2; do printf "$i|"; done; exit 3'
runs "a loop without quotes" 0 'x1y'$'\n''x2y' sh -c 'for i in 1 2; do echo x${i}y; done'
runs "one word" 9 'one  word' 'echo "one  word"; (exit 9)'
runs "a program and its arguments" 0 'umf.*' uname -n
runs "a program that is not there" 127 'not found' nothing-of-that-name
runs "a command killed by a signal" 137 '' sh -c 'kill -9 $$'
runs "poweroff from the command" 0 '' sh -c 'poweroff; sleep 60'

# The same from a disk.
cp --sparse=always "$ROOTFS_EXT4" "$WORK/disk"
root=(ubd0="$WORK/disk" root=/dev/ubda)
runs "ext4: sh -c and a script" 7 '' sh -c 'exit 7'
runs "ext4: writable" 0 'kept' sh -c 'echo kept >/file && cat /file'
runs "ext4: what was written is there at the next boot" 0 'kept' cat /file

# A guest that panics ends with a status that is not 0.
root=()
guest_start panic panic=1
guest_wait_ready panic
guest_allow panic . "panicked on purpose"
guest_exec panic 'echo c >/proc/sysrq-trigger' >/dev/null
guest_wait panic
is "a panic is no success" "$(($? != 0 && $? != 124))" 1
guest_start quick panic=-1 init=/nothing rdinit=/nothing
guest_allow quick . "panicked on purpose"
check_fails "no init is no success" guest_wait quick

mkdir "$WORK/share"
guest_start net hostname=other share="$WORK/share:/mnt/share" quiet ip=lo:10.9.8.7/24 \
	"ip=lo:[fd00::7]/64" ip=10.7.7.7::10.7.7.1:255.255.0.0:named:lo:off ip=nonsense ip=eth7:10.0.0.1/8
guest_wait_ready net
like "ip= gives an IPv4 address" "$(guest_exec net 'ip addr show lo')" 'inet 10\.9\.8\.7/24'
like "and an IPv6 address" "$(guest_exec net 'ip addr show lo')" 'inet6 fd00::7/64'
like "and understands the kernel's form" "$(guest_exec net 'ip addr show lo')" 'inet 10\.7\.7\.7/16'
is "which also names the guest" "$(guest_exec net hostname)" named
like "a word that is none is named" "$(<"$(guest_log net)")" 'ip=nonsense: expected'
like "as is an interface that is not there" "$(<"$(guest_log net)")" 'no interface eth7'
check "share= mounts a folder of the host" guest_exec net 'echo from the guest >/mnt/share/file'
is "both ways" "$(cat "$WORK/share/file")" "from the guest"
n=$(guest_exec net 'sed -n "s/^MemAvailable: *\([0-9]*\) kB/\1/p" /proc/meminfo')
check "more than half of its memory is left to programs ($n KiB of $GUEST_MEM)" test "$n" -gt $((${GUEST_MEM%M} * 512))
check_fails "and no gap of address space costs any" grep 'exec-shield gap' "$(guest_log net)"
check "guest_stop ends it with status 0" guest_stop net

# What has the process id of a guest that has ended is another's.
sleep 100 &
guest_pids[net]=$!
check_fails "a guest that has ended is not alive, whoever has its process id" guest_alive net
guest_kill9 net
check "... nor is that one killed for it" kill -0 $!
kill $!

done_testing
