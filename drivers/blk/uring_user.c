// SPDX-License-Identifier: GPL-2.0
/*
 * The ring of a disk: one thread that has many calls of the host under way at a
 * time, by io_uring, where a thread of the pool has one. It takes reads, writes
 * and flushes; the calls they need, and in which order, blk/io_user.c says
 * (blk/run.h).
 *
 * The thread makes the ring, submits and reaps: no other thread of the guest is
 * ever interrupted for it. Operations come by a list; who adds to it while the
 * thread waits in the host writes the eventfd that the ring reads. What is over
 * goes back as the pool's does (umf_io_tell()), all of a batch with one ring of
 * the bell.
 *
 * By system calls, without liburing: UML is linked with libc alone. The ring is
 * shared with the host's kernel, which is believed.
 */
#include <errno.h>
#include <limits.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <os.h>
#include "blk/lock.h"
#include "blk/run.h"

#define TASKS		128	/* operations under way */
#define ENTRIES		256	/* a task has one call, and the eventfd */
#define STACK_SIZE	(256 * 1024)

struct task {
	struct task *next;	/* of those that are free */
	struct umf_io *io;
	struct umf_run run;
};

struct mapping {
	void *mem;
	size_t len;
};

struct umf_ring {
	struct umf_image *image;
	struct umf_io_pool *pool;
	int lock;		/* first, last, waits, stop */
	struct umf_io *first, *last;
	bool waits;		/* the thread is in the host, or about to be */
	bool stop;
	int state;		/* futex: 0 begins, 1 runs, -errno: has not */
	pthread_t thread;

	/* the thread's own */
	int fd;
	int event;		/* eventfd */
	u64 events;		/* read from it */
	struct iovec events_iov;
	struct mapping rings, sqes_map;
	unsigned int *sq_tail, *sq_array, *cq_head, *cq_tail;
	unsigned int sq_mask, cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	unsigned int unsubmitted, flying;
	struct task *free;
	struct umf_io *done, *done_last;	/* the last first */
	struct task task[TASKS];
};

/* ---- the host's ring ---- */

static int setup(struct umf_ring *ring)
{
	/* the newer ways save interrupts and locks; older hosts refuse them */
	static const unsigned int ways[] = {
#ifdef IORING_SETUP_DEFER_TASKRUN
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
#endif
		0,
	};
	struct io_uring_params params;
	unsigned int i;
	size_t sq_len, cq_len;
	char *mem;

	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		memset(&params, 0, sizeof(params));
		params.flags = ways[i];
		ring->fd = syscall(__NR_io_uring_setup, ENTRIES, &params);
		if (ring->fd >= 0 || errno != EINVAL)
			break;
	}
	if (ring->fd < 0)
		return -errno;
	if (!(params.features & IORING_FEAT_SINGLE_MMAP))
		return -EOPNOTSUPP;
	sq_len = params.sq_off.array + params.sq_entries * sizeof(unsigned int);
	cq_len = params.cq_off.cqes +
		 params.cq_entries * sizeof(struct io_uring_cqe);
	ring->rings.len = sq_len > cq_len ? sq_len : cq_len;
	mem = mmap64(NULL, ring->rings.len, PROT_READ | PROT_WRITE, MAP_SHARED |
		     MAP_POPULATE, ring->fd, IORING_OFF_SQ_RING);
	if (mem == MAP_FAILED)
		return -errno;
	ring->rings.mem = mem;
	ring->sqes_map.len = params.sq_entries * sizeof(struct io_uring_sqe);
	ring->sqes = mmap64(NULL, ring->sqes_map.len, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_POPULATE, ring->fd,
			    IORING_OFF_SQES);
	if (ring->sqes == MAP_FAILED)
		return -errno;
	ring->sqes_map.mem = ring->sqes;
	ring->sq_tail = (unsigned int *)(mem + params.sq_off.tail);
	ring->sq_mask = *(unsigned int *)(mem + params.sq_off.ring_mask);
	ring->sq_array = (unsigned int *)(mem + params.sq_off.array);
	ring->cq_head = (unsigned int *)(mem + params.cq_off.head);
	ring->cq_tail = (unsigned int *)(mem + params.cq_off.tail);
	ring->cq_mask = *(unsigned int *)(mem + params.cq_off.ring_mask);
	ring->cqes = (struct io_uring_cqe *)(mem + params.cq_off.cqes);
	return 0;
}

/* There is always room: ENTRIES is more than can be under way. */
static struct io_uring_sqe *new_sqe(struct umf_ring *ring, void *data)
{
	unsigned int i = *ring->sq_tail & ring->sq_mask;
	struct io_uring_sqe *sqe = &ring->sqes[i];

	memset(sqe, 0, sizeof(*sqe));
	sqe->user_data = (unsigned long)data;
	ring->sq_array[i] = i;
	return sqe;
}

static void push_sqe(struct umf_ring *ring)
{
	__atomic_store_n(ring->sq_tail, *ring->sq_tail + 1, __ATOMIC_RELEASE);
	ring->unsubmitted++;
}

/* Hands over what was pushed; waits until something is over, or not. */
static void enter(struct umf_ring *ring, bool wait)
{
	const struct timespec moment = { 0, 1000000 };
	long n;

	n = syscall(__NR_io_uring_enter, ring->fd, ring->unsubmitted, wait,
		    IORING_ENTER_GETEVENTS, NULL, 0);
	if (n >= 0)
		ring->unsubmitted -= n;
	else if (errno != EINTR && errno != EBUSY)
		nanosleep(&moment, NULL);	/* no memory: again */
}

/* ---- operations ---- */

static void listen(struct umf_ring *ring)
{
	struct io_uring_sqe *sqe = new_sqe(ring, NULL);

	ring->events_iov.iov_base = &ring->events;
	ring->events_iov.iov_len = sizeof(ring->events);
	sqe->opcode = IORING_OP_READV;
	sqe->fd = ring->event;
	sqe->addr = (unsigned long)&ring->events_iov;
	sqe->len = 1;
	push_sqe(ring);
}

static void call(struct umf_ring *ring, struct task *task)
{
	const struct umf_call *call = &task->run.call;
	struct io_uring_sqe *sqe = new_sqe(ring, task);

	sqe->fd = call->fd;
	if (call->kind == UMF_CALL_SYNC) {
		sqe->opcode = IORING_OP_FSYNC;
		sqe->fsync_flags = IORING_FSYNC_DATASYNC;
	} else {
		sqe->opcode = call->kind == UMF_CALL_READ ? IORING_OP_READV :
							    IORING_OP_WRITEV;
		sqe->off = call->offset;
		sqe->addr = (unsigned long)call->iov;
		sqe->len = call->n;
		sqe->rw_flags = call->flags;
	}
	push_sqe(ring);
}

static void tell(struct umf_ring *ring)
{
	if (ring->done)
		umf_io_tell(ring->done, ring->done_last);
	ring->done = NULL;
}

static void end_task(struct umf_ring *ring, struct task *task)
{
	struct umf_io *io = task->io;

	umf_io_leave(ring->image);
	io->result = task->run.result;
	io->next = ring->done;
	if (!ring->done)
		ring->done_last = io;
	ring->done = io;
	task->next = ring->free;
	ring->free = task;
	ring->flying--;
}

static void begin_task(struct umf_ring *ring, struct umf_io *io)
{
	struct task *task = ring->free;

	/* somebody changes the layers: a thread can wait for that */
	if (!umf_io_enter(ring->image)) {
		umf_io_pool_add(ring->pool, io);
		return;
	}
	ring->free = task->next;
	ring->flying++;
	task->io = io;
	if (umf_run_begin(&task->run, ring->image, io))
		call(ring, task);
	else
		end_task(ring, task);
}

/* "Not now", although it was not asked to hurry: a thread can wait for it. */
static void hand_over(struct umf_ring *ring, struct task *task)
{
	umf_io_leave(ring->image);
	umf_io_pool_add(ring->pool, task->io);
	task->next = ring->free;
	ring->free = task;
	ring->flying--;
}

static struct umf_io *next_io(struct umf_ring *ring)
{
	struct umf_io *io = NULL;

	umf_lock(&ring->lock);
	if (ring->free)
		io = ring->first;
	if (io) {
		ring->first = io->next;
		if (!ring->first)
			ring->last = NULL;
	}
	umf_unlock(&ring->lock);
	return io;
}

/* May the thread wait? Then whoever comes wakes it. */
static bool may_wait(struct umf_ring *ring)
{
	umf_lock(&ring->lock);
	ring->waits = !ring->first || !ring->free;
	umf_unlock(&ring->lock);
	return ring->waits;
}

static void reap(struct umf_ring *ring)
{
	unsigned int head = *ring->cq_head;
	const struct io_uring_cqe *cqe;
	struct task *task;
	long n;

	while (head != __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE)) {
		cqe = &ring->cqes[head & ring->cq_mask];
		task = (struct task *)(unsigned long)cqe->user_data;
		n = cqe->res;
		__atomic_store_n(ring->cq_head, ++head, __ATOMIC_RELEASE);
		if (!task)
			listen(ring);
		else if (n == -EAGAIN)
			hand_over(ring, task);
		else if (umf_run_next(&task->run, n))
			call(ring, task);
		else
			end_task(ring, task);
	}
}

static void run(struct umf_ring *ring)
{
	struct umf_io *io;
	bool wait;

	listen(ring);
	for (;;) {
		while ((io = next_io(ring)))
			begin_task(ring, io);
		wait = may_wait(ring);
		if (wait)
			tell(ring);
		if (!ring->flying && __atomic_load_n(&ring->stop,
						     __ATOMIC_ACQUIRE))
			return;
		enter(ring, wait);
		reap(ring);
	}
}

/* ---- the thread ---- */

static void set_state(struct umf_ring *ring, int state)
{
	__atomic_store_n(&ring->state, state, __ATOMIC_RELEASE);
	syscall(__NR_futex, &ring->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *work(void *arg)
{
	struct umf_ring *ring = arg;
	int err = setup(ring);

	set_state(ring, err ? err : 1);
	if (!err)
		run(ring);
	return NULL;
}

static void wake(struct umf_ring *ring)
{
	const u64 one = 1;
	ssize_t n;

	CATCH_EINTR(n = write(ring->event, &one, sizeof(one)));
}

void umf_ring_submit(struct umf_ring *ring, struct umf_io *io, bool kick)
{
	bool wakes;

	umf_lock(&ring->lock);
	if (io) {
		io->next = NULL;
		if (ring->last)
			ring->last->next = io;
		else
			ring->first = io;
		ring->last = io;
	}
	wakes = kick && ring->first && ring->waits;
	if (wakes)
		ring->waits = false;
	umf_unlock(&ring->lock);
	if (wakes)
		wake(ring);
}

static void drop_mapping(struct mapping *map)
{
	if (map->mem)
		munmap(map->mem, map->len);
}

static void destroy(struct umf_ring *ring)
{
	drop_mapping(&ring->rings);
	drop_mapping(&ring->sqes_map);
	if (ring->fd >= 0)
		close(ring->fd);
	if (ring->event >= 0)
		close(ring->event);
	munmap(ring, sizeof(*ring));
}

int umf_ring_start(struct umf_image *image, struct umf_io_pool *pool,
		   struct umf_ring **out)
{
	struct umf_ring *ring;
	pthread_attr_t attr;
	sigset_t all, old;
	unsigned int i;
	int err, state;

	ring = mmap64(NULL, sizeof(*ring), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring == MAP_FAILED)
		return -errno;
	ring->image = image;
	ring->pool = pool;
	ring->fd = -1;
	for (i = 0; i < TASKS; i++) {
		ring->task[i].next = ring->free;
		ring->free = &ring->task[i];
	}
	ring->event = eventfd(0, EFD_CLOEXEC);
	if (ring->event < 0) {
		err = -errno;
		destroy(ring);
		return err;
	}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	/* signals are the kernel's interrupts: none for this thread */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&ring->thread, &attr, work, ring);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (err) {
		destroy(ring);
		return -err;
	}
	while (!(state = __atomic_load_n(&ring->state, __ATOMIC_ACQUIRE)))
		syscall(__NR_futex, &ring->state, FUTEX_WAIT_PRIVATE, 0, NULL,
			NULL, 0);
	if (state < 0) {
		pthread_join(ring->thread, NULL);
		destroy(ring);
		return state;
	}
	*out = ring;
	return 0;
}

void umf_ring_stop(struct umf_ring *ring)
{
	__atomic_store_n(&ring->stop, true, __ATOMIC_RELEASE);
	wake(ring);
	pthread_join(ring->thread, NULL);
	destroy(ring);
}
