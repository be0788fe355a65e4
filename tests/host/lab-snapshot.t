#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab: snapshot and rollback touch only this lab's files, and are all or nothing, whenever they are ended. What they
# are for is in lab-disk.t.

. "$(dirname "$0")/../lib/lab.sh"

mkdir d1
LAB=$WORK/d1/t.lab
cat >"$LAB" <<E
memory = $GUEST_MEM
guest n1 { disk umfa { size = 1M } }
guest n2 { disk umfa { size = 1M } disk umfb { backing = base.img } }
E
truncate -s 1M d1/base.img

# write <text> <guest>…: to the first disk of each
write()
{
	local guest text=$1
	shift

	for guest in "$@"; do
		lab exec "$guest" "echo $text | dd of=/dev/umfa conv=notrunc,fsync 2>/dev/null" || return
	done
}

on_disk()
{
	head -n 1 "$1" | tr -d '\0'
}

pids()
{
	lab status --json | jq -r '.[].pid' | tr '\n' ' '
}

states()
{
	lab status --json | jq -r '.[].state' | tr '\n' ' '
}

# slow <seconds>: what copies files takes so long for each, first
slow()
{
	mkdir -p "$WORK/slow"
	printf '#!/bin/sh\n: >>%s\nsleep %s\nexec %s "$@"\n' "$WORK/copying" "$1" "$(command -v cp)" >"$WORK/slow/cp"
	chmod +x "$WORK/slow/cp"
	rm -f "$WORK/copying"
}

# begin <verb…>: in the background, as $pid, until it has begun to copy
begin()
{
	PATH=$WORK/slow:$PATH "$umf_lab" -f "$LAB" --kernel "$LINUX" "$@" >"$WORK/out" 2>&1 &
	pid=$!
	until_true 60 test -e "$WORK/copying"
}

leftovers()
{
	find "$WORK" -name '*.rollback*' -o -name rollback.json -o -name .part
}

run lab up
is "up: status" "$status: $err" "0: "
write ORIGINAL n1 n2
run lab snapshot before
like "snapshot: status" "$status: $err: $out" '^0: : before: 3 files'

# ---- a copy of the lab's folder ----

lab down
cp -a d1 d2
check "the first lab is up again" lab -q up
write LATER n1
run env -C d2 "$umf_lab" --kernel "$LINUX" rollback before
is "rollback in a copied folder: status" "$status: $err" "0: "
is "... the disk of the original stays" "$(on_disk d1/t.run/n1-umfa.img)" LATER
is "... that of the copy is put back" "$(on_disk d2/t.run/n1-umfa.img)" ORIGINAL
check "... what was made then is there" test -e d2/t.run/n2-umfb.cow
sed -i "s|[^ ]*n1-umfa.img|$WORK/d1/t.run/n1-umfa.img|" d2/t.run/snapshots/before/index
echo x >d2/t.run/n1-umfa.img
run env -C d2 "$umf_lab" --kernel "$LINUX" rollback before
like "a snapshot with another lab's file: status" "$status: $(wc -l <<<"$err"): $err" "^1: 1: umf-lab: .*/index: $WORK/d1/t.run/n1-umfa.img: is no file of this lab"
is "... the disk of the original stays" "$(on_disk d1/t.run/n1-umfa.img)" LATER
is "... and so do those of the copy" "$(on_disk d2/t.run/n1-umfa.img)" x
echo precious >d2/t.run/thesis.txt
for name in run:../t.lab run:thesis.txt "$WORK/d2/t.run/thesis.txt" "$WORK/d2/t.lab" run:/etc/passwd; do
	echo "0 $name" >d2/t.run/snapshots/before/index
	run env -C d2 "$umf_lab" --kernel "$LINUX" rollback before
	like "... nor ${name##*/d2/}" "$status: $err" '^1: .*is no file of this lab'
done
is "... which are as they were" "$(<d2/t.run/thesis.txt)" precious
rm -r d2

# ---- ended while it copies ----

old=$(pids)
slow 30
begin rollback before
is "while a rollback copies, the guests run" "$(pids)$(states)" "${old}ready ready "
kill -TERM "$pid"
check "Ctrl-C in a rollback: it ends at once" until_true 10 test ! -e "/proc/$pid"
wait "$pid"
is "... status" "$?" 143
is "... the guests are the same" "$(pids)$(states)" "${old}ready ready "
is "... and so are the disks" "$(on_disk d1/t.run/n1-umfa.img)" LATER
is "... nothing is left" "$(leftovers)" ""
slow 30
begin rollback before
kill -KILL "$pid"
{ wait "$pid"; } 2>/dev/null
is "kill -9 in a rollback: the guests are the same" "$(pids)$(states)" "${old}ready ready "
run lab -q rollback none
is "... what is left goes with the next verb" "$(leftovers)" ""
is "... the disks are as they were" "$(on_disk d1/t.run/n1-umfa.img)" LATER

slow 30
begin snapshot one
is "while a snapshot copies, the guests are frozen" "$(states)" "frozen frozen "
kill -TERM "$pid"
check "Ctrl-C in a snapshot: it ends at once" until_true 10 test ! -e "/proc/$pid"
wait "$pid"
is "... status" "$?" 143
is "... the guests go on" "$(states)" "ready ready "
is "... there is no such snapshot" "$(lab snapshot)$(leftovers)" before
slow 30
begin snapshot one
kill -KILL "$pid"
{ wait "$pid"; } 2>/dev/null
is "kill -9 in a snapshot: the guests are frozen" "$(states)" "frozen frozen "
run lab snapshot two
like "... the next snapshot: status" "$status: $out" '^0: two: 3 files'
is "... lets them go on" "$(states)" "ready ready "
is "... and is the only new one" "$(lab snapshot | tr '\n' ' ')" "before two "

# ---- ended between the copies and the end ----

lab kill n1 n2
for file in n1-umfa.img n2-umfa.img; do
	cp d1/t.run/$file "$WORK/$file"
	echo AFTER | dd of="$WORK/$file" conv=notrunc 2>/dev/null
done
cp "$WORK/n1-umfa.img" d1/t.run/n1-umfa.img
cp "$WORK/n2-umfa.img" d1/t.run/n2-umfa.img.rollback
echo '{ "state": "renaming", "files": [ "run:n1-umfa.img", "run:n2-umfa.img", "run:n2-umfb.cow" ] }' >d1/t.run/rollback.json
run lab restart
is "a rollback that was ended in the middle of its renames: restart" "$status: $err" "0: "
is "... it is carried out" "$(lab exec n1 'head -n 1 /dev/umfa') $(lab exec n2 'head -n 1 /dev/umfa')" "AFTER AFTER"
is "... nothing is left" "$(leftovers)" ""
run lab -q rollback before
is "rollback: status" "$status: $err" "0: "
is "... what was there is there" "$(lab exec n1 'head -n 1 /dev/umfa') $(lab exec n2 'head -n 1 /dev/umfa')" "ORIGINAL ORIGINAL"
echo "somebody's" >d1/t.run/n1-umfa.img.rollback
run lab -q rollback before
like "a file of somebody's in the way of a copy" "$status: $err" '^1: .*n1-umfa.img.rollback: is there already; nothing was changed'
is "... it stays" "$(<d1/t.run/n1-umfa.img.rollback)" "somebody's"
rm d1/t.run/n1-umfa.img.rollback
lab down
lab_clean n1 n2

# ---- a disk of the host that is full ----

mkdir small
if mount -t tmpfs -o size=1M none small 2>/dev/null; then
	LAB=$WORK/full.lab
	echo "memory = $GUEST_MEM guest n1 { disk umfa { size = 8M } }" >"$LAB"
	full()
	{
		lab --run "$WORK/small/run" "$@"
	}
	full -q up
	full exec n1 'dd if=/dev/urandom of=/dev/umfa bs=4k count=50 conv=fsync 2>/dev/null'
	full -q snapshot before
	dd if=/dev/zero of=small/filler bs=4k 2>/dev/null
	old=$(full status --json | jq '.[0].pid')
	run full rollback before
	like "a rollback on a full disk: status" "$status: $err" '^1: .*No space left on device.*before: nothing was changed'
	is "... the guest is the same" "$(full status --json | jq '.[0].pid')" "$old"
	is "... nothing is left" "$(leftovers)" ""
	rm small/filler
	run full rollback before
	is "... with room: status" "$status" 0
	full down
	until_true 10 umount small
else
	skip "a rollback on a full disk" "no tmpfs can be mounted here"
fi
done_testing
