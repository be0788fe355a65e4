// SPDX-License-Identifier: GPL-2.0
/*
 * snapshot: the disks of all guests at one instant.
 *
 *	<run folder>/snapshots/<name>/index	<n> <file>, a line each
 *	<run folder>/snapshots/<name>/<n>	the file as it was
 *
 * <file> is run:<name> in the run folder, so that a lab that is copied with its
 * snapshots has snapshots of its own, or a path for what is elsewhere.
 *
 * All guests are frozen while the files are copied (a copy shares the blocks
 * where the file system can). What a guest had written to its disk by then is
 * in the copy, what it only had in its memory is not: rolled back, a guest
 * boots as after a power cut at that instant. One that is frozen earlier than
 * another cannot have heard of what the other did later, so the cut is one that
 * could have been.
 *
 * A snapshot is there when it is complete. Who is frozen for one is noted in
 * the live folder's file "frozen": if we are killed, the next one thaws them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

char *snapshot_path(const struct lab *lab, const char *name)
{
	return xasprintf("%s/snapshots%s%s", lab->run, *name ? "/" : "", name);
}

/* ---- names of files in an index ---- */

char *snapshot_file_name(const struct lab *lab, const char *path)
{
	char *real = path_canonical(path);
	const char *rest = real ? path_below(real, lab->run) : NULL;
	char *name = rest ? xasprintf("run:%s", rest) : xstrdup(path);

	free(real);
	return name;
}

/* A name could be anybody's; it is ours if this lab's guests write that file. */
char *snapshot_file_path(struct lab *lab, const char *name)
{
	bool in_run = !strncmp(name, "run:", 4);
	char *path = in_run ? xasprintf("%s/%s", lab->run, name + 4) : xstrdup(name);

	if (*path == '/' && path_is_plain(path + 1) &&
	    (start_writes(lab, path) || (in_run && made_is(lab, path))))
		return path;
	free(path);
	return NULL;
}

/* ---- copies ---- */

/* What cp says ends in why. */
static void read_why(int fd, char *why, size_t size)
{
	ssize_t n = read(fd, why, size - 1);
	char *at;

	why[n < 0 ? 0 : n] = '\0';
	why[strcspn(why, "\n")] = '\0';
	at = strrchr(why, ':');
	if (at)
		memmove(why, at, strlen(at) + 1);
}

bool copy_file(const char *from, const char *to, const sigset_t *open)
{
	int status = -1, errors[2];
	char why[256] = "";
	pid_t pid;

	if (pipe2(errors, O_CLOEXEC | O_NONBLOCK)) {
		say("%s: cannot be copied: %m", from);
		return false;
	}
	pid = fork();
	if (!pid) {
		setpgid(0, 0);		/* Ctrl-C is for us */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_SETMASK, open, NULL);
		dup2(errors[1], 2);
		/* holes stay holes */
		execlp("cp", "cp", "--reflink=auto", "--sparse=always",
		       "--preserve=mode,timestamps", "--", from, to, NULL);
		_exit(127);
	}
	close(errors[1]);
	while (pid > 0 && !waitpid(pid, &status, WNOHANG)) {
		up_pause(open);
		if (stop_asked())
			kill(pid, SIGKILL);
	}
	read_why(errors[0], why, sizeof(why));
	close(errors[0]);
	if (status && !stop_asked())
		say("%s: cannot be copied to %s%s", from, to, why);
	return !status && !stop_asked();
}

/* ---- frozen guests ---- */

static char *frozen_path(const struct lab *lab)
{
	return xasprintf("%s/frozen", lab->live);
}

static bool freeze_all(const struct lab *lab)
{
	char *path = frozen_path(lab);
	FILE *note = fopen(path, "we");
	struct process p[lab->nr_guests + 1];
	bool frozen[lab->nr_guests + 1], ok;
	size_t i;
	int log;

	for (i = 0; i < lab->nr_guests; i++) {
		frozen[i] = process_read(lab, lab->guest[i].name, &p[i]) &&
			    process_alive(&p[i]) && !process_stopped(&p[i]);
		if (frozen[i] && note)
			fprintf(note, "%s\n", lab->guest[i].name);
	}
	ok = note && !(ferror(note) | fclose(note));
	if (!ok)
		say("%s: %m", path);
	log = nodelog_lock(lab);
	for (i = 0; ok && i < lab->nr_guests; i++)
		if (frozen[i])
			process_freeze(&p[i]);
	/* only now: it is to be one instant */
	for (i = 0; ok && i < lab->nr_guests; i++)
		if (frozen[i])
			nodelog_did(log, lab, lab->guest[i].name, "frozen");
	nodelog_unlock(log);
	free(path);
	return ok;
}

void snapshot_recover(const struct lab *lab)
{
	char *path = frozen_path(lab), *line = NULL;
	FILE *note = fopen(path, "re");
	struct process p;
	size_t size = 0;
	int log;

	while (note && getline(&line, &size, note) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		if (name_is_good(line) && process_read(lab, line, &p)) {
			log = nodelog_lock(lab);
			if (process_stopped(&p))
				nodelog_did(log, lab, line, "thawed");
			process_thaw(&p);
			nodelog_unlock(log);
		}
	}
	if (note) {
		fclose(note);
		unlink(path);
	}
	free(line);
	free(path);
}

/* ---- the verb ---- */

static bool copy_all(const struct lab *lab, const struct strings *files,
		     const char *to, const sigset_t *open)
{
	char *path = xasprintf("%s/index", to), *copy, *name;
	FILE *index = fopen(path, "we");
	bool ok = index;
	size_t i;

	for (i = 0; i < files->n && ok; i++) {
		copy = xasprintf("%s/%zu", to, i);
		ok = copy_file(files->s[i], copy, open);
		name = snapshot_file_name(lab, files->s[i]);
		fprintf(index, "%zu %s\n", i, name);
		free(name);
		free(copy);
	}
	if (index && !ok) {
		fclose(index);
	} else if (!index || (ferror(index) | fclose(index))) {
		say("%s: %m", path);
		ok = false;
	}
	free(path);
	return ok;
}

static int list_snapshots(const struct lab *lab)
{
	char *path = snapshot_path(lab, "");
	struct dirent **ents;
	int i, n = scandir(path, &ents, NULL, alphasort);

	for (i = 0; i < n; i++)
		if (name_is_good(ents[i]->d_name))
			puts(ents[i]->d_name);
	free(path);
	return LAB_DONE;
}

/* One snapshot, whole or not: nothing but what we put there. */
static void remove_snapshot(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *ent;

	while (dir && (ent = readdir(dir)))
		if (!strcmp(ent->d_name, "index") ||
		    !ent->d_name[strspn(ent->d_name, "0123456789")])
			unlinkat(dirfd(dir), ent->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(path);
}

void snapshot_wipe(struct lab *lab)
{
	char *dir = snapshot_path(lab, ""), *path;
	struct dirent **ents;
	int i, n = made_is(lab, dir) ? scandir(dir, &ents, NULL, NULL) : -1;

	for (i = 0; i < n; i++) {
		path = xasprintf("%s/%s", dir, ents[i]->d_name);
		if (name_is_good(ents[i]->d_name) || !strcmp(ents[i]->d_name, ".part"))
			remove_snapshot(path);
		free(path);
	}
	if (n >= 0)
		rmdir(dir);
	free(dir);
}

static void make_folders(struct lab *lab, const char *dir, const char *part)
{
	made_claim(lab, dir);
	if (!made_is(lab, dir))
		die(LAB_FAILED, "%s: is there, and no lab has made it", dir);
	if (!made_write(lab))
		exit(LAB_FAILED);
	remove_snapshot(part);
	if ((mkdir(dir, 0777) && errno != EEXIST) || mkdir(part, 0777))
		die(LAB_FAILED, "%s: %m", part);
}

int snapshot_verb(struct lab *lab, const struct options *opt, char **args)
{
	char *path, *part, *dir = snapshot_path(lab, "");
	struct strings files = { 0 };
	sigset_t open;
	int64_t begin;
	bool ok;

	if (!*args)
		return list_snapshots(lab);
	if (!name_is_good(*args) || args[1])
		die(LAB_USAGE, "snapshot: %s: one name, of letters, digits, - _ and .",
		    args[1] ?: *args);
	lab_lock(lab, "snapshot");
	lab_need_record(lab);
	path = snapshot_path(lab, *args);
	part = snapshot_path(lab, ".part");
	if (!access(path, F_OK))
		die(LAB_FAILED, "%s: there is a snapshot of that name", *args);
	start_files(lab, &files);
	if (!files.n)
		die(LAB_FAILED, "%s: no guest has a disk of its own yet", lab->file);
	make_folders(lab, dir, part);
	stop_catch(&open);
	begin = now_ns();
	ok = (!lab->up || freeze_all(lab)) && copy_all(lab, &files, part, &open);
	snapshot_recover(lab);
	if (ok && rename(part, path)) {
		say("%s: %m", path);
		ok = false;
	}
	if (!ok)
		remove_snapshot(part);
	if (stop_asked())
		stop_die(stop_forget());
	if (ok && !opt->quiet)
		printf("%s: %zu files, the guests stood still for %.2f s\n", *args,
		       files.n, (now_ns() - begin) / 1e9);
	return ok ? LAB_DONE : LAB_FAILED;
}
