#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 1200
#
# Heartbeat over a network and a serial line, a shared disk, a service address and NFS on it. A client writes all the time:
# nothing that was acknowledged is lost, and there are never two masters. Without the serial line, and without fencing, it
# goes as one would fear.

. "$(dirname "$0")/../lib/labs.sh"

# begin: the lab, with the checker on the shared disk
begin()
{
	lab_begin
	"$labs/masters" "${LAB%.lab}.run/masters.img" n1 n2 >masters.log &
	masters=$!
	within 60 "the client's lines are acknowledged" written 20
}

end()
{
	kill "$masters"
	wait "$masters" 2>/dev/null
	lab_end
}

# written <n>: have so many lines been acknowledged?
written()
{
	[ "$(on client 'wc -l </var/tmp/acknowledged')" -ge "$1" ]
}

# goes_on <seconds> <description>: are 20 more acknowledged?
goes_on()
{
	local n

	n=$(on client 'wc -l </var/tmp/acknowledged')
	within "$1" "$2" written $((n + 20))
}

active()
{
	on "$1" 'mountpoint -q /srv && ip -br address show eth0 | grep -q 10.0.0.100'
}

said()
{
	on "$1" "grep -q '$2' /var/log/ha-log"
}

shots()
{
	grep -c ': ask [^ ]* off .*: ok' "${LAB%.lab}.run/power.log"
}

two_masters()
{
	grep -q 'n1 n2' masters.log
}

begin
check "n1 is active" active n1
check_fails "... and n2 is not" active n2

# The network's heartbeat alone.
timeline "the network heartbeat is lost for twice the dead time, the serial one lives" <<END
n1 add eth1 drop id=net
n1 wait net fired>=20 --timeout 20s
+10s n1 expect net fired>=30
END
check "... which both have noticed" said n1 'Link n2:eth1 dead'
check "... n1 is active still" active n1
is "... and nobody was shot" "$(shots)" 0
on n1 '>/var/log/ha-log'
timeline "it is back" <<END
n1 clear
END
within 60 "... which is noticed as well" said n1 'Link n2:eth1 up'

# The active node.
check "n1 dies" lab kill n1
within 120 "n2 is active" active n2
is "... it has shot n1, to be sure" "$(grep -c 'n2: ask .* off n1: ok' "${LAB%.lab}.run/power.log")" 1
goes_on 120 "the client goes on"
within 120 "n1 comes back" lab wait -t 120 n1
on n1 'systemctl start heartbeat'
within 120 "... and into the cluster" said n2 'Status update for node n1: status active'
within 120 "... as the other one" on n1 'cl_status rscstatus | grep -qx none'
check "n2 is active still" active n2

# Both heartbeats.
before=$(shots)
timeline "both heartbeats are lost" <<END
n1 add eth1 drop id=net
n1 add ttyS0 cut id=line
n1 wait net fired>=5 --timeout 20s
n1 expect line fired>=1
END
within 120 "one shoots the other" eval '[ "$(shots)" -gt "$before" ]'
survivor=$(sed -n 's/.* \(n[12]\): ask [^ ]* off .*: ok.*/\1/p' "${LAB%.lab}.run/power.log" | tail -n 1)
within 120 "... and is active, or still is" active "$survivor"
goes_on 120 "the client goes on"
is "... one shot was enough" "$(shots)" $((before + 1))
within 120 "the other comes back" lab wait -t 120

on client 'systemctl stop writer; sync'
on client "sed 's/ after.*//' /var/tmp/acknowledged" >acknowledged
on "$survivor" 'cat /srv/lines' >lines
is "of $(wc -l <acknowledged) acknowledged lines none is lost" "$(sort acknowledged | comm -23 - <(sort -u lines) | wc -l)" 0
diag "the longest wait: $(on client "sed 's/.*after //' /var/tmp/acknowledged" | sort -n | tail -n 1) s"
check_fails "there never were two masters" two_masters
check "... and every one there was is on record" grep -qE ' n[12]$' masters.log
diag "$(<masters.log)"
end

# ---- without the serial line ----

setup_edit '/^serial /d'
begin
timeline "without a serial line the network heartbeat is lost" <<END
n1 add eth1 drop id=net
n1 wait net fired>=5 --timeout 20s
END
within 120 "... and somebody is shot for nothing" eval '[ "$(shots)" -gt 0 ]'
end
mv "$WORK/$lab_name.setup.before" "$WORK/$lab_name.setup"

# ---- without fencing ----

setup_edit '/^stonith_host /d'
begin
timeline "without fencing both heartbeats are lost" <<END
n1 add eth1 drop id=net
n1 add ttyS0 cut id=line
n1 wait net fired>=5 --timeout 20s
n1 expect line fired>=1
END
within 120 "... and there are two masters" two_masters
is "... nobody was shot" "$(shots)" 0
end
done_testing
