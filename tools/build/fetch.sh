#!/bin/bash
# fetch.sh <line>: downloads Debian's linux-source-<line> into build/download/ and prints
# "<file> <version> <sha256> <uri>".  Needs no root: apt works on a state folder under build/,
# with the mirror and the keys of the machine's own apt configuration.  Looked for in the machine's
# own suites, then in the backports of the current stable, testing, unstable and experimental.
# fetch.sh --list: the lines that any of them carries, one each.
SAY=fetch
. "$(dirname "$0")/lib.sh"

line=$1
pkg=linux-source-$line
apt=$BUILD/apt
download=$BUILD/download

lock "$BUILD/.lock-apt"
mkdir -p "$apt/parts" "$apt/state/lists/partial" "$apt/cache/archives/partial" "$download"
: >"$apt/status"

opts=(
	-q
	-o Dir::State="$apt/state"
	-o Dir::State::status="$apt/status"
	-o Dir::Cache="$apt/cache"
	-o Dir::Etc::sourcelist=/dev/null
	-o Dir::Etc::sourceparts="$apt/parts"
	-o Dir::Etc::preferencesparts=/dev/null
	-o Dir::Etc::preferences=/dev/null
	-o APT::Sandbox::User="$(id -un)"
	-o APT::Get::List-Cleanup=false
	-o Acquire::Languages=none
	-o Acquire::Retries=3
)

# machine_sources: "<uri> <suite> <signed-by or ->" of each enabled binary archive with a component
# main, from both forms apt knows.
machine_sources() {
	local etc=/etc/apt
	eval "$(apt-config shell etc Dir::Etc/d)"
	cat "$etc"/sources.list "$etc"/sources.list.d/*.list 2>/dev/null | awk '
		$1 == "deb" {
			signed = "-"; i = 2
			if ($2 ~ /^\[/) {
				for (;; i++) {
					o = $i; gsub(/[][]/, "", o)
					if (o ~ /^signed-by=/) signed = substr(o, 11)
					if ($i ~ /\]$/ || i >= NF) { i++; break }
				}
			}
			for (c = i + 2; c <= NF; c++)
				if ($c == "main") print $i, $(i + 1), signed
		}'
	for f in "$etc"/sources.list.d/*.sources; do
		[[ -r $f ]] || continue
		sed '/^#/d' "$f"
		echo
	done | awk '
		function flush(  nu, ns, u, s, i, j) {
			if ((" " f["types"] " ") ~ / deb / && tolower(f["enabled"]) != "no" &&
			    (" " f["components"] " ") ~ / main /) {
				nu = split(f["uris"], u, " "); ns = split(f["suites"], s, " ")
				for (i = 1; i <= nu; i++)
					for (j = 1; j <= ns; j++)
						print u[i], s[j], f["signed-by"] ~ /^\/[^ ]*$/ ? f["signed-by"] : "-"
			}
			delete f
		}
		/^[ \t]*$/ { flush(); next }
		/^[ \t]/ { f[key] = f[key] " " $0; next }
		{ key = tolower($0); sub(/:.*/, "", key); sub(/^[^:]*:[ \t]*/, ""); f[key] = $0 }
		END { flush() }'
}

. /etc/os-release
codename=${VERSION_CODENAME:-stable}
mapfile -t own < <(machine_sources | grep -v '^cdrom:' | awk -v c="$codename" '
	$2 ~ "^(" c "|oldoldstable|oldstable|stable|testing|unstable|sid)(-.*)?$" && ($1 ~ /debian/ || $2 == c)' | sort -u)
((${#own[@]})) || die "no Debian archive in this machine's apt configuration; KSRC=<tree or tarball> builds without one"

# The archive itself, where other suites can be found, is the one that carries the plain release.
read -r mirror _ key < <(printf '%s\n' "${own[@]}" |
	awk '$2 !~ /-/ && !/security/ { print; exit }')
[[ -n $mirror ]] || read -r mirror _ key <<<"${own[0]}"

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
stanza() { # <uri> <suite> <key>
	local signed=$3
	[[ $signed == - && -r $keyring ]] && signed=$keyring
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$1" "$2"
	[[ $signed == - ]] || printf 'Signed-By: %s\n' "$signed"
	echo
}

update() { # <what is asked>
	local log=$apt/update.log
	say "asking $1 for $pkg"
	LC_ALL=C apt-get "${opts[@]}" update >"$log" 2>&1 ||
		die "apt-get update failed: $(grep -m 1 -E '^(E|Err|W):' "$log" || tail -n 1 "$log"); KSRC=<tree or tarball> builds without a download"
}

carried() { LC_ALL=C apt-cache "${opts[@]}" show "$pkg" 2>/dev/null | grep -q '^Filename:'; }

lines() {
	LC_ALL=C apt-cache "${opts[@]}" search --names-only '^linux-source-[0-9.]+$' |
		sed 's/^linux-source-\([0-9.]*\) .*/\1/' | sort -V
}

rm -f "$apt"/parts/*
for s in "${own[@]}"; do
	read -r uri suite signed <<<"$s"
	stanza "$uri" "$suite" "$signed"
done >"$apt/parts/machine.sources"
update "this machine's own suites"
if [[ $line == --list ]] || ! carried; then
	stanza "$mirror" stable-backports "$key" >"$apt/parts/backports.sources"
	update "the archive for the name of the current stable"
	# The alias may be older than what it stands for (on a proxy, say): only the name is taken from it.
	codename=$(sed -n 's/^Codename: *//p' "$apt"/state/lists/*_dists_stable-backports_*Release | head -n 1)
	[[ -n $codename ]] || die "the archive's stable-backports has no codename; KSRC=<tree or tarball> builds without a download"
	stanza "$mirror" "$codename" "$key" >"$apt/parts/backports.sources"
	update "$codename"
fi
for suite in testing unstable experimental; do
	if [[ $line != --list ]] && carried; then break; fi
	stanza "$mirror" "$suite" "$key" >"$apt/parts/$suite.sources"
	update "$suite"
done
if [[ $line == --list ]]; then
	lines
	exit
fi
carried || die "the mirror does not carry line $line (it carries: $(lines | tr '\n' ' ')); KSRC=<tree or tarball> builds from a source of your own"

field() { LC_ALL=C apt-cache "${opts[@]}" --no-all-versions show "$pkg" | sed -n "s/^$1: //p" | head -n 1; }
version=$(field Version)
sha=$(field SHA256)
size=$(field Size)
uri=$(apt-get "${opts[@]}" download --print-uris "$pkg=$version" 2>/dev/null | sed -n "s/^'\([^']*\)'.*/\1/p")
say "downloading $pkg $version, $((size / 1000000)) MB"
cd "$download" || exit 1
if [[ -t 2 ]]; then
	apt-get "${opts[@]}" -q=0 download "$pkg=$version" >&2
else
	apt-get "${opts[@]}" download "$pkg=$version" >"$apt/download.log" 2>&1
fi || die "the download of $pkg $version failed: $(grep -m 1 '^E:' "$apt/download.log" 2>/dev/null)"

# apt has verified it against the signed index; this guards the copy on disk that is used from here on.
file=$(find "$download" -maxdepth 1 -name "${pkg}_*.deb" -printf '%f\n' |
	grep -F "${version//:/%3a}" | head -n 1)
[[ -n $file ]] || die "apt-get reported success but no file for $pkg $version came"
[[ $(sha256sum "$file" | cut -d' ' -f1) == "$sha" ]] || die "$file does not have the sha256 of the signed index; remove it and try again"
say "verified, $(elapsed)"
echo "$download/$file $version $sha ${uri:--}"
