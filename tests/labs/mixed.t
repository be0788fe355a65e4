#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
#
# Two kernels and two Debians in one keepalived cluster. The master is frozen, the other takes over; thawed, it believes
# that it is the master still, and there is one again soon, whichever of the two that is. Who answers for the address, a
# client writes down.

. "$(dirname "$0")/../lib/labs.sh"

# answers <since>: "<time> <guest>" of each answer the client got
answers()
{
	on client 'cat /run/answers' | sed "s/${mac[n1]}/n1/; s/${mac[n2]}/n2/" | awk -v since="$1" '$1 >= since'
}

# masters: who has answered in the last second
masters()
{
	answers "$(awk -v now="$EPOCHREALTIME" 'BEGIN { printf "%.3f", now - 1 }')" | awk '{ print $2 }' | sort -u | paste -sd ' '
}

masters_are()
{
	[ "$(masters)" = "$1" ]
}

# always <seconds> <masters>: nobody else answers for so long
always()
{
	local since=$EPOCHREALTIME seen

	sleep "$1"
	seen=$(answers "$since" | awk '{ print $2 }' | sort -u | paste -sd ' ')
	[ "$seen" = "$2" ] || { echo "$seen"; return 1; }
}

# first|last <guest> <since>: its first or last answer after that, in seconds; - if there was none
first()
{
	answers "$2" | awk -v g="$1" -v t="$2" '$2 == g { printf "%.2f\n", $1 - t; found = 1; exit } END { if (!found) print "-" }'
}

last()
{
	answers "$2" | awk -v g="$1" -v t="$2" '$2 == g { l = $1 - t } END { printf (l == "" ? "-" : "%.2f") "\n", l }'
}

within_s()
{
	[ "$1" != - ] && awk -v a="$1" -v b="$2" 'BEGIN { exit !(a <= b) }'
}

entered()
{
	on "$1" 'grep -c "Entering '"$2"' STATE" /run/keepalived.log || :'
}

# setup_again <guest>…: with what the script says now
setup_again()
{
	local guest

	for guest in "$@"; do
		check "$guest is set up again" on "$guest" "$(<mixed.setup)"
	done
}

# freeze <master> <other> <who is to be the master at last>
freeze()
{
	local frozen thawed before split

	before="$(entered "$1" MASTER) $(entered "$1" BACKUP)"
	frozen=$EPOCHREALTIME
	timeline "$1, the master, is frozen" <<-END
	! $lab_cmd freeze $1
	! $lab_cmd status | grep -q '^$1 *frozen'
	END
	within 12 "... $2 answers for it" masters_are "$2"
	check "... it took over after $(first "$2" "$frozen") s" within_s "$(first "$2" "$frozen")" 8
	check "... as it is told, and $1 no longer" always 2 "$2"
	thawed=$EPOCHREALTIME
	timeline "$1 is thawed" <<-END
	! $lab_cmd thaw $1
	END
	within 10 "... soon there is one master: $3" masters_are "$3"
	check "... and it stays so" always 3 "$3"
	if [ "$3" = "$1" ]; then
		is "... which never learned that it had not been" "$(entered "$1" MASTER) $(entered "$1" BACKUP)" "$before"
		split=$(last "$2" "$thawed")
	else
		is "... $1 had to be told that it is no longer" "$(entered "$1" MASTER) $(entered "$1" BACKUP)" \
			"${before% *} $((${before#* } + 1))"
		split=$(last "$1" "$thawed")
	fi
	[ "$split" != - ] || split=0
	check "... two believed it for $split s" within_s "$split" 3
	diag "$1 frozen: $2 answers after $(first "$2" "$frozen") s; thawed: both answer for $split s"
}

lab_cmd="$umf_lab -q -f $LAB --kernel $LINUX"
lab_begin
declare -A mac
for guest in n1 n2; do
	mac[$guest]=$(on "$guest" 'cat /sys/class/net/eth0/address')
done
is "n1 is a 6.12 with Debian 12" "$(on n1 'uname -r; . /etc/os-release; echo $VERSION_ID' | sed 's/\.[0-9]*-umf.*//' | paste -sd ' ')" "6.12 12"
is "n2 is a 7.3 with Debian 13" "$(on n2 'uname -r; . /etc/os-release; echo $VERSION_ID' | sed 's/\.[0-9]*-umf.*//' | paste -sd ' ')" "7.3 13"
within 30 "n1 is the master" masters_are n1
check "... alone" always 2 n1

freeze n1 n2 n1

# ---- the one who stays, and the newer line frozen ----

setup_edit 's/^preempt=yes/preempt=no/'
on n1 'pkill -x keepalived'
within 10 "n1 ends its keepalived, n2 is the master" masters_are n2
setup_again n1
within 20 "... n1 takes part again" on n1 'grep -q "Entering BACKUP STATE" /run/keepalived.log'
check "... and does not take the address from it" always 3 n2

freeze n2 n1 n1

# ---- negative: they do not listen to each other; then, there is no other ----

setup_edit 's/^vrid=51/vrid=$(hostname | tr -dc 0-9)/'
setup_again n1 n2
within 20 "without a common router id both answer" masters_are "n1 n2"
timeline "n1 is frozen, and thawed" <<END
! $lab_cmd freeze n1
+4s ! $lab_cmd thaw n1
END
check_fails "... there is never one master" until_true 5 masters_are n1
is "... for both believe it" "$(masters)" "n1 n2"
on n2 'pkill -x keepalived'
within 10 "n2 ends its keepalived" masters_are n1
timeline "n1 is frozen" <<END
! $lab_cmd freeze n1
END
check_fails "... and there is nobody to take over" until_true 8 masters_are n2
is "... the address is gone" "$(masters)" ""
lab thaw n1
lab_end
done_testing
