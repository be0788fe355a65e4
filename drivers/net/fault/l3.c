// SPDX-License-Identifier: GPL-2.0
/* Where a frame's network header is. */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include "net/fault/priv.h"

unsigned int umf_net_find_l3(struct sk_buff *skb, __be16 *proto)
{
	const struct vlan_hdr *vlan;
	unsigned int at = ETH_HLEN;

	if (!pskb_may_pull(skb, at))
		return 0;
	*proto = ((const struct ethhdr *)skb->data)->h_proto;
	while (eth_type_vlan(*proto)) {
		if (!pskb_may_pull(skb, at + VLAN_HLEN))
			return 0;
		vlan = (const struct vlan_hdr *)(skb->data + at);
		*proto = vlan->h_vlan_encapsulated_proto;
		at += VLAN_HLEN;
	}
	return at;
}
