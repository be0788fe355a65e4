// SPDX-License-Identifier: GPL-2.0
/*
 * A lab in virtual time, as its tools see it: what cannot be in it, the calendar's
 * process (calendar.c), what time it is, and how some is asked for.
 *
 * A process has one connection to the calendar, as long as it does something to
 * guests: that they all are at the same instant meanwhile.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "../lib/calendar.h"
#include "../lib/clock.h"
#include "../lib/stop.h"
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define LATENCY		100000		/* ns, of a segment that says none, and of a link */
#define START_NS	10000000000LL	/* until the calendar listens */
#define DIE_NS		5000000000LL

static struct calendar held = { .fd = -1 };
static const struct virtual_time before_up, *shown;

/* ---- what cannot be ---- */

static bool says(const struct lab *lab, const struct guest_conf *guest, const char *what)
{
	say("%s: guest %s: virtual time has no place for %s", lab->file, guest->name, what);
	return false;
}

/* What its drivers would refuse, said before anything is started. */
static bool append_fits(const struct lab *lab, const struct guest_conf *guest)
{
	static const char * const refused[] = { "ubd", "vec", "virtio_uml.", "hostfs=" };
	char *copy = xstrdup(guest->append ?: ""), *pos = copy, *word;
	bool ok = true;
	size_t i;

	while (ok && (word = strsep(&pos, " \t"))) {
		for (i = 0; ok && i < sizeof(refused) / sizeof(*refused); i++)
			if (!strncmp(word, refused[i], strlen(refused[i])))
				ok = says(lab, guest, word);
		if (ok && (!strncmp(word, "time-travel=", 12) ||
			   !strncmp(word, "random-seed=", 12))) {
			say("%s: guest %s: append = '%s': the lab says that itself",
			    lab->file, guest->name, word);
			ok = false;
		}
	}
	free(copy);
	return ok;
}

static bool serial_fits(const struct lab *lab, const struct guest_conf *guest,
			const struct serial *serial)
{
	char *what;
	bool ok = serial->link || !strncmp(serial->transport, "null", 4) ||
		  !strncmp(serial->transport, "link,", 5);

	if (ok)
		return true;
	what = xasprintf("transport = %s of %s: what is behind it lives in real time",
			 serial->transport, serial->name);
	says(lab, guest, what);
	free(what);
	return false;
}

bool virtual_fits(const struct lab *lab)
{
	const struct guest_conf *guest = lab->guest;
	char *what;
	size_t i;

	if (lab->nr_guests > CLOCK_GUESTS) {
		say("%s: a calendar has %d guests at most", lab->file, CLOCK_GUESTS);
		return false;
	}
	for (; guest < lab->guest + lab->nr_guests; guest++) {
		if (!start_knows(guest->kernel, "time-travel=")) {
			what = xasprintf("kernel %s, which is built without it (SMP is)",
					 guest->kernel_said);
			says(lab, guest, what);
			free(what);
			return false;
		}
		if (guest->nr_shares) {
			what = xasprintf("share = %s: hostfs shows the host's times",
					 guest->share[0].folder);
			says(lab, guest, what);
			free(what);
			return false;
		}
		for (i = 0; i < guest->nr_serials; i++)
			if (!serial_fits(lab, guest, &guest->serial[i]))
				return false;
		if (!append_fits(lab, guest))
			return false;
	}
	return true;
}

/* ---- what is where ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t virtual_lookahead(const struct lab *lab)
{
	const struct guest_conf *guest = lab->guest;
	uint64_t least = CALENDAR_NEVER, ns;
	size_t i;

	for (; guest < lab->guest + lab->nr_guests; guest++) {
		for (i = 0; i < guest->nr_nics; i++)
			if (!guest->nic[i].latency ||
			    !units_time(guest->nic[i].latency, false, &ns))
				least = earlier(least, LATENCY);
			else
				least = earlier(least, ns);
		if (guest->nr_serials)
			least = earlier(least, LATENCY);
	}
	return least == CALENDAR_NEVER ? LATENCY : least;
}

/* Labs that run at the same time are not all on the first one. */
size_t virtual_turn(const struct lab *lab, size_t turn)
{
	const char *at = lab->live;

	if (!lab->virtual)
		return turn;
	for (turn = 0; *at; at++)
		turn = turn * 31 + (unsigned char)*at;
	return turn;
}

char *virtual_file(const struct lab *lab, const char *name)
{
	return xasprintf("%s/%s", lab->live, name);
}

char *virtual_socket(const struct lab *lab)
{
	return virtual_file(lab, "uml/" CALENDAR_SOCKET);
}

struct virtual_time *virtual_map(const struct lab *lab, bool make)
{
	char *path = virtual_file(lab, "time");
	int fd = open(path, O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
	struct virtual_time *map = MAP_FAILED;

	if (fd >= 0 && (!make || !ftruncate(fd, sizeof(*map))))
		map = mmap(NULL, sizeof(*map), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	free(path);
	return map == MAP_FAILED ? NULL : map;
}

/* ---- what time it is ---- */

void virtual_use(const struct lab *lab)
{
	shown = lab->virtual ? virtual_map(lab, false) ?: &before_up : NULL;
	utc_virtual(shown);
}

int64_t lab_now(const struct lab *lab)
{
	if (!lab->virtual)
		return now_ns();
	return shown ? shown->now : 0;
}

/* ---- the process ---- */

static char *record_path(const struct lab *lab)
{
	return virtual_file(lab, "calendar.pid");
}

bool virtual_is_alive(const struct lab *lab)
{
	char *record = record_path(lab);
	struct process p;
	bool alive = process_read_from(record, &p) && process_alive(&p);

	free(record);
	return alive;
}

void virtual_stop(const struct lab *lab)
{
	int64_t end = now_ns() + DIE_NS;
	char *record = record_path(lab);
	struct process p;

	virtual_let_go();
	if (process_read_from(record, &p)) {
		process_kill(&p);
		while (process_alive(&p) && now_ns() < end)
			up_pause(NULL);
	}
	free(record);
}

bool virtual_has_time(const struct lab *lab)
{
	char *why = virtual_why(lab);
	bool has = !why && virtual_is_alive(lab);

	free(why);
	return has;
}

char *virtual_why(const struct lab *lab)
{
	char *path = virtual_file(lab, "calendar.why"), *why = read_line_of(path);

	free(path);
	return why;
}

__attribute__((noreturn))
static void become_calendar(const struct lab *lab, const char *record)
{
	struct guest_conf any = { .cpu = -1 };
	int cpu = start_cpu(&any, virtual_turn(lab, 0));
	int null = open("/dev/null", O_RDWR);
	cpu_set_t set;
	sigset_t none;

	setsid();
	/* whoever waits for the end of what `up` says does not wait for the lab's */
	if (dup2(null, 0) || dup2(null, 1) != 1 || dup2(null, 2) != 2)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	CPU_ZERO(&set);
	if (cpu >= 0) {
		CPU_SET(cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	if (!process_write(record))
		execl("/proc/self/exe", NAME, "-f", lab->file, "--run", lab->run, "time",
		      "serve", NULL);
	_exit(127);
}

bool virtual_start(const struct lab *lab)
{
	int64_t end = now_ns() + START_NS;
	char *record = record_path(lab), *socket = virtual_socket(lab);
	struct process p;
	pid_t pid = fork();
	bool ok;

	if (!pid)
		become_calendar(lab, record);
	while (pid > 0 && access(socket, F_OK) && now_ns() < end &&
	       (!process_read_from(record, &p) || process_alive(&p)))
		usleep(1000);
	ok = pid > 0 && !access(socket, F_OK);
	if (ok)
		virtual_use(lab);
	else
		say("%s: its calendar cannot be started", lab->file);
	free(socket);
	free(record);
	return ok;
}

/* ---- asking for time ---- */

static bool connect_to(const struct lab *lab, struct calendar *to)
{
	char *path = virtual_socket(lab);
	bool ok = calendar_open(to, path);

	free(path);
	return ok;
}

static void say_why(const struct lab *lab)
{
	static bool said;
	char *why = said ? NULL : virtual_why(lab);

	if (said)
		return;
	said = true;
	say("%s: %s; " NAME " down ends the lab", lab->file, why ?: "its calendar is gone");
	free(why);
}

bool virtual_hold(const struct lab *lab)
{
	if (!lab->virtual || held.fd >= 0)
		return true;
	if (connect_to(lab, &held) && calendar_stand(&held, NULL) == CALENDAR_OK)
		return true;
	virtual_let_go();
	say_why(lab);
	return false;
}

void virtual_let_go(void)
{
	calendar_close(&held);
}

int virtual_more(const struct lab *lab)
{
	struct calendar more = { .fd = -1 };

	if (!lab->virtual || !connect_to(lab, &more))
		return -1;
	return more.fd;
}

void virtual_drop(int hold)
{
	if (hold >= 0)
		close(hold);
}

void virtual_become(int hold)
{
	virtual_let_go();
	held = (struct calendar) { .fd = hold };
}

bool virtual_stand(const struct lab *lab)
{
	return !lab->virtual || (virtual_hold(lab) && calendar_stand(&held, NULL) == CALENDAR_OK);
}

/* What came of it, as an exit status. */
static int status_of(const struct lab *lab, enum calendar_end end)
{
	switch (end) {
	case CALENDAR_OK:
	case CALENDAR_READY:
		return 0;
	case CALENDAR_STOPPED:
		return -EINTR;
	case CALENDAR_FAILED:
		say_why(lab);
		virtual_let_go();
		return LAB_FAILED;
	default:
		return LAB_TIMEOUT;
	}
}

int virtual_wait(const struct lab *lab, int64_t until, const char *guest, const int *fds,
		 size_t n, bool watch, const sigset_t *open)
{
	if (!virtual_hold(lab))
		return LAB_FAILED;
	return status_of(lab, calendar_run(&held, until ? (uint64_t)until : CALENDAR_NEVER,
					   guest, fds, n, watch, open));
}

void virtual_pause(const struct lab *lab, int64_t ns, const sigset_t *open)
{
	const struct timespec tick = { .tv_nsec = ns };

	if (lab->virtual)
		virtual_wait(lab, lab_now(lab) + ns, NULL, NULL, 0, false, open);
	else
		ppoll(NULL, 0, &tick, open);
}

bool virtual_do(const struct lab *lab, const char *verb, const char *guests, const sigset_t *open)
{
	if (!lab->virtual)
		return true;
	if (!virtual_stand(lab))
		return false;
	return !status_of(lab, calendar_do(&held, open, "%s %s", verb, guests));
}

uint64_t virtual_tag(const struct lab *lab)
{
	if (!virtual_stand(lab) || calendar_do(&held, NULL, "tag") != CALENDAR_OK)
		return 0;
	return held.tag;
}

/* ---- verbs ---- */

static void need_virtual(const struct lab *lab, const char *verb)
{
	lab_need_up(lab);
	if (!lab->virtual)
		die(LAB_USAGE, "%s: %s is for labs in virtual time, and it is in real time",
		    lab->file, verb);
}

static int let_pass(const struct lab *lab, uint64_t until)
{
	sigset_t open;
	int ret = 0;

	stop_catch(&open);
	while (!ret)
		ret = virtual_wait(lab, until, NULL, NULL, 0, false, &open);
	if (ret == -EINTR)
		stop_die(stop_forget());
	return ret == LAB_TIMEOUT ? LAB_DONE : ret;
}

static uint64_t take_time(const char *verb, char **args)
{
	uint64_t ns;

	if (!args[0] || args[1] || !units_time(args[0], false, &ns) || ns > INT64_MAX / 4)
		die(LAB_USAGE, "%s %s: must be one time, as 10s, 250ms or 2m", verb, args[0] ?: "");
	return ns;
}

int time_verb(struct lab *lab, const struct options *opt, char **args)
{
	(void)opt;
	need_virtual(lab, "time");
	if (*args && !strcmp(*args, "serve"))
		calendar_serve(lab);
	if (*args)
		die(LAB_USAGE, "%s: time takes no more words", *args);
	printf("%.9f\n", lab_now(lab) / 1e9);
	return LAB_DONE;
}

int sleep_verb(struct lab *lab, const struct options *opt, char **args)
{
	uint64_t ns = take_time("sleep", args);

	(void)opt;
	need_virtual(lab, "sleep");
	if (!virtual_hold(lab))
		return LAB_FAILED;
	return let_pass(lab, held.now + ns);
}

int run_until_verb(struct lab *lab, const struct options *opt, char **args)
{
	uint64_t ns = take_time("run-until", args);

	(void)opt;
	need_virtual(lab, "run-until");
	if (!virtual_hold(lab))
		return LAB_FAILED;
	if (ns < held.now)
		die(LAB_FAILED, "%s: it is %.9f s already", lab->file, held.now / 1e9);
	return let_pass(lab, ns);
}
