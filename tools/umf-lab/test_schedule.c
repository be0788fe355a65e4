// SPDX-License-Identifier: GPL-2.0
/*
 * A schedule as a timeline of `mconsole-fault run`. A rule ends by its own for=; what
 * umf-lab does to a guest has a line where it ends. The heal is in lines for the end,
 * which are done whatever happens before: a run that is cut short is healed too.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "fault/params.h"
#include "test.h"

struct line {
	int64_t at;
	char *text;
};

struct lines {
	struct line *line;
	size_t n;
};

static void add(struct lines *lines, int64_t at, char *text)
{
	lines->line = xrealloc(lines->line, (lines->n + 1) * sizeof(*lines->line));
	lines->line[lines->n++] = (struct line) { at, text };
}

/* stable: what begins at one instant begins in the order of the faults */
static void sort(struct lines *lines)
{
	struct line line;
	size_t i, k;

	for (i = 1; i < lines->n; i++) {
		line = lines->line[i];
		for (k = i; k && lines->line[k - 1].at > line.at; k--)
			lines->line[k] = lines->line[k - 1];
		lines->line[k] = line;
	}
}

static double seconds(int64_t ns)
{
	return ns / 1e9;
}

static uint64_t class_of(enum kind kind)
{
	static const uint64_t classes[NR_KINDS] = {
		[KIND_NET] = UMF_CLASS_NET, [KIND_DISK] = UMF_CLASS_BLK,
		[KIND_NODE] = UMF_CLASS_NODE, [KIND_TTY] = UMF_CLASS_TTY,
	};

	return classes[kind];
}

/*
 * Draws of its own go by the schedule's seed, not by the guest's. A partition whose
 * sides are named draws nothing, and takes none.
 */
static bool takes_seed(const struct action *action)
{
	int id = umf_action_find(action->name, strlen(action->name), class_of(action->kind));

	return id >= 0 && id != UMF_A_PARTITION && umf_action_takes(&umf_actions[id], UMF_K_SEED);
}

static char *rule_of(const struct fault *fault)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fprintf(out, "%s add %s %s", fault->target->guest, fault->target->device,
		fault->action->name);
	if (*fault->words)
		fprintf(out, " %s", fault->words);
	if (fault->action->how == HOW_RULE)
		fprintf(out, " for=%.3fs", seconds(fault->time));
	if (takes_seed(fault->action))
		fprintf(out, " seed=%" PRIu32, fault->seed);
	fprintf(out, " id=f%u", fault->nr);
	fclose(out);
	return text;
}

static void add_fault(struct lines *lines, const struct fault *fault)
{
	bool kill = fault->action->how == HOW_KILL;
	const char *guest = fault->target->guest;

	add(lines, fault->at, xasprintf("# f%u: %s %s %s %s, %.3f s from %.3f s on",
					fault->nr, kind_names[fault->action->kind], guest,
					fault->target->device, fault->action->name,
					seconds(fault->time), seconds(fault->at)));
	if (fault->action->how == HOW_RULE || fault->action->how == HOW_ONCE) {
		add(lines, fault->at, rule_of(fault));
		return;
	}
	add(lines, fault->at, xasprintf("! " NAME " %s %s", kill ? "kill" : "freeze", guest));
	add(lines, fault->at + fault->time,
	    xasprintf("! " NAME " %s %s", kill ? "power on" : "thaw", guest));
}

/* Who is dead does not hear of thaw, and is no error: he is started. */
static void write_heal(FILE *out, const struct lab *lab, int64_t boot, const char *when)
{
	size_t i;

	fprintf(out, "%s! " NAME " thaw", when);
	for (i = 0; i < lab->nr_guests; i++)
		fprintf(out, " %s", lab->guest[i].name);
	fprintf(out, " 2>/dev/null; " NAME " power on && " NAME " wait -t %.3f\n",
		seconds(boot));
	if (lab->fencing)
		fprintf(out, "%s! " NAME " fault power clear\n", when);
	for (i = 0; i < lab->nr_guests; i++)
		fprintf(out, "%s%s", i ? "," : when, lab->guest[i].name);
	fprintf(out, " clear\n");
}

void schedule_write_heal(FILE *out, const struct test *test, int64_t boot)
{
	write_heal(out, &test->lab, boot, "");
}

void schedule_write(FILE *out, const struct test *test, const struct schedule *schedule,
		    int64_t boot)
{
	struct lines lines = { 0 };
	size_t i;

	for (i = 0; i < schedule->n; i++)
		add_fault(&lines, &schedule->fault[i]);
	sort(&lines);
	fprintf(out, "# " NAME " test: %s, seed %" PRIu64 ", %zu faults\n", test->name,
		schedule->seed, schedule->n);
	for (i = 0; i < lines.n; i++) {
		if (*lines.line[i].text == '#')
			fprintf(out, "%s\n", lines.line[i].text);
		else
			fprintf(out, "%.3fs %s\n", seconds(lines.line[i].at),
				lines.line[i].text);
		free(lines.line[i].text);
	}
	free(lines.line);
	if (test->has_faults)
		fprintf(out, "%.3fs\n", seconds(test->space.from + test->space.length));
	write_heal(out, &test->lab, boot, "end ");
}

/* ---- parts of one ---- */

static struct fault *find(struct schedule *schedule, const char *word)
{
	uint64_t nr;
	size_t i;

	if (*word != 'f' || !units_u64(word + 1, &nr))
		return NULL;
	for (i = 0; i < schedule->n; i++)
		if (schedule->fault[i].nr == nr)
			return &schedule->fault[i];
	return NULL;
}

bool schedule_pick(struct schedule *schedule, const char *words, char **why)
{
	char *copy = xstrdup(words), *pos = copy, *word, *time;
	bool *keep = xrealloc(NULL, schedule->n + 1);
	struct fault *fault;
	uint64_t ns;
	size_t i, n = 0;

	*why = NULL;
	memset(keep, 0, schedule->n + 1);
	while (!*why && (word = strsep(&pos, ","))) {
		if (!*word)
			continue;
		time = strchr(word, ':');
		if (time)
			*time++ = '\0';
		fault = find(schedule, word);
		if (!fault)
			*why = xasprintf("%s: the seed has no such fault", word);
		else if (time && (!units_time(time, false, &ns) || (int64_t)ns > fault->time))
			*why = xasprintf("%s:%s: must be a time, and no longer than as drawn, %.3fs",
					 word, time, seconds(fault->time));
		if (*why)
			break;
		if (time)
			fault->time = ns;
		keep[fault - schedule->fault] = true;
	}
	for (i = 0; !*why && i < schedule->n; i++)
		if (keep[i])
			schedule->fault[n++] = schedule->fault[i];
		else
			free(schedule->fault[i].words);
	if (!*why)
		schedule->n = n;
	free(keep);
	free(copy);
	return !*why;
}
