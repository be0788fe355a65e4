// SPDX-License-Identifier: GPL-2.0
/*
 * Rules among the events. What they have done is in the ring of their kernel, each
 * with the guest's time. That one was added, has gone, or is in another state is not: each
 * look asks for the list, and what differs from the last one happened between the
 * two. (One that came and went in between is seen only if it fired.)
 *
 *	present	a rule that is there at the first look at a boot
 *	added, deleted
 *	opened, closed, spent, suspended, waiting	its state, as stats has it
 *	fired
 *	lost	records that the ring had no room for; or the rest of a boot that ended
 *	silent	no answer to the mconsole
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../lib/calendar.h"
#include "../lib/look.h"
#include "../lib/mconsole.h"
#include "../lib/record.h"
#include "../lib/stop.h"
#include "../lib/words.h"
#include "../lib/xalloc.h"
#include "events.h"

#define LOOK_NS		100000000L
#define VIRTUAL_NS	500000000LL	/* of virtual time, between two looks */
#define BOOT_NS		10000000000LL

struct rule {
	char *id;
	char *text;		/* as list has it, without "add " */
	char *state;
};

struct rules {
	struct rule *rule;
	size_t n;
};

struct watch {
	const char *guest;
	pthread_t thread;
	struct look look;
	bool follow;
	bool known;		/* there was a look at this boot before */
	bool silent;		/* that was said */
	struct rules rules;	/* as of the last look */
	/* what this look brought */
	struct rules now;
	struct strings events;
	/* lock's */
	bool begun;
	bool synced;
	int64_t boot;		/* when its socket was made, CLOCK_REALTIME */
	int64_t zero;		/* when its clock was 0 */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct lab *watched;
static struct watch *watches;
static size_t nr_watches;

/* ---- what a look brings ---- */

static void free_rules(struct rules *rules)
{
	while (rules->n) {
		rules->n--;
		free(rules->rule[rules->n].id);
		free(rules->rule[rules->n].text);
		free(rules->rule[rules->n].state);
	}
}

static struct rule *find_rule(const struct rules *rules, const char *id)
{
	size_t i;

	for (i = 0; i < rules->n; i++)
		if (!strcmp(rules->rule[i].id, id))
			return &rules->rule[i];
	return NULL;
}

static void drop_events(struct watch *watch)
{
	while (watch->events.n)
		free(watch->events.s[--watch->events.n]);
}

static void forget_boot(struct look *look)
{
	struct watch *watch = look->data;

	if (watch->rules.n && watch->follow)
		event_add(event_utc(look->answered), EVENT_FAULT, watch->guest, NULL, "lost",
			  "lost what its rules did after this: that kernel is gone", NULL);
	free_rules(&watch->rules);
	free_rules(&watch->now);
	drop_events(watch);
	watch->known = false;
	pthread_mutex_lock(&lock);
	watch->synced = false;
	pthread_mutex_unlock(&lock);
}

static void begin_answer(struct look *look)
{
	struct watch *watch = look->data;

	free_rules(&watch->now);
	drop_events(watch);
}

static const char *value_of(const struct words *words, const char *key)
{
	size_t len = strlen(key), i;

	for (i = 0; i < words->n; i++)
		if (!strncmp(words->word[i], key, len))
			return words->word[i] + len;
	return NULL;
}

/* A line of list, or of stats, which comes behind it and has the state. */
static void see_rule(struct watch *watch, const char *line)
{
	bool listed = !strncmp(line, "add ", 4);
	struct rules *rules = &watch->now;
	struct words words = { 0 };
	const char *id, *state;
	struct rule *rule;

	words_split(&words, line);
	id = listed ? value_of(&words, "id=") : words.n ? words.word[0] : NULL;
	state = listed ? "" : value_of(&words, "state=");
	rule = id ? find_rule(rules, id) : NULL;
	if (listed && id && !rule) {
		rules->rule = xrealloc(rules->rule, (rules->n + 1) * sizeof(*rule));
		rule = &rules->rule[rules->n++];
		rule->id = xstrdup(id);
		rule->text = xstrdup(line + 4);
		rule->state = xstrdup("");
	} else if (!listed && rule && state) {
		free(rule->state);
		rule->state = xstrdup(state);
	}
	words_free(&words);
}

static void see_line(struct look *look, char *line)
{
	struct watch *watch = look->data;
	unsigned long long seq;

	if (sscanf(line, "seq=%llu", &seq) == 1)
		look->since = seq;
	if (!strncmp(line, "seq=", 4) || !strncmp(line, "lost=", 5))
		strings_add(&watch->events, xstrdup(line));
	else if (strncmp(line, "seed ", 5) && strncmp(line, "suspend ", 8))
		see_rule(watch, line);
}

/* ---- what is said of it ---- */

static const char *text_of(const json_t *event, const char *key)
{
	return json_string_value(json_object_get(event, key)) ?: "";
}

/* Not after it was told, whatever the clocks say. */
static int64_t time_of(const struct look *look, uint64_t ns)
{
	int64_t time = look_host_time(look, ns);

	return event_utc(time < look->answered ? time : look->answered);
}

static void say_fired(struct watch *watch, const char *line, int64_t *last)
{
	json_t *event = record_event(watch->guest, line);
	uint64_t ns, index = 0;
	char *text;

	if (record_get(event, "time_ns", &ns)) {
		*last = time_of(&watch->look, ns);
		json_object_set_new(event, "clock_ns", record_u64(ns));
	}
	record_get(event, "index", &index);
	text = xasprintf("fired %s %s %s %" PRIu64 "%s%s", text_of(event, "device"),
			 text_of(event, "rule"), text_of(event, "action"), index,
			 *text_of(event, "what") ? " " : "", text_of(event, "what"));
	event_add(*last, EVENT_FAULT, watch->guest, NULL, "fired", text, event);
	free(text);
}

static void say_events(struct watch *watch)
{
	int64_t last = event_utc(watch->look.answered);
	char *text;
	size_t i;

	for (i = 0; i < watch->events.n; i++) {
		const char *line = watch->events.s[i];

		if (!strncmp(line, "seq=", 4)) {
			say_fired(watch, line, &last);
			continue;
		}
		text = xasprintf("lost %s events: their kernel had no room for them",
				 line + 5);
		event_add(last, EVENT_FAULT, watch->guest, NULL, "lost", text,
			  json_pack("{so}", "lost", record_number(line + 5)));
		free(text);
	}
}

/* The first time that it fired, of this look; or the look's. */
static int64_t first_fire(const struct watch *watch, const char *id)
{
	int64_t time = event_utc(watch->look.answered);
	json_t *event;
	uint64_t ns;
	size_t i;

	for (i = 0; i < watch->events.n; i++) {
		event = record_event(watch->guest, watch->events.s[i]);
		if (!strcmp(text_of(event, "rule"), id) && record_get(event, "time_ns", &ns)) {
			time = time_of(&watch->look, ns);
			i = watch->events.n;
		}
		json_decref(event);
	}
	return time;
}

static void say_rule(const struct watch *watch, int64_t utc, const char *event,
		     const struct rule *rule, const char *text)
{
	char *line = xasprintf("%s %s", event, text);

	event_add(utc, EVENT_FAULT, watch->guest, NULL, event, line,
		  json_pack("{so so ss}", "rule", record_text(rule->id), "line",
			    record_text(rule->text), "state", rule->state));
	free(line);
}

static const char *state_event(const char *state)
{
	if (!strcmp(state, "open"))
		return "opened";
	return state;		/* closed, spent, suspended, waiting */
}

static void say_rules(struct watch *watch)
{
	int64_t now = event_utc(watch->look.answered), first;
	const struct rule *rule, *old;
	char *text;
	size_t i;

	for (i = 0; i < watch->rules.n; i++) {
		old = &watch->rules.rule[i];
		rule = find_rule(&watch->now, old->id);
		if (!rule || strcmp(rule->text, old->text))
			say_rule(watch, now, "deleted", old, old->id);
	}
	for (i = 0; i < watch->now.n; i++) {
		rule = &watch->now.rule[i];
		old = find_rule(&watch->rules, rule->id);
		if (old && strcmp(old->text, rule->text))
			old = NULL;
		first = first_fire(watch, rule->id);
		if (!watch->known) {
			text = xasprintf("%s (%s)", rule->text, rule->state);
			say_rule(watch, first, "present", rule, text);
			free(text);
		} else if (!old) {
			say_rule(watch, first, "added", rule, rule->text);
		}
		if (watch->known && (old ? strcmp(old->state, rule->state) :
				     strcmp(rule->state, "open") && strcmp(rule->state, "waiting")))
			say_rule(watch, strcmp(rule->state, "open") ? now : first,
				 state_event(rule->state), rule, rule->id);
	}
}

static void keep_rules(struct watch *watch)
{
	struct rules old = watch->rules;

	watch->rules = watch->now;
	watch->now = old;
	free_rules(&watch->now);
	watch->known = true;
}

/* ---- looking ---- */

static void publish(struct watch *watch)
{
	const struct timespec *made = &watch->look.boot.time;

	pthread_mutex_lock(&lock);
	watch->synced = watch->look.synced;
	watch->zero = event_utc(look_host_time(&watch->look, 0));
	watch->boot = watched->virtual ? watch->zero :
		      made->tv_sec * 1000000000LL + made->tv_nsec;
	pthread_mutex_unlock(&lock);
}

/* Somebody listens, but nothing comes: that nothing is told of it is told. */
static void say_silent(struct watch *watch)
{
	const struct timespec *made = &watch->look.boot.time;
	int64_t now = event_utc(watch->look.answered);

	/* one that boots has its socket before it answers */
	if (!watch->known && !watched->virtual && now - made->tv_sec * 1000000000LL < BOOT_NS)
		return;
	if (!watch->silent)
		event_add(now, EVENT_FAULT, watch->guest, NULL, "silent",
			  "silent: its mconsole does not answer, nothing is known of its rules",
			  NULL);
	watch->silent = true;
}

/*
 * In virtual time looks are at times of the lab's, so that they are the same whenever it is
 * run again; meanwhile time stands. False: there will be no more of it.
 */
static bool pause_virtual(struct calendar *calendar)
{
	enum calendar_end end = CALENDAR_READY;
	uint64_t next;

	if (calendar_stand(calendar, NULL) != CALENDAR_OK)
		return false;
	for (next = calendar->now + VIRTUAL_NS; end == CALENDAR_READY;)
		end = calendar_run(calendar, next, NULL, NULL, 0, true, NULL);
	return end != CALENDAR_FAILED;
}

static void look_once(struct watch *watch)
{
	if (look_at(&watch->look, 0)) {
		publish(watch);
		/* before what they did: of one time, what comes first is said first */
		say_rules(watch);
		say_events(watch);
		keep_rules(watch);
		watch->silent = false;
	} else if (watch->look.list.n) {
		say_silent(watch);
	}
	pthread_mutex_lock(&lock);
	watch->begun = true;
	pthread_mutex_unlock(&lock);
}

static void *watch_thread(void *data)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	struct watch *watch = data;

	do {
		look_once(watch);
		if (watch->follow)
			nanosleep(&pause, NULL);
	} while (watch->follow);
	return NULL;
}

/* All of them, one after the other. */
static void *watch_virtual(void *data)
{
	struct calendar calendar = { .fd = -1 };
	char *socket = virtual_socket(watched);
	bool *follow = data;
	size_t i;

	if (calendar_open(&calendar, socket)) {
		mconsole_use(&calendar);
		do {
			for (i = 0; i < nr_watches; i++)
				look_once(&watches[i]);
		} while (*follow && pause_virtual(&calendar));
	}
	mconsole_use(NULL);
	calendar_close(&calendar);
	free(socket);
	return NULL;
}

static void start_virtual(const struct lab *lab, bool follow)
{
	static pthread_t thread;
	static bool follows;

	follows = follow;
	if (!follow)
		watch_virtual(&follows);
	else if (pthread_create(&thread, NULL, watch_virtual, &follows))
		die(LAB_FAILED, "%s: its guests cannot be watched", lab->file);
}

void event_rules_start(const struct lab *lab, struct guest_conf **list, size_t n, bool follow)
{
	struct watch *watch;
	int err;

	watched = lab;
	watches = xrealloc(NULL, (n + 1) * sizeof(*watches));
	memset(watches, 0, (n + 1) * sizeof(*watches));
	nr_watches = n;
	for (watch = watches; watch < watches + n; watch++) {
		watch->guest = list[watch - watches]->name;
		watch->follow = follow;
		watch->look.name = xasprintf("%s/uml/%s/mconsole", lab->live, watch->guest);
		watch->look.more = "; list; stats";
		watch->look.forget = forget_boot;
		watch->look.answer = begin_answer;
		watch->look.line = see_line;
		watch->look.clock_of = lab->virtual ? event_clock : NULL;
		watch->look.data = watch;
		if (lab->virtual)
			continue;
		err = pthread_create(&watch->thread, NULL, watch_thread, watch);
		if (err)
			die(LAB_FAILED, "%s: cannot be watched: %s", watch->guest, strerror(err));
	}
	if (lab->virtual)
		start_virtual(lab, follow);
}

void event_rules_wait(int64_t until, const sigset_t *open)
{
	size_t i, left = nr_watches;

	while (left) {
		left = 0;
		pthread_mutex_lock(&lock);
		for (i = 0; i < nr_watches; i++)
			left += !watches[i].begun;
		pthread_mutex_unlock(&lock);
		if (!left || now_ns() > until || stop_asked())
			break;
		up_pause(open);
	}
}

bool event_rules_boot(const char *guest, int64_t since, int64_t *utc)
{
	bool known = false;
	size_t i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < nr_watches && !known; i++) {
		known = watches[i].synced && watches[i].boot > since &&
			!strcmp(watches[i].guest, guest);
		if (known)
			*utc = watches[i].zero;
	}
	pthread_mutex_unlock(&lock);
	return known;
}
