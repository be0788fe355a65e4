#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab: two guests come up, are reached, frozen, killed and brought back, and go down; and what fails on the way
# leaves nothing running.

. "$(dirname "$0")/../lib/lab.sh"

cat >t.lab <<E
seed = 7
memory = $GUEST_MEM
segment pub {}
guest n1 {
	nic eth0 { segment = pub ip = 10.0.0.1/24 }
	serial ttyS0 { link = hb }
	disk umfa { image = common.img size = 8M shared = true }
	faults = { "eth0 drop dir=rx every=1000000 id=first",
		"eth0 drop match='icmp and dst host 10.0.0.9' id=nine; add eth0 drop match=udp bpf='1,6 0 0 0'" }
}
guest n2 {
	nic eth0 { segment = pub ip = { "10.0.0.2/24", "[fd00::2]/64" } }
	serial ttyS0 { link = hb }
	disk umfa { image = common.img size = 8M shared = true }
	disk umfb { backing = base.img }
}
E
truncate -s 4M base.img

run lab up
is "up: status" "$status: $err" "0: "
like "... shows who is ready" "$out" $'n1: ready after .*\n?.*'
is "... all of them" "$(grep -c ': ready after' <<<"$out")" 2
is "status" "$(lab status --json | jq -r '.[] | .guest + " " + .state' | tr '\n' ' ')" "n1 ready n2 ready "
if [ ${#guest_cpus[@]} -gt 1 ]; then
	check "guests are on CPUs of their own" test "$(lab status --json | jq '[.[].cpu] | unique | length')" = 2
else
	skip "guests are on CPUs of their own" "there is one CPU"
fi
pid=$(lab status --json | jq '.[0].pid')
is "... all of their threads" "$(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$pid/status")" "$(lab status --json | jq '.[0].cpu')"
run lab up
like "another up" "$status: $(wc -l <<<"$err"): $err" '^1: 1: .*guest n1 runs already'

# ---- the devices ----

check "the segment joins them" lab exec n1 'ping -c 1 -W 5 10.0.0.2'
lab exec n2 'stty raw -echo </dev/ttyS0; exec 3</dev/ttyS0; touch /tmp/open; head -n 1 <&3' >heard &
until_true 10 lab exec n2 'test -e /tmp/open'
lab exec n1 'stty raw -echo </dev/ttyS0; echo heartbeat >/dev/ttyS0'
check "the link joins them" until_true 10 grep -q heartbeat heard
check "a shared disk is shared" lab exec n1 'echo shared | dd of=/dev/umfa conv=fsync,notrunc 2>/dev/null'
is "... with both" "$(lab exec n2 'dd if=/dev/umfa bs=512 count=1 2>/dev/null | head -n 1')" shared
check "what up has made is raw, whatever a guest writes there" lab exec n1 'grep -q "umfa=[^ ]*,raw" /proc/cmdline'
check "a delta" lab exec n2 'echo delta | dd of=/dev/umfb conv=fsync 2>/dev/null'
check "... leaves its backing alone" cmp -n 4194304 base.img /dev/zero
seeds=$(lab fault n1,n2 list | sed -n 's/.*seed //p')
is "each guest has a seed of its own" "$(sort -u <<<"$seeds" | wc -l)" 2
like "the first faults are there" "$(lab fault n1 list)" 'add eth0 drop dir=rx every=1000000 id=first'
lab exec n1 'arp -s 10.0.0.9 02:00:00:00:00:09 && ! ping -c 1 -W 1 10.0.0.9 >/dev/null'
is "... their match= is compiled, and drops what it says" "$(lab fault n1 stats nine | sed 's/.*\(fired=[^ ]*\).*/\1/')" fired=1
like "... bpf= beside it stands" "$(lab fault n1 list)" 'match="udp" bpf="1,6 0 0 0"'
is "env names them to other tools" "$(eval "$(lab env)"; "$BIN/mconsole-fault" n2 list | grep -c seed)" 1

echo "! umf-lab exec n2 'echo told by \$(hostname)'" >line
like "a timeline reaches into guests" "$(lab fault run line)" 'host +\| told by n2$'

# ---- exec ----

run lab exec n1 'echo out; echo err >&2; exit 7'
is "exec: status" "$status" 7
is "... output" "$out" out
is "... errors, apart" "$err" err
run lab exec n1 echo 'a  b' "it's" '$HOME' 'x;y'
is "... several words stay words" "$out" "a  b it's \$HOME x;y"
run lab exec n1 "$(printf 'echo one\necho "back\\\\slash"; echo %s | wc -c' "$(printf 'x%.0s' {1..3000})")"
is "... a long command with newlines" "$out" $'one\nback\\slash\n3001'
lab exec n1 'head -c 200000 /dev/urandom | tee /tmp/noise; md5sum </tmp/noise >&2' 2>sum >noise
is "... any bytes come as they are" "$(md5sum <noise)" "$(<sum)"
lab exec n1 'echo begun; until [ -e /tmp/go ]; do usleep 20000; done; echo went' >went &
until_true 20 grep -q begun went
check "... two at a time" lab exec -t 20 n1 'touch /tmp/go'
check "... and both end" until_true 20 grep -q went went
run lab exec -t 1 n1 'echo begun; echo $$ >/tmp/pid; sleep 100'
is "a command that takes too long: status" "$status" 124
is "... what it said until then is shown" "$out" begun
like "... and one line" "$err" '^umf-lab: n1: not done in time$'
check "... it is ended" until_true 10 lab exec n1 '! kill -0 $(cat /tmp/pid) 2>/dev/null'
"$umf_lab" -f "$LAB" --kernel "$LINUX" exec n1 'echo $$ >/tmp/pid2; sleep 100' 2>err &
pid=$!
check "a command that waits" until_true 10 lab exec n1 'test -s /tmp/pid2'
kill -TERM $pid
wait $pid
is "... ended by a signal: status" "$?: $(<err)" "143: "
check "... the command, too" until_true 10 lab exec n1 '! kill -0 $(cat /tmp/pid2) 2>/dev/null'
like "console: what is typed is done" "$(echo 'echo $((6 * 7)); tty' | lab console n1)" $'\n42\r?\n/dev/tty7'

run lab exec n9 true
like "exec of nobody" "$status: $err" '^2: umf-lab: n9: no such guest in '
run lab freeze n9
like "freeze of nobody" "$status: $err" '^2: umf-lab: n9: no such guest in '

lab exec n1 'printf "\033[6nplain\302\2332J\n" >/dev/console'
check "logs has what a guest said" until_true 10 eval "lab logs n1 | grep -q plain"
is "... without what a terminal would obey" "$(lab logs n1 | grep -ac $'\033\|\302\233')" 0

# ---- frozen, thawed, killed, restarted ----

lab freeze n2
is "a frozen guest" "$(lab status --json | jq -r '.[1].state')" frozen
check_fails "... is silent" lab exec n1 'ping -c 1 -W 1 10.0.0.2'
run lab exec -t 1 n2 'touch /tmp/late'
like "... and takes no command" "$status: $err" '^124: umf-lab: n2: no answer: it is frozen'
lab thaw n2
check "thawed, it goes on" lab exec n1 'ping -c 1 -W 5 10.0.0.2'
check_fails "... and does not do what was given up on" lab exec n2 'test -e /tmp/late'
# What is sent to a frozen guest is kept for it, and with --lose it is lost.
echoed()
{
	lab exec n2 'cat /proc/net/snmp' | awk '$1 != "Icmp:" { next } !h { for (i = 2; i <= NF; i++) if ($i == "InEchos") h = i; next } { print $h }'
}
lab exec n1 'arp -s 10.0.0.2 $(arp -n 10.0.0.2 | grep -o "[0-9a-f:]\{17\}")'
for lose in "" --lose; do
	before=$(echoed)
	# shellcheck disable=SC2086 # one word or none
	check "freeze $lose" lab freeze $lose n2
	run lab exec n1 'ping -c 5 -i 0.05 -W 1 10.0.0.2'
	like "... n2 is silent" "$out" ' 0 packets received'
	check "... thawed, it is reached" lab thaw n2
	lab exec n1 'ping -c 3 -W 5 10.0.0.2' >/dev/null
	is "... what was sent to it meanwhile${lose:+ is lost}" "$(($(echoed) - before - 3))" "$([ -n "$lose" ] && echo 0 || echo 5)"
done
lab freeze --lose n2
kill -CONT "$(lab status --json | jq '.[1].pid')"
check "who lets it go on otherwise: it finds itself" until_true 20 lab exec n1 'ping -c 1 -W 1 10.0.0.2'
check "... and says so" until_true 10 grep -q 'somebody wrote to the slot' t.run/n2.log
lab exec n2 'echo running; sleep 100' >killed 2>&1 &
pid=$!
until_true 10 grep -q running killed
lab kill n2
wait $pid
is "a guest that is killed: its exec's status" "$?" 125
like "... says so" "$(<killed)" 'n2: has ended meanwhile'
is "... its state" "$(lab status --json | jq -r '.[1].state')" ended
is "... the other's" "$(lab status --json | jq -r '.[0].state')" ready
for verb in kill freeze thaw; do
	run lab $verb n2
	is "... $verb" "$status: $err" "125: umf-lab: n2: does not run"
done
check "restart brings it back" lab restart n2
is "... its delta as it was" "$(lab exec n2 'head -n 1 /dev/umfb')" delta

# ---- down ----

run lab down
is "down: status" "$status: $err" "0: "
is "... nothing runs" "$(lab_processes)" 0
like "... they powered off" "$(tail -n 3 t.run/n1.log)" 'Power down'
check "... the logs are there" test -s t.run/n2.log
check_fails "... the live folder is not" test -e "$(lab_live)"
lab_clean n1 n2
check "down --wipe" lab down --wipe
check "... leaves nothing" test ! -e t.run
done_testing
