// SPDX-License-Identifier: GPL-2.0
/*
 * Paths as a lab file says them. A relative one begins at the folder of the file
 * that it stands in, and is told from there on as the lab file itself would say it:
 * "disk.img" in an included "sub/base.lab" is "sub/disk.img", whoever asks. That
 * is its name in pack's map, too: a lab that was unpacked finds what was elsewhere
 * by it, and a file that was included from there has its own folder's files.
 */
#define _GNU_SOURCE
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/xalloc.h"
#include "lab.h"

char *said_folder(const char *said)
{
	char *copy = xstrdup(said), *folder = xstrdup(strchr(said, '/') ? dirname(copy) : "");

	free(copy);
	return folder;
}

static char *as_the_lab_says(const char *folder, const char *path)
{
	if (*path == '/' || !*folder)
		return xstrdup(path);
	return xasprintf("%s/%s", strcmp(folder, "/") ? folder : "", path);
}

/* In a lab that was unpacked, files from elsewhere are where the map says. */
static char *find_mapped(const struct lab *lab, const char *said)
{
	char *path = xasprintf("%s/umf-lab.map", lab->folder), *line = NULL;
	char *found = NULL, *tab;
	FILE *in = fopen(path, "re");
	size_t size = 0;

	while (in && !found && getline(&line, &size, in) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		tab = strchr(line, '\t');
		if (!tab)
			continue;
		*tab = '\0';
		if (!strcmp(line, said))
			found = xasprintf("%s/%s", lab->folder, tab + 1);
	}
	if (in)
		fclose(in);
	free(line);
	free(path);
	return found;
}

char *said_find(struct lab *lab, const char *folder, const char *path, char **as)
{
	char *said = as_the_lab_says(folder, path), *found = find_mapped(lab, said);
	size_t i;

	if (!found && *said == '/')
		found = xstrdup(said);
	else if (!found)
		found = xasprintf("%s/%s", lab->folder, said);
	for (i = 0; i < lab->said.n && strcmp(lab->said.s[i], said); i++)
		;
	if (i == lab->said.n) {
		strings_add(&lab->said, xstrdup(said));
		strings_add(&lab->found, xstrdup(found));
	}
	if (as)
		*as = said;
	else
		free(said);
	return found;
}
