// SPDX-License-Identifier: GPL-2.0
/*
 * macflap: the other ports take a MAC to be at this one.
 *
 * While a rule is in force this port sends, at once and then every time=, a
 * frame that seems to come from peer=. Each port is a switch and learns from it:
 * what it has for that MAC goes here, until it hears from the MAC itself again.
 * A MAC that talks flaps; one that is silent stays where it is not. When a rule
 * ends the others forget what they have learned from this port.
 */
#include <linux/etherdevice.h>
#include <linux/if_ether.h>
#include "net/fault/priv.h"

#define TIME_MIN	(100 * NSEC_PER_USEC)
#define TIME_DEFAULT	(100 * NSEC_PER_MSEC)

static int flap_prepare(struct umf_net *net, struct umf_spec *spec,
			struct umf_net_rule *own, struct umf_reply *reply)
{
	if (spec->val[UMF_K_PEER].a & BIT_ULL(40))
		return umf_fail(reply, -EINVAL,
				"peer=: a group of receivers has no port to be at");
	if (umf_num(spec, UMF_K_TIME, TIME_DEFAULT) < TIME_MIN)
		return umf_fail(reply, -EINVAL,
				"time=: must be at least 100us");
	return 0;
}

const struct umf_net_action umf_net_macflap = {
	.prepare = flap_prepare,
};

/* A frame from there to all, of the protocol that is for tests of a link. */
static void send_flap(struct umf_net *net, u64 mac)
{
	struct sk_buff *skb;
	struct ethhdr *eth;

	skb = netdev_alloc_skb(net->dev, ETH_ZLEN);
	if (!skb)
		return;
	eth = skb_put_zero(skb, ETH_ZLEN);
	eth_broadcast_addr(eth->h_dest);
	u64_to_ether_addr(mac, eth->h_source);
	eth->h_proto = htons(ETH_P_LOOP);
	net->ops->send(net, skb, net->ops->route(net, skb));
}

struct flap_round {
	struct umf_net *net;
	u64 now, next;
	bool any;
};

static void visit_flap(struct umf_rule *rule, void *data)
{
	struct flap_round *round = data;
	struct umf_net_rule *own = rule->priv;

	if (rule->spec.action != UMF_A_MACFLAP)
		return;
	round->any = true;
	if (own->due <= round->now) {
		own->due = round->now +
			   umf_num(&rule->spec, UMF_K_TIME, TIME_DEFAULT);
		send_flap(round->net, rule->spec.val[UMF_K_PEER].a);
	}
	round->next = min(round->next, own->due);
}

static enum hrtimer_restart flap_timer(struct hrtimer *timer)
{
	struct umf_net_fault *fault = container_of(timer, struct umf_net_fault,
						   flap_timer);
	struct umf_net *net = container_of(fault, struct umf_net, fault);
	struct flap_round round = {
		.net = net, .now = ktime_get_ns(), .next = U64_MAX,
	};

	/* It comes up, or the carrier back: umf_net_flap_update() again. */
	if (!READ_ONCE(fault->open) || READ_ONCE(fault->down))
		return HRTIMER_NORESTART;
	local_bh_disable();
	umf_site_visit_levels(&fault->site, visit_flap, &round);
	if (!round.any && fault->flapping)
		umf_segment_forget(net->seg);
	fault->flapping = round.any;
	local_bh_enable();
	if (round.next != U64_MAX)
		hrtimer_start(timer, ns_to_ktime(round.next),
			      HRTIMER_MODE_ABS_SOFT);
	return HRTIMER_NORESTART;
}

void umf_net_flap_update(struct umf_net *net)
{
	if (atomic_read(&net->fault.flaps))
		hrtimer_start(&net->fault.flap_timer, 0, HRTIMER_MODE_ABS_SOFT);
}

void umf_net_flap_init(struct umf_net *net)
{
	atomic_set(&net->fault.flaps, 0);
	hrtimer_setup(&net->fault.flap_timer, flap_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS_SOFT);
}
