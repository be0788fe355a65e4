#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 1500
# A random mix of all that can be done to a disk, on all a disk is asked: raw images and deltas, with a cache and without, by
# both engines, with rules that come, open, close, are suspended and go at any moment, snapshots and commits between
# them. The guest does not mind, and after `clear` all is as if there had been no rule.
#
#   BLK_MIX_SECONDS=600    how long (15)
#   BLK_MIX_SEED=7         another mix; the rules and their order come from it, not their moments

. "$(dirname "$0")/../lib/blk.sh"

SECONDS_OF_MIX=${BLK_MIX_SECONDS:-15}
SEED=${BLK_MIX_SEED:-1}
diag "BLK_MIX_SEED=$SEED, $SECONDS_OF_MIX s"
RANDOM=$SEED
log=$WORK/mix.log	# kept with the guest's when something fails
size=4096		# sectors

cd "$WORK" || exit 1
for i in a b c d; do
	raw_image $i 2M 1
done
blk_boot d1 umfa="$WORK/a,engine=uring" umfb="$WORK/cow,backing=$WORK/b,engine=threads" \
	umfc="$WORK/cow2,backing=$WORK/c,cache=volatile:256k,engine=uring,log=$WORK/writes" \
	umfd="$WORK/d,cache=volatile,logical=4096,engine=threads"
guest_allow d1 '(I/O|critical \w+|protection|timeout|reservation conflict|device offline|operation not supported) error, dev umf' "the faults of this test"
guest_allow d1 'Buffer I/O error on dev|lost (async|sync) page write' "the faults of this test"
disks=(umfa umfb umfc umfd)

# ---- what the disks are asked ----

cat >"$blk_dir/mix.$$" <<'S'
disk=$1 n=0
while [ -e /tmp/mix ]; do
	n=$((n + 1))
	# in blocks of 4096 bytes
	at=$((RANDOM % 384 * 8)) nr=$(((RANDOM % 64 + 1) * 8))
	case $((RANDOM % 10)) in
	0 | 1) /blk/blkprobe aio $disk $at $nr 8 $((n % 200 + 2)) ;;
	2 | 3) /blk/blkprobe aio $disk $at $nr 8 ;;
	4) /blk/blkprobe write $disk $at $nr $((n % 200 + 2)) 64 ;;
	5) /blk/blkprobe write $disk $at 16 $((n % 200 + 2)) 8 fua ;;
	6) /blk/blkprobe read $disk $at $nr 128 ;;
	7) /blk/blkprobe sync $disk ;;
	8) /blk/blkprobe discard $disk $at $nr ;;
	9) /blk/blkprobe zero $disk $at $nr ;;
	esac
done
echo "$disk $n" >>/tmp/asked
S
guest_exec d1 'touch /tmp/mix /tmp/asked; for d in a b c d; do echo 700 >/sys/block/umf$d/queue/io_timeout; done'
load()
{
	guest_exec d1 "for i in 1 2; do sh /blk/mix.$$ /dev/$1 </dev/null >/dev/null 2>&1 & done"
}

# ---- rules ----

# pick <word>…: one of them, in $it
pick()
{
	shift $((RANDOM % $#))
	it=$1
}

# random_rule: in $rule. What keeps or refuses everything has an end of its own, and soon.
random_rule()
{
	pick error error badsector corrupt corrupt torn torn lost misdirect stale delay rate hang timeout offline readonly nospace flushlie powercut powercut
	rule=$it
	case $rule in
	error) pick "" "status=medium" "status=nospc" "status=notsupp op=discard" "unit=block" "place=on" "op=flush,fua" ;;
	badsector) pick "sectors=$((RANDOM % 4000))+16" "sectors=0-4095 rewrites=0" "sectors=$((RANDOM % 2000))+1000 rewrites=2" ;;
	corrupt) pick "bits=64" "op=write bits=64" "op=write bytes=100" "data=deadbeef" "sticky=on" "unit=block bits=5" "op=write place=on" ;;
	torn) pick "" "done=1" "done=0" "done=9" ;;
	lost) pick "" "unit=block" "op=write" "place=on" ;;
	misdirect) pick "" "shift=8" "op=write" ;;
	delay) pick "time=1ms" "time=5ms jitter=5ms" "time=60ms" ;;
	rate) pick "iops=200" "bps=2000000" ;;
	powercut) pick "" "keep=50% reorder=on" "torn=50%" "inflight=new" "inflight=torn" "inflight=torn reorder=on torn=50%" "op=write inflight=torn" "op=fua inflight=torn" ;;
	*) it= ;;
	esac
	rule+=" $it"
	case $rule in
	offline* | readonly* | nospace*)
		pick "for=30ms" "for=100ms" "period=50ms duty=20% for=300ms" "at=+20ms for=50ms"
		rule+=" $it"
		return
		;;
	powercut* | hang* | timeout*) pick "for=30ms" "for=100ms" "at=+20ms for=50ms" ;;
	*) pick "" "" "" "for=50ms" "period=20ms duty=50%" "at=+10ms for=30ms" ;;
	esac
	rule+=" $it"
	[[ $rule == *sectors=* ]] || pick "" "" "" "sectors=$((RANDOM % 4000))" "sectors=$((RANDOM % 2000))+500"
	[[ $rule == *sectors=* ]] || rule+=" $it"
	case $rule in
	*place=on*) pick "prob=1%" "prob=20%" "prob=100%" ;;
	*) pick "prob=10%" "prob=50%" "every=3" "every=2 after=10" "burst=5%,30%" "count=20" "" "prob=30% seed=$RANDOM" ;;
	esac
	rule+=" $it"
}

# ask <verb…>: the rules are good, so the answer is; a guest that is gone ends the mix
refused=
ask()
{
	local status=0

	echo "$((SECONDS - began)) $*" >>"$log"
	"$BIN/mconsole-fault" d1 "$@" >/dev/null 2>>"$log" || status=$?
	[ $status = 0 ] || refused+=" $*: $status;"
	[ $status -lt 3 ]
}

# live <verb> [argument]: of umfb; one that comes too early, or while its disk has no power, is refused
live()
{
	echo "$((SECONDS - began)) disk umfb $*" >>"$log"
	mc d1 "disk umfb $*" >>"$log" || :
}

declare -A ids
asked=0 rules=0 snapshots=0

step()
{
	local disk have id words

	pick "${disks[@]}"
	disk=$it
	read -ra have <<<"${ids[$disk]:-}"
	case $((RANDOM % 20)) in
	[0-4])
		[ ${#have[@]} -gt 0 ] || return 0
		pick "${have[@]}"
		id=$it
		ids[$disk]=" ${have[*]} "
		ids[$disk]=${ids[$disk]/ $id / }
		ask del "$id"
		;;
	5)
		pick "${have[@]}" all
		ask suspend "$it"
		;;
	6 | 7) ask resume all ;;
	8)
		ids[$disk]=
		ask clear "$disk"
		;;
	9)
		pick list stats events
		ask "$it"
		;;
	10)
		if [ $((RANDOM % 2)) = 0 ] && [ $snapshots -lt 8 ]; then
			snapshots=$((snapshots + 1))
			live snapshot "$WORK/snapshot$snapshots"
		else
			live commit
		fi
		;;
	*)
		[ ${#have[@]} -lt 6 ] || return 0
		random_rule
		rules=$((rules + 1))
		ids[$disk]+=" x$rules"
		read -ra words <<<"$rule id=x$rules"
		ask add "$disk" "${words[@]}"
		;;
	esac
}

# the pair that wrote behind the end of a buffer once
began=$SECONDS
for disk in "${disks[@]}"; do
	ask add "$disk" corrupt op=write bits=64 && ask add "$disk" torn done=1
	probe d1 write "$disk" 0 1024 2 128 >/dev/null
	load "$disk"
done
ask clear
while [ $((SECONDS - began)) -lt "$SECONDS_OF_MIX" ]; do
	asked=$((asked + 1))
	step || break
	sleep 0.0$((RANDOM % 4))
done

is "$rules rules in $asked requests are taken" "refused:$refused" "refused:"
check "the guest is alive" guest_alive d1
guest_alive d1 || { diag "$(tail -n 5 "$log")"; done_testing; exit 1; }
fault d1 stats >"$WORK/stats"
diag "$(grep -c ' fired=[1-9]' "$WORK/stats") rules of $(wc -l <"$WORK/stats") that are left have fired"

# ---- and then all is well ----

check "clear" fault d1 clear
guest_exec d1 'rm /tmp/mix'
check "what waited has ended" until_true 60 guest_exec d1 'test "$(wc -l </tmp/asked)" = 8'
diag "$(guest_exec d1 'cat /tmp/asked' | awk '{ n += $2 } END { print n }') commands of the load"
rm "$blk_dir/mix.$$"
is "no rule is left" "$(fault d1 devices | grep -c 'umf[a-d] blk rules=0')" 4
check "a commit ends" until_true 60 sh -c "! '$LIB/mconsole-raw' '$(guest_mconsole d1)' ':disk umfb' | grep -q 'so far'"
for disk in "${disks[@]}"; do
	is "$disk: nothing is under way" "$(guest_exec d1 "cat /sys/block/$disk/inflight" | xargs)" "0 0"
	probe d1 write "$disk" 0 $size 9 256
	check "... it is flushed" probe d1 sync "$disk"
	is "... it holds what is written" "$(probe d1 show "$disk" 0 $size)" "0 $((size - 1)) v9"
	check "... it can be unplugged" unplug d1 "$disk"
done
is "raw images hold it" "$(map_of a $size), $(map_of d $size)" "0 $((size - 1)) v9, 0 $((size - 1)) v9"
for file in cow cow2; do
	"$BIN/umf-cow" convert $file flat
	check "$file is sound" "$BIN/umf-cow" check $file
	is "... and holds it" "$(map_of flat $size)" "0 $((size - 1)) v9"
	rm flat
done
done_testing
