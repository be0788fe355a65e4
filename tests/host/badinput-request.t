#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Requests as long as mconsole takes them, one byte more, and garbage on the socket: the answer is a rule, one error line or
# nothing, the rules stay what they are, and the guest goes on.

. "$(dirname "$0")/../lib/net.sh"

net_start 1 2
socket=$(guest_mconsole n1)
fault n1 add eth0 drop prob=0 id=keep >/dev/null
before=$(fault n1 list)

raw()
{
	"$LIB/mconsole-raw" "$@"
}

unchanged()
{
	is "... and changes nothing" "$(fault n1 list)" "$before"
}

# rule_of <bytes>: a request `fault add …` of that length, padded in match=
rule_of()
{
	local head="fault add eth0 drop id=long bpf='1,6 0 0 1' match=" pad

	printf -v pad '%*s' $(($1 - ${#head})) ''
	echo "$head${pad// /x}"
}

is "a rule of 511 bytes is taken" "$(raw "$socket" ":$(rule_of 511)")" '0 long\n'
is "... with all its bytes" "$(fault n1 list | sed -n 's/.*match="\(x*\)".*/\1/p' | tr -d '\n' | wc -c)" \
	"$(rule_of 511 | sed 's/.*match=//' | tr -d '\n' | wc -c)"
raw "$socket" ":fault del long" >/dev/null
like "one of 512 bytes is refused" "$(raw "$socket" ":$(rule_of 512)")" '^1 [^\\]*$'
unchanged
like "so is one that says it has 512" "$(raw "$socket" "len=512:$(rule_of 400)")" '^1 [^\\]*$'
unchanged
like "mconsole-fault says so before it sends one" "$(rule_of 512 | sed 's/^fault //' | xargs -d '\n' "$net_tool" n1 2>&1)" '512'
unchanged
if command -v uml_mconsole >/dev/null; then
	# It sends the first 511, so the last byte is one that is missed.
	text="$(rule_of 511 | sed "s/match=x/match='/")'"
	uml_mconsole "$socket" "$text" >"$WORK/stock" 2>/dev/null
	like "the stock client cuts ${#text} bytes to 511, and what is left is refused" "$(<"$WORK/stock")" "a quote is not closed"
	unchanged
else
	skip "the stock client cuts 512 bytes to 511, and what is left is refused" "uml_mconsole is not installed"
	skip "... and changes nothing" "uml_mconsole is not installed"
fi

# ---- garbage ----

like "text that is no request" "$(raw -n 1 -t 1 "$socket" "raw:fault clear")" '^(v0 ERR|1 |$)'
unchanged
for size in 0 1 4 12 100 524 525 2000; do
	raw -n 1 -t 0.3 "$socket" "raw:$(printf '%0*d' "$size" 0 | tr 0 Z)" >/dev/null
done
unchanged
like "control characters in a rule" "$(raw "$socket" $':fault add eth0 drop id=a\001b')" '^1 id=a'
like "... in a text" "$(raw "$socket" $':fault add eth0 drop bpf=\'1,6 0 0 1\' match=\'a\001b\'')" '^1 match: '
like "bytes beyond ASCII" "$(raw "$socket" $':fault add eth0 \xff\xfe')" '^1 no action '
unchanged

# 2,000 datagrams of random lengths and bytes, of which one in three has the right magic.
perl -e '
	use IO::Socket::UNIX;
	use Socket;
	srand(2004);
	my ($dir, $path) = @ARGV;
	my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/garbage") or die "$!";
	my $to = pack_sockaddr_un($path);
	$s->blocking(1);
	for my $i (1 .. 2000) {
		my $data = join("", map { chr(int(rand(256))) } 1 .. int(rand(600)));
		if ($i % 3 == 0) {
			$data = pack("LLL", 0xcafebabe, $i % 2 ? 2 : int(rand(4)), int(rand(1200))) .
				($i % 9 ? "" : "fault ") . $data;
		}
		send($s, $data, 0, $to);
		$s->blocking(0);
		1 while defined recv($s, my $reply, 65536, 0) && length $reply;
		$s->blocking(1);
	}' "$WORK" "$socket"
rm -f "$WORK/garbage"
like "after 2,000 random datagrams the guest answers" "$(raw -t 30 "$socket" :version)" '^0 Linux n1 '
is "the rules are what they were" "$(fault n1 list)" "$before"
pings "n1 reaches n2" 1 2

# ---- /proc/umf/control ----

is "an empty write" "$(guest_exec n1 'echo >/proc/umf/control; echo $?')" 0
is "a rule longer than a request may be is taken there" \
	"$(guest_exec n1 "echo \"$(rule_of 3000 | sed 's/^fault //')\" >/proc/umf/control && cat /proc/umf/control")" long
fault n1 del long
check_fails "two megabytes are not" guest_exec n1 'head -c 2000000 /dev/zero | tr "\\0" " " | dd of=/proc/umf/control bs=2000000 iflag=fullblock'
check_fails "nor is a binary" guest_exec n1 'head -c 3000 /bin/busybox >/proc/umf/control'
unchanged

done_testing
