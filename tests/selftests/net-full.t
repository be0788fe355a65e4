#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# timeout: 120
# A receiver whose ring is full: who sends waits for it a moment, once, and nobody else is held up any longer.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2 3

# counter <n> <name>: of the interface
counter()
{
	guest_exec "n$1" "cat /sys/class/net/eth0/statistics/$2"
}

check "n3 is reached" icmp 1 3 3

# BQL: the limit is what has been in flight at once, as long as that was waited for.
bql=/sys/class/net/eth0/queues/tx-0/byte_queue_limits
in_flight()
{
	guest_exec n1 "cat $bql/inflight"
}
is "nothing has waited yet: byte queue limits" "$(guest_exec n1 "cat $bql/limit") $(in_flight)" "0 0"

# ---- more than a ring holds, at once ----

rule n1 hold dir=tx limit=2000 match="$PROBE"
before=$(counter 2 rx_packets)
shoot 1 "$(net_mac 2)" 1000 1400
net_clear n1
pings "frames that were held, five times what a ring holds, are let go" 1 2
got=$(($(counter 2 rx_packets) - before - 10))
is "... and all of them arrive" "$got $(counter 1 tx_dropped)" "1000 0"
limit=$(guest_exec n1 "cat $bql/limit")
least=1400
[ "$FLAVOR" != debug ] || least=0	# a sender so slow may meet no wait
# The limit goes up to twice what was in flight at once, which is all of the 1000 if n2 has not run meanwhile.
check "... what waited was in flight ($limit bytes)" test "$limit" -ge $least -a "$limit" -le 2900000
is "... and is not any more" "$(in_flight)" 0

# ---- a receiver that does not read ----

before=$(counter 1 tx_dropped)
kill -STOP "$(guest_pid n3)"
start=${EPOCHREALTIME/./}
shoot 1 "$(net_mac 3)" 6000 1000
icmp 1 2 20
took=$((${EPOCHREALTIME/./} - start))
is "n3 stopped: n1 reaches n2" "$received" 20
dropped=$(($(counter 1 tx_dropped) - before))
check "... what n3 has no room for is lost and counted ($dropped)" test "$dropped" -ge 4500 -a "$dropped" -lt 5000
is "... nobody waits for it, so nothing is in flight" "$(in_flight)" 0
check "... and has been waited for once, not each time ($((took / 1000)) ms)" test "$took" -lt 10000000
shoot 1 ff:ff:ff:ff:ff:ff 50 1000
icmp 1 2 20
check "... broadcasts that it misses ($(($(counter 1 tx_dropped) - before - dropped))) change nothing" test "$received" -eq 20

# A transfer between the others, while n1 goes on sending to who does not read.
guest_exec n2 '/net/netprobe sink 5001'
guest_exec n1 "while :; do /net/netprobe send eth0 $(net_mac 3) 20 1000; usleep 10000; done >/dev/null 2>&1 & echo \$! >/tmp/pid"
rate=$(guest_exec n1 '/net/netprobe source 10.0.0.2 5001 20')
guest_exec n1 'kill $(cat /tmp/pid)'
check "... bulk TCP to n2 goes on meanwhile ($rate Mbit/s)" test "${rate%.*}" -ge 50

kill -CONT "$(guest_pid n3)"
icmp 1 3 5
pings "n3 continued: it is reached" 1 3

# A frame of 60 bytes takes nearly a kilobyte of memory while it waits.
unreclaimed()
{
	guest_exec n1 "sed -n 's/^SUnreclaim: *\([0-9]*\) kB/\1/p' /proc/meminfo"
}
listen 3 1 60
kill -STOP "$(guest_pid n3)"
before=$(unreclaimed)
shoot 1 "$(net_mac 3)" 60000 60
took=$(($(unreclaimed) - before))
most=4096
[ "$FLAVOR" != debug ] || most=16384
check "60000 short frames to n3, which is stopped again: n1 has lost $took kB of memory" test "$took" -lt "$most"
kill -CONT "$(guest_pid n3)"
finish 1 "$(net_mac 3)"
seen=$(heard 3)
is "... continued, it gets the newest" "$(awk '$2 > 59100' <<<"$seen" | wc -l)" 900
is "... and what its ring took at first" "$(awk '$2 <= 1000' <<<"$seen" | wc -l)" 1000
pings "... it is reached as before" 1 3
before=$(counter 1 tx_dropped)
frames 1 3 100 100 1000
is "... and gets all" "$(seen_numbers)" "$(seq -s ' ' 100)"

# ---- nothing stays behind ----

kill -STOP "$(guest_pid n3)"
guest_exec n1 "/net/netprobe send eth0 $(net_mac 3) 6000 1000 2>/dev/null & ip link set eth0 down; wait; ip link set eth0 up"
net_neighbours 1
pings "down and up while frames wait: n1 reaches n2" 1 2
is "... nothing is in flight" "$(in_flight)" 0
guest_kill9 n3
shoot 1 "$(net_mac 3)" 100
pings "n3 killed: n1 reaches n2" 1 2

done_testing
