// SPDX-License-Identifier: GPL-2.0
/*
 * A disk's volatile write cache; see blk/cache.h.
 *
 * A cut goes through the sectors in the order they were written, a unit of the disk
 * at a time: those of it that were written one after the other. In order, the
 * first keep= of them survive, and the unit after them perhaps in part. With
 * reorder each survives by its own draw; later versions of a sector win over
 * earlier ones, as the disk would have written them.
 *
 * A write that was under way leaves none of its units, all, or (torn) so many from the
 * first as are drawn, or with reorder each by its own toss. torn= splits a unit here,
 * too: the one behind the last that is new, with reorder any that is not.
 */
#include <linux/math64.h>
#include <linux/slab.h>
#include "blk/cache.h"

void umf_cache_init(struct umf_cache *cache, u64 max, unsigned int unit)
{
	INIT_LIST_HEAD(&cache->order);
	xa_init(&cache->newest);
	cache->nr = 0;
	cache->max = max;
	cache->unit = unit;
}

void umf_cache_clear(struct umf_cache *cache)
{
	struct umf_cached *entry, *next;

	list_for_each_entry_safe(entry, next, &cache->order, list)
		kfree(entry);
	INIT_LIST_HEAD(&cache->order);
	xa_destroy(&cache->newest);
	cache->nr = 0;
}

/* Or there is none, and the cache is full: nobody is killed for it. */
#define CACHE_GFP	(GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN)

int umf_cache_add(struct umf_cache *cache, u64 sector, const void *data)
{
	struct umf_cached *entry = kmalloc(sizeof(*entry), CACHE_GFP);

	if (!entry)
		return -ENOMEM;
	entry->sector = sector;
	entry->kept = 0;
	memcpy(entry->data, data, UMF_SECTOR);
	if (xa_is_err(xa_store(&cache->newest, sector, entry, CACHE_GFP))) {
		kfree(entry);
		return -ENOMEM;
	}
	list_add_tail(&entry->list, &cache->order);
	cache->nr++;
	return 0;
}

const void *umf_cache_find(struct umf_cache *cache, u64 sector)
{
	struct umf_cached *entry = xa_load(&cache->newest, sector);

	return entry ? entry->data : NULL;
}

struct umf_cached *umf_cache_oldest(struct umf_cache *cache)
{
	return list_first_entry_or_null(&cache->order, struct umf_cached, list);
}

void umf_cache_drop(struct umf_cache *cache, struct umf_cached *entry)
{
	/* an older version stays in the order, but nobody looks for it */
	if (xa_load(&cache->newest, entry->sector) == entry)
		xa_erase(&cache->newest, entry->sector);
	list_del(&entry->list);
	kfree(entry);
	cache->nr--;
}

void umf_cache_drop_range(struct umf_cache *cache, u64 sector, u64 nr)
{
	struct umf_cached *entry, *next;

	list_for_each_entry_safe(entry, next, &cache->order, list)
		if (entry->sector >= sector && entry->sector - sector < nr)
			umf_cache_drop(cache, entry);
}

static bool chance(struct umf_rng *rng, u64 ppb)
{
	return umf_rng_below(rng, UMF_PPB) < ppb;
}

/* How many sectors of one unit begin with @first. */
static unsigned int unit_at(const struct umf_cache *cache,
			    struct umf_cached *first)
{
	struct umf_cached *entry = first;
	unsigned int n = 0;
	u64 end = round_up(first->sector + 1, cache->unit);

	list_for_each_entry_from(entry, &cache->order, list) {
		if (entry->sector != first->sector + n || entry->sector == end)
			break;
		n++;
	}
	return n;
}

/* The first @bytes of it are new. Returns how many sectors that are. */
static unsigned int keep_unit(struct umf_cached **first, unsigned int n,
			      u32 bytes)
{
	struct umf_cached *entry = *first;
	unsigned int left = DIV_ROUND_UP(bytes, UMF_SECTOR);

	for (; n; n--, entry = list_next_entry(entry, list)) {
		entry->kept = min_t(u32, bytes, UMF_SECTOR);
		bytes -= entry->kept;
	}
	*first = entry;
	return left;
}

u64 umf_cache_cut(struct umf_cache *cache, const struct umf_cut *cut)
{
	u64 first = mul_u64_u64_div_u64(cache->nr, cut->keep, UMF_PPB);
	struct umf_cached *entry = umf_cache_oldest(cache);
	struct umf_rng rng = cut->rng;
	unsigned int unit;
	u64 n, left = 0;
	bool keep, torn;
	u32 some;

	for (n = 0; n < cache->nr; n += unit) {
		unit = unit_at(cache, entry);
		/* each takes the same draws, whatever they decide */
		keep = chance(&rng, cut->keep);
		torn = chance(&rng, cut->torn);
		/* it was being written: some of it is new, not all */
		some = 1 + umf_rng_below(&rng, unit * UMF_SECTOR - 1);
		if (!cut->reorder) {
			keep = n + unit <= first;
			torn = torn && !keep && n <= first;
		}
		left += keep_unit(&entry, unit, keep ? unit * UMF_SECTOR :
						torn ? some : 0);
	}
	return left;
}

/* ---- what was under way ---- */

static u64 unit_end(const struct umf_cut_write *write, u64 sector)
{
	return min(round_up(sector + 1, write->unit), write->end);
}

void umf_cut_write_begin(struct umf_cut_write *write, const struct umf_cut *cut,
			 u64 sector, u64 nr, unsigned int unit)
{
	u64 first = round_down(sector, unit), units;

	*write = (struct umf_cut_write) {
		.cut = cut, .unit = unit, .at = sector, .end = sector + nr,
		.rng.state = umf_mix64(cut->rng.state ^ umf_mix64(sector + 1)),
	};
	units = div64_u64(round_up(write->end, unit) - first, unit);
	write->left = umf_rng_below(&write->rng, units + 1);
}

bool umf_cut_write_next(struct umf_cut_write *write, u64 *sector, u32 *nr, u32 *kept)
{
	const struct umf_cut *cut = write->cut;
	u32 bytes, some;
	bool keep, torn;

	if (write->at == write->end)
		return false;
	*sector = write->at;
	write->at = unit_end(write, write->at);
	*nr = write->at - *sector;
	bytes = *nr * UMF_SECTOR;
	/* the same draws for each */
	keep = chance(&write->rng, UMF_PPB / 2);
	torn = chance(&write->rng, cut->torn);
	some = 1 + umf_rng_below(&write->rng, bytes - 1);
	if (!cut->reorder) {
		keep = write->left > 0;
		torn = torn && !write->left;
		write->left--;
	}
	*kept = cut->inflight == UMF_INFLIGHT_OLD ? 0 :
		cut->inflight == UMF_INFLIGHT_NEW || keep ? bytes :
		torn ? some : 0;
	return true;
}
