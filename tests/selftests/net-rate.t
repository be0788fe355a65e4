#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
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
