#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A rule or a verb that is wrong gets one line that names the word at fault, and changes nothing.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2
check "n1 reaches n2" icmp 1 2 3

# Something that must stay as it is.
fault n1 add eth0 drop prob=0 id=keep >/dev/null
fault n1 add eth0 delay time=1ms prob=0 on=keep id=kept >/dev/null
fault n1 suspend kept
before=$(fault n1 list)$(fault n1 devices)

write='printf %s "$(cat /tmp/text)" >/proc/umf/control 2>/dev/null && echo taken
	cat /proc/umf/control'
# refused <request> <extended regex>: by mconsole, and by /proc/umf/control with the same words
refused()
{
	local reply

	reply=$("$LIB/mconsole-raw" "$(guest_mconsole n1)" ":fault $1")
	like "$1" "$reply" "^1 $2"
	is "... in one line" "$(grep -c '\\n.' <<<"$reply")" 0
	reply=${reply#1 }
	is "... the same in /proc/umf/control" "$(guest_exec n1 "cat >/tmp/text <<'EOT'
$1
EOT
$write")" "$reply"
	is "... and changes nothing" "$(fault n1 list)$(fault n1 devices)" "$before"
}

# ---- verbs ----

refused "frobnicate" 'frobnicate: no such verb'
refused "List" 'List: no such verb'
refused "add" 'add needs <device> <action>'
refused "del" 'del needs <id>'
refused "del nobody" 'no rule nobody:'
refused "del keep" 'keep: kept waits for it'
refused "del keep kept" 'kept: not expected'
refused "clear eth7" 'no device eth7: there is eth0'
refused "clear eth0 eth1" 'eth1: not expected'
refused "list eth7" 'no device eth7:'
refused "stats nobody" 'no rule nobody:'
refused "events 7" '7: must be since='
refused "events since=x" 'since=x: must be since='
refused "events since=-1" 'since=-1: must be'
refused "seed" 'seed needs <n>'
refused "seed many" 'many: a seed is a number'
refused "seed -1" '-1: a seed is a number'
refused "seed 18446744073709551616" '18446744073709551616: a seed is a number from 0 to 2\^64 - 1'
refused "suspend" 'suspend needs <id>\|all'
refused "suspend nobody" 'no rule nobody:'
refused "resume nobody" 'no rule nobody:'
refused "devices all" 'all: not expected'
refused "help explode" 'explode: no such action'

# ---- devices, actions, keys ----

refused "add eth7 drop" 'no device eth7: there is eth0'
refused "add ETH0 drop" 'no device ETH0:'
refused "add eth0" 'no action: must be one of drop corrupt'
refused "add eth0 explode" 'no action explode: must be one of drop corrupt dup delay'
refused "add eth0 dro" 'no action dro:'
refused "add eth0 drop colour=red" 'colour=red: not a key of drop, which takes dir '
refused "add eth0 drop bits=3" 'bits=3: not a key of drop'
refused "add eth0 down prob=3%" 'prob=3%: not a key of down'
refused "add eth0 drop rx" 'rx: not a key of drop'
refused "add eth0 drop prob" 'prob: needs =10%'
refused "add eth0 drop prob=1% prob=2%" 'prob: given twice'
refused "add eth0 drop dir=both" 'dir=both: must be rx\|tx'
refused "add eth0 drop peer=02:00:00:00:00" 'peer=02:00:00:00:00: must be xx:xx'
refused "add eth0 drop peer=02:00:00:00:00:0g" 'peer=02:00:00:00:00:0g: must be xx:xx'
refused "add eth0 delay" 'delay needs time=T'
refused "add eth0 delay jitter=1ms" 'delay needs time=T'
refused "add eth0 delay time=1ms jitter=2ms" 'jitter= must not be more than time='
refused "add eth0 drop period=1s" 'period= and duty= go together'
refused "add eth0 drop duty=1%" 'period= and duty= go together'
refused "add eth0 drop match=icmp" 'match= needs bpf='
refused "add eth0 drop id=keep" 'id=keep: a rule of that name is there'
refused "add eth0 drop id=all" 'id=all: '
refused "add eth0 drop id=7up" 'id=7up: a name is '
refused "add eth0 drop id=" 'id=: a name is '
refused "add eth0 drop id=$(printf '%032d' 0 | tr 0 x)" 'id=x+: a name is '
refused "add eth0 drop on=nobody" 'on=nobody: no such rule'
refused "add eth0 drop 'prob=1%" 'a quote is not closed: add eth0 drop '

# ---- numbers and units ----

refused "add eth0 drop prob=101%" 'prob=101%: must be from 0% to 100%'
refused "add eth0 drop prob=1.5" 'prob=1.5: must be from 0% to 100%'
refused "add eth0 drop prob=-1%" 'prob=-1%: must be '
refused "add eth0 drop prob=half" 'prob=half: must be '
refused "add eth0 drop prob=30ms" 'prob=30ms: must be '
refused "add eth0 drop prob=" 'prob=: must be '
refused "add eth0 drop prob=0.0000000001" 'prob=0.0000000001: finer than 1 ppb'
refused "add eth0 delay time=50" 'time=50: a time ends in ns, us, ms, s, m or h'
refused "add eth0 delay time=50xs" 'time=50xs: a time ends in'
refused "add eth0 delay time=2h" 'time=2h: must be from 0s to 3600s'
refused "add eth0 delay time=-1s" 'time=-1s: must be T'
refused "add eth0 delay time=0.1ns" 'time=0.1ns: finer than 1 ns'
refused "add eth0 delay time=99999999999999999999s" 'time=9+s: must be from'
refused "add eth0 delay time=1ms limit=0" 'limit=0: must be from 1 to 65536'
refused "add eth0 delay time=1ms limit=65537" 'limit=65537: must be from 1 to 65536'
refused "add eth0 drop for=0s" 'for=0s: must be from 1ns'
refused "add eth0 drop period=1ns duty=5%" 'period=1ns: must be from 1us'
refused "add eth0 drop at=soon" 'at=soon: must be T\|\+T'
refused "add eth0 drop every=0" 'every=0: must be from 1'
refused "add eth0 drop count=1.5" 'count=1.5: must be N'
refused "add eth0 drop count=0x" 'count=0x: must be N'
refused "add eth0 drop after=-3" 'after=-3: must be N'
refused "add eth0 drop burst=1%" 'burst: must be p_bad,p_good'
refused "add eth0 drop burst=1%,2%,3%,4%,5%" 'burst: must be p_bad,p_good'
refused "add eth0 drop burst=1%,200%" 'burst=200%: must be from 0% to 100%'
refused "add eth0 corrupt bits=0" 'bits=0: must be from 1 to 65536'
refused "add eth0 corrupt offset=9-3" 'offset=9-3: must end at 9 to 65535'
refused "add eth0 corrupt offset=5+0" 'offset=5\+0: an empty range'
refused "add eth0 corrupt offset=0-70000" 'offset=70000: must be from 0 to 65535'
refused "add eth0 corrupt offset=65535+2" 'offset=65535\+2: must end at 65535 to 65535'
refused "add eth0 dup copies=101" 'copies=101: must be from 1 to 100'

# ---- programs ----

refused "add eth0 drop bpf=icmp" 'bpf: must begin with a count from 1 to 4096'
refused "add eth0 drop bpf=0" 'bpf: must begin with a count'
refused "add eth0 drop bpf=5000,6" 'bpf: must begin with a count'
refused "add eth0 drop bpf='2,6 0 0 0'" 'bpf: 1 instructions, not 2 as its count says'
refused "add eth0 drop bpf='1,6 0 0 0,6 0 0 0'" "bpf: ',6 0 0 0' stands after the 1 instructions"
refused "add eth0 drop bpf='1,6 0 0'" "bpf: instruction 1 is not 'code jt jf k'"
refused "add eth0 drop bpf='1,6 0 300 0'" "bpf: instruction 1 is not 'code jt jf k'"
refused "add eth0 drop bpf='1,40 0 0 12'" 'bpf: the kernel rejects the program'
refused "add eth0 drop bpf='1,65535 0 0 0'" 'bpf: the kernel rejects the program'
refused "add eth0 drop bpf='2,5 0 0 9,6 0 0 0'" 'bpf: the kernel rejects the program'
refused "add eth0 drop bpf=''" 'bpf: a text is not empty'

# ---- the first of several that is wrong ----

refused "list; explode; clear" 'explode: no such verb'
refused "; ; add eth0 explode" 'no action explode'

like "mconsole-fault says what libpcap says of a filter" "$(fault n1 add eth0 drop match='icmp and and' 2>&1)" 'match'
is "... and changes nothing" "$(fault n1 list)$(fault n1 devices)" "$before"

# ---- at boot: a line each, and the guest comes up ----

guest_start boot "eth0=switch,$WORK/seg" umf="add eth0 explode" umf="add eth0 drop prob=30% id=good" umf="add eth9 drop" umf=";"
guest_wait_ready boot || exit 1
log=$(<"$(guest_log boot)")
like "at boot: an action" "$log" 'umf: umf=: no action explode: '
like "... a device" "$log" 'umf: umf=: no device eth9: there is eth0'
is "... and no more than these" "$(grep -c 'umf: umf=:' <<<"$log")" 2
is "... the rule that is right stands" "$(fault boot list | grep -c id=good)" 1

pings "after all this n1 reaches n2" 1 2
like "the guest goes on" "$("$LIB/mconsole-raw" "$(guest_mconsole n1)" :version)" '^0 Linux n1 '

done_testing
