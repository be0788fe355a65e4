#!/bin/bash
# kernel.sh <folder> <flavor>: configures and builds <folder>/linux[-<flavor>] from <folder>/src.
SAY=kernel
. "$(dirname "$0")/lib.sh"
set -e

dir=$(realpath "$1") flavor=$2
suffix=
[[ $flavor == default ]] || suffix=-$flavor
src=$dir/src obj=$dir/obj$suffix log=$dir/build$suffix.log out=$dir/linux$suffix
jobs=${JOBS:-$(nproc)}
lock "$dir/.lock" shared
lock "$dir/.lock-obj$suffix"

# A flavor that differs in a few symbols starts from the default flavor's objects: kbuild
# then rebuilds only what depends on those symbols.
if [[ ! -d $obj && -f $dir/linux && $flavor != default && " debug smp gdb " != *" $flavor "* ]]; then
	say "starting from the objects of the default flavor"
	cp -a --reflink=auto "$dir/obj" "$obj"
fi
"$TOP/tools/build/config.sh" "$src" "$obj" "$flavor"

what="kernel $(kernel_version "$src")${suffix/-/ }"
mk=(env -u MAKEFLAGS -u MFLAGS make -C "$src" ARCH=um SUBARCH=x86_64 O="$obj" -j"$jobs" "${COMPILER[@]}")
total=$(cat "$obj/.objects" 2>/dev/null || find "$dir" -maxdepth 2 -name .objects -exec cat {} + | sort -n | tail -n 1)

SAY=$what
if [[ -n $V && $V != 0 ]]; then
	"${mk[@]}" V="$V" linux 2>&1 | tee "$log" || :
	status=${PIPESTATUS[0]}
else
	"${mk[@]}" linux 2>&1 | tee "$log" | watch_lines "$what" "${total:-1700}" || :
	status=${PIPESTATUS[0]}
fi
if ((status)); then
	grep -E -A 6 '(error: |undefined reference|multiple definition|No rule)' "$log" | grep -v '^make' | head -n 40 >&2
	die "the build failed; the whole log is ${log#"$TOP"/}"
fi
# warnings are worth seeing, not only in the log
grep -E -A 3 'warning:' "$log" | head -n 40 >&2 || :
# what a build from nothing comes to, for the next time
n=$(grep -cE '^ +(CC|AS|HOSTCC|LD|AR) ' "$log" || :)
[[ $n -lt 1000 ]] || echo "$n" >"$obj/.objects"

# a running guest keeps the file it was started from
if ! cmp -s "$obj/linux" "$out"; then
	cp --reflink=auto "$obj/linux" "$out.new"
	mv "$out.new" "$out"
	say "${out#"$TOP"/} is ready, $(elapsed)"
fi
touch "$out"
