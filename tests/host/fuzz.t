#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# host only
# timeout: 300
# A short run of each fuzz target, the same inputs each time; `make fuzz` is the long one.

. "$(dirname "$0")/../lib/tap.sh"

TOP=$(cd "$(dirname "$0")/../.." && pwd)
command -v clang >/dev/null || skip_all "clang is not installed; make fuzz installs it"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/umf.XXXXXX") || exit 1
trap 'rm -rf "$WORK"' EXIT
echo 'int LLVMFuzzerTestOneInput(const char *data, unsigned long size) { return !data && size; }' >"$WORK/x.c"
clang -fsanitize=fuzzer,address -o "$WORK/x" "$WORK/x.c" 2>/dev/null ||
	skip_all "this clang has no libFuzzer; the package libclang-rt-dev has it"

check "they build" env -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES make -s -C "$TOP" NO_INSTALL=1 fuzz-build
for target in ring:20000 rule:10000 cow:10000 segment:100; do
	check "${target%:*}: nothing is found in ${target#*:} inputs" "$TOP/tests/fuzz/run" "x${target#*:}" "${target%:*}"
done

done_testing
