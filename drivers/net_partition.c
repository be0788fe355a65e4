// SPDX-License-Identifier: GPL-2.0
/*
 * partition: which ports of a segment a rule keeps apart.
 *
 * A rule is one guest's, what it does is done by all: the tables are in the
 * segment's shared memory (net_ring.h), and the guest whose rule it is writes
 * them. Sides are names: who restarts, or comes later, is on the side that
 * names it. So they are resolved again whenever a port comes, goes or changes
 * its MAC; a side that is not given is whoever is not on the other, now or
 * later, which needs no names.
 *
 * Nobody waits for the join lock in softirq context. What finds it taken, there
 * or by somebody who is stopped, is done by the work, which looks again for as
 * long as there is a rule.
 */
#define pr_fmt(fmt) "umf: " fmt

#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/hex.h>
#include <linux/preempt.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include "net.h"

#define LOCK_TRIES	1000		/* about milliseconds */
#define LOOK_AGAIN	(HZ / 4)
#define SHOWN		8		/* ports in an error's text */

/* ---- names ---- */

/* The ports that @name stands for: a number, a MAC, a label or a guest. */
static u64 ports_named(const struct umf_segment *seg, const char *name,
		       size_t len)
{
	char label[UMF_SEG_LABEL];
	u64 ports = 0, mac = 0;
	unsigned int i, nr = UMF_SEG_PORTS;
	u8 addr[ETH_ALEN];
	bool hit;

	if (len == 3 * ETH_ALEN - 1 && mac_pton(name, addr))
		mac = ether_addr_to_u64(addr);
	else if (len && len <= 2 && strspn(name, "0123456789") == len)
		nr = len == 1 ? name[0] - '0' :
		     (name[0] - '0') * 10 + name[1] - '0';
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		if (!umf_segment_label(seg, i, label))
			continue;
		if (mac)
			hit = umf_segment_mac(seg, i) == mac;
		else if (nr < UMF_SEG_PORTS)
			hit = i == nr;
		else
			hit = len && len < sizeof(label) &&
			      !strncmp(label, name, len) &&
			      (!label[len] || label[len] == '/');
		if (hit)
			ports |= BIT_ULL(i);
	}
	return ports;
}

/* The same for names with commas between; *@bad: the first that is nobody's. */
static u64 side_ports(const struct umf_segment *seg, const char *text,
		      const char **bad)
{
	const char *end;
	u64 ports = 0, found;

	for (*bad = NULL;; text = end + 1) {
		end = strchrnul(text, ',');
		found = ports_named(seg, text, end - text);
		if (!found && !*bad)
			*bad = text;
		ports |= found;
		if (!*end)
			return ports;
	}
}

/* Both sides of a rule, as the names are now. */
static void rule_sides(const struct umf_segment *seg,
		       const struct umf_spec *spec, u64 *a, u64 *b)
{
	const char *bad;

	*a = side_ports(seg, spec->val[UMF_K_A].text, &bad);
	*b = ~0ULL;
	if (umf_has(spec, UMF_K_B))
		*b = side_ports(seg, spec->val[UMF_K_B].text, &bad);
	*b &= ~*a;
}

static int fail_name(const struct umf_segment *seg, enum umf_key key,
		     const char *name, struct umf_reply *reply)
{
	int len = strchrnul(name, ',') - name, err;
	struct umf_reply known = {};
	char label[UMF_SEG_LABEL];
	unsigned int i, n = 0;

	for (i = 0; i < UMF_SEG_PORTS; i++) {
		if (!umf_segment_label(seg, i, label))
			continue;
		if (n++ < SHOWN)
			umf_say(&known, "%s%u %.*s", n > 1 ? ", " : "", i,
				(int)sizeof(label), label);
	}
	if (n > SHOWN)
		umf_say(&known, " and %u more", n - SHOWN);
	err = umf_fail(reply, -ENOENT,
		       "%s=%.*s: no port of this segment, there is %s",
		       umf_params[key].name, len, name, known.text ?: "none");
	umf_reply_free(&known);
	return err;
}

int umf_net_partition_prepare(struct umf_net *net, const struct umf_spec *spec,
			      struct umf_reply *reply)
{
	u64 a, b = 0;
	const char *bad;

	a = side_ports(net->seg, spec->val[UMF_K_A].text, &bad);
	if (bad)
		return fail_name(net->seg, UMF_K_A, bad, reply);
	if (umf_has(spec, UMF_K_B))
		b = side_ports(net->seg, spec->val[UMF_K_B].text, &bad);
	if (bad)
		return fail_name(net->seg, UMF_K_B, bad, reply);
	if (a & b)
		return umf_fail(reply, -EINVAL,
				"a= and b= contradict each other: port %u is on both sides",
				(unsigned int)__ffs64(a & b));
	return 0;
}

/* ---- what is in force ---- */

struct cuts {
	const struct umf_segment *seg;
	u64 cut[UMF_SEG_PORTS];
};

static void visit_partition(const struct umf_rule *rule, void *data)
{
	struct cuts *cuts = data;
	unsigned int i;
	u64 a, b;

	if (rule->spec.action != UMF_A_PARTITION)
		return;
	rule_sides(cuts->seg, &rule->spec, &a, &b);
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		if (a & BIT_ULL(i))
			cuts->cut[i] |= b;
		else if ((b & BIT_ULL(i)) &&
			 !umf_num(&rule->spec, UMF_K_ONEWAY, 0))
			cuts->cut[i] |= a;
	}
}

/* ---- what a capture says of it ---- */

struct cut_search {
	const struct umf_segment *seg;
	unsigned int from, to;
	struct umf_note *note;
};

static void visit_cutter(const struct umf_rule *rule, void *data)
{
	struct cut_search *search = data;
	u64 from = BIT_ULL(search->from), to = BIT_ULL(search->to), a, b;

	if (rule->spec.action != UMF_A_PARTITION || search->note->len)
		return;
	rule_sides(search->seg, &rule->spec, &a, &b);
	if (((a & from) && (b & to)) ||
	    ((b & from) && (a & to) && !umf_num(&rule->spec, UMF_K_ONEWAY, 0)))
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
	umf_segment_unlock(net->seg);
	return 0;
}

void umf_net_partition_update(struct umf_net *net)
{
	struct delayed_work *work = &net->fault.partition_work;
	int tries = in_task() ? LOCK_TRIES : 1;

	if (!atomic_read(&net->fault.partitions))
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
	queue_delayed_work(system_percpu_wq, work, LOOK_AGAIN);
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
	if (atomic_read(&net->fault.partitions))
		mod_delayed_work(system_percpu_wq, &net->fault.partition_work,
				 0);
}

void umf_net_partition_init(struct umf_net *net)
{
	atomic_set(&net->fault.partitions, 0);
	INIT_DELAYED_WORK(&net->fault.partition_work, partition_work);
}
