#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An argument with blanks is one word for the kernel and for init, and rules
# given with umf= are there when the guest is.

. "$(dirname "$0")/../lib/guest.sh"

guest_start n1 "umf=seed 77; add eth0 drop id=boot prob=25%" \
	umf="suspend boot" eth0=switch,"$WORK/seg" "words=one two"
guest_wait_ready n1 || exit 1
line=$(guest_exec n1 'cat /proc/cmdline')
like "an argument with blanks is quoted" "$line" '"words=one two"'
is "rules of umf= are there" "$(guest_exec n1 'cat /proc/umf/rules')" \
	"seed 77
add eth0 drop prob=25% id=boot
suspend boot"
like "the seed is printed at boot" "$(cat "$(guest_log n1)")" 'umf: seed 77'
guest_stop n1

guest_start n2 "umf=add eth0 drop prob=125%" eth0=switch,"$WORK/seg"
guest_wait_ready n2 || exit 1
like "a bad rule of umf= is one clear line in the log" \
	"$(cat "$(guest_log n2)")" 'umf: umf=: prob=125%: must be from 0% to 100%'
guest_stop n2

guest_run n3 -- "exit 7"
is "a command line of several words is init's" $? 7

done_testing
