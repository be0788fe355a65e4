/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The disk's host half: files, and the threads that move sectors between them
 * and guest memory. Plain C types; both sides of the driver include it.
 *
 * Every call returns 0 or a count, or -errno of the host.
 */
#ifndef __UMF_BLK_IO_H
#define __UMF_BLK_IO_H

#include "blk/cow.h"

/* ---- an open image (filled in by blk/image.c) ---- */

struct umf_image {
	struct umf_layer layer[UMF_COW_DEPTH_MAX];	/* the topmost first */
	unsigned int layers;
	bool writable;		/* the topmost; the others never are */
	bool strict;		/* data reaches the disk before its bit is set */
	/*
	 * Data goes past the host's memory, where place and length are multiples
	 * of that: as much as the host has asked for so far. 0: never.
	 */
	unsigned int direct;
	u64 id;			/* of the topmost file, to tell disks apart */
	bool no_nowait;		/* the host's file system cannot say "not now" */
	long long slow_until;	/* ns: the host's disk keeps writes waiting */
	/*
	 * A sync that failed may have lost pages that the next sync no longer
	 * knows of: from then on every flush fails.
	 */
	int sync_error;
	int map_lock;		/* of the bitmap's changes, in memory and file */
	struct umf_wlog *log;	/* of all that is written; NULL: none */
	/*
	 * Operations are inside while they use the layers. Who closes the gate
	 * and waits until nobody is inside may change them.
	 */
	int inside;
	int closed;		/* 0 or 1 */
};

/* ---- one operation ---- */

enum umf_io_op {
	UMF_IO_READ,
	UMF_IO_WRITE,
	UMF_IO_FLUSH,
	UMF_IO_DISCARD,		/* what lies below shows again, or anything */
	UMF_IO_ZEROES,
	/*
	 * For a pool only: from @sector on, up to @nr of the sectors that the
	 * topmost file holds go into the one below, which must be open for
	 * writing. They are synced there before the other gives them up. Then
	 * @sector is where to go on and @nr how many it were. When it was begun
	 * at 0 and there was none, the topmost file counts on the other as it
	 * is now. vec[0] is room for at least a sector.
	 */
	UMF_IO_MOVE,
	UMF_IO_CALL,		/* for a pool only: call(arg), in one of its threads */
};

#define UMF_IO_FUA	1U	/* done when it is on the host's disk */
#define UMF_IO_META	2U	/* a file system's own; only the log asks */

struct umf_io_vec {		/* as struct iovec */
	void *base;
	unsigned long len;
};

struct umf_io {
	struct umf_io *next;
	enum umf_io_op op;
	unsigned int flags;
	int result;		/* 0 or -errno once it is done */
	void (*done)(struct umf_io *io);	/* in the kernel, interrupts off */
	unsigned int nvec;
	const struct umf_io_vec *vec;
	u64 sector, nr;		/* UMF_SECTOR each */
	/* flush, with a log: umf_wlog_now() when it was asked for; 0: is now */
	u64 before;
	/* the thread is no kernel thread: host calls and pure functions, no others */
	int (*call)(void *arg);
	void *arg;
};

/* Does it, in the caller's thread, however long it takes. */
int umf_io_exec(struct umf_image *image, const struct umf_io *io);
/*
 * Does it if that likely needs no waiting for the host's disk; else -EAGAIN,
 * with nothing but guest memory touched. For callers that have interrupts off.
 */
int umf_io_exec_now(struct umf_image *image, const struct umf_io *io);

/* Nobody enters from now on; are all out? */
bool umf_io_gate_close(struct umf_image *image);
void umf_io_gate_open(struct umf_image *image);
/* Closes it and waits until all are out; in a thread of the host. */
void umf_io_gate_shut(struct umf_image *image);

/* Does UMF_IO_MOVE; waits. */
int umf_io_move(struct umf_image *image, struct umf_io *io);
/*
 * Syncs the topmost file. Nobody does so by other means: what one sync was told
 * of, the next is not.
 */
int umf_io_sync_top(struct umf_image *image);

/* ---- the engine: threads (blk/pool_user.c), and a ring ---- */

struct umf_io_pool;

/* The descriptor that raises an interrupt when operations are done. */
int umf_io_bell(void);
/* Empties it and takes all that are done, in the order they ended. */
struct umf_io *umf_io_done(void);

/* With @ring, io_uring does most of it; -errno: the host has none for us. */
int umf_io_pool_start(struct umf_image *image, bool ring,
		      struct umf_io_pool **pool);
/*
 * Adds an operation, or none when @io is NULL; with @kick somebody begins with
 * what waits. For callers that have interrupts off.
 */
void umf_io_pool_submit(struct umf_io_pool *pool, struct umf_io *io, bool kick);
/* Only with nothing under way. */
void umf_io_pool_stop(struct umf_io_pool *pool);

/* ---- the write log (blk/log_user.c) ---- */

/*
 * A new log, or one that is there and goes on. -EEXIST: the file is something
 * else; -EBADMSG: it cannot be gone on with; -EAGAIN: taken.
 */
int umf_wlog_open(const char *path, struct umf_wlog **log);
void umf_wlog_close(struct umf_wlog *log);
/* @exec()s a write, discard or zeroing and logs it. */
int umf_wlog_do(struct umf_image *image, const struct umf_io *io,
		int (*exec)(struct umf_image *image, const struct umf_io *io));
/* The number of the next write, for umf_wlog_flush(). */
u64 umf_wlog_now(const struct umf_image *image);
/* Writes before number @before are on the disk: that, then the flush. */
int umf_wlog_flush(struct umf_image *image, u64 before);
/* -ENAMETOOLONG: more than UMF_WLOG_TEXT_MAX bytes. */
int umf_wlog_mark(struct umf_image *image, const char *text);
/* All that was written, and the last mark; to the host's disk. */
int umf_wlog_end(struct umf_image *image);
/* How many entries it has; 0, or why there are no more of them. */
int umf_wlog_state(const struct umf_image *image, u64 *entries);

/* ---- files (blk/file_user.c) ---- */

struct umf_file_info {
	u64 dev, ino;
	u64 size;		/* bytes; of a block device as well */
	long long mtime;	/* seconds */
	bool usable;		/* a regular file or a block device */
};

const char *umf_file_error(int err);	/* what the host calls an -errno */
int umf_file_open(const char *path, bool write);
/* The same file once more, for writing. */
int umf_file_reopen(int fd);
/* The same with O_DIRECT; -EINVAL: its file system has none. */
int umf_file_reopen_direct(int fd, bool write);
/* A new empty file; -EEXIST if there is one. */
int umf_file_create(const char *path);
void umf_file_close(int fd);
int umf_file_info(int fd, struct umf_file_info *info);
/*
 * A new file, locked, under a name that only its maker uses: what one who was killed
 * has left there, which nobody has locked, is removed first.
 */
int umf_file_create_temporary(const char *path);
/* A write beyond the limit of file sizes fails, instead of ending the program. */
void umf_file_ignore_limit(void);
/* The whole file, for one writer or any number of readers; -EAGAIN: taken. */
int umf_file_lock(int fd, bool write);
int umf_file_unlock(int fd);
/* All of it, or -EIO where the file ends before. */
int umf_file_read(int fd, void *buf, unsigned long len, u64 offset);
/* As much as there is: its length. */
long umf_file_read_some(int fd, void *buf, unsigned long len, u64 offset);
int umf_file_write(int fd, const void *buf, unsigned long len, u64 offset);
int umf_file_truncate(int fd, u64 size);
int umf_file_sync(int fd);
/* The names in the folder of that path. */
int umf_file_sync_folder(const char *path);
/* Gives a file its name, which must not be taken, durably. */
int umf_file_publish(const char *temporary, const char *path);
int umf_file_unlink(const char *path);
/* One more name of a file; -EEXIST if it is taken. */
int umf_file_link(const char *path, const char *name);
/* Gives a file the name of another. It has it, or not: that is durable later. */
int umf_file_rename(const char *temporary, const char *path);
/* Its last change, in seconds; it was not then. */
int umf_file_touch(int fd, long long mtime);
/* The path from the root, without links; @buf has UMF_COW_PATH_LEN bytes. */
int umf_file_absolute(const char *path, char *buf);
/* A bitmap in memory that costs only what is not zero. */
int umf_map_load(int fd, u64 offset, u64 len, u8 **map);
void umf_map_free(u8 *map, u64 len);

#endif /* __UMF_BLK_IO_H */
