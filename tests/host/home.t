#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A guest without a home folder, as of a service account, boots, and is found.

. "$(dirname "$0")/../lib/guest.sh"

# /tmp is everybody's.
umid=home-$$

# boot <HOME=…, or -u HOME> [argument…]: what `linux` says in $out, whether it was in /tmp/uml in $found
boot()
{
	local env=$1
	shift

	found=no
	# shellcheck disable=SC2086 # two words, or one
	env $env timeout 100 "$LINUX" mem=96M initrd="$INITRAMFS" con=null con0=null,fd:1 kunit.enable=0 umid="$umid" "$@" -- \
		'echo up; sleep 60' </dev/null >"$WORK/out" 2>&1 &
	until_true 60 grep -q '^up' "$WORK/out"
	[ ! -S "/tmp/uml/$umid/mconsole" ] || found=yes
	kill "$!"
	wait "$!"
	out=$(tr -d '\r' <"$WORK/out")
}

for home in "-u HOME" HOME=/nowhere; do
	boot "$home"
	like "$home: the guest boots" "$out" $'(^|\n)up'
	is "... and is where the tools look" "$found" yes
	check_fails "... and leaves nothing there" test -e "/tmp/uml/$umid"
done
boot HOME="$WORK"
like "with one it boots, too" "$out" $'(^|\n)up'
is "... and is in there" "$found" no
boot "-u HOME" uml_dir=/nowhere/at/all/
like "uml_dir= cannot be made: that is said" "$out" "Failed to mkdir '/nowhere/at/all/': No such file or directory"
like "... and the guest boots" "$out" $'(^|\n)up'
done_testing
