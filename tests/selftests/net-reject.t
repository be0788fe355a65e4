#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# reject: the frame is lost and its sender told so, as netfilter's REJECT does it. drop ecn=on: who can ECN is told by a mark.

. "$(dirname "$0")/../lib/net.sh"

net_boot 1 ipv6.disable=0
net_boot 2 ipv6.disable=0
net_ready 1 && net_ready 2 && net_ipv6 1 && net_ipv6 2 || exit 1
for n in 1 2; do
	guest_exec n$n "echo 0 >/proc/sys/net/ipv6/conf/eth0/dad_transmits; ip -6 addr add fd00::$n/64 dev eth0"
done

# try_tcp, try_udp: what a program of n1 is told
try_tcp()
{
	guest_exec n1 '/net/netprobe try tcp 10.0.0.2 7 2>&1'
}
try_udp()
{
	guest_exec n1 '/net/netprobe try udp 10.0.0.2 7 2>&1'
}

is "without a rule: TCP to a closed port is refused" "$(try_tcp)" "Connection refused"

# In front of a service that is there, so that only the rule can refuse.
guest_exec n2 '/net/netprobe serve 7'

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	is "$guest $dir: there is a service" "$(try_tcp)" "connected"
	rule "$guest" reject dir="$dir" match="ip and dst host 10.0.0.2"
	is "$guest $dir: TCP gets a reset" "$(try_tcp)" "Connection refused"
	is "... UDP an ICMP error" "$(try_udp)" "Connection refused"
	like "... which is logged" "$(events_of "$guest" r | tail -n 1)" "action=reject"
	net_clear "$guest"

	for with in "icmp-port Connection refused" "icmp-host No route to host" "icmp-admin No route to host"; do
		rule "$guest" reject dir="$dir" with="${with%% *}" match="ip and dst host 10.0.0.2"
		is "$guest $dir with=${with%% *}: TCP is told so" "$(try_tcp)" "${with#* }"
		is "... and UDP" "$(try_udp)" "${with#* }"
		net_clear "$guest"
	done

	rule "$guest" reject dir="$dir" with=rst match="udp and dst host 10.0.0.2"
	is "$guest $dir with=rst: UDP is lost without a word" "$(try_udp)" "Connection timed out"
	net_clear "$guest"

	# Neighbours are found before.
	until_true 10 guest_exec n1 'ping -6 -c 1 -W 1 fd00::2 >/dev/null 2>&1'
	rule "$guest" reject dir="$dir" match="ip6 and dst host fd00::2 and tcp"
	is "$guest $dir: IPv6: a reset" "$(guest_exec n1 '/net/netprobe try tcp fd00::2 7 2>&1')" "Connection refused"
	net_clear "$guest"
	rule "$guest" reject dir="$dir" with=icmp-admin match="ip6 and dst host fd00::2 and tcp"
	is "... icmp-admin" "$(guest_exec n1 '/net/netprobe try tcp fd00::2 7 2>&1')" "Permission denied"
	net_clear "$guest"

	rule "$guest" reject dir="$dir" match="$PROBE"
	frames 1 2 20
	is "$guest $dir: what is not IP is lost, without an answer" "$(seen_numbers) $(stat_of "$guest" r fired)" " 20"
	net_clear "$guest"
done

# What was lost, and the answer, are both in a capture of the interface.
for at in "n1 tx" "n2 rx"; do
	read -r guest dir <<<"$at"

	fault "$guest" capture eth0 "$WORK/$guest.pcapng" >/dev/null
	rule "$guest" reject dir="$dir" match="tcp and dst host 10.0.0.2"
	try_tcp >/dev/null
	net_clear "$guest"
	fault "$guest" capture eth0 off >/dev/null
	is "$guest: a capture has the frame and the reset" \
		"$(tcpdump -nr "$WORK/$guest.pcapng" tcp 2>/dev/null | grep -oE 'Flags \[[^]]*\]' | paste -sd ' ')" "Flags [S] Flags [R.]"
	like "... and says what it is" "$(strings "$WORK/$guest.pcapng")" "answer of r"
done

# By the receiver, of those to one of several.
rule n1 reject peer="$(net_mac 2)" dir=tx match="ip and dst host 10.0.0.2"
is "peer=, sent: refused" "$(try_tcp)" "Connection refused"
net_clear n1

# ---- marked instead of lost ----

for n in 1 2; do guest_exec n$n 'echo 1 >/proc/sys/net/ipv4/tcp_ecn'; done
for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	guest_exec n2 '/net/netprobe sink 5001'
	before=$(snmp 2 IpExt InCEPkts)
	sent=$(snmp 1 Tcp RetransSegs)
	rule "$guest" drop ecn=on every=50 dir="$dir" match="tcp dst port 5001 and tcp[tcpflags] & (tcp-syn|tcp-fin) = 0"
	rate=$(guest_exec n1 '/net/netprobe source 10.0.0.2 5001 2')
	fired=$(stat_of "$guest" r fired)
	net_clear "$guest"
	marked=$(($(snmp 2 IpExt InCEPkts) - before))
	check "$guest $dir: drop ecn=on marks ($marked of $fired, $rate Mbit/s)" test "$marked" -ge 10 -a "$marked" -ge $((fired * 9 / 10))
	check "... and loses next to nothing ($(($(snmp 1 Tcp RetransSegs) - sent)) sent again)" test $(($(snmp 1 Tcp RetransSegs) - sent)) -le $((fired / 5 + 5))
	rule "$guest" drop ecn=on dir="$dir" match=icmp
	icmp 1 2 10
	is "... who cannot ECN loses them" "$received $(stat_of "$guest" r fired)" "0 10"
	net_clear "$guest"
done

done_testing
