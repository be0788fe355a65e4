// SPDX-License-Identifier: GPL-2.0
/*
 * Which rules an operation asks: those of its direction and key, in list order,
 * whatever came and went before, and none that the class knows to refuse; and
 * that all of them count it.
 */
#include <linux/bitmap.h>
#include <linux/string.h>
#include "umf_kunit.h"

#define PEERS	40	/* more than a plan has slots for */
#define RULES	150	/* of more than two words */

static u64 count_of(struct kunit *test, const char *id)
{
	const char *text = umf_kunit_ok(test, "stats %s", id);
	const char *at = strstr(text, " evaluated=");
	u64 val = 0;

	if (!at || sscanf(at, " evaluated=%llu", &val) != 1)
		KUNIT_FAIL(test, "%s: no count", text);
	return val;
}

static const char *id_of(const struct umf_verdict *verdict, unsigned int i)
{
	return i < verdict->n ? verdict->effect[i].spec->val[UMF_K_ID].text : "";
}

static struct kt_op peer_op(u64 peer, bool keyed)
{
	return (struct kt_op){
		.op = {
			.dir = UMF_DIR_RX,
			.len = 100,
			.key = KT_KEY(peer),
			.keyed = keyed,
		},
		.peer = peer,
	};
}

static void only_rules_with_that_key_are_asked(struct kunit *test)
{
	struct umf_verdict verdict;
	struct kt_op op;
	char id[8];
	int i;

	umf_kunit_ok(test, "add kt0 dup id=first");
	for (i = 0; i < PEERS; i++)
		umf_kunit_ok(test, "add kt0 dup peer=02:00:00:00:00:%02x id=p%d",
			     i, i);
	umf_kunit_ok(test, "add kt0 dup id=last; add kt0 dup dir=tx id=tx");
	for (i = 0; i < PEERS; i++) {
		snprintf(id, sizeof(id), "p%d", i);
		op = peer_op(0x020000000000ULL + i, false);
		verdict = kt_decide(&kt_dev[0], &op);
		KUNIT_EXPECT_EQ(test, verdict.n, 3);
		KUNIT_EXPECT_STREQ(test, id_of(&verdict, 0), "first");
		KUNIT_EXPECT_STREQ(test, id_of(&verdict, 1), id);
		KUNIT_EXPECT_STREQ(test, id_of(&verdict, 2), "last");
		op = peer_op(0x020000000000ULL + i, true);
		verdict = kt_decide(&kt_dev[0], &op);
		KUNIT_EXPECT_EQ(test, verdict.n, 1);
		KUNIT_EXPECT_STREQ(test, id_of(&verdict, 0), id);
	}
	op = peer_op(0x0200000000ffULL, true);
	KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &op).n, 0);
	op.op.key = 0;
	op.op.keyed = false;
	KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &op).n, 2);
	/* those that were not asked have counted it nevertheless */
	KUNIT_EXPECT_EQ(test, count_of(test, "first"), 2 * PEERS + 2);
	KUNIT_EXPECT_EQ(test, count_of(test, "p7"), 2 * PEERS + 2);
	KUNIT_EXPECT_EQ(test, count_of(test, "tx"), 2 * PEERS + 2);
}

/* In list order, with count=1 each fires in the operation it is first in. */
static void a_rule_that_goes_leaves_the_others_asked(struct kunit *test)
{
	DECLARE_BITMAP(there, RULES) = {};
	struct umf_rng rng = { .state = 1 };
	struct umf_verdict verdict;
	unsigned int i, k, want;
	struct kt_op op = peer_op(0, false);
	char id[8];

	for (i = 0; i < RULES; i++) {
		umf_kunit_ok(test, "add kt0 %s id=n%u",
			     i % 7 ? "dup count=1" : "down", i);
		if (i % 7)
			__set_bit(i, there);
	}
	for (k = 0; k < RULES / 2; k++) {
		i = umf_rng_below(&rng, RULES);
		if (!(i % 7) || !test_and_clear_bit(i, there))
			continue;
		umf_kunit_ok(test, "del n%u", i);
		if (k % 10)
			continue;
		/* comes again, as the last; a plan is made */
		umf_kunit_ok(test, "add kt0 dup count=1 id=n%u; del n%u", i, i);
	}
	want = 0;
	while (want < RULES) {
		verdict = kt_decide(&kt_dev[0], &op);
		if (!verdict.n)
			break;
		for (i = 0; i < verdict.n; i++) {
			want = find_next_bit(there, RULES, want);
			snprintf(id, sizeof(id), "n%u", want++);
			KUNIT_EXPECT_STREQ(test, id_of(&verdict, i), id);
		}
	}
	KUNIT_EXPECT_EQ(test, find_next_bit(there, RULES, want), RULES);
}

static void what_is_known_to_refuse_is_not_asked(struct kunit *test)
{
	DECLARE_BITMAP(refused, RULES) = {};
	struct kt_op op = peer_op(0, false);
	struct umf_verdict verdict;
	int i;

	for (i = 0; i < RULES; i++)
		umf_kunit_ok(test, "add kt0 dup id=n%d", i);
	bitmap_fill(refused, RULES);
	__clear_bit(3, refused);
	__clear_bit(64, refused);
	__clear_bit(RULES - 1, refused);
	kt_dev[0].refused = refused;
	verdict = kt_decide(&kt_dev[0], &op);
	KUNIT_EXPECT_EQ(test, verdict.n, 3);
	KUNIT_EXPECT_STREQ(test, id_of(&verdict, 0), "n3");
	KUNIT_EXPECT_STREQ(test, id_of(&verdict, 1), "n64");
	KUNIT_EXPECT_STREQ(test, id_of(&verdict, 2), "n149");
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, umf_pass_all(&kt_dev[0].site, &op.op, 5));
	bitmap_fill(refused, RULES);
	KUNIT_EXPECT_TRUE(test, umf_pass_all(&kt_dev[0].site, &op.op, 5));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, kt_decide(&kt_dev[0], &op).n, 0);
	KUNIT_EXPECT_EQ(test, count_of(test, "n3"), 7);
	KUNIT_EXPECT_EQ(test, count_of(test, "n5"), 7);
	kt_dev[0].refused = NULL;
}

static void an_operation_that_asks_nobody_is_counted(struct kunit *test)
{
	struct kt_op one = peer_op(1, true), two = peer_op(2, true);

	umf_kunit_ok(test, "add kt0 dup id=plain");
	umf_kunit_ok(test, "add kt0 dup peer=00:00:00:00:00:01 at=+1000s id=one");
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, umf_pass_unasked(&kt_dev[0].site, &two.op, 9));
	KUNIT_EXPECT_FALSE(test, umf_pass_unasked(&kt_dev[0].site, &one.op, 9));
	two.op.keyed = false;
	KUNIT_EXPECT_FALSE(test, umf_pass_unasked(&kt_dev[0].site, &two.op, 9));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, count_of(test, "plain"), 9);
	KUNIT_EXPECT_EQ(test, count_of(test, "one"), 9);
}

static struct kunit_case plan_cases[] = {
	KUNIT_CASE(only_rules_with_that_key_are_asked),
	KUNIT_CASE(a_rule_that_goes_leaves_the_others_asked),
	KUNIT_CASE(what_is_known_to_refuse_is_not_asked),
	KUNIT_CASE(an_operation_that_asks_nobody_is_counted),
	{}
};

static struct kunit_suite plan_suite = {
	.name = "umf_plan",
	.suite_init = umf_kunit_suite_init,
	.suite_exit = umf_kunit_suite_exit,
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = plan_cases,
};

kunit_test_suite(plan_suite);
