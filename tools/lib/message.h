/* SPDX-License-Identifier: GPL-2.0 */
/* What a tool says to people. */
#ifndef __UMF_MESSAGE_H
#define __UMF_MESSAGE_H

#include <stdarg.h>

/* One line on stderr, with the program's name in front and @end behind. */
void message(const char *program, const char *fmt, va_list ap, const char *end)
	__attribute__((format(printf, 2, 0)));

#endif /* __UMF_MESSAGE_H */
