/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual time: guests that run in turns under one calendar.
 *
 * With time-travel=ext: and our calendar (umf-clock, umf-lab) one guest runs at a
 * time and all the others wait; nobody waits for the host. Who has something for
 * another guest writes it into memory that both share, with the time at which it
 * arrives, and asks the calendar to run the other then: no signal, no poll. Times
 * here are the calendar's, in ns, the same in all guests.
 *
 * In real time each of these is one static branch.
 */
#ifndef __UMF_CLOCK_H
#define __UMF_CLOCK_H

#ifdef CONFIG_UML_TIME_TRAVEL_SUPPORT

#include <linux/jump_label.h>
#include <linux/list.h>
#include <linux/time-internal.h>
#include <linux/types.h>

DECLARE_STATIC_KEY_FALSE(umf_clock_on);

static inline bool umf_clock_virtual(void)
{
	return static_branch_unlikely(&umf_clock_on);
}

/* The rest is for virtual time only. */

u64 umf_clock_now(void);
/* Who this guest is to the others; never 0. */
u32 umf_clock_me(void);
/* What reaches another guest reaches it after so long, at least. */
u64 umf_clock_lookahead(void);
/* There is something for @who, from @when on. */
void umf_clock_wake(u32 who, u64 when);

/* A device that others may have something for. */
struct umf_clock_bell {
	/*
	 * This guest has waited and runs again: when is there something, that
	 * the device does not know of? 0: nothing. Called with interrupts off,
	 * anywhere; takes no lock.
	 */
	u64 (*look)(void *data);
	/* It is time, in an interrupt. @gone: and guests have ended. */
	void (*ring)(void *data, bool gone);
	void *data;

	/* clock.c's */
	struct list_head list;
	struct time_travel_event event;
	u64 at;			/* of event */
	u32 gone;		/* guests, when last told */
};

void umf_clock_bell_add(struct umf_clock_bell *bell);
void umf_clock_bell_del(struct umf_clock_bell *bell);
/* It is to ring then, too. */
void umf_clock_bell_at(struct umf_clock_bell *bell, u64 when);

#else

static inline bool umf_clock_virtual(void)
{
	return false;
}

static inline u64 umf_clock_now(void)
{
	return 0;
}

static inline u32 umf_clock_me(void)
{
	return 0;
}

static inline u64 umf_clock_lookahead(void)
{
	return 0;
}

static inline void umf_clock_wake(u32 who, u64 when)
{
}

struct umf_clock_bell {
	u64 (*look)(void *data);
	void (*ring)(void *data, bool gone);
	void *data;
};

static inline void umf_clock_bell_add(struct umf_clock_bell *bell)
{
}

static inline void umf_clock_bell_del(struct umf_clock_bell *bell)
{
}

static inline void umf_clock_bell_at(struct umf_clock_bell *bell, u64 when)
{
}

#endif /* CONFIG_UML_TIME_TRAVEL_SUPPORT */
#endif /* __UMF_CLOCK_H */
