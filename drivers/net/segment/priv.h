/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of a segment's port share, and nobody else.
 *
 * Calls go down this list: join.c, tx.c and rx.c call slot.c, cut.c, wake.c and
 * folder.c; join.c also has tx.c and rx.c close what they have opened. In virtual
 * time all of these but folder.c call clock.c.
 */
#ifndef __UMF_NET_SEGMENT_PRIV_H
#define __UMF_NET_SEGMENT_PRIV_H

#include "host/host.h"
#include "net/segment/segment.h"
#include "time/clock.h"

/* What a data path has to tell people; umf_segment_check() does it. */
enum umf_seg_note {
	UMF_SEG_TX_CORRUPT,
	UMF_SEG_TX_GONE,
	UMF_SEG_NO_RING,
	UMF_SEG_RX_CORRUPT,
	UMF_SEG_RX_GONE,
	UMF_SEG_WRITTEN,	/* of no port but ours */
	UMF_SEG_NOTES
};

/* The way to one receiver. Owner: the sender, tx.c; the bell is wake.c's. */
struct umf_seg_tx {
	struct umf_ring_tx ring;
	struct umf_host_map map;	/* of it */
	u32 serial;		/* of that ring, or of the last one */
	u32 gen;		/* of the port seen in this slot */
	u32 dead;		/* that generation's bell has no reader */
	int bell;		/* fd, or -1 */
	u32 rung;		/* for that sleep of its reader; 0: none */
	unsigned long retry;	/* jiffies: no new ring before that */
	bool failed;		/* retry is valid */
	u32 full_tail;		/* where the reader was when it was last full */
	unsigned int full;	/* how often it was, each time further on */
	unsigned long made;	/* jiffies: when the ring was */
	unsigned long used;	/* jiffies: when there was last room in it */
};

/* The way from one sender. Owner: the receiver, rx.c. */
struct umf_seg_rx {
	struct umf_ring_rx ring;
	struct umf_host_map map;	/* of it */
	u32 forget;		/* what its slot said when last looked at */
};

/*
 * Three contexts use it. The send side and the receive side share nothing that
 * changes, and each is serialised by the caller of segment.h: in the driver by
 * tx_lock and by NAPI. Process context is join, leave and the watch.
 */
struct umf_segment {
	/* Virtual time: of what we send, ns, and bit/s; 0: as usual. */
	u64 latency, rate;

	/* Set by joining, then constant until the port is joined anew. */
	char *name, *path, *file;	/* as given; the folder; `segment` in it */
	char label[UMF_SEG_LABEL];
	int dir, fd, bell;
	struct umf_host_map map;
	struct umf_seg_header *header;	/* there */
	struct umf_seg_port *port;	/* all of them */
	struct umf_seg_port *my;
	unsigned int me;
	u32 gen, ring_size;
	bool bare;			/* a name under the default folder */
	bool made_dir;			/* the segment has made its folder */
	bool unfinished;		/* we were the one to fill the file */

	/* What our slot is to say. Written by process context. */
	u32 state, mtu, flags;
	u64 mac;
	bool abandoned;
	const char *lost;		/* what happened to our files, or NULL */
	bool lost_for_now;		/* why we cannot join anew has been said */

	u32 saying;			/* odd: just being changed */

	/* Set by anybody, told by process context: ports. */
	unsigned long notes[UMF_SEG_NOTES];
	int ring_error;			/* of the last UMF_SEG_NO_RING */

	/* The join lock, and what is written by who holds it. */
	unsigned long locked;		/* bit 0: it is ours */
	u64 cut[UMF_SEG_PORTS];		/* what our partitions cut */

	/* Send side. */
	u64 up;
	u64 monitors;			/* of these */
	u64 sent;			/* virtual time: when the line is free */
	u64 forsaken;			/* ports of the segment that was lost */
	struct umf_seg_tx tx[UMF_SEG_PORTS];

	/* Receive side. */
	u64 active;			/* rings with frames */
	u64 later;			/* virtual time: ... not yet due */
	u64 later_due;			/* the first of them */
	u64 gone;			/* to unmap once they are empty */
	unsigned int next;		/* whose turn it is */
	u32 sleeps;			/* how often it has slept; never 0 then */
	struct umf_seg_rx rx[UMF_SEG_PORTS];
};

static inline size_t umf_seg_ring_bytes(u32 size)
{
	return sizeof(struct umf_ring_shared) + size;
}

/* Has somebody cut it off? */
static inline bool umf_seg_is_gone(const struct umf_host_map *map)
{
	return READ_ONCE(*map->gone);
}

/* ---- folder.c ---- */

#define UMF_SEG_NAME	16	/* room for a file's name */

void umf_seg_ring_name(char *name, unsigned int from, unsigned int to);
void umf_seg_grow_name(char *name, unsigned int from, unsigned int to);
void umf_seg_bell_name(char *name, unsigned int port);
/* Sets name, path, file and bare. False: no memory. */
bool umf_seg_set_path(struct umf_segment *seg, const char *name);
/*
 * Opens the folder and, with the join lock held, the file `segment`. -ESTALE: its
 * last port has just removed one of them.
 */
int umf_seg_open(struct umf_segment *seg, bool *made, char *error);
/* UMF_SEG_PORTS: of all. */
void umf_seg_remove_port(int dir, unsigned int port);
/* And the one above it, of a bare name; as far as they are empty. */
void umf_seg_remove_folder(struct umf_segment *seg);
/* Everything, and the folder too if the segment has made it. */
void umf_seg_remove_all(struct umf_segment *seg);
/* What has somebody done to our file? NULL: nothing, as far as one can see. */
const char *umf_seg_file_lost(const struct umf_segment *seg);
bool umf_seg_file_truncated(const struct umf_segment *seg);
/* Is it the one that others find under its name? */
bool umf_seg_file_named(const struct umf_segment *seg);
/* The join lock: 0, or -EAGAIN when anybody has it. */
int umf_seg_trylock(struct umf_segment *seg);
/* The same, tried for two seconds: -EBUSY. */
int umf_seg_lock(struct umf_segment *seg, bool sleep);
void umf_seg_unlock(struct umf_segment *seg);
/* Is any other port alive? Ours counts if this is not its own description. */
bool umf_seg_others_alive(const struct umf_segment *seg);

/* ---- cut.c ---- */

/* Does everybody obey what it should? */
bool umf_seg_cut_right(const struct umf_segment *seg);
/* Under the join lock. */
void umf_seg_cut_publish(struct umf_segment *seg);

/* ---- slot.c ---- */

void umf_seg_repair_slot(struct umf_segment *seg);
void umf_seg_note(struct umf_segment *seg, enum umf_seg_note what,
		  unsigned int port);
void umf_seg_tell(struct umf_segment *seg);

/* ---- tx.c, rx.c ---- */

void umf_seg_tx_close(struct umf_seg_tx *tx);
void umf_seg_rx_close(struct umf_segment *seg, unsigned int port);

/* ---- wake.c ---- */

/* Tells the others to look again. */
void umf_seg_notify_all(struct umf_segment *seg);
/* A frame to @port is committed. -EPIPE: it has just been found dead. */
int umf_seg_wake(struct umf_segment *seg, unsigned int port);
/* Does the receiver sleep, with nothing left that it was told of? */
bool umf_seg_receiver_idle(const struct umf_segment *seg, unsigned int port);

/* ---- clock.c: all in virtual time only ---- */

/* The other is to look when what we have for it gets there. */
void umf_seg_clock_notify(struct umf_segment *seg, unsigned int port);
void umf_seg_clock_wake(struct umf_segment *seg, unsigned int port, u64 due);
/* When the frame that stands in the ring to @port arrives. */
u64 umf_seg_clock_stamp(struct umf_segment *seg, unsigned int port);
/* Is the frame still on its way? Then its ring is put by. */
bool umf_seg_clock_later(struct umf_segment *seg, unsigned int port, u64 due);
/* The rings that were are looked at again. */
void umf_seg_clock_poll(struct umf_segment *seg);

#endif /* __UMF_NET_SEGMENT_PRIV_H */
