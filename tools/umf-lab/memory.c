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

/* What programs can have without that others lose theirs; UINT64_MAX: not known. */
static uint64_t host_has(void)
{
	FILE *in = fopen("/proc/meminfo", "re");
	uint64_t kb, sum = 0;
	char *line = NULL;
	size_t size = 0;
	bool known = false;

	while (in && getline(&line, &size, in) >= 0) {
		if (sscanf(line, "MemAvailable: %" SCNu64, &kb) == 1)
			known = true;
		else if (sscanf(line, "SwapFree: %" SCNu64, &kb) != 1)
			continue;
		sum += kb << 10;
	}
	free(line);
	if (in)
		fclose(in);
	return known ? sum : UINT64_MAX;
}

bool memory_fits(const struct lab *lab, const char *what_then)
{
	const char *dir = find_folder();
	uint64_t sum = 0, room = UINT64_MAX, host = is_tmpfs(dir) ? host_has() : UINT64_MAX;
	struct statvfs st;
	size_t i;

	for (i = 0; i < lab->nr_guests; i++)
		sum += size_of(lab->guest[i].memory);
	if (!statvfs(dir, &st))
		room = (uint64_t)st.f_bavail * st.f_frsize;
	if (sum <= room && sum <= host)
		return true;
	if (room < host)
		say("%s: its guests' memory is %" PRIu64 "M, and %s has room for %" PRIu64 "M; %s",
		    lab->file, sum >> 20, dir, room >> 20, what_then);
	else
		say("%s: its guests' memory is %" PRIu64 "M, and the host has %" PRIu64 "M; %s",
		    lab->file, sum >> 20, host >> 20, what_then);
	return false;
}
