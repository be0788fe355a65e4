/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lies in a segment's shared memory, and the two ends of a ring.
 *
 * This is the ABI between the ports of a segment, whatever program a port is;
 * a change of it bumps UMF_SEG_VERSION. All numbers are little-endian (UML is
 * x86 only). The file needs integer types and barriers, nothing else, so that
 * host programs and fuzzers compile it too.
 *
 * Whatever another port can write is hostile: it is read once, checked, and
 * only the checked copy is used. An end keeps its own index in private memory
 * and never reads it back.
 *
 *	<folder>/segment	struct umf_seg_header, then one page a port
 *	<folder>/port-NN.bell	FIFO; a byte in it wakes port NN
 *	<folder>/ring-SS-RR	frames from port SS to port RR, made by SS
 *	<folder>/grow-SS-RR	the same while it is being made, in place of one
 *
 * Locks on `segment` (F_OFD_SETLK): byte 0 while joining, leaving or cleaning
 * up; byte UMF_SEG_LOCK_PORT + NN for as long as port NN lives. The host's
 * kernel drops them with the process, at whatever instant that is.
 */
#ifndef __UMF_NET_RING_H
#define __UMF_NET_RING_H

#ifdef __KERNEL__
#include <linux/align.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <asm/barrier.h>
#endif

#define UMF_SEG_MAGIC		0x746e656d67665375ULL
#define UMF_SEG_VERSION		5
#define UMF_SEG_PORTS		64
#define UMF_SEG_PAGE		4096
#define UMF_SEG_LABEL		40
#define UMF_SEG_SIZE		(UMF_SEG_PAGE * (1 + UMF_SEG_PORTS))
#define UMF_SEG_LOCK_JOIN	0
#define UMF_SEG_LOCK_PORT	0x1000

struct umf_seg_header {
	u64 magic;		/* written last */
	u32 version;
	u32 ports;
	u32 page;		/* bytes of this header, and of each port's page */
	u32 ring;		/* data bytes of a new ring, a power of two */
	u32 made_dir;		/* the folder was made with the segment */

	/*
	 * Partitions: what all ports' cut[] come to, for umf_seg_cut(). Written
	 * under the join lock: the table that does not count is filled, then
	 * cut_turn is stored, and all ports see all of it.
	 */
	u32 cut_turn __aligned(64);	/* UMF_CUT_… and a count of the turns */
	u64 cut[2][UMF_SEG_PORTS] __aligned(64);
};

#define UMF_CUT_TABLE	1	/* which of the two counts */
#define UMF_CUT_ANY	2	/* it says anything at all */
#define UMF_CUT_STEP	4
#define UMF_CUT_LOOKS	4	/* while somebody turns it all the time */

enum umf_seg_state {
	UMF_PORT_FREE,
	UMF_PORT_JOINED,	/* has its lock and its bell, receives nothing */
	UMF_PORT_UP,		/* receives */
	/* UP and stopped, said by who stopped it: what is sent to it is lost. */
	UMF_PORT_FROZEN,
};

/*
 * It is given a copy of every frame that any port sends, as far as its ring has
 * room, and sends none. Nobody waits for it and no rule asks for it.
 */
#define UMF_PORT_MONITOR	1

struct umf_seg_port {
	/* Written by the port itself (state also by who buries it). */
	u32 state;
	u32 gen;		/* one more for each port that takes the slot */
	u64 mac;		/* first byte in bits 40-47 */
	u32 mtu;
	u32 pid;		/* for people */
	char label[UMF_SEG_LABEL];	/* for people: "<guest>/<interface>" */

	/*
	 * 0: its reader is awake; else which of its sleeps this is. Written by
	 * the port alone. Who has something for it and has not rung for this
	 * sleep rings, whoever else may have: a sender that dies or is stopped
	 * before its bell takes nobody else's away.
	 */
	u32 sleep __aligned(64);
	/* Some port's state changed; a flag for each side of this one. */
	u32 changed_tx;
	u32 changed_rx;
	/* Another number: forget which MACs were seen at this port. */
	u32 forget;
	/*
	 * Virtual time: who it is there (umf_clock_me()), and from when on there
	 * is something for it: 0, nothing. Lowered by those who have something,
	 * cleared by the port. One guest runs at a time.
	 */
	u32 clock;
	u64 due;

	/* Bit NN: ring NN to here may hold frames. Set by senders. */
	u32 pending[2] __aligned(64);

	/* Counts the rings this port has made for each receiver. */
	u32 serial[UMF_SEG_PORTS] __aligned(64);

	/*
	 * The partitions of this port's rules; they end with the port. [NN] has
	 * a bit for each port that gets nothing from port NN. Written under the
	 * join lock, of no effect unless cut_gen is gen.
	 */
	u32 cut_gen __aligned(64);
	u64 cut[UMF_SEG_PORTS] __aligned(64);
	/* UMF_PORT_MONITOR; said before the port is UP. */
	u32 flags __aligned(64);
	/* Frames this port had no room for on each monitor's present ring. */
	u32 missed[UMF_SEG_PORTS];
} __aligned(UMF_SEG_PAGE);

/*
 * The ports that nothing gets to from @port; a sender and a receiver each ask
 * for every frame.
 */
static inline u64 umf_seg_cut(const struct umf_seg_header *hd,
			      unsigned int port)
{
	u64 cut = 0;
	u32 turn, now;
	int i;

	/* pairs with the store in net/segment/cut.c: the table is there before */
	turn = virt_load_acquire(&hd->cut_turn);
	for (i = 0; i < UMF_CUT_LOOKS && (turn & UMF_CUT_ANY); i++) {
		cut = READ_ONCE(hd->cut[turn & UMF_CUT_TABLE][port]);
		/* was that still the table that counts? */
		virt_rmb();
		/* pairs as above, for the next round */
		now = virt_load_acquire(&hd->cut_turn);
		if (now == turn)
			return cut;
		turn = now;
	}
	return turn & UMF_CUT_ANY ? cut : 0;
}

#define UMF_RING_MAGIC		0x676e6952
/*
 * Sizes of a ring, in data bytes: any power of two from MIN to MAX. A frame fits
 * if with its record it is half of it at most.
 */
#define UMF_RING_MIN		(8 * 1024)
#define UMF_RING_MAX		(64 * 1024 * 1024)
#define UMF_RING_FIRST		(8 * 1024)	/* there may be 4032 */
#define UMF_RING_BUSY		(256 * 1024)	/* once one was full */
#define UMF_RING_GROWN		(1024 * 1024)	/* and again and again */
#define UMF_RING_MONITOR	(4 * 1024 * 1024)	/* to one, at least */
#define UMF_RING_ALIGN		32

struct umf_ring_shared {
	u32 magic;
	u32 size;		/* data bytes */
	u32 serial;
	u32 gen;		/* the sender's */

	u32 head __aligned(64);	/* the sender's; free-running, in bytes */

	u32 tail __aligned(64);	/* the receiver's */
	u32 broken;		/* the receiver gave this ring up */

	u8 data[] __aligned(UMF_SEG_PAGE);
};

#define UMF_REC_SKIP	1	/* no frame: go on at the start of the ring */

/* Before each frame; then the frame, from its destination MAC on. */
struct umf_ring_rec {
	u32 len;		/* of the frame */
	u32 flags;		/* UMF_REC_… */
	u8 vnet[10];		/* struct virtio_net_hdr */
	u8 reserved[6];
	u64 due;		/* virtual time: when it arrives; else 0 */
};

/* The largest frame: a GSO one with VLAN tags. */
#define UMF_FRAME_MAX	(65536 + 64)

static inline u32 umf_ring_need(u32 len)
{
	return ALIGN(sizeof(struct umf_ring_rec) + len, UMF_RING_ALIGN);
}

/* ---- the sender's end ---- */

struct umf_ring_tx {
	struct umf_ring_shared *sh;	/* NULL: none */
	u32 size;
	u32 head;
};

/*
 * Room for a frame of @len bytes: 0 and the record's place in *@rec; -EAGAIN
 * when the ring is full, -EBADMSG when it is of no more use.
 */
static inline int umf_ring_reserve(struct umf_ring_tx *ring, u32 len,
				   struct umf_ring_rec **rec)
{
	struct umf_ring_shared *sh = ring->sh;
	/* pairs with umf_ring_consume(): the bytes given back are read */
	u32 used = ring->head - virt_load_acquire(&sh->tail);
	u32 at = ring->head & (ring->size - 1);
	u32 need = umf_ring_need(len);
	u32 skip = need > ring->size - at ? ring->size - at : 0;

	if (used > ring->size || used % UMF_RING_ALIGN || READ_ONCE(sh->broken))
		return -EBADMSG;
	if (len > UMF_FRAME_MAX || need + skip > ring->size - used)
		return -EAGAIN;
	if (skip) {
		*rec = (struct umf_ring_rec *)(sh->data + at);
		(*rec)->len = 0;
		(*rec)->flags = UMF_REC_SKIP;
		ring->head += skip;
		at = 0;
	}
	*rec = (struct umf_ring_rec *)(sh->data + at);
	(*rec)->len = len;
	(*rec)->flags = 0;
	(*rec)->due = 0;
	return 0;
}

/* The frame stands in its place: the receiver may have it. */
static inline void umf_ring_commit(struct umf_ring_tx *ring, u32 len)
{
	ring->head += umf_ring_need(len);
	/* pairs with umf_ring_peek(): the frame is there before the index */
	virt_store_release(&ring->sh->head, ring->head);
}

/* ---- the receiver's end ---- */

struct umf_ring_rx {
	struct umf_ring_shared *sh;	/* NULL: none */
	u32 size;
	u32 serial;
	u32 tail;
};

/*
 * 1: the oldest frame's record is in *@rec, its bytes at *@data until
 * umf_ring_consume(); they may still change under the reader. 0: empty.
 * -EBADMSG: of no more use.
 */
static inline int umf_ring_peek(struct umf_ring_rx *ring,
				struct umf_ring_rec *rec, const u8 **data)
{
	struct umf_ring_shared *sh = ring->sh;
	/* pairs with umf_ring_commit() */
	u32 used = virt_load_acquire(&sh->head) - ring->tail;
	u32 at = ring->tail & (ring->size - 1);
	const u64 *from;
	u64 *to = (u64 *)rec;
	int i;

	if (used > ring->size || used % UMF_RING_ALIGN)
		return -EBADMSG;
	for (; used; at = 0) {
		from = (const u64 *)(sh->data + at);
		for (i = 0; i < sizeof(*rec) / sizeof(u64); i++)
			to[i] = READ_ONCE(from[i]);
		if (!(rec->flags & UMF_REC_SKIP))
			break;
		if (!at || used < ring->size - at)
			return -EBADMSG;
		used -= ring->size - at;
		ring->tail += ring->size - at;
	}
	if (!used)
		return 0;
	if (rec->flags || rec->len > UMF_FRAME_MAX ||
	    umf_ring_need(rec->len) > used ||
	    umf_ring_need(rec->len) > ring->size - at)
		return -EBADMSG;
	*data = sh->data + at + sizeof(*rec);
	return 1;
}

static inline void umf_ring_consume(struct umf_ring_rx *ring, u32 len)
{
	ring->tail += umf_ring_need(len);
	/* pairs with umf_ring_reserve() */
	virt_store_release(&ring->sh->tail, ring->tail);
}

#endif /* __UMF_NET_RING_H */
