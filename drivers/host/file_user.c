// SPDX-License-Identifier: GPL-2.0
/*
 * Folders and files on the host. Names are relative to a folder's descriptor, so
 * that moving it breaks nothing.
 *
 * Descriptors are close-on-exec: a helper process that kept one would keep a
 * dead guest's lock. Guest user processes that share our descriptor table die
 * with us (PR_SET_PDEATHSIG).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <os.h>
#include "host/host.h"

const char *umf_host_error(int err)
{
	return strerror(-err);
}

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

int umf_host_open_dir(const char *path, int nofollow)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
			    (nofollow ? O_NOFOLLOW : 0));

	return fd < 0 ? -errno : fd;
}

/* By the system call: readdir() needs memory, and a guest that ends has none. */
int umf_host_each(int dir, void (*fn)(void *with, const char *name), void *with)
{
	union {
		struct dirent64 entry;
		char bytes[1024];
	} buf;
	struct dirent64 *entry;
	int fd, at, n;

	fd = openat64(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = syscall(SYS_getdents64, fd, &buf, sizeof(buf))) > 0)
		for (at = 0; at < n; at += entry->d_reclen) {
			entry = (struct dirent64 *)(buf.bytes + at);
			fn(with, entry->d_name);
		}
	n = n < 0 ? -errno : 0;
	close(fd);
	return n;
}

static void fill_info(struct umf_host_info *info, const struct stat64 *st)
{
	info->size = st->st_size;
	info->dev = st->st_dev;
	info->ino = st->st_ino;
	info->uid = st->st_uid;
	info->mode = st->st_mode;
	info->nlink = st->st_nlink;
}

int umf_host_info(int fd, struct umf_host_info *info)
{
	struct stat64 st;

	if (fstat64(fd, &st) < 0)
		return -errno;
	fill_info(info, &st);
	return 0;
}

int umf_host_info_at(int dir, const char *name, struct umf_host_info *info)
{
	struct stat64 st;

	if (fstatat64(dir < 0 ? AT_FDCWD : dir, name, &st,
		      AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	fill_info(info, &st);
	return 0;
}

int umf_host_dup_over(int from, int to)
{
	return dup3(from, to, O_CLOEXEC) < 0 ? -errno : 0;
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
