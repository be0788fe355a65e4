// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/umf: the guest's own view of the fault core.
 *
 *	control	write statements; a bad one fails the write with its error, and
 *		reading gives the reply to the last write
 *	rules	as `list` prints them
 *	stats	as `stats`
 *	events	from the oldest record on; a read at the end gives nothing,
 *		poll waits for more
 */
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "fault/fault.h"

#define CONTROL_MAX	SZ_1M	/* bytes of one write */

/* ---- control ---- */

static struct umf_reply last_reply;	/* to the last write */
static DEFINE_MUTEX(last_mutex);	/* protects it */

static ssize_t control_write(struct file *file, const char __user *buf,
			     size_t count, loff_t *pos)
{
	struct umf_reply reply = {};
	char *text;
	int err;

	if (count > CONTROL_MAX)
		return -E2BIG;
	text = memdup_user_nul(buf, count);
	if (IS_ERR(text))
		return PTR_ERR(text);
	err = umf_command(text, &reply);
	kfree(text);
	if (err)
		umf_say(&reply, "\n");

	mutex_lock(&last_mutex);
	swap(last_reply, reply);
	mutex_unlock(&last_mutex);
	umf_reply_free(&reply);
	return err ?: count;
}

static int control_show(struct seq_file *seq, void *unused)
{
	mutex_lock(&last_mutex);
	if (last_reply.len)
		seq_write(seq, last_reply.text, last_reply.len);
	mutex_unlock(&last_mutex);
	return 0;
}

static int control_open(struct inode *inode, struct file *file)
{
	return single_open(file, control_show, NULL);
}

static const struct proc_ops control_ops = {
	.proc_open	= control_open,
	.proc_read	= seq_read,
	.proc_write	= control_write,
	.proc_lseek	= seq_lseek,
	.proc_release	= single_release,
};

/* ---- rules, stats ---- */

static int show(struct seq_file *seq,
		int (*print)(const char *, struct umf_reply *))
{
	struct umf_reply reply = {};
	int err = print(NULL, &reply);

	if (!err && reply.len)
		seq_write(seq, reply.text, reply.len);
	umf_reply_free(&reply);
	return err;
}

static int rules_show(struct seq_file *seq, void *unused)
{
	return show(seq, umf_rules_list);
}

static int stats_show(struct seq_file *seq, void *unused)
{
	return show(seq, umf_rules_stats);
}

/* ---- events ---- */

struct events_reader {
	struct mutex mutex;		/* what follows */
	u64 since;			/* the last record taken */
	struct umf_reply text;		/* taken, and partly read */
	size_t off;			/* how much of it */
};

static int events_open(struct inode *inode, struct file *file)
{
	struct events_reader *reader = kzalloc_obj(*reader);

	if (!reader)
		return -ENOMEM;
	mutex_init(&reader->mutex);
	file->private_data = reader;
	return stream_open(inode, file);
}

static int events_release(struct inode *inode, struct file *file)
{
	struct events_reader *reader = file->private_data;

	umf_reply_free(&reader->text);
	kfree(reader);
	return 0;
}

/* Takes the next record; false at the log's end. */
static bool events_take(struct events_reader *reader)
{
	struct umf_event event;
	u64 lost;

	if (!umf_log_read(reader->since, &event, &lost))
		return false;
	reader->text.len = 0;
	reader->off = 0;
	if (lost)
		umf_say(&reader->text, "lost=%llu\n", lost);
	umf_print_event(&reader->text, &event);
	reader->since = event.seq;
	return !reader->text.err;
}

static ssize_t events_read(struct file *file, char __user *buf, size_t count,
			   loff_t *pos)
{
	struct events_reader *reader = file->private_data;
	ssize_t done = 0;
	size_t len;

	mutex_lock(&reader->mutex);
	while (done < count) {
		if (reader->off == reader->text.len && !events_take(reader))
			break;
		len = min(count - done, reader->text.len - reader->off);
		if (copy_to_user(buf + done, reader->text.text + reader->off,
				 len)) {
			done = done ?: -EFAULT;
			break;
		}
		reader->off += len;
		done += len;
	}
	mutex_unlock(&reader->mutex);
	return done;
}

static __poll_t events_poll(struct file *file, struct poll_table_struct *wait)
{
	struct events_reader *reader = file->private_data;
	struct umf_event event;
	u64 lost;

	poll_wait(file, umf_log_wait(), wait);
	if (reader->off < reader->text.len ||
	    umf_log_read(reader->since, &event, &lost))
		return EPOLLIN | EPOLLRDNORM;
	return 0;
}

static const struct proc_ops events_ops = {
	.proc_open	= events_open,
	.proc_read	= events_read,
	.proc_poll	= events_poll,
	.proc_release	= events_release,
};

static int __init umf_proc_init(void)
{
	struct proc_dir_entry *dir = proc_mkdir("umf", NULL);

	if (!dir)
		return -ENOMEM;
	if (proc_create("control", 0600, dir, &control_ops) &&
	    proc_create_single("rules", 0444, dir, rules_show) &&
	    proc_create_single("stats", 0444, dir, stats_show) &&
	    proc_create("events", 0444, dir, &events_ops))
		return 0;
	proc_remove(dir);
	return -ENOMEM;
}
fs_initcall(umf_proc_init);
