# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Labs for tests of umf-lab. Sources guest.sh.
#
#   lab <option, verb…>      umf-lab with the kernel and the lab file ($LAB, $WORK/t.lab) of this test
#   run <command>            its status in $status, its outputs in $out and $err
#   lab_clean <guest>…       one check per guest that its log is clean; one that is not is kept in $guest_kept
#
#   lab_marked               the processes of all guests that have `append = "$lab_mark"`, whoever else knows of them
#
# However the test ends, its lab ends with it, and so do the marked ones.

# shellcheck source=tests/lib/guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

umf_lab=$BIN/umf-lab
[ -x "$umf_lab" ] || skip_all "there is no $umf_lab; make tools"
export HOME=$WORK
cd "$WORK" || exit 1
LAB=$WORK/t.lab

lab()
{
	"$umf_lab" -f "$LAB" --kernel "$LINUX" "$@"
}

run()
{
	status=0
	# shellcheck disable=SC2034 # for the tests
	out=$("$@" 2>"$WORK/err") || status=$?
	# shellcheck disable=SC2034
	err=$(<"$WORK/err")
}

# The pattern is not itself what it finds.
lab_mark=umf_test=$$
lab_marked()
{
	pgrep -f "[ ]$lab_mark( |$)"
}

lab_cleanup()
{
	local status=$? file pid

	trap '' HUP INT TERM
	for pid in $(lab_marked); do
		kill -KILL "$pid" 2>/dev/null
	done
	for file in "$WORK"/*.lab "$WORK"/*/*.lab; do
		[ ! -e "$file" ] || "$umf_lab" -f "$file" --kernel "$LINUX" down --kill >/dev/null 2>&1
	done
	(exit "$status")
	guest_cleanup
}
trap lab_cleanup EXIT

# lab_live: the folder of what ends with the lab
lab_live()
{
	lab env | sed 's/.*UML_DIR=\([^ ]*\)\/uml .*/\1/'
}

# lab_processes: how many host processes there are of this test's guests; the pattern is not itself what it finds
lab_processes()
{
	grep -lsa "um[l]_dir=$(lab_live)/" /proc/[0-9]*/cmdline | wc -l
}

lab_clean()
{
	local guest log failed

	for guest in "$@"; do
		log=${LAB%.lab}.run/$guest.log
		failed=$tap_failed
		check "the kernel log of $guest is clean" scan_log "$log"
		[ "$tap_failed" -eq "$failed" ] || { mkdir -p "$guest_kept" && cp "$log" "$guest_kept/"; }
	done
}
