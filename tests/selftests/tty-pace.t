#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# Bytes take the time their speed says; ends that are set differently read garbage; pace=off does neither. Flow control.

. "$(dirname "$0")/../lib/tty.sh"

command -v python3 >/dev/null || skip_all "there is no python3"
# One guest holds both ends: no second machine blurs the clock.
tty_boot t1 "ttyS1=$CABLE" "ttyS2=link,$WORK/fast,pace=off" "ttyS3=link,$WORK/fast,pace=off" \
	"ttyS4=unix,$WORK/sock"
guest_wait_ready t1 || exit 1

# takes <description> <us wanted> <percent> <command…>: the command sets $us. A guest that has to wait for its processor
# measures wrong: one of three measurements must agree.
takes()
{
	local description=$1 low=$(($2 * (100 - $3) / 100)) high=$(($2 * (100 + $3) / 100)) seen=
	shift 3

	for _ in 1 2 3; do
		"$@"
		seen+=" $us"
		[ "${us:-0}" -lt "$low" ] || [ "$us" -gt "$high" ] || { ok "$description"; return; }
	done
	not_ok "$description" "took$seen us, not $low to $high"
}

# from_first_to_last <baud> <n> [mode…]: of n bytes
from_first_to_last()
{
	local baud=$1 n=$2
	shift 2

	behind t1 ttyS1 raw "$baud" "$@" ready check "$n" 20000
	probe t1 ttyS0 raw "$baud" "$@" fill "$n" drain
	drained=$(value drain)
	outcome t1 ttyS1
	us=$(value us)
}

until_drained()
{
	from_first_to_last "$@"
	us=$((drained * 1000))
}

for speed in "9600 960" "1200 120" "115200 11520"; do
	read -r baud n <<<"$speed"
	takes "$baud 8N1: $n bytes take a second" 1000000 6 from_first_to_last "$baud" "$n"
	says "... and come" "check came=$n bad=0 "
done
takes "tcdrain waits for the last byte: 800 of 12 bits" 1000000 8 until_drained 9600 800 mode parenb mode cstopb
says "8E2: all come" "check came=800 bad=0 "

probe t1 ttyS0 raw 1200 lsr fill 60 lsr drain lsr
is "TIOCSERGETLSR knows when the transmitter is empty" "$(grep lsr <<<"$out" | paste -sd ' ')" "lsr empty lsr busy lsr empty"

# ---- a processor that stands still ----

# thaw <seconds>: the guest, which sends on ttyS4, stands still for that long; how much comes within a second after that
thaw()
{
	python3 - "$WORK/sock" "$(guest_pid t1)" "$1" <<-'PY'
	import os, signal, socket, sys, time
	s = socket.socket(socket.AF_UNIX)
	s.connect(sys.argv[1])
	pid, n, left = int(sys.argv[2]), 0, 60
	while left > 0:
	    left -= len(s.recv(left))
	os.kill(pid, signal.SIGSTOP)
	time.sleep(float(sys.argv[3]))
	s.setblocking(False)
	def take():
	    try:
	        return len(s.recv(65536))
	    except BlockingIOError:
	        return 0
	while take(): pass
	os.kill(pid, signal.SIGCONT)
	end = time.time() + 1
	while time.time() < end:
	    n += take()
	    time.sleep(0.002)
	print(n)
	PY
}

behind t1 ttyS4 raw 1200 ready fill 3000 drain
n=$(thaw 8)
check "after eight seconds of standing still a line sends no more than it can ($n in a second, not 1080)" test "$n" -lt 500
check "... and goes on" test "$n" -gt 30
quit t1 ttyS4

# ---- settings that differ, or are odd ----

# over <words of ttyS1, with the read> -- <words of ttyS0>: what ttyS1 said is $out
over()
{
	local to=()

	while [ "$1" != -- ]; do
		to+=("$1")
		shift
	done
	shift
	behind t1 ttyS1 "${to[@]}" icount
	probe t1 ttyS0 "$@" drain
	finish t1 ttyS1
}

over raw 9600 mode inpck ready read 100 20000 -- raw 4800 write UUUUUUUUUU
check_fails "4800 read at 9600 is not what was sent" grep -q 'read 55555555555555555555$' <<<"$out"
check "... and has framing errors" test "$(value frame)" -gt 0
probe t1 ttyS1 raw 9600 icount
before=$(value parity)
over raw 9600 mode parenb mode inpck mode parmrk ready read 9 20000 -- raw 9600 mode parenb mode parodd write abc
says "odd parity read as even: each byte is marked" "read ff0061ff0062ff0063"
is "... and counted" $(($(value parity) - before)) 3
over raw 9600 mode parenb mode inpck mode ignpar ready read 9 20000 -- raw 9600 mode parenb mode parodd write abc
says "IGNPAR: each is thrown away" $'read \n'
over raw 9600 mode parenb ready read 9 20000 -- raw 9600 mode parenb mode parodd write abc
says "without INPCK: each passes" "read 616263"
over raw 9600 mode cs7 mode parenb ready read 9 20000 -- raw 9600 mode cs7 mode parenb write 'a\e2c'
says "seven bits have no eighth" "read 616263"
over raw 9600 mode -cread ready read 9 20000 -- raw 9600 write abc
says "without CREAD nothing is received" $'read \n'

# ---- flow control ----

# stays_stuck <description>: ttyS0's probe does not end
stays_stuck()
{
	check_fails "$1" guest_exec t1 'sleep 0.4; test -e /tmp/ttyS0.done'
}

behind t1 ttyS1 raw 115200 clear rts ready sleep 60000 set rts check 100 20000
behind t1 ttyS0 raw 115200 mode crtscts fill 100 ready drain
stays_stuck "RTS/CTS: the sender waits for CTS"
nudge t1 ttyS1
outcome t1 ttyS1
says "... and nothing is lost" "check came=100 bad=0 "
outcome t1 ttyS0

behind t1 ttyS1 raw 9600 ready sleep 60000 clear rts sleep 100 flush ready read 50 500 set rts check 1 20000
behind t1 ttyS0 raw 9600 mode crtscts fill 3000 ready drain
nudge t1 ttyS1
outcome t1 ttyS1
says "RTS that goes down stops a sender at once" $'read \ncheck came=[1-9]'
quit t1 ttyS0

behind t1 ttyS0 raw 115200 mode ixon ready sleep 60000 fill 100 drain
behind t1 ttyS1 raw 115200 write '\13' drain ready sleep 60000 write '\11' check 100 20000
nudge t1 ttyS0
stays_stuck "XOFF stops the sender"
nudge t1 ttyS1
outcome t1 ttyS1
says "... XON lets it go, and nothing is lost" "check came=100 bad=0 "
outcome t1 ttyS0

# A reader that does not read asks for a rest, by the line or by XOFF.
for flow in "crtscts crtscts" "ixoff ixon"; do
	read -r to from <<<"$flow"
	behind t1 ttyS1 raw 921600 mode "$to" ready sleep 60000 check 30000 20000 icount
	behind t1 ttyS0 raw 921600 mode "$from" ready fill 30000 drain
	stays_stuck "$to: a reader that does not read stops the sender"
	nudge t1 ttyS1
	outcome t1 ttyS1
	says "... and once it reads has all of it" "check came=30000 bad=0 "
	outcome t1 ttyS0
done
probe t1 ttyS1 raw 921600 icount
before=$(value buf)
# the tty layer keeps up to 1.3 MB
behind t1 ttyS1 raw 4000000 ready sleep 60000 check 1500000 20000 icount
probe t1 ttyS0 raw 4000000 fill 1500000 drain
nudge t1 ttyS1
finish t1 ttyS1
check "with neither the line goes on, and bytes are lost" test "$(value came)" -lt 1500000
is "... as many as were counted" $((1500000 - $(value came))) $(($(value buf) - before))

# A slow reader, whatever the speeds are.
behind t1 ttyS3 raw 50 ready sleep 60000 check 2000000 20000
behind t1 ttyS2 raw 115200 ready fill 2000000 drain
check_fails "pace=off: a reader that does not read stops the sender" guest_exec t1 'sleep 0.4; test -e /tmp/ttyS2.done'
nudge t1 ttyS3
outcome t1 ttyS3
says "... and then has all of two megabytes" "check came=2000000 bad=0 "
us=$(value us)
check "... in less than 20 s" test "$us" -lt 20000000
diag "$((2000000 / (us / 1000 + 1))) kB/s"
outcome t1 ttyS2

# What was on its way comes first; then a sender that is woken by another line does not send, either.
behind t1 ttyS3 raw 50 ready sleep 60000 clear rts sleep 200 flush sleep 200 flush clear dtr read 50 500 set rts read 1 20000
behind t1 ttyS2 raw 115200 mode crtscts ready fill 2000000 drain
nudge t1 ttyS3
outcome t1 ttyS3
says "pace=off: RTS that goes down stops a sender in the middle, RTS that comes lets it go on" $'read \nread [0-9a-f]'
quit t1 ttyS2

# ---- loopback ----

probe t1 ttyS0 raw 9600 set loop write hello drain read 5 5000 lines
is "TIOCM_LOOP gives back what is sent, and the lines" "$(grep -v drain <<<"$out" | paste -sd ' ')" "read 68656c6c6f lines rts dtr cts dsr"
probe t1 ttyS0 clear loop

done_testing
