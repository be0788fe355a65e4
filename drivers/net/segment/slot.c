// SPDX-License-Identifier: GPL-2.0
/*
 * What our slot says to the others, and what theirs say.
 *
 * A slot is its port's to write, and everybody can: what it is to say is kept in
 * private memory, and said again when it is found to be otherwise. What others
 * say is read once and may be anything.
 */
#define pr_fmt(fmt) "umf: " fmt

#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include <asm/sync_bitops.h>
#include "net/segment/priv.h"

unsigned int umf_segment_port(const struct umf_segment *seg)
{
	return seg->me;
}

u32 umf_segment_ring_size(const struct umf_segment *seg)
{
	return max_t(u32, seg->ring_size, UMF_RING_BUSY);
}

int umf_segment_bell(const struct umf_segment *seg)
{
	return seg->bell;
}

u64 umf_segment_mac(const struct umf_segment *seg, unsigned int port)
{
	return READ_ONCE(seg->port[port].mac) & (BIT_ULL(48) - 1);
}

bool umf_segment_label(const struct umf_segment *seg, unsigned int port,
		       char label[UMF_SEG_LABEL])
{
	unsigned int i;
	char c;

	for (i = 0; i < UMF_SEG_LABEL - 1; i++) {
		c = READ_ONCE(seg->port[port].label[i]);
		if (c < ' ' || c > '~')
			break;
		label[i] = c;
	}
	label[i] = '\0';
	return READ_ONCE(seg->port[port].state) != UMF_PORT_FREE;
}

bool umf_segment_mac_taken(const struct umf_segment *seg, u64 mac)
{
	unsigned int i;

	for (i = 0; i < UMF_SEG_PORTS; i++)
		if (i != seg->me && umf_segment_mac(seg, i) == mac &&
		    READ_ONCE(seg->port[i].state) != UMF_PORT_FREE)
			return true;
	return false;
}

/*
 * What our slot is to say changes, in two places: whoever finds that they differ
 * meanwhile, in an interrupt or on another processor, has found nothing.
 */
static void begin_saying(struct umf_segment *seg)
{
	WRITE_ONCE(seg->saying, seg->saying + 1);
	virt_mb();	/* see umf_seg_repair_slot() */
}

static void end_saying(struct umf_segment *seg)
{
	virt_mb();	/* see umf_seg_repair_slot() */
	WRITE_ONCE(seg->saying, seg->saying + 1);
}

void umf_segment_publish(struct umf_segment *seg, u64 mac, u32 mtu)
{
	bool other = seg->mac != mac;

	begin_saying(seg);
	seg->mac = mac;
	seg->mtu = mtu;
	WRITE_ONCE(seg->my->mac, mac);
	WRITE_ONCE(seg->my->mtu, mtu);
	end_saying(seg);
	if (other)
		umf_seg_notify_all(seg);	/* a partition may name it */
}

void umf_segment_forget(struct umf_segment *seg)
{
	WRITE_ONCE(seg->my->forget, READ_ONCE(seg->my->forget) + 1);
	umf_seg_notify_all(seg);
}

void umf_segment_set_monitor(struct umf_segment *seg)
{
	begin_saying(seg);
	seg->flags |= UMF_PORT_MONITOR;
	WRITE_ONCE(seg->my->flags, seg->flags);
	end_saying(seg);
}

u32 umf_segment_missed(const struct umf_segment *seg, unsigned int port)
{
	return READ_ONCE(seg->port[port].missed[seg->me]);
}

void umf_segment_set_up(struct umf_segment *seg, bool up)
{
	begin_saying(seg);
	WRITE_ONCE(seg->state, up ? UMF_PORT_UP : UMF_PORT_JOINED);
	WRITE_ONCE(seg->my->state, seg->state);
	end_saying(seg);
	umf_seg_notify_all(seg);
}

static bool slot_is_right(const struct umf_segment *seg)
{
	const struct umf_seg_port *my = seg->my;

	return READ_ONCE(my->state) == READ_ONCE(seg->state) &&
	       READ_ONCE(my->gen) == seg->gen &&
	       READ_ONCE(my->mac) == READ_ONCE(seg->mac) &&
	       READ_ONCE(my->mtu) == READ_ONCE(seg->mtu) &&
	       READ_ONCE(my->flags) == READ_ONCE(seg->flags);
}

/*
 * Says again what our slot is to say, should somebody have written there. Part
 * of every round of the watch; the rest of a slot heals by being used.
 */
void umf_seg_repair_slot(struct umf_segment *seg)
{
	struct umf_seg_port *my = seg->my;
	u32 saying = READ_ONCE(seg->saying);
	bool wrong = false;
	unsigned int i;

	if (READ_ONCE(seg->abandoned) || umf_seg_is_gone(&seg->map))
		return;
	virt_mb();	/* see begin_saying() */
	wrong = !slot_is_right(seg);
	virt_mb();	/* see end_saying() */
	if (saying & 1 || saying != READ_ONCE(seg->saying))
		return;
	if (wrong) {
		WRITE_ONCE(my->gen, seg->gen);
		WRITE_ONCE(my->flags, seg->flags);
		WRITE_ONCE(my->mac, seg->mac);
		WRITE_ONCE(my->mtu, seg->mtu);
		WRITE_ONCE(my->state, READ_ONCE(seg->state));
	}
	for (i = 0; i < UMF_SEG_PORTS; i++)
		if (READ_ONCE(my->serial[i]) != seg->tx[i].serial) {
			WRITE_ONCE(my->serial[i], seg->tx[i].serial);
			wrong = true;
		}
	if (wrong) {
		umf_seg_note(seg, UMF_SEG_WRITTEN, seg->me);
		umf_seg_notify_all(seg);
	}
}

void umf_seg_note(struct umf_segment *seg, enum umf_seg_note what,
		  unsigned int port)
{
	sync_set_bit(port, &seg->notes[what]);
}

static void tell(struct umf_segment *seg, enum umf_seg_note what,
		 unsigned int port)
{
	static const char *const texts[] = {
		[UMF_SEG_TX_CORRUPT] = "the ring to port %u was corrupt, a new one is made",
		[UMF_SEG_TX_GONE] = "the ring to port %u was truncated, a new one is made",
		[UMF_SEG_NO_RING] =
			"no ring to port %u can be made (error %d), frames to it are lost",
		[UMF_SEG_RX_CORRUPT] = "the ring from port %u is corrupt, what is in it is lost",
		[UMF_SEG_RX_GONE] = "the ring from port %u is truncated, what is in it is lost",
		[UMF_SEG_WRITTEN] = "somebody wrote to the slot of port %u, repaired",
	};
	char text[96];

	snprintf(text, sizeof(text), texts[what], port,
		 READ_ONCE(seg->ring_error));
	pr_warn_ratelimited("%s: %s\n", seg->path, text);
}

void umf_seg_tell(struct umf_segment *seg)
{
	unsigned long ports;
	int what;

	for (what = 0; what < UMF_SEG_NOTES; what++) {
		if (!READ_ONCE(seg->notes[what]))
			continue;
		for (ports = xchg(&seg->notes[what], 0); ports; ports &= ports - 1)
			tell(seg, what, __ffs64(ports));
	}
}
