// SPDX-License-Identifier: GPL-2.0
/*
 * GSO frames and filters: what a filter is sure of for the whole is true of each
 * segment, and it is sure where no byte that it reads differs. Flows: no filter
 * that is said to refuse a frame takes it.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/unaligned.h>
#include <net/gso.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>
#include "net/fault/filter.h"
#include "net/fault/flow.h"
#include "umf_kunit.h"

#define SEGS	3
#define SIZE	1000

/* The same behind @tags VLAN tags, the outer one of a provider. */
static void put_tags(struct sk_buff *skb, int tags)
{
	struct vlan_hdr *vlan;
	__be16 *proto = &eth_hdr(skb)->h_proto;
	__be16 l3 = *proto;
	int i;

	for (i = 0; i < tags; i++) {
		*proto = i + 1 < tags ? htons(ETH_P_8021AD) : htons(ETH_P_8021Q);
		vlan = skb_put_zero(skb, sizeof(*vlan));
		vlan->h_vlan_TCI = htons(5 + i);
		proto = &vlan->h_vlan_encapsulated_proto;
	}
	*proto = l3;
	skb->protocol = eth_hdr(skb)->h_proto;
}

/* A TCP frame from port 80 to port 4000, its last segment shorter, with FIN. */
static struct sk_buff *new_tagged(struct kunit *test, bool v6, int tags)
{
	unsigned int l3 = ETH_HLEN + tags * VLAN_HLEN;
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
	put_tags(skb, tags);
	skb_set_network_header(skb, l3);
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
	skb_set_transport_header(skb, l3 + ip);
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

static struct sk_buff *new_frame(struct kunit *test, bool v6)
{
	return new_tagged(test, v6, 0);
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

/* Tags are in all segments alike; what is behind them is not where it was. */
static void a_filter_is_as_sure_behind_tags(struct kunit *test)
{
	struct umf_reply *reply = kunit_kzalloc(test, sizeof(*reply), GFP_KERNEL);
	struct sk_buff *skb, *segs, *seg, *next;
	struct umf_net_filter filter;
	struct umf_net_gso gso;
	int tags, v6, i;
	bool sure;

	KUNIT_ASSERT_NOT_NULL(test, reply);
	for (tags = 1; tags <= 2; tags++) {
		for (v6 = 0; v6 < 2; v6++) {
			skb = new_tagged(test, v6, tags);
			KUNIT_ASSERT_TRUE(test, umf_net_gso_look(skb, &gso));
			KUNIT_EXPECT_EQ(test, gso.segs, SEGS);
			segs = __skb_gso_segment(skb, 0, true);
			KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(segs));
			for (i = 0; i < ARRAY_SIZE(filters); i++) {
				filter = (struct umf_net_filter){};
				umf_net_filter_parse(&filter, filters[i].bpf, reply);
				sure = umf_net_filter_excludes(&filter, skb, &gso);
				KUNIT_EXPECT_TRUE_MSG(test, sure || i, "%s",
						      filters[i].about);
				skb_list_walk_safe(segs, seg, next)
					KUNIT_EXPECT_FALSE_MSG(test, sure &&
							       umf_net_filter_match(&filter, seg),
							       "%s", filters[i].about);
				umf_net_filter_free(&filter);
			}
			kfree_skb_list(segs);
			kfree_skb(skb);
		}
	}
	skb = new_tagged(test, false, 3);
	KUNIT_EXPECT_FALSE(test, umf_net_gso_look(skb, &gso));
	kfree_skb(skb);
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

/* ---- flows ---- */

#define FRAMES	20000

/* A plan of rules that have these filters, a few of them for one direction. */
struct flow_test {
	struct umf_net_flows flows;
	struct umf_plan plan;
	struct umf_rule *rule[ARRAY_SIZE(filters)];
	unsigned long bits[2 * UMF_PLAN_SETS];
	struct umf_net_filter filter[ARRAY_SIZE(filters)];
	struct umf_rng rng;
};

static const struct umf_net_filter *filter_of(const struct umf_rule *rule)
{
	return rule->priv;
}

static struct flow_test *new_flow_test(struct kunit *test)
{
	struct flow_test *ft = kunit_kzalloc(test, sizeof(*ft), GFP_KERNEL);
	struct umf_reply *reply = kunit_kzalloc(test, sizeof(*reply), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, ft);
	KUNIT_ASSERT_NOT_NULL(test, reply);
	BUILD_BUG_ON(ARRAY_SIZE(filters) > BITS_PER_LONG);
	umf_net_flows_init(&ft->flows, UMF_DIR_RX, filter_of);
	ft->rng.state = UMF_KUNIT_SEED;
	ft->plan = (struct umf_plan){
		.serial = 1,
		.n = ARRAY_SIZE(filters),
		.words = 1,
		.rule = ft->rule,
		.bits = ft->bits,
	};
	for (i = 0; i < ARRAY_SIZE(filters); i++) {
		KUNIT_ASSERT_EQ(test, 0, umf_net_filter_parse(&ft->filter[i],
							      filters[i].bpf, reply));
		ft->rule[i] = kunit_kzalloc(test, sizeof(**ft->rule), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, ft->rule[i]);
		ft->rule[i]->priv = &ft->filter[i];
	}
	*umf_plan_set(&ft->plan, UMF_DIR_RX, UMF_PLAN_ALL) = BIT(i) - 1;
	*umf_plan_set(&ft->plan, UMF_DIR_TX, UMF_PLAN_ALL) = 2;
	return ft;
}

static void end_flow_test(struct flow_test *ft)
{
	unsigned int i;

	umf_net_flows_free(&ft->flows);
	for (i = 0; i < ARRAY_SIZE(filters); i++)
		umf_net_filter_free(&ft->filter[i]);
}

/* Bytes that are often such as the filters look for, of any length. */
static void fill_frame(struct flow_test *ft, struct sk_buff *skb,
		       unsigned int kinds)
{
	static const u16 types[] = { ETH_P_IP, ETH_P_IPV6, ETH_P_ARP, 0x88b5 };
	static const u8 protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };
	static const u16 ports[] = { 9, 80, 4000 };
	unsigned int len = 14 + umf_rng_below(&ft->rng, 90);
	u64 kind = umf_rng_below(&ft->rng, kinds);
	struct umf_rng rng = { .state = kind };
	u8 data[104] = {};

	put_unaligned_be16(types[umf_rng_below(&rng, 4)], data + 12);
	data[14] = 0x45;
	data[19] = umf_rng_below(&rng, 3) + 7;
	data[23] = protos[umf_rng_below(&rng, 3)];
	data[20] = protos[umf_rng_below(&rng, 3)];
	put_unaligned_be16(ports[umf_rng_below(&rng, 3)], data + 34);
	put_unaligned_be16(ports[umf_rng_below(&rng, 3)], data + 36);
	put_unaligned_be16(ports[umf_rng_below(&rng, 3)], data + 54);
	/* what differs from frame to frame, and some filters read */
	put_unaligned_be32(umf_rng_next(&ft->rng), data + 40);
	data[47] = umf_rng_below(&ft->rng, 4);
	__skb_trim(skb, 0);
	skb_put_data(skb, data, len);
}

static void no_filter_takes_what_its_flow_is_refused(struct kunit *test)
{
	struct sk_buff *skb = alloc_skb(256, GFP_KERNEL);
	struct flow_test *ft = new_flow_test(test);
	unsigned int i, k, kinds, refused = 0, none = 0, found;
	const unsigned long *bits;
	bool taken;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	for (i = 0; i < FRAMES; i++) {
		/* few kinds, that are found again, and many */
		kinds = i < FRAMES / 2 ? 3 : 100;
		fill_frame(ft, skb, kinds);
		local_bh_disable();
		rcu_read_lock();
		bits = umf_net_flows_refused(&ft->flows, &ft->plan, skb,
					     NULL);
		none += !bits;
		for (k = 0; bits && k < ARRAY_SIZE(filters); k++) {
			taken = umf_net_filter_match(&ft->filter[k], skb);
			if (test_bit(k, bits))
				KUNIT_EXPECT_FALSE_MSG(test, taken, "%s, frame %u",
						       filters[k].about, i);
			refused += test_bit(k, bits);
		}
		rcu_read_unlock();
		local_bh_enable();
	}
	/* there is something in it */
	found = FRAMES - none;
	kunit_info(test, "%u of %u frames found, %u filters for each\n", found,
		   FRAMES, refused / max(found, 1u));
	KUNIT_EXPECT_GT(test, found, FRAMES / 4);
	KUNIT_EXPECT_GT(test, refused, found * 4);
	kfree_skb(skb);
	end_flow_test(ft);
}

static void a_flow_ends_with_its_plan(struct kunit *test)
{
	struct sk_buff *skb = new_frame(test, false);
	struct flow_test *ft = new_flow_test(test);
	const unsigned long *bits;

	/* The other filters' rules are not of this direction. */
	ft->flows.dir = UMF_DIR_TX;
	local_bh_disable();
	rcu_read_lock();
	bits = umf_net_flows_refused(&ft->flows, &ft->plan, skb, NULL);
	KUNIT_EXPECT_TRUE(test, bits && !*bits);
	*umf_plan_set(&ft->plan, UMF_DIR_TX, UMF_PLAN_ALL) = 1;
	bits = umf_net_flows_refused(&ft->flows, &ft->plan, skb, NULL);
	KUNIT_EXPECT_TRUE(test, bits && !*bits);
	ft->plan.serial++;
	bits = umf_net_flows_refused(&ft->flows, &ft->plan, skb, NULL);
	KUNIT_EXPECT_TRUE(test, bits && *bits == 1);
	rcu_read_unlock();
	local_bh_enable();
	kfree_skb(skb);
	end_flow_test(ft);
}

/* Of a GSO frame, only what is the same in all segments tells. */
static void a_flow_of_segments_reads_what_they_share(struct kunit *test)
{
	struct sk_buff *skb = new_frame(test, false);
	struct flow_test *ft = new_flow_test(test);
	const unsigned long *bits;
	struct umf_net_gso gso;
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, umf_net_gso_look(skb, &gso));
	for (i = 0; i < ARRAY_SIZE(filters); i++) {
		*umf_plan_set(&ft->plan, UMF_DIR_RX, UMF_PLAN_ALL) = BIT(i);
		ft->plan.serial++;
		local_bh_disable();
		rcu_read_lock();
		bits = umf_net_flows_refused(&ft->flows, &ft->plan, skb,
					     &gso);
		KUNIT_EXPECT_EQ_MSG(test, bits && *bits, filters[i].sure4, "%s",
				    filters[i].about);
		rcu_read_unlock();
		local_bh_enable();
	}
	kfree_skb(skb);
	end_flow_test(ft);
}

static struct kunit_case net_filter_cases[] = {
	KUNIT_CASE(a_filter_says_the_same_of_all_segments),
	KUNIT_CASE(a_filter_is_as_sure_behind_tags),
	KUNIT_CASE(the_same_bytes_are_the_same),
	KUNIT_CASE(no_filter_takes_what_its_flow_is_refused),
	KUNIT_CASE(a_flow_ends_with_its_plan),
	KUNIT_CASE(a_flow_of_segments_reads_what_they_share),
	{}
};

static struct kunit_suite net_filter_suite = {
	.name = "umf_net_filter",
	.test_cases = net_filter_cases,
};

kunit_test_suite(net_filter_suite);
