// SPDX-License-Identifier: GPL-2.0
/* What a healthy kernel never prints, looked for in a guest's log. */
#define _GNU_SOURCE
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/xalloc.h"
#include "splats.h"
#include "test.h"

#define TRACE_LINES	60	/* that follow a line and are allowed with it */

char *splat_wrong(const char *regex)
{
	char text[256];
	regex_t compiled;
	int err = regcomp(&compiled, regex, REG_EXTENDED | REG_NOSUB);

	if (err) {
		regerror(err, &compiled, text, sizeof(text));
		return xstrdup(text);
	}
	regfree(&compiled);
	return NULL;
}

static regex_t *compile(const char * const *text, size_t n)
{
	regex_t *list = xrealloc(NULL, (n + 1) * sizeof(*list));
	size_t i;

	for (i = 0; i < n; i++)
		if (regcomp(&list[i], text[i], REG_EXTENDED | REG_NOSUB))
			die(LAB_FAILED, "%s: is no regular expression", text[i]);
	return list;
}

static bool has(const regex_t *list, size_t n, const char *line)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!regexec(&list[i], line, 0, NULL, 0))
			return true;
	return false;
}

static void forget(regex_t *list, size_t n)
{
	while (n)
		regfree(&list[--n]);
	free(list);
}

char *splat_find(const char *path, const struct strings *allow)
{
	const size_t n = sizeof(splats) / sizeof(*splats);
	regex_t *bad = compile(splats, n);
	regex_t *good = compile((const char * const *)allow->s, allow->n);
	char *line = NULL, *found = NULL;
	FILE *in = fopen(path, "re");
	size_t size = 0, left = 0;

	while (in && !found && getline(&line, &size, in) >= 0) {
		line[strcspn(line, "\r\n")] = '\0';
		left -= !!left;
		if (!has(bad, n, line))
			continue;
		if (has(good, allow->n, line))
			left = TRACE_LINES;
		else if (!left || !strstr(line, "Call Trace"))
			found = xstrdup(log_clean(line));
	}
	if (in)
		fclose(in);
	free(line);
	forget(bad, n);
	forget(good, allow->n);
	return found;
}
