#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 3000
# kill -9 of a guest that writes: no acknowledged write is lost, on a raw image, a delta, a strict one, a chain.
# BLK_KILLS is how often (6).

. "$(dirname "$0")/../lib/blk.sh"

cd "$WORK" || exit 1
kills=${BLK_KILLS:-6}
sectors=32768 workers=2
images=(raw delta strict chain)
truncate -s 16M base

# Fresh images; the chain's lower delta has a little of its own.
make_images()
{
	rm -f raw delta strict chain lower merged*
	truncate -s 16M raw
	args=(umfa="$WORK/raw" umfb="$WORK/delta,backing=$WORK/base" umfc="$WORK/strict,backing=$WORK/base,order=strict")
	args+=(umfd="$WORK/chain,backing=$WORK/lower" umfe="$WORK/lower,backing=$WORK/base")
}

# load <umid> <seed>: all four disks
load()
{
	local n=0 disk

	for disk in umfa umfb umfc umfd; do
		guest_exec "$1" "/blk/blkprobe stress /dev/$disk $sectors $2 $workers $n >/dev/console 2>&1 </dev/null & " >/dev/null
		n=$((n + 1))
	done
}

# flat <image>: a raw file with its content
flat()
{
	case $1 in
	raw) cp --sparse=always raw merged.raw ;;
	chain)
		uml_moo -b base lower merged.low >/dev/null 2>&1
		touch -r lower merged.low
		uml_moo -b merged.low chain merged.chain >/dev/null 2>&1
		;;
	*) uml_moo -b base "$1" "merged.$1" >/dev/null 2>&1 ;;
	esac
}

command -v uml_moo >/dev/null || skip_all "there is no uml_moo (uml-utilities)"
make_images
# the chain needs its lower file first, and then read-only
blk_boot k0 "${args[4]}"
probe k0 write umfe 0 2048 255
guest_stop k0
acked=0
declare -A lost=()
for i in $(seq "$kills"); do
	umid=k$i
	rm -f "$(guest_log "$umid")"
	rm -f raw delta strict chain
	truncate -s 16M raw
	blk_boot "$umid" mem=128M "${args[@]:0:4}"
	load "$umid" "$i"
	sleep "$((i % 3)).$((i * 37 % 10))"
	guest_kill9 "$umid"
	for n in 0 1 2 3; do
		image=${images[n]}
		flat "$image"
		out=$("$blkprobe" check "merged.$image" $sectors "$i" $workers "$(guest_log "$umid")" A "$n") ||
			lost[$image]+="round $i: $out"$'\n'
		acked=$((acked + $(sed -n 's/ writes.*//p' <<<"$out")))
	done
done
for image in "${images[@]}"; do
	is "$image: nothing acknowledged is lost in $kills kills" "${lost[$image]}" ""
done
check "there was something to lose ($acked writes)" test "$acked" -gt $((kills * 20))

# ---- would the checker see it? ----

rm -f raw delta strict chain
truncate -s 16M raw
blk_boot liar "${args[@]:0:4}" umf="add umfa lost op=write prob=2% ; add umfb lost op=write prob=2%"
load liar 99
sleep 3
guest_kill9 liar
for n in 0 1; do
	flat "${images[n]}"
	check_fails "${images[n]}: with 2 % of writes lost, the loss is found" \
		"$blkprobe" check "merged.${images[n]}" $sectors 99 $workers "$(guest_log liar)" A "$n"
done
done_testing
