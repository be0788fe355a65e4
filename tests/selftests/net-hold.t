#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alone
# hold: frames are kept and let go in their order when the rule ends, however it ends.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2

# held <n2 or n1> <dir> <count> [key=value…]: so many frames into a rule r
held()
{
	local guest=$1 dir=$2 count=$3
	shift 3

	rule "$guest" hold dir="$dir" match="$PROBE" "$@"
	listen 2 1
	shoot 1 "$(net_mac 2)" "$count"
}

# What came through in the time that a few round trips take.
look()
{
	icmp 1 2 3
	through=$(arrived 2)
}

released()
{
	finish 1 "$(net_mac 2)"
	seen=$(heard 2)
}

for at in "n2 rx" "n1 tx"; do
	read -r guest dir <<<"$at"

	held "$guest" "$dir" 100
	look
	is "$dir: nothing arrives" "$through" 0
	is "... pings do" "$received" 3
	is "... all are counted and logged" "$(stat_of "$guest" r fired) $(events_of "$guest" r | grep -c ' action=hold ')" "100 100"
	net_clear "$guest"
	released
	is "... clear lets them go in order" "$(seen_numbers)" "$(seq -s ' ' 100)"
	is "... unchanged" "$(grep -vc ' -$' <<<"$seen")" 0
	net_mark "$guest"

	held "$guest" "$dir" 20
	look
	is "$dir: held" "$through" 0
	fault "$guest" del r
	released
	is "... del lets them go" "$(seen_numbers)" "$(seq -s ' ' 20)"

	held "$guest" "$dir" 20
	look
	is "$dir: held" "$through" 0
	fault "$guest" suspend r
	released
	is "... suspend lets them go" "$(seen_numbers)" "$(seq -s ' ' 20)"
	net_clear "$guest"

	held "$guest" "$dir" 20 for=3s
	look
	is "$dir: held for=3s" "$through" 0
	await 2 20
	released
	is "... arrive by themselves" "$(seen_numbers)" "$(seq -s ' ' 20)"
	like "... then the rule is spent" "$(fault "$guest" stats r)" " state=spent .* fired=20 "
	net_clear "$guest"

	held "$guest" "$dir" 50 limit=10
	look
	is "$dir: limit=10" "$through" 0
	net_clear "$guest"
	released
	is "... keeps the first ten, the others are lost" "$(seen_numbers)" "$(seq -s ' ' 10)"

	held "$guest" "$dir" 30 every=3 count=5
	look
	is "$dir: every=3 count=5 keeps five" "$through" 25
	net_clear "$guest"
	released
	is "... they come last" "$(seen_numbers)" \
		"$(seq -s ' ' 1 30 | awk '{ for (i = 1; i <= 30; i++) if (i % 3 || i > 15) printf "%d ", i }')$(seq -s ' ' 3 3 15)"

	held "$guest" "$dir" 30 prob=0
	released
	is "$dir: prob=0 keeps nothing" "$(seen_numbers)" "$(seq -s ' ' 30)"
	net_clear "$guest"

	# A stopped interface has nothing to release.
	held "$guest" "$dir" 20
	look
	is "$dir: held" "$through" 0
	guest_exec "$guest" 'ip link set eth0 down; ip link set eth0 up'
	net_clear "$guest"
	net_neighbours "${guest#n}"
	released
	is "... ip link set down loses them" "$seen" ""
	frames 1 2 20
	is "... and the next ones arrive" "$(seen_numbers)" "$(seq -s ' ' 20)"
	net_mark "$guest"
done

rule n1 hold dir=rx match=icmp
check_fails "pings whose answers are held time out" icmp 1 2 5
net_clear n1
icmp 1 2 5
is "after clear they do not" "$received" 5

# Who holds them is killed: they are lost with it, and nobody waits for them.
rule n2 hold dir=rx match="$PROBE" limit=5000
shoot 1 "$(net_mac 2)" 500 1400
guest_kill9 n2
shoot 1 ff:ff:ff:ff:ff:ff 500 1400
net_boot 2
net_ready 2 || exit 1
is "a guest that was killed while it held frames has no rule" "$(fault n2 list)" "seed 2004"
frames 1 2 20
is "... and gets what is sent to it now, no more" "$(seen_numbers)" "$(seq -s ' ' 20)"

done_testing
