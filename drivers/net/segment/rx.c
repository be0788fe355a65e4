// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving: the rings of others, mapped as their senders' slots announce them.
 *
 * A ring is read to its end before the next one of the same sender is looked for,
 * and before it is unmapped as that sender went. One that cannot be what it says
 * is given up: `broken` tells its sender, who makes another.
 *
 * All of it is the receive side's; the caller serialises it.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <os.h>
#include "host/host.h"
#include "net/segment/priv.h"

void umf_seg_rx_close(struct umf_segment *seg, unsigned int port)
{
	struct umf_seg_rx *rx = &seg->rx[port];

	umf_host_unmap(&rx->map);
	rx->ring.sh = NULL;
	seg->active &= ~BIT_ULL(port);
	seg->later &= ~BIT_ULL(port);
	seg->gone &= ~BIT_ULL(port);
}

void umf_segment_rx_start(struct umf_segment *seg)
{
	unsigned int i;

	for (i = 0; i < UMF_SEG_PORTS; i++)
		umf_seg_rx_close(seg, i);
	seg->active = 0;
	seg->later = 0;
	seg->gone = 0;
	WRITE_ONCE(seg->my->changed_rx, 1);
}

bool umf_segment_rx_poll(struct umf_segment *seg)
{
	struct umf_seg_port *my = seg->my;
	unsigned int i;
	int word;

	WRITE_ONCE(my->sleep, 0);
	for (word = 0; word < 2; word++)
		if (READ_ONCE(my->pending[word]))
			seg->active |= (u64)xchg(&my->pending[word], 0) <<
				       (32 * word);
	seg->active &= ~BIT_ULL(seg->me);
	if (umf_clock_virtual())
		umf_seg_clock_poll(seg);
	if (!READ_ONCE(my->changed_rx) || !xchg(&my->changed_rx, 0))
		return false;
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		struct umf_ring_rx *rx = &seg->rx[i].ring;

		if (!rx->sh)
			continue;
		if (READ_ONCE(seg->port[i].state) == UMF_PORT_UP &&
		    READ_ONCE(seg->port[i].serial[seg->me]) == rx->serial)
			continue;
		/* What it still sent is taken first. */
		seg->gone |= BIT_ULL(i);
		seg->active |= BIT_ULL(i);
	}
	return true;
}

u64 umf_segment_rx_forgotten(struct umf_segment *seg)
{
	u64 ports = 0;
	unsigned int i;
	u32 now;

	for (i = 0; i < UMF_SEG_PORTS; i++) {
		now = READ_ONCE(seg->port[i].forget);
		if (now == seg->rx[i].forget)
			continue;
		seg->rx[i].forget = now;
		ports |= BIT_ULL(i);
	}
	return ports;
}

/*
 * A ring that cannot be taken as it is. Its sender does not read what is wrong
 * with it, so it is told, if there is a place left to do so.
 */
static int refuse_ring(struct umf_host_map *map)
{
	struct umf_ring_shared *sh = map->addr;

	WRITE_ONCE(sh->broken, 1);
	umf_host_unmap(map);
	return -EBADMSG;
}

/* Takes the ring at @map if it is the one announced as @serial. */
static int take_ring(struct umf_seg_rx *rx, struct umf_host_map *map, u32 size,
		     u32 serial)
{
	struct umf_ring_shared *sh = map->addr;

	if (READ_ONCE(sh->serial) == serial + 1) {
		/* The next one already; its sender is about to say so. */
		umf_host_unmap(map);
		return -EAGAIN;
	}
	if (READ_ONCE(sh->magic) != UMF_RING_MAGIC ||
	    READ_ONCE(sh->size) != size || READ_ONCE(sh->serial) != serial)
		return refuse_ring(map);
	if (READ_ONCE(sh->broken)) {
		/* Given up before; its sender will make another. */
		umf_host_unmap(map);
		return -EPIPE;
	}
	rx->map = *map;
	rx->ring.sh = sh;
	rx->ring.size = size;
	rx->ring.serial = serial;
	rx->ring.tail = READ_ONCE(sh->tail);
	return 0;
}

/* 0: a file of so many bytes is no ring. */
static u32 ring_size_of(unsigned long long bytes)
{
	unsigned long long size = bytes - umf_seg_ring_bytes(0);

	return size < UMF_RING_MIN || size > UMF_RING_MAX ||
	       size & (size - 1) ? 0 : size;
}

/* Maps the ring its sender's slot announces. */
static int rx_map(struct umf_segment *seg, unsigned int port, u32 serial)
{
	struct umf_host_info info;
	struct umf_host_map map;
	char name[UMF_SEG_NAME];
	u32 size = 0;
	int fd, err;

	umf_seg_ring_name(name, port, seg->me);
	fd = umf_host_open(seg->dir, name, 0, 0);
	if (fd < 0)
		return fd;
	err = umf_host_info(fd, &info);
	if (!err) {
		size = ring_size_of(info.size);
		err = umf_host_map(fd, umf_seg_ring_bytes(size), &map);
	}
	os_close_file(fd);
	if (err)
		return err;
	return size ? take_ring(&seg->rx[port], &map, size, serial) :
		      refuse_ring(&map);
}

/*
 * The oldest frame of one ring. Each page it lies on is looked at before the
 * caller is: what is not there any more is found here.
 */
static int peek(struct umf_seg_rx *rx, struct umf_ring_rec *rec, const u8 **data)
{
	int ret = umf_ring_peek(&rx->ring, rec, data);
	u32 at;

	if (ret == 1 && rec->len) {
		for (at = 0; at < rec->len; at += UMF_SEG_PAGE)
			(void)READ_ONCE((*data)[at]);
		(void)READ_ONCE((*data)[rec->len - 1]);
	}
	return umf_seg_is_gone(&rx->map) ? -EBADMSG : ret;
}

static void give_up_ring(struct umf_segment *seg, unsigned int port)
{
	struct umf_seg_rx *rx = &seg->rx[port];
	bool gone = rx->ring.sh && umf_seg_is_gone(&rx->map);

	if (rx->ring.sh)
		WRITE_ONCE(rx->ring.sh->broken, 1);
	umf_seg_rx_close(seg, port);
	umf_seg_note(seg, gone ? UMF_SEG_RX_GONE : UMF_SEG_RX_CORRUPT, port);
}

int umf_segment_rx_next(struct umf_segment *seg, unsigned int *port,
			struct umf_ring_rec *rec, const u8 **data)
{
	while (seg->active) {
		u64 later = seg->active & ~(BIT_ULL(seg->next) - 1);
		unsigned int i = __ffs64(later ?: seg->active);
		struct umf_seg_rx *rx = &seg->rx[i];
		int ret = 0;
		u32 serial;

		/* pairs with announce_ring() */
		serial = virt_load_acquire(&seg->port[i].serial[seg->me]);
		if (rx->ring.sh)
			ret = peek(rx, rec, data);
		if (!ret && (!rx->ring.sh || rx->ring.serial != serial)) {
			umf_seg_rx_close(seg, i);
			seg->active |= BIT_ULL(i);
			ret = rx_map(seg, i, serial);
			if (!ret)
				ret = peek(rx, rec, data);
			else if (ret != -EBADMSG)
				ret = 0;	/* gone meanwhile */
		}
		if (ret == 1 && umf_clock_virtual() &&
		    umf_seg_clock_later(seg, i, rec->due))
			continue;
		if (ret == 1) {
			*port = i;
			seg->next = (i + 1) % UMF_SEG_PORTS;
			return 1;
		}
		seg->active &= ~BIT_ULL(i);
		if (ret == -EBADMSG) {
			give_up_ring(seg, i);
			return ret;
		}
		if (seg->gone & BIT_ULL(i))
			umf_seg_rx_close(seg, i);
	}
	return 0;
}

void umf_segment_rx_done(struct umf_segment *seg, unsigned int port, u32 len)
{
	umf_ring_consume(&seg->rx[port].ring, len);
}
