// SPDX-License-Identifier: GPL-2.0
/* Cutting and quoting of words; see words.h for the rules. */
#define _GNU_SOURCE
#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "words.h"
#include "xalloc.h"

#define BLANKS		" \t\r"
#define SEPARATORS	";\n"

char word_separator[] = ";";

void words_add(struct words *words, char *word)
{
	words->word = xrealloc(words->word,
			       (words->n + 1) * sizeof(*words->word));
	words->word[words->n++] = word == word_separator ? word : xstrdup(word);
}

bool words_split(struct words *words, const char *text)
{
	char *word = xrealloc(NULL, strlen(text) + 1);
	bool ok = true;

	for (;;) {
		char quote = 0, *out = word;

		text += strspn(text, BLANKS);
		if (!*text)
			break;
		if (strchr(SEPARATORS, *text)) {
			words_add(words, word_separator);
			text++;
			continue;
		}
		for (; *text; text++) {
			if (!quote && strchr(BLANKS SEPARATORS, *text))
				break;
			if (quote ? *text == quote : strchr("'\"", *text) != NULL)
				quote = quote ? 0 : *text;
			else
				*out++ = *text;
		}
		*out = '\0';
		words_add(words, word);
		if (quote)
			ok = false;
	}
	free(word);
	return ok;
}

/* Writes @word, its value in quotes if need be; false: it takes both quotes. */
static bool put_word(FILE *out, const char *word)
{
	const char *value = strchr(word, '=');
	char quote;

	if (*word && !strpbrk(word, BLANKS SEPARATORS "'\"")) {
		fputs(word, out);
		return true;
	}
	value = value ? value + 1 : word;
	quote = strchr(value, '\'') ? '"' : '\'';
	if (strchr(value, quote) || strpbrk(value, "\n\r"))
		return false;
	/* a name with blanks or quotes is wrong, but the guest's to refuse */
	if (strcspn(word, BLANKS SEPARATORS "'\"") < (size_t)(value - word))
		return false;
	fprintf(out, "%.*s%c%s%c", (int)(value - word), word, quote, value,
		quote);
	return true;
}

char *words_join(const struct words *words, const char **culprit)
{
	char *text = NULL;
	size_t i, len;
	FILE *out;

	*culprit = NULL;
	out = open_memstream(&text, &len);
	for (i = 0; out && i < words->n; i++) {
		if (words->word[i] == word_separator) {
			fputc(';', out);
			continue;
		}
		if (i)
			fputc(' ', out);
		if (!put_word(out, words->word[i])) {
			*culprit = words->word[i];
			break;
		}
	}
	if (!out || fclose(out))
		error(EXIT_FAILURE, errno, "stopped");
	if (*culprit) {
		free(text);
		return NULL;
	}
	return text;
}

void words_free(struct words *words)
{
	size_t i;

	for (i = 0; i < words->n; i++)
		if (words->word[i] != word_separator)
			free(words->word[i]);
	free(words->word);
	words->word = NULL;
	words->n = 0;
}
