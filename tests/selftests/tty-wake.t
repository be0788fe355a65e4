#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 120
# A link's end wakes the other one once for each number in its need_data, which it never writes to: nothing is missed.

. "$(dirname "$0")/../lib/tty.sh"

tty_start t1
behind t1 ttyS0 raw 115200 ready read 40 30000
"$LIB/link-fuzz" "$WORK/cable" polite 40
is "an end that rings once for each wait sends 40 bytes" "$?" 0
outcome t1 ttyS0
says "... and all come" "read $(printf '%02x' {0..39})"

done_testing
