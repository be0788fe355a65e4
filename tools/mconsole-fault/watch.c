// SPDX-License-Identifier: GPL-2.0
/*
 * Watching guests while a run goes on: what their rules do and what their
 * consoles say goes to the timeline. Each guest has a thread, for one that is
 * frozen must not hold up the others, nor the run.
 *
 * A guest's times are its own: seconds since it booted. Each look asks for the
 * guest's clock, too, and the quickest answer tells how far it is from the
 * host's. A clock that fell behind is another boot, whose events count from 1
 * again; one that ran ahead is a guest's that travels in time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "tool.h"

#define LOOK_MS		50
#define SILENT_MS	1000		/* a guest's, before the next look */
#define JUMP_NS		100000000LL	/* more than clocks drift apart */

struct watch {
	struct watch *next;
	pthread_t thread;
	char *name;
	int console;			/* a file to follow, or -1 */
	char *part;			/* of a line that has no end yet */
	uint64_t since;			/* the last event seen */
	bool synced;
	int64_t offset;			/* the run's clock less the guest's, ns */
	int64_t error;			/* what it may be wrong by */
	atomic_bool done;		/* one more look, and that is all */
};

static struct watch *watches;

/* ---- what a look brought ---- */

struct look {
	struct watch *watch;
	int64_t asked, answered;
	bool again;			/* it was of another boot */
};

static void see_clock(struct look *look, const char *text)
{
	int64_t error = (look->answered - look->asked) / 2, off;
	struct watch *watch = look->watch;
	uint64_t ns;

	if (!units_time(text, true, &ns))
		return;
	off = look->asked + error - (int64_t)ns - watch->offset;
	if (watch->synced && off > error + watch->error + JUMP_NS) {
		look->again = watch->since > 0;
		watch->since = 0;
	}
	if (!watch->synced || error < watch->error ||
	    llabs(off) > error + watch->error + JUMP_NS) {
		watch->offset += off;
		watch->error = error;
		watch->synced = true;
	}
}

static void see_event(struct watch *watch, const char *line)
{
	json_t *event = record_event(watch->name, line);
	const char *what, *rule, *device, *action;
	json_int_t seq, ns, index;
	char *text;

	if (json_unpack(event, "{sI sI ss ss ss sI ss}", "seq", &seq,
			"time_ns", &ns, "device", &device, "rule", &rule,
			"action", &action, "index", &index, "what", &what)) {
		timeline_add(timeline_now(), LINE_EVENT, watch->name, line, event);
		return;
	}
	watch->since = seq;
	if (ns + watch->offset < 0) {	/* before the run */
		json_decref(event);
		return;
	}
	text = xasprintf("%s %s %s %" JSON_INTEGER_FORMAT "%s%s", device, rule,
			 action, index, *what ? " " : "", what);
	timeline_add(ns + watch->offset, LINE_EVENT, watch->name, text, event);
	free(text);
}

static void see_line(char *line, void *data)
{
	struct look *look = data;

	if (!strncmp(line, "time=", 5))
		see_clock(look, line + 5);
	else if (!look->again)
		see_event(look->watch, line);
}

/* ---- a console's file ---- */

/* "[    3.141592] …" is the kernel's; anything else is now. */
static void see_console(const struct watch *watch, const char *line)
{
	int64_t time = timeline_now();
	uint64_t ns;
	char *stamp;
	size_t len;

	len = *line == '[' ? strcspn(line, "]") : 0;
	if (len && line[len] && watch->synced) {
		stamp = xstrndup(line + 1, len - 1);
		if (units_time(stamp + strspn(stamp, " "), true, &ns))
			time = ns + watch->offset;
		free(stamp);
	}
	if (*line && time >= 0)
		timeline_add(time, LINE_CONSOLE, watch->name, line, NULL);
}

static void read_console(struct watch *watch)
{
	char buf[4096], *text, *pos, *line;
	ssize_t len;

	while (watch->console >= 0 &&
	       (len = read(watch->console, buf, sizeof(buf) - 1)) > 0) {
		buf[len] = '\0';
		text = xasprintf("%s%s", watch->part, buf);
		pos = text;
		while (strchr(pos, '\n')) {
			line = strsep(&pos, "\n");
			line[strcspn(line, "\r")] = '\0';
			see_console(watch, line);
		}
		free(watch->part);
		watch->part = xstrdup(pos);
		free(text);
	}
}

/* ---- looking ---- */

static void look_at(struct watch *watch, struct guest_list *list)
{
	struct look look = { .watch = watch };
	struct mconsole_call call = { 0 };
	char *why, *request;

	if (!list->n && guest_find(list, watch->name, &why)) {
		free(why);
		return;
	}
	request = xasprintf("fault time; events since=%" PRIu64, watch->since);
	call.path = list->guest[0].path;
	call.request = request;
	look.asked = timeline_now();
	mconsole_run(&call, 1, SILENT_MS, NULL);
	look.answered = timeline_now();
	if (!call.err && !call.refused) {
		ask_lines(call.reply, see_line, &look);
	} else if (call.err != -ETIMEDOUT) {
		/* gone; who comes back under that name may be elsewhere */
		guest_list_free(list);
		watch->synced = false;
		watch->since = 0;
	}
	mconsole_free(&call);
	free(request);
	if (look.again)
		look_at(watch, list);
}

static void *watch_thread(void *data)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct guest_list list = { 0 };
	struct watch *watch = data;
	bool last;

	do {
		last = atomic_load(&watch->done);
		look_at(watch, &list);
		read_console(watch);
		if (!last)
			nanosleep(&pause, NULL);
	} while (!last);
	guest_list_free(&list);
	return NULL;
}

static struct watch *find(const char *name)
{
	struct watch *watch;

	for (watch = watches; watch; watch = watch->next)
		if (!strcmp(watch->name, name))
			return watch;
	watch = xrealloc(NULL, sizeof(*watch));
	memset(watch, 0, sizeof(*watch));
	watch->name = xstrdup(name);
	watch->part = xstrdup("");
	watch->console = -1;
	watch->next = watches;
	watches = watch;
	return watch;
}

void watch_guest(const char *name)
{
	find(name);
}

void watch_console(const char *name, const char *path)
{
	struct watch *watch = find(name);

	if (watch->console >= 0)
		tool_usage("--console %s=%s: %s has one already", name, path, name);
	watch->console = open(path, O_RDONLY | O_CLOEXEC);
	if (watch->console < 0)
		tool_usage("--console %s=%s: %m", name, path);
	/* what it said before the run is not the run's */
	lseek(watch->console, 0, SEEK_END);
}

int watch_width(void)
{
	size_t width = strlen(RUN_HOST);
	struct watch *watch;

	for (watch = watches; watch; watch = watch->next)
		if (strlen(watch->name) > width)
			width = strlen(watch->name);
	return width;
}

void watch_begin(void)
{
	struct watch *watch;
	int err;

	for (watch = watches; watch; watch = watch->next) {
		err = pthread_create(&watch->thread, NULL, watch_thread, watch);
		if (err) {
			errno = err;
			tool_usage("run: cannot watch %s: %m", watch->name);
		}
	}
}

void watch_end(void)
{
	struct watch *watch;

	for (watch = watches; watch; watch = watch->next)
		atomic_store(&watch->done, true);
	while ((watch = watches)) {
		pthread_join(watch->thread, NULL);
		if (watch->console >= 0)
			close(watch->console);
		watches = watch->next;
		free(watch->name);
		free(watch->part);
		free(watch);
	}
}
