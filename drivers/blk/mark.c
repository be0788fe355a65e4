// SPDX-License-Identifier: GPL-2.0
/*
 * What rules keep of sectors; see blk/mark.h. The list of a disk's marks is
 * under its fault.marks_lock; what stale rules keep changes in the disk's
 * worker only, and is read where reads end.
 */
#include <linux/slab.h>
#include "blk/mark.h"

#define STALE_MAX	65536	/* sectors a rule remembers: 32 MiB */

struct umf_blk_mark *umf_mark_new(struct umf_rule *rule)
{
	const struct umf_spec *spec = &rule->spec;
	struct umf_blk_mark *mark = kzalloc_obj(*mark);

	if (!mark)
		return NULL;
	refcount_set(&mark->refs, 1);
	INIT_LIST_HEAD(&mark->list);
	INIT_LIST_HEAD(&mark->blocks);
	spin_lock_init(&mark->lock);
	xa_init_flags(&mark->sectors, XA_FLAGS_LOCK_IRQ);
	mark->rule = rule;
	mark->last = U64_MAX;
	if (umf_has(spec, UMF_K_SECTORS)) {
		mark->first = spec->val[UMF_K_SECTORS].a;
		mark->last = spec->val[UMF_K_SECTORS].b;
	}
	mark->rewrites = umf_num(spec, UMF_K_REWRITES, 1);
	return mark;
}

void umf_mark_put(struct umf_blk_mark *mark)
{
	unsigned long index;
	void *entry;

	if (!refcount_dec_and_test(&mark->refs))
		return;
	xa_for_each(&mark->sectors, index, entry)
		if (!xa_is_value(entry))
			kfree(entry);
	xa_destroy(&mark->sectors);
	kfree(mark);
}

void umf_mark_list(struct umf_blk *blk, struct umf_blk_mark *mark)
{
	enum umf_action_id action = mark->rule->spec.action;

	spin_lock_irq(&blk->fault.marks_lock);
	if (mark->by_block)
		list_add_tail(&mark->blocks, &blk->fault.by_block);
	if (action == UMF_A_BLK_BADSECTOR || action == UMF_A_BLK_STALE ||
	    action == UMF_A_BLK_POWERCUT)
		list_add_tail(&mark->list, &blk->fault.marks);
	spin_unlock_irq(&blk->fault.marks_lock);
}

void umf_mark_unlist(struct umf_blk *blk, struct umf_blk_mark *mark)
{
	spin_lock_irq(&blk->fault.marks_lock);
	list_del_init(&mark->list);
	list_del_init(&mark->blocks);
	spin_unlock_irq(&blk->fault.marks_lock);
}

bool umf_mark_overlap(const struct umf_blk_mark *mark, u64 sector, u64 nr,
		      u64 *first, u64 *last)
{
	*first = max(mark->first, sector);
	*last = min(mark->last, sector + nr - 1);
	return nr && *first <= *last;
}

u64 umf_marks_next(struct umf_blk *blk, u64 sector)
{
	struct umf_blk_mark *mark;
	unsigned long flags;
	u64 next = U64_MAX;

	spin_lock_irqsave(&blk->fault.marks_lock, flags);
	list_for_each_entry(mark, &blk->fault.by_block, blocks)
		if (mark->last >= sector)
			next = min(next, max(mark->first, sector));
	spin_unlock_irqrestore(&blk->fault.marks_lock, flags);
	return next;
}

/* With no memory it does not count on: only place=on asks, and says so. */
u64 umf_mark_version(struct umf_blk_mark *mark, u64 sector)
{
	unsigned long flags;
	u64 version = 0;
	void *entry;

	xa_lock_irqsave(&mark->sectors, flags);
	entry = xa_load(&mark->sectors, sector);
	if (entry)
		version = xa_to_value(entry);
	__xa_store(&mark->sectors, sector, xa_mk_value(version + 1),
		   GFP_ATOMIC | __GFP_NOWARN);
	xa_unlock_irqrestore(&mark->sectors, flags);
	return version;
}

/* ---- badsector ---- */

bool umf_mark_any_bad(struct umf_blk_mark *mark, u64 first, u64 last)
{
	void *entry;

	for (; first <= last; first++) {
		entry = xa_load(&mark->sectors, first);
		if (!mark->rewrites || !entry ||
		    xa_to_value(entry) < mark->rewrites)
			return true;
	}
	return false;
}

static void heal(struct umf_blk_mark *mark, u64 first, u64 last)
{
	unsigned long flags, count;
	void *entry;

	xa_lock_irqsave(&mark->sectors, flags);
	for (; first <= last; first++) {
		entry = xa_load(&mark->sectors, first);
		count = entry ? xa_to_value(entry) : 0;
		if (count < mark->rewrites)
			__xa_store(&mark->sectors, first,
				   xa_mk_value(count + 1), GFP_ATOMIC);
	}
	xa_unlock_irqrestore(&mark->sectors, flags);
}

void umf_marks_heal(struct umf_blk *blk, const struct umf_io *io)
{
	struct umf_blk_mark *mark;
	unsigned long flags;
	u64 first, last;

	spin_lock_irqsave(&blk->fault.marks_lock, flags);
	list_for_each_entry(mark, &blk->fault.marks, list)
		if (mark->rule->spec.action == UMF_A_BLK_BADSECTOR &&
		    umf_mark_overlap(mark, io->sector, io->nr, &first, &last))
			heal(mark, first, last);
	spin_unlock_irqrestore(&blk->fault.marks_lock, flags);
}

/* ---- stale ---- */

/* A stale rule that covers some of these sectors and comes after @prev. */
static struct umf_blk_mark *next_stale(struct umf_blk *blk,
				       const struct umf_io *io,
				       struct umf_blk_mark *prev)
{
	struct umf_blk_mark *mark, *found = NULL;
	bool behind = !prev;
	u64 first, last;

	spin_lock_irq(&blk->fault.marks_lock);
	list_for_each_entry(mark, &blk->fault.marks, list) {
		if (behind && mark->rule->spec.action == UMF_A_BLK_STALE &&
		    umf_mark_overlap(mark, io->sector, io->nr, &first, &last)) {
			refcount_inc(&mark->refs);
			found = mark;
			break;
		}
		if (mark == prev)
			behind = true;
	}
	spin_unlock_irq(&blk->fault.marks_lock);
	if (prev)
		umf_mark_put(prev);
	return found;
}

/* Keeps what a sector holds, in place of what is kept of it. */
static void keep_sector(struct umf_blk *blk, struct umf_blk_mark *mark,
			u64 sector)
{
	void *data = xa_load(&mark->sectors, sector);

	if (data) {
		umf_power_read_sector(blk, sector, data);
		return;
	}
	if (mark->nr == STALE_MAX)
		return;
	data = kmalloc(UMF_SECTOR, GFP_NOIO);
	if (!data)
		return;
	if (umf_power_read_sector(blk, sector, data) ||
	    xa_is_err(xa_store_irq(&mark->sectors, sector, data, GFP_NOIO)))
		kfree(data);
	else
		mark->nr++;
}

void umf_marks_keep(struct umf_blk *blk, const struct umf_io *io)
{
	struct umf_blk_mark *mark = NULL;
	u64 first, last;

	while ((mark = next_stale(blk, io, mark)))
		if (umf_mark_overlap(mark, io->sector, io->nr, &first, &last))
			for (; first <= last; first++)
				keep_sector(blk, mark, first);
}

void umf_mark_show(struct umf_blk_mark *mark, const struct umf_io *io)
{
	u64 first, last;
	void *data;

	if (!umf_mark_overlap(mark, io->sector, io->nr, &first, &last))
		return;
	for (; first <= last; first++) {
		data = xa_load(&mark->sectors, first);
		if (data)
			umf_vec_copy(io->vec, (first - io->sector) * UMF_SECTOR,
				     data, UMF_SECTOR, true);
	}
}
