// SPDX-License-Identifier: GPL-2.0
/* Words for a shell, whatever is in them. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include "lab.h"

void quote(FILE *out, const char *word)
{
	fputc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\'", out);
		fputc(*word, out);
	}
	fputc('\'', out);
}

FILE *quote_run(const char *before, const char *word, const char *behind)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fputs(before, out);
	quote(out, word);
	fputs(behind, out);
	fclose(out);
	out = popen(text, "re");
	free(text);
	return out;
}
