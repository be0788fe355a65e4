#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A real pppd at each end of the cable: PAP, IP traffic, FCS errors once the line corrupts, a hangup when it is cut.

# The programs and their libraries are copied into the guest's memory.
[ "${FLAVOR:-default}" = debug ] || : "${GUEST_MEM:=192M}"
. "$(dirname "$0")/../lib/tty.sh"

tty_programs pppd
tty_start t1 t2
for umid in t1 t2; do
	tty_install "$umid"
	guest_exec "$umid" 'mkdir -p /etc/ppp /run/pppd /var/run; : >/etc/ppp/options; umask 77
		echo "client * secret *" >/etc/ppp/pap-secrets'
done

# ppp <guest> <option>…: starts it, in a session of its own, as it signals its process group; its status will be in /tmp/ppp.status
ppp()
{
	local umid=$1
	shift

	guest_exec "$umid" "rm -f /tmp/ppp.status /tmp/ppp.log
		(setsid pppd ttyS0 230400 crtscts modem nodetach logfile /tmp/ppp.log noccp novj noipv6 nodefaultroute maxfail 1 $* \
			>/tmp/ppp.out 2>&1; echo \$? >/tmp/ppp.status) >/dev/null 2>&1 &"
}

logged()
{
	guest_exec "$1" "grep -Eq '$2' /tmp/ppp.log"
}

# noted <description> <guest> <regex>: its log comes to say that
noted()
{
	if until_true 40 logged "$2" "$3"; then
		ok "$1"
	else
		not_ok "$1" "$(guest_exec "$2" 'cat /tmp/ppp.log /tmp/ppp.out')"
	fi
}

errors()
{
	guest_exec "$1" 'cat /sys/class/net/ppp0/statistics/rx_errors'
}

# Since the link is up: before that an end may come in the middle of a frame.
declare -A base
# A guest that did not get its processor for long loses bytes, as a slow machine does; each time is counted.
clean()
{
	[ $(($(errors "$1") - base[$1])) -le "$(guest_exec "$1" 'cat /proc/tty/driver/umf-tty' | sed -n 's/^0:.* oe:\([0-9]*\).*/\1/p' | grep . || echo 0)" ]
}

ended()
{
	guest_exec "$1" 'test -e /tmp/ppp.status'
}

# transfer <bytes>: from t2 to t1 by TCP; what came is as what was sent
transfer()
{
	# nc ends what it sends with its stdin, which is to be never
	guest_exec t1 '[ -p /tmp/never ] || mkfifo /tmp/never; nc -l -p 5000 <>/tmp/never >/tmp/got 2>&1 & echo $! >/tmp/nc.pid'
	guest_exec t2 "head -c $1 /dev/urandom >/tmp/sent"
	until_true 10 guest_exec t1 'grep -q :1388 /proc/net/tcp /proc/net/tcp6'
	guest_exec -t 60 t2 'nc 10.9.0.1 5000 </tmp/sent'
	until_true 30 guest_exec t1 'test ! -e /proc/$(cat /tmp/nc.pid)'
	[ "$(guest_exec t1 'md5sum </tmp/got')" = "$(guest_exec t2 'md5sum </tmp/sent')" ]
}

server=(auth require-pap name server 10.9.0.1:10.9.0.2)
client=(noauth user client noipdefault)

# ---- the wrong word ----

guest_exec t2 'echo "client * other *" >/etc/ppp/pap-secrets'
ppp t1 "${server[@]}"
ppp t2 "${client[@]}"
noted "a wrong password is refused" t1 'PAP (peer )?authentication failed'
noted "... and the client told so" t2 'PAP authentication failed'
check "t1 gives up" until_true 40 ended t1
check "... and t2" until_true 40 ended t2

# ---- the right one ----

guest_exec t2 'echo "client * secret *" >/etc/ppp/pap-secrets'
ppp t1 "${server[@]}"
ppp t2 "${client[@]}"
noted "the right one is taken" t1 'PAP peer authentication succeeded for client'
noted "an address is given" t2 'local  *IP address 10.9.0.2'
noted "... by the other end" t1 'remote IP address 10.9.0.2'
base[t1]=$(errors t1) base[t2]=$(errors t2)
like "ping" "$(guest_exec t2 'ping -c 20 -i 0.05 -s 400 10.9.0.1')" ' 0% packet loss'
check "a TCP transfer" transfer 40000
check "no FCS error at t1" clean t1
check "... nor at t2" clean t2

# ---- noise ----

rule t1 ttyS0 corrupt dir=rx prob=0.02%
guest_exec t2 'ping -c 100 -i 0.02 -s 400 10.9.0.1' >/dev/null
n=$(errors t1)
check "corrupt: FCS errors at t1" test "$n" -gt 0
check "a TCP transfer survives it" transfer 20000
check "... with more of them" test "$(errors t1)" -gt "$n"
diag "$(errors t1) errors of $(stat_of t1 r fired) corrupted bytes"
check "none at t2, whose line is clean" clean t2
fault t1 clear >/dev/null
guest_exec t2 'ping -c 1 -W 1 10.9.0.1' >/dev/null
n=$(errors t1)
like "clear: ping" "$(guest_exec t2 'ping -c 20 -i 0.05 -s 400 10.9.0.1')" ' 0% packet loss'
is "... and no more errors" "$(errors t1)" "$n"

# ---- the cable is cut ----

rule t1 ttyS0 cut
noted "cut: t1 hangs up" t1 'Modem hangup'
noted "... and t2" t2 'Modem hangup'
check "t1's pppd ends" until_true 40 ended t1
check "... and t2's" until_true 40 ended t2
check_fails "the interface is gone" guest_exec t1 'test -e /sys/class/net/ppp0'
fault t1 clear >/dev/null
done_testing
