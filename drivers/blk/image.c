// SPDX-License-Identifier: GPL-2.0
/*
 * Image files: a raw file, or a chain of COW files down to one.
 *
 * Only the topmost file is ever written, and only after every file of the
 * chain was opened, locked and found to be the one that the file above it was
 * made for. What is refused is refused in one line that names the file, says
 * why, and what can be done.
 */
#include <linux/err.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include "blk/image.h"

#define NEW_SECTOR_SIZE	512
#define NEW_ALIGNMENT	4096	/* as ubd makes them */

/* What opening a chain needs to remember. */
struct opening {
	const struct umf_blk_options *opt;
	struct umf_image *image;
	struct umf_file_info seen[UMF_COW_DEPTH_MAX];
	u8 head[UMF_COW_HEAD_LEN];
	struct umf_cow cow;		/* of the file above */
	char path[UMF_COW_PATH_LEN];
	bool elsewhere;			/* the first backing file is backing= */
	struct umf_file_info expected;	/* must be in the chain, if ino */
	char *error;
};

__printf(3, 4)
static int fail(struct opening *op, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(op->error, UMF_BLK_ERROR_LEN, fmt, args);
	va_end(args);
	return err;
}

/* The end of a path, as it has to fit beside a reason. */
static const char *show(const char *path)
{
	size_t len = strlen(path);

	return len > 120 ? path + len - 120 : path;
}

static int open_file(struct opening *op, bool write)
{
	struct umf_image *image = op->image;
	struct umf_file_info *info = &op->seen[image->layers];
	struct umf_layer *layer = &image->layer[image->layers];
	const char *path = op->path;
	unsigned int i;
	bool shared;
	int fd, err;

	fd = umf_file_open(path, write);
	if (fd < 0 && write && (fd == -EACCES || fd == -EROFS || fd == -EPERM))
		return fail(op, fd,
			    "%s: cannot be written (%s)" UMF_HINT_RO,
			    show(path), umf_file_error(fd));
	if (fd == -ENOENT && image->layers)
		return fail(op, fd,
			    "%s: no such file; put the backing file back or say "
			    UMF_HINT_BACKING,
			    show(path));
	if (fd < 0)
		return fail(op, fd, "%s: %s", show(path), umf_file_error(fd));
	layer->fd = fd;
	layer->direct = -1;
	layer->map = NULL;
	layer->shift = 0;
	layer->data_offset = 0;
	image->layers++;

	err = umf_file_info(fd, info);
	if (err)
		return fail(op, err, "%s: %s", show(path), umf_file_error(err));
	if (!info->usable)
		return fail(op, -EINVAL,
			    "%s: neither a regular file nor a block device",
			    show(path));
	if (op->opt->direct) {
		layer->direct = umf_file_reopen_direct(fd, write);
		if (layer->direct < 0)
			return fail(op, layer->direct,
				    "%s: its file system has no direct I/O (%s); leave ,direct away",
				    show(path), umf_file_error(layer->direct));
	}
	for (i = 0; i + 1 < image->layers; i++)
		if (op->seen[i].dev == info->dev && op->seen[i].ino == info->ino)
			return fail(op, -ELOOP, "%s: is its own backing file, %u files up",
				    show(path), image->layers - 1 - i);
	if (image->layers == 1 && op->opt->locked)
		return 0;
	/* who shares it shares its lock, and who wants it for himself finds it */
	shared = image->layers == 1 && op->opt->shared;
	err = umf_file_lock(fd, write && !shared);
	if (err == -EAGAIN && shared)
		return fail(op, -EBUSY,
			    "%s: in use by another guest or program, which does not share it",
			    show(path));
	/* no locks there: sharing is what was asked for */
	if (err && err != -EAGAIN && shared)
		return 0;
	if (err == -EAGAIN && write)
		return fail(op, -EBUSY,
			    "%s: in use by another guest or program"
			    UMF_HINT_SHARED,
			    show(path));
	if (err == -EAGAIN)
		return fail(op, -EBUSY, "%s: somebody else has it open for writing",
			    show(path));
	if (err)
		return fail(op, err,
			    "%s: cannot be locked (%s)" UMF_HINT_NO_LOCK,
			    show(path), umf_file_error(err));
	return 0;
}

/*
 * Was a merge of the topmost file into this one cut off? What both show
 * together is right at any moment of it.
 */
static bool merge_cut_off(struct opening *op)
{
	char *marker;
	int fd;

	marker = kasprintf(GFP_KERNEL, "%s" UMF_MERGE_MARKER, op->opt->file);
	if (!marker)
		return false;
	fd = umf_file_open(marker, false);
	kfree(marker);
	if (fd < 0)
		return false;
	umf_file_close(fd);
	return true;
}

/* Is this file, of that disk size, the one that the file above was made for? */
static int check_backing(struct opening *op, u64 size,
			 const struct umf_file_info *info)
{
	if (size != op->cow.size)
		return fail(op, -EINVAL,
			    "%s: is not what its delta was made on: %llu bytes, not %llu",
			    show(op->path), size, op->cow.size);
	if ((u32)info->mtime != op->cow.mtime &&
	    !(op->image->layers == 2 && !op->elsewhere && merge_cut_off(op)))
		return fail(op, -EINVAL,
			    "%s: was changed after its delta was made; if only in time: touch -d @%u",
			    show(op->path), op->cow.mtime);
	return 0;
}

/* The bits of sectors that the file is too short to hold must be unset. */
static int check_length(struct opening *op, const struct umf_cow *cow,
			u64 file_size, bool write)
{
	const struct umf_layer *layer = &op->image->layer[op->image->layers - 1];
	u64 end = cow->data_offset + cow->size, first, bits, err;

	if (file_size >= end)
		return 0;
	first = div_u64(file_size - cow->data_offset, cow->sector_size);
	bits = min(cow->bitmap_len * 8, cow->sectors);
	if (first < bits && (umf_map_test(layer->map, first) ||
			     umf_map_run(layer->map, first, bits - first) <
			     bits - first))
		return fail(op, -EINVAL,
			    "%s: is cut short: its bitmap says there is more",
			    show(op->path));
	if (!write)
		return 0;
	err = umf_file_truncate(layer->fd, end);
	if (err)
		return fail(op, err, "%s: cannot be extended to %llu bytes (%s)",
			    show(op->path), end, umf_file_error(err));
	return 0;
}

/* The name in a header counts from the folder of its file. */
static int next_path(struct opening *op, const char *backing)
{
	char *slash = strrchr(op->path, '/');
	size_t room = sizeof(op->path);
	char *to = op->path;

	if (*backing != '/' && slash) {
		to = slash + 1;
		room -= to - op->path;
	}
	if (strscpy(to, backing, room) < 0)
		return fail(op, -ENAMETOOLONG,
			    "%s: its backing file's name is too long",
			    show(op->path));
	return 0;
}

static bool changed_at(const char *path, u32 mtime, struct umf_file_info *info)
{
	int fd = umf_file_open(path, false);
	bool is = false;

	if (fd >= 0) {
		is = !umf_file_info(fd, info) && (u32)info->mtime == mtime;
		umf_file_close(fd);
	}
	return is;
}

/*
 * backing= says where a file is that has moved. After a snapshot it is further
 * down, and the file that the header names is the right one.
 */
static int choose_path(struct opening *op, const struct umf_cow *cow)
{
	struct umf_file_info given = {}, info = {};
	int err;

	if (!changed_at(op->opt->backing, cow->mtime, &given) && given.ino) {
		err = next_path(op, cow->backing);
		if (err)
			return err;
		if (changed_at(op->path, cow->mtime, &info) ||
		    (info.ino && merge_cut_off(op))) {
			op->expected = given;
			return 0;
		}
	}
	op->elsewhere = true;
	strscpy(op->path, op->opt->backing, sizeof(op->path));
	return 0;
}

static int check_expected(struct opening *op)
{
	unsigned int i;

	for (i = 1; i < op->image->layers; i++)
		if (op->seen[i].dev == op->expected.dev &&
		    op->seen[i].ino == op->expected.ino)
			return 0;
	return fail(op, -EINVAL, "%s: is not below %s any more; leave it away",
		    show(op->opt->backing), show(op->opt->file));
}

/* Opens the file op->path. 1: it has a backing file, now in op->path. */
static int open_layer(struct opening *op)
{
	struct umf_image *image = op->image;
	unsigned int i = image->layers;
	struct umf_layer *layer = &image->layer[i];
	struct umf_file_info *info = &op->seen[i];
	bool write = !i && !op->opt->ro;
	const char *why;
	struct umf_cow *cow;
	int err, kind;
	long len;

	if (i == UMF_COW_DEPTH_MAX)
		return fail(op, -ELOOP, "%s: more than %u files in the chain",
			    show(op->path), UMF_COW_DEPTH_MAX);
	err = open_file(op, write);
	if (err)
		return err;
	len = umf_file_read_some(layer->fd, op->head, sizeof(op->head), 0);
	if (len < 0)
		return fail(op, len, "%s: cannot be read (%s)", show(op->path),
			    umf_file_error(len));
	cow = kzalloc_obj(*cow);
	if (!cow)
		return fail(op, -ENOMEM, "out of memory");

	kind = !i && op->opt->raw ? 0 :
	       umf_cow_parse(op->head, len, info->size, cow, &why);
	if (kind < 0) {
		err = fail(op, -EINVAL, "%s: %s", show(op->path), why);
		goto out;
	}
	layer->size = kind ? cow->size : info->size;
	if (!i)
		image->id = info->dev << 48 ^ info->ino;
	if (i)
		err = check_backing(op, layer->size, info);
	else if (!layer->size)
		err = fail(op, -EINVAL, "%s: is empty", show(op->path));
	else if (!kind && op->opt->backing)
		err = fail(op, -EINVAL,
			   "%s: is a raw image, which has no backing file",
			   show(op->path));
	else if (kind && write && op->opt->shared)
		err = fail(op, -EINVAL,
			   "%s: a COW file has one writer; share a raw image",
			   show(op->path));
	else if (kind && write && cow->version != 3)
		err = fail(op, -EINVAL,
			   "%s: is of version %u, which is only read; make a delta on it",
			   show(op->path), cow->version);
	if (err || !kind)
		goto out;

	layer->shift = ilog2(cow->sector_size / UMF_SECTOR);
	layer->map_offset = cow->bitmap_offset;
	layer->map_len = cow->bitmap_len;
	layer->data_offset = cow->data_offset;
	/* v2 can come without a single bit */
	err = cow->bitmap_len ?
	      umf_map_load(layer->fd, cow->bitmap_offset, cow->bitmap_len,
			   &layer->map) : -EINVAL;
	if (err) {
		fail(op, err, "%s: its bitmap cannot be read (%s)",
		     show(op->path), umf_file_error(err));
		goto out;
	}
	err = check_length(op, cow, info->size, write);
	if (err)
		goto out;
	err = !i && op->opt->backing ? choose_path(op, cow) :
				       next_path(op, cow->backing);
	op->cow = *cow;
out:
	kfree(cow);
	return err ?: kind;
}

/* ---- a new delta ---- */

static int write_delta(struct opening *op, const char *temporary,
		       struct umf_cow *cow)
{
	const char *file = op->opt->file, *why;
	int fd, err;

	if (umf_cow_format(cow, op->head, &why))
		return fail(op, -EINVAL, "%s: cannot be made: %s", show(file),
			    why);
	fd = umf_file_create_temporary(temporary);
	if (fd < 0)
		return fail(op, fd, "%s: cannot be made (%s)",
			    show(temporary), umf_file_error(fd));
	err = umf_file_write(fd, op->head, UMF_COW_HEAD_LEN, 0);
	if (!err)
		err = umf_file_truncate(fd, cow->data_offset + cow->size);
	if (!err)
		err = umf_file_sync(fd);
	umf_file_close(fd);
	if (!err)
		err = umf_file_publish(temporary, file);
	if (err) {
		umf_file_unlink(temporary);
		fail(op, err, "%s: cannot be made (%s)", show(file),
		     umf_file_error(err));
	}
	return err;
}

/* The topmost file is missing: makes it on top of opt->backing. */
static int make_delta(struct opening *op)
{
	const struct umf_blk_options below = {
		.file = op->opt->backing,
		.ro = true,
	};
	struct umf_file_info info;
	struct umf_image *image;
	struct umf_cow *cow;
	char *temporary;
	int err;

	err = umf_image_open(&below, &image, op->error);
	if (err)
		return err;
	cow = kzalloc_obj(*cow);
	temporary = kasprintf(GFP_KERNEL, "%s.new", op->opt->file);
	err = -ENOMEM;
	if (!cow || !temporary) {
		fail(op, err, "out of memory");
		goto out;
	}
	err = umf_file_info(image->layer[0].fd, &info);
	if (!err)
		err = umf_file_absolute(op->opt->backing, cow->backing);
	if (err) {
		fail(op, err, "%s: %s", show(op->opt->backing),
		     umf_file_error(err));
		goto out;
	}
	cow->size = umf_image_size(image);
	cow->mtime = info.mtime;
	cow->sector_size = NEW_SECTOR_SIZE;
	cow->alignment = NEW_ALIGNMENT;
	err = write_delta(op, temporary, cow);
	if (!err)
		/* as it was said: another folder is no other run */
		pr_info("%s: made as a delta on %s\n", op->opt->file,
			op->opt->backing);
out:
	kfree(temporary);
	kfree(cow);
	umf_image_close(image);
	return err;
}

/* ---- images ---- */

int umf_image_open(const struct umf_blk_options *opt, struct umf_image **image,
		   char *error)
{
	struct opening *op;
	int err, fd;

	op = vzalloc(sizeof(*op));
	if (!op) {
		snprintf(error, UMF_BLK_ERROR_LEN, "out of memory");
		return -ENOMEM;
	}
	op->opt = opt;
	op->error = error;
	err = -ENOMEM;
	op->image = vzalloc(sizeof(*op->image));
	if (!op->image) {
		fail(op, err, "out of memory");
		goto out;
	}
	op->image->writable = !opt->ro;
	op->image->strict = opt->strict;
	op->image->direct = opt->direct ? UMF_SECTOR : 0;
	err = -ENAMETOOLONG;
	if (strscpy(op->path, opt->file, sizeof(op->path)) < 0 ||
	    (opt->backing && strlen(opt->backing) >= sizeof(op->path))) {
		fail(op, err, "%s: the name is too long", show(opt->file));
		goto out;
	}
	if (opt->backing && !opt->ro) {
		fd = umf_file_open(opt->file, false);
		err = fd == -ENOENT ? make_delta(op) : 0;
		if (fd >= 0)
			umf_file_close(fd);
		if (err)
			goto out;
	}
	do {
		err = open_layer(op);
	} while (err > 0);
	if (!err && op->expected.ino)
		err = check_expected(op);
out:
	if (!err)
		*image = op->image;
	else if (op->image)
		umf_image_close(op->image);
	vfree(op);
	return err;
}

void umf_image_close(struct umf_image *image)
{
	unsigned int i;

	for (i = 0; i < image->layers; i++) {
		if (image->layer[i].map)
			umf_map_free(image->layer[i].map,
				     image->layer[i].map_len);
		if (image->layer[i].direct >= 0)
			umf_file_close(image->layer[i].direct);
		umf_file_close(image->layer[i].fd);
	}
	vfree(image);
}

u64 umf_image_size(const struct umf_image *image)
{
	return image->layer[0].size;
}

unsigned int umf_image_unit(const struct umf_image *image)
{
	return UMF_SECTOR << image->layer[0].shift;
}
