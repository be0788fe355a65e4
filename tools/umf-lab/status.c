// SPDX-License-Identifier: GPL-2.0
/* status, wait, logs: what there is to know of the guests. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define TICK_NS		50000000L

static double seconds_up(const struct process *p)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec + now.tv_nsec / 1e9 -
	       (double)p->start / sysconf(_SC_CLK_TCK);
}

int status_verb(struct lab *lab, const struct options *opt, char **args)
{
	json_t *array = json_array();
	size_t i;

	if (*args)
		die(LAB_USAGE, "%s: status takes no more words", *args);
	for (i = 0; i < lab->nr_guests; i++) {
		const char *name = lab->guest[i].name;
		enum guest_state state = guest_state(lab, name);
		char *path = guest_file(lab, name, "cpu"), *cpu = read_line_of(path);
		char *log = guest_log(lab, name);
		struct process p = { 0 };
		json_t *guest;
		bool runs;

		runs = process_read(lab, name, &p) && process_alive(&p);
		guest = json_pack("{ss ss ss ss}", "guest", name, "state",
				  guest_state_name(state), "kernel",
				  lab->guest[i].kernel_said, "log", log);
		if (runs) {
			json_object_set_new(guest, "pid", json_integer(p.pid));
			json_object_set_new(guest, "seconds",
					    json_real(seconds_up(&p)));
			json_object_set_new(guest, "cpu",
					    json_integer(cpu ? atoi(cpu) : -1));
		}
		if (opt->json)
			json_array_append(array, guest);
		else if (runs)
			printf("%-*s %-8s process %d, CPU %s, %.1f s\n", 12, name,
			       guest_state_name(state), p.pid, cpu ?: "?",
			       seconds_up(&p));
		else
			printf("%-*s %s\n", 12, name, guest_state_name(state));
		json_decref(guest);
		free(log);
		free(cpu);
		free(path);
	}
	if (opt->json) {
		json_dumpf(array, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		putchar('\n');
	}
	json_decref(array);
	return LAB_DONE;
}

/* wait [ended] [<guest>…] */
int wait_verb(struct lab *lab, const struct options *opt, char **args)
{
	int64_t end = opt->timed ? now_ns() + (int64_t)opt->timeout : INT64_MAX;
	const struct timespec tick = { .tv_nsec = TICK_NS };
	bool ended = *args && !strcmp(*args, "ended");
	struct guest_conf **list;
	enum guest_state state;
	struct agent *agent;
	sigset_t open;
	size_t i, n;

	pick_guests(lab, args + ended, &list, &n);
	stop_catch(&open);
	for (i = 0; i < n;) {
		state = guest_state(lab, list[i]->name);
		if (!ended && (state == GUEST_DOWN || state == GUEST_ENDED))
			die(LAB_GONE, "%s: does not run", list[i]->name);
		agent = !ended && state == GUEST_BOOTING ?
			agent_first(lab, list[i]->name) : NULL;
		if (agent && agent_is_ready(agent)) {
			guest_set_ready(lab, list[i]->name);
			state = GUEST_READY;
		}
		agent_close(agent);
		if (ended ? state == GUEST_ENDED || state == GUEST_DOWN :
			    state == GUEST_READY) {
			i++;
			continue;
		}
		if (now_ns() > end)
			die(LAB_TIMEOUT, "%s: is %s", list[i]->name,
			    guest_state_name(state));
		ppoll(NULL, 0, &tick, &open);
		if (stop_asked())
			stop_die(stop_forget());
	}
	return LAB_DONE;
}

struct tail {
	const char *name;
	FILE *in;
	char *line;
	size_t size;
};

/* What has come, line by line; each with the guest's name if there are several. */
static void show(struct tail *tail, bool several)
{
	clearerr(tail->in);
	while (getline(&tail->line, &tail->size, tail->in) >= 0) {
		tail->line[strcspn(tail->line, "\r\n")] = '\0';
		if (several)
			printf("%s: %s\n", tail->name, tail->line);
		else
			puts(tail->line);
	}
	fflush(stdout);
}

int logs_verb(struct lab *lab, const struct options *opt, char **args)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	struct guest_conf **list;
	struct tail *tails;
	sigset_t open;
	char *path;
	size_t i, n;

	pick_guests(lab, args, &list, &n);
	tails = xrealloc(NULL, n * sizeof(*tails));
	memset(tails, 0, n * sizeof(*tails));
	for (i = 0; i < n; i++) {
		path = guest_log(lab, list[i]->name);
		tails[i].name = list[i]->name;
		tails[i].in = fopen(path, "re");
		if (!tails[i].in)
			die(LAB_FAILED, "%s: %m", path);
		free(path);
	}
	if (opt->follow)
		stop_catch(&open);
	do {
		for (i = 0; i < n; i++)
			show(&tails[i], n > 1);
		if (opt->follow)
			ppoll(NULL, 0, &tick, &open);
	} while (opt->follow && !stop_asked());
	if (opt->follow)
		stop_die(stop_forget());
	return LAB_DONE;
}
