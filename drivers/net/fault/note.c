// SPDX-License-Identifier: GPL-2.0
/*
 * What is told of frames: ethtool's counters, events, and captures.
 *
 * A frame is taken down once, when the stack gives it or the ring does, before
 * anybody else can see it; a GSO frame whole. With a rule that may match it that
 * is a frame as the rules were asked about it (of a GSO frame: each segment), as
 * it is after them, with what they did as its comment. One that is then lost
 * on the way (while it waits, at a port that is full or has left, or between
 * the two sides of a partition), or that a rule treats apart for one receiver,
 * is taken down again with that. Whatever is lost has a comment with the word
 * drop in it.
 *
 * All of it speaks of effects that came about (umf_net_did()), and of no others.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include "net/fault/priv.h"

/* ---- counters ---- */

void umf_net_fault_count(struct umf_net *net, enum umf_dir dir, int what)
{
	atomic_long_inc(&net->fault.count[dir][what]);
}

/* Does it do anything to single frames? */
static bool is_counted(const struct umf_net *net, int what)
{
	const struct umf_net_action *action;

	if (what >= UMF_A_MAX || what == UMF_A_DOWN)
		return true;
	action = net->fault.actions[what];
	return action && action->apply;
}

static const char *count_name(int what)
{
	switch (what) {
	case UMF_NET_LIMIT:
		return "limit";
	case UMF_NET_NOMEM:
		return "nomem";
	default:
		return umf_actions[what].name;
	}
}

int umf_net_fault_stats_len(const struct umf_net *net)
{
	int what, n = 0;

	for (what = 0; what < UMF_NET_FAULT_COUNTS; what++)
		n += is_counted(net, what);
	return 2 * n;
}

void umf_net_fault_strings(const struct umf_net *net, u8 **buf)
{
	int dir, what;

	for (dir = UMF_DIR_RX; dir <= UMF_DIR_TX; dir++)
		for (what = 0; what < UMF_NET_FAULT_COUNTS; what++)
			if (is_counted(net, what))
				ethtool_sprintf(buf, "%s_fault_%s",
						dir == UMF_DIR_RX ? "rx" : "tx",
						count_name(what));
}

void umf_net_fault_stats(struct umf_net *net, u64 *buf)
{
	int dir, what;

	for (dir = UMF_DIR_RX; dir <= UMF_DIR_TX; dir++)
		for (what = 0; what < UMF_NET_FAULT_COUNTS; what++)
			if (is_counted(net, what))
				*buf++ = atomic_long_read(&net->fault.count[dir][what]);
}

/* ---- effects ---- */

void umf_net_did(struct umf_net_job *job, const struct umf_effect *effect)
{
	const struct umf_net_action *action =
		job->net->fault.actions[effect->action];

	umf_effect_done(&job->net->fault.site, &job->nop.op, &job->verdict,
			effect);
	umf_net_fault_count(job->net, umf_net_dir(&job->path), effect->action);
	if (!job->noted)
		return;
	if (job->name)
		umf_note(&job->note, "%s %s", job->name,
			 effect->spec->val[UMF_K_ID].text);
	else
		umf_note_effect(&job->note, effect);
	if (action->describe)
		action->describe(job, effect, false,
				 sizeof(job->note.text) - job->note.len,
				 &job->note);
}

/* ---- captures ---- */

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

void umf_net_take_down(struct umf_net *net, const struct sk_buff *skb,
		       const struct umf_net_path *path, struct umf_note *note)
{
	u8 mac[ETH_ALEN];

	if (!umf_net_capturing(net))
		return;
	if (path->lane == UMF_NET_LANE_PORT) {
		if (!note->len)
			return;
		u64_to_ether_addr(umf_segment_mac(net->seg, path->port), mac);
		umf_note(note, "to %pM", mac);
	}
	umf_net_capture(net, skb, umf_net_dir(path),
			note->len ? note->text : NULL);
}

static void visit_down(struct umf_rule *rule, void *data)
{
	struct umf_note *note = data;

	if (rule->spec.action == UMF_A_DOWN && !note->len)
		umf_note(note, "down %s", rule->spec.val[UMF_K_ID].text);
}

void umf_net_lose(struct umf_net *net, struct sk_buff *skb,
		  const struct umf_net_path *path, const char *why)
{
	bool down = READ_ONCE(net->fault.down);
	struct umf_note note = {};

	if (down)
		umf_net_fault_count(net, umf_net_dir(path), UMF_A_DOWN);
	if (umf_net_capturing(net)) {
		if (down)
			umf_site_visit_levels(&net->fault.site, visit_down,
					      &note);
		if (!note.len)
			umf_note(&note, "%s", why);
		umf_note_more(&note, ": dropped");
		umf_net_take_down(net, skb, path, &note);
	}
	kfree_skb(skb);
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
