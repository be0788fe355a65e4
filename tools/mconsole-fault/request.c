// SPDX-License-Identifier: GPL-2.0
/*
 * From the words of the command line to the one line a guest reads. The words
 * are the guest's to judge; here they are only quoted, and match= compiled.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/xalloc.h"
#include "fault/params.h"
#include "tool.h"

#define MATCH	"match="
#define BPF	"bpf="
#define TABLE	"table="

static bool has_prefix(const char *word, const char *prefix)
{
	return !strncmp(word, prefix, strlen(prefix));
}

/* A filter written over several lines, or in quotes of its own, as one text. */
static char *tidy_filter(const char *value)
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

static void add_match(struct words *out, const char *value, bool has_bpf)
{
	char *filter = tidy_filter(value), *prog, *why, *word;

	if (!filter[strspn(filter, " ")])
		tool_usage("match= is empty");
	/* With bpf= beside it, this is a line of list: both stand. */
	prog = has_bpf ? NULL : match_compile(filter, &why);
	if (!has_bpf && !prog)
		tool_usage("match='%s': %s", filter, why);

	word = xasprintf(MATCH "%s", filter);
	words_add(out, word);
	free(word);
	if (prog) {
		word = xasprintf(BPF "%s", prog);
		words_add(out, word);
		free(word);
	}
	free(prog);
	free(filter);
}

/* The guest's kernel opens it, and has another current folder. */
static void add_table(struct words *out, const char *file)
{
	char *path = tool_path(file), *word = xasprintf(TABLE "%s", path);

	words_add(out, word);
	free(word);
	free(path);
}

/* Copies a statement's words; returns the first one of the next. */
static size_t add_statement(struct words *out, const struct words *in, size_t i)
{
	bool is_add, has_bpf = false;
	size_t end;

	for (end = i; end < in->n && in->word[end] != word_separator; end++)
		if (has_prefix(in->word[end], BPF))
			has_bpf = true;
	is_add = i < end && !strcmp(in->word[i], umf_verbs[UMF_V_ADD].name);

	for (; i < end; i++) {
		if (is_add && has_prefix(in->word[i], MATCH))
			add_match(out, in->word[i] + strlen(MATCH), has_bpf);
		else if (is_add && has_prefix(in->word[i], TABLE))
			add_table(out, in->word[i] + strlen(TABLE));
		else
			words_add(out, in->word[i]);
	}
	if (end < in->n)
		words_add(out, in->word[end++]);
	return end;
}

static void check_characters(const struct words *words)
{
	const char *p;
	size_t i;

	for (i = 0; i < words->n; i++)
		for (p = words->word[i]; *p; p++)
			if (iscntrl((unsigned char)*p))
				tool_usage("word %zu has a control character (0x%02x)",
					   i + 1, (unsigned char)*p);
}

char *request_make(const struct words *words)
{
	struct words out = { 0 };
	const char *culprit;
	char *text, *request;
	size_t i = 0, len;

	while (i < words->n)
		i = add_statement(&out, words, i);
	check_characters(&out);
	text = words_join(&out, &culprit);
	if (!text)
		tool_usage("%s: cannot be quoted; one text cannot hold both ' and \"",
			   culprit);
	request = xasprintf("fault %s", text);
	free(text);
	words_free(&out);

	len = strlen(request);
	if (len > MCONSOLE_REQUEST_MAX)
		tool_usage("the request has %zu bytes, %zu more than the %d a guest takes%s",
			   len, len - MCONSOLE_REQUEST_MAX, MCONSOLE_REQUEST_MAX,
			   strstr(request, " " BPF) ?
			   "; a simpler filter makes a shorter bpf=" : "");
	return request;
}
