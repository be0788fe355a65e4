// SPDX-License-Identifier: GPL-2.0
/*
 * What the tests of the disk look with, in the guest and on the host: sectors
 * that say who wrote them.
 *
 *	blkprobe write <file> <sector> <count> <version> [sectors per write] [fua]
 *	blkprobe show <file> <sector> <count> [byte offset of sector 0]
 *		lines "<first> <last> <what>": what is v<version> (written there as that version), v<version>@<sector>
 *		(written for another sector), zero, or bad (flipped bits: bad<number of bits> v<version> where it can tell)
 *	blkprobe read <file> <sector> <count> [sectors per read]     status and errno of each failed read: "<sector> <errno>"
 *	blkprobe aio <file> <sector> <count> <sectors per request> [version]
 *		reads, or writes as that version, up to 256 requests handed over at once, so that the block layer merges
 *		them; "<sector> <errno>" of each that failed, ascending
 *	blkprobe sync <file>                                         fsync(); prints the errno
 *	blkprobe pause <file>					     sleeps a few ms at a time while the file is there; prints
 *		the longest time, in ms, that passed instead
 *	blkprobe discard|zero <file> <sector> <count>                BLKDISCARD, BLKZEROOUT
 *	blkprobe stress <file> <sectors> <seed> <workers> [tag]      writes until killed; a line "A <tag> <worker> <n>" on
 *		stdout for each acknowledged write, "F <tag> <worker> <n>" for each acknowledged flush after it
 *	blkprobe check <file> <sectors> <seed> <workers> <log> [A|F [tag]]
 *		every write that the log says was acknowledged (flushed: F) is in the file, or a later one; else says which
 *		is not, status 1
 *
 * Exit: 0 done, 1 not so, 2 usage or an error that was not asked for. Writes bypass the page cache.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECTOR	512
#define MAGIC	0x756d662d70726f62ULL
#define MOST	2048	/* sectors of one call */

struct sector {
	uint64_t magic, version, number;
	uint64_t noise[61];
};

static void die(const char *what)
{
	fprintf(stderr, "blkprobe: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static void make(struct sector *s, uint64_t number, uint64_t version)
{
	uint64_t x = mix(number * 0x9e3779b97f4a7c15ULL + version + 1);
	int i;

	s->magic = MAGIC;
	s->version = version;
	s->number = number;
	for (i = 0; i < 61; i++)
		s->noise[i] = x = mix(x + 0x9e3779b97f4a7c15ULL);
}

static unsigned int differs(const void *a, const void *b)
{
	const unsigned char *p = a, *q = b;
	unsigned int n = 0, i;

	for (i = 0; i < SECTOR; i++)
		n += __builtin_popcount(p[i] ^ q[i]);
	return n;
}

/* Who wrote it, in words. */
static void tell(const struct sector *s, uint64_t number, char *what)
{
	static const struct sector zero;
	uint64_t version = s->version, v;
	struct sector want;
	unsigned int n, m;

	if (!memcmp(s, &zero, SECTOR)) {
		strcpy(what, "zero");
		return;
	}
	make(&want, s->number, s->version);
	n = differs(s, &want);
	if (!n && s->number == number)
		sprintf(what, "v%llu", (unsigned long long)s->version);
	else if (!n)
		sprintf(what, "v%llu@%llu", (unsigned long long)s->version, (unsigned long long)s->number);
	if (!n)
		return;
	/* the version itself may be wrong */
	for (v = 0; v < 256; v++) {
		make(&want, number, v);
		m = differs(s, &want);
		if (m < n) {
			n = m;
			version = v;
		}
	}
	if (n < 1024)
		sprintf(what, "bad%u v%llu", n, (unsigned long long)version);
	else
		strcpy(what, "bad");
}

static void *buffer(size_t sectors)
{
	void *mem;

	if (posix_memalign(&mem, 4096, sectors * SECTOR))
		die("memory");
	return mem;
}

static int open_file(const char *name, int flags)
{
	int fd = open(name, flags | O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		fd = open(name, flags);
	if (fd < 0)
		die(name);
	return fd;
}

static uint64_t number(const char *word)
{
	char *end;
	uint64_t n = strtoull(word, &end, 0);

	if (*end || end == word) {
		fprintf(stderr, "blkprobe: %s: not a number\n", word);
		exit(2);
	}
	return n;
}

static int do_write(int argc, char **argv)
{
	uint64_t at = number(argv[1]), left = number(argv[2]), version = number(argv[3]);
	uint64_t step = argc > 4 ? number(argv[4]) : 256, i, n;
	int fd = open_file(argv[0], O_WRONLY | (argc > 5 ? O_DSYNC : 0)), status = 0;
	struct sector *s = buffer(MOST);

	for (; left; at += n, left -= n) {
		n = left < step ? left : step;
		for (i = 0; i < n; i++)
			make(&s[i], at + i, version);
		if (pwrite(fd, s, n * SECTOR, at * SECTOR) != (ssize_t)(n * SECTOR)) {
			printf("%llu %d\n", (unsigned long long)at, errno);
			status = 1;
		}
	}
	return status;
}

static int do_show(int argc, char **argv)
{
	uint64_t at = number(argv[1]), end = at + number(argv[2]), base = argc > 3 ? number(argv[3]) : 0, first = at;
	int fd = open_file(argv[0], O_RDONLY);
	char what[80], last[80] = "";
	struct sector *s = buffer(MOST);

	while (at < end) {
		uint64_t n = end - at < MOST ? end - at : MOST, i;
		ssize_t got = pread(fd, s, n * SECTOR, base + at * SECTOR);

		if (got < SECTOR)
			die("read");
		for (i = 0; i < (uint64_t)got / SECTOR; i++, at++) {
			tell(&s[i], at, what);
			if (strcmp(what, last)) {
				if (*last)
					printf("%llu %llu %s\n", (unsigned long long)first, (unsigned long long)at - 1, last);
				strcpy(last, what);
				first = at;
			}
		}
	}
	printf("%llu %llu %s\n", (unsigned long long)first, (unsigned long long)at - 1, last);
	return 0;
}

static int do_read(int argc, char **argv)
{
	uint64_t at = number(argv[1]), left = number(argv[2]), step = argc > 3 ? number(argv[3]) : 1, n;
	int fd = open_file(argv[0], O_RDONLY), status = 0;
	void *mem = buffer(MOST);

	for (; left; at += n, left -= n) {
		n = left < step ? left : step;
		if (pread(fd, mem, n * SECTOR, at * SECTOR) != (ssize_t)(n * SECTOR)) {
			printf("%llu %d\n", (unsigned long long)at, errno);
			status = 1;
		}
	}
	return status;
}

#define AIOS	256

static int do_aio(int argc, char **argv)
{
	uint64_t at = number(argv[1]), count = number(argv[2]), step = number(argv[3]), i, j;
	uint64_t version = argc > 4 ? number(argv[4]) : 0;
	int fd = open_file(argv[0], O_RDWR), status = 0;
	static struct iocb io[AIOS], *list[AIOS];
	static struct io_event event[AIOS];
	static int result[AIOS];
	struct sector *s = buffer(count);
	aio_context_t context = 0;
	long n = count / step, got;

	if (n < 1 || n > AIOS || syscall(__NR_io_setup, AIOS, &context))
		die("aio");
	for (i = 0; i < count; i++)
		make(&s[i], at + i, version);
	for (i = 0; i < (uint64_t)n; i++) {
		io[i].aio_data = i;
		io[i].aio_fildes = fd;
		io[i].aio_lio_opcode = version ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		io[i].aio_buf = (uint64_t)(unsigned long)&s[i * step];
		io[i].aio_nbytes = step * SECTOR;
		io[i].aio_offset = (at + i * step) * SECTOR;
		list[i] = &io[i];
	}
	if (syscall(__NR_io_submit, context, n, list) != n)
		die("io_submit");
	for (i = 0; i < (uint64_t)n; i += got) {
		got = syscall(__NR_io_getevents, context, 1, n, event, NULL);
		if (got < 1)
			die("io_getevents");
		for (j = 0; j < (uint64_t)got; j++)
			if ((int64_t)event[j].res != (int64_t)(step * SECTOR))
				result[event[j].data] = event[j].res < 0 ? -event[j].res : EIO;
	}
	for (i = 0; i < (uint64_t)n; i++)
		if (result[i]) {
			printf("%llu %d\n", (unsigned long long)(at + i * step), result[i]);
			status = 1;
		}
	return status;
}

static int do_sync(int argc, char **argv)
{
	int fd = open(argv[0], O_RDWR);

	(void)argc;
	if (fd < 0)
		die(argv[0]);
	if (fsync(fd)) {
		printf("%d\n", errno);
		return 1;
	}
	return 0;
}

static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int do_pause(int argc, char **argv)
{
	long long last = now(), longest = 0, this;

	(void)argc;
	while (!access(argv[0], F_OK)) {
		usleep(2000);
		this = now();
		if (this - last > longest)
			longest = this - last;
		last = this;
	}
	printf("%lld\n", longest / 1000000);
	return 0;
}

static int do_range(int argc, char **argv, unsigned long request)
{
	uint64_t range[2] = { number(argv[1]) * SECTOR, number(argv[2]) * SECTOR };
	int fd = open_file(argv[0], O_RDWR);

	(void)argc;
	if (ioctl(fd, request, range)) {
		printf("%d\n", errno);
		return 1;
	}
	return 0;
}

/* ---- stress: worker w writes into its own part; write n is the same for the same seed ---- */

struct op {
	uint64_t at, nr;	/* in the worker's part */
	bool flush;		/* fsync() after it */
};

static struct op op_of(uint64_t seed, unsigned int worker, uint64_t n, uint64_t part)
{
	uint64_t x = mix(seed * 1000003 + worker * 7919 + n * 0x9e3779b97f4a7c15ULL);
	struct op op;

	op.nr = 1 + mix(x + 1) % 64;
	op.at = mix(x + 2) % (part - op.nr + 1);
	op.flush = mix(x + 3) % 8 == 0;
	return op;
}

static uint64_t tag;

static void say(char what, unsigned int worker, uint64_t n)
{
	char line[96];
	int len = sprintf(line, "%c %llu %u %llu\n", what, (unsigned long long)tag, worker, (unsigned long long)n);

	if (write(1, line, len) != len)
		exit(2);
}

static void stress(const char *name, uint64_t part, uint64_t seed, unsigned int worker)
{
	int fd = open_file(name, O_RDWR);
	struct sector *s = buffer(64);
	uint64_t n, i;

	for (n = 1;; n++) {
		struct op op = op_of(seed, worker, n, part);

		op.at += worker * part;
		for (i = 0; i < op.nr; i++)
			make(&s[i], op.at + i, n);
		if (pwrite(fd, s, op.nr * SECTOR, op.at * SECTOR) != (ssize_t)(op.nr * SECTOR))
			die("write");
		say('A', worker, n);
		if (!op.flush)
			continue;
		if (fsync(fd))
			die("fsync");
		say('F', worker, n);
	}
}

static int do_stress(int argc, char **argv)
{
	unsigned int workers = number(argv[3]), w;
	uint64_t part = number(argv[1]) / workers;

	tag = argc > 4 ? number(argv[4]) : 0;
	for (w = 0; w < workers; w++)
		if (!fork())
			stress(argv[0], part, number(argv[2]), w);
	while (wait(NULL) > 0)
		;
	return 2;
}

static int do_check(int argc, char **argv)
{
	unsigned int workers = number(argv[3]), w;
	uint64_t part = number(argv[1]) / workers, seed = number(argv[2]);
	char kind = argc > 5 ? argv[5][0] : 'A', line[4096];
	uint64_t *last = calloc(workers, sizeof(*last)), total = 0, lost = 0;
	FILE *log = fopen(argv[4], "r");
	int fd = open_file(argv[0], O_RDONLY);

	tag = argc > 6 ? number(argv[6]) : 0;
	if (!log)
		die(argv[4]);
	while (fgets(line, sizeof(line), log)) {
		unsigned long long n, t;
		char what, end;

		if (sscanf(line, "%c %llu %u %llu%c", &what, &t, &w, &n, &end) == 5 && (end == '\n' || end == '\r') &&
		    what == kind && t == tag && w < workers && n > last[w])
			last[w] = n;
	}
	for (w = 0; w < workers; w++) {
		uint64_t *want = calloc(part, sizeof(*want)), n, i;
		struct sector *block = buffer(MOST);

		total += last[w];
		for (n = 1; n <= last[w]; n++) {
			struct op op = op_of(seed, w, n, part);

			for (i = 0; i < op.nr; i++)
				want[op.at + i] = n;
		}
		for (i = 0; i < part; i++) {
			uint64_t at = w * part + i, nr = part - i < MOST ? part - i : MOST;
			struct sector *s = block + i % MOST;
			char what[80];

			if (i % MOST == 0 && pread(fd, block, nr * SECTOR, at * SECTOR) != (ssize_t)(nr * SECTOR))
				die("read");
			if (!want[i])
				continue;
			tell(s, at, what);
			if (s->magic != MAGIC || s->version < want[i] || what[0] != 'v' || strchr(what, '@')) {
				if (lost++ < 5)
					printf("sector %llu: wanted v%llu or later, is %s\n", (unsigned long long)at,
					       (unsigned long long)want[i], what);
			}
		}
		free(want);
		free(block);
	}
	printf("%llu writes, %llu sectors lost\n", (unsigned long long)total, (unsigned long long)lost);
	return lost ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	int n = argc - 2;

	argv += 2;
	if (!strcmp(verb, "write") && n >= 4)
		return do_write(n, argv);
	if (!strcmp(verb, "show") && n >= 3)
		return do_show(n, argv);
	if (!strcmp(verb, "read") && n >= 3)
		return do_read(n, argv);
	if (!strcmp(verb, "aio") && n >= 4)
		return do_aio(n, argv);
	if (!strcmp(verb, "sync") && n == 1)
		return do_sync(n, argv);
	if (!strcmp(verb, "pause") && n == 1)
		return do_pause(n, argv);
	if (!strcmp(verb, "discard") && n == 3)
		return do_range(n, argv, BLKDISCARD);
	if (!strcmp(verb, "zero") && n == 3)
		return do_range(n, argv, BLKZEROOUT);
	if (!strcmp(verb, "stress") && n >= 4)
		return do_stress(n, argv);
	if (!strcmp(verb, "check") && n >= 5)
		return do_check(n, argv);
	fprintf(stderr, "usage: blkprobe write|show|read|aio|sync|pause|discard|zero|stress|check <file> ...\n");
	return 2;
}
