// SPDX-License-Identifier: GPL-2.0
/*
 * events: one stream of what happened to the guests of a lab, from four sources.
 *
 *	fault	each guest's rules, asked for through its mconsole (event_rule.c)
 *	kernel	the lines of the guests' kernels in their logs (event_log.c)
 *	power	what the power switch was asked for (power.log)
 *	node	guests that start, are ready, end, … (node.log, nodelog.c)
 *
 * They come late and out of order. A line is kept until it is HOLD old, and one
 * that comes later still, from a guest that was frozen, is shown when it comes, with
 * its own time. Only the files are written by somebody else: all who look at a lab
 * read the same ones.
 *
 * The main thread reads the files and prints; a thread for each guest asks it, for
 * one that is frozen must not hold up the others.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "../lib/order.h"
#include "../lib/record.h"
#include "../lib/stop.h"
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "events.h"

#define TICK_NS		50000000L
#define HOLD_NS		300000000LL
#define BEGIN_NS	2500000000LL	/* for the guests' first answers */

static const char * const sources[] = {
	[EVENT_FAULT] = "fault",
	[EVENT_KERNEL] = "kernel",
	[EVENT_POWER] = "power",
	[EVENT_NODE] = "node",
};

struct event {
	enum event_source source;
	char *guest, *event, *text;
	json_t *json;
};

static struct {
	struct order kept;
	struct guest_conf **list;	/* whose events are wanted */
	size_t n;
	bool all, json;
	int64_t zero;			/* when the lab went up */
	int64_t since;
	const struct lab *lab;
	int64_t apart;			/* CLOCK_REALTIME less CLOCK_MONOTONIC; virtual: the date at up */
	int width;
} events = { .kept.lock = PTHREAD_MUTEX_INITIALIZER };

int64_t event_utc(int64_t monotonic)
{
	return monotonic + events.apart;
}

int64_t event_clock(void)
{
	return lab_now(events.lab);
}

static bool is_wanted(const char *guest)
{
	size_t i;

	if (events.all || !strcmp(guest, NODELOG_LAB))
		return true;
	for (i = 0; i < events.n; i++)
		if (!strcmp(events.list[i]->name, guest))
			return true;
	return false;
}

void event_add(int64_t utc, enum event_source source, const char *guest,
	       const char *also, const char *event, const char *text, json_t *json)
{
	struct event *new;

	if (utc < events.since || (!is_wanted(guest) && !(also && is_wanted(also)))) {
		json_decref(json);
		return;
	}
	new = xrealloc(NULL, sizeof(*new));
	new->source = source;
	new->guest = xstrdup(guest);
	new->event = xstrdup(event);
	new->text = log_clean(xstrdup(text));
	new->json = json;
	order_add(&events.kept, utc, new);
}

static void show_json(int64_t utc, const struct event *event)
{
	char when[UTC_LEN];
	json_t *json = json_pack("{sI ss so ss so so}",
				 "time_ns", (json_int_t)(utc - events.zero),
				 "utc", utc_text(utc, when),
				 "guest", record_text(event->guest),
				 "source", sources[event->source],
				 "event", record_text(event->event),
				 "text", record_text(event->text));

	if (event->json)
		json_object_update_missing(json, event->json);
	record_print(json);
}

static void show(int64_t utc, void *thing)
{
	struct event *event = thing;

	if (events.json)
		show_json(utc, event);
	else
		printf("%11.6f %-*s %-6s %s\n", (utc - events.zero) / 1e9, events.width,
		       event->guest, sources[event->source], event->text);
	json_decref(event->json);
	free(event->guest);
	free(event->event);
	free(event->text);
	free(event);
}

static void show_until(int64_t utc)
{
	if (order_take(&events.kept, utc, show))
		fflush(stdout);
}

/* The first line of node.log is the lab's zero. */
static void read_zero(const struct lab *lab)
{
	char *path = nodelog_path(lab), *line = read_line_of(path), *guest, *text;

	if (!line)
		die(LAB_FAILED, lab->up ? "%s: %m; what started this lab does not know of events" :
		    "%s: %m; the lab has not been up", path);
	if (!nodelog_line(line, &events.zero, &guest, &text))
		die(LAB_FAILED, "%s: does not begin with a time", path);
	free(line);
	free(path);
}

static void read_since(const char *word)
{
	bool last = word && *word == '-';
	uint64_t ns;

	events.since = INT64_MIN;
	if (!word)
		return;
	if (!units_time(word + last, true, &ns) || ns > INT64_MAX / 4)
		die(LAB_USAGE, "--since %s: must be a time after up, as 12.5; -30s: the last 30 s",
		    word);
	events.since = last ? utc_now() - (int64_t)ns : events.zero + (int64_t)ns;
}

static ino_t live_folder(const struct lab *lab)
{
	struct stat st;

	return stat(lab->live, &st) ? 0 : st.st_ino;
}

/* Until the lab is down, or another one is up in its place. */
static void follow(const struct lab *lab, struct event_logs *logs, struct nodelog *nodelog,
		   const sigset_t *open)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	ino_t live = live_folder(lab), now = live;

	while (now && now == live && !stop_asked() && !ferror(stdout)) {
		show_until(utc_now() - HOLD_NS);
		ppoll(NULL, 0, &tick, open);
		now = live_folder(lab);
		if (now && now == live)
			nodelog_look(nodelog);
		event_logs_read(logs);
	}
}

int events_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct nodelog *nodelog;
	struct event_logs *logs;
	sigset_t open;
	size_t i;

	if (opt->follow)
		lab_need_up(lab);
	lab_say_elsewhere(lab);
	pick_guests(lab, args, &events.list, &events.n);
	events.all = !*args;
	events.json = opt->json;
	events.lab = lab;
	events.apart = lab->virtual ? (int64_t)VIRTUAL_DATE : utc_now() - now_ns();
	read_zero(lab);
	read_since(opt->since);
	events.width = strlen(NODELOG_LAB);
	for (i = 0; i < lab->nr_guests; i++)
		if ((int)strlen(lab->guest[i].name) > events.width)
			events.width = strlen(lab->guest[i].name);
	stop_catch(&open);
	nodelog = nodelog_open(lab);
	logs = event_logs_open(lab, !opt->no_kernel);
	if (lab->up && nodelog)
		nodelog_look(nodelog);
	if (lab->up) {
		event_rules_start(lab, events.list, events.n, opt->follow);
		event_rules_wait(now_ns() + BEGIN_NS, &open);
	}
	event_logs_read(logs);
	if (opt->follow)
		follow(lab, logs, nodelog, &open);
	show_until(INT64_MAX);
	if (stop_asked())
		stop_die(stop_forget());
	return LAB_DONE;
}
