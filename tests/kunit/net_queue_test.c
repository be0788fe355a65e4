// SPDX-License-Identifier: GPL-2.0
/* Queues of frames that wait, held against a model over random histories. */
#include "net/fault/queue.h"
#include "umf_kunit.h"

#define ITEMS		400
#define STEPS		4000
#define HISTORIES	20
#define GBIT		1000000000ULL

enum order { FREE, IN_ORDER, RATE, KEPT, REVERSED, ORDERS };

/* An item, and what the model knows of it. */
struct mitem {
	struct umf_net_item item;
	u64 due;
	int order;		/* the larger, the later among those due together */
	bool waits;
};

struct model {
	struct umf_net_queue queue;
	enum order kind;
	struct umf_rng rng;
	u64 now, last, paid;	/* in order, rate: as a plain sum */
	int arrived;
	struct mitem item[ITEMS];
};

static u64 draw(struct model *m, u64 n)
{
	return umf_rng_below(&m->rng, n);
}

/* What must leave next, were all due. */
static struct mitem *model_first(struct model *m)
{
	struct mitem *first = NULL;
	int i;

	for (i = 0; i < ITEMS; i++) {
		struct mitem *it = &m->item[i];

		if (it->waits && (!first || it->due < first->due ||
				  (it->due == first->due &&
				   it->order < first->order)))
			first = it;
	}
	return first;
}

/* The due time by the rules of the manual, told in other words than queue.c. */
static u64 model_due(struct model *m, u64 wait, unsigned int len, u64 rate,
		     u64 bucket)
{
	u64 start, credit;

	switch (m->kind) {
	case IN_ORDER:
		if (m->last < m->now + wait)
			m->last = m->now + wait;
		return m->last;
	case RATE:
		start = m->paid > m->now ? m->paid : m->now;
		m->paid = start + (u64)len * 8 * GBIT / rate;
		credit = bucket * 8 * GBIT / rate;
		if (m->paid < credit || m->paid - credit < m->now)
			return m->now;
		return m->paid - credit;
	case FREE:
		return m->now + wait;
	default:
		return UMF_NET_NEVER;
	}
}

static void arrive(struct kunit *test, struct model *m, u64 rate, u64 bucket)
{
	u64 wait = draw(m, 4) ? draw(m, 5000) : 0, due;
	unsigned int len = 14 + draw(m, 1500);
	struct mitem *it = NULL;
	int i;

	for (i = 0; i < ITEMS && !it; i++)
		if (!m->item[i].waits)
			it = &m->item[i];
	if (!it)
		return;
	it->due = model_due(m, wait, len, rate, bucket);
	it->order = m->kind == REVERSED ? -m->arrived : m->arrived;
	m->arrived++;
	it->waits = true;
	if (m->kind == RATE)
		due = umf_net_queue_rate(&m->queue, m->now, len, rate, bucket);
	else if (m->kind == IN_ORDER)
		due = umf_net_queue_in_order(&m->queue, m->now, wait);
	else
		due = it->due;
	KUNIT_EXPECT_EQ(test, due, it->due);
	umf_net_queue_push(&m->queue, &it->item, due, m->kind == REVERSED);
}

static bool took(struct kunit *test, struct model *m, struct umf_net_item *got,
		 bool all)
{
	struct mitem *want = model_first(m);

	if (want && !all && (want->due > m->now || want->due == UMF_NET_NEVER))
		want = NULL;
	KUNIT_EXPECT_PTR_EQ(test, got, want ? &want->item : NULL);
	if (want)
		want->waits = false;
	return want && got == &want->item;
}

static void run_history(struct kunit *test, struct model *m, enum order kind,
			u64 seed)
{
	u64 rate = 8000 * (1 + seed), bucket = seed % 3 * 2000;
	int i;

	memset(m, 0, sizeof(*m));
	umf_net_queue_init(&m->queue);
	m->kind = kind;
	m->rng.state = seed * ORDERS + kind;
	m->now = 1000000;
	for (i = 0; i < STEPS; i++) {
		switch (draw(m, 10)) {
		case 0 ... 4:
			arrive(test, m, rate * 1000000, bucket);
			break;
		case 5 ... 7:
			m->now += draw(m, 3000);
			break;
		case 8:
			while (took(test, m, umf_net_queue_pop(&m->queue, m->now),
				    false))
				;
			break;
		default:
			/* as at the end of a rule, now and then */
			if (draw(m, 20))
				break;
			while (took(test, m, umf_net_queue_drain(&m->queue),
				    true))
				;
			m->last = 0;
			m->paid = 0;
		}
	}
	while (took(test, m, umf_net_queue_drain(&m->queue), true))
		;
	KUNIT_EXPECT_EQ(test, m->queue.count, 0);
	KUNIT_EXPECT_EQ(test, umf_net_queue_due(&m->queue), U64_MAX);
}

static void histories_leave_as_the_model_says(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	enum order kind;
	u64 seed;

	KUNIT_ASSERT_NOT_NULL(test, m);
	for (kind = 0; kind < ORDERS; kind++)
		for (seed = 0; seed < HISTORIES; seed++)
			run_history(test, m, kind, seed);
}

/* What no history may show: in order, nobody passes who came before. */
static void nothing_in_order_overtakes(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct umf_net_item *item;
	struct mitem *it;
	int i, last = -1;
	u64 now = 0;

	KUNIT_ASSERT_NOT_NULL(test, m);
	umf_net_queue_init(&m->queue);
	for (i = 0; i < ITEMS; i++) {
		it = &m->item[i];
		it->order = i;
		now += draw(m, 50);
		it->due = i & 1 ? umf_net_queue_rate(&m->queue, now, 100, 8000, 0) :
				  umf_net_queue_in_order(&m->queue, now,
							 draw(m, 100000));
		umf_net_queue_push(&m->queue, &it->item, it->due, false);
		while (i % 3 == 0 &&
		       (item = umf_net_queue_pop(&m->queue, now + draw(m, 9999)))) {
			it = container_of(item, struct mitem, item);
			KUNIT_EXPECT_GT(test, it->order, last);
			last = it->order;
		}
	}
	while ((item = umf_net_queue_drain(&m->queue))) {
		it = container_of(item, struct mitem, item);
		KUNIT_EXPECT_GT(test, it->order, last);
		last = it->order;
	}
	KUNIT_EXPECT_EQ(test, last, ITEMS - 1);
}

/* As many as have room, when the last one came: no slot is nearer to the one before. */
static void slots_are_a_gap_apart(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	u64 due, slot = 0, got, gap, now = 1000000, empty = 0;
	unsigned int most, in_slot = 0;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	umf_net_queue_init(&m->queue);
	for (i = 0; i < STEPS; i++) {
		now += draw(m, 10) ? draw(m, 400) : draw(m, 40000);
		gap = 1000 + draw(m, 5000);
		most = 1 + draw(m, 8);
		due = umf_net_queue_in_order(&m->queue, now, draw(m, 3000));
		got = umf_net_queue_slot(&m->queue, due, gap, most);
		KUNIT_EXPECT_GE(test, got, due);
		if (slot && got == slot) {
			in_slot++;
			KUNIT_EXPECT_LT(test, in_slot, 8);
			continue;
		}
		if (slot)
			KUNIT_EXPECT_GE(test, got, slot + gap);
		/* who waits for nothing opens one */
		if (got == due)
			empty++;
		else
			KUNIT_EXPECT_EQ(test, got, slot + gap);
		slot = got;
		in_slot = 0;
	}
	KUNIT_EXPECT_GT(test, empty, 100);

	umf_net_queue_init(&m->queue);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test,
				umf_net_queue_slot(&m->queue, 500, 1000, 4),
				500 + i / 4 * 1000);
}

static void what_is_kept_never_comes_due(struct kunit *test)
{
	struct umf_net_item item = {};
	struct umf_net_queue queue;

	umf_net_queue_init(&queue);
	umf_net_queue_push(&queue, &item, UMF_NET_NEVER, false);
	KUNIT_EXPECT_NULL(test, umf_net_queue_pop(&queue, U64_MAX));
	KUNIT_EXPECT_PTR_EQ(test, umf_net_queue_drain(&queue), &item);
}

static void a_drained_rate_has_no_debt(struct kunit *test)
{
	struct umf_net_item item = {};
	struct umf_net_queue queue;
	u64 due;

	umf_net_queue_init(&queue);
	due = umf_net_queue_rate(&queue, 0, 1000, 8, 0);
	KUNIT_EXPECT_EQ(test, due, 1000 * NSEC_PER_SEC);
	umf_net_queue_push(&queue, &item, due, false);
	umf_net_queue_drain(&queue);
	KUNIT_EXPECT_EQ(test, umf_net_queue_rate(&queue, 5, 1, 8, 0),
			5 + NSEC_PER_SEC);
}

static struct kunit_case net_queue_cases[] = {
	KUNIT_CASE(histories_leave_as_the_model_says),
	KUNIT_CASE(nothing_in_order_overtakes),
	KUNIT_CASE(slots_are_a_gap_apart),
	KUNIT_CASE(what_is_kept_never_comes_due),
	KUNIT_CASE(a_drained_rate_has_no_debt),
	{}
};

static struct kunit_suite net_queue_suite = {
	.name = "umf_net_queue",
	.test_cases = net_queue_cases,
};

kunit_test_suite(net_queue_suite);
