// SPDX-License-Identifier: GPL-2.0
/*
 * pack and unpack: a lab as one file, with all that it takes to run it.
 *
 *	<lab>/umf-lab		a script: umf-lab with this lab file
 *	<lab>/<lab file>	and what it names below its own folder, in place
 *	<lab>/umf-lab.map	what it names elsewhere: "<as said>\t<where it is now>"
 *	<lab>/files/		that
 *	<lab>/umf-lab.set	what it was given by --set and ${env:...}: var.c
 *	<lab>/<…>.run/		deltas and images that were made
 *	<lab>/umf/		bin/ lib/ rootfs/ <line>/linux, as the tool looks for them
 *
 * A folder of symbolic links is made, and tar or xorriso follows them. Deltas
 * know their backing file by its time, which both keep; where it is now they
 * are told by backing=.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/beside.h"
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

struct pack {
	const struct lab *lab;
	char *stage;		/* folder of <lab>/ */
	char *top;		/* that */
	FILE *map;
	unsigned int nr;
};

static void make_folders(const char *path)
{
	char *copy = xstrdup(path), *at = copy;

	while ((at = strchr(at + 1, '/'))) {
		*at = '\0';
		if (mkdir(copy, 0777) && errno != EEXIST)
			die(LAB_FAILED, "%s: %m", copy);
		*at = '/';
	}
	free(copy);
}

static void put(struct pack *pack, const char *file, const char *as)
{
	char *path = xasprintf("%s/%s", pack->top, as);

	make_folders(path);
	if (symlink(file, path) && errno != EEXIST)
		die(LAB_FAILED, "%s: %m", path);
	free(path);
}

/* Libraries that a machine may not have; the C library is every machine's own. */
static void put_libraries(struct pack *pack, const char *program)
{
	char *line = NULL, *from, *as;
	FILE *in = quote_run("ldd ", program, " 2>/dev/null");
	size_t size = 0;

	while (in && getline(&line, &size, in) >= 0) {
		from = strstr(line, "=> /");
		if (!from || strstr(line, "/libc.so") || strstr(line, "/libpthread.so"))
			continue;
		from += 3;
		from[strcspn(from, " \n")] = '\0';
		as = xasprintf("umf/lib%s", strrchr(from, '/'));
		put(pack, from, as);
		free(as);
	}
	if (in)
		pclose(in);
	free(line);
}

static void put_program(struct pack *pack, const char *file, const char *as)
{
	if (access(file, X_OK))
		return;
	put(pack, file, as);
	put_libraries(pack, file);
}

static char *put_elsewhere(struct pack *pack, const char *said, const char *file)
{
	const char *base = strrchr(file, '/') + 1;
	char *as = xasprintf("files/%u-%s", pack->nr++, base);

	put(pack, file, as);
	fprintf(pack->map, "%s\t%s\n", said, as);
	return as;
}

static void put_paths(struct pack *pack)
{
	const struct lab *lab = pack->lab;
	size_t i;

	for (i = 0; i < lab->said.n; i++) {
		const char *said = lab->said.s[i], *file = lab->found.s[i];

		if (access(file, F_OK))
			;	/* up makes it */
		else if (*said == '/' || strstr(said, ".."))
			free(put_elsewhere(pack, said, file));
		else
			put(pack, file, said);
	}
}

static void write_variables(struct pack *pack)
{
	char *path = xasprintf("%s/umf-lab.set", pack->top);
	FILE *out = fopen(path, "we");

	if (!out || !var_write_packed(out) || fclose(out))
		die(LAB_FAILED, "%s: %m", path);
	free(path);
}

static void put_run(struct pack *pack, const char *base)
{
	const struct lab *lab = pack->lab;
	struct strings files = { 0 };
	const char *name;
	size_t i;
	char *as;

	start_files(lab, &files);
	strings_add(&files, xasprintf("%s/umf-lab.json", lab->run));
	for (i = 0; i < files.n; i++) {
		name = path_below(files.s[i], lab->run);
		if (!name || access(files.s[i], F_OK))
			continue;
		as = xasprintf("%s.run/%s", base, name);
		put(pack, files.s[i], as);
		free(as);
	}
}

static void put_tools(struct pack *pack)
{
	static const char * const tools[] = {
		"umf-lab", "mconsole-fault", "umf-cow", "umf-port"
	};
	const struct lab *lab = pack->lab;
	char *path, *as;
	size_t i;

	for (i = 0; i < sizeof(tools) / sizeof(*tools); i++) {
		as = xasprintf("bin/%s", tools[i]);
		path = beside(as);
		free(as);
		as = xasprintf("umf/bin/%s", tools[i]);
		put_program(pack, path, as);
		free(as);
		free(path);
	}
	for (i = 0; i < lab->nr_guests; i++) {
		const struct guest_conf *guest = &lab->guest[i];

		as = xasprintf("rootfs/%s", strrchr(guest->rootfs, '/') + 1);
		path = beside(as);
		free(as);
		if (!strcmp(path, guest->rootfs)) {
			as = xasprintf("umf/rootfs/%s", strrchr(path, '/') + 1);
			put(pack, path, as);
			free(as);
		}
		free(path);
		if (strchr(guest->kernel_said, '/')) {
			put_libraries(pack, guest->kernel);
			continue;
		}
		as = xasprintf("umf/%.*s/%s", (int)strcspn(guest->kernel_said, "-"),
			       guest->kernel_said, strrchr(guest->kernel, '/') + 1);
		put_program(pack, guest->kernel, as);
		free(as);
	}
}

static void write_script(struct pack *pack, const char *file)
{
	const char *kernel = pack->lab->kernel;
	char *path = xasprintf("%s/umf-lab", pack->top), *as = NULL, real[PATH_MAX];
	FILE *out;

	if (strchr(kernel, '/') && realpath(kernel, real)) {
		as = put_elsewhere(pack, real, real);
		put_libraries(pack, real);
	}
	out = fopen(path, "we");
	if (!out)
		die(LAB_FAILED, "%s: %m", path);
	fprintf(out, "#!/bin/sh\n"
		"# umf-lab for this lab; ./umf-lab up starts it, ./umf-lab --help has more.\n"
		"here=$(cd \"$(dirname \"$0\")\" && pwd)\n"
		"export LD_LIBRARY_PATH=\"$here/umf/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\"\n"
		"export UMF_LAB=\"$here/%s\"\n"
		"exec \"$here/umf/bin/umf-lab\" --kernel \"%s%s\" \"$@\"\n", file,
		as ? "$here/" : "", as ?: kernel);
	fchmod(fileno(out), 0755);
	if (fclose(out))
		die(LAB_FAILED, "%s: %m", path);
	free(as);
	free(path);
}

static bool run_program(const char **args)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		execvp(args[0], (char **)args);
		fprintf(stderr, NAME ": %s: %s\n", args[0], strerror(errno));
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return !status;
}

static bool is_here(const char *program)
{
	char *command = xasprintf("command -v %s >/dev/null 2>&1", program);
	bool here = !system(command);

	free(command);
	return here;
}

static void stage(struct pack *pack, const struct lab *lab)
{
	char real[PATH_MAX], *file, *base, *path;
	const char *tmp = getenv("TMPDIR");

	pack->lab = lab;
	pack->stage = xasprintf("%s/umf-lab.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(pack->stage) || !realpath(lab->file, real))
		die(LAB_FAILED, "%s: %m", pack->stage);
	pack->top = xasprintf("%s/%s", pack->stage, lab->name);
	file = strrchr(real, '/') + 1;
	put(pack, real, file);
	path = xasprintf("%s/umf-lab.map", pack->top);
	pack->map = fopen(path, "we");
	if (!pack->map)
		die(LAB_FAILED, "%s: %m", path);
	free(path);
	write_script(pack, file);
	put_paths(pack);
	write_variables(pack);
	base = xstrdup(file);
	if (strrchr(base, '.') && strrchr(base, '.') != base)
		*strrchr(base, '.') = '\0';
	put_run(pack, base);
	put_tools(pack);
	free(base);
	if (fclose(pack->map))
		die(LAB_FAILED, "%s: %m", pack->stage);
}

int pack_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct pack pack = { 0 };
	char *out, *part;
	sigset_t open;
	bool ok;

	if (*args && args[1])
		die(LAB_USAGE, "%s: pack takes one file", args[1]);
	lab_lock(lab, "pack");
	lab_need_ended(lab);
	out = *args ? xstrdup(*args) :
	      xasprintf("%s.%s", lab->name, opt->iso ? "iso" :
			is_here("zstd") ? "tar.zst" : "tar.gz");
	/* tar sees by the ending how to compress */
	part = xasprintf("%.*s.part-%s", (int)(strlen(out) - strlen(basename(out))),
			 out, basename(out));
	stop_catch(&open);
	stage(&pack, lab);
	ok = opt->iso ?
		run_program((const char *[]){ "xorriso", "-as", "mkisofs", "-quiet",
			"-f", "-R", "-V", "UMFLAB", "-o", part, pack.stage, NULL }) :
		run_program((const char *[]){ "tar", "-C", pack.stage, "--force-local",
			"-chSaf", part, lab->name, NULL });
	ok = ok && !stop_asked() && !rename(part, out);
	if (!ok)
		unlink(part);
	remove_tree(pack.stage);
	if (stop_asked())
		stop_die(stop_forget());
	if (!ok)
		die(LAB_FAILED, "%s: is not made", out);
	if (!opt->quiet)
		printf("%s\n", out);
	return LAB_DONE;
}

int unpack_verb(struct lab *lab, const struct options *opt, char **args)
{
	const char *to = *args && args[1] ? args[1] : ".";

	(void)lab, (void)opt;
	if (!*args || (args[1] && args[2]))
		die(LAB_USAGE, "unpack: which file? <file> [<folder>]");
	if (access(*args, R_OK))
		die(LAB_USAGE, "%s: %m", *args);
	/* a stranger's archive: neither his users nor his set-uid bits, and no remote hosts */
	if (!run_program((const char *[]){ "tar", "-C", to, "--force-local",
			"--no-same-owner", "--no-same-permissions", "-xSf", *args, NULL }))
		die(LAB_FAILED, "%s: is not unpacked", *args);
	return LAB_DONE;
}
