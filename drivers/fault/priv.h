/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of fault/ share of rules and sites. */
#ifndef __UMF_FAULT_PRIV_H
#define __UMF_FAULT_PRIV_H

#include <linux/mutex.h>
#include "fault/fault.h"

static inline const struct umf_action *umf_rule_action(const struct umf_rule *rule)
{
	return &umf_actions[rule->spec.action];
}

static inline const char *umf_rule_id(const struct umf_rule *rule)
{
	return rule->spec.val[UMF_K_ID].text;
}

/* ---- registry.c; for the holder of umf_mutex ---- */

extern struct mutex umf_mutex;
extern struct list_head umf_sites;
extern struct list_head umf_rules;	/* all, in the order they were added */

struct umf_site *umf_site_find(const char *name);
struct umf_rule *umf_rule_find(const char *id);
/* Each says that there is none of that name. */
int umf_fail_site(const char *name, struct umf_reply *reply);
int umf_fail_rule(const char *id, struct umf_reply *reply);

/* ---- decide.c ---- */

/* With the rule's lock held: it has fired once more. */
void umf_rule_count(struct umf_rule *rule, u64 now, u64 index, size_t bytes);
/* @what NULL: the class describes it. */
void umf_rule_log(const struct umf_rule *rule, u64 now, u64 index,
		  const struct umf_op *op, const struct umf_effect *effect,
		  const char *what);
/* Arms the rules that wait for this one. */
void umf_rule_arm_others(struct umf_rule *rule, u64 now);
u64 umf_rule_evaluated(const struct umf_rule *rule);
/* With the rule's lock held. */
void umf_rule_suspend(struct umf_rule *rule, bool suspend);

#endif /* __UMF_FAULT_PRIV_H */
