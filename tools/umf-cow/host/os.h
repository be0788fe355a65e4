/* SPDX-License-Identifier: GPL-2.0 */
/* What the user halves of the drivers take from arch/um's os.h. */
#ifndef __UMF_HOST_OS_H
#define __UMF_HOST_OS_H

#include <errno.h>

#define CATCH_EINTR(expr) \
	do { \
		errno = 0; \
	} while ((expr) < 0 && errno == EINTR)

#endif /* __UMF_HOST_OS_H */
