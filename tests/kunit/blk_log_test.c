// SPDX-License-Identifier: GPL-2.0
/*
 * The write log: its bytes are those of dm-log-writes, and what stands where is
 * compared with a plain list of what happened.
 */
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "blk/log.h"
#include "fault/fault.h"
#include "umf_kunit.h"

/* The structures of drivers/md/dm-log-writes.c, which has no header. */
struct log_write_super {
	__le64 magic;
	__le64 version;
	__le64 nr_entries;
	__le32 sectorsize;
};

struct log_write_entry {
	__le64 sector;
	__le64 nr_sectors;
	__le64 flags;
	__le64 data_len;
};

static void the_format_is_that_of_dm_log_writes(struct kunit *test)
{
	const struct umf_wlog_entry made = { 77, 8, UMF_WLOG_FUA, 5 };
	struct log_write_super super;
	struct log_write_entry entry;
	u8 unit[UMF_SECTOR] = {};

	umf_wlog_put_head(unit, 0x123456789a, false);
	memcpy(&super, unit, sizeof(super));
	KUNIT_EXPECT_EQ(test, le64_to_cpu(super.magic), 0x6a736677736872ULL);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(super.version), 1);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(super.nr_entries), 0x123456789a);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(super.sectorsize), 512);

	umf_wlog_put_entry(unit, &made);
	memcpy(&entry, unit, sizeof(entry));
	KUNIT_EXPECT_EQ(test, le64_to_cpu(entry.sector), 77);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(entry.nr_sectors), 8);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(entry.flags), 2);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(entry.data_len), 5);
	KUNIT_EXPECT_EQ(test, UMF_WLOG_FLUSH | UMF_WLOG_DISCARD << 4 |
			UMF_WLOG_MARK << 8 | UMF_WLOG_METADATA << 12,
			1 | 4 << 4 | 8 << 8 | 16 << 12);
}

static void heads_that_lie_are_refused(struct kunit *test)
{
	static const u32 units[] = { 0, 1, 256, 513, 131072 };
	u8 head[UMF_SECTOR] = {};
	const char *why;
	u64 entries;
	u32 unit, i;

	umf_wlog_put_head(head, 3, true);
	KUNIT_EXPECT_EQ(test, umf_wlog_get_head(head, &entries, &unit, &why), 0);
	KUNIT_EXPECT_EQ(test, entries, 3);
	KUNIT_EXPECT_EQ(test, unit, 512);
	KUNIT_EXPECT_TRUE(test, umf_wlog_moving(head));
	umf_wlog_put_head(head, 3, false);
	KUNIT_EXPECT_FALSE(test, umf_wlog_moving(head));
	for (i = 0; i < ARRAY_SIZE(units); i++) {
		memcpy(head + 24, &units[i], 4);
		KUNIT_EXPECT_EQ(test, umf_wlog_get_head(head, &entries, &unit,
							&why), -1);
	}
	umf_wlog_put_head(head, 3, false);
	head[8] = 2;
	KUNIT_EXPECT_EQ(test, umf_wlog_get_head(head, &entries, &unit, &why), -1);
	head[8] = 1;
	head[0]++;
	KUNIT_EXPECT_EQ(test, umf_wlog_get_head(head, &entries, &unit, &why), -1);
}

/* ---- a file in memory, a unit is an entry or says that it is data ---- */

#define UNITS	400
#define DATA	U64_MAX		/* as a sector number */

struct file {
	struct umf_wlog_order order;
	struct umf_wlog_entry unit[UNITS];
};

static int file_read(void *ctx, u64 at, struct umf_wlog_entry *entry)
{
	struct file *file = ctx;

	if (at >= UNITS || file->unit[at].sector == DATA)
		return -EIO;
	*entry = file->unit[at];
	return 0;
}

static void file_put(struct file *file, u64 at, struct umf_wlog_entry entry)
{
	u64 i;

	file->unit[at] = entry;
	for (i = 1; i <= umf_wlog_data(&entry); i++)
		file->unit[at + i].sector = DATA;
}

static void file_wait(struct file *file, u64 sector, u64 nr, u64 flags)
{
	const struct umf_wlog_entry entry = { sector, nr, flags, 0 };

	file_put(file, umf_wlog_wait(&file->order, 1 + umf_wlog_data(&entry)),
		 entry);
}

static void file_commit(struct file *file, u64 sector, u64 nr, u64 flags)
{
	const struct umf_wlog_entry entry = { sector, nr, flags, 0 };
	u64 at = file->order.end, units = 1 + nr;

	memmove(&file->unit[at + units], &file->unit[at],
		(file->order.tail - at) * sizeof(entry));
	umf_wlog_commit(&file->order, units);
	file_put(file, at, entry);
}

/* What is in the log: sectors, or -1 for a flush; then what waits. */
static void expect(struct kunit *test, struct file *file, const char *want)
{
	struct umf_wlog_entry entry;
	u64 at = 1, n = 0;
	char got[128];
	int len = 0;

	*got = '\0';
	while (at < file->order.tail) {
		if (at == file->order.end)
			len += scnprintf(got + len, sizeof(got) - len, "| ");
		KUNIT_ASSERT_EQ(test, file_read(file, at, &entry), 0);
		if (entry.flags & UMF_WLOG_FLUSH)
			len += scnprintf(got + len, sizeof(got) - len, "F ");
		else
			len += scnprintf(got + len, sizeof(got) - len, "%llu ",
					 entry.sector);
		n += at < file->order.end;
		at += 1 + umf_wlog_data(&entry);
	}
	KUNIT_EXPECT_STREQ(test, got, want);
	KUNIT_EXPECT_EQ(test, at, file->order.tail);
	KUNIT_EXPECT_EQ(test, n, file->order.entries);
}

static struct file *file_new(struct kunit *test)
{
	struct file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, file);
	umf_wlog_order_init(&file->order);
	return file;
}

/* The example of log-writes.rst: W1,W2,W3,C3,C2,Wflush,C1,Cflush. */
static void a_flush_takes_what_was_done_before_it(struct kunit *test)
{
	struct file *file = file_new(test);
	u64 before;

	file_wait(file, 3, 2, 0);
	file_wait(file, 2, 1, UMF_WLOG_DISCARD);
	before = file->order.next;
	file_wait(file, 1, 3, 0);
	expect(test, file, "| 3 2 1 ");
	KUNIT_EXPECT_EQ(test, umf_wlog_settle(&file->order, before, file_read,
					      file), 0);
	file_commit(file, 0, 0, UMF_WLOG_FLUSH);
	expect(test, file, "3 2 F | 1 ");
	/* one that was asked for earlier and comes later takes nothing */
	KUNIT_EXPECT_EQ(test, umf_wlog_settle(&file->order, 1, file_read, file),
			0);
	file_commit(file, 0, 0, UMF_WLOG_FLUSH);
	expect(test, file, "3 2 F F | 1 ");
	KUNIT_EXPECT_EQ(test, umf_wlog_settle(&file->order, file->order.next,
					      file_read, file), 0);
	expect(test, file, "3 2 F F 1 ");
}

static void fua_goes_first_but_not_past_its_own_sectors(struct kunit *test)
{
	struct file *file = file_new(test);
	u64 behind;

	file_wait(file, 10, 4, 0);
	file_wait(file, 20, 4, 0);
	file_wait(file, 30, 4, 0);
	KUNIT_EXPECT_EQ(test, umf_wlog_behind(&file->order, 14, 6, file_read,
					      file, &behind), 0);
	KUNIT_EXPECT_EQ(test, behind, 0);
	file_commit(file, 14, 6, UMF_WLOG_FUA);
	expect(test, file, "14 | 10 20 30 ");
	KUNIT_EXPECT_EQ(test, umf_wlog_behind(&file->order, 23, 1, file_read,
					      file, &behind), 0);
	KUNIT_EXPECT_EQ(test, behind, 3);
	KUNIT_EXPECT_EQ(test, umf_wlog_settle(&file->order, behind, file_read,
					      file), 0);
	file_commit(file, 23, 1, UMF_WLOG_FUA);
	expect(test, file, "14 10 20 23 | 30 ");
	KUNIT_EXPECT_EQ(test, umf_wlog_behind(&file->order, 0, 31, file_read,
					      file, &behind), 0);
	KUNIT_EXPECT_EQ(test, behind, 4);
}

static void a_log_goes_on(struct kunit *test)
{
	struct file *file = file_new(test);
	u64 tail;

	file_wait(file, 10, 4, 0);
	umf_wlog_settle(&file->order, 2, file_read, file);
	file_commit(file, 0, 0, UMF_WLOG_FLUSH);
	file_wait(file, 20, 4, 0);
	file_wait(file, 30, 4, 0);
	tail = file->order.tail;
	KUNIT_EXPECT_EQ(test, umf_wlog_resume(&file->order, 2, tail, file_read,
					      file), 0);
	expect(test, file, "10 F 20 30 ");
	KUNIT_EXPECT_EQ(test, file->order.end, tail);
	/* its last one was cut off */
	KUNIT_EXPECT_EQ(test, umf_wlog_resume(&file->order, 2, tail - 1,
					      file_read, file), 0);
	expect(test, file, "10 F 20 ");
	/* what counts must be there, and all of it be entries */
	KUNIT_EXPECT_EQ(test, umf_wlog_resume(&file->order, 4, tail - 1,
					      file_read, file), -1);
	file->unit[7] = (struct umf_wlog_entry) {};
	KUNIT_EXPECT_EQ(test, umf_wlog_resume(&file->order, 2, tail, file_read,
					      file), -1);
	file->unit[7].flags = UMF_WLOG_MARK | 32;
	KUNIT_EXPECT_EQ(test, umf_wlog_resume(&file->order, 2, tail, file_read,
					      file), -1);
}

/*
 * Random operations against a list: whatever came in, the log and what waits
 * have each of them once, and those that touch the same sector in their order.
 */
static void nothing_is_lost_and_nothing_overtakes(struct kunit *test)
{
	struct umf_rng rng = { 11 };
	unsigned int round, i;

	for (round = 0; round < 200; round++) {
		struct file *file = file_new(test);
		u64 last[8] = {}, at, before = 0, behind, n = 0, flushes = 0;
		struct umf_wlog_entry entry;

		for (i = 0; i < 40; i++) {
			u64 sector = umf_rng_below(&rng, 8);

			switch (umf_rng_below(&rng, 5)) {
			case 0:
				umf_wlog_behind(&file->order, sector, 1,
						file_read, file, &behind);
				if (behind)
					umf_wlog_settle(&file->order, behind,
							file_read, file);
				file_commit(file, sector, 1, UMF_WLOG_FUA);
				/* which write it was */
				file->unit[file->order.end - 2].len = ++n;
				break;
			case 1:
				before = file->order.next;
				break;
			case 2:
				umf_wlog_settle(&file->order, before, file_read,
						file);
				file_commit(file, 0, 0, UMF_WLOG_FLUSH);
				flushes++;
				break;
			default:
				file_wait(file, sector, 1, 0);
				file->unit[file->order.tail - 2].len = ++n;
			}
		}
		for (at = 1, i = 0; at < file->order.tail;
		     at += 1 + umf_wlog_data(&entry), i++) {
			KUNIT_ASSERT_EQ(test, file_read(file, at, &entry), 0);
			if (entry.flags & UMF_WLOG_FLUSH)
				continue;
			KUNIT_ASSERT_LT(test, last[entry.sector], entry.len);
			last[entry.sector] = entry.len;
		}
		KUNIT_ASSERT_EQ(test, i, n + flushes);
		KUNIT_ASSERT_EQ(test, file->order.entries + file->order.next -
				file->order.first, n + flushes);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(the_format_is_that_of_dm_log_writes),
	KUNIT_CASE(heads_that_lie_are_refused),
	KUNIT_CASE(a_flush_takes_what_was_done_before_it),
	KUNIT_CASE(fua_goes_first_but_not_past_its_own_sectors),
	KUNIT_CASE(a_log_goes_on),
	KUNIT_CASE(nothing_is_lost_and_nothing_overtakes),
	{}
};

static struct kunit_suite suite = {
	.name = "umf_blk_log",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_LICENSE("GPL");
