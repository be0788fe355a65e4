#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# freeze --lose: keepalived's master stands still while another one takes over. What the other one says meanwhile is kept for
# it, so that it hears that it was replaced and tells the clients; or lost, as some hypervisors do: it never hears of it, and
# who has learned the other one's MAC sends there until he gives that up.

. "$(dirname "$0")/../lib/lab.sh"

PATH=$PATH:/usr/sbin command -v keepalived >/dev/null || skip_all "there is no keepalived here"
"$TOP/rootfs/add-program" "$PWD/prog" keepalived || skip_all "keepalived cannot be copied"
mkdir conf
for n in 1 2; do
	cat >conf/n$n <<E
global_defs {
	router_id n$n
	vrrp_version 3
}
vrrp_instance service {
	interface eth0
	state BACKUP
	virtual_router_id 7
	priority $((200 - 50 * n))
	advert_int 0.4
	garp_master_delay 1
	garp_lower_prio_delay 1
	virtual_ipaddress {
		10.0.0.100/24 dev eth0
	}
}
E
done
cat >t.lab <<E
memory = $GUEST_MEM
append = "share=$PWD/prog:/prog share=$PWD/conf:/conf"
segment lan {}
guest n1 { nic eth0 { segment = lan mac = 02:00:00:00:00:01 ip = 10.0.0.1/24 } }
guest n2 { nic eth0 { segment = lan mac = 02:00:00:00:00:02 ip = 10.0.0.2/24 } }
guest n3 { nic eth0 { segment = lan mac = 02:00:00:00:00:03 ip = 10.0.0.3/24 } }
E
run lab up
is "up" "$status: $err" "0: "
for n in 1 2; do
	lab exec n$n 'mkdir -p /lib; for d in /prog/lib/* /prog/lib64; do t=${d#/prog}; [ -e "$t" ] || ln -s "$d" "$t"; done
		export LD_LIBRARY_PATH=$(find /prog -name "*.so*" | sed "s|/[^/]*$||" | sort -u | tr "\n" :)
		setsid /prog/usr/sbin/keepalived -n -l -P -f /conf/n'$n' -p /run/k.pid -r /run/v.pid >/tmp/keepalived.log 2>&1 &'
done
# Entries are given up within seconds, not minutes.
lab exec n3 'cd /proc/sys/net/ipv4/neigh/eth0 && echo 8000 >base_reachable_time_ms && echo 1 >delay_first_probe_time'

has_address()
{
	lab exec "$1" 'ip addr show dev eth0' | grep -q 'inet 10.0.0.100/'
}

has_not()
{
	! has_address "$1"
}

# Who the client takes the service address to be at: 1 or 2.
where()
{
	lab exec n3 'arp -n 10.0.0.100' | grep -oE '02:00:00:00:00:0[12]' | grep -o '.$'
}

at()
{
	[ "$(where)" = "$1" ]
}

served()
{
	lab exec n3 "ping -c 1 -W 1 10.0.0.100" >/dev/null
}

check "n1 becomes master" until_true 30 has_address n1 || lab exec n1 'cat /tmp/keepalived.log' | sed 's/^/# /'
check "... and serves" until_true 10 served
is "... by its own MAC" "$(where)" 1

for lose in "" --lose; do
	# what it says a second time, garp_master_delay later, would be heard after the thaw
	sleep 2
	# shellcheck disable=SC2086 # one word or none
	lab freeze $lose n1
	check "freeze $lose: n2 takes over" until_true 20 has_address n2
	check "... the client hears of it" until_true 10 at 2
	check "... and is served" until_true 10 served
	lab thaw n1
	check "... thawed: n2 gives the address back" until_true 10 has_not n2
	check "... which n1 has had all the time" has_address n1
	if [ -z "$lose" ]; then
		check "... has heard that it was replaced, and tells the client" until_true 5 at 1
		check "... who is served" until_true 5 served
	else
		is "... has not heard that it was replaced: the client still sends to n2" "$(where)" 2
		check_fails "... and is not served" served
		check "... until it gives the entry up" until_true 60 served
		is "... and learns anew" "$(where)" 1
	fi
done

run lab down
is "down" "$status: $err" "0: "
lab_clean n1 n2 n3
done_testing
