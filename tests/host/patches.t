#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 1800
# Every patch of the line's series applies without fuzz, builds, and names its test.

. "$(dirname "$0")/../lib/tap.sh"

check "make patches-check" make -s --no-print-directory -C "$(dirname "$0")/../.." patches-check KERNEL="${KERNEL:-6.12}" LINES="${KERNEL:-6.12}"
done_testing
