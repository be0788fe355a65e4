/* SPDX-License-Identifier: GPL-2.0 */
/* The few kernel functions that blk_image.c needs, in terms of libc. */
#ifndef __UMF_HOST_KERNEL_H
#define __UMF_HOST_KERNEL_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GFP_KERNEL		0
#define __printf(a, b)		__attribute__((format(printf, a, b)))
#define kzalloc_obj(p)		calloc(1, sizeof(p))
#define vzalloc(size)		calloc(1, size)
#define kfree(p)		free(p)
#define vfree(p)		free(p)
#define vscnprintf		vsnprintf
#define div_u64(a, b)		((a) / (b))
#define ilog2(n)		(31 - __builtin_clz(n))
#define min(a, b)		((a) < (b) ? (a) : (b))
/* it tells of the delta it made; the tool says what it does itself */
#define pr_info(...)		((void)0)

static inline int host_strscpy(char *to, const char *from, size_t size)
{
	size_t len = strnlen(from, size);

	if (len == size)
		return -E2BIG;
	memcpy(to, from, len + 1);
	return len;
}

#define strscpy(to, from, size)	host_strscpy(to, from, size)

static inline char *__attribute__((format(printf, 2, 3)))
kasprintf(int flags, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	(void)flags;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return text;
}

#endif /* __UMF_HOST_KERNEL_H */
