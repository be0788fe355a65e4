// SPDX-License-Identifier: GPL-2.0
/*
 * What is the lab's own in its run folder: umf-lab.json there has
 *
 *	folder	did a lab make the folder itself?
 *	made	names below it of files that a lab has made, or was about to
 *	lab	the record of the lab that was up last (record.c)
 *
 * A name is in the list before its file is there, and only if no file was there
 * before: what somebody else put there is never in it, and never removed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

static char *made_path(const struct lab *lab)
{
	return xasprintf("%s/umf-lab.json", lab->run);
}

/* Of a file below the run folder; NULL: it is elsewhere. To be freed. */
static char *name_of(const struct lab *lab, const char *path)
{
	char *real = path_canonical(path);
	const char *name = real ? path_below(real, lab->run) : NULL;
	char *copy = name ? xstrdup(name) : NULL;

	free(real);
	return copy;
}

static size_t find(const struct strings *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->n && strcmp(list->s[i], name); i++)
		;
	return i;
}

void made_read(struct lab *lab, bool take)
{
	char *path = made_path(lab);
	json_t *all = json_load_file(path, 0, NULL), *list, *name, *record;
	size_t i;

	memset(&lab->made, 0, sizeof(lab->made));
	lab->made_folder = json_is_true(json_object_get(all, "folder"));
	list = json_object_get(all, "made");
	json_array_foreach(list, i, name)
		if (json_is_string(name) && path_is_plain(json_string_value(name)))
			strings_add(&lab->made, xstrdup(json_string_value(name)));
	record = take ? json_object_get(all, "lab") : NULL;
	if (record && !record_take(lab, record)) {
		record = record_move(record, lab->run);
		if (record)
			record_take(lab, record);
		json_decref(record);
	}
	json_decref(all);
	free(path);
}

bool made_write(const struct lab *lab)
{
	json_t *all = json_object(), *list = json_array();
	char *path = made_path(lab);
	bool ok;
	size_t i;

	for (i = 0; i < lab->made.n; i++)
		json_array_append_new(list, json_string(lab->made.s[i]));
	json_object_set_new(all, "folder", json_boolean(lab->made_folder));
	json_object_set_new(all, "made", list);
	ok = !json_object_set_new(all, "lab", record_make(lab)) &&
	     record_write(all, path);
	json_decref(all);
	free(path);
	return ok;
}

bool made_is(const struct lab *lab, const char *path)
{
	char *name = name_of(lab, path);
	bool is = name && find(&lab->made, name) < lab->made.n;

	free(name);
	return is;
}

void made_claim(struct lab *lab, const char *path)
{
	char *name = name_of(lab, path);
	struct stat st;

	if (name && lstat(path, &st) && errno == ENOENT &&
	    find(&lab->made, name) == lab->made.n)
		strings_add(&lab->made, xstrdup(name));
	free(name);
}

bool made_remove(struct lab *lab, const char *path)
{
	char *name = name_of(lab, path);
	size_t i = name ? find(&lab->made, name) : lab->made.n;

	free(name);
	if (i == lab->made.n || (unlink(path) && errno != ENOENT))
		return false;
	lab->made.s[i] = lab->made.s[--lab->made.n];
	return true;
}

void made_wipe(struct lab *lab)
{
	char *path;
	size_t i;

	snapshot_wipe(lab);
	for (i = 0; i < lab->made.n; i++) {
		path = xasprintf("%s/%s", lab->run, lab->made.s[i]);
		/* a link below the folder may lead out of it */
		if (made_is(lab, path) && unlink(path) && errno != ENOENT)
			say("%s: cannot be removed: %m", path);
		free(path);
	}
	path = made_path(lab);
	unlink(path);
	free(path);
	if (lab->made_folder && rmdir(lab->run) && errno != ENOENT)
		say("%s: stays: there are files in it that the lab has not made",
		    lab->run);
}
