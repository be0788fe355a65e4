#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Lines to the host: pty, unix, tcp, fd, null. Clients come and go, garbage and silence harm nobody.

. "$(dirname "$0")/../lib/tty.sh"

command -v python3 >/dev/null || skip_all "there is no python3"
command -v uml_mconsole >/dev/null || skip_all "there is no uml_mconsole; package uml-utilities"
port=$((20000 + $$ % 20000))
mkfifo "$WORK/in" "$WORK/hold"
exec 7<>"$WORK/in"
tty_boot t1 ttyS0=pty "ttyS1=unix,$WORK/sock,pace=off" ttyS2=tcp,$port ttyS3=null ttyS4=fd:7 ttyS5=fd:99 \
	ttyS6=carrier ttyS0=null ttyS7=tcp,0 "ttyS8=unix,$WORK/no/where" || exit 1
guest_wait_ready t1 || exit 1

# talk <address> <bytes to send> <bytes to wait for>: a client's turn; what it was sent is printed
talk()
{
	python3 - "$@" <<-'PY'
	import socket, sys
	where, text, want = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3])
	if where.startswith('/'):
	    s = socket.socket(socket.AF_UNIX)
	    s.connect(where)
	else:
	    s = socket.create_connection(('127.0.0.1', int(where)))
	s.settimeout(30)
	s.sendall(text)
	got = b''
	try:
	    while len(got) < want:
	        more = s.recv(65536)
	        if not more: break
	        got += more
	except TimeoutError:
	    pass
	sys.stdout.write(got.decode('latin1'))
	PY
}

# follow <address>: clients, each of which comes as the one before it leaves
follow()
{
	python3 - "$1" <<-'PY'
	import socket, sys
	where, n = sys.argv[1], 0
	for i in range(50):
	    if where.startswith('/'):
	        s = socket.socket(socket.AF_UNIX)
	        s.connect(where)
	    else:
	        s = socket.create_connection(('127.0.0.1', int(where)))
	    s.settimeout(30)
	    try:
	        s.sendall(b'x')
	        n += s.recv(1) == b'x'
	    except OSError:
	        pass
	    s.close()
	print(n, 'of 50')
	PY
}

# ---- the log says what was refused ----

refused()
{
	check "$1" grep -q "$2" "$(guest_log t1)"
}
refused "a descriptor that is not open is named" 'umf: ttyS5: fd:99 is not open'
refused "an unknown transport is named" "umf: ttyS6: 'carrier' is none of link,<path> pty"
refused "a line given twice" 'umf: ttyS0: configured twice'
refused "port 0" "umf: ttyS7: '0' is no port"
refused "a socket that cannot be" "umf: ttyS8: cannot listen on unix $WORK/no/where: No such file or directory"
is "the others are there" "$(guest_exec t1 'echo /dev/ttyS*')" "/dev/ttyS0 /dev/ttyS1 /dev/ttyS2 /dev/ttyS3 /dev/ttyS4"

# ---- pty ----

pts=$(mconsole t1 'config ttyS0' | grep -o '/dev/pts/[0-9]*')
check "config tells the name of the pty" test -c "$pts"
behind t1 ttyS0 raw 115200 lines ready read 5 20000
printf 'hello' >"$pts"
outcome t1 ttyS0
is "from the host to the guest" "$(paste -sd ' ' <<<"$out")" "lines rts dtr cts dsr cd read 68656c6c6f"
timeout 20 head -c 5 "$pts" >"$WORK/said" &
reader=$!
probe t1 ttyS0 raw 115200 write world drain
wait "$reader"
is "and back" "$(cat "$WORK/said")" world

# A reader that never reads: the writer waits as for CTS, and the guest goes on.
behind t1 ttyS0 raw 4000000 ready fill 200000
check "with a writer stuck the guest lives" guest_exec t1 'sleep 1'
check_fails "... and the writer is stuck" guest_exec t1 'test -e /tmp/ttyS0.done'
timeout 60 head -c 200000 "$pts" | wc -c >"$WORK/said"
is "a reader at last gets all of it" "$(cat "$WORK/said")" 200000
outcome t1 ttyS0

# ---- unix and tcp ----

for at in "ttyS1 $WORK/sock" "ttyS2 $port"; do
	read -r line where <<<"$at"
	lines_are "$line: no client, no carrier" t1 "$line" "lines rts dtr"
	behind t1 "$line" raw 115200 ready echo 20000
	is "$line: a client is echoed" "$(talk "$where" "hello, line" 11)" "hello, line"
	is "$line: so is the next one" "$(talk "$where" "hello again" 11)" "hello again"
	is "$line: and 50 that follow each other at once" "$(follow "$where")" "50 of 50"
	finish t1 "$line"
	until_true 10 tty_lines t1 "$line" "lines rts dtr"
	behind t1 "$line" raw 115200 ready miwait cd 20000 lines
	python3 -c 'import socket, sys, time
where = sys.argv[1]
s = socket.socket(socket.AF_UNIX) if where.startswith("/") else socket.socket()
s.connect(where if where.startswith("/") else ("127.0.0.1", int(where)))
sys.stdin.read()' "$where" < <(exec cat "$WORK/hold") &
	client=$!
	exec 8>"$WORK/hold"
	until_true 20 said t1 "$line" 'lines .*'
	outcome t1 "$line"
	says "$line: carrier comes with a client" 'lines rts dtr cts dsr cd$'
	behind t1 "$line" raw 115200 ready miwait cd 20000 lines
	exec 8>&-
	wait "$client"
	outcome t1 "$line"
	says "$line: carrier goes with the client" 'lines rts dtr$'
	lines_are "... and stays away" t1 "$line" "lines rts dtr"
done

behind t1 ttyS1 raw 115200 ready check 100000 20000
python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(bytes((i * 167 + i // 256 * 31) & 255 for i in range(100000)))' "$WORK/sock"
outcome t1 ttyS1
says "100000 bytes and an end at once: all come" "check came=100000 bad=0 "

# ---- fd, null ----

behind t1 ttyS4 raw 115200 ready read 3 20000
printf 'abc' >&7
outcome t1 ttyS4
is "fd" "$out" "read 616263"
probe t1 ttyS3 raw 115200 fill 1000 drain lines read 1 100
is "null takes all and says nothing" "$(grep -v drain <<<"$out" | paste -sd ' ')" "lines rts dtr read "

# ---- unplugged in use ----

behind t1 ttyS1 raw 115200 ready read 1 60000
mconsole t1 'remove ttyS1' >/dev/null
outcome t1 ttyS1
is "remove hangs up who reads" "$out" "read "
check_fails "... and the socket is gone" test -e "$WORK/sock"
for _ in $(seq 20); do
	mconsole t1 "config ttyS1=unix,$WORK/sock" >/dev/null
	guest_exec t1 '/t/ttyprobe /dev/ttyS1 raw 9600 sleep 5 &' >/dev/null
	mconsole t1 'remove ttyS1' >/dev/null
done
check_fails "20 times in and out" guest_exec t1 'test -e /dev/ttyS1'
mconsole t1 'remove ttyS4' >/dev/null
mconsole t1 'config ttyS4=fd:7' >/dev/null
behind t1 ttyS4 raw 115200 ready read 3 20000
printf 'def' >&7
outcome t1 ttyS4
is "remove and config: fd is there again" "$out" "read 646566"
like "... for one line at a time" "$(mconsole t1 'config ttyS9=fd:7')" "fd:7 is ttyS4's"
like "the kernel's own descriptors are for no line" "$(mconsole t1 'config ttyS9=fd:6')" \
	"fd:6 is none that a ttyS<n>=fd:<N> of the command line names"
guest_stop t1

# ---- fd: what the kernel was started with, nothing else, also after a reboot, which is an exec of itself ----

mkfifo "$WORK/in2"
exec 6<>"$WORK/in2"
lines=(ttyS0=fd:6)
for n in 5 7 8 9 10 11 12; do
	lines+=("ttyS$n=fd:$n")
done
tty_boot t2 "${lines[@]}" 5<&- 7<&- 8<&- 9<&- 10<&- 11<&- 12<&-
boots=1

has_booted()
{
	[ "$(grep -c 'Linux version' "$(guest_log t2)")" -eq "$1" ]
}

for boot in started rebooted; do
	until_true 60 has_booted $boots
	guest_wait_ready t2 || exit 1
	is "$boot: each that was not given is refused" \
		"$(tac "$(guest_log t2)" | sed '/Linux version/q' | grep -o 'fd:[0-9]* is not open' | tac | paste -sd ' ')" \
		"$(printf 'fd:%d is not open ' 5 7 8 9 10 11 12 | sed 's/ $//')"
	is "$boot: the one that was is a line" "$(guest_exec t2 'echo /dev/ttyS*')" /dev/ttyS0
	behind t2 ttyS0 raw 115200 ready read 3 20000
	printf 'abc' >&6
	outcome t2 ttyS0
	is "$boot: ... and works" "$out" "read 616263"
	boots=$((boots + 1))
	[ $boots -gt 2 ] || fault t2 add node reboot >/dev/null
done
done_testing
