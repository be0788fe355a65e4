#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab events: what happens to a lab's guests is told once, in order, to all who look.

. "$(dirname "$0")/../lib/lab.sh"

cat >t.lab <<E
seed = 7
memory = $GUEST_MEM
fencing = true
segment s {}
guest n1 { nic eth0 { segment = s  ip = 10.0.0.1/24 } }
guest n2 { nic eth0 { segment = s  ip = 10.0.0.2/24 }  disk umfa { size = 24M } }
E

run lab events
like "a lab that was never up" "$status: $err" '^1: umf-lab: .*node.log: .*the lab has not been up'
lab up -q || exit 1

# follow <file> <option>…: a reader until the lab is down
readers=()
follow()
{
	"$umf_lab" -f "$LAB" --kernel "$LINUX" events -f "${@:2}" >"$1" 2>"$1.err" &
	readers+=($!)
}
follow text
follow json --json
follow part --no-kernel n1

# in_text <regex>…: does a line of the text match, within a time?
in_text()
{
	until_true 15 grep -qE "^ *[0-9]+\.[0-9]{6} $1" text
}
# seen_times <n> <regex>
seen_times()
{
	until_true 40 eval "[ \"\$(grep -c '$2' text)\" = $1 ]"
}
both_have()
{
	until_true 15 grep -qE "$1" text && until_true 15 grep -qE "$1" json
}

# ---- what happens ----

check "readers begin with what was before" in_text 'n2 node   ready$'
both_have 'Run /init'
sleep 1
# nothing but what is asked for below leaves it
lab exec n2 'echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6'
lab fault n2 add eth0 drop dir=tx count=2 id=two >/dev/null
check "a rule that is added" both_have 'added eth0 drop .*id=two'
lab freeze n1
check "a guest that is frozen" in_text 'n1 node   frozen by freeze$'
lab exec n2 'ping -c 3 -i 0.2 -W 1 10.0.0.1' >/dev/null
check "... does not hold up another, whose rule fires" both_have 'fired eth0 two drop'
check "... nor hide that it is not known what its own do" both_have 'silent: its mconsole does not answer'
both_have 'spent two'
lab thaw n1
lab exec -t 20 n1 'echo hello from n1 >/dev/kmsg'
check "a line of a kernel" in_text 'n1 kernel hello from n1$'
lab fault n2 del two
check "a rule that is deleted" both_have 'deleted two'

cat >t.run.txt <<E
n1 add eth0 drop dir=tx count=1 id=three
! $umf_lab exec n1 'ping -c 2 -i 0.2 -W 1 10.0.0.2'
n1 wait three fired>=1 --timeout 20s
end n1 del three
E
run lab fault run t.run.txt
is "a timeline beside them: status" "$status: $err" "0: "
is "... has its event" "$(grep -c '\* eth0 three drop' <<<"$out")" 1
check "... and so have they" both_have 'fired eth0 three drop'
both_have 'deleted three'

lab kill n1
lab restart -q n1
check "fenced" lab exec -t 20 n1 'fence_umf -o off -n n2'
lab power on n2
check "a guest that nobody waits for, and is ready" seen_times 2 'n2 node   ready$'
lab exec n1 'reboot'
check "a guest that boots in place, and is ready again" seen_times 3 'n1 node   ready$'

# more than the kernel's ring holds
lab fault n2 add umfa corrupt op=read bits=1 id=bad >/dev/null
lab exec n2 'echo 0 >/sys/block/umfa/queue/read_ahead_kb; cat /dev/umfa >/dev/null'
fired=$(lab fault n2 stats bad | sed 's/.* fired=\([0-9]*\).*/\1/')
check "a rule that fires more often than the kernel keeps" test "$fired" -gt 4096
is "... each time is told, or said to be lost" "$(lab events --json n2 | jq -s '[.[] | if .event == "lost" then .lost
	elif .rule == "bad" and .event == "fired" then 1 else 0 end] | add')" "$fired"
like "... how many" "$(lab events --no-kernel n2)" ' n2 fault  lost [0-9]+ events'

lab events >once
lab events --json --since 5s >since
lab events --since -0s >last
lab down --kill
for i in 0 1 2; do
	wait "${readers[$i]}"
	is "when the lab is down, reader $i ends: status" "$?" 0
done
is "... and nobody complained" "$(cat ./*.err)" ""

# ---- what was told ----

sort -s -n -k 1,1 text >sorted
expected='- node up, seed 7
n1 node started by up
n1 kernel Run /init as init process
n1 node ready
n2 fault added eth0 drop dir=tx count=2 id=two
n1 node frozen by freeze
n2 fault fired eth0 two drop
n2 fault fired eth0 two drop
n2 fault spent two
n1 node thawed by thaw
n1 kernel hello from n1
n2 fault deleted two
n1 fault fired eth0 three drop
n1 fault deleted three
n1 node ended by kill
n1 node started by restart
n1 node ready
n2 node ended by power
n2 power off asked by n1: ok n2=off
n2 node started by power
n2 node ready
n1 kernel reboot: Restarting system
n1 node booted again
n1 node ready
n1 node ended by down
- node down'
# those of them that are there, in their order; n2 was started, and one kernel is enough
seen=$(sed -E 's/^ *[0-9.]+ ([^ ]+) +([a-z]+) +/\1 \2 /; s/ (seed=|[0-9]+ tx ).*//; s/(drop .*)( seed=[0-9]*)/\1/; s/ \([0-9.]* s\)$//' sorted |
	grep -xF -f <(sort -u <<<"$expected"))
is "all of it is there, once and in order" "$(awk '/Run \/init/ && i++ || /n2 node ready/ && !r++ { next } { print }' <<<"$seen" | grep -v '^n1 fault added')" "$expected"
# Who was just looking when a kernel ended knows of something it cannot see any more; who was not, does not.
told()
{
	grep -v 'id=bad\|umfa bad\|silent: \|that kernel is gone' | sort
}
is "in JSON it is the same" "$(diff <(jq -r '"\(.guest) \(.source) \(.text)"' json | told) \
	<(sed -E 's/^ *[0-9.]+ ([^ ]+) +([a-z]+) +/\1 \2 /' text | told))" ""
is "... with the time since up, in order" "$(jq -s '[.[] | select(.source == "node").time_ns] | . == sort and .[0] == 0' json)" true
is "... and the host's" "$(jq -s '[.[] | select(.utc | test("^20[0-9-]*T[0-9:]*[.][0-9]{6}Z$"))] | length' json)" "$(wc -l <json)"
is "... an event's fields" "$(jq -c 'select(.rule == "three" and .event == "fired") | [.device, .action, (.seq | type), (.clock_ns > 0)]' json)" \
	'["eth0","drop","number",true]'
is "... a rule's" "$(jq -c 'select(.rule == "two" and .event == "spent") | [.state, (.line | test("^eth0 drop .*count=2"))]' json)" \
	'["spent",true]'
is "... the power switch's" "$(jq -c 'select(.source == "power" and .event == "off") | [.by, .target]' json)" '["n1","n2"]'
is "one guest, without kernels" "$(sed -E 's/^ *[0-9.]+ ([^ ]+) +([a-z]+) .*/\1 \2/' part | sort -u | xargs)" "- node n1 fault n1 node n2 power"
is "who looks once sees the same as who followed" "$(grep -E '^ *[0-9.]+ [^ ]+ +node ' once | diff - <(grep -E '^ *[0-9.]+ [^ ]+ +node ' sorted) | grep -c '^<')" 0
is "since: nothing before" "$(jq -s '[.[] | select(.time_ns < 5e9)] | length' since) $(grep -c ' node ' last)" "0 0"
check "... all behind" test "$(wc -l <since)" -gt 10

# ---- when it is down ----

like "the files still tell" "$(lab events --no-kernel)" 'n1 node   ended by kill.*-  node   down$'
run lab events -f
like "there is nothing to follow" "$status: $err" '^1: umf-lab: .*t.lab: is not up'
run lab events n9
like "a guest that is not there" "$status: $err" '^2: umf-lab: n9: no such guest'
run lab events --since yesterday
like "a time that is none" "$status: $err" '^2: umf-lab: --since yesterday: must be a time'
lab_clean n1 n2
done_testing
