// SPDX-License-Identifier: GPL-2.0
/*
 * COW headers, bitmaps and chains. A header that is taken has its bitmap and
 * its data within the bounds it was checked against, and is written again as it
 * was read; a bitmap agrees with one bit after the other.
 */
#include "fuzz.h"
#include "blk/cow.h"

#define MAP	64

static void try_header(const uint8_t *data, size_t size, u64 file_size)
{
	static struct umf_cow cow, again;
	static uint8_t head[UMF_COW_HEAD_LEN];
	const char *why = NULL;
	int ret;

	memset(&cow, 0, sizeof(cow));
	ret = umf_cow_parse(data, size, file_size, &cow, &why);
	must(ret >= -1 && ret <= 1);
	if (ret < 0)
		must(why && *why);
	if (ret != 1)
		return;
	must(cow.size && cow.size <= UMF_COW_SIZE_MAX);
	must(cow.sectors <= (cow.size - 1) / cow.sector_size + 1);
	must(cow.sectors * cow.sector_size >= cow.size);
	must(cow.bitmap_offset + cow.bitmap_len <= cow.data_offset);
	must(cow.data_offset <= file_size);
	must(cow.bitmap_len * 8 + 7 >= cow.sectors);
	must(strnlen(cow.backing, sizeof(cow.backing)) < sizeof(cow.backing));

	again = cow;
	ret = umf_cow_format(&again, head, &why);
	must(!ret);
	ret = umf_cow_parse(head, sizeof(head), ~0ULL, &again, &why);
	must(ret == 1);
	must(again.size == cow.size && again.sectors == cow.sectors);
	must(!strcmp(again.backing, cow.backing));
}

static void try_map(struct input *in)
{
	uint8_t map[MAP], model[MAP];
	u64 bit, n, i;

	take(in, map, sizeof(map));
	while (in->at < in->end) {
		uint8_t what = take_u32(in, 1);

		bit = take_u32(in, 2) % (MAP * 8);
		n = take_u32(in, 2) % (MAP * 8 - bit) + 1;
		memcpy(model, map, sizeof(map));
		switch (what % 3) {
		case 0:
			for (i = 1; i < n; i++)
				if (umf_map_test(map, bit + i) !=
				    umf_map_test(map, bit))
					break;
			must(umf_map_run(map, bit, n) == i);
			break;
		case 1:
			umf_map_set(map, bit, n);
			for (i = bit; i < bit + n; i++)
				model[i / 8] |= 1 << i % 8;
			break;
		case 2:
			umf_map_clear(map, bit, n);
			for (i = bit; i < bit + n; i++)
				model[i / 8] &= ~(1 << i % 8);
			break;
		}
		must(!memcmp(map, model, sizeof(map)));
	}
}

static void try_chain(struct input *in)
{
	static uint8_t map[4][MAP];
	struct umf_layer layer[5] = { 0 };
	unsigned int layers = take_u32(in, 1) % 5 + 1, i, found;
	u64 sector = take_u32(in, 2), n = take_u32(in, 1) + 1, run, s;

	for (i = 0; i + 1 < layers; i++) {
		layer[i].shift = take_u32(in, 1) % 4;
		layer[i].map_len = take_u32(in, 1) % MAP + 1;
		layer[i].map = map[i];
		take(in, map[i], sizeof(map[i]));
	}
	found = umf_chain_find(layer, layers, sector, n, &run);
	must(found < layers && run >= 1 && run <= n);
	for (s = sector; s < sector + run; s++) {
		for (i = 0; i + 1 < layers; i++)
			if (s >> layer[i].shift < layer[i].map_len * 8 &&
			    umf_map_test(map[i], s >> layer[i].shift))
				break;
		must(i == found);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t head[UMF_COW_HEAD_LEN];
	struct input in = { data, data + size };
	u64 file_size;

	switch (take_u32(&in, 1) % 5) {
	case 0:
		take(&in, &file_size, 8);
		try_header(in.at, in.end - in.at, file_size);
		break;
	case 1:
		try_header(in.at, in.end - in.at, in.end - in.at);
		break;
	case 2:
		try_map(&in);
		break;
	case 3:
		try_chain(&in);
		break;
	case 4:		/* v3, all of it that is not the name */
		memset(head, 0, sizeof(head));
		memcpy(head, "OOOM\0\0\0\3", 8);
		take(&in, head + 8, 24);
		memcpy(head + 32, "/base", 5);
		take(&in, &file_size, 8);
		try_header(head, sizeof(head), file_size);
		break;
	}
	return 0;
}
