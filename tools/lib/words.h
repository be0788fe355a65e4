/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Words of the fault grammar, cut and quoted as the guest does it: blanks
 * separate words, ';' and newlines statements; quotes, ' or ", keep a text
 * with such characters together and are removed; there is no escape.
 */
#ifndef __UMF_WORDS_H
#define __UMF_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* What stands between two statements, as a word of its own; by its address. */
extern char word_separator[];

struct words {
	char **word;
	size_t n;
};

/* Appends a copy of @word, or the separator itself. */
void words_add(struct words *words, char *word);
/* Cuts @text up; false when a quote is not closed. */
bool words_split(struct words *words, const char *text);
/*
 * Joins the words to a text that words_split() takes apart again, or returns
 * NULL and sets *@culprit to the first word that cannot be written.
 */
char *words_join(const struct words *words, const char **culprit);
void words_free(struct words *words);

#endif /* __UMF_WORDS_H */
