#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# mconsole trusts neither the length of a datagram nor its len field: every malformed one gets one error reply and is
# never completed from what an earlier request has left in the buffer.

. "$(dirname "$0")/../lib/guest.sh"

guest_start length
guest_wait_ready length || exit 1

ask()
{
	"$LIB/mconsole-raw" "$@"
}
socket=$(guest_mconsole length)

# refused <description> <datagram>: exactly one reply, an error
refused()
{
	# what a careless reader would find in its buffer
	ask "$socket" ":version" >/dev/null
	like "$1 is refused" "$(ask -n 2 -t 1 "$socket" "$2")" '^(1 |v0 ERR)[^'$'\n'']*$'
}

text511=$(printf 'log %0507d' 0)

refused "the magic alone" size=4:version
refused "half a header" size=8:version
refused "a header that is one byte short" size=11:version
refused "a header that promises what was not sent" size=12:version
refused "a len that reaches beyond the datagram" size=19,len=8:version
refused "a len of 511 over seven bytes" size=19,len=511:version
refused "an empty command" size=12:
refused "a request of 512 bytes" ":${text511}0"
refused "a len of 512 over a short command" len=512:version
refused "a len of 4 GiB" len=4294967295:version
refused "protocol version 1" version=1:version
refused "protocol version 3" version=3:version
refused "a datagram without the magic" magic=1:version
refused "a line of text" "raw:version"

is "a request of 511 bytes is taken" "$(ask "$socket" ":$text511")" "0 "
# The kernel holds back a line without newline until the next one.
ask "$socket" ":log end" >/dev/null
like "its text is all there" "$(guest_exec length dmesg)" ' 0{507}('$'\n''|$)'
like "an exact datagram without padding is taken" "$(ask "$socket" size=19:version)" '^0 Linux length '
ask -n 1 -t 1 "$socket" "raw:" >/dev/null
like "the guest goes on" "$(ask "$socket" :version)" '^0 Linux length '

done_testing
