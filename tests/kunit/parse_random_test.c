// SPDX-License-Identifier: GPL-2.0
/*
 * The grammar over generated rules: what is printed is read as the same rule,
 * every spelling of a value means the same, and garbage is refused in one line
 * and leaves nothing behind. The generator is seeded: each run tries the same.
 * The first wrong one ends a test; there would be thousands.
 */
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "umf_kunit.h"

/* Generated rules per action and strings; a debug kernel is slow. */
#define ROUNDS		(IS_ENABLED(CONFIG_KASAN) ? 200 : 2000)
#define GARBAGE		(10 * ROUNDS)
#define LINE_LEN	1024	/* a printed rule, with room */

struct gen_ctx {
	struct umf_rng rng;
	struct umf_spec made, read;
	struct umf_reply first, second;
	char text[LINE_LEN];
};

static int gen_init(struct kunit *test)
{
	struct gen_ctx *ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ctx);
	ctx->rng.state = UMF_KUNIT_SEED;
	test->priv = ctx;
	return 0;
}

static void gen_exit(struct kunit *test)
{
	struct gen_ctx *ctx = test->priv;

	if (!ctx)
		return;
	umf_spec_free(&ctx->made);
	umf_spec_free(&ctx->read);
	umf_reply_free(&ctx->first);
	umf_reply_free(&ctx->second);
}

/* Reads a rule into ctx->read; what went wrong is in ctx->first. */
static int parse(struct gen_ctx *ctx, u64 class, const char *rule)
{
	umf_spec_free(&ctx->read);
	umf_reply_free(&ctx->first);
	strscpy(ctx->text, rule, sizeof(ctx->text));
	strscpy(ctx->read.device, "kt0", sizeof(ctx->read.device));
	return umf_parse_rule(ctx->text, class, &ctx->read, &ctx->first);
}

static u64 below(struct gen_ctx *ctx, u64 n)
{
	return umf_rng_below(&ctx->rng, n);
}

/* From @min to @max: often an edge, often round, else of any magnitude. */
static u64 some_number(struct gen_ctx *ctx, u64 min, u64 max)
{
	u64 val, unit;

	switch (below(ctx, 8)) {
	case 0:
		return min;
	case 1:
		return max;
	case 2:
	case 3:
		unit = below(ctx, 2) ? 1000000 : 1000;
		if (max / unit > min / unit)
			return unit * (min / unit + 1 +
				       below(ctx, max / unit - min / unit));
		fallthrough;
	case 4:
		if (max - min < U64_MAX)
			return min + below(ctx, max - min + 1);
		fallthrough;
	default:
		val = umf_rng_next(&ctx->rng) >> below(ctx, 64);
		return clamp(val, min, max);
	}
}

static char *some_text(struct gen_ctx *ctx, enum umf_type type)
{
	static const char start[] = "abzAZ_", more[] = "amzAMZ0159_.-";
	static const char bpf[] = "0123456789, ";
	static const char any[] = "ab z09;,=%|&!()[]\\#\xc3\xa4 \xa0\xff";
	char quote = below(ctx, 2) ? '"' : '\'';
	int i, len = 1 + below(ctx, type == UMF_T_ID ? UMF_ID_LEN - 1 : 60);
	char *text = kzalloc(len + 1, GFP_KERNEL);

	if (!text)
		return NULL;
	for (i = 0; i < len; i++) {
		if (type == UMF_T_ID && !i)
			text[i] = start[below(ctx, sizeof(start) - 1)];
		else if (type == UMF_T_ID)
			text[i] = more[below(ctx, sizeof(more) - 1)];
		else if (type == UMF_T_BPF)
			text[i] = bpf[below(ctx, sizeof(bpf) - 1)];
		else if (!below(ctx, 8))
			text[i] = quote;
		else
			text[i] = any[below(ctx, sizeof(any) - 1)];
	}
	return text;
}

static bool make_value(struct gen_ctx *ctx, enum umf_key key,
		       struct umf_value *val)
{
	const struct umf_param *param = &umf_params[key];
	u64 words;

	switch (param->type) {
	case UMF_T_ID:
	case UMF_T_BPF:
	case UMF_T_TEXT:
		val->text = some_text(ctx, param->type);
		return val->text;
	case UMF_T_WORD:
		for (words = 0; param->words[words]; words++)
			;
		val->a = below(ctx, words);
		return true;
	case UMF_T_WORDS:
		for (words = 0; param->words[words]; words++)
			;
		val->a = 1 + below(ctx, BIT_ULL(words) - 1);
		return true;
	case UMF_T_MAC:
		val->a = umf_rng_next(&ctx->rng) >> 16;
		return true;
	case UMF_T_RANGE:
	case UMF_T_SPAN:
		val->a = some_number(ctx, param->min, param->max);
		val->b = some_number(ctx, val->a, param->max);
		return true;
	case UMF_T_BURST:
		val->a = UMF_KUNIT_PAIR(some_number(ctx, 0, UMF_PPB),
					some_number(ctx, 0, UMF_PPB));
		val->b = UMF_KUNIT_PAIR(some_number(ctx, 0, UMF_PPB),
					some_number(ctx, 0, UMF_PPB));
		return true;
	case UMF_T_STEP:
		val->b = below(ctx, 2);
		val->a = 1000 * some_number(ctx, param->min / 1000,
					    param->max / 1000);
		return true;
	case UMF_T_DRIFT:
	case UMF_T_AT:
		val->b = below(ctx, 2);
		fallthrough;
	case UMF_T_U64:
	case UMF_T_PROB:
	case UMF_T_TIME:
	case UMF_T_SIZE:
	case UMF_T_RATE:
		break;
	}
	val->a = some_number(ctx, param->min, param->max);
	return true;
}

/* Any rule of the action that the grammar allows, into ctx->made. */
static bool make_spec(struct gen_ctx *ctx, enum umf_action_id action)
{
	const struct umf_action *act = &umf_actions[action];
	unsigned int few = below(ctx, 2), key;
	struct umf_spec *spec = &ctx->made;
	bool has[UMF_K_MAX];

	umf_spec_free(spec);
	memset(spec, 0, sizeof(*spec));
	strscpy(spec->device, "kt0", sizeof(spec->device));
	spec->action = action;
	/* a quarter of the keys, or half of them */
	for (key = 0; key < UMF_K_MAX; key++)
		has[key] = umf_action_needs(act, key) ||
			   (umf_action_takes(act, key) &&
			    !below(ctx, few ? 4 : 2));
	has[UMF_K_BPF] |= has[UMF_K_MATCH];
	has[UMF_K_PERIOD] |= has[UMF_K_DUTY];
	has[UMF_K_DUTY] |= has[UMF_K_PERIOD];
	has[UMF_K_JITTER] |= has[UMF_K_DIST] || has[UMF_K_CORR];
	has[UMF_K_JITTER] |= has[UMF_K_TABLE];
	has[UMF_K_DIST] &= !has[UMF_K_TABLE];
	has[UMF_K_SLOT] |= has[UMF_K_FRAMES];
	has[UMF_K_ORDER] &= !has[UMF_K_SLOT];
	has[UMF_K_CELL] |= has[UMF_K_CELLHEAD];
	has[UMF_K_BITS] &= !has[UMF_K_BER];
	if (action == UMF_A_LINK) {
		has[UMF_K_DUPLEX] = true;
		has[UMF_K_RATE] = false;
	}
	if (action == UMF_A_NODE_CLOCK)
		has[UMF_K_DRIFT] = true;
	for (key = 0; key < UMF_K_MAX; key++) {
		if (!has[key])
			continue;
		if (!make_value(ctx, key, &spec->val[key]))
			return false;
		umf_set_has(spec, key);
	}
	if (umf_has(spec, UMF_K_JITTER))
		spec->val[UMF_K_JITTER].a =
			some_number(ctx, 0, spec->val[UMF_K_TIME].a);
	return true;
}

/* The first key in which they differ; UMF_K_MAX: they are equal. */
static int spec_differs(const struct umf_spec *x, const struct umf_spec *y)
{
	enum umf_type type;
	int key;

	if (strcmp(x->device, y->device) || x->action != y->action)
		return -1;
	for (key = 0; key < UMF_K_MAX; key++) {
		if (umf_has(x, key) != umf_has(y, key))
			return key;
		if (!umf_has(x, key))
			continue;
		type = umf_params[key].type;
		if (type == UMF_T_ID || type == UMF_T_BPF ||
		    type == UMF_T_TEXT) {
			if (strcmp(x->val[key].text, y->val[key].text))
				return key;
		} else if (x->val[key].a != y->val[key].a ||
			   (umf_kunit_two_numbers(key) &&
			    x->val[key].b != y->val[key].b)) {
			return key;
		}
	}
	return UMF_K_MAX;
}

/* Prints @spec, reads that as one statement of list would be, compares. */
static void expect_round_trip(struct kunit *test, const struct umf_spec *spec)
{
	u64 class = umf_actions[spec->action].classes;
	struct gen_ctx *ctx = test->priv;
	char *pos, *stmt, *word;
	int err, differs;

	umf_reply_free(&ctx->first);
	umf_reply_free(&ctx->second);
	umf_print_rule(&ctx->first, spec);
	KUNIT_ASSERT_TRUE(test, umf_kunit_one_line(&ctx->first));
	KUNIT_ASSERT_LT(test, ctx->first.len, sizeof(ctx->text));

	strscpy(ctx->text, ctx->first.text, sizeof(ctx->text));
	pos = ctx->text;
	KUNIT_ASSERT_EQ_MSG(test, umf_parse_statement(&pos, &stmt), 1, "%s",
			    ctx->first.text);
	KUNIT_ASSERT_EQ_MSG(test, *pos, '\0', "%s", ctx->first.text);
	word = umf_parse_word(&stmt);
	KUNIT_ASSERT_NOT_NULL(test, word);
	if (spec == &ctx->read)
		swap(ctx->made, ctx->read);
	umf_spec_free(&ctx->read);
	strscpy(ctx->read.device, word, sizeof(ctx->read.device));
	err = umf_parse_rule(stmt, class, &ctx->read, &ctx->second);
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "%s: %s", ctx->first.text,
			    ctx->second.text ?: "");
	differs = spec_differs(&ctx->made, &ctx->read);
	KUNIT_ASSERT_EQ_MSG(test, differs, UMF_K_MAX, "%s: differs in %s",
			    ctx->first.text, differs < 0 || differs >= UMF_K_MAX ?
			    "action" : umf_params[differs].name);
	umf_print_rule(&ctx->second, &ctx->read);
	KUNIT_ASSERT_STREQ(test, ctx->first.text, ctx->second.text);
}

static void what_is_printed_is_read_as_the_same_rule(struct kunit *test)
{
	struct gen_ctx *ctx = test->priv;
	int action, i;

	for (action = 0; action < UMF_A_MAX; action++) {
		for (i = 0; i < ROUNDS; i++) {
			KUNIT_ASSERT_TRUE(test, make_spec(ctx, action));
			if (umf_has(&ctx->made, UMF_K_ID) &&
			    !strcmp(ctx->made.val[UMF_K_ID].text, "all"))
				continue;
			expect_round_trip(test, &ctx->made);
		}
		cond_resched();
	}
}

static void all_spellings_mean_the_same(struct kunit *test)
{
	struct gen_ctx *ctx = test->priv;
	char rule[80];
	int i, how;
	u64 val;

	for (i = 0; i < ROUNDS; i++) {
		val = some_number(ctx, 0, UMF_PPB);
		for (how = 0; how < 5; how++) {
			if (how == 0)
				sprintf(rule, "drop prob=%lluppb", val);
			else if (how == 1)
				sprintf(rule, "drop prob=%llue-9", val);
			else if (how == 2)
				sprintf(rule, "drop prob=%llu.%09llu",
					val / UMF_PPB, val % UMF_PPB);
			else if (how == 3)
				sprintf(rule, "drop prob=%llu.%07llu%%",
					val / 10000000, val % 10000000);
			else
				sprintf(rule, "drop prob=%llu.%03lluppm",
					val / 1000, val % 1000);
			KUNIT_ASSERT_EQ_MSG(test, parse(ctx, UMF_CLASS_NET, rule), 0, "%s",
					    rule);
			KUNIT_ASSERT_EQ_MSG(test, ctx->read.val[UMF_K_PROB].a,
					    val, "%s", rule);
		}

		val = some_number(ctx, 1, UMF_TIME_MAX);
		for (how = 0; how < 4; how++) {
			if (how == 0)
				sprintf(rule, "drop for=%lluns", val);
			else if (how == 1)
				sprintf(rule, "drop for=%llu.%03lluus",
					val / 1000, val % 1000);
			else if (how == 2)
				sprintf(rule, "drop for=%llue-6ms", val);
			else
				sprintf(rule, "drop for=%llu.%09llus",
					val / UMF_NSEC, val % UMF_NSEC);
			KUNIT_ASSERT_EQ_MSG(test, parse(ctx, UMF_CLASS_NET, rule), 0, "%s",
					    rule);
			KUNIT_ASSERT_EQ_MSG(test, ctx->read.val[UMF_K_FOR].a,
					    val, "%s", rule);
		}
	}
}

/* ---- garbage ---- */

static void some_bytes(struct gen_ctx *ctx, char *text, int len)
{
	int i;

	for (i = 0; i < len; i++)
		text[i] = 1 + below(ctx, 255);
	text[len] = '\0';
}

/* Changes a few bytes of a text that was a rule. */
static void mutate(struct gen_ctx *ctx, char *text, int size)
{
	static const char likely[] = " =;'\"%,.+-:0123456789eabxns";
	int n, at, len;

	for (n = 1 + below(ctx, 4); n; n--) {
		len = strlen(text);
		at = below(ctx, len + 1);
		switch (below(ctx, 5)) {
		case 0:		/* cut off */
			text[at] = '\0';
			break;
		case 1:		/* take out */
			memmove(text + at, text + at + (at < len),
				len - at + (at == len));
			break;
		case 2:		/* put in */
			if (len + 2 > size)
				break;
			memmove(text + at + 1, text + at, len - at + 1);
			text[at] = likely[below(ctx, sizeof(likely) - 1)];
			break;
		case 3:		/* say again */
			if (len + (len - at) + 1 > size)
				break;
			memmove(text + len, text + at, len - at);
			text[len + (len - at)] = '\0';
			break;
		default:
			if (at < len)
				text[at] = 1 + below(ctx, 255);
		}
	}
}

static void garbage_is_refused_or_read_whole(struct kunit *test)
{
	struct gen_ctx *ctx = test->priv;
	char *rule = kunit_kzalloc(test, LINE_LEN, GFP_KERNEL);
	int i, action, err, taken = 0;

	KUNIT_ASSERT_NOT_NULL(test, rule);
	for (i = 0; i < GARBAGE; i++) {
		action = below(ctx, UMF_A_MAX);
		if (i % 4 == 0) {
			some_bytes(ctx, rule, below(ctx, 120));
		} else {
			KUNIT_ASSERT_TRUE(test, make_spec(ctx, action));
			umf_reply_free(&ctx->first);
			umf_print_rule(&ctx->first, &ctx->made);
			/* behind the device */
			strscpy(rule, ctx->first.text + 4, LINE_LEN);
			mutate(ctx, rule, LINE_LEN);
		}
		err = parse(ctx, umf_actions[action].classes, rule);
		if (!err) {
			taken++;
			expect_round_trip(test, &ctx->read);
			continue;
		}
		KUNIT_ASSERT_EQ_MSG(test, err, -EINVAL, "%s", rule);
		KUNIT_ASSERT_EQ_MSG(test, umf_kunit_keys(&ctx->read), 0, "%s", rule);
		KUNIT_ASSERT_TRUE_MSG(test, umf_kunit_one_line(&ctx->first),
				      "%s: %s", rule, ctx->first.text);
		cond_resched();
	}
	/* else the mutations try too little, or everything is refused */
	KUNIT_ASSERT_GT(test, taken, GARBAGE / 20);
	KUNIT_ASSERT_LT(test, taken, GARBAGE / 2);
}

static void garbage_statements_end(struct kunit *test)
{
	struct gen_ctx *ctx = test->priv;
	char *pos, *stmt, *word, *text = ctx->text, *end;
	int i, n, ret;

	for (i = 0; i < GARBAGE; i++) {
		some_bytes(ctx, text, below(ctx, 120));
		for (n = 0; text[n]; n++)	/* more of what matters */
			if (!below(ctx, 4))
				text[n] = ";\n '\""[below(ctx, 5)];
		end = text + n;
		pos = text;
		while ((ret = umf_parse_statement(&pos, &stmt)) == 1) {
			KUNIT_ASSERT_TRUE(test, pos <= end);
			KUNIT_ASSERT_TRUE(test, stmt < pos);
			while ((word = umf_parse_word(&stmt)))
				KUNIT_ASSERT_TRUE(test, stmt <= pos);
		}
		KUNIT_ASSERT_TRUE(test, ret == 0 || ret == -EINVAL);
		if (!ret)
			KUNIT_ASSERT_PTR_EQ(test, pos, end);
	}
}

static struct kunit_case gen_cases[] = {
	KUNIT_CASE(what_is_printed_is_read_as_the_same_rule),
	KUNIT_CASE(all_spellings_mean_the_same),
	KUNIT_CASE(garbage_is_refused_or_read_whole),
	KUNIT_CASE(garbage_statements_end),
	{}
};

static struct kunit_suite gen_suite = {
	.name = "umf_parse_random",
	.init = gen_init,
	.exit = gen_exit,
	.test_cases = gen_cases,
};

kunit_test_suite(gen_suite);
