// SPDX-License-Identifier: GPL-2.0
/*
 * What a person sees. A guest's text may not command the terminal. While a
 * timeline runs it goes there.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/xalloc.h"
#include "tool.h"

static void put_text(const char *text, size_t len, FILE *out)
{
	for (; len--; text++)
		fputc(iscntrl((unsigned char)*text) && *text != '\t' ? '?' :
		      *text, out);
}

/* Line by line, blank ones too, with a newline after the last. */
static void put_lines(const char *name, const char *text, FILE *out)
{
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (name)
			fprintf(out, "%s: ", name);
		put_text(text, len, out);
		fputc('\n', out);
	}
}

void print_reply(const struct tool *tool, const struct guest *guest,
		 const char *reply)
{
	if (timeline_runs() && *reply)
		timeline_add(timeline_now(), LINE_REPLY, guest->name, reply, NULL);
	else if (!timeline_runs())
		put_lines(tool->several ? guest->name : NULL, reply, stdout);
}

void print_error(const struct guest *guest, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	if (timeline_runs()) {
		timeline_add(timeline_now(), LINE_ERROR, guest->name, text, NULL);
	} else {
		fflush(stdout);		/* what came before shows before */
		put_lines(guest->name, text, stderr);
	}
	free(text);
}
