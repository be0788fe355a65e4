// SPDX-License-Identifier: GPL-2.0
/* What the suites share; see umf_kunit.h. */
#include <linux/ctype.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include "umf_kunit.h"

static u64 guest_seed;		/* as it was before the suite */

static int command(const char *text, struct umf_reply *reply)
{
	char *copy = kstrdup(text, GFP_KERNEL);
	int err;

	if (!copy)
		return -ENOMEM;
	err = umf_command(copy, reply);
	kfree(copy);
	return err;
}

int umf_kunit_suite_init(struct kunit_suite *suite)
{
	struct umf_reply reply = {};
	int err;

	guest_seed = umf_rules_get_seed();
	err = command("stats", &reply);
	if (!err && reply.len) {
		pr_err("umf: the unit tests need a guest without rules\n");
		err = -EBUSY;
	}
	umf_reply_free(&reply);
	if (!err)
		err = umf_rules_seed(UMF_KUNIT_SEED, &reply);
	umf_reply_free(&reply);
	return err;
}

void umf_kunit_suite_exit(struct kunit_suite *suite)
{
	struct umf_reply reply = {};

	umf_rules_clear(NULL, &reply);
	umf_rules_seed(guest_seed, &reply);
	umf_reply_free(&reply);
}

bool umf_kunit_two_numbers(enum umf_key key)
{
	enum umf_type type = umf_params[key].type;

	return type == UMF_T_AT || type == UMF_T_RANGE || type == UMF_T_BURST ||
	       type == UMF_T_SPAN ||
	       type == UMF_T_STEP || type == UMF_T_DRIFT;
}

unsigned int umf_kunit_keys(const struct umf_spec *spec)
{
	unsigned int i, n = 0;

	for (i = 0; i < UMF_KEY_WORDS; i++)
		n += hweight64(spec->have[i]);
	return n;
}

bool umf_kunit_one_line(const struct umf_reply *reply)
{
	size_t i;

	for (i = 0; i < reply->len; i++)
		if (iscntrl(reply->text[i]))
			return false;
	return reply->len && strlen(reply->text) == reply->len;
}

char *umf_kunit_strdup(struct kunit *test, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = kunit_kmalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	memcpy(copy, text, size);
	return copy;
}

static __printf(2, 0) const char *format(struct kunit *test, const char *fmt, va_list args)
{
	char *copy, *text = kvasprintf(GFP_KERNEL, fmt, args);

	KUNIT_ASSERT_NOT_NULL(test, text);
	copy = umf_kunit_strdup(test, text);
	kfree(text);
	return copy;
}

const char *umf_kunit_ok(struct kunit *test, const char *fmt, ...)
{
	struct umf_reply reply = {};
	const char *text;
	va_list args;
	int err;

	va_start(args, fmt);
	text = format(test, fmt, args);
	va_end(args);
	err = command(text, &reply);
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "%s: %s", text, reply.text ?: "");
	KUNIT_EXPECT_EQ(test, err, reply.err);
	text = umf_kunit_strdup(test, reply.text ?: "");
	umf_reply_free(&reply);
	return text;
}

void umf_kunit_refused(struct kunit *test, int err, const char *word,
		       const char *fmt, ...)
{
	const char *text, *answer, *before = umf_kunit_ok(test, "list");
	struct umf_reply reply = {};
	va_list args;
	int ret;

	va_start(args, fmt);
	text = format(test, fmt, args);
	va_end(args);
	ret = command(text, &reply);
	answer = umf_kunit_strdup(test, reply.text ?: "");
	KUNIT_EXPECT_EQ_MSG(test, ret, err, "%s: %s", text, answer);
	KUNIT_EXPECT_EQ(test, ret, reply.err);
	KUNIT_EXPECT_TRUE_MSG(test, umf_kunit_one_line(&reply), "%s: %s", text,
			      answer);
	umf_reply_free(&reply);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(answer, word),
				  "%s: \"%s\" does not name \"%s\"", text,
				  answer, word);
	KUNIT_EXPECT_STREQ_MSG(test, umf_kunit_ok(test, "list"), before, "%s",
			       text);
}

u64 umf_kunit_last_event(void)
{
	struct umf_event event = {};
	u64 lost;

	while (umf_log_read(event.seq, &event, &lost))
		;
	return event.seq;
}

KUNIT_DEFINE_ACTION_WRAPPER(free_spec, umf_spec_free, struct umf_spec *);

struct umf_spec *umf_kunit_spec(struct kunit *test, const char *rule)
{
	struct umf_spec *spec = kunit_kzalloc(test, sizeof(*spec), GFP_KERNEL);
	char *text = umf_kunit_strdup(test, rule);
	struct umf_reply reply = {};
	int err;

	KUNIT_ASSERT_NOT_NULL(test, spec);
	strscpy(spec->device, "kt0", sizeof(spec->device));
	err = umf_parse_rule(text, UMF_CLASS_NET, spec, &reply);
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "%s: %s", rule, reply.text ?: "");
	umf_reply_free(&reply);
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_spec, spec),
			0);
	return spec;
}
