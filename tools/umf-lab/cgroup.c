// SPDX-License-Identifier: GPL-2.0
/*
 * The memory that this tool's control group, and each one above it, may have. A guest
 * is charged to the group that it was started in; what it has in a tmpfs is not given
 * back for another, the cache of files is.
 *
 * Both versions, where everybody has them. A container may see its own group as the
 * root of the tree and be told another path: what is not there is passed over.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "lab.h"

static const struct hierarchy {
	const char *controller;		/* as /proc/self/cgroup names it */
	const char *root;
	const char *max, *used, *swap_max, *swap_used;
	const char *cache;		/* the word in memory.stat ends so */
} hierarchies[] = {
	{ "", "/sys/fs/cgroup", "memory.max", "memory.current",
	  "memory.swap.max", "memory.swap.current", "" },
	{ "", "/sys/fs/cgroup/unified", "memory.max", "memory.current",
	  "memory.swap.max", "memory.swap.current", "" },
	{ "memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes",
	  "memory.usage_in_bytes", NULL, NULL, "total_" },
};

/* The group's path in that hierarchy; NULL: it is in none. */
static char *group_of(const char *controller)
{
	FILE *in = fopen("/proc/self/cgroup", "re");
	char *line = NULL, *names, *path, *found = NULL;
	size_t size = 0;

	/* "4:memory:/a/b", "3:cpu,cpuacct:/a", "0::/a" */
	while (in && !found && getline(&line, &size, in) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		names = strchr(line, ':');
		path = names ? strchr(++names, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		if (!strcmp(names, controller) && *path == '/')
			found = xstrdup(path);
	}
	free(line);
	if (in)
		fclose(in);
	return found;
}

/* False: there is no such file, or no number in it ("max"). */
static bool read_number(const char *dir, const char *name, uint64_t *number)
{
	char *path = xasprintf("%s/%s", dir, name), *line = read_line_of(path);
	bool ok = line && units_u64(line, number);

	free(line);
	free(path);
	return ok;
}

/* What the group gives back when it needs memory. */
static uint64_t cache_of(const char *dir, const char *prefix)
{
	char *path = xasprintf("%s/memory.stat", dir), *line = NULL, *word;
	FILE *in = fopen(path, "re");
	uint64_t bytes, sum = 0;
	size_t size = 0;

	while (in && getline(&line, &size, in) >= 0) {
		word = strncmp(line, prefix, strlen(prefix)) ? "" : line + strlen(prefix);
		if (sscanf(word, "inactive_file %" SCNu64, &bytes) == 1 ||
		    sscanf(word, "active_file %" SCNu64, &bytes) == 1)
			sum += bytes;
	}
	free(line);
	if (in)
		fclose(in);
	free(path);
	return sum;
}

static uint64_t room_in(const struct hierarchy *h, const char *dir, uint64_t swap)
{
	uint64_t max, used = 0, swap_max, swap_used = 0, room;

	if (!read_number(dir, h->max, &max))
		return UINT64_MAX;
	read_number(dir, h->used, &used);
	room = max > used ? max - used : 0;
	room += cache_of(dir, h->cache);
	if (h->swap_max && read_number(dir, h->swap_max, &swap_max)) {
		read_number(dir, h->swap_used, &swap_used);
		swap_max = swap_max > swap_used ? swap_max - swap_used : 0;
		swap = swap < swap_max ? swap : swap_max;
	}
	room = room < max ? room : max;
	return room < UINT64_MAX - swap ? room + swap : UINT64_MAX;
}

/* In the group and all above it: the least, and whose that is. */
static void look_up(const struct hierarchy *h, char *path, uint64_t swap, uint64_t *least,
		    char **group)
{
	char *end = path + strlen(path), *dir;
	uint64_t room;

	if (end[-1] == '/')
		*--end = '\0';
	do {
		*end = '\0';
		dir = xasprintf("%s%s", h->root, path);
		room = room_in(h, dir, swap);
		if (room < *least) {
			*least = room;
			free(*group);
			*group = xstrdup(dir);
		}
		free(dir);
		end = strrchr(path, '/');
	} while (end);
}

uint64_t cgroup_room(uint64_t swap, char **group)
{
	const struct hierarchy *h = hierarchies;
	uint64_t least = UINT64_MAX;
	char *path;

	*group = NULL;
	for (; h < hierarchies + sizeof(hierarchies) / sizeof(*hierarchies); h++) {
		path = group_of(h->controller);
		if (path)
			look_up(h, path, swap, &least, group);
		free(path);
	}
	return least;
}
