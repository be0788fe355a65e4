#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# /proc/umf: what is added is listed, what is listed can be added again, what is wrong changes nothing.

# shellcheck source=tests/selftests/lib.sh
. "$(dirname "$0")/lib.sh"

ktap_print_header
need eth0
ktap_set_plan 14

rules()
{
	control list | grep -v '^#'
}

control clear >/dev/null
expect_is "clear leaves no rule" "$(rules | grep -c '^add')" 0

expect_ok "a rule is added" 'add eth0 drop prob=30% dir=rx'
expect_is "the reply is its id" "$reply" r1
expect_ok "a rule with a name is added" 'add eth0 drop id=second every=7 after=3 count=2'
expect_is "the reply is its name" "$reply" second

listed=$(rules | grep '^add')
expect_is "both are listed" "$(echo "$listed" | wc -l)" 2
expect_is "the file rules shows the same" "$(grep '^add' $umf/rules)" "$listed"

control clear >/dev/null
echo "$listed" | while read -r line; do
	control "$line" >/dev/null
done
expect_is "listed lines, added again, list the same" "$(rules | grep '^add')" "$listed"

before=$(rules)
expect_refused "an unknown action is refused" 'add eth0 explode'
expect_refused "a probability above one is refused" 'add eth0 drop prob=101%'
expect_refused "an unknown device is refused" 'add eth9x drop'
expect_refused "a name that is taken is refused" 'add eth0 drop id=second'
expect_is "refused rules change nothing" "$(rules)" "$before"

control clear >/dev/null
expect_is "and clear ends it" "$(rules | grep -c '^add')" 0
ktap_finished
