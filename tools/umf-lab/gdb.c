// SPDX-License-Identifier: GPL-2.0
/* gdb: a debugger on a guest's kernel, which is a process like any other. */
#define _GNU_SOURCE
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

/* UML's signals are its interrupts and page faults. */
#define HANDLE	"handle SIGSEGV SIGUSR1 SIGALRM SIGIO SIGWINCH SIGCHLD nostop noprint pass"

/* build/<line>/linux-gdb has build/<line>/obj-gdb/vmlinux-gdb.py, if it was built. */
static char *find_scripts(const char *kernel)
{
	char *copy = xstrdup(kernel), *dir = dirname(copy), *path;
	const char *name = strrchr(kernel, '/') + 1;

	path = xasprintf("%s/obj%s/vmlinux-gdb.py", dir,
			 !strncmp(name, "linux", 5) ? name + 5 : "");
	free(copy);
	if (!access(path, R_OK))
		return path;
	free(path);
	return NULL;
}

int gdb_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct strings words = { 0 };
	const char *name = args[0], *kernel;
	bool hold = opt->hold;
	struct process p;
	char *scripts;

	/* behind the guest's name all is gdb's, but this one it has not */
	if (name && args[1] && !strcmp(args[1], "--hold-others")) {
		hold = true;
		args++;
	}
	if (!name)
		die(LAB_USAGE, "gdb: which guest of %s?", lab->file);
	kernel = pick_guest(lab, name)->kernel;
	if (!process_read(lab, name, &p) || !process_alive(&p))
		die(LAB_GONE, "%s: does not run", name);
	scripts = find_scripts(kernel);
	strings_add(&words, xstrdup("gdb"));
	strings_add(&words, xstrdup("-q"));
	strings_add(&words, xstrdup("-iex"));
	strings_add(&words, xstrdup("set auto-load safe-path /"));
	strings_add(&words, xstrdup("-iex"));
	strings_add(&words, xstrdup(HANDLE));
	if (scripts) {
		strings_add(&words, xstrdup("-ex"));
		strings_add(&words, xasprintf("source %s", scripts));
	} else {
		say("%s: %s has no kernel scripts; FLAVOR=gdb builds one with them, with types and line numbers",
		    name, kernel);
	}
	strings_add(&words, xstrdup(kernel));
	strings_add(&words, xstrdup("-p"));
	strings_add(&words, xasprintf("%d", p.pid));
	while (*++args)
		strings_add(&words, xstrdup(*args));
	strings_add(&words, NULL);
	if (hold)
		hold_others(lab, name);
	execvp("gdb", words.s);
	die(LAB_FAILED, "gdb: %m");
}
