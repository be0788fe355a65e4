// SPDX-License-Identifier: GPL-2.0
/*
 * Partitions (net/ring.h): they live in the slot of the port whose rule they
 * are, and everybody obeys the sum of them in the header. It is made anew
 * whenever a part of it changes or a slot changes hands, and by each port's watch
 * that finds it wrong: whoever dies at whatever point, or writes where it should
 * not, has no partition that lasts.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>
#include "net/segment/priv.h"

/* Do another port's partitions count? */
static bool cut_counts(const struct umf_segment *seg, unsigned int i)
{
	const struct umf_seg_port *port = &seg->port[i];

	return i != seg->me && READ_ONCE(port->state) != UMF_PORT_FREE &&
	       READ_ONCE(port->cut_gen) == READ_ONCE(port->gen);
}

/* What the partitions of all ports come to. */
static void cut_sum(const struct umf_segment *seg, u64 sum[UMF_SEG_PORTS])
{
	unsigned int i, j;

	memcpy(sum, seg->cut, sizeof(seg->cut));
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		if (!cut_counts(seg, i))
			continue;
		for (j = 0; j < UMF_SEG_PORTS; j++)
			sum[j] |= READ_ONCE(seg->port[i].cut[j]);
	}
}

static bool cut_is(const struct umf_segment *seg, const u64 sum[UMF_SEG_PORTS])
{
	unsigned int i;

	for (i = 0; i < UMF_SEG_PORTS; i++)
		if (umf_seg_cut(seg->header, i) != sum[i])
			return false;
	return true;
}

bool umf_seg_cut_right(const struct umf_segment *seg)
{
	u64 sum[UMF_SEG_PORTS];
	unsigned int i;

	if (READ_ONCE(seg->abandoned))
		return true;
	for (i = 0; i < UMF_SEG_PORTS; i++)
		if (READ_ONCE(seg->my->cut[i]) != seg->cut[i])
			return false;
	cut_sum(seg, sum);
	return READ_ONCE(seg->my->cut_gen) == seg->gen && cut_is(seg, sum);
}

void umf_seg_cut_publish(struct umf_segment *seg)
{
	struct umf_seg_header *hd = seg->header;
	struct umf_seg_port *my = &seg->port[seg->me];
	u32 turn = READ_ONCE(hd->cut_turn);
	u64 sum[UMF_SEG_PORTS], any = 0;
	unsigned int i;

	for (i = 0; i < UMF_SEG_PORTS; i++)
		WRITE_ONCE(my->cut[i], seg->cut[i]);
	WRITE_ONCE(my->cut_gen, seg->gen);
	cut_sum(seg, sum);
	if (cut_is(seg, sum))
		return;
	turn ^= UMF_CUT_TABLE;
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		WRITE_ONCE(hd->cut[turn & UMF_CUT_TABLE][i], sum[i]);
		any |= sum[i];
	}
	turn = (turn & ~UMF_CUT_ANY) + UMF_CUT_STEP;
	/* pairs with umf_seg_cut() */
	virt_store_release(&hd->cut_turn, any ? turn | UMF_CUT_ANY : turn);
}

int umf_segment_trylock(struct umf_segment *seg)
{
	return umf_seg_trylock(seg);
}

void umf_segment_unlock(struct umf_segment *seg)
{
	umf_seg_unlock(seg);
}

void umf_segment_cut(struct umf_segment *seg, const u64 cut[UMF_SEG_PORTS])
{
	if (READ_ONCE(seg->abandoned))
		return;
	memcpy(seg->cut, cut, sizeof(seg->cut));
	umf_seg_cut_publish(seg);
}

bool umf_segment_rx_cut(const struct umf_segment *seg, unsigned int port)
{
	return umf_seg_cut(seg->header, port) & BIT_ULL(seg->me);
}

int umf_segment_cut_by(const struct umf_segment *seg, unsigned int from,
		       unsigned int to)
{
	unsigned int i;

	if (READ_ONCE(seg->cut[from]) & BIT_ULL(to))
		return seg->me;
	for (i = 0; i < UMF_SEG_PORTS; i++)
		if (cut_counts(seg, i) &&
		    (READ_ONCE(seg->port[i].cut[from]) & BIT_ULL(to)))
			return i;
	return -1;
}
