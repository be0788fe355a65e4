/* SPDX-License-Identifier: GPL-2.0 */
/* umf-lab test, explore, shrink: what their files share. Grouped by the file that has it. */
#ifndef __UMF_LAB_TEST_H
#define __UMF_LAB_TEST_H

#include <jansson.h>
#include "lab.h"
#include "test_draw.h"

/* Exit statuses of these verbs. */
enum {
	TEST_HELD	= 0,
	TEST_FAILED	= 1,	/* something did not hold */
	TEST_USAGE	= LAB_USAGE,
	TEST_LAB	= 3,	/* the lab itself failed: there is no verdict */
};

/* ---- test_file.c: the .test file ---- */

enum check_role {
	CHECK_FIRST, CHECK_ALWAYS, CHECK_FINALLY, CHECK_SOMETIMES, CHECK_LOAD, NR_CHECK_ROLES
};

struct check {
	enum check_role role;
	char *name;
	char *on;		/* a guest, or NULL: the host */
	char *run;
	int64_t every, within, limit;	/* ns */
	int line;
};

struct test {
	char *path, *folder;	/* canonical */
	char *name;		/* the file's, without its ending */
	char *lab_path, *timeline;
	struct lab lab;		/* its file, not one that is up */
	struct check *check;
	size_t nr_checks;
	struct strings allow;	/* kernels' lines that are no splat, regular expressions */
	struct strings capture;	/* "<guest> <device>" */
	int64_t heal;		/* ns */
	bool has_faults;
	struct space space;
};

/* Ends the tool with one line if the file, or the lab's, is wrong. */
void test_read(struct test *test, const char *file, const char *kernel);

/* ---- test_schedule.c: what is done, as a timeline ---- */

/* With the heal at its end, which is done whatever happens. */
void schedule_write(FILE *out, const struct test *test, const struct schedule *schedule,
		    int64_t boot);
/* The heal alone. */
void schedule_write_heal(FILE *out, const struct test *test, int64_t boot);
/* "f1,f3:1.5s": only these, and how long; NULL: it is none, and *@why is the word. */
bool schedule_pick(struct schedule *schedule, const char *words, char **why);

/* ---- test_proc.c: processes ---- */

struct proc {
	pid_t pid;		/* 0: does not run */
	int status;		/* of the last one, as a shell has it */
	int64_t begun, ended;	/* now_ns() */
};

/* The lab of a run, as child processes of this tool are told it. */
struct proc_lab {
	const char *folder;	/* where they run */
	const char *lab, *run, *kernel, *results;
	uint64_t seed;
	const sigset_t *open;
};

/* Output and errors are appended to that file. False, and a line, if it cannot be. */
bool proc_start(struct proc *proc, const struct proc_lab *lab, char *const *argv,
		const char *out, const char *err);
/* This tool, with the verb and so on of a NULL-terminated list. */
bool proc_verb(struct proc *proc, const struct proc_lab *lab, const char *out, ...);
bool proc_runs(struct proc *proc);	/* … still */
/* Asks it to end, and waits; after @patience ns it is killed. */
void proc_end(struct proc *proc, int64_t patience);

/* ---- test_check.c: checks and loads while they run ---- */

struct run;

struct checking {
	const struct check *check;
	struct proc proc;
	char *out;		/* file of all output */
	off_t from;		/* where the last one's begins */
	int64_t next;		/* when it is asked again, now_ns() */
	unsigned int asked, held, unanswered;
	bool failed;
	int status;
	int64_t when;		/* it failed, or was reached; ns since up */
	bool reached;		/* was true once */
	bool active;		/* asked while the run goes on */
	bool told;		/* there is a row */
};

/* Starts what is due, and looks after what has ended. */
void checking_tick(struct run *run, struct checking *c);
/* Asks once; it is running then. */
bool checking_ask(struct run *run, struct checking *c);
void checking_end(struct run *run, struct checking *c);
/* The last lines of the last one's output, to be freed. */
char *checking_tail(const struct checking *c);

/* ---- test_run.c: one run ---- */

struct row {
	char *name;
	bool ok;
	char *why;		/* NULL: nothing to say */
	char *skip;		/* NULL: was done */
};

struct run {
	const struct test *test;
	struct schedule schedule;
	struct proc_lab lab;
	char *results;
	int64_t boot;
	int64_t zero;		/* now_ns(), when it began */
	struct checking *checking;
	struct proc events, faults, timeline, heal;
	bool up;		/* there may be guests */
	bool begun;		/* faults may be */
	bool early;		/* … and were ended before their time */
	bool overcommit;
	struct row *row;
	size_t nr_rows;
	char *signature;	/* of the first thing that failed */
	bool failed, lab_failed;
	double seconds;
	json_t *fired;		/* a number for each fault, or a string why there is none */
	FILE *tap;
};

/* ---- test_result.c: what becomes of it ---- */

__attribute__((format(printf, 5, 6)))
void run_row(struct run *run, bool ok, const char *signature, const char *why,
	     const char *fmt, ...);
__attribute__((format(printf, 3, 4)))
void run_skip(struct run *run, const char *why, const char *fmt, ...);
/* Both copy what the run took, and write what became of it. False, and a line. */
bool result_begin(struct run *run);
bool result_end(struct run *run, int status);
bool result_junit(const struct run *run, const char *path);

/* ---- test_fired.c ---- */

/* What became of each fault, from the event log. */
void fired_judge(struct run *run, bool broke_off);

/* ---- splat.c ---- */

/* The log's first line that a healthy kernel never prints, to be freed; NULL: there is none. */
char *splat_find(const char *path, const struct strings *allow);
/* NULL: it is a regular expression. */
char *splat_wrong(const char *regex);

#endif /* __UMF_LAB_TEST_H */
