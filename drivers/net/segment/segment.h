/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A port of a segment: joining, leaving, rings, bells, who else is there.
 * Knows no skb and no netdev. The format of the shared memory is in net/ring.h.
 */
#ifndef __UMF_NET_SEGMENT_H
#define __UMF_NET_SEGMENT_H

#include <linux/types.h>
#include <linux/bits.h>
#include "net/ring.h"

struct umf_segment;

#define UMF_SEG_ERROR	256	/* room for a refusal's text */
#define UMF_SEG_RATE_MIN	100000ULL	/* the longest frame takes 5 s */

/*
 * Takes a port of the segment @name (a folder, or a bare name). @label says to
 * people who it is. An ERR_PTR leaves the reason in @error. May sleep.
 */
struct umf_segment *umf_segment_join(const char *name, const char *label,
				     char error[UMF_SEG_ERROR]);
/* Gives the port back; the last one out removes the files. May sleep. */
void umf_segment_leave(struct umf_segment *seg);
/* The same when the kernel halts: frees no memory, takes no lock. */
void umf_segment_abandon(struct umf_segment *seg);

/*
 * Is this port cut off, as somebody removed or truncated what the segment is
 * made of? umf_segment_check() finds out.
 */
bool umf_segment_lost(const struct umf_segment *seg);
/*
 * Then: another port of the segment of that name, which is made again if need
 * be. An ERR_PTR: why has been said, once. May sleep.
 */
struct umf_segment *umf_segment_rejoin(struct umf_segment *seg);
/*
 * @seg becomes that port, with the MAC, the label and the state it had; its
 * number may be another. What it knew of others' ports and partitions is
 * forgotten. Nobody sends or receives meanwhile; @fresh is used up. May sleep.
 */
void umf_segment_adopt(struct umf_segment *seg, struct umf_segment *fresh);

unsigned int umf_segment_port(const struct umf_segment *seg);
/* Bytes of a ring between two that exchange more than a frame now and then. */
u32 umf_segment_ring_size(const struct umf_segment *seg);
int umf_segment_bell(const struct umf_segment *seg);
/* Does another port say it has this MAC? */
bool umf_segment_mac_taken(const struct umf_segment *seg, u64 mac);
/* What another port says its MAC is. */
u64 umf_segment_mac(const struct umf_segment *seg, unsigned int port);
/* Is there a port, and who does it say it is? That may be anything. */
bool umf_segment_label(const struct umf_segment *seg, unsigned int port,
		       char label[UMF_SEG_LABEL]);
/* May sleep. */
void umf_segment_publish(struct umf_segment *seg, u64 mac, u32 mtu);
/* The others are to forget which MACs they have seen at this port. */
void umf_segment_forget(struct umf_segment *seg);
/* Makes the port a monitor (net/ring.h), before it is up. */
void umf_segment_set_monitor(struct umf_segment *seg);
/* Frames that other ports had no room for on this monitor's rings. */
u32 umf_segment_missed(const struct umf_segment *seg, unsigned int port);
/* From now on this port receives, or does not. May sleep. */
void umf_segment_set_up(struct umf_segment *seg, bool up);
/*
 * Buries ports that died: their lock is free and their slot is not. Returns
 * whether any other lives. May sleep.
 */
bool umf_segment_check(struct umf_segment *seg);

/*
 * Partitions, see umf_seg_cut(). Who changes this port's part of them holds the
 * join lock from before it looks what that is to be: -EAGAIN when somebody else
 * has it. None of these sleeps.
 */
int umf_segment_trylock(struct umf_segment *seg);
void umf_segment_unlock(struct umf_segment *seg);
void umf_segment_cut(struct umf_segment *seg, const u64 cut[UMF_SEG_PORTS]);
/* Does nothing get here from @port? */
bool umf_segment_rx_cut(const struct umf_segment *seg, unsigned int port);
/* Whose rule keeps port @to from what @from sends? -1: nobody's (any more). */
int umf_segment_cut_by(const struct umf_segment *seg, unsigned int from,
		       unsigned int to);

/* Sending. The caller serialises these. */

/* Has another port come or gone since the last umf_segment_tx_scan()? */
bool umf_segment_tx_changed(const struct umf_segment *seg);
/* Looks who is there; returns the ports that went since the last time. */
u64 umf_segment_tx_scan(struct umf_segment *seg);
u64 umf_segment_peers(const struct umf_segment *seg);	/* who receives */
u64 umf_segment_monitors(const struct umf_segment *seg);	/* not of those */
u32 umf_segment_peer_gen(const struct umf_segment *seg, unsigned int port);
/* Where the port says it has read to: good for seeing that it reads, no more. */
u32 umf_segment_tx_tail(const struct umf_segment *seg, unsigned int port);
/*
 * Room for a frame of @len bytes to @port, behind *@rec. -ENOTCONN: no such
 * port; -EHOSTUNREACH: a partition is between; -EAGAIN: its ring is full;
 * -ENOSPC and others: it can have no ring.
 */
int umf_segment_reserve(struct umf_segment *seg, unsigned int port, u32 len,
			struct umf_ring_rec **rec);
/* There was no room for a frame to this monitor. */
void umf_segment_miss(struct umf_segment *seg, unsigned int port);
/*
 * Virtual time: a frame of @len bytes is about to be, to one or more. True: the line
 * has enough to do then, see umf_segment_line_wait().
 */
bool umf_segment_line(struct umf_segment *seg, u32 len);
/* Hands it over. -EPIPE: the port has just been found dead. */
int umf_segment_commit(struct umf_segment *seg, unsigned int port, u32 len);

/* Receiving. One caller at a time. */

/* Forgets the past: called before the first umf_segment_rx_next(). */
void umf_segment_rx_start(struct umf_segment *seg);
/* Collects what senders have marked; true when a port came or went. */
bool umf_segment_rx_poll(struct umf_segment *seg);
/*
 * The ports that have called umf_segment_forget() since this was last asked;
 * what they sent before that is in their rings.
 */
u64 umf_segment_rx_forgotten(struct umf_segment *seg);
/* As umf_ring_peek(), over all rings in turn; -EBADMSG: one was given up. */
int umf_segment_rx_next(struct umf_segment *seg, unsigned int *port,
			struct umf_ring_rec *rec, const u8 **data);
void umf_segment_rx_done(struct umf_segment *seg, unsigned int port, u32 len);
/* Asks to be woken; false when there is something to do already. */
bool umf_segment_rx_sleep(struct umf_segment *seg);
/*
 * Is there something that a reader should be at? For a look now and then, at any
 * time: a bell that was lost, by whoever's fault, is then only late.
 */
bool umf_segment_rx_pending(const struct umf_segment *seg);

/* In virtual time (time/clock.h). */

/* How long what this port sends takes, ns; false: the calendar wants more. */
bool umf_segment_set_latency(struct umf_segment *seg, u64 latency);
/* How fast the line is that it sends on, bit/s, from UMF_SEG_RATE_MIN on. */
void umf_segment_set_rate(struct umf_segment *seg, u64 rate);
/* How long its sender had better wait, as the line has enough to do: ns, or 0. */
u64 umf_segment_line_wait(const struct umf_segment *seg);
/* When others have something for it, as they have last said, or 0. */
u64 umf_segment_due(struct umf_segment *seg);
/* When the first frame of those arrives that umf_segment_rx_next() left, or 0. */
u64 umf_segment_rx_later(const struct umf_segment *seg);

#endif /* __UMF_NET_SEGMENT_H */
