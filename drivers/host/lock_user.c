// SPDX-License-Identifier: GPL-2.0
/*
 * Locks on bytes of a file. They are the open file's (F_OFD_SETLK), and the
 * host's kernel drops them with its last descriptor: at whatever instant a
 * process dies, what it had locked is free.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <os.h>
#include "host/host.h"

static int lock_call(int fd, int cmd, short type, unsigned long long at,
		     unsigned long long len, short *found)
{
	struct flock64 lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = at,
		.l_len = len,
	};
	int err;

	CATCH_EINTR(err = fcntl(fd, cmd, &lock));
	if (err < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	if (found)
		*found = lock.l_type;
	return 0;
}

int umf_host_lock(int fd, unsigned long long at)
{
	return lock_call(fd, F_OFD_SETLK, F_WRLCK, at, 1, NULL);
}

int umf_host_unlock(int fd, unsigned long long at)
{
	return lock_call(fd, F_OFD_SETLK, F_UNLCK, at, 1, NULL);
}

int umf_host_locked(int fd, unsigned long long at, unsigned long long len)
{
	short found;
	int err = lock_call(fd, F_OFD_GETLK, F_WRLCK, at, len, &found);

	return err ? err : found != F_UNLCK;
}

unsigned long long umf_host_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

void umf_host_nap(void)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	nanosleep(&ms, NULL);
}
