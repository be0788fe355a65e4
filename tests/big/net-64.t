#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 1200
# 64 guests on one segment: each reaches each, and while every other one is killed and started again the rest lose
# nothing that no full ring has counted.
#
#   GUESTS (64)   MEM (48M) of each. About 4 GiB of memory for all. The rings belong on a tmpfs.

. "$(dirname "$0")/../lib/net.sh"

: "${GUESTS:=64}" "${MEM:=48M}"
[ "$FLAVOR" != debug ] || skip_all "64 debug guests do not fit"
need=$((GUESTS * 64 + 1200))
have=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
[ "$have" -ge "$need" ] || skip_all "$GUESTS guests need $need MiB of memory, there are $have"

seg=$WORK/seg
if [ -w /dev/shm ]; then
	shm=$(mktemp -d "/dev/shm/umf.XXXXXX")
	seg=$shm/seg
	# shellcheck disable=SC2154 # it is assigned there
	trap 'status=$?; rm -rf "$shm"; (exit "$status"); guest_cleanup' EXIT
fi
swapped=$(awk '/^pswpout/ { print $2 }' /proc/vmstat)

# DRBD sets aside 32 MiB for the 32 devices it would have.
boot()
{
	guest_start "n$1" "eth0=switch,$seg,mac=$(net_mac "$1")" "ip=eth0:10.0.0.$1/24" ipv6.disable=1 mem="$MEM" \
		drbd.minor_count=1 nbd.nbds_max=1 "share=$net_dir:/net"
}

gave_up()
{
	diag "$1 does nothing for 300 s, after $((SECONDS - start)) s of this part"
	exit 1
}

# each <first> <step> <command>: in these guests at once, in the background; @ is the guest's number
each()
{
	local n

	for ((n = $1; n <= GUESTS; n += $2)); do
		guest_exec -t 300 "n$n" "rm -f /tmp/done; (${3//@/$n}; echo >/tmp/done) >/tmp/out 2>&1 &" || gave_up "n$n"
	done
}

# collect <first> <step>: waits for them; sets $sent, $received, $missing (lines of who misses whom)
collect()
{
	local n s r

	sent=0 received=0 missing=
	for ((n = $1; n <= GUESTS; n += $2)); do
		out=$(guest_exec -t 300 "n$n" 'while [ ! -e /tmp/done ]; do usleep 100000; done; cat /tmp/out') || gave_up "n$n"
		read -r s _ r _ < <(tail -n 1 <<<"$out")
		sent=$((sent + s)) received=$((received + r))
		missing+=$(sed '$d' <<<"$out" | sed "s/^/n$n: /")
	done
}

# What full rings have cost all guests up to now.
ring_drops()
{
	local n sum=0

	for ((n = 1; n <= GUESTS; n++)); do
		sum=$((sum + $(guest_exec "n$n" '/net/netprobe counts eth0' | awk '$1 == "tx_ring_full" { print $2 }')))
	done
	echo "$sum"
}

all_pairs()
{
	each 1 1 "/net/netprobe mesh 10.0.0. @ 1 $GUESTS 1 2 5000 30000"
	collect 1 1
	is "$1: each reaches each, $sent pings" "$received" "$sent"
	[ -z "$missing" ] || diag "$missing"
}

start=$SECONDS
for ((n = 1; n <= GUESTS; n++)); do
	boot "$n"
done
for ((n = 1; n <= GUESTS; n++)); do
	guest_wait_ready "n$n" 300 || exit 1
done
ok "$GUESTS guests boot ($((SECONDS - start)) s)"
is "each has its port" "$(find "$seg" -name '*.bell' | wc -l)" "$GUESTS"
start=$SECONDS
all_pairs "$GUESTS guests"
used=$(du -sk "$seg" | cut -f 1)
check "the rings take 128 MiB at most ($used KiB)" test "$used" -le 131072
diag "in $((SECONDS - start)) s; $(ring_drops) frames lost to full rings; memory available $(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo) of $have MiB"

# The odd ones ping each other all the while; the even ones die and come back.
each 1 2 "/net/netprobe mesh 10.0.0. @ 1 $GUESTS 2 65000 100000 60000"
start=$SECONDS
for ((n = 2; n <= GUESTS; n += 2)); do
	guest_kill9 "n$n"
	boot "$n"
done
for ((n = 2; n <= GUESTS; n += 2)); do
	guest_wait_ready "n$n" 300 || exit 1
done
for ((n = 1; n <= GUESTS; n += 2)); do
	guest_exec -t 300 "n$n" 'killall -TERM netprobe' || gave_up "n$n"
done
collect 1 2
drops=$(ring_drops)
check "$((GUESTS / 2)) are killed and started again ($((SECONDS - start)) s): the others lose nothing but what full rings have counted ($((sent - received)) of $sent, $drops counted)" \
	test "$sent" -gt $((GUESTS * 20)) -a $((sent - received)) -le "$drops"
[ -z "$missing" ] || diag "$missing"
is "each has its port" "$(find "$seg" -name '*.bell' | wc -l)" "$GUESTS"
all_pairs "afterwards"
is "nothing was swapped out" "$(($(awk '/^pswpout/ { print $2 }' /proc/vmstat) - swapped))" 0

for ((n = 1; n <= GUESTS; n++)); do
	guest_exec "n$n" 'kill -USR2 1' >/dev/null
done
for ((n = 1; n <= GUESTS; n++)); do
	guest_wait "n$n" 300
done
check "the last to leave removes the segment" test ! -e "$seg"
done_testing
