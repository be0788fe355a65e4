#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What list prints is input: through the stock uml_mconsole, through ours, through /proc/umf/control and as umf= at boot it
# makes the same rule, which does the same.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2

if command -v uml_mconsole >/dev/null; then
	stock()
	{
		uml_mconsole "$(guest_mconsole n2)" fault "$@" 2>/dev/null
	}
else
	diag "uml_mconsole is not installed; what it would send is sent by mconsole-raw"
	stock()
	{
		"$LIB/mconsole-raw" "$(guest_mconsole n2)" ":fault $*"
	}
fi

rules()
{
	fault n2 list | grep '^add\|^suspend'
}

# The example everyone begins with.
like "fault add eth0 drop prob=30% dir=rx" "$(stock fault add eth0 drop prob=30% dir=rx | tail -n 1; stock add eth0 drop prob=30% dir=rx)" 'r1'
is "... is listed" "$(rules)" "add eth0 drop dir=rx prob=30% id=r1"
listed=$(rules)
fault n2 seed 2004
listen 2 1
shoot 1 "$(net_mac 2)" 300
net_clear n2
finish 1 "$(net_mac 2)"
seen=$(heard 2)
first=$(lost_numbers 300)
check "... loses some of 300 frames ($(wc -w <<<"$first"))" test "$(wc -w <<<"$first")" -gt 50
fault n2 seed 2004
stock "$listed" >/dev/null
is "its line, pasted back, makes the same rule" "$(rules)" "$listed"
listen 2 1
shoot 1 "$(net_mac 2)" 300
net_clear n2
finish 1 "$(net_mac 2)"
seen=$(heard 2)
is "... which loses the same frames" "$(lost_numbers 300)" "$first"

# ---- one line of input, and how list has it: every key, every unit ----

# printed <input> <how it is listed, without id>: by each way in
printed()
{
	local input="add eth0 $1 id=x" wanted="add eth0 $2 id=x"

	stock "$input" >/dev/null
	is "$1" "$(rules)" "$wanted"
	net_clear n2
	stock "$wanted" >/dev/null
	is "... again" "$(rules)" "$wanted"
	net_clear n2
	# shellcheck disable=SC2086 # the words, quotes and all
	fault n2 $wanted >/dev/null 2>&1 || fault n2 "$wanted" >/dev/null
	is "... by mconsole-fault" "$(rules)" "$wanted"
	net_clear n2
	guest_exec n2 "cat >/proc/umf/control <<'EOT'
$wanted
EOT"
	is "... by /proc/umf/control" "$(rules)" "$wanted"
	all+=("${wanted/id=x/id=x${#all[@]}}")
	net_clear n2
}
all=()

printed "drop" "drop"
printed "drop prob=0.1" "drop prob=10%"
printed "drop prob=1e-6" "drop prob=0.0001%"
printed "drop prob=20ppm" "drop prob=0.002%"
printed "drop prob=1ppb" "drop prob=0.0000001%"
printed "drop prob=100%" "drop prob=100%"
printed "drop prob=1" "drop prob=100%"
printed "drop prob=0" "drop prob=0%"
printed "drop dir=tx peer=02:AB:cd:00:00:01" "drop dir=tx peer=02:ab:cd:00:00:01"
printed "drop every=7 after=0x10 count=3" "drop after=16 every=7 count=3"
printed "drop burst=1%,20%" "drop burst=1%,20%,100%,0%"
printed "drop burst=0.01,0.2,0.9,1e-3" "drop burst=1%,20%,90%,0.1%"
printed "drop at=+1500ms for=2m" "drop at=+1500ms for=120s"
printed "drop at=90s for=0.5s" "drop at=90s for=500ms"
printed "drop period=1s duty=12.5%" "drop period=1s duty=12.5%"
printed "drop seed=0xff" "drop seed=255"
printed "drop seed=18446744073709551615" "drop seed=18446744073709551615"
printed "drop bpf='1,6 0 0 0' match='tcp port 22; x'" "drop match=\"tcp port 22; x\" bpf=\"1,6 0 0 0\""
printed "drop bpf=\"1,6 0 0 0\" match=\"it's\"" "drop match=\"it's\" bpf=\"1,6 0 0 0\""
printed "corrupt bits=3 offset=14" "corrupt bits=3 offset=14"
printed "corrupt offset=14-33" "corrupt offset=14-33"
printed "corrupt offset=14+20" "corrupt offset=14-33"
printed "dup copies=4" "dup copies=4"
printed "delay time=250us" "delay time=250us"
printed "delay time=1ns" "delay time=1ns"
printed "delay time=0ms" "delay time=0s"
printed "delay time=1h jitter=1m limit=5" "delay time=3600s jitter=60s limit=5"
printed "hold limit=65536" "hold limit=65536"
printed "down at=10s period=100ms duty=50%" "down at=10s period=100ms duty=50%"
printed "  drop   dir=rx   prob=5%  " "drop dir=rx prob=5%"

# ---- several, with what ties them together ----

fault n2 add eth0 drop id=first dir=tx match='icmp or (udp and port 53)' >/dev/null
fault n2 add eth0 delay time=10ms on=first id=second >/dev/null
fault n2 add eth0 hold on=second at=+1s for=1s >/dev/null
fault n2 suspend second
listed=$(fault n2 list)
like "suspended rules are listed as such" "$listed" $'\nsuspend second$'
is "list of a device is the same" "$(fault n2 list eth0)" "$listed"
net_clear n2
while read -r line; do
	stock "$line" >/dev/null
done <<<"$listed"
is "line by line they make the same" "$(fault n2 list)" "$listed"
net_clear n2
guest_exec n2 "cat >/proc/umf/control <<'EOT'
$listed
EOT"
is "in one write to /proc/umf/control they do" "$(fault n2 list)" "$listed"
is "/proc/umf/rules is that list" "$(guest_exec n2 'cat /proc/umf/rules')" "$listed"
net_clear n2

# ---- as umf= at boot; a part a rule, 16 at most ----

boot=()
for line in "${all[@]:0:8}"; do
	boot+=("umf=$line")
done
guest_start boot "eth0=switch,$WORK/seg" umf="seed 99; add eth0 drop at=1h id=semi" "${boot[@]}"
guest_wait_ready boot || exit 1
is "at boot they make the same" "$(fault boot list)" "seed 99"$'\n'"add eth0 drop at=3600s id=semi"$'\n'"$(printf '%s\n' "${all[@]:0:8}")"
like "... the log has the seed" "$(<"$(guest_log boot)")" 'umf: seed 99'

done_testing
