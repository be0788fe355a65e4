// SPDX-License-Identifier: GPL-2.0
/*
 * Moving content. Holes are looked for, zeros are found out, and where the
 * host's file system can share blocks between files they are shared.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "tool.h"

#define STEP		(1UL << 20)	/* bytes read at a time */
#define BLOCK		4096UL		/* zeros of that size are left out */
#define RUN_MAX		(1ULL << 16)	/* sectors between two looks at signals */

/* ---- signals ---- */

const char *stopped_says = "nothing is changed";

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	stopped = sig;
}

void signals_catch(void)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act = { .sa_handler = stop, .sa_flags = SA_RESTART };
	struct sigaction old;
	unsigned int i;

	for (i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		if (!sigaction(sigs[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(sigs[i], &act, NULL);
}

void signals_check(void)
{
	int sig = stopped;

	if (!sig)
		return;
	progress_end();
	fprintf(stderr, NAME ": stopped; %s\n", stopped_says);
	targets_abandon();
	signal(sig, SIG_DFL);
	raise(sig);
}

/* ---- progress ---- */

static struct {
	const char *what;
	u64 done, total;
	long long next;		/* ms */
	bool shown;
} progress;

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void show(const char *end)
{
	int percent = progress.total ? progress.done * 100.0 / progress.total :
				       100;

	fprintf(stderr, "\r" NAME ": %s %d %% of %.1f MiB%s", progress.what,
		percent, progress.total / 1048576.0, end);
	fflush(stderr);
	progress.shown = true;
}

void progress_begin(const struct tool *tool, const char *what, u64 total)
{
	progress.what = what;
	progress.done = 0;
	progress.total = total;
	progress.shown = false;
	progress.next = tool->progress ? 0 : now_ms() + 1000;
	if (tool->quiet || (!tool->progress && !isatty(2)))
		progress.what = NULL;
}

void progress_add(u64 done)
{
	signals_check();
	progress.done += done;
	if (!progress.what || now_ms() < progress.next)
		return;
	show("");
	progress.next = now_ms() + 200;
}

void progress_end(void)
{
	if (progress.what && progress.shown)
		show("\n");
	progress.what = NULL;
}

/* ---- copies ---- */

/* Shares blocks; false: the host cannot, or not these. */
static bool clone_range(int from, u64 from_at, int to, u64 to_at, u64 len)
{
	static bool never;
	struct file_clone_range range = {
		.src_fd = from, .src_offset = from_at, .src_length = len,
		.dest_offset = to_at,
	};

	if (never || (from_at | to_at | len) % BLOCK)
		return false;
	if (!ioctl(to, FICLONERANGE, &range))
		return true;
	never = errno != EINVAL;
	return false;
}

/* As the host knows it; a file that has no name yet is called by its folder. */
static const char *name_of(int fd)
{
	static char name[PATH_MAX];
	struct stat info;
	char link[32];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, name, sizeof(name) - 1);
	if (len < 0 || fstat(fd, &info))
		return "a file";
	name[len] = 0;
	if (!info.st_nlink)
		*strrchr(name, '/') = 0;
	return name;
}

static void write_some(int to, const char *buf, u64 len, u64 at)
{
	int err = umf_file_write(to, buf, len, at);

	if (err)
		fail("%s: cannot be written (%s)", name_of(to),
		     umf_file_error(err));
}

bool is_zero(const char *buf, u64 len)
{
	return !*buf && !memcmp(buf, buf + 1, len - 1);
}

/* Blocks of the new file that would be zeros are left out. */
static void write_sparse(int to, const char *buf, u64 len, u64 at)
{
	u64 i, piece, kept = 0;

	for (i = 0; i < len; i += piece) {
		piece = BLOCK - (at + i) % BLOCK;
		if (piece > len - i)
			piece = len - i;
		if (!is_zero(buf + i, piece)) {
			kept += piece;
			continue;
		}
		write_some(to, buf + i - kept, kept, at + i - kept);
		kept = 0;
	}
	write_some(to, buf + len - kept, kept, at + len - kept);
}

/* The data of a piece without holes. */
static void copy_data(int from, u64 from_at, int to, u64 to_at, u64 len,
		      bool over)
{
	static char *buf;
	u64 part;
	long n;

	if (!buf)
		buf = xrealloc(NULL, STEP);
	if (clone_range(from, from_at, to, to_at, len))
		return;
	for (; len; from_at += part, to_at += part, len -= part) {
		signals_check();
		part = len < STEP ? len : STEP;
		n = umf_file_read_some(from, buf, part, from_at);
		if (n < 0)
			fail("%s: cannot be read at %llu (%s)", name_of(from),
			     from_at, umf_file_error(n));
		memset(buf + n, 0, part - n);
		if (over) {
			write_some(to, buf, part, to_at);
			continue;
		}
		write_sparse(to, buf, part, to_at);
	}
}

static void make_hole(int to, u64 at, u64 len)
{
	static char zeros[65536];
	u64 part;

	if (!fallocate(to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len))
		return;
	if (errno != EOPNOTSUPP)
		fail("%s: cannot be written (%s)", name_of(to),
		     strerror(errno));
	for (; len; at += part, len -= part) {
		part = len < sizeof(zeros) ? len : sizeof(zeros);
		write_some(to, zeros, part, at);
	}
}

void copy_range(int from, u64 from_at, int to, u64 to_at, u64 len, bool over)
{
	u64 end = from_at + len, at = from_at;
	off_t data, hole;

	while (at < end) {
		signals_check();
		data = lseek(from, at, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			data = at;	/* a host that knows no holes */
		if (data < 0 || (u64)data > end)
			data = end;
		if (over && (u64)data > at)
			make_hole(to, to_at + (at - from_at), data - at);
		at = data;
		if (at == end)
			break;
		hole = lseek(from, at, SEEK_HOLE);
		if (hole <= (off_t)at || (u64)hole > end)
			hole = end;
		copy_data(from, at, to, to_at + (at - from_at), hole - at, over);
		at = hole;
	}
}

void copy_image(const struct umf_image *image, unsigned int layers, int to,
		u64 data_offset, u8 *map, unsigned int shift)
{
	u64 size = umf_image_size(image), sector = 0, n, len, run;
	u64 left = (size + UMF_SECTOR - 1) / UMF_SECTOR;

	while (left) {
		const struct umf_layer *layer;
		unsigned int i;

		n = left < RUN_MAX ? left : RUN_MAX;
		i = umf_chain_find(image->layer, image->layers, sector, n,
				   &run);
		layer = &image->layer[i];
		len = run * UMF_SECTOR;
		/* the last sector may be there in part */
		if (sector * UMF_SECTOR + len > size)
			len = size - sector * UMF_SECTOR;
		if (i < layers) {
			copy_range(layer->fd,
				   layer->data_offset + sector * UMF_SECTOR,
				   to, data_offset + sector * UMF_SECTOR, len,
				   false);
			if (map)
				umf_map_set(map, sector >> shift,
					    ((sector + run - 1) >> shift) -
					    (sector >> shift) + 1);
		}
		sector += run;
		left -= run;
		progress_add(len);
	}
}

/* ---- bitmaps ---- */

void map_write(int fd, u64 offset, const u8 *map, u64 len)
{
	u64 at, part;

	for (at = 0; at < len; at += part) {
		part = len - at < BLOCK ? len - at : BLOCK;
		if (!is_zero((const char *)map + at, part))
			write_some(fd, (const char *)map + at, part,
				   offset + at);
	}
}

u64 map_count(const u8 *map, u64 bits)
{
	u64 n = 0, i, word;

	for (i = 0; i < bits / 64; i++) {
		memcpy(&word, map + i * 8, 8);
		n += __builtin_popcountll(word);
	}
	for (i *= 64; i < bits; i++)
		n += umf_map_test(map, i);
	return n;
}
