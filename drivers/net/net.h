/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The network interface: what its files share.
 *
 *	sent: xmit ─► net_fault ─► net_switch ─► net_fault (per port) ─► rings
 *	received: rings ─► NAPI poll ─► net_switch learns ─► net_fault ─► the stack
 *
 * With no rule on the device each direction tests one static branch and goes
 * past net_fault.
 */
#ifndef __UMF_NET_H
#define __UMF_NET_H

#include <linux/ethtool.h>
#include <linux/hrtimer.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "net/fault/fault.h"
#include "net/port/backlog.h"
#include "net/port/route.h"
#include "net/segment/segment.h"
#include "time/clock.h"

#define UMF_NET_UNITS	32
#define UMF_NET_MTU_MAX	65521
#define UMF_NET_SEGS	128	/* of a GSO frame; 64 KiB at an MSS of 536 are 123 */

/* What ethtool -S shows. */
enum umf_net_count {
	UMF_NET_TX_RING_FULL,	/* lost: the receiver does not keep up */
	UMF_NET_TX_WAITED,	/* not sent at once as a receiver was full */
	UMF_NET_TX_NO_RING,	/* no ring could be made to it */
	UMF_NET_TX_FLOODED,	/* frames sent to all ports */
	UMF_NET_TX_UNWATCHED,	/* frames that a monitor had no room for */
	UMF_NET_TX_TIMEOUTS,	/* the watchdog found the queue stalled */
	UMF_NET_TX_WAKEUPS,	/* ports found dead while ringing them */
	UMF_NET_TX_PARTITIONED,	/* not sent, a partition was between */
	UMF_NET_RX_PARTITIONED,	/* on its way when that began */
	UMF_NET_RX_CORRUPT_RING,
	UMF_NET_RX_BAD_FRAME,
	UMF_NET_RX_TOO_LONG,	/* for the interface's MTU */
	UMF_NET_RX_NO_MEMORY,
	UMF_NET_RX_FILTERED,	/* for another MAC or a group not asked for */
	UMF_NET_COUNTS
};

/*
 * What net/fault/ wants of net/dev/, which calls it: where frames go that rules
 * let pass. All with BH off; a frame's data start at the MAC header.
 */
struct umf_net_dev_ops {
	/*
	 * The ports a frame goes to; a frame is flooded when its port is not
	 * known. Monitors are not among them: they get their copy here.
	 */
	u64 (*route)(struct umf_net *net, struct sk_buff *skb);
	/* Consumes the frame. */
	void (*send)(struct umf_net *net, struct sk_buff *skb, u64 ports);
	/* In the NAPI poll only. Consumes the frame. */
	void (*receive)(struct umf_net *net, struct sk_buff *skb);
	/* The port's generation, to know it again later. */
	u32 (*port_gen)(struct umf_net *net, unsigned int port);
	/* Stops the tx queue, or lets it run again. */
	void (*stall)(struct umf_net *net, bool stall);
};

struct umf_net {
	/* Of umf_net_create(), and not changed after that. */
	const struct umf_net_dev_ops *ops;
	struct net_device *dev;
	unsigned int unit;
	char *spec;		/* "switch,…" as configured */
	struct umf_segment *seg;	/* its send side: tx_lock's; its other: NAPI's */
	struct umf_route *route;	/* the same (net/port/route.h) */
	struct delayed_work watch;	/* looks for ports that died */
	struct work_struct rejoin;	/* the watch finds the segment lost */

	/* RTNL's: open and stop. */
	int irq;
	struct umf_clock_bell bell;	/* virtual time: in place of it */

	/* tx_lock's; taken with BH off. */
	spinlock_t tx_lock;
	bool sending;		/* the interface is up */
	bool stalled;		/* a rule says: the tx queue stops */
	bool timed_out;		/* the watchdog has said so */
	struct umf_backlogs backlogs;
	unsigned int done_packets, done_bytes;	/* no more in flight, BQL is to hear */
	struct hrtimer retry;	/* of the backlogs; no lock needed */

	/* NAPI's. */
	struct napi_struct napi;

	/* Written by set_rx_mode, read by NAPI. */
	u64 groups;		/* multicast MACs that are wanted, by hash */

	/* Anybody's. */
	atomic_long_t count[UMF_NET_COUNTS];
	struct umf_net_fault fault;	/* see there */
};

/* ---- net/fault/ ---- */

#if IS_ENABLED(CONFIG_UMF_NET_FAULT)

/* Is anything to be asked, or to be kept in order? The one test of a hot path. */
static inline bool umf_net_fault_active(const struct umf_net *net)
{
	return static_branch_unlikely(&umf_any_rule) &&
	       (umf_site_asks(&net->fault.site) ||
		READ_ONCE(net->fault.down) || !umf_net_fault_idle(net));
}

static inline bool umf_net_capturing(const struct umf_net *net)
{
	return umf_capturing(&net->fault.site);
}

#else

static inline void umf_net_fault_open(struct umf_net *net)
{
	netif_carrier_on(net->dev);
}

static inline bool umf_net_fault_active(const struct umf_net *net)
{
	return false;
}

static inline bool umf_net_capturing(const struct umf_net *net)
{
	return false;
}

#endif /* CONFIG_UMF_NET_FAULT */
#endif /* __UMF_NET_H */
