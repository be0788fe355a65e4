// SPDX-License-Identifier: GPL-2.0
/*
 * merge: a delta goes into its backing file, or files of a chain become one.
 *
 * Downwards, the backing file is copied (its blocks are shared where the host
 * can), the delta's sectors are put into the copy, the copy takes the backing
 * file's name, and last an empty delta takes the delta's. With --in-place the
 * sectors go into the backing file itself: data, sync, bitmap, sync. Whatever
 * is read through the delta is the same at any moment of either.
 *
 * While the backing file is new and the delta is not, their times disagree and
 * guests refuse the delta. For that time a file <image>.merge is there; with it
 * a merge that was cut off can be done again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "tool.h"

#define RUN_MAX		(1ULL << 16)	/* sectors between two looks at signals */

struct merge {
	const struct tool *tool;
	const char *file;
	char *backing;		/* its path */
	char *marker;
	int fd;			/* of the delta, locked */
	struct umf_cow cow;
	u8 *map;
	u64 bits;		/* of the map that mean something */
	struct umf_image *below;	/* the backing file and its chain, locked */
};

static void delta_open(struct merge *merge)
{
	struct umf_file_info info, below;
	int err, fd;

	merge->fd = lock_file(merge->file);
	if (!header_read(merge->fd, merge->file, &merge->cow))
		fail("%s: is a raw image, which has no backing file", merge->file);
	merge->backing = merge->tool->backing ? xstrdup(merge->tool->backing) :
			 backing_path(merge->file, merge->cow.backing);
	merge->marker = xasprintf("%s.merge", merge->file);
	info = file_info(merge->fd, merge->file);
	if (info.size < merge->cow.data_offset)
		fail("%s: ends inside its bitmap", merge->file);

	fd = umf_file_open(merge->backing, false);
	if (fd < 0)
		fail("%s: %s; put it back or say --backing", merge->backing,
		     umf_file_error(fd));
	below = file_info(fd, merge->backing);
	close(fd);
	if ((u32)below.mtime != merge->cow.mtime && access(merge->marker, F_OK))
		fail("%s: was changed after its delta was made; if only in time: touch -d @%u",
		     merge->backing, merge->cow.mtime);
	if (below.dev == info.dev && below.ino == info.ino)
		fail("%s: is its own backing file", merge->file);
	merge->bits = merge->cow.bitmap_len * 8;
	if (merge->bits > merge->cow.sectors)
		merge->bits = merge->cow.sectors;
	err = merge->cow.bitmap_len ?
	      umf_map_load(merge->fd, merge->cow.bitmap_offset,
			   merge->cow.bitmap_len, &merge->map) : -EINVAL;
	if (err)
		fail("%s: its bitmap cannot be read (%s)", merge->file,
		     umf_file_error(err));
}

/* It must be ours alone, and its sectors no larger than the delta's. */
static void below_open(struct merge *merge)
{
	merge->below = image_open(merge->backing, NULL, true, false);
	if (umf_image_size(merge->below) != merge->cow.size)
		fail("%s: is not what its delta was made on: %llu bytes, not %llu",
		     merge->backing, umf_image_size(merge->below),
		     merge->cow.size);
	if (umf_image_unit(merge->below) > merge->cow.sector_size)
		fail("%s: keeps sectors of %u bytes, its delta of %u; merge them into a new file",
		     merge->backing, umf_image_unit(merge->below),
		     merge->cow.sector_size);
}

/* Puts the delta's sectors into @to, a file that is as the backing file. */
static void put_sectors(struct merge *merge, int to)
{
	const struct umf_layer *layer = &merge->below->layer[0];
	unsigned int unit = merge->cow.sector_size;
	u64 bit = 0, run, at, len, n, first;
	int err;

	progress_begin(merge->tool, "merge",
		       map_count(merge->map, merge->bits) * unit);
	for (; bit < merge->bits; bit += run) {
		n = merge->bits - bit < RUN_MAX ? merge->bits - bit : RUN_MAX;
		run = umf_map_run(merge->map, bit, n);
		if (!umf_map_test(merge->map, bit))
			continue;
		at = bit * unit;
		len = run * unit;
		if (at + len > merge->cow.size)
			len = merge->cow.size - at;
		copy_range(merge->fd, merge->cow.data_offset + at, to,
			   layer->data_offset + at, len, true);
		if (layer->map) {
			first = at / UMF_SECTOR >> layer->shift;
			n = ((at + len - 1) / UMF_SECTOR >> layer->shift) -
			    first + 1;
			umf_map_set(layer->map, first, n);
		}
		progress_add(len);
	}
	progress_end();
	err = umf_file_sync(to);
	if (err)
		fail("%s: cannot be written (%s)", merge->backing,
		     umf_file_error(err));
	if (!layer->map)
		return;
	map_write(to, layer->map_offset, layer->map, layer->map_len);
	err = umf_file_sync(to);
	if (err)
		fail("%s: cannot be written (%s)", merge->backing,
		     umf_file_error(err));
}

static void marker_make(const struct merge *merge)
{
	int fd = open(merge->marker, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0 || fsync(fd))
		fail("%s: cannot be made (%s)", merge->marker, strerror(errno));
	close(fd);
	sync_folder(merge->marker);
}

static void into_itself(struct merge *merge)
{
	marker_make(merge);
	stopped_says = "run it again to go on";
	put_sectors(merge, merge->below->layer[0].fd);
}

static void into_a_copy(struct merge *merge, struct target *target)
{
	int fd = merge->below->layer[0].fd;
	struct umf_file_info info = file_info(fd, merge->backing);
	int err;

	target_open(target, merge->backing, TARGET_OURS);
	target_resemble(target, fd);
	progress_begin(merge->tool, "copy of the backing file", info.size);
	copy_range(fd, 0, target->fd, 0, info.size, false);
	progress_end();
	err = umf_file_truncate(target->fd, info.size);
	if (err)
		fail("%s: cannot be written (%s)", merge->backing,
		     umf_file_error(err));
	put_sectors(merge, target->fd);
}

/*
 * The backing file's new time, which must differ from the old one in full
 * seconds: other deltas on it are no longer right.
 */
static struct umf_file_info touch_below(const struct merge *merge, int fd)
{
	struct umf_file_info info = file_info(fd, merge->backing);
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	if ((u32)info.mtime != merge->cow.mtime)
		return info;
	times[1].tv_sec = info.mtime + 1;
	if (futimens(fd, times))
		fail("%s: %s", merge->backing, strerror(errno));
	return file_info(fd, merge->backing);
}

static int merge_down(const struct tool *tool, const char *file)
{
	struct merge merge = { .tool = tool, .file = file };
	struct target below, delta;
	struct umf_file_info info;
	struct stat st;
	char *name;
	int fd;

	delta_open(&merge);
	below_open(&merge);
	if (tool->in_place) {
		into_itself(&merge);
		fd = dup(merge.below->layer[0].fd);
	} else {
		into_a_copy(&merge, &below);
		fd = dup(below.fd);
		marker_make(&merge);
	}
	info = touch_below(&merge, fd);
	target_open(&delta, file, TARGET_OURS);
	target_resemble(&delta, merge.fd);
	if (tool->relative)
		name = relative_to(file, merge.backing);
	else if (tool->backing)
		name = absolute(tool->backing);
	else
		name = xstrdup(merge.cow.backing);
	delta_write(&delta, merge.cow.size, info.mtime, name);
	if (fstat(merge.fd, &st))
		fail("%s: %s", file, strerror(errno));
	keep_time(delta.fd, &st, file);
	if (!tool->in_place)
		target_publish(&below);
	target_publish(&delta);
	unlink(merge.marker);
	sync_folder(merge.marker);
	say(tool, "%s: what it held is in %s now", file, merge.backing);
	free(name);
	free(merge.backing);
	free(merge.marker);
	umf_map_free(merge.map, merge.cow.bitmap_len);
	umf_image_close(merge.below);
	close(merge.fd);
	close(fd);
	return TOOL_DONE;
}

int verb_merge(const struct tool *tool, int argc, char **argv)
{
	struct tool as = *tool;
	struct umf_image *image;

	if (argc == 1) {
		if (tool->depth || tool->force)
			usage("--depth and --force go with merge into a new file");
		return merge_down(tool, argv[0]);
	}
	if (tool->in_place)
		usage("--in-place goes with merge into the backing file");
	image = image_open(argv[0], tool->backing, false, false);
	if (!tool->depth || tool->depth == image->layers) {
		as.format = FORMAT_RAW;
	} else if (tool->depth > image->layers) {
		fail("%s: has only %u files", argv[0], image->layers);
	} else {
		as.format = FORMAT_COW;
		as.depth = tool->depth;
	}
	umf_image_close(image);
	return verb_convert(&as, argc, argv);
}
