#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# host only
#
# umf-lab test: what a .test file may say, and how it is told what it may not. Nothing is started.

. "$(dirname "$0")/../lib/tap.sh"

TOP=$(cd "$(dirname "$0")/../.." && pwd)
umf_lab=${BIN:-$TOP/build/bin}/umf-lab
[ -x "$umf_lab" ] || skip_all "there is no $umf_lab; make tools"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/umf.XXXXXX") || exit 1
trap 'rm -rf "$WORK"' EXIT
cd "$WORK" || exit 1

# what is called a kernel and a root file system here is never started
echo x >rootfs
cat >t.lab <<'E'
rootfs = rootfs
segment lan {}
guest n[1-2] {
	nic eth0 { segment = lan }
	disk umfa { size = 1M }
}
E
echo 'n1 list' >t.timeline
all='net { on = "n1:eth0" actions = { drop } }'

# reads <file>: its status in $status, what it says in $said
reads()
{
	status=0
	said=$("$umf_lab" --kernel /bin/true test --dry-run --seed 1 "$1" 2>&1) || status=$?
}

cat >t.test <<'E'
# all there is
lab = t.lab
time = real
timeline = t.timeline
heal = 2s
allow = { "blocked for more than", "^x" }
capture = "n1:eth0"
first host { run = "true" within = 1m limit = 2s every = 100ms }
first n1 { run = "true" }
load n2 { run = 'while true; do echo "${x}"; done' }
always "one master" { every = 500ms run = "true" }
always "on a guest" { on = n1 run = "true" limit = 1s }
sometimes "two" { on = n2 run = "false" every = 1s }
faults {
	from = 1s for = 30s shortest = 100ms longest = 5s
	budget { any = 2 net = 1 disk = 1 node = 1 tty = 0 back = 3s }
	net { on = { "n1:eth0", "n2:eth*" } actions = { drop, delay, corrupt, dup, hold, down, partition } }
	disk { on = "n1:umfa" actions = error }
	node { on = { n1, "n*" } actions = { kill, freeze, reboot, clock } }
}
finally "it goes on" { within = 30s every = 2s limit = 5s on = n1 run = "true" }
finally "all is there" { run = "true" }
E
reads t.test
is "a file with all there is: status" "$status" 0
like "... what it draws" "$said" '^# umf-lab test: t, seed 1, [0-9]+ faults'
echo 'lab = t.lab always "x" { run = "true" }' >least.test
reads least.test
is "a file with hardly anything: status" "$status" 0

# refused <description> <line:column or line> <regex>, the file on standard input, without lab =
refused()
{
	sed '1s/^/lab = t.lab /' >bad.test
	reads bad.test
	is "$1: status" "$status" 2
	is "... one line" "$(wc -l <<<"$said")" 1
	like "... says where and what" "$said" "^bad\.test:$2: $3"
}

refused "an unknown word" 1:13 'laod: no such word here' <<<'laod n1 {}'
refused "an unknown word of a check" 2:14 'evry: no such word here' <<'E'

always "x" { evry = 1s run = "true" }
E
refused "a word of another section" 1:23 'within: no such word here' <<<'load n1 { within = 1s run = "true" }'
refused "an unknown kind of faults" 2:2 'nte: no such word here' <<'E'
faults { for = 9s
	nte {} }
E
refused "an action that there is not" 1:64 'actions: dorp: of a net they are drop, delay, corrupt, dup, hold, down, partition' \
	<<<'faults { for = 9s net { on = "n1:eth0" actions = { dorp } } }'
refused "an action of another kind" '1:[0-9]+' 'actions: kill: of a net they are' \
	<<<'faults { for = 9s net { on = "n1:eth0" actions = { kill } } }'
refused "an action twice" '1:[0-9]+' 'actions: drop: is named twice' \
	<<<'faults { for = 9s net { on = "n1:eth0" actions = { drop, drop } } }'
refused "virtual time" 2:8 'time = virtual: is not there yet' <<'E'

time = virtual
E
refused "another time" 1:20 'time = soon: must be real' <<<'time = soon'
refused "a time without its unit" 1:20 'heal = 5: must be a time, as 500ms' <<<'heal = 5'
refused "a check too often" '1:[0-9]+' 'every = 1us: must be at least' <<<'always "x" { run = "true" every = 1us }'
refused "a budget that is no number" '1:[0-9]+' 'any = some: must be a whole number' <<<"faults { for = 9s budget { any = some } $all }"
refused "no budget at all" 1 'budget: any = 0 allows no fault' <<<"faults { for = 9s budget { any = 0 net = 1 } $all }"
refused "no budget of a kind" 1 'net: its budget is 0' <<<"faults { for = 9s budget { net = 0 } $all }"
refused "a budget twice" 1 'budget: is given twice' <<<"faults { for = 9s budget { any = 1 } budget { any = 1 } $all }"
refused "a value twice" '1:[0-9]+' 'for: is given twice' <<<"faults { for = 9s for = 9s $all }"
refused "faults twice" 1 'faults: is given twice' <<<"faults { for = 9s $all } faults { from = 1s }"
refused "a kind twice" 1 'net: is given twice' <<<"faults { for = 9s $all net { on = \"n2:eth0\" actions = delay } }"
refused "faults without an end" 1 'faults: for = is missing' <<<"faults { $all }"
refused "faults without any" 1 'faults: net, disk, node or tty' <<<'faults { for = 9s }'
refused "a kind without a target" 1 'net: on = is missing' <<<'faults { for = 9s net { actions = drop } }'
refused "a kind without an action" 1 'net: actions = is missing: drop, delay' <<<'faults { for = 9s net { on = "n1:eth0" } }'
refused "too short for what is drawn" 1 'faults: for = must be at least 11 s: twice the shortest fault, and back' \
	<<<'faults { for = 10s node { on = n1 actions = kill } }'
refused "shortest and longest" 1 'faults: shortest is longer than longest' <<<"faults { for = 90s shortest = 20s $all }"
refused "a guest that there is not" 3:16 'on = n9:eth0: .*t.lab has no such device' <<'E'

faults { for = 9s
	net { on = { "n9:eth0" } actions = drop } }
E
refused "a device that there is not" '1:[0-9]+' 'on = n1:eth7: .* has no such device' <<<'faults { for = 9s net { on = "n1:eth7" actions = drop } }'
refused "a guest where a device belongs" '1:[0-9]+' 'on = n1: must be a guest and its device' <<<'faults { for = 9s net { on = n1 actions = drop } }'
refused "a device where a guest belongs" '1:[0-9]+' 'on = n1:eth0: must be a guest, as' <<<'faults { for = 20s node { on = "n1:eth0" actions = kill } }'
refused "a check on nobody" 2:19 'always: n9: .*t.lab has no such guest' <<'E'

always "x" { on = n9 run = "true" }
E
refused "a load on nobody" 1:18 'load: n9: .*t.lab has no such guest' <<<'load n9 { run = "true" }'
refused "a check without a program" '1:[0-9]+' 'always x: run = is missing' <<<'always "x" {}'
refused "a check with an empty one" '1:[0-9]+' 'run: is empty' <<<'always "x" { run = "" }'
refused "a check twice" '1:[0-9]+' 'always x: is there twice' <<<'always "x" { run = "a" } always "x" { run = "b" }'
refused "no timeline" '1:[0-9]+' 'timeline = no: .*/no: No such file' <<<'timeline = no'
refused "a capture of nothing" '1:[0-9]+' "capture = n1:eth3: must be a guest's interface" <<<'capture = "n1:eth3"'
refused "an allowed line that is no expression" '1:[0-9]+' "allow = '\(': " <<<'allow = "("'
refused "a } that is missing" '[0-9]+' '.*' <<<'faults {'

echo 'heal = 1s' >bad.test
reads bad.test
like "no lab" "$status: $said" '^2: umf-lab: bad.test: lab = is missing$'
echo 'lab = nothing.lab' >bad.test
reads bad.test
like "a lab file that is not there" "$status: $said" '^2: bad.test:1:7: lab = nothing.lab: .*: No such file'
echo 'gest n1 {}' >bad.lab
echo 'lab = bad.lab' >bad.test
reads bad.test
like "a lab file that is wrong" "$status: $said" '^2: .*/bad.lab:1:1: gest: no such word'
reads nothing.test
like "a .test file that is not there" "$status: $said" '^2: .*nothing.test: No such file'

printf 'n1 list\nn1 lst\n' >bad.timeline
echo 'lab = t.lab timeline = bad.timeline' >bad.test
reads bad.test
like "a timeline that is wrong" "$status: $said" '^2: .*bad.timeline:2: lst: no such verb'

# ---- the verbs' words ----

# says <regex> <words…>
says()
{
	status=0
	said=$("$umf_lab" --kernel /bin/true "${@:2}" 2>&1) || status=$?
	like "umf-lab ${*:2}" "$status: $said" "$1"
}
says '^2: umf-lab: test: which .test file' test
says '^2: umf-lab: explore: which .test file' explore --runs 3
says '^2: umf-lab: explore: how long' explore t.test
says '^2: umf-lab: --runs 0: must be a whole number' explore --runs 0 t.test
says '^2: umf-lab: --for x: must be a time' explore --for x t.test
says 'a seed draws nothing without faults' explore --runs 3 least.test
says '^2: umf-lab: shrink: which folder' shrink
says '^2: umf-lab: \./verdict.json: is not there' shrink .
says '^2: umf-lab: up: --results, .* are for test, explore and shrink' up --runs 3 t.lab
says '^2: umf-lab: --set is for the lab file' test --set a=b t.test
mkdir there
says '^2: umf-lab: there: is there, and is no campaign' explore --runs 3 --results there t.test
is "nothing was made" "$(find . -newer t.test -name '*.results' -o -name '*.campaign' -o -name 'seed-*' | wc -l)" 0

# ---- one list of what kernels never print ----

is "scan-log and test know the same lines" "$(printf '%s\n' 'x BUG: y' 'all is well' 'possible circular locking' 'list_add corruption.' |
	"$TOP/tests/lib/scan-log" | cut -d ' ' -f 1 | xargs)" "1: 3: 4:"
done_testing
