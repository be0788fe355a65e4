// SPDX-License-Identifier: GPL-2.0
/*
 * First faults: what a lab file says, as a kernel takes it at its start. match= is
 * compiled here, once, and the lab's record has the program.
 */
#include <stdlib.h>
#include <string.h>
#include "../lib/match.h"
#include "../lib/words.h"
#include "../lib/xalloc.h"
#include "lab.h"

/* Of the statement that begins at *@i, which moves on to the next one. */
static bool add_statement(struct words *out, const struct words *in, size_t *i, char **why)
{
	bool is_add = !*i || !strcmp(in->word[*i], "add"), has_bpf = match_has_bpf(in, *i);
	char *word;

	for (; *i < in->n && in->word[*i] != word_separator; ++*i) {
		word = in->word[*i];
		if (!is_add || strncmp(word, MATCH, strlen(MATCH)))
			words_add(out, word);
		else if (!match_add(out, word + strlen(MATCH), has_bpf, why))
			return false;
	}
	if (*i < in->n)
		words_add(out, in->word[(*i)++]);
	return true;
}

char *rule_text(const char *said, char **why)
{
	struct words in = { 0 }, out = { 0 };
	const char *culprit;
	char *text = NULL;
	bool ok = true;
	size_t i = 0;

	*why = NULL;
	if (!strstr(said, MATCH))
		return xstrdup(said);	/* as it is written: the guest judges the rest */
	if (!words_split(&in, said)) {
		*why = xstrdup("a quote is not closed");
		ok = false;
	}
	while (ok && i < in.n)
		ok = add_statement(&out, &in, &i, why);
	text = ok ? words_join(&out, &culprit) : NULL;
	if (ok && !text)
		*why = xasprintf("%s: cannot be quoted", culprit);
	words_free(&in);
	words_free(&out);
	return text;
}
