#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# Two nodes of a cluster send each other heartbeats over the cable: a cut, one way or both, is noticed within the dead
# time and so is its end; noise costs messages and no peer; a node that dies is seen to die, and to come back.

. "$(dirname "$0")/../lib/tty.sh"

keepalive=200 deadtime=1500
slack=500	# for guests that have to wait for their processor
tty_start t1 t2

# beat <guest>: starts its heartbeat
beat()
{
	guest_exec "$1" "/t/ttybeat /dev/ttyS0 $1 keepalive=$keepalive deadtime=$deadtime >/tmp/beat 2>&1 & echo \$! >/tmp/beat.pid"
}

# the lines it has printed since the last mark
mark()
{
	marks[$1]=$(guest_exec "$1" 'wc -l </tmp/beat')
}
declare -A marks=([t1]=0 [t2]=0)

heard()
{
	guest_exec "$1" "tail -n +$((marks[$1] + 1)) /tmp/beat"
}

has()
{
	heard "$1" | grep -Eq "$2"
}

# noted <description> <guest> <regex>: it prints such a line, or has; $time is when, $silent how long it had heard nothing
noted()
{
	local line

	until_true 30 has "$2" "$3"
	line=$(heard "$2" | grep -E "$3" | head -n 1)
	time=${line%% *}
	silent=$(sed -n 's/.*silent=//p' <<<"$line")
	if [ -n "$line" ]; then
		ok "$1"
	else
		not_ok "$1" "$2 has no '$3':" "$(heard "$2")"
	fi
}

# within <description> <ms> <least> <most>
within()
{
	if [ "${2:-999999}" -ge "$3" ] && [ "${2:-999999}" -le "$4" ]; then
		ok "$1"
	else
		not_ok "$1" "${2:-nothing} ms, not $3 to $4"
	fi
}

# ms of the first fire of t1's rule r, by t1's clock
fired()
{
	awk -F'[= @.]' '{ for (i = 1; i < NF; i++) if ($i == "first") printf "%d", $(i + 1) * 1000 + substr($(i + 2), 1, 3) }' \
		<<<"$(fault t1 stats r)"
}

beat t1
beat t2
noted "t1 sees t2" t1 ' up t2 '
noted "t2 sees t1" t2 ' up t1 '
noted "t1 has the carrier" t1 ' carrier on'

# ---- cut both ways for three seconds: t1's own clock says when ----

mark t1
mark t2
rule t1 ttyS0 cut for=3s
noted "cut: t1 sees the carrier go" t1 ' carrier off'
carrier=$time
noted "... and t2" t2 ' carrier off'
noted "t1 calls t2 dead" t1 ' dead t2 '
died=$time
within "... not before the dead time is over" "$silent" $deadtime $((deadtime + slack))
noted "t2 calls t1 dead" t2 ' dead t1 '
within "... not before the dead time is over" "$silent" $deadtime $((deadtime + slack))
cut=$(fired)
within "the carrier goes with the cut" $((carrier - cut)) 0 $slack
within "death is called within the dead time" $((died - cut)) 1 $((deadtime + slack))
noted "healed: the carrier is back" t1 ' carrier on'
within "... at once" $((time - cut - 3000)) 0 $slack
noted "t2 is back" t1 ' up t2 '
within "... with its next heartbeat" $((time - cut - 3000)) 0 $((keepalive + slack))
noted "t1 is back for t2" t2 ' up t1 '
check_fails "nobody was taken for a new one" has t1 restarted
noted "what was not heard is known by number" t1 ' lost t2 [0-9]+$'
fault t1 clear >/dev/null

# ---- one way: t1 hears nothing, then is not heard ----

for at in "rx t1 t2" "tx t2 t1"; do
	read -r dir deaf fine <<<"$at"
	mark t1
	mark t2
	rule t1 ttyS0 cut dir="$dir"
	noted "cut dir=$dir: $deaf calls $fine dead" "$deaf" " dead $fine "
	within "... after the dead time" "$silent" $deadtime $((deadtime + slack))
	noted "... and has no carrier" "$deaf" ' carrier off'
	check_fails "$fine hears $deaf all the time" has "$fine" "dead|carrier off"
	mark "$deaf"
	fault t1 clear >/dev/null
	noted "healed: $fine is back" "$deaf" " up $fine "
	noted "... the carrier, too" "$deaf" ' carrier on'
done

# ---- shorter than the dead time; noise ----

mark t1
mark t2
rule t1 ttyS0 cut for=800ms
noted "a short cut is noticed by its gap" t1 ' (late|lost) t2 '
fault t1 clear >/dev/null
rule t1 ttyS0 corrupt dir=rx prob=0.1%
noted "noise: messages are lost" t1 ' bad '
fault t1 clear >/dev/null
check_fails "nobody is dead of all that" has t1 ' dead '
check_fails "... nor for the other" has t2 ' dead '

# ---- a node dies, and comes back ----

mark t1
guest_kill9 t2
noted "t2 is killed: no carrier" t1 ' carrier off'
carrier=$time
noted "t2 is dead" t1 ' dead t2 '
within "... within the dead time" $((time - carrier)) 1 $((deadtime + slack))
tty_boot t2
guest_wait_ready t2 || exit 1
marks[t2]=0
mark t1
beat t2
noted "t2 is back" t1 ' up t2 '
noted "... as a new one" t1 ' restarted t2 '
noted "... and sees t1" t2 ' up t1 '
noted "... and there is carrier" t1 ' carrier on'
mark t1
guest_exec t2 'kill $(cat /tmp/beat.pid)'
noted "a heartbeat that only stops is death, too" t1 ' dead t2 '
within "... after the dead time" "$silent" $deadtime $((deadtime + slack))
done_testing
