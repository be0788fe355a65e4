// SPDX-License-Identifier: GPL-2.0
/*
 * The switch's memory: what is learned is found, moves, ages and is flushed,
 * compared with a plain model; a full table forgets the oldest first; readers
 * beside the learner see an entry whole or not at all.
 */
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/sched.h>
#include "net/port/fdb.h"
#include "umf_kunit.h"

#define MAC(n)	(0x020000000000ULL + (n))	/* unicast, n below 2^40 */
#define TICK	50000				/* ns between softirq readers */

static struct umf_fdb *new_fdb(struct kunit *test)
{
	struct umf_fdb *fdb = kunit_kzalloc(test, sizeof(*fdb), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fdb);
	return fdb;
}

static void what_is_learned_is_found(struct kunit *test)
{
	static const unsigned int ports[] = { 0, 1, 63, 64, 254 };
	struct umf_fdb *fdb = new_fdb(test);
	int i;

	KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, MAC(1), 0), -1);
	KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, 0, 0), -1);
	KUNIT_EXPECT_EQ(test, umf_fdb_count(fdb, 0), 0);
	for (i = 0; i < ARRAY_SIZE(ports); i++)
		umf_fdb_learn(fdb, MAC(i), ports[i], 5);
	for (i = 0; i < ARRAY_SIZE(ports); i++)
		KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, MAC(i), 5), ports[i]);
	KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, MAC(i), 5), -1);
	KUNIT_EXPECT_EQ(test, umf_fdb_count(fdb, 5), ARRAY_SIZE(ports));
}

static void a_mac_is_at_its_last_port_only(struct kunit *test)
{
	struct umf_fdb *fdb = new_fdb(test);
	int port;

	for (port = 0; port < 64; port++) {
		umf_fdb_learn(fdb, MAC(7), port, port);
		KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, MAC(7), port), port);
		KUNIT_EXPECT_EQ(test, umf_fdb_count(fdb, port), 1);
	}
	umf_fdb_flush(fdb, ~BIT_ULL(63));
	KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, MAC(7), 63), 63);
}

static void groups_are_not_learned(struct kunit *test)
{
	static const u64 groups[] = {
		0xffffffffffffULL, 0x01005e000001ULL, 0x333300000001ULL, 0,
	};
	struct umf_fdb *fdb = new_fdb(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(groups); i++) {
		umf_fdb_learn(fdb, groups[i], 3, 0);
		KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, groups[i], 0), -1);
	}
	KUNIT_EXPECT_EQ(test, umf_fdb_count(fdb, 0), 0);
}

static void entries_age(struct kunit *test)
{
	static const u32 starts[] = { 0, 1000, U32_MAX - 10, U32_MAX };
	struct umf_fdb *fdb;
	u32 now;
	int i;

	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		fdb = new_fdb(test);
		now = starts[i];		/* and over the wrap */
		umf_fdb_learn(fdb, MAC(i), 9, now);
		now += UMF_FDB_AGE - 1;
		KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, MAC(i), now), 9);
		KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, MAC(i), now + 1), -1);
		/* seen again in time */
		umf_fdb_learn(fdb, MAC(i), 9, now);
		now += UMF_FDB_AGE - 1;
		KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, MAC(i), now), 9);
		KUNIT_EXPECT_EQ(test, umf_fdb_count(fdb, now), 1);
		KUNIT_EXPECT_EQ(test, umf_fdb_count(fdb, now + 1), 0);
	}
}

static void a_flush_forgets_its_ports_only(struct kunit *test)
{
	struct umf_fdb *fdb = new_fdb(test);
	u64 flushed = BIT_ULL(0) | BIT_ULL(5) | BIT_ULL(63);
	unsigned int n;
	int expect;

	for (n = 0; n < 200; n++)
		umf_fdb_learn(fdb, MAC(n), n % 100, 0);
	umf_fdb_flush(fdb, 0);
	KUNIT_EXPECT_EQ(test, umf_fdb_count(fdb, 0), 200);
	umf_fdb_flush(fdb, flushed);
	KUNIT_EXPECT_EQ(test, umf_fdb_count(fdb, 0), 194);
	for (n = 0; n < 200; n++) {
		expect = n % 100 < 64 && (flushed >> n % 100 & 1) ? -1 : n % 100;
		KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, MAC(n), 0), expect);
	}
	/* and learns them anew */
	umf_fdb_learn(fdb, MAC(5), 6, 0);
	KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, MAC(5), 0), 6);
}

/* As many guests as a segment takes, with eight MACs each. */
static void a_large_segment_fits(struct kunit *test)
{
	struct umf_fdb *fdb = new_fdb(test);
	unsigned int n;

	for (n = 0; n < 512; n++)
		umf_fdb_learn(fdb, MAC((n % 64) << 8 | n / 64), n % 64, n / 8);
	for (n = 0; n < 512; n++)
		KUNIT_EXPECT_EQ(test,
				umf_fdb_lookup(fdb,
					       MAC((n % 64) << 8 | n / 64), 64),
				n % 64);
}

static void a_full_table_forgets_the_oldest(struct kunit *test)
{
	struct umf_fdb *fdb = new_fdb(test);
	struct umf_rng rng = { .state = UMF_KUNIT_SEED };
	unsigned int n, lost = 0;
	u64 mac;
	u32 now;

	umf_fdb_learn(fdb, MAC(1), 1, 0);	/* never seen again */
	for (now = 0; now < 200; now++) {
		umf_fdb_learn(fdb, MAC(2), 2, now);
		for (n = 0; n < 500; n++) {
			mac = MAC(3 + (umf_rng_next(&rng) >> 32));
			umf_fdb_learn(fdb, mac, 3, now);
			lost += umf_fdb_lookup(fdb, mac, now) != 3;
			lost += umf_fdb_lookup(fdb, MAC(2), now) != 2;
		}
	}
	KUNIT_EXPECT_EQ(test, lost, 0);
	KUNIT_EXPECT_EQ(test, umf_fdb_lookup(fdb, MAC(1), now), -1);
	KUNIT_EXPECT_LE(test, umf_fdb_count(fdb, now), UMF_FDB_ENTRIES);
	KUNIT_EXPECT_GT(test, umf_fdb_count(fdb, now),
			UMF_FDB_ENTRIES * 9 / 10);
}

/* ---- against a model ---- */

#define MODEL_MACS	256	/* few enough that no set is ever full */

static void it_does_what_a_plain_table_does(struct kunit *test)
{
	struct {
		bool known;
		unsigned int port;
		u32 seen;
	} *model = kunit_kcalloc(test, MODEL_MACS, sizeof(*model), GFP_KERNEL);
	struct umf_rng rng = { .state = UMF_KUNIT_SEED };
	struct umf_fdb *fdb = new_fdb(test);
	u32 now = U32_MAX - 20000;	/* wraps on the way */
	unsigned int n, port, known;
	u64 mask;
	int i, k, expect;

	KUNIT_ASSERT_NOT_NULL(test, model);
	for (i = 0; i < 50000; i++) {
		n = umf_rng_below(&rng, MODEL_MACS);
		now += umf_rng_below(&rng, 3);
		switch (umf_rng_below(&rng, 100)) {
		case 0:
			mask = umf_rng_next(&rng) & umf_rng_next(&rng);
			umf_fdb_flush(fdb, mask);
			for (k = 0; k < MODEL_MACS; k++)
				if (model[k].port < 64 &&
				    (mask >> model[k].port & 1))
					model[k].known = false;
			break;
		case 1 ... 40:
			port = umf_rng_below(&rng, 255);
			umf_fdb_learn(fdb, MAC(n), port, now);
			model[n].known = true;
			model[n].port = port;
			model[n].seen = now;
			break;
		default:
			expect = model[n].known &&
				 now - model[n].seen < UMF_FDB_AGE ?
				 model[n].port : -1;
			KUNIT_ASSERT_EQ(test, umf_fdb_lookup(fdb, MAC(n), now),
					expect);
		}
	}
	known = 0;
	for (k = 0; k < MODEL_MACS; k++)
		known += model[k].known && now - model[k].seen < UMF_FDB_AGE;
	KUNIT_EXPECT_GT(test, known, 0);
	KUNIT_EXPECT_EQ(test, umf_fdb_count(fdb, now), known);
}

/* ---- readers beside the learner ---- */

#define BUSY_MACS	20000	/* several for each entry: sets are full */

struct readers {
	struct umf_fdb *fdb;
	struct hrtimer timer;
	struct umf_rng rng[2];
	atomic_t found, wrong;
	bool stop;
};

/* MAC n is only ever learned at ports n % 32 and n % 32 + 32. */
static void read_some(struct readers *readers, struct umf_rng *rng)
{
	u64 n;
	int i, port;

	for (i = 0; i < 20; i++) {
		n = umf_rng_below(rng, BUSY_MACS);
		port = umf_fdb_lookup(readers->fdb, MAC(n), 0);
		if (port < 0)
			continue;
		atomic_inc(&readers->found);
		if (port >= 64 || port % 32 != n % 32)
			atomic_inc(&readers->wrong);
	}
}

static int read_thread(void *data)
{
	struct readers *readers = data;

	while (!kthread_should_stop()) {
		read_some(readers, &readers->rng[0]);
		cond_resched();
	}
	return 0;
}

static enum hrtimer_restart read_softirq(struct hrtimer *timer)
{
	struct readers *readers = container_of(timer, struct readers, timer);

	read_some(readers, &readers->rng[1]);
	if (READ_ONCE(readers->stop))
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(TICK));
	return HRTIMER_RESTART;
}

static void readers_see_whole_entries(struct kunit *test)
{
	struct readers *readers = kunit_kzalloc(test, sizeof(*readers),
						GFP_KERNEL);
	struct umf_rng rng = { .state = UMF_KUNIT_SEED };
	unsigned long until = jiffies + HZ / 4;
	struct task_struct *task;
	u64 n;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, readers);
	readers->fdb = new_fdb(test);
	readers->rng[0].state = 1;
	readers->rng[1].state = 2;
	hrtimer_setup(&readers->timer, read_softirq, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_SOFT);
	task = kthread_run(read_thread, readers, "umf_kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	hrtimer_start(&readers->timer, ns_to_ktime(TICK),
		      HRTIMER_MODE_REL_SOFT);
	while (time_before(jiffies, until)) {
		for (i = 0; i < 100; i++) {
			n = umf_rng_below(&rng, BUSY_MACS);
			umf_fdb_learn(readers->fdb, MAC(n),
				      n % 32 + 32 * umf_rng_below(&rng, 2), 0);
		}
		umf_fdb_flush(readers->fdb,
			      BIT_ULL(umf_rng_below(&rng, 64)));
		cond_resched();
	}
	WRITE_ONCE(readers->stop, true);
	hrtimer_cancel(&readers->timer);
	kthread_stop(task);
	KUNIT_EXPECT_EQ(test, atomic_read(&readers->wrong), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&readers->found), 1000);
}

static struct kunit_case switch_cases[] = {
	KUNIT_CASE(what_is_learned_is_found),
	KUNIT_CASE(a_mac_is_at_its_last_port_only),
	KUNIT_CASE(groups_are_not_learned),
	KUNIT_CASE(entries_age),
	KUNIT_CASE(a_flush_forgets_its_ports_only),
	KUNIT_CASE(a_large_segment_fits),
	KUNIT_CASE(a_full_table_forgets_the_oldest),
	KUNIT_CASE(it_does_what_a_plain_table_does),
	KUNIT_CASE(readers_see_whole_entries),
	{}
};

static struct kunit_suite switch_suite = {
	.name = "umf_switch",
	.test_cases = switch_cases,
};

kunit_test_suite(switch_suite);
