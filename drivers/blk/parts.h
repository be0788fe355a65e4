/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of a request that are not done as the rest is: those that fail, and
 * those that are only said to be done. Pure: it knows no request and no rule. No
 * locks: a request's own.
 */
#ifndef __UMF_BLK_PARTS_H
#define __UMF_BLK_PARTS_H

#include <linux/blk_types.h>
#include <linux/types.h>

struct umf_part {
	u32 first, nr;		/* sectors of the request */
	blk_status_t status;	/* BLK_STS_OK: it succeeds and is not done */
};

/* Begins as zeros. */
struct umf_parts {
	struct umf_part *part;	/* ascending, none overlaps another */
	unsigned int n, room;
};

/* A part behind all that are there. False: no memory, nothing has changed. Any context. */
bool umf_parts_add(struct umf_parts *parts, u32 first, u32 nr, blk_status_t status);
/* From *@at on, the next @nr sectors before @end that are to be done; false: there are none. */
bool umf_parts_next(const struct umf_parts *parts, u32 end, u32 *at, u32 *nr);
void umf_parts_free(struct umf_parts *parts);

#endif /* __UMF_BLK_PARTS_H */
