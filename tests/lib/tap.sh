# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# TAP for shell tests. Source it, make checks, end with done_testing.
#
#   check <description> <command> [argument…]   ok when the command succeeds; else its output is shown
#   check_fails <description> <command>…        ok when it fails
#   is <description> <got> <wanted>             ok when both are the same text
#   like <description> <got> <extended regex>   ok when the text matches
#   ok <description>, not_ok <description> [why…]
#   skip <description> <reason>                 counted, and says why
#   until_true <seconds> <command>…             runs it until it succeeds; 1 when the time is over
#   skip_all <reason>                           nothing can be tested: ends the script
#   plan <n>                                    optional; done_testing prints the plan otherwise
#   diag <text>…                                shown by prove
#   done_testing                                plan, exit status (0 all ok, 1 not)

tap_count=0
tap_failed=0
tap_plan=

ok()
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

not_ok()
{
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $1"
	diag "failed: $1"	# with its reasons; prove shows no "not ok"
	shift
	[ $# -eq 0 ] || diag "$@"
}

skip()
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

skip_all()
{
	echo "1..0 # SKIP $*"
	exit 0
}

plan()
{
	tap_plan=$1
	echo "1..$1"
}

# Every line of the text becomes a comment; on stderr, so that prove shows it.
diag()
{
	printf '%s\n' "$*" | sed 's/^/# /' >&2
}

check()
{
	local description=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	if [ "$status" -eq 0 ]; then
		ok "$description"
	else
		not_ok "$description" "$* = $status" "$output"
	fi
}

check_fails()
{
	local description=$1 output
	shift
	if output=$("$@" 2>&1); then
		not_ok "$description" "$* succeeded" "$output"
	else
		ok "$description"
	fi
}

until_true()
{
	local end=$((SECONDS + $1))
	shift

	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

is()
{
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "got:    $2"$'\n'"wanted: $3"
	fi
}

like()
{
	if [[ $2 =~ $3 ]]; then
		ok "$1"
	else
		not_ok "$1" "got:           $2"$'\n'"does not match: $3"
	fi
}

done_testing()
{
	[ -n "$tap_plan" ] || echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
	exit
}
