// SPDX-License-Identifier: GPL-2.0
/* The parts of a request that are not done as the rest is; see blk/parts.h. */
#include <linux/minmax.h>
#include <linux/slab.h>
#include "blk/parts.h"

#define ROOM	8	/* at first; most have one */

bool umf_parts_add(struct umf_parts *parts, u32 first, u32 nr, blk_status_t status)
{
	struct umf_part *last = parts->n ? &parts->part[parts->n - 1] : NULL;
	unsigned int room = parts->room ? 2 * parts->room : ROOM;
	struct umf_part *part;

	/* each that fails is told of by itself */
	if (last && status == BLK_STS_OK && last->status == status &&
	    last->first + last->nr == first) {
		last->nr += nr;
		return true;
	}
	if (parts->n == parts->room) {
		part = krealloc_array(parts->part, room, sizeof(*part),
				      GFP_ATOMIC | __GFP_NOWARN);
		if (!part)
			return false;
		parts->part = part;
		parts->room = room;
	}
	parts->part[parts->n++] = (struct umf_part) {
		.first = first, .nr = nr, .status = status,
	};
	return true;
}

bool umf_parts_next(const struct umf_parts *parts, u32 end, u32 *at, u32 *nr)
{
	const struct umf_part *part = parts->part, *behind = part + parts->n;

	for (; part < behind && part->first <= *at; part++)
		*at = max(*at, part->first + part->nr);
	if (*at >= end)
		return false;
	*nr = (part < behind ? min(part->first, end) : end) - *at;
	return true;
}

void umf_parts_free(struct umf_parts *parts)
{
	kfree(parts->part);
	*parts = (struct umf_parts) {};
}
