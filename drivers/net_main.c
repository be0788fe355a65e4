// SPDX-License-Identifier: GPL-2.0
/*
 * ethN=switch,<segment>[,mac=xx:xx:xx:xx:xx:xx][,mtu=N]
 *
 * One interface is one port of one segment, from its configuration (command
 * line or mconsole `config`) to `remove` or the end of the guest. Up, the port
 * receives; down, it only keeps its place.
 *
 * Sending is synchronous: the switch picks the receivers and the frame is
 * copied to their rings. Frames for a receiver whose ring is full wait on its
 * backlog. A receiver is
 *
 *	idle	its backlog is empty;
 *	slow	it has one, and has read within the last STUCK_AFTER: the tx
 *		queue is stopped until it is idle or stuck;
 *	stuck	it has read nothing for so long. Nobody is held up for it any
 *		more; its backlog takes frames up to BACKLOG_BYTES, then they
 *		are lost. It is slow again as soon as it reads.
 *
 * Receiving is NAPI, woken by the bell.
 *
 * Locking: interfaces come and go under umf_nets_lock. tx_lock serialises
 * senders, which are the stack and frames that net_fault.c kept. NAPI
 * serialises receiving.
 */
#define pr_fmt(fmt) "umf: " fmt

#include <linux/ctype.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/hash.h>
#include <linux/hex.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/rtnetlink.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/virtio_net.h>
#include <irq_kern.h>
#include <init.h>
#include <os.h>
#include "mconsole_kern.h"
#include "net.h"

#define DRIVER_NAME	"umf-net"
#define WATCH_PERIOD	(HZ / 4)
#define SLOW_RETRY	(100 * NSEC_PER_USEC)
#define STUCK_RETRY	(2 * NSEC_PER_MSEC)
#define STUCK_AFTER	(5 * NSEC_PER_MSEC)
#define BACKLOG_BYTES	(4 * 1024 * 1024)	/* of all stuck receivers */
#define COPY_LEN	2048	/* longer frames are received into page fragments */
#define HEAD_LEN	128	/* with this much of them linear */
#define ERROR_LEN	(UMF_SEG_ERROR + 32)

static DEFINE_MUTEX(umf_nets_lock);
static struct umf_net *umf_nets[UMF_NET_UNITS];
static char *umf_net_boot[UMF_NET_UNITS] __initdata;

static const char umf_net_count_names[UMF_NET_COUNTS][ETH_GSTRING_LEN] = {
	[UMF_NET_TX_RING_FULL]		= "tx_ring_full",
	[UMF_NET_TX_WAITED]		= "tx_waited",
	[UMF_NET_TX_NO_RING]		= "tx_no_ring",
	[UMF_NET_TX_FLOODED]		= "tx_flooded",
	[UMF_NET_TX_UNWATCHED]		= "tx_unwatched",
	[UMF_NET_TX_TIMEOUTS]		= "tx_timeouts",
	[UMF_NET_TX_WAKEUPS]		= "tx_dead_ports",
	[UMF_NET_TX_PARTITIONED]	= "tx_partitioned",
	[UMF_NET_RX_PARTITIONED]	= "rx_partitioned",
	[UMF_NET_RX_CORRUPT_RING]	= "rx_corrupt_rings",
	[UMF_NET_RX_BAD_FRAME]		= "rx_bad_frames",
	[UMF_NET_RX_NO_MEMORY]		= "rx_no_memory",
	[UMF_NET_RX_FILTERED]		= "rx_filtered",
};

/* There is one queue. */
#define QUEUE_COUNTS	4
static const char umf_net_queue_names[QUEUE_COUNTS][ETH_GSTRING_LEN] = {
	"rx_queue_0_packets", "rx_queue_0_bytes",
	"tx_queue_0_packets", "tx_queue_0_bytes",
};

static void count(struct umf_net *net, enum umf_net_count what)
{
	atomic_long_inc(&net->count[what]);
}

static u32 now_seconds(void)
{
	return ktime_get_seconds();
}

/* ---- sending ---- */

/* Stops or runs the queue. */
static void set_queue(struct umf_net *net)
{
	lockdep_assert_held(&net->tx_lock);
	if (!net->sending)
		return;
	if (net->stalled || (net->waiting & ~net->stuck)) {
		txq_trans_cond_update(netdev_get_tx_queue(net->dev, 0));
		netif_stop_queue(net->dev);
	} else {
		netif_wake_queue(net->dev);
	}
}

void umf_net_stall(struct umf_net *net, bool stall)
{
	spin_lock(&net->tx_lock);
	if (net->stalled != stall) {
		net->stalled = stall;
		net->timed_out = false;
		set_queue(net);
	}
	spin_unlock(&net->tx_lock);
}

/* Nobody but a rule stops the queue for long. It stays so until that ends. */
static void umf_net_tx_timeout(struct net_device *dev, unsigned int queue)
{
	struct umf_net *net = netdev_priv(dev);

	count(net, UMF_NET_TX_TIMEOUTS);
	if (!net->timed_out)
		netdev_warn(dev, "the transmitter hangs: a rule stalls it\n");
	net->timed_out = true;
}

/* A frame that no rule has lost. */
static void capture_lost(struct umf_net *net, const struct sk_buff *skb,
			 unsigned int port, const char *why)
{
	char text[64];

	if (!umf_net_capturing(net))
		return;
	snprintf(text, sizeof(text), "port %u %s: dropped", port, why);
	umf_net_capture(net, skb, UMF_DIR_TX, text);
}

/*
 * BQL: what the queue is stopped for is in flight, which is what waits for slow
 * receivers. A frame that a ring takes at once is sent and done in one, and of
 * no account; so are those for stuck receivers, whom nobody waits for.
 */
struct in_flight {
	unsigned int packets, bytes;
};

/* Of a frame on a backlog: does it count? */
static bool *in_flight_of(struct sk_buff *skb)
{
	return (bool *)skb->cb;
}

static void set_in_flight(struct umf_net *net, struct sk_buff *skb)
{
	*in_flight_of(skb) = true;
	netdev_sent_queue(net->dev, skb->len);
}

static void is_done(struct sk_buff *skb, struct in_flight *done)
{
	if (!*in_flight_of(skb))
		return;
	*in_flight_of(skb) = false;
	done->packets++;
	done->bytes += skb->len;
}

static void all_done(struct umf_net *net, const struct in_flight *done)
{
	netdev_completed_queue(net->dev, done->packets, done->bytes);
}

static void drop_backlog(struct umf_net *net, unsigned int port)
{
	struct umf_net_backlog *backlog = &net->backlog[port];
	struct in_flight done = {};
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(&backlog->frames))) {
		is_done(skb, &done);
		net->backlog_bytes -= skb->len;
		DEV_STATS_INC(net->dev, tx_dropped);
		capture_lost(net, skb, port, "has left");
		dev_kfree_skb_any(skb);
	}
	all_done(net, &done);
	net->waiting &= ~BIT_ULL(port);
	net->stuck &= ~BIT_ULL(port);
}

/* For the holder of tx_lock. */
static void look_around(struct umf_net *net)
{
	u64 gone = umf_segment_tx_scan(net->seg);

	if (!gone)
		return;
	umf_fdb_flush(net->fdb, gone);
	for (gone &= net->waiting; gone; gone &= gone - 1)
		drop_backlog(net, __ffs64(gone));
	set_queue(net);
}

static int send_one(struct umf_net *net, struct sk_buff *skb,
		    unsigned int port);

/* A frame that has no room there is counted for who watches, by us and by it. */
static void copy_to_monitors(struct umf_net *net, struct sk_buff *skb)
{
	u64 ports = umf_segment_monitors(net->seg);
	unsigned int port;
	int err;

	for (; ports; ports &= ports - 1) {
		port = __ffs64(ports);
		err = send_one(net, skb, port);
		if (!err || err == -EHOSTUNREACH)
			continue;
		count(net, UMF_NET_TX_UNWATCHED);
		umf_segment_miss(net->seg, port);
	}
}

u64 umf_net_route(struct umf_net *net, struct sk_buff *skb)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;
	int port = -1;
	u64 peers;

	spin_lock(&net->tx_lock);
	if (umf_segment_tx_changed(net->seg))
		look_around(net);
	peers = umf_segment_peers(net->seg);
	copy_to_monitors(net, skb);
	spin_unlock(&net->tx_lock);

	if (!is_multicast_ether_addr(eth->h_dest))
		port = umf_fdb_lookup(net->fdb, ether_addr_to_u64(eth->h_dest),
				      now_seconds());
	if (port >= 0 && port < UMF_SEG_PORTS && (peers & BIT_ULL(port)))
		return BIT_ULL(port);
	count(net, UMF_NET_TX_FLOODED);
	return peers;
}

/* -EAGAIN: its ring is full; -EHOSTUNREACH: a partition has lost the frame. */
static int send_one(struct umf_net *net, struct sk_buff *skb, unsigned int port)
{
	struct umf_ring_rec *rec;
	int err;

	BUILD_BUG_ON(sizeof(struct virtio_net_hdr) != sizeof(rec->vnet));
	err = umf_segment_reserve(net->seg, port, skb->len, &rec);
	if (err == -ENOSPC)
		count(net, UMF_NET_TX_NO_RING);
	if (err == -EHOSTUNREACH)
		count(net, UMF_NET_TX_PARTITIONED);
	if (err)
		return err;
	if (virtio_net_hdr_from_skb(skb, (struct virtio_net_hdr *)rec->vnet,
				    true, false, 0) ||
	    skb_copy_bits(skb, 0, rec + 1, skb->len))
		return -EINVAL;
	if (umf_segment_commit(net->seg, port, skb->len) == -EPIPE) {
		count(net, UMF_NET_TX_WAKEUPS);
		mod_delayed_work(system_percpu_wq, &net->watch, 0);
	}
	return 0;
}

/*
 * The same, and what is lost is captured and counted; but for a partition, as
 * on a wire: who sends does not hear of it. 0 or -EAGAIN.
 */
static int send_or_lose(struct umf_net *net, struct sk_buff *skb,
			unsigned int port)
{
	int err = send_one(net, skb, port);

	if (!err || err == -EAGAIN)
		return err;
	if (err != -EHOSTUNREACH) {
		DEV_STATS_INC(net->dev, tx_dropped);
		capture_lost(net, skb, port, "has no ring");
	} else if (umf_net_capturing(net)) {
		umf_net_capture_cut_tx(net, skb, port);
	}
	return 0;
}

static void park(struct umf_net *net, struct sk_buff *skb, unsigned int port)
{
	struct umf_net_backlog *backlog = &net->backlog[port];

	if (!net->sending || ((net->stuck & BIT_ULL(port)) &&
			      net->backlog_bytes + skb->len > BACKLOG_BYTES)) {
		count(net, UMF_NET_TX_RING_FULL);
		DEV_STATS_INC(net->dev, tx_dropped);
		capture_lost(net, skb, port, "is full");
		dev_kfree_skb_any(skb);
		return;
	}
	count(net, UMF_NET_TX_WAITED);
	*in_flight_of(skb) = false;
	if (net->stuck & BIT_ULL(port))
		skb_orphan(skb);
	else
		set_in_flight(net, skb);
	net->backlog_bytes += skb->len;
	__skb_queue_tail(&backlog->frames, skb);
	if (net->waiting & BIT_ULL(port))
		return;
	backlog->tail = umf_segment_tx_tail(net->seg, port);
	backlog->stuck_at = ktime_get_ns() + STUCK_AFTER;
	net->waiting |= BIT_ULL(port);
	set_queue(net);
	hrtimer_start(&net->retry, ns_to_ktime(SLOW_RETRY),
		      HRTIMER_MODE_REL_SOFT);
}

/* Sends what waits for a port, as far as it has room. */
static void send_backlog(struct umf_net *net, unsigned int port, u64 now)
{
	struct umf_net_backlog *backlog = &net->backlog[port];
	struct in_flight done = {};
	struct sk_buff *skb;
	u32 tail;

	while ((skb = skb_peek(&backlog->frames))) {
		if (send_or_lose(net, skb, port))
			break;
		is_done(skb, &done);
		net->backlog_bytes -= skb->len;
		__skb_unlink(skb, &backlog->frames);
		dev_consume_skb_any(skb);
	}
	tail = umf_segment_tx_tail(net->seg, port);
	if (tail != backlog->tail) {
		backlog->tail = tail;
		backlog->stuck_at = now + STUCK_AFTER;
		net->stuck &= ~BIT_ULL(port);
	} else if (now >= backlog->stuck_at && !(net->stuck & BIT_ULL(port))) {
		net->stuck |= BIT_ULL(port);
		/* Their senders may have something for others. */
		skb_queue_walk(&backlog->frames, skb) {
			skb_orphan(skb);
			is_done(skb, &done);
		}
	}
	all_done(net, &done);
	if (skb_queue_empty(&backlog->frames))
		drop_backlog(net, port);
}

/* The same for all ports. */
static void send_backlogs(struct umf_net *net)
{
	u64 now = ktime_get_ns(), ports;

	lockdep_assert_held(&net->tx_lock);
	if (umf_segment_tx_changed(net->seg))
		look_around(net);
	for (ports = net->waiting; ports; ports &= ports - 1)
		send_backlog(net, __ffs64(ports), now);
	set_queue(net);
	if (net->waiting)
		hrtimer_start(&net->retry,
			      ns_to_ktime(net->waiting & ~net->stuck ?
					  SLOW_RETRY : STUCK_RETRY),
			      HRTIMER_MODE_REL_SOFT);
}

static enum hrtimer_restart retry_timer(struct hrtimer *timer)
{
	struct umf_net *net = container_of(timer, struct umf_net, retry);

	spin_lock_bh(&net->tx_lock);
	send_backlogs(net);
	spin_unlock_bh(&net->tx_lock);
	return HRTIMER_NORESTART;
}

/* A chance to send sooner than the timer: who sends to us has read, too. */
static void hurry_backlogs(struct umf_net *net)
{
	if (!READ_ONCE(net->waiting))
		return;
	spin_lock(&net->tx_lock);
	send_backlogs(net);
	spin_unlock(&net->tx_lock);
}

void umf_net_send(struct umf_net *net, struct sk_buff *skb, u64 ports)
{
	struct sk_buff *copy;
	unsigned int port;

	spin_lock(&net->tx_lock);
	for (; ports; ports &= ports - 1) {
		port = __ffs64(ports);
		if (!(net->waiting & BIT_ULL(port)) &&
		    !send_or_lose(net, skb, port))
			continue;
		/* The last one's is the frame itself, with its socket. */
		copy = skb;
		if (ports & (ports - 1))
			copy = skb_clone(skb, GFP_ATOMIC);
		else
			skb = NULL;
		if (copy)
			park(net, copy, port);
	}
	spin_unlock(&net->tx_lock);
	dev_consume_skb_any(skb);
}

static void start_sending(struct umf_net *net)
{
	spin_lock_bh(&net->tx_lock);
	net->sending = true;
	set_queue(net);
	spin_unlock_bh(&net->tx_lock);
}

static void stop_sending(struct umf_net *net)
{
	unsigned int port;

	spin_lock_bh(&net->tx_lock);
	net->sending = false;
	for (port = 0; port < UMF_SEG_PORTS; port++)
		drop_backlog(net, port);
	netdev_reset_queue(net->dev);
	netif_stop_queue(net->dev);
	spin_unlock_bh(&net->tx_lock);
	hrtimer_cancel(&net->retry);
}

u32 umf_net_port_gen(struct umf_net *net, unsigned int port)
{
	return umf_segment_peer_gen(net->seg, port);
}

static netdev_tx_t umf_net_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct umf_net *net = netdev_priv(dev);

	if (skb->len < ETH_HLEN || skb->len > UMF_FRAME_MAX) {
		DEV_STATS_INC(dev, tx_errors);
		dev_kfree_skb_any(skb);
		return NETDEV_TX_OK;
	}
	skb_tx_timestamp(skb);
	dev_sw_netstats_tx_add(dev, max_t(u16, skb_shinfo(skb)->gso_segs, 1),
			       skb->len);
	if (umf_net_fault_active(net)) {
		umf_net_fault_tx(net, skb);
		return NETDEV_TX_OK;
	}
	if (umf_net_capturing(net))
		umf_net_capture(net, skb, UMF_DIR_TX, NULL);
	umf_net_send(net, skb, umf_net_route(net, skb));
	return NETDEV_TX_OK;
}

/* ---- receiving ---- */

static u64 group_bit(const u8 *mac)
{
	return BIT_ULL(hash_64(ether_addr_to_u64(mac), 6));
}

/* What a NIC takes from the wire. */
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

void umf_net_receive(struct umf_net *net, struct sk_buff *skb, bool in_poll)
{
	if (!is_wanted(net, skb)) {
		count(net, UMF_NET_RX_FILTERED);
		consume_skb(skb);
		return;
	}
	dev_sw_netstats_rx_add(net->dev, skb->len);
	skb->protocol = eth_type_trans(skb, net->dev);
	if (in_poll)
		napi_gro_receive(&net->napi, skb);
	else
		netif_receive_skb(skb);
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
	return !virtio_net_hdr_to_skb(skb, hdr, true);
}

static void receive_frame(struct umf_net *net, unsigned int port,
			  const struct umf_ring_rec *rec, const u8 *data)
{
	struct sk_buff *skb;

	if (rec->len < ETH_HLEN)
		goto bad;
	skb = alloc_frame(net, rec->len);
	if (!skb) {
		count(net, UMF_NET_RX_NO_MEMORY);
		DEV_STATS_INC(net->dev, rx_dropped);
		return;
	}
	skb_store_bits(skb, 0, data, rec->len);
	skb_reset_mac_header(skb);
	umf_fdb_learn(net->fdb, ether_addr_to_u64(eth_hdr(skb)->h_source),
		      port, now_seconds());
	if (!take_offload(skb, rec)) {
		kfree_skb(skb);
		goto bad;
	}
	if (umf_net_fault_active(net)) {
		umf_net_fault_rx(net, skb);
		return;
	}
	if (umf_net_capturing(net))
		umf_net_capture(net, skb, UMF_DIR_RX, NULL);
	umf_net_receive(net, skb, true);
	return;
bad:
	count(net, UMF_NET_RX_BAD_FRAME);
	DEV_STATS_INC(net->dev, rx_frame_errors);
	DEV_STATS_INC(net->dev, rx_errors);
}

/* A partition that came while it was on its way. */
static void lose_cut(struct umf_net *net, unsigned int port,
		     const struct umf_ring_rec *rec, const u8 *data)
{
	count(net, UMF_NET_RX_PARTITIONED);
	if (umf_net_capturing(net) && rec->len >= ETH_HLEN)
		umf_net_capture_cut_rx(net, data, rec->len, port);
}

static int umf_net_poll(struct napi_struct *napi, int budget)
{
	struct umf_net *net = container_of(napi, struct umf_net, napi);
	struct umf_ring_rec rec;
	unsigned int port;
	const u8 *data;
	int done = 0, ret;

	hurry_backlogs(net);
	if (umf_segment_rx_poll(net->seg)) {
		mod_delayed_work(system_percpu_wq, &net->watch, 0);
		net->forget |= umf_segment_rx_forgotten(net->seg);
	}
	while (done < budget) {
		ret = umf_segment_rx_next(net->seg, &port, &rec, &data);
		if (!ret)
			break;
		if (ret < 0) {
			count(net, UMF_NET_RX_CORRUPT_RING);
			DEV_STATS_INC(net->dev, rx_errors);
			continue;
		}
		done++;
		if (umf_segment_rx_cut(net->seg, port))
			lose_cut(net, port, &rec, data);
		else
			receive_frame(net, port, &rec, data);
		umf_segment_rx_done(net->seg, port, rec.len);
	}
	if (done < budget && net->forget) {
		/* Now that what they sent before has been learned from. */
		umf_fdb_flush(net->fdb, net->forget);
		net->forget = 0;
	}
	if (done < budget && napi_complete_done(napi, done) &&
	    !umf_segment_rx_sleep(net->seg))
		napi_schedule(napi);
	return done;
}

static irqreturn_t umf_net_irq(int irq, void *data)
{
	struct umf_net *net = data;

	umf_host_bell_drain(umf_segment_bell(net->seg));
	napi_schedule(&net->napi);
	return IRQ_HANDLED;
}

/* ---- the interface ---- */

static void umf_net_watch(struct work_struct *work)
{
	struct umf_net *net = container_of(to_delayed_work(work),
					   struct umf_net, watch);

	if (umf_segment_check(net->seg))
		queue_delayed_work(system_percpu_wq, &net->watch, WATCH_PERIOD);
	spin_lock_bh(&net->tx_lock);
	look_around(net);
	spin_unlock_bh(&net->tx_lock);
	umf_net_fault_ports_changed(net);
}

static int umf_net_open(struct net_device *dev)
{
	struct umf_net *net = netdev_priv(dev);

	umf_segment_rx_start(net->seg);
	net->irq = um_request_irq(UM_IRQ_ALLOC, umf_segment_bell(net->seg),
				  IRQ_READ, umf_net_irq, 0, dev->name, net);
	if (net->irq < 0)
		return net->irq;
	napi_enable(&net->napi);
	start_sending(net);
	umf_net_fault_open(net);
	umf_segment_set_up(net->seg, true);
	queue_delayed_work(system_percpu_wq, &net->watch, 0);
	local_bh_disable();
	napi_schedule(&net->napi);
	local_bh_enable();
	return 0;
}

static int umf_net_stop(struct net_device *dev)
{
	struct umf_net *net = netdev_priv(dev);

	umf_segment_set_up(net->seg, false);
	stop_sending(net);
	netif_carrier_off(dev);
	um_free_irq(net->irq, net);
	napi_disable(&net->napi);
	cancel_delayed_work_sync(&net->watch);
	umf_net_fault_stop(net);
	return 0;
}

static void umf_net_publish(struct umf_net *net)
{
	umf_segment_publish(net->seg, ether_addr_to_u64(net->dev->dev_addr),
			    net->dev->mtu);
}

static int umf_net_set_mac(struct net_device *dev, void *addr)
{
	int err = eth_mac_addr(dev, addr);

	if (!err)
		umf_net_publish(netdev_priv(dev));
	return err;
}

static int umf_net_change_mtu(struct net_device *dev, int mtu)
{
	WRITE_ONCE(dev->mtu, mtu);
	umf_net_publish(netdev_priv(dev));
	return 0;
}

/* By hash, as NICs do; the stack sees to the rest. */
static void umf_net_set_rx_mode(struct net_device *dev)
{
	struct umf_net *net = netdev_priv(dev);
	struct netdev_hw_addr *ha;
	u64 groups = 0;

	netdev_for_each_mc_addr(ha, dev)
		groups |= group_bit(ha->addr);
	WRITE_ONCE(net->groups, groups);
}

static const struct net_device_ops umf_net_ops = {
	.ndo_open		= umf_net_open,
	.ndo_stop		= umf_net_stop,
	.ndo_start_xmit		= umf_net_xmit,
	.ndo_set_rx_mode	= umf_net_set_rx_mode,
	.ndo_set_mac_address	= umf_net_set_mac,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_change_mtu		= umf_net_change_mtu,
	.ndo_get_stats64	= dev_get_tstats64,
	.ndo_tx_timeout		= umf_net_tx_timeout,
};

static void umf_net_get_drvinfo(struct net_device *dev,
				struct ethtool_drvinfo *info)
{
	struct umf_net *net = netdev_priv(dev);

	strscpy(info->driver, DRIVER_NAME);
	snprintf(info->bus_info, sizeof(info->bus_info), "port %u",
		 umf_segment_port(net->seg));
}

static int umf_net_get_link_ksettings(struct net_device *dev,
				      struct ethtool_link_ksettings *cmd)
{
	cmd->base.speed = SPEED_UNKNOWN;
	cmd->base.duplex = DUPLEX_UNKNOWN;
	cmd->base.port = PORT_OTHER;
	cmd->base.autoneg = AUTONEG_DISABLE;
	if (netif_carrier_ok(dev))
		umf_net_fault_link(netdev_priv(dev), &cmd->base.speed,
				   &cmd->base.duplex);
	return 0;
}

static void umf_net_get_ringparam(struct net_device *dev,
				  struct ethtool_ringparam *ring,
				  struct kernel_ethtool_ringparam *kernel_ring,
				  struct netlink_ext_ack *extack)
{
	struct umf_net *net = netdev_priv(dev);
	u32 frames = umf_segment_ring_size(net->seg) /
		     umf_ring_need(ETH_FRAME_LEN);

	/* Of the ring between each two ports, which nobody can change. */
	ring->rx_max_pending = frames;
	ring->tx_max_pending = frames;
	ring->rx_pending = frames;
	ring->tx_pending = frames;
}

static void umf_net_get_channels(struct net_device *dev,
				 struct ethtool_channels *channels)
{
	channels->max_combined = 1;
	channels->combined_count = 1;
}

static int umf_net_get_sset_count(struct net_device *dev, int set)
{
	return set == ETH_SS_STATS ? QUEUE_COUNTS + UMF_NET_COUNTS +
				     umf_net_fault_stats_len() : -EOPNOTSUPP;
}

static void umf_net_get_strings(struct net_device *dev, u32 set, u8 *buf)
{
	int i;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < QUEUE_COUNTS; i++)
		ethtool_puts(&buf, umf_net_queue_names[i]);
	for (i = 0; i < UMF_NET_COUNTS; i++)
		ethtool_puts(&buf, umf_net_count_names[i]);
	umf_net_fault_strings(&buf);
}

static void umf_net_get_stats(struct net_device *dev,
			      struct ethtool_stats *stats, u64 *buf)
{
	struct umf_net *net = netdev_priv(dev);
	struct rtnl_link_stats64 sum = {};
	int i;

	dev_fetch_sw_netstats(&sum, dev->tstats);
	*buf++ = sum.rx_packets;
	*buf++ = sum.rx_bytes;
	*buf++ = sum.tx_packets;
	*buf++ = sum.tx_bytes;
	for (i = 0; i < UMF_NET_COUNTS; i++)
		*buf++ = atomic_long_read(&net->count[i]);
	umf_net_fault_stats(net, buf);
}

static const struct ethtool_ops umf_net_ethtool_ops = {
	.get_drvinfo		= umf_net_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_ts_info		= ethtool_op_get_ts_info,
	.get_link_ksettings	= umf_net_get_link_ksettings,
	.get_ringparam		= umf_net_get_ringparam,
	.get_channels		= umf_net_get_channels,
	.get_sset_count		= umf_net_get_sset_count,
	.get_strings		= umf_net_get_strings,
	.get_ethtool_stats	= umf_net_get_stats,
};

/* ---- configuration ---- */

struct umf_net_config {
	char *segment;
	u8 mac[ETH_ALEN];
	bool has_mac;
	unsigned int mtu;
};

/* Cuts @text up. */
static int umf_net_parse(char *text, struct umf_net_config *config, char *error)
{
	char *word = strsep(&text, ",");

	if (strcmp(word, "switch")) {
		snprintf(error, ERROR_LEN, "unknown transport '%s', not 'switch'",
			 word);
		return -EINVAL;
	}
	config->segment = strsep(&text, ",");
	if (!config->segment || !*config->segment ||
	    strchr(config->segment, '=')) {
		snprintf(error, ERROR_LEN, "no segment: switch,<name or folder>[,mac=][,mtu=]");
		return -EINVAL;
	}
	if (!strcmp(config->segment, ".") || !strcmp(config->segment, "..")) {
		snprintf(error, ERROR_LEN, "'%s' is no name for a segment",
			 config->segment);
		return -EINVAL;
	}
	config->mtu = ETH_DATA_LEN;
	while ((word = strsep(&text, ","))) {
		if (!strncmp(word, "mac=", 4)) {
			if (strlen(word) != 4 + 3 * ETH_ALEN - 1 ||
			    !mac_pton(word + 4, config->mac) ||
			    !is_valid_ether_addr(config->mac)) {
				snprintf(error, ERROR_LEN, "'%s' is no unicast MAC", word);
				return -EINVAL;
			}
			config->has_mac = true;
		} else if (!strncmp(word, "mtu=", 4)) {
			if (kstrtouint(word + 4, 10, &config->mtu) ||
			    config->mtu < ETH_MIN_MTU ||
			    config->mtu > UMF_NET_MTU_MAX) {
				snprintf(error, ERROR_LEN, "'%s' is not %u to %u",
					 word, ETH_MIN_MTU, UMF_NET_MTU_MAX);
				return -EINVAL;
			}
		} else {
			snprintf(error, ERROR_LEN, "unknown option '%s', known are mac= and mtu=",
				 word);
			return -EINVAL;
		}
	}
	return 0;
}

/*
 * Unless mac= says it: from the guest's name, the segment and the interface, so
 * that the next run has the same; if that is taken, the next of that kind.
 */
static void choose_mac(struct umf_net *net, const char *segment, u8 *mac)
{
	static const siphash_key_t key;
	char text[160];
	int salt, len;
	u64 hash;

	for (salt = 0; salt < UMF_SEG_PORTS; salt++) {
		len = scnprintf(text, sizeof(text), "%s|%s|%u|%d", get_umid(),
				segment, net->unit, salt);
		hash = siphash(text, len, &key);
		u64_to_ether_addr(hash & (BIT_ULL(48) - 1), mac);
		mac[0] = (mac[0] & 0xfc) | 0x02;
		if (!umf_segment_mac_taken(net->seg, ether_addr_to_u64(mac)))
			return;
	}
}

static int attach(struct umf_net *net, struct umf_net_config *config,
		  char *error)
{
	char label[40];

	snprintf(label, sizeof(label), "%.30s/eth%u", get_umid(), net->unit);
	net->seg = umf_segment_join(config->segment, label, error);
	if (IS_ERR(net->seg))
		return PTR_ERR(net->seg);
	if (!config->has_mac)
		choose_mac(net, config->segment, config->mac);
	else if (umf_segment_mac_taken(net->seg,
				       ether_addr_to_u64(config->mac)))
		pr_warn("eth%u: another port of %s has the MAC %pM too\n",
			net->unit, config->segment, config->mac);
	eth_hw_addr_set(net->dev, config->mac);
	net->dev->mtu = config->mtu;
	umf_net_publish(net);
	return 0;
}

static void setup_dev(struct umf_net *net)
{
	struct net_device *dev = net->dev;

	snprintf(dev->name, sizeof(dev->name), "eth%u", net->unit);
	dev->netdev_ops = &umf_net_ops;
	dev->ethtool_ops = &umf_net_ethtool_ops;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = UMF_NET_MTU_MAX;
	dev->hw_features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM |
			   NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN |
			   NETIF_F_GSO_UDP_L4;
	dev->features = dev->hw_features | NETIF_F_RXCSUM | NETIF_F_HIGHDMA |
			NETIF_F_GSO_ROBUST;
	dev->vlan_features = dev->features;
	netif_napi_add(dev, &net->napi, umf_net_poll);
	netif_carrier_off(dev);
}

/* Interface @unit as @text says, or the reason why not in @error. */
static int umf_net_create(unsigned int unit, const char *text, char *error)
{
	struct umf_net_config config = {};
	struct net_device *dev;
	struct umf_net *net;
	unsigned int port;
	char *copy;
	int err;

	lockdep_assert_held(&umf_nets_lock);
	if (umf_nets[unit]) {
		snprintf(error, ERROR_LEN, "is configured already");
		return -EEXIST;
	}
	snprintf(error, ERROR_LEN, "out of memory");
	dev = alloc_etherdev(sizeof(*net));
	if (!dev)
		return -ENOMEM;
	net = netdev_priv(dev);
	net->dev = dev;
	net->unit = unit;
	spin_lock_init(&net->tx_lock);
	for (port = 0; port < UMF_SEG_PORTS; port++)
		__skb_queue_head_init(&net->backlog[port].frames);
	hrtimer_setup(&net->retry, retry_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_SOFT);
	INIT_DELAYED_WORK(&net->watch, umf_net_watch);
	net->spec = kstrdup(text, GFP_KERNEL);
	net->fdb = kvzalloc_obj(*net->fdb);
	copy = kstrdup(text, GFP_KERNEL);
	err = -ENOMEM;
	if (!net->spec || !net->fdb || !copy)
		goto out_free;

	err = umf_net_parse(copy, &config, error);
	if (err)
		goto out_free;
	err = attach(net, &config, error);
	if (err)
		goto out_free;
	setup_dev(net);
	err = umf_net_fault_add(net);
	if (err) {
		snprintf(error, ERROR_LEN, "its name is in use (error %d)", err);
		goto out_leave;
	}
	err = register_netdev(dev);
	if (err) {
		snprintf(error, ERROR_LEN, "cannot be registered (error %d)", err);
		goto out_fault;
	}
	umf_nets[unit] = net;
	pr_info("eth%u: port %u of segment %s, MAC %pM\n", unit,
		umf_segment_port(net->seg), config.segment, dev->dev_addr);
	kfree(copy);
	return 0;

out_fault:
	umf_net_fault_del(net);
out_leave:
	umf_segment_leave(net->seg);
out_free:
	kfree(copy);
	kvfree(net->fdb);
	kfree(net->spec);
	free_netdev(dev);
	return err;
}

static void umf_net_destroy(struct umf_net *net)
{
	umf_nets[net->unit] = NULL;
	unregister_netdev(net->dev);
	umf_net_fault_del(net);
	cancel_delayed_work_sync(&net->watch);
	umf_segment_leave(net->seg);
	kvfree(net->fdb);
	kfree(net->spec);
	free_netdev(net->dev);
}

/* ---- its ways in: command line, mconsole, the end ---- */

/* "<unit>" and what follows it; -1: no such unit. */
static int parse_unit(const char *text, const char **end)
{
	unsigned int unit;
	int len = 0;

	if (!isdigit(*text) || sscanf(text, "%u%n", &unit, &len) != 1)
		unit = UMF_NET_UNITS;
	*end = text + len;
	return unit < UMF_NET_UNITS ? (int)unit : -1;
}

static int __init umf_net_setup(char *text)
{
	const char *end;
	int unit = parse_unit(text, &end);

	if (end == text || *end != '=')
		return 0;
	if (unit < 0)
		pr_err("eth%s: interfaces are eth0 to eth%u\n", text,
		       UMF_NET_UNITS - 1);
	else if (umf_net_boot[unit])
		pr_err("eth%d: configured twice, only the first counts\n", unit);
	else
		umf_net_boot[unit] = (char *)end + 1;
	return 1;
}

__uml_help(umf_net_setup,
	   "eth[0-9]+=switch,<segment>[,mac=<mac>][,mtu=<n>]\n"
	   "    A network interface that is a port of a shared-memory segment.\n"
	   "    <segment> is a folder on the host, or a bare name for one under\n"
	   "    /dev/shm; guests that name the same one see each other.\n\n"
);

__setup_param("eth", umf_net_setup, umf_net_setup, 0);

/* mconsole runs one request at a time and copies the text before the next. */
static char umf_net_error[ERROR_LEN];

static int umf_net_mc_config(char *text, char **error)
{
	const char *end;
	int unit = parse_unit(text, &end), err;

	if (unit < 0 || *end != '=') {
		snprintf(umf_net_error, sizeof(umf_net_error),
			 "expected eth<0-%u>=switch,<segment>", UMF_NET_UNITS - 1);
		*error = umf_net_error;
		return -EINVAL;
	}
	mutex_lock(&umf_nets_lock);
	err = umf_net_create(unit, end + 1, umf_net_error);
	mutex_unlock(&umf_nets_lock);
	if (err)
		*error = umf_net_error;
	return err;
}

static int umf_net_mc_get_config(char *text, char *buf, int size, char **error)
{
	const char *end;
	int unit = parse_unit(text, &end), len = 0;
	struct umf_net *net;

	mutex_lock(&umf_nets_lock);
	net = unit < 0 || *end ? NULL : umf_nets[unit];
	if (net)
		len = snprintf(buf, size, "%s\n  port %u mac %pM mtu %u",
			       net->spec, umf_segment_port(net->seg),
			       net->dev->dev_addr, net->dev->mtu) + 1;
	else
		*error = "no such interface";
	mutex_unlock(&umf_nets_lock);
	return len;
}

static int umf_net_mc_id(char **text, int *first, int *last)
{
	const char *end;
	int unit = parse_unit(*text, &end);

	*first = 0;
	*last = UMF_NET_UNITS - 1;
	return *end ? -1 : unit;
}

static int umf_net_mc_remove(int unit, char **error)
{
	struct umf_net *net;

	mutex_lock(&umf_nets_lock);
	net = umf_nets[unit];
	if (net)
		umf_net_destroy(net);
	mutex_unlock(&umf_nets_lock);
	return net ? 0 : -ENODEV;
}

static struct mc_device umf_net_mc = {
	.list		= LIST_HEAD_INIT(umf_net_mc.list),
	.name		= "eth",
	.config		= umf_net_mc_config,
	.get_config	= umf_net_mc_get_config,
	.id		= umf_net_mc_id,
	.remove		= umf_net_mc_remove,
};

static int umf_net_event(struct notifier_block *block, unsigned long event,
			 void *data)
{
	struct net_device *dev = netdev_notifier_info_to_dev(data);

	if (event != NETDEV_CHANGENAME || dev->netdev_ops != &umf_net_ops)
		return NOTIFY_DONE;
	return notifier_from_errno(umf_net_fault_rename(netdev_priv(dev)));
}

static struct notifier_block umf_net_notifier = {
	.notifier_call = umf_net_event,
};

static int __init umf_net_init(void)
{
	int unit;

	register_netdevice_notifier(&umf_net_notifier);
	mutex_lock(&umf_nets_lock);
	for (unit = 0; unit < UMF_NET_UNITS; unit++)
		if (umf_net_boot[unit] &&
		    umf_net_create(unit, umf_net_boot[unit], umf_net_error))
			pr_err("eth%d: %s\n", unit, umf_net_error);
	mutex_unlock(&umf_nets_lock);
	mconsole_register_dev(&umf_net_mc);
	return 0;
}
device_initcall(umf_net_init);

static void umf_net_exit(void)
{
	int unit;

	for (unit = 0; unit < UMF_NET_UNITS; unit++)
		if (umf_nets[unit])
			umf_segment_abandon(umf_nets[unit]->seg);
}

__uml_exitcall(umf_net_exit);
