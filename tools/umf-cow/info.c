// SPDX-License-Identifier: GPL-2.0
/*
 * info and check. Both look at a chain file by file on their own: they are to
 * say all that is wrong with it, where a guest says the first thing and stops.
 * They take no lock, and change nothing but what --repair is to mend.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "tool.h"

/* One file of a chain. */
struct part {
	char *path;
	int fd;
	struct umf_file_info info;
	struct stat st;
	bool cow;		/* head is valid */
	struct umf_cow head;
	u64 size;		/* of the disk */
	u8 *map;
	u64 held;		/* sectors that it holds */
};

struct look {
	const struct tool *tool;
	bool deep;		/* check: data, too */
	json_t *problems, *notes;
	unsigned int nr_problems, repaired;
};

static json_t *text_of(char *text)
{
	json_t *json = json_string(text);

	/* a name need not be UTF-8 */
	if (!json)
		json = json_stringn_nocheck(text, strlen(text));
	return json;
}

static void __attribute__((format(printf, 3, 4)))
tell(struct look *look, bool problem, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = xstrdup("out of memory");
	va_end(ap);
	if (problem)
		look->nr_problems++;
	if (look->tool->json)
		json_array_append_new(problem ? look->problems : look->notes,
				      text_of(text));
	else if (look->deep && (problem || !look->tool->quiet))
		printf("%s%s\n", problem ? "" : "note: ", text);
	else if (!look->deep)
		printf("   %s\n", text);
	free(text);
}

/* ---- what can be wrong with one file ---- */

static void mended(struct look *look, const struct part *part, const char *what)
{
	look->repaired++;
	if (!look->tool->quiet && !look->tool->json)
		printf("%s: repaired: %s\n", part->path, what);
}

/* Bits for sectors the disk does not have. */
static void check_stray(struct look *look, struct part *part)
{
	u64 bits = part->head.bitmap_len * 8, n = part->head.sectors, bit;
	u64 stray = 0;
	int err;

	for (bit = n; bit < bits; bit++)
		stray += umf_map_test(part->map, bit);
	if (!stray)
		return;
	tell(look, true, "%s: its bitmap has %llu bits behind the last sector, %llu",
	     part->path, stray, n - 1);
	if (!look->tool->repair)
		return;
	umf_map_clear(part->map, n, bits - n);
	err = umf_file_write(part->fd, part->map + n / 8,
			     part->head.bitmap_len - n / 8,
			     part->head.bitmap_offset + n / 8);
	if (err)
		fail("%s: %s", part->path, umf_file_error(err));
	mended(look, part, "those bits are cleared");
}

/* The file ends where sectors should be, or behind them. */
static void check_length(struct look *look, struct part *part, u64 bits)
{
	u64 end = part->head.data_offset + part->head.size, first, n, lost = 0;
	u64 size = part->info.size;
	int err;

	if (size > end)
		tell(look, false, "%s: has %llu bytes behind its last sector",
		     part->path, size - end);
	if (size >= end)
		return;
	first = (size - part->head.data_offset) / part->head.sector_size;
	for (n = first; n < bits; n++)
		lost += umf_map_test(part->map, n);
	if (lost) {
		tell(look, true,
		     "%s: is cut short at sector %llu: of %llu sectors behind, which its bitmap says it has, the content is lost",
		     part->path, first, lost);
		return;
	}
	tell(look, false, "%s: is %llu bytes shorter than its disk; nothing is missing",
	     part->path, end - size);
	if (!look->tool->repair)
		return;
	err = umf_file_truncate(part->fd, end);
	if (err)
		fail("%s: %s", part->path, umf_file_error(err));
	mended(look, part, "it has its full length");
}

/* Space for which there is no bit, in pieces that a host can free. */
static u64 unused_of(struct look *look, struct part *part, u64 bit, u64 run)
{
	u64 unit = part->head.sector_size;
	u64 at = part->head.data_offset + bit * unit, end = at + run * unit;
	u64 unused = 0;
	off_t data, hole;

	at = (at + 4095) & ~4095ULL;
	end &= ~4095ULL;
	while (at < end) {
		data = lseek(part->fd, at, SEEK_DATA);
		if (data < 0 || (u64)data >= end)
			break;
		hole = lseek(part->fd, data, SEEK_HOLE);
		if (hole <= data || (u64)hole > end)
			hole = end;
		unused += hole - data;
		if (look->tool->repair &&
		    fallocate(part->fd, FALLOC_FL_PUNCH_HOLE |
			      FALLOC_FL_KEEP_SIZE, data, hole - data))
			fail("%s: %s", part->path, strerror(errno));
		at = hole;
	}
	return unused;
}

static void check_unused(struct look *look, struct part *part, u64 bits)
{
	u64 bit, run, unused = 0;

	for (bit = 0; bit < bits; bit += run) {
		signals_check();
		run = umf_map_run(part->map, bit, bits - bit);
		if (!umf_map_test(part->map, bit))
			unused += unused_of(look, part, bit, run);
	}
	if (!unused)
		return;
	tell(look, false, "%s: stores %llu bytes that no bit of it refers to",
	     part->path, unused);
	if (look->tool->repair)
		mended(look, part, "that space is free again");
}

static void check_part(struct look *look, struct part *part)
{
	u64 bits = part->head.bitmap_len * 8;
	unsigned int repaired;

	if (!part->cow) {
		if (!part->size)
			tell(look, true, "%s: is empty", part->path);
		else if (part->size % UMF_SECTOR)
			tell(look, false,
			     "%s: its last sector is there in part; a guest sees it filled up with zeros",
			     part->path);
		return;
	}
	if (!part->map)
		return;
	if (bits > part->head.sectors)
		bits = part->head.sectors;
	else if (bits < part->head.sectors)
		tell(look, false, "%s: version 2 has no bits for its last %llu sectors; they are the backing file's",
		     part->path, part->head.sectors - bits);
	part->held = map_count(part->map, bits);
	repaired = look->repaired;
	check_stray(look, part);
	check_length(look, part, bits);
	if (look->deep)
		check_unused(look, part, bits);
	if (look->repaired != repaired)
		keep_time(part->fd, &part->st, part->path);
}

/* ---- a chain ---- */

/* false: nothing more can be said of it. */
static bool part_open(struct look *look, struct part *part, char *path)
{
	u8 head[UMF_COW_HEAD_LEN];
	const char *why;
	int kind, err;
	long len;

	memset(part, 0, sizeof(*part));
	part->path = path;
	part->fd = umf_file_open(path, look->tool->repair);
	if (part->fd < 0) {
		tell(look, true, "%s: %s", path, umf_file_error(part->fd));
		return false;
	}
	part->info = file_info(part->fd, path);
	if (!part->info.usable) {
		tell(look, true, "%s: neither a regular file nor a block device",
		     path);
		return false;
	}
	if (look->tool->repair && umf_file_lock(part->fd, true)) {
		tell(look, true, "%s: in use by a guest or another program",
		     path);
		return false;
	}
	if (fstat(part->fd, &part->st))
		fail("%s: %s", path, strerror(errno));
	part->size = part->info.size;
	len = umf_file_read_some(part->fd, head, sizeof(head), 0);
	if (len < 0) {
		tell(look, true, "%s: cannot be read (%s)", path,
		     umf_file_error(len));
		return false;
	}
	if (len >= 4 && !memcmp(head, "QFI\xfb", 4))
		tell(look, false, "%s: looks like qcow2, and a guest would see its bytes; there is " NAME " convert",
		     path);
	kind = umf_cow_parse(head, len, part->info.size, &part->head, &why);
	if (kind < 0) {
		tell(look, true, "%s: %s", path, why);
		return false;
	}
	if (!kind)
		return true;
	part->cow = true;
	part->size = part->head.size;
	err = part->head.bitmap_len ?
	      umf_map_load(part->fd, part->head.bitmap_offset,
			   part->head.bitmap_len, &part->map) : -EINVAL;
	if (err)
		tell(look, true, "%s: its bitmap cannot be read (%s)", path,
		     umf_file_error(err));
	return true;
}

static void part_close(struct part *part)
{
	if (part->map)
		umf_map_free(part->map, part->head.bitmap_len);
	if (part->fd >= 0)
		close(part->fd);
	free(part->path);
}

/* Is it what the file above was made on? */
static void check_link(struct look *look, const struct part *above,
		       const struct part *part)
{
	if (above->head.size != part->size)
		tell(look, true,
		     "%s: is not what %s was made on: %llu bytes, not %llu",
		     part->path, above->path, part->size, above->head.size);
	if (above->head.mtime == (u32)part->info.mtime)
		return;
	tell(look, true,
	     "%s: was changed after %s was made on it; if only in time: touch -d @%u",
	     part->path, above->path, above->head.mtime);
}

static void check_marker(struct look *look, const char *file)
{
	char *marker = xasprintf("%s.merge", file);

	if (!access(marker, F_OK))
		tell(look, true, "%s: a merge was cut off; %s merge %s goes on with it",
		     file, NAME, file);
	free(marker);
}

static const char *use_of(const struct part *part)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(part->fd, F_OFD_GETLK, &lock) || lock.l_type == F_UNLCK)
		return "no";
	return lock.l_type == F_WRLCK ? "written" : "read";
}

static char *kind_of(const struct part *part)
{
	return part->cow ? xasprintf("COW v%u%s", part->head.version,
				     part->head.wide ? " wide" : "") :
			   xstrdup("raw");
}

static void print_part(const struct part *part)
{
	char *kind = kind_of(part);
	u64 space = part->st.st_blocks * 512ULL;

	printf("%s\n   %s, a disk of %llu bytes; %llu bytes on the host, in use: %s\n",
	       part->path, kind, part->size, space, use_of(part));
	if (part->cow)
		printf("   holds %llu of %llu sectors of %u bytes, over %s (mtime %u)\n",
		       part->held, part->head.sectors, part->head.sector_size,
		       part->head.backing, part->head.mtime);
	free(kind);
}

static json_t *json_part(const struct part *part)
{
	char *kind = kind_of(part);
	json_t *json = json_pack("{so ss sI sI ss}", "file",
				 text_of(part->path), "type", kind,
				 "size", (json_int_t)part->size,
				 "stored", (json_int_t)part->st.st_blocks * 512,
				 "in_use", use_of(part));

	if (part->cow) {
		json_object_set_new(json, "sector_size",
				    json_integer(part->head.sector_size));
		json_object_set_new(json, "sectors",
				    json_integer(part->head.sectors));
		json_object_set_new(json, "held", json_integer(part->held));
		json_object_set_new(json, "backing",
				    text_of((char *)part->head.backing));
		json_object_set_new(json, "backing_mtime",
				    json_integer(part->head.mtime));
	}
	free(kind);
	return json;
}

/* Is this file above already? */
static bool seen(struct look *look, const struct part *parts, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (parts[i].info.dev == parts[n].info.dev &&
		    parts[i].info.ino == parts[n].info.ino) {
			tell(look, true, "%s: is its own backing file, %u files up",
			     parts[n].path, n - i);
			return true;
		}
	return false;
}

static json_t *look_at(struct look *look, char *file)
{
	struct part *parts = xrealloc(NULL, sizeof(*parts) *
					    UMF_COW_DEPTH_MAX);
	json_t *files = json_array();
	char *path = xstrdup(file);
	unsigned int n = 0, i;
	bool more = true;

	check_marker(look, file);
	while (more) {
		struct part *part = &parts[n];

		if (n == UMF_COW_DEPTH_MAX) {
			tell(look, true, "%s: more than %u files in the chain",
			     path, UMF_COW_DEPTH_MAX);
			free(path);
			break;
		}
		more = part_open(look, part, path) && !seen(look, parts, n);
		if (n && part->fd >= 0 && (part->cow || more))
			check_link(look, &parts[n - 1], part);
		n++;
		if (!more)
			break;
		check_part(look, part);
		if (look->tool->json)
			json_array_append_new(files, json_part(part));
		else if (!look->deep)
			print_part(part);
		more = part->cow;
		if (more)
			path = n == 1 && look->tool->backing ?
			       xstrdup(look->tool->backing) :
			       backing_path(path, part->head.backing);
	}
	for (i = 0; i < n; i++)
		part_close(&parts[i]);
	free(parts);
	return files;
}

static int look_at_all(const struct tool *tool, bool deep, int argc, char **argv)
{
	json_t *all = json_array(), *files;
	int i, status = TOOL_DONE;

	for (i = 0; i < argc; i++) {
		struct look look = {
			.tool = tool, .deep = deep,
			.problems = json_array(), .notes = json_array(),
		};

		files = look_at(&look, argv[i]);
		if (look.nr_problems)
			status = deep ? TOOL_UNSOUND : TOOL_FAILED;
		else if (deep && !tool->json && !tool->quiet)
			printf("%s: is sound\n", argv[i]);
		json_array_append_new(all, json_pack("{so so so so}", "image",
						     text_of(argv[i]),
						     "files", files, "problems",
						     look.problems, "notes",
						     look.notes));
	}
	if (tool->json) {
		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		putchar('\n');
	}
	json_decref(all);
	return status;
}

int verb_info(const struct tool *tool, int argc, char **argv)
{
	return look_at_all(tool, false, argc, argv);
}

int verb_check(const struct tool *tool, int argc, char **argv)
{
	return look_at_all(tool, true, argc, argv);
}
