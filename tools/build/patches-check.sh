#!/bin/bash
# patches-check.sh <line>...: proves each patch of each line: git can read it, it names a test that is
# there, it edits existing files only, checkpatch has nothing to say, it applies without fuzz, and the
# tree builds after it.
SAY="patches-check"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/check-tree.sh"

failures=0
fail() {
	printf '%s: %s\n' "${p#"$TOP"/}" "$*" >&2
	failures=$((failures + 1))
}

check_form() { # <patch> <pristine tree>
	local info subject t f out
	info=$(git mailinfo "$tmp/msg" "$tmp/diff" <"$1" 2>&1) || fail "git mailinfo cannot read it: $info"
	subject=$(sed -n 's/^Subject: //p' <<<"$info")
	[[ -n $subject ]] || fail "no subject"
	grep -q '^Author: ..*' <<<"$info" || fail "no author"
	grep -q '^Signed-off-by: ' "$tmp/msg" || fail "no Signed-off-by"
	t=$(sed -n 's/^Test: *//p' "$tmp/msg")
	[[ -n $t ]] || fail "no Test: line that names the test which fails without it"
	for f in $t; do [[ -e $TOP/$f ]] || fail "its test $f does not exist"; done
	grep -q '^--- /dev/null' "$1" && fail "adds a file; drivers/ is the place for new ones"
	# what UML's own parameters do, --help says (__uml_help)
	out=$(cd "$2" && perl scripts/checkpatch.pl --strict -q --show-types --ignore FILE_PATH_CHANGES,UNDOCUMENTED_SETUP "$1" 2>&1) || fail "checkpatch: $out"
}

# What a patch can break: the files that it edits, the folder whose Makefile or Kconfig it does, and all that may include
# a header.
targets_of() { # <patch>
	local f

	for f in $(touched "$1"); do
		case $f in
		*.c) echo "${f%.c}.o" ;;
		*.h) printf '%s\n' arch/um/{drivers,kernel,os-Linux}/ ;;
		arch/x86/*) echo arch/x86/um/ ;;
		*) echo arch/um/drivers/ ;;
		esac
	done | sort -u | awk '
		# kbuild takes a folder or a file below it, not both
		{ target[++n] = $0 }
		END {
			for (i = 1; i <= n; i++) {
				below = 0
				for (k = 1; k <= n; k++)
					below += k != i && target[k] ~ /\/$/ && index(target[i], target[k]) == 1
				if (!below) print target[i]
			}
		}'
}

check_line() { # <line>
	local dir=$BUILD/$1 f n=0 targets configured='' out
	local -a patches
	src=$dir/check/src obj=$dir/check/obj
	lock "$dir/.lock" shared
	lock "$dir/.lock-check"
	mapfile -t patches < <(series "$1")
	say "line $1: ${#patches[@]} patches on $(kernel_version "$dir/src")"
	check_tree "$dir"
	for p in "${patches[@]}"; do
		n=$((n + 1))
		check_form "$p" "$src"
		out=$(patch -d "$src" -p1 -F0 -f --no-backup-if-mismatch <"$p" 2>&1) || {
			fail "does not apply: $out"
			return
		}
		grep -q fuzz <<<"$out" && fail "applies with fuzz only"
		mapfile -t targets < <(targets_of "$p")
		if [[ -z $configured ]] || touched "$p" | grep -q Kconfig; then
			mkdir -p "$obj"
			cat "$TOP"/configs/kernel/{base,uml,time-travel,net,netfilter,ha,storage,fs,kunit,umf}.config >"$obj/requested.config"
			kbuild "$src" "$obj" KCONFIG_ALLCONFIG="$obj/requested.config" allnoconfig >"$obj/log" 2>&1
			configured=1
		fi
		kbuild "$src" "$obj" "${targets[@]}" >"$obj/log" 2>&1 ||
			fail "does not build: $(grep -m 3 -E 'error|Error' "$obj/log")"
		grep -A 3 'warning:' "$obj/log" && fail "warnings"
		say "line $1: $n/${#patches[@]} ${p##*/}, $(elapsed)"
	done
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for l in "$@"; do check_line "$l"; done
((failures == 0)) || die "$failures failures"
