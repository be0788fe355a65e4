// SPDX-License-Identifier: GPL-2.0
/*
 * A segment in virtual time (time/clock.h): no bells and nobody who sleeps.
 *
 * A frame carries when it arrives. Its sender lowers `due` in the receiver's slot
 * to that and asks the calendar to run it then. The receiver leaves a frame where
 * it is until it is due, and its ring, which is read in order, with it. What
 * else there is to see for another, as a port that came, is due after the latency.
 *
 * What a guest sends passes a line of UMF_SEG_RATE and then takes the latency,
 * which is never less than what the calendar lets guests run ahead of each other.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <asm/sync_bitops.h>
#include <os.h>
#include "net/segment/priv.h"

#define UMF_SEG_RATE	10	/* Gbit/s, which are bits a ns */

bool umf_segment_set_latency(struct umf_segment *seg, u64 latency)
{
	if (latency < umf_clock_lookahead())
		return false;
	seg->latency = latency;
	return true;
}

static u64 latency_of(const struct umf_segment *seg)
{
	return max_t(u64, seg->latency, umf_clock_lookahead());
}

void umf_segment_line(struct umf_segment *seg, u32 len)
{
	if (!umf_clock_virtual())
		return;
	seg->sent = max_t(u64, seg->sent, umf_clock_now()) +
		    div_u64(8ULL * len, UMF_SEG_RATE);
}

void umf_seg_clock_wake(struct umf_segment *seg, unsigned int port, u64 due)
{
	struct umf_seg_port *to = &seg->port[port];

	sync_set_bit(seg->me, (unsigned long *)to->pending);
	if (!READ_ONCE(to->due) || due < READ_ONCE(to->due))
		WRITE_ONCE(to->due, due);
	umf_clock_wake(READ_ONCE(to->clock), due);
}

void umf_seg_clock_notify(struct umf_segment *seg, unsigned int port)
{
	struct umf_seg_port *to = &seg->port[port];
	u64 due = umf_clock_now() + latency_of(seg);

	if (!READ_ONCE(to->due) || due < READ_ONCE(to->due))
		WRITE_ONCE(to->due, due);
	umf_clock_wake(READ_ONCE(to->clock), due);
}

u64 umf_seg_clock_stamp(struct umf_segment *seg, unsigned int port)
{
	struct umf_ring_tx *ring = &seg->tx[port].ring;
	struct umf_ring_rec *rec = (struct umf_ring_rec *)
		(ring->sh->data + (ring->head & (ring->size - 1)));
	u64 due = max_t(u64, seg->sent, umf_clock_now()) + latency_of(seg);

	rec->due = due;
	return due;
}

/* What another guest says that is: never so far away that it stands for ever. */
#define LATER_MOST	(10ULL * 1000000000)

bool umf_seg_clock_later(struct umf_segment *seg, unsigned int port, u64 due)
{
	u64 now = umf_clock_now();

	if (due <= now || due > now + LATER_MOST)
		return false;
	if (!seg->later || due < seg->later_due)
		seg->later_due = due;
	seg->later |= BIT_ULL(port);
	seg->active &= ~BIT_ULL(port);
	return true;
}

void umf_seg_clock_poll(struct umf_segment *seg)
{
	seg->active |= seg->later;
	seg->later = 0;
}

u64 umf_segment_rx_later(const struct umf_segment *seg)
{
	return seg->later ? seg->later_due : 0;
}

u64 umf_segment_due(struct umf_segment *seg)
{
	u64 due = READ_ONCE(seg->my->due);

	WRITE_ONCE(seg->my->due, 0);
	return due;
}
