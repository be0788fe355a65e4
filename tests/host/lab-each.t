#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab exec in several guests at once: whose line is whose, which status it has, how it ends.

. "$(dirname "$0")/../lib/lab.sh"

mkdir shared
cat >t.lab <<E
memory = $GUEST_MEM
append = "$lab_mark share=$WORK/shared:/shared"
guest n1 {}
guest n2 {}
guest n3 {}
E
run lab exec all true
like "all of a lab that is down" "$status: $err" '^125: umf-lab: .*: is down; umf-lab up'
run lab up
is "up: status" "$status: $err" "0: "

# ---- whose line it is ----

run lab exec n1,n3 'hostname; echo "to $(hostname)" >&2'
is "two guests: each line of output has its guest's name" "$status: $(sort <<<"$out")" $'0: n1: n1\nn3: n3'
is "... each line of the errors, apart" "$(sort <<<"$err")" $'n1: to n1\nn3: to n3'
run lab exec all -- echo 'a  b' '$HOME'
is "all: several words stay words" "$status: $(sort <<<"$out")" $'0: n1: a  b $HOME\nn2: a  b $HOME\nn3: a  b $HOME'
run lab exec n1 hostname
is "one guest: no name" "$status: $out$err" "0: n1"
run lab exec n2,n1 'printf "one\n\n"; printf end'
is "an empty line, and one without its end, are lines" "$(sort <<<"$out")" \
	$'n1: \nn1: end\nn1: one\nn2: \nn2: end\nn2: one'
lab exec all 'i=0; c=$(hostname | tr -d n); while [ $i -lt 300 ]; do printf "$c%.0s" 1 2 3 4 5; sleep 0.001; printf "$c%.0s" 6 7 8
	echo; i=$((i + 1)); done' >mixed
is "900 lines that come in pieces: none has another's in it" \
	"$(sort mixed | uniq -c | sed 's/^ *//')" $'300 n1: 11111111\n300 n2: 22222222\n300 n3: 33333333'
lab exec n1,n2 'head -c 300000 /dev/zero | tr "\0" "$(hostname | tr -d n)"; echo' >long
is "... nor have long ones" "$(awk '{ print $1, length($2), $2 ~ /^(1+|2+)$/ }' long | sort)" $'n1: 300000 1\nn2: 300000 1'
lab exec n1,n2 'printf "\000\001status 1\377\n"' >bytes
printf 'n%d: \000\001status 1\377\n' 1 2 >wanted
check "... bytes come as they are" cmp <(LC_ALL=C sort -s -k 1,1 bytes) wanted

# ---- at the same time ----

# each waits for the same word: one after the other they would never end
timeout 60 "$umf_lab" -f "$LAB" --kernel "$LINUX" exec -t 40 n1,n2 \
	'echo waits; until [ -e /tmp/go ]; do sleep 0.05; done; echo went' >both &
pid=$!
check "both run at the same time" until_true 20 grep -qz 'n[12]: waits.n[12]: waits' both
lab exec n1,n2 'touch /tmp/go'
status=0
wait $pid || status=$?
is "... and end" "$status: $(sort both)" $'0: n1: waits\nn1: went\nn2: waits\nn2: went'

# ---- status ----

run lab exec all 'exit $(hostname | tr -d n)'
is "some fail: the highest status, and which they are" "$status: $err" "3: umf-lab: failed in n1 (1), n2 (2), n3 (3)"
run lab exec n3,n2 '[ $(hostname) = n2 ]'
is "... the others are not named" "$status: $err" "1: umf-lab: failed in n3 (1)"
lab kill n2
run lab exec all hostname
is "one has ended: the others run" "$status: $(sort <<<"$out")" $'125: n1: n1\nn3: n3'
is "... it is said" "$err" $'umf-lab: n2: has ended; umf-lab restart n2 starts it\numf-lab: failed in n2 (125)'
run lab exec -t 1 n1,n3 '[ $(hostname) = n1 ] || sleep 100'
is "one is not done in time" "$status: $err" $'124: umf-lab: n3: not done in time\numf-lab: failed in n3 (124)'
for names in 'n1,,' ',n1' n1,n1 n1,n9; do
	run lab exec "$names" 'echo runs'
	like "exec $names: nothing is run" "$status: $out$err" '^2: umf-lab: [n19,]+: (a guest|named twice|no such guest)'
done

# ---- a signal ----

# A guest's command says on the host that it lives: a command that asks for it would end it.
alive()
{
	local n1 n3

	n1=$(<shared/n1)
	n3=$(<shared/n3)
	sleep 0.5
	[ "$n1" != "$(<shared/n1)" ] || [ "$n3" != "$(<shared/n3)" ]
}

ended()
{
	! alive
}

for signal in INT TERM; do
	rm -f shared/n*
	"$umf_lab" -f "$LAB" --kernel "$LINUX" exec n1,n3 \
		'i=0; while :; do i=$((i + 1)); echo $i >/shared/$(hostname); sleep 0.05; done' 2>err &
	pid=$!
	check "a command in two guests" until_true 20 test -s shared/n1 -a -s shared/n3
	check "... runs on" alive
	kill -$signal $pid
	status=0
	wait $pid || status=$?
	is "SIG$signal: it dies of it" "$status: $(<err)" "$((128 + $(kill -l $signal))): "
	check "... the command has ended in all guests" until_true 20 ended
done

lab down
lab_clean n1 n3
done_testing
