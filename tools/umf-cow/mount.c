// SPDX-License-Identifier: GPL-2.0
/*
 * mount: the disk of an image as a file, by FUSE. On a folder it is the file
 * `disk` in it; on a file it is that file. Reads and writes go the way a
 * guest's do (drivers/blk/io_user.c): data before its bit, fsync() to the
 * host's disk. One request at a time.
 */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "tool.h"

#define FILE_PATH	"/disk"

static struct mounted {
	struct umf_image *image;
	const char *path;	/* of the disk in the mounted tree */
	u64 size, unit;
	bool write;
	struct stat st;		/* of the topmost file */
	char *around;		/* room for the units a request begins and ends in */
	size_t around_len;
} mounted;

static int do_io(enum umf_io_op op, u64 at, u64 len, void *buf)
{
	const struct umf_io_vec vec = { buf, len };
	const struct umf_io io = {
		.op = op, .nvec = buf ? 1 : 0, .vec = &vec,
		.sector = at / UMF_SECTOR, .nr = len / UMF_SECTOR,
	};

	return umf_io_exec(mounted.image, &io);
}

/* The units that hold these bytes, in mounted.around. */
static int read_around(u64 at, size_t len, u64 *first, size_t *whole)
{
	*first = at & ~(mounted.unit - 1);
	*whole = ((at + len + mounted.unit - 1) & ~(mounted.unit - 1)) - *first;
	if (*whole > mounted.around_len) {
		free(mounted.around);
		mounted.around = aligned_alloc(4096, (*whole + 4095) & ~4095UL);
		mounted.around_len = mounted.around ? *whole : 0;
		if (!mounted.around)
			return -ENOMEM;
	}
	return do_io(UMF_IO_READ, *first, *whole, mounted.around);
}

static int disk_getattr(const char *path, struct stat *st,
			struct fuse_file_info *fi)
{
	(void)fi;
	memset(st, 0, sizeof(*st));
	st->st_uid = mounted.st.st_uid;
	st->st_gid = mounted.st.st_gid;
	st->st_mtime = mounted.st.st_mtime;
	st->st_nlink = 1;
	if (!strcmp(path, mounted.path)) {
		st->st_mode = S_IFREG | (mounted.write ? 0600 : 0400);
		st->st_size = mounted.size;
		return 0;
	}
	if (strcmp(path, "/"))
		return -ENOENT;
	st->st_mode = S_IFDIR | 0500;
	st->st_nlink = 2;
	return 0;
}

static int disk_readdir(const char *path, void *buf, fuse_fill_dir_t fill,
			off_t at, struct fuse_file_info *fi,
			enum fuse_readdir_flags flags)
{
	(void)at;
	(void)fi;
	(void)flags;
	if (strcmp(path, "/") || !mounted.path[1])
		return -ENOTDIR;
	fill(buf, ".", NULL, 0, 0);
	fill(buf, "..", NULL, 0, 0);
	fill(buf, mounted.path + 1, NULL, 0, 0);
	return 0;
}

static int disk_open(const char *path, struct fuse_file_info *fi)
{
	if (strcmp(path, mounted.path))
		return -ENOENT;
	if ((fi->flags & O_ACCMODE) != O_RDONLY && !mounted.write)
		return -EROFS;
	return 0;
}

/* Its size is fixed; what opens it with O_TRUNC is not to lose it. */
static int disk_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	(void)path;
	(void)fi;
	return (u64)size == mounted.size ? 0 : -EPERM;
}

/* How many of @len bytes from @at on the disk has. */
static size_t clip(u64 at, size_t len)
{
	u64 left = at < mounted.size ? mounted.size - at : 0;

	return len < left ? len : left;
}

static int disk_read(const char *path, char *buf, size_t len, off_t at,
		     struct fuse_file_info *fi)
{
	size_t whole;
	u64 first;
	int err;

	(void)path;
	(void)fi;
	len = clip(at, len);
	if (!len)
		return 0;
	err = read_around(at, len, &first, &whole);
	if (err)
		return err;
	memcpy(buf, mounted.around + (at - first), len);
	return len;
}

static int disk_write(const char *path, const char *buf, size_t len, off_t at,
		      struct fuse_file_info *fi)
{
	size_t whole;
	u64 first;
	int err;

	(void)path;
	(void)fi;
	if ((u64)at >= mounted.size)
		return -ENOSPC;
	len = clip(at, len);
	if (!len)
		return 0;
	if ((at | len) % mounted.unit == 0) {
		err = do_io(UMF_IO_WRITE, at, len, (void *)buf);
	} else {
		err = read_around(at, len, &first, &whole);
		if (!err) {
			memcpy(mounted.around + (at - first), buf, len);
			err = do_io(UMF_IO_WRITE, first, whole, mounted.around);
		}
	}
	return err ? err : (int)len;
}

static int disk_fsync(const char *path, int data, struct fuse_file_info *fi)
{
	(void)path;
	(void)data;
	(void)fi;
	return do_io(UMF_IO_FLUSH, 0, 0, NULL);
}

/* Zeros the units that lie within; the rest is written. */
static int disk_fallocate(const char *path, int mode, off_t from, off_t len,
			  struct fuse_file_info *fi)
{
	static const char zeros[65536];
	u64 at = from, end = at + len, part;
	int n;

	if (!mounted.write || !(mode & (FALLOC_FL_PUNCH_HOLE |
					FALLOC_FL_ZERO_RANGE)))
		return -EOPNOTSUPP;
	if (end > mounted.size)
		end = mounted.size;
	while (at < end) {
		part = (end - at) & ~(mounted.unit - 1);
		if (at % mounted.unit == 0 && part) {
			n = do_io(UMF_IO_ZEROES, at, part, NULL);
			if (n)
				return n;
			at += part;
			continue;
		}
		part = mounted.unit - at % mounted.unit;
		if (part > end - at)
			part = end - at;
		n = disk_write(path, zeros, part, at, fi);
		if (n < 0)
			return n;
		at += part;
	}
	return 0;
}

static void *disk_init(struct fuse_conn_info *conn, struct fuse_config *config)
{
	(void)conn;
	/* nobody else writes the image */
	config->kernel_cache = 1;
	config->nullpath_ok = 0;
	return NULL;
}

static const struct fuse_operations ops = {
	.init		= disk_init,
	.getattr	= disk_getattr,
	.readdir	= disk_readdir,
	.open		= disk_open,
	.truncate	= disk_truncate,
	.read		= disk_read,
	.write		= disk_write,
	.fsync		= disk_fsync,
	.fallocate	= disk_fallocate,
};

int verb_mount(const struct tool *tool, int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session;
	struct fuse *fuse;
	struct stat at;
	char *where, *options;
	int status, err = 0;

	(void)argc;
	mounted.image = image_open(argv[0], tool->backing, tool->write, false);
	mounted.size = umf_image_size(mounted.image);
	mounted.unit = umf_image_unit(mounted.image);
	mounted.write = tool->write;
	if (fstat(mounted.image->layer[0].fd, &mounted.st))
		fail("%s: %s", argv[0], strerror(errno));
	if (stat(argv[1], &at))
		fail("%s: %s", argv[1], strerror(errno));
	mounted.path = S_ISREG(at.st_mode) ? "/" : FILE_PATH;

	/* going to the background leaves the folder */
	where = absolute(argv[1]);
	options = xasprintf("-ofsname=%s,subtype=umf-cow%s", NAME,
			    tool->write ? "" : ",ro");
	if (fuse_opt_add_arg(&args, NAME) || fuse_opt_add_arg(&args, options))
		fail("out of memory");
	fuse = fuse_new(&args, &ops, sizeof(ops), NULL);
	if (!fuse)
		fail("FUSE cannot be started");
	if (fuse_mount(fuse, where))
		fail("%s: cannot be mounted on; it needs /dev/fuse, and fusermount3 unless you are root",
		     argv[1]);
	if (fuse_daemonize(tool->foreground))
		fail("cannot go to the background");
	session = fuse_get_session(fuse);
	fuse_set_signal_handlers(session);
	status = fuse_loop(fuse) < 0 ? TOOL_FAILED : TOOL_DONE;
	fuse_remove_signal_handlers(session);
	fuse_unmount(fuse);
	fuse_destroy(fuse);
	fuse_opt_free_args(&args);
	/* what was written reaches the disk, flushed or not */
	if (tool->write)
		err = do_io(UMF_IO_FLUSH, 0, 0, NULL);
	umf_image_close(mounted.image);
	free(where);
	free(options);
	if (err)
		fail("%s: cannot be written (%s)", argv[0], umf_file_error(err));
	return status;
}
