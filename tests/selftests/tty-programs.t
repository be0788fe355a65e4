#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What people run on a serial line: lrzsz, whose transfer survives corruption; getty and a login, from the host and from
# the other guest; stty.

# The programs and their libraries are copied into the guest's memory.
[ "${FLAVOR:-default}" = debug ] || : "${GUEST_MEM:=192M}"
. "$(dirname "$0")/../lib/tty.sh"

command -v python3 >/dev/null || skip_all "there is no python3"
command -v uml_mconsole >/dev/null || skip_all "there is no uml_mconsole; package uml-utilities"
tty_programs sz rz
tty_boot t1 "ttyS0=$CABLE" ttyS1=pty || exit 1
tty_boot t2
guest_wait_ready t1 && guest_wait_ready t2 || exit 1
for umid in t1 t2; do
	tty_install "$umid"
	guest_exec "$umid" 'stty -F /dev/ttyS0 230400 raw -echo crtscts clocal'
done

# ---- zmodem ----

# zmodem <bytes>: a file from t1 to t2; what came is what was sent
zmodem()
{
	guest_exec t1 "head -c $1 /dev/urandom >/tmp/file"
	guest_exec t2 'rm -rf /tmp/in; mkdir /tmp/in; cd /tmp/in
		(rz -b -y </dev/ttyS0 >/dev/ttyS0 2>/tmp/rz.log; echo $? >/tmp/rz.status) >/dev/null 2>&1 &'
	guest_exec -t 100 t1 'sz -b /tmp/file </dev/ttyS0 >/dev/ttyS0 2>/tmp/sz.log' || return
	until_true 30 guest_exec t2 'test -e /tmp/rz.status'
	[ "$(guest_exec t1 'md5sum </tmp/file')" = "$(guest_exec t2 'md5sum </tmp/in/file')" ]
}

check "zmodem moves a file" zmodem 60000
rule t2 ttyS0 corrupt dir=rx prob=0.01%
check "... over a line that corrupts" zmodem 60000
n=$(stat_of t2 r fired)
check "... which it did" test "$n" -ge 2
fault t2 clear >/dev/null

# ---- getty ----

guest_exec t1 'for line in ttyS0 ttyS1; do
	(while [ ! -e /tmp/no-getty ]; do getty -L 115200 $line vt100; done) >/dev/null 2>&1 &
done'

# talk <file>: a dialogue on that tty, as a person has it; prints what is asked for
cat >"$WORK/talk" <<'PY'
import os, re, select, sys, termios, time, tty
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
tty.setraw(fd)
seen = ''
def until(pattern):
    global seen
    end = time.time() + 30
    while True:
        m = re.search(pattern, seen)
        if m:
            seen = seen[m.end():]
            return m.group(0)
        if not select.select([fd], [], [], max(0, end - time.time()))[0]:
            print('waited for', repr(pattern), 'saw', repr(seen)); sys.exit(1)
        seen += os.read(fd, 4096).decode('latin1')
def say(text):
    os.write(fd, (text + '\r').encode())
say('')
until('login: ')
say('root')
until('# ')
for command, answer in (('tty', '/dev/ttyS[0-9]'), ('stty', 'speed [0-9]+ baud'), ('echo $((6 * 7))', r'\n42\r')):
    say(command)
    print(until(answer).strip())
say('sleep 100')
until('sleep 100')
time.sleep(0.3)
os.write(fd, b'\3')
until('# ')
print('interrupted')
say('exit')
until('login: ')
print('and out')
PY
pts=$(mconsole t1 'config ttyS1' | grep -o '/dev/pts/[0-9]*')
is "from the host: login, a terminal, ^C, logout" "$(python3 "$WORK/talk" "$pts" | paste -sd ' ')" \
	"/dev/ttyS1 speed 115200 baud 42 interrupted and out"

# From the other guest with microcom, fed with what is typed.
guest_exec t2 'mkfifo /tmp/typed; (exec 3<>/tmp/typed; microcom -s 115200 /dev/ttyS0 <&3 >/tmp/screen 2>&1) >/dev/null 2>&1 &'
screen()
{
	guest_exec t2 "grep -q '$1' /tmp/screen"
}
typed()
{
	guest_exec t2 "printf '%b' '$1\r' >/tmp/typed"
}
typed ''
check "from t2 with microcom: getty asks" until_true 30 screen 't1 login:'
typed root
check "... lets us in" until_true 30 screen '#'
typed 'echo $((6 * 7))'
check "... and does what we say" until_true 30 screen '^42'
typed 'exit'
done_testing
