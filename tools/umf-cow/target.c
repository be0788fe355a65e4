// SPDX-License-Identifier: GPL-2.0
/*
 * Files that appear whole or not at all. Where the host can, a new file has no
 * name until it is complete and on the disk: nothing is left of it whatever
 * ends the program. Else, and where another program writes it, it has a
 * temporary name beside its own, which is removed when the program fails.
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

#define MOST	4	/* temporary names at one time */

static const char *unfinished[MOST];

void targets_abandon(void)
{
	int i;

	for (i = 0; i < MOST; i++)
		if (unfinished[i])
			unlink(unfinished[i]);
}

static void remember(const char *name)
{
	static bool registered;
	int i;

	if (!registered)
		atexit(targets_abandon);
	registered = true;
	for (i = 0; i < MOST && unfinished[i]; i++)
		;
	if (i < MOST)
		unfinished[i] = name;
}

static void forget(const char *name)
{
	int i;

	for (i = 0; i < MOST; i++)
		if (unfinished[i] == name)
			unfinished[i] = NULL;
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? xstrndup(path, slash + 1 - path) : xstrdup(".");
}

/* Whoever has it open would go on writing to a file that has no name. */
static int lock_old(const char *path)
{
	int fd = umf_file_open(path, true), err;

	if (fd < 0)
		fd = umf_file_open(path, false);
	if (fd < 0)
		return fd;
	err = umf_file_lock(fd, true);
	if (err == -EBADF)
		err = umf_file_lock(fd, false);
	if (err == -EAGAIN)
		fail("%s: in use by a guest or another program", path);
	return fd;
}

static void begin(struct target *target, const char *path, enum target_how how)
{
	struct stat st;

	if (!*path)
		fail("the name of a file is empty");
	if (how == TARGET_NEW && !access(path, F_OK))
		fail("%s: is there already; --force replaces it", path);
	target->path = xstrdup(path);
	target->temporary = NULL;
	target->replace = how != TARGET_NEW;
	target->old = -1;
	if (how == TARGET_REPLACE && !stat(path, &st) && S_ISREG(st.st_mode))
		target->old = lock_old(path);
}

static char *temporary_name(const char *path)
{
	static unsigned int n;

	return xasprintf("%s.%d-%u.new", path, (int)getpid(), ++n);
}

void target_open_named(struct target *target, const char *path,
		       enum target_how how)
{
	begin(target, path, how);
	target->temporary = temporary_name(path);
	target->fd = open(target->temporary,
			  O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (target->fd < 0)
		fail("%s: cannot be made (%s)", target->temporary,
		     strerror(errno));
	remember(target->temporary);
}

void target_open(struct target *target, const char *path, enum target_how how)
{
	char *folder;

	begin(target, path, how);
	folder = folder_of(path);
	target->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
	free(folder);
	if (target->fd >= 0)
		return;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		fail("%s: cannot be made (%s)", path, strerror(errno));
	free(target->path);
	if (target->old >= 0)
		close(target->old);
	target_open_named(target, path, how);
}

void target_resemble(struct target *target, int fd)
{
	struct stat st;

	if (fstat(fd, &st) || fchmod(target->fd, st.st_mode & 07777))
		fail("%s: %s", target->path, strerror(errno));
	/* ours, if we may not give it away */
	if (fchown(target->fd, st.st_uid, st.st_gid))
		return;
}

static int name_it(struct target *target, const char *name)
{
	char *self = xasprintf("/proc/self/fd/%d", target->fd);
	int err = linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW);

	free(self);
	return err;
}

void sync_folder(const char *path)
{
	char *folder = folder_of(path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || (fsync(fd) && errno != EINVAL))
		fail("%s: %s", folder, strerror(errno));
	close(fd);
	free(folder);
}

void target_publish(struct target *target)
{
	int err = umf_file_sync(target->fd);

	if (err)
		fail("%s: cannot be written (%s)", target->path,
		     umf_file_error(err));
	if (!target->temporary && !target->replace) {
		if (name_it(target, target->path))
			fail("%s: cannot be made (%s)", target->path,
			     strerror(errno));
	} else {
		if (!target->temporary) {
			target->temporary = temporary_name(target->path);
			if (name_it(target, target->temporary))
				fail("%s: cannot be made (%s)",
				     target->temporary, strerror(errno));
			remember(target->temporary);
		}
		/* link() never replaces what came meanwhile, rename() does */
		if (target->replace ? rename(target->temporary, target->path) :
				      link(target->temporary, target->path))
			fail("%s: cannot be made (%s)", target->path,
			     strerror(errno));
		if (!target->replace)
			unlink(target->temporary);
		forget(target->temporary);
	}
	sync_folder(target->path);
	target_drop(target);
}

void target_drop(struct target *target)
{
	int i;

	for (i = 0; target->temporary && i < MOST; i++)
		if (unfinished[i] == target->temporary)
			unlink(target->temporary);
	forget(target->temporary);
	close(target->fd);
	if (target->old >= 0)
		close(target->old);
	free(target->temporary);
	free(target->path);
}
