#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# timeout: 600
# Who does what the host does not do at once: io_uring, or threads where the host has none for us; with either the disk is the
# same. And direct I/O. BLK_ENGINE=uring|threads runs all other tests of the disk with one of them.

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

# ---- direct: past the host's memory ----

# cached <file>: bytes of it that the host has in its memory
cached()
{
	fincore --bytes --noheadings --output RES "$1" | tr -d ' '
}

raw_image a 4M 1
truncate -s 2097664 odd
"$blkprobe" write odd 0 4097 1
sync -f a
blk_boot d3
if plug d3 umfa="$WORK/a,direct" >/dev/null; then
	for engine in uring threads; do
		[ -n "$have_ring" ] || [ $engine = threads ] || continue
		unplug d3 umfa >/dev/null
		sync -f a
		plug d3 umfa="$WORK/a,direct,engine=$engine" >/dev/null
		probe d3 write umfa 0 4096 2 64
		expect_map "direct, $engine: what is written is read" d3 umfa 4096 "0 4095 v2"
		before=$(cached a)
		probe d3 write umfa 0 4096 3 64
		probe d3 read umfa 0 4096 64
		check "... the host keeps none of it ($before, $(cached a) bytes)" test "$(cached a)" -le 65536
		probe d3 write umfa 1 3 4 1
		probe d3 write umfa 4095 1 4 1 fua
		expect_map "... of any sector" d3 umfa 4096 "0 0 v3, 1 3 v4, 4 4094 v3, 4095 4095 v4"
		plug d3 umfb="$WORK/odd,direct,engine=$engine" >/dev/null
		probe d3 write umfb 4090 7 2
		expect_map "... up to the end of a file that ends within a block" d3 umfb 4097 "0 4089 v1, 4090 4096 v2"
		probe d3 write umfb 4090 7 1
		unplug d3 umfb >/dev/null
		plug d3 umfc="$WORK/delta,backing=$WORK/base,direct,engine=$engine" >/dev/null
		guest_exec -t 200 d3 "rm -f /tmp/model; cat /dev/umfc >/tmp/below; /blk/blkmodel /dev/umfc /tmp/below /tmp/model 5 1000 4 rwzf >/tmp/out 2>&1"
		like "... a delta is as its model" "$(guest_exec d3 'cat /tmp/out')" "^1000 operations"
		mc d3 disk umfc snapshot "$WORK/delta.old" >/dev/null
		guest_exec -t 200 d3 "/blk/blkmodel /dev/umfc /tmp/below /tmp/model 6 1000 4 rwzf >/tmp/out 2>&1"
		like "... and after a snapshot" "$(guest_exec d3 'cat /tmp/out')" "^1000 operations"
		unplug d3 umfc >/dev/null
		rm -f delta delta.old
	done
	unplug d3 umfa >/dev/null
	plug d3 umfa="$WORK/a,engine=threads" >/dev/null
	probe d3 read umfa 0 4096 64
	check "without direct it does ($(cached a) bytes)" test "$(cached a)" -gt 2000000
else
	skip "direct, and what is written is read" "the file system of $WORK has no direct I/O"
fi
if mkdir ram && mount -t ramfs none ram 2>/dev/null; then
	truncate -s 1M ram/image
	expect_refused "a file system without direct I/O" d3 umfb="$WORK/ram/image,direct" "ram/image: its file system has no direct I/O"
	umount ram
else
	skip "a file system without direct I/O" "no ramfs can be mounted here"
fi
guest_stop d3
done_testing
