/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The switch's memory: which port a MAC was last seen at.
 *
 * Bounded and without locks: a table of sets, where a full set forgets its
 * oldest entry. Any number of readers may run beside one learner and any
 * number of flushes; a lookup sees an entry whole or not at all. Pure: time
 * comes in, nothing of arch/um or the netdev is known.
 */
#ifndef __UMF_NET_SWITCH_H
#define __UMF_NET_SWITCH_H

#include <linux/types.h>

#define UMF_FDB_ENTRIES	4096
#define UMF_FDB_WAYS	8
#define UMF_FDB_AGE	300	/* seconds an entry holds without being seen */

struct umf_fdb_entry {
	u64 key;	/* mac << 8 | port + 1; 0: free */
	u32 seen;	/* seconds */
};

struct umf_fdb {
	struct umf_fdb_entry set[UMF_FDB_ENTRIES / UMF_FDB_WAYS][UMF_FDB_WAYS];
};

/*
 * MACs have their first byte in bits 40-47; @now is in seconds and may wrap.
 * Ports are 0 to 254. A zeroed struct umf_fdb is empty.
 */

/* @mac was seen at @port; a multicast MAC is not learned. */
void umf_fdb_learn(struct umf_fdb *fdb, u64 mac, unsigned int port, u32 now);
/* The port to send @mac to, or -1: unknown, too old or multicast. */
int umf_fdb_lookup(const struct umf_fdb *fdb, u64 mac, u32 now);
/* Forgets all MACs of the ports in the mask. */
void umf_fdb_flush(struct umf_fdb *fdb, u64 ports);
/* How many MACs it knows. */
unsigned int umf_fdb_count(const struct umf_fdb *fdb, u32 now);

#endif /* __UMF_NET_SWITCH_H */
