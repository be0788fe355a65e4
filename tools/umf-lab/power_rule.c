// SPDX-License-Identifier: GPL-2.0
/*
 * Faults of the power switch itself: `fault power add|del|clear|list`. A subset of
 * the grammar of guests' rules, for a device that is on the host:
 *
 *	add <action> [<key>=<value> ...]
 *
 * The rules are in power.rules of the live folder, a line each, "<nr> <added> <text>";
 * only `fault power` writes it, as a whole and under a lock. What they have done is
 * in power.stats, "<nr> <matched> <fired>", which only the switch writes, and reads when
 * it is started again. A number is used once.
 *
 * Rules are asked in their order; delays add up, any other action is the last. What
 * would be so without the rule as well has matched, and not fired.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "lab.h"

enum { OP_ON = 1, OP_OFF = 2, OP_STATUS = 4, OP_LIST = 8 };

static const struct {
	const char *name;
	enum power_what what;
	int ops;		/* unless op= says others */
	uint64_t time;		/* unless time= does; 0: it has to, or takes none */
	bool takes_time;
} actions[] = {
	{ "delay", POWER_DO, OP_ON | OP_OFF | OP_STATUS | OP_LIST, 0, true },
	{ "drop", POWER_DROP, OP_ON | OP_OFF | OP_STATUS | OP_LIST, 0, false },
	{ "stuck", POWER_STUCK, OP_ON | OP_OFF, 0, false },
	{ "lie", POWER_LIE, OP_ON | OP_OFF, 0, false },
	/* fence_umf gives up after 30 s */
	{ "late", POWER_LATE, OP_ON | OP_OFF, 45000000000ULL, true },
};

#define NR_ACTIONS	(sizeof(actions) / sizeof(*actions))

static const struct {
	const char *name;
	int ops;
} op_words[] = {
	{ "on", OP_ON }, { "off", OP_OFF }, { "status", OP_STATUS }, { "list", OP_LIST },
	{ "reboot", OP_ON | OP_OFF },	/* what fence_umf makes of it */
};

struct rule {
	unsigned int nr;
	int64_t added;		/* utc_now() */
	char *text, *id;
	size_t action;
	int ops;
	char *guest;		/* NULL: any */
	bool drawn;
	double prob;
	uint64_t time, every, after, count, seed, lasts;
	uint64_t matched, fired;
};

struct power_rules {
	const struct lab *lab;
	struct rule *rule;
	size_t n;
	ino_t file;		/* as read */
};

/* ---- a rule's text ---- */

static char *parse_ops(const char *word, int *ops)
{
	char *copy = xstrdup(word), *pos = copy, *part, *why = NULL;
	size_t i;

	*ops = 0;
	while (!why && (part = strsep(&pos, ","))) {
		for (i = 0; i < sizeof(op_words) / sizeof(*op_words); i++)
			if (!strcmp(op_words[i].name, part))
				break;
		if (i < sizeof(op_words) / sizeof(*op_words))
			*ops |= op_words[i].ops;
		else
			why = xasprintf("op=%s: must be of on, off, status, list, reboot", word);
	}
	free(copy);
	return why;
}

static char *parse_value(const struct lab *lab, struct rule *rule, const char *word)
{
	const char *value = strchr(word, '=') + 1;
	size_t len = value - word - 1;
	uint64_t *number = NULL;

#define IS(key) (len == strlen(key) && !strncmp(word, key, len))
	if (IS("id") || IS("name")) {
		if (!name_is_good(value))
			return xasprintf("%s: is no good name", word);
		rule->id = xstrdup(value);
	} else if (IS("guest")) {
		if (!lab_guest((struct lab *)lab, value))
			return xasprintf("%s: no such guest", word);
		rule->guest = xstrdup(value);
	} else if (IS("op")) {
		return parse_ops(value, &rule->ops);
	} else if (IS("prob")) {
		rule->drawn = true;
		if (!units_prob(value, &rule->prob))
			return xasprintf("%s: must be a probability, as 10%% or 0.1", word);
	} else if (IS("time") && actions[rule->action].takes_time) {
		if (!units_time(value, false, &rule->time))
			return xasprintf("%s: must be a time, as 5s", word);
	} else if (IS("for")) {
		if (!units_time(value, false, &rule->lasts) || !rule->lasts)
			return xasprintf("%s: must be a time, as 1m", word);
	} else if (IS("every")) {
		number = &rule->every;
	} else if (IS("after")) {
		number = &rule->after;
	} else if (IS("count")) {
		number = &rule->count;
	} else if (IS("seed")) {
		number = &rule->seed;
	} else {
		return xasprintf("%s: %s takes op guest %sprob every after count for seed id",
				 word, actions[rule->action].name,
				 actions[rule->action].takes_time ? "time " : "");
	}
	if (number && (!units_u64(value, number) || (!*number && !IS("seed") && !IS("after"))))
		return xasprintf("%s: must be a whole number", word);
#undef IS
	return NULL;
}

static bool is_key(const char *word, const char *key)
{
	return !strncmp(word, key, strlen(key));
}

/* Takes the words of "<action> [<time>] [<key>=<value> ...]"; NULL, or what is wrong. */
static char *parse(const struct lab *lab, struct rule *rule, char **words)
{
	char *why = NULL, *more;
	bool seeded = false;
	size_t i;

	for (i = 0; *words && i < NR_ACTIONS; i++)
		if (!strcmp(actions[i].name, *words))
			break;
	if (!*words || i == NR_ACTIONS)
		return xasprintf("%s: must be delay, drop, stuck, lie or late", *words ?: "add");
	rule->action = i;
	rule->ops = actions[i].ops;
	rule->time = actions[i].time;
	rule->text = xstrdup(*words++);
	for (; *words && !why; words++) {
		bool bare = !strchr(*words, '=') && actions[i].takes_time;
		char *word = xasprintf("%s%s", bare ? "time=" : "", *words);

		if (strchr(word, '='))
			why = parse_value(lab, rule, word);
		else
			why = xasprintf("%s: must be <key>=<value>", word);
		seeded = seeded || is_key(word, "seed=");
		if (!is_key(word, "id=") && !is_key(word, "name=")) {
			more = xasprintf("%s %s", rule->text, word);
			free(rule->text);
			rule->text = more;
		}
		free(word);
	}
	if (!why && actions[i].takes_time && !rule->time)
		why = xasprintf("%s needs time=, as 5s", actions[i].name);
	if (!why && rule->ops & OP_LIST &&
	    (actions[i].what == POWER_STUCK || actions[i].what == POWER_LIE))
		why = xasprintf("op=list: %s is about one guest", actions[i].name);
	if (!why && rule->ops & OP_STATUS && actions[i].what == POWER_STUCK)
		why = xasprintf("op=status: stuck changes no state, and tells what it is");
	if (!why && rule->drawn && !seeded) {
		/* of the lab's, and other than the next rule's */
		rule->seed = lab->seed ^ (rule->nr * 0x9e3779b97f4a7c15ULL);
		more = xasprintf("%s seed=%" PRIu64, rule->text, rule->seed);
		free(rule->text);
		rule->text = more;
	}
	return why;
}

static char **split(char *text)
{
	char **words = NULL, *word;
	size_t n = 0;

	while ((word = strsep(&text, " "))) {
		words = xrealloc(words, (n + 2) * sizeof(*words));
		words[n++] = word;
	}
	words[n] = NULL;
	return words;
}

/* ---- the files ---- */

static char *live_path(const struct lab *lab, const char *name)
{
	return xasprintf("%s/%s", lab->live, name);
}

static struct rule *find_nr(struct power_rules *rules, unsigned int nr)
{
	size_t i;

	for (i = 0; i < rules->n; i++)
		if (rules->rule[i].nr == nr)
			return &rules->rule[i];
	return NULL;
}

static void read_stats(struct power_rules *rules)
{
	char *path = live_path(rules->lab, "power.stats");
	FILE *in = fopen(path, "re");
	uint64_t matched, fired;
	struct rule *rule;
	unsigned int nr;

	while (in && fscanf(in, "%u %" SCNu64 " %" SCNu64, &nr, &matched, &fired) == 3) {
		rule = find_nr(rules, nr);
		if (rule) {
			rule->matched = matched;
			rule->fired = fired;
		}
	}
	if (in)
		fclose(in);
	free(path);
}

static void write_stats(const struct power_rules *rules)
{
	char *path = live_path(rules->lab, "power.stats"), *new = xasprintf("%s.new", path);
	FILE *out = fopen(new, "we");
	size_t i;

	for (i = 0; out && i < rules->n; i++)
		fprintf(out, "%u %" PRIu64 " %" PRIu64 "\n", rules->rule[i].nr,
			rules->rule[i].matched, rules->rule[i].fired);
	if (out && !fclose(out))
		rename(new, path);
	free(new);
	free(path);
}

static void free_rules(struct power_rules *rules)
{
	while (rules->n) {
		rules->n--;
		free(rules->rule[rules->n].text);
		free(rules->rule[rules->n].id);
		free(rules->rule[rules->n].guest);
	}
}

/* Returns the number that the next one has. */
static unsigned int read_rules(struct power_rules *rules)
{
	char *path = live_path(rules->lab, "power.rules"), *line = NULL, **words;
	FILE *in = fopen(path, "re");
	struct rule rule, *all;
	unsigned int next = 1;
	size_t size = 0;
	struct stat st;
	int len;

	free_rules(rules);
	rules->file = in && !fstat(fileno(in), &st) ? st.st_ino : 0;
	if (!in || fscanf(in, "next %u ", &next) != 1)
		next = 1;
	while (in && getline(&line, &size, in) >= 0) {
		memset(&rule, 0, sizeof(rule));
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%u %" SCNd64 " %n", &rule.nr, &rule.added, &len) != 2)
			continue;
		words = split(line + len);
		free(parse(rules->lab, &rule, words));
		free(words);
		all = xrealloc(rules->rule, (rules->n + 1) * sizeof(rule));
		rules->rule = all;
		all[rules->n++] = rule;
	}
	if (in)
		fclose(in);
	free(line);
	free(path);
	return next;
}

static void write_rules(const struct power_rules *rules, unsigned int next)
{
	char *path = live_path(rules->lab, "power.rules"), *new = xasprintf("%s.new", path);
	FILE *out = fopen(new, "we");
	size_t i;

	if (out)
		fprintf(out, "next %u\n", next);
	for (i = 0; out && i < rules->n; i++)
		fprintf(out, "%u %" PRId64 " %s id=%s\n", rules->rule[i].nr,
			rules->rule[i].added, rules->rule[i].text, rules->rule[i].id);
	if (!out || (ferror(out) | fclose(out)) || rename(new, path))
		die(LAB_FAILED, "%s: %m", path);
	free(new);
	free(path);
}

/* ---- what the switch does ---- */

struct power_rules *power_rules_new(const struct lab *lab)
{
	struct power_rules *rules = xrealloc(NULL, sizeof(*rules));

	memset(rules, 0, sizeof(*rules));
	rules->lab = lab;
	return rules;
}

size_t power_rules_count(const struct lab *lab)
{
	struct power_rules *rules = power_rules_new(lab);
	size_t n;

	read_rules(rules);
	n = rules->n;
	free_rules(rules);
	free(rules->rule);
	free(rules);
	return n;
}

/* The n-th number of a seed's stream, from 0 to 1. */
static double draw(uint64_t seed, uint64_t n)
{
	uint64_t x = seed + n * 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return ((x ^ x >> 31) >> 11) * 0x1p-53;
}

static bool is_over(const struct rule *rule)
{
	return (rule->count && rule->fired >= rule->count) ||
	       (rule->lasts && utc_now() - rule->added > (int64_t)rule->lasts);
}

/* Of a guest that is not there the switch says so, whatever the rule. */
static bool has_effect(const struct rule *rule, int op, enum power_state state)
{
	enum power_what what = actions[rule->action].what;

	if (what != POWER_STUCK && what != POWER_LIE)
		return true;
	if (state == POWER_NOBODY)
		return false;
	return op == OP_STATUS || state != (op == OP_ON ? POWER_IS_ON : POWER_IS_OFF);
}

static bool fires(struct rule *rule, int op, const char *guest, enum power_state state)
{
	if (!(rule->ops & op) || is_over(rule) ||
	    (rule->guest && (!guest || strcmp(rule->guest, guest))))
		return false;
	if (rule->matched++ < rule->after)
		return false;
	if (rule->every && (rule->matched - rule->after) % rule->every)
		return false;
	if (rule->drawn && draw(rule->seed, rule->matched) >= rule->prob)
		return false;
	if (!has_effect(rule, op, state))
		return false;
	rule->fired++;
	return true;
}

void power_rules_decide(struct power_rules *rules, const char *op, const char *guest,
			enum power_state state, struct power_verdict *verdict)
{
	char *path = live_path(rules->lab, "power.rules"), *by;
	enum power_what what = POWER_DO;
	struct rule *rule;
	struct stat st;
	int bit = 0;
	size_t i;

	memset(verdict, 0, sizeof(*verdict));
	if ((stat(path, &st) ? 0 : st.st_ino) != rules->file) {
		read_rules(rules);
		read_stats(rules);
	}
	free(path);
	for (i = 0; i < sizeof(op_words) / sizeof(*op_words) - 1; i++)
		if (!strcmp(op_words[i].name, op))
			bit = op_words[i].ops;
	for (i = 0; i < rules->n && what == POWER_DO; i++) {
		rule = &rules->rule[i];
		if (!fires(rule, bit, guest, state))
			continue;
		what = actions[rule->action].what;
		verdict->delay += (int64_t)rule->time;
		by = xasprintf("%s%s%s %s", verdict->by ?: "", verdict->by ? ", " : "",
			       actions[rule->action].name, rule->id);
		free(verdict->by);
		verdict->by = by;
	}
	verdict->what = what;
	if (rules->n)
		write_stats(rules);
}

/* ---- the verbs ---- */

static int lock_rules(const struct lab *lab)
{
	char *path = live_path(lab, "power.rules.lock");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || flock(fd, LOCK_EX))
		die(LAB_FAILED, "%s: %m", path);
	free(path);
	return fd;
}

static struct rule *find_id(struct power_rules *rules, const char *id)
{
	size_t i;

	for (i = 0; i < rules->n; i++)
		if (!strcmp(rules->rule[i].id, id))
			return &rules->rule[i];
	return NULL;
}

static void add(struct power_rules *rules, char **words)
{
	unsigned int next = read_rules(rules);
	struct rule rule = { .nr = next, .added = utc_now() };
	char *why = parse(rules->lab, &rule, words);

	if (why)
		die(LAB_USAGE, "fault power: %s", why);
	rule.id = rule.id ?: xasprintf("r%u", next);
	if (find_id(rules, rule.id))
		die(LAB_USAGE, "fault power: id=%s: a rule of that name is there", rule.id);
	rules->rule = xrealloc(rules->rule, (rules->n + 1) * sizeof(rule));
	rules->rule[rules->n++] = rule;
	write_rules(rules, next + 1);
	puts(rule.id);
}

static void del(struct power_rules *rules, const char *id)
{
	unsigned int next = read_rules(rules);
	struct rule *rule = find_id(rules, id);

	if (!rule)
		die(LAB_FAILED, "fault power: %s: no such rule; list shows them", id);
	rules->n--;
	memmove(rule, rule + 1, (char *)(rules->rule + rules->n) - (char *)rule);
	write_rules(rules, next);
}

static void clear(struct power_rules *rules)
{
	unsigned int next = read_rules(rules);

	free_rules(rules);
	write_rules(rules, next);
}

/* The text is what add takes; what stands behind # is for people. */
static void list(struct power_rules *rules)
{
	const struct rule *rule;

	read_rules(rules);
	read_stats(rules);
	for (rule = rules->rule; rule < rules->rule + rules->n; rule++)
		printf("add %s id=%s\t# fired=%" PRIu64 " matched=%" PRIu64 "%s\n", rule->text,
		       rule->id, rule->fired, rule->matched, is_over(rule) ? " spent" : "");
}

int power_rules_verb(struct lab *lab, char **args)
{
	struct power_rules *rules = power_rules_new(lab);
	const char *verb = *args ?: "";
	int lock;

	lab_need_up(lab);
	if (!lab->fencing)
		die(LAB_FAILED, "%s: has no power switch: fencing = true gives it one", lab->file);
	lock = lock_rules(lab);
	if (!strcmp(verb, "add"))
		add(rules, args + 1);
	else if (!strcmp(verb, "del") && args[1] && !args[2])
		del(rules, args[1]);
	else if (!strcmp(verb, "clear") && !args[1])
		clear(rules);
	else if (!strcmp(verb, "list") && !args[1])
		list(rules);
	else
		die(LAB_USAGE, "fault power: %s: must be add <action> ..., del <id>, clear or list",
		    verb);
	close(lock);
	return LAB_DONE;
}
