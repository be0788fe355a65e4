#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A lab whose guests' memory is more than the host has for it: check says so, up refuses, --overcommit starts it.

. "$(dirname "$0")/../lib/lab.sh"

cat >"$LAB" <<E
memory = 999T
guest n[1-2] {}
E
run lab check
like "more than the host's memory: check warns, with numbers" "$status: $err" \
	"^0: umf-lab: $LAB: its guests' memory is 2095054848M, and (/[^ ]+ has room for|the host has) [0-9]+M; up takes --overcommit then\$"
run lab up
like "... up refuses" "$status: $err" "^1: umf-lab: $LAB: its guests' memory is 2095054848M, and .* [0-9]+M; --overcommit starts them all the same\$"
check "... nothing is made" test ! -e t.run -a ! -e "$(lab_live)"

mkdir small
if mount -t tmpfs -o size=160M none small 2>/dev/null; then
	mem=${GUEST_MEM%M}
	room=$((mem * 7 / 4))
	mount -o remount,size="${room}M" small
	export TMPDIR=$WORK/small
	cat >"$LAB" <<E
memory = $GUEST_MEM
append = "$lab_mark"
guest n1 {}
guest n2 {}
E
	run lab check
	is "more than \$TMPDIR has: check warns" "$status: $err" \
		"0: umf-lab: $LAB: its guests' memory is $((2 * mem))M, and $TMPDIR has room for ${room}M; up takes --overcommit then"
	run lab -q up
	is "... up refuses" "$status: $err" \
		"1: umf-lab: $LAB: its guests' memory is $((2 * mem))M, and $TMPDIR has room for ${room}M; --overcommit starts them all the same"
	run lab -q up --overcommit
	is "... --overcommit starts it: status" "$status: $err" "0: "
	check "... the guests' memory is there" test "$(stat -f -c '%f' small)" -lt "$(stat -f -c '%b' small)"
	lab down
	lab_clean n1 n2
	sed -i '/n2/d' "$LAB"
	run lab -q up
	is "what there is room for: status" "$status: $err" "0: "
	lab down
	lab_clean n1
	until_true 10 umount small
else
	skip "more than \$TMPDIR has" "no tmpfs can be mounted here"
fi
done_testing
