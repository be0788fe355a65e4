#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
# log=: a disk's write log in dm-log-writes' format says what reached the image, in an order in which a power cut could have
# left it; ext4 is checked at every flush of one. BLK_LOG_FILES is how many files are synced for that (30).

. "$(dirname "$0")/../lib/blk.sh"

cow=$BIN/umf-cow
files=${BLK_LOG_FILES:-30}
cd "$WORK" || exit 1

# listed <log> [entry to begin with]: in one line
listed()
{
	"$cow" replay "$1" | tail -n +$((${2:-0} + 1)) | sed 's/^[0-9]* //' | joined
}

# again <description> <log> <image>: the log, done to the image as it was before (before.<image>), makes it as it is
again()
{
	cp --sparse=always "before.$3" replayed
	check "$1" "$cow" replay -q "$2" replayed
	check "... bit by bit" cmp replayed "$3"
}

# fresh <image> [version]
fresh()
{
	raw_image "$1" 1M "${2:-1}"
	cp "$1" "before.$1"
	rm -f log
}

log_of()
{
	mc d1 disk "$1" | sed -n 's/.*, log: //p'
}

gcc -shared -fPIC -O2 -o blkhost.so "$TOP/tests/selftests/blkhost.c" -ldl 2>/dev/null
export BLKHOST_FAIL=$WORK/fail BLKHOST_LOG=$WORK/calls LD_PRELOAD=$WORK/blkhost.so
fresh a
blk_boot d1 mem=128M umfa="$WORK/a,log=$WORK/log"
unset LD_PRELOAD
guest_allow d1 '(I/O|critical \w+|device offline) error, dev umf|Buffer I/O error on dev|lost (async|sync) page write' "disks and logs fail in this test"

# ---- what is in it ----

is "a new log is empty" "$(listed log)" ""
probe d1 write umfa 0 16 2 8
is "a write that is not flushed is not in it" "$(listed log)" ""
check "a mark" mc d1 disk umfa mark 'one  and two'
probe d1 sync umfa
probe d1 discard umfa 20 10
probe d1 zero umfa 40 8
probe d1 write umfa 60 8 3
probe d1 sync umfa
is "a flush brings it there, in order" "$(listed log)" \
	"mark one  and two, write 0+8, write 8+8, flush, discard 20+10, write 40+8, write 60+8, flush"
probe d1 write umfa 100 8 2
# Linux sends a flush behind it
probe d1 write umfa 200 8 2 8 fua
is "FUA is there at once, before what waits" "$(listed log 8)" "write fua 200+8, write 100+8, flush"
probe d1 write umfa 100 8 3
probe d1 write umfa 110 8 3
probe d1 write umfa 104 4 4 4 fua
is "... but not before a write of the same sectors" "$(listed log 11)" "write 100+8, write fua 104+4, write 110+8, flush"
like "disk tells" "$(mc d1 disk umfa)" "1 files, commit: none, log: 15 entries$"
probe d1 write umfa 300 8 5
check "unplugged" unplug d1 umfa
is "all is in it, and a mark" "$(listed log 15)" "write 300+8, mark dm-log-writes-end"
again "it is done again" log a
"$cow" create part -b before.a
check "done again to a delta" "$cow" replay -q log part
"$cow" convert -f part replayed
check "... the same" cmp replayed a
cp before.a replayed
check "a part of it: --entries" "$cow" replay -q --entries 3 log replayed
is "..." "$(map_of replayed 100)" "0 15 v2, 16 99 v1"
cp before.a replayed
check "... --until a mark" "$cow" replay -q --until 'one  and two' log replayed
check "..." cmp before.a replayed

# ---- in the order in which a power cut could find it ----

if [ -s calls ]; then
	fresh a
	plug d1 umfa="$WORK/a,log=$WORK/log" >/dev/null
	probe d1 write umfa 0 8 2
	: >calls
	echo "hold 1" >fail
	guest_exec d1 '/blk/blkprobe sync /dev/umfa >/dev/null & echo $! >/tmp/pid'
	until_true 10 grep -q sync calls || not_ok "the flush is under way"
	probe d1 write umfa 8 8 2
	mc d1 disk umfa mark meanwhile >/dev/null
	is "while a flush is under way nothing counts as flushed" "$(listed log)" "mark meanwhile"
	: >fail
	until_true 10 guest_exec d1 '! kill -0 $(cat /tmp/pid)'
	is "what was done after it was asked for is behind it" "$(listed log)" "mark meanwhile, write 0+8, flush"
	unplug d1 umfa >/dev/null
	is "..." "$(listed log 3)" "write 8+8, mark dm-log-writes-end"
	again "it is done again" log a

	# two writes of the same sectors, the first of which takes long to be logged
	fresh a
	plug d1 umfa="$WORK/a,log=$WORK/log" >/dev/null
	: >calls
	echo "late 1" >fail
	guest_exec d1 '(/blk/blkprobe write /dev/umfa 0 8 2; echo >/tmp/done2) &'
	until_true 10 grep -q write calls || not_ok "the first write is under way"
	guest_exec d1 '(/blk/blkprobe write /dev/umfa 0 8 3; echo >/tmp/done3) & sleep 1'
	: >fail
	until_true 10 guest_exec d1 'test -e /tmp/done2 -a -e /tmp/done3'
	unplug d1 umfa >/dev/null
	again "writes of the same sectors are logged as they reached them" log a
	cp before.a replayed
	"$cow" replay -q --entries 1 log replayed
	is "... the first with what it wrote" "$(map_of replayed 10)" "0 7 v2, 8 9 v1"

	# a log that cannot be written
	fresh a
	plug d1 umfa="$WORK/a,log=$WORK/log" >/dev/null
	probe d1 write umfa 0 8 2
	probe d1 sync umfa
	echo "map 28" >fail
	is "no space for the log: the write fails" "$(probe d1 write umfa 8 8 2)" "8 28"
	: >fail
	is "... and all after it: the log would be wrong" "$(probe d1 write umfa 16 8 2; probe d1 sync umfa)" $'16 28\n28'
	like "... disk tells" "$(mc d1 disk umfa)" "log: 2 entries, No space left on device"
	like "a mark fails, too" "$(mc d1 disk umfa mark x)" "log cannot be written \(No space"
	unplug d1 umfa >/dev/null
	is "... what it says was so" "$(listed log)" "write 0+8, flush"
	guest_allow d1 'its log is not complete' "its host is full"
	echo "sync 5" >fail
	rm -f log
	plug d1 umfa="$WORK/a,log=$WORK/log" >/dev/null
	is "a flush that fails" "$(probe d1 sync umfa)" 5
	: >fail
	is "... is not in the log" "$(listed log)" ""
	unplug d1 umfa >/dev/null
else
	skip "while a flush is under way nothing counts as flushed" "the kernel is linked statically: its host calls cannot be held"
fi

# ---- FUA behind much that waits ----

fresh a
plug d1 umfa="$WORK/a,log=$WORK/log" >/dev/null
for n in $(seq 17); do
	probe d1 write umfa 0 2048 "$n" 2048
done
is "17 MiB wait for a flush" "$(listed log)" ""
probe d1 write umfa 0 8 30 8 fua
like "behind that much FUA does not go first" "$(listed log)" "^write 0\+.*, write fua 0\+8, flush$"
unplug d1 umfa >/dev/null
again "it is done again" log a

# ---- with rules, with a cache, with its power cut: what the image holds ----

fresh a
fresh b
plug d1 umfa="$WORK/a,log=$WORK/log" >/dev/null
rule d1 lost op=write every=3 id=l
rule d1 torn op=write every=4 id=t
rule d1 corrupt op=write every=5 id=c
rule d1 misdirect op=write every=6 id=m
rule d1 flushlie every=2 id=f
for v in 2 3 4 5; do
	probe d1 write umfa $((v * 100)) 200 $v 7
	probe d1 sync umfa
done
for id in l t c m f; do
	check "... the rule $id has fired" test "$(stat_of d1 $id fired)" -gt 0
done
fault d1 clear
is "flushes that lied are not in it" "$(listed log | grep -o flush | wc -l)" 2
unplug d1 umfa >/dev/null
again "what rules did to writes is in the log" log a

fresh a
plug d1 umfa="$WORK/a,cache=volatile:64k,log=$WORK/log" >/dev/null
probe d1 write umfa 0 20 2
is "what is in a volatile cache is not logged" "$(listed log)" ""
probe d1 sync umfa
is "... when it is flushed it is" "$(listed log)" "write 0+20, flush"
probe d1 write umfa 30 5 6 5 fua
probe d1 write umfa 100 400 3 5
rule d1 powercut reorder=on torn=30% keep=50% seed=3
guest_exec d1 'sleep 0.2'
fault d1 clear
unplug d1 umfa >/dev/null
again "what a power cut left is in it" log a

# ---- a delta; what it refuses ----

raw_image base 1M 1
rm -f log
plug d1 umfa="$WORK/delta,backing=$WORK/base,order=strict,log=$WORK/log" >/dev/null
probe d1 write umfa 100 50 2 9
probe d1 write umfa 120 50 3 9 fua
probe d1 zero umfa 130 200
mc d1 disk umfa snapshot "$WORK/delta.old" >/dev/null
probe d1 write umfa 500 5 4
unplug d1 umfa >/dev/null
cp base replayed
"$cow" convert -f delta flat
check "a delta's log is done again to its backing file" "$cow" replay -q log replayed
check "... it is as the delta" cmp replayed flat

expect_refused "a file that is no log" d1 umfa="$WORK/a,log=$WORK/base" "log=.*/base: is something else; name a new file"
expect_refused "no folder" d1 umfa="$WORK/a,log=$WORK/none/log" "log=.*/none/log: No such file"
expect_refused "ro" d1 umfa="$WORK/a,ro,log=$WORK/log2" "log=.*/log2: nothing is written"
expect_refused "shared" d1 umfa="$WORK/a,shared,log=$WORK/log2" "log=.*/log2: what others write"
check_fails "... makes no file" test -e log2
plug d1 umfa="$WORK/a,log=$WORK/log2" >/dev/null
expect_refused "one log for two disks" d1 umfb="$WORK/b,log=$WORK/log2" "log=.*/log2: in use"
like "a mark without a text" "$(mc d1 disk umfa mark)" "needs a text"
plug d1 umfb="$WORK/b" >/dev/null
like "a mark without a log" "$(mc d1 disk umfb mark x)" "has no log"
unplug d1 umfa >/dev/null
head -c 600 log2 >short
perl -e 'open F, "+<", "short"; seek F, 16, 0; print F pack "Q<", 9'
perl -e 'open F, "+<", "a.moving" or open F, "+>", "a.moving"; print F pack "Q<3L<2x480", 0x6a736677736872, 1, 0, 512, 1'
expect_refused "one whose writer was cut off" d1 umfa="$WORK/a,log=$WORK/a.moving" "log=.*/a.moving: was cut off"
expect_refused "a log that is cut short" d1 umfa="$WORK/a,log=$WORK/short" "log=.*/short: was cut off"

# refused <description> <wanted> <umf-cow's arguments>…
refused()
{
	local description=$1 want=$2 out
	shift 2
	if out=$("$cow" "$@" 2>&1); then
		not_ok "$description" "umf-cow $* was done"
	else
		like "$description" "$out" "$want"
	fi
}
refused "umf-cow replay: no log" "^umf-cow: base: is no write log$" replay base
refused "... cut short" "^umf-cow: short: is cut short: 0 of its 9" replay short
refused "... a mark that is not there" "^umf-cow: log: has no mark none$" replay --until none log replayed
refused "... an image that is too small" "^umf-cow: log: entry [0-9]+: is behind the end" replay log log2
refused "... a check of nothing" "^umf-cow: --check needs an image" replay --check true log

# ---- the guest ends: in good order, killed; and goes on with its log ----

guest_stop d1
fresh a
blk_boot d2 umfa="$WORK/a,log=$WORK/log"
probe d2 write umfa 0 16 2 8
guest_stop d2
is "powered off: all is in it" "$(listed log)" "write 0+8, write 8+8, mark dm-log-writes-end"
blk_boot d2 umfa="$WORK/a,log=$WORK/log"
probe d2 write umfa 10 16 3 8
probe d2 sync umfa
probe d2 write umfa 30 16 4 8
guest_kill9 d2
is "killed: up to the last flush" "$(listed log 3)" "mark umf-again, write 10+8, write 18+8, flush"
blk_boot d2 umfa="$WORK/a,log=$WORK/log"
is "the next guest goes on: what was acknowledged is in it" "$(listed log 7)" "write 30+8, write 38+8, mark umf-again"
probe d2 write umfa 40 16 5
guest_stop d2
again "one log over three lives" log a

# ---- ext4 at every flush ----

truncate -s 24M fs
mkfs.ext4 -q -F fs 2>/dev/null
cp --sparse=always fs before.fs
rm -f log
blk_boot e1 umfa="$WORK/fs,log=$WORK/log"
guest_exec e1 'mount -t ext4 /dev/umfa /mnt && mkdir /mnt/d && sync && (i=0; while [ ! -e /tmp/stop ]; do i=$((i + 1)); echo $i >/mnt/d/n; mv /mnt/d/n /mnt/d/f$((i % 40)); rm -f /mnt/d/f$((i * 7 % 40)); done) >/dev/null 2>&1 &'
for n in $(seq "$files"); do
	guest_exec e1 "echo content of $n >/mnt/f$n && /blk/blkprobe sync /mnt/f$n" || not_ok "file $n is synced"
	mc e1 disk umfa mark "$n" >/dev/null || not_ok "mark $n"
done
guest_exec e1 'touch /tmp/stop; sleep 0.3; umount /mnt'
guest_stop e1
again "ext4: the log is done again" log fs
# The journal, then a check that finds nothing; then the files that were synced before the last mark.
cat >check <<'E2'
e2fsck -y -E journal_only "$IMAGE" >/dev/null 2>&1
e2fsck -fn "$IMAGE" >e2fsck.out 2>&1 || { cat e2fsck.out; exit 1; }
seq ${MARK:-0} 2>/dev/null | sed 's/.*/cat f&/' | debugfs -f /dev/stdin "$IMAGE" 2>/dev/null | grep '^content' >cat.out
seq ${MARK:-0} 2>/dev/null | sed 's/^/content of /' | cmp - cat.out || exit 2
E2
cp --sparse=always before.fs replayed
out=$("$cow" replay --check '. ./check' log replayed 2>&1)
is "ext4: at every flush it is sound, and what was synced is there" "$?" 0
like "..." "$out" "^[0-9]+ checks$"
check "... that were many (${out%% *})" test "${out%% *}" -gt $((files * 2))
cp --sparse=always before.fs replayed
out=$("$cow" replay --check '. ./check' --at mark log replayed 2>&1)
is "... and at every mark" "$out" "$((files + 1)) checks"
is "... each has a copy: the image is as the log says" "$(cmp replayed fs)" ""

# Would it be seen? The same log, as one would be that has flushes, FUA and marks before the writes they are about.
perl -e '
	open my $in, "<", "log" or die;
	open my $out, ">", "wrong" or die;
	read $in, my $head, 512;
	print $out $head;
	my $late = "";
	for (1 .. unpack "x16 Q<", $head) {
		read $in, my $entry, 512;
		my ($sector, $nr, $flags) = unpack "Q<3", $entry;
		read $in, my $data, 512 * ($flags & 4 ? 0 : $nr) if !($flags & 4) && $nr;
		$data = "" if $flags & 4 || !$nr;
		if ($flags & 11) { print $out $entry, $data } else { $late .= $entry . $data }
		if ($flags & 8) { print $out $late; $late = "" }
	}
	print $out $late'
cp --sparse=always before.fs replayed
out=$("$cow" replay --check '. ./check' --at mark wrong replayed 2>&1)
is "a log with flushes before their writes is found out" "$?" 3
like "..." "$out" "entry [0-9]+, after mark [0-9]+: the check failed"
done_testing
