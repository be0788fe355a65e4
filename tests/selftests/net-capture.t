#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# capture: tshark reads every frame of the interface, with what the rules did to it, and no file or reader holds the guest up.

. "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/capture.sh
. "$LIB/capture.sh"

file=$WORK/n2.pcapng

# IPv6 speaks first, and n1 has no other way to know n2.
net_boot 1 ipv6.disable=0 umf="capture eth0 $WORK/boot.pcapng"
net_boot 2
net_ready 1 || exit 1
net_ready 2 || exit 1

check "from boot on: the guest's first frame is captured" captured n1 eth0 tx 1
n=$(capture_of n1 eth0 tx)
check "... and none was before it" guest_exec n1 "test \$(cat /sys/class/net/eth0/statistics/tx_packets) -ge $n"
n=$(guest_exec n1 'cat /sys/class/net/eth0/statistics/tx_packets')
check "... nor is one missing" captured n1 eth0 tx "$n"

# From here on nothing crosses the segment that the test has not sent.
guest_exec n1 'echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6'

is "nothing is captured unless it is said" "$(fault n2 capture)" ""
check "capture begins" fault n2 capture eth0 "$file"
like "... and is listed" "$(fault n2 capture)" "^eth0 rx=[0-9]+ tx=[0-9]+ bytes=[0-9]+ dropped=0 file=\"$file\"\$"

# ---- what is refused ----

# refused <description> <regex> <arguments of capture…>
refused()
{
	local description=$1 wanted=$2 said
	shift 2
	said=$(fault n1 capture "$@" 2>&1)
	is "$description: status 1, one line" "$? $(wc -l <<<"$said")" "1 1"
	like "... that says why" "$said" "$wanted"
}

refused "a device that is not there" "no device eth7: there is eth0 node" eth7 "$WORK/x"
refused "a device that is captured" "eth0: is captured to $WORK/boot.pcapng; capture eth0 off ends" eth0 "$WORK/x"
is "another file that is written already" "$(fault n1 capture eth0 off >/dev/null; fault n1 capture eth0 "$file" 2>&1)" \
	"n1: $file: another capture writes it"
refused "what is not captured cannot end" "eth0: is not captured" eth0 off
refused "a folder that is not there" "^n1: $WORK/no/x: No such file or directory" eth0 "$WORK/no/x"
refused "a folder" "Is a directory" eth0 "$WORK"
refused "words behind it" "more: not expected; capture takes" eth0 "$WORK/x" more
mkfifo "$WORK/fifo"
refused "a FIFO without a reader" "$WORK/fifo: nobody reads it" eth0 "$WORK/fifo"
is "and nothing of that is left" "$(ls "$WORK"/x* 2>/dev/null)$(fault n1 capture)" ""

shark "a capture from boot on is read by tshark" "$WORK/boot.pcapng" eth.src
like "... its first frame is what the guest sent" "$(head -n 1 <<<"$table")" "^1\|eth0\|tx\|.*\|$(net_mac 1)\$"

# ---- frames as they come, with what the rules did ----

frames 1 2 50
rule n2 drop dir=rx every=5 match="$PROBE" id=lost
frames 1 2 50
fault n2 clear
rule n2 corrupt dir=rx count=7 bits=2 offset=60-99 match="$PROBE" id=bad
frames 1 2 50
bits=$(awk '$3 != "-" { print $3 }' <<<"$seen")
fault n2 clear
rule n2 delay dir=rx time=50ms count=3 match="$PROBE" id=late
frames 1 2 10 100 0 10
fault n2 clear
rule n2 dup dir=rx copies=2 count=4 match="$PROBE" id=twice
rule n2 truncate dir=rx len=40 after=4 count=2 match="$PROBE" id=short
frames 1 2 10
fault n2 clear
rule n2 hold dir=rx count=10 limit=6 match="$PROBE" id=kept
rule n2 drop dir=rx count=5 match="$PROBE" id=more
n=$(capture_of n2 eth0 rx)
shoot 1 "$(net_mac 2)" 20
captured n2 eth0 rx $((n + 20))
fault n2 clear
rule n2 rate dir=rx rate=80kbit match="$PROBE" id=slow
frames 1 2 5 100 0 5
fault n2 clear
rule n2 down id=off
n=$(capture_of n2 eth0 rx)
shoot 1 "$(net_mac 2)" 9
captured n2 eth0 rx $((n + 9))
fault n2 clear
net_neighbours 2
rule n2 drop dir=tx match=icmp id=mute
check_fails "an answer that is lost" icmp 1 2 3
fault n2 clear

list=$(fault n2 capture)
is "off says what it was" "$(fault n2 capture eth0 off)" "$list"
is "... and nothing is captured" "$(fault n2 capture)" ""
shark "tshark reads the frames" "$file" eth.type data.data
like "the interface has its name on every frame" "$(column 2 | tr ' ' '\n' | sort -u | paste -sd ' ')" "^eth0\$"
counted "frames of each direction are as many as counted" "$(listed rx)" \
	"$(listed tx)"
is "... and their bytes" "$(column 5 | tr ' ' '\n' | awk '{ n += $1 } END { print n }')" \
	"$(listed bytes)"
in_order "times are wall-clock nanoseconds and in order"
is "a lost frame has its rule" "$(commented '^drop lost$')" 10
is "... each fifth" "$(grep -F '|0x88b5|' <<<"$table" | sed -n 51,100p | awk -F '|' '$7 == "drop lost" { printf "%d ", NR }')" \
	"5 10 15 20 25 30 35 40 45 50 "
is "corrupted frames name their bits" "$(awk -F '|' '$7 ~ /^corrupt bad/ {
		split($7, word, "[ ,]")
		print word[4] < word[5] ? word[4] "," word[5] : word[5] "," word[4]
	}' <<<"$table")" "$bits"
is "... and are as they go on" "$(awk -F '|' '$7 ~ /^corrupt bad/ { print $9 }' <<<"$table" | sort -u | wc -l)" 7
is "a delayed frame has its time" "$(commented '^delay late 50ms$')" 3
is "a doubled one its copies" "$(commented '^dup twice copies 2$')" 4
is "one that is cut both lengths" "$(awk -F '|' '$7 == "truncate short 100 to 40 bytes" { print $5 }' <<<"$table" | paste -sd ' ')" "40 40"
is "a held one" "$(commented '^hold kept$')" 6
is "one that had no room there is lost" "$(commented '^hold kept: no room, dropped$')" 4
is "one that waits for its rate" "$(commented '^rate slow; waits [0-9.]+ms$')" 5
is "without carrier they are lost" "$(commented '^down off: dropped$')" 9
is "what it sends and is lost" "$(awk -F '|' '$7 == "drop mute" { print $3 }' <<<"$table" | paste -sd ' ')" "tx tx tx"
is "all others have none" "$(commented '.')" $((10 + 7 + 3 + 4 + 2 + 6 + 4 + 5 + 5 + 9 + 3))
is "the lost ones have the word drop" "$(commented 'drop')" $((10 + 4 + 5 + 9 + 3))
is "capinfos: nanoseconds" "$(about "$file" 'File timestamp precision')" "nanoseconds (9)"
is "... Ethernet" "$(about "$file" 'File encapsulation')" "Ethernet"
is "... whose it is" "$(about "$file" Description)" "guest n2"
is "... closed by its statistics" "$(about "$file" 'Number of stat entries')" 1

# ---- for each receiver ----

everyone=ff:ff:ff:ff:ff:ff
rule n1 drop dir=tx peer="$(net_mac 2)" every=10 match="$PROBE" id=one
fault n1 capture eth0 "$file"
listen 2 1 100 $everyone
shoot 1 $everyone 20
finish 1 $everyone
seen=$(heard 2)
fault n1 clear
fault n1 capture eth0 off >/dev/null
shark "a file that is there is written anew" "$file" eth.type
is "a rule for one receiver says which" "$(commented "^drop one; to $(net_mac 2)\$")" 2
is "... beside the frame itself" "$(awk -F '|' '$8 == "0x88b5" && $7 == ""' <<<"$table" | wc -l)" 20

# ---- a name that is new; an interface that goes ----

fault n2 capture eth0 "$file" >/dev/null
guest_exec n2 'ip link set eth0 down; ip link set eth0 name lan0; ip link set lan0 up'
like "with a new name it goes on" "$(fault n2 capture)" "^eth0 .*$file"
guest_exec n2 'ip link set lan0 down; ip link set lan0 name eth0; ip link set eth0 up'
net_neighbours 2
like "... and back" "$(fault n2 capture eth0 off)" "^eth0 .*$file"

# ---- heavy traffic; a reader that is slow, and one that goes ----

# flood: 6 MiB of TCP from n1 to n2, in writes that are large enough for large frames; all of it arrives, as n2 answers then
flood()
{
	guest_exec n2 '/net/netprobe sink 5000'
	check "$1" guest_exec -t 100 n1 '/net/netprobe source 10.0.0.2 5000 6'
}

fault n2 capture eth0 "$file"
flood "bulk TCP goes on while it is captured"
list=$(fault n2 capture eth0 off)
shark "tshark reads it" "$file" tcp.len
check "... GSO frames are whole" test "$(column 5 | tr ' ' '\n' | sort -n | tail -n 1)" -gt 6000
n=$(awk -F '|' '$8 { n += $8 } END { print n }' <<<"$table")
lost=$(listed dropped)
check "... all bytes, or the drops are counted ($n, $lost dropped)" test "$n" -ge 6000000 -o "$lost" -gt 0

# A rule that matches no segment leaves them whole, and is asked about each; one that might has each apart.
largest()
{
	fault n2 capture eth0 "$file" >/dev/null
	flood "$1"
	list=$(fault n2 capture eth0 off)
	shark "... tshark reads it" "$file" tcp.len
	large=$(column 5 | tr ' ' '\n' | sort -n | tail -n 1)
}
rule n2 drop match="udp port 9" id=not
rule n2 drop match=tcp dir=tx prob=100% count=1 at=+1000s id=later
largest "bulk TCP with rules that do not match it"
check "... GSO frames are whole ($large)" test "$large" -gt 6000
n=$(stat_of n2 not evaluated)
check "... and counted as segments ($n)" test "$n" -ge $((6000000 / 1448))
fault n2 clear
rule n2 drop match="tcp[tcpflags] & tcp-urg != 0" id=urgent
largest "bulk TCP with one that might"
check "... each segment is apart ($large)" test "$large" -le 1514
fault n2 clear

# reads nothing
perl -e 'sleep 1000' <"$WORK/fifo" &
sleeper=$!
until_true 10 fault n2 capture eth0 "$WORK/fifo"
flood "a reader that reads nothing holds nobody up"
list=$(fault n2 capture)
lost=$(listed dropped)
check "... what it misses is counted ($lost)" test "$lost" -gt 0
cat "$WORK/fifo" >"$WORK/late" &
reader=$!
grown "$WORK/late" 1000000
pings "pings are answered" 1 2
list=$(fault n2 capture eth0 off)
kill $sleeper
wait $reader $sleeper
shark "once it reads, tshark reads the whole" "$WORK/late"
is "... the frame behind the gap has the count" "$(awk -F '|' '{ n += $6 } END { print n }' <<<"$table")" "$lost"
counted "... the others were counted" "$(listed rx)" "$(listed tx)"
is "... and the statistics say both" "$(statistics "$WORK/late")" "$(($(wc -l <<<"$table") + lost)) $lost"

cat "$WORK/fifo" >"$WORK/killed" &
reader=$!
until_true 10 fault n2 capture eth0 "$WORK/fifo"
kill $reader
wait $reader
icmp 1 2 3
check "when its reader goes the capture ends, and says so" ended n2 "who reads $WORK/fifo is gone"

# ---- the tool: followed until Ctrl-C ----

# follow <output> <argument…>: in the background until it is captured; then `stop`
follow()
{
	local output=$1
	shift
	TMPDIR=$WORK "$net_tool" n2 capture eth0 "$@" >"$output" 2>"$WORK/said" &
	follower=$!
	captured n2 eth0 rx 0
}

stop()
{
	kill -INT $follower
	wait $follower
	is "... and is ended by Ctrl-C" "$?" 0
	is "... which leaves no capture" "$(fault n2 capture)" ""
	like "... and says what it was" "$(tail -n 1 "$WORK/said")" "^n2: eth0 rx=10 tx=10 bytes=1960 dropped=0"
}

cd "$WORK" || exit 1
follow nothing -w own.pcapng
pings "capture -w follows" 1 2
stop
shark "... the file is whole" own.pcapng
counted "... all frames are there" 10 10
is "... nothing else is said" "$(wc -l <"$WORK/said")$(cat nothing)" 2
follow stream.pcapng -w -
pings "capture -w - streams" 1 2
grown stream.pcapng 1960
stop
shark "... what came is whole" stream.pcapng
counted "... all frames are there" 10 10
is "... to the last block" "$(statistics stream.pcapng)" "20 0"
follow text
rule n2 drop dir=rx count=1 match=icmp id=gone
rule n2 delay dir=tx count=1 time=1ms match=icmp id=late
icmp 1 2 10
fault n2 clear
frames 1 2 1
grown text 500
kill -INT $follower
wait $follower
is "capture alone is text, a line a frame" "$(wc -l <text)" 21
time='[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}'
is "... as given and lost" "$(grep -m 1 ' rx ' text | sed -E "s/^$time //")" "rx 98 bytes $(net_mac 1)>$(net_mac 2) 0x0800: drop gone"
is "... as sent and delayed" "$(grep -m 1 ' tx ' text | sed -E "s/^$time //")" "tx 98 bytes $(net_mac 2)>$(net_mac 1) 0x0800: delay late 1ms"
follow own.txt -w - --text
pings "-w - --text is text too" 1 2
stop
follow nothing -w own.txt --text
pings "... and into a file" 1 2
stop
is "... as --read makes it of the pcapng" "$(sed -E "s/^$time //" own.txt | sort)" \
	"$("$net_tool" --read own.pcapng | sed -E "s/^$time //" | sort)"
head -c 1001 own.pcapng >cut.pcapng
is "--read says that a file is not whole" "$("$net_tool" --read cut.pcapng 2>&1 >/dev/null; echo $?)" \
	"mconsole-fault: cut.pcapng: ends in the middle"$'\n'3
mkfifo out
cat out >nothing &
reader=$!
follow out -w -
pings "a reader of the stream that goes away" 1 2
kill $reader
wait $reader
wait $follower
is "... ends the capture" "$?$(fault n2 capture)" 0
like "... quietly" "$(<said)" "^n2: eth0 rx=10 tx=10 bytes=1960 dropped=0\$"
follow killed.pcapng -w -
kill -9 $follower
wait $follower 2>/dev/null
icmp 1 2 2
check "a tool that is killed does, too" ended n2 "who reads .*/mconsole-fault\..*/fifo is gone"
is "no FIFO is left anywhere" "$(ls -d "$WORK"/mconsole-fault.* 2>/dev/null)" ""
is "a device that is not there: status" "$("$net_tool" n2 capture eth7 -w - 2>&1 >nothing; echo $?)" \
	"n2: no device eth7: there is eth0 node"$'\n'1
is "two guests" "$("$net_tool" n1,n2 capture eth0 -w - 2>&1; echo $?)" \
	"mconsole-fault: a capture is followed in one guest at a time"$'\n'2
is "-w elsewhere" "$("$net_tool" n1 list -w x 2>&1; echo $?)" "mconsole-fault: -w goes with capture and run only"$'\n'2
fault n2 capture eth0 "a b.pcapng"
is "--json" "$(fault --json n2 capture | jq -r '.[] | .device, .rx, .dropped, .file' | paste -sd ' ')" "eth0 0 0 $WORK/a b.pcapng"
fault n2 capture eth0 off >/dev/null

# ---- a port that reads nothing ----

fault n1 capture eth0 "$file"
before=$(guest_exec n1 'cat /sys/class/net/eth0/statistics/tx_dropped')
kill -STOP "$(guest_pid n2)"
shoot 1 "$(net_mac 2)" 8000 1400
kill -CONT "$(guest_pid n2)"
n=$(($(guest_exec n1 'cat /sys/class/net/eth0/statistics/tx_dropped') - before))
check "a peer that stops loses frames ($n)" test "$n" -gt 0
list=$(fault n1 capture eth0 off)
shark "... which are captured" "$file"
marked=$(commented '^port [0-9]+ is full: dropped$')
check "... and marked ($marked; $(listed dropped) packets are missing)" \
	test "$marked" -eq "$n" -o "$((marked + $(listed dropped)))" -gt "$n"

# ---- what a partition loses ----

fault n1 capture eth0 "$file" >/dev/null
fault n2 capture eth0 "$WORK/other.pcapng" >/dev/null
rule n1 partition a=n1 b=n2 id=wall
shoot 1 "$(net_mac 2)" 7 80
shoot 2 "$(net_mac 1)" 5 90
shoot 2 ff:ff:ff:ff:ff:ff 2 90
fault n1 clear
# On its way when it begins: n2 reads them when they are cut off.
captured n2 eth0 tx 14
kill -STOP "$(guest_pid n2)"
shoot 1 "$(net_mac 2)" 3 70
rule n1 partition a=n1 b=n2 id=wall
kill -CONT "$(guest_pid n2)"
captured n2 eth0 rx 3
fault n1 clear
fault n1 capture eth0 off >/dev/null
fault n2 capture eth0 off >/dev/null
shark "frames that a partition loses" "$file"
is "... are marked with the rule" "$(commented "^partition wall: dropped; to $(net_mac 2)\$")" 7
is "... and those before it are not" "$(awk -F '|' '$5 == 70 && $7 != ""' <<<"$table" | wc -l)" 0
shark "... by another port's rule" "$WORK/other.pcapng"
is "... with the port whose rule it is" "$(commented "^partition of port [01] \\(n1/eth0\\): dropped; to $(net_mac 1)\$")" 7
is "... received, too" "$(awk -F '|' '$3 == "rx" && $5 == 70' <<<"$table" | cut -d '|' -f 7 | sed 's/port [01]/port N/' | sort | uniq -c | sed 's/^ *//')" \
	"3 partition of port N (n1/eth0): dropped"

# ---- a disk that fills ----

fault n2 capture eth0 /dev/full >/dev/null
check "when the disk is full the capture ends, and says so" ended n2 "/dev/full: No space left on device"
fault n2 capture eth0 "$file" >/dev/null
prlimit --fsize=20000: --pid "$(guest_pid n2)"
frames 1 2 300
is "a limit on the file's size loses no frame" "$(lost_numbers 300)" ""
check "... but ends the capture" ended n2 "$file: File too large"
shark "... whose file has whole frames" "$file"
check "... as many as there was room for ($(wc -l <<<"$table"))" test "$(wc -l <<<"$table")" -gt 100
is "one line each" "$(grep -c 'umf: capture of' "$(guest_log n2)")" 4

# ---- the guest's end ----

fault n2 capture eth0 "$WORK/end.pcapng"
icmp 1 2 3
guest_stop n2
shark "when the guest is turned off the file is whole" "$WORK/end.pcapng"
is "... to its last block" "$(about "$WORK/end.pcapng" 'Number of stat entries')" 1
fault n1 capture eth0 "$WORK/panic.pcapng"
icmp 1 1 1 >/dev/null 2>&1
guest_exec n1 'ping -c 1 -W 1 10.0.0.2' >/dev/null
guest_allow n1 'sysrq: Trigger a crash|Kernel panic|Call Trace' "this test makes it panic"
guest_exec -t 5 n1 'echo c >/proc/sysrq-trigger' >/dev/null 2>&1
guest_wait n1 20 >/dev/null
shark "and when it panics" "$WORK/panic.pcapng"
is "... too" "$(about "$WORK/panic.pcapng" 'Number of stat entries')" 1

done_testing
