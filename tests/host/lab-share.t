#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# share = in a lab file: folders of the host that guests see.

. "$(dirname "$0")/../lib/lab.sh"

mkdir src data other
echo source >src/file
echo other >other/file

# ---- what may be said ----

# refused <description> <line:column> <regex>, the file on standard input
refused()
{
	cat >bad.lab
	run "$umf_lab" --kernel "$LINUX" check bad.lab
	is "$1: status, one line" "$status: $(wc -l <<<"$err")" "2: 1"
	like "... says where and what" "$err" "^bad\.lab:$2: $3"
}

form='must be <host folder> <mount point> \[ro\]'
refused "a folder that is not there" 2:11 "share = 'nothing /mnt': /.*/nothing: No such file" <<'E'
guest n1 {
	share = "nothing /mnt"
}
E
refused "... for all guests" 1:24 "share = 'nothing /mnt': /.*/nothing: No such file" <<'E'
share = { "src /src", "nothing /mnt" } guest n1 {}
E
refused "a file" 1:10 "share = 'src/file /mnt': /.*/src/file: is no folder" <<<'share = "src/file /mnt" guest n1 {}'
refused "no mount point" 1:9 "share = 'src': $form" <<<'share = src guest n1 {}'
refused "a relative one" 1:10 "share = 'src mnt': $form" <<<'share = "src mnt" guest n1 {}'
refused "the root" 1:10 "share = 'src /': $form" <<<'share = "src /" guest n1 {}'
refused "one with .." 1:10 "share = 'src /mnt/..': $form" <<<'share = "src /mnt/.." guest n1 {}'
refused "another word" 1:10 "share = 'src /mnt rx': $form" <<<'share = "src /mnt rx" guest n1 {}'
refused "one more word" 1:10 "share = 'src /mnt ro ro': $form" <<<'share = "src /mnt ro ro" guest n1 {}'
refused "a colon" 1:10 "share = 'src:/mnt ro': $form" <<<'share = "src:/mnt ro" guest n1 {}'
refused "two at one place" 1:24 "share = 'data /mnt': /mnt is taken already" <<<'share = { "src /mnt", "data /mnt" } guest n1 {}'
rm bad.lab

# ---- in guests ----

cat >t.lab <<E
memory = $GUEST_MEM
share = { "src /src ro", "$WORK/data /mnt/data" }
guest n1 {}
guest n2 { share = "other /src" }
E
run lab up
is "up: status" "$status: $err" "0: "
is "a folder of the lab file's" "$(lab exec n1 'cat /src/file')" source
run lab exec n1 'echo new >/src/file'
like "ro: nobody writes there" "$status: $err" '^1: .*Read-only file system'
is "... it is as it was" "$(<src/file)" source
is "a guest's own goes before that of all" "$(lab exec n2 'cat /src/file')" other
run lab exec n2 'echo new >/src/file'
is "without ro they write" "$status: $(<other/file)" "0: new"
head -c 3000000 /dev/urandom >data/random
is "what the host writes the guest reads" "$(lab exec n1 'md5sum </mnt/data/random')" "$(md5sum <data/random)"
lab exec n1 'tail -c 2000001 /mnt/data/random >/mnt/data/tail'
check "... and the other way round" cmp data/tail <(tail -c 2000001 data/random)
echo again >src/file
is "a file that changes" "$(lab exec n1 'cat /src/file')" again
run lab restart --kill n1
is "restart" "$status: $err" "0: "
is "... it is there again" "$(lab exec n1 'cat /src/file; grep -c " hostfs r" /proc/mounts')" $'again\n2'
mv t.lab gone
run lab restart n2
is "... without the lab file, too" "$status: $(lab exec n2 'cat /src/file')" "0: new"
mv gone t.lab
lab down
lab_clean n1 n2

# ---- one that is not there ----

# hostfs shows it nothing, and its root file system has another one there
cat >t.lab <<E
memory = $GUEST_MEM
guest n1 { share = "src /src ro" append = "hostfs=/nothing" }
E
run lab up
is "a guest that cannot mount it: status" "$status" 1
like "... what it says of it" "$err" "guest n1: share /src is not there: .*share /src: hostfs could not be mounted from $WORK/src"
cat >t.lab <<E
memory = $GUEST_MEM
guest n1 { share = "src /src ro" append = "share=$WORK/data:/src" }
E
run lab up
like "another mount is at its place" "$status: $err" "^1: .*guest n1: share /src is not there: "
is "... nobody runs" "$(lab_processes)" 0
done_testing
