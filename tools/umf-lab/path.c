// SPDX-License-Identifier: GPL-2.0
/*
 * Paths: the one spelling of a path, and what is below a folder. All that is
 * compared, hashed, recorded or removed by its path goes through here.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

/* @done is canonical, so its parent is what stands before its last slash. */
static void go_up(char *done)
{
	char *slash = strrchr(done, '/');

	if (slash)
		*slash = '\0';
}

char *path_canonical(const char *path)
{
	char *here = *path == '/' ? xstrdup("") : realpath(".", NULL);
	char *copy = xstrdup(path), *pos = copy, *part, *done, *real;

	if (!here) {
		free(copy);
		return NULL;
	}
	done = here;
	if (!strcmp(done, "/"))
		*done = '\0';
	while ((part = strsep(&pos, "/"))) {
		if (!*part || !strcmp(part, "."))
			continue;
		if (!strcmp(part, "..")) {
			go_up(done);
			continue;
		}
		part = xasprintf("%s/%s", done, part);
		real = realpath(part, NULL);
		free(done);
		done = real ?: part;
		if (real)
			free(part);
		if (!strcmp(done, "/"))
			*done = '\0';
	}
	free(copy);
	if (*done)
		return done;
	free(done);
	return xstrdup("/");
}

const char *path_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	if (!strcmp(folder, "/"))
		len = 0;
	return !strncmp(path, folder, len) && path[len] == '/' && path[len + 1] ?
	       path + len + 1 : NULL;
}

bool path_is_plain(const char *name)
{
	char *copy = xstrdup(name), *pos = copy, *part;
	bool plain = true;

	while ((part = strsep(&pos, "/")))
		plain = plain && *part && strcmp(part, ".") && strcmp(part, "..");
	free(copy);
	return plain;
}
