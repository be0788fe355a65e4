#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A mconsole command is a whole word: one that only begins like a command is unknown.

. "$(dirname "$0")/../lib/guest.sh"

guest_start word
guest_wait_ready word || exit 1

ask()
{
	"$LIB/mconsole-raw" "$(guest_mconsole word)" "$1"
}

for command in versionx faultx helpless logger 'configure con5' 'removes con5' 'process uptime' gone; do
	is "$command is an unknown command" "$(ask ":$command")" "1 Unknown command"
done
like "version is known" "$(ask :version)" '^0 Linux word '
like "a blank ends the word" "$(ask ':version ')" '^0 Linux word '
like "arguments stay arguments" "$(ask ':proc sys/kernel/ostype')" '^0 .*Linux'

done_testing
