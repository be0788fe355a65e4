/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Asking the calendar of a lab (umf-lab) for time, in virtual time.
 *
 * Time stands still as long as nobody asks for some, and as long as anybody who is
 * connected has not asked: who connects may do something to the guests, and at the
 * same instant for all of them. So a tool connects, acts, lets time pass until what it
 * waits for has come, and closes. Times are of the lab: ns since it went up.
 *
 * The calendar listens at `calendar` in UML's folder of the lab, where guests' folders
 * are. A message is a line of text in a packet:
 *
 *	standing				time stands; the answer is now
 *	run <until> <guest>|-			let it pass; first of all a turn for that guest
 *	watch <until> <guest>|-			the same, if anybody else lets it pass
 *	start <guest>,...			admits them, once all have connected
 *	kill|freeze|thaw <guest>
 *	tag					a number that nobody else has had: now <ns> <tag>
 *	member <tag>				of who got that: he holds no time while this is
 *						connected (no answer)
 *
 *	now <ns>				it is done, and time stands
 *	ready					something has come to read: read it, and ask again
 *	until <ns>				that time has come, and time stands
 *	never					nothing more will ever happen
 *	frozen					that guest is
 *	failed <why>				and there is no more time
 *
 * With run and watch go the descriptors that somebody is to be told of as soon as
 * there is something to read. This may be in the middle of a guest's turn: its lab is at
 * no instant then, until it is asked for standing.
 */
#ifndef __UMF_CALENDAR_H
#define __UMF_CALENDAR_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALENDAR_SOCKET		"calendar"
#define CALENDAR_NEVER		UINT64_MAX
#define CALENDAR_FDS		64	/* at most, with a request */
#define CALENDAR_LINE		512

struct calendar {
	int fd;
	bool stands;
	uint64_t now;		/* when it last stood */
	uint64_t tag;
	char why[CALENDAR_LINE];	/* of CALENDAR_FAILED */
};

enum calendar_end {
	CALENDAR_OK,		/* it is done */
	CALENDAR_READY,		/* there is something to read */
	CALENDAR_UNTIL,		/* that time has come */
	CALENDAR_SLEEPS,	/* nothing more will happen */
	CALENDAR_FROZEN,
	CALENDAR_FAILED,	/* see why */
	CALENDAR_STOPPED,	/* by a signal */
};

#define CALENDAR_ENV		"UMF_CALENDAR"	/* "<tag>:<path>", of who started this tool */

/*
 * @path: of the socket. False, and errno: ENOENT: there is none, and this is real time;
 * ECONNREFUSED: it is gone.
 */
bool calendar_open(struct calendar *calendar, const char *path);
bool calendar_connect(struct calendar *calendar, const char *path);
/*
 * Who starts others, as a script that has tools ask for time, is connected and does not ask
 * itself: time stands while none of those that are started with the variable is connected,
 * and goes by them while one is. False: it cannot be.
 */
bool calendar_lead(struct calendar *calendar);
void calendar_set_leader(const struct calendar *calendar, const char *path);	/* NULL: none */
void calendar_close(struct calendar *calendar);
/* Here and below: @open may be NULL, then no signal ends the wait. */
enum calendar_end calendar_stand(struct calendar *calendar, const sigset_t *open);
/* run, or with @watch watch; @guest may be NULL. */
enum calendar_end calendar_run(struct calendar *calendar, uint64_t until, const char *guest,
			       const int *fds, size_t n, bool watch, const sigset_t *open);
/* Any other request. */
enum calendar_end calendar_do(struct calendar *calendar, const sigset_t *open,
			      const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* One end's packets: false if it is gone. The descriptors of a request, at most CALENDAR_FDS. */
bool calendar_send(int fd, const char *line, const int *fds, size_t n);
/* Length, 0: there is none now or it is gone, and errno is EAGAIN or not. */
size_t calendar_receive(int fd, char line[CALENDAR_LINE], int *fds, size_t *n);

#endif /* __UMF_CALENDAR_H */
