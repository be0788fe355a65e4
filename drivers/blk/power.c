// SPDX-License-Identifier: GPL-2.0
/*
 * cache=volatile between a disk's requests and the host, and power cuts.
 *
 * All requests of such a disk are done one after the other in its worker, which
 * alone touches the cache, and sleeps while the host's threads work (blk/wait.c): a
 * write or a zeroing stays there until it is flushed or there is no room; a read sees
 * it; FUA and discard go past it. Unplugging the disk writes it back, and so does an
 * orderly end of the guest, as drivers of disks flush them then; a kill, a panic and a
 * power cut do not.
 *
 * A cut first makes the disk dark, so that what comes later fails; what was
 * before it in the worker is done; then the cut decides what of the cache
 * survives, writes that, and forgets the rest; then it decides what there is of
 * writes that were under way, FUA or not: the one that the cut came with, and
 * those that rules kept waiting. When the guest is to stop, every disk is treated so.
 */
#define pr_fmt(fmt) "umf-blk: " fmt

#include <linux/mutex.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include "blk/cache.h"
#include "blk/blk.h"

#define RUN_MAX	32	/* sectors written back in one go; a unit has fewer */

static DEFINE_MUTEX(disks_lock);
static LIST_HEAD(disks);	/* all, for a cut of the guest */

void umf_vec_copy(const struct umf_io_vec *vec, u64 at, void *buf, u64 len,
		  bool to_vec)
{
	u64 part;

	while (at >= vec->len)
		at -= vec++->len;
	for (; len; len -= part, buf += part, at = 0, vec++) {
		part = min_t(u64, len, vec->len - at);
		if (to_vec)
			memcpy(vec->base + at, buf, part);
		else
			memcpy(buf, vec->base + at, part);
	}
}

static int host_sectors(struct umf_blk *blk, enum umf_io_op op, u64 sector,
			const struct umf_io_vec *vec, unsigned int n)
{
	const struct umf_io io = {
		.op = op, .sector = sector, .nr = n, .nvec = n, .vec = vec,
	};

	return umf_blk_exec(blk, &io);
}

int umf_power_read_sector(struct umf_blk *blk, u64 sector, void *data)
{
	const struct umf_io_vec vec = { data, UMF_SECTOR };
	const void *cached = NULL;

	if (blk->cache)
		cached = umf_cache_find(blk->cache, sector);
	if (!cached)
		return host_sectors(blk, UMF_IO_READ, sector, &vec, 1);
	memcpy(data, cached, UMF_SECTOR);
	return 0;
}

/* ---- the cache's way to the host ---- */

/* Writes the oldest back, in their order, until @left are there. */
static int write_back(struct umf_blk *blk, u64 left)
{
	unsigned int unit = blk->cache->unit, n, i;
	struct umf_io_vec vec[RUN_MAX];
	struct umf_cached *entry;
	u64 first;
	int err;

	/* no unit is there in part because there was no room for the rest */
	while (blk->cache->nr > left) {
		entry = umf_cache_oldest(blk->cache);
		first = entry->sector;
		n = 0;
		list_for_each_entry_from(entry, &blk->cache->order, list) {
			if (entry->sector != first + n ||
			    (n + unit > RUN_MAX && !(entry->sector % unit)))
				break;
			vec[n].base = entry->data;
			vec[n++].len = UMF_SECTOR;
		}
		err = host_sectors(blk, UMF_IO_WRITE, first, vec, n);
		if (err)
			return err;
		for (i = 0; i < n; i++)
			umf_cache_drop(blk->cache,
				       umf_cache_oldest(blk->cache));
	}
	return 0;
}

int umf_power_write_back(struct umf_blk *blk)
{
	return blk->cache ? write_back(blk, 0) : 0;
}

void umf_power_resized(struct umf_blk *blk, u64 sectors)
{
	if (blk->cache)
		umf_cache_drop_range(blk->cache, sectors, U64_MAX);
}

static int cached_read(struct umf_blk *blk, const struct umf_io *io)
{
	int err = umf_blk_exec(blk, io);
	const void *data;
	u64 i;

	for (i = 0; !err && blk->cache->nr && i < io->nr; i++) {
		data = umf_cache_find(blk->cache, io->sector + i);
		if (data)
			umf_vec_copy(io->vec, i * UMF_SECTOR, (void *)data,
				     UMF_SECTOR, true);
	}
	return err;
}

/* Past the cache: once it is done, what the cache had there is older. */
static int pass_by(struct umf_blk *blk, const struct umf_io *io)
{
	int err = umf_blk_exec(blk, io);

	if (!err)
		umf_cache_drop_range(blk->cache, io->sector, io->nr);
	return err;
}

/* Data, or zeros. */
static int cached_write(struct umf_blk *blk, const struct umf_io *io)
{
	u8 data[UMF_SECTOR] = {};
	u64 i;

	if (io->flags & UMF_IO_FUA)
		return pass_by(blk, io);
	for (i = 0; i < io->nr; i++) {
		if (io->op == UMF_IO_WRITE)
			umf_vec_copy(io->vec, i * UMF_SECTOR, data, UMF_SECTOR,
				     false);
		/* no memory is a full cache */
		if (umf_cache_add(blk->cache, io->sector + i, data))
			return write_back(blk, 0) ?:
			       umf_blk_exec(blk, io);
	}
	if (blk->cache->nr > blk->cache->max)
		return write_back(blk, blk->cache->max - blk->cache->max / 4);
	return 0;
}

static int cached_do(struct umf_blk *blk, const struct umf_io *io)
{
	if (blk->dark)
		return -ENODEV;
	switch (io->op) {
	case UMF_IO_READ:
		return cached_read(blk, io);
	case UMF_IO_WRITE:
		return cached_write(blk, io);
	case UMF_IO_DISCARD:
		return pass_by(blk, io);
	case UMF_IO_ZEROES:
		if (io->nr <= blk->cache->max)
			return cached_write(blk, io);
		return write_back(blk, 0) ?: pass_by(blk, io);
	default:
		return write_back(blk, 0) ?: umf_blk_exec(blk, io);
	}
}

void umf_power_work(struct work_struct *work)
{
	struct umf_blk_cmd *cmd = container_of(work, struct umf_blk_cmd,
					       cached);

	umf_blk_end_io(cmd, cached_do(cmd->blk, &cmd->io));
}

/* ---- cuts ---- */

/* What survived of one sector, onto the host's disk. */
static int settle(struct umf_blk *blk, struct umf_cached *entry)
{
	u8 data[UMF_SECTOR];
	const struct umf_io_vec vec = { data, UMF_SECTOR };
	int err;

	if (!entry->kept)
		return 0;
	err = host_sectors(blk, UMF_IO_READ, entry->sector, &vec, 1);
	if (err)
		return err;
	memcpy(data, entry->data, entry->kept);
	return host_sectors(blk, UMF_IO_WRITE, entry->sector, &vec, 1);
}

/* True: nothing was lost. */
static bool cut_cache(struct umf_blk *blk, const struct umf_cut *cut)
{
	const struct umf_io flush = { .op = UMF_IO_FLUSH };
	struct umf_cached *entry;
	u64 nr, left;
	int err = 0;

	if (!blk->cache)
		return true;
	nr = blk->cache->nr;
	left = umf_cache_cut(blk->cache, cut);
	list_for_each_entry(entry, &blk->cache->order, list)
		err = settle(blk, entry) ?: err;
	err = umf_blk_exec(blk, &flush) ?: err;
	umf_cache_clear(blk->cache);
	pr_info("umf%c: power cut, %llu of %llu sectors that were not flushed are left\n",
		'a' + blk->unit, left, nr);
	if (err)
		pr_err("umf%c: the host failed meanwhile (%s)\n",
		       'a' + blk->unit, umf_file_error(err));
	return left == nr;
}

/* The first @kept bytes of these sectors of a write; @room has a unit. */
static int write_unit(struct umf_blk *blk, const struct umf_io *io, u64 sector,
		      u32 nr, u32 kept, void *room)
{
	const struct umf_io_vec vec = { room, nr * UMF_SECTOR };
	int err = 0;

	if (kept < vec.len)
		err = host_sectors(blk, UMF_IO_READ, sector, &vec, nr);
	if (err)
		return err;
	umf_vec_copy(io->vec, (sector - io->sector) * UMF_SECTOR, room, kept,
		     false);
	return host_sectors(blk, UMF_IO_WRITE, sector, &vec, nr);
}

/* What is left of a write that was under way, sectors new or in part; -errno. */
static s64 cut_write(struct umf_blk *blk, const struct umf_io *io,
		     const struct umf_cut *cut)
{
	void *room = kmalloc_array(blk->physical, UMF_SECTOR, GFP_NOIO);
	struct umf_cut_write write;
	u32 nr, kept;
	u64 sector;
	s64 left = 0;
	int err = room ? 0 : -ENOMEM;

	umf_cut_write_begin(&write, cut, io->sector, io->nr, blk->physical);
	while (!err && umf_cut_write_next(&write, &sector, &nr, &kept)) {
		if (kept)
			err = write_unit(blk, io, sector, nr, kept, room);
		left += DIV_ROUND_UP(kept, UMF_SECTOR);
	}
	kfree(room);
	return err ?: left;
}

static struct umf_blk_cmd *next_inflight(struct umf_blk_fault *fault)
{
	struct umf_blk_cmd *cmd;

	spin_lock_irq(&fault->lock);
	cmd = list_first_entry_or_null(&fault->inflight, struct umf_blk_cmd,
				       fate.list);
	if (cmd)
		list_del(&cmd->fate.list);
	spin_unlock_irq(&fault->lock);
	return cmd;
}

/* @late: what the cache had before is lost, and so is all that came after it, but FUA. */
static void cut_inflight(struct umf_blk *blk, const struct umf_cut *cut, bool late)
{
	const struct umf_io flush = { .op = UMF_IO_FLUSH };
	u64 nr = 0, left = 0;
	struct umf_blk_cmd *cmd;
	int err = 0;
	s64 n;

	while ((cmd = next_inflight(&blk->fault))) {
		nr += cmd->io.nr;
		n = late && !(cmd->io.flags & UMF_IO_FUA) ?
		    0 : cut_write(blk, &cmd->io, cut);
		if (n < 0)
			err = n;
		else
			left += n;
		umf_fate_end(cmd, BLK_STS_OFFLINE);
	}
	if (!nr)
		return;
	err = umf_blk_exec(blk, &flush) ?: err;
	pr_info("umf%c: power cut, %llu of %llu sectors that were under way are written\n",
		'a' + blk->unit, left, nr);
	if (err)
		pr_err("umf%c: the host failed meanwhile (%s)\n",
		       'a' + blk->unit, umf_file_error(err));
}

/* The guest has no power, and so has this disk none, unless it was cut before. */
static void off_work(struct work_struct *work)
{
	struct umf_blk *blk = container_of(work, struct umf_blk, off_work);

	if (blk->dark)
		return;
	blk->dark = true;
	cut_cache(blk, &blk->off_cut);
}

static struct umf_blk *guest_cut_by;	/* the disk that was first */

/* No disk's worker: it waits for all of them. */
static void guest_cut(struct work_struct *work)
{
	struct umf_blk *first = guest_cut_by, *blk;

	mutex_lock(&disks_lock);
	list_for_each_entry(blk, &disks, disks) {
		blk->off_cut = first->fault.cut;
		blk->off_cut.rng.state = umf_mix64(first->fault.cut.rng.state +
						   blk->unit + 1);
		queue_work(blk->wq, &blk->off_work);
	}
	list_for_each_entry(blk, &disks, disks)
		flush_workqueue(blk->wq);
	pr_info("the guest has no power\n");
	machine_power_off();
}

static DECLARE_WORK(guest_cut_work, guest_cut);

void umf_power_cut_work(struct work_struct *work)
{
	struct umf_blk *blk = container_of(work, struct umf_blk, fault.cut_work);
	const struct umf_cut *cut = &blk->fault.cut;
	bool all;

	blk->dark = true;
	all = cut_cache(blk, cut);
	cut_inflight(blk, cut, !all && !cut->reorder);
	if (blk->fault.stop_guest) {
		if (!cmpxchg(&guest_cut_by, NULL, blk))
			schedule_work(&guest_cut_work);
		return;
	}
	/* what is still to come was refused by the level, or comes after it */
	blk->dark = false;
}

/* ---- disks ---- */

struct write_out {
	struct work_struct work;
	struct umf_blk *blk;
	int err;
};

static void write_out(struct work_struct *work)
{
	struct write_out *out = container_of(work, struct write_out, work);
	const struct umf_io flush = { .op = UMF_IO_FLUSH };

	if (!out->blk->dark)
		out->err = write_back(out->blk, 0) ?:
			   umf_blk_exec(out->blk, &flush);
}

int umf_power_orderly(struct umf_blk *blk)
{
	struct write_out out = { .blk = blk };

	if (!blk->cache)
		return 0;
	INIT_WORK_ONSTACK(&out.work, write_out);
	queue_work(blk->wq, &out.work);
	flush_work(&out.work);
	destroy_work_on_stack(&out.work);
	return out.err;
}

int umf_power_add(struct umf_blk *blk, u64 size, unsigned int unit)
{
	blk->wq = alloc_ordered_workqueue("umf%c", WQ_MEM_RECLAIM,
					  'a' + blk->unit);
	if (!blk->wq)
		return -ENOMEM;
	INIT_WORK(&blk->off_work, off_work);
	blk->physical = unit / UMF_SECTOR;
	if (size) {
		blk->cache = kzalloc_obj(*blk->cache);
		if (!blk->cache) {
			destroy_workqueue(blk->wq);
			return -ENOMEM;
		}
		umf_cache_init(blk->cache, size / UMF_SECTOR, unit / UMF_SECTOR);
	}
	mutex_lock(&disks_lock);
	list_add_tail(&blk->disks, &disks);
	mutex_unlock(&disks_lock);
	return 0;
}

int umf_power_del(struct umf_blk *blk)
{
	const struct umf_io flush = { .op = UMF_IO_FLUSH };
	int err;

	mutex_lock(&disks_lock);
	list_del(&blk->disks);
	mutex_unlock(&disks_lock);
	destroy_workqueue(blk->wq);
	if (!blk->cache)
		return 0;
	err = write_back(blk, 0) ?: umf_blk_exec(blk, &flush);
	if (err)
		pr_err("umf%c: its cache cannot be written back (%s)\n",
		       'a' + blk->unit, umf_file_error(err));
	umf_cache_clear(blk->cache);
	kfree(blk->cache);
	return err;
}
