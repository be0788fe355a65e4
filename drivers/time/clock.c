// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's side of virtual time: time/clock.h says what it is.
 *
 * Bells are what this guest has to look at. Who rings one of another guest's has
 * only that guest's word in some shared memory to say when, and lowers its request
 * in the schedule to that; so once the guest runs, each bell is asked, and rings as
 * an event of this guest's own, at exactly that time, whenever it was seen.
 *
 * One processor only: whoever has interrupts off is alone.
 */
#include <linux/export.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/um_timetravel.h>
#include <irq_kern.h>
#include "time/clock.h"
#include "time/schedule.h"

DEFINE_STATIC_KEY_FALSE(umf_clock_on);

static struct um_timetravel_schedshm *shared;
static const struct umf_schedule *ours;
static unsigned int me;
static LIST_HEAD(bells);

u64 umf_clock_now(void)
{
	return time_travel_schedule_now();
}

u32 umf_clock_me(void)
{
	return me + 1;
}

u64 umf_clock_lookahead(void)
{
	return READ_ONCE(ours->lookahead);
}

void umf_clock_wake(u32 who, u64 when)
{
	union um_timetravel_schedshm_client *client;

	/* @who is what another guest has written */
	if (!who || who > shared->max_clients || who - 1 == me)
		return;
	client = &shared->clients[who - 1];
	if (client->flags & UM_TIMETRAVEL_SCHEDSHM_FLAGS_REQ_RUN &&
	    client->req_time <= when)
		return;
	client->req_time = when;
	client->flags |= UM_TIMETRAVEL_SCHEDSHM_FLAGS_REQ_RUN;
	/* what it then does may reach us */
	if (when < shared->free_until)
		shared->free_until = when;
}

static void ring(struct time_travel_event *event)
{
	struct umf_clock_bell *bell = container_of(event, struct umf_clock_bell,
						   event);
	u32 gone = READ_ONCE(ours->gone);
	bool more = gone != bell->gone;

	bell->gone = gone;
	bell->ring(bell->data, more);
}

void umf_clock_bell_at(struct umf_clock_bell *bell, u64 when)
{
	unsigned long flags;

	local_irq_save(flags);
	if (!bell->event.pending || when < bell->at) {
		time_travel_del_event(&bell->event);
		bell->at = max(when, umf_clock_now());
		time_travel_add_event_at(&bell->event, bell->at);
	}
	local_irq_restore(flags);
}

/* This guest runs again. */
static void look(void)
{
	struct umf_clock_bell *bell;
	u64 when;

	list_for_each_entry(bell, &bells, list) {
		when = READ_ONCE(ours->gone) != bell->gone ?
		       umf_clock_now() : bell->look(bell->data);
		if (when)
			umf_clock_bell_at(bell, when);
	}
}

void umf_clock_bell_add(struct umf_clock_bell *bell)
{
	unsigned long flags;

	bell->event = (struct time_travel_event) {};
	time_travel_set_event_fn(&bell->event, ring);
	bell->gone = READ_ONCE(ours->gone);
	local_irq_save(flags);
	list_add_tail(&bell->list, &bells);
	local_irq_restore(flags);
}

void umf_clock_bell_del(struct umf_clock_bell *bell)
{
	unsigned long flags;

	local_irq_save(flags);
	list_del(&bell->list);
	time_travel_del_event(&bell->event);
	local_irq_restore(flags);
}

static int __init umf_clock_init(void)
{
	if (time_travel_mode != TT_MODE_EXTERNAL)
		return 0;
	shared = time_travel_schedule(&me);
	if (!shared)
		return 0;
	ours = (void *)shared->hdr + UMF_SCHEDULE_AT;
	if (ours->magic != UMF_SCHEDULE_MAGIC)
		return 0;
	time_travel_run_hook = look;
	static_branch_enable(&umf_clock_on);
	return 0;
}
core_initcall(umf_clock_init);
