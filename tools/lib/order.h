/* SPDX-License-Identifier: GPL-2.0 */
/* Things from several places, in the order of their times. */
#ifndef __UMF_ORDER_H
#define __UMF_ORDER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct order_item {
	int64_t time;		/* ns */
	uint64_t turn;		/* which comes first of one time: as they came */
	void *thing;
};

/* Zeroes, but for the lock, are an empty one. */
struct order {
	pthread_mutex_t lock;	/* all of it */
	struct order_item *item;
	size_t n, size;
	uint64_t turns;
	bool unsorted;
};

/* Any thread. */
void order_add(struct order *order, int64_t time, void *thing);
/*
 * Calls @show, which takes it over, for each thing of a time up to @until; it
 * may not add any. Returns how many there were.
 */
size_t order_take(struct order *order, int64_t until, void (*show)(int64_t time, void *thing));

#endif /* __UMF_ORDER_H */
