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
 *
 * The switch may have faults (power_rule.c). What a rule puts off is done even if
 * who asked for it is off by then.
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
#define AGAIN_NS	1000000000LL	/* virtual time, until it is tried again */
#define WAIT_MS		20	/* until the next look at what is put off */
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
		/* whoever is at work may wait for some time to pass */
		if (lab->virtual && !is_on(lab, guest))
			virtual_wait(lab, lab_now(lab) + AGAIN_NS, NULL, NULL, 0, true, NULL);
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

/* ---- questions, and what comes of them ---- */

struct question {
	struct asker *from;
	char *said, *tag, *verb, *name;	/* the line, and its parts */
	int64_t since, due;		/* when it came, and is to be done; lab_now() */
	struct power_verdict verdict;
};

/* When it was done, how long that took, and the rules that had to do with it. */
static void log_line(const struct lab *lab, const struct question *q, const char *reply)
{
	char when[UTC_LEN];

	printf("%s %s: %s: %s (%.3f s)%s%s%s\n", utc_text(utc_now(), when),
	       q->from->guest->name, q->said, reply, (lab_now(lab) - q->since) / 1e9,
	       q->verdict.by ? " [" : "", q->verdict.by ?: "", q->verdict.by ? "]" : "");
	fflush(stdout);
}

static char *faulty_answer(struct lab *lab, struct asker *askers, size_t n,
			   const struct question *q)
{
	struct asker *target = find(askers, n, q->name);
	bool on = target && is_on(lab, target->guest);

	if (!target)
		return answer(lab, askers, n, q->verb, q->name);
	if (q->verdict.what == POWER_STUCK)
		return xasprintf("ok %s=%s", q->name, on ? "on" : "off");
	/* a lie: that it is done; or, if only the state was asked for, the other one */
	if (strcmp(q->verb, "status"))
		on = !strcmp(q->verb, "on");
	else
		on = !on;
	return xasprintf("ok %s=%s", q->name, on ? "on" : "off");
}

/* Virtual time: it has been answered. */
static void poke(const struct lab *lab, const struct guest_conf *guest)
{
	if (lab->virtual && is_on(lab, guest))
		virtual_wait(lab, lab_now(lab), guest->name, NULL, 0, true, NULL);
}

static void do_question(struct lab *lab, struct asker *askers, size_t n, struct question *q)
{
	char *text, *reply;

	if (q->verdict.what == POWER_DROP) {
		log_line(lab, q, "nothing is done, or answered");
		return;
	}
	if (q->verdict.what == POWER_STUCK || q->verdict.what == POWER_LIE)
		text = faulty_answer(lab, askers, n, q);
	else
		text = answer(lab, askers, n, q->verb, q->name);
	log_line(lab, q, text);
	if (q->verdict.what != POWER_LATE) {
		reply = xasprintf("answer %s %s\n", q->tag, text);
		/* who does not read his answers gets no more of them */
		if (write(q->from->answer, reply, strlen(reply)) < 0)
			log_line(lab, q, strerror(errno));
		poke(lab, q->from->guest);
		free(reply);
	}
	free(text);
}

static void free_question(struct question *q)
{
	free(q->said);
	free(q->tag);
	free(q->verb);
	free(q->name);
	free(q->verdict.by);
}

/* Those that a rule has put off. */
static struct question *waiting;
static size_t nr_waiting;

/* Late is also when the asker is gone. */
static bool is_due(const struct lab *lab, const struct question *q)
{
	return lab_now(lab) >= q->due ||
	       (q->verdict.what == POWER_LATE && !is_on(lab, q->from->guest));
}

static void do_waiting(struct lab *lab, struct asker *askers, size_t n)
{
	struct question q;
	size_t i = 0;

	while (i < nr_waiting) {
		if (!is_due(lab, &waiting[i])) {
			i++;
			continue;
		}
		q = waiting[i];
		memmove(&waiting[i], &waiting[i + 1], (--nr_waiting - i) * sizeof(q));
		do_question(lab, askers, n, &q);
		free_question(&q);
	}
}

static char *copy_word(char **pos)
{
	char *word = strsep(pos, " ");

	return word ? xstrdup(word) : NULL;
}

/* @line is taken apart. */
static void do_line(struct lab *lab, struct asker *askers, size_t n,
		    struct asker *from, char *line)
{
	static struct power_rules *rules;
	enum power_state state;
	struct asker *target;
	struct question q = { .from = from, .said = xstrdup(line),
			      .since = lab_now(lab) };
	char *pos = line;

	if (!strcmp(strsep(&pos, " ") ?: "", "ask")) {
		q.tag = copy_word(&pos);
		q.verb = copy_word(&pos);
		q.name = copy_word(&pos);
	}
	if (!q.verb || !is_on(lab, from->guest)) {
		free_question(&q);
		return;
	}
	rules = rules ?: power_rules_new(lab);
	target = find(askers, n, q.name);
	state = !target ? POWER_NOBODY : is_on(lab, target->guest) ? POWER_IS_ON : POWER_IS_OFF;
	power_rules_decide(rules, q.verb, q.name, state, &q.verdict);
	q.due = q.since + q.verdict.delay;
	if (q.verdict.delay) {
		log_line(lab, &q, "is put off");
		waiting = xrealloc(waiting, (nr_waiting + 1) * sizeof(q));
		waiting[nr_waiting++] = q;
		return;
	}
	do_question(lab, askers, n, &q);
	free_question(&q);
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

/* The earliest of what is put off; 0: nothing is. */
static int64_t next_due(void)
{
	int64_t due = 0;
	size_t i;

	for (i = 0; i < nr_waiting; i++)
		if (!due || waiting[i].due < due)
			due = waiting[i].due;
	return due;
}

/* Until somebody may have asked something, or something put off may be due. */
static void wait_for_any(const struct lab *lab, struct pollfd *fds, size_t n)
{
	int some[n], ret;
	size_t i;

	if (!lab->virtual) {
		if (poll(fds, n, nr_waiting ? WAIT_MS : -1) < 0 && errno != EINTR)
			die(LAB_FAILED, "poll: %m");
		return;
	}
	for (i = 0; i < n; i++)
		some[i] = fds[i].fd;
	ret = virtual_wait(lab, next_due(), NULL, some, n, true, NULL);
	if (ret == LAB_FAILED || (!ret && !virtual_stand(lab)))
		exit(LAB_FAILED);
	poll(fds, n, 0);
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
		wait_for_any(lab, fds, n);
		do_waiting(lab, askers, n);
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
