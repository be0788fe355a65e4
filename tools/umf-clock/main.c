// SPDX-License-Identifier: GPL-2.0
/*
 * umf-clock: the calendar of guests that somebody starts by hand.
 *
 *	umf-clock [--end <time>] [--at '<time> <guest> <what>']... <socket> <guest>...
 *
 * The guests run in simulated time (tools/lib/clock.h), and what happens to them
 * happens at a time of theirs: the same each time it is run. What it was, and the
 * answers, go to stdout with that time; so two runs can be compared.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lib/clock.h"
#include "../lib/guest.h"
#include "../lib/mconsole.h"
#include "../lib/message.h"
#include "../lib/stop.h"
#include "../lib/units.h"
#include "../lib/xalloc.h"

#define NAME		"umf-clock"
#define FAILED		1
#define USAGE		2
#define ANSWER_MS	5000		/* of the host's time, in one turn */
#define LOOKAHEAD	100000		/* ns: the least latency a segment has */
#define DATE		1798761600ULL	/* 1 January 2027 */

struct event {
	uint64_t time;
	unsigned int guest;
	char *what;
};

static struct clock clock_;
static char **names;
static struct event *events;
static size_t n_events;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(NAME, fmt, ap, "");
	va_end(ap);
}

static void usage(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(NAME, fmt, ap, "; " NAME " --help tells more");
	va_end(ap);
	exit(USAGE);
}

static void help(void)
{
	puts("Usage: " NAME " [<option>]... <socket> <guest>...\n"
	     "\n"
	     "The calendar of guests that run in simulated time. The first <guest> is to be\n"
	     "started with time-travel=ext:1:<socket>, the next with 2, and so on; they begin\n"
	     "when all are there. A guest is named as for mconsole-fault.\n"
	     "\n"
	     "  --end <time>        stops there; else when no guest is left\n"
	     "  --at '<time> <guest> <what>'   what happens at that time, as often as wanted:\n"
	     "      kill            SIGKILL\n"
	     "      await           time stands until the guest is there (again)\n"
	     "      type <file> <text>   a line into the file, as its console's FIFO\n"
	     "      <anything else> is a request to its management console: fault list\n"
	     "  --lookahead <time>  no guest hears of another sooner than that: the least\n"
	     "                      latency between any two, 100us unless said\n"
	     "  --date <seconds>    what the date is at time 0, since 1970\n"
	     "  --help\n"
	     "\n"
	     "Times are as 10s, 1.5s or 250us, from the start. Exit status: 0 the end was\n"
	     "reached or all guests have ended, 1 it was not, 2 usage.");
}

/* ---- what happens, on stdout ---- */

static void tell(unsigned int n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void tell(unsigned int n, const char *fmt, ...)
{
	va_list ap;

	printf("%llu.%09llu %s ", (unsigned long long)(clock_.now / 1000000000),
	       (unsigned long long)(clock_.now % 1000000000), names[n]);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static void came(struct clock *clock, unsigned int n, bool again)
{
	(void)clock;
	if (again)
		tell(n, "starts again");
}

static void went(struct clock *clock, unsigned int n)
{
	(void)clock;
	tell(n, "is gone");
}

static void tell_answer(char *line, void *data)
{
	tell(*(unsigned int *)data, "  %s", line);
}

/* ---- events ---- */

static void *gather(void *call)
{
	mconsole_run(call, 1, ANSWER_MS, NULL);
	return NULL;
}

/* A guest that answers must be read from while it does, and does so in its turn. */
static enum clock_end ask(unsigned int n, const char *request)
{
	struct mconsole_call call = { .request = request };
	struct guest_list list = { 0 };
	enum clock_end end;
	pthread_t thread;
	char *why;

	tell(n, "> %s", request);
	if (guest_find(&list, names[n], &why)) {
		say("%s", why);
		return CLOCK_FAILED;
	}
	call.path = list.guest[0].path;
	if (mconsole_send(&call)) {
		say("%s: %s", names[n], mconsole_strerror(call.err));
		return CLOCK_FAILED;
	}
	if (pthread_create(&thread, NULL, gather, &call)) {
		say("no thread");
		return CLOCK_FAILED;
	}
	end = clock_turn(&clock_, n);
	pthread_join(thread, NULL);
	if (call.err)
		tell(n, "no answer: %s", mconsole_strerror(call.err));
	else if (call.refused)
		tell(n, "refused: %s", call.reply);
	else
		mconsole_lines(call.reply, tell_answer, &n);
	mconsole_free(&call);
	guest_list_free(&list);
	return end;
}

/* <file> <text> */
static enum clock_end type(unsigned int n, const char *what)
{
	size_t len = strcspn(what, " ");
	char *path = xstrndup(what, len);
	char *line = xasprintf("%s\n", what + len + (what[len] == ' '));
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ssize_t all = strlen(line);
	bool done;

	tell(n, "< %s", what + len + (what[len] == ' '));
	done = fd >= 0 && write(fd, line, all) == all;
	if (!done)
		say("%s: %m", path);
	free(path);
	free(line);
	if (fd >= 0)
		close(fd);
	return done ? clock_turn(&clock_, n) : CLOCK_FAILED;
}

static enum clock_end await(unsigned int n)
{
	bool who[CLOCK_GUESTS] = { false };

	who[n] = true;
	tell(n, "is to be there");
	return clock_start(&clock_, who);
}

static enum clock_end happen(const struct event *event)
{
	if (!strcmp(event->what, "kill")) {
		tell(event->guest, "is killed");
		return clock_kill(&clock_, event->guest);
	}
	if (!strcmp(event->what, "await"))
		return await(event->guest);
	if (!strncmp(event->what, "type ", 5))
		return type(event->guest, event->what + 5);
	return ask(event->guest, event->what);
}

/* ---- the command line ---- */

static unsigned int number_of(const char *name, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return i;
	usage("--at: there is no guest %s", name);
}

/* Of one time: as they were given. */
static void add_event(const char *text, unsigned int n)
{
	char *copy = xstrdup(text), *rest = copy;
	const char *time = strsep(&rest, " "), *guest = strsep(&rest, " ");
	struct event event = { 0 };
	size_t i;

	if (!guest || !rest || !*rest)
		usage("--at '%s' is to be '<time> <guest> <what>'", text);
	if (!units_time(time, false, &event.time))
		usage("--at: %s is no time such as 10s", time);
	event.guest = number_of(guest, n);
	event.what = xstrdup(rest);
	free(copy);
	events = xrealloc(events, (n_events + 1) * sizeof(*events));
	for (i = n_events++; i && events[i - 1].time > event.time; i--)
		events[i] = events[i - 1];
	events[i] = event;
}

static uint64_t time_option(const char *name, const char *word)
{
	uint64_t ns;

	if (!units_time(word, false, &ns))
		usage("--%s: %s is no time such as 10s", name, word);
	return ns;
}

static enum clock_end run(uint64_t end)
{
	enum clock_end how;
	size_t i;

	how = clock_start(&clock_, NULL);
	for (i = 0; i < n_events && events[i].time <= end && how == CLOCK_REACHED; i++) {
		how = clock_run(&clock_, events[i].time);
		/* who is awaited need not be the only one left */
		if (how == CLOCK_ALONE && !strcmp(events[i].what, "await"))
			how = CLOCK_REACHED;
		if (how == CLOCK_REACHED)
			how = happen(&events[i]);
	}
	if (how == CLOCK_REACHED)
		how = clock_run(&clock_, end);
	return how;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "at", required_argument, NULL, 'a' },
		{ "date", required_argument, NULL, 'd' },
		{ "end", required_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ "lookahead", required_argument, NULL, 'l' },
		{ 0 },
	};
	uint64_t end = CLOCK_NEVER, lookahead = LOOKAHEAD, date = DATE;
	char **at = NULL;
	size_t i, n_at = 0;
	enum clock_end how;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'a':
			at = xrealloc(at, (n_at + 1) * sizeof(*at));
			at[n_at++] = optarg;
			break;
		case 'd':
			if (!units_u64(optarg, &date) || date > UINT32_MAX)
				usage("--date: %s is no number of seconds since 1970", optarg);
			break;
		case 'e':
			end = time_option("end", optarg);
			break;
		case 'l':
			lookahead = time_option("lookahead", optarg);
			break;
		case 'h':
			help();
			return 0;
		default:
			return USAGE;
		}
	}
	if (argc - optind < 2)
		usage("a socket and the guests' names are missing");
	if (argc - optind - 1 > CLOCK_GUESTS)
		usage("%d guests are more than %d", argc - optind - 1, CLOCK_GUESTS);
	names = argv + optind + 1;
	for (i = 0; i < n_at; i++)
		add_event(at[i], argc - optind - 1);
	free(at);

	if (!clock_open(&clock_, argv[optind], argc - optind - 1)) {
		say("%s", clock_.error);
		return FAILED;
	}
	stop_catch(&clock_.open);
	clock_.date = date * 1000000000;
	clock_.lookahead = lookahead;
	clock_.came = came;
	clock_.went = went;
	how = run(end);
	if (how == CLOCK_FAILED && *clock_.error)
		say("%s", clock_.error);
	clock_close(&clock_);
	if (how == CLOCK_STOPPED) {
		say("stopped at %.9f s", clock_.now / 1e9);
		stop_die(stop_forget());
	}
	return how == CLOCK_FAILED || (how == CLOCK_ALONE && end != CLOCK_NEVER) ? FAILED : 0;
}
