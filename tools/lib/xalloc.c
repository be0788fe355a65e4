// SPDX-License-Identifier: GPL-2.0
/* Small tools end when memory does; nobody checks the same thing twice. */
#define _GNU_SOURCE
#include <errno.h>
#include <error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "xalloc.h"

static void *check(void *p)
{
	if (!p)
		error(EXIT_FAILURE, ENOMEM, "stopped");
	return p;
}

void *xrealloc(void *old, size_t size)
{
	return check(realloc(old, size));
}

char *xstrdup(const char *text)
{
	return check(strdup(text));
}

char *xstrndup(const char *text, size_t len)
{
	return check(strndup(text, len));
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	return check(text);
}

char *xasprintf(const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	return text;
}
