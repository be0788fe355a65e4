#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# timeout: 600
# What each rule says happens to bytes and lines does, as often as asked, and the counters agree.

. "$(dirname "$0")/../lib/tty.sh"

tty_boot t1 "ttyS1=$CABLE"
guest_wait_ready t1 || exit 1

# send <text> <bytes to wait for>: from ttyS0 to ttyS1; what came is $out
send()
{
	behind t1 ttyS1 raw 115200 "${modes[@]}" ready read "${2:-64}" 20000 icount
	probe t1 ttyS0 raw 115200 write "$1" drain
	finish t1 ttyS1
}

# stream <n>: n known bytes from ttyS0 to ttyS1
stream()
{
	behind t1 ttyS1 raw 115200 ready check "$1" 20000 icount
	probe t1 ttyS0 raw 115200 fill "$1" drain
	finish t1 ttyS1
}

clear_rules()
{
	fault t1 clear >/dev/null
}

within()
{
	if [ "${2:-0}" -ge "$3" ] && [ "$2" -le "$4" ]; then
		ok "$1"
	else
		not_ok "$1" "$2 is not from $3 to $4"
	fi
}

modes=()
like "the lines are devices" "$(fault t1 devices)" "ttyS0 tty rules=0"

# ---- drop: 0 %, part, 100 %, either direction ----

for at in "ttyS1 rx" "ttyS0 tx"; do
	read -r line dir <<<"$at"
	rule t1 "$line" drop dir="$dir" prob=0
	stream 2000
	says "$dir: prob=0 loses nothing" "check came=2000 bad=0 "
	is "... and all were asked" "$(stat_of t1 r matched)" 2000
	clear_rules
	rule t1 "$line" drop dir="$dir" prob=100%
	stream 2000
	says "$dir: prob=100% loses all" "check came=0 "
	is "... as counted" "$(stat_of t1 r fired)" 2000
	clear_rules
	rule t1 "$line" drop dir="$dir" prob=20%
	stream 2000
	n=$(stat_of t1 r fired)
	is "$dir: prob=20%: what is missing was counted" "$(value came)" $((2000 - n))
	# four standard deviations
	within "... and is 20 %" "$n" 328 472
	clear_rules
done

rule t1 ttyS0 drop dir=rx
stream 100
says "dir=rx leaves what is sent alone" "check came=100 bad=0 "
clear_rules

# ---- which byte ----

rule t1 ttyS1 drop dir=rx pattern=6263
send abcbcc 4
says "pattern= fires at the byte that completes it" "read 61626263$|read 61626263"
is "... twice" "$(stat_of t1 r fired)" 2
clear_rules
rule t1 ttyS1 drop dir=rx pattern=6162
send abab 2
says "... also when the first byte is a part of it" "read 6161"
clear_rules
# what came before the rule does not count, whoever saw it
for other in none r; do
	rule t1 ttyS1 drop dir=rx pattern=ff
	behind t1 ttyS1 raw 115200 ready read 2 20000 read 3 20000 read 4 20000
	probe t1 ttyS0 raw 115200 write AB drain
	until_true 20 said t1 ttyS1 'read 4142'
	[ $other = r ] || clear_rules
	probe t1 ttyS0 raw 115200 write xAB drain
	until_true 20 said t1 ttyS1 'read 784142'
	rule t1 ttyS1 drop dir=rx pattern=414243 id=s
	probe t1 ttyS0 raw 115200 write CABC drain
	finish t1 ttyS1
	says "pattern= begins with the rule (another one: $other)" "read 434142$"
	clear_rules
done
rule t1 ttyS1 drop dir=rx every=3 after=1 count=2
send abcdefghijkl 10
says "after=1 every=3 count=2" "read 61626365666869"
clear_rules

# In the bad state all is lost, and one in five leaves it; in the good one none is, and one in twenty does: a fifth is
# lost (four deviations of 2000 such bytes: 11 %), in runs of five (of some 80 runs: 3 to 8).
rule t1 ttyS1 drop dir=rx burst=5%,20%
fault t1 capture ttyS1 "$WORK/bursts" >/dev/null
stream 2000
fault t1 capture ttyS1 off >/dev/null
n=$(stat_of t1 r fired)
within "burst=: a fifth is lost" "$n" 180 620
is "... as counted" "$(value came)" $((2000 - n))
# a run is a packet of the capture
runs=$(fault --read "$WORK/bursts" | grep -c ': drop r$')
within "... in runs of five" $((10 * n / runs)) 30 80
clear_rules

# ---- what happens to it ----

rule t1 ttyS1 corrupt dir=rx bits=1 prob=50%
stream 2000
n=$(stat_of t1 r fired)
is "corrupt: bytes that differ are those that fired" "$(value bad)" "$n"
clear_rules
rule t1 ttyS0 corrupt dir=tx bits=8
send a 1
says "all eight bits" "read 9e"
clear_rules
rule t1 ttyS1 dup dir=rx copies=2 pattern=62
send abc 5
says "dup" "read 6162626263"
clear_rules
rule t1 ttyS1 insert dir=rx copies=3 count=1
send ab 5
says "insert: noise in front" "read [0-9a-f]{6}6162"
clear_rules
rule t1 ttyS1 insert dir=rx copies=3
send "$(printf 'a%.0s' {1..60})" 240
noise=$(sed -n 's/^read //p' <<<"$out" | fold -w 8 | sed 's/61$//' | fold -w 2)
# 180 draws of 256: 129 differ, +-4.5 deviations
within "... of any bytes" "$(sort -u <<<"$noise" | wc -l)" 109 149
is "... three each time" "$(wc -l <<<"$noise")" 180
clear_rules

for at in "ttyS1 rx" "ttyS0 tx"; do
	read -r line dir <<<"$at"
	for bits in 1 8; do
		rule t1 "$line" corrupt dir="$dir" bits=$bits
		behind t1 ttyS1 raw 115200 mode cs7 ready read 100 20000
		probe t1 ttyS0 raw 115200 mode cs7 write "$(printf 'a%.0s' {1..100})" drain
		outcome t1 ttyS1
		is "corrupt $dir bits=$bits: on a line of seven bits it is these that are flipped" \
			"$(sed -n 's/^read //p' <<<"$out" | fold -w 2 | grep -cv 61)" 100
		clear_rules
	done
	says "... all seven of them" "read 1e1e1e"
done

modes=(mode inpck mode parmrk)
rule t1 ttyS1 parity dir=rx pattern=62
send abc 5
says "parity: marked" "read 61ff006263"
says "... and counted" "parity=1 "
clear_rules
rule t1 ttyS0 frame dir=tx pattern=62
send abc 5
says "frame, at the sender: marked at the receiver" "read 61ff006263"
says "... and counted" "frame=1 "
clear_rules
rule t1 ttyS1 break dir=rx pattern=62
send abc 6
says "break: in front of the byte" "read 61ff00006263"
says "... and counted" "brk=1 "
clear_rules
modes=()
rule t1 ttyS1 overrun dir=rx pattern=62
send abc 3
says "overrun: the byte is gone, a mark is there" "read 610063"
says "... and counted" "overrun=1 "
clear_rules
rule t1 ttyS1 baud dir=rx speed=57600
send UUUUUUUU 8
check_fails "baud: what comes is something else" grep -q 'read 5555555555555555' <<<"$out"
clear_rules

# ---- time ----

rule t1 ttyS1 delay dir=rx time=1s pattern=61
behind t1 ttyS1 raw 115200 ready echo 20000
probe t1 ttyS0 raw 115200 write b read 1 20000 write a read 1 200 read 1 20000
is "delay: not yet, then it is there" "$(paste -sd ' ' <<<"$out")" "read 62 read  read 61"
finish t1 ttyS1
clear_rules
rule t1 ttyS1 delay dir=rx time=300ms
behind t1 ttyS1 raw 115200 ready echo 20000
probe t1 ttyS0 raw 115200 ping 5 20000
within "... after what was asked for, us" "$(sed -n 's/.*min=\([0-9]*\).*/\1/p' <<<"$out")" 300000 450000
finish t1 ttyS1
clear_rules
rule t1 ttyS0 rate dir=tx speed=1200
# a guest that has to wait for its processor measures wrong
for _ in 1 2 3; do
	behind t1 ttyS1 raw 115200 ready check 120 20000
	probe t1 ttyS0 raw 115200 fill 120
	outcome t1 ttyS1
	us=$(value us)
	[ "$us" -lt 900000 ] || [ "$us" -gt 1100000 ] || break
done
within "rate: 120 bytes take a second" "$us" 900000 1100000
says "... and all come, though the line was closed" "check came=120 bad=0 "
clear_rules

# 200 bytes take 40 s at that rate
rule t1 ttyS1 rate dir=rx speed=50 for=2s
behind t1 ttyS1 raw 115200 ready check 200 20000
probe t1 ttyS0 raw 115200 fill 200 drain
outcome t1 ttyS1
says "rate for=: when it ends all that it kept comes" "check came=200 bad=0 "
check "... at once" test "$(value us)" -lt 15000000
clear_rules
rule t1 ttyS1 rate dir=rx speed=50
behind t1 ttyS1 raw 115200 ready read 200 20000 read 3 20000
probe t1 ttyS0 raw 115200 fill 200 drain
clear_rules
until_true 20 said t1 ttyS1 'read .{400}'
rule t1 ttyS1 rate dir=rx speed=115200
probe t1 ttyS0 raw 115200 write new drain
outcome t1 ttyS1
says "clear lets go what a rate kept, and the next rule knows nothing of it" $'\nread 6e6577$'
clear_rules

# ---- hold: stuck until it is let go ----

rule t1 ttyS1 hold dir=rx
behind t1 ttyS1 raw 115200 ready check 500 20000
probe t1 ttyS0 raw 115200 fill 500 drain
check_fails "hold: nothing comes" guest_exec t1 'sleep 0.3; grep -q . /tmp/ttyS1.out'
is "... and all of it is kept" "$(stat_of t1 r fired)" 500
clear_rules
outcome t1 ttyS1
says "clear lets all of it go, in order" "check came=500 bad=0 "
rule t1 ttyS0 hold dir=tx for=600ms
behind t1 ttyS1 raw 115200 ready check 500 20000
probe t1 ttyS0 raw 115200 fill 500 drain
outcome t1 ttyS1
says "so does the end of its window, at the sender" "check came=500 bad=0 "
clear_rules

# A firing arms it: it is in force from that very byte on.
text=Abcdefghijklmnopqrstuvwxyz0123456789
rule t1 ttyS1 dup dir=rx pattern=41 count=1 id=a
rule t1 ttyS1 hold dir=rx on=a
behind t1 ttyS1 raw 4000000 ready read 64 20000 sleep 0 read 64 20000
probe t1 ttyS0 raw 4000000 write "xx$text" drain
nudge t1 ttyS1
until_true 20 said t1 ttyS1 'read .*'
is "hold on=: all from that byte on are kept" "$(stat_of t1 r fired)" 36
clear_rules
finish t1 ttyS1
is "... and none of them came before" "$out" "read 7878
read 41$(printf %s "$text" | od -An -v -tx1 | tr -d ' \n')"

has_held()
{
	[ "$(stat_of t1 r fired)" = "$1" ]
}
probe t1 ttyS1 icount
before=$(value buf)
rule t1 ttyS1 hold dir=rx limit=10
behind t1 ttyS1 raw 115200 ready check 100 20000 icount
probe t1 ttyS0 raw 115200 fill 100 drain
until_true 20 has_held 100
clear_rules
finish t1 ttyS1
says "limit=: more than that are lost" "check came=10 bad=0 "
is "... and counted" "$(($(value buf) - before))" 90

rule t1 ttyS0 hold dir=tx
# by then it has left the core's buffer, of which the core knows
probe t1 ttyS0 raw 115200 write a sleep 50 lsr
is "what a rule keeps back has not left the transmitter: TIOCSERGETLSR" "$out" "lsr busy"
clear_rules
probe t1 ttyS0 lsr
is "... until it is let go" "$out" "lsr empty"

# ---- flow control that is stuck ----

rule t1 ttyS0 modem cts=off
behind t1 ttyS1 raw 115200 ready check 300 20000
behind t1 ttyS0 raw 115200 mode crtscts fill 300 ready drain
check_fails "stuck CTS: the sender waits" guest_exec t1 'sleep 0.3; test -e /tmp/ttyS0.done'
clear_rules
outcome t1 ttyS0
outcome t1 ttyS1
says "... until it is let go" "check came=300 bad=0 "
# XON is what is lost: the sender stays stopped
rule t1 ttyS0 drop dir=rx pattern=11 count=1
behind t1 ttyS0 raw 115200 mode ixon ready sleep 60000 fill 300 drain
behind t1 ttyS1 raw 115200 write '\13' write '\11' drain ready sleep 60000 write '\11' check 300 20000
nudge t1 ttyS0
check_fails "stuck XOFF: the sender waits" guest_exec t1 'sleep 0.3; test -e /tmp/ttyS0.done'
nudge t1 ttyS1
outcome t1 ttyS1
says "... until the next XON" "check came=300 bad=0 "
outcome t1 ttyS0
clear_rules

# ---- lines and cable ----

behind t1 ttyS1 raw 9600 ready sleep 60000
lines_are "before: all lines" t1 ttyS0 "lines rts dtr cts dsr cd"
rule t1 ttyS0 modem dcd=off cts=off ri=on
lines_are "modem: as forced" t1 ttyS0 "lines rts dtr dsr rng"
clear_rules
lines_are "clear: as before" t1 ttyS0 "lines rts dtr cts dsr cd"
rule t1 ttyS0 modem dsr=off
lines_are "... DSR by itself" t1 ttyS0 "lines rts dtr cts cd"
clear_rules
behind t1 ttyS0 raw 9600 icount ready miwait dsr 20000 lines sleep 60000 icount
rule t1 ttyS0 modem dsr=off
until_true 20 said t1 ttyS0 'lines .*'
clear_rules
lines_are "... and back" t1 ttyS0 "lines rts dtr cts dsr cd"
finish t1 ttyS0
says "TIOCMIWAIT sees DSR go" $'miwait [0-9]+ ms\nlines rts dtr cts cd\n'
for line in cts dsr dcd; do
	mapfile -t n < <(sed -n "s/.* $line=\([0-9]*\) .*/\1/p" <<<"$out")
	counts+=" $((n[1] - n[0]))"
done
is "... and TIOCGICOUNT counts it, and no other line" "$counts" " 0 2 0"
behind t1 ttyS0 raw 9600 icount ready sleep 60000 icount
rule t1 ttyS0 modem ri=on
nudge t1 ttyS0
outcome t1 ttyS0
mapfile -t n < <(sed -n 's/.*rng=\([0-9]*\).*/\1/p' <<<"$out")
is "a ring is not counted before it ends" "$((n[1] - n[0]))" 0
behind t1 ttyS0 raw 9600 icount ready miwait rng 20000 icount
clear_rules
outcome t1 ttyS0
says "a ring ends: TIOCMIWAIT sees it" "miwait [0-9]+ ms"
mapfile -t n < <(sed -n 's/.*rng=\([0-9]*\).*/\1/p' <<<"$out")
is "... and TIOCGICOUNT counts it" "$((n[1] - n[0]))" 1
behind t1 ttyS0 raw 9600 ready miwait cd 20000 lines sleep 60000
rule t1 ttyS1 cut
until_true 20 said t1 ttyS0 'lines .*'
lines_are "a cut is seen at its own end, though the other has its lines on" t1 ttyS1 "lines rts dtr"
finish t1 ttyS0
says "... and at the other: no carrier" $'miwait [0-9]+ ms\nlines rts dtr$'
rule t1 ttyS0 modem cts=on dsr=on dcd=on id=on
lines_are "lines can be forced on as well" t1 ttyS0 "lines rts dtr cts dsr cd"
fault t1 del on >/dev/null
lines_are "... until the rule is gone" t1 ttyS0 "lines rts dtr"
fault t1 suspend r >/dev/null
lines_are "suspended: the cable is whole" t1 ttyS0 "lines rts dtr cts dsr cd"
clear_rules
quit t1 ttyS1
rule t1 ttyS1 cut dir=tx
behind t1 ttyS1 raw 115200 ready check 100 20000
behind t1 ttyS0 raw 115200 ready sleep 60000 read 5 20000
lines_are "cut one way: t1 hears nothing" t1 ttyS0 "lines rts dtr"
lines_are "... but is heard" t1 ttyS1 "lines rts dtr cts dsr cd"
probe t1 ttyS1 write lost drain
probe t1 ttyS0 fill 100 drain
outcome t1 ttyS1
says "... bytes, too" "check came=100 bad=0 "
nudge t1 ttyS0
finish t1 ttyS0
is "... but the other way none" "$out" "read "
clear_rules
rule t1 ttyS0 cut period=400ms duty=50%
stream 6000
within "cut for half of the time: about half is lost" "$(value came)" 1200 4800
clear_rules
stream 500
says "and then nothing is" "check came=500 bad=0 "

# ---- the same seed loses the same ----

runs=()
for seed in 7 7 8; do
	rule t1 ttyS1 drop dir=rx prob=30% seed=$seed
	send abcdefghijklmnopqrstuvwxyz 26
	runs+=("$(sed -n 's/^read //p' <<<"$out")")
	clear_rules
done
is "the same seed loses the same bytes" "${runs[0]}" "${runs[1]}"
check "another one loses others" test "${runs[0]}" != "${runs[2]}"

# ---- what is refused ----

refused()
{
	local said

	said=$(fault t1 add ttyS0 "${@:3}" 2>&1) && not_ok "$1" "$said" && return
	like "$1" "$said" "$2"
}
refused "odd hex in pattern=" "pattern=abc: must be 1 to 16 bytes in hex" drop pattern=abc
refused "a long pattern=" "must be 1 to 16 bytes" drop pattern=0102030405060708090a0b0c0d0e0f1011
refused "bits=9" "a byte has 8" corrupt bits=9
refused "limit= of what is sent" "limit=5: not with dir=tx, where the writer waits" delay dir=tx time=1s limit=5
refused "modem without a line" "modem needs one of" modem
refused "rate without speed=" "rate needs speed=" rate
refused "a NIC's key" "peer.*not a key" drop peer=02:00:00:00:00:01
refused "speed=0" "must be from 50 to 4000000" rate speed=0
fault t1 add ttyS0 modem dcd=off cts=on for=5s id=m >/dev/null
add=$(fault t1 list | grep '^add')
fault t1 clear >/dev/null
eval "fault t1 $add" >/dev/null
is "what list prints can be added again" "$(fault t1 list | grep '^add')" "$(grep '^add' <<<"$add")"
done_testing
