// SPDX-License-Identifier: GPL-2.0
/*
 * The event log and the replies: nothing is torn, readers that fall behind are
 * told how far, text grows to a limit and an error replaces what was said.
 */
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/wait.h>
#include "umf_kunit.h"

#define FLOOD	10000		/* records, more than the ring holds */
#define TICK	50000		/* ns between records from softirq */

/* A record whose fields all follow from one number. */
static struct umf_event make_event(u64 n)
{
	struct umf_event event = {
		.time = n * 3,
		.index = n,
		.action = n % UMF_A_MAX,
	};

	snprintf(event.rule, sizeof(event.rule), "rule%llu", n);
	snprintf(event.device, sizeof(event.device), "dev%llu", n % 1000);
	snprintf(event.what, sizeof(event.what), "what %llu", ~n);
	return event;
}

static bool event_whole(const struct umf_event *event)
{
	struct umf_event expect = make_event(event->index);

	return event->time == expect.time && event->action == expect.action &&
	       !strcmp(event->rule, expect.rule) &&
	       !strcmp(event->device, expect.device) &&
	       !strcmp(event->what, expect.what);
}

static u64 log_one(u64 n)
{
	struct umf_event event = make_event(n);

	umf_log_event(&event);
	return event.seq;
}

/* ---- the log ---- */

static void records_come_back_in_sequence(struct kunit *test)
{
	u64 since = umf_kunit_last_event(), seq, lost = 1;
	struct umf_event event;
	int i;

	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, log_one(i), since + 1 + i);
	for (i = 0; i < 10; i++) {
		KUNIT_ASSERT_TRUE(test, umf_log_read(since + i, &event, &lost));
		KUNIT_EXPECT_EQ(test, lost, 0);
		KUNIT_EXPECT_EQ(test, event.seq, since + 1 + i);
		KUNIT_EXPECT_EQ(test, event.index, i);
		KUNIT_EXPECT_TRUE(test, event_whole(&event));
	}
	/* nothing after the newest, nor after what has not been yet */
	seq = event.seq;
	KUNIT_EXPECT_FALSE(test, umf_log_read(seq, &event, &lost));
	KUNIT_EXPECT_EQ(test, lost, 0);
	KUNIT_EXPECT_FALSE(test, umf_log_read(seq + 1000, &event, &lost));
	KUNIT_EXPECT_EQ(test, lost, 0);
	KUNIT_EXPECT_FALSE(test, umf_log_read(U64_MAX, &event, &lost));
}

static void the_oldest_are_lost_and_counted(struct kunit *test)
{
	u64 since = umf_kunit_last_event(), newest, oldest, size, lost;
	struct umf_event event;
	int i;

	for (i = 0; i < FLOOD; i++)
		log_one(i);
	newest = since + FLOOD;
	KUNIT_ASSERT_TRUE(test, umf_log_read(0, &event, &lost));
	oldest = event.seq;
	size = newest - oldest + 1;
	KUNIT_EXPECT_EQ(test, lost, oldest - 1);
	KUNIT_EXPECT_GE(test, size, 1024);
	KUNIT_ASSERT_LT(test, size, FLOOD);
	/* who had read up to there lost the difference */
	KUNIT_ASSERT_TRUE(test, umf_log_read(since, &event, &lost));
	KUNIT_EXPECT_EQ(test, event.seq, oldest);
	KUNIT_EXPECT_EQ(test, lost, FLOOD - size);
	KUNIT_ASSERT_TRUE(test, umf_log_read(oldest - 2, &event, &lost));
	KUNIT_EXPECT_EQ(test, lost, 1);
	KUNIT_ASSERT_TRUE(test, umf_log_read(oldest - 1, &event, &lost));
	KUNIT_EXPECT_EQ(test, lost, 0);
	KUNIT_EXPECT_EQ(test, event.seq, oldest);
	/* and everything that is left is there */
	for (; oldest <= newest; oldest++) {
		KUNIT_ASSERT_TRUE(test, umf_log_read(oldest - 1, &event,
						     &lost));
		KUNIT_EXPECT_EQ(test, event.seq, oldest);
		KUNIT_EXPECT_EQ(test, event.index, oldest - since - 1);
		KUNIT_ASSERT_TRUE(test, event_whole(&event));
	}
	/* one more pushes one out */
	oldest = newest - size + 1;
	log_one(FLOOD);
	KUNIT_ASSERT_TRUE(test, umf_log_read(oldest - 1, &event, &lost));
	KUNIT_EXPECT_EQ(test, event.seq, oldest + 1);
	KUNIT_EXPECT_EQ(test, lost, 1);
}

static void a_record_is_printed_in_one_line(struct kunit *test)
{
	struct umf_event event = {
		.seq = 17, .time = 12 * UMF_NSEC + 34, .index = 5,
		.action = UMF_A_DROP, .rule = "r1", .device = "eth0",
		.what = "tx 60",
	};
	struct umf_reply reply = {};

	umf_print_event(&reply, &event);
	KUNIT_EXPECT_STREQ(test, reply.text,
			   "seq=17 time=12.000000034 device=eth0 rule=r1 action=drop index=5 what=\"tx 60\"\n");
	umf_reply_free(&reply);
}

static void the_log_prints_what_came_since(struct kunit *test)
{
	u64 since = umf_kunit_last_event();
	struct umf_reply reply = {};
	char expect[80];

	KUNIT_EXPECT_EQ(test, umf_log_print(since, &reply), 0);
	KUNIT_EXPECT_EQ(test, reply.len, 0);
	log_one(0);
	log_one(1);
	KUNIT_EXPECT_EQ(test, umf_log_print(since + 1, &reply), 0);
	KUNIT_ASSERT_NOT_NULL(test, reply.text);
	snprintf(expect, sizeof(expect), "seq=%llu time=0.000000003 device=dev1 rule=rule1 ",
		 since + 2);
	KUNIT_EXPECT_PTR_EQ(test, strstr(reply.text, expect), reply.text);
	KUNIT_EXPECT_PTR_EQ(test, strchr(reply.text, '\n'),
			    reply.text + reply.len - 1);
	umf_reply_free(&reply);

	KUNIT_EXPECT_EQ(test, umf_log_print(since, &reply), 0);
	snprintf(expect, sizeof(expect), "\nseq=%llu ", since + 2);
	KUNIT_EXPECT_NOT_NULL(test, strstr(reply.text, expect));
	KUNIT_EXPECT_NULL(test, strstr(reply.text, "lost="));
	umf_reply_free(&reply);
}

static void a_printed_log_says_what_is_missing(struct kunit *test)
{
	u64 since = umf_kunit_last_event(), lost;
	struct umf_reply reply = {};
	struct umf_event event;
	char expect[64];
	int i;

	for (i = 0; i < FLOOD; i++)
		log_one(i);
	KUNIT_ASSERT_TRUE(test, umf_log_read(since, &event, &lost));
	KUNIT_EXPECT_EQ(test, umf_log_print(since, &reply), 0);
	KUNIT_ASSERT_NOT_NULL(test, reply.text);
	snprintf(expect, sizeof(expect), "lost=%llu\nseq=%llu ", lost,
		 event.seq);
	KUNIT_EXPECT_PTR_EQ(test, strstr(reply.text, expect), reply.text);
	snprintf(expect, sizeof(expect), "\nseq=%llu ", since + FLOOD);
	KUNIT_EXPECT_NOT_NULL(test, strstr(reply.text, expect));
	umf_reply_free(&reply);
}

static bool woken;

static int note_wake(struct wait_queue_entry *entry, unsigned int mode,
		     int flags, void *key)
{
	woken = true;
	return 0;
}

static void a_record_wakes_its_readers(struct kunit *test)
{
	struct wait_queue_entry entry;

	woken = false;
	init_waitqueue_func_entry(&entry, note_wake);
	add_wait_queue(umf_log_wait(), &entry);
	log_one(0);
	remove_wait_queue(umf_log_wait(), &entry);
	KUNIT_EXPECT_TRUE(test, woken);
}

/* ---- writers at once ---- */

struct writers {
	struct hrtimer timer;
	atomic_t next;		/* number of the next record */
	bool stop;
};

static int write_thread(void *data)
{
	struct writers *writers = data;

	while (!kthread_should_stop()) {
		log_one(atomic_fetch_inc(&writers->next));
		cond_resched();
	}
	return 0;
}

static enum hrtimer_restart write_softirq(struct hrtimer *timer)
{
	struct writers *writers = container_of(timer, struct writers, timer);

	log_one(atomic_fetch_inc(&writers->next));
	if (READ_ONCE(writers->stop))
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(TICK));
	return HRTIMER_RESTART;
}

static void a_reader_beside_writers_sees_whole_records(struct kunit *test)
{
	struct writers *writers = kunit_kzalloc(test, sizeof(*writers),
						GFP_KERNEL);
	u64 begin = umf_kunit_last_event(), since = begin, lost, gone = 0;
	unsigned long until = jiffies + HZ / 4;
	int read = 0, torn = 0, jumps = 0;
	struct task_struct *task;
	struct umf_event event;

	KUNIT_ASSERT_NOT_NULL(test, writers);
	hrtimer_setup(&writers->timer, write_softirq, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_SOFT);
	task = kthread_run(write_thread, writers, "umf_kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	hrtimer_start(&writers->timer, ns_to_ktime(TICK),
		      HRTIMER_MODE_REL_SOFT);
	while (time_before(jiffies, until)) {
		while (umf_log_read(since, &event, &lost)) {
			jumps += event.seq != since + lost + 1;
			torn += !event_whole(&event);
			gone += lost;
			since = event.seq;
			if (++read % 64 == 0)
				cond_resched();
			if (time_after_eq(jiffies, until))
				break;
		}
		cond_resched();
	}
	WRITE_ONCE(writers->stop, true);
	hrtimer_cancel(&writers->timer);
	kthread_stop(task);
	KUNIT_EXPECT_EQ(test, jumps, 0);
	KUNIT_EXPECT_EQ(test, torn, 0);
	KUNIT_EXPECT_GT(test, read, 100);
	KUNIT_EXPECT_EQ(test, read + gone, since - begin);
	KUNIT_EXPECT_EQ(test, umf_kunit_last_event() - begin,
			atomic_read(&writers->next));
}

/* ---- replies ---- */

static void replies_grow(struct kunit *test)
{
	struct umf_reply reply = {};
	size_t i;

	for (i = 0; i < 100000; i++)
		umf_say(&reply, "%c", (int)('a' + i % 26));
	KUNIT_EXPECT_EQ(test, reply.err, 0);
	KUNIT_ASSERT_EQ(test, reply.len, 100000);
	KUNIT_EXPECT_EQ(test, strlen(reply.text), 100000);
	for (i = 0; i < reply.len; i++)
		if (reply.text[i] != 'a' + i % 26)
			break;
	KUNIT_EXPECT_EQ(test, i, reply.len);
	umf_reply_free(&reply);
	KUNIT_EXPECT_NULL(test, reply.text);
	KUNIT_EXPECT_EQ(test, reply.len, 0);
}

static void a_failure_replaces_the_reply(struct kunit *test)
{
	struct umf_reply reply = {};

	umf_say(&reply, "one\ntwo\n");
	KUNIT_EXPECT_EQ(test, umf_fail(&reply, -ENOENT, "no %s", "three"),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, reply.err, -ENOENT);
	KUNIT_EXPECT_STREQ(test, reply.text, "no three");
	KUNIT_EXPECT_EQ(test, reply.len, 8);
	/* one line, whatever is in the word */
	umf_fail(&reply, -EINVAL, "no %s", "\x1b[2J\n\t\x7f\xc3\xa4");
	KUNIT_EXPECT_STREQ(test, reply.text, "no ?[2J???\xc3\xa4");
	umf_reply_free(&reply);
}

static void replies_have_an_end(struct kunit *test)
{
	struct umf_reply reply = {};
	size_t len;
	int i;

	for (i = 0; i < 20 * 1024 && !reply.err; i++)
		umf_say(&reply, "%01024d", i);
	KUNIT_EXPECT_EQ(test, reply.err, -ENOMEM);
	len = reply.len;
	KUNIT_EXPECT_GE(test, len, 1024 * 1024);
	KUNIT_EXPECT_EQ(test, len % 1024, 0);
	KUNIT_EXPECT_EQ(test, strlen(reply.text), len);
	umf_say(&reply, "%01024d", i);
	KUNIT_EXPECT_EQ(test, reply.len, len);
	KUNIT_EXPECT_EQ(test, reply.err, -ENOMEM);
	umf_fail(&reply, -EINVAL, "short");
	KUNIT_EXPECT_STREQ(test, reply.text, "short");
	umf_reply_free(&reply);
}

static struct kunit_case log_cases[] = {
	KUNIT_CASE(records_come_back_in_sequence),
	KUNIT_CASE(the_oldest_are_lost_and_counted),
	KUNIT_CASE(a_record_is_printed_in_one_line),
	KUNIT_CASE(the_log_prints_what_came_since),
	KUNIT_CASE(a_printed_log_says_what_is_missing),
	KUNIT_CASE(a_record_wakes_its_readers),
	KUNIT_CASE(a_reader_beside_writers_sees_whole_records),
	KUNIT_CASE(replies_grow),
	KUNIT_CASE(a_failure_replaces_the_reply),
	KUNIT_CASE(replies_have_an_end),
	{}
};

static struct kunit_suite log_suite = {
	.name = "umf_log",
	.suite_init = umf_kunit_suite_init,
	.suite_exit = umf_kunit_suite_exit,
	.test_cases = log_cases,
};

kunit_test_suite(log_suite);
