// SPDX-License-Identifier: GPL-2.0
/*
 * Where a lab lives.
 *
 *	<lab file without its ending>.run/	the run folder
 *		<guest>.log <guest>-umfa.cow …
 *	/dev/shm/umf-lab-<uid>/			0700, ours
 *		<lab>-<hash>.lock		held by up, down and the like
 *		<lab>-<hash>/			the live folder
 *			seg/ link/ uml/ guest/<guest>/
 *
 * The hash is that of the run folder's path: a lab that is copied, or has
 * another run folder, is another lab. A guest inherits the lock for as long as
 * it takes to write its record and to exec, so whoever has the lock knows of
 * every process there is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

#define LOCK_WAIT_NS	2000000000LL

static char *locked;		/* the live folder whose lock is ours */

char *place_tool(const char *path)
{
	char self[PATH_MAX], *dir, *found;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[len < 0 ? 0 : len] = '\0';
	dir = dirname(dirname(self));
	found = xasprintf("%s/%s", dir, path);
	if (!access(found, F_OK))
		return found;
	free(found);
	found = xasprintf("%s/lib/umf/%s", dir, path);	/* installed */
	if (!access(found, F_OK))
		return found;
	free(found);
	return xasprintf("%s/%s", dir, path);
}

static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261u;

	while (*text)
		h = (h ^ (unsigned char)*text++) * 16777619u;
	return h;
}

static char *base_folder(void)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	if (!access("/dev/shm", W_OK))
		return xasprintf("/dev/shm/umf-lab-%u", getuid());
	if (!dir || *dir != '/')
		die(LAB_FAILED, "/dev/shm cannot be written, and there is no XDG_RUNTIME_DIR");
	return xasprintf("%s/umf-lab", dir);
}

static void make_folder(const char *path, mode_t mode)
{
	if (mkdir(path, mode) && errno != EEXIST)
		die(LAB_FAILED, "%s: %m", path);
}

/* The folder is in a place where everybody may make one. */
static void make_own_folder(const char *path)
{
	struct stat st;

	make_folder(path, 0700);
	if (lstat(path, &st))
		die(LAB_FAILED, "%s: %m", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || st.st_mode & 077)
		die(LAB_FAILED, "%s: must be a folder that only you can use; remove it",
		    path);
}

void place_find(struct lab *lab, const char *run)
{
	char *file, *base, *dot, real[PATH_MAX];

	if (run) {
		lab->run = *run == '/' ? xstrdup(run) : NULL;
		if (!lab->run && getcwd(real, sizeof(real)))
			lab->run = xasprintf("%s/%s", real, run);
	} else {
		file = xstrdup(lab->file);
		base = basename(file);
		dot = strrchr(base, '.');
		if (dot && dot != base)
			*dot = '\0';
		lab->run = xasprintf("%s/%s.run", lab->folder, base);
		free(file);
	}
	if (!lab->run || strpbrk(lab->run, ", \t\n\"'"))
		die(LAB_USAGE, "%s: the run folder's path must have no blanks, commas or quotes; --run gives another",
		    lab->run ?: run);
	if (realpath(lab->run, real)) {
		free(lab->run);
		lab->run = xstrdup(real);
	}
	base = base_folder();
	lab->live = xasprintf("%s/%s-%08x", base, lab->name, hash(lab->run));
	free(base);
}

bool place_is_live(const struct lab *lab)
{
	return !access(lab->live, F_OK);
}

void place_make(struct lab *lab)
{
	static const char * const parts[] = { "seg", "link", "uml", "guest" };
	char *path;
	size_t i;

	remove_tree(lab->live);
	make_folder(lab->run, 0777);
	make_folder(lab->live, 0700);
	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		path = xasprintf("%s/%s", lab->live, parts[i]);
		make_folder(path, 0700);
		free(path);
	}
	for (i = 0; i < lab->nr_guests; i++) {
		path = xasprintf("%s/guest/%s", lab->live, lab->guest[i].name);
		make_folder(path, 0700);
		free(path);
	}
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path) && errno != ENOENT ? -1 : 0;
}

void remove_tree(const char *path)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
		say("%s: cannot be removed: %m", path);
}

/* The lock's file goes with the live folder: what is not up has neither. */
static void remove_lock(void)
{
	char *path;

	if (!locked || !access(locked, F_OK))
		return;
	path = xasprintf("%s.lock", locked);
	/* ours; who waits for it sees that it is not the file any more */
	unlink(path);
	free(path);
	free(locked);
	locked = NULL;
}

void place_remove(struct lab *lab)
{
	remove_tree(lab->live);
	remove_lock();
}

/* Opens the lock file and takes it; -1: somebody has it, or it was removed. */
static int try_lock(const char *path, int *busy)
{
	struct stat mine, there;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		die(LAB_FAILED, "%s: %m", path);
	if (!flock(fd, LOCK_EX | LOCK_NB)) {
		if (!fstat(fd, &mine) && !stat(path, &there) &&
		    mine.st_ino == there.st_ino)
			return fd;
	} else if (errno != EWOULDBLOCK) {
		die(LAB_FAILED, "%s: %m", path);
	} else {
		*busy = fd;
		return -1;
	}
	close(fd);
	return -1;
}

/* An open file description that lives as long as the tool. */
void place_lock(struct lab *lab, const char *verb)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	int64_t end = now_ns() + LOCK_WAIT_NS;
	char *base = base_folder(), *path, who[64] = "";
	int fd, len, busy;

	make_own_folder(base);
	path = xasprintf("%s.lock", lab->live);
	for (;;) {
		busy = -1;
		fd = try_lock(path, &busy);
		if (fd >= 0)
			break;
		if (now_ns() > end) {
			len = busy < 0 ? 0 : read(busy, who, sizeof(who) - 1);
			who[len > 0 ? len : 0] = '\0';
			die(LAB_FAILED, "%s: busy: `%s` is at work; end it, or wait for it",
			    lab->file, who);
		}
		if (busy >= 0)
			close(busy);
		nanosleep(&pause, NULL);
	}
	locked = xstrdup(lab->live);
	atexit(remove_lock);	/* the tool's children end with _exit() */
	len = snprintf(who, sizeof(who), NAME " %s, process %d", verb, getpid());
	if (ftruncate(fd, 0) || write(fd, who, len) != len)
		die(LAB_FAILED, "%s: %m", path);
	free(path);
	free(base);
}

char *guest_file(const struct lab *lab, const char *guest, const char *name)
{
	return xasprintf("%s/guest/%s/%s", lab->live, guest, name);
}

char *guest_log(const struct lab *lab, const char *guest)
{
	return xasprintf("%s/%s.log", lab->run, guest);
}

char *read_line_of(const char *path)
{
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	if (!in)
		return NULL;
	if (getline(&line, &size, in) < 0) {
		free(line);
		line = NULL;
	} else {
		line[strcspn(line, "\n")] = '\0';
	}
	fclose(in);
	return line;
}
