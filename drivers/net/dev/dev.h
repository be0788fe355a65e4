/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The netdev: what the files of net/dev/ share, by the file that has it. They
 * call each other in this order only: config, main, rx and ethtool, tx.
 */
#ifndef __UMF_NET_DEV_H
#define __UMF_NET_DEV_H

#include <linux/if_ether.h>
#include <linux/interrupt.h>
#include <linux/timekeeping.h>
#include "net/net.h"

#define UMF_NET_DRIVER	"umf-net"
#define UMF_NET_ERROR	(UMF_SEG_ERROR + 32)	/* room for a refusal's text */

static inline void umf_net_count(struct umf_net *net, enum umf_net_count what)
{
	atomic_long_inc(&net->count[what]);
}

/* The switch port's clock. */
static inline u32 umf_net_seconds(void)
{
	return ktime_get_seconds();
}

/* ---- main.c ---- */

/* What an interface is made of. */
struct umf_net_config {
	const char *spec;	/* "switch,..." as configured */
	const char *segment;	/* its name, for people */
	struct umf_segment *seg;	/* joined */
	u8 mac[ETH_ALEN];
	unsigned int mtu;
};

/*
 * Interface ethN, or an ERR_PTR and the reason why not in @error. The segment is
 * the interface's then. Both sleep.
 */
struct umf_net *umf_net_create(unsigned int unit,
			       const struct umf_net_config *config,
			       char error[UMF_NET_ERROR]);
/* Leaves the segment, too. */
void umf_net_destroy(struct umf_net *net);
/* Before the first umf_net_create(). */
void umf_net_dev_init(void);

/* ---- rejoin.c ---- */

void umf_net_rejoin(struct work_struct *work);

/* ---- rx.c ---- */

/* As umf_net_dev_ops has it. */
void umf_net_receive(struct umf_net *net, struct sk_buff *skb);
int umf_net_poll(struct napi_struct *napi, int budget);
irqreturn_t umf_net_irq(int irq, void *data);
/* The same in virtual time. */
void umf_net_bell_init(struct umf_net *net);
void umf_net_set_rx_mode(struct net_device *dev);

/* ---- ethtool.c ---- */

extern const struct ethtool_ops umf_net_ethtool_ops;

/* ---- tx.c ---- */

/* As umf_net_dev_ops has them. */
u64 umf_net_route(struct umf_net *net, struct sk_buff *skb);
void umf_net_send(struct umf_net *net, struct sk_buff *skb, u64 ports);
void umf_net_stall(struct umf_net *net, bool stall);
u32 umf_net_port_gen(struct umf_net *net, unsigned int port);

void umf_net_tx_init(struct umf_net *net);
void umf_net_tx_start(struct umf_net *net);
void umf_net_tx_stop(struct umf_net *net);	/* frees what waits */
netdev_tx_t umf_net_xmit(struct sk_buff *skb, struct net_device *dev);
void umf_net_tx_timeout(struct net_device *dev, unsigned int queue);
/* Drops what is kept for ports that have left. */
void umf_net_tx_look_around(struct umf_net *net);
/* A chance to send sooner than the timer: who sends to us has read, too. BH off. */
void umf_net_tx_hurry(struct umf_net *net);

#endif /* __UMF_NET_DEV_H */
