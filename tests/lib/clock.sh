# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For tests of virtual time: guest.sh, and runs of guests under umf-clock. Each run has a folder, $WORK/<run>, which
# is where its processes are, so that no path in a command line differs from one run to another.
#
#   clock_start <run> <guests> [umf-clock option…]   the calendar, of guests n1 to n<guests>
#   clock_guest <run> <n> <seed> [kernel argument…] -- <command>   boots one; it ends with the command
#   clock_wait <run> [seconds]       until the calendar and all guests have ended; the calendar's status (124: too long)
#   clock_pid <run>                  the calendar's process
#   clock_guest_pid <run> <n>
#   clock_said <run>                 what it has said on stderr
#   same <run> <run> <file>          is that the same in both? what differs first is on stderr
#
# In a run's folder: clock.out (what happened), clock.err, n<n>.out (its console), n<n>.err, n<n>.status, n<n>.calls (its
# system calls and page faults). The library's own clean-up ends all of them.

# shellcheck source=guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

[ "$FLAVOR" != smp ] || skip_all "there is no virtual time on SMP"
clock_tool=$BIN/umf-clock
[ -x "$clock_tool" ] || skip_all "there is no $clock_tool; make tools"
declare -A clock_pids

clock_cleanup()
{
	local status=$? pid

	for pid in "${clock_pids[@]}"; do
		kill -9 "$pid" 2>/dev/null
	done
	(exit "$status")
	guest_cleanup
}
trap clock_cleanup EXIT

clock_pid()
{
	echo "${clock_pids[$1]}"
}

clock_guest_pid()
{
	echo "${clock_pids[$1/n$2]}"
}

clock_said()
{
	cat "$WORK/$1/clock.err"
}

clock_start()
{
	local dir=$WORK/$1 n names=()

	mkdir "$dir"
	ln -s "$INITRAMFS" "$dir/initrd"
	for ((n = 1; n <= $2; n++)); do names+=(./"n$n"); done
	read -r "clock_pids[$1]" < <(
		cd "$dir" || exit
		"$clock_tool" "${@:3}" clock "${names[@]}" >clock.out 2>clock.err &
		echo $!
		exec >&-
		wait $!
		echo $? >clock.ended
		mv clock.ended clock.status
	)
	until_true 20 test -S "$dir/clock" -o -e "$dir/clock.status"
}

# All on one CPU, as they take turns.
clock_guest()
{
	local dir=$WORK/$1 n=$2 seed=$3 args=() key=$1/n$2

	shift 3
	while [ "$1" != -- ]; do
		args+=("$1")
		shift
	done
	guest_kernel_args
	read -r "clock_pids[$key]" < <(
		cd "$dir" || exit
		# shellcheck disable=SC2086,SC2054 # one word each; the commas are UML's
		taskset -c "${guest_cpus[$((guest_next_cpu % ${#guest_cpus[@]}))]}" "$LINUX" umid="n$n" uml_dir=./ hostname="n$n" mem="$GUEST_MEM" \
			initrd=initrd con=null con0=null,fd:1 kunit.enable=0 $guest_own_args time-travel="ext:$n:clock" random-seed="$seed" \
			umf="seed $seed" time-travel-cost=1000 time-travel-log="n$n.calls" "${args[@]}" -- "$2" >"n$n.out" 2>"n$n.err" </dev/null &
		echo $!
		exec >&-
		wait $!
		echo $? >"n$n.ended"
		mv "n$n.ended" "n$n.status"
	)
}

clock_wait()
{
	local dir=$WORK/$1 key

	if ! until_true "${2:-60}" test -e "$dir/clock.status"; then
		kill -9 "${clock_pids[$1]}"	# and its guests end
		return 124
	fi
	for key in "${!clock_pids[@]}"; do
		[[ $key != "$1"/* ]] || until_true 20 test -e "$WORK/$key.status" || return 124
	done
	return "$(<"$dir/clock.status")"
}

same()
{
	[ -s "$WORK/$1/$3" ] || { echo "$1/$3 is empty" && return 1; }
	cmp -s "$WORK/$1/$3" "$WORK/$2/$3" && return
	diff "$WORK/$1/$3" "$WORK/$2/$3" | head -n 6
	return 1
}
