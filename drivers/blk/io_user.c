// SPDX-License-Identifier: GPL-2.0
/*
 * Moving sectors: an operation on an image becomes host calls here, made by the
 * threads of blk/pool_user.c or on the spot. No policy and no kernel function;
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
 * With a log (blk/log_user.c) its entry comes after all that and before the
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
#include "blk/lock.h"
#include "blk/run.h"

#define ZEROES_LEN	65536
#define DIRECT_MAX	65536U		/* no host wants more of direct I/O */
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

void umf_io_leave(struct umf_image *image)
{
	__atomic_sub_fetch(&image->inside, 1, __ATOMIC_SEQ_CST);
}

bool umf_io_enter(struct umf_image *image)
{
	__atomic_add_fetch(&image->inside, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&image->closed, __ATOMIC_SEQ_CST))
		return true;
	umf_io_leave(image);
	return false;
}

/* It is never closed for long. */
static void enter(struct umf_image *image)
{
	while (!umf_io_enter(image))
		syscall(__NR_futex, &image->closed, FUTEX_WAIT_PRIVATE, 1,
			NULL, NULL, 0);
}

bool umf_io_gate_close(struct umf_image *image)
{
	__atomic_store_n(&image->closed, 1, __ATOMIC_SEQ_CST);
	return !__atomic_load_n(&image->inside, __ATOMIC_SEQ_CST);
}

void umf_io_gate_shut(struct umf_image *image)
{
	const struct timespec moment = { 0, 100000 };

	while (!umf_io_gate_close(image))
		nanosleep(&moment, NULL);
}

void umf_io_gate_open(struct umf_image *image)
{
	__atomic_store_n(&image->closed, 0, __ATOMIC_SEQ_CST);
	syscall(__NR_futex, &image->closed, FUTEX_WAKE_PRIVATE, INT_MAX,
		NULL, NULL, 0);
}

/* ---- one operation ---- */

static void advance(struct umf_place *place, unsigned long len)
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

/* The next @len bytes of it, or the UMF_CALL_VECS pieces they begin with. */
static int pieces(const struct umf_place *place, unsigned long len,
		  struct iovec *iov)
{
	unsigned long skip = place->skip;
	unsigned int i;

	for (i = 0; len && i < place->nvec && i < UMF_CALL_VECS; i++) {
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

static void clear(struct umf_place *place, unsigned long len)
{
	struct iovec iov[UMF_CALL_VECS];
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

/* ---- calls of the host ---- */

/* Makes it, in the caller's thread. */
static long make_call(const struct umf_call *call, int flags)
{
	long n;

	if (call->kind == UMF_CALL_READ)
		n = preadv2(call->fd, call->iov, call->n, call->offset,
			    call->flags | flags);
	else if (call->kind == UMF_CALL_WRITE)
		n = pwritev2(call->fd, call->iov, call->n, call->offset,
			     call->flags | flags);
	else
		n = fdatasync(call->fd);
	return n < 0 ? -errno : n;
}

/*
 * The host tells of a page that it could not write once for each open file, to who
 * asks first: a write with DSYNC, a flush, whoever syncs the topmost file.
 */
static int sync_failed(struct umf_image *image, int err)
{
	__atomic_store_n(&image->sync_error, err, __ATOMIC_RELAXED);
	return err;
}

static int sync_file(struct umf_image *image)
{
	int err = __atomic_load_n(&image->sync_error, __ATOMIC_RELAXED);

	if (err)
		return err;
	CATCH_EINTR(err = fdatasync(image->layer[0].fd));
	return err < 0 ? sync_failed(image, -errno) : 0;
}

int umf_io_sync_top(struct umf_image *image)
{
	int err = umf_file_sync(image->layer[0].fd);

	return err < 0 ? sync_failed(image, err) : 0;
}

/*
 * Some bits of a piece may be cleared in the file, and memory does not know: who
 * writes such a sector again would mark nothing. They are back, or no flush succeeds.
 */
static void restore_map(struct umf_image *image, const struct umf_layer *top,
			u64 first, u64 len)
{
	int err = umf_file_write(top->fd, top->map + first, len,
				 top->map_offset + first);

	if (err)
		sync_failed(image, err);
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
		else if (!set)
			restore_map(image, top, first, len);
		bit += count;
		n -= count;
	}
	umf_unlock(&image->map_lock);
	return err;
}

/* Does the file not say yet that it has these sectors? */
static bool unmarked(const struct umf_image *image, u64 sector, u64 nr,
		     u64 *bit, u64 *n)
{
	const struct umf_layer *top = &image->layer[0];

	if (!top->map)
		return false;
	*bit = sector >> top->shift;
	*n = ((sector + nr - 1) >> top->shift) - *bit + 1;
	return !umf_map_test(top->map, *bit) ||
	       umf_map_run(top->map, *bit, *n) != *n;
}

/* ---- reads, writes and flushes, call by call ---- */

static bool over(struct umf_run *run, int result)
{
	run->result = result;
	return false;
}

/* The largest power of two, up to the host's largest, that all of it keeps to. */
static unsigned int alignment(const struct umf_call *call)
{
	unsigned long bits = call->offset | DIRECT_MAX;
	int i;

	for (i = 0; i < call->n; i++)
		bits |= (unsigned long)call->iov[i].iov_base |
			call->iov[i].iov_len;
	return bits & -bits;
}

/* Past the host's memory, if that is wanted and this call can. */
static void choose_file(struct umf_run *run)
{
	struct umf_call *call = &run->call;
	unsigned int want = __atomic_load_n(&run->image->direct,
					    __ATOMIC_RELAXED);

	call->direct = want && alignment(call) >= want;
	call->fd = call->direct ? run->layer->direct : run->layer->fd;
}

/* The host wants more of a direct call than that one had. */
static void want_more(struct umf_run *run)
{
	unsigned int more = 2 * alignment(&run->call);

	/* another call may have found that out, or more */
	if (more > run->image->direct)
		__atomic_store_n(&run->image->direct, more, __ATOMIC_RELAXED);
}

/* The call for what is left of the piece. */
static bool piece_call(struct umf_run *run)
{
	struct umf_call *call = &run->call;

	call->kind = run->stage == UMF_STAGE_READ ? UMF_CALL_READ :
						    UMF_CALL_WRITE;
	call->offset = run->layer->data_offset + run->at;
	call->n = pieces(&run->place, run->len, call->iov);
	choose_file(run);
	return true;
}

/* The next sectors that one layer holds. */
static bool read_piece(struct umf_run *run)
{
	struct umf_image *image = run->image;
	u64 n;

	if (!run->nr)
		return over(run, 0);
	run->layer = &image->layer[umf_chain_find(image->layer, image->layers,
						  run->sector, run->nr, &n)];
	run->at = run->sector * UMF_SECTOR;
	run->len = n * UMF_SECTOR;
	run->sector += n;
	run->nr -= n;
	return piece_call(run);
}

static bool sync_call(struct umf_run *run, enum umf_stage stage)
{
	int err = __atomic_load_n(&run->image->sync_error, __ATOMIC_RELAXED);

	if (err)
		return over(run, err);
	run->stage = stage;
	run->call.kind = UMF_CALL_SYNC;
	run->call.fd = run->image->layer[0].fd;
	return true;
}

/* Its data is written, and synced where that comes first: says so. */
static bool mark_written(struct umf_run *run)
{
	struct umf_image *image = run->image;
	const struct umf_io *io = run->io;
	u64 bit, n;
	int err = 0;

	if (unmarked(image, io->sector, io->nr, &bit, &n)) {
		if (image->strict && run->stage != UMF_STAGE_SYNC_DATA)
			return sync_call(run, UMF_STAGE_SYNC_DATA);
		err = change_map(image, &image->layer[0], bit, n, true);
	}
	if (!err && (io->flags & UMF_IO_FUA) && image->layer[0].map)
		return sync_call(run, UMF_STAGE_SYNC_ALL);
	return over(run, err);
}

/* Bytes: a raw image keeps its size, also where its last sector is one in part. */
static u64 length_of(const struct umf_layer *top, const struct umf_io *io)
{
	u64 at = io->sector * UMF_SECTOR, len = io->nr * UMF_SECTOR;

	return top->map || at + len <= top->size || at >= top->size ?
	       len : top->size - at;
}

bool umf_run_begin(struct umf_run *run, struct umf_image *image,
		   const struct umf_io *io)
{
	const struct umf_layer *top = &image->layer[0];

	run->image = image;
	run->io = io;
	run->place = (struct umf_place) { io->vec, io->nvec, 0 };
	run->sector = io->sector;
	run->nr = io->nr;
	run->call.flags = 0;
	run->dsync_error = 0;
	if (io->op == UMF_IO_READ) {
		run->stage = UMF_STAGE_READ;
		return read_piece(run);
	}
	if (io->op == UMF_IO_FLUSH) {
		if (!image->writable)
			return over(run, 0);
		return sync_call(run, UMF_STAGE_SYNC_ALL);
	}
	if (io->flags & UMF_IO_FUA) {
		if (image->sync_error)
			return over(run, image->sync_error);
		/* with bits to write there is one sync for both */
		if (!top->map)
			run->call.flags = RWF_DSYNC;
	}
	run->stage = UMF_STAGE_WRITE;
	run->layer = top;
	run->at = io->sector * UMF_SECTOR;
	run->len = length_of(top, io);
	return piece_call(run);
}

/* A sync may have lost what the next one no longer knows of. */
static bool synced(struct umf_run *run, long n)
{
	if (n < 0)
		return over(run, sync_failed(run->image, n));
	if (run->stage == UMF_STAGE_SYNC_DATA)
		return mark_written(run);
	return over(run, 0);
}

bool umf_run_next(struct umf_run *run, long n)
{
	if (n == -EINTR)
		return true;
	if (run->call.kind == UMF_CALL_SYNC)
		return synced(run, n);
	if (n == -EINVAL && run->call.direct) {
		want_more(run);
		return piece_call(run);
	}
	if (n < 0 && n != -EAGAIN && (run->call.flags & RWF_DSYNC)) {
		run->call.flags &= ~RWF_DSYNC;
		run->dsync_error = n;
		return true;
	}
	if (n < 0)
		return over(run, n);
	/* the write itself can be done: it was the sync */
	if (run->dsync_error)
		return over(run, sync_failed(run->image, run->dsync_error));
	if (!n && run->stage == UMF_STAGE_WRITE)
		return over(run, -ENOSPC);
	if (!n) {
		/* a last sector that the file holds in part */
		if (run->at < run->layer->size)
			return over(run, -EIO);
		clear(&run->place, run->len);
		return read_piece(run);
	}
	advance(&run->place, n);
	run->at += n;
	run->len -= n;
	if (run->len)
		return piece_call(run);
	return run->stage == UMF_STAGE_READ ? read_piece(run) :
					      mark_written(run);
}

static int run_all(struct umf_image *image, const struct umf_io *io)
{
	struct umf_run run;
	bool more = umf_run_begin(&run, image, io);

	while (more)
		more = umf_run_next(&run, make_call(&run.call, 0));
	return run.result;
}

/* A read of what the host has in its memory; else -EAGAIN. */
static int read_now(struct umf_image *image, const struct umf_io *io)
{
	struct umf_run run;
	bool more = umf_run_begin(&run, image, io);
	long n;

	while (more) {
		n = make_call(&run.call, RWF_NOWAIT);
		if (n < 0 && n != -EINTR) {
			if (n != -EAGAIN)
				image->no_nowait = true;
			return -EAGAIN;
		}
		more = umf_run_next(&run, n);
	}
	/* what is wrong with it, a thread finds out */
	return run.result ? -EAGAIN : 0;
}

/* ---- the others ---- */

/* Zeros are there: says so. */
static int mark(struct umf_image *image, u64 sector, u64 nr)
{
	u64 bit, n;
	int err;

	if (!unmarked(image, sector, nr, &bit, &n))
		return 0;
	err = image->strict ? sync_file(image) : 0;
	return err ? err : change_map(image, &image->layer[0], bit, n, true);
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

static int write_zeroes(const struct umf_layer *top, const struct umf_io *io)
{
	u64 at = top->data_offset + io->sector * UMF_SECTOR;
	u64 left = length_of(top, io);
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
		err = write_zeroes(top, io);
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
	    image->log || image->direct || start < image->slow_until)
		return -EAGAIN;
	err = run_all(image, io);
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
	err = run_all(image, io);
	return err || !image->log ? err : umf_wlog_flush(image, before);
}

/* One that changes what the image holds. */
static int change(struct umf_image *image, const struct umf_io *io)
{
	switch (io->op) {
	case UMF_IO_WRITE:
		return run_all(image, io);
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
		return run_all(image, io);
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
	umf_io_leave(image);
	return err;
}

int umf_io_exec_now(struct umf_image *image, const struct umf_io *io)
{
	int err = -EAGAIN;

	if (!umf_io_enter(image))
		return err;
	if (io->op == UMF_IO_READ && !image->no_nowait && !image->direct)
		err = read_now(image, io);
	else if (io->op == UMF_IO_WRITE)
		err = write_at_once(image, io);
	umf_io_leave(image);
	return err;
}

/* ---- moving sectors down ---- */

/* One below: what it has lost is still in the topmost file. */
static int sync_below(const struct umf_layer *below)
{
	int err;

	CATCH_EINTR(err = fdatasync(below->fd));
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
	return err ? err : umf_io_sync_top(image);
}

/* @n sectors from @sector on go down, by way of @room. */
static int copy_down(struct umf_image *image, u64 sector, u64 n,
		     const struct umf_io_vec *room)
{
	const struct umf_layer *top = &image->layer[0], *below = top + 1;
	u64 at, part, len;
	long got;
	int err;

	for (; n; sector += part, n -= part) {
		part = room->len / UMF_SECTOR;
		if (part > n)
			part = n;
		at = sector * UMF_SECTOR;
		len = part * UMF_SECTOR;
		got = umf_file_read_some(top->fd, room->base, len,
					 top->data_offset + at);
		if (got < 0)
			return got;
		/* the last sector may be there in part */
		if ((u64)got < len && at + got < top->size)
			return -EIO;
		memset((char *)room->base + got, 0, len - got);
		/* a raw file keeps its size, to the byte */
		if (len > below->size - at)
			len = below->size - at;
		err = umf_file_write(below->fd, room->base, len,
				     below->data_offset + at);
		if (err)
			return err;
	}
	return 0;
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
	u64 bits = ((top->size + UMF_SECTOR - 1) / UMF_SECTOR +
		    (1ULL << top->shift) - 1) >> top->shift;
	u64 first = io->sector >> top->shift, most = io->nr >> top->shift;
	u64 moved = 0, end, run;
	int err = 0;

	umf_io_gate_shut(image);
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
		err = err ? err : sync_below(below);
		err = err ? err : move_step(image, MOVE_MARK, first, end, io);
		err = err ? err : sync_below(below);
		err = err ? err : move_step(image, MOVE_UNMARK, first, end, io);
		err = err ? err : sync_file(image);
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
