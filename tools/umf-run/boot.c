// SPDX-License-Identifier: GPL-2.0
/*
 * The guest: its kernel's arguments, its process, and what is left of it. With a
 * terminal, Ctrl-C is the guest's; else a signal ends the guest, and us by it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "run.h"

#define END_MS	2000		/* from SIGTERM to SIGKILL */

/* Does this kernel know the argument? */
static bool knows(const struct run *run, const char *argument)
{
	size_t len = strlen(argument);
	char *line = NULL;
	bool found = false;
	size_t size = 0;
	int out[2];
	pid_t pid;
	FILE *f;

	if (pipe2(out, O_CLOEXEC))
		fatal("pipe: %m");
	pid = fork();
	if (!pid) {
		dup2(out[1], STDOUT_FILENO);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		execl(run->kernel, run->kernel, "--help", NULL);
		_exit(RUN_FAILED);
	}
	close(out[1]);
	f = fdopen(out[0], "r");
	while (f && getline(&line, &size, f) > 0)
		found |= !strncmp(line, argument, len);
	if (f)
		fclose(f);
	free(line);
	waitpid(pid, NULL, 0);
	return found;
}

static void add_nics(struct strings *args, const struct run *run)
{
	size_t i, len;

	for (i = 0; i < run->net.n; i++) {
		const char *net = run->net.s[i];

		len = strcspn(net, ",");
		strings_add(args, xasprintf("eth%zu=switch,%.*s", i, (int)len, net));
		if (net[len])
			strings_add(args, xasprintf("ip=eth%zu:%s", i, net + len + 1));
	}
}

static char **arguments(const struct run *run)
{
	bool out = isatty(STDOUT_FILENO), in = isatty(STDIN_FILENO);
	struct strings args = { 0 };
	size_t i;

	strings_add(&args, xstrdup(run->kernel));
	strings_add(&args, xasprintf("umid=%s", run->name));
	strings_add(&args, xasprintf("hostname=%s", run->name));
	strings_add(&args, xasprintf("mem=%s", run->memory));
	strings_add(&args, xasprintf("initrd=%s", run->initramfs));
	strings_add(&args, xasprintf("share=%s:/umf", run->folder));
	strings_add(&args, xstrdup("con=null"));
	strings_add(&args, xasprintf("con0=%s,fd:1", in ? "fd:0" : "null"));
	if (!out || !isatty(STDERR_FILENO))
		strings_add(&args, xstrdup("con1=null,fd:2"));
	if (!run->verbose) {
		strings_add(&args, xstrdup("quiet"));
		strings_add(&args, xstrdup("loglevel=1"));
	}
	if (knows(run, "seccomp="))
		strings_add(&args, xstrdup("seccomp=on"));
	add_nics(&args, run);
	for (i = 0; i < run->fault.n; i++)
		strings_add(&args, xasprintf("umf=%s", run->fault.s[i]));
	for (i = 0; i < run->append.n; i++)
		strings_add(&args, xstrdup(run->append.s[i]));
	strings_add(&args, xstrdup("--"));
	strings_add(&args, xstrdup("sh"));
	strings_add(&args, xstrdup("/umf/go"));
	strings_add(&args, NULL);
	return args.s;
}

static void pin(long cpu)
{
	cpu_set_t set;
	long i;

	if (sched_getaffinity(0, sizeof(set), &set))
		return;
	for (i = 0; cpu < 0 && i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			cpu = i;
	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static pid_t start(const struct run *run, char **args)
{
	pid_t parent = getpid(), pid = fork();
	sigset_t none;

	if (pid < 0)
		fatal("fork: %m");
	if (pid)
		return pid;
	/* Whatever becomes of us, no guest is left. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(RUN_FAILED);
	/* Signals of the terminal are ours to hand on. */
	if (!isatty(STDIN_FILENO))
		setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	pin(run->cpu);
	execv(args[0], args);
	fatal("%s: %m", args[0]);
}

/* Until it has ended: its status as of waitpid(), -1 when its time was over. */
static int await(const struct run *run, pid_t pid, const sigset_t *open)
{
	struct timespec now, step = { .tv_nsec = 200000000 };
	int status, killed = 0, sig = SIGTERM;
	long long ms, end = -1;
	bool late = false;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (run->timeout)
		end = (now.tv_sec + run->timeout) * 1000LL + now.tv_nsec / 1000000;
	while (waitpid(pid, &status, WNOHANG) != pid) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
		if (!killed && end >= 0 && ms >= end)
			late = true;
		if (killed ? ms >= end : late || stop_asked()) {
			kill(pid, killed ? SIGKILL : sig);
			killed = 1;
			end = ms + END_MS;
		}
		/* SIGCHLD and what stops us end the pause */
		ppoll(NULL, 0, &step, open);
	}
	return late ? -1 : status;
}

/* What the guest has left in the shared folder; -1: nothing. */
static int told_status(const struct run *run)
{
	char *path = xasprintf("%s/status", run->folder);
	FILE *f = fopen(path, "r");
	int status = -1;

	free(path);
	if (f) {
		if (fscanf(f, "%d", &status) != 1)
			status = -1;
		fclose(f);
	}
	path = xasprintf("%s/why", run->folder);
	f = fopen(path, "r");
	free(path);
	if (f) {
		char line[256] = "";

		if (fgets(line, sizeof(line), f))
			fprintf(stderr, NAME ": %s", line);
		fclose(f);
	}
	return status;
}

/*
 * What a guest that was killed has left of its umid. Its own only: who else had
 * the name first has another process.
 */
static void remove_umid(const char *name, pid_t pid)
{
	const char *home = getenv("HOME");
	char *dir = xasprintf("%s/%s", home && *home ? home : "/tmp",
			      home && *home ? ".uml" : "uml");
	char *path = xasprintf("%s/%s/pid", dir, name);
	FILE *f = fopen(path, "r");
	int found = 0;

	if (f) {
		if (fscanf(f, "%d", &found) == 1 && found == pid) {
			unlink(path);
			free(path);
			path = xasprintf("%s/%s/mconsole", dir, name);
			unlink(path);
			free(path);
			path = xasprintf("%s/%s", dir, name);
			rmdir(path);
		}
		fclose(f);
	}
	free(path);
	free(dir);
}

static void child(int sig)
{
	(void)sig;
}

int boot(const struct run *run)
{
	bool terminal = isatty(STDIN_FILENO);
	struct sigaction act = { .sa_handler = child };
	struct termios saved;
	char **args = arguments(run);
	sigset_t open, block;
	int status, told;
	pid_t pid;

	if (terminal)
		tcgetattr(STDIN_FILENO, &saved);
	stop_catch(&open);
	sigaction(SIGCHLD, &act, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, NULL);
	sigdelset(&open, SIGCHLD);
	pid = start(run, args);
	status = await(run, pid, &open);
	remove_umid(run->name, pid);
	if (terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	if (status < 0) {
		fprintf(stderr, NAME ": not done after %ld s\n", run->timeout);
		return RUN_TIMEOUT;
	}
	told = told_status(run);
	if (told < 0 && !stop_asked()) {
		if (WIFSIGNALED(status))
			fprintf(stderr, NAME ": the guest was ended by signal %d\n",
				WTERMSIG(status));
		else
			fputs(NAME ": the guest ended before the command did; --verbose shows its log\n",
			      stderr);
	}
	return told < 0 ? RUN_FAILED : told;
}
