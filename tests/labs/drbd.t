#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
#
# DRBD: the disk of the primary fails, the primary dies, the network between them is cut. Nothing that was acknowledged is
# lost, and there is one primary. With protocol A and without fencing it goes otherwise, and comes right again.

. "$(dirname "$0")/../lib/labs.sh"

# drbd <guest> <regex>: is its line in /proc/drbd so?
drbd()
{
	on "$1" "grep -Eq '$2' /proc/drbd"
}

both()
{
	drbd n1 "$1" && drbd n2 "$1"
}

# writes <guest>: from now on, behind what is there; the acknowledged numbers are in the file acks
writes()
{
	first=$(($(tail -n 1 acks) + 1))
	lab exec -t 200 "$1" blocks write "$first" >>acks 2>writer.err &
	writer=$!
}

written()
{
	[ "$(wc -l <acks)" -ge "$1" ]
}

# goes_on <seconds> <description>: twenty more are acknowledged
goes_on()
{
	within "$1" "$2" written $(($(wc -l <acks) + 20))
}

stops()
{
	on "$1" 'pkill -f "^/usr/bin/python3 /usr/local/sbin/blocks write"'
	wait "$writer"
}

# lost <guest>: how many that were acknowledged are not there
lost()
{
	on "$1" "blockdev --flushbufs /dev/drbd0; blocks check 0 $(tail -n 1 acks)"
}

# alike <description>: both disks, as soon as they are said to be
alike()
{
	local sum

	within 60 "$1" both 'cs:Connected .* ds:UpToDate/UpToDate'
	sum=$(on n1 'dd if=/dev/umfb bs=1M count=62 iflag=direct status=none | md5sum')
	is "... and their sums agree" "$(on n2 'dd if=/dev/umfb bs=1M count=62 iflag=direct status=none | md5sum')" "$sum"
}

off()
{
	[ "$(lab power status "$1")" = "$1 off" ]
}

set_up()
{
	check "$1 is set up" on "$1" "$(<drbd.setup)"
}

comes_back()
{
	check "$1 is turned on" lab power on "$1"
	lab wait -t 150 "$1"
	set_up "$1"
}

# dies <primary> <other>: while it writes, and what it sends is under way for 200 ms
dies()
{
	writes "$1"
	goes_on 30 "$1 writes"
	timeline "... the way to $2 is slow" <<-END
	$1 add eth1 delay dir=tx time=200ms id=slow
	$1 wait slow fired>=10 --timeout 20s
	END
	goes_on 30 "... it writes on"
	timeline "... and dies" <<-END
	$1 expect slow fired>=20
	! $lab_cmd kill $1
	END
	wait "$writer"
	is "... in the middle of it" "$?" 125
	within 30 "$2 takes over" on "$2" 'drbdadm primary r0'
}

lab_cmd="$umf_lab -q -f $LAB --kernel $LINUX"
echo -1 >acks

lab_begin
within 30 "both have what the other has" both 'cs:Connected .* ds:UpToDate/UpToDate'
check "n1 is the primary" on n1 'drbdadm primary r0'
check_fails "... and n2 cannot be" on n2 'drbdadm primary r0'

# ---- the primary's disk ----

writes n1
goes_on 30 "n1 writes"
timeline "its disk fails" <<END
n1 add umfb error op=write id=bad
n1 wait bad fired>=1 --timeout 20s
END
within 10 "... it is given up" drbd n1 'ds:Diskless/UpToDate'
goes_on 10 "... n1 writes on, to n2"
timeline "... there is a new one" <<END
n1 expect bad fired>=1
end n1 clear
END
check "... which is attached" on n1 'drbdadm attach r0'
goes_on 30 "... n1 writes on"
stops n1
is "... all that was acknowledged is there" "$(lost n1)" 0
alike "... the disks become alike"

# ---- the primary ----

dies n1 n2
is "... and has all that was acknowledged" "$(lost n2)" 0
writes n2
goes_on 30 "... it writes on"
comes_back n1
within 30 "... it hears of n2" drbd n1 'ro:Secondary/Primary'
stops n2
alike "... the disks become alike"

# ---- the network ----

writes n2
goes_on 30 "n2 writes"
timeline "the network between them is cut" <<END
n2 add eth1 drop id=cut
n2 wait cut fired>=5 --timeout 20s
END
within 30 "... the primary turns n1 off" off n1
check "... by the lab's power switch" grep -q '^[^#]*n2: ask .* off n1: ok' "${LAB%.lab}.run/power.log"
goes_on 10 "... and writes on"
timeline "... it is mended" <<END
n2 expect cut fired>=5
end n2 clear
END
comes_back n1
within 30 "... it hears of n2" drbd n1 'ro:Secondary/Primary'
stops n2
is "... all that was acknowledged is there" "$(lost n2)" 0
alike "... the disks become alike"

# ---- negative: protocol A loses what was under way, and without fencing both are the primary ----

on n2 'drbdadm secondary r0'
setup_edit 's/^protocol=C/protocol=A/'
setup_edit 's/^fencing=.*/fencing=dont-care/'
set_up n1
set_up n2
within 30 "protocol A, no fencing: they are connected" both 'cs:Connected .* ds:UpToDate/UpToDate A '
check "n2 is the primary" on n2 'drbdadm primary r0'
writes n2
goes_on 30 "n2 writes"
timeline "the network between them is cut" <<END
n2 add eth1 drop id=cut
n2 wait cut fired>=5 --timeout 20s
END
within 30 "... n1 is the primary, too" on n1 'drbdadm primary r0'
within 30 "... n2 is it still" drbd n2 'ro:Primary/Unknown'
on n1 'echo mine | dd of=/dev/drbd0 bs=4k seek=15100 conv=fsync status=none'
goes_on 30 "... and writes"
stops n2
timeline "... they hear of each other again" <<END
n2 expect cut fired>=5
end n2 clear
END
within 30 "... a split brain is noticed" on n1 'dmesg | grep -q "Split-Brain detected"'
within 30 "... and n1 goes alone" drbd n1 'cs:StandAlone'
within 30 "... n2 does, or waits" drbd n2 'cs:(StandAlone|WFConnection)'
check "n1 gives up what it wrote" on n1 'drbdadm secondary r0 && drbdadm connect --discard-my-data r0'
on n2 '! grep -q cs:StandAlone /proc/drbd || drbdadm connect r0'
alike "... the disks become alike"
is "... without what n1 wrote" "$(on n2 'dd if=/dev/drbd0 bs=4k skip=15100 count=1 status=none | tr -d "\0"')" ""
is "... and with all that n2 acknowledged" "$(lost n2)" 0

dies n2 n1
n=$(lost n1)
check "... and has not all that was acknowledged ($n blocks are lost)" test "$n" -ge 1
lab_end
done_testing
