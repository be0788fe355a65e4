#!/bin/bash
# module.sh <folder> <flavor> <module>: compiles the module whose Makefile is in <module> for <folder>/linux[-<flavor>].
# Afterwards <folder>/obj[-<flavor>] is what makefiles of modules call KDIR; they must be told ARCH=um.
SAY=module
. "$(dirname "$0")/lib.sh"
set -e

dir=$(realpath "$1") flavor=$2 module=$3
suffix=
[[ $flavor == default ]] || suffix=-$flavor
obj=$dir/obj$suffix
[[ -n $module && ( -f $module/Makefile || -f $module/Kbuild ) ]] ||
	die "M=${module:-} is to be a folder with the Makefile of a module"
lock "$dir/.lock" shared
lock "$dir/.lock-obj$suffix"

mk=(env -u MAKEFLAGS -u MFLAGS make -s -C "$dir/src" ARCH=um SUBARCH=x86_64 O="$obj" -j"${JOBS:-$(nproc)}" "${COMPILER[@]}")
if [[ ! $obj/Module.symvers -nt $obj/vmlinux.symvers ]]; then
	"${mk[@]}" modules_prepare >"$dir/module.log" 2>&1 || die "modules_prepare failed: $(tail -n 1 "$dir/module.log")"
	# The kernel has no modules of its own: what it exports is all that is exported.
	cp "$obj/vmlinux.symvers" "$obj/Module.symvers"
fi
"${mk[@]}" M="$(realpath "$module")" ${V:+V="$V"} modules || die "M=$module does not build"
find "$module" -maxdepth 3 -name '*.ko' | while read -r ko; do say "$ko, for $(<"$obj/include/config/kernel.release")"; done
