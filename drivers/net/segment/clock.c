// SPDX-License-Identifier: GPL-2.0
/*
 * A segment in virtual time (time/clock.h): no bells and nobody who sleeps.
 *
 * A frame carries when it arrives. Its sender lowers `due` in the receiver's slot
 * to that and asks the calendar to run it then. The receiver leaves a frame where
 * it is until it is due, and its ring, which is read in order, with it. What
 * else there is to see for another, as a port that came, is due after the latency.
 *
 * What a guest sends passes its line (rate=) and then takes the latency, which is
 * never less than what the calendar lets guests run ahead of each other. Who has AHEAD
 * of work for the line waits before he sends more; what does not wait for that, as
 * frames that a rule releases, piles up to PILE and then passes at once.
 */
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <asm/sync_bitops.h>
#include <os.h>
#include "net/segment/priv.h"

#define RATE_DEFAULT	(10 * NSEC_PER_SEC)
#define AHEAD		NSEC_PER_MSEC
#define PILE		(8 * NSEC_PER_SEC)	/* less than LATER_MOST, by a latency */

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

void umf_segment_set_rate(struct umf_segment *seg, u64 rate)
{
	seg->rate = rate;
}

bool umf_segment_line(struct umf_segment *seg, u32 len)
{
	u64 now;

	if (!umf_clock_virtual())
		return false;
	now = umf_clock_now();
	seg->sent = max(seg->sent, now) +
		    mul_u64_u64_div_u64(8ULL * len, NSEC_PER_SEC,
					seg->rate ?: RATE_DEFAULT);
	seg->sent = min(seg->sent, now + PILE);
	return seg->sent > now + AHEAD;
}

u64 umf_segment_line_wait(const struct umf_segment *seg)
{
	u64 then;

	if (!umf_clock_virtual())
		return 0;
	then = umf_clock_now() + AHEAD;
	return seg->sent > then ? seg->sent - then : 0;
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
