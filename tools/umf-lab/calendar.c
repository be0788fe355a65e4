// SPDX-License-Identifier: GPL-2.0
/*
 * The calendar of a lab in virtual time, a process that `up` starts and `down` ends:
 * tools/lib/clock.h decides which guest runs, and those who ask for time (lib/calendar.h)
 * until when.
 *
 * Files in the live folder: calendar.pid, its record; clock, the guests' socket;
 * uml/calendar, the tools'; time, what time it is (virtual.c); calendar.why, why
 * there is no more time.
 *
 *	stand()		all guests are at one instant; what was asked for is done. As
 *			long as anybody is connected who has not asked for time, or
 *			nobody has asked for any
 *	pass()		guests run, until the earliest of the times asked for, or until
 *			somebody has got something to read: and then all of them to
 *			the end of that turn, so that they are at one instant again
 *
 * When in a turn somebody reads, asks again, or goes, depends on the host. So that decides
 * nothing but how long a time stands: what ends a pass is what a guest has written by
 * the end of its turn, and the first of such turns alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "../lib/calendar.h"
#include "../lib/clock.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define QUANTUM		100000	/* ns: of a turn while somebody waits for what a guest says */
#define HANG_S		30		/* CPU time of a turn */
#define NR_EVENTS	16

/* Somebody who is connected. */
struct client {
	struct client *next;
	int fd;
	enum {
		HOLDS,		/* has been answered: time stands */
		STANDS,		/* wants to know when it does */
		DOES,		/* wants something done, once it does */
		RUNS,		/* has asked for time */
		WATCHES,	/* … if anybody else has */
		GONE,
	} state;
	char line[CALENDAR_LINE];	/* DOES */
	uint64_t tag, of;	/* the last it got; whose member it is, or 0 */
	int poke;		/* RUNS, WATCHES: a guest that is to have a turn first, or -1 */
	uint64_t until;
	int fds[CALENDAR_FDS];
	size_t n;
};

static struct lab *lab;
static struct clock clock_;
static struct client *clients;
static struct virtual_time *shown;
static int epoll, listener;
static uint64_t tags;
static unsigned int heard;	/* requests, so far */
static bool told;		/* in this turn somebody has got something */
static char *why;		/* it has failed, with that */

/* ---- what time it is ---- */

static void show_time(void)
{
	unsigned int i;

	if (clock_.now > shown->now)
		shown->now = clock_.now;
	for (i = 0; i < clock_.n; i++)
		if (clock_.guest[i].state > CLOCK_ASKS)
			shown->zero[i] = clock_.guest[i].offset;
}

/* ---- clients ---- */

static void forget_fds(struct client *client)
{
	while (client->n) {
		client->n--;
		epoll_ctl(epoll, EPOLL_CTL_DEL, client->fds[client->n], NULL);
		close(client->fds[client->n]);
	}
}

__attribute__((format(printf, 2, 3)))
static void answer(struct client *client, const char *fmt, ...)
{
	char line[CALENDAR_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	forget_fds(client);
	client->poke = -1;
	client->state = HOLDS;
	/* one that has gone is noticed when it is heard */
	calendar_send(client->fd, line, NULL, 0);
}

static void answer_now(struct client *client)
{
	answer(client, "now %" PRIu64, clock_.now);
}

/* There is something for it, or a guest has come or gone. */
static void tell(struct client *client)
{
	told = true;
	answer(client, "ready");
}

static bool asks(const struct client *client)
{
	return client->state == RUNS || client->state == WATCHES;
}

static void look_at(struct client *client)
{
	struct pollfd fds[CALENDAR_FDS];
	size_t i;

	if (!asks(client))
		return;
	for (i = 0; i < client->n; i++)
		fds[i] = (struct pollfd) { .fd = client->fds[i], .events = POLLIN };
	if (client->n && poll(fds, client->n, 0) > 0)
		tell(client);
}

static void add_client(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct client *client;

	if (fd < 0)
		return;
	client = xrealloc(NULL, sizeof(*client));
	memset(client, 0, sizeof(*client));
	client->fd = fd;
	client->poke = -1;
	client->next = clients;
	clients = client;
	event.data.ptr = client;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int guest_nr(const char *name)
{
	size_t i;

	for (i = 0; i < lab->nr_guests; i++)
		if (!strcmp(lab->guest[i].name, name))
			return i;
	return -1;
}

static void take_ask(struct client *client, const char *line, const int *fds, size_t n)
{
	bool watch = !strncmp(line, "watch ", 6);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
	char guest[NAME_LEN + 1] = "";
	size_t i;

	forget_fds(client);
	memcpy(client->fds, fds, n * sizeof(*fds));
	client->n = n;
	if (sscanf(line, "%*s %" SCNu64 " %31s", &client->until, guest) != 2) {
		answer(client, "failed %s: no such request", line);
		return;
	}
	for (i = 0; i < n; i++)
		epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
	client->poke = guest_nr(guest);
	client->state = watch ? WATCHES : RUNS;
	look_at(client);
}

static void hear(struct client *client)
{
	int fds[CALENDAR_FDS];
	char line[CALENDAR_LINE];
	size_t n;

	while (client->state != GONE) {
		if (!calendar_receive(client->fd, line, fds, &n)) {
			if (errno != EAGAIN)
				client->state = GONE;
			break;
		}
		heard++;
		if (sscanf(line, "member %" SCNu64, &client->of) == 1)
			continue;
		if (!strncmp(line, "run ", 4) || !strncmp(line, "watch ", 6)) {
			take_ask(client, line, fds, n);
			continue;
		}
		while (n)
			close(fds[--n]);
		forget_fds(client);
		client->state = strcmp(line, "standing") ? DOES : STANDS;
		snprintf(client->line, sizeof(client->line), "%s", line);
	}
	if (client->state == GONE) {
		forget_fds(client);
		epoll_ctl(epoll, EPOLL_CTL_DEL, client->fd, NULL);
	}
}

/* Whoever has something to say, while a guest has its turn or time stands. */
static enum clock_end listen_to_all(struct clock *clock)
{
	struct epoll_event events[NR_EVENTS];
	int i, n = epoll_wait(epoll, events, NR_EVENTS, 0);

	(void)clock;
	for (i = 0; i < n; i++) {
		if (!events[i].data.ptr)
			add_client();
		else
			hear(events[i].data.ptr);
	}
	for (i = 0; i < n; i++)
		if (events[i].data.ptr)
			look_at(events[i].data.ptr);
	return CLOCK_REACHED;
}

static void bury_clients(void)
{
	struct client **at = &clients, *client;

	while ((client = *at)) {
		if (client->state != GONE) {
			at = &client->next;
			continue;
		}
		*at = client->next;
		close(client->fd);
		free(client);
	}
}

/* Somebody who was started by it is connected. */
static bool has_members(const struct client *leader)
{
	const struct client *client;

	for (client = clients; client && leader->tag; client = client->next)
		if (client->of == leader->tag && client->state != GONE)
			return true;
	return false;
}

/* Somebody wants time to pass, and nobody minds. */
static bool may_pass(void)
{
	const struct client *client;
	bool any = false;

	for (client = clients; client; client = client->next) {
		if (client->state == RUNS)
			any = true;
		else if (client->state != WATCHES && client->state != GONE &&
			 (client->state != HOLDS || !has_members(client)))
			return false;
	}
	return any;
}

/* ---- guests come and go ---- */

static void tell_all(void)
{
	struct client *client;

	for (client = clients; client; client = client->next)
		if (asks(client))
			tell(client);
}

static void came(struct clock *clock, unsigned int n, bool again)
{
	(void)clock;
	if (!again)
		return;
	show_time();
	nodelog_booted_again(lab, lab->guest[n].name);
	tell_all();
}

static void went(struct clock *clock, unsigned int n)
{
	(void)clock;
	show_time();
	nodelog_ended(lab, lab->guest[n].name);
	tell_all();
}

/* ---- what is done while time stands ---- */

/* Those that are named; false: not all of them are there yet. */
static bool are_there(char *names, bool *who)
{
	char *name;
	int n;

	while ((name = strsep(&names, ","))) {
		n = guest_nr(name);
		if (n < 0)
			continue;
		who[n] = true;
		if (clock_.guest[n].state == CLOCK_WANTED)
			return false;
	}
	return true;
}

static enum clock_end do_request(struct client *client)
{
	bool who[CLOCK_GUESTS] = { false };
	char verb[16] = "", line[CALENDAR_LINE];
	enum clock_end end = CLOCK_REACHED;
	int n, at = 0;

	strcpy(line, client->line);
	sscanf(line, "%15s %n", verb, &at);
	n = at ? guest_nr(line + at) : -1;
	if (!strcmp(verb, "tag")) {
		client->tag = ++tags;
		answer(client, "now %" PRIu64 " %" PRIu64, clock_.now, client->tag);
		return end;
	}
	if (!strcmp(verb, "start")) {
		if (!are_there(line + at, who))
			return end;
		end = clock_start(&clock_, who);
	} else if (n < 0) {
		answer(client, "failed %s: no such request", client->line);
		return end;
	} else if (!strcmp(verb, "kill")) {
		end = clock_kill(&clock_, n);
	} else if (!strcmp(verb, "freeze")) {
		clock_freeze(&clock_, n);
	} else if (!strcmp(verb, "thaw")) {
		clock_thaw(&clock_, n);
	}
	if (end == CLOCK_REACHED && client->state == DOES)
		answer_now(client);
	return end;
}

static enum clock_end poke(struct client *client)
{
	unsigned int n = client->poke;

	client->poke = -1;
	if (clock_.guest[n].frozen) {
		answer(client, "frozen");
		return CLOCK_REACHED;
	}
	return clock_turn(&clock_, n);
}

static enum clock_end do_all(void)
{
	enum clock_end end = CLOCK_REACHED;
	struct client *client;

	for (client = clients; client && end == CLOCK_REACHED; client = client->next) {
		if (client->state == STANDS)
			answer_now(client);
		else if (client->state == DOES)
			end = do_request(client);
		else if (asks(client) && client->poke >= 0)
			end = poke(client);
		look_at(client);
		if (asks(client) && client->until <= clock_.now)
			answer(client, "until %" PRIu64, clock_.now);
	}
	show_time();
	return end;
}

static enum clock_end stand(void)
{
	struct pollfd fds[2] = {
		{ .fd = epoll, .events = POLLIN },
		{ .fd = clock_.fd, .events = POLLIN },
	};
	unsigned int before;
	enum clock_end end;

	for (;;) {
		before = heard;
		end = do_all();
		bury_clients();
		/* somebody has asked for more while a guest had its turn */
		if (end == CLOCK_REACHED && heard != before)
			continue;
		if (end != CLOCK_REACHED || may_pass())
			return end;
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return CLOCK_FAILED;
		if (fds[1].revents)
			end = clock_take_in(&clock_);
		if (end != CLOCK_REACHED)
			return end;
		listen_to_all(&clock_);
	}
}

/* ---- time passes ---- */

static uint64_t earliest(uint64_t goal, bool *watched)
{
	const struct client *client;

	for (client = clients; client; client = client->next) {
		if (!asks(client))
			continue;
		if (client->until < goal)
			goal = client->until;
		*watched = *watched || client->n;
	}
	return goal;
}

/* Nobody will write anything to anybody any more. */
static void tell_never(void)
{
	struct client *client;

	for (client = clients; client; client = client->next)
		if (client->state == RUNS)
			answer(client, "never");
}

static enum clock_end pass(void)
{
	bool watched = false, cut = false;
	uint64_t goal = earliest(CLOCK_NEVER, &watched);
	struct client *client;
	enum clock_end end;

	clock_.quantum = watched ? QUANTUM : 0;
	do {
		told = false;
		clock_.limit = 0;
		end = clock_step(&clock_, goal);
		for (client = clients; client; client = client->next)
			look_at(client);
		show_time();
		if (end == CLOCK_TURNED && !cut && (told || !may_pass())) {
			cut = true;
			if (clock_.limit < goal)
				goal = clock_.limit;
		}
	} while (end == CLOCK_TURNED);
	if (end != CLOCK_ALONE && end != CLOCK_ASLEEP)
		return end;
	if (goal == CLOCK_NEVER)
		tell_never();
	else if (goal > clock_.now)
		clock_.now = goal;
	return CLOCK_REACHED;
}

/* ---- the process ---- */

/* Whoever asks is told why there is no more time. */
__attribute__((noreturn)) static void refuse_all(void)
{
	struct pollfd poll_fd = { .fd = epoll, .events = POLLIN };
	char *path = virtual_file(lab, "calendar.why");
	struct client *client;
	FILE *out = fopen(path, "we");

	why = xstrdup(*clock_.error ? clock_.error : strerror(errno));
	if (out) {
		fprintf(out, "%s\n", why);
		fclose(out);
	}
	for (;;) {
		for (client = clients; client; client = client->next)
			if (client->state != HOLDS && client->state != GONE)
				answer(client, "failed %s", why);
		bury_clients();
		poll(&poll_fd, 1, -1);
		listen_to_all(&clock_);
	}
}

static bool listen_for_tools(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char *path = virtual_socket(lab);
	bool ok = strlen(path) < sizeof(sun.sun_path);

	errno = ENAMETOOLONG;
	if (ok) {
		strcpy(sun.sun_path, path);
		unlink(path);
		listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		ok = listener >= 0 && !bind(listener, (struct sockaddr *)&sun, sizeof(sun)) &&
		     !listen(listener, 64);
	}
	if (!ok)
		say("%s: %m", path);
	free(path);
	return ok;
}

void calendar_serve(struct lab *of)
{
	const char *hang = getenv("UMF_LAB_HANG");
	struct epoll_event event = { .events = EPOLLIN };
	enum clock_end end;
	size_t i;

	lab = of;
	shown = virtual_map(lab, true);
	virtual_use(lab);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!shown || epoll < 0 || chdir(lab->live))
		die(LAB_FAILED, "%s: %m", lab->live);
	if (!clock_open(&clock_, "clock", lab->nr_guests))
		die(LAB_FAILED, "%s", clock_.error);
	clock_.date = VIRTUAL_DATE;
	clock_.lookahead = virtual_lookahead(lab);
	clock_.hang = (hang ? strtoull(hang, NULL, 10) : HANG_S) * 1000000000ULL;
	clock_.came = came;
	clock_.went = went;
	clock_.other_fd = epoll;
	clock_.other = listen_to_all;
	clock_.names = xrealloc(NULL, lab->nr_guests * sizeof(char *));
	for (i = 0; i < lab->nr_guests; i++)
		clock_.names[i] = lab->guest[i].name;
	/* last: who finds it may ask */
	if (!listen_for_tools() || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event))
		exit(LAB_FAILED);
	do {
		end = stand();
		if (end == CLOCK_REACHED)
			end = pass();
	} while (end == CLOCK_REACHED);
	refuse_all();
}
