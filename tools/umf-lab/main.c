// SPDX-License-Identifier: GPL-2.0
/*
 * umf-lab: several guests, their networks, serial lines and disks, from one
 * file. No process of ours stays: what must be known later is in files
 * (place.c), and guests are found by their records (state.c).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../lib/message.h"
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "lab.h"

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(NAME, fmt, ap, "");
	va_end(ap);
}

void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(NAME, fmt, ap, "");
	va_end(ap);
	exit(status);
}

void strings_add(struct strings *list, char *s)
{
	list->s = xrealloc(list->s, (list->n + 1) * sizeof(*list->s));
	list->s[list->n++] = s;
}

static int check_verb(struct lab *lab, const struct options *opt, char **args)
{
	size_t i;

	if (*args)
		die(LAB_USAGE, "%s: check takes no more words", *args);
	lab->virtual = lab->virtual || opt->virtual;
	if (lab->virtual && !virtual_fits(lab))
		return LAB_USAGE;
	for (i = 0; i < lab->nr_guests; i++)
		if (!start_fits(lab, &lab->guest[i]))
			return LAB_USAGE;
	memory_fits(lab, "up takes --overcommit then");
	if (!opt->quiet)
		printf("%s: lab %s, %zu guests, %zu segments\n", lab->file,
		       lab->name, lab->nr_guests, lab->segment.n);
	return LAB_DONE;
}

/* What a verb goes by: the lab file as it is, or the record of the lab that is up, if it is. */
enum source { NOTHING, LAB_FILE, RECORD, RECORD_OR_FILE, TEST_FILE };

static const struct verb {
	const char *name;
	int (*run)(struct lab *lab, const struct options *opt, char **args);
	enum source source;
	bool takes_file;	/* the word behind it may be the lab file */
	const char *args, *help;
} verbs[] = {
	{ "check", check_verb, LAB_FILE, true, "[<file>]",
	  "says what is wrong with the lab file" },
	{ "up", up_verb, LAB_FILE, true, "[<file>]",
	  "starts all guests and waits until they are ready" },
	{ "down", down_verb, RECORD, true, "[<file>]",
	  "powers them off, or kills those that do not" },
	{ "status", status_verb, RECORD, true, "[<file>]",
	  "one line a guest" },
	{ "graph", graph_verb, RECORD_OR_FILE, true, "[--svg] [<file>]",
	  "the lab as a picture, in DOT or as SVG" },
	{ "exec", exec_verb, RECORD, false, "[-i] <guest>[,...]|all <command>...",
	  "runs a command in guests, at once; with several each line has its guest's name" },
	{ "cp", cp_verb, RECORD, false, "<source>... <target>",
	  "copies files and folders; those of a guest are n1:/path" },
	{ "restart", restart_verb, RECORD, false, "[<guest>...]",
	  "down and up again" },
	{ "kill", kill_verb, RECORD, false, "<guest>...",
	  "as a power cut" },
	{ "freeze", freeze_verb, RECORD, false, "[--lose] <guest>...",
	  "stops all of its processes" },
	{ "thaw", thaw_verb, RECORD, false, "<guest>...",
	  "lets them go on" },
	{ "power", power_verb, RECORD, false, "on|off|status [<guest>...]",
	  "what the power switch does, by hand" },
	{ "events", events_verb, RECORD, false, "[-f] [--json] [<guest>...]",
	  "what happened: faults, kernels, the power switch, guests that come and go" },
	{ "wait", wait_verb, RECORD, false, "[ended] [<guest>...]",
	  "until they are ready, or have ended" },
	{ "time", time_verb, RECORD, false, "",
	  "in virtual time: what time it is, in seconds" },
	{ "sleep", sleep_verb, RECORD, false, "<time>",
	  "… lets so much pass" },
	{ "run-until", run_until_verb, RECORD, false, "<time>",
	  "… until it is so late, counted from up on" },
	{ "logs", logs_verb, RECORD, false, "[<guest>...]",
	  "what the consoles said" },
	{ "console", console_verb, RECORD, false, "<guest>",
	  "a shell in a guest, on this terminal; Ctrl-] leaves it" },
	{ "snapshot", snapshot_verb, RECORD, false, "[<name>]",
	  "copies all disks as they are at one instant, or lists copies" },
	{ "rollback", rollback_verb, RECORD, false, "<name>",
	  "puts them back; guests that run are started anew" },
	{ "gdb", gdb_verb, RECORD, false, "[--hold-others] <guest> [<option of gdb>...]",
	  "a debugger on its kernel" },
	{ "pack", pack_verb, LAB_FILE, false, "[<file>]",
	  "one file with all that the lab takes" },
	{ "unpack", unpack_verb, NOTHING, false, "<file> [<folder>]",
	  "makes such a file a lab again" },
	{ "fault", fault_verb, RECORD, false, "<guest>[,...] <verb>...",
	  "mconsole-fault, for guests of the lab; `power` add|del|clear|list: its power switch" },
	{ "test", test_verb, TEST_FILE, true, "<file>",
	  "one run of a .test file: what must hold while a seed draws faults" },
	{ "explore", explore_verb, TEST_FILE, true, "--runs N <file>",
	  "such runs, a seed each" },
	{ "shrink", shrink_verb, TEST_FILE, true, "<results>",
	  "fewer and shorter faults that fail a run in the same way" },
	{ "env", env_verb, RECORD, false, "",
	  "prints UML_DIR, for other tools to find the guests" },
};

static bool verb_is_test(const struct verb *verb)
{
	return verb->run == test_verb || verb->run == explore_verb || verb->run == shrink_verb;
}

#define NR_VERBS (sizeof(verbs) / sizeof(*verbs))

static void help(void)
{
	size_t i;

	printf("Usage: " NAME " [options] <verb> ...\n"
	       "\n"
	       "Verbs:\n");
	for (i = 0; i < NR_VERBS; i++)
		printf("  %s%s%s\n      %s\n", verbs[i].name,
		       *verbs[i].args ? " " : "", verbs[i].args, verbs[i].help);
	printf("\n"
	       "Options:\n"
	       "  -f, --file FILE   the lab file; else $UMF_LAB, or the only *.lab here\n"
	       "  -t, --timeout T   how long up, exec, wait or down may take\n"
	       "  -i, --stdin       exec: standard input goes to the command\n"
	       "  --kernel K        of guests that name none: a line, as 6.12, or a path\n"
	       "  --run FOLDER      the run folder; else the lab file's name and .run\n"
	       "  --seed N          up: instead of the lab file's\n"
	       "  --set NAME=VALUE  ${NAME} in the lab file; may be given several times\n"
	       "  --fresh           up: with new deltas and images\n"
	       "  --virtual         up, check: in virtual time, as with time = virtual\n"
	       "  --overcommit      up: even if the guests' memory is more than the host has\n"
	       "  --wipe            down: removes the run folder\n"
	       "  --kill            down, restart: at once\n"
	       "  --lose            freeze: what is sent to the guest is lost, not kept\n"
	       "  --hold-others     gdb: the other guests stand still meanwhile\n"
	       "  --follow          logs, events (there -f as well): and what is to come\n"
	       "  --since T         events: from T after up on, as 12.5; the last T: -30s\n"
	       "  --no-kernel       events: without what kernels say\n"
	       "  --iso             pack: an ISO image, by xorriso\n"
	       "  --svg             graph: as SVG, by dot\n"
	       "  --xterm           console: in a window of its own\n"
	       "  --all             down, status: every lab of yours that is up, from any folder\n"
	       "  --json            status, events as JSON\n"
	       "  --results FOLDER  test, explore: where results go\n"
	       "  --junit FILE      test: the rows as JUnit's XML as well\n"
	       "  --only F,...      test: only these faults of the seed, as f1,f3:2s\n"
	       "  --dry-run         test, explore: prints what would be done\n"
	       "  --runs N, --for T explore: how many, how long\n"
	       "  --tries N         shrink: how often a schedule may hold before it counts\n"
	       "  -q, --quiet       nothing but errors\n"
	       "  --help, --version\n"
	       "\n"
	       "Exit status: 0 done, 1 failed, 2 usage or lab file; exec: the command's, 124 not in\n"
	       "time, 125 the guest does not run. The manual has the rest: man " NAME "\n");
}

enum { OPT_JSON = 256, OPT_FILE, OPT_RUN, OPT_KERNEL, OPT_SEED, OPT_SET, OPT_OVERCOMMIT,
       OPT_FRESH, OPT_WIPE, OPT_KILL, OPT_LOSE, OPT_HOLD, OPT_FOLLOW, OPT_XTERM, OPT_SVG, OPT_ISO,
       OPT_ALL, OPT_SINCE, OPT_NO_KERNEL, OPT_RESULTS, OPT_JUNIT, OPT_ONLY, OPT_DRY_RUN,
       OPT_RUNS, OPT_FOR, OPT_TRIES,
       OPT_VIRTUAL, OPT_VERSION };

static const struct option options[] = {
	{ "file", required_argument, NULL, OPT_FILE },
	{ "timeout", required_argument, NULL, 't' },
	{ "stdin", no_argument, NULL, 'i' },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "run", required_argument, NULL, OPT_RUN },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "set", required_argument, NULL, OPT_SET },
	{ "virtual", no_argument, NULL, OPT_VIRTUAL },
	{ "overcommit", no_argument, NULL, OPT_OVERCOMMIT },
	{ "fresh", no_argument, NULL, OPT_FRESH },
	{ "wipe", no_argument, NULL, OPT_WIPE },
	{ "kill", no_argument, NULL, OPT_KILL },
	{ "lose", no_argument, NULL, OPT_LOSE },
	{ "hold-others", no_argument, NULL, OPT_HOLD },
	{ "follow", no_argument, NULL, OPT_FOLLOW },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "no-kernel", no_argument, NULL, OPT_NO_KERNEL },
	{ "iso", no_argument, NULL, OPT_ISO },
	{ "svg", no_argument, NULL, OPT_SVG },
	{ "xterm", no_argument, NULL, OPT_XTERM },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "results", required_argument, NULL, OPT_RESULTS },
	{ "junit", required_argument, NULL, OPT_JUNIT },
	{ "only", required_argument, NULL, OPT_ONLY },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "runs", required_argument, NULL, OPT_RUNS },
	{ "for", required_argument, NULL, OPT_FOR },
	{ "tries", required_argument, NULL, OPT_TRIES },
	{ "quiet", no_argument, NULL, 'q' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static const char *file, *run, *kernel;

static uint64_t take_number(const char *name, const char *word)
{
	uint64_t n;

	if (!units_u64(word, &n) || !n || n > 1000000)
		die(LAB_USAGE, "--%s %s: must be a whole number from 1 on", name, word);
	return n;
}

/*
 * "+": what stands behind the first word that is no option may have its own. Behind
 * `events`, -f is what it is in tail(1); the lab file has --file there.
 */
static int parse_options(struct options *opt, const struct verb *verb, int argc,
			 char **argv)
{
	bool follows = verb && verb->run == events_verb;
	int c;

	while ((c = getopt_long(argc, argv, follows ? "+ft:irqh" : "+f:t:irqh", options,
				NULL)) != -1) {
		switch (c) {
		case 'f':
			opt->follow = follows;
			if (!follows)
				file = optarg;
			break;
		case OPT_FILE:
			file = optarg;
			break;
		case 't':
			if (!units_time(optarg, true, &opt->timeout) ||
			    opt->timeout > INT64_MAX / 4)
				die(LAB_USAGE, "-t %s: must be a time, as 5s, 250ms or 2m",
				    optarg);
			opt->timed = true;
			break;
		case 'i':
			opt->input = true;
			break;
		case 'r':
			opt->tree = true;
			break;
		case OPT_KERNEL:
			kernel = optarg;
			break;
		case OPT_RUN:
			run = optarg;
			break;
		case OPT_SEED:
			if (!units_u64(optarg, &opt->seed))
				die(LAB_USAGE, "--seed %s: must be a whole number",
				    optarg);
			opt->seeded = true;
			break;
		case OPT_SET:
			var_give(optarg);
			break;
		case OPT_VIRTUAL:
			opt->virtual = true;
			break;
		case OPT_OVERCOMMIT:
			opt->overcommit = true;
			break;
		case OPT_FRESH:
			opt->fresh = true;
			break;
		case OPT_WIPE:
			opt->wipe = true;
			break;
		case OPT_KILL:
			opt->kill = true;
			break;
		case OPT_LOSE:
			opt->lose = true;
			break;
		case OPT_HOLD:
			opt->hold = true;
			break;
		case OPT_FOLLOW:
			opt->follow = true;
			break;
		case OPT_SINCE:
			opt->since = optarg;
			break;
		case OPT_NO_KERNEL:
			opt->no_kernel = true;
			break;
		case OPT_ISO:
			opt->iso = true;
			break;
		case OPT_SVG:
			opt->svg = true;
			break;
		case OPT_XTERM:
			opt->xterm = true;
			break;
		case OPT_ALL:
			opt->all = true;
			break;
		case OPT_JSON:
			opt->json = true;
			break;
		case OPT_RESULTS:
			opt->results = optarg;
			break;
		case OPT_JUNIT:
			opt->junit = optarg;
			break;
		case OPT_ONLY:
			opt->only = optarg;
			break;
		case OPT_DRY_RUN:
			opt->dry_run = true;
			break;
		case OPT_RUNS:
			opt->runs = take_number("runs", optarg);
			break;
		case OPT_TRIES:
			opt->tries = take_number("tries", optarg);
			break;
		case OPT_FOR:
			if (!units_time(optarg, true, &opt->length) ||
			    opt->length > INT64_MAX / 4)
				die(LAB_USAGE, "--for %s: must be a time, as 30s, 10m or 8h",
				    optarg);
			break;
		case 'q':
			opt->quiet = true;
			break;
		case OPT_VERSION:
			puts(NAME " " UMF_VERSION);
			exit(LAB_DONE);
		case 'h':
			help();
			exit(LAB_DONE);
		default:
			exit(LAB_USAGE);
		}
	}
	return optind;
}

/* What `env` and `fault` say goes together. */
static void take_environment(void)
{
	const char *said = getenv("UMF_LAB");

	if (file || !said || !*said)
		return;
	file = said;
	run = run ?: getenv("UMF_LAB_RUN");
	kernel = kernel ?: getenv("UMF_LAB_KERNEL");
}

static void need_no_values(const char *why)
{
	if (var_given())
		die(LAB_USAGE, "--set is for the lab file, not for this verb, %s", why);
}

static void find_lab(struct lab *lab, const struct options *opt, enum source source)
{
	struct lab there = { 0 };
	size_t n;

	if (opt->all && (file || run))
		die(LAB_USAGE, "--all is for all labs; %s names one", file ?: run);
	if (source == NOTHING || opt->all) {
		need_no_values("which reads no lab file");
		return;
	}
	if (source == TEST_FILE) {
		need_no_values("which gives its lab none");
		lab->file = file ? xstrdup(file) : NULL;
		lab->kernel = kernel ? xstrdup(kernel) : NULL;
		return;
	}
	take_environment();
	if (source == RECORD_OR_FILE) {
		lab_find(&there, file, run);
		source = there.up ? RECORD : LAB_FILE;
	}
	if (source == RECORD) {
		need_no_values("which goes by the record of the lab that is up");
		lab_find(lab, file, run);
		lab->kernel = lab->kernel ?: xstrdup(kernel ?: "6.12");
		return;
	}
	file = file ?: lab_only_file(&n);
	if (!file)
		lab_no_file(n);
	config_read(lab, file, kernel ?: "6.12");
	place_find(lab, file, run);
}

int main(int argc, char **argv)
{
	const struct verb *verb = NULL;
	struct options opt = { 0 };
	struct lab lab = { 0 };
	char **args;
	size_t i;
	int ret;

	args = argv + parse_options(&opt, NULL, argc, argv);
	if (!*args)
		die(LAB_USAGE, "which verb? --help lists them");
	for (i = 0; i < NR_VERBS; i++)
		if (!strcmp(verbs[i].name, *args))
			verb = &verbs[i];
	if (!verb)
		die(LAB_USAGE, "%s: no such verb; --help lists them", *args);
	/* options may stand behind the verb as well */
	argc -= args - argv;
	optind = 0;
	args += parse_options(&opt, verb, argc, args);
	if (verb->takes_file && *args && !file)
		file = *args++;
	if (verb->takes_file && *args && **args == '-') {
		args--;	/* getopt does not look at the first one */
		argc = 0;
		while (args[argc])
			argc++;
		optind = 1;
		args += parse_options(&opt, verb, argc, args);
	}
	if (opt.all && verb->run != down_verb && verb->run != status_verb)
		die(LAB_USAGE, "--all: %s takes one lab", verb->name);
	if (opt.input && verb->run != exec_verb)
		die(LAB_USAGE, "-i: %s takes no input", verb->name);
	/* who is used to it may say it: cp copies folders anyway */
	if (opt.tree && verb->run != cp_verb)
		die(LAB_USAGE, "-r: %s has no such option", verb->name);
	if (opt.hold && verb->run != gdb_verb)
		die(LAB_USAGE, "--hold-others: %s has no such option", verb->name);
	/* theirs alone; `fault` and others have words of their own behind the verb */
	if (!verb_is_test(verb) && (opt.results || opt.junit || opt.only || opt.dry_run ||
				    opt.runs || opt.tries || opt.length))
		die(LAB_USAGE, "%s: --results, --junit, --only, --dry-run, --runs, --for and --tries are for test, explore and shrink",
		    verb->name);
	if (opt.virtual && verb->run != up_verb && verb->run != check_verb)
		die(LAB_USAGE, "--virtual: %s has no such option", verb->name);
	nodelog_verb(verb->name);
	find_lab(&lab, &opt, verb->source);
	ret = verb->run(&lab, &opt, args);
	if (fclose(stdout)) {
		perror(NAME ": cannot write");
		ret = ret ?: LAB_FAILED;
	}
	return ret;
}
