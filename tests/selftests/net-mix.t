#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 1500
# A random mix of all a NIC can do, on all traffic there is: three guests, both directions, rules that come, open, close, are
# suspended and go at any moment. No guest minds, and after `clear` all is as if there had been no rule.
#
#   NET_MIX_SECONDS=600    how long (20)
#   NET_MIX_SEED=7         another mix; the rules and their order come from it, not their moments
#
# Traffic: bulk TCP (segmented by the receiver's side of the segment, if at all), the same in a VLAN, UDP of one frame and
# of many fragments, pings, raw frames to one and to all.

. "$(dirname "$0")/../lib/net.sh"

SECONDS_OF_MIX=${NET_MIX_SECONDS:-20}
SEED=${NET_MIX_SEED:-1}
diag "NET_MIX_SEED=$SEED, $SECONDS_OF_MIX s"
RANDOM=$SEED
log=$WORK/mix.log	# kept with the guests' when something fails

# ---- traffic ----

net_start 1 2 3
for n in 1 2 3; do
	guest_exec n$n "ip link add link eth0 name eth0.5 type vlan id 5 && ip addr add 10.5.0.$n/24 dev eth0.5 && ip link set eth0.5 up &&
		mkfifo /tmp/idle && touch /tmp/mix" || exit 1
	for peer in 1 2 3; do
		[ $peer = $n ] || guest_exec n$n "arp -i eth0.5 -s 10.5.0.$peer $(net_mac $peer)" || exit 1
	done
done

# to <peer>: what a guest sends to another, and takes from it, until /tmp/mix is gone
to()
{
	cat <<E
while [ -e /tmp/mix ]; do timeout 3 nc -l -p 500$2 <>/tmp/idle >/dev/null; done &
while [ -e /tmp/mix ]; do timeout 3 nc -l -p 510$2 <>/tmp/idle >/dev/null; done &
while [ -e /tmp/mix ]; do head -c 3000000 /dev/zero | timeout 3 nc 10.0.0.$2 500$1; usleep 20000; done &
while [ -e /tmp/mix ]; do head -c 1000000 /dev/zero | timeout 3 nc 10.5.0.$2 510$1; usleep 50000; done &
while [ -e /tmp/mix ]; do
	/net/netprobe blast 10.0.0.$2 9 1200 20
	/net/netprobe blast 10.5.0.$2 9 9000 5
	ping -q -A -c 50 -s 100 -w 1 10.0.0.$2
	/net/netprobe send eth0 $(net_mac "$2") 50 200 500
	/net/netprobe send eth0 ff:ff:ff:ff:ff:ff 10 200 500
done &
E
}
# n3 is there for what needs a third: less of it.
pairs=("1 2" "2 1" "1 3" "3 2")
for pair in "${pairs[@]}"; do
	# shellcheck disable=SC2086 # two words
	guest_exec n${pair% *} "exec >/dev/null 2>&1 </dev/null; $(to $pair)"
done

# ---- rules ----

# pick <word>…: one of them, in $it
pick()
{
	shift $((RANDOM % $#))
	it=$1
}

# upto <n>: 1 to n, in $it
upto()
{
	it=$((RANDOM % $1 + 1))
}

# random_rule <guest's number>: in $rule. What ends a link has an end of its own, and soon: the watchdog may find no queue that
# stalls for seconds.
random_rule()
{
	local me=$1 peer=$(($1 % 3 + 1))

	[ $((RANDOM % 2)) = 0 ] || peer=$((peer % 3 + 1))
	pick drop corrupt corrupt dup dup delay delay reorder rate truncate hold hold down stall link partition macflap
	rule=$it
	case $rule in
	corrupt) pick "bits=3" "ber=1e-4" "bits=8 offset=34-60" "bits=2 csum=fix" "" ;;
	dup) pick "" "copies=3" ;;
	delay) pick "time=1ms" "time=4ms jitter=4ms" "time=10ms jitter=3ms dist=normal" "time=5ms jitter=2ms dist=pareto corr=30%" \
		"time=8ms jitter=8ms order=keep" "time=20ms limit=20" ;;
	rate) pick "rate=2Mbit" "rate=20Mbit bucket=20k" "rate=500kB limit=30" "rate=100Mbit" ;;
	truncate) upto 200; it="len=$((it + 13))" ;;
	hold) pick "" "limit=30" "release=reverse" "limit=5 release=reverse" ;;
	link) pick "rate=100Mbit" "rate=1Gbit duplex=half" "duplex=full" ;;
	partition) pick "a=n$me" "a=n$me b=n$peer" "a=n$peer b=n$me oneway=on" "a=n1,n2" ;;
	macflap) pick "peer=$(net_mac "$peer")" "peer=$(net_mac "$peer") time=5ms" ;;
	*) it= ;;
	esac
	rule+=" $it"
	case $rule in
	down* | stall* | link* | partition* | macflap*)
		pick "for=30ms" "for=100ms" "period=50ms duty=20%" "period=7ms duty=50% for=200ms" "at=+20ms for=50ms"
		rule+=" $it"
		return
		;;
	esac
	pick "" "" dir=rx dir=rx dir=tx
	rule+=" $it"
	pick "" "" "" "peer=$(net_mac "$peer")" "match=tcp" "match='udp or icmp'" "match=vlan" "match='ether proto 0x88b5'" "match='greater 2000'"
	rule+=" $it"
	case $rule in
	hold*) pick "for=20ms" "period=20ms duty=50%" "prob=20% for=100ms" "every=7 for=50ms" "at=+10ms for=30ms" "count=50 for=200ms" ;;
	*) pick "prob=10%" "prob=50%" "every=3" "every=2 after=10" "burst=5%,30%" "count=100" "" "prob=30% seed=$RANDOM" ;;
	esac
	rule+=" $it"
	case $rule in
	hold*) return ;;
	esac
	pick "" "" "for=50ms" "period=20ms duty=50%" "period=3ms duty=30%" "at=+10ms for=30ms"
	rule+=" $it"
}

# ask <guest's number> <verb…>: the rules are good, so the answer is; a guest that is gone ends the mix
refused=
ask()
{
	local n=$1 status=0
	shift

	echo "$((SECONDS - began)) n$n $*" >>"$log"
	eval "\"\$net_tool\" n$n $*" >/dev/null 2>>"$log" || status=$?
	[ $status = 0 ] || refused+=" n$n $*: $status;"
	[ $status -lt 3 ]
}

: >"$WORK/waiting"	# "<guest> waits on=<rule> id=<rule>", a line each
began=$SECONDS
asked=0
rules=0
live=(0 "" "" "")	# the rules of each guest

# step: one request, to one of them; fails when that guest is gone
step()
{
	local n id ids on=

	upto 3
	n=$it
	read -ra ids <<<"${live[n]}"
	upto 20
	if [ ${#ids[@]} -ge 8 ] || { [ "$it" -le 4 ] && [ ${#ids[@]} -gt 0 ]; }; then
		pick "${ids[@]}"
		id=$it
		# one that others wait for is not to be had: they go first
		if grep -q "^$n .* on=$id " "$WORK/waiting"; then
			ask "$n" "suspend $id"
			return
		fi
		sed -i "/^$n .* id=$id\$/d" "$WORK/waiting"
		live[n]=" ${ids[*]} "
		live[n]=${live[n]/ $id / }
		ask "$n" "del $id"
		return
	fi
	case $it in
	5 | 6)
		pick "${ids[@]}" all
		ask "$n" "suspend $it"
		;;
	7 | 8)
		ask "$n" "resume all"
		;;
	9)
		live[n]=
		sed -i "/^$n /d" "$WORK/waiting"
		ask "$n" clear
		;;
	10)
		pick list stats events
		ask "$n" "$it"
		;;
	*)
		random_rule "$n"
		if [ ${#ids[@]} -gt 0 ] && [ $((RANDOM % 8)) = 0 ]; then
			pick "${ids[@]}"
			on="on=$it"
		fi
		rules=$((rules + 1))
		[ -z "$on" ] || echo "$n waits $on id=x$rules" >>"$WORK/waiting"
		live[n]+=" x$rules"
		ask "$n" "add eth0 $rule $on id=x$rules"
		;;
	esac
}

while [ $((SECONDS - began)) -lt "$SECONDS_OF_MIX" ]; do
	asked=$((asked + 1))
	step || break
	sleep 0.0$((RANDOM % 4))
done

is "$rules rules in $asked requests are taken" "refused:$refused" "refused:"
alive=
for n in 1 2 3; do
	! guest_alive n$n || alive+="n$n "
done
is "... all guests are alive" "$alive" "n1 n2 n3 "
if [ "$alive" != "n1 n2 n3 " ]; then
	diag "the last of them:" "$(tail -n 20 "$log")"
	done_testing
fi

# ---- as if there had been no rule ----

for n in 1 2 3; do
	fired[n]=$(fault n$n events | sed -n '$s/^seq=\([0-9]*\) .*/\1/p')
	fault n$n clear
	is "n$n: clear" "$(fault n$n list)" "seed 2004"
	check "... its rules have fired (the last record is number ${fired[n]:-0})" test "${fired[n]:-0}" -gt 10
done
for n in 1 2 3; do
	guest_exec n$n 'rm /tmp/mix; killall nc ping timeout netprobe; sleep 1' >/dev/null 2>&1
done
for n in 1 2 3; do
	is "n$n has its carrier and its speed" "$(guest_exec n$n 'cat /sys/class/net/eth0/carrier /sys/class/net/eth0/speed')" $'1\n10000'
	is "... nothing waits in its queue" "$(guest_exec n$n 'cat /sys/class/net/eth0/queues/tx-0/byte_queue_limits/inflight')" 0
done
# A partition is gone when the others have heard of it.
for pair in 12 21 13 31 23 32; do
	n=${pair%?} to=${pair#?}
	check "n$n reaches n$to" until_true 10 icmp "$n" "$to" 1
	frames "$n" "$to" 100
	is "... all frames arrive, each once and in order" "$(seen_numbers)" "$(seq -s ' ' 100)"
	check "... and in the VLAN" guest_exec "n$n" "ping -q -c 5 -i 0.1 -W 5 10.5.0.$to | grep -q ' 5 packets received'"
done
hearing 1 2 3
calls 1 2 3
is "all hear what is for all" "$calls" "1:2,3 2:1,3 3:1,2"
guest_exec n2 '/net/netprobe sink 5200'
check "bulk TCP goes on" guest_exec n1 'timeout 30 /net/netprobe source 10.0.0.2 5200 16'

done_testing
