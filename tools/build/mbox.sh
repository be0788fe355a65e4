#!/bin/bash
# mbox.sh <folder>: writes <folder>/umf.mbox, which turns the line's unpatched tree into one with umf by
# "git am": the series, with the drivers and their unit tests added right before the patch that hooks them in.
# What is written is then applied to the unpatched files.
SAY=mbox
. "$(dirname "$0")/lib.sh"
set -e

dir=$BUILD/${1#build/}
line=$(sed -n 's|^patches arch-um-patches/||p' "$dir/SOURCE")
out=$dir/umf.mbox
lock "$dir/.lock" shared
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export GIT_AUTHOR_NAME="umf developers" GIT_AUTHOR_EMAIL=umf@example.org
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
g() { git -C "$tmp/tree" "$@"; }

mapfile -t patches < <(series "$line")
git init -q "$tmp/tree"
cp -a "$dir/orig/." "$tmp/tree/"
g add -A
g commit -q -m "the unpatched files of $(kernel_version "$dir/src")"
git clone -q "$tmp/tree" "$tmp/fresh"

add_drivers() {
	mkdir -p "$tmp/tree/arch/um/drivers/umf" "$tmp/tree/arch/um/drivers/umf-kunit"
	(cd "$TOP/drivers" && git ls-files -z -co --exclude-standard | xargs -0 cp --parents -t "$tmp/tree/arch/um/drivers/umf")
	(cd "$TOP/tests/kunit" && git ls-files -z -co --exclude-standard -- Makefile '*.c' '*.h' |
		xargs -0 cp --parents -t "$tmp/tree/arch/um/drivers/umf-kunit")
	g add -A
	g commit -q -s -m "um: add umf, devices that fail on command" -m "\
Recovery code runs when something fails, which hardware seldom does when a
developer is watching.  Add drivers whose devices fail exactly as told, and
the rules that tell them."
}

hooked=
for p in "${patches[@]}"; do
	if [[ -z $hooked ]] && grep -q '^+.*umf/' "$p"; then
		add_drivers
		hooked=1
	fi
	g am -q "$p"
done
[[ -n $hooked ]] || die "no patch of line $line hooks umf/ in"
git -C "$tmp/tree" format-patch -q --stdout --zero-commit --root HEAD~$((${#patches[@]} + 1)).. >"$out"

git -C "$tmp/fresh" am -q "$out" || die "the mailbox does not apply to the unpatched tree"
[[ $(git -C "$tmp/fresh" rev-parse 'HEAD^{tree}') == $(g rev-parse 'HEAD^{tree}') ]] ||
	die "the mailbox does not give the tree it was made from"
say "${out#"$TOP"/}: $((${#patches[@]} + 1)) patches, applied to $(kernel_version "$dir/src")"
