#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two guests, one null modem: bytes both ways, control lines crossed, carrier that comes and goes with the other end.

. "$(dirname "$0")/../lib/tty.sh"

command -v uml_mconsole >/dev/null || skip_all "there is no uml_mconsole; package uml-utilities"
tty_start t1 t2

# ---- bytes ----

behind t2 ttyS0 raw 115200 check 5000 5000 icount
probe t1 ttyS0 raw 115200 sleep 200 fill 5000 drain icount
is "t1 counts what it sends" "$(value tx)" 5000
outcome t2 ttyS0
says "5000 bytes come as they were sent" "check came=5000 bad=0 "
is "t2 counts what it receives" "$(value rx)" 5000
says "... without an error" "frame=0 overrun=0 parity=0 brk=0 buf=0"

behind t1 ttyS0 raw 115200 check 5000 5000
probe t2 ttyS0 raw 115200 sleep 200 fill 5000 drain
outcome t1 ttyS0
says "and the other way" "check came=5000 bad=0 "

behind t2 ttyS0 raw 115200 echo 2000
probe t1 ttyS0 raw 115200 sleep 200 ping 100 1000
says "there and back, a byte at a time" "ping us min="
outcome t2 ttyS0

# ---- control lines ----

probe t1 ttyS0 lines
is "nobody has t2's line open: no line is on" "$out" "lines rts dtr"
behind t2 ttyS0 raw 9600 sleep 3000
sleep 1
probe t1 ttyS0 raw 9600 lines
is "an open line has RTS and DTR on: CTS, DSR and DCD" "$out" "lines rts dtr cts dsr cd"
outcome t2 ttyS0

behind t2 ttyS0 raw 9600 clear rts sleep 1500 set rts clear dtr sleep 1500 lines
sleep 0.7
probe t1 ttyS0 raw 9600 lines
is "RTS goes to CTS" "$out" "lines rts dtr dsr cd"
sleep 1.5
probe t1 ttyS0 raw 9600 lines
is "DTR goes to DSR and DCD" "$out" "lines rts dtr cts"
outcome t2 ttyS0

# ---- waiting for them ----

behind t1 ttyS0 raw 9600 miwait cd,dsr 5000 icount
probe t2 ttyS0 raw 9600 sleep 500
outcome t1 ttyS0
says "TIOCMIWAIT sees the carrier come" "miwait [0-9]+ ms"
check "... and TIOCGICOUNT counts it" test "$(value dcd)" -ge 1

# ---- a break ----

behind t2 ttyS0 raw 9600 mode parmrk read 6 1500 icount
probe t1 ttyS0 raw 9600 sleep 200 write a break 20 write b drain
outcome t2 ttyS0
says "a break comes in its place" "read 61ff000062"
says "... and is counted" "brk=1 "

# ---- the other guest dies, comes back ----

behind t2 ttyS0 raw 9600 sleep 60000
sleep 0.3
behind t1 ttyS0 raw 9600 lines miwait cd 10000 lines miwait cd 60000 sleep 200 lines
sleep 0.5
start=$(date +%s%N)
guest_kill9 t2
check "a killed guest is noticed" until_true 5 guest_exec t1 'grep -q "^miwait" /tmp/ttyS0.out'
diag "after $((($(date +%s%N) - start) / 1000000)) ms"
tty_boot t2
guest_wait_ready t2 || exit 1
behind t2 ttyS0 raw 9600 sleep 3000
outcome t1 ttyS0
says "the carrier went and came back" $'lines rts dtr cts dsr cd\nmiwait [0-9]+ ms\nlines rts dtr\nmiwait [0-9]+ ms\nlines rts dtr cts dsr cd'
outcome t2 ttyS0
behind t2 ttyS0 raw 115200 check 300 3000
probe t1 ttyS0 raw 115200 sleep 200 fill 300 drain
outcome t2 ttyS0
says "and bytes move again" "check came=300 bad=0 "

# ---- hangup ----

guest_exec t1 'stty -F /dev/ttyS0 -clocal'
behind t2 ttyS0 raw 9600 sleep 1500
sleep 0.5
guest_exec t1 '(cat /dev/ttyS0 >/dev/null; echo hung up >/tmp/cat.out) >/dev/null 2>&1 &'
outcome t2 ttyS0
check "a lost carrier hangs up" until_true 5 guest_exec t1 'grep -q hung /tmp/cat.out'
guest_exec t1 'stty -F /dev/ttyS0 clocal'

# ---- hot plug, and what is refused ----

like "config says how it stands" "$(mconsole t1 'config ttyS0')" "OK +link,.*end [01], connected to t2/ttyS0"
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
behind t2 ttyS0 raw 115200 check 300 3000
probe t1 ttyS0 raw 115200 sleep 300 fill 300 drain
outcome t2 ttyS0
says "and carries bytes" "check came=300 bad=0 "

guest_stop t1
guest_stop t2
check_fails "the last one out leaves no file" test -e "$WORK/cable"
done_testing
