/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Distributions from a file, as tc-netem has them (its *.dist): numbers in decimal,
 * blanks between, comments from # to the line's end. Each is a value that is as
 * likely as any other, in 1/8192 of the standard deviation, counted from the mean.
 */
#ifndef __UMF_FAULT_TABLE_H
#define __UMF_FAULT_TABLE_H

#include "fault/fault.h"

#define UMF_TABLE_SCALE	8192
#define UMF_TABLE_MAX	65536	/* numbers */

struct umf_table {
	unsigned int n;
	s16 val[] __counted_by(n);
};

/* Reads it from a file of the host; may sleep. ERR_PTR(): umf_fail() said why. */
struct umf_table *umf_table_read(const char *path, struct umf_reply *reply);
void umf_table_free(const struct umf_table *table);

#endif /* __UMF_FAULT_TABLE_H */
