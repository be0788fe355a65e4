#!/bin/bash
# config.sh <src> <obj> <flavor>: writes <obj>/.config from the fragments in configs/kernel/ over allnoconfig, and
# fails if a symbol did not get the value that was asked for.
#
# Fragments, later ones win: the common ones, <flavor>.config, and the files in $CONFIG_EXTRA (those may ask in vain,
# with a warning). They say what is wanted, whatever the tree: a symbol that it does not have is left out, in one line
# for all. $CONFIG, a .config, takes the place of the common ones but for uml and umf.
#
# A tree of the user's own (../SOURCE says so) may also have a symbol and other dependencies: that is a warning there,
# but for what uml, umf and the flavor ask.
SAY=config
. "$(dirname "$0")/lib.sh"
set -e

src=$(realpath "$1") obj=$(realpath -m "$2") flavor=$3
dir=$TOP/configs/kernel
wanted=() needed=("$dir/uml.config" "$dir/umf.config")

if [[ -n ${CONFIG:-} ]]; then
	[[ -r $CONFIG ]] || die "CONFIG: cannot read $CONFIG"
	base=("$CONFIG")
else
	for f in base time-travel net netfilter ha storage fs kunit; do wanted+=("$dir/$f.config"); done
	base=("${wanted[@]}")
fi
if [[ $flavor != default ]]; then
	[[ -f $dir/$flavor.config ]] || die "FLAVOR=$flavor is unknown; there is default$(cd "$dir" && for f in debug smp gdb nofault; do printf ', %s' "$f"; done)"
	if [[ $flavor == smp ]] && ! grep -q UML_SUBARCH_SUPPORTS_SMP "$src/arch/um/Kconfig"; then
		die "FLAVOR=smp: UML of $(kernel_version "$src") has no SMP; KERNEL=7.3 has"
	fi
	needed+=("$dir/$flavor.config")
fi
read -ra extra <<<"${CONFIG_EXTRA:-}"
for f in "${extra[@]}"; do [[ -r $f ]] || die "CONFIG_EXTRA: cannot read $f"; done
if ! grep -qsE '^(tree|tarball) ' "$src/../SOURCE"; then
	needed=("${wanted[@]}" "${needed[@]}")
	wanted=()
fi

mkdir -p "$obj"
# Every symbol that UML has in this tree.
find "$src" -path "$src/arch" -prune -o -name 'Kconfig*' -print0 >"$obj/kconfigs"
find "$src/arch/Kconfig" "$src/arch/um/" "$src/arch/x86/um/" "$src/arch/um/drivers/umf/" "$src/arch/um/drivers/umf-kunit/" \
	-name 'Kconfig*' -print0 >>"$obj/kconfigs" 2>/dev/null || :
xargs -0 sed -nE 's/^[ \t]*(menu)?config[ \t]+([A-Za-z0-9_]+).*/\2/p' <"$obj/kconfigs" | sort -u >"$obj/symbols"
rm "$obj/kconfigs"

# of_this_tree <fragment>…: their lines, without the symbols that it does not have; those go to absent
absent=$obj/absent
of_this_tree() {
	awk -v absent="$absent" '
		FNR == NR { has[$1] = 1; next }
		match($0, /^(# )?CONFIG_[A-Za-z0-9_]+(=| is not set)/) {
			s = $0; sub(/^(# )?CONFIG_/, "", s); sub(/[= ].*/, "", s)
			if (!(s in has)) { if (!/^#/) print s >absent; next }
		}
		{ print }' "$obj/symbols" "$@"
}
: >"$absent"
of_this_tree "${base[@]}" "${needed[@]}" "${extra[@]}" >"$obj/requested.config"
if [[ -z ${CONFIG:-} ]] && [[ -s $absent ]]; then
	say "$(kernel_version "$src") has no $(sort -u "$absent" | tr '\n' ' ')"
fi
env -u MAKEFLAGS make -s -C "$src" ARCH=um SUBARCH=x86_64 O="$obj" "${COMPILER[@]}" \
	KCONFIG_CONFIG="$obj/.config.new" KCONFIG_ALLCONFIG="$obj/requested.config" allnoconfig >"$obj/config.log" 2>&1 ||
	die "allnoconfig failed: $(tail -n 1 "$obj/config.log")"

# verify <severity> <fragment>…: every symbol of theirs has the last value that was asked for
verify() {
	local severity=$1
	shift
	(($#)) || return 0
	awk -v severity="$severity" '
		function name(s) { sub(/^# /, "", s); sub(/[= ].*/, "", s); return s }
		function value(s) { if (s ~ /^#/) return "n"; sub(/^[^=]*=/, "", s); return s }
		FILENAME == ARGV[1] { has["CONFIG_" $1] = 1; next }
		!/^(# )?CONFIG_[A-Za-z0-9_]+(=| is not set)/ { next }
		FILENAME == ARGV[2] { got[name($0)] = value($0); next }
		FILENAME == ARGV[3] { want[name($0)] = value($0); next }
		{ where[name($0)] = FILENAME }
		END {
			for (s in where) {
				g = s in got ? got[s] : "n"
				if (s in has && g != want[s]) {
					f = where[s]; sub(/.*\//, "", f)
					printf "%s: %s=%s (%s) came out as %s\n", severity, s, want[s], f, g
					bad = 1
				}
			}
			exit bad
		}' "$obj/symbols" "$obj/.config.new" "$obj/requested.config" "$@" >&2
}
verify "not in effect" "${needed[@]}" ||
	die "$(kernel_version "$src"), flavor $flavor: the symbols above did not take the value asked for"
verify "warning" "${wanted[@]}" "${extra[@]}" || :
rm -f "$obj/.config.new.old"
if cmp -s "$obj/.config.new" "$obj/.config"; then rm "$obj/.config.new"; else mv "$obj/.config.new" "$obj/.config"; fi
