/* SPDX-License-Identifier: GPL-2.0 */
/* What umf-run is asked for, and its parts. */
#ifndef __UMF_RUN_H
#define __UMF_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define NAME		"umf-run"
#define RUN_FAILED	125	/* of our own; any other status is the command's */
#define RUN_TIMEOUT	124

struct strings {
	char **s;
	size_t n;
};

struct run {
	const char *kernel, *rootfs, *memory, *name;
	bool rw;			/* all that the guest writes is written */
	bool ro;			/* nothing is, not even below the current folder */
	bool input;			/* standard input, which is no terminal, is read */
	bool verbose;			/* the kernel's boot messages */
	long timeout;			/* seconds, or 0 */
	long cpu;			/* or -1: the first there is */
	struct strings net;		/* <segment>[,<address>/<length>] */
	struct strings fault;
	struct strings append;
	char **command;			/* its argv, or NULL: a shell */

	char *folder;			/* shared with the guest */
	char *initramfs;
};

void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void strings_add(struct strings *list, char *text);

/* script.c: what the guest is to do, as <folder>/go */
void script_write(const struct run *run);

/* boot.c: the guest; its command's status */
int boot(const struct run *run);

#endif /* __UMF_RUN_H */
