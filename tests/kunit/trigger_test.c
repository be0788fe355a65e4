// SPDX-License-Identifier: GPL-2.0
/*
 * Which matches a rule fires on: exact places for given seeds, probabilities
 * against theory, streams against each other. The clock is in
 * trigger_clock_test.c.
 *
 * The golden vectors were computed apart from this code, by a few lines of
 * Python: SplitMix64 drawn one after the other from the seed that
 * umf_trigger_seed() documents, four draws for each match. The statistical
 * bounds are 5 sigma; with fixed seeds the outcome never varies, so a test
 * passes always or fails always.
 */
#include <linux/bitmap.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "umf_kunit.h"

#define DRAWS	1000000		/* of a statistical test */
#define MATCHES	200		/* of a golden vector */
#define MS	1000000ULL	/* nanoseconds */

/* A rule's trigger, seeded as on a guest of seed UMF_KUNIT_SEED and armed. */
static const struct umf_spec *start(struct kunit *test, const char *rule,
				    struct umf_trigger *trig)
{
	const struct umf_spec *spec = umf_kunit_spec(test, rule);

	memset(trig, 0, sizeof(*trig));
	umf_trigger_seed(trig, spec, UMF_KUNIT_SEED);
	umf_trigger_arm(trig, 0);
	return spec;
}

/* One match at @now as the rule code makes it: a closed window takes none. */
static bool match_at(struct umf_trigger *trig, const struct umf_spec *spec,
		     u64 now)
{
	struct umf_rng rng;

	return umf_trigger_phase(trig, spec, now) == UMF_OPEN &&
	       umf_trigger_match(trig, spec, &rng);
}

static unsigned long *some_bits(struct kunit *test, unsigned int n)
{
	unsigned long *bits = kunit_kzalloc(test, BITS_TO_LONGS(n) *
					    sizeof(*bits), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bits);
	return bits;
}

/* Which of the first @n matches of a rule fire. */
static unsigned long *firings(struct kunit *test, const char *rule,
			      unsigned int n)
{
	unsigned long *bits = some_bits(test, n);
	const struct umf_spec *spec;
	struct umf_trigger trig;
	unsigned int i;

	spec = start(test, rule, &trig);
	for (i = 0; i < n; i++)
		if (match_at(&trig, spec, 0))
			__set_bit(i, bits);
	return bits;
}

/* ---- draws ---- */

static void draws_are_splitmix64(struct kunit *test)
{
	/* the generator's published first outputs for this seed */
	static const u64 expect[] = {
		6457827717110365317ULL, 3203168211198807973ULL,
		9817491932198370423ULL, 4593380528125082431ULL,
		16408922859458223821ULL,
	};
	struct umf_rng rng = { .state = 1234567 };
	int i;

	for (i = 0; i < ARRAY_SIZE(expect); i++)
		KUNIT_EXPECT_EQ(test, umf_rng_next(&rng), expect[i]);
}

static void draws_below_n_are_uniform(struct kunit *test)
{
	struct umf_rng rng = { .state = UMF_KUNIT_SEED };
	u64 bucket[10] = {}, chi = 0, val;
	int i;

	for (i = 0; i < 100000; i++) {
		val = umf_rng_below(&rng, 10);
		KUNIT_ASSERT_LT(test, val, 10);
		bucket[val]++;
	}
	for (i = 0; i < 10; i++)
		chi += (bucket[i] - 10000) * (bucket[i] - 10000);
	/* 9 degrees of freedom: above 42 once in 300,000 seeds */
	KUNIT_EXPECT_LT(test, chi, 42 * 10000);

	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_EQ(test, umf_rng_below(&rng, 1), 0);
	val = 0;
	for (i = 0; i < 100; i++)
		val |= umf_rng_below(&rng, U64_MAX);
	KUNIT_EXPECT_EQ(test, val >> 32, U32_MAX);
}

/* ---- golden vectors ---- */

struct golden {
	const char *rule;
	unsigned int n;		/* matches tried */
	int fires[48];		/* which of them, from 0; ends with -1 */
};

static const struct golden golden[] = {
	{ "drop seed=1 prob=10%", MATCHES,
	  { 4, 6, 12, 37, 89, 93, 97, 106, 107, 118, 132, 133, 134, 143, 158,
	    164, 185, 192, -1 } },
	{ "drop seed=2 prob=10%", MATCHES,
	  { 3, 15, 24, 26, 40, 41, 42, 45, 65, 112, 122, 129, 130, 139, 173,
	    175, 198, -1 } },
	/* of a guest with seed 42 */
	{ "drop id=r1 prob=10%", MATCHES,
	  { 0, 1, 7, 23, 28, 30, 31, 53, 65, 66, 74, 75, 81, 102, 105, 106,
	    116, 124, 125, 147, 148, 155, 157, 165, 168, 172, 182, 192, 196,
	    197, -1 } },
	{ "drop id=r2 prob=10%", MATCHES,
	  { 9, 15, 17, 18, 36, 44, 64, 67, 74, 123, 139, 157, 175, -1 } },
	{ "drop seed=1 prob=50%", 40,
	  { 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 15, 16, 19, 20, 23, 25, 27,
	    28, 29, 33, 35, 37, 38, -1 } },
	{ "drop seed=1 prob=0.1%", 10000, { 2379, 2922, 3791, 6799, -1 } },
	{ "drop seed=1 burst=5%,25%", MATCHES,
	  { 41, 42, 48, 49, 73, 96, 97, 98, 99, 100, 107, 108, 109, 110, 111,
	    112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 133, 134, 135,
	    136, 137, 138, 139, 140, 141, 142, 143, 144, 146, 147, 148, -1 } },
	{ "drop seed=1 burst=5%,25%,50%,1%", MATCHES,
	  { 41, 42, 48, 49, 73, 96, 98, 99, 116, 118, 120, 133, 135, 136, 137,
	    139, 140, 144, 146, 148, 182, -1 } },
	{ "drop seed=1 burst=5%,25% prob=50%", MATCHES,
	  { 41, 49, 73, 96, 97, 100, 107, 108, 110, 115, 118, 119, 120, 133,
	    134, 139, 140, 141, 143, 144, 147, -1 } },
	/* those of prob=10% from the 100th match on, the first four */
	{ "drop seed=1 prob=10% after=100 count=4", MATCHES,
	  { 106, 107, 118, 132, -1 } },
	/* those of prob=50% that are a 5th match */
	{ "drop seed=1 prob=50% every=5", 40,
	  { 4, 9, 19, 29, -1 } },
	/* the first draw is the lowest there is, then the highest */
	{ "drop seed=881993923 prob=0%", 1, { -1 } },
	{ "drop seed=881993923 prob=1ppb", 1, { 0, -1 } },
	{ "drop seed=2376484184 prob=99.9999999%", 1, { -1 } },
	{ "drop seed=2376484184 prob=100%", 1, { 0, -1 } },
	{ "drop every=3", 12, { 2, 5, 8, 11, -1 } },
	{ "drop every=1", 3, { 0, 1, 2, -1 } },
	{ "drop after=3", 6, { 3, 4, 5, -1 } },
	{ "drop after=0", 2, { 0, 1, -1 } },
	{ "drop after=3 every=2", 10, { 4, 6, 8, -1 } },
	{ "drop count=2", 10, { 0, 1, -1 } },
	{ "drop after=2 every=3 count=2", 20, { 4, 7, -1 } },
	{ "drop after=9223372036854775807", MATCHES, { -1 } },
	{ "drop every=9223372036854775807", MATCHES, { -1 } },
};

static void seeds_fire_at_exact_places(struct kunit *test)
{
	const struct golden *gold;
	unsigned long *bits;
	unsigned int i, bit;
	int k;

	for (i = 0; i < ARRAY_SIZE(golden); i++) {
		gold = &golden[i];
		bits = firings(test, gold->rule, gold->n);
		k = 0;
		for_each_set_bit(bit, bits, gold->n) {
			KUNIT_EXPECT_EQ_MSG(test, gold->fires[k], bit,
					    "%s: firing %d", gold->rule, k);
			if (gold->fires[k] >= 0)
				k++;
		}
		KUNIT_EXPECT_EQ_MSG(test, gold->fires[k], -1,
				    "%s: fired only %d times", gold->rule, k);
	}
}

static void a_firing_has_its_own_draws(struct kunit *test)
{
	/* of matches 0 to 3 */
	static const u64 expect[] = {
		0xf440fe3b62c79d2cULL, 0x2f9a1f13648eab6eULL,
		0x889af42f2e548689ULL, 0x8bcb0ba992bb02deULL,
	};
	static const char *const rules[] = {
		"drop seed=1", "drop seed=1 prob=0%", "drop seed=1 after=2",
		"drop seed=1 burst=5%,25% every=7", "delay seed=1 time=1ms",
	};
	const struct umf_spec *spec;
	struct umf_trigger trig;
	struct umf_rng rng;
	int i, n;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		spec = start(test, rules[i], &trig);
		for (n = 0; n < ARRAY_SIZE(expect); n++) {
			umf_trigger_match(&trig, spec, &rng);
			KUNIT_EXPECT_EQ_MSG(test, rng.state, expect[n], "%s",
					    rules[i]);
		}
	}
}

/* ---- at 0 %, in part, at 100 %, and with each other trigger ---- */

struct probability {
	const char *word;
	u64 ppb;
};

static const struct probability probs[] = {
	{ "0%", 0 }, { "1ppb", 1 }, { "0.1%", 1000000 }, { "10%", 100000000 },
	{ "50%", 500000000 }, { "99%", 990000000 },
	{ "99.9999999%", 999999999 }, { "100%", UMF_PPB },
};

/* |k - np| <= 5 sqrt(np(1 - p)), squared and in whole numbers. */
static bool within_5_sigma(u64 k, u64 n, u64 ppb)
{
	u64 mean = div64_u64(n * ppb, UMF_PPB);
	u64 off = k > mean ? k - mean : mean - k;
	u64 var = div64_u64(mean * (UMF_PPB - ppb), UMF_PPB);

	if (!ppb || ppb == UMF_PPB)
		return k == mean;
	return off * off <= 25 * var + 25;
}

static void probability_is_what_was_asked(struct kunit *test)
{
	static const int seeds[] = { 1, 2, 20261123 };
	const struct umf_spec *spec;
	struct umf_trigger trig;
	u64 fired, pairs, pair_ppb;
	char rule[64];
	bool fires, last;
	int i, s, n;

	for (i = 0; i < ARRAY_SIZE(probs); i++) {
		for (s = 0; s < ARRAY_SIZE(seeds); s++) {
			snprintf(rule, sizeof(rule), "drop seed=%d prob=%s",
				 seeds[s], probs[i].word);
			spec = start(test, rule, &trig);
			fired = 0;
			pairs = 0;
			last = false;
			for (n = 0; n < DRAWS; n++) {
				fires = match_at(&trig, spec, 0);
				fired += fires;
				pairs += fires && last;
				last = fires;
			}
			KUNIT_EXPECT_TRUE_MSG(test,
					      within_5_sigma(fired, DRAWS,
							     probs[i].ppb),
					      "%s: fired %llu times of %d",
					      rule, fired, DRAWS);
			/*
			 * A firing says nothing of the next. Pairs overlap:
			 * their variance is up to 3 times that of single ones.
			 */
			pair_ppb = div64_u64(probs[i].ppb * probs[i].ppb,
					     UMF_PPB);
			KUNIT_EXPECT_TRUE_MSG(test,
					      probs[i].ppb == UMF_PPB ||
					      within_5_sigma(pairs / 2,
							     DRAWS / 2,
							     pair_ppb),
					      "%s: fired twice running %llu times",
					      rule, pairs);
			cond_resched();
		}
	}
}

static void no_probability_is_certainty(struct kunit *test)
{
	unsigned long *bits = firings(test, "drop", MATCHES);

	KUNIT_EXPECT_TRUE(test, bitmap_full(bits, MATCHES));
}

/*
 * A trigger lets some matches through, prob= picks among them by its own draws:
 * together they fire where both do alone.
 */
static void triggers_combine(struct kunit *test)
{
	static const char *const triggers[] = {
		"every=3", "after=50", "burst=5%,25%", "burst=5%,25%,50%,1%",
		"after=20 every=7", "every=2 burst=50%,50%",
		"after=30 burst=10%,10%",
	};
	static const char *const parts[] = { "0%", "30%", "50%", "100%" };
	unsigned long *alone, *prob, *both;
	unsigned int i, p;
	char rule[80];

	for (i = 0; i < ARRAY_SIZE(triggers); i++) {
		snprintf(rule, sizeof(rule), "drop seed=9 %s", triggers[i]);
		alone = firings(test, rule, MATCHES);
		KUNIT_EXPECT_FALSE_MSG(test, bitmap_empty(alone, MATCHES),
				       "%s", rule);
		KUNIT_EXPECT_FALSE_MSG(test, bitmap_full(alone, MATCHES), "%s",
				       rule);
		for (p = 0; p < ARRAY_SIZE(parts); p++) {
			snprintf(rule, sizeof(rule), "drop seed=9 prob=%s",
				 parts[p]);
			prob = firings(test, rule, MATCHES);
			bitmap_and(prob, prob, alone, MATCHES);
			snprintf(rule, sizeof(rule), "drop seed=9 prob=%s %s",
				 parts[p], triggers[i]);
			both = firings(test, rule, MATCHES);
			KUNIT_EXPECT_TRUE_MSG(test,
					      bitmap_equal(both, prob, MATCHES),
					      "%s", rule);
		}
	}
}

/* count= ends a rule after its first firings, whatever picks those. */
static void count_takes_the_first_firings(struct kunit *test)
{
	static const char *const rules[] = {
		"", " prob=30%", " every=3", " after=50", " burst=20%,25%",
		" prob=50% every=2 after=10", " prob=0%",
	};
	unsigned long *all, *first;
	unsigned int i, bit, count, seen;
	char rule[80];

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		snprintf(rule, sizeof(rule), "drop seed=5%s", rules[i]);
		all = firings(test, rule, MATCHES);
		for (count = 1; count < 12; count += 5) {
			snprintf(rule, sizeof(rule), "drop seed=5%s count=%u",
				 rules[i], count);
			first = firings(test, rule, MATCHES);
			seen = 0;
			for_each_set_bit(bit, all, MATCHES)
				KUNIT_EXPECT_EQ_MSG(test, seen++ < count,
						    test_bit(bit, first),
						    "%s: match %u", rule, bit);
			KUNIT_EXPECT_EQ_MSG(test, bitmap_weight(first, MATCHES),
					    min(count, seen), "%s", rule);
		}
	}
}

/* A window of the clock decides which matches are taken; prob= then draws. */
static void windows_combine_with_probability(struct kunit *test)
{
	static const char *const windows[] = {
		"at=+20us", "at=20us", "for=50us", "at=+20us for=50us",
		"period=10us duty=30%", "at=+7us for=91us period=10us duty=50%",
	};
	static const char *const parts[] = { "0%", "50%", "100%" };
	const struct umf_spec *spec, *alone;
	struct umf_trigger trig, draws;
	unsigned int i, p, n, fired, open;
	bool fires, expect;
	char rule[80];

	for (i = 0; i < ARRAY_SIZE(windows); i++) {
		for (p = 0; p < ARRAY_SIZE(parts); p++) {
			snprintf(rule, sizeof(rule), "drop seed=5 prob=%s",
				 parts[p]);
			alone = start(test, rule, &draws);
			snprintf(rule, sizeof(rule), "drop seed=5 prob=%s %s",
				 parts[p], windows[i]);
			spec = start(test, rule, &trig);
			fired = 0;
			open = 0;
			for (n = 0; n < MATCHES; n++) {	/* a microsecond each */
				expect = false;
				if (umf_trigger_phase(&trig, spec, n * 1000) ==
				    UMF_OPEN) {
					open++;
					expect = match_at(&draws, alone, 0);
				}
				fires = match_at(&trig, spec, n * 1000);
				fired += fires;
				KUNIT_EXPECT_EQ_MSG(test, fires, expect,
						    "%s: match %u", rule, n);
			}
			KUNIT_EXPECT_TRUE_MSG(test, open && open < MATCHES,
					      "%s: open for %u", rule, open);
			if (p == 0)
				KUNIT_EXPECT_EQ_MSG(test, fired, 0, "%s", rule);
			if (p == 2)
				KUNIT_EXPECT_EQ_MSG(test, fired, open, "%s",
						    rule);
		}
	}
}

static void every_match_takes_one_place(struct kunit *test)
{
	static const char *const rules[] = {
		"drop", "drop prob=0%", "drop prob=50% every=3",
		"drop after=1000", "drop burst=5%,25% prob=10%",
		"drop after=10 every=4 burst=50%,50%,50%,50% prob=50%",
	};
	const struct umf_spec *spec;
	struct umf_trigger trig;
	int i, n;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		spec = start(test, rules[i], &trig);
		for (n = 0; n < MATCHES; n++) {
			KUNIT_EXPECT_EQ_MSG(test, trig.draw, n, "%s", rules[i]);
			match_at(&trig, spec, 0);
		}
		KUNIT_EXPECT_EQ_MSG(test, trig.seen, MATCHES, "%s", rules[i]);
	}
}

/* ---- bursts ---- */

static void bursts_lose_what_theory_says(struct kunit *test)
{
	/*
	 * The share of time in the bad state is p_bad / (p_bad + p_good) and
	 * a burst lasts 1 / p_good matches. Bounds: 5 sigma of a two-state
	 * chain whose states are correlated by 1 - p_bad - p_good.
	 */
	static const struct {
		const char *rule;
		u64 share, share_off;		/* ppm */
		u64 len, len_off;		/* thousandths of a match */
	} tries[] = {
		{ "drop seed=3 burst=1%,25%", 38462, 2500, 4000, 180 },
		{ "drop seed=3 burst=5%,25%", 166667, 4500, 4000, 90 },
		{ "drop seed=3 burst=1%,1%", 500000, 25000, 100000, 7100 },
		{ "drop seed=3 burst=50%,50%", 500000, 2500, 2000, 15 },
		/* 1/6 * 50% + 5/6 * 1% */
		{ "drop seed=3 burst=5%,25%,50%,1%", 91667, 2600, 0, 0 },
		/* no matter the state */
		{ "drop seed=3 burst=5%,25%,30%,30%", 300000, 2300, 0, 0 },
	};
	const struct umf_spec *spec;
	struct umf_trigger trig;
	u64 lost, bursts, share, len;
	bool fires, last;
	int i, n;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		spec = start(test, tries[i].rule, &trig);
		lost = 0;
		bursts = 0;
		last = false;
		for (n = 0; n < DRAWS; n++) {
			fires = match_at(&trig, spec, 0);
			lost += fires;
			bursts += fires && !last;
			last = fires;
		}
		cond_resched();
		share = div64_u64(lost * 1000000, DRAWS);
		KUNIT_EXPECT_TRUE_MSG(test,
				      share + tries[i].share_off >=
				      tries[i].share &&
				      share <= tries[i].share +
				      tries[i].share_off,
				      "%s: lost %llu ppm", tries[i].rule,
				      share);
		if (!tries[i].len)
			continue;
		KUNIT_ASSERT_GT(test, bursts, 0);
		len = div64_u64(lost * 1000, bursts);
		KUNIT_EXPECT_TRUE_MSG(test,
				      len + tries[i].len_off >= tries[i].len &&
				      len <= tries[i].len + tries[i].len_off,
				      "%s: mean burst %llu/1000",
				      tries[i].rule, len);
	}
}

static void bursts_at_0_and_100_percent(struct kunit *test)
{
	unsigned long *bits;
	unsigned int i;

	bits = firings(test, "drop burst=0%,100%", MATCHES);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(bits, MATCHES));
	bits = firings(test, "drop burst=100%,0%", MATCHES);
	KUNIT_EXPECT_TRUE(test, bitmap_full(bits, MATCHES));
	bits = firings(test, "drop burst=100%,0%,0%", MATCHES);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(bits, MATCHES));
	bits = firings(test, "drop burst=0%,0%,0%,100%", MATCHES);
	KUNIT_EXPECT_TRUE(test, bitmap_full(bits, MATCHES));
	bits = firings(test, "drop burst=100%,100%", MATCHES);
	for (i = 0; i < MATCHES; i++)
		KUNIT_EXPECT_EQ(test, test_bit(i, bits), i % 2 == 0);
}

/* ---- streams against each other ---- */

/* n phi^2 of two rules' firings is a chi^2 of one degree of freedom. */
static bool independent(struct kunit *test, const unsigned long *x,
			const unsigned long *y, unsigned int n)
{
	unsigned long *both = some_bits(test, n);
	s64 a = bitmap_weight(x, n), b = bitmap_weight(y, n), d;

	bitmap_and(both, x, y, n);
	d = (s64)bitmap_weight(both, n) * n - a * b;
	kunit_kfree(test, both);
	/* n d^2 / (a (n - a) b (n - b)) <= 25, without overflow */
	return div64_s64(d, n) * div64_s64(d, n) <=
	       25 * div64_s64(div64_s64(a * (n - a), n) * (b * (n - b)),
			      (s64)n * n);
}

#define STREAMS		8
#define STREAM_LEN	65536

static void rules_streams_are_independent(struct kunit *test)
{
	/* names apart by little, seeds apart by one */
	static const char *const rules[STREAMS] = {
		"drop prob=50% id=r1", "drop prob=50% id=r2",
		"drop prob=50% id=r11", "drop prob=50% id=R1",
		"drop prob=50% id=a_much_longer_name_of_a_rule.1",
		"drop prob=50% seed=0", "drop prob=50% seed=1",
		"drop prob=50% seed=2",
	};
	unsigned long *bits[STREAMS], *shifted;
	int i, j, lag;

	for (i = 0; i < STREAMS; i++)
		bits[i] = firings(test, rules[i], STREAM_LEN);
	shifted = some_bits(test, STREAM_LEN);
	for (i = 0; i < STREAMS; i++) {
		for (lag = 0; lag < 5; lag++) {
			bitmap_shift_right(shifted, bits[i], lag, STREAM_LEN);
			for (j = 0; j < STREAMS; j++)
				KUNIT_EXPECT_TRUE_MSG(test,
						      (i == j && !lag) ||
						      independent(test, shifted,
								  bits[j],
								  STREAM_LEN -
								  lag),
						      "%s and %s, %d apart",
						      rules[i], rules[j], lag);
		}
	}
}

/* What a firing draws says nothing about where the next ones are. */
static void effects_draws_are_independent(struct kunit *test)
{
	unsigned long *fired = some_bits(test, STREAM_LEN);
	unsigned long *drawn = some_bits(test, STREAM_LEN);
	const struct umf_spec *spec;
	struct umf_trigger trig;
	struct umf_rng rng;
	int n;

	spec = start(test, "drop seed=4 prob=50%", &trig);
	for (n = 0; n < STREAM_LEN; n++) {
		if (umf_trigger_match(&trig, spec, &rng))
			__set_bit(n, fired);
		if (umf_rng_below(&rng, 2))
			__set_bit(n, drawn);
	}
	KUNIT_EXPECT_TRUE(test, within_5_sigma(bitmap_weight(drawn,
							     STREAM_LEN),
					       STREAM_LEN, UMF_PPB / 2));
	KUNIT_EXPECT_TRUE(test, independent(test, fired, drawn, STREAM_LEN));
	bitmap_shift_right(fired, fired, 1, STREAM_LEN);
	KUNIT_EXPECT_TRUE(test, independent(test, fired, drawn,
					    STREAM_LEN - 1));
}

static void a_seed_of_its_own_counts_alone(struct kunit *test)
{
	const struct umf_spec *spec;
	struct umf_trigger trig;
	u64 named, other;

	/* seed= is the rule's, whatever its name and the guest's seed */
	spec = start(test, "drop seed=7 id=a", &trig);
	named = trig.seed;
	umf_trigger_seed(&trig, spec, 43);
	KUNIT_EXPECT_EQ(test, trig.seed, named);
	start(test, "drop seed=7 id=b", &trig);
	KUNIT_EXPECT_EQ(test, trig.seed, named);
	start(test, "drop seed=8 id=b", &trig);
	KUNIT_EXPECT_NE(test, trig.seed, named);

	/* else both count, and nothing else */
	spec = start(test, "drop id=a", &trig);
	named = trig.seed;
	start(test, "delay time=1ms every=2 id=a", &trig);
	KUNIT_EXPECT_EQ(test, trig.seed, named);
	umf_trigger_seed(&trig, spec, 43);
	other = trig.seed;
	KUNIT_EXPECT_NE(test, other, named);
	start(test, "drop id=b", &trig);
	KUNIT_EXPECT_NE(test, trig.seed, named);
	KUNIT_EXPECT_NE(test, trig.seed, other);
}

static void seeding_starts_the_stream_anew(struct kunit *test)
{
	unsigned long *first = firings(test, "drop seed=1 burst=5%,25% prob=50%",
				       MATCHES);
	const struct umf_spec *spec;
	struct umf_trigger trig;
	int n, again;

	spec = start(test, "drop seed=1 burst=5%,25% prob=50%", &trig);
	for (again = 0; again < 3; again++) {
		umf_trigger_seed(&trig, spec, UMF_KUNIT_SEED);
		for (n = 0; n < MATCHES - again; n++)
			KUNIT_EXPECT_EQ(test, match_at(&trig, spec, 0),
					test_bit(n, first));
	}
}

static void arming_again_goes_on_in_the_stream(struct kunit *test)
{
	unsigned long *all = firings(test, "drop seed=1 prob=10%", MATCHES);
	const struct umf_spec *spec;
	struct umf_trigger trig;
	int n, shots = 0;

	spec = start(test, "drop seed=1 prob=10% count=2", &trig);
	for (n = 0; n < MATCHES; n++) {
		if (umf_trigger_phase(&trig, spec, 0) == UMF_SPENT) {
			KUNIT_EXPECT_EQ(test, shots % 2, 0);
			umf_trigger_arm(&trig, 0);
		}
		KUNIT_EXPECT_EQ(test, match_at(&trig, spec, 0),
				test_bit(n, all));
		shots += test_bit(n, all);
	}

	/* while after= and every= count from the arming */
	spec = start(test, "drop after=2 every=2 count=1", &trig);
	for (n = 0; n < 12; n++) {
		if (umf_trigger_phase(&trig, spec, 0) == UMF_SPENT)
			umf_trigger_arm(&trig, 0);
		KUNIT_EXPECT_EQ(test, match_at(&trig, spec, 0), n % 4 == 3);
	}
}

static void a_reached_count_ends_the_rule_not_its_window(struct kunit *test)
{
	const struct umf_spec *spec;
	struct umf_trigger trig;

	spec = start(test, "hold count=1 for=10ms", &trig);
	KUNIT_EXPECT_TRUE(test, match_at(&trig, spec, 1));
	KUNIT_EXPECT_EQ(test, umf_trigger_phase(&trig, spec, 1), UMF_SPENT);
	KUNIT_EXPECT_EQ(test, umf_trigger_window(&trig, spec, 1), UMF_OPEN);
	KUNIT_EXPECT_EQ(test, umf_trigger_edge(&trig, spec, 1), 10 * MS);
	KUNIT_EXPECT_EQ(test, umf_trigger_window(&trig, spec, 10 * MS),
			UMF_SPENT);
}

/* place=on: what a place draws hangs on no other, and each has its own. */
static void a_place_draws_for_itself(struct kunit *test)
{
	const struct umf_spec *spec;
	struct umf_trigger up, down, other;
	unsigned int i, n = 0, same = 0;
	static bool fires[2 * MATCHES];
	static u64 state[2 * MATCHES];
	struct umf_rng rng;

	spec = start(test, "drop prob=30%", &up);
	down = up;
	other = up;
	other.seed++;
	for (i = 0; i < ARRAY_SIZE(fires); i++) {
		fires[i] = umf_trigger_match_at(&up, spec, i, &rng);
		state[i] = rng.state;
		n += fires[i];
	}
	/* 5 sigma */
	KUNIT_EXPECT_GT(test, n, 74);
	KUNIT_EXPECT_LT(test, n, 166);
	KUNIT_EXPECT_EQ(test, up.shots, n);
	for (i = ARRAY_SIZE(fires); i--;) {
		KUNIT_EXPECT_EQ(test, umf_trigger_match_at(&down, spec, i, &rng),
				fires[i]);
		KUNIT_EXPECT_EQ(test, rng.state, state[i]);
		same += umf_trigger_match_at(&other, spec, i, &rng) == fires[i];
	}
	KUNIT_EXPECT_LT(test, same, ARRAY_SIZE(fires));
}

static struct kunit_case trigger_cases[] = {
	KUNIT_CASE(draws_are_splitmix64),
	KUNIT_CASE(draws_below_n_are_uniform),
	KUNIT_CASE(seeds_fire_at_exact_places),
	KUNIT_CASE(a_firing_has_its_own_draws),
	KUNIT_CASE(no_probability_is_certainty),
	KUNIT_CASE(probability_is_what_was_asked),
	KUNIT_CASE(triggers_combine),
	KUNIT_CASE(count_takes_the_first_firings),
	KUNIT_CASE(windows_combine_with_probability),
	KUNIT_CASE(every_match_takes_one_place),
	KUNIT_CASE(bursts_lose_what_theory_says),
	KUNIT_CASE(bursts_at_0_and_100_percent),
	KUNIT_CASE(rules_streams_are_independent),
	KUNIT_CASE(effects_draws_are_independent),
	KUNIT_CASE(a_place_draws_for_itself),
	KUNIT_CASE(a_seed_of_its_own_counts_alone),
	KUNIT_CASE(seeding_starts_the_stream_anew),
	KUNIT_CASE(arming_again_goes_on_in_the_stream),
	KUNIT_CASE(a_reached_count_ends_the_rule_not_its_window),
	{}
};

static struct kunit_suite trigger_suite = {
	.name = "umf_trigger",
	.test_cases = trigger_cases,
};

kunit_test_suite(trigger_suite);
