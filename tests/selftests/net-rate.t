#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# rate: frames come at the rate that was asked for, after what the bucket lets pass; limit= loses what is too much.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2

# span <first> <last>: µs between the arrivals of these frames
span()
{
	awk -v a="$1" -v b="$2" '$2 == a { t = $1 } $2 == b { print $1 - t }' <<<"$seen"
}

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	rule "$guest" rate dir="$dir" rate=100kbit prob=0 match="$PROBE"
	frames 1 2 50
	is "$dir: prob=0 holds up nothing" "$(seen_numbers) $(stat_of "$guest" r fired)" "$(seq -s ' ' 50) 0"
	net_clear "$guest"

	# 100 frames of 1000 bytes at 4 Mbit/s are 2 ms each.
	rule "$guest" rate dir="$dir" rate=4Mbit match="$PROBE"
	frames 1 2 100 1000 0 100
	is "$dir: rate=4Mbit loses nothing, in order" "$(seen_numbers)" "$(seq -s ' ' 100)"
	us=$(span 1 100)
	# Timers are late, never early; a late first frame makes it look shorter.
	check "... and takes 198 ms for 99 frames ($us us)" test "$us" -ge 180000 -a "$us" -le 300000
	net_clear "$guest"

	# 50 of them pass at once, the others take their time.
	rule "$guest" rate dir="$dir" rate=100kB bucket=50000 match="$PROBE"
	frames 1 2 100 1000 0 100
	is "$dir: bucket=50000 loses nothing, in order" "$(seen_numbers)" "$(seq -s ' ' 100)"
	burst=$(span 1 50) rest=$(span 50 100)
	check "... fifty come at once ($burst us)" test "$burst" -lt 100000
	check "... the others in 500 ms ($rest us)" test "$rest" -ge 350000 -a "$rest" -le 900000
	net_clear "$guest"

	rule "$guest" rate dir="$dir" rate=8kbit limit=10 match="$PROBE"
	frames 1 2 100 100 0 10
	is "$dir: limit=10 lets ten wait and drops the others" "$(seen_numbers)" "$(seq -s ' ' 10)"
	net_clear "$guest"

	rule "$guest" rate dir="$dir" rate=8bit match="$PROBE"
	listen 2 1
	shoot 1 "$(net_mac 2)" 50
	icmp 1 2 3
	is "$dir: rate=8bit keeps them" "$(arrived 2)" 0
	net_clear "$guest"
	finish 1 "$(net_mac 2)"
	seen=$(heard 2)
	is "... clear lets them go, in order" "$(seen_numbers)" "$(seq -s ' ' 50)"
done

# 1000 bytes and 24 are 22 cells of 48, which take 1166: at 4 Mbit/s 2.33 ms each.
rule n1 rate dir=tx rate=4Mbit overhead=24 cell=48 cellhead=5 match="$PROBE"
frames 1 2 100 1000 0 100
is "overhead= and cell= lose nothing, in order" "$(seen_numbers)" "$(seq -s ' ' 100)"
us=$(span 1 100)
check "... a frame takes whole cells: 230 ms for 99 ($us us)" test "$us" -ge 215000 -a "$us" -le 330000
net_clear n1
rule n1 rate dir=tx rate=4Mbit overhead=1000 match="$PROBE"
frames 1 2 100 1000 0 100
us=$(span 1 100)
check "overhead=1000 doubles it: 396 ms ($us us)" test "$us" -ge 380000 -a "$us" -le 560000
net_clear n1

# Slots: who comes meanwhile leaves with the next, 40 ms after the one before; four at most in the second case.
slots()
{
	awk 'NR > 1 && $1 - last > 15000 { n++ } { last = $1 } END { print n + 1 }' <<<"$seen"
}
rule n1 delay dir=tx time=0s slot=40ms match="$PROBE"
frames 1 2 100 100 2000 100
n=$(slots)
is "slot=40ms loses nothing, in order" "$(seen_numbers)" "$(seq -s ' ' 100)"
check "... 100 frames, 2 ms apart, come in about five slots ($n)" test "$n" -ge 4 -a "$n" -le 12
net_clear n1
rule n1 delay dir=tx time=0s slot=40ms frames=4 match="$PROBE"
frames 1 2 24 100 0 24
is "frames=4: all come, in order" "$(seen_numbers)" "$(seq -s ' ' 24)"
is "... the first, which found none, and six more" "$(slots)" 7
net_clear n1

# One frame of 1000 bytes waits 8 ms, then 10 ms.
rule n1 rate dir=tx rate=1Mbit match="$PROBE"
rule n1 delay dir=tx time=10ms match="$PROBE" id=more
frames 1 2 20 1000 0 20
is "with delay behind it: all come, in order" "$(seen_numbers)" "$(seq -s ' ' 20)"
us=$(span 1 20)
check "... at that rate ($us us)" test "$us" -ge 140000 -a "$us" -le 250000
net_clear n1

rule n1 rate dir=tx rate=20Mbit bucket=64k limit=100
guest_exec n2 '/net/netprobe sink 5001'
rate=$(guest_exec n1 '/net/netprobe source 10.0.0.2 5001 10')
check "TCP through 20 Mbit/s gets $rate" awk -v r="$rate" 'BEGIN { exit !(r > 8 && r < 20.5) }'
net_clear n1
pings "after clear" 1 2

done_testing
