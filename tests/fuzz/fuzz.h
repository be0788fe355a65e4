/* SPDX-License-Identifier: GPL-2.0 */
/* For the fuzz targets: the input as a stream, and what must be true. */
#ifndef __UMF_FUZZ_H
#define __UMF_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, \
				__LINE__, #cond); \
			abort(); \
		} \
	} while (0)

struct input {
	const uint8_t *at, *end;
};

/* The next @len bytes into @to; zeroes once the input has ended. */
static inline void take(struct input *in, void *to, size_t len)
{
	size_t n = in->end - in->at;

	if (n > len)
		n = len;
	memcpy(to, in->at, n);
	memset((char *)to + n, 0, len - n);
	in->at += n;
}

static inline uint32_t take_u32(struct input *in, unsigned int bytes)
{
	uint32_t val = 0;

	take(in, &val, bytes);
	return val;
}

#endif /* __UMF_FUZZ_H */
