/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few kernel names that the files use which host programs compile as they
 * are: a segment's, an image's, pcapng.c. Included before everything else
 * (-include); the headers they ask for are empty files, see Makefile.inc.
 *
 * Whoever has a clock of its own, as the fuzzer, defines jiffies and what goes
 * with it before.
 */
#ifndef __KERNEL_H
#define __KERNEL_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;

/* ---- words and bits ---- */

#ifndef __aligned
#define __aligned(x)		__attribute__((aligned(x)))
#endif
#define __printf(a, b)		__attribute__((format(printf, a, b)))
#define U32_MAX			0xffffffffU
#define U64_MAX			(~0ULL)
#define BUILD_BUG_ON(bad)	_Static_assert(!(bad), #bad)
#define ALIGN(x, a)		(((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define max_t(type, a, b)	((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define NSEC_PER_SEC		1000000000L
#define NSEC_PER_MSEC		1000000L
#define mul_u64_u64_div_u64(a, b, by) \
	((u64)((unsigned __int128)(a) * (b) / (by)))
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#define ilog2(n)		(31 - __builtin_clz(n))
#define div_u64(a, b)		((a) / (b))
#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define __ffs64(x)		((unsigned int)__builtin_ctzll(x))

static inline u32 hash_64(u64 value, unsigned int bits)
{
	return value * 0x61C8864680B583EBull >> (64 - bits);
}

/* ---- memory that others see ---- */

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define virt_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define virt_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define virt_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define virt_rmb()		__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_rmb()		virt_rmb()
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE)
#define xchg(p, v)		__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define cmpxchg64(p, old, new)	__sync_val_compare_and_swap(p, old, new)

static inline bool test_and_set_bit_lock(unsigned int nr, unsigned long *word)
{
	return __atomic_fetch_or(word, BIT(nr), __ATOMIC_ACQUIRE) & BIT(nr);
}

static inline void clear_bit_unlock(unsigned int nr, unsigned long *word)
{
	__atomic_fetch_and(word, ~BIT(nr), __ATOMIC_RELEASE);
}

static inline void sync_set_bit(unsigned int nr, unsigned long *addr)
{
	__atomic_fetch_or((u32 *)addr + nr / 32, 1u << nr % 32,
			  __ATOMIC_SEQ_CST);
}

/* ---- errors, text, allocation ---- */

#define ERR_PTR(err)		((void *)(long)(err))
#define PTR_ERR(p)		((long)(p))
#define IS_ERR(p)		((unsigned long)(p) >= (unsigned long)-4095)

#define GFP_KERNEL		0
#define kzalloc_obj(obj)	((__typeof__(obj) *)calloc(1, sizeof(obj)))
#define vzalloc(size)		calloc(1, size)
#define kfree(p)		free((void *)(p))
#define vfree(p)		kfree(p)
#define vscnprintf		vsnprintf
#define kstrdup(s, gfp)		strdup(s)
#define kstrndup(s, n, gfp)	strndup(s, n)

static inline __printf(2, 3) char *kasprintf(int gfp, const char *fmt, ...)
{
	char *text;
	va_list ap;

	(void)gfp;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return text;
}

/* As the kernel's: what does not fit is cut off, and said. */
static inline ssize_t strscpy(char *to, const char *from, size_t size)
{
	size_t len = strnlen(from, size);

	if (len == size) {
		memcpy(to, from, size - 1);
		to[size - 1] = '\0';
		return -E2BIG;
	}
	memcpy(to, from, len + 1);
	return len;
}

/* ---- time ---- */

#define time_before(a, b)	((long)((a) - (b)) < 0)

#ifndef jiffies
#define HZ			1000UL
#define usleep_range(min, max)	usleep(min)
#define mdelay(ms)		usleep((ms) * 1000)
#define jiffies			kernel_jiffies()

static inline unsigned long kernel_jiffies(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * HZ + ts.tv_nsec / 1000000;
}
#endif

/* A program's time is the host's. */
#define TT_MODE_OFF		0
#define time_travel_mode	TT_MODE_OFF

/* The drivers tell of what the program says itself. */
#define pr_info(...)		((void)0)

#define pr_warn(...)		pr_warn_ratelimited(__VA_ARGS__)

/* One line a second; the program says what it is called. */
extern const char *const kernel_program;

#ifndef pr_warn_ratelimited
#define pr_warn_ratelimited(...) do {					\
		static unsigned long kernel_next;			\
									\
		if (!kernel_next || !time_before(jiffies, kernel_next)) { \
			kernel_next = jiffies + HZ;			\
			fprintf(stderr, "%s: ", kernel_program);	\
			fprintf(stderr, __VA_ARGS__);			\
		}							\
	} while (0)
#endif

/* ---- what arch/um calls the host ---- */

#define CATCH_EINTR(expr) while ((errno = 0, (expr) < 0) && errno == EINTR)
#define os_close_file(fd)	close(fd)
#define os_getpid()		getpid()
#endif /* __KERNEL_H */
