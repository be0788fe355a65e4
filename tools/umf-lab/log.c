// SPDX-License-Identifier: GPL-2.0
/*
 * Guests' logs, looked through for what explains something. What a guest has said
 * may not command the terminal.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/xalloc.h"
#include "lab.h"

#define LOG_LINES	12

char *log_clean(char *line)
{
	unsigned char *at = (unsigned char *)line;

	for (; *at; at++) {
		if (iscntrl(*at) && *at != '\t')
			*at = '?';
		else if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
			memset(at, '?', 2);	/* C1, as UTF-8 */
	}
	return line;
}

void log_show(const char *path, const char *guest)
{
	char *line = NULL, *last[LOG_LINES] = { 0 };
	FILE *in = fopen(path, "re");
	size_t size = 0, n = 0, i;

	while (in && getline(&line, &size, in) >= 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (!*line)
			continue;
		free(last[n % LOG_LINES]);
		last[n++ % LOG_LINES] = xstrdup(log_clean(line));
	}
	if (in)
		fclose(in);
	for (i = n < LOG_LINES ? 0 : n - LOG_LINES; i < n; i++)
		fprintf(stderr, "  %s| %s\n", guest, last[i % LOG_LINES]);
	free(line);
}

/* The last line, from where it begins, that @begin finds; NULL: it finds none. */
static char *find_last(const struct lab *lab, const char *guest,
		       char *(*begin)(char *line, const char *what), const char *what)
{
	char *path = guest_log(lab, guest), *line = NULL, *found = NULL, *at;
	FILE *in = fopen(path, "re");
	size_t size = 0;

	while (in && getline(&line, &size, in) >= 0) {
		line[strcspn(line, "\r\n")] = '\0';
		at = begin(line, what);
		if (!at)
			continue;
		free(found);
		found = xstrdup(log_clean(at));
	}
	if (in)
		fclose(in);
	free(line);
	free(path);
	return found;
}

static char *is_panic(char *line, const char *what)
{
	return strstr(line, what);
}

char *log_panic(const struct lab *lab, const char *guest)
{
	return find_last(lab, guest, is_panic, "Kernel panic - ");
}

static char *is_refused(char *line, const char *what)
{
	char *at = strstr(line, what);

	return at && (strstr(at, "umf=") || strstr(at, "cannot")) ? at + 2 : NULL;
}

char *log_refused(const struct lab *lab, const char *guest)
{
	return find_last(lab, guest, is_refused, "] umf: ");
}

/* "[ time] umf: eth0: …", "umf-blk: umfa: …", "init: ip=: eth0 … was refused". */
static char *is_about(char *line, const char *what)
{
	char *at = strstr(line, what), *text = strstr(line, "] ");

	if (!at || !(strstr(line, "umf") || strstr(line, "ip=")))
		return NULL;
	return text && *line == '[' ? text + 2 : line;
}

char *log_about(const struct lab *lab, const char *guest, const char *what)
{
	return find_last(lab, guest, is_about, what);
}
