#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab status --all and down --all: every lab of this user, from any folder. In a /dev/shm of its own, so that "every"
# is every one of this test.

if [ -z "${UMF_OWN_SHM:-}" ]; then
	unshare -m mount -t tmpfs none /dev/shm 2>/dev/null || {
		echo "1..0 # SKIP no tmpfs can be mounted here"
		exit 0
	}
	# shellcheck disable=SC2016 # the inner shell's
	UMF_OWN_SHM=1 exec unshare -m sh -c 'mount -t tmpfs none /dev/shm && exec "$0"' "$0"
fi

. "$(dirname "$0")/../lib/lab.sh"

umf()
{
	"$umf_lab" "$@" 2>&1
}

mkdir a b c
mark="memory = $GUEST_MEM append = \"$lab_mark\""
echo "name = first $mark fencing = true guest n1 {} guest n2 {}" >a/x.lab
echo "$mark guest n1 {}" >b/y.lab
run umf status --all
is "nobody: status --all" "$status: $out" "0: "
is "... in JSON" "$(umf status --all --json)" "[]"
run umf down --all
is "... down --all" "$status: $out" "0: "

umf -f a/x.lab --kernel "$LINUX" -q up
umf -f b/y.lab --kernel "$LINUX" --run c/run -q up
run env -C / "$umf_lab" status --all
is "two labs: status" "$status: $err" "0: "
like "... the one" "$out" "(^|"$'\n'")first: $WORK/a/x.lab, in $WORK/a/x.run"$'\nn1 +ready .*\nn2 +ready .*\npower switch on'
like "... the other, with its run folder" "$out" "(^|"$'\n'")y: $WORK/b/y.lab, in $WORK/c/run"$'\nn1 +ready '
is "... in JSON" "$(umf status --all --json | jq -c '[.[] | [.lab, .run, .power_switch, (.guests | length)]] | sort')" \
	"[[\"first\",\"$WORK/a/x.run\",\"on\",2],[\"y\",\"$WORK/c/run\",null,1]]"
echo '{' >/dev/shm/umf-lab-0/run-*/lab.json
like "a damaged record" "$(umf status --all)" "/dev/shm/umf-lab-0/run-[0-9a-f]*: its record is damaged"$'\nn1 +ready '
for verb in "up --all" "exec --all n1 true" "kill --all n1" "-f a/x.lab down --all" "--run c/run status --all"; do
	# shellcheck disable=SC2086 # words
	run umf $verb
	is "refused: $verb" "$status: $(wc -l <<<"$out")" "2: 1"
done
run env -C / "$umf_lab" down --all
is "down --all: status" "$status: $err$out" "0: "
is "... nothing runs" "$(lab_marked | wc -l)" 0
is "... nothing is left" "$(ls -A /dev/shm/umf-lab-0)" ""
check "... the logs are there" test -s a/x.run/n1.log -a -s c/run/n1.log

# killed before it has written a record, or with nothing but its lock
mkdir -p /dev/shm/umf-lab-0/z-12345678/guest
run umf down --all
is "a folder without a record: down --all" "$status: $out: $(ls -A /dev/shm/umf-lab-0)" "0: : "
done_testing
