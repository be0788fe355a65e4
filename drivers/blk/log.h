/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The write log of a disk, in the on-disk format of dm-log-writes (its source:
 * drivers/md/dm-log-writes.c and log-writes.rst in the kernel tree), so that
 * replay-log and other tools for it read ours. Pure: the driver, the host tool
 * and KUnit compile it; the file itself is blk/log_user.c's.
 *
 * All numbers are little-endian. The unit is that of the head, ours is
 * UMF_SECTOR. A head of one unit, then for each entry one unit that says what
 * it is, with a mark's text in it, and as many units of data as it wrote:
 *
 *	head	magic:64 version:64 entries:64 unit:32 (bytes)
 *		[ours: moving:32, 1 while what waits is being moved]
 *	entry	sector:64 sectors:64 flags:64 length of the text:64
 */
#ifndef __UMF_BLK_LOG_H
#define __UMF_BLK_LOG_H

#include "blk/cow.h"

#define UMF_WLOG_FLUSH		1U
#define UMF_WLOG_FUA		2U
#define UMF_WLOG_DISCARD		4U	/* no data follows */
#define UMF_WLOG_MARK		8U
#define UMF_WLOG_METADATA	16U	/* a file system's own */

#define UMF_WLOG_HEAD_LEN	32	/* bytes that count */
#define UMF_WLOG_ENTRY_LEN	32
#define UMF_WLOG_UNIT_MAX	65536U
#define UMF_WLOG_TEXT_MAX	(UMF_SECTOR - UMF_WLOG_ENTRY_LEN - 1)
#define UMF_WLOG_END		"dm-log-writes-end"	/* the last mark */
#define UMF_WLOG_AGAIN		"umf-again"	/* mark: a disk goes on with it */

struct umf_wlog_entry {
	u64 sector, nr;		/* units */
	u64 flags;
	u64 len;		/* bytes of a mark's text */
};

/* Into a unit that is zeros. */
void umf_wlog_put_head(u8 *head, u64 entries, bool moving);
/* 0, or -1 with the reason in *@why. */
int umf_wlog_get_head(const u8 *head, u64 *entries, u32 *unit, const char **why);
bool umf_wlog_moving(const u8 *head);
void umf_wlog_put_entry(u8 *unit, const struct umf_wlog_entry *entry);
void umf_wlog_get_entry(const u8 *unit, struct umf_wlog_entry *entry);

/* Units of data behind the entry's own. */
static inline u64 umf_wlog_data(const struct umf_wlog_entry *entry)
{
	return entry->flags & UMF_WLOG_DISCARD ? 0 : entry->nr;
}

/*
 * What is where in a log that is being written. The log is what a disk would
 * hold if its power went: a write stands in it when a flush says that it has
 * reached the disk. Until then it waits behind the end, in the order in which
 * writes were done; what waits has numbers, from 1 on. A flush takes those into
 * the log that were done when it was asked for, and then itself; FUA and marks
 * go into it at once, before what waits.
 */
struct umf_wlog_order {
	u64 entries;		/* in the log */
	u64 end;		/* unit behind the last one of them */
	u64 first;		/* number of the first that waits */
	u64 next;		/* number that the next one gets */
	u64 tail;		/* unit behind all that waits */
};

/* The entry at a unit: 0 or -errno, which is below -1. */
typedef int (*umf_wlog_read_fn)(void *ctx, u64 at, struct umf_wlog_entry *entry);

void umf_wlog_order_init(struct umf_wlog_order *order);
/*
 * Finds the place of a log in a file of @units that has @entries. What waited
 * when the guest was killed is in the image: it is in the log then, up to an
 * entry that was cut off. 0, or -1: there is nonsense in it; or -errno.
 */
int umf_wlog_resume(struct umf_wlog_order *order, u64 entries, u64 units,
		    umf_wlog_read_fn read, void *ctx);
/* A write waits from now on: in @units, from the unit that is returned on. */
u64 umf_wlog_wait(struct umf_wlog_order *order, u64 units);
/* What waits and has a number below that is in the log now. */
int umf_wlog_settle(struct umf_wlog_order *order, u64 below, umf_wlog_read_fn read,
		    void *ctx);
/*
 * An entry of @units is in the log now, at the unit that is returned: first,
 * what was from there to the tail has to be moved by @units.
 */
u64 umf_wlog_commit(struct umf_wlog_order *order, u64 units);
/*
 * The number behind the last that waits and touches these sectors; 0: none
 * does. What goes into the log at once must not overtake those.
 */
int umf_wlog_behind(const struct umf_wlog_order *order, u64 sector, u64 nr,
		    umf_wlog_read_fn read, void *ctx, u64 *behind);

#endif /* __UMF_BLK_LOG_H */
