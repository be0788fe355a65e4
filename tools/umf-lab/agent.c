// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of rootfs/agent, which has the protocol: commands in, output
 * and errors out, each through a FIFO that is a console of the guest.
 *
 * A stream is
 *	BEFORE	what comes is somebody's who gave up, until "begin <our tag>";
 *	WITHIN	it is our command's, until "status <our tag> <n>";
 *	BEHIND	all has come.
 *
 * A guest that boots again stays the process it was, but not what it ran: each
 * boot has a mconsole socket of its own, and that is how one is told from the
 * next. What a boot has said of itself (ready) goes with it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define PART		400	/* bytes of a command that go at once */
#define TICK_NS		100000000LL
#define INPUT_TICK_NS	10000000LL	/* while the guest takes it */
#define MARK_LEN	80	/* no mark is longer */

struct stream {
	int fd;
	FILE *to;
	char *buf;
	size_t len, size;
	enum { BEFORE, WITHIN, BEHIND } where;
	int status;
};

struct boot {
	unsigned long long ino;		/* 0: none, it is just booting */
	long long sec, nsec;
};

struct agent {
	const struct lab *lab;
	const char *guest;
	struct process process;
	char *socket;			/* its mconsole's */
	struct boot boot;
	int cmd;
	struct stream out, err;
	bool sent;			/* virtual time: a line, and the guest has not run since */
	struct input *input;		/* of the command, or NULL */
	char tag[32];
};

static int open_fifo(const struct lab *lab, const char *guest, const char *kind,
		     int nr)
{
	char *name = xasprintf("%s%d", kind, nr);
	char *path = guest_file(lab, guest, name);
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	free(path);
	free(name);
	return fd;
}

/* ---- which boot it is ---- */

static char *socket_path(const struct lab *lab, const char *guest)
{
	return xasprintf("%s/uml/%s/mconsole", lab->live, guest);
}

static struct boot boot_of(const char *socket)
{
	struct boot boot = { 0 };
	struct stat st;

	if (!stat(socket, &st)) {
		boot.ino = st.st_ino;
		boot.sec = st.st_ctim.tv_sec;
		boot.nsec = st.st_ctim.tv_nsec;
	}
	return boot;
}

static bool same_boot(const struct boot *a, const struct boot *b)
{
	return a->ino == b->ino && a->sec == b->sec && a->nsec == b->nsec;
}

static bool read_ready(const char *path, struct boot *boot)
{
	char *line = read_line_of(path);
	bool ok = line && sscanf(line, "%llu %lld %lld", &boot->ino, &boot->sec,
				 &boot->nsec) == 3;

	free(line);
	return ok;
}

void guest_set_ready(const struct lab *lab, const char *guest)
{
	char *path = guest_file(lab, guest, "ready"), *new = xasprintf("%s.new", path);
	char *socket = socket_path(lab, guest);
	struct boot boot = boot_of(socket);
	FILE *out;

	/* while the boot that was ready before is still known */
	nodelog_ready(lab, guest);
	out = fopen(new, "we");
	if (out) {
		fprintf(out, "%llu %lld %lld\n", boot.ino, boot.sec, boot.nsec);
		if (!fclose(out))
			rename(new, path);
	}
	free(socket);
	free(new);
	free(path);
}

static struct agent *open_nr(const struct lab *lab, const char *guest, int nr,
			     bool lock);

bool guest_is_ready(const struct lab *lab, const char *guest)
{
	char *path = guest_file(lab, guest, "ready"), *socket;
	struct boot boot, now;
	struct agent *agent;
	bool ready = false;

	if (read_ready(path, &boot)) {
		socket = socket_path(lab, guest);
		now = boot_of(socket);
		ready = same_boot(&boot, &now);
		/* it was, before it booted again: is it again? */
		agent = ready || !now.ino ? NULL : open_nr(lab, guest, 0, true);
		if (agent && agent_is_ready(agent)) {
			guest_set_ready(lab, guest);
			ready = true;
		}
		agent_close(agent);
		free(socket);
	}
	free(path);
	return ready;
}

bool guest_find_ready(const struct lab *lab, const char *guest)
{
	struct agent *agent;
	bool ready;

	if (guest_is_ready(lab, guest))
		return true;
	agent = open_nr(lab, guest, 0, true);
	ready = agent && agent_is_ready(agent);
	if (ready)
		guest_set_ready(lab, guest);
	agent_close(agent);
	return ready;
}

int64_t guest_booted_again(const struct lab *lab, const char *guest)
{
	char *path = guest_file(lab, guest, "ready"), *socket = socket_path(lab, guest);
	struct boot boot, now = boot_of(socket);
	bool again = now.ino && read_ready(path, &boot) && !same_boot(&boot, &now);

	free(socket);
	free(path);
	return again ? now.sec * 1000000000LL + now.nsec : 0;
}

/* ---- opening ---- */

static struct agent *open_nr(const struct lab *lab, const char *guest, int nr,
			     bool lock)
{
	struct agent *agent = xrealloc(NULL, sizeof(*agent));
	uint64_t tag = 0;

	memset(agent, 0, sizeof(*agent));
	agent->lab = lab;
	agent->guest = guest;
	agent->cmd = open_fifo(lab, guest, "cmd", nr);
	agent->out.fd = open_fifo(lab, guest, "out", nr);
	agent->err.fd = open_fifo(lab, guest, "err", nr);
	agent->socket = socket_path(lab, guest);
	agent->boot = boot_of(agent->socket);
	agent->out.to = stdout;
	agent->err.to = stderr;
	if (getrandom(&tag, sizeof(tag), 0) < 0)
		tag = now_ns();
	snprintf(agent->tag, sizeof(agent->tag), "%016llx", (unsigned long long)tag);
	if (agent->cmd < 0 || agent->out.fd < 0 || agent->err.fd < 0 ||
	    !process_read(lab, guest, &agent->process) ||
	    (lock && flock(agent->cmd, LOCK_EX | LOCK_NB))) {
		agent_close(agent);
		return NULL;
	}
	return agent;
}

struct agent *agent_open(const struct lab *lab, const char *guest)
{
	struct agent *agent = NULL;
	int i;

	for (i = 0; i < NR_AGENTS && !agent; i++)
		agent = open_nr(lab, guest, i, true);
	return agent;
}

struct agent *agent_first(const struct lab *lab, const char *guest)
{
	return open_nr(lab, guest, 0, false);
}

void agent_close(struct agent *agent)
{
	if (!agent)
		return;
	if (agent->cmd >= 0)
		close(agent->cmd);
	if (agent->out.fd >= 0)
		close(agent->out.fd);
	if (agent->err.fd >= 0)
		close(agent->err.fd);
	free(agent->socket);
	free(agent->out.buf);
	free(agent->err.buf);
	free(agent);
}

/* ---- a stream ---- */

static bool fill(struct stream *stream)
{
	ssize_t n;

	if (stream->size - stream->len < 65536) {
		stream->size += 65536;
		stream->buf = xrealloc(stream->buf, stream->size);
	}
	n = read(stream->fd, stream->buf + stream->len, stream->size - stream->len);
	if (n <= 0)
		return false;
	stream->len += n;
	return true;
}

/* Takes @len bytes off the beginning; they go out if they are ours. */
static void take(struct stream *stream, size_t len)
{
	if (stream->where == WITHIN && len) {
		fwrite(stream->buf, 1, len, stream->to);
		fflush(stream->to);
	}
	stream->len -= len;
	memmove(stream->buf, stream->buf + len, stream->len);
}

/* Past the mark "\001<word> <tag>" and its line's end; its rest goes to @rest. */
static bool find_mark(struct stream *stream, const char *word, const char *tag,
		      char *rest, size_t size)
{
	char mark[MARK_LEN], *at, *end;
	int len = snprintf(mark, sizeof(mark), "\001%s %s", word, tag);

	at = stream->len ? memmem(stream->buf, stream->len, mark, len) : NULL;
	end = at ? memchr(at, '\n', stream->buf + stream->len - at) : NULL;
	if (!end)
		return false;
	if (rest)
		snprintf(rest, size, "%.*s", (int)(end - at - len), at + len);
	take(stream, at - stream->buf);
	at = memchr(stream->buf, '\n', stream->len);
	/* the mark itself is nobody's output */
	stream->len -= at + 1 - stream->buf;
	memmove(stream->buf, at + 1, stream->len);
	return true;
}

static void parse(struct stream *stream, const char *tag)
{
	char rest[16], *mark;

	if (stream->where == BEFORE && find_mark(stream, "begin", tag, NULL, 0))
		stream->where = WITHIN;
	if (stream->where == WITHIN &&
	    find_mark(stream, "status", tag, rest, sizeof(rest))) {
		stream->where = BEHIND;
		stream->status = atoi(rest);
	}
	if (stream->where == BEHIND || !stream->len)
		return;
	/* all but what may be the beginning of a mark */
	mark = memrchr(stream->buf, '\001', stream->len);
	if (!mark || stream->buf + stream->len - mark > MARK_LEN)
		take(stream, stream->len);
	else
		take(stream, mark - stream->buf);
}

int agent_fd(const struct agent *agent)
{
	return agent->out.fd;
}

bool agent_is_ready(struct agent *agent)
{
	while (fill(&agent->out))
		;
	return agent->out.len && memmem(agent->out.buf, agent->out.len, "\001ready\n", 7);
}

/* ---- a command ---- */

static bool send_line(struct agent *agent, char kind, const char *part, size_t len)
{
	char line[2 * PART + 64];
	size_t n, i;

	n = snprintf(line, sizeof(line), "%s %c ", agent->tag, kind);
	for (i = 0; i < len; i++) {
		if (part[i] == '\\' || part[i] == '\n')
			line[n++] = '\\';
		line[n++] = part[i] == '\n' ? 'n' : part[i];
	}
	line[n++] = '\n';
	/* in the middle of its turn it would see it sooner or later */
	if (!stop_asked() && !virtual_stand(agent->lab))
		return false;
	agent->sent = true;
	return write(agent->cmd, line, n) == (ssize_t)n;
}

/* What the guest has not read yet, it shall not read any more. */
static void take_back(struct agent *agent)
{
	char buf[4096];

	while (read(agent->cmd, buf, sizeof(buf)) > 0)
		;
}

static void give_up(struct agent *agent, bool begun)
{
	if (!begun)
		take_back(agent);
	send_line(agent, 'k', "", 0);
}

/* What has begun has gone with its boot. What has not may still be taken. */
static bool is_another_boot(struct agent *agent)
{
	struct boot now = boot_of(agent->socket);

	if (same_boot(&now, &agent->boot))
		return false;
	if (agent->out.where != BEFORE && agent->boot.ino)
		return true;
	agent->boot = now;
	return false;
}

/* The first time that it waits, the guest has been sent something. */
static int wait_virtual(struct agent *agent, struct pollfd fds[2], int64_t until,
			const sigset_t *open)
{
	int some[2], n = 0, ret, i;

	for (i = 0; i < 2; i++)
		if (fds[i].fd >= 0)
			some[n++] = fds[i].fd;
	ret = virtual_wait(agent->lab, until, agent->sent ? agent->guest : NULL,
			   some, n, false, open);
	agent->sent = false;
	if (!ret)
		poll(fds, 2, 0);
	return ret;
}

/* Until something has come, or input has gone: 0, or why nothing will. */
static int wait_more(struct agent *agent, int64_t until, const sigset_t *open)
{
	struct input *input = agent->out.where == WITHIN ? agent->input : NULL;
	struct pollfd fds[3] = {
		{ .fd = agent->out.where == BEHIND ? -1 : agent->out.fd, .events = POLLIN },
		{ .fd = agent->err.where == BEHIND ? -1 : agent->err.fd, .events = POLLIN },
		{ .fd = input ? input_fd(input) : -1, .events = POLLIN },
	};
	struct timespec ts = { .tv_nsec = TICK_NS };
	int64_t left = until ? until - now_ns() : TICK_NS;
	bool some, gone;
	int ret;

	if (agent->lab->virtual) {
		ret = wait_virtual(agent, fds, until, open);
		if (ret)
			return ret;
		goto look;
	}
	if (left <= 0)
		return LAB_TIMEOUT;
	if (input && input_waits(input))
		ts.tv_nsec = INPUT_TICK_NS;
	if (left < ts.tv_nsec)
		ts.tv_nsec = left;
	if (ppoll(fds, 3, &ts, open) < 0 && errno == EINTR)
		return -EINTR;
	if (input && !input_move(input))
		return LAB_FAILED;
look:
	gone = !process_alive(&agent->process) || is_another_boot(agent);
	some = fds[0].revents & POLLIN && fill(&agent->out);
	some = (fds[1].revents & POLLIN && fill(&agent->err)) || some;
	parse(&agent->out, agent->tag);
	parse(&agent->err, agent->tag);
	return gone && !some ? LAB_GONE : 0;
}

/* 0 once the agent has all of the command and has begun. */
static int send_command(struct agent *agent, const char *command, int64_t until,
			const sigset_t *open)
{
	size_t left = strlen(command), len;
	int ret;

	do {
		len = left < PART ? left : PART;
		while (!send_line(agent, len < left ? '+' : '.', command, len)) {
			ret = wait_more(agent, until, open);
			if (ret)
				return ret;
		}
		command += len;
		left -= len;
		while (left ? !find_mark(&agent->out, "part", agent->tag, NULL, 0) :
			      agent->out.where == BEFORE) {
			ret = wait_more(agent, until, open);
			if (ret)
				return ret;
		}
	} while (left);
	return 0;
}

int agent_run(struct agent *agent, const char *command, int64_t begin_by,
	      int64_t end_by, const sigset_t *open, bool *begun)
{
	int ret;

	*begun = false;
	/* two runs of a lab have the same */
	if (agent->lab->virtual)
		snprintf(agent->tag, sizeof(agent->tag), "%016llx",
			 (unsigned long long)virtual_tag(agent->lab));
	if (end_by && end_by < begin_by)
		begin_by = end_by;
	ret = send_command(agent, command, begin_by, open);
	*begun = !ret;
	while (!ret && (agent->out.where != BEHIND || agent->err.where != BEHIND))
		ret = wait_more(agent, end_by, open);
	if (!ret) {
		/* who writes on in the background is not heard any more */
		send_line(agent, 'k', "", 0);
		return agent->out.status;
	}
	if (ret != LAB_GONE)
		give_up(agent, *begun);
	return ret;
}

void agent_redirect(struct agent *agent, FILE *out, FILE *err)
{
	agent->out.to = out;
	agent->err.to = err;
}

void agent_feed(struct agent *agent, struct input *input)
{
	agent->input = input;
}

void agent_tell(struct agent *agent, const char *command)
{
	send_line(agent, '.', command, strlen(command));
}
