# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For tests of the NIC: guest.sh, and guests n1, n2, … on one segment, $WORK/seg. Guest <n> has the address 10.0.0.<n>,
# the MAC 02:00:00:00:00:0<n>, no IPv6, permanent neighbours and the seed 2004, so that nothing crosses the segment
# that the test has not sent. netprobe is /net/netprobe in the guest.
#
#   net_start <n>…                     boots these guests, until they are ready; else ends the test
#   net_boot <n> [kernel argument…]    boots one, does not wait
#   net_ready <n>                      waits for it
#   net_ipv6 <n>                       waits until it may use its link-local address: it takes the kernel a second to see
#                                      the carrier, and as long again to find no duplicate
#   net_neighbours <n>                 makes them permanent again, after the interface was down
#   net_mac <n>
#   fault <guest> <verb>…              mconsole-fault; what it says, on stderr too
#   rule <guest> <action>…             adds a rule on eth0, its name is r unless id= is given; else ends the test
#   stat_of <guest> <rule> <counter>   one value of `stats`
#   events_of <guest> <rule>           its records, oldest first, without what was there at net_mark
#   net_mark <guest>                   forgets the events up to now
#   net_clear <guest>                  no rules, and no events of them
#   icmp <from> <to> [count]           pings, 20 unless said; sets received and duplicates, and $out as netprobe echo has it;
#                                      1 when there was no answer
#   pings <description> <from> <to>    a check: 10 pings are answered, all
#   snmp <n> <group> <counter>         of /proc/net/snmp or netstat
#   net_lock <seconds>                 somebody (process $!) has the segment's join lock that long, from now on; not for check
#
#   net_ethtool                        from here on: ethtool <n> <argument>…, the host's, in guest <n>; else skips the test
#   count_of <n> <counter>             of ethtool -S; with net_ethtool
#
#   frames <from> <to> <count> [bytes] [µs apart] [come]
#                                      numbered frames of ethertype 0x88b5, all on their way at once unless apart. Afterwards
#                                      $seen has a line for each that came, as netprobe recv has it. Frames that wait
#                                      somewhere do not count unless it is said how many come in all
#   seen_numbers, lost_numbers <count> their numbers; in one line
#   listen <n> <from> [bytes] [MAC], shoot <from> <MAC> <count> [bytes] [µs apart], arrived <n>, await <n> <count>,
#   finish <from> <MAC>, heard <n>     the same in its parts: for more than one receiver, or for things to do in between.
#                                      arrived is how many frames have come, await waits for so many, heard is $seen

#
#   hearing <n>…                       from now on they hear calls
#   reach <from>…                      who hears a broadcast of each, as $calls has it
#   calls <from>… [to <MAC>]           each of them calls all, or who has that MAC; afterwards $calls says who heard whom, as
#                                      "1:2,3 2:" for n1, which n2 and n3 heard, and n2, which nobody did

# shellcheck source=guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

net_tool=$BIN/mconsole-fault
net_dir=$TOP/build/tests/net
net_source=$TOP/tests/selftests/netprobe.c
# For match="$PROBE".
# shellcheck disable=SC2034 # used by the tests
PROBE="ether proto 0x88b5"

net_build_probe()
{
	mkdir -p "$net_dir" || return
	(
		flock 9
		[ "$net_dir/netprobe" -nt "$net_source" ] ||
			"${CC:-gcc}" -O2 -Wall -static -o "$net_dir/netprobe" "$net_source"
	) 9>"$net_dir/.lock"
}
[ -x "$net_tool" ] || skip_all "there is no $net_tool; make tools"
net_build_probe || skip_all "netprobe cannot be built here; it needs gcc and a static libc"

net_ethtool()
{
	command -v ethtool >/dev/null || [ -x /usr/sbin/ethtool ] || skip_all "ethtool is not installed"
	# with its libraries; hostfs has it for the guest
	(
		flock 9
		[ -e "$net_dir/ethtool/usr" ] || "$TOP/rootfs/add-program" "$net_dir/ethtool" ethtool
	) 9>"$net_dir/.lock" || skip_all "ethtool cannot be copied"
	net_loader=$(cd "$net_dir" && find ethtool -name 'ld-*.so*' | head -n 1)
	net_libs=$(cd "$net_dir" && find ethtool -name '*.so*' -printf '/net/%h\n' | sort -u | paste -sd :)
	net_program=$(cd "$net_dir" && find ethtool -name ethtool -type f)
}

ethtool()
{
	guest_exec "n$1" "/net/$net_loader --library-path $net_libs /net/$net_program ${*:2} 2>&1"
}

count_of()
{
	ethtool "$1" -S eth0 | sed -n "s/^ *$2: //p"
}

net_mac()
{
	printf '02:00:00:00:00:%02x' "$1"
}

net_boot()
{
	local n=$1
	shift
	guest_start "n$n" "eth0=switch,$WORK/seg,mac=$(net_mac "$n")" "ip=eth0:10.0.0.$n/24" ipv6.disable=1 \
		share="$net_dir:/net" umf="seed 2004" "$@"
}

net_ready()
{
	guest_wait_ready "n$1" && net_neighbours "$1"
}

net_ipv6()
{
	# flags: 40 while it is tentative
	guest_exec -t 60 "n$1" 'until grep -q "^fe80.* 20 80 *eth0" /proc/net/if_inet6; do usleep 50000; done'
}

net_neighbours()
{
	local peer command=

	for peer in 1 2 3 4; do
		[ "$peer" = "$1" ] || command+="arp -s 10.0.0.$peer $(net_mac "$peer"); "
	done
	guest_exec "n$1" "$command"
}

net_start()
{
	local n

	for n; do
		net_boot "$n"
	done
	for n; do
		net_ready "$n" || exit 1
	done
}

fault()
{
	"$net_tool" "$@"
}

rule()
{
	local umid=$1 id=(id=r)
	shift

	[[ " $* " != *" id="* ]] || id=()
	fault "$umid" add eth0 "$@" "${id[@]}" >/dev/null || exit 1
}

stat_of()
{
	fault "$1" stats "$2" | sed -n "s/.* $3=\([^ ]*\).*/\1/p"
}

declare -A net_since
net_mark()
{
	net_since[$1]=$(fault "$1" events | sed -n '$s/^seq=\([0-9]*\) .*/\1/p')
}

net_lock()
{
	rm -f "$WORK/locked"
	python3 - "$WORK/seg/segment" "$WORK/locked" "$1" <<-END &
		import fcntl, struct, sys, time
		segment = open(sys.argv[1], 'r+b')
		# F_OFD_SETLK, the join lock: byte 0
		fcntl.fcntl(segment, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 1, 0))
		open(sys.argv[2], 'w').close()
		time.sleep(float(sys.argv[3]))
	END
	until_true 10 test -e "$WORK/locked"
}

net_clear()
{
	fault "$1" clear
	net_mark "$1"
}

events_of()
{
	fault "$1" events since="${net_since[$1]:-0}" | grep -F " rule=$2 "
}

icmp()
{
	out=$(guest_exec -t 120 "n$1" "/net/netprobe echo 10.0.0.$2 ${3:-20} 10000 2000") || exit 1
	# shellcheck disable=SC2034 # used by the tests
	read -r _ _ received _ duplicates _ < <(tail -n 1 <<<"$out")
	out=$(sed '$d' <<<"$out")
	[ "$received" -gt 0 ]
}

pings()
{
	icmp "$2" "$3" 10
	is "$1" "$received" 10
}

snmp()
{
	guest_exec "n$1" 'cat /proc/net/snmp /proc/net/netstat' | awk -v group="$2:" -v counter="$3" '
		$1 != group { next }
		!h { for (i = 2; i <= NF; i++) if ($i == counter) h = i; next }
		{ print $h }'
}

listen()
{
	guest_exec "n$1" "/net/netprobe recv eth0 $(net_mac "$2") ${4:-$(net_mac "$1")} ${3:-100} /tmp/seen" || exit 1
}

shoot()
{
	guest_exec "n$1" "/net/netprobe send eth0 $2 $3 ${4:-100} ${5:-0}" || exit 1
}

arrived()
{
	guest_exec "n$1" 'wc -l </tmp/seen.part'
}

await()
{
	guest_exec "n$1" "/net/netprobe await /tmp/seen.part $2"
}

finish()
{
	guest_exec "n$1" "/net/netprobe end eth0 $2" || exit 1
}

heard()
{
	guest_exec "n$1" '/net/netprobe show /tmp/seen' || exit 1
}

frames()
{
	listen "$2" "$1" "${4:-100}"
	if [ -n "${6:-}" ]; then
		shoot "$1" "$(net_mac "$2")" "$3" "${4:-100}" "${5:-0}"
		await "$2" "$6"
		finish "$1" "$(net_mac "$2")"
	else
		# in one: what a guest is asked takes it a tenth of a second
		guest_exec "n$1" "/net/netprobe send eth0 $(net_mac "$2") $3 ${4:-100} ${5:-0} end" || exit 1
	fi
	seen=$(heard "$2")
}

net_hearing=()
hearing()
{
	local n

	for n; do
		[[ " ${net_hearing[*]} " == *" $n "* ]] || net_hearing+=("$n")
		guest_exec "n$n" '/net/netprobe hear eth0 /tmp/heard' || exit 1
	done
}

calls()
{
	local from=() to=ff:ff:ff:ff:ff:ff n m
	declare -A who

	for n; do
		[ "$n" != to ] || break
		from+=("$n")
	done
	[ "$n" != to ] && [ $# -eq ${#from[@]} ] || to=${!#}
	for n in "${from[@]}"; do
		guest_exec "n$n" "/net/netprobe call eth0 $to" || exit 1
	done
	# All are on their way or lost. A guest that is asked has taken what is in its rings first.
	for n in $(printf '%s\n' "${net_hearing[@]}" | sort -n); do
		for m in $(guest_exec "n$n" 'usleep 20000; sed "s/ .*//;s/.*://" /tmp/heard; : >/tmp/heard'); do
			m=$((16#$m))
			who[$m]+=${who[$m]:+,}$n
		done
	done
	calls=
	for n in "${from[@]}"; do
		calls+="${calls:+ }$n:${who[$n]:-}"
	done
}

reach()
{
	calls "$@"
	echo "$calls"
}

seen_numbers()
{
	awk '{ printf "%s%s", sep, $2; sep = " " }' <<<"$seen"
}

lost_numbers()
{
	awk -v count="$1" '{ came[$2] = 1 } END { for (i = 1; i <= count; i++) if (!came[i]) { printf "%s%s", sep, i; sep = " " } }' <<<"$seen"
}
