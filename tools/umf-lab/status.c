// SPDX-License-Identifier: GPL-2.0
/* status, wait, logs: what there is to know of the guests. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define TICK_NS		50000000L

/* Since it was started; in virtual time, since its own was 0. */
static double seconds_up(const struct lab *lab, const struct guest_conf *conf,
			 const struct process *p)
{
	const struct virtual_time *time = lab->virtual ? virtual_map(lab, false) : NULL;
	struct timespec now;
	double seconds;

	if (time) {
		seconds = (time->now - time->zero[conf - lab->guest]) / 1e9;
		munmap((void *)time, sizeof(*time));
		return seconds;
	}
	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec + now.tv_nsec / 1e9 -
	       (double)p->start / sysconf(_SC_CLK_TCK);
}

/* "on", with its process; "dead": guests' requests are heard by nobody. NULL: there is none. */
static const char *switch_state(const struct lab *lab, struct process *p)
{
	if (!lab->fencing || !lab->up)
		return NULL;
	return power_read(lab, p) && process_alive(p) ? "on" : "dead";
}

static json_t *guest_json(const struct lab *lab, const struct guest_conf *conf)
{
	char *path = guest_file(lab, conf->name, "cpu"), *cpu = read_line_of(path);
	char *log = guest_log(lab, conf->name), *why = NULL;
	enum guest_state state = guest_state(lab, conf->name);
	struct process p = { 0 };
	const char *power = switch_state(lab, &p);
	json_t *guest;

	guest = json_pack("{ss ss ss* ss so*}", "guest", conf->name, "state",
			  guest_state_name(state), "kernel", conf->kernel_said,
			  "log", log, "files", version_of(lab, conf->name));
	if (state == GUEST_ENDED)
		why = log_panic(lab, conf->name);
	if (why)
		json_object_set_new(guest, "why", json_string(why));
	if (power)
		json_object_set_new(guest, "power_switch", json_string(power));
	if (power)
		json_object_set_new(guest, "power_rules", json_integer(power_rules_count(lab)));
	if (process_read(lab, conf->name, &p) && process_alive(&p)) {
		json_object_set_new(guest, "pid", json_integer(p.pid));
		json_object_set_new(guest, "seconds", json_real(seconds_up(lab, conf, &p)));
		json_object_set_new(guest, "cpu", json_integer(cpu ? atoi(cpu) : -1));
	}
	free(why);
	free(log);
	free(cpu);
	free(path);
	return guest;
}

static void print_guest(const json_t *guest)
{
	const json_t *pid = json_object_get(guest, "pid");
	const char *name = json_string_value(json_object_get(guest, "guest"));
	const char *state = json_string_value(json_object_get(guest, "state"));
	const char *why = json_string_value(json_object_get(guest, "why"));
	int cpu = json_integer_value(json_object_get(guest, "cpu"));

	if (!pid) {
		printf(why ? "%-*s %-8s %s\n" : "%-*s %s\n", 12, name, state, why);
		return;
	}
	printf("%-*s %-8s process %d, CPU ", 12, name, state,
	       (int)json_integer_value(pid));
	if (cpu < 0)
		printf("any");
	else
		printf("%d", cpu);
	printf(", %.1f s\n", json_real_value(json_object_get(guest, "seconds")));
}

static json_t *guests_json(const struct lab *lab)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < lab->nr_guests; i++)
		json_array_append_new(array, guest_json(lab, &lab->guest[i]));
	return array;
}

static void print_time(const struct lab *lab)
{
	const struct virtual_time *time = lab->virtual && lab->up ? virtual_map(lab, false) : NULL;
	char *why;

	if (!time)
		return;
	why = virtual_why(lab);
	printf("%-*s virtual, %.6f s\n", 12, "time", time->now / 1e9);
	if (why)
		printf("%-*s stands for ever: %s\n", 12, "calendar", why);
	else if (!virtual_is_alive(lab))
		printf("%-*s dead: guests end with it; " NAME " down ends the lab\n", 12,
		       "calendar");
	free(why);
	munmap((void *)time, sizeof(*time));
}

static void print_lab(const struct lab *lab, const json_t *guests)
{
	const char *power;
	struct process p;
	json_t *guest;
	size_t i, rules;

	json_array_foreach(guests, i, guest)
		print_guest(guest);
	print_time(lab);
	power = switch_state(lab, &p);
	rules = power ? power_rules_count(lab) : 0;
	if (power && !strcmp(power, "on") && rules)
		printf("power switch on       process %d, %zu rules\n", p.pid, rules);
	else if (power && !strcmp(power, "on"))
		printf("power switch on       process %d\n", p.pid);
	else if (power)
		printf("power switch %s: no guest is fenced; " NAME " restart starts it\n",
		       power);
}

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
}

static void one_of_all(struct lab *lab, void *arg)
{
	json_t *array = arg, *one, *guests = guests_json(lab);
	struct process p;

	if (!array) {
		if (lab->damaged)
			printf("%s: its record is damaged\n", lab->live);
		else
			printf("%s: %s, in %s\n", lab->name, lab->path, lab->run);
		print_lab(lab, guests);
		json_decref(guests);
		return;
	}
	one = json_pack("{ss* ss* ss* ss ss* so* so}", "lab", lab->name, "file", lab->path,
			"run", lab->damaged ? NULL : lab->run, "live", lab->live,
			"power_switch", switch_state(lab, &p),
			"tools", version_of_tools(lab), "guests", guests);
	json_array_append_new(array, one);
}

static int status_all(const struct options *opt)
{
	json_t *array = opt->json ? json_array() : NULL;

	lab_each(one_of_all, array);
	if (array)
		print_json(array);
	json_decref(array);
	return LAB_DONE;
}

int status_verb(struct lab *lab, const struct options *opt, char **args)
{
	json_t *guests;

	if (*args)
		die(LAB_USAGE, "%s: status takes no more words", *args);
	if (opt->all)
		return status_all(opt);
	if (lab->damaged) {
		lab_add_found(lab);
		say("%s: its record is damaged; " NAME " down ends the lab", lab->file);
	}
	lab_say_elsewhere(lab);
	guests = guests_json(lab);
	if (opt->json)
		print_json(guests);
	else if (!lab->nr_guests)
		printf("%s: is not up\n", lab->file);
	else
		print_lab(lab, guests);
	json_decref(guests);
	return lab->damaged ? LAB_FAILED : LAB_DONE;
}

static void wait_some(const struct lab *lab, const char *guest, int64_t end, const sigset_t *open)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	struct agent *agent;
	int fd, ret;

	if (!lab->virtual) {
		ppoll(NULL, 0, &tick, open);
		return;
	}
	agent = agent_first(lab, guest);
	fd = agent ? agent_fd(agent) : -1;
	ret = virtual_wait(lab, end, NULL, &fd, agent ? 1 : 0, false, open);
	agent_close(agent);
	if (ret == LAB_FAILED || (!ret && !virtual_stand(lab)))
		exit(LAB_FAILED);
}

/* wait [ended] [<guest>…] */
int wait_verb(struct lab *lab, const struct options *opt, char **args)
{
	bool ended = *args && !strcmp(*args, "ended");
	struct guest_conf **list;
	enum guest_state state;
	struct agent *agent;
	sigset_t open;
	size_t i, n;
	int64_t end;

	pick_guests(lab, args + ended, &list, &n);
	if (!ended && !n)
		die(LAB_GONE, "%s: is not up", lab->file);
	/* without a calendar there are no guests either */
	if (lab->up && lab->virtual && virtual_has_time(lab) && !virtual_hold(lab))
		return LAB_FAILED;
	end = opt->timed ? lab_now(lab) + (int64_t)opt->timeout : INT64_MAX;
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
		if (lab_now(lab) >= end)
			die(LAB_TIMEOUT, "%s: is %s", list[i]->name,
			    guest_state_name(state));
		wait_some(lab, list[i]->name, end, &open);
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
		log_clean(tail->line);
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
