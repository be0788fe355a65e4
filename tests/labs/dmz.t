#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
#
# A firewall with three legs: a scan from outside finds what the policy lets through and nothing else, and so it is while
# the firewall's links flap. Without the policy the same scan finds the rest.

. "$(dirname "$0")/../lib/labs.sh"

# scan <guest> <address>…: address:port of all open ports of the hundred that are used most. Nobody waits for what is not
# answered, and no address may be left out.
scan()
{
	local from=$1 out

	shift
	out=$(on "$from" "nmap -n -Pn -sT -T4 --max-retries 1 --min-rate 150 --top-ports 100 --open -oG - $*")
	grep -q "($# hosts* up) scanned" <<<"$out" || echo "$# addresses were not all scanned: $out"
	sed -nE 's/^Host: ([^ ]*) .*Ports: (.*)/\1 \2/p' <<<"$out" |
		awk '{ for (i = 2; i <= NF; i++) if ($i ~ "/open/") { sub("/.*", "", $i); print $1 ":" $i } }' | paste -sd ' '
}

get()
{
	[ "$(on "$1" "curl -s -m 5 http://$2/")" = "$3" ]
}

fw=(192.0.2.1 10.2.0.1 10.3.0.1) web=10.2.0.2 inside=10.3.0.2

lab_begin

# What is there at all, seen by those whom the policy trusts: else a scan that finds nothing would prove nothing.
is "inside sees every service of the web server" "$(scan inside $web)" "$web:22 $web:80 $web:8080"
is "... and outside's" "$(scan inside 192.0.2.2)" "192.0.2.2:22 192.0.2.2:80"
is "... and the firewall's" "$(scan inside 10.3.0.1)" "10.3.0.1:22"
is "... and inside has some, too" "$(scan inside $inside)" "$inside:22 $inside:80 $inside:8080"

is "outside finds the web server's port 80 and nothing else" "$(scan outside "${fw[@]}" $web $inside)" "$web:80"
check "... and gets its page" get outside $web web
is "a web server that was taken over finds nothing" "$(scan web "${fw[@]}" 192.0.2.2 $inside)" ""
refused=$(on fw 'nft list counter inet dmz refused' | sed -n 's/.*packets \([0-9]*\) .*/\1/p')
check "... the firewall has refused what was tried ($refused packets)" test "$refused" -ge 500

# ---- the firewall's links flap ----

sum=$(on web 'md5sum </srv/www/large')
on outside "curl -s -m 55 --limit-rate 300k http://$web/large | md5sum" >sum &
download=$!
timeline "the links to the world and to the zone flap" <<END
fw add eth0 down period=1s duty=25% id=world
fw add eth1 down period=1300ms duty=25% id=zone
fw wait world fired>=2 zone fired>=2 --timeout 20s
END
# three, and more while all of them met links that were down
found=
for n in {1..10}; do
	found+="$(scan outside "${fw[@]}" $web $inside) "
	if [ "$n" -ge 3 ] && [[ $found == *:* ]]; then
		break
	fi
done
like "scans meanwhile find the web server's port 80 and nothing else" "$found" "^( *$web:80)+ *$"
is "... the web server finds nothing" "$(scan web "${fw[@]}" 192.0.2.2 $inside)" ""
wait "$download"
is "... a download goes through, and is right" "$(<sum)" "$sum"
within 20 "... the page is to be had all the same" get outside $web web
timeline "... they flapped all the time" <<END
fw expect world fired>=10 zone fired>=8
end fw clear
END
is "then all is as before" "$(scan outside "${fw[@]}" $web $inside)" "$web:80"

# ---- negative: the policy is not loaded ----

on fw 'nft flush ruleset'
is "without the policy the scan finds what it must not" "$(scan outside 192.0.2.1 $web $inside)" \
	"192.0.2.1:22 $web:22 $web:80 $web:8080 $inside:22 $inside:80 $inside:8080"
timeline "... and so it does while the links flap" <<END
fw add eth0 down period=1s duty=25% id=world
fw wait world fired>=2 --timeout 20s
END
like "... one scan, or the next, tells" "$(scan outside 192.0.2.1 $web $inside; scan outside 192.0.2.1 $web $inside)" \
	"$inside:(22|80|8080)"
timeline "... they flapped" <<END
fw wait world fired>=3 --timeout 20s
end fw clear
END
check "the policy is loaded again" on fw 'nft -f /etc/nftables.conf'
is "... and the scan finds port 80 and nothing else" "$(scan outside "${fw[@]}" $web $inside)" "$web:80"
lab_end
done_testing
