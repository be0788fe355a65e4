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
/* Appends the guests of "n1,n2"; what is wrong with a name is said. */
void tool_find_guests(struct tool *tool, const char *names);

/* ---- request.c ---- */

/* "fault <words>", quoted, match= compiled; ends the tool if it cannot be. */
char *request_make(const struct words *words);

/* ---- match.c ---- */

/*
 * Compiles a pcap filter for Ethernet to the text of bpf=. Returns NULL and
 * libpcap's message in *@why; the caller frees either.
 */
char *match_compile(const char *filter, char **why);

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
int ask_timeout(const struct tool *tool);
/* Calls @line for each line of a reply, without its newline. */
void ask_lines(const char *reply, void (*line)(char *line, void *data),
	       void *data);

/* ---- print.c ---- */

/* A reply as it is, each line named if there are several guests. */
void print_reply(const struct tool *tool, const struct guest *guest,
		 const char *reply);
__attribute__((format(printf, 2, 3)))
void print_error(const struct guest *guest, const char *fmt, ...);

/* ---- record.c ---- */

/* What a verb's reply becomes in JSON: an object for each line. */
typedef json_t *record_fn(const char *guest, const char *line);

record_fn *record_of(const char *verb);	/* NULL: it has no records */
record_fn record_stats, record_event;
/* Appends the objects of all of @reply to @array. */
void record_all(json_t *array, record_fn *record, const char *guest,
		const char *reply);
/* A JSON string of a guest's bytes, which need not be UTF-8. */
json_t *record_text(const char *text);
void record_print(json_t *json);	/* one line; takes it over */

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
int64_t timeline_clock(void);	/* CLOCK_MONOTONIC, ns */
int64_t timeline_now(void);	/* ns since the run began */
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
int watch_width(void);		/* of the longest name */
void watch_begin(void);
void watch_end(void);

/* ---- run.c ---- */

#define RUN_HOST	"host"	/* in the place of a guest's name */

void run_verb(struct tool *tool, const char *path);

/* ---- wait.c, follow.c: the verbs that are not in the guest ---- */

void wait_verb(struct tool *tool, bool once, int argc, char **argv);
void follow_verb(struct tool *tool, int argc, char **argv);

/*
 * wait, in pieces: what @argv, which stays, says, for the guests of @tool.
 * wait_look() looks once; @last: what is not true now never will be. What came
 * out is said, and counted in tool->status. It returns how many guests are left;
 * with @sigmask a signal ends it early, as ask().
 */
struct wait *wait_new(struct tool *tool, bool once, int argc, char **argv);
int wait_look(struct wait *wait, int timeout_ms, bool last,
	      const sigset_t *sigmask);
void wait_free(struct wait *wait);

#endif /* __UMF_TOOL_H */
