/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Opening, checking and making image files (blk/image.c). The host tool
 * compiles the same file, so that both refuse and lock the same.
 */
#ifndef __UMF_BLK_IMAGE_H
#define __UMF_BLK_IMAGE_H

#include "blk/io.h"

#define UMF_BLK_ERROR_LEN	320	/* of a reason, with its NUL */

/* Who does what the host does not do at once. */
enum umf_engine {
	UMF_ENGINE_ANY,
	UMF_ENGINE_URING,
	UMF_ENGINE_THREADS,
};

struct umf_blk_options {
	char *file;
	char *backing;		/* NULL: what the file's header says */
	char *serial;		/* NULL: made of the name */
	char *log;		/* NULL: none; the disk's matter */
	enum umf_engine engine;	/* the disk's matter, too */
	char *model;		/* NULL: as usual; too, in virtual time */
	bool ro;
	bool raw;		/* whatever its first sector says */
	bool shared;
	bool locked;		/* by the caller, who has the topmost file open */
	bool strict;
	bool direct;
	u64 cache;		/* bytes; 0: none */
	unsigned int logical;	/* 0: as the image is */
	unsigned int physical;	/* 0: 4096 */
};

/* What can be done, as each side says it. */
#ifdef __KERNEL__
#define UMF_HINT_RO		"; there is ,ro"
#define UMF_HINT_SHARED		"; there is ,shared"
#define UMF_HINT_NO_LOCK	"; ,shared does without"
#define UMF_HINT_BACKING	"backing="
#else
#define UMF_HINT_RO		""
#define UMF_HINT_SHARED		""
#define UMF_HINT_NO_LOCK	""
#define UMF_HINT_BACKING	"--backing"
#endif

/* Behind an image's name: a merge into its backing file is under way. */
#define UMF_MERGE_MARKER	".merge"

/* 0, or -errno with one line that says why in @error. May sleep. */
int umf_image_open(const struct umf_blk_options *opt, struct umf_image **image,
		   char *error);
void umf_image_close(struct umf_image *image);
/* Bytes of the disk. */
u64 umf_image_size(const struct umf_image *image);
/* The unit in which its topmost file keeps sectors, bytes. */
unsigned int umf_image_unit(const struct umf_image *image);

#endif /* __UMF_BLK_IMAGE_H */
