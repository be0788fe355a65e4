// SPDX-License-Identifier: GPL-2.0
/*
 * Watching guests while a run goes on: what their rules do and what their
 * consoles say goes to the timeline. Each guest has a thread, for one that is
 * frozen must not hold up the others, nor the run.
 *
 * No event is left out because a guest's clock is not known well (lib/look.c):
 * what was before the run is known by the sequence numbers that were there at its
 * beginning, and only of a guest that was silent then by the clock, if that is
 * sure.
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
#include "../lib/look.h"
#include "../lib/tail.h"
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "tool.h"

#define LOOK_MS		50
#define BEGIN_NS	1500000000LL	/* how long the run waits for guests */

struct watch {
	struct watch *next;
	pthread_t thread;
	char *name;
	struct tail console;		/* a file to follow, if any */
	int64_t console_time;		/* of its last line */
	struct look look;
	bool all;			/* events it has are all of the run */
	bool before;			/* what comes is from before the run */
	bool started;
	bool begun;			/* lock's */
	atomic_bool done;		/* one more look, and that is all */
};

static struct watch *watches;

/* The run begins when all have had a first look, or have taken too long for it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static bool running;			/* lock's */

static bool is_running(void)
{
	bool is;

	pthread_mutex_lock(&lock);
	is = running;
	pthread_mutex_unlock(&lock);
	return is;
}

/* ---- what a look brought ---- */

static void forget_boot(struct look *look)
{
	struct watch *watch = look->data;

	watch->all = true;
}

static void see_answer(struct look *look)
{
	struct watch *watch = look->data;

	watch->before = !is_running();
}

/*
 * On the run's clock: not before @least, nor after it was told, whatever the
 * clocks say.
 */
static int64_t run_time(const struct watch *watch, uint64_t ns, int64_t least,
			int64_t told)
{
	int64_t time = timeline_at(look_host_time(&watch->look, ns));

	if (time > told)
		time = told;
	return time > least ? time : least;
}

static bool was_before(const struct watch *watch, uint64_t ns)
{
	return !watch->all &&
	       timeline_at(look_host_time(&watch->look, ns) + watch->look.error) < 0;
}

static const char *field(const json_t *event, const char *key)
{
	return json_string_value(json_object_get(event, key)) ?: "";
}

static void see_event(struct look *look, char *line)
{
	struct watch *watch = look->data;
	json_t *event = record_event(watch->name, line);
	const char *what = field(event, "what");
	uint64_t seq, ns, index;
	char *text;

	if (!record_get(event, "seq", &seq) || !record_get(event, "time_ns", &ns) ||
	    !record_get(event, "index", &index)) {
		if (watch->before)
			json_decref(event);
		else
			timeline_add(timeline_now(), LINE_EVENT, watch->name, line, event);
		return;
	}
	look->since = seq;
	if (watch->before || was_before(watch, ns)) {
		json_decref(event);
		return;
	}
	text = xasprintf("%s %s %s %" PRIu64 "%s%s", field(event, "device"),
			 field(event, "rule"), field(event, "action"), index,
			 *what ? " " : "", what);
	timeline_add(run_time(watch, ns, 0, timeline_at(look->answered)), LINE_EVENT,
		     watch->name, text, event);
	free(text);
}

/* ---- a console's file ---- */

/*
 * "[    3.141592] …" is the kernel's time; anything else is now. They are in
 * order, also where the clock that is known is that of the boot before.
 */
static void see_console(char *line, void *data)
{
	struct watch *watch = data;
	int64_t time = timeline_now();
	uint64_t ns;
	char *stamp;
	size_t len;

	len = *line == '[' ? strcspn(line, "]") : 0;
	if (len && line[len] && watch->look.synced) {
		stamp = xstrndup(line + 1, len - 1);
		if (units_time(stamp + strspn(stamp, " "), true, &ns))
			time = run_time(watch, ns, watch->console_time, time);
		free(stamp);
	}
	watch->console_time = time;
	if (*line)
		timeline_add(time, LINE_CONSOLE, watch->name, line, NULL);
}

/* ---- looking ---- */

static void look(struct watch *watch)
{
	/* what it has from now on, the run has seen the beginning of */
	if (look_at(&watch->look, atomic_load(&watch->done) ? LOOK_SILENT_MS : 0))
		watch->all = true;
}

static void wait_running(struct watch *watch)
{
	pthread_mutex_lock(&lock);
	watch->begun = true;
	pthread_cond_broadcast(&changed);
	while (!running)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void *watch_thread(void *data)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct watch *watch = data;
	bool last;

	look(watch);
	wait_running(watch);
	do {
		last = atomic_load(&watch->done);
		look(watch);
		tail_read(&watch->console, see_console, watch);
		if (!last)
			nanosleep(&pause, NULL);
	} while (!last);
	return NULL;
}

static bool alone;

void watch_alone(void)
{
	alone = true;
}

void watch_look(void)
{
	struct watch *watch;

	for (watch = watches; watch; watch = watch->next) {
		look(watch);
		tail_read(&watch->console, see_console, watch);
	}
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
	watch->console.fd = -1;
	watch->look.name = watch->name;
	watch->look.forget = forget_boot;
	watch->look.answer = see_answer;
	watch->look.line = see_event;
	watch->look.data = watch;
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

	if (watch->console.fd >= 0)
		tool_usage("--console %s=%s: %s has one already", name, path, name);
	watch->console.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (watch->console.fd < 0)
		tool_usage("--console %s=%s: %m", name, path);
	/* what it said before the run is not the run's */
	lseek(watch->console.fd, 0, SEEK_END);
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

bool watch_seen(const char *name)
{
	struct watch *watch;

	for (watch = watches; watch; watch = watch->next)
		if (!strcmp(watch->name, name))
			return atomic_load(&watch->look.found);
	return false;
}

static void run(void)
{
	pthread_mutex_lock(&lock);
	timeline_zero();
	running = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

bool watch_begin(void (*absent)(const char *name))
{
	int64_t end = timeline_clock() + BEGIN_NS;
	struct timespec until = { end / 1000000000, end % 1000000000 };
	pthread_condattr_t attr;
	struct watch *watch;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &attr);
	for (watch = watches; watch; watch = watch->next) {
		if (alone) {
			watch->look.clock_of = timeline_clock;
			look(watch);
			watch->begun = true;
			continue;
		}
		err = pthread_create(&watch->thread, NULL, watch_thread, watch);
		if (err) {
			run();
			errno = err;
			return false;
		}
		watch->started = true;
	}
	pthread_mutex_lock(&lock);
	for (watch = watches; watch; watch = watch->next)
		while (!watch->begun &&
		       !pthread_cond_timedwait(&changed, &lock, &until))
			;
	pthread_mutex_unlock(&lock);
	run();
	for (watch = watches; watch; watch = watch->next)
		if (!atomic_load(&watch->look.found))
			absent(watch->name);
	return true;
}

void watch_end(void)
{
	struct watch *watch;

	for (watch = watches; watch; watch = watch->next)
		atomic_store(&watch->done, true);
	if (alone)
		watch_look();
	while ((watch = watches)) {
		if (watch->started)
			pthread_join(watch->thread, NULL);
		tail_end(&watch->console);
		watches = watch->next;
		look_end(&watch->look);
		free(watch->name);
		free(watch);
	}
}
