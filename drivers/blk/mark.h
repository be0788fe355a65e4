/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a rule on a disk keeps of its own: how often bad sectors were
 * rewritten, what stale ones held before, when a rate has room again. Counted:
 * a request may still need it when the rule is gone.
 */
#ifndef __UMF_BLK_MARK_H
#define __UMF_BLK_MARK_H

#include <linux/refcount.h>
#include <linux/xarray.h>
#include "blk/blk.h"

struct umf_blk_mark {
	refcount_t refs;
	struct list_head list;	/* on fault.marks, */
	struct list_head blocks;	/* on fault.by_block: each block asks its rule */
	struct umf_rule *rule;
	bool by_block;
	u64 first, last;	/* sectors */
	u64 rewrites;
	struct xarray sectors;	/* bad, place=: a count; stale: the old content */
	u64 nr;			/* stale: of them; the disk's worker only */
	bool cut;		/* powercut: it has cut since it is in force */
	spinlock_t lock;	/* free_at */
	u64 free_at;		/* rate: ns, when the next one can begin */
	u8 data[UMF_BLK_DATA];
	u8 data_len;
};

struct umf_blk_mark *umf_mark_new(struct umf_rule *rule);
void umf_mark_put(struct umf_blk_mark *mark);
/* Puts it on the lists of its disk; and takes it out. */
void umf_mark_list(struct umf_blk *blk, struct umf_blk_mark *mark);
void umf_mark_unlist(struct umf_blk *blk, struct umf_blk_mark *mark);

/* Cuts @nr sectors from @sector on to those of the rule; false: there are none. */
bool umf_mark_overlap(const struct umf_blk_mark *mark, u64 sector, u64 nr,
		      u64 *first, u64 *last);
/* The first sector from @sector on that a rule is asked of by blocks; U64_MAX: none. */
u64 umf_marks_next(struct umf_blk *blk, u64 sector);
/* How often it was called for that sector. */
u64 umf_mark_version(struct umf_blk_mark *mark, u64 sector);
/* badsector: is one of them still bad? */
bool umf_mark_any_bad(struct umf_blk_mark *mark, u64 first, u64 last);

static inline bool umf_marks_any(struct umf_blk *blk)
{
	return !list_empty_careful(&blk->fault.marks);
}

/* Sectors were written: bad ones among them have one write less to go. */
void umf_marks_heal(struct umf_blk *blk, const struct umf_io *io);
/* Sectors are about to be written: stale rules keep what they hold. Sleeps. */
void umf_marks_keep(struct umf_blk *blk, const struct umf_io *io);
/* Puts what is kept in the place of what was read. */
void umf_mark_show(struct umf_blk_mark *mark, const struct umf_io *io);

#endif /* __UMF_BLK_MARK_H */
