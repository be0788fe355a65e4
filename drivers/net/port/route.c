// SPDX-License-Identifier: GPL-2.0
/*
 * The port's decisions; see net/port/route.h.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include "net/port/route.h"

#define ROUTE_SOURCE	6	/* where the source MAC stands in a frame */
#define ROUTE_PORTS	64

static u64 mac_at(const u8 *p)
{
	return (u64)p[0] << 40 | (u64)p[1] << 32 | (u64)p[2] << 24 |
	       (u64)p[3] << 16 | p[4] << 8 | p[5];
}

u64 umf_route_to(const struct umf_route *route, const u8 *frame, u64 peers,
		 u32 now, bool *flooded)
{
	int port = umf_fdb_lookup(&route->fdb, mac_at(frame), now);

	*flooded = port < 0 || port >= ROUTE_PORTS ||
		   !(peers & BIT_ULL(port));
	return *flooded ? peers : BIT_ULL(port);
}

void umf_route_left(struct umf_route *route, u64 ports)
{
	if (ports)
		umf_fdb_flush(&route->fdb, ports);
}

enum umf_route_rx umf_route_from(struct umf_route *route, unsigned int port,
				 const u8 *frame, u32 len, bool cut, u32 now)
{
	if (cut)
		return UMF_ROUTE_CUT;
	if (len < UMF_ROUTE_HEAD)
		return UMF_ROUTE_SHORT;
	umf_fdb_learn(&route->fdb, mac_at(frame + ROUTE_SOURCE), port, now);
	return UMF_ROUTE_TAKEN;
}

void umf_route_forget(struct umf_route *route, u64 ports)
{
	route->forget |= ports;
}

void umf_route_read_all(struct umf_route *route)
{
	if (!route->forget)
		return;
	umf_fdb_flush(&route->fdb, route->forget);
	route->forget = 0;
}
