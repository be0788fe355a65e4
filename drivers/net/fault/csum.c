// SPDX-License-Identifier: GPL-2.0
/* A frame's checksums, for csum=fix: where they are, and how they are made right. */
#include <linux/etherdevice.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include "net/fault/csum.h"
#include "net/fault/priv.h"

static void find_l4(struct sk_buff *skb, struct umf_net_csums *at)
{
	unsigned int field;
	__be16 udp;

	switch (at->proto) {
	case IPPROTO_TCP:
		field = at->l4 + 16;
		break;
	case IPPROTO_UDP:
		field = at->l4 + 6;
		/* sent without */
		if (at->ip && !skb_copy_bits(skb, field, &udp, 2) && !udp)
			return;
		break;
	case IPPROTO_ICMP:
		if (!at->ip)
			return;
		field = at->l4 + 2;
		break;
	case IPPROTO_ICMPV6:
		if (at->ip)
			return;
		field = at->l4 + 2;
		break;
	default:
		return;
	}
	if (field + 2 <= at->end)
		at->field = field;
}

void umf_net_find_csums(struct sk_buff *skb, struct umf_net_csums *at)
{
	const struct ipv6hdr *ip6;
	const struct iphdr *ip;
	__be16 proto, frag = 0;
	unsigned int l3, len;
	int l4;

	memset(at, 0, sizeof(*at));
	l3 = umf_net_find_l3(skb, &proto);
	if (!l3)
		return;
	if (proto == htons(ETH_P_IP) && skb->len >= l3 + sizeof(*ip)) {
		ip = (const struct iphdr *)(skb->data + l3);
		len = ntohs(ip->tot_len);
		if (ip->ihl < 5 || len < ip->ihl * 4 || l3 + len > skb->len)
			return;
		at->ip = l3;
		at->ihl = ip->ihl;
		if (ip_is_fragment(ip))
			return;
		at->proto = ip->protocol;
		at->l4 = l3 + ip->ihl * 4;
		at->end = l3 + len;
	} else if (proto == htons(ETH_P_IPV6) && skb->len >= l3 + sizeof(*ip6)) {
		ip6 = (const struct ipv6hdr *)(skb->data + l3);
		len = sizeof(*ip6) + ntohs(ip6->payload_len);
		if (l3 + len > skb->len)
			return;
		at->proto = ip6->nexthdr;
		l4 = ipv6_skip_exthdr(skb, l3 + sizeof(*ip6), &at->proto, &frag);
		if (l4 < 0 || frag)
			return;
		at->ip6 = l3;
		at->l4 = l4;
		at->end = l3 + len;
	} else {
		return;
	}
	find_l4(skb, at);
}

void umf_net_fix_csums(struct sk_buff *skb, const struct umf_net_csums *at)
{
	const struct ipv6hdr *ip6 = (const struct ipv6hdr *)(skb->data + at->ip6);
	struct iphdr *ip = (struct iphdr *)(skb->data + at->ip);
	unsigned int len = at->end - at->l4;
	__sum16 *field, sum;
	__wsum part;

	if (at->ip) {
		ip->check = 0;
		ip->check = ip_fast_csum(ip, at->ihl);
	}
	if (!at->field)
		return;
	field = (__sum16 *)(skb->data + at->field);
	*field = 0;
	part = csum_partial(skb->data + at->l4, len, 0);
	if (at->ip6)
		sum = csum_ipv6_magic(&ip6->saddr, &ip6->daddr, len, at->proto,
				      part);
	else if (at->proto == IPPROTO_ICMP)
		sum = csum_fold(part);
	else
		sum = csum_tcpudp_magic(ip->saddr, ip->daddr, len, at->proto,
					part);
	if (at->proto == IPPROTO_UDP && !sum)
		sum = CSUM_MANGLED_0;
	*field = sum;
}
