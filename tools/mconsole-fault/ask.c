// SPDX-License-Identifier: GPL-2.0
/* Asking all guests the same thing, and telling what went wrong where. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/xalloc.h"
#include "tool.h"

struct mconsole_call *ask_new(const struct tool *tool)
{
	struct mconsole_call *calls;
	size_t i;

	calls = xrealloc(NULL, tool->guests.n * sizeof(*calls));
	memset(calls, 0, tool->guests.n * sizeof(*calls));
	for (i = 0; i < tool->guests.n; i++)
		calls[i].path = tool->guests.guest[i].path;
	return calls;
}

static void free_replies(const struct tool *tool, struct mconsole_call *calls)
{
	size_t i;

	for (i = 0; i < tool->guests.n; i++)
		mconsole_free(&calls[i]);
}

void ask_free(const struct tool *tool, struct mconsole_call *calls)
{
	free_replies(tool, calls);
	free(calls);
}

int ask_timeout(const struct tool *tool)
{
	uint64_t ms;

	if (!tool->timed)
		return TOOL_ANSWER_MS;
	ms = tool->timeout / 1000000 + (tool->timeout % 1000000 != 0);
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

bool ask_judge(struct tool *tool, const struct guest *guest,
	       const struct mconsole_call *call)
{
	if (call->err) {
		print_error(guest, "%s", mconsole_strerror(call->err));
		tool_worse(tool, TOOL_UNREACHED);
		return false;
	}
	if (call->refused) {
		/* UML's own words for a verb it does not have */
		if (!strncmp(call->reply, "Unknown command", 15))
			print_error(guest, "this kernel has no fault verb: it is not an umf kernel");
		else
			print_error(guest, "%s", *call->reply ? call->reply :
							       "refused");
		tool_worse(tool, TOOL_REFUSED);
		return false;
	}
	return true;
}

int ask_send(const struct tool *tool, struct mconsole_call *calls, int timeout_ms,
	     const sigset_t *sigmask)
{
	free_replies(tool, calls);
	return mconsole_run(calls, tool->guests.n, timeout_ms, sigmask);
}

int ask(struct tool *tool, struct mconsole_call *calls, int timeout_ms,
	const sigset_t *sigmask)
{
	int n = 0, ret;
	size_t i;

	ret = ask_send(tool, calls, timeout_ms, sigmask);
	if (ret)
		return ret;
	for (i = 0; i < tool->guests.n; i++) {
		if (!calls[i].request)
			continue;
		if (ask_judge(tool, &tool->guests.guest[i], &calls[i]))
			n++;
		else
			calls[i].request = NULL;
	}
	return n;
}

void ask_all(struct tool *tool, struct mconsole_call *calls,
	     const struct words *requests, const sigset_t *sigmask,
	     void (*done)(struct tool *tool, size_t guest, const char *reply, void *data),
	     void *data)
{
	size_t i, nr;

	for (nr = 0; nr < requests->n; nr++) {
		for (i = 0; i < tool->guests.n; i++)
			if (!nr || calls[i].request)
				calls[i].request = requests->word[nr];
		if (ask(tool, calls, ask_timeout(tool), sigmask) <= 0)
			return;
		for (i = 0; i < tool->guests.n; i++)
			if (calls[i].request)
				done(tool, i, calls[i].reply, data);
	}
}
