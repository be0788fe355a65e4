// SPDX-License-Identifier: GPL-2.0
/*
 * What is done to a disk while it runs: the mconsole verb `disk`.
 *
 *	disk <umfx>			its files, and how far a commit is
 *	disk <umfx> snapshot <file>	what it holds is kept as <file>
 *	disk <umfx> commit		its topmost file goes into the one below
 *	disk <umfx> resize [<size>]	a raw image is made larger, or was
 *	disk <umfx> mark <text>		a mark in its write log
 *
 * snapshot does what `umf-cow snapshot` does: the topmost file gets one more
 * name, a new delta on that takes the old name. Operations wait at the gate of
 * the image meanwhile, which takes as long as the host takes to sync; the guest does
 * not, as one of the disk's threads does it (UMF_IO_CALL). What was acknowledged
 * before is in the snapshot.
 *
 * commit moves sectors down piece by piece in one of the disk's threads
 * (UMF_IO_MOVE); what is read is the same at any moment. From its first piece
 * to its last the file below is younger than the delta says; for that time
 * <image>.merge is there, by which the driver and umf-cow know that the two
 * belong together, and a commit that was cut off can be begun again.
 */
#define pr_fmt(fmt) "umf-blk: " fmt

#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <mconsole_kern.h>
#include "blk/blk.h"
#include "blk/log.h"
#include "time/clock.h"

#define PIECE		8192	/* sectors moved at a time */
#define PATIENCE	4	/* times the disk's size: then all at once */
#define ROOM		65536	/* bytes */
#define REPLY_LEN	480
#define ALIGNMENT	4096
#define USAGE		"disk <umfx> [snapshot <file>|commit|resize [<size>]|mark <text>]"

/* A verb, done in the disk's worker. */
struct live_call {
	struct umf_blk *blk;
	int (*run)(struct live_call *call);
	const char *arg;	/* NULL: none */
	char *reply;		/* REPLY_LEN */
	int err;
	struct work_struct work;
	struct completion done;
};

__printf(3, 4)
static int fail(struct live_call *call, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(call->reply, REPLY_LEN, fmt, args);
	va_end(args);
	return err;
}

static void close_gate(struct umf_image *image)
{
	while (!umf_io_gate_close(image))
		usleep_range(100, 300);
}

static char *beside(const struct umf_blk *blk, const char *suffix)
{
	return kasprintf(GFP_KERNEL, "%s%s", blk->file, suffix);
}

/* Can its topmost file be exchanged? */
static int check_own(struct live_call *call)
{
	struct umf_blk *blk = call->blk;

	if (blk->ro)
		return fail(call, -EROFS, "is read-only");
	if (blk->shared)
		return fail(call, -EBUSY, "is shared with others");
	if (READ_ONCE(blk->live.busy))
		return fail(call, -EBUSY, "a commit is under way");
	if (blk->image->sync_error)
		return fail(call, -EIO, "a flush has failed on it");
	return 0;
}

/* Has a part of it gone down already? A delta on it would be refused. */
static bool half_committed(const struct umf_blk *blk)
{
	char *marker = beside(blk, UMF_MERGE_MARKER);
	int fd = marker ? umf_file_open(marker, false) : -ENOMEM;

	kfree(marker);
	if (fd >= 0)
		umf_file_close(fd);
	return fd >= 0;
}

/* ---- snapshot ---- */

/*
 * A delta that is to be put on top. What is done with it is done in a thread of the host,
 * where there is no kernel: no memory is had there, nothing is printed.
 */
struct new_top {
	struct umf_blk *blk;
	const char *name;	/* that what is on top now gets */
	char *temporary;
	int fd;			/* -1: none */
	bool linked;		/* the old top has its second name */
	int folder_error;	/* it is made, and its folder could not be synced */
	struct umf_cow cow;
	u8 head[UMF_COW_HEAD_LEN];
	struct umf_layer layer;
};

static bool is_file(const char *name, const struct umf_file_info *info)
{
	struct umf_file_info other;
	int fd = umf_file_open(name, false), err;

	if (fd < 0)
		return false;
	err = umf_file_info(fd, &other);
	umf_file_close(fd);
	return !err && other.dev == info->dev && other.ino == info->ino;
}

/* The gate is closed. */
static int write_top(struct new_top *top)
{
	struct umf_blk *blk = top->blk;
	int old = blk->image->layer[0].fd, err;
	struct umf_cow *cow = &top->cow;
	const char *name = top->name;
	struct umf_file_info info;
	const char *why;

	err = umf_io_sync_top(blk->image);
	if (!err)
		err = umf_file_info(old, &info);
	if (!err)
		err = umf_file_link(blk->file, name);
	top->linked = !err;
	/* one that was killed there has left it the name */
	if (err == -EEXIST && is_file(name, &info))
		err = 0;
	if (!err)
		err = umf_file_sync_folder(name);
	if (!err)
		err = umf_file_absolute(name, cow->backing);
	if (err)
		return err;
	cow->size = umf_image_size(blk->image);
	cow->mtime = info.mtime;
	cow->sector_size = UMF_SECTOR;
	cow->alignment = ALIGNMENT;
	if (umf_cow_format(cow, top->head, &why))
		return -ENAMETOOLONG;
	err = umf_file_write(top->fd, top->head, sizeof(top->head), 0);
	if (!err)
		err = umf_file_truncate(top->fd, cow->data_offset + cow->size);
	if (!err)
		err = umf_file_sync(top->fd);
	if (!err)
		err = umf_map_load(top->fd, cow->bitmap_offset,
				   cow->bitmap_len, &top->layer.map);
	if (err)
		return err;
	top->layer.fd = top->fd;
	top->layer.direct = -1;
	if (blk->image->direct) {
		top->layer.direct = umf_file_reopen_direct(top->fd, true);
		if (top->layer.direct < 0)
			return top->layer.direct;
	}
	top->layer.map_offset = cow->bitmap_offset;
	top->layer.map_len = cow->bitmap_len;
	top->layer.data_offset = cow->data_offset;
	top->layer.size = cow->size;
	/* from here on it is on top, and nothing is undone any more */
	return umf_file_rename(top->temporary, blk->file);
}

static void put_on_top(struct umf_image *image, const struct umf_layer *layer)
{
	/* others may read it now; where that cannot be said, they may not */
	umf_file_lock(image->layer[0].fd, false);
	memmove(&image->layer[1], &image->layer[0],
		image->layers * sizeof(*layer));
	image->layer[0] = *layer;
	image->layers++;
}

static void drop_top(struct new_top *top)
{
	if (top->layer.map)
		umf_map_free(top->layer.map, top->layer.map_len);
	if (top->linked)
		umf_file_unlink(top->name);
	if (top->layer.direct > 0)
		umf_file_close(top->layer.direct);
	umf_file_close(top->fd);
	umf_file_unlink(top->temporary);
}

static int make_top(void *arg)
{
	struct new_top *top = arg;
	struct umf_image *image = top->blk->image;
	int err;

	/* most of it now, so that the gate is closed for the rest only */
	err = umf_io_sync_top(image);
	if (err)
		return err;
	top->fd = umf_file_create_temporary(top->temporary);
	if (top->fd < 0)
		return top->fd;
	umf_io_gate_shut(image);
	err = write_top(top);
	if (!err)
		put_on_top(image, &top->layer);
	umf_io_gate_open(image);
	if (err)
		drop_top(top);
	else
		top->folder_error = umf_file_sync_folder(top->blk->file);
	return err;
}

static int live_snapshot(struct live_call *call)
{
	struct umf_blk *blk = call->blk;
	struct umf_image *image = blk->image;
	struct new_top *top;
	int err;

	if (!call->arg)
		return fail(call, -EINVAL, "snapshot needs the name of a file");
	err = check_own(call);
	if (err)
		return err;
	if (half_committed(blk))
		return fail(call, -EBUSY,
			    "a commit was cut off; commit goes on with it, before anything else");
	if (image->layers == UMF_COW_DEPTH_MAX)
		return fail(call, -ELOOP, "has %u files already", image->layers);
	top = kzalloc_obj(*top);
	if (!top)
		return fail(call, -ENOMEM, "out of memory");
	top->blk = blk;
	top->name = call->arg;
	top->temporary = beside(blk, ".new");
	err = top->temporary ? umf_power_write_back(blk) : -ENOMEM;
	if (!err)
		err = umf_blk_call(blk, make_top, top);
	if (err)
		fail(call, err, "%.200s: cannot be made (%s)", call->arg,
		     umf_file_error(err));
	else
		pr_info("umf%c: what it held is kept as %s\n", 'a' + blk->unit,
			call->arg);
	if (!err && top->folder_error)
		err = fail(call, top->folder_error,
			   "%.200s: is made, but its folder cannot be synced (%s)",
			   call->arg, umf_file_error(top->folder_error));
	kfree(top->temporary);
	kfree(top);
	return err;
}

/* ---- commit ---- */

/* Opens the file below for writing, for us alone. The gate is closed. */
static int open_below(struct umf_layer *below)
{
	int fd = umf_file_reopen(below->fd), err;

	if (fd < 0)
		return fd;
	/* our own lock for reading would be in the way */
	err = umf_file_unlock(below->fd);
	if (!err)
		err = umf_file_lock(fd, true);
	if (err) {
		umf_file_close(fd);
		umf_file_lock(below->fd, false);
		return err;
	}
	umf_file_close(below->fd);
	below->fd = fd;
	return 0;
}

static void move_some(struct umf_blk *blk)
{
	struct umf_blk_live *live = &blk->live;
	u64 most = PATIENCE * umf_image_size(blk->image) / UMF_SECTOR;
	unsigned long flags;

	live->first = live->io.sector;
	live->io.op = UMF_IO_MOVE;
	live->io.vec = &live->room;
	live->io.nvec = 1;
	live->io.nr = live->moved < most ? PIECE : U64_MAX;
	if (umf_clock_virtual()) {
		live->io.result = umf_blk_clock_exec(blk, &live->io);
		live->io.done(&live->io);
		return;
	}
	local_irq_save(flags);
	umf_io_pool_submit(blk->pool, &live->io, true);
	local_irq_restore(flags);
}

static void end_commit(struct umf_blk *blk, int err)
{
	struct umf_blk_live *live = &blk->live;
	char *marker = err ? NULL : beside(blk, UMF_MERGE_MARKER);

	if (marker)
		umf_file_unlink(marker);
	kfree(marker);
	if (err)
		pr_err("umf%c: commit has failed (%s); nothing is lost\n",
		       'a' + blk->unit, umf_file_error(err));
	else
		pr_info("umf%c: committed, %llu sectors\n", 'a' + blk->unit,
			live->moved);
	umf_file_lock(blk->image->layer[1].fd, false);
	kvfree(live->room.base);
	live->error = err;
	WRITE_ONCE(live->busy, false);
}

static void commit_work(struct work_struct *work)
{
	struct umf_blk *blk = container_of(work, struct umf_blk, live.work);
	struct umf_blk_live *live = &blk->live;

	if (live->io.result || (!live->io.nr && !live->first)) {
		end_commit(blk, live->io.result);
		return;
	}
	live->moved += live->io.nr;
	move_some(blk);
}

static void commit_done(struct umf_io *io)
{
	struct umf_blk *blk = container_of(io, struct umf_blk, live.io);

	queue_work(blk->wq, &blk->live.work);
}

static int make_marker(const char *marker)
{
	int fd, err;

	fd = umf_file_create(marker);
	err = fd < 0 && fd != -EEXIST ? fd : 0;
	if (fd >= 0) {
		err = umf_file_sync_folder(marker);
		umf_file_close(fd);
	}
	return err;
}

struct new_commit {
	struct umf_image *image;
	const char *marker;
};

/* As make_top(), in a thread of the host. */
static int begin_commit(void *arg)
{
	struct new_commit *commit = arg;
	struct umf_image *image = commit->image;
	int err;

	umf_io_gate_shut(image);
	err = open_below(&image->layer[1]);
	umf_io_gate_open(image);
	if (err)
		return err;
	err = make_marker(commit->marker);
	if (err)
		umf_file_lock(image->layer[1].fd, false);
	return err;
}

/* Can the file below be written at all? */
static int check_below(struct live_call *call)
{
	struct umf_image *image = call->blk->image;
	struct umf_layer *below = &image->layer[1];
	struct umf_cow *cow;
	u8 *head;
	const char *why;
	long len;
	int err = 0;

	if (image->layers == 1)
		return fail(call, -EINVAL, "is a raw image, nothing is below it");
	if (below->shift > image->layer[0].shift)
		return fail(call, -EINVAL,
			    "the file below keeps larger sectors");
	cow = kzalloc_obj(*cow);
	head = kmalloc(UMF_COW_HEAD_LEN, GFP_KERNEL);
	if (!cow || !head) {
		err = fail(call, -ENOMEM, "out of memory");
		goto out;
	}
	len = umf_file_read_some(below->fd, head, UMF_COW_HEAD_LEN, 0);
	if (below->map &&
	    (umf_cow_parse(head, max(len, 0L), U64_MAX, cow, &why) != 1 ||
	     cow->version != 3))
		err = fail(call, -EINVAL,
			   "the file below is of version 2, which is only read");
out:
	kfree(head);
	kfree(cow);
	return err;
}

static int live_commit(struct live_call *call)
{
	struct umf_blk *blk = call->blk;
	struct umf_blk_live *live = &blk->live;
	struct new_commit commit = { .image = blk->image };
	int err = check_own(call);
	char *marker;

	if (!err && call->arg)
		err = fail(call, -EINVAL, "%.60s: not expected", call->arg);
	if (!err)
		err = check_below(call);
	if (err)
		return err;
	marker = beside(blk, UMF_MERGE_MARKER);
	commit.marker = marker;
	live->room.base = marker ? kvmalloc(ROOM, GFP_KERNEL) : NULL;
	live->room.len = ROOM;
	if (!live->room.base) {
		kfree(marker);
		return fail(call, -ENOMEM, "out of memory");
	}
	err = umf_blk_call(blk, begin_commit, &commit);
	kfree(marker);
	if (err) {
		kvfree(live->room.base);
		if (err == -EAGAIN)
			return fail(call, -EBUSY,
				    "others use the file below, as their backing file perhaps");
		return fail(call, err, "the file below cannot be written (%s)",
			    umf_file_error(err));
	}
	live->busy = true;
	live->error = 0;
	live->moved = 0;
	live->io.sector = 0;
	move_some(blk);
	return 0;
}

/* ---- resize ---- */

static int live_resize(struct live_call *call)
{
	struct umf_blk *blk = call->blk;
	struct umf_layer *layer = &blk->image->layer[0];
	unsigned int block = queue_logical_block_size(blk->disk->queue);
	struct umf_file_info info;
	u64 size = 0, sectors;
	char *end;
	int err;

	if (blk->image->layers > 1)
		return fail(call, -EINVAL, "is a delta; only raw images change their size");
	if (call->arg) {
		size = memparse(call->arg, &end);
		if (*end || !size || size > UMF_COW_SIZE_MAX)
			return fail(call, -EINVAL,
				    "%.60s: must be 1 to 2^60 bytes, as 64M or 2G",
				    call->arg);
		err = check_own(call);
		if (err)
			return err;
		if (size < layer->size && disk_openers(blk->disk))
			return fail(call, -EBUSY,
				    "is in use in the guest and does not become smaller");
		err = umf_file_truncate(layer->fd, size);
		if (err)
			return fail(call, err, "its size cannot be changed (%s)",
				    umf_file_error(err));
	}
	err = umf_file_info(layer->fd, &info);
	if (err)
		return fail(call, err, "%s", umf_file_error(err));
	if (info.size < block)
		return fail(call, -EINVAL, "is smaller than a block");
	close_gate(blk->image);
	layer->size = info.size;
	umf_io_gate_open(blk->image);
	sectors = round_down(DIV_ROUND_UP_ULL(info.size, SECTOR_SIZE),
			     block / SECTOR_SIZE);
	umf_power_resized(blk, sectors);
	set_capacity_and_notify(blk->disk, sectors);
	return 0;
}

/* ---- mark ---- */

static int live_mark(struct live_call *call)
{
	struct umf_image *image = call->blk->image;
	int err;

	if (!call->arg)
		return fail(call, -EINVAL, "mark needs a text");
	if (!image->log)
		return fail(call, -EINVAL, "has no log; there is ,log=<file>");
	err = umf_wlog_mark(image, call->arg);
	if (err == -ENAMETOOLONG)
		fail(call, err, "the text has more than %u bytes",
		     UMF_WLOG_TEXT_MAX);
	else if (err)
		fail(call, err, "the log cannot be written (%s)",
		     umf_file_error(err));
	return err;
}

/* ---- the verb ---- */

static int live_show(struct live_call *call)
{
	struct umf_blk *blk = call->blk;
	const struct umf_blk_live *live = &blk->live;
	u64 entries;
	int len, err;

	len = scnprintf(call->reply, REPLY_LEN,
			"%.200s: %llu sectors, %u files, commit: ", blk->file,
			(u64)get_capacity(blk->disk), blk->image->layers);
	if (READ_ONCE(live->busy))
		scnprintf(call->reply + len, REPLY_LEN - len,
			  "%llu sectors so far", live->moved);
	else
		scnprintf(call->reply + len, REPLY_LEN - len, "%s",
			  live->error ? umf_file_error(live->error) : "none");
	if (!call->blk->image->log)
		return 0;
	err = umf_wlog_state(call->blk->image, &entries);
	len = strlen(call->reply);
	scnprintf(call->reply + len, REPLY_LEN - len, ", log: %llu entries%s%s",
		  entries, err ? ", " : "", err ? umf_file_error(err) : "");
	return 0;
}

static const struct live_verb {
	const char *name;
	int (*run)(struct live_call *call);
	bool text;		/* its argument is the rest of the line */
} live_verbs[] = {
	{ "", live_show },
	{ "snapshot", live_snapshot },
	{ "commit", live_commit },
	{ "resize", live_resize },
	{ "mark", live_mark, true },
};

static void call_work(struct work_struct *work)
{
	struct live_call *call = container_of(work, struct live_call, work);

	if (call->blk->dark)
		call->err = fail(call, -ENODEV, "has no power");
	else
		call->err = call->run(call);
	complete(&call->done);
}

static char *next_word(char **text)
{
	char *word = skip_spaces(*text);

	*text = word + strcspn(word, " \t\n");
	if (**text)
		*(*text)++ = '\0';
	return word;
}

static void live_request(struct mc_request *req)
{
	char *text = req->request.data + strlen("disk");
	const char *name = next_word(&text), *verb = next_word(&text);
	const struct live_verb *found = NULL;
	struct live_call call = {};
	static char reply[REPLY_LEN];	/* one request at a time */
	unsigned int i;
	bool bad = true;

	call.reply = reply;
	*reply = '\0';
	for (i = 0; i < ARRAY_SIZE(live_verbs); i++)
		if (!strcmp(live_verbs[i].name, verb))
			found = &live_verbs[i];
	if (found)
		call.run = found->run;
	call.arg = found && found->text ? strim(text) : next_word(&text);
	if (found && found->text)
		text = "";
	call.blk = umf_blk_get(name);
	if (!*call.arg)
		call.arg = NULL;
	if (!call.blk) {
		fail(&call, -ENODEV, "%.60s: no such disk; " USAGE, name);
	} else if (!call.run) {
		fail(&call, -EINVAL, "%.60s: must be snapshot, commit, resize or mark",
		     verb);
	} else if (*skip_spaces(text)) {
		fail(&call, -EINVAL, "%.60s: not expected", skip_spaces(text));
	} else {
		INIT_WORK_ONSTACK(&call.work, call_work);
		init_completion(&call.done);
		queue_work(call.blk->wq, &call.work);
		wait_for_completion(&call.done);
		destroy_work_on_stack(&call.work);
		bad = call.err;
	}
	if (call.blk)
		umf_blk_put(call.blk);
	mconsole_reply(req, reply, bad, 0);
}

void umf_live_init(struct umf_blk *blk)
{
	blk->live.io.done = commit_done;
	INIT_WORK(&blk->live.work, commit_work);
}

static struct mconsole_command live_command = {
	.command = "disk",
	.handler = live_request,
	.context = MCONSOLE_PROC,
};

static int __init live_start(void)
{
	return mconsole_register_command(&live_command);
}
device_initcall(live_start);
