#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What ethtool and ip say of the interface is true: driver, rings, counters by queue and by fault, link; what it takes from
# the wire follows its address, promiscuous mode and its groups; frames of any MTU pass whole.

. "$(dirname "$0")/../lib/net.sh"

net_ethtool
net_start 1
net_start 2 3

# ---- driver, rings, channels, link ----

info=$(ethtool 2 -i eth0)
like "driver" "$info" "^driver: umf-net"
like "... and its port" "$info" $'\nbus-info: port [12]\n'
rings=$(ethtool 2 -g eth0)
is "rings" "$(awk '/^(RX|TX):/ { print $2 }' <<<"$rings" | sort -u | wc -l)" 1
check "... of a size" test "$(awk '/^RX:/ { print $2; exit }' <<<"$rings")" -gt 100
like "... which cannot be set" "$(ethtool 2 -G eth0 rx 64; echo "$?")" "Operation not supported.[1-9]"
like "channels" "$(ethtool 2 -l eth0)" $'\nCombined:[[:space:]]+1'
link=$(ethtool 2 eth0)
like "speed" "$link" "Speed: 10000Mb/s"
like "... and duplex" "$link" "Duplex: Full"
like "... link" "$link" "Link detected: yes"
like "... cannot be set" "$(ethtool 2 -s eth0 speed 100 duplex half; echo "$?")" "not supported"
rule n2 link rate=100Mbit duplex=half
link=$(ethtool 2 eth0)
like "... but by a rule: 100 Mbit/s" "$link" "Speed: 100Mb/s"
like "... half duplex" "$link" "Duplex: Half"
net_clear n2
rule n2 down
like "down: no link" "$(ethtool 2 eth0)" "Link detected: no"
like "... of unknown speed" "$(ethtool 2 eth0)" "Speed: Unknown"
net_clear n2
rule n2 drop
like "a black hole has a link" "$(ethtool 2 eth0)" "Link detected: yes"
net_clear n2
features=$(ethtool 2 -k eth0)
for feature in tcp-segmentation-offload tx-checksumming scatter-gather generic-segmentation-offload; do
	like "$feature" "$features" "$feature: on"
done
guest_exec n2 '/net/netprobe sink 5001'
guest_exec n1 '/net/netprobe source 10.0.0.2 5001 2' >/dev/null
before=$(count_of 2 rx_queue_0_packets)
check "... large frames cross whole: 2 MiB of TCP in $before" test "$before" -lt 800
ethtool 1 -K eth0 tso off gso off tx off sg off >/dev/null
guest_exec n2 '/net/netprobe sink 5001'
guest_exec n1 '/net/netprobe source 10.0.0.2 5001 2' >/dev/null
n=$(($(count_of 2 rx_queue_0_packets) - before))
check "... and with all of it off in $n" test "$n" -ge 1380
ethtool 1 -K eth0 tso on gso on tx on sg on >/dev/null

# ---- counters ----

before=$(count_of 2 rx_queue_0_packets)
bytes=$(count_of 2 rx_queue_0_bytes)
frames 1 2 100
is "the queue's packets" "$(($(count_of 2 rx_queue_0_packets) - before))" 101
is "... and bytes" "$(($(count_of 2 rx_queue_0_bytes) - bytes))" $((100 * 100 + 34))
is "... are the interface's" "$(count_of 1 tx_queue_0_packets)" "$(guest_exec n1 'cat /sys/class/net/eth0/statistics/tx_packets')"

# counted <guest> <dir> <action> <how often of 50 frames> <key=value>…
counted()
{
	local n=${1#n} all

	# somebody has to wait for others to overtake
	[ "$3" != reorder ] || rule "$1" delay time=1ms dir="$2" match="$PROBE" id=slow
	rule "$1" "$3" dir="$2" match="$PROBE" "${@:5}"
	shoot 1 "$(net_mac 2)" 50
	pings "$2 $3: pings pass" 1 2
	net_clear "$1"
	all=$(ethtool "$n" -S eth0)
	is "... ethtool -S counts $4" "$(sed -n "s/^ *$2_fault_$3: //p" <<<"$all") $(fault "$1" stats | wc -l)" "$4 0"
}
for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"
	counted "$guest" "$dir" drop 7 every=7
	counted "$guest" "$dir" corrupt 10 every=5 offset=20-40
	counted "$guest" "$dir" dup 25 every=2
	counted "$guest" "$dir" truncate 50 len=60
	counted "$guest" "$dir" delay 12 time=1ms every=4
	counted "$guest" "$dir" rate 50 rate=1Gbit
	counted "$guest" "$dir" reorder 5 every=10
	counted "$guest" "$dir" hold 50 limit=40
	is "$dir: what limit= lost" "$(count_of "${guest#n}" "${dir}_fault_limit")" 10
done
is "of what has not fired: nothing" "$(count_of 1 rx_fault_drop) $(count_of 2 tx_fault_drop)" "0 0"
rule n2 down
shoot 1 "$(net_mac 2)" 30
at_least()
{
	[ "$(count_of "$1" "$2")" -ge "$3" ]
}
check "frames that met no carrier" until_true 10 at_least 2 rx_fault_down 30
net_clear n2
rule n3 partition a=n1 b=n2
shoot 1 "$(net_mac 2)" 20
is "frames that met a partition" "$(count_of 1 tx_partitioned)" 20
net_clear n3

# ---- what the interface takes ----

# taken <n> <MAC>: how many of 10 frames from n1 to that MAC n<n> takes, and how many it does not
taken()
{
	local packets filtered

	packets=$(count_of "$1" rx_queue_0_packets)
	filtered=$(count_of "$1" rx_filtered)
	shoot 1 "$2" 10
	until_true 10 all_there "$1" $((packets + filtered + 10))
	echo "$(($(count_of "$1" rx_queue_0_packets) - packets)) $(($(count_of "$1" rx_filtered) - filtered))"
}

all_there()
{
	[ $(($(count_of "$1" rx_queue_0_packets) + $(count_of "$1" rx_filtered))) -ge "$2" ]
}
stranger=02:00:00:00:00:77
group=01:00:5e:01:02:03
is "frames to it are taken" "$(taken 2 "$(net_mac 2)")" "10 0"
is "frames to nobody known, which reach all, are not" "$(taken 2 $stranger)" "0 10"
is "broadcasts are" "$(taken 2 ff:ff:ff:ff:ff:ff)" "10 0"
is "a group nobody has joined is not" "$(taken 2 $group)" "0 10"
is "224.0.0.1, which every host has joined, is" "$(taken 2 01:00:5e:00:00:01)" "10 0"
guest_exec n2 "/net/netprobe join eth0 $group"
is "joined, it is" "$(taken 2 $group)" "10 0"
is "... another is not" "$(taken 2 01:00:5e:01:02:99)" "0 10"
is "... nor for n3" "$(taken 3 $group)" "0 10"
guest_exec n2 'killall netprobe; usleep 20000'
is "left, it is not" "$(taken 2 $group)" "0 10"
guest_exec n2 'ifconfig eth0 allmulti'
is "allmulticast: it is" "$(taken 2 $group)" "10 0"
is "... a stranger's is not" "$(taken 2 $stranger)" "0 10"
guest_exec n2 'ifconfig eth0 -allmulti; ip link set eth0 promisc on'
is "promiscuous: both are" "$(taken 2 $stranger) $(taken 2 $group)" "10 0 10 0"
guest_exec n2 'ip link set eth0 promisc off'
is "... and then no more" "$(taken 2 $stranger) $(taken 2 $group)" "0 10 0 10"
guest_exec n2 "ip link set eth0 address $stranger"
is "another address is its own" "$(taken 2 $stranger)" "10 0"
is "... and the old one is not" "$(taken 2 "$(net_mac 2)")" "0 10"
guest_exec n2 "ip link set eth0 address $(net_mac 2)"
pings "again" 1 2

# ---- MTU ----

for mtu in 68 1500 9000 65521; do
	for n in 1 2; do
		guest_exec n$n "ip link set eth0 mtu $mtu"
	done
	frames 1 2 20 $((mtu + 14))
	is "MTU $mtu: frames of that length arrive whole" "$(seen_numbers) $(awk '$3 != "-"' <<<"$seen" | wc -l)" "$(seq -s ' ' 20) 0"
	# 68 is too little for busybox ping's headers and time.
	[ "$mtu" -ge 1500 ] || continue
	before="$(snmp 1 Ip FragCreates) $(snmp 2 Ip FragCreates)"
	like "... pings of $((mtu - 28)) bytes are answered" "$(guest_exec n1 "ping -c 5 -i 0.1 -W 5 -s $((mtu - 28)) 10.0.0.2")" "5 packets received"
	is "... in one piece" "$(snmp 1 Ip FragCreates) $(snmp 2 Ip FragCreates)" "$before"
done
check_fails "MTU 65522 is refused" guest_exec n1 'ip link set eth0 mtu 65522'
check_fails "MTU 67 is refused" guest_exec n1 'ip link set eth0 mtu 67'
is "... and changes nothing" "$(guest_exec n1 'cat /sys/class/net/eth0/mtu')" 65521

done_testing
