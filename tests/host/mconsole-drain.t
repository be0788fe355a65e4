#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A datagram that mconsole refuses does not keep those behind it waiting for more traffic: the socket's interrupt is
# edge-triggered, so the handler must read on until nothing is left.

. "$(dirname "$0")/../lib/guest.sh"

guest_start drain
guest_wait_ready drain || exit 1

# behind <datagram> <its answer>: sent with a valid request while the guest stands still
behind()
{
	local got

	got=$("$LIB/mconsole-raw" -s "$(guest_pid drain)" "$(guest_mconsole drain)" "$1" :version)
	like "a request behind '$1' is answered" "$got" "(^|"$'\n'")0 Linux drain "
	# Whatever a failure left in the socket's queue must not answer the next one.
	"$LIB/mconsole-raw" -t 1 "$(guest_mconsole drain)" :help >/dev/null
}

behind "raw:this is no request"
behind "version=1:version"
behind "len=512:version"
behind ":nonsense"
behind "size=4:version"

done_testing
