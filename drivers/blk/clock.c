// SPDX-License-Identifier: GPL-2.0
/*
 * A disk in virtual time (time/clock.h): no threads, no ring, no bell.
 *
 * What the host is to do it does inside the guest's turn, however long that takes it:
 * no virtual time passes. What passes is the model's (model=): a disk does one request
 * after the other, in the order it got them, and each takes
 *
 *	read, write		access + length / rate
 *	discard, zeroes		access
 *	flush			flush
 *	with FUA		flush besides
 *
 * whatever becomes of it: what a cache writes back, what survives a cut, snapshots,
 * commits and logs take none. The host does a request when its time is over; so what is
 * in the queue when the power is cut is under way, and is old, new or torn (inflight=).
 *
 * Guests that share an image use it in the order in which the calendar runs them, the
 * same each time. That is the order of their clocks but for the lookahead, by which one
 * may be ahead of another; as no request takes less than that, those whose order is not
 * that of the clocks were under way at the same time.
 *
 * One processor only: whoever has interrupts off is alone. That is what keeps the queue.
 */
#define pr_fmt(fmt) "umf-blk: " fmt

#include <linux/ctype.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/siphash.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include "blk/blk.h"
#include "time/clock.h"

#define ACCESS_DEFAULT	100000ULL	/* ns */
#define RATE_DEFAULT	SZ_1G		/* bytes a second */
#define FLUSH_DEFAULT	1000000ULL	/* ns */
#define TIME_MAX	(10 * NSEC_PER_SEC)

/* ---- the model ---- */

static bool parse_time(const char *word, u64 *ns)
{
	return word && !umf_parse_time(word, ns) && *ns <= TIME_MAX;
}

static bool parse_rate(const char *word, u64 *rate)
{
	char *end;

	if (!isdigit(*word))
		return false;
	*rate = memparse(word, &end);
	return !*end && *rate >= SZ_1K;
}

/* <access>[:<rate>[:<flush>]]; cuts it up. */
static bool parse_model(char *text, struct umf_blk_clock *clock)
{
	char *access = strsep(&text, ":"), *rate = strsep(&text, ":");

	return parse_time(access, &clock->access) &&
	       (!rate || parse_rate(rate, &clock->rate)) &&
	       (!text || parse_time(text, &clock->flush));
}

static u64 cost_of(const struct umf_blk_clock *clock, const struct umf_io *io)
{
	u64 cost = io->op == UMF_IO_FLUSH ? 0 : clock->access;

	if (io->op == UMF_IO_FLUSH || (io->flags & UMF_IO_FUA))
		cost += clock->flush;
	if (io->op == UMF_IO_READ || io->op == UMF_IO_WRITE)
		cost += mul_u64_u64_div_u64(io->nr * UMF_SECTOR, NSEC_PER_SEC,
					    clock->rate);
	return cost;
}

/* ---- the host ---- */

/* What it says depends on what else there is on it: the next run may be another one. */
static int look_at(struct umf_blk *blk, int err)
{
	if (!err || err == -EOPNOTSUPP || blk->clock.failed)
		return err;
	blk->clock.failed = true;
	pr_err("umf%c: the host has failed (%s): this run is void, it need not be the same again\n",
	       'a' + blk->unit, umf_file_error(err));
	return err;
}

int umf_blk_clock_exec(struct umf_blk *blk, struct umf_io *io)
{
	unsigned long flags;
	int err;

	local_irq_save(flags);
	switch (io->op) {
	case UMF_IO_CALL:
		/* that a file is there already, say, is no failure of the host */
		err = io->call(io->arg);
		break;
	case UMF_IO_MOVE:
		err = look_at(blk, umf_io_move(blk->image, io));
		break;
	default:
		err = look_at(blk, umf_io_exec(blk->image, io));
		break;
	}
	local_irq_restore(flags);
	return err;
}

/* ---- the queue ---- */

static struct umf_blk_cmd *first_of(struct umf_blk_clock *clock)
{
	return list_first_entry_or_null(&clock->queue, struct umf_blk_cmd,
					fate.list);
}

/* Interrupts are off. The first of the queue begins now, or then. */
static void begin(struct umf_blk_clock *clock, u64 now)
{
	clock->due = now + cost_of(clock, &first_of(clock)->io);
	hrtimer_start(&clock->timer, ns_to_ktime(clock->due),
		      HRTIMER_MODE_ABS_SOFT);
}

void umf_blk_clock_go(struct umf_blk_cmd *cmd)
{
	struct umf_blk_clock *clock = &cmd->blk->clock;
	unsigned long flags;
	bool idle;

	local_irq_save(flags);
	idle = list_empty(&clock->queue);
	list_add_tail(&cmd->fate.list, &clock->queue);
	if (idle)
		begin(clock, ktime_get_ns());
	local_irq_restore(flags);
}

/* The first has taken its time. */
static enum hrtimer_restart over(struct hrtimer *timer)
{
	struct umf_blk *blk = container_of(timer, struct umf_blk, clock.timer);
	struct umf_blk_clock *clock = &blk->clock;
	struct umf_blk_cmd *cmd;
	unsigned long flags;

	local_irq_save(flags);
	cmd = first_of(clock);
	if (cmd) {
		list_del(&cmd->fate.list);
		if (!list_empty(&clock->queue))
			begin(clock, clock->due);
	}
	local_irq_restore(flags);
	if (!cmd)
		return HRTIMER_NORESTART;
	if (blk->cache)
		queue_work(blk->wq, &cmd->cached);
	else
		umf_blk_end_io(cmd, umf_blk_clock_exec(blk, &cmd->io));
	return HRTIMER_NORESTART;
}

void umf_blk_clock_cut(struct umf_blk *blk, struct list_head *list)
{
	unsigned long flags;

	local_irq_save(flags);
	list_splice_tail_init(&blk->clock.queue, list);
	hrtimer_try_to_cancel(&blk->clock.timer);
	local_irq_restore(flags);
}

/* ---- disks ---- */

u64 umf_blk_clock_id(const char *file)
{
	static const siphash_key_t key;

	return siphash(file, strlen(file), &key);
}

int umf_blk_clock_add(struct umf_blk *blk, const struct umf_blk_options *opt,
		      char *error)
{
	struct umf_blk_clock *clock = &blk->clock;

	if (opt->model && !umf_clock_virtual()) {
		snprintf(error, UMF_BLK_ERROR_LEN,
			 "model= is for virtual time; in real time rules do that: delay time=, rate bps=");
		return -EINVAL;
	}
	INIT_LIST_HEAD(&clock->queue);
	hrtimer_setup(&clock->timer, over, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	if (!umf_clock_virtual())
		return 0;
	clock->access = opt->shared ? max(ACCESS_DEFAULT, umf_clock_lookahead()) :
				      ACCESS_DEFAULT;
	clock->rate = RATE_DEFAULT;
	clock->flush = FLUSH_DEFAULT;
	if (!opt->model)
		return 0;
	if (!parse_model(opt->model, clock)) {
		snprintf(error, UMF_BLK_ERROR_LEN,
			 "model=: must be <access>[:<bytes a second>[:<flush>]], as 100us:1G:1ms; times up to 10s, at least 1k bytes");
		return -EINVAL;
	}
	if (opt->shared && clock->access < umf_clock_lookahead()) {
		snprintf(error, UMF_BLK_ERROR_LEN,
			 "model=: a shared disk takes no less than the calendar's lookahead, %llu ns",
			 umf_clock_lookahead());
		return -EINVAL;
	}
	return 0;
}
