// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving: NAPI, woken by the bell, in virtual time by that of time/clock.h. What
 * another port says of a frame is hostile until it is checked here. NAPI serialises
 * all of it.
 */
#include <linux/etherdevice.h>
#include <linux/hash.h>
#include <linux/if_vlan.h>
#include <linux/virtio_net.h>
#include <net/gso.h>
#include <irq_kern.h>
#include "host/host.h"
#include "net/dev/dev.h"

#define COPY_LEN	2048	/* longer frames are received into page fragments */
#define HEAD_LEN	128	/* with this much of them linear */

static u64 group_bit(const u8 *mac)
{
	return BIT_ULL(hash_64(ether_addr_to_u64(mac), 6));
}

/*
 * A NIC takes frames with a VLAN tag more than its MTU, and no longer ones. A GSO
 * frame counts by those that it would be on a wire.
 */
static bool is_too_long(const struct umf_net *net, const struct sk_buff *skb)
{
	unsigned int most = READ_ONCE(net->dev->mtu) + ETH_HLEN + VLAN_HLEN;

	if (skb->len <= most)
		return false;
	return !skb_is_gso(skb) || !skb_gso_validate_mac_len(skb, most);
}

/* Whom it is for. */
static bool is_wanted(const struct umf_net *net, const struct sk_buff *skb)
{
	const u8 *to = ((const struct ethhdr *)skb->data)->h_dest;
	unsigned int flags = READ_ONCE(net->dev->flags);

	if (flags & IFF_PROMISC)
		return true;
	if (!is_multicast_ether_addr(to))
		return ether_addr_equal(to, net->dev->dev_addr);
	return (flags & IFF_ALLMULTI) || is_broadcast_ether_addr(to) ||
	       (READ_ONCE(net->groups) & group_bit(to));
}

/* By hash, as NICs do; the stack sees to the rest. */
void umf_net_set_rx_mode(struct net_device *dev)
{
	struct umf_net *net = netdev_priv(dev);
	struct netdev_hw_addr *ha;
	u64 groups = 0;

	netdev_for_each_mc_addr(ha, dev)
		groups |= group_bit(ha->addr);
	WRITE_ONCE(net->groups, groups);
}

void umf_net_receive(struct umf_net *net, struct sk_buff *skb)
{
	if (is_too_long(net, skb)) {
		umf_net_count(net, UMF_NET_RX_TOO_LONG);
		DEV_STATS_INC(net->dev, rx_length_errors);
		DEV_STATS_INC(net->dev, rx_errors);
		kfree_skb(skb);
		return;
	}
	if (!is_wanted(net, skb)) {
		umf_net_count(net, UMF_NET_RX_FILTERED);
		consume_skb(skb);
		return;
	}
	dev_sw_netstats_rx_add(net->dev, skb->len);
	skb->protocol = eth_type_trans(skb, net->dev);
	napi_gro_receive(&net->napi, skb);
}

static struct sk_buff *alloc_frame(struct umf_net *net, u32 len)
{
	struct sk_buff *skb;
	int err;

	if (len <= COPY_LEN) {
		skb = napi_alloc_skb(&net->napi, len);
		if (skb)
			skb_put(skb, len);
		return skb;
	}
	skb = alloc_skb_with_frags(NET_SKB_PAD + NET_IP_ALIGN + HEAD_LEN,
				   len - HEAD_LEN, PAGE_ALLOC_COSTLY_ORDER,
				   &err, GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_reserve(skb, NET_SKB_PAD + NET_IP_ALIGN);
	skb_put(skb, HEAD_LEN);
	skb->data_len = len - HEAD_LEN;
	skb->len = len;
	skb->dev = net->dev;
	return skb;
}

/* The sender's word on checksum and segmentation, checked. */
static bool take_offload(struct sk_buff *skb, const struct umf_ring_rec *rec)
{
	const struct virtio_net_hdr *hdr =
		(const struct virtio_net_hdr *)rec->vnet;

	/* Nobody sends that, and segmenting it warns. */
	if (hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE &&
	    !(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return false;
	if (!hdr->flags && hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	if (virtio_net_hdr_to_skb(skb, hdr, true))
		return false;
	/* Our senders make no more, and each would be a frame of its own. */
	return !skb_is_gso(skb) ||
	       skb->len / skb_shinfo(skb)->gso_size <= UMF_NET_SEGS;
}

static void count_bad(struct umf_net *net)
{
	umf_net_count(net, UMF_NET_RX_BAD_FRAME);
	DEV_STATS_INC(net->dev, rx_frame_errors);
	DEV_STATS_INC(net->dev, rx_errors);
}

static void receive_frame(struct umf_net *net, unsigned int port,
			  const struct umf_ring_rec *rec, const u8 *data)
{
	struct sk_buff *skb = alloc_frame(net, rec->len);

	if (!skb) {
		umf_net_count(net, UMF_NET_RX_NO_MEMORY);
		DEV_STATS_INC(net->dev, rx_dropped);
		return;
	}
	skb_store_bits(skb, 0, data, rec->len);
	skb_reset_mac_header(skb);
	if (!take_offload(skb, rec)) {
		kfree_skb(skb);
		count_bad(net);
		return;
	}
	if (umf_net_fault_active(net)) {
		umf_net_fault_rx(net, skb, port);
		return;
	}
	if (umf_net_capturing(net))
		umf_net_capture(net, skb, UMF_DIR_RX, NULL);
	umf_net_receive(net, skb);
}

/* A partition that came while it was on its way. */
static void lose_cut(struct umf_net *net, unsigned int port,
		     const struct umf_ring_rec *rec, const u8 *data)
{
	umf_net_count(net, UMF_NET_RX_PARTITIONED);
	if (umf_net_capturing(net) && rec->len >= ETH_HLEN)
		umf_net_capture_cut_rx(net, data, rec->len, port);
}

/* What is at @data may change at any time. */
static void take_frame(struct umf_net *net, unsigned int port,
		       const struct umf_ring_rec *rec, const u8 *data)
{
	switch (umf_route_from(net->route, port, data, rec->len,
			       umf_segment_rx_cut(net->seg, port),
			       umf_net_seconds())) {
	case UMF_ROUTE_TAKEN:
		receive_frame(net, port, rec, data);
		break;
	case UMF_ROUTE_CUT:
		lose_cut(net, port, rec, data);
		break;
	case UMF_ROUTE_SHORT:
		count_bad(net);
		break;
	}
}

int umf_net_poll(struct napi_struct *napi, int budget)
{
	struct umf_net *net = container_of(napi, struct umf_net, napi);
	struct umf_ring_rec rec;
	unsigned int port;
	const u8 *data;
	int done = 0, ret;

	umf_net_tx_hurry(net);
	if (umf_segment_rx_poll(net->seg)) {
		mod_delayed_work(system_percpu_wq, &net->watch, 0);
		umf_route_forget(net->route, umf_segment_rx_forgotten(net->seg));
	}
	/* what came before, and has waited for a rule */
	if (umf_net_fault_active(net))
		done = umf_net_fault_poll(net, budget);
	while (done < budget) {
		ret = umf_segment_rx_next(net->seg, &port, &rec, &data);
		if (!ret)
			break;
		if (ret < 0) {
			umf_net_count(net, UMF_NET_RX_CORRUPT_RING);
			DEV_STATS_INC(net->dev, rx_errors);
			continue;
		}
		done++;
		take_frame(net, port, &rec, data);
		umf_segment_rx_done(net->seg, port, rec.len);
	}
	if (done == budget)
		return done;
	umf_route_read_all(net->route);
	if (umf_clock_virtual() && umf_segment_rx_later(net->seg))
		umf_clock_bell_at(&net->bell, umf_segment_rx_later(net->seg));
	if (napi_complete_done(napi, done) && !umf_segment_rx_sleep(net->seg))
		napi_schedule(napi);
	return done;
}

irqreturn_t umf_net_irq(int irq, void *data)
{
	struct umf_net *net = data;

	umf_host_bell_drain(umf_segment_bell(net->seg));
	napi_schedule(&net->napi);
	return IRQ_HANDLED;
}

static u64 bell_look(void *data)
{
	struct umf_net *net = data;

	return umf_segment_due(net->seg);
}

static void bell_ring(void *data, bool gone)
{
	struct umf_net *net = data;

	if (gone)
		mod_delayed_work(system_percpu_wq, &net->watch, 0);
	napi_schedule(&net->napi);
}

void umf_net_bell_init(struct umf_net *net)
{
	net->bell.look = bell_look;
	net->bell.ring = bell_ring;
	net->bell.data = net;
}
