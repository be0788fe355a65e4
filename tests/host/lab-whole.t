#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab up: a lab is up when every guest has what the lab file gives it. What its kernel refused ends the lab, with the
# kernel's line about it.

. "$(dirname "$0")/../lib/lab.sh"

# lab_file <text of guest n2>
lab_file()
{
	cat >"$LAB" <<-END
	memory = $GUEST_MEM
	segment pub {}
	guest n1 {}
	guest n2 { $1 }
	END
}

# lacks <description> <what is missing> <why>: in $1's way
lacks()
{
	run lab up
	is "$1: status" "$status" 1
	like "... what is missing, and why" "$err" "^umf-lab: .*/t.lab: guest n2: $2 is not there: .*$3.*; its log is .*/n2.log$"
	is "... in one line" "$(wc -l <<<"$err")" 1
	is "... nothing is left running" "$(lab_processes)" 0
}

rules=$(for i in {1..18}; do echo "\"eth0 drop every=10000 id=f$i\","; done)
lab_file "nic eth0 { segment = pub ip = { \"10.0.0.1/24\", \"[fd00:0:0::2]/64\" } } nic eth31 { segment = pub }
	serial ttyS0 { transport = null } serial ttyS31 { transport = null } disk umfa { size = 1M } disk umfz { size = 1M }
	faults = { $rules \"eth0 drop bpf='1,6 0 0 0' every=10000 id=q1\", \"eth31 drop every=1000 id=q2\" }"
run lab up
is "a guest that has it all: status" "$status: $err" "0: "
is "... as many rules as the file has" "$(lab fault n2 list | grep -c '^add ')" 20
is "... in its order" "$(lab fault n2 list | grep -o 'id=[a-z0-9]*' | tr '\n' ' ')" "$(printf 'id=f%d ' {1..18})id=q1 id=q2 "
lab down

truncate -s 1M data.img
mkdir other
echo "memory = $GUEST_MEM guest m1 { disk umfa { image = ../data.img } }" >other/o.lab
"$umf_lab" -f other/o.lab --kernel "$LINUX" -q up
lab_file 'disk umfa { image = data.img }'
lacks "an image that another lab has" "disk umfa" "in use by another"
"$umf_lab" -f other/o.lab down --kill
run lab up
is "... when that is gone: status" "$status: $err" "0: "
mv data.img gone.img
run lab restart --kill n2
like "an image that is gone when the guest starts again" "$status: $err" '^1: umf-lab: .*guest n2: disk umfa is not there: .*No such file'
is "... the other guest runs on" "$(lab status --json | jq -r '.[].state' | tr '\n' ' ')" "ready ended "
lab down

printf 'OOOM\0\0\0\3short' >cut.cow
lab_file 'disk umfb { image = cut.cow format = cow }'
lacks "a COW file that ends in its header" "disk umfb" "umf-blk: umfb: "
lab_file 'serial ttyS3 { transport = "unix,/nothing/x" }'
lacks "a socket that cannot be made" "serial ttyS3" "ttyS3: cannot listen on unix"
lab_file 'append = "ipv6.disable=1" nic eth0 { segment = pub ip = { "10.0.0.2/24", "[fd00::2]/64" } }'
lacks "an address that is refused" "address eth0 fd00::2/64" "fd00::2/64"
lab_file 'nic eth0 { segment = pub ip = 10.0.0.2/24 } nic eth1 { segment = pub ip = 10.0.1.2/24 } append = "ip=eth0:10.0.1.2/24 ip=eth1:10.0.0.2/24"'
run lab up
is "addresses that other NICs have as well: status" "$status: $err" "0: "
lab down --kill

# a kernel is asked what it can
ln -s "$LINUX" "it's"
lab_file "kernel = \"./it's\""
run lab up
is "a kernel with a quote in its name: status" "$status: $err" "0: "
seccomp()
{
	tr '\0' '\n' <"/proc/$(lab status --json | jq ".[$1].pid")/cmdline" | grep -c ^seccomp=on
}
is "... it is asked as others are" "$(seccomp 1)" "$(seccomp 0)"
lab down --kill

# ---- what a guest died of ----

lab_file ''
run lab up
is "up: status" "$status: $err" "0: "
lab fault n2 add node panic >/dev/null 2>&1
check "a guest that panics ends" lab wait -t 60 ended n2
run lab exec n2 true
like "... exec says of what" "$status: $err" '^125: umf-lab: n2: has ended: Kernel panic - not syncing: .*; its log is .*/n2.log; umf-lab restart n2 starts it$'
like "... and so does status" "$(lab status)" $'\nn2 +ended +Kernel panic - not syncing: .*'
like "... in JSON" "$(lab status --json | jq -r '.[1].why')" '^Kernel panic - not syncing: '
is "... nothing of the other" "$(lab status --json | jq -r '.[0].why')" null
lab down
done_testing
