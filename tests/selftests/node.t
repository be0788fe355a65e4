#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# The device node: its clock, hangs, and the ways in which a guest ends.

. "$(dirname "$0")/../lib/net.sh"

# node <guest> <action> [key=value...]: a rule r
node()
{
	local umid=$1
	shift

	[[ " $* " == *" id="* ]] || set -- "$@" id=r
	fault "$umid" add node "$@" >/dev/null
}

# near <value> <wanted> <by how much>
near()
{
	[ "$1" -ge $(($2 - $3)) ] && [ "$1" -le $(($2 + $3)) ] && return
	echo "$1 is not within $3 of $2"
	return 1
}

# wall_off <guest>: how far its wall clock is from the host's, in seconds
wall_off()
{
	local host
	host=$(date +%s)

	echo $(($(guest_exec "$1" 'date +%s') - host))
}

# clock_of <guest>: its monotonic clock, and the host's wall clock in the middle of that moment, in us
clock_of()
{
	local before text

	before=$(date +%s%N)
	text=$(fault "$1" time) || return
	text=${text#time=}
	echo $((10#${text/./} / 1000)) $(((before + $(date +%s%N)) / 2000))
}

# speed <guest> <seconds>: how far the guest's clock gets in that time, in ppm of the host's
speed()
{
	local -a from to

	read -ra from <<<"$(clock_of "$1")"
	sleep "$2"
	read -ra to <<<"$(clock_of "$1")"
	echo $(((to[0] - from[0]) * 1000000 / (to[1] - from[1])))
}

net_start 1 2

is "it is a device" "$(fault n1 devices | grep node)" "node node rules=0"
like "help knows its actions" "$(fault n1 help)" 'actions of a node device: panic hang reboot poweroff clock'
is "it has nothing to capture" "$(fault n1 capture node "$WORK/x" 2>&1; echo $?)" \
	"n1: node: only network interfaces and serial lines can be captured"$'\n'1

# refused <reason> <words>
refused()
{
	# shellcheck disable=SC2086 # several words
	is "$2" "$(fault n1 add node $2 2>&1)" "n1: $1"
}
refused "clock needs step= or drift=" "clock"
refused "step=5s: must be +T|-T, with its sign" "clock step=5s"
refused "step=+5: a time ends in ns, us, ms, s, m or h" "clock step=+5"
refused "step=: finer than 1 us" "clock step=+1500ns"
refused "drift=+11%: must be from 0.0000001% to 10%" "clock drift=+11%"
fault n1 add node clock drift=+6% id=six >/dev/null
refused "drift=+5%: with the other clock rules +11%, and the clock takes 10% at most" "clock drift=+5%"
refused "drift=+4.0000001%: with the other clock rules +10.0000001%, and the clock takes 10% at most" "clock drift=+4.0000001%"
check "... but for the other way" fault n1 add node clock drift=-10%
net_clear n1
refused "lockup=firm: must be hard|soft" "hang lockup=firm"
refused "count=1: not a key of panic, which takes on at id" "panic count=1"
refused "no action drop: must be one of panic hang reboot poweroff clock" "drop"

# ---- clock ----

off=$(wall_off n1)
node n1 clock step=+1h
check "step: the clock on the wall is an hour ahead" near "$(wall_off n1)" $((off + 3600)) 2
check "... and the monotonic one is not" test "$(fault n1 time | sed 's/time=\(.*\)\..*/\1/')" -lt 3000
node n1 clock step=-40.5m id=b
check "two rules add up" near "$(wall_off n1)" $((off + 1170)) 2
is "they are printed as they are read" "$(fault n1 list node | grep -o 'clock .*')" \
	$'clock step=+3600s id=r\nclock step=-2430s id=b'
fault n1 suspend r
check "suspend takes one back" near "$(wall_off n1)" $((off - 2430)) 2
fault n1 resume r
check "... and resume puts it back" near "$(wall_off n1)" $((off + 1170)) 2
fault n1 del b
check "one that is deleted takes its own part back" near "$(wall_off n1)" $((off + 3600)) 2
net_clear n1
check "clear sets the clock right" near "$(wall_off n1)" "$off" 2
node n1 clock step=+1h for=300ms
check "for=: a clock that jumps" near "$(wall_off n1)" $((off + 3600)) 2
check "... and jumps back" until_true 20 eval 'near "$(wall_off n1)" "$off" 2 >/dev/null'
like "its events are its beginning and its end" "$(events_of n1 r | grep -o 'action=.*' | paste -sd ' ')" \
	'^action=clock .*what="begin" action=clock .*what="end"$'
net_clear n1

before=$(guest_exec n1 'adjtimex')
node n1 clock drift=+5%
check "drift: the clock runs fast" near "$(speed n1 2)" 1050000 10000
net_clear n1
node n1 clock drift=-50010ppm
check "... or slow" near "$(speed n1 2)" 950000 10000
like "... as exactly as it can be set" "$(guest_exec n1 'adjtimex' | tr -s ' \n' ' ')" 'freq.adjust: -655360 .*tick: 9500 '
net_clear n1
is "clear sets its speed right" "$(guest_exec n1 adjtimex | grep -E 'freq|tick')" "$(grep -E 'freq|tick' <<<"$before")"
check "... as one can see" near "$(speed n1 1)" 1000000 10000

# ---- hang ----

# Writes down each pause of a program that is over 300 ms.
guest_exec n1 '(read -r last _ </proc/uptime; while :; do usleep 20000; read -r now _ </proc/uptime
	pause=$(( ${now%.*}${now#*.} - ${last%.*}${last#*.} )); [ $pause -lt 30 ] || echo $pause; last=$now; done) >/tmp/pauses 2>&1 &'

# paused <seconds>: the program stood still for that long; a busy host may make others, shorter ones
paused()
{
	guest_exec n1 'sort -n /tmp/pauses' >"$WORK/pauses"
	near "$(tail -n 1 "$WORK/pauses")" "$1"40 50 && guest_exec n1 ': >/tmp/pauses'
}

guest_exec n2 '(ping -i 0.2 10.0.0.1 | while read -r line; do read -r t _ </proc/uptime; echo "$t $line"; done) >/tmp/pings 2>&1 &'
answers()
{
	guest_exec n2 'grep -c "bytes from" /tmp/pings'
}

n=$(answers)
node n1 hang for=2s
sleep 1.5
during=$(($(answers) - n))
check "hang: no program runs for that long" until_true 30 eval 'paused 2'
check "... no interrupt either: pings are not answered ($during)" test "$during" -le 2
like "... the rule has ended" "$(fault n1 stats r)" 'state=spent .* fired=1 '
check "... the guest goes on" icmp 2 1 3
net_clear n1

n=$(answers)
node n1 hang lockup=soft for=2s
sleep 1.5
during=$(($(answers) - n))
check "a soft lockup: no program runs" until_true 30 eval 'paused 2'
check "... but interrupts do: pings are answered ($during)" test "$during" -ge 5
net_clear n1
fault n1 add eth0 drop match="icmp and host 10.0.0.2" after=2 count=1 id=ping >/dev/null
node n1 hang on=ping for=1s
check "on=: another rule's firing hangs it" until_true 30 eval 'paused 1'
net_clear n1
guest_exec n2 'killall ping'

# A window may be over before anybody has come to hang.
for us in 1 20 30 50 80 100 200; do
	node n1 hang for=${us}us id=h$us
	guest_exec n1 true || break
done
check "one that is over before it is begun does not begin (${us}us)" guest_exec n1 true
net_clear n1

node n1 hang
check_fails "without an end it stays so" guest_exec -t 2 n1 true
# a frame of the peer's may wake it; one that looked without sleeping would use a whole second
ticks() { awk '{ print $14 + $15 }' "/proc/$(guest_pid n1)/stat"; }
a=$(ticks) && sleep 1 && b=$(ticks)
check "... it sleeps on the host" test $((b - a)) -le $(($(getconf CLK_TCK) / 20))
guest_kill9 n1

# ---- the ways out ----

net_boot 3
net_ready 3
is "the reply comes before the panic" "$(fault n3 add node panic id=p)" p
guest_wait n3 30
like "panic: the log names the rule" "$(cat "$(guest_log n3)")" 'Kernel panic - not syncing: umf: rule p'
guest_allow n3 'Kernel panic - not syncing: umf: rule p' "asked for"

fault n2 add eth0 drop match=icmp6 after=1 id=never >/dev/null
fault n2 add eth0 drop peer="$(net_mac 9)" id=seen >/dev/null
node n2 poweroff on=seen
check "a rule that waits for another does nothing" guest_exec n2 true
fault n2 clear
node n2 poweroff at=+300ms
guest_wait n2 30
is "poweroff: the guest has ended well" "$?" 0
check_fails "... and was told nothing" grep 'reboot: Power down' "$(guest_log n2)"
like "... the log names the rule" "$(cat "$(guest_log n2)")" 'umf-node: rule r: poweroff'

net_boot 4
net_ready 4
guest_exec n4 'echo x >/tmp/here'
node n4 reboot
check "reboot: it boots again" until_true 60 eval 'test "$(grep -c "Linux version" "$(guest_log n4)")" = 2'
guest_wait_ready n4
check_fails "... with nothing of before" guest_exec n4 'test -e /tmp/here'
is "... no rule either" "$(fault n4 list)" "seed 2004"
node n4 reboot orderly=on
check "orderly: the guest's own way down" until_true 60 eval 'grep -q "reboot: Restarting system" "$(guest_log n4)"'
check "... and up again" until_true 60 eval 'test "$(grep -c "Linux version" "$(guest_log n4)")" = 3'
guest_wait_ready n4
node n4 poweroff orderly=on
guest_wait n4 30
is "... and off" "$?" 0
like "... by itself" "$(cat "$(guest_log n4)")" 'reboot: Power down'

# ---- virtual time ----

started=$SECONDS
guest_start n5 time-travel=inf-cpu umf="add node hang at=20s for=1000s" -- 'read -r a _ </proc/uptime; sleep 30; read -r b _ </proc/uptime; echo "slept ${a%.*} ${b%.*}"'
guest_wait n5 60
like "under time travel a hang takes its time" "$(cat "$(guest_log n5)")" 'slept [0-9] 10[0-9][0-9]'
check "... and none of the host's" test $((SECONDS - started)) -lt 30

done_testing
