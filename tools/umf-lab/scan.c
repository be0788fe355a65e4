// SPDX-License-Identifier: GPL-2.0
/*
 * Words of a lab file, as libconfuse's scanner has them: blanks and comments (#, //,
 * C's), words, "…" with \ and '…', and single characters. Only what stands between
 * ${ and } is part of a word whatever it is.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <string.h>
#include "text.h"

static bool is_word(const char *at, const char *end)
{
	if (isspace((unsigned char)*at) || strchr("#\"'={}()+,", *at))
		return false;
	return *at != '/' || at + 1 == end || (at[1] != '/' && at[1] != '*');
}

/* Behind the ${…} that begins there; NULL: none does. */
const char *token_behind_variable(const char *at, const char *end)
{
	if (end - at < 2 || *at != '$' || at[1] != '{')
		return NULL;
	at = memchr(at, '}', end - at);
	return at ? at + 1 : NULL;
}

static const char *behind_quoted(const struct scan *scan, const char *at)
{
	char quote = *at++;

	for (; at < scan->end && *at != quote; at++)
		if (*at == '\\' && at + 1 < scan->end)
			at++;
	if (at >= scan->end)
		text_wrong(scan, scan->line, 0, "a quote is not closed");
	return at + 1;
}

static const char *behind_comment(const struct scan *scan, const char *at)
{
	const char *end = scan->end, *close;

	if (*at == '#' || at[1] == '/') {
		close = memchr(at, '\n', end - at);
		return close ?: end;
	}
	close = memmem(at + 2, end - at - 2, "*/", 2);
	if (!close)
		text_wrong(scan, scan->line, at - scan->begin + 1, "a comment is not closed");
	return close + 2;
}

struct token scan_next(struct scan *scan)
{
	const char *at = scan->at, *end = scan->end, *from = at, *skip;
	struct token token = { .line = scan->line, .column = at - scan->begin + 1 };

	token.from = at;
	if (at >= end) {
		token.kind = END;
	} else if (isspace((unsigned char)*at)) {
		token.kind = BLANK;
		while (at < end && isspace((unsigned char)*at))
			at++;
	} else if (*at == '#' || (*at == '/' && !is_word(at, end))) {
		token.kind = BLANK;
		at = behind_comment(scan, at);
	} else if (*at == '"' || *at == '\'') {
		token.kind = *at == '"' ? DOUBLE : SINGLE;
		at = behind_quoted(scan, at);
	} else if (!is_word(at, end)) {
		token.kind = PUNCT;
		at++;
	} else {
		token.kind = WORD;
		while (at < end && is_word(at, end)) {
			skip = token_behind_variable(at, end);
			at = skip ?: at + 1;
		}
		if (at[-1] == '$' && at < end && *at == '{')
			text_wrong(scan, token.line, at - scan->begin, "${: its } is missing");
	}
	token.len = at - from;
	for (; from < at; from++)
		if (*from == '\n') {
			scan->line++;
			scan->begin = from + 1;
		}
	scan->at = at;
	return token;
}

bool token_is_string(const struct token *token)
{
	return token->kind == WORD || token->kind == DOUBLE || token->kind == SINGLE;
}

bool token_is_plain(const struct token *token, const char *word)
{
	return token->kind == WORD && token->len == strlen(word) &&
	       !memcmp(token->from, word, token->len);
}

bool token_is_punct(const struct token *token, char c)
{
	return token->kind == PUNCT && *token->from == c;
}

/* Each ${…} of a string: those of "…" that no \ stands before. NULL: no more. */
const char *token_variable(const struct scan *scan, const struct token *token,
			   const char *at)
{
	const char *end = token->from + token->len;

	for (; token->kind != SINGLE && at < end; at++) {
		if (*at == '\\' && token->kind == DOUBLE)
			at++;
		else if (token_behind_variable(at, end))
			return at;
		else if (*at == '$' && at + 1 < end && at[1] == '{')
			text_wrong(scan, token->line, token->column + (at - token->from),
				   "${: its } is missing");
	}
	return NULL;
}

