// SPDX-License-Identifier: GPL-2.0
/* The host's side of a capture's file. No policy here. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <os.h>
#include "capture/host.h"

int umf_capture_host_open(const char *path, int file)
{
	struct stat64 st;
	int fd, err;

	/* A limit on the size of files is to be an error, not the end. */
	signal(SIGXFSZ, SIG_IGN);
	CATCH_EINTR(fd = open64(path, O_WRONLY | O_CREAT | O_NONBLOCK |
				O_NOCTTY | O_CLOEXEC, 0600));
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat64(fd, &st) < 0 ||
	    (S_ISREG(st.st_mode) && ftruncate64(fd, 0) < 0)) {
		err = -errno;
		close(fd);
		return err;
	}
	if (file && !S_ISREG(st.st_mode)) {
		close(fd);
		return -ESPIPE;
	}
	return fd;
}

/* SIGPIPE is blocked in UML. */
int umf_capture_host_write(int fd, const void *from, int len)
{
	int n;

	CATCH_EINTR(n = write(fd, from, len));
	return n < 0 ? -errno : n;
}

void umf_capture_host_wait(int fd, int ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

	poll(&pollfd, 1, ms);
}

void umf_capture_host_trim(int fd, int len)
{
	struct stat64 st;

	if (fstat64(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < len)
		return;
	/* The reader of what is cut short is told so by its own program. */
	if (ftruncate64(fd, st.st_size - len) < 0)
		return;
}

void umf_capture_host_close(int fd)
{
	close(fd);
}

const char *umf_capture_host_error(int err)
{
	return strerror(-err);
}
