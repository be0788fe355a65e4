/* SPDX-License-Identifier: GPL-2.0 */
/* The lab file before libconfuse has it: what text.c, scan.c and expand.c share. */
#ifndef __UMF_LAB_TEXT_H
#define __UMF_LAB_TEXT_H

#include "lab.h"

/* One that is read; included twice, it is two. */
struct file {
	char *shown;		/* in messages */
	char *path;		/* canonical */
	char *folder;		/* as the lab file would say it; said.c */
	char *text;
	size_t len;
	const struct file *from;	/* includes this one, */
	int from_line;			/* there */
	unsigned int depth;	/* open { around it */
};

/* A pass over a part of a file. */
struct scan {
	struct file *file;
	const char *at, *end;
	int line;
	const char *begin;	/* of that line */
	unsigned int depth;	/* open { of this file */
	const char *guest, *number;	/* of a range, or NULL */
};

struct token {
	enum { END, BLANK, WORD, DOUBLE, SINGLE, PUNCT } kind;
	const char *from;
	size_t len;
	int line;
	size_t column;
};

/* ---- text.c: the flat text ---- */

/* Behind what is there, a byte of that place. Not verbatim: it does not stand there itself. */
void text_put(const struct scan *scan, char c, int line, size_t column, bool verbatim);
void text_put_token(const struct scan *scan, const struct token *token);
/* In "…", so that it is that. */
void text_put_value(const struct scan *scan, const struct token *token, size_t column,
		    const char *value);
/* What comes is of another file or guest. */
void text_put_newline(const struct scan *scan);
/* No more is put: its lines are counted. */
const char *text_end(void);
/* Ends the tool. */
__attribute__((noreturn, format(printf, 4, 5)))
void text_wrong(const struct scan *scan, int line, size_t column, const char *fmt, ...);

/* ---- scan.c: words ---- */

struct token scan_next(struct scan *scan);
bool token_is_string(const struct token *token);
/* That word, without quotes. */
bool token_is_plain(const struct token *token, const char *word);
bool token_is_punct(const struct token *token, char c);
/* Each ${…} of it from @at on, that no \ stands before; NULL: no more. */
const char *token_variable(const struct scan *scan, const struct token *token, const char *at);
/* Behind the ${…} that begins there; NULL: none does. */
const char *token_behind_variable(const char *at, const char *end);

#endif /* __UMF_LAB_TEXT_H */
