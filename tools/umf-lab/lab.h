/* SPDX-License-Identifier: GPL-2.0 */
/* umf-lab: what its files share. Grouped by the file that has it. */
#ifndef __UMF_LAB_H
#define __UMF_LAB_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifndef UMF_VERSION
#define UMF_VERSION	"0.1"
#endif
#define NAME		"umf-lab"
#define NAME_LEN	31	/* of a lab, a guest, a segment, a link */
#define NR_AGENTS	3	/* commands that a guest runs at once */

/* Exit statuses of all verbs; exec's are the command's and the last two. */
enum {
	LAB_DONE	= 0,
	LAB_FAILED	= 1,
	LAB_USAGE	= 2,	/* command line or lab file; nothing was done */
	LAB_TIMEOUT	= 124,
	LAB_GONE	= 125,	/* the guest does not run, or ended meanwhile */
};

struct strings {
	char **s;
	size_t n;
};

/* ---- config.c: the lab file ---- */

struct nic {
	char *name;		/* eth0 */
	char *segment, *mac, *mtu;
	struct strings ip;	/* <address>/<length>[:<gateway>] */
};

struct serial {
	char *name;		/* ttyS0 */
	char *link;		/* a name, or NULL and */
	char *transport;	/* what the driver takes: pty, null, tcp,<port>, … */
};

struct disk {
	char *name;		/* umfa */
	char *image, *backing;	/* absolute paths, or NULL */
	bool in_run;		/* the image is named without a folder and made */
	uint64_t size;		/* the image is made when it is not there */
	char *cache, *order, *serial, *logical, *physical;
	bool shared, ro;
	bool cow, raw;		/* format =; neither: not said */
};

struct guest_conf {
	char *name;
	char *kernel;		/* path */
	char *kernel_said;	/* as written */
	char *rootfs;		/* path */
	bool rootfs_disk;	/* an image; else an initramfs */
	char *memory;
	char *append;
	char *setup;		/* path of a script for the guest, or NULL */
	int cpu;		/* -1: in turn, -2: not pinned */
	struct strings fault;
	struct nic *nic;
	size_t nr_nics;
	struct serial *serial;
	size_t nr_serials;
	struct disk *disk;
	size_t nr_disks;
};

struct lab {
	char *file;		/* as given, for messages */
	char *name;
	char *folder;		/* of the file, absolute */
	char *run;		/* the run folder, absolute */
	char *live;		/* the live folder; place.c */
	bool seeded;
	uint64_t seed;
	bool fencing;		/* guests reach a power switch */
	char *kernel;		/* of guests that name none, as said */
	struct strings said;	/* paths in the file, as said */
	struct strings segment;
	struct guest_conf *guest;
	size_t nr_guests;
};

/* Ends the tool with one line if the file is wrong. */
void config_read(struct lab *lab, const char *file, const char *kernel);
struct guest_conf *lab_guest(struct lab *lab, const char *name);
/* Is @name fit for files, sockets and command lines? */
bool name_is_good(const char *name);

/* ---- place.c: folders, lock ---- */

/*
 * The run folder, beside the lab file, keeps what outlives the lab: logs,
 * deltas, images. The live folder, on tmpfs and for the user alone, has what
 * ends with it: segments, links, consoles, UML's own folder, records of
 * processes.
 */
void place_find(struct lab *lab, const char *run);
bool place_is_live(const struct lab *lab);
void place_make(struct lab *lab);
void place_remove(struct lab *lab);	/* the live folder */
/* Only one up, down or the like at a time; the line says who has it. */
void place_lock(struct lab *lab, const char *verb);
char *place_tool(const char *path);	/* beside the tool's own folder */
char *guest_file(const struct lab *lab, const char *guest, const char *name);
char *guest_log(const struct lab *lab, const char *guest);
void remove_tree(const char *path);
char *read_line_of(const char *path);	/* NULL: not there */

/* ---- state.c: guests' processes ---- */

enum guest_state {
	GUEST_DOWN,		/* never started, or taken down */
	GUEST_ENDED,		/* was started, runs no more */
	GUEST_BOOTING,
	GUEST_READY,
	GUEST_FROZEN,
};

struct process {
	pid_t pid;
	unsigned long long start;	/* clock ticks since the host booted */
};

/* The record of a guest's process; false: there is none. */
bool process_read(const struct lab *lab, const char *guest, struct process *p);
/* In the guest's process-to-be, before it execs: no guest without a record. */
int process_write(const char *path);
bool process_alive(const struct process *p);
bool process_stopped(const struct process *p);
bool process_read_from(const char *path, struct process *p);
/* With all others of its session; only if it is still the one. */
void process_kill(const struct process *p);
void process_freeze(const struct process *p);
void process_thaw(const struct process *p);
enum guest_state guest_state(const struct lab *lab, const char *guest);
const char *guest_state_name(enum guest_state state);
void guest_set_ready(const struct lab *lab, const char *guest);

struct options;

/* ---- start.c ---- */

/* Makes the images that are to be made; false, and a line, if one cannot be. */
bool start_images(const struct lab *lab, const struct guest_conf *guest);
/* Starts it on that CPU (-1: any); false, and a line, if it cannot be. */
bool start_guest(const struct lab *lab, const struct guest_conf *guest, int cpu,
		 uint64_t seed);
/* The files that guests write and that are there, each once. */
void start_files(const struct lab *lab, struct strings *files);
int start_cpu(const struct guest_conf *guest, size_t turn);

/* ---- setup.c ---- */

/* Runs the guests' setup scripts: 0; 1 and what was wrong; -EINTR. */
int setup_guests(const struct lab *lab, struct guest_conf **list, size_t n,
		 int64_t end, bool quiet, const sigset_t *open);

/* ---- power.c: the lab's power switch ---- */

/* The console that reaches it from the guest, one way each; NULL-terminated. */
extern const char * const power_fifos[];
/* Starts the process; the guests come after it. */
void power_start(const struct lab *lab);
void power_stop(const struct lab *lab);
int power_verb(struct lab *lab, const struct options *opt, char **args);

/* ---- agent.c ---- */

struct agent;

/* One of the guest's agents that nobody uses, or NULL: there is none now. */
struct agent *agent_open(const struct lab *lab, const char *guest);
/* The first one, whoever uses it: to learn that it is there, or to say the last word. */
struct agent *agent_first(const struct lab *lab, const char *guest);
bool agent_is_ready(struct agent *agent);
/*
 * Runs @command, its output to stdout and stderr. Returns its status, LAB_GONE,
 * LAB_TIMEOUT (not begun or not ended in time; times of now_ns(), 0: never), or
 * -EINTR after a signal of those that @open lets in. *@begun: did it begin?
 */
int agent_run(struct agent *agent, const char *command, int64_t begin_by,
	      int64_t end_by, const sigset_t *open, bool *begun);
/* Sends a short command and waits for nothing. */
void agent_tell(struct agent *agent, const char *command);
void agent_close(struct agent *agent);

/* ---- lose.c: what is sent to a frozen guest ---- */

/*
 * From now on it is lost; or kept again, before the guest goes on. The guest's
 * processes are stopped. False: the guest's segments cannot be reached.
 */
bool lose_begin(const struct process *p);
bool lose_end(const struct process *p);

/* ---- up.c, exec.c, … : verbs ---- */

struct options {
	bool json, wipe, fresh, kill, lose, quiet, follow, xterm, iso;
	bool timed;
	uint64_t timeout;	/* ns */
	bool seeded;
	uint64_t seed;
};

/* A moment, in which signals of @open may come. */
void up_pause(const sigset_t *open);
/* The last lines of a log, each with the guest's name in front. */
void log_show(const char *path, const char *guest);
/* At once, and waits until they are gone. */
void up_end_guests(const struct lab *lab, struct guest_conf **list, size_t n);
/* Starts one guest of a lab that is up, and does not wait for it. */
bool up_one(struct lab *lab, struct guest_conf *guest);
/* Of a lab that is up, with its seed. */
int up_again(struct lab *lab, struct guest_conf **list, size_t n,
	     const struct options *opt);
int up_verb(struct lab *lab, const struct options *opt, char **args);
int down_verb(struct lab *lab, const struct options *opt, char **args);
int restart_verb(struct lab *lab, const struct options *opt, char **args);
int status_verb(struct lab *lab, const struct options *opt, char **args);
int exec_verb(struct lab *lab, const struct options *opt, char **args);
int env_verb(struct lab *lab, const struct options *opt, char **args);
int fault_verb(struct lab *lab, const struct options *opt, char **args);
int kill_verb(struct lab *lab, const struct options *opt, char **args);
int freeze_verb(struct lab *lab, const struct options *opt, char **args);
int thaw_verb(struct lab *lab, const struct options *opt, char **args);
int wait_verb(struct lab *lab, const struct options *opt, char **args);
int logs_verb(struct lab *lab, const struct options *opt, char **args);
int console_verb(struct lab *lab, const struct options *opt, char **args);
int snapshot_verb(struct lab *lab, const struct options *opt, char **args);
int rollback_verb(struct lab *lab, const struct options *opt, char **args);
int gdb_verb(struct lab *lab, const struct options *opt, char **args);
int pack_verb(struct lab *lab, const struct options *opt, char **args);
int unpack_verb(struct lab *lab, const struct options *opt, char **args);

/* ---- main.c ---- */

int64_t now_ns(void);
/* One line, with the tool's name in front. */
__attribute__((format(printf, 1, 2))) void say(const char *fmt, ...);
__attribute__((noreturn, format(printf, 2, 3)))
void die(int status, const char *fmt, ...);
void strings_add(struct strings *list, char *s);	/* takes it over */
/* The guests that @args name; all of them if it names none. Ends the tool. */
void pick_guests(struct lab *lab, char **args, struct guest_conf ***list,
		 size_t *n);

#endif /* __UMF_LAB_H */
