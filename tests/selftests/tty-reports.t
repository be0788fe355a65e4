#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What people have reported of serial lines: pppd on a line without CTS, XOFF at 9600 baud, agetty with several speeds and
# whatever noise. One guest has both ends, and waits in virtual time.

# The programs and their libraries are copied into the guest's memory.
[ "${FLAVOR:-default}" = debug ] || : "${GUEST_MEM:=192M}"
. "$(dirname "$0")/../lib/tty.sh"

tty_programs pppd agetty
tty_boot t1 time-travel=inf-cpu "ttyS1=$CABLE"
guest_wait_ready t1 || exit 1
tty_install t1
guest_exec t1 'mkdir -p /etc/ppp /run/pppd /var/run; : >/etc/ppp/options
	cat >/tmp/lib <<"END"
umf() { echo "$*" >/proc/umf/control; }
line() { dev=/dev/$1; shift; /t/ttyprobe $dev "$@"; }
# ms of the guest
ms() { IFS=". " read -r s cs _ </proc/uptime; echo $((s * 1000 + ${cs#0} * 10)); }
ppp() { tty=$1; shift; exec setsid pppd $tty 115200 crtscts nodetach noauth noccp novj noipv6 nodefaultroute debug \
	lcp-restart 1 maxfail 1 logfile /tmp/$tty.log "$@" >/tmp/$tty.out 2>&1; }
END'

# inside <script>: all in one command, as the guest's clock runs on while nothing is to be done; $out is what it said
inside()
{
	out=$(guest_exec -t 100 t1 ". /tmp/lib; $1" 2>&1)
}

# said_of <name>: what the script has said after <name>=
said_of()
{
	sed -n "s/^$1=//p" <<<"$out"
}

# within <description> <number> <least> <most>
within()
{
	if [ "${2:-999999}" -ge "$3" ] && [ "${2:-999999}" -le "$4" ]; then
		ok "$1"
	else
		not_ok "$1" "${2:-nothing}, not $3 to $4" "$out"
	fi
}

# ---- pppd on a line whose CTS is off ----

closing_wait=30000	# ms; what a line has unless TIOCSSERIAL says otherwise

inside '
umf add ttyS0 modem cts=off dcd=on id=m
/t/ttyprobe /dev/ttyS1 raw 115200 read 4096 60000 icount >/tmp/crossed &
probe=$!
ppp ttyS0 & pid=$!
sleep 5.5
echo requests=$(grep -c "^sent .LCP ConfReq" /tmp/ttyS0.log)
a=$(ms)
kill -9 $pid; wait $pid
echo killed=$? took=$(($(ms) - a))
rm /tmp/ttyS0.log
ppp ttyS0 & pid=$!
sleep 5.5
a=$(ms)
kill $pid; wait $pid
echo ended=$? took=$(($(ms) - a))
/t/ttyprobe /dev/ttyS0 raw 115200 mode crtscts fill 2000 & pid=$!
a=$(ms)
wait $pid
echo closed=$? took=$(($(ms) - a))
umf clear
sleep 1
kill -USR1 $probe; wait $probe
cat /tmp/crossed'
within "without CTS pppd queues its requests" "$(said_of requests)" 5 6
mapfile -t took < <(sed -n 's/.* took=//p' <<<"$out")
mapfile -t how < <(sed -n 's/^\([a-z]*=[0-9]*\) took=.*/\1/p' <<<"$out")
is "each way ends it" "${how[*]}" "killed=137 ended=16 closed=0"
within "SIGKILL: within closing_wait" "${took[0]}" 0 $closing_wait
within "SIGTERM: within closing_wait and what it waits for an answer to its goodbye" "${took[1]}" 0 $((closing_wait + 6000))
within "a writer's close waits as long as closing_wait" "${took[2]}" $closing_wait $((closing_wait + 1000))
says "nothing of all that has crossed, nor does it once there is CTS" $'(^|\n)read \n'
is "... by the counters, too" "$(value rx)" 0

inside '
rm -f /tmp/ttyS*.log
umf add ttyS0 modem cts=off dcd=on id=m
for n in 0 1; do
	ppp ttyS$n 10.9.0.$((n + 1)):10.9.0.$((2 - n)) & eval pid$n=$!
done
sleep 5.5
echo requests=$(grep -c "^sent .LCP ConfReq" /tmp/ttyS0.log)
echo queued=$(grep -c "^sent " /tmp/ttyS0.log)
echo crossed=$(grep -c "^rcvd " /tmp/ttyS1.log)
umf clear
sleep 8
kill $pid0
wait
sed -n "s/^sent /sent=/p" /tmp/ttyS0.log
sed -n "s/^rcvd /rcvd=/p" /tmp/ttyS1.log
grep "local  *IP address" /tmp/ttyS*.log'
within "a second one, with somebody at the other end" "$(said_of requests)" 4 6
is "... whom nothing reaches" "$(said_of crossed)" 0
is "with CTS back what was queued arrives, in order, and all after it" "$(said_of rcvd)" "$(said_of sent)"
check "... each of it once" test "$(said_of rcvd | grep -c .)" -gt "$(said_of queued)"
says "... and the link comes up" "ttyS0.log:local +IP address 10.9.0.1"

# ---- XOFF at 9600 baud ----

fifo=16 ticks=20	# characters in a FIFO, and in two ticks of 10 ms

inside '
/t/ttyprobe /dev/ttyS0 raw 9600 mode ixon fill 100000 drain >/tmp/sent & pid=$!
words=
for i in 0 1 2 3 4 5 6 7; do
	words="$words sleep 10$i icount flow stop sleep 500 icount sleep 500 icount flow start"
done
line ttyS1 raw 9600 $words
kill $pid; wait $pid'
mapfile -t n < <(sed -n 's/.* rx=\([0-9]*\) .*/\1/p' <<<"$out")
most=0 later=0
for ((i = 0; i < ${#n[@]}; i += 3)); do
	follow=$((n[i + 1] - n[i]))
	[ $follow -le $most ] || most=$follow
	later=$((later + n[i + 2] - n[i + 1]))
done
is "XOFF, eight times" "${#n[@]}" 24
# it takes two times of a character for itself to be sent
within "... of what is sent $most characters follow it at most: FIFO and two ticks" "$most" 0 $((2 + fifo + ticks))
is "... and none later" "$later" 0

inside '
/t/ttyprobe /dev/ttyS1 raw 9600 mode ixoff icount sleep 20000 icount check 4500 20000 icount &
line ttyS0 raw 9600 mode ixon fill 4500 drain
wait'
mapfile -t n < <(sed -n 's/.* rx=\([0-9]*\) .*/\1/p' <<<"$out")
# a tty keeps 4096 for its reader, and asks for a rest when 128 are left
within "a reader that does not read has the line send XOFF" $((n[1] - n[0])) 3968 $((3968 + 2 + fifo + ticks))
says "... and nothing is lost" "check came=4500 bad=0 "

# A receiver whose FIFO nobody empties. XOFF stands in front of what is to be lost.
for xoff in comes "is lost"; do
	inside "
	exec 9<>/dev/ttyS1
	line ttyS1 raw 9600 icount
	/t/ttyprobe /dev/ttyS0 raw 9600 mode ixon fill 300 drain & pid=\$!
	usleep 100000
	[ '$xoff' = comes ] || umf add ttyS0 drop dir=rx pattern=13 id=x
	umf add ttyS1 hold dir=rx limit=$fifo id=h
	line ttyS1 flow stop sleep 1000 icount
	umf del h
	line ttyS1 flow start check 300 2000 icount
	wait \$pid
	grep . /proc/umf/stats
	umf clear"
	came=$(value came)
	mapfile -t n < <(sed -n 's/.* buf=\([0-9]*\)$/\1/p' <<<"$out")
	lost=$((n[2] - n[0]))
	if [ "$xoff" = comes ]; then
		is "XOFF comes: the FIFO has room for what follows it" "$came+$lost" "300+0"
	else
		within "XOFF is lost: the FIFO is overrun" "$lost" 1 $((300 - fifo))
		is "... and what is lost is counted" $((came + lost)) 300
		says "... as is the XOFF" 'x .*fired=1 '
	fi
done

# ---- who waits for events, which come while the line is locked ----

inside '
umf add ttyS1 dup dir=rx id=d
/t/ttyprobe /proc/umf/events check 1000000 2000 >/tmp/events &
/t/ttyprobe /dev/ttyS1 raw 9600 ready check 400 5000 &
line ttyS0 raw 9600 fill 200 drain
wait
cat /tmp/events
umf clear'
says "200 bytes come twice" "check came=400 "
check "... and who polls for events has them all" test "$(sed -n '$s/check came=\([0-9]*\) .*/\1/p' <<<"$out")" -gt 4000

# ---- agetty ----

# The terminal is on ttyS1, and set to 38400. While it is not open there is no carrier.
guest_exec t1 'cat >>/tmp/lib <<"END"
speed() { stty -F /dev/ttyS0 speed; }
breaks() { count=$(line ttyS0 icount); count=${count#* brk=}; count=${count% *}; }
# a break, and what is read for some time
press() { screen=$(line ttyS1 raw 38400 break 250 read 4096 2000); }
# login:
asks() { case $screen in *6c6f67696e3a20*) ;; *) false ;; esac; }
# Presses until it is asked, or five times; says how often. Whoever was asked for his password has had 60 s for it.
comes_round() {
	sleep 70
	exec 9<>/dev/ttyS1
	sleep 2
	for n in 1 2 3 4 5 never; do
		press
		! asks || break
	done
	echo round=$n at $(speed)
	exec 9<&-
}
END'

# Started as init does it, as leader of a session: else a hangup would not end it.
for mode in auto never; do
	inside "
	(while [ ! -e /tmp/$mode ]; do setsid agetty -L=$mode ttyS0 9600,19200,38400 vt100; sleep 1; done) >/dev/null 2>&1 &
	getty=\$! mode=$mode"'
	exec 9<>/dev/ttyS1
	line ttyS1 raw 38400
	sleep 2
	breaks; before=$count
	for n in 1 2 3 4; do
		press
		asks && asked=yes || asked=no
		breaks
		echo press=$((count - before)) $(speed) $asked
	done
	exec 9<&-
	line ttyS1 raw 38400 write "\\00\\00\\00\\00\\00" drain >/dev/null
	comes_round
	umf add ttyS0 frame dir=rx prob=50%
	line ttyS1 raw 38400 write "stu\\80\\fffed\\0d" drain sleep 100 write "\\ff\\00\\0d" drain >/dev/null
	umf clear
	comes_round
	umf add ttyS0 insert dir=rx copies=20
	for n in 1 2 3 4 5; do
		umf add ttyS0 modem dcd=off cts=off id=m
		line ttyS1 raw 38400 write "\\7f" drain >/dev/null
		umf del m
		line ttyS1 raw 50 write "\\55" drain raw 230400 write "\\00\\01\\02" drain >/dev/null
	done
	umf clear
	comes_round
	exec 9<>/dev/ttyS1
	sleep 2
	for n in 1 2 3 4 5; do
		press
		! asks || break
	done
	line ttyS1 write "root\\0d" read 4096 3000 write "tty\\0d" read 4096 1000
	: >/tmp/$mode
	line ttyS1 write "exit\\0d" read 4096 3000
	exec 9<&-
	sleep 2
	kill $getty 2>/dev/null
	wait $getty'
	is "$mode: one break is one count and one change of speed" "$(said_of press | paste -sd /)" \
		"1 19200 no/2 38400 yes/3 9600 no/4 19200 no"
	mapfile -t round < <(said_of round)
	what=("NULs" "framing errors" "noise as the carrier comes and goes")
	for n in 0 1 2; do
		like "$mode: after ${what[n]} it comes round to the right speed" "${round[n]}" "^[1-4] at 38400"
	done
	# /dev/ttyS0
	says "$mode: ... and lets somebody in" "2f6465762f7474795330"
done
done_testing
