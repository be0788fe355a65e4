#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab is killed (-9) at instants drawn at random, in every verb that changes something: afterwards one `down` leaves no
# process, nothing but whole files in the run folder, and no image that is half one thing and half another.
#
#   UMF_KILLS	how many (10)
#   UMF_SEED	of the instants, for another round of the same

. "$(dirname "$0")/../lib/lab.sh"

kills=${UMF_KILLS:-10}
seed=${UMF_SEED:-$((SRANDOM % 32768))}
diag "UMF_SEED=$seed"
RANDOM=$seed

cat >t.lab <<E
memory = $GUEST_MEM
append = "$lab_mark"
fencing = true
guest n1 { disk umfa { size = 1M } disk umfb { image = ext.img } }
guest n2 { disk umfa { size = 1M } }
E
truncate -s 1M ext.img
echo EXT | dd of=ext.img conv=notrunc 2>/dev/null
cp "$LAB" lab.saved
images=(t.run/n1-umfa.img t.run/n2-umfa.img)

# put <text>: on all disks of a lab that is down
put()
{
	local image

	for image in "${images[@]}" ext.img; do
		echo "$1" | dd of="$image" conv=notrunc 2>/dev/null
	done
}

on_disks()
{
	local image

	for image in "${images[@]}" ext.img; do
		head -n 1 "$image" | tr -d '\0'
	done | tr '\n' ' '
}

# killed <longest, ms> <verb…>: in the background, and killed within that time
killed()
{
	local ms=$((RANDOM * $1 / 32768)) pid
	shift

	last="$* after $ms ms"
	"$umf_lab" -f "$LAB" --kernel "$LINUX" "$@" >out 2>&1 &
	pid=$!
	sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
	kill -KILL $pid 2>/dev/null
	{ wait $pid; } 2>/dev/null
}

lab -q up || done_testing
lab down --kill
put OLD
lab snapshot old >/dev/null
before=$(find . -path ./t.run -prune -o -type f -print | sort)
verbs=(up restart snapshot rollback down)
for ((i = 0; i < kills; i++)); do
	verb=${verbs[i % 5]}
	put NEW
	[ "$verb" = up ] || lab -q up || break
	case $verb in
	up) killed 2500 up ;;
	restart) killed 3000 restart --kill ;;
	snapshot) killed 300 snapshot "s$i" ;;
	rollback) killed 600 rollback old ;;
	down) killed 1500 down ;;
	esac
	run lab down --kill
	[ "$status: $err" = "0: " ] || { last+=": down: $status: $err" && break; }
	[ -z "$(lab_marked)" ] || { last+=": guests run on" && break; }
	[ "$(pgrep -fc "um[f]-lab -f $LAB ")" = 0 ] || { last+=": a tool runs on" && break; }
	[ -z "$(ls -d "$(lab_live)" "$(lab_live).lock" 2>/dev/null)" ] || { last+=": $(lab_live) stays" && break; }
	disks=$(on_disks)
	[ "$disks" = "NEW NEW NEW " ] || { [ "$verb" = rollback ] && [ "$disks" = "OLD OLD OLD " ]; } ||
		{ last+=": disks: $disks" && break; }
	left=$(find . -name '*.rollback*' -o -name rollback.json -o -name '*.part' | grep -v '/snapshots/.part')
	[ -z "$left" ] || { last+=": $left" && break; }
	for name in $(lab snapshot); do
		[ "$(wc -l <"t.run/snapshots/$name/index")" = 3 ] || { last+=": snapshot $name is not whole" && break 2; }
	done
done
is "kill -9 at $kills instants of ${verbs[*]}" "$i${last:+ ($last)}" "$kills${last:+ ($last)}"
rm -f out err
is "... nothing outside the run folder is another" "$(find . -path ./t.run -prune -o -type f -print | sort)" "$(grep -v '/\(out\|err\)$' <<<"$before")"
check "... nor the lab file" cmp t.lab lab.saved
lab down --wipe
check_fails "... and --wipe leaves nothing" test -e t.run
done_testing
