#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
#
# umf-lab test: a run of each verdict, with what it leaves; explore goes on where it was ended, shrink finds the one fault
# that matters. The lab is one guest, and tests are short. Real time passes because faults last.

. "$(dirname "$0")/../lib/lab.sh"

cat >t.lab <<E
memory = $GUEST_MEM
append = "$lab_mark"
segment lan {}
guest n1 {
	nic eth0 { segment = lan ip = 10.0.0.1/24 }
	disk umfa { size = 1M }
}
E

# test_of <file> <the rest of it>
test_of()
{
	printf 'lab = t.lab\n%s\n' "$2" >"$1"
}

# tested <words…>
tested()
{
	run "$umf_lab" --kernel "$LINUX" -t 200 "$@"
}

# gone <description>: no guest, no lab
gone()
{
	is "$1" "$(lab_marked | wc -l) $(find "/dev/shm/umf-lab-$(id -u)" -name 'lab-*' -newer t.lab 2>/dev/null | wc -l)" "0 0"
}

# ---- held ----

test_of held.test '
first n1        { run = "true" within = 10s }
load n1         { run = "while :; do sleep 0.1; done" }
always "host"   { every = 200ms run = "umf-lab status | grep -c n1" }
always "guest"  { every = 200ms on = n1 run = "date" }
faults {
	for = 3s  shortest = 200ms  longest = 800ms
	budget { back = 1s }
	net  { on = "n1:eth0" actions = { down, partition } }
	node { on = n1 actions = { freeze, clock } }
}
finally "it is there" { within = 20s on = n1 run = "echo there" }
sometimes "never"     { every = 1s run = "false" }
capture = "n1:eth0"'
tested test held.test --seed 4 --junit junit.xml
is "a run that holds: status" "$status: $err" "0: "
is "... its rows" "$(grep -c '^ok ' <<<"$out") $(grep -c '^not ok' <<<"$out") $(tail -n 1 <<<"$out")" "9 0 1..9"
results=held.results/seed-4
faults=$(grep -c '^# f[0-9]' $results/schedule.timeline)
check "... there were faults" test "$faults" -gt 0
like "... all of them fired" "$out" "faults: $faults of $faults fired"
is "... the verdict" "$(jq -r '.verdict + " " + .seed + " " + (.faults | length | tostring)' $results/verdict.json)" "held 4 $faults"
is "... never is known as such" "$(jq -c '.checks[] | select(.sometimes) | .held' $results/verdict.json)" 0
is "... JUnit says the same" "$(grep -o 'tests="[0-9]*" failures="[0-9]*"' junit.xml)" 'tests="9" failures="0"'
is "... the schedule is that of --dry-run" "$(tested test held.test --seed 4 --dry-run; grep -v '^end ' <<<"$out")" "$(grep -v '^end ' $results/schedule.timeline)"
is "... inputs have hashes" "$(jq -r '.[] | select(.path | endswith("/held.test")) | .sha256' $results/inputs.json)" "$(sha256sum <held.test | cut -d ' ' -f 1)"
check "... and are kept" cmp held.test $results/inputs/held.test
like "... the event log" "$(jq -r .text $results/events.json)" 'ready.*(fired|frozen by freeze)'
check "... the kernel log" grep -q 'Linux version' $results/logs/n1.log
check "... outputs of checks" grep -qx there $results/checks/*-finally.log
check "... a capture" test -s $results/n1-eth0.pcapng
check "... no images" test ! -e $results/lab.run
gone "... and nothing runs"

# ---- did not hold ----

test_of not.test '
first n1 { run = "echo BUG: planted >/dev/kmsg" }
always "all is <well>" { every = 100ms run = "test ! -e $UMF_TEST_RESULTS/faults.json; echo two & masters; exit 1" }
load n1 { run = "sleep 100" }
faults { for = 10m node { on = n1 actions = clock } }
finally "not asked" { run = "true" }'
begun=$SECONDS
tested test not.test --results not.out --junit junit.xml
is "a run in which something does not hold: status" "$status: $err" "1: "
check "... it ends at once" test $((SECONDS - begun)) -lt 400
is "... the rows that failed" "$(sed -n 's/^not ok [0-9]* - //p' <<<"$out" | xargs)" "always: all is <well> the kernels have nothing to complain about"
like "... with what the check said" "$out" $'\n# two'
like "... and the kernel" "$out" $'\n# n1: .*BUG: planted'
like "... what was not asked" "$out" 'ok [0-9]+ - finally: not asked # SKIP'
is "... the signature" "$(jq -r .signature not.out/verdict.json)" "always: all is <well>"
like "... JUnit" "$(<junit.xml)" 'failures="2".*<failure message="always: all is &lt;well>">'
tested test not.test --results not.out
is "results that are there already: status" "$status" 2

test_of allowed.test '
first n1 { run = "echo BUG: planted >/dev/kmsg" }
allow = "BUG: plan"'
tested test allowed.test
is "a kernel's line that is allowed: status" "$status" 0
test_of never.test '
faults { for = 1s shortest = 200ms disk { on = "n1:umfa" actions = error } }'
tested test never.test --seed 1
is "a fault that never fired: status" "$status" 1
like "... is named" "$out" $'not ok [0-9] - faults: 0 of .*\n# f1 never fired: error on n1 umfa'
test_of load.test '
load n1 { run = "sleep 0.3; echo broken >&2; exit 3" }
faults { for = 60s node { on = n1 actions = clock } }'
tested test load.test
like "a load that fails" "$status: $out" $'^1: .*not ok [0-9] - load: .*\n# at .* status 3\n# broken'
test_of timeline.test '
timeline = t.timeline'
printf '0.1s n1 add node clock step=+1s id=c\n+0.1s n1 expect c fired>=9\n' >t.timeline
tested test timeline.test
like "a timeline that fails" "$status: $out" $'^1: .*not ok [0-9] - timeline'
gone "... nothing runs"

# ---- the lab ----

sed 's/append = "/&panic=-1 rdinit=\/nothing init=\/nothing root=\/dev\/nothing /' t.lab >dead.lab
test_of dead.test 'first n1 { run = "true" }'
sed -i 's/t.lab/dead.lab/' dead.test
tested test dead.test
is "a lab that does not come up: status" "$status" 3
like "... says why" "$out" $'^.*\nnot ok 1 - the lab is up\n# umf-lab: .*guest n1 has ended before it was ready'
is "... the verdict" "$(jq -r .verdict dead.results/*/verdict.json)" "lab failed"
gone "... nothing runs"

# ---- Ctrl-C ----

"$umf_lab" --kernel "$LINUX" -t 200 test held.test --seed 5 >out &
pid=$!
check "a run that is under way" until_true 60 grep -q 'first: ' out
kill -INT $pid
wait $pid
is "... and gets Ctrl-C: status" "$?" 130
gone "... leaves no guest"
check "... nor a folder" test ! -e held.results/seed-5

# ---- explore, shrink ----

# Fails when the link was down, which is one of what is drawn.
test_of some.test '
first n1 { run = "echo 1 >/tmp/up" }
finally "carrier never went" { on = n1 run = "! dmesg | grep -q \"eth0.*[Ll]ink.*[Dd]own\"" }
faults {
	for = 2s  shortest = 100ms  longest = 300ms
	net  { on = "n1:eth0" actions = { down, partition } }
	node { on = n1 actions = clock }
}'
tested explore some.test --runs 1 --seed 11
first=$(jq -r .seconds some.campaign/seed-11/verdict.json)
tested explore some.test --runs 2 --seed 11
like "explore: two runs, one of which was there" "$out" 'some: 2 runs: .*\(1 were there\)'
is "... that one as it was" "$(jq -r .seconds some.campaign/seed-11/verdict.json)" "$first"
like "... faults that fired" "$out" $'\nfault (net|node) [a-z]+: [0-9]+ drawn, [0-9]+ fired'
echo '# changed' >>some.test
tested explore some.test --runs 2 --seed 11
like "... of another file: refused" "$status: $err" '^2: .*some.campaign: was explored with another'
gone "... nothing runs"
done_testing
