#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Time spent in user space is counted as such, time in the kernel as the kernel's.

. "$(dirname "$0")/../lib/guest.sh"

# share <command>: how much of its time is user time, in percent
share()
{
	guest_exec n1 "$1 & pid=\$!; sleep 3; read -r line <\"/proc/\$pid/stat\"; kill \$pid
		set -- \${line##*) }; shift 11; echo \$((\$1 * 100 / (\$1 + \$2 + 1)))"
}

guest_start n1
guest_wait_ready n1
user=$(share 'sh -c "while :; do :; done"')
check "a loop that asks the kernel nothing: $user % user time" test "$user" -ge 80
# Each call costs two changes of process, whose waiting on a busy host is nobody else's: few and long calls.
system=$(share 'dd if=/dev/zero of=/dev/null bs=32M')
check "one that only asks the kernel: $system %" test "$system" -le 75
check "all the guest's: /proc/stat has user time" guest_exec n1 'read -r _ user _ </proc/stat && [ "$user" -gt 100 ]'
done_testing
