// SPDX-License-Identifier: GPL-2.0
/*
 * Bells: a FIFO that its owner reads and others write, as a file descriptor that
 * is to raise SIGIO must be one of those that can. Any byte in it says look.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <os.h>
#include "host/host.h"

int umf_host_bell_make(int dir, const char *name)
{
	int fd;

	if (mkfifoat(dir, name, 0600) < 0)
		return -errno;
	/* Open for writing as well: it never reads as ended. */
	fd = openat64(dir, name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int umf_host_bell_open(int dir, const char *name)
{
	int fd = openat64(dir, name,
			  O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

int umf_host_bell_ring(int fd)
{
	int n;

	/* SIGPIPE is blocked in UML. */
	CATCH_EINTR(n = write(fd, "", 1));
	if (n < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

void umf_host_bell_drain(int fd)
{
	char buf[64];
	int n;

	/* A short read has emptied a FIFO. */
	do {
		CATCH_EINTR(n = read(fd, buf, sizeof(buf)));
	} while (n == sizeof(buf));
}
