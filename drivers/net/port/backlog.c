// SPDX-License-Identifier: GPL-2.0
/*
 * Backlogs; see net/port/backlog.h. A port is in `waiting` exactly while its
 * queue is not empty, between two calls.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include "net/port/backlog.h"

enum umf_backlog_state umf_backlog_state(const struct umf_backlogs *backlogs,
					 unsigned int port)
{
	if (!(backlogs->waiting & BIT_ULL(port)))
		return UMF_BACKLOG_IDLE;
	return backlogs->stuck & BIT_ULL(port) ? UMF_BACKLOG_STUCK :
						 UMF_BACKLOG_SLOW;
}

/* ---- a port's queue ---- */

static void queue_put(struct umf_backlog *queue,
		      struct umf_backlog_frame *frame)
{
	frame->next = NULL;
	if (queue->first)
		queue->last->next = frame;
	else
		queue->first = frame;
	queue->last = frame;
	queue->frames++;
	queue->bytes += frame->cost;
}

static struct umf_backlog_frame *queue_get(struct umf_backlog *queue)
{
	struct umf_backlog_frame *frame = queue->first;

	queue->first = frame->next;
	queue->frames--;
	queue->bytes -= frame->cost;
	return frame;
}

/* The oldest of a port's frames is lost to it. */
static void lose_first(struct umf_backlogs *backlogs, unsigned int port,
		       int err)
{
	struct umf_backlog_frame *frame = queue_get(&backlogs->port[port]);

	backlogs->ops->lost(backlogs, frame, port, err);
	backlogs->ops->free(backlogs, frame, false);
}

static void set_idle(struct umf_backlogs *backlogs, unsigned int port)
{
	backlogs->waiting &= ~BIT_ULL(port);
	backlogs->stuck &= ~BIT_ULL(port);
}

/* ---- what is kept for who is stuck ---- */

/* Its newest frame stays in any case: a port without a backlog is not stuck. */
static void trim(struct umf_backlogs *backlogs, unsigned int port)
{
	struct umf_backlog *queue = &backlogs->port[port];
	u64 stuck = backlogs->stuck;
	unsigned int ports = 0;

	for (; stuck; stuck &= stuck - 1)
		ports++;
	while (queue->frames > 1 &&
	       (queue->frames > backlogs->frames_max ||
		queue->bytes * ports > backlogs->bytes_max))
		lose_first(backlogs, port, -ENOBUFS);
}

/* Their senders may have something for others. */
static void set_stuck(struct umf_backlogs *backlogs, unsigned int port)
{
	struct umf_backlog_frame *frame = backlogs->port[port].first;
	u64 stuck;

	for (; frame; frame = frame->next)
		backlogs->ops->waits(backlogs, frame, false);
	backlogs->stuck |= BIT_ULL(port);
	/* From now on each has a smaller part. */
	for (stuck = backlogs->stuck; stuck; stuck &= stuck - 1)
		trim(backlogs, __ffs64(stuck));
}

/* ---- sending ---- */

u64 umf_backlog_send(struct umf_backlogs *backlogs,
		     struct umf_backlog_frame *frame, u64 ports)
{
	const struct umf_backlog_ops *ops = backlogs->ops;
	u64 full = ports & backlogs->waiting;
	unsigned int port;
	int err;

	for (ports &= ~full; ports; ports &= ports - 1) {
		port = __ffs64(ports);
		err = ops->copy(backlogs, frame, port);
		if (err == -EAGAIN)
			full |= BIT_ULL(port);
		else if (err)
			ops->lost(backlogs, frame, port, err);
	}
	return full;
}

u64 umf_backlog_watch(struct umf_backlogs *backlogs,
		      struct umf_backlog_frame *frame, u64 monitors)
{
	u64 missed = 0;
	unsigned int port;

	for (; monitors; monitors &= monitors - 1) {
		port = __ffs64(monitors);
		if (backlogs->ops->copy(backlogs, frame, port))
			missed |= BIT_ULL(port);
	}
	return missed;
}

void umf_backlog_park(struct umf_backlogs *backlogs,
		      struct umf_backlog_frame *frame, u32 cost,
		      unsigned int port, u64 now)
{
	struct umf_backlog *queue = &backlogs->port[port];
	bool stuck = backlogs->stuck & BIT_ULL(port);

	frame->cost = cost;
	queue_put(queue, frame);
	backlogs->ops->waits(backlogs, frame, !stuck);
	if (stuck) {
		trim(backlogs, port);
		return;
	}
	if (backlogs->waiting & BIT_ULL(port))
		return;
	backlogs->waiting |= BIT_ULL(port);
	queue->tail = backlogs->ops->tail(backlogs, port);
	queue->stuck_at = now + UMF_BACKLOG_STUCK_AFTER;
}

static void run_port(struct umf_backlogs *backlogs, unsigned int port, u64 now)
{
	const struct umf_backlog_ops *ops = backlogs->ops;
	struct umf_backlog *queue = &backlogs->port[port];
	struct umf_backlog_frame *frame;
	u32 tail;
	int err;

	while (queue->first) {
		err = ops->copy(backlogs, queue->first, port);
		if (err == -EAGAIN)
			break;
		if (err) {
			lose_first(backlogs, port, err);
			continue;
		}
		frame = queue_get(queue);
		ops->free(backlogs, frame, true);
	}
	if (!queue->first) {
		set_idle(backlogs, port);
		return;
	}
	tail = ops->tail(backlogs, port);
	if (tail != queue->tail) {
		queue->tail = tail;
		queue->stuck_at = now + UMF_BACKLOG_STUCK_AFTER;
		backlogs->stuck &= ~BIT_ULL(port);
	} else if (now >= queue->stuck_at &&
		   !(backlogs->stuck & BIT_ULL(port))) {
		set_stuck(backlogs, port);
	}
}

void umf_backlog_run(struct umf_backlogs *backlogs, u64 now)
{
	u64 ports;

	for (ports = backlogs->waiting; ports; ports &= ports - 1)
		run_port(backlogs, __ffs64(ports), now);
}

u64 umf_backlog_retry(const struct umf_backlogs *backlogs)
{
	if (!backlogs->waiting)
		return 0;
	return umf_backlog_slow(backlogs) ? UMF_BACKLOG_SLOW_RETRY :
					    UMF_BACKLOG_STUCK_RETRY;
}

void umf_backlog_drop(struct umf_backlogs *backlogs, u64 ports)
{
	unsigned int port;

	for (ports &= backlogs->waiting; ports; ports &= ports - 1) {
		port = __ffs64(ports);
		while (backlogs->port[port].first)
			lose_first(backlogs, port, -ENOTCONN);
		set_idle(backlogs, port);
	}
}
