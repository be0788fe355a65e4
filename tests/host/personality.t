#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Where personality() is refused, as Docker does, a guest has the memory that it has elsewhere, whatever the gap is.

. "$(dirname "$0")/../lib/guest.sh"

command -v python3 >/dev/null || skip_all "there is no python3"

cat >"$WORK/refuse" <<'PY'
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
# load nr; if it is personality: EPERM; else allow
code = b''.join(struct.pack('<HBBI', *i) for i in ((0x20, 0, 0, 0), (0x15, 0, 1, 135), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7fff0000)))
code = ctypes.create_string_buffer(code)
prog = ctypes.create_string_buffer(struct.pack('<HxxxxxxQ', 4, ctypes.addressof(code)))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(prog)):
    sys.exit(126)
os.execv(sys.argv[1], sys.argv[1:])
PY
python3 "$WORK/refuse" /bin/true || skip_all "no seccomp filter can be set here"

# boot [command]: its memory in kB is $kb, its words $out
boot()
{
	out=$(timeout 100 "$@" "$LINUX" mem=96M initrd="$INITRAMFS" con=null con0=null,fd:1 kunit.enable=0 umid=pers \
		uml_dir="$UML_DIR/" -- 'grep MemTotal /proc/meminfo' </dev/null 2>&1 | tr -d '\r')
	kb=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' <<<"$out")
}

boot
whole=$kb
check_fails "with it nothing is said" grep "randomization" <<<"$out"
low=$whole said=0
for _ in 1 2 3 4 5 6; do
	boot python3 "$WORK/refuse"
	[ "${kb:-0}" -ge "$low" ] || low=${kb:-0}
	! grep -q "The host does not let address randomization be turned off: the gap costs it [0-9]* KB" <<<"$out" ||
		said=$((said + 1))
done
# the heap's place among 4 MiB is left to chance
check "six guests without it have as much ($whole kB, $low at least)" test "$low" -ge $((whole - 1024))
check "... and say what that costs ($said)" test "$said" -ge 4
done_testing
