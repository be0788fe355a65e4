// SPDX-License-Identifier: GPL-2.0
/*
 * Rules and the sites they hang on: coming, being in force, ending.
 *
 * A site is a device. Its rules are a list in the order they were added. A rule
 * with a level action is not asked about operations: it is a state, in force or
 * not, and so is what `hold` keeps. Whether a rule is open is asked of the clock
 * each time, and of nothing else. Who must act when the answer changes is told
 * by an hrtimer, which visits every edge of the rule's window; it comes a little
 * later than the edge, and its being late changes no answer.
 *
 * Under umf_mutex: the lists of sites and of all rules, every change to a
 * site's rules, the guest's seed. A rule that ends is dead first, then leaves its
 * lists, then a grace period passes, its site is told, and it is freed.
 */
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "fault/fault.h"
#include "fault/priv.h"
#include "fault/table.h"

/*
 * The least time between two visits of a rule's edges, in ns. Edges that are
 * closer (period=1us) are seen late or not at all, and do not keep the guest
 * busy with nothing but timers.
 */
#define EDGE_GAP	100000

const struct umf_capture_ops *umf_capture_ops;

static u64 umf_seed;			/* the guest's */
static u32 umf_last_nr;			/* numbers are never used twice */
static u32 umf_last_id;			/* r1, r2, …; restarts at clear */

/* ---- open or not ---- */

/* The one answer, for the holder of the rule's lock. */
static bool is_open(const struct umf_rule *rule, u64 now)
{
	lockdep_assert_held(&rule->lock);
	return !rule->suspended &&
	       umf_trigger_window(&rule->trig, &rule->spec, now) == UMF_OPEN;
}

bool umf_rule_open(struct umf_rule *rule, u64 now)
{
	unsigned long flags;
	bool open;

	/* pairs with rules_bury(): who missed it in a plan sees it dead */
	smp_rmb();
	if (READ_ONCE(rule->dead))
		return false;
	spin_lock_irqsave(&rule->lock, flags);
	open = is_open(rule, now);
	spin_unlock_irqrestore(&rule->lock, flags);
	return open;
}

u64 umf_rule_end(struct umf_rule *rule, u64 now)
{
	unsigned long flags;
	u64 end = 0;

	spin_lock_irqsave(&rule->lock, flags);
	if (is_open(rule, now))
		end = umf_trigger_edge(&rule->trig, &rule->spec, now);
	spin_unlock_irqrestore(&rule->lock, flags);
	return end;
}

u64 umf_rule_opening(struct umf_rule *rule, u64 now, u64 *seed)
{
	unsigned long flags;
	u64 opening;

	spin_lock_irqsave(&rule->lock, flags);
	opening = umf_trigger_opening(&rule->trig, &rule->spec, now);
	*seed = rule->trig.seed;
	spin_unlock_irqrestore(&rule->lock, flags);
	return opening;
}

struct umf_rule *umf_rule_get(struct umf_site *site, u32 nr)
{
	struct umf_rule *rule;

	list_for_each_entry_rcu(rule, &site->rules, list)
		if (rule->nr == nr)
			return rule;
	return NULL;
}

bool umf_rule_listed(struct umf_site *site, u32 nr)
{
	bool listed;

	rcu_read_lock();
	listed = umf_rule_get(site, nr);
	rcu_read_unlock();
	return listed;
}

bool umf_rule_in_force(struct umf_site *site, u32 nr)
{
	struct umf_rule *rule;
	bool in_force;

	rcu_read_lock();
	rule = umf_rule_get(site, nr);
	in_force = rule && umf_rule_open(rule, ktime_get_ns());
	rcu_read_unlock();
	return in_force;
}

bool umf_site_level(struct umf_site *site, enum umf_action_id action)
{
	u64 now = ktime_get_ns();
	struct umf_rule *rule;
	bool level = false;

	rcu_read_lock();
	list_for_each_entry_rcu(rule, &site->rules, list) {
		if (rule->spec.action == action && umf_rule_open(rule, now)) {
			level = true;
			break;
		}
	}
	rcu_read_unlock();
	return level;
}

void umf_site_visit_levels(struct umf_site *site,
			   void (*visit)(struct umf_rule *rule, void *data),
			   void *data)
{
	u64 now = ktime_get_ns();
	struct umf_rule *rule;

	rcu_read_lock();
	list_for_each_entry_rcu(rule, &site->rules, list)
		if ((umf_rule_action(rule)->flags & UMF_AF_LEVEL) &&
		    umf_rule_open(rule, now))
			visit(rule, data);
	rcu_read_unlock();
}

/* ---- edges ---- */

/* The records of a level: it has begun, or ended. */
static void level_edge(struct umf_rule *rule, u64 now)
{
	unsigned long flags;
	bool changed, open;

	spin_lock_irqsave(&rule->lock, flags);
	open = !READ_ONCE(rule->dead) && is_open(rule, now);
	changed = open != rule->begun;
	rule->begun = open;
	if (changed && open) {
		rule->trig.shots++;
		rule->stats.matched++;
		umf_rule_count(rule, now, 0, 0);
	}
	spin_unlock_irqrestore(&rule->lock, flags);
	if (!changed)
		return;
	umf_rule_log(rule, now, 0, NULL, NULL, open ? "begin" : "end");
	if (open)
		umf_rule_arm_others(rule, now);
}

/*
 * Sees to what is to be written down at an edge of a UMF_AF_EDGES rule, and sets
 * its timer for the next one. The site is to be told after that.
 */
static void rule_edge(struct umf_rule *rule)
{
	u64 now = ktime_get_ns(), next;
	unsigned long flags;

	if (umf_rule_action(rule)->flags & UMF_AF_LEVEL)
		level_edge(rule, now);
	spin_lock_irqsave(&rule->lock, flags);
	if (rule->on && umf_trigger_window(&rule->trig, &rule->spec, now) ==
			UMF_SPENT)
		rule->trig.armed = false;
	next = umf_trigger_edge(&rule->trig, &rule->spec, now);
	spin_unlock_irqrestore(&rule->lock, flags);
	if (next != U64_MAX)
		hrtimer_start(&rule->timer,
			      ns_to_ktime(max(next, now + EDGE_GAP)),
			      HRTIMER_MODE_ABS_SOFT);
}

static void site_update(struct umf_site *site)
{
	if (site->ops->update)
		site->ops->update(site);
}

/* A window that opened and closed between two visits has left traces, too. */
static enum hrtimer_restart rule_timer(struct hrtimer *timer)
{
	struct umf_rule *rule = container_of(timer, struct umf_rule, timer);

	rcu_read_lock();
	rule_edge(rule);
	site_update(rule->site);
	rcu_read_unlock();
	return HRTIMER_NORESTART;
}

/* ---- adding ---- */

static void rule_free(struct umf_rule *rule)
{
	if (rule->priv && rule->site->ops->release)
		rule->site->ops->release(rule);
	umf_table_free(rule->trig.table);
	umf_spec_free(&rule->spec);
	kfree(rule);
}

/* Gives the rule its name and finds the one that arms it. */
static int rule_name(struct umf_rule *rule, struct umf_reply *reply)
{
	struct umf_spec *spec = &rule->spec;
	char id[UMF_ID_LEN];

	if (umf_has(spec, UMF_K_ON)) {
		rule->on = umf_rule_find(spec->val[UMF_K_ON].text);
		if (!rule->on)
			return umf_fail(reply, -ENOENT,
					"on=%s: no such rule yet",
					spec->val[UMF_K_ON].text);
	}
	if (umf_has(spec, UMF_K_ID)) {
		if (umf_rule_find(umf_rule_id(rule)))
			return umf_fail(reply, -EEXIST,
					"id=%s: a rule of that name is there",
					umf_rule_id(rule));
		return 0;
	}
	do {
		snprintf(id, sizeof(id), "r%u", ++umf_last_id);
	} while (umf_rule_find(id));
	spec->val[UMF_K_ID].text = kstrdup(id, GFP_KERNEL);
	if (!spec->val[UMF_K_ID].text)
		return umf_fail(reply, -ENOMEM, "out of memory");
	umf_set_has(spec, UMF_K_ID);
	return 0;
}

static int rule_table(struct umf_rule *rule, struct umf_reply *reply)
{
	struct umf_table *table;

	table = umf_table_read(rule->spec.val[UMF_K_TABLE].text, reply);
	if (IS_ERR(table))
		return PTR_ERR(table);
	rule->trig.table = table;
	return 0;
}

static struct umf_rule *rule_make(struct umf_site *site, char *text,
				  struct umf_reply *reply)
{
	struct umf_rule *rule = kzalloc_obj(*rule);
	int err;

	if (!rule) {
		umf_fail(reply, -ENOMEM, "out of memory");
		return NULL;
	}
	rule->site = site;
	spin_lock_init(&rule->lock);
	INIT_LIST_HEAD(&rule->arms);
	INIT_LIST_HEAD(&rule->armed_by);
	hrtimer_setup(&rule->timer, rule_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS_SOFT);
	strscpy(rule->spec.device, site->name, sizeof(rule->spec.device));

	err = umf_parse_rule(text, site->class, &rule->spec, reply);
	if (!err && umf_has(&rule->spec, UMF_K_TABLE))
		err = rule_table(rule, reply);
	if (!err && site->ops->prepare)
		err = site->ops->prepare(rule, reply);
	if (!err)
		err = rule_name(rule, reply);
	if (!err)
		return rule;
	rule_free(rule);
	return NULL;
}

static int rule_insert(struct umf_rule *rule, struct umf_reply *reply)
{
	struct umf_site *site = rule->site;
	struct umf_plan *plan = umf_plan_make(site, rule);

	if (!plan) {
		rule_free(rule);
		return umf_fail(reply, -ENOMEM, "out of memory");
	}
	rule->nr = ++umf_last_nr;
	umf_trigger_seed(&rule->trig, &rule->spec, umf_seed);
	if (rule->on)
		list_add_tail_rcu(&rule->armed_by, &rule->on->arms);
	else
		umf_trigger_arm(&rule->trig, ktime_get_ns());
	list_add_tail(&rule->all, &umf_rules);
	if (!site->nrules)
		atomic64_set(&site->index, 0);
	rule->since = atomic64_read(&site->index);
	list_add_tail_rcu(&rule->list, &site->rules);
	umf_plan_use(site, plan);
	WRITE_ONCE(site->nrules, site->nrules + 1);
	if (!(umf_rule_action(rule)->flags & UMF_AF_LEVEL))
		WRITE_ONCE(site->nasked, site->nasked + 1);
	static_branch_inc(&umf_any_rule);
	if (umf_rule_action(rule)->flags & UMF_AF_EDGES) {
		rcu_read_lock();
		rule_edge(rule);
		rcu_read_unlock();
	}
	site_update(site);
	return 0;
}

int umf_rule_add(const char *device, char *text, struct umf_reply *reply)
{
	struct umf_site *site;
	struct umf_rule *rule;

	mutex_lock(&umf_mutex);
	site = umf_site_find(device);
	if (!site) {
		umf_fail_site(device, reply);
	} else {
		rule = rule_make(site, text, reply);
		if (rule && !rule_insert(rule, reply))
			umf_say(reply, "%s\n", umf_rule_id(rule));
	}
	mutex_unlock(&umf_mutex);
	return reply->err;
}

/* ---- ending ---- */

/* What sites could not bring to an end at once. */
static void say_what_lingers(struct umf_reply *reply)
{
	struct umf_site *site;

	if (reply->err)
		return;
	list_for_each_entry(site, &umf_sites, list)
		if (site->ops->lingers)
			site->ops->lingers(site, reply);
}

/* Removes the rules marked dead, and tells their sites. */
static void rules_bury(void)
{
	struct umf_rule *rule, *next;
	struct umf_site *site;
	LIST_HEAD(dead);

	list_for_each_entry_safe(rule, next, &umf_rules, all) {
		if (!rule->dead)
			continue;
		list_move_tail(&rule->all, &dead);
		/* umf_rule_open() says no before any walk has missed it */
		smp_wmb();
		list_del_rcu(&rule->list);
		umf_plan_del(rule->site, rule);
		if (rule->on)
			list_del_rcu(&rule->armed_by);
		WRITE_ONCE(rule->site->nrules, rule->site->nrules - 1);
		if (!(umf_rule_action(rule)->flags & UMF_AF_LEVEL))
			WRITE_ONCE(rule->site->nasked, rule->site->nasked - 1);
	}
	if (list_empty(&dead))
		return;
	synchronize_rcu();
	list_for_each_entry(rule, &dead, all) {
		hrtimer_cancel(&rule->timer);
		if (rule->begun)
			level_edge(rule, ktime_get_ns());
	}
	/* before the rules are freed: each site is told once, of all of them */
	list_for_each_entry(site, &umf_sites, list) {
		if (!site->nrules)
			umf_plan_free(site);
		site_update(site);
	}
	list_for_each_entry_safe(rule, next, &dead, all) {
		static_branch_dec(&umf_any_rule);
		rule_free(rule);
	}
}

/* Marks the rules of a site, or of all, and those that they arm. */
static void rules_condemn(const struct umf_site *site)
{
	struct umf_rule *rule;

	list_for_each_entry(rule, &umf_rules, all)
		WRITE_ONCE(rule->dead, !site || rule->site == site ||
			   (rule->on && rule->on->dead));
}

int umf_rules_clear(const char *device, struct umf_reply *reply)
{
	struct umf_site *site = NULL;

	mutex_lock(&umf_mutex);
	if (device)
		site = umf_site_find(device);
	if (device && !site) {
		umf_fail_site(device, reply);
	} else {
		rules_condemn(site);
		rules_bury();
		if (list_empty(&umf_rules))
			umf_last_id = 0;
		say_what_lingers(reply);
	}
	mutex_unlock(&umf_mutex);
	return reply->err;
}

int umf_rule_del(const char *id, struct umf_reply *reply)
{
	struct umf_rule *rule;

	mutex_lock(&umf_mutex);
	rule = umf_rule_find(id);
	if (!rule) {
		umf_fail_rule(id, reply);
	} else if (!list_empty(&rule->arms)) {
		struct umf_rule *armed = list_first_entry(&rule->arms,
							  struct umf_rule,
							  armed_by);

		umf_fail(reply, -EBUSY, "%s: %s waits for it (on=%s); delete that first",
			 id, umf_rule_id(armed), id);
	} else {
		WRITE_ONCE(rule->dead, true);
		rules_bury();
		say_what_lingers(reply);
	}
	mutex_unlock(&umf_mutex);
	return reply->err;
}

int umf_rules_suspend(const char *id, bool suspend, struct umf_reply *reply)
{
	struct umf_rule *rule;
	struct umf_site *site;
	bool found = !id;

	mutex_lock(&umf_mutex);
	list_for_each_entry(rule, &umf_rules, all) {
		if (id && strcmp(umf_rule_id(rule), id))
			continue;
		found = true;
		spin_lock_irq(&rule->lock);
		umf_rule_suspend(rule, suspend);
		spin_unlock_irq(&rule->lock);
		if (umf_rule_action(rule)->flags & UMF_AF_EDGES) {
			rcu_read_lock();
			rule_edge(rule);
			rcu_read_unlock();
		}
	}
	if (!found)
		umf_fail_rule(id, reply);
	else
		list_for_each_entry(site, &umf_sites, list)
			site_update(site);
	say_what_lingers(reply);
	mutex_unlock(&umf_mutex);
	return reply->err;
}

/* ---- the seed ---- */

int umf_rules_seed(u64 seed, struct umf_reply *reply)
{
	struct umf_rule *rule;

	mutex_lock(&umf_mutex);
	umf_seed = seed;
	list_for_each_entry(rule, &umf_rules, all) {
		spin_lock_irq(&rule->lock);
		umf_trigger_seed(&rule->trig, &rule->spec, seed);
		spin_unlock_irq(&rule->lock);
	}
	mutex_unlock(&umf_mutex);
	return reply->err;
}

u64 umf_rules_get_seed(void)
{
	return READ_ONCE(umf_seed);
}

/* ---- sites ---- */

int umf_site_add(struct umf_site *site)
{
	int err = 0;

	INIT_LIST_HEAD(&site->rules);
	site->nrules = 0;
	site->nasked = 0;
	RCU_INIT_POINTER(site->plan, NULL);
	atomic64_set(&site->index, 0);
	RCU_INIT_POINTER(site->capture, NULL);
	mutex_lock(&umf_mutex);
	if (umf_site_find(site->name))
		err = -EEXIST;
	else
		list_add_tail(&site->list, &umf_sites);
	mutex_unlock(&umf_mutex);
	return err;
}

void umf_site_del(struct umf_site *site)
{
	mutex_lock(&umf_mutex);
	rules_condemn(site);
	rules_bury();
	if (umf_capture_ops)
		umf_capture_ops->stop(site, NULL);
	list_del(&site->list);
	mutex_unlock(&umf_mutex);
}

int umf_site_rename(struct umf_site *site, const char *name)
{
	int err = 0;

	mutex_lock(&umf_mutex);
	if (!strcmp(site->name, name))
		;
	else if (site->nrules)
		err = -EBUSY;
	else if (umf_site_find(name))
		err = -EEXIST;
	else
		strscpy(site->name, name);
	mutex_unlock(&umf_mutex);
	return err;
}

static int __init umf_seed_init(void)
{
	umf_seed = get_random_u64();
	return 0;
}
subsys_initcall(umf_seed_init);
