#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
#
# keepalived while clocks are set by hours, swing and drift: nobody's role changes, for the monotonic clock does not jump. A
# master that does not run for 450 ms at a time stays master; one that does not for 4.5 s is replaced.
#
# Waits are keepalived's: the other node takes over after three seconds and a half without a word.

. "$(dirname "$0")/../lib/labs.sh"

lab_asks='date; cat /proc/uptime; ip -br address; tail -n 30 /run/keepalived.log; tail -n 40 /run/clocks'

entered()
{
	on "$1" 'grep -c "Entering '"$2"' STATE" /run/keepalived.log || :'
}

# roles: how often each has taken each of them
roles()
{
	echo "$(entered n1 MASTER) $(entered n1 BACKUP), $(entered n2 MASTER) $(entered n2 BACKUP)"
}

has_address()
{
	on "$1" 'ip -br address show eth0' | grep -q 10.0.0.100/
}

n1_alone()
{
	has_address n1 && ! has_address n2
}

jumps()
{
	on "$1" 'sort /run/clocks | uniq -c' | sed 's/^ *//'
}

# jumped <guest> <least> <jump>
jumped()
{
	jumps "$1" | awk -v least="$2" -v jump="$3" '$2 == "realtime" && $3 == jump { n += $1 } END { exit !(n >= least) }'
}

# rate <guest>: of its clock, by one that nobody sets
rate()
{
	on "$1" 'python3 -c "
import time
def now():
    while True:
        a, t, b = time.clock_gettime(time.CLOCK_MONOTONIC_RAW), time.time(), time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
        if b - a < 0.002: return t, a
a, b = now(); time.sleep(2); c, d = now()
print(\"%.2f\" % ((c - a) / (d - b)))"'
}

lab_begin
within 100 "n1 has the address, n2 has not" n1_alone
sleep 4
check "... that stays so" n1_alone
before=$(roles)

timeline "n1's clock is set by +1 h, n2's by -40 min" <<END
n1 add node clock step=+3600s id=step
n2 add node clock step=-2400s id=step
+5s n1,n2 expect step fired>=1
n1,n2 clear
+1s n1 add node clock step=-2400s id=step
n2 add node clock step=+3600s id=step
+5s n1,n2 expect step fired>=1
n1,n2 clear
END
for guest in n1 n2; do
	check "... $guest's clock went by +1 h, and back" jumped $guest 1 +3600.0
	check "... and by -40 min" jumped $guest 1 -2400.0
done
is "... nobody's role has changed" "$(roles)" "$before"

timeline "both clocks swing by 3 s, to and fro" <<END
n1,n2 add node clock step=+3s period=1s duty=50% id=ahead
n1,n2 add node clock step=-3s period=1s duty=50% at=+500ms id=behind
+6s n1,n2 expect ahead fired>=4
n1,n2 expect behind fired>=4
n1,n2 clear
END
is "... nobody's role has changed" "$(roles)" "$before"
for guest in n1 n2; do
	swings=$(jumps $guest | awk '$2 == "realtime" && ($3 ~ /[36]\.0$/) && $3 !~ /00/ { n += $1 } END { print n + 0 }')
	check "... $guest's clock swung $swings times" test "$swings" -ge 8
done

timeline "n1's clock is 5 % too fast, n2's 5 % too slow" <<END
n1 add node clock drift=+5% id=drift
n2 add node clock drift=-5% id=drift
END
is "... it is" "$(rate n1) $(rate n2)" "1.05 0.95"
timeline "... and the other way round" <<END
+2s n1,n2 clear
n1 add node clock drift=-5% id=drift
n2 add node clock drift=+5% id=drift
END
is "... it is" "$(rate n1) $(rate n2)" "0.95 1.05"
timeline "... it ends" <<END
+2s n1,n2 clear
END
sleep 4	# what the last one has done would show by now
is "... nobody's role has changed" "$(roles)" "$before"

timeline "neither runs for 450 ms at a time" <<END
n1,n2 add node hang lockup=soft period=900ms duty=50% id=starved
+8s n1,n2 expect starved fired>=6
n1,n2 clear
END
sleep 4
is "... nobody's role has changed" "$(roles)" "$before"
check "... n1 has the address, n2 has not" n1_alone
for guest in n1 n2; do
	is "$guest's monotonic clock has not jumped" "$(on $guest 'grep -c monotonic /run/clocks || :')" 0
done

# ---- negative: what does change the roles ----

masters=$(entered n2 MASTER)
timeline "n1 does not run for 4.5 s at a time" <<END
n1 add node hang lockup=soft period=6s duty=75% for=12s id=starved
END
within 20 "... n2 takes over" eval '[ "$(entered n2 MASTER)" -gt "$masters" ]'
sleep 10	# until both pieces are over
within 20 "... and gives it back" n1_alone
timeline "... twice" <<END
n1 expect starved fired==2
END
is "... n2 was the master" "$(entered n2 MASTER)" $((masters + 2))
is "... and n1 never learned that it was not" "$(roles | sed 's/,.*//')" "${before%,*}"
is "... its monotonic clock has not jumped" "$(on n1 'grep -c monotonic /run/clocks || :')" 0
lab_end
done_testing
