// SPDX-License-Identifier: GPL-2.0
/*
 * What a verdict does to a frame.
 *
 * The fault core is asked about wire frames only: a GSO frame is segmented
 * first, in either direction, unless no rule can match any segment of it. It is
 * asked
 *
 *	rx: once for a frame, peer= is its source MAC;
 *	tx: once for a frame, of the rules without peer=; then, if there is any
 *	    rule with peer= (and not dir=rx), once for each port the frame goes
 *	    to, of those rules, peer= is that port's MAC.
 *
 * A frame's effects add up, in the order of the rules: it is corrupted or cut,
 * waits for one delay and rate after the other, then leaves together with its
 * copies; drop and hold end it, reorder spares it all waiting. Frames that wait
 * belong to one rule, the last rate or else the last delay, which counts them
 * against its limit:
 *
 *	delayed: until they are due, or their rule is deleted;
 *	held:    in the order they came, until their rule is out of force.
 *
 * Both end with the interface down. Levels are states of the interface: `down`
 * turns the carrier off and loses whatever would pass, `stall` stops the tx
 * queue, `link` is what ethtool is told; `partition`, a state of the segment, is
 * in net_partition.c, and `macflap`, which makes frames, in net_flap.c.
 */
#include <linux/bitops.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/slab.h>
#include <net/checksum.h>
#include <net/dst.h>
#include <net/gso.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include "net.h"
#include "net_filter.h"
#include "net_flow.h"

#define LIMIT_DEFAULT	1000
#define ALL_PORTS	-1
#define NOTE_BITS	4	/* flipped bits a capture's comment names */
#define FLOWS_FROM	4	/* filters, else each is asked */

/* What the core is asked about. */
struct umf_net_op {
	struct umf_op op;
	struct sk_buff *skb;
	const struct umf_net_gso *gso;	/* of umf_pass_all() */
	u64 peer;
};

/* A rule, compiled. */
struct umf_net_rule {
	struct umf_net_filter filter;
	bool per_port;
	/*
	 * For each direction, under umf_net_fault.lock. rate: when all that
	 * has come will have passed at that rate; order=keep: when the last
	 * frame is due.
	 */
	u64 last[2];
	u64 due;		/* macflap */
};

/* Where a frame is on its way; kept with it while it waits. */
struct umf_net_path {
	u64 due;		/* ns, monotonic */
	u32 rule;
	u32 gen;		/* of port */
	u32 segs;		/* of a GSO frame that passes whole */
	s16 port;		/* tx: ALL_PORTS before the switch */
	u8 dir;
	bool in_poll;
	bool reverse;		/* held: let go before those that came before */
};

/* How many frames wait for a rule. */
struct umf_net_wait {
	struct list_head list;
	u32 rule;
	u32 count;
};

static struct umf_net_path *path_of(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct umf_net_path) > sizeof(skb->cb));
	return (struct umf_net_path *)skb->cb;
}

static struct umf_net *net_of(struct umf_site *site)
{
	return container_of(site, struct umf_net, fault.site);
}

/* ---- rules ---- */

/* umf_op.key: a MAC, of which none is 0 */
static u64 peer_key(u64 mac)
{
	return mac | BIT_ULL(48);
}

static int fault_prepare(struct umf_rule *rule, struct umf_reply *reply)
{
	struct umf_net *net = net_of(rule->site);
	const struct umf_spec *spec = &rule->spec;
	struct umf_net_rule *own;
	int err;

	if (spec->action == UMF_A_PARTITION) {
		err = umf_net_partition_prepare(net, spec, reply);
		if (err)
			return err;
	}
	if (spec->action == UMF_A_MACFLAP) {
		err = umf_net_flap_prepare(spec, reply);
		if (err)
			return err;
	}
	own = kzalloc_obj(*own);
	if (!own)
		return umf_fail(reply, -ENOMEM, "out of memory");
	if (umf_has(spec, UMF_K_BPF)) {
		err = umf_net_filter_parse(&own->filter,
					   spec->val[UMF_K_BPF].text, reply);
		if (err) {
			kfree(own);
			return err;
		}
	}
	own->per_port = umf_has(spec, UMF_K_PEER) &&
			spec->action != UMF_A_MACFLAP &&
			umf_num(spec, UMF_K_DIR, UMF_DIR_TX) == UMF_DIR_TX;
	if (umf_has(spec, UMF_K_PEER))
		rule->key = peer_key(spec->val[UMF_K_PEER].a);
	if (own->per_port)
		atomic_inc(&net->fault.per_port);
	if (own->filter.prog)
		atomic_inc(&net->fault.filters);
	if (spec->action == UMF_A_PARTITION)
		atomic_inc(&net->fault.partitions);
	if (spec->action == UMF_A_MACFLAP)
		atomic_inc(&net->fault.flaps);
	rule->priv = own;
	return 0;
}

static void fault_release(struct umf_rule *rule)
{
	struct umf_net_rule *own = rule->priv;

	if (own->per_port)
		atomic_dec(&net_of(rule->site)->fault.per_port);
	if (own->filter.prog)
		atomic_dec(&net_of(rule->site)->fault.filters);
	if (rule->spec.action == UMF_A_PARTITION)
		atomic_dec(&net_of(rule->site)->fault.partitions);
	if (rule->spec.action == UMF_A_MACFLAP)
		atomic_dec(&net_of(rule->site)->fault.flaps);
	umf_net_filter_free(&own->filter);
	kfree(own);
}

u64 *umf_net_fault_due(const struct umf_rule *rule)
{
	return &((struct umf_net_rule *)rule->priv)->due;
}

static const struct umf_net_op *nop_of(const struct umf_op *op)
{
	return container_of_const(op, struct umf_net_op, op);
}

static const struct umf_net_filter *filter_of(const struct umf_rule *rule)
{
	const struct umf_net_rule *own = rule->priv;

	return own->filter.prog ? &own->filter : NULL;
}

static bool fault_match(const struct umf_rule *rule, const struct umf_op *op)
{
	const struct umf_net_rule *own = rule->priv;

	return umf_net_filter_match(&own->filter, nop_of(op)->skb);
}

static bool fault_excludes(const struct umf_rule *rule, const struct umf_op *op)
{
	const struct umf_net_op *nop = nop_of(op);
	const struct umf_net_rule *own = rule->priv;

	return umf_net_filter_excludes(&own->filter, nop->skb, nop->gso);
}

static const unsigned long *fault_refused(struct umf_site *site,
					  const struct umf_op *op,
					  const struct umf_plan *plan)
{
	struct umf_net_fault *fault = &net_of(site)->fault;
	const struct umf_net_op *nop = nop_of(op);

	if (atomic_read(&fault->filters) < FLOWS_FROM)
		return NULL;
	return umf_net_flows_refused(&fault->flows[op->dir], plan, nop->skb,
				     nop->gso);
}

/* ---- which bits ---- */

/*
 * Draws distinct bits of a frame, in no memory: bits= of them by a keyed
 * permutation, or each with probability ber=, 64 at a time.
 */
struct bit_draw {
	u64 first, total;
	u32 n, i;		/* how many in all, and so far */
	u64 key, shift;		/* bits= */
	unsigned int half;	/* bits in half a Feistel block */
	struct umf_rng rng;	/* ber= */
	u64 threshold;		/* of 2^64; U64_MAX: always */
	u64 word, at;		/* drawn and not yet told; the bit after these */
};

/* 64 bits, each set if a draw of its own is below @threshold. */
static u64 draw_word(struct umf_rng *rng, u64 threshold)
{
	u64 open = U64_MAX, set = 0, bit, r;

	if (threshold == U64_MAX)
		return U64_MAX;
	/* All draws at once, from their high bit on, until each is decided. */
	for (bit = BIT_ULL(63); bit && open; bit >>= 1) {
		r = umf_rng_next(rng);
		if (threshold & bit) {
			set |= open & ~r;
			open &= r;
		} else {
			open &= ~r;
		}
	}
	return set;
}

static void refill(struct bit_draw *draw)
{
	u64 left = draw->total - draw->at;

	draw->word = draw_word(&draw->rng, draw->threshold);
	if (left < 64)
		draw->word &= BIT_ULL(left) - 1;
	draw->at += 64;
}

static void ber_start(struct bit_draw *draw, u64 ppb, const struct umf_rng *rng)
{
	draw->threshold = ppb == UMF_PPB ? U64_MAX :
			  mul_u64_u64_div_u64(U64_MAX, ppb, UMF_PPB);
	draw->rng = *rng;
	while (draw->at < draw->total) {
		refill(draw);
		draw->n += hweight64(draw->word);
	}
	draw->rng = *rng;
	draw->word = 0;
	draw->at = 0;
}

static void bits_start(struct bit_draw *draw, const struct umf_spec *spec,
		       struct umf_rng *rng, u64 len)
{
	u64 first = 0, last = len - 1;

	memset(draw, 0, sizeof(*draw));
	if (umf_has(spec, UMF_K_OFFSET)) {
		first = spec->val[UMF_K_OFFSET].a;
		last = min(last, spec->val[UMF_K_OFFSET].b);
	}
	if (!len || first > last)
		return;
	draw->first = first * 8;
	draw->total = (last - first + 1) * 8;
	if (umf_has(spec, UMF_K_BER)) {
		ber_start(draw, spec->val[UMF_K_BER].a, rng);
		return;
	}
	draw->key = umf_rng_next(rng);
	draw->shift = umf_rng_below(rng, draw->total);
	draw->half = (fls64(draw->total - 1) + 1) / 2;
	draw->n = min(umf_num(spec, UMF_K_BITS, 1), draw->total);
}

/* The next of n, counted from the frame's first byte, its low bit first. */
static u64 bits_next(struct bit_draw *draw)
{
	u64 mask = BIT_ULL(draw->half) - 1, left, right, x = draw->i++;
	int round;

	if (!draw->half) {
		while (!draw->word)
			refill(draw);
		x = draw->at - 64 + __ffs64(draw->word);
		draw->word &= draw->word - 1;
		return draw->first + x;
	}

	do {
		left = x >> draw->half;
		right = x & mask;
		for (round = 0; round < 4; round++) {
			u64 f = umf_mix64(draw->key + (u64)round * 0x9e3779b9 +
					  (right << 3)) & mask;

			swap(left, right);
			right ^= f;
		}
		x = left << draw->half | right;
	} while (x >= draw->total);
	x += draw->shift;
	if (x >= draw->total)
		x -= draw->total;
	return draw->first + x;
}

static void fault_describe(const struct umf_op *op,
			   const struct umf_effect *effect, char *buf,
			   size_t len)
{
	const struct umf_net_op *nop = nop_of(op);
	const struct sk_buff *skb = nop->skb;
	struct umf_rng rng = effect->rng;
	struct bit_draw draw;
	struct ethhdr eth;
	u32 i;
	int n;

	if (skb_copy_bits(skb, 0, &eth, sizeof(eth)))
		return;
	n = scnprintf(buf, len, "%s %zu bytes %pM>%pM 0x%04x",
		      op->dir == UMF_DIR_TX ? "tx" : "rx", op->len,
		      eth.h_source, eth.h_dest, ntohs(eth.h_proto));
	if (op->keyed) {
		u64_to_ether_addr(nop->peer, eth.h_dest);
		n += scnprintf(buf + n, len - n, " to %pM", eth.h_dest);
	}
	switch (effect->action) {
	case UMF_A_CORRUPT:
		bits_start(&draw, effect->spec, &rng, op->len);
		if (!draw.n)
			scnprintf(buf + n, len - n, " none%s",
				  draw.total ? "" : ", offset is beyond");
		for (i = 0; i < draw.n; i++) {
			/* The last ones it has no room for: "…,+12" */
			if (len - n < 16 && i + 1 < draw.n) {
				scnprintf(buf + n, len - n, ",+%u", draw.n - i);
				break;
			}
			n += scnprintf(buf + n, len - n, "%s%llu",
				       i ? "," : " bits ", bits_next(&draw));
		}
		break;
	case UMF_A_TRUNCATE:
		scnprintf(buf + n, len - n, " to %llu bytes",
			  min_t(u64, op->len,
				umf_num(effect->spec, UMF_K_LEN, 0)));
		break;
	case UMF_A_DUP:
		scnprintf(buf + n, len - n, " copies %llu",
			  umf_num(effect->spec, UMF_K_COPIES, 1));
		break;
	case UMF_A_DELAY:
		scnprintf(buf + n, len - n, " %lluns", effect->arg);
		break;
	default:
		break;
	}
}

/* ---- checksums, for csum=fix ---- */

/* Where a frame's checksums are; 0: there is none. */
struct csum_at {
	unsigned int ip;	/* IPv4 header */
	unsigned int ihl;
	unsigned int ip6;
	unsigned int l4, end;	/* what the other sums up */
	unsigned int field;	/* and where it stands */
	u8 proto;
};

static void find_l4(struct sk_buff *skb, struct csum_at *at)
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

/* Of a frame that is not yet corrupted; linear. */
static void find_csums(struct sk_buff *skb, struct csum_at *at)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;
	unsigned int l3 = ETH_HLEN, len;
	__be16 proto = eth->h_proto;
	const struct ipv6hdr *ip6;
	const struct iphdr *ip;
	__be16 frag = 0;
	int l4;

	memset(at, 0, sizeof(*at));
	while (eth_type_vlan(proto) && skb->len >= l3 + VLAN_HLEN) {
		proto = *(__be16 *)(skb->data + l3 + 2);
		l3 += VLAN_HLEN;
	}
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

static void fix_csums(struct sk_buff *skb, const struct csum_at *at)
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

/* The frame with bits flipped, or NULL (and no frame) without memory. */
static struct sk_buff *corrupt(struct sk_buff *skb,
			       const struct umf_effect *effect)
{
	bool fix = umf_num(effect->spec, UMF_K_CSUM, UMF_CSUM_KEEP);
	struct umf_rng rng = effect->rng;
	struct bit_draw draw;
	struct sk_buff *copy;
	struct csum_at at;
	u64 bit;
	u32 i;

	bits_start(&draw, effect->spec, &rng, skb->len);
	if (!draw.n)
		return skb;
	/* Checksums as sent, so that the receiver sees them fail. */
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		goto drop;
	if (skb_cloned(skb) || skb_is_nonlinear(skb)) {
		copy = skb_copy(skb, GFP_ATOMIC);
		if (!copy)
			goto drop;
		consume_skb(skb);
		skb = copy;
	}
	skb->ip_summed = CHECKSUM_NONE;
	if (fix)
		find_csums(skb, &at);
	for (i = 0; i < draw.n; i++) {
		bit = bits_next(&draw);
		skb->data[bit / 8] ^= 1 << bit % 8;
	}
	if (fix)
		fix_csums(skb, &at);
	return skb;
drop:
	kfree_skb(skb);
	return NULL;
}

/* The same for its first bytes. */
static struct sk_buff *truncate(struct sk_buff *skb,
				const struct umf_effect *effect)
{
	unsigned int len = umf_num(effect->spec, UMF_K_LEN, skb->len);

	if (skb->len <= len)
		return skb;
	if ((skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb)) ||
	    pskb_trim(skb, len)) {
		kfree_skb(skb);
		return NULL;
	}
	skb->ip_summed = CHECKSUM_NONE;
	return skb;
}

/* ---- counts ---- */

static void acted(struct umf_net *net, int dir, int action)
{
	atomic_long_inc(&net->fault.acted[dir][action]);
}

/* Does it do anything to single frames? */
static bool is_counted(int action)
{
	return action == UMF_A_MAX || action == UMF_A_DOWN ||
	       ((umf_actions[action].classes & UMF_CLASS_NET) &&
		!(umf_actions[action].flags & UMF_AF_LEVEL));
}

int umf_net_fault_stats_len(void)
{
	int action, n = 0;

	for (action = 0; action <= UMF_A_MAX; action++)
		n += is_counted(action);
	return 2 * n;
}

void umf_net_fault_strings(u8 **buf)
{
	int dir, action;

	for (dir = UMF_DIR_RX; dir <= UMF_DIR_TX; dir++)
		for (action = 0; action <= UMF_A_MAX; action++)
			if (is_counted(action))
				ethtool_sprintf(buf, "%s_fault_%s",
						dir == UMF_DIR_RX ? "rx" : "tx",
						action == UMF_A_MAX ? "limit" :
						umf_actions[action].name);
}

void umf_net_fault_stats(struct umf_net *net, u64 *buf)
{
	int dir, action;

	for (dir = UMF_DIR_RX; dir <= UMF_DIR_TX; dir++)
		for (action = 0; action <= UMF_A_MAX; action++)
			if (is_counted(action))
				*buf++ = atomic_long_read(&net->fault.acted[dir][action]);
}

/* ---- what a capture says of it ---- */

static void note_bits(struct umf_note *note, const struct umf_effect *effect,
		      u32 len)
{
	struct umf_rng rng = effect->rng;
	struct bit_draw draw;
	u64 bit;
	u32 i;

	bits_start(&draw, effect->spec, &rng, len);
	if (!draw.n)
		umf_note_more(note, " nothing");
	for (i = 0; i < draw.n; i++) {
		if (i == NOTE_BITS) {
			umf_note_more(note, ", and %u more", draw.n - i);
			break;
		}
		bit = bits_next(&draw);
		umf_note_more(note, "%s bit %llu at offset %llu", i ? "," : "",
			      bit % 8, bit / 8);
	}
}

/* Before it is done to the frame. */
static void note_effect(struct umf_note *note, const struct umf_effect *effect,
			u32 len)
{
	const struct umf_spec *spec = effect->spec;

	umf_note_effect(note, effect);
	switch (effect->action) {
	case UMF_A_CORRUPT:
		note_bits(note, effect, len);
		break;
	case UMF_A_TRUNCATE:
		umf_note_more(note, " %u to %llu bytes", len,
			      min_t(u64, len, umf_num(spec, UMF_K_LEN, len)));
		break;
	case UMF_A_DUP:
		umf_note_more(note, " copies %llu",
			      umf_num(spec, UMF_K_COPIES, 1));
		break;
	case UMF_A_DELAY:
		umf_note_time(note, effect->arg);
		break;
	default:
		break;
	}
}

/* Takes down what became of a frame; not if the rules did nothing apart. */
static void capture(struct umf_net *net, const struct sk_buff *skb,
		    const struct umf_net_path *path, struct umf_note *note)
{
	u8 mac[ETH_ALEN];

	if (!umf_net_capturing(net))
		return;
	if (path->port != ALL_PORTS) {
		if (!note->len)
			return;
		u64_to_ether_addr(umf_segment_mac(net->seg, path->port), mac);
		umf_note(note, "to %pM", mac);
	}
	umf_net_capture(net, skb, path->dir, note->len ? note->text : NULL);
}

static void visit_down(const struct umf_rule *rule, void *data)
{
	struct umf_note *note = data;

	if (rule->spec.action == UMF_A_DOWN && !note->len)
		umf_note(note, "down %s", rule->spec.val[UMF_K_ID].text);
}

/* Frees a frame that goes no further, whatever the rules for it said. */
static void lose(struct umf_net *net, struct sk_buff *skb,
		 const struct umf_net_path *path, const char *why)
{
	struct umf_note note = {};

	if (READ_ONCE(net->fault.down))
		acted(net, path->dir, UMF_A_DOWN);
	if (umf_net_capturing(net)) {
		if (READ_ONCE(net->fault.down))
			umf_site_visit_levels(&net->fault.site, visit_down,
					      &note);
		if (!note.len)
			umf_note(&note, "%s", why);
		umf_note_more(&note, ": dropped");
		capture(net, skb, path, &note);
	}
	kfree_skb(skb);
}

/* ---- frames that wait ---- */

static struct umf_net_wait *wait_find(struct umf_net_fault *fault, u32 rule)
{
	struct umf_net_wait *wait;

	list_for_each_entry(wait, &fault->waits, list)
		if (wait->rule == rule)
			return wait;
	return NULL;
}

/* One more frame waits for that rule, unless its limit is reached. */
static bool wait_get(struct umf_net_fault *fault, u32 rule, u64 limit)
{
	struct umf_net_wait *wait = wait_find(fault, rule);

	if (!wait) {
		wait = kzalloc_obj(*wait, GFP_ATOMIC);
		if (!wait)
			return false;
		wait->rule = rule;
		list_add(&wait->list, &fault->waits);
	}
	if (wait->count >= limit)
		return false;
	wait->count++;
	return true;
}

static void wait_put(struct umf_net_fault *fault, u32 rule)
{
	struct umf_net_wait *wait = wait_find(fault, rule);

	if (wait && !--wait->count) {
		list_del(&wait->list);
		kfree(wait);
	}
}

static bool due_before(struct rb_node *a, const struct rb_node *b)
{
	return path_of(rb_to_skb(a))->due < path_of(rb_to_skb(b))->due;
}

static void start_timer(struct umf_net_fault *fault)
{
	struct rb_node *first = rb_first(&fault->delayed);

	if (first)
		hrtimer_start(&fault->timer,
			      ns_to_ktime(path_of(rb_to_skb(first))->due),
			      HRTIMER_MODE_ABS_SOFT);
}

/* From the tree onto a list; for the lock's holder. */
static void undelay(struct umf_net *net, struct sk_buff *skb,
		    struct sk_buff_head *out)
{
	rb_erase(&skb->rbnode, &net->fault.delayed);
	/* the node lay over these */
	skb->next = NULL;
	skb->prev = NULL;
	skb->dev = net->dev;
	wait_put(&net->fault, path_of(skb)->rule);
	__skb_queue_tail(out, skb);
}

/* Room for one frame more that waits for that rule; keep() uses it. */
static bool reserve(struct umf_net *net, u32 rule, u64 limit)
{
	struct umf_net_fault *fault = &net->fault;
	bool room;

	spin_lock_bh(&fault->lock);
	room = fault->open && wait_get(fault, rule, limit);
	spin_unlock_bh(&fault->lock);
	return room;
}

/* Lets a frame wait: until path.due, or held when that is 0. */
static void keep(struct umf_net *net, struct sk_buff *skb,
		 const struct umf_net_path *path)
{
	struct umf_net_fault *fault = &net->fault;

	/* It may wait for long: let go of what is not ours. */
	skb_orphan(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	*path_of(skb) = *path;
	path_of(skb)->in_poll = false;

	spin_lock_bh(&fault->lock);
	if (!fault->open) {
		wait_put(fault, path->rule);
		spin_unlock_bh(&fault->lock);
		kfree_skb(skb);
		return;
	}
	if (path->due) {
		rb_add(&skb->rbnode, &fault->delayed, due_before);
		if (rb_first(&fault->delayed) == &skb->rbnode)
			start_timer(fault);
	} else {
		__skb_queue_tail(&fault->held, skb);
	}
	spin_unlock_bh(&fault->lock);
}

/* ---- verdicts ---- */

static void pass(struct umf_net *net, struct sk_buff *skb,
		 const struct umf_net_path *path);

static void pass_copies(struct umf_net *net, struct sk_buff *skb,
			const struct umf_net_path *path, u32 copies)
{
	struct sk_buff *copy;

	for (; copies; copies--) {
		copy = skb_clone(skb, GFP_ATOMIC);
		if (copy)
			pass(net, copy, path);
	}
	pass(net, skb, path);
}

/* There is room for the frame itself; for a copy if there is. */
static void keep_copies(struct umf_net *net, struct sk_buff *skb,
			const struct umf_net_path *path, u64 limit, u32 copies)
{
	struct sk_buff *copy;

	for (; copies; copies--) {
		copy = skb_clone(skb, GFP_ATOMIC);
		if (copy && reserve(net, path->rule, limit)) {
			keep(net, copy, path);
			continue;
		}
		acted(net, path->dir, UMF_A_MAX);
		kfree_skb(copy);
	}
	keep(net, skb, path);
}

static struct umf_net_rule *own_of(const struct umf_effect *effect)
{
	return container_of(effect->spec, struct umf_rule, spec)->priv;
}

static bool waits_for(struct umf_net_fault *fault, u32 rule, u64 limit)
{
	struct umf_net_wait *wait = wait_find(fault, rule);

	return wait && wait->count >= limit;
}

/* When a frame that comes at @now passes a rule with order=keep. */
static u64 keep_order(const struct umf_effect *effect,
		      const struct umf_net_path *path, u64 now)
{
	u64 *last = &own_of(effect)->last[path->dir];

	*last = max(*last, now);
	return *last;
}

/*
 * When a frame that comes at @now passes a rate. Each takes the time that its
 * bytes take at that rate; a bucket lets so many pass before theirs is over.
 */
static u64 keep_rate(const struct umf_effect *effect,
		     const struct umf_net_path *path, unsigned int len, u64 now)
{
	u64 rate = umf_num(effect->spec, UMF_K_RATE, 1);
	u64 bucket = umf_num(effect->spec, UMF_K_BUCKET, 0);
	u64 *last = &own_of(effect)->last[path->dir];

	*last = max(*last, now) +
		mul_u64_u64_div_u64(len * 8ULL, NSEC_PER_SEC, rate);
	bucket = mul_u64_u64_div_u64(bucket * 8, NSEC_PER_SEC, rate);
	return max(now, *last - min(*last, bucket));
}

/*
 * What the frame has to wait for: path->rule and path->due, or nothing and no
 * due time. False when the rule has no room for it.
 */
static bool queue_up(struct umf_net *net, const struct umf_verdict *verdict,
		     struct umf_net_path *path, unsigned int len, u64 *limit)
{
	struct umf_net_fault *fault = &net->fault;
	u64 now = ktime_get_ns(), due = now;
	bool behind = false, room = true, rate = false, overtakes = false;
	unsigned int i;

	path->rule = 0;
	spin_lock_bh(&fault->lock);
	for (i = 0; i < verdict->n; i++) {
		const struct umf_effect *effect = &verdict->effect[i];
		const struct umf_spec *spec = effect->spec;
		bool in_order = effect->action == UMF_A_RATE ||
				umf_num(spec, UMF_K_ORDER, UMF_ORDER_FREE);

		if (effect->action == UMF_A_REORDER)
			overtakes = true;
		if (effect->action != UMF_A_RATE &&
		    (effect->action != UMF_A_DELAY ||
		     (!effect->arg && !in_order)))
			continue;
		if (effect->action == UMF_A_RATE || !rate) {
			path->rule = effect->rule;
			*limit = umf_num(spec, UMF_K_LIMIT, LIMIT_DEFAULT);
		}
		if (effect->action == UMF_A_RATE) {
			rate = true;
			room = !waits_for(fault, effect->rule, *limit);
			if (!room)
				break;
			due = keep_rate(effect, path, len, due);
		} else {
			due += effect->arg;
			if (in_order)
				due = keep_order(effect, path, due);
		}
		/* Timers are late: a frame in order stays behind those due. */
		behind = behind || (in_order &&
				    waits_for(fault, effect->rule, 1));
	}
	spin_unlock_bh(&fault->lock);
	path->due = !overtakes && (due > now || behind) ? due : 0;
	return overtakes || room;
}

/* Consumes the frame. In an RCU section, as umf_decide() wants it. */
static void apply(struct umf_net *net, struct sk_buff *skb,
		  const struct umf_verdict *verdict, struct umf_net_path path)
{
	bool noted = umf_net_capturing(net);
	bool timed = false, rate = false, hold = false;
	u64 limit = 0, now = ktime_get_ns();
	struct umf_note note;
	u32 copies = 0;
	unsigned int i;

	note.len = 0;
	path.due = 0;
	for (i = 0; i < verdict->n; i++) {
		const struct umf_effect *effect = &verdict->effect[i];

		if (noted)
			note_effect(&note, effect, skb->len);
		acted(net, path.dir, effect->action);
		switch (effect->action) {
		case UMF_A_DROP:
			capture(net, skb, &path, &note);
			kfree_skb(skb);
			return;
		case UMF_A_HOLD:
			path.rule = effect->rule;
			path.reverse = umf_num(effect->spec, UMF_K_RELEASE,
					       UMF_RELEASE_ORDER);
			limit = umf_num(effect->spec, UMF_K_LIMIT,
					LIMIT_DEFAULT);
			hold = true;
			break;
		case UMF_A_CORRUPT:
			skb = corrupt(skb, effect);
			break;
		case UMF_A_TRUNCATE:
			skb = truncate(skb, effect);
			break;
		case UMF_A_DUP:
			copies += umf_num(effect->spec, UMF_K_COPIES, 1);
			break;
		case UMF_A_RATE:
			rate = true;
			fallthrough;
		case UMF_A_DELAY:
			timed = true;
			break;
		default:
			break;
		}
		if (!skb)
			return;
	}
	if ((!hold && timed &&
	     !queue_up(net, verdict, &path, skb->len, &limit)) ||
	    ((hold || path.due) && !reserve(net, path.rule, limit))) {
		if (noted)
			umf_note_more(&note, ": no room, dropped");
		acted(net, path.dir, UMF_A_MAX);
		capture(net, skb, &path, &note);
		kfree_skb(skb);
		return;
	}
	if (noted && rate && path.due) {
		umf_note(&note, "waits");
		umf_note_time(&note, max(path.due, now) - now);
	}
	capture(net, skb, &path, &note);
	if (hold || path.due)
		keep_copies(net, skb, &path, limit, copies);
	else
		pass_copies(net, skb, &path, copies);
}

static struct umf_net_op net_op(const struct umf_net_path *path,
				struct sk_buff *skb, u64 peer)
{
	bool per_port = path->port != ALL_PORTS;

	return (struct umf_net_op){
		.op = {
			.dir = path->dir,
			.len = skb->len,
			.key = path->dir == UMF_DIR_RX || per_port ?
			       peer_key(peer) : 0,
			.keyed = per_port,
		},
		.skb = skb,
		.peer = peer,
	};
}

static void decide(struct umf_net *net, struct sk_buff *skb, u64 peer,
		   const struct umf_net_path *path)
{
	struct umf_net_op nop = net_op(path, skb, peer);
	struct umf_verdict verdict;

	if (READ_ONCE(net->fault.down)) {
		lose(net, skb, path, "interface down");
		return;
	}
	rcu_read_lock();
	verdict = umf_decide(&net->fault.site, &nop.op);
	apply(net, skb, &verdict, *path);
	rcu_read_unlock();
}

/*
 * Is no segment of it lost without carrier, nor matched by a rule? Then they
 * are counted.
 */
static bool passes_whole(struct umf_net *net, struct sk_buff *skb, u64 peer,
			 struct umf_net_path *path)
{
	struct umf_net_op nop = net_op(path, skb, peer);
	struct umf_net_gso gso;
	bool whole;

	if (READ_ONCE(net->fault.down) || !umf_net_gso_look(skb, &gso))
		return false;
	nop.gso = &gso;
	path->segs = gso.segs;
	rcu_read_lock();
	whole = umf_pass_all(&net->fault.site, &nop.op, gso.segs);
	rcu_read_unlock();
	return whole;
}

static void decide_each(struct umf_net *net, struct sk_buff *skb, u64 peer,
			struct umf_net_path *path)
{
	struct sk_buff *segs, *next;
	struct umf_note note;

	if (!skb_is_gso(skb)) {
		decide(net, skb, peer, path);
		return;
	}
	if (passes_whole(net, skb, peer, path)) {
		note.len = 0;
		capture(net, skb, path, &note);
		pass(net, skb, path);
		return;
	}
	/* As they would be on a wire: checksums done. */
	segs = __skb_gso_segment(skb, 0, path->dir == UMF_DIR_TX);
	if (IS_ERR_OR_NULL(segs)) {
		lose(net, skb, path, "cannot be segmented");
		return;
	}
	consume_skb(skb);
	skb_list_walk_safe(segs, skb, next) {
		skb_mark_not_on_list(skb);
		decide(net, skb, peer, path);
	}
}

/*
 * Is no rule for single receivers to be asked about this one? That is counted
 * as if each had said no.
 */
static bool is_unasked(struct umf_net *net, struct sk_buff *skb, u64 peer,
		       const struct umf_net_path *path)
{
	struct umf_net_op nop = net_op(path, skb, peer);
	unsigned int n = skb_is_gso(skb) ? path->segs : 1;
	bool unasked;

	if (READ_ONCE(net->fault.down) || !n)
		return false;
	rcu_read_lock();
	unasked = umf_pass_unasked(&net->fault.site, &nop.op, n);
	rcu_read_unlock();
	return unasked;
}

/* The switch, and the rules for single receivers. */
static void switch_frame(struct umf_net *net, struct sk_buff *skb,
			 const struct umf_net_path *path)
{
	u64 ports = umf_net_route(net, skb), plain = 0, peer;
	struct umf_net_path to = *path;
	struct sk_buff *copy;

	if (!atomic_read(&net->fault.per_port)) {
		umf_net_send(net, skb, ports);
		return;
	}
	for (; ports; ports &= ports - 1) {
		to.port = __ffs64(ports);
		peer = umf_segment_mac(net->seg, to.port);
		if (is_unasked(net, skb, peer, &to)) {
			plain |= BIT_ULL(to.port);
			continue;
		}
		to.gen = umf_net_port_gen(net, to.port);
		copy = skb_clone(skb, GFP_ATOMIC);
		if (copy)
			decide_each(net, copy, peer, &to);
	}
	if (plain)
		umf_net_send(net, skb, plain);
	else
		consume_skb(skb);
}

/* On its way again, after the verdict or after waiting. BH off. */
static void pass(struct umf_net *net, struct sk_buff *skb,
		 const struct umf_net_path *path)
{
	if (READ_ONCE(net->fault.down) || !READ_ONCE(net->fault.open))
		lose(net, skb, path, "interface down");
	else if (path->dir == UMF_DIR_RX)
		umf_net_receive(net, skb, path->in_poll);
	else if (path->port == ALL_PORTS)
		switch_frame(net, skb, path);
	else if (path->gen == umf_net_port_gen(net, path->port))
		umf_net_send(net, skb, BIT_ULL(path->port));
	else
		lose(net, skb, path, "its port has left");
}

static void pass_list(struct umf_net *net, struct sk_buff_head *list)
{
	struct umf_net_path path;
	struct sk_buff *skb;

	local_bh_disable();
	while ((skb = __skb_dequeue(list))) {
		path = *path_of(skb);
		pass(net, skb, &path);
	}
	local_bh_enable();
}

/* ---- the two ways in; BH off ---- */

static void fault_frame(struct umf_net *net, struct sk_buff *skb,
			struct umf_net_path *path)
{
	u64 peer = 0;

	if (path->dir == UMF_DIR_RX)
		peer = ether_addr_to_u64(skb->data + ETH_ALEN);
	decide_each(net, skb, peer, path);
}

void umf_net_fault_tx(struct umf_net *net, struct sk_buff *skb)
{
	struct umf_net_path path = { .dir = UMF_DIR_TX, .port = ALL_PORTS };

	fault_frame(net, skb, &path);
}

void umf_net_fault_rx(struct umf_net *net, struct sk_buff *skb)
{
	struct umf_net_path path = {
		.dir = UMF_DIR_RX,
		.port = ALL_PORTS,
		.in_poll = true,
	};

	/* What filters and segmentation look at. */
	skb->dev = net->dev;
	skb->protocol = eth_hdr(skb)->h_proto;
	if (!eth_proto_is_802_3(skb->protocol))
		skb->protocol = htons(ETH_P_802_2);
	skb_set_network_header(skb, ETH_HLEN);
	fault_frame(net, skb, &path);
}

/* ---- waiting ends ---- */

static enum hrtimer_restart delay_timer(struct hrtimer *timer)
{
	struct umf_net_fault *fault = container_of(timer, struct umf_net_fault,
						   timer);
	struct umf_net *net = container_of(fault, struct umf_net, fault);
	u64 now = ktime_get_ns();
	struct sk_buff_head due;
	struct rb_node *first;

	__skb_queue_head_init(&due);
	spin_lock_bh(&fault->lock);
	while ((first = rb_first(&fault->delayed)) &&
	       path_of(rb_to_skb(first))->due <= now)
		undelay(net, rb_to_skb(first), &due);
	start_timer(fault);
	spin_unlock_bh(&fault->lock);
	pass_list(net, &due);
	return HRTIMER_NORESTART;
}

static void visit_link(const struct umf_rule *rule, void *data)
{
	struct umf_net_fault *fault = data;

	if (rule->spec.action != UMF_A_LINK)
		return;
	if (umf_has(&rule->spec, UMF_K_RATE))
		fault->speed = div_u64(rule->spec.val[UMF_K_RATE].a, 1000000);
	if (umf_has(&rule->spec, UMF_K_DUPLEX))
		fault->duplex = rule->spec.val[UMF_K_DUPLEX].a ? DUPLEX_FULL :
							  DUPLEX_HALF;
}

static void set_levels(struct umf_net *net)
{
	struct umf_net_fault *fault = &net->fault;
	u32 speed = fault->speed;
	u8 duplex = fault->duplex;

	lockdep_assert_held(&fault->lock);
	fault->down = umf_site_level(&fault->site, UMF_A_DOWN);
	fault->speed = UMF_NET_SPEED;
	fault->duplex = DUPLEX_FULL;
	umf_site_visit_levels(&fault->site, visit_link, fault);
	umf_net_stall(net, umf_site_level(&fault->site, UMF_A_STALL));
	if (!fault->open)
		return;
	if (fault->down)
		netif_carrier_off(net->dev);
	else
		netif_carrier_on(net->dev);
	/* As after negotiation: who asked before asks again. */
	if (fault->speed != speed || fault->duplex != duplex)
		netif_carrier_event(net->dev);
}

void umf_net_fault_link(struct umf_net *net, u32 *speed, u8 *duplex)
{
	*speed = READ_ONCE(net->fault.speed);
	*duplex = READ_ONCE(net->fault.duplex);
}

static void fault_update(struct umf_site *site)
{
	struct umf_net *net = net_of(site);
	struct umf_net_fault *fault = &net->fault;
	struct sk_buff_head out, reversed;
	struct sk_buff *skb, *next_skb;
	struct rb_node *node, *next;

	__skb_queue_head_init(&out);
	__skb_queue_head_init(&reversed);
	umf_net_partition_update(net);
	spin_lock_bh(&fault->lock);
	set_levels(net);
	skb_queue_walk_safe(&fault->held, skb, next_skb) {
		if (umf_rule_in_force(site, path_of(skb)->rule))
			continue;
		__skb_unlink(skb, &fault->held);
		wait_put(fault, path_of(skb)->rule);
		if (path_of(skb)->reverse)
			__skb_queue_head(&reversed, skb);
		else
			__skb_queue_tail(&out, skb);
	}
	skb_queue_splice_tail(&reversed, &out);
	for (node = rb_first(&fault->delayed); node; node = next) {
		next = rb_next(node);
		if (!umf_rule_listed(site, path_of(rb_to_skb(node))->rule))
			undelay(net, rb_to_skb(node), &out);
	}
	spin_unlock_bh(&fault->lock);
	pass_list(net, &out);
	umf_net_flap_update(net);
}

void umf_net_fault_open(struct umf_net *net)
{
	struct umf_net_fault *fault = &net->fault;

	spin_lock_bh(&fault->lock);
	fault->open = true;
	set_levels(net);
	spin_unlock_bh(&fault->lock);
}

void umf_net_fault_stop(struct umf_net *net)
{
	struct umf_net_fault *fault = &net->fault;
	struct umf_net_path path;
	struct sk_buff_head out;
	struct rb_node *node;
	struct sk_buff *skb;

	__skb_queue_head_init(&out);
	spin_lock_bh(&fault->lock);
	fault->open = false;
	while ((node = rb_first(&fault->delayed)))
		undelay(net, rb_to_skb(node), &out);
	while ((skb = __skb_dequeue(&fault->held))) {
		wait_put(fault, path_of(skb)->rule);
		__skb_queue_tail(&out, skb);
	}
	spin_unlock_bh(&fault->lock);
	hrtimer_cancel(&fault->timer);
	while ((skb = __skb_dequeue(&out))) {
		path = *path_of(skb);
		lose(net, skb, &path, "interface down");
	}
}

/* ---- the site ---- */

static const struct umf_site_ops fault_ops = {
	.prepare	= fault_prepare,
	.release	= fault_release,
	.match		= fault_match,
	.excludes	= fault_excludes,
	.refused	= fault_refused,
	.describe	= fault_describe,
	.update		= fault_update,
};

int umf_net_fault_add(struct umf_net *net)
{
	struct umf_net_fault *fault = &net->fault;

	atomic_set(&fault->per_port, 0);
	atomic_set(&fault->filters, 0);
	umf_net_flows_init(&fault->flows[UMF_DIR_RX], UMF_DIR_RX, filter_of);
	umf_net_flows_init(&fault->flows[UMF_DIR_TX], UMF_DIR_TX, filter_of);
	umf_net_partition_init(net);
	umf_net_flap_init(net);
	spin_lock_init(&fault->lock);
	fault->delayed = RB_ROOT;
	__skb_queue_head_init(&fault->held);
	INIT_LIST_HEAD(&fault->waits);
	hrtimer_setup(&fault->timer, delay_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS_SOFT);
	strscpy(fault->site.name, net->dev->name, sizeof(fault->site.name));
	fault->speed = UMF_NET_SPEED;
	fault->duplex = DUPLEX_FULL;
	fault->site.class = UMF_CLASS_NET;
	fault->site.ops = &fault_ops;
	return umf_site_add(&fault->site);
}

void umf_net_fault_del(struct umf_net *net)
{
	umf_site_del(&net->fault.site);
	umf_net_flows_free(&net->fault.flows[UMF_DIR_RX]);
	umf_net_flows_free(&net->fault.flows[UMF_DIR_TX]);
	cancel_delayed_work_sync(&net->fault.partition_work);
	hrtimer_cancel(&net->fault.flap_timer);
}

int umf_net_fault_rename(struct umf_net *net)
{
	struct umf_site *site = &net->fault.site;
	int err = umf_site_rename(site, net->dev->name);

	if (err == -EBUSY)
		netdev_warn(net->dev, "not renamed from %s: its fault rules name it\n",
			    site->name);
	return err;
}
