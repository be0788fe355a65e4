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
 * end, whatever happened. All of the file is read, and every match= compiled,
 * before anything is done; what fails ends the run, but for those lines.
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
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "fault/params.h"
#include "tool.h"

#define TICK_NS		20000000L	/* of waiting; the timeline is shown so often */
#define LOOK_NS		50000000LL	/* between two looks of wait */
#define LATE_NS		100000000LL	/* worth a line */
#define TIMEOUT		"--timeout"

enum when { WHEN_NEXT, WHEN_AFTER, WHEN_AT, WHEN_END };

struct step {
	char *where;		/* "<file>:<line>" */
	char *text;		/* as written, without the time */
	enum when when;
	int64_t time;		/* ns, WHEN_AFTER and WHEN_AT */
	char *guests;		/* NULL: nothing, or the host's command */
	char *command;		/* the host's */
	struct words words;	/* verb and arguments */
	char *request;		/* of a verb that is the guest's */
	struct tool tool;	/* its guests, its timeout and how it ended */
};

struct run {
	struct step *step;
	size_t n;
	sigset_t open;
};

/* ---- reading ---- */

/* The next word's end; *@text goes to where the one after it begins. */
static char *cut_word(char **text)
{
	char *word = *text + strspn(*text, " \t");
	size_t len = strcspn(word, " \t");

	*text = word + len;
	if (**text)
		*(*text)++ = '\0';
	*text += strspn(*text, " \t");
	return word;
}

static void read_time(struct step *step, char **text)
{
	char *copy = xstrdup(*text), *pos = copy, *word = cut_word(&pos);
	uint64_t ns = 0;

	if (!strcmp(word, "end"))
		step->when = WHEN_END;
	else if (*word == '+' && units_time(word + 1, false, &ns))
		step->when = WHEN_AFTER;
	else if (units_time(word, false, &ns))
		step->when = WHEN_AT;
	else if (*word == '+')
		tool_usage("%s: must be a time with its unit, as +3s or +250ms",
			   word);
	if (ns > INT64_MAX / 4)
		tool_usage("%s: is too long", word);
	step->time = ns;
	if (step->when != WHEN_NEXT)
		*text += pos - copy;
	free(copy);
}

/* "--timeout T" anywhere among the words of wait */
static void read_timeout(struct step *step)
{
	struct words *words = &step->words;
	size_t i;

	for (i = 1; i < words->n; i++) {
		if (strcmp(words->word[i], TIMEOUT))
			continue;
		if (i + 1 == words->n ||
		    !units_time(words->word[i + 1], true, &step->tool.timeout))
			tool_usage(TIMEOUT " %s: must be a time, as 5s, 250ms or 2m",
				   i + 1 < words->n ? words->word[i + 1] : "");
		step->tool.timed = true;
		free(words->word[i]);
		free(words->word[i + 1]);
		memmove(&words->word[i], &words->word[i + 2],
			(words->n - i - 2) * sizeof(*words->word));
		words->n -= 2;
		return;
	}
}

static bool is_wait(const struct step *step)
{
	return !strcmp(step->words.word[0], "wait");
}

static bool is_expect(const struct step *step)
{
	return !strcmp(step->words.word[0], "expect");
}

/* The guests are not needed to tell what is wrong with the conditions. */
static struct wait *make_wait(struct step *step)
{
	return wait_new(&step->tool, is_expect(step), step->words.n - 1,
			step->words.word + 1);
}

static void read_verb(struct step *step, const char *text)
{
	struct words *words = &step->words;
	char *path;

	if (!words_split(words, text))
		tool_usage("a quote is not closed");
	if (!words->n || words->word[0] == word_separator)
		tool_usage("%s: a verb is missing behind it", step->guests);
	read_timeout(step);
	if (is_wait(step) || is_expect(step)) {
		wait_free(make_wait(step));
		return;
	}
	if (umf_verb_find(words->word[0], strlen(words->word[0])) < 0)
		tool_usage("%s: no such verb; --help lists them", words->word[0]);
	if (words->n == 3 && strcmp(words->word[2], "off") &&
	    !strcmp(words->word[0], umf_verbs[UMF_V_CAPTURE].name)) {
		path = tool_path(words->word[2]);
		free(words->word[2]);
		words->word[2] = path;
	}
	step->request = request_make(words);
}

static void watch_all(const char *guests)
{
	char *copy = xstrdup(guests), *pos = copy, *name;

	while ((name = strsep(&pos, ",")))
		if (*name)
			watch_guest(name);
	free(copy);
}

static void read_line(struct run *run, const struct tool *tool, char *text,
		      char *where)
{
	struct step step = { .where = where, .tool = *tool };

	memset(&step.tool.guests, 0, sizeof(step.tool.guests));
	step.tool.json = false;
	text += strspn(text, " \t");
	read_time(&step, &text);
	step.text = xstrdup(text);
	if (*text == '!') {
		step.command = xstrdup(text + 1 + strspn(text + 1, " \t"));
		if (!*step.command)
			tool_usage("!: a command is missing");
	} else if (*text) {
		step.guests = xstrdup(cut_word(&text));
		read_verb(&step, text);
		watch_all(step.guests);
	} else if (step.when == WHEN_END) {
		tool_usage("end: a guest or ! is missing");
	}
	run->step = xrealloc(run->step, (run->n + 1) * sizeof(step));
	run->step[run->n++] = step;
}

static void read_file(struct run *run, const struct tool *tool, const char *path)
{
	const char *name = strcmp(path, "-") ? path : "standard input";
	FILE *in = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *line = NULL, *where;
	unsigned int nr = 0;
	size_t size = 0;
	ssize_t len;

	if (!in)
		tool_usage("run: %s: %m", path);
	while ((len = getline(&line, &size, in)) >= 0) {
		nr++;
		if (strlen(line) < (size_t)len)
			tool_usage("run: %s:%u: is no text", name, nr);
		line[strcspn(line, "\r\n")] = '\0';
		if (strchr("#", line[strspn(line, " \t")]))
			continue;	/* a comment, or nothing */
		where = xasprintf("%s:%u", name, nr);
		tool_where(where);
		read_line(run, tool, line, where);
	}
	tool_where(NULL);
	if (ferror(in))
		tool_usage("run: %s: %m", name);
	free(line);
	if (in != stdin)
		fclose(in);
	if (!run->n)
		tool_usage("run: %s: nothing is in it", name);
}

/* ---- doing ---- */

/* Until then, or a signal; what comes meanwhile is shown. */
static void pause_until(const struct run *run, int64_t time)
{
	struct timespec ts = { 0 };
	int64_t left;

	while ((left = time - timeline_now()) > 0 && !stop_asked()) {
		timeline_flush(false);
		ts.tv_nsec = left < TICK_NS ? left : TICK_NS;
		ppoll(NULL, 0, &ts, &run->open);
	}
}

static void send_request(const struct run *run, struct step *step)
{
	struct mconsole_call *calls = ask_new(&step->tool);
	size_t i;

	for (i = 0; i < step->tool.guests.n; i++)
		calls[i].request = step->request;
	if (ask(&step->tool, calls, ask_timeout(&step->tool), &run->open) != -EINTR)
		for (i = 0; i < step->tool.guests.n; i++)
			if (calls[i].request)
				print_reply(&step->tool,
					    &step->tool.guests.guest[i],
					    calls[i].reply);
	ask_free(&step->tool, calls);
}

static void wait_for(const struct run *run, struct step *step)
{
	struct wait *wait = make_wait(step);
	int64_t end = INT64_MAX;
	bool last;

	if (step->tool.timed && step->tool.timeout < INT64_MAX / 4)
		end = timeline_now() + step->tool.timeout;
	while (!stop_asked()) {
		int64_t now = timeline_now();

		last = is_expect(step) || now >= end;
		if (!wait_look(wait, TOOL_ANSWER_MS, last, &run->open))
			break;
		pause_until(run, now + LOOK_NS < end ? now + LOOK_NS : end);
	}
	wait_free(wait);
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
	static const int defaults[] = { SIGINT, SIGTERM, SIGHUP };
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

	if (!pipe2(fds, O_CLOEXEC | O_NONBLOCK)) {
		fcntl(fds[1], F_SETFL, 0);
		pid = start_command(run, step->command, fds[1]);
		close(fds[1]);
	}
	if (pid < 0) {
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
		tool_find_guests(&step->tool, step->guests);
		if (!step->tool.guests.n)
			;	/* said, and counted */
		else if (step->request)
			send_request(run, step);
		else
			wait_for(run, step);
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

	for (i = 0; i < run->n && !stop_asked(); i++) {
		step = &run->step[i];
		if ((step->when == WHEN_END) != end)
			continue;
		when_due(run, step);
		if (stop_asked())
			break;
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

static void free_run(struct run *run)
{
	struct step *step;

	for (step = run->step; step < run->step + run->n; step++) {
		guest_list_free(&step->tool.guests);
		words_free(&step->words);
		free(step->where);
		free(step->text);
		free(step->guests);
		free(step->command);
		free(step->request);
	}
	free(run->step);
}

void run_verb(struct tool *tool, const char *path)
{
	const struct step *failed, *failed_end;
	FILE *copy = NULL;
	struct run run = { 0 };
	int stopped;

	read_file(&run, tool, path);
	if (tool->write) {
		if (!strcmp(tool->write, "-"))
			tool_usage("-w -: is for capture; run has --json");
		copy = fopen(tool->write, "we");
		if (!copy)
			tool_usage("-w %s: %m", tool->write);
	}
	stop_catch(&run.open);
	timeline_begin(tool->json, copy, watch_width());
	watch_begin();
	failed = do_steps(&run, tool, false);
	stopped = stop_forget();
	failed_end = do_steps(&run, tool, true);
	watch_end();
	timeline_end();

	if (failed)
		fprintf(stderr, "%s: failed; what stands behind it was not done\n",
			failed->where);
	if (failed_end)
		fprintf(stderr, "%s: failed\n", failed_end->where);
	if (copy && (ferror(copy) | fclose(copy))) {
		fprintf(stderr, "%s: cannot be written\n", tool->write);
		tool_worse(tool, TOOL_UNREACHED);
	}
	free_run(&run);
	stopped = stop_forget() ?: stopped;
	if (stopped)
		stop_die(stopped);
}
