// SPDX-License-Identifier: GPL-2.0
/* Ctrl-C and the like, for what is meant to be ended by it. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include "stop.h"

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	stopped = sig;
}

bool stop_asked(void)
{
	return stopped;
}

int stop_forget(void)
{
	int sig = stopped;

	stopped = 0;
	return sig;
}

void stop_die(int sig)
{
	sigset_t mask;

	fflush(stdout);
	signal(sig, SIG_DFL);
	sigemptyset(&mask);
	sigaddset(&mask, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

void stop_catch(sigset_t *open)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act = { .sa_handler = on_signal }, old;
	sigset_t mask;
	size_t i;

	sigemptyset(&mask);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		sigaddset(&mask, signals[i]);
		sigaction(signals[i], &act, &old);
		if (signals[i] == SIGHUP && old.sa_handler == SIG_IGN)
			sigaction(SIGHUP, &old, NULL);	/* nohup */
	}
	sigprocmask(SIG_BLOCK, &mask, open);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigdelset(open, signals[i]);
}
