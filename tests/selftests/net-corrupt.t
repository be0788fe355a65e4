#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# corrupt: the bits that the event log names are flipped, no others, and the receiver's checksums notice.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2

# What the event log says was flipped, a line a record, sorted as netprobe prints it; "-" for none.
logged_bits()
{
	events_of "$1" r | perl -ne 'print join(",", sort { $a <=> $b } split(/,/, $1)), "\n" if / bits ([0-9,]*)"$/'
}

# What the receiver saw flipped, a line a frame that was not whole.
seen_bits()
{
	awk '$3 != "-" { print $3 }' <<<"$seen"
}

# bits_agree <description> <guest with the rule>
bits_agree()
{
	is "$1: flipped are the bits of the event log" "$(seen_bits)" "$(logged_bits "$2")"
	is "... as often as counted" "$(seen_bits | wc -l)" "$(stat_of "$2" r fired)"
	net_clear "$2"
}

# Numbers of frames of $seen with other than <n> bits flipped, or flipped outside of bytes <first> to <last>.
not_in()
{
	awk -v n="$1" -v first="$2" -v last="$3" '{
		count = split($3, bit, ",")
		bad = count != n
		for (i = 1; i <= count; i++) bad = bad || bit[i] < 8 * first || bit[i] >= 8 * (last + 1)
		if (bad) printf "%s ", $2
	}' <<<"$seen"
}

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	rule "$guest" corrupt dir="$dir" prob=0 match="$PROBE"
	frames 1 2 300
	is "$dir: prob=0 changes nothing" "$(seen_bits)" ""
	is "... of 300 frames it looked at" "$(stat_of "$guest" r matched)" 300
	net_clear "$guest"

	rule "$guest" corrupt dir="$dir" prob=100% offset=14-99 match="$PROBE"
	frames 1 2 300
	is "$dir: prob=100% changes one bit of each" "$(not_in 1 14 99)" ""
	is "... and loses none" "$(lost_numbers 300)" ""
	check "... at many places ($(seen_bits | sort -u | wc -l))" test "$(seen_bits | sort -u | wc -l)" -gt 150
	bits_agree "$dir: prob=100%" "$guest"

	rule "$guest" corrupt dir="$dir" prob=20% bits=5 offset=40+8 match="$PROBE"
	frames 1 2 300
	seen=$(grep -v ' -$' <<<"$seen")
	n=$(wc -l <<<"$seen")
	check "$dir: prob=20% changes 33 to 87 of 300 ($n)" test "$n" -ge 33 -a "$n" -le 87
	is "... five bits each, in those eight bytes" "$(not_in 5 40 47)" ""
	bits_agree "$dir: prob=20% bits=5" "$guest"

	# The whole frame: where the filter looks, and whom it is for, may change as well.
	rule "$guest" corrupt dir="$dir" every=3 count=20 match="$PROBE"
	frames 1 2 100
	is "$dir: every=3 count=20 anywhere in the frame" "$(awk '$3 != "-" { printf "%s ", $2 }' <<<"$seen")" \
		"$(seq -s ' ' 3 3 60) "
	bits_agree "$dir: every=3 count=20" "$guest"

	rule "$guest" corrupt dir="$dir" bits=16 offset=50+2 match="$PROBE"
	frames 1 2 20
	is "$dir: 16 bits of two bytes are all of them" "$(not_in 16 50 51)" ""
	net_clear "$guest"

	rule "$guest" corrupt dir="$dir" offset=100-200 match="$PROBE"
	frames 1 2 20
	is "$dir: an offset behind the frame's end changes nothing" "$(seen_bits)$(lost_numbers 20)" ""
	net_clear "$guest"
done

# ---- checksums ----

before=$(snmp 2 Icmp InCsumErrors)
rule n1 corrupt dir=tx offset=42-97 match=icmp
check_fails "tx: pings with a flipped bit are not answered" icmp 1 2 20
is "... for their checksums" "$(($(snmp 2 Icmp InCsumErrors) - before))" 20
net_clear n1

before=$(snmp 1 Icmp InCsumErrors)
rule n1 corrupt dir=rx offset=42-97 every=2 match=icmp
# Who asks reads from a raw socket, where checksums do not matter.
icmp 1 2 20
is "rx: every second answer has a wrong checksum" "$(($(snmp 1 Icmp InCsumErrors) - before))" 10
net_clear n1

before=$(snmp 2 Ip InHdrErrors)
rule n2 corrupt dir=rx offset=22-22 match=icmp	# the time to live
check_fails "rx: nor a wrong IP header" icmp 1 2 20
is "... and IP counts it" "$(($(snmp 2 Ip InHdrErrors) - before))" 20
net_clear n2

# ---- bulk TCP: segmentation offload on both sides, and the data stay what they were ----

guest_exec n1 'head -c 4000000 /dev/urandom >/tmp/data'
wanted=$(guest_exec n1 'sha256sum </tmp/data')
# transfer <from> <to>: the checksum of what arrived, and how often the receiver met a wrong one, in $got and $wrong
transfer()
{
	local before

	before=$(snmp "$2" Tcp InCsumErrors)
	# busybox nc leaves when its input ends, on either side.
	guest_exec "n$2" 'mkfifo /tmp/idle 2>/dev/null; nc -l -p 5000 <>/tmp/idle >/tmp/got & while ! grep -q ":1388 00000000:0000 0A" /proc/net/tcp; do usleep 10000; done'
	guest_exec -t 100 "n$1" "nc 10.0.0.$2 5000 </tmp/data"
	got=$(guest_exec -t 20 "n$2" 'while pidof nc >/dev/null; do usleep 10000; done; sha256sum </tmp/got')
	wrong=$(($(snmp "$2" Tcp InCsumErrors) - before))
}

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	rule "$guest" corrupt dir="$dir" prob=1% offset=54-65535 match=tcp
	transfer 1 2
	is "$dir: a file sent over TCP with 1 % corrupted is whole" "$got" "$wanted"
	n=$(stat_of "$guest" r fired)
	check "... though $n segments of $(stat_of "$guest" r matched) were not" test "$n" -gt 5
	# A segment without payload is shorter than the offset.
	check "... and the receiver noticed $wrong" test "$wrong" -gt 0 -a "$wrong" -le "$n"
	net_clear "$guest"

	rule "$guest" drop dir="$dir" prob=1% match=tcp
	transfer 1 2
	is "$dir: with 1 % lost too" "$got" "$wanted"
	check "... though $(stat_of "$guest" r fired) segments were" test "$(stat_of "$guest" r fired)" -gt 5
	net_clear "$guest"
done
transfer 1 2
is "without a rule it is whole as well" "$got $wrong" "$wanted 0"

done_testing
