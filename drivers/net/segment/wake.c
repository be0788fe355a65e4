// SPDX-License-Identifier: GPL-2.0
/*
 * Waking: how a receiver sleeps, and how those who have something for it get it
 * to look. A bell is a FIFO; any byte in it says look.
 *
 * A sleep has a number (umf_seg_port.sleep):
 *
 *	receiver			sender
 *	takes pending			frame, then pending
 *	nothing left: sleep = n		sleep is 0: it looks by itself
 *	pending or changed by now?	sleep is n, and rung is not n:
 *	  yes: looks again		  rung = n, and rings
 *	woken: sleep = 0
 *
 * Between the stores of one column and the loads behind them is a full barrier,
 * so at least one of the two sees the other. The receiver alone writes sleep and
 * rung is the sender's own memory: who is killed or stopped at any point of its
 * column has at most not woken the receiver itself. What it left there waits for
 * the next bell, that of another sender or of who reaps it, or for the receiver's
 * watch (umf_segment_rx_pending()).
 *
 * In virtual time nobody rings: clock.c.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <asm/sync_bitops.h>
#include <os.h>
#include "host/host.h"
#include "net/segment/priv.h"

void umf_seg_notify_all(struct umf_segment *seg)
{
	char name[UMF_SEG_NAME];
	unsigned int i;
	int fd;

	for (i = 0; i < UMF_SEG_PORTS; i++) {
		if (i == seg->me ||
		    READ_ONCE(seg->port[i].state) == UMF_PORT_FREE)
			continue;
		WRITE_ONCE(seg->port[i].changed_tx, 1);
		WRITE_ONCE(seg->port[i].changed_rx, 1);
		virt_mb();	/* before it wakes up and looks */
		if (umf_clock_virtual()) {
			umf_seg_clock_notify(seg, i);
			continue;
		}
		umf_seg_bell_name(name, i);
		fd = umf_host_bell_open(seg->dir, name);
		if (fd < 0)
			continue;
		umf_host_bell_ring(fd);
		os_close_file(fd);
	}
}

/*
 * Does the receiver sleep, with nothing left that it was told of? It takes the
 * bits after it has cleared sleep, so they are read here in reverse: who
 * sleeps now has emptied the rings whose bits it took.
 */
bool umf_seg_receiver_idle(const struct umf_segment *seg, unsigned int port)
{
	const struct umf_seg_port *to = &seg->port[port];

	if (READ_ONCE(to->pending[seg->me / 32]) & BIT(seg->me % 32))
		return false;
	virt_rmb();	/* see umf_segment_rx_poll() */
	return READ_ONCE(to->sleep);
}

static int ring_bell(struct umf_segment *seg, unsigned int port, u32 sleep)
{
	struct umf_seg_tx *tx = &seg->tx[port];
	char name[UMF_SEG_NAME];
	int err;

	if (tx->bell < 0) {
		umf_seg_bell_name(name, port);
		tx->bell = umf_host_bell_open(seg->dir, name);
	}
	err = tx->bell < 0 ? tx->bell : umf_host_bell_ring(tx->bell);
	if (err == -EPIPE || err == -ENXIO || err == -ENOENT) {
		/* Its process is gone: the lock will say so in a moment. */
		tx->dead = tx->gen;
		WRITE_ONCE(seg->my->changed_tx, 1);
		return -EPIPE;
	}
	if (!err)
		tx->rung = sleep;
	return 0;
}

int umf_seg_wake(struct umf_segment *seg, unsigned int port)
{
	struct umf_seg_port *to = &seg->port[port];
	struct umf_seg_tx *tx = &seg->tx[port];
	u32 sleep;

	/*
	 * A full barrier even on UP, the receiver is another process: the frame
	 * is there before the bit, the bit before sleep is read. The other half
	 * is in umf_segment_rx_sleep().
	 */
	sync_set_bit(seg->me, (unsigned long *)to->pending);
	sleep = READ_ONCE(to->sleep);
	if (!sleep || sleep == tx->rung)
		return 0;
	return ring_bell(seg, port, sleep);
}

bool umf_segment_rx_pending(const struct umf_segment *seg)
{
	const struct umf_seg_port *my = seg->my;

	return READ_ONCE(my->pending[0]) || READ_ONCE(my->pending[1]) ||
	       READ_ONCE(my->changed_rx);
}

bool umf_segment_rx_sleep(struct umf_segment *seg)
{
	if (seg->active)
		return false;
	/* It looks by itself: the rings it was told of are not empty. */
	if (seg->later)
		return !umf_segment_rx_pending(seg);
	seg->sleeps = seg->sleeps + 1 ?: 1;
	WRITE_ONCE(seg->my->sleep, seg->sleeps);
	virt_mb();	/* see umf_seg_wake() */
	return !umf_segment_rx_pending(seg);
}
