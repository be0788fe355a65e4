// SPDX-License-Identifier: GPL-2.0
/* Actions on how often a frame arrives: drop, not at all; dup, more than once. */
#include <net/inet_ecn.h>
#include "net/fault/priv.h"

enum mark {
	MARK_NONE,		/* it cannot be */
	MARK_SET,
	MARK_THERE,		/* before */
};

/* Congestion experienced, as a router says it (RFC 3168). */
static enum mark mark_ce(struct sk_buff *skb)
{
	unsigned int l3, len;
	__be16 proto;
	void *ip;
	u8 ds;

	l3 = umf_net_find_l3(skb, &proto);
	if (l3 && proto == htons(ETH_P_IP))
		len = l3 + sizeof(struct iphdr);
	else if (l3 && proto == htons(ETH_P_IPV6))
		len = l3 + sizeof(struct ipv6hdr);
	else
		return MARK_NONE;
	if (!pskb_may_pull(skb, len))
		return MARK_NONE;
	ip = skb->data + l3;
	ds = proto == htons(ETH_P_IP) ? ipv4_get_dsfield(ip) :
					ipv6_get_dsfield(ip);
	if (INET_ECN_is_ce(ds))
		return MARK_THERE;
	if (INET_ECN_is_not_ect(ds) || skb_ensure_writable(skb, len))
		return MARK_NONE;
	ip = skb->data + l3;
	if (proto == htons(ETH_P_IP))
		IP_ECN_set_ce(ip);
	else
		IP6_ECN_set_ce(skb, ip);
	return MARK_SET;
}

static enum umf_net_result drop_apply(struct umf_net_job *job,
				      const struct umf_effect *effect)
{
	enum mark mark = MARK_NONE;

	if (umf_num(effect->spec, UMF_K_ECN, 0))
		mark = mark_ce(job->skb);
	if (mark == MARK_THERE)
		return UMF_NET_UNDONE;
	if (mark == MARK_SET) {
		job->name = "mark";
		umf_net_did(job, effect);
		job->name = NULL;
		return UMF_NET_DONE;
	}
	umf_net_did(job, effect);
	umf_net_take_down(job->net, job->skb, &job->path, &job->note);
	kfree_skb(job->skb);
	job->skb = NULL;
	return UMF_NET_DONE;
}

static void drop_describe(const struct umf_net_job *job,
			  const struct umf_effect *effect, bool exact,
			  unsigned int room, struct umf_note *note)
{
	if (job->name)
		umf_note_more(note, exact ? " marked CE" : " CE");
}

const struct umf_net_action umf_net_drop = {
	.apply		= drop_apply,
	.describe	= drop_describe,
};

static enum umf_net_result dup_apply(struct umf_net_job *job,
				     const struct umf_effect *effect)
{
	job->copies += umf_num(effect->spec, UMF_K_COPIES, 1);
	return UMF_NET_COPIES;
}

static void dup_describe(const struct umf_net_job *job,
			 const struct umf_effect *effect, bool exact,
			 unsigned int room, struct umf_note *note)
{
	umf_note_more(note, " copies %llu",
		      umf_num(effect->spec, UMF_K_COPIES, 1));
}

const struct umf_net_action umf_net_dup = {
	.apply		= dup_apply,
	.describe	= dup_describe,
};
