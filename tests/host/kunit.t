#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# The KUnit suites of umf, run by the kernel as it boots; one test here per KUnit case.
# KUNIT_FILTER=<glob> picks suites.

. "$(dirname "$0")/../lib/guest.sh"

guest_run kunit mem=256M kunit.enable=1 kunit.filter_glob="${KUNIT_FILTER:-umf*}" -- true
status=$?
log=$(guest_log kunit)
# ktap-to-tap numbers its own tests; the two of this script come first.
is "the guest ran to its end" "$status" 0
check "the kernel log of kunit is clean" scan_log "$log"
"$LIB/ktap-to-tap" --after "$tap_count" <"$log" || tap_failed=$((tap_failed + 1))
[ "$tap_failed" -eq 0 ]
exit
