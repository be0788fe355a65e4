#!/bin/bash
# source.sh <folder> <line> [<ksrc>]: makes <folder>/src, a kernel tree with our patches applied and our
# drivers linked in.  Without <ksrc> from Debian's source package, else from that tree or
# tarball, which is only read.  Does only what is left to do; <folder>/SOURCE says what was used.
SAY=source
. "$(dirname "$0")/lib.sh"
set -e

dir=$(realpath -m "$1") line=$2 ksrc=${3:-}
src=$dir/src
if [[ -n $ksrc && ! -e $ksrc ]]; then
	die "KSRC=$ksrc does not exist; it is to be a kernel tree or a tarball of one"
elif [[ -d $ksrc && ! -d $ksrc/arch/um ]]; then
	die "KSRC=$ksrc is no kernel tree (it has no arch/um)"
fi

copied=
mkdir -p "$dir"
lock "$dir/.lock"

unpack() { # <tarball>, from stdin if it is -
	rm -rf "$src.new"
	mkdir -p "$src.new"
	say "unpacking $2"
	tar -C "$src.new" --strip-components=1 "${@:3}" -xf "$1" 2>/dev/null || die "cannot unpack $2"
	[[ -f $src.new/Makefile && -d $src.new/arch/um ]] || die "$2 holds no kernel tree"
	rm -rf "$src" "$dir/orig"
	mv "$src.new" "$src"
	say "unpacked, $(elapsed)"
}

from_debian() {
	[[ -f $src/Makefile && -f $dir/SOURCE ]] && return
	local got file version sha uri
	got=$("$TOP/tools/build/fetch.sh" "$line")
	read -r file version sha uri <<<"$got"
	rm -rf "$dir/deb"
	mkdir -p "$dir/deb"
	dpkg-deb --fsys-tarfile "$file" | tar -C "$dir/deb" --strip-components=3 -xf - "./usr/src/linux-source-$line.tar.xz" ||
		die "cannot unpack $file"
	unpack "$dir/deb/linux-source-$line.tar.xz" "linux-source-$line"
	rm -rf "$dir/deb"
	cat >"$dir/SOURCE" <<-EOF
		package linux-source-$line
		version $version
		kernel  $(kernel_version "$src")
		sha256  $sha
		from    $uri
	EOF
}

from_tarball() {
	local sha
	sha=$(sha256sum "$ksrc" | cut -d' ' -f1)
	grep -qs "^sha256  $sha$" "$dir/SOURCE" && [[ -f $src/Makefile ]] && return
	unpack "$ksrc" "$ksrc"
	cat >"$dir/SOURCE" <<-EOF
		tarball $ksrc
		kernel  $(kernel_version "$src")
		sha256  $sha
	EOF
}

# What a kernel build leaves in its tree; none of it may reach the overlay.
ksrc_files() {
	if [[ -e $ksrc/.git ]] && git -C "$ksrc" rev-parse --show-toplevel >/dev/null 2>&1; then
		git -C "$ksrc" ls-files -z -co --exclude-standard | while IFS= read -r -d '' f; do
			if [[ -e $ksrc/$f || -L $ksrc/$f ]]; then printf '%s\0' "$f"; fi
		done
	else
		(cd "$ksrc" && find . \( -path ./include/config -o -path ./include/generated -o \
			-path './arch/*/include/generated' -o -name .git \) -prune -o \
			\( -type f -o -type l \) ! -name '*.o' ! -name '*.a' ! -name '*.ko' ! -name '*.cmd' \
			! -name '.config*' ! -name 'vmlinux*' ! -name 'modules.order' \
			! -name 'Module.symvers' ! -path ./linux ! -path './.tmp_*' -printf '%P\0')
	fi | LC_ALL=C sort -z
}

from_tree() {
	if [[ -f $dir/SOURCE ]] && ! grep -qxF "tree    $ksrc" "$dir/SOURCE"; then
		rm -rf "$src" "$dir/orig" "$dir/files"
	fi
	mkdir -p "$src"
	ksrc_files >"$dir/files.new"
	if [[ -f $dir/files ]]; then
		(cd "$src" && comm -z -23 "$dir/files" "$dir/files.new" | xargs -0 -r rm -f)
	else
		say "copying $(tr -cd '\0' <"$dir/files.new" | wc -c) files of $ksrc"
	fi
	copied=$(cd "$ksrc" && xargs -0 -r cp -auv --parents --reflink=auto -t "$src" <"$dir/files.new" |
		grep -c -- '->') || [[ $copied == 0 ]]
	# the originals of patched files, which are newer in the overlay than in the tree
	if [[ -d $dir/orig ]]; then
		(cd "$dir/orig" && find . -type f -printf '%P\n') | while read -r f; do
			if [[ -f $ksrc/$f ]]; then cp -a "$ksrc/$f" "$dir/orig/$f"; else rm -f "$dir/orig/$f"; fi
		done
	fi
	mv "$dir/files.new" "$dir/files"
	cat >"$dir/SOURCE" <<-EOF
		tree    $ksrc
		kernel  $(kernel_version "$src")
		commit  $(git -C "$ksrc" describe --always --dirty 2>/dev/null || echo -)
	EOF
}

if [[ -z $ksrc ]]; then
	from_debian
elif [[ -d $ksrc ]]; then
	from_tree
else
	from_tarball
fi

# A line without patches of its own takes those of its nearest neighbour.
if [[ -n $ksrc || ! -f $TOP/arch-um-patches/$line/series ]]; then
	line=$(nearest_line "$(kernel_version "$src")")
fi
grep -q '^patches ' "$dir/SOURCE" || echo "patches arch-um-patches/$line" >>"$dir/SOURCE"

# Patches are applied to copies of the originals, and only files whose content differs from what lies in
# the tree are replaced, so that a changed series rebuilds no more than it must.
scratch=$dir/scratch
rm -rf "$scratch"
mkdir -p "$scratch" "$dir/orig"
mapfile -t patches < <(series "$line")
mapfile -t files < <(touched "${patches[@]}")
for f in "${files[@]}"; do
	[[ -f $dir/orig/$f ]] || {
		[[ -f $src/$f ]] || die "a patch edits $f, which this tree does not have"
		(cd "$src" && cp -a --parents "$f" "$dir/orig")
	}
done
cp -a "$dir/orig/." "$scratch/"
n=0
for p in "${patches[@]}"; do
	n=$((n + 1))
	out=$(patch -d "$scratch" -p1 -F0 -s -f --no-backup-if-mismatch <"$p" 2>&1) ||
		die "patch $n of ${#patches[@]} does not apply to $(kernel_version "$src"): ${p#"$TOP"/}: $(tail -n 1 <<<"$out")"
done
changed=0
while read -r f; do
	cmp -s "$scratch/$f" "$src/$f" || {
		cp "$scratch/$f" "$src/$f"
		changed=$((changed + 1))
	}
done < <(cd "$scratch" && find . -type f -printf '%P\n')
rm -rf "$scratch"
((changed == 0)) || say "${#patches[@]} patches of $line applied, $changed files changed"

# link <name> <folder of ours>
link() {
	local to
	to=$(realpath -m --relative-to="$(realpath "$src")/arch/um/drivers" "$TOP/$2")
	[[ $(readlink "$src/arch/um/drivers/$1") == "$to" ]] || ln -sfn "$to" "$src/arch/um/drivers/$1"
}
link umf drivers
link umf-kunit tests/kunit

# Its time tells make whether the kernel is to be built again; looking at an unchanged KSRC is no reason.
if [[ -z $copied ]] || ((copied + changed)) || [[ ! -e $dir/.source ]]; then
	touch "$dir/.source"
fi
