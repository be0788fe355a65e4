#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Bytes take the time their speed says; ends that are set differently read garbage; pace=off does neither.

. "$(dirname "$0")/../lib/tty.sh"

# One guest holds both ends: no second machine blurs the clock.
tty_boot t1 "ttyS1=$CABLE" "ttyS2=link,$WORK/fast,pace=off" "ttyS3=link,$WORK/fast,pace=off"
guest_wait_ready t1 || exit 1

# took <description> <us measured> <us wanted> <percent>
took()
{
	if [ "${2:-0}" -ge $(($3 * (100 - $4) / 100)) ] && [ "$2" -le $(($3 * (100 + $4) / 100)) ]; then
		ok "$1"
	else
		not_ok "$1" "took $2 us, not $3 +- $4 %"
	fi
}

for speed in "9600 960" "1200 120" "115200 11520"; do
	read -r baud n <<<"$speed"
	behind t1 ttyS1 raw "$baud" check "$n" 3000
	probe t1 ttyS0 raw "$baud" sleep 300 fill "$n" drain sleep 200
	outcome t1 ttyS1
	says "$baud 8N1: $n bytes come" "check came=$n bad=0 "
	took "... in a second" "$(value us)" 1000000 6
done

behind t1 ttyS1 raw 9600 mode parenb mode cstopb check 800 3000
probe t1 ttyS0 raw 9600 mode parenb mode cstopb sleep 300 fill 800 drain
took "tcdrain waits for the last byte: 800 of 12 bits" "$(($(sed -n 's/drain \(.*\) ms/\1/p' <<<"$out") * 1000))" 1000000 8
outcome t1 ttyS1
says "8E2: all come" "check came=800 bad=0 "

probe t1 ttyS0 raw 1200 lsr fill 60 lsr drain lsr
is "TIOCSERGETLSR knows when the transmitter is empty" "$(grep lsr <<<"$out" | paste -sd ' ')" "lsr empty lsr busy lsr empty"

# ---- settings that differ ----

behind t1 ttyS1 raw 9600 mode inpck read 100 1500 icount
probe t1 ttyS0 raw 4800 sleep 200 write 'UUUUUUUUUU' drain
outcome t1 ttyS1
check_fails "4800 read at 9600 is not what was sent" grep -q 'read 55555555555555555555$' <<<"$out"
check "... and has framing errors" test "$(value frame)" -gt 0

behind t1 ttyS1 raw 9600 mode parenb mode inpck mode parmrk read 9 1500 icount
probe t1 ttyS0 raw 9600 mode parenb mode parodd sleep 200 write abc drain
outcome t1 ttyS1
says "odd parity read as even: each byte is marked" "read ff0061ff0062ff0063"
is "... and counted" "$(value parity)" 3

# ---- flow control ----

behind t1 ttyS1 raw 115200 clear rts sleep 1200 set rts check 100 2000
probe t1 ttyS0 raw 115200 mode crtscts sleep 300 fill 100 drain
drained=$(sed -n 's/drain \(.*\) ms/\1/p' <<<"$out")
outcome t1 ttyS1
says "RTS/CTS: nothing is lost" "check came=100 bad=0 "
check "... and the sender waits for CTS" test "$drained" -ge 600
behind t1 ttyS1 raw 115200 sleep 300 write '\13' sleep 1000 write '\11' check 100 2000
probe t1 ttyS0 raw 115200 mode ixon sleep 600 fill 100 drain
check "XOFF stops the sender, XON lets it go" test "$(sed -n 's/drain \(.*\) ms/\1/p' <<<"$out")" -ge 500
outcome t1 ttyS1
says "... and nothing is lost" "check came=100 bad=0 "

# A slow reader: 300 kB at full speed, it looks after a second.
behind t1 ttyS3 raw 115200 sleep 1000 check 300000 3000 icount
probe t1 ttyS2 raw 115200 sleep 100 fill 300000 drain
outcome t1 ttyS3
says "pace=off: a slow reader loses nothing" "check came=300000 bad=0 "

behind t1 ttyS3 raw 50 check 2000000 3000
probe t1 ttyS2 raw 115200 sleep 300 fill 2000000 drain
outcome t1 ttyS3
says "pace=off: two megabytes, whatever the speeds are" "check came=2000000 bad=0 "
us=$(value us)
check "... in less than 20 s" test "$us" -lt 20000000
diag "$((2000000 / (us / 1000 + 1))) kB/s"

# ---- loopback ----

probe t1 ttyS0 raw 9600 set loop write hello drain read 5 500 lines
is "TIOCM_LOOP gives back what is sent, and the lines" "$(grep -v drain <<<"$out" | paste -sd ' ')" "read 68656c6c6f lines rts dtr cts dsr"
probe t1 ttyS0 clear loop

done_testing
