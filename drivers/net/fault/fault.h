/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rules on a network interface: what the rest of the driver sees of them.
 *
 *	sent:     xmit -> lane TX -> the switch -> lane PORT -> rings
 *	received: rings -> NAPI poll -> lane RX -> the stack
 *
 * A lane (net/fault/lane.c) is where rules are asked and where frames wait. With
 * no rule on the interface each direction tests one static branch and goes past.
 */
#ifndef __UMF_NET_FAULT_H
#define __UMF_NET_FAULT_H

#include <linux/hrtimer.h>
#include <linux/kconfig.h>
#include <linux/list.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "capture/capture.h"
#include "fault/fault.h"
#include "net/fault/flow.h"

struct umf_net;
struct umf_net_action;

#define UMF_NET_SPEED	10000	/* Mbit/s, what ethtool says unless a rule does */

#if IS_ENABLED(CONFIG_UMF_NET_FAULT)

enum umf_net_lane_id {
	UMF_NET_LANE_RX,	/* what is received */
	UMF_NET_LANE_TX,	/* what is sent, before the switch */
	UMF_NET_LANE_PORT,	/* and behind it, once for each receiver */
	UMF_NET_LANES
};

/* lane.c's own; BH is off for all of it */
struct umf_net_lane {
	struct umf_net *net;
	const struct umf_net_lane_ops *ops;
	spinlock_t lock;		/* what follows; a rule's is taken inside */
	bool open;			/* the interface is up */
	bool busy;			/* somebody runs it; nobody else does */
	u64 came, went;			/* frames that had not to wait, or no more */
	struct list_head queues;	/* rules' queues that are not empty */
	struct list_head released;	/* frames that have waited, in order */
	struct sk_buff_head fresh;	/* frames that came while it was busy */
	struct hrtimer timer;		/* the first frame that is due */
};

/* What ethtool -S shows beside the actions, by enum umf_action_id and up. */
enum umf_net_fault_what {
	UMF_NET_LIMIT = UMF_A_MAX,	/* lost: the rule's queue was full */
	UMF_NET_NOMEM,			/* not done: there was no memory for it */
	UMF_NET_FAULT_COUNTS
};

struct umf_net_fault {
	struct umf_site site;
	const struct umf_net_action *const *actions;	/* by enum umf_action_id */
	struct umf_net_lane lane[UMF_NET_LANES];

	/* Rules of a kind; changed as they are made and freed (site.c). */
	atomic_t per_port;		/* to ask for each receiver of a frame */
	atomic_t filters;		/* that have one */
	atomic_t flaps;			/* macflap */
	atomic_t partitions;

	struct umf_net_flows flows[2];	/* by enum umf_dir; under RCU */
	atomic_long_t count[2][UMF_NET_FAULT_COUNTS];

	spinlock_t level_lock;		/* what follows (level.c); BH off */
	bool open;			/* the interface is up */
	bool down;			/* a rule says: no carrier */
	u32 speed;			/* Mbit/s; these two are for ethtool */
	u8 duplex;

	struct hrtimer flap_timer;	/* flap.c */
	bool flapping;			/* that timer's: it has sent something */

	struct delayed_work partition_work;	/* partition.c */
	bool partitioned;		/* the segment has cuts of ours; its lock */
};

/* ---- site.c ---- */

int umf_net_fault_add(struct umf_net *net);
void umf_net_fault_del(struct umf_net *net);
/* The interface has another name: rules must be able to say it. */
int umf_net_fault_rename(struct umf_net *net);
void umf_net_fault_open(struct umf_net *net);	/* sets the carrier */
void umf_net_fault_stop(struct umf_net *net);	/* frees what waits */

/* ---- level.c ---- */

void umf_net_fault_link(struct umf_net *net, u32 *speed, u8 *duplex);

/* ---- note.c: what ethtool -S shows of rules, and captures ---- */

int umf_net_fault_stats_len(const struct umf_net *net);
void umf_net_fault_strings(const struct umf_net *net, u8 **buf);
void umf_net_fault_stats(struct umf_net *net, u64 *buf);

/* Takes the frame down. Its data start at the MAC header. */
void umf_net_capture(struct umf_net *net, const struct sk_buff *skb,
		     enum umf_dir dir, const char *comment);
/* The same of one that a partition loses on its way to, or from, that port. */
void umf_net_capture_cut_tx(struct umf_net *net, const struct sk_buff *skb,
			    unsigned int port);
void umf_net_capture_cut_rx(struct umf_net *net, const u8 *data, size_t len,
			    unsigned int port);

/* ---- lane.c ---- */

/* Is there no frame on its way that a new one must not overtake? */
bool umf_net_fault_idle(const struct umf_net *net);

/* ---- verdict.c: the ways in; each consumes the frame. BH off ---- */

void umf_net_fault_tx(struct umf_net *net, struct sk_buff *skb);
/* In the NAPI poll only. @port has sent it. */
void umf_net_fault_rx(struct umf_net *net, struct sk_buff *skb,
		      unsigned int port);
/*
 * The beginning of each NAPI poll: frames whose waiting has ended pass, @budget
 * at most. Returns how many; when it is all of @budget there may be more.
 */
int umf_net_fault_poll(struct umf_net *net, int budget);

/* ---- partition.c ---- */

/* Somebody came, went or has another name. May sleep. */
void umf_net_fault_ports_changed(struct umf_net *net);

#else

struct umf_net_fault {
};

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

static inline void umf_net_fault_stop(struct umf_net *net)
{
}

static inline void umf_net_fault_link(struct umf_net *net, u32 *speed,
				      u8 *duplex)
{
	*speed = UMF_NET_SPEED;
	*duplex = DUPLEX_FULL;
}

static inline int umf_net_fault_stats_len(const struct umf_net *net)
{
	return 0;
}

static inline void umf_net_fault_strings(const struct umf_net *net, u8 **buf)
{
}

static inline void umf_net_fault_stats(struct umf_net *net, u64 *buf)
{
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

static inline void umf_net_fault_tx(struct umf_net *net, struct sk_buff *skb)
{
}

static inline void umf_net_fault_rx(struct umf_net *net, struct sk_buff *skb,
				    unsigned int port)
{
}

static inline int umf_net_fault_poll(struct umf_net *net, int budget)
{
	return 0;
}

static inline void umf_net_fault_ports_changed(struct umf_net *net)
{
}

#endif /* CONFIG_UMF_NET_FAULT */
#endif /* __UMF_NET_FAULT_H */
