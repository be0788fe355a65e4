#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# capture: tshark reads every byte of a serial line, its control lines, and what the rules did.

. "$(dirname "$0")/../lib/tty.sh"
# shellcheck source=tests/lib/capture.sh
. "$LIB/capture.sh"

sent=$WORK/sent.pcapng came=$WORK/came.pcapng
tty_boot t1 "ttyS1=$CABLE" ttyS2=null,pace=off umf="capture ttyS1 $came"
guest_wait_ready t1 || exit 1
check "a line is captured from boot on" captured t1 ttyS1 rx 0

# Is ttyS1 open? The sender's carrier says so.
has_reader()
{
	probe t1 ttyS0 lines && [[ "$out" == *" cd"* ]]
}

# send <text> <bytes to wait for> [ms]: from ttyS0 to ttyS1; what came is $out
send()
{
	behind t1 ttyS1 raw 115200 read "$2" "${3:-10000}"
	until_true 20 has_reader
	probe t1 ttyS0 raw 115200 sleep 100 write "$1" drain
	outcome t1 ttyS1
}

# both [field…]: of the line that sends in $table, of the one that receives in $other
both()
{
	fault t1 capture ttyS1 off >/dev/null
	shark "tshark reads the receiver's" "$came" rtacser.eventtype "$@" data.data
	other=$table
	fault t1 capture ttyS0 off >/dev/null
	shark "... and the sender's" "$sent" rtacser.eventtype "$@" data.data
}

# heads_agree <description> <file>: a packet begins with its time, too: seconds and microseconds
heads_agree()
{
	is "$1" "$(perl -e 'use integer; local $/; $_ = <STDIN>;
		for (my $at = 0; $at < length; $at += $len) {
			($type, $len, undef, $high, $low) = unpack("V5", substr($_, $at, 20));
			next if $type != 6;
			$ns = $high << 32 | $low;
			($s, $us) = unpack("NN", substr($_, $at + 28, 8));
			$n++;
			print "$ns is not $s s $us us\n" if $s != $ns / 1000000000 || $us != $ns % 1000000000 / 1000;
		}
		print "no packet\n" if !$n' <"$2")" ""
}

# again: captures both anew
again()
{
	fault t1 clear >/dev/null
	fault t1 capture ttyS0 "$sent" && fault t1 capture ttyS1 "$came"
}

# packets <table> <rx|tx>: event, bytes and comment of each but changes of control lines; one a line
packets()
{
	awk -F '|' -v dir="$2" '$3 == dir && $8 != "0x00" { print $8, $NF == "" ? "-" : $NF, $7 }' <<<"$1" | sed 's/ *$//'
}

# ---- bytes ----

fault t1 capture ttyS0 "$sent"
send 'hello\0d\0a' 7
guest_exec t1 'exec 3<>/dev/ttyS1'
is "what is sent is there" "$out" "read 68656c6c6f0d0a"
both rtacser.rts
is "the sender has sent it" "$(packets "$table" tx)" "0x01 68656c6c6f0d0a"
is "... and received nothing" "$(packets "$table" rx)" ""
is "the receiver has received it" "$(packets "$other" rx)" "0x02 68656c6c6f0d0a"
is "... and sent nothing" "$(packets "$other" tx)" ""
in_order "times are wall-clock nanoseconds and in order"
heads_agree "... also where a serial line's packets have theirs" "$sent"
heads_agree "... at both ends" "$came"
is "both have their names" "$(column 2 | tr ' ' '\n' | sort -u) $(head -n 1 <<<"$other" | cut -d '|' -f 2)" "ttyS0 ttyS1"
is "capinfos: RTAC serial" "$(about "$sent" 'File encapsulation')" "RTAC serial-line"
is "... closed by its statistics" "$(statistics "$sent")" "$(wc -l <<<"$table") 0"
is "RTS is on when it sends" "$(awk -F '|' '$8 == "0x01" { print $9 }' <<<"$table")" 1

again
behind t1 ttyS1 raw 9600 check 100 10000
until_true 20 has_reader
probe t1 ttyS0 raw 9600 sleep 100 fill 100 drain
outcome t1 ttyS1
says "a slow line" "came=100 bad=0 "
both rtacser.cts
is "all bytes are there" "$(packets "$table" tx | awk '{ n += length($2) / 2; s = s $2 } END { print n }')" 100
is "... the same at the other end" "$(packets "$other" rx | awk '{ printf "%s", $2 }')" \
	"$(packets "$table" tx | awk '{ printf "%s", $2 }')"
check "... some in one packet ($(packets "$table" tx | wc -l))" test "$(packets "$table" tx | wc -l)" -le 20

again
behind t1 ttyS1 raw 115200 ready echo 20000
probe t1 ttyS0 raw 115200 write ab read 2 20000 sleep 300 write c read 1 20000
finish t1 ttyS1
both
in_order "an answer"
is "... both directions of a line are in its capture, in order" \
	"$(awk -F '|' '$8 != "0x00" { print $3, $NF }' <<<"$table" | paste -sd ,)" "tx 6162,rx 6162,tx 63,rx 63"
is "... seen from either end" \
	"$(awk -F '|' '$8 != "0x00" { print $3, $NF }' <<<"$other" | paste -sd ,)" "rx 6162,tx 6162,rx 63,tx 63"
n=$(awk -F '|' '$NF == "6162" && !a { a = $4 } $NF == "63" { b = $4; exit } END { printf "%d", (b - a) * 1000 }' <<<"$table")
check "... with the time between them ($n ms)" test "$n" -ge 300 -a "$n" -le 1000

fault t1 capture ttyS2 "$sent"
probe t1 ttyS2 raw 115200 fill 5000 drain
list=$(fault t1 capture ttyS2 off)
shark "a line without pacing" "$sent" rtacser.eventtype rtacser.cts data.data
is "... all bytes are there" "$(packets "$table" tx | awk '{ n += length($2) / 2 } END { print n }')" 5000
check "... many in one packet ($(listed tx))" test "$(listed tx)" -le 60


# ---- a reader that is slow ----

mkfifo "$WORK/fifo"
perl -e 'sleep 1000' <"$WORK/fifo" &
sleeper=$!
until_true 10 fault t1 capture ttyS2 "$WORK/fifo"
probe t1 ttyS2 raw 115200 fill 3000000 drain
says "a reader that reads nothing holds nobody up" "drain [0-9]+ ms"
list=$(fault t1 capture)
lost=$(listed dropped)
check "... what it misses is counted ($lost)" test "$lost" -gt 0
cat "$WORK/fifo" >"$WORK/late" &
reader=$!
grown "$WORK/late" 1000000
probe t1 ttyS2 raw 115200 write more drain
list=$(fault t1 capture ttyS2 off)
kill $sleeper
wait $reader $sleeper
shark "once it reads, tshark reads the whole" "$WORK/late" rtacser.eventtype rtacser.cts data.data
is "... the packet behind the gap has the count" "$(awk -F '|' '{ n += $6 } END { print n }' <<<"$table")" "$lost"
is "... the statistics say it as well" "$(statistics "$WORK/late")" "$(($(wc -l <<<"$table") + lost)) $lost"
is "... and what came then is there" "$(packets "$table" tx | tail -n 1)" "0x01 6d6f7265"

# ---- rules ----

again
rule t1 ttyS1 drop dir=rx pattern=62
send abc 2
fault t1 clear
rule t1 ttyS0 corrupt dir=tx bits=8 id=bad
send a 1
fault t1 clear
rule t1 ttyS1 parity dir=rx pattern=62 id=odd
rule t1 ttyS1 frame dir=rx pattern=63 id=stop
rule t1 ttyS1 break dir=rx pattern=64 id=brk
rule t1 ttyS1 overrun dir=rx pattern=65 id=over
send abcdef 8
fault t1 clear
rule t1 ttyS1 dup dir=rx copies=2 pattern=62 id=twice
rule t1 ttyS1 insert dir=rx copies=3 pattern=63 id=noise
rule t1 ttyS1 delay dir=rx time=50ms pattern=64 id=late
send abcd 9
fault t1 clear
rule t1 ttyS1 hold dir=rx limit=2 id=kept
send abcde 1 3000
fault t1 clear
both rtacser.cts
is "a lost byte has its rule, and one changed by another" "$(packets "$other" rx | head -n 4)" "0x02 61
0x02 62 drop r
0x02 63
0x02 9e"
is "... which the sender has" "$(packets "$table" tx | sed -n 2p)" "0x01 9e corrupt bad was 61"
is "errors are events" "$(packets "$other" rx | sed -n 5,11p)" "0x02 61
0x08 62 parity odd
0x07 63 frame stop
0x09 - break brk
0x02 64 break brk
0x0a - overrun over drops 65
0x02 66"
is "copies, noise and delays" "$(packets "$other" rx | sed -n 12,15p | sed -E 's/ [0-9a-f]{6}63 / xxxxxx63 /')" "0x02 61
0x02 626262 dup twice copies 2
0x02 xxxxxx63 insert noise copies 3
0x02 64 delay late 50ms"
is "bytes that wait, and those without room" "$(packets "$other" rx | sed -n 16,17p)" "0x02 6162 hold kept
0x02 636465 hold kept: no room, dropped"
is "... that is all" "$(packets "$other" rx | wc -l)" 17

# ---- control lines; bytes nobody gets ----

# changes <table> <rx|tx>: what the comments of changes of control lines say, and cts, dcd, dsr, rts, dtr then
changes()
{
	awk -F '|' -v dir="$2" '$3 == dir && $8 == "0x00" { print $7, $9 $10 $11 $12 $13 }' <<<"$1"
}

# Both are held open.
behind t1 ttyS1 raw 115200 sleep 60000
behind t1 ttyS0 raw 115200 sleep 60000
connected()
{
	probe t1 ttyS0 lines && [ "$out" = "lines rts dtr cts dsr cd" ] &&
		probe t1 ttyS1 lines && [ "$out" = "lines rts dtr cts dsr cd" ]
}
until_true 20 connected
again
probe t1 ttyS0 raw 115200 sleep 100 clear rts sleep 50 set rts sleep 50 break 20
rule t1 ttyS1 modem cts=off id=stuck
fault t1 clear
rule t1 ttyS1 modem ri=on id=phone
fault t1 clear
rule t1 ttyS1 modem dsr=off id=set
fault t1 clear
rule t1 ttyS1 cut id=cable
probe t1 ttyS0 raw 115200 write xyz drain sleep 50
fault t1 clear
guest_exec t1 'killall ttyprobe'
outcome t1 ttyS1
probe t1 ttyS0 raw 115200 write late drain sleep 100
both rtacser.cts rtacser.dcd rtacser.dsr rtacser.rts rtacser.dtr rtacser.ring
like "the sender's own lines are what it sent" "$(changes "$table" tx | paste -sd ,)" "RTS off [01]{3}01,RTS on [01]{3}11"
like "... the receiver's what it got" "$(changes "$other" rx | paste -sd ,)" "CTS off 01111,CTS on 11111"
like "a rule that forces one is named" "$(changes "$other" rx | paste -sd ,)" "CTS off; modem stuck 01111,CTS on 11111"
like "... each line by itself" "$(changes "$other" rx | paste -sd ,)" "DSR off; modem set 11011,DSR on 11111"
is "... which a ring is, too" "$(awk -F '|' '$7 ~ /RI/ { print $7 " " $14 }' <<<"$other" | paste -sd ,)" \
	"RI on; modem phone 1,RI off 0"
like "... and one that cuts the line" "$(changes "$other" rx | paste -sd ,)" "CTS off; DSR off; DCD off; cut cable 00011"
is "a break is an event of both" "$(packets "$table" tx | grep -c '^0x09 -$') $(packets "$other" rx | grep -c '^0x09 -$')" "1 1"
is "what a cut line loses is there" "$(packets "$other" rx | grep 'cut ')" "0x02 78797a cut cable: dropped"
is "... and what comes while nobody has it open" "$(packets "$other" rx | grep 'closed')" "0x02 6c617465 closed: dropped"

# ---- as text ----

again
fault t1 capture ttyS0 off >/dev/null
"$tty_tool" t1 capture ttyS0 >"$WORK/text" 2>/dev/null &
follower=$!
captured t1 ttyS0 tx 0
rule t1 ttyS0 drop dir=tx pattern=62
send 'a\0a\07\22b' 4
is "while it is captured bytes come as ever" "$out" "read 610a0722"
grown "$WORK/text" 100
behind t1 ttyS0 raw 115200 write z ready sleep 60000
check "what comes is shown, though nothing follows it" until_true 20 grep -q 'tx 1 byte "z"$' "$WORK/text"
quit t1 ttyS0
kill -INT $follower
wait $follower
is "Ctrl-C is no failure" "$?" 0
time='[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}'
like "as text: control lines" "$(sed -nE "s/^$time //p" "$WORK/text")" "tx lines RTS DTR[A-Z ]*: RTS on; DTR on"
is "... bytes" "$(grep -c 'tx 4 bytes "a\\n\\x07\\""$' "$WORK/text")" 1
is "... verdicts" "$(grep -c 'tx 1 byte "b": drop r$' "$WORK/text")" 1
fault t1 capture ttyS1 off >/dev/null
is "of a file too" "$("$tty_tool" --read "$came" | grep -c 'rx 4 bytes "a\\n\\x07\\""$')" 1

shark "... each packet" "$came"
is "... with its time" "$("$tty_tool" --read "$came" | sed -nE 's/^[0-9:]*\.([0-9]{9}) .*/\1/p' | paste -sd ' ')" \
	"$(column 4 | tr ' ' '\n' | cut -d . -f 2 | paste -sd ' ')"
fault t1 clear
"$tty_tool" t1 capture ttyS0 -w - >"$WORK/live" 2>/dev/null &
follower=$!
captured t1 ttyS0 tx 0
send pipe 4
grown "$WORK/live" 400
kill -INT $follower
wait $follower
shark "-w - is for a pipe into wireshark" "$WORK/live" rtacser.eventtype rtacser.cts data.data
is "... with the bytes" "$(packets "$table" tx)" "0x01 70697065"

# ---- what is refused, and what ends it ----

is "a disk is no line" "$(fault t1 capture ttyS7 "$sent" 2>&1)" "t1: no device ttyS7: there is ttyS0 ttyS1 ttyS2 node"
fault t1 capture ttyS2 "$sent"
mconsole t1 "remove ttyS2" >/dev/null
is "a line that goes takes its capture along" "$(fault t1 capture)" ""
shark "... whose file is whole" "$sent"
is "... to its last block" "$(about "$sent" 'Number of stat entries')" 1
fault t1 clear
fault t1 capture ttyS0 /dev/full
probe t1 ttyS0 raw 115200 write abc drain
check "a full disk ends the capture" ended t1 "/dev/full: No space left on device"
send abc 3
is "... and not the line" "$out" "read 616263"

done_testing
