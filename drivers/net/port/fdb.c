// SPDX-License-Identifier: GPL-2.0
/*
 * The switch's memory; see net/port/fdb.h for what it promises.
 *
 * An entry's key is one word: MAC and port change together. A MAC stands in
 * one set only, at most once (there is one learner). A new entry is dated
 * before its key is written, so that no reader takes it for an old one.
 */
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/hash.h>
#include <linux/kernel.h>
#include "net/port/fdb.h"

#define FDB_SETS	ARRAY_SIZE(((struct umf_fdb *)0)->set)
#define FDB_MULTICAST	BIT_ULL(40)

static unsigned int fdb_set(u64 mac)
{
	return hash_64(mac, 32) % FDB_SETS;
}

static bool fdb_fresh(u32 seen, u32 now)
{
	return now - seen < UMF_FDB_AGE;
}

void umf_fdb_learn(struct umf_fdb *fdb, u64 mac, unsigned int port, u32 now)
{
	struct umf_fdb_entry *set = fdb->set[fdb_set(mac)];
	struct umf_fdb_entry *best = &set[0];
	u64 key = mac << 8 | (port + 1), old;
	int i;

	if (!mac || (mac & FDB_MULTICAST))
		return;
	for (i = 0; i < UMF_FDB_WAYS; i++) {
		old = READ_ONCE(set[i].key);
		if (old >> 8 == mac) {
			if (READ_ONCE(set[i].seen) != now)
				WRITE_ONCE(set[i].seen, now);
			if (old != key)
				WRITE_ONCE(set[i].key, key);
			return;
		}
		if (!READ_ONCE(best->key))
			continue;
		if (!old || now - READ_ONCE(set[i].seen) >
			    now - READ_ONCE(best->seen))
			best = &set[i];
	}
	WRITE_ONCE(best->key, 0);
	smp_wmb();	/* no reader sees the old key with the new date */
	WRITE_ONCE(best->seen, now);
	smp_wmb();	/* nor the new key with the old one */
	WRITE_ONCE(best->key, key);
}

int umf_fdb_lookup(const struct umf_fdb *fdb, u64 mac, u32 now)
{
	const struct umf_fdb_entry *set = fdb->set[fdb_set(mac)];
	u64 key;
	int i;

	if (mac & FDB_MULTICAST)
		return -1;
	for (i = 0; i < UMF_FDB_WAYS; i++) {
		key = READ_ONCE(set[i].key);
		if (key && key >> 8 == mac) {
			smp_rmb();	/* pairs with umf_fdb_learn() */
			if (!fdb_fresh(READ_ONCE(set[i].seen), now))
				return -1;
			return (int)(key & 0xff) - 1;
		}
	}
	return -1;
}

void umf_fdb_flush(struct umf_fdb *fdb, u64 ports)
{
	struct umf_fdb_entry *entry = &fdb->set[0][0];
	unsigned int i, port;
	u64 key;

	for (i = 0; i < UMF_FDB_ENTRIES; i++) {
		key = READ_ONCE(entry[i].key);
		port = (key & 0xff) - 1;
		if (key && port < 64 && (ports >> port & 1))
			cmpxchg64(&entry[i].key, key, 0);
	}
}

unsigned int umf_fdb_count(const struct umf_fdb *fdb, u32 now)
{
	const struct umf_fdb_entry *entry = &fdb->set[0][0];
	unsigned int i, n = 0;

	for (i = 0; i < UMF_FDB_ENTRIES; i++)
		if (READ_ONCE(entry[i].key) &&
		    fdb_fresh(READ_ONCE(entry[i].seen), now))
			n++;
	return n;
}
