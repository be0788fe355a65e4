// SPDX-License-Identifier: GPL-2.0
/*
 * create, snapshot, clone, rollback: verbs that only make deltas.
 *
 * A delta says of its backing file how big it is and when it was last written;
 * a file with deltas on it must not be written any more. A snapshot therefore
 * never moves content: the image's file gets the snapshot's name, and a new
 * delta on it takes the image's name, in one step.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "tool.h"

int verb_create(const struct tool *tool, int argc, char **argv)
{
	struct umf_image *image = NULL;
	struct target target;
	int err;

	(void)argc;
	if (!tool->backing == !tool->size)
		usage("create needs either --backing or --size");
	if (tool->relative && !tool->backing)
		usage("--relative goes with --backing");
	/* locked until the delta that counts on it is there */
	if (tool->backing) {
		refuse_half_merged(tool->backing);
		image = image_open(tool->backing, NULL, false, false);
	}
	target_open(&target, argv[0], tool->force);
	if (image) {
		delta_on(tool, &target, image, tool->backing);
	} else {
		err = umf_file_truncate(target.fd, tool->size);
		if (err)
			fail("%s: cannot be made (%s)", argv[0],
			     umf_file_error(err));
	}
	target_publish(&target);
	if (image)
		umf_image_close(image);
	return TOOL_DONE;
}

static bool same_file(int fd, const char *name)
{
	struct umf_file_info a = file_info(fd, name), b;
	int other = umf_file_open(name, false);

	if (other < 0)
		return false;
	b = file_info(other, name);
	close(other);
	return a.dev == b.dev && a.ino == b.ino;
}

int verb_snapshot(const struct tool *tool, int argc, char **argv)
{
	const char *file = argv[0], *name = argv[1];
	int lock = lock_file(file);
	struct umf_image *image = image_open(file, NULL, false, true);
	struct umf_file_info info = file_info(lock, file);
	struct umf_cow cow;
	struct target target;
	char *path, *here, *there;

	(void)argc;
	refuse_half_merged(file);
	/* what its header calls its backing file must stay true elsewhere */
	if (header_read(lock, file, &cow) && *cow.backing != '/') {
		here = backing_path(file, cow.backing);
		there = backing_path(name, cow.backing);
		if (access(there, F_OK) || strcmp(absolute(here), absolute(there)))
			fail("%s: names its backing file from its folder on; the snapshot must be in the same folder",
			     file);
		free(here);
		free(there);
	}
	target_open(&target, file, TARGET_OURS);
	target_resemble(&target, lock);
	/* it may have the name already, from one that was stopped here */
	if (link(file, name) && (errno != EEXIST || !same_file(lock, name)))
		fail("%s: cannot be made (%s)", name, strerror(errno));
	sync_folder(name);
	path = tool->relative ? relative_to(file, name) : absolute(name);
	delta_write(&target, umf_image_size(image), info.mtime, path);
	target_publish(&target);
	say(tool, "%s: is kept as %s", file, name);
	free(path);
	umf_image_close(image);
	close(lock);
	return TOOL_DONE;
}

/* A copy of the image's own file, which keeps its backing file. */
static void copy_file(const struct tool *tool, struct umf_image *image,
		      const char *file, const char *to)
{
	int fd = image->layer[0].fd, err;
	struct umf_file_info info = file_info(fd, file);
	struct target target;
	struct umf_cow cow;
	u8 head[UMF_COW_HEAD_LEN];
	const char *why;
	char *path, *name;

	target_open(&target, to, tool->force);
	progress_begin(tool, to, info.size);
	copy_range(fd, 0, target.fd, 0, info.size, false);
	progress_end();
	err = umf_file_truncate(target.fd, info.size);
	if (!err && header_read(fd, file, &cow)) {
		path = backing_path(file, cow.backing);
		name = tool->relative ? relative_to(to, path) : absolute(path);
		if (strcmp(name, cow.backing)) {
			if (cow.version != 3 || cow.wide)
				fail("%s: its header is of an old version and cannot be changed; convert it",
				     file);
			if (strlen(name) >= sizeof(cow.backing))
				fail("%s: the name is too long", name);
			strcpy(cow.backing, name);
			if (umf_cow_format(&cow, head, &why))
				fail("%s: %s", to, why);
			/* some bitmaps begin before UMF_COW_HEAD_LEN */
			err = umf_file_write(target.fd, head,
					     cow.bitmap_offset < sizeof(head) ?
					     cow.bitmap_offset : sizeof(head),
					     0);
		}
		free(path);
		free(name);
	}
	if (err)
		fail("%s: cannot be written (%s)", to, umf_file_error(err));
	target_publish(&target);
}

int verb_clone(const struct tool *tool, int argc, char **argv)
{
	struct umf_image *image;
	struct target target;
	int i;

	refuse_half_merged(argv[0]);
	image = image_open(argv[0], NULL, false, false);

	for (i = 1; i < argc; i++) {
		signals_check();
		if (tool->copy) {
			copy_file(tool, image, argv[0], argv[i]);
			continue;
		}
		target_open(&target, argv[i], tool->force);
		delta_on(tool, &target, image, argv[0]);
		target_publish(&target);
	}
	umf_image_close(image);
	return TOOL_DONE;
}

/* Which file of the chain, from the topmost on, is that one? 0: none below. */
static unsigned int find_below(const struct umf_image *image, const char *name)
{
	int fd = umf_file_open(name, false);
	struct umf_file_info want, info;
	unsigned int i, found = 0;

	if (fd < 0)
		fail("%s: %s", name, umf_file_error(fd));
	want = file_info(fd, name);
	close(fd);
	for (i = 1; i < image->layers; i++) {
		info = file_info(image->layer[i].fd, name);
		if (info.dev == want.dev && info.ino == want.ino)
			found = i;
	}
	return found;
}

int verb_rollback(const struct tool *tool, int argc, char **argv)
{
	const char *file = argv[0];
	int lock = lock_file(file);
	struct umf_image *image = image_open(file, NULL, false, true);
	struct target target;
	struct umf_cow cow;
	char *name;
	u32 mtime;
	unsigned int below = 1;

	refuse_half_merged(file);
	if (!header_read(lock, file, &cow))
		fail("%s: is a raw image, there is nothing to go back to", file);
	target_open(&target, file, TARGET_OURS);
	target_resemble(&target, lock);
	if (argc > 1) {
		below = find_below(image, argv[1]);
		if (!below)
			fail("%s: is not below %s; " NAME " info lists what is",
			     argv[1], file);
	}
	mtime = file_info(image->layer[below].fd, file).mtime;
	if (below == 1)
		name = xstrdup(cow.backing);
	else
		name = absolute(argv[1]);
	delta_write(&target, umf_image_size(image), mtime, name);
	target_publish(&target);
	say(tool, "%s: is as %s again", file, name);
	free(name);
	umf_image_close(image);
	close(lock);
	return TOOL_DONE;
}
