// SPDX-License-Identifier: GPL-2.0
/*
 * Moving sectors: an operation on an image becomes host calls here, made by the
 * threads of blk_pool_user.c or on the spot. No policy and no kernel function;
 * guest memory is reached by its own addresses.
 *
 * The rules that keep what was acknowledged (umf_io_exec()):
 *
 *	write	data; if sectors are new to the file: [strict: sync,] their
 *		bits in the file, then in memory; FUA: sync
 *	discard	bits in the file and in memory, [strict: sync,] then the space
 *	zeroes	space, then as a write's bits
 *	flush	sync; one that failed fails all that follow
 *	move	data below, sync, bits below, sync, bits above, sync, the space
 *
 * With a log (blk_log_user.c) its entry comes after all that and before the
 * operation is done.
 *
 * A reader thus finds in memory only bits whose data is there, and after the
 * guest is killed at any instant the file says of every acknowledged write
 * that it is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <os.h>
#include "blk_io.h"
#include "blk_lock.h"

#define VEC_MAX		64
#define ZEROES_LEN	65536
#define SLOW_WRITE	5000000LL	/* ns: it waited for the disk */
#define SLOW_TIME	1000000000LL	/* ns until the next try */

#ifndef RWF_DSYNC
#define RWF_DSYNC	0x02
#endif
#ifndef RWF_NOWAIT
#define RWF_NOWAIT	0x08
#endif

static const char zeroes[ZEROES_LEN];

/* ---- the gate in front of an image's layers ---- */

static void leave(struct umf_image *image)
{
	__atomic_sub_fetch(&image->inside, 1, __ATOMIC_SEQ_CST);
}

static bool try_enter(struct umf_image *image)
{
	__atomic_add_fetch(&image->inside, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&image->closed, __ATOMIC_SEQ_CST))
		return true;
	leave(image);
	return false;
}

/* It is never closed for long. */
static void enter(struct umf_image *image)
{
	while (!try_enter(image))
		syscall(__NR_futex, &image->closed, FUTEX_WAIT_PRIVATE, 1,
			NULL, NULL, 0);
}

bool umf_io_gate_close(struct umf_image *image)
{
	__atomic_store_n(&image->closed, 1, __ATOMIC_SEQ_CST);
	return !__atomic_load_n(&image->inside, __ATOMIC_SEQ_CST);
}

void umf_io_gate_open(struct umf_image *image)
{
	__atomic_store_n(&image->closed, 0, __ATOMIC_SEQ_CST);
	syscall(__NR_futex, &image->closed, FUTEX_WAKE_PRIVATE, INT_MAX,
		NULL, NULL, 0);
}

/* ---- one operation ---- */

/* Where an operation is in its guest memory. */
struct place {
	const struct umf_io_vec *vec;
	unsigned int nvec;
	unsigned long skip;	/* bytes of the first that are done */
};

static void advance(struct place *place, unsigned long len)
{
	while (len) {
		unsigned long left = place->vec->len - place->skip;

		if (len < left) {
			place->skip += len;
			return;
		}
		len -= left;
		place->skip = 0;
		place->vec++;
		place->nvec--;
	}
}

/* The next @len bytes of it, or the VEC_MAX pieces they begin with. */
static int pieces(const struct place *place, unsigned long len,
		  struct iovec *iov)
{
	unsigned long skip = place->skip;
	unsigned int i;

	for (i = 0; len && i < place->nvec && i < VEC_MAX; i++) {
		unsigned long part = place->vec[i].len - skip;

		if (part > len)
			part = len;
		iov[i].iov_base = (char *)place->vec[i].base + skip;
		iov[i].iov_len = part;
		len -= part;
		skip = 0;
	}
	return i;
}

static void clear(struct place *place, unsigned long len)
{
	struct iovec iov[VEC_MAX];
	unsigned long done;
	int i, n;

	while (len) {
		n = pieces(place, len, iov);
		for (i = 0, done = 0; i < n; i++) {
			memset(iov[i].iov_base, 0, iov[i].iov_len);
			done += iov[i].iov_len;
		}
		advance(place, done);
		len -= done;
	}
}

static int read_file(struct umf_image *image, const struct umf_layer *layer,
		     struct place *place, u64 at, unsigned long len,
		     bool nowait)
{
	struct iovec iov[VEC_MAX];
	ssize_t n;

	while (len) {
		int count = pieces(place, len, iov);

		CATCH_EINTR(n = preadv2(layer->fd, iov, count,
					layer->data_offset + at,
					nowait ? RWF_NOWAIT : 0));
		if (n < 0) {
			if (nowait && errno != EAGAIN)
				image->no_nowait = true;
			return nowait ? -EAGAIN : -errno;
		}
		if (!n) {
			/* a last sector that the file holds in part */
			if (at < layer->size)
				return nowait ? -EAGAIN : -EIO;
			clear(place, len);
			return 0;
		}
		advance(place, n);
		at += n;
		len -= n;
	}
	return 0;
}

static int write_file(const struct umf_layer *layer, struct place *place,
		      u64 at, unsigned long len, int flags)
{
	struct iovec iov[VEC_MAX];
	ssize_t n;

	while (len) {
		int count = pieces(place, len, iov);

		CATCH_EINTR(n = pwritev2(layer->fd, iov, count,
					 layer->data_offset + at, flags));
		if (n < 0)
			return -errno;
		if (!n)
			return -ENOSPC;
		advance(place, n);
		at += n;
		len -= n;
	}
	return 0;
}

static int sync_file(struct umf_image *image)
{
	int err = __atomic_load_n(&image->sync_error, __ATOMIC_RELAXED);

	if (err)
		return err;
	CATCH_EINTR(err = fdatasync(image->layer[0].fd));
	if (err < 0) {
		err = -errno;
		__atomic_store_n(&image->sync_error, err, __ATOMIC_RELAXED);
	}
	return err;
}

/* Sets or clears bits of a file, there first, then in memory. */
static int change_map(struct umf_image *image, const struct umf_layer *top,
		      u64 bit, u64 n, bool set)
{
	u8 part[512];
	int err = 0;

	umf_lock(&image->map_lock);
	while (n && !err) {
		u64 first = bit / 8, count = sizeof(part) * 8 - (bit & 7), len;

		if (count > n)
			count = n;
		len = (bit + count - 1) / 8 - first + 1;
		memcpy(part, top->map + first, len);
		if (set)
			umf_map_set(part, bit & 7, count);
		else
			umf_map_clear(part, bit & 7, count);
		err = umf_file_write(top->fd, part, len,
				     top->map_offset + first);
		if (!err)
			memcpy(top->map + first, part, len);
		bit += count;
		n -= count;
	}
	umf_unlock(&image->map_lock);
	return err;
}

/* The data of these sectors is written: says so where the file does not. */
static int mark(struct umf_image *image, u64 sector, u64 nr)
{
	const struct umf_layer *top = &image->layer[0];
	u64 bit, n;
	int err;

	if (!top->map)
		return 0;
	bit = sector >> top->shift;
	n = ((sector + nr - 1) >> top->shift) - bit + 1;
	if (umf_map_test(top->map, bit) && umf_map_run(top->map, bit, n) == n)
		return 0;
	if (image->strict) {
		err = sync_file(image);
		if (err)
			return err;
	}
	return change_map(image, top, bit, n, true);
}

static int do_read(struct umf_image *image, const struct umf_io *io,
		   bool nowait)
{
	struct place place = { io->vec, io->nvec, 0 };
	u64 sector = io->sector, left = io->nr, run;
	int err = 0;

	while (left && !err) {
		unsigned int i = umf_chain_find(image->layer, image->layers,
						sector, left, &run);

		err = read_file(image, &image->layer[i], &place,
				sector * UMF_SECTOR, run * UMF_SECTOR, nowait);
		sector += run;
		left -= run;
	}
	return err;
}

static int do_write(struct umf_image *image, const struct umf_io *io)
{
	struct place place = { io->vec, io->nvec, 0 };
	const struct umf_layer *top = &image->layer[0];
	bool dsync = (io->flags & UMF_IO_FUA) && !top->map;
	int err;

	if (io->flags & UMF_IO_FUA && image->sync_error)
		return image->sync_error;
	err = write_file(top, &place, io->sector * UMF_SECTOR,
			 io->nr * UMF_SECTOR, dsync ? RWF_DSYNC : 0);
	if (!err)
		err = mark(image, io->sector, io->nr);
	if (!err && (io->flags & UMF_IO_FUA) && !dsync)
		err = sync_file(image);
	return err;
}

static int punch(const struct umf_layer *top, u64 sector, u64 nr)
{
	int err;

	CATCH_EINTR(err = fallocate64(top->fd, FALLOC_FL_PUNCH_HOLE |
				      FALLOC_FL_KEEP_SIZE, top->data_offset +
				      sector * UMF_SECTOR, nr * UMF_SECTOR));
	return err < 0 ? -errno : 0;
}

static int do_discard(struct umf_image *image, const struct umf_io *io)
{
	const struct umf_layer *top = &image->layer[0];
	u64 bit, n, run;
	int err = 0;

	if (!top->map)
		return punch(top, io->sector, io->nr);
	/* only sectors that are discarded as a whole */
	bit = (io->sector + (1ULL << top->shift) - 1) >> top->shift;
	n = (io->sector + io->nr) >> top->shift;
	n = n > bit ? n - bit : 0;
	for (; n && !err; bit += run, n -= run) {
		run = umf_map_run(top->map, bit, n);
		if (!umf_map_test(top->map, bit))
			continue;
		err = change_map(image, top, bit, run, false);
		if (!err && image->strict)
			err = sync_file(image);
		if (!err)
			err = punch(top, bit << top->shift, run << top->shift);
		/* what is left behind is space, not content */
		if (err == -EOPNOTSUPP)
			err = 0;
	}
	return err;
}

static int write_zeroes(const struct umf_layer *top, u64 sector, u64 nr)
{
	u64 at = top->data_offset + sector * UMF_SECTOR;
	u64 left = nr * UMF_SECTOR;
	int err = 0;

	while (left && !err) {
		unsigned long len = left < ZEROES_LEN ? left : ZEROES_LEN;

		err = umf_file_write(top->fd, zeroes, len, at);
		at += len;
		left -= len;
	}
	return err;
}

static int do_zeroes(struct umf_image *image, const struct umf_io *io)
{
	const struct umf_layer *top = &image->layer[0];
	int err;

	err = punch(top, io->sector, io->nr);
	if (err == -EOPNOTSUPP)
		err = write_zeroes(top, io->sector, io->nr);
	if (!err)
		err = mark(image, io->sector, io->nr);
	if (!err && (io->flags & UMF_IO_FUA))
		err = sync_file(image);
	return err;
}

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/*
 * A write that goes to the host's memory is quicker done than handed over.
 * Whether it will wait the host does not say beforehand; one that took long
 * tells, and for a while the threads do it.
 */
static int write_at_once(struct umf_image *image, const struct umf_io *io)
{
	long long start = now_ns(), end;
	int err;

	if ((io->flags & UMF_IO_FUA) || (image->strict && image->layer[0].map) ||
	    image->log || start < image->slow_until)
		return -EAGAIN;
	err = do_write(image, io);
	end = now_ns();
	if (end - start > SLOW_WRITE)
		image->slow_until = end + SLOW_TIME;
	return err;
}

static int do_flush(struct umf_image *image, const struct umf_io *io)
{
	u64 before = io->before;
	int err;

	if (image->log && !before)
		before = umf_wlog_now(image);
	err = image->writable ? sync_file(image) : 0;
	return err || !image->log ? err : umf_wlog_flush(image, before);
}

/* One that changes what the image holds. */
static int change(struct umf_image *image, const struct umf_io *io)
{
	switch (io->op) {
	case UMF_IO_WRITE:
		return do_write(image, io);
	case UMF_IO_DISCARD:
		return do_discard(image, io);
	case UMF_IO_ZEROES:
		return do_zeroes(image, io);
	default:
		return -EINVAL;
	}
}

static int exec(struct umf_image *image, const struct umf_io *io)
{
	switch (io->op) {
	case UMF_IO_READ:
		return do_read(image, io, false);
	case UMF_IO_FLUSH:
		return do_flush(image, io);
	default:
		return image->log ? umf_wlog_do(image, io, change) :
				    change(image, io);
	}
}

int umf_io_exec(struct umf_image *image, const struct umf_io *io)
{
	int err;

	enter(image);
	err = exec(image, io);
	leave(image);
	return err;
}

int umf_io_exec_now(struct umf_image *image, const struct umf_io *io)
{
	int err = -EAGAIN;

	if (!try_enter(image))
		return err;
	if (io->op == UMF_IO_READ && !image->no_nowait)
		err = do_read(image, io, true);
	else if (io->op == UMF_IO_WRITE)
		err = write_at_once(image, io);
	leave(image);
	return err;
}

/* ---- moving sectors down ---- */

static int sync_fd(int fd)
{
	int err;

	CATCH_EINTR(err = fdatasync(fd));
	return err < 0 ? -errno : 0;
}

/* The topmost file is empty: it is told when the one below was changed last. */
static int count_on(struct umf_image *image)
{
	const struct umf_layer *top = &image->layer[0], *below = top + 1;
	struct umf_file_info info;
	u8 mtime[4];
	u32 old;
	int err;

	/* in both shapes of version 3 at byte 8 */
	err = umf_file_read(top->fd, mtime, sizeof(mtime), 8);
	if (!err)
		err = umf_file_info(below->fd, &info);
	if (err)
		return err;
	old = (u32)mtime[0] << 24 | mtime[1] << 16 | mtime[2] << 8 | mtime[3];
	/* other deltas on it must notice */
	if ((u32)info.mtime == old)
		info.mtime++;
	err = umf_file_touch(below->fd, info.mtime);
	mtime[0] = info.mtime >> 24;
	mtime[1] = info.mtime >> 16;
	mtime[2] = info.mtime >> 8;
	mtime[3] = info.mtime;
	if (!err)
		err = umf_file_sync(below->fd);
	if (!err)
		err = umf_file_write(top->fd, mtime, sizeof(mtime), 8);
	return err ? err : umf_file_sync(top->fd);
}

/* @n sectors from @sector on go down, by way of @room. */
static int copy_down(struct umf_image *image, u64 sector, u64 n,
		     const struct umf_io_vec *room)
{
	const struct umf_layer *top = &image->layer[0], *below = top + 1;
	struct umf_io_vec vec = *room;
	u64 part, at, len;
	int err = 0;

	for (; n && !err; sector += part, n -= part) {
		struct place from = { &vec, 1, 0 }, to = from;

		part = room->len / UMF_SECTOR;
		if (part > n)
			part = n;
		vec.len = part * UMF_SECTOR;
		at = sector * UMF_SECTOR;
		/* a raw file keeps its size, to the byte */
		len = below->size - at < vec.len ? below->size - at : vec.len;
		err = read_file(image, top, &from, at, vec.len, false);
		if (!err)
			err = write_file(below, &to, at, len, 0);
	}
	return err;
}

enum move_step { MOVE_COPY, MOVE_MARK, MOVE_UNMARK, MOVE_FREE };

/* One step for all that the topmost file has or had in these bits. */
static int move_step(struct umf_image *image, enum move_step step, u64 bit,
		     u64 end, const struct umf_io *io)
{
	const struct umf_layer *top = &image->layer[0], *below = top + 1;
	unsigned int down = top->shift - below->shift;
	u64 run;
	int err = 0;

	/* what is freed has no bits any more: all of it may go */
	if (step == MOVE_FREE)
		return punch(top, bit << top->shift, (end - bit) << top->shift);
	for (; bit < end && !err; bit += run) {
		run = umf_map_run(top->map, bit, end - bit);
		if (!umf_map_test(top->map, bit))
			continue;
		if (step == MOVE_COPY)
			err = copy_down(image, bit << top->shift,
					run << top->shift, io->vec);
		else if (step == MOVE_UNMARK)
			err = change_map(image, top, bit, run, false);
		else if (below->map)
			err = change_map(image, below, bit << down,
					 run << down, true);
	}
	return err;
}

int umf_io_move(struct umf_image *image, struct umf_io *io)
{
	const struct umf_layer *top = &image->layer[0], *below = top + 1;
	const struct timespec moment = { 0, 100000 };
	u64 bits = ((top->size + UMF_SECTOR - 1) / UMF_SECTOR +
		    (1ULL << top->shift) - 1) >> top->shift;
	u64 first = io->sector >> top->shift, most = io->nr >> top->shift;
	u64 moved = 0, end, run;
	int err = 0;

	while (!umf_io_gate_close(image))
		nanosleep(&moment, NULL);
	for (end = first; end < bits && moved < most; end += run) {
		run = umf_map_run(top->map, end, bits - end);
		if (!umf_map_test(top->map, end))
			continue;
		if (run > most - moved)
			run = most - moved;
		moved += run;
	}
	if (moved) {
		err = move_step(image, MOVE_COPY, first, end, io);
		err = err ? err : sync_fd(below->fd);
		err = err ? err : move_step(image, MOVE_MARK, first, end, io);
		err = err ? err : sync_fd(below->fd);
		err = err ? err : move_step(image, MOVE_UNMARK, first, end, io);
		err = err ? err : sync_fd(top->fd);
		if (!err)
			move_step(image, MOVE_FREE, first, end, io);
	} else if (!first) {
		err = count_on(image);
	}
	umf_io_gate_open(image);
	io->sector = end < bits ? end << top->shift : 0;
	io->nr = moved << top->shift;
	return err;
}
