// SPDX-License-Identifier: GPL-2.0
/*
 * A host that fails, for tests of the disk: preloaded into a guest's process, it counts and spoils the host calls the
 * disk makes. The file BLKHOST_FAIL says how, one word and a number a line, read at each call:
 *
 *	read|write|sync|punch|setup <errno>	the call fails; setup: of an io_uring
 *	fua <errno>			a write that is synced (DSYNC) fails, others do not
 *	folder <errno>			the sync of a folder fails, once a file was renamed
 *	short 1				reads and writes move 512 bytes at most
 *	intr 1				every other call is interrupted
 *	hold 1				a sync waits until this is gone
 *	slow <ms>			a sync takes so long, at least
 *	late 1				the first write, once it is done, waits for that
 *
 * BLKHOST_LOG gets a line for each call: sync, dsync (a write that is synced), write, punch, and its offset.
 *
 * Calls that the disk makes by io_uring are found in the ring as it is handed over; one that is to fail becomes a NOP with
 * that result, which hosts can do since Linux 6.12.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static __thread unsigned int calls;

/* The number behind that word in the control file, 0 if it is not there. */
static int told(const char *word)
{
	const char *name = getenv("BLKHOST_FAIL");
	int saved = errno, fd, n, value = 0;
	char text[256], *at;

	fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[n < 0 ? 0 : n] = '\0';
		at = strstr(text, word);
		if (at)
			value = atoi(at + strlen(word));
	}
	errno = saved;
	return value;
}

static void note(const char *what, long long at)
{
	const char *name = getenv("BLKHOST_LOG");
	int saved = errno, fd, n;
	char line[64];

	fd = name ? open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd >= 0) {
		n = sprintf(line, "%s %lld\n", what, at);
		n = write(fd, line, n);
		close(fd);
	}
	errno = saved;
}

/* The call is not to be made: errno is set. */
static int spoiled(const char *word)
{
	int error = told(word);

	if (error) {
		errno = error;
		return 1;
	}
	if (told("intr ") && calls++ % 2) {
		errno = EINTR;
		return 1;
	}
	return 0;
}

/* No signal ends it: none ends a sync. */
static void be_slow(void)
{
	int ms = told("slow ");
	struct timespec left = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static const char *word_of_write(int flags)
{
	return (flags & RWF_DSYNC) && told("fua ") ? "fua " : "write ";
}

/* At most 512 bytes of it. */
static int cut(const struct iovec **iov, int n, struct iovec *one)
{
	if (n < 1 || !told("short "))
		return n;
	*one = **iov;
	if (one->iov_len > 512)
		one->iov_len = 512;
	*iov = one;
	return 1;
}

/* glibc's names where offsets are 64 bits wide */
ssize_t preadv64v2(int fd, const struct iovec *iov, int n, off64_t at, int flags)
{
	static ssize_t (*real)(int, const struct iovec *, int, off64_t, int);
	struct iovec one;

	if (!real)
		real = dlsym(RTLD_NEXT, "preadv64v2");
	if (spoiled("read "))
		return -1;
	n = cut(&iov, n, &one);
	return real(fd, iov, n, at, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int n, off64_t at, int flags)
{
	static ssize_t (*real)(int, const struct iovec *, int, off64_t, int);
	static int late;
	struct iovec one;
	ssize_t done;

	if (!real)
		real = dlsym(RTLD_NEXT, "pwritev64v2");
	note(flags & RWF_DSYNC ? "dsync" : "write", at);
	if (flags & RWF_DSYNC)
		be_slow();
	if (spoiled(word_of_write(flags)))
		return -1;
	n = cut(&iov, n, &one);
	done = real(fd, iov, n, at, flags);
	if (told("late ") && !__atomic_exchange_n(&late, 1, __ATOMIC_RELAXED))
		while (told("late "))
			usleep(10000);
	return done;
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t at)
{
	static ssize_t (*real)(int, const void *, size_t, off64_t);

	if (!real)
		real = dlsym(RTLD_NEXT, "pwrite64");
	note("map", at);
	if (spoiled("map "))
		return -1;
	return real(fd, buf, len, at);
}

/* What a sync takes. */
static void wait_sync(void)
{
	be_slow();
	while (told("hold "))
		usleep(10000);
}

int fdatasync(int fd)
{
	static int (*real)(int);

	if (!real)
		real = dlsym(RTLD_NEXT, "fdatasync");
	note("sync", 0);
	wait_sync();
	if (spoiled("sync "))
		return -1;
	return real(fd);
}

static int renamed;

int rename(const char *from, const char *to)
{
	static int (*real)(const char *, const char *);

	if (!real)
		real = dlsym(RTLD_NEXT, "rename");
	renamed = 1;
	return real(from, to);
}

int fsync(int fd)
{
	static int (*real)(int);
	struct stat st;

	if (!real)
		real = dlsym(RTLD_NEXT, "fsync");
	be_slow();
	if (renamed && !fstat(fd, &st) && S_ISDIR(st.st_mode) && spoiled("folder "))
		return -1;
	return real(fd);
}

int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
	static int (*real)(int, int, off64_t, off64_t);

	if (!real)
		real = dlsym(RTLD_NEXT, "fallocate64");
	note("punch", at);
	if (spoiled("punch "))
		return -1;
	return real(fd, mode, at, len);
}

/* ---- io_uring ---- */

#define RINGS		32	/* descriptors below that many are looked for */
#define RESULT		1	/* IORING_NOP_INJECT_RESULT, which older headers lack */

static struct ring {
	int fd;			/* plus 1; 0: none */
	struct io_sqring_offsets off;
	char *mem;
	struct io_uring_sqe *sqes;
} rings[RINGS];

static struct ring *ring_of(int fd)
{
	int i;

	for (i = 0; i < RINGS; i++)
		if (rings[i].fd == fd + 1)
			return &rings[i];
	return NULL;
}

void *mmap64(void *at, size_t len, int prot, int flags, int fd, off64_t offset)
{
	static void *(*real)(void *, size_t, int, int, int, off64_t);
	struct ring *ring = fd < 0 ? NULL : ring_of(fd);
	void *mem;

	if (!real)
		real = dlsym(RTLD_NEXT, "mmap64");
	mem = real(at, len, prot, flags, fd, offset);
	if (ring && mem != MAP_FAILED && offset == IORING_OFF_SQ_RING)
		ring->mem = mem;
	else if (ring && mem != MAP_FAILED)
		ring->sqes = mem;
	return mem;
}

static void spoil_sqe(struct io_uring_sqe *sqe, struct iovec *one)
{
	const struct iovec *iov = (void *)(unsigned long)sqe->addr;
	const char *word;

	if (!sqe->user_data)
		return;
	if (sqe->opcode == IORING_OP_FSYNC) {
		word = "sync ";
		note("sync", 0);
		wait_sync();
	} else if (sqe->opcode == IORING_OP_READV) {
		word = "read ";
	} else if (sqe->opcode == IORING_OP_WRITEV) {
		word = word_of_write(sqe->rw_flags);
		if (sqe->rw_flags & RWF_DSYNC)
			be_slow();
		note(sqe->rw_flags & RWF_DSYNC ? "dsync" : "write", sqe->off);
	} else {
		return;
	}
	if (spoiled(word)) {
		sqe->opcode = IORING_OP_NOP;
		sqe->rw_flags = RESULT;
		sqe->len = -errno;
	} else if (sqe->opcode != IORING_OP_FSYNC) {
		sqe->len = cut(&iov, sqe->len, one);
		sqe->addr = (unsigned long)iov;
	}
}

static void spoil_ring(int fd, unsigned int n)
{
	static __thread struct iovec one[4096];
	struct ring *ring = ring_of(fd);
	unsigned int head, mask, i;
	const unsigned int *array;

	if (!ring || !ring->mem || !ring->sqes)
		return;
	head = *(unsigned int *)(ring->mem + ring->off.head);
	mask = *(unsigned int *)(ring->mem + ring->off.ring_mask);
	array = (unsigned int *)(ring->mem + ring->off.array);
	for (i = 0; i < n; i++)
		spoil_sqe(&ring->sqes[array[(head + i) & mask]], &one[i % 4096]);
}

long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long arg[6], n;
	va_list args;
	int i;

	va_start(args, number);
	for (i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	if (!real)
		real = dlsym(RTLD_NEXT, "syscall");
	if (number == __NR_io_uring_enter)
		spoil_ring(arg[0], arg[1]);
	if (number == __NR_io_uring_setup && spoiled("setup "))
		return -1;
	n = real(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	if (number == __NR_io_uring_setup && n >= 0) {
		const struct io_uring_params *params = (void *)arg[1];

		for (i = 0; i < RINGS && rings[i].fd && rings[i].fd != n + 1; i++)
			;
		if (i < RINGS) {
			memset(&rings[i], 0, sizeof(rings[i]));
			rings[i].off = params->sq_off;
			rings[i].fd = n + 1;
		}
	}
	return n;
}
