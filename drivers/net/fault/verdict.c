// SPDX-License-Identifier: GPL-2.0
/*
 * What a verdict does to a frame.
 *
 * The fault core is asked about wire frames only: a GSO frame is segmented
 * first, in either direction, unless no rule can match any segment of it. It is
 * asked
 *
 *	rx: once for a frame, peer= is the MAC of the port that has sent it;
 *	tx: once for a frame, of the rules without peer=; then, if there is any
 *	    rule with peer= (and not dir=rx), once for each port the frame goes
 *	    to, of those rules, peer= is that port's MAC.
 *
 * A frame's effects add up, in the order of the rules: it is corrupted or cut,
 * waits for one rule after the other, then leaves together with its copies; drop
 * and hold end it, reorder spares it all waiting but for hold. An effect that
 * finds nothing to do has not come about (umf_effect_undone()): the copies of a
 * frame that is lost, the waiting of one that overtakes.
 */
#include <linux/etherdevice.h>
#include <linux/slab.h>
#include <net/gso.h>
#include "net/fault/priv.h"

/* ---- how a job ends ---- */

/*
 * A received frame may go to GRO, which takes its data apart and must not be
 * given a clone (net/core/gro_cells.c refuses those).
 */
static struct sk_buff *copy_frame(struct sk_buff *skb, enum umf_dir dir)
{
	return dir == UMF_DIR_RX ? pskb_copy(skb, GFP_ATOMIC) :
				   skb_clone(skb, GFP_ATOMIC);
}

/* As many as were asked for, as far as there is memory. */
static void make_copies(struct umf_net_job *job, struct sk_buff_head *copies)
{
	enum umf_dir dir = umf_net_dir(&job->path);
	struct sk_buff *copy;
	u32 i;

	for (i = 0; i < job->copies; i++) {
		copy = copy_frame(job->skb, dir);
		if (copy)
			__skb_queue_tail(copies, copy);
		else
			umf_net_fault_count(job->net, dir, UMF_NET_NOMEM);
	}
}

/* Whether it is to wait for that rule, or need not as it overtakes. */
static bool has_to_wait(const struct umf_net_job *job,
			const struct umf_effect *effect)
{
	return !job->overtakes || effect->action == UMF_A_HOLD;
}

/* Takes the stages away that it is spared. Returns whether there were any. */
static bool spare_waiting(struct umf_net_job *job)
{
	struct umf_net_frame *frame = job->frame;
	unsigned int i, n = 0;
	struct umf_rule *rule;
	bool spared;

	if (!frame)
		return false;
	for (i = 0; i < frame->n; i++) {
		rule = umf_rule_get(&job->net->fault.site, frame->stage[i].rule);
		if (rule && rule->spec.action == UMF_A_HOLD)
			frame->stage[n++] = frame->stage[i];
	}
	spared = n < frame->n;
	frame->n = n;
	return spared;
}

/* What became of the effects that had to know of each other. */
static void tell(struct umf_net_job *job,
		 const enum umf_net_result result[UMF_EFFECTS_MAX], bool copied,
		 bool spared)
{
	const struct umf_effect *effect;
	unsigned int i;
	bool did;

	for (i = 0; i < job->verdict.n; i++) {
		effect = &job->verdict.effect[i];
		switch (result[i]) {
		case UMF_NET_WAITS:
			did = job->skb && has_to_wait(job, effect);
			break;
		case UMF_NET_COPIES:
			did = copied;
			break;
		case UMF_NET_OVERTAKES:
			did = spared;
			break;
		case UMF_NET_UNDONE:
			did = false;
			break;
		default:
			continue;
		}
		if (did)
			umf_net_did(job, effect);
		else
			umf_effect_undone(&job->verdict, effect);
	}
}

/* What a capture is told of a frame's fate beside what rules did. */
static void note_fate(struct umf_net_job *job, enum umf_net_fate fate, u64 now,
		      u64 due)
{
	unsigned int i;

	if (!job->noted)
		return;
	if (fate == UMF_NET_FULL)
		umf_note_more(&job->note, ": no room, dropped");
	if (fate != UMF_NET_QUEUED || due == UMF_NET_NEVER)
		return;
	for (i = 0; i < job->verdict.n; i++) {
		if (job->verdict.effect[i].action != UMF_A_RATE)
			continue;
		umf_note(&job->note, "waits");
		umf_note_time(&job->note, max(due, now) - now);
		break;
	}
}

/* A copy, or the frame itself: waits, or leaves. */
static void leave(struct umf_net_job *job, struct sk_buff *skb,
		  struct umf_net_frame *frame, u64 now)
{
	enum umf_net_fate fate = UMF_NET_LEAVES;
	struct umf_net *net = job->net;
	u64 due = 0;

	if (frame) {
		frame->skb = skb;
		/* for the capture: who closes the lane frees what waits */
		skb_get(skb);
		fate = umf_net_lane_wait(net, frame, now, &due);
		if (fate != UMF_NET_QUEUED)
			kfree(frame);
	}
	if (fate == UMF_NET_FULL)
		umf_net_fault_count(net, umf_net_dir(&job->path), UMF_NET_LIMIT);
	if (skb == job->skb) {
		note_fate(job, fate, now, due);
		umf_net_take_down(net, skb, &job->path, &job->note);
	}
	if (frame)
		consume_skb(skb);
	if (fate == UMF_NET_FULL)
		kfree_skb(skb);
	else if (fate == UMF_NET_LEAVES)
		umf_net_lane_ops.pass(net, skb, &job->path);
}

static void leave_all(struct umf_net_job *job, struct sk_buff_head *copies)
{
	u64 now = job->verdict.now ?: ktime_get_ns();
	enum umf_dir dir = umf_net_dir(&job->path);
	struct umf_net_frame *frame;
	struct sk_buff *copy;

	umf_net_lane_flush(job->net, job->path.lane, now);
	while ((copy = __skb_dequeue(copies))) {
		frame = NULL;
		if (job->frame) {
			frame = kmemdup(job->frame, sizeof(*frame), GFP_ATOMIC);
			if (!frame) {
				umf_net_fault_count(job->net, dir, UMF_NET_NOMEM);
				kfree_skb(copy);
				continue;
			}
		}
		leave(job, copy, frame, now);
	}
	leave(job, job->skb, job->frame, now);
}

/* Consumes the frame. In an RCU section, as umf_decide() wants it. */
static void carry_out(struct umf_net_job *job)
{
	enum umf_net_result result[UMF_EFFECTS_MAX];
	const struct umf_net_action *action;
	struct sk_buff_head copies;
	bool spared = false;
	unsigned int i;

	__skb_queue_head_init(&copies);
	for (i = 0; i < job->verdict.n; i++) {
		result[i] = UMF_NET_UNDONE;
		if (!job->skb)
			continue;
		action = job->net->fault.actions[job->verdict.effect[i].action];
		result[i] = action->apply(job, &job->verdict.effect[i]);
		job->overtakes |= result[i] == UMF_NET_OVERTAKES;
	}
	if (job->skb) {
		if (job->overtakes)
			spared = spare_waiting(job);
		make_copies(job, &copies);
	}
	tell(job, result, !skb_queue_empty(&copies), spared);
	if (job->frame && (!job->skb || !job->frame->n)) {
		kfree(job->frame);
		job->frame = NULL;
	}
	if (job->skb)
		leave_all(job, &copies);
}

/* ---- asking the core ---- */

static struct umf_net_op net_op(const struct umf_net_path *path,
				struct sk_buff *skb, u64 peer)
{
	return (struct umf_net_op){
		.op = {
			.dir = umf_net_dir(path),
			.len = skb->len,
			.key = path->lane == UMF_NET_LANE_TX ? 0 :
							       umf_net_peer_key(peer),
			.keyed = path->lane == UMF_NET_LANE_PORT,
		},
		.skb = skb,
		.peer = peer,
	};
}

/* One frame as it is on a wire. */
static void decide_one(struct umf_net *net, struct sk_buff *skb, u64 peer,
		       const struct umf_net_path *path)
{
	struct umf_net_job job = {
		.net = net,
		.skb = skb,
		.path = *path,
		.nop = net_op(path, skb, peer),
		.noted = umf_net_capturing(net),
	};

	if (READ_ONCE(net->fault.down)) {
		umf_net_lose(net, skb, path, "interface down");
		return;
	}
	job.nop.job = &job;
	rcu_read_lock();
	job.verdict = umf_decide(&net->fault.site, &job.nop.op);
	carry_out(&job);
	rcu_read_unlock();
}

/*
 * Is no segment of it lost without carrier, nor matched by a rule? Then they
 * are counted.
 */
static bool passes_whole(struct umf_net *net, struct sk_buff *skb, u64 peer,
			 struct umf_net_path *path)
{
	struct umf_net_op nop = net_op(path, skb, peer);
	struct umf_net_gso gso;
	bool whole;

	if (READ_ONCE(net->fault.down) || !umf_net_gso_look(skb, &gso))
		return false;
	nop.gso = &gso;
	path->segs = gso.segs;
	rcu_read_lock();
	whole = umf_pass_all(&net->fault.site, &nop.op, gso.segs);
	rcu_read_unlock();
	return whole;
}

static void decide(struct umf_net *net, struct sk_buff *skb,
		   struct umf_net_path *path)
{
	struct umf_note note = {};
	struct sk_buff *segs, *next;
	u64 peer = 0;

	if (path->lane != UMF_NET_LANE_TX)
		peer = umf_segment_mac(net->seg, path->port);
	if (!skb_is_gso(skb)) {
		decide_one(net, skb, peer, path);
		return;
	}
	if (passes_whole(net, skb, peer, path)) {
		umf_net_lane_flush(net, path->lane, ktime_get_ns());
		umf_net_take_down(net, skb, path, &note);
		umf_net_lane_ops.pass(net, skb, path);
		return;
	}
	/* As they would be on a wire: checksums done. */
	segs = __skb_gso_segment(skb, 0, path->lane != UMF_NET_LANE_RX);
	if (IS_ERR_OR_NULL(segs)) {
		umf_net_lose(net, skb, path, "cannot be segmented");
		return;
	}
	consume_skb(skb);
	skb_list_walk_safe(segs, skb, next) {
		skb_mark_not_on_list(skb);
		decide_one(net, skb, peer, path);
	}
}

/* ---- passing on; BH off ---- */

/*
 * Is no rule for single receivers to be asked about this one? That is counted
 * as if each had said no.
 */
static bool is_unasked(struct umf_net *net, struct sk_buff *skb,
		       const struct umf_net_path *path)
{
	struct umf_net_op nop = net_op(path, skb,
				       umf_segment_mac(net->seg, path->port));
	unsigned int n = skb_is_gso(skb) ? path->segs : 1;
	bool unasked;

	if (READ_ONCE(net->fault.down) || !n)
		return false;
	rcu_read_lock();
	unasked = umf_pass_unasked(&net->fault.site, &nop.op, n);
	rcu_read_unlock();
	return unasked;
}

/* The switch, and the rules for single receivers. */
static void switch_frame(struct umf_net *net, struct sk_buff *skb,
			 const struct umf_net_path *path)
{
	u64 ports = net->ops->route(net, skb), plain = 0;
	struct umf_net_path to = *path;
	struct sk_buff *copy;

	if (!atomic_read(&net->fault.per_port)) {
		net->ops->send(net, skb, ports);
		return;
	}
	to.lane = UMF_NET_LANE_PORT;
	for (; ports; ports &= ports - 1) {
		to.port = __ffs64(ports);
		if (is_unasked(net, skb, &to)) {
			plain |= BIT_ULL(to.port);
			continue;
		}
		to.gen = net->ops->port_gen(net, to.port);
		copy = skb_clone(skb, GFP_ATOMIC);
		if (copy)
			umf_net_lane_enter(net, copy, &to);
		else
			umf_net_fault_count(net, UMF_DIR_TX, UMF_NET_NOMEM);
	}
	/* what a rule that is no longer asked still keeps goes first */
	umf_net_lane_run(net, UMF_NET_LANE_PORT, INT_MAX);
	if (plain)
		net->ops->send(net, skb, plain);
	else
		consume_skb(skb);
}

static void pass(struct umf_net *net, struct sk_buff *skb,
		 const struct umf_net_path *path)
{
	if (READ_ONCE(net->fault.down) || !READ_ONCE(net->fault.open))
		umf_net_lose(net, skb, path, "interface down");
	else if (path->lane == UMF_NET_LANE_RX)
		net->ops->receive(net, skb);
	else if (path->lane == UMF_NET_LANE_TX)
		switch_frame(net, skb, path);
	else if (path->gen == net->ops->port_gen(net, path->port))
		net->ops->send(net, skb, BIT_ULL(path->port));
	else
		umf_net_lose(net, skb, path, "its port has left");
}

const struct umf_net_lane_ops umf_net_lane_ops = {
	.decide	= decide,
	.pass	= pass,
};

/* ---- the two ways in; BH off ---- */

void umf_net_fault_tx(struct umf_net *net, struct sk_buff *skb)
{
	const struct umf_net_path path = {
		.lane = UMF_NET_LANE_TX,
		.port = UMF_NET_ALL_PORTS,
	};

	umf_net_lane_enter(net, skb, &path);
}

void umf_net_fault_rx(struct umf_net *net, struct sk_buff *skb,
		      unsigned int port)
{
	const struct umf_net_path path = {
		.lane = UMF_NET_LANE_RX,
		.port = port,
	};

	/* What filters and segmentation look at. */
	skb->dev = net->dev;
	skb->protocol = eth_hdr(skb)->h_proto;
	if (!eth_proto_is_802_3(skb->protocol))
		skb->protocol = htons(ETH_P_802_2);
	skb_set_network_header(skb, ETH_HLEN);
	umf_net_lane_enter(net, skb, &path);
}

int umf_net_fault_poll(struct umf_net *net, int budget)
{
	return umf_net_lane_run(net, UMF_NET_LANE_RX, budget);
}
