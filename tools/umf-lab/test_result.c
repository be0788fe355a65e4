// SPDX-License-Identifier: GPL-2.0
/*
 * What a run leaves: rows on standard output as TAP, and a folder.
 *
 *	inputs/			the .test, the lab file, the timeline
 *	inputs.json		all files that it took, with their hashes
 *	schedule.timeline	what was drawn; heal.timeline
 *	events.json		umf-lab events
 *	faults.json		what the schedule did, as mconsole-fault run -w has it
 *	up.log schedule.log …	what the tools said
 *	checks/			the output of each check
 *	logs/			the guests' and the lab's
 *	tap
 *	verdict.json		once there is one: a folder without was cut short
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "../lib/record.h"
#include "../lib/xalloc.h"
#include "test.h"

#define HASH_MAX	(64LL << 20)	/* larger ones have their size and time */

/* ---- rows ---- */

__attribute__((format(printf, 2, 3)))
static void tap(struct run *run, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
	if (!run->tap)
		return;
	va_start(ap, fmt);
	vfprintf(run->tap, fmt, ap);
	va_end(ap);
	fflush(run->tap);
}

static struct row *add_row(struct run *run, const char *fmt, va_list ap)
{
	char *name = xvasprintf(fmt, ap);

	run->row = xrealloc(run->row, (run->nr_rows + 1) * sizeof(*run->row));
	memset(&run->row[run->nr_rows], 0, sizeof(*run->row));
	run->row[run->nr_rows].name = log_clean(name);
	run->row[run->nr_rows].ok = true;
	return &run->row[run->nr_rows++];
}

/* "#" in a description would begin a directive. */
static void tap_line(struct run *run, const struct row *row)
{
	char *name = xstrdup(row->name), *at;

	for (at = name; (at = strchr(at, '#'));)
		*at = '*';
	tap(run, "%sok %zu - %s%s%s\n", row->ok ? "" : "not ", run->nr_rows, name,
	    row->skip ? " # SKIP " : "", row->skip ?: "");
	free(name);
}

void run_row(struct run *run, bool ok, const char *signature, const char *why,
	     const char *fmt, ...)
{
	char *copy, *pos, *line;
	struct row *row;
	va_list ap;

	va_start(ap, fmt);
	row = add_row(run, fmt, ap);
	va_end(ap);
	row->ok = ok;
	row->why = why && *why ? xstrdup(why) : NULL;
	if (!ok) {
		run->failed = true;
		run->signature = run->signature ?: xstrdup(signature);
	}
	tap_line(run, row);
	copy = pos = row->why ? xstrdup(row->why) : NULL;
	while (pos && (line = strsep(&pos, "\n")))
		if (*line)
			tap(run, "# %s\n", line);
	free(copy);
}

void run_skip(struct run *run, const char *why, const char *fmt, ...)
{
	struct row *row;
	va_list ap;

	va_start(ap, fmt);
	row = add_row(run, fmt, ap);
	va_end(ap);
	row->skip = xstrdup(why);
	tap_line(run, row);
}

/* ---- JUnit ---- */

static void put_xml(FILE *out, const char *text)
{
	for (; *text; text++)
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else if ((unsigned char)*text < 32 && *text != '\n' && *text != '\t')
			fputc('?', out);
		else
			fputc(*text, out);
}

static void put_case(FILE *out, const struct run *run, const struct row *row)
{
	fprintf(out, "  <testcase classname=\"");
	put_xml(out, run->test->name);
	fprintf(out, "\" name=\"");
	put_xml(out, row->name);
	if (row->ok && !row->skip) {
		fprintf(out, "\"/>\n");
		return;
	}
	fprintf(out, "\">\n    <%s message=\"", row->skip ? "skipped" : "failure");
	put_xml(out, row->skip ?: row->name);
	fprintf(out, "\">");
	put_xml(out, row->why ?: "");
	fprintf(out, "</%s>\n  </testcase>\n", row->skip ? "skipped" : "failure");
}

bool result_junit(const struct run *run, const char *path)
{
	size_t i, failures = 0, skipped = 0;
	FILE *out = fopen(path, "we");

	if (!out) {
		say("--junit %s: %m", path);
		return false;
	}
	for (i = 0; i < run->nr_rows; i++) {
		failures += !run->row[i].ok;
		skipped += !!run->row[i].skip;
	}
	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"");
	put_xml(out, run->test->name);
	fprintf(out, "\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\"", run->nr_rows, failures,
		skipped);
	fprintf(out, " errors=\"%d\" time=\"%.3f\">\n", run->lab_failed, run->seconds);
	fprintf(out, "  <properties>\n    <property name=\"seed\" value=\"%" PRIu64 "\"/>\n",
		run->schedule.seed);
	fprintf(out, "  </properties>\n");
	for (i = 0; i < run->nr_rows; i++)
		put_case(out, run, &run->row[i]);
	fprintf(out, "</testsuite>\n");
	if (!(ferror(out) | fclose(out)))
		return true;
	say("--junit %s: cannot be written", path);
	return false;
}

/* ---- inputs ---- */

static void add_input(struct strings *list, const char *path)
{
	struct stat st;
	size_t i;

	if (!path || stat(path, &st) || !S_ISREG(st.st_mode))
		return;
	for (i = 0; i < list->n; i++)
		if (!strcmp(list->s[i], path))
			return;
	strings_add(list, xstrdup(path));
}

static void list_inputs(const struct test *test, struct strings *list)
{
	const struct lab *lab = &test->lab;
	size_t i, k;

	add_input(list, test->path);
	add_input(list, lab->path);
	add_input(list, test->timeline);
	for (i = 0; i < lab->nr_guests; i++) {
		add_input(list, lab->guest[i].kernel);
		add_input(list, lab->guest[i].rootfs);
		add_input(list, lab->guest[i].setup);
		for (k = 0; k < lab->guest[i].nr_disks; k++)
			add_input(list, lab->guest[i].disk[k].backing);
	}
	for (i = 0; i < lab->found.n; i++)
		add_input(list, lab->found.s[i]);
}

/* By sha256sum, which is everywhere; NULL: it failed. */
static char *hash(const char *path)
{
	char *line = NULL, *sum = NULL;
	size_t size = 0;
	FILE *in = quote_run("sha256sum <", path, "");

	if (in && getline(&line, &size, in) >= 64)
		sum = xstrndup(line, 64);
	if (in)
		pclose(in);
	free(line);
	return sum;
}

static json_t *describe_input(const char *path)
{
	json_t *json = json_pack("{so}", "path", record_text(path));
	char utc[UTC_LEN], *sum;
	struct stat st;

	if (stat(path, &st))
		return json;
	json_object_set_new(json, "bytes", json_integer(st.st_size));
	sum = st.st_size <= HASH_MAX ? hash(path) : NULL;
	if (sum)
		json_object_set_new(json, "sha256", json_string(sum));
	else
		json_object_set_new(json, "changed", json_string(utc_text(
			st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec, utc)));
	free(sum);
	return json;
}

static bool write_json(json_t *json, const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name), *new = xasprintf("%s.new", path);
	bool ok = json && !json_dump_file(json, new, JSON_INDENT(1)) && !rename(new, path);

	if (!ok)
		say("%s: cannot be written: %m", path);
	json_decref(json);
	free(new);
	free(path);
	return ok;
}

static bool copy_input(const struct run *run, const char *path)
{
	char *copy = xstrdup(path), *to;
	bool ok;

	to = xasprintf("%s/inputs/%s", run->results, basename(copy));
	ok = copy_file(path, to, run->lab.open);
	free(to);
	free(copy);
	return ok;
}

static bool make_folder(const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);
	bool ok = !mkdir(path, 0777);

	if (!ok)
		say("%s: %m", path);
	free(path);
	return ok;
}

static bool write_timeline(const struct run *run, const char *name, bool all)
{
	char *path = xasprintf("%s/%s", run->results, name);
	FILE *out = fopen(path, "we");
	bool ok = out;

	if (out && all)
		schedule_write(out, run->test, &run->schedule, run->boot);
	else if (out)
		schedule_write_heal(out, run->test, run->boot);
	if (out)
		ok = !(ferror(out) | fclose(out));
	if (!ok)
		say("%s: cannot be written: %m", path);
	free(path);
	return ok;
}

bool result_begin(struct run *run)
{
	const struct test *test = run->test;
	struct strings inputs = { 0 };
	json_t *list = json_array();
	char *path;
	size_t i;

	if (!make_folder(run->results, "inputs") || !make_folder(run->results, "checks") ||
	    !make_folder(run->results, "logs"))
		return false;
	path = xasprintf("%s/tap", run->results);
	run->tap = fopen(path, "we");
	free(path);
	list_inputs(test, &inputs);
	for (i = 0; i < inputs.n; i++)
		json_array_append_new(list, describe_input(inputs.s[i]));
	tap(run, "# %s, seed %" PRIu64 ", results in %s\n", test->name, run->schedule.seed,
	    run->results);
	return write_json(list, run->results, "inputs.json") && copy_input(run, test->path) &&
	       copy_input(run, test->lab.path) &&
	       (!test->timeline || copy_input(run, test->timeline)) &&
	       write_timeline(run, "schedule.timeline", true) &&
	       write_timeline(run, "heal.timeline", false);
}

/* ---- the verdict ---- */

static json_t *describe_rows(const struct run *run)
{
	json_t *list = json_array(), *json;
	const struct row *row;

	for (row = run->row; row < run->row + run->nr_rows; row++) {
		json = json_pack("{so sb}", "name", record_text(row->name), "ok", row->ok);
		if (row->why)
			json_object_set_new(json, "why", record_text(row->why));
		if (row->skip)
			json_object_set_new(json, "skip", record_text(row->skip));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *describe_faults(const struct run *run)
{
	json_t *list = json_array(), *json;
	const struct fault *fault;
	char id[16];
	size_t i;

	for (i = 0; i < run->schedule.n; i++) {
		fault = &run->schedule.fault[i];
		snprintf(id, sizeof(id), "f%u", fault->nr);
		json = json_pack("{ss ss ss ss ss sf sf}", "id", id,
				 "kind", kind_names[fault->action->kind],
				 "guest", fault->target->guest,
				 "device", fault->target->device,
				 "action", fault->action->name,
				 "at", fault->at / 1e9, "for", fault->time / 1e9);
		if (run->fired)
			json_object_set(json, "fired", json_array_get(run->fired, i));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *describe_checks(const struct run *run)
{
	json_t *list = json_array(), *json;
	const struct checking *c;
	size_t i;

	for (i = 0; i < run->test->nr_checks; i++) {
		c = &run->checking[i];
		json = json_pack("{so si si si sb sf}", "name", record_text(c->check->name),
				 "asked", (int)c->asked, "held", (int)c->held,
				 "unanswered", (int)c->unanswered,
				 "sometimes", c->check->role == CHECK_SOMETIMES,
				 "last", c->when / 1e9);
		json_array_append_new(list, json);
	}
	return list;
}

bool result_end(struct run *run, int status)
{
	static const char * const words[] = {
		[TEST_HELD] = "held", [TEST_FAILED] = "failed", [TEST_LAB] = "lab failed",
	};
	char seed[32];
	json_t *json;

	tap(run, "1..%zu\n", run->nr_rows);
	snprintf(seed, sizeof(seed), "%" PRIu64, run->schedule.seed);
	json = json_pack("{so ss ss si sf so so so}", "test", record_text(run->test->path),
			 "seed", seed, "verdict", words[status], "status", status,
			 "seconds", run->seconds, "rows", describe_rows(run),
			 "faults", describe_faults(run), "checks", describe_checks(run));
	if (json && run->signature)
		json_object_set_new(json, "signature", record_text(run->signature));
	if (json)
		json_object_set_new(json, "tool", json_string(NAME " " UMF_VERSION));
	if (run->tap)
		fclose(run->tap);
	run->tap = NULL;
	return write_json(json, run->results, "verdict.json");
}
