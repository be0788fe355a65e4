#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
# Who does what the host does not do at once: io_uring, or threads where the host has none for us; with either the disk is the
# same. BLK_ENGINE=uring|threads runs all other tests of the disk with one of them.

. "$(dirname "$0")/../lib/blk.sh"

cd "$WORK" || exit 1
unset BLK_ENGINE
raw_image a 4M 1
raw_image b 4M 1
raw_image base 4M 1
gcc -shared -fPIC -O2 -o blkhost.so "$TOP/tests/selftests/blkhost.c" -ldl 2>/dev/null
export BLKHOST_FAIL=$WORK/fail BLKHOST_LOG=$WORK/calls

rings()
{
	local fd n=0

	for fd in /proc/"$(guest_pid "$1")"/fd/*; do
		[[ $(readlink "$fd") != *io_uring* ]] || n=$((n + 1))
	done
	echo $n
}

engine()
{
	mc "$1" config "$2" | grep -o 'engine [a-z]*'
}

blk_boot d1 umfa="$WORK/a" umfb="$WORK/b,engine=threads"
if [ "$(rings d1)" -gt 0 ]; then
	is "the host has io_uring: a disk uses it" "$(engine d1 umfa)" "engine uring"
	is "... unless it is told not to" "$(engine d1 umfb), $(rings d1) ring" "engine threads, 1 ring"
	have_ring=y
else
	is "the host has no io_uring for us: threads do it" "$(engine d1 umfa)" "engine threads"
	like "... the log says so" "$(cat "$(guest_log d1)")" "umfa: no io_uring \(.*\), threads do it"
	have_ring=
fi
expect_refused "another engine" d1 umfc="$WORK/base,engine=steam" "'engine=steam' is none of"

# model <umf-option…>: random operations against a file
model()
{
	plug d1 umfc="$WORK/delta,backing=$WORK/base,$1" >/dev/null || diag "no disk with $1"
	guest_exec -t 200 d1 "rm -f /tmp/model; cat /dev/umfc >/tmp/below; /blk/blkmodel /dev/umfc /tmp/below /tmp/model $RANDOM 2000 4 rwzf 2>&1"
	unplug d1 umfc >/dev/null
	rm -f delta
}
for engine in uring threads; do
	[ -n "$have_ring" ] || [ $engine = threads ] || continue
	for how in engine=$engine engine=$engine,order=strict; do
		like "$how: a delta is as its model" "$(model "$how")" "^2000 operations"
	done
done
is "an unplugged disk leaves no ring" "$(rings d1)" "$([ -n "$have_ring" ] && echo 1 || echo 0)"
guest_stop d1

# ---- a host that has none ----

echo "setup 1" >fail
export LD_PRELOAD=$WORK/blkhost.so
blk_boot d2 umfa="$WORK/a"
unset LD_PRELOAD
probe d2 sync umfa
if [ -s calls ]; then
	is "io_uring forbidden: threads do it" "$(engine d2 umfa), $(rings d2) rings" "engine threads, 0 rings"
	like "... the log says so" "$(cat "$(guest_log d2)")" "umfa: no io_uring \(Operation not permitted\), threads do it"
	check "... they do" probe d2 write umfa 0 100 2 8 fua
	expect_refused "engine=uring is not to be had" d2 umfb="$WORK/b,engine=uring" "engine=uring: the host has no io_uring for us \(Operation not permitted\)"
	echo "setup 38" >fail
	plug d2 umfb="$WORK/b" >/dev/null
	like "a host that does not know it" "$(cat "$(guest_log d2)")" "umfb: no io_uring \(Function not implemented\), threads do it"
	unplug d2 umfb >/dev/null
	: >fail
else
	skip "io_uring forbidden: threads do it" "the kernel is linked statically: its host calls cannot be spoiled"
fi
if [ -s calls ] && [ -n "$have_ring" ]; then
	# what fails in the ring, as blk-host.t has it of threads; FUA is never done at once
	guest_allow d2 '(I/O|critical \w+) error, dev umf|Buffer I/O error on dev' "the host fails in this test"
	plug d2 umfb="$WORK/b,engine=uring" >/dev/null
	plug d2 umfc="$WORK/delta,backing=$WORK/base,order=strict,engine=uring" >/dev/null
	: >calls
	probe d2 write umfc 0 8 2 8 fua
	is "uring: the order of a strict delta" "$(cut -d' ' -f1 calls | joined)" "write, sync, map, sync, sync"
	echo "write 28" >fail
	is "uring: no space" "$(probe d2 write umfb 0 8 9 8 fua)" "0 28"
	echo "write 5" >fail
	is "uring: EIO" "$(probe d2 write umfb 0 8 9 8 fua)" "0 5"
	printf 'short 1\nintr 1\n' >fail
	check "uring: calls that do a part, and are interrupted, go on" probe d2 write umfb 100 64 4 64 fua
	: >fail
	is "... read" "$(probe d2 show umfb 90 80 | joined)" "90 99 v1, 100 163 v4, 164 169 v1"
	echo "sync 5" >fail
	is "uring: a sync that fails fails the flush" "$(probe d2 sync umfb)" 5
	: >fail
	is "... and all after it" "$(probe d2 sync umfb)" 5
fi
guest_stop d2
done_testing
