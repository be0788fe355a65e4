#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 2700
#
# Two routers with 24 parallel links. With the kernel's limit of multicast groups there are 20 adjacencies and ospfd says why;
# with the limit raised all 24 are there, none hears less than was said, none is lost, and each link answers.
#
# SOAK: for how many seconds hellos are counted (20; a NIC that has gone deaf shows after half an hour).

. "$(dirname "$0")/../lib/labs.sh"

lab_asks='date; ip -s link; vtysh -c "show ip ospf neighbor" -c "show ip ospf interface traffic"'
soak=${SOAK:-20}

adjacencies()
{
	on "$1" 'vtysh -c "show ip ospf neighbor"' | grep -c Full/
}

both_have()
{
	[ "$(adjacencies r1) $(adjacencies r2)" = "$1 $1" ]
}

both_groups()
{
	[ "$(groups r1) $(groups r2)" = "$1 $1" ]
}

# groups <guest>: on how many links it listens to OSPF's address
groups()
{
	on "$1" 'ip maddr show' | grep -c 'inet *224\.0\.0\.5'
}

# hellos: "<guest> <link> <received> <sent>" for all, at one time
hellos()
{
	lab exec -t 60 all 'vtysh -c "show ip ospf interface traffic"' |
		sed -nE 's,^(r[12]): (eth[0-9]+) +([0-9]+)/([0-9]+) .*,\1 \2 \3 \4,p' | sort
}

lost()
{
	on "$1" 'journalctl -b -o cat | grep -c "Full -> " || :'
}

pings()
{
	on "$1" "for i in \$(seq 0 23); do ping -n -q -c 1 -W 5 10.2.\$i.$2 >/dev/null && echo \$i; done" | wc -l
}

# a 33rd is one too many
seq 0 31 | sed 's/.*/\tnic eth& { segment = lan }/' >nics
printf 'segment lan {}\nguest n {\n%s\n}\n' "$(<nics)" >32.lab
printf 'segment lan {}\nguest n {\n%s\n\tnic eth32 { segment = lan }\n}\n' "$(<nics)" >33.lab
run "$umf_lab" --kernel "$LINUX" check 32.lab
is "a guest may have 32 NICs" "$status $err" "0 "
run "$umf_lab" --kernel "$LINUX" check 33.lab
like "... 33 are refused" "$status $err" '^2 .*33\.lab:35:[0-9]*: nic eth32: must be eth0 to eth31'

# ---- the kernel's limit ----

setup_edit 's/^memberships=.*/memberships=/'
lab_begin
is "a socket may be in 20 groups" "$(on all 'sysctl -n net.ipv4.igmp_max_memberships' | sort | paste -sd ' ')" "r1: 20 r2: 20"
within 100 "... there are 20 adjacencies" both_have 20
check "... and on 20 links somebody listens" both_groups 20
for n in 1 2; do
	is "... r$n says which links have none" \
		"$(on r$n 'journalctl -b -o cat' | sed -nE "s/.*IP_ADD_MEMBERSHIP .* addr 10\.2\.([0-9]*)\.$n,.*limit.*/\1/p" | paste -sd ' ')" "20 21 22 23"
done
check_fails "... and they do not come later" until_true 5 both_have 24

# ---- with it raised ----

for n in 1 2; do
	check "r$n is set up with the limit raised" lab exec -t 200 r$n "$(<ospf-links.setup.before)"
done
within 100 "... there are 24 adjacencies" both_have 24
check "... on as many links" both_groups 24

before="$(lost r1) $(lost r2)"
hellos >begin
sleep "$soak"	# hellos come in the guests' time, one a second
hellos >end
is "after $soak s each of 24 links has been heard at both ends" \
	"$(paste -d ' ' begin end | awk -v least="$((soak * 8 / 10))" '$1 == $5 && $2 == $6 && $7 - $3 >= least' | wc -l)" 48
# The links of a guest are asked at one time, the guests are not: on a busy machine seconds lie between them.
is "... none has heard less than the others" \
	"$(paste -d ' ' begin end | awk '{ n = $7 - $3; if (!($1 in most) || n > most[$1]) most[$1] = n; heard[$1, $2] = n }
		END { for (l in heard) { split(l, w, SUBSEP); if (heard[l] < most[w[1]] - 3) print w[1], w[2], heard[l], "of", most[w[1]] } }')" ""
is "... no adjacency was lost" "$(lost r1) $(lost r2)" "$before"
check "... there are 24" both_have 24
is "... 24 of 24 answer r1" "$(pings r1 2)" 24
is "... 24 of 24 answer r2" "$(pings r2 1)" 24
diag "$soak s: $(paste -d ' ' begin end | awk '{ n += $7 - $3; m += $8 - $4 } END { printf "%d hellos sent, %d received", m, n }') on 24 links"
lab_end
done_testing
