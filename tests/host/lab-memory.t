#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A lab whose guests' memory is more than the host, or a control group, has for it: check says so, up refuses, --overcommit starts it.

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

# ---- control groups: a tree of our own in the place of the host's ----

unshare=(unshare -m)
"${unshare[@]}" true 2>/dev/null || unshare=(unshare -rm)
cat >tree <<'E'
mount -t tmpfs none /sys/fs/cgroup && cd /sys/fs/cgroup || exit 77
group()	# <folder> <limit> <used> <cache>: of version 2
{
	mkdir -p "./$1" && cd "./$1" || exit
	echo "$2" >memory.max
	echo "$3" >memory.current
	printf 'anon 1\nfile 99999999999\ninactive_file %s\nactive_file 1048576\n' "$4" >memory.stat
	cd /sys/fs/cgroup || exit
}
group1()	# … of version 1
{
	group "memory/$1" "$2" "$3" 0
	cd "./memory/$1" || exit
	mv memory.max memory.limit_in_bytes
	mv memory.current memory.usage_in_bytes
	printf 'inactive_file 99999999999\ntotal_inactive_file %s\ntotal_active_file 1048576\n' "$4" >memory.stat
	cd /sys/fs/cgroup || exit
}
E
# in_group <shell text>: check, where the tree is what that makes it
in_group()
{
	# shellcheck disable=SC2016 # the inner shell's
	run "${unshare[@]}" bash -c '. ./tree; eval "$1"; cd "$2" || exit; shift 2; exec "$@"' - "$1" "$WORK" \
		"$umf_lab" -f "$LAB" --kernel "$LINUX" check
}
cat >"$LAB" <<E
memory = 32M
guest n[1-2] {}
E
v2=$(sed -n 's/^0:://p' /proc/self/cgroup)
v1=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
swap=$(sed -n 's/^SwapFree: *\([0-9]*\) kB/\1/p' /proc/meminfo)
if ! "${unshare[@]}" mount -t tmpfs none /sys/fs/cgroup 2>/dev/null; then
	skip "control groups" "nothing can be mounted on /sys/fs/cgroup here"
elif [ "$swap" != 0 ]; then
	skip "control groups" "the host has swap, which guests' memory may go to"
else
	what="its guests' memory is 64M, and this control group"
	then="up takes --overcommit then"
	for kind in ${v2:+"group $v2"} ${v1:+"group1 $v1"}; do
		read -r make path <<<"$kind"
		[ "$make" = group ] && at=/sys/fs/cgroup || at=/sys/fs/cgroup/memory
		in_group "$make / 100000000000 0 0; $make '$path' 73400320 31457280 9437184"
		is "$make: a limit, less what is used and no cache" "$status: $err" \
			"0: umf-lab: $LAB: $what ($at${path%/}) has 50M; $then"
		in_group "$make '$path' 73400320 31457280 24117248"
		is "... what is enough" "$status: $err" "0: "
		in_group "$make '$path' max 31457280 0"
		is "... no limit" "$status: $err" "0: "
		in_group "$make '$path' 31457280 73400320 1048576"
		is "... above its limit, and cache" "$status: $err" "0: umf-lab: $LAB: $what ($at${path%/}) has 2M; $then"
		if [ "$path" != / ]; then
			in_group "$make / 31457280 0 0; $make '$path' 73400320 0 0"
			is "... a limit above it" "$status: $err" "0: umf-lab: $LAB: $what ($at) has 30M; $then"
		fi
	done
fi

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
