#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# umf-lab graph: a lab as a picture, of the lab file or, with the guests' states, of the lab that is up.

. "$(dirname "$0")/../lib/lab.sh"

dot=$(command -v dot) || dot=

# edges <svg>: how many edges dot has drawn
edges()
{
	grep -c '<g id="edge[0-9]*" class="edge">' "$1"
}

# ---- a lab of the collection ----

# its guests' root file system is none of this test's
mkdir nfs
sed '/^rootfs/d' "$TOP/configs/labs/nfs-ha.lab" >nfs/nfs-ha.lab
cp "$TOP/configs/labs/nfs-ha.setup" nfs/
run "$umf_lab" --kernel "$LINUX" graph nfs/nfs-ha.lab
is "graph of a lab file: status" "$status: $err" "0: "
check "... nothing is made" test ! -e nfs/nfs-ha.run
is "... guests, segments, shared disks" "$(for kind in guest segment disk; do grep -c "^	\"$kind:[^\"]*\" \[" <<<"$out"; done | xargs)" "3 2 2"
is "... nics, cables, disks at guests" "$(for kind in segment guest disk; do grep -c " -- \"$kind:" <<<"$out"; done | xargs)" "5 1 4"
like "... a nic has its name and address" "$out" '"guest:n2" -- "segment:private" \[label="eth1\\n10\.0\.1\.2/24"\]'
like "... a cable has both ends' names" "$out" '"guest:n1" -- "guest:n2" \[style=dashed, label="heartbeat", taillabel="ttyS0", headlabel="ttyS0"\]'
check_fails "... no guest has a state" grep -q palegreen <<<"$out"
if [ -n "$dot" ]; then
	check "... dot takes it" dot -Tsvg -o nfs.svg <<<"$out"
	is "... and draws ten edges" "$(edges nfs.svg)" 10
	run "$umf_lab" --kernel "$LINUX" graph --svg nfs/nfs-ha.lab
	is "--svg: status" "$status: $err" "0: "
	is "... is what dot draws" "$out" "$(<nfs.svg)"
else
	skip "... dot takes it" "graphviz is not installed"
fi
run env PATH=/nowhere "$umf_lab" --kernel "$LINUX" graph --svg nfs/nfs-ha.lab
is "--svg without dot says what is missing" "$status: $out$err" "1: umf-lab: graph --svg: dot: No such file or directory; it is in the package graphviz"

# ---- all there is, with names that DOT has for itself ----

cat >"$LAB" <<'E'
segment graph {} segment node {} segment "n1" {}
guest node {
	nic eth0 { segment = graph ip = { "10.0.0.1/24", "[fd00::1]/64" } }
	serial ttyS0 { link = loop } serial ttyS1 { link = loop }
	serial ttyS2 { link = alone }
	serial ttyS3 { transport = 'unix,/tmp/a"b\c' }
	disk umfa { image = s.img size = 1M shared = true }
	disk umfb { size = 1M }
}
guest edge { nic eth0 { segment = node } disk umfa { image = s.img size = 1M shared = true } }
E
run lab graph
is "a lab of odd names: status" "$status: $err" "0: "
like "... addresses of both kinds" "$out" '"eth0\\n10\.0\.0\.1/24\\n\[fd00::1\]/64"'
like "... a cable to itself" "$out" '"guest:node" -- "guest:node" .* taillabel="ttyS0", headlabel="ttyS1"'
like "... one end of a cable" "$out" '"line:node ttyS2" \[shape=plaintext, label="\(nobody\)"\]'
like "... a line out of the lab, quoted" "$out" 'label="unix,/tmp/a\\"b\\\\c"'
is "... one shared disk" "$(grep -c shape=cylinder <<<"$out")" 1
if [ -n "$dot" ]; then
	check "... dot takes it" dot -Tsvg -o odd.svg <<<"$out"
	is "... and draws seven edges" "$(edges odd.svg)" 7
else
	skip "... dot takes it" "graphviz is not installed"
fi
run lab graph now
is "a word too many" "$status: $err" "2: umf-lab: now: graph takes no more words"

# ---- a lab that is up ----

cat >"$LAB" <<E
memory = $GUEST_MEM
append = "$lab_mark"
segment lan {}
guest n[1-3] { nic eth0 { segment = lan ip = 10.0.0.\${n}/24 } }
E
lab -q up
echo 'this is no lab file' >"$LAB"
lab freeze n2
lab kill n3
run lab graph
is "a lab that is up, whatever its file says now: status" "$status: $err" "0: "
is "... each guest's state and colour" "$(sed -n 's/^	"guest:\(n.\)" .*, [0-9]*M\\n\([a-z]*\)", .*fillcolor=\([a-z]*\)\];/\1 \2 \3/p' <<<"$out" | xargs)" \
	"n1 ready palegreen n2 frozen lightskyblue n3 ended lightcoral"
is "... and its nic" "$(grep -c ' -- "segment:lan" \[label="eth0' <<<"$out")" 3
lab thaw n2
lab down
lab_clean n1 n2 n3
run lab graph
like "... of one that is down, the file counts" "$status: $err" "^2: $LAB:1:"
done_testing
