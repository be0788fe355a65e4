/* SPDX-License-Identifier: GPL-2.0 */
/* umf-lab: what its files share. Grouped by the file that has it. */
#ifndef __UMF_LAB_H
#define __UMF_LAB_H

#include <signal.h>
#include <stdarg.h>
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

/*
 * What the drivers take as it is: "<word>=<value>", and flags, which are there or
 * not. config.c reads these lists, check.c has what the values may be, record.c and
 * start.c write them.
 */
#define NIC_WORDS(X)	X(nic, mac) X(nic, mtu)
#define SERIAL_WORDS(X)	X(serial, pace)
#define DISK_WORDS(X)	X(disk, cache) X(disk, order) X(disk, serial) X(disk, logical) \
			X(disk, physical) X(disk, engine)
#define DISK_FLAGS(X)	X(disk, shared) X(disk, ro) X(disk, direct)
#define WORD_MEMBER(section, word)	char *word;
#define FLAG_MEMBER(section, word)	bool word;

struct nic {
	char *name;		/* eth0 */
	char *segment;
	char *latency;		/* of the segment, or NULL */
	NIC_WORDS(WORD_MEMBER)
	struct strings ip;	/* <address>/<length>[:<gateway>] */
};

struct serial {
	char *name;		/* ttyS0 */
	char *link;		/* a name, or NULL and */
	char *transport;	/* what the driver takes: pty, null, tcp,<port>, … */
	SERIAL_WORDS(WORD_MEMBER)
};

struct disk {
	char *name;		/* umfa */
	char *image, *backing;	/* absolute paths, or NULL */
	bool in_run;		/* the image is named without a folder and made */
	uint64_t size;		/* the image is made when it is not there */
	char *log;		/* a path; without a folder: in the run folder */
	DISK_WORDS(WORD_MEMBER)
	DISK_FLAGS(FLAG_MEMBER)
	bool cow, raw;		/* format =; neither: not said */
};

struct share {
	char *folder;		/* absolute path */
	char *at;		/* … in the guest */
	bool ro;
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
	struct share *share;
	size_t nr_shares;
};

struct lab {
	/* the record (record.c), or at `up` the lab file */
	char *path;		/* of the lab file, canonical */
	char *name;
	char *folder;		/* of the file, canonical */
	char *run;		/* the run folder, canonical */
	uint64_t seed;
	bool fencing;		/* guests reach a power switch */
	bool virtual;		/* its guests live in virtual time */
	char *kernel;		/* of guests that name none, as said */
	struct strings segment;
	struct guest_conf *guest;
	size_t nr_guests;

	/* the tool's own */
	char *file;		/* as given, for messages */
	char *live;		/* the live folder; place.c */
	bool seeded;
	struct strings said;	/* paths in the file, as the file says them … */
	struct strings found;	/* … and where each is */
	bool recorded;		/* read from a record, not from a lab file */
	bool up;		/* there is a live folder */
	bool damaged;		/* … whose record cannot be read */
	char *elsewhere;	/* another run folder of that file, which is up */
	struct strings made;	/* made.c */
	bool made_folder;
};

/* Ends the tool with one line if the file is wrong. */
void config_read(struct lab *lab, const char *file, const char *kernel);
struct guest_conf *lab_guest(struct lab *lab, const char *name);
/* Is @name fit for files, sockets and command lines? */
bool name_is_good(const char *name);

/* ---- expand.c, text.c: the lab file as libconfuse has it ---- */

/* The flat text; ends the tool if a file, a variable or a range is wrong. */
const char *expand_file(struct lab *lab, const char *path);

/* Where something stands that the user wrote. */
struct text_at {
	const char *file;	/* as in messages */
	int line;
	size_t column;		/* from 1; 0: not known */
	const char *guest;	/* of a range, or NULL */
	const char *folder;	/* of the file, for said_find() */
	const char *from;	/* the file that includes it, or NULL */
	int from_line;
};

/* Where that line of the flat text, and @word (NULL: none) in it, comes from. */
struct text_at text_find(int line, const char *word);
/* The one line that tells what is wrong. */
__attribute__((format(printf, 2, 0)))
void text_say(const struct text_at *at, const char *fmt, va_list ap);

/* ---- var.c: variables of the lab file ---- */

#define VAR_NUMBER	"n"	/* not one of them, but a guest's number */

bool var_name_is_good(const char *name);
/* "<name>=<value>" of the command line; ends the tool if it is none. */
void var_give(const char *text);
bool var_given(void);
/* A name that was given, and that nothing uses; NULL: there is none. */
const char *var_unused(void);
/* Nothing, if it has a value already; @file's `set` at "<file>:<line>" @where. */
void var_set(const char *name, const char *value, const void *file, const char *where);
/* The file whose `set` gave the value, and where; NULL: none did. */
const void *var_owner(const char *name, const char **where);
/* Of that, or of env:NAME; NULL: it has none, and var_wrong() says why. */
const char *var_value(const char *name);
const char *var_wrong(const char *name);
/* umf-lab.set, beside a lab file that was packed. */
void var_read_packed(const char *folder);
bool var_write_packed(FILE *out);

/* ---- said.c: paths in the lab file ---- */

/* The folder of a path, both as said; "": the lab file's own. */
char *said_folder(const char *said);
/* Where it is that a file in @folder calls @path; and as the lab file would say it in *@as. */
char *said_find(struct lab *lab, const char *folder, const char *path, char **as);

/* ---- quote.c ---- */

/* As one word of a shell. */
void quote(FILE *out, const char *word);
/* The output of a shell's command with such a word in it; pclose(). NULL: there is none. */
FILE *quote_run(const char *before, const char *word, const char *behind);

/* ---- check.c ---- */

/* NULL: it is good, or of no such kind; else what it must be. */
const char *word_wrong(const char *section, const char *key, const char *word);
/* "<address>/<length>" of an ip =, as the kernel writes it; NULL: it is none. */
char *word_address(const char *word);

/* ---- rule.c ---- */

/* A first fault as a kernel takes it, match= compiled; NULL, and what is wrong in *@why. */
char *rule_text(const char *said, char **why);

/* ---- path.c ---- */

/*
 * Absolute, without links, dots and doubled slashes; what is not there yet is
 * kept as said. NULL: the current folder is gone.
 */
char *path_canonical(const char *path);
/* The rest of @path behind @folder, both canonical; NULL: it is not below. */
const char *path_below(const char *path, const char *folder);
/* Is a relative path what it looks like: no ".", "..", nor empty parts? */
bool path_is_plain(const char *name);

/* ---- digest.c ---- */

#define DIGEST_LEN	64	/* hexadecimal digits */

struct digest {
	bool data;		/* of a file with holes, of its data only */
	char hex[DIGEST_LEN + 1];
};

/* False: the file cannot be read, or there is no sha256sum. */
bool digest_of(const char *path, struct digest *digest);
const char *digest_kind(const struct digest *digest);

/* ---- record.c ---- */

struct json_t;

/* NULL, and a line, if it cannot be. */
struct json_t *record_make(const struct lab *lab);
/* The whole of it or nothing; false, and a line, if it cannot be. */
bool record_write(const struct json_t *record, const char *path);
/* False, and @lab is as before, if it is none, or another run folder's. */
bool record_take(struct lab *lab, const struct json_t *record);
/* As it is for a lab that was copied, folder and all; NULL: it was not. */
struct json_t *record_move(const struct json_t *record, const char *run);
/* Of the lab that is up, in its live folder. */
bool record_save(const struct lab *lab);
bool record_read(struct lab *lab);

/* ---- version.c: what guests were started from ---- */

/* False, and a line, if it cannot be written. */
bool version_note(const struct lab *lab, const struct guest_conf *guest);
bool version_note_tools(const struct lab *lab);
/* NULL: nothing is known. */
struct json_t *version_of(const struct lab *lab, const char *guest);
struct json_t *version_of_tools(const struct lab *lab);

/* ---- made.c: files in the run folder that a lab has made ---- */

/* @take: and what the lab was that was up last. */
void made_read(struct lab *lab, bool take);
bool made_write(const struct lab *lab);
bool made_is(const struct lab *lab, const char *path);
/* Is about to be made; nothing if somebody's file is there. */
void made_claim(struct lab *lab, const char *path);
/* Removes the file if the lab has made it, and its name. */
bool made_remove(struct lab *lab, const char *path);
/* All of them, snapshots too, and the folder if that is the lab's and empty then. */
void made_wipe(struct lab *lab);

/* ---- lab.c: which lab is meant ---- */

/* Finds the lab of -f and --run, or of the current folder, and reads its record. */
void lab_find(struct lab *lab, const char *file, const char *run);
/* With each lab of this user that is up. */
void lab_each(void (*with)(struct lab *lab, void *arg), void *arg);
/* The one *.lab here; NULL: *@n are. */
char *lab_only_file(size_t *n);
__attribute__((noreturn)) void lab_no_file(size_t n);
/* Takes the lab's lock, and ends what one that was killed has left half done. */
void lab_lock(struct lab *lab, const char *verb);
/* These end the tool. */
void lab_need_record(const struct lab *lab);
void lab_need_up(const struct lab *lab);
void lab_need_ended(const struct lab *lab);
void lab_say_elsewhere(const struct lab *lab);
/* Guests that the live folder has and the record has not. */
void lab_add_found(struct lab *lab);
/* The guest of that name. Ends the tool if there is none. */
struct guest_conf *pick_guest(struct lab *lab, const char *name);
/* The guests that @args name; all of them if it names none. Ends the tool. */
void pick_guests(struct lab *lab, char **args, struct guest_conf ***list,
		 size_t *n);
/* "n1,n2", or "all". Is it a list, even if of one? Ends the tool. */
bool pick_list(struct lab *lab, const char *names, struct guest_conf ***list, size_t *n);

struct virtual_time;

/* ---- nodelog.c: what became of the guests ---- */

#define UTC_LEN		40
#define NODELOG_LAB	"-"	/* in the place of a guest's name: the lab itself */

/* In ns, of the host or of a lab in virtual time; as 2026-11-30T15:06:41.123456Z; and back, past the blank behind it. */
int64_t utc_now(void);
void utc_virtual(const struct virtual_time *time);	/* it is that; NULL: the host's */
char *utc_text(int64_t utc, char text[UTC_LEN]);
const char *utc_parse(const char *line, int64_t *utc);

void nodelog_verb(const char *name);	/* in whose name lines are written */
char *nodelog_path(const struct lab *lab);
void nodelog_begin(const struct lab *lab);
void nodelog_end(const struct lab *lab);
/* Held while something is done to a guest, and until that is written. -1: there is none. */
int nodelog_lock(const struct lab *lab);
void nodelog_unlock(int fd);
__attribute__((format(printf, 3, 4)))
void nodelog_say(int fd, const char *guest, const char *fmt, ...);
/* "<what> by <verb>", unless the guest has ended, is frozen or goes on already. */
void nodelog_did(int fd, const struct lab *lab, const char *guest, const char *what);
/* In virtual time, by who is told of it first. */
void nodelog_ended(const struct lab *lab, const char *guest);
void nodelog_booted_again(const struct lab *lab, const char *guest);
/* It is ready, if nobody has said that of this boot. */
void nodelog_ready(const struct lab *lab, const char *guest);
/* Cuts a line up; false: it is none. */
bool nodelog_line(char *line, int64_t *utc, char **guest, char **text);

struct nodelog;

struct nodelog *nodelog_open(const struct lab *lab);	/* NULL: there is none */
void nodelog_close(struct nodelog *nodelog);
/* Writes what guests have done by themselves since the last look. */
void nodelog_look(struct nodelog *nodelog);
/* The same, once; @seen: it was only now. */
void nodelog_note(const struct lab *lab, bool seen);

/* ---- place.c: folders, lock ---- */

/*
 * The run folder, beside the lab file, keeps what outlives the lab: logs,
 * deltas, images. The live folder, on tmpfs and for the user alone, has what
 * ends with it: the record, segments, links, consoles, UML's own folder,
 * records of processes.
 */
/* lab->file, path, folder. */
void place_file(struct lab *lab, const char *file);
/* Those, and run, live, up; @file or @run may be NULL. */
void place_find(struct lab *lab, const char *file, const char *run);
char *place_base(void);			/* of all live folders */
bool place_is_live(const struct lab *lab);
/* False, and a line, if they cannot be made. */
bool place_make_run(struct lab *lab);
bool place_make(const struct lab *lab);
void place_remove(struct lab *lab);	/* the live folder */
/* Only one up, down or the like at a time; the line says who has it. */
void place_lock(struct lab *lab, const char *verb);
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
bool process_traced(const struct process *p);	/* a debugger has it */
bool process_read_from(const char *path, struct process *p);
/* With all others of its session; only if it is still the one. */
void process_kill(const struct process *p);
void process_freeze(const struct process *p);
void process_thaw(const struct process *p);
enum guest_state guest_state(const struct lab *lab, const char *guest);
const char *guest_state_name(enum guest_state state);

struct options;

/* ---- start.c ---- */

/* Makes the images that are to be made; false, and a line, if one cannot be. */
bool start_images(const struct lab *lab, const struct guest_conf *guest);
/* Starts it on that CPU (-1: any); false, and a line, if it cannot be. */
bool start_guest(const struct lab *lab, const struct guest_conf *guest, int cpu,
		 uint64_t seed);
/* The file that the disk's data is written to, or read from. */
char *start_image(const struct lab *lab, const struct guest_conf *guest,
		  const struct disk *disk);
/* The files that guests write and that are there, each once. */
void start_files(const struct lab *lab, struct strings *files);
/* Is that a file that a guest writes, or `up` makes? */
bool start_writes(const struct lab *lab, const char *path);
/* Claims what is to be made (made.c). */
void start_claim(struct lab *lab);
int start_cpu(const struct guest_conf *guest, size_t turn);
/* Does the kernel take that word ("seccomp=") on its command line? */
bool start_knows(const char *kernel, const char *word);
/* Is it within what a kernel's command line has room for? False, and a line. */
bool start_fits(const struct lab *lab, const struct guest_conf *guest);

/* ---- cgroup.c ---- */

/* What this process's control group has left, if the host has that much swap; and whose limit it is. */
uint64_t cgroup_room(uint64_t swap, char **group);

/* ---- memory.c ---- */

/* Has the host as much as the guests may use? False, and a line that ends with @what_then. */
bool memory_fits(const struct lab *lab, const char *what_then);

/* ---- setup.c ---- */

/* Runs the guests' setup scripts: 0; 1 and what was wrong; -EINTR. */
int setup_guests(const struct lab *lab, struct guest_conf **list, size_t n,
		 int64_t end, bool quiet, const sigset_t *open);
char *setup_log(const struct lab *lab, const char *guest);

/* ---- virtual.c: a lab in virtual time ---- */

#define VIRTUAL_FDS	64	/* that are waited for at once */
#define VIRTUAL_DATE	1798761600000000000ULL	/* of its guests when it goes up, ns */

/* What time it is, for all to read: ns since the lab went up. */
struct virtual_time {
	uint64_t now;
	uint64_t zero[256];	/* of each guest: when its own time was 0 */
};

/* False, and a line, if it cannot be in virtual time. */
bool virtual_fits(const struct lab *lab);
uint64_t virtual_lookahead(const struct lab *lab);	/* ns */
/* They take turns: all are on one CPU, of which start_cpu() knows as that. */
size_t virtual_turn(const struct lab *lab, size_t turn);
char *virtual_file(const struct lab *lab, const char *name);	/* of the live folder */
char *virtual_socket(const struct lab *lab);
struct virtual_time *virtual_map(const struct lab *lab, bool make);
/* From now on, utc_now() is its time. Nothing if it is in real time. */
void virtual_use(const struct lab *lab);
/* The process; false, and a line, if it cannot be started. */
bool virtual_start(const struct lab *lab);
void virtual_stop(const struct lab *lab);
bool virtual_is_alive(const struct lab *lab);
bool virtual_has_time(const struct lab *lab);	/* that, and it has not failed */
/* Why its calendar has no more time, or NULL. */
char *virtual_why(const struct lab *lab);
/* In ns: of the lab, in virtual time; else as now_ns(). */
int64_t lab_now(const struct lab *lab);

/*
 * Time stands until this process lets some pass, or lets go, or ends. In real time these
 * do nothing. False, and a line: there is no calendar any more.
 */
bool virtual_hold(const struct lab *lab);
void virtual_let_go(void);
/* For processes that are forked: a hold for each, so that none has time pass before all have begun. */
int virtual_more(const struct lab *lab);
void virtual_drop(int hold);
void virtual_become(int hold);
/* Guests are at one instant; in the middle of a wait they are not. */
bool virtual_stand(const struct lab *lab);
/*
 * Until @until (lab_now(); 0: whenever), or something is there to read, or a guest
 * has come or gone; @guest, or NULL, has been sent something. 0; LAB_TIMEOUT;
 * LAB_FAILED, and a line; -EINTR. @watch: this process does not mind if none passes.
 */
int virtual_wait(const struct lab *lab, int64_t until, const char *guest, const int *fds,
		 size_t n, bool watch, const sigset_t *open);
/* A moment: of the lab, in virtual time. */
void virtual_pause(const struct lab *lab, int64_t ns, const sigset_t *open);
/* It has been started, is to be killed, …; false, and a line. */
bool virtual_do(const struct lab *lab, const char *verb, const char *guests, const sigset_t *open);
uint64_t virtual_tag(const struct lab *lab);
int time_verb(struct lab *lab, const struct options *opt, char **args);
int sleep_verb(struct lab *lab, const struct options *opt, char **args);
int run_until_verb(struct lab *lab, const struct options *opt, char **args);

/* ---- calendar.c: that process ---- */

__attribute__((noreturn)) void calendar_serve(struct lab *lab);

/* ---- power.c: the lab's power switch ---- */

/* The console that reaches it from the guest, one way each; NULL-terminated. */
extern const char * const power_fifos[];
/* Starts the process; the guests come after it. False, and a line, if it cannot be. */
bool power_start(const struct lab *lab);
void power_stop(const struct lab *lab);
/* Its record; false: there is none. */
bool power_read(const struct lab *lab, struct process *p);
bool power_is_alive(const struct lab *lab);
char *power_log(const struct lab *lab);
int power_verb(struct lab *lab, const struct options *opt, char **args);

/* ---- power_rule.c: its faults ---- */

enum power_what {
	POWER_DO,	/* what it was asked for, and answers */
	POWER_DROP,	/* nothing, and no answer */
	POWER_STUCK,	/* nothing, and says so */
	POWER_LIE,	/* nothing, and says that it is done */
	POWER_LATE,	/* when nobody waits for the answer any more */
};

enum power_state { POWER_NOBODY, POWER_IS_OFF, POWER_IS_ON };

struct power_verdict {
	enum power_what what;
	int64_t delay;		/* ns, before it does that */
	char *by;		/* "delay r1, lie r2", to be freed; NULL: by no rule */
};

struct power_rules;

struct power_rules *power_rules_new(const struct lab *lab);
/* @state: of @guest, when it is asked for */
void power_rules_decide(struct power_rules *rules, const char *op, const char *guest,
			enum power_state state, struct power_verdict *verdict);
size_t power_rules_count(const struct lab *lab);
/* fault power <verb> ... */
int power_rules_verb(struct lab *lab, char **args);

/* ---- agent.c ---- */

struct agent;

/* Of this boot: a guest that boots again is not, until its agent says so. */
void guest_set_ready(const struct lab *lab, const char *guest);
bool guest_is_ready(const struct lab *lab, const char *guest);
/* The same of one that nobody has waited for. */
bool guest_find_ready(const struct lab *lab, const char *guest);
/* When its mconsole socket was made (utc), if that is not of the boot that was ready; else 0. */
int64_t guest_booted_again(const struct lab *lab, const char *guest);
/* One of the guest's agents that nobody uses, or NULL: there is none now. */
struct agent *agent_open(const struct lab *lab, const char *guest);
/* The first one, whoever uses it: to learn that it is there, or to say the last word. */
struct agent *agent_first(const struct lab *lab, const char *guest);
bool agent_is_ready(struct agent *agent);
int agent_fd(const struct agent *agent);	/* where it says so */
/*
 * Runs @command, its output to stdout and stderr. Returns its status, LAB_GONE,
 * LAB_TIMEOUT (not begun or not ended in time; times of lab_now(), 0: never), or
 * -EINTR after a signal of those that @open lets in. *@begun: did it begin?
 */
int agent_run(struct agent *agent, const char *command, int64_t begin_by,
	      int64_t end_by, const sigset_t *open, bool *begun);
/* Its output goes there instead. */
void agent_redirect(struct agent *agent, FILE *out, FILE *err);
struct input;

/* Its input comes from there; the command is one that input_wrap() has made. */
void agent_feed(struct agent *agent, struct input *input);
/* Sends a short command and waits for nothing. */
void agent_tell(struct agent *agent, const char *command);
void agent_close(struct agent *agent);

/* ---- input.c: what a command reads ---- */

/* From that descriptor. NULL, and a line, if it cannot be. One in a process. */
struct input *input_open(const struct lab *lab, const char *guest, int fd);
/* 126, and a line, if the guest cannot take input. */
char *input_wrap(const struct input *input, const char *guest, const char *command);
/* What is to be waited for: data on this (-1: nothing there), and that the guest takes some. */
int input_fd(const struct input *input);
bool input_waits(const struct input *input);
/* What can go goes. False, and a line, if it failed. */
bool input_move(struct input *input);
void input_close(struct input *input);

/* ---- lose.c: what is sent to a frozen guest ---- */

/*
 * From now on it is lost; or kept again, before the guest goes on. The guest's
 * processes are stopped. False: the guest's segments cannot be reached.
 */
bool lose_begin(const struct process *p);
bool lose_end(const struct process *p);

/* ---- snapshot.c, rollback.c ---- */

/* @name "": the folder of all. */
char *snapshot_path(const struct lab *lab, const char *name);
/* A file's name in an index; and the file, NULL: it is none of this lab's. */
char *snapshot_file_name(const struct lab *lab, const char *path);
char *snapshot_file_path(struct lab *lab, const char *name);
/* False, and a line, if it failed; false if a signal came. */
bool copy_file(const char *from, const char *to, const sigset_t *open);
void snapshot_wipe(struct lab *lab);
/* Lets guests go on that one froze which was killed. */
void snapshot_recover(const struct lab *lab);
/* Ends one that was killed, or undoes it. */
void rollback_recover(struct lab *lab);

/* ---- hold.c ---- */

/* The guests but @guest stand still until this process, whatever it becomes, has ended. Ends the tool. */
void hold_others(struct lab *lab, const char *guest);
/* Lets those go on whose keeper was killed. */
void hold_recover(const struct lab *lab);

/* ---- log.c: what guests say on their consoles ---- */

/* Without what a terminal would obey. */
char *log_clean(char *line);
/* The last lines, each with the guest's name in front. */
void log_show(const char *path, const char *guest);
/* What the kernel said last when it panicked, or NULL. */
char *log_panic(const struct lab *lab, const char *guest);
/* What it said of a first fault that it did not take, or NULL. */
char *log_refused(const struct lab *lab, const char *guest);
/* What it, or the guest's init, said last of a device or of something else, or NULL. */
char *log_about(const struct lab *lab, const char *guest, const char *what);

/* ---- verify.c ---- */

/* Has the guest all that the lab file gives it? 0; 1 and what is missing; -EINTR. */
int verify_guest(const struct lab *lab, const struct guest_conf *guest,
		 const sigset_t *open);

/* ---- exec.c: a command in a guest ---- */

struct exec {
	const char *command;
	int64_t begin, end;	/* when it has to have begun, and ended (0: whenever); lab_now() */
	int in;			/* -1: it has no input */
	FILE *out, *err;
};

/* From now on, as -t says. */
void exec_limit(const struct lab *lab, struct exec *exec, const struct options *opt);
/* The command's status; LAB_GONE or LAB_TIMEOUT, and a line; or -EINTR. */
int exec_in(struct lab *lab, const char *guest, const struct exec *exec,
	    const sigset_t *open);

/* ---- each.c: … in several at once ---- */

/* The highest status. */
int each_exec(struct lab *lab, struct guest_conf **list, size_t n,
	      const struct exec *exec);

/* ---- up.c, exec.c, … : verbs ---- */

struct options {
	bool json, wipe, fresh, kill, lose, quiet, follow, xterm, iso, all, svg, overcommit, no_kernel;
	bool hold, virtual;
	bool input, tree;
	const char *since;
	bool timed;
	uint64_t timeout;	/* ns */
	bool seeded;
	uint64_t seed;
	/* test, explore, shrink */
	const char *results, *junit, *only;
	bool dry_run;
	uint64_t runs, tries;
	uint64_t length;	/* --for, ns */
};

/* A moment, in which signals of @open may come. */
void up_pause(const sigset_t *open);
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
int events_verb(struct lab *lab, const struct options *opt, char **args);
int status_verb(struct lab *lab, const struct options *opt, char **args);
int exec_verb(struct lab *lab, const struct options *opt, char **args);
int cp_verb(struct lab *lab, const struct options *opt, char **args);
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
int graph_verb(struct lab *lab, const struct options *opt, char **args);
int pack_verb(struct lab *lab, const struct options *opt, char **args);
int unpack_verb(struct lab *lab, const struct options *opt, char **args);
int test_verb(struct lab *lab, const struct options *opt, char **args);
int explore_verb(struct lab *lab, const struct options *opt, char **args);
int shrink_verb(struct lab *lab, const struct options *opt, char **args);

/* ---- main.c ---- */

int64_t now_ns(void);
/* One line, with the tool's name in front. */
__attribute__((format(printf, 1, 2))) void say(const char *fmt, ...);
__attribute__((noreturn, format(printf, 2, 3)))
void die(int status, const char *fmt, ...);
void strings_add(struct strings *list, char *s);	/* takes it over */

#endif /* __UMF_LAB_H */
