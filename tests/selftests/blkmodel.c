// SPDX-License-Identifier: GPL-2.0
/*
 * A disk against a model of it: random reads, writes, discards, zeros and flushes from several processes at once, each
 * in a part of its own; what is read is compared with a plain file that has the same done to it.
 *
 *	blkmodel <disk> <below> <model> <seed> <operations> [workers [words]]
 *
 * <below>: what a discarded sector shows, a file; "-" zeros. <model>: what the disk holds, a file that is made as a
 * copy of <below> if it is not there, and is kept up to date. The parts of the workers begin in the middle of a
 * byte of a bitmap. <words>: letters of what is done (rwdzf: read write discard zeroes flush), all of it by default.
 *
 * One line about the first difference, or how many operations there were. Exit: 0 the same, 1 not, 2 an error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECTOR	512
#define MOST	2048		/* sectors of one operation */
#define PIECES	32

static unsigned char *model, *below;
static uint64_t sectors, unit;	/* the latter in sectors */
static const char *words = "rwdzf";
static uint64_t rng;

static void die(const char *what)
{
	fprintf(stderr, "blkmodel: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t draw(uint64_t n)
{
	uint64_t z = rng += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) % n;
}

static void fill(unsigned char *buf, uint64_t len)
{
	uint64_t *word = (uint64_t *)buf, i;

	for (i = 0; i < len / 8; i++)
		word[i] = draw(UINT64_MAX);
}

/* Cuts a buffer up at random, in pieces a disk takes. */
static int cut(struct iovec *iov, unsigned char *buf, uint64_t len)
{
	uint64_t part, step = unit * SECTOR;
	int n = 0;

	while (len) {
		part = step * (1 + draw(n % 2 ? 3 : 64));
		if (n == PIECES - 1 || part > len)
			part = len;
		iov[n].iov_base = buf;
		iov[n++].iov_len = part;
		buf += part;
		len -= part;
	}
	return n;
}

static void compare(uint64_t at, uint64_t nr, const unsigned char *got, uint64_t op)
{
	uint64_t i;

	for (i = 0; i < nr; i++) {
		if (!memcmp(got + i * SECTOR, model + (at + i) * SECTOR, SECTOR))
			continue;
		printf("operation %llu, read of %llu from %llu: sector %llu differs%s\n", (unsigned long long)op,
		       (unsigned long long)nr, (unsigned long long)at, (unsigned long long)(at + i),
		       memcmp(got + i * SECTOR, below + (at + i) * SECTOR, SECTOR) ? "" : ", is that below");
		exit(1);
	}
}

static void do_op(int fd, char what, uint64_t at, uint64_t nr, unsigned char *buf, uint64_t op)
{
	uint64_t range[2] = { at * SECTOR, nr * SECTOR };
	struct iovec iov[PIECES];
	int n;

	switch (what) {
	case 'r':
		n = cut(iov, buf, nr * SECTOR);
		if (preadv(fd, iov, n, at * SECTOR) != (ssize_t)(nr * SECTOR))
			die("read");
		compare(at, nr, buf, op);
		break;
	case 'w':
		fill(buf, nr * SECTOR);
		n = cut(iov, buf, nr * SECTOR);
		if (pwritev2(fd, iov, n, at * SECTOR, draw(16) ? 0 : RWF_DSYNC) != (ssize_t)(nr * SECTOR))
			die("write");
		memcpy(model + at * SECTOR, buf, nr * SECTOR);
		break;
	case 'd':
		if (ioctl(fd, BLKDISCARD, range))
			die("discard");
		memcpy(model + at * SECTOR, below + at * SECTOR, nr * SECTOR);
		break;
	case 'z':
		if (ioctl(fd, BLKZEROOUT, range))
			die("zero");
		memset(model + at * SECTOR, 0, nr * SECTOR);
		break;
	case 'f':
		if (fsync(fd))
			die("flush");
	}
}

/* Reads are the most, flushes the least. */
static char draw_word(void)
{
	static const char often[] = "rrrrrrrrwwwwwwddzf";
	char what;

	do {
		what = often[draw(sizeof(often) - 1)];
	} while (!strchr(words, what));
	return what;
}

static void work(const char *disk, uint64_t first, uint64_t end, uint64_t ops)
{
	int fd = open(disk, O_RDWR | O_DIRECT);
	uint64_t units = (end - first) / unit, op, at, nr;
	unsigned char *buf;

	if (fd < 0 || posix_memalign((void **)&buf, 4096, MOST * SECTOR))
		die(disk);
	for (op = 1; op <= ops; op++) {
		char what = draw_word();

		/* short and long ones; long reads go over whatever there is */
		nr = 1 + draw(draw(2) ? 8 : what == 'r' ? MOST / unit : 128 / unit + 1);
		if (nr > units)
			nr = units;
		at = first + draw(units - nr + 1) * unit;
		do_op(fd, what, at, nr * unit, buf, op);
	}
	for (at = first; at < end; at += nr) {
		nr = end - at < MOST ? end - at : MOST;
		do_op(fd, 'r', at, nr, buf, op);
	}
	exit(0);
}

static unsigned char *map_file(const char *name, uint64_t size, int make)
{
	int fd = open(name, make ? O_RDWR | O_CREAT : O_RDONLY, 0644);
	struct stat st;
	unsigned char *mem;
	uint64_t done;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		die(name);
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		die(name);
	if (make && !st.st_size)
		memcpy(mem, below, size);
	for (done = 0; done < size && st.st_size; done += n) {
		n = read(fd, mem + done, size - done);
		if (n <= 0)
			break;
	}
	close(fd);
	return mem;
}

static void save(const char *name, uint64_t size)
{
	int fd = open(name, O_WRONLY | O_TRUNC);
	uint64_t done;
	ssize_t n;

	for (done = 0; done < size; done += n) {
		n = write(fd, model + done, size - done);
		if (n <= 0)
			die(name);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	unsigned int workers = argc > 6 ? atoi(argv[6]) : 1, i;
	uint64_t size, ops, part;
	int fd, logical, status, bad = 0;

	if (argc < 6 || !workers) {
		fprintf(stderr, "usage: blkmodel <disk> <below> <model> <seed> <operations> [workers [words]]\n");
		return 2;
	}
	if (argc > 7)
		words = argv[7];
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) || ioctl(fd, BLKSSZGET, &logical))
		die(argv[1]);
	close(fd);
	unit = logical / SECTOR;
	sectors = size / SECTOR;
	below = strcmp(argv[2], "-") ? map_file(argv[2], size, 0) :
		mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	model = map_file(argv[3], size, 1);
	ops = atoll(argv[5]) / workers;
	part = sectors / workers / unit * unit;
	/* in the middle of a byte */
	if (unit == 1 && workers > 1)
		part = (part & ~7ULL) + 3;
	fflush(stdout);
	for (i = 0; i < workers; i++) {
		if (fork())
			continue;
		rng = strtoull(argv[4], NULL, 0) * 1000003 + i;
		work(argv[1], i * part, i + 1 == workers ? sectors : (i + 1) * part, ops);
	}
	while (wait(&status) > 0)
		if (!bad && status)
			bad = WIFEXITED(status) ? WEXITSTATUS(status) : 2;
	save(argv[3], size);
	if (!bad)
		printf("%llu operations\n", (unsigned long long)ops * workers);
	return bad;
}
