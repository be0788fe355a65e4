// SPDX-License-Identifier: GPL-2.0
/*
 * rollback: a snapshot's files are put back, all of them or none, whenever we
 * are ended. A journal, rollback.json in the run folder, says how far it is:
 *
 *	copying		copies, <file>.rollback, are made while the guests run;
 *			ended here, they are removed and nothing was changed
 *	renaming	all copies are there and no guest runs; whoever takes the
 *			lab's lock next ends what was begun
 *
 * A guest cannot run on a disk that is replaced: between the two they are killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

static char *journal_path(const struct lab *lab)
{
	return xasprintf("%s/rollback.json", lab->run);
}

static char *copy_path(const char *file)
{
	return xasprintf("%s.rollback", file);
}

static bool is_in(const struct strings *files, const char *path)
{
	size_t i;

	for (i = 0; i < files->n; i++)
		if (!strcmp(files->s[i], path))
			return true;
	return false;
}

/* What will be the journal when the guests have ended: then nothing may fail any more. */
static char *next_path(const struct lab *lab)
{
	return xasprintf("%s/rollback.json.next", lab->run);
}

static bool write_journal(const char *path, const struct lab *lab, const char *state,
			  const struct strings *files)
{
	json_t *journal = json_object(), *names = json_array();
	char *name;
	bool ok;
	size_t i;

	for (i = 0; i < files->n; i++) {
		name = snapshot_file_name(lab, files->s[i]);
		json_array_append_new(names, json_string(name));
		free(name);
	}
	json_object_set_new(journal, "state", json_string(state));
	json_object_set_new(journal, "files", names);
	ok = record_write(journal, path);
	json_decref(journal);
	return ok;
}

static void remove_journal(const struct lab *lab)
{
	char *path = journal_path(lab), *next = next_path(lab);

	unlink(next);
	unlink(path);
	free(next);
	free(path);
}

static void undo(const struct lab *lab, const struct strings *files)
{
	char *copy;
	size_t i;

	for (i = 0; i < files->n; i++) {
		copy = copy_path(files->s[i]);
		unlink(copy);
		free(copy);
	}
	remove_journal(lab);
}

/* May be done again from anywhere in it. */
static bool carry_out(struct lab *lab, const struct strings *files)
{
	struct strings now = { 0 };
	bool ok = true, removed = false;
	char *copy;
	size_t i;

	for (i = 0; i < files->n; i++) {
		copy = copy_path(files->s[i]);
		if (rename(copy, files->s[i]) && errno != ENOENT) {
			say("%s: %m", copy);
			ok = false;
		}
		free(copy);
	}
	/* what was made later begins anew */
	start_files(lab, &now);
	for (i = 0; i < now.n && ok; i++)
		if (!is_in(files, now.s[i]))
			removed = made_remove(lab, now.s[i]) || removed;
	if (removed)
		made_write(lab);
	if (ok)
		remove_journal(lab);
	return ok;
}

void rollback_recover(struct lab *lab)
{
	char *path = journal_path(lab), *file;
	json_t *journal = json_load_file(path, 0, NULL), *name;
	const char *state = json_string_value(json_object_get(journal, "state"));
	struct strings files = { 0 };
	size_t i;

	json_array_foreach(json_object_get(journal, "files"), i, name) {
		file = snapshot_file_path(lab, json_string_value(name) ?: "");
		if (file)
			strings_add(&files, file);
	}
	if (state && !strcmp(state, "renaming"))
		carry_out(lab, &files);
	else if (state)
		undo(lab, &files);
	json_decref(journal);
	free(path);
}

/* What the index names, in its order; ends the tool if that is not all ours. */
static void read_index(struct lab *lab, const char *path, struct strings *files)
{
	char *name = xasprintf("%s/index", path), *line = NULL, *at, *file;
	FILE *in = fopen(name, "re");
	size_t size = 0;

	if (!in)
		die(LAB_FAILED, "%s: there is no such snapshot (%m)", path);
	while (getline(&line, &size, in) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		at = strchr(line, ' ');
		file = at ? snapshot_file_path(lab, at + 1) : NULL;
		if (!file)
			die(LAB_FAILED, "%s: %s: is no file of this lab; nothing was changed",
			    name, at ? at + 1 : line);
		strings_add(files, file);
		file = copy_path(file);
		if (!access(file, F_OK))
			die(LAB_FAILED, "%s: is there already; nothing was changed", file);
		free(file);
	}
	if (!files->n)
		die(LAB_FAILED, "%s: is empty; nothing was changed", name);
	fclose(in);
	free(line);
	free(name);
}

static bool copy_back(const char *path, const struct strings *files,
		      const sigset_t *open)
{
	char *from, *to;
	bool ok = true;
	size_t i;

	for (i = 0; i < files->n && ok; i++) {
		from = xasprintf("%s/%zu", path, i);
		to = copy_path(files->s[i]);
		ok = copy_file(from, to, open);
		free(from);
		free(to);
	}
	return ok;
}

/* False, and a line, if one lives on. */
static bool end_all(const struct lab *lab, struct guest_conf **list, size_t n)
{
	size_t i;

	up_end_guests(lab, list, n);
	for (i = 0; i < n; i++)
		if (guest_state(lab, list[i]->name) > GUEST_ENDED) {
			say("%s: guest %s cannot be killed", lab->file, list[i]->name);
			return false;
		}
	return true;
}

int rollback_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct strings files = { 0 };
	struct guest_conf **list;
	char *path, *journal, *next;
	size_t i, n = 0;
	sigset_t open;

	if (!*args || !name_is_good(*args) || args[1])
		die(LAB_USAGE, "rollback: to which snapshot? `" NAME " snapshot` lists them");
	lab_lock(lab, "rollback");
	lab_need_record(lab);
	path = snapshot_path(lab, *args);
	if (access(path, F_OK))
		die(LAB_FAILED, "%s: there is no such snapshot", *args);
	read_index(lab, path, &files);
	list = xrealloc(NULL, (lab->nr_guests + 1) * sizeof(*list));
	for (i = 0; i < lab->nr_guests; i++)
		if (guest_state(lab, lab->guest[i].name) > GUEST_ENDED)
			list[n++] = &lab->guest[i];
	journal = journal_path(lab);
	next = next_path(lab);
	stop_catch(&open);
	if (!write_journal(journal, lab, "copying", &files) ||
	    !copy_back(path, &files, &open) ||
	    !write_journal(next, lab, "renaming", &files) ||
	    !end_all(lab, list, n) || rename(next, journal)) {
		undo(lab, &files);
		say("%s: nothing was changed", *args);
		if (stop_asked())
			stop_die(stop_forget());
		return LAB_FAILED;
	}
	if (!carry_out(lab, &files))
		return LAB_FAILED;
	free(next);
	free(journal);
	free(path);
	return n ? up_again(lab, list, n, opt) : LAB_DONE;
}
