// SPDX-License-Identifier: GPL-2.0
/* Images, locks and deltas: what the verbs do to files before they change any. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "tool.h"

#define NEW_SECTOR_SIZE	512
#define NEW_ALIGNMENT	4096	/* as the kernel and uml_mkcow make them */

void keep_time(int fd, const struct stat *st, const char *file)
{
	const struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT }, st->st_mtim,
	};

	if (futimens(fd, times))
		fail("%s: %s", file, strerror(errno));
}

struct umf_image *image_open(const char *file, const char *backing,
			     bool write, bool own_lock)
{
	const struct umf_blk_options opt = {
		.file = (char *)file,
		.backing = (char *)backing,
		.ro = !write,
		.locked = own_lock,
	};
	char error[UMF_BLK_ERROR_LEN];
	struct umf_image *image;

	/* the driver would make a delta that is not there */
	if (backing && write && access(file, F_OK))
		fail("%s: %s", file, strerror(errno));
	if (umf_image_open(&opt, &image, error))
		fail("%s", error);
	return image;
}

void refuse_half_merged(const char *file)
{
	char *marker = xasprintf("%s" UMF_MERGE_MARKER, file);

	if (!access(marker, F_OK))
		fail("%s: a merge was cut off; " NAME " merge %s goes on with it, before anything else",
		     file, file);
	free(marker);
}

int lock_file(const char *path)
{
	int fd = umf_file_open(path, true), err;

	if (fd < 0)
		fail("%s: cannot be written (%s)", path, umf_file_error(fd));
	err = umf_file_lock(fd, true);
	if (err == -EAGAIN)
		fail("%s: in use by a guest or another program", path);
	if (err)
		fail("%s: cannot be locked (%s)", path, umf_file_error(err));
	return fd;
}

struct umf_file_info file_info(int fd, const char *path)
{
	struct umf_file_info info;
	int err = umf_file_info(fd, &info);

	if (err)
		fail("%s: %s", path, umf_file_error(err));
	return info;
}

bool header_read(int fd, const char *path, struct umf_cow *cow)
{
	struct umf_file_info info = file_info(fd, path);
	u8 head[UMF_COW_HEAD_LEN];
	const char *why;
	long len = umf_file_read_some(fd, head, sizeof(head), 0);
	int kind;

	if (len < 0)
		fail("%s: cannot be read (%s)", path, umf_file_error(len));
	kind = umf_cow_parse(head, len, info.size, cow, &why);
	if (kind < 0)
		fail("%s: %s", path, why);
	return kind > 0;
}

char *backing_path(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');

	if (*name == '/' || !slash)
		return xstrdup(name);
	return xasprintf("%.*s%s", (int)(slash + 1 - file), file, name);
}

char *absolute(const char *path)
{
	char buf[PATH_MAX];

	if (!realpath(path, buf))
		fail("%s: %s", path, strerror(errno));
	return xstrdup(buf);
}

char *relative_to(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	char *folder, *from, *to, *path;
	size_t i, same = 0;

	folder = slash ? xstrndup(file, slash + 1 - file) : xstrdup(".");
	from = absolute(folder);
	to = absolute(name);
	free(folder);
	/* folders that both have in common, each with its slash */
	for (i = 0; from[i] == to[i] && from[i]; i++)
		if (from[i] == '/')
			same = i + 1;
	if (!from[i] && to[i] == '/')
		same = i + 1;
	path = xstrdup(to + same);
	for (i = same; i < strlen(from); i++) {
		if (i != same && from[i - 1] != '/')
			continue;
		folder = path;
		path = xasprintf("../%s", folder);
		free(folder);
	}
	free(from);
	free(to);
	return path;
}

void delta_write(const struct target *target, u64 size, u32 mtime,
		 const char *name)
{
	struct umf_cow cow = {
		.size = size,
		.mtime = mtime,
		.sector_size = NEW_SECTOR_SIZE,
		.alignment = NEW_ALIGNMENT,
	};
	u8 head[UMF_COW_HEAD_LEN];
	const char *why;
	int err;

	if (strlen(name) >= sizeof(cow.backing))
		fail("%s: the name is too long for a header", name);
	strcpy(cow.backing, name);
	if (umf_cow_format(&cow, head, &why))
		fail("%s: cannot be made: %s", target->path, why);
	err = umf_file_write(target->fd, head, sizeof(head), 0);
	if (!err)
		err = umf_file_truncate(target->fd, cow.data_offset + cow.size);
	if (err)
		fail("%s: cannot be written (%s)", target->path,
		     umf_file_error(err));
}

void delta_on(const struct tool *tool, struct target *target,
	      const struct umf_image *backing, const char *path)
{
	struct umf_file_info info = file_info(backing->layer[0].fd, path);
	char *name = tool->relative ? relative_to(target->path, path) :
				      absolute(path);

	delta_write(target, umf_image_size(backing), info.mtime, name);
	free(name);
}
