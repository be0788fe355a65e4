// SPDX-License-Identifier: GPL-2.0
/*
 * Data that goes wrong: bits or bytes in places that are drawn, or given bytes
 * in one. The places are spread over the data, so that none is hit twice.
 */
#include <linux/bug.h>
#include <linux/minmax.h>
#include "blk/blk.h"

static u8 *byte_at(const struct umf_blk_data *data, u32 at)
{
	static u8 nowhere;
	unsigned int i;

	for (i = 0; i < data->nvec; i++) {
		if (at < data->vec[i].len)
			return (u8 *)data->vec[i].base + at;
		at -= data->vec[i].len;
	}
	WARN_ONCE(1, "umf: a byte behind the end was to be wrong\n");
	return &nowhere;
}

/* @n places, one in each @n-th part of @total: never the same twice. */
static u32 place(struct umf_rng *rng, u32 i, u32 n, u32 total)
{
	u64 lo = (u64)total * i / n, hi = (u64)total * (i + 1) / n;

	return lo + umf_rng_below(rng, hi - lo);
}

static void flip_range(const struct umf_blk_data *data,
		       const struct umf_blk_flip *flip, struct umf_rng *rng,
		       u32 first, u32 len)
{
	u32 i, n, at;

	if (flip->bits) {
		n = min(flip->bits, len * 8);
		for (i = 0; i < n; i++) {
			at = place(rng, i, n, len * 8);
			*byte_at(data, first + at / 8) ^= 1 << at % 8;
		}
	} else if (flip->bytes) {
		n = min(flip->bytes, len);
		for (i = 0; i < n; i++) {
			at = place(rng, i, n, len);
			*byte_at(data, first + at) ^= 1 + umf_rng_below(rng, 255);
		}
	} else {
		n = min_t(u32, flip->data_len, len);
		at = umf_rng_below(rng, len - n + 1);
		for (i = 0; i < n; i++)
			*byte_at(data, first + at + i) = flip->data[i];
	}
}

void umf_flip_apply(const struct umf_blk_data *data,
		    const struct umf_blk_flip *flip)
{
	struct umf_rng rng = flip->rng;
	u32 at;

	if (!flip->sticky) {
		flip_range(data, flip, &rng, flip->first, flip->len);
		return;
	}
	for (at = flip->first; at < flip->first + flip->len; at += UMF_SECTOR) {
		rng.state = umf_mix64(flip->rng.state ^
				      umf_mix64(flip->sector + at / UMF_SECTOR));
		flip_range(data, flip, &rng, at, UMF_SECTOR);
	}
}
