// SPDX-License-Identifier: GPL-2.0
/* The calendar: see clock.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include "time/schedule.h"
#include "clock.h"
#include "xalloc.h"

/* From include/uapi/linux/um_timetravel.h, which not every host has. */
enum op { ACK, START, REQUEST, WAIT, GET, UPDATE, RUN, FREE_UNTIL, GET_TOD, BROADCAST };

struct clock_msg {
	uint32_t op, seq;
	uint64_t time;
};

#define SHM_VERSION	2
#define MOST_AT_ONCE	1000000000ULL	/* ns */
#define LOOK_S		1	/* of the host's time, between two looks at who does not return */
#define FOR_EVER	(1ULL << 62)	/* who sleeps without a timer asks for S64_MAX */
#define WANTS_TO_RUN	1		/* in flags */

struct clock_client {
	uint32_t capa, flags;
	uint64_t request, name;
	char reserved[104];
};

struct clock_shm {
	uint32_t version, len;
	uint64_t free_until, now;
	uint16_t running, max_clients;
	char reserved[UMF_SCHEDULE_AT - 28];
	struct umf_schedule ours;
	char reserved_too[4096 - UMF_SCHEDULE_AT - sizeof(struct umf_schedule)];
	struct clock_client client[];
};

_Static_assert(sizeof(struct clock_client) == 128, "the kernel's");
_Static_assert(sizeof(struct clock_shm) == 4096, "the kernel's");

static enum clock_end failed(struct clock *clock, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static enum clock_end failed(struct clock *clock, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(clock->error, sizeof(clock->error), fmt, ap);
	va_end(ap);
	return CLOCK_FAILED;
}

/* Good until it is called again. */
static const char *name_of(const struct clock *clock, unsigned int n)
{
	static char text[32];

	if (clock->names)
		return clock->names[n];
	snprintf(text, sizeof(text), "%u", n + 1);
	return text;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- the schedule ---- */

/* When it wants to run; only for who waits. */
static uint64_t request_of(const struct clock *clock, unsigned int n)
{
	const struct clock_client *client = &clock->shm->client[n];

	if (!(client->flags & WANTS_TO_RUN) || client->request >= FOR_EVER)
		return CLOCK_NEVER;
	return client->request < clock->guest[n].thawed ? clock->guest[n].thawed : client->request;
}

/* Somebody else has something for it to look at. */
static void ask_for(struct clock *clock, unsigned int n, uint64_t when)
{
	struct clock_client *client = &clock->shm->client[n];

	client->request = earlier(request_of(clock, n), when);
	client->flags |= WANTS_TO_RUN;
}

/* Who is next, or @n: nobody. */
static unsigned int first(const struct clock *clock, uint64_t *when)
{
	unsigned int i, first = clock->n;

	*when = CLOCK_NEVER;
	for (i = 0; i < clock->n; i++) {
		if (clock->guest[i].state != CLOCK_WAITS || clock->guest[i].frozen ||
		    request_of(clock, i) >= *when)
			continue;
		*when = request_of(clock, i);
		first = i;
	}
	return first;
}

/*
 * Until when may it run without asking anybody? Not for ever, though nobody else
 * is there: it is to notice when we are not.
 */
static uint64_t free_until(const struct clock *clock, unsigned int n, uint64_t end)
{
	uint64_t when = clock->now + MOST_AT_ONCE;
	unsigned int i;

	for (i = 0; i < clock->n; i++)
		if (i != n && clock->guest[i].state == CLOCK_WAITS && !clock->guest[i].frozen)
			when = earlier(when, request_of(clock, i));
	when += clock->lookahead;
	if (clock->quantum)
		when = earlier(when, clock->now + clock->quantum);
	return earlier(when, end);
}

/* ---- guests come and go ---- */

static bool any_left(const struct clock *clock)
{
	unsigned int i;

	for (i = 0; i < clock->n; i++)
		if (clock->guest[i].state != CLOCK_WANTED)
			return true;
	return false;
}

static void wait_for_end(int pidfd)
{
	struct pollfd gone = { .fd = pidfd, .events = POLLIN };

	while (poll(&gone, 1, -1) < 0 && errno == EINTR)
		;
	close(pidfd);
}

/* Its processes in user space; on older lines they have copies of all it has open. */
static int *children_of(pid_t pid, size_t *n)
{
	char *path = xasprintf("/proc/%d/task/%d/children", pid, pid);
	FILE *file = fopen(path, "re");
	int *pidfd = NULL, child, fd;

	*n = 0;
	free(path);
	if (!file)
		return NULL;
	while (fscanf(file, "%d", &child) == 1) {
		fd = syscall(SYS_pidfd_open, child, 0);
		if (fd < 0)
			continue;
		pidfd = xrealloc(pidfd, (*n + 1) * sizeof(*pidfd));
		pidfd[(*n)++] = fd;
	}
	fclose(file);
	return pidfd;
}

/* It has been killed, or has closed its connection: then it is about to end. */
static void bury(struct clock *clock, unsigned int n, uint64_t seen)
{
	struct clock_guest *guest = &clock->guest[n];
	unsigned int i;

	/* Its locks are free, and what it had is seen to be nobody's, after that. */
	wait_for_end(guest->pidfd);
	close(guest->fd);
	guest->state = CLOCK_WANTED;
	guest->frozen = false;
	clock->shm->client[n].flags = 0;
	clock->shm->ours.gone++;
	for (i = 0; i < clock->n; i++)
		if (clock->guest[i].state == CLOCK_WAITS)
			ask_for(clock, i, seen);
	if (clock->went)
		clock->went(clock, n);
}

/* The answer to START: it runs from now on. */
static void admit(struct clock *clock, unsigned int n)
{
	struct clock_guest *guest = &clock->guest[n];
	struct clock_msg msg = { .op = ACK, .seq = guest->seq, .time = n };
	struct iovec iov = { .iov_base = &msg, .iov_len = sizeof(msg) };
	int fd[2] = { clock->shm_fd, clock->null_fd };
	char control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct msghdr head = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&head);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), fd, sizeof(fd));
	memset(&clock->shm->client[n], 0, sizeof(clock->shm->client[n]));
	clock->shm->client[n].name = n + 1;
	clock->shm->ours.lookahead = clock->lookahead;
	clock->shm->now = clock->now;
	clock->shm->free_until = clock->now;
	clock->shm->running = n;
	guest->offset = clock->now;
	guest->state = CLOCK_RUNS;
	/* one that is gone is noticed where it is waited for */
	sendmsg(guest->fd, &head, MSG_NOSIGNAL);
}

static pid_t peer_of(int fd)
{
	struct ucred cred = { .pid = -1 };
	socklen_t len = sizeof(cred);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	return cred.pid;
}

/*
 * Somebody has connected. One that runs and connects anew has started again: it
 * goes on, in its turn.
 */
enum clock_end clock_take_in(struct clock *clock)
{
	struct clock_guest *guest;
	struct clock_msg msg;
	unsigned int n;
	int fd;

	fd = accept4(clock->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return errno == EAGAIN || errno == ECONNABORTED ? CLOCK_REACHED :
			failed(clock, "%s: %m", clock->path);
	/* START is sent at once */
	if (recv(fd, &msg, sizeof(msg), MSG_WAITALL) != sizeof(msg) || msg.op != START) {
		close(fd);
		return failed(clock, "%s: somebody speaks who is no guest", clock->path);
	}
	n = msg.time - 1;
	if (msg.time < 1 || msg.time > clock->n) {
		close(fd);
		return failed(clock, "a guest says time-travel=ext:%llu: and is to be 1 to %u",
			      (unsigned long long)msg.time, clock->n);
	}
	guest = &clock->guest[n];
	if (guest->state == CLOCK_RUNS && guest->pid == peer_of(fd)) {
		close(guest->fd);
		guest->fd = fd;
		guest->seq = msg.seq;
		if (clock->shm->now > clock->now)
			clock->now = clock->shm->now;
		admit(clock, n);
		if (clock->came)
			clock->came(clock, n, true);
		return CLOCK_REACHED;
	}
	if (guest->state != CLOCK_WANTED) {
		close(fd);
		return failed(clock, "there are two guests with time-travel=ext:%u:", n + 1);
	}
	guest->pid = peer_of(fd);
	guest->pidfd = syscall(SYS_pidfd_open, guest->pid, 0);
	if (guest->pidfd < 0) {
		close(fd);
		return failed(clock, "guest %s has gone before it began",
			      name_of(clock, n));
	}
	guest->fd = fd;
	guest->seq = msg.seq;
	guest->state = CLOCK_ASKS;
	if (clock->came)
		clock->came(clock, n, false);
	return CLOCK_REACHED;
}

/* ---- turns ---- */

static void answer(struct clock *clock, unsigned int n, uint32_t seq, uint64_t time)
{
	struct clock_msg msg = { .op = ACK, .seq = seq, .time = time };

	send(clock->guest[n].fd, &msg, sizeof(msg), MSG_NOSIGNAL);
}

static enum clock_end hear(struct clock *clock, unsigned int n)
{
	struct clock_guest *guest = &clock->guest[n];
	uint64_t now = clock->now;
	struct clock_msg msg;
	ssize_t len;

	len = recv(guest->fd, &msg, sizeof(msg), MSG_WAITALL);
	if (len < (ssize_t)sizeof(msg)) {
		/*
		 * Who ends by itself has said when: later than now, by less than
		 * the lookahead, if there are others; and they may be ahead of it.
		 */
		if (clock->shm->now > now)
			clock->now = clock->shm->now;
		bury(clock, n, clock->now + clock->lookahead);
		if (any_left(clock))
			clock->now = now;
		return CLOCK_REACHED;
	}
	switch (msg.op) {
	case WAIT:
		guest->state = CLOCK_WAITS;
		return CLOCK_REACHED;
	case GET_TOD:
		answer(clock, n, msg.seq, clock->date + clock->shm->now);
		return CLOCK_REACHED;
	case ACK:
		return CLOCK_REACHED;
	case BROADCAST:
		answer(clock, n, msg.seq, 0);
		return CLOCK_REACHED;
	default:
		return failed(clock, "guest %s asks for %u, which is not done with a shared schedule",
			      name_of(clock, n), msg.op);
	}
}

/* ---- who does not return ---- */

/* CPU time of a process, or 0. */
static uint64_t cpu_time_of(pid_t pid)
{
	char *path = xasprintf("/proc/%d/stat", pid), line[1024] = "", *rest;
	unsigned long long user = 0, system = 0;
	FILE *file = fopen(path, "re");

	free(path);
	if (!file)
		return 0;
	rest = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	if (rest)
		sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
		       &user, &system);
	fclose(file);
	return (user + system) * (1000000000 / sysconf(_SC_CLK_TCK));
}

/* And of its processes in user space. */
static uint64_t cpu_time(const struct clock_guest *guest)
{
	char *path = xasprintf("/proc/%d/task/%d/children", guest->pid, guest->pid);
	uint64_t sum = cpu_time_of(guest->pid);
	FILE *file = fopen(path, "re");
	int child;

	free(path);
	while (file && fscanf(file, "%d", &child) == 1)
		sum += cpu_time_of(child);
	if (file)
		fclose(file);
	return sum;
}

/* Nothing has come from it for a while. @seen: when this was first so in its turn. */
static enum clock_end look_after(struct clock *clock, unsigned int n, uint64_t *seen)
{
	uint64_t cpu = cpu_time(&clock->guest[n]);

	if (!*seen)
		*seen = cpu;
	if (!clock->hang || cpu < *seen || cpu - *seen < clock->hang)
		return CLOCK_REACHED;
	return failed(clock, "guest %s has not come back from its turn after %.3g s of CPU time: a program of it loops without a system call",
		      name_of(clock, n), clock->hang / 1e9);
}

/*
 * What comes next from the guest whose turn it is, from anybody who connects, or
 * from whoever else is listened to.
 */
static enum clock_end listen_to(struct clock *clock, unsigned int n, uint64_t *seen)
{
	const struct timespec look = { .tv_sec = LOOK_S };
	struct pollfd fds[3] = {
		{ .fd = clock->fd, .events = POLLIN },
		{ .fd = n < clock->n ? clock->guest[n].fd : -1, .events = POLLIN },
		{ .fd = clock->other_fd, .events = POLLIN },
	};
	int ready = ppoll(fds, 3, n < clock->n ? &look : NULL, &clock->open);

	if (ready < 0)
		return errno == EINTR ? CLOCK_STOPPED : failed(clock, "poll: %m");
	if (!ready)
		return look_after(clock, n, seen);
	/* one that has started again does not hang up: first of all */
	if (fds[0].revents)
		return clock_take_in(clock);
	/* what it has left for them is there before it waits */
	if (fds[2].revents)
		return clock->other(clock);
	return fds[1].revents ? hear(clock, n) : CLOCK_REACHED;
}

/* Until it waits, or is gone. */
static enum clock_end finish_turn(struct clock *clock, unsigned int n)
{
	enum clock_end end = CLOCK_REACHED;
	uint64_t seen = 0;

	while (clock->guest[n].state == CLOCK_RUNS && end == CLOCK_REACHED)
		end = listen_to(clock, n, &seen);
	return end;
}

static enum clock_end turn(struct clock *clock, unsigned int n, uint64_t until)
{
	struct clock_guest *guest = &clock->guest[n];
	struct clock_msg msg = { .op = RUN, .time = clock->now - guest->offset };

	clock->shm->running = n;
	clock->shm->now = clock->now;
	/* less than now, or than its offset, is more than it can think of */
	clock->limit = until > clock->now ? until : clock->now;
	clock->shm->free_until = clock->limit;
	guest->state = CLOCK_RUNS;
	clock->turns++;
	send(guest->fd, &msg, sizeof(msg), MSG_NOSIGNAL);
	return finish_turn(clock, n);
}

enum clock_end clock_turn(struct clock *clock, unsigned int n)
{
	if (clock->guest[n].state != CLOCK_WAITS || clock->guest[n].frozen)
		return CLOCK_REACHED;
	return turn(clock, n, clock->now);
}

enum clock_end clock_step(struct clock *clock, uint64_t until)
{
	enum clock_end end;
	unsigned int n;
	uint64_t when;

	if (!any_left(clock))
		return CLOCK_ALONE;
	n = first(clock, &when);
	if (when == CLOCK_NEVER && until == CLOCK_NEVER)
		return CLOCK_ASLEEP;
	if (when >= until) {
		if (until > clock->now)
			clock->now = until;
		return CLOCK_REACHED;
	}
	clock->now = when;
	end = turn(clock, n, free_until(clock, n, until));
	return end == CLOCK_REACHED ? CLOCK_TURNED : end;
}

enum clock_end clock_run(struct clock *clock, uint64_t until)
{
	enum clock_end end;

	do {
		end = clock_step(clock, until);
	} while (end == CLOCK_TURNED);
	if (end == CLOCK_ASLEEP)
		return failed(clock, "all guests sleep, and nobody will wake them");
	return end;
}

void clock_freeze(struct clock *clock, unsigned int n)
{
	clock->guest[n].frozen = clock->guest[n].state == CLOCK_WAITS;
}

void clock_thaw(struct clock *clock, unsigned int n)
{
	if (!clock->guest[n].frozen)
		return;
	clock->guest[n].frozen = false;
	clock->guest[n].thawed = clock->now;
}

enum clock_end clock_start(struct clock *clock, const bool *who)
{
	enum clock_end end = CLOCK_REACHED;
	unsigned int i;

	for (i = 0; i < clock->n && end == CLOCK_REACHED; i++)
		while ((!who || who[i]) && clock->guest[i].state == CLOCK_WANTED &&
		       end == CLOCK_REACHED)
			end = listen_to(clock, clock->n, NULL);
	for (i = 0; i < clock->n && end == CLOCK_REACHED; i++) {
		if ((who && !who[i]) || clock->guest[i].state != CLOCK_ASKS)
			continue;
		admit(clock, i);
		end = finish_turn(clock, i);
	}
	return end;
}

enum clock_end clock_kill(struct clock *clock, unsigned int n)
{
	struct clock_guest *guest = &clock->guest[n];
	size_t i, n_children;
	int *child;

	if (guest->state == CLOCK_WANTED)
		return CLOCK_REACHED;
	/* who waits starts none */
	child = children_of(guest->pid, &n_children);
	if (syscall(SYS_pidfd_send_signal, guest->pidfd, SIGKILL, NULL, 0) && errno != ESRCH)
		return failed(clock, "cannot kill guest %s: %m", name_of(clock, n));
	for (i = 0; i < n_children; i++)
		wait_for_end(child[i]);
	free(child);
	bury(clock, n, clock->now);
	return CLOCK_REACHED;
}

/* ---- the calendar itself ---- */

static bool make_schedule(struct clock *clock)
{
	size_t len = sizeof(*clock->shm) + clock->n * sizeof(clock->shm->client[0]);

	clock->shm_fd = memfd_create("umf-clock", MFD_CLOEXEC);
	clock->null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (clock->shm_fd < 0 || clock->null_fd < 0 || ftruncate(clock->shm_fd, len))
		return false;
	clock->shm = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, clock->shm_fd, 0);
	if (clock->shm == MAP_FAILED)
		return false;
	clock->shm->version = SHM_VERSION;
	clock->shm->len = len;
	clock->shm->max_clients = clock->n;
	clock->shm->ours.magic = UMF_SCHEDULE_MAGIC;
	return true;
}

/* A calendar that was killed leaves its socket. */
static bool nobody_listens(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused;

	refused = fd >= 0 && connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) &&
		  errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return refused;
}

static bool listen_at(struct clock *clock, const struct sockaddr_un *sun)
{
	const struct sockaddr *addr = (const struct sockaddr *)sun;

	clock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (clock->fd < 0)
		return false;
	if (bind(clock->fd, addr, sizeof(*sun))) {
		if (errno != EADDRINUSE)
			return false;
		if (!nobody_listens(sun)) {
			errno = EADDRINUSE;
			return false;
		}
		unlink(sun->sun_path);
		if (bind(clock->fd, addr, sizeof(*sun)))
			return false;
	}
	return !listen(clock->fd, clock->n);
}

bool clock_open(struct clock *clock, const char *path, unsigned int n)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	memset(clock, 0, sizeof(*clock));
	sigprocmask(SIG_SETMASK, NULL, &clock->open);
	clock->fd = -1;
	clock->other_fd = -1;
	if (strlen(path) >= sizeof(sun.sun_path)) {
		failed(clock, "%s: longer than the %zu bytes of a socket's name", path,
		       sizeof(sun.sun_path) - 1);
		return false;
	}
	strcpy(sun.sun_path, path);
	clock->n = n;
	clock->guest = xrealloc(NULL, n * sizeof(*clock->guest));
	memset(clock->guest, 0, n * sizeof(*clock->guest));
	if (!listen_at(clock, &sun)) {
		failed(clock, "%s: %m", path);
		return false;
	}
	clock->path = xstrdup(path);
	if (!make_schedule(clock)) {
		failed(clock, "no shared memory: %m");
		return false;
	}
	return true;
}

void clock_close(struct clock *clock)
{
	if (clock->path)
		unlink(clock->path);
	free(clock->path);
	free(clock->guest);
	if (clock->fd >= 0)
		close(clock->fd);
}
