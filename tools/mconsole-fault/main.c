// SPDX-License-Identifier: GPL-2.0
/*
 * mconsole-fault: fault rules of running guests, from the host.
 *
 * The verbs are the guest's (fault/params.c lists them) and are sent as they
 * stand; wait, expect, events --follow and a capture that is followed are made
 * of them here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/message.h"
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "fault/params.h"
#include "tool.h"

#define NAME	"mconsole-fault"

void tool_worse(struct tool *tool, enum tool_exit status)
{
	if (status > tool->status)
		tool->status = status;
}

static const char *where = NAME;

void tool_where(const char *text)
{
	where = text ?: NAME;
}

void tool_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(where, fmt, ap, "");
	va_end(ap);
	exit(TOOL_USAGE);
}

static void help(void)
{
	int i;

	printf("Usage: " NAME " [options] <guest>[,<guest>...] <verb> ...\n"
	       "       " NAME " --guests\n"
	       "       " NAME " --read <file>\n"
	       "       " NAME " run <file>\n"
	       "\n"
	       "<guest>: a umid in $UML_DIR, ~/.uml or /tmp/uml, or the path of an mconsole socket\n"
	       "<verb>: one argument may hold several statements; - reads them from standard input\n"
	       "\n"
	       "Verbs:\n");
	for (i = 0; i < UMF_V_MAX; i++)
		printf("  %s%s%s\n      %s\n", umf_verbs[i].name,
		       *umf_verbs[i].args ? " " : "", umf_verbs[i].args,
		       umf_verbs[i].help);
	printf("  events [since=<seq>] --follow\n"
	       "      prints records as they come, until Ctrl-C\n"
	       "  capture <device> [-w <file>|-] [--text]\n"
	       "      follows a capture until Ctrl-C: as text, or with -w as pcapng\n"
	       "  wait <id> '<counter>>=<n>' ...\n"
	       "      until evaluated, matched, fired or bytes is so (>= <= == > <)\n"
	       "  expect <id> '<counter>>=<n>' ...\n"
	       "      fails unless it is so now\n"
	       "  run <file>|-\n"
	       "      does what a file says, line by line: [<time>] <guest>[,...] <verb> ...,\n"
	       "      and shows it with the guests' events as they come\n"
	       "\n"
	       "Options:\n"
	       "  --json        print JSON\n"
	       "  --timeout T   how long a guest may be silent (5s), or wait may take (for ever)\n"
	       "  --follow      see events\n"
	       "  -w FILE       see capture; - is standard output; run writes JSON there\n"
	       "  --console GUEST=FILE\n"
	       "                run shows what the guest's console writes to the file\n"
	       "  --check       run only says what is wrong with the file, and who is not there\n"
	       "  --text        a capture as text, a line a packet\n"
	       "  --read FILE   print the pcapng file of a capture as text\n"
	       "  --guests      list the guests that are running\n"
	       "  --help, --version\n"
	       "\n"
	       "Exit status: 0 done, 1 a guest refused, 2 usage, 3 guest not reachable,\n"
	       "4 wait or expect did not come true. The manual has the rest: man " NAME "\n");
}

enum { OPT_JSON = 256, OPT_TIMEOUT, OPT_FOLLOW, OPT_GUESTS, OPT_TEXT, OPT_READ,
       OPT_CONSOLE, OPT_CHECK, OPT_VERSION };

static const struct option options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "follow", no_argument, NULL, OPT_FOLLOW },
	{ "guests", no_argument, NULL, OPT_GUESTS },
	{ "text", no_argument, NULL, OPT_TEXT },
	{ "write", required_argument, NULL, 'w' },
	{ "read", required_argument, NULL, OPT_READ },
	{ "console", required_argument, NULL, OPT_CONSOLE },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void print_guests(struct tool *tool)
{
	json_t *array = json_array();
	size_t i;

	guest_find_all(&tool->guests);
	for (i = 0; i < tool->guests.n; i++) {
		const struct guest *guest = &tool->guests.guest[i];

		if (tool->json)
			json_array_append_new(array,
				json_pack("{so so}",
					  "guest", record_text(guest->name),
					  "socket", record_text(guest->path)));
		else
			printf("%s %s\n", guest->name, guest->path);
	}
	if (tool->json)
		record_print(json_incref(array));
	json_decref(array);
}

/* Options may stand anywhere: no verb takes words that begin with "--". */
static bool parse_options(struct tool *tool, int argc, char **argv)
{
	bool guests = false;
	char *file;
	int opt;

	while ((opt = getopt_long(argc, argv, "hw:", options, NULL)) != -1) {
		switch (opt) {
		case OPT_JSON:
			tool->json = true;
			break;
		case OPT_TIMEOUT:
			if (!units_time(optarg, true, &tool->timeout))
				tool_usage("--timeout %s: must be a time, as 5s, 250ms or 2m",
					   optarg);
			tool->timed = true;
			break;
		case OPT_FOLLOW:
			tool->follow = true;
			break;
		case OPT_GUESTS:
			guests = true;
			break;
		case OPT_TEXT:
			tool->text = true;
			break;
		case 'w':
			tool->write = optarg;
			break;
		case OPT_READ:
			tool->read = optarg;
			break;
		case OPT_CONSOLE:
			file = strchr(optarg, '=');
			if (!file || file == optarg)
				tool_usage("--console %s: must be <guest>=<file>",
					   optarg);
			*file++ = '\0';
			watch_console(optarg, file);
			tool->consoles = true;
			break;
		case OPT_CHECK:
			tool->check = true;
			break;
		case OPT_VERSION:
			puts(NAME " " UMF_VERSION);
			return false;
		case 'h':
			help();
			return false;
		default:
			exit(TOOL_USAGE);
		}
	}
	if (guests) {
		if (optind < argc)
			tool_usage("%s: --guests takes nothing", argv[optind]);
		print_guests(tool);
	}
	if (tool->read) {
		if (optind < argc || guests)
			tool_usage("%s: --read takes a file and nothing else",
				   optind < argc ? argv[optind] : "--guests");
		capture_read(tool, tool->read);
	}
	return !guests && !tool->read;
}

void tool_check_names(const char *names)
{
	char *copy = xstrdup(names), *pos = copy, *name;
	struct words seen = { 0 };
	size_t i;

	while ((name = strsep(&pos, ","))) {
		if (!*name)
			tool_usage("a guest's name is missing beside a comma");
		for (i = 0; i < seen.n; i++)
			if (!strcmp(seen.word[i], name))
				tool_usage("%s: named twice", name);
		words_add(&seen, name);
	}
	words_free(&seen);
	free(copy);
}

void tool_find_guests(struct tool *tool, const char *names)
{
	char *copy = xstrdup(names), *pos = copy, *name, *why;

	tool->several = strchr(names, ',');
	while ((name = strsep(&pos, ","))) {
		struct guest guest = { .name = name };

		if (guest_find(&tool->guests, name, &why)) {
			print_error(&guest, "%s", why);
			free(why);
			tool_worse(tool, TOOL_UNREACHED);
		}
	}
	free(copy);
}

struct answers {
	record_fn *record;
	bool list, several;	/* statements: whose answers cannot be told apart */
	json_t *array;
	char **text;		/* of each guest, so far */
};

static void take_answer(struct tool *tool, size_t nr, const char *reply, void *data)
{
	const struct guest *guest = &tool->guests.guest[nr];
	struct answers *to = data;
	char *longer;

	if (!tool->json) {
		print_reply(tool, guest, reply);
	} else if (to->record && !to->several) {
		record_all(to->array, to->record, guest->name, reply);
	} else if (to->list && !to->several) {
		rule_list(to->array, guest->name, reply);
	} else {
		longer = xasprintf("%s%s", to->text[nr] ?: "", reply);
		free(to->text[nr]);
		to->text[nr] = longer;
	}
}

static void print_answers(const struct tool *tool, const struct answers *answers)
{
	size_t i;

	if (!tool->json)
		return;
	if ((answers->record || answers->list) && !answers->several) {
		record_print(json_incref(answers->array));
		return;
	}
	for (i = 0; i < tool->guests.n; i++)
		if (answers->text[i])
			record_print(json_pack("{so so}", "guest",
					       record_text(tool->guests.guest[i].name),
					       "reply", record_text(answers->text[i])));
}

static void plain_verb(struct tool *tool, const struct words *words)
{
	int verb = umf_verb_find(words->word[0], strlen(words->word[0]));
	struct answers answers = {
		.record = record_of(words->word[0]),
		.list = verb == UMF_V_LIST,
		.array = json_array(),
	};
	struct words requests = { 0 };
	struct mconsole_call *calls;
	size_t i;

	for (i = 0; i < words->n; i++)
		if (words->word[i] == word_separator)
			answers.several = true;
	request_make(&requests, words);
	answers.text = xrealloc(NULL, tool->guests.n * sizeof(*answers.text));
	memset(answers.text, 0, tool->guests.n * sizeof(*answers.text));
	calls = ask_new(tool);
	ask_all(tool, calls, &requests, NULL, take_answer, &answers);
	ask_free(tool, calls);
	print_answers(tool, &answers);
	for (i = 0; i < tool->guests.n; i++)
		free(answers.text[i]);
	free(answers.text);
	json_decref(answers.array);
	words_free(&requests);
}

/* What there is on standard input, as if it were the one argument. */
static char *read_statements(void)
{
	char *text = NULL;
	size_t size = 0;
	ssize_t len;

	len = getdelim(&text, &size, '\0', stdin);
	if (len < 0)
		tool_usage("-: %s", ferror(stdin) ? strerror(errno) : "nothing is there");
	if (!text[len - 1] || fgetc(stdin) != EOF)
		tool_usage("-: is no text");
	return text;
}

static void do_verb(struct tool *tool, int argc, char **argv)
{
	bool capture = !strcmp(argv[0], umf_verbs[UMF_V_CAPTURE].name);
	struct words words = { 0 };
	char *text;
	int i;

	if (capture &&
	    (tool->write || tool->text || (argc == 2 && !tool->json))) {
		capture_verb(tool, argc - 1, argv + 1);
		return;
	}
	if (tool->write || tool->text)
		tool_usage("%s goes with capture%s only",
			   tool->write ? "-w" : "--text",
			   tool->write ? " and run" : "");
	if (tool->consoles)
		tool_usage("--console goes with run only");
	if (!strcmp(argv[0], "wait") || !strcmp(argv[0], "expect")) {
		if (tool->follow)
			tool_usage("--follow goes with events only");
		wait_verb(tool, *argv[0] == 'e', argc - 1, argv + 1);
		return;
	}
	if (tool->follow) {
		if (strcmp(argv[0], umf_verbs[UMF_V_EVENTS].name))
			tool_usage("--follow goes with events only");
		follow_verb(tool, argc - 1, argv + 1);
		return;
	}

	/* One argument with blanks is a line of the grammar, quotes and all. */
	if (argc == 1) {
		text = strcmp(argv[0], "-") ? xstrdup(argv[0]) : read_statements();
		if (!words_split(&words, text))
			tool_usage("a quote is not closed");
		for (i = 0; (size_t)i < words.n && words.word[i] == word_separator;)
			i++;
		if ((size_t)i == words.n)
			tool_usage("a verb is missing");
		free(text);
	} else {
		/* a file's name is from here */
		if (capture && argc == 3 && strcmp(argv[2], "off"))
			argv[2] = tool_path(argv[2]);
		for (i = 0; i < argc; i++)
			words_add(&words, strcmp(argv[i], ";") ? argv[i] :
						  word_separator);
	}
	plain_verb(tool, &words);
	words_free(&words);
}

int main(int argc, char **argv)
{
	struct tool tool = { 0 };

	if (parse_options(&tool, argc, argv)) {
		argc -= optind;
		argv += optind;
		if (argc < 1)
			tool_usage("which guest? " NAME " --guests lists them, --help tells more");
		if (argc < 2)
			tool_usage("which verb? " NAME " --help lists them");
		if (argc == 2 && !strcmp(argv[0], "run")) {
			if (tool.text || tool.follow)
				tool_usage("%s does not go with run",
					   tool.text ? "--text" : "--follow");
			run_verb(&tool, argv[1]);
		} else {
			tool_check_names(argv[0]);
			if (tool.check)
				tool_usage("--check goes with run only");
			tool_find_guests(&tool, argv[0]);
			if (tool.guests.n)
				do_verb(&tool, argc - 1, argv + 1);
		}
	}
	guest_list_free(&tool.guests);
	if (ferror(stdout) | fclose(stdout)) {
		perror(NAME ": cannot write");
		tool_worse(&tool, TOOL_UNREACHED);
	}
	return tool.status;
}
