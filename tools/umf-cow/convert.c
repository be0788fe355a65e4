// SPDX-License-Identifier: GPL-2.0
/*
 * convert: the same content in another file. From and to qcow2 qemu-img does
 * it, on a raw file in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "tool.h"

#define STEP	(1UL << 20)

static bool is_qcow2(const char *path)
{
	char magic[4];
	int fd = umf_file_open(path, false);
	bool is;

	if (fd < 0)
		fail("%s: %s", path, umf_file_error(fd));
	is = umf_file_read_some(fd, magic, 4, 0) == 4 &&
	     !memcmp(magic, "QFI\xfb", 4);
	close(fd);
	return is;
}

static void qemu_img(const char *from_format, const char *from,
		     const char *to_format, const char *to)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		execlp("qemu-img", "qemu-img", "convert", "-f", from_format,
		       "-O", to_format, "--", from, to, NULL);
		fprintf(stderr, NAME ": qcow2 needs qemu-img (%s)\n",
			strerror(errno));
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		fail("qemu-img: %s", strerror(errno));
	signals_check();
	if (status)
		fail("%s: qemu-img could not convert it", from);
}

static void to_raw(const struct tool *tool, const struct umf_image *image,
		   const struct target *target)
{
	int err;

	err = umf_file_truncate(target->fd, umf_image_size(image));
	if (err)
		fail("%s: cannot be written (%s)", target->path,
		     umf_file_error(err));
	progress_begin(tool, "copy", umf_image_size(image));
	copy_image(image, image->layers, target->fd, 0, NULL, 0);
	progress_end();
}

/* The target's header, and an empty bitmap in memory for it. */
static u8 *delta_begin(const struct target *target, struct umf_cow *cow)
{
	u8 *map;

	if (!header_read(target->fd, target->path, cow) ||
	    umf_map_load(target->fd, cow->bitmap_offset, cow->bitmap_len, &map))
		fail("%s: out of memory", target->path);
	return map;
}

/* The path of file @layer of the chain that begins with @file. */
static char *path_of_layer(const char *file, const char *backing,
			   const struct umf_image *image, unsigned int layer)
{
	char *path = xstrdup(file), *next;
	struct umf_cow cow;
	unsigned int i;

	for (i = 0; i < layer; i++) {
		header_read(image->layer[i].fd, path, &cow);
		next = !i && backing ? xstrdup(backing) :
				       backing_path(path, cow.backing);
		free(path);
		path = next;
	}
	return path;
}

/* The topmost @layers files as one, on the file below them. */
static void to_delta(const struct tool *tool, const struct umf_image *image,
		     const char *file, unsigned int layers,
		     const struct target *target)
{
	char *path = path_of_layer(file, tool->backing, image, layers);
	char *name = tool->relative ? relative_to(target->path, path) :
				      absolute(path);
	struct umf_cow cow;
	u8 *map;

	delta_write(target, umf_image_size(image),
		    file_info(image->layer[layers].fd, path).mtime, name);
	map = delta_begin(target, &cow);
	progress_begin(tool, "copy", umf_image_size(image));
	copy_image(image, layers, target->fd, cow.data_offset, map, 0);
	progress_end();
	map_write(target->fd, cow.bitmap_offset, map, cow.bitmap_len);
	umf_map_free(map, cow.bitmap_len);
	free(path);
	free(name);
}

static void read_image(struct umf_image *image, const char *file, u64 sector,
		       u64 nr, void *buf)
{
	const struct umf_io_vec vec = { buf, nr * UMF_SECTOR };
	const struct umf_io io = {
		.op = UMF_IO_READ, .sector = sector, .nr = nr, .nvec = 1,
		.vec = &vec,
	};
	int err = umf_io_exec(image, &io);

	if (err)
		fail("%s: cannot be read (%s)", file, umf_file_error(err));
}

/* What differs from another image, as a delta on that. */
static void to_difference(const struct tool *tool, struct umf_image *image,
			  const char *file, struct target *target)
{
	struct umf_image *base = image_open(tool->backing, NULL, false, false);
	u64 size = umf_image_size(image), sector, n, i;
	u64 sectors = (size + UMF_SECTOR - 1) / UMF_SECTOR;
	char *a = xrealloc(NULL, STEP), *b = xrealloc(NULL, STEP);
	struct umf_cow cow;
	u8 *map;
	int err;

	if (umf_image_size(base) != size)
		fail("%s: has %llu bytes and %s %llu; they must be the same",
		     file, size, tool->backing, umf_image_size(base));
	delta_on(tool, target, base, tool->backing);
	map = delta_begin(target, &cow);
	progress_begin(tool, "compare", size);
	for (sector = 0; sector < sectors; sector += n) {
		n = STEP / UMF_SECTOR;
		if (n > sectors - sector)
			n = sectors - sector;
		read_image(image, file, sector, n, a);
		read_image(base, tool->backing, sector, n, b);
		for (i = 0; i < n; i++) {
			if (!memcmp(a + i * UMF_SECTOR, b + i * UMF_SECTOR,
				    UMF_SECTOR))
				continue;
			err = 0;
			if (!is_zero(a + i * UMF_SECTOR, UMF_SECTOR))
				err = umf_file_write(target->fd,
						     a + i * UMF_SECTOR,
						     UMF_SECTOR,
						     cow.data_offset +
						     (sector + i) * UMF_SECTOR);
			if (err)
				fail("%s: cannot be written (%s)",
				     target->path, umf_file_error(err));
			umf_map_set(map, sector + i, 1);
		}
		progress_add(n * UMF_SECTOR);
	}
	progress_end();
	map_write(target->fd, cow.bitmap_offset, map, cow.bitmap_len);
	umf_map_free(map, cow.bitmap_len);
	free(a);
	free(b);
	umf_image_close(base);
}

/* qemu-img has put another file in a target's place. */
static void target_reopen(struct target *target)
{
	close(target->fd);
	target->fd = umf_file_open(target->temporary, true);
	if (target->fd < 0)
		fail("%s: %s", target->temporary, umf_file_error(target->fd));
}

/* How @to is opened; the image itself may become it. */
static enum target_how target_how(const struct tool *tool,
				  const struct umf_image *image, const char *to)
{
	struct umf_file_info from, old;
	int fd;

	if (!tool->force)
		return TARGET_NEW;
	fd = umf_file_open(to, false);
	if (fd < 0)
		return TARGET_REPLACE;
	from = file_info(image->layer[0].fd, to);
	old = file_info(fd, to);
	close(fd);
	return from.dev == old.dev && from.ino == old.ino ? TARGET_OURS :
							    TARGET_REPLACE;
}

/* Beside the file that it is to be, for a while. */
static enum target_how scratch_how(const struct tool *tool)
{
	return tool->force ? TARGET_OURS : TARGET_NEW;
}

static void to_qcow2(const struct tool *tool, const struct umf_image *image,
		     const char *to)
{
	struct target raw, target;

	target_open_named(&raw, to, scratch_how(tool));
	to_raw(tool, image, &raw);
	target_open_named(&target, to, target_how(tool, image, to));
	qemu_img("raw", raw.temporary, "qcow2", target.temporary);
	target_reopen(&target);
	target_publish(&target);
	target_drop(&raw);
}

static void to_cow(const struct tool *tool, struct umf_image *image,
		   const char *file, bool compare, const char *to)
{
	unsigned int layers = tool->depth ? tool->depth : image->layers - 1;
	struct target target;

	if (!compare && !layers)
		fail("%s: is a raw image; --backing says what a delta is to count on",
		     file);
	if (!compare)
		refuse_half_merged(file);
	target_open(&target, to, target_how(tool, image, to));
	if (compare)
		to_difference(tool, image, file, &target);
	else
		to_delta(tool, image, file, layers, &target);
	target_publish(&target);
}

int verb_convert(const struct tool *tool, int argc, char **argv)
{
	const char *file = argv[0], *to = argv[1];
	enum tool_format format = tool->format ? tool->format : FORMAT_RAW;
	/* with cow, --backing is about the new file */
	bool compare = format == FORMAT_COW && tool->backing && !tool->depth;
	bool qcow2 = is_qcow2(file);
	struct umf_image *image;
	struct target raw, target;

	(void)argc;
	if (tool->relative && format != FORMAT_COW)
		usage("--relative goes with --format cow");
	if (qcow2) {
		target_open_named(&raw, to, format == FORMAT_RAW && tool->force ?
					    TARGET_REPLACE : scratch_how(tool));
		qemu_img("qcow2", file, "raw", raw.temporary);
		target_reopen(&raw);
		if (format == FORMAT_RAW) {
			target_publish(&raw);
			return TOOL_DONE;
		}
		image = image_open(raw.temporary, NULL, false, false);
	} else {
		image = image_open(file, compare ? NULL : tool->backing, false,
				   false);
	}
	if (format == FORMAT_RAW) {
		target_open(&target, to, target_how(tool, image, to));
		to_raw(tool, image, &target);
		target_publish(&target);
	} else if (format == FORMAT_COW) {
		to_cow(tool, image, file, compare, to);
	} else {
		to_qcow2(tool, image, to);
	}
	umf_image_close(image);
	if (qcow2)
		target_drop(&raw);
	return TOOL_DONE;
}
