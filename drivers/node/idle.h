/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looking for an answer before the processor sleeps.
 *
 * What another guest writes into memory that both share can be seen at once by
 * a guest that looks. One that sleeps must be woken, by a signal, and that
 * takes longer than all the rest of a short exchange. So a device that expects
 * an answer soon says so, and the idle loop looks for it, for UMF_IDLE_LOOK at
 * most, before it sleeps. A device whose answers do not come so soon, as their
 * sender waits for this very processor of the host, is looked at ever less.
 */
#ifndef __UMF_IDLE_H
#define __UMF_IDLE_H

#include <linux/compiler.h>
#include <linux/list.h>
#include <linux/time64.h>
#include <linux/types.h>

#define UMF_IDLE_LOOK	(200 * NSEC_PER_USEC)	/* for one answer, at most */

/* All called with interrupts off, in the idle loop of processor 0. */
struct umf_idle_ops {
	/* We look: nobody needs to wake us. False: no use, nobody is there. */
	bool (*begin)(void *data);
	/* Is there something? Takes no lock. */
	bool (*pending)(void *data);
	/* We look no more: sees to what has come. */
	void (*end)(void *data);
};

struct umf_idle {
	struct list_head list;
	const struct umf_idle_ops *ops;
	void *data;

	bool expects;		/* an answer */
	/* The idle loop's. */
	bool looking;
	u64 left;		/* time to look for the answer, ns */
	unsigned int skip;	/* answers not to look for */
	unsigned int missed;	/* in a row */
};

/* Both may sleep; after the latter nothing of it is used any more. */
void umf_idle_add(struct umf_idle *idle, const struct umf_idle_ops *ops,
		  void *data);
void umf_idle_del(struct umf_idle *idle);

static inline void umf_idle_expect(struct umf_idle *idle)
{
	WRITE_ONCE(idle->expects, true);
}

#endif /* __UMF_IDLE_H */
