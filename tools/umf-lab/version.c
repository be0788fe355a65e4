// SPDX-License-Identifier: GPL-2.0
/*
 * Which files a guest was started from, and which versions of them, beside the lab's
 * record: the kernel, the root file system, backing files, the setup script; and of the
 * lab, the tools. Noted at each start: a kernel may have been built anew since `up`.
 *
 *	<live folder>/guest/<guest>/files	what status shows
 *	<live folder>/tools
 *
 * What guests write has no version.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

static void add(json_t *files, const char *is, const char *path)
{
	json_t *file = json_pack("{ss ss*}", "is", is, "path", path);
	struct digest digest;

	if (digest_of(path, &digest))
		json_object_set_new(file, digest_kind(&digest), json_string(digest.hex));
	json_array_append_new(files, file);
}

static bool save(json_t *files, char *path)
{
	bool ok = record_write(files, path);

	json_decref(files);
	free(path);
	return ok;
}

static json_t *load(char *path)
{
	json_t *files = json_load_file(path, 0, NULL);

	free(path);
	return files;
}

bool version_note(const struct lab *lab, const struct guest_conf *guest)
{
	json_t *files = json_array();
	size_t i;

	add(files, "kernel", guest->kernel);
	add(files, "rootfs", guest->rootfs);
	if (guest->setup)
		add(files, "setup", guest->setup);
	for (i = 0; i < guest->nr_disks; i++)
		if (guest->disk[i].backing)
			add(files, guest->disk[i].name, guest->disk[i].backing);
	return save(files, guest_file(lab, guest->name, "files"));
}

json_t *version_of(const struct lab *lab, const char *guest)
{
	return load(guest_file(lab, guest, "files"));
}

bool version_note_tools(const struct lab *lab)
{
	static const char * const names[] = { "mconsole-fault", "umf-cow", "umf-port" };
	char self[PATH_MAX], *dir, *path;
	json_t *files = json_array();
	ssize_t len;
	size_t i;

	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[len < 0 ? 0 : len] = '\0';
	add(files, NAME, self);
	dir = dirname(self);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		path = xasprintf("%s/%s", dir, names[i]);
		if (!access(path, F_OK))
			add(files, names[i], path);
		free(path);
	}
	return save(files, xasprintf("%s/tools", lab->live));
}

json_t *version_of_tools(const struct lab *lab)
{
	return load(xasprintf("%s/tools", lab->live));
}
