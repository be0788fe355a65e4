// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/unaligned.h>
#include "fault/fault.h"
#include "net/fault/filter.h"

#define VLANS_MAX	2	/* what UMF_GSO_HEADERS has room for */

/* The next "code jt jf k"; the text after it, or NULL. */
static const char *parse_insn(const char *text, struct sock_filter *insn)
{
	unsigned int code, jt, jf, k;
	int end = 0;

	if (sscanf(text, "%u %u %u %u%n", &code, &jt, &jf, &k, &end) != 4 ||
	    code > U16_MAX || jt > U8_MAX || jf > U8_MAX)
		return NULL;
	*insn = (struct sock_filter){ code, jt, jf, k };
	return text + end;
}

int umf_net_filter_parse(struct umf_net_filter *filter, const char *text,
			 struct umf_reply *reply)
{
	struct sock_fprog_kern fprog = {};
	unsigned int i, len;
	int end = 0, err;

	if (sscanf(text, "%u%n", &len, &end) != 1 || !len || len > BPF_MAXINSNS)
		return umf_fail(reply, -EINVAL,
				"bpf: must begin with a count from 1 to %u",
				BPF_MAXINSNS);
	fprog.filter = kcalloc(len, sizeof(*fprog.filter), GFP_KERNEL);
	if (!fprog.filter)
		return umf_fail(reply, -ENOMEM, "out of memory");
	fprog.len = len;
	text += end;
	err = -EINVAL;
	for (i = 0; i < len; i++) {
		if (!*text || !strcmp(text, ",")) {
			umf_fail(reply, err, "bpf: %u instructions, not %u as its count says",
				 i, len);
			goto out;
		}
		if (*text != ',') {
			umf_fail(reply, err, "bpf: '%.20s' where a comma and instruction %u belong",
				 text, i + 1);
			goto out;
		}
		text = parse_insn(text + 1, &fprog.filter[i]);
		if (!text) {
			umf_fail(reply, err, "bpf: instruction %u is not 'code jt jf k' in range",
				 i + 1);
			goto out;
		}
	}
	if (!strcmp(text, ","))
		text++;
	if (*text) {
		umf_fail(reply, err, "bpf: '%.20s' stands after the %u instructions of its count",
			 text, len);
		goto out;
	}
	err = bpf_prog_create(&filter->prog, &fprog);
	if (err)
		umf_fail(reply, err, "bpf: the kernel rejects the program (error %d)",
			 err);
out:
	if (err)
		kfree(fprog.filter);
	else
		filter->insns = fprog.filter;
	return err;
}

void umf_net_filter_free(struct umf_net_filter *filter)
{
	if (!filter->prog)
		return;
	bpf_prog_destroy(filter->prog);
	kfree(filter->insns);
}

bool umf_net_filter_match(const struct umf_net_filter *filter,
			  const struct sk_buff *skb)
{
	return !filter->prog || bpf_prog_run(filter->prog, skb);
}

/* ---- what segments have in common ---- */

/* Where the network header is, behind all VLAN tags; 0: there is none. */
static unsigned int look_at_vlans(const struct sk_buff *skb, __be16 *proto,
				  struct umf_net_gso *gso)
{
	const struct vlan_hdr *vlan;
	unsigned int at = ETH_HLEN;
	struct vlan_hdr room;

	while (eth_type_vlan(*proto)) {
		vlan = skb_header_pointer(skb, at, sizeof(*vlan), &room);
		if (!vlan || at >= ETH_HLEN + VLANS_MAX * VLAN_HLEN)
			return 0;
		bitmap_set(gso->same, at, VLAN_HLEN);
		*proto = vlan->h_vlan_encapsulated_proto;
		at += VLAN_HLEN;
	}
	return at;
}

/* Each returns the header's bytes, or 0: not one of those that are known. */
static unsigned int look_at_ip(const struct sk_buff *skb, unsigned int at,
			       __be16 proto, struct umf_net_gso *gso, u8 *next)
{
	struct ipv6hdr room6;
	struct iphdr room4;
	const struct ipv6hdr *ip6;
	const struct iphdr *ip4;

	if (proto == htons(ETH_P_IP)) {
		ip4 = skb_header_pointer(skb, at, sizeof(*ip4), &room4);
		if (!ip4 || ip4->ihl < 5)
			return 0;
		*next = ip4->protocol;
		bitmap_set(gso->same, at, 4 * ip4->ihl);
		/* but length, identification, and the checksum of them */
		bitmap_clear(gso->same, at + 2, 4);
		bitmap_clear(gso->same, at + 10, 2);
		return 4 * ip4->ihl;
	}
	if (proto != htons(ETH_P_IPV6))
		return 0;
	ip6 = skb_header_pointer(skb, at, sizeof(*ip6), &room6);
	if (!ip6)
		return 0;
	*next = ip6->nexthdr;
	bitmap_set(gso->same, at, sizeof(*ip6));
	/* but the length */
	bitmap_clear(gso->same, at + 4, 2);
	return sizeof(*ip6);
}

static unsigned int look_at_transport(const struct sk_buff *skb,
				      unsigned int at, u8 proto,
				      struct umf_net_gso *gso)
{
	const struct tcphdr *tcp;
	struct tcphdr room;

	if (proto == IPPROTO_UDP) {
		bitmap_set(gso->same, at, 4);	/* the ports */
		return sizeof(struct udphdr);
	}
	tcp = skb_header_pointer(skb, at, sizeof(*tcp), &room);
	if (!tcp || tcp->doff < 5)
		return 0;
	bitmap_set(gso->same, at, 4 * tcp->doff);
	/* but sequence number, flags, checksum */
	bitmap_clear(gso->same, at + 4, 4);
	bitmap_clear(gso->same, at + 13, 1);
	bitmap_clear(gso->same, at + 16, 2);
	return 4 * tcp->doff;
}

bool umf_net_gso_look(const struct sk_buff *skb, struct umf_net_gso *gso)
{
	const struct skb_shared_info *info = skb_shinfo(skb);
	unsigned int type = info->gso_type, at, len;
	const struct ethhdr *eth;
	struct ethhdr room;
	__be16 l3;
	u8 proto = 0;

	type &= ~(SKB_GSO_DODGY | SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID);
	if ((type != SKB_GSO_TCPV4 && type != SKB_GSO_TCPV6 &&
	     type != SKB_GSO_UDP_L4) || !info->gso_size ||
	    skb_vlan_tag_present(skb))
		return false;
	bitmap_zero(gso->same, UMF_GSO_HEADERS);
	eth = skb_header_pointer(skb, 0, sizeof(*eth), &room);
	if (!eth)
		return false;
	bitmap_set(gso->same, 0, ETH_HLEN);
	l3 = eth->h_proto;
	at = look_at_vlans(skb, &l3, gso);
	if (!at)
		return false;
	len = look_at_ip(skb, at, l3, gso, &proto);
	if (!len ||
	    proto != (type == SKB_GSO_UDP_L4 ? IPPROTO_UDP : IPPROTO_TCP))
		return false;
	at += len;
	len = look_at_transport(skb, at, proto, gso);
	if (!len || skb->len <= at + len)
		return false;
	gso->segs = DIV_ROUND_UP(skb->len - at - len, info->gso_size);
	return true;
}

/* ---- filters on the whole ---- */

/* A classic BPF machine that stops at what it may not read. */
struct machine {
	const struct sk_buff *skb;
	const unsigned long *may;	/* NULL: all headers */
	unsigned long *read;		/* NULL, or takes what it has read */
	u32 a, x;
	u32 mem[BPF_MEMWORDS];
};

static bool load(struct machine *m, u32 at, u16 size, u32 *to)
{
	unsigned int len = size == BPF_B ? 1 : size == BPF_H ? 2 : 4;
	const u8 *from;
	u8 room[4];

	if (at >= UMF_GSO_HEADERS - 4 ||
	    (m->may && find_next_zero_bit(m->may, at + len, at) < at + len))
		return false;
	from = skb_header_pointer(m->skb, at, len, room);
	if (!from)
		return false;
	if (m->read)
		bitmap_set(m->read, at, len);
	*to = len == 1 ? *from : len == 2 ? get_unaligned_be16(from) :
	      get_unaligned_be32(from);
	return true;
}

static bool compute(struct machine *m, u16 op, u32 by)
{
	switch (op) {
	case BPF_ADD:
		m->a += by;
		return true;
	case BPF_SUB:
		m->a -= by;
		return true;
	case BPF_MUL:
		m->a *= by;
		return true;
	case BPF_AND:
		m->a &= by;
		return true;
	case BPF_OR:
		m->a |= by;
		return true;
	case BPF_XOR:
		m->a ^= by;
		return true;
	case BPF_LSH:
		m->a <<= by & 31;
		return true;
	case BPF_RSH:
		m->a >>= by & 31;
		return true;
	case BPF_NEG:
		m->a = -m->a;
		return true;
	default:
		return false;
	}
}

static bool compare(const struct machine *m, u16 op, u32 with)
{
	switch (op) {
	case BPF_JEQ:
		return m->a == with;
	case BPF_JGT:
		return m->a > with;
	case BPF_JGE:
		return m->a >= with;
	default:
		return m->a & with;	/* BPF_JSET */
	}
}

/* One instruction that is no jump and no return; false: it cannot be told. */
static bool step(struct machine *m, const struct sock_filter *insn)
{
	u32 by;

	switch (insn->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
		return load(m, insn->k, BPF_SIZE(insn->code), &m->a);
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
		return load(m, m->x + insn->k, BPF_SIZE(insn->code), &m->a);
	case BPF_LDX | BPF_B | BPF_MSH:
		if (!load(m, insn->k, BPF_B, &m->x))
			return false;
		m->x = (m->x & 15) * 4;
		return true;
	case BPF_LD | BPF_IMM:
		m->a = insn->k;
		return true;
	case BPF_LDX | BPF_IMM:
		m->x = insn->k;
		return true;
	case BPF_LD | BPF_MEM:
		m->a = m->mem[insn->k];
		return true;
	case BPF_LDX | BPF_MEM:
		m->x = m->mem[insn->k];
		return true;
	case BPF_ST:
		m->mem[insn->k] = m->a;
		return true;
	case BPF_STX:
		m->mem[insn->k] = m->x;
		return true;
	case BPF_MISC | BPF_TAX:
		m->x = m->a;
		return true;
	case BPF_MISC | BPF_TXA:
		m->a = m->x;
		return true;
	default:
		if (BPF_CLASS(insn->code) != BPF_ALU)
			return false;
		by = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;
		return compute(m, BPF_OP(insn->code), by);
	}
}

/*
 * Does the machine come to refuse? The kernel has checked the program: it ends,
 * and stays within its bounds.
 */
static bool refuses(struct machine *m, const struct sock_filter *insn)
{
	for (;; insn++) {
		switch (BPF_CLASS(insn->code)) {
		case BPF_RET:
			return !(BPF_RVAL(insn->code) == BPF_A ? m->a : insn->k);
		case BPF_JMP:
			if (BPF_OP(insn->code) == BPF_JA)
				insn += insn->k;
			else if (compare(m, BPF_OP(insn->code),
					 BPF_SRC(insn->code) == BPF_X ? m->x :
					 insn->k))
				insn += insn->jt;
			else
				insn += insn->jf;
			break;
		default:
			if (!step(m, insn))
				return false;
		}
	}
}

bool umf_net_filter_excludes(const struct umf_net_filter *filter,
			     const struct sk_buff *skb,
			     const struct umf_net_gso *gso)
{
	struct machine m = { .skb = skb, .may = gso->same };

	return filter->prog && refuses(&m, filter->insns);
}

bool umf_net_filter_refuses(const struct umf_net_filter *filter,
			    const struct sk_buff *skb,
			    unsigned long read[BITS_TO_LONGS(UMF_GSO_HEADERS)])
{
	DECLARE_BITMAP(own, UMF_GSO_HEADERS) = {};
	struct machine m = { .skb = skb, .read = own };

	if (!filter->prog || !refuses(&m, filter->insns))
		return false;
	bitmap_or(read, read, own, UMF_GSO_HEADERS);
	return true;
}
