// SPDX-License-Identifier: GPL-2.0
/*
 * run: a timeline of commands over several guests, from a file.
 *
 *	[<time>] <guest>[,<guest>...] <verb> ...
 *	[<time>] ! <command of the host's shell>
 *	<time>
 *
 * <time> is when: 3s after the run began, or +3s after what stands before it
 * was done; without one, at once. `end` in its place is for what is done at the
 * end, whatever happened. All of the file is read (step.c) before anything is
 * done; from then on nothing here or below ends the tool: what fails ends the
 * run, but for those lines.
 *
 * A guest that is silent, or is not there because it boots again, is waited for,
 * as long as the line may take.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "tool.h"

#define TICK_NS		20000000L	/* of waiting; the timeline is shown so often */
#define LOOK_NS		50000000LL	/* between two looks of wait */
#define WATCH_NS	500000000LL	/* … at the guests' rules, in virtual time */
#define MS_NS		1000000LL
#define LATE_NS		100000000LL	/* worth a line */

struct run {
	struct steps steps;
	sigset_t open;
	bool virtual;
};

/* In virtual time guests are looked at by this thread, at times of theirs. */
static void pass_virtual(const struct run *run, int64_t time)
{
	int64_t begin = timeline_clock() - timeline_now(), next;

	while (timeline_now() < time && !stop_asked()) {
		next = timeline_now() + WATCH_NS;
		next -= next % WATCH_NS;
		if (!pass_until(begin + (next < time ? next : time), &run->open))
			return;
		if (next <= time)
			watch_look();
		timeline_flush(false);
	}
}

/* Until then, or a signal; what comes meanwhile is shown. */
static void pause_until(const struct run *run, int64_t time)
{
	struct timespec ts = { 0 };
	int64_t left;

	if (run->virtual) {
		pass_virtual(run, time);
		return;
	}
	while ((left = time - timeline_now()) > 0 && !stop_asked()) {
		timeline_flush(false);
		ts.tv_nsec = left < TICK_NS ? left : TICK_NS;
		ppoll(NULL, 0, &ts, &run->open);
	}
}

static bool is_there(const char *name)
{
	struct guest_list list = { 0 };
	char *why = NULL;
	bool there = !guest_find(&list, name, &why);

	free(why);
	guest_list_free(&list);
	return there;
}

/* Those that were there before may be about to boot. */
static void find_guests(const struct run *run, struct step *step)
{
	int64_t end = timeline_now() + ask_timeout(&step->tool) * MS_NS;
	char *copy = xstrdup(step->guests), *pos = copy, *name;

	while ((name = strsep(&pos, ",")))
		while (watch_seen(name) && !is_there(name) &&
		       timeline_now() < end && !stop_asked())
			pause_until(run, timeline_now() + LOOK_NS);
	free(copy);
	tool_find_guests(&step->tool, step->guests);
}

static void show_reply(struct tool *tool, size_t nr, const char *reply, void *data)
{
	(void)data;
	print_reply(tool, &tool->guests.guest[nr], reply);
}

static void send_requests(const struct run *run, struct step *step)
{
	struct mconsole_call *calls = ask_new(&step->tool);

	ask_all(&step->tool, calls, &step->requests, &run->open, show_reply, NULL);
	ask_free(&step->tool, calls);
}

static void wait_for(const struct run *run, struct step *step)
{
	int64_t next, end;

	wait_begin(step->wait, &step->tool);
	while (!stop_asked()) {
		next = timeline_now() + LOOK_NS;
		end = wait_end(step->wait);
		if (!wait_look(step->wait, &run->open))
			break;
		if (end != INT64_MAX && end - timeline_clock() < next - timeline_now())
			next = timeline_now() + end - timeline_clock();
		pause_until(run, next);
	}
}

static void say_output(char *part, bool all)
{
	char *end = strrchr(part, '\n');

	if (all && *part)
		end = part + strlen(part);
	if (!end)
		return;
	*end = '\0';
	timeline_add(timeline_now(), LINE_OUTPUT, RUN_HOST, part, NULL);
	if (!all)
		memmove(part, end + 1, strlen(end + 1) + 1);
}

/* What is there now, to whole lines. @part has @size bytes. */
static void read_output(int fd, char *part, size_t size)
{
	size_t len = strlen(part);
	ssize_t got;

	while ((got = read(fd, part + len, size - 1 - len)) > 0) {
		part[len + got] = '\0';
		say_output(part, strlen(part) == size - 1);
		len = strlen(part);
		if (len == size - 1)
			len = 0;
	}
}

static pid_t start_command(const struct run *run, const char *command, int out)
{
	static const int defaults[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid = null < 0 ? -1 : fork();
	size_t i;

	if (!pid) {
		setpgid(0, 0);		/* Ctrl-C is for the run */
		for (i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
			signal(defaults[i], SIG_DFL);
		sigprocmask(SIG_SETMASK, &run->open, NULL);
		if (dup2(null, 0) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2)
			execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	if (null >= 0)
		close(null);
	return pid;
}

static void run_command(const struct run *run, struct step *step)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	struct pollfd poll = { .events = POLLIN };
	char part[4096] = "", *text;
	bool told = false;
	int fds[2], status = 0;
	pid_t pid = -1, ended;

	if (run->virtual)
		pass_let();
	if (!pipe2(fds, O_CLOEXEC | O_NONBLOCK)) {
		fcntl(fds[1], F_SETFL, 0);
		pid = start_command(run, step->command, fds[1]);
		close(fds[1]);
	}
	if (pid < 0) {
		if (run->virtual)
			pass_hold();
		text = xasprintf("cannot be started: %s", strerror(errno));
		timeline_add(timeline_now(), LINE_ERROR, RUN_HOST, text, NULL);
		free(text);
		tool_worse(&step->tool, TOOL_REFUSED);
		return;
	}
	/* Its exit ends it: what it leaves in the background may write on. */
	poll.fd = fds[0];
	while (!(ended = waitpid(pid, &status, WNOHANG))) {
		if (stop_asked() && !told)
			told = !kill(-pid, SIGTERM);
		timeline_flush(false);
		/* a pipe at its end is always ready */
		if (ppoll(&poll, 1, &tick, &run->open) > 0 &&
		    !(poll.revents & POLLIN))
			poll.fd = -1;
		read_output(fds[0], part, sizeof(part));
	}
	read_output(fds[0], part, sizeof(part));
	say_output(part, true);
	if (run->virtual)
		pass_hold();
	close(fds[0]);
	if (ended < 0 || !status)
		return;
	text = WIFEXITED(status) ? xasprintf("status %d", WEXITSTATUS(status)) :
				   xasprintf("killed by signal %d", WTERMSIG(status));
	timeline_add(timeline_now(), LINE_ERROR, RUN_HOST, text, NULL);
	free(text);
	tool_worse(&step->tool, TOOL_REFUSED);
}

static void do_step(const struct run *run, struct step *step)
{
	if (step->command || step->guests)
		timeline_add(timeline_now(), LINE_COMMAND,
			     step->guests ?: RUN_HOST,
			     step->command ?: strpbrk(step->text, " \t") + 1,
			     NULL);
	if (step->command) {
		run_command(run, step);
	} else if (step->guests) {
		find_guests(run, step);
		if (!step->tool.guests.n)
			;	/* said, and counted */
		else if (step->wait)
			wait_for(run, step);
		else
			send_requests(run, step);
	}
}

static void when_due(const struct run *run, const struct step *step)
{
	int64_t due = step->time, late;
	char *text;

	if (step->when == WHEN_AFTER)
		due += timeline_now();
	else if (step->when != WHEN_AT)
		return;
	late = timeline_now() - due;
	pause_until(run, due);
	if (late > LATE_NS) {
		text = xasprintf("%s: %.3f s late, by what stands before it",
				 step->where, late / 1e9);
		timeline_add(timeline_now(), LINE_NOTE, RUN_HOST, text, NULL);
		free(text);
	}
}

/* Returns the step that failed, or NULL. */
static const struct step *do_steps(struct run *run, struct tool *tool, bool end)
{
	const struct step *failed = NULL;
	struct step *step;
	size_t i;

	for (i = 0; i < run->steps.n && !stop_asked(); i++) {
		step = &run->steps.step[i];
		if ((step->when == WHEN_END) != end)
			continue;
		when_due(run, step);
		if (stop_asked())
			break;
		if (!end && ferror(stdout)) {
			/* who looks on has gone: as Ctrl-C, but main() says so */
			failed = step;
			break;
		}
		do_step(run, step);
		tool_worse(tool, step->tool.status);
		if (step->tool.status == TOOL_DONE)
			continue;
		if (!failed)
			failed = step;
		if (!end)
			break;
	}
	return failed;
}

static void say_absent(const char *name)
{
	char *text = xasprintf("%s: nobody answers to that name yet", name);

	timeline_add(timeline_now(), LINE_NOTE, RUN_HOST, text, NULL);
	free(text);
}

static FILE *open_copy(const struct tool *tool)
{
	FILE *copy;

	if (!tool->write)
		return NULL;
	if (!strcmp(tool->write, "-"))
		tool_usage("-w -: is for capture; run has --json");
	copy = fopen(tool->write, "we");
	if (!copy)
		tool_usage("-w %s: %m", tool->write);
	return copy;
}

static void check(const struct steps *steps, struct tool *tool, const char *path)
{
	if (!steps_find_guests(steps))
		tool_worse(tool, TOOL_UNREACHED);
	else if (!tool->json)
		printf("%s: %zu lines, all guests are there\n", path, steps->n);
}

void run_verb(struct tool *tool, const char *path)
{
	const struct step *failed = NULL, *failed_end;
	struct run run = { 0 };
	int stopped;
	FILE *copy;

	steps_read(&run.steps, tool, path);
	if (tool->check) {
		check(&run.steps, tool, path);
		steps_free(&run.steps);
		return;
	}
	copy = open_copy(tool);
	signal(SIGPIPE, SIG_IGN);	/* the end has to be done */
	stop_catch(&run.open);
	run.virtual = pass_begin(NULL);
	if (run.virtual)
		watch_alone();
	timeline_begin(tool->json, copy, watch_width());
	if (watch_begin(say_absent)) {
		failed = do_steps(&run, tool, false);
	} else {
		fprintf(stderr, "run: guests cannot be watched: %s\n", strerror(errno));
		tool_worse(tool, TOOL_UNREACHED);
	}
	stopped = stop_forget();
	failed_end = do_steps(&run, tool, true);
	watch_end();
	timeline_end();
	if (run.virtual)
		pass_end();

	if (failed)
		fprintf(stderr, "%s: failed; what stands behind it was not done\n",
			failed->where);
	if (failed_end)
		fprintf(stderr, "%s: failed\n", failed_end->where);
	if (copy && (ferror(copy) | fclose(copy))) {
		fprintf(stderr, "%s: cannot be written\n", tool->write);
		tool_worse(tool, TOOL_UNREACHED);
	}
	steps_free(&run.steps);
	stopped = stop_forget() ?: stopped;
	if (stopped)
		stop_die(stopped);
}
