#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The verb `fault`, which a driver has registered with mconsole, is there for the stock uml_mconsole and for ours; replies
# longer than one datagram arrive whole.

. "$(dirname "$0")/../lib/guest.sh"

tool=$BIN/mconsole-fault
[ -x "$tool" ] || skip_all "there is no $tool; make tools"

guest_start verb eth0=switch,"$WORK/seg"
guest_wait_ready verb || exit 1
socket=$(guest_mconsole verb)

raw()
{
	"$LIB/mconsole-raw" "$socket" "$@"
}

# What uml_mconsole prints of a reply, without its own `OK ` or `ERR `.
stock()
{
	uml_mconsole "$socket" "$@" 2>/dev/null | sed '1s/^\(OK\|ERR\) //'
}

is "devices" "$(raw ':fault devices')" '0 eth0 net rules=0\nnode node rules=0\n'
is "a rule" "$(raw ':fault add eth0 drop prob=30% id=first')" '0 first\n'
like "list shows it" "$(raw ':fault list')" '^0 seed [0-9]+\\nadd eth0 drop prob=30% id=first\\n$'
is "ours shows the same" "$("$tool" verb list | sed 1d)" "add eth0 drop prob=30% id=first"
if command -v uml_mconsole >/dev/null; then
	is "the stock client shows the same" "$(stock fault list | sed '1d;/^$/d')" "add eth0 drop prob=30% id=first"
	stock fault del first >/dev/null
	is "... and deletes it" "$("$tool" verb list | sed 1d)" ""
else
	skip "the stock client shows the same" "uml_mconsole is not installed"
	skip "... and deletes it" "uml_mconsole is not installed"
	raw ':fault del first' >/dev/null
fi
is "a refusal is an error and one line" "$(raw ':fault del first')" "1 no rule first: list shows those there are"
is "... in our client too" "$("$tool" verb del first 2>&1 >/dev/null) $?" "verb: no rule first: list shows those there are 1"
is "the verb alone does nothing" "$(raw ':fault')" "0 "
is "blanks around it neither" "$(raw ':fault   ')" "0 "
is "a tab ends the word" "$(raw $':fault\tdevices')" '0 eth0 net rules=0\nnode node rules=0\n'
is "the old verbs are as they were" "$(raw ':faults')" "1 Unknown command"

# ---- several statements in one request ----

is "statements are parted by ;" "$(raw ':fault add eth0 drop id=a; add eth0 dup id=b')" '0 a\nb\n'
like "the first that fails ends it" "$(raw ':fault add eth0 drop id=c; add eth0 explode; add eth0 drop id=d')" \
	'^1 after c: no action explode: must be one of '
like "... those that were made before it are told" "$(raw ':fault seed 7; add eth0 drop id=d; add eth0 drop; list; del r9')" \
	'^1 after d r[0-9]+: no rule r9: '
is "... and only those" "$(raw ':fault seed 7; del r9')" "1 no rule r9: list shows those there are"
raw ':fault del d; clear' >/dev/null
raw ':fault add eth0 drop id=a; add eth0 drop id=b; add eth0 drop id=c' >/dev/null
is "... what came before it stands" "$("$tool" verb list | sed 1d | sed 's/.*id=//' | paste -sd ' ')" "a b c"
raw ':fault clear' >/dev/null

# ---- /proc/umf/control, whatever pieces its text comes in ----

# 2000 rules are more than one write of cat has; no line ends where a write does
guest_exec verb 'for i in $(seq 2000); do echo "add eth0 drop dir=rx prob=50% every=3 id=rule-number-$i"; done >/tmp/rules' >/dev/null
is "a file that is longer than a write: status" "$(guest_exec verb 'cat /tmp/rules >/proc/umf/control; echo $?')" 0
is "... each rule is what it was" "$(guest_exec verb 'sed -n "s/.* id=//p" /proc/umf/rules | md5sum')" \
	"$(seq -f 'rule-number-%g' 2000 | md5sum)"
raw ':fault clear' >/dev/null
is "in pieces of a page" "$(guest_exec verb 'dd if=/tmp/rules of=/proc/umf/control bs=4096 2>/dev/null; echo $?; wc -l </proc/umf/rules')" \
	$'0\n2001'
raw ':fault clear' >/dev/null
is "a page without an end of line is done when the file is closed" "$(guest_exec verb '
	printf "add eth0 drop%4076sid=page" "" | dd of=/proc/umf/control bs=4096 iflag=fullblock 2>/dev/null
	cat /proc/umf/control; wc -l </proc/umf/rules')" $'page\n2'
raw ':fault clear' >/dev/null
check "a line without an end is done at once" guest_exec verb 'printf "add eth0 drop id=short" >/proc/umf/control'
check_fails "... and refused at once" guest_exec verb 'printf "add eth0 explode" >/proc/umf/control'
check_fails "a byte 0 is refused" guest_exec verb 'printf "add eth0 drop id=x\0del short" >/proc/umf/control'
is "... nothing of it is done" "$(guest_exec verb 'sed -n "s/.* id=//p" /proc/umf/rules')" short
raw ':fault clear' >/dev/null

# ---- long replies ----

# 150 rules of 300 bytes are about 90 datagrams.
long="match='$(printf '%0250d' 0)' bpf='1,6 0 0 1'"
guest_exec verb "for i in \$(seq 150); do echo \"add eth0 drop id=rule-\$i $long\" >/proc/umf/control; done"
wanted=$(seq -f 'rule-%g' 150)
is "a list of $("$tool" verb list | wc -c) bytes is whole" "$("$tool" verb list | sed 1d | sed 's/.*id=//')" "$wanted"
is "... in JSON" "$("$tool" --json verb list | grep -o '"id":"rule-[0-9]*"' | sed 's/.*:"//;s/"$//')" "$wanted"
is "... to a client that reads late" "$(raw ':fault list' | sed 's/\\n/\n/g' | grep -o 'id=rule-[0-9]*$' | sed 's/id=//')" "$wanted"
if command -v uml_mconsole >/dev/null; then
	is "... to the stock client" "$(stock fault list | grep -o 'id=rule-[0-9]*$' | sed 's/id=//')" "$wanted"
else
	skip "... to the stock client" "uml_mconsole is not installed"
fi
is "... the guest sees the same" "$(guest_exec verb 'cat /proc/umf/rules')" "$("$tool" verb list)"
# More packets than a socket's queue has room for, to a client that is stopped meanwhile.
"$tool" --timeout 30 verb list >"$WORK/late" &
late=$!
kill -STOP "$late"
sleep 0.5
kill -CONT "$late"
wait "$late"
is "... to a client that was stopped" "$(sed 1d "$WORK/late" | sed 's/.*id=//')" "$wanted"

"$LIB/mconsole-raw" -n 1 -t 0.01 "$socket" ':fault list' >/dev/null
like "who does not read its reply does not keep the next from its own" "$(raw ':version')" '^0 Linux verb '

# ---- who asks has gone ----

raw ':fault clear' >/dev/null
"$tool" verb seed 11
kill -STOP "$(guest_pid verb)"
status=0
"$tool" --timeout 300ms verb seed 5 2>"$WORK/err" || status=$?
is "a guest that is frozen: status" "$status: $(<"$WORK/err")" "3: verb: no answer in time"
"$tool" --timeout 300ms verb add node poweroff 2>/dev/null
"$tool" --timeout 30 verb list >"$WORK/waits" &
waits=$!
sleep 0.3
kill -CONT "$(guest_pid verb)"
wait "$waits"
is "... when it goes on, what was given up is not done; who waits is answered" "$(<"$WORK/waits")" "seed 11"
like "... its log says so" "$(grep -o 'umf: not done.*' "$(guest_log verb)" | paste -sd '|')" \
	'^umf: not done, as who asked has gone: fault seed 5\|umf: not done, .*: fault add node poweroff$'

like "help" "$(raw ':fault help')" '^0 add <device> <action> .*(\\nactions of a (net|blk|tty|node) device:( [a-z]+)+){4}\\n$'

done_testing
