#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A lab that is up says which versions of kernel, images and tools it was started from, by their SHA-256; each is read once.

. "$(dirname "$0")/../lib/lab.sh"

# a sha256sum that says when it is called
mkdir path
cat >path/sha256sum <<E
#!/bin/sh
echo called >>"$WORK/calls"
exec $(command -v sha256sum) "\$@"
E
chmod +x path/sha256sum
PATH=$WORK/path:$PATH
calls()
{
	local n=0

	[ ! -e calls ] || n=$(wc -l <calls)
	rm -f calls
	echo "$n"
}
sum()
{
	sha256sum <"$1" | cut -d ' ' -f 1
}

cp "$LINUX" kernel
echo true >setup
# data in two blocks, zeros that are written, a hole, and an end within a block
truncate -s 1000000 holes
printf x | dd of=holes bs=1 seek=5000 conv=notrunc 2>/dev/null
printf 'y%.0s' {1..5000} | dd of=holes bs=1 seek=598016 conv=notrunc 2>/dev/null
dd if=/dev/zero of=holes bs=4096 seek=3 count=2 conv=notrunc 2>/dev/null
printf z | dd of=holes bs=1 seek=999999 conv=notrunc 2>/dev/null
cp --sparse=never holes full
cat >t.lab <<E
kernel = $WORK/kernel
memory = $GUEST_MEM
setup = setup
guest n1 { disk umfa { backing = holes } disk umfb { backing = full } disk umfc { size = 1M } }
guest n2 {}
E
touch -d '1 minute ago' kernel setup holes full
until_true 5 sh -c '[ "$(($(date +%s) - $(stat -c %Z full)))" -gt 2 ]'	# what was changed just now is not kept
run lab -q up
is "up: status" "$status: $err" "0: "
check "each file was read" test "$(calls)" -ge 5
run lab status --json
# file <guest> <what>: its path and sum
file()
{
	jq -r --arg guest "$1" --arg is "$2" \
		'.[] | select(.guest == $guest) | .files[] | select(.is == $is) | .path + " " + (.sha256 // "-") + " " + (.["sha256-data"] // "-")' <<<"$out"
}
is "the kernel's" "$(file n1 kernel)" "$WORK/kernel $(sum kernel) -"
is "... also of the other guest" "$(file n2 kernel)" "$WORK/kernel $(sum kernel) -"
is "the root file system's" "$(file n2 rootfs | cut -d ' ' -f 2-)" "$(sum "$INITRAMFS") -"
is "the setup script's" "$(file n1 setup)" "$WORK/setup $(sum setup) -"
is "a backing file's, without holes" "$(file n1 umfb)" "$WORK/full $(sum full) -"
# shellcheck disable=SC2016 # perl's
data=$(perl -e 'binmode STDOUT; $/ = \4096; while (<>) { print pack("Q<", $. - 1), $_ if /[^\0]/ }' full | sha256sum | cut -d ' ' -f 1)
is "... with holes: of its data" "$(file n1 umfa)" "$WORK/holes - $data"
is "... not of what guests write" "$(file n1 umfc)" ""
is "the tools'" "$("$umf_lab" status --all --json |
	jq -r --arg run "$WORK/t.run" '.[] | select(.run == $run) | .tools[] | select(.is == "umf-lab") | .sha256')" "$(sum "$BIN/umf-lab")"
calls >/dev/null
lab down --kill
check_fails "what is down says nothing of them" test "$(lab status --json | jq '.[0].files')" != null
run lab -q up
is "up again" "$status: $err" "0: "
is "... reads none of them" "$(calls)" 0

# ---- what is another version ----

cp kernel new && echo >>new && mv new kernel
run lab -q restart --kill n1
is "a kernel that is another one by now, restart: status" "$status: $err" "0: "
run lab status --json
is "... n1 has it" "$(file n1 kernel)" "$WORK/kernel $(sum kernel) -"
check "... n2 has not" test "$(file n2 kernel)" != "$(file n1 kernel)"
lab down --kill
rm -r .cache
echo corrupt >.cache
run env -u XDG_CACHE_HOME "$umf_lab" -f "$LAB" -q up
is "nowhere to keep them: status" "$status: $err" "0: "
run lab status --json
is "... they are known" "$(file n2 kernel)" "$WORK/kernel $(sum kernel) -"
lab down --kill
rm path/sha256sum
ln -s /bin/false path/sha256sum
run lab -q up
is "no sha256sum that works: status" "$status: $err" "0: "
run lab status --json
is "... they are not" "$(file n2 kernel)" "$WORK/kernel - -"
lab down --kill
lab_clean n1 n2
done_testing
