// SPDX-License-Identifier: GPL-2.0
/*
 * When a rule is in force: the phase at a moment, and the edges between phases,
 * for at= for= period= duty= and before arming.
 */
#include <linux/limits.h>
#include <linux/string.h>
#include "umf_kunit.h"

#define MS	1000000ULL	/* nanoseconds */

struct moment {
	const char *rule;
	u64 armed_at, now;
	enum umf_phase phase;
	u64 edge;
};

static const struct moment moments[] = {
	{ "down", 5, 5, UMF_OPEN, U64_MAX },
	{ "down", 5, 1000 * UMF_NSEC, UMF_OPEN, U64_MAX },

	/* +T counts from the arming, T from boot */
	{ "down at=+10ms", 5, 5, UMF_WAITING, 10 * MS + 5 },
	{ "down at=+10ms", 5, 10 * MS + 4, UMF_WAITING, 10 * MS + 5 },
	{ "down at=+10ms", 5, 10 * MS + 5, UMF_OPEN, U64_MAX },
	{ "down at=+0s", 5, 5, UMF_OPEN, U64_MAX },
	{ "down at=10ms", 5, 5, UMF_WAITING, 10 * MS },
	{ "down at=10ms", 5, 10 * MS - 1, UMF_WAITING, 10 * MS },
	{ "down at=10ms", 5, 10 * MS, UMF_OPEN, U64_MAX },
	/* the same instants when armed later, even too late */
	{ "down at=10ms", 11 * MS, 11 * MS, UMF_OPEN, U64_MAX },
	{ "down at=10ms for=5ms", 11 * MS, 11 * MS, UMF_OPEN, 15 * MS },
	{ "down at=10ms for=5ms", 11 * MS, 15 * MS, UMF_SPENT, U64_MAX },
	{ "down at=10ms for=5ms", 20 * MS, 20 * MS, UMF_SPENT, U64_MAX },
	{ "down at=10ms period=10ms duty=30%", 25 * MS, 25 * MS, UMF_CLOSED,
	  30 * MS },

	{ "down for=3ms", 5, 5, UMF_OPEN, 3 * MS + 5 },
	{ "down for=3ms", 5, 3 * MS + 4, UMF_OPEN, 3 * MS + 5 },
	{ "down for=3ms", 5, 3 * MS + 5, UMF_SPENT, U64_MAX },
	{ "down for=1ns", 5, 5, UMF_OPEN, 6 },
	{ "down for=1ns", 5, 6, UMF_SPENT, U64_MAX },
	{ "down at=+1s for=1ms", 5, UMF_NSEC + 5, UMF_OPEN,
	  UMF_NSEC + MS + 5 },
	{ "down at=+1000000s for=1000000s", 5, 2 * UMF_TIME_MAX, UMF_OPEN,
	  2 * UMF_TIME_MAX + 5 },

	{ "down period=10ms duty=30%", 5, 5, UMF_OPEN, 3 * MS + 5 },
	{ "down period=10ms duty=30%", 5, 3 * MS + 4, UMF_OPEN, 3 * MS + 5 },
	{ "down period=10ms duty=30%", 5, 3 * MS + 5, UMF_CLOSED, 10 * MS + 5 },
	{ "down period=10ms duty=30%", 5, 10 * MS + 4, UMF_CLOSED,
	  10 * MS + 5 },
	{ "down period=10ms duty=30%", 5, 10 * MS + 5, UMF_OPEN, 13 * MS + 5 },
	{ "down period=10ms duty=30%", 5, 10000000 * MS + 5, UMF_OPEN,
	  10000003 * MS + 5 },
	{ "down period=1000000s duty=99.9999999%", 0, UMF_TIME_MAX - MS,
	  UMF_CLOSED, UMF_TIME_MAX },
	{ "down period=1000000s duty=99.9999999%", 0, UMF_TIME_MAX - MS - 1,
	  UMF_OPEN, UMF_TIME_MAX - MS },
	/* never and always have no edges */
	{ "down period=10ms duty=0%", 5, 5, UMF_CLOSED, U64_MAX },
	{ "down period=10ms duty=100%", 5, 5, UMF_OPEN, U64_MAX },
	{ "down period=10ms duty=0% for=1s", 5, 5, UMF_CLOSED, UMF_NSEC + 5 },
	{ "down period=10ms duty=100% for=1s", 5, 5, UMF_OPEN, UMF_NSEC + 5 },
	/* the end comes first */
	{ "down period=10ms duty=30% for=12ms", 5, 10 * MS + 5, UMF_OPEN,
	  12 * MS + 5 },
	{ "down period=10ms duty=30% for=12ms", 5, 12 * MS + 5, UMF_SPENT,
	  U64_MAX },
	/* the period starts with the window */
	{ "down at=+4ms period=10ms duty=30%", 5, 4 * MS + 4, UMF_WAITING,
	  4 * MS + 5 },
	{ "down at=+4ms period=10ms duty=30%", 5, 4 * MS + 5, UMF_OPEN,
	  7 * MS + 5 },
	{ "down at=+4ms period=10ms duty=30%", 5, 7 * MS + 5, UMF_CLOSED,
	  14 * MS + 5 },
};

static void the_clock_opens_and_closes(struct kunit *test)
{
	const struct umf_spec *spec;
	const struct moment *m;
	struct umf_trigger trig = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(moments); i++) {
		m = &moments[i];
		spec = umf_kunit_spec(test, m->rule);
		umf_trigger_arm(&trig, m->armed_at);
		KUNIT_EXPECT_EQ_MSG(test,
				    umf_trigger_window(&trig, spec, m->now),
				    m->phase, "%s at %llu", m->rule, m->now);
		KUNIT_EXPECT_EQ_MSG(test,
				    umf_trigger_phase(&trig, spec, m->now),
				    m->phase, "%s at %llu", m->rule, m->now);
		KUNIT_EXPECT_EQ_MSG(test, umf_trigger_edge(&trig, spec, m->now),
				    m->edge, "%s at %llu", m->rule, m->now);
	}
}

static void nothing_happens_before_arming(struct kunit *test)
{
	const struct umf_spec *spec;
	struct umf_trigger trig = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(moments); i++) {
		spec = umf_kunit_spec(test, moments[i].rule);
		KUNIT_EXPECT_EQ(test, umf_trigger_phase(&trig, spec,
							moments[i].now),
				UMF_WAITING);
		KUNIT_EXPECT_EQ(test, umf_trigger_edge(&trig, spec,
						       moments[i].now),
				U64_MAX);
	}
}

/*
 * Whoever waits from edge to edge misses nothing: an edge is later than now,
 * the phase does not change before it, and changes at it.
 */
static void walk_edges(struct kunit *test, const char *rule, u64 armed_at)
{
	const struct umf_spec *spec = umf_kunit_spec(test, rule);
	struct umf_trigger trig = {};
	u64 now = armed_at, edge;
	enum umf_phase phase;
	int n;

	umf_trigger_arm(&trig, armed_at);
	phase = umf_trigger_window(&trig, spec, now);
	for (n = 0; n < 40; n++) {
		edge = umf_trigger_edge(&trig, spec, now);
		if (edge == U64_MAX)
			break;
		KUNIT_ASSERT_GT_MSG(test, edge, now, "%s", rule);
		KUNIT_EXPECT_EQ_MSG(test, umf_trigger_edge(&trig, spec,
							   edge - 1),
				    edge, "%s at %llu", rule, edge - 1);
		KUNIT_EXPECT_EQ_MSG(test, umf_trigger_window(&trig, spec,
							     now + (edge - now) / 2),
				    phase, "%s before %llu", rule, edge);
		KUNIT_EXPECT_EQ_MSG(test, umf_trigger_window(&trig, spec,
							     edge - 1),
				    phase, "%s before %llu", rule, edge);
		now = edge;
		KUNIT_EXPECT_NE_MSG(test, umf_trigger_window(&trig, spec, now),
				    phase, "%s at %llu", rule, edge);
		phase = umf_trigger_window(&trig, spec, now);
	}
	if (edge == U64_MAX)
		KUNIT_EXPECT_EQ_MSG(test, umf_trigger_window(&trig, spec,
							     now + UMF_TIME_MAX),
				    phase, "%s after %llu", rule, now);
}

static void edges_miss_no_change(struct kunit *test)
{
	struct umf_rng rng = { .state = UMF_KUNIT_SEED };
	char rule[160];
	u64 period;
	int i, n;

	for (i = 0; i < 500; i++) {
		n = snprintf(rule, sizeof(rule), "down");
		if (umf_rng_below(&rng, 2))
			n += snprintf(rule + n, sizeof(rule) - n,
				      " at=%s%lluns",
				      umf_rng_below(&rng, 2) ? "+" : "",
				      umf_rng_below(&rng, UMF_NSEC));
		if (umf_rng_below(&rng, 2)) {
			period = 1000 + (umf_rng_next(&rng) >>
					 (30 + umf_rng_below(&rng, 30)));
			n += snprintf(rule + n, sizeof(rule) - n,
				      " period=%lluns duty=%lluppb", period,
				      umf_rng_below(&rng, UMF_PPB + 1));
		}
		/* less than the 40 edges walked, or more */
		if (umf_rng_below(&rng, 2))
			snprintf(rule + n, sizeof(rule) - n, " for=%lluns",
				 1 + (umf_rng_next(&rng) >>
				      (30 + umf_rng_below(&rng, 30))));
		walk_edges(test, rule, umf_rng_below(&rng, UMF_NSEC));
	}
}

static struct kunit_case clock_cases[] = {
	KUNIT_CASE(the_clock_opens_and_closes),
	KUNIT_CASE(nothing_happens_before_arming),
	KUNIT_CASE(edges_miss_no_change),
	{}
};

static struct kunit_suite clock_suite = {
	.name = "umf_trigger_clock",
	.test_cases = clock_cases,
};

kunit_test_suite(clock_suite);
