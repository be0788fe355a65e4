// SPDX-License-Identifier: GPL-2.0
/* A queue of items with due times; see net/fault/queue.h for its invariant. */
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include "net/fault/queue.h"

static struct umf_net_item *item_of(const struct rb_node *node)
{
	return rb_entry(node, struct umf_net_item, node);
}

static bool item_before(struct rb_node *node, const struct rb_node *other)
{
	const struct umf_net_item *a = item_of(node), *b = item_of(other);

	return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

void umf_net_queue_init(struct umf_net_queue *queue)
{
	queue->items = RB_ROOT_CACHED;
	queue->count = 0;
	queue->seq = 0;
	queue->last = 0;
	queue->slot = 0;
	queue->room = 0;
}

u64 umf_net_queue_in_order(struct umf_net_queue *queue, u64 now, u64 wait)
{
	queue->last = max(queue->last, now + wait);
	return queue->last;
}

u64 umf_net_queue_rate(struct umf_net_queue *queue, u64 now, unsigned int len,
		       u64 rate, u64 bucket)
{
	u64 ahead = mul_u64_u64_div_u64(bucket * 8, NSEC_PER_SEC, rate);

	queue->last = max(queue->last, now) +
		      mul_u64_u64_div_u64(len * 8ULL, NSEC_PER_SEC, rate);
	return max(now, queue->last - min(queue->last, ahead));
}

u64 umf_net_queue_slot(struct umf_net_queue *queue, u64 due, u64 gap,
		       unsigned int most)
{
	if (due > queue->slot || !queue->room) {
		queue->slot = queue->slot ? max(due, queue->slot + gap) : due;
		queue->room = most;
	}
	queue->room--;
	return queue->slot;
}

void umf_net_queue_push(struct umf_net_queue *queue, struct umf_net_item *item,
			u64 due, bool first)
{
	item->due = due;
	item->seq = ++queue->seq;
	if (first)
		item->seq = U64_MAX - item->seq;
	queue->count++;
	rb_add_cached(&item->node, &queue->items, item_before);
}

u64 umf_net_queue_due(const struct umf_net_queue *queue)
{
	const struct rb_node *first = rb_first_cached(&queue->items);

	return first ? item_of(first)->due : U64_MAX;
}

static struct umf_net_item *queue_take(struct umf_net_queue *queue)
{
	struct rb_node *first = rb_first_cached(&queue->items);

	if (!first)
		return NULL;
	rb_erase_cached(first, &queue->items);
	queue->count--;
	return item_of(first);
}

struct umf_net_item *umf_net_queue_pop(struct umf_net_queue *queue, u64 now)
{
	u64 due = umf_net_queue_due(queue);

	return due != UMF_NET_NEVER && due <= now ? queue_take(queue) : NULL;
}

struct umf_net_item *umf_net_queue_drain(struct umf_net_queue *queue)
{
	struct umf_net_item *item = queue_take(queue);

	if (!queue->count) {
		queue->last = 0;
		queue->slot = 0;
		queue->room = 0;
	}
	return item;
}
