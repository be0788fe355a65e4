// SPDX-License-Identifier: GPL-2.0
/*
 * The volatile cache: the newest version is found, the order is kept, and a cut
 * leaves what its parameters and its seed say.
 */
#include <linux/string.h>
#include "blk/cache.h"
#include "umf_kunit.h"

#define SECTORS	1000

static struct umf_cache cache;

static int cache_test_init(struct kunit *test)
{
	umf_cache_init(&cache, 100, 1);
	return 0;
}

static void cache_test_exit(struct kunit *test)
{
	umf_cache_clear(&cache);
}

static void add(struct kunit *test, u64 sector, u8 version)
{
	u8 data[UMF_SECTOR];

	memset(data, version, sizeof(data));
	KUNIT_ASSERT_EQ(test, umf_cache_add(&cache, sector, data), 0);
}

static int version_of(u64 sector)
{
	const u8 *data = umf_cache_find(&cache, sector);

	return data ? *data : -1;
}

static void the_newest_version_is_found(struct kunit *test)
{
	add(test, 5, 1);
	add(test, 6, 1);
	add(test, 5, 2);
	KUNIT_EXPECT_EQ(test, version_of(5), 2);
	KUNIT_EXPECT_EQ(test, version_of(6), 1);
	KUNIT_EXPECT_EQ(test, version_of(7), -1);
	KUNIT_EXPECT_EQ(test, cache.nr, 3);
}

static void the_oldest_goes_first(struct kunit *test)
{
	add(test, 5, 1);
	add(test, 6, 1);
	add(test, 5, 2);
	KUNIT_EXPECT_EQ(test, umf_cache_oldest(&cache)->sector, 5);
	umf_cache_drop(&cache, umf_cache_oldest(&cache));
	KUNIT_EXPECT_EQ(test, version_of(5), 2);
	umf_cache_drop(&cache, umf_cache_oldest(&cache));
	KUNIT_EXPECT_EQ(test, version_of(6), -1);
	umf_cache_drop(&cache, umf_cache_oldest(&cache));
	KUNIT_EXPECT_EQ(test, version_of(5), -1);
	KUNIT_EXPECT_NULL(test, umf_cache_oldest(&cache));
	KUNIT_EXPECT_EQ(test, cache.nr, 0);
}

static void a_range_is_dropped_with_all_versions(struct kunit *test)
{
	add(test, 4, 1);
	add(test, 5, 1);
	add(test, 5, 2);
	add(test, 8, 1);
	umf_cache_drop_range(&cache, 5, 3);
	KUNIT_EXPECT_EQ(test, version_of(4), 1);
	KUNIT_EXPECT_EQ(test, version_of(5), -1);
	KUNIT_EXPECT_EQ(test, version_of(8), 1);
	KUNIT_EXPECT_EQ(test, cache.nr, 2);
}

/* How many of SECTORS are whole, in part; and whether whole ones come first. */
struct left {
	u64 whole, part;
	bool ordered;
};

static struct left cut(struct kunit *test, u64 keep, u64 torn, bool reorder)
{
	const struct umf_cut how = {
		.rng = { UMF_KUNIT_SEED }, .keep = keep, .torn = torn,
		.reorder = reorder,
	};
	struct left left = { .ordered = true };
	struct umf_cached *entry;
	u64 i;

	umf_cache_clear(&cache);
	for (i = 0; i < SECTORS; i++)
		add(test, i, 1);
	i = umf_cache_cut(&cache, &how);
	list_for_each_entry(entry, &cache.order, list) {
		KUNIT_EXPECT_LE(test, entry->kept, UMF_SECTOR);
		if (entry->kept == UMF_SECTOR)
			left.ordered &= left.whole++ == entry->sector;
		else if (entry->kept)
			left.part++;
	}
	KUNIT_EXPECT_EQ(test, i, left.whole + left.part);
	return left;
}

static void a_cut_in_order_leaves_the_first(struct kunit *test)
{
	static const u64 keeps[] = { 0, 1, 37, 99, 100 };
	struct left left;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keeps); i++) {
		left = cut(test, UMF_PPB / 100 * keeps[i], 0, false);
		KUNIT_EXPECT_EQ(test, left.whole, SECTORS / 100 * keeps[i]);
		KUNIT_EXPECT_EQ(test, left.part, 0);
		KUNIT_EXPECT_TRUE(test, left.ordered);
	}
	left = cut(test, UMF_PPB / 2, UMF_PPB, false);
	KUNIT_EXPECT_EQ(test, left.whole, SECTORS / 2);
	KUNIT_EXPECT_EQ(test, left.part, 1);
}

static void a_cut_with_reorder_leaves_a_share(struct kunit *test)
{
	struct left left = cut(test, 0, 0, true);

	KUNIT_EXPECT_EQ(test, left.whole + left.part, 0);
	left = cut(test, UMF_PPB, UMF_PPB, true);
	KUNIT_EXPECT_EQ(test, left.whole, SECTORS);
	left = cut(test, 0, UMF_PPB, true);
	KUNIT_EXPECT_EQ(test, left.part, SECTORS);
	/* four standard deviations of the binomial law */
	left = cut(test, UMF_PPB * 3 / 10, 0, true);
	KUNIT_EXPECT_GE(test, left.whole, 242);
	KUNIT_EXPECT_LE(test, left.whole, 358);
	KUNIT_EXPECT_FALSE(test, left.ordered);
}

/* Blocks of 8: each is there, or not; of a torn one what comes first. */
static void a_cut_keeps_or_loses_a_unit(struct kunit *test)
{
	static const struct umf_cut cuts[] = {
		{ { UMF_KUNIT_SEED }, UMF_PPB / 2, 0, false },
		{ { UMF_KUNIT_SEED }, UMF_PPB / 2, 0, true },
		{ { UMF_KUNIT_SEED }, UMF_PPB / 2, UMF_PPB, false },
		{ { UMF_KUNIT_SEED }, UMF_PPB / 2, UMF_PPB, true },
	};
	struct umf_cached *entry;
	u64 i, kept, last, torn;
	size_t n;

	for (n = 0; n < ARRAY_SIZE(cuts); n++) {
		umf_cache_clear(&cache);
		cache.unit = 8;
		/* some begin and end inside a block */
		for (i = 0; i < SECTORS; i++)
			add(test, i + 3 + i / 100 * 5, 1);
		kept = umf_cache_cut(&cache, &cuts[n]);
		torn = 0;
		last = UMF_SECTOR;
		i = U64_MAX;
		list_for_each_entry(entry, &cache.order, list) {
			kept -= entry->kept > 0;
			if (entry->sector == i + 1 && entry->sector % 8) {
				KUNIT_EXPECT_LE(test, entry->kept, last);
				torn += entry->kept != last;
			}
			last = entry->kept;
			i = entry->sector;
		}
		KUNIT_EXPECT_EQ(test, kept, 0);
		if (cuts[n].torn)
			KUNIT_EXPECT_GT(test, torn, 0);
		else
			KUNIT_EXPECT_EQ(test, torn, 0);
	}
	cache.unit = 1;
}

/* ---- a write that was under way ---- */

/* What is left of sectors 5 to 24 in units of 8: a letter for each unit: new, old, split. */
static const char *left_of(struct kunit *test, const struct umf_cut *cut)
{
	static const u64 begin[] = { 5, 8, 16, 24, 25 };
	struct umf_cut_write write;
	static char text[8];
	u32 nr, kept, n = 0;
	u64 sector;

	umf_cut_write_begin(&write, cut, 5, 20, 8);
	for (; umf_cut_write_next(&write, &sector, &nr, &kept); n++) {
		KUNIT_ASSERT_LT(test, n, 4);
		KUNIT_EXPECT_EQ(test, sector, begin[n]);
		KUNIT_EXPECT_EQ(test, sector + nr, begin[n + 1]);
		text[n] = !kept ? 'o' : kept == nr * UMF_SECTOR ? 'n' : 's';
	}
	KUNIT_EXPECT_EQ(test, n, 4);
	text[n] = '\0';
	return text;
}

static void what_is_under_way_is_old_or_new(struct kunit *test)
{
	struct umf_cut cut = { .rng.state = 1, .torn = UMF_PPB };

	KUNIT_EXPECT_STREQ(test, left_of(test, &cut), "oooo");
	cut.inflight = UMF_INFLIGHT_NEW;
	KUNIT_EXPECT_STREQ(test, left_of(test, &cut), "nnnn");
}

static void what_is_under_way_is_torn_between_units(struct kunit *test)
{
	struct umf_cut cut = { .inflight = UMF_INFLIGHT_TORN };
	static const char *const want[] = { "oooo", "nooo", "nnoo", "nnno", "nnnn" };
	unsigned int seen[ARRAY_SIZE(want)] = {}, i;
	const char *left;

	for (cut.rng.state = 0; cut.rng.state < 1000; cut.rng.state++) {
		left = left_of(test, &cut);
		for (i = 0; i < ARRAY_SIZE(want) && strcmp(left, want[i]); i++)
			;
		KUNIT_ASSERT_LT_MSG(test, i, ARRAY_SIZE(want), "%s", left);
		seen[i]++;
		KUNIT_EXPECT_STREQ(test, left_of(test, &cut), want[i]);
	}
	/* each in 200 of 1000, 5 sigma */
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		KUNIT_EXPECT_GT(test, seen[i], 136);
		KUNIT_EXPECT_LT(test, seen[i], 264);
	}
}

static void a_unit_under_way_is_split_where_that_is_wanted(struct kunit *test)
{
	struct umf_cut cut = { .inflight = UMF_INFLIGHT_TORN, .torn = UMF_PPB };
	unsigned int split = 0;
	const char *left;

	for (cut.rng.state = 0; cut.rng.state < 1000; cut.rng.state++) {
		left = left_of(test, &cut);
		/* the first that is not new, and nothing behind it */
		left += strspn(left, "n");
		split += *left == 's';
		KUNIT_EXPECT_TRUE(test, !*left || *left == 's');
		if (*left)
			KUNIT_EXPECT_EQ(test, strspn(left + 1, "o"), strlen(left + 1));
	}
	KUNIT_EXPECT_GT(test, split, 700);
}

static void with_reorder_each_unit_is_for_itself(struct kunit *test)
{
	struct umf_cut cut = { .inflight = UMF_INFLIGHT_TORN, .reorder = true };
	unsigned int new[4] = {}, i;
	bool gap = false;
	const char *left;

	for (cut.rng.state = 0; cut.rng.state < 1000; cut.rng.state++) {
		left = left_of(test, &cut);
		gap |= !strcmp(left, "onon");
		for (i = 0; i < ARRAY_SIZE(new); i++)
			new[i] += left[i] == 'n';
	}
	KUNIT_EXPECT_TRUE(test, gap);
	/* 5 sigma */
	for (i = 0; i < ARRAY_SIZE(new); i++) {
		KUNIT_EXPECT_GT(test, new[i], 420);
		KUNIT_EXPECT_LT(test, new[i], 580);
	}
}

static struct kunit_case blk_cache_cases[] = {
	KUNIT_CASE(the_newest_version_is_found),
	KUNIT_CASE(the_oldest_goes_first),
	KUNIT_CASE(a_range_is_dropped_with_all_versions),
	KUNIT_CASE(a_cut_in_order_leaves_the_first),
	KUNIT_CASE(a_cut_with_reorder_leaves_a_share),
	KUNIT_CASE(a_cut_keeps_or_loses_a_unit),
	KUNIT_CASE(what_is_under_way_is_old_or_new),
	KUNIT_CASE(what_is_under_way_is_torn_between_units),
	KUNIT_CASE(a_unit_under_way_is_split_where_that_is_wanted),
	KUNIT_CASE(with_reorder_each_unit_is_for_itself),
	{}
};

static struct kunit_suite blk_cache_suite = {
	.name = "umf_blk_cache",
	.init = cache_test_init,
	.exit = cache_test_exit,
	.test_cases = blk_cache_cases,
};

kunit_test_suite(blk_cache_suite);
