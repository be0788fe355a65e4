// SPDX-License-Identifier: GPL-2.0
/*
 * Where a lab lives.
 *
 *	<lab file without its ending>.run/	the run folder
 *		umf-lab.json			what was made (made.c)
 *		<guest>.log <guest>-umfa.cow …
 *	/dev/shm/umf-lab-<uid>/			0700, ours
 *		<run>-<hash>.lock		held by up, down and the like
 *		<run>-<hash>/			the live folder
 *			lab.json		the record (record.c)
 *			seg/ link/ uml/ guest/<guest>/
 *
 * <run> is the run folder's name without its ending, and the hash that of its
 * path: nothing else says which lab it is. One that is copied, or has another
 * run folder, is another lab, and a run folder has one lab at a time. A guest
 * inherits the lock for as long as it takes to write its record and to exec, so
 * whoever has the lock knows of every process there is.
 */
#define _GNU_SOURCE
#include <ctype.h>
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

static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261u;

	while (*text)
		h = (h ^ (unsigned char)*text++) * 16777619u;
	return h;
}

/* It is in a place where everybody may make one: another's is not read, either. */
static void need_own(const char *path)
{
	struct stat st;

	if (lstat(path, &st)) {
		if (errno != ENOENT)
			die(LAB_FAILED, "%s: %m", path);
	} else if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || st.st_mode & 077) {
		die(LAB_FAILED, "%s: must be a folder that only you can use; remove it",
		    path);
	}
}

char *place_base(void)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	char *path;

	if (!access("/dev/shm", W_OK))
		path = xasprintf("/dev/shm/umf-lab-%u", getuid());
	else if (dir && *dir == '/')
		path = xasprintf("%s/umf-lab", dir);
	else
		die(LAB_FAILED, "/dev/shm cannot be written, and there is no XDG_RUNTIME_DIR");
	need_own(path);
	return path;
}

void place_file(struct lab *lab, const char *file)
{
	char *copy;

	lab->file = xstrdup(file);
	lab->path = path_canonical(file);
	if (!lab->path)
		die(LAB_USAGE, "%s: %m", file);
	copy = xstrdup(lab->path);
	lab->folder = xstrdup(dirname(copy));
	free(copy);
}

/* "t" of ".../t.run", with characters that are good in paths everywhere. */
static char *short_name(const char *run)
{
	char *copy = xstrdup(run), *base = basename(copy), *name, *at;
	size_t len = strlen(base);

	if (len > 4 && !strcmp(base + len - 4, ".run"))
		base[len - 4] = '\0';
	name = xstrndup(base, NAME_LEN);
	for (at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr(at == name ? "_" : "-_.", *at))
			*at = '_';
	free(copy);
	return name;
}

void place_find(struct lab *lab, const char *file, const char *run)
{
	char *base, *dot, *name, *said = NULL;

	if (file)
		place_file(lab, file);
	if (!run) {
		name = xstrdup(lab->file);
		base = basename(name);
		dot = strrchr(base, '.');
		if (dot && dot != base)
			*dot = '\0';
		said = xasprintf("%s/%s.run", lab->folder, base);
		free(name);
	}
	lab->run = path_canonical(run ?: said);
	if (!lab->run || strpbrk(lab->run, ", \t\n\"'"))
		die(LAB_USAGE,
		    "%s: the run folder's path must have no blanks, commas or quotes; %s",
		    lab->run ?: run ?: said, "--run gives another");
	free(said);
	base = place_base();
	name = short_name(lab->run);
	lab->live = xasprintf("%s/%s-%08x", base, name, hash(lab->run));
	lab->up = place_is_live(lab);
	free(name);
	free(base);
}

bool place_is_live(const struct lab *lab)
{
	return !access(lab->live, F_OK);
}

static bool make_folder(const char *path, mode_t mode)
{
	if (!mkdir(path, mode) || errno == EEXIST)
		return true;
	say("%s: %m", path);
	return false;
}

bool place_make_run(struct lab *lab)
{
	if (!mkdir(lab->run, 0777))
		lab->made_folder = true;
	else if (errno != EEXIST)
		say("%s: %m", lab->run);
	else
		return true;
	return lab->made_folder;
}

bool place_make(const struct lab *lab)
{
	static const char * const parts[] = { "seg", "link", "uml", "guest" };
	bool ok = make_folder(lab->live, 0700);
	char *path;
	size_t i;

	for (i = 0; ok && i < sizeof(parts) / sizeof(*parts); i++) {
		path = xasprintf("%s/%s", lab->live, parts[i]);
		ok = make_folder(path, 0700);
		free(path);
	}
	for (i = 0; ok && i < lab->nr_guests; i++) {
		path = xasprintf("%s/guest/%s", lab->live, lab->guest[i].name);
		ok = make_folder(path, 0700);
		free(path);
	}
	return ok;
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
	lab->up = false;
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
	char *base = place_base(), *path, who[64] = "";
	int fd, len, busy;

	if (mkdir(base, 0700) && errno != EEXIST)
		die(LAB_FAILED, "%s: %m", base);
	need_own(base);
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
