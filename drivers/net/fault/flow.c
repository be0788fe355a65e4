// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include "net/fault/flow.h"

/*
 * To make a flow costs more than to ask the filters once. Where every frame is
 * of a kind of its own (a filter reads a sequence number) only one in so many
 * is tried.
 */
#define PAYS_MOST	64
#define TRY_EVERY	64

#define WORDS		(UMF_GSO_HEADERS / 8)

struct umf_net_flow {
	struct rcu_head rcu;
	u64 plan;			/* its serial */
	unsigned int len, words;	/* of the frame that are looked at */
	u64 mask[WORDS], value[WORDS];
	DECLARE_BITMAP(read, UMF_GSO_HEADERS);	/* the mask, a bit a byte */
	unsigned long refused[];	/* bits of the plan */
};

static bool fits(const struct umf_net_flow *flow, const struct sk_buff *skb)
{
	const u8 *data = skb->data;
	u64 room[WORDS];
	unsigned int i;

	if (skb->len < flow->len)
		return false;
	if (skb_headlen(skb) < flow->words * 8) {
		/* it may end within the last word */
		room[flow->words - 1] = 0;
		if (skb_copy_bits(skb, 0, room,
				  min(skb->len, flow->words * 8)))
			return false;
		data = (const u8 *)room;
	}
	for (i = 0; i < flow->words; i++)
		if ((get_unaligned((const u64 *)data + i) & flow->mask[i]) !=
		    flow->value[i])
			return false;
	return true;
}

static const struct umf_net_flow *find(struct umf_net_flows *flows, u64 plan,
				       const struct sk_buff *skb)
{
	unsigned int last = READ_ONCE(flows->last), i, at;
	const struct umf_net_flow *flow;

	for (i = 0; i < UMF_NET_FLOWS; i++) {
		at = (last + i) % UMF_NET_FLOWS;
		flow = rcu_dereference(flows->flow[at]);
		if (!flow || flow->plan != plan || !fits(flow, skb))
			continue;
		if (i)
			WRITE_ONCE(flows->last, at);
		return flow;
	}
	return NULL;
}

static void set_mask(struct umf_net_flow *flow, const struct sk_buff *skb)
{
	u8 *mask = (u8 *)flow->mask, *value = (u8 *)flow->value;
	unsigned int at;

	for_each_set_bit(at, flow->read, UMF_GSO_HEADERS) {
		mask[at] = 0xff;
		skb_copy_bits(skb, at, &value[at], 1);
		flow->len = at + 1;
	}
	flow->words = DIV_ROUND_UP(flow->len, 8);
}

/* What all filters make of that frame. */
static struct umf_net_flow *ask(const struct umf_net_flows *flows,
				const struct umf_plan *plan,
				const struct sk_buff *skb)
{
	const unsigned long *all = umf_plan_set(plan, flows->dir, UMF_PLAN_ALL);
	const struct umf_net_filter *filter;
	struct umf_net_flow *flow;
	unsigned long word;
	unsigned int i, at;

	flow = kzalloc(struct_size(flow, refused, plan->words), GFP_ATOMIC);
	if (!flow)
		return NULL;
	flow->plan = plan->serial;
	for (i = 0; i < plan->words; i++) {
		for (word = READ_ONCE(all[i]); word; word &= word - 1) {
			at = i * BITS_PER_LONG + __ffs(word);
			filter = flows->filter_of(plan->rule[at]);
			if (filter &&
			    umf_net_filter_refuses(filter, skb, flow->read))
				__set_bit(at, flow->refused);
		}
	}
	set_mask(flow, skb);
	return flow;
}

/* Replaces the oldest. */
static void keep(struct umf_net_flows *flows, struct umf_net_flow *flow)
{
	unsigned int at = flows->next++ % UMF_NET_FLOWS;
	struct umf_net_flow *old;

	if (flows->pays)
		WRITE_ONCE(flows->pays, flows->pays - 1);
	old = rcu_dereference_protected(flows->flow[at], true);
	rcu_assign_pointer(flows->flow[at], flow);
	WRITE_ONCE(flows->last, at);
	if (old)
		kfree_rcu(old, rcu);
}

static const struct umf_net_flow *make(struct umf_net_flows *flows,
				       const struct umf_plan *plan,
				       const struct sk_buff *skb)
{
	struct umf_net_flow *flow = NULL;

	if (test_and_set_bit_lock(0, &flows->making))
		return NULL;
	if (flows->pays || ++flows->missed % TRY_EVERY == 0)
		flow = ask(flows, plan, skb);
	if (flow)
		keep(flows, flow);
	clear_bit_unlock(0, &flows->making);
	return flow;
}

const unsigned long *umf_net_flows_refused(struct umf_net_flows *flows,
					   const struct umf_plan *plan,
					   const struct sk_buff *skb,
					   const struct umf_net_gso *gso)
{
	const struct umf_net_flow *flow = find(flows, plan->serial, skb);
	unsigned int pays;

	if (flow) {
		pays = READ_ONCE(flows->pays);
		if (pays < PAYS_MOST)
			WRITE_ONCE(flows->pays, pays + 1);
	} else {
		flow = make(flows, plan, skb);
	}
	if (!flow ||
	    (gso && !bitmap_subset(flow->read, gso->same, UMF_GSO_HEADERS)))
		return NULL;
	return flow->refused;
}

void umf_net_flows_init(struct umf_net_flows *flows, enum umf_dir dir,
			const struct umf_net_filter *
			(*filter_of)(const struct umf_rule *rule))
{
	memset(flows, 0, sizeof(*flows));
	flows->dir = dir;
	flows->filter_of = filter_of;
	flows->pays = PAYS_MOST;
}

void umf_net_flows_free(struct umf_net_flows *flows)
{
	struct umf_net_flow *flow;
	unsigned int i;

	for (i = 0; i < UMF_NET_FLOWS; i++) {
		flow = rcu_dereference_protected(flows->flow[i], true);
		RCU_INIT_POINTER(flows->flow[i], NULL);
		if (flow)
			kfree_rcu(flow, rcu);
	}
}
