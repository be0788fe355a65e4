#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A rule fires when it changed something: fired, events, ethtool and captures say nothing of what did not come about.

. "$(dirname "$0")/../lib/net.sh"

net_ethtool
net_start 1 2

# nothing <guest> <what> <ethtool counter> <action> [key=value…]: 50 frames of 100 bytes match, and none is changed
nothing()
{
	local guest=$1 what=$2 counter=$3 before
	shift 3

	before=$(count_of "${guest#n}" "$counter")
	rule "$guest" "$1" match="$PROBE" "${@:2}"
	frames 1 2 50
	is "$what: all arrive as they were sent" "$(seen_numbers) $(grep -vc ' -$' <<<"$seen")" "$(seq -s ' ' 50) 0"
	is "... matched, and not fired" "$(stat_of "$guest" r matched) $(stat_of "$guest" r fired) $(stat_of "$guest" r bytes)" "50 0 0"
	is "... nor logged, nor in ethtool" "$(events_of "$guest" r)$(($(count_of "${guest#n}" "$counter") - before))" 0
	check_fails "... and expect says so" fault "$guest" expect r 'fired>=1'
	net_clear "$guest"
}

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"
	nothing "$guest" "$dir: ber=1e-9" "${dir}_fault_corrupt" corrupt dir="$dir" ber=1e-9
	nothing "$guest" "$dir: bits behind the frame's end" "${dir}_fault_corrupt" corrupt dir="$dir" offset=200-300
	nothing "$guest" "$dir: a cut behind the frame's end" "${dir}_fault_truncate" truncate dir="$dir" len=100
	nothing "$guest" "$dir: no delay" "${dir}_fault_delay" delay dir="$dir" time=0ms
	nothing "$guest" "$dir: overtaking nobody" "${dir}_fault_reorder" reorder dir="$dir"

	# A shot that hit nothing is not used up, and arms nobody.
	rule "$guest" corrupt dir="$dir" ber=1e-9 count=5 match="$PROBE"
	rule "$guest" drop dir="$dir" on=r match="$PROBE" id=next
	frames 1 2 20
	is "$dir: count= is for what came about" "$(seen_numbers)$(fault "$guest" stats r | grep -o ' state=[a-z]*')" "$(seq -s ' ' 20) state=open"
	is "... and so is on=" "$(fault "$guest" stats next | grep -o 'state=[a-z]*')" state=waiting
	fault "$guest" clear
	net_mark "$guest"

	# A frame that is lost has not waited, nor come twice.
	rule "$guest" dup dir="$dir" match="$PROBE" id=twice
	rule "$guest" delay dir="$dir" time=10ms match="$PROBE" id=late
	rule "$guest" drop dir="$dir" every=2 match="$PROBE"
	frames 1 2 20 100 0 20
	is "$dir: of 20 frames, 10 of them lost, 10 are delayed and doubled" \
		"$(stat_of "$guest" r fired) $(stat_of "$guest" late fired) $(stat_of "$guest" twice fired) $(wc -l <<<"$seen")" "10 10 10 20"
	fault "$guest" clear
	net_mark "$guest"
done

# With csum=fix the sums are not among the bits that are drawn: a flip there would undo itself.
rule n2 corrupt dir=rx offset=36-37 csum=fix match=icmp
icmp 1 2 20
is "csum=fix with the sum's own bytes: nothing is corrupted" "$received $(stat_of n2 r matched) $(stat_of n2 r fired)" "20 20 0"
net_clear n2
rule n2 corrupt dir=rx offset=35-38 csum=fix bits=32 match=icmp
icmp 1 2 20
is "... beside them: the 16 other bits are, in each" "$(events_of n2 r | grep -c ' bits .*,+') $(stat_of n2 r fired)" "20 20"
net_clear n2

# At most eight rules act on a frame: those behind are not asked, and say so.
for i in 1 2 3 4 5 6 7 8 9 10; do
	fault n2 add eth0 dup dir=rx match="$PROBE" id="d$i" >/dev/null
done
frames 1 2 5
is "ten rules of which eight act: each frame comes nine times" "$(wc -l <<<"$seen")" 45
is "... the ninth has not been asked" "$(stat_of n2 d8 fired) $(stat_of n2 d9 matched) $(stat_of n2 d9 fired)" "5 0 0"
net_clear n2

# peer= is the port in both directions, whatever source its frames have.
guest_exec n2 'ip link add mv0 link eth0 address 02:00:00:00:00:99 type macvlan mode bridge; ip addr add 10.0.1.2/24 dev mv0; ip link set mv0 up'
guest_exec n1 'ip addr add 10.0.1.1/24 dev eth0; arp -s 10.0.1.2 02:00:00:00:00:99'
guest_exec n2 'arp -s 10.0.1.1 02:00:00:00:00:01'
check "n2's second MAC answers" guest_exec n1 'ping -c 3 -W 1 10.0.1.2'
for dir in rx tx; do
	rule n1 drop dir=$dir peer="$(net_mac 2)"
	check_fails "peer= dir=$dir: nothing from or to its first MAC" icmp 1 2 3
	check_fails "... nor its second" guest_exec n1 'ping -c 3 -W 1 10.0.1.2'
	net_clear n1
done
check "afterwards it does" guest_exec n1 'ping -c 3 -W 1 10.0.1.2'

done_testing
