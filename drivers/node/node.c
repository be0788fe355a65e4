// SPDX-License-Identifier: GPL-2.0
/*
 * The device `node`: faults of the guest as a whole.
 *
 * All are levels. What is in force is done by a work item, not where the core
 * tells of it: a panic must not come with the core's mutex held, and the reply
 * to a rule that is in force at once must be out before. The management
 * console's requests are done by the same workers, so it is: the item starts
 * when the request is through.
 *
 * A guest that hangs sleeps on the host, and looks at its own clock again
 * whenever it is woken; nothing else counts the time. Under time travel, where
 * the clock moves only with what the guest does, it is delayed instead.
 *
 * The clock's step and drift are set as adjtimex(2) sets them. A time daemon in
 * the guest turns the same screws, and takes the drift over when it does.
 */
#define pr_fmt(fmt) "umf-node: " fmt

#include <linux/delay.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/panic.h>
#include <linux/printk.h>
#include <linux/rculist.h>
#include <linux/reboot.h>
#include <linux/stop_machine.h>
#include <linux/string.h>
#include <linux/time-internal.h>
#include <linux/timex.h>
#include <linux/workqueue.h>
#include "fault/fault.h"
#include "node/node.h"

/* One unit of adjtimex's tick, in parts per billion; its freq is in 2^-16 ppm. */
#define TICK_PPB	(NSEC_PER_USEC * USER_HZ)

/* What the rules in force ask for, all together. */
struct want {
	char rule[UMF_ID_LEN];	/* the first that ends the guest */
	bool panic, reboot, poweroff, orderly;
	u64 hard, soft;		/* until when it hangs, ns; 0: it does not */
	s64 step;		/* ns */
	s64 drift;		/* ppb */
};

static struct umf_site node_site;

/* How the clock has been set; only the work touches it. */
static struct {
	s64 step, drift;
	struct __kernel_timex before;	/* there was a drift */
} node_clock;

static s64 signed_value(const struct umf_spec *spec, enum umf_key key)
{
	if (!umf_has(spec, key))
		return 0;
	return spec->val[key].b ? -(s64)spec->val[key].a : spec->val[key].a;
}

static void visit_level(struct umf_rule *rule, void *data)
{
	const struct umf_spec *spec = &rule->spec;
	struct want *want = data;
	u64 *until;

	switch (spec->action) {
	case UMF_A_NODE_HANG:
		until = umf_num(spec, UMF_K_LOCKUP, UMF_LOCKUP_HARD) ==
			UMF_LOCKUP_SOFT ? &want->soft : &want->hard;
		*until = max(*until, umf_rule_end(rule, ktime_get_ns()));
		return;
	case UMF_A_NODE_CLOCK:
		want->step += signed_value(spec, UMF_K_STEP);
		want->drift += signed_value(spec, UMF_K_DRIFT);
		return;
	default:
		break;
	}
	if (*want->rule)
		return;
	strscpy(want->rule, spec->val[UMF_K_ID].text);
	want->orderly = umf_num(spec, UMF_K_ORDERLY, 0);
	want->panic = spec->action == UMF_A_NODE_PANIC;
	want->reboot = spec->action == UMF_A_NODE_REBOOT;
	want->poweroff = spec->action == UMF_A_NODE_POWEROFF;
}

/* ---- clock ---- */

static void clock_step(s64 step)
{
	struct __kernel_timex tx = { .modes = ADJ_SETOFFSET };
	s64 delta = div_s64(step - node_clock.step, NSEC_PER_USEC);
	s32 us;
	int err;

	tx.time.tv_sec = div_s64_rem(delta, USEC_PER_SEC, &us);
	if (us < 0) {
		tx.time.tv_sec--;
		us += USEC_PER_SEC;
	}
	tx.time.tv_usec = us;
	err = do_adjtimex(&tx);
	if (err < 0)
		pr_err("the clock cannot be set (%d)\n", err);
	node_clock.step = step;
}

static void clock_drift(s64 drift)
{
	struct __kernel_timex tx = { .modes = ADJ_TICK | ADJ_FREQUENCY };
	s64 ticks = div_s64(drift, TICK_PPB), ppb = drift - ticks * TICK_PPB;
	int err;

	if (!node_clock.drift) {
		node_clock.before.modes = 0;
		do_adjtimex(&node_clock.before);
	}
	tx.tick = node_clock.before.tick + ticks;
	tx.freq = node_clock.before.freq + div_s64(ppb * 65536, 1000);
	err = do_adjtimex(&tx);
	if (err < 0)
		pr_err("the clock's speed cannot be set (%d)\n", err);
	else
		node_clock.drift = drift;
}

/* ---- hang ---- */

static void hang_until(u64 until)
{
	u64 now, left;

	while ((now = ktime_get_ns()) < until) {
		left = min(until - now, UMF_NSEC);
		if (time_travel_mode == TT_MODE_OFF || until == U64_MAX)
			umf_node_nap(left);
		else
			ndelay(left);
	}
}

/* On every CPU, interrupts off. */
static int hang_hard(void *until)
{
	hang_until(*(u64 *)until);
	return 0;
}

static u64 soft_until;

/* On every CPU: interrupts are taken, but nothing else runs. */
static void hang_soft(struct work_struct *work)
{
	preempt_disable();
	hang_until(soft_until);
	preempt_enable();
}

/* ---- */

static void node_do(struct work_struct *work)
{
	struct want want = {};

	umf_site_visit_levels(&node_site, visit_level, &want);
	if (want.step != node_clock.step)
		clock_step(want.step);
	if (want.drift != node_clock.drift)
		clock_drift(want.drift);
	if (want.hard)
		stop_machine(hang_hard, &want.hard, cpu_online_mask);
	if (want.soft) {
		soft_until = want.soft;
		schedule_on_each_cpu(hang_soft);
	}
	if (want.panic)
		panic("umf: rule %s\n", want.rule);
	if (want.reboot || want.poweroff)
		pr_notice("rule %s: %s\n", want.rule,
			  want.reboot ? "reboot" : "poweroff");
	if (want.reboot && want.orderly)
		orderly_reboot();
	else if (want.reboot)
		emergency_restart();
	if (want.poweroff && want.orderly)
		orderly_poweroff(false);
	else if (want.poweroff)
		machine_power_off();
}

static DECLARE_WORK(node_work, node_do);

static void node_update(struct umf_site *site)
{
	schedule_work(&node_work);
}

/* All that drift the same way may do so at the same time. */
static int node_prepare(struct umf_rule *rule, struct umf_reply *reply)
{
	const struct umf_value *own = &rule->spec.val[UMF_K_DRIFT], *val;
	struct umf_value sum = *own;
	struct umf_reply text = {};
	struct umf_rule *other;

	if (!umf_has(&rule->spec, UMF_K_DRIFT))
		return 0;
	rcu_read_lock();
	list_for_each_entry_rcu(other, &node_site.rules, list) {
		val = &other->spec.val[UMF_K_DRIFT];
		if (umf_has(&other->spec, UMF_K_DRIFT) && val->b == own->b)
			sum.a += val->a;
	}
	rcu_read_unlock();
	if (sum.a <= umf_params[UMF_K_DRIFT].max)
		return 0;
	umf_print_value(&text, UMF_K_DRIFT, own);
	umf_say(&text, ": with the other clock rules ");
	umf_print_value(&text, UMF_K_DRIFT, &sum);
	umf_fail(reply, -ERANGE, "drift=%s, and the clock takes 10%% at most",
		 text.text ?: "");
	umf_reply_free(&text);
	return -ERANGE;
}

/* It has no operations: nothing to match, nothing to describe. */
static const struct umf_site_ops node_ops = {
	.prepare = node_prepare,
	.update = node_update,
};

static struct umf_site node_site = {
	.name = "node",
	.class = UMF_CLASS_NODE,
	.ops = &node_ops,
};

static int __init umf_node_init(void)
{
	return umf_site_add(&node_site);
}
late_initcall(umf_node_init);
