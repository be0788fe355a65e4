// SPDX-License-Identifier: GPL-2.0
/*
 * umf-run: a command in a guest, as if it ran here.
 *
 *	umf-run [option…] [--] command [argument…]
 *
 * Nothing is left: the folder that is shared with the guest, the guest, and its
 * umid go with us. Who kills us with SIGKILL leaves the first and the last.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/beside.h"
#include "../lib/guest.h"
#include "../lib/mconsole.h"
#include "../lib/message.h"
#include "../lib/stop.h"
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "run.h"

static struct run run = { .memory = "256M", .cpu = -1 };

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path) && errno != ENOENT ? -1 : 0;
}

static void clean_up(void)
{
	if (run.folder)
		nftw(run.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(NAME, fmt, ap, "");
	va_end(ap);
	clean_up();
	_exit(RUN_FAILED);
}

static void __attribute__((format(printf, 1, 2), noreturn))
usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(NAME, fmt, ap, "; " NAME " --help tells more");
	va_end(ap);
	exit(RUN_FAILED);
}

void strings_add(struct strings *list, char *text)
{
	list->s = xrealloc(list->s, (list->n + 1) * sizeof(*list->s));
	list->s[list->n++] = text;
}

static void help(void)
{
	puts("Usage: " NAME " [option...] [--] [command [argument...]]\n"
	     "\n"
	     "Runs the command, or a shell, in a guest that has this machine's file system,\n"
	     "the current folder, the environment and the terminal. What it writes is lost\n"
	     "with the guest, but for what it writes below the current folder.\n"
	     "\n"
	     "  -k, --kernel FILE|LINE    its kernel, 7.3 for one beside this tool; the newest\n"
	     "                            of those unless given, or $UMF_KERNEL\n"
	     "  -m, --mem SIZE            its memory, 256M unless given\n"
	     "  -n, --net SEGMENT[,ADDRESS/LENGTH]\n"
	     "                            a NIC on that segment; repeatable: eth0, eth1, ...\n"
	     "  -f, --fault RULE          a rule from the start, as 'add eth0 drop prob=1%';\n"
	     "                            repeatable. mconsole-fault <name> adds more\n"
	     "  -a, --append ARGUMENT     one more of the kernel's; repeatable\n"
	     "      --rootfs FOLDER       another file system than this machine's\n"
	     "      --rw                  what it writes is written, everywhere\n"
	     "      --ro                  nothing is, not even below the current folder\n"
	     "  -i, --input               reads standard input to its end before the start, if\n"
	     "                            that is no terminal; without -i the command has none\n"
	     "  -t, --timeout SECONDS     ends the guest then\n"
	     "      --cpu N               the CPU it runs on, the first there is unless given\n"
	     "      --name NAME           its umid, run-<process> unless given\n"
	     "  -v, --verbose             the kernel's messages, too\n"
	     "  -h, --help, --version\n"
	     "\n"
	     "Exit status: the command's; 124 it was not done in time; 125 it could not be\n"
	     "run, or the guest ended before it did.");
}

static void find_kernel(void)
{
	const char *said = run.kernel ?: getenv("UMF_KERNEL");

	if (!said || !*said)
		run.kernel = beside_newest_kernel() ?: beside("7.3/linux");
	else
		run.kernel = strchr(said, '/') ? said : beside_kernel(said);
	if (access(run.kernel, X_OK))
		fatal("there is no kernel %s; make KERNEL=7.3, or --kernel", run.kernel);
	run.initramfs = beside("rootfs/initramfs.cpio.gz");
	if (access(run.initramfs, R_OK))
		fatal("there is no %s; make rootfs", run.initramfs);
}

/* A umid is one guest's, however it was started. */
static void need_free_name(void)
{
	struct guest_list list = { 0 };
	char *why;

	if (guest_find(&list, run.name, &why))
		free(why);
	else if (!mconsole_probe(list.guest[0].path))
		fatal("--name %s: such a guest is running", run.name);
	guest_list_free(&list);
}

static long number(const char *option, const char *text, long least, long most)
{
	uint64_t n;

	if (!units_u64(text, &n) || n > (uint64_t)most || (long)n < least)
		usage("%s %s: must be a number from %ld to %ld", option, text,
		      least, most);
	return n;
}

static void add_fault(char *rule)
{
	if (strstr(rule, "match="))
		usage("--fault '%s': match= is compiled by mconsole-fault; here is bpf=, which its list shows",
		      rule);
	if (strncmp(rule, "add ", 4) && strncmp(rule, "seed ", 5))
		rule = xasprintf("add %s", rule);
	strings_add(&run.fault, rule);
}

enum { ROOTFS = 256, RW, RO, CPU, UMID, VERSION };

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "kernel", required_argument, NULL, 'k' },
		{ "mem", required_argument, NULL, 'm' },
		{ "net", required_argument, NULL, 'n' },
		{ "fault", required_argument, NULL, 'f' },
		{ "append", required_argument, NULL, 'a' },
		{ "rootfs", required_argument, NULL, ROOTFS },
		{ "rw", no_argument, NULL, RW },
		{ "ro", no_argument, NULL, RO },
		{ "input", no_argument, NULL, 'i' },
		{ "timeout", required_argument, NULL, 't' },
		{ "cpu", required_argument, NULL, CPU },
		{ "name", required_argument, NULL, UMID },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, VERSION },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "+k:m:n:f:a:it:vh", options, NULL)) != -1) {
		switch (c) {
		case 'k':
			run.kernel = optarg;
			break;
		case 'm':
			run.memory = optarg;
			break;
		case 'n':
			strings_add(&run.net, optarg);
			break;
		case 'f':
			add_fault(optarg);
			break;
		case 'a':
			strings_add(&run.append, optarg);
			break;
		case ROOTFS:
			run.rootfs = realpath(optarg, NULL) ?: optarg;
			break;
		case RW:
			run.rw = true;
			break;
		case RO:
			run.ro = true;
			break;
		case 'i':
			run.input = true;
			break;
		case 't':
			run.timeout = number("--timeout", optarg, 1, 1000000);
			break;
		case CPU:
			run.cpu = number("--cpu", optarg, 0, 1023);
			break;
		case UMID:
			run.name = optarg;
			break;
		case 'v':
			run.verbose = true;
			break;
		case 'h':
			help();
			exit(0);
		case VERSION:
			puts(NAME " of umf");
			exit(0);
		default:
			exit(RUN_FAILED);
		}
	}
	if (run.rw && run.ro)
		usage("--rw and --ro contradict each other");
	if (run.name && (!*run.name || strchr(run.name, '/') || *run.name == '.'))
		usage("--name %s: must be a word without a slash", run.name);
	if (run.rootfs && access(run.rootfs, X_OK))
		usage("--rootfs %s: %m", run.rootfs);
	if (optind < argc)
		run.command = argv + optind;
}

static void make_folder(void)
{
	const char *tmp = getenv("TMPDIR");

	run.folder = xasprintf("%s/umf-run.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(run.folder)) {
		char *name = run.folder;

		run.folder = NULL;
		fatal("%s: %m", name);
	}
	if (strpbrk(run.folder, ":, "))
		fatal("%s: TMPDIR must have no blank, comma and colon in it", run.folder);
}

/* All of standard input, for the guest to read. */
static void spool(void)
{
	char *path = xasprintf("%s/input", run.folder), buf[65536];
	FILE *f = fopen(path, "w");
	ssize_t len;

	if (!f)
		fatal("%s: %m", path);
	while ((len = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		if (fwrite(buf, 1, len, f) != (size_t)len)
			break;
	if (len < 0 || fclose(f))
		fatal("standard input: %m");
	free(path);
}

int main(int argc, char **argv)
{
	int status, sig;

	parse(argc, argv);
	find_kernel();
	if (!run.name)
		run.name = xasprintf("run-%d", getpid());
	need_free_name();
	make_folder();
	if (run.input && !isatty(STDIN_FILENO))
		spool();
	script_write(&run);
	status = boot(&run);
	sig = stop_forget();
	clean_up();
	if (sig)
		stop_die(sig);
	return status;
}
