// SPDX-License-Identifier: GPL-2.0
/* The parts of a request that fail or are lost, and the pieces between them that are done. */
#include <linux/blk_types.h>
#include <linux/string.h>
#include "blk/parts.h"
#include "umf_kunit.h"

static struct umf_parts parts;

static void parts_test_exit(struct kunit *test)
{
	umf_parts_free(&parts);
}

static void add(struct kunit *test, u32 first, u32 nr, blk_status_t status)
{
	KUNIT_ASSERT_TRUE(test, umf_parts_add(&parts, first, nr, status));
}

/* The pieces up to @end as "first+nr ...". */
static const char *pieces(u32 end)
{
	static char text[200];
	u32 at = 0, nr;
	int len = 0;

	text[0] = '\0';
	for (; umf_parts_next(&parts, end, &at, &nr); at += nr)
		len += scnprintf(text + len, sizeof(text) - len, "%s%u+%u",
				 len ? " " : "", at, nr);
	return text;
}

static void without_parts_it_is_one_piece(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, pieces(100), "0+100");
	KUNIT_EXPECT_STREQ(test, pieces(0), "");
}

static void pieces_are_what_is_between(struct kunit *test)
{
	add(test, 10, 5, BLK_STS_IOERR);
	add(test, 20, 1, BLK_STS_OK);
	KUNIT_EXPECT_STREQ(test, pieces(100), "0+10 15+5 21+79");
}

static void the_ends_can_be_parts(struct kunit *test)
{
	add(test, 0, 8, BLK_STS_IOERR);
	add(test, 92, 8, BLK_STS_OK);
	KUNIT_EXPECT_STREQ(test, pieces(100), "8+84");
	KUNIT_EXPECT_STREQ(test, pieces(92), "8+84");
	KUNIT_EXPECT_STREQ(test, pieces(50), "8+42");
	KUNIT_EXPECT_STREQ(test, pieces(8), "");
	KUNIT_EXPECT_STREQ(test, pieces(4), "");
}

static void all_of_it_can_be_one(struct kunit *test)
{
	add(test, 0, 100, BLK_STS_MEDIUM);
	KUNIT_EXPECT_STREQ(test, pieces(100), "");
}

static void parts_side_by_side_leave_nothing_between(struct kunit *test)
{
	add(test, 8, 8, BLK_STS_OK);
	add(test, 16, 8, BLK_STS_IOERR);
	add(test, 24, 8, BLK_STS_MEDIUM);
	KUNIT_EXPECT_STREQ(test, pieces(40), "0+8 32+8");
}

/* What is lost side by side is one part; what fails is told of one by one. */
static void only_what_is_lost_is_joined(struct kunit *test)
{
	add(test, 0, 8, BLK_STS_OK);
	add(test, 8, 8, BLK_STS_OK);
	KUNIT_EXPECT_EQ(test, parts.n, 1);
	add(test, 16, 8, BLK_STS_IOERR);
	add(test, 24, 8, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, parts.n, 3);
}

static void there_may_be_as_many_as_blocks(struct kunit *test)
{
	u32 i, at = 0, nr, n = 0;

	for (i = 0; i < 1024; i++)
		add(test, 2 * i, 1, BLK_STS_IOERR);
	for (; umf_parts_next(&parts, 2048, &at, &nr); at += nr, n++)
		KUNIT_ASSERT_EQ(test, nr, 1);
	KUNIT_EXPECT_EQ(test, n, 1024);
}

static struct kunit_case parts_cases[] = {
	KUNIT_CASE(without_parts_it_is_one_piece),
	KUNIT_CASE(pieces_are_what_is_between),
	KUNIT_CASE(the_ends_can_be_parts),
	KUNIT_CASE(all_of_it_can_be_one),
	KUNIT_CASE(parts_side_by_side_leave_nothing_between),
	KUNIT_CASE(only_what_is_lost_is_joined),
	KUNIT_CASE(there_may_be_as_many_as_blocks),
	{}
};

static struct kunit_suite parts_suite = {
	.name = "umf_blk_parts",
	.exit = parts_test_exit,
	.test_cases = parts_cases,
};

kunit_test_suite(parts_suite);
