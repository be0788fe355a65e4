#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
# Our own kselftest collection passes in a guest.
exec "$(dirname "$0")/../lib/kselftest-tap" umf
