#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# host only
# A kernel tree of the user's own: the patches that fit are found by trying, one that it has already is left out, one that
# does not fit is named with its hunk; a commit of a repository is taken without writing to it; symbols that a tree does
# not have are left out of its configuration, and a .config of one's own is kept.
#
# The trees are small: what the patches edit, and a Makefile with a version.

. "$(dirname "$0")/../lib/tap.sh"

TOP=$(cd "$(dirname "$0")/../.." && pwd)
: "${KERNEL:=6.12}" "${BUILD_LINE:=$TOP/build/$KERNEL}"
[ -d "$BUILD_LINE/orig" ] || skip_all "there is no tree $BUILD_LINE/src; make source"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/umf.XXXXXX") || exit 1
trap 'rm -rf "$WORK"' EXIT
cd "$WORK" || exit 1
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t

# small <folder>: a tree as it was before our patches
small()
{
	mkdir "$1"
	cp -a "$BUILD_LINE/orig/." "$1/"
	head -n 6 "$BUILD_LINE/src/Makefile" >"$1/Makefile"
}

# source_of <out> <tree> [commit]: what it says in $said, status in $status
source_of()
{
	status=0
	said=$("$TOP/tools/build/source.sh" "$1" 6.12 "${@:2}" 2>&1) || status=$?
}

everything()
{
	find "$1" -printf '%P %s %T@ %m\n' | sort | md5sum
}

series=$(sed -n 's|^\([^#].*\)$|\1|p' "$TOP/arch-um-patches/$KERNEL/series")
version=$(sed -n 's/^kernel  *//p' "$BUILD_LINE/SOURCE")

small tree
before=$(everything tree)
source_of out "$WORK/tree"
is "a tree takes the patches that fit: status" "$status" 0
like "... they are counted" "$said" "$(grep -c . <<<"$series") patches of $KERNEL applied"
like "... and named in SOURCE" "$(<out/SOURCE)" "patches arch-um-patches/$KERNEL\$"
check "... the tree is not written to" test "$(everything tree)" = "$before"
source_of out "$WORK/tree"
is "once more: nothing to do, nothing to say" "$status $said" "0 "

# ---- what is in it already, what does not fit ----

small has
has=$TOP/arch-um-patches/common/0002-um-mconsole-match-whole-command-words.patch
patch -d has -p1 -s <"$has"
source_of out2 "$WORK/has"
is "a tree that has a patch already: status" "$status" 0
like "... it is left out, and said" "$said" "$version has it already: ${has##*/}"
like "... the others are applied" "$said" " $(($(grep -c . <<<"$series") - 1)) patches of"

small other
sed -i 's/epoll_wait/epoll_await/' other/arch/um/os-Linux/irq.c
source_of out3 "$WORK/other"
is "a tree that a patch does not fit: status" "$status" 1
like "... the patch, the tree, the file and the hunk are named" "$said" \
	"does not apply to $version: .*0013-.*	arch/um/os-Linux/irq\.c: Hunk #[0-9]+ FAILED at"

# ---- a commit of a repository ----

cp -a tree repo
git -C repo init -q . && git -C repo add -A && git -C repo commit -q -m good
good=$(git -C repo rev-parse HEAD)
cp other/arch/um/os-Linux/irq.c repo/arch/um/os-Linux/
git -C repo commit -q -a -m bad
before=$(everything repo)
source_of out4 "$WORK/repo" "$good"
is "REV= of a repository: status" "$status" 0
like "... the commit is in SOURCE" "$(<out4/SOURCE)" "commit  $good"
source_of out4 "$WORK/repo" HEAD
like "... another one: its files are taken" "$status $said" "^1 .*0013-"
source_of out4 "$WORK/repo" HEAD^
is "... and back" "$status" 0
check "... nothing is written to the repository" test "$(everything repo)" = "$before"
source_of out4 "$WORK/repo" nonsense
is "a commit that is none: one line" "$status $(wc -l <<<"$said")" "1 1"
source_of out5 "$WORK/has" HEAD
is "a folder that is no repository: one line" "$status $(wc -l <<<"$said")" "1 1"

# ---- configuration ----

# configure [variable=value]…: the line's own tree; what it says in $said, status in $status
configure()
{
	status=0
	said=$(env "$@" "$TOP/tools/build/config.sh" "$BUILD_LINE/src" "$WORK/obj" default 2>&1) || status=$?
}

configure CONFIG=
is "symbols that a tree does not have: status" "$status" 0
like "... are named in one line" "$(wc -l <<<"$said") $said" '^1 \[config\] [^ ]* has no '
printf 'CONFIG_NO_SUCH_SYMBOL=y\nCONFIG_X86_MCE=y\nCONFIG_RTC_CLASS=y\nCONFIG_RTC_DRV_CMOS=y\n' >extra
configure CONFIG= CONFIG_EXTRA="$WORK/extra"
is "CONFIG_EXTRA: status" "$status" 0
check "... is in it" grep -q '^CONFIG_RTC_CLASS=y' obj/.config
like "... a symbol that is no symbol is named" "$said" 'has no .*NO_SUCH_SYMBOL'
like "... one that cannot be had is a warning" "$said" 'warning: CONFIG_RTC_DRV_CMOS=y \(extra\) came out as n'
printf 'CONFIG_EXPERT=y\nCONFIG_EXT4_FS=y\nCONFIG_BLOCK=y\n' >own.config
configure CONFIG="$WORK/own.config"
is "CONFIG=, a .config of one's own: status" "$status${said:+ $said}" 0
check "... is kept" grep -q '^CONFIG_EXT4_FS=y' obj/.config
check "... and has umf" grep -q '^CONFIG_UMF_NET=y' obj/.config
check_fails "... and not what we like" grep -q '^CONFIG_XFS_FS=y' obj/.config
configure CONFIG="$WORK/gone"
is "one that is not there: one line" "$status $(wc -l <<<"$said")" "1 1"
done_testing
