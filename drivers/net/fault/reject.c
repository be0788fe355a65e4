// SPDX-License-Identifier: GPL-2.0
/*
 * reject: a frame is lost, and its sender hears of it as if the one it was for, or a
 * router or firewall there, had refused it. The answers are netfilter's (REJECT).
 *
 *	sent:     the guest receives the answer, as if it came from the wire;
 *	received: the answer goes to the port that has sent the frame.
 *
 * No rule is asked about an answer. What must not be answered (multicast, a TCP
 * reset, an ICMP error, a fragment, wrong checksums) or is not IP is just lost.
 */
#include <linux/etherdevice.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netfilter.h>
#include <net/netfilter/ipv4/nf_reject.h>
#include <net/netfilter/ipv6/nf_reject.h>
#include "net/fault/priv.h"

#define HOOK	NF_INET_PRE_ROUTING

/* We are built in: what a module has is out of reach. */
#define HAS_IPV4	IS_BUILTIN(CONFIG_NF_REJECT_IPV4)
#define HAS_IPV6	IS_BUILTIN(CONFIG_NF_REJECT_IPV6)

static int reject_prepare(struct umf_net *net, struct umf_spec *spec,
			  struct umf_net_rule *own, struct umf_reply *reply)
{
	if (HAS_IPV4)
		return 0;
	return umf_fail(reply, -EOPNOTSUPP,
			"reject: this kernel has no NF_REJECT_IPV4 built in, which makes the answers");
}

/* ---- the answer ---- */

/* By with=, in ICMP and ICMPv6. */
static const u8 codes[][2] = {
	[UMF_REJECT_PORT]	= { ICMP_PORT_UNREACH, ICMPV6_PORT_UNREACH },
	[UMF_REJECT_HOST]	= { ICMP_HOST_UNREACH, ICMPV6_ADDR_UNREACH },
	[UMF_REJECT_ADMIN]	= { ICMP_PKT_FILTERED, ICMPV6_ADM_PROHIBITED },
};

/* An IP packet to the packet @old, whose data are at the network header. */
static struct sk_buff *answer_ip(struct umf_net *net, struct sk_buff *old,
				 const struct umf_spec *spec, bool v6)
{
	struct net *ns = dev_net(net->dev);
	u64 with;
	bool tcp;

	if (!pskb_may_pull(old, v6 ? sizeof(struct ipv6hdr) :
				     sizeof(struct iphdr)))
		return NULL;
	tcp = (v6 ? ipv6_hdr(old)->nexthdr : ip_hdr(old)->protocol) ==
	      IPPROTO_TCP;
	with = umf_num(spec, UMF_K_WITH,
		       tcp ? UMF_REJECT_RST : UMF_REJECT_PORT);
	if (HAS_IPV6 && v6)
		return with == UMF_REJECT_RST ?
		       nf_reject_skb_v6_tcp_reset(ns, old, net->dev, HOOK) :
		       nf_reject_skb_v6_unreach(ns, old, net->dev, HOOK,
						codes[with][1]);
	if (HAS_IPV4 && !v6)
		return with == UMF_REJECT_RST ?
		       nf_reject_skb_v4_tcp_reset(ns, old, net->dev, HOOK) :
		       nf_reject_skb_v4_unreach(ns, old, net->dev, HOOK,
						codes[with][0]);
	return NULL;
}

/* The old frame's header, the other way round, with its VLAN tags. */
static bool push_header(struct sk_buff *skb, const u8 *old, unsigned int len)
{
	struct ethhdr *eth;

	if (skb_cow_head(skb, len))
		return false;
	eth = skb_push(skb, len);
	memcpy(eth, old, len);
	ether_addr_copy(eth->h_dest, ((const struct ethhdr *)old)->h_source);
	ether_addr_copy(eth->h_source, ((const struct ethhdr *)old)->h_dest);
	skb_reset_mac_header(skb);
	skb->protocol = eth->h_proto;
	return skb->ip_summed != CHECKSUM_PARTIAL || !skb_checksum_help(skb);
}

static struct sk_buff *answer(struct umf_net *net, struct sk_buff *skb,
			      const struct umf_spec *spec)
{
	struct sk_buff *old, *new = NULL;
	unsigned int l3;
	__be16 proto;

	if (!is_unicast_ether_addr(skb->data))
		return NULL;
	/* what the helpers cut off, a capture still wants */
	old = skb_clone(skb, GFP_ATOMIC);
	if (!old)
		return NULL;
	l3 = umf_net_find_l3(old, &proto);
	if (l3 && (proto == htons(ETH_P_IP) || proto == htons(ETH_P_IPV6))) {
		__skb_pull(old, l3);
		skb_reset_network_header(old);
		new = answer_ip(net, old, spec, proto == htons(ETH_P_IPV6));
	}
	/* the header is linear, and still there in front of the data */
	if (new && !push_header(new, old->data - l3, l3)) {
		kfree_skb(new);
		new = NULL;
	}
	consume_skb(old);
	return new;
}

/* ---- the action ---- */

/* A capture has it, too, on its way to who is told. */
static void send_answer(struct umf_net_job *job, struct sk_buff *reply,
			const struct umf_effect *effect)
{
	bool back = job->path.lane == UMF_NET_LANE_RX;
	struct umf_note note = {};

	if (umf_net_capturing(job->net)) {
		umf_note(&note, "answer of %s",
			 effect->spec->val[UMF_K_ID].text);
		umf_net_capture(job->net, reply, back ? UMF_DIR_TX : UMF_DIR_RX,
				note.text);
	}
	if (back)
		job->net->ops->send(job->net, reply,
				    BIT_ULL(job->path.port));
	else
		umf_net_lane_inject(job->net, reply);
}

static enum umf_net_result reject_apply(struct umf_net_job *job,
					const struct umf_effect *effect)
{
	struct umf_net *net = job->net;
	struct sk_buff *reply = answer(net, job->skb, effect->spec);

	umf_net_did(job, effect);
	if (!reply)
		umf_note_more(&job->note, ": no answer, dropped");
	umf_net_take_down(net, job->skb, &job->path, &job->note);
	kfree_skb(job->skb);
	job->skb = NULL;
	if (reply)
		send_answer(job, reply, effect);
	return UMF_NET_DONE;
}

static void reject_describe(const struct umf_net_job *job,
			    const struct umf_effect *effect, bool exact,
			    unsigned int room, struct umf_note *note)
{
	if (umf_has(effect->spec, UMF_K_WITH))
		umf_note_more(note, " with %s",
			      umf_params[UMF_K_WITH].words[effect->spec->val[UMF_K_WITH].a]);
}

const struct umf_net_action umf_net_reject = {
	.prepare	= reject_prepare,
	.apply		= reject_apply,
	.describe	= reject_describe,
};
