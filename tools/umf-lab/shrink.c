// SPDX-License-Identifier: GPL-2.0
/*
 * shrink: fewer faults, then shorter ones, that still fail a run with the same signature.
 * Each candidate is a part of the schedule of the run's seed (test --only), and a run of
 * its own, in the folder <results>.shrink. In real time one run says little: a candidate
 * that holds is tried again, --tries times, and what is left at the end has a rate.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/stop.h"
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "test.h"

#define MS		1000000LL
#define TRIES		2
#define RATE_RUNS	5
#define LEAST_NS	(100 * MS)
#define HALVES		4	/* of a fault's time */
#define PATIENCE_NS	90000000000LL
#define EVENTS_SHOWN	20

/* Faults of the seed's schedule, and how long each is. */
struct part {
	unsigned int *nr;
	int64_t *time;
	size_t n;
};

struct shrink {
	const struct options *opt;
	char *folder, *test, *seed, *signature, *kernel;
	struct proc_lab lab;
	struct schedule schedule;
	unsigned int runs;
	char *failed;		/* folder of the last run that failed */
	struct strings held;	/* candidates that are known to hold */
};

static const char *text_of(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key)) ?: "";
}

/* ---- parts ---- */

static void part_add(struct part *part, unsigned int nr, int64_t time)
{
	part->nr = xrealloc(part->nr, (part->n + 1) * sizeof(*part->nr));
	part->time = xrealloc(part->time, (part->n + 1) * sizeof(*part->time));
	part->nr[part->n] = nr;
	part->time[part->n++] = time;
}

static void part_free(struct part *part)
{
	free(part->nr);
	free(part->time);
	memset(part, 0, sizeof(*part));
}

/* Those from @from to @to, or all but those. */
static struct part part_cut(const struct part *all, size_t from, size_t to, bool keep)
{
	struct part part = { 0 };
	size_t i;

	for (i = 0; i < all->n; i++)
		if ((i >= from && i < to) == keep)
			part_add(&part, all->nr[i], all->time[i]);
	return part;
}

/* As --only has it. */
static char *part_text(const struct shrink *shrink, const struct part *part)
{
	char *text = NULL;
	size_t len, i;
	FILE *out = open_memstream(&text, &len);

	for (i = 0; i < part->n; i++) {
		fprintf(out, "%sf%u", i ? "," : "", part->nr[i]);
		if (part->time[i] != shrink->schedule.fault[part->nr[i] - 1].time)
			fprintf(out, ":%.3fs", part->time[i] / 1e9);
	}
	fclose(out);
	return text;
}

/* ---- runs ---- */

/* The status of a run; -1: it failed in another way. */
static int run_once(struct shrink *shrink, const char *only)
{
	char *folder = xasprintf("%s/run-%u", shrink->folder, ++shrink->runs);
	char *log = xasprintf("%s/log", shrink->folder), *path, time[32];
	char *argv[20] = { "/proc/self/exe", "test", "--seed", shrink->seed, "--results", folder,
			   "--only", (char *)only };
	json_t *verdict;
	struct proc proc;
	size_t n = 8;
	int status;

	snprintf(time, sizeof(time), "%.3f", shrink->opt->timeout / 1e9);
	if (shrink->kernel) {
		argv[n++] = "--kernel";
		argv[n++] = shrink->kernel;
	}
	if (shrink->opt->timed) {
		argv[n++] = "-t";
		argv[n++] = time;
	}
	argv[n++] = shrink->test;
	argv[n] = NULL;
	if (!proc_start(&proc, &shrink->lab, argv, log, NULL))
		exit(TEST_LAB);
	while (proc_runs(&proc) && !stop_asked())
		up_pause(shrink->lab.open);
	proc_end(&proc, PATIENCE_NS);
	if (stop_asked())
		stop_die(stop_forget());
	path = xasprintf("%s/verdict.json", folder);
	verdict = json_load_file(path, 0, NULL);
	if (!verdict)
		die(TEST_LAB, "the run has no verdict: status %d; %s has why", proc.status, log);
	status = json_integer_value(json_object_get(verdict, "status"));
	if (status && strcmp(text_of(verdict, "signature"), shrink->signature))
		status = -1;
	if (!shrink->opt->quiet)
		printf("run %u: %s: %s\n", shrink->runs, *only ? only : "no fault",
		       !status ? "held" : status < 0 ? text_of(verdict, "signature") : "failed");
	fflush(stdout);
	if (status > 0) {
		free(shrink->failed);
		shrink->failed = folder;
	} else {
		free(folder);
	}
	json_decref(verdict);
	free(path);
	free(log);
	return status;
}

static bool fails(struct shrink *shrink, const struct part *part)
{
	uint64_t tries = shrink->opt->tries ?: TRIES;
	char *only = part_text(shrink, part);
	bool failed = false;
	size_t i;

	for (i = 0; i < shrink->held.n; i++)
		if (!strcmp(shrink->held.s[i], only))
			tries = 0;
	while (!failed && tries--)
		failed = run_once(shrink, only) > 0;
	if (failed)
		free(only);
	else
		strings_add(&shrink->held, only);
	return failed;
}

/* ---- fewer, shorter ---- */

/* One of the parts, or what is left without one, that fails; false: none does. */
static bool try_parts(struct shrink *shrink, struct part *part, size_t *pieces)
{
	size_t i, from, to;
	struct part less;
	int keep;

	for (keep = 1; keep >= 0; keep--) {
		/* of two halves each is what is left without the other */
		if (!keep && *pieces == 2)
			break;
		for (i = 0; i < *pieces; i++) {
			from = part->n * i / *pieces;
			to = part->n * (i + 1) / *pieces;
			less = part_cut(part, from, to, keep);
			if (!fails(shrink, &less)) {
				part_free(&less);
				continue;
			}
			part_free(part);
			*part = less;
			*pieces = keep ? 2 : *pieces > 3 ? *pieces - 1 : 2;
			return true;
		}
	}
	return false;
}

/* ddmin: nothing can be left out any more. */
static void make_fewer(struct shrink *shrink, struct part *part)
{
	struct part none = { 0 };
	size_t pieces = 2;

	if (part->n && fails(shrink, &none)) {
		part_free(part);
		return;
	}
	while (part->n >= 2) {
		if (pieces > part->n)
			pieces = part->n;
		if (try_parts(shrink, part, &pieces))
			continue;
		if (pieces == part->n)
			break;
		pieces *= 2;
	}
}

static void make_shorter(struct shrink *shrink, struct part *part)
{
	int64_t before;
	size_t i, k;

	for (i = 0; i < part->n; i++)
		for (k = 0; k < HALVES && part->time[i] / 2 >= LEAST_NS; k++) {
			before = part->time[i];
			part->time[i] = before / 2 / MS * MS;
			if (fails(shrink, part))
				continue;
			part->time[i] = before;
			break;
		}
}

/* ---- the account ---- */

static void show_rows(const char *folder)
{
	char *path = xasprintf("%s/tap", folder), *line = NULL;
	FILE *in = fopen(path, "re");
	bool inside = false;
	size_t size = 0;

	while (in && getline(&line, &size, in) >= 0) {
		inside = !strncmp(line, "not ok", 6) || (inside && *line == '#');
		if (inside)
			fputs(line, stdout);
	}
	if (in)
		fclose(in);
	free(line);
	free(path);
}

static void show_events(const char *folder)
{
	char *path = xasprintf("%s/events.json", folder), *line = NULL, *last[EVENTS_SHOWN] = { 0 };
	FILE *in = fopen(path, "re");
	size_t size = 0, n = 0, i;
	json_t *event;

	while (in && getline(&line, &size, in) >= 0) {
		event = json_loads(line, 0, NULL);
		if (event && strcmp(text_of(event, "source"), "kernel")) {
			free(last[n % EVENTS_SHOWN]);
			last[n++ % EVENTS_SHOWN] = xasprintf("%10.3f %s %s",
				json_integer_value(json_object_get(event, "time_ns")) / 1e9,
				text_of(event, "guest"), text_of(event, "text"));
		}
		json_decref(event);
	}
	if (in)
		fclose(in);
	for (i = n < EVENTS_SHOWN ? 0 : n - EVENTS_SHOWN; i < n; i++)
		puts(last[i % EVENTS_SHOWN]);
	free(line);
	free(path);
}

static void show_schedule(const char *folder)
{
	char *path = xasprintf("%s/schedule.timeline", folder), *line = NULL;
	FILE *in = fopen(path, "re");
	size_t size = 0;

	while (in && getline(&line, &size, in) >= 0)
		if (strncmp(line, "end ", 4))
			fputs(line, stdout);
	if (in)
		fclose(in);
	free(line);
	free(path);
}

static void account(struct shrink *shrink, const struct part *part, size_t had)
{
	char *only = part_text(shrink, part), *from, *to;
	unsigned int i, failed = 0;

	for (i = 0; i < RATE_RUNS; i++)
		failed += run_once(shrink, only) > 0;
	from = xasprintf("%s/schedule.timeline", shrink->failed);
	to = xasprintf("%s/minimal.timeline", shrink->folder);
	copy_file(from, to, shrink->lab.open);
	printf("\n%zu of %zu faults are left, after %u runs; they failed %u of %d times:\n\n",
	       part->n, had, shrink->runs, failed, RATE_RUNS);
	show_schedule(shrink->failed);
	printf("\n");
	show_rows(shrink->failed);
	printf("\nThe last events of %s:\n\n", shrink->failed);
	show_events(shrink->failed);
	printf("\n" NAME " test --seed %s --only '%s' %s\n%s\n", shrink->seed, only, shrink->test, to);
	free(from);
	free(to);
	free(only);
}

/* ---- the verb ---- */

/* What is drawn today is what was done then, as far as the lines for the end. */
static bool is_as_drawn(const struct test *test, const struct schedule *schedule, const char *folder)
{
	char *path = xasprintf("%s/schedule.timeline", folder), *text = NULL, *line = NULL, *pos;
	FILE *out, *in = fopen(path, "re");
	size_t len, size = 0;
	bool same = in;

	out = open_memstream(&text, &len);
	schedule_write(out, test, schedule, 0);
	fclose(out);
	pos = text;
	while (same && getline(&line, &size, in) >= 0 && strncmp(line, "end ", 4)) {
		same = !strncmp(pos, line, strlen(line));
		pos += same ? strlen(line) : 0;
	}
	if (in)
		fclose(in);
	free(line);
	free(text);
	free(path);
	return same;
}

static void take_part(struct shrink *shrink, struct part *part, const json_t *verdict)
{
	char *only, *why;
	json_t *fault;
	uint64_t nr;
	size_t i;

	json_array_foreach(json_object_get(verdict, "faults"), i, fault) {
		if (!units_u64(text_of(fault, "id") + 1, &nr) || !nr || nr > shrink->schedule.n)
			die(TEST_USAGE, "%s: the seed has no such fault", text_of(fault, "id"));
		part_add(part, nr, (int64_t)(json_number_value(json_object_get(fault, "for")) * 1000 +
					     0.5) * MS);
	}
	only = part_text(shrink, part);
	/* a copy, as it was done */
	if (!schedule_pick(&shrink->schedule, only, &why))
		die(TEST_USAGE, "%s", why);
	free(only);
}

int shrink_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct shrink shrink = { .opt = opt };
	struct part part = { 0 };
	struct test test = { 0 };
	json_t *verdict;
	sigset_t open;
	uint64_t seed;
	char *path;
	size_t had;

	if (!lab->file || *args)
		die(LAB_USAGE, "shrink: which folder of results?");
	path = xasprintf("%s/verdict.json", lab->file);
	verdict = json_load_file(path, 0, NULL);
	if (!verdict)
		die(LAB_USAGE, "%s: is not there, or is no verdict", path);
	if (json_integer_value(json_object_get(verdict, "status")) != TEST_FAILED)
		die(LAB_USAGE, "%s: the run has not failed: %s", lab->file,
		    text_of(verdict, "verdict"));
	shrink.test = xstrdup(text_of(verdict, "test"));
	shrink.seed = xstrdup(text_of(verdict, "seed"));
	shrink.signature = xstrdup(text_of(verdict, "signature"));
	test_read(&test, shrink.test, lab->kernel);
	if (!test.has_faults || !units_u64(shrink.seed, &seed))
		die(LAB_USAGE, "%s: has no faults", shrink.test);
	schedule_draw(&shrink.schedule, &test.space, seed);
	take_part(&shrink, &part, verdict);
	if (!is_as_drawn(&test, &shrink.schedule, lab->file))
		die(LAB_USAGE, "%s: the seed draws something else by now: %s or its lab has changed",
		    lab->file, shrink.test);
	/* numbers are the whole schedule's again */
	schedule_free(&shrink.schedule);
	schedule_draw(&shrink.schedule, &test.space, seed);
	shrink.folder = xasprintf("%s.shrink", path_canonical(lab->file));
	if (mkdir(shrink.folder, 0777))
		die(LAB_USAGE, "%s: %m", shrink.folder);
	stop_catch(&open);
	shrink.lab.folder = test.folder;
	shrink.lab.open = &open;
	shrink.kernel = !lab->kernel ? NULL : strchr(lab->kernel, '/') ?
			path_canonical(lab->kernel) : lab->kernel;
	had = part.n;
	if (!fails(&shrink, &part)) {
		printf("%s: held %u times: nothing to shrink\n", lab->file, shrink.runs);
		return TEST_FAILED;
	}
	make_fewer(&shrink, &part);
	make_shorter(&shrink, &part);
	account(&shrink, &part, had);
	return TEST_HELD;
}
