// SPDX-License-Identifier: GPL-2.0
/*
 * The host calls a port of a segment is made of. No policy here; names are
 * relative to the segment's folder, so that moving it breaks nothing.
 *
 * Descriptors are close-on-exec: a helper process that kept one would keep a
 * dead guest's lock. Guest user processes that share our descriptor table die
 * with us (PR_SET_PDEATHSIG).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <os.h>
#include "net_segment.h"

unsigned int umf_host_uid(void)
{
	return geteuid();
}

int umf_host_mkdir(const char *path)
{
	return mkdir(path, 0700) < 0 ? -errno : 0;
}

int umf_host_rmdir(const char *path)
{
	return rmdir(path) < 0 ? -errno : 0;
}

int umf_host_open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int umf_host_info(int fd, struct umf_host_info *info)
{
	struct stat64 st;

	if (fstat64(fd, &st) < 0)
		return -errno;
	info->size = st.st_size;
	info->uid = st.st_uid;
	info->mode = st.st_mode;
	info->nlink = st.st_nlink;
	return 0;
}

int umf_host_open(int dir, const char *name, int create, int excl)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	int fd;

	if (create)
		flags |= O_CREAT;
	if (excl)
		flags |= O_EXCL;
	CATCH_EINTR(fd = openat64(dir, name, flags, 0600));
	return fd < 0 ? -errno : fd;
}

int umf_host_unlink(int dir, const char *name)
{
	return unlinkat(dir, name, 0) < 0 ? -errno : 0;
}

int umf_host_rename(int dir, const char *from, const char *to)
{
	return renameat(dir, from, dir, to) < 0 ? -errno : 0;
}

int umf_host_alloc(int fd, unsigned long long size)
{
	int err;

	/* tmpfs gives up, and gives all back, for any signal: the next try. */
	do {
		err = posix_fallocate64(fd, 0, size);
	} while (err == EINTR);
	return -err;
}

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
