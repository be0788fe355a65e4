#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# include in lab files: what is wrong in one is told with its own line, its paths are relative to it, and pack takes it along,
# with what the lab was given by --set and by the environment.

. "$(dirname "$0")/../lib/lab.sh"

# refused <description> <file:line:column> <regex>: $LAB, as t.lab of the current folder
refused()
{
	run "$umf_lab" --kernel "$LINUX" check t.lab
	is "$1: status" "$status" 2
	is "... one line" "$(wc -l <<<"$err")" 1
	like "... says where and what" "$err" "^$2: $3"
}

mkdir -p parts/deep other
cat >"$LAB" <<'E'
set who = main
include "parts/base.inc"
guest n[1-2] {
	append = "umf_who=${who} umf_what=${what}"
	include parts/deep/nic.inc	# each has one
}
E
cat >parts/base.inc <<'E'
set who = base
set what = base
include "deep/more.inc"
memory = 96M
E
echo 'segment lan {} segment mine {}' >parts/deep/more.inc
# shellcheck disable=SC2016
echo 'nic eth0 { segment = lan ip = 10.0.0.${n}/24 }' >parts/deep/nic.inc
run lab check
is "files that include others: status" "$status: $err" "0: "
is "... what they say is the lab's" "$out" "$LAB: lab t, 2 guests, 2 segments"
is "... also what stands in a section, and for each guest" "$(lab graph | grep -c '"guest:n[12]" -- "segment:lan" \[label="eth0.n10.0.0.[12]/24"\]')" 2

echo 'memry = 5' >>parts/base.inc
refused "what is wrong in an included file" 'parts/base\.inc:5:1' 'memry: no such word here \(included by t\.lab:2\)$'
sed -i '$d' parts/base.inc
echo 'mtu = 5' >>parts/deep/nic.inc
refused "... for each guest" 'parts/deep/nic\.inc:2:1' 'guest n1: mtu: no such word here \(included by t\.lab:5\)$'
echo 'append = x' >"$WORK/parts/deep/nic.inc"
refused "... twice, once there" 'parts/deep/nic\.inc:1:1' 'guest n1: append: is given twice \(included by t\.lab:5\)$'
echo '}' >parts/deep/nic.inc
refused "a } too many" 'parts/deep/nic\.inc:1:1' 'guest n1: unexpected closing brace'
echo 'nic eth0 { segment = lan' >parts/deep/nic.inc
refused "a } that is missing" 'parts/deep/nic\.inc:1' 'guest n1: a \} is missing before the end'
echo 'set x = 5' >parts/deep/nic.inc
refused "a set in a section" 'parts/deep/nic\.inc:1:1' 'guest n1: set: stands outside of all \{ \}'
echo "append = 'x" >parts/deep/nic.inc
refused "a quote that is not closed" 'parts/deep/nic\.inc:1' 'guest n1: a quote is not closed'
sed -i '/nic.inc/d' "$LAB"
echo 'memory = 96M' >>"$LAB"
refused "what is wrong behind it" 't\.lab:6:1' 'memory: is given twice$'
sed -i '$d' "$LAB"
echo 'set what = late' >>"$LAB"
refused "a set behind an included one" 't\.lab:6:5' 'set what: is set at parts/base\.inc:2:5 already'
sed -i '$d' "$LAB"
echo 'include "../../t.lab"' >parts/deep/more.inc
refused "a loop" 'parts/deep/more\.inc:1:9' 'include \.\./\.\./t\.lab: is a loop: t\.lab is being read already'
echo 'include more.inc' >parts/deep/more.inc
refused "a file that includes itself" 'parts/deep/more\.inc:1:9' 'include more\.inc: is a loop'
echo 'include ../gone.inc' >parts/deep/more.inc
refused "a file that is not there" 'parts/deep/more\.inc:1:9' 'include \.\./gone\.inc: /.*: No such file or directory'
echo 'include "../deep"' >parts/deep/more.inc
refused "a folder" 'parts/deep/more\.inc:1:9' 'include \.\./deep: /.*: Is a directory'
echo 'include = x' >parts/deep/more.inc
refused "no name" 'parts/deep/more\.inc:1:1' 'include: must be include "<file>"'
echo 'setup = gone.sh' >parts/deep/more.inc
refused "a path is relative to the file that it stands in" 'parts/deep/more\.inc:1:9' 'gone\.sh: /.*/parts/deep/gone\.sh: No such file'

# ---- pack: elsewhere it means the same ----

mkdir lab far
cat >lab/t.lab <<E
memory = $GUEST_MEM
kernel = ../far/linux
include "parts/in.inc"
include "../far/base.inc"
guest n1 {
	append = "umf_given=\${given} umf_env=\${env:UMF_TEST} umf_default=\${default} $lab_mark"
	nic eth0 { segment = lan ip = 10.0.0.1/24 }
	disk umfa { backing = disk.img }
}
E
mkdir lab/parts
cp -L "$LINUX" far/linux
echo 'set default = lab' >lab/parts/in.inc
cat >far/base.inc <<'E'
segment lan {}
include deep.inc
E
printf 'setup = setup.sh' >far/deep.inc
echo 'echo far >/far' >far/setup.sh
echo 'echo lab >/far' >lab/setup.sh
truncate -s 1M lab/disk.img
LAB=$WORK/lab/t.lab
export UMF_TEST=here
run lab pack --set given=it "$WORK/t.tar"
is "pack: status" "$status: $err" "0: "
# what it says of the kernel is another path then
picture()
{
	sed 's/, [^,]*M"/"/; s|/[^ ]*linux||' | sort
}
lab graph --set given=it | picture >here.dot
mv lab gone-lab
mv far gone-far
unset UMF_TEST
check "unpack" "$umf_lab" unpack t.tar "$WORK"
LAB=$WORK/t/t.lab
run "$WORK/t/umf-lab" check
is "... it is right without what it was given: status" "$status: $err" "0: "
is "... and the same" "$("$WORK/t/umf-lab" graph | picture)" "$(<here.dot)"
run "$WORK/t/umf-lab" -q up
is "... it comes up: status" "$status: $err" "0: "
like "... with the values that it had" "$("$WORK/t/umf-lab" exec n1 cat /proc/cmdline)" 'umf_given=it umf_env=here umf_default=lab '
is "... and the included file's own setup" "$("$WORK/t/umf-lab" exec n1 cat /far)" far
"$WORK/t/umf-lab" down
lab_clean n1
run "$WORK/t/umf-lab" --set given=other graph
is "... --set gives it another value: status" "$status: $err" "0: "
run "$WORK/t/umf-lab" pack "$WORK/again.tar"
is "it is packed again: status" "$status: $err" "0: "
mkdir again
"$umf_lab" unpack again.tar again
mv t gone-t
run again/t/umf-lab check
is "... and is right again: status" "$status: $err" "0: "
is "... and the same" "$(again/t/umf-lab graph | picture)" "$(<here.dot)"
done_testing
