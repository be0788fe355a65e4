// SPDX-License-Identifier: GPL-2.0
/*
 * The rules of a disk, and what they decide of a request: its fate, which
 * blk/fate.c carries out.
 *
 * The fault core is asked once for each request, as the block layer sends it, by the
 * rules that are about requests (unit=request), and then, unless one of them has ended
 * it, once for each of its blocks by those that are about blocks (unit=block): what
 * is merged is nothing to those. When a block fails, what is behind it in the same bio
 * is not done and not asked about, as a disk would not have come to it; another bio
 * that was merged with it goes on.
 *
 * Of the effects on one operation come first where it takes place and how much of it
 * (misdirect, torn), then all others, whatever the order of the rules.
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

/* Not an operation: a rule that cuts the power at once has come into force. */
#define KIND_POWER	BIT_ULL(63)

/* What the core is asked about: a request, or a block of it. */
struct umf_blk_asked {
	struct umf_op op;
	struct umf_blk_cmd *cmd;	/* NULL: KIND_POWER */
	bool is_block;
	bool cuts;		/* it ends with the power cut */
	u64 sector, nr;
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

/* How often a match fires is drawn by its place: the order of matches is nothing to it. */
static int check_place(const struct umf_spec *spec, struct umf_reply *reply)
{
	static const u8 order[] = {
		UMF_K_BURST, UMF_K_AFTER, UMF_K_EVERY, UMF_K_COUNT
	};
	int i;

	if (!umf_num(spec, UMF_K_PLACE, 0))
		return 0;
	if (umf_num(spec, UMF_K_UNIT, UMF_UNIT_BLOCK) != UMF_UNIT_BLOCK)
		return umf_fail(reply, -EINVAL,
				"place=on: is about blocks, not unit=request");
	for (i = 0; i < ARRAY_SIZE(order); i++)
		if (umf_has(spec, order[i]))
			return umf_fail(reply, -EINVAL,
					"%s=: hangs on the order of matches, place=on does not",
					umf_params[order[i]].name);
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
	return check_place(spec, reply);
}

/* unit=, or what it is unless given: what names sectors is about those. */
static bool is_by_block(const struct umf_spec *spec)
{
	if (umf_has(spec, UMF_K_UNIT))
		return spec->val[UMF_K_UNIT].a == UMF_UNIT_BLOCK;
	switch (spec->action) {
	case UMF_A_BLK_BADSECTOR:
		return true;
	case UMF_A_BLK_ERROR:
	case UMF_A_BLK_CORRUPT:
	case UMF_A_BLK_LOST:
		return umf_has(spec, UMF_K_SECTORS) ||
		       umf_num(spec, UMF_K_PLACE, 0);
	default:
		return false;
	}
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
	mark->by_block = is_by_block(spec);
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
	if (mark->by_block != bop->is_block ||
	    !(bop->kinds & kinds_of(spec->action)))
		return false;
	if (umf_has(spec, UMF_K_OP) && !(bop->kinds & spec->val[UMF_K_OP].a))
		return false;
	if (!umf_has(spec, UMF_K_SECTORS))
		return true;
	if (!umf_mark_overlap(mark, bop->sector, bop->nr, &first, &last))
		return false;
	return spec->action != UMF_A_BLK_BADSECTOR || umf_mark_any_bad(mark, first, last);
}

/* place=on: the same for the n-th match of a block, whoever else matches meanwhile. */
static u64 fault_place(const struct umf_rule *rule, const struct umf_op *op)
{
	u64 sector = asked_of(op)->sector;

	return umf_mix64(sector + 1) + umf_mark_version(rule->priv, sector);
}

/* ---- effects whose size is drawn ---- */

static u64 block_sectors(const struct umf_blk *blk)
{
	return queue_logical_block_size(blk->disk->queue) / UMF_SECTOR;
}

/* No disk tears its own block, but when it is told to. */
static u64 torn_done(const struct umf_effect *effect,
		     const struct umf_blk_asked *bop)
{
	u64 block = block_sectors(bop->cmd->blk);
	struct umf_rng rng = effect->rng;

	if (umf_has(effect->spec, UMF_K_DONE))
		return min(effect->spec->val[UMF_K_DONE].a, bop->nr);
	return umf_rng_below(&rng, bop->nr / block) * block;
}

static u64 misdirect_to(const struct umf_effect *effect,
			const struct umf_blk_asked *bop)
{
	const struct umf_blk *blk = bop->cmd->blk;
	u64 unit = block_sectors(blk), shift;
	u64 room = (get_capacity(blk->disk) - bop->nr) / unit;
	struct umf_rng rng = effect->rng;

	if (!room)
		return bop->sector;
	if (umf_has(effect->spec, UMF_K_SHIFT))
		shift = DIV_ROUND_UP_ULL(effect->spec->val[UMF_K_SHIFT].a, unit);
	else
		shift = 1 + umf_rng_below(&rng, room);
	return (bop->sector / unit + shift) % (room + 1) * unit;
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
	if (bop->nr)
		n += scnprintf(buf + n, len - n, " %llu+%llu", bop->sector,
			       bop->nr);
	switch (effect->action) {
	case UMF_A_BLK_ERROR:
		n += scnprintf(buf + n, len - n, " %s",
			       umf_params[UMF_K_STATUS].words[umf_num(spec, UMF_K_STATUS, 0)]);
		break;
	case UMF_A_BLK_TORN:
		n += scnprintf(buf + n, len - n, " %llu written",
			       torn_done(effect, bop));
		break;
	case UMF_A_BLK_MISDIRECT:
		n += scnprintf(buf + n, len - n, " at %llu",
			       misdirect_to(effect, bop));
		break;
	case UMF_A_BLK_DELAY:
		n += scnprintf(buf + n, len - n, " %lluns", effect->arg);
		break;
	default:
		break;
	}
}

/* ---- corruption ---- */

static struct umf_blk_flip *new_flip(struct umf_blk_fate *fate)
{
	unsigned int room = fate->flip_room ? 2 * fate->flip_room : 2;
	struct umf_blk_flip *flip = fate->flip;

	if (fate->flips == fate->flip_room) {
		flip = krealloc_array(flip, room, sizeof(*flip),
				      GFP_ATOMIC | __GFP_NOWARN);
		if (!flip)
			return NULL;
		fate->flip = flip;
		fate->flip_room = room;
	}
	flip += fate->flips;
	memset(flip, 0, sizeof(*flip));
	return flip;
}

/* Of what the rule is about, as much as there still is data of. */
static bool add_flip(const struct umf_blk_asked *bop,
		     const struct umf_effect *effect)
{
	const struct umf_spec *spec = effect->spec;
	const struct umf_rule *rule = rule_of(effect);
	const struct umf_blk_mark *mark = rule->priv;
	struct umf_blk_fate *fate = &bop->cmd->fate;
	u64 asked = blk_rq_pos(blk_mq_rq_from_pdu(bop->cmd)), first, last;
	struct umf_blk_flip *flip;

	if (!umf_mark_overlap(mark, bop->sector, bop->nr, &first, &last) ||
	    first - asked >= fate->limit)
		return false;
	flip = new_flip(fate);
	if (!flip)
		return false;
	last = min(last, asked + fate->limit - 1);
	flip->rng = effect->rng;
	flip->sector = fate->sector;
	flip->first = (first - asked) * UMF_SECTOR;
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

/* ---- verdicts ---- */

static void add_cause(struct umf_blk_fate *fate, enum umf_blk_wait wait,
		      const struct umf_effect *effect, u64 delay)
{
	fate->cause[fate->causes++] = (struct umf_blk_cause) {
		.wait = wait, .rule = effect->rule, .delay = delay,
	};
}

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

/* False: there is no power already. Else umf_fate_cut() is to follow. */
static bool cut_power(struct umf_blk *blk, const struct umf_effect *effect)
{
	struct umf_blk_fault *fault = &blk->fault;
	const struct umf_spec *spec = effect->spec;
	struct umf_rng rng = effect->rng;
	u64 drawn = umf_rng_below(&rng, UMF_PPB + 1);
	unsigned long flags;
	bool cuts;

	spin_lock_irqsave(&fault->lock, flags);
	cuts = !fault->cut_by;
	if (cuts) {
		fault->cut_by = effect->rule;
		fault->cut.rng = rng;
		fault->cut.keep = umf_num(spec, UMF_K_KEEP, drawn);
		fault->cut.torn = umf_num(spec, UMF_K_TORN, 0);
		fault->cut.reorder = umf_num(spec, UMF_K_REORDER, 0);
		fault->cut.inflight = umf_num(spec, UMF_K_INFLIGHT, 0);
		fault->stop_guest = umf_num(spec, UMF_K_STOP, 0);
		WRITE_ONCE(fault->levels, fault->levels | BIT(UMF_LEVEL_DARK));
	}
	spin_unlock_irqrestore(&fault->lock, flags);
	return cuts;
}

/*
 * Where, and how much: known first, whatever the order of the rules, as what is done
 * to the data is done to what is left of it.
 */
static bool is_about_place(enum umf_action_id action)
{
	return action == UMF_A_BLK_TORN || action == UMF_A_BLK_MISDIRECT;
}

static bool set_place(const struct umf_blk_asked *bop,
		      const struct umf_effect *effect)
{
	struct umf_blk_fate *fate = &bop->cmd->fate;
	u64 nr, sector;

	if (effect->action == UMF_A_BLK_TORN) {
		nr = torn_done(effect, bop);
		if (nr >= fate->limit)
			return false;
		fate->limit = nr;
		if (!nr)
			fate->skip = true;
		return true;
	}
	sector = misdirect_to(effect, bop);
	if (sector == fate->sector)
		return false;
	fate->sector = sector;
	return true;
}

/* What fails, how long it waits, what is wrong with its data. */
static bool set_rest(struct umf_blk_asked *bop,
		     const struct umf_effect *effect)
{
	struct umf_blk_cmd *cmd = bop->cmd;
	struct umf_blk_fate *fate = &cmd->fate;
	struct umf_io *io = &cmd->io;
	u64 wait;

	switch (effect->action) {
	case UMF_A_BLK_ERROR:
		fate->status = statuses[umf_num(effect->spec, UMF_K_STATUS, 0)];
		return true;
	case UMF_A_BLK_LOST:
		fate->skip = true;
		return true;
	case UMF_A_BLK_POWERCUT:
		bop->cuts = cut_power(cmd->blk, effect);
		fate->status = BLK_STS_OFFLINE;
		return true;
	case UMF_A_BLK_CORRUPT:
		return add_flip(bop, effect);
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
		       rate_wait(effect, io->nvec ? bop->nr * UMF_SECTOR : 0);
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

/* Of one block; @left: sectors from it on to the end of its bio. */
static bool set_block(const struct umf_blk_asked *bop,
		      const struct umf_effect *effect, u64 left)
{
	struct umf_blk_fate *fate = &bop->cmd->fate;
	u64 first = bop->sector - blk_rq_pos(blk_mq_rq_from_pdu(bop->cmd));

	switch (effect->action) {
	case UMF_A_BLK_ERROR:
		return umf_parts_add(&fate->parts, first, left,
				     statuses[umf_num(effect->spec, UMF_K_STATUS, 0)]);
	case UMF_A_BLK_BADSECTOR:
		return umf_parts_add(&fate->parts, first, left, BLK_STS_MEDIUM);
	case UMF_A_BLK_LOST:
		return umf_parts_add(&fate->parts, first, bop->nr, BLK_STS_OK);
	case UMF_A_BLK_CORRUPT:
		return add_flip(bop, effect);
	default:
		return false;
	}
}

/* What came about is said to have: counted and logged, or not. */
static void tell(const struct umf_blk_asked *bop,
		 const struct umf_verdict *verdict,
		 const struct umf_effect *effect, bool done)
{
	if (done)
		umf_effect_done(&bop->cmd->blk->fault.site, &bop->op, verdict,
				effect);
	else
		umf_effect_undone(verdict, effect);
}

static bool is_final(const struct umf_effect *effect)
{
	return umf_actions[effect->action].flags & UMF_AF_FINAL;
}

/* Asks the rules about the request as a whole. Has one of them ended it? */
static bool ask_request(struct umf_blk_asked *bop)
{
	struct umf_verdict verdict = umf_decide(&bop->cmd->blk->fault.site,
						&bop->op);
	const struct umf_effect *effect;
	bool ended = false;
	unsigned int i;

	for (i = 0; i < verdict.n; i++) {
		effect = &verdict.effect[i];
		if (is_about_place(effect->action))
			tell(bop, &verdict, effect, set_place(bop, effect));
	}
	for (i = 0; i < verdict.n; i++) {
		effect = &verdict.effect[i];
		ended |= is_final(effect);
		if (!is_about_place(effect->action))
			tell(bop, &verdict, effect, set_rest(bop, effect));
	}
	return ended;
}

/* The same about a block; true: it fails, and so does its bio. */
static bool ask_block(struct umf_blk_asked *bop, u64 left)
{
	struct umf_verdict verdict = umf_decide(&bop->cmd->blk->fault.site,
						&bop->op);
	const struct umf_effect *effect;
	bool failed = false, done;
	unsigned int i;

	for (i = 0; i < verdict.n; i++) {
		effect = &verdict.effect[i];
		done = set_block(bop, effect, left);
		failed |= done && effect->action != UMF_A_BLK_LOST &&
			  is_final(effect);
		tell(bop, &verdict, effect, done);
	}
	return failed;
}

/* All blocks of a request that rules are about, bio by bio. */
static void ask_blocks(struct umf_blk_asked *bop)
{
	struct request *rq = blk_mq_rq_from_pdu(bop->cmd);
	u64 block = block_sectors(bop->cmd->blk);
	u64 sector, end = blk_rq_pos(rq);
	struct bio *bio;

	bop->is_block = true;
	bop->nr = block;
	bop->op.len = block * UMF_SECTOR;
	__rq_for_each_bio(bio, rq) {
		sector = end;
		end += bio_sectors(bio);
		for (;; sector += block) {
			sector = umf_marks_next(bop->cmd->blk, sector);
			if (sector >= end)
				break;
			sector = round_down(sector, block);
			bop->sector = sector;
			if (ask_block(bop, end - sector))
				break;
		}
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
	struct umf_blk_asked bop = {
		.op = {
			.dir = cmd->io.op == UMF_IO_READ ? UMF_DIR_RX :
							   UMF_DIR_TX,
			.len = cmd->io.nr * UMF_SECTOR,
		},
		.cmd = cmd,
		.sector = cmd->io.sector,
		.nr = cmd->io.nr,
		.kinds = kinds_of_io(&cmd->io),
	};
	blk_status_t status = umf_fate_level(cmd->blk, &cmd->io);
	struct umf_blk *blk = cmd->blk;
	bool waits;

	umf_fate_clear(cmd);
	if (status != BLK_STS_OK) {
		umf_fate_end(cmd, status);
		return;
	}
	rcu_read_lock();
	if (!ask_request(&bop) && cmd->io.nr &&
	    !list_empty_careful(&cmd->blk->fault.by_block))
		ask_blocks(&bop);
	waits = !bop.cuts && umf_fate_waits(cmd);
	rcu_read_unlock();
	if (bop.cuts && umf_fate_cut(blk, cmd))
		return;
	if (!waits)
		umf_fate_start(cmd);
}

/* ---- the site ---- */

static void protect(struct work_struct *work)
{
	struct umf_blk *blk = container_of(work, struct umf_blk, fault.protect);

	set_disk_ro(blk->disk, blk->ro ||
		    READ_ONCE(blk->fault.levels) & BIT(UMF_LEVEL_READONLY));
}

/* Cuts the power for rules that do so when they come into force. */
static void cut_at_once(struct umf_blk *blk)
{
	struct umf_blk_asked asked = { .kinds = KIND_POWER };
	struct umf_verdict verdict;
	u64 now = ktime_get_ns();
	struct umf_blk_mark *mark;
	unsigned long flags;
	bool fire = false, cuts = false;
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
		cuts |= cut_power(blk, &verdict.effect[i]);
	rcu_read_unlock();
	if (cuts)
		umf_fate_cut(blk, NULL);
}

static void fault_update(struct umf_site *site)
{
	struct umf_blk *blk = blk_of(site);
	struct umf_blk_fault *fault = &blk->fault;
	unsigned long flags, levels = 0;

	if (umf_site_level(site, UMF_A_BLK_OFFLINE))
		levels |= BIT(UMF_LEVEL_OFFLINE);
	if (umf_site_level(site, UMF_A_BLK_READONLY))
		levels |= BIT(UMF_LEVEL_READONLY);
	if (umf_site_level(site, UMF_A_BLK_NOSPACE))
		levels |= BIT(UMF_LEVEL_NOSPACE);
	cut_at_once(blk);
	spin_lock_irqsave(&fault->lock, flags);
	if (fault->cut_by && !umf_rule_in_force(site, fault->cut_by))
		fault->cut_by = 0;
	if (fault->cut_by)
		levels |= BIT(UMF_LEVEL_DARK);
	if ((levels ^ fault->levels) & BIT(UMF_LEVEL_READONLY))
		queue_work(blk->wq, &fault->protect);
	WRITE_ONCE(fault->levels, levels);
	spin_unlock_irqrestore(&fault->lock, flags);
	umf_fate_review(blk);
}

static const struct umf_site_ops fault_ops = {
	.prepare	= fault_prepare,
	.release	= fault_release,
	.match		= fault_match,
	.place		= fault_place,
	.describe	= fault_describe,
	.update		= fault_update,
};

int umf_blk_fault_add(struct umf_blk *blk)
{
	struct umf_blk_fault *fault = &blk->fault;

	spin_lock_init(&fault->lock);
	spin_lock_init(&fault->marks_lock);
	INIT_LIST_HEAD(&fault->waiting);
	INIT_LIST_HEAD(&fault->inflight);
	INIT_LIST_HEAD(&fault->marks);
	INIT_LIST_HEAD(&fault->by_block);
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
