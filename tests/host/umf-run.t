#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# umf-run: a command in a guest as if it ran here: its output, status, folder, environment and terminal; what it writes is
# lost but for what is below the current folder; faults from the start; nothing is left, however it ends.

. "$(dirname "$0")/../lib/guest.sh"

tool=$BIN/umf-run
[ -x "$tool" ] || skip_all "there is no $tool; make tools"
[ -x "$LINUX" ] || skip_all "there is no kernel $LINUX; make KERNEL=$KERNEL FLAVOR=$FLAVOR"
export HOME=$WORK/home UMF_KERNEL=$LINUX
mkdir "$HOME" "$WORK/here"
: >"$WORK/begin"
cd "$WORK/here" || exit 1
mem=(--mem 256M)
[ "$FLAVOR" != debug ] || mem=(--mem 600M)

# run <argument…>: $out, $err, $status
run()
{
	status=0
	out=$("$tool" "${mem[@]}" "$@" 2>"$WORK/err") || status=$?
	err=$(<"$WORK/err")
}

left()
{
	find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'umf-run.*' -newer "$WORK/begin"
	find "$HOME/.uml" -mindepth 1 2>/dev/null
}

run -- sh -c 'printf "a\nb"; echo error >&2; exit 7'
is "a command's status" "$status" 7
is "... its output, byte for byte" "$(od -c <<<"$out")" "$(printf 'a\nb\n' | od -c)"
is "... its standard error" "$err" error
is "... nothing is left" "$(left)" ""
run uname -r
is "it runs on the guest's kernel" "$status $out" "0 $("$LINUX" --version)"
export WORDS="it's a \"word\""
run sh -c 'echo "$WORDS $1"; pwd' sh "and 'more'"
is "environment, arguments and folder are the caller's" "$out" "it's a \"word\" and 'more'
$WORK/here"
echo before >"$WORK/other"
run sh -c "cat here; echo new >made; echo gone >/etc/umf-run-test; cat /etc/umf-run-test" <<<"not read"
like "a file that is not there" "$err" 'here: No such file'
is "what it writes elsewhere it can read" "$out" gone
check_fails "... and is lost" test -e /etc/umf-run-test
is "what it writes here is kept" "$(cat made)" new
run --ro sh -c 'echo x >made'
is "... but with --ro" "$(cat made)" new
out=$(echo "to be read" | "$tool" "${mem[@]}" -i cat)
is "-i: standard input" "$out" "to be read"
run /no/such/command
is "a command that is not there" "$status" 127

# ---- faults, a segment ----

run --net "$WORK/seg,10.0.0.1/24" --fault 'eth0 down at=1h id=m' --fault 'eth0 drop prob=10%' sh -c 'cat /proc/umf/rules; ip -br addr show eth0 || cat /proc/net/dev'
like "--net, --fault: the rules are there" "$out" 'add eth0 down .*id=m.*add eth0 drop prob=10%'
like "... and the address" "$out" 'eth0 .*(10\.0\.0\.1/24)?'
is "... and the segment is gone" "$(find "$WORK" -name seg)" ""

run --fault 'node fly' true
is "a rule that the kernel refuses: status" "$status" 125
like "... and why" "$err" '^umf-run: --fault: no action fly: must be one of'
run -a "umfa=$WORK/none" true
like "a disk that cannot be: status, and why" "$status $err" '^125 umf-run: --append: umfa: .*No such file'
run --net "$WORK/none/seg" true
like "a segment that cannot be: status, and why" "$status $err" '^125 umf-run: --net: eth0: cannot make the folder'

# ---- a terminal ----

on_terminal()
{
	script -qec "stty rows 33 cols 101; $*" /dev/null </dev/null
}
out=$(on_terminal "$tool ${mem[*]} -- sh -c 'tty; stty size'" | tr -d '\r')
like "on a terminal it has one, as large" "$out" '/dev/[a-z0-9]+.*33 101'

mkfifo keys
script -qec "$tool ${mem[*]} --timeout 60 -- sh -c 'echo begun; sleep 1000'" /dev/null <keys >screen &
pid=$!
exec 5>keys
until_true 30 grep -q begun screen
printf '\003' >&5
status=0
wait $pid || status=$?
exec 5>&-
is "Ctrl-C is the guest's: the command's status" "$status" 130
is "... nothing is left" "$(left)" ""

# ---- how it ends ----

run --timeout 3 sleep 1000
is "--timeout" "$status" 124
is "... nothing is left" "$(left)" ""
# victim: a run in the background, $pid, with its guest, $guest
victim()
{
	"$tool" "${mem[@]}" --name victim sleep 1000 &
	pid=$!
	until_true 20 test -S "$HOME/.uml/victim/mconsole"
	guest=$(<"$HOME/.uml/victim/pid")
}
gone()
{
	! grep -qs "^State:[[:space:]]*[^ZX]" "/proc/$guest/status"
}

victim
run --name victim true
is "a name that a guest has: one line, and it lives on" "$status $(grep -c . <<<"$err")" "125 1"
check "... with its console" "$LIB/mconsole-raw" "$HOME/.uml/victim/mconsole" :version
kill -TERM $pid
status=0
wait $pid || status=$?
is "ended by a signal: status" "$status" 143
check "... the guest is gone" until_true 10 gone
is "... nothing is left" "$(left)" ""
victim
kill -KILL $pid
wait $pid 2>/dev/null
check "killed: the guest goes with it" until_true 10 gone
run --name victim true
is "... and the name is free again" "$status" 0
find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'umf-run.*' -newer "$WORK/begin" -user "$(id -un)" -exec rm -rf {} +
run sh -c 'echo c >/proc/sysrq-trigger'
is "a kernel that panics: status" "$status" 125
like "... the panic is shown" "$out$err" 'Kernel panic'

for args in "--no-such-option" "--rw --ro true" "--timeout soon true" "--fault add_eth0_drop_match=icmp true" "--kernel /none true" \
	"--rootfs /none true" "--name a/b true"; do
	# shellcheck disable=SC2086 # words
	run $args
	is "refused: $args" "$status $(grep -c . <<<"$err")" "125 1"
done
like "--help" "$("$tool" --help)" '^Usage: umf-run'
done_testing
