// SPDX-License-Identifier: GPL-2.0
/*
 * partition: which ports of a segment a rule keeps apart.
 *
 * A rule is one guest's, what it does is done by all: the tables are in the
 * segment's shared memory (net/ring.h), and the guest whose rule it is writes
 * them. Who is on which side is asked for again (sides.c) whenever a port comes,
 * goes or changes its MAC; a side that is not given is whoever is not on the
 * other, now or later.
 *
 * Nobody waits for the join lock in softirq context. What finds it taken, there
 * or by somebody who is stopped, is done by the work, which looks again for as
 * long as there is a rule, or the segment has a cut of ours: what is published,
 * and not how many rules there are, says when all is done.
 */
#define pr_fmt(fmt) "umf: " fmt

#include <linux/delay.h>
#include <linux/preempt.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include "net/fault/priv.h"

#define LOCK_TRIES	1000		/* about milliseconds */
#define LOOK_AGAIN	(HZ / 4)

const struct umf_net_action umf_net_partition = {
	.prepare = umf_net_sides_prepare,
};

/* ---- what is in force ---- */

struct cuts {
	const struct umf_segment *seg;
	u64 cut[UMF_SEG_PORTS];
};

static void visit_partition(struct umf_rule *rule, void *data)
{
	struct cuts *cuts = data;

	if (rule->spec.action == UMF_A_PARTITION)
		umf_net_sides_cut(cuts->seg, rule, cuts->cut);
}

/* ---- what a capture says of it ---- */

struct cut_search {
	const struct umf_segment *seg;
	unsigned int from, to;
	struct umf_note *note;
};

static void visit_cutter(struct umf_rule *rule, void *data)
{
	struct cut_search *search = data;
	u64 cut[UMF_SEG_PORTS] = {};

	if (rule->spec.action != UMF_A_PARTITION || search->note->len)
		return;
	umf_net_sides_cut(search->seg, rule, cut);
	if (cut[search->from] & BIT_ULL(search->to))
		umf_note(search->note, "partition %s",
			 rule->spec.val[UMF_K_ID].text);
}

void umf_net_partition_note(struct umf_net *net, unsigned int from,
			    unsigned int to, struct umf_note *note)
{
	int owner = umf_segment_cut_by(net->seg, from, to);
	struct cut_search search = {
		.seg = net->seg,
		.from = from,
		.to = to,
		.note = note,
	};
	char label[UMF_SEG_LABEL];

	if (owner == umf_segment_port(net->seg))
		umf_site_visit_levels(&net->fault.site, visit_cutter, &search);
	else if (owner >= 0 && umf_segment_label(net->seg, owner, label))
		umf_note(note, "partition of port %d (%s)", owner, label);
	/* it has just ended */
	if (!note->len)
		umf_note(note, "partition");
}

/* ---- bringing the segment up to date ---- */

/* Looks with the lock held: whoever comes later sees more, and says more. */
static int try_update(struct umf_net *net)
{
	struct cuts cuts = { .seg = net->seg };
	int err = umf_segment_trylock(net->seg);

	if (err)
		return err;
	umf_site_visit_levels(&net->fault.site, visit_partition, &cuts);
	umf_segment_cut(net->seg, cuts.cut);
	WRITE_ONCE(net->fault.partitioned,
		   memchr_inv(cuts.cut, 0, sizeof(cuts.cut)));
	umf_segment_unlock(net->seg);
	return 0;
}

/* Is there anything to bring up to date, now or later? */
static bool has_partitions(const struct umf_net *net)
{
	return atomic_read(&net->fault.partitions) ||
	       READ_ONCE(net->fault.partitioned);
}

void umf_net_partition_update(struct umf_net *net)
{
	struct delayed_work *work = &net->fault.partition_work;
	int tries = in_task() ? LOCK_TRIES : 1;

	if (!has_partitions(net))
		return;
	while (try_update(net)) {
		if (!--tries) {
			if (in_task())
				pr_warn_ratelimited("%s: the segment is busy, a port is stopped while it joins or leaves: partitions wait for it\n",
						    net->fault.site.name);
			mod_delayed_work(system_percpu_wq, work, 1);
			return;
		}
		usleep_range(500, 1000);
	}
	if (has_partitions(net))
		queue_delayed_work(system_percpu_wq, work, LOOK_AGAIN);
}

void umf_net_partition_lingers(struct umf_net *net, struct umf_reply *reply)
{
	if (!READ_ONCE(net->fault.partitioned) ||
	    umf_site_level(&net->fault.site, UMF_A_PARTITION))
		return;
	umf_say(reply, "%s: the partition stays until ", net->fault.site.name);
	umf_say(reply, "a port that is stopped in joining goes on, or is killed\n");
}

static void partition_work(struct work_struct *work)
{
	struct umf_net_fault *fault =
		container_of(to_delayed_work(work), struct umf_net_fault,
			     partition_work);

	umf_net_partition_update(container_of(fault, struct umf_net, fault));
}

void umf_net_fault_ports_changed(struct umf_net *net)
{
	if (has_partitions(net))
		mod_delayed_work(system_percpu_wq, &net->fault.partition_work,
				 0);
}

void umf_net_partition_init(struct umf_net *net)
{
	atomic_set(&net->fault.partitions, 0);
	INIT_DELAYED_WORK(&net->fault.partition_work, partition_work);
}
