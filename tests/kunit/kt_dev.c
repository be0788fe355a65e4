// SPDX-License-Identifier: GPL-2.0
/* A device of class net that only counts; see umf_kunit.h. */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "umf_kunit.h"

static struct kt_dev *dev_of(struct umf_site *site)
{
	return container_of(site, struct kt_dev, site);
}

static int kt_prepare(struct umf_rule *rule, struct umf_reply *reply)
{
	const struct umf_value *bpf = &rule->spec.val[UMF_K_BPF];

	if (umf_has(&rule->spec, UMF_K_PEER))
		rule->key = KT_KEY(rule->spec.val[UMF_K_PEER].a);
	if (!umf_has(&rule->spec, UMF_K_BPF))
		return 0;
	if (!strcmp(bpf->text, "bad"))
		return umf_fail(reply, -EINVAL, "bpf=bad: kt refuses it");
	rule->priv = kstrdup(bpf->text, GFP_KERNEL);
	if (!rule->priv)
		return umf_fail(reply, -ENOMEM, "out of memory");
	atomic_inc(&dev_of(rule->site)->prepared);
	return 0;
}

static void kt_release(struct umf_rule *rule)
{
	kfree(rule->priv);
	atomic_dec(&dev_of(rule->site)->prepared);
}

static bool kt_match(const struct umf_rule *rule, const struct umf_op *op)
{
	const struct kt_op *kt = container_of(op, struct kt_op, op);

	return !umf_has(&rule->spec, UMF_K_PEER) ||
	       rule->spec.val[UMF_K_PEER].a == kt->peer;
}

static bool kt_excludes(const struct umf_rule *rule, const struct umf_op *op)
{
	return !kt_match(rule, op);
}

static const unsigned long *kt_refused(struct umf_site *site,
				       const struct umf_op *op,
				       const struct umf_plan *plan)
{
	return dev_of(site)->refused;
}

static void kt_describe(const struct umf_op *op,
			const struct umf_effect *effect, char *buf, size_t len)
{
	snprintf(buf, len, "%s %zu", op->dir == UMF_DIR_RX ? "rx" : "tx",
		 op->len);
}

static void kt_update(struct umf_site *site)
{
	atomic_inc(&dev_of(site)->updates);
}

static const struct umf_site_ops kt_ops = {
	.prepare = kt_prepare,
	.release = kt_release,
	.match = kt_match,
	.excludes = kt_excludes,
	.refused = kt_refused,
	.describe = kt_describe,
	.update = kt_update,
};

struct kt_dev kt_dev[2] = {
	{ .site = { .name = "kt0", .class = UMF_CLASS_NET, .ops = &kt_ops } },
	{ .site = { .name = "kt1", .class = UMF_CLASS_NET, .ops = &kt_ops } },
};

int kt_init(struct kunit *test)
{
	struct umf_reply reply = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(kt_dev); i++) {
		atomic_set(&kt_dev[i].updates, 0);
		atomic_set(&kt_dev[i].prepared, 0);
		kt_dev[i].refused = NULL;
		KUNIT_ASSERT_EQ(test, umf_site_add(&kt_dev[i].site), 0);
	}
	return umf_rules_seed(UMF_KUNIT_SEED, &reply);
}

void kt_exit(struct kunit *test)
{
	struct umf_reply reply = {};
	int i;

	umf_rules_clear(NULL, &reply);
	for (i = 0; i < ARRAY_SIZE(kt_dev); i++) {
		umf_site_del(&kt_dev[i].site);
		KUNIT_EXPECT_EQ(test, atomic_read(&kt_dev[i].prepared), 0);
	}
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&umf_any_rule));
	umf_reply_free(&reply);
}

struct umf_verdict kt_decide(struct kt_dev *dev, const struct kt_op *op)
{
	struct umf_verdict verdict;

	rcu_read_lock();
	verdict = umf_decide(&dev->site, &op->op);
	umf_verdict_done(&dev->site, &op->op, &verdict);
	rcu_read_unlock();
	return verdict;
}

const char *kt_pattern(struct kunit *test, struct kt_dev *dev, int n)
{
	static const char letters[] = {
		[UMF_A_DROP] = 'd', [UMF_A_CORRUPT] = 'c', [UMF_A_DUP] = 'u',
		[UMF_A_DELAY] = 'l', [UMF_A_DOWN] = '!', [UMF_A_HOLD] = 'h',
	};
	struct kt_op op = { .op = { .dir = UMF_DIR_RX, .len = 100 } };
	struct umf_reply text = {};
	struct umf_verdict verdict;
	const char *copy;
	int i, k;

	for (i = 0; i < n; i++) {
		verdict = kt_decide(dev, &op);
		umf_say(&text, "%s", i ? " " : "");
		for (k = 0; k < verdict.n; k++)
			umf_say(&text, "%c", letters[verdict.effect[k].action]);
		if (!verdict.n)
			umf_say(&text, "-");
	}
	copy = umf_kunit_strdup(test, text.text ?: "");
	umf_reply_free(&text);
	return copy;
}
