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
#include "../lib/calendar.h"
#include "../lib/order.h"
#include "../lib/xalloc.h"
#include "tool.h"

#define HOLD_NS		150000000LL

struct line {
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
	struct order kept;	/* lines, by ns since the run began */
	bool runs, json;
	int64_t begin;		/* on CLOCK_MONOTONIC */
	FILE *copy;		/* JSON as well, or NULL */
	int width;		/* of the names */
} timeline = { .kept.lock = PTHREAD_MUTEX_INITIALIZER };

static const struct calendar *calendar;

void timeline_use(const struct calendar *of)
{
	calendar = of;
}

int64_t timeline_clock(void)
{
	struct timespec ts;

	if (calendar)
		return calendar->now;
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

void timeline_add(int64_t time, enum line_kind kind, const char *guest,
		  const char *text, json_t *json)
{
	struct line *line;
	const char *next;

	do {
		next = strchrnul(text, '\n');
		line = xrealloc(NULL, sizeof(*line));
		line->kind = kind;
		line->guest = xstrdup(guest);
		line->text = xstrndup(text, next - text);
		line->json = json;
		order_add(&timeline.kept, time, line);
		json = NULL;
		text = next + 1;
	} while (*next && *text);
}

static void show_text(int64_t time, const struct line *line)
{
	const char *p;

	printf("%11.6f %-*s %c ", time / 1e9, timeline.width, line->guest,
	       kinds[line->kind].mark);
	for (p = line->text; *p; p++)
		putchar(iscntrl((unsigned char)*p) && *p != '\t' ? '?' : *p);
	putchar('\n');
}

static void show_json(int64_t time, const struct line *line, FILE *out)
{
	json_t *json = json_pack("{sI ss so so}",
				 "time_ns", (json_int_t)time,
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

static void show(int64_t time, void *thing)
{
	struct line *line = thing;

	if (timeline.json)
		show_json(time, line, stdout);
	else
		show_text(time, line);
	if (timeline.copy)
		show_json(time, line, timeline.copy);
	json_decref(line->json);
	free(line->guest);
	free(line->text);
	free(line);
}

void timeline_flush(bool all)
{
	int64_t until = all ? INT64_MAX : timeline_now() - HOLD_NS;

	if (!order_take(&timeline.kept, until, show))
		return;
	fflush(stdout);
	if (timeline.copy)
		fflush(timeline.copy);
}

void timeline_end(void)
{
	timeline_flush(true);
	free(timeline.kept.item);
	timeline.kept.item = NULL;
	timeline.kept.size = 0;
	timeline.runs = false;
}
