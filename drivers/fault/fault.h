/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fault core: what a driver and the core's own files share.
 *
 * A driver registers a site (one per device), asks umf_decide() what is to
 * happen to an operation and applies the verdict to its own object. The core
 * knows no skb, request or tty; what a rule must ask of one goes through
 * umf_site_ops. Words and limits of the grammar are in fault/params.h.
 *
 * Locking: verbs run under one mutex (fault/registry.c). Rules hang on their site
 * under RCU. A rule's spinlock protects its trigger and its counters; no other
 * rule's lock and no driver lock is taken inside it.
 */
#ifndef __UMF_FAULT_H
#define __UMF_FAULT_H

#include <linux/hrtimer.h>
#include <linux/jump_label.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include "fault/params.h"

struct umf_capture;
struct umf_plan;
struct umf_rule;
struct umf_site;
struct umf_table;

/* ---- seeded draws: SplitMix64 (Steele, Lea, Flood: OOPSLA 2014) ---- */

struct umf_rng {
	u64 state;
};

static inline u64 umf_mix64(u64 z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline u64 umf_rng_next(struct umf_rng *rng)
{
	rng->state += 0x9e3779b97f4a7c15ULL;
	return umf_mix64(rng->state);
}

/* A draw from 0 to @n - 1, @n > 0; the bias is below n / 2^64. */
static inline u64 umf_rng_below(struct umf_rng *rng, u64 n)
{
	return mul_u64_u64_shr(umf_rng_next(rng), n, 64);
}

/* ---- replies: text that grows (fault/log.c) ---- */

struct umf_reply {
	char *text;		/* NUL-terminated once something was said */
	size_t len, size;
	int err;		/* 0 or -errno of the first failure */
};

__printf(2, 3) void umf_say(struct umf_reply *reply, const char *fmt, ...);
/* Replaces the reply by one line that says what is wrong; returns @err. */
__printf(3, 4) int umf_fail(struct umf_reply *reply, int err,
			    const char *fmt, ...);
void umf_reply_free(struct umf_reply *reply);

/* ---- a rule as written (fault/parse.c) ---- */

struct umf_value {
	union {
		/*
		 * Numbers: a. UMF_T_AT: a, b is 1 for +T. UMF_T_RANGE,
		 * UMF_T_SPAN: first a, last b. UMF_T_STEP, UMF_T_DRIFT: a, b is 1 for -.
		 * UMF_T_BURST: a is p_bad | p_good << 32 and b is
		 * loss_bad | loss_good << 32, all in parts per billion.
		 * UMF_T_MAC: a, first byte in bits 40-47. UMF_T_WORD: a, index.
		 */
		struct {
			u64 a, b;
		};
		char *text;	/* UMF_T_ID, UMF_T_BPF, UMF_T_TEXT; owned */
	};
};

#define UMF_KEY_WORDS	((UMF_K_MAX + 63) / 64)

struct umf_spec {
	u64 have[UMF_KEY_WORDS];	/* UMF_K_… present in val, as bits */
	enum umf_action_id action;
	char device[16];
	struct umf_value val[UMF_K_MAX];
};

static inline bool umf_has(const struct umf_spec *spec, enum umf_key key)
{
	return spec->have[key / 64] & BIT_ULL(key % 64);
}

static inline void umf_set_has(struct umf_spec *spec, enum umf_key key)
{
	spec->have[key / 64] |= BIT_ULL(key % 64);
}

static inline void umf_clear_has(struct umf_spec *spec, enum umf_key key)
{
	spec->have[key / 64] &= ~BIT_ULL(key % 64);
}

/* A key's number, or @def where the rule does not say. */
static inline u64 umf_num(const struct umf_spec *spec, enum umf_key key, u64 def)
{
	return umf_has(spec, key) ? spec->val[key].a : def;
}

/*
 * Cuts the next statement off *@pos into *@stmt, NUL-terminated in place; it
 * ends at ';', a newline or the text's end. 1: there was one; 0: the text has
 * ended; -EINVAL: a quote is not closed.
 */
int umf_parse_statement(char **pos, char **stmt);
/* Cuts the next word off a statement, quotes removed in place; NULL: no more. */
char *umf_parse_word(char **pos);
/*
 * Reads "<action> key=value …" for a device of @class into @spec, whose device
 * is already set. 0, or -EINVAL with the reason in @reply and @spec empty.
 */
int umf_parse_rule(char *text, u64 class, struct umf_spec *spec,
		   struct umf_reply *reply);
int umf_parse_number(const char *word, u64 *val);	/* decimal or 0x… */
int umf_parse_time(const char *word, u64 *ns);		/* 250us */
int umf_parse_rate(const char *word, u64 *bits);	/* 10Mbit, 500kB: bit/s */
/* "<device> <action> key=value …", valid input for add. */
void umf_print_rule(struct umf_reply *reply, const struct umf_spec *spec);
void umf_print_value(struct umf_reply *reply, enum umf_key key,
		     const struct umf_value *val);
void umf_spec_free(struct umf_spec *spec);

/* ---- when a rule fires: pure, time comes in (fault/trigger.c) ---- */

enum umf_phase {
	UMF_WAITING,	/* on= has not fired, or at= has not come */
	UMF_OPEN,	/* in force */
	UMF_CLOSED,	/* between two duty parts of a period */
	UMF_SPENT,	/* count= reached or for= over */
};

struct umf_trigger {
	u64 seed;	/* of the rule's own stream */
	u64 draw;	/* position in it: matches since it was seeded */
	u64 seen;	/* matches since armed */
	u64 shots;	/* firings since armed */
	u64 armed_at;	/* guest monotonic, ns */
	bool armed;
	bool bad;	/* Gilbert–Elliott state */
	bool delayed;	/* the next is valid */
	u64 delay;	/* the last one drawn, ns, for corr= */
	const struct umf_table *table;	/* of table=, or NULL */
};

void umf_trigger_seed(struct umf_trigger *trig, const struct umf_spec *spec,
		      u64 guest_seed);
void umf_trigger_arm(struct umf_trigger *trig, u64 now);
enum umf_phase umf_trigger_phase(const struct umf_trigger *trig,
				 const struct umf_spec *spec, u64 now);
/* The same by the clock alone: a reached count= does not end it. */
enum umf_phase umf_trigger_window(const struct umf_trigger *trig,
				  const struct umf_spec *spec, u64 now);
/* When the window next opens or closes; U64_MAX: never by itself. */
u64 umf_trigger_edge(const struct umf_trigger *trig,
		     const struct umf_spec *spec, u64 now);
/* When the window that is open at @now opened. */
u64 umf_trigger_opening(const struct umf_trigger *trig,
			const struct umf_spec *spec, u64 now);
/* One match while open: does it fire? Then @rng is the firing's own stream. */
bool umf_trigger_match(struct umf_trigger *trig, const struct umf_spec *spec,
		       struct umf_rng *rng);
/* The same with place=on: the draws are those of @place, whatever matched before. */
bool umf_trigger_match_at(struct umf_trigger *trig, const struct umf_spec *spec,
			  u64 place, struct umf_rng *rng);

/* How long an operation that fired is to wait, drawn from @rng, ns. */
u64 umf_trigger_delay(struct umf_trigger *trig, const struct umf_spec *spec,
		      struct umf_rng *rng);

/* ---- operations and verdicts ---- */

/* What a driver says of one operation; it embeds this in a struct of its own. */
struct umf_op {
	enum umf_dir dir;
	size_t len;		/* bytes the operation moves */
	u64 key;		/* asks rules with that key; 0: none of those */
	bool keyed;		/* no others are asked */
};

/* One fired rule. */
struct umf_effect {
	enum umf_action_id action;
	u32 rule;		/* number, never used twice; for umf_rule_…() */
	const struct umf_spec *spec;	/* valid inside the RCU section only */
	u64 arg;		/* UMF_AF_DELAY: nanoseconds */
	struct umf_rng rng;	/* for all draws this firing still needs */
};

#define UMF_EFFECTS_MAX	8

/*
 * In the order of the rules. An operation takes at most UMF_EFFECTS_MAX
 * effects; rules behind the last of them are not asked, which is counted.
 *
 * A verdict is what is to be done, not what was: the driver says of each effect
 * that it came about (umf_effect_done()) or that it did not.
 */
struct umf_verdict {
	u64 now, index;		/* of the decision; now is 0 if no rule was asked */
	unsigned int n;
	struct umf_effect effect[UMF_EFFECTS_MAX];
};

/* ---- sites (fault/rule.c), deciding (fault/decide.c) ---- */

struct umf_site_ops {
	/*
	 * Checks and compiles what only this class understands (a filter
	 * program); may sleep. Returns 0 or umf_fail(). Optional.
	 */
	int (*prepare)(struct umf_rule *rule, struct umf_reply *reply);
	void (*release)(struct umf_rule *rule);
	/*
	 * What rules that have ended still do, a line in @reply, as the class
	 * could not end it at once. Optional; may sleep.
	 */
	void (*lingers)(struct umf_site *site, struct umf_reply *reply);
	/* Do the class's own filters (not dir=) accept it? Any context. */
	bool (*match)(const struct umf_rule *rule, const struct umf_op *op);
	/*
	 * place=on: the place of a match, and which match of that place it is, in
	 * one number. Any context; a rule's lock is held.
	 */
	u64 (*place)(const struct umf_rule *rule, const struct umf_op *op);
	/*
	 * Would that effect change the operation, as far as that is known
	 * before anything is done to it? Then only does the rule fire. Optional.
	 * Any context; a rule's lock is held.
	 */
	bool (*changes)(const struct umf_op *op,
			const struct umf_effect *effect);
	/*
	 * For an operation that stands for several: is it sure that match()
	 * would accept none of them? Optional. Any context.
	 */
	bool (*excludes)(const struct umf_rule *rule, const struct umf_op *op);
	/*
	 * Bits of the plan: rules that match() would refuse @op for, or all it
	 * stands for, as far as that is known for many at once; NULL: for none.
	 * They stay until the RCU section ends. Optional. Any context.
	 */
	const unsigned long *(*refused)(struct umf_site *site,
					const struct umf_op *op,
					const struct umf_plan *plan);
	/* What is done to what, in a few words for the event log. */
	void (*describe)(const struct umf_op *op,
			 const struct umf_effect *effect, char *buf, size_t len);
	/*
	 * A rule came, went, was suspended or resumed, or a window opened or
	 * closed: bring level actions and held operations up to date. Called
	 * without locks, in process context (then it may sleep) or softirq.
	 */
	void (*update)(struct umf_site *site);
	/* What list tells of a rule beside its keys, " key=value". Optional. */
	void (*print)(const struct umf_rule *rule, struct umf_reply *reply);
	/* A capture ends: what it has not been told yet goes to it. Optional. */
	void (*flush)(struct umf_site *site);
};

struct umf_site {
	char name[16];			/* set by the driver, as the four */
	u64 class;
	const struct umf_site_ops *ops;
	/* The core's: */
	struct list_head list;		/* all sites; the verbs' mutex */
	struct list_head rules;		/* in list order; RCU, the verbs' mutex */
	unsigned int nrules;
	unsigned int nasked;		/* of them: not levels */
	struct umf_plan __rcu *plan;	/* NULL: no operation asks any rule */
	atomic64_t index;		/* operations decided since the first rule */
	struct umf_capture __rcu *capture;	/* NULL: it is not captured */
};

struct umf_stats {
	u64 matched, fired, bytes;
	u64 first_time, first_index;	/* valid when fired > 0 */
	u64 last_time, last_index;
};

/* What every operation reads of every rule comes first, in one cache line. */
struct umf_rule {
	struct list_head list;		/* on site->rules; RCU */
	void *priv;			/* the class's, from prepare to release */
	bool suspended;			/* changes with the lock held */
	u32 nr;
	unsigned int place;		/* in the site's plan */
	u64 key;			/* set by prepare; umf_op.key */
	struct umf_spec spec;
	struct umf_site *site;
	struct umf_rule *on;		/* the rule that arms this one */
	struct list_head arms;		/* the rules this one arms; RCU */
	struct list_head armed_by;	/* on on->arms */
	struct list_head all;		/* on the list of all, in add order */
	bool dead;			/* being removed; set before it leaves any list */
	atomic64_t passed_over;		/* operations that ended before it, … */
	atomic64_t unasked;		/* … of these as they had enough effects */
	struct hrtimer timer;		/* the next edge, of UMF_AF_EDGES rules */
	spinlock_t lock;		/* what follows */
	struct umf_trigger trig;
	struct umf_stats stats;
	u64 evaluated;			/* before @since */
	u64 since;			/* site->index when it was last resumed */
	bool begun;			/* of a level: that is logged, its end is not */
};

DECLARE_STATIC_KEY_FALSE(umf_any_rule);

int umf_site_add(struct umf_site *site);	/* -EEXIST for a known name */
void umf_site_del(struct umf_site *site);	/* its rules go with it */
/* -EEXIST for a known name, -EBUSY if there are rules that have the old one */
int umf_site_rename(struct umf_site *site, const char *name);

/* The one test on a hot path. */
static inline bool umf_site_active(const struct umf_site *site)
{
	return static_branch_unlikely(&umf_any_rule) && READ_ONCE(site->nrules);
}

/* Is there a rule to ask about single operations? Then umf_any_rule is set. */
static inline bool umf_site_asks(const struct umf_site *site)
{
	return READ_ONCE(site->nasked);
}

/*
 * What is to happen to this operation. Call it, and use the verdict's specs,
 * inside rcu_read_lock(); any context but NMI.
 */
struct umf_verdict umf_decide(struct umf_site *site, const struct umf_op *op);
/*
 * What became of one effect; said once, in the same RCU section. Done: it has
 * changed something, or is about to and nothing can prevent it; it is counted
 * and logged (ops->describe() sees the operation as it is now). Undone: it
 * changed nothing; the rule has not fired, nor used up its count=, nor armed
 * others.
 */
void umf_effect_done(struct umf_site *site, const struct umf_op *op,
		     const struct umf_verdict *verdict,
		     const struct umf_effect *effect);
void umf_effect_undone(const struct umf_verdict *verdict,
		       const struct umf_effect *effect);
/* The first for all of them. */
void umf_verdict_done(struct umf_site *site, const struct umf_op *op,
		      const struct umf_verdict *verdict);
/*
 * For @op that stands for @n operations: true when no rule can match any of
 * them. They are counted then as if each had been decided, and need not be;
 * else nothing has changed. In the same context.
 */
bool umf_pass_all(struct umf_site *site, const struct umf_op *op,
		  unsigned int n);
/* The same when no rule would even be asked: by direction and key. */
bool umf_pass_unasked(struct umf_site *site, const struct umf_op *op,
		      unsigned int n);

/*
 * Is this rule open at @now: listed, not suspended and within its window,
 * whatever count= says? What umf_decide() no longer asks at @now is not open.
 * What follows, and "in force" wherever it is said, is this answer with the time
 * at which it is asked.
 */
bool umf_rule_open(struct umf_rule *rule, u64 now);
/* Is a rule with this level action open? */
bool umf_site_level(struct umf_site *site, enum umf_action_id action);
/* Each rule with a level action that is open, in list order. */
void umf_site_visit_levels(struct umf_site *site,
			   void (*visit)(struct umf_rule *rule, void *data),
			   void *data);
/* When the window that it is in at @now opened, ns; *@seed: of the rule's stream. */
u64 umf_rule_opening(struct umf_rule *rule, u64 now, u64 *seed);
/* The rule of an effect, inside the verdict's RCU section. */
struct umf_rule *umf_effect_rule(const struct umf_effect *effect);
/* The rule with that number, or NULL when it has gone; inside an RCU section. */
struct umf_rule *umf_rule_get(struct umf_site *site, u32 nr);
/* Is that rule still listed at all? And is it open now? */
bool umf_rule_listed(struct umf_site *site, u32 nr);
bool umf_rule_in_force(struct umf_site *site, u32 nr);
/* When one that is open at @now closes, ns; U64_MAX: never, 0: it is not open. */
u64 umf_rule_end(struct umf_rule *rule, u64 now);

/* ---- which rules are asked (fault/plan.c) ---- */

#define UMF_PLAN_SLOTS	16		/* classes of keys */
#define UMF_PLAN_PLAIN	UMF_PLAN_SLOTS	/* rules without a key */
#define UMF_PLAN_ALL	(UMF_PLAN_SLOTS + 1)
#define UMF_PLAN_SETS	(UMF_PLAN_SLOTS + 2)

struct umf_plan {
	struct rcu_head rcu;
	u64 serial;		/* never used twice */
	unsigned int n, words;
	struct umf_rule **rule;	/* valid where a bit is set */
	u64 *key;		/* of each */
	unsigned long *bits;	/* [dir][set][words] */
};

static inline unsigned int umf_plan_slot(u64 key)
{
	return umf_mix64(key) % UMF_PLAN_SLOTS;
}

static inline unsigned long *umf_plan_set(const struct umf_plan *plan,
					  enum umf_dir dir, unsigned int set)
{
	return plan->bits + (dir * UMF_PLAN_SETS + set) * plan->words;
}

/*
 * For the holder of the verbs' mutex. Of the site's rules and @rule, which is
 * not on its list yet; NULL: out of memory.
 */
struct umf_plan *umf_plan_make(struct umf_site *site, struct umf_rule *rule);
void umf_plan_use(struct umf_site *site, struct umf_plan *plan);
void umf_plan_del(struct umf_site *site, struct umf_rule *rule);
void umf_plan_free(struct umf_site *site);

/* ---- verbs (fault/verb.c) and what they use of rule.c and show.c ---- */

/*
 * Runs statements separated by ';' or newlines; @text is cut up. Stops at the
 * first that fails, earlier ones stand. Returns reply->err. May sleep.
 */
int umf_command(char *text, struct umf_reply *reply);

/* @device or @id NULL: all. Each returns 0 or umf_fail(); may sleep. */
int umf_rule_add(const char *device, char *text, struct umf_reply *reply);
int umf_rule_del(const char *id, struct umf_reply *reply);
int umf_rules_clear(const char *device, struct umf_reply *reply);
int umf_rules_list(const char *device, struct umf_reply *reply);
int umf_rules_stats(const char *id, struct umf_reply *reply);
int umf_rules_suspend(const char *id, bool suspend, struct umf_reply *reply);
int umf_rules_devices(struct umf_reply *reply);
int umf_rules_seed(u64 seed, struct umf_reply *reply);
u64 umf_rules_get_seed(void);
/* @device NULL: lists all, @path NULL: lists it. */
int umf_rules_capture(const char *device, const char *path,
		      struct umf_reply *reply);
/* Forgets captures that have ended by themselves. */
void umf_rules_reap(void);

/*
 * What captures a site, which is above the core: capture/ gives it these at boot.
 * For the holder of the verbs' mutex.
 */
struct umf_capture_ops {
	/* The file is begun, or there is a line in @reply that says why not. */
	int (*start)(struct umf_site *site, const char *path,
		     struct umf_reply *reply);
	/* Ends it and says what it was in @reply, if there is one. */
	void (*stop)(struct umf_site *site, struct umf_reply *reply);
	/* Forgets one that has ended by itself. */
	void (*reap)(struct umf_site *site);
	void (*list)(const struct umf_site *site, struct umf_reply *reply);
};

extern const struct umf_capture_ops *umf_capture_ops;

/* ---- event log (fault/log.c) ---- */

#define UMF_WHAT_LEN	96

struct umf_event {
	u64 seq;		/* from 1 */
	u64 time;		/* guest monotonic, ns */
	u64 index;		/* of the operation on its device */
	char rule[UMF_ID_LEN];
	char device[16];
	enum umf_action_id action;
	char what[UMF_WHAT_LEN];
};

void umf_log_event(struct umf_event *event);	/* gives it its seq */
/*
 * The oldest record after @since into @event; false when there is none.
 * *@lost says how many that had come since were overwritten.
 */
bool umf_log_read(u64 since, struct umf_event *event, u64 *lost);
void umf_print_event(struct umf_reply *reply, const struct umf_event *event);
int umf_log_print(u64 since, struct umf_reply *reply);
struct wait_queue_head *umf_log_wait(void);

#endif /* __UMF_FAULT_H */
