# shellcheck shell=bash
# A scratch kernel tree beside a line's own, for the checks.  Sourced after lib.sh.

# check_tree <folder>: <folder>/check/src becomes the unpatched tree, with our drivers linked in.
check_tree() {
	local dir=$1 f
	rm -rf "$dir/check/src"
	mkdir -p "$dir/check"
	cp -al "$dir/src" "$dir/check/src"
	(cd "$dir/orig" && find . -type f -printf '%P\n') | while read -r f; do
		rm -f "$dir/check/src/$f"
		cp -a "$dir/orig/$f" "$dir/check/src/$f"
	done
	ln -sfn "$TOP/drivers" "$dir/check/src/arch/um/drivers/umf"
	ln -sfn "$TOP/tests/kunit" "$dir/check/src/arch/um/drivers/umf-kunit"
}

# kbuild <src> <obj> <arguments of make>
kbuild() {
	local src=$1 obj=$2
	shift 2
	env -u MAKEFLAGS -u MFLAGS make -s -C "$src" ARCH=um SUBARCH=x86_64 O="$obj" -j"${JOBS:-$(nproc)}" \
		"${COMPILER[@]}" "$@"
}
