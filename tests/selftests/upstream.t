#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
# Collections of the kernel tree itself build, install and pass in a guest.
exec "$(dirname "$0")/../lib/kselftest-tap" size core
