/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites share: verbs that must work or must be refused, rules as
 * written, and the guest's seed, which is 42 while a suite runs.
 */
#ifndef __UMF_KUNIT_H
#define __UMF_KUNIT_H

#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/iopoll.h>
#include "fault/fault.h"

#define UMF_KUNIT_SEED	42

/* The two halves of a UMF_T_BURST number. */
#define UMF_KUNIT_PAIR(lo, hi)	((u64)(lo) | (u64)(hi) << 32)

/*
 * For every suite whose tests use verbs: refuses to run beside rules that are
 * there already (umf= at boot); at the end there is no rule and the seed is the
 * guest's again.
 */
int umf_kunit_suite_init(struct kunit_suite *suite);
void umf_kunit_suite_exit(struct kunit_suite *suite);

/* Runs statements that must succeed; the reply stays until the test ends. */
__printf(2, 3) const char *umf_kunit_ok(struct kunit *test,
					const char *fmt, ...);
/*
 * Runs a statement that must fail with @err, answer one line that holds @word,
 * and leave `list` as it was.
 */
__printf(4, 5) void umf_kunit_refused(struct kunit *test, int err,
				      const char *word, const char *fmt, ...);

char *umf_kunit_strdup(struct kunit *test, const char *text);
/* Reads "<action> key=value …" for a net device; freed when the test ends. */
struct umf_spec *umf_kunit_spec(struct kunit *test, const char *rule);
/* The sequence number of the newest event, 0 if there is none yet. */
u64 umf_kunit_last_event(void);
/* Does the key's value use both numbers of struct umf_value? */
bool umf_kunit_two_numbers(enum umf_key key);
/* How many keys has it? */
unsigned int umf_kunit_keys(const struct umf_spec *spec);
/* Is it one line, not empty, without a newline or other control character? */
bool umf_kunit_one_line(const struct umf_reply *reply);

/* Waits up to two seconds until fn(args) is true; is it in the end? */
#define umf_kunit_wait(fn, args...)					\
({									\
	bool __ok;							\
									\
	!read_poll_timeout(fn, __ok, __ok, 500, 2000000, false, ##args); \
})

/* ---- a device of class net that only counts (kt_dev.c) ---- */

struct kt_dev {
	struct umf_site site;
	atomic_t updates;	/* calls of umf_site_ops.update */
	atomic_t prepared;	/* rules with bpf= that are not released */
	const unsigned long *refused;	/* umf_site_ops.refused says this */
};

/* A rule with peer= has this as its key, too. */
#define KT_KEY(peer)	((peer) | BIT_ULL(48))

struct kt_op {
	struct umf_op op;
	u64 peer;		/* what peer= is compared with */
};

extern struct kt_dev kt_dev[2];		/* kt0 and kt1 */

/* Makes both devices known for a test; no rule is left by the test before. */
int kt_init(struct kunit *test);
void kt_exit(struct kunit *test);
/* What is to happen to that operation; its specs hold while rules stay. */
struct umf_verdict kt_decide(struct kt_dev *dev, const struct kt_op *op);
/*
 * Receives @n times 100 bytes: a word for each operation with the action's
 * first letter of every effect in turn (dup is u, delay l), or "-".
 */
const char *kt_pattern(struct kunit *test, struct kt_dev *dev, int n);

#endif /* __UMF_KUNIT_H */
