// SPDX-License-Identifier: GPL-2.0
/*
 * Rules on a device: what a verdict holds and in which order, filters, chains,
 * names, suspending, statistics, and that everything is undone. Level actions
 * and hold are in rule_level_test.c, rules that change under load in
 * rule_churn_test.c.
 */
#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/string.h>
#include "umf_kunit.h"

static const struct kt_op rx100 = { .op = { .dir = UMF_DIR_RX, .len = 100 } };
static const struct kt_op tx7 = { .op = { .dir = UMF_DIR_TX, .len = 7 } };

/* The number behind " <name>=" in a rule's stats. */
static u64 stat(struct kunit *test, const char *id, const char *name)
{
	const char *text = umf_kunit_ok(test, "stats %s", id);
	const char *at;
	char key[24];
	u64 val = 0;

	snprintf(key, sizeof(key), " %s=", name);
	at = strstr(text, key);
	if (!at || sscanf(at + strlen(key), "%llu", &val) != 1)
		KUNIT_FAIL(test, "%s: no %s", text, name);
	return val;
}

static void expect_state(struct kunit *test, const char *id, const char *state)
{
	const char *text = umf_kunit_ok(test, "stats %s", id);
	char key[32];

	snprintf(key, sizeof(key), " state=%s ", state);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(text, key), "%s: not %s", text,
				  state);
}

/* ---- verdicts ---- */

static void effects_come_in_list_order(struct kunit *test)
{
	struct umf_verdict verdict;
	int i;

	umf_kunit_ok(test, "add kt0 dup copies=3; add kt0 corrupt bits=9");
	umf_kunit_ok(test, "add kt0 delay time=5ms");
	verdict = kt_decide(&kt_dev[0], &rx100);
	KUNIT_ASSERT_EQ(test, verdict.n, 3);
	KUNIT_EXPECT_EQ(test, verdict.effect[0].action, UMF_A_DUP);
	KUNIT_EXPECT_EQ(test, verdict.effect[1].action, UMF_A_CORRUPT);
	KUNIT_EXPECT_EQ(test, verdict.effect[2].action, UMF_A_DELAY);
	KUNIT_EXPECT_EQ(test, umf_num(verdict.effect[0].spec, UMF_K_COPIES, 1),
			3);
	KUNIT_EXPECT_EQ(test, umf_num(verdict.effect[1].spec, UMF_K_BITS, 1),
			9);
	KUNIT_EXPECT_EQ(test, verdict.effect[0].arg, 0);
	KUNIT_EXPECT_EQ(test, verdict.effect[1].arg, 0);
	KUNIT_EXPECT_EQ(test, verdict.effect[2].arg, 5000000);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_TRUE(test, umf_rule_listed(&kt_dev[0].site,
							verdict.effect[i].rule));
	KUNIT_EXPECT_NE(test, verdict.effect[0].rule, verdict.effect[1].rule);
	KUNIT_EXPECT_NE(test, verdict.effect[1].rule, verdict.effect[2].rule);
	/* the other device has none of it */
	KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[1], &rx100).n, 0);
	KUNIT_EXPECT_FALSE(test, umf_rule_listed(&kt_dev[1].site,
						 verdict.effect[0].rule));
}

static void a_final_effect_ends_it(struct kunit *test)
{
	umf_kunit_ok(test, "add kt0 dup id=a; add kt0 drop every=2 id=b; add kt0 corrupt id=c");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 4),
			   "uc ud uc ud");
	KUNIT_EXPECT_EQ(test, stat(test, "a", "evaluated"), 4);
	KUNIT_EXPECT_EQ(test, stat(test, "b", "evaluated"), 4);
	KUNIT_EXPECT_EQ(test, stat(test, "c", "evaluated"), 2);
	umf_kunit_ok(test, "clear; add kt0 hold; add kt0 corrupt");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 2), "h h");
}

static void an_operation_takes_so_many_effects(struct kunit *test)
{
	int i;

	for (i = 0; i < UMF_EFFECTS_MAX + 2; i++)
		umf_kunit_ok(test, "add kt0 dup");
	KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &rx100).n,
			UMF_EFFECTS_MAX);
	KUNIT_EXPECT_EQ(test, stat(test, "r8", "fired"), 1);
	KUNIT_EXPECT_EQ(test, stat(test, "r9", "evaluated"), 0);
	KUNIT_EXPECT_EQ(test, stat(test, "r10", "evaluated"), 0);
	KUNIT_EXPECT_NULL(test, strstr(umf_kunit_ok(test, "stats r8"),
				       "unasked="));
	KUNIT_EXPECT_EQ(test, stat(test, "r9", "unasked"), 1);
	KUNIT_EXPECT_EQ(test, stat(test, "r10", "unasked"), 1);
	/* the last one ends it: that the others are not asked is its doing */
	umf_kunit_ok(test, "clear");
	for (i = 0; i < UMF_EFFECTS_MAX - 1; i++)
		umf_kunit_ok(test, "add kt0 dup");
	umf_kunit_ok(test, "add kt0 drop; add kt0 dup");
	KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &rx100).n,
			UMF_EFFECTS_MAX);
	KUNIT_EXPECT_NULL(test, strstr(umf_kunit_ok(test, "stats r9"),
				       "unasked="));
}

static void filters_let_only_their_operations_through(struct kunit *test)
{
	struct kt_op op = {
		.op = { .key = KT_KEY(0x0200000000aaULL) },
		.peer = 0x0200000000aaULL,
	};
	struct umf_verdict verdict;

	umf_kunit_ok(test, "add kt0 dup dir=rx id=rx; add kt0 dup dir=tx id=tx");
	umf_kunit_ok(test, "add kt0 dup peer=02:00:00:00:00:aa id=peer");
	umf_kunit_ok(test, "add kt0 dup dir=tx peer=02:00:00:00:00:aa id=both");

	verdict = kt_decide(&kt_dev[0], &rx100);
	KUNIT_ASSERT_EQ(test, verdict.n, 1);
	KUNIT_EXPECT_STREQ(test, verdict.effect[0].spec->val[UMF_K_ID].text,
			   "rx");
	verdict = kt_decide(&kt_dev[0], &tx7);
	KUNIT_ASSERT_EQ(test, verdict.n, 1);
	KUNIT_EXPECT_STREQ(test, verdict.effect[0].spec->val[UMF_K_ID].text,
			   "tx");
	op.op.dir = UMF_DIR_RX;
	KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &op).n, 2);
	op.op.dir = UMF_DIR_TX;
	KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &op).n, 3);

	KUNIT_EXPECT_EQ(test, stat(test, "rx", "evaluated"), 4);
	KUNIT_EXPECT_EQ(test, stat(test, "rx", "matched"), 2);
	KUNIT_EXPECT_EQ(test, stat(test, "peer", "matched"), 2);
	KUNIT_EXPECT_EQ(test, stat(test, "both", "evaluated"), 4);
	KUNIT_EXPECT_EQ(test, stat(test, "both", "matched"), 1);
}

/* What a filter keeps out takes no place: after= and every= do not see it. */
static void only_matches_are_counted(struct kunit *test)
{
	int i;

	umf_kunit_ok(test, "add kt0 drop dir=tx after=1 every=2 id=a");
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &rx100).n, 0);
		KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &tx7).n,
				i == 2 || i == 4);
	}
	KUNIT_EXPECT_EQ(test, stat(test, "a", "matched"), 5);
}

static void jitter_spreads_a_delay(struct kunit *test)
{
	struct umf_verdict verdict;
	u64 lo = U64_MAX, hi = 0, sum = 0, arg;
	int i;

	umf_kunit_ok(test, "add kt0 delay time=10ms jitter=2ms");
	for (i = 0; i < 2000; i++) {
		verdict = kt_decide(&kt_dev[0], &rx100);
		KUNIT_ASSERT_EQ(test, verdict.n, 1);
		arg = verdict.effect[0].arg;
		lo = min(lo, arg);
		hi = max(hi, arg);
		sum += arg;
	}
	KUNIT_EXPECT_GE(test, lo, 8000000);
	KUNIT_EXPECT_LT(test, lo, 8050000);
	KUNIT_EXPECT_LE(test, hi, 12000000);
	KUNIT_EXPECT_GT(test, hi, 11950000);
	/* 5 sigma of the mean of 2000 uniform draws is 130 us */
	KUNIT_EXPECT_GT(test, div_u64(sum, 2000), 9870000);
	KUNIT_EXPECT_LT(test, div_u64(sum, 2000), 10130000);

	umf_kunit_ok(test, "clear; add kt0 delay time=1ns jitter=1ns");
	lo = 0;
	for (i = 0; i < 100; i++) {
		arg = kt_decide(&kt_dev[0], &rx100).effect[0].arg;
		KUNIT_ASSERT_LE(test, arg, 2);
		lo |= BIT(arg);
	}
	KUNIT_EXPECT_EQ(test, lo, 7);
}

/* ---- determinism ---- */

/* Which of 300 operations the rule with action dup hits. */
static const char *dup_places(struct kunit *test)
{
	char *text = umf_kunit_strdup(test, kt_pattern(test, &kt_dev[0], 300));
	char *in, *out = text;
	bool hit = false;

	for (in = text; ; in++) {
		hit |= *in == 'u';
		if (*in && *in != ' ')
			continue;
		*out++ = hit ? 'u' : '-';
		hit = false;
		if (!*in)
			break;
	}
	*out = '\0';
	return text;
}

static void another_rule_does_not_shift_the_draws(struct kunit *test)
{
	const char *alone, *beside;

	umf_kunit_ok(test, "add kt0 dup id=a prob=30%% burst=40%%,40%%,90%%,10%%");
	alone = dup_places(test);
	KUNIT_EXPECT_NOT_NULL(test, strchr(alone, 'u'));
	KUNIT_EXPECT_NOT_NULL(test, strchr(alone, '-'));
	umf_kunit_ok(test, "clear; seed 42");
	umf_kunit_ok(test, "add kt0 corrupt prob=50%%; add kt1 drop");
	umf_kunit_ok(test, "add kt0 delay time=1ms jitter=1ms prob=20%%");
	umf_kunit_ok(test, "add kt0 dup id=a prob=30%% burst=40%%,40%%,90%%,10%%");
	umf_kunit_ok(test, "add kt0 corrupt prob=50%%");
	beside = dup_places(test);
	KUNIT_EXPECT_STREQ(test, alone, beside);
}

static void a_seed_repeats_what_was(struct kunit *test)
{
	const char *first, *other;

	umf_kunit_ok(test, "add kt0 dup id=a prob=50%%");
	first = dup_places(test);
	other = dup_places(test);	/* further along in the stream */
	KUNIT_EXPECT_STRNEQ(test, first, other);
	umf_kunit_ok(test, "seed 42");
	KUNIT_EXPECT_STREQ(test, dup_places(test), first);
	umf_kunit_ok(test, "seed 43");
	KUNIT_EXPECT_STRNEQ(test, dup_places(test), first);
	umf_kunit_ok(test, "clear; seed 42; add kt0 dup id=a prob=50%%");
	KUNIT_EXPECT_STREQ(test, dup_places(test), first);

	/* a seed of the rule's own, whatever the guest's */
	umf_kunit_ok(test, "clear; seed 1; add kt0 dup id=a prob=50%% seed=5");
	first = dup_places(test);
	umf_kunit_ok(test, "clear; seed 2; add kt0 dup id=b prob=50%% seed=5");
	KUNIT_EXPECT_STREQ(test, dup_places(test), first);
}

/* ---- statistics and events ---- */

static void statistics_are_exact(struct kunit *test)
{
	u64 n[4], first[3], last[3], begin, end;
	const char *text;
	int i;

	umf_kunit_ok(test, "add kt0 drop id=s dir=rx every=2");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "stats"),
			   "s kt0 drop state=open evaluated=0 matched=0 fired=0 bytes=0\n");
	begin = ktime_get_ns();
	for (i = 0; i < 10; i++) {
		kt_decide(&kt_dev[0], &tx7);
		kt_decide(&kt_dev[0], &rx100);
	}
	end = ktime_get_ns();
	text = umf_kunit_ok(test, "stats s");
	KUNIT_ASSERT_EQ_MSG(test,
			    sscanf(text,
				   "s kt0 drop state=open evaluated=%llu matched=%llu fired=%llu bytes=%llu first=%llu.%llu@%llu last=%llu.%llu@%llu",
				   &n[0], &n[1], &n[2], &n[3], &first[0],
				   &first[1], &first[2], &last[0], &last[1],
				   &last[2]),
			    10, "%s", text);
	KUNIT_EXPECT_EQ(test, n[0], 20);
	KUNIT_EXPECT_EQ(test, n[1], 10);
	KUNIT_EXPECT_EQ(test, n[2], 5);
	KUNIT_EXPECT_EQ(test, n[3], 500);
	KUNIT_EXPECT_EQ(test, first[2], 3);
	KUNIT_EXPECT_EQ(test, last[2], 19);
	KUNIT_EXPECT_GE(test, first[0] * UMF_NSEC + first[1], begin);
	KUNIT_EXPECT_GE(test, last[0] * UMF_NSEC + last[1],
			first[0] * UMF_NSEC + first[1]);
	KUNIT_EXPECT_LE(test, last[0] * UMF_NSEC + last[1], end);
	/* operations count from the first rule on */
	umf_kunit_ok(test, "clear; add kt0 drop id=s");
	kt_decide(&kt_dev[0], &rx100);
	KUNIT_EXPECT_NOT_NULL(test, strstr(umf_kunit_ok(test, "stats s"),
					   "@0 last="));
}

static void states_are_told(struct kunit *test)
{
	umf_kunit_ok(test, "add kt0 dup id=open; add kt0 dup id=at at=+1000s");
	umf_kunit_ok(test, "add kt0 dup id=duty period=1s duty=0%%");
	umf_kunit_ok(test, "add kt0 dup id=count count=1; add kt0 dup id=for for=1ns");
	umf_kunit_ok(test, "add kt0 dup id=on on=at; add kt0 dup id=off; suspend off");
	kt_decide(&kt_dev[0], &rx100);
	expect_state(test, "open", "open");
	expect_state(test, "at", "waiting");
	expect_state(test, "duty", "closed");
	expect_state(test, "count", "spent");
	expect_state(test, "for", "spent");
	expect_state(test, "on", "waiting");
	expect_state(test, "off", "suspended");
	/* none of the last six had a match but the one of count= */
	KUNIT_EXPECT_EQ(test, stat(test, "open", "matched"), 1);
	KUNIT_EXPECT_EQ(test, stat(test, "at", "matched"), 0);
	KUNIT_EXPECT_EQ(test, stat(test, "count", "matched"), 1);
	kt_decide(&kt_dev[0], &rx100);
	KUNIT_EXPECT_EQ(test, stat(test, "count", "matched"), 1);
}

static void each_firing_is_an_event(struct kunit *test)
{
	u64 since = umf_kunit_last_event(), lost;
	struct umf_event event;

	umf_kunit_ok(test, "add kt0 corrupt id=c; add kt0 drop id=d every=2");
	kt_decide(&kt_dev[0], &rx100);
	kt_decide(&kt_dev[0], &tx7);

	KUNIT_ASSERT_TRUE(test, umf_log_read(since, &event, &lost));
	KUNIT_EXPECT_EQ(test, event.seq, since + 1);
	KUNIT_EXPECT_EQ(test, event.index, 0);
	KUNIT_EXPECT_EQ(test, event.action, UMF_A_CORRUPT);
	KUNIT_EXPECT_STREQ(test, event.rule, "c");
	KUNIT_EXPECT_STREQ(test, event.device, "kt0");
	KUNIT_EXPECT_STREQ(test, event.what, "rx 100");
	KUNIT_ASSERT_TRUE(test, umf_log_read(since + 1, &event, &lost));
	KUNIT_EXPECT_STREQ(test, event.rule, "c");
	KUNIT_EXPECT_EQ(test, event.index, 1);
	KUNIT_EXPECT_STREQ(test, event.what, "tx 7");
	KUNIT_ASSERT_TRUE(test, umf_log_read(since + 2, &event, &lost));
	KUNIT_EXPECT_STREQ(test, event.rule, "d");
	KUNIT_EXPECT_EQ(test, event.index, 1);
	KUNIT_EXPECT_FALSE(test, umf_log_read(since + 3, &event, &lost));
}

/* ---- chains ---- */

static void a_firing_arms_the_next_rule(struct kunit *test)
{
	umf_kunit_ok(test, "add kt0 dup id=a after=2 count=1; add kt0 drop id=b on=a count=2");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 6),
			   "- - ud d - -");
	KUNIT_EXPECT_EQ(test, stat(test, "b", "matched"), 2);
	expect_state(test, "b", "waiting");
}

static void a_spent_rule_is_armed_again(struct kunit *test)
{
	umf_kunit_ok(test, "add kt0 dup id=a every=4; add kt0 drop id=b on=a count=2");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 10),
			   "- - - ud d - - ud d -");
	/* an armed rule that is not spent stays as it is */
	umf_kunit_ok(test, "clear; add kt0 dup id=a every=2; add kt0 drop id=b on=a count=3");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 8),
			   "- ud d ud - ud d ud");
	/* and after= counts from the arming */
	umf_kunit_ok(test, "clear; add kt0 dup id=a every=5");
	umf_kunit_ok(test, "add kt0 drop id=b on=a after=1 count=1");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 11),
			   "- - - - u d - - - u d");
}

static void chains_go_through_devices_and_rules(struct kunit *test)
{
	umf_kunit_ok(test, "add kt0 dup id=a after=1 count=1");
	umf_kunit_ok(test, "add kt1 dup id=b on=a count=1; add kt0 drop id=c on=b count=1");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[1], 1), "-");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 3), "- u -");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[1], 2), "u -");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 2), "d -");
}

static void a_chain_is_not_torn(struct kunit *test)
{
	umf_kunit_refused(test, -ENOENT, "on=nobody", "add kt0 drop on=nobody");
	umf_kunit_refused(test, -ENOENT, "on=me", "add kt0 drop id=me on=me");
	umf_kunit_ok(test, "add kt0 dup id=a; add kt1 dup id=b on=a");
	umf_kunit_ok(test, "add kt1 dup id=c on=b; add kt1 dup id=d");
	umf_kunit_refused(test, -EBUSY, "b waits for it (on=a)", "del a");
	umf_kunit_refused(test, -EBUSY, "c waits for it (on=b)", "del b");
	/* but a device is cleared with all that waits for its rules */
	atomic_set(&kt_dev[1].updates, 0);
	umf_kunit_ok(test, "clear kt0");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "list"),
			   "seed 42\nadd kt1 dup id=d\n");
	KUNIT_EXPECT_GT(test, atomic_read(&kt_dev[1].updates), 0);
	umf_kunit_ok(test, "del d; add kt0 dup id=a; add kt1 dup id=b on=a; del b; del a");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "list"), "seed 42\n");
}

/* ---- suspend ---- */

static void a_suspended_rule_is_not_asked(struct kunit *test)
{
	umf_kunit_ok(test, "add kt0 dup id=a; add kt0 drop id=b every=2");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 2), "u ud");
	umf_kunit_ok(test, "suspend a");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 3), "- d -");
	KUNIT_EXPECT_EQ(test, stat(test, "a", "evaluated"), 2);
	umf_kunit_ok(test, "suspend all");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 2), "- -");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "list"),
			   "seed 42\n"
			   "add kt0 dup id=a\nadd kt0 drop every=2 id=b\n"
			   "suspend a\nsuspend b\n");
	/* and goes on where it was */
	umf_kunit_ok(test, "resume all");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 2), "ud u");
	umf_kunit_ok(test, "suspend b; suspend b; resume b; resume a");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 2), "ud u");
	KUNIT_EXPECT_EQ(test, stat(test, "a", "evaluated"), 2 + 2 + 2);
	KUNIT_EXPECT_EQ(test, stat(test, "b", "evaluated"), 2 + 3 + 2 + 2);
	umf_kunit_ok(test, "add kt0 dup id=c");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 3), "ud uu ud");
	KUNIT_EXPECT_EQ(test, stat(test, "c", "evaluated"), 1);
}

/* ---- names, list, clear ---- */

static void rules_get_names(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "add kt0 drop"), "r1\n");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "add kt1 drop"), "r2\n");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "add kt0 drop id=r4"),
			   "r4\n");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "add kt0 drop"), "r3\n");
	/* a refused rule takes no name, a taken one is passed over */
	umf_kunit_refused(test, -EINVAL, "prob=2", "add kt0 drop prob=2");
	umf_kunit_refused(test, -EINVAL, "bpf=bad", "add kt0 drop bpf=bad");
	umf_kunit_refused(test, -ENOENT, "on=x", "add kt0 drop on=x");
	umf_kunit_refused(test, -EEXIST, "id=r2", "add kt0 drop id=r2");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "add kt0 drop"), "r5\n");
	/* nor is a name given twice */
	umf_kunit_ok(test, "del r5");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "add kt0 drop"), "r6\n");
	/* until all rules are gone */
	umf_kunit_ok(test, "clear");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "add kt0 drop"), "r1\n");
}

/* What list prints makes the same rules; the text is compared. */
static void expect_pasted(struct kunit *test)
{
	const char *list = umf_kunit_ok(test, "list");

	umf_kunit_ok(test, "clear; seed 7");
	umf_kunit_ok(test, "%s", list);
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "list"), list);
}

static void what_list_prints_makes_the_rules_again(struct kunit *test)
{
	const char *text;
	int i;

	umf_kunit_ok(test, "add kt0 drop; add kt1 drop prob=0.1 dir=rx");
	umf_kunit_ok(test, "add kt0 corrupt bits=3 offset=14+20 id=first");
	umf_kunit_ok(test, "add kt0 delay time=1.5ms jitter=20us limit=7 count=3");
	umf_kunit_ok(test, "add kt0 drop every=2 after=0x10 count=9");
	umf_kunit_ok(test, "add kt1 hold on=first at=+3h for=2m");
	umf_kunit_ok(test, "add kt1 down on=r4 at=900000s period=20ms duty=12.5%%");
	umf_kunit_ok(test, "add kt0 dup copies=2 burst=1%%,10%% seed=0xfedcba9876543210");
	umf_kunit_ok(test, "add kt0 dup match='ip; \"x\" or y' bpf='1,6 0 0 0'");
	umf_kunit_ok(test, "suspend first; suspend r2");
	expect_pasted(test);
	/* one device's part stands alone where nothing ties it to another */
	text = umf_kunit_ok(test, "list kt0");
	KUNIT_EXPECT_NULL(test, strstr(text, "kt1"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "suspend first\n"));
	KUNIT_EXPECT_NULL(test, strstr(text, "suspend r2"));

	umf_kunit_ok(test, "clear");
	for (i = 0; i < 1000; i++)
		umf_kunit_ok(test, "add kt%d drop prob=%dppm every=%d", i % 2,
			     i, i + 1);
	expect_pasted(test);
}

static void clear_restores_the_state_before(struct kunit *test)
{
	struct umf_site *site = &kt_dev[0].site;

	KUNIT_EXPECT_FALSE(test, static_key_enabled(&umf_any_rule));
	KUNIT_EXPECT_FALSE(test, umf_site_active(site));
	umf_kunit_ok(test, "add kt0 drop bpf=1; add kt0 hold; add kt0 down");
	umf_kunit_ok(test, "add kt1 drop bpf=2");
	KUNIT_EXPECT_TRUE(test, static_key_enabled(&umf_any_rule));
	KUNIT_EXPECT_TRUE(test, umf_site_active(site));
	KUNIT_EXPECT_EQ(test, site->nrules, 3);
	KUNIT_EXPECT_EQ(test, atomic_read(&kt_dev[0].prepared), 1);
	kt_decide(&kt_dev[0], &rx100);

	umf_kunit_ok(test, "clear kt0");
	KUNIT_EXPECT_EQ(test, site->nrules, 0);
	KUNIT_EXPECT_FALSE(test, umf_site_active(site));
	KUNIT_EXPECT_EQ(test, atomic_read(&kt_dev[0].prepared), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&kt_dev[1].prepared), 1);
	KUNIT_EXPECT_TRUE(test, static_key_enabled(&umf_any_rule));
	KUNIT_EXPECT_TRUE(test, umf_site_active(&kt_dev[1].site));

	atomic_set(&kt_dev[1].updates, 0);
	umf_kunit_ok(test, "clear");
	KUNIT_EXPECT_GT(test, atomic_read(&kt_dev[1].updates), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&kt_dev[1].prepared), 0);
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&umf_any_rule));
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "list"), "seed 42\n");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "stats"), "");
	umf_kunit_ok(test, "clear");
}

static void each_change_updates_the_device(struct kunit *test)
{
	static const char *const changes[] = {
		"add kt0 drop id=a", "suspend a", "resume a", "add kt0 down id=b",
		"suspend all", "resume all", "del b", "clear kt0",
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		atomic_set(&kt_dev[0].updates, 0);
		umf_kunit_ok(test, "%s", changes[i]);
		KUNIT_EXPECT_GT_MSG(test, atomic_read(&kt_dev[0].updates), 0,
				    "%s", changes[i]);
	}
}

static void a_device_takes_its_rules_along(struct kunit *test)
{
	umf_kunit_ok(test, "add kt0 dup id=a bpf=1; add kt1 dup id=b on=a; add kt1 dup id=c");
	umf_site_del(&kt_dev[0].site);
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "list"),
			   "seed 42\nadd kt1 dup id=c\n");
	KUNIT_EXPECT_EQ(test, atomic_read(&kt_dev[0].prepared), 0);
	umf_kunit_refused(test, -ENODEV, "kt0", "add kt0 drop");
	umf_kunit_refused(test, -ENODEV, "kt0", "list kt0");
	KUNIT_EXPECT_NULL(test, strstr(umf_kunit_ok(test, "devices"), "kt0"));
	KUNIT_EXPECT_EQ(test, umf_site_add(&kt_dev[0].site), 0);
	KUNIT_EXPECT_EQ(test, umf_site_add(&(struct umf_site){
				.name = "kt0", .class = UMF_CLASS_NET,
				.ops = kt_dev[0].site.ops }), -EEXIST);
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 1), "-");
	umf_kunit_ok(test, "add kt0 drop");
	KUNIT_EXPECT_STREQ(test, kt_pattern(test, &kt_dev[0], 1), "d");
}

static bool pass_all(const struct kt_op *op, unsigned int n)
{
	bool whole;

	rcu_read_lock();
	whole = umf_pass_all(&kt_dev[0].site, &op->op, n);
	rcu_read_unlock();
	return whole;
}

static void many_pass_that_no_rule_can_match(struct kunit *test)
{
	static const char *const others[] = {
		"drop dir=tx", "drop peer=02:00:00:00:00:09",
		"drop at=+1000s", "drop count=1", "delay time=1ms on=no",
		"down at=+1000s",
	};
	struct umf_verdict verdict;
	u64 index, at;
	int i;

	umf_kunit_ok(test, "add kt0 drop at=+1000s id=no");
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		umf_kunit_ok(test, "add kt0 %s id=r", others[i]);
		if (strstr(others[i], "count"))
			KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &rx100).n, 1);
		at = stat(test, "r", "evaluated");
		index = atomic64_read(&kt_dev[0].site.index);
		KUNIT_EXPECT_TRUE_MSG(test, pass_all(&rx100, 40), "%s", others[i]);
		KUNIT_EXPECT_EQ(test, atomic64_read(&kt_dev[0].site.index),
				index + 40);
		KUNIT_EXPECT_EQ_MSG(test, stat(test, "r", "evaluated"),
				    at + (strstr(others[i], "down") ? 0 : 40),
				    "%s", others[i]);
		umf_kunit_ok(test, "del r");
	}

	/* one that might match: nothing has happened, to any rule */
	umf_kunit_ok(test, "add kt0 drop dir=tx id=r; add kt0 drop prob=1%% id=may");
	at = stat(test, "no", "evaluated");
	index = atomic64_read(&kt_dev[0].site.index);
	KUNIT_EXPECT_FALSE(test, pass_all(&rx100, 40));
	KUNIT_EXPECT_EQ(test, atomic64_read(&kt_dev[0].site.index), index);
	KUNIT_EXPECT_EQ(test, stat(test, "r", "evaluated"), 0);
	KUNIT_EXPECT_EQ(test, stat(test, "may", "evaluated"), 0);
	KUNIT_EXPECT_EQ(test, stat(test, "no", "evaluated"), at);
	umf_kunit_ok(test, "suspend may");
	KUNIT_EXPECT_TRUE(test, pass_all(&rx100, 40));
	KUNIT_EXPECT_FALSE(test, pass_all(&tx7, 2));
	KUNIT_EXPECT_EQ(test, stat(test, "may", "evaluated"), 0);
	verdict = kt_decide(&kt_dev[0], &tx7);
	KUNIT_ASSERT_EQ(test, verdict.n, 1);
	KUNIT_EXPECT_EQ(test, verdict.effect[0].action, UMF_A_DROP);
}

static struct kunit_case rule_cases[] = {
	KUNIT_CASE(effects_come_in_list_order),
	KUNIT_CASE(a_final_effect_ends_it),
	KUNIT_CASE(an_operation_takes_so_many_effects),
	KUNIT_CASE(filters_let_only_their_operations_through),
	KUNIT_CASE(only_matches_are_counted),
	KUNIT_CASE(jitter_spreads_a_delay),
	KUNIT_CASE(another_rule_does_not_shift_the_draws),
	KUNIT_CASE(a_seed_repeats_what_was),
	KUNIT_CASE(statistics_are_exact),
	KUNIT_CASE(states_are_told),
	KUNIT_CASE(each_firing_is_an_event),
	KUNIT_CASE(a_firing_arms_the_next_rule),
	KUNIT_CASE(a_spent_rule_is_armed_again),
	KUNIT_CASE(chains_go_through_devices_and_rules),
	KUNIT_CASE(a_chain_is_not_torn),
	KUNIT_CASE(a_suspended_rule_is_not_asked),
	KUNIT_CASE(many_pass_that_no_rule_can_match),
	KUNIT_CASE(rules_get_names),
	KUNIT_CASE(what_list_prints_makes_the_rules_again),
	KUNIT_CASE(clear_restores_the_state_before),
	KUNIT_CASE(each_change_updates_the_device),
	KUNIT_CASE(a_device_takes_its_rules_along),
	{}
};

static struct kunit_suite rule_suite = {
	.name = "umf_rule",
	.suite_init = umf_kunit_suite_init,
	.suite_exit = umf_kunit_suite_exit,
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = rule_cases,
};

kunit_test_suite(rule_suite);
