// SPDX-License-Identifier: GPL-2.0
/*
 * The file of a write log; its format and order are blk/log.c's.
 *
 * A write and its entry are one step under the log's lock: the log has writes
 * in the order in which they reached the image, with the data that reached it,
 * and an operation is done only when its entry is in the file. The head counts
 * what is in the log; it is written after the entries that it counts, so that a
 * guest that is killed leaves a log that is right up to the last flush it was
 * told of. A log that cannot be written fails all that follows: it would no
 * longer say what the image holds.
 *
 * What waits in front of a place where an entry has to go is moved. That is
 * nothing as a rule; where it is much, it is taken into the log instead, as a
 * disk may do with its cache at any time.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <os.h>
#include "blk/io.h"
#include "blk/lock.h"
#include "blk/log.h"

#define DATA_MAX	(2048 * UMF_SECTOR)	/* of one request */
#define MUCH		32768			/* sectors: not moved any more */
#define ZEROES_MAX	8192			/* sectors of one entry */
#define BOUNCE		65536			/* bytes moved at a time */

struct umf_wlog {
	int fd;
	int lock;			/* of all that follows */
	int error;			/* the first one, kept */
	struct umf_wlog_order order;
	u8 *buf;			/* an entry and its data */
	u8 *bounce;			/* what is being moved */
};

#define MEMORY	(UMF_SECTOR + DATA_MAX + BOUNCE)

static int read_entry(void *ctx, u64 at, struct umf_wlog_entry *entry)
{
	struct umf_wlog *log = ctx;
	u8 head[UMF_WLOG_ENTRY_LEN];
	int err = umf_file_read(log->fd, head, sizeof(head), at * UMF_SECTOR);

	umf_wlog_get_entry(head, entry);
	return err;
}

static int write_head(struct umf_wlog *log, bool moving)
{
	u8 head[UMF_SECTOR] = { 0 };

	umf_wlog_put_head(head, log->order.entries, moving);
	return umf_file_write(log->fd, head, sizeof(head), 0);
}

/* What is from unit @at to the tail goes up by @units, the last first. */
static int move_tail(struct umf_wlog *log, u64 at, u64 units)
{
	u64 left = (log->order.tail - at) * UMF_SECTOR, from, part;
	int err = left ? write_head(log, true) : 0;

	for (; left && !err; left -= part) {
		part = left < BOUNCE ? left : BOUNCE;
		from = at * UMF_SECTOR + left - part;
		err = umf_file_read(log->fd, log->bounce, part, from);
		if (!err)
			err = umf_file_write(log->fd, log->bounce, part,
					     from + units * UMF_SECTOR);
	}
	return err;
}

/* log->buf has the entry and what follows it: into the log, now. */
static int commit(struct umf_wlog *log, u64 units)
{
	int err = move_tail(log, log->order.end, units);

	if (!err)
		err = umf_file_write(log->fd, log->buf, units * UMF_SECTOR,
				     log->order.end * UMF_SECTOR);
	if (!err)
		umf_wlog_commit(&log->order, units);
	return err ? err : write_head(log, false);
}

static void begin_entry(struct umf_wlog *log, u64 sector, u64 nr, u64 flags,
			u64 len)
{
	const struct umf_wlog_entry entry = { sector, nr, flags, len };

	memset(log->buf, 0, UMF_SECTOR);
	umf_wlog_put_entry(log->buf, &entry);
}

static int fua(struct umf_wlog *log, const struct umf_io *io)
{
	struct umf_wlog_order *order = &log->order;
	u64 behind = order->next;
	int err = 0;

	if (order->tail - order->end <= MUCH)
		err = umf_wlog_behind(order, io->sector, io->nr, read_entry, log,
				      &behind);
	if (!err && behind)
		err = umf_wlog_settle(order, behind, read_entry, log);
	return err ? err : commit(log, 1 + io->nr);
}

/* Zeros are not written: the file has a hole there. */
static int zeroes(struct umf_wlog *log, const struct umf_io *io)
{
	u64 sector = io->sector, left = io->nr, nr, at;
	u64 flags = io->flags & UMF_IO_FUA ? UMF_WLOG_FUA : 0;
	int err = 0;

	for (; left && !err; sector += nr, left -= nr) {
		nr = left < ZEROES_MAX ? left : ZEROES_MAX;
		begin_entry(log, sector, nr, flags, 0);
		at = umf_wlog_wait(&log->order, 1 + nr);
		err = umf_file_write(log->fd, log->buf, UMF_SECTOR,
				     at * UMF_SECTOR);
		if (!err)
			err = umf_file_truncate(log->fd, log->order.tail *
						UMF_SECTOR);
	}
	if (!err && flags) {
		err = umf_wlog_settle(&log->order, log->order.next, read_entry,
				      log);
		if (!err)
			err = write_head(log, false);
	}
	return err;
}

static int add(struct umf_wlog *log, const struct umf_io *io)
{
	u64 flags = 0, units = 1, at;

	if (io->op == UMF_IO_ZEROES)
		return zeroes(log, io);
	if (io->op == UMF_IO_DISCARD)
		flags |= UMF_WLOG_DISCARD;
	else
		units += io->nr;
	if (io->flags & UMF_IO_FUA)
		flags |= UMF_WLOG_FUA;
	if (io->flags & UMF_IO_META)
		flags |= UMF_WLOG_METADATA;
	begin_entry(log, io->sector, io->nr, flags, 0);
	if (flags & UMF_WLOG_FUA)
		return fua(log, io);
	at = umf_wlog_wait(&log->order, units);
	return umf_file_write(log->fd, log->buf, units * UMF_SECTOR,
			      at * UMF_SECTOR);
}

static int finish(struct umf_wlog *log, int err)
{
	if (err && !log->error)
		log->error = err;
	umf_unlock(&log->lock);
	return err;
}

int umf_wlog_do(struct umf_image *image, const struct umf_io *io,
		int (*exec)(struct umf_image *image, const struct umf_io *io))
{
	struct umf_wlog *log = image->log;
	struct umf_io copy = *io;
	struct umf_io_vec vec = { log->buf + UMF_SECTOR, 0 };
	unsigned long part, left = io->nr * UMF_SECTOR;
	unsigned int i;
	int err;

	umf_lock(&log->lock);
	err = log->error;
	if (!err && io->op == UMF_IO_WRITE) {
		if (left > DATA_MAX)
			err = -EINVAL;
		/* the guest may change it meanwhile: both get the same */
		for (i = 0; left && !err; i++, left -= part) {
			part = io->vec[i].len < left ? io->vec[i].len : left;
			memcpy((u8 *)vec.base + vec.len, io->vec[i].base, part);
			vec.len += part;
		}
		copy.vec = &vec;
		copy.nvec = 1;
	}
	if (err)
		return finish(log, err);
	err = exec(image, &copy);
	/* what has failed is no matter of the log's */
	if (err) {
		umf_unlock(&log->lock);
		return err;
	}
	return finish(log, add(log, io));
}

u64 umf_wlog_now(const struct umf_image *image)
{
	return __atomic_load_n(&image->log->order.next, __ATOMIC_ACQUIRE);
}

int umf_wlog_flush(struct umf_image *image, u64 before)
{
	struct umf_wlog *log = image->log;
	int err;

	umf_lock(&log->lock);
	err = log->error;
	if (!err)
		err = umf_wlog_settle(&log->order, before, read_entry, log);
	begin_entry(log, 0, 0, UMF_WLOG_FLUSH, 0);
	if (!err)
		err = commit(log, 1);
	return finish(log, err);
}

int umf_wlog_mark(struct umf_image *image, const char *text)
{
	struct umf_wlog *log = image->log;
	size_t len = strlen(text);
	int err;

	if (len > UMF_WLOG_TEXT_MAX)
		return -ENAMETOOLONG;
	umf_lock(&log->lock);
	err = log->error;
	begin_entry(log, 0, 0, UMF_WLOG_MARK, len);
	memcpy(log->buf + UMF_WLOG_ENTRY_LEN, text, len);
	if (!err)
		err = commit(log, 1);
	return finish(log, err);
}

int umf_wlog_state(const struct umf_image *image, u64 *entries)
{
	struct umf_wlog *log = image->log;
	int err;

	umf_lock(&log->lock);
	*entries = log->order.entries;
	err = log->error;
	umf_unlock(&log->lock);
	return err;
}

int umf_wlog_end(struct umf_image *image)
{
	struct umf_wlog *log = image->log;
	int err;

	umf_lock(&log->lock);
	err = log->error;
	if (!err)
		err = umf_wlog_settle(&log->order, log->order.next, read_entry,
				      log);
	finish(log, err);
	err = umf_wlog_mark(image, UMF_WLOG_END);
	return err ? err : umf_file_sync(log->fd);
}

/* An empty file becomes a log; one that is there goes on. */
static int begin(struct umf_wlog *log)
{
	u8 head[UMF_WLOG_HEAD_LEN] = { 0 };
	struct umf_file_info info;
	const char *why;
	u64 entries;
	u32 unit;
	long len;
	int err = umf_file_info(log->fd, &info);

	if (err)
		return err;
	if (!info.usable)
		return -EEXIST;
	umf_wlog_order_init(&log->order);
	if (!info.size)
		return write_head(log, false);
	len = umf_file_read_some(log->fd, head, sizeof(head), 0);
	if (len < 0)
		return len;
	if (umf_wlog_get_head(head, &entries, &unit, &why) || unit != UMF_SECTOR)
		return -EEXIST;
	err = umf_wlog_moving(head) ? -1 :
	      umf_wlog_resume(&log->order, entries, info.size / UMF_SECTOR,
			      read_entry, log);
	if (err)
		return err == -1 ? -EBADMSG : err;
	/* an entry that was cut off */
	err = umf_file_truncate(log->fd, log->order.tail * UMF_SECTOR);
	if (err)
		return err;
	begin_entry(log, 0, 0, UMF_WLOG_MARK, strlen(UMF_WLOG_AGAIN));
	memcpy(log->buf + UMF_WLOG_ENTRY_LEN, UMF_WLOG_AGAIN,
	       strlen(UMF_WLOG_AGAIN));
	return commit(log, 1);
}

int umf_wlog_open(const char *path, struct umf_wlog **out)
{
	struct umf_wlog *log = calloc(1, sizeof(*log));
	int err;

	if (!log)
		return -ENOMEM;
	log->buf = mmap64(NULL, MEMORY, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (log->buf == MAP_FAILED) {
		err = -errno;
		free(log);
		return err;
	}
	log->bounce = log->buf + UMF_SECTOR + DATA_MAX;
	log->fd = umf_file_create(path);
	if (log->fd == -EEXIST)
		log->fd = umf_file_open(path, true);
	err = log->fd < 0 ? log->fd : umf_file_lock(log->fd, true);
	if (!err)
		err = begin(log);
	if (!err)
		*out = log;
	else
		umf_wlog_close(log);
	return err;
}

void umf_wlog_close(struct umf_wlog *log)
{
	if (log->fd >= 0)
		umf_file_close(log->fd);
	munmap(log->buf, MEMORY);
	free(log);
}
