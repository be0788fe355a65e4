// SPDX-License-Identifier: GPL-2.0
/*
 * When a rule fires: the clock's part (at for period duty, armed by on=) and
 * the matches' part (after every count burst prob).
 *
 * Pure: time and matches come in, nothing is read from anywhere else. A match
 * takes a fixed place in the rule's own stream, whatever the other triggers
 * say of it, so that the same seed and the same matches fire the same:
 *
 *	match n of the stream: draws 4n (prob), 4n+1 and 4n+2 (burst), 4n+3
 *	(seed of the firing's own stream)
 *
 * With place=on it has a stream of its own instead, by where it is.
 *
 *	not armed --arm--> armed: WAITING until at=, then OPEN and CLOSED as
 *	period= and duty= say, SPENT at the end of for= or once count= is
 *	reached. Arming a spent rule starts it anew; its stream goes on.
 */
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/string.h>
#include "fault/fault.h"
#include "fault/table.h"

#define DRAWS_PER_MATCH	4

enum draw {
	DRAW_PROB,
	DRAW_TURN,
	DRAW_LOSS,
	DRAW_RNG,
};

/* SplitMix64 is a counter behind a mixer: any place can be read directly. */
static u64 draw(const struct umf_trigger *trig, enum draw which)
{
	struct umf_rng rng = {
		trig->seed + (trig->draw * DRAWS_PER_MATCH + which) *
			     0x9e3779b97f4a7c15ULL
	};

	return umf_rng_next(&rng);
}

/* True with probability @ppb; 0 is never and UMF_PPB always. */
static bool chance(const struct umf_trigger *trig, enum draw which, u64 ppb)
{
	return mul_u64_u64_shr(draw(trig, which), UMF_PPB, 64) < ppb;
}

void umf_trigger_seed(struct umf_trigger *trig, const struct umf_spec *spec,
		      u64 guest_seed)
{
	const char *id = umf_has(spec, UMF_K_ID) ? spec->val[UMF_K_ID].text : "";
	u64 hash = 0xcbf29ce484222325ULL;	/* FNV-1a */

	for (; *id; id++)
		hash = (hash ^ (unsigned char)*id) * 0x100000001b3ULL;
	if (umf_has(spec, UMF_K_SEED))
		trig->seed = umf_mix64(spec->val[UMF_K_SEED].a);
	else
		trig->seed = umf_mix64(umf_mix64(guest_seed) ^ hash);
	trig->draw = 0;
	trig->bad = false;
	trig->delayed = false;
}

void umf_trigger_arm(struct umf_trigger *trig, u64 now)
{
	trig->armed = true;
	trig->armed_at = now;
	trig->seen = 0;
	trig->shots = 0;
}

static u64 window_start(const struct umf_trigger *trig,
			const struct umf_spec *spec)
{
	const struct umf_value *at = &spec->val[UMF_K_AT];

	if (!umf_has(spec, UMF_K_AT))
		return trig->armed_at;
	return at->b ? trig->armed_at + at->a : at->a;
}

static u64 window_end(const struct umf_trigger *trig,
		      const struct umf_spec *spec)
{
	if (!umf_has(spec, UMF_K_FOR))
		return U64_MAX;
	return window_start(trig, spec) + spec->val[UMF_K_FOR].a;
}

/* How far into its period a window is, and how long the period's open part. */
static u64 period_pos(const struct umf_spec *spec, u64 since, u64 *open)
{
	u64 pos;

	*open = mul_u64_u64_div_u64(spec->val[UMF_K_PERIOD].a,
				    spec->val[UMF_K_DUTY].a, UMF_PPB);
	div64_u64_rem(since, spec->val[UMF_K_PERIOD].a, &pos);
	return pos;
}

enum umf_phase umf_trigger_window(const struct umf_trigger *trig,
				  const struct umf_spec *spec, u64 now)
{
	u64 start, open;

	if (!trig->armed)
		return UMF_WAITING;
	start = window_start(trig, spec);
	if (now < start)
		return UMF_WAITING;
	if (now >= window_end(trig, spec))
		return UMF_SPENT;
	if (umf_has(spec, UMF_K_PERIOD) &&
	    period_pos(spec, now - start, &open) >= open)
		return UMF_CLOSED;
	return UMF_OPEN;
}

enum umf_phase umf_trigger_phase(const struct umf_trigger *trig,
				 const struct umf_spec *spec, u64 now)
{
	if (trig->armed && umf_has(spec, UMF_K_COUNT) &&
	    trig->shots >= spec->val[UMF_K_COUNT].a)
		return UMF_SPENT;
	return umf_trigger_window(trig, spec, now);
}

u64 umf_trigger_edge(const struct umf_trigger *trig,
		     const struct umf_spec *spec, u64 now)
{
	u64 start, end, pos, open, edge;

	if (!trig->armed)
		return U64_MAX;
	start = window_start(trig, spec);
	end = window_end(trig, spec);
	if (now < start)
		return start;
	if (now >= end)
		return U64_MAX;
	if (!umf_has(spec, UMF_K_PERIOD))
		return end;
	pos = period_pos(spec, now - start, &open);
	if (!open || open == spec->val[UMF_K_PERIOD].a)
		return end;
	edge = now - pos + (pos < open ? open : spec->val[UMF_K_PERIOD].a);
	return min(edge, end);
}

u64 umf_trigger_opening(const struct umf_trigger *trig,
			const struct umf_spec *spec, u64 now)
{
	u64 start = window_start(trig, spec), open;

	if (now < start || !umf_has(spec, UMF_K_PERIOD))
		return start;
	return now - period_pos(spec, now - start, &open);
}

static bool burst_fires(struct umf_trigger *trig, const struct umf_value *val)
{
	u64 turn = trig->bad ? val->a >> 32 : val->a & U32_MAX;

	if (chance(trig, DRAW_TURN, turn))
		trig->bad = !trig->bad;
	return chance(trig, DRAW_LOSS,
		      trig->bad ? val->b & U32_MAX : val->b >> 32);
}

bool umf_trigger_match(struct umf_trigger *trig, const struct umf_spec *spec,
		       struct umf_rng *rng)
{
	u64 after = umf_num(spec, UMF_K_AFTER, 0), nth;
	bool fires;

	trig->seen++;
	fires = trig->seen > after;
	if (fires && umf_has(spec, UMF_K_EVERY)) {
		div64_u64_rem(trig->seen - after, spec->val[UMF_K_EVERY].a,
			      &nth);
		fires = !nth;
	}
	/* the channel changes state whether or not anybody is hit */
	if (umf_has(spec, UMF_K_BURST) &&
	    !burst_fires(trig, &spec->val[UMF_K_BURST]))
		fires = false;
	if (!chance(trig, DRAW_PROB, umf_num(spec, UMF_K_PROB, UMF_PPB)))
		fires = false;
	rng->state = draw(trig, DRAW_RNG);
	trig->draw++;
	if (fires)
		trig->shots++;
	return fires;
}

bool umf_trigger_match_at(struct umf_trigger *trig, const struct umf_spec *spec,
			  u64 place, struct umf_rng *rng)
{
	bool fires;

	rng->state = umf_mix64(trig->seed ^ umf_mix64(place));
	fires = umf_rng_below(rng, UMF_PPB) < umf_num(spec, UMF_K_PROB, UMF_PPB);
	trig->seen++;
	if (fires)
		trig->shots++;
	return fires;
}

/* ---- how long ---- */

static u64 cube_root(u64 x)
{
	u64 root = 0, bit;

	for (bit = BIT_ULL(20); bit; bit >>= 1)
		if ((root | bit) * (root | bit) * (root | bit) <= x)
			root |= bit;
	return root;
}

/* The sum of twelve draws from 0 to 1 has variance 1; it ends at 6 deviations. */
static u64 draw_normal(u64 mean, u64 dev, struct umf_rng *rng)
{
	u64 sum = 0, half = 6ULL << 32, far;
	int i;

	for (i = 0; i < 12; i++)
		sum += umf_rng_next(rng) >> 32;
	if (sum >= half)
		return mean + mul_u64_u64_shr(dev, sum - half, 32);
	far = mul_u64_u64_shr(dev, half - sum, 32);
	return far < mean ? mean - far : 0;
}

/*
 * Pareto's law with shape 3, as in tc-netem: from 1 on, mean 3/2, deviation
 * sqrt(3/4), shifted and scaled to what was asked for. x is in 1/1024; the
 * largest of all is 1625.
 */
static u64 draw_pareto(u64 mean, u64 dev, struct umf_rng *rng)
{
	u64 u = (umf_rng_next(rng) >> 32) + 1;
	u64 x = cube_root(div64_u64(BIT_ULL(62), u)), middle = 1536;

	/* 1024 * sqrt(3/4) is 886.81 */
	if (x >= middle)
		return mean + mul_u64_u64_div_u64(dev, (x - middle) * 100, 88681);
	return mean - mul_u64_u64_div_u64(dev, (middle - x) * 100, 88681);
}

static u64 draw_table(const struct umf_table *table, u64 mean, u64 dev,
		      struct umf_rng *rng)
{
	int val = table->val[umf_rng_below(rng, table->n)];
	u64 far = mul_u64_u64_div_u64(dev, abs(val), UMF_TABLE_SCALE);

	if (val >= 0)
		return mean + far;
	return far < mean ? mean - far : 0;
}

u64 umf_trigger_delay(struct umf_trigger *trig, const struct umf_spec *spec,
		      struct umf_rng *rng)
{
	u64 time = umf_num(spec, UMF_K_TIME, 0);
	u64 jitter = umf_num(spec, UMF_K_JITTER, 0);

	/* Taken again, a draw has the same distribution, and corr= to the last. */
	if (umf_has(spec, UMF_K_CORR) &&
	    mul_u64_u64_shr(umf_rng_next(rng), UMF_PPB, 64) <
	    spec->val[UMF_K_CORR].a && trig->delayed)
		return trig->delay;
	trig->delayed = true;
	if (trig->table) {
		trig->delay = draw_table(trig->table, time, jitter, rng);
		return trig->delay;
	}
	switch (umf_num(spec, UMF_K_DIST, UMF_DIST_UNIFORM)) {
	case UMF_DIST_NORMAL:
		trig->delay = draw_normal(time, jitter, rng);
		break;
	case UMF_DIST_PARETO:
		trig->delay = draw_pareto(time, jitter, rng);
		break;
	default:
		trig->delay = time - jitter + umf_rng_below(rng, 2 * jitter + 1);
		break;
	}
	return trig->delay;
}
