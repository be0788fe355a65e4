// SPDX-License-Identifier: GPL-2.0
/*
 * What became of the faults, as the event log has it: how often each fired, or why that
 * is not known.
 *
 *	a rule		records of its id in its guest's kernel
 *	kill, freeze	what node.log says that umf-lab did, one line for each
 *	reboot		its guest booted again
 *
 * A rule whose guest ended or booted before its end (fencing) went with that kernel: it
 * was cut short, which is no mistake of the test's.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "../lib/xalloc.h"
#include "test.h"

#define SLACK_NS	1000000000LL

static const char *text_of(const json_t *event, const char *key)
{
	return json_string_value(json_object_get(event, key)) ?: "";
}

static bool is(const json_t *event, const char *key, const char *value)
{
	return !strcmp(text_of(event, key), value);
}

static json_t *read_events(const char *path)
{
	json_t *all = json_array(), *event;
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	while (in && getline(&line, &size, in) >= 0) {
		event = json_loads(line, 0, NULL);
		if (event && !is(event, "source", "kernel"))
			json_array_append_new(all, event);
		else
			json_decref(event);
	}
	if (in)
		fclose(in);
	free(line);
	return all;
}

static int64_t time_of(const json_t *event)
{
	int64_t utc = 0;

	/* with a blank behind it, as in node.log */
	char *text = xasprintf("%s ", text_of(event, "utc"));

	utc_parse(text, &utc);
	free(text);
	return utc;
}

/* The next line of that kind which no fault has had yet. */
static bool take(json_t *events, const char *guest, const char *text)
{
	json_t *event;
	size_t i;

	json_array_foreach(events, i, event) {
		if (!is(event, "source", "node") || !is(event, "guest", guest) ||
		    strncmp(text_of(event, "text"), text, strlen(text)) ||
		    json_object_get(event, "taken"))
			continue;
		json_object_set_new(event, "taken", json_true());
		return true;
	}
	return false;
}

struct rule_seen {
	unsigned int fired;
	int64_t added;		/* 0: nobody saw that */
	bool lost, gone;
};

/* … but for the end of the run, which comes when all rules have ended. */
static bool has_gone(const json_t *event)
{
	return is(event, "event", "booted") ||
	       (is(event, "event", "ended") &&
		strncmp(text_of(event, "text"), "ended by down", 13));
}

static void look(const json_t *events, const struct fault *fault, struct rule_seen *seen)
{
	char id[16];
	const json_t *event;
	int64_t time;
	size_t i;

	memset(seen, 0, sizeof(*seen));
	snprintf(id, sizeof(id), "f%u", fault->nr);
	json_array_foreach((json_t *)events, i, event) {
		if (!is(event, "guest", fault->target->guest))
			continue;
		time = time_of(event);
		if (is(event, "rule", id) && is(event, "event", "fired"))
			seen->fired++;
		else if (is(event, "rule", id) && !seen->added)
			seen->added = time;
		else if (is(event, "event", "lost"))
			seen->lost = true;
		if (is(event, "source", "node") && seen->added &&
		    time < seen->added + fault->time + SLACK_NS && has_gone(event))
			seen->gone = true;
	}
}

/* A number, or a string that says why there is none; "never": it should have. */
static json_t *judge(json_t *events, const struct fault *fault, bool broke_off)
{
	const char *guest = fault->target->guest;
	struct rule_seen seen;

	switch (fault->action->how) {
	case HOW_KILL:
		if (take(events, guest, "ended by kill"))
			return json_integer(1);
		break;
	case HOW_FREEZE:
		if (take(events, guest, "frozen by freeze"))
			return json_integer(1);
		break;
	case HOW_ONCE:
		if (take(events, guest, "booted"))
			return json_integer(1);
		break;
	default:
		look(events, fault, &seen);
		if (seen.fired)
			return json_integer(seen.fired);
		if (seen.gone)
			return json_string("cut short");
		if (seen.lost)
			return json_string("lost");
		if (seen.added && !broke_off)
			return json_string("never");
	}
	return json_string(broke_off ? "not done" : "never");
}

void fired_judge(struct run *run, bool broke_off)
{
	char *path = xasprintf("%s/events.json", run->results);
	json_t *events = read_events(path);
	size_t i;

	run->fired = json_array();
	for (i = 0; i < run->schedule.n; i++)
		json_array_append_new(run->fired,
				      judge(events, &run->schedule.fault[i], broke_off));
	json_decref(events);
	free(path);
}
