#!/bin/bash
# config.sh <src> <obj> <line> <flavor>: writes <obj>/.config from the fragments in configs/kernel/ over
# allnoconfig, and fails if a symbol did not get the value that was asked for.
# Fragments, later ones win: the common ones, <line>.config, <flavor>.config,
# <flavor>-<line>.config, and the files in $CONFIG_EXTRA (those may ask in vain, with a warning).
SAY=config
. "$(dirname "$0")/lib.sh"
set -e

src=$(realpath "$1") obj=$(realpath -m "$2") line=$3 flavor=$4
dir=$TOP/configs/kernel
common=(base uml time-travel net netfilter ha storage fs kunit umf)

fragments=()
for f in "${common[@]}"; do fragments+=("$dir/$f.config"); done
if [[ $flavor != default ]]; then
	[[ -f $dir/$flavor.config ]] || die "FLAVOR=$flavor is unknown; there is default$(cd "$dir" && for f in debug smp gdb nofault; do printf ', %s' "$f"; done)"
	if [[ $flavor == smp ]] && ! grep -q UML_SUBARCH_SUPPORTS_SMP "$src/arch/um/Kconfig"; then
		die "FLAVOR=smp: UML of line $line has no SMP; KERNEL=7.3 has"
	fi
fi
for f in "$line" "$flavor" "$flavor-$line"; do
	if [[ -f $dir/$f.config ]]; then fragments+=("$dir/$f.config"); fi
done
read -ra extra <<<"${CONFIG_EXTRA:-}"
for f in "${extra[@]}"; do [[ -r $f ]] || die "CONFIG_EXTRA: cannot read $f"; done

mkdir -p "$obj"
cat "${fragments[@]}" "${extra[@]}" >"$obj/requested.config"
env -u MAKEFLAGS make -s -C "$src" ARCH=um SUBARCH=x86_64 O="$obj" ${CCACHE:+CC="$CCACHE gcc" HOSTCC="$CCACHE gcc"} \
	KCONFIG_CONFIG="$obj/.config.new" KCONFIG_ALLCONFIG="$obj/requested.config" allnoconfig >"$obj/config.log" 2>&1 ||
	die "allnoconfig failed: $(tail -n 1 "$obj/config.log")"

# verify <severity> <config> <fragment>...: every symbol has the last value the fragments ask for
verify() {
	awk -v severity="$1" '
		function name(s) { sub(/^# /, "", s); sub(/[= ].*/, "", s); return s }
		function value(s) { if (s ~ /^#/) return "n"; sub(/^[^=]*=/, "", s); return s }
		!/^(# )?CONFIG_[A-Za-z0-9_]+(=| is not set)/ { next }
		FNR == NR { got[name($0)] = value($0); next }
		{ want[name($0)] = value($0); where[name($0)] = FILENAME }
		END {
			for (s in want) {
				g = s in got ? got[s] : "n"
				if (g != want[s]) {
					f = where[s]; sub(/.*\//, "", f)
					printf "%s: %s=%s (%s) came out as %s\n", severity, s, want[s], f, g
					bad = 1
				}
			}
			exit bad
		}' "${@:2}" >&2
}
verify "not in effect" "$obj/.config.new" "${fragments[@]}" ||
	die "line $line, flavor $flavor: the symbols above did not take the value asked for"
((${#extra[@]} == 0)) || verify "warning" "$obj/.config.new" "${extra[@]}" || :
rm -f "$obj/.config.new.old"
if cmp -s "$obj/.config.new" "$obj/.config"; then rm "$obj/.config.new"; else mv "$obj/.config.new" "$obj/.config"; fi
