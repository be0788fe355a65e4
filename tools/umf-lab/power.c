// SPDX-License-Identifier: GPL-2.0
/*
 * The lab's power switch, for a cluster that fences its nodes: `power on`,
 * `power off` and `power status` by hand, and `power serve`, a process that does
 * the same for guests that ask for it through a console. `up` starts it if the
 * lab file says fencing, `down` ends it; the record and the lines it writes
 * are power.pid in the live folder and power.log in the run folder.
 *
 * A line each way, where <tag> is a word that the guest never uses twice:
 *
 *	guest	ask <tag> on|off|status <guest>
 *		ask <tag> list
 *	switch	answer <tag> ok [<guest>=on|off ...]
 *		answer <tag> error <why>
 *
 * Lines that are no question are nothing: the end of one whose guest died, or an
 * answer that a console echoes. A guest that is off has not asked for anything:
 * of two nodes that shoot each other, the first one wins.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

#define LINE		256	/* bytes of a question, with its newline */
#define ON_NS		30000000000LL	/* until nobody else starts or ends guests */

const char * const power_fifos[] = { "power.answer", "power.ask", NULL };

struct asker {
	struct guest_conf *guest;
	int ask, answer;
	char buf[LINE];
	size_t len;
};

static char *record_path(const struct lab *lab)
{
	return xasprintf("%s/power.pid", lab->live);
}

char *power_log(const struct lab *lab)
{
	return xasprintf("%s/power.log", lab->run);
}

static bool is_on(const struct lab *lab, const struct guest_conf *guest)
{
	struct process p;

	return process_read(lab, guest->name, &p) && process_alive(&p);
}

/* ---- the process ---- */

/* A tool of its own: starting a guest takes the lock, and may fail in many ways. */
static bool turn_on(const struct lab *lab, const struct guest_conf *guest)
{
	int64_t end = now_ns() + ON_NS;
	int status;
	pid_t pid;

	while (!is_on(lab, guest) && now_ns() < end) {
		pid = fork();
		if (!pid) {
			execl("/proc/self/exe", NAME, "-f", lab->file, "--run",
			      lab->run, "power", "on", guest->name, NULL);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return false;
	}
	return is_on(lab, guest);
}

static struct asker *find(struct asker *askers, size_t n, const char *name)
{
	size_t i;

	for (i = 0; name && i < n; i++)
		if (!strcmp(askers[i].guest->name, name))
			return &askers[i];
	return NULL;
}

/* The answer without its tag. */
static char *answer(struct lab *lab, struct asker *askers, size_t n,
		    const char *verb, const char *name)
{
	struct asker *target = find(askers, n, name);
	char *text = NULL;
	size_t i, len;
	FILE *out;

	if (!strcmp(verb, "list")) {
		out = open_memstream(&text, &len);
		fputs("ok", out);
		for (i = 0; i < n; i++)
			fprintf(out, " %s=%s", askers[i].guest->name,
				is_on(lab, askers[i].guest) ? "on" : "off");
		fclose(out);
		return text;
	}
	if (!target)
		return xasprintf("error %s: no such guest", name ?: "");
	if (!strcmp(verb, "off")) {
		up_end_guests(lab, &target->guest, 1);
		if (is_on(lab, target->guest))
			return xasprintf("error %s: cannot be killed", name);
	} else if (!strcmp(verb, "on")) {
		if (!turn_on(lab, target->guest))
			return xasprintf("error %s: cannot be started", name);
	} else if (strcmp(verb, "status")) {
		return xasprintf("error %s: no such verb", verb);
	}
	return xasprintf("ok %s=%s", name, is_on(lab, target->guest) ? "on" : "off");
}

/* When it was done, and how long that took. */
static void log_line(const char *from, const char *line, const char *reply, int64_t since)
{
	char when[UTC_LEN];

	printf("%s %s: %s: %s (%.3f s)\n", utc_text(utc_now(), when), from, line, reply,
	       (now_ns() - since) / 1e9);
	fflush(stdout);
}

/* @line is taken apart. */
static void do_line(struct lab *lab, struct asker *askers, size_t n,
		    struct asker *from, char *line)
{
	char *said = xstrdup(line), *pos = line, *tag, *verb, *name, *text, *reply;
	int64_t since = now_ns();

	if (strcmp(strsep(&pos, " ") ?: "", "ask") || !(tag = strsep(&pos, " ")) ||
	    !(verb = strsep(&pos, " ")) || !is_on(lab, from->guest))
		goto out;
	name = strsep(&pos, " ");
	text = answer(lab, askers, n, verb, name);
	log_line(from->guest->name, said, text, since);
	reply = xasprintf("answer %s %s\n", tag, text);
	/* who does not read his answers gets no more of them */
	if (write(from->answer, reply, strlen(reply)) < 0)
		log_line(from->guest->name, said, strerror(errno), since);
	free(reply);
	free(text);
out:
	free(said);
}

static void take(struct lab *lab, struct asker *askers, size_t n,
		 struct asker *from)
{
	ssize_t got = read(from->ask, from->buf + from->len,
			   sizeof(from->buf) - from->len);
	char line[LINE], *end;
	size_t len;

	if (got <= 0)
		return;
	from->len += got;
	while ((end = memchr(from->buf, '\n', from->len))) {
		len = end - from->buf;
		memcpy(line, from->buf, len);
		line[len] = '\0';
		from->len -= len + 1;
		memmove(from->buf, end + 1, from->len);
		do_line(lab, askers, n, from, line);
	}
	if (from->len == sizeof(from->buf))
		from->len = 0;
}

static int open_fifo(const struct lab *lab, const char *guest, const char *name)
{
	char *path = guest_file(lab, guest, name);
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		die(LAB_FAILED, "%s: %m", path);
	free(path);
	return fd;
}

/* Whoever asked while there was no switch has been told so, and waits no more. */
static void forget(int fd)
{
	char buf[LINE];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
}

__attribute__((noreturn)) static void serve(struct lab *lab)
{
	struct asker askers[lab->nr_guests];
	struct pollfd fds[lab->nr_guests];
	size_t i, n = lab->nr_guests;

	memset(askers, 0, sizeof(askers));
	for (i = 0; i < n; i++) {
		askers[i].guest = &lab->guest[i];
		askers[i].answer = open_fifo(lab, lab->guest[i].name, power_fifos[0]);
		askers[i].ask = open_fifo(lab, lab->guest[i].name, power_fifos[1]);
		forget(askers[i].ask);
		fds[i].fd = askers[i].ask;
		fds[i].events = POLLIN;
	}
	for (;;) {
		if (poll(fds, n, -1) < 0 && errno != EINTR)
			die(LAB_FAILED, "poll: %m");
		for (i = 0; i < n; i++)
			if (fds[i].revents & POLLIN)
				take(lab, askers, n, &askers[i]);
	}
}

static bool make_fifos(const struct lab *lab)
{
	bool ok = true;
	char *path;
	size_t i, k;

	for (i = 0; ok && i < lab->nr_guests; i++)
		for (k = 0; ok && power_fifos[k]; k++) {
			path = guest_file(lab, lab->guest[i].name, power_fifos[k]);
			ok = !mkfifo(path, 0600) || errno == EEXIST;
			if (!ok)
				say("%s: %m", path);
			free(path);
		}
	return ok;
}

bool power_start(const struct lab *lab)
{
	char *record = record_path(lab), *log = power_log(lab);
	sigset_t none;
	pid_t pid = -1;
	int fd = -1;

	if (make_fifos(lab))
		fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd >= 0)
		pid = fork();
	if (!pid) {
		setsid();
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (!process_write(record) && dup2(fd, 1) >= 0 && dup2(fd, 2) >= 0)
			execl("/proc/self/exe", NAME, "-f", lab->file, "--run",
			      lab->run, "power", "serve", NULL);
		_exit(127);
	}
	if (pid < 0)
		say("%s: the power switch cannot be started: %m", log);
	if (fd >= 0)
		close(fd);
	free(record);
	free(log);
	return pid > 0;
}

bool power_read(const struct lab *lab, struct process *p)
{
	char *record = record_path(lab);
	bool ok = process_read_from(record, p);

	free(record);
	return ok;
}

bool power_is_alive(const struct lab *lab)
{
	struct process p;

	return power_read(lab, &p) && process_alive(&p);
}

void power_stop(const struct lab *lab)
{
	struct process p;

	if (power_read(lab, &p))
		process_kill(&p);
}

/* ---- by hand ---- */

int power_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct guest_conf **list;
	size_t i, n;
	int ret = LAB_DONE;

	(void)opt;
	if (*args && !strcmp(*args, "serve")) {
		if (!lab->fencing || !lab->up)
			die(LAB_FAILED, "%s: has no power switch, or is not up",
			    lab->file);
		serve(lab);
	}
	if (!*args || (strcmp(*args, "on") && strcmp(*args, "off") &&
		       strcmp(*args, "status")))
		die(LAB_USAGE, "power %s: must be on, off or status", *args ?: "");
	if (!strcmp(*args, "on"))
		lab_lock(lab, "power");
	pick_guests(lab, args + 1, &list, &n);
	if (!strcmp(*args, "off")) {
		up_end_guests(lab, list, n);
	} else if (!strcmp(*args, "status")) {
		for (i = 0; i < n; i++)
			printf("%s %s\n", list[i]->name,
			       is_on(lab, list[i]) ? "on" : "off");
	} else {
		lab_need_up(lab);
		for (i = 0; i < n; i++)
			if (!is_on(lab, list[i]) && !up_one(lab, list[i]))
				ret = LAB_FAILED;
	}
	return ret;
}
