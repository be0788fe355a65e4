/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk's volatile write cache: sectors that were acknowledged and not yet
 * flushed, in the order they were written, and what a power cut leaves of them.
 * It knows no request and no file. No locks: its disk's worker alone uses it.
 */
#ifndef __UMF_BLK_CACHE_H
#define __UMF_BLK_CACHE_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include "blk/cow.h"
#include "fault/fault.h"

/* One sector as one write left it; a later write of it is another. */
struct umf_cached {
	struct list_head list;
	u64 sector;
	u32 kept;		/* after a cut: bytes from its first that are new */
	u8 data[UMF_SECTOR];
};

struct umf_cache {
	struct list_head order;	/* the oldest first */
	struct xarray newest;	/* by sector */
	u64 nr, max;		/* sectors */
	unsigned int unit;	/* sectors that a cut keeps or loses together */
};

/* How a power cut treats what was not flushed. */
struct umf_cut {
	struct umf_rng rng;
	u64 keep;		/* how much survives, parts per billion */
	u64 torn;		/* chance that a unit survives in part */
	bool reorder;		/* each for itself; else the first ones do */
	enum umf_inflight inflight;	/* what is under way */
};

void umf_cache_init(struct umf_cache *cache, u64 max, unsigned int unit);
void umf_cache_clear(struct umf_cache *cache);
/* 0, or -ENOMEM with nothing changed. May sleep. */
int umf_cache_add(struct umf_cache *cache, u64 sector, const void *data);
/* What a read of the sector must see; NULL: it is not here. */
const void *umf_cache_find(struct umf_cache *cache, u64 sector);
struct umf_cached *umf_cache_oldest(struct umf_cache *cache);
void umf_cache_drop(struct umf_cache *cache, struct umf_cached *entry);
/* All versions of these sectors. */
void umf_cache_drop_range(struct umf_cache *cache, u64 sector, u64 nr);
/*
 * Decides what survives, as @cut says, into umf_cached.kept. Returns how many
 * sectors are left new or in part.
 */
u64 umf_cache_cut(struct umf_cache *cache, const struct umf_cut *cut);

/* A write that was under way at a cut, unit by unit. */
struct umf_cut_write {
	const struct umf_cut *cut;
	struct umf_rng rng;
	unsigned int unit;	/* sectors */
	u64 at, end;		/* sectors */
	s64 left;		/* with reorder off: units that are new; 0: the one behind them */
};

/* Its draws hang on its place and the cut's seed, and on no other write. */
void umf_cut_write_begin(struct umf_cut_write *write, const struct umf_cut *cut,
			 u64 sector, u64 nr, unsigned int unit);
/* The next unit of it, and how many of its bytes, from the first, are new; false: no more. */
bool umf_cut_write_next(struct umf_cut_write *write, u64 *sector, u32 *nr, u32 *kept);

#endif /* __UMF_BLK_CACHE_H */
