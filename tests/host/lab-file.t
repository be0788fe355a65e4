#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab check: what a lab file may say, and how it is told what it may not. Nothing is started.

. "$(dirname "$0")/../lib/lab.sh"

truncate -s 1M image
cat >t.lab <<'E'
name = sample	# a comment
seed = 42
memory = 128M
segment pub {}
segment "priv" {}
guest n1 {
	append = "quiet"
	cpu = 0
	nic eth0 { segment = pub ip = { "10.0.0.1/24", "[fd00::1]/64" } mac = 02:00:00:00:00:01 mtu = 9000 }
	nic eth1 { segment = "priv" }
	serial ttyS0 { link = hb }
	disk umfa { image = image cache = "volatile:1M" order = strict }
	disk umfb { size = 8M }
	faults = { "eth0 drop prob=10%", "add umfa delay time=1ms" }
}
guest n2 {
	serial ttyS0 { link = hb }
	serial ttyS1 { transport = pty }
	disk umfa { backing = image }
	disk umfb { image = common.img size = 8M shared = true }
}
E
run lab check
is "a file with all there is: status" "$status: $err" "0: "
is "... and what it is" "$out" "$LAB: lab sample, 2 guests, 2 segments"
check "... nothing is made" test ! -e t.run

# refused <description> <line:column or line> <regex>, the file on standard input
refused()
{
	cat >bad.lab
	run "$umf_lab" --kernel "$LINUX" check bad.lab
	is "$1: status" "$status" 2
	is "... one line" "$(wc -l <<<"$err")" 1
	like "... says where and what" "$err" "^bad\.lab:$2: $3"
}

refused "an unknown word" 2:2 'memry: no such word' <<'E'
guest n1 {
	memry = 64M
}
E
refused "an unknown word at the top" 1:1 'gest: no such word' <<<'gest n1 {}'
refused "an unknown word of a nic" 3:27 'spid: no such word' <<'E'
segment pub {}
guest n1 {
	nic eth0 { segment = pub spid = 3 }
}
E
refused "a guest's name used twice" 2:7 'n1: this name is used twice' <<'E'
guest n1 {}
guest n1 {}
E
refused "a segment's name used twice" 2:9 'pub: this name is used twice' <<'E'
segment pub {}
segment pub {}
E
refused "a segment nobody made" 2:23 'segment = pub: nobody made it' <<'E'
guest n1 {
	nic eth0 { segment = pub }
}
E
refused "a missing image" '2:[0-9]+' 'disk umfa: there is no image /.*/nothing' <<'E'
guest n1 {
	disk umfa { image = nothing }
}
E
printf 'OOOM and more' >begins
refused "an image that begins as a COW file does" '2:[0-9]+' 'disk umfa: .*/begins begins as a COW file does; format = cow' <<'E'
guest n1 {
	disk umfa { image = begins }
}
E
refused "a format that is none" '2:[0-9]+' 'format = qcow2: must be raw or cow' <<'E'
guest n1 {
	disk umfa { image = begins format = qcow2 }
}
E
refused "a raw delta" '2:[0-9]+' 'disk umfa: what has a backing file is not raw' <<'E'
guest n1 {
	disk umfa { backing = begins format = raw }
}
E
refused "a COW file that is none" '2:[0-9]+' 'disk umfa: .*/image is no COW file' <<'E'
guest n1 {
	disk umfa { image = image format = cow }
}
E
for format in raw cow; do
	printf 'guest n1 {\n\tdisk umfa { image = begins format = %s }\n}\n' $format >begins.lab
	check "... format = $format: it is taken" "$umf_lab" --kernel "$LINUX" -f begins.lab check
done
rm begins.lab
refused "a missing backing file" 2:24 'nothing: /.*/nothing: No such file' <<'E'
guest n1 {
	disk umfa { backing = nothing }
}
E
refused "a missing rootfs" 1:10 'nothing: /.*/nothing: No such file' <<<'rootfs = nothing guest n1 {}'
refused "a kernel line that is not built" 1:10 'kernel = 5.4: there is no kernel /.*/5.4/linux' <<<'kernel = 5.4 guest n1 {}'
refused "a kernel that is none" 1:10 'kernel = ./image: there is no kernel' <<<'kernel = ./image guest n1 {}'
refused "a value given twice" 3:2 'memory: is given twice' <<'E'
guest n1 {
	memory = 64M
	memory = 96M
}
E
refused "a size that is none" 1:10 'memory = 64Q: must be a size' <<<'memory = 64Q guest n1 {}'
refused "too little memory" 1:10 'memory = 1M: at least' <<<'memory = 1M guest n1 {}'
refused "a nic of another name" '2:6' 'nic wlan0: must be eth0' <<'E'
segment pub {} guest n1 {
	nic wlan0 { segment = pub }
}
E
refused "a nic without segment" '1:16' 'nic eth0: segment = is missing' <<<'guest n1 { nic eth0 { } }'
refused "a 33rd nic" '2:6' 'nic eth32: must be eth0 to eth31' <<'E'
segment pub {} guest n1 {
	nic eth32 { segment = pub }
}
E
refused "a nic spelt in two ways" '2:6' 'nic eth01: must be eth0 to eth31' <<'E'
segment pub {} guest n1 {
	nic eth01 { segment = pub }
}
E
refused "a 33rd line" '1:[0-9]+' 'serial ttyS32: must be ttyS0 to ttyS31' <<<'guest n1 { serial ttyS32 { transport = null } }'
nics=$(printf 'nic eth%s { segment = pub } ' {0..31})
refused "the 65th port of a segment" 4:16 'nic eth0: segment pub has 64 ports, and all are taken' <<E
segment pub {}
guest n1 { $nics }
guest n2 { $nics }
guest n3 { nic eth0 { segment = pub } }
E
refused "a link with three ends" '4:[0-9]+' 'link = hb: a link has two ends' <<'E'

guest n1 { serial ttyS0 { link = hb } }
guest n2 { serial ttyS0 { link = hb } }
guest n3 { serial ttyS0 { link = hb } }
E
refused "a disk of nothing" '1:17' 'disk umfa: image =, backing = or size = is missing' <<<'guest n1 { disk umfa { shared = yes } }'
refused "a flag that is none" '1:[0-9]+' 'shared = maybe: must be true or false' <<<'guest n1 { disk umfa { shared = maybe } }'
refused "an address that is none" 2:32 'ip = 10.0.0.1: must be' <<'E'
segment pub {} guest n1 {
	nic eth0 { segment = pub ip = 10.0.0.1 }
}
E
# refused_word <section> <word> <wrong values…>: what a driver, or the guest's ip, would not take
refused_word()
{
	local section=$1 word=$2 value
	shift 2

	for value in "$@"; do
		refused "$word = $value" '2:[0-9]+' "$word = .*: (must be|letters, digits|\.log is) " <<END
segment pub {} guest n1 {
	$section $word = "$value" }
}
END
	done
}
refused_word 'nic eth0 { segment = pub' mac zz 02:00:00:00:00:0 02:00:00:00:00:01:02 01:00:00:00:00:01 00:00:00:00:00:00
refused_word 'nic eth0 { segment = pub' mtu 99999 67 65522 -1 0x600 1500x
refused_word 'nic eth0 { segment = pub' ip 10.0.0.300/24 10.0.0.1/33 10.0.0/24 10.0.0.1/24: 10.0.0.1/24:10.0.0 '[fd00::1/64' \
	'[fd00::1]/129' '[fd00::1]/64:10.0.0.1' '10.0.0.1/24:[fd00::1]' fd00::1/64 10.0.0.1/
refused_word 'serial ttyS0 {' transport bogus fd:99 fd:1 tcp,0 tcp,x tcp, unix, null,x pty,pace=maybe
refused_word 'disk umfa { size = 1M' cache bogus volatile:1k volatile:2G volatile:x
refused_word 'disk umfa { size = 1M' order bogus
refused_word 'disk umfa { size = 1M' logical 300 1024
refused_word 'disk umfa { size = 1M' physical 300
refused_word 'disk umfa { size = 1M' serial 123456789012345678901
refused_word 'disk umfa { size = 1M' engine aio
refused_word 'disk umfa { size = 1M' direct 1
refused_word 'disk umfa { size = 1M' log n1.log 'a b'
refused_word 'serial ttyS0 { link = hb' pace off,x
cat >words.lab <<'E'
segment pub {} guest n1 {
	nic eth0 { segment = pub mac = 0a:00:00:00:00:0F mtu = 68 ip = { "10.0.0.1/0:10.0.0.2", "[fd00::1]/128:[fd00::2]" } }
	serial ttyS0 { transport = "tcp,65535" } serial ttyS1 { transport = "link,/tmp/a,b,pace=off" }
	serial ttyS2 { transport = "pty,pace=on" } serial ttyS3 { transport = "unix,/tmp/x" } serial ttyS4 { transport = null }
	disk umfa { size = 1M cache = "volatile:1G" order = strict logical = 4096 physical = 512 serial = 12345678901234567890 }
	disk umfb { size = 1M cache = none engine = uring direct = true log = b.wlog }
	disk umfc { size = 1M engine = threads direct = no log = /tmp/c.wlog }
	serial ttyS5 { link = hb pace = off } serial ttyS6 { transport = pty pace = on }
}
E
run "$umf_lab" --kernel "$LINUX" check words.lab
is "what they take is taken" "$status: $err" "0: "
refused "a write log of a disk that is shared" 1:17 'disk umfa: log = does not go with shared' \
	<<<'guest n1 { disk umfa { size = 1M log = a.wlog shared = true } }'
refused "... that is not written" 1:17 'disk umfa: log = does not go with ro' <<<'guest n1 { disk umfa { size = 1M log = a.wlog ro = true } }'
refused "... of two" '1:[0-9]+' 'log = a\.wlog: is another disk.s' \
	<<<'guest n1 { disk umfa { size = 1M log = a.wlog } disk umfb { size = 1M log = a.wlog } }'
refused "a pace that is given twice" 1:19 'serial ttyS0: pace is given twice' \
	<<<'guest n1 { serial ttyS0 { transport = "pty,pace=off" pace = on } }'
{
	echo 'guest n1 { faults = {'
	for i in {1..16}; do echo "\"eth0 drop bpf='1,6 0 0 $i'\","; done
	echo '"eth0 drop" } }'
} >many.lab
run "$umf_lab" --kernel "$LINUX" check many.lab
like "more first faults with quotes than a kernel takes" "$status: $err" '^2: umf-lab: many.lab: guest n1: a kernel takes 16 texts'
refused "a first fault's filter that is none" 2:22 "match='icpm': .*syntax error" <<'E'
guest n1 {
	faults = "eth0 drop match=icpm"
}
E
refused "... that is empty" '1:[0-9]+' 'match= is empty' <<<'guest n1 { faults = "eth0 drop  match= count=1" }'
printf 'guest n1 { append = "%s" }\n' "$(printf 'x%.0s' {1..4000})" >many.lab
run "$umf_lab" --kernel "$LINUX" check many.lab
like "a command line that is too long" "$status: $err" '^2: umf-lab: many.lab: guest n1: its command line has [0-9]+ bytes'
refused "a quote that is not closed" 1 'a quote is not closed' <<<'guest n1 { memory = "64M }'
refused "... after others, and a comment with one" 3 'a quote is not closed' <<'E'
name = "good" # it's
guest n1 {
	append = 'x
}
E
refused "a transport without quotes" 1:39 'transport = tcp: must be pty, null, or in quotes' <<<'guest n1 { serial ttyS0 { transport = tcp,5000 } }'
refused "a comma without quotes" 1 'a value with a comma stands in quotes' <<<'guest n1 { append = a,b }'
refused "a brace that is not closed" 1 'a } is missing before the end' <<<'guest n1 { memory = 64M'
refused "a name that is a path" '1:[0-9]+' 'guest \.\./n1: letters' <<<'guest "../n1" {}'
refused "a seed that is no number" 1:8 'seed = seven: must be a whole number' <<<'seed = seven guest n1 {}'

printf '' >bad.lab
run "$umf_lab" check bad.lab
like "an empty file" "$status: $err" '^2: umf-lab: bad\.lab: no guest is in it$'
run "$umf_lab" check gone.lab
like "a file that is not there" "$status: $err" '^2: umf-lab: gone\.lab: No such file'
run "$umf_lab" check
like "two files, and none named" "$status: $err" '^2: umf-lab: which lab file\?'
for args in "fly" "up --bad" "exec" "exec n1" "-t soon status" "kill" "freeze" "thaw" "console" "wait n1 n1"; do
	# shellcheck disable=SC2086 # words
	run lab $args
	is "refused: $args" "$status: $(wc -l <<<"$err")" '2: 1'
done
run lab exec n1 true
like "a lab that is down: exec" "$status: $err" '^125: umf-lab: n1: is down'
run lab status
is "... status" "$status: $out" "0: $LAB: is not up"
run lab down
is "... and down is no error" "$status: $err" "0: "

mkdir "my lab;touch pwned"
cp t.lab "my lab;touch pwned/it's.lab"
out=$("$umf_lab" -f "my lab;touch pwned/it's.lab" --run r env; echo 'echo "$UMF_LAB"')
is "env is for a shell, whatever the folder's name" "$(bash -c "$out")" "$WORK/my lab;touch pwned/it's.lab"
check "... and nothing else is done" test ! -e pwned
done_testing
