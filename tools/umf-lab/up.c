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

/* … or, in virtual time, until a guest has come or gone. False: nothing more will come. */
static bool pass_tick(const struct lab *lab, int64_t end, const sigset_t *open)
{
	if (!lab->virtual)
		pause_tick(open);
	else if (virtual_wait(lab, end, NULL, NULL, 0, false, open))
		return false;
	return !lab->virtual || virtual_stand(lab);
}

/* ---- ending ---- */

static void kill_guest(const struct lab *lab, const char *guest)
{
	int log = nodelog_lock(lab);
	struct process p;
	bool alive = process_read(lab, guest, &p) && process_alive(&p);

	if (alive) {
		nodelog_did(log, lab, guest, "ended");
		/* the calendar, which looks into the file as well, sees that it is gone */
		if (lab->virtual)
			nodelog_unlock(log);
		if (lab->virtual && virtual_has_time(lab))
			virtual_do(lab, "kill", guest, NULL);
		process_kill(&p);
	}
	if (!alive || !lab->virtual)
		nodelog_unlock(log);
}

void up_end_guests(const struct lab *lab, struct guest_conf **list, size_t n)
{
	int64_t end = now_ns() + 5000000000LL;
	struct process p;
	size_t i, left;

	for (i = 0; i < n; i++)
		kill_guest(lab, list[i]->name);
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
	struct agent *agent;
	bool asked[n + 1], any;	/* there may be none */
	int64_t end;
	size_t i;

	/* who has no time any more hears nothing */
	if (lab->virtual && (!virtual_has_time(lab) || !virtual_hold(lab)))
		return;
	end = lab_now(lab) + timeout;
	for (i = 0; i < n; i++) {
		asked[i] = guest_state(lab, list[i]->name) == GUEST_READY;
		agent = asked[i] ? agent_first(lab, list[i]->name) : NULL;
		if (agent)
			agent_tell(agent, "poweroff");
		agent_close(agent);
		if (asked[i] && lab->virtual)
			virtual_wait(lab, lab_now(lab), list[i]->name, NULL, 0, false, open);
	}
	do {
		any = false;
		for (i = 0; i < n; i++)
			any = any || (asked[i] && is_alive(lab, list[i]->name));
		if (any && !pass_tick(lab, end, open))
			break;
	} while (any && lab_now(lab) < end && !stop_asked());
	nodelog_note(lab, true);
}

/* ---- starting ---- */

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

/* Until one of those that are not ready says something, or has ended. */
static int pass_booting(const struct lab *lab, const struct start *start, size_t n,
			int64_t end, const sigset_t *open)
{
	int fds[n], k = 0;
	size_t i;

	for (i = 0; i < n && k < VIRTUAL_FDS; i++)
		if (!start[i].ready && start[i].agent)
			fds[k++] = agent_fd(start[i].agent);
	return virtual_wait(lab, end, NULL, fds, k, false, open);
}

/* 0 once all are ready; 1 and what was wrong; -EINTR. */
static int wait_ready(const struct lab *lab, struct start *start, size_t n,
		      int64_t timeout, bool quiet, const sigset_t *open)
{
	int64_t end = lab_now(lab) + timeout;
	size_t i, left = n;
	char *log, *why;
	int ret = 0;

	while (left) {
		if (!virtual_stand(lab))
			return LAB_FAILED;
		for (i = 0; i < n; i++) {
			struct start *s = &start[i];
			const char *name = s->guest->name;

			if (s->ready)
				continue;
			if (!s->agent)
				s->agent = agent_first(lab, name);
			log = guest_log(lab, name);
			if (s->agent && (agent_is_ready(s->agent) ||
					 guest_is_ready(lab, name))) {
				s->ready = true;
				left--;
				ret = verify_guest(lab, s->guest, open);
				if (ret)
					return ret;
				why = log_refused(lab, name);
				if (why) {
					say("%s: guest %s: %s", lab->file, name, why);
					return LAB_FAILED;
				}
				guest_set_ready(lab, name);
				if (!quiet)
					printf("%s: ready after %.2f s (%s, CPU %d)\n",
					       name, (lab_now(lab) - s->since) / 1e9,
					       s->guest->kernel_said, s->cpu);
				fflush(stdout);
			} else if (s->agent && !is_alive(lab, name)) {
				why = log_panic(lab, name);
				say("%s: guest %s has ended before it was ready%s%s; its log is %s",
				    lab->file, name, why ? ": " : "",
				    why ?: "", log);
				log_show(log, name);
				return LAB_FAILED;
			} else if (lab_now(lab) >= end) {
				say("%s: guest %s is not ready after %.4g s; its log is %s",
				    lab->file, name, timeout / 1e9, log);
				log_show(log, name);
				return LAB_FAILED;
			}
			free(log);
		}
		if (!left)
			break;
		if (lab->virtual)
			ret = pass_booting(lab, start, n, end, open);
		else
			pause_tick(open);
		if (stop_asked())
			return -EINTR;
		if (lab->virtual && ret == LAB_FAILED)
			return ret;
	}
	return 0;
}

/* Those that have come: the calendar lets them begin together. */
static bool admit(const struct lab *lab, struct guest_conf **list, size_t n, const sigset_t *open)
{
	char *names = NULL;
	size_t i, len;
	FILE *out;
	bool ok;

	if (!lab->virtual)
		return true;
	out = open_memstream(&names, &len);
	for (i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? "," : "", list[i]->name);
	fclose(out);
	ok = virtual_do(lab, "start", names, open);
	free(names);
	return ok;
}

/*
 * Starts them and waits; with @setup their scripts are run. Ends them all if
 * that cannot be. -signal: one came.
 */
static int start_guests(struct lab *lab, struct guest_conf **list, size_t n,
			const struct options *opt, bool setup)
{
	int64_t timeout = opt->timed ? (int64_t)opt->timeout : READY_NS;
	struct start start[n];
	sigset_t open;
	int ret = 0, sig;
	size_t i;

	if (!virtual_hold(lab))
		return LAB_FAILED;
	stop_catch(&open);
	memset(start, 0, sizeof(start));
	for (i = 0; i < n && !ret && !stop_asked(); i++) {
		start[i].guest = list[i];
		start[i].since = lab_now(lab);
		start[i].cpu = start_cpu(list[i], virtual_turn(lab, list[i] - lab->guest));
		if (!start_images(lab, list[i]) ||
		    !start_guest(lab, list[i], start[i].cpu,
				 guest_seed(lab->seed, list[i]->name)))
			ret = LAB_FAILED;
		pause_tick(&open);
	}
	if (!ret && !stop_asked() && !admit(lab, list, n, &open))
		ret = LAB_FAILED;
	if (stop_asked())
		ret = -EINTR;
	if (!ret)
		ret = wait_ready(lab, start, n, timeout, opt->quiet, &open);
	for (i = 0; i < n; i++)
		agent_close(start[i].agent);
	if (!ret && setup)
		ret = setup_guests(lab, list, n, lab_now(lab) + timeout, opt->quiet,
				   &open);
	sig = stop_forget();
	if (!ret)
		return LAB_DONE;
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

/* What a lab has made so far, but for snapshots. */
static void forget_files(struct lab *lab)
{
	struct strings files = { 0 };
	size_t i;

	start_files(lab, &files);
	for (i = 0; i < files.n; i++)
		if (!made_remove(lab, files.s[i]) && path_below(files.s[i], lab->run))
			say("%s: stays: no lab has made it", files.s[i]);
}

/* The log is to be a new one: false, and a line, if it would be somebody else's file. */
static bool claim_log(struct lab *lab, char *path)
{
	bool ok;

	made_remove(lab, path);
	made_claim(lab, path);
	ok = made_is(lab, path);
	if (!ok)
		say("%s: is there, and no lab has made it; remove it, a log goes there", path);
	free(path);
	return ok;
}

/* The names of all that this lab will make, before it makes any of it. */
static bool claim_files(struct lab *lab)
{
	const struct guest_conf *guest = lab->guest;
	bool ok = true;

	for (; guest < lab->guest + lab->nr_guests; guest++) {
		ok = claim_log(lab, guest_log(lab, guest->name)) && ok;
		if (guest->setup)
			ok = claim_log(lab, setup_log(lab, guest->name)) && ok;
	}
	if (lab->fencing)
		ok = claim_log(lab, power_log(lab)) && ok;
	ok = claim_log(lab, nodelog_path(lab)) && ok;
	start_claim(lab);
	return ok && made_write(lab);
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

/* All that must be there before the first guest; what was there of an old lab is gone. */
static bool make_lab(struct lab *lab, const struct options *opt)
{
	power_stop(lab);
	virtual_stop(lab);
	virtual_use(lab);
	remove_tree(lab->live);
	if (!place_make_run(lab))
		return false;
	if (opt->fresh)
		forget_files(lab);
	if (!claim_files(lab))
		return false;
	/* before the live folder: who finds that finds both */
	nodelog_begin(lab);
	return place_make(lab) && record_save(lab) && version_note_tools(lab) &&
	       (!lab->virtual || virtual_start(lab)) && (!lab->fencing || power_start(lab));
}

int up_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct guest_conf *list[lab->nr_guests];
	int ret = LAB_FAILED;
	bool made;

	if (*args)
		die(LAB_USAGE, "%s: up takes no more words", *args);
	lab->virtual = lab->virtual || opt->virtual;
	if (lab->virtual && !virtual_fits(lab))
		return LAB_USAGE;
	lab_lock(lab, "up");
	lab_need_ended(lab);
	if (!opt->overcommit && !memory_fits(lab, "--overcommit starts them all the same"))
		return LAB_FAILED;
	lab->seed = lab_seed(lab, opt);
	made = make_lab(lab, opt);
	if (made) {
		if (!opt->quiet)
			printf("%s: %zu guests, seed %" PRIu64 "%s\n", lab->name,
			       lab->nr_guests, lab->seed,
			       lab->virtual ? ", in virtual time" : "");
		fflush(stdout);
		all_guests(lab, list);
		ret = start_guests(lab, list, lab->nr_guests, opt, true);
	}
	if (ret) {
		power_stop(lab);
		virtual_stop(lab);
		if (made)
			nodelog_end(lab);
		place_remove(lab);
	}
	if (ret < 0)
		stop_die(-ret);
	return ret;
}

struct all_down {
	const struct options *opt;
	pid_t *pids;
	size_t n;
};

/* Each by a process of its own, all at the same time. */
static void down_one(struct lab *lab, void *arg)
{
	struct options opt = *((struct all_down *)arg)->opt;
	struct all_down *all = arg;
	char *none = NULL;

	opt.all = false;
	fflush(stdout);
	all->pids = xrealloc(all->pids, (all->n + 1) * sizeof(*all->pids));
	all->pids[all->n] = fork();
	if (all->pids[all->n])
		all->n++;
	else
		exit(down_verb(lab, &opt, &none));
}

static int down_all(const struct options *opt)
{
	struct all_down all = { .opt = opt };
	int status, ret = LAB_DONE;
	size_t i;

	lab_each(down_one, &all);
	for (i = 0; i < all.n; i++) {
		while (all.pids[i] > 0 && waitpid(all.pids[i], &status, 0) < 0 &&
		       errno == EINTR)
			;
		if (all.pids[i] < 0 || status)
			ret = LAB_FAILED;
	}
	free(all.pids);
	return ret;
}

int down_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct guest_conf **list;
	sigset_t open;
	size_t i, n;
	int sig;

	if (*args)
		die(LAB_USAGE, "%s: down takes no more words", *args);
	if (opt->all)
		return down_all(opt);
	lab_say_elsewhere(lab);
	lab_lock(lab, "down");
	/* whoever has a record there is the lab's, whatever else is known */
	lab_add_found(lab);
	n = lab->nr_guests;
	list = xrealloc(NULL, (n + 1) * sizeof(*list));
	all_guests(lab, list);
	stop_catch(&open);
	power_stop(lab);
	if (!opt->kill)
		power_off(lab, list, n, opt->timed ? (int64_t)opt->timeout : POWEROFF_NS,
			  &open);
	up_end_guests(lab, list, n);
	for (i = 0; i < n; i++)
		if (is_alive(lab, list[i]->name))
			die(LAB_FAILED, "%s: guest %s cannot be killed",
			    lab->file, list[i]->name);
	nodelog_note(lab, true);
	nodelog_end(lab);
	virtual_stop(lab);
	place_remove(lab);
	if (opt->wipe)
		made_wipe(lab);
	sig = stop_forget();
	if (sig)
		stop_die(sig);
	return LAB_DONE;
}

bool up_one(struct lab *lab, struct guest_conf *guest)
{
	int cpu = start_cpu(guest, virtual_turn(lab, guest - lab->guest));

	return virtual_hold(lab) &&
	       start_guest(lab, guest, cpu, guest_seed(lab->seed, guest->name)) &&
	       virtual_do(lab, "start", guest->name, NULL);
}

/* The switch is the whole lab's: it stays whatever becomes of these guests. */
int up_again(struct lab *lab, struct guest_conf **list, size_t n,
	     const struct options *opt)
{
	int ret;

	if (lab->fencing && !power_is_alive(lab) && !power_start(lab))
		return LAB_FAILED;
	ret = start_guests(lab, list, n, opt, false);
	if (ret < 0)
		stop_die(-ret);
	return ret;
}

int restart_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct guest_conf **list;
	sigset_t open;
	size_t n;

	lab_lock(lab, "restart");
	pick_guests(lab, args, &list, &n);
	lab_need_up(lab);
	if (!virtual_hold(lab))
		return LAB_FAILED;
	stop_catch(&open);
	if (!opt->kill)
		power_off(lab, list, n, POWEROFF_NS, &open);
	up_end_guests(lab, list, n);
	return up_again(lab, list, n, opt);
}

struct deed {
	const char *verb, *done;
	bool (*what)(const struct process *p);
	bool last;		/* the calendar is told when it is done, not before */
};

static bool do_real(const struct lab *lab, const char *guest, const struct deed *deed,
		    const struct process *p)
{
	int log = nodelog_lock(lab);
	bool ok = deed->what(p);

	nodelog_did(log, lab, guest, deed->done);
	nodelog_unlock(log);
	if (!ok)
		say("%s: its segments cannot be reached: what is sent to it is kept", guest);
	return ok;
}

/* The calendar writes down who has ended as well: so this is done before, while time stands. */
static bool do_virtual(const struct lab *lab, const char *guest, const struct deed *deed,
		       const struct process *p)
{
	int log = nodelog_lock(lab);
	bool ok;

	nodelog_did(log, lab, guest, deed->done);
	nodelog_unlock(log);
	if (deed->last)
		deed->what(p);
	ok = virtual_do(lab, deed->verb, guest, NULL);
	if (!deed->last)
		deed->what(p);
	return ok;
}

static int for_each(struct lab *lab, char **args, const struct deed *deed)
{
	struct guest_conf **list;
	int ret = LAB_DONE;
	struct process p;
	size_t i, n;
	bool ok;

	if (!*args)
		die(LAB_USAGE, "%s: which guest?", deed->verb);
	pick_guests(lab, args, &list, &n);
	if (!virtual_hold(lab))
		return LAB_FAILED;
	for (i = 0; i < n; i++) {
		if (process_read(lab, list[i]->name, &p) && process_alive(&p)) {
			ok = lab->virtual ? do_virtual(lab, list[i]->name, deed, &p) :
					    do_real(lab, list[i]->name, deed, &p);
			if (!ok)
				ret = LAB_FAILED;
			continue;
		}
		say("%s: does not run", list[i]->name);
		ret = LAB_GONE;
	}
	return ret;
}

static bool end_now(const struct process *p)
{
	process_kill(p);
	return true;
}

int kill_verb(struct lab *lab, const struct options *opt, char **args)
{
	const struct deed deed = { .verb = "kill", .done = "ended", .what = end_now };
	int ret = for_each(lab, args, &deed);
	struct guest_conf **list;
	size_t n;

	(void)opt;
	pick_guests(lab, args, &list, &n);
	up_end_guests(lab, list, n);
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
	const struct deed deed = {
		.verb = "freeze",
		.done = "frozen",
		.what = opt->lose ? freeze_and_lose : freeze,
	};

	if (opt->lose && lab->virtual)
		die(LAB_USAGE, "freeze --lose: %s is in virtual time; a rule drop loses what is sent",
		    lab->file);
	return for_each(lab, args, &deed);
}

int thaw_verb(struct lab *lab, const struct options *opt, char **args)
{
	const struct deed deed = {
		.verb = "thaw",
		.done = "thawed",
		.what = thaw,
		.last = true,
	};

	(void)opt;
	return for_each(lab, args, &deed);
}
