#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What nobody should do to a line: a third guest on a cable, an end that writes what it likes, another build's link,
# garbage and storms from the host, a reader that goes away without having read, settings that cannot be.

. "$(dirname "$0")/../lib/tty.sh"

command -v python3 >/dev/null || skip_all "there is no python3"
command -v uml_mconsole >/dev/null || skip_all "there is no uml_mconsole; package uml-utilities"
fuzz=$LIB/link-fuzz
"$fuzz" "$WORK/other" old
tty_start t1 t2
tty_boot t3 ttyS1=pty "ttyS2=unix,$WORK/sock" "ttyS3=link,$WORK/fast,pace=off" "ttyS4=link,$WORK/fast,pace=off" \
	"ttyS0=$CABLE"
guest_wait_ready t3 || exit 1

# ---- who may not be an end ----

check "a third guest is told who has the cable" \
	grep -Eq "umf: ttyS0: $WORK/cable has two ends and both are taken, by t[12]/ttyS0 and t[12]/ttyS0" "$(guest_log t3)"
check_fails "... and has no line" guest_exec t3 'test -e /dev/ttyS0'
# has_carrier <guest> <line>: it knows that the other end is open. Who was hung up while it was shaken may be looped back.
has_carrier()
{
	probe "$1" "$2" clear loop lines
	[[ " $out " == *" cd "* ]]
}

# exchange <from> <line> <to> <line>
exchange()
{
	local sent

	behind "$3" "$4" raw 115200 clear loop ready check 500 20000
	until_true 10 has_carrier "$1" "$2"
	probe "$1" "$2" raw 115200 clear loop fill 500 drain lines
	sent=$out
	finish "$3" "$4"
	echo "sender: $sent"$'\n'"receiver: $out"
	[[ $out == *"check came=500 bad=0 "* ]]
}
check "... and the two ends have not felt it" exchange t1 ttyS0 t2 ttyS0

# refused <description> <line=…> <regex>
refused()
{
	like "$1" "$(mconsole t3 "config $2")" "ERR .*$3"
}
refused "another build's link is refused by its version" "ttyS5=link,$WORK/other" \
	"$WORK/other/link is from an incompatible build \(version 101, this one is 4\)"
mkdir -m 777 "$WORK/open"
chmod 777 "$WORK/open"
refused "a folder that others can write" "ttyS5=link,$WORK/open" "can be written by other users \(mode 777\); chmod 700 it"
: >"$WORK/file"
refused "a file in the folder's place" "ttyS5=link,$WORK/file" "cannot (make|open) the folder $WORK/file"
mkdir -m 700 "$WORK/dirlink" "$WORK/symlink"
mkdir "$WORK/dirlink/link"
ln -s /etc/passwd "$WORK/symlink/link"
refused "a folder in the link's place" "ttyS5=link,$WORK/dirlink" "cannot make $WORK/dirlink/link"
refused "a symbolic link in its place" "ttyS5=link,$WORK/symlink" "cannot make $WORK/symlink/link"
refused "no path" "ttyS5=link," "must be link,<path>"
refused "a port beyond all" "ttyS5=tcp,65536" "'65536' is no port: tcp,<1-65535>"
refused "a negative descriptor" "ttyS5=fd:-1" "'-1' is no descriptor"
refused "a descriptor that is a word" "ttyS5=fd:one" "'one' is no descriptor"
refused "a path too long for a socket" "ttyS5=unix,$WORK/$(printf 'x%.0s' $(seq 120))" "cannot listen on unix"
: >"$WORK/precious"
refused "a socket in a file's place" "ttyS5=unix,$WORK/precious" "cannot listen on unix $WORK/precious"
check "... which is still there" test -f "$WORK/precious"
refused "a line of no number" "ttySx=null" "."
refused "pace= in front" "ttyS5=pace=off,null" "is none of link"
is "none of that left a line" "$(guest_exec t3 'echo /dev/ttyS*')" "/dev/ttyS1 /dev/ttyS2 /dev/ttyS3 /dev/ttyS4"

# ---- settings that cannot be ----

probe t3 ttyS3 raw 9600 speed 4294967295 speed 4000001 speed 1 speed 50 speed 9600
like "speeds out of range come to what the line can" "$(paste -sd ' ' <<<"$out")" \
	"^speed [0-9]+ speed [0-9]+ speed [0-9]+ speed 50 speed 9600$"
behind t3 ttyS3 raw 9600 ready sleep 60000 speed 0 sleep 60000 speed 9600 sleep 60000
lines_are "an open line" t3 ttyS4 "lines rts dtr cts dsr cd"
nudge t3 ttyS3
lines_are "speed 0 hangs up: no DTR, no RTS" t3 ttyS4 "lines rts dtr"
nudge t3 ttyS3
lines_are "... until it has a speed again" t3 ttyS4 "lines rts dtr cts dsr cd"
quit t3 ttyS3
behind t3 ttyS4 shake 1500 2
probe t3 ttyS3 shake 1500 1
says "random settings, lines, breaks and ioctls at both ends" "shaken [0-9]+ times"
outcome t3 ttyS4
says "..." "shaken [0-9]+ times"
check "... and then bytes move" exchange t3 ttyS3 t3 ttyS4

# ---- readers ----

# One who goes away with the line full: the next one is not left waiting.
behind t3 ttyS4 raw 115200 ready sleep 60000
behind t3 ttyS3 raw 115200 ready fill 4000000 drain
check_fails "nobody reads: the writer waits" guest_exec t3 'sleep 0.4; test -e /tmp/ttyS3.done'
quit t3 ttyS4
check "a reader that leaves without reading: its bytes are lost, the writer goes on" \
	until_true 20 guest_exec t3 'test -e /tmp/ttyS3.done'
quit t3 ttyS3
check "... and bytes move" exchange t3 ttyS3 t3 ttyS4
behind t3 ttyS1 raw 4000000 ready fill 4000000
check_fails "nobody reads a pty: the writer waits" guest_exec t3 'sleep 0.4; test -e /tmp/ttyS1.done'
check "the line can be unplugged under it" timeout 20 uml_mconsole "$(guest_mconsole t3)" 'remove ttyS1'
outcome t3 ttyS1
check_fails "... and is gone" guest_exec t3 'test -e /dev/ttyS1'
like "... and comes back" "$(mconsole t3 "config ttyS1=pty,pace=off")" "OK"

# ---- garbage from the host ----

pts=$(mconsole t3 'config ttyS1' | grep -o '/dev/pts/[0-9]*')
guest_exec t3 '(stty -F /dev/ttyS1 sane; cat /dev/ttyS1; echo $? >/tmp/cat1) >/dev/null 2>&1 &
	(stty -F /dev/ttyS2 sane; while :; do cat /dev/ttyS2; sleep 0.02; done) >/dev/null 2>&1 & echo $! >/tmp/cat2'
timeout 3 cat "$pts" >/dev/null &
reader=$!
timeout 2 sh -c 'cat /dev/urandom >"$1"' sh "$pts" &
writer=$!
# Clients that send garbage, read or not, and leave in the middle, or at once.
python3 - "$WORK/sock" <<'PY' &
import os, random, socket, sys, time
r, end, n = random.Random(1), time.time() + 2, 0
while time.time() < end:
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.settimeout(0.05)
    try:
        for _ in range(r.randrange(5)):
            s.sendall(os.urandom(r.randrange(1, 20000)))
            if r.random() < 0.5:
                s.recv(4096)
    except OSError:
        pass
    s.close()
    n += 1
PY
clients=$!
wait "$reader" "$writer" "$clients"
check "garbage on a pty and on a socket: the guest lives" guest_exec t3 true
guest_exec t3 'kill $(cat /tmp/cat2); pkill cat' >/dev/null
check "the socket still takes a client" until_true 10 python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])' "$WORK/sock"
lines_are "... and knows that it left" t3 ttyS2 "lines rts dtr"

# ---- an end that is not one of ours ----

guest_kill9 t2
check "an end that leaves and counts its gen back" "$fuzz" "$WORK/cable" back
tty_boot t2
guest_wait_ready t2 || exit 1
check "... whose place an honest one takes" exchange t1 ttyS0 t2 ttyS0
guest_kill9 t2
for what in own all; do
	behind t1 ttyS0 shake 2500 3
	check "an end that writes what it likes ($what)" "$fuzz" "$WORK/cable" 2.5 1 "$what"
	outcome t1 ttyS0
	says "... and the guest lives" "shaken [0-9]+ times"
	if [ "$what" = all ]; then
		# t1's own words in the shared memory are gone
		check "unplugged and plugged in again" timeout 20 uml_mconsole "$(guest_mconsole t1)" 'remove ttyS0'
		mconsole t1 "config ttyS0=$CABLE" >/dev/null
	fi
	tty_boot t2
	guest_wait_ready t2 || exit 1
	check "... and an honest end is served" exchange t1 ttyS0 t2 ttyS0
	check "... both ways" exchange t2 ttyS0 t1 ttyS0
	guest_stop t2
done
done_testing
