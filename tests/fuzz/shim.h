/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzzed files need beside tools/kernel/kernel.h, and the time: it
 * stands still, except while somebody waits for it. Included before everything
 * else; see Makefile.inc.
 */
#ifndef __UMF_FUZZ_SHIM_H
#define __UMF_FUZZ_SHIM_H

extern unsigned long fuzz_jiffies;
#define HZ			100UL
#define jiffies			fuzz_jiffies
#define usleep_range(a, b)	((void)fuzz_jiffies++)
#define mdelay(n)		((void)fuzz_jiffies++)

#define pr_warn_ratelimited(...) \
	do { if (0) printf(__VA_ARGS__); } while (0)

#include <ctype.h>
#include <limits.h>
#include "../../tools/kernel/kernel.h"

/* A port that is killed between two of its stores, see tests/fuzz/segment.c. */
#ifdef FUZZ_STEPS
void fuzz_step(void);
void *fuzz_alloc(size_t size);
int fuzz_close(int fd);
#undef WRITE_ONCE
#define WRITE_ONCE(x, v) \
	(fuzz_step(), *(volatile __typeof__(x) *)&(x) = (v))
#undef virt_store_release
#define virt_store_release(p, v) \
	(fuzz_step(), __atomic_store_n(p, v, __ATOMIC_RELEASE))
#undef xchg
#define xchg(p, v) \
	(fuzz_step(), __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST))
#define sync_set_bit(nr, addr)	(fuzz_step(), sync_set_bit(nr, addr))
#undef kzalloc_obj
#define kzalloc_obj(obj)	((__typeof__(obj) *)fuzz_alloc(sizeof(obj)))
#undef os_close_file
#define os_close_file(fd)	fuzz_close(fd)
#endif

#define __rcu
struct rcu_head {
	void *unused;
};

#define fallthrough		__attribute__((fallthrough))

/* ---- numbers ---- */

#define check_mul_overflow(a, b, d)	__builtin_mul_overflow(a, b, d)
#define check_add_overflow(a, b, d)	__builtin_add_overflow(a, b, d)

static inline u64 mul_u64_u64_shr(u64 a, u64 b, unsigned int shift)
{
	return (unsigned __int128)a * b >> shift;
}

static inline int hex_to_bin(unsigned char c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

static inline int kstrtou64(const char *s, unsigned int base, u64 *val)
{
	char *end;

	if (!isxdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*val = strtoull(s, &end, base);
	if (*end)
		return -EINVAL;
	return errno ? -ERANGE : 0;
}

/* ---- what fault/fault.h has in its structures ---- */

struct list_head {
	struct list_head *next, *prev;
};

struct hrtimer {
	int unused;
};

typedef struct {
	int unused;
} spinlock_t;

typedef struct {
	long long counter;
} atomic64_t;

#define DECLARE_STATIC_KEY_FALSE(key)	extern bool key
#define static_branch_unlikely(key)	(*(key))

#endif /* __UMF_FUZZ_SHIM_H */
