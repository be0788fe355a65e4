/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UML's COW files: header, layout, bitmap, and which file of a chain holds a
 * sector. Pure, and the same for the driver, its host threads and the host
 * tool: nothing but integer types is needed.
 *
 * The format is that of arch/um/drivers/cow_user.c, all numbers big-endian:
 *
 *	v3	magic version mtime size:64 sectorsize alignment format path[4096]
 *		bitmap at the next multiple of alignment, data at the next after it
 *	v3, as 64-bit programs wrote it until 2005: mtime is 64 bits wide and
 *		size aligned; path then starts with four zero bytes
 *	v2	magic version path[4096] mtime size:64 sectorsize
 *		bitmap right behind, data at the next multiple of sectorsize
 *
 * Bit n of the bitmap (byte n / 8, low bit first) is set when the file itself
 * holds sector n, at data + n * sectorsize; else its backing file does.
 */
#ifndef __UMF_BLK_COW_H
#define __UMF_BLK_COW_H

#if defined(__KERNEL__) && !defined(__UM_HOST__)
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
#endif

#define UMF_SECTOR		512U	/* unit of all sector numbers here */
#define UMF_COW_PATH_LEN	4096
#define UMF_COW_HEAD_LEN	4136	/* no header is longer */
#define UMF_COW_SIZE_MAX	0x1000000000000000ULL	/* 2^60 bytes of a disk */
#define UMF_COW_DEPTH_MAX	64	/* files in a chain */

struct umf_cow {
	u32 version;		/* 2 or 3 */
	bool wide;		/* v3 as it was until 2005 */
	u32 mtime;		/* of the backing file, low 32 bits, seconds */
	u64 size;		/* of the disk, bytes */
	u32 sector_size;	/* 512 to 65536, a power of two */
	u32 alignment;
	u64 sectors;		/* of that size, the last may be cut short */
	u64 bitmap_offset, bitmap_len, data_offset;	/* bytes */
	char backing[UMF_COW_PATH_LEN];	/* NUL-terminated, not empty */
};

/*
 * Reads a header from the first @len bytes of a file that has @file_size.
 * 1: it is a COW file; 0: it is not; -1: it says it is but cannot be used, and
 * *@why says what is wrong with it.
 */
int umf_cow_parse(const void *head, size_t len, u64 file_size,
		  struct umf_cow *cow, const char **why);
/*
 * Fills in what follows from size, sector_size, alignment and backing for a
 * new v3 file and writes its header into @head, UMF_COW_HEAD_LEN bytes. 0, or
 * -1 with the reason in *@why.
 */
int umf_cow_format(struct umf_cow *cow, void *head, const char **why);

/* Bits of a bitmap; @n of them from @bit on. */
bool umf_map_test(const u8 *map, u64 bit);
u64 umf_map_run(const u8 *map, u64 bit, u64 n);	/* how many are as the first */
void umf_map_set(u8 *map, u64 bit, u64 n);
void umf_map_clear(u8 *map, u64 bit, u64 n);

/* One file of a chain, as far as finding sectors goes. */
struct umf_layer {
	int fd;
	int direct;		/* the same file with O_DIRECT; -1: none */
	u8 *map;		/* NULL: raw, holds everything */
	unsigned int shift;	/* its sectors are UMF_SECTOR << shift */
	u64 map_offset;		/* of the bitmap in the file, bytes */
	u64 map_len;
	u64 data_offset;	/* of sector 0 in the file, bytes */
	u64 size;		/* of the disk, bytes: no file has data beyond */
};

/*
 * The layer that holds @sector, the topmost (layer 0) first, and in *@run, at
 * most @n, for how many sectors that is so.
 */
unsigned int umf_chain_find(const struct umf_layer *layer, unsigned int layers,
			    u64 sector, u64 n, u64 *run);

#endif /* __UMF_BLK_COW_H */
