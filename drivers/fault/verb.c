// SPDX-License-Identifier: GPL-2.0
/*
 * The verbs: one text interface for mconsole, /proc/umf/control and umf=.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "fault/fault.h"

/* One optional or required word, and nothing behind it. */
static int only_word(char *args, bool required, enum umf_verb_id verb,
		     char **word, struct umf_reply *reply)
{
	char *extra;

	*word = umf_parse_word(&args);
	extra = umf_parse_word(&args);
	if (required && !*word)
		return umf_fail(reply, -EINVAL, "%s needs %s",
				umf_verbs[verb].name, umf_verbs[verb].args);
	if (extra)
		return umf_fail(reply, -EINVAL, "%s: not expected; %s takes %s",
				extra, umf_verbs[verb].name,
				*umf_verbs[verb].args ? umf_verbs[verb].args :
							"nothing");
	return 0;
}

static int verb_add(char *args, struct umf_reply *reply)
{
	char *device = umf_parse_word(&args);

	if (!device)
		return umf_fail(reply, -EINVAL, "add needs %s",
				umf_verbs[UMF_V_ADD].args);
	return umf_rule_add(device, args, reply);
}

static int verb_events(char *args, struct umf_reply *reply)
{
	u64 since = 0;
	char *word;
	int err;

	err = only_word(args, false, UMF_V_EVENTS, &word, reply);
	if (err)
		return err;
	if (word && (strncmp(word, "since=", 6) ||
		     umf_parse_number(word + 6, &since)))
		return umf_fail(reply, -EINVAL,
				"%s: must be since=<sequence number>", word);
	return umf_log_print(since, reply);
}

static int verb_seed(char *args, struct umf_reply *reply)
{
	char *word;
	u64 seed;
	int err;

	err = only_word(args, true, UMF_V_SEED, &word, reply);
	if (err)
		return err;
	if (umf_parse_number(word, &seed))
		return umf_fail(reply, -EINVAL,
				"%s: a seed is a number from 0 to 2^64 - 1",
				word);
	return umf_rules_seed(seed, reply);
}

static int verb_capture(char *args, struct umf_reply *reply)
{
	char *device = umf_parse_word(&args), *path = umf_parse_word(&args);
	char *extra = umf_parse_word(&args);

	if (extra)
		return umf_fail(reply, -EINVAL, "%s: not expected; capture takes %s",
				extra, umf_verbs[UMF_V_CAPTURE].args);
	if (path && !*path)
		return umf_fail(reply, -EINVAL, "capture: a file's name is empty");
	return umf_rules_capture(device, path, reply);
}

static int verb_time(struct umf_reply *reply)
{
	u64 now = ktime_get_ns(), sec = div64_u64(now, UMF_NSEC);

	umf_say(reply, "time=%llu.%09llu\n", sec, now - sec * UMF_NSEC);
	return reply->err;
}

static int help_action(const char *word, struct umf_reply *reply)
{
	bool found = false;
	int i, key;

	for (i = 0; i < UMF_A_MAX; i++) {
		const struct umf_action *action = &umf_actions[i];

		if (strcmp(action->name, word))
			continue;
		found = true;
		umf_say(reply, "%s (%s): %s\n", action->name,
			umf_class_name(action->classes), action->help);
		for (key = 0; key < UMF_K_MAX; key++)
			if (umf_action_takes(action, key))
				umf_say(reply, "  %s=%s  %s%s\n",
					umf_params[key].name,
					umf_params[key].form,
					umf_params[key].help,
					umf_action_needs(action, key) ?
					" (required)" : "");
	}
	if (!found)
		return umf_fail(reply, -EINVAL, "%s: no such action; help lists them",
				word);
	return reply->err;
}

static void help_class(u64 class, struct umf_reply *reply)
{
	int i;

	umf_say(reply, "actions of a %s device:", umf_class_name(class));
	for (i = 0; i < UMF_A_MAX; i++)
		if (umf_actions[i].classes & class)
			umf_say(reply, " %s", umf_actions[i].name);
	umf_say(reply, "\n");
}

static int verb_help(char *args, struct umf_reply *reply)
{
	int i, class, err;
	char *word;

	err = only_word(args, false, UMF_V_HELP, &word, reply);
	if (err)
		return err;
	if (word)
		return help_action(word, reply);
	for (i = 0; i < UMF_V_MAX; i++)
		umf_say(reply, "%s %s\n    %s\n", umf_verbs[i].name,
			umf_verbs[i].args, umf_verbs[i].help);
	for (class = 0; class < UMF_CLASSES; class++)
		help_class(BIT_ULL(class), reply);
	return reply->err;
}

static int run_statement(char *args, struct umf_reply *reply)
{
	char *verb = umf_parse_word(&args), *word;
	int id = umf_verb_find(verb, strlen(verb)), err;

	switch (id) {
	case UMF_V_ADD:
		return verb_add(args, reply);
	case UMF_V_EVENTS:
		return verb_events(args, reply);
	case UMF_V_SEED:
		return verb_seed(args, reply);
	case UMF_V_CAPTURE:
		return verb_capture(args, reply);
	case UMF_V_HELP:
		return verb_help(args, reply);
	case UMF_V_DEL:
	case UMF_V_SUSPEND:
	case UMF_V_RESUME:
		err = only_word(args, true, id, &word, reply);
		break;
	case UMF_V_CLEAR:
	case UMF_V_LIST:
	case UMF_V_STATS:
	case UMF_V_DEVICES:
	case UMF_V_TIME:
		err = only_word(args, false, id, &word, reply);
		break;
	default:
		return umf_fail(reply, -EINVAL, "%s: no such verb; help lists them",
				verb);
	}
	if (err)
		return err;

	switch (id) {
	case UMF_V_DEL:
		return umf_rule_del(word, reply);
	case UMF_V_CLEAR:
		return umf_rules_clear(word, reply);
	case UMF_V_LIST:
		return umf_rules_list(word, reply);
	case UMF_V_STATS:
		return umf_rules_stats(word, reply);
	case UMF_V_DEVICES:
	case UMF_V_TIME:
		if (word)
			return umf_fail(reply, -EINVAL,
					"%s: not expected; %s takes nothing",
					word, umf_verbs[id].name);
		return id == UMF_V_TIME ? verb_time(reply) :
					  umf_rules_devices(reply);
	default:
		return umf_rules_suspend(strcmp(word, "all") ? word : NULL,
					 id == UMF_V_SUSPEND, reply);
	}
}

static bool is_add(const char *statement)
{
	size_t len = strlen(umf_verbs[UMF_V_ADD].name);

	return !strncmp(statement, umf_verbs[UMF_V_ADD].name, len) &&
	       isspace(statement[len]);
}

/* The error has taken the reply's place: the rules that stand are told with it. */
static void tell_added(struct umf_reply *reply, const struct umf_reply *added)
{
	char *error;

	if (!added->len || added->err)
		return;
	error = kstrdup(reply->text, GFP_KERNEL);
	if (!error)
		return;
	umf_fail(reply, reply->err, "after %s: %s", added->text, error);
	kfree(error);
}

int umf_command(char *text, struct umf_reply *reply)
{
	struct umf_reply added = {};	/* the ids of rules that were made */
	char *statement;
	size_t before;
	bool adds;
	int err;

	while (!reply->err) {
		err = umf_parse_statement(&text, &statement);
		if (!err)
			break;
		if (err < 0) {
			umf_fail(reply, err, "a quote is not closed: %s", statement);
			break;
		}
		adds = is_add(statement);
		before = reply->len;
		run_statement(statement, reply);
		if (!reply->err && adds && reply->len > before)
			umf_say(&added, "%s%.*s", added.len ? " " : "",
				(int)(reply->len - before - 1),
				reply->text + before);
	}
	if (reply->err)
		tell_added(reply, &added);
	umf_reply_free(&added);
	return reply->err;
}

/* ---- umf="…; …" on the kernel command line, up to BOOT_TEXTS times ---- */

#define BOOT_TEXTS	16

static char *boot_text[BOOT_TEXTS];
static unsigned int boot_texts;

static int boot_param(const char *text, const struct kernel_param *kp)
{
	if (boot_texts == BOOT_TEXTS)
		return -ENOSPC;
	/* a part of the command line's own copy, which stays and may be cut up */
	boot_text[boot_texts++] = (char *)text;
	return 0;
}

static const struct kernel_param_ops boot_ops = {
	.set = boot_param,
};

/* As core_param() does it: by the name alone, early, and not in sysfs. */
__module_param_call("", umf, &boot_ops, NULL, 0, -1, 0);

/* Late, so that the devices it names are there. */
static int __init umf_boot_init(void)
{
	struct umf_reply reply = {};
	unsigned int i;

	for (i = 0; i < boot_texts; i++) {
		if (umf_command(boot_text[i], &reply))
			pr_err("umf: umf=: %s\n", reply.text);
		umf_reply_free(&reply);
	}
	pr_info("umf: seed %llu\n", umf_rules_get_seed());
	return 0;
}
late_initcall_sync(umf_boot_init);
