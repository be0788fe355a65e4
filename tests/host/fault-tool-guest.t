#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mconsole-fault, and the stock uml_mconsole, with real guests.

. "$(dirname "$0")/../lib/guest.sh"

tool=$BIN/mconsole-fault
[ -x "$tool" ] || skip_all "there is no $tool; make tools"
err=$WORK/err
# Not the guests of whoever runs this.
export HOME=$WORK

# fault <argument…>: output in $out, status in $status
fault()
{
	status=0
	out=$("$tool" "$@" 2>"$err") || status=$?
}

# done_as <description> <wanted output> <argument…>
done_as()
{
	local description=$1 wanted=$2
	shift 2
	fault "$@"
	is "$description" "$status: $out" "0: $wanted"
}

# fails_as <description> <wanted status> <regex for stderr> <argument…>
fails_as()
{
	local description=$1 wanted=$2 regex=$3
	shift 3
	fault "$@"
	like "$description" "$status: $out$(cat "$err")" "^$wanted: $regex"
}

for n in 1 2; do
	guest_start "n$n" eth0=switch,"$WORK/seg"
done
for n in 1 2; do
	guest_wait_ready "n$n" || exit 1
	guest_exec "n$n" "ip link set eth0 up && ip addr add 10.0.0.$n/24 dev eth0"
	"$tool" "n$n" seed 4711
done
ping="ping -c 3 -i 0.2 -W 1 10.0.0.2"

like "the guests are found" "$("$tool" --guests)" "^n1 $UML_DIR/n1/mconsole"$'\n'"n2 $UML_DIR/n2/mconsole"
done_as "their devices" $'n1: eth0 net rules=0\nn1: node node rules=0\nn2: eth0 net rules=0\nn2: node node rules=0' n1,n2 devices
check "n1 reaches n2" guest_exec n1 "$ping"

# ---- every verb ----

done_as "add replies with the id" r1 n1 add eth0 drop dir=rx prob=30%
done_as "list has the seed and the rule" $'seed 4711\nadd eth0 drop dir=rx prob=30% id=r1' n1 list
done_as "seed" "" n1 seed 12
done_as "suspend" "" n1 suspend r1
done_as "... is listed" $'seed 12\nadd eth0 drop dir=rx prob=30% id=r1\nsuspend r1' n1 list
is "... in JSON too" "$("$tool" --json n1 list | jq -c '[.[0].seed, .[1].suspended, .[1].params]')" \
	'["12",true,{"dir":"rx","prob":0.3}]'
done_as "resume" "" n1 resume all
# Neighbour discovery may send a frame at any time.
like "stats" "$("$tool" n1 stats r1)" '^r1 eth0 drop state=open evaluated=[0-9]+ matched=[0-9]+ fired=[0-9]+ bytes=[0-9]+'
done_as "del" "" n1 del r1
done_as "clear" "" n1 clear
done_as "... leaves the seed" "seed 12" n1 list
fault n1 help delay
like "help" "$out" '^delay \(net\): .*time='

# ---- refusals ----

fails_as "a bad value" 1 'n1: prob=125%: ' n1 add eth0 drop prob=125%
fails_as "no such device" 1 'n1: .*eth7' n1 add eth7 drop
fails_as "no such rule" 1 'n1: .*r9' n1 del r9
fails_as "no such verb" 1 'n1: frobnicate' n1 frobnicate
fails_as "a program the kernel rejects" 1 'n1: bpf: ' n1 add eth0 drop bpf="1,255 0 0 0"
done_as "nothing has changed" "seed 12" n1 list

# ---- requests as long as they may be, replies of many packets ----

# as the guest gets it, but for the filter's text
request="fault add eth0 drop id=long match= bpf='1,6 0 0 1'"
pad=$(printf '%*s' $((511 - ${#request})) '' | tr ' ' x)
done_as "a request of 511 bytes" long n1 add eth0 drop id=long match="$pad" bpf="1,6 0 0 1"
fault n1 list
like "... arrives whole" "$out" "match=\"$pad\" bpf=\"1,6 0 0 1\" id=long"
fails_as "one of 512 is not sent" 2 'mconsole-fault: the request has 512 bytes, 1 more' \
	n1 add eth0 drop id=long match="x$pad" bpf="1,6 0 0 1"
fault n1 clear
done_as "a text with both blanks and semicolons" odd \
	n1 add eth0 drop "match=tcp port 22; x" "bpf=1,6 0 0 0" id=odd
done_as "... comes back" $'seed 12\nadd eth0 drop match="tcp port 22; x" bpf="1,6 0 0 0" id=odd' n1 list
fault n1 clear

for i in $(seq 200); do
	"$tool" n1 add eth0 delay time="${i}us" prob="${i}ppm" id="rule-number-$i" >/dev/null || break
done
fault n1 list
is "a list of many packets is complete" "$(wc -l <<<"$out")" 201
is "... in JSON too" "$("$tool" --json n1 list | jq -c 'length, .[200].id, .[200].params.time')" \
	$'201\n"rule-number-200"\n200000'
is "... and for uml_mconsole" "$(uml_mconsole "$(guest_mconsole n1)" fault list 2>/dev/null | grep -c rule-number-)" 200
fault n1 clear

# ---- what list prints is input, for both clients ----

fault n1 add eth0 drop dir=tx "match=icmp or (udp and port 53)" prob=0.5 count=3 id=a
fault n1 add eth0 delay time=10ms jitter=2ms on=a id=b
fault n1 add eth0 corrupt bits=3 offset=14+20 burst=1%,20% at=+1h id=c
fault n1 suspend b
fault n1 list
list=$out
for client in "$tool n1" "uml_mconsole $(guest_mconsole n1) fault"; do
	$tool n1 clear
	while read -r line; do
		# shellcheck disable=SC2086 # the client's name and its arguments
		$client "$line" >/dev/null 2>&1 || diag "$client $line: $?"
	done <<<"$list"
	fault n1 list
	is "lines of list pasted to ${client%% *} make the same rules" "$out" "$list"
done
fault n1 clear
is "the stock client adds a rule from words" \
	"$(uml_mconsole "$(guest_mconsole n1)" fault add eth0 drop prob=30% dir=rx 2>/dev/null | grep -o 'r[0-9]*$')" \
	"$("$tool" --json n1 list | jq -r '.[1].id')"
fault n1 clear

# ---- match, wait, expect, events ----

done_as "match= is compiled" icmp n1 add eth0 drop dir=tx match="icmp and dst host 10.0.0.2" id=icmp
fails_as "expect, before" 4 'n1: icmp fired>=1: saw .* fired=0' n1 expect icmp 'fired>=1'
"$tool" --timeout 20 n1 wait icmp 'fired>=3' &
waiter=$!
check_fails "pings are lost" guest_exec n1 "$ping"
status=0
wait "$waiter" || status=$?
is "wait saw it" "$status" 0
done_as "expect, after" "" n1 expect icmp 'fired>=3' 'bytes==294'
fails_as "wait gives up" 4 'n1: icmp fired>=1000: saw ' --timeout 300ms n1 wait icmp 'fired>=1000'
# An ARP request for an address nobody has is a frame the program does not want.
guest_exec n1 'ping -c 1 -W 1 10.0.0.99' >/dev/null
is "a program lets the rest through" \
	"$("$tool" --json n1 stats | jq -c '.[0] | [.evaluated > .matched, .matched == .fired, .first_ns > 0]')" \
	'[true,true,true]'
is "events say what was done" \
	"$("$tool" --json n1 events | jq -c '[.[] | select(.rule == "icmp") | [.device, .action]] | unique')" '[["eth0","drop"]]'

last=$("$tool" --json n1 events | jq '[.[].seq] | max')
"$tool" n1,n2 events since="$last" --follow >"$WORK/follow" &
follower=$!
guest_exec n1 "$ping" >/dev/null
sleep 0.5
kill -INT "$follower"
status=0
wait "$follower" || status=$?
is "events --follow ends well" "$status" 0
is "... and has each new record once" "$(sed 's/ time=.*//' "$WORK/follow")" \
	"$(for i in 1 2 3; do echo "n1: seq=$((last + i))"; done)"
done_as "clear on both" "" n1,n2 clear
check "pings arrive again" guest_exec n1 "$ping"

# ---- one of several guests ----

fault n2 add eth0 drop id=odd

fails_as "one guest refuses" 1 'n1: .*odd' n1,n2 del odd
done_as "... the other did it" $'n1: seed 12\nn2: seed 4711' n1,n2 list

# ---- a guest that is gone ----

guest_kill9 n2
fails_as "a killed guest is not reachable" 3 'n2: dead' n2 list
fault n1,n2 list
is "... the other is" "$status: $out" "3: n1: seed 12"
guest_stop n1
fails_as "a guest that was powered off is not there" 3 'n1: no such guest' n1 list

done_testing
