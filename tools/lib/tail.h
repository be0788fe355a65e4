/* SPDX-License-Identifier: GPL-2.0 */
/* A file that grows, line by line. */
#ifndef __UMF_TAIL_H
#define __UMF_TAIL_H

struct tail {
	char *path;		/* opened once it is there, to be freed; NULL: @fd is, if any */
	int fd;			/* -1: not open */
	char *part;		/* of a line that has no end yet; NULL: nothing */
};

/* Calls @see for each whole line that has come, without its end; a NUL in it is a '?'. */
void tail_read(struct tail *tail, void (*see)(char *line, void *data), void *data);
void tail_end(struct tail *tail);

#endif /* __UMF_TAIL_H */
