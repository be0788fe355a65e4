/* SPDX-License-Identifier: GPL-2.0 */
/* The disk: what its files share. Host calls and threads are in blk/io.h. */
#ifndef __UMF_BLK_H
#define __UMF_BLK_H

#include <linux/blk-mq.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include "blk/cache.h"
#include "blk/image.h"
#include "blk/io.h"
#include "blk/parts.h"
#include "fault/fault.h"

#define UMF_BLK_SEGMENTS	64
#define UMF_BLK_SERIAL_LEN	21	/* with its NUL */

enum umf_blk_level {
	UMF_LEVEL_DARK,
	UMF_LEVEL_OFFLINE,
	UMF_LEVEL_READONLY,
	UMF_LEVEL_NOSPACE,
};

/* What rules did to the disk as a whole, and what waits for them. */
struct umf_blk_fault {
	struct umf_site site;
	struct work_struct protect;	/* the disk's read-only flag follows */
	unsigned long levels;		/* BIT(UMF_LEVEL_…) */
	spinlock_t lock;		/* the two lists, and each fate on one */
	struct list_head waiting;
	struct list_head inflight;	/* writes for the cut that is being done */
	spinlock_t marks_lock;		/* the two lists */
	struct list_head marks;		/* of badsector, stale, powercut rules */
	struct list_head by_block;	/* of rules that are asked of each block */
	u32 cut_by;			/* rule that has cut the power, or 0 */
	struct umf_cut cut;		/* how */
	bool stop_guest;
	struct work_struct cut_work;
};

/* A commit of its topmost file. */
struct umf_blk_live {
	bool busy;			/* under umf_blks_lock, or in wq */
	int error;			/* of the last one */
	u64 moved;			/* sectors */
	u64 first;			/* sector that io was begun at */
	struct umf_io io;
	struct umf_io_vec room;		/* for sectors on their way */
	struct work_struct work;
};

/* Virtual time: how long requests take, and the queue. blk/clock.c's. */
struct umf_blk_clock {
	u64 access, flush;		/* ns */
	u64 rate;			/* bytes a second */
	struct list_head queue;		/* the first is being done */
	u64 due;			/* ns: and is over */
	struct hrtimer timer;
	bool failed;			/* the host, and that was said */
};

struct umf_blk {
	unsigned int unit;
	bool ro, shared;		/* as configured */
	bool sync_told;			/* that flushes fail from now on */
	char *words;			/* the configuration, cut up */
	char *file;			/* the topmost */
	struct umf_blk_live live;
	char *spec;			/* as configured */
	struct umf_blk_fault fault;
	struct umf_image *image;
	struct workqueue_struct *wq;	/* one work at a time */
	struct umf_cache *cache;	/* NULL: none; in wq only */
	bool dark;			/* no power; in wq only */
	unsigned int physical;		/* sectors that a cut keeps or loses together */
	/* blk/power.c's, for a cut of the guest: */
	struct list_head disks;
	struct umf_cut off_cut;		/* how it is done to this disk */
	struct work_struct off_work;	/* in wq */
	struct umf_io_pool *pool;	/* virtual time: none */
	bool ring;		/* with io_uring in it */
	struct umf_blk_clock clock;
	struct blk_mq_tag_set tags;
	struct gendisk *disk;
	char serial[UMF_BLK_SERIAL_LEN];
};

#define UMF_BLK_DATA		32	/* bytes of data= */

/* One corrupt effect, kept until there is data. */
struct umf_blk_flip {
	struct umf_rng rng;
	u64 sector;			/* of the data's first byte */
	u32 first, len;			/* bytes of the data */
	u32 bits, bytes;		/* how many; both 0: put data */
	u8 data[UMF_BLK_DATA];
	u8 data_len;
	bool sticky;			/* rng.state is the rule's seed */
};

enum umf_blk_wait {
	UMF_WAIT_DELAY,			/* a time, while its rule is there */
	UMF_WAIT_HANG,			/* until its rule is out of force */
	UMF_WAIT_TIMEOUT,		/* the same, or until blk-mq loses patience */
};

/* Why it waits. Times add up, beginning when it came; hangs are over one by one. */
struct umf_blk_cause {
	enum umf_blk_wait wait;
	u32 rule;
	u64 delay;			/* ns */
};

/* What rules do to a request. */
struct umf_blk_fate {
	blk_status_t status;		/* not BLK_STS_OK: all of it fails so */
	bool skip;			/* it succeeds and is not done */
	bool marks;			/* it writes where rules keep marks */
	bool waiting;			/* it is on fault.waiting */
	u64 sector;			/* where it takes place */
	u32 nr, limit;			/* its sectors; so many are done at most */
	struct umf_parts parts;		/* of it: what fails, or is lost */
	/* the pieces of the rest: */
	u32 at;				/* sectors that are done with */
	unsigned int nvec;		/* of cmd->vec, for all of it */
	u64 skipped;			/* bytes, of the entry that a piece begins in */
	struct umf_io_vec piece;	/* of the bounce */
	unsigned int causes;
	struct umf_blk_cause cause[UMF_EFFECTS_MAX];	/* of its waiting */
	u64 since;			/* ns */
	struct list_head list;		/* on fault.waiting, inflight, or clock.queue */
	struct hrtimer timer;
	struct work_struct work;	/* what may sleep, before it is done */
	struct umf_blk_mark *stale;	/* read: what is put in its place */
	struct umf_blk_flip *flip;	/* in the order of the rules */
	unsigned int flips, flip_room;
	struct umf_io_vec bounce;	/* write: the data as it will be wrong */
};

/* A request's own part. */
struct umf_blk_cmd {
	struct umf_blk *blk;
	struct umf_io io;
	blk_status_t status;		/* once it is done */
	bool judged;			/* fate is valid */
	struct work_struct cached;	/* in wq, for a disk with a cache */
	struct umf_io_vec vec[UMF_BLK_SEGMENTS];
	struct umf_blk_fate fate;
};

/* ---- blk/main.c ---- */

/* Has it done: by the host, now or later. Any context. */
void umf_blk_go(struct umf_blk_cmd *cmd, bool kick);
/* The host has done it: 0 or -errno. Any context. */
void umf_blk_end_io(struct umf_blk_cmd *cmd, int err);
/* It is over, as cmd->status says. Any context. */
void umf_blk_end(struct umf_blk_cmd *cmd);

/* The disk of that name, with all disks locked; or NULL, with nothing. */
struct umf_blk *umf_blk_get(const char *name);
void umf_blk_put(struct umf_blk *blk);

/* ---- blk/live.c: snapshot, commit and resize while it runs ---- */

void umf_live_init(struct umf_blk *blk);

/* ---- blk/power.c: cache=volatile, and power cuts ---- */

/* @unit: bytes that a cut keeps or loses together. */
int umf_power_add(struct umf_blk *blk, u64 cache_size, unsigned int unit);
/* Writes the cache back; -errno: not all of it, and it is gone. */
int umf_power_del(struct umf_blk *blk);
void umf_power_work(struct work_struct *work);	/* of umf_blk_cmd.cached */
void umf_power_cut_work(struct work_struct *work);	/* of fault.cut_work */
/* The guest ends in good order: what is in its cache is written and flushed. */
int umf_power_orderly(struct umf_blk *blk);
/* All that was acknowledged is in the image. In the disk's worker. */
int umf_power_write_back(struct umf_blk *blk);
/* The disk ends there: nothing behind is kept. In the disk's worker. */
void umf_power_resized(struct umf_blk *blk, u64 sectors);
/* What a read would see. In the disk's worker; sleeps. */
int umf_power_read_sector(struct umf_blk *blk, u64 sector, void *data);
/* Between a buffer and the bytes from @at on. */
void umf_vec_copy(const struct umf_io_vec *vec, u64 at, void *buf, u64 len,
		  bool to_vec);

/* ---- blk/flip.c ---- */

struct umf_blk_data {
	const struct umf_io_vec *vec;
	unsigned int nvec;
};

/* The flip's range is within the data. */
void umf_flip_apply(const struct umf_blk_data *data,
		    const struct umf_blk_flip *flip);

/* ---- blk/fault.c: rules, and what they decide ---- */

int umf_blk_fault_add(struct umf_blk *blk);
/* Lets go of all it holds. */
void umf_blk_fault_del(struct umf_blk *blk);

static inline bool umf_blk_fault_active(const struct umf_blk *blk)
{
	return umf_site_active(&blk->fault.site);
}

/* Asks the rules, then umf_blk_go() or umf_blk_end(), now or later. */
void umf_blk_fault_start(struct umf_blk_cmd *cmd);

/* ---- blk/fate.c: carries it out ---- */

void umf_fate_init_cmd(struct umf_blk_cmd *cmd);
void umf_fate_exit_cmd(struct umf_blk_cmd *cmd);
/* How levels have it fail; BLK_STS_OK: they do not. */
blk_status_t umf_fate_level(struct umf_blk *blk, const struct umf_io *io);
/* As if no rule had said anything. */
void umf_fate_clear(struct umf_blk_cmd *cmd);
/*
 * It is decided. True: it waits, and is no longer the caller's. Inside the RCU section
 * of the verdict: the rule it waits for cannot be deleted unheard.
 */
bool umf_fate_waits(struct umf_blk_cmd *cmd);
/* Else it goes on. */
void umf_fate_start(struct umf_blk_cmd *cmd);
/* All of it ends so. */
void umf_fate_end(struct umf_blk_cmd *cmd, blk_status_t status);
/* The host has done what it was asked to: what is left to do? Then it ends. Any context. */
void umf_fate_done(struct umf_blk_cmd *cmd);
/* blk-mq has lost patience: was that what a rule wants? Then it is ended. */
bool umf_fate_timeout(struct umf_blk_cmd *cmd);
/*
 * fault.cut is to be done, by the disk's worker: what is under way is kept for it, unless
 * that is old afterwards. @cmd, or NULL: the request that it came with; true: it is kept, too.
 */
bool umf_fate_cut(struct umf_blk *blk, struct umf_blk_cmd *cmd);
/* Rules came, went, opened or closed: who waits for them still? */
void umf_fate_review(struct umf_blk *blk);

/* ---- blk/wait.c: host calls that a kernel thread waits for ---- */

/* As umf_io_exec(); sleeps, and the guest goes on. */
int umf_blk_exec(struct umf_blk *blk, const struct umf_io *io);
/* @call(@arg), by a thread of the host: see UMF_IO_CALL. */
int umf_blk_call(struct umf_blk *blk, int (*call)(void *arg), void *arg);

/* ---- blk/clock.c: the same and the queue in virtual time; no other calls ---- */

int umf_blk_clock_exec(struct umf_blk *blk, struct umf_io *io);
/* Its turn comes, then umf_blk_end_io(), or with a cache the disk's worker. */
void umf_blk_clock_go(struct umf_blk_cmd *cmd);
/* What is in the queue is taken from it. Interrupts are off. */
void umf_blk_clock_cut(struct umf_blk *blk, struct list_head *list);
/* In place of what the host knows a file by. */
u64 umf_blk_clock_id(const char *file);
/* In real time too: -EINVAL if there is a model then. */
int umf_blk_clock_add(struct umf_blk *blk, const struct umf_blk_options *opt,
		      char *error);

/* ---- blk/io.c: the way to the host and back ---- */

int umf_blk_io_init(void);

#endif /* __UMF_BLK_H */
