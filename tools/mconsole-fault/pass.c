// SPDX-License-Identifier: GPL-2.0
/*
 * Time of guests that live in virtual time (lib/calendar.h). This tool holds it, so that
 * what it does happens at one instant, and lets some pass where it would sleep.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "../lib/calendar.h"
#include "../lib/xalloc.h"
#include "tool.h"

static struct calendar calendar = { .fd = -1 };
static char *socket;		/* of the lab; else of the guest: */
static const char *guest;

static void hold(void)
{
	uint64_t now = calendar.now;
	bool there = socket ? calendar_open(&calendar, socket) :
			      mconsole_calendar(guest, &calendar);

	calendar.now = now;
	if (there)
		calendar_stand(&calendar, NULL);
	else
		calendar.fd = -1;
}

bool pass_begin(const char *path)
{
	const char *dir = getenv("UML_DIR");

	guest = path;
	if (!path && (!dir || !*dir))
		return false;
	if (!path)
		socket = xasprintf("%s/" CALENDAR_SOCKET, dir);
	hold();
	if (calendar.fd < 0)
		return false;
	mconsole_use(&calendar);
	timeline_use(&calendar);
	return true;
}

bool pass_until(int64_t clock, const sigset_t *open)
{
	enum calendar_end end;

	do {
		end = calendar.fd < 0 ? CALENDAR_FAILED :
		      calendar_run(&calendar, clock, NULL, NULL, 0, false, open);
	} while (end == CALENDAR_READY);
	/* and asks nobody anything in the middle of a turn */
	if (end == CALENDAR_STOPPED)
		calendar_stand(&calendar, NULL);
	return end == CALENDAR_UNTIL || end == CALENDAR_STOPPED;
}

/* It goes by those that are started, while one is connected. */
void pass_let(void)
{
	if (calendar.fd >= 0 && calendar_lead(&calendar))
		calendar_set_leader(&calendar, socket);
}

void pass_hold(void)
{
	calendar_set_leader(NULL, NULL);
	if (calendar.fd >= 0)
		calendar_do(&calendar, NULL, "standing");
}

void pass_end(void)
{
	calendar_close(&calendar);
	mconsole_use(NULL);
	timeline_use(NULL);
	free(socket);
	socket = NULL;
}
