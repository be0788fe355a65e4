// SPDX-License-Identifier: GPL-2.0
/*
 * The flat text of a lab, which libconfuse reads (config.c): the lab file after
 * expand.c. Each byte has an origin, so that what is wrong with it is told where the
 * user wrote it; a line of the flat text is of one line of one file, and of at most
 * one guest of a range.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/xalloc.h"
#include "text.h"

#define FLAT_MAX	(16UL << 20)	/* files that include files may be many */

/* From @at of the flat text on. What is not verbatim is all at one place. */
struct span {
	size_t at;
	const struct file *file;
	int line;
	size_t column;
	bool verbatim;
	const char *guest;	/* of a range, or NULL */
};

static struct {
	char *flat;
	size_t len, room;
	struct span *span;
	size_t nr_spans;
	size_t *line;		/* where each begins */
	size_t nr_lines;
} text;

/* ---- what is wrong, and where ---- */

void text_say(const struct text_at *at, const char *fmt, va_list ap)
{
	fprintf(stderr, "%s:%d:", at->file, at->line);
	if (at->column)
		fprintf(stderr, "%zu:", at->column);
	fputc(' ', stderr);
	if (at->guest && strncmp(fmt, "guest ", 6))
		fprintf(stderr, "guest %s: ", at->guest);
	vfprintf(stderr, fmt, ap);
	if (at->from)
		fprintf(stderr, " (included by %s:%d)", at->from, at->from_line);
	fputc('\n', stderr);
}

static struct text_at place(const struct file *file, int line, size_t column,
			    const char *guest)
{
	return (struct text_at){
		.file = file->shown, .line = line, .column = column, .guest = guest,
		.folder = file->folder, .from = file->from ? file->from->shown : NULL,
		.from_line = file->from_line,
	};
}

void text_wrong(const struct scan *scan, int line, size_t column, const char *fmt, ...)
{
	struct text_at at = place(scan->file, line, column, scan->guest);
	va_list ap;

	va_start(ap, fmt);
	text_say(&at, fmt, ap);
	exit(LAB_USAGE);
}

/* Where in the flat text's line, which ends at @end, the word stands; NULL: it does not. */
static const char *find_word(const char *line, const char *end, const char *word)
{
	size_t len = word ? strlen(word) : 0;
	const char *at = line;

	while (len && (at = memmem(at, end - at, word, len))) {
		if ((at == line || !isalnum((unsigned char)at[-1])) &&
		    (at + len == end || !isalnum((unsigned char)at[len])))
			return at;
		at++;
	}
	return NULL;
}

struct text_at text_find(int line, const char *word)
{
	size_t nr = line < 1 ? 0 : line - 1;
	size_t pos, low = 0, high = text.nr_spans;
	const char *begin, *end, *found;
	const struct span *span;

	begin = text.flat + text.line[nr < text.nr_lines ? nr : text.nr_lines - 1];
	end = strchrnul(begin, '\n');
	found = find_word(begin, end, word);
	pos = (found ?: begin) - text.flat;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (text.span[middle].at <= pos)
			low = middle;
		else
			high = middle;
	}
	span = &text.span[low];
	return place(span->file, span->line, !found ? 0 : span->column +
		     (span->verbatim ? pos - span->at : 0), span->guest);
}

/* ---- writing ---- */

void text_put(const struct scan *scan, char c, int line, size_t column, bool verbatim)
{
	struct span *last = text.nr_spans ? &text.span[text.nr_spans - 1] : NULL;

	if (!last || last->file != scan->file || last->line != line ||
	    last->verbatim != verbatim || last->guest != scan->guest ||
	    last->column + (verbatim ? text.len - last->at : 0) != column) {
		/* room for twice as many whenever they are a power of two */
		if (!(text.nr_spans & (text.nr_spans - 1)))
			text.span = xrealloc(text.span, (2 * text.nr_spans + 1) *
					     sizeof(*text.span));
		text.span[text.nr_spans++] = (struct span){
			.at = text.len, .file = scan->file, .line = line, .column = column,
			.verbatim = verbatim, .guest = scan->guest,
		};
	}
	if (text.len == FLAT_MAX)
		text_wrong(scan, line, 0, "the lab becomes longer than %lu MiB here",
			   FLAT_MAX >> 20);
	if (text.len + 1 >= text.room)
		text.flat = xrealloc(text.flat, text.room = 2 * text.room + 4096);
	text.flat[text.len++] = c;
	text.flat[text.len] = '\0';
}

void text_put_token(const struct scan *scan, const struct token *token)
{
	size_t i, column = token->column;
	int line = token->line;

	for (i = 0; i < token->len; i++) {
		char c = token->from[i];

		/* libconfuse wants no comments in some places, and counts their lines twice */
		text_put(scan, token->kind != BLANK || c == '\n' ? c : ' ', line, column++, true);
		if (token->from[i] == '\n') {
			line++;
			column = 1;
		}
	}
}

/* What stands in "…" and is that there. */
void text_put_value(const struct scan *scan, const struct token *token, size_t column,
		    const char *value)
{
	for (; *value; value++) {
		if (strchr("\"\\$", *value))
			text_put(scan, '\\', token->line, column, false);
		text_put(scan, *value, token->line, column, false);
	}
}

/* What comes is of another file or guest. */
void text_put_newline(const struct scan *scan)
{
	text_put(scan, '\n', scan->line, scan->at - scan->begin + 1, true);
}

const char *text_end(void)
{
	size_t i;

	for (i = 0; i < text.len; i++)
		if (!i || text.flat[i - 1] == '\n') {
			if (!(text.nr_lines & (text.nr_lines - 1)))
				text.line = xrealloc(text.line, (2 * text.nr_lines + 1) *
						     sizeof(*text.line));
			text.line[text.nr_lines++] = i;
		}
	return text.flat;
}
