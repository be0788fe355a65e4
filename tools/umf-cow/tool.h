/* SPDX-License-Identifier: GPL-2.0 */
/*
 * umf-cow: what its files share.
 *
 * drivers/blk/cow.c (format), image.c (opening, locks, refusals),
 * io_user.c (moving sectors) and file_user.c are compiled for the host
 * as they are; tools/kernel has the few kernel names they use.
 */
#ifndef __UMF_COW_TOOL_H
#define __UMF_COW_TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "blk/image.h"

#define NAME		"umf-cow"
#define UMF_COW_VERSION	"0.1"

/* Exit status; a signal that stops it shows as that signal. */
enum tool_exit {
	TOOL_DONE,
	TOOL_FAILED,		/* one line on stderr says why */
	TOOL_USAGE,
	TOOL_UNSOUND,		/* check has found something */
};

enum tool_format { FORMAT_NONE, FORMAT_RAW, FORMAT_COW, FORMAT_QCOW2 };

/* Where replay checks. */
enum tool_at { AT_DEFAULT, AT_FLUSH, AT_MARK, AT_ENTRY };

struct tool {
	char *backing;
	char *check, *from, *until;	/* replay: a command, two marks */
	enum tool_at at;
	u64 entries;		/* 0: all */
	u64 size;		/* bytes; 0: not said */
	unsigned int depth;	/* 0: not said */
	enum tool_format format;
	bool force, json, repair, copy, in_place, relative;
	bool write, foreground, quiet, progress;
};

/* Prints one line and ends the program; what is unfinished is removed. */
void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *fmt, ...);
void __attribute__((noreturn, format(printf, 1, 2))) usage(const char *fmt, ...);
void __attribute__((format(printf, 2, 3))) say(const struct tool *tool,
					       const char *fmt, ...);

/* The verbs: argv[0] is the first word behind the verb. */
int verb_create(const struct tool *tool, int argc, char **argv);
int verb_info(const struct tool *tool, int argc, char **argv);
int verb_check(const struct tool *tool, int argc, char **argv);
int verb_snapshot(const struct tool *tool, int argc, char **argv);
int verb_clone(const struct tool *tool, int argc, char **argv);
int verb_rollback(const struct tool *tool, int argc, char **argv);
int verb_merge(const struct tool *tool, int argc, char **argv);
int verb_convert(const struct tool *tool, int argc, char **argv);
int verb_mount(const struct tool *tool, int argc, char **argv);
int verb_replay(const struct tool *tool, int argc, char **argv);

/* ---- files.c: images, locks, deltas ---- */

/* The whole chain, locked; or the program ends. */
struct umf_image *image_open(const char *file, const char *backing,
			     bool write, bool own_lock);
/* A delta of which a part has gone down already is for nothing but to go on. */
void refuse_half_merged(const char *file);
/* Locks one file against everybody; its descriptor, open for both. */
int lock_file(const char *path);
struct umf_file_info file_info(int fd, const char *path);
/* What its header says; false: it is a raw image. */
bool header_read(int fd, const char *path, struct umf_cow *cow);
/* The path a header's name means: it counts from the folder of @file. */
char *backing_path(const char *file, const char *name);
char *absolute(const char *path);
/* As @name in a header of @file, from its folder on. */
char *relative_to(const char *file, const char *name);

/* ---- target.c: files that appear whole or not at all ---- */

struct target {
	char *path;
	char *temporary;	/* NULL: it has no name yet */
	int fd;
	bool replace;
	int old;		/* what it replaces, locked; -1: nothing of ours to lock */
};

enum target_how {
	TARGET_NEW,		/* it must not be there */
	TARGET_REPLACE,		/* or is replaced, if nobody has it open: --force */
	TARGET_OURS,		/* is replaced: the caller has seen to that */
};

/* A file for @path that nobody sees. */
void target_open(struct target *target, const char *path, enum target_how how);
/* The same with a name, for other programs to write. */
void target_open_named(struct target *target, const char *path,
		       enum target_how how);
/* As the other file: mode and, if we may, owner. */
void target_resemble(struct target *target, int fd);
/* To the disk, then to its name. */
void target_publish(struct target *target);
void target_drop(struct target *target);
/* Removes the temporary names that there are. */
void targets_abandon(void);
/* The folder's entries are on the disk. */
void sync_folder(const char *path);
/*
 * Its last change is that of @st: the disk that it shows is the same, and deltas on
 * it stay valid.
 */
void keep_time(int fd, const struct stat *st, const char *file);

/*
 * Writes an empty delta for a disk of @size into a target. @backing is the
 * file it counts on, which has @mtime; @name how the header calls it.
 */
void delta_write(const struct target *target, u64 size, u32 mtime,
		 const char *name);
/* A target that will be a delta on an image that is open. */
void delta_on(const struct tool *tool, struct target *target,
	      const struct umf_image *backing, const char *path);

/* ---- copy.c: moving content ---- */

/* Between begin and end, copies tell how far they are. */
void progress_begin(const struct tool *tool, const char *what, u64 total);
void progress_add(u64 done);
void progress_end(void);
/* Ctrl-C and the like end the program at its next step. */
extern const char *stopped_says;
void signals_catch(void);
void signals_check(void);

/*
 * Copies @len bytes; what is a hole or zero in @from stays a hole in @to,
 * which is a new file; or, with @over, has its old content replaced.
 */
void copy_range(int from, u64 from_at, int to, u64 to_at, u64 len, bool over);
/*
 * Copies what the topmost @layers files of an image hold to @to, where sector 0
 * is at @data_offset, and sets the bits of @map (NULL: none), which has sectors
 * of UMF_SECTOR << @shift.
 */
void copy_image(const struct umf_image *image, unsigned int layers, int to,
		u64 data_offset, u8 *map, unsigned int shift);
bool is_zero(const char *buf, u64 len);
/* Writes that part of a bitmap that is not zero. */
void map_write(int fd, u64 offset, const u8 *map, u64 len);
u64 map_count(const u8 *map, u64 bits);

#endif /* __UMF_COW_TOOL_H */
