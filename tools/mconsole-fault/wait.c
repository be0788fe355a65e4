// SPDX-License-Identifier: GPL-2.0
/*
 * wait and expect: conditions on what stats says of rules.
 *
 *	<id> <counter><op>N [<counter><op>N …] [<id> …]
 *
 * expect looks once. wait looks again until all conditions hold at the same
 * look, in every guest; a guest in which they hold is not asked again.
 *
 * Faults make guests silent, and boot them again. To wait that is "not yet":
 *
 *	no answer	until the time is up, or for ever if none is set
 *	nobody listens	the same, but no longer than TOOL_ANSWER_MS if none is
 *			set: it has ended
 *	no such rule	an answer, unless nobody listened before: a guest that
 *			boots makes the rules of umf= late
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "tool.h"

#define POLL_MIN_MS	10
#define POLL_MAX_MS	200
#define LOOK_MS		1000	/* for an answer, at first */

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

struct target {
	bool gone;		/* nobody listened, once */
	int64_t since;		/* timeline_clock() when that began, or 0 */
	char *seen;		/* why it was not true when it last answered */
};

struct wait {
	const char *verb;
	bool once;
	struct condition *cond;
	size_t n;
	char *request;
	/* wait_begin()'s */
	struct tool *tool;
	int64_t end;		/* of timeline_clock() */
	int look_ms;		/* longer when nobody has answered */
	struct mconsole_call *calls;
	struct target *target;
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
	request = request_one(&words);
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

static char *see_counters(const json_t *rule)
{
	char *text = xstrdup(""), *longer;
	uint64_t number = 0;
	size_t i;

	for (i = 0; counters[i]; i++) {
		record_get(rule, counters[i], &number);
		longer = xasprintf("%s%s=%" PRIu64 " ", text, counters[i], number);
		free(text);
		text = longer;
	}
	longer = xasprintf("%sstate=%s", text,
			   json_string_value(json_object_get(rule, "state")) ?: "?");
	free(text);
	return longer;
}

enum look { LOOK_TRUE, LOOK_UNTRUE, LOOK_NO_RULE };

/* What *@seen, and with --json *@json, becomes is for a person who asks why. */
static enum look look_at(const struct wait *wait, size_t guest, char **seen,
			 json_t **json)
{
	const char *name = wait->tool->guests.guest[guest].name;
	json_t *rules = json_array(), *rule, *conds = json_array();
	enum look look = LOOK_TRUE;
	const struct condition *cond;
	char *text, *all;
	uint64_t number;
	bool held;
	size_t i;

	record_all(rules, record_stats, name, wait->calls[guest].reply);
	*seen = xstrdup("");
	for (i = 0; i < wait->n; i++) {
		cond = &wait->cond[i];
		rule = find_rule(rules, cond->id);
		if (!record_get(rule, cond->counter, &number)) {
			free(*seen);
			*seen = xasprintf("%s: no such rule", cond->id);
			look = LOOK_NO_RULE;
			break;
		}
		held = holds(cond, number);
		json_array_append_new(conds,
			json_pack("{so ss ss so so sb}",
				  "id", record_text(cond->id),
				  "counter", cond->counter,
				  "op", op_names[cond->op],
				  "wanted", record_u64(cond->wanted),
				  "seen", record_u64(number),
				  "held", held));
		if (held)
			continue;
		look = LOOK_UNTRUE;
		text = see_counters(rule);
		all = xasprintf("%s%s%s %s: saw %s", *seen, **seen ? "\n" : "",
				cond->id, cond->text, text);
		free(text);
		free(*seen);
		*seen = all;
	}
	*json = json_pack("{so ss sb so}", "guest", record_text(name),
			  "verb", wait->verb, "true", look == LOOK_TRUE,
			  "conditions", conds);
	json_decref(rules);
	return look;
}

static bool is_last(const struct wait *wait)
{
	return wait->once || timeline_clock() >= wait->end;
}

/* May it come back from where it is? */
static bool may_return(const struct wait *wait, struct target *target)
{
	int64_t now = timeline_clock();

	if (!target->since)
		target->since = now;
	return wait->end != INT64_MAX ||
	       now - target->since < TOOL_ANSWER_MS * 1000000LL;
}

/* Is that no answer to the question, but one to come? */
static bool not_yet(const struct wait *wait, size_t guest)
{
	const struct mconsole_call *call = &wait->calls[guest];
	struct target *target = &wait->target[guest];

	switch (call->err) {
	case 0:
		return call->refused && target->gone && may_return(wait, target);
	case -ETIMEDOUT:
		return true;
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -ENOENT:
		target->gone = true;
		return may_return(wait, target);
	default:
		return false;
	}
}

static void say_untrue(const struct guest *guest, const char *seen, json_t *json)
{
	if (timeline_runs())
		timeline_add(timeline_now(), LINE_ERROR, guest->name, seen,
			     json_incref(json));
	else
		print_error(guest, "%s", seen);
}

/* It has answered. Is it still in? */
static bool look_closer(struct wait *wait, size_t nr, bool last)
{
	struct target *target = &wait->target[nr];
	struct tool *tool = wait->tool;
	const struct guest *guest = &tool->guests.guest[nr];
	json_t *json = NULL;
	bool stays = true;
	enum look saw;

	free(target->seen);
	saw = look_at(wait, nr, &target->seen, &json);
	if (saw != LOOK_NO_RULE)
		target->since = 0;
	if (!last && (saw == LOOK_UNTRUE || (saw == LOOK_NO_RULE && target->gone &&
					     may_return(wait, target))))
		goto out;
	stays = false;
	if (saw == LOOK_NO_RULE)
		tool_worse(tool, TOOL_REFUSED);
	else if (saw == LOOK_UNTRUE)
		tool_worse(tool, TOOL_UNTRUE);
	if (saw != LOOK_TRUE)
		say_untrue(guest, target->seen, json);
	else if (timeline_runs())
		timeline_add(timeline_now(), LINE_REPLY, guest->name, "true",
			     json_incref(json));
	if (tool->json && saw != LOOK_NO_RULE)
		record_print(json_incref(json));
out:
	json_decref(json);
	return stays;
}

/* It has not, or has refused, and nothing else will come. */
static void give_up(struct wait *wait, size_t nr)
{
	const struct guest *guest = &wait->tool->guests.guest[nr];
	char *text;

	if (wait->calls[nr].err == -ETIMEDOUT && wait->target[nr].seen) {
		text = xasprintf("%s; since then: %s", wait->target[nr].seen,
				 mconsole_strerror(wait->calls[nr].err));
		print_error(guest, "%s", text);
		free(text);
		tool_worse(wait->tool, TOOL_UNTRUE);
	} else {
		ask_judge(wait->tool, guest, &wait->calls[nr]);
	}
}

static int look_timeout(const struct wait *wait, bool last)
{
	int64_t left = (wait->end - timeline_clock()) / 1000000 + 1;

	if (wait->once)
		return ask_timeout(wait->tool);
	if (last)
		/* the last look is a whole one, unless all are silent anyway */
		return wait->look_ms > LOOK_MS ? LOOK_MS : TOOL_ANSWER_MS;
	return left < wait->look_ms ? (int)left : wait->look_ms;
}

/* The guests that are still in; those that need no second look are put out. */
int wait_look(struct wait *wait, const sigset_t *sigmask)
{
	struct tool *tool = wait->tool;
	bool last = is_last(wait), heard = false;
	int left = 0;
	size_t i;

	if (ask_send(tool, wait->calls, look_timeout(wait, last), sigmask) == -EINTR)
		return tool->guests.n;
	for (i = 0; i < tool->guests.n; i++) {
		struct mconsole_call *call = &wait->calls[i];
		bool stays;

		if (!call->request)
			continue;
		heard = heard || !call->err;
		if (!last && not_yet(wait, i)) {
			stays = true;
		} else if (call->err || call->refused) {
			give_up(wait, i);
			stays = false;
		} else {
			stays = look_closer(wait, i, last);
		}
		if (stays)
			left++;
		else
			call->request = NULL;
	}
	/* asked too often, a slow guest only answers what nobody waits for */
	if (heard)
		wait->look_ms = LOOK_MS;
	else if (wait->look_ms < TOOL_ANSWER_MS / 2)
		wait->look_ms *= 2;
	else
		wait->look_ms = TOOL_ANSWER_MS;
	return left;
}

struct wait *wait_new(bool once, int argc, char **argv)
{
	struct wait *wait = xrealloc(NULL, sizeof(*wait));

	memset(wait, 0, sizeof(*wait));
	wait->once = once;
	wait->verb = once ? "expect" : "wait";
	parse_conditions(wait, argc, argv);
	wait->request = make_request(wait);
	return wait;
}

void wait_begin(struct wait *wait, struct tool *tool)
{
	size_t i;

	wait->tool = tool;
	wait->look_ms = LOOK_MS;
	wait->end = INT64_MAX;
	if (tool->timed && tool->timeout < INT64_MAX / 4)
		wait->end = timeline_clock() + tool->timeout;
	wait->calls = ask_new(tool);
	wait->target = xrealloc(NULL, tool->guests.n * sizeof(*wait->target));
	memset(wait->target, 0, tool->guests.n * sizeof(*wait->target));
	for (i = 0; i < tool->guests.n; i++)
		wait->calls[i].request = wait->request;
}

int64_t wait_end(const struct wait *wait)
{
	return wait->end;
}

void wait_free(struct wait *wait)
{
	size_t i;

	if (wait->calls) {
		for (i = 0; i < wait->tool->guests.n; i++)
			free(wait->target[i].seen);
		free(wait->target);
		ask_free(wait->tool, wait->calls);
	}
	free(wait->cond);
	free(wait->request);
	free(wait);
}

void wait_verb(struct tool *tool, bool once, int argc, char **argv)
{
	struct wait *wait = wait_new(once, argc, argv);
	int pause = POLL_MIN_MS;
	struct timespec ts;
	bool virtual = tool->guests.n && pass_begin(tool->guests.guest[0].path);
	int64_t left;

	wait_begin(wait, tool);
	while (wait_look(wait, NULL)) {
		left = (wait->end - timeline_clock()) / 1000000 + 1;
		if (left < pause)
			pause = left > 0 ? left : 0;
		if (virtual && !pass_until(timeline_clock() + pause * 1000000LL, NULL))
			break;
		ts.tv_sec = 0;
		ts.tv_nsec = pause * 1000000L;
		if (!virtual)
			nanosleep(&ts, NULL);
		pause = pause < POLL_MAX_MS / 2 ? pause * 2 + 1 : POLL_MAX_MS;
	}
	if (virtual)
		pass_end();
	wait_free(wait);
}
