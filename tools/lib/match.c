// SPDX-License-Identifier: GPL-2.0
/*
 * match=: a pcap filter expression to the text of a classic BPF program, as
 * iptables' xt_bpf reads it: "<instructions>,<code> <jt> <jf> <k>,…", decimal.
 * A rule looks at Ethernet frames, whatever the guest's device.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "match.h"
#include "xalloc.h"

#define BPF	"bpf="
#define SNAPLEN	65535

bool match_has_bpf(const struct words *words, size_t i)
{
	for (; i < words->n && words->word[i] != word_separator; i++)
		if (!strncmp(words->word[i], BPF, strlen(BPF)))
			return true;
	return false;
}

/* A filter written over several lines, or in quotes of its own, as one text. */
static char *tidy(const char *value)
{
	size_t len = strlen(value);
	char *filter, *p;

	if (len > 1 && strchr("'\"", *value) && value[len - 1] == *value) {
		value++;
		len -= 2;
	}
	filter = xstrndup(value, len);
	for (p = filter; *p; p++)
		if (isspace((unsigned char)*p))
			*p = ' ';
	return filter;
}

static char *compile(const char *filter, char **why)
{
	struct bpf_program prog;
	char *text = NULL;
	unsigned int i;
	size_t len;
	pcap_t *pcap;
	FILE *out;

	*why = NULL;
	pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	if (!pcap) {
		*why = xstrdup("libpcap has no memory");
		return NULL;
	}
	if (pcap_compile(pcap, &prog, filter, 1, PCAP_NETMASK_UNKNOWN)) {
		*why = xstrdup(pcap_geterr(pcap));
		pcap_close(pcap);
		return NULL;
	}

	out = open_memstream(&text, &len);
	if (out) {
		fprintf(out, "%u", prog.bf_len);
		for (i = 0; i < prog.bf_len; i++)
			fprintf(out, ",%u %u %u %u", prog.bf_insns[i].code,
				prog.bf_insns[i].jt, prog.bf_insns[i].jf,
				prog.bf_insns[i].k);
	}
	if (!out || fclose(out)) {
		free(text);
		text = NULL;
		*why = xstrdup("no memory");
	}
	pcap_freecode(&prog);
	pcap_close(pcap);
	return text;
}

static void add(struct words *out, const char *key, const char *value)
{
	char *word = xasprintf("%s%s", key, value);

	words_add(out, word);
	free(word);
}

bool match_add(struct words *out, const char *value, bool has_bpf, char **why)
{
	char *filter = tidy(value), *prog = NULL, *said = NULL;
	bool ok = filter[strspn(filter, " ")];

	*why = NULL;
	if (!ok) {
		*why = xstrdup(MATCH " is empty");
	} else if (!has_bpf) {
		prog = compile(filter, &said);
		ok = prog;
		if (!ok)
			*why = xasprintf(MATCH "'%s': %s", filter, said);
	}
	if (ok)
		add(out, MATCH, filter);
	if (prog)
		add(out, BPF, prog);
	free(said);
	free(prog);
	free(filter);
	return ok;
}
