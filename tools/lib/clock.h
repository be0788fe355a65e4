/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The calendar: decides which guest runs, and what time it is.
 *
 * Guests that are started with time-travel=ext:<number>:<socket> connect to it
 * and run in turns, one at a time: the one that has asked for the earliest time,
 * of several the one with the least number. Its time is then that of all; nobody
 * waits for the host's clock. Whoever calls this library decides what happens at
 * a time: it has the guests run until then, and acts while nobody runs. So what
 * happens is the same each time, as long as each guest's doings depend on nothing
 * but its inputs (random-seed=).
 *
 * The protocol is that of <linux/um_timetravel.h>, with the shared schedule: all
 * times in there are ours; messages to a guest are in its own, which start at 0
 * when it does.
 *
 *	WANTED	to connect, or gone
 *	ASKS	it has connected and waits for the answer to START
 *	RUNS	it has its turn: the only one
 *	WAITS	for its turn
 *
 * One that is frozen waits and gets no turn; what others have for it waits too.
 */
#ifndef __UMF_CLOCK_H
#define __UMF_CLOCK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CLOCK_GUESTS	256		/* at most */
#define CLOCK_NEVER	UINT64_MAX

enum clock_end {
	CLOCK_REACHED,			/* that time, or that turn's end */
	CLOCK_TURNED,			/* of clock_step(): it is not reached yet */
	CLOCK_ALONE,			/* no guest is left */
	CLOCK_ASLEEP,			/* of clock_step(): nobody wants to run, ever */
	CLOCK_FAILED,
	CLOCK_STOPPED,			/* by a signal */
};

struct clock_guest {
	enum {
		CLOCK_WANTED,
		CLOCK_ASKS,
		CLOCK_RUNS,
		CLOCK_WAITS,
	} state;
	pid_t pid;
	int fd, pidfd;
	uint32_t seq;			/* of its START */
	uint64_t offset;		/* our time when its own was 0 */
	bool frozen;
	uint64_t thawed;		/* what it wanted to do before that is late */
};

struct clock {
	/* Set by the caller after clock_open(), and at any time. */
	char **names;			/* of the guests, or NULL; for errors */
	uint64_t date;			/* what the guests' date is at time 0, ns */
	uint64_t lookahead;		/* none hears of another sooner than that, ns */
	uint64_t quantum;		/* the longest turn, ns; 0: as long as can be */
	uint64_t hang;			/* a turn of that CPU time does not end, ns; 0: any */
	sigset_t open;			/* signals that may end a wait */
	/* Something else to listen to while a guest has its turn, or -1. */
	int other_fd;
	enum clock_end (*other)(struct clock *clock);
	/* Guest @n has connected (again), or is gone. */
	void (*came)(struct clock *clock, unsigned int n, bool again);
	void (*went)(struct clock *clock, unsigned int n);
	void *data;

	/* To be read. */
	uint64_t now;			/* ns */
	uint64_t limit;			/* the last turn went no further, ns */
	uint64_t turns;
	struct clock_guest *guest;	/* [0] has the number 1 */
	unsigned int n;
	char error[200];		/* why a call returned CLOCK_FAILED */

	/* clock.c's own */
	char *path;
	int fd, shm_fd, null_fd;
	struct clock_shm *shm;
};

/* A socket at @path for @n guests. False: see error. */
bool clock_open(struct clock *clock, const char *path, unsigned int n);
void clock_close(struct clock *clock);
/*
 * Waits for all that are wanted, of those that @who says (NULL: all), and lets
 * each run, in the order of their numbers, as long as no time passes for it.
 */
enum clock_end clock_start(struct clock *clock, const bool *who);
/* Has the guests run until that time: what they do at it is still to come. */
enum clock_end clock_run(struct clock *clock, uint64_t until);
/*
 * One turn of it, or that time. In between guests are not at the same instant; they
 * all are once they have been run to the limit of the last turn.
 */
enum clock_end clock_step(struct clock *clock, uint64_t until);
/* One guest's turn, now: it has been sent something. */
enum clock_end clock_turn(struct clock *clock, unsigned int n);
/* Kills it, and returns when it is gone. The others are to look, now. */
enum clock_end clock_kill(struct clock *clock, unsigned int n);
/* It gets no turn; or again, from now on. */
void clock_freeze(struct clock *clock, unsigned int n);
void clock_thaw(struct clock *clock, unsigned int n);
/* Somebody connects to clock->fd, while no guest has its turn. */
enum clock_end clock_take_in(struct clock *clock);

#endif /* __UMF_CLOCK_H */
