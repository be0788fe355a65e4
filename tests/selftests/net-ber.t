#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# corrupt ber= and csum=: the error rate that was asked for, and errors that only the application can tell.

. "$(dirname "$0")/../lib/net.sh"

net_boot 1 ipv6.disable=0
net_boot 2 ipv6.disable=0
net_ready 1 && net_ready 2 && net_ipv6 1 && net_ipv6 2 || exit 1

flipped()
{
	awk '$3 != "-" { n += split($3, bit, ",") } END { print n + 0 }' <<<"$seen"
}

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	rule "$guest" corrupt dir="$dir" ber=0 match="$PROBE"
	frames 1 2 50 1000
	is "$dir: ber=0 flips nothing" "$(flipped) $(wc -l <<<"$seen")" "0 50"
	net_clear "$guest"

	# 300 frames of 986 bytes behind the header: 2366400 bits, 237 expected, +-4.5 deviations.
	rule "$guest" corrupt dir="$dir" ber=1e-4 offset=14-999 match="$PROBE"
	frames 1 2 300 1000
	n=$(flipped)
	check "$dir: ber=1e-4 flips 168 to 306 of 2366400 bits ($n)" test "$n" -ge 168 -a "$n" -le 306
	logged=$(events_of "$guest" r | sed -n 's/.* bits \([0-9,]*\)"$/\1/p' | tr ',' '\n' | wc -l)
	is "... those of the event log" "$n" "$logged"
	is "... and loses nothing" "$(lost_numbers 300)" ""
	frame=$(awk '$3 == "-"' <<<"$seen" | wc -l)
	# exp(-0.7888) = 0.454 of 300 are whole
	check "... 98 to 175 frames are whole ($frame)" test "$frame" -ge 98 -a "$frame" -le 175
	net_clear "$guest"

	rule "$guest" corrupt dir="$dir" ber=1 offset=60-61 match="$PROBE"
	frames 1 2 10
	is "$dir: ber=1 flips all" "$(flipped) $(awk '{ print $3 }' <<<"$seen" | sort -u)" \
		"160 $(seq -s , $((60 * 8)) $((62 * 8 - 1)))"
	net_clear "$guest"
done

# ---- csum= ----

# transfer <from> <to> <bytes>: over TCP to busybox nc; whether the same came, and how often a checksum was wrong
transfer()
{
	local before

	before=$(snmp "$2" Tcp InCsumErrors)
	guest_exec "n$1" 'yes data | head -c 2000000 >/tmp/data'
	guest_exec "n$2" 'mkfifo /tmp/idle 2>/dev/null; nc -l -p 5000 <>/tmp/idle >/tmp/got & while ! grep -q ":1388 .* 0A" /proc/net/tcp /proc/net/tcp6; do usleep 10000; done'
	guest_exec -t 100 "n$1" "nc 10.0.0.$2 5000 </tmp/data"
	got=$(guest_exec -t 20 "n$2" 'while pidof nc >/dev/null; do usleep 10000; done; yes data | head -c 2000000 | cmp -l - /tmp/got | wc -l; wc -c </tmp/got')
	wrong=$(($(snmp "$2" Tcp InCsumErrors) - before))
}

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	# Behind the headers, only of full segments.
	rule "$guest" corrupt dir="$dir" every=50 offset=100-1400 csum=fix match="tcp and dst port 5000 and greater 1500"
	transfer 1 2
	n=$(stat_of "$guest" r fired)
	check "$dir: csum=fix: TCP delivers wrong bytes (${got//$'\n'/ of }, $n frames)" test "${got%%$'\n'*}" -gt 0 -a "${got%%$'\n'*}" -le "$n"
	is "... all of them, and has not noticed" "${got##*$'\n'} $wrong" "2000000 0"
	net_clear "$guest"

	rule "$guest" corrupt dir="$dir" offset=50-60 csum=fix match=icmp
	before=$(snmp 2 Icmp InCsumErrors)
	icmp 1 2 10
	is "$dir: ICMP is answered" "$received $(($(snmp 2 Icmp InCsumErrors) - before))" "10 0"
	net_clear "$guest"

	rule "$guest" corrupt dir="$dir" offset=22-22 csum=fix match=icmp
	before=$(snmp 2 Ip InHdrErrors)
	icmp 1 2 10
	is "$dir: another time to live goes unnoticed" "$(($(snmp 2 Ip InHdrErrors) - before))" 0
	net_clear "$guest"

	# 6: IPv6 goes to the address that its MAC makes.
	before=$(guest_exec n2 "sed -n 's/^Icmp6InCsumErrors *//p' /proc/net/snmp6")
	rule "$guest" corrupt dir="$dir" offset=70-100 csum=fix match="icmp6 and ip6[40] == 128"
	out=$(guest_exec -t 60 n1 'ping -6 -c 5 -i 0.2 -W 2 fe80::ff:fe00:2%eth0')
	like "$dir: ICMPv6 is answered" "$out" "5 packets transmitted, [1-5] packets received"
	is "... and its checksum right" "$(guest_exec n2 "sed -n 's/^Icmp6InCsumErrors *//p' /proc/net/snmp6")" "$before"
	is "... $(stat_of "$guest" r fired) times" "$(stat_of "$guest" r fired)" 5
	net_clear "$guest"
done

rule n1 corrupt dir=tx offset=42-97 csum=keep match=icmp
check_fails "csum=keep: pings with a flipped bit are not answered" icmp 1 2 10
net_clear n1
pings "after clear" 1 2

done_testing
