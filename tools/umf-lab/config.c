// SPDX-License-Identifier: GPL-2.0
/*
 * The lab file. libconfuse reads it, and each value comes here in the moment it
 * was read, so that what is wrong with it is told with its line and column. A
 * section's values come before its end does: they gather in `now`, and go
 * where they belong when it closes.
 *
 * The first thing that is wrong ends the tool.
 */
#define _GNU_SOURCE
#include <confuse.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/beside.h"
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "lab.h"

static struct {
	struct lab *lab;
	struct guest_conf guest, defaults;
	struct nic nic;
	char *latency;		/* of the segment that is read */
	struct strings latencies;	/* of each, "": it says none */
	struct serial serial;
	struct disk disk;
	struct strings links;	/* each as often as it is named */
	struct strings logs;	/* of disks */
	cfg_opt_t *seen[256];	/* options that were given, to find the second */
	unsigned int nr_seen;
} now;

bool name_is_good(const char *name)
{
	size_t i, len = strlen(name);

	if (!len || len > NAME_LEN || !isalnum((unsigned char)*name))
		return false;
	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
			return false;
	return true;
}

struct guest_conf *lab_guest(struct lab *lab, const char *name)
{
	size_t i;

	for (i = 0; i < lab->nr_guests; i++)
		if (!strcmp(lab->guest[i].name, name))
			return &lab->guest[i];
	return NULL;
}

/* ---- what is wrong, and where ---- */

__attribute__((noreturn, format(printf, 3, 4)))
static void wrong(cfg_t *cfg, const char *word, const char *fmt, ...)
{
	struct text_at at = text_find(cfg->line, word);
	va_list ap;

	va_start(ap, fmt);
	text_say(&at, fmt, ap);
	exit(LAB_USAGE);
}

/* libconfuse's own words name the word at fault in quotes. */
static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char *text = xvasprintf(fmt, ap), *from, *word = NULL;

	from = strchr(text, '\'');
	if (from && strchr(from + 1, '\''))
		word = xstrndup(from + 1, strchr(from + 1, '\'') - from - 1);
	if (!strcmp(text, "unexpected token ','"))
		wrong(cfg, NULL, "a value with a comma stands in quotes");
	if (word && !strncmp(text, "no such option", 14))
		wrong(cfg, word, "%s: no such word here", word);
	if (word && strstr(text, "duplicate title"))
		wrong(cfg, word, "%s: this name is used twice", word);
	wrong(cfg, word, "%s", text);
}

/* ---- values ---- */

/* What stands in a file is beside that file. */
static char *absolute(cfg_t *cfg, const char *path)
{
	return said_find(now.lab, text_find(cfg->line, NULL).folder, path, NULL);
}

static bool is_there(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode);
}

static void need_file(cfg_t *cfg, const char *said, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		wrong(cfg, said, "%s: %s: %s", said, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		wrong(cfg, said, "%s: %s: is no file", said, path);
}

/* "6.12" or "7.3-smp": the line's kernel beside the tool. @cfg: NULL on the command line. */
static char *find_kernel(cfg_t *cfg, const char *said, char **why)
{
	char *path;

	if (strchr(said, '/'))
		path = cfg ? absolute(cfg, said) : realpath(said, NULL) ?: xstrdup(said);
	else
		path = beside_kernel(said);
	*why = NULL;
	if (access(path, X_OK) || !is_there(path))
		*why = xasprintf("%s: there is no kernel %s; %s", said, path,
				 strchr(said, '/') ? "a path, or a line as 6.12" :
						     "make KERNEL= builds a line");
	return path;
}

/* A COW header's magic: versions 2 and 3, or 1. */
static bool is_cow(const char *path)
{
	char head[4] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool cow;

	if (fd < 0)
		return false;
	cow = pread(fd, head, 4, 0) == 4 &&
	      (!memcmp(head, "OOOM", 4) || !memcmp(head, "MOOO", 4));
	close(fd);
	return cow;
}

/* Both bytes of the superblock's magic, or a COW header's: a disk. */
static bool is_disk(const char *path)
{
	unsigned char magic[2] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool disk = false;

	if (fd < 0)
		return false;
	if (pread(fd, magic, 2, 1024 + 56) == 2)
		disk = magic[0] == 0x53 && magic[1] == 0xef;
	close(fd);
	return disk || is_cow(path);
}

static uint64_t parse_size(cfg_t *cfg, const char *key, const char *value)
{
	static const char units[] = "kMGT";
	unsigned long long n;
	const char *unit;
	char *end;

	errno = 0;
	n = strtoull(value, &end, 10);
	unit = *end ? strchr(units, *end == 'K' ? 'k' : *end) : NULL;
	if (!isdigit((unsigned char)*value) || errno || !n || (*end && !unit) ||
	    (unit && end[1]) || n > (1ULL << 50) >> (unit ? 10 * (unit - units + 1) : 0))
		wrong(cfg, value, "%s = %s: must be a size, as 64M or 2G", key,
		      value);
	return unit ? n << 10 * (unit - units + 1) : n;
}

static bool parse_bool(cfg_t *cfg, const char *key, const char *value)
{
	if (!strcmp(value, "true") || !strcmp(value, "yes") || !strcmp(value, "on"))
		return true;
	if (strcmp(value, "false") && strcmp(value, "no") && strcmp(value, "off"))
		wrong(cfg, value, "%s = %s: must be true or false", key, value);
	return false;
}

/* Whatever goes into a driver's text must not end it. */
static char *plain(cfg_t *cfg, const char *key, const char *value)
{
	if (!*value || strpbrk(value, ", \t\n\"'"))
		wrong(cfg, value, "%s = '%s': must be one word without commas",
		      key, value);
	return xstrdup(value);
}

static char *plain_path(cfg_t *cfg, const char *key, const char *value)
{
	char *path = absolute(cfg, value);

	if (strpbrk(path, ", \t\n\"'"))
		wrong(cfg, value, "%s = '%s': %s: a kernel takes no path with blanks, commas or quotes",
		      key, value, path);
	return path;
}

/* A value may be given once in a section. */
static void only_once(cfg_t *cfg, cfg_opt_t *opt)
{
	unsigned int i;

	if (opt->flags & CFGF_LIST)
		return;
	for (i = 0; i < now.nr_seen; i++)
		if (now.seen[i] == opt)
			wrong(cfg, opt->name, "%s: is given twice", opt->name);
	if (now.nr_seen < sizeof(now.seen) / sizeof(*now.seen))
		now.seen[now.nr_seen++] = opt;
}

static void forget_seen(cfg_t *cfg)
{
	unsigned int i, k = 0;

	for (i = 0; i < now.nr_seen; i++)
		if (now.seen[i] < cfg->opts ||
		    now.seen[i] >= cfg->opts + cfg_num(cfg))
			now.seen[k++] = now.seen[i];
	now.nr_seen = k;
}

/* ---- the words ---- */

/* Those that a driver takes as they are: where in now.nic and the like. */
static const struct driver_word {
	const char *section, *key;
	void *at;
	bool flag;
} driver_words[] = {
#define WORD_AT(section, word)	{ #section, #word, &now.section.word, false },
#define FLAG_AT(section, word)	{ #section, #word, &now.section.word, true },
	NIC_WORDS(WORD_AT) SERIAL_WORDS(WORD_AT) DISK_WORDS(WORD_AT) DISK_FLAGS(FLAG_AT)
};

static bool set_driver_word(cfg_t *cfg, const char *key, const char *value)
{
	const struct driver_word *word = driver_words;

	for (; word < driver_words + sizeof(driver_words) / sizeof(*driver_words); word++) {
		if (strcmp(word->section, cfg->name) || strcmp(word->key, key))
			continue;
		if (word->flag)
			*(bool *)word->at = parse_bool(cfg, key, value);
		else
			*(char **)word->at = plain(cfg, key, value);
		return true;
	}
	return false;
}

#define TAKE(array, nr, item) do {					\
	(array) = xrealloc(array, ((nr) + 1) * sizeof(*(array)));	\
	(array)[(nr)++] = (item);					\
	memset(&(item), 0, sizeof(item));				\
} while (0)

static bool set_top(cfg_t *cfg, const char *key, const char *value)
{
	if (!strcmp(key, "name")) {
		if (!name_is_good(value))
			wrong(cfg, value, "name = '%s': letters, digits, - _ and . only, at most %d",
			      value, NAME_LEN);
		now.lab->name = xstrdup(value);
	} else if (!strcmp(key, "seed")) {
		if (!units_u64(value, &now.lab->seed))
			wrong(cfg, value, "seed = %s: must be a whole number",
			      value);
		now.lab->seeded = true;
	} else if (!strcmp(key, "time")) {
		now.lab->virtual = !strcmp(value, "virtual");
	} else if (!strcmp(key, "fencing")) {
		now.lab->fencing = parse_bool(cfg, key, value);
	} else {
		return false;
	}
	return true;
}

/* busybox, or debian-<release>: what `make rootfs` and `make rootfs-debian` made; else a path. */
static char *find_rootfs(cfg_t *cfg, const char *value)
{
	char *path, *rel;

	if (!strcmp(value, "busybox"))
		return beside("rootfs/initramfs.cpio.gz");
	if (strncmp(value, "debian-", 7) || strchr(value, '/'))
		return plain_path(cfg, "rootfs", value);
	rel = xasprintf("rootfs/%s.ext4", value);
	path = beside(rel);
	free(rel);
	if (!is_there(path))
		wrong(cfg, value, "rootfs = %s: there is no %s; make rootfs-debian SUITE=%s",
		      value, path, value + 7);
	return path;
}

/* "<host folder> <mount point> [ro]", each without blanks */
static void add_share(cfg_t *cfg, struct guest_conf *guest, const char *value)
{
	char *copy = xstrdup(value), *pos = copy, *word, *words[4];
	struct share share = { 0 };
	struct stat st;
	size_t n = 0, i;

	while ((word = strsep(&pos, " \t")))
		if (*word && n < 4)
			words[n++] = word;
	share.ro = n == 3 && !strcmp(words[2], "ro");
	if (n < 2 || n > (share.ro ? 3 : 2) || words[1][0] != '/' || !path_is_plain(words[1] + 1) ||
	    strpbrk(value, ":,\\\n\"'"))
		wrong(cfg, n ? words[0] : "share", "share = '%s': must be %s", value,
		      "<host folder> <mount point> [ro], without : or quotes");
	share.folder = plain_path(cfg, "share", words[0]);
	if (strpbrk(share.folder, ":\\"))
		wrong(cfg, words[0], "share = '%s': %s: no path with : or \\ can be shared",
		      value, share.folder);
	if (stat(share.folder, &st))
		wrong(cfg, words[0], "share = '%s': %s: %s", value, share.folder,
		      strerror(errno));
	if (!S_ISDIR(st.st_mode))
		wrong(cfg, words[0], "share = '%s': %s: is no folder", value, share.folder);
	for (i = 0; i < guest->nr_shares; i++)
		if (!strcmp(guest->share[i].at, words[1]))
			wrong(cfg, words[0], "share = '%s': %s is taken already", value,
			      words[1]);
	share.at = xstrdup(words[1]);
	free(copy);
	TAKE(guest->share, guest->nr_shares, share);
}

static void set_guest(cfg_t *cfg, struct guest_conf *guest, const char *key,
		      const char *value)
{
	char *why, *rule;

	if (!strcmp(key, "kernel")) {
		guest->kernel = find_kernel(cfg, value, &why);
		if (why)
			wrong(cfg, value, "kernel = %s", why);
		guest->kernel_said = xstrdup(value);
	} else if (!strcmp(key, "rootfs")) {
		guest->rootfs = find_rootfs(cfg, value);
		need_file(cfg, value, guest->rootfs);
		guest->rootfs_disk = is_disk(guest->rootfs);
	} else if (!strcmp(key, "memory")) {
		if (parse_size(cfg, key, value) < 32 << 20)
			wrong(cfg, value, "memory = %s: at least 32M", value);
		guest->memory = xstrdup(value);
	} else if (!strcmp(key, "append")) {
		if (strchr(value, '\n'))
			wrong(cfg, key, "append: must be one line");
		guest->append = xstrdup(value);
	} else if (!strcmp(key, "setup")) {
		guest->setup = absolute(cfg, value);
		need_file(cfg, value, guest->setup);
	} else if (!strcmp(key, "cpu")) {
		uint64_t cpu;

		if (!strcmp(value, "any"))
			guest->cpu = -2;
		else if (units_u64(value, &cpu) && cpu < 1024)
			guest->cpu = cpu;
		else
			wrong(cfg, value, "cpu = %s: must be a CPU's number, or any",
			      value);
	} else if (!strcmp(key, "share")) {
		add_share(cfg, guest, value);
	} else if (!strcmp(key, "faults")) {
		if (strchr(value, '\n') || (strchr(value, '\'') && strchr(value, '"')))
			wrong(cfg, NULL, "faults: one rule is one line, with one kind of quotes");
		rule = rule_text(value, &why);
		if (!rule)
			wrong(cfg, "match", "%s", why);
		strings_add(&guest->fault, rule);
	}
}

static void set_nic(cfg_t *cfg, const char *key, const char *value)
{
	struct nic *nic = &now.nic;
	struct lab *lab = now.lab;
	size_t i;

	if (!strcmp(key, "segment")) {
		for (i = 0; i < lab->segment.n; i++)
			if (!strcmp(lab->segment.s[i], value))
				break;
		if (i == lab->segment.n)
			wrong(cfg, value, "segment = %s: nobody made it; `segment %s {}` must stand above",
			      value, value);
		nic->segment = xstrdup(value);
		nic->latency = *now.latencies.s[i] ? now.latencies.s[i] : NULL;
	} else if (!strcmp(key, "ip")) {
		strings_add(&nic->ip, plain(cfg, key, value));
	}
}

static void set_segment(cfg_t *cfg, const char *key, const char *value)
{
	(void)cfg, (void)key;
	now.latency = xstrdup(value);
}

static void set_serial(cfg_t *cfg, const char *key, const char *value)
{
	unsigned int users = 0;
	size_t i;

	if (!strcmp(key, "link")) {
		if (!name_is_good(value))
			wrong(cfg, value, "link = '%s': must be a name", value);
		for (i = 0; i < now.links.n; i++)
			users += !strcmp(now.links.s[i], value);
		if (users == 2)
			wrong(cfg, value, "link = %s: a link has two ends, and both are taken",
			      value);
		strings_add(&now.links, xstrdup(value));
		now.serial.link = xstrdup(value);
	} else if (!strcmp(key, "transport")) {
		if (!*value || strpbrk(value, " \t\n"))
			wrong(cfg, value, "transport = '%s': must be one word", value);
		now.serial.transport = xstrdup(value);
	}
}

/* A write log is of one disk, and no other file of the run folder. */
static void need_own_log(cfg_t *cfg, const char *value)
{
	size_t i;

	if (!name_is_good(strrchr(value, '/') ? strrchr(value, '/') + 1 : value))
		wrong(cfg, value, "log = '%s': letters, digits, - _ and . only, at most %d",
		      value, NAME_LEN);
	if (!strchr(value, '/') && strlen(value) > 4 &&
	    !strcmp(value + strlen(value) - 4, ".log"))
		wrong(cfg, value, "log = %s: .log is the ending of guests' logs; .wlog is free",
		      value);
	for (i = 0; i < now.logs.n; i++)
		if (!strcmp(now.logs.s[i], now.disk.log))
			wrong(cfg, value, "log = %s: is another disk's", value);
	strings_add(&now.logs, xstrdup(now.disk.log));
}

static void set_disk(cfg_t *cfg, const char *key, const char *value)
{
	struct disk *disk = &now.disk;

	if (!strcmp(key, "image")) {
		disk->image = plain_path(cfg, key, value);
		disk->in_run = !strchr(value, '/');
	} else if (!strcmp(key, "backing")) {
		disk->backing = plain_path(cfg, key, value);
		need_file(cfg, value, disk->backing);
	} else if (!strcmp(key, "size")) {
		disk->size = parse_size(cfg, key, value);
	} else if (!strcmp(key, "log")) {
		disk->log = strchr(value, '/') ? plain_path(cfg, key, value) :
						 plain(cfg, key, value);
		need_own_log(cfg, value);
	} else if (!strcmp(key, "format")) {
		disk->cow = !strcmp(value, "cow");
		disk->raw = !strcmp(value, "raw");
		if (!disk->cow && !disk->raw)
			wrong(cfg, key, "format = %s: must be raw or cow", value);
	}
	if (!strcmp(key, "image") && !*value)
		wrong(cfg, key, "image: is empty");
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	static const struct { const char *section; void (*set)(cfg_t *, const char *, const char *); } sets[] = {
		{ "segment", set_segment }, { "nic", set_nic }, { "serial", set_serial }, { "disk", set_disk },
	};
	const char *what = word_wrong(cfg->name, opt->name, value);
	size_t i;

	*(const char **)result = value;
	only_once(cfg, opt);
	if (what)
		wrong(cfg, value, "%s = %s: must be %s", opt->name, value, what);
	if (set_driver_word(cfg, opt->name, value))
		return 0;
	for (i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		if (!strcmp(cfg->name, sets[i].section)) {
			sets[i].set(cfg, opt->name, value);
			return 0;
		}
	if (!strcmp(cfg->name, "guest"))
		set_guest(cfg, &now.guest, opt->name, value);
	else if (!set_top(cfg, opt->name, value))
		set_guest(cfg, &now.defaults, opt->name, value);
	return 0;
}

/* ---- ends of sections ---- */

/* What a guest's kernel has room for: UMF_NET_UNITS, UMF_TTY_UNITS, UMF_SEG_PORTS. */
enum { NR_NICS = 32, NR_SERIALS = 32, NR_PORTS = 64 };

/* "eth" and a number below `units`; "umf" and a letter. */
static void need_name(cfg_t *cfg, const char *what, const char *prefix,
		      unsigned int units)
{
	const char *rest = cfg->title + strlen(prefix);
	bool good = !strncmp(cfg->title, prefix, strlen(prefix));
	uint64_t unit;

	if (!units && (!good || *rest < 'a' || *rest > 'z' || rest[1]))
		wrong(cfg, cfg->title, "%s %s: must be %sa to %sz", what,
		      cfg->title, prefix, prefix);
	if (units && (!good || !units_u64(rest, &unit) || unit >= units ||
		      (*rest == '0' && rest[1])))
		wrong(cfg, cfg->title, "%s %s: must be %s0 to %s%u", what,
		      cfg->title, prefix, prefix, units - 1);
}

static unsigned int ports_of(const struct guest_conf *guest, const char *segment)
{
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < guest->nr_nics; i++)
		n += !strcmp(guest->nic[i].segment, segment);
	return n;
}

static void need_port(cfg_t *cfg, const char *segment)
{
	unsigned int n = ports_of(&now.guest, segment);
	size_t i;

	for (i = 0; i < now.lab->nr_guests; i++)
		n += ports_of(&now.lab->guest[i], segment);
	if (n >= NR_PORTS)
		wrong(cfg, cfg->title, "nic %s: segment %s has %d ports, and all are taken",
		      cfg->title, segment, NR_PORTS);
}

static cfg_t *last_section(cfg_opt_t *opt)
{
	return cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
}

static int end_segment(cfg_t *parent, cfg_opt_t *opt)
{
	cfg_t *cfg = last_section(opt);

	(void)parent;
	if (!name_is_good(cfg->title))
		wrong(cfg, cfg->title, "segment %s: letters, digits, - _ and . only, at most %d",
		      cfg->title, NAME_LEN);
	strings_add(&now.lab->segment, xstrdup(cfg->title));
	strings_add(&now.latencies, now.latency ?: xstrdup(""));
	now.latency = NULL;
	forget_seen(cfg);
	return 0;
}

static int end_nic(cfg_t *parent, cfg_opt_t *opt)
{
	cfg_t *cfg = last_section(opt);

	(void)parent;
	need_name(cfg, "nic", "eth", NR_NICS);
	if (!now.nic.segment)
		wrong(cfg, cfg->title, "nic %s: segment = is missing", cfg->title);
	need_port(cfg, now.nic.segment);
	now.nic.name = xstrdup(cfg->title);
	forget_seen(cfg);
	TAKE(now.guest.nic, now.guest.nr_nics, now.nic);
	return 0;
}

static int end_serial(cfg_t *parent, cfg_opt_t *opt)
{
	cfg_t *cfg = last_section(opt);

	(void)parent;
	need_name(cfg, "serial", "ttyS", NR_SERIALS);
	if (!now.serial.link == !now.serial.transport)
		wrong(cfg, cfg->title, "serial %s: either link = or transport =",
		      cfg->title);
	if (now.serial.pace && now.serial.transport && strstr(now.serial.transport, ",pace="))
		wrong(cfg, cfg->title, "serial %s: pace is given twice", cfg->title);
	now.serial.name = xstrdup(cfg->title);
	forget_seen(cfg);
	TAKE(now.guest.serial, now.guest.nr_serials, now.serial);
	return 0;
}

static int end_disk(cfg_t *parent, cfg_opt_t *opt)
{
	cfg_t *cfg = last_section(opt);
	struct disk *disk = &now.disk;

	(void)parent;
	need_name(cfg, "disk", "umf", 0);
	if (disk->size && disk->backing)
		wrong(cfg, cfg->title, "disk %s: a delta is as large as its backing; size = does not go with it",
		      cfg->title);
	if (!disk->image && !disk->backing && !disk->size)
		wrong(cfg, cfg->title, "disk %s: image =, backing = or size = is missing",
		      cfg->title);
	if (disk->image && !disk->size && !disk->backing && !is_there(disk->image))
		wrong(cfg, cfg->title, "disk %s: there is no image %s; size = would make one",
		      cfg->title, disk->image);
	if (disk->raw && disk->backing)
		wrong(cfg, cfg->title, "disk %s: what has a backing file is not raw",
		      cfg->title);
	if (disk->cow && disk->size)
		wrong(cfg, cfg->title, "disk %s: what size = makes is raw", cfg->title);
	/* its guest may have written that: nobody but the user knows */
	if (disk->image && !disk->size && !disk->backing && !disk->raw && !disk->cow &&
	    is_cow(disk->image))
		wrong(cfg, cfg->title, "disk %s: %s begins as a COW file does; format = cow if it is one, else format = raw",
		      cfg->title, disk->image);
	if (disk->cow && disk->image && is_there(disk->image) && !is_cow(disk->image))
		wrong(cfg, cfg->title, "disk %s: %s is no COW file", cfg->title, disk->image);
	if (disk->log && (disk->ro || disk->shared))
		wrong(cfg, cfg->title, "disk %s: log = does not go with %s", cfg->title,
		      disk->ro ? "ro: nothing is written" :
				 "shared: what others write is not in it");
	disk->raw = !disk->cow && !disk->backing;
	disk->name = xstrdup(cfg->title);
	forget_seen(cfg);
	TAKE(now.guest.disk, now.guest.nr_disks, now.disk);
	return 0;
}

static int end_guest(cfg_t *parent, cfg_opt_t *opt)
{
	cfg_t *cfg = last_section(opt);
	size_t i;

	(void)parent;
	if (!name_is_good(cfg->title) || strchr(cfg->title, '.'))
		wrong(cfg, cfg->title, "guest %s: letters, digits, - and _ only, at most %d",
		      cfg->title, NAME_LEN);
	now.guest.name = xstrdup(cfg->title);
	for (i = 0; i < now.guest.nr_disks; i++)
		if (now.guest.rootfs_disk && !strcmp(now.guest.disk[i].name, "umfr"))
			wrong(cfg, "umfr", "disk umfr: is the root file system's");
	forget_seen(cfg);
	TAKE(now.lab->guest, now.lab->nr_guests, now.guest);
	now.guest.cpu = -1;
	return 0;
}

/* ---- the file ---- */

#define VALUE(name)	CFG_STR_CB(name, NULL, CFGF_NODEFAULT, on_value)
#define WORD_VALUE(section, word)	VALUE(#word),
#define VALUES(name)	CFG_STR_LIST_CB(name, NULL, CFGF_NODEFAULT, on_value)
#define SECTION(name, opts) \
	CFG_SEC(name, opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES)
#define GUEST_VALUES VALUE("kernel"), VALUE("memory"), VALUE("rootfs"), \
	VALUE("append"), VALUE("setup"), VALUE("cpu"), VALUES("faults"), VALUES("share")

static cfg_opt_t nic_opts[] = {
	VALUE("segment"), NIC_WORDS(WORD_VALUE) VALUES("ip"), CFG_END()
};

static cfg_opt_t serial_opts[] = {
	VALUE("link"), VALUE("transport"), SERIAL_WORDS(WORD_VALUE) CFG_END()
};

static cfg_opt_t disk_opts[] = {
	VALUE("image"), VALUE("backing"), VALUE("size"), VALUE("format"), VALUE("log"),
	DISK_WORDS(WORD_VALUE) DISK_FLAGS(WORD_VALUE) CFG_END()
};

static cfg_opt_t guest_opts[] = {
	GUEST_VALUES, SECTION("nic", nic_opts), SECTION("serial", serial_opts),
	SECTION("disk", disk_opts), CFG_END()
};

static cfg_opt_t segment_opts[] = { VALUE("latency"), CFG_END() };

static cfg_opt_t lab_opts[] = {
	VALUE("name"), VALUE("seed"), VALUE("fencing"), VALUE("time"), GUEST_VALUES,
	SECTION("segment", segment_opts), SECTION("guest", guest_opts),
	CFG_END()
};

/* A guest's own goes before one of all guests that is at the same place. */
static void fill_in_shares(struct guest_conf *guest, const struct guest_conf *all)
{
	struct share share;
	size_t i, k;

	for (i = 0; i < all->nr_shares; i++) {
		for (k = 0; k < guest->nr_shares; k++)
			if (!strcmp(guest->share[k].at, all->share[i].at))
				break;
		share = all->share[i];
		if (k == guest->nr_shares)
			TAKE(guest->share, guest->nr_shares, share);
	}
}

/* What neither the guest nor the top of the file says. */
static void fill_in(struct guest_conf *guest, const char *kernel)
{
	const struct guest_conf *all = &now.defaults;
	char *why;
	size_t i;

	if (!guest->kernel && all->kernel) {
		guest->kernel = all->kernel;
		guest->kernel_said = all->kernel_said;
	} else if (!guest->kernel) {
		guest->kernel = find_kernel(NULL, kernel, &why);
		guest->kernel_said = xstrdup(kernel);
		if (why)
			die(LAB_USAGE, "%s: guest %s: kernel %s", now.lab->file,
			    guest->name, why);
	}
	if (!guest->rootfs) {
		guest->rootfs = all->rootfs ?: beside("rootfs/initramfs.cpio.gz");
		guest->rootfs_disk = all->rootfs_disk;
		if (!is_there(guest->rootfs))
			die(LAB_USAGE, "%s: guest %s: there is no rootfs %s; make rootfs",
			    now.lab->file, guest->name, guest->rootfs);
	}
	guest->memory = guest->memory ?: all->memory ?: xstrdup("96M");
	guest->append = guest->append ?: all->append;
	guest->setup = guest->setup ?: all->setup;
	if (guest->cpu == -1)
		guest->cpu = all->cpu;
	fill_in_shares(guest, all);
	for (i = 0; i < all->fault.n; i++)
		strings_add(&guest->fault, xstrdup(all->fault.s[i]));
}

void config_read(struct lab *lab, const char *file, const char *kernel)
{
	const char *text;
	cfg_t *cfg;
	char *copy;
	size_t i;

	place_file(lab, file);
	var_read_packed(lab->folder);
	text = expand_file(lab, file);
	if (var_unused())
		die(LAB_USAGE, "--set %s: nothing in %s uses it", var_unused(), file);
	now.lab = lab;
	lab->kernel = xstrdup(kernel);
	now.guest.cpu = -1;
	now.defaults.cpu = -1;
	cfg = cfg_init(lab_opts, CFGF_NONE);
	cfg_set_error_function(cfg, on_error);
	cfg_set_validate_func(cfg, "segment", end_segment);
	cfg_set_validate_func(cfg, "guest", end_guest);
	cfg_set_validate_func(cfg, "guest|nic", end_nic);
	cfg_set_validate_func(cfg, "guest|serial", end_serial);
	cfg_set_validate_func(cfg, "guest|disk", end_disk);
	if (cfg_parse_buf(cfg, text) != CFG_SUCCESS)
		die(LAB_USAGE, "%s: is no lab file", file);
	cfg_free(cfg);

	if (!lab->nr_guests)
		die(LAB_USAGE, "%s: no guest is in it", file);
	if (!lab->name) {
		copy = xstrdup(lab->path);
		lab->name = xstrdup(basename(copy));
		free(copy);
		if (strrchr(lab->name, '.') && strrchr(lab->name, '.') != lab->name)
			*strrchr(lab->name, '.') = '\0';
		if (!name_is_good(lab->name))
			die(LAB_USAGE, "%s: '%s' is no name for a lab; name = gives one",
			    file, lab->name);
	}
	for (i = 0; i < lab->nr_guests; i++)
		fill_in(&lab->guest[i], kernel);
}
