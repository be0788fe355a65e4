#!/bin/bash
# source.sh <folder> <line> [<ksrc> [<rev>]]: makes <folder>/src, a kernel tree with our patches applied and our
# drivers linked in.  Without <ksrc> from Debian's source package, else from that tree or
# tarball, which is only read; with <rev> from that commit of a git repository, whatever is checked out there.
# Does only what is left to do; <folder>/SOURCE says what was used.
SAY=source
. "$(dirname "$0")/lib.sh"
set -e

dir=$(realpath -m "$1") line=$2 ksrc=${3:-} rev=${4:-}
src=$dir/src
if [[ -n $ksrc && ! -e $ksrc ]]; then
	die "KSRC=$ksrc does not exist; it is to be a kernel tree or a tarball of one"
elif [[ -n $rev ]]; then
	commit=$(git -C "${ksrc:-/}" rev-parse -q --verify "$rev^{commit}" 2>/dev/null) ||
		die "REV=$rev is no commit of KSRC=${ksrc:-}, which is to be a git repository"
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

# A work tree and an index of our own: nothing is written to the repository, and from one commit to the next only the
# files change that differ.
check_out() {
	local git_dir

	git_dir=$(git -C "$ksrc" rev-parse --absolute-git-dir)
	mkdir -p "$dir/rev"
	say "checking out $rev, $(git -C "$ksrc" log -1 --format='%h %s' "$commit" | cut -c 1-80)"
	GIT_INDEX_FILE=$dir/rev.index git --git-dir="$git_dir" --work-tree="$dir/rev" read-tree --reset -u "$commit" ||
		die "cannot check out $rev of $ksrc"
	[[ -d $dir/rev/arch/um ]] || die "KSRC=$ksrc REV=$rev is no kernel tree (it has no arch/um)"
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
		commit  ${commit:-$(git -C "$ksrc" describe --always --dirty 2>/dev/null || echo -)}
	EOF
}

if [[ -z $ksrc ]]; then
	from_debian
elif [[ -n $rev ]]; then
	check_out
	ksrc=$dir/rev
	from_tree
elif [[ -d $ksrc ]]; then
	from_tree
else
	from_tarball
fi

# Patches are applied to copies of the originals, and only files whose content differs from what lies in
# the tree are replaced, so that a changed series rebuilds no more than it must.
scratch=$dir/scratch
mkdir -p "$dir/orig"

# apply <line>: its series on copies of this tree's files. A patch that the tree has already is left out; the first that
# does not fit ends it: status 1, and $why says what.
apply() {
	local p f out n=0
	local -a patches

	rm -rf "$scratch"
	mkdir "$scratch"
	left_out=() why=
	mapfile -t patches < <(series "$1")
	total=${#patches[@]}
	for p in "${patches[@]}"; do
		n=$((n + 1))
		for f in $(touched "$p"); do
			if [[ ! -f $scratch/$f ]]; then
				if [[ ! -f $dir/orig/$f && -f $src/$f ]]; then (cd "$src" && cp -a --parents "$f" "$dir/orig"); fi
				if [[ -f $dir/orig/$f ]]; then (cd "$dir/orig" && cp -a --parents "$f" "$scratch"); fi
			fi
		done
		out=$(patch -d "$scratch" -p1 -F0 -f --dry-run <"$p" 2>&1) && {
			patch -d "$scratch" -p1 -F0 -s -f --no-backup-if-mismatch <"$p"
			continue
		}
		if patch -d "$scratch" -p1 -F0 -s -f -R --dry-run <"$p" >/dev/null 2>&1; then
			left_out+=("${p##*/}")
			continue
		fi
		why="patch $n of $total of $1 does not apply to $(kernel_version "$src"): ${p#"$TOP"/}:
$(awk '/^(checking|patching) file/ { f = $3 } /FAILED at|^can.t find/ { print "\t" f ": " $0 }' <<<"$out")"
		return 1
	done
}

# A tree of the user's own, or a line without patches of its own, takes those that fit, of the nearest line first.
if [[ -n $ksrc || ! -f $TOP/arch-um-patches/$line/series ]]; then
	first=
	for line in $(lines_by_distance "$(kernel_version "$src")"); do
		if apply "$line"; then break; fi
		first=${first:-$why}
	done
	why=${why:+$first}
else
	apply "$line" || :
fi
if [[ -n $why ]]; then
	rm -rf "$scratch"
	die "$why"
fi
sed -i '/^patches /d' "$dir/SOURCE"
echo "patches arch-um-patches/$line" >>"$dir/SOURCE"
for p in "${left_out[@]}"; do say "$(kernel_version "$src") has it already: $p"; done
changed=0
while read -r f; do
	cmp -s "$scratch/$f" "$src/$f" || {
		cp "$scratch/$f" "$src/$f"
		changed=$((changed + 1))
	}
done < <(cd "$scratch" && find . -type f -printf '%P\n')
rm -rf "$scratch"
((changed == 0)) || say "$((total - ${#left_out[@]})) patches of $line applied, $changed files changed"

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
