/* SPDX-License-Identifier: GPL-2.0 */
/* The disk: what its files share. Host calls and threads are in blk_io.h. */
#ifndef __UMF_BLK_H
#define __UMF_BLK_H

#include <linux/blk-mq.h>
#include <linux/types.h>
#include "blk_io.h"

#define UMF_BLK_SEGMENTS	64
#define UMF_BLK_SERIAL_LEN	21	/* with its NUL */
#define UMF_BLK_ERROR_LEN	320	/* of a reason, with its NUL */

struct umf_blk_options {
	char *file;
	char *backing;		/* NULL: what the file's header says */
	char *serial;		/* NULL: made of the name */
	bool ro;
	bool shared;
	bool strict;
	unsigned int logical;	/* 0: as the image is */
};

struct umf_blk {
	unsigned int unit;
	char *spec;			/* as configured */
	struct umf_image *image;
	struct umf_io_pool *pool;
	struct blk_mq_tag_set tags;
	struct gendisk *disk;
	char serial[UMF_BLK_SERIAL_LEN];
};

/* A request's own part. */
struct umf_blk_cmd {
	struct umf_io io;
	struct umf_io_vec vec[UMF_BLK_SEGMENTS];
};

/* ---- blk_main.c ---- */

/* An operation handed to the host is done. */
void umf_blk_done(struct umf_io *io);

/* ---- blk_image.c: opening, checking, making image files ---- */

/* 0, or -errno with one line that says why in @error. May sleep. */
int umf_image_open(const struct umf_blk_options *opt, struct umf_image **image,
		   char *error);
void umf_image_close(struct umf_image *image);
/* Bytes of the disk. */
u64 umf_image_size(const struct umf_image *image);
/* The unit in which its topmost file keeps sectors, bytes. */
unsigned int umf_image_unit(const struct umf_image *image);

/* ---- blk_io.c: the way to the host and back ---- */

int umf_blk_io_init(void);

#endif /* __UMF_BLK_H */
