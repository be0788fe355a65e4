// SPDX-License-Identifier: GPL-2.0
/*
 * Sending: who receives, and the rings to them.
 *
 * A ring is valid for one sender generation and one receiver generation. Its
 * sender makes a new one whenever the receiver's generation changes or the ring
 * turns out to be corrupt, and counts it in its slot's serial[]; the receiver
 * maps what that number says, once it has read all that is in the one before.
 *
 *	FIRST	a ring's size as it is made, for there may be 4032 of them
 *	BUSY	once it was full, or a frame does not fit
 *	GROWN	when that is full again and again while its receiver does read:
 *		then both ends wait for each other after every few GSO frames.
 *		For a few of the receivers only
 *
 * A larger ring takes the place of one that its receiver has mapped, as it has
 * read from it: so it comes to its end before it takes the other. One that has
 * been idle for RING_IDLE is given back.
 *
 * All of it is the send side's; the caller serialises it.
 */
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <os.h>
#include "host/host.h"
#include "net/segment/priv.h"

#define RING_RETRY	(HZ / 10)	/* between two rings to one receiver */
#define RING_IDLE	(60 * HZ)
#define GROW_AFTER	16		/* times that a ring was full */
#define GROW_MOST	4		/* rings of one port that have grown */

static void drop_ring(struct umf_seg_tx *tx)
{
	umf_host_unmap(&tx->map);
	tx->ring.sh = NULL;
}

void umf_seg_tx_close(struct umf_seg_tx *tx)
{
	drop_ring(tx);
	if (tx->bell >= 0)
		os_close_file(tx->bell);
	tx->bell = -1;
	tx->rung = 0;
	tx->failed = false;
}

/* Nobody waits for a monitor, so there is room for more. */
static u32 first_size(const struct umf_segment *seg, unsigned int port)
{
	return seg->monitors & BIT_ULL(port) ?
	       max_t(u32, seg->ring_size, UMF_RING_MONITOR) : seg->ring_size;
}

bool umf_segment_tx_changed(const struct umf_segment *seg)
{
	return READ_ONCE(seg->my->changed_tx);
}

static void announce_ring(struct umf_segment *seg, unsigned int port)
{
	/* pairs with umf_segment_rx_next(): the ring is ready */
	virt_store_release(&seg->my->serial[port], ++seg->tx[port].serial);
}

/* Its receiver has read all of it, and looks for the next one: there is none. */
static void give_ring_back(struct umf_segment *seg, unsigned int port)
{
	struct umf_seg_tx *tx = &seg->tx[port];
	char name[UMF_SEG_NAME];

	umf_seg_ring_name(name, seg->me, port);
	umf_host_unlink(seg->dir, name);
	drop_ring(tx);
	announce_ring(seg, port);
	WRITE_ONCE(seg->port[port].changed_rx, 1);
}

static void give_idle_rings_back(struct umf_segment *seg)
{
	unsigned int i;

	for (i = 0; i < UMF_SEG_PORTS; i++) {
		struct umf_seg_tx *tx = &seg->tx[i];

		if (tx->ring.sh && tx->ring.size > first_size(seg, i) &&
		    !time_before(jiffies, tx->used + RING_IDLE) &&
		    READ_ONCE(tx->ring.sh->tail) == tx->ring.head)
			give_ring_back(seg, i);
	}
}

u64 umf_segment_tx_scan(struct umf_segment *seg)
{
	u64 before = seg->up, up = 0, monitors = 0, gone = seg->forsaken;
	unsigned int i;
	u32 gen;

	umf_seg_repair_slot(seg);
	seg->forsaken = 0;
	WRITE_ONCE(seg->my->changed_tx, 0);
	virt_mb();	/* a change from here on sets it again */
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		struct umf_seg_tx *tx = &seg->tx[i];

		if (i == seg->me)
			continue;
		/* pairs with take_port(): a new state has its generation */
		if (virt_load_acquire(&seg->port[i].state) == UMF_PORT_UP)
			up |= BIT_ULL(i);
		if (READ_ONCE(seg->port[i].flags) & UMF_PORT_MONITOR)
			monitors |= BIT_ULL(i);
		gen = READ_ONCE(seg->port[i].gen);
		if (gen == tx->dead)
			up &= ~BIT_ULL(i);
		if ((before & BIT_ULL(i)) &&
		    (!(up & BIT_ULL(i)) || gen != tx->gen)) {
			umf_seg_tx_close(tx);
			gone |= BIT_ULL(i);
		}
		tx->gen = gen;
	}
	seg->up = up;
	seg->monitors = monitors & up;
	give_idle_rings_back(seg);
	return gone;
}

u64 umf_segment_peers(const struct umf_segment *seg)
{
	return seg->up & ~seg->monitors;
}

u64 umf_segment_monitors(const struct umf_segment *seg)
{
	return seg->monitors;
}

u32 umf_segment_peer_gen(const struct umf_segment *seg, unsigned int port)
{
	return seg->tx[port].gen;
}

u32 umf_segment_tx_tail(const struct umf_segment *seg, unsigned int port)
{
	const struct umf_ring_shared *sh = seg->tx[port].ring.sh;

	return sh ? READ_ONCE(sh->tail) : 0;
}

static int make_ring_file(struct umf_segment *seg, const char *name, u32 size,
			  struct umf_host_map *map)
{
	int fd, err;

	umf_host_unlink(seg->dir, name);
	fd = umf_host_open(seg->dir, name, 1, 1);
	if (fd < 0)
		return fd;
	/* All of it now: a full file system is said here, not found later. */
	err = umf_host_alloc(fd, umf_seg_ring_bytes(size));
	if (!err)
		err = umf_host_map(fd, umf_seg_ring_bytes(size), map);
	os_close_file(fd);
	if (err)
		umf_host_unlink(seg->dir, name);
	return err;
}

/*
 * A ring to @port, in place of the one there may be. It has another name until
 * it is complete, and the slot's serial only then.
 */
static int make_ring(struct umf_segment *seg, unsigned int port, u32 size)
{
	struct umf_seg_tx *tx = &seg->tx[port];
	char name[UMF_SEG_NAME], new[UMF_SEG_NAME];
	struct umf_ring_shared *sh;
	struct umf_host_map map;
	int err;

	umf_seg_grow_name(new, seg->me, port);
	umf_seg_ring_name(name, seg->me, port);
	err = make_ring_file(seg, new, size, &map);
	if (err)
		return err;
	sh = map.addr;
	sh->magic = UMF_RING_MAGIC;
	sh->size = size;
	sh->serial = tx->serial + 1;
	sh->gen = seg->gen;
	err = umf_host_rename(seg->dir, new, name);
	if (err) {
		umf_host_unmap(&map);
		umf_host_unlink(seg->dir, new);
		return err;
	}
	drop_ring(tx);
	WRITE_ONCE(seg->my->missed[port], 0);
	tx->map = map;
	tx->ring.sh = sh;
	tx->ring.size = size;
	tx->ring.head = 0;
	tx->full_tail = 0;
	tx->full = 0;
	tx->made = jiffies;
	tx->used = jiffies;
	announce_ring(seg, port);
	return 0;
}

static bool may_grow(const struct umf_segment *seg)
{
	unsigned int i, grown = 0;

	for (i = 0; i < UMF_SEG_PORTS; i++)
		grown += seg->tx[i].ring.sh &&
			 seg->tx[i].ring.size >= UMF_RING_GROWN &&
			 !(seg->monitors & BIT_ULL(i));
	return grown < GROW_MOST;
}

/* Has it been full often enough, with its reader further on each time? */
static bool is_full_again(struct umf_seg_tx *tx, u32 tail)
{
	bool again = tail != tx->full_tail && ++tx->full >= GROW_AFTER;

	tx->full_tail = tail;
	if (again)
		tx->full = 0;
	return again;
}

/*
 * There is no room for a frame. True: now there is, in a larger ring. False: it
 * is to wait, or if it cannot fit, *@err says why there is none.
 */
static bool grow_ring(struct umf_segment *seg, unsigned int port, int *err)
{
	struct umf_seg_tx *tx = &seg->tx[port];
	u32 tail = READ_ONCE(tx->ring.sh->tail);

	/* With frames in it that its receiver has not mapped yet? */
	if (tx->ring.head && !tail)
		return false;
	if (tx->failed && time_before(jiffies, tx->retry)) {
		*err = -ENOSPC;
		return false;
	}
	if (tx->ring.size < UMF_RING_BUSY)
		*err = make_ring(seg, port, UMF_RING_BUSY);
	else if (tx->ring.size < UMF_RING_GROWN && is_full_again(tx, tail) &&
		 may_grow(seg))
		*err = make_ring(seg, port, UMF_RING_GROWN);
	else
		return false;
	tx->failed = *err;
	tx->retry = jiffies + RING_RETRY;
	return !*err;
}

/* Room in the ring there is, or in a larger one. */
static int reserve(struct umf_segment *seg, unsigned int port, u32 len,
		   struct umf_ring_rec **rec)
{
	struct umf_seg_tx *tx = &seg->tx[port];
	int err = -EAGAIN, full = 0;

	if (umf_ring_need(len) > tx->ring.size / 2) {
		if (!grow_ring(seg, port, &full))
			return full ? -ENOSPC : -EAGAIN;
		return umf_ring_reserve(&tx->ring, len, rec);
	}
	err = umf_ring_reserve(&tx->ring, len, rec);
	if (err != -EAGAIN)
		return err;
	if (umf_seg_receiver_idle(seg, port)) {
		/* Then it is empty; full still, its tail is wrong. */
		err = umf_ring_reserve(&tx->ring, len, rec);
		return err == -EAGAIN ? -EBADMSG : err;
	}
	if (grow_ring(seg, port, &full))
		err = umf_ring_reserve(&tx->ring, len, rec);
	return err;
}

int umf_segment_reserve(struct umf_segment *seg, unsigned int port, u32 len,
			struct umf_ring_rec **rec)
{
	struct umf_seg_tx *tx = &seg->tx[port];
	bool gone;
	int err;

	if (!(seg->up & BIT_ULL(port)) || READ_ONCE(seg->abandoned))
		return -ENOTCONN;
	/* A monitor sees what is sent, wherever it gets. */
	if (!(seg->monitors & BIT_ULL(port)) &&
	    (umf_seg_cut(seg->header, seg->me) & BIT_ULL(port)))
		return -EHOSTUNREACH;
	if (tx->ring.sh) {
		err = reserve(seg, port, len, rec);
		gone = umf_seg_is_gone(&tx->map);
		if (err != -EBADMSG && !gone) {
			tx->used = jiffies;
			return err;
		}
		drop_ring(tx);
		umf_seg_note(seg, gone ? UMF_SEG_TX_GONE : UMF_SEG_TX_CORRUPT,
			     port);
		/* One that makes us make one after the other waits for it. */
		tx->failed = true;
		tx->retry = tx->made + RING_RETRY;
	}
	if (tx->failed && time_before(jiffies, tx->retry))
		return -ENOSPC;
	err = make_ring(seg, port, max_t(u32, first_size(seg, port),
					 2 * umf_ring_need(len) > UMF_RING_FIRST ?
					 UMF_RING_BUSY : 0));
	tx->failed = err;
	if (err) {
		tx->retry = jiffies + RING_RETRY;
		WRITE_ONCE(seg->ring_error, err);
		umf_seg_note(seg, UMF_SEG_NO_RING, port);
		return -ENOSPC;
	}
	return umf_ring_reserve(&tx->ring, len, rec);
}

void umf_segment_miss(struct umf_segment *seg, unsigned int port)
{
	u32 *missed = &seg->my->missed[port];

	WRITE_ONCE(*missed, READ_ONCE(*missed) + 1);
}

int umf_segment_commit(struct umf_segment *seg, unsigned int port, u32 len)
{
	u64 due;

	if (umf_clock_virtual()) {
		due = umf_seg_clock_stamp(seg, port);
		umf_ring_commit(&seg->tx[port].ring, len);
		umf_seg_clock_wake(seg, port, due);
		return 0;
	}
	umf_ring_commit(&seg->tx[port].ring, len);
	return umf_seg_wake(seg, port);
}
