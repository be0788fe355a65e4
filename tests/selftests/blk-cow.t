#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
# COW files: deltas of our own and of uml_mkcow, chains, discard; uml_moo agrees with what the guest reads.

. "$(dirname "$0")/../lib/blk.sh"

raw_image "$WORK/base" 4M 1
sum=$(md5sum <"$WORK/base")
blk_boot d1

check "a delta that is not there is made" plug d1 umfa="$WORK/d1,backing=$WORK/base"
expect_map "it shows its backing file" d1 umfa 8192 "0 8191 v1"
check "single sectors are written" probe d1 write umfa 3 5 2 1
check "... and a run that crosses bytes of the bitmap" probe d1 write umfa 13 150 3
check "... and the last sector" probe d1 write umfa 8191 1 4
want="0 2 v1, 3 7 v2, 8 12 v1, 13 162 v3, 163 8190 v1, 8191 8191 v4"
expect_map "a read that mixes both files is right" d1 umfa 8192 "$want"
is "the backing file is as before" "$(md5sum <"$WORK/base")" "$sum"
check "the delta holds what was written, no more" test "$(stat -c %b "$WORK/d1")" -lt 400
check "unplugged" unplug d1 umfa
if command -v uml_moo >/dev/null; then
	uml_moo -b "$WORK/base" "$WORK/d1" "$WORK/merged" >/dev/null 2>&1
	is "uml_moo merges it to the same" "$(map_of "$WORK/merged" 8192)" "$want"
	uml_mkcow "$WORK/mk" "$WORK/base" >/dev/null 2>&1
	check "a delta made by uml_mkcow is taken" plug d1 umfa="$WORK/mk"
	expect_map "it shows its backing file" d1 umfa 8192 "0 8191 v1"
	check "is written" probe d1 write umfa 100 4000 5
	check "unplugged" unplug d1 umfa
	uml_moo -b "$WORK/base" "$WORK/mk" "$WORK/merged" >/dev/null 2>&1
	is "uml_moo merges it" "$(map_of "$WORK/merged" 8192)" "0 99 v1, 100 4099 v5, 4100 8191 v1"
	cmp -n 32 "$WORK/mk" "$WORK/d1" >/dev/null
	is "both headers are the same" "$(head -c 4128 "$WORK/mk" | md5sum)" "$(head -c 4128 "$WORK/d1" | md5sum)"
else
	skip "uml_moo agrees" "there is no uml_moo (uml-utilities)"
fi
check "it is plugged again" plug d1 umfa="$WORK/d1"
expect_map "all is there" d1 umfa 8192 "$want"

# ---- discard shows the backing file again, zeroes do not ----

check "discard" probe d1 discard umfa 20 100
expect_map "shows what lies below" d1 umfa 8192 "0 2 v1, 3 7 v2, 8 12 v1, 13 19 v3, 20 119 v1, 120 162 v3, 163 8190 v1, 8191 8191 v4"
check "write-zeroes" probe d1 zero umfa 1000 3000
expect_map "hides it" d1 umfa 8192 "0 2 v1, 3 7 v2, 8 12 v1, 13 19 v3, 20 119 v1, 120 162 v3, 163 999 v1, 1000 3999 zero, 4000 8190 v1, 8191 8191 v4"
check "unplugged" unplug d1 umfa
check "zeros took no space" test "$(stat -c %b "$WORK/d1")" -lt 400

# ---- the classic workflow: copy the delta, and the base elsewhere ----

cp --sparse=always "$WORK/d1" "$WORK/copy"
check "a copied delta" plug d1 umfa="$WORK/copy"
check "unplugged" unplug d1 umfa
mkdir "$WORK/moved"
mv "$WORK/base" "$WORK/moved/base"
expect_refused "its backing file moved" d1 umfa="$WORK/copy" "base: no such file.*backing="
check "backing= says where it is" plug d1 umfa="$WORK/copy,backing=$WORK/moved/base"
expect_map "it reads the same" d1 umfa 13 "0 2 v1, 3 7 v2, 8 12 v1"
check "unplugged" unplug d1 umfa
mv "$WORK/moved/base" "$WORK/base"

# ---- a chain: delta <n> on delta <n - 1>; each writes sector 8n to 8n + 3 ----

below=$WORK/base
for n in $(seq 40); do
	if ! plug d1 umfb="$WORK/c$n,backing=$below" || ! probe d1 write umfb $((8 * n)) 4 $((100 + n)) || ! unplug d1 umfb; then
		not_ok "chain of $n"
	fi >/dev/null
	below=$WORK/c$n
done
check "a chain of 41 files" plug d1 umfb="$below"
want="0 7 v1"
for n in $(seq 40); do
	want+=", $((8 * n)) $((8 * n + 3)) v$((100 + n)), $((8 * n + 4)) $((8 * n + 7)) v1"
done
expect_map "each sector comes from the topmost file that has it" d1 umfb 328 "$want"
check "a run over all of them is written" probe d1 write umfb 0 328 200
expect_map "and hides them" d1 umfb 400 "0 327 v200, 328 399 v1"
check "unplugged" unplug d1 umfb

# ---- strict ----

check "order=strict" plug d1 umfa="$WORK/strict,backing=$WORK/base,order=strict"
check "writes" probe d1 write umfa 5 100 7 3
check "discards" probe d1 discard umfa 10 10
expect_map "as the other" d1 umfa 8192 "0 4 v1, 5 9 v7, 10 19 v1, 20 104 v7, 105 8191 v1"
check "unplugged" unplug d1 umfa

# ---- beyond 8 TiB ----

truncate -s 9T "$WORK/huge" 2>/dev/null
if [ "$(stat -c %s "$WORK/huge")" = $((9 << 40)) ]; then
	last=$(((9 << 31) - 1))
	check "a delta on a disk of 9 TiB" plug d1 umfa="$WORK/hugecow,backing=$WORK/huge"
	check "its last sectors are written" probe d1 write umfa $((last - 99)) 100 8
	check "unplugged" unplug d1 umfa
	check "and again" plug d1 umfa="$WORK/hugecow"
	is "they are there" "$(probe d1 show umfa $((last - 199)) 200 | joined)" \
		"$((last - 199)) $((last - 100)) zero, $((last - 99)) $last v8"
	check "unplugged" unplug d1 umfa
	check "it takes next to nothing of the host" test "$(stat -c %b "$WORK/hugecow")" -lt 1000
else
	skip "a delta on a disk of 9 TiB" "no such file can be made here"
fi
is "in all this the backing file was never written" "$(md5sum <"$WORK/base")" "$sum"
done_testing
