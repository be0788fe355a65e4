#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# host only
# A segment's folder, by ports on the host (tests/selftests/hostport.c): what cannot be made leaves nothing and is said in a
# line that tells what would help; what it costs in host calls and in memory.

. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/../lib/hostport.sh"

seg=$WORK/seg

# ---- a folder that cannot be used ----

# with_tmpfs <size> <command>: in a mount namespace with such a file system at $WORK/small
mkdir "$WORK/small"
with_tmpfs()
{
	unshare -rm bash -c 'mount -t tmpfs -o "size=$1,noexec" tmpfs "$2" && eval "$3"' - "$1" "$WORK/small" "$2" 2>&1
}

if unshare -rm true 2>/dev/null; then
	out=$(with_tmpfs 64k "'$hostport' many '$WORK/small/lan' 2 </dev/null; find '$WORK/small' -mindepth 1 | wc -l")
	is "a file system without room for a segment" "$out" \
		"hostport: no room for $WORK/small/lan/segment (error -28): make some, or name a folder where there is more
0"
	out=$(with_tmpfs 300k "{ sleep 0.5; echo cast; echo read; } | '$hostport' many '$WORK/small/lan' 4; find '$WORK/small' -mindepth 1 | wc -l")
	like "one without room for all rings says so" "$out" \
		"no ring to port [0-9]+ can be made \(error -28\), frames to it are lost"
	like "... and all is cleaned up" "$out" "
0\$"
else
	skip "a file system without room" "it needs a mount namespace"
fi
mkdir -m 500 "$WORK/closed"
if [ "$(id -u)" = 0 ]; then
	chown 54321 "$WORK" "$WORK/closed"
	as="setpriv --reuid 54321 --clear-groups"
	chmod 755 "$WORK"
else
	as=
fi
out=$($as "$hostport" many "$WORK/closed" 1 2>&1 </dev/null)
is "a folder that nobody may write to" "$out" "hostport: cannot make $WORK/closed/segment (error -13)"
is "... is left as it was" "$(stat -c %a "$WORK/closed")" 500
if [ -n "$as" ]; then
	chown 0 "$WORK"
	ln -s "$WORK" /dev/shm/umf-54321
	out=$($as "$hostport" many lan 1 2>&1 </dev/null)
	rm /dev/shm/umf-54321
	like "a default folder that another user has made a symbolic link" "$out" \
		"^hostport: (the|cannot open the) folder /dev/shm/umf-54321 "
	is "... is not followed" "$(find "$WORK" -name lan)" ""
fi

# ---- calls to the host ----

if command -v strace >/dev/null; then
	strace -qq -f -e trace=unlink,unlinkat -o "$WORK/calls" "$hostport" many "$seg" 2 </dev/null >/dev/null
	calls=$(wc -l <"$WORK/calls")
	check "to make a segment and to remove it takes a few calls ($calls)" test "$calls" -le 10
	check "... and it is removed" test ! -e "$seg"
else
	skip "how many calls it takes" "it needs strace"
fi

# ---- memory ----

coproc ports { exec "$hostport" many "$seg" 60; }
read -r line <&"${ports[0]}"
is "60 ports join" "$line" ready
echo cast >&"${ports[1]}"
read -r line <&"${ports[0]}"
is "... each sends a broadcast to each" "$line" 3540
used=$(du -sk "$seg" | cut -f 1)
check "... the segment takes 64 MiB at most ($used KiB)" test "$used" -le 65536
echo read >&"${ports[1]}"
read -r line <&"${ports[0]}"
is "... and all of it arrives" "$line" 3540
# shellcheck disable=SC2093,SC1083 # bash: closes the descriptor of that name
exec {ports[1]}>&-
# shellcheck disable=SC2154 # set by coproc
wait "$ports_PID"
check "they leave nothing" test ! -e "$seg"

done_testing
