// SPDX-License-Identifier: GPL-2.0
/* What there is, in words: list, stats, devices, captures. */
#include <linux/ktime.h>
#include <linux/math64.h>
#include "fault/fault.h"
#include "fault/priv.h"

int umf_rules_list(const char *device, struct umf_reply *reply)
{
	struct umf_rule *rule;

	mutex_lock(&umf_mutex);
	if (device && !umf_site_find(device)) {
		umf_fail_site(device, reply);
		goto out;
	}
	umf_say(reply, "seed %llu\n", umf_rules_get_seed());
	list_for_each_entry(rule, &umf_rules, all) {
		if (device && strcmp(rule->site->name, device))
			continue;
		umf_say(reply, "add ");
		umf_print_rule(reply, &rule->spec);
		if (rule->site->ops->print)
			rule->site->ops->print(rule, reply);
		umf_say(reply, "\n");
	}
	list_for_each_entry(rule, &umf_rules, all)
		if (rule->suspended &&
		    (!device || !strcmp(rule->site->name, device)))
			umf_say(reply, "suspend %s\n", umf_rule_id(rule));
out:
	mutex_unlock(&umf_mutex);
	return reply->err;
}

static void print_moment(struct umf_reply *reply, const char *what, u64 time,
			 u64 index)
{
	u64 sec = div64_u64(time, UMF_NSEC);

	umf_say(reply, " %s=%llu.%09llu@%llu", what, sec,
		time - sec * UMF_NSEC, index);
}

static void print_stats(struct umf_rule *rule, struct umf_reply *reply)
{
	static const char *const states[] = {
		[UMF_WAITING] = "waiting", [UMF_OPEN] = "open",
		[UMF_CLOSED] = "closed", [UMF_SPENT] = "spent",
	};
	u64 evaluated, unasked = atomic64_read(&rule->unasked);
	struct umf_stats stats;
	enum umf_phase phase;
	bool suspended;

	spin_lock_irq(&rule->lock);
	evaluated = umf_rule_evaluated(rule);
	stats = rule->stats;
	suspended = rule->suspended;
	phase = umf_trigger_phase(&rule->trig, &rule->spec, ktime_get_ns());
	spin_unlock_irq(&rule->lock);
	if (phase == UMF_SPENT && rule->on)
		phase = UMF_WAITING;

	umf_say(reply, "%s %s %s state=%s evaluated=%llu matched=%llu fired=%llu bytes=%llu",
		umf_rule_id(rule), rule->site->name, umf_rule_action(rule)->name,
		suspended ? "suspended" : states[phase],
		evaluated, stats.matched, stats.fired, stats.bytes);
	if (unasked)
		umf_say(reply, " unasked=%llu", unasked);
	if (stats.fired) {
		print_moment(reply, "first", stats.first_time,
			     stats.first_index);
		print_moment(reply, "last", stats.last_time, stats.last_index);
	}
	umf_say(reply, "\n");
}

int umf_rules_stats(const char *id, struct umf_reply *reply)
{
	struct umf_rule *rule;
	bool found = !id;

	mutex_lock(&umf_mutex);
	list_for_each_entry(rule, &umf_rules, all) {
		if (id && strcmp(umf_rule_id(rule), id))
			continue;
		found = true;
		print_stats(rule, reply);
	}
	if (!found)
		umf_fail_rule(id, reply);
	mutex_unlock(&umf_mutex);
	return reply->err;
}

int umf_rules_devices(struct umf_reply *reply)
{
	struct umf_site *site;

	mutex_lock(&umf_mutex);
	list_for_each_entry(site, &umf_sites, list)
		umf_say(reply, "%s %s rules=%u\n", site->name,
			umf_class_name(site->class), site->nrules);
	mutex_unlock(&umf_mutex);
	return reply->err;
}

/* ---- captures ---- */

int umf_rules_capture(const char *device, const char *path,
		      struct umf_reply *reply)
{
	struct umf_site *site = NULL;

	mutex_lock(&umf_mutex);
	if (device)
		site = umf_site_find(device);
	if (device && !site)
		umf_fail_site(device, reply);
	else if (path && strcmp(path, "off"))
		umf_capture_ops->start(site, path, reply);
	else if (path && !rcu_access_pointer(site->capture))
		umf_fail(reply, -ENOENT, "%s: is not captured", device);
	else if (path)
		umf_capture_ops->stop(site, reply);
	else
		list_for_each_entry(site, &umf_sites, list)
			if (!device || !strcmp(site->name, device))
				umf_capture_ops->list(site, reply);
	mutex_unlock(&umf_mutex);
	return reply->err;
}

void umf_rules_reap(void)
{
	struct umf_site *site;

	mutex_lock(&umf_mutex);
	list_for_each_entry(site, &umf_sites, list)
		umf_capture_ops->reap(site);
	mutex_unlock(&umf_mutex);
}
