# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# $hostport: the program of tests/selftests/hostport.c, a port of a segment on the host. net.sh comes first.

# shellcheck disable=SC2154 # net.sh
hostport=$net_dir/hostport

hostport_build()
{
	local sources=("$TOP/tests/selftests/hostport.c" "$TOP"/drivers/net/segment/*.c "$TOP"/drivers/host/*_user.c)

	(
		flock 9
		[ -z "$(find "$hostport" "${sources[@]}" "$TOP"/drivers/*/*.h "$TOP"/drivers/net/segment/*.h \
			-newer "$hostport" 2>&1)" ] ||
			"${CC:-gcc}" -std=gnu11 -O2 -g -D_GNU_SOURCE -fno-strict-aliasing -Wall -Wextra -Wno-sign-compare \
				-Wno-unused-parameter -include "$TOP/tools/kernel/kernel.h" \
				-idirafter "$TOP/build/tools/kernel" -I"$TOP/drivers" -Wl,--wrap=umf_host_bell_ring \
				-o "$hostport" "${sources[@]}"
	) 9>"$net_dir/.lock"
}
hostport_build || skip_all "hostport cannot be built here; it needs gcc and make tools"
