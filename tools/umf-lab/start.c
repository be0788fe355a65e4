// SPDX-License-Identifier: GPL-2.0
/*
 * Starting a guest: its images, its command line, its process.
 *
 * The guest opens its consoles' FIFOs both ways, so that neither end waits for
 * the other and no reader's exit ends a stream. Its descriptors:
 *
 *	1, 2		the log (console 0)
 *	3, 4, 5		agent 0: commands, output, errors (consoles 1 and 2)
 *	6, 7, 8 …	agent 1 …
 *	then		the shell's console: input, output
 *	then		with fencing, the console to the power switch: input, output
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

#define COMMAND_LINE	4095	/* bytes that a kernel takes */
#define BOOT_TEXTS	16	/* umf= that it takes: drivers/fault/verb.c */
#define SYSCALL_NS	1000	/* virtual time that a system call takes */
#define FIRST_FD	3
#define SHELL_FIFO	(3 * NR_AGENTS)
#define POWER_FIFO	(SHELL_FIFO + 2)
#define NR_FIFOS	(POWER_FIFO + 2)
#define SHELL_TTY	(2 * NR_AGENTS + 1)
#define POWER_TTY	(SHELL_TTY + 1)

static char *fifo_name(int i)
{
	static const char * const kinds[] = { "cmd", "out", "err" };

	if (i < SHELL_FIFO)
		return xasprintf("%s%d", kinds[i % 3], i / 3);
	if (i < POWER_FIFO)
		return xstrdup(i == SHELL_FIFO ? "shell.in" : "shell.out");
	return xstrdup(power_fifos[i - POWER_FIFO]);
}

static int nr_fifos(const struct lab *lab)
{
	return lab->fencing ? NR_FIFOS : POWER_FIFO;
}

/* ---- images ---- */

char *start_image(const struct lab *lab, const struct guest_conf *guest,
		  const struct disk *disk)
{
	if (disk->image && disk->size && disk->in_run)
		return xasprintf("%s%s", lab->run, strrchr(disk->image, '/'));
	if (disk->image)
		return xstrdup(disk->image);
	return xasprintf("%s/%s-%s.%s", lab->run, guest->name, disk->name,
			 disk->backing ? "cow" : "img");
}

/* NULL: the disk has no write log. */
static char *log_path(const struct lab *lab, const struct disk *disk)
{
	if (!disk->log || strchr(disk->log, '/'))
		return disk->log ? xstrdup(disk->log) : NULL;
	return xasprintf("%s/%s", lab->run, disk->log);
}

/* @all: those that are not there yet, too. */
static void add_file(struct strings *files, char *path, bool all)
{
	size_t i;

	for (i = 0; i < files->n; i++)
		if (!strcmp(files->s[i], path))
			break;
	if (i < files->n || (!all && access(path, F_OK)))
		free(path);
	else
		strings_add(files, path);
}

static void list_files(const struct lab *lab, struct strings *files, bool all)
{
	const struct guest_conf *guest;
	size_t i;

	for (guest = lab->guest; guest < lab->guest + lab->nr_guests; guest++) {
		if (guest->rootfs_disk)
			add_file(files, xasprintf("%s/%s.root.cow", lab->run,
						  guest->name), all);
		for (i = 0; i < guest->nr_disks; i++) {
			if (!guest->disk[i].ro || (all && guest->disk[i].size))
				add_file(files, start_image(lab, guest,
							    &guest->disk[i]), all);
			if (guest->disk[i].log)
				add_file(files, log_path(lab, &guest->disk[i]), all);
		}
	}
}

void start_files(const struct lab *lab, struct strings *files)
{
	list_files(lab, files, false);
}

bool start_writes(const struct lab *lab, const char *path)
{
	struct strings files = { 0 };
	size_t i;

	list_files(lab, &files, true);
	for (i = 0; i < files.n && strcmp(files.s[i], path); i++)
		;
	return i < files.n;
}

void start_claim(struct lab *lab)
{
	struct strings files = { 0 };
	size_t i;

	list_files(lab, &files, true);
	for (i = 0; i < files.n; i++)
		made_claim(lab, files.s[i]);
}

/* Deltas are made by the driver. */
static bool make_image(const char *path, uint64_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0 && errno == EEXIST)
		return true;
	if (fd < 0 || ftruncate(fd, size)) {
		say("%s: cannot be made: %m", path);
		if (fd >= 0) {
			unlink(path);
			close(fd);
		}
		return false;
	}
	close(fd);
	return true;
}

bool start_images(const struct lab *lab, const struct guest_conf *guest)
{
	bool ok = true;
	char *path;
	size_t i;

	for (i = 0; i < guest->nr_disks && ok; i++) {
		if (!guest->disk[i].size)
			continue;
		path = start_image(lab, guest, &guest->disk[i]);
		ok = make_image(path, guest->disk[i].size);
		free(path);
	}
	return ok;
}

/* ---- the command line ---- */

static void put_flag(FILE *out, const char *word, bool is)
{
	if (is)
		fprintf(out, ",%s", word);
}

static void put_word(FILE *out, const char *word, const char *value)
{
	if (value)
		fprintf(out, ",%s=%s", word, value);
}

/* For the lists in lab.h: of a section of that name, to `out`. */
#define ADD_FLAG(section, word)	put_flag(out, #word, (section)->word);
#define ADD_WORD(section, word)	put_word(out, #word, (section)->word);

#define ADD(words, ...) strings_add(words, xasprintf(__VA_ARGS__))

/*
 * A kernel draws from its command line, too: in virtual time no path in it says where
 * the lab is, and guests are in the live folder.
 */
static const char *live_of(const struct lab *lab)
{
	return lab->virtual ? "." : lab->live;
}

static void add_disk(const struct lab *lab, const struct guest_conf *guest,
		     const struct disk *disk, struct strings *words)
{
	char *path = start_image(lab, guest, disk), *text = NULL;
	char *log = log_path(lab, disk);
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fprintf(out, "%s=%s", disk->name, path);
	if (disk->backing)
		fprintf(out, ",backing=%s", disk->backing);
	if (disk->raw)
		fprintf(out, ",raw");
	if (log)
		fprintf(out, ",log=%s", log);
	DISK_FLAGS(ADD_FLAG)
	DISK_WORDS(ADD_WORD)
	fclose(out);
	free(log);
	strings_add(words, text);
	free(path);
}

static void add_nic(const struct lab *lab, const struct nic *nic,
		    struct strings *words)
{
	char *text = NULL;
	size_t i, len;
	FILE *out = open_memstream(&text, &len);

	fprintf(out, "%s=switch,%s/seg/%s", nic->name, live_of(lab), nic->segment);
	NIC_WORDS(ADD_WORD)
	put_word(out, "latency", lab->virtual ? nic->latency : NULL);
	fclose(out);
	strings_add(words, text);
	for (i = 0; i < nic->ip.n; i++)
		ADD(words, "ip=%s:%s", nic->name, nic->ip.s[i]);
}

static void add_serial(const struct lab *lab, const struct serial *serial,
		       struct strings *words)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (serial->link)
		fprintf(out, "%s=link,%s/link/%s", serial->name, live_of(lab), serial->link);
	else
		fprintf(out, "%s=%s", serial->name, serial->transport);
	SERIAL_WORDS(ADD_WORD)
	fclose(out);
	strings_add(words, text);
}

/* The kernel itself tells what it knows; most labs have one. */
bool start_knows(const char *kernel, const char *word)
{
	static char *asked;
	static struct strings known;
	char *line = NULL;
	size_t size = 0, i;
	FILE *in;

	if (!asked || strcmp(asked, kernel)) {
		free(asked);
		asked = xstrdup(kernel);
		while (known.n)
			free(known.s[--known.n]);
		in = quote_run("", kernel, " --help 2>/dev/null");
		while (in && getline(&line, &size, in) >= 0)
			strings_add(&known, xstrdup(line));
		if (in)
			pclose(in);
		free(line);
	}
	for (i = 0; i < known.n; i++)
		if (!strncmp(known.s[i], word, strlen(word)))
			return true;
	return false;
}

static void add_words(struct strings *words, const char *text)
{
	char *copy = xstrdup(text), *pos = copy, *word;

	while ((word = strsep(&pos, " \t")))
		if (*word)
			strings_add(words, xstrdup(word));
	free(copy);
}

/*
 * A kernel takes few texts, but long ones: rules that need no quotes go in one, in
 * their order. Two kinds of quotes in one it could not tell apart.
 */
static void add_faults(const struct guest_conf *guest, uint64_t seed,
		       struct strings *words)
{
	char *text = xasprintf("seed %llu", (unsigned long long)seed), *more;
	bool quoted = false, before;
	size_t i;

	for (i = 0; i < guest->fault.n; i++) {
		const char *rule = guest->fault.s[i];
		const char *add = strncmp(rule, "add ", 4) ? "add " : "";

		before = quoted;
		quoted = strpbrk(rule, "'\"");
		if (quoted || before) {
			ADD(words, "umf=%s", text);
			more = xasprintf("%s%s", add, rule);
		} else {
			more = xasprintf("%s; %s%s", text, add, rule);
		}
		free(text);
		text = more;
	}
	ADD(words, "umf=%s", text);
	free(text);
}

static void add_time(const struct lab *lab, const struct guest_conf *guest, uint64_t seed,
		     struct strings *words)
{
	ADD(words, "time-travel=ext:%zu:clock", (size_t)(guest - lab->guest) + 1);
	ADD(words, "time-travel-cost=%d", SYSCALL_NS);
	ADD(words, "random-seed=%llu", (unsigned long long)seed);
}

static void make_words(const struct lab *lab, const struct guest_conf *guest,
		       uint64_t seed, struct strings *words)
{
	size_t i;

	strings_add(words, xstrdup(guest->kernel));
	ADD(words, "umid=%s", guest->name);
	ADD(words, "uml_dir=%s/uml/", live_of(lab));
	ADD(words, "hostname=%s", guest->name);
	ADD(words, "mem=%s", guest->memory);
	ADD(words, "con=null");
	ADD(words, "con0=null,fd:1");
	for (i = 0; i < NR_AGENTS; i++) {
		ADD(words, "con%zu=fd:%zu,fd:%zu", 2 * i + 1, FIRST_FD + 3 * i,
		    FIRST_FD + 3 * i + 1);
		ADD(words, "con%zu=null,fd:%zu", 2 * i + 2, FIRST_FD + 3 * i + 2);
		ADD(words, "agent=tty%zu,tty%zu", 2 * i + 1, 2 * i + 2);
	}
	ADD(words, "con%d=fd:%d,fd:%d", SHELL_TTY, FIRST_FD + SHELL_FIFO,
	    FIRST_FD + SHELL_FIFO + 1);
	ADD(words, "shell=tty%d", SHELL_TTY);
	if (lab->fencing)
		ADD(words, "con%d=fd:%d,fd:%d", POWER_TTY, FIRST_FD + POWER_FIFO,
		    FIRST_FD + POWER_FIFO + 1);
	ADD(words, "kunit.enable=0");
	if (start_knows(guest->kernel, "seccomp="))
		ADD(words, "seccomp=on");
	if (guest->rootfs_disk) {
		ADD(words, "umfr=%s/%s.root.cow,backing=%s", lab->run,
		    guest->name, guest->rootfs);
		ADD(words, "root=/dev/umfr");
		ADD(words, "rw");
	} else if (lab->virtual) {
		ADD(words, "initrd=./guest/%s/rootfs", guest->name);
	} else {
		ADD(words, "initrd=%s", guest->rootfs);
	}
	if (lab->virtual)
		add_time(lab, guest, seed, words);
	for (i = 0; i < guest->nr_nics; i++)
		add_nic(lab, &guest->nic[i], words);
	for (i = 0; i < guest->nr_shares; i++)
		ADD(words, "share=%s:%s%s", guest->share[i].folder, guest->share[i].at,
		    guest->share[i].ro ? ":ro" : "");
	for (i = 0; i < guest->nr_serials; i++)
		add_serial(lab, &guest->serial[i], words);
	for (i = 0; i < guest->nr_disks; i++)
		add_disk(lab, guest, &guest->disk[i], words);
	add_faults(guest, seed, words);
	/* last, so that it may say everything anew */
	if (guest->append)
		add_words(words, guest->append);
}

/* ---- the process ---- */

int start_cpu(const struct guest_conf *guest, size_t turn)
{
	cpu_set_t set;
	int cpu, n;

	if (guest->cpu != -1)
		return guest->cpu < 0 ? -1 : guest->cpu;
	if (sched_getaffinity(0, sizeof(set), &set))
		return -1;
	n = turn % CPU_COUNT(&set);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set) && !n--)
			return cpu;
	return -1;
}

/* The parent reads what went wrong; nothing, when the pipe closes at exec. */
__attribute__((noreturn))
static void fail(int pipe, const char *what)
{
	dprintf(pipe, "%s: %s", what, strerror(errno));
	_exit(127);
}

/* In the child. The record is first: from then on the guest is known. */
__attribute__((noreturn))
static void become_guest(const char *record, const char *log, const char *in,
			 const int *fifos, int n, int cpu, struct strings *words, int pipe)
{
	static const int defaults[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	cpu_set_t set;
	sigset_t none;
	size_t i;
	int fd, err, k;

	setsid();
	err = process_write(record);
	if (err) {
		errno = -err;
		fail(pipe, record);
	}
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		fail(pipe, log);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || dup2(fd, 0) < 0)
		fail(pipe, "/dev/null");
	if (cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			dprintf(2, NAME ": CPU %d: %s; the guest is not pinned\n",
				cpu, strerror(errno));
	}
	for (k = 0; k < n; k++)
		if (dup2(fifos[k], FIRST_FD + k) < 0)
			fail(pipe, "a console");
	if (in && chdir(in))
		fail(pipe, in);
	for (i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		signal(defaults[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(words->s[0], words->s);
	fail(pipe, words->s[0]);
}

/*
 * New ones: what a former guest left in them is not this one's. Those of the
 * power switch are its own, and it tells old from new by itself.
 */
static bool open_fifos(const struct lab *lab, const char *guest, int *fifos)
{
	char *name, *path;
	int i, fd;

	for (i = 0; i < nr_fifos(lab); i++) {
		name = fifo_name(i);
		path = guest_file(lab, guest, name);
		if (i < POWER_FIFO)
			unlink(path);
		fd = i < POWER_FIFO && mkfifo(path, 0600) ? -1 :
		     open(path, O_RDWR | O_CLOEXEC);
		/* out of the way of the guest's own */
		fifos[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 100);
		if (fifos[i] < 0)
			say("%s: %m", path);
		if (fd >= 0)
			close(fd);
		free(path);
		free(name);
		if (fifos[i] < 0)
			return false;
	}
	return true;
}

/* Until the child is a guest; false, and a line, if it never will be. */
static bool wait_exec(int fd, const char *guest)
{
	char why[512];
	ssize_t len, all = 0;

	while ((len = read(fd, why + all, sizeof(why) - 1 - all)) > 0)
		all += len;
	why[all] = '\0';
	if (all)
		say("guest %s is not started: %s", guest, why);
	return !all;
}

static bool note(const struct lab *lab, const char *guest, const char *name,
		 int value)
{
	char *path = guest_file(lab, guest, name);
	FILE *out = fopen(path, "we");
	bool ok = out;

	if (out) {
		fprintf(out, "%d\n", value);
		ok = !(ferror(out) | fclose(out));
	}
	if (!ok)
		say("%s: %m", path);
	free(path);
	return ok;
}

/* Under a name that is the same wherever the image is. */
static bool link_rootfs(const struct lab *lab, const struct guest_conf *guest)
{
	char *path = guest_file(lab, guest->name, "rootfs");
	bool ok;

	unlink(path);
	ok = !symlink(guest->rootfs, path);
	if (!ok)
		say("%s: %m", path);
	free(path);
	return ok;
}

/* Forks it and waits until it is the guest; false, and a line, if it never is. */
static bool run_guest(const struct lab *lab, const struct guest_conf *guest, int cpu,
		      struct strings *words, const int *fifos)
{
	char *record = guest_file(lab, guest->name, "pid");
	char *log = guest_log(lab, guest->name);
	int pipe[2], fd;
	bool ok = false;
	pid_t pid = -1;

	unlink(record);
	if (pipe2(pipe, O_CLOEXEC)) {
		say("%s: %m", guest->name);
	} else {
		/* out of the way of the guest's own, as the FIFOs are */
		fd = fcntl(pipe[1], F_DUPFD_CLOEXEC, 100);
		close(pipe[1]);
		pid = fork();
		if (!pid)
			become_guest(record, log, lab->virtual ? lab->live : NULL,
				     fifos, nr_fifos(lab), cpu, words, fd);
		if (pid < 0)
			say("%s: %m", guest->name);
		close(fd);
		ok = pid > 0 && wait_exec(pipe[0], guest->name);
		close(pipe[0]);
	}
	free(log);
	free(record);
	return ok;
}

static bool fits(const struct lab *lab, const struct guest_conf *guest,
		 const struct strings *words)
{
	size_t w, len = 0, texts = 0;

	for (w = 1; w < words->n; w++) {
		len += strlen(words->s[w]) + 3;
		texts += !strncmp(words->s[w], "umf=", 4);
	}
	if (len > COMMAND_LINE)
		say("%s: guest %s: its command line has %zu bytes, %zu more than a kernel %s",
		    lab->file, guest->name, len, len - COMMAND_LINE,
		    "takes; shorter paths, or fewer faults");
	else if (texts > BOOT_TEXTS)
		say("%s: guest %s: a kernel takes %d texts of first faults, not %zu; %s",
		    lab->file, guest->name, BOOT_TEXTS, texts,
		    "those without quotes are one");
	return len <= COMMAND_LINE && texts <= BOOT_TEXTS;
}

static void free_words(struct strings *words)
{
	while (words->n)
		free(words->s[--words->n]);
	free(words->s);
}

bool start_fits(const struct lab *lab, const struct guest_conf *guest)
{
	struct strings words = { 0 };
	bool ok;

	make_words(lab, guest, UINT64_MAX, &words);
	ok = fits(lab, guest, &words);
	free_words(&words);
	return ok;
}

bool start_guest(const struct lab *lab, const struct guest_conf *guest, int cpu,
		 uint64_t seed)
{
	char *ready = guest_file(lab, guest->name, "ready");
	char *uml = xasprintf("%s/uml/%s", lab->live, guest->name);
	struct strings words = { 0 };
	int fifos[NR_FIFOS], i, log;
	bool ok;

	make_words(lab, guest, seed, &words);
	ok = fits(lab, guest, &words);
	strings_add(&words, NULL);
	memset(fifos, -1, sizeof(fifos));
	if (ok) {
		unlink(ready);
		remove_tree(uml);
	}
	nodelog_note(lab, false);
	log = nodelog_lock(lab);
	ok = ok && note(lab, guest->name, "cpu", cpu) && version_note(lab, guest) &&
	     (!lab->virtual || link_rootfs(lab, guest)) &&
	     open_fifos(lab, guest->name, fifos) &&
	     run_guest(lab, guest, cpu, &words, fifos);
	if (ok)
		nodelog_did(log, lab, guest->name, "started");
	nodelog_unlock(log);
	for (i = 0; i < NR_FIFOS; i++)
		if (fifos[i] >= 0)
			close(fifos[i]);
	free_words(&words);
	free(ready);
	free(uml);
	return ok;
}
