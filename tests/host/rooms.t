#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The house of the drivers: what calls what, as the objects have it. Calls go down the list of rooms, and no file calls,
# by whatever way, one that calls it: what has to call back is given a pointer.

. "$(dirname "$0")/../lib/tap.sh"

TOP=$(cd "$(dirname "$0")/../.." && pwd)
: "${KERNEL:=6.12}" "${FLAVOR:=default}" "${BUILD_LINE:=$TOP/build/$KERNEL}"
obj=$BUILD_LINE/obj
[ "$FLAVOR" = default ] || obj+=-$FLAVOR
cd "$obj/arch/um/drivers/umf" 2>/dev/null || skip_all "there are no objects of $KERNEL $FLAVOR; make kernel"

# <file that calls> <file that is called> <what>
calls=$(find . -name '*.o' ! -name 'built-in*' -printf '%P\n' | LC_ALL=C sort | xargs nm -A | awk '
	{ file = $1; sub(/:.*/, "", file) }
	$2 ~ /^[A-TV-Z]$/ { defined[$3] = file; next }
	$2 == "U" { used[file " " $3] }
	END {
		for (use in used) {
			split(use, u, " ")
			if (u[2] in defined && defined[u[2]] != u[1])
				print u[1], defined[u[2]], u[2]
		}
	}' | LC_ALL=C sort)
check "the objects call each other" test "$(wc -l <<<"$calls")" -gt 300

# From the top down. Who stands beside each other in it does not call each other, but those below.
rooms="node net blk tty capture fault time host compat"

# tty/main.c ends the idle watch of a guest for a line's lifetime.
known="tty/main.o node/idle.o"
is "no call goes up the rooms" "$(grep -v "^$known " <<<"$calls" | awk -v rooms="$rooms" '
	BEGIN { n = split(rooms, room, " "); for (i = 1; i <= n; i++) level[room[i]] = i }
	{ split($1, a, "/"); split($2, b, "/") }
	level[b[1]] < level[a[1]]')" ""
is "the devices' rooms do not call each other" "$(awk '
	{ split($1, a, "/"); split($2, b, "/") }
	a[1] != b[1] && " net blk tty " ~ " " a[1] " " && " net blk tty " ~ " " b[1] " "' <<<"$calls")" ""

# circles <room>: the files of a circle, if there is one
circles()
{
	grep "^$1/[^ ]* $1/" <<<"$calls" | cut -d ' ' -f 1,2 | tsort 2>&1 >/dev/null | sed 's/^tsort: //'
}
for room in net fault capture node host; do
	is "$room: no file calls what calls it" "$(circles "$room")" ""
done
# inside net/, the rooms of the room
is "net: no call goes up from segment/ and port/" "$(awk '
	$1 ~ "^net/(segment|port)/" && $2 ~ "^net/(dev|fault)/"' <<<"$calls")" ""
is "net: the rules do not call the netdev" "$(awk '$1 ~ "^net/fault/" && $2 ~ "^net/dev/"' <<<"$calls")" ""

done_testing
