// SPDX-License-Identifier: GPL-2.0
/*
 * A program of many mappings forks until an alarm kills it, most often in the
 * middle of a fork: each time a little later, <times> times.
 *
 *   forkkill <times>
 *
 * Exit: 0 done, 1 something failed, 2 usage.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAPPINGS	500

static void many_mappings(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, MAPPINGS * 2 * page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i;

	if (p == MAP_FAILED)
		err(1, "mmap");
	/* every other page may not be used, so neighbours cannot be merged */
	for (i = 0; i < MAPPINGS; i++, p += 2 * page) {
		*p = 1;
		if (mprotect(p + page, page, PROT_NONE))
			err(1, "mprotect");
	}
}

static void fork_until(int us)
{
	struct itimerval alarm = { .it_value.tv_usec = us };

	setitimer(ITIMER_REAL, &alarm, NULL);
	for (;;) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

int main(int argc, char **argv)
{
	int times = argc == 2 ? atoi(argv[1]) : 0;
	int i, status;

	if (times <= 0) {
		fprintf(stderr, "usage: forkkill <times>\n");
		return 2;
	}
	many_mappings();
	for (i = 0; i < times; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (!pid)
			fork_until(1000 + i % 100 * 100);
		if (waitpid(pid, &status, 0) < 0)
			err(1, "waitpid");
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM)
			errx(1, "wait status %#x, and not the alarm's", status);
	}
	return 0;
}
