// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's times are its own: seconds since it booted. Each look asks for the
 * guest's clock, too, and the quickest answer tells how far it is from the
 * host's.
 *
 * Another boot, whose events count from 1 again, has another socket, or a clock
 * that went backwards. (A clock that goes faster or slower than the host's is a
 * guest's that travels in time, or has a rule for that.)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "look.h"
#include "mconsole.h"
#include "units.h"
#include "xalloc.h"

#define SILENT_MAX_MS	5000		/* of a guest that is slow */
#define JUMP_NS		100000000LL	/* more than clocks drift apart */
#define GOOD_NS		3000000LL	/* an error that is worth no more questions */
#define SYNC_TRIES	4

static int64_t host_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int64_t clock_of(const struct look *look)
{
	return look->clock_of ? look->clock_of() : host_clock();
}

int64_t look_host_time(const struct look *look, uint64_t ns)
{
	return (int64_t)ns + look->offset;
}

static void forget_boot(struct look *look)
{
	if (look->forget)
		look->forget(look);
	look->since = 0;
	look->clock = 0;
	look->synced = false;
}

static void see_clock(struct look *look, const char *text)
{
	int64_t error = (look->answered - look->asked) / 2, off;
	uint64_t ns;

	if (!units_time(text, true, &ns))
		return;
	if (ns < look->clock) {
		look->again = true;
		forget_boot(look);
	}
	look->clock = ns;
	off = look->asked + error - (int64_t)ns - look->offset;
	if (!look->synced || error < look->error ||
	    llabs(off) > error + look->error + JUMP_NS) {
		look->offset += off;
		look->error = error;
		look->synced = true;
	}
}

static void see_line(char *line, void *data)
{
	struct look *look = data;

	if (!strncmp(line, "time=", 5))
		see_clock(look, line + 5);
	else if (!look->again)
		look->line(look, line);
}

static bool which_boot(const char *path, struct look_boot *boot)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	boot->dev = st.st_dev;
	boot->ino = st.st_ino;
	boot->time = st.st_ctim;
	return true;
}

static bool same_boot(const struct look_boot *a, const struct look_boot *b)
{
	return a->dev == b->dev && a->ino == b->ino &&
	       a->time.tv_sec == b->time.tv_sec && a->time.tv_nsec == b->time.tv_nsec;
}

/* Finds it, if need be, and notes whether it has booted since it was last seen. */
static bool find_boot(struct look *look)
{
	struct look_boot boot;
	char *why;

	if (!look->list.n && guest_find(&look->list, look->name, &why)) {
		free(why);
		forget_boot(look);
		return false;
	}
	atomic_store(&look->found, true);
	if (!which_boot(look->list.guest[0].path, &boot)) {
		guest_list_free(&look->list);
		forget_boot(look);
		return false;
	}
	if (look->boot.ino && !same_boot(&look->boot, &boot))
		forget_boot(look);
	look->boot = boot;
	return true;
}

/* One question. False: no answer, or one from who knows which boot. */
static bool ask_guest(struct look *look, const char *request, int ms)
{
	struct mconsole_call call = { .request = request };
	struct look_boot boot;
	bool ok = false;

	if (!find_boot(look))
		return false;
	call.path = look->list.guest[0].path;
	look->asked = clock_of(look);
	mconsole_run(&call, 1, ms ? ms : look->silent_ms, NULL);
	look->answered = clock_of(look);
	if (call.err == -ETIMEDOUT) {
		/* asked too often, a slow one only answers what nobody waits for */
		if (look->silent_ms < SILENT_MAX_MS)
			look->silent_ms *= 2;
	} else if (call.err) {
		/* gone; who comes back under that name may be elsewhere */
		guest_list_free(&look->list);
	} else if (!call.refused && which_boot(call.path, &boot) &&
		   same_boot(&boot, &look->boot)) {
		look->silent_ms = LOOK_SILENT_MS;
		if (look->answer)
			look->answer(look);
		mconsole_lines(call.reply, see_line, look);
		ok = true;
	}
	mconsole_free(&call);
	return ok;
}

bool look_at(struct look *look, int ms)
{
	int tries = SYNC_TRIES;
	char *request;
	bool ok;

	if (!look->silent_ms)
		look->silent_ms = LOOK_SILENT_MS;
	do {
		look->again = false;
		ok = true;
		while (ok && tries && (!look->synced || look->error > GOOD_NS)) {
			ok = ask_guest(look, "fault time", ms);
			tries--;
		}
		if (!ok)
			return false;
		look->again = false;
		request = xasprintf("fault time; events since=%" PRIu64 "%s", look->since,
				    look->more ?: "");
		ok = ask_guest(look, request, ms);
		free(request);
	} while (look->again);
	return ok;
}

void look_end(struct look *look)
{
	guest_list_free(&look->list);
}
