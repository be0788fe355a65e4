// SPDX-License-Identifier: GPL-2.0
/*
 * COW files: headers of every version as other programs write them, headers
 * that lie, bitmaps and chains compared with plain models.
 */
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include "blk/cow.h"
#include "umf_kunit.h"

#define FILE_SIZE	0x10000000000ULL	/* 1 TiB */
#define BITS		1024

static struct umf_cow *new_cow(struct kunit *test)
{
	struct umf_cow *cow = kunit_kzalloc(test, sizeof(*cow), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, cow);
	return cow;
}

static u8 *new_head(struct kunit *test)
{
	u8 *head = kunit_kzalloc(test, UMF_COW_HEAD_LEN, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, head);
	return head;
}

static void what_is_written_is_read(struct kunit *test)
{
	static const u64 sizes[] = { 1, 512, 513, 1ULL << 30, 9ULL << 40 };
	struct umf_cow *made = new_cow(test), *cow = new_cow(test);
	u8 *head = new_head(test);
	const char *why;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		made->size = sizes[i];
		made->sector_size = 512;
		made->alignment = 4096;
		made->mtime = 0x80000001;
		strscpy(made->backing, "/some/where");
		KUNIT_ASSERT_EQ(test, umf_cow_format(made, head, &why), 0);
		KUNIT_ASSERT_EQ(test, umf_cow_parse(head, UMF_COW_HEAD_LEN,
						    FILE_SIZE, cow, &why), 1);
		KUNIT_EXPECT_MEMEQ(test, cow, made, sizeof(*cow));
		KUNIT_EXPECT_EQ(test, cow->bitmap_offset, 8192);
		KUNIT_EXPECT_EQ(test, cow->bitmap_len,
				DIV_ROUND_UP_ULL(sizes[i], 4096));
		KUNIT_EXPECT_EQ(test, cow->data_offset % 4096, 0);
		KUNIT_EXPECT_GE(test, cow->data_offset,
				cow->bitmap_offset + cow->bitmap_len);
		KUNIT_EXPECT_LT(test, cow->data_offset,
				cow->bitmap_offset + cow->bitmap_len + 4096);
	}
}

static void version_2_is_read(struct kunit *test)
{
	struct umf_cow *cow = new_cow(test);
	u8 *head = new_head(test);
	const char *why;

	put_unaligned_be32(0x4f4f4f4d, head);
	put_unaligned_be32(2, head + 4);
	strscpy((char *)head + 8, "base", 4096);
	put_unaligned_be32(77, head + 4104);
	put_unaligned_be64(512 * 1003, head + 4108);
	put_unaligned_be32(512, head + 4116);
	KUNIT_ASSERT_EQ(test, umf_cow_parse(head, 4120, FILE_SIZE, cow, &why), 1);
	KUNIT_EXPECT_STREQ(test, cow->backing, "base");
	KUNIT_EXPECT_EQ(test, cow->mtime, 77);
	KUNIT_EXPECT_EQ(test, cow->bitmap_offset, 4120);
	KUNIT_EXPECT_EQ(test, cow->bitmap_len, 125);
	KUNIT_EXPECT_EQ(test, cow->data_offset, 4608);
}

static void the_wide_version_3_is_read(struct kunit *test)
{
	struct umf_cow *cow = new_cow(test);
	u8 *head = new_head(test);
	const char *why;

	put_unaligned_be32(0x4f4f4f4d, head);
	put_unaligned_be32(3, head + 4);
	put_unaligned_be32(77, head + 8);
	put_unaligned_be64(1 << 20, head + 16);
	put_unaligned_be32(512, head + 24);
	put_unaligned_be32(4096, head + 28);
	strscpy((char *)head + 36, "/base", 4096);
	KUNIT_ASSERT_EQ(test, umf_cow_parse(head, UMF_COW_HEAD_LEN, FILE_SIZE,
					    cow, &why), 1);
	KUNIT_EXPECT_TRUE(test, cow->wide);
	KUNIT_EXPECT_STREQ(test, cow->backing, "/base");
	KUNIT_EXPECT_EQ(test, cow->size, 1 << 20);
	KUNIT_EXPECT_EQ(test, cow->data_offset, 12288);
}

static void other_files_are_raw(struct kunit *test)
{
	struct umf_cow *cow = new_cow(test);
	u8 *head = new_head(test);
	const char *why;

	KUNIT_EXPECT_EQ(test, umf_cow_parse(head, 0, 0, cow, &why), 0);
	KUNIT_EXPECT_EQ(test, umf_cow_parse(head, UMF_COW_HEAD_LEN, FILE_SIZE,
					    cow, &why), 0);
	memcpy(head, "OOO", 3);
	KUNIT_EXPECT_EQ(test, umf_cow_parse(head, 3, 3, cow, &why), 0);
}

/* Whatever a header says: it is refused with a reason, or its sums hold. */
static void lies_are_refused(struct kunit *test)
{
	struct umf_cow *made = new_cow(test), *cow = new_cow(test);
	u8 *head = new_head(test), *bad = new_head(test);
	struct umf_rng rng = { UMF_KUNIT_SEED };
	int i, kind, taken = 0;
	const char *why;

	made->size = 1 << 30;
	made->sector_size = 512;
	made->alignment = 4096;
	strscpy(made->backing, "/b");
	KUNIT_ASSERT_EQ(test, umf_cow_format(made, head, &why), 0);
	for (i = 0; i < 20000; i++) {
		u64 size = umf_rng_next(&rng) >> umf_rng_below(&rng, 60);
		u64 len = min_t(u64, size, UMF_COW_HEAD_LEN);

		memcpy(bad, head, UMF_COW_HEAD_LEN);
		/* the fields from version to the name's first bytes */
		bad[7 + umf_rng_below(&rng, 40)] = umf_rng_next(&rng);
		bad[7 + umf_rng_below(&rng, 40)] = umf_rng_next(&rng);
		if (umf_rng_below(&rng, 4))
			len = UMF_COW_HEAD_LEN;
		why = NULL;
		kind = umf_cow_parse(bad, len, size, cow, &why);
		if (kind < 0)
			KUNIT_ASSERT_NOT_NULL(test, why);
		if (kind <= 0)
			continue;
		taken++;
		KUNIT_ASSERT_LE(test, cow->data_offset, size);
		KUNIT_ASSERT_LE(test, cow->bitmap_offset + cow->bitmap_len,
				cow->data_offset);
		KUNIT_ASSERT_LE(test, cow->sectors * cow->sector_size,
				UMF_COW_SIZE_MAX + 65536);
		KUNIT_ASSERT_LT(test, strnlen(cow->backing, UMF_COW_PATH_LEN),
				UMF_COW_PATH_LEN);
	}
	KUNIT_EXPECT_GT(test, taken, 100);
}

static void maps_are_as_a_plain_model(struct kunit *test)
{
	struct umf_rng rng = { UMF_KUNIT_SEED };
	u8 map[BITS / 8 + 8] = {};
	static bool model[BITS];
	u64 bit, n, run;
	int i;

	memset(model, 0, sizeof(model));
	for (i = 0; i < 20000; i++) {
		bit = umf_rng_below(&rng, BITS);
		n = 1 + umf_rng_below(&rng, min_t(u64, BITS - bit, 200));
		switch (umf_rng_below(&rng, 4)) {
		case 0:
			umf_map_set(map, bit, n);
			memset(model + bit, true, n);
			break;
		case 1:
			umf_map_clear(map, bit, n);
			memset(model + bit, false, n);
			break;
		default:
			KUNIT_ASSERT_EQ(test, umf_map_test(map, bit), model[bit]);
			for (run = 1; run < n; run++)
				if (model[bit + run] != model[bit])
					break;
			KUNIT_ASSERT_EQ(test, umf_map_run(map, bit, n), run);
		}
	}
	/* nothing behind the last bit was touched */
	KUNIT_EXPECT_MEMEQ(test, map + BITS / 8, "\0\0\0\0\0\0\0", 8);
}

static unsigned int model_find(const struct umf_layer *layer,
			       unsigned int layers, u64 sector)
{
	unsigned int i;

	for (i = 0; i < layers - 1; i++) {
		u64 bit = sector >> layer[i].shift;

		if (bit < layer[i].map_len * 8 &&
		    umf_map_test(layer[i].map, bit))
			break;
	}
	return i;
}

static void chains_are_as_a_plain_model(struct kunit *test)
{
	static const unsigned int shifts[] = { 0, 0, 3, 1, 0, 7 };
	struct umf_layer layer[ARRAY_SIZE(shifts) + 1] = {};
	unsigned int layers = ARRAY_SIZE(layer), i, at;
	struct umf_rng rng = { UMF_KUNIT_SEED };
	static u8 maps[ARRAY_SIZE(shifts)][BITS / 8];
	u64 sector, n, run, k;

	memset(maps, 0, sizeof(maps));
	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		layer[i].map = maps[i];
		layer[i].shift = shifts[i];
		layer[i].map_len = (BITS >> shifts[i]) / 8;
		for (k = 0; k < layer[i].map_len * 8;
		     k += 1 + umf_rng_below(&rng, 60))
			umf_map_set(maps[i], k,
				    min(1 + umf_rng_below(&rng, 20),
					layer[i].map_len * 8 - k));
	}
	/* as in v2: the last sectors have no bit, whatever follows the map */
	layer[4].map_len -= 2;
	umf_map_set(maps[4], layer[4].map_len * 8 - 3, 3 + 16);
	for (i = 0; i < 4; i++)
		umf_map_clear(maps[i], (BITS - 32) >> shifts[i],
			      32 >> shifts[i]);
	for (sector = 0; sector < BITS; sector++) {
		n = 1 + umf_rng_below(&rng, BITS - sector);
		at = umf_chain_find(layer, layers, sector, n, &run);
		KUNIT_ASSERT_GE(test, run, 1);
		KUNIT_ASSERT_LE(test, run, n);
		for (k = 0; k < run; k++)
			KUNIT_ASSERT_EQ(test, at,
					model_find(layer, layers, sector + k));
	}
	/* whole runs, where one layer has it all */
	at = umf_chain_find(&layer[layers - 1], 1, 5, 1000, &run);
	KUNIT_EXPECT_EQ(test, at, 0);
	KUNIT_EXPECT_EQ(test, run, 1000);
}

static struct kunit_case blk_cow_cases[] = {
	KUNIT_CASE(what_is_written_is_read),
	KUNIT_CASE(version_2_is_read),
	KUNIT_CASE(the_wide_version_3_is_read),
	KUNIT_CASE(other_files_are_raw),
	KUNIT_CASE(lies_are_refused),
	KUNIT_CASE(maps_are_as_a_plain_model),
	KUNIT_CASE(chains_are_as_a_plain_model),
	{}
};

static struct kunit_suite blk_cow_suite = {
	.name = "umf_blk_cow",
	.test_cases = blk_cow_cases,
};

kunit_test_suite(blk_cow_suite);
