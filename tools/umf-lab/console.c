// SPDX-License-Identifier: GPL-2.0
/*
 * console: the terminal, byte for byte, to and from the guest's shell console
 * (start.c). One at a time has it; what the shell says while nobody does waits
 * in the FIFO.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>
#include "../lib/beside.h"
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define LEAVE		0x1d	/* Ctrl-] */
#define CHUNK		256	/* a UML console stops reading when 4 KiB wait */
#define TICK_MS		100
#define PACE_NS		20000000L
#define QUIET_TICKS	5	/* after the end of input that is no terminal */

static int open_end(const struct lab *lab, const char *guest, const char *end)
{
	char *path = guest_file(lab, guest, end);
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		die(LAB_GONE, "%s: %m", path);
	free(path);
	return fd;
}

static void write_all(int fd, const char *buf, ssize_t len)
{
	ssize_t n;

	while (len > 0 && (n = write(fd, buf, len)) > 0) {
		buf += n;
		len -= n;
	}
}

/* In virtual time somebody looks on: it passes no faster than for him. */
static bool pass(const struct lab *lab, const char *sent, int out, const sigset_t *open)
{
	int ret = virtual_wait(lab, lab_now(lab) + PACE_NS, sent, &out, 1, false, open);

	return ret != LAB_FAILED;
}

/* Until the user leaves, the guest ends, or input that is no terminal is over. */
static const char *copy(const struct lab *lab, const char *guest, int in, int out,
			const struct process *p, const sigset_t *open)
{
	struct pollfd fds[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = out, .events = POLLIN },
	};
	const struct timespec tick = { .tv_nsec = lab->virtual ? PACE_NS : TICK_MS * 1000000L };
	char buf[4096], *leave;
	int quiet = 0;
	ssize_t len;

	while (!stop_asked()) {
		if (ppoll(fds, 2, &tick, open) < 0 && errno == EINTR)
			continue;
		if (fds[1].revents & POLLIN) {
			len = read(out, buf, sizeof(buf));
			write_all(STDOUT_FILENO, buf, len);
			quiet = 0;
			continue;	/* output goes first: that is the throttle */
		}
		if (fds[0].fd >= 0 && fds[0].revents) {
			len = read(STDIN_FILENO, buf, CHUNK);
			if (len <= 0) {
				fds[0].fd = -1;
				continue;
			}
			leave = memchr(buf, LEAVE, len);
			if (!virtual_stand(lab))
				return "there is no more time";
			write_all(in, buf, leave ? leave - buf : len);
			if (leave)
				return "left";
			if (!lab->virtual)
				usleep(5000);
			else if (!pass(lab, guest, out, open))
				return "there is no more time";
			continue;
		}
		if (!process_alive(p))
			return "the guest has ended";
		if (lab->virtual && !pass(lab, NULL, out, open))
			return "there is no more time";
		if (fds[0].fd < 0 && ++quiet > QUIET_TICKS)
			return NULL;
	}
	return NULL;
}

static void in_a_window(const struct lab *lab, const char *guest)
{
	char *self = beside("bin/" NAME);

	execlp("xterm", "xterm", "-T", guest, "-e", self, "--run", lab->run,
	       "console", guest, NULL);
	die(LAB_FAILED, "xterm: %m");
}

int console_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct termios saved, raw;
	const char *name = args[0], *why;
	struct process p;
	bool terminal;
	sigset_t open;
	int in, out;

	if (!name || args[1])
		die(LAB_USAGE, "console: which guest of %s?", lab->file);
	pick_guest(lab, name);
	if (!process_read(lab, name, &p) || !process_alive(&p))
		die(LAB_GONE, "%s: does not run", name);
	if (opt->xterm)
		in_a_window(lab, name);
	in = open_end(lab, name, "shell.in");
	out = open_end(lab, name, "shell.out");
	if (flock(in, LOCK_EX | LOCK_NB))
		die(LAB_FAILED, "%s: somebody has its console already", name);
	if (!virtual_hold(lab))
		return LAB_FAILED;
	stop_catch(&open);
	terminal = !tcgetattr(STDIN_FILENO, &saved);
	if (terminal) {
		say("%s: Ctrl-] leaves its console", name);
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
		write_all(in, "\n", 1);		/* for a prompt */
	}
	why = copy(lab, name, in, out, &p, &open);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
		fputc('\n', stderr);
	}
	if (why)
		say("%s: %s", name, why);
	if (stop_asked())
		stop_die(stop_forget());
	return LAB_DONE;
}
