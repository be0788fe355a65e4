#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
#
# Four routers in a ring: a cable is pulled, a link falls silent, is deaf one way, a router dies. Each time every virtual
# address is reached again from each of the others, and how long one was not is measured, with fast timers and, as
# the negative run, with OSPF's own.

. "$(dirname "$0")/../lib/labs.sh"

lab_asks='date; ip route; vtysh -c "show ip ospf neighbor" -c "show ip ospf database router" -c "show ip ospf route"; tail -n 1 /run/reach.*'

# mesh [<number of a router that is off>]: each reaches each
mesh()
{
	local n

	for n in 1 2 3 4; do
		[ "$n" = "${1:-}" ] || on r$n reach once ${1:+10.0.0.$1} || return
	done
}

# outage <since> [<number>]: the longest time in seconds that an address was not reached by one of the others
outage()
{
	local n

	for n in 1 2 3 4; do
		[ "$n" = "${2:-}" ] || on r$n reach gap "$1" ${2:+10.0.0.$2}
	done | sort -n | tail -n 1
}

# between <least> <number> <most>
between()
{
	awk -v a="$1" -v b="$2" -v c="$3" 'BEGIN { exit !(a <= b && b <= c) }'
}

asking()
{
	local n

	for n in 1 2 3 4; do
		on r$n reach start
	done
	# an answer of each before anything is broken
	sleep 0.5
}

# event <description> <least> <most> [<number of a router that is off>]: what has been done since $since is over after
# so many seconds
event()
{
	local gap

	within $(($3 + 1)) "... every virtual address is reached again" mesh "${4:-}" || return
	sleep 0.3
	gap=$(outage "$since" "${4:-}")
	check "... one of them was not for $gap s, and $2 to $3 are expected" between "$2" "$gap" "$3"
	printf '%-8s %-20s %5.1f s\n' "$timers" "$1" "$gap" >>figures
}

# Both ways round lead to the router across.
closed()
{
	local n

	for n in 1 2 3 4; do
		[ "$(on r$n 'ip route show proto ospf' | grep -c 'nexthop via')" = 2 ] || return
	done
	mesh ""
}

no_way_to()
{
	local n

	for n in 1 2 4; do
		[ -z "$(on r$n "ip route show $1")" ] || return
	done
}

ring_closes()
{
	within "$1" "... and the ring closes" closed || diag "$(on r1 'ip route')" "$(on r3 'ip route')"
}

cable()
{
	since=$EPOCHREALTIME
	timeline "$timers timers: the cable between r1 and r2 is pulled" <<-END
	r1 add eth0 down id=cable
	r2 add eth1 down id=cable
	r1,r2 wait cable fired==1 --timeout 5s
	END
	event "cable pulled" 0 "$1"
	is "... r1 knows that it is" "$(on r1 'cat /sys/class/net/eth0/carrier')" 0
	timeline "... it is put back" <<-END
	r1,r2 expect cable fired==1
	end r1,r2 clear
	END
	ring_closes 30
}

# silent <hellos that are lost at least>
silent()
{
	since=$EPOCHREALTIME
	timeline "$timers timers: what crosses between r2 and r3 is lost, and no carrier tells" <<-END
	r2 add eth0 drop id=silent
	r2 wait silent fired>=1 --timeout 15s
	END
}

timers=fast
lab_begin
ring_closes 60
asking

cable 4

silent
event "link silent" 0.7 4
is "... r2 has its carrier" "$(on r2 'cat /sys/class/net/eth0/carrier')" 1
timeline "... all was lost" <<END
r2 expect silent fired>=5
end r2 clear
END
ring_closes 30

since=$EPOCHREALTIME
timeline "fast timers: r4 does not hear r3 any more, r3 hears r4" <<END
r3 add eth0 drop dir=tx id=oneway
r3 wait oneway fired>=1 --timeout 5s
END
event "link deaf one way" 0.7 4
timeline "... and so it was" <<END
r3 expect oneway fired>=5
end r3 clear
END
ring_closes 30

since=$EPOCHREALTIME
check "fast timers: r3 dies" lab kill r3
# two ways lead from r2 to r4, and which one is taken is the kernel's choice: perhaps nobody misses r3
event "router killed" 0 4 3
within 5 "... nobody sends anything to it" no_way_to 10.0.0.3
is "... it is off" "$(lab power status r3)" "r3 off"
check "... it is turned on" lab power on r3
check "... it comes" lab wait -t 150 r3
ring_closes 30

# ---- negative: the same silence with OSPF's own timers ----

timers=default
setup_edit 's/^timers=fast/timers=default/'
for n in 1 2 3 4; do
	check "r$n is set up with default timers" on r$n "$(<ospf-ring.setup)"
done
ring_closes 60
on r3 reach start
cable 15
silent
check_fails "... without fast timers 5 s are not enough" until_true 5 mesh
event "link silent" 25 50
timeline "... hellos were lost" <<END
r2 expect silent fired>=3
END
lab_end

diag "no answer for"$'\n'"$(<figures)"
done_testing
