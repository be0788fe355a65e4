/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looking at a guest again and again: what its rules have done since the last
 * look, and how far its clock is from the host's.
 */
#ifndef __UMF_LOOK_H
#define __UMF_LOOK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include "guest.h"

/* Which boot a socket belongs to: each makes its own. */
struct look_boot {
	dev_t dev;
	ino_t ino;
	struct timespec time;
};

struct look {
	/* who looks says, and keeps, these; all may be NULL but the first and line() */
	const char *name;		/* as guest_find() takes it */
	const char *more;		/* what else is asked: "; list" */
	void (*forget)(struct look *look);	/* it has booted, or is gone */
	void (*answer)(struct look *look);	/* lines of an answer come */
	/* A line of it, but for the clock's. Who has an event says so in ->since. */
	void (*line)(struct look *look, char *line);
	void *data;
	/* What time it is where times are to be of another clock than the host's, or NULL. */
	int64_t (*clock_of)(void);
	uint64_t since;			/* the last event seen */

	/* these are to be read */
	atomic_bool found;		/* it was there, once */
	bool synced;
	int64_t offset;			/* the host's clock less the guest's, ns */
	int64_t error;			/* what it may be wrong by */
	int64_t asked, answered;	/* CLOCK_MONOTONIC or clock_of(), ns */
	struct look_boot boot;

	/* look.c's own */
	struct guest_list list;		/* it, once found */
	uint64_t clock;			/* its, when last seen; ns */
	int silent_ms;
	bool again;			/* the answer was of another boot */
};

#define LOOK_SILENT_MS	1000		/* a guest's, before the next look */

/* One look. @ms: no answer takes longer, 0: it is up to the guest. False: there was none. */
bool look_at(struct look *look, int ms);
/* A guest's time on that clock, if synced. */
int64_t look_host_time(const struct look *look, uint64_t ns);
/* Forgets the guest. */
void look_end(struct look *look);

#endif /* __UMF_LOOK_H */
