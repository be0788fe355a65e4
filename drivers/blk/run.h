/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A read, write or flush as the calls of the host that it takes, one after the
 * other. Both engines make them: threads and umf_io_exec() in their turn, the
 * ring (blk/uring_user.c) many at a time. So what comes before what is said
 * once, in blk/io_user.c. For user halves only.
 */
#ifndef __UMF_BLK_RUN_H
#define __UMF_BLK_RUN_H

#include <sys/uio.h>
#include "blk/io.h"

#define UMF_CALL_VECS	64

enum umf_call_kind {
	UMF_CALL_READ,		/* preadv2() */
	UMF_CALL_WRITE,		/* pwritev2() */
	UMF_CALL_SYNC,		/* fdatasync() */
};

struct umf_call {
	enum umf_call_kind kind;
	int fd;
	bool direct;		/* that is umf_layer.direct */
	int flags;		/* RWF_… */
	int n;
	struct iovec iov[UMF_CALL_VECS];
	u64 offset;
};

/* What the call is for. */
enum umf_stage {
	UMF_STAGE_READ,
	UMF_STAGE_WRITE,
	UMF_STAGE_SYNC_DATA,	/* bits follow */
	UMF_STAGE_SYNC_ALL,	/* nothing follows */
};

/* Where an operation is in its guest memory. */
struct umf_place {
	const struct umf_io_vec *vec;
	unsigned int nvec;
	unsigned long skip;	/* bytes of the first that are done */
};

struct umf_run {
	struct umf_image *image;
	const struct umf_io *io;
	enum umf_stage stage;
	struct umf_place place;
	/* the piece that is being moved: */
	const struct umf_layer *layer;
	u64 at;			/* byte of the disk */
	unsigned long len;	/* bytes left */
	/* read: what comes behind it */
	u64 sector, nr;
	int dsync_error;	/* of a write that is made again without DSYNC */
	int result;		/* 0 or -errno, when it is over */
	struct umf_call call;
};

/*
 * Both: true: run->call is to be made; false: it is over. Who begins one is
 * inside the image's gate until it is over.
 */
bool umf_run_begin(struct umf_run *run, struct umf_image *image,
		   const struct umf_io *io);
/* @n: what the call has returned, or -errno. */
bool umf_run_next(struct umf_run *run, long n);

/* The gate: false: it is closed. */
bool umf_io_enter(struct umf_image *image);
void umf_io_leave(struct umf_image *image);

/* ---- the way back, and to the threads (blk/pool_user.c) ---- */

/* Adds a chain, the last operation first, that ends with @tail. */
void umf_io_tell(struct umf_io *head, struct umf_io *tail);
/* For a thread to do. */
void umf_io_pool_add(struct umf_io_pool *pool, struct umf_io *io);

/* ---- the ring (blk/uring_user.c) ---- */

struct umf_ring;

/* -errno: the host has none for us. */
int umf_ring_start(struct umf_image *image, struct umf_io_pool *pool,
		   struct umf_ring **ring);
/* As umf_io_pool_submit(). */
void umf_ring_submit(struct umf_ring *ring, struct umf_io *io, bool kick);
/* Only with nothing under way. */
void umf_ring_stop(struct umf_ring *ring);

#endif /* __UMF_BLK_RUN_H */
