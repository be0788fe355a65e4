#!/bin/bash
# packages.sh <target>...: makes sure that the packages these targets need are there.
# Missing ones are printed, and installed where that is possible without a question.
SAY=packages
. "$(dirname "$0")/lib.sh"

list=$TOP/tools/build/packages.list
command -v dpkg-query >/dev/null || die "this is not a Debian system; install by hand what $list names"

missing=()
while read -r pkg targets; do
	case $pkg in '' | \#*) continue ;; esac
	for t in "$@"; do
		[[ " $targets " == *" $t "* ]] || continue
		# "installed", under this name or as one that provides it
		if ! dpkg-query -W -f '${db:Status-Status}\n' "$pkg" 2>/dev/null | grep -qx installed &&
			! dpkg-query -W -f '${db:Status-Status} ${Provides}\n' 2>/dev/null |
				grep -q "^installed .*\b$pkg\b"; then
			missing+=("$pkg")
		fi
		break
	done
done <"$list"

((${#missing[@]})) || exit 0

say "missing: ${missing[*]}"
if [[ -n ${NO_INSTALL:-} ]]; then
	die "NO_INSTALL is set and these packages are missing: ${missing[*]}"
elif [[ $(id -u) == 0 ]]; then
	as_root=()
elif sudo -n true 2>/dev/null; then
	as_root=(sudo -n)
else
	die "packages are missing and neither root nor passwordless sudo is at hand: apt-get install ${missing[*]}"
fi

lock "$BUILD/.lock-packages"
export DEBIAN_FRONTEND=noninteractive
install() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"
}
mkdir -p "$BUILD"
log=$BUILD/packages.log
say "installing them (log: build/packages.log)"
if ! install >"$log" 2>&1; then
	"${as_root[@]}" apt-get -q update >>"$log" 2>&1
	install >>"$log" 2>&1 || die "installing failed: $(grep -m 1 '^E:' "$log")"
fi
say "installed, $(elapsed)"
