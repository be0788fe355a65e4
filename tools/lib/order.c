// SPDX-License-Identifier: GPL-2.0
/*
 * Most come in order, or nearly: what is behind the last one is only appended,
 * and anything else is sorted in when they are taken out.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "order.h"
#include "xalloc.h"

void order_add(struct order *order, int64_t time, void *thing)
{
	pthread_mutex_lock(&order->lock);
	if (order->n == order->size) {
		order->size = order->size * 2 + 64;
		order->item = xrealloc(order->item, order->size * sizeof(*order->item));
	}
	if (order->n && order->item[order->n - 1].time > time)
		order->unsorted = true;
	order->item[order->n].time = time;
	order->item[order->n].turn = order->turns++;
	order->item[order->n++].thing = thing;
	pthread_mutex_unlock(&order->lock);
}

static int by_time(const void *one, const void *other)
{
	const struct order_item *a = one, *b = other;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return a->turn < b->turn ? -1 : a->turn > b->turn;
}

size_t order_take(struct order *order, int64_t until, void (*show)(int64_t time, void *thing))
{
	size_t n;

	pthread_mutex_lock(&order->lock);
	if (order->unsorted)
		qsort(order->item, order->n, sizeof(*order->item), by_time);
	order->unsorted = false;
	for (n = 0; n < order->n && order->item[n].time <= until; n++)
		show(order->item[n].time, order->item[n].thing);
	order->n -= n;
	if (n)
		memmove(order->item, order->item + n, order->n * sizeof(*order->item));
	pthread_mutex_unlock(&order->lock);
	return n;
}
