// SPDX-License-Identifier: GPL-2.0
/*
 * Processes of a run: verbs of this tool, checks, loads. Each has a process group of its
 * own, so that Ctrl-C is for the run, which ends them; and ends by itself if the run is
 * killed. Their output goes to files.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/beside.h"
#include "../lib/xalloc.h"
#include "test.h"

#define VERB_WORDS	32

static void set_number(const char *name, uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	setenv(name, text, 1);
}

/* `umf-lab` alone is this tool, and this run's lab. */
static void set_environment(const struct proc_lab *lab)
{
	char *tool = beside("bin/" NAME), *path = getenv("PATH");

	*strrchr(tool, '/') = '\0';
	setenv("PATH", xasprintf("%s:%s", tool, path ?: "/usr/bin:/bin"), 1);
	if (!lab->lab)
		return;
	setenv("UMF_LAB", lab->lab, 1);
	setenv("UMF_LAB_RUN", lab->run, 1);
	if (lab->kernel)
		setenv("UMF_LAB_KERNEL", lab->kernel, 1);
	else
		unsetenv("UMF_LAB_KERNEL");	/* the .test file was read without */
	setenv("UMF_TEST_RESULTS", lab->results, 1);
	set_number("UMF_TEST_SEED", lab->seed);
}

static int open_out(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

__attribute__((noreturn))
static void become(const struct proc_lab *lab, char *const *argv, int out, int err, pid_t parent)
{
	static const int defaults[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	int null = open("/dev/null", O_RDONLY);
	size_t i;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	for (i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		signal(defaults[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, lab->open, NULL);
	set_environment(lab);
	if (!chdir(lab->folder) && dup2(null, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2)
		execvp(argv[0], argv);
	dprintf(err, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

bool proc_start(struct proc *proc, const struct proc_lab *lab, char *const *argv,
		const char *out, const char *err)
{
	int fd = open_out(out), fd_err = err ? open_out(err) : fd;
	pid_t parent = getpid();

	memset(proc, 0, sizeof(*proc));
	if (fd < 0 || fd_err < 0) {
		say("%s: %m", fd < 0 ? out : err);
	} else {
		fflush(NULL);
		proc->begun = now_ns();
		proc->pid = fork();
		if (!proc->pid)
			become(lab, argv, fd, fd_err, parent);
		if (proc->pid < 0) {
			say("%s: %m", argv[0]);
			proc->pid = 0;
		}
	}
	if (fd >= 0)
		close(fd);
	if (fd_err >= 0 && fd_err != fd)
		close(fd_err);
	return proc->pid;
}

bool proc_verb(struct proc *proc, const struct proc_lab *lab, const char *out, ...)
{
	char *argv[VERB_WORDS] = { xstrdup("/proc/self/exe") };
	size_t n = 1;
	bool ok;
	va_list ap;

	va_start(ap, out);
	while (n < VERB_WORDS - 1 && (argv[n] = va_arg(ap, char *)))
		n++;
	va_end(ap);
	ok = proc_start(proc, lab, argv, out, NULL);
	free(argv[0]);
	return ok;
}

static void set_status(struct proc *proc, int status)
{
	proc->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	proc->pid = 0;
	proc->ended = now_ns();
}

bool proc_runs(struct proc *proc)
{
	int status;
	pid_t ended;

	if (!proc->pid)
		return false;
	ended = waitpid(proc->pid, &status, WNOHANG);
	if (ended == proc->pid)
		set_status(proc, status);
	else if (ended < 0 && errno == ECHILD)
		set_status(proc, 127 << 8);
	return proc->pid;
}

void proc_end(struct proc *proc, int64_t patience)
{
	int64_t end = now_ns() + patience;
	pid_t group = proc->pid;

	if (!proc_runs(proc))
		return;
	kill(-group, SIGTERM);
	while (proc_runs(proc) && now_ns() < end)
		up_pause(NULL);
	if (proc->pid) {
		kill(-group, SIGKILL);
		while (proc_runs(proc))
			up_pause(NULL);
	}
}
