/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a port of the switch does with frames: where one goes, what is learned
 * from one that comes, what a partition takes. There is no switch between the
 * ports: each of them decides for what it sends, and for what it receives.
 *
 * Pure: which ports there are, whether a partition is between and what time it
 * is comes in. The driver and umf-port are the users.
 *
 * The send side reads what the receive side has learned, without a lock (fdb.h).
 * Each of the two is serialised by its caller.
 */
#ifndef __UMF_NET_ROUTE_H
#define __UMF_NET_ROUTE_H

#include "net/port/fdb.h"

#define UMF_ROUTE_HEAD	14	/* bytes of an Ethernet header */

struct umf_route {
	struct umf_fdb fdb;

	/* The receive side's: ports whose MACs go once their rings are empty. */
	u64 forget;
};

/* ---- the send side ---- */

/*
 * The ports, of @peers, for a frame that begins with UMF_ROUTE_HEAD bytes at
 * @frame: the one where its destination was seen, else all, and *@flooded.
 */
u64 umf_route_to(const struct umf_route *route, const u8 *frame, u64 peers,
		 u32 now, bool *flooded);
/* These ports have left: nobody is there. */
void umf_route_left(struct umf_route *route, u64 ports);

/* ---- the receive side ---- */

enum umf_route_rx {
	UMF_ROUTE_TAKEN,
	UMF_ROUTE_CUT,		/* a partition came while it was on its way */
	UMF_ROUTE_SHORT,	/* that is no frame */
};

/*
 * A frame of @len bytes from @port; @cut: nothing gets here from that port. What
 * is not taken teaches nothing.
 */
enum umf_route_rx umf_route_from(struct umf_route *route, unsigned int port,
				 const u8 *frame, u32 len, bool cut, u32 now);
/*
 * What was seen at these ports does not hold any more. Their rings may hold
 * frames from before that, which would teach it again:
 */
void umf_route_forget(struct umf_route *route, u64 ports);
/* All rings have been empty since. */
void umf_route_read_all(struct umf_route *route);

#endif /* __UMF_NET_ROUTE_H */
