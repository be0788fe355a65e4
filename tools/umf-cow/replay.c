// SPDX-License-Identifier: GPL-2.0
/*
 * replay: a write log (drivers/blk/log.h), listed, or done again to an image as
 * it was when the log began; with a check at the points at which a power cut
 * could have left the disk so.
 *
 * A check gets a copy of its own: a file system's check writes, and what is
 * replayed next counts on what was there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "blk/log.h"
#include "tool.h"

#define STEP	(1UL << 20)	/* bytes moved at a time */

struct log {
	const char *path;
	int fd;
	u64 size;		/* bytes */
	u64 entries;
	u32 unit;		/* bytes */
	u64 index, at;		/* of the entry, which begins at that byte */
	struct umf_wlog_entry entry;
	char text[UMF_WLOG_UNIT_MAX];	/* of a mark */
};

static void log_open(struct log *log, const char *path)
{
	u8 head[UMF_WLOG_HEAD_LEN] = { 0 };
	const char *why;
	long len;

	log->path = path;
	log->fd = umf_file_open(path, false);
	if (log->fd < 0)
		fail("%s: %s", path, umf_file_error(log->fd));
	log->size = file_info(log->fd, path).size;
	len = umf_file_read_some(log->fd, head, sizeof(head), 0);
	if (len < 0)
		fail("%s: cannot be read (%s)", path, umf_file_error(len));
	if (umf_wlog_get_head(head, &log->entries, &log->unit, &why))
		fail("%s: %s", path, why);
	log->index = 0;
	log->at = log->unit;
}

/* Where the data of the entry is. */
static u64 data_at(const struct log *log)
{
	return log->at + log->unit;
}

static bool in_file(const struct log *log, u64 at, u64 units)
{
	return at <= log->size && units <= (log->size - at) / log->unit;
}

/* The entry at log->at; false: there are no more. */
static bool log_entry(struct log *log)
{
	struct umf_wlog_entry *entry = &log->entry;
	u8 unit[UMF_WLOG_UNIT_MAX];
	int err;

	if (log->index == log->entries)
		return false;
	if (!in_file(log, log->at, 1))
		fail("%s: is cut short: %llu of its %llu entries are there",
		     log->path, log->index, log->entries);
	err = umf_file_read(log->fd, unit, log->unit, log->at);
	if (err)
		fail("%s: cannot be read (%s)", log->path, umf_file_error(err));
	umf_wlog_get_entry(unit, entry);
	if (!in_file(log, data_at(log), umf_wlog_data(entry)))
		fail("%s: entry %llu: its data is not there", log->path,
		     log->index);
	*log->text = '\0';
	if (entry->flags & UMF_WLOG_MARK) {
		if (entry->len > log->unit - UMF_WLOG_ENTRY_LEN)
			fail("%s: entry %llu: a mark of %llu bytes", log->path,
			     log->index, entry->len);
		memcpy(log->text, unit + UMF_WLOG_ENTRY_LEN, entry->len);
		log->text[entry->len] = '\0';
	}
	return true;
}

static void log_next(struct log *log)
{
	log->at = data_at(log) + umf_wlog_data(&log->entry) * log->unit;
	log->index++;
}

/* ---- a list ---- */

static void show(const struct log *log)
{
	const struct umf_wlog_entry *entry = &log->entry;

	printf("%llu", log->index);
	if (entry->flags & UMF_WLOG_MARK)
		printf(" mark %s", log->text);
	if (entry->flags & UMF_WLOG_FLUSH)
		printf(" flush");
	if (entry->nr)
		printf(" %s", entry->flags & UMF_WLOG_DISCARD ? "discard" :
							       "write");
	if (entry->flags & UMF_WLOG_FUA)
		printf(" fua");
	if (entry->flags & UMF_WLOG_METADATA)
		printf(" meta");
	if (entry->nr)
		printf(" %llu+%llu", entry->sector, entry->nr);
	putchar('\n');
}

/* ---- again ---- */

static void apply(const struct log *log, struct umf_image *image)
{
	static char *buf;
	const struct umf_wlog_entry *entry = &log->entry;
	u64 size = (umf_image_size(image) + UMF_SECTOR - 1) / UMF_SECTOR;
	u64 per = log->unit / UMF_SECTOR, left = entry->nr, at = data_at(log);
	struct umf_io_vec vec;
	struct umf_io io = { .vec = &vec, .nvec = 1 };
	int err = 0;

	if (!buf)
		buf = xrealloc(NULL, STEP);
	if (left > size / per || entry->sector > size / per - left)
		fail("%s: entry %llu: is behind the end of the image",
		     log->path, log->index);
	io.sector = entry->sector * per;
	/* what it holds then is anybody's guess; replay-log has zeros, too */
	if (entry->flags & UMF_WLOG_DISCARD) {
		io.op = UMF_IO_ZEROES;
		io.nr = left * per;
		left = 0;
		err = umf_io_exec(image, &io);
	}
	for (; left && !err; left -= io.nr / per, io.sector += io.nr) {
		u64 len = left * log->unit < STEP ? left * log->unit : STEP;

		io.nr = len / UMF_SECTOR;
		io.op = UMF_IO_WRITE;
		err = umf_file_read(log->fd, buf, len, at);
		if (err)
			fail("%s: cannot be read (%s)", log->path,
			     umf_file_error(err));
		if (is_zero(buf, len))
			io.op = UMF_IO_ZEROES;
		vec.base = buf;
		vec.len = len;
		err = umf_io_exec(image, &io);
		at += len;
	}
	if (err)
		fail("%s: entry %llu: cannot be written to the image (%s)",
		     log->path, log->index, umf_file_error(err));
}

/* Is it asked for at this entry? */
static bool check_here(const struct tool *tool, const struct log *log)
{
	u64 flags = log->entry.flags;

	switch (tool->at) {
	case AT_MARK:
		return flags & UMF_WLOG_MARK;
	case AT_ENTRY:
		return true;
	default:
		return flags & (UMF_WLOG_FLUSH | UMF_WLOG_FUA);
	}
}

/* The command's status on what the image holds now. */
static int check(const struct tool *tool, const struct log *log,
		 struct umf_image *image, const char *name, const char *mark)
{
	struct target copy;
	char index[24];
	int status, err;
	pid_t pid;

	target_open_named(&copy, name, TARGET_OURS);
	err = umf_file_truncate(copy.fd, umf_image_size(image));
	if (err)
		fail("%s: cannot be written (%s)", copy.temporary,
		     umf_file_error(err));
	copy_image(image, image->layers, copy.fd, 0, NULL, 0);
	snprintf(index, sizeof(index), "%llu", log->index);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		setenv("IMAGE", copy.temporary, 1);
		setenv("ENTRY", index, 1);
		setenv("MARK", mark, 1);
		execl("/bin/sh", "sh", "-c", tool->check, NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		fail("sh: %s", strerror(errno));
	target_drop(&copy);
	signals_check();
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

int verb_replay(const struct tool *tool, int argc, char **argv)
{
	static struct log log;
	struct umf_image *image = NULL;
	const struct umf_io flush = { .op = UMF_IO_FLUSH };
	char *mark = xstrdup("");
	bool begun = !tool->from, found = !tool->until;
	u64 checks = 0, failed = 0;
	int status = 0, err;

	if (tool->check && argc < 2)
		usage("--check needs an image to check");
	if ((tool->from || tool->at) && !tool->check)
		usage("--from and --at go with --check");
	log_open(&log, argv[0]);
	if (argc > 1) {
		image = image_open(argv[1], NULL, true, false);
		stopped_says = "the image has a part of the log";
	}
	progress_begin(tool, "replay", log.size);
	for (; log_entry(&log) && !status; log_next(&log)) {
		signals_check();
		if (tool->entries && log.index == tool->entries)
			break;
		if (!image)
			show(&log);
		else if (log.entry.nr)
			apply(&log, image);
		if (log.entry.flags & UMF_WLOG_MARK) {
			free(mark);
			mark = xstrdup(log.text);
			begun |= tool->from && !strcmp(mark, tool->from);
			found |= tool->until && !strcmp(mark, tool->until);
		}
		if (tool->check && begun && check_here(tool, &log)) {
			status = check(tool, &log, image, argv[1], mark);
			checks++;
			failed = log.index;
		}
		if (tool->until && found)
			break;
	}
	progress_end();
	if (image) {
		err = umf_io_exec(image, &flush);
		if (err)
			fail("%s: %s", argv[1], umf_file_error(err));
		umf_image_close(image);
	}
	if (!begun || !found)
		fail("%s: has no mark %s", argv[0],
		     begun ? tool->until : tool->from);
	if (status) {
		fprintf(stderr, NAME ": entry %llu%s%s: the check failed (%d)\n",
			failed, *mark ? ", after mark " : "", mark,
			status);
		return TOOL_UNSOUND;
	}
	if (tool->check)
		say(tool, "%llu checks", checks);
	free(mark);
	close(log.fd);
	return TOOL_DONE;
}
