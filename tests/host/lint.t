#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
# checkpatch, sparse, W=1 and shellcheck find nothing; the build's own words are shown when they do.

. "$(dirname "$0")/../lib/tap.sh"

check "make lint" make -s --no-print-directory -C "$(dirname "$0")/../.." lint KERNEL="${KERNEL:-6.12}"
done_testing
