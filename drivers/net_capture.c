// SPDX-License-Identifier: GPL-2.0
/*
 * Frames for a capture of the interface.
 *
 * A frame is taken down once, when the stack gives it or the ring does, before
 * anybody else can see it; a GSO frame whole. With a rule that may match it that
 * is a frame as the rules were asked about it (of a GSO frame: each segment), as
 * it is after them, with what they did as its comment. One that is then lost
 * on the way (while it waits, or at a port that is full or has left), or that a
 * rule treats apart for one receiver, is taken down again with that. Whatever
 * is lost has a comment with the word drop in it.
 */
#include "net.h"

static void copy_frame(const void *from, size_t off, u8 *to, size_t len)
{
	if (skb_copy_bits(from, off, to, len))
		memset(to, 0, len);
}

void umf_net_capture(struct umf_net *net, const struct sk_buff *skb,
		     enum umf_dir dir, const char *comment)
{
	struct umf_capture_packet packet = {
		.dir = dir,
		.comment = comment,
		.len = skb->len,
		.copy = copy_frame,
		.from = skb,
	};

	umf_capture_packet(&net->fault.site, &packet);
}
