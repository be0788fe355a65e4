// SPDX-License-Identifier: GPL-2.0
/*
 * The threads of a disk, and their way back. Where there is a ring
 * (blk/uring_user.c), it takes reads, writes and flushes, and threads the rest:
 * what frees space, what moves, and what is logged. Operations wait in one list
 * per disk. A thread that is about to wait for the host's disk wakes another first.
 * Done operations go on one list for all disks; whoever makes it non-empty rings
 * the bell, which the kernel's interrupt handler empties. A thread tells of what
 * it has done when it has nothing else to do, after BATCH operations, or before
 * it waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <os.h>
#include "blk/lock.h"
#include "blk/run.h"

#define THREADS		4	/* per disk */
#define BATCH		16
#define STACK_SIZE	(256 * 1024)

/* ---- the bell ---- */

static int bell_read = -1, bell_write = -1;
static struct umf_io *done_list;	/* the last first */

int umf_io_bell(void)
{
	int fds[2];

	if (bell_read >= 0)
		return bell_read;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	bell_read = fds[0];
	bell_write = fds[1];
	return bell_read;
}

static struct umf_io *reverse(struct umf_io *io)
{
	struct umf_io *next, *list = NULL;

	for (; io; io = next) {
		next = io->next;
		io->next = list;
		list = io;
	}
	return list;
}

struct umf_io *umf_io_done(void)
{
	char buf[64];
	ssize_t n;

	/* first the bell: who adds after this rings again */
	do {
		CATCH_EINTR(n = read(bell_read, buf, sizeof(buf)));
	} while (n == sizeof(buf));
	return reverse(__atomic_exchange_n(&done_list, NULL, __ATOMIC_ACQ_REL));
}

void umf_io_tell(struct umf_io *head, struct umf_io *tail)
{
	struct umf_io *old = __atomic_load_n(&done_list, __ATOMIC_RELAXED);
	ssize_t n;

	do {
		tail->next = old;
	} while (!__atomic_compare_exchange_n(&done_list, &old, head, true,
					      __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	if (!old)
		CATCH_EINTR(n = write(bell_write, "", 1));
}

/* ---- the threads of a disk ---- */

struct umf_io_pool {
	struct umf_image *image;
	struct umf_ring *ring;	/* NULL: none */
	int lock;		/* of what follows */
	struct umf_io *first, *last;
	unsigned int idle;	/* threads that wait for work */
	bool waking;		/* one of them is on its way already */
	bool stop;
	int wakeups;		/* what they wait on: counts up */
	pthread_t thread[THREADS];
	unsigned int threads;
};

struct batch {
	struct umf_io *head, *tail;
	unsigned int n;
};

static void batch_tell(struct batch *batch)
{
	if (batch->n)
		umf_io_tell(batch->head, batch->tail);
	batch->head = NULL;
	batch->tail = NULL;
	batch->n = 0;
}

static void batch_add(struct batch *batch, struct umf_io *io)
{
	io->next = batch->head;
	batch->head = io;
	if (!batch->tail)
		batch->tail = io;
	if (++batch->n == BATCH)
		batch_tell(batch);
}

static void wake_one(struct umf_io_pool *pool)
{
	__atomic_add_fetch(&pool->wakeups, 1, __ATOMIC_RELEASE);
	syscall(__NR_futex, &pool->wakeups, FUTEX_WAKE_PRIVATE, 1, NULL, NULL,
		0);
}

/* The next operation; NULL when the threads are to end. */
static struct umf_io *next_io(struct umf_io_pool *pool, struct batch *batch)
{
	struct umf_io *io;
	int seen;

	umf_lock(&pool->lock);
	while (!pool->first && !pool->stop) {
		if (batch->n) {
			umf_unlock(&pool->lock);
			batch_tell(batch);
			umf_lock(&pool->lock);
			continue;
		}
		pool->idle++;
		seen = __atomic_load_n(&pool->wakeups, __ATOMIC_ACQUIRE);
		umf_unlock(&pool->lock);
		syscall(__NR_futex, &pool->wakeups, FUTEX_WAIT_PRIVATE, seen,
			NULL, NULL, 0);
		umf_lock(&pool->lock);
		pool->idle--;
		pool->waking = false;
	}
	io = pool->first;
	if (io) {
		pool->first = io->next;
		if (!pool->first)
			pool->last = NULL;
	}
	umf_unlock(&pool->lock);
	return io;
}

/* Before a thread waits for the host's disk: nobody waits for the thread. */
static void make_way(struct umf_io_pool *pool, struct batch *batch)
{
	bool wake;

	batch_tell(batch);
	umf_lock(&pool->lock);
	wake = pool->first && pool->idle && !pool->waking;
	pool->waking |= wake;
	umf_unlock(&pool->lock);
	if (wake)
		wake_one(pool);
}

static bool waits(const struct umf_io *io)
{
	return io->op != UMF_IO_WRITE || (io->flags & UMF_IO_FUA);
}

static void *work(void *arg)
{
	struct umf_io_pool *pool = arg;
	struct batch batch = { NULL, NULL, 0 };
	struct umf_io *io;

	while ((io = next_io(pool, &batch))) {
		if (io->op == UMF_IO_MOVE || io->op == UMF_IO_CALL) {
			make_way(pool, &batch);
			io->result = io->op == UMF_IO_MOVE ?
				     umf_io_move(pool->image, io) :
				     io->call(io->arg);
			batch_add(&batch, io);
			continue;
		}
		io->result = -EAGAIN;
		if (io->op == UMF_IO_READ)
			io->result = umf_io_exec_now(pool->image, io);
		if (io->result == -EAGAIN) {
			if (waits(io))
				make_way(pool, &batch);
			io->result = umf_io_exec(pool->image, io);
		}
		batch_add(&batch, io);
	}
	batch_tell(&batch);
	return NULL;
}

static void submit(struct umf_io_pool *pool, struct umf_io *io, bool kick)
{
	bool wake;

	umf_lock(&pool->lock);
	if (io) {
		io->next = NULL;
		if (pool->last)
			pool->last->next = io;
		else
			pool->first = io;
		pool->last = io;
	}
	wake = kick && pool->first && pool->idle && !pool->waking;
	pool->waking |= wake;
	umf_unlock(&pool->lock);
	if (wake)
		wake_one(pool);
}

void umf_io_pool_add(struct umf_io_pool *pool, struct umf_io *io)
{
	submit(pool, io, true);
}

static bool for_ring(const struct umf_io_pool *pool, const struct umf_io *io)
{
	return io->op == UMF_IO_READ ||
	       ((io->op == UMF_IO_WRITE || io->op == UMF_IO_FLUSH) &&
		!pool->image->log);
}

void umf_io_pool_submit(struct umf_io_pool *pool, struct umf_io *io, bool kick)
{
	/* what is done from here on it does not speak of */
	if (io && io->op == UMF_IO_FLUSH && pool->image->log)
		io->before = umf_wlog_now(pool->image);
	if (io && pool->ring && for_ring(pool, io)) {
		umf_ring_submit(pool->ring, io, kick);
		io = NULL;
	} else if (pool->ring && kick) {
		umf_ring_submit(pool->ring, NULL, true);
	}
	if (io || kick)
		submit(pool, io, kick);
}

int umf_io_pool_start(struct umf_image *image, bool ring,
		      struct umf_io_pool **out)
{
	struct umf_io_pool *pool = calloc(1, sizeof(*pool));
	sigset_t all, old;
	pthread_attr_t attr;
	int err = 0;

	if (!pool)
		return -ENOMEM;
	pool->image = image;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	/* signals are the kernel's interrupts: none for these threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (pool->threads < THREADS && !err) {
		err = pthread_create(&pool->thread[pool->threads], &attr, work,
				     pool);
		if (!err)
			pool->threads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	/* one is enough */
	if (!pool->threads) {
		free(pool);
		return -err;
	}
	err = ring ? umf_ring_start(image, pool, &pool->ring) : 0;
	if (err)
		umf_io_pool_stop(pool);
	else
		*out = pool;
	return err;
}

void umf_io_pool_stop(struct umf_io_pool *pool)
{
	unsigned int i;

	if (pool->ring)
		umf_ring_stop(pool->ring);
	umf_lock(&pool->lock);
	pool->stop = true;
	umf_unlock(&pool->lock);
	__atomic_add_fetch(&pool->wakeups, 1, __ATOMIC_RELEASE);
	syscall(__NR_futex, &pool->wakeups, FUTEX_WAKE_PRIVATE, THREADS, NULL,
		NULL, 0);
	for (i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
	free(pool);
}
