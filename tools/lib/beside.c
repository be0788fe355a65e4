// SPDX-License-Identifier: GPL-2.0
/* Found by the place of the running program, wherever that was put. */
#define _GNU_SOURCE
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "beside.h"
#include "xalloc.h"

static const char *const places[] = { "", "lib/umf/" };

#define NR_PLACES	(sizeof(places) / sizeof(*places))

static char *in_place(size_t place, const char *path)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[len < 0 ? 0 : len] = '\0';
	return xasprintf("%s/%s%s", dirname(dirname(self)), places[place], path);
}

char *beside(const char *path)
{
	char *found;
	size_t i;

	for (i = 0; i < NR_PLACES; i++) {
		found = in_place(i, path);
		if (!access(found, F_OK))
			return found;
		free(found);
	}
	return in_place(0, path);
}

char *beside_kernel(const char *line)
{
	size_t len = strcspn(line, "-");
	char *path = xasprintf("%.*s/linux%s", (int)len, line, line + len);
	char *found = beside(path);

	free(path);
	return found;
}

char *beside_newest_kernel(void)
{
	char *best = NULL, *pattern;
	glob_t found;
	size_t i, k;

	for (i = 0; !best && i < NR_PLACES; i++) {
		pattern = in_place(i, "[0-9]*/linux");
		if (!glob(pattern, 0, NULL, &found)) {
			for (k = 0; k < found.gl_pathc; k++)
				if (!best || strverscmp(found.gl_pathv[k], best) > 0)
					best = found.gl_pathv[k];
			best = best ? xstrdup(best) : NULL;
			globfree(&found);
		}
		free(pattern);
	}
	return best;
}
