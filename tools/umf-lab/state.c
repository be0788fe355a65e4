// SPDX-License-Identifier: GPL-2.0
/*
 * Guests as processes. There is no daemon: a guest's record, <guest>/pid, is
 * its process id and start time, written by the process itself before it
 * becomes the guest. A process of that id with another start time is somebody
 * else's, and is never touched.
 *
 * Each guest leads a session of its own, so its helpers are found by that.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

struct stat_line {
	char state;
	pid_t session;
	unsigned long long start;
};

static bool read_stat(pid_t pid, struct stat_line *st)
{
	char path[64], *line, *rest;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	line = read_line_of(path);
	rest = line ? strrchr(line, ')') : NULL;
	ok = rest && sscanf(rest, ") %c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
			    &st->state, &st->session, &st->start) == 3;
	free(line);
	return ok;
}

bool process_read_from(const char *path, struct process *p)
{
	char *line = read_line_of(path);
	bool ok = line && sscanf(line, "%d %llu", &p->pid, &p->start) == 2 &&
		  p->pid > 1;

	free(line);
	return ok;
}

bool process_read(const struct lab *lab, const char *guest, struct process *p)
{
	char *path = guest_file(lab, guest, "pid");
	bool ok = process_read_from(path, p);

	free(path);
	return ok;
}

int process_write(const char *path)
{
	struct stat_line st;
	char text[64];
	int fd, len, err = 0;

	if (!read_stat(getpid(), &st))
		return -ESRCH;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	len = snprintf(text, sizeof(text), "%d %llu\n", getpid(), st.start);
	if (write(fd, text, len) != len)
		err = -errno;
	close(fd);
	return err;
}

bool process_alive(const struct process *p)
{
	struct stat_line st;

	return read_stat(p->pid, &st) && st.start == p->start && st.state != 'Z' &&
	       st.state != 'X';
}

bool process_stopped(const struct process *p)
{
	struct stat_line st;

	return read_stat(p->pid, &st) && st.start == p->start && st.state == 'T';
}

static bool is_traced(pid_t pid)
{
	char path[64], *line = NULL;
	size_t size = 0;
	int tracer = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	in = fopen(path, "re");
	while (in && getline(&line, &size, in) >= 0)
		if (sscanf(line, "TracerPid: %d", &tracer) == 1)
			break;
	free(line);
	if (in)
		fclose(in);
	return tracer != 0;
}

/* The others of the session; returns how many are in a state other than @state. */
static unsigned int signal_others(const struct process *p, int sig, char state)
{
	DIR *dir = opendir("/proc");
	struct stat_line st;
	struct dirent *ent;
	unsigned int n = 0;
	pid_t pid;

	while (dir && (ent = readdir(dir))) {
		if (!isdigit((unsigned char)*ent->d_name))
			continue;
		pid = atoi(ent->d_name);
		if (pid == p->pid || !read_stat(pid, &st) || st.session != p->pid ||
		    st.start < p->start || st.state == 'Z' || st.state == state)
			continue;
		/* UML's userspace under ptrace is its kernel's to stop and to continue */
		if (sig != SIGKILL && is_traced(pid))
			continue;
		if (!kill(pid, sig))
			n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

bool process_traced(const struct process *p)
{
	return is_traced(p->pid);
}

void process_kill(const struct process *p)
{
	if (!process_alive(p))
		return;
	/* stopped, it makes no more of them; its userspace dies with it */
	kill(p->pid, SIGSTOP);
	signal_others(p, SIGKILL, 0);
	kill(p->pid, SIGKILL);
}

void process_freeze(const struct process *p)
{
	int tries = 0;

	if (!process_alive(p))
		return;
	kill(p->pid, SIGSTOP);
	while (signal_others(p, SIGSTOP, 'T') && ++tries < 100)
		usleep(1000);
}

void process_thaw(const struct process *p)
{
	if (!process_alive(p))
		return;
	signal_others(p, SIGCONT, 0);
	kill(p->pid, SIGCONT);
}

enum guest_state guest_state(const struct lab *lab, const char *guest)
{
	enum guest_state state;
	struct process p;

	if (!process_read(lab, guest, &p))
		state = GUEST_DOWN;
	else if (!process_alive(&p))
		state = GUEST_ENDED;
	else if (process_stopped(&p))
		state = GUEST_FROZEN;
	else
		state = guest_is_ready(lab, guest) ? GUEST_READY : GUEST_BOOTING;
	return state;
}

const char *guest_state_name(enum guest_state state)
{
	static const char * const names[] = {
		[GUEST_DOWN] = "down",
		[GUEST_ENDED] = "ended",
		[GUEST_BOOTING] = "booting",
		[GUEST_READY] = "ready",
		[GUEST_FROZEN] = "frozen",
	};

	return names[state];
}
