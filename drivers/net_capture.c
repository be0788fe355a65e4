// SPDX-License-Identifier: GPL-2.0
/*
 * Frames for a capture of the interface.
 *
 * A frame is taken down once, when the stack gives it or the ring does, before
 * anybody else can see it; a GSO frame whole. With a rule that may match it that
 * is a frame as the rules were asked about it (of a GSO frame: each segment), as
 * it is after them, with what they did as its comment. One that is then lost
 * on the way (while it waits, at a port that is full or has left, or between
 * the two sides of a partition), or that a rule treats apart for one receiver,
 * is taken down again with that. Whatever is lost has a comment with the word
 * drop in it.
 */
#include <linux/etherdevice.h>
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

/* ---- what a partition loses ---- */

static void copy_bytes(const void *from, size_t off, u8 *to, size_t len)
{
	memcpy(to, from + off, len);
}

void umf_net_capture_cut_tx(struct umf_net *net, const struct sk_buff *skb,
			    unsigned int port)
{
	struct umf_note note = {};
	u8 mac[ETH_ALEN];

	umf_net_partition_note(net, umf_segment_port(net->seg), port, &note);
	umf_note_more(&note, ": dropped");
	u64_to_ether_addr(umf_segment_mac(net->seg, port), mac);
	umf_note(&note, "to %pM", mac);
	umf_net_capture(net, skb, UMF_DIR_TX, note.text);
}

void umf_net_capture_cut_rx(struct umf_net *net, const u8 *data, size_t len,
			    unsigned int port)
{
	struct umf_note note = {};
	struct umf_capture_packet packet = {
		.dir = UMF_DIR_RX,
		.comment = note.text,
		.len = len,
		.copy = copy_bytes,
		.from = data,
	};

	umf_net_partition_note(net, port, umf_segment_port(net->seg), &note);
	umf_note_more(&note, ": dropped");
	umf_capture_packet(&net->fault.site, &packet);
}
