// SPDX-License-Identifier: GPL-2.0
/*
 * Sending. It is synchronous: the switch port (net/port/) picks the receivers
 * and the frame is copied to their rings; what finds a ring full waits on the
 * receiver's backlog, and the tx queue is stopped while one of them is slow.
 * What slow and stuck are stands in net/port/backlog.h; a timer looks at them.
 *
 * BQL: what the queue is stopped for is in flight, which is what waits for slow
 * receivers. A frame that a ring takes at once is sent and done in one, and of
 * no account; so are those for stuck receivers, whom nobody waits for.
 *
 * The watchdog looks at how long ago something was sent. For as long as slow
 * receivers are the reason why the queue stands still, that is now: they are
 * seen to within UMF_BACKLOG_STUCK_AFTER. A rule that stalls it is not.
 *
 * In virtual time the queue is stopped as well while the line has enough to do
 * (net/segment/clock.c), and that is no reason for the watchdog either.
 *
 * Locking: tx_lock serialises senders, which are the stack, frames that
 * net/fault/ kept, and the timer.
 */
#include <linux/etherdevice.h>
#include <linux/virtio_net.h>
#include "net/dev/dev.h"

#define BACKLOG_BYTES	(4 * 1024 * 1024)	/* for all stuck receivers */

/* In skb->cb of a frame that waits. */
struct tx_waiting {
	struct umf_backlog_frame frame;
	bool in_flight;
};

static struct tx_waiting *waiting_of(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct tx_waiting) > sizeof(skb->cb));
	return (struct tx_waiting *)skb->cb;
}

/* The frame that is to be sent: skb->cb is written to only if it has to wait. */
static struct umf_backlog_frame *frame_of(struct sk_buff *skb)
{
	return &waiting_of(skb)->frame;
}

static struct sk_buff *skb_of(struct umf_backlog_frame *frame)
{
	void *cb = container_of(frame, struct tx_waiting, frame);

	return container_of(cb, struct sk_buff, cb);
}

static struct umf_net *net_of(struct umf_backlogs *backlogs)
{
	return container_of(backlogs, struct umf_net, backlogs);
}

/* ---- the queue ---- */

static void set_queue(struct umf_net *net)
{
	struct netdev_queue *queue = netdev_get_tx_queue(net->dev, 0);
	bool slow = umf_backlog_slow(&net->backlogs) ||
		    umf_segment_line_wait(net->seg);

	lockdep_assert_held(&net->tx_lock);
	if (!net->sending)
		return;
	if (!net->stalled && !slow) {
		netif_tx_wake_queue(queue);
		return;
	}
	/* Stopping it says that something was sent now: so once only. */
	if (!netif_tx_queue_stopped(queue))
		netif_tx_stop_queue(queue);
	else if (!net->stalled)
		txq_trans_cond_update(queue);
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
void umf_net_tx_timeout(struct net_device *dev, unsigned int queue)
{
	struct umf_net *net = netdev_priv(dev);

	umf_net_count(net, UMF_NET_TX_TIMEOUTS);
	if (!net->timed_out)
		netdev_warn(dev, "the transmitter hangs: a rule stalls it\n");
	net->timed_out = true;
}

/* ---- what the backlogs need ---- */

static void no_more_in_flight(struct umf_net *net, struct sk_buff *skb)
{
	if (!waiting_of(skb)->in_flight)
		return;
	waiting_of(skb)->in_flight = false;
	net->done_packets++;
	net->done_bytes += skb->len;
}

static void tx_completed(struct umf_net *net)
{
	netdev_completed_queue(net->dev, net->done_packets, net->done_bytes);
	net->done_packets = 0;
	net->done_bytes = 0;
}

static int tx_copy(struct umf_backlogs *backlogs,
		   struct umf_backlog_frame *frame, unsigned int port)
{
	struct umf_net *net = net_of(backlogs);
	struct sk_buff *skb = skb_of(frame);
	struct umf_ring_rec *rec;
	int err;

	BUILD_BUG_ON(sizeof(struct virtio_net_hdr) != sizeof(rec->vnet));
	err = umf_segment_reserve(net->seg, port, skb->len, &rec);
	if (err)
		return err;
	if (virtio_net_hdr_from_skb(skb, (struct virtio_net_hdr *)rec->vnet,
				    true, false, 0) ||
	    skb_copy_bits(skb, 0, rec + 1, skb->len))
		return -EINVAL;
	if (umf_segment_commit(net->seg, port, skb->len) == -EPIPE) {
		umf_net_count(net, UMF_NET_TX_WAKEUPS);
		mod_delayed_work(system_percpu_wq, &net->watch, 0);
	}
	return 0;
}

static u32 tx_tail(struct umf_backlogs *backlogs, unsigned int port)
{
	return umf_segment_tx_tail(net_of(backlogs)->seg, port);
}

static void count_lost(struct umf_net *net, struct sk_buff *skb,
		       unsigned int port, const char *why)
{
	char text[64];

	DEV_STATS_INC(net->dev, tx_dropped);
	if (!umf_net_capturing(net))
		return;
	snprintf(text, sizeof(text), "port %u %s: dropped", port, why);
	umf_net_capture(net, skb, UMF_DIR_TX, text);
}

/* A frame that no rule has lost. */
static void tx_lost(struct umf_backlogs *backlogs,
		    struct umf_backlog_frame *frame, unsigned int port, int err)
{
	struct umf_net *net = net_of(backlogs);
	struct sk_buff *skb = skb_of(frame);

	switch (err) {
	case -EHOSTUNREACH:
		/* As on a wire: who sends does not hear of it. */
		umf_net_count(net, UMF_NET_TX_PARTITIONED);
		if (umf_net_capturing(net))
			umf_net_capture_cut_tx(net, skb, port);
		break;
	case -ENOBUFS:
		umf_net_count(net, UMF_NET_TX_RING_FULL);
		count_lost(net, skb, port, "is full");
		break;
	case -ENOTCONN:
		count_lost(net, skb, port, "has left");
		break;
	case -ENOMEM:
		count_lost(net, skb, port, "cannot wait for it, no memory");
		break;
	case -ENOSPC:
		umf_net_count(net, UMF_NET_TX_NO_RING);
		fallthrough;
	default:
		count_lost(net, skb, port, "has no ring");
	}
}

static void tx_waits(struct umf_backlogs *backlogs,
		     struct umf_backlog_frame *frame, bool held)
{
	struct umf_net *net = net_of(backlogs);
	struct sk_buff *skb = skb_of(frame);

	if (held) {
		waiting_of(skb)->in_flight = true;
		netdev_sent_queue(net->dev, skb->len);
	} else {
		skb_orphan(skb);
		no_more_in_flight(net, skb);
	}
}

static void tx_free(struct umf_backlogs *backlogs,
		    struct umf_backlog_frame *frame, bool sent)
{
	struct sk_buff *skb = skb_of(frame);

	no_more_in_flight(net_of(backlogs), skb);
	if (sent)
		dev_consume_skb_any(skb);
	else
		dev_kfree_skb_any(skb);
}

static const struct umf_backlog_ops tx_ops = {
	.copy	= tx_copy,
	.tail	= tx_tail,
	.lost	= tx_lost,
	.waits	= tx_waits,
	.free	= tx_free,
};

/* ---- waiting ---- */

/* For the holder of tx_lock. */
static void look_around(struct umf_net *net)
{
	u64 gone = umf_segment_tx_scan(net->seg);

	if (!gone)
		return;
	umf_route_left(net->route, gone);
	umf_backlog_drop(&net->backlogs, gone);
	tx_completed(net);
	set_queue(net);
}

void umf_net_tx_look_around(struct umf_net *net)
{
	spin_lock_bh(&net->tx_lock);
	look_around(net);
	spin_unlock_bh(&net->tx_lock);
}

static void start_retry(struct umf_net *net)
{
	u64 after = umf_backlog_retry(&net->backlogs);
	u64 line = net->sending ? umf_segment_line_wait(net->seg) : 0;

	/* the watchdog is to hear of it meanwhile */
	line = min_t(u64, line, NSEC_PER_SEC);
	if (line && (!after || line < after))
		after = line;
	if (after)
		hrtimer_start(&net->retry, ns_to_ktime(after),
			      HRTIMER_MODE_REL_SOFT);
}

static void park(struct umf_net *net, struct sk_buff *skb, unsigned int port)
{
	u64 waiting = net->backlogs.waiting;

	if (!net->sending) {
		tx_lost(&net->backlogs, frame_of(skb), port, -ENOBUFS);
		dev_kfree_skb_any(skb);
		return;
	}
	umf_net_count(net, UMF_NET_TX_WAITED);
	waiting_of(skb)->in_flight = false;
	net->backlogs.frames_max = READ_ONCE(net->dev->tx_queue_len);
	umf_backlog_park(&net->backlogs, frame_of(skb), skb->truesize, port,
			 ktime_get_ns());
	if (net->backlogs.waiting == waiting)
		return;
	set_queue(net);
	start_retry(net);
}

static void run_backlogs(struct umf_net *net)
{
	lockdep_assert_held(&net->tx_lock);
	if (umf_segment_tx_changed(net->seg))
		look_around(net);
	umf_backlog_run(&net->backlogs, ktime_get_ns());
	tx_completed(net);
	set_queue(net);
	start_retry(net);
}

static enum hrtimer_restart retry_timer(struct hrtimer *timer)
{
	struct umf_net *net = container_of(timer, struct umf_net, retry);

	spin_lock_bh(&net->tx_lock);
	run_backlogs(net);
	spin_unlock_bh(&net->tx_lock);
	return HRTIMER_NORESTART;
}

void umf_net_tx_hurry(struct umf_net *net)
{
	if (!READ_ONCE(net->backlogs.waiting))
		return;
	spin_lock(&net->tx_lock);
	run_backlogs(net);
	spin_unlock(&net->tx_lock);
}

/* ---- sending ---- */

/* A frame that has no room there is counted for who watches, by us and by it. */
static void copy_to_monitors(struct umf_net *net, struct sk_buff *skb)
{
	u64 missed = umf_backlog_watch(&net->backlogs, frame_of(skb),
				       umf_segment_monitors(net->seg));

	for (; missed; missed &= missed - 1) {
		umf_net_count(net, UMF_NET_TX_UNWATCHED);
		umf_segment_miss(net->seg, __ffs64(missed));
	}
}

u64 umf_net_route(struct umf_net *net, struct sk_buff *skb)
{
	bool flooded;
	u64 ports;

	spin_lock(&net->tx_lock);
	if (umf_segment_tx_changed(net->seg))
		look_around(net);
	ports = umf_segment_peers(net->seg);
	copy_to_monitors(net, skb);
	spin_unlock(&net->tx_lock);

	ports = umf_route_to(net->route, skb->data, ports, umf_net_seconds(),
			     &flooded);
	if (flooded)
		umf_net_count(net, UMF_NET_TX_FLOODED);
	return ports;
}

void umf_net_send(struct umf_net *net, struct sk_buff *skb, u64 ports)
{
	struct sk_buff *copy;
	unsigned int port;

	spin_lock(&net->tx_lock);
	/* What a rule has kept was routed some time ago. */
	if (umf_segment_tx_changed(net->seg))
		look_around(net);
	if (umf_segment_line(net->seg, skb->len) && net->sending) {
		set_queue(net);
		start_retry(net);
	}
	ports = umf_backlog_send(&net->backlogs, frame_of(skb), ports);
	for (; ports; ports &= ports - 1) {
		port = __ffs64(ports);
		/* The last one's is the frame itself, with its socket. */
		copy = skb;
		if (ports & (ports - 1))
			copy = skb_clone(skb, GFP_ATOMIC);
		else
			skb = NULL;
		if (copy)
			park(net, copy, port);
		else
			tx_lost(&net->backlogs, frame_of(skb), port, -ENOMEM);
	}
	spin_unlock(&net->tx_lock);
	dev_consume_skb_any(skb);
}

u32 umf_net_port_gen(struct umf_net *net, unsigned int port)
{
	return umf_segment_peer_gen(net->seg, port);
}

netdev_tx_t umf_net_xmit(struct sk_buff *skb, struct net_device *dev)
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

/* ---- up and down ---- */

void umf_net_tx_init(struct umf_net *net)
{
	spin_lock_init(&net->tx_lock);
	net->backlogs.ops = &tx_ops;
	net->backlogs.bytes_max = BACKLOG_BYTES;
	hrtimer_setup(&net->retry, retry_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_SOFT);
}

void umf_net_tx_start(struct umf_net *net)
{
	spin_lock_bh(&net->tx_lock);
	net->sending = true;
	set_queue(net);
	spin_unlock_bh(&net->tx_lock);
}

void umf_net_tx_stop(struct umf_net *net)
{
	spin_lock_bh(&net->tx_lock);
	net->sending = false;
	umf_backlog_drop(&net->backlogs, U64_MAX);
	tx_completed(net);
	netdev_reset_queue(net->dev);
	netif_stop_queue(net->dev);
	spin_unlock_bh(&net->tx_lock);
	hrtimer_cancel(&net->retry);
}
