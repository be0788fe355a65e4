#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Multicast: who has joined a group answers; a rule loses it for one member and not for another.

. "$(dirname "$0")/../lib/real.sh"

real_programs ip
for n in 1 2 3; do
	real_boot "$n" "eth0=switch,$WORK/seg,mac=$(net_mac "$n")" "ip=eth0:10.0.0.$n/24" "ip=eth0:[fd00::$n]/64"
done
for n in 1 2 3; do
	real_ready "$n"
	[ "$n" = 1 ] || in_guest "$n" 'echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_broadcasts'
done
group=239.1.2.3
in_guest 1 "ip route add 224.0.0.0/4 dev eth0"

# answers <to>: who answers ten pings, and how many of them. ping waits for one answer to its last only: that is one more
answers()
{
	guest_exec n1 "ping -c 11 -i 0.05 -W 2 $1" | sed -n 's/.* bytes from \([^ ]*\): seq=[0-9] .*/\1/p' | sort | uniq -c | awk '{ printf "%s%s:%d", sep, $2, $1; sep = " " }'
}

join()
{
	in_guest "$1" "$(real_ip) addr add $group/32 dev eth0 autojoin"
}

real_ip()
{
	for path in bin sbin usr/sbin usr/bin; do
		[ ! -e "$real_dir/$path/ip" ] || echo "/prog/$path/ip"
	done | head -n 1
}

is "all hosts: each answers" "$(answers 224.0.0.1)" "10.0.0.2:10 10.0.0.3:10"
is "nobody has joined the group" "$(answers $group)" ""
join 2
is "n2 has" "$(answers $group)" "10.0.0.2:10"
join 3
is "n3 too" "$(answers $group)" "10.0.0.2:10 10.0.0.3:10"
rule n1 drop dir=tx peer="$(net_mac 3)" match='dst net 224.0.0.0/4'
is "lost for n3 alone" "$(answers $group)" "10.0.0.2:10"
is "... each time" "$(stat_of n1 r fired)" 11
net_clear n1
is "and no longer" "$(answers $group)" "10.0.0.2:10 10.0.0.3:10"
in_guest 3 "$(real_ip) addr del $group/32 dev eth0"
is "n3 leaves" "$(answers $group)" "10.0.0.2:10"

six()
{
	guest_exec n1 "ping6 -c 11 -i 0.05 -W 2 -I eth0 ff02::1" | sed -n 's/.* bytes from \([^ ]*\): seq=[0-9] .*/\1/p' | sort | uniq -c | awk '{ print $1 }' | paste -sd ' '
}
like "IPv6: all nodes answer" "$(six)" '^(10 )?10 10$'
done_testing
