// SPDX-License-Identifier: GPL-2.0
/*
 * Files that others share with us, mapped: and what if they shrink.
 *
 * An access behind the end of a mapped file, or to a hole of one for which the
 * host has no more room, is a SIGBUS, which is the end of a guest. Anybody who
 * may write to the file can truncate it, so a mapping made here has a guard: the
 * access finds zeroes, in a page of ours that nobody else sees from then on, and
 * the mapping is marked. Whoever uses it looks at the mark, and gives it up.
 *
 * The table of mappings is read by a signal handler at any instant, on whatever
 * processor: an entry is claimed by its start, which is stored last and cleared
 * first. The handler looks for an address that somebody is using just now, so
 * that entry cannot go away under it; what it sees of others that come and go
 * never matches, as start is read before and after their length.
 *
 * SIGBUS from elsewhere is for who had it before: UML's own handler, a program's,
 * or none.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <os.h>
#include "host/host.h"

/* More than all interfaces of a guest can have; only what is used takes memory. */
#define MAPS	8192
#define CLAIMED	1UL

struct map {
	unsigned long start;	/* 0: free; CLAIMED: being filled or emptied */
	unsigned long len;
	int gone;		/* some page of it is not the file's any more */
};

static struct map *maps;
static struct sigaction before;
static unsigned long page;

static struct map *map_of(unsigned long addr)
{
	unsigned long start, len;
	int i;

	for (i = 0; i < MAPS; i++) {
		start = __atomic_load_n(&maps[i].start, __ATOMIC_ACQUIRE);
		len = __atomic_load_n(&maps[i].len, __ATOMIC_ACQUIRE);
		if (start > CLAIMED && addr - start < len &&
		    __atomic_load_n(&maps[i].start, __ATOMIC_RELAXED) == start)
			return &maps[i];
	}
	return NULL;
}

static void chain(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	sigset_t mask = uc->uc_sigmask;
	int i;

	if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) {
		/* The access is made again, and ends us. */
		sigaction(sig, &before, NULL);
		return;
	}
	/* As it would have been called without us. */
	for (i = 1; i < NSIG; i++)
		if (sigismember(&before.sa_mask, i) == 1)
			sigaddset(&mask, i);
	sigaddset(&mask, sig);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (before.sa_flags & SA_SIGINFO)
		before.sa_sigaction(sig, si, context);
	else
		before.sa_handler(sig);
}

/* Runs with all signals blocked, and calls nothing that is not a system call. */
static void bus_handler(int sig, siginfo_t *si, void *context)
{
	unsigned long addr = (unsigned long)si->si_addr & ~(page - 1);
	int save_errno = errno;
	struct map *map;

	map = si->si_code > 0 ? map_of(addr) : NULL;
	if (map && mmap((void *)addr, page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			0) != MAP_FAILED)
		__atomic_store_n(&map->gone, 1, __ATOMIC_RELEASE);
	else
		chain(sig, si, context);
	errno = save_errno;
}

static int take_signal(void)
{
	struct sigaction action = {
		.sa_sigaction = bus_handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	void *table;

	page = sysconf(_SC_PAGESIZE);
	table = mmap(NULL, MAPS * sizeof(*maps), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table == MAP_FAILED)
		return -errno;
	maps = table;
	sigfillset(&action.sa_mask);
	if (sigaction(SIGBUS, NULL, &before) < 0 ||
	    sigaction(SIGBUS, &action, NULL) < 0)
		return -errno;
	return 0;
}

/* The first one to map something does it, others wait for that. */
static int init_once(void)
{
	enum { NONE, BUSY, DONE };
	static int state, err;
	int none = NONE;

	if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == DONE)
		return err;
	if (__atomic_compare_exchange_n(&state, &none, BUSY, 0,
					__ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		err = take_signal();
		__atomic_store_n(&state, DONE, __ATOMIC_RELEASE);
	}
	while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) != DONE)
		;
	return err;
}

static struct map *claim(void)
{
	unsigned long free;
	int i;

	for (i = 0; i < MAPS; i++) {
		free = 0;
		if (__atomic_compare_exchange_n(&maps[i].start, &free, CLAIMED,
						0, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return &maps[i];
	}
	return NULL;
}

int umf_host_map(int fd, unsigned long len, struct umf_host_map *to)
{
	int err = init_once();
	struct map *map;
	void *addr;

	if (err)
		return err;
	map = claim();
	if (!map)
		return -ENOSPC;
	addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (addr == MAP_FAILED) {
		err = -errno;
		__atomic_store_n(&map->start, 0, __ATOMIC_RELEASE);
		return err;
	}
	map->len = len;
	map->gone = 0;
	__atomic_store_n(&map->start, (unsigned long)addr, __ATOMIC_RELEASE);
	to->addr = addr;
	to->len = len;
	to->gone = &map->gone;
	return 0;
}

static struct map *entry_of(const struct umf_host_map *of)
{
	return (struct map *)((char *)of->gone - offsetof(struct map, gone));
}

int umf_host_map_replace(struct umf_host_map *of, int fd)
{
	if (mmap(of->addr, of->len, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -errno;
	__atomic_store_n(&entry_of(of)->gone, 0, __ATOMIC_RELEASE);
	return 0;
}

void umf_host_unmap(struct umf_host_map *of)
{
	struct map *map;

	if (!of->addr)
		return;
	map = entry_of(of);
	__atomic_store_n(&map->start, CLAIMED, __ATOMIC_RELEASE);
	munmap(of->addr, of->len);
	__atomic_store_n(&map->start, 0, __ATOMIC_RELEASE);
	of->addr = NULL;
}
