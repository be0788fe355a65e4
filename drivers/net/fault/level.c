// SPDX-License-Identifier: GPL-2.0
/*
 * Levels, which are states of the interface: `down` turns the carrier off and
 * loses whatever would pass, `stall` stops the tx queue, `link` is what ethtool
 * is told. level_lock makes what is set one with what the rules in force say.
 */
#include <linux/ethtool.h>
#include <linux/math64.h>
#include "net/fault/priv.h"

static void visit_link(struct umf_rule *rule, void *data)
{
	struct umf_net_fault *fault = data;

	if (rule->spec.action != UMF_A_LINK)
		return;
	if (umf_has(&rule->spec, UMF_K_RATE))
		fault->speed = div_u64(rule->spec.val[UMF_K_RATE].a, 1000000);
	if (umf_has(&rule->spec, UMF_K_DUPLEX))
		fault->duplex = rule->spec.val[UMF_K_DUPLEX].a ? DUPLEX_FULL :
								  DUPLEX_HALF;
}

static void set_levels(struct umf_net *net)
{
	struct umf_net_fault *fault = &net->fault;
	u32 speed = fault->speed;
	u8 duplex = fault->duplex;

	lockdep_assert_held(&fault->level_lock);
	WRITE_ONCE(fault->down, umf_site_level(&fault->site, UMF_A_DOWN));
	fault->speed = UMF_NET_SPEED;
	fault->duplex = DUPLEX_FULL;
	umf_site_visit_levels(&fault->site, visit_link, fault);
	net->ops->stall(net, umf_site_level(&fault->site, UMF_A_STALL));
	if (!fault->open)
		return;
	if (fault->down)
		netif_carrier_off(net->dev);
	else
		netif_carrier_on(net->dev);
	/* As after negotiation: who asked before asks again. */
	if (fault->speed != speed || fault->duplex != duplex)
		netif_carrier_event(net->dev);
}

void umf_net_levels_update(struct umf_net *net)
{
	spin_lock_bh(&net->fault.level_lock);
	set_levels(net);
	spin_unlock_bh(&net->fault.level_lock);
}

void umf_net_levels_open(struct umf_net *net, bool open)
{
	spin_lock_bh(&net->fault.level_lock);
	WRITE_ONCE(net->fault.open, open);
	if (open)
		set_levels(net);
	spin_unlock_bh(&net->fault.level_lock);
}

void umf_net_fault_link(struct umf_net *net, u32 *speed, u8 *duplex)
{
	*speed = READ_ONCE(net->fault.speed);
	*duplex = READ_ONCE(net->fault.duplex);
}
