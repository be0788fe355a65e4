// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include "message.h"

void message(const char *program, const char *fmt, va_list ap, const char *end)
{
	int err = errno;	/* fmt may have %m */

	fprintf(stderr, "%s: ", program);
	errno = err;
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "%s\n", end);
}
