// SPDX-License-Identifier: GPL-2.0
/*
 * snapshot and rollback: the disks of all guests at one instant.
 *
 *	<run folder>/snapshots/<name>/index	<n> <path>, a line each
 *	<run folder>/snapshots/<name>/<n>	the file as it was
 *
 * All guests are frozen while the files are copied (a copy shares the blocks
 * where the file system can). What a guest had written to its disk by then is
 * in the copy, what it only had in its memory is not: rolled back, a guest
 * boots as after a power cut at that instant. One that is frozen earlier than
 * another cannot have heard of what the other did later, so the cut is one that
 * could have been.
 *
 * A snapshot is there when it is complete; a rollback changes nothing until all
 * of it has been copied.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

static char *snapshot_path(const struct lab *lab, const char *name)
{
	return xasprintf("%s/snapshots/%s", lab->run, name);
}

/* What cp says ends in why. */
static void read_why(int fd, char *why, size_t size)
{
	FILE *in = fdopen(fd, "r");
	char *at;

	*why = '\0';
	if (!in || !fgets(why, size, in))
		*why = '\0';
	why[strcspn(why, "\n")] = '\0';
	at = strrchr(why, ':');
	if (at)
		memmove(why, at, strlen(at) + 1);
	if (in)
		fclose(in);
}

/* Holes stay holes. */
static bool copy_file(const char *from, const char *to)
{
	int status = -1, errors[2];
	char why[256] = "";
	pid_t pid;

	if (pipe2(errors, O_CLOEXEC)) {
		say("%s: cannot be copied: %m", from);
		return false;
	}
	pid = fork();
	if (!pid) {
		setpgid(0, 0);		/* Ctrl-C is for us */
		dup2(errors[1], 2);
		execlp("cp", "cp", "--reflink=auto", "--sparse=always",
		       "--preserve=mode,timestamps", "--", from, to, NULL);
		_exit(127);
	}
	close(errors[1]);
	read_why(errors[0], why, sizeof(why));
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		say("%s: cannot be copied to %s%s", from, to, why);
	return !status;
}

static void freeze_all(const struct lab *lab, bool *frozen)
{
	struct process p;
	size_t i;

	for (i = 0; i < lab->nr_guests; i++) {
		frozen[i] = process_read(lab, lab->guest[i].name, &p) &&
			    process_alive(&p) && !process_stopped(&p);
		if (frozen[i])
			process_freeze(&p);
	}
}

static void thaw_all(const struct lab *lab, const bool *frozen)
{
	struct process p;
	size_t i;

	for (i = 0; i < lab->nr_guests; i++)
		if (frozen[i] && process_read(lab, lab->guest[i].name, &p))
			process_thaw(&p);
}

static bool copy_all(const struct strings *files, const char *to)
{
	char *path = xasprintf("%s/index", to), *copy;
	FILE *index = fopen(path, "we");
	bool ok = index;
	size_t i;

	for (i = 0; i < files->n && ok && !stop_asked(); i++) {
		copy = xasprintf("%s/%zu", to, i);
		ok = copy_file(files->s[i], copy);
		fprintf(index, "%zu %s\n", i, files->s[i]);
		free(copy);
	}
	if (index && !ok) {
		fclose(index);
	} else if (!index || (ferror(index) | fclose(index))) {
		say("%s: %m", path);
		ok = false;
	}
	free(path);
	return ok && !stop_asked();
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

int snapshot_verb(struct lab *lab, const struct options *opt, char **args)
{
	char *path, *part, *dir = snapshot_path(lab, "");
	struct strings files = { 0 };
	bool frozen[lab->nr_guests], ok;
	sigset_t open;
	int64_t begin;

	if (!*args)
		return list_snapshots(lab);
	if (!name_is_good(*args) || args[1])
		die(LAB_USAGE, "snapshot: %s: one name, of letters, digits, - _ and .",
		    args[1] ?: *args);
	place_lock(lab, "snapshot");
	path = snapshot_path(lab, *args);
	part = xasprintf("%s/.part", dir);
	if (!access(path, F_OK))
		die(LAB_FAILED, "%s: there is a snapshot of that name", *args);
	start_files(lab, &files);
	if (!files.n)
		die(LAB_FAILED, "%s: no guest has a disk of its own yet", lab->file);
	remove_tree(part);
	if ((mkdir(dir, 0777) && errno != EEXIST) || mkdir(part, 0777))
		die(LAB_FAILED, "%s: %m", part);
	stop_catch(&open);
	begin = now_ns();
	freeze_all(lab, frozen);
	ok = copy_all(&files, part);
	thaw_all(lab, frozen);
	if (ok && rename(part, path)) {
		say("%s: %m", path);
		ok = false;
	}
	if (!ok)
		remove_tree(part);
	if (stop_asked())
		stop_die(stop_forget());
	if (ok && !opt->quiet)
		printf("%s: %zu files, the guests stood still for %.2f s\n", *args,
		       files.n, (now_ns() - begin) / 1e9);
	return ok ? LAB_DONE : LAB_FAILED;
}

/* The paths of an index, in its order. */
static void read_index(const char *path, struct strings *files)
{
	char *name = xasprintf("%s/index", path), *line = NULL, *at;
	FILE *in = fopen(name, "re");
	size_t size = 0;

	if (!in)
		die(LAB_FAILED, "%s: there is no such snapshot (%m)", path);
	while (getline(&line, &size, in) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		at = strchr(line, ' ');
		if (!at || at[1] != '/')
			die(LAB_FAILED, "%s: is damaged", name);
		strings_add(files, xstrdup(at + 1));
	}
	fclose(in);
	free(line);
	free(name);
}

static bool is_in(const struct strings *files, const char *path)
{
	size_t i;

	for (i = 0; i < files->n; i++)
		if (!strcmp(files->s[i], path))
			return true;
	return false;
}

static bool put_back(const struct lab *lab, const char *path)
{
	struct strings old = { 0 }, now = { 0 };
	char *from, *to;
	bool ok = true;
	size_t i;

	read_index(path, &old);
	for (i = 0; i < old.n && ok; i++) {
		from = xasprintf("%s/%zu", path, i);
		to = xasprintf("%s.rollback", old.s[i]);
		ok = copy_file(from, to);
		free(from);
		free(to);
	}
	for (i = 0; i < old.n; i++) {
		to = xasprintf("%s.rollback", old.s[i]);
		if (!ok)
			unlink(to);
		else if (rename(to, old.s[i]))
			die(LAB_FAILED, "%s: %m", to);
		free(to);
	}
	/* what was made later begins anew */
	start_files(lab, &now);
	for (i = 0; i < now.n && ok; i++)
		if (!is_in(&old, now.s[i]) &&
		    !strncmp(now.s[i], lab->run, strlen(lab->run)))
			unlink(now.s[i]);
	return ok;
}

int rollback_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct guest_conf *list[lab->nr_guests];
	size_t i, n = 0;
	char *path;
	bool ok;

	if (!*args || !name_is_good(*args) || args[1])
		die(LAB_USAGE, "rollback: to which snapshot? `" NAME " snapshot` lists them");
	place_lock(lab, "rollback");
	path = snapshot_path(lab, *args);
	if (access(path, F_OK))
		die(LAB_FAILED, "%s: there is no such snapshot", *args);
	for (i = 0; i < lab->nr_guests; i++)
		if (guest_state(lab, lab->guest[i].name) > GUEST_ENDED)
			list[n++] = &lab->guest[i];
	up_end_guests(lab, list, n);
	ok = put_back(lab, path);
	if (!ok)
		say("%s: nothing was changed", *args);
	if (n)
		return up_again(lab, list, n, opt) ?: (ok ? LAB_DONE : LAB_FAILED);
	return ok ? LAB_DONE : LAB_FAILED;
}
