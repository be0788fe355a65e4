// SPDX-License-Identifier: GPL-2.0
/*
 * Has a guest what the lab file gives it? Its agent looks for each device, each
 * address, each share and the number of rules, and a line comes back for each that is not
 * there: "<kind> <name> [<value>]". Why is in the guest's log, if anywhere.
 *
 * What a guest has no means to look at is not missing: without /sys, ip or
 * /proc/umf nothing is said of what those would show.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/stop.h"
#include "../lib/words.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define ANSWER_NS	60000000000LL

/* Rules that the first faults make, if that can be told: what takes one away again is in none. */
static size_t count_rules(const struct guest_conf *guest)
{
	struct words words = { 0 };
	size_t i, n = guest->fault.n;
	const char *first;

	for (i = 0; i < guest->fault.n; i++)
		words_split(&words, guest->fault.s[i]);
	for (i = 1; i < words.n; i++) {
		first = words.word[i - 1] == word_separator ? words.word[i] : "";
		n += !strcmp(first, "add");
		if (!strcmp(first, "del") || !strcmp(first, "clear"))
			return 0;
	}
	words_free(&words);
	return n;
}

static void ask_devices(FILE *out, const struct guest_conf *guest)
{
	size_t i;

	fputs("[ ! -d /sys/class/net ] || {\n:\n", out);
	for (i = 0; i < guest->nr_nics; i++)
		fprintf(out, "[ -e /sys/class/net/%s ] || echo nic %s\n",
			guest->nic[i].name, guest->nic[i].name);
	for (i = 0; i < guest->nr_serials; i++)
		fprintf(out, "[ -e /sys/class/tty/%s ] || echo serial %s\n",
			guest->serial[i].name, guest->serial[i].name);
	for (i = 0; i < guest->nr_disks; i++)
		fprintf(out, "[ -e /sys/block/%s ] || echo disk %s\n",
			guest->disk[i].name, guest->disk[i].name);
	fputs("}\n", out);
}

static void ask_addresses(FILE *out, const struct guest_conf *guest)
{
	const struct nic *nic = guest->nic;
	char *address;
	size_t i;

	fputs("if command -v ip >/dev/null; then\n"
	      "all=\" $(ip -o addr show | while read -r number nic family address rest; do\n"
	      "printf '%s=%s ' \"$nic\" \"$address\"; done)\"\n"
	      "while read -r nic address; do\n"
	      "case $all in *\" $nic=$address \"*) ;;\n"
	      "*) echo address $nic $address ;; esac\ndone <<END\n", out);
	for (; nic < guest->nic + guest->nr_nics; nic++)
		for (i = 0; i < nic->ip.n; i++) {
			address = word_address(nic->ip.s[i]);
			if (address)
				fprintf(out, "%s %s\n", nic->name, address);
			free(address);
		}
	fputs("END\nfi\n", out);
}

/* The last mount there is the one that counts; its options begin with ro or rw. */
static void ask_shares(FILE *out, const struct guest_conf *guest)
{
	const struct share *share = guest->share;

	if (!guest->nr_shares)
		return;
	fputs("[ ! -r /proc/mounts ] || while read -r at mode; do\n"
	      "is=\n"
	      "while read -r from to type options rest; do\n"
	      "[ \"$to\" != \"$at\" ] || is=$type,$options\n"
	      "done </proc/mounts\n"
	      "case $is in hostfs,$mode,*) ;; *) echo share \"$at\" ;; esac\n"
	      "done <<END\n", out);
	for (; share < guest->share + guest->nr_shares; share++)
		fprintf(out, "%s %s\n", share->at, share->ro ? "ro" : "rw");
	fputs("END\n", out);
}

static char *make_question(const struct guest_conf *guest)
{
	size_t rules = count_rules(guest), len;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	ask_devices(out, guest);
	ask_addresses(out, guest);
	ask_shares(out, guest);
	if (rules)
		fprintf(out, "[ ! -r /proc/umf/rules ] || {\n"
			"n=$(grep -c '^add ' /proc/umf/rules)\n"
			"[ \"$n\" -ge %zu ] || echo rules \"$n of %zu\"\n}\n",
			rules, rules);
	fputs("true\n", out);
	fclose(out);
	return text;
}

/* @line: "<kind> <name> [<value>]" */
static void say_missing(const struct lab *lab, const struct guest_conf *guest,
			const char *line)
{
	const char *name = strchr(line, ' ') ?: "", *value = strrchr(line, ' ') ?: "";
	bool rules = !strncmp(line, "rules ", 6);
	char *log = guest_log(lab, guest->name), *what, *why;

	what = name == value ? xasprintf("%s: ", name + 1) : xstrdup(value + 1);
	why = rules ? log_refused(lab, guest->name) : log_about(lab, guest->name, what);
	if (rules && why)
		say("%s: guest %s: %s", lab->file, guest->name, why);
	else if (rules)
		say("%s: guest %s: only%s first faults are there; its log is %s",
		    lab->file, guest->name, name, log);
	else
		say("%s: guest %s: %s is not there: %s; its log is %s", lab->file,
		    guest->name, line, why ?: "its kernel does not say why", log);
	free(why);
	free(what);
	free(log);
}

int verify_guest(const struct lab *lab, const struct guest_conf *guest,
		 const sigset_t *open)
{
	struct agent *agent = agent_open(lab, guest->name);
	char *question = make_question(guest), *text = NULL, *line, *pos, *why;
	int64_t end = lab_now(lab) + ANSWER_NS;
	int ret = LAB_GONE;
	bool begun;
	size_t len;
	FILE *out;

	out = open_memstream(&text, &len);
	if (agent) {
		agent_redirect(agent, out, out);
		ret = agent_run(agent, question, end, end, open, &begun);
	}
	agent_close(agent);
	fclose(out);
	pos = text;
	while (!ret && (line = strsep(&pos, "\n")))
		if (*line) {
			say_missing(lab, guest, line);
			ret = LAB_FAILED;
		}
	if (ret > 0 && ret != LAB_FAILED) {
		why = log_panic(lab, guest->name);
		say("%s: guest %s %s%s%s", lab->file, guest->name, ret == LAB_GONE ?
		    "has ended when it was ready" :
		    "was ready, but does not say what it has", why ? ": " : "", why ?: "");
		free(why);
		ret = LAB_FAILED;
	}
	free(text);
	free(question);
	return ret;
}
