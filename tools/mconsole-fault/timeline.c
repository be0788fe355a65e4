// SPDX-License-Identifier: GPL-2.0
/*
 * What run shows: lines from several places (commands and their replies, the
 * guests' events, their consoles), each with the time it belongs to, in seconds
 * since the run began. They come late and out of order, so a line is kept until
 * it is HOLD old; one that comes later still, from a guest that was frozen, is
 * shown when it comes, with its own time.
 *
 *	   0.000113 n1 > add eth0 drop count=2 match=icmp id=loss
 *	   0.000921 n1 = loss
 *	   0.412288 n1 * eth0 loss drop 5 "rx 98 bytes …"
 *
 * A run has one timeline; its threads share it.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../lib/xalloc.h"
#include "tool.h"

#define HOLD_NS		150000000LL

struct line {
	int64_t time;		/* ns since the run began */
	enum line_kind kind;
	char *guest, *text;
	json_t *json;		/* what it says, field by field; or NULL */
};

static const struct {
	char mark;
	const char *name;
} kinds[] = {
	[LINE_COMMAND] = { '>', "command" },
	[LINE_REPLY] = { '=', "reply" },
	[LINE_ERROR] = { '!', "error" },
	[LINE_EVENT] = { '*', "event" },
	[LINE_CONSOLE] = { '#', "console" },
	[LINE_OUTPUT] = { '|', "output" },
	[LINE_NOTE] = { '-', "note" },
};

static struct {
	pthread_mutex_t lock;
	struct line *line;	/* those kept, in their order */
	size_t n, size;
	bool runs, json;
	int64_t begin;		/* on CLOCK_MONOTONIC */
	FILE *copy;		/* JSON as well, or NULL */
	int width;		/* of the names */
} timeline = { .lock = PTHREAD_MUTEX_INITIALIZER };

int64_t timeline_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

int64_t timeline_at(int64_t clock)
{
	return clock - timeline.begin;
}

int64_t timeline_now(void)
{
	return timeline_at(timeline_clock());
}

void timeline_zero(void)
{
	timeline.begin = timeline_clock();
}

bool timeline_runs(void)
{
	return timeline.runs;
}

void timeline_begin(bool json, FILE *copy, int width)
{
	timeline.json = json;
	timeline.copy = copy;
	timeline.width = width;
	timeline.begin = timeline_clock();
	timeline.runs = true;
}

static void insert(const struct line *line)
{
	size_t at;

	pthread_mutex_lock(&timeline.lock);
	if (timeline.n == timeline.size) {
		timeline.size = timeline.size * 2 + 64;
		timeline.line = xrealloc(timeline.line,
					 timeline.size * sizeof(*line));
	}
	for (at = timeline.n; at; at--)
		if (timeline.line[at - 1].time <= line->time)
			break;
	memmove(&timeline.line[at + 1], &timeline.line[at],
		(timeline.n - at) * sizeof(*line));
	timeline.line[at] = *line;
	timeline.n++;
	pthread_mutex_unlock(&timeline.lock);
}

void timeline_add(int64_t time, enum line_kind kind, const char *guest,
		  const char *text, json_t *json)
{
	const char *next;
	struct line line = { .time = time, .kind = kind };

	do {
		next = strchrnul(text, '\n');
		line.guest = xstrdup(guest);
		line.text = xstrndup(text, next - text);
		line.json = json;
		insert(&line);
		json = NULL;
		text = next + 1;
	} while (*next && *text);
}

static void show_text(const struct line *line)
{
	const char *p;

	printf("%11.6f %-*s %c ", line->time / 1e9, timeline.width, line->guest,
	       kinds[line->kind].mark);
	for (p = line->text; *p; p++)
		putchar(iscntrl((unsigned char)*p) && *p != '\t' ? '?' : *p);
	putchar('\n');
}

static void show_json(const struct line *line, FILE *out)
{
	json_t *json = json_pack("{sI ss so so}",
				 "time_ns", (json_int_t)line->time,
				 "kind", kinds[line->kind].name,
				 "guest", record_text(line->guest),
				 "text", record_text(line->text));

	if (line->json) {
		/* the guest's own clock gives way to the run's */
		json_object_del(line->json, "time_ns");
		json_object_update(json, line->json);
	}
	json_dumpf(json, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(json);
}

static void show(struct line *line)
{
	if (timeline.json)
		show_json(line, stdout);
	else
		show_text(line);
	if (timeline.copy)
		show_json(line, timeline.copy);
	json_decref(line->json);
	free(line->guest);
	free(line->text);
}

void timeline_flush(bool all)
{
	int64_t until = all ? INT64_MAX : timeline_now() - HOLD_NS;
	size_t n;

	pthread_mutex_lock(&timeline.lock);
	for (n = 0; n < timeline.n && timeline.line[n].time <= until; n++)
		show(&timeline.line[n]);
	timeline.n -= n;
	memmove(timeline.line, timeline.line + n,
		timeline.n * sizeof(*timeline.line));
	pthread_mutex_unlock(&timeline.lock);
	if (!n)
		return;
	fflush(stdout);
	if (timeline.copy)
		fflush(timeline.copy);
}

void timeline_end(void)
{
	timeline_flush(true);
	free(timeline.line);
	timeline.line = NULL;
	timeline.size = 0;
	timeline.runs = false;
}
