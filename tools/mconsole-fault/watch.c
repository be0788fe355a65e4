// SPDX-License-Identifier: GPL-2.0
/*
 * Watching guests while a run goes on: what their rules do and what their
 * consoles say goes to the timeline. Each guest has a thread, for one that is
 * frozen must not hold up the others, nor the run.
 *
 * A guest's times are its own: seconds since it booted. Each look asks for the
 * guest's clock, too, and the quickest answer tells how far it is from the
 * host's. No event is left out because that is not known well: what was before
 * the run is known by the sequence numbers that were there at its beginning, and
 * only of a guest that was silent then by the clock, if that is sure.
 *
 * Another boot, whose events count from 1 again, has another socket, or a clock
 * that went backwards. (A clock that goes faster or slower than the host's is a
 * guest's that travels in time, or has a rule for that.)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "tool.h"

#define LOOK_MS		50
#define SILENT_MS	1000		/* a guest's, before the next look */
#define SILENT_MAX_MS	5000		/* the same, of one that is slow */
#define BEGIN_NS	1500000000LL	/* how long the run waits for guests */
#define JUMP_NS		100000000LL	/* more than clocks drift apart */
#define GOOD_NS		3000000LL	/* an error that is worth no more questions */
#define SYNC_TRIES	4

/* Which boot a socket belongs to: each makes its own. */
struct boot {
	dev_t dev;
	ino_t ino;
	struct timespec time;
};

struct watch {
	struct watch *next;
	pthread_t thread;
	char *name;
	int console;			/* a file to follow, or -1 */
	char *part;			/* of a line that has no end yet */
	int64_t console_time;		/* of its last line */
	struct guest_list list;		/* it, once found */
	struct boot boot;
	bool all;			/* events it has are all of the run */
	uint64_t since;			/* the last event seen */
	uint64_t clock;			/* its, when last seen; ns */
	bool synced;
	int64_t offset;			/* the host's clock less the guest's, ns */
	int64_t error;			/* what it may be wrong by */
	int silent_ms;
	bool started;
	bool begun;			/* lock's */
	atomic_bool seen;
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

struct look {
	struct watch *watch;
	int64_t asked, answered;	/* timeline_clock() */
	bool before;			/* the run */
	bool again;			/* it was of another boot */
};

static void forget_boot(struct watch *watch)
{
	watch->all = true;
	watch->since = 0;
	watch->clock = 0;
	watch->synced = false;
}

static void see_clock(struct look *look, const char *text)
{
	int64_t error = (look->answered - look->asked) / 2, off;
	struct watch *watch = look->watch;
	uint64_t ns;

	if (!units_time(text, true, &ns))
		return;
	if (ns < watch->clock) {
		look->again = true;
		forget_boot(watch);
	}
	watch->clock = ns;
	off = look->asked + error - (int64_t)ns - watch->offset;
	if (!watch->synced || error < watch->error ||
	    llabs(off) > error + watch->error + JUMP_NS) {
		watch->offset += off;
		watch->error = error;
		watch->synced = true;
	}
}

/*
 * On the run's clock: not before @least, nor after it was told, whatever the
 * clocks say.
 */
static int64_t run_time(const struct watch *watch, uint64_t ns, int64_t least,
			int64_t told)
{
	int64_t time = timeline_at((int64_t)ns + watch->offset);

	if (time > told)
		time = told;
	return time > least ? time : least;
}

static bool was_before(const struct watch *watch, uint64_t ns)
{
	return !watch->all &&
	       timeline_at((int64_t)ns + watch->offset + watch->error) < 0;
}

static const char *field(const json_t *event, const char *key)
{
	return json_string_value(json_object_get(event, key)) ?: "";
}

static void see_event(struct look *look, const char *line)
{
	struct watch *watch = look->watch;
	json_t *event = record_event(watch->name, line);
	const char *what = field(event, "what");
	uint64_t seq, ns, index;
	char *text;

	if (!record_get(event, "seq", &seq) || !record_get(event, "time_ns", &ns) ||
	    !record_get(event, "index", &index)) {
		if (look->before)
			json_decref(event);
		else
			timeline_add(timeline_now(), LINE_EVENT, watch->name, line, event);
		return;
	}
	watch->since = seq;
	if (look->before || was_before(watch, ns)) {
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

static void see_line(char *line, void *data)
{
	struct look *look = data;

	if (!strncmp(line, "time=", 5))
		see_clock(look, line + 5);
	else if (!look->again)
		see_event(look, line);
}

/* ---- a console's file ---- */

/*
 * "[    3.141592] …" is the kernel's time; anything else is now. They are in
 * order, also where the clock that is known is that of the boot before.
 */
static void see_console(struct watch *watch, const char *line)
{
	int64_t time = timeline_now();
	uint64_t ns;
	char *stamp;
	size_t len;

	len = *line == '[' ? strcspn(line, "]") : 0;
	if (len && line[len] && watch->synced) {
		stamp = xstrndup(line + 1, len - 1);
		if (units_time(stamp + strspn(stamp, " "), true, &ns))
			time = run_time(watch, ns, watch->console_time, time);
		free(stamp);
	}
	watch->console_time = time;
	if (*line)
		timeline_add(time, LINE_CONSOLE, watch->name, line, NULL);
}

static void read_console(struct watch *watch)
{
	char buf[4096], *text, *pos, *line;
	ssize_t len;

	while (watch->console >= 0 &&
	       (len = read(watch->console, buf, sizeof(buf) - 1)) > 0) {
		buf[len] = '\0';
		while (strlen(buf) < (size_t)len)
			buf[strlen(buf)] = '?';
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

static bool which_boot(const char *path, struct boot *boot)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	boot->dev = st.st_dev;
	boot->ino = st.st_ino;
	boot->time = st.st_ctim;
	return true;
}

static bool same_boot(const struct boot *a, const struct boot *b)
{
	return a->dev == b->dev && a->ino == b->ino &&
	       a->time.tv_sec == b->time.tv_sec && a->time.tv_nsec == b->time.tv_nsec;
}

/* Finds it, if need be, and notes whether it has booted since it was last seen. */
static bool find_boot(struct watch *watch)
{
	struct boot boot;
	char *why;

	if (!watch->list.n && guest_find(&watch->list, watch->name, &why)) {
		free(why);
		forget_boot(watch);
		return false;
	}
	atomic_store(&watch->seen, true);
	if (!which_boot(watch->list.guest[0].path, &boot)) {
		guest_list_free(&watch->list);
		forget_boot(watch);
		return false;
	}
	if (watch->boot.ino && !same_boot(&watch->boot, &boot))
		forget_boot(watch);
	watch->boot = boot;
	return true;
}

/* One question. False: no answer, or one from who knows which boot. */
static bool ask_guest(struct watch *watch, const char *request, struct look *look)
{
	struct mconsole_call call = { .request = request };
	struct boot boot;
	bool ok = false;

	if (!find_boot(watch))
		return false;
	call.path = watch->list.guest[0].path;
	look->asked = timeline_clock();
	mconsole_run(&call, 1, atomic_load(&watch->done) ? SILENT_MS :
		     watch->silent_ms, NULL);
	look->answered = timeline_clock();
	if (call.err == -ETIMEDOUT) {
		/* asked too often, a slow one only answers what nobody waits for */
		if (watch->silent_ms < SILENT_MAX_MS)
			watch->silent_ms *= 2;
	} else if (call.err) {
		/* gone; who comes back under that name may be elsewhere */
		guest_list_free(&watch->list);
	} else if (!call.refused && which_boot(call.path, &boot) &&
		   same_boot(&boot, &watch->boot)) {
		watch->silent_ms = SILENT_MS;
		look->before = !is_running();
		ask_lines(call.reply, see_line, look);
		ok = true;
	}
	mconsole_free(&call);
	return ok;
}

static void look_at(struct watch *watch)
{
	struct look look = { .watch = watch };
	int tries = SYNC_TRIES;
	char *request;
	bool ok;

	do {
		look.again = false;
		ok = true;
		while (ok && tries && (!watch->synced || watch->error > GOOD_NS)) {
			ok = ask_guest(watch, "fault time", &look);
			tries--;
		}
		if (!ok)
			return;
		look.again = false;
		request = xasprintf("fault time; events since=%" PRIu64, watch->since);
		ok = ask_guest(watch, request, &look);
		free(request);
	} while (look.again);
	/* what it has from now on, the run has seen the beginning of */
	if (ok)
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

	look_at(watch);
	wait_running(watch);
	do {
		last = atomic_load(&watch->done);
		look_at(watch);
		read_console(watch);
		if (!last)
			nanosleep(&pause, NULL);
	} while (!last);
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
	watch->silent_ms = SILENT_MS;
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

bool watch_seen(const char *name)
{
	struct watch *watch;

	for (watch = watches; watch; watch = watch->next)
		if (!strcmp(watch->name, name))
			return atomic_load(&watch->seen);
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
		if (!atomic_load(&watch->seen))
			absent(watch->name);
	return true;
}

void watch_end(void)
{
	struct watch *watch;

	for (watch = watches; watch; watch = watch->next)
		atomic_store(&watch->done, true);
	while ((watch = watches)) {
		if (watch->started)
			pthread_join(watch->thread, NULL);
		if (watch->console >= 0)
			close(watch->console);
		watches = watch->next;
		guest_list_free(&watch->list);
		free(watch->name);
		free(watch->part);
		free(watch);
	}
}
