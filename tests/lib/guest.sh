# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Guests for tests. A test is a bash script:
#
#   . "$(dirname "$0")/../lib/guest.sh"
#   guest_start n1 eth0=switch,"$WORK/seg" ip=eth0:10.0.0.1/24
#   guest_start n2 eth0=switch,"$WORK/seg" ip=eth0:10.0.0.2/24
#   guest_wait_ready n1 && guest_wait_ready n2
#   check "n1 reaches n2" guest_exec n1 "ping -c 1 -W 1 10.0.0.2"
#   guest_stop n1; guest_stop n2
#   done_testing
#
# The functions (umid: the guest's name, a word):
#
#   guest_start <umid> [kernel argument…]       boots it in the background, pinned to one CPU (the next in turn)
#   guest_wait_ready <umid> [seconds]           until it takes commands (default 60 s); not ready: log on stderr, status 1
#   guest_exec [-t seconds] <umid> <command>    runs a shell command in the guest; its output and its status
#                                               (124: not done in time, default 60 s; 125: the guest is gone)
#   guest_stop <umid> [seconds]                 powers it off; the status of its `linux` process (124: had to be killed)
#   guest_kill9 <umid>                          kill -9
#   guest_wait <umid> [seconds]                 until it has ended; the status of its `linux` process (124: still runs)
#   guest_run <umid> [argument…] -- <command>   boots it, runs the command on the console, its status; the output is in guest_log
#   guest_alive <umid>                          does its `linux` process run?
#   guest_log <umid>, guest_pid <umid>, guest_mconsole <umid>   path of the log, process, path of the mconsole socket
#   guest_allow <umid> <regex> <reason>         what this test provokes on purpose in that guest's log
#   scan_log <file> [extra allow file]          status 1 and the lines, when the kernel complains in it
#   done_testing                                stops what still runs, one check per guest that its log is clean, the plan
#
# and those of tap.sh. For tools that look for guests: UML_DIR is set, guests are found by umid.
#
# Variables: WORK is a temporary folder, gone at exit (after a failure the logs are kept under build/tests/).
# From the environment (make sets them): KERNEL, FLAVOR, LINUX, INITRAMFS, ROOTFS_EXT4, BIN. GUEST_MEM is the
# default of mem=, and its least on the debug flavour. A guest boots the initramfs unless an argument says root=. GUEST_ARGS go to every guest.
#
# Whatever way the script ends, its guests end with it: by process id, never by name.

LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$LIB/../.." && pwd)

# shellcheck source=tests/lib/tap.sh
. "$LIB/tap.sh"

: "${KERNEL:=6.12}" "${FLAVOR:=default}"
guest_suffix=-$FLAVOR
[ "$FLAVOR" != default ] || guest_suffix=
guest_kept=$TOP/build/tests/$KERNEL$guest_suffix/$(basename "$0")	# the logs of a test that failed
: "${LINUX:=$TOP/build/$KERNEL/linux$guest_suffix}"
: "${INITRAMFS:=$TOP/build/rootfs/initramfs.cpio.gz}"
: "${ROOTFS_EXT4:=$TOP/build/rootfs/rootfs.ext4}"
: "${BIN:=$TOP/build/bin}"
if [ "$FLAVOR" = debug ]; then
	: "${GUEST_MEM:=384M}"
else
	: "${GUEST_MEM:=96M}"
fi
export KERNEL FLAVOR LINUX INITRAMFS ROOTFS_EXT4 BIN

# Short: a socket's path, <umid>/mconsole included, has 107 characters.
WORK=$(mktemp -d "${TMPDIR:-/tmp}/umf.XXXXXX") || exit 1
UML_DIR=$WORK/uml
mkdir "$UML_DIR"
export WORK UML_DIR

declare -A guest_pids
guest_names=()

# CPUs this test may use; where in the list to start differs from test to test, for prove -j.
guest_cpus=()
guest_list_cpus()
{
	local range from to

	for range in $(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status | tr ',' ' '); do
		from=${range%-*} to=${range#*-}
		while [ "$from" -le "$to" ]; do
			guest_cpus+=("$from")
			from=$((from + 1))
		done
	done
	guest_next_cpu=$(($$ % ${#guest_cpus[@]}))
}
guest_list_cpus

guest_cleanup()
{
	local status=$? umid

	trap '' HUP INT TERM
	for umid in "${guest_names[@]}"; do
		guest_kill9 "$umid"
	done
	if [ "$status" -ne 0 ] && [ ${#guest_names[@]} -gt 0 ]; then
		mkdir -p "$guest_kept" && cp "$WORK"/*.log "$guest_kept/" && diag "logs: ${guest_kept#"$TOP/"}"
	fi
	rm -rf "$WORK"
	exit "$status"
}
trap guest_cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

guest_log()
{
	echo "$WORK/$1.log"
}

guest_pid()
{
	echo "${guest_pids[$1]}"
}

guest_mconsole()
{
	echo "$UML_DIR/$1/mconsole"
}

# A process that has ended but was not waited for is a zombie, and dead. Once it was waited for, its id may be another's.
guest_alive()
{
	local stat

	[ ! -e "$WORK/$1.status" ] || return 1
	{ read -r stat <"/proc/${guest_pids[$1]:-none}/stat"; } 2>/dev/null || return 1
	stat=${stat##*) }
	[ "${stat%% *}" != Z ]
}

# Arguments that only some kernels know, asked of the kernel itself.
guest_kernel_args()
{
	if [ -z "${guest_own_args+set}" ]; then
		[ -x "$LINUX" ] || skip_all "there is no kernel $LINUX; make KERNEL=$KERNEL FLAVOR=$FLAVOR"
		guest_own_args=
		! "$LINUX" --help 2>/dev/null | grep -q '^seccomp=' || guest_own_args=seccomp=on
	fi
}

guest_start()
{
	local umid=$1 cpu args least=()
	shift
	# shellcheck disable=SC2054 # the commas are UML's
	args=(umid="$umid" uml_dir="$UML_DIR/" hostname="$umid" con=null con0=null,fd:1 con1=fd:3,fd:4 agent=tty1)

	guest_kernel_args
	[[ " $*" == *" mem="* ]] || args+=(mem="$GUEST_MEM")
	# the last one counts
	if [ "$FLAVOR" = debug ] && [[ " $*" =~ " mem="([0-9]+)M ]] && [ "${BASH_REMATCH[1]}" -lt "${GUEST_MEM%M}" ]; then
		least=(mem="$GUEST_MEM")
	fi
	[[ " $*" == *" root="* ]] || args+=(initrd="$INITRAMFS")
	[[ " $*" == *" kunit."* ]] || args+=(kunit.enable=0)
	[ "$FLAVOR" != debug ] || args+=(leakcheck)
	# shellcheck disable=SC2206 # one word each
	args+=($guest_own_args ${GUEST_ARGS:-})

	guest_alive "$umid" && echo "guest_start: $umid runs already" >&2 && return 1
	cpu=${guest_cpus[$guest_next_cpu]}
	guest_next_cpu=$(((guest_next_cpu + 1) % ${#guest_cpus[@]}))
	rm -f "$WORK/$umid.cmd" "$WORK/$umid.reply"
	mkfifo "$WORK/$umid.cmd" "$WORK/$umid.reply"
	rm -f "$WORK/$umid.status"
	# A shell in between waits for it: bash would report every guest that a test kills. Its descriptors 3 and 4 are
	# opened both ways by the guest itself: neither end waits, and no reader's exit ends the stream.
	read -r "guest_pids[$umid]" < <(
		exec 2>>"$(guest_log "$umid")"
		taskset -c "$cpu" "$LINUX" "${args[@]}" "$@" ${least[@]+"${least[@]}"} </dev/null >&2 3<>"$WORK/$umid.cmd" 4<>"$WORK/$umid.reply" &
		echo $!
		exec >&-
		wait $!
		echo $? >"$WORK/$umid.ended"
		mv "$WORK/$umid.ended" "$WORK/$umid.status"
	)
	[[ " ${guest_names[*]} " == *" $umid "* ]] || guest_names+=("$umid")
}

guest_wait_ready()
{
	local umid=$1

	"$LIB/guest-exec" "$WORK/$umid" "${guest_pids[$umid]}" "${2:-60}" && return
	diag "$umid is not ready after ${2:-60} s:" "$(tail -n 20 "$(guest_log "$umid")")"
	return 1
}

guest_exec()
{
	local seconds=60

	if [ "$1" = -t ]; then
		seconds=$2
		shift 2
	fi
	"$LIB/guest-exec" "$WORK/$1" "${guest_pids[$1]}" "$seconds" "$2"
}

guest_wait()
{
	local umid=$1 end=$((SECONDS + ${2:-60}))

	[ -n "${guest_pids[$umid]}" ] || return 125
	while [ ! -e "$WORK/$umid.status" ]; do
		[ "$SECONDS" -lt "$end" ] || return 124
		sleep 0.05
	done
	return "$(<"$WORK/$umid.status")"
}

guest_stop()
{
	local status=0

	guest_exec -t 10 "$1" 'kill -USR2 1' >/dev/null
	guest_wait "$1" "${2:-60}" || status=$?
	[ "$status" -ne 124 ] || guest_kill9 "$1"
	return "$status"
}

# The userspace processes of a guest die with it (PR_SET_PDEATHSIG).
guest_kill9()
{
	! guest_alive "$1" || kill -9 "${guest_pids[$1]}"
	guest_wait "$1" 10
	return 0
}

guest_run()
{
	local umid=$1 args=()
	shift

	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		args+=("$1")
		shift
	done
	shift
	guest_start "$umid" "${args[@]}" -- "$*" || return 125
	guest_wait "$umid" "${GUEST_RUN_TIMEOUT:-300}"
}

guest_allow()
{
	printf '# %s\n%s\n' "$3" "$2" >>"$WORK/$1.allow"
}

scan_log()
{
	"$LIB/scan-log" "$LIB/log-allow" ${2:+"$2"} <"$1"
}

# Ends all guests, checks each log; then as tap.sh has it.
tap_done_testing=$(declare -f done_testing)
eval "tap_${tap_done_testing}"
done_testing()
{
	local umid allow

	for umid in "${guest_names[@]}"; do
		! guest_alive "$umid" || guest_stop "$umid" >/dev/null
		allow=$WORK/$umid.allow
		[ -e "$allow" ] || allow=
		check "the kernel log of $umid is clean" scan_log "$(guest_log "$umid")" "$allow"
	done
	tap_done_testing
}
