/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a rule keeps of one direction: a queue of items with due times.
 *
 * Invariant: items leave by due time, and those of one due time in the order
 * they came. So what has waited in order never leaves behind what came later,
 * whatever the clock or a timer does, and what is drained leaves as it would
 * have, only sooner.
 *
 * Pure: times and lengths come in, due times go out. Times are nanoseconds of
 * one clock that does not go back. The user serialises.
 */
#ifndef __UMF_NET_QUEUE_H
#define __UMF_NET_QUEUE_H

#include <linux/limits.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#define UMF_NET_NEVER	U64_MAX		/* due when the queue is drained */

struct umf_net_item {
	struct rb_node node;
	u64 due;
	u64 seq;	/* the order of those that are due together */
};

struct umf_net_queue {
	struct rb_root_cached items;
	unsigned int count;
	u64 seq;
	/*
	 * In order: no item that comes is due before that. Of a rate: when all
	 * that has come will have passed.
	 */
	u64 last;
	u64 slot;		/* the last slot that anybody is in */
	unsigned int room;	/* how many more it takes */
};

void umf_net_queue_init(struct umf_net_queue *queue);

/*
 * When an item that comes at @now is due. Each counts it in: call one of them
 * once for each item, whether it is then pushed or not.
 */

/* After @wait, and not before the one that came before. */
u64 umf_net_queue_in_order(struct umf_net_queue *queue, u64 now, u64 wait);
/*
 * At @rate bit/s an item of @len bytes takes its time; a @bucket of bytes may
 * pass before theirs is over.
 */
u64 umf_net_queue_rate(struct umf_net_queue *queue, u64 now, unsigned int len,
		       u64 rate, u64 bucket);

/*
 * Of items that leave in slots: @due, which is in order, put off until the first
 * slot from then on that has room. A slot takes @most of them; it opens @gap
 * after the one before, or when an item is due, whichever is later.
 */
u64 umf_net_queue_slot(struct umf_net_queue *queue, u64 due, u64 gap,
		       unsigned int most);

/* @first: before all others that are due together. */
void umf_net_queue_push(struct umf_net_queue *queue, struct umf_net_item *item,
			u64 due, bool first);
/* When the first is due; U64_MAX: there is none, or it never is. */
u64 umf_net_queue_due(const struct umf_net_queue *queue);
/* Takes out the first that is due at @now, or NULL. */
struct umf_net_item *umf_net_queue_pop(struct umf_net_queue *queue, u64 now);
/* Takes out the first, due or not; with the last one all debts are forgotten. */
struct umf_net_item *umf_net_queue_drain(struct umf_net_queue *queue);

#endif /* __UMF_NET_QUEUE_H */
