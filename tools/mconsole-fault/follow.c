// SPDX-License-Identifier: GPL-2.0
/*
 * events --follow: asks for what came since the last record, again and again,
 * until Ctrl-C, which is how it is meant to end and so no failure. A guest
 * that goes away is left out; when none is left there is nothing to follow.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "tool.h"

#define POLL_MS	100
#define SINCE	"since="

struct follower {
	uint64_t since;
	char *request;
};

static void set_request(struct follower *f)
{
	free(f->request);
	f->request = xasprintf("fault events " SINCE "%llu",
			       (unsigned long long)f->since);
}

static void see_line(char *line, void *data)
{
	struct follower *f = data;
	unsigned long long seq;

	if (sscanf(line, "seq=%llu", &seq) == 1 && seq > f->since)
		f->since = seq;
}

static void show(const struct tool *tool, const struct guest *guest,
		 const char *reply)
{
	json_t *array, *record;
	size_t i;

	if (!tool->json) {
		print_reply(tool, guest, reply);
		return;
	}
	array = json_array();
	record_all(array, record_event, guest->name, reply);
	json_array_foreach(array, i, record)
		record_print(json_incref(record));
	json_decref(array);
}

static uint64_t parse_since(int argc, char **argv)
{
	uint64_t since = 0;

	if (argc > 1 || (argc && strncmp(argv[0], SINCE, strlen(SINCE))))
		tool_usage("%s: events takes " SINCE "<seq>", argv[argc - 1]);
	if (argc && !units_u64(argv[0] + strlen(SINCE), &since))
		tool_usage("%s: must be a whole number", argv[0]);
	return since;
}

void follow_verb(struct tool *tool, int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	size_t n = tool->guests.n, i;
	struct mconsole_call *calls;
	uint64_t since = parse_since(argc, argv);
	struct follower *f;
	sigset_t open;

	calls = ask_new(tool);
	f = xrealloc(NULL, n * sizeof(*f));
	for (i = 0; i < n; i++) {
		f[i].since = since;
		f[i].request = NULL;
		set_request(&f[i]);
		calls[i].request = f[i].request;
	}

	stop_catch(&open);
	while (!stop_asked()) {
		int left = ask(tool, calls, ask_timeout(tool), &open);

		if (left == -EINTR)
			continue;
		for (i = 0; i < n; i++) {
			if (!calls[i].request)
				continue;
			show(tool, &tool->guests.guest[i], calls[i].reply);
			mconsole_lines(calls[i].reply, see_line, &f[i]);
			set_request(&f[i]);
			calls[i].request = f[i].request;
		}
		if (fflush(stdout) || !left)
			break;
		ppoll(NULL, 0, &pause, &open);
	}
	for (i = 0; i < n; i++)
		free(f[i].request);
	free(f);
	ask_free(tool, calls);
}
