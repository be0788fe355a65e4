#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Words of a lab file that go to the drivers as they are: a guest's devices have them. A disk's write log is the lab's, as its
# images are: snapshots have it, --fresh and --wipe remove it.

. "$(dirname "$0")/../lib/lab.sh"

cat >"$LAB" <<E
memory = $GUEST_MEM
append = "$lab_mark"
segment lan {}
guest n[1-2] {
	nic eth0 { segment = lan mac = 02:00:00:00:00:0\${n} mtu = 1400 }
	serial ttyS0 { link = hb pace = off }
	serial ttyS1 { transport = null pace = off }
	disk umfa { size = 8M log = "\${n}.wlog" direct = true engine = threads logical = 4096 }
}
E
run lab -q up
is "up: status" "$status: $err" "0: "
# words <guest>: the devices on its kernel's command line, in order, without the folders
words()
{
	lab exec "$1" cat /proc/cmdline | tr ' ' '\n' | grep -E '^(eth0|ttyS|umf[a-z])' | sed "s|/[^,]*/||g" | sort | xargs
}
for n in 1 2; do
	is "the words of n$n" "$(words n$n)" "eth0=switch,lan,mac=02:00:00:00:00:0$n,mtu=1400 ttyS0=link,hb,pace=off ttyS1=null,pace=off \
umfa=n$n-umfa.img,raw,log=$n.wlog,direct,logical=4096,engine=threads"
done
is "... a nic has them" "$(lab exec n2 'cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu' | xargs)" "02:00:00:00:00:02 1400"
is "... a disk has them" "$(lab exec n2 'cat /sys/block/umfa/queue/logical_block_size')" 4096
lab exec n1 'echo one | dd of=/dev/umfa bs=4k conv=sync,fsync 2>/dev/null'
run lab -q snapshot before
is "a snapshot of a lab with write logs: status" "$status: $err" "0: "
before=$(md5sum <t.run/1.wlog)
lab exec n1 'echo two | dd of=/dev/umfa bs=4k conv=sync,fsync 2>/dev/null'
lab down
# data: how many entries of n1's log have data
data()
{
	"$BIN/umf-cow" replay t.run/1.wlog | grep -cw write
}
is "... what is written is in the log, which umf-cow reads" "$(data)" 2
run lab -q rollback before
is "rollback: status" "$status: $err" "0: "
is "... the log is as it was" "$(md5sum <t.run/1.wlog)" "$before"
run lab -q up --fresh
is "up --fresh: status" "$status: $err" "0: "
is "... the log is a new one" "$(data)" 0
lab_clean n1 n2
lab down --wipe
check "down --wipe removes it" test ! -e t.run
done_testing
