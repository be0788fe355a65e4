// SPDX-License-Identifier: GPL-2.0
/*
 * The verbs: what each takes, and that each refusal is one line that names the
 * word at fault and changes nothing.
 */
#include <linux/string.h>
#include "umf_kunit.h"

struct refusal {
	const char *text;
	int err;
	const char *word;
};

static const struct refusal refusals[] = {
	{ "bogus", -EINVAL, "bogus" },
	{ "ad kt0 drop", -EINVAL, "ad: no such verb" },
	{ "adds kt0 drop", -EINVAL, "adds" },
	{ "ADD kt0 drop", -EINVAL, "ADD" },
	{ "lis", -EINVAL, "lis" },
	{ "''", -EINVAL, "no such verb" },
	{ "'list kt0'", -EINVAL, "list kt0" },

	{ "add", -EINVAL, "add needs <device>" },
	{ "add kt9 drop", -ENODEV, "kt9" },
	{ "add kt drop", -ENODEV, "no device kt:" },
	{ "add kt00 drop", -ENODEV, "kt00" },
	{ "add '' drop", -ENODEV, "no device" },
	{ "add drop", -ENODEV, "drop" },
	{ "add kt0", -EINVAL, "no action" },
	{ "add kt0 explode", -EINVAL, "explode" },
	{ "add kt0 cut", -EINVAL, "cut" },	/* of another class */
	{ "add kt0 drop prob=200%", -EINVAL, "prob=200%" },
	{ "add kt0 drop prob 10%", -EINVAL, "prob" },
	{ "add kt0 drop id=there", -EEXIST, "id=there" },
	{ "add kt0 drop id=all", -EINVAL, "id=all" },
	{ "add kt0 drop on=away", -ENOENT, "on=away" },
	{ "add kt0 drop bpf=bad", -EINVAL, "bpf=bad" },

	{ "del", -EINVAL, "del needs <id>" },
	{ "del away", -ENOENT, "away" },
	{ "del ther", -ENOENT, "ther" },
	{ "del all", -ENOENT, "all" },
	{ "del there now", -EINVAL, "now" },
	{ "del there next", -EINVAL, "next" },

	{ "clear kt9", -ENODEV, "kt9" },
	{ "clear there", -ENODEV, "there" },
	{ "clear kt0 kt1", -EINVAL, "kt1" },
	{ "list kt9", -ENODEV, "kt9" },
	{ "list kt0 kt1", -EINVAL, "kt1" },
	{ "stats away", -ENOENT, "away" },
	{ "stats there next", -EINVAL, "next" },
	{ "events 5", -EINVAL, "5" },
	{ "events since", -EINVAL, "since" },
	{ "events since=", -EINVAL, "since=" },
	{ "events since=-1", -EINVAL, "since=-1" },
	{ "events since=1s", -EINVAL, "since=1s" },
	{ "events since=18446744073709551616", -EINVAL,
	  "since=18446744073709551616" },
	{ "events since=1 since=2", -EINVAL, "since=2" },

	{ "seed", -EINVAL, "seed needs" },
	{ "seed -1", -EINVAL, "-1" },
	{ "seed 1s", -EINVAL, "1s" },
	{ "seed one", -EINVAL, "one" },
	{ "seed 18446744073709551616", -EINVAL, "18446744073709551616" },
	{ "seed 1 2", -EINVAL, "2" },

	{ "suspend", -EINVAL, "suspend needs" },
	{ "suspend away", -ENOENT, "away" },
	{ "suspend there next", -EINVAL, "next" },
	{ "resume", -EINVAL, "resume needs" },
	{ "resume away", -ENOENT, "away" },
	{ "resume all of", -EINVAL, "of" },

	{ "devices kt0", -EINVAL, "kt0" },
	{ "time 1", -EINVAL, "1" },
	{ "help explode", -EINVAL, "explode" },
	{ "help drop dup", -EINVAL, "dup" },

	{ "list '", -EINVAL, "quote" },
	{ "add kt0 drop match=\"x", -EINVAL, "quote" },
};

static void refusals_name_the_word_and_change_nothing(struct kunit *test)
{
	int i;

	umf_kunit_ok(test, "add kt0 drop id=there; add kt1 dup id=next on=there; suspend next");
	for (i = 0; i < ARRAY_SIZE(refusals); i++)
		umf_kunit_refused(test, refusals[i].err, refusals[i].word,
				  "%s", refusals[i].text);
}

static void overlong_words_are_refused(struct kunit *test)
{
	char *word = kunit_kzalloc(test, 100001, GFP_KERNEL);
	int i;
	static const char *const verbs[] = {
		"", "add ", "add kt0 ", "add kt0 drop ", "add kt0 drop id=",
		"add kt0 drop prob=", "add kt0 drop peer=", "del ", "clear ",
		"list ", "stats ", "events ", "seed ", "suspend ", "help ",
		"add kt0 drop on=", "add kt0 drop at=", "add kt0 drop dir=",
	};

	KUNIT_ASSERT_NOT_NULL(test, word);
	memset(word, '1', 100000);
	word[0] = 'x';
	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		struct umf_reply reply = {};
		char *text = kasprintf(GFP_KERNEL, "%s%s", verbs[i], word);

		KUNIT_ASSERT_NOT_NULL(test, text);
		KUNIT_EXPECT_NE_MSG(test, umf_command(text, &reply), 0, "%s",
				    verbs[i]);
		KUNIT_EXPECT_TRUE_MSG(test, umf_kunit_one_line(&reply), "%s",
				      verbs[i]);
		kfree(text);
		umf_reply_free(&reply);
	}
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "list"), "seed 42\n");
}

static void statements_run_in_order_until_one_fails(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "%s", ""), "");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, " ;\n; "), "");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "add kt0 drop;add kt1 dup\nlist kt1"),
			   "r1\nr2\nseed 42\nadd kt1 dup id=r2\n");
	umf_kunit_refused(test, -EINVAL, "drip", "add kt0 drip; clear");

	umf_kunit_ok(test, "clear");
	umf_kunit_ok(test, "add kt0 drop");
	/* what came before the failure stands */
	umf_kunit_refused(test, -ENODEV, "kt9", "seed 42; add kt9 drop; clear; seed 7");
	umf_kunit_ok(test, "clear");
	{
		char text[] = "add kt0 drop id=a; bogus; add kt0 drop id=b";
		struct umf_reply reply = {};

		KUNIT_EXPECT_EQ(test, umf_command(text, &reply), -EINVAL);
		KUNIT_EXPECT_TRUE(test, umf_kunit_one_line(&reply));
		KUNIT_EXPECT_TRUE_MSG(test, strstarts(reply.text, "after a: bogus: "),
				      "%s", reply.text);
		umf_reply_free(&reply);
	}
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "list"),
			   "seed 42\nadd kt0 drop id=a\n");
}

static void a_thousand_statements_in_one_text(struct kunit *test)
{
	struct umf_reply text = {}, reply = {};
	int i;

	for (i = 0; i < 1000; i++)
		umf_say(&text, "add kt0 drop id=n%d match='a;b' bpf='1'%s", i,
			i % 2 ? ";" : "\n");
	umf_say(&text, "stats n999; clear; list");
	KUNIT_EXPECT_EQ(test, umf_command(text.text, &reply), 0);
	KUNIT_ASSERT_NOT_NULL(test, reply.text);
	KUNIT_EXPECT_PTR_EQ(test, strstr(reply.text, "n0\nn1\nn2\n"),
			    reply.text);
	KUNIT_EXPECT_NOT_NULL(test, strstr(reply.text,
					   "n999\nn999 kt0 drop state=open"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(reply.text, "bytes=0\nseed 42\n"));
	umf_reply_free(&text);
	umf_reply_free(&reply);
}

static void seed_is_set_and_shown(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "seed 0xfeed"), "");
	KUNIT_EXPECT_EQ(test, umf_rules_get_seed(), 0xfeed);
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "list"), "seed 65261\n");
	umf_kunit_ok(test, "seed 18446744073709551615");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "list"),
			   "seed 18446744073709551615\n");
	umf_kunit_ok(test, "seed 0");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "list"), "seed 0\n");
}

static void devices_are_shown_with_their_rules(struct kunit *test)
{
	const char *text;

	umf_kunit_ok(test, "add kt0 drop; add kt0 dup; add kt1 drop");
	text = umf_kunit_ok(test, "devices");
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "kt0 net rules=2\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "kt1 net rules=1\n"));
	umf_kunit_ok(test, "del r2; clear kt1");
	text = umf_kunit_ok(test, "devices");
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "kt0 net rules=1\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "kt1 net rules=0\n"));
	/* and a wrong device is told which there are */
	umf_kunit_refused(test, -ENODEV, " kt0 kt1", "add kt9 drop");
}

static void help_tells_the_whole_table(struct kunit *test)
{
	const char *text = umf_kunit_ok(test, "help");
	char word[64];
	int i, key;

	for (i = 0; i < UMF_V_MAX; i++) {
		snprintf(word, sizeof(word), "%s %s\n    ", umf_verbs[i].name,
			 umf_verbs[i].args);
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(text, word), "%s",
					  umf_verbs[i].name);
	}
	for (i = 0; i < UMF_A_MAX; i++) {
		snprintf(word, sizeof(word), " %s", umf_actions[i].name);
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(text, word), "%s",
					  umf_actions[i].name);
	}
	for (i = 0; i < UMF_A_MAX; i++) {
		text = umf_kunit_ok(test, "help %s", umf_actions[i].name);
		KUNIT_EXPECT_NOT_NULL_MSG(test,
					  strstr(text, umf_actions[i].help),
					  "%s", umf_actions[i].name);
		for (key = 0; key < UMF_K_MAX; key++) {
			if (!umf_action_takes(&umf_actions[i], key))
				continue;
			snprintf(word, sizeof(word), "  %s=",
				 umf_params[key].name);
			KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(text, word),
						  "%s: %s", umf_actions[i].name,
						  word);
		}
	}
	text = umf_kunit_ok(test, "help delay");
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "(required)"));
}

static void events_are_shown_since(struct kunit *test)
{
	struct kt_op op = { .op = { .dir = UMF_DIR_TX, .len = 60 } };
	u64 since = umf_kunit_last_event();
	const char *text;
	char expect[64];

	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "events since=%llu", since),
			   "");
	umf_kunit_ok(test, "add kt0 drop id=a");
	kt_decide(&kt_dev[0], &op);
	kt_decide(&kt_dev[0], &op);
	text = umf_kunit_ok(test, "events since=%llu", since + 1);
	snprintf(expect, sizeof(expect), "seq=%llu time=", since + 2);
	KUNIT_EXPECT_PTR_EQ(test, strstr(text, expect), text);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, " device=kt0 rule=a "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, " index=1 what=\"tx 60\"\n"));
	text = umf_kunit_ok(test, "events");
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, expect));
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "events since=%llu",
					      since + 2), "");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "events since=%llu",
					      U64_MAX), "");
}

static struct kunit_case verb_cases[] = {
	KUNIT_CASE(refusals_name_the_word_and_change_nothing),
	KUNIT_CASE(overlong_words_are_refused),
	KUNIT_CASE(statements_run_in_order_until_one_fails),
	KUNIT_CASE(a_thousand_statements_in_one_text),
	KUNIT_CASE(seed_is_set_and_shown),
	KUNIT_CASE(devices_are_shown_with_their_rules),
	KUNIT_CASE(help_tells_the_whole_table),
	KUNIT_CASE(events_are_shown_since),
	{}
};

static struct kunit_suite verb_suite = {
	.name = "umf_verb",
	.suite_init = umf_kunit_suite_init,
	.suite_exit = umf_kunit_suite_exit,
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = verb_cases,
};

kunit_test_suite(verb_suite);
