// SPDX-License-Identifier: GPL-2.0
/*
 * The file of run, read whole before anything is done: its lines, every match=
 * compiled, every condition understood. What is wrong ends the tool here, for
 * once the first line is done nothing but the run itself may end the run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "fault/params.h"
#include "tool.h"

#define TIMEOUT		"--timeout"

/* The next word's end; *@text goes to where the one after it begins. */
static char *cut_word(char **text)
{
	char *word = *text + strspn(*text, " \t");
	size_t len = strcspn(word, " \t");

	*text = word + len;
	if (**text)
		*(*text)++ = '\0';
	*text += strspn(*text, " \t");
	return word;
}

static void read_time(struct step *step, char **text)
{
	char *copy = xstrdup(*text), *pos = copy, *word = cut_word(&pos);
	uint64_t ns = 0;

	if (!strcmp(word, "end"))
		step->when = WHEN_END;
	else if (*word == '+' && units_time(word + 1, false, &ns))
		step->when = WHEN_AFTER;
	else if (units_time(word, false, &ns))
		step->when = WHEN_AT;
	else if (*word == '+')
		tool_usage("%s: must be a time with its unit, as +3s or +250ms",
			   word);
	if (ns > INT64_MAX / 4)
		tool_usage("%s: is too long", word);
	step->time = ns;
	if (step->when != WHEN_NEXT)
		*text += pos - copy;
	free(copy);
}

/* "--timeout T" anywhere among the words of wait */
static void read_timeout(struct step *step)
{
	struct words *words = &step->words;
	size_t i;

	for (i = 1; i < words->n; i++) {
		if (strcmp(words->word[i], TIMEOUT))
			continue;
		if (i + 1 == words->n ||
		    !units_time(words->word[i + 1], true, &step->tool.timeout))
			tool_usage(TIMEOUT " %s: must be a time, as 5s, 250ms or 2m",
				   i + 1 < words->n ? words->word[i + 1] : "");
		step->tool.timed = true;
		free(words->word[i]);
		free(words->word[i + 1]);
		memmove(&words->word[i], &words->word[i + 2],
			(words->n - i - 2) * sizeof(*words->word));
		words->n -= 2;
		return;
	}
}

static void read_verb(struct step *step, const char *text)
{
	struct words *words = &step->words;
	char *path;

	if (!words_split(words, text))
		tool_usage("a quote is not closed");
	if (!words->n || words->word[0] == word_separator)
		tool_usage("%s: a verb is missing behind it", step->guests);
	read_timeout(step);
	if (!strcmp(words->word[0], "wait") || !strcmp(words->word[0], "expect")) {
		step->wait = wait_new(*words->word[0] == 'e', words->n - 1,
				      words->word + 1);
		return;
	}
	if (umf_verb_find(words->word[0], strlen(words->word[0])) < 0)
		tool_usage("%s: no such verb; --help lists them", words->word[0]);
	if (words->n == 3 && strcmp(words->word[2], "off") &&
	    !strcmp(words->word[0], umf_verbs[UMF_V_CAPTURE].name)) {
		path = tool_path(words->word[2]);
		free(words->word[2]);
		words->word[2] = path;
	}
	request_make(&step->requests, words);
}

static void watch_all(const char *guests)
{
	char *copy = xstrdup(guests), *pos = copy, *name;

	while ((name = strsep(&pos, ",")))
		watch_guest(name);
	free(copy);
}

static void read_line(struct steps *steps, const struct tool *tool, char *text,
		      char *where)
{
	struct step step = { .where = where, .tool = *tool };

	memset(&step.tool.guests, 0, sizeof(step.tool.guests));
	step.tool.json = false;
	text += strspn(text, " \t");
	read_time(&step, &text);
	step.text = xstrdup(text);
	if (*text == '!') {
		step.command = xstrdup(text + 1 + strspn(text + 1, " \t"));
		if (!*step.command)
			tool_usage("!: a command is missing");
	} else if (*text) {
		step.guests = xstrdup(cut_word(&text));
		tool_check_names(step.guests);
		read_verb(&step, text);
		watch_all(step.guests);
	} else if (step.when == WHEN_END) {
		tool_usage("end: a guest or ! is missing");
	}
	steps->step = xrealloc(steps->step, (steps->n + 1) * sizeof(step));
	steps->step[steps->n++] = step;
}

void steps_read(struct steps *steps, const struct tool *tool, const char *path)
{
	const char *name = strcmp(path, "-") ? path : "standard input";
	FILE *in = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *line = NULL, *where;
	unsigned int nr = 0;
	size_t size = 0;
	ssize_t len;

	if (!in)
		tool_usage("run: %s: %m", path);
	while ((len = getline(&line, &size, in)) >= 0) {
		nr++;
		if (strlen(line) < (size_t)len)
			tool_usage("run: %s:%u: is no text", name, nr);
		line[strcspn(line, "\r\n")] = '\0';
		if (strchr("#", line[strspn(line, " \t")]))
			continue;	/* a comment, or nothing */
		where = xasprintf("%s:%u", name, nr);
		tool_where(where);
		read_line(steps, tool, line, where);
	}
	tool_where(NULL);
	if (ferror(in))
		tool_usage("run: %s: %m", name);
	free(line);
	if (in != stdin)
		fclose(in);
	if (!steps->n)
		tool_usage("run: %s: nothing is in it", name);
}

static bool has_word(const struct words *words, const char *word)
{
	size_t i;

	for (i = 0; i < words->n; i++)
		if (!strcmp(words->word[i], word))
			return true;
	return false;
}

bool steps_find_guests(const struct steps *steps)
{
	char *copy, *pos, *name, *why;
	struct guest_list found = { 0 };
	struct words asked = { 0 };
	const struct step *step;
	bool all = true;

	for (step = steps->step; step < steps->step + steps->n; step++) {
		copy = xstrdup(step->guests ?: "");
		for (pos = copy; (name = strsep(&pos, ","));) {
			if (!*name || has_word(&asked, name))
				continue;
			words_add(&asked, name);
			if (!guest_find(&found, name, &why))
				continue;
			fprintf(stderr, "%s: %s: %s\n", step->where, name, why);
			free(why);
			all = false;
		}
		free(copy);
	}
	words_free(&asked);
	guest_list_free(&found);
	return all;
}

void steps_free(struct steps *steps)
{
	struct step *step;

	for (step = steps->step; step < steps->step + steps->n; step++) {
		if (step->wait)
			wait_free(step->wait);	/* knows how many guests */
		guest_list_free(&step->tool.guests);
		words_free(&step->words);
		words_free(&step->requests);
		free(step->where);
		free(step->text);
		free(step->guests);
		free(step->command);
	}
	free(steps->step);
}
