// SPDX-License-Identifier: GPL-2.0
/*
 * Which of a site's rules are asked about an operation.
 *
 * Most rules of many have nothing to say of most operations: they are for the
 * other direction, or another key (of a NIC: another peer). So a plan has for
 * each direction and each of a few classes of keys one bit for every rule; an
 * operation takes two words for 64 rules to find those it is to ask, and
 * touches no other. Bits are in list order. Rules of levels have none.
 *
 * Under the verbs' mutex: a new plan is made when a rule comes. One that goes
 * loses its bits in the plan there is, which needs no memory; who still sees an
 * older plan is in an RCU section that the rule outlives.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include "fault/fault.h"

static u64 plan_serial;

static bool is_level(const struct umf_rule *rule)
{
	return umf_actions[rule->spec.action].flags & UMF_AF_LEVEL;
}

static struct umf_plan *plan_alloc(unsigned int n)
{
	unsigned int words = BITS_TO_LONGS(n), sets = 2 * UMF_PLAN_SETS;
	struct umf_plan *plan;
	size_t size;

	size = sizeof(*plan) + array_size(n, sizeof(*plan->rule)) +
	       array_size(n, sizeof(*plan->key)) +
	       array3_size(sets, words, sizeof(long));
	plan = kvzalloc(size, GFP_KERNEL);
	if (!plan)
		return NULL;
	plan->serial = ++plan_serial;
	plan->words = words;
	plan->key = (u64 *)(plan + 1);
	plan->rule = (struct umf_rule **)(plan->key + n);
	plan->bits = (unsigned long *)(plan->rule + n);
	return plan;
}

static void plan_put(struct umf_plan *plan, struct umf_rule *rule)
{
	const struct umf_spec *spec = &rule->spec;
	unsigned int set = rule->key ? umf_plan_slot(rule->key) : UMF_PLAN_PLAIN;
	unsigned int at = plan->n++;
	enum umf_dir dir;

	rule->place = at;
	plan->rule[at] = rule;
	plan->key[at] = rule->key;
	if (is_level(rule))
		return;
	for (dir = UMF_DIR_RX; dir <= UMF_DIR_TX; dir++) {
		if (umf_num(spec, UMF_K_DIR, dir) != dir)
			continue;
		__set_bit(at, umf_plan_set(plan, dir, set));
		__set_bit(at, umf_plan_set(plan, dir, UMF_PLAN_ALL));
	}
}

struct umf_plan *umf_plan_make(struct umf_site *site, struct umf_rule *new)
{
	struct umf_plan *plan;
	struct umf_rule *rule;
	unsigned int n = 1;

	list_for_each_entry(rule, &site->rules, list)
		n++;
	plan = plan_alloc(n);
	if (!plan)
		return NULL;
	list_for_each_entry(rule, &site->rules, list)
		plan_put(plan, rule);
	plan_put(plan, new);
	return plan;
}

void umf_plan_use(struct umf_site *site, struct umf_plan *plan)
{
	struct umf_plan *old = rcu_dereference_protected(site->plan, true);

	rcu_assign_pointer(site->plan, plan);
	if (old)
		kvfree_rcu(old, rcu);
}

void umf_plan_del(struct umf_site *site, struct umf_rule *rule)
{
	struct umf_plan *plan = rcu_dereference_protected(site->plan, true);
	unsigned int set, word = BIT_WORD(rule->place);
	unsigned long *bits;
	enum umf_dir dir;

	for (dir = UMF_DIR_RX; dir <= UMF_DIR_TX; dir++) {
		for (set = 0; set < UMF_PLAN_SETS; set++) {
			bits = &umf_plan_set(plan, dir, set)[word];
			WRITE_ONCE(*bits, *bits & ~BIT_MASK(rule->place));
		}
	}
}

void umf_plan_free(struct umf_site *site)
{
	umf_plan_use(site, NULL);
}
