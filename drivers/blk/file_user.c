// SPDX-License-Identifier: GPL-2.0
/*
 * Host files of the disk. No policy here: what is refused, and what is said of
 * it, is up to blk/image.c. Locks are OFD locks: they meet those of other
 * programs (ubd, fcntl()) and go with the guest however it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <os.h>
#include "blk/io.h"

const char *umf_file_error(int err)
{
	return strerror(-err);
}

int umf_file_open(const char *path, bool write)
{
	int fd;

	CATCH_EINTR(fd = open64(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC |
				O_NOCTTY | O_NONBLOCK));
	return fd < 0 ? -errno : fd;
}

int umf_file_reopen(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return umf_file_open(path, true);
}

int umf_file_reopen_direct(int fd, bool write)
{
	char path[32];
	int direct;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CATCH_EINTR(direct = open64(path, (write ? O_RDWR : O_RDONLY) |
				    O_DIRECT | O_CLOEXEC));
	return direct < 0 ? -errno : direct;
}

int umf_file_create(const char *path)
{
	int fd;

	CATCH_EINTR(fd = open64(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
				0644));
	return fd < 0 ? -errno : fd;
}

int umf_file_create_temporary(const char *path)
{
	int fd = umf_file_create(path), old, err;

	if (fd == -EEXIST) {
		old = open64(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (old < 0)
			return fd;
		if (!umf_file_lock(old, true) && !unlink(path))
			fd = umf_file_create(path);
		close(old);
	}
	if (fd < 0)
		return fd;
	err = umf_file_lock(fd, true);
	if (!err)
		return fd;
	unlink(path);
	close(fd);
	return err;
}

void umf_file_ignore_limit(void)
{
	signal(SIGXFSZ, SIG_IGN);
}

void umf_file_close(int fd)
{
	close(fd);
}

int umf_file_info(int fd, struct umf_file_info *info)
{
	struct stat64 st;
	long long end;

	if (fstat64(fd, &st) < 0)
		return -errno;
	info->dev = st.st_dev;
	info->ino = st.st_ino;
	info->size = st.st_size;
	info->mtime = st.st_mtime;
	info->usable = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
	if (S_ISBLK(st.st_mode)) {
		end = lseek64(fd, 0, SEEK_END);
		if (end < 0)
			return -errno;
		info->size = end;
	}
	return 0;
}

static int set_lock(int fd, short type)
{
	struct flock64 lock = { .l_type = type, .l_whence = SEEK_SET };
	int err;

	CATCH_EINTR(err = fcntl(fd, F_OFD_SETLK, &lock));
	if (err < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	return 0;
}

int umf_file_lock(int fd, bool write)
{
	return set_lock(fd, write ? F_WRLCK : F_RDLCK);
}

int umf_file_unlock(int fd)
{
	return set_lock(fd, F_UNLCK);
}

long umf_file_read_some(int fd, void *buf, unsigned long len, u64 offset)
{
	unsigned long done = 0;
	ssize_t n;

	while (done < len) {
		CATCH_EINTR(n = pread64(fd, (char *)buf + done, len - done,
					offset + done));
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += n;
	}
	return done;
}

int umf_file_read(int fd, void *buf, unsigned long len, u64 offset)
{
	long n = umf_file_read_some(fd, buf, len, offset);

	if (n < 0)
		return n;
	return (unsigned long)n == len ? 0 : -EIO;
}

int umf_file_write(int fd, const void *buf, unsigned long len, u64 offset)
{
	unsigned long done = 0;
	ssize_t n;

	while (done < len) {
		CATCH_EINTR(n = pwrite64(fd, (const char *)buf + done,
					 len - done, offset + done));
		if (n < 0)
			return -errno;
		if (!n)
			return -ENOSPC;
		done += n;
	}
	return 0;
}

int umf_file_truncate(int fd, u64 size)
{
	int err;

	CATCH_EINTR(err = ftruncate64(fd, size));
	return err < 0 ? -errno : 0;
}

int umf_file_sync(int fd)
{
	int err;

	CATCH_EINTR(err = fsync(fd));
	return err < 0 ? -errno : 0;
}

int umf_file_sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	unsigned long len = slash ? slash - path + 1 : 1;
	char *folder = malloc(len + 1);	/* not strndup(): free() is kfree() */
	int fd, err;

	if (!folder)
		return -ENOMEM;
	memcpy(folder, slash ? path : ".", len);
	folder[len] = '\0';
	fd = open64(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 ? -errno : 0;
	free(folder);
	if (err)
		return err;
	err = umf_file_sync(fd);
	close(fd);
	return err == -EINVAL ? 0 : err;
}

int umf_file_publish(const char *temporary, const char *path)
{
	/* unlike rename(), this never replaces a file that came meanwhile */
	if (link(temporary, path) < 0)
		return -errno;
	if (unlink(temporary) < 0)
		return -errno;
	return umf_file_sync_folder(path);
}

int umf_file_link(const char *path, const char *name)
{
	return link(path, name) < 0 ? -errno : 0;
}

int umf_file_rename(const char *temporary, const char *path)
{
	return rename(temporary, path) < 0 ? -errno : 0;
}

int umf_file_touch(int fd, long long mtime)
{
	struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT }, { .tv_sec = mtime },
	};

	return futimens(fd, times) < 0 ? -errno : 0;
}

int umf_file_unlink(const char *path)
{
	return unlink(path) < 0 ? -errno : 0;
}

int umf_file_absolute(const char *path, char *buf)
{
	return realpath(path, buf) ? 0 : -errno;
}

int umf_map_load(int fd, u64 offset, u64 len, u8 **map)
{
	u64 end = offset + len, at = offset, stop;
	long long found;
	u8 *mem;
	int err;

	mem = mmap64(NULL, len, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED)
		return -errno;
	while (at < end) {
		stop = end;
		found = lseek64(fd, at, SEEK_DATA);
		if (found < 0 && errno == ENXIO)
			break;
		if (found >= 0) {
			if ((u64)found >= end)
				break;
			at = found;
			found = lseek64(fd, at, SEEK_HOLE);
			if (found > 0 && (u64)found < end)
				stop = found;
		}
		/* so that one call never moves more than a long can say */
		if (stop - at > 1 << 24)
			stop = at + (1 << 24);
		err = umf_file_read(fd, mem + (at - offset), stop - at, at);
		if (err) {
			umf_map_free(mem, len);
			return err;
		}
		at = stop;
	}
	*map = mem;
	return 0;
}

void umf_map_free(u8 *map, u64 len)
{
	munmap(map, len);
}
