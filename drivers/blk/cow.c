// SPDX-License-Identifier: GPL-2.0
/*
 * UML's COW files: see blk/cow.h for the format.
 *
 * Everything in a header is hostile: each number is checked before it is used,
 * in 64 bits, and the bounds (size, sector size, alignment) are chosen so that
 * no sum of what passed can wrap.
 */
#include "blk/cow.h"
#if defined(__KERNEL__) && !defined(__UM_HOST__)
#include <linux/errno.h>
#include <linux/string.h>
#else
#include <string.h>
#endif

#define MAGIC		0x4f4f4f4dU	/* "MOOO" */
#define ALIGN_MAX	0x40000000U

/* Where the numbers of a header stand. */
struct shape {
	unsigned int mtime, size, sector_size, alignment, format, path, len;
};

static const struct shape shape_v2 = {
	.path = 8, .mtime = 4104, .size = 4108, .sector_size = 4116, .len = 4120,
};

static const struct shape shape_v3 = {
	.mtime = 8, .size = 12, .sector_size = 20, .alignment = 24,
	.format = 28, .path = 32, .len = 4128,
};

/* sizeof() of the unpacked structure: padded to a multiple of eight. */
static const struct shape shape_wide = {
	.mtime = 8, .size = 16, .sector_size = 24, .alignment = 28,
	.format = 32, .path = 36, .len = 4136,
};

static u32 get32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static u64 get64(const u8 *p)
{
	return (u64)get32(p) << 32 | get32(p + 4);
}

static void put32(u8 *p, u32 val)
{
	p[0] = val >> 24;
	p[1] = val >> 16;
	p[2] = val >> 8;
	p[3] = val;
}

static void put64(u8 *p, u64 val)
{
	put32(p, val >> 32);
	put32(p + 4, val);
}

static unsigned int log2_of(u32 val)
{
	unsigned int n = 0;

	while (val >>= 1)
		n++;
	return n;
}

/* @unit need not be a power of two. */
static u64 round_to(u64 val, u32 unit)
{
	u64 rest = val % unit;

	return rest ? val + unit - rest : val;
}

static const char *lay_out(struct umf_cow *cow, u32 head_len)
{
	unsigned int shift;

	if (cow->sector_size < UMF_SECTOR || cow->sector_size > 65536 ||
	    (cow->sector_size & (cow->sector_size - 1)))
		return "its sector size is not a power of two from 512 to 65536";
	if (!cow->size || cow->size > UMF_COW_SIZE_MAX)
		return "its disk size is 0 or beyond 2^60";
	if (!cow->alignment || cow->alignment > ALIGN_MAX)
		return "its alignment is 0 or beyond 2^30";
	shift = log2_of(cow->sector_size);
	cow->sectors = (cow->size + cow->sector_size - 1) >> shift;
	if (cow->version == 2) {
		/* rounded as v2 rounds: up to seven sectors have no bit */
		cow->bitmap_offset = head_len;
		cow->bitmap_len = (cow->size + cow->sector_size - 1) >>
				  (shift + 3);
		cow->data_offset = round_to(head_len + cow->bitmap_len,
					    cow->sector_size);
	} else {
		cow->bitmap_offset = round_to(head_len, cow->alignment);
		cow->bitmap_len = (cow->sectors + 7) / 8;
		cow->data_offset = round_to(cow->bitmap_offset +
					    cow->bitmap_len, cow->alignment);
	}
	return NULL;
}

static const char *parse(const u8 *head, size_t len, u64 file_size,
			 struct umf_cow *cow)
{
	const struct shape *shape;
	const char *why;
	size_t i;

	if (len < 8)
		return "it ends inside its header";
	cow->version = get32(head) == MAGIC ? get32(head + 4) : 1;
	if (cow->version == 1)
		return "it is a COW file of version 1, which only old uml_moo reads";
	if (cow->version != 2 && cow->version != 3)
		return "it is a COW file of a version other than 2 and 3";
	shape = &shape_v2;
	if (cow->version == 3) {
		shape = &shape_v3;
		if (len >= shape->path + 4 && !get32(head + shape->path))
			shape = &shape_wide;
	}
	cow->wide = shape == &shape_wide;
	if (len < shape->len)
		return "it ends inside its header";

	cow->mtime = get32(head + shape->mtime);
	cow->size = get64(head + shape->size);
	cow->sector_size = get32(head + shape->sector_size);
	cow->alignment = cow->sector_size;
	if (cow->version == 3) {
		cow->alignment = get32(head + shape->alignment);
		if (get32(head + shape->format))
			return "its COW format is not the bitmap";
	}
	for (i = 0; i < UMF_COW_PATH_LEN && head[shape->path + i]; i++)
		if (head[shape->path + i] < ' ')
			return "the name of its backing file has control characters";
	if (!i || i == UMF_COW_PATH_LEN)
		return "the name of its backing file is empty or has no end";
	memcpy(cow->backing, head + shape->path, i + 1);

	why = lay_out(cow, shape->len);
	if (!why && cow->data_offset > file_size)
		return "it ends inside its bitmap";
	return why;
}

int umf_cow_parse(const void *head, size_t len, u64 file_size,
		  struct umf_cow *cow, const char **why)
{
	static const u8 v1_magic[] = { 0x4d, 0x4f, 0x4f, 0x4f };
	const u8 *p = head;

	/* version 1 was written in the machine's own byte order */
	if (len < 4 || (get32(p) != MAGIC && memcmp(p, v1_magic, 4)))
		return 0;
	*why = parse(p, len, file_size, cow);
	return *why ? -1 : 1;
}

int umf_cow_format(struct umf_cow *cow, void *head, const char **why)
{
	const struct shape *shape = &shape_v3;
	size_t len = strnlen(cow->backing, UMF_COW_PATH_LEN);
	u8 *p = head;

	cow->version = 3;
	cow->wide = false;
	*why = lay_out(cow, shape->len);
	if (!*why && (!len || len == UMF_COW_PATH_LEN))
		*why = "the name of its backing file is empty or too long";
	if (*why)
		return -1;
	memset(p, 0, UMF_COW_HEAD_LEN);
	put32(p, MAGIC);
	put32(p + 4, cow->version);
	put32(p + shape->mtime, cow->mtime);
	put64(p + shape->size, cow->size);
	put32(p + shape->sector_size, cow->sector_size);
	put32(p + shape->alignment, cow->alignment);
	memcpy(p + shape->path, cow->backing, len);
	return 0;
}

/* ---- bitmaps ---- */

bool umf_map_test(const u8 *map, u64 bit)
{
	return map[bit / 8] >> (bit & 7) & 1;
}

u64 umf_map_run(const u8 *map, u64 bit, u64 n)
{
	bool first = umf_map_test(map, bit);
	u8 same = first ? 0xff : 0;
	u64 same8 = first ? ~0ULL : 0, word, i = 1;

	while (i < n) {
		u64 at = bit + i;

		if (at & 7) {
			if (umf_map_test(map, at) != first)
				break;
			i++;
			continue;
		}
		if (n - i >= 64) {
			memcpy(&word, map + at / 8, 8);
			if (word == same8) {
				i += 64;
				continue;
			}
		}
		if (n - i >= 8 && map[at / 8] == same) {
			i += 8;
			continue;
		}
		if (umf_map_test(map, at) != first)
			break;
		i++;
	}
	return i;
}

static void change(u8 *map, u64 bit, u64 n, bool set)
{
	while (n) {
		if (!(bit & 7) && n >= 8) {
			u64 bytes = n / 8;

			memset(map + bit / 8, set ? 0xff : 0, bytes);
			bit += bytes * 8;
			n -= bytes * 8;
			continue;
		}
		if (set)
			map[bit / 8] |= 1 << (bit & 7);
		else
			map[bit / 8] &= ~(1 << (bit & 7));
		bit++;
		n--;
	}
}

void umf_map_set(u8 *map, u64 bit, u64 n)
{
	change(map, bit, n, true);
}

void umf_map_clear(u8 *map, u64 bit, u64 n)
{
	change(map, bit, n, false);
}

/* ---- chains ---- */

unsigned int umf_chain_find(const struct umf_layer *layer, unsigned int layers,
			    u64 sector, u64 n, u64 *run)
{
	unsigned int i;

	for (i = 0; i < layers && layer[i].map; i++) {
		unsigned int shift = layer[i].shift;
		u64 first = sector >> shift;
		u64 last = (sector + n - 1) >> shift;
		u64 bits = layer[i].map_len * 8, same;

		/* the sectors for which a v2 bitmap has no bit */
		if (first >= bits)
			continue;
		if (last >= bits)
			last = bits - 1;
		same = umf_map_run(layer[i].map, first, last - first + 1);
		same = ((first + same) << shift) - sector;
		if (same < n)
			n = same;
		if (umf_map_test(layer[i].map, first))
			break;
	}
	*run = n;
	return i < layers ? i : layers - 1;
}
