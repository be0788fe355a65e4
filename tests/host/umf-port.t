#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# umf-port: a segment bridged to a tap device of the host, and all that crosses one as pcapng. The tap device is in a
# network namespace of our own, for which no privilege is needed.

. "$(dirname "$0")/../lib/net.sh"

port=$BIN/umf-port
seg=$WORK/seg
[ -x "$port" ] || skip_all "there is no $port; make tools"
command -v tcpdump >/dev/null || skip_all "there is no tcpdump; package tcpdump"

# says <status> <extended regex> <argument>…: one line and that status
says()
{
	local status=0 wanted=$1 regex=$2 said
	shift 2

	said=$(timeout 10 "$port" "$@" 2>&1 >/dev/null) || status=$?
	is "umf-port $*: status" "$status" "$wanted"
	like "... one line says why" "$said" "^umf-port: ${regex}[^"$'\n'"]*\$"
}

# in_ns <command>…: in the namespace, as its root
in_ns()
{
	nsenter -t "$ns" -U -n --preserve-credentials -- "$@"
}

# start <log> <argument>…: a port in the background, in the namespace if there is one; sets $pid once it has joined
start()
{
	local log=$WORK/$1
	shift

	: >"$log"
	if [ -n "$ns" ]; then
		nsenter -t "$ns" -U -n --preserve-credentials -- "$port" "$@" 2>"$log" &
	else
		"$port" "$@" 2>"$log" &
	fi
	pid=$!
	ports+=("$pid")
	until_true 10 grep -q '^umf-port: port ' "$log" || not_ok "umf-port $* joins" "$(<"$log")"
}

# ends <signal>: sets $status, the port's then
ends()
{
	status=0
	kill "-$1" "$pid"
	wait "$pid" 2>/dev/null || status=$?
}

bells()
{
	(cd "$seg" && echo ./*.bell)
}

ports=()
ns=
end_ports()
{
	local status=$? p

	for p in "${ports[@]}"; do
		kill -9 "$p" 2>/dev/null && wait "$p" 2>/dev/null
	done
	(exit "$status")
	guest_cleanup
}
trap end_ports EXIT

# ---- what it is told ----

check "--help" "$port" --help
check "--version" "$port" --version
says 2 "one of --tap and -w is needed" lan
says 2 "--tap and -w exclude each other" --tap tap0 -w - lan
says 2 "which segment" -w -
says 2 "b: one segment only" -w - a b
says 2 "'\.\.' is no name" -w - ..
says 1 "cannot make the folder $WORK/none/seg" -w - "$WORK/none/seg"
says 1 "cannot write $WORK/none/file: No such file" -w "$WORK/none/file" "$seg"
says 1 "there is no tap device nosuchtap" --tap nosuchtap "$seg"
says 1 "a-name-that-is-too-long: a device's name has 15" --tap a-name-that-is-too-long "$seg"
mkdir -m 770 "$WORK/open"
says 1 "$WORK/open can be written by other users" -w - "$WORK/open"

# ---- pcapng of everything ----

net_start 1
net_start 2
icmp 1 2 3	# each knows where the other is: nothing is flooded

# How often a rule for single receivers is asked about frames that go to all.
to_all()
{
	local all=ff:ff:ff:ff:ff:ff

	rule n1 drop peer="$(net_mac 2)" match="$PROBE" dir=tx
	listen 2 1 100 "$all"
	shoot 1 "$all" 100
	evaluated_all=$(stat_of n1 r evaluated)
	net_clear n1
	finish 1 "$all"
	heard 2 >/dev/null
}
to_all
asked_alone=$evaluated_all

start watch -w "$WORK/all.pcapng" "$seg"
icmp 1 2 20
frames 1 2 200
# Of the sender's rules all are seen, of the receiver's none; and who watches changes no rule's count.
net_clear n1
rule n1 drop every=2 match="$PROBE" dir=tx
frames 1 2 100
evaluated=$(stat_of n1 r matched)
net_clear n1
rule n2 drop every=2 match="$PROBE" dir=rx
frames 1 2 100
net_clear n2
# For a single receiver.
to_all
asked=$evaluated_all
guest_exec n2 '/net/netprobe sink 5000' && guest_exec n1 '/net/netprobe source 10.0.0.2 5000 2' >/dev/null
ends INT
is "-w: Ctrl-C ends it well" "$status" 0
like "... and it says what it has seen" "$(tail -n 1 "$WORK/watch")" '^umf-port: [0-9]+ frames, 0 more were lost'
is "... its place is free" "$(bells)" "./port-00.bell ./port-01.bell"

dump()
{
	tcpdump -r "$WORK/all.pcapng" -nn --nano "$@" 2>"$WORK/tcpdump"
}
is "every request is in it" "$(dump 'icmp[0] == 8' | wc -l)" 20
is "... and every answer" "$(dump 'icmp[0] == 0' | wc -l)" 20
is "tcpdump has no complaint" "$(grep -v '^reading from' "$WORK/tcpdump")" ""
is "numbered frames, and those that a sender's rule has left: of 500" "$(dump ether proto 0x88b5 | grep -c 0x88b5)" 450
is "... the rule was asked as often as without who watches" "$evaluated" 100
is "... one for single receivers as well" "$asked" "$asked_alone"
check "TCP is in it, in large pieces" test "$(dump -v tcp and greater 20000 | wc -l)" -gt 0
check "... with right checksums" test "$(dump -v tcp and src host 10.0.0.1 | grep -c '(correct)')" -gt 10
is "... all of them" "$(dump -v tcp | grep -c 'incorrect')" 0
names=$(strings "$WORK/all.pcapng" | grep -oE '^n[12]/eth0' | sort -u | paste -sd ' ')
is "the interfaces are named as the ports" "$names" "n1/eth0 n2/eth0"
if command -v tshark >/dev/null; then
	ways=$(tshark -n -r "$WORK/all.pcapng" -Y icmp -T fields -e frame.interface_name -e ip.src -e frame.packet_flags_direction 2>/dev/null |
		sed 's/0x0*//' | sort -u | paste -sd ' ')
	is "... and have sent what they sent" "$ways" $'n1/eth0\t10.0.0.1\t2 n2/eth0\t10.0.0.2\t2'
else
	skip "... and have sent what they sent" "tshark is not installed"
fi

# A partition's other side are the guests: who watches is on none, and is not counted.
partitioned()
{
	guest_exec n1 "/net/netprobe counts eth0 | sed -n 's/^tx_partitioned //p'"
}
start cut -w "$WORK/cut.pcapng" "$seg"
rule n2 partition a=n1
before=$(partitioned)
shoot 1 ff:ff:ff:ff:ff:ff 10
is "a partition loses what it is between, and counts it once" "$(($(partitioned) - before))" 10
net_clear n2
ends INT

# ---- who watches is no burden ----

start slow -w "$WORK/slow.pcapng" "$seg"
icmp 1 2 3
kill -STOP "$pid"
guest_exec n2 '/net/netprobe sink 5000' && guest_exec n1 '/net/netprobe source 10.0.0.2 5000 8' >/dev/null
pings "a monitor that is stopped holds nobody up" 1 2
frames 1 2 300
is "... nothing is lost" "$(seen_numbers)" "$(seq -s ' ' 300)"
kill -CONT "$pid"
ends TERM
is "... it ends well" "$status" 0
check "... and knows that it has missed something" grep -qE ', [1-9][0-9]* more were lost' "$WORK/slow"

mkfifo "$WORK/stalled"
tail -f /dev/null 3<"$WORK/stalled" &
reader=$!
"$port" -w - "$seg" 2>"$WORK/stall" >"$WORK/stalled" &
pid=$!
ports+=("$pid" "$reader")
until_true 10 grep -q ' port ' "$WORK/stall"
guest_exec n2 '/net/netprobe sink 5000' && guest_exec n1 '/net/netprobe source 10.0.0.2 5000 8' >/dev/null
ends INT
is "with a reader that stalls, Ctrl-C ends it all the same" "$status" 0
kill "$reader"
wait "$reader" 2>/dev/null

"$port" -w - "$seg" 2>"$WORK/gone" | head -c 100 >/dev/null &
pid=$!
until_true 10 grep -q ' port ' "$WORK/gone"
icmp 1 2 10
status=0
timeout 10 tail --pid="$pid" -f /dev/null || status=$?
is "it ends when its reader does" "$status" 0
is "... and has left" "$(bells)" "./port-00.bell ./port-01.bell"
if [ -e /dev/full ]; then
	"$port" -w /dev/full "$seg" 2>"$WORK/full" &
	pid=$!
	status=0
	until_true 10 grep -q ' port ' "$WORK/full"
	wait "$pid" || status=$?
	is "a file that takes no more: status" "$status" 1
	is "... one line" "$(tail -n 1 "$WORK/full")" "umf-port: cannot write /dev/full: No space left on device"
	is "... and it has left" "$(bells)" "./port-00.bell ./port-01.bell"
fi

start killed -w "$WORK/killed.pcapng" "$seg"
is "a third port" "$(bells)" "./port-00.bell ./port-01.bell ./port-02.bell"
ends KILL
alone()
{
	[ "$(bells)" = "./port-00.bell ./port-01.bell" ]
}
check "killed, it is buried" until_true 10 alone
pings "... and the guests go on" 1 2

# ---- a tap device ----

unshare -rn sleep 100000 2>"$WORK/unshare" &
ns=$!
ports+=("$ns")
in_userns()
{
	[ "$(readlink "/proc/$ns/ns/net")" != "$(readlink /proc/self/ns/net)" ] && in_ns true
}
if ! until_true 5 in_userns; then
	skip "a tap device" "no network namespace can be made: $(tail -n 1 "$WORK/unshare")"
	done_testing
fi
if ! in_ns ip tuntap add tap0 mode tap 2>"$WORK/tuntap"; then
	skip "a tap device" "none can be made: $(tail -n 1 "$WORK/tuntap")"
	done_testing
fi
in_ns ip link set tap0 up
in_ns ip addr add 10.0.0.9/24 dev tap0

said=$(in_ns "$port" --tap lo "$seg" 2>&1)
is "a device that is no tap" "$said" "umf-port: lo is no tap device"
start tap --tap tap0 "$seg"
said=$(in_ns "$port" --tap tap0 "$seg" 2>&1)
is "one that another program has" "$said" "umf-port: tap0: another program has it"

host_pings()
{
	in_ns "$net_dir/netprobe" echo "$1" 10 20000 5000 | grep -q '^10 sent 10 received 0 duplicates'
}
check "the host reaches n1" host_pings 10.0.0.1
check "... and n2" host_pings 10.0.0.2
check "n1 reaches the host" guest_exec n1 'ping -c 5 -i 0.05 -W 5 10.0.0.9'

# mean <rx or tx> <command>…: runs it; sets $mean to the mean length of tap0's frames meanwhile
mean()
{
	local way=$1 b p bytes packets counts filter
	shift

	counts="in_ns ip -j -s link show tap0"
	filter=".[0].stats64.$way"' | "\(.bytes) \(.packets)"'
	read -r b p < <($counts | jq -r "$filter")
	"$@" || not_ok "$*"
	read -r bytes packets < <($counts | jq -r "$filter")
	mean=$(((bytes - b) / (packets - p + 1)))
}
in_ns "$net_dir/netprobe" sink 5001
mean rx guest_exec n1 '/net/netprobe source 10.0.0.9 5001 16' >"$WORK/rate"
check "TCP from a guest comes in large pieces ($mean bytes, $(<"$WORK/rate") Mbit/s)" test "$mean" -gt 4000
guest_exec n2 '/net/netprobe sink 5002'
mean tx in_ns "$net_dir/netprobe" source 10.0.0.2 5002 16 >"$WORK/rate"
check "TCP to a guest as well ($mean bytes, $(<"$WORK/rate") Mbit/s)" test "$mean" -gt 4000

kill -STOP "$(guest_pid n2)"
in_ns "$net_dir/netprobe" send tap0 ff:ff:ff:ff:ff:ff 1000 1000
check "a guest that is stopped does not hold up the others" guest_exec n1 'ping -c 5 -i 0.05 -W 5 10.0.0.9'
kill -CONT "$(guest_pid n2)"
check "... and is reached again" guest_exec n2 'ping -c 5 -i 0.05 -W 5 10.0.0.9'

# A burst that a guest has no room for waits for it, as between guests.
mac9=$(in_ns ip -j link show tap0 | jq -r '.[0].address')
guest_exec n2 "/net/netprobe recv eth0 $mac9 $(net_mac 2) 1400 /tmp/seen"
kill -STOP "$(guest_pid n2)"
in_ns "$net_dir/netprobe" send tap0 "$(net_mac 2)" 900 1400
# until the tap's queue is empty: n1 is reached behind it
check "n2 is stopped: the host reaches n1" host_pings 10.0.0.1
kill -CONT "$(guest_pid n2)"
check "... continued, it gets all that was sent meanwhile" await 2 900
in_ns "$net_dir/netprobe" end tap0 "$(net_mac 2)"
is "... in order" "$(seen=$(heard 2) && seen_numbers | md5sum)" "$(seq -s ' ' 900 | tr -d '\n' | md5sum)"

# tap_frames: how many the tap device has been given
tap_frames()
{
	in_ns ip -j -s link show tap0 | jq '.[0].stats64.rx.packets'
}
before=$(tap_frames)
kill -STOP "$pid"
shoot 1 "$mac9" 5
rule n1 partition a=n1,n2
kill -CONT "$pid"
is "a partition: the host does not reach n1" "$(in_ns "$net_dir/netprobe" echo 10.0.0.1 3 10000 500 | tail -n 1)" \
	"3 sent 0 received 0 duplicates"
is "... and what was on its way is lost" "$(($(tap_frames) - before))" 0
net_clear n1
check "... healed, it does" until_true 10 host_pings 10.0.0.1

# n1_hears: does n1 get what the host sends to its MAC?
hearing 1
n1_hears()
{
	in_ns "$net_dir/netprobe" call tap0 "$(net_mac 1)"
	guest_exec n1 "usleep 20000; grep '^$mac9' /tmp/heard && : >/tmp/heard"
}
n1_deaf()
{
	! n1_hears
}
check "n1 hears the host" n1_hears
rule n2 macflap peer="$(net_mac 1)" time=1h
check "n2 claims the MAC of n1: the host sends there" until_true 5 n1_deaf
net_clear n2
check "... no more: the host forgets it" until_true 5 n1_hears

guest_exec n1 'ip link set eth0 mtu 9000'
check_fails "frames above the tap's MTU are not taken" guest_exec n1 'ping -c 2 -i 0.1 -W 1 -s 4000 10.0.0.9'
in_ns ip link set tap0 mtu 9000
check "... with a larger one they are" until_true 10 guest_exec n1 'ping -c 1 -W 1 -s 4000 10.0.0.9'
guest_exec n1 'ip link set eth0 mtu 1500'
in_ns ip link set tap0 mtu 1500

# With an MTU as small, a frame of 64 KiB would be hundreds: no guest lets itself be told so.
guest_exec n2 '/net/netprobe sink 5003'
in_ns ip link set tap0 mtu 200
in_ns timeout 2 "$net_dir/netprobe" source 10.0.0.2 5003 1 >"$WORK/tiny"
check "GSO frames of too many segments are refused" test "$(guest_exec n2 "/net/netprobe counts eth0 | sed -n 's/^rx_bad_frames //p'")" -gt 0
in_ns ip link set tap0 mtu 1500

ends TERM
like "it says what it has lost" "$(tail -n 1 "$WORK/tap")" ' ([5-9]|[1-9][0-9]+) in partitions, [2-9] longer than the MTU, 0 not taken by the tap$'
start tap --tap tap0 "$seg"
check "it is there again" guest_exec n1 'ping -c 5 -i 0.05 -W 5 10.0.0.9'
ends KILL
check "killed, it is buried" until_true 10 alone
pings "... and the guests go on" 1 2
start tap2 --tap tap0 "$seg"
check "it can join again" guest_exec n1 'ping -c 5 -i 0.05 -W 5 10.0.0.9'
in_ns ip link del tap0
status=0
wait "$pid" || status=$?
is "when the tap device is removed it ends" "$status $(tail -n 1 "$WORK/tap2")" \
	"1 umf-port: the tap device is gone: File descriptor in bad state"
is "... and has left" "$(bells)" "./port-00.bell ./port-01.bell"

guest_stop n1
guest_stop n2
in_ns ip tuntap add tap1 mode tap
start last --tap tap1 "$seg"
ends HUP
is "alone on a segment" "$status" 0
check "... it removes it" test ! -e "$seg"
done_testing
