/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a port of the switch sends: copies to other ports' rings, and what waits
 * for those whose ring is full.
 *
 * Pure: a frame is what its owner has embedded a struct umf_backlog_frame in, a
 * ring is what umf_backlog_ops make of it, the time comes in. The driver and
 * umf-port are the users; each serialises its calls.
 *
 * Frames to one port leave in the order in which they came: whatever comes for
 * a port with a backlog goes behind that.
 */
#ifndef __UMF_NET_BACKLOG_H
#define __UMF_NET_BACKLOG_H

#include <linux/types.h>

#define UMF_BACKLOG_PORTS	64

#define UMF_BACKLOG_STUCK_AFTER	5000000		/* ns without reading */
#define UMF_BACKLOG_SLOW_RETRY	100000		/* ns between two looks */
#define UMF_BACKLOG_STUCK_RETRY	2000000

/*
 * What a receiver is to who sends.
 *
 *	state	has a backlog	has read in the last	the sender	the backlog
 *				UMF_BACKLOG_STUCK_AFTER
 *	IDLE	no		-			goes on		-
 *	SLOW	yes		yes			waits		takes all
 *	STUCK	yes		no			goes on		keeps the newest
 *
 *	IDLE → SLOW	a frame finds its ring full
 *	SLOW → STUCK	it has read nothing for so long
 *	STUCK → SLOW	it has read
 *	any → IDLE	its backlog is in its ring, or it has left
 *
 * So nobody is held up for long by who has stopped (a guest that is frozen, in a
 * debugger, or off the processor); and what it finds when it goes on is what its
 * ring took at first, and then the newest.
 */
enum umf_backlog_state {
	UMF_BACKLOG_IDLE,
	UMF_BACKLOG_SLOW,
	UMF_BACKLOG_STUCK,
};

struct umf_backlog_frame {
	struct umf_backlog_frame *next;
	u32 cost;		/* bytes of memory that it takes while it waits */
};

struct umf_backlog {
	struct umf_backlog_frame *first, *last;
	u32 frames;
	u64 bytes;		/* their cost */
	u32 tail;		/* where the receiver had read to when looked at */
	u64 stuck_at;		/* ns: STUCK, unless it reads until then */
};

struct umf_backlogs {
	const struct umf_backlog_ops *ops;

	/*
	 * What is kept at most: for each stuck port, and for all of them, of
	 * which each has the same part; but one frame each in any case.
	 */
	u32 frames_max;
	u64 bytes_max;

	u64 waiting;		/* not IDLE */
	u64 stuck;		/* of these: STUCK */
	struct umf_backlog port[UMF_BACKLOG_PORTS];
};

struct umf_backlog_ops {
	/*
	 * Copies the frame to the port's ring: 0; -EAGAIN: it is full; any other
	 * error: that port does not get it. The frame stays the caller's.
	 */
	int (*copy)(struct umf_backlogs *backlogs,
		    struct umf_backlog_frame *frame, unsigned int port);
	/* Where the port has read to: any number that changes when it reads. */
	u32 (*tail)(struct umf_backlogs *backlogs, unsigned int port);
	/*
	 * The port does not get that frame: umf_backlog_ops.copy's error, or
	 * -ENOBUFS: its backlog is full, -ENOTCONN: it has left.
	 */
	void (*lost)(struct umf_backlogs *backlogs,
		     struct umf_backlog_frame *frame, unsigned int port, int err);
	/*
	 * The frame waits. @held: and its sender with it; false may follow true,
	 * and means that nobody is to be held up for it.
	 */
	void (*waits)(struct umf_backlogs *backlogs,
		      struct umf_backlog_frame *frame, bool held);
	/* It waits no more, and is forgotten. */
	void (*free)(struct umf_backlogs *backlogs,
		     struct umf_backlog_frame *frame, bool sent);
};

/* A zeroed struct umf_backlogs with its ops and limits is empty. */

/*
 * Sends copies to these ports. Returns those whose ring is full or who have a
 * backlog: each is to have an umf_backlog_park().
 */
u64 umf_backlog_send(struct umf_backlogs *backlogs,
		     struct umf_backlog_frame *frame, u64 ports);
/*
 * The same to monitors, for whom nobody waits and to whom nothing is lost but to
 * themselves: returns those who had no room.
 */
u64 umf_backlog_watch(struct umf_backlogs *backlogs,
		      struct umf_backlog_frame *frame, u64 monitors);
/* The frame, which is the backlog's from now on, waits for the port. */
void umf_backlog_park(struct umf_backlogs *backlogs,
		      struct umf_backlog_frame *frame, u32 cost,
		      unsigned int port, u64 now);
/* Sends what there is room for, and sees who is slow or stuck. */
void umf_backlog_run(struct umf_backlogs *backlogs, u64 now);
/* When to do that again: in so many ns, 0: nothing waits. */
u64 umf_backlog_retry(const struct umf_backlogs *backlogs);
/* These ports have left, or we do: what waits for them is lost. */
void umf_backlog_drop(struct umf_backlogs *backlogs, u64 ports);

enum umf_backlog_state umf_backlog_state(const struct umf_backlogs *backlogs,
					 unsigned int port);

/* The ports that the sender waits for. */
static inline u64 umf_backlog_slow(const struct umf_backlogs *backlogs)
{
	return backlogs->waiting & ~backlogs->stuck;
}

#endif /* __UMF_NET_BACKLOG_H */
