#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Variables of a lab file, and several guests from one section: what they become, what is refused and where that is told.

. "$(dirname "$0")/../lib/lab.sh"

# graph <option…>: the edges of t.lab, which `graph` draws without a guest: "<guest> <segment> <nic> <address>"
graph()
{
	lab graph "$@" | sed -n 's|^	"guest:\(.*\)" -- "segment:\(.*\)" \[label="\(.*\)\\n\(.*\)"\];|\1 \2 \3 \4|p'
}

# refused <description> <line:column or line> <regex> [option…], the file on standard input
refused()
{
	local what=$1 at=$2 regex=$3
	shift 3

	cat >bad.inc
	run "$umf_lab" --kernel "$LINUX" check "$@" bad.inc
	is "$what: status" "$status" 2
	is "... one line" "$(wc -l <<<"$err")" 1
	like "... says where and what" "$err" "^bad\.inc:$at: $regex"
}

# ---- several guests from one section ----

cat >"$LAB" <<'E'
segment lan {} segment "s1" {} segment s2 {}
guest n[1-2] {	# with a comment }
	nic eth0 { segment = lan ip = 10.0.0.${n}/24 }
	nic eth1 { segment = "s${n}" ip = { "10.1.${n}.1/24" } }
}
guest "r[08-11]x" { nic eth0 { segment = lan ip = "10.0.0.1${n}/24" mac = 02:00:00:00:00:${n} } }
guest last { nic eth0 { segment = lan ip = 10.0.0.99/24 } }
E
is "each guest has its number" "$(graph)" "n1 lan eth0 10.0.0.1/24
n1 s1 eth1 10.1.1.1/24
n2 lan eth0 10.0.0.2/24
n2 s2 eth1 10.1.2.1/24
r08x lan eth0 10.0.0.108/24
r09x lan eth0 10.0.0.109/24
r10x lan eth0 10.0.0.110/24
r11x lan eth0 10.0.0.111/24
last lan eth0 10.0.0.99/24"
run lab check
is "... check counts them" "$status: $out" "0: $LAB: lab t, 7 guests, 3 segments"

refused "what is wrong in one of them names it" 3:23 "guest n2: segment = s2: nobody made it" <<'E'
segment s1 {}
guest n[1-3] {
	nic eth0 { segment = s${n} }
}
E
refused "... what is wrong in all of them the first" 2:25 "guest n1: memory = 1M: at least" <<'E'

guest n[1-3] { memory = 1M }
E
refused "... and a line behind them is itself" 4:1 "memry: no such word" <<'E'
guest n[1-3] {
	memory = 96M
}
memry = 5
E
for range in 'n[1-3' 'n[]' 'n[1]' 'n[1-2][3-4]' 'n[1-9999999999]'; do
	refused "guest $range" 1:7 "guest .*: several guests are <name>\[<first>-<last>\], as n\[1-32\]" <<<"guest $range {}"
done
refused "a range that descends" 1:7 'guest n\[3-1\]: no guest is in it' <<<'guest n[3-1] {}'
refused "too many guests" 1:7 'guest n\[1-999\]: 999 guests; at most 256' <<<'guest n[1-999] {}'
refused "a range without section" 1:7 'guest n\[1-3\]: its \{ is missing' <<<'guest n[1-3] memory = 5'
refused "a name that is taken" 2:7 'guest n2: n2: this name is used twice' <<'E'
guest n2 {}
guest n[1-3] {}
E
refused "... by another range" 2:7 'guest n3: n3: this name is used twice' <<'E'
guest n[1-3] {}
guest n[3-4] {}
E
refused "a name that is none" 1:7 'guest \.1: letters' <<<'guest .[1-3] {}'
refused "\${n} of a single guest" 1:21 '\$\{n\}: is a guest.s number' <<<'guest n1 { append = ${n} }'
refused "more ports than a segment has" 2:21 'guest n65: nic eth0: segment pub has 64 ports' <<'E'
segment pub {}
guest n[1-99] { nic eth0 { segment = pub } }
E

# ---- variables ----

cat >"$LAB" <<'E'
set net = 10.0.0
set host = "${net}.7"
set count = 1
segment lan {}
guest n[1-${count}] { nic eth0 { segment = ${segment} ip = ${host}/24 } }
E
is "a value, its default, and a number of guests" "$(graph --set segment=lan --set count=2)" "n1 lan eth0 10.0.0.7/24
n2 lan eth0 10.0.0.7/24"
is "... given goes before the default, and the last one counts" \
	"$(graph --set segment=no --set net=10.1 --set net=10.1.1 --set segment=lan)" "n1 lan eth0 10.1.1.7/24"
like "... behind the file's name, too" "$("$umf_lab" --kernel "$LINUX" check t.lab --set segment=lan -t 5s 2>&1)" '^t\.lab: lab t, 1 guests'
run lab check
like "a value that nobody gives" "$status: $err" "^2: $LAB:5:44: guest n1: .\{segment\}: no such variable; --set, or a .set. above, gives it a value"
run lab check --set segment=lan --set colour=red
is "one that nothing uses" "$status: $err" "2: umf-lab: --set colour: nothing in $LAB uses it"
run lab check --set segment=lan --set net=10.0
like "a value that is wrong is told where it stands" "$status: $err" "^2: $LAB:5:60: guest n1: ip = 10\.0\.7/24: must be"
run lab check --set segment='lan" } nic eth1 { segment = lan'
like "a value is a value, whatever is in it" "$status: $err" "^2: $LAB:5[:0-9]*: guest n1: segment = lan\" \} nic eth1 .*: nobody made it"
for given in segment 1x=5 n=5 $'a=b\nc'; do
	run lab check --set "$given"
	like "refused: --set ${given//$'\n'/ }" "$status: $(wc -l <<<"$err"): $err" '^2: 1: umf-lab: --set '
done
for verb in down env; do
	run lab --set segment=lan $verb
	like "refused: --set with $verb" "$status: $(wc -l <<<"$err"): $err" '^2: 1: umf-lab: --set is for the lab file'
done
refused "a variable set twice" 2:5 'set a: is set at bad\.inc:1:5 already' <<'E'
set a = 5
set a = 6
E
refused "a variable set in a section" 1:12 'set: stands outside of all' <<<'guest n1 { set a = 5 }'
refused "a set that is none" 1:1 'set: must be set <name> = <value>' <<<'set a'
refused "a set of the guest's number" 1:5 'set n: ' <<<'set n = 5'
refused "a variable before it is set" 1:10 '\$\{mem\}: no such variable' <<'E'
memory = ${mem}
set mem = 96M
E
refused "a } that is missing in a string" 1:11 '\$\{: its \} is missing' <<<'memory = "${mem"'
refused "... in a word" 1:10 '\$\{: its \} is missing' <<<'memory = ${mem'

# ---- the environment ----

export UMF_TEST=96M
refused "the environment's variables are none of the file's" 1:11 '\$\{UMF_TEST\}: no such variable; \$\{env:UMF_TEST\} is the environment.s' \
	<<<'memory = "${UMF_TEST}" guest n1 {}'
refused "... nor in a word" 1:10 '\$\{UMF_TEST\}: no such variable' <<<'memory = ${UMF_TEST} guest n1 {}'
refused "... nor with a default" 1:11 '\$\{UMF_TEST:-5\}: is no variable' <<<'memory = "${UMF_TEST:-5}" guest n1 {}'
refused "... unless the file asks for it" 1:11 'memory = 96Mx: must be a size' <<<'memory = "${env:UMF_TEST}x" guest n1 {}'
refused "... which has it" 1:10 '\$\{env:UMF_NO_TEST\}: it is not in the environment' <<<'memory = ${env:UMF_NO_TEST} guest n1 {}'

# ---- what stands for itself ----

cat >"$LAB" <<'E'
segment set {} segment include {} segment guest {}	// words of the top are names here
/* n[1-2] ${none} */
guest set { nic eth0 { segment = include ip = 10.0.0.1/24 } }
guest guest {	# a { that is none
	append = 'a=${n} b="x' # ' ${none}
	faults = { "eth0 drop prob=10%", 'eth0 down' }
}
name = set
append = "a=$n b=$ c=\${x}"
E
run lab check
is "names, comments, '...' and \\\${ are what they were" "$status: $err: $out" "0: : $LAB: lab set, 2 guests, 3 segments"

# ---- three that run ----

cat >"$LAB" <<E
set what = default
memory = $GUEST_MEM
segment lan {}
guest n[01-03] {
	append = "umf_what=\${what} umf_n=\${n} umf_literal=\\\${n} $lab_mark"
	nic eth0 { segment = lan ip = 10.0.0.1\${n}/24 }
}
E
run lab -q up --set what=given
is "three guests come up: status" "$status: $err" "0: "
is "... each with its own" "$(for n in 01 02 03; do lab exec n$n 'cat /proc/cmdline' | grep -o 'umf_[wnl][a-z]*=[^ ]*'; done | xargs)" \
	"umf_what=given umf_n=01 umf_literal=\${n} umf_what=given umf_n=02 umf_literal=\${n} umf_what=given umf_n=03 umf_literal=\${n}"
check "... they reach each other" lab exec n01 'ping -c 1 -W 2 10.0.0.102 && ping -c 1 -W 2 10.0.0.103'
run lab -q restart n02
is "... a restart takes the value from the record: status" "$status: $err" "0: "
like "... it is that" "$(lab exec n02 'cat /proc/cmdline')" ' umf_what=given umf_n=02 '
is "... graph as well" "$(graph)" "n01 lan eth0 10.0.0.101/24
n02 lan eth0 10.0.0.102/24
n03 lan eth0 10.0.0.103/24"
run lab graph --set what=x
like "... which takes no value then" "$status: $err" '^2: umf-lab: --set is for the lab file'
lab down
lab_clean n01 n02 n03
done_testing
