// SPDX-License-Identifier: GPL-2.0
/*
 * What ethtool is told: the link, the counters, the sizes of rings.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include "net/dev/dev.h"

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
	[UMF_NET_RX_TOO_LONG]		= "rx_too_long",
	[UMF_NET_RX_NO_MEMORY]		= "rx_no_memory",
	[UMF_NET_RX_FILTERED]		= "rx_filtered",
};

/* There is one queue. */
#define QUEUE_COUNTS	4
static const char umf_net_queue_names[QUEUE_COUNTS][ETH_GSTRING_LEN] = {
	"rx_queue_0_packets", "rx_queue_0_bytes",
	"tx_queue_0_packets", "tx_queue_0_bytes",
};

static void umf_net_get_drvinfo(struct net_device *dev,
				struct ethtool_drvinfo *info)
{
	struct umf_net *net = netdev_priv(dev);

	strscpy(info->driver, UMF_NET_DRIVER);
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
	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return QUEUE_COUNTS + UMF_NET_COUNTS +
	       umf_net_fault_stats_len(netdev_priv(dev));
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
	umf_net_fault_strings(netdev_priv(dev), &buf);
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

const struct ethtool_ops umf_net_ethtool_ops = {
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
