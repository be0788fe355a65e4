// SPDX-License-Identifier: GPL-2.0
/*
 * Which version of a file it is: its SHA-256, by sha256sum(1).
 *
 *	sha256		of a file without holes, of all of it
 *	sha256-data	of one with holes: of each block of 4096 bytes that is not all
 *			zeros, with its number before it (8 bytes, the least first).
 *			Holes cost nothing, and a copy of which other zeros are holes,
 *			but some are, has the same one.
 *
 * A file is read once: what was found is kept, a line each, in the user's cache,
 *
 *	$XDG_CACHE_HOME/umf-lab/sha256, else ~/.cache/umf-lab/sha256
 *	<device> <inode> <size> <mtime> <ctime> <kind> <hex>
 *
 * and is another line for a file that was changed. Without that folder each look reads
 * the file. One that was changed just now is not kept: it could be again, and look the
 * same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

#define BLOCK		4096
#define BLOCKS		64	/* that are read at once */
#define CACHE_MAX	(256 << 10)
#define SETTLED_NS	2000000000LL

#define ALL	"sha256"
#define DATA	"sha256-data"

const char *digest_kind(const struct digest *digest)
{
	return digest->data ? DATA : ALL;
}

/* ---- sha256sum ---- */

struct sum {
	pid_t pid;
	int in, out;	/* it reads and writes there; in may be the file itself */
};

/* It reads @fd, or if that is -1 what is written to sum->in. */
static bool sum_begin(struct sum *sum, int fd)
{
	char *const args[] = { "sha256sum", NULL };
	posix_spawn_file_actions_t acts;
	posix_spawnattr_t attr;
	sigset_t none;
	int in[2] = { -1, -1 }, out[2];
	bool ok;

	if (pipe2(out, O_CLOEXEC))
		return false;
	if (fd < 0 && pipe2(in, O_CLOEXEC)) {
		close(out[0]);
		close(out[1]);
		return false;
	}
	posix_spawn_file_actions_init(&acts);
	posix_spawn_file_actions_adddup2(&acts, fd < 0 ? in[0] : fd, 0);
	posix_spawn_file_actions_adddup2(&acts, out[1], 1);
	/* Ctrl-C ends it, if it is not us */
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	ok = !posix_spawnp(&sum->pid, args[0], &acts, &attr, args, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&acts);
	close(out[1]);
	if (in[0] >= 0)
		close(in[0]);
	sum->in = in[1];
	sum->out = out[0];
	if (!ok) {
		close(sum->out);
		if (sum->in >= 0)
			close(sum->in);
	}
	return ok;
}

static bool sum_end(struct sum *sum, char hex[DIGEST_LEN + 1])
{
	ssize_t n, len = 0;
	int status;

	if (sum->in >= 0)
		close(sum->in);
	while (len < DIGEST_LEN && (n = read(sum->out, hex + len, DIGEST_LEN - len)) > 0)
		len += n;
	hex[len] = '\0';
	close(sum->out);
	while (waitpid(sum->pid, &status, 0) < 0 && errno == EINTR)
		;
	return len == DIGEST_LEN && strspn(hex, "0123456789abcdef") == DIGEST_LEN;
}

static bool feed(int fd, const void *data, size_t len)
{
	const char *at = data;
	ssize_t n;

	while (len) {
		n = write(fd, at, len);
		if (n < 0)
			return false;
		at += n;
		len -= n;
	}
	return true;
}

/* The blocks of one stretch of data that are not all zeros. */
static bool feed_blocks(struct sum *sum, const char *buf, size_t len, uint64_t number)
{
	unsigned char head[8];
	size_t n, i;

	for (; len; buf += n, len -= n, number++) {
		n = len < BLOCK ? len : BLOCK;
		if (!*buf && !memcmp(buf, buf + 1, n - 1))
			continue;
		for (i = 0; i < sizeof(head); i++)
			head[i] = number >> 8 * i;
		if (!feed(sum->in, head, sizeof(head)) || !feed(sum->in, buf, n))
			return false;
	}
	return true;
}

static bool feed_data(struct sum *sum, int fd)
{
	char *buf = xrealloc(NULL, BLOCK * BLOCKS);
	off_t at = 0, end;
	ssize_t n = 1;
	bool ok = true;

	while (ok && n > 0 && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
		end = lseek(fd, at, SEEK_HOLE);
		/* the block's beginning, if the file system has smaller ones */
		for (at -= at % BLOCK; ok && n > 0 && at < end; at += n) {
			n = pread(fd, buf, BLOCK * BLOCKS, at);
			ok = n >= 0 && feed_blocks(sum, buf, n, at / BLOCK);
		}
	}
	free(buf);
	return ok;
}

static bool has_holes(int fd, const struct stat *st)
{
	off_t hole = st->st_size ? lseek(fd, 0, SEEK_HOLE) : -1;

	lseek(fd, 0, SEEK_SET);
	return hole >= 0 && hole < st->st_size;
}

static bool read_file(int fd, const struct stat *st, struct digest *digest)
{
	sighandler_t pipe = signal(SIGPIPE, SIG_IGN);
	struct sum sum;
	bool ok;

	digest->data = has_holes(fd, st);
	ok = sum_begin(&sum, digest->data ? -1 : fd);
	if (ok) {
		ok = !digest->data || feed_data(&sum, fd);
		ok = sum_end(&sum, digest->hex) && ok;
	}
	signal(SIGPIPE, pipe);
	return ok;
}

/* ---- the cache ---- */

static char *cache_path(void)
{
	const char *dir = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *base, *path;

	if (dir && *dir == '/')
		base = xstrdup(dir);
	else if (home && *home == '/')
		base = xasprintf("%s/.cache", home);
	else
		return NULL;
	mkdir(base, 0700);
	path = xasprintf("%s/" NAME, base);
	mkdir(path, 0700);
	free(base);
	base = path;
	path = xasprintf("%s/sha256", base);
	free(base);
	return path;
}

static char *key_of(const struct stat *st)
{
	return xasprintf("%" PRIx64 " %" PRIu64 " %" PRIu64 " %lld.%09ld %lld.%09ld",
			 (uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_size,
			 (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
			 (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

static bool cache_find(const char *path, const char *key, struct digest *digest)
{
	FILE *in = path ? fopen(path, "re") : NULL;
	char *line = NULL, kind[16], end;
	size_t size = 0, len = strlen(key);
	bool found = false;

	while (in && !found && getline(&line, &size, in) >= 0) {
		if (strncmp(line, key, len) || line[len] != ' ' ||
		    sscanf(line + len, " %15s %64[0-9a-f]%c", kind, digest->hex, &end) != 3 ||
		    end != '\n' || strlen(digest->hex) != DIGEST_LEN)
			continue;
		digest->data = strcmp(kind, ALL);
		found = true;
	}
	free(line);
	if (in)
		fclose(in);
	return found;
}

/* One write for a line: two tools may do it at once, and one that is killed leaves none or all. */
static void cache_add(const char *path, const char *key, const struct digest *digest)
{
	char *line = xasprintf("%s %s %s\n", key, digest_kind(digest), digest->hex);
	struct stat st;
	int fd;

	if (!stat(path, &st) && st.st_size > CACHE_MAX)
		unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0) {
		feed(fd, line, strlen(line));
		close(fd);
	}
	free(line);
}

static bool is_settled(const struct stat *st)
{
	return utc_now() - (st->st_ctim.tv_sec * 1000000000LL + st->st_ctim.tv_nsec) > SETTLED_NS;
}

bool digest_of(const char *path, struct digest *digest)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *cache = NULL, *key = NULL;
	struct stat st, then;
	bool ok = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode);

	if (ok) {
		cache = cache_path();
		key = key_of(&st);
	}
	if (ok && !cache_find(cache, key, digest)) {
		ok = read_file(fd, &st, digest);
		if (ok && cache && is_settled(&st) && !fstat(fd, &then) &&
		    then.st_ctim.tv_sec == st.st_ctim.tv_sec &&
		    then.st_ctim.tv_nsec == st.st_ctim.tv_nsec)
			cache_add(cache, key, digest);
	}
	free(key);
	free(cache);
	if (fd >= 0)
		close(fd);
	return ok;
}
