/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What our calendar (tools/lib/clock.c) says in the shared schedule besides what
 * <linux/um_timetravel.h> has there: at the end of the header's page, which is
 * left free. Written by the calendar alone, while no guest runs.
 */
#ifndef __UMF_SCHEDULE_H
#define __UMF_SCHEDULE_H

#define UMF_SCHEDULE_MAGIC	0x6d75666b636f6c63ULL
#define UMF_SCHEDULE_AT		(4096 - 64)	/* bytes from its start */

struct umf_schedule {
	unsigned long long magic;	/* else the rest is not there */
	/* No guest hears of another sooner than that after it has done something. */
	unsigned long long lookahead;	/* ns */
	unsigned int gone;		/* how many guests have ended so far */
};

#endif /* __UMF_SCHEDULE_H */
