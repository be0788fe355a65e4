// SPDX-License-Identifier: GPL-2.0
/*
 * gdb --hold-others: the rest of the lab stands still while a debugger has a guest.
 *
 * The tool becomes the debugger. A process that it leaves, the keeper, is told by
 * the kernel when that has ended, whatever ended it, and lets the others go on. Whom
 * it has is in the live folder's file "held":
 *
 *	<pid> <start>			the keeper
 *	<guest> <pid> <start>		… a line each
 *
 * If the keeper is killed, the next verb that changes something does its work. Guests
 * are known by their processes: one that was started anew meanwhile is not held.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

struct held {
	struct { char name[NAME_LEN + 1]; struct process p; } *guest;
	size_t n;
};

static char *note_path(const struct lab *lab)
{
	return xasprintf("%s/held", lab->live);
}

static void add(struct held *held, const char *name, const struct process *p)
{
	held->guest = xrealloc(held->guest, (held->n + 1) * sizeof(*held->guest));
	snprintf(held->guest[held->n].name, sizeof(held->guest->name), "%s", name);
	held->guest[held->n++].p = *p;
}

/* The keeper; false: there is no note. */
static bool read_note(const struct lab *lab, struct process *keeper, struct held *held)
{
	char *path = note_path(lab), name[NAME_LEN + 1];
	FILE *note = fopen(path, "re");
	struct process p;
	bool is = note;

	free(path);
	memset(keeper, 0, sizeof(*keeper));
	if (note && fscanf(note, "%d %llu", &keeper->pid, &keeper->start) == 2)
		while (fscanf(note, "%31s %d %llu", name, &p.pid, &p.start) == 3)
			if (name_is_good(name) && p.pid > 1)
				add(held, name, &p);
	if (note)
		fclose(note);
	return is;
}

/* By the keeper; it is all there before the first one is frozen. */
static bool write_note(const struct lab *lab, const struct held *held)
{
	char *path = note_path(lab);
	bool ok = !process_write(path);
	FILE *note = ok ? fopen(path, "ae") : NULL;
	size_t i;

	for (i = 0; note && i < held->n; i++)
		fprintf(note, "%s %d %llu\n", held->guest[i].name, held->guest[i].p.pid,
			held->guest[i].p.start);
	ok = note && !(ferror(note) | fclose(note));
	if (!ok)
		say("%s: cannot be written: %m", path);
	free(path);
	return ok;
}

static void freeze(const struct lab *lab, const struct held *held)
{
	int log = nodelog_lock(lab);
	size_t i;

	for (i = 0; i < held->n; i++)
		process_freeze(&held->guest[i].p);
	for (i = 0; i < held->n; i++)
		nodelog_did(log, lab, held->guest[i].name, "frozen");
	nodelog_unlock(log);
}

static void thaw(const struct lab *lab, const struct held *held)
{
	struct held others = { 0 };
	struct process keeper;
	char *path;
	size_t i;
	int log;

	for (i = 0; i < held->n; i++) {
		if (!process_stopped(&held->guest[i].p))
			continue;
		log = nodelog_lock(lab);
		nodelog_did(log, lab, held->guest[i].name, "thawed");
		process_thaw(&held->guest[i].p);
		nodelog_unlock(log);
	}
	/* of a lab that was put up since then it is another's */
	if (!read_note(lab, &keeper, &others) || (keeper.pid != getpid() &&
						  process_alive(&keeper)))
		return;
	path = note_path(lab);
	unlink(path);
	free(path);
	free(others.guest);
}

void hold_recover(const struct lab *lab)
{
	struct held held = { 0 };
	struct process keeper;

	if (read_note(lab, &keeper, &held) && !(keeper.pid > 1 && process_alive(&keeper)))
		thaw(lab, &held);
	free(held.guest);
}

static void find_others(struct lab *lab, const char *guest, struct held *held)
{
	struct process p;
	size_t i;

	for (i = 0; i < lab->nr_guests; i++)
		/* whom another debugger has, stands still when that wants it */
		if (strcmp(lab->guest[i].name, guest) &&
		    process_read(lab, lab->guest[i].name, &p) && process_alive(&p) &&
		    !process_stopped(&p) && !process_traced(&p))
			add(held, lab->guest[i].name, &p);
}

/* In the keeper: until the debugger has ended, which was @parent. */
__attribute__((noreturn))
static void keep(const struct lab *lab, const struct held *held, pid_t parent, int ready)
{
	sigset_t set;
	int sig, null;

	setsid();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	if (write_note(lab, held)) {
		freeze(lab, held);
		if (write(ready, "", 1) != 1)
			parent = 0;
	} else {
		parent = 0;
	}
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	/* the lab's lock is not ours, and nobody waits for our end */
	close_range(3, ~0U, 0);
	while (getppid() == parent && !sigwait(&set, &sig) && sig != SIGTERM)
		;
	thaw(lab, held);
	_exit(0);
}

void hold_others(struct lab *lab, const char *guest)
{
	struct held held = { 0 };
	struct process keeper;
	pid_t pid, parent = getpid();
	int pipe[2];
	char byte;

	lab_lock(lab, "gdb");	/* until the tool is the debugger */
	lab_need_up(lab);
	if (read_note(lab, &keeper, &held))
		die(LAB_FAILED, "%s: another debugger holds the lab", guest);
	find_others(lab, guest, &held);
	fflush(NULL);
	if (pipe2(pipe, O_CLOEXEC))
		die(LAB_FAILED, "%s: %m", guest);
	pid = fork();
	if (!pid) {
		close(pipe[0]);
		keep(lab, &held, parent, pipe[1]);
	}
	close(pipe[1]);
	if (pid < 0 || read(pipe[0], &byte, 1) != 1)
		die(LAB_FAILED, "%s: the others cannot be held", guest);
	close(pipe[0]);
}
