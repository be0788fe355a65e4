/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of the kernel as the fuzzed files need, for a host program. Every
 * kernel header they include is this one; see Makefile.inc.
 */
#ifndef __UMF_FUZZ_SHIM_H
#define __UMF_FUZZ_SHIM_H

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define U32_MAX			0xffffffffU
#define U64_MAX			(~0ULL)
#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define ALIGN(x, a)		(((x) + (a) - 1) & ~((typeof(x))(a) - 1))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define max_t(type, a, b)	((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define BUILD_BUG_ON(cond)	_Static_assert(!(cond), #cond)
#define __rcu
#define __aligned(n)		__attribute__((aligned(n)))
#define __printf(a, b)		__attribute__((format(printf, a, b)))
#define fallthrough		__attribute__((fallthrough))
#define __ffs64(x)		((unsigned long)__builtin_ctzll(x))

/* Memory that others write. */
#define READ_ONCE(x)		(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, val)	(*(volatile typeof(x) *)&(x) = (val))
#define virt_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define virt_store_release(p, val) __atomic_store_n(p, val, __ATOMIC_RELEASE)
#define virt_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define virt_rmb()		__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xchg(p, val)		__atomic_exchange_n(p, val, __ATOMIC_SEQ_CST)
#define sync_set_bit(n, p) \
	((void)__atomic_fetch_or(p, 1UL << (n), __ATOMIC_SEQ_CST))
#define test_and_set_bit_lock(n, p) \
	((bool)(__atomic_fetch_or(p, 1UL << (n), __ATOMIC_ACQUIRE) >> (n) & 1))
#define clear_bit_unlock(n, p) \
	((void)__atomic_fetch_and(p, ~(1UL << (n)), __ATOMIC_RELEASE))

#define GFP_KERNEL		0
#define kzalloc_obj(obj)	((typeof(&(obj)))calloc(1, sizeof(obj)))
#define kfree(p)		free(p)
#define kstrdup(s, gfp)		strdup(s)
#define kstrndup(s, n, gfp)	strndup(s, n)

static inline __printf(2, 3) char *kasprintf(int gfp, const char *fmt, ...)
{
	va_list args;
	char *text;
	int n;

	(void)gfp;
	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	return n < 0 ? NULL : text;
}

static inline void strscpy(char *to, const char *from, size_t size)
{
	snprintf(to, size, "%s", from);
}

#define IS_ERR(p)		((unsigned long)(p) >= -4095UL)
#define PTR_ERR(p)		((long)(p))
#define ERR_PTR(err)		((void *)(long)(err))

/* Time stands still, except while somebody waits for it. */
extern unsigned long fuzz_jiffies;
#define HZ			100
#define jiffies			fuzz_jiffies
#define time_before(a, b)	((long)((a) - (b)) < 0)
#define usleep_range(a, b)	((void)fuzz_jiffies++)
#define mdelay(n)		((void)fuzz_jiffies++)

#define pr_warn_ratelimited(...) \
	do { if (0) printf(__VA_ARGS__); } while (0)

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

/* ---- what fault.h has in its structures ---- */

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

/* ---- os.h ---- */

#define CATCH_EINTR(expr) while ((errno = 0, ((expr) < 0)) && errno == EINTR)
#define os_getpid()		getpid()
#define os_close_file(fd)	close(fd)
#define os_unmap_memory(p, len)	munmap(p, len)

static inline void *os_mmap_rw_shared(int fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

#endif /* __UMF_FUZZ_SHIM_H */
