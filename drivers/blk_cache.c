// SPDX-License-Identifier: GPL-2.0
/*
 * A disk's volatile write cache; see blk_cache.h.
 *
 * A cut goes through the sectors in the order they were written. In order, the
 * first keep= of them survive, and the one after them perhaps in part. With
 * reorder each survives by its own draw; later versions of a sector win over
 * earlier ones, as the disk would have written them.
 */
#include <linux/math64.h>
#include <linux/slab.h>
#include "blk_cache.h"

void umf_cache_init(struct umf_cache *cache, u64 max)
{
	INIT_LIST_HEAD(&cache->order);
	xa_init(&cache->newest);
	cache->nr = 0;
	cache->max = max;
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

int umf_cache_add(struct umf_cache *cache, u64 sector, const void *data)
{
	struct umf_cached *entry = kmalloc(sizeof(*entry), GFP_NOIO);

	if (!entry)
		return -ENOMEM;
	entry->sector = sector;
	entry->kept = 0;
	memcpy(entry->data, data, UMF_SECTOR);
	if (xa_is_err(xa_store(&cache->newest, sector, entry, GFP_NOIO))) {
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

/* A sector that was being written: some of it is new, not all. */
static u32 torn_at(struct umf_rng *rng)
{
	return 1 + umf_rng_below(rng, UMF_SECTOR - 1);
}

u64 umf_cache_cut(struct umf_cache *cache, const struct umf_cut *cut)
{
	u64 first = mul_u64_u64_div_u64(cache->nr, cut->keep, UMF_PPB);
	struct umf_rng rng = cut->rng;
	struct umf_cached *entry;
	u64 n = 0, left = 0;
	bool keep, torn;

	list_for_each_entry(entry, &cache->order, list) {
		/* each sector takes the same draws, whatever they decide */
		keep = chance(&rng, cut->keep);
		torn = chance(&rng, cut->torn);
		entry->kept = torn_at(&rng);
		if (!cut->reorder) {
			keep = n < first;
			torn = torn && n == first;
		}
		n++;
		if (keep)
			entry->kept = UMF_SECTOR;
		else if (!torn)
			entry->kept = 0;
		left += entry->kept > 0;
	}
	return left;
}
