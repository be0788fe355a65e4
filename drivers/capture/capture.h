/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Capture: what passes a device, and what the rules did with it, as a pcapng
 * file of the host.
 *
 * A driver says umf_capture_packet() wherever something passes; that and the
 * verb are all there is to it. Without a capture it costs one static branch.
 */
#ifndef __UMF_CAPTURE_H
#define __UMF_CAPTURE_H

#include <linux/jump_label.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include "fault/fault.h"

DECLARE_STATIC_KEY_FALSE(umf_any_capture);

/* The one test on a hot path. */
static inline bool umf_capturing(const struct umf_site *site)
{
	return static_branch_unlikely(&umf_any_capture) &&
	       rcu_access_pointer(site->capture);
}

struct umf_capture_packet {
	enum umf_dir dir;
	const char *comment;	/* NULL: none */
	u64 time;		/* ns since 1970; 0: now */
	size_t len;
	/* Copies @len bytes from @off on to @to. */
	void (*copy)(const void *from, size_t off, u8 *to, size_t len);
	const void *from;	/* for it */
};

/* Takes it down, or counts it as dropped. Any context but NMI. */
void umf_capture_packet(struct umf_site *site,
			const struct umf_capture_packet *packet);

/* A comment that grows; what it has no room for is left out. */
struct umf_note {
	unsigned int len;
	char text[160];
};

/* The next part, "; " in front of it unless it is the first. */
__printf(2, 3) void umf_note(struct umf_note *note, const char *fmt, ...);
/* The same of what a rule does: "<action> <id>". */
void umf_note_effect(struct umf_note *note, const struct umf_effect *effect);
/* Adds to the last part. */
__printf(2, 3) void umf_note_more(struct umf_note *note, const char *fmt, ...);
/* " 50ms" and the like */
void umf_note_time(struct umf_note *note, u64 ns);

#endif /* __UMF_CAPTURE_H */
