// SPDX-License-Identifier: GPL-2.0
/*
 * Host calls that a kernel thread waits for, and the guest does not: they are made by
 * the disk's threads, and the kernel thread sleeps meanwhile as any other. In virtual
 * time there is no meanwhile: it makes them itself.
 */
#include <linux/completion.h>
#include "blk/blk.h"
#include "time/clock.h"

struct waited {
	struct umf_io io;
	struct completion done;
};

static void waited_done(struct umf_io *io)
{
	complete(&container_of(io, struct waited, io)->done);
}

static int wait_for_it(struct umf_blk *blk, const struct umf_io *io, bool try_now)
{
	struct waited waited = { .io = *io };
	unsigned long flags;
	int err = -EAGAIN;

	if (umf_clock_virtual())
		return umf_blk_clock_exec(blk, &waited.io);
	waited.io.done = waited_done;
	init_completion(&waited.done);
	/* the pool's lock is no kernel lock: nobody may interrupt its holder */
	local_irq_save(flags);
	if (try_now)
		err = umf_io_exec_now(blk->image, &waited.io);
	if (err == -EAGAIN)
		umf_io_pool_submit(blk->pool, &waited.io, true);
	local_irq_restore(flags);
	if (err != -EAGAIN)
		return err;
	wait_for_completion(&waited.done);
	return waited.io.result;
}

int umf_blk_exec(struct umf_blk *blk, const struct umf_io *io)
{
	return wait_for_it(blk, io, true);
}

int umf_blk_call(struct umf_blk *blk, int (*call)(void *arg), void *arg)
{
	const struct umf_io io = { .op = UMF_IO_CALL, .call = call, .arg = arg };

	return wait_for_it(blk, &io, false);
}
