#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two guests, one null modem: bytes both ways, control lines crossed, carrier that comes and goes with the other end.

. "$(dirname "$0")/../lib/tty.sh"

command -v uml_mconsole >/dev/null || skip_all "there is no uml_mconsole; package uml-utilities"
tty_start t1 t2

all="lines rts dtr cts dsr cd"
none="lines rts dtr"

# ---- bytes ----

behind t2 ttyS0 raw 115200 ready check 5000 20000 icount
probe t1 ttyS0 raw 115200 fill 5000 drain icount
is "t1 counts what it sends" "$(value tx)" 5000
outcome t2 ttyS0
says "5000 bytes come as they were sent" "check came=5000 bad=0 "
is "t2 counts what it receives" "$(value rx)" 5000
says "... without an error" "frame=0 overrun=0 parity=0 brk=0 buf=0"

behind t1 ttyS0 raw 115200 ready check 5000 20000
probe t2 ttyS0 raw 115200 fill 5000 drain
outcome t1 ttyS0
says "and the other way" "check came=5000 bad=0 "

behind t2 ttyS0 raw 115200 ready echo 20000
probe t1 ttyS0 raw 115200 ping 100 10000
says "there and back, a byte at a time" "ping us min="
finish t2 ttyS0

# A line does not wait for a machine that stands still: 8192 symbols are on their way at most, one of which is a mark that
# the speed is another one.
behind t2 ttyS0 raw 921600 ready check 12000 20000 icount
kill -STOP "$(guest_pid t2)"
probe t1 ttyS0 raw 921600 fill 12000 drain
kill -CONT "$(guest_pid t2)"
finish t2 ttyS0
says "a guest that stands still is overrun: what was on its way comes, and a mark" "check came=8192 bad=1 "
check "... and it counts that" test "$(value overrun)" -gt 0

# What was sent is read as it was sent, however long ago that is.
args=()
for _ in {1..20}; do
	args+=(raw 115200 write "$(printf 'a%.0s' {1..64})" drain raw 9600)
done
for way in "t1 t2" "t2 t1"; do
	read -r from to <<<"$way"
	behind "$to" ttyS0 raw 115200 ready read 1280 20000
	kill -STOP "$(guest_pid "$to")"
	probe "$from" ttyS0 "${args[@]}"
	kill -CONT "$(guest_pid "$to")"
	finish "$to" ttyS0
	is "$from has changed its settings 40 times since it sent something: $to reads all 1280 bytes" \
		"$(sed -n 's/^read //p' <<<"$out" | fold -w 2 | grep -c 61)" 1280
done
# ... and a rule that keeps it does not lose that
behind t2 ttyS0 raw 115200 ready read 1 20000
rule t1 ttyS0 hold dir=tx
behind t1 ttyS0 raw 115200 write a sleep 100 raw 9600 ready sleep 60000
fault t1 clear >/dev/null
outcome t2 ttyS0
is "... nor does a rule change how it was sent" "$out" "read 61"
quit t1 ttyS0

# ---- control lines ----

lines_are "nobody has t2's line open: no line is on" t1 ttyS0 "$none"
behind t2 ttyS0 raw 9600 ready sleep 60000 clear rts sleep 60000 set rts clear dtr sleep 60000
lines_are "an open line has RTS and DTR on: CTS, DSR and DCD" t1 ttyS0 "$all"
nudge t2 ttyS0
lines_are "RTS goes to CTS" t1 ttyS0 "lines rts dtr dsr cd"
nudge t2 ttyS0
lines_are "DTR goes to DSR and DCD" t1 ttyS0 "lines rts dtr cts"
quit t2 ttyS0
lines_are "a close takes all of them" t1 ttyS0 "$none"

# ---- waiting for them, each by itself ----

behind t2 ttyS0 raw 9600 clear rts,dtr ready sleep 60000 set rts sleep 60000 set dtr sleep 60000 clear rts sleep 60000
for line in cts dsr cts; do
	behind t1 ttyS0 raw 9600 ready miwait "$line" 20000
	nudge t2 ttyS0
	outcome t1 ttyS0
	says "TIOCMIWAIT sees ${line^^} change" "miwait [0-9]+ ms"
done
quit t2 ttyS0
behind t1 ttyS0 raw 9600 ready miwait cd,dsr 20000 icount
behind t2 ttyS0 raw 9600 ready sleep 60000
outcome t1 ttyS0
says "... and the carrier come with an open" "miwait [0-9]+ ms"
quit t2 ttyS0
lines_are "gone again" t1 ttyS0 "$none"
behind t1 ttyS0 raw 9600 icount ready sleep 60000 icount
behind t2 ttyS0 raw 9600 ready sleep 60000
until_true 10 tty_lines t1 ttyS0 "$all"
quit t2 ttyS0
until_true 10 tty_lines t1 ttyS0 "$none"
finish t1 ttyS0
for line in cts dsr dcd; do
	mapfile -t n < <(sed -n "s/.* $line=\([0-9]*\) .*/\1/p" <<<"$out")
	is "TIOCGICOUNT counts ${line^^}: on and off" "$((n[1] - n[0]))" 2
done
behind t1 ttyS0 raw 9600 ready miwait rng 300
outcome t1 ttyS0
is "TIOCMIWAIT is left by a signal" "$out" "miwait timeout"

# ---- a break ----

behind t2 ttyS0 raw 9600 mode parmrk ready read 6 20000 icount
probe t1 ttyS0 raw 9600 write a drain break 20 write b drain
finish t2 ttyS0
says "a break comes in its place" "read 61ff000062"
says "... and is counted" "brk=1 "
behind t2 ttyS0 raw 9600 ready read 10 60000
probe t1 ttyS0 raw 9600 break on flow stop
probe t1 ttyS0 raw 9600 write b drain
finish t2 ttyS0
says "what one has still to send when it closes, an XOFF too, the next one does not" "read 0062\$"

# ---- the other guest dies, comes back ----

behind t2 ttyS0 raw 9600 ready sleep 60000
lines_are "before" t1 ttyS0 "$all"
behind t1 ttyS0 raw 9600 lines ready miwait cd 20000 lines miwait cd 60000 sleep 200 lines
start=$(date +%s%N)
guest_kill9 t2
check "a killed guest is noticed" until_true 20 said t1 ttyS0 "miwait [0-9]+ ms"
diag "after $((($(date +%s%N) - start) / 1000000)) ms"
tty_boot t2
guest_wait_ready t2 || exit 1
behind t2 ttyS0 raw 9600 ready sleep 60000
outcome t1 ttyS0
says "the carrier went and came back" "$all"$'\nmiwait [0-9]+ ms\n'"$none"$'\nmiwait [0-9]+ ms\n'"$all"
quit t2 ttyS0
behind t2 ttyS0 raw 115200 ready check 300 20000
probe t1 ttyS0 raw 115200 fill 300 drain
outcome t2 ttyS0
says "and bytes move again" "check came=300 bad=0 "

# What it said last is not yet read when it dies.
kill -STOP "$(guest_pid t1)"
probe t2 ttyS0 raw 9600 write x drain
guest_kill9 t2
kill -CONT "$(guest_pid t1)"
check "so is one that is killed before it is heard" until_true 10 config_says t1 ttyS0 "OK +link,.*nobody on the other end"
tty_start t2
check "... and comes back" until_true 10 config_says t1 ttyS0 "OK +link,.*connected to t2/ttyS0"

# ---- hangup ----

behind t2 ttyS0 raw 9600 ready sleep 60000
lines_are "carrier" t1 ttyS0 "$all"
guest_exec t1 'stty -F /dev/ttyS0 -clocal
	(exec 0</dev/ttyS0; : >/tmp/hup.up; cat >/dev/null; echo end >/tmp/cat.out) >/dev/null 2>&1 &
	while [ ! -e /tmp/hup.up ]; do usleep 5000; done'
quit t2 ttyS0
check "a lost carrier ends who reads" until_true 20 guest_exec t1 'grep -q end /tmp/cat.out'
guest_exec t1 'rm -f /tmp/opened; (exec 0</dev/ttyS0; : >/tmp/opened) >/dev/null 2>&1 &'
check_fails "without carrier an open waits" guest_exec t1 'sleep 0.3; test -e /tmp/opened'
behind t2 ttyS0 raw 9600 ready sleep 60000
check "... until there is one" until_true 20 guest_exec t1 'test -e /tmp/opened'
guest_exec t1 'stty -F /dev/ttyS0 clocal'

# Who has the line as its terminal is told.
guest_exec t1 "rm -f /tmp/told; setsid sh -c 'trap \"echo SIGHUP >/tmp/told; exit\" HUP
	exec 0</dev/ttyS0; stty -clocal; : >/tmp/owner; while :; do sleep 0.1; done' >/dev/null 2>&1 &
	while [ ! -e /tmp/owner ]; do usleep 5000; done"
quit t2 ttyS0
check "its owner gets SIGHUP" until_true 20 guest_exec t1 'grep -q SIGHUP /tmp/told'
guest_exec t1 'stty -F /dev/ttyS0 clocal' || guest_exec t1 '/t/ttyprobe /dev/ttyS0 raw 9600 mode clocal'

# ---- hot plug, and what is refused ----

check "config says how it stands" until_true 10 config_says t1 ttyS0 "OK +link,.*end [01], connected to t2/ttyS0"
like "a third end is refused, and says who is there" "$(mconsole t1 "config ttyS1=$CABLE")" \
	"ERR .*/cable has two ends and both are taken, by t[12]/ttyS0 and t[12]/ttyS0"
like "a line that is there is refused" "$(mconsole t1 "config ttyS0=null")" "ERR .*is configured already"
like "an unknown transport names those there are" "$(mconsole t1 "config ttyS1=carrier,pigeon")" \
	"ERR .*'carrier,pigeon' is none of link,<path> pty"
like "a missing path is named" "$(mconsole t1 "config ttyS1=link")" "ERR .*'link' must be link,<path>"
like "so is a bad pace" "$(mconsole t1 "config ttyS1=null,pace=fast")" "ERR .*'pace=fast' is not"
like "a 33rd line is refused" "$(mconsole t1 "config ttyS32=null")" "ERR .*expected ttyS<0-31>"
like "a path that cannot be made is named" "$(mconsole t1 "config ttyS1=link,/proc/no/where")" \
	"ERR .*cannot make the folder /proc/no/where"
mkdir "$WORK/old" && head -c 100 /dev/zero >"$WORK/old/link" && chmod 700 "$WORK/old"
like "another build's link is refused" "$(mconsole t1 "config ttyS1=link,$WORK/old")" \
	"ERR .*is not one of this build"
is "nothing of that left a line" "$(guest_exec t1 'ls /dev/ttyS*')" /dev/ttyS0
mconsole t1 'remove ttyS0' >/dev/null
check_fails "a removed line is gone" guest_exec t1 'test -e /dev/ttyS0'
like "it can be plugged in again" "$(mconsole t1 "config ttyS0=$CABLE")" "OK"
behind t2 ttyS0 raw 115200 ready check 300 20000
probe t1 ttyS0 raw 115200 fill 300 drain
outcome t2 ttyS0
says "and carries bytes" "check came=300 bad=0 "

# What the tty core holds back for one that does not read is of no use to the next.
behind t1 ttyS0 raw 4000000 ready sleep 60000
probe t2 ttyS0 raw 4000000 fill 20000 drain
mconsole t1 'remove ttyS0' >/dev/null
quit t1 ttyS0
like "a line full of what nobody reads is plugged in again" "$(mconsole t1 "config ttyS0=$CABLE")" "OK"
behind t1 ttyS0 raw 4000000 ready read 1 20000
probe t2 ttyS0 raw 4000000 write A drain
outcome t1 ttyS0
says "and what is read is what was sent since" "read 41$"

behind t1 ttyS0 raw 4000000 mode -clocal ready miwait cd 20000 sleep 60000 lines
probe t2 ttyS0 raw 4000000 fill 20000 drain
fault t2 add ttyS0 cut id=cut >/dev/null
until_true 20 said t1 ttyS0 'miwait .*'
guest_exec t1 'usleep 300000'
finish t1 ttyS0
says "a line full of what nobody reads loses its carrier and is hung up" "TIOCMGET: Input/output error"
fault t2 del cut >/dev/null
behind t1 ttyS0 raw 4000000 ready read 1 20000
probe t2 ttyS0 raw 4000000 write B drain
outcome t1 ttyS0
says "... and what is read is what was sent since" "read 42$"

guest_stop t1
guest_stop t2
check_fails "the last one out leaves no file" test -e "$WORK/cable"
done_testing
