// SPDX-License-Identifier: GPL-2.0
/*
 * A command in several guests at once. Each has a process of ours, which runs it
 * as if it were the only one; what it says comes here through two pipes, and goes
 * out line by line, with the guest's name in front. A line goes out when it is
 * whole, in one piece: lines of different guests never mix.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define LINE_MAX_LEN	(1 << 20)	/* a longer one is broken */

struct lines {
	int fd;			/* -1: it has ended */
	FILE *to;
	char *buf;
	size_t len, size;
};

struct one {
	const char *name;
	int hold;		/* virtual time: time stands until it has begun, too */
	pid_t pid;		/* 0: there is none */
	int status;
	struct lines out, err;
};

/* ---- lines ---- */

static void put_line(const char *name, const char *line, size_t len, FILE *to)
{
	flockfile(to);
	fprintf(to, "%s: ", name);
	fwrite(line, 1, len, to);
	if (!len || line[len - 1] != '\n')
		fputc('\n', to);
	funlockfile(to);
}

static void put_lines(const char *name, struct lines *lines, bool all)
{
	char *at = lines->buf, *end = lines->buf + lines->len, *next;

	while (at < end && (next = memchr(at, '\n', end - at))) {
		put_line(name, at, next + 1 - at, lines->to);
		at = next + 1;
	}
	if (at < end && (all || end - at >= LINE_MAX_LEN)) {
		put_line(name, at, end - at, lines->to);
		at = end;
	}
	lines->len = end - at;
	memmove(lines->buf, at, lines->len);
	fflush(lines->to);
}

static void read_lines(const char *name, struct lines *lines)
{
	ssize_t n;

	if (lines->size - lines->len < 65536) {
		lines->size += 65536;
		lines->buf = xrealloc(lines->buf, lines->size);
	}
	n = read(lines->fd, lines->buf + lines->len, lines->size - lines->len);
	if (n > 0)
		lines->len += n;
	put_lines(name, lines, n <= 0);
	if (n <= 0) {
		close(lines->fd);
		lines->fd = -1;
	}
}

/* ---- processes ---- */

static FILE *open_lines(struct lines *lines, FILE *to)
{
	int fds[2];
	FILE *in;

	if (pipe2(fds, O_CLOEXEC))
		die(LAB_FAILED, "a pipe: %m");
	lines->fd = fds[0];
	lines->to = to;
	in = fdopen(fds[1], "w");
	if (!in)
		die(LAB_FAILED, "a pipe: %m");
	return in;
}

static void begin(struct lab *lab, struct one *all, size_t nr, size_t n,
		  const struct exec *exec, const sigset_t *open)
{
	struct one *one = &all[nr];
	struct exec mine = *exec;
	size_t i;
	int ret;

	mine.out = open_lines(&one->out, exec->out);
	mine.err = open_lines(&one->err, exec->err);
	one->pid = fork();
	if (!one->pid) {
		for (i = 0; i < n; i++)
			if (i != nr)
				virtual_drop(all[i].hold);
		virtual_become(one->hold);
		ret = exec_in(lab, one->name, &mine, open);
		if (ret == -EINTR)
			stop_die(stop_forget());
		_exit(ret);
	}
	if (one->pid < 0)
		die(LAB_FAILED, "%s: %m", one->name);
	fclose(mine.out);
	fclose(mine.err);
}

static void end(struct one *one, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (one[i].pid)
			kill(one[i].pid, SIGTERM);
	for (i = 0; i < n; i++)
		if (one[i].pid)
			waitpid(one[i].pid, NULL, 0);
}

/* Until all have said all. -EINTR: a signal came. */
static int relay(struct one *one, size_t n, const sigset_t *open)
{
	struct pollfd fds[2 * n];
	struct lines *lines;
	size_t i, left = 2 * n;

	while (left) {
		for (i = 0; i < 2 * n; i++) {
			lines = i % 2 ? &one[i / 2].err : &one[i / 2].out;
			fds[i] = (struct pollfd) { .fd = lines->fd, .events = POLLIN };
		}
		if (ppoll(fds, 2 * n, NULL, open) < 0)
			return -errno;
		for (i = 0, left = 0; i < 2 * n; i++) {
			lines = i % 2 ? &one[i / 2].err : &one[i / 2].out;
			if (fds[i].revents)
				read_lines(one[i / 2].name, lines);
			left += lines->fd >= 0;
		}
	}
	return 0;
}

static int say_failed(const struct one *one, size_t n)
{
	char *text = NULL;
	int highest = 0;
	size_t i, len;
	FILE *out = open_memstream(&text, &len);

	for (i = 0; i < n; i++) {
		if (one[i].status)
			fprintf(out, "%s %s (%d)", highest ? "," : "", one[i].name,
				one[i].status);
		if (one[i].status > highest)
			highest = one[i].status;
	}
	fclose(out);
	if (highest)
		say("failed in%s", text);
	free(text);
	return highest;
}

int each_exec(struct lab *lab, struct guest_conf **list, size_t n,
	      const struct exec *exec)
{
	struct one *one = calloc(n, sizeof(*one));
	sigset_t open;
	int status;
	size_t i;

	if (!one)
		die(LAB_FAILED, "%m");
	stop_catch(&open);
	fflush(stdout);
	for (i = 0; i < n; i++) {
		one[i].name = list[i]->name;
		one[i].hold = virtual_more(lab);
	}
	for (i = 0; i < n; i++)
		begin(lab, one, i, n, exec, &open);
	for (i = 0; i < n; i++)
		virtual_drop(one[i].hold);
	virtual_let_go();
	status = relay(one, n, &open);
	if (status) {
		end(one, n);
		if (!stop_asked())
			die(LAB_FAILED, "poll: %s", strerror(-status));
		stop_die(stop_forget());
	}
	for (i = 0; i < n; i++) {
		status = 0;
		waitpid(one[i].pid, &status, 0);
		one[i].status = WIFEXITED(status) ? WEXITSTATUS(status) :
						    128 + WTERMSIG(status);
	}
	return say_failed(one, n);
}
