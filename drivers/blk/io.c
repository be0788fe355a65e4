// SPDX-License-Identifier: GPL-2.0
/*
 * The way back from the host: one bell for all disks, one interrupt. The bell
 * is edge-triggered; emptying it comes before taking what is done, so whatever
 * is added later rings it again.
 */
#include <linux/interrupt.h>
#include <irq_kern.h>
#include <irq_user.h>
#include "blk/blk.h"
#include "time/clock.h"

static irqreturn_t io_irq(int irq, void *data)
{
	struct umf_io *io = umf_io_done(), *next;

	for (; io; io = next) {
		next = io->next;
		io->done(io);
	}
	return IRQ_HANDLED;
}

int umf_blk_io_init(void)
{
	static bool done;
	int fd, irq;

	if (done)
		return 0;
	umf_file_ignore_limit();
	if (umf_clock_virtual())
		return 0;
	fd = umf_io_bell();
	if (fd < 0)
		return fd;
	irq = um_request_irq(UM_IRQ_ALLOC, fd, IRQ_READ, io_irq, 0, "umf-blk",
			     &done);
	if (irq < 0)
		return irq;
	done = true;
	return 0;
}
