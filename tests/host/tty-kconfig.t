#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The configuration of the line selects nothing whose dependencies are not met.

. "$(dirname "$0")/../lib/tap.sh"

TOP=$(cd "$(dirname "$0")/../.." && pwd)
: "${KERNEL:=6.12}" "${BUILD_LINE:=$TOP/build/$KERNEL}"
[ -d "$BUILD_LINE/src" ] || skip_all "there is no tree $BUILD_LINE/src; make source"
obj=$(mktemp -d "${TMPDIR:-/tmp}/umf.XXXXXX") || exit 1
trap 'rm -rf "$obj"' EXIT

check "the line can be configured" "$TOP/tools/build/config.sh" "$BUILD_LINE/src" "$obj" default
is "no dependency is unmet" "$(grep -A 4 'unmet direct dependencies' "$obj/config.log")" ""
check "the serial core is there" grep -q '^CONFIG_SERIAL_CORE=y' "$obj/.config"
done_testing
