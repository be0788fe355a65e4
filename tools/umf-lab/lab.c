// SPDX-License-Identifier: GPL-2.0
/*
 * Which lab a verb means. The run folder says it: from --run, or from the lab
 * file's name, or from the one lab of the current folder that is up. What that
 * lab is comes from its record; the lab file need not even be there any more.
 *
 *	up	its live folder is there
 *	down	only its run folder has a record, of when it was up last
 *	new	there is none: it has no guests that anybody could name
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

/* ---- all labs ---- */

void lab_each(void (*with)(struct lab *lab, void *arg), void *arg)
{
	char *base = place_base();
	struct dirent **ents;
	int i, n = scandir(base, &ents, NULL, alphasort);

	for (i = 0; i < n; i++) {
		struct lab lab = { .recorded = true };
		char *path = xasprintf("%s/%s/guest", base, ents[i]->d_name);

		if (*ents[i]->d_name != '.' && !access(path, F_OK)) {
			lab.live = xasprintf("%s/%s", base, ents[i]->d_name);
			lab.damaged = !record_read(&lab);
			lab.up = true;
			if (lab.damaged) {
				lab_add_found(&lab);
				lab.file = lab.live;
				lab.run = lab.live;
			}
			with(&lab, arg);
		}
		free(path);
		free(ents[i]);
	}
	if (n >= 0)
		free(ents);
	free(base);
}

/* ---- the one that is meant ---- */

static void add_here(struct lab *lab, void *arg)
{
	struct strings *runs = arg;
	char *here = path_canonical(".");

	if (lab->folder && here && !strcmp(lab->folder, here))
		strings_add(runs, xstrdup(lab->run));
	free(here);
}

static void add_file(struct lab *lab, void *arg)
{
	struct lab *meant = arg;

	if (!meant->elsewhere && lab->path && meant->path && !strcmp(lab->path, meant->path))
		meant->elsewhere = xstrdup(lab->run);
}

char *lab_only_file(size_t *n)
{
	char *only = NULL;
	glob_t found;

	*n = glob("*.lab", 0, NULL, &found) ? 0 : found.gl_pathc;
	if (*n == 1)
		only = xstrdup(found.gl_pathv[0]);
	if (*n)
		globfree(&found);
	return only;
}

void lab_no_file(size_t n)
{
	die(LAB_USAGE, "which lab file? -f FILE or UMF_LAB names it; there is %s here",
	    n ? "more than one *.lab" : "no *.lab");
}

/* Neither -f nor --run: the lab file that is here, or else what is up of this folder. */
static void find_here(struct lab *lab)
{
	struct strings runs = { 0 };
	char *file;
	size_t n;

	file = lab_only_file(&n);
	if (file) {
		place_find(lab, file, NULL);
		if (lab->up)
			return;
	}
	lab_each(add_here, &runs);
	if (runs.n > 1)
		die(LAB_USAGE, "which lab? %s and %s are up; -f FILE or --run FOLDER names one",
		    runs.s[0], runs.s[1]);
	if (runs.n) {
		lab->file = NULL;
		place_find(lab, NULL, runs.s[0]);
	} else if (!file) {
		lab_no_file(n);
	}
}

static void read_record(struct lab *lab)
{
	lab->damaged = lab->up && !record_read(lab);
	made_read(lab, !lab->up);
	lab->file = lab->file ?: lab->path ?: lab->run;
	virtual_use(lab);
}

void lab_find(struct lab *lab, const char *file, const char *run)
{
	if (file || run)
		place_find(lab, file, run);
	else
		find_here(lab);
	lab->recorded = true;
	read_record(lab);
	if (lab->up)
		return;
	if (!lab->nr_guests && file && access(file, F_OK))
		die(LAB_USAGE, "%s: %m", file);
	if (!run)
		lab_each(add_file, lab);
}

void lab_need_record(const struct lab *lab)
{
	if (lab->damaged)
		die(LAB_FAILED, "%s: %s/lab.json, its record, is damaged; " NAME " down ends it",
		    lab->file, lab->live);
}

void lab_need_up(const struct lab *lab)
{
	lab_need_record(lab);
	lab_say_elsewhere(lab);
	if (!lab->up)
		die(LAB_FAILED, "%s: is not up", lab->file);
}

void lab_say_elsewhere(const struct lab *lab)
{
	if (!lab->up && lab->elsewhere)
		say("%s: is up with another run folder: --run %s", lab->file,
		    lab->elsewhere);
}

void lab_lock(struct lab *lab, const char *verb)
{
	struct lab old = { .file = lab->file, .run = lab->run, .live = lab->live };

	place_lock(lab, verb);
	/* who had the lock until now may have changed it */
	lab->up = place_is_live(lab);
	if (lab->recorded) {
		free(lab->guest);
		lab->guest = NULL;
		lab->nr_guests = 0;
		read_record(lab);
		rollback_recover(lab);
	} else {
		/* what was begun was of the lab that was up last */
		made_read(&old, true);
		rollback_recover(&old);
		made_read(lab, false);
	}
	snapshot_recover(lab);
	hold_recover(lab);
}

/* ---- its guests ---- */

void lab_add_found(struct lab *lab)
{
	char *path = xasprintf("%s/guest", lab->live);
	DIR *dir = opendir(path);
	struct dirent *ent;

	while (dir && (ent = readdir(dir))) {
		if (!name_is_good(ent->d_name) || lab_guest(lab, ent->d_name))
			continue;
		lab->guest = xrealloc(lab->guest, (lab->nr_guests + 1) *
				      sizeof(*lab->guest));
		memset(&lab->guest[lab->nr_guests], 0, sizeof(*lab->guest));
		lab->guest[lab->nr_guests++].name = xstrdup(ent->d_name);
	}
	if (dir)
		closedir(dir);
	free(path);
}

/* Whoever has a process in the live folder, whatever the lab file says now. */
void lab_need_ended(const struct lab *lab)
{
	struct lab old = { .file = lab->file, .run = lab->run, .live = lab->live };
	const char *of = "", *whose = "";
	size_t i;

	if (record_read(&old) && strcmp(old.path, lab->path)) {
		of = ", of ";
		whose = old.path;
	}
	lab_add_found(&old);
	for (i = 0; i < old.nr_guests; i++)
		if (guest_state(&old, old.guest[i].name) > GUEST_ENDED)
			die(LAB_FAILED, "%s: guest %s runs already%s%s; " NAME " down ends it",
			    lab->file, old.guest[i].name, of, whose);
}

struct guest_conf *pick_guest(struct lab *lab, const char *name)
{
	struct guest_conf *guest = lab_guest(lab, name);

	if (guest)
		return guest;
	lab_need_record(lab);
	lab_say_elsewhere(lab);
	if (!lab->nr_guests)
		die(LAB_GONE, "%s: is down; " NAME " up starts the lab", name);
	die(LAB_USAGE, "%s: no such guest in %s", name, lab->file);
}

void pick_guests(struct lab *lab, char **args, struct guest_conf ***list,
		 size_t *n)
{
	size_t i, k;

	for (i = 0; args[i]; i++)
		for (k = 0; k < i; k++)
			if (!strcmp(args[i], args[k]))
				die(LAB_USAGE, "%s: named twice", args[i]);
	lab_need_record(lab);
	*list = xrealloc(NULL, (lab->nr_guests + 1) * sizeof(**list));
	for (*n = 0; args[*n]; ++*n)
		(*list)[*n] = pick_guest(lab, args[*n]);
	if (*n)
		return;
	for (; *n < lab->nr_guests; ++*n)
		(*list)[*n] = &lab->guest[*n];
}

bool pick_list(struct lab *lab, const char *names, struct guest_conf ***list, size_t *n)
{
	bool all = !strcmp(names, "all") && !lab_guest(lab, "all");
	char *copy = xstrdup(names), *pos = copy, *name;
	struct strings words = { 0 };

	while (!all && (name = strsep(&pos, ","))) {
		if (!*name)
			die(LAB_USAGE, "%s: a guest's name is missing", names);
		strings_add(&words, name);
	}
	strings_add(&words, NULL);
	pick_guests(lab, words.s, list, n);
	if (!*n)
		die(LAB_GONE, "%s: is down; " NAME " up starts the lab", lab->file);
	free(words.s);
	free(copy);
	return all || strchr(names, ',');
}
