// SPDX-License-Identifier: GPL-2.0
/*
 * test: one run of a .test file.
 *
 *	up	first	load, always, sometimes: begin
 *			faults, timeline	until both have ended
 *			heal, load ends
 *			heal = passes
 *			finally
 *			always ends
 *	events end, down, logs are kept, rows are judged
 *
 * What an `always` or a load finds ends the faults at once; they are healed by their
 * timeline's end. Whatever happens, the lab is taken down; what gets a signal leaves
 * neither a lab nor a folder.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/beside.h"
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "test.h"

#define SECOND		1000000000LL
#define BOOT_NS		(60 * SECOND)
#define PATIENCE_NS	(30 * SECOND)	/* for what was asked to end */
#define SETTLE_NS	(SECOND / 2)	/* events are as late as that */

/* ---- time passes ---- */

/* False: something has failed, or a signal came. */
static bool tick(struct run *run)
{
	bool ok = true;
	size_t i;

	up_pause(run->lab.open);
	for (i = 0; i < run->test->nr_checks; i++) {
		if (run->checking[i].active)
			checking_tick(run, &run->checking[i]);
		ok = ok && !run->checking[i].failed;
	}
	return ok && !stop_asked();
}

static bool wait_for(struct run *run, struct proc *proc)
{
	while (proc_runs(proc))
		if (!tick(run))
			return false;
	return true;
}

static bool let_pass(struct run *run, int64_t ns)
{
	int64_t end = now_ns() + ns;

	while (now_ns() < end)
		if (!tick(run))
			return false;
	return true;
}

static char *in_results(const struct run *run, const char *name)
{
	return xasprintf("%s/%s", run->results, name);
}

/* What a tool said last, or nothing. */
static char *last_line(const struct run *run, const char *name)
{
	char *path = in_results(run, name), *line = NULL, *last = xstrdup("");
	FILE *in = fopen(path, "re");
	size_t size = 0;

	while (in && getline(&line, &size, in) >= 0) {
		line[strcspn(line, "\r\n")] = '\0';
		/* but for the log of a guest that is shown there */
		if (!*line || strstr(line, "| "))
			continue;
		free(last);
		last = xstrdup(log_clean(line));
	}
	if (in)
		fclose(in);
	free(line);
	free(path);
	return last;
}

/* ---- the parts of a run ---- */

static bool bring_up(struct run *run)
{
	char *out = in_results(run, "up.log"), seed[32], boot[32], *why;
	struct proc proc;
	bool ok;

	snprintf(seed, sizeof(seed), "%" PRIu64, run->schedule.seed);
	snprintf(boot, sizeof(boot), "%.3f", run->boot / 1e9);
	ok = proc_verb(&proc, &run->lab, out, "up", "--fresh", "--seed", seed, "-t", boot,
		       run->overcommit ? "--overcommit" : NULL, NULL);
	free(out);
	run->up = ok;
	ok = ok && wait_for(run, &proc) && !proc.status;
	if (stop_asked()) {
		proc_end(&proc, PATIENCE_NS);
		return false;
	}
	why = ok ? NULL : last_line(run, "up.log");
	run_row(run, ok, "lab: up", why, "the lab is up");
	run->lab_failed = !ok;
	free(why);
	if (!ok)
		return false;
	out = in_results(run, "events.json");
	ok = proc_verb(&run->events, &run->lab, out, "events", "--json", "-f", NULL);
	free(out);
	return ok;
}

static bool start_captures(struct run *run)
{
	const struct strings *list = &run->test->capture;
	char *copy, *device, *file;
	struct proc proc;
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < list->n; i++) {
		copy = xstrdup(list->s[i]);
		device = strchr(copy, ' ');
		*device++ = '\0';
		file = xasprintf("%s/%s-%s.pcapng", run->results, copy, device);
		ok = proc_verb(&proc, &run->lab, "/dev/null", "fault", copy, "capture", device,
			       file, NULL) && wait_for(run, &proc) && !proc.status;
		if (!ok && !stop_asked())
			run_row(run, false, "lab: capture", NULL, "capture of %s %s", copy,
				device);
		free(file);
		free(copy);
	}
	run->lab_failed = run->lab_failed || !ok;
	return ok;
}

static const char *role_name(const struct check *check)
{
	static const char * const names[] = {
		[CHECK_FIRST] = "first", [CHECK_ALWAYS] = "always",
		[CHECK_FINALLY] = "finally", [CHECK_SOMETIMES] = "sometimes",
		[CHECK_LOAD] = "load",
	};

	return names[check->role];
}

static void failed_row(struct run *run, const struct checking *c, const char *why)
{
	char *tail = checking_tail(c), *text, *signature;

	text = xasprintf("%s%s", why, tail);
	signature = xasprintf("%s: %s", role_name(c->check), c->check->name);
	run_row(run, false, signature, text, "%s: %s", role_name(c->check), c->check->name);
	free(signature);
	free(text);
	free(tail);
}

/* What has to come true: asked until it does, at least once. */
static bool must_come(struct run *run, struct checking *c)
{
	int64_t end = now_ns() + c->check->within;
	char *why;

	c->next = 0;
	while (!c->reached && (!c->asked || c->proc.pid || now_ns() < end)) {
		checking_tick(run, c);
		if (!tick(run))
			break;
	}
	checking_end(run, c);
	c->told = c->reached || (!stop_asked() && now_ns() >= end && c->asked);
	if (c->reached) {
		run_row(run, true, NULL, NULL, "%s: %s", role_name(c->check), c->check->name);
	} else if (c->told) {
		why = c->check->within ?
			xasprintf("not within %g s: status %d", c->check->within / 1e9, c->status) :
			xasprintf("status %d", c->status);
		failed_row(run, c, why);
		free(why);
	}
	return c->reached;
}

static bool ask_all(struct run *run, enum check_role role)
{
	size_t i;

	for (i = 0; i < run->test->nr_checks; i++)
		if (run->test->check[i].role == role && !must_come(run, &run->checking[i]))
			return false;
	return true;
}

static void set_active(struct run *run, enum check_role role, bool active)
{
	size_t i;

	for (i = 0; i < run->test->nr_checks; i++) {
		if (run->test->check[i].role != role)
			continue;
		run->checking[i].active = active;
		if (!active)
			checking_end(run, &run->checking[i]);
	}
}

static bool start_timeline(struct run *run, struct proc *proc, const char *path, const char *name)
{
	char *log = xasprintf("%s/%s.log", run->results, name);
	char *json = xasprintf("%s/%s.json", run->results, name);
	bool ok = proc_verb(proc, &run->lab, log, "fault", "run", path, "-w", json, NULL);

	free(log);
	free(json);
	return ok;
}

/* Until all faults are gone; their timelines' ends heal. */
static bool do_faults(struct run *run)
{
	char *schedule = in_results(run, "schedule.timeline");
	char *heal = in_results(run, "heal.timeline");
	const char *timeline = run->test->timeline;
	bool ok = true;

	run->begun = true;
	if (timeline)
		ok = start_timeline(run, &run->timeline, timeline, "timeline");
	if (run->test->has_faults)
		ok = start_timeline(run, &run->faults, schedule, "schedule") && ok;
	ok = ok && wait_for(run, &run->timeline) && wait_for(run, &run->faults);
	if (!ok) {
		run->early = true;
		proc_end(&run->timeline, PATIENCE_NS);
		proc_end(&run->faults, run->boot + PATIENCE_NS);
	}
	if (timeline && !stop_asked() && start_timeline(run, &run->heal, heal, "heal"))
		while (proc_runs(&run->heal) && !stop_asked())
			tick(run);
	proc_end(&run->heal, PATIENCE_NS);
	free(schedule);
	free(heal);
	/* of a schedule that broke off, or did not heal, nothing more can be asked */
	return ok && !run->faults.status && !run->timeline.status && !run->heal.status;
}

/* From the first check to the last; false: it ended early. */
static bool do_all(struct run *run)
{
	bool ok;

	if (!bring_up(run) || !start_captures(run) || !ask_all(run, CHECK_FIRST))
		return false;
	set_active(run, CHECK_LOAD, true);
	set_active(run, CHECK_ALWAYS, true);
	set_active(run, CHECK_SOMETIMES, true);
	ok = do_faults(run);
	set_active(run, CHECK_LOAD, false);
	ok = ok && let_pass(run, run->test->heal) && ask_all(run, CHECK_FINALLY);
	/* one that has just begun ends */
	set_active(run, CHECK_ALWAYS, false);
	set_active(run, CHECK_SOMETIMES, false);
	return ok;
}

/* ---- its end ---- */

static void keep_logs(struct run *run)
{
	char *pattern = xasprintf("%s/*.log", run->lab.run), *to;
	glob_t found;
	size_t i;

	if (!glob(pattern, 0, NULL, &found)) {
		for (i = 0; i < found.gl_pathc && !stop_asked(); i++) {
			to = xasprintf("%s/logs%s", run->results,
				       strrchr(found.gl_pathv[i], '/'));
			copy_file(found.gl_pathv[i], to, run->lab.open);
			free(to);
		}
		globfree(&found);
	}
	free(pattern);
}

/* Neither a signal nor a check may keep it from being done. */
static void take_down(struct run *run)
{
	char *out = in_results(run, "down.log");
	struct proc proc;
	size_t i;

	for (i = 0; i < run->test->nr_checks; i++)
		checking_end(run, &run->checking[i]);
	if (!run->up)
		return;
	if (proc_verb(&proc, &run->lab, out, "down", "--kill", NULL))
		while (proc_runs(&proc))
			up_pause(NULL);
	proc_end(&run->events, 3 * SECOND);
	if (!stop_asked())
		keep_logs(run);
	if (proc_verb(&proc, &run->lab, out, "down", "--wipe", NULL))
		while (proc_runs(&proc))
			up_pause(NULL);
	free(out);
}

static void judge_faults(struct run *run)
{
	char *path = in_results(run, "schedule.log"), *line = NULL, *why = NULL, *signature;
	bool broke_off = false, not_healed = false;
	size_t size = 0, i, len, never = 0, fired = 0;
	FILE *in = fopen(path, "re"), *out;
	const struct fault *fault;
	const char *first = NULL;
	json_t *one;

	while (in && getline(&line, &size, in) >= 0) {
		if (strstr(line, ": failed; what stands behind it"))
			broke_off = true;
		else if (strstr(line, ": failed\n"))
			not_healed = true;
	}
	if (in)
		fclose(in);
	not_healed = not_healed || run->heal.status;
	fired_judge(run, broke_off || run->early);
	out = open_memstream(&why, &len);
	for (i = 0; i < run->schedule.n; i++) {
		one = json_array_get(run->fired, i);
		fault = &run->schedule.fault[i];
		fired += json_is_integer(one);
		if (!json_is_string(one) || strcmp(json_string_value(one), "never"))
			continue;
		fprintf(out, "f%u never fired: %s on %s %s\n", fault->nr, fault->action->name,
			fault->target->guest, fault->target->device);
		first = first ?: fault->action->name;
		never++;
	}
	if (broke_off)
		fprintf(out, "the schedule broke off: schedule.log has why\n");
	fclose(out);
	if (broke_off && !run->failed)
		run->lab_failed = true;
	if (run->test->has_faults) {
		signature = broke_off ? xstrdup("lab: the schedule broke off") :
			    xasprintf("never fired: %s", first ?: "");
		run_row(run, !never && !broke_off, signature, why, "faults: %zu of %zu fired",
			fired, run->schedule.n);
		free(signature);
	}
	run_row(run, !not_healed, "heal", not_healed ? "schedule.log or heal.log has why" : NULL,
		"heal: all guests are back");
	free(why);
	free(line);
	free(path);
}

static void judge_timeline(struct run *run)
{
	char *last;

	if (!run->test->timeline)
		return;
	if (run->timeline.status >= 128) {
		run_skip(run, "was ended", "timeline");
		return;
	}
	last = last_line(run, "timeline.log");
	run_row(run, !run->timeline.status, "timeline", run->timeline.status ? last : NULL,
		"timeline: all of it was done");
	free(last);
}

static void judge_checks(struct run *run)
{
	const struct check *check;
	struct checking *c;
	char *why;
	size_t i;

	for (i = 0; i < run->test->nr_checks; i++) {
		check = &run->test->check[i];
		c = &run->checking[i];
		if (check->role == CHECK_ALWAYS || check->role == CHECK_LOAD) {
			if (!c->asked) {
				run_skip(run, "the run had ended", "%s: %s", role_name(check),
					 check->name);
			} else if (c->failed) {
				why = xasprintf("at %.3f s: status %d", c->when / 1e9, c->status);
				failed_row(run, c, why);
				free(why);
			} else if (check->role == CHECK_ALWAYS && !c->held) {
				failed_row(run, c, "was never answered");
			} else if (check->role == CHECK_ALWAYS) {
				run_row(run, true, NULL, NULL, "always: %s (%u times%s)", check->name,
					c->held, c->unanswered ? ", some unanswered" : "");
			} else {
				run_row(run, true, NULL, NULL, "load: %s", check->name);
			}
		} else if (check->role != CHECK_SOMETIMES && !c->told) {
			run_skip(run, "the run had ended", "%s: %s", role_name(check), check->name);
		}
	}
}

static void judge_logs(struct run *run)
{
	const struct lab *lab = &run->test->lab;
	char *path, *found, *why, *signature = NULL, *all = xstrdup(""), *at;
	size_t i;

	for (i = 0; i < lab->nr_guests; i++) {
		path = xasprintf("%s/logs/%s.log", run->results, lab->guest[i].name);
		found = splat_find(path, &run->test->allow);
		if (found) {
			why = xasprintf("%s%s: %s\n", all, lab->guest[i].name, found);
			free(all);
			all = why;
			at = *found == '[' ? strstr(found, "] ") : NULL;
			if (!signature)
				signature = xasprintf("kernel: %.60s", at ? at + 2 : found);
		}
		free(found);
		free(path);
	}
	run_row(run, !signature, signature, all, "the kernels have nothing to complain about");
	free(signature);
	free(all);
}

static int finish(struct run *run, bool done)
{
	int status;

	run->seconds = (now_ns() - run->zero) / 1e9;
	/* what was found first says most */
	judge_checks(run);
	if (run->begun) {
		judge_timeline(run);
		judge_faults(run);
	}
	judge_logs(run);
	/* whatever it was, nobody has looked at all */
	if (!done && !run->failed && !run->lab_failed) {
		run_row(run, false, "lab: not done", NULL, "all of the run was done");
		run->lab_failed = true;
	}
	status = run->lab_failed ? TEST_LAB : run->failed ? TEST_FAILED : TEST_HELD;
	if (!result_end(run, status))
		status = TEST_LAB;
	return status;
}

/* ---- the verb ---- */

static uint64_t any_seed(void)
{
	uint32_t seed;

	if (getrandom(&seed, sizeof(seed), 0) < 0)
		seed = now_ns();
	return seed;
}

/* What is wrong with a timeline is said before anything is done. Its guests are not there yet. */
static void check_timeline(const char *path)
{
	char *tool = beside("bin/mconsole-fault"), *text = NULL, *line = NULL;
	size_t len, size = 0;
	FILE *out = open_memstream(&text, &len), *in;
	int status;

	quote(out, access(tool, X_OK) ? "mconsole-fault" : tool);
	fputs(" --check run ", out);
	quote(out, path);
	fputs(" 2>&1 >/dev/null", out);
	fclose(out);
	in = popen(text, "re");
	if (!in || getline(&line, &size, in) < 0)
		line = xstrdup(path);
	line[strcspn(line, "\n")] = '\0';
	status = in ? pclose(in) : -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == LAB_USAGE)
		die(LAB_USAGE, "%s", line);
	free(line);
	free(text);
	free(tool);
}

/* --results, or beside the file a folder that is not there yet. */
static char *make_results(const struct test *test, const struct options *opt, uint64_t seed)
{
	char *folder = NULL, *parent;
	unsigned int nr;

	if (opt->results) {
		if (mkdir(opt->results, 0777))
			die(LAB_USAGE, "--results %s: %m", opt->results);
		return path_canonical(opt->results);
	}
	parent = xasprintf("%s/%s.results", test->folder, test->name);
	if (mkdir(parent, 0777) && errno != EEXIST)
		die(LAB_USAGE, "%s: %m; --results FOLDER names another", parent);
	for (nr = 1; !folder; nr++) {
		folder = nr == 1 ? xasprintf("%s/seed-%" PRIu64, parent, seed) :
				   xasprintf("%s/seed-%" PRIu64 ".%u", parent, seed, nr);
		if (!mkdir(folder, 0777))
			break;
		if (errno != EEXIST)
			die(LAB_USAGE, "%s: %m", folder);
		free(folder);
		folder = NULL;
	}
	free(parent);
	return folder;
}

static void begin(struct run *run, const struct lab *given, const struct options *opt,
		  const sigset_t *open)
{
	const struct test *test = run->test;
	size_t i;

	run->boot = opt->timed ? (int64_t)opt->timeout : BOOT_NS;
	run->overcommit = opt->overcommit;
	run->zero = now_ns();
	run->lab.folder = test->folder;
	run->lab.lab = test->lab.path;
	run->lab.run = in_results(run, "lab.run");
	run->lab.results = run->results;
	/* it is read elsewhere */
	run->lab.kernel = !given->kernel ? NULL : strchr(given->kernel, '/') ?
			  path_canonical(given->kernel) : given->kernel;
	run->lab.seed = run->schedule.seed;
	run->lab.open = open;
	run->checking = calloc(test->nr_checks + 1, sizeof(*run->checking));
	if (!run->checking)
		die(LAB_FAILED, "%m");
	for (i = 0; i < test->nr_checks; i++) {
		run->checking[i].check = &test->check[i];
		run->checking[i].out = xasprintf("%s/checks/%zu-%s.log", run->results, i + 1,
						 role_name(&test->check[i]));
	}
}

/* What a signal ends leaves nothing. */
static void forget(struct run *run)
{
	if (run->tap)
		fclose(run->tap);
	remove_tree(run->results);
	stop_die(stop_forget());
}

int test_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct test test = { 0 };
	struct run run = { .test = &test };
	uint64_t seed = opt->seeded ? opt->seed : any_seed();
	sigset_t open;
	bool done;
	char *why;
	int status;

	if (!lab->file || *args)
		die(LAB_USAGE, "test: which .test file?");
	test_read(&test, lab->file, lab->kernel);
	if (test.timeline)
		check_timeline(test.timeline);
	if (test.has_faults)
		schedule_draw(&run.schedule, &test.space, seed);
	run.schedule.seed = seed;
	if (opt->only && !schedule_pick(&run.schedule, opt->only, &why))
		die(LAB_USAGE, "--only %s", why);
	if (opt->dry_run) {
		schedule_write(stdout, &test, &run.schedule, opt->timed ?
			       (int64_t)opt->timeout : BOOT_NS);
		return TEST_HELD;
	}
	run.results = make_results(&test, opt, seed);
	stop_catch(&open);
	begin(&run, lab, opt, &open);
	if (!result_begin(&run)) {
		if (stop_asked())
			forget(&run);
		return TEST_LAB;
	}
	done = do_all(&run);
	if (run.up && !stop_asked())
		let_pass(&run, SETTLE_NS);
	take_down(&run);
	if (stop_asked())
		forget(&run);
	status = finish(&run, done);
	if (opt->junit && !result_junit(&run, opt->junit))
		status = status ?: TEST_LAB;
	return status;
}
