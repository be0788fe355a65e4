// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tail.h"
#include "xalloc.h"

void tail_read(struct tail *tail, void (*see)(char *line, void *data), void *data)
{
	char buf[65536], *text, *pos, *nul, *line;
	ssize_t len;

	if (tail->fd < 0 && tail->path)
		tail->fd = open(tail->path, O_RDONLY | O_CLOEXEC);
	while (tail->fd >= 0 && (len = read(tail->fd, buf, sizeof(buf) - 1)) > 0) {
		while ((nul = memchr(buf, '\0', len)))
			*nul = '?';
		buf[len] = '\0';
		text = xasprintf("%s%s", tail->part ?: "", buf);
		pos = text;
		while (strchr(pos, '\n')) {
			line = strsep(&pos, "\n");
			line[strcspn(line, "\r")] = '\0';
			see(line, data);
		}
		free(tail->part);
		tail->part = xstrdup(pos);
		free(text);
	}
}

void tail_end(struct tail *tail)
{
	if (tail->fd >= 0)
		close(tail->fd);
	tail->fd = -1;
	free(tail->part);
	free(tail->path);
	tail->part = tail->path = NULL;
}
