// SPDX-License-Identifier: GPL-2.0
/*
 * An interface from umf_net_create() to umf_net_destroy(): one port of one
 * segment. Up, the port receives; down, it only keeps its place. The watch sees
 * to ports that died, four times a second for as long as others live; in virtual
 * time when one did, and now and then in case somebody was in the way.
 *
 * The caller serialises making and destroying; the rest is under RTNL.
 */
#define pr_fmt(fmt) "umf: " fmt

#include <linux/etherdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <irq_kern.h>
#include "net/dev/dev.h"

#define WATCH_PERIOD	(HZ / 4)
#define WATCH_VIRTUAL	(5 * HZ)	/* the calendar says who has gone */

static void umf_net_watch(struct work_struct *work)
{
	struct umf_net *net = container_of(to_delayed_work(work),
					   struct umf_net, watch);

	if (umf_segment_rx_pending(net->seg)) {
		local_bh_disable();
		napi_schedule(&net->napi);
		local_bh_enable();
	}
	if (umf_segment_check(net->seg))
		queue_delayed_work(system_percpu_wq, &net->watch,
				   umf_clock_virtual() ? WATCH_VIRTUAL :
							 WATCH_PERIOD);
	if (umf_segment_lost(net->seg))
		schedule_work(&net->rejoin);
	umf_net_tx_look_around(net);
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
	if (umf_clock_virtual())
		umf_clock_bell_add(&net->bell);
	umf_net_tx_start(net);
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
	umf_net_tx_stop(net);
	netif_carrier_off(dev);
	um_free_irq(net->irq, net);
	if (umf_clock_virtual())
		umf_clock_bell_del(&net->bell);
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

static const struct umf_net_dev_ops umf_net_dev_ops = {
	.route		= umf_net_route,
	.send		= umf_net_send,
	.receive	= umf_net_receive,
	.port_gen	= umf_net_port_gen,
	.stall		= umf_net_stall,
};

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
	/* Receivers refuse more. */
	netif_set_tso_max_segs(dev, UMF_NET_SEGS);
	netif_napi_add(dev, &net->napi, umf_net_poll);
	netif_carrier_off(dev);
}

struct umf_net *umf_net_create(unsigned int unit,
			       const struct umf_net_config *config,
			       char error[UMF_NET_ERROR])
{
	struct net_device *dev;
	struct umf_net *net;
	int err = -ENOMEM;

	snprintf(error, UMF_NET_ERROR, "out of memory");
	dev = alloc_etherdev(sizeof(*net));
	if (!dev)
		return ERR_PTR(-ENOMEM);
	net = netdev_priv(dev);
	net->ops = &umf_net_dev_ops;
	net->dev = dev;
	net->unit = unit;
	net->seg = config->seg;
	umf_net_tx_init(net);
	umf_net_bell_init(net);
	INIT_DELAYED_WORK(&net->watch, umf_net_watch);
	INIT_WORK(&net->rejoin, umf_net_rejoin);
	net->spec = kstrdup(config->spec, GFP_KERNEL);
	net->route = kvzalloc_obj(*net->route);
	if (!net->spec || !net->route)
		goto out_free;
	eth_hw_addr_set(dev, config->mac);
	setup_dev(net);
	dev->mtu = config->mtu;
	umf_net_publish(net);
	err = umf_net_fault_add(net);
	if (err) {
		snprintf(error, UMF_NET_ERROR, "its name is in use (error %d)",
			 err);
		goto out_free;
	}
	err = register_netdev(dev);
	if (err) {
		snprintf(error, UMF_NET_ERROR, "cannot be registered (error %d)",
			 err);
		goto out_fault;
	}
	pr_info("eth%u: port %u of segment %s, MAC %pM\n", unit,
		umf_segment_port(net->seg), config->segment, dev->dev_addr);
	return net;

out_fault:
	umf_net_fault_del(net);
out_free:
	kvfree(net->route);
	kfree(net->spec);
	free_netdev(dev);
	return ERR_PTR(err);
}

void umf_net_destroy(struct umf_net *net)
{
	unregister_netdev(net->dev);
	umf_net_fault_del(net);
	cancel_delayed_work_sync(&net->watch);
	cancel_work_sync(&net->rejoin);
	umf_segment_leave(net->seg);
	kvfree(net->route);
	kfree(net->spec);
	free_netdev(net->dev);
}

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

void umf_net_dev_init(void)
{
	register_netdevice_notifier(&umf_net_notifier);
}
