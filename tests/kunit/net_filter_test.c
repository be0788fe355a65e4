// SPDX-License-Identifier: GPL-2.0
/*
 * GSO frames and filters: what a filter is sure of for the whole is true of each
 * segment, and it is sure where no byte that it reads differs.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/gso.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>
#include "net_filter.h"
#include "umf_kunit.h"

#define SEGS	3
#define SIZE	1000

/* A TCP frame from port 80 to port 4000, its last segment shorter, with FIN. */
static struct sk_buff *new_frame(struct kunit *test, bool v6)
{
	unsigned int ip = v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	unsigned int data = (SEGS - 1) * SIZE + 10, i;
	struct sk_buff *skb = alloc_skb(200 + data, GFP_KERNEL);
	struct tcphdr *tcp;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, 64);
	skb_reset_mac_header(skb);
	eth_broadcast_addr(((struct ethhdr *)skb_put_zero(skb, ETH_HLEN))->h_dest);
	skb->protocol = v6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	eth_hdr(skb)->h_proto = skb->protocol;
	skb_set_network_header(skb, ETH_HLEN);
	skb_put_zero(skb, ip);
	if (v6) {
		ipv6_hdr(skb)->version = 6;
		ipv6_hdr(skb)->nexthdr = IPPROTO_TCP;
		ipv6_hdr(skb)->payload_len = htons(sizeof(*tcp) + data);
	} else {
		ip_hdr(skb)->version = 4;
		ip_hdr(skb)->ihl = 5;
		ip_hdr(skb)->protocol = IPPROTO_TCP;
		ip_hdr(skb)->id = htons(7);
		ip_hdr(skb)->tot_len = htons(ip + sizeof(*tcp) + data);
	}
	skb_set_transport_header(skb, ETH_HLEN + ip);
	tcp = skb_put_zero(skb, sizeof(*tcp));
	tcp->source = htons(80);
	tcp->dest = htons(4000);
	tcp->doff = sizeof(*tcp) / 4;
	tcp->fin = 1;
	for (i = 0; i < data; i++)
		*(u8 *)skb_put(skb, 1) = i / SIZE + 1;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	skb_shinfo(skb)->gso_size = SIZE;
	skb_shinfo(skb)->gso_segs = SEGS;
	skb_shinfo(skb)->gso_type = v6 ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4;
	return skb;
}

static const struct filter_case {
	const char *about;
	const char *bpf;
	bool sure4, sure6;	/* of refusing it */
} filters[] = {
	{ "ether proto 0x88b5",
	  "4,40 0 0 12,21 0 1 34997,6 0 0 65535,6 0 0 0", true, true },
	{ "ip", "4,40 0 0 12,21 0 1 2048,6 0 0 65535,6 0 0 0", false, true },
	{ "ip dst port 9",
	  "9,40 0 0 12,21 0 6 2048,48 0 0 23,21 0 4 6,177 0 0 14,72 0 0 16,21 0 1 9,6 0 0 65535,6 0 0 0",
	  true, true },
	{ "ip dst port 4000",
	  "9,40 0 0 12,21 0 6 2048,48 0 0 23,21 0 4 6,177 0 0 14,72 0 0 16,21 0 1 4000,6 0 0 65535,6 0 0 0",
	  false, true },
	{ "udp port 9, of both kinds of IP",
	  "20,40 0 0 12,21 0 6 34525,48 0 0 20,21 0 15 17,40 0 0 54,21 12 0 9,40 0 0 56,21 10 11 9,21 0 10 2048,48 0 0 23,21 0 8 17,40 0 0 20,69 6 0 8191,177 0 0 14,72 0 0 14,21 2 0 9,72 0 0 16,21 0 1 9,6 0 0 262144,6 0 0 0",
	  true, true },
	{ "FIN is not set",
	  "7,40 0 0 12,21 0 3 2048,177 0 0 14,80 0 0 27,69 1 0 1,6 0 0 65535,6 0 0 0",
	  false, false },
	{ "len < 500", "4,128 0 0 0,53 1 0 500,6 0 0 65535,6 0 0 0", false, false },
	{ "IPv4's identification is 8",
	  "6,40 0 0 12,21 0 3 2048,40 0 0 18,21 0 1 8,6 0 0 65535,6 0 0 0",
	  false, true },
	{ "the first byte of data is 3, IPv4",
	  "6,40 0 0 12,21 0 3 2048,48 0 0 54,21 0 1 3,6 0 0 65535,6 0 0 0",
	  false, true },
	{ "the acknowledged number by way of A, X and memory",
	  "9,177 0 0 14,135 0 0 0,2 0 0 3,96 0 0 3,7 0 0 0,64 0 0 22,21 0 1 5,6 0 0 65535,6 0 0 0",
	  true, true },
	{ "arithmetic: port - 80 + 1 >> 1 is 1",
	  "9,177 0 0 14,72 0 0 14,20 0 0 80,4 0 0 3,116 0 0 1,84 0 0 255,21 0 1 9,6 0 0 65535,6 0 0 0",
	  true, true },
};

static void a_filter_says_the_same_of_all_segments(struct kunit *test)
{
	struct umf_reply *reply = kunit_kzalloc(test, sizeof(*reply), GFP_KERNEL);
	struct sk_buff *skb, *segs, *seg, *next;
	struct umf_net_filter filter;
	struct umf_net_gso gso;
	unsigned int i, n;
	bool sure, any, wanted;
	int v6;

	KUNIT_ASSERT_NOT_NULL(test, reply);
	for (v6 = 0; v6 < 2; v6++) {
		skb = new_frame(test, v6);
		KUNIT_ASSERT_TRUE(test, umf_net_gso_look(skb, &gso));
		KUNIT_EXPECT_EQ(test, gso.segs, SEGS);
		segs = __skb_gso_segment(skb, 0, true);
		KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(segs));
		for (i = 0; i < ARRAY_SIZE(filters); i++) {
			filter = (struct umf_net_filter){};
			KUNIT_ASSERT_EQ_MSG(test, 0,
					    umf_net_filter_parse(&filter, filters[i].bpf, reply),
					    "%s", filters[i].about);
			sure = umf_net_filter_excludes(&filter, skb, &gso);
			any = false;
			n = 0;
			skb_list_walk_safe(segs, seg, next) {
				any |= umf_net_filter_match(&filter, seg);
				n++;
			}
			KUNIT_EXPECT_EQ(test, n, SEGS);
			KUNIT_EXPECT_FALSE_MSG(test, sure && any, "%s", filters[i].about);
			wanted = v6 ? filters[i].sure6 : filters[i].sure4;
			KUNIT_EXPECT_EQ_MSG(test, sure, wanted, "%s, IPv%d",
					    filters[i].about, v6 ? 6 : 4);
			umf_net_filter_free(&filter);
		}
		kfree_skb_list(segs);
		kfree_skb(skb);
	}
}

/* The bytes that are said to be the same are; those that are not differ somewhere. */
static void the_same_bytes_are_the_same(struct kunit *test)
{
	struct sk_buff *skb, *segs, *seg, *next;
	unsigned int at, len;
	struct umf_net_gso gso;
	bool differs;
	int v6;

	for (v6 = 0; v6 < 2; v6++) {
		skb = new_frame(test, v6);
		len = skb_transport_offset(skb) + sizeof(struct tcphdr);
		KUNIT_ASSERT_TRUE(test, umf_net_gso_look(skb, &gso));
		segs = __skb_gso_segment(skb, 0, true);
		KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(segs));
		for (at = 0; at < UMF_GSO_HEADERS; at++) {
			differs = false;
			skb_list_walk_safe(segs, seg, next)
				differs |= at < len &&
					   seg->data[at] != skb->data[at];
			if (test_bit(at, gso.same)) {
				KUNIT_EXPECT_LT(test, at, len);
				KUNIT_EXPECT_FALSE_MSG(test, differs, "byte %u", at);
			}
		}
		kfree_skb_list(segs);
		kfree_skb(skb);
	}
}

static struct kunit_case net_filter_cases[] = {
	KUNIT_CASE(a_filter_says_the_same_of_all_segments),
	KUNIT_CASE(the_same_bytes_are_the_same),
	{}
};

static struct kunit_suite net_filter_suite = {
	.name = "umf_net_filter",
	.test_cases = net_filter_cases,
};

kunit_test_suite(net_filter_suite);
