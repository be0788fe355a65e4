// SPDX-License-Identifier: GPL-2.0
/*
 * The sites and the rules there are, and finding one by its name. Both lists,
 * and what hangs on them, change under umf_mutex.
 */
#include <linux/list.h>
#include <linux/string.h>
#include "fault/fault.h"
#include "fault/priv.h"

DEFINE_MUTEX(umf_mutex);	/* verbs, one at a time */
LIST_HEAD(umf_sites);
LIST_HEAD(umf_rules);

struct umf_site *umf_site_find(const char *name)
{
	struct umf_site *site;

	list_for_each_entry(site, &umf_sites, list)
		if (!strcmp(site->name, name))
			return site;
	return NULL;
}

int umf_fail_site(const char *name, struct umf_reply *reply)
{
	struct umf_reply known = {};
	struct umf_site *site;
	int err;

	list_for_each_entry(site, &umf_sites, list)
		umf_say(&known, " %s", site->name);
	err = umf_fail(reply, -ENODEV, "no device %s: there is%s", name,
		       known.text ?: " none");
	umf_reply_free(&known);
	return err;
}

struct umf_rule *umf_rule_find(const char *id)
{
	struct umf_rule *rule;

	list_for_each_entry(rule, &umf_rules, all)
		if (!strcmp(umf_rule_id(rule), id))
			return rule;
	return NULL;
}

int umf_fail_rule(const char *id, struct umf_reply *reply)
{
	return umf_fail(reply, -ENOENT, "no rule %s: list shows those there are",
			id);
}
