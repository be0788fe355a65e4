#!/bin/bash
# lint.sh <folder>: what can be found without running anything.  On the kernel code: checkpatch
# --strict, sparse and W=1 with the tree in <folder>.  On every script: shellcheck.
SAY=lint
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/check-tree.sh"

dir=$BUILD/${1#build/}
line=$(sed -n 's|^patches arch-um-patches/||p' "$dir/SOURCE")
src=$dir/src obj=$dir/obj-lint
cd "$TOP" || exit 1
failures=0
fail() {
	say "$*"
	failures=$((failures + 1))
}
files() { git ls-files -co --exclude-standard -- "$@" | while read -r f; do [[ -f $f ]] && echo "$f"; done; }

mapfile -t code < <(files 'drivers/*.[ch]' 'tests/kunit/*.[ch]')
# serial_core's operations are copied at boot, to put another hangup in: "should normally be const" is
# said of any table that is not. A list of keys in parentheses would be no list.
status=0
remarks=$(perl "$src/scripts/checkpatch.pl" --strict --no-tree --terse --show-types --no-summary -q -f "${code[@]}" 2>&1) ||
	status=$?
((status <= 1)) || fail "checkpatch failed: $status"
grep -vE '^$|tty/main\.c:.*CONST_STRUCT: struct tty_operations |fault/params\.c:.*:COMPLEX_MACRO:' <<<"$remarks" &&
	fail "checkpatch --strict has remarks on the lines above"

lock "$dir/.lock" shared
lock "$dir/.lock-lint"
"$TOP/tools/build/config.sh" "$src" "$obj" default || exit 1
say "sparse and W=1 on line $line"
[[ -e $obj/include/generated/asm-offsets.h ]] || say "preparing a tree for it"
kbuild "$src" "$obj" prepare >"$obj/log" 2>&1 || die "preparing failed: $(tail -n 3 "$obj/log")"
rm -rf "$obj/arch/um/drivers/umf" "$obj/arch/um/drivers/umf-kunit"
kbuild "$src" "$obj" W=1 C=2 CHECK=sparse arch/um/drivers/umf/ arch/um/drivers/umf-kunit/ >"$obj/log" 2>&1 || {
	grep -E 'error' -A 4 "$obj/log"
	fail "the drivers do not build with W=1"
}
grep -E 'arch/um/drivers/umf[^:]*:[0-9]+:[0-9]+: (warning|error)|\./?(drivers|tests/kunit)/[^:]*:[0-9]+.*warning' -A 3 "$obj/log" &&
	fail "sparse or W=1 have warnings"

mapfile -t scripts < <(files | while read -r f; do
	case $f in
	*.sh) echo "$f" ;;
	*) head -c 64 "$f" | head -n 1 | tr -d '\0' | grep -qE '^#! ?/(usr/)?bin/(env )?(ba|da)?sh' && echo "$f" ;;
	esac
done)
# No kernel line matters to it: what was clean for one is clean for the other.
clean=$BUILD/.shellcheck
these=$({ shellcheck --version; sha256sum "${scripts[@]}"; } | sha256sum)
if [[ $these == "$(cat "$clean" 2>/dev/null)" ]]; then
	say "shellcheck was clean on these ${#scripts[@]} scripts"
else
	say "shellcheck on ${#scripts[@]} scripts"
	if shellcheck -x "${scripts[@]}"; then
		echo "$these" >"$clean"
	else
		fail "shellcheck has remarks"
	fi
fi

((failures == 0)) || die "$failures checks failed"
say "clean, $(elapsed)"
