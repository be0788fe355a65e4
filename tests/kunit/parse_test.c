// SPDX-License-Identifier: GPL-2.0
/*
 * The grammar: each type of value at its edges, refusals that name the word at
 * fault, statements and quotes. Generated rules are in parse_random_test.c.
 */
#include <linux/limits.h>
#include <linux/string.h>
#include "umf_kunit.h"

#define LINE_LEN	1024	/* a rule, with room */

struct parse_ctx {
	struct umf_spec read;
	struct umf_reply first;		/* what went wrong */
	char text[LINE_LEN];
};

static int parse_init(struct kunit *test)
{
	struct parse_ctx *ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ctx);
	test->priv = ctx;
	return 0;
}

static void parse_exit(struct kunit *test)
{
	struct parse_ctx *ctx = test->priv;

	if (!ctx)
		return;
	umf_spec_free(&ctx->read);
	umf_reply_free(&ctx->first);
}

static int parse_class(struct parse_ctx *ctx, u64 class, const char *rule)
{
	umf_spec_free(&ctx->read);
	umf_reply_free(&ctx->first);
	strscpy(ctx->text, rule, sizeof(ctx->text));
	strscpy(ctx->read.device, "kt0", sizeof(ctx->read.device));
	return umf_parse_rule(ctx->text, class, &ctx->read, &ctx->first);
}

static int parse(struct parse_ctx *ctx, const char *rule)
{
	return parse_class(ctx, UMF_CLASS_NET, rule);
}

static void expect_refused(struct kunit *test, u64 class, const char *rule,
			   const char *word)
{
	struct parse_ctx *ctx = test->priv;
	int err = parse_class(ctx, class, rule);
	const char *answer = ctx->first.text ?: "";

	KUNIT_EXPECT_EQ_MSG(test, err, -EINVAL, "%s", rule);
	KUNIT_EXPECT_EQ_MSG(test, ctx->first.err, -EINVAL, "%s", rule);
	KUNIT_EXPECT_EQ_MSG(test, umf_kunit_keys(&ctx->read), 0, "%s", rule);
	KUNIT_EXPECT_TRUE_MSG(test, umf_kunit_one_line(&ctx->first), "%s: %s",
			      rule, answer);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(answer, word),
				  "%s: \"%s\" does not name \"%s\"", rule,
				  answer, word);
}

/* ---- values ---- */

struct good_value {
	const char *rule;
	enum umf_key key;
	u64 a, b;
	const char *printed;
};

static const struct good_value good_values[] = {
	{ "drop dir=rx", UMF_K_DIR, UMF_DIR_RX, 0, "rx" },
	{ "drop dir=tx", UMF_K_DIR, UMF_DIR_TX, 0, "tx" },
	{ "drop peer=02:00:00:aB:cd:0F", UMF_K_PEER, 0x020000abcd0fULL, 0,
	  "02:00:00:ab:cd:0f" },
	{ "drop peer=ff:ff:ff:ff:ff:ff", UMF_K_PEER, 0xffffffffffffULL, 0,
	  "ff:ff:ff:ff:ff:ff" },

	{ "corrupt bits=1", UMF_K_BITS, 1, 0, "1" },
	{ "corrupt bits=65536", UMF_K_BITS, 65536, 0, "65536" },
	{ "corrupt bits=0x1F", UMF_K_BITS, 31, 0, "31" },
	{ "corrupt bits=0010", UMF_K_BITS, 10, 0, "10" },
	{ "drop after=9223372036854775807", UMF_K_AFTER, S64_MAX, 0,
	  "9223372036854775807" },
	{ "drop seed=0", UMF_K_SEED, 0, 0, "0" },
	{ "drop seed=18446744073709551615", UMF_K_SEED, U64_MAX, 0,
	  "18446744073709551615" },
	{ "drop seed=0xffffffffffffffff", UMF_K_SEED, U64_MAX, 0,
	  "18446744073709551615" },

	{ "corrupt offset=0", UMF_K_OFFSET, 0, 0, "0" },
	{ "corrupt offset=14-33", UMF_K_OFFSET, 14, 33, "14-33" },
	{ "corrupt offset=14+20", UMF_K_OFFSET, 14, 33, "14-33" },
	{ "corrupt offset=7+1", UMF_K_OFFSET, 7, 7, "7" },
	{ "corrupt offset=7-7", UMF_K_OFFSET, 7, 7, "7" },
	{ "corrupt offset=0-65535", UMF_K_OFFSET, 0, 65535, "0-65535" },
	{ "corrupt offset=65535+1", UMF_K_OFFSET, 65535, 65535, "65535" },
	{ "corrupt offset=0x10-0x1f", UMF_K_OFFSET, 16, 31, "16-31" },

	{ "drop prob=0", UMF_K_PROB, 0, 0, "0%" },
	{ "drop prob=0%", UMF_K_PROB, 0, 0, "0%" },
	{ "drop prob=0e999", UMF_K_PROB, 0, 0, "0%" },
	{ "drop prob=1", UMF_K_PROB, UMF_PPB, 0, "100%" },
	{ "drop prob=100%", UMF_K_PROB, UMF_PPB, 0, "100%" },
	{ "drop prob=1e2%", UMF_K_PROB, UMF_PPB, 0, "100%" },
	{ "drop prob=1e+2%", UMF_K_PROB, UMF_PPB, 0, "100%" },
	{ "drop prob=1000000ppm", UMF_K_PROB, UMF_PPB, 0, "100%" },
	{ "drop prob=10%", UMF_K_PROB, UMF_PPB / 10, 0, "10%" },
	{ "drop prob=0.1", UMF_K_PROB, UMF_PPB / 10, 0, "10%" },
	{ "drop prob=.1", UMF_K_PROB, UMF_PPB / 10, 0, "10%" },
	{ "drop prob=10.%", UMF_K_PROB, UMF_PPB / 10, 0, "10%" },
	{ "drop prob=0.100000000000", UMF_K_PROB, UMF_PPB / 10, 0, "10%" },
	{ "drop prob=2.5%", UMF_K_PROB, 25000000, 0, "2.5%" },
	{ "drop prob=33.3333333%", UMF_K_PROB, 333333333, 0, "33.3333333%" },
	{ "drop prob=99.9999999%", UMF_K_PROB, 999999999, 0, "99.9999999%" },
	{ "drop prob=1e-6", UMF_K_PROB, 1000, 0, "0.0001%" },
	{ "drop prob=20ppm", UMF_K_PROB, 20000, 0, "0.002%" },
	{ "drop prob=0.001ppm", UMF_K_PROB, 1, 0, "0.0000001%" },
	{ "drop prob=1ppb", UMF_K_PROB, 1, 0, "0.0000001%" },
	{ "drop prob=1e-9", UMF_K_PROB, 1, 0, "0.0000001%" },

	{ "drop burst=1%,25%", UMF_K_BURST, UMF_KUNIT_PAIR(10000000, 250000000),
	  UMF_KUNIT_PAIR(UMF_PPB, 0), "1%,25%,100%,0%" },
	{ "drop burst=0.01,0.25,0.5", UMF_K_BURST,
	  UMF_KUNIT_PAIR(10000000, 250000000), UMF_KUNIT_PAIR(500000000, 0),
	  "1%,25%,50%,0%" },
	{ "drop burst=100%,1ppb,1,1e-3", UMF_K_BURST, UMF_KUNIT_PAIR(UMF_PPB, 1),
	  UMF_KUNIT_PAIR(UMF_PPB, 1000000), "100%,0.0000001%,100%,0.1%" },

	{ "drop ecn=on", UMF_K_ECN, 1, 0, "on" },
	{ "reject with=rst", UMF_K_WITH, UMF_REJECT_RST, 0, "rst" },
	{ "reject with=icmp-admin", UMF_K_WITH, UMF_REJECT_ADMIN, 0,
	  "icmp-admin" },

	{ "corrupt ber=1e-6", UMF_K_BER, 1000, 0, "0.0001%" },
	{ "corrupt csum=fix", UMF_K_CSUM, UMF_CSUM_FIX, 0, "fix" },
	{ "truncate len=14", UMF_K_LEN, 14, 0, "14" },
	{ "hold release=reverse", UMF_K_RELEASE, UMF_RELEASE_REVERSE, 0,
	  "reverse" },
	{ "link duplex=half", UMF_K_DUPLEX, UMF_DUPLEX_HALF, 0, "half" },
	{ "link rate=100Mbit", UMF_K_RATE, 100000000, 0, "100Mbit" },
	{ "rate rate=8bit", UMF_K_RATE, 8, 0, "8bit" },
	{ "rate rate=1B", UMF_K_RATE, 8, 0, "8bit" },
	{ "rate rate=9.6kbit", UMF_K_RATE, 9600, 0, "9600bit" },
	{ "rate rate=1.5Mbit", UMF_K_RATE, 1500000, 0, "1500kbit" },
	{ "rate rate=125kB", UMF_K_RATE, 1000000, 0, "1Mbit" },
	{ "rate rate=1MB", UMF_K_RATE, 8000000, 0, "8Mbit" },
	{ "rate rate=125GB", UMF_K_RATE, 1000000000000ULL, 0, "1000Gbit" },

	{ "delay time=0ns", UMF_K_TIME, 0, 0, "0s" },
	{ "delay time=1ns", UMF_K_TIME, 1, 0, "1ns" },
	{ "delay time=250us", UMF_K_TIME, 250000, 0, "250us" },
	{ "delay time=10ms", UMF_K_TIME, 10000000, 0, "10ms" },
	{ "delay time=1.5ms", UMF_K_TIME, 1500000, 0, "1500us" },
	{ "delay time=3s", UMF_K_TIME, 3 * UMF_NSEC, 0, "3s" },
	{ "delay time=0.25s", UMF_K_TIME, 250000000, 0, "250ms" },
	{ "delay time=1e3us", UMF_K_TIME, 1000000, 0, "1ms" },
	{ "delay time=2m", UMF_K_TIME, 120 * UMF_NSEC, 0, "120s" },
	{ "delay time=1h", UMF_K_TIME, 3600 * UMF_NSEC, 0, "3600s" },
	{ "delay time=1.000000001s", UMF_K_TIME, UMF_NSEC + 1, 0,
	  "1000000001ns" },
	{ "drop for=1ns", UMF_K_FOR, 1, 0, "1ns" },
	{ "drop for=1000000s", UMF_K_FOR, UMF_TIME_MAX, 0, "1000000s" },

	{ "drop at=3s", UMF_K_AT, 3 * UMF_NSEC, 0, "3s" },
	{ "drop at=+3s", UMF_K_AT, 3 * UMF_NSEC, 1, "+3s" },
	{ "drop at=0s", UMF_K_AT, 0, 0, "0s" },
	{ "drop at=+0s", UMF_K_AT, 0, 1, "+0s" },
};

static void values_are_read_and_printed(struct kunit *test)
{
	struct parse_ctx *ctx = test->priv;
	const struct good_value *good;
	int i, err;

	for (i = 0; i < ARRAY_SIZE(good_values); i++) {
		good = &good_values[i];
		err = parse(ctx, good->rule);
		KUNIT_EXPECT_EQ_MSG(test, err, 0, "%s: %s", good->rule,
				    ctx->first.text ?: "");
		if (err)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, umf_kunit_keys(&ctx->read), 1, "%s",
				    good->rule);
		KUNIT_EXPECT_TRUE_MSG(test, umf_has(&ctx->read, good->key),
				      "%s", good->rule);
		KUNIT_EXPECT_EQ_MSG(test, ctx->read.val[good->key].a, good->a,
				    "%s", good->rule);
		if (umf_kunit_two_numbers(good->key))
			KUNIT_EXPECT_EQ_MSG(test, ctx->read.val[good->key].b,
					    good->b, "%s", good->rule);
		umf_print_value(&ctx->first, good->key,
				&ctx->read.val[good->key]);
		KUNIT_EXPECT_STREQ(test, ctx->first.text, good->printed);
	}
}

struct bad_value {
	const char *rule, *word;
};

static const struct bad_value bad_values[] = {
	{ "", "no action" },
	{ "drip", "drip" },
	{ "dro", "dro" },
	{ "drops", "drops" },
	{ "DROP", "DROP" },
	{ "drop prob", "prob: needs" },
	{ "drop prob=", "prob=" },
	{ "drop =10%", "=10%" },
	{ "drop porb=10%", "porb=10%" },
	{ "drop pro=10%", "pro=10%" },
	{ "drop probe=10%", "probe=10%" },
	{ "drop PROB=10%", "PROB=10%" },
	{ "drop 10%", "10%" },
	{ "drop bits=1", "bits=1" },		/* a key of another action */
	{ "down prob=10%", "prob=10%" },
	{ "down dir=rx", "dir=rx" },
	{ "drop prob=10% prob=10%", "prob: given twice" },
	{ "drop id=a id=a", "id: given twice" },
	{ "delay", "delay needs time=" },
	{ "delay jitter=1ms", "delay needs time=" },
	{ "drop period=1s", "duty=" },
	{ "drop duty=10%", "period=" },
	{ "drop match=ip", "match=" },
	{ "delay time=1ms jitter=1001us", "jitter=" },
	{ "delay time=0s slot=2ms,1ms", "slot=2ms,1ms: the second is less" },
	{ "delay time=0s slot=1ms,", "slot=" },
	{ "delay time=0s slot=,1ms", "slot=" },
	{ "delay time=0s slot=1ms,2ms,3ms", "slot=2ms,3ms" },
	{ "delay time=0s slot=999ns", "slot=999ns: must be from 1us to 3600s" },
	{ "delay time=0s slot=1ms order=free", "order=free" },
	{ "delay time=0s frames=2", "slot=" },
	{ "delay time=1ms table=x", "jitter=" },
	{ "delay time=1ms jitter=1us table=x dist=normal", "table=" },
	{ "rate rate=1Mbit cellhead=5", "cell=" },
	{ "reject with=icmp", "with=icmp: must be rst|icmp-port" },
	{ "drop id=all", "id=all" },

	{ "drop dir=", "dir=" },
	{ "drop dir=up", "dir=up: must be rx|tx" },
	{ "drop dir=RX", "dir=RX" },
	{ "drop dir=rx,tx", "dir=rx,tx" },
	{ "drop peer=", "peer=" },
	{ "drop peer=02:00:00:00:00", "peer=02:00:00:00:00" },
	{ "drop peer=02:00:00:00:00:0", "peer=02:00:00:00:00:0" },
	{ "drop peer=02:00:00:00:00:001", "peer=02:00:00:00:00:001" },
	{ "drop peer=02:00:00:00:00:00:00", "peer=02:00:00:00:00:00:00" },
	{ "drop peer=02-00-00-00-00-00", "peer=02-00-00-00-00-00" },
	{ "drop peer=0g:00:00:00:00:00", "peer=0g:00:00:00:00:00" },

	{ "corrupt bits=0", "bits=0: must be from 1 to 65536" },
	{ "corrupt bits=65537", "bits=65537: must be from 1 to 65536" },
	{ "corrupt offset=1-", "offset=" },
	{ "corrupt offset=-1", "offset=" },
	{ "corrupt offset=+1", "offset=" },
	{ "corrupt offset=9-8", "offset=9-8" },
	{ "corrupt offset=9+0", "offset=9+0" },
	{ "corrupt offset=0-65536", "65536" },
	{ "corrupt offset=2+65535", "offset=2+65535" },
	{ "corrupt offset=1-2-3", "2-3" },
	{ "corrupt offset=1--2", "-2" },

	{ "drop prob=-1%", "prob=-1%" },
	{ "drop prob=+1%", "prob=+1%" },
	{ "drop prob=101%", "prob=101%: must be from 0% to 100%" },
	{ "drop prob=100.0000001%", "prob=100.0000001%" },
	{ "drop prob=1.1", "prob=1.1" },
	{ "drop prob=10", "prob=10" },
	{ "drop prob=1e99999999999", "prob=1e99999999999" },
	{ "drop prob=99999999999999999999999%", "prob=999" },
	{ "drop prob=1e-10", "prob=1e-10: finer than 1 ppb" },
	{ "drop prob=0.5ppb", "prob=0.5ppb: finer than 1 ppb" },
	{ "drop prob=0.00000001%", "finer" },
	{ "drop prob=.", "prob=." },
	{ "drop prob=%", "prob=%" },
	{ "drop prob=1..2", "prob=1..2" },
	{ "drop prob=1%%", "prob=1%%" },
	{ "drop prob=1 %", "%" },
	{ "drop prob=e5", "prob=e5" },
	{ "drop prob=1e", "prob=1e" },
	{ "drop prob=1e-", "prob=1e-" },
	{ "drop prob=0x1", "prob=0x1" },
	{ "drop prob=ten", "prob=ten" },

	{ "rate", "rate needs rate=" },
	{ "rate rate=", "rate=" },
	{ "rate rate=10", "rate=10: a rate ends in" },
	{ "rate rate=10mbit", "rate=10mbit: a rate ends in" },
	{ "rate rate=0bit", "rate=0bit: must be from 8bit to 1000Gbit" },
	{ "rate rate=1001Gbit", "rate=1001Gbit: must be from 8bit" },
	{ "rate rate=8.5bit", "rate=8.5bit: finer than 1 bit" },
	{ "rate rate=1Mbit bucket=0", "bucket=0: must be from 1 to 1G" },
	{ "rate rate=1Mbit bucket=2G", "bucket=2G: must be from 1 to 1G" },
	{ "rate rate=1Mbit bucket=1kB", "bucket=1kB: a size ends in" },
	{ "rate rate=1Mbit bucket=1.3", "bucket=1.3: finer than 1 byte" },
	{ "truncate", "truncate needs len=" },
	{ "truncate len=13", "len=13: must be from 14" },
	{ "delay time=1ms dist=normal", "dist=, table= and corr= need jitter=" },
	{ "delay time=1ms corr=10%", "dist=, table= and corr= need jitter=" },
	{ "delay time=1ms jitter=1ms dist=gauss", "dist=gauss: must be" },
	{ "corrupt bits=1 ber=1%", "bits= and ber=" },
	{ "link", "link needs rate= or duplex=" },
	{ "link rate=1500kbit", "whole number of Mbit" },
	{ "stall prob=10%", "prob=10%" },
	{ "partition", "partition needs a=<port>,..." },
	{ "partition a=n1 oneway=1", "oneway=1: must be off|on" },
	{ "partition a=n1 dir=rx", "dir=rx: not a key of partition" },

	{ "drop burst=1%", "burst" },
	{ "drop burst=1%,", "burst=" },
	{ "drop burst=,1%", "burst=" },
	{ "drop burst=1%,2%,3%,4%,5%", "burst" },
	{ "drop burst=1%,2%,3%,4%,", "burst" },
	{ "drop burst=1%,200%", "burst=200%" },

	{ "delay time=1", "time=1: a time ends in" },
	{ "delay time=0", "time=0" },
	{ "delay time=1S", "time=1S" },
	{ "delay time=1d", "time=1d" },
	{ "delay time=1msec", "time=1msec" },
	{ "delay time=ms", "time=ms" },
	{ "delay time=-1ms", "time=-1ms" },
	{ "delay time=+1ms", "time=+1ms" },
	{ "delay time=0.5ns", "time=0.5ns: finer than 1 ns" },
	{ "delay time=3601s", "time=3601s: must be from 0s to 3600s" },
	{ "delay time=1e30h", "time=1e30h" },
	{ "drop for=0s", "for=0s: must be from 1ns" },
	{ "drop period=999ns duty=1%", "period=999ns: must be from 1us" },
	{ "drop at=", "at=" },
	{ "drop at=+", "at=" },
	{ "drop at=++1s", "at=+" },
	{ "drop at=-1s", "at=-1s" },
	{ "drop at=1000001s", "at=1000001s" },

	{ "drop id=", "id=" },
	{ "drop id=1a", "id=1a" },
	{ "drop id=-a", "id=-a" },
	{ "drop id=.a", "id=.a" },
	{ "drop id=a/b", "id=a/b" },
	{ "drop id='a b'", "id=a b" },
	{ "drop id=\xe9t\xe9", "id=" },		/* Latin-1 letters */
	{ "drop id=a123456789012345678901234567890b", "id=a1234567890" },
	{ "drop on=1", "on=1" },
	{ "drop match='' bpf=\"1,6 0 0 0\"", "match" },
	{ "drop match=\"it's\"'\"' bpf=\"1,6 0 0 0\"", "match" },
	{ "drop match='a\tb' bpf=\"1,6 0 0 0\"", "match" },
	{ "drop bpf=\"'\"", "bpf" },
	{ "drop bpf=''", "bpf" },
};

static void bad_values_are_named(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(bad_values); i++)
		expect_refused(test, UMF_CLASS_NET, bad_values[i].rule,
			       bad_values[i].word);
}

/* "<action> " for a key, with what that action needs beside it; its class. */
static u64 action_with(struct kunit *test, enum umf_key key, char *text,
		       size_t size)
{
	const struct umf_action *action = NULL;
	int i, n;

	for (i = 0; i < UMF_A_MAX && !action; i++)
		if (umf_action_takes(&umf_actions[i], key))
			action = &umf_actions[i];
	if (!action)
		KUNIT_FAIL_AND_ABORT(test, "no action takes %s=",
				     umf_params[key].name);
	n = scnprintf(text, size, "%s %s", action->name,
		      key == UMF_K_FRAMES ? "slot=1ms " :
		      key == UMF_K_CELLHEAD ? "cell=48 " : "");
	for (i = 0; i < UMF_K_MAX; i++) {
		if (i == key || !umf_action_needs(action, i))
			continue;
		n += scnprintf(text + n, size - n, "%s=%llu%s ",
			       umf_params[i].name, umf_params[i].min,
			       umf_params[i].type == UMF_T_TIME ? "ns" :
			       umf_params[i].type == UMF_T_RATE ? "bit" : "");
	}
	return action->classes;
}

static void spans_are_read(struct kunit *test)
{
	struct parse_ctx *ctx = test->priv;

	KUNIT_EXPECT_EQ(test, parse(ctx, "delay time=0s slot=1500us,1s"), 0);
	KUNIT_EXPECT_EQ(test, ctx->read.val[UMF_K_SLOT].a, 1500000);
	KUNIT_EXPECT_EQ(test, ctx->read.val[UMF_K_SLOT].b, UMF_NSEC);
	umf_print_value(&ctx->first, UMF_K_SLOT, &ctx->read.val[UMF_K_SLOT]);
	KUNIT_EXPECT_STREQ(test, ctx->first.text, "1500us,1s");
	KUNIT_EXPECT_EQ(test, parse(ctx, "delay time=0s slot=2ms"), 0);
	KUNIT_EXPECT_EQ(test, ctx->read.val[UMF_K_SLOT].b, 2000000);
	umf_print_value(&ctx->first, UMF_K_SLOT, &ctx->read.val[UMF_K_SLOT]);
	KUNIT_EXPECT_STREQ(test, ctx->first.text, "2ms");
}

static void expect_number(struct kunit *test, enum umf_key key, u64 val,
			  bool good)
{
	const struct umf_param *param = &umf_params[key];
	struct parse_ctx *ctx = test->priv;
	char rule[120], word[120];
	u64 class;
	int err;

	class = action_with(test, key, rule, sizeof(rule));
	snprintf(word, sizeof(word), "%s=%llu", param->name, val);
	strlcat(rule, word, sizeof(rule));
	if (!good) {
		snprintf(word, sizeof(word),
			 "%s=%llu: must be from %llu to %llu", param->name, val,
			 param->min, param->max);
		expect_refused(test, class, rule, word);
		return;
	}
	err = parse_class(ctx, class, rule);
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "%s: %s", rule,
			    ctx->first.text ?: "");
	KUNIT_EXPECT_EQ_MSG(test, ctx->read.val[key].a, val, "%s", rule);
}

static void every_number_keeps_its_table_range(struct kunit *test)
{
	static const char *const junk[] = {
		"", "-1", "+1", "1x", "0x", "0xg", "x1", "1.5", "1e3", "1,2",
		"18446744073709551616", "99999999999999999999999999",
		"0x10000000000000000", "'1 '", "' 1'",
	};
	const struct umf_param *param;
	char rule[160], word[80];
	u64 class;
	int key, i;

	for (key = 0; key < UMF_K_MAX; key++) {
		param = &umf_params[key];
		if (param->type != UMF_T_U64)
			continue;
		expect_number(test, key, param->min, true);
		expect_number(test, key, param->max, true);
		if (param->min)
			expect_number(test, key, param->min - 1, false);
		if (param->max < U64_MAX)
			expect_number(test, key, param->max + 1, false);
		for (i = 0; i < ARRAY_SIZE(junk); i++) {
			class = action_with(test, key, rule, sizeof(rule));
			snprintf(word, sizeof(word), "%s=%s", param->name,
				 junk[i]);
			strlcat(rule, word, sizeof(rule));
			if (*junk[i] == '\'')
				snprintf(word, sizeof(word), "%s=",
					 param->name);
			expect_refused(test, class, rule, word);
		}
	}
}

static void word_lists_are_sets(struct kunit *test)
{
	static const struct {
		const char *rule, *printed;
	} good[] = {
		{ "lost op=read", "read" },
		{ "lost op=fua,read", "read,fua" },
		{ "lost op=write,write", "write" },
		{ "lost op=fua,zeroes,discard,flush,write,read",
		  "read,write,flush,discard,zeroes,fua" },
	};
	static const char *const bad[] = {
		"", ",", "read,", ",read", "read,,write", "READ", "trim",
		"read,trim", "readwrite", "read|write", "rea",
	};
	struct parse_ctx *ctx = test->priv;
	char rule[80];
	int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		KUNIT_EXPECT_EQ_MSG(test, parse_class(ctx, UMF_CLASS_BLK,
						      good[i].rule), 0,
				    "%s: %s", good[i].rule,
				    ctx->first.text ?: "");
		if (!umf_has(&ctx->read, UMF_K_OP))
			continue;
		umf_print_value(&ctx->first, UMF_K_OP,
				&ctx->read.val[UMF_K_OP]);
		KUNIT_EXPECT_STREQ(test, ctx->first.text, good[i].printed);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(rule, sizeof(rule), "lost op=%s", bad[i]);
		expect_refused(test, UMF_CLASS_BLK, rule, "op=");
	}
}

static void names_are_as_long_as_promised(struct kunit *test)
{
	struct parse_ctx *ctx = test->priv;
	char *rule = kunit_kzalloc(test, LINE_LEN, GFP_KERNEL);
	int len;

	KUNIT_ASSERT_NOT_NULL(test, rule);
	for (len = 1; len < 600; len++) {
		snprintf(rule, LINE_LEN, "drop id=%0*d", len, 0);
		memset(rule + strlen("drop id="), 'a', len);
		if (len >= UMF_ID_LEN) {
			expect_refused(test, UMF_CLASS_NET, rule,
				       "id=aaaaaaaa");
			continue;
		}
		KUNIT_EXPECT_EQ(test, parse(ctx, rule), 0);
		KUNIT_EXPECT_EQ(test, strlen(ctx->read.val[UMF_K_ID].text),
				len);
	}
}

static void tables_are_complete(struct kunit *test)
{
	bool used[UMF_K_MAX] = {}, takes;
	int i, j;

	for (i = 0; i < UMF_K_MAX; i++) {
		const struct umf_param *param = &umf_params[i];
		int shorter;

		KUNIT_ASSERT_NOT_NULL_MSG(test, param->name, "key %d", i);
		KUNIT_EXPECT_NOT_NULL_MSG(test, param->form, "%s", param->name);
		KUNIT_EXPECT_NOT_NULL_MSG(test, param->help, "%s", param->name);
		KUNIT_EXPECT_EQ_MSG(test, !!param->words,
				    param->type == UMF_T_WORD ||
				    param->type == UMF_T_WORDS, "%s",
				    param->name);
		KUNIT_EXPECT_LE_MSG(test, param->min, param->max, "%s",
				    param->name);
		KUNIT_EXPECT_EQ(test, umf_param_find(param->name,
						     strlen(param->name)), i);
		/* "a" is no "at", but a key of its own */
		shorter = umf_param_find(param->name, strlen(param->name) - 1);
		if (shorter >= 0)
			KUNIT_EXPECT_EQ(test, strlen(umf_params[shorter].name),
					strlen(param->name) - 1);
	}
	for (i = 0; i < UMF_A_MAX; i++) {
		const struct umf_action *action = &umf_actions[i];

		KUNIT_ASSERT_NOT_NULL_MSG(test, action->name, "action %d", i);
		KUNIT_EXPECT_NOT_NULL_MSG(test, action->help, "%s",
					  action->name);
		KUNIT_EXPECT_NE_MSG(test, action->classes, 0, "%s",
				    action->name);
		for (j = 0; j < UMF_K_MAX; j++) {
			takes = umf_action_takes(action, j);
			KUNIT_EXPECT_TRUE_MSG(test, takes ||
					      !umf_action_needs(action, j),
					      "%s", action->name);
			used[j] |= takes;
		}
	}
	for (i = 0; i < UMF_K_MAX; i++)
		KUNIT_EXPECT_TRUE_MSG(test, used[i], "%s", umf_params[i].name);
	/* mconsole finds verbs by prefix: none may begin with another */
	for (i = 0; i < UMF_V_MAX; i++) {
		KUNIT_ASSERT_NOT_NULL_MSG(test, umf_verbs[i].name, "verb %d",
					  i);
		for (j = 0; j < UMF_V_MAX; j++)
			KUNIT_EXPECT_FALSE_MSG(test, i != j &&
					       str_has_prefix(umf_verbs[i].name,
							      umf_verbs[j].name),
					       "%s %s", umf_verbs[i].name,
					       umf_verbs[j].name);
	}
}

/* ---- statements and words ---- */

struct split {
	const char *text;
	const char *words;	/* statements end in /, words in | */
	int end;		/* what the last umf_parse_statement() says */
};

static const struct split splits[] = {
	{ "", "", 0 },
	{ " \t\n;; ;\n", "", 0 },
	{ "a", "a|/", 0 },
	{ "a;", "a|/", 0 },
	{ ";a", "a|/", 0 },
	{ " a  b\tc ; d ", "a|b|c|/d|/", 0 },
	{ "a;b;c", "a|/b|/c|/", 0 },
	{ "a\nb\r\nc\n", "a|/b|/c|/", 0 },
	{ "a k='x y' b", "a|k=x y|b|/", 0 },
	{ "a k=\"x y\" b", "a|k=x y|b|/", 0 },
	{ "a 'x;y' ; b", "a|x;y|/b|/", 0 },
	{ "a \"x\ny\";b", "a|x\ny|/b|/", 0 },
	{ "a \"it's\" b", "a|it's|b|/", 0 },
	{ "a 'say \"x\"'", "a|say \"x\"|/", 0 },
	{ "a x'y z'\"; w\"v", "a|xy z; wv|/", 0 },
	{ "a '' b", "a||b|/", 0 },
	{ "''", "|/", 0 },
	{ "a \\' b ; c '", "a|\\ b ; c |/", 0 },	/* no escapes */
	{ "a;'b", "a|/", -EINVAL },
	{ "a;b \"c;d", "a|/", -EINVAL },
	{ "'", "", -EINVAL },
	{ "a \"b' c", "", -EINVAL },
};

static void statements_and_quotes_are_cut_right(struct kunit *test)
{
	struct umf_reply words = {};
	char *pos, *stmt, *word;
	int i, ret;

	for (i = 0; i < ARRAY_SIZE(splits); i++) {
		umf_say(&words, "%s", "");
		pos = umf_kunit_strdup(test, splits[i].text);
		while ((ret = umf_parse_statement(&pos, &stmt)) == 1) {
			while ((word = umf_parse_word(&stmt)))
				umf_say(&words, "%s|", word);
			umf_say(&words, "/");
		}
		KUNIT_EXPECT_STREQ_MSG(test, words.text, splits[i].words, "%s",
				       splits[i].text);
		KUNIT_EXPECT_EQ_MSG(test, ret, splits[i].end, "%s",
				    splits[i].text);
		umf_reply_free(&words);
	}
}

static struct kunit_case parse_cases[] = {
	KUNIT_CASE(tables_are_complete),
	KUNIT_CASE(values_are_read_and_printed),
	KUNIT_CASE(spans_are_read),
	KUNIT_CASE(bad_values_are_named),
	KUNIT_CASE(every_number_keeps_its_table_range),
	KUNIT_CASE(word_lists_are_sets),
	KUNIT_CASE(names_are_as_long_as_promised),
	KUNIT_CASE(statements_and_quotes_are_cut_right),
	{}
};

static struct kunit_suite parse_suite = {
	.name = "umf_parse",
	.init = parse_init,
	.exit = parse_exit,
	.test_cases = parse_cases,
};

kunit_test_suite(parse_suite);
