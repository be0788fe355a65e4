#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# No interrupt is lost, however many wait and whatever comes while they are seen to: a guest hangs with interrupts off while
# long pings and 14 consoles want it. When it goes on, more comes during the softirqs at the end of the first interrupt.

. "$(dirname "$0")/../lib/net.sh"

ROUNDS=${ROUNDS:-20}
FIRST=2 LAST=15

consoles=()
fd=20	# those below may be bash's own
for ((i = FIRST; i <= LAST; i++)); do
	mkfifo "$WORK/in$i" "$WORK/out$i"
	eval "exec $fd<>\"$WORK/in$i\" $((fd + 1))<>\"$WORK/out$i\""
	consoles+=("con$i=fd:$fd,fd:$((fd + 1))")
	fd=$((fd + 2))
done
guest_start n1 "eth0=switch,$WORK/seg,mtu=65000" ip=eth0:10.0.0.1/24 ipv6.disable=1 "${consoles[@]}"
guest_start n2 "eth0=switch,$WORK/seg,mtu=65000" ip=eth0:10.0.0.2/24 ipv6.disable=1
for n in n1 n2; do
	guest_wait_ready $n || exit 1
done

guest_exec n1 "for i in \$(seq $FIRST $LAST); do
		(stty -F /dev/tty\$i raw -echo; touch /tmp/ready\$i; exec cat </dev/tty\$i >/dev/tty\$i) >/dev/null 2>&1 &
	done
	for i in \$(seq $FIRST $LAST); do
		until [ -e /tmp/ready\$i ]; do usleep 10000; done
	done" || exit 1
# Frames that take long, in the softirq: 65536 bits of each are flipped.
rule n1 corrupt dir=rx bits=65536 match=icmp
guest_exec n2 'ping -q -s 60000 -i 0.05 10.0.0.1 >/dev/null 2>&1 &'

answered=$("$LIB/irq-flood" "$WORK" $FIRST $LAST "$ROUNDS" "$net_tool n1 add node hang for=300ms >/dev/null")
is "the consoles of a guest that hung answer each byte" "$answered" "$ROUNDS of $ROUNDS"
check "... and the guest takes commands" guest_exec n1 true
done_testing
