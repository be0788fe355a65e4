// SPDX-License-Identifier: GPL-2.0
/*
 * What a lab file says that is not libconfuse's:
 *
 *	include "file"		that file's text
 *	set name = value	a variable's default (var.c)
 *	${name}			its value, in words and in "…"; '…' is as it stands
 *	guest n[1-32] { … }	32 sections, in which ${n} is 1 to 32
 *
 * Everything else goes to the flat text byte for byte.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../lib/xalloc.h"
#include "text.h"

#define RANGE_MAX	256	/* guests of one section */

static struct lab *lab_read;

#define wrong(scan, token, ...) \
	text_wrong(scan, (token)->line, (token)->column, __VA_ARGS__)

/* ---- variables ---- */

static const char *look_up(const struct scan *scan, const struct token *token,
			   const char *from, const char *behind)
{
	char *name = xstrndup(from + 2, behind - from - 3);
	const char *value = NULL;

	if (scan->number && !strcmp(name, VAR_NUMBER))
		value = scan->number;
	else if (strcmp(name, VAR_NUMBER))
		value = var_value(name);
	if (!value)
		text_wrong(scan, token->line, token->column + (from - token->from), "${%s}: %s",
			   name, var_wrong(name));
	free(name);
	return value;
}

/* What stands in a word as it is there would not in "…". @part moves to its end. */
static void put_part(const struct scan *scan, struct token *part)
{
	const char *end = part->from + part->len;

	for (; part->from < end; part->from++) {
		if (part->kind == WORD && *part->from == '\\')
			text_put(scan, '\\', part->line, part->column, false);
		text_put(scan, *part->from, part->line, part->column++, true);
		if (*part->from == '\n') {
			part->line++;
			part->column = 1;
		}
	}
}

static void put_string(const struct scan *scan, const struct token *token)
{
	const char *end = token->from + token->len, *var, *behind;
	struct token part = *token;

	var = token_variable(scan, token, token->from);
	if (!var) {
		text_put_token(scan, token);
		return;
	}
	if (token->kind == WORD)
		text_put(scan, '"', token->line, token->column, false);
	while (var) {
		part.len = var - part.from;
		put_part(scan, &part);
		behind = token_behind_variable(var, end);
		text_put_value(scan, &part, part.column, look_up(scan, &part, var, behind));
		part.column += behind - var;
		part.from = behind;
		var = token_variable(scan, token, behind);
	}
	part.len = end - part.from;
	put_part(scan, &part);
	if (token->kind == WORD)
		text_put(scan, '"', part.line, part.column, false);
}

/* As libconfuse would have it; \ and one character for those that a name may need. */
static char *value_of(const struct scan *scan, const struct token *token)
{
	bool quoted = token->kind != WORD;
	const char *at = token->from + quoted, *end = token->from + token->len - quoted;
	char *value = NULL;
	const char *var;
	size_t len;
	FILE *out = open_memstream(&value, &len);

	while (at < end) {
		var = token_variable(scan, token, at);
		if (var == at) {
			at = token_behind_variable(var, end);
			fputs(look_up(scan, token, var, at), out);
			continue;
		}
		if (*at == '\\' && quoted && at + 1 < end)
			at++;
		fputc(*at++, out);
	}
	fclose(out);
	return value;
}

/* ---- statements ---- */

static void scan_part(struct scan *scan, bool section);

/* The next word; blanks and comments before it go through. */
static struct token next_word(struct scan *scan)
{
	struct token token;

	while ((token = scan_next(scan)).kind == BLANK)
		text_put_token(scan, &token);
	return token;
}

static bool is_above(const struct file *file, const struct file *included)
{
	while ((included = included->from))
		if (included == file)
			return true;
	return false;
}

/* set name = value */
static void do_set(struct scan *scan, const struct token *set)
{
	struct token name = next_word(scan), is = next_word(scan), value = next_word(scan);
	const char *other = NULL;
	char *var, *said, *where;
	const struct file *owner;

	if (!token_is_string(&name) || !token_is_punct(&is, '=') || !token_is_string(&value))
		wrong(scan, set, "set: must be set <name> = <value>");
	if (scan->depth + scan->file->depth)
		wrong(scan, set, "set: stands outside of all { }");
	var = value_of(scan, &name);
	if (!var_name_is_good(var))
		wrong(scan, &name, "set %s: a name has letters, digits, - and _, no digit first",
		      var);
	if (!strcmp(var, VAR_NUMBER))
		wrong(scan, &name, "set %s: ${%s} is a guest's number in guest <name>[1-32]", var,
		      VAR_NUMBER);
	said = value_of(scan, &value);
	if (strchr(said, '\n'))
		wrong(scan, &value, "set %s: a value is one line", var);
	where = xasprintf("%s:%d:%zu", scan->file->shown, name.line, name.column);
	owner = var_owner(var, &other);
	/* an included file's is a default for whoever includes it */
	if (owner && !is_above(owner, scan->file) && strcmp(other, where))
		wrong(scan, &name, "set %s: is set at %s already", var, other);
	var_set(var, said, scan->file, where);
	free(where);
	free(said);
	free(var);
}

static bool read_whole(struct file *file, const char *path)
{
	struct stat st;
	FILE *in, *out;
	char buf[4096];
	size_t n;

	if (stat(path, &st))
		return false;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return false;
	}
	in = fopen(path, "re");
	if (!in)
		return false;
	out = open_memstream(&file->text, &file->len);
	while ((n = fread(buf, 1, sizeof(buf), in)))
		fwrite(buf, 1, n, out);
	if (ferror(in)) {
		fclose(in);
		fclose(out);
		return false;
	}
	fclose(in);
	fclose(out);
	errno = EILSEQ;
	return !memchr(file->text, '\0', file->len);
}

static void scan_file(struct file *file, const struct scan *from)
{
	struct scan scan = {
		.file = file, .at = file->text, .end = file->text + file->len,
		.line = 1, .begin = file->text,
		.guest = from ? from->guest : NULL, .number = from ? from->number : NULL,
	};

	scan_part(&scan, false);
	if (scan.depth)
		text_wrong(&scan, scan.line - (scan.at == scan.begin && scan.line > 1), 0,
			   "a } is missing before the end");
	text_put_newline(&scan);
}

/* "sub/base.lab" beside a lab file that was given as "labs/t.lab" is "labs/sub/base.lab". */
static char *shown_as(const struct lab *lab, const char *said, const char *path)
{
	char *beside = xasprintf("%s/%s", lab->folder, said), *folder, *shown;

	if (*said == '/' || strcmp(beside, path)) {
		shown = xstrdup(path);
	} else {
		folder = said_folder(lab->file);
		shown = xasprintf("%s%s%s", folder, *folder ? "/" : "", said);
		free(folder);
	}
	free(beside);
	return shown;
}

/* include "file" */
static void do_include(struct scan *scan, const struct token *include)
{
	struct token token = next_word(scan);
	const struct file *above;
	struct file *file;
	char *name, *said, *path;

	if (!token_is_string(&token))
		wrong(scan, include, "include: must be include \"<file>\"");
	name = value_of(scan, &token);
	if (!*name || strchr(name, '\n'))
		wrong(scan, &token, "include: a file's name is one line");
	path = said_find(lab_read, scan->file->folder, name, &said);
	file = xrealloc(NULL, sizeof(*file));
	*file = (struct file){
		.shown = shown_as(lab_read, said, path), .path = path_canonical(path),
		.folder = said_folder(said), .from = scan->file, .from_line = include->line,
		.depth = scan->file->depth + scan->depth,
	};
	for (above = scan->file; above; above = above->from)
		if (file->path && !strcmp(above->path, file->path))
			wrong(scan, &token, "include %s: is a loop: %s is being read already", name,
			      above->shown);
	if (!read_whole(file, path))
		wrong(scan, &token, "include %s: %s: %s", name, path,
		      strerror(errno));
	text_put_newline(scan);
	scan_file(file, scan);
	free(path);
	free(said);
	free(name);
}

/* n[01-12] of a title */
struct range {
	char *before, *behind;
	unsigned long first, last;
	int width;
};

static bool parse_range(const char *title, struct range *range)
{
	const char *open = strchr(title, '['), *dash, *close;
	size_t digits;

	dash = open + 1 + strspn(open + 1, "0123456789");
	if (dash == open + 1 || dash - open > 9 || *dash != '-')
		return false;
	digits = strspn(dash + 1, "0123456789");
	close = dash + 1 + digits;
	if (!digits || digits > 8 || *close != ']' || strchr(close, '['))
		return false;
	range->before = xstrndup(title, open - title);
	range->behind = xstrdup(close + 1);
	range->first = strtoul(open + 1, NULL, 10);
	range->last = strtoul(dash + 1, NULL, 10);
	range->width = open[1] == '0' ? dash - open - 1 : 1;
	return true;
}

static void do_range(struct scan *scan, const struct token *guest, const struct token *title,
		     const char *name)
{
	struct scan one = *scan;
	struct token token;
	struct range range;
	unsigned long i;

	if (!parse_range(name, &range))
		wrong(scan, title,
		      "guest %s: several guests are <name>[<first>-<last>], as n[1-32]",
		      name);
	if (range.last < range.first)
		wrong(scan, title, "guest %s: no guest is in it: %lu is before %lu", name,
		      range.last, range.first);
	if (range.last - range.first >= RANGE_MAX)
		wrong(scan, title, "guest %s: %lu guests; at most %d", name,
		      range.last - range.first + 1, RANGE_MAX);
	while ((token = scan_next(&one)).kind == BLANK)
		;
	if (!token_is_punct(&token, '{'))
		wrong(scan, title, "guest %s: its { is missing", name);
	for (i = range.first; i <= range.last; i++) {
		one = *scan;
		one.number = xasprintf("%0*lu", range.width, i);
		one.guest = xasprintf("%s%s%s", range.before, one.number, range.behind);
		text_put_newline(scan);
		text_put_token(&one, guest);
		text_put(&one, ' ', title->line, title->column, false);
		text_put(&one, '"', title->line, title->column, false);
		text_put_value(&one, title, title->column, one.guest);
		text_put(&one, '"', title->line, title->column, false);
		scan_part(&one, true);
	}
	one.guest = scan->guest;
	one.number = scan->number;
	*scan = one;
	text_put_newline(scan);
	free(range.before);
	free(range.behind);
}

/* False: it is one guest, whose title and section follow. */
static bool do_guest(struct scan *scan, const struct token *guest)
{
	struct scan ahead = *scan;
	struct token title;
	char *name;
	bool range;

	while ((title = scan_next(&ahead)).kind == BLANK)
		;
	name = token_is_string(&title) ? value_of(scan, &title) : NULL;
	range = name && strchr(name, '[');
	if (range) {
		*scan = ahead;
		do_range(scan, guest, &title, name);
	} else {
		text_put_token(scan, guest);
	}
	free(name);
	return range;
}

/*
 * To the end, or to that of one section. Where a statement may begin is known from
 * what a lab file is: a key has a value, a list in { }, or a title and a section.
 */
static void scan_part(struct scan *scan, bool section)
{
	enum { KEY, BEHIND_KEY, VALUE, LIST } state = section ? BEHIND_KEY : KEY;
	unsigned int outside = scan->depth;
	struct token token;

	while ((token = scan_next(scan)).kind != END) {
		if (token.kind == BLANK) {
			text_put_token(scan, &token);
		} else if (state == KEY && token_is_plain(&token, "include")) {
			do_include(scan, &token);
		} else if (state == KEY && token_is_plain(&token, "set")) {
			do_set(scan, &token);
		} else if (state == KEY && token_is_plain(&token, "guest") &&
			   !(scan->depth + scan->file->depth)) {
			state = do_guest(scan, &token) ? KEY : BEHIND_KEY;
		} else if (token_is_string(&token)) {
			put_string(scan, &token);
			state = state == KEY ? BEHIND_KEY : state == VALUE ? KEY : state;
		} else if (token_is_punct(&token, '{')) {
			text_put_token(scan, &token);
			scan->depth++;
			state = state == VALUE || state == LIST ? LIST : KEY;
		} else if (token_is_punct(&token, '}')) {
			if (!scan->depth)
				wrong(scan, &token, "unexpected closing brace");
			text_put_token(scan, &token);
			state = KEY;
			if (--scan->depth == outside && section)
				return;
		} else {
			text_put_token(scan, &token);
			if (state == BEHIND_KEY && token_is_punct(&token, '='))
				state = VALUE;
		}
	}
}

/* ---- the whole ---- */

const char *expand_file(struct lab *lab, const char *path)
{
	struct file *file = xrealloc(NULL, sizeof(*file));

	*file = (struct file){ .shown = lab->file, .path = lab->path, .folder = xstrdup("") };
	lab_read = lab;
	if (!read_whole(file, path))
		die(LAB_USAGE, "%s: %m", path);
	scan_file(file, NULL);
	return text_end();
}
