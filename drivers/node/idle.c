// SPDX-License-Identifier: GPL-2.0
/*
 * Looking before sleeping: node/idle.h says why.
 *
 * The idle loop calls arch_cpu_idle_enter() with interrupts off, before the
 * tick is stopped and the host is asked to sleep. In a loop interrupts are let
 * in and those devices are asked that expect something. What is found is seen
 * to as an interrupt would see to it.
 *
 * Not in time-travel mode: no time passes there while the guest looks.
 */
#include <linux/cpu.h>
#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/time-internal.h>
#include "node/idle.h"

#define SKIP_MAX	8	/* 2^8 answers not looked for after a miss */

static LIST_HEAD(idles);
static DEFINE_MUTEX(idles_lock);

void umf_idle_add(struct umf_idle *idle, const struct umf_idle_ops *ops,
		  void *data)
{
	idle->ops = ops;
	idle->data = data;
	mutex_lock(&idles_lock);
	list_add_tail_rcu(&idle->list, &idles);
	mutex_unlock(&idles_lock);
}

void umf_idle_del(struct umf_idle *idle)
{
	mutex_lock(&idles_lock);
	list_del_rcu(&idle->list);
	mutex_unlock(&idles_lock);
	synchronize_rcu();
}

static bool begin(struct umf_idle *idle)
{
	if (READ_ONCE(idle->expects)) {
		WRITE_ONCE(idle->expects, false);
		idle->left = idle->skip ? 0 : UMF_IDLE_LOOK;
		if (idle->skip)
			idle->skip--;
	}
	idle->looking = idle->left && idle->ops->begin(idle->data);
	return idle->looking;
}

static void end(struct umf_idle *idle, u64 took, bool found)
{
	if (!idle->looking)
		return;
	idle->looking = false;
	idle->left = found ? 0 : idle->left - min(idle->left, took);
	if (found) {
		idle->missed = 0;
	} else if (!idle->left) {
		idle->missed = min(idle->missed + 1, SKIP_MAX);
		idle->skip = 1U << idle->missed;
	}
	idle->ops->end(idle->data);
}

static bool any_pending(void)
{
	struct umf_idle *idle;

	list_for_each_entry_rcu(idle, &idles, list)
		if (idle->looking && idle->ops->pending(idle->data))
			return true;
	return false;
}

static void look(void)
{
	u64 start = ktime_get_ns(), took = 0, longest = 0;
	struct umf_idle *idle;

	list_for_each_entry_rcu(idle, &idles, list)
		if (begin(idle))
			longest = max(longest, idle->left);
	if (!longest)
		return;
	while (!any_pending() && took < longest && !need_resched()) {
		local_irq_enable();
		cpu_relax();
		local_irq_disable();
		took = ktime_get_ns() - start;
	}
	irq_enter();
	list_for_each_entry_rcu(idle, &idles, list)
		end(idle, took, idle->looking &&
		    idle->ops->pending(idle->data));
	irq_exit();
}

/* Interrupts come to processor 0. */
void arch_cpu_idle_enter(void)
{
	if (list_empty(&idles) || smp_processor_id() ||
	    time_travel_mode != TT_MODE_OFF)
		return;
	rcu_read_lock();
	look();
	rcu_read_unlock();
}
