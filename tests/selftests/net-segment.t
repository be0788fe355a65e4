#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# The folder of a segment: what is wrong with it is said in one line and changes nothing, whoever leaves cleans up, a
# stopped port and garbage in the shared memory harm nobody else.

. "$(dirname "$0")/../lib/net.sh"

# configure <guest> <text>: mconsole's config; the reply as `<err> <text>`
configure()
{
	"$LIB/mconsole-raw" "$(guest_mconsole "$1")" ":config $2"
}

remove()
{
	"$LIB/mconsole-raw" "$(guest_mconsole "$1")" ":remove $2"
}

interfaces()
{
	guest_exec n1 'ls /sys/class/net | grep eth | paste -sd " "'
}

# refused <description> <extended regex> <text>: one line, and nothing is there afterwards
refused()
{
	local reply

	reply=$(configure n1 "$3")
	like "$1" "$reply" "^[1-9][0-9]* .*$2"
	is "... in one line" "$(grep -c '\\n.' <<<"$reply")" 0
	is "... and there is no interface" "$(interfaces)" "eth0"
}

# One after the other: n1 is port 0, n2 is port 1.
net_start 1
net_start 2
check "n1 reaches n2" icmp 1 2 3
seg=$WORK/seg

is "the folder is its owner's" "$(stat -c %a "$seg")" 700
is "... and so is the segment" "$(stat -c %a "$seg/segment")" 600

# ---- configuration: joining and leaving at run time ----

is "config makes an interface" "$(configure n1 "eth1=switch,$WORK/other")" "0 "
is "... it is there" "$(interfaces)" "eth0 eth1"
like "... config shows it" "$(configure n1 eth1)" "^0 switch,$WORK/other\\\\n  port 0 mac [0-9a-f:]{17} "
refused_twice=$(configure n1 "eth1=switch,$WORK/other")
like "a second time is refused" "$refused_twice" "^[1-9][0-9]* .*configured already"
is "fault knows it" "$(fault n1 devices | paste -sd ' ')" "eth0 net rules=0 node node rules=0 eth1 net rules=0"
fault n1 add eth1 drop >/dev/null
is "remove takes it away" "$(remove n1 eth1)" "0 "
is "... with its rules" "$(fault n1 list) $(fault n1 devices | paste -sd ' ')" "seed 2004 eth0 net rules=0 node node rules=0"
is "... and its folder" "$(find "$WORK" -name other)" ""
like "an interface that is not there cannot be removed" "$(remove n1 eth1)" "^[1-9][0-9]* "

# ---- what is wrong with a name, an option, a folder ----

refused "another transport" "unknown transport 'daemon'" "eth1=daemon"
refused "no segment" "no segment" "eth1=switch"
refused "an empty segment" "no segment" "eth1=switch,"
refused "an option that is not known" "unknown option 'colour=red'" "eth1=switch,$WORK/other,colour=red"
refused "a MAC that is none" "'mac=02:00:00:00:00'" "eth1=switch,$WORK/other,mac=02:00:00:00:00"
refused "a multicast MAC" "'mac=01:00:5e:00:00:01'" "eth1=switch,$WORK/other,mac=01:00:5e:00:00:01"
refused "an MTU that is too small" "'mtu=67'" "eth1=switch,$WORK/other,mtu=67"
refused "an MTU that is too large" "'mtu=65522'" "eth1=switch,$WORK/other,mtu=65522"
refused "an MTU that is no number" "'mtu=big'" "eth1=switch,$WORK/other,mtu=big"
refused "a unit that is too high" "eth<0-31>" "eth32=switch,$WORK/other"
refused "the folder .." "'\.\.' is no name" "eth1=switch,.."
refused "a folder below a file" "cannot make the folder $WORK/file/seg " "eth1=switch,$(: >"$WORK/file" && echo "$WORK/file/seg")"
refused "a folder below none" "cannot make the folder $WORK/none/seg " "eth1=switch,$WORK/none/seg"
refused "a folder that cannot be written" "cannot make the folder /proc/umf-seg " "eth1=switch,/proc/umf-seg"
refused "a file" "cannot open the folder $WORK/file " "eth1=switch,$WORK/file"
refused "a name that is too long" "cannot make the folder .*x" "eth1=switch,$WORK/$(printf '%0300d' 0 | tr 0 x)"
mkdir -m 700 "$WORK/bad"

if [ "$(id -u)" = 0 ]; then
	chown 12345 "$WORK/bad"
	refused "another user's segment" "$WORK/bad is another user's segment \(uid 12345\)" "eth1=switch,$WORK/bad"
	chown 0 "$WORK/bad"
else
	refused "another user's segment" "/proc/1 is another user's segment \(uid 0\)" "eth1=switch,/proc/1"
fi
chmod 770 "$WORK/bad"
refused "a folder that others can write" "$WORK/bad can be written by other users \(mode 770\)" "eth1=switch,$WORK/bad"
chmod 700 "$WORK/bad"

# A segment as n1 and n2 have made theirs, but for what is written over it.
# bad_segment <description> <regex> <offset> <bytes as printf has them>
bad_segment()
{
	cp "$seg/segment" "$WORK/bad/segment"
	# shellcheck disable=SC2059 # the bytes
	printf "$4" | dd of="$WORK/bad/segment" bs=1 seek="$3" conv=notrunc status=none
	refused "$1" "$2" "eth1=switch,$WORK/bad"
	check "... which is left alone" test -s "$WORK/bad/segment"
}
bad_segment "a segment of another version" "from an incompatible build \(version 77, not [0-9]+\)" 8 '\x4d'
bad_segment "one without the magic" "from an incompatible build" 0 'garbage!'
bad_segment "one with another number of ports" "from an incompatible build" 12 '\xff'
bad_segment "one with rings of no power of two" "from an incompatible build" 20 '\x01'
bad_segment "one with rings of 4 GiB" "from an incompatible build" 20 '\x00\x00\x00\xff'
head -c 5000 "$seg/segment" >"$WORK/bad/segment"
refused "a truncated segment" "$WORK/bad/segment is from an incompatible build \(5000 bytes" "eth1=switch,$WORK/bad"
head -c 10000000 /dev/urandom >"$WORK/bad/segment"
refused "random bytes" "$WORK/bad/segment is from an incompatible build" "eth1=switch,$WORK/bad"
head -c "$(stat -c %s "$seg/segment")" /dev/urandom >"$WORK/bad/segment"
refused "random bytes of the right size" "from an incompatible build" "eth1=switch,$WORK/bad"
rm "$WORK/bad/segment"
mkdir "$WORK/bad/segment"
refused "a folder where the file should be" "cannot make $WORK/bad/segment" "eth1=switch,$WORK/bad"
rmdir "$WORK/bad/segment"
ln -s "$WORK/file" "$WORK/bad/segment"
refused "a symbolic link where the file should be" "cannot make $WORK/bad/segment" "eth1=switch,$WORK/bad"
rm "$WORK/bad/segment"

is "a folder that was there is used" "$(configure n1 "eth1=switch,$WORK/bad")" "0 "
is "... left" "$(remove n1 eth1)" "0 "
is "... empty, and stays" "$(find "$WORK/bad" | wc -l)" 1
check "n1 reaches n2 still" icmp 1 2 3

# The same at boot: a line in the log, and the guest comes up without.
guest_start bad "eth0=switch,$WORK/none/seg" "eth1=switch,$WORK/seg,mtu=1" "eth2=switch,$WORK/seg" eth99=switch,x
guest_wait_ready bad || exit 1
log=$(<"$(guest_log bad)")
like "at boot: a folder that cannot be made" "$log" "umf: eth0: cannot make the folder $WORK/none/seg "
like "... an MTU" "$log" "umf: eth1: 'mtu=1' is not "
like "... a unit" "$log" "umf: eth99=switch,x: interfaces are eth0 to eth31"
is "... the others are there" "$(guest_exec bad 'ls /sys/class/net | grep eth')" "eth2"
guest_stop bad

# ---- 64 ports ----

# Each guest has up to 32 interfaces.
for n in 4 5; do
	all=()
	for i in $(seq 0 $((n == 4 ? 31 : 30))); do
		all+=("eth$i=switch,$WORK/full")
	done
	guest_start "n$n" "${all[@]}"
done
guest_wait_ready n4 && guest_wait_ready n5 || exit 1
is "63 ports" "$(find "$WORK/full" -name '*.bell' | wc -l)" 63
is "... the 64th is taken" "$(configure n1 "eth1=switch,$WORK/full")" "0 "
guest_exec n1 'ip link set eth1 up && ip addr add 10.1.0.1/24 dev eth1'
guest_exec n4 'ip link set eth17 up && ip addr add 10.1.0.2/24 dev eth17'
guest_exec n5 'ip link set eth30 up && ip addr add 10.1.0.3/24 dev eth30'
check "... and reaches the others" guest_exec n1 'ping -c 3 -i 0.1 -W 2 10.1.0.2 && ping -c 3 -i 0.1 -W 2 10.1.0.3'
reply=$(configure n5 "eth31=switch,$WORK/full")
like "a 65th port is refused" "$reply" "^[1-9][0-9]* segment $WORK/full is full \(64 ports\)\$"
is "... and changes nothing" "$(find "$WORK/full" -name '*.bell' | wc -l)" 64
remove n1 eth1 >/dev/null
is "when one leaves there is room again" "$(configure n5 "eth31=switch,$WORK/full")" "0 "
guest_kill9 n4
is "a port whose guest was killed is free at once" "$(configure n1 "eth1=switch,$WORK/full")" "0 "
guest_stop n5
guest_exec n1 'ip link set eth1 up'
# What was killed is dead when its last process is, and found within a second by who is up.
alone()
{
	[ "$(find "$WORK/full" -type f -o -type p | wc -l)" = 2 ]
}
check "with all others gone it is alone" until_true 10 alone
remove n1 eth1 >/dev/null
check "the last to leave removes the folder" test ! -e "$WORK/full"

# Ports that are locked are taken, whatever the shared memory says.
"$LIB/seg-ports" "$seg" 1 >"$WORK/taken" &
holder=$!
while [ ! -s "$WORK/taken" ]; do sleep 0.02; done
is "61 ports held by another process" "$(<"$WORK/taken")" 61
is "... leave one for eth1" "$(configure n1 "eth1=switch,$seg")" "0 "
reply=$(configure n2 "eth1=switch,$seg")
like "... and none for another" "$reply" "^[1-9][0-9]* segment $seg is full \(64 ports\)\$"
kill "$holder"
wait "$holder"
is "... until it ends" "$(configure n2 "eth1=switch,$seg")" "0 "
remove n1 eth1 >/dev/null
remove n2 eth1 >/dev/null

# ---- a port that is stopped ----

net_boot 3
net_ready 3 || exit 1
check "n3 is reached" icmp 1 3 3
kill -STOP "$(guest_pid n3)"
guest_exec n1 'for i in 1 2 3 4 5; do /net/netprobe send eth0 ff:ff:ff:ff:ff:ff 400 1000 200; done'
icmp 1 2 20	# n2 may still be busy with what was sent
icmp 1 2 20
is "while n3 is stopped and its ring is full, n1 and n2 lose nothing" "$received" 20
net_boot 4
net_ready 4 || exit 1
check "... another guest can join" icmp 4 2 5
guest_stop n4
kill -CONT "$(guest_pid n3)"
icmp 3 1 20
is "... and n3 goes on when it is continued" "$received" 20
guest_stop n3

# ---- garbage in the shared memory ----

# poke <file> <perl>: what the program does to $w, the 32-bit words of a ring's first page. Words 0 to 3 are magic, size,
# serial and the sender's generation, 16 is the head, 32 the tail.
poke()
{
	perl -e '
		open(my $f, "+<:raw", $ARGV[0]) or die "$ARGV[0]: $!\n";
		sysread($f, my $page, 4096);
		our $w = [ unpack("L*", $page) ];
		eval $ARGV[1];
		die $@ if $@;
		sysseek($f, 0, 0);
		syswrite($f, pack("L*", @$w));' "$@"
}

icmp 1 2 3
poke "$seg/ring-00-01" '$w->[32] = ($w->[16] - $w->[1]) & 0xffffffff'
icmp 1 2 20
pings "a ring that somebody has made look full is given up" 1 2
poke "$seg/ring-00-01" '$w->[32] += 7'
icmp 1 2 20
pings "one with a tail that cannot be as well" 1 2
poke "$seg/ring-00-01" '$w->[16] += 7'
icmp 1 2 20
pings "one with a head that cannot be as well" 1 2
# Given up by its sender while the receiver is stopped, and the new one is broken before the receiver sees it.
kill -STOP "$(guest_pid n2)"
poke "$seg/ring-00-01" '$w->[32] += 7'
guest_exec n1 'ping -c 1 -W 1 10.0.0.2' >/dev/null
poke "$seg/ring-00-01" '$w->[0] = 4711'
kill -CONT "$(guest_pid n2)"
icmp 1 2 20
pings "a new ring that is no ring is given up" 1 2

# scribble <seconds> <file>…: random bytes at random places. Never a whole file at once, and never another size.
scribble()
{
	perl -e '
		use Time::HiRes qw(time usleep);
		srand(2004);
		my $end = time + shift;
		while (time < $end) {
			for my $file (@ARGV) {
				open(my $f, "+<:raw", $file) or next;
				# Every other time where the indices are.
				sysseek($f, int(rand(rand() < 0.5 ? 256 : (-s $f) - 16)), 0);
				syswrite($f, join("", map { chr(int(rand(256))) } 1 .. 16));
			}
			usleep(2000);
		}' "$@"
}

guest_exec n1 'ping -q -i 0.01 10.0.0.2 >/dev/null 2>&1 & ping -q -i 0.01 -s 1400 10.0.0.2 >/dev/null 2>&1 &'
guest_exec n2 'ping -q -i 0.01 -s 1400 10.0.0.1 >/dev/null 2>&1 &'
scribble 3 "$seg/ring-00-01" "$seg/ring-01-00"
guest_exec n1 'killall ping'
guest_exec n2 'killall ping'
check "with garbage in their rings the guests live" guest_exec n1 true
# What the last of it has broken is found with the next frames.
icmp 1 2 20
icmp 2 1 20
pings "... and n1 reaches n2" 1 2
pings "... n2 reaches n1" 2 1
frames 2 1 200
is "... n2 reaches n1" "$(seen_numbers)" "$(seq -s ' ' 200)"

# The ports' own pages, where the states and the generations are. Afterwards each comes back as a new port.
guest_exec n1 'ping -q -i 0.01 10.0.0.2 >/dev/null 2>&1 &'
guest_exec n2 'ping -q -i 0.01 10.0.0.1 >/dev/null 2>&1 &'
perl -e '
	use Time::HiRes qw(usleep);
	srand(2004);
	open(my $f, "+<:raw", $ARGV[0]) or die;
	for (1 .. 1000) {
		sysseek($f, 4096 + int(rand(2 * 4096 - 8)), 0);
		syswrite($f, join("", map { chr(int(rand(256))) } 1 .. 8));
		usleep(2000);
	}' "$seg/segment"
guest_exec n1 'killall ping'
guest_exec n2 'killall ping'
for n in 1 2; do
	check "with garbage in the port table n$n lives" guest_exec n$n true
	is "... and can leave" "$(remove n$n eth0)" "0 "
done
for n in 1 2; do
	is "n$n can join again" "$(configure n$n "eth0=switch,$seg,mac=$(net_mac $n)")" "0 "
	guest_exec n$n "ip link set eth0 up; ip addr add 10.0.0.$n/24 dev eth0"
	net_neighbours $n
done
icmp 1 2 20
is "... and n1 reaches n2" "$received" 20

# ---- a guest whose time is not the host's ----

tt_waits()
{
	find "/proc/$(guest_pid tt)/fd" -lname "$seg/segment" 2>/dev/null | grep -q .
}
net_lock 60
locker=$!
check "the join lock is held" test -e "$WORK/locked"
guest_start tt time-travel=inf-cpu "eth0=switch,$seg" -- 'ls /sys/class/net/ | sed "s/^/has /"'
check "a guest in virtual time has come to it" until_true 20 tt_waits
sleep 0.5 # of the host's, which wait 2000 times at most
kill $locker
guest_wait tt 60
check "... and waits for it by the host's clock" grep -q '^has eth0' "$(guest_log tt)"
wait $locker

guest_stop n1
check "n1 leaves its place to nobody" test -e "$seg/segment"
guest_stop n2
check "the last to leave removes the segment" test ! -e "$seg"

done_testing
