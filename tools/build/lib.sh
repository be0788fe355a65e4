# shellcheck shell=bash disable=SC2034
# What the build scripts share: where things are, how they speak.  Sourced, from anywhere.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$TOP/build
V=${V:-}

# ccache, where there is one.  Paths below build/ are taken as relative: a line's trees (flavours, lint, patches-check), and
# those of other checkouts, share what is the same.
CCACHE=$(command -v ccache || :)
export CCACHE CCACHE_BASEDIR=$BUILD CCACHE_DEPEND=1

# What make is told about compilers. LLVM=1, or =-16 for a version, is kbuild's own.
COMPILER=()
if [[ -n ${LLVM:-} ]]; then
	clang=clang
	[[ $LLVM != -* ]] || clang+=$LLVM
	COMPILER=(LLVM="$LLVM" ${CCACHE:+CC="$CCACHE $clang" HOSTCC="$CCACHE $clang"})
elif [[ -n $CCACHE ]]; then
	COMPILER=(CC="$CCACHE gcc" HOSTCC="$CCACHE gcc")
fi

# The lines the project stands behind; arch-um-patches/ has a folder for each.
known_lines() {
	local d
	for d in "$TOP"/arch-um-patches/*/series; do
		d=${d%/series}
		echo "${d##*/}"
	done
}

say() { printf '[%s] %s\n' "${SAY:-umf}" "$*" >&2; }

die() {
	printf '%s: %s\n' "${SAY:-umf}" "$*" >&2
	exit 1
}

elapsed() { printf '%dm%02ds' $((SECONDS / 60)) $((SECONDS % 60)); }

# Locks are held until the process ends, and taken in this order:
#   <line>/.lock         shared to read the source tree, exclusive to change it
#   <line>/.lock-<what>  exclusive: an object folder, a scratch tree
# lock <file> [shared]: says so if it has to wait.
lock() {
	local fd how=-x
	[[ -z ${2:-} ]] || how=-s
	mkdir -p "$(dirname "$1")"
	exec {fd}>"$1"
	flock -n "$how" "$fd" || {
		say "waiting for another build of the same tree"
		flock "$how" "$fd"
	}
}

# kernel_version <tree>: "6.12.117" from its Makefile
kernel_version() {
	awk -F'= *' '
		/^VERSION *=/ { v = $2 } /^PATCHLEVEL *=/ { p = $2 } /^SUBLEVEL *=/ { s = $2 }
		/^EXTRAVERSION *=/ { e = $2 } e || /^NAME *=/ { exit }
		END { if (v == "") exit 1; print v "." p (s == "" || s == "0" ? "" : "." s) e }' "$1/Makefile"
}

# lines_by_distance <version>: the known lines, those first whose patches are most likely to fit a tree of that version.
# A major version has about twenty minor ones.
lines_by_distance() {
	known_lines | awk -F. -v v="$1" '
		BEGIN { split(v, x, /[.-]/); want = x[1] * 20 + x[2] }
		{ d = $1 * 20 + $2 - want; print (d < 0 ? 0.5 - d : d), $0 }' | sort -n | cut -d' ' -f2
}

# series <line>: its patches in order, one path each
series() {
	local p
	while read -r p; do
		case $p in '' | \#*) continue ;; esac
		realpath -m "$TOP/arch-um-patches/$1/$p"
	done <"$TOP/arch-um-patches/$1/series"
}

# touched <patch>...: the files they edit
touched() {
	if (($#)); then
		sed -n 's|^--- a/\([^\t]*\).*|\1|p' "$@" | sort -u
	fi
}

# watch_lines <what> <total>: reads a build log on stdin, shows how far it is.
# On a terminal one line is rewritten, elsewhere a line is added every 30 s.
watch_lines() {
	awk -v what="$1" -v total="$2" -v tty="$([[ -t 2 ]] && echo 1)" '
		function show(end,  t, s) {
			t = systime() - start
			s = sprintf("[%s] %d%s objects, %dm%02ds", what, n,
				    total > n && !end ? " of about " total : "", t / 60, t % 60)
			if (tty) printf "\r%s\033[K%s", s, end ? "\n" : "" > "/dev/stderr"
			else print s > "/dev/stderr"
			fflush("/dev/stderr")
		}
		BEGIN { start = last = systime() }
		/^ +(CC|AS|HOSTCC|LD|AR) / { n++ }
		{ now = systime(); if (now - last >= (tty ? 1 : 30)) { last = now; show(0) } }
		END { if (n) show(1) }'
}
