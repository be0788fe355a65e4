// SPDX-License-Identifier: GPL-2.0
/*
 * Rules and the sites they hang on: adding, deciding, ending.
 *
 * A site is a device. Its rules are a list in the order they were added, and
 * umf_decide() holds an operation against each that may have something to say
 * of it (fault_plan.c). A rule with a level action is not asked there: it is a
 * state, in force or not, and so is what `hold` keeps. For these an hrtimer
 * visits every edge of the rule's window and tells the site. A rule that fires
 * arms the rules that name it with on=; those are always younger, so the chains
 * have no loops.
 *
 * Under umf_mutex: the lists of sites and of all rules, every change to a
 * site's rules, the guest's seed. A rule leaves its lists first, then a grace
 * period passes, then its timer is cancelled and it is freed.
 */
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "capture.h"
#include "fault.h"

/*
 * The least time between two visits of a rule's edges, in ns. Edges that are
 * closer (period=1us) are seen late or not at all, and do not keep the guest
 * busy with nothing but timers.
 */
#define EDGE_GAP	100000

static DEFINE_MUTEX(umf_mutex);
static LIST_HEAD(umf_sites);
static LIST_HEAD(umf_rules);		/* all, in the order they were added */
static u64 umf_seed;			/* the guest's */
static u32 umf_last_nr;			/* numbers are never used twice */
static u32 umf_last_id;			/* r1, r2, …; restarts at clear */

DEFINE_STATIC_KEY_FALSE(umf_any_rule);

static const struct umf_action *rule_action(const struct umf_rule *rule)
{
	return &umf_actions[rule->spec.action];
}

static const char *rule_id(const struct umf_rule *rule)
{
	return rule->spec.val[UMF_K_ID].text;
}

/* ---- looking things up ---- */

static struct umf_site *site_find(const char *name)
{
	struct umf_site *site;

	list_for_each_entry(site, &umf_sites, list)
		if (!strcmp(site->name, name))
			return site;
	return NULL;
}

static int fail_site(const char *name, struct umf_reply *reply)
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

static struct umf_rule *rule_find(const char *id)
{
	struct umf_rule *rule;

	list_for_each_entry(rule, &umf_rules, all)
		if (!strcmp(rule_id(rule), id))
			return rule;
	return NULL;
}

static int fail_rule(const char *id, struct umf_reply *reply)
{
	return umf_fail(reply, -ENOENT, "no rule %s: list shows those there are",
			id);
}

/* ---- firing ---- */

static void log_rule(const struct umf_rule *rule, u64 now, u64 index,
		     const struct umf_op *op, const struct umf_effect *effect,
		     const char *what)
{
	struct umf_event event = {
		.time = now,
		.index = index,
		.action = rule->spec.action,
	};

	strscpy(event.rule, rule_id(rule), sizeof(event.rule));
	strscpy(event.device, rule->site->name, sizeof(event.device));
	if (what)
		strscpy(event.what, what, sizeof(event.what));
	else if (rule->site->ops->describe)
		rule->site->ops->describe(op, effect, event.what,
					  sizeof(event.what));
	umf_log_event(&event);
}

static void rule_count(struct umf_rule *rule, u64 now, u64 index, size_t bytes)
{
	struct umf_stats *stats = &rule->stats;

	lockdep_assert_held(&rule->lock);
	if (!stats->fired++) {
		stats->first_time = now;
		stats->first_index = index;
	}
	stats->last_time = now;
	stats->last_index = index;
	stats->bytes += bytes;
}

static void rule_arm(struct umf_rule *rule, u64 now)
{
	unsigned long flags;

	spin_lock_irqsave(&rule->lock, flags);
	if (umf_trigger_phase(&rule->trig, &rule->spec, now) == UMF_SPENT ||
	    !rule->trig.armed)
		umf_trigger_arm(&rule->trig, now);
	spin_unlock_irqrestore(&rule->lock, flags);
	if (rule_action(rule)->flags & UMF_AF_EDGES)
		hrtimer_start(&rule->timer, 0, HRTIMER_MODE_ABS_SOFT);
}

static void arm_others(struct umf_rule *rule, u64 now)
{
	struct umf_rule *next;

	list_for_each_entry_rcu(next, &rule->arms, armed_by)
		rule_arm(next, now);
}

static bool rule_fires(struct umf_rule *rule, const struct umf_op *op, u64 now,
		       u64 index, struct umf_effect *effect)
{
	const struct umf_spec *spec = &rule->spec;
	const struct umf_site_ops *ops = rule->site->ops;
	unsigned long flags;
	bool fires = false;

	effect->arg = 0;
	if (READ_ONCE(rule->suspended))
		return false;
	if (ops->match && !ops->match(rule, op))
		return false;

	spin_lock_irqsave(&rule->lock, flags);
	if (umf_trigger_phase(&rule->trig, spec, now) == UMF_OPEN) {
		rule->stats.matched++;
		fires = umf_trigger_match(&rule->trig, spec, &effect->rng);
		if (fires)
			rule_count(rule, now, index, op->len);
		if (fires && (rule_action(rule)->flags & UMF_AF_DELAY))
			effect->arg = umf_trigger_delay(&rule->trig, spec,
							&effect->rng);
	}
	spin_unlock_irqrestore(&rule->lock, flags);
	return fires;
}

/*
 * How often a rule was asked is not counted each time, as that would cost a
 * write for each rule and operation: it is asked of all that the site decides
 * while it is there and not suspended, but for those that end before it.
 */
static u64 rule_evaluated(const struct umf_rule *rule)
{
	u64 passed_over = atomic64_read(&rule->passed_over);

	if (rule_action(rule)->flags & UMF_AF_LEVEL)
		return 0;
	if (rule->suspended)
		return rule->evaluated;
	/* umf_decide() counts an operation first, and then passes rules over */
	smp_rmb();
	return rule->evaluated + atomic64_read(&rule->site->index) -
	       rule->since - passed_over;
}

/*
 * Operation @index ends at this rule. Those behind it that came, or were
 * resumed, while it was on its way have not counted it.
 */
static void pass_over(struct umf_site *site, struct umf_rule *rule, u64 index)
{
	list_for_each_entry_continue_rcu(rule, &site->rules, list)
		if (index >= READ_ONCE(rule->since))
			atomic64_inc(&rule->passed_over);
}

static void rule_suspend(struct umf_rule *rule, bool suspend)
{
	lockdep_assert_held(&rule->lock);
	rule->evaluated = rule_evaluated(rule);
	WRITE_ONCE(rule->since, atomic64_read(&rule->site->index));
	atomic64_set(&rule->passed_over, 0);
	WRITE_ONCE(rule->suspended, suspend);
}

/* Walks the rules that an operation asks, in list order. */
struct walk {
	const struct umf_site *site;
	const struct umf_op *op;
	const struct umf_plan *plan;
	const unsigned long *plain, *keyed;	/* NULL: not asked */
	const unsigned long *refused;
	bool looked;			/* refused has been asked for */
	unsigned int next, at;		/* word, rule */
	unsigned long word;
};

static void walk_start(struct walk *walk, struct umf_site *site,
		       const struct umf_op *op)
{
	const struct umf_plan *plan = rcu_dereference(site->plan);

	*walk = (struct walk){ .site = site, .op = op, .plan = plan };
	if (!plan)
		return;
	if (!op->keyed)
		walk->plain = umf_plan_set(plan, op->dir, UMF_PLAN_PLAIN);
	if (op->key)
		walk->keyed = umf_plan_set(plan, op->dir,
					   umf_plan_slot(op->key));
}

/* The next word with a bit in it; false: there is none. */
static bool walk_word(struct walk *walk)
{
	unsigned int i;

	while (walk->plan && walk->next < walk->plan->words) {
		i = walk->next++;
		walk->word = walk->plain ? READ_ONCE(walk->plain[i]) : 0;
		if (walk->keyed)
			walk->word |= READ_ONCE(walk->keyed[i]);
		if (walk->word)
			return true;
	}
	return false;
}

static struct umf_rule *walk_rule(struct walk *walk)
{
	const struct umf_plan *plan = walk->plan;
	unsigned int at;

	while (walk->word || walk_word(walk)) {
		at = (walk->next - 1) * BITS_PER_LONG + __ffs(walk->word);
		walk->at = at;
		walk->word &= walk->word - 1;
		/* others have keys of the same slot */
		if (!plan->key[at] || plan->key[at] == walk->op->key)
			return plan->rule[at];
	}
	return NULL;
}

/* The same without those that the class knows to refuse. */
static struct umf_rule *walk_next(struct walk *walk)
{
	const struct umf_site_ops *ops = walk->site->ops;
	struct umf_rule *rule;

	while ((rule = walk_rule(walk))) {
		if (!walk->looked && ops->refused)
			walk->refused = ops->refused(rule->site, walk->op,
						     walk->plan);
		walk->looked = true;
		if (!walk->refused)
			break;
		/* the rest of the word at once */
		walk->word &= ~walk->refused[walk->next - 1];
		if (!test_bit(walk->at, walk->refused))
			break;
	}
	return rule;
}

struct umf_verdict umf_decide(struct umf_site *site, const struct umf_op *op)
{
	u64 index = atomic64_fetch_inc(&site->index), now = 0;
	struct umf_effect *effect;
	struct umf_verdict verdict;
	struct umf_rule *rule;
	struct walk walk;

	verdict.n = 0;
	effect = verdict.effect;
	walk_start(&walk, site, op);
	while ((rule = walk_next(&walk))) {
		if (!now)
			now = ktime_get_ns();
		if (!rule_fires(rule, op, now, index, effect))
			continue;
		effect->action = rule->spec.action;
		effect->rule = rule->nr;
		effect->spec = &rule->spec;
		log_rule(rule, now, index, op, effect, NULL);
		arm_others(rule, now);
		effect++;
		if (++verdict.n == UMF_EFFECTS_MAX ||
		    (rule_action(rule)->flags & UMF_AF_FINAL)) {
			pass_over(site, rule, index);
			break;
		}
	}
	return verdict;
}

/* Would rule_fires() say no, and change nothing but a count? */
static bool rule_excludes(struct umf_rule *rule, const struct umf_op *op,
			  u64 now)
{
	const struct umf_spec *spec = &rule->spec;
	const struct umf_site_ops *ops = rule->site->ops;
	unsigned long flags;
	bool open;

	if (READ_ONCE(rule->suspended) ||
	    (ops->excludes && ops->excludes(rule, op)))
		return true;
	spin_lock_irqsave(&rule->lock, flags);
	open = umf_trigger_phase(&rule->trig, spec, now) == UMF_OPEN;
	spin_unlock_irqrestore(&rule->lock, flags);
	return !open;
}

bool umf_pass_all(struct umf_site *site, const struct umf_op *op,
		  unsigned int n)
{
	struct umf_rule *rule;
	struct walk walk;
	u64 now = 0;

	walk_start(&walk, site, op);
	while ((rule = walk_next(&walk))) {
		if (!now)
			now = ktime_get_ns();
		if (!rule_excludes(rule, op, now))
			return false;
	}
	atomic64_add(n, &site->index);
	return true;
}

bool umf_pass_unasked(struct umf_site *site, const struct umf_op *op,
		      unsigned int n)
{
	struct walk walk;

	walk_start(&walk, site, op);
	if (walk_rule(&walk))
		return false;
	atomic64_add(n, &site->index);
	return true;
}

/* ---- edges ---- */

/*
 * Brings a UMF_AF_EDGES rule up to the clock and sets its timer for the next
 * edge. Returns whether it came into force or went out of it.
 */
static bool rule_edge(struct umf_rule *rule)
{
	bool level = rule_action(rule)->flags & UMF_AF_LEVEL, open, changed;
	u64 now = ktime_get_ns(), next;
	enum umf_phase phase;
	unsigned long flags;

	spin_lock_irqsave(&rule->lock, flags);
	phase = umf_trigger_window(&rule->trig, &rule->spec, now);
	open = phase == UMF_OPEN && !rule->suspended;
	changed = open != rule->in_force;
	rule->in_force = open;
	if (changed && open && level) {
		rule->trig.shots++;
		rule->stats.matched++;
		rule_count(rule, now, 0, 0);
	}
	if (phase == UMF_SPENT && rule->on)
		rule->trig.armed = false;
	next = umf_trigger_edge(&rule->trig, &rule->spec, now);
	spin_unlock_irqrestore(&rule->lock, flags);

	if (changed && level)
		log_rule(rule, now, 0, NULL, NULL, open ? "begin" : "end");
	if (changed && level && open)
		arm_others(rule, now);
	if (next != U64_MAX)
		hrtimer_start(&rule->timer,
			      ns_to_ktime(max(next, now + EDGE_GAP)),
			      HRTIMER_MODE_ABS_SOFT);
	return changed;
}

static enum hrtimer_restart rule_timer(struct hrtimer *timer)
{
	struct umf_rule *rule = container_of(timer, struct umf_rule, timer);

	rcu_read_lock();
	if (rule_edge(rule) && rule->site->ops->update)
		rule->site->ops->update(rule->site);
	rcu_read_unlock();
	return HRTIMER_NORESTART;
}

static void site_update(struct umf_site *site)
{
	if (site->ops->update)
		site->ops->update(site);
}

static struct umf_rule *site_rule(struct umf_site *site, u32 nr)
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
	listed = site_rule(site, nr);
	rcu_read_unlock();
	return listed;
}

bool umf_rule_in_force(struct umf_site *site, u32 nr)
{
	struct umf_rule *rule;
	bool in_force;

	rcu_read_lock();
	rule = site_rule(site, nr);
	in_force = rule && READ_ONCE(rule->in_force);
	rcu_read_unlock();
	return in_force;
}

u64 umf_rule_end(struct umf_site *site, u32 nr)
{
	struct umf_rule *rule;
	unsigned long flags;
	u64 end = 0;

	rcu_read_lock();
	rule = site_rule(site, nr);
	if (rule) {
		spin_lock_irqsave(&rule->lock, flags);
		if (rule->in_force)
			end = umf_trigger_edge(&rule->trig, &rule->spec,
					       ktime_get_ns());
		spin_unlock_irqrestore(&rule->lock, flags);
	}
	rcu_read_unlock();
	return end;
}

bool umf_site_level(struct umf_site *site, enum umf_action_id action)
{
	struct umf_rule *rule;
	bool level = false;

	rcu_read_lock();
	list_for_each_entry_rcu(rule, &site->rules, list) {
		if (rule->spec.action == action && READ_ONCE(rule->in_force)) {
			level = true;
			break;
		}
	}
	rcu_read_unlock();
	return level;
}

void umf_site_visit_levels(struct umf_site *site,
			   void (*visit)(const struct umf_rule *rule, void *data),
			   void *data)
{
	struct umf_rule *rule;

	rcu_read_lock();
	list_for_each_entry_rcu(rule, &site->rules, list)
		if ((rule_action(rule)->flags & UMF_AF_LEVEL) &&
		    READ_ONCE(rule->in_force))
			visit(rule, data);
	rcu_read_unlock();
}

/* ---- adding ---- */

static void rule_free(struct umf_rule *rule)
{
	if (rule->priv && rule->site->ops->release)
		rule->site->ops->release(rule);
	umf_spec_free(&rule->spec);
	kfree(rule);
}

/* Gives the rule its name and finds the one that arms it. */
static int rule_name(struct umf_rule *rule, struct umf_reply *reply)
{
	struct umf_spec *spec = &rule->spec;
	char id[UMF_ID_LEN];

	if (umf_has(spec, UMF_K_ON)) {
		rule->on = rule_find(spec->val[UMF_K_ON].text);
		if (!rule->on)
			return umf_fail(reply, -ENOENT,
					"on=%s: no such rule yet",
					spec->val[UMF_K_ON].text);
	}
	if (umf_has(spec, UMF_K_ID)) {
		if (rule_find(rule_id(rule)))
			return umf_fail(reply, -EEXIST,
					"id=%s: a rule of that name is there",
					rule_id(rule));
		return 0;
	}
	do {
		snprintf(id, sizeof(id), "r%u", ++umf_last_id);
	} while (rule_find(id));
	spec->val[UMF_K_ID].text = kstrdup(id, GFP_KERNEL);
	if (!spec->val[UMF_K_ID].text)
		return umf_fail(reply, -ENOMEM, "out of memory");
	spec->have |= BIT_ULL(UMF_K_ID);
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
	static_branch_inc(&umf_any_rule);
	if (rule_action(rule)->flags & UMF_AF_EDGES) {
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
	site = site_find(device);
	if (!site) {
		fail_site(device, reply);
	} else {
		rule = rule_make(site, text, reply);
		if (rule && !rule_insert(rule, reply))
			umf_say(reply, "%s\n", rule_id(rule));
	}
	mutex_unlock(&umf_mutex);
	return reply->err;
}

/* ---- ending ---- */

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
		list_del_rcu(&rule->list);
		umf_plan_del(rule->site, rule);
		if (rule->on)
			list_del_rcu(&rule->armed_by);
		WRITE_ONCE(rule->site->nrules, rule->site->nrules - 1);
	}
	if (list_empty(&dead))
		return;
	synchronize_rcu();
	list_for_each_entry(rule, &dead, all)
		hrtimer_cancel(&rule->timer);
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
		rule->dead = !site || rule->site == site ||
			     (rule->on && rule->on->dead);
}

int umf_rules_clear(const char *device, struct umf_reply *reply)
{
	struct umf_site *site = NULL;

	mutex_lock(&umf_mutex);
	if (device)
		site = site_find(device);
	if (device && !site) {
		fail_site(device, reply);
	} else {
		rules_condemn(site);
		rules_bury();
		if (list_empty(&umf_rules))
			umf_last_id = 0;
	}
	mutex_unlock(&umf_mutex);
	return reply->err;
}

int umf_rule_del(const char *id, struct umf_reply *reply)
{
	struct umf_rule *rule;

	mutex_lock(&umf_mutex);
	rule = rule_find(id);
	if (!rule) {
		fail_rule(id, reply);
	} else if (!list_empty(&rule->arms)) {
		struct umf_rule *armed = list_first_entry(&rule->arms,
							  struct umf_rule,
							  armed_by);

		umf_fail(reply, -EBUSY, "%s: %s waits for it (on=%s); delete that first",
			 id, rule_id(armed), id);
	} else {
		rule->dead = true;
		rules_bury();
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
		if (id && strcmp(rule_id(rule), id))
			continue;
		found = true;
		spin_lock_irq(&rule->lock);
		rule_suspend(rule, suspend);
		spin_unlock_irq(&rule->lock);
		if (rule_action(rule)->flags & UMF_AF_EDGES) {
			rcu_read_lock();
			rule_edge(rule);
			rcu_read_unlock();
		}
	}
	if (!found)
		fail_rule(id, reply);
	else
		list_for_each_entry(site, &umf_sites, list)
			site_update(site);
	mutex_unlock(&umf_mutex);
	return reply->err;
}

/* ---- showing ---- */

int umf_rules_list(const char *device, struct umf_reply *reply)
{
	struct umf_rule *rule;

	mutex_lock(&umf_mutex);
	if (device && !site_find(device)) {
		fail_site(device, reply);
		goto out;
	}
	umf_say(reply, "seed %llu\n", umf_seed);
	list_for_each_entry(rule, &umf_rules, all) {
		if (device && strcmp(rule->site->name, device))
			continue;
		umf_say(reply, "add ");
		umf_print_rule(reply, &rule->spec);
		umf_say(reply, "\n");
	}
	list_for_each_entry(rule, &umf_rules, all)
		if (rule->suspended &&
		    (!device || !strcmp(rule->site->name, device)))
			umf_say(reply, "suspend %s\n", rule_id(rule));
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
	struct umf_stats stats;
	enum umf_phase phase;
	bool suspended;
	u64 evaluated;

	spin_lock_irq(&rule->lock);
	evaluated = rule_evaluated(rule);
	stats = rule->stats;
	suspended = rule->suspended;
	phase = umf_trigger_phase(&rule->trig, &rule->spec, ktime_get_ns());
	spin_unlock_irq(&rule->lock);
	if (phase == UMF_SPENT && rule->on)
		phase = UMF_WAITING;

	umf_say(reply, "%s %s %s state=%s evaluated=%llu matched=%llu fired=%llu bytes=%llu",
		rule_id(rule), rule->site->name, rule_action(rule)->name,
		suspended ? "suspended" : states[phase],
		evaluated, stats.matched, stats.fired, stats.bytes);
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
		if (id && strcmp(rule_id(rule), id))
			continue;
		found = true;
		print_stats(rule, reply);
	}
	if (!found)
		fail_rule(id, reply);
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
	RCU_INIT_POINTER(site->plan, NULL);
	atomic64_set(&site->index, 0);
	RCU_INIT_POINTER(site->capture, NULL);
	mutex_lock(&umf_mutex);
	if (site_find(site->name))
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
	umf_capture_stop(site, NULL);
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
	else if (site_find(name))
		err = -EEXIST;
	else
		strscpy(site->name, name);
	mutex_unlock(&umf_mutex);
	return err;
}

/* ---- captures ---- */

int umf_rules_capture(const char *device, const char *path,
		      struct umf_reply *reply)
{
	struct umf_site *site = NULL;

	mutex_lock(&umf_mutex);
	if (device)
		site = site_find(device);
	if (device && !site)
		fail_site(device, reply);
	else if (path && strcmp(path, "off"))
		umf_capture_start(site, path, reply);
	else if (path && !rcu_access_pointer(site->capture))
		umf_fail(reply, -ENOENT, "%s: is not captured", device);
	else if (path)
		umf_capture_stop(site, reply);
	else
		list_for_each_entry(site, &umf_sites, list)
			if (!device || !strcmp(site->name, device))
				umf_capture_list(site, reply);
	mutex_unlock(&umf_mutex);
	return reply->err;
}

void umf_rules_reap(void)
{
	struct umf_site *site;

	mutex_lock(&umf_mutex);
	list_for_each_entry(site, &umf_sites, list)
		umf_capture_reap(site);
	mutex_unlock(&umf_mutex);
}

static int __init umf_seed_init(void)
{
	umf_seed = get_random_u64();
	return 0;
}
subsys_initcall(umf_seed_init);
