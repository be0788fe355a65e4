// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to UML's management console, to many guests at once.
 *
 * A call owns one socket for its whole life, so that a late reply to a call
 * that was given up meets a closed address and not the next call. The socket
 * is bound to an abstract address the kernel picks: the guest replies to where
 * a request came from, and nothing is left behind however the tool ends. It is
 * connected, so only the guest can put packets into it.
 *
 * A receiver holds net.unix.max_dgram_qlen (10) packets and the guest has to
 * wait, or gives up, when they are not fetched: replies are read as they
 * come, from all guests in one loop. (SO_RCVBUF would not help: unix sockets
 * charge the sender.)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "calendar.h"
#include "mconsole.h"
#include "xalloc.h"

/* From arch/um/drivers/mconsole.h. */
#define MCONSOLE_MAGIC		0xcafebabe
#define MCONSOLE_VERSION	2
#define MCONSOLE_MAX_DATA	512

struct request {
	uint32_t magic;
	uint32_t version;
	uint32_t len;			/* of data, without its NUL */
	char data[MCONSOLE_MAX_DATA];
};

struct reply {
	uint32_t err;			/* set in the first packet only */
	uint32_t more;
	uint32_t len;			/* of data, with its NUL */
	char data[MCONSOLE_MAX_DATA];
};

/* No reply of a guest in its right mind has as many packets: 16 MiB. */
#define PACKETS_MAX	32768

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/*
 * A path too long for a socket address is reached through its folder, as a
 * guest with a relative uml_dir= may have bound it. *@dirfd is for the caller
 * to close once connected.
 */
static int fill_address(struct sockaddr_un *sun, const char *path, int *dirfd)
{
	const char *base;
	char *dir;

	*dirfd = -1;
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (strlen(path) < sizeof(sun->sun_path)) {
		strcpy(sun->sun_path, path);
		return 0;
	}

	base = strrchr(path, '/');
	if (!base || strlen(base) > 64)
		return -ENAMETOOLONG;
	dir = strndup(path, base - path + 1);
	if (!dir)
		return -ENOMEM;
	*dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (*dirfd < 0)
		return -errno;
	snprintf(sun->sun_path, sizeof(sun->sun_path), "/proc/self/fd/%d%s",
		 *dirfd, base);
	return 0;
}

static int open_socket(const char *path)
{
	struct sockaddr_un sun, any = { .sun_family = AF_UNIX };
	int fd, dirfd, err;

	err = fill_address(&sun, path, &dirfd);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* An address of nothing but its family asks for an abstract one. */
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any.sun_family)) ||
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)))
		err = -errno;
	if (dirfd >= 0)
		close(dirfd);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

static void finish(struct mconsole_call *call, int err)
{
	call->err = err;
	call->state = MCONSOLE_DONE;
	if (call->fd >= 0)
		close(call->fd);
	call->fd = -1;
}

static void start(struct mconsole_call *call, long long deadline)
{
	int fd;

	if (call->sent) {
		call->deadline = deadline;
		return;
	}
	call->err = 0;
	call->refused = false;
	call->reply = NULL;
	call->len = 0;
	call->packets = 0;
	call->fd = -1;
	call->state = MCONSOLE_SENDING;
	call->deadline = deadline;

	if (!call->request) {
		finish(call, 0);
		return;
	}
	if (strlen(call->request) > MCONSOLE_REQUEST_MAX) {
		finish(call, -EMSGSIZE);
		return;
	}
	fd = open_socket(call->path);
	if (fd < 0)
		finish(call, fd);
	else
		call->fd = fd;
}

static void send_request(struct mconsole_call *call)
{
	struct request req = {
		.magic = MCONSOLE_MAGIC,
		.version = MCONSOLE_VERSION,
		.len = strlen(call->request),
	};
	ssize_t n;

	memcpy(req.data, call->request, req.len);
	n = send(call->fd, &req, sizeof(req), MSG_NOSIGNAL);
	if (n >= 0)
		call->state = MCONSOLE_ASKED;
	else if (errno != EAGAIN && errno != EINTR)
		finish(call, -errno);
}

int mconsole_send(struct mconsole_call *call)
{
	call->sent = false;
	start(call, 0);
	if (call->state == MCONSOLE_SENDING)
		send_request(call);
	/* its queue is full: nobody reads there */
	if (call->state == MCONSOLE_SENDING)
		finish(call, -EAGAIN);
	call->sent = true;
	return call->err;
}

static int append(struct mconsole_call *call, const char *text, size_t len)
{
	char *grown;

	grown = realloc(call->reply, call->len + len + 1);
	if (!grown)
		return -ENOMEM;
	call->reply = grown;
	memcpy(grown + call->len, text, len);
	call->len += len;
	grown[call->len] = '\0';
	return 0;
}

/* Takes one packet; false when there is none yet. */
static bool read_packet(struct mconsole_call *call, long long deadline)
{
	const size_t head = offsetof(struct reply, data);
	struct reply reply;
	ssize_t n;
	int err;

	n = recv(call->fd, &reply, sizeof(reply), 0);
	if (n < 0) {
		if (errno == EINTR)
			return true;
		if (errno != EAGAIN)
			finish(call, -errno);
		return false;
	}
	if ((size_t)n < head || reply.len > sizeof(reply.data) ||
	    reply.len > n - head) {
		finish(call, -EPROTO);
		return false;
	}

	if (call->state == MCONSOLE_ASKED)
		call->refused = reply.err != 0;
	call->state = MCONSOLE_READING;
	call->deadline = deadline;
	/* The NUL is counted in len; a sender that leaves it out is fine. */
	err = append(call, reply.data, strnlen(reply.data, reply.len));
	if (!err && ++call->packets > PACKETS_MAX)
		err = -EFBIG;
	if (err || !reply.more)
		finish(call, err);
	return call->state != MCONSOLE_DONE;
}

static void check_deadline(struct mconsole_call *call, long long now)
{
	int err;

	if (now < call->deadline)
		return;
	/* A guest that died while asked is not just slow. */
	err = mconsole_probe(call->path);
	finish(call, err ? err : -ETIMEDOUT);
}

/* ---- in virtual time ---- */

/* "<lab>/uml/n1/mconsole": where its guest's calendar is; and who that is, in *@guest. */
static char *calendar_of(const char *path, char **guest)
{
	char *copy = xstrdup(path), *end = strrchr(copy, '/'), *found = NULL;

	*guest = NULL;
	if (end) {
		*end = '\0';
		end = strrchr(copy, '/');
	}
	if (end) {
		*guest = xstrdup(end + 1);
		*end = '\0';
		found = xasprintf("%s/" CALENDAR_SOCKET, copy);
	}
	free(copy);
	return found;
}

bool mconsole_calendar(const char *path, struct calendar *calendar)
{
	char *guest, *found = calendar_of(path, &guest);
	bool ok = found && calendar_open(calendar, found);

	free(found);
	free(guest);
	return ok;
}

/* All that have not answered are read from: nobody who answers waits for a reader. */
static enum calendar_end let_answer(struct calendar *calendar, struct mconsole_call *calls,
				    size_t n, uint64_t until, const char *guest,
				    const sigset_t *sigmask)
{
	int fds[CALENDAR_FDS] = { 0 };
	enum calendar_end end;
	size_t i, k = 0;

	for (i = 0; i < n && k < CALENDAR_FDS; i++)
		if (calls[i].state != MCONSOLE_DONE)
			fds[k++] = calls[i].fd;
	end = calendar_run(calendar, until, guest, fds, k, false, sigmask);
	for (i = 0; i < n; i++)
		while (calls[i].state != MCONSOLE_DONE && read_packet(&calls[i], 0))
			;
	return end;
}

static __thread struct calendar *used;

void mconsole_use(struct calendar *calendar)
{
	used = calendar;
}

/*
 * The guests are asked at the instant where their lab stands, one after the other, and
 * time passes only if they need some to answer.
 */
static int run_virtual(struct calendar *calendar, struct mconsole_call *calls, size_t n,
		       int timeout_ms, const sigset_t *sigmask)
{
	enum calendar_end end = calendar_stand(calendar, sigmask);
	uint64_t until = calendar->now + timeout_ms * 1000000ULL;
	char *guest, *poke;
	size_t i;

	for (i = 0; i < n; i++) {
		start(&calls[i], 0);
		if (end == CALENDAR_OK && calls[i].state == MCONSOLE_SENDING)
			send_request(&calls[i]);
	}
	for (i = 0; i < n && end != CALENDAR_FAILED && end != CALENDAR_STOPPED; i++) {
		free(calendar_of(calls[i].path, &guest));
		poke = guest;
		while (calls[i].state != MCONSOLE_DONE) {
			end = let_answer(calendar, calls, n, until, poke, sigmask);
			poke = NULL;
			if (end != CALENDAR_READY && calls[i].state != MCONSOLE_DONE)
				break;
		}
		free(guest);
		if (end != CALENDAR_STOPPED && end != CALENDAR_FAILED)
			calendar_stand(calendar, NULL);
	}
	for (i = 0; i < n; i++)
		if (calls[i].state != MCONSOLE_DONE)
			finish(&calls[i], end == CALENDAR_STOPPED ? -EINTR :
			       end == CALENDAR_FAILED ? -EHOSTDOWN : -ETIMEDOUT);
	return end == CALENDAR_STOPPED ? -EINTR : 0;
}

static int run_real(struct mconsole_call *calls, size_t n, int timeout_ms,
		    const sigset_t *sigmask)
{
	struct pollfd *fds = calloc(n, sizeof(*fds));
	long long now = now_ms(), next;
	int ret = fds ? 0 : -ENOMEM;
	struct timespec wait;
	size_t i;

	for (i = 0; i < n; i++) {
		start(&calls[i], now + timeout_ms);
		if (ret && calls[i].state != MCONSOLE_DONE)
			finish(&calls[i], ret);
	}

	while (!ret) {
		next = -1;
		for (i = 0; i < n; i++) {
			struct mconsole_call *call = &calls[i];

			/* poll() passes over a negative fd */
			fds[i].fd = call->fd;
			fds[i].revents = 0;
			if (call->state == MCONSOLE_DONE)
				continue;
			fds[i].events = call->state == MCONSOLE_SENDING ?
					POLLOUT : POLLIN;
			if (next < 0 || call->deadline < next)
				next = call->deadline;
		}
		if (next < 0)
			break;

		next -= now_ms();
		if (next < 0)
			next = 0;
		wait.tv_sec = next / 1000;
		wait.tv_nsec = next % 1000 * 1000000;
		if (ppoll(fds, n, &wait, sigmask) < 0) {
			if (errno != EINTR)
				ret = -errno;
			else if (sigmask)
				ret = -EINTR;
			else
				continue;
			break;
		}

		now = now_ms();
		for (i = 0; i < n; i++) {
			struct mconsole_call *call = &calls[i];

			if (fds[i].revents && call->state == MCONSOLE_SENDING)
				send_request(call);
			else if (fds[i].revents)
				while (read_packet(call, now + timeout_ms))
					;
			if (call->state != MCONSOLE_DONE)
				check_deadline(call, now);
		}
	}

	for (i = 0; i < n; i++)
		if (calls[i].state != MCONSOLE_DONE)
			finish(&calls[i], ret);
	free(fds);
	return ret == -EINTR ? ret : 0;
}

int mconsole_run(struct mconsole_call *calls, size_t n, int timeout_ms,
		 const sigset_t *sigmask)
{
	struct calendar calendar;
	int ret;

	if (used && used->fd >= 0)
		return run_virtual(used, calls, n, timeout_ms, sigmask);
	if (n && calls[0].path && mconsole_calendar(calls[0].path, &calendar)) {
		ret = run_virtual(&calendar, calls, n, timeout_ms, sigmask);
		calendar_close(&calendar);
		return ret;
	}
	return run_real(calls, n, timeout_ms, sigmask);
}

void mconsole_free(struct mconsole_call *call)
{
	free(call->reply);
	call->reply = NULL;
	call->len = 0;
}

void mconsole_lines(const char *reply, void (*line)(char *line, void *data),
		    void *data)
{
	char *text = xstrdup(reply), *pos = text, *next;

	while ((next = strsep(&pos, "\n")))
		if (*next)
			line(next, data);
	free(text);
}

int mconsole_probe(const char *path)
{
	int fd = open_socket(path);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

const char *mconsole_strerror(int err)
{
	switch (err) {
	case -ETIMEDOUT:
		return "no answer in time";
	case -ECONNREFUSED:
		return "dead: nobody listens on its socket any more";
	case -ENOENT:
		return "no such socket";
	case -ENOTSOCK:
		return "not a socket";
	case -EPROTO:
	case -EPROTOTYPE:
		return "what listens on its socket does not speak mconsole";
	case -EHOSTDOWN:
		return "its lab's time stands for ever; umf-lab status says why";
	case -EFBIG:
		return "the reply does not end";
	default:
		return strerror(-err);
	}
}
