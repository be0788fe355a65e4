// SPDX-License-Identifier: GPL-2.0
/*
 * What became of the guests, line by line, in node.log of the run folder:
 *
 *	<UTC> -: up, seed 7			the first line: the lab's zero
 *	<UTC> n1: started, process 4711, CPU 0
 *	<UTC> n1: ready
 *	<UTC> n1: frozen by freeze
 *	<UTC> n1: thawed by thaw
 *	<UTC> n1: booted again			in place; the time is its mconsole socket's
 *	<UTC> n1: ended by kill
 *	<UTC> -: down
 *
 * Who does something to a guest holds the file's lock while he does and writes it
 * down. What a guest does by itself has no such writer: whoever looks at the lab and
 * finds a guest other than the file has it writes that, under the lock, so that it
 * is there once however many look.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

#define LOCK_NS	2000000000LL

static const char *verb = "";

void nodelog_verb(const char *name)
{
	verb = name;
}

char *nodelog_path(const struct lab *lab)
{
	return xasprintf("%s/node.log", lab->run);
}

/* ---- times ---- */

static const struct virtual_time *virtual_time;

void utc_virtual(const struct virtual_time *time)
{
	virtual_time = time;
}

int64_t utc_now(void)
{
	struct timespec ts;

	if (virtual_time)
		return VIRTUAL_DATE + virtual_time->now;
	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

char *utc_text(int64_t utc, char text[UTC_LEN])
{
	time_t sec = utc / 1000000000;
	struct tm tm;
	size_t len;

	gmtime_r(&sec, &tm);
	len = strftime(text, UTC_LEN, "%FT%T", &tm);
	snprintf(text + len, UTC_LEN - len, ".%06dZ", (int)(utc % 1000000000 / 1000));
	return text;
}

const char *utc_parse(const char *line, int64_t *utc)
{
	struct tm tm = { 0 };
	const char *at = strptime(line, "%Y-%m-%dT%H:%M:%S", &tm);
	int us, len = 0;

	if (!at || sscanf(at, ".%6dZ %n", &us, &len) != 1 || !len)
		return NULL;
	*utc = (int64_t)timegm(&tm) * 1000000000LL + us * 1000LL;
	return at + len;
}

/* ---- writing ---- */

static int open_it(const struct lab *lab, int flags)
{
	char *path = nodelog_path(lab);
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0666);

	free(path);
	return fd;
}

/*
 * A tool that was stopped while it had the lock must not hold up fencing: after LOCK_NS
 * it goes without, and a line may be there twice.
 */
int nodelog_lock(const struct lab *lab)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	/* a lab that has none was started by an older tool */
	int fd = lab->run ? open_it(lab, 0) : -1;
	int64_t end = now_ns() + LOCK_NS;

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && now_ns() < end)
		nanosleep(&pause, NULL);
	return fd;
}

void nodelog_unlock(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void say_at(int fd, int64_t utc, const char *guest, const char *fmt, va_list ap)
{
	char stamp[UTC_LEN], *text = NULL, *line;
	ssize_t n;

	if (fd < 0 || vasprintf(&text, fmt, ap) < 0)
		return;
	line = xasprintf("%s %s: %s\n", utc_text(utc, stamp), guest, text);
	/* a full disk loses it, and nothing else */
	n = write(fd, line, strlen(line));
	(void)n;
	free(line);
	free(text);
}

void nodelog_say(int fd, const char *guest, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_at(fd, utc_now(), guest, fmt, ap);
	va_end(ap);
}

static void say_then(int fd, int64_t utc, const char *guest, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_at(fd, utc, guest, fmt, ap);
	va_end(ap);
}

void nodelog_begin(const struct lab *lab)
{
	int fd = open_it(lab, O_CREAT | O_TRUNC);

	nodelog_say(fd, NODELOG_LAB, "up, seed %" PRIu64, lab->seed);
	nodelog_unlock(fd);
}

void nodelog_end(const struct lab *lab)
{
	int fd = nodelog_lock(lab);

	nodelog_say(fd, NODELOG_LAB, "down");
	nodelog_unlock(fd);
}

/* ---- what it has of a guest ---- */

struct node {
	bool alive, frozen, ready;
	bool unwaited;		/* who started it does not wait until it is ready */
	int64_t boot;		/* when its socket was made that is known */
};

struct nodelog {
	const struct lab *lab;
	FILE *in;
	bool looked;		/* once, at least */
	struct node node[];	/* the lab's guests */
};

struct nodelog *nodelog_open(const struct lab *lab)
{
	size_t size = sizeof(struct nodelog) + lab->nr_guests * sizeof(struct node);
	struct nodelog *nodelog = xrealloc(NULL, size);
	char *path = nodelog_path(lab);

	memset(nodelog, 0, size);
	nodelog->lab = lab;
	nodelog->in = fopen(path, "re");
	free(path);
	if (nodelog->in)
		return nodelog;
	free(nodelog);
	return NULL;
}

void nodelog_close(struct nodelog *nodelog)
{
	if (!nodelog)
		return;
	fclose(nodelog->in);
	free(nodelog);
}

bool nodelog_line(char *line, int64_t *utc, char **guest, char **text)
{
	char *at = (char *)utc_parse(line, utc);

	if (!at || !strstr(at, ": "))
		return false;
	*guest = at;
	at = strstr(at, ": ");
	*at = '\0';
	*text = at + 2;
	(*text)[strcspn(*text, "\n")] = '\0';
	return true;
}

static bool begins(const char *text, const char *word)
{
	size_t len = strlen(word);

	return !strncmp(text, word, len) && (!text[len] || strchr(" ,:", text[len]));
}

static struct node *node_of(struct nodelog *nodelog, const char *name)
{
	struct guest_conf *guest = lab_guest((struct lab *)nodelog->lab, name);

	return guest ? &nodelog->node[guest - nodelog->lab->guest] : NULL;
}

static void take_line(struct nodelog *nodelog, const char *name, const char *text,
		      int64_t utc)
{
	struct node *node = node_of(nodelog, name);

	if (!node)
		return;
	if (begins(text, "started")) {
		memset(node, 0, sizeof(*node));
		node->alive = true;
		node->unwaited = strstr(text, " by power");
	} else if (begins(text, "ended")) {
		memset(node, 0, sizeof(*node));
	} else if (begins(text, "ready")) {
		node->ready = true;
	} else if (begins(text, "booted")) {
		node->ready = false;
		node->boot = utc;
	} else if (begins(text, "frozen")) {
		node->frozen = true;
	} else if (begins(text, "thawed")) {
		node->frozen = false;
	}
}

/* What has been written since; only whole lines are. */
static void read_on(struct nodelog *nodelog)
{
	char *line = NULL, *guest, *text;
	size_t size = 0;
	int64_t utc;

	clearerr(nodelog->in);
	while (getline(&line, &size, nodelog->in) >= 0)
		if (nodelog_line(line, &utc, &guest, &text))
			take_line(nodelog, guest, text, utc);
	free(line);
}

void nodelog_did(int fd, const struct lab *lab, const char *guest, const char *what)
{
	struct nodelog *nodelog = fd < 0 ? NULL : nodelog_open(lab);
	struct node *node;
	bool told = false;

	if (!nodelog)
		return;
	read_on(nodelog);
	node = node_of(nodelog, guest);
	if (node && !strcmp(what, "ended"))
		told = !node->alive;
	else if (node && !strcmp(what, "frozen"))
		told = node->frozen;
	else if (node && !strcmp(what, "thawed"))
		told = !node->frozen;
	if (!told)
		nodelog_say(fd, guest, "%s by %s", what, verb);
	nodelog_close(nodelog);
}

/* ---- what it has not ---- */

/* A guest that ended while nobody looked has said its last word before that. */
static int64_t last_word(const struct lab *lab, const char *guest)
{
	char *path = guest_log(lab, guest);
	int64_t utc = utc_now();
	struct stat st;

	if (!lab->virtual && !stat(path, &st))
		utc = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
	free(path);
	return utc;
}

/* When the socket of a boot in place was made, in whole microseconds; 0: it is the first boot. */
static int64_t booted_again(const struct lab *lab, const char *guest)
{
	/* in virtual time the calendar has said it, when it was */
	int64_t boot = lab->virtual ? 0 : guest_booted_again(lab, guest);

	return boot - boot % 1000;
}

/* Nobody may have looked since it is. Whoever waits for a guest that he started is left alone. */
static void look_ready(const struct lab *lab, const struct guest_conf *guest,
		       const struct node *node)
{
	struct process p;

	if (!node->alive || node->frozen || node->ready || !process_read(lab, guest->name, &p) ||
	    !process_alive(&p) || process_stopped(&p))
		return;
	if (node->unwaited)
		guest_find_ready(lab, guest->name);
	else
		guest_is_ready(lab, guest->name);
}

/* Writes what is not there; without the lock, @fd -1, only tells whether there is anything. */
static bool compare(struct nodelog *nodelog, const struct guest_conf *guest, int fd)
{
	struct node *node = &nodelog->node[guest - nodelog->lab->guest];
	const struct lab *lab = nodelog->lab;
	int64_t boot;
	struct process p;
	bool frozen;

	if (!node->alive)
		return false;
	if (!process_read(lab, guest->name, &p) || !process_alive(&p)) {
		if (nodelog->looked)
			nodelog_say(fd, guest->name, "ended");
		else
			say_then(fd, last_word(lab, guest->name), guest->name,
				 "ended, when its log did or later");
		return true;
	}
	frozen = process_stopped(&p);
	if (frozen != node->frozen) {
		nodelog_say(fd, guest->name, frozen ? "frozen" : "thawed");
		return true;
	}
	boot = booted_again(lab, guest->name);
	if (boot > node->boot) {
		say_then(fd, boot, guest->name, "booted again");
		return true;
	}
	return false;
}

void nodelog_look(struct nodelog *nodelog)
{
	const struct lab *lab = nodelog->lab;
	const struct guest_conf *guest;
	bool news = false;
	int fd;

	read_on(nodelog);
	for (guest = lab->guest; guest < lab->guest + lab->nr_guests; guest++) {
		news = compare(nodelog, guest, -1) || news;
		look_ready(lab, guest, &nodelog->node[guest - lab->guest]);
	}
	fd = news ? nodelog_lock(lab) : -1;
	if (fd >= 0) {
		read_on(nodelog);
		for (guest = lab->guest; guest < lab->guest + lab->nr_guests; guest++)
			compare(nodelog, guest, fd);
		read_on(nodelog);
	}
	nodelog_unlock(fd);
	nodelog->looked = true;
}

void nodelog_note(const struct lab *lab, bool seen)
{
	struct nodelog *nodelog = nodelog_open(lab);

	if (!nodelog)
		return;
	nodelog->looked = seen;
	nodelog_look(nodelog);
	nodelog_close(nodelog);
}

void nodelog_ended(const struct lab *lab, const char *name)
{
	struct guest_conf *guest = lab_guest((struct lab *)lab, name);
	int fd = nodelog_lock(lab);
	struct nodelog *nodelog = fd < 0 || !guest ? NULL : nodelog_open(lab);

	if (nodelog) {
		read_on(nodelog);
		if (nodelog->node[guest - lab->guest].alive)
			nodelog_say(fd, name, "ended");
	}
	nodelog_close(nodelog);
	nodelog_unlock(fd);
}

void nodelog_booted_again(const struct lab *lab, const char *name)
{
	int fd = nodelog_lock(lab);

	nodelog_say(fd, name, "booted again");
	nodelog_unlock(fd);
}

void nodelog_ready(const struct lab *lab, const char *name)
{
	struct guest_conf *guest = lab_guest((struct lab *)lab, name);
	int fd = nodelog_lock(lab);
	struct nodelog *nodelog = fd < 0 || !guest ? NULL : nodelog_open(lab);
	struct node *node;

	if (nodelog) {
		read_on(nodelog);
		compare(nodelog, guest, fd);
		read_on(nodelog);
		node = &nodelog->node[guest - lab->guest];
		if (node->alive && !node->ready)
			nodelog_say(fd, name, "ready");
	}
	nodelog_close(nodelog);
	nodelog_unlock(fd);
}
