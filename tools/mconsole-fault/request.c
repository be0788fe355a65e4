// SPDX-License-Identifier: GPL-2.0
/*
 * From the words of the command line to the one line a guest reads. The words
 * are the guest's to judge; here they are only quoted, and match= compiled.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/match.h"
#include "../lib/xalloc.h"
#include "fault/params.h"
#include "tool.h"

#define FAULT	"fault "
#define BPF	"bpf="
#define TABLE	"table="

static bool has_prefix(const char *word, const char *prefix)
{
	return !strncmp(word, prefix, strlen(prefix));
}

static void add_match(struct words *out, const char *filter, bool has_bpf)
{
	char *why;

	if (!match_add(out, filter, has_bpf, &why))
		tool_usage("%s", why);
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
	bool is_add, has_bpf = match_has_bpf(in, i);
	size_t end;

	for (end = i; end < in->n && in->word[end] != word_separator; end++)
		;
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

/* Of @words, all of them or the one statement that begins at *@at. */
static char *make_text(const struct words *words, size_t *at)
{
	struct words out = { 0 };
	const char *culprit;
	char *text;

	*at = add_statement(&out, words, *at);
	if (out.n && out.word[out.n - 1] == word_separator)
		out.n--;	/* nobody's to free */
	check_characters(&out);
	text = words_join(&out, &culprit);
	if (!text)
		tool_usage("%s: cannot be quoted; one text cannot hold both ' and \"",
			   culprit);
	words_free(&out);
	return text;
}

/* @nr: which of several statements it is, or 0. */
static void check_length(const char *text, size_t nr)
{
	size_t len = strlen(FAULT) + strlen(text);
	char *which = nr ? xasprintf("statement %zu: ", nr) : xstrdup("");

	if (len > MCONSOLE_REQUEST_MAX)
		tool_usage("%sthe request has %zu bytes, %zu more than the %d a guest takes%s",
			   which, len, len - MCONSOLE_REQUEST_MAX, MCONSOLE_REQUEST_MAX,
			   strstr(text, " " BPF) ?
			   "; a simpler filter makes a shorter bpf=" : "");
	free(which);
}

static bool has_several(const struct words *words)
{
	size_t i;

	for (i = 0; i < words->n; i++)
		if (words->word[i] == word_separator)
			return true;
	return false;
}

static void add_request(struct words *requests, char **text)
{
	char *request;

	if (!*text)
		return;
	request = xasprintf(FAULT "%s", *text);
	words_add(requests, request);
	free(request);
	free(*text);
	*text = NULL;
}

void request_make(struct words *requests, const struct words *words)
{
	bool several = has_several(words);
	char *so_far = NULL, *text, *both;
	size_t at = 0, nr = 0;

	while (at < words->n) {
		text = make_text(words, &at);
		if (!*text) {
			free(text);
			continue;
		}
		check_length(text, several ? ++nr : 0);
		if (so_far && strlen(FAULT) + strlen(so_far) + strlen(text) + 2 >
			      MCONSOLE_REQUEST_MAX)
			add_request(requests, &so_far);
		both = so_far ? xasprintf("%s; %s", so_far, text) : xstrdup(text);
		free(so_far);
		free(text);
		so_far = both;
	}
	add_request(requests, &so_far);
}

char *request_one(const struct words *words)
{
	struct words requests = { 0 };
	char *request;

	request_make(&requests, words);
	request = xstrdup(requests.n ? requests.word[0] : FAULT);
	words_free(&requests);
	return request;
}
