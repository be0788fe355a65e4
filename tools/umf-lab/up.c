// SPDX-License-Identifier: GPL-2.0
/*
 * up, down, restart: guests are started and waited for, or asked to power off
 * and, if they do not, killed. What fails, or is interrupted, ends all that it
 * has started.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define READY_NS	60000000000LL
#define POWEROFF_NS	15000000000LL
#define TICK_NS		20000000L
#define LOG_LINES	12

struct start {
	struct guest_conf *guest;
	struct agent *agent;
	int64_t since;
	int cpu;
	bool ready;
};

void up_pause(const sigset_t *open)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };

	ppoll(NULL, 0, &tick, open);
}

/* Guests are children of whoever started them, for as long as he lives; init has them then. */
static void pause_tick(const sigset_t *open)
{
	up_pause(open);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* ---- ending ---- */

void up_end_guests(const struct lab *lab, struct guest_conf **list, size_t n)
{
	int64_t end = now_ns() + 5000000000LL;
	struct process p;
	size_t i, left;

	for (i = 0; i < n; i++)
		if (process_read(lab, list[i]->name, &p))
			process_kill(&p);
	do {
		left = 0;
		for (i = 0; i < n; i++)
			left += process_read(lab, list[i]->name, &p) &&
				process_alive(&p);
		if (left)
			pause_tick(NULL);
	} while (left && now_ns() < end);
}

static bool is_alive(const struct lab *lab, const char *guest)
{
	struct process p;

	return process_read(lab, guest, &p) && process_alive(&p);
}

/* Asks those that can hear it, and waits until they have done it. */
static void power_off(const struct lab *lab, struct guest_conf **list, size_t n,
		      int64_t timeout, const sigset_t *open)
{
	int64_t end = now_ns() + timeout;
	struct agent *agent;
	bool asked[n], any;
	size_t i;

	for (i = 0; i < n; i++) {
		asked[i] = guest_state(lab, list[i]->name) == GUEST_READY;
		agent = asked[i] ? agent_first(lab, list[i]->name) : NULL;
		if (agent)
			agent_tell(agent, "poweroff");
		agent_close(agent);
	}
	do {
		any = false;
		for (i = 0; i < n; i++)
			any = any || (asked[i] && is_alive(lab, list[i]->name));
		if (any)
			pause_tick(open);
	} while (any && now_ns() < end && !stop_asked());
}

/* ---- starting ---- */

void log_show(const char *path, const char *guest)
{
	char *line = NULL, *last[LOG_LINES] = { 0 };
	FILE *in = fopen(path, "re");
	size_t size = 0, n = 0, i;

	while (in && getline(&line, &size, in) >= 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (!*line)
			continue;
		free(last[n % LOG_LINES]);
		last[n++ % LOG_LINES] = xstrdup(line);
	}
	if (in)
		fclose(in);
	for (i = n < LOG_LINES ? 0 : n - LOG_LINES; i < n; i++)
		fprintf(stderr, "  %s| %s\n", guest, last[i % LOG_LINES]);
	free(line);
}

/* One seed for the lab; guests draw apart from each other. */
static uint64_t guest_seed(uint64_t seed, const char *name)
{
	while (*name)
		seed = (seed ^ (unsigned char)*name++) * 1099511628211ULL;
	seed ^= seed >> 30;
	seed *= 0xbf58476d1ce4e5b9ULL;
	seed ^= seed >> 27;
	seed *= 0x94d049bb133111ebULL;
	return seed ^ seed >> 31;
}

/* The first line of what the kernel said of a rule it did not take, or NULL. */
static char *refused_rule(const struct lab *lab, const char *guest)
{
	char *path = guest_log(lab, guest), *line = NULL, *found = NULL, *at;
	FILE *in = fopen(path, "re");
	size_t size = 0;

	while (in && !found && getline(&line, &size, in) >= 0) {
		line[strcspn(line, "\r\n")] = '\0';
		at = strstr(line, "] umf: ");
		if (at && (strstr(at, "umf=") || strstr(at, "cannot")))
			found = xstrdup(at + 2);
	}
	if (in)
		fclose(in);
	free(line);
	free(path);
	return found;
}

/* What a kernel that panicked said last, or NULL. */
static char *panic_of(const struct lab *lab, const char *guest)
{
	char *path = guest_log(lab, guest), *line = NULL, *found = NULL, *at;
	FILE *in = fopen(path, "re");
	size_t size = 0;

	while (in && getline(&line, &size, in) >= 0) {
		at = strstr(line, "Kernel panic - ");
		if (!at)
			continue;
		at[strcspn(at, "\r\n")] = '\0';
		free(found);
		found = xstrdup(at);
	}
	if (in)
		fclose(in);
	free(line);
	free(path);
	return found;
}

/* 0 once all are ready; 1 and what was wrong; -EINTR. */
static int wait_ready(const struct lab *lab, struct start *start, size_t n,
		      int64_t timeout, bool quiet, const sigset_t *open)
{
	int64_t end = now_ns() + timeout;
	size_t i, left = n;
	char *log, *why;

	while (left) {
		for (i = 0; i < n; i++) {
			struct start *s = &start[i];
			const char *name = s->guest->name;

			if (s->ready)
				continue;
			if (!s->agent)
				s->agent = agent_first(lab, name);
			log = guest_log(lab, name);
			if (s->agent && agent_is_ready(s->agent)) {
				s->ready = true;
				left--;
				why = refused_rule(lab, name);
				if (why) {
					say("%s: guest %s: %s", lab->file, name, why);
					return LAB_FAILED;
				}
				guest_set_ready(lab, name);
				if (!quiet)
					printf("%s: ready after %.2f s (%s, CPU %d)\n",
					       name, (now_ns() - s->since) / 1e9,
					       s->guest->kernel_said, s->cpu);
				fflush(stdout);
			} else if (s->agent && !is_alive(lab, name)) {
				why = panic_of(lab, name);
				say("%s: guest %s has ended before it was ready%s%s; its log is %s",
				    lab->file, name, why ? ": " : "",
				    why ?: "", log);
				log_show(log, name);
				return LAB_FAILED;
			} else if (now_ns() > end) {
				say("%s: guest %s is not ready after %" PRId64 " s; its log is %s",
				    lab->file, name, timeout / 1000000000, log);
				log_show(log, name);
				return LAB_FAILED;
			}
			free(log);
		}
		if (!left)
			break;
		pause_tick(open);
		if (stop_asked())
			return -EINTR;
	}
	return 0;
}

/*
 * Starts them and waits; with @setup their scripts are run. Ends them all, and
 * the power switch, if that cannot be. -signal: one came.
 */
static int start_guests(struct lab *lab, struct guest_conf **list, size_t n,
			const struct options *opt, uint64_t seed, bool setup)
{
	int64_t timeout = opt->timed ? (int64_t)opt->timeout : READY_NS;
	struct start start[n];
	sigset_t open;
	int ret = 0, sig;
	size_t i;

	stop_catch(&open);
	memset(start, 0, sizeof(start));
	for (i = 0; i < n && !ret && !stop_asked(); i++) {
		start[i].guest = list[i];
		start[i].since = now_ns();
		start[i].cpu = start_cpu(list[i], list[i] - lab->guest);
		if (!start_images(lab, list[i]) ||
		    !start_guest(lab, list[i], start[i].cpu,
				 guest_seed(seed, list[i]->name)))
			ret = LAB_FAILED;
		pause_tick(&open);
	}
	if (stop_asked())
		ret = -EINTR;
	if (!ret)
		ret = wait_ready(lab, start, n, timeout, opt->quiet, &open);
	for (i = 0; i < n; i++)
		agent_close(start[i].agent);
	if (!ret && setup)
		ret = setup_guests(lab, list, n, now_ns() + timeout, opt->quiet,
				   &open);
	sig = stop_forget();
	if (!ret)
		return LAB_DONE;
	power_stop(lab);
	up_end_guests(lab, list, n);
	if (!sig)
		return ret;
	say("%s: interrupted; what was started is ended", lab->file);
	return -sig;
}

/* ---- verbs ---- */

static void all_guests(struct lab *lab, struct guest_conf **list)
{
	size_t i;

	for (i = 0; i < lab->nr_guests; i++)
		list[i] = &lab->guest[i];
}

/* What was made so far, but for snapshots. */
static void forget_files(const struct lab *lab)
{
	struct strings files = { 0 };
	size_t i;

	start_files(lab, &files);
	for (i = 0; i < files.n; i++)
		if (!strncmp(files.s[i], lab->run, strlen(lab->run)))
			unlink(files.s[i]);
}

static uint64_t lab_seed(const struct lab *lab, const struct options *opt)
{
	uint64_t seed;

	if (opt->seeded)
		return opt->seed;
	if (lab->seeded)
		return lab->seed;
	if (getrandom(&seed, sizeof(seed), 0) < 0)
		seed = now_ns();
	return seed;
}

static void write_seed(const struct lab *lab, uint64_t seed)
{
	char *path = xasprintf("%s/seed", lab->live);
	FILE *out = fopen(path, "we");

	if (!out || fprintf(out, "%" PRIu64 "\n", seed) < 0 || fclose(out))
		die(LAB_FAILED, "%s: %m", path);
	free(path);
}

int up_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct guest_conf *list[lab->nr_guests];
	uint64_t seed = lab_seed(lab, opt);
	char *log;
	size_t i;
	int ret;

	if (*args)
		die(LAB_USAGE, "%s: up takes no more words", *args);
	place_lock(lab, "up");
	for (i = 0; i < lab->nr_guests; i++)
		if (is_alive(lab, lab->guest[i].name))
			die(LAB_FAILED, "%s: guest %s runs already; " NAME " down ends it",
			    lab->file, lab->guest[i].name);
	if (opt->fresh)
		forget_files(lab);
	place_make(lab);
	write_seed(lab, seed);
	for (i = 0; i < lab->nr_guests; i++) {
		log = guest_log(lab, lab->guest[i].name);
		unlink(log);
		free(log);
	}
	if (!opt->quiet) {
		printf("%s: %zu guests, seed %" PRIu64 "\n", lab->name,
		       lab->nr_guests, seed);
		fflush(stdout);
	}
	all_guests(lab, list);
	if (lab->fencing)
		power_start(lab);
	ret = start_guests(lab, list, lab->nr_guests, opt, seed, true);
	if (ret)
		place_remove(lab);
	if (ret < 0)
		stop_die(-ret);
	return ret;
}

int down_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct guest_conf *list[lab->nr_guests];
	sigset_t open;
	size_t i;
	int sig;

	if (*args)
		die(LAB_USAGE, "%s: down takes no more words", *args);
	place_lock(lab, "down");
	stop_catch(&open);
	all_guests(lab, list);
	power_stop(lab);
	if (!opt->kill)
		power_off(lab, list, lab->nr_guests, opt->timed ? (int64_t)opt->timeout :
			  POWEROFF_NS, &open);
	up_end_guests(lab, list, lab->nr_guests);
	for (i = 0; i < lab->nr_guests; i++)
		if (is_alive(lab, lab->guest[i].name))
			die(LAB_FAILED, "%s: guest %s cannot be killed",
			    lab->file, lab->guest[i].name);
	place_remove(lab);
	if (opt->wipe)
		remove_tree(lab->run);
	sig = stop_forget();
	if (sig)
		stop_die(sig);
	return LAB_DONE;
}

static uint64_t read_seed(const struct lab *lab)
{
	char *path = xasprintf("%s/seed", lab->live), *line = read_line_of(path);
	uint64_t seed;

	if (!line)
		die(LAB_FAILED, "%s: is not up", lab->file);
	seed = strtoull(line, NULL, 10);
	free(line);
	free(path);
	return seed;
}

bool up_one(struct lab *lab, struct guest_conf *guest)
{
	return start_guest(lab, guest, start_cpu(guest, guest - lab->guest),
			   guest_seed(read_seed(lab), guest->name));
}

int up_again(struct lab *lab, struct guest_conf **list, size_t n,
	     const struct options *opt)
{
	int ret = start_guests(lab, list, n, opt, read_seed(lab), false);

	if (ret < 0)
		stop_die(-ret);
	return ret;
}

int restart_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct guest_conf **list;
	sigset_t open;
	size_t n;

	pick_guests(lab, args, &list, &n);
	place_lock(lab, "restart");
	if (!place_is_live(lab))
		die(LAB_FAILED, "%s: is not up", lab->file);
	stop_catch(&open);
	if (!opt->kill)
		power_off(lab, list, n, POWEROFF_NS, &open);
	up_end_guests(lab, list, n);
	return up_again(lab, list, n, opt);
}

int kill_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct guest_conf **list;
	size_t n;

	(void)opt;
	if (!*args)
		die(LAB_USAGE, "kill: which guest?");
	pick_guests(lab, args, &list, &n);
	up_end_guests(lab, list, n);
	return LAB_DONE;
}

static int for_each(struct lab *lab, char **args, const char *verb,
		    bool (*what)(const struct process *p))
{
	struct guest_conf **list;
	int ret = LAB_DONE;
	struct process p;
	size_t i, n;

	if (!*args)
		die(LAB_USAGE, "%s: which guest?", verb);
	pick_guests(lab, args, &list, &n);
	for (i = 0; i < n; i++) {
		if (process_read(lab, list[i]->name, &p) && process_alive(&p)) {
			if (what(&p))
				continue;
			say("%s: its segments cannot be reached: what is sent to it is kept",
			    list[i]->name);
			ret = LAB_FAILED;
			continue;
		}
		say("%s: does not run", list[i]->name);
		ret = LAB_GONE;
	}
	return ret;
}

static bool freeze(const struct process *p)
{
	process_freeze(p);
	return true;
}

static bool freeze_and_lose(const struct process *p)
{
	int tries = 0;

	process_freeze(p);
	/* A guest that still runs would repair its slots. */
	while (!process_stopped(p) && ++tries < 1000)
		usleep(1000);
	return lose_begin(p);
}

static bool thaw(const struct process *p)
{
	/* What cannot be reached any more has nothing to be taken back. */
	lose_end(p);
	process_thaw(p);
	return true;
}

int freeze_verb(struct lab *lab, const struct options *opt, char **args)
{
	return for_each(lab, args, "freeze",
			opt->lose ? freeze_and_lose : freeze);
}

int thaw_verb(struct lab *lab, const struct options *opt, char **args)
{
	(void)opt;
	return for_each(lab, args, "thaw", thaw);
}
