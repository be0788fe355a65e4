// SPDX-License-Identifier: GPL-2.0
/*
 * explore: runs of a .test file, a seed each, one after the other. A run is `umf-lab test`
 * with a folder seed-<N> in the campaign's, and what is known of it is its verdict.json:
 * the campaign keeps nothing else, so that it goes on after whatever ended it. A seed's
 * folder without a verdict is of a run that was cut short, and is run anew.
 *
 *	<campaign>/campaign.json	the files that the runs are of, with their hashes
 *	<campaign>/seed-<N>/		test_result.c
 *	<campaign>/log			what the runs said
 *	<campaign>/summary		as it is printed
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/record.h"
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "test.h"

#define PATIENCE_NS	90000000000LL	/* a run that was told to end heals, and takes its lab down */
#define SEEDS_SHOWN	8

struct tally {
	char *name;
	size_t n;		/* runs, or drawn */
	size_t fired;
	struct strings seeds;
};

struct tallies {
	struct tally *tally;
	size_t n;
};

struct campaign {
	const struct test *test;
	const struct options *opt;
	char *folder;
	struct proc_lab lab;
	char *kernel;
	size_t runs, before, held, failed, lab_failed;
	struct tallies failures, faults, sometimes;
	double seconds;
	bool tty;
};

static struct tally *tally_of(struct tallies *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (!strcmp(list->tally[i].name, name))
			return &list->tally[i];
	list->tally = xrealloc(list->tally, (list->n + 1) * sizeof(*list->tally));
	memset(&list->tally[list->n], 0, sizeof(*list->tally));
	list->tally[list->n].name = xstrdup(name);
	return &list->tally[list->n++];
}

/* ---- a verdict ---- */

static const char *text_of(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key)) ?: "";
}

static void count_faults(struct campaign *campaign, const json_t *verdict)
{
	struct tally *tally;
	json_t *fault;
	size_t i;
	char *name;

	json_array_foreach(json_object_get(verdict, "faults"), i, fault) {
		name = xasprintf("%s %s", text_of(fault, "kind"), text_of(fault, "action"));
		tally = tally_of(&campaign->faults, name);
		tally->n++;
		tally->fired += json_is_integer(json_object_get(fault, "fired"));
		free(name);
	}
}

static void count_sometimes(struct campaign *campaign, const json_t *verdict)
{
	json_t *check;
	size_t i;

	json_array_foreach(json_object_get(verdict, "checks"), i, check)
		if (json_is_true(json_object_get(check, "sometimes")))
			tally_of(&campaign->sometimes, text_of(check, "name"))->n +=
				json_integer_value(json_object_get(check, "held")) > 0;
}

/* False: there is none. */
static bool take_verdict(struct campaign *campaign, const char *folder)
{
	char *path = xasprintf("%s/verdict.json", folder);
	json_t *verdict = json_load_file(path, 0, NULL);
	int status = json_integer_value(json_object_get(verdict, "status"));
	struct tally *tally;

	free(path);
	if (!verdict)
		return false;
	campaign->runs++;
	campaign->seconds += json_number_value(json_object_get(verdict, "seconds"));
	campaign->held += status == TEST_HELD;
	campaign->failed += status == TEST_FAILED;
	campaign->lab_failed += status == TEST_LAB;
	if (status) {
		tally = tally_of(&campaign->failures, text_of(verdict, "signature"));
		tally->n++;
		strings_add(&tally->seeds, xstrdup(text_of(verdict, "seed")));
		if (campaign->tty)
			fputs("\r\033[K", stderr);
		printf("seed %s: %s: %s\n", text_of(verdict, "seed"), text_of(verdict, "verdict"),
		       text_of(verdict, "signature"));
		fflush(stdout);
	}
	count_faults(campaign, verdict);
	count_sometimes(campaign, verdict);
	json_decref(verdict);
	return true;
}

/* ---- which campaign ---- */

static json_t *describe(const struct test *test)
{
	const char *paths[] = { test->path, test->lab.path, test->timeline };
	json_t *json = json_object();
	char *line = NULL;
	size_t size = 0, i;
	FILE *in;

	for (i = 0; i < 3; i++) {
		if (!paths[i])
			continue;
		in = quote_run("sha256sum <", paths[i], "");
		if (in && getline(&line, &size, in) >= 64) {
			line[64] = '\0';
			json_object_set_new(json, paths[i], json_string(line));
		}
		if (in)
			pclose(in);
	}
	free(line);
	return json;
}

static void open_campaign(struct campaign *campaign)
{
	const struct test *test = campaign->test;
	char *folder = campaign->opt->results ? xstrdup(campaign->opt->results) :
		       xasprintf("%s/%s.campaign", test->folder, test->name), *path;
	json_t *mine = describe(test), *there;
	bool made = !mkdir(folder, 0777);

	if (!made && errno != EEXIST)
		die(LAB_USAGE, "%s: %m", folder);
	campaign->folder = path_canonical(folder);
	path = xasprintf("%s/campaign.json", campaign->folder);
	there = json_load_file(path, 0, NULL);
	if (!made && !there)
		die(LAB_USAGE, "%s: is there, and is no campaign; --results FOLDER names another",
		    folder);
	if (there && !json_equal(there, mine))
		die(LAB_USAGE, "%s: was explored with another %s or %s; --results FOLDER begins anew",
		    folder, test->path, test->lab.path);
	if (!there && json_dump_file(mine, path, JSON_INDENT(1)))
		die(LAB_FAILED, "%s: %m", path);
	json_decref(there);
	json_decref(mine);
	free(path);
	free(folder);
}

/* ---- runs ---- */

static void show_progress(const struct campaign *campaign, int64_t begun, uint64_t seed)
{
	if (!campaign->tty)
		return;
	fprintf(stderr, "\r\033[K%zu runs", campaign->runs);
	if (campaign->opt->runs)
		fprintf(stderr, " of %" PRIu64, campaign->opt->runs);
	fprintf(stderr, ", %zu failed, %.0f s, seed %" PRIu64, campaign->failed +
		campaign->lab_failed, (now_ns() - begun) / 1e9, seed);
}

/* A lab whose run was killed, and what it had written: it has no verdict. */
static void clear_away(struct campaign *campaign, const char *folder)
{
	char *run = xasprintf("%s/lab.run", folder), *log = xasprintf("%s/log", campaign->folder);
	struct proc proc;

	if (!access(run, F_OK) && proc_verb(&proc, &campaign->lab, log, "--run", run, "down",
					    "--kill", "--wipe", NULL))
		while (proc_runs(&proc))
			up_pause(NULL);
	remove_tree(folder);
	free(log);
	free(run);
}

/* False: a signal came. */
static bool run_seed(struct campaign *campaign, uint64_t seed, const char *folder, int64_t begun)
{
	const struct options *opt = campaign->opt;
	char *log = xasprintf("%s/log", campaign->folder), number[32], time[32];
	char *argv[16] = { "/proc/self/exe", "test", "--seed", number, "--results",
			   (char *)folder };
	struct proc proc;
	size_t n = 6;

	snprintf(number, sizeof(number), "%" PRIu64, seed);
	snprintf(time, sizeof(time), "%.3f", opt->timeout / 1e9);
	if (campaign->kernel) {
		argv[n++] = "--kernel";
		argv[n++] = campaign->kernel;
	}
	if (opt->timed) {
		argv[n++] = "-t";
		argv[n++] = time;
	}
	if (opt->overcommit)
		argv[n++] = "--overcommit";
	argv[n++] = campaign->test->path;
	argv[n] = NULL;
	show_progress(campaign, begun, seed);
	if (!proc_start(&proc, &campaign->lab, argv, log, NULL))
		exit(TEST_LAB);
	while (proc_runs(&proc) && !stop_asked())
		up_pause(campaign->lab.open);
	proc_end(&proc, PATIENCE_NS);
	if (!stop_asked() && !take_verdict(campaign, folder))
		die(TEST_LAB, "seed %" PRIu64 ": the run has no verdict: status %d; %s has why",
		    seed, proc.status, log);
	free(log);
	return !stop_asked();
}

/* ---- the summary ---- */

static void put_summary(const struct campaign *campaign, FILE *out)
{
	const struct tally *tally;
	size_t i;

	fprintf(out, "%s: %zu runs: %zu held, %zu failed, %zu without a lab", campaign->test->name,
		campaign->runs, campaign->held, campaign->failed, campaign->lab_failed);
	if (campaign->runs)
		fprintf(out, "; %.1f s a run", campaign->seconds / campaign->runs);
	if (campaign->before)
		fprintf(out, " (%zu were there)", campaign->before);
	fprintf(out, "\n");
	for (tally = campaign->failures.tally; tally < campaign->failures.tally +
	     campaign->failures.n; tally++) {
		fprintf(out, "failed %zu times: %s; seeds", tally->n, tally->name);
		for (i = 0; i < tally->seeds.n && i < SEEDS_SHOWN; i++)
			fprintf(out, " %s", tally->seeds.s[i]);
		fprintf(out, "%s\n", i < tally->seeds.n ? " ..." : "");
	}
	for (tally = campaign->faults.tally; tally < campaign->faults.tally + campaign->faults.n;
	     tally++)
		fprintf(out, "fault %s: %zu drawn, %zu fired\n", tally->name, tally->n,
			tally->fired);
	for (tally = campaign->sometimes.tally; tally < campaign->sometimes.tally +
	     campaign->sometimes.n; tally++)
		fprintf(out, "sometimes %s: %s in %zu of %zu runs\n", tally->name,
			tally->n ? "reached" : "never reached,", tally->n, campaign->runs);
}

static void summarize(const struct campaign *campaign)
{
	char *path = xasprintf("%s/summary", campaign->folder);
	FILE *out = fopen(path, "we");

	if (campaign->tty)
		fputs("\r\033[K", stderr);
	put_summary(campaign, stdout);
	fflush(stdout);
	if (out) {
		put_summary(campaign, out);
		fclose(out);
	} else {
		say("%s: %m", path);
	}
	free(path);
}

/* ---- the verb ---- */

static void dry_run(const struct test *test, const struct options *opt, uint64_t first)
{
	struct schedule schedule;
	uint64_t i;

	for (i = 0; i < opt->runs; i++) {
		schedule_draw(&schedule, &test->space, first + i);
		schedule_write(stdout, test, &schedule, 60000000000LL);
		schedule_free(&schedule);
	}
}

int explore_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct test test = { 0 };
	struct campaign campaign = { .test = &test, .opt = opt, .tty = isatty(2) && !opt->quiet };
	uint64_t first = opt->seeded ? opt->seed : 1, i;
	int64_t begun;
	sigset_t open;
	char *folder;

	if (!lab->file || *args)
		die(LAB_USAGE, "explore: which .test file?");
	if (!opt->runs && !opt->length)
		die(LAB_USAGE, "explore: how long? --runs N or --for T says it");
	if (opt->junit || opt->only)
		die(LAB_USAGE, "--junit and --only are for test");
	test_read(&test, lab->file, lab->kernel);
	if (!test.has_faults)
		die(LAB_USAGE, "%s: a seed draws nothing without faults { }", lab->file);
	if (opt->dry_run) {
		dry_run(&test, opt, first);
		return TEST_HELD;
	}
	open_campaign(&campaign);
	stop_catch(&open);
	campaign.lab.folder = test.folder;
	campaign.lab.open = &open;
	campaign.kernel = !lab->kernel ? NULL : strchr(lab->kernel, '/') ?
			  path_canonical(lab->kernel) : lab->kernel;
	begun = now_ns();
	for (i = 0; (!opt->runs || i < opt->runs) && !stop_asked(); i++) {
		folder = xasprintf("%s/seed-%" PRIu64, campaign.folder, first + i);
		if (take_verdict(&campaign, folder)) {
			campaign.before++;
		} else {
			if (opt->length && now_ns() > begun + (int64_t)opt->length)
				break;
			if (!access(folder, F_OK))
				clear_away(&campaign, folder);
			run_seed(&campaign, first + i, folder, begun);
		}
		free(folder);
	}
	summarize(&campaign);
	if (stop_asked()) {
		say("interrupted; the same command goes on from here");
		stop_die(stop_forget());
	}
	return campaign.lab_failed ? TEST_LAB : campaign.failed ? TEST_FAILED : TEST_HELD;
}
