#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# umf-port's manual: guests reach the host's network without root, by umf-port and pasta in a namespace of the user's own.

# Root has other ways; what the manual says is for others.
if [ "$(id -u)" = 0 ]; then
	command -v setpriv >/dev/null || { echo "1..0 # SKIP there is no setpriv"; exit; }
	exec setpriv --reuid=65534 --regid=65534 --clear-groups env -u XDG_RUNTIME_DIR HOME=/tmp bash "$0"
fi

. "$(dirname "$0")/../lib/guest.sh"

PATH=$PATH:/usr/sbin:/sbin
for program in pasta nft ip python3; do
	command -v $program >/dev/null || skip_all "there is no $program here"
done
{ [ -r "$LINUX" ] && [ -x "$BIN/umf-port" ]; } || skip_all "an unprivileged user cannot read what is to be tested"
timeout 20 pasta --config-net -- ip route show default >"$WORK/route" 2>"$WORK/why" ||
	skip_all "pasta does not work here: $(tail -n 1 "$WORK/why")"
gateway=$(awk '$1 == "default" { print $3 }' "$WORK/route")
[ -n "$gateway" ] || skip_all "this host has no way out"

mkdir "$WORK/www"
echo "from the host" >"$WORK/www/file"
(cd "$WORK/www" && exec python3 -u -m http.server --bind 127.0.0.1 0 >"$WORK/http" 2>&1) &
server=$!
until_true 10 grep -q 'port [0-9]' "$WORK/http"
port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$WORK/http")

# The recipe, from the manual.
man=$TOP/tools/umf-port/umf-port.1
sed -n '/^pasta /,/^\.EE/p' "$man" | sed '$d; s/\\-/-/g; s/\\e/\\/g' >"$WORK/recipe"
check "the manual has a recipe" test -s "$WORK/recipe"
PATH=$BIN:$PATH SEGMENT=$WORK/seg bash "$WORK/recipe" >"$WORK/nat" 2>&1 &
nat=$!
# pasta ends with it, and not the other way round
end_port()
{
	local status=$? pid

	pid=$(pgrep -f "^umf-port --tap tap0 $WORK/seg\$") && kill "$pid"
	kill "$server" 2>/dev/null
	return $status
}
trap 'end_port; '"$(trap -p EXIT | sed "s/^trap -- '//; s/' EXIT$//")" EXIT
until_true 20 grep -q tap0 "$WORK/nat" || diag "$(<"$WORK/nat")"

guest_start g1 "eth0=switch,$WORK/seg" ip=eth0:10.9.0.2/24 || exit 1
guest_wait_ready g1 || exit 1
guest_exec g1 'ip route add default via 10.9.0.1'
check "the namespace's end is reached" until_true 10 guest_exec g1 'ping -c 1 -W 1 10.9.0.1'
fetched()
{
	# nc ends with its input
	guest_exec g1 "(printf 'GET /file HTTP/1.0\\r\\n\\r\\n'; sleep 2) | nc -w 5 $gateway $port" >"$WORK/got"
	grep -q '^from the host' "$WORK/got"
}
check "a service of the host, by the gateway's address" until_true 30 fetched || diag "$(cat "$WORK/got" "$WORK/nat")"
guest_stop g1
end_port
check "it ends with umf-port" until_true 10 eval "! kill -0 $nat 2>/dev/null"

done_testing
