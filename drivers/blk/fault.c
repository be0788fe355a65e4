// SPDX-License-Identifier: GPL-2.0
/*
 * What a verdict does to a request.
 *
 * The fault core is asked once for each request, as the block layer merged it.
 * The effects add up in the request's fate and are applied in this order:
 *
 *	it waits	the sum of its delays, or until its rule ends (hang)
 *	it ends		failed (error, badsector, a level) or, undone, well (lost)
 *	it is changed	where (misdirect), how much (torn), what (corrupt), how
 *			durably (flushlie)
 *	it is done	by the host
 *	it is read	its data is replaced (stale), then corrupted
 *
 * Levels (offline, readonly, nospace, no power) are looked at before the rules are asked
 * and again when a request that waited goes on.
 *
 * powercut makes the disk dark, a level of its own, until the rule is out of
 * force; blk/power.c does the rest. What rules keep of sectors is blk/mark.c's.
 */
#include <linux/bitops.h>
#include <linux/blkdev.h>
#include <linux/hex.h>
#include <linux/slab.h>
#include "blk/blk.h"
#include "blk/mark.h"

enum level {
	LEVEL_DARK,
	LEVEL_OFFLINE,
	LEVEL_READONLY,
	LEVEL_NOSPACE,
};

/* Not an operation: a rule that cuts the power at once has come into force. */
#define KIND_POWER	BIT_ULL(63)

/* What the core is asked about. */
struct umf_blk_asked {
	struct umf_op op;
	struct umf_blk_cmd *cmd;	/* NULL: KIND_POWER */
	u64 kinds;		/* BIT_ULL(UMF_OP_…), or KIND_POWER */
};

static const struct umf_blk_asked *asked_of(const struct umf_op *op)
{
	return container_of_const(op, struct umf_blk_asked, op);
}

static struct umf_blk *blk_of(struct umf_site *site)
{
	return container_of(site, struct umf_blk, fault.site);
}

static const struct umf_rule *rule_of(const struct umf_effect *effect)
{
	return container_of(effect->spec, struct umf_rule, spec);
}

static bool writes(const struct umf_io *io)
{
	return io->op == UMF_IO_WRITE || io->op == UMF_IO_DISCARD ||
	       io->op == UMF_IO_ZEROES;
}

/* ---- rules ---- */

static int parse_data(struct umf_blk_mark *mark, const char *text,
		      struct umf_reply *reply)
{
	size_t len = strlen(text);

	if (len % 2 || len > 2 * sizeof(mark->data) ||
	    hex2bin(mark->data, text, len / 2))
		return umf_fail(reply, -EINVAL,
				"data=%s: must be 1 to %zu bytes in hex", text,
				sizeof(mark->data));
	mark->data_len = len / 2;
	return 0;
}

static int check_rule(const struct umf_spec *spec, u64 capacity,
		      struct umf_reply *reply)
{
	int how = umf_has(spec, UMF_K_BITS) + umf_has(spec, UMF_K_BYTES) +
		  umf_has(spec, UMF_K_DATA);

	if (umf_has(spec, UMF_K_SECTORS) &&
	    spec->val[UMF_K_SECTORS].a >= capacity)
		return umf_fail(reply, -EINVAL,
				"sectors=%llu: the disk has only %llu",
				spec->val[UMF_K_SECTORS].a, capacity);
	if (how > 1)
		return umf_fail(reply, -EINVAL,
				"bits=, bytes= and data= exclude each other");
	if (spec->action == UMF_A_BLK_RATE && !umf_has(spec, UMF_K_IOPS) &&
	    !umf_has(spec, UMF_K_BPS))
		return umf_fail(reply, -EINVAL, "rate needs iops= or bps=");
	return 0;
}

static int fault_prepare(struct umf_rule *rule, struct umf_reply *reply)
{
	struct umf_blk *blk = blk_of(rule->site);
	const struct umf_spec *spec = &rule->spec;
	struct umf_blk_mark *mark;
	int err;

	err = check_rule(spec, get_capacity(blk->disk), reply);
	if (err)
		return err;
	mark = umf_mark_new(rule);
	if (!mark)
		return umf_fail(reply, -ENOMEM, "out of memory");
	if (umf_has(spec, UMF_K_DATA)) {
		err = parse_data(mark, spec->val[UMF_K_DATA].text, reply);
		if (err) {
			kfree(mark);
			return err;
		}
	}
	rule->priv = mark;
	if (spec->action == UMF_A_BLK_BADSECTOR ||
	    spec->action == UMF_A_BLK_STALE ||
	    spec->action == UMF_A_BLK_POWERCUT)
		umf_mark_list(blk, mark);
	return 0;
}

static void fault_release(struct umf_rule *rule)
{
	struct umf_blk *blk = blk_of(rule->site);
	struct umf_blk_mark *mark = rule->priv;

	umf_mark_unlist(blk, mark);
	umf_mark_put(mark);
}

/* Which kinds of operations an action is about at all. */
static u64 kinds_of(enum umf_action_id action)
{
	switch (action) {
	case UMF_A_BLK_BADSECTOR:
	case UMF_A_BLK_STALE:
		return BIT_ULL(UMF_OP_READ);
	case UMF_A_BLK_TORN:
		return BIT_ULL(UMF_OP_WRITE);
	case UMF_A_BLK_CORRUPT:
	case UMF_A_BLK_MISDIRECT:
		return BIT_ULL(UMF_OP_READ) | BIT_ULL(UMF_OP_WRITE);
	case UMF_A_BLK_LOST:
		return BIT_ULL(UMF_OP_WRITE) | BIT_ULL(UMF_OP_DISCARD) |
		       BIT_ULL(UMF_OP_ZEROES);
	case UMF_A_BLK_FLUSHLIE:
		return BIT_ULL(UMF_OP_FLUSH) | BIT_ULL(UMF_OP_FUA);
	default:
		return ~0ULL;
	}
}

/* A powercut that waits for no operation. */
static bool cuts_at_once(const struct umf_spec *spec)
{
	static const u8 waits[] = {
		UMF_K_OP, UMF_K_SECTORS, UMF_K_AFTER, UMF_K_EVERY, UMF_K_COUNT,
		UMF_K_PROB, UMF_K_BURST
	};
	int i;

	if (spec->action != UMF_A_BLK_POWERCUT)
		return false;
	for (i = 0; i < ARRAY_SIZE(waits); i++)
		if (umf_has(spec, waits[i]))
			return false;
	return true;
}

static bool fault_match(const struct umf_rule *rule, const struct umf_op *op)
{
	const struct umf_blk_asked *bop = asked_of(op);
	const struct umf_spec *spec = &rule->spec;
	struct umf_blk_mark *mark = rule->priv;
	u64 first, last;

	if ((bop->kinds & KIND_POWER) || cuts_at_once(spec))
		return (bop->kinds & KIND_POWER) && cuts_at_once(spec);
	if (!(bop->kinds & kinds_of(spec->action)))
		return false;
	if (umf_has(spec, UMF_K_OP) && !(bop->kinds & spec->val[UMF_K_OP].a))
		return false;
	if (!umf_has(spec, UMF_K_SECTORS))
		return true;
	if (!umf_mark_overlap(mark, &bop->cmd->io, &first, &last))
		return false;
	return spec->action != UMF_A_BLK_BADSECTOR || umf_mark_any_bad(mark, first, last);
}

/* ---- effects whose size is drawn ---- */

static u64 block_sectors(const struct umf_blk *blk)
{
	return queue_logical_block_size(blk->disk->queue) / UMF_SECTOR;
}

/* No disk tears its own block, but when it is told to. */
static u64 torn_done(const struct umf_effect *effect,
		     const struct umf_blk_cmd *cmd)
{
	u64 block = block_sectors(cmd->blk), nr = cmd->io.nr;
	struct umf_rng rng = effect->rng;

	if (umf_has(effect->spec, UMF_K_DONE))
		return min(effect->spec->val[UMF_K_DONE].a, nr);
	return umf_rng_below(&rng, nr / block) * block;
}

static u64 misdirect_to(const struct umf_effect *effect,
			const struct umf_blk_cmd *cmd)
{
	u64 unit = block_sectors(cmd->blk);
	u64 room = (get_capacity(cmd->blk->disk) - cmd->io.nr) / unit;
	u64 from = cmd->io.sector / unit, shift;
	struct umf_rng rng = effect->rng;

	if (!room)
		return cmd->io.sector;
	if (umf_has(effect->spec, UMF_K_SHIFT))
		shift = DIV_ROUND_UP_ULL(effect->spec->val[UMF_K_SHIFT].a, unit);
	else
		shift = 1 + umf_rng_below(&rng, room);
	return (from + shift) % (room + 1) * unit;
}

static const char *op_name(const struct umf_io *io)
{
	static const char *const names[] = {
		[UMF_IO_READ] = "read", [UMF_IO_WRITE] = "write",
		[UMF_IO_FLUSH] = "flush", [UMF_IO_DISCARD] = "discard",
		[UMF_IO_ZEROES] = "zeroes",
	};

	return names[io->op];
}

static void fault_describe(const struct umf_op *op,
			   const struct umf_effect *effect, char *buf,
			   size_t len)
{
	const struct umf_blk_asked *bop = asked_of(op);
	const struct umf_spec *spec = effect->spec;
	const struct umf_io *io;
	int n;

	if (!bop->cmd) {
		strscpy(buf, "at once", len);
		return;
	}
	io = &bop->cmd->io;
	n = scnprintf(buf, len, "%s%s", op_name(io),
		      io->flags & UMF_IO_FUA ? " fua" : "");
	if (io->nr)
		n += scnprintf(buf + n, len - n, " %llu+%llu", io->sector,
			       io->nr);
	switch (effect->action) {
	case UMF_A_BLK_ERROR:
		n += scnprintf(buf + n, len - n, " %s",
			       umf_params[UMF_K_STATUS].words[umf_num(spec, UMF_K_STATUS, 0)]);
		break;
	case UMF_A_BLK_TORN:
		n += scnprintf(buf + n, len - n, " %llu written",
			       torn_done(effect, bop->cmd));
		break;
	case UMF_A_BLK_MISDIRECT:
		n += scnprintf(buf + n, len - n, " at %llu",
			       misdirect_to(effect, bop->cmd));
		break;
	case UMF_A_BLK_DELAY:
		n += scnprintf(buf + n, len - n, " %lluns", effect->arg);
		break;
	default:
		break;
	}
}

/* ---- corruption ---- */

/* Of what the rule is about, as much as there still is data of. */
static bool add_flip(struct umf_blk_cmd *cmd, const struct umf_effect *effect,
		     const struct umf_io *asked)
{
	const struct umf_spec *spec = effect->spec;
	const struct umf_rule *rule = rule_of(effect);
	const struct umf_blk_mark *mark = rule->priv;
	struct umf_blk_fate *fate = &cmd->fate;
	struct umf_blk_flip *flip = &fate->flip[fate->flips];
	u64 first, last;

	if (fate->flips == UMF_BLK_FLIPS ||
	    !umf_mark_overlap(mark, asked, &first, &last) ||
	    first - asked->sector >= cmd->io.nr)
		return false;
	last = min(last, asked->sector + cmd->io.nr - 1);
	memset(flip, 0, sizeof(*flip));
	flip->rng = effect->rng;
	flip->sector = cmd->io.sector;
	flip->first = (first - asked->sector) * UMF_SECTOR;
	flip->len = (last - first + 1) * UMF_SECTOR;
	flip->sticky = umf_num(spec, UMF_K_STICKY, 0);
	if (flip->sticky)
		flip->rng.state = rule->trig.seed;
	if (umf_has(spec, UMF_K_DATA)) {
		memcpy(flip->data, mark->data, mark->data_len);
		flip->data_len = mark->data_len;
	} else if (umf_has(spec, UMF_K_BYTES)) {
		flip->bytes = spec->val[UMF_K_BYTES].a;
	} else {
		flip->bits = umf_num(spec, UMF_K_BITS, 1);
	}
	fate->flips++;
	return true;
}

/* ---- a request's way ---- */

/* How levels have it fail; BLK_STS_OK: they do not. */
static blk_status_t level_status(struct umf_blk *blk, const struct umf_io *io)
{
	unsigned long levels = READ_ONCE(blk->fault.levels);

	if (levels & (BIT(LEVEL_DARK) | BIT(LEVEL_OFFLINE)))
		return BLK_STS_OFFLINE;
	if (!writes(io))
		return BLK_STS_OK;
	if (levels & BIT(LEVEL_READONLY))
		return BLK_STS_IOERR;
	if ((levels & BIT(LEVEL_NOSPACE)) && io->op != UMF_IO_DISCARD)
		return BLK_STS_NOSPC;
	return BLK_STS_OK;
}

static void end_with(struct umf_blk_cmd *cmd, blk_status_t status)
{
	cmd->status = status;
	umf_blk_fault_done(cmd);
	umf_blk_end(cmd);
}

static void apply_flips(const struct umf_blk_cmd *cmd)
{
	const struct umf_blk_data data = { cmd->io.vec, cmd->io.nvec };
	unsigned int i;

	for (i = 0; i < cmd->fate.flips; i++)
		umf_flip_apply(&data, &cmd->fate.flip[i]);
}

/* In the worker: what has to be read or copied before a write. */
static void prepare_write(struct work_struct *work)
{
	struct umf_blk_cmd *cmd = container_of(work, struct umf_blk_cmd,
					       fate.work);
	struct umf_blk_fate *fate = &cmd->fate;
	u64 left = cmd->io.nr * UMF_SECTOR;
	unsigned int i;
	u8 *to;

	if (umf_marks_any(cmd->blk))
		umf_marks_keep(cmd->blk, &cmd->io);
	if (fate->flips) {
		to = kvmalloc(left, GFP_NOIO);
		if (!to) {
			end_with(cmd, BLK_STS_RESOURCE);
			return;
		}
		fate->bounce.base = to;
		fate->bounce.len = left;
		for (i = 0; left; i++) {
			u64 part = min_t(u64, left, cmd->vec[i].len);

			memcpy(to, cmd->vec[i].base, part);
			to += part;
			left -= part;
		}
		cmd->io.vec = &fate->bounce;
		cmd->io.nvec = 1;
		apply_flips(cmd);
	}
	umf_blk_go(cmd, true);
}

/* It has waited long enough. */
static void go_on(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fate *fate = &cmd->fate;
	blk_status_t status = level_status(cmd->blk, &cmd->io);

	if (status == BLK_STS_OK)
		status = fate->status;
	if (status != BLK_STS_OK || fate->skip) {
		end_with(cmd, status);
		return;
	}
	fate->marks = writes(&cmd->io) && umf_marks_any(cmd->blk);
	if (fate->marks || (fate->flips && cmd->io.op == UMF_IO_WRITE))
		queue_work(cmd->blk->wq, &fate->work);
	else
		umf_blk_go(cmd, true);
}

void umf_blk_fault_done(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fate *fate = &cmd->fate;

	if (cmd->status == BLK_STS_OK && !fate->skip) {
		if (fate->stale)
			umf_mark_show(fate->stale, &cmd->io);
		if (cmd->io.op == UMF_IO_READ)
			apply_flips(cmd);
		if (fate->marks && cmd->io.op != UMF_IO_DISCARD)
			umf_marks_heal(cmd->blk, &cmd->io);
	}
	if (fate->stale)
		umf_mark_put(fate->stale);
	fate->stale = NULL;
	kvfree(fate->bounce.base);
	fate->bounce.base = NULL;
}

/* ---- waiting ---- */

static void add_cause(struct umf_blk_fate *fate, enum umf_blk_wait wait,
		      const struct umf_effect *effect, u64 delay)
{
	fate->cause[fate->causes++] = (struct umf_blk_cause) {
		.wait = wait, .rule = effect->rule, .delay = delay,
	};
}

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

bool umf_blk_fault_timeout(struct umf_blk_cmd *cmd)
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
		end_with(cmd, BLK_STS_TIMEOUT);
	return waited;
}

/* ---- verdicts ---- */

static const blk_status_t statuses[] = {
	[UMF_STATUS_IOERR] = BLK_STS_IOERR,
	[UMF_STATUS_MEDIUM] = BLK_STS_MEDIUM,
	[UMF_STATUS_TRANSPORT] = BLK_STS_TRANSPORT,
	[UMF_STATUS_TARGET] = BLK_STS_TARGET,
	[UMF_STATUS_PROTECTION] = BLK_STS_PROTECTION,
	[UMF_STATUS_NOSPC] = BLK_STS_NOSPC,
	[UMF_STATUS_TIMEOUT] = BLK_STS_TIMEOUT,
	[UMF_STATUS_RESV] = BLK_STS_RESV_CONFLICT,
	[UMF_STATUS_OFFLINE] = BLK_STS_OFFLINE,
	[UMF_STATUS_NOTSUPP] = BLK_STS_NOTSUPP,
};

/* How long an operation of that many bytes waits for its turn, ns. */
static u64 rate_wait(const struct umf_effect *effect, u64 bytes)
{
	struct umf_blk_mark *mark = rule_of(effect)->priv;
	const struct umf_spec *spec = effect->spec;
	u64 now = ktime_get_ns(), cost = 0, wait;
	unsigned long flags;

	if (umf_has(spec, UMF_K_IOPS))
		cost = UMF_NSEC / spec->val[UMF_K_IOPS].a;
	if (umf_has(spec, UMF_K_BPS))
		cost = max(cost, mul_u64_u64_div_u64(bytes, UMF_NSEC,
						     spec->val[UMF_K_BPS].a));
	spin_lock_irqsave(&mark->lock, flags);
	mark->free_at = max(mark->free_at, now) + cost;
	wait = mark->free_at - now;
	spin_unlock_irqrestore(&mark->lock, flags);
	return wait;
}

static void cut_power(struct umf_blk *blk, const struct umf_effect *effect)
{
	struct umf_blk_fault *fault = &blk->fault;
	const struct umf_spec *spec = effect->spec;
	struct umf_rng rng = effect->rng;
	u64 drawn = umf_rng_below(&rng, UMF_PPB + 1);
	unsigned long flags;

	spin_lock_irqsave(&fault->lock, flags);
	if (!fault->cut_by) {
		fault->cut_by = effect->rule;
		fault->cut.rng = rng;
		fault->cut.keep = umf_num(spec, UMF_K_KEEP, drawn);
		fault->cut.torn = umf_num(spec, UMF_K_TORN, 0);
		fault->cut.reorder = umf_num(spec, UMF_K_REORDER, 0);
		fault->stop_guest = umf_num(spec, UMF_K_STOP, 0);
		WRITE_ONCE(fault->levels, fault->levels | BIT(LEVEL_DARK));
		queue_work(blk->wq, &fault->cut_work);
	}
	spin_unlock_irqrestore(&fault->lock, flags);
}

/* A verdict on a request, for who says what became of it. */
struct verdict_of {
	struct umf_site *site;
	const struct umf_blk_asked *bop;
	const struct umf_verdict *verdict;
};

/*
 * Where, and how much: known first, whatever the order of the rules, as what is done
 * to the data is done to what is left of it.
 */
static bool is_about_place(enum umf_action_id action)
{
	return action == UMF_A_BLK_TORN || action == UMF_A_BLK_MISDIRECT;
}

/* What is logged of it is the request as it was: it is said before it is done. */
static bool set_place(struct umf_blk_cmd *cmd, const struct umf_effect *effect,
		      const struct verdict_of *of)
{
	struct umf_blk_fate *fate = &cmd->fate;
	struct umf_io *io = &cmd->io;
	u64 nr, sector;

	if (effect->action == UMF_A_BLK_TORN) {
		nr = torn_done(effect, cmd);
		if (nr == io->nr)
			return false;
		umf_effect_done(of->site, &of->bop->op, of->verdict, effect);
		io->nr = nr;
		if (!nr)
			fate->skip = true;
	} else {
		sector = misdirect_to(effect, cmd);
		if (sector == io->sector)
			return false;
		umf_effect_done(of->site, &of->bop->op, of->verdict, effect);
		io->sector = sector;
	}
	return true;
}

/* How it fails, how long it waits, what is wrong with its data. */
static bool set_rest(struct umf_blk_cmd *cmd, const struct umf_effect *effect,
		     const struct umf_io *asked)
{
	struct umf_blk_fate *fate = &cmd->fate;
	struct umf_io *io = &cmd->io;
	u64 wait;

	switch (effect->action) {
	case UMF_A_BLK_ERROR:
		fate->status = statuses[umf_num(effect->spec, UMF_K_STATUS, 0)];
		return true;
	case UMF_A_BLK_BADSECTOR:
		fate->status = BLK_STS_MEDIUM;
		return true;
	case UMF_A_BLK_LOST:
		fate->skip = true;
		return true;
	case UMF_A_BLK_POWERCUT:
		cut_power(cmd->blk, effect);
		fate->status = BLK_STS_OFFLINE;
		return true;
	case UMF_A_BLK_CORRUPT:
		return add_flip(cmd, effect, asked);
	case UMF_A_BLK_STALE:
		if (fate->stale)
			return false;
		fate->stale = rule_of(effect)->priv;
		refcount_inc(&fate->stale->refs);
		return true;
	case UMF_A_BLK_FLUSHLIE:
		if (io->op == UMF_IO_FLUSH)
			fate->skip = true;
		io->flags &= ~UMF_IO_FUA;
		return true;
	case UMF_A_BLK_DELAY:
	case UMF_A_BLK_RATE:
		wait = effect->action == UMF_A_BLK_DELAY ? effect->arg :
		       rate_wait(effect, io->nvec ? io->nr * UMF_SECTOR : 0);
		if (!wait)
			return effect->action == UMF_A_BLK_RATE;
		add_cause(fate, UMF_WAIT_DELAY, effect, wait);
		return true;
	case UMF_A_BLK_HANG:
		add_cause(fate, UMF_WAIT_HANG, effect, 0);
		return true;
	case UMF_A_BLK_TIMEOUT:
		add_cause(fate, UMF_WAIT_TIMEOUT, effect, 0);
		return true;
	default:
		return false;
	}
}

/* Makes a fate of a verdict; what comes about is said to have. */
static void apply(struct umf_blk_cmd *cmd, const struct verdict_of *of)
{
	const struct umf_verdict *verdict = of->verdict;
	const struct umf_io asked = cmd->io;
	const struct umf_effect *effect;
	unsigned int i;

	for (i = 0; i < verdict->n; i++) {
		effect = &verdict->effect[i];
		if (is_about_place(effect->action) &&
		    !set_place(cmd, effect, of))
			umf_effect_undone(verdict, effect);
	}
	for (i = 0; i < verdict->n; i++) {
		effect = &verdict->effect[i];
		if (is_about_place(effect->action))
			continue;
		if (set_rest(cmd, effect, &asked))
			umf_effect_done(of->site, &of->bop->op, verdict, effect);
		else
			umf_effect_undone(verdict, effect);
	}
}

static u64 kinds_of_io(const struct umf_io *io)
{
	static const u8 kind[] = {
		[UMF_IO_READ] = UMF_OP_READ, [UMF_IO_WRITE] = UMF_OP_WRITE,
		[UMF_IO_FLUSH] = UMF_OP_FLUSH, [UMF_IO_DISCARD] = UMF_OP_DISCARD,
		[UMF_IO_ZEROES] = UMF_OP_ZEROES,
	};

	return BIT_ULL(kind[io->op]) |
	       (io->flags & UMF_IO_FUA ? BIT_ULL(UMF_OP_FUA) : 0);
}

void umf_blk_fault_start(struct umf_blk_cmd *cmd)
{
	struct umf_blk_fate *fate = &cmd->fate;
	struct umf_blk_asked bop = {
		.op = {
			.dir = cmd->io.op == UMF_IO_READ ? UMF_DIR_RX :
							   UMF_DIR_TX,
			.len = cmd->io.nr * UMF_SECTOR,
		},
		.cmd = cmd,
		.kinds = kinds_of_io(&cmd->io),
	};
	struct umf_verdict verdict;
	bool waits;
	const struct verdict_of of = {
		.site = &cmd->blk->fault.site,
		.bop = &bop,
		.verdict = &verdict,
	};

	fate->skip = false;
	fate->marks = false;
	fate->flips = 0;
	fate->causes = 0;
	fate->status = level_status(cmd->blk, &cmd->io);
	if (fate->status != BLK_STS_OK) {
		end_with(cmd, fate->status);
		return;
	}
	rcu_read_lock();
	verdict = umf_decide(&cmd->blk->fault.site, &bop.op);
	apply(cmd, &of);
	waits = fate->causes;
	/* inside the section: the rule it waits for cannot be deleted unheard */
	if (waits)
		wait_for(cmd);
	rcu_read_unlock();
	if (!waits)
		go_on(cmd);
}

/* ---- the site ---- */

static void protect(struct work_struct *work)
{
	struct umf_blk *blk = container_of(work, struct umf_blk, fault.protect);

	set_disk_ro(blk->disk, blk->ro ||
		    READ_ONCE(blk->fault.levels) & BIT(LEVEL_READONLY));
}

/* Cuts the power for rules that do so when they come into force. */
static void cut_at_once(struct umf_blk *blk)
{
	struct umf_blk_asked asked = { .kinds = KIND_POWER };
	struct umf_verdict verdict;
	u64 now = ktime_get_ns();
	struct umf_blk_mark *mark;
	unsigned long flags;
	bool fire = false;
	unsigned int i;

	spin_lock_irqsave(&blk->fault.marks_lock, flags);
	list_for_each_entry(mark, &blk->fault.marks, list) {
		bool in_force = cuts_at_once(&mark->rule->spec) &&
				umf_rule_open(mark->rule, now);

		fire |= in_force && !mark->cut;
		mark->cut = in_force;
	}
	spin_unlock_irqrestore(&blk->fault.marks_lock, flags);
	if (!fire)
		return;
	rcu_read_lock();
	verdict = umf_decide(&blk->fault.site, &asked.op);
	umf_verdict_done(&blk->fault.site, &asked.op, &verdict);
	for (i = 0; i < verdict.n; i++)
		cut_power(blk, &verdict.effect[i]);
	rcu_read_unlock();
}

static void fault_update(struct umf_site *site)
{
	struct umf_blk *blk = blk_of(site);
	struct umf_blk_fault *fault = &blk->fault;
	struct umf_blk_cmd *cmd, *next;
	unsigned long flags, levels = 0;
	LIST_HEAD(out);

	if (umf_site_level(site, UMF_A_BLK_OFFLINE))
		levels |= BIT(LEVEL_OFFLINE);
	if (umf_site_level(site, UMF_A_BLK_READONLY))
		levels |= BIT(LEVEL_READONLY);
	if (umf_site_level(site, UMF_A_BLK_NOSPACE))
		levels |= BIT(LEVEL_NOSPACE);
	cut_at_once(blk);
	spin_lock_irqsave(&fault->lock, flags);
	if (fault->cut_by && !umf_rule_in_force(site, fault->cut_by))
		fault->cut_by = 0;
	if (fault->cut_by)
		levels |= BIT(LEVEL_DARK);
	if ((levels ^ fault->levels) & BIT(LEVEL_READONLY))
		queue_work(blk->wq, &fault->protect);
	WRITE_ONCE(fault->levels, levels);
	list_for_each_entry_safe(cmd, next, &fault->waiting, fate.list) {
		if (!over(site, &cmd->fate)) {
			set_timer(site, &cmd->fate);
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

static const struct umf_site_ops fault_ops = {
	.prepare	= fault_prepare,
	.release	= fault_release,
	.match		= fault_match,
	.describe	= fault_describe,
	.update		= fault_update,
};

void umf_blk_fault_init_cmd(struct umf_blk_cmd *cmd)
{
	hrtimer_setup(&cmd->fate.timer, wait_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_SOFT);
	INIT_WORK(&cmd->fate.work, prepare_write);
}

void umf_blk_fault_exit_cmd(struct umf_blk_cmd *cmd)
{
	hrtimer_cancel(&cmd->fate.timer);
}

int umf_blk_fault_add(struct umf_blk *blk)
{
	struct umf_blk_fault *fault = &blk->fault;

	spin_lock_init(&fault->lock);
	spin_lock_init(&fault->marks_lock);
	INIT_LIST_HEAD(&fault->waiting);
	INIT_LIST_HEAD(&fault->marks);
	INIT_WORK(&fault->protect, protect);
	INIT_WORK(&fault->cut_work, umf_power_cut_work);
	strscpy(fault->site.name, blk->disk->disk_name);
	fault->site.class = UMF_CLASS_BLK;
	fault->site.ops = &fault_ops;
	return umf_site_add(&fault->site);
}

void umf_blk_fault_del(struct umf_blk *blk)
{
	umf_site_del(&blk->fault.site);
	flush_workqueue(blk->wq);
}
