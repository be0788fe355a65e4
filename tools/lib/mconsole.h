/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The client's side of UML's management console, version 2: one request in one
 * datagram, the reply in one or more. What goes over the wire is defined by
 * arch/um/drivers/mconsole.h in the kernel tree.
 */
#ifndef __UMF_MCONSOLE_H
#define __UMF_MCONSOLE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* The longest request a guest takes, in bytes. */
#define MCONSOLE_REQUEST_MAX	511

/* One request to one guest, and what came of it. */
struct mconsole_call {
	const char *path;	/* in: the guest's socket */
	const char *request;	/* in: at most MCONSOLE_REQUEST_MAX bytes; NULL: skip */
	bool sent;		/* in: mconsole_send() has */
	int err;		/* 0: an answer came. -errno: it did not */
	bool refused;		/* the guest answered that it would not */
	char *reply;		/* NUL-terminated; mconsole_free() */
	size_t len;

	/* mconsole.c's own */
	int fd;
	unsigned int packets;
	enum {
		MCONSOLE_SENDING,
		MCONSOLE_ASKED,		/* no packet of the reply has come */
		MCONSOLE_READING,	/* at least one has, more are due */
		MCONSOLE_DONE,
	} state;
	long long deadline;
};

/*
 * Makes all calls at once and gathers the answers. Guests of a lab in virtual time
 * (calendar.h) are asked while time stands, and @timeout_ms is of theirs. @timeout_ms is how long a
 * guest may be silent. Of an unreached guest, call->err says why:
 *   -ETIMEDOUT      silent for @timeout_ms
 *   -ECONNREFUSED   the socket is there but nobody listens: the guest is dead
 *   -ENOENT -EACCES …   as from connect(2)
 *   -EMSGSIZE       the request is too long
 *   -EPROTO         what came back is no reply
 *   -EFBIG          the reply does not end
 *   -EHOSTDOWN      its lab is in virtual time, and has no more of it
 * @sigmask is in force while waiting, as in ppoll(2); with it a signal ends
 * the calls. Returns 0, or -EINTR after such a signal.
 */
int mconsole_run(struct mconsole_call *calls, size_t n, int timeout_ms,
		 const sigset_t *sigmask);
struct calendar;

/*
 * From now on this thread asks guests by that connection, which has time stand before and
 * after. NULL: by one of its own.
 */
void mconsole_use(struct calendar *calendar);
/* That of the guest with this socket; false: it lives in real time. */
bool mconsole_calendar(const char *path, struct calendar *calendar);
/*
 * Only sends it: the request is with the guest when this returns 0, and
 * mconsole_run() gathers the answer. Else -errno, which stands in call->err too.
 */
int mconsole_send(struct mconsole_call *call);
void mconsole_free(struct mconsole_call *call);
/* Calls @line for each line of a reply, without its newline. */
void mconsole_lines(const char *reply, void (*line)(char *line, void *data),
		    void *data);

/* Is somebody listening? 0, or -errno as above. Sends nothing. */
int mconsole_probe(const char *path);
/* Why a guest could not be reached, in words. */
const char *mconsole_strerror(int err);

#endif /* __UMF_MCONSOLE_H */
