// SPDX-License-Identifier: GPL-2.0
/*
 * The host's memory for the guests'. A guest's is a file without a name, whose pages
 * are there once the guest uses them: in $TMPDIR, $TMP or $TEMP, else in /dev/shm or
 * /tmp, the first that is a tmpfs which allows programs (arch/um/os-Linux/mem.c). A
 * guest that finds no room for a page any more ends without a word.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include "../lib/xalloc.h"
#include "lab.h"

static bool is_tmpfs(const char *dir)
{
	struct statfs st;

	return !statfs(dir, &st) && st.f_type == TMPFS_MAGIC;
}

static const char *find_folder(void)
{
	static const char * const vars[] = { "TMPDIR", "TMP", "TEMP" };
	static const char * const dirs[] = { "/dev/shm", "/tmp" };
	struct statvfs st;
	const char *dir;
	size_t i;

	for (i = 0; i < sizeof(vars) / sizeof(*vars); i++) {
		dir = getenv(vars[i]);
		if (dir && *dir)
			return dir;
	}
	for (i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		if (is_tmpfs(dirs[i]) && !statvfs(dirs[i], &st) && !(st.f_flag & ST_NOEXEC))
			return dirs[i];
	return "/tmp";
}

/* As the lab file's reader has checked it. */
static uint64_t size_of(const char *memory)
{
	static const char units[] = "kMGT";
	uint64_t size = strtoull(memory, NULL, 10);
	const char *unit = strchr(units, memory[strlen(memory) - 1] == 'K' ? 'k' :
					 memory[strlen(memory) - 1]);

	return unit ? size << 10 * (unit - units + 1) : size;
}

struct host {
	uint64_t memory;	/* without that others lose theirs; UINT64_MAX: not known */
	uint64_t swap;
};

static struct host host_has(void)
{
	struct host host = { .memory = UINT64_MAX };
	FILE *in = fopen("/proc/meminfo", "re");
	char *line = NULL;
	size_t size = 0;
	uint64_t kb;

	while (in && getline(&line, &size, in) >= 0) {
		if (sscanf(line, "MemAvailable: %" SCNu64, &kb) == 1)
			host.memory = kb << 10;
		else if (sscanf(line, "SwapFree: %" SCNu64, &kb) == 1)
			host.swap = kb << 10;
	}
	free(line);
	if (in)
		fclose(in);
	if (host.memory != UINT64_MAX)
		host.memory += host.swap;
	return host;
}

bool memory_fits(const struct lab *lab, const char *what_then)
{
	uint64_t sum = 0, room = UINT64_MAX, limit = UINT64_MAX;
	struct host host = { .memory = UINT64_MAX };
	const char *dir = find_folder();
	char *group = NULL, *who;
	struct statvfs st;
	size_t i;

	for (i = 0; i < lab->nr_guests; i++)
		sum += size_of(lab->guest[i].memory);
	if (!statvfs(dir, &st))
		room = (uint64_t)st.f_bavail * st.f_frsize;
	/* what is no tmpfs is written back */
	if (is_tmpfs(dir)) {
		host = host_has();
		limit = cgroup_room(host.swap, &group);
	}
	if (room < host.memory && room < limit) {
		who = xasprintf("%s has room for", dir);
	} else if (limit < host.memory) {
		who = xasprintf("this control group (%s) has", group);
		room = limit;
	} else {
		who = xstrdup("the host has");
		room = host.memory;
	}
	if (sum > room)
		say("%s: its guests' memory is %" PRIu64 "M, and %s %" PRIu64 "M; %s",
		    lab->file, sum >> 20, who, room >> 20, what_then);
	free(who);
	free(group);
	return sum <= room;
}
