#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
#
# umf-lab: whatever goes wrong while a lab comes up, there is one line that says so, and nothing is left running.

. "$(dirname "$0")/../lib/lab.sh"

cat >t.lab <<E
memory = $GUEST_MEM
segment pub {}
guest n1 { nic eth0 { segment = pub } }
guest n2 { nic eth0 { segment = pub } }
E

# lab_file <lab file> <what n2 has more>
lab_file()
{
	LAB=$WORK/$1
	sed "s|^guest n2 {|& $2 |" t.lab >"$LAB"
}

# fails <description> <regex>: up does, in $1's way
fails()
{
	is "$1: status" "$status" 1
	like "... one line says why" "$(head -n 1 <<<"$err")" "^umf-lab: .*$2"
	is "... others only show the log" "$(tail -n +2 <<<"$err" | grep -vc '^  n2| ')" 0
	is "... nothing is left running" "$(lab_processes)" 0
	check_fails "... nor the live folder" test -e "$(lab_live)"
	check_fails "... nor its lock" test -e "$(lab_live).lock"
}

lab_file panic.lab 'append = "rdinit=/nothing init=/nothing root=/dev/nothing"'
run lab up
fails "a guest that panics" 'guest n2 has ended before it was ready: Kernel panic - not syncing: .*; its log is .*/n2\.log'
like "... the log's last lines are shown" "$err" $'\n  n2\\| .*panic'

lab_file hang.lab 'append = "rdinit=/bin/cat"'
run lab -t 10s up
fails "a guest that hangs" 'guest n2 is not ready after 10 s'
like "... the log's last lines are shown" "$err" $'\n  n2\\| .*/bin/cat'

lab_file rule.lab 'faults = "eth0 drp"'
run lab up
fails "a first fault that the kernel refuses" 'guest n2: umf: umf=: no action drp'

cp "$(type -P false)" false
lab_file kernel.lab 'kernel = ./false'
run lab up
fails "a kernel that ends at once" 'guest n2 has ended before it was ready'
echo nonsense >text && chmod +x text
lab_file text.lab 'kernel = ./text'
run lab up
fails "a kernel that is none" 'guest n2 is not started: .*/text: Exec format error'

lab_file long.lab "append = \"$(printf 'x%.0s' {1..4000})\""
run lab up
fails "a command line that is too long" 'guest n2: its command line has [0-9]+ bytes'

# what runs in its tmpfs ends with it, if it has an end
LAB=$WORK/t.lab
if [ "$(id -u)" = 0 ] && unshare -m mount -t tmpfs none /dev/shm 2>/dev/null; then
	for inodes in 14 20 24 25 26 36; do
		run unshare -m sh -c 'mount -t tmpfs -o nr_inodes='$inodes' tmpfs /dev/shm && "$@"; status=$?; ls /dev/shm/umf-lab-*
			exit $status' sh "$umf_lab" -f "$LAB" --kernel "$LINUX" up
		is "a tmpfs with room for $inodes files: status" "$status" 1
		like "... one line says why" "$(head -n 1 <<<"$err")" '^umf-lab: .*(No space left on device|has ended|cannot be)'
		is "... nothing is left running" "$(lab_processes)" 0
		is "... nor the live folder" "$(grep -v ^t: <<<"$out")" ""
	done
else
	skip "a tmpfs that is full" "no tmpfs can be mounted here"
fi

lab_file image.lab 'disk umfa { image = taken/image size = 1M }'
run lab up
fails "an image that cannot be made" '/taken/image: cannot be made'

# ---- ended while it comes up ----

lab_file slow.lab 'append = "rdinit=/bin/cat"'
"$umf_lab" -f "$LAB" --kernel "$LINUX" up >up.out 2>up.err &
pid=$!
until_true 20 grep -q "n1: ready" up.out
is "while up waits, guests run" "$(($(lab_processes) > 1))" 1
run lab up
like "two ups of one lab" "$status: $(wc -l <<<"$err"): $err" "^1: 1: umf-lab: .*/slow.lab: busy: .umf-lab up, process $pid. is at work"
run lab down
like "a down meanwhile" "$status: $err" '^1: .*busy'
kill -TERM $pid
wait $pid
is "Ctrl-C: status" "$?" 143
is "... nothing is left running" "$(lab_processes)" 0
is "... one line" "$(<up.err)" "umf-lab: $LAB: interrupted; what was started is ended"

# at any moment: with nothing, one or both of the guests started
for ms in 1 3 6 10 20 50 100 200; do
	"$umf_lab" -f "$LAB" --kernel "$LINUX" up >up.out 2>up.err &
	pid=$!
	sleep "$(printf '0.%03d' $ms)"
	kill -KILL $pid
	{ wait $pid; } 2>/dev/null
	lab down >/dev/null 2>&1
	[ "$(lab_processes)" -eq 0 ] || break
done
is "kill -9 after $ms ms, and down: nothing is left running" "$(lab_processes)" 0
check_fails "... nor the live folder" test -e "$(lab_live)"

# ---- somebody else's process ----

LAB=$WORK/t.lab
run lab up
is "after all that the lab comes up" "$status: $err" "0: "
record=$(lab_live)/guest/n2/pid
saved=$(<"$record")
sleep 1000 &
other=$!
echo "$other 12345" >"$record"
run lab exec n2 true
like "a process of another start time is not the guest: exec" "$status" '^125$'
lab kill n2 2>/dev/null
lab freeze n2 2>/dev/null
check "... nor is it touched" grep -q '^State:[[:space:]]*S' "/proc/$other/status"
echo "$saved" >"$record"
run lab down --kill
is "down --kill" "$status: $err: $(lab_processes)" "0: : 0"
check "... it lives" kill -0 $other
kill $other

run lab --run /proc/nothing up
like "a run folder that cannot be made" "$status: $err" '^1: umf-lab: /proc/nothing: '
run lab --run 'a b' up
like "a run folder with a blank" "$status: $err" '^2: .*no blanks'
done_testing
