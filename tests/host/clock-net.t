#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Guests on a segment in virtual time: latency to the nanosecond, the same run again to the last byte of its captures.

. "$(dirname "$0")/../lib/clock.sh"

# pair <run> <seed> <latency> <command of n1> <command of n2> [umf-clock option…]
pair()
{
	local run=$1 seed=$2 n command

	clock_start "$run" 2 "${@:6}"
	for n in 1 2; do
		command=$4
		[ "$n" = 1 ] || command=$5
		clock_guest "$run" "$n" "$((seed * 2 + n))" eth0="switch,./lan,mac=02:00:00:00:00:0$n${3:+,latency=$3}" ip="eth0:10.0.0.$n/24" \
			ipv6.disable=1 umf="seed $((seed * 2 + n)); capture eth0 n$n.pcapng" -- "$command"
	done
}

# lossy <run> <seed>: 20 pings, and a rule that loses 30 % of what comes
lossy()
{
	pair "$1" "$2" '' 'ping -c 20 10.0.0.2; sleep 5' 'sleep 28' --at '2s ./n2 fault add eth0 drop prob=30% dir=rx' \
		--at '23s ./n2 fault stats' --at '23s ./n2 fault events'
	clock_wait "$1"
}

answered()
{
	grep -c 'bytes from' "$WORK/$1/n1.out"
}

files='n1.out n2.out n1.pcapng n2.pcapng n1.calls n2.calls clock.out'

# same_all <run> <run>
same_all()
{
	local file

	for file in $files; do
		same "$1" "$2" "$file" || return
	done
}

# Somebody else is at work: what a guest gets of the processor differs from one run to the next.
(while :; do :; done) & load=$!
check "two guests, 30 % lost" lossy a 1
check "... with another seed" lossy b 2
check "... with a third" lossy c 3
check "... with the first again" lossy d 1
kill "$load"
diag "answered, of 20: $(answered a) $(answered b) $(answered c) $(answered d)"
check "some are answered, and not all" test "$(answered a)" -gt 3 -a "$(answered a)" -lt 20
check "the first seed again: consoles, captures, calls and events are identical" same_all a d
check_fails "the second seed: another capture" same a b n2.pcapng
check_fails "the third seed: another capture" same a c n2.pcapng
check_fails "... than the second's too" same b c n2.pcapng

# round_trips <run>: all of them, in us, rounded
round_trips()
{
	sed -n 's/.* time=\([0-9.]*\) ms\r*$/\1/p' "$WORK/$1/n1.out" | sort -u | paste -sd ' '
}
pair e 1 '' 'ping -c 5 10.0.0.2' 'sleep 10'
clock_wait e
# the first asks for the MAC before
like "a round trip takes twice the latency, 100 us unless said: $(round_trips e)" "$(round_trips e)" '^0\.20[0-9]( 0\.20[0-9])* 0\.40[0-9]$'
pair f 1 7ms 'ping -c 5 10.0.0.2' 'sleep 10'
clock_wait f
like "... and 7 ms if that is said: $(round_trips f)" "$(round_trips f)" '^14\.00[0-9]( 14\.00[0-9])* 28\.00[0-9]$'

# shellcheck disable=SC2016 # for the guest
pair i 1 1ms,rate=1Mbit 'ping -c 3 -s 1222 10.0.0.2; sleep 1; read -r up x </proc/uptime; dd if=/dev/zero bs=1k count=256 2>/dev/null | nc 10.0.0.2 99; read -r end x </proc/uptime; echo "sent from $up to $end, again: $(awk "/^Tcp: [0-9]/ { print \$13 }" /proc/net/snmp), lost: $(cat /sys/class/net/eth0/statistics/tx_dropped)"' \
	'nc -l -p 99 | wc -c; sleep 1'
clock_wait i
# 1264 bytes with what is before them take 10.112 ms
like "rate=1Mbit: longer frames take longer: $(round_trips i)" "$(round_trips i)" '^22\.22[0-9]( |$)'
sent=$(sed -n 's/^\(sent from .*[0-9]\)\r*$/\1/p' "$WORK/i/n1.out")
check "... 256 KiB two seconds: $sent" awk -v text="$sent" 'BEGIN { split(text, w, /[ ,]+/); t = w[5] - w[3]; exit !(t >= 2.05 && t < 2.35) }'
like "... and nothing is lost, who sends waits" "$sent" 'again: 0, lost: 0$'
is "... all of it came" "$(sed -n 's/^\([0-9]*\)\r*$/\1/p' "$WORK/i/n2.out")" 262144

# A second guest dies, and another takes its place when the calendar says so: time stands until it is there.
pair g 1 '' 'ping -c 20 10.0.0.2; sleep 5' 'sleep 1000' --at '5.5s ./n2 kill' --at '5.6s ./n2 await' --end 30s
until_true 60 grep -q 'n2 is to be there' "$WORK/g/clock.out"
# each one's page begins with its state (drivers/net/ring.h): 2 is UP, 0 nobody
is "a port that died is given back at that time" \
	"$(od -An -tu4 -j 4096 -N 4 "$WORK/g/lan/segment")$(od -An -tu4 -j 8192 -N 4 "$WORK/g/lan/segment")" \
	"          2          0"
clock_guest g 2 4 eth0=switch,./lan,mac=02:00:00:00:00:02 ip=eth0:10.0.0.2/24 ipv6.disable=1 -- 'sleep 1000'
clock_wait g
seen=$(sed -n 's/.* seq=\([0-9]*\) .*/\1/p' "$WORK/g/n1.out" | paste -sd ' ')
like "killed at 5.5 s, started again at 5.6 s: answered were $seen" "$seen" '^0 1 2 3 4 5 (6 )?7 8 9 10 11 12 13 14 15 16 17 18 19$'

# sleeping costs next to nothing
start=$EPOCHREALTIME
pair h 1 '' 'sleep 1000' 'sleep 1000'
check "two idle guests for 1000 s" clock_wait h 100
diag "1000 s of two idle guests took $(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }') s"
check "... in less than a minute" awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { exit b - a > 60 }'

# refused
clock_start r 1 --end 5s
clock_guest r 1 1 eth0=switch,./lan,latency=10us eth1=switch,./lan,latency=2s eth2=switch,./lan,rate=1kbit -- 'ip link; sleep 3'
clock_wait r
like "less latency than the calendar's lookahead is refused" "$(<"$WORK/r/n1.out")" "eth0: latency= is less than the calendar's lookahead, 100000 ns"
like "more than a second too" "$(<"$WORK/r/n1.out")" "eth1: 'latency=2s' is no time up to 1s"
like "... and less than 100 kbit/s" "$(<"$WORK/r/n1.out")" "eth2: 'rate=1kbit' is no rate as 10Mbit, from 100kbit on"
clock_start q 1 --at '2s ./n1 fault capture eth0 fifo'
mkfifo "$WORK/q/fifo"
cat "$WORK/q/fifo" >/dev/null & reader=$!
clock_guest q 1 1 eth0=switch,./lan ttyS0=pty ttyS1=tcp,0 ttyS2=null -- 'mount -t hostfs none /mnt; sleep 3'
clock_wait q
kill "$reader"
like "... a capture for a reader that takes its time" "$(<"$WORK/q/clock.out")" \
	'refused: .*fifo: virtual time has no place for readers that take their time; capture to a file'
like "... a line to a terminal" "$(<"$WORK/q/n1.out")" 'ttyS0: pty: what is behind it lives in real time, and this guest does not'
like "... and to TCP" "$(<"$WORK/q/n1.out")" 'ttyS1: tcp: what is behind it lives in real time'
check_fails "... but not one to nowhere" grep -q 'ttyS2: null: what' "$WORK/q/n1.out"
like "... hostfs, for who wants to mount it" "$(<"$WORK/q/n1.out")" 'mount: .*(No such device|unknown)'
for device in ubd0=disk vec0:transport=tap; do
	clock_start "${device%%0*}" 1
	clock_guest "${device%%0*}" 1 1 "$device" -- true
	clock_wait "${device%%0*}"
	is "... a guest with $device" "$(cat "$WORK/${device%%0*}/n1.status") $(grep -o 'virtual time has no place' "$WORK/${device%%0*}/n1.err")" \
		"1 virtual time has no place"
done

guest_start real eth0=switch,"$WORK/rt",latency=1ms
guest_wait_ready real
like "any latency is, in real time" "$(<"$(guest_log real)")" "'latency=1ms' is for virtual time"

for run in a b c d e f g h i; do
	check "the logs of $run are clean" scan_log "$WORK/$run/n1.out"
done
done_testing
