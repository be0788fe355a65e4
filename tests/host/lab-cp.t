#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab cp: files and folders into guests, out of them and between them, byte for byte, and nothing that is half there.

. "$(dirname "$0")/../lib/lab.sh"

cat >t.lab <<E
memory = 128M
guest n1 {}
guest n2 {}
E
run lab up
is "up: status" "$status: $err" "0: "

# copy <word…>: status and what is said, in one line
copy()
{
	run timeout 60 "$umf_lab" -f "$LAB" --kernel "$LINUX" cp "$@"
	said="$status: $out$err"
}

# what a copy that was not done may leave, here and there
left()
{
	find "$WORK" "$(lab_live)" -name '.umf-lab.*' -o -name 'input.*'
	lab exec "${1:-n1}" 'find /root /tmp /run -name ".umf-lab.*" -o -name "umf-in*"'
}

# tree <folder>: names, kinds, modes, times of files, links and content
tree()
{
	(
		cd "$1" || exit
		find . -type d -printf '%P %y %m\n' -o ! -type l -printf '%P %y %m %n %Ts\n' -o -printf '%P %y %l\n' | sort
		find . -type f -exec md5sum {} + | sort
	)
}

# ---- files ----

{ head -c 20000000 /dev/urandom; printf '\001status 0\n\000\r\n\004\377\000'; } >random
chmod 640 random
touch -d 2001-02-03 random
copy random n1:/root
is "a file into a guest's folder" "$said" "0: "
is "... byte for byte, with its mode and time" "$(lab exec n1 'md5sum </root/random; stat -c "%a %u %Y" /root/random')" \
	"$(md5sum <random)"$'\n'"640 0 $(stat -c %Y random)"
copy n1:/root/random back
is "... and back, under another name" "$said" "0: "
check "... the same" cmp random back
is "... mode and time" "$(stat -c '%a %Y' back)" "$(stat -c '%a %Y' random)"
copy n1:root/random n2:/tmp/as-this
is "from one guest to another" "$said" "0: "
is "... the same" "$(lab exec n2 'md5sum </tmp/as-this')" "$(md5sum <random)"
: >empty
copy empty "n1:/root/it's  -e \"\\\$x*"
is "an empty one, under a name with all that a shell knows" "$said$(lab exec n1 'ls /root | grep -c "^it.s  -e"')" '0: 1'
copy "n1:/root/it's  -e \"\\\$x*" .
check "... and back" test -f "it's  -e \"\\\$x*" -a ! -s "it's  -e \"\\\$x*"
echo new >-new
lab exec n1 'echo old >/root/old; ln -s old /root/link; chmod 600 /root/old'
copy -- -new n1:/root/link
is "over a symbolic link: what it leads to is written" "$said$(lab exec n1 'cat /root/old; readlink /root/link')" $'0: new\nold'
copy n1:/root/link followed
is "from a symbolic link: what it leads to" "$said$(stat -c '%F %a' followed; cat followed)" $'0: regular file 644\nnew'
copy n1:/proc/version version
is "what has no size" "$said$(<version)" "0: $(lab exec n1 'cat /proc/version')"
copy random -new empty n2:/root/
is "several into a folder" "$said$(lab exec n2 'cd /root; ls -A; md5sum <random')" $'0: -new\nempty\nrandom\n'"$(md5sum <random)"
mkdir two
copy n1:/root/old n2:/root/-new two
is "... from several guests" "$said$(cat two/old two/-new)" $'0: new\nnew'

# ---- folders ----

mkdir -p from/sub/.hidden "from/ blank  " from/empty from/locked
echo a >from/a
ln from/a from/sub/hard
ln -s ../a from/sub/link
ln -s nowhere from/dangling
ln -s sub from/to-sub
printf 'x\0y' >from/sub/.hidden/..f
echo w >"from/ blank  /$(printf 'new\nline')"
mkfifo from/fifo
head -c 200 /dev/zero | tr '\0' n >long && mv long "from/$(head -c 200 /dev/zero | tr '\0' n)"
chmod 4711 from/a
chmod 555 from/locked
find from ! -type l -exec touch -d 2002-03-04 {} +
copy from n1:/root
is "a folder" "$said" "0: "
copy -r n1:/root/from n2:/root/new
is "... to another guest, under another name (-r may be said)" "$said" "0: "
copy n2:/root/new to
is "... and back" "$said" "0: "
is "... all is as it was: modes, times, links, names" "$(tree to)" "$(tree from)"
mkdir over over/sub
echo mine >over/mine
echo old >over/a
ln -s /nowhere over/dangling
ln -s mine over/sub/hard
copy n1:/root/from/. over
is "what is in a folder, over another one" "$said" "0: "
rm -f over/mine
is "... both are one, new files are there" "$(tree over | grep -v '^ d ')" "$(tree from | grep -v '^ d ')"
copy n1:/root/from over
check "into a folder that is there, it is one in it" diff -r --no-dereference --exclude=fifo from over/from
is "... nothing else is there" "$(left n1)$(left n2)" ""

# ---- what cannot be ----

refused()
{
	local name=$1 wanted=$2
	shift 2

	copy "$@"
	is "$name" "$said" "$wanted"
}

mkdir folder
refused "a source that is not there" "1: umf-lab: n1:/nothing: no such file or folder" n1:/nothing folder
refused "... here" "1: umf-lab: ./nothing: no such file or folder" nothing n1:/root
refused "a target in no folder" "1: umf-lab: n1:/nothing: no such folder" random n1:/nothing/here
refused "a file as a folder" "1: umf-lab: n1:/nothing/: no such folder" random n1:/nothing/
mkdir folder/-new
refused "a file over a folder" "1: umf-lab: ./folder/-new: is a folder" n2:/root/-new folder
refused "a folder over a file" "1: umf-lab: ./random: is no folder" n1:/root/from random
refused "a file over a device" "1: umf-lab: n1:/dev/null: is there and no file" random n1:/dev/null
refused "several into no folder" "1: umf-lab: n1:/root/none: is no folder, and more than one is copied
umf-lab: n1:/root/none: is no folder, and more than one is copied" random empty n1:/root/none
refused "some are there: the others are copied" "1: umf-lab: n1:/nothing: no such file or folder" n1:/nothing n1:/root/old folder
is "... they are" "$(<folder/old)" new
refused "no guest" "2: umf-lab: cp: neither random nor folder is in a guest, as n1:/path" random folder
refused "nobody's guest" "2: umf-lab: n9: no such guest in $LAB" random n9:/tmp
refused "no path" "2: umf-lab: cp: 'n1:': a path is missing" n1: folder
refused "into itself" "2: umf-lab: cp: n1:/root/from/sub is n1:/root/from, or in it" n1:/root/from n1:/root/from/sub
refused "one word" "2: umf-lab: cp: <source>... <target>, each a path or <guest>:<path>" n1:/root/from
run lab -r status
is "-r of another verb" "$status: $err" "2: umf-lab: -r: status has no such option"
lab exec n1 'mkdir /root/full && mount -t tmpfs -o size=2M tmpfs /root/full && echo old >/root/full/random'
copy random n1:/root/full
like "no room" "$said" '^1: .*No space left.*umf-lab: random: is not copied$'
is "... the old file is there, and nothing else" "$(lab exec n1 'ls -A /root/full; cat /root/full/random')" $'random\nold'
is "nothing is left" "$(left n1)" ""

# ---- what ends before it is done ----

nothing_left()
{
	[ -z "$(left)" ]
}

mkfifo slow
exec 7<>slow
for signal in INT TERM; do
	for target in n1:/root/old target; do
		echo old >target
		lab exec n1 'rm -f /tmp/slow; mkfifo /tmp/slow; echo old >/root/old'
		# somebody writes, and does not end
		[ $target = target ] && source=n1:/tmp/slow || source=slow
		"$umf_lab" -f "$LAB" exec n1 'exec 9<>/tmp/slow; echo begun >&9; sleep 1000' 2>/dev/null &
		writer=$!
		echo begun >&7
		"$umf_lab" -f "$LAB" --kernel "$LINUX" cp "$source" "$target" 2>err &
		pid=$!
		if [ $target = target ]; then
			check "$source to $target: it has begun" until_true 20 sh -c 'grep -qs begun .umf-lab.*/file'
		else
			check "$source to $target: it has begun" until_true 20 lab exec n1 'grep -qs begun /root/.umf-lab.*/file'
		fi
		kill -$signal $pid
		status=0
		{ wait $pid; } 2>/dev/null || status=$?
		is "SIG$signal: status" "$status: $(<err)" "$((128 + $(kill -l $signal))): "
		kill $writer
		{ wait $writer; } 2>/dev/null
		check "... nothing is left" until_true 20 nothing_left
		is "... the old file is there" "$(<target)$(lab exec n1 'cat /root/old')" oldold
	done
done
exec 7>&-

lab exec n1 'rm -f /tmp/slow; mkfifo /tmp/slow'
lab exec n1 'exec 9<>/tmp/slow; echo begun >&9; sleep 1000' 2>/dev/null &
"$umf_lab" -f "$LAB" --kernel "$LINUX" cp n1:/tmp/slow target 2>err &
pid=$!
until_true 20 sh -c 'grep -qs begun .umf-lab.*/file'
lab kill n1
status=0
wait $pid || status=$?
is "the source's guest ends: status" "$status: $(<err)" "125: umf-lab: n1: has ended meanwhile"
is "... nothing is left, the old file is there" "$(find . -name '.umf-lab.*')$(<target)" old
refused "it has ended" "125: umf-lab: n1: has ended; umf-lab restart n1 starts it" n1:/root/old folder
refused "... as a target" "125: umf-lab: n1: has ended; umf-lab restart n1 starts it" random n1:/root
lab down
lab_clean n1 n2
done_testing
