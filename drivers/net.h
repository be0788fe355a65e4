/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The network interface: what net_main.c and the other net_*.c share.
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
#include <linux/kconfig.h>
#include <linux/netdevice.h>
#include <linux/rbtree.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "capture.h"
#include "fault.h"
#include "net_flow.h"
#include "net_segment.h"
#include "net_switch.h"

#define UMF_NET_UNITS	32
#define UMF_NET_MTU_MAX	65521
#define UMF_NET_SPEED	10000	/* Mbit/s, what ethtool says unless a rule does */

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
	UMF_NET_RX_NO_MEMORY,
	UMF_NET_RX_FILTERED,	/* for another MAC or a group not asked for */
	UMF_NET_COUNTS
};

#if IS_ENABLED(CONFIG_UMF_NET_FAULT)

struct umf_net_fault {
	struct umf_site site;
	atomic_t per_port;	/* rules to ask for each receiver of a frame */
	atomic_t filters;	/* rules that have one */
	struct umf_net_flows flows[2];	/* by enum umf_dir */
	atomic_t partitions;	/* rules of that kind, and who sees to them */
	struct delayed_work partition_work;
	atomic_t flaps;		/* likewise macflap */
	struct hrtimer flap_timer;
	bool flapping;		/* that timer's: it has sent something */
	/* Frames by what was done to them, for ethtool; [UMF_A_MAX]: no room */
	atomic_long_t acted[2][UMF_A_MAX + 1];
	bool down;		/* a rule says: no carrier */
	u32 speed;		/* Mbit/s; these two are for ethtool */
	u8 duplex;
	/*
	 * Protects what follows. Never held while a frame is passed on or the
	 * fault core is asked for a verdict.
	 */
	spinlock_t lock;
	bool open;		/* frames may wait here */
	struct rb_root delayed;	/* by due time, then by arrival */
	struct sk_buff_head held;
	struct list_head waits;	/* how many wait, for each rule */
	struct hrtimer timer;	/* the first due frame */
};

#else

struct umf_net_fault {
};

#endif

/* What waits for a port whose ring is full. */
struct umf_net_backlog {
	struct sk_buff_head frames;
	u32 tail;		/* where it had read to when last looked at */
	u64 stuck_at;		/* ns, monotonic: unless it reads until then */
};

struct umf_net {
	struct net_device *dev;
	unsigned int unit;
	char *spec;		/* "switch,…" as configured */
	struct umf_segment *seg;
	struct umf_fdb *fdb;
	spinlock_t tx_lock;	/* the segment's send side and what follows; BH off */
	bool sending;		/* the interface is up */
	bool stalled;		/* a rule says: the tx queue stops */
	bool timed_out;		/* the watchdog has said so */
	u64 waiting, stuck;	/* ports with a backlog; of these, who reads nothing */
	u64 backlog_bytes;
	struct umf_net_backlog backlog[UMF_SEG_PORTS];
	struct hrtimer retry;	/* of the backlogs; no lock needed */
	struct napi_struct napi;
	u64 forget;		/* NAPI's: ports whose MACs are to be forgotten */
	u64 groups;		/* multicast MACs that are wanted, by hash */
	struct delayed_work watch;	/* looks for ports that died */
	int irq;
	atomic_long_t count[UMF_NET_COUNTS];
	struct umf_net_fault fault;
};

/* ---- net_main.c; all with BH off ---- */

/*
 * The ports a frame goes to; a frame is flooded when its port is not known.
 * Monitors are not among them: they get their copy here.
 */
u64 umf_net_route(struct umf_net *net, struct sk_buff *skb);
/* Each consumes the frame. Its data start at the MAC header. */
void umf_net_send(struct umf_net *net, struct sk_buff *skb, u64 ports);
void umf_net_receive(struct umf_net *net, struct sk_buff *skb, bool in_poll);
/* Stops the tx queue, or lets it run again. */
void umf_net_stall(struct umf_net *net, bool stall);
/* The port's generation, to know it again later. */
u32 umf_net_port_gen(struct umf_net *net, unsigned int port);

/* ---- net_fault.c ---- */

#if IS_ENABLED(CONFIG_UMF_NET_FAULT)

int umf_net_fault_add(struct umf_net *net);
void umf_net_fault_del(struct umf_net *net);
/* The interface has another name: rules must be able to say it. */
int umf_net_fault_rename(struct umf_net *net);
void umf_net_fault_open(struct umf_net *net);	/* sets the carrier */
void umf_net_fault_stop(struct umf_net *net);	/* frees what waits */
void umf_net_fault_link(struct umf_net *net, u32 *speed, u8 *duplex);
/* What ethtool -S shows of rules. */
int umf_net_fault_stats_len(void);
void umf_net_fault_strings(u8 **buf);
void umf_net_fault_stats(struct umf_net *net, u64 *buf);
void umf_net_fault_tx(struct umf_net *net, struct sk_buff *skb);
void umf_net_fault_rx(struct umf_net *net, struct sk_buff *skb);

/* When a rule is next due; its user's own. */
u64 *umf_net_fault_due(const struct umf_rule *rule);

/* ---- net_flap.c ---- */

void umf_net_flap_init(struct umf_net *net);
int umf_net_flap_prepare(const struct umf_spec *spec, struct umf_reply *reply);
void umf_net_flap_update(struct umf_net *net);

/* ---- net_partition.c ---- */

/* Somebody came, went or has another name. May sleep. */
void umf_net_fault_ports_changed(struct umf_net *net);
void umf_net_partition_init(struct umf_net *net);
/* Are the sides of this rule there, and two? 0 or umf_fail(). */
int umf_net_partition_prepare(struct umf_net *net, const struct umf_spec *spec,
			      struct umf_reply *reply);
/* Brings the segment up to date; sleeps in process context only. */
void umf_net_partition_update(struct umf_net *net);
/* Says whose partition is between two ports, and which if it is ours. */
void umf_net_partition_note(struct umf_net *net, unsigned int from,
			    unsigned int to, struct umf_note *note);

static inline bool umf_net_fault_active(const struct umf_net *net)
{
	return umf_site_active(&net->fault.site);
}

/* ---- net_capture.c ---- */

static inline bool umf_net_capturing(const struct umf_net *net)
{
	return umf_capturing(&net->fault.site);
}

/* Takes the frame down. Its data start at the MAC header. */
void umf_net_capture(struct umf_net *net, const struct sk_buff *skb,
		     enum umf_dir dir, const char *comment);
/* The same of one that a partition loses on its way to, or from, that port. */
void umf_net_capture_cut_tx(struct umf_net *net, const struct sk_buff *skb,
			    unsigned int port);
void umf_net_capture_cut_rx(struct umf_net *net, const u8 *data, size_t len,
			    unsigned int port);

#else

static inline int umf_net_fault_add(struct umf_net *net)
{
	return 0;
}

static inline void umf_net_fault_del(struct umf_net *net)
{
}

static inline int umf_net_fault_rename(struct umf_net *net)
{
	return 0;
}

static inline void umf_net_fault_open(struct umf_net *net)
{
	netif_carrier_on(net->dev);
}

static inline void umf_net_fault_stop(struct umf_net *net)
{
}

static inline void umf_net_fault_link(struct umf_net *net, u32 *speed,
				      u8 *duplex)
{
	*speed = UMF_NET_SPEED;
	*duplex = DUPLEX_FULL;
}

static inline int umf_net_fault_stats_len(void)
{
	return 0;
}

static inline void umf_net_fault_strings(u8 **buf)
{
}

static inline void umf_net_fault_stats(struct umf_net *net, u64 *buf)
{
}

static inline void umf_net_fault_ports_changed(struct umf_net *net)
{
}

static inline void umf_net_fault_tx(struct umf_net *net, struct sk_buff *skb)
{
}

static inline void umf_net_fault_rx(struct umf_net *net, struct sk_buff *skb)
{
}

static inline bool umf_net_fault_active(const struct umf_net *net)
{
	return false;
}

static inline bool umf_net_capturing(const struct umf_net *net)
{
	return false;
}

static inline void umf_net_capture(struct umf_net *net,
				   const struct sk_buff *skb, enum umf_dir dir,
				   const char *comment)
{
}

static inline void umf_net_capture_cut_tx(struct umf_net *net,
					  const struct sk_buff *skb,
					  unsigned int port)
{
}

static inline void umf_net_capture_cut_rx(struct umf_net *net, const u8 *data,
					  size_t len, unsigned int port)
{
}

#endif /* CONFIG_UMF_NET_FAULT */
#endif /* __UMF_NET_H */
