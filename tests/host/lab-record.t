#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab: a lab that runs is what `up` has recorded of it, whatever becomes of its lab file and however its folder is
# called; and nobody's files but its own are removed.

. "$(dirname "$0")/../lib/lab.sh"

umf()
{
	"$umf_lab" "$@" 2>&1
}

# running: the host processes that were started as guests of this test, whoever knows of them
running()
{
	lab_marked | while read -r pid; do
		[ "$(cut -d ' ' -f 6 "/proc/$pid/stat" 2>/dev/null)" != "$pid" ] || echo "$pid"
	done | wc -l
}

# lab_file <file> <text>: with a mark by which its guests are known
lab_file()
{
	printf 'append = "%s"\nmemory = %s\n%s\n' "$lab_mark" "$GUEST_MEM" "$2" >"$1"
}

states()
{
	umf "$@" status --json | jq -r '.[] | .guest + " " + .state' | tr '\n' ' '
}

# ---- the run folder's name ----

mkdir -p r.d real
ln -s real sym
lab_file t.lab 'guest n1 {}'
for run in ./r r2/ sym/run r.d/..//r3; do
	run lab --run "$run" up
	is "up --run $run: status" "$status: $err" "0: "
	is "... found as it was said" "$(states -f t.lab --run "$run")" "n1 ready "
	is "... and by its full path" "$(states --run "$(realpath "$run")")" "n1 ready "
	run lab --run "$run" down
	is "... down: status" "$status: $err" "0: "
	is "... nothing runs" "$(running)" 0
done

# ---- the lab file is another by now ----

lab_file t.lab 'guest a1 {} guest a2 { disk umfa { image = base.img size = 1M } }'
run lab up
is "up: status" "$status: $err" "0: "
lab_file t.lab 'name = other guest a1 {} guest b2 {}'
is "an edited lab file: what runs is what was started" "$(states -f t.lab)" "a1 ready a2 ready "
is "... exec" "$(umf -f t.lab exec a2 hostname)" a2
run lab exec b2 true
like "... who is not of it" "$status: $err" '^2: umf-lab: b2: no such guest'
run lab up
like "... another up is refused" "$status: $(wc -l <<<"$err"): $err" '^1: 1: umf-lab: .*guest a1 runs already'
check "... a guest is killed" lab kill a2
check "... and started again" lab restart a2
is "... as it was" "$(umf -f t.lab exec a2 'ls /dev/umfa')" /dev/umfa
run lab down
is "... down: status" "$status: $err" "0: "
is "... nothing runs" "$(running)" 0
check_fails "... nor is there a live folder" test -e "$(lab_live)"

lab_file t.lab 'guest a1 { kernel = ./linux } guest a2 {}'
ln -s "$LINUX" linux
run lab up
is "up: status" "$status: $err" "0: "
rm linux
is "a lab file that is wrong by now: status" "$(states -f t.lab)" "a1 ready a2 ready "
echo 'guest {{{' >t.lab
is "... or none at all" "$(states -f t.lab)" "a1 ready a2 ready "
is "... exec" "$(umf -f t.lab exec a1 hostname)" a1
echo >u.lab
is "a second lab file beside it: status" "$(states)" "a1 ready a2 ready "
rm t.lab u.lab
is "a lab file that is gone: status, by its folder" "$(states)" "a1 ready a2 ready "
is "... or by its name" "$(states -f t.lab)" "a1 ready a2 ready "
run umf down --kill
is "... down: status" "$status: $out" "0: "
is "... nothing runs" "$(running)" 0
is "... what it was is known" "$(states -f t.lab)" "a1 down a2 down "
run umf -f u.lab status
like "a lab file that never was" "$status: $out" '^2: umf-lab: u.lab: No such file'

# a record that cannot be read ends nobody's way out
lab_file t.lab 'guest n1 {}'
lab up -q
echo '{' >"$(lab_live)/lab.json"
run lab exec n1 true
like "a damaged record: exec" "$status: $err" '^1: umf-lab: .*/lab.json, its record, is damaged; umf-lab down ends it$'
run lab down
is "... down: status" "$status: $err" "0: "
is "... nothing runs" "$(running)" 0

# ---- two lab files with one run folder ----

lab_file one.lab 'guest n1 {}'
lab_file two.lab 'guest m1 {}'
run umf -f one.lab --kernel "$LINUX" --run both up
is "up: status" "$status" 0
run umf -f two.lab --kernel "$LINUX" --run both up
like "another lab in the same run folder" "$status: $out" '^1: umf-lab: two.lab: guest n1 runs already, of .*/one.lab'
check "... the log of the first is there" test -s both/n1.log
check "down by the run folder alone" umf --run both down
is "... nothing runs" "$(running)" 0

# a lab that is up elsewhere is not lost from sight
umf -f one.lab --kernel "$LINUX" --run both up >/dev/null
run umf -f one.lab down
like "a lab that is up with another run folder: down says so" "$status: $out" '^0: .*one.lab: is up with another run folder: --run .*/both$'
is "... and ends nobody" "$(running)" 1
umf --run both down

# ---- nobody's files but its own ----

mkdir web.run-images
echo precious >web.run-images/data.img
truncate -s 1M web.run-images/data.img
lab_file web.lab 'guest n1 { disk umfa { image = web.run-images/data.img }
	disk umfb { size = 1M } disk umfc { image = own.img size = 1M } }'
web()
{
	"$umf_lab" -f web.lab --kernel "$LINUX" "$@"
}
mkdir web.run
echo mine >web.run/own.img
truncate -s 1M web.run/own.img
check "up" web -q up
web exec n1 'echo used | dd of=/dev/umfb conv=notrunc,fsync 2>/dev/null'
check "down" web down
run web -q up --fresh
is "--fresh: status" "$status" 0
is "... what is in a folder of a similar name stays" "$(head -n 1 web.run-images/data.img)" precious
is "... and what was in the run folder before" "$(head -n 1 web.run/own.img)" mine
is "... which is said" "$err" "umf-lab: $WORK/web.run/own.img: stays: no lab has made it"
is "... what up has made begins anew" "$(web exec n1 'head -c 4 /dev/umfb | tr "\0" .')" ....
web snapshot before >/dev/null
web down
run web rollback before
is "rollback: status" "$status: $err" "0: "
is "... what is in a folder of a similar name stays" "$(head -n 1 web.run-images/data.img)" precious
run web down --wipe
is "--wipe: status" "$status" 0
is "... what no lab has made stays" "$(find web.run -type f)" web.run/own.img

mkdir results
echo x >results/thesis.txt
check "up in a folder of somebody's" umf -f one.lab --kernel "$LINUX" --run results -q up
run umf -f one.lab --run results down --wipe
is "... --wipe: status" "$status" 0
is "... his file is there" "$(ls results)" thesis.txt
mkdir here
lab_file here/h.lab 'guest n1 {}'
check "up in the lab's own folder" umf -f here/h.lab --kernel "$LINUX" --run here -q up
umf -f here/h.lab --run here down --wipe
is "... --wipe leaves the lab file" "$(ls here)" h.lab
echo notes >here/n1.log
run umf -f here/h.lab --kernel "$LINUX" --run here -q up
like "a file in the way of a log" "$status: $out" '^1: umf-lab: .*/here/n1.log: is there, and no lab has made it'
is "... it stays as it was" "$(<here/n1.log)" notes
is "... nothing runs" "$(running)" 0

# ---- somebody else's records ----

other()
{
	unshare -m sh -c 'mount -t tmpfs none /dev/shm && mkdir -p "/dev/shm/umf-lab-0" && chmod 777 /dev/shm/umf-lab-0 &&
		chown 12345 /dev/shm/umf-lab-0 && exec "$@"' sh "$umf_lab" -f one.lab "$@"
}
if [ "$(id -u)" = 0 ] && unshare -m mount -t tmpfs none /dev/shm 2>/dev/null; then
	for verb in status down "kill n1" env "exec n1 true" "fault n1 list" logs; do
		# shellcheck disable=SC2086 # words
		run other $verb
		like "records in another user's folder: $verb" "$status: $err" '^1: umf-lab: /dev/shm/umf-lab-0: must be a folder that only you can use'
	done
else
	skip "records in another user's folder" "no tmpfs can be mounted here"
fi
done_testing
