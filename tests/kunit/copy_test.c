// SPDX-License-Identifier: GPL-2.0
/*
 * memcpy() of what frames and sectors are made of is as fast as the CPU's own
 * string move (arch-um-patches: um: copy long runs with rep movsb).
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/string.h>
#include "umf_kunit.h"

#define LEN	(32 * 1024)
#define TRIES	500
#define TIMES	16	/* of a try: the clock has steps of 256 ns */

static void move(void *to, const void *from, size_t len)
{
	asm volatile("rep movsb" : "+D" (to), "+S" (from), "+c" (len) : : "memory");
}

/* The least time of many, which is what it takes when nobody is in between. */
static u64 least(void (*copy)(void *to, const void *from, size_t len), u8 *buf)
{
	u64 best = U64_MAX, start;
	int i, k;

	for (i = 0; i < TRIES; i++) {
		start = ktime_get_ns();
		for (k = 0; k < TIMES; k++)
			copy(buf + LEN, buf, LEN);
		best = min(best, ktime_get_ns() - start);
	}
	return best;
}

static void copy(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
}

static void a_long_copy_is_as_fast_as_a_string_move(struct kunit *test)
{
	u8 *buf = kvmalloc(2 * LEN, GFP_KERNEL);
	u64 ours, best;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	memset(buf, 1, 2 * LEN);
	best = least(move, buf);
	ours = least(copy, buf);
	kunit_info(test, "%u times %u bytes: %llu ns, string move %llu ns\n",
		   TIMES, LEN, ours, best);
	/* the loop of short moves takes 1.7 to 2 times as long */
	KUNIT_EXPECT_LE(test, ours * 10, best * 13);
	kvfree(buf);
}

/* Whatever the length and the places: each byte gets there, and no other. */
static void copies_of_all_lengths_are_whole(struct kunit *test)
{
	static const u16 lens[] = { 0, 1, 31, 1000, 1023, 1024, 1025, 4000, 4096 };
	unsigned int i, from, to, at;
	u8 *buf = kunit_kzalloc(test, 2 * 4200, GFP_KERNEL), *out;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	out = buf + 4200;
	for (at = 0; at < 4200; at++)
		buf[at] = at % 251 + 1;
	for (i = 0; i < ARRAY_SIZE(lens) * 64; i++) {
		from = i % 8;
		to = i / 8 % 8;
		memset(out, 0, 4200);
		KUNIT_ASSERT_PTR_EQ(test, out + to,
				    memcpy(out + to, buf + from, lens[i / 64]));
		for (at = 0; at < 4200; at++)
			if (out[at] != (at >= to && at < to + lens[i / 64] ?
					buf[at - to + from] : 0))
				break;
		KUNIT_EXPECT_EQ_MSG(test, at, 4200, "%u bytes from %u to %u",
				    lens[i / 64], from, to);
	}
}

static struct kunit_case copy_cases[] = {
	KUNIT_CASE(a_long_copy_is_as_fast_as_a_string_move),
	KUNIT_CASE(copies_of_all_lengths_are_whole),
	{}
};

static struct kunit_suite copy_suite = {
	.name = "umf_copy",
	.test_cases = copy_cases,
};

kunit_test_suite(copy_suite);
