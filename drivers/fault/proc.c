// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/umf: the guest's own view of the fault core.
 *
 *	control	write statements; a bad one fails the write with its error, and
 *		reading gives the reply to the last write. A write of whole pages
 *		may be a part of more: the line that it does not end is kept for
 *		the next one, or done when the file is closed
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

#define CONTROL_MAX	SZ_1M	/* bytes of one write, and of a line */

/* ---- control ---- */

static struct umf_reply last_reply;	/* to the last write */
static DEFINE_MUTEX(last_mutex);	/* protects it */

struct control_writer {
	struct mutex mutex;		/* what follows */
	char *line;			/* begun, not ended; or NULL */
	size_t len;			/* of it */
};

static int control_do(char *text)
{
	struct umf_reply reply = {};
	int err = umf_command(text, &reply);

	if (err)
		umf_say(&reply, "\n");
	mutex_lock(&last_mutex);
	swap(last_reply, reply);
	mutex_unlock(&last_mutex);
	umf_reply_free(&reply);
	return err;
}

/* What was begun before, and this: NUL-terminated, *@len bytes. */
static char *control_join(struct control_writer *writer, const char __user *buf,
			  size_t *len)
{
	char *text;

	if (*len > CONTROL_MAX - writer->len)
		return ERR_PTR(-E2BIG);
	text = kvmalloc(writer->len + *len + 1, GFP_KERNEL);
	if (!text)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(text + writer->len, buf, *len)) {
		kvfree(text);
		return ERR_PTR(-EFAULT);
	}
	if (writer->line)
		memcpy(text, writer->line, writer->len);
	*len += writer->len;
	text[*len] = '\0';
	/* it would hide what stands behind it */
	if (strlen(text) < *len) {
		kvfree(text);
		return ERR_PTR(-EINVAL);
	}
	return text;
}

static ssize_t control_write(struct file *file, const char __user *buf,
			     size_t count, loff_t *pos)
{
	struct seq_file *seq = file->private_data;
	struct control_writer *writer = seq->private;
	char *text, *rest = NULL, *end;
	size_t len = count;
	int err = 0;

	mutex_lock(&writer->mutex);
	text = control_join(writer, buf, &len);
	if (IS_ERR(text)) {
		err = PTR_ERR(text);
		text = NULL;
		goto out;
	}
	if (count && count % PAGE_SIZE == 0) {
		end = strrchr(text, '\n');
		end = end ? end + 1 : text;
		rest = kvmemdup(end, len - (end - text) + 1, GFP_KERNEL);
		if (!rest) {
			err = -ENOMEM;
			goto out;
		}
		*end = '\0';
	}
	err = *text ? control_do(text) : 0;
out:
	kvfree(writer->line);
	writer->line = err ? NULL : rest;
	writer->len = writer->line ? strlen(writer->line) : 0;
	if (err)
		kvfree(rest);
	mutex_unlock(&writer->mutex);
	kvfree(text);
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
	struct control_writer *writer = kzalloc_obj(*writer);
	int err;

	if (!writer)
		return -ENOMEM;
	mutex_init(&writer->mutex);
	err = single_open(file, control_show, writer);
	if (err)
		kfree(writer);
	return err;
}

static int control_release(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;
	struct control_writer *writer = seq->private;

	if (writer->len)
		control_do(writer->line);
	kvfree(writer->line);
	kfree(writer);
	return single_release(inode, file);
}

static const struct proc_ops control_ops = {
	.proc_open	= control_open,
	.proc_read	= seq_read,
	.proc_write	= control_write,
	.proc_lseek	= seq_lseek,
	.proc_release	= control_release,
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
