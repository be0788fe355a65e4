// SPDX-License-Identifier: GPL-2.0
/*
 * The interface as a site of the fault core: its rules come, match and go, and
 * the interface follows.
 */
#include <linux/etherdevice.h>
#include <linux/slab.h>
#include "net/fault/priv.h"

#define FLOWS_FROM	4	/* filters, else each is asked */

static struct umf_net *net_of(struct umf_site *site)
{
	return container_of(site, struct umf_net, fault.site);
}

static struct umf_net_rule *own_of(const struct umf_rule *rule)
{
	return rule->priv;
}

/* ---- a rule's life ---- */

/* The same kinds, counted up and down. */
static void count_rule(const struct umf_rule *rule, int by)
{
	struct umf_net_fault *fault = &net_of(rule->site)->fault;
	const struct umf_net_rule *own = own_of(rule);

	if (own->per_port)
		atomic_add(by, &fault->per_port);
	if (own->filter.prog)
		atomic_add(by, &fault->filters);
	if (rule->spec.action == UMF_A_MACFLAP)
		atomic_add(by, &fault->flaps);
	if (rule->spec.action == UMF_A_PARTITION)
		atomic_add(by, &fault->partitions);
}

static void own_free(struct umf_net_rule *own)
{
	umf_net_filter_free(&own->filter);
	umf_net_sides_free(own);
	kfree(own);
}

static int site_prepare(struct umf_rule *rule, struct umf_reply *reply)
{
	const struct umf_net_action *action = umf_net_actions[rule->spec.action];
	struct umf_spec *spec = &rule->spec;
	struct umf_net_rule *own;
	int err = 0, dir;

	own = kzalloc_obj(*own);
	if (!own)
		return umf_fail(reply, -ENOMEM, "out of memory");
	if (action && action->prepare)
		err = action->prepare(net_of(rule->site), spec, own, reply);
	if (!err && umf_has(spec, UMF_K_BPF))
		err = umf_net_filter_parse(&own->filter,
					   spec->val[UMF_K_BPF].text, reply);
	if (err) {
		own_free(own);
		return err;
	}
	for (dir = UMF_DIR_RX; dir <= UMF_DIR_TX; dir++) {
		umf_net_queue_init(&own->waiting[dir].queue);
		INIT_LIST_HEAD(&own->waiting[dir].list);
		own->waiting[dir].rule = rule;
	}
	own->per_port = umf_has(spec, UMF_K_PEER) &&
			spec->action != UMF_A_MACFLAP &&
			umf_num(spec, UMF_K_DIR, UMF_DIR_TX) == UMF_DIR_TX;
	if (umf_has(spec, UMF_K_PEER))
		rule->key = umf_net_peer_key(spec->val[UMF_K_PEER].a);
	rule->priv = own;
	count_rule(rule, 1);
	return 0;
}

static void site_release(struct umf_rule *rule)
{
	struct umf_net_rule *own = own_of(rule);

	count_rule(rule, -1);
	WARN_ON_ONCE(own->waiting[UMF_DIR_RX].queue.count ||
		     own->waiting[UMF_DIR_TX].queue.count);
	own_free(own);
}

/* ---- matching ---- */

static const struct umf_net_op *nop_of(const struct umf_op *op)
{
	return container_of_const(op, struct umf_net_op, op);
}

static const struct umf_net_filter *filter_of(const struct umf_rule *rule)
{
	return own_of(rule)->filter.prog ? &own_of(rule)->filter : NULL;
}

static bool site_match(const struct umf_rule *rule, const struct umf_op *op)
{
	return umf_net_filter_match(&own_of(rule)->filter, nop_of(op)->skb);
}

static bool site_excludes(const struct umf_rule *rule, const struct umf_op *op)
{
	const struct umf_net_op *nop = nop_of(op);

	return umf_net_filter_excludes(&own_of(rule)->filter, nop->skb,
				       nop->gso);
}

static bool site_changes(const struct umf_op *op,
			 const struct umf_effect *effect)
{
	const struct umf_net_action *action = umf_net_actions[effect->action];

	return !action || !action->changes || action->changes(op, effect);
}

static const unsigned long *site_refused(struct umf_site *site,
					 const struct umf_op *op,
					 const struct umf_plan *plan)
{
	struct umf_net_fault *fault = &net_of(site)->fault;
	const struct umf_net_op *nop = nop_of(op);

	if (atomic_read(&fault->filters) < FLOWS_FROM)
		return NULL;
	return umf_net_flows_refused(&fault->flows[op->dir], plan, nop->skb,
				     nop->gso);
}

static void site_describe(const struct umf_op *op,
			  const struct umf_effect *effect, char *buf,
			  size_t len)
{
	const struct umf_net_action *action = umf_net_actions[effect->action];
	const struct umf_net_op *nop = nop_of(op);
	struct umf_note note = {};
	struct ethhdr eth;

	if (skb_copy_bits(nop->skb, 0, &eth, sizeof(eth)))
		return;
	umf_note(&note, "%s %zu bytes %pM>%pM 0x%04x",
		 op->dir == UMF_DIR_TX ? "tx" : "rx", op->len,
		 eth.h_source, eth.h_dest, ntohs(eth.h_proto));
	if (op->keyed) {
		u64_to_ether_addr(nop->peer, eth.h_dest);
		umf_note_more(&note, " to %pM", eth.h_dest);
	}
	if (action->describe)
		action->describe(nop->job, effect, true, len - note.len,
				 &note);
	strscpy(buf, note.text, len);
}

static void site_print(const struct umf_rule *rule, struct umf_reply *reply)
{
	umf_net_sides_print(own_of(rule), reply);
}

/* ---- following ---- */

static void site_update(struct umf_site *site)
{
	struct umf_net *net = net_of(site);

	umf_net_partition_update(net);
	umf_net_levels_update(net);
	umf_net_lanes_update(net);
	umf_net_flap_update(net);
	if (in_task())
		umf_net_lanes_wait(net);
}

static void site_lingers(struct umf_site *site, struct umf_reply *reply)
{
	umf_net_partition_lingers(net_of(site), reply);
}

void umf_net_fault_open(struct umf_net *net)
{
	umf_net_lanes_open(net);
	umf_net_levels_open(net, true);
	umf_net_flap_update(net);
}

void umf_net_fault_stop(struct umf_net *net)
{
	umf_net_levels_open(net, false);
	umf_net_lanes_close(net);
}

/* ---- the site ---- */

static const struct umf_site_ops site_ops = {
	.prepare	= site_prepare,
	.release	= site_release,
	.match		= site_match,
	.excludes	= site_excludes,
	.changes	= site_changes,
	.refused	= site_refused,
	.describe	= site_describe,
	.print		= site_print,
	.update		= site_update,
	.lingers	= site_lingers,
};

int umf_net_fault_add(struct umf_net *net)
{
	struct umf_net_fault *fault = &net->fault;

	umf_net_flows_init(&fault->flows[UMF_DIR_RX], UMF_DIR_RX, filter_of);
	umf_net_flows_init(&fault->flows[UMF_DIR_TX], UMF_DIR_TX, filter_of);
	umf_net_partition_init(net);
	umf_net_flap_init(net);
	fault->actions = umf_net_actions;
	umf_net_lanes_init(net, &umf_net_lane_ops);
	spin_lock_init(&fault->level_lock);
	strscpy(fault->site.name, net->dev->name, sizeof(fault->site.name));
	fault->speed = UMF_NET_SPEED;
	fault->duplex = DUPLEX_FULL;
	fault->site.class = UMF_CLASS_NET;
	fault->site.ops = &site_ops;
	return umf_site_add(&fault->site);
}

void umf_net_fault_del(struct umf_net *net)
{
	umf_site_del(&net->fault.site);
	umf_net_flows_free(&net->fault.flows[UMF_DIR_RX]);
	umf_net_flows_free(&net->fault.flows[UMF_DIR_TX]);
	cancel_delayed_work_sync(&net->fault.partition_work);
	hrtimer_cancel(&net->fault.flap_timer);
}

int umf_net_fault_rename(struct umf_net *net)
{
	struct umf_site *site = &net->fault.site;
	int err = umf_site_rename(site, net->dev->name);

	if (err == -EBUSY)
		netdev_warn(net->dev, "not renamed from %s: its fault rules name it\n",
			    site->name);
	return err;
}
