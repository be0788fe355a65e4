// SPDX-License-Identifier: GPL-2.0
/*
 * An interface whose segment was removed or truncated under it joins it anew:
 * down and up again as far as the segment is concerned, which nobody above sees
 * but as a carrier that was lost for a moment. Addresses and routes stay.
 */
#include <linux/rtnetlink.h>
#include "net/dev/dev.h"

void umf_net_rejoin(struct work_struct *work)
{
	struct umf_net *net = container_of(work, struct umf_net, rejoin);
	const struct net_device_ops *ops = net->dev->netdev_ops;
	struct umf_segment *fresh;
	bool up;

	if (!umf_segment_lost(net->seg))
		return;
	fresh = umf_segment_rejoin(net->seg);
	if (IS_ERR(fresh))
		return;		/* the next watch tries again */
	rtnl_lock();
	up = netif_running(net->dev);
	if (up)
		ops->ndo_stop(net->dev);
	umf_segment_adopt(net->seg, fresh);
	if (up && ops->ndo_open(net->dev))
		netdev_err(net->dev, "has no bell any more, and receives nothing\n");
	rtnl_unlock();
}
