// SPDX-License-Identifier: GPL-2.0
/*
 * Rules that come and go while operations are decided: from two threads and
 * from softirq, as a driver's transmit and receive paths do. What is looked for
 * is a splat, a leak, a verdict that no list of rules could give.
 */
#include <linux/hrtimer.h>
#include <linux/jump_label.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/string.h>
#include "umf_kunit.h"

#define CHANGES		1000	/* at least */
#define TIME		HZ	/* of changes, at least */
#define TICK		50000	/* ns between operations in softirq */

struct churn {
	struct umf_rng rng;
	struct hrtimer timer;
	atomic_t decided[3];	/* by the threads and the timer */
	atomic_t fired;
	atomic_t wrong;		/* verdicts */
	bool stop;
};

/* Is it a verdict that some list of rules can have given? */
static bool verdict_ok(const struct umf_verdict *verdict)
{
	const struct umf_effect *effect;
	unsigned int i;
	u64 flags;

	if (verdict->n > UMF_EFFECTS_MAX)
		return false;
	for (i = 0; i < verdict->n; i++) {
		effect = &verdict->effect[i];
		if (effect->action >= UMF_A_MAX ||
		    effect->spec->action != effect->action ||
		    strncmp(effect->spec->device, "kt", 2))
			return false;
		flags = umf_actions[effect->action].flags;
		if ((flags & UMF_AF_LEVEL) ||
		    ((flags & UMF_AF_FINAL) && i != verdict->n - 1))
			return false;
		/* the list is in the order of adding, and so are numbers */
		if (i && effect->rule <= verdict->effect[i - 1].rule)
			return false;
	}
	return true;
}

static void churn_decide(struct churn *churn, int who)
{
	struct kt_op op = {
		.op = {
			.dir = who & 1 ? UMF_DIR_TX : UMF_DIR_RX,
			.len = who,
			.key = KT_KEY(who),
		},
		.peer = who,
	};
	struct umf_verdict verdict;
	struct umf_site *site;
	int i;

	for (i = 0; i < ARRAY_SIZE(kt_dev); i++) {
		site = &kt_dev[i].site;
		rcu_read_lock();
		if (umf_site_active(site)) {
			verdict = umf_decide(site, &op.op);
			if (!verdict_ok(&verdict))
				atomic_inc(&churn->wrong);
			atomic_add(verdict.n, &churn->fired);
			umf_site_level(site, UMF_A_DOWN);
			if (verdict.n)
				umf_rule_in_force(site, verdict.effect[0].rule);
		}
		rcu_read_unlock();
	}
	atomic_inc(&churn->decided[who]);
}

static int decide_rx(void *data)
{
	while (!kthread_should_stop()) {
		churn_decide(data, 0);
		cond_resched();
	}
	return 0;
}

static int decide_tx(void *data)
{
	while (!kthread_should_stop()) {
		churn_decide(data, 1);
		cond_resched();
	}
	return 0;
}

static enum hrtimer_restart decide_softirq(struct hrtimer *timer)
{
	struct churn *churn = container_of(timer, struct churn, timer);

	churn_decide(churn, 2);
	if (READ_ONCE(churn->stop))
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(TICK));
	return HRTIMER_RESTART;
}

/* Runs a statement that may be refused: the rule it names may be gone. */
static __printf(1, 2) void attempt(const char *fmt, ...)
{
	struct umf_reply reply = {};
	char text[160];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	umf_command(text, &reply);
	umf_reply_free(&reply);
}

static void change_something(struct churn *churn)
{
	static const char *const rules[] = {
		"drop prob=30%", "dup copies=2 every=3", "corrupt bpf=1",
		"delay time=1ms jitter=1ms", "hold period=1ms duty=50%",
		"down period=1ms duty=30%", "down at=+1ms for=1ms",
		"dup burst=10%,20% dir=rx", "hold for=2ms limit=5",
		"dup count=3 peer=00:00:00:00:00:01",
	};
	u32 n = umf_rng_below(&churn->rng, 40);
	u32 dev = umf_rng_below(&churn->rng, 2);
	u32 rule = umf_rng_below(&churn->rng, ARRAY_SIZE(rules));

	switch (umf_rng_below(&churn->rng, 16)) {
	case 0:
		attempt("suspend n%u", n);
		break;
	case 1:
		attempt("resume all");
		break;
	case 2:
		attempt("list; stats; devices");
		break;
	case 3:
		attempt("seed %u", n);
		break;
	case 4:
		if (!(n % 8))
			attempt(dev ? "clear" : "clear kt1");
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		attempt("del n%u", n);
		break;
	case 9:
	case 10:
	case 11:
		attempt("add kt%u %s id=n%u on=n%u", dev, rules[rule], n,
			(u32)umf_rng_below(&churn->rng, 40));
		break;
	default:
		attempt("add kt%u %s id=n%u", dev, rules[rule], n);
	}
}

static struct task_struct *start(struct kunit *test, int (*fn)(void *),
				 struct churn *churn)
{
	struct task_struct *task = kthread_run(fn, churn, "umf_kunit");

	KUNIT_EXPECT_FALSE(test, IS_ERR(task));
	return task;
}

static void rules_change_while_operations_are_decided(struct kunit *test)
{
	struct churn *churn = kunit_kzalloc(test, sizeof(*churn), GFP_KERNEL);
	struct task_struct *rx, *tx;
	unsigned long until;
	int n, i;

	KUNIT_ASSERT_NOT_NULL(test, churn);
	churn->rng.state = UMF_KUNIT_SEED;
	hrtimer_setup(&churn->timer, decide_softirq, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_SOFT);
	hrtimer_start(&churn->timer, ns_to_ktime(TICK), HRTIMER_MODE_REL_SOFT);
	rx = start(test, decide_rx, churn);
	tx = start(test, decide_tx, churn);

	until = jiffies + TIME;
	for (n = 0; n < CHANGES || time_before(jiffies, until); n++) {
		change_something(churn);
		if (n % 8 == 0)
			usleep_range(100, 200);
		cond_resched();
	}

	WRITE_ONCE(churn->stop, true);
	hrtimer_cancel(&churn->timer);
	if (!IS_ERR(rx))
		kthread_stop(rx);
	if (!IS_ERR(tx))
		kthread_stop(tx);

	KUNIT_EXPECT_EQ(test, atomic_read(&churn->wrong), 0);
	for (i = 0; i < ARRAY_SIZE(churn->decided); i++)
		KUNIT_EXPECT_GT(test, atomic_read(&churn->decided[i]), 100);
	KUNIT_EXPECT_GT(test, atomic_read(&churn->fired), 100);
	kunit_info(test, "%d changes beside %d + %d + %d operations, %d effects\n",
		   n, atomic_read(&churn->decided[0]),
		   atomic_read(&churn->decided[1]),
		   atomic_read(&churn->decided[2]), atomic_read(&churn->fired));

	umf_kunit_ok(test, "clear");
	for (i = 0; i < ARRAY_SIZE(kt_dev); i++) {
		KUNIT_EXPECT_EQ(test, kt_dev[i].site.nrules, 0);
		KUNIT_EXPECT_TRUE(test, list_empty(&kt_dev[i].site.rules));
		KUNIT_EXPECT_EQ(test, atomic_read(&kt_dev[i].prepared), 0);
	}
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&umf_any_rule));
}

/* A device goes while its own rules' timers run, again and again. */
static void devices_go_while_timers_run(struct kunit *test)
{
	struct umf_site *site = &kt_dev[0].site;
	struct umf_reply reply = {};
	int i;

	for (i = 0; i < 20; i++) {
		umf_kunit_ok(test, "add kt0 down id=a period=1us duty=50%%");
		umf_kunit_ok(test, "add kt1 down id=b on=a period=2us duty=50%%");
		umf_kunit_ok(test, "add kt0 hold id=c on=b for=1us");
		usleep_range(500, 1000);
		umf_site_del(site);
		umf_rules_list(NULL, &reply);
		KUNIT_EXPECT_STREQ(test, reply.text, "seed 42\n");
		umf_reply_free(&reply);
		KUNIT_ASSERT_EQ(test, umf_site_add(site), 0);
	}
}

static struct kunit_case churn_cases[] = {
	KUNIT_CASE(rules_change_while_operations_are_decided),
	KUNIT_CASE(devices_go_while_timers_run),
	{}
};

static struct kunit_suite churn_suite = {
	.name = "umf_rule_churn",
	.suite_init = umf_kunit_suite_init,
	.suite_exit = umf_kunit_suite_exit,
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = churn_cases,
};

kunit_test_suite(churn_suite);
