// SPDX-License-Identifier: GPL-2.0
/*
 * States instead of operations: a level action such as down, and the hold of
 * what was kept. In force or not is told to the device at each edge, by a
 * timer where the clock decides; the times here are real and short, and only
 * what cannot come early or never is asserted.
 */
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/string.h>
#include "umf_kunit.h"

#define MS	1000000ULL	/* nanoseconds */

static const struct kt_op rx100 = { .op = { .dir = UMF_DIR_RX, .len = 100 } };

static bool down(int i)
{
	return umf_site_level(&kt_dev[i].site, UMF_A_DOWN);
}

static bool up(int i)
{
	return !down(i);
}

static int updates(void)
{
	return atomic_read(&kt_dev[0].updates);
}

static bool updated_since(int before)
{
	return updates() > before;
}

static bool let_go(u32 nr)
{
	return !umf_rule_in_force(&kt_dev[0].site, nr);
}

static bool ended(struct kunit *test, const char *id)
{
	return strstr(umf_kunit_ok(test, "stats %s", id), "state=spent") &&
	       !down(0);
}

/* The events since @since, each as "<rule>:<what> ". */
static const char *events_since(struct kunit *test, u64 since)
{
	struct umf_reply text = {};
	struct umf_event event;
	const char *copy;
	u64 lost;

	while (umf_log_read(since, &event, &lost)) {
		umf_say(&text, "%s:%s ", event.rule, event.what);
		since = event.seq;
	}
	copy = umf_kunit_strdup(test, text.text ?: "");
	umf_reply_free(&text);
	return copy;
}

static void a_level_is_a_state_not_a_verdict(struct kunit *test)
{
	u64 since = umf_kunit_last_event();

	KUNIT_EXPECT_FALSE(test, down(0));
	umf_kunit_ok(test, "add kt0 down id=a");
	KUNIT_EXPECT_TRUE(test, down(0));
	KUNIT_EXPECT_FALSE(test, down(1));
	KUNIT_EXPECT_FALSE(test, umf_site_level(&kt_dev[0].site, UMF_A_HOLD));
	KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &rx100).n, 0);
	KUNIT_EXPECT_STREQ(test, events_since(test, since), "a:begin ");
	KUNIT_EXPECT_NOT_NULL(test, strstr(umf_kunit_ok(test, "stats a"),
					   "state=open evaluated=0 matched=1 fired=1 bytes=0"));

	umf_kunit_ok(test, "suspend a");
	KUNIT_EXPECT_FALSE(test, down(0));
	umf_kunit_ok(test, "suspend a");
	umf_kunit_ok(test, "resume a");
	KUNIT_EXPECT_TRUE(test, down(0));
	KUNIT_EXPECT_STREQ(test, events_since(test, since),
			   "a:begin a:end a:begin ");
	umf_kunit_ok(test, "del a");
	KUNIT_EXPECT_FALSE(test, down(0));
	KUNIT_EXPECT_STREQ(test, events_since(test, since),
			   "a:begin a:end a:begin a:end ");
	umf_kunit_ok(test, "add kt0 down id=b; add kt0 down id=c; suspend c");
	since = umf_kunit_last_event();
	umf_kunit_ok(test, "clear");
	KUNIT_EXPECT_STREQ(test, events_since(test, since), "b:end ");
}

static void two_rules_hold_one_level(struct kunit *test)
{
	umf_kunit_ok(test, "add kt0 down id=a; add kt0 down id=b; del a");
	KUNIT_EXPECT_TRUE(test, down(0));
	umf_kunit_ok(test, "add kt0 down id=c; suspend b");
	KUNIT_EXPECT_TRUE(test, down(0));
	umf_kunit_ok(test, "suspend c");
	KUNIT_EXPECT_FALSE(test, down(0));
	umf_kunit_ok(test, "resume all");
	KUNIT_EXPECT_TRUE(test, down(0));
	umf_kunit_ok(test, "clear");
	KUNIT_EXPECT_FALSE(test, down(0));
}

static void a_level_comes_and_goes_on_time(struct kunit *test)
{
	u64 since = umf_kunit_last_event(), lost, begin;
	struct umf_event event;
	int before;

	begin = ktime_get_ns();
	umf_kunit_ok(test, "add kt0 down id=a at=+20ms for=30ms");
	before = updates();
	if (down(0))
		KUNIT_EXPECT_GE(test, ktime_get_ns(), begin + 20 * MS);
	KUNIT_EXPECT_TRUE(test, umf_kunit_wait(down, 0));
	KUNIT_EXPECT_GE(test, ktime_get_ns(), begin + 20 * MS);
	KUNIT_EXPECT_TRUE(test, umf_kunit_wait(updated_since, before));
	before = updates();
	KUNIT_EXPECT_TRUE(test, umf_kunit_wait(up, 0));
	KUNIT_EXPECT_GE(test, ktime_get_ns(), begin + 50 * MS);
	KUNIT_EXPECT_TRUE(test, umf_kunit_wait(updated_since, before));

	KUNIT_EXPECT_STREQ(test, events_since(test, since), "a:begin a:end ");
	KUNIT_ASSERT_TRUE(test, umf_log_read(since, &event, &lost));
	KUNIT_EXPECT_GE(test, event.time, begin + 20 * MS);
	KUNIT_ASSERT_TRUE(test, umf_log_read(since + 1, &event, &lost));
	KUNIT_EXPECT_GE(test, event.time, begin + 50 * MS);
	KUNIT_EXPECT_NOT_NULL(test, strstr(umf_kunit_ok(test, "stats a"),
					   "state=spent"));
}

/* A window from boot on that is over is never entered. */
static void a_window_that_is_over_stays_over(struct kunit *test)
{
	u64 since = umf_kunit_last_event();

	umf_kunit_ok(test, "add kt0 down at=+0s for=1ns");
	msleep(30);
	KUNIT_EXPECT_FALSE(test, down(0));
	umf_kunit_ok(test, "add kt0 down period=1ms duty=0%%");
	msleep(30);
	KUNIT_EXPECT_FALSE(test, down(0));
	umf_kunit_ok(test, "clear");
	/* the first may have been caught within its nanosecond */
	KUNIT_EXPECT_NULL(test, strstr(events_since(test, since), "r2"));
}

static void a_level_follows_its_period(struct kunit *test)
{
	u64 since = umf_kunit_last_event(), lost, begin;
	int n = 0, begins = 0, ends = 0;
	struct umf_event event;

	begin = ktime_get_ns();
	umf_kunit_ok(test, "add kt0 down period=20ms duty=50%% for=200ms");
	msleep(100);
	KUNIT_EXPECT_TRUE(test, umf_kunit_wait(ended, test, "r1"));
	while (umf_log_read(since, &event, &lost)) {
		/* never twice the same, never earlier than it can be */
		KUNIT_EXPECT_STREQ(test, event.what, n % 2 ? "end" : "begin");
		n++;
		if (!strcmp(event.what, "begin"))
			KUNIT_EXPECT_GE(test, event.time,
					begin + begins++ * 20 * MS);
		else
			KUNIT_EXPECT_GE(test, event.time,
					begin + ends++ * 20 * MS + 10 * MS);
		since = event.seq;
	}
	KUNIT_EXPECT_EQ(test, begins, ends);
	/* a busy host may sleep through an edge */
	KUNIT_EXPECT_GE(test, begins, 2);
	KUNIT_EXPECT_LE(test, begins, 10);
}

/* period=1us is allowed, but the guest must get to do something else. */
static void edges_keep_their_distance(struct kunit *test)
{
	u64 since = umf_kunit_last_event(), last = 0, until, lost;
	struct umf_event event;
	int n;

	umf_kunit_ok(test, "add kt0 down period=1us duty=50%%");
	msleep(30);
	until = umf_kunit_last_event();
	umf_kunit_ok(test, "clear");
	for (n = 0; since < until && umf_log_read(since, &event, &lost); n++) {
		KUNIT_EXPECT_GE(test, event.time, last + MS / 10);
		last = event.time;
		since = event.seq;
	}
	KUNIT_EXPECT_GE(test, n, 2);
}

static void a_removed_level_has_no_more_edges(struct kunit *test)
{
	u64 since;

	umf_kunit_ok(test, "add kt0 down period=2ms duty=50%%");
	umf_kunit_ok(test, "add kt0 hold period=2ms duty=50%%");
	umf_kunit_ok(test, "add kt0 down at=+10ms");
	usleep_range(5000, 6000);
	umf_kunit_ok(test, "clear");
	since = umf_kunit_last_event();
	atomic_set(&kt_dev[0].updates, 0);
	msleep(30);
	KUNIT_EXPECT_FALSE(test, down(0));
	KUNIT_EXPECT_EQ(test, updates(), 0);
	KUNIT_EXPECT_EQ(test, umf_kunit_last_event(), since);
}

static void a_suspended_level_keeps_its_clock(struct kunit *test)
{
	umf_kunit_ok(test, "add kt0 down id=a at=+10ms; suspend a");
	msleep(30);
	KUNIT_EXPECT_FALSE(test, down(0));
	umf_kunit_ok(test, "resume a");
	KUNIT_EXPECT_TRUE(test, down(0));
	umf_kunit_ok(test, "clear; add kt0 down id=a for=10ms; suspend a");
	msleep(30);
	umf_kunit_ok(test, "resume a");
	KUNIT_EXPECT_FALSE(test, down(0));
}

static void a_firing_brings_a_level(struct kunit *test)
{
	int again;

	umf_kunit_ok(test, "add kt0 dup id=a; add kt1 down id=b on=a for=20ms");
	umf_kunit_ok(test, "add kt0 down id=c on=b");
	usleep_range(5000, 6000);
	KUNIT_EXPECT_FALSE(test, down(1));
	for (again = 0; again < 2; again++) {
		KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &rx100).n, 1);
		KUNIT_EXPECT_TRUE(test, umf_kunit_wait(down, 1));
		KUNIT_EXPECT_TRUE(test, umf_kunit_wait(up, 1));
	}
	/* and a level that begins arms the next */
	KUNIT_EXPECT_TRUE(test, umf_kunit_wait(down, 0));
	KUNIT_EXPECT_NOT_NULL(test, strstr(umf_kunit_ok(test, "stats b"),
					   "fired=2"));
}

/* Whoever asks in that very moment hears what the timer has yet to tell. */
static void the_clock_answers_and_not_the_timer(struct kunit *test)
{
	struct umf_site *site = &kt_dev[0].site;
	struct umf_verdict verdict;
	struct umf_rule *rule;
	int before;

	umf_kunit_ok(test, "add kt0 dup id=a; add kt0 hold id=b on=a for=20ms");
	umf_kunit_ok(test, "add kt0 down id=c on=a for=20ms");
	local_bh_disable();
	verdict = kt_decide(&kt_dev[0], &rx100);
	KUNIT_EXPECT_EQ(test, verdict.n, 2);
	KUNIT_EXPECT_TRUE(test, umf_rule_in_force(site, verdict.effect[1].rule));
	KUNIT_EXPECT_TRUE(test, down(0));
	before = updates();
	mdelay(30);
	KUNIT_EXPECT_FALSE(test, umf_rule_in_force(site, verdict.effect[1].rule));
	KUNIT_EXPECT_FALSE(test, down(0));
	rcu_read_lock();
	rule = umf_rule_get(site, verdict.effect[1].rule);
	KUNIT_EXPECT_EQ(test, umf_rule_end(rule, ktime_get_ns()), 0);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, updates(), before);
	local_bh_enable();
	/* the device hears of the window that it has missed */
	KUNIT_EXPECT_TRUE(test, umf_kunit_wait(updated_since, before));
}

struct visit {
	int n;
	char ids[64];
};

static void visit_level(struct umf_rule *rule, void *data)
{
	struct visit *visit = data;

	visit->n++;
	strlcat(visit->ids, rule->spec.val[UMF_K_ID].text, sizeof(visit->ids));
}

static void levels_in_force_are_visited_in_order(struct kunit *test)
{
	struct visit visit = {};

	umf_kunit_ok(test, "add kt0 down id=a; add kt0 drop id=b");
	umf_kunit_ok(test, "add kt0 hold id=c; add kt0 down id=d at=+1h");
	umf_kunit_ok(test, "add kt0 down id=e; add kt1 down id=f");
	umf_kunit_ok(test, "add kt0 down id=g; suspend e");
	umf_site_visit_levels(&kt_dev[0].site, visit_level, &visit);
	KUNIT_EXPECT_EQ(test, visit.n, 2);
	KUNIT_EXPECT_STREQ(test, visit.ids, "ag");
}

/* ---- hold: what was kept stays until the rule ends ---- */

static u32 held_by(struct kunit *test)
{
	struct umf_verdict verdict = kt_decide(&kt_dev[0], &rx100);

	KUNIT_ASSERT_EQ(test, verdict.n, 1);
	KUNIT_ASSERT_EQ(test, verdict.effect[0].action, UMF_A_HOLD);
	return verdict.effect[0].rule;
}

static void hold_is_in_force_until_it_ends(struct kunit *test)
{
	struct umf_site *site = &kt_dev[0].site;
	u64 since = umf_kunit_last_event();
	u32 nr;

	umf_kunit_ok(test, "add kt0 hold id=a");
	nr = held_by(test);
	KUNIT_EXPECT_TRUE(test, umf_rule_in_force(site, nr));
	KUNIT_EXPECT_TRUE(test, umf_rule_listed(site, nr));
	umf_kunit_ok(test, "suspend a");
	KUNIT_EXPECT_FALSE(test, umf_rule_in_force(site, nr));
	KUNIT_EXPECT_TRUE(test, umf_rule_listed(site, nr));
	umf_kunit_ok(test, "resume a");
	KUNIT_EXPECT_TRUE(test, umf_rule_in_force(site, nr));
	umf_kunit_ok(test, "del a");
	KUNIT_EXPECT_FALSE(test, umf_rule_in_force(site, nr));
	KUNIT_EXPECT_FALSE(test, umf_rule_listed(site, nr));
	/* no begin and end of a hold: its events are what it held */
	KUNIT_EXPECT_STREQ(test, events_since(test, since), "a:rx 100 ");
	/* a number is never used twice */
	umf_kunit_ok(test, "clear; add kt0 hold id=a");
	KUNIT_EXPECT_GT(test, held_by(test), nr);
}

static void a_spent_hold_lets_nothing_go(struct kunit *test)
{
	struct umf_site *site = &kt_dev[0].site;
	u32 nr;

	umf_kunit_ok(test, "add kt0 hold count=1");
	nr = held_by(test);
	KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &rx100).n, 0);
	msleep(20);
	KUNIT_EXPECT_TRUE(test, umf_rule_in_force(site, nr));
	umf_kunit_ok(test, "clear");
	KUNIT_EXPECT_FALSE(test, umf_rule_in_force(site, nr));
}

static void a_hold_ends_with_its_window(struct kunit *test)
{
	struct umf_site *site = &kt_dev[0].site;
	u64 begin = ktime_get_ns();
	int before;
	u32 nr;

	umf_kunit_ok(test, "add kt0 hold for=100ms");
	before = updates();
	if (ktime_get_ns() > begin + 50 * MS) {
		kunit_skip(test, "the host is too busy");
		return;
	}
	nr = held_by(test);
	KUNIT_EXPECT_TRUE(test, umf_kunit_wait(let_go, nr));
	KUNIT_EXPECT_GE(test, ktime_get_ns(), begin + 100 * MS);
	KUNIT_EXPECT_TRUE(test, umf_kunit_wait(updated_since, before));
	KUNIT_EXPECT_TRUE(test, umf_rule_listed(site, nr));
	KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &rx100).n, 0);
}

static struct kunit_case level_cases[] = {
	KUNIT_CASE(a_level_is_a_state_not_a_verdict),
	KUNIT_CASE(two_rules_hold_one_level),
	KUNIT_CASE(a_level_comes_and_goes_on_time),
	KUNIT_CASE(a_window_that_is_over_stays_over),
	KUNIT_CASE(a_level_follows_its_period),
	KUNIT_CASE(edges_keep_their_distance),
	KUNIT_CASE(a_removed_level_has_no_more_edges),
	KUNIT_CASE(a_suspended_level_keeps_its_clock),
	KUNIT_CASE(a_firing_brings_a_level),
	KUNIT_CASE(the_clock_answers_and_not_the_timer),
	KUNIT_CASE(levels_in_force_are_visited_in_order),
	KUNIT_CASE(hold_is_in_force_until_it_ends),
	KUNIT_CASE(a_spent_hold_lets_nothing_go),
	KUNIT_CASE(a_hold_ends_with_its_window),
	{}
};

static struct kunit_suite level_suite = {
	.name = "umf_rule_level",
	.suite_init = umf_kunit_suite_init,
	.suite_exit = umf_kunit_suite_exit,
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = level_cases,
};

kunit_test_suite(level_suite);
