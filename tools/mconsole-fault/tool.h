/* SPDX-License-Identifier: GPL-2.0 */
/* mconsole-fault: what its files share, grouped by the file that has it. */
#ifndef __UMF_TOOL_H
#define __UMF_TOOL_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "../lib/guest.h"
#include "../lib/mconsole.h"
#include "../lib/record.h"
#include "../lib/stop.h"
#include "../lib/words.h"

#ifndef UMF_VERSION
#define UMF_VERSION	"0.1"
#endif

/* The exit status; of several guests the highest counts. */
enum tool_exit {
	TOOL_DONE	= 0,
	TOOL_REFUSED	= 1,	/* a guest said no */
	TOOL_USAGE	= 2,	/* nothing was sent */
	TOOL_UNREACHED	= 3,	/* no guest, or no answer */
	TOOL_UNTRUE	= 4,	/* wait or expect did not come true */
};

#define TOOL_ANSWER_MS	5000	/* how long a guest may be silent */

struct tool {
	struct guest_list guests;	/* those that were found */
	bool several;			/* more than one was named */
	bool json;
	bool follow;
	bool text;			/* --text was given */
	bool consoles;			/* --console was given */
	bool check;			/* --check was given */
	const char *write;		/* -w: this file, or - */
	const char *read;		/* --read: this one */
	bool timed;			/* --timeout was given */
	uint64_t timeout;		/* it, in ns */
	enum tool_exit status;		/* the worst so far */
};

/* ---- main.c ---- */

void tool_worse(struct tool *tool, enum tool_exit status);
/* Says what is wrong with the command line and ends. */
__attribute__((noreturn, format(printf, 1, 2)))
void tool_usage(const char *fmt, ...);

/* From now on tool_usage() begins with that; NULL: with the tool's name. */
void tool_where(const char *where);
/* Ends the tool if "n1,n2" is no list of guests; looks for none of them. */
void tool_check_names(const char *names);
/* Appends the guests of such a list; who is not there is said, and counted. */
void tool_find_guests(struct tool *tool, const char *names);

/* ---- request.c ---- */

/*
 * Appends "fault <words>", quoted, match= compiled: one request for as many
 * statements as a guest takes at once. Ends the tool if that cannot be done.
 */
void request_make(struct words *requests, const struct words *words);
/* The same of one statement, which is the caller's to free. */
char *request_one(const struct words *words);

/* ---- ask.c ---- */

/*
 * One call for each guest. A guest is in while its call has a request, which
 * is the caller's and may differ from guest to guest.
 */
struct mconsole_call *ask_new(const struct tool *tool);
void ask_free(const struct tool *tool, struct mconsole_call *calls);
/*
 * Asks the guests that are in. What went wrong is said on stderr, counted in
 * the exit status, and puts the guest out. Returns how many did what they were
 * asked, or -EINTR as mconsole_run().
 */
int ask(struct tool *tool, struct mconsole_call *calls, int timeout_ms,
	const sigset_t *sigmask);
/* The two halves of it: 0 or -EINTR; and whether that guest did it. */
int ask_send(const struct tool *tool, struct mconsole_call *calls, int timeout_ms,
	     const sigset_t *sigmask);
bool ask_judge(struct tool *tool, const struct guest *guest,
	       const struct mconsole_call *call);
/* One request after the other; a guest that refuses one gets none behind it. */
void ask_all(struct tool *tool, struct mconsole_call *calls,
	     const struct words *requests, const sigset_t *sigmask,
	     void (*done)(struct tool *tool, size_t guest, const char *reply, void *data),
	     void *data);
int ask_timeout(const struct tool *tool);

/* ---- print.c ---- */

/* A reply as it is, each line named if there are several guests. */
void print_reply(const struct tool *tool, const struct guest *guest,
		 const char *reply);
__attribute__((format(printf, 2, 3)))
void print_error(const struct guest *guest, const char *fmt, ...);

/* ---- rule.c ---- */

/* The reply to list: the seed's object, then one for each rule. */
void rule_list(json_t *array, const char *guest, const char *reply);

/* ---- text.c ---- */

struct text;

struct text *text_new(FILE *out);
/* The next bytes of a pcapng file; false: they are not what a guest writes. */
bool text_feed(struct text *text, const void *bytes, size_t len);
/* Did they end with a block? */
bool text_whole(const struct text *text);
void text_free(struct text *text);

/* ---- capture.c ---- */

/* @argv is what follows the verb. */
void capture_verb(struct tool *tool, int argc, char **argv);
void capture_read(struct tool *tool, const char *path);
/* As the guest must be told it, whose current folder is another. */
char *tool_path(const char *path);

/* ---- timeline.c ---- */

enum line_kind {
	LINE_COMMAND,	/* what is done next */
	LINE_REPLY,	/* what a guest answered */
	LINE_ERROR,	/* what went wrong */
	LINE_EVENT,	/* a rule fired */
	LINE_CONSOLE,	/* a guest's console */
	LINE_OUTPUT,	/* of a command of the host */
	LINE_NOTE,	/* of the run itself */
};

void timeline_begin(bool json, FILE *copy, int width);
void timeline_end(void);
bool timeline_runs(void);
/* From now on it goes by that: as long as it has time stand. */
void timeline_use(const struct calendar *calendar);
int64_t timeline_clock(void);	/* CLOCK_MONOTONIC, or of the calendar, ns */
int64_t timeline_at(int64_t clock);	/* that instant, in ns since the run began */
int64_t timeline_now(void);
void timeline_zero(void);	/* that is now */
/*
 * Each line of @text becomes one of the timeline. @json, which is taken over,
 * has more fields of the first; it may be NULL. Any thread.
 */
void timeline_add(int64_t time, enum line_kind kind, const char *guest,
		  const char *text, json_t *json);
void timeline_flush(bool all);	/* shows what nothing can come before any more */

/* ---- watch.c ---- */

void watch_guest(const char *name);
/* "<guest>=<file>", whose new lines are shown as well; ends the tool if not. */
void watch_console(const char *name, const char *path);
/* Before watch_begin(): watch_look() is called, and nothing is done beside it. */
void watch_alone(void);
void watch_look(void);
int watch_width(void);		/* of the longest name */
/* Calls @absent for each that is not there; false, and errno: it cannot watch. */
bool watch_begin(void (*absent)(const char *name));
/* Was a guest of that name there since? */
bool watch_seen(const char *name);
void watch_end(void);

/* ---- pass.c: time, of guests in virtual time ---- */

/* Of the lab of $UML_DIR, or of that guest. False: it is real time, and nothing of this is called. */
bool pass_begin(const char *path);
/* Until that time of timeline_clock(), or a signal of @open. False: there is no more. */
bool pass_until(int64_t clock, const sigset_t *open);
/* For somebody else to ask for some; and back. */
void pass_let(void);
void pass_hold(void);
void pass_end(void);

/* ---- run.c ---- */

#define RUN_HOST	"host"	/* in the place of a guest's name */

void run_verb(struct tool *tool, const char *path);

/* ---- step.c: the lines of such a file ---- */

enum step_when { WHEN_NEXT, WHEN_AFTER, WHEN_AT, WHEN_END };

struct step {
	char *where;		/* "<file>:<line>" */
	char *text;		/* as written, without the time */
	enum step_when when;
	int64_t time;		/* ns, WHEN_AFTER and WHEN_AT */
	char *guests;		/* NULL: nothing, or the host's command */
	char *command;		/* the host's */
	struct words words;	/* verb and arguments */
	struct words requests;	/* of a verb that is the guest's */
	struct wait *wait;	/* of one that is not */
	struct tool tool;	/* its guests, its timeout and how it ended */
};

struct steps {
	struct step *step;
	size_t n;
};

/* All of it, or the tool ends: what is read can be done. */
void steps_read(struct steps *steps, const struct tool *tool, const char *path);
/* Says which of their guests are not there, and where; false: any is. */
bool steps_find_guests(const struct steps *steps);
void steps_free(struct steps *steps);

/* ---- wait.c, follow.c: the verbs that are not in the guest ---- */

void wait_verb(struct tool *tool, bool once, int argc, char **argv);
void follow_verb(struct tool *tool, int argc, char **argv);

/*
 * wait, in pieces: what @argv, which stays, says; the tool ends if that is
 * wrong. wait_begin(): of the guests of @tool, from now on. wait_look() looks
 * once. What came out is said, and counted in tool->status. It returns how many
 * guests are left; with @sigmask a signal ends it early, as ask().
 */
struct wait *wait_new(bool once, int argc, char **argv);
void wait_begin(struct wait *wait, struct tool *tool);
int64_t wait_end(const struct wait *wait);	/* of timeline_clock() */
int wait_look(struct wait *wait, const sigset_t *sigmask);
void wait_free(struct wait *wait);

#endif /* __UMF_TOOL_H */
