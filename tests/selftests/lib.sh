# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# For the tests of this collection: KTAP from the kernel's own helpers, and the rule interface.
#
#   control <statement>   writes it to /proc/umf/control; the reply on stdout, the status of the write
#   expect_ok, expect_refused <description> <statement>
#   expect_is <description> <got> <wanted>
#
# A test needs what `config` lists; without it, or without an eth0, it is skipped and says why.

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../kselftest/ktap_helpers.sh"

umf=/proc/umf

need()
{
	[ -e "$umf/control" ] || ktap_skip_all "there is no $umf/control: CONFIG_UMF is off"
	[ -e "$umf/control" ] || exit "$KSFT_SKIP"
	for device in "$@"; do
		[ -d "/sys/class/net/$device" ] && continue
		ktap_skip_all "there is no $device: boot with $device=switch,<segment>"
		exit "$KSFT_SKIP"
	done
}

control()
{
	control_status=0
	# shellcheck disable=SC2320 # the status of the write is what is asked for
	{ printf '%s' "$1" >"$umf/control"; } 2>/dev/null || control_status=$?
	cat "$umf/control"
	return "$control_status"
}

expect_ok()
{
	if reply=$(control "$2"); then
		ktap_test_pass "$1"
	else
		ktap_test_fail "$1"
		ktap_print_msg "'$2' was refused: $reply"
	fi
}

expect_refused()
{
	if reply=$(control "$2"); then
		ktap_test_fail "$1"
		ktap_print_msg "'$2' was taken: $reply"
	else
		ktap_test_pass "$1"
	fi
}

expect_is()
{
	if [ "$2" = "$3" ]; then
		ktap_test_pass "$1"
	else
		ktap_test_fail "$1"
		ktap_print_msg "got '$2', wanted '$3'"
	fi
}
