// SPDX-License-Identifier: GPL-2.0
/*
 * setup =: a script of the host that each guest runs once it takes commands,
 * when `up` has started it. All guests at the same time; what a script says is in
 * <guest>.setup.log in the run folder.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define BEGIN_NS	30000000000LL

char *setup_log(const struct lab *lab, const char *guest)
{
	return xasprintf("%s/%s.setup.log", lab->run, guest);
}

static char *read_script(const char *path)
{
	char *text = NULL, buf[4096];
	FILE *in = fopen(path, "re"), *out;
	size_t n, len;

	if (!in)
		die(LAB_FAILED, "%s: %m", path);
	out = open_memstream(&text, &len);
	while ((n = fread(buf, 1, sizeof(buf), in)))
		fwrite(buf, 1, n, out);
	if (ferror(in) || fclose(out))
		die(LAB_FAILED, "%s: %m", path);
	fclose(in);
	return text;
}

/* In a process of its own, whose output is the log. */
__attribute__((noreturn))
static void run_script(const struct lab *lab, const struct guest_conf *guest,
		       int64_t end, const sigset_t *open)
{
	char *log = setup_log(lab, guest->name);
	struct agent *agent = agent_open(lab, guest->name);
	int fd = creat(log, 0666), ret;
	bool begun;

	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || !agent)
		_exit(LAB_FAILED);
	ret = agent_run(agent, read_script(guest->setup), lab_now(lab) + BEGIN_NS,
			end, open, &begun);
	if (ret == LAB_TIMEOUT)
		say("%s: not done in time", guest->setup);
	else if (ret == LAB_GONE)
		say("%s: the guest has ended meanwhile", guest->name);
	_exit(ret < 0 ? LAB_FAILED : ret);
}

/* All but that one are the others'; @mine n: those of the scripts, and time passes as they like. */
static void take_hold(const int *holds, size_t n, size_t mine)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (i != mine)
			virtual_drop(holds[i]);
	if (mine < n)
		virtual_become(holds[mine]);
	else
		virtual_let_go();
}

static void end_scripts(pid_t *pids, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (pids[i] <= 0)
			continue;
		kill(pids[i], SIGTERM);
		waitpid(pids[i], NULL, 0);
	}
}

int setup_guests(const struct lab *lab, struct guest_conf **list, size_t n,
		 int64_t end, bool quiet, const sigset_t *open)
{
	int64_t since = lab_now(lab);
	int status, ret = 0;
	pid_t pids[n];
	int holds[n];
	size_t i;
	char *log;

	memset(pids, 0, sizeof(pids));
	fflush(stdout);
	for (i = 0; i < n; i++)
		holds[i] = list[i]->setup ? virtual_more(lab) : -1;
	for (i = 0; i < n; i++) {
		pids[i] = list[i]->setup ? fork() : 0;
		if (list[i]->setup && !pids[i]) {
			take_hold(holds, n, i);
			run_script(lab, list[i], end, open);
		}
	}
	take_hold(holds, n, n);
	for (i = 0; i < n && !ret; i++) {
		while (pids[i] > 0 && !waitpid(pids[i], &status, WNOHANG)) {
			up_pause(open);
			if (stop_asked()) {
				end_scripts(pids, n);
				return -EINTR;
			}
		}
		if (!list[i]->setup)
			continue;
		if (pids[i] > 0 && WIFEXITED(status) && !WEXITSTATUS(status)) {
			if (!quiet)
				printf("%s: set up after %.2f s\n", list[i]->name,
				       (lab_now(lab) - since) / 1e9);
			fflush(stdout);
		} else {
			log = setup_log(lab, list[i]->name);
			say("%s: guest %s: %s has failed; its output is %s",
			    lab->file, list[i]->name, list[i]->setup, log);
			log_show(log, list[i]->name);
			free(log);
			ret = LAB_FAILED;
		}
		pids[i] = 0;
	}
	end_scripts(pids, n);
	return ret;
}
