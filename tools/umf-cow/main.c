// SPDX-License-Identifier: GPL-2.0
/*
 * umf-cow: images of disks of guests that do not run.
 *
 * Every verb refuses before it changes anything, and what it makes appears
 * under its name only when it is whole and on the disk (target.c).
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/message.h"
#include "../lib/units.h"
#include "tool.h"

enum { OPT_JSON = 256, OPT_REPAIR, OPT_COPY, OPT_IN_PLACE, OPT_RELATIVE,
       OPT_FOREGROUND, OPT_PROGRESS, OPT_VERSION, OPT_CHECK, OPT_AT, OPT_FROM,
       OPT_UNTIL, OPT_ENTRIES };

static const struct option options[] = {
	{ "backing", required_argument, NULL, 'b' },
	{ "size", required_argument, NULL, 's' },
	{ "depth", required_argument, NULL, 'n' },
	{ "format", required_argument, NULL, 'O' },
	{ "force", no_argument, NULL, 'f' },
	{ "write", no_argument, NULL, 'w' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "repair", no_argument, NULL, OPT_REPAIR },
	{ "copy", no_argument, NULL, OPT_COPY },
	{ "in-place", no_argument, NULL, OPT_IN_PLACE },
	{ "relative", no_argument, NULL, OPT_RELATIVE },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "progress", no_argument, NULL, OPT_PROGRESS },
	{ "check", required_argument, NULL, OPT_CHECK },
	{ "at", required_argument, NULL, OPT_AT },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "until", required_argument, NULL, OPT_UNTIL },
	{ "entries", required_argument, NULL, OPT_ENTRIES },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

/* Options of a verb, by their long names; those of all verbs are not named. */
static const struct verb {
	const char *name, *args, *help, *options;
	int least, most;	/* words */
	int (*run)(const struct tool *tool, int argc, char **argv);
} verbs[] = {
	{ "create", "<file> {-b <backing> [--relative] | -s <size>} [-f]",
	  "an empty delta on another image, or an empty raw image",
	  " backing size relative force ", 1, 1, verb_create },
	{ "info", "[--json] [-b <backing>] <image>...",
	  "what an image and the files below it are",
	  " json backing ", 1, 1 << 20, verb_info },
	{ "check", "[--json] [--repair] [-b <backing>] <image>...",
	  "finds and explains what is wrong with the files of an image",
	  " json repair backing ", 1, 1 << 20, verb_check },
	{ "snapshot", "[--relative] <image> <name>",
	  "keeps what the image holds as <name>; it goes on as a delta on that",
	  " relative ", 2, 2, verb_snapshot },
	{ "clone", "[--relative] [-f] [--copy] <image> <new>...",
	  "new deltas on an image; or copies of its own file",
	  " relative force copy ", 2, 1 << 20, verb_clone },
	{ "rollback", "<image> [<snapshot>]",
	  "forgets what was written since that snapshot (the file below it)",
	  "", 1, 2, verb_rollback },
	{ "merge", "[--in-place] [--relative] <image> | [-n <files>] [-f] <image> <new>",
	  "writes a delta into its backing file; or all into a new file",
	  " in-place depth force backing relative ", 1, 2, verb_merge },
	{ "convert", "[-O raw|cow|qcow2] [-b <backing>] [--relative] [-f] <image> <new>",
	  "the same content in another format, or as a delta on another file",
	  " format backing force relative ", 2, 2, verb_convert },
	{ "mount", "[-w] [-b <backing>] [--foreground] <image> <folder or file>",
	  "shows the disk as a file (FUSE); fusermount3 -u ends that",
	  " write backing foreground ", 2, 2, verb_mount },
	{ "replay", "[--until <mark>] [--entries <n>] <log>\n"
	  "         [<image> [--check <command> [--at flush|mark|entry] [--from <mark>]]]",
	  "lists a write log; or does it again to an image as it was before",
	  " until entries check at from ", 1, 2, verb_replay },
};

#define NR_VERBS	(sizeof(verbs) / sizeof(*verbs))

void fail(const char *fmt, ...)
{
	va_list ap;

	progress_end();
	va_start(ap, fmt);
	message(NAME, fmt, ap, "");
	va_end(ap);
	exit(TOOL_FAILED);
}

void usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(NAME, fmt, ap, "");
	va_end(ap);
	exit(TOOL_USAGE);
}

void say(const struct tool *tool, const char *fmt, ...)
{
	va_list ap;

	if (tool->quiet)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void help(void)
{
	size_t i;

	printf("Usage: " NAME " <verb> [options] <image> ...\n\nVerbs:\n");
	for (i = 0; i < NR_VERBS; i++)
		printf("  %s %s\n      %s\n", verbs[i].name, verbs[i].args,
		       verbs[i].help);
	printf("\nOptions:\n"
	       "  -b, --backing F  the backing file, instead of the one the header names\n"
	       "  -s, --size N     bytes, as 512, 64k, 10M, 2G or 9T\n"
	       "  -n, --depth N    merge only the N topmost files, into a delta on the others\n"
	       "  -O, --format F   raw, cow or qcow2 (with qemu-img)\n"
	       "  -f, --force      replace a file that is there\n"
	       "  -w, --write      let it be written; what is written is in the topmost file\n"
	       "  -q, --quiet      say nothing but errors\n"
	       "  --in-place       write into the backing file itself, not into a copy\n"
	       "  --copy           copy the image's own file, with its backing file\n"
	       "  --relative       the header names the backing file from its own folder on\n"
	       "  --repair         mend what can be mended without a guess\n"
	       "  --json           print JSON\n"
	       "  --foreground     do not go to the background\n"
	       "  --check C        shell command on each $IMAGE that replay makes; $MARK, $ENTRY\n"
	       "  --at WHERE       check at each flush and FUA (flush), mark or entry\n"
	       "  --from M         the first check is at that mark\n"
	       "  --until M        replay no more behind that mark\n"
	       "  --entries N      replay only the first N\n"
	       "  --progress       tell how far it is even if stderr is no terminal\n"
	       "  --help, --version\n"
	       "\n"
	       "Exit status: 0 done, 1 refused or failed, 2 usage, 3 check found something, or --check failed.\n");
}

static u64 parse_size(const char *word)
{
	static const char units[] = "kMGTP";
	const char *unit;
	char *end;
	unsigned long long n = strtoull(word, &end, 10);
	unsigned int shift = 0;

	if (*end) {
		unit = strchr(units, *end == 'K' ? 'k' : *end);
		if (unit && !end[1])
			shift = 10 * (unit - units + 1);
		else
			n = 0;
	}
	if (*word < '0' || *word > '9' || !n || n > UMF_COW_SIZE_MAX >> shift)
		usage("--size %s: must be 1 to 2^60 bytes, as 512, 64k, 10M, 2G or 9T",
		      word);
	return n << shift;
}

static enum tool_format parse_format(const char *word)
{
	if (!strcmp(word, "raw"))
		return FORMAT_RAW;
	if (!strcmp(word, "cow"))
		return FORMAT_COW;
	if (!strcmp(word, "qcow2"))
		return FORMAT_QCOW2;
	usage("--format %s: must be raw, cow or qcow2", word);
}

static enum tool_at parse_at(const char *word)
{
	if (!strcmp(word, "flush"))
		return AT_FLUSH;
	if (!strcmp(word, "mark"))
		return AT_MARK;
	if (!strcmp(word, "entry"))
		return AT_ENTRY;
	usage("--at %s: must be flush, mark or entry", word);
}

static void parse_option(struct tool *tool, int opt)
{
	uint64_t n;

	switch (opt) {
	case 'b':
		tool->backing = optarg;
		break;
	case 's':
		tool->size = parse_size(optarg);
		break;
	case 'n':
		if (!units_u64(optarg, &n) || !n || n > UMF_COW_DEPTH_MAX)
			usage("--depth %s: must be 1 to %u", optarg,
			      UMF_COW_DEPTH_MAX);
		tool->depth = n;
		break;
	case 'O':
		tool->format = parse_format(optarg);
		break;
	case 'f':
		tool->force = true;
		break;
	case 'w':
		tool->write = true;
		break;
	case 'q':
		tool->quiet = true;
		break;
	case OPT_JSON:
		tool->json = true;
		break;
	case OPT_REPAIR:
		tool->repair = true;
		break;
	case OPT_COPY:
		tool->copy = true;
		break;
	case OPT_IN_PLACE:
		tool->in_place = true;
		break;
	case OPT_RELATIVE:
		tool->relative = true;
		break;
	case OPT_FOREGROUND:
		tool->foreground = true;
		break;
	case OPT_PROGRESS:
		tool->progress = true;
		break;
	case OPT_CHECK:
		tool->check = optarg;
		break;
	case OPT_AT:
		tool->at = parse_at(optarg);
		break;
	case OPT_FROM:
		tool->from = optarg;
		break;
	case OPT_UNTIL:
		tool->until = optarg;
		break;
	case OPT_ENTRIES:
		if (!units_u64(optarg, &n) || !n)
			usage("--entries %s: must be 1 or more", optarg);
		tool->entries = n;
		break;
	case OPT_VERSION:
		puts(NAME " " UMF_COW_VERSION);
		exit(TOOL_DONE);
	case 'h':
		help();
		exit(TOOL_DONE);
	default:
		exit(TOOL_USAGE);
	}
}

static const char *long_name(int opt)
{
	const struct option *option;

	for (option = options; option->name; option++)
		if (option->val == opt)
			return option->name;
	return "";
}

static bool goes_with(const struct verb *verb, const char *option)
{
	static const char all[] = " quiet progress version help ";
	char word[32];

	snprintf(word, sizeof(word), " %s ", option);
	return strstr(verb->options, word) || strstr(all, word);
}

int main(int argc, char **argv)
{
	const struct verb *verb = NULL;
	struct tool tool = { 0 };
	bool given[512] = { false };
	size_t i;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "b:s:n:O:fwqh", options, NULL)) != -1) {
		parse_option(&tool, opt);
		given[opt & 511] = true;
	}
	argc -= optind;
	argv += optind;
	if (!argc)
		usage("which verb? " NAME " --help lists them");
	for (i = 0; i < NR_VERBS; i++)
		if (!strcmp(verbs[i].name, argv[0]))
			verb = &verbs[i];
	if (!verb)
		usage("%s: no such verb; " NAME " --help lists them", argv[0]);
	for (opt = 0; opt < 512; opt++)
		if (given[opt] && !goes_with(verb, long_name(opt)))
			usage("--%s does not go with %s", long_name(opt),
			      verb->name);
	argc--;
	argv++;
	if (argc < verb->least || argc > verb->most)
		usage("%s %s", verb->name, verb->args);
	signals_catch();
	status = verb->run(&tool, argc, argv);
	if (fclose(stdout)) {
		perror(NAME ": cannot write");
		status = TOOL_FAILED;
	}
	return status;
}
