#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The lab's power switch and the fence agent in a guest that asks for it; and setup scripts.

. "$(dirname "$0")/../lib/lab.sh"

cat >t.lab <<E
seed = 7
memory = $GUEST_MEM
fencing = true
setup = setup.sh
guest n1 {}
guest n2 {}
guest n3 {}
E
cat >setup.sh <<'E'
echo "I am $(hostname)"
echo "it's \ fine" >/tmp/set-up
E

# fence <guest> <arguments of fence_umf>
fence()
{
	lab exec -t 20 "$1" "fence_umf $2"
}

state_of()
{
	lab status --json | jq -r --arg g "$1" '.[] | select(.guest == $g) | .state'
}

pid_of()
{
	lab status --json | jq -r --arg g "$1" '.[] | select(.guest == $g) | .pid'
}

switches()
{
	grep -lsa "^[^ ]*umf-lab.-f.$LAB.*power.serve" /proc/[0-9]*/cmdline | wc -l
}

run lab up
is "up: status" "$status: $err" "0: "
is "... all guests are set up" "$(grep -c ': set up after' <<<"$out")" 3
is "... by the script, byte for byte" "$(lab exec n2 'cat /tmp/set-up')" "it's \\ fine"
is "... whose output is kept" "$(<t.run/n3.setup.log)" "I am n3"
is "... with a power switch" "$(switches)" 1

# ---- the agent ----

check "metadata is XML" xmllint --noout - <<<"$(fence n1 '-o metadata')"
for action in on off reboot status list monitor metadata; do
	check "... and has the action $action" grep -q "<action name=\"$action\"" <<<"$(fence n1 '-o metadata')"
done
is "list" "$(fence n1 '-o list')" $'n1,\nn2,\nn3,'
check "monitor" fence n1 "-o monitor"
run fence n1 "-o status -n n2"
is "status of one that is on" "$status$out$err" 0
check "off" fence n1 "-o off -n n2"
is "... and the guest has ended" "$(state_of n2)" ended
run fence n1 "-o status -n n2"
is "status of one that is off" "$status$out$err" 2
is "list-status" "$(fence n3 '-o list-status')" $'n1,,on\nn2,,off\nn3,,on'
check "off again" fence n1 "-o off -n n2"
check "on, by standard input" lab exec n1 'printf "action=on\nport=n2\nunknown=1\n" | fence_umf'
check "... and the guest comes" lab wait -t 30 n2
check_fails "... without its setup" lab exec n2 'test -e /tmp/set-up'

# as the agents' library takes it
old=$(pid_of n2)
run lab exec n1 'printf "plug=n2\naction=status" | fence_umf'
is "standard input without a last newline: status is asked" "$status: $err" "0: "
run lab exec n1 'printf "  plug = \"n2\"  \r\n# a comment\naction='"'status'"'\n" | fence_umf'
is "... blanks and quotes around it" "$status: $err" "0: "
for words in "--action status --plug n2" "-ostatus -nn2" "-o status --plug=n2" "--action=STATUS -n n2" "-vostatus -n n2" "-v -o status -n n2"; do
	run fence n1 "$words"
	is "$words" "$status" 0
done
is "... -v says what is asked and answered" "$err" $'fence_umf: ask status n2\nfence_umf: answer ok n2=on'
for words in -V --version; do
	like "$words" "$(fence n1 "$words")" '^fence_umf [0-9.]+$'
done
like "--help" "$(fence n1 --help)" '^  fence_umf -o <action>.*--version'
for words in "--action" "-n" "-x" "--fly" "status" "--verbose=1" "-vx"; do
	run fence n1 "$words"
	like "refused: $words" "$status: $err" '^1: fence_umf: [^ ]+: (its value is missing|no such option|takes no value)'
done
is "... n2 was let alone" "$(pid_of n2)" "$old"
check "on again" fence n1 "-o on -n n2"
is "... changes nothing" "$(pid_of n2)" "$old"
check "reboot is what is done without an action" fence n3 "--plug=n2"
check "... and the guest is another" test "$(pid_of n2)" != "$old"
lab wait -t 30 n2

run fence n1 "-o off -n n9"
is "a guest that is not there" "$status: $err" "1: fence_umf: n9: no such guest"
run fence n1 "-o explode -n n2"
like "an action that is not there" "$status: $err" '^1: fence_umf: action=explode: must be on, off'
run fence n1 "-o off"
is "no guest" "$status: $err" "1: fence_umf: off: plug= is missing: which guest?"
run fence n1 "-o off -n 'n2 n3'"
is "a guest's name with more in it" "$status: $err" "1: fence_umf: plug=n2 n3: is no guest's name"
is "nobody was hurt" "$(state_of n2) $(state_of n3)" "ready ready"

# ---- what is half said ----

lab exec n1 'printf "ask half off n" >/dev/tty8'
check "half a question is nothing" fence n1 "-o list"
lab exec n1 'head -c 20000 /dev/zero | tr "\0" x >/dev/tty8; echo >/dev/tty8'
check "nor does noise" fence n1 "-o monitor"
lab exec n1 'stty -F /dev/tty8 echo cooked; for i in 1 2 3; do echo "answer me off n3" >/dev/tty8; done'
check "answers are no questions" fence n1 "-o status -n n3"

# Two shoot each other while the switch cannot be reached: one of them gets what it wants, the other is off.
switch=$(cut -d ' ' -f 1 "$(lab_live)/power.pid")
kill -STOP "$switch"
lab exec -t 20 n1 'fence_umf -o off -n n2' >/dev/null 2>&1 &
one=$!
lab exec -t 20 n2 'fence_umf -o off -n n1' >/dev/null 2>&1 &
two=$!
check "both have asked" until_true 10 lab exec n1 'test -e /run/fence_umf.lock'
until_true 10 lab exec n2 'test -e /run/fence_umf.lock'
sleep 0.3
kill -CONT "$switch"
wait "$one" "$two"
is "of two that shoot each other, one survives" "$(lab status --json | jq '[.[:2][] | select(.state == "ready")] | length')" 1
check "power on" lab power on
check "... and all are there again" lab wait -t 30
is "power status" "$(lab power status)" $'n1 on\nn2 on\nn3 on'
check "power off" lab power off n3
is "... and it is off" "$(lab power status n3)" "n3 off"
run lab power explode
like "power: a word that is not known" "$status: $err" '^2: umf-lab: power explode: must be on, off or status'
like "the log has who did what" "$(<t.run/power.log)" 'n1: ask .* off n2: ok n2=off'

# ---- the switch is the lab's, not that of a guest that is started ----

like "status shows it" "$(lab status)" "power switch on +process $switch"
is "... in JSON" "$(lab status --json | jq -r '.[].power_switch' | sort -u)" on
run lab -t 0.05s restart --kill n3
like "a restart that fails" "$status: $err" '^1: umf-lab: .*guest n3 is not ready after 0.05 s'
check "... the switch lives" fence n2 "-o status -n n1"
"$umf_lab" -f "$LAB" --kernel "$LINUX" restart --kill n3 >out 2>err &
pid=$!
is_booting()
{
	[ "$(state_of n3)" = booting ]
}
until_true 60 is_booting
kill -TERM "$pid"
wait "$pid"
is "a restart that is interrupted: status" "$?: $(<err)" "143: umf-lab: $LAB: interrupted; what was started is ended"
check "... the switch lives" fence n2 "-o status -n n1"
is "... it is the same" "$(switches) $(cut -d ' ' -f 1 "$(lab_live)/power.pid")" "1 $switch"
kill -KILL "$switch"
until_true 10 test ! -e "/proc/$switch"
like "status shows a switch that is dead" "$(lab status)" 'power switch dead'
is "... in JSON" "$(lab status --json | jq -r '.[].power_switch' | sort -u)" dead
check_fails "... it hears nobody" fence n1 "-t 1 -o off -n n2"
old=$(pid_of n2)
check "restart starts it" lab restart n3
check "... and it answers" fence n1 "-o status -n n2"
check "... those that ran on as well" fence n2 "-o status -n n3"
is "... and it does not do what was asked before" "$(pid_of n2)" "$old"
is "... there is one" "$(switches)" 1
switch=$(cut -d ' ' -f 1 "$(lab_live)/power.pid")

kill -KILL "$switch"
run lab exec n1 'fence_umf -t 2 -o list'
is "a switch that is dead" "$status: $err" "1: fence_umf: the power switch does not answer within 2 s; the lab file needs fencing = true"
check "down" lab down
is "... leaves nothing" "$(lab_processes) $(switches)" "0 0"

# ---- without, and in vain ----

sed -i 's/fencing = true/fencing = maybe/' t.lab
run lab check
is "a value that is not known" "$status: $err" "2: $LAB:3:11: fencing = maybe: must be true or false"
sed -i 's/fencing = maybe/fencing = false/' t.lab
echo 'echo working; sleep 0.1; [ "$(hostname)" != n2 ] || { echo "no way" >&2; exit 3; }' >setup.sh
run lab up
is "a setup that fails: status" "$status" 1
like "... says where" "$err" 't.lab: guest n2: .*/setup.sh has failed; its output is .*/n2.setup.log'
like "... and what it said" "$err" 'n2. no way'
is "... and nothing is left" "$(lab_processes)" 0
echo 'sleep 1000' >setup.sh
run lab up -t 12
is "a setup that does not end: status" "$status" 1
like "... and one line" "$err" 'n1. umf-lab: .*/setup.sh: not done in time'
is "... and nothing is left" "$(lab_processes)" 0
echo : >setup.sh
lab up -q
run fence n1 "-t 2 -o list"
is "a lab without fencing" "$status: $err" "1: fence_umf: the power switch does not answer within 2 s; the lab file needs fencing = true"
is "... has no switch" "$(switches)" 0
lab down
rm setup.sh
run lab check
like "a setup that is not there" "$status: $err" '^2: .*t.lab:4:9: setup.sh: .*/setup.sh: No such file or directory'
lab_clean n1 n2 n3
done_testing
