/* SPDX-License-Identifier: GPL-2.0 */
/* Allocation that ends the program when there is no memory. */
#ifndef __UMF_XALLOC_H
#define __UMF_XALLOC_H

#include <stdarg.h>
#include <stddef.h>

void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

#endif /* __UMF_XALLOC_H */
