# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For tests of captures, beside net.sh or tty.sh: what tshark and capinfos read in a pcapng file.
#
#   shark <description> <file> [field…]   a check: tshark has nothing to complain about. $table has a line a packet: number,
#                                         interface, rx or tx, time, length, packets lost before it, comment, the fields;
#                                         with | between
#   column <n>                            of $table, in one line
#   commented <regex>                     how many packets have such a comment
#   counted <description> <rx> <tx>       a check: so many packets of $table are received, and sent
#   in_order <description>                a check: times are those of now, in nanoseconds, and never go back in a direction
#   about <file> <capinfos label>         what capinfos says of it
#   statistics <file>                     what its last block says: packets received, of these dropped
#   capture_of <guest> <device> <name>    one value of `capture`
#   listed <name>                         one value of $list, a line of `capture`
#   captured <guest> <device> <rx|tx|dropped> <n>   waits until it is that many
#   grown <file> <bytes>                  waits until it is that long
#   ended <guest> <regex>                 waits until its log says that a capture ended so, and it is not listed

table='' list=''
command -v tshark >/dev/null || skip_all "tshark is not installed"

shark()
{
	local description=$1 file=$2 field args=() said
	shift 2

	for field; do
		args+=(-e "$field")
	done
	table=$(tshark -n -r "$file" -T fields -E separator='|' -E aggregator=, -e frame.number -e frame.interface_name \
		-e frame.packet_flags_direction -e frame.time_epoch -e frame.len -e frame.drop_count -e frame.comment \
		"${args[@]}" 2>"$WORK/shark")
	# What it says to root is not about the file.
	said=$(grep -v 'Running as user' "$WORK/shark")
	table=$(awk -F '|' -v OFS='|' '{ $3 = $3 ~ /1$/ ? "rx" : $3 ~ /2$/ ? "tx" : "?"; print }' <<<"$table")
	is "$description" "$said" ""
}

column()
{
	awk -F '|' -v n="$1" '{ printf "%s%s", sep, $n; sep = " " }' <<<"$table"
}

commented()
{
	awk -F '|' -v regex="$1" '$7 ~ regex' <<<"$table" | wc -l
}

counted()
{
	is "$1" "$(grep -c '|rx|' <<<"$table") $(grep -c '|tx|' <<<"$table")" "$2 $3"
}

in_order()
{
	local wrong

	wrong=$(awk -F '|' -v now="$(date +%s)" '
		{
			split($4, t, ".")
			if (length(t[2]) != 9 || t[1] < now - 3600 || t[1] > now + 60) print "no time: " $0
			if (t[1] < sec[$3] || (t[1] == sec[$3] && t[2] < ns[$3])) print "goes back: " $0
			sec[$3] = t[1]; ns[$3] = t[2]
			fine += t[2] % 1000 != 0
		}
		END { if (NR && !fine) print "not finer than microseconds" }' <<<"$table")
	is "$1" "$wrong" ""
}

about()
{
	capinfos "$1" 2>/dev/null | sed -n "s/^ *$2 *[:=] *//p"
}

statistics()
{
	perl -e 'local $/; $_ = <STDIN>; $_ = substr($_, -unpack("V", substr($_, -4)));
		my ($type, $at) = (unpack("V"), 20);
		while ($type == 5) {
			my ($code, $len) = unpack("vv", substr($_, $at, 4)) or last;
			last if !$code;
			$of{$code} = unpack("Q<", substr($_, $at + 4, 8));
			$at += 4 + $len;
		}
		print "$of{4} $of{5}\n"' <"$1"
}

capture_of()
{
	fault "$1" capture | sed -n "s/^$2 .*\\b$3=\([^ ]*\).*/\1/p"
}

listed()
{
	[[ "$list" =~ \ $1=([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

has_captured()
{
	[ "$(capture_of "$1" "$2" "$3")" -ge "$4" ]
}

captured()
{
	until_true 20 has_captured "$@"
}

has_grown()
{
	[ "$(stat -c %s "$1")" -ge "$2" ]
}

grown()
{
	until_true 20 has_grown "$@"
}

none_captured()
{
	[ -z "$(fault "$1" capture)" ]
}

ended()
{
	until_true 20 grep -qE "umf: capture of .* ends: $2" "$(guest_log "$1")" && until_true 20 none_captured "$1"
}
