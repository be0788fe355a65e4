#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# partition: two sets of ports get nothing from each other, one way or both, all at once, until the rule or its guest ends.

. "$(dirname "$0")/../lib/net.sh"

seg=$WORK/seg
# One after the other: guest <n> is port <n> - 1.
for n in 1 2 3 4; do
	net_boot $n
	net_ready $n || exit 1
done

hearing 1 2 3 4

# reached <from> <to,…>
reached()
{
	[ "$(reach "$1")" = "$1:$2" ]
}

everybody="1:2,3,4 2:1,3,4 3:1,2,4 4:1,2,3"
two_halves="1:2 2:1 3:4 4:3"

is "at first everybody reaches everybody" "$(reach 1 2 3 4)" "$everybody"

# ---- both ways, in each kind of name ----

for names in "a=n1,n2 b=n3,n4" "a=n4/eth0,n3 b=$(net_mac 1),1" "a=n1,n2" "a=0,$(net_mac 2) b=02,3"; do
	# shellcheck disable=SC2086 # the words
	rule n1 partition $names
	is "$names: each half reaches itself only" "$(reach 1 2 3 4)" "$two_halves"
	net_clear n1
	is "... healed by one command" "$(reach 1 3)" "1:2,3,4 3:1,2,4"
done

rule n2 partition a=n1 b=n3
is "by a guest that is on neither side" "$(reach 1 2 3 4)" "1:2,4 2:1,3,4 3:2,4 4:1,2,3"
calls 1 to "$(net_mac 3)"
is "... for frames to one as for those to all" "$calls" "1:"
like "... counted as begun once" "$(fault n2 stats r)" " state=open .* fired=1 "
is "... and logged" "$(events_of n2 r | sed 's/.*action=/action=/;s/index=[0-9]* //')" 'action=partition what="begin"'
rule n4 partition a=n1 b=n2
is "another guest's adds to it" "$(reach 1 2 3)" "1:4 2:3,4 3:2,4"
net_clear n2
is "... and stays when the first ends" "$(reach 1 2 3)" "1:3,4 2:3,4 3:1,2,4"
fault n4 suspend r
is "... suspended, it does not" "$(reach 1 2)" "1:2,3,4 2:1,3,4"
fault n4 resume r
is "... resumed, it is back" "$(reach 1 2)" "1:3,4 2:3,4"
net_clear n4
pings "pings are answered" 1 3

# ---- one way ----

rule n3 partition a=n1 b=n2,n3 oneway=on
is "oneway=on: only what a= sends to b= is lost" "$(reach 1 2 3 4)" "1:4 2:1,3,4 3:1,2,4 4:1,2,3"
net_clear n3
rule n3 partition a=n1 oneway=on
is "oneway=on without b=: n1 is not heard" "$(reach 1 2 3)" "1: 2:1,3,4 3:1,2,4"
is "... list has it as it was written" "$(fault n3 list | tail -n 1)" 'add eth0 partition a="n1" oneway=on id=r'
net_clear n3

# ---- in time ----

# timed: sets $lost, what a partition of 700 ms takes of 200 frames 10 ms apart
timed()
{
	listen 4 2
	rule n1 partition a=n1,n2 b=n3,n4 at=+500ms for=700ms
	waiting=$(fault n1 stats r)
	shoot 2 "$(net_mac 4)" 200 100 10000
	finish 2 "$(net_mac 4)"
	seen=$(heard 4)
	lost=$(lost_numbers 200)
	spent=$(fault n1 stats r)
	net_clear n1
	[ "$(wc -w <<<"$lost")" -ge 10 ] && [ "$(wc -w <<<"$lost")" -le 72 ]
}

# A sender that was held up catches up, and so more are lost; not each time.
until_true 30 timed
status=$?
is "at=+500ms for=700ms: as many frames are lost ($(wc -w <<<"$lost"))" "$status" 0
is "... in a run" "$lost" "$(seq -s ' ' "${lost%% *}" "${lost##* }")"
like "before at= it waits" "$waiting" " state=waiting "
like "... spent" "$spent" " state=spent "

# ---- what has been sent before: lost if it is still on its way ----

rule n1 hold dir=tx match="$PROBE" id=held
listen 3 1
shoot 1 "$(net_mac 3)" 10
rule n2 partition a=n1 b=n3
net_clear n1
icmp 1 2 3
arrived=$(guest_exec n3 'usleep 20000; cat /tmp/seen.part')
finish 2 "$(net_mac 3)"
is "frames that were held are let go into it" "$arrived" ""
net_clear n2
kill -STOP "$(guest_pid n3)"
guest_exec n1 '/net/netprobe call eth0 ff:ff:ff:ff:ff:ff'
rule n2 partition a=n1 b=n3
kill -CONT "$(guest_pid n3)"
is "frames in n3's ring when it began are lost, too" "$(reach 1)" "1:2,2,4,4"
net_clear n2

# ---- all ports at once ----

# The tables of the segment, read as fast as they change: each that counts is whole.
rule n2 partition a=n1,n2 b=n3,n4 period=2ms duty=50%
states=$(perl -e '
	open(my $f, "<:raw", "$ARGV[0]/segment") or die;
	my (%seen, $turn, $again, $table);
	for (my $end = time + 2; time < $end;) {
		sysseek($f, 64, 0); sysread($f, $turn, 4);
		$turn = unpack("L", $turn);
		if ($turn & 2) {
			sysseek($f, 128 + 512 * ($turn & 1), 0); sysread($f, $table, 512);
			sysseek($f, 64, 0); sysread($f, $again, 4);
			next if unpack("L", $again) != $turn;
		} else {
			$table = "";
		}
		my @t = unpack("Q*", $table);
		$seen{join(" ", map { sprintf("%x", $_) } @t[0 .. 3]) . (grep({ $_ } @t[4 .. 63]) ? " more" : "")}++;
		$turns{$turn} = 1;
		# The count above the two flags says how often it was turned: each time to the other table.
		$tables{($turn >> 2 ^ $turn) & 1} = 1;
	}
	print join("\n", sort grep { /\S/ } keys %seen), "\n";
	print scalar(keys %turns), " ", scalar(keys %tables), "\n";' "$seg")
read -r turns tables <<<"${states##*$'\n'}"
is "period=2ms: it is there as a whole or not at all" "${states%$'\n'*}" "0 0 0 0"$'\n'"c c 3 3"
check "... and it came and went ($turns turns were seen)" test "$turns" -gt 50
is "... each time in the table that nobody looked at" "$tables" 1
net_clear n2

# ---- whoever dies, stops, comes back ----

rule n2 partition a=n1 b=n3
kill -STOP "$(guest_pid n2)"
is "its guest is stopped: it holds" "$(guest_exec n1 '/net/netprobe call eth0 ff:ff:ff:ff:ff:ff'; guest_exec n3 'usleep 20000; cat /tmp/heard')" ""
kill -CONT "$(guest_pid n2)"
reach 1 >/dev/null
guest_exec n2 'ip link set eth0 down'
is "its interface is down: it holds" "$(reach 1)" "1:4"
guest_kill9 n2
net_hearing=(1 3 4)
check "its guest is killed: nothing stays cut" until_true 10 reached 1 3,4
net_boot 2
net_ready 2 || exit 1
hearing 2
is "... restarted, it has no rule" "$(fault n2 list) $(reach 2)" "seed 2004 2:1,3,4"

rule n1 partition a=n3
guest_kill9 n3
net_boot 3
net_ready 3 || exit 1
hearing 3
is "who restarts comes back to its side" "$(reach 1 3)" "1:2,4 3:"
net_clear n1
is "... until it is healed" "$(reach 1 3)" "1:2,3,4 3:1,2,4"

rule n1 partition a="$(net_mac 4)"
guest_exec n4 'ip link set eth0 address 02:00:00:00:00:44'
check "a side named by its MAC is whoever has it" until_true 10 reached 1 2,3,4
guest_exec n4 "ip link set eth0 address $(net_mac 4)"
check "... again" until_true 10 reached 1 2,3
net_clear n1

rule n1 partition a=n2 b=n3
is "remove takes its partitions along" \
	"$("$LIB/mconsole-raw" "$(guest_mconsole n1)" ":remove eth0") $(reach 2)" "0  2:3,4"
"$LIB/mconsole-raw" "$(guest_mconsole n1)" ":config eth0=switch,$seg,mac=$(net_mac 1)" >/dev/null
guest_exec n1 'ip link set eth0 up; ip addr add 10.0.0.1/24 dev eth0'
net_neighbours 1
hearing 1

# ---- somebody writes where it should not ----

# poke <offset> <bytes>
poke()
{
	# shellcheck disable=SC2059 # the bytes
	printf "$2" | dd of="$seg/segment" bs=1 seek="$1" conv=notrunc status=none
}
all_ones=$(printf '\\xff%.0s' $(seq 64))
poke 128 "$all_ones"
poke 640 "$all_ones"
poke 64 '\x03'
check "a partition that is nobody's is gone in a moment" until_true 5 reached 2 1,3,4
rule n1 partition a=n2 b=n3
poke 64 '\0\0\0\0'
check "one that somebody wiped out is back in a moment" until_true 5 reached 2 1,4
# n2's slot: a claim to have cut off n4
poke $((4096 * 2 + 576)) "$all_ones"
check "a port's own that somebody wrote are put right" until_true 5 reached 4 1,2,3
net_clear n1
is "... everybody reaches everybody" "$(reach 1 2 3 4)" "$everybody"

# ---- a rule that ends while a port is stopped in the middle of joining ----

rule n1 partition a=n2 b=n3
net_lock 4
check "the join lock is held for 4 s" test -e "$WORK/locked"
like "clear says that the partition stays" "$(fault n1 clear)" "eth0: the partition stays until a port .* goes on, or is killed\$"
is "... and it does" "$(fault n1 list) $(reach 2)" "seed 2004 2:1,4"
wait $!
check "... until the lock is free" until_true 5 reached 2 1,3,4

# ---- names before numbers ----

guest_start 1 eth0=switch,"$WORK/seg",mac=02:00:00:00:00:09 ip=eth0:10.0.0.9/24 ipv6.disable=1
guest_wait_ready 1 || exit 1
check "a guest called 1 is there" until_true 10 guest_exec n1 'ping -c 1 -W 1 10.0.0.9'
rule n1 partition a=1
check_fails "a guest called 1 is cut off by its name" guest_exec n1 'ping -c 2 -W 1 10.0.0.9'
is "... and port 1 is not" "$(reach 2)" "2:1,3,4"
net_clear n1
rule n1 partition a=#1
check "a=#1 is port 1, not that guest" guest_exec n1 'ping -c 2 -W 1 10.0.0.9'
is "... which is cut off" "$(reach 2)" "2:"
net_clear n1
guest_stop 1

# ---- what is wrong with a rule ----

# refused <description> <regex> <rule>…
refused()
{
	local reply

	reply=$(fault n1 add eth0 partition "${@:3}" 2>&1)
	like "$1" "$reply" "^n1: $2\$"
	is "... in one line, and there is no rule" "$(wc -l <<<"$reply") $(fault n1 list)" "1 seed 2004"
}
known="there is 0 n1/eth0, 1 n2/eth0, 2 n3/eth0, 3 n4/eth0"
refused "no a=" "partition needs a=<port>,..." b=n1
refused "a guest that is not there" "a=n9: no port of this segment, $known" a=n1,n9 b=n2
refused "... on the other side" "b=n: no port of this segment, $known" a=n1 b=n
refused "a port that is not there" "a=4: no port of this segment, $known" a=4
refused "a MAC that is nobody's" "b=02:00:00:00:00:09: no port of this segment, $known" a=n1 b=02:00:00:00:00:09
refused "another interface" "a=n1/eth1: no port of this segment, $known" a=n1/eth1
refused "a comma too many" "a=: no port of this segment, $known" a=n1,,n2
refused "the same port twice" "a= and b= contradict each other: port 1 is on both sides" a=n1,n2 b=1,n3
refused "a word that is none" "oneway=yes: must be off\|on" a=n1 oneway=yes
refused "a trigger for single frames" "prob=10%: not a key of partition, which takes .*" a=n1 prob=10%

done_testing
