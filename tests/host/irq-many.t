#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A guest may have all the devices there are names for: 32 interfaces, 16 consoles, 32 lines, disks, all in use at once.

. "$(dirname "$0")/../lib/net.sh"

args=() consoles=() fd=20	# those below may be bash's own
for ((i = 0; i < 32; i++)); do
	args+=("eth$i=switch,$WORK/seg$i" "ttyS$i=pty")
done
for ((i = 2; i < 16; i++)); do
	mkfifo "$WORK/in$i" "$WORK/out$i"
	eval "exec $fd<>\"$WORK/in$i\" $((fd + 1))<>\"$WORK/out$i\""
	consoles+=("con$i=fd:$fd,fd:$((fd + 1))")
	fd=$((fd + 2))
done
for c in a b c; do
	truncate -s 1M "$WORK/disk$c"
	consoles+=("umf$c=$WORK/disk$c")
done
for n in 1 2; do
	[ $n = 1 ] || consoles=()
	guest_start n$n ipv6.disable=1 mem=160M "${args[@]}" "${consoles[@]}"
done
for n in n1 n2; do
	guest_wait_ready $n 120 || exit 1
done
for n in 1 2; do
	check "n$n: 32 interfaces come up" guest_exec n$n "for i in \$(seq 0 31); do
		ip addr add 10.0.\$i.$n/24 dev eth\$i && ip link set eth\$i up || exit; done"
done
check "... 32 lines open" guest_exec n1 'for i in $(seq 0 31); do
		(exec 3<>/dev/ttyS$i && touch /tmp/line$i && exec sleep 1000) &
	done >/dev/null 2>&1
	for i in $(seq 0 31); do until [ -e /tmp/line$i ]; do usleep 10000; done; done'
check "... 14 consoles open" guest_exec n1 'for i in $(seq 2 15); do
		(stty -F /dev/tty$i raw -echo; touch /tmp/ready$i; exec cat </dev/tty$i >/dev/tty$i) &
	done >/dev/null 2>&1
	for i in $(seq 2 15); do until [ -e /tmp/ready$i ]; do usleep 10000; done; done'
silent=
for ((fd = 20; fd < 48; fd += 2)); do
	printf x >&$fd
	read -r -t 20 -N 1 -u $((fd + 1)) _ || silent+=" $(((fd - 16) / 2))"
done
is "... each answers" "silent:$silent" "silent:"
is "... all interfaces are answered" "$(guest_exec -t 100 n1 'for i in $(seq 0 31); do
		ping -q -c 3 -i 0.1 -W 20 10.0.$i.2 | grep -q " 3 packets received" && printf "%s " $i; done')" "$(seq -s ' ' 0 31) "
check "... three disks work" guest_exec n1 'for c in a b c; do dd if=/dev/urandom of=/dev/umf$c bs=64k count=4 conv=fsync 2>/dev/null || exit; done'
check "commands run" guest_exec n1 true
used=$(guest_exec n1 "sed -n 's/^ *\([0-9]*\):.*SIGIO.*/\1/p' /proc/interrupts | tail -n 1")
check "... more interrupts than 64 are in use (the last is $used)" test "$used" -gt 64
done_testing
