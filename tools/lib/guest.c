// SPDX-License-Identifier: GPL-2.0
/*
 * Finding guests: a guest is a folder <uml_dir>/<umid> with the socket
 * "mconsole" in it. The folder outlives a guest that was killed; whether
 * somebody listens tells the living from the dead.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "guest.h"
#include "mconsole.h"
#include "xalloc.h"

#define NR_DIRS	3

/* Where umids are looked up; NULL where there is no such folder. */
static void guest_dirs(char *dirs[NR_DIRS])
{
	const char *uml_dir = getenv("UML_DIR");
	const char *home = getenv("HOME");
	struct passwd *pw;

	if (!home || !*home) {
		pw = getpwuid(getuid());
		home = pw ? pw->pw_dir : NULL;
	}
	dirs[0] = uml_dir && *uml_dir ? xstrdup(uml_dir) : NULL;
	dirs[1] = home ? xasprintf("%s/.uml", home) : NULL;
	dirs[2] = xstrdup("/tmp/uml");
}

static void free_dirs(char *dirs[NR_DIRS])
{
	int i;

	for (i = 0; i < NR_DIRS; i++)
		free(dirs[i]);
}

/* Takes @path over. */
static void append(struct guest_list *list, const char *name, char *path)
{
	list->guest = xrealloc(list->guest, (list->n + 1) * sizeof(*list->guest));
	list->guest[list->n].name = xstrdup(name);
	list->guest[list->n].path = path;
	list->n++;
}

static int find_path(struct guest_list *list, const char *name, char **why)
{
	struct stat st;
	char *path;
	int err;

	if (!stat(name, &st) && S_ISDIR(st.st_mode))
		path = xasprintf("%s/mconsole", name);
	else
		path = xstrdup(name);
	/* connect(2) says "refused" for any file; say what is the matter */
	err = mconsole_probe(path);
	if (err == -ECONNREFUSED && !stat(path, &st) && !S_ISSOCK(st.st_mode))
		err = -ENOTSOCK;
	if (err) {
		*why = xstrdup(mconsole_strerror(err));
		free(path);
		return err;
	}
	append(list, name, path);
	return 0;
}

static char *name_all(void)
{
	struct guest_list all = { 0 };
	char *text, *longer;
	size_t i;

	guest_find_all(&all);
	text = xstrdup(all.n ? "; running:" : "; none is running");
	for (i = 0; i < all.n; i++) {
		longer = xasprintf("%s %s", text, all.guest[i].name);
		free(text);
		text = longer;
	}
	guest_list_free(&all);
	return text;
}

/* Guests of labs are in folders of umf-lab's (umf-lab/place.c). */
static bool is_in_a_lab(const char *name)
{
	char *pattern = xasprintf("/dev/shm/umf-lab-%u/*/uml", getuid()), *path;
	bool found = false;
	glob_t labs;
	size_t i;

	if (!glob(pattern, 0, NULL, &labs)) {
		for (i = 0; i < labs.gl_pathc && !found; i++) {
			path = xasprintf("%s/%s/mconsole", labs.gl_pathv[i], name);
			found = !mconsole_probe(path);
			free(path);
		}
		globfree(&labs);
	}
	free(pattern);
	return found;
}

int guest_find(struct guest_list *list, const char *name, char **why)
{
	char *dirs[NR_DIRS], *path, *dead = NULL, *all, *hint;
	int i, err, ret = -ENOENT;

	if (strchr(name, '/'))
		return find_path(list, name, why);

	guest_dirs(dirs);
	for (i = 0; i < NR_DIRS && ret; i++) {
		if (!dirs[i])
			continue;
		path = xasprintf("%s/%s/mconsole", dirs[i], name);
		err = mconsole_probe(path);
		if (!err) {
			append(list, name, path);
			ret = 0;
			break;
		}
		/* The first that is there but cannot be had is the reason. */
		if (err != -ENOENT && err != -ENOTDIR && !dead) {
			ret = err;
			dead = xasprintf("%s (%s)", mconsole_strerror(err), path);
		}
		free(path);
	}

	if (ret) {
		all = name_all();
		if (is_in_a_lab(name)) {
			hint = xasprintf("%s; %s: umf-lab fault %s ... reaches it", all,
					 "a lab has a guest of that name", name);
			free(all);
			all = hint;
		}
		if (dead)
			*why = xasprintf("%s%s", dead, all);
		else
			*why = xasprintf("no such guest in %s%s%s and %s%s",
					 dirs[0] ? dirs[0] : "",
					 dirs[0] && dirs[1] ? ", " : "",
					 dirs[1] ? dirs[1] : "", dirs[2], all);
		free(all);
	}
	free(dead);
	free_dirs(dirs);
	return ret;
}

static int not_hidden(const struct dirent *ent)
{
	return ent->d_name[0] != '.';
}

static bool is_listed(const struct guest_list *list, const char *path)
{
	char a[PATH_MAX], b[PATH_MAX];
	size_t i;

	if (!realpath(path, a))
		return false;
	for (i = 0; i < list->n; i++)
		if (realpath(list->guest[i].path, b) && !strcmp(a, b))
			return true;
	return false;
}

void guest_find_all(struct guest_list *list)
{
	char *dirs[NR_DIRS], *path;
	struct dirent **ents;
	int i, k, n;

	guest_dirs(dirs);
	for (i = 0; i < NR_DIRS; i++) {
		n = dirs[i] ? scandir(dirs[i], &ents, not_hidden, alphasort) : -1;
		for (k = 0; k < n; k++) {
			path = xasprintf("%s/%s/mconsole", dirs[i],
					 ents[k]->d_name);
			/* UML_DIR may well be one of the others */
			if (!mconsole_probe(path) && !is_listed(list, path))
				append(list, ents[k]->d_name, path);
			else
				free(path);
			free(ents[k]);
		}
		if (n >= 0)
			free(ents);
	}
	free_dirs(dirs);
}

void guest_list_free(struct guest_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		free(list->guest[i].name);
		free(list->guest[i].path);
	}
	free(list->guest);
	memset(list, 0, sizeof(*list));
}
