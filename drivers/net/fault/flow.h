/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which rules' filters refuse a frame, for many of them at once.
 *
 * What a filter says of a frame hangs on the bytes that it reads, and frames of
 * one flow have most of these in common. So the first frame of a kind is given
 * to all filters, and what they read on their way to a refusal is kept as the
 * mark of that kind: each frame that has the same bytes there is refused by the
 * same rules. The others are asked as ever.
 */
#ifndef __UMF_NET_FLOW_H
#define __UMF_NET_FLOW_H

#include <linux/types.h>
#include "fault/fault.h"
#include "net/fault/filter.h"

#define UMF_NET_FLOWS	8	/* kinds of frames */

struct umf_net_flow;

struct umf_net_flows {
	struct umf_net_flow __rcu *flow[UMF_NET_FLOWS];
	unsigned int last;	/* where one was found */
	unsigned int next;	/* which to replace */
	unsigned int pays;	/* found so much more often than made, about */
	unsigned int missed;
	unsigned long making;	/* bit 0: one is made; others do without */
	enum umf_dir dir;
	/* NULL: the rule has none */
	const struct umf_net_filter *(*filter_of)(const struct umf_rule *rule);
};

/* Of frames of one direction. */
void umf_net_flows_init(struct umf_net_flows *flows, enum umf_dir dir,
			const struct umf_net_filter *
			(*filter_of)(const struct umf_rule *rule));
void umf_net_flows_free(struct umf_net_flows *flows);

/*
 * Bits of @plan: rules whose filters refuse this frame, or each segment of one
 * for which @gso is given; NULL: none are known. Valid until the RCU section
 * ends. BH off.
 */
const unsigned long *umf_net_flows_refused(struct umf_net_flows *flows,
					   const struct umf_plan *plan,
					   const struct sk_buff *skb,
					   const struct umf_net_gso *gso);

#endif /* __UMF_NET_FLOW_H */
