// SPDX-License-Identifier: GPL-2.0
/*
 * Deciding: which rules an operation asks, which of them are to act on it, and
 * what became of that.
 *
 * umf_decide() holds an operation against each rule that may have something to
 * say of it (fault/plan.c), in list order, and answers with a verdict. A rule
 * whose draw says yes takes a shot (count=) and arms the rules that name it with
 * on=; those are always younger, so the chains have no loops. It has fired when
 * the driver says that its effect came about, and then only it is counted and
 * logged.
 */
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/printk.h>
#include <linux/rculist.h>
#include <linux/string.h>
#include "fault/fault.h"
#include "fault/priv.h"

DEFINE_STATIC_KEY_FALSE(umf_any_rule);

void umf_rule_log(const struct umf_rule *rule, u64 now, u64 index,
		  const struct umf_op *op, const struct umf_effect *effect,
		  const char *what)
{
	struct umf_event event = {
		.time = now,
		.index = index,
		.action = rule->spec.action,
	};

	strscpy(event.rule, umf_rule_id(rule), sizeof(event.rule));
	strscpy(event.device, rule->site->name, sizeof(event.device));
	if (what)
		strscpy(event.what, what, sizeof(event.what));
	else if (rule->site->ops->describe)
		rule->site->ops->describe(op, effect, event.what,
					  sizeof(event.what));
	umf_log_event(&event);
}

void umf_rule_count(struct umf_rule *rule, u64 now, u64 index, size_t bytes)
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

/* What hangs on its being open is to be looked at. */
static void visit_edge(struct umf_rule *rule)
{
	if (umf_rule_action(rule)->flags & UMF_AF_EDGES)
		hrtimer_start(&rule->timer, 0, HRTIMER_MODE_ABS_SOFT);
}

static void rule_arm(struct umf_rule *rule, u64 now)
{
	unsigned long flags;
	bool arms;

	spin_lock_irqsave(&rule->lock, flags);
	arms = !rule->trig.armed ||
	       umf_trigger_phase(&rule->trig, &rule->spec, now) == UMF_SPENT;
	if (arms)
		umf_trigger_arm(&rule->trig, now);
	spin_unlock_irqrestore(&rule->lock, flags);
	if (arms)
		visit_edge(rule);
}

void umf_rule_arm_others(struct umf_rule *rule, u64 now)
{
	struct umf_rule *next;

	list_for_each_entry_rcu(next, &rule->arms, armed_by)
		rule_arm(next, now);
}

static bool rule_fires(struct umf_rule *rule, const struct umf_op *op, u64 now,
		       struct umf_effect *effect)
{
	const struct umf_spec *spec = &rule->spec;
	const struct umf_site_ops *ops = rule->site->ops;
	unsigned long flags;
	bool fires = false;

	effect->arg = 0;
	effect->action = spec->action;
	effect->rule = rule->nr;
	effect->spec = spec;
	if (READ_ONCE(rule->suspended))
		return false;
	if (ops->match && !ops->match(rule, op))
		return false;

	spin_lock_irqsave(&rule->lock, flags);
	if (umf_trigger_phase(&rule->trig, spec, now) == UMF_OPEN) {
		rule->stats.matched++;
		fires = umf_num(spec, UMF_K_PLACE, 0) ?
			umf_trigger_match_at(&rule->trig, spec,
					     ops->place(rule, op), &effect->rng) :
			umf_trigger_match(&rule->trig, spec, &effect->rng);
		if (fires && (umf_rule_action(rule)->flags & UMF_AF_DELAY))
			effect->arg = umf_trigger_delay(&rule->trig, spec,
							&effect->rng);
		if (fires && ops->changes && !ops->changes(op, effect)) {
			rule->trig.shots--;
			fires = false;
		}
	}
	spin_unlock_irqrestore(&rule->lock, flags);
	return fires;
}

/*
 * How often a rule was asked is not counted each time, as that would cost a
 * write for each rule and operation: it is asked of all that the site decides
 * while it is there and not suspended, but for those that end before it.
 */
u64 umf_rule_evaluated(const struct umf_rule *rule)
{
	u64 passed_over = atomic64_read(&rule->passed_over);

	if (umf_rule_action(rule)->flags & UMF_AF_LEVEL)
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

void umf_rule_suspend(struct umf_rule *rule, bool suspend)
{
	lockdep_assert_held(&rule->lock);
	rule->evaluated = umf_rule_evaluated(rule);
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

/* Is the operation not asked of any rule behind that one? */
static bool rule_ends(const struct umf_rule *rule)
{
	return (umf_rule_action(rule)->flags & UMF_AF_FINAL) &&
	       !umf_num(&rule->spec, UMF_K_ECN, 0);
}

/* Those that it would have asked, had it not as many effects as it can have. */
static void walk_stop(struct walk *walk)
{
	struct umf_rule *rule;

	while ((rule = walk_next(walk)))
		if (atomic64_inc_return(&rule->unasked) == 1)
			pr_notice("umf: %s: %s is not always asked, as %d rules are the most that act on one operation\n",
				  rule->site->name, umf_rule_id(rule),
				  UMF_EFFECTS_MAX);
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
		if (!rule_fires(rule, op, now, effect))
			continue;
		/* now: it may be asked about this operation, too */
		umf_rule_arm_others(rule, now);
		effect++;
		verdict.n++;
		if (rule_ends(rule) || verdict.n == UMF_EFFECTS_MAX) {
			pass_over(site, rule, index);
			if (!rule_ends(rule))
				walk_stop(&walk);
			break;
		}
	}
	verdict.now = now;
	verdict.index = index;
	return verdict;
}

struct umf_rule *umf_effect_rule(const struct umf_effect *effect)
{
	return (struct umf_rule *)container_of(effect->spec, struct umf_rule,
					       spec);
}

void umf_effect_done(struct umf_site *site, const struct umf_op *op,
		     const struct umf_verdict *verdict,
		     const struct umf_effect *effect)
{
	struct umf_rule *rule = umf_effect_rule(effect);
	unsigned long flags;

	spin_lock_irqsave(&rule->lock, flags);
	umf_rule_count(rule, verdict->now, verdict->index, op->len);
	spin_unlock_irqrestore(&rule->lock, flags);
	umf_rule_log(rule, verdict->now, verdict->index, op, effect, NULL);
}

/* Those that it has armed, unless they have been asked since. */
static void disarm_others(struct umf_rule *rule, u64 armed_at)
{
	struct umf_rule *next;
	unsigned long flags;
	bool disarms;

	list_for_each_entry_rcu(next, &rule->arms, armed_by) {
		spin_lock_irqsave(&next->lock, flags);
		disarms = next->trig.armed &&
			  next->trig.armed_at == armed_at && !next->trig.seen;
		if (disarms)
			next->trig.armed = false;
		spin_unlock_irqrestore(&next->lock, flags);
		if (disarms)
			visit_edge(next);
	}
}

void umf_effect_undone(const struct umf_verdict *verdict,
		       const struct umf_effect *effect)
{
	struct umf_rule *rule = umf_effect_rule(effect);
	unsigned long flags;

	spin_lock_irqsave(&rule->lock, flags);
	if (rule->trig.shots)
		rule->trig.shots--;
	spin_unlock_irqrestore(&rule->lock, flags);
	disarm_others(rule, verdict->now);
}

void umf_verdict_done(struct umf_site *site, const struct umf_op *op,
		      const struct umf_verdict *verdict)
{
	unsigned int i;

	for (i = 0; i < verdict->n; i++)
		umf_effect_done(site, op, verdict, &verdict->effect[i]);
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
