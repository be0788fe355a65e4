#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A lab in virtual time: time stands unless somebody asks for some, costs next to nothing, and the same lab is the
# same again to the last byte, whatever else the host does.

. "$(dirname "$0")/../lib/lab.sh"

[ "$FLAVOR" != smp ] || skip_all "there is no virtual time on SMP"
cat >t.lab <<E
seed = 7
time = virtual
memory = $GUEST_MEM
segment lan { latency = 1ms }
guest n1 {
	nic eth0 { segment = lan ip = 10.0.0.1/24 mac = "02:00:00:00:00:01" }
	serial ttyS0 { link = hb }
	faults = "eth0 drop dir=rx prob=30% at=100s id=lossy"
}
guest n2 {
	nic eth0 { segment = lan ip = 10.0.0.2/24 mac = "02:00:00:00:00:02" }
	serial ttyS0 { link = hb }
}
E

# seconds <command…>: how long it takes, in wall time
seconds()
{
	local start=$EPOCHREALTIME

	"$@" >/dev/null || return
	awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }'
}

# since <time>: lab time since then
since()
{
	awk -v a="$1" -v b="$(lab time)" 'BEGIN { printf "%.9f", b - a }'
}

# between <a> <number> <b>
between()
{
	awk -v a="$1" -v n="$2" -v b="$3" 'BEGIN { exit !(n != "" && a <= n + 0 && n + 0 <= b) }'
}

# story <folder>: up, a load with losses, a guest that is killed and comes back, down; all that was said is there
story()
{
	mkdir "$1"
	{
		lab up
		lab exec n2 'stty raw -echo </dev/ttyS0; cat </dev/ttyS0 >/tmp/heard & echo listens'
		lab exec n1 'stty raw -echo </dev/ttyS0; for i in 1 2 3; do echo "beat $i" >/dev/ttyS0; sleep 1; done'
		lab exec n1 'cat /proc/uptime; ping -c 20 10.0.0.2; cat /proc/uptime'
		lab time
		lab run-until 100s
		lab exec n2 'cat /tmp/heard'
		lab exec all 'ping -c 10 10.0.0.2; date; od -An -tx1 -N8 /dev/urandom; cat /proc/uptime /proc/interrupts' | sort -s -k 1,1
		lab fault n1 stats
		lab fault n1,n2 events
		lab kill n2
		lab exec n1 'ping -c 3 -W 1 10.0.0.2'
		lab restart n2
		lab exec n1 'ping -c 10 10.0.0.2'
		lab time
		lab events --json
		lab down
	} >"$1/said" 2>&1
	cp t.run/n1.log t.run/n2.log "$1"
	# but for the time of the last line, down's: the last guest is on its way out then, and the host says when it is gone
	sed '$s/^[^ ]* //' t.run/node.log >"$1/node.log"
	lab down --wipe
}

# ---- the same again ----

start=$EPOCHREALTIME
(while :; do :; done) & load=$!
story a
story b
kill "$load"
diag "twice 130 s of two guests took $(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }') s beside a busy loop"
for file in said n1.log n2.log node.log; do
	check "both times the same: $file" cmp a/$file b/$file
	cmp -s a/$file b/$file || diff a/$file b/$file | head -n 10 | sed 's/^/# /'
done
like "20 pings are all answered" "$(<a/said)" '20 packets transmitted, 20 packets received'
trips=$(sed -n '/^20 packets/q; s/.*seq=[1-9][0-9]* .*time=\([0-9.]*\) ms$/\1/p' a/said | cut -c -4 | sort -u | paste -sd ' ')
is "... after twice the latency" "$trips" "2.00"
mapfile -t up < <(sed -n 's/^\([0-9]*\.[0-9]*\) [0-9]*\.[0-9]*$/\1/p' a/said)
check "... and take 19 s, from ${up[0]} to ${up[1]}" between 19 "$(awk -v a="${up[0]}" -v b="${up[1]}" 'BEGIN { print b - a }')" 19.1
like "a rule that begins at 100 s has lost some" "$(grep '^lossy' a/said)" 'fired=[1-9]'
is "the serial link was heard" "$(grep -c '^beat' a/said)" 3
like "a guest that was killed is silent" "$(<a/said)" '3 packets transmitted, 0 packets received'
like "... and answers once it was started again" "$(grep '^10 packets' a/said)" '10 packets transmitted, ([3-9]|10) packets received'
like "node.log has the lab's time" "$(head -n 1 a/node.log)" '^2027-01-01T00:00:00\.000000Z -: up, seed 7'
like "... of what was done" "$(<a/node.log)" '2027-01-01T00:01:5[0-9.]*Z n2: ended by kill'

# ---- time stands, and passes ----

run lab up
is "up: status" "$status: $err" "0: "
like "up says how long it took in the lab" "$out" 'n1: ready after 0\.[0-9]* s'
now=$(lab time)
sleep 0.3	# the host's: that nothing passes meanwhile is what is looked for
is "time stands while nobody asks for some" "$(lab time)" "$now"
like "status says what time it is" "$(lab status)" "time +virtual, ${now:0:5}"
took=$(seconds lab sleep 1000s)
diag "1000 s of two idle guests took $took s"
is "sleep 1000s: it is so much later" "$(since "$now")" 1000.000000000
check "... after a moment" between 0 "$took" 15
check "... for the guests, too" between 1000 "$(lab exec n1 'cut -d " " -f 1 /proc/uptime')" 1001
run lab run-until 1s
like "there is no way back" "$status: $err" '^1: umf-lab: .*: it is 1000\.[0-9]* s already'
lab run-until 1100s
is "run-until" "$(lab time)" 1100.000000000
before=$(lab time)
run lab exec -t 5s n1 'echo begun; sleep 100'
is "exec -t is the lab's time" "$status: $out" "124: begun"
check "... exactly" between 5 "$(since "$before")" 5.2
lab exec n1 true	# ends the one before
before=$(lab time)
lab exec n1 true
check "a command that takes no time takes next to none" between 0 "$(since "$before")" 0.1
lab exec n1 'head -c 300000 /dev/urandom >/tmp/noise; md5sum </tmp/noise' >sum
lab exec n1 'cat /tmp/noise' >noise
is "output is what it is, byte for byte, however long" "$(md5sum <noise)" "$(<sum)"
before=$(lab time)
like "a request to a guest is answered" "$(lab fault n1,n2 list)" 'lossy'
check "... in no time" between 0 "$(since "$before")" 0.001
like "console: what is typed is done" "$(echo 'echo $((6 * 7)); tty' | lab console n1)" $'\n42\r?\n/dev/tty7'

# ---- frozen ----

lab freeze n2
is "freeze" "$(lab status --json | jq -r '.[1].state')" frozen
check_fails "... it is silent" lab exec n1 'ping -c 1 -W 2 10.0.0.2'
run lab exec -t 1 n2 true
like "... takes no command" "$status: $err" '^124: umf-lab: n2: no answer: it is frozen'
lab sleep 100s
lab thaw n2
check "thawed, it goes on" lab exec n1 'ping -c 10 10.0.0.2'
now=$(lab time)
check "... with the lab's time" between "${now%.*}" "$(lab exec n2 'cut -d " " -f 1 /proc/uptime')" "$((${now%.*} + 2))"

# ---- ends ----

lab kill n2
run lab wait ended n2
is "a guest that was killed has ended" "$status: $err" "0: "
run lab exec n2 true
like "... and takes no command" "$status: $err" '^125: umf-lab: n2: has ended'
check "restart" lab restart n2
lab exec n2 'sleep 5; poweroff -f' >/dev/null 2>&1
is "one that ends by itself ends its exec" "$?" 125
like "... and that is in the events, at its time" "$(lab events n2 | tail -n 1)" 'node +ended$'
lab restart n2
calendar=$(cut -d ' ' -f 1 "$(lab_live)/calendar.pid")
kill -9 "$calendar"
none() { [ "$(lab_virtual_guests)" = 0 ]; }
# they are in the live folder, which their command lines do not name
lab_virtual_guests()
{
	local n=0 pid

	for pid in /proc/[0-9]*; do
		[ "$(readlink "$pid/cwd" 2>/dev/null)" != "$(lab_live)" ] || n=$((n + 1))
	done
	echo "$n"
}
check "the calendar killed: the guests end" until_true 10 none
is "... each with one line" "$(grep -hc '^time-travel: the calendar is gone, this guest ends' t.run/n1.log t.run/n2.log | paste -sd ' ')" "1 1"
like "status says so" "$(lab status)" 'calendar +dead: guests end with it'
run lab exec n1 true
like "exec says so" "$status: $(wc -l <<<"$err"): $err" '^1: 1: .*its calendar is gone; umf-lab down ends the lab'
run lab sleep 1s
like "sleep says so" "$status: $(wc -l <<<"$err"): $err" '^1: 1: .*its calendar is gone; umf-lab down ends the lab'
run lab down
is "down" "$status: $err" "0: "
lab_clean n1 n2

# ---- nobody comes back ----

UMF_LAB_HANG=1 lab up -q
run lab exec n1 'while :; do :; done'
like "a program that loops without a system call is said" "$status: $(wc -l <<<"$err"): $err" \
	'^1: 1: .*guest n1 has not come back from its turn after 1 s of CPU time'
like "... by status, too" "$(lab status)" 'calendar +stands for ever: guest n1 has not come back'
run lab fault n1 list
like "... and by mconsole-fault" "$status: $err" "^3: .*stands for ever"
run lab exec -i n1 cat
like "exec -i is refused" "$status: $err" '^2: .*exec -i: input goes through hostfs'
live=$(lab_live)
run lab down
is "... and is taken down" "$status: $err" "0: "
is "nothing runs" "$(lab_virtual_guests)" 0
check_fails "nothing is left" test -e "$live"

# ---- what cannot be ----

# refused <what> <lab file> <pattern>
refused()
{
	printf '%s\n' "$2" >no.lab
	run "$umf_lab" --kernel "$LINUX" check --virtual no.lab
	like "refused: $1" "$status: $(wc -l <<<"$err"): $err" "^2: 1: umf-lab: no.lab: guest n1: .*$3"
}
refused "a terminal" 'guest n1 { serial ttyS0 { transport = pty } }' 'transport = pty of ttyS0: what is behind it lives in real time'
refused "a disk of ubd" 'guest n1 { append = "ubd0=disk" }' 'virtual time has no place for ubd0=disk'
refused "another seed" 'guest n1 { append = "random-seed=3" }' 'the lab says that itself'
refused "a folder of the host" "guest n1 { share = \"$WORK /mnt\" }" 'virtual time has no place for share = .*: hostfs shows'
run "$umf_lab" --kernel "$LINUX" check no.lab
is "in real time it is not" "$status" 0
printf 'segment lan { latency = 2s }\nguest n1 {}\n' >no.lab
run "$umf_lab" --kernel "$LINUX" check no.lab
like "a latency is a time up to 1s" "$status: $err" '^2: .*latency = 2s: must be a time from 1us to 1s'
printf 'time = lunch\nguest n1 {}\n' >no.lab
run "$umf_lab" --kernel "$LINUX" check no.lab
like "time is real or virtual" "$status: $err" '^2: .*time = lunch: must be real or virtual'
done_testing
