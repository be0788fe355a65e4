// SPDX-License-Identifier: GPL-2.0
/*
 * What the fault core has to say: replies that grow, and the event log.
 *
 * The log is a ring of the newest UMF_LOG_SIZE records. Writers never wait for
 * readers; a reader keeps the last sequence number it has seen and is told how
 * many records it was too late for.
 */
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include <linux/wait.h>
#include "fault/fault.h"

#define UMF_LOG_SIZE	4096		/* records; a power of two */
#define UMF_REPLY_MAX	SZ_16M		/* bytes of text */

/* ---- replies ---- */

static bool reply_room(struct umf_reply *reply, size_t more)
{
	size_t size = max_t(size_t, reply->size, 256);
	char *text;

	while (size < reply->len + more)
		size *= 2;
	if (size == reply->size)
		return true;
	text = size > UMF_REPLY_MAX ? NULL :
	       kvrealloc(reply->text, size, GFP_KERNEL);
	if (!text) {
		reply->err = reply->err ?: -ENOMEM;
		return false;
	}
	reply->text = text;
	reply->size = size;
	return true;
}

static __printf(2, 0) void reply_vsay(struct umf_reply *reply, const char *fmt,
				      va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (!reply_room(reply, n + 1))
		return;
	vsnprintf(reply->text + reply->len, n + 1, fmt, args);
	reply->len += n;
}

void umf_say(struct umf_reply *reply, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	reply_vsay(reply, fmt, args);
	va_end(args);
}

int umf_fail(struct umf_reply *reply, int err, const char *fmt, ...)
{
	va_list args;
	size_t i;

	reply->len = 0;
	reply->err = err;
	va_start(args, fmt);
	reply_vsay(reply, fmt, args);
	va_end(args);
	/* the word at fault may hold anything, and the line stays one line */
	for (i = 0; i < reply->len; i++)
		if (iscntrl(reply->text[i]))
			reply->text[i] = '?';
	return err;
}

void umf_reply_free(struct umf_reply *reply)
{
	kvfree(reply->text);
	memset(reply, 0, sizeof(*reply));
}

/* ---- event log ---- */

static struct umf_event log_ring[UMF_LOG_SIZE];
static u64 log_seq;			/* of the newest record; 0: none yet */
static DEFINE_SPINLOCK(log_lock);	/* both of them */
static DECLARE_WAIT_QUEUE_HEAD(log_wait);

void umf_log_event(struct umf_event *event)
{
	unsigned long flags;

	spin_lock_irqsave(&log_lock, flags);
	event->seq = ++log_seq;
	log_ring[event->seq % UMF_LOG_SIZE] = *event;
	spin_unlock_irqrestore(&log_lock, flags);
	wake_up(&log_wait);
}

bool umf_log_read(u64 since, struct umf_event *event, u64 *lost)
{
	unsigned long flags;
	bool found;
	u64 next;

	spin_lock_irqsave(&log_lock, flags);
	next = log_seq > UMF_LOG_SIZE ? log_seq - UMF_LOG_SIZE + 1 : 1;
	*lost = since + 1 < next ? next - since - 1 : 0;
	next = max(next, since + 1);
	found = since < log_seq;
	if (found)
		*event = log_ring[next % UMF_LOG_SIZE];
	spin_unlock_irqrestore(&log_lock, flags);
	return found;
}

struct wait_queue_head *umf_log_wait(void)
{
	return &log_wait;
}

void umf_print_event(struct umf_reply *reply, const struct umf_event *event)
{
	u64 sec = div64_u64(event->time, UMF_NSEC);

	umf_say(reply,
		"seq=%llu time=%llu.%09llu device=%s rule=%s action=%s index=%llu what=\"%s\"\n",
		event->seq, sec, event->time - sec * UMF_NSEC, event->device,
		event->rule, umf_actions[event->action].name, event->index,
		event->what);
}

int umf_log_print(u64 since, struct umf_reply *reply)
{
	struct umf_event event;
	u64 lost;

	while (umf_log_read(since, &event, &lost) && !reply->err) {
		if (lost)
			umf_say(reply, "lost=%llu\n", lost);
		umf_print_event(reply, &event);
		since = event.seq;
	}
	return reply->err;
}
