#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Forks that are killed half way, as a cluster manager kills an agent that takes too long: the kernel goes on.

. "$(dirname "$0")/../lib/guest.sh"

mkdir "$WORK/share"
"${CC:-gcc}" -O2 -Wall -static -o "$WORK/share/forkkill" "$(dirname "$0")/forkkill.c" ||
	skip_all "forkkill cannot be built here; it needs gcc and a static libc"
guest_start g share="$WORK/share:/share"
guest_wait_ready g
check "200 forks are killed half way" guest_exec -t 100 g "/share/forkkill 200"
check "... and the guest goes on" guest_exec g true
check "... and ends with status 0" guest_stop g

done_testing
