#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The ioctls of a serial line that tty-link.t, tty-pace.t and tty-fault.t leave: TIOCMSET, TIOCGSERIAL and TIOCSSERIAL,
# breaks, queues, TCFLSH, TCXONC, TIOCEXCL, any speed; those a line has no use for.

. "$(dirname "$0")/../lib/tty.sh"

tty_boot t1 "ttyS1=$CABLE" ttyS31=null
guest_wait_ready t1 || exit 1

# ---- control lines ----

behind t1 ttyS1 raw 9600 put rts ready sleep 60000 put dtr sleep 60000 put rts,dtr sleep 60000 put '' lines sleep 60000
lines_are "TIOCMSET sets RTS, and takes DTR away" t1 ttyS0 "lines rts dtr cts"
nudge t1 ttyS1
lines_are "... the other way round" t1 ttyS0 "lines rts dtr dsr cd"
nudge t1 ttyS1
lines_are "... both" t1 ttyS0 "lines rts dtr cts dsr cd"
nudge t1 ttyS1
lines_are "... none" t1 ttyS0 "lines rts dtr"
finish t1 ttyS1
is "... which TIOCMGET tells" "$out" "lines"

# ---- the port ----

probe t1 ttyS0 serial
is "TIOCGSERIAL" "$out" "serial type=4 line=0 irq=0 baud_base=4000000 fifo=16"
probe t1 ttyS31 serial
is "... of the last line" "$out" "serial type=4 line=31 irq=0 baud_base=4000000 fifo=16"
probe t1 ttyS0 setserial low_latency serial setserial -low_latency serial
is "TIOCSSERIAL sets what can be set" "$out" "serial type=4 line=0 irq=0 baud_base=4000000 fifo=16 low_latency
serial type=4 line=0 irq=0 baud_base=4000000 fifo=16"
probe t1 ttyS0 setserial type=1 setserial fifo=1 setserial baud_base=1 serial
is "... and refuses another chip" "$out" "setserial type=1: Invalid argument
setserial fifo=1: Invalid argument
setserial baud_base=1: Invalid argument
serial type=4 line=0 irq=0 baud_base=4000000 fifo=16"

# ---- breaks ----

behind t1 ttyS1 raw 9600 mode parmrk ready read 6 20000 icount
probe t1 ttyS0 raw 9600 write a drain break posix write b drain
finish t1 ttyS1
says "tcsendbreak" "read 61ff000062"
says "... is counted" "brk=1 "

# ---- queues ----

probe t1 ttyS0 raw 1200 queues fill 60 queues drain queues
mapfile -t n < <(sed -n 's/.* out=//p' <<<"$out")
check "TIOCOUTQ: what has still to be sent (${n[*]})" \
	test "${n[0]}" -eq 0 -a "${n[1]}" -gt 30 -a "${n[1]}" -le 60 -a "${n[2]}" -eq 0

# queue: what came is not read
queued()
{
	behind t1 ttyS1 raw 115200 queues ready sleep 60000 queues "$@"
	probe t1 ttyS0 raw 115200 write hello drain sleep 50
	finish t1 ttyS1
}
queued read 5 20000 queues
is "TIOCINQ: what came and was not read" "$(paste -sd ' ' <<<"$out")" \
	"queues in=0 out=0 queues in=5 out=0 read 68656c6c6f queues in=0 out=0"
queued discard in queues read 1 100
is "TCFLSH throws it away" "$(paste -sd ' ' <<<"$out")" "queues in=0 out=0 queues in=5 out=0 queues in=0 out=0 read "
queued discard out queues
is "... only if it is to" "$(tail -n 1 <<<"$out")" "queues in=5 out=0"
behind t1 ttyS1 raw 300 ready check 200 20000
probe t1 ttyS0 raw 300 fill 200 sleep 200 discard out queues
is "what was not sent yet, too" "$(tail -n 1 <<<"$out")" "queues in=0 out=0"
finish t1 ttyS1
# 30 a second
check "... which the other end does not get ($(value came))" test "$(value came)" -ge 2 -a "$(value came)" -le 100
is "... though all it got is right" "$(value bad)" 0

# ---- flow ----

behind t1 ttyS1 raw 115200 ready read 3 20000
behind t1 ttyS0 raw 115200 flow hold write abc ready sleep 60000 flow go drain
check_fails "TCOOFF: nothing is sent" guest_exec t1 'sleep 0.3; grep -q . /tmp/ttyS1.out'
nudge t1 ttyS0
outcome t1 ttyS1
is "... until TCOON" "$out" "read 616263"
outcome t1 ttyS0
behind t1 ttyS1 raw 115200 ready read 2 20000
probe t1 ttyS0 raw 115200 flow stop sleep 50 flow start drain
outcome t1 ttyS1
is "TCIOFF and TCION send XOFF and XON" "$out" "read 1311"

# ---- speed ----

probe t1 ttyS0 raw 9600 speed 12345 speed 250000 speed 4000000 raw 9600
is "any speed that there is" "$(paste -sd ' ' <<<"$out")" "speed 12345 speed 250000 speed 4000000"

# ---- who may open it ----

behind t1 ttyS1 excl ready sleep 60000
guest_exec t1 'chmod 666 /dev/ttyS1; grep -q ^nobody: /etc/passwd || echo nobody:x:99:99::/:/bin/sh >>/etc/passwd'
like "TIOCEXCL: nobody else opens it" "$(guest_exec t1 'su -s /bin/sh nobody -c "/t/ttyprobe /dev/ttyS1 lines"')" "open: .* busy"
finish t1 ttyS1
is "... which TIOCGEXCL tells" "$out" "excl 1"
like "... until it is closed" "$(guest_exec t1 'su -s /bin/sh nobody -c "/t/ttyprobe /dev/ttyS1 lines"')" "^lines"

# ---- none of ours ----

# TIOCSRS485, TIOCGISO7816, a number nobody has
probe t1 ttyS0 ioctl 542f ioctl 80285442 ioctl 54ee
is "what the line cannot do is said so" "$out" "ioctl 542f: Inappropriate ioctl for device
ioctl 80285442: Inappropriate ioctl for device
ioctl 54ee: Inappropriate ioctl for device"

done_testing
