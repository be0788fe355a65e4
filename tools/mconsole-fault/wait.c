// SPDX-License-Identifier: GPL-2.0
/*
 * wait and expect: conditions on what stats says of rules.
 *
 *	<id> <counter><op>N [<counter><op>N …] [<id> …]
 *
 * expect looks once. wait looks again until all conditions hold at the same
 * look, in every guest; a guest in which they hold is not asked again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "tool.h"

#define POLL_MIN_MS	10
#define POLL_MAX_MS	200

static const char *const counters[] = {
	"evaluated", "matched", "fired", "bytes", NULL
};

/* The longer ones first: they are looked for in this order. */
enum op { OP_GE, OP_LE, OP_EQ, OP_GT, OP_LT, OP_MAX };

static const char *const op_names[OP_MAX] = {
	[OP_GE] = ">=", [OP_LE] = "<=", [OP_EQ] = "==",
	[OP_GT] = ">", [OP_LT] = "<",
};

struct condition {
	const char *id;
	const char *counter;
	enum op op;
	uint64_t wanted;
	const char *text;	/* as given */
};

struct wait {
	struct tool *tool;
	const char *verb;
	struct condition *cond;
	size_t n;
	char *request;
	struct mconsole_call *calls;	/* NULL before the first look */
};

static void parse_condition(struct condition *cond, const char *id, char *word)
{
	size_t len = strcspn(word, "<>="), i;
	enum op op;

	cond->id = id;
	cond->text = word;
	for (i = 0; counters[i]; i++)
		if (strlen(counters[i]) == len && !strncmp(word, counters[i], len))
			break;
	if (!counters[i])
		tool_usage("%s: must be evaluated, matched, fired or bytes with >= <= == > or < and a number",
			   word);
	cond->counter = counters[i];

	for (op = 0; op < OP_MAX; op++)
		if (!strncmp(word + len, op_names[op], strlen(op_names[op])))
			break;
	if (op == OP_MAX)
		tool_usage("%s: must have one of >= <= == > <", word);
	cond->op = op;
	if (!units_u64(word + len + strlen(op_names[op]), &cond->wanted))
		tool_usage("%s: a whole number must follow %s", word,
			   op_names[op]);
}

static void parse_conditions(struct wait *wait, int argc, char **argv)
{
	const char *id = NULL;
	const char *bare = NULL;	/* an id no condition has followed yet */
	int i;

	for (i = 0; i < argc; i++) {
		if (!strpbrk(argv[i], "<>=")) {
			if (bare)
				break;
			id = argv[i];
			bare = id;
			continue;
		}
		if (!id)
			tool_usage("%s needs a rule's id before %s", wait->verb,
				   argv[i]);
		bare = NULL;
		wait->cond = xrealloc(wait->cond,
				      (wait->n + 1) * sizeof(*wait->cond));
		parse_condition(&wait->cond[wait->n++], id, argv[i]);
	}
	/* In a shell fired>=3 is the word "fired" and a file named "=3". */
	if (bare)
		tool_usage("%s %s: a condition must follow, in quotes because of the shell: %s %s 'fired>=1'",
			   wait->verb, bare, wait->verb, bare);
	if (!wait->n)
		tool_usage("%s needs <id> '<counter>>=<n>'", wait->verb);
}

/* stats of the one rule, or of all when several are looked at. */
static char *make_request(const struct wait *wait)
{
	struct words words = { 0 };
	char *request;
	size_t i;

	words_add(&words, "stats");
	for (i = 1; i < wait->n; i++)
		if (strcmp(wait->cond[i].id, wait->cond[0].id))
			break;
	if (i >= wait->n)
		words_add(&words, (char *)wait->cond[0].id);
	request = request_make(&words);
	words_free(&words);
	return request;
}

static bool holds(const struct condition *cond, uint64_t seen)
{
	switch (cond->op) {
	case OP_GE:
		return seen >= cond->wanted;
	case OP_LE:
		return seen <= cond->wanted;
	case OP_EQ:
		return seen == cond->wanted;
	case OP_GT:
		return seen > cond->wanted;
	case OP_LT:
		return seen < cond->wanted;
	default:
		return false;
	}
}

static json_t *find_rule(const json_t *rules, const char *id)
{
	const char *name;
	json_t *rule;
	size_t i;

	json_array_foreach(rules, i, rule) {
		name = json_string_value(json_object_get(rule, "id"));
		if (name && !strcmp(name, id))
			return rule;
	}
	return NULL;
}

enum look { LOOK_TRUE, LOOK_UNTRUE, LOOK_NO_RULE };

/* What *@seen, and with --json *@json, becomes is for a person who asks why. */
static enum look look_at(const struct wait *wait, size_t guest, char **seen,
			 json_t **json)
{
	const char *name = wait->tool->guests.guest[guest].name;
	json_t *rules = json_array(), *rule, *value, *conds = json_array();
	enum look look = LOOK_TRUE;
	const struct condition *cond;
	char *text;
	bool held;
	size_t i;

	record_all(rules, record_stats, name, wait->calls[guest].reply);
	*seen = xstrdup("");
	for (i = 0; i < wait->n; i++) {
		cond = &wait->cond[i];
		rule = find_rule(rules, cond->id);
		value = json_object_get(rule, cond->counter);
		if (!json_is_integer(value)) {
			free(*seen);
			*seen = xasprintf("%s: no such rule", cond->id);
			look = LOOK_NO_RULE;
			break;
		}
		held = holds(cond, json_integer_value(value));
		json_array_append_new(conds,
			json_pack("{so ss ss sI sI sb}",
				  "id", record_text(cond->id),
				  "counter", cond->counter,
				  "op", op_names[cond->op],
				  "wanted", (json_int_t)cond->wanted,
				  "seen", json_integer_value(value),
				  "held", held));
		if (held)
			continue;
		look = LOOK_UNTRUE;
		text = xasprintf("%s%s%s %s: saw evaluated=%lld matched=%lld fired=%lld bytes=%lld state=%s",
			*seen, **seen ? "\n" : "", cond->id, cond->text,
			(long long)json_integer_value(json_object_get(rule, "evaluated")),
			(long long)json_integer_value(json_object_get(rule, "matched")),
			(long long)json_integer_value(json_object_get(rule, "fired")),
			(long long)json_integer_value(json_object_get(rule, "bytes")),
			json_string_value(json_object_get(rule, "state")) ?: "?");
		free(*seen);
		*seen = text;
	}
	*json = json_pack("{so ss sb so}", "guest", record_text(name),
			  "verb", wait->verb, "true", look == LOOK_TRUE,
			  "conditions", conds);
	json_decref(rules);
	return look;
}

/* The guests that are still in; those that need no second look are put out. */
int wait_look(struct wait *wait, int timeout_ms, bool last,
	      const sigset_t *sigmask)
{
	struct tool *tool = wait->tool;
	const struct guest *guest;
	json_t *json;
	int left = 0, n;
	size_t i;

	if (!wait->calls) {
		wait->calls = ask_new(tool);
		for (i = 0; i < tool->guests.n; i++)
			wait->calls[i].request = wait->request;
	}
	n = ask(tool, wait->calls, timeout_ms, sigmask);
	if (n == -EINTR)
		return tool->guests.n;
	if (n <= 0)
		return 0;
	for (i = 0; i < tool->guests.n; i++) {
		enum look saw;
		char *seen;

		if (!wait->calls[i].request)
			continue;
		guest = &tool->guests.guest[i];
		saw = look_at(wait, i, &seen, &json);
		if (saw == LOOK_UNTRUE && !last) {
			left++;
		} else {
			wait->calls[i].request = NULL;
			if (saw == LOOK_NO_RULE)
				tool_worse(tool, TOOL_REFUSED);
			else if (saw == LOOK_UNTRUE)
				tool_worse(tool, TOOL_UNTRUE);
			if (timeline_runs())
				timeline_add(timeline_now(), saw == LOOK_TRUE ?
					     LINE_REPLY : LINE_ERROR, guest->name,
					     saw == LOOK_TRUE ? "true" : seen,
					     json_incref(json));
			else if (saw != LOOK_TRUE)
				print_error(guest, "%s", seen);
			if (tool->json && saw != LOOK_NO_RULE)
				record_print(json_incref(json));
		}
		json_decref(json);
		free(seen);
	}
	return left;
}

struct wait *wait_new(struct tool *tool, bool once, int argc, char **argv)
{
	struct wait *wait = xrealloc(NULL, sizeof(*wait));

	memset(wait, 0, sizeof(*wait));
	wait->tool = tool;
	wait->verb = once ? "expect" : "wait";
	parse_conditions(wait, argc, argv);
	wait->request = make_request(wait);
	return wait;
}

void wait_free(struct wait *wait)
{
	if (wait->calls)
		ask_free(wait->tool, wait->calls);
	free(wait->cond);
	free(wait->request);
	free(wait);
}

void wait_verb(struct tool *tool, bool once, int argc, char **argv)
{
	struct wait *wait = wait_new(tool, once, argc, argv);
	int64_t end = INT64_MAX, left;
	int pause = POLL_MIN_MS;
	struct timespec ts;
	bool last;

	if (!once && tool->timed && tool->timeout < INT64_MAX / 2)
		end = timeline_clock() + tool->timeout;
	for (;;) {
		/* The last look starts when time is up, and is a whole one. */
		last = once || timeline_clock() >= end;
		if (!wait_look(wait, once ? ask_timeout(tool) : TOOL_ANSWER_MS,
			       last, NULL))
			break;
		left = (end - timeline_clock()) / 1000000 + 1;
		if (left < pause)
			pause = left > 0 ? left : 0;
		ts.tv_sec = 0;
		ts.tv_nsec = pause * 1000000L;
		nanosleep(&ts, NULL);
		pause = pause < POLL_MAX_MS / 2 ? pause * 2 + 1 : POLL_MAX_MS;
	}
	wait_free(wait);
}
