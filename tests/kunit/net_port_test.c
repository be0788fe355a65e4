// SPDX-License-Identifier: GPL-2.0
/*
 * A port of the switch: where frames go and what is learned (route), and who is
 * idle, slow or stuck while frames wait (backlog). The rings are counters.
 */
#include <linux/errno.h>
#include <linux/limits.h>
#include "net/port/backlog.h"
#include "net/port/route.h"
#include "umf_kunit.h"

#define A	0
#define B	1
#define C	63
#define US	1000ULL
#define MS	1000000ULL
#define COST	1000
#define STUCK	UMF_BACKLOG_STUCK_AFTER

/* ---- backlog ---- */

struct kt_frame {
	struct umf_backlog_frame frame;
	unsigned int number;
	bool held, waits;
	int freed;		/* 1: sent, -1: lost */
};

struct kt_port {
	struct umf_backlogs backlogs;
	struct kunit *test;
	u32 room[UMF_BACKLOG_PORTS];	/* frames that its ring has room for */
	u32 tail[UMF_BACKLOG_PORTS];
	int err[UMF_BACKLOG_PORTS];	/* what a copy to it says, unless 0 */
	unsigned int last[UMF_BACKLOG_PORTS];	/* number of its newest frame */
	unsigned int got[UMF_BACKLOG_PORTS], lost[UMF_BACKLOG_PORTS];
	unsigned int bad_order;
	int lost_err;
	u64 bytes;			/* that wait */
	unsigned int frames;
	unsigned int made;
};

static struct kt_port *port_of(struct umf_backlogs *backlogs)
{
	return container_of(backlogs, struct kt_port, backlogs);
}

static int kt_copy(struct umf_backlogs *backlogs,
		   struct umf_backlog_frame *frame, unsigned int port)
{
	struct kt_port *kt = port_of(backlogs);
	unsigned int number = container_of(frame, struct kt_frame, frame)->number;

	if (kt->err[port])
		return kt->err[port];
	if (!kt->room[port])
		return -EAGAIN;
	kt->room[port]--;
	kt->bad_order += number <= kt->last[port];
	kt->last[port] = number;
	kt->got[port]++;
	return 0;
}

static u32 kt_tail(struct umf_backlogs *backlogs, unsigned int port)
{
	return port_of(backlogs)->tail[port];
}

static void kt_lost(struct umf_backlogs *backlogs,
		    struct umf_backlog_frame *frame, unsigned int port, int err)
{
	port_of(backlogs)->lost[port]++;
	port_of(backlogs)->lost_err = err;
}

static void kt_waits(struct umf_backlogs *backlogs,
		     struct umf_backlog_frame *frame, bool held)
{
	struct kt_frame *f = container_of(frame, struct kt_frame, frame);
	struct kt_port *kt = port_of(backlogs);

	if (!f->waits) {
		kt->frames++;
		kt->bytes += frame->cost;
	}
	f->waits = true;
	f->held = held;
}

static void kt_free(struct umf_backlogs *backlogs,
		    struct umf_backlog_frame *frame, bool sent)
{
	struct kt_frame *f = container_of(frame, struct kt_frame, frame);
	struct kt_port *kt = port_of(backlogs);

	KUNIT_EXPECT_EQ(kt->test, f->freed, 0);
	f->freed = sent ? 1 : -1;
	kt->frames--;
	kt->bytes -= frame->cost;
}

static const struct umf_backlog_ops kt_ops = {
	.copy	= kt_copy,
	.tail	= kt_tail,
	.lost	= kt_lost,
	.waits	= kt_waits,
	.free	= kt_free,
};

static struct kt_port *new_port(struct kunit *test)
{
	struct kt_port *kt = kunit_kzalloc(test, sizeof(*kt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, kt);
	kt->test = test;
	kt->backlogs.ops = &kt_ops;
	kt->backlogs.frames_max = 10;
	kt->backlogs.bytes_max = 1000 * COST;
	return kt;
}

/* One frame to these ports, of which those who have no room keep one. */
static struct kt_frame *kt_send(struct kt_port *kt, u64 ports, u64 now)
{
	struct kt_frame *sent = kunit_kzalloc(kt->test, sizeof(*sent),
					      GFP_KERNEL), *copy = NULL;
	u64 full;

	KUNIT_ASSERT_NOT_NULL(kt->test, sent);
	sent->number = ++kt->made;
	full = umf_backlog_send(&kt->backlogs, &sent->frame, ports);
	for (; full; full &= full - 1) {
		copy = kunit_kzalloc(kt->test, sizeof(*copy), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(kt->test, copy);
		copy->number = sent->number;
		umf_backlog_park(&kt->backlogs, &copy->frame, COST,
				 __ffs64(full), now);
	}
	return copy;
}

static void kt_read(struct kt_port *kt, unsigned int port, u32 frames)
{
	kt->room[port] += frames;
	kt->tail[port] += frames;
}

static void expect_state(struct kt_port *kt, unsigned int port,
			 enum umf_backlog_state state)
{
	KUNIT_EXPECT_EQ(kt->test, umf_backlog_state(&kt->backlogs, port), state);
}

static void from_idle_to_stuck_and_back(struct kunit *test)
{
	struct kt_port *kt = new_port(test);
	u64 now = 1000 * MS;
	struct kt_frame *first, *second;

	expect_state(kt, A, UMF_BACKLOG_IDLE);
	KUNIT_EXPECT_EQ(test, umf_backlog_retry(&kt->backlogs), 0);
	kt->room[A] = 1;
	KUNIT_EXPECT_NULL(test, kt_send(kt, BIT_ULL(A), now));
	expect_state(kt, A, UMF_BACKLOG_IDLE);

	first = kt_send(kt, BIT_ULL(A), now);
	KUNIT_ASSERT_NOT_NULL(test, first);
	expect_state(kt, A, UMF_BACKLOG_SLOW);
	KUNIT_EXPECT_TRUE(test, first->held);
	KUNIT_EXPECT_EQ(test, umf_backlog_slow(&kt->backlogs), BIT_ULL(A));
	KUNIT_EXPECT_EQ(test, umf_backlog_retry(&kt->backlogs),
			UMF_BACKLOG_SLOW_RETRY);
	umf_backlog_run(&kt->backlogs, now + STUCK - 1);
	expect_state(kt, A, UMF_BACKLOG_SLOW);

	umf_backlog_run(&kt->backlogs, now + STUCK);
	expect_state(kt, A, UMF_BACKLOG_STUCK);
	KUNIT_EXPECT_FALSE(test, first->held);
	KUNIT_EXPECT_EQ(test, umf_backlog_slow(&kt->backlogs), 0);
	KUNIT_EXPECT_EQ(test, umf_backlog_retry(&kt->backlogs),
			UMF_BACKLOG_STUCK_RETRY);
	second = kt_send(kt, BIT_ULL(A), now + STUCK);
	KUNIT_ASSERT_NOT_NULL(test, second);
	KUNIT_EXPECT_FALSE(test, second->held);

	kt_read(kt, A, 1);
	now += STUCK + 1;
	umf_backlog_run(&kt->backlogs, now);
	expect_state(kt, A, UMF_BACKLOG_SLOW);
	KUNIT_EXPECT_EQ(test, first->freed, 1);
	/* it reads, and never as much as there is room for */
	for (; kt->tail[A] < 100; now += STUCK - 1) {
		kt->tail[A]++;
		umf_backlog_run(&kt->backlogs, now);
		expect_state(kt, A, UMF_BACKLOG_SLOW);
	}
	kt_read(kt, A, 1);
	umf_backlog_run(&kt->backlogs, now);
	expect_state(kt, A, UMF_BACKLOG_IDLE);
	KUNIT_EXPECT_EQ(test, second->freed, 1);
	KUNIT_EXPECT_EQ(test, kt->got[A], 3);
	KUNIT_EXPECT_EQ(test, kt->lost[A], 0);
	KUNIT_EXPECT_EQ(test, kt->bad_order, 0);
	KUNIT_EXPECT_EQ(test, kt->frames, 0);
}

/* Each has its own state; one that is stuck is waited for once. */
static void one_holds_up_nobody_else(struct kunit *test)
{
	struct kt_port *kt = new_port(test);
	u64 all = BIT_ULL(A) | BIT_ULL(B) | BIT_ULL(C);
	u64 now = 0;
	int i;

	kt->room[B] = 1000;
	kt->room[C] = 1;
	kt_send(kt, all, now);
	kt_send(kt, all, now + 1);
	expect_state(kt, A, UMF_BACKLOG_SLOW);
	expect_state(kt, B, UMF_BACKLOG_IDLE);
	expect_state(kt, C, UMF_BACKLOG_SLOW);
	now += STUCK;
	umf_backlog_run(&kt->backlogs, now);
	expect_state(kt, A, UMF_BACKLOG_STUCK);
	expect_state(kt, C, UMF_BACKLOG_SLOW);
	kt_read(kt, C, 5);
	umf_backlog_run(&kt->backlogs, now + 1);
	expect_state(kt, C, UMF_BACKLOG_IDLE);
	for (i = 0; i < 5; i++) {
		kt_send(kt, BIT_ULL(A) | BIT_ULL(B), now);
		KUNIT_EXPECT_EQ(test, umf_backlog_slow(&kt->backlogs), 0);
		umf_backlog_run(&kt->backlogs, now + i);
	}
	KUNIT_EXPECT_EQ(test, kt->got[B], 7);
	KUNIT_EXPECT_EQ(test, kt->got[C], 2);
	KUNIT_EXPECT_EQ(test, kt->got[A], 0);
	kt_read(kt, A, 100);
	umf_backlog_run(&kt->backlogs, now);
	KUNIT_EXPECT_EQ(test, kt->got[A], 7);
	KUNIT_EXPECT_EQ(test, kt->bad_order, 0);
}

static void a_slow_one_is_kept_all(struct kunit *test)
{
	struct kt_port *kt = new_port(test);
	int i;

	for (i = 0; i < 100; i++)
		kt_send(kt, BIT_ULL(A), i);
	KUNIT_EXPECT_EQ(test, kt->frames, 100);
	KUNIT_EXPECT_EQ(test, kt->lost[A], 0);
	/* stuck, of what there is the newest */
	umf_backlog_run(&kt->backlogs, STUCK);
	expect_state(kt, A, UMF_BACKLOG_STUCK);
	KUNIT_EXPECT_EQ(test, kt->frames, 10);
	KUNIT_EXPECT_EQ(test, kt->lost[A], 90);
	KUNIT_EXPECT_EQ(test, kt->lost_err, -ENOBUFS);
}

static void a_stuck_one_is_kept_the_newest(struct kunit *test)
{
	struct kt_port *kt = new_port(test);
	int i;

	kt_send(kt, BIT_ULL(A), 0);
	umf_backlog_run(&kt->backlogs, STUCK);
	for (i = 0; i < 1000; i++) {
		kt_send(kt, BIT_ULL(A), STUCK);
		KUNIT_EXPECT_LE(test, kt->frames, 10);
	}
	KUNIT_EXPECT_EQ(test, kt->lost[A], 991);
	kt_read(kt, A, 1);
	umf_backlog_run(&kt->backlogs, STUCK + 1);
	KUNIT_EXPECT_EQ(test, kt->last[A], 992);
	kt_read(kt, A, 100);
	umf_backlog_run(&kt->backlogs, STUCK + 1);
	KUNIT_EXPECT_EQ(test, kt->last[A], 1001);
	KUNIT_EXPECT_EQ(test, kt->got[A], 10);
	KUNIT_EXPECT_EQ(test, kt->bad_order, 0);
}

static void the_stuck_share_what_there_is(struct kunit *test)
{
	struct kt_port *kt = new_port(test);
	u64 ports = 0;
	int i, n;

	kt->backlogs.frames_max = U32_MAX;
	kt->backlogs.bytes_max = 64 * COST;
	for (n = 1; n <= UMF_BACKLOG_PORTS; n++) {
		ports |= BIT_ULL(n - 1);
		kt_send(kt, ports, n * STUCK * 2);
		umf_backlog_run(&kt->backlogs, n * STUCK * 2 + STUCK);
		KUNIT_EXPECT_EQ(test, kt->backlogs.stuck, ports);
		for (i = 0; i < 64 / n + 2; i++)
			kt_send(kt, ports, n * STUCK * 2 + STUCK);
		KUNIT_EXPECT_LE(test, kt->bytes, 64 * COST);
		KUNIT_EXPECT_GE(test, kt->frames, 33);
	}
	KUNIT_EXPECT_EQ(test, kt->frames, UMF_BACKLOG_PORTS);
	/* too little for anything: the newest frame of each is kept all the same */
	kt->backlogs.bytes_max = 1;
	kt_send(kt, ports, 1000ULL * STUCK);
	KUNIT_EXPECT_EQ(test, kt->frames, UMF_BACKLOG_PORTS);
	KUNIT_EXPECT_EQ(test, kt->backlogs.stuck, ports);
	umf_backlog_drop(&kt->backlogs, U64_MAX);
	KUNIT_EXPECT_EQ(test, kt->frames, 0);
	KUNIT_EXPECT_EQ(test, kt->bytes, 0);
	KUNIT_EXPECT_EQ(test, kt->backlogs.waiting, 0);
	KUNIT_EXPECT_EQ(test, kt->backlogs.stuck, 0);
}

static void who_leaves_is_idle(struct kunit *test)
{
	struct kt_port *kt = new_port(test);

	kt_send(kt, BIT_ULL(A) | BIT_ULL(B), 0);
	umf_backlog_run(&kt->backlogs, STUCK);
	umf_backlog_drop(&kt->backlogs, BIT_ULL(A) | BIT_ULL(C));
	expect_state(kt, A, UMF_BACKLOG_IDLE);
	expect_state(kt, B, UMF_BACKLOG_STUCK);
	KUNIT_EXPECT_EQ(test, kt->lost[A], 1);
	KUNIT_EXPECT_EQ(test, kt->lost_err, -ENOTCONN);
	/* who takes its place starts as anybody */
	kt_send(kt, BIT_ULL(A), 100 * STUCK);
	expect_state(kt, A, UMF_BACKLOG_SLOW);
	umf_backlog_run(&kt->backlogs, 101 * STUCK - 1);
	expect_state(kt, A, UMF_BACKLOG_SLOW);
}

/* A partition, or a ring that cannot be made: that is no reason to wait. */
static void what_cannot_be_sent_does_not_wait(struct kunit *test)
{
	struct kt_port *kt = new_port(test);

	kt->err[A] = -EHOSTUNREACH;
	kt->room[B] = 1;
	KUNIT_EXPECT_NULL(test, kt_send(kt, BIT_ULL(A) | BIT_ULL(B), 0));
	KUNIT_EXPECT_EQ(test, kt->lost[A], 1);
	KUNIT_EXPECT_EQ(test, kt->lost_err, -EHOSTUNREACH);
	KUNIT_EXPECT_EQ(test, kt->got[B], 1);
	/* it begins while frames wait */
	kt->err[A] = 0;
	kt_send(kt, BIT_ULL(A), 0);
	kt_send(kt, BIT_ULL(A), 0);
	expect_state(kt, A, UMF_BACKLOG_SLOW);
	kt->err[A] = -EHOSTUNREACH;
	umf_backlog_run(&kt->backlogs, 1);
	expect_state(kt, A, UMF_BACKLOG_IDLE);
	KUNIT_EXPECT_EQ(test, kt->lost[A], 3);
	KUNIT_EXPECT_EQ(test, kt->frames, 0);
}

static void nobody_waits_for_monitors(struct kunit *test)
{
	struct kt_port *kt = new_port(test);
	struct kt_frame frame = { .number = 1 };

	kt->room[A] = 1;
	kt->err[C] = -ENOSPC;
	KUNIT_EXPECT_EQ(test,
			umf_backlog_watch(&kt->backlogs, &frame.frame,
					  BIT_ULL(A) | BIT_ULL(B) | BIT_ULL(C)),
			BIT_ULL(B) | BIT_ULL(C));
	KUNIT_EXPECT_EQ(test, kt->got[A], 1);
	KUNIT_EXPECT_EQ(test, kt->backlogs.waiting, 0);
	KUNIT_EXPECT_EQ(test, kt->lost[B] + kt->lost[C], 0);
}

/*
 * Random readers, senders and times: every frame is sent or lost once, those to
 * a port in order; what waits is what was put there and is not out yet; and who
 * has read within the time is never given up.
 */
static void a_random_history_adds_up(struct kunit *test)
{
	struct umf_rng rng = { .state = UMF_KUNIT_SEED };
	struct kt_port *kt = new_port(test);
	unsigned int i, port, sent[4] = {}, waits;
	u64 now = 0;
	u64 ports;

	for (i = 0; i < 10000; i++) {
		now += umf_rng_below(&rng, 400) * US;
		port = umf_rng_below(&rng, 4);
		switch (umf_rng_below(&rng, 10)) {
		case 0 ... 4:
			ports = umf_rng_below(&rng, 15) + 1;
			kt_send(kt, ports, now);
			for (port = 0; port < 4; port++)
				sent[port] += ports >> port & 1;
			break;
		case 5 ... 6:
			/* the last one reads in fits only */
			if (port < 3 || (now / (20 * MS)) & 1) {
				kt_read(kt, port,
					1 + umf_rng_below(&rng, 3));
			}
			break;
		case 7:
			if (!umf_rng_below(&rng, 20))
				umf_backlog_drop(&kt->backlogs, BIT_ULL(port));
			break;
		default:
			umf_backlog_run(&kt->backlogs, now);
		}
		for (port = 0, waits = 0; port < 4; port++) {
			KUNIT_ASSERT_EQ(test, sent[port], kt->got[port] +
					kt->lost[port] +
					kt->backlogs.port[port].frames);
			waits += kt->backlogs.port[port].frames;
			if (kt->backlogs.stuck & BIT_ULL(port))
				KUNIT_ASSERT_LE(test,
						kt->backlogs.port[port].frames,
						10);
		}
		KUNIT_ASSERT_EQ(test, waits, kt->frames);
		KUNIT_ASSERT_EQ(test, waits * COST, kt->bytes);
	}
	KUNIT_EXPECT_EQ(test, kt->bad_order, 0);
	KUNIT_EXPECT_GT(test, kt->lost[3], 0);
	KUNIT_EXPECT_GT(test, kt->got[3], 0);
}

/* ---- route ---- */

#define MAC(n)	{ 0x02, 0, 0, 0, 0, (n) }

/* Destination, source, type. */
struct kt_head {
	u8 to[6], from[6], proto[2];
} __packed;

static const struct kt_head a_to_b = { MAC(2), MAC(1) };
static const struct kt_head b_to_a = { MAC(1), MAC(2) };
static const struct kt_head b_to_all = {
	{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, MAC(2)
};

static struct umf_route *new_route(struct kunit *test)
{
	struct umf_route *route = kunit_kzalloc(test, sizeof(*route),
						GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, route);
	return route;
}

static u64 kt_to(struct umf_route *route, const struct kt_head *head, u64 peers,
		 bool *flooded)
{
	return umf_route_to(route, (const u8 *)head, peers, 0, flooded);
}

static enum umf_route_rx kt_from(struct umf_route *route, unsigned int port,
				 const struct kt_head *head, bool cut)
{
	return umf_route_from(route, port, (const u8 *)head, sizeof(*head), cut,
			      0);
}

static void a_frame_goes_where_its_mac_was_seen(struct kunit *test)
{
	struct umf_route *route = new_route(test);
	u64 peers = BIT_ULL(B) | BIT_ULL(C);
	bool flooded;

	KUNIT_EXPECT_EQ(test, kt_to(route, &a_to_b, peers, &flooded), peers);
	KUNIT_EXPECT_TRUE(test, flooded);
	KUNIT_EXPECT_EQ(test, kt_from(route, B, &b_to_a, false),
			UMF_ROUTE_TAKEN);
	KUNIT_EXPECT_EQ(test, kt_to(route, &a_to_b, peers, &flooded),
			BIT_ULL(B));
	KUNIT_EXPECT_FALSE(test, flooded);
	KUNIT_EXPECT_EQ(test, kt_to(route, &b_to_all, peers, &flooded), peers);
	KUNIT_EXPECT_TRUE(test, flooded);
	/* it has moved */
	kt_from(route, C, &b_to_all, false);
	KUNIT_EXPECT_EQ(test, kt_to(route, &a_to_b, peers, &flooded),
			BIT_ULL(C));
	/* who is not there gets nothing; nor do the others less for it */
	KUNIT_EXPECT_EQ(test, kt_to(route, &a_to_b, BIT_ULL(B), &flooded),
			BIT_ULL(B));
	KUNIT_EXPECT_TRUE(test, flooded);
	umf_route_left(route, BIT_ULL(C));
	KUNIT_EXPECT_EQ(test, kt_to(route, &a_to_b, peers, &flooded), peers);
}

static void what_is_lost_on_its_way_teaches_nothing(struct kunit *test)
{
	struct umf_route *route = new_route(test);
	u64 peers = BIT_ULL(B) | BIT_ULL(C);
	bool flooded;

	KUNIT_EXPECT_EQ(test, kt_from(route, B, &b_to_a, true), UMF_ROUTE_CUT);
	KUNIT_EXPECT_EQ(test,
			umf_route_from(route, B, (const u8 *)&b_to_a,
				       UMF_ROUTE_HEAD - 1, false, 0),
			UMF_ROUTE_SHORT);
	KUNIT_EXPECT_EQ(test,
			umf_route_from(route, B, (const u8 *)&b_to_a,
				       UMF_ROUTE_HEAD - 1, true, 0),
			UMF_ROUTE_CUT);
	KUNIT_EXPECT_EQ(test, kt_to(route, &a_to_b, peers, &flooded), peers);
}

static void forgetting_waits_for_what_was_sent_before(struct kunit *test)
{
	struct umf_route *route = new_route(test);
	u64 peers = BIT_ULL(B) | BIT_ULL(C);
	bool flooded;

	kt_from(route, B, &b_to_a, false);
	umf_route_forget(route, BIT_ULL(B));
	/* still in its ring */
	kt_from(route, B, &b_to_a, false);
	KUNIT_EXPECT_EQ(test, kt_to(route, &a_to_b, peers, &flooded),
			BIT_ULL(B));
	umf_route_read_all(route);
	KUNIT_EXPECT_EQ(test, kt_to(route, &a_to_b, peers, &flooded), peers);
	/* and that was all */
	kt_from(route, B, &b_to_a, false);
	umf_route_read_all(route);
	KUNIT_EXPECT_EQ(test, kt_to(route, &a_to_b, peers, &flooded),
			BIT_ULL(B));
}

static struct kunit_case port_cases[] = {
	KUNIT_CASE(from_idle_to_stuck_and_back),
	KUNIT_CASE(one_holds_up_nobody_else),
	KUNIT_CASE(a_slow_one_is_kept_all),
	KUNIT_CASE(a_stuck_one_is_kept_the_newest),
	KUNIT_CASE(the_stuck_share_what_there_is),
	KUNIT_CASE(who_leaves_is_idle),
	KUNIT_CASE(what_cannot_be_sent_does_not_wait),
	KUNIT_CASE(nobody_waits_for_monitors),
	KUNIT_CASE(a_random_history_adds_up),
	KUNIT_CASE(a_frame_goes_where_its_mac_was_seen),
	KUNIT_CASE(what_is_lost_on_its_way_teaches_nothing),
	KUNIT_CASE(forgetting_waits_for_what_was_sent_before),
	{}
};

static struct kunit_suite port_suite = {
	.name = "umf_port",
	.test_cases = port_cases,
};

kunit_test_suite(port_suite);
