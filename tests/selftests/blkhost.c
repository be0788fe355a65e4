// SPDX-License-Identifier: GPL-2.0
/*
 * A host that fails, for tests of the disk: preloaded into a guest's process, it counts and spoils the host calls the
 * disk makes. The file BLKHOST_FAIL says how, one word and a number a line, read at each call:
 *
 *	read|write|sync|punch <errno>	the call fails
 *	short 1				reads and writes move 512 bytes at most
 *	intr 1				every other call is interrupted
 *	hold 1				a sync waits until this is gone
 *
 * BLKHOST_LOG gets a line for each call: sync, dsync (a write that is synced), write, punch, and its offset.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
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
	struct iovec one;

	if (!real)
		real = dlsym(RTLD_NEXT, "pwritev64v2");
	note(flags & RWF_DSYNC ? "dsync" : "write", at);
	if (spoiled("write "))
		return -1;
	n = cut(&iov, n, &one);
	return real(fd, iov, n, at, flags);
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

int fdatasync(int fd)
{
	static int (*real)(int);

	if (!real)
		real = dlsym(RTLD_NEXT, "fdatasync");
	note("sync", 0);
	while (told("hold "))
		usleep(10000);
	if (spoiled("sync "))
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
