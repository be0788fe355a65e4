#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# mconsole answers requests that it queues for process context in the order in which they were sent.

. "$(dirname "$0")/../lib/guest.sh"

guest_start order
guest_wait_ready order || exit 1

# Three: a reply has three packets, and a datagram socket holds ten.
files=(ostype hostname osrelease)
burst=("${files[@]/#/:proc sys/kernel/}")
wanted=$(guest_exec order 'cd /proc/sys/kernel && cat '"${files[*]}")

answers()
{
	"$LIB/mconsole-raw" -s "$(guest_pid order)" "$(guest_mconsole order)" "${burst[@]}" | sed -e 's/^0 \\n//' -e 's/\\n$//'
}

is "three requests in one burst are answered first-in first-out" "$(answers)" "$wanted"
in_order=0
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ "$(answers)" != "$wanted" ] || in_order=$((in_order + 1))
done
is "and so are ten more bursts" "$in_order" 10

done_testing
