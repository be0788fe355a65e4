# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For tests of the NIC with real programs in the guests: net.sh, and programs of this machine, which the guests see below
# /prog.
#
#   real_programs <program>…       copies them, once; ends the test, skipped, when one is not on this machine
#   real_boot <n> <argument>…      a guest with them: guest n<n>, with the arguments of guest_start
#   real_ready <n>                 waits for it; else ends the test
#   in_guest <n> <command>         runs it; its output. When it fails the test ends
#   trips <n> <address> <count> [ms apart]
#                                  pings; sets $received and $longest, the longest run of lost ones
#   link_of <n> <interface> <key>  of /sys/class/net

# shellcheck source=net.sh
. "$(dirname "${BASH_SOURCE[0]}")/net.sh"

real_dir=$TOP/build/tests/programs

real_programs()
{
	local program

	for program; do
		PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || skip_all "there is no $program here"
	done
	mkdir -p "$real_dir/tc"
	(
		flock 9
		"$TOP/rootfs/add-program" "$real_dir" "$@" &&
			cp -n /usr/lib/tc/*.dist /usr/lib/*/tc/*.dist "$real_dir/tc/" 2>/dev/null
		true
	) 9>"$TOP/build/tests/.programs.lock" || skip_all "the programs cannot be copied: $*"
}

real_boot()
{
	local n=$1
	shift
	guest_start "n$n" "share=$real_dir:/prog" "share=$net_dir:/net" umf="seed 2004" "$@"
}

real_ready()
{
	guest_wait_ready "n$1" || exit 1
	in_guest "$1" 'mkdir -p /lib; for d in /prog/lib/* /prog/lib64; do t=${d#/prog}; [ -e "$t" ] || ln -s "$d" "$t"; done'
}

in_guest()
{
	guest_exec -t 120 "n$1" "$2" || {
		diag "n$1: $2: failed"
		exit 1
	}
}

trips()
{
	local apart=${4:-5}

	out=$(guest_exec -t 120 "n$1" "/net/netprobe echo $2 $3 $((apart * 1000)) 2000") || exit 1
	# shellcheck disable=SC2034 # used by the tests
	read -r received longest < <(awk -v count="$3" '
		NF == 2 { came[$1] = 1 }
		END {
			for (i = 1; i <= count; i++) {
				run = came[i] ? 0 : run + 1
				n += came[i]
				if (run > longest) longest = run
			}
			print n + 0, longest + 0
		}' <<<"$out")
}

link_of()
{
	guest_exec "n$1" "cat /sys/class/net/$2/$3"
}
