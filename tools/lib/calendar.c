// SPDX-License-Identifier: GPL-2.0
/* Asking the calendar of a lab for time: see calendar.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "calendar.h"

/* ---- packets ---- */

bool calendar_send(int fd, const char *line, const int *fds, size_t n)
{
	char control[CMSG_SPACE(CALENDAR_FDS * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = (char *)line, .iov_len = strlen(line) };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (n) {
		head.msg_control = control;
		head.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&head);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	}
	return sendmsg(fd, &head, MSG_NOSIGNAL) >= 0;
}

size_t calendar_receive(int fd, char line[CALENDAR_LINE], int *fds, size_t *n)
{
	char control[CMSG_SPACE(CALENDAR_FDS * sizeof(int))];
	struct iovec iov = { .iov_base = line, .iov_len = CALENDAR_LINE - 1 };
	struct msghdr head = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	ssize_t len;

	*n = 0;
	len = recvmsg(fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (len <= 0) {
		errno = len ? errno : ECONNRESET;
		return 0;
	}
	line[len] = '\0';
	cmsg = CMSG_FIRSTHDR(&head);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS) {
		*n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(cmsg), *n * sizeof(int));
	}
	return len;
}

/* ---- answers ---- */

static enum calendar_end gone(struct calendar *calendar)
{
	snprintf(calendar->why, sizeof(calendar->why), "the calendar is gone");
	return CALENDAR_FAILED;
}

static enum calendar_end wait_answer(struct calendar *calendar, const sigset_t *open)
{
	struct pollfd poll = { .fd = calendar->fd, .events = POLLIN };
	char line[CALENDAR_LINE];
	int fds[CALENDAR_FDS];
	size_t n;

	for (;;) {
		if (calendar_receive(calendar->fd, line, fds, &n))
			break;
		if (errno != EAGAIN && errno != EINTR)
			return gone(calendar);
		if (ppoll(&poll, 1, NULL, open) < 0 && errno == EINTR && open)
			return CALENDAR_STOPPED;
	}
	if (!strcmp(line, "ready"))
		return CALENDAR_READY;
	if (!strncmp(line, "failed ", 7)) {
		snprintf(calendar->why, sizeof(calendar->why), "%s", line + 7);
		return CALENDAR_FAILED;
	}
	calendar->stands = true;
	if (sscanf(line, "until %" SCNu64, &calendar->now) == 1)
		return CALENDAR_UNTIL;
	if (!strcmp(line, "never"))
		return CALENDAR_SLEEPS;
	if (!strcmp(line, "frozen"))
		return CALENDAR_FROZEN;
	return sscanf(line, "now %" SCNu64 " %" SCNu64, &calendar->now, &calendar->tag) >= 1 ?
	       CALENDAR_OK : gone(calendar);
}

static enum calendar_end request(struct calendar *calendar, const char *line, const int *fds,
				 size_t n, const sigset_t *open)
{
	if (!calendar_send(calendar->fd, line, fds, n))
		return gone(calendar);
	return wait_answer(calendar, open);
}

/* ---- requests ---- */

bool calendar_connect(struct calendar *calendar, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int err;

	memset(calendar, 0, sizeof(*calendar));
	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	strcpy(sun.sun_path, path);
	calendar->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (calendar->fd < 0)
		return false;
	if (!connect(calendar->fd, (struct sockaddr *)&sun, sizeof(sun)))
		return true;
	err = errno;
	close(calendar->fd);
	calendar->fd = -1;
	errno = err;
	return false;
}

bool calendar_open(struct calendar *calendar, const char *path)
{
	const char *said = getenv(CALENDAR_ENV), *of = said ? strchr(said, ':') : NULL;
	char line[CALENDAR_LINE];

	if (!calendar_connect(calendar, path))
		return false;
	if (of && !strcmp(of + 1, path)) {
		snprintf(line, sizeof(line), "member %d", atoi(said));
		calendar_send(calendar->fd, line, NULL, 0);
	}
	return true;
}

bool calendar_lead(struct calendar *calendar)
{
	return calendar->tag || calendar_do(calendar, NULL, "tag") == CALENDAR_OK;
}

void calendar_set_leader(const struct calendar *calendar, const char *path)
{
	char text[CALENDAR_LINE];

	if (!calendar) {
		unsetenv(CALENDAR_ENV);
		return;
	}
	snprintf(text, sizeof(text), "%" PRIu64 ":%s", calendar->tag, path);
	setenv(CALENDAR_ENV, text, 1);
}

void calendar_close(struct calendar *calendar)
{
	if (calendar->fd >= 0)
		close(calendar->fd);
	calendar->fd = -1;
}

enum calendar_end calendar_stand(struct calendar *calendar, const sigset_t *open)
{
	enum calendar_end end = CALENDAR_OK;

	if (calendar->stands)
		return end;
	end = request(calendar, "standing", NULL, 0, open);
	/* answers to what a signal has ended */
	while (end != CALENDAR_OK && end != CALENDAR_FAILED && end != CALENDAR_STOPPED)
		end = wait_answer(calendar, open);
	return end;
}

enum calendar_end calendar_run(struct calendar *calendar, uint64_t until, const char *guest,
			       const int *fds, size_t n, bool watch, const sigset_t *open)
{
	char line[CALENDAR_LINE];

	calendar->stands = false;
	snprintf(line, sizeof(line), "%s %" PRIu64 " %s", watch ? "watch" : "run", until,
		 guest ?: "-");
	return request(calendar, line, fds, n, open);
}

enum calendar_end calendar_do(struct calendar *calendar, const sigset_t *open,
			      const char *fmt, ...)
{
	char line[CALENDAR_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return request(calendar, line, NULL, 0, open);
}
