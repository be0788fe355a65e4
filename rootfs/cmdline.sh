# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
#
# What every rootfs understands on the kernel command line; busybox/init describes the words.
# Sourced as /lib/umf/cmdline.sh. say(), which tells a person what is wrong, is the caller's.

# add_ip <if> <addr>/<len> [<gateway>]
add_ip()
{
	local dev="$1" addr="$2" gw="$3" dad="/proc/sys/net/ipv6/conf/$1/accept_dad"

	if [ ! -d "/sys/class/net/$dev" ]; then
		say "ip=: there is no interface $dev"
		return 1
	fi
	# An address must be usable at once; duplicate detection would hold it back for a second.
	[ ! -w "$dad" ] || echo 0 >"$dad"
	if ! ip link set "$dev" up || ! ip addr add "$addr" dev "$dev"; then
		say "ip=: $dev $addr was refused"
		return 1
	fi
	case $gw in
	'') return ;;
	*:*) ip -6 route add default via "$gw" dev "$dev" ;;
	*) ip route add default via "$gw" dev "$dev" ;;
	esac || say "ip=: the gateway $gw was refused"
}

# apply_ip <value of ip=>
apply_ip()
{
	local spec="$1" dev addr rest gw

	case $spec in
	off | none | '') return 0 ;;
	[a-zA-Z]*:\[*\]/*)
		dev=${spec%%:*}
		rest=${spec#*:\[}
		addr=${rest%%\]*}
		rest=${rest#*\]}
		gw=
		case $rest in *:\[*\]) gw=${rest#*:\[} gw=${gw%\]} ;; esac
		add_ip "$dev" "$addr${rest%%:*}" "$gw"
		;;
	[a-zA-Z]*:*/*)
		dev=${spec%%:*}
		rest=${spec#*:}
		gw=
		case $rest in *:*) gw=${rest#*:} ;; esac
		add_ip "$dev" "${rest%%:*}" "$gw"
		;;
	[0-9]*:*:*:*:*:*)
		local IFS=:
		# shellcheck disable=SC2086 # split at the colons
		set -- $spec
		unset IFS
		[ -z "$5" ] || hostname "$5"
		add_ip "$6" "$1/${4:-32}" "$3"
		;;
	*) say "ip=$spec: expected <if>:<addr>/<len>[:<gateway>], IPv6 addresses in brackets" ;;
	esac
}

# apply_share <value of share=>
apply_share()
{
	local from="${1%%:*}" to="${1#*:}" flag=-w

	case $to in
	*:ro) to=${to%:ro} flag=-r ;;
	esac
	case $from:$to in
	*:*:* | *:/) to= ;;
	/*:/*) ;;
	*) to= ;;
	esac
	if [ -z "$to" ]; then
		say "share=$1: expected <host folder>:<guest folder>[:ro]"
		return 1
	fi
	mkdir -p "$to"
	# hostfs takes a bare path by mount(2) only, and newer mount programs have another call
	LIBMOUNT_FORCE_MOUNT2=always mount $flag -t hostfs -o "$from" none "$to" ||
		say "share $to: hostfs could not be mounted from $from"
}
