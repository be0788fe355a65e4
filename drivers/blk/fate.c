// SPDX-License-Identifier: GPL-2.0
/*
 * Carries out what was decided of a request (blk/fault.c), its fate:
 *
 *	it waits	the sum of its delays, or until its rule ends (hang)
 *	it ends		failed (error, a level) or, undone, well (lost)
 *	it is done	piece by piece, by the host: what is between the parts that fail
 *			or are lost (blk/parts.h); where (misdirect), how much (torn)
 *	it is read	its data is replaced (stale), then corrupted
 *	it completes	part by part: a merged request is several, and those that have
 *			nothing to do with a bad sector succeed
 *
 * Levels (offline, readonly, nospace, no power) are looked at before the rules are
 * asked and again when a request that waited goes on.
 *
 * Waiting is under fault->lock. What is done in pieces goes on in the disk's worker,
 * as what has to be read or copied before a write is; else no worker is needed.
 */
#include <linux/blkdev.h>
#include <linux/slab.h>
#include "blk/blk.h"
#include "blk/mark.h"
#include "time/clock.h"

static bool writes(const struct umf_io *io)
{
	return io->op == UMF_IO_WRITE || io->op == UMF_IO_DISCARD ||
	       io->op == UMF_IO_ZEROES;
}

blk_status_t umf_fate_level(struct umf_blk *blk, const struct umf_io *io)
{
	unsigned long levels = READ_ONCE(blk->fault.levels);

	if (levels & (BIT(UMF_LEVEL_DARK) | BIT(UMF_LEVEL_OFFLINE)))
		return BLK_STS_OFFLINE;
	if (!writes(io))
		return BLK_STS_OK;
	if (levels & BIT(UMF_LEVEL_READONLY))
		return BLK_STS_IOERR;
	if ((levels & BIT(UMF_LEVEL_NOSPACE)) && io->op != UMF_IO_DISCARD)
		return BLK_STS_NOSPC;
	return BLK_STS_OK;
}

/* ---- its end ---- */

static void let_go(struct umf_blk_fate *fate)
{
	if (fate->stale)
		umf_mark_put(fate->stale);
	fate->stale = NULL;
	kfree(fate->flip);
	fate->flip = NULL;
	fate->flips = 0;
	fate->flip_room = 0;
	kvfree(fate->bounce.base);
	fate->bounce.base = NULL;
	umf_parts_free(&fate->parts);
}

void umf_fate_end(struct umf_blk_cmd *cmd, blk_status_t status)
{
	cmd->status = status;
	let_go(&cmd->fate);
	umf_blk_end(cmd);
}

/* The next @nr sectors of it; is there more? */
static bool complete_part(struct request *rq, u32 nr, blk_status_t status)
{
	return !nr || blk_update_request(rq, status, nr << SECTOR_SHIFT);
}

/*
 * Up to fate->at all went as it should; what is behind that has failed as cmd->status
 * says, or is not to be done either (torn).
 */
static void finish(struct umf_blk_cmd *cmd)
{
	struct request *rq = blk_mq_rq_from_pdu(cmd);
	struct umf_blk_fate *fate = &cmd->fate;
	blk_status_t status = cmd->status;
	struct umf_parts parts = fate->parts;
	u32 done = 0, end = status == BLK_STS_OK ? fate->nr : fate->at;
	const struct umf_part *part = parts.part;
	bool more = true;

	fate->parts = (struct umf_parts) {};
	let_go(fate);
	for (; more && part < parts.part + parts.n && part->first < end; part++) {
		more = complete_part(rq, part->first - done, BLK_STS_OK) &&
		       complete_part(rq, part->nr, part->status);
		done = part->first + part->nr;
		if (!more)
			status = part->status;
	}
	if (more && end > done)
		more = complete_part(rq, end - done, BLK_STS_OK);
	umf_parts_free(&parts);
	if (more)
		blk_mq_end_request(rq, status);
	else
		__blk_mq_end_request(rq, status);
}

/* ---- its data ---- */

static void apply_flips(struct umf_blk_cmd *cmd, const struct umf_io_vec *vec,
			unsigned int nvec)
{
	const struct umf_blk_data data = { vec, nvec };
	unsigned int i;

	for (i = 0; i < cmd->fate.flips; i++)
		umf_flip_apply(&data, &cmd->fate.flip[i]);
}

/* A write that is to be wrong has a copy that is. */
static bool copy_data(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fate *fate = &cmd->fate;
	u64 len = (u64)fate->limit * UMF_SECTOR;
	u8 *to;

	to = kvmalloc(len, GFP_NOIO);
	if (!to)
		return false;
	fate->bounce.base = to;
	fate->bounce.len = len;
	umf_vec_copy(cmd->vec, 0, to, len, false);
	apply_flips(cmd, &fate->bounce, 1);
	return true;
}

/* The piece from fate->at on: nothing before it is in cmd->io.vec. */
static void cut_data(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fate *fate = &cmd->fate;
	u64 skip = (u64)fate->at * UMF_SECTOR;
	struct umf_io_vec *vec = cmd->vec;

	if (fate->bounce.base) {
		fate->piece.base = fate->bounce.base + skip;
		fate->piece.len = fate->bounce.len - skip;
		cmd->io.vec = &fate->piece;
		cmd->io.nvec = 1;
		return;
	}
	if (!fate->nvec)
		return;
	while (skip >= vec->len)
		skip -= vec++->len;
	vec->base += skip;
	vec->len -= skip;
	fate->skipped = skip;
	cmd->io.vec = vec;
	cmd->io.nvec = fate->nvec - (vec - cmd->vec);
}

static void uncut_data(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fate *fate = &cmd->fate;
	struct umf_io_vec *vec = &cmd->vec[fate->nvec - cmd->io.nvec];

	if (fate->skipped) {
		vec->base -= fate->skipped;
		vec->len += fate->skipped;
	}
	fate->skipped = 0;
}

/* ---- its pieces ---- */

/* In the worker. */
static void next_piece(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fate *fate = &cmd->fate;
	struct umf_io *io = &cmd->io;
	u32 nr;

	if (!umf_parts_next(&fate->parts, fate->limit, &fate->at, &nr)) {
		if (io->op == UMF_IO_READ)
			apply_flips(cmd, cmd->vec, fate->nvec);
		cmd->status = BLK_STS_OK;
		finish(cmd);
		return;
	}
	io->sector = fate->sector + fate->at;
	io->nr = nr;
	cut_data(cmd);
	if (fate->marks)
		umf_marks_keep(cmd->blk, io);
	umf_blk_go(cmd, true);
}

static void carry_out(struct work_struct *work)
{
	struct umf_blk_cmd *cmd = container_of(work, struct umf_blk_cmd,
					       fate.work);
	struct umf_blk_fate *fate = &cmd->fate;

	if (fate->flips && cmd->io.op == UMF_IO_WRITE && !fate->bounce.base &&
	    fate->limit && !copy_data(cmd)) {
		umf_fate_end(cmd, BLK_STS_RESOURCE);
		return;
	}
	next_piece(cmd);
}

void umf_fate_done(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fate *fate = &cmd->fate;
	struct umf_io *io = &cmd->io;

	if (cmd->status == BLK_STS_OK) {
		if (fate->stale)
			umf_mark_show(fate->stale, io);
		if (fate->marks && io->op != UMF_IO_DISCARD)
			umf_marks_heal(cmd->blk, io);
	}
	uncut_data(cmd);
	if (!fate->parts.n) {
		if (cmd->status == BLK_STS_OK && io->op == UMF_IO_READ)
			apply_flips(cmd, cmd->vec, fate->nvec);
		umf_fate_end(cmd, cmd->status);
	} else if (cmd->status == BLK_STS_OK) {
		fate->at += io->nr;
		queue_work(cmd->blk->wq, &fate->work);
	} else {
		finish(cmd);
	}
}

/* It has waited long enough. */
static void go_on(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fate *fate = &cmd->fate;
	blk_status_t status = umf_fate_level(cmd->blk, &cmd->io);

	if (status == BLK_STS_OK)
		status = fate->status;
	if (status != BLK_STS_OK || (fate->skip && !fate->parts.n)) {
		umf_fate_end(cmd, status);
		return;
	}
	fate->at = 0;
	fate->marks = writes(&cmd->io) && umf_marks_any(cmd->blk);
	if (fate->parts.n || fate->marks ||
	    (fate->flips && cmd->io.op == UMF_IO_WRITE))
		queue_work(cmd->blk->wq, &fate->work);
	else
		umf_blk_go(cmd, true);
}

/* ---- waiting ---- */

/* Does it wait for a rule of that kind, which is still in force? */
static bool waits_for(struct umf_site *site, const struct umf_blk_fate *fate,
		      enum umf_blk_wait wait)
{
	unsigned int i;

	for (i = 0; i < fate->causes; i++)
		if (fate->cause[i].wait == wait &&
		    umf_rule_in_force(site, fate->cause[i].rule))
			return true;
	return false;
}

static bool hangs(struct umf_site *site, const struct umf_blk_fate *fate)
{
	return waits_for(site, fate, UMF_WAIT_HANG) ||
	       waits_for(site, fate, UMF_WAIT_TIMEOUT);
}

/* When the times of those rules that are still there have passed. */
static u64 due(struct umf_site *site, const struct umf_blk_fate *fate)
{
	u64 at = fate->since;
	unsigned int i;

	for (i = 0; i < fate->causes; i++)
		if (fate->cause[i].wait == UMF_WAIT_DELAY &&
		    umf_rule_listed(site, fate->cause[i].rule))
			at += fate->cause[i].delay;
	return at;
}

static bool over(struct umf_site *site, const struct umf_blk_fate *fate)
{
	return !hangs(site, fate) && ktime_get_ns() >= due(site, fate);
}

/* Under fault->lock. Who hangs is looked at when a rule goes out of force. */
static void set_timer(struct umf_site *site, struct umf_blk_fate *fate)
{
	u64 now = ktime_get_ns(), at;

	if (hangs(site, fate))
		return;
	at = due(site, fate);
	/* at once: a window has closed since its rule was asked */
	hrtimer_start(&fate->timer, ns_to_ktime(at > now ? at - now : 0),
		      HRTIMER_MODE_REL_SOFT);
}

static void wait_for(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fault *fault = &cmd->blk->fault;
	struct umf_blk_fate *fate = &cmd->fate;
	unsigned long flags;

	spin_lock_irqsave(&fault->lock, flags);
	fate->waiting = true;
	fate->since = ktime_get_ns();
	list_add_tail(&fate->list, &fault->waiting);
	set_timer(&fault->site, fate);
	spin_unlock_irqrestore(&fault->lock, flags);
}

static void stop_waiting(struct umf_blk_fate *fate)
{
	fate->waiting = false;
	list_del(&fate->list);
}

static enum hrtimer_restart wait_timer(struct hrtimer *timer)
{
	struct umf_blk_cmd *cmd = container_of(timer, struct umf_blk_cmd,
					       fate.timer);
	struct umf_blk_fault *fault = &cmd->blk->fault;
	struct umf_blk_fate *fate = &cmd->fate;
	unsigned long flags;
	bool go = false;

	spin_lock_irqsave(&fault->lock, flags);
	if (fate->waiting) {
		go = over(&fault->site, fate);
		if (go)
			stop_waiting(fate);
		else
			set_timer(&fault->site, fate);
	}
	spin_unlock_irqrestore(&fault->lock, flags);
	if (go)
		go_on(cmd);
	return HRTIMER_NORESTART;
}

bool umf_fate_timeout(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fault *fault = &cmd->blk->fault;
	struct umf_blk_fate *fate = &cmd->fate;
	unsigned long flags;
	bool waited;

	spin_lock_irqsave(&fault->lock, flags);
	waited = fate->waiting &&
		 waits_for(&fault->site, fate, UMF_WAIT_TIMEOUT);
	if (waited)
		stop_waiting(fate);
	spin_unlock_irqrestore(&fault->lock, flags);
	if (waited)
		umf_fate_end(cmd, BLK_STS_TIMEOUT);
	return waited;
}

static bool can_be_torn(const struct umf_blk_cmd *cmd)
{
	return cmd->io.op == UMF_IO_WRITE &&
	       !(cmd->judged && (cmd->fate.skip || cmd->fate.parts.n));
}

/* Virtual time: what the disk was to do, it no longer does. @out: what ends at once. */
static void cut_queue(struct umf_blk *blk, struct list_head *out)
{
	struct umf_blk_fault *fault = &blk->fault;
	struct umf_blk_cmd *cmd, *next;

	umf_blk_clock_cut(blk, out);
	if (fault->cut.inflight == UMF_INFLIGHT_OLD)
		return;
	list_for_each_entry_safe(cmd, next, out, fate.list)
		if (can_be_torn(cmd))
			list_move_tail(&cmd->fate.list, &fault->inflight);
}

bool umf_fate_cut(struct umf_blk *blk, struct umf_blk_cmd *cmd)
{
	struct umf_blk_fault *fault = &blk->fault;
	struct umf_blk_cmd *other, *next;
	unsigned long flags;
	bool kept = false;
	LIST_HEAD(out);

	spin_lock_irqsave(&fault->lock, flags);
	if (umf_clock_virtual())
		cut_queue(blk, &out);
	if (fault->cut.inflight != UMF_INFLIGHT_OLD) {
		list_for_each_entry_safe(other, next, &fault->waiting, fate.list) {
			if (!can_be_torn(other))
				continue;
			other->fate.waiting = false;
			list_move_tail(&other->fate.list, &fault->inflight);
		}
		kept = cmd && can_be_torn(cmd);
		if (kept)
			list_add_tail(&cmd->fate.list, &fault->inflight);
	}
	queue_work(blk->wq, &fault->cut_work);
	spin_unlock_irqrestore(&fault->lock, flags);
	list_for_each_entry_safe(other, next, &out, fate.list)
		umf_fate_end(other, BLK_STS_OFFLINE);
	return kept;
}

void umf_fate_review(struct umf_blk *blk)
{
	struct umf_blk_fault *fault = &blk->fault;
	struct umf_blk_cmd *cmd, *next;
	unsigned long flags;
	LIST_HEAD(out);

	spin_lock_irqsave(&fault->lock, flags);
	list_for_each_entry_safe(cmd, next, &fault->waiting, fate.list) {
		if (!over(&fault->site, &cmd->fate)) {
			set_timer(&fault->site, &cmd->fate);
			continue;
		}
		cmd->fate.waiting = false;
		list_move_tail(&cmd->fate.list, &out);
	}
	spin_unlock_irqrestore(&fault->lock, flags);
	list_for_each_entry_safe(cmd, next, &out, fate.list) {
		hrtimer_cancel(&cmd->fate.timer);
		go_on(cmd);
	}
}

/* ---- its beginning ---- */

void umf_fate_clear(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fate *fate = &cmd->fate;

	fate->status = BLK_STS_OK;
	fate->skip = false;
	fate->marks = false;
	fate->causes = 0;
	fate->sector = cmd->io.sector;
	fate->nr = cmd->io.nr;
	fate->limit = cmd->io.nr;
	fate->nvec = cmd->io.nvec;
}

bool umf_fate_waits(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fate *fate = &cmd->fate;

	if (fate->skip)
		fate->limit = 0;
	cmd->io.sector = fate->sector;
	cmd->io.nr = fate->limit;
	if (!fate->causes)
		return false;
	wait_for(cmd);
	return true;
}

void umf_fate_start(struct umf_blk_cmd *cmd)
{
	go_on(cmd);
}

void umf_fate_init_cmd(struct umf_blk_cmd *cmd)
{
	hrtimer_setup(&cmd->fate.timer, wait_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_SOFT);
	INIT_WORK(&cmd->fate.work, carry_out);
}

void umf_fate_exit_cmd(struct umf_blk_cmd *cmd)
{
	hrtimer_cancel(&cmd->fate.timer);
}
