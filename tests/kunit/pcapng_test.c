// SPDX-License-Identifier: GPL-2.0
/*
 * pcapng: every block is as long as both its ends say, a multiple of four, and
 * a reader of the format finds in it what was put there. Comments of captures.
 */
#include <linux/slab.h>
#include <linux/string.h>
#include "capture/capture.h"
#include "capture/pcapng.h"
#include "capture/pcapng_format.h"
#include "umf_kunit.h"

static u16 u16_at(const u8 *at)
{
	u16 val;

	memcpy(&val, at, sizeof(val));
	return val;
}

static u32 u32_at(const u8 *at)
{
	u32 val;

	memcpy(&val, at, sizeof(val));
	return val;
}

static u64 halves_at(const u8 *at)
{
	return (u64)u32_at(at) << 32 | u32_at(at + 4);
}

/* The block's length, which must be what both of its ends say. */
static u32 block_len(struct kunit *test, const u8 *block, size_t room)
{
	u32 len = u32_at(block + 4);

	KUNIT_ASSERT_LE(test, len, room);
	KUNIT_ASSERT_GE(test, len, 12);
	KUNIT_EXPECT_EQ(test, len % 4, 0);
	KUNIT_EXPECT_EQ(test, u32_at(block + len - 4), len);
	return len;
}

/*
 * The option @code among those that start at @at in a block, its length in
 * *@len; NULL: there is none. The list must end where the block does.
 */
static const u8 *option(struct kunit *test, const u8 *block, u32 at, u16 code,
			u16 *len)
{
	u32 end = u32_at(block + 4) - 4;
	const u8 *found = NULL;

	for (; u16_at(block + at); at += 4 + ALIGN(u16_at(block + at + 2), 4)) {
		KUNIT_ASSERT_LT(test, at, end);
		if (u16_at(block + at) != code)
			continue;
		KUNIT_EXPECT_NULL(test, found);
		found = block + at + 4;
		*len = u16_at(block + at + 2);
	}
	KUNIT_EXPECT_EQ(test, at + 4, end);
	return found;
}

static void expect_text(struct kunit *test, const u8 *block, u32 at, u16 code,
			const char *text)
{
	const u8 *found;
	u16 len = 0;

	found = option(test, block, at, code, &len);
	KUNIT_ASSERT_NOT_NULL(test, found);
	KUNIT_EXPECT_EQ(test, len, strlen(text));
	KUNIT_EXPECT_MEMEQ(test, found, text, len);
}

static void the_intro_is_a_section_and_an_interface(struct kunit *test)
{
	struct umf_pcapng_if iface = {
		.name = "eth0", .about = "guest n1", .os = "Linux 1",
		.program = "umf", .link = PCAPNG_ETHERNET,
	};
	u8 *to = kunit_kzalloc(test, UMF_PCAPNG_INTRO, GFP_KERNEL), *block;
	size_t size;
	u16 len;

	KUNIT_ASSERT_NOT_NULL(test, to);
	size = umf_pcapng_intro(to, &iface);
	block = to + block_len(test, to, size);
	KUNIT_EXPECT_EQ(test, u32_at(to), 0x0a0d0d0a);
	KUNIT_EXPECT_EQ(test, u32_at(to + 8), 0x1a2b3c4d);
	KUNIT_EXPECT_EQ(test, u32_at(to + 12), 1);
	KUNIT_EXPECT_EQ(test, halves_at(to + 16), U64_MAX);
	expect_text(test, to, 24, 3, "Linux 1");
	expect_text(test, to, 24, 4, "umf");
	KUNIT_EXPECT_EQ(test, block + block_len(test, block, size) - to, size);
	KUNIT_EXPECT_EQ(test, u32_at(block), 1);
	KUNIT_EXPECT_EQ(test, u16_at(block + 8), PCAPNG_ETHERNET);
	expect_text(test, block, 16, 2, "eth0");
	expect_text(test, block, 16, 3, "guest n1");
	KUNIT_EXPECT_EQ(test, *option(test, block, 16, 9, &len), 9);
}

static void the_longest_intro_has_room(struct kunit *test)
{
	char *text = kunit_kzalloc(test, 1000, GFP_KERNEL);
	u8 *to = kunit_kzalloc(test, UMF_PCAPNG_INTRO + 8, GFP_KERNEL);
	struct umf_pcapng_if iface = {};
	size_t size;

	KUNIT_ASSERT_TRUE(test, text && to);
	memset(text, 'x', 999);
	memset(to + UMF_PCAPNG_INTRO, 0x55, 8);
	iface = (struct umf_pcapng_if){ text, text, text, text, 1 };
	size = umf_pcapng_intro(to, &iface);
	KUNIT_EXPECT_LE(test, size, UMF_PCAPNG_INTRO);
	KUNIT_EXPECT_MEMEQ(test, to + UMF_PCAPNG_INTRO, "UUUUUUUU", 8);
	block_len(test, to, size);
}

/* A whole packet block of @packet with its bytes 1, 2, 3, … in @to. */
static size_t make_packet(u8 *to, const struct umf_pcapng_packet *packet)
{
	size_t at = umf_pcapng_head(to, packet);
	u32 i;

	for (i = 0; i < packet->len; i++)
		to[at++] = i + 1;
	return at + umf_pcapng_tail(to + at, packet);
}

static void packets_are_what_was_put_in(struct kunit *test)
{
	static const char *const comments[] = { NULL, "", "d", "dr", "drop r1" };
	u8 *to = kunit_kzalloc(test, 1000, GFP_KERNEL);
	struct umf_pcapng_packet packet = { .time = 0x123456789abcdef0 };
	unsigned int i, opts;
	const u8 *found;
	u16 len;

	KUNIT_ASSERT_NOT_NULL(test, to);
	for (packet.len = 0; packet.len < 10; packet.len++) {
		for (i = 0; i < 4 * ARRAY_SIZE(comments); i++) {
			packet.comment = comments[i / 4];
			packet.tx = i & 1;
			packet.lost = i & 2 ? 7 : 0;
			memset(to, 0xee, 1000);
			KUNIT_ASSERT_EQ(test, make_packet(to, &packet),
					block_len(test, to, 1000));
			KUNIT_EXPECT_EQ(test, u32_at(to), 6);
			KUNIT_EXPECT_EQ(test, u32_at(to + 8), 0);
			KUNIT_EXPECT_EQ(test, halves_at(to + 12), packet.time);
			KUNIT_EXPECT_EQ(test, u32_at(to + 20), packet.len);
			KUNIT_EXPECT_EQ(test, u32_at(to + 24), packet.len);
			KUNIT_EXPECT_MEMEQ(test, to + 28,
					   "\1\2\3\4\5\6\7\10\11", packet.len);
			opts = 28 + ALIGN(packet.len, 4);
			found = option(test, to, opts, 1, &len);
			if (packet.comment && *packet.comment)
				expect_text(test, to, opts, 1, packet.comment);
			else
				KUNIT_EXPECT_NULL(test, found);
			found = option(test, to, opts, 2, &len);
			KUNIT_ASSERT_NOT_NULL(test, found);
			KUNIT_EXPECT_EQ(test, u32_at(found), packet.tx ? 2 : 1);
			found = option(test, to, opts, 4, &len);
			KUNIT_EXPECT_EQ(test, !!found, !!packet.lost);
			if (found)
				KUNIT_EXPECT_EQ(test, u32_at(found), 7);
		}
	}
}

static void a_comment_too_long_is_cut(struct kunit *test)
{
	char *text = kunit_kzalloc(test, 1000, GFP_KERNEL);
	u8 *to = kunit_kzalloc(test, 1000, GFP_KERNEL);
	struct umf_pcapng_packet packet = { .len = 1, .lost = 1 };
	u16 len = 0;

	KUNIT_ASSERT_TRUE(test, text && to);
	memset(text, 'x', 999);
	packet.comment = text;
	KUNIT_EXPECT_LE(test, umf_pcapng_tail(to, &packet), UMF_PCAPNG_TAIL);
	make_packet(to, &packet);
	block_len(test, to, 1000);
	KUNIT_EXPECT_NOT_NULL(test, option(test, to, 32, 1, &len));
	KUNIT_EXPECT_EQ(test, len, UMF_PCAPNG_COMMENT);
}

static void the_last_block_counts(struct kunit *test)
{
	u8 to[UMF_PCAPNG_STATS];
	const u8 *found;
	u64 val;
	u16 len;

	KUNIT_ASSERT_EQ(test, umf_pcapng_stats(to, 1ULL << 60, 5ULL << 59, 100, 3),
			block_len(test, to, sizeof(to)));
	KUNIT_EXPECT_EQ(test, u32_at(to), 5);
	KUNIT_EXPECT_EQ(test, halves_at(to + 12), 5ULL << 59);
	KUNIT_EXPECT_EQ(test, halves_at(option(test, to, 20, 2, &len)), 1ULL << 60);
	KUNIT_EXPECT_EQ(test, halves_at(option(test, to, 20, 3, &len)), 5ULL << 59);
	found = option(test, to, 20, 4, &len);
	memcpy(&val, found, 8);
	KUNIT_EXPECT_EQ(test, val, 100);
	found = option(test, to, 20, 5, &len);
	memcpy(&val, found, 8);
	KUNIT_EXPECT_EQ(test, val, 3);
}

static void notes_are_cut_and_never_run_over(struct kunit *test)
{
	static const struct {
		u64 ns;
		const char *text;
	} times[] = {
		{ 0, " 0ns" }, { 999, " 999ns" }, { 1000, " 1us" },
		{ 1001, " 1.001us" }, { 50000000, " 50ms" },
		{ 50100000, " 50.1ms" }, { 54654201, " 54.654201ms" },
		{ 1000000000, " 1s" }, { 3600000000001, " 3600.000000001s" },
	};
	struct umf_note note = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(times); i++) {
		note.len = 0;
		umf_note_time(&note, times[i].ns);
		KUNIT_EXPECT_STREQ(test, note.text, times[i].text);
	}
	note.len = 0;
	umf_note(&note, "drop %s", "a");
	umf_note(&note, "delay %s", "b");
	umf_note_time(&note, 1000000);
	KUNIT_EXPECT_STREQ(test, note.text, "drop a; delay b 1ms");
	for (i = 0; i < 100; i++)
		umf_note(&note, "corrupt something");
	KUNIT_EXPECT_EQ(test, note.len, sizeof(note.text) - 1);
	KUNIT_EXPECT_EQ(test, strlen(note.text), note.len);
}

/* What cannot be captured is refused, and changes nothing. */
static void bad_captures_are_refused(struct kunit *test)
{
	umf_kunit_refused(test, -ENODEV, "kt7", "capture kt7 /x");
	umf_kunit_refused(test, -ENODEV, "kt7", "capture kt7");
	umf_kunit_refused(test, -ENOENT, "kt0", "capture kt0 off");
	umf_kunit_refused(test, -ENOENT, "/no/where/x", "capture kt0 /no/where/x");
	umf_kunit_refused(test, -EINVAL, "empty", "capture kt0 ''");
	umf_kunit_refused(test, -EINVAL, "more", "capture kt0 /no/where/x more");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "capture"), "");
	KUNIT_EXPECT_STREQ(test, umf_kunit_ok(test, "capture kt0"), "");
}

static struct kunit_case pcapng_cases[] = {
	KUNIT_CASE(the_intro_is_a_section_and_an_interface),
	KUNIT_CASE(the_longest_intro_has_room),
	KUNIT_CASE(packets_are_what_was_put_in),
	KUNIT_CASE(a_comment_too_long_is_cut),
	KUNIT_CASE(the_last_block_counts),
	KUNIT_CASE(notes_are_cut_and_never_run_over),
	KUNIT_CASE(bad_captures_are_refused),
	{}
};

static struct kunit_suite pcapng_suite = {
	.name = "umf_pcapng",
	.suite_init = umf_kunit_suite_init,
	.suite_exit = umf_kunit_suite_exit,
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = pcapng_cases,
};

kunit_test_suite(pcapng_suite);
