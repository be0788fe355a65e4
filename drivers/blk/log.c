// SPDX-License-Identifier: GPL-2.0
/* The write log of a disk: its format, and what stands where; see blk/log.h. */
#include "blk/log.h"

#define MAGIC	0x6a736677736872ULL
#define VERSION	1

static void put(u8 *to, u64 value, unsigned int bytes)
{
	for (; bytes--; value >>= 8)
		*to++ = value;
}

static u64 get(const u8 *from, unsigned int bytes)
{
	u64 value = 0;

	while (bytes--)
		value = value << 8 | from[bytes];
	return value;
}

void umf_wlog_put_head(u8 *head, u64 entries, bool moving)
{
	put(head, MAGIC, 8);
	put(head + 8, VERSION, 8);
	put(head + 16, entries, 8);
	put(head + 24, UMF_SECTOR, 4);
	put(head + 28, moving, 4);
}

bool umf_wlog_moving(const u8 *head)
{
	return get(head + 28, 4);
}

int umf_wlog_get_head(const u8 *head, u64 *entries, u32 *unit, const char **why)
{
	*entries = get(head + 16, 8);
	*unit = get(head + 24, 4);
	*why = NULL;
	if (get(head, 8) != MAGIC)
		*why = "is no write log";
	else if (get(head + 8, 8) != VERSION)
		*why = "is a write log of another version";
	else if (*unit < UMF_SECTOR || *unit > UMF_WLOG_UNIT_MAX ||
		 *unit & (*unit - 1))
		*why = "is a write log with sectors of no sensible size";
	return *why ? -1 : 0;
}

void umf_wlog_put_entry(u8 *unit, const struct umf_wlog_entry *entry)
{
	put(unit, entry->sector, 8);
	put(unit + 8, entry->nr, 8);
	put(unit + 16, entry->flags, 8);
	put(unit + 24, entry->len, 8);
}

void umf_wlog_get_entry(const u8 *unit, struct umf_wlog_entry *entry)
{
	entry->sector = get(unit, 8);
	entry->nr = get(unit + 8, 8);
	entry->flags = get(unit + 16, 8);
	entry->len = get(unit + 24, 8);
}

/* ---- what stands where ---- */

void umf_wlog_order_init(struct umf_wlog_order *order)
{
	order->entries = 0;
	order->end = 1;
	order->first = 1;
	order->next = 1;
	order->tail = 1;
}

static bool sane(const struct umf_wlog_entry *entry)
{
	const u64 all = UMF_WLOG_FLUSH | UMF_WLOG_FUA | UMF_WLOG_DISCARD |
			UMF_WLOG_MARK | UMF_WLOG_METADATA;

	/* the last, so that a unit of zeros is none */
	return !(entry->flags & ~all) && entry->nr <= UMF_COW_SIZE_MAX &&
	       entry->len <= UMF_WLOG_UNIT_MAX &&
	       (entry->nr || entry->flags & (UMF_WLOG_FLUSH | UMF_WLOG_MARK));
}

int umf_wlog_resume(struct umf_wlog_order *order, u64 entries, u64 units,
		    umf_wlog_read_fn read, void *ctx)
{
	struct umf_wlog_entry entry;
	u64 at = 1;
	int err;

	umf_wlog_order_init(order);
	for (; at < units; at += 1 + umf_wlog_data(&entry)) {
		err = read(ctx, at, &entry);
		if (err)
			return err;
		if (!sane(&entry))
			return -1;
		if (umf_wlog_data(&entry) >= units - at)
			break;
		order->entries++;
	}
	order->end = at;
	order->tail = at;
	return order->entries < entries ? -1 : 0;
}

u64 umf_wlog_wait(struct umf_wlog_order *order, u64 units)
{
	u64 at = order->tail;

	order->tail += units;
	order->next++;
	return at;
}

int umf_wlog_settle(struct umf_wlog_order *order, u64 below, umf_wlog_read_fn read,
		    void *ctx)
{
	struct umf_wlog_entry entry;
	int err;

	/* as a rule all of it */
	if (below >= order->next) {
		order->entries += order->next - order->first;
		order->first = order->next;
		order->end = order->tail;
		return 0;
	}
	while (order->first < below) {
		err = read(ctx, order->end, &entry);
		if (err)
			return err;
		order->end += 1 + umf_wlog_data(&entry);
		order->entries++;
		order->first++;
	}
	return 0;
}

u64 umf_wlog_commit(struct umf_wlog_order *order, u64 units)
{
	u64 at = order->end;

	order->end += units;
	order->tail += units;
	order->entries++;
	return at;
}

int umf_wlog_behind(const struct umf_wlog_order *order, u64 sector, u64 nr,
		    umf_wlog_read_fn read, void *ctx, u64 *behind)
{
	struct umf_wlog_entry entry;
	u64 number, at = order->end;
	int err;

	*behind = 0;
	for (number = order->first; number < order->next; number++) {
		err = read(ctx, at, &entry);
		if (err)
			return err;
		at += 1 + umf_wlog_data(&entry);
		if (entry.sector < sector + nr &&
		    sector < entry.sector + entry.nr)
			*behind = number + 1;
	}
	return 0;
}
