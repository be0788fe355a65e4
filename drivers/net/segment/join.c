// SPDX-License-Identifier: GPL-2.0
/*
 * A port's life: join, leave, and reaping those that could do neither.
 *
 * There is no switch process: each port maps the segment's table of ports and
 * one ring per port it exchanges frames with. It owns its slot's lock, its bell
 * and the rings it sends on; everything else in the folder is somebody else's.
 *
 * A slot's life (struct umf_seg_port.state):
 *
 *	FREE    nobody's. Taken under the join lock by who can lock its byte.
 *	JOINED  a process has the slot's lock, a bell and a new generation.
 *	UP      it also receives: others may make rings to it.
 *
 * A slot that is not FREE and whose lock is free is an orphan. Whoever finds one
 * reaps it under the join lock: its files go, the slot is FREE. Other ports drop
 * what they mapped as soon as they see another state or another generation.
 * Unlinked rings stay mapped where they are mapped, so no access to one can ever
 * fail.
 *
 * Somebody may remove what the segment is made of, or truncate it (which host/map_user.c makes
 * harmless). Its ports are cut off then, from who joins and in the end from
 * each other. Each finds out by itself (umf_segment_check()), takes the name away
 * from a file that is of no more use, and joins anew: the first one makes the
 * segment again.
 *
 * What only this file touches needs no lock: joining and leaving are their
 * caller's first and last use of a port.
 */
#define pr_fmt(fmt) "umf: " fmt

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/sync_bitops.h>
#include <os.h>
#include "net/segment/priv.h"

#define NO_SPACE	": make some, or name a folder where there is more"

/*
 * Nobody makes a ring to a port that is not UP, and a slot that is not FREE is
 * reaped again should its reaper die half way.
 */
static void reap(struct umf_segment *seg, unsigned int port)
{
	WRITE_ONCE(seg->port[port].state, UMF_PORT_JOINED);
	umf_seg_remove_port(seg->dir, port);
	WRITE_ONCE(seg->port[port].state, UMF_PORT_FREE);
}

/* The first slot from @i on that is not FREE although nobody holds it. */
static unsigned int first_orphan(const struct umf_segment *seg, unsigned int i)
{
	for (; i < UMF_SEG_PORTS; i++)
		if (i != seg->me &&
		    READ_ONCE(seg->port[i].state) != UMF_PORT_FREE &&
		    !umf_host_locked(seg->fd, UMF_SEG_LOCK_PORT + i, 1))
			break;
	return i;
}

/* Under the join lock: who joins has the lock on its slot before a state. */
static bool reap_orphans(struct umf_segment *seg)
{
	bool any = false;
	unsigned int i;

	for (i = first_orphan(seg, 0); i < UMF_SEG_PORTS;
	     i = first_orphan(seg, i + 1)) {
		reap(seg, i);
		any = true;
	}
	return any;
}

/* Maps the port table; makes it, or refuses one that is not ours. */
static int map_segment(struct umf_segment *seg, bool made, char *error)
{
	struct umf_seg_header *hd;
	struct umf_host_info info;
	int err;

	BUILD_BUG_ON(sizeof(struct umf_seg_header) > UMF_SEG_PAGE);
	BUILD_BUG_ON(sizeof(struct umf_seg_port) != UMF_SEG_PAGE);
	err = umf_host_info(seg->fd, &info);
	seg->unfinished = !err && !info.size;
	if (seg->unfinished) {
		err = umf_host_alloc(seg->fd, UMF_SEG_SIZE);
		info.size = UMF_SEG_SIZE;
	}
	if (err) {
		snprintf(error, UMF_SEG_ERROR, "no room for %s/segment (error %d)%s",
			 seg->path, err, err == -ENOSPC ? NO_SPACE : "");
		return err;
	}
	if (info.size != UMF_SEG_SIZE) {
		snprintf(error, UMF_SEG_ERROR,
			 "%s/segment is from an incompatible build (%llu bytes, not %u); remove it if nobody uses it",
			 seg->path, info.size, UMF_SEG_SIZE);
		return -EINVAL;
	}
	err = umf_host_map(seg->fd, UMF_SEG_SIZE, &seg->map);
	if (err) {
		snprintf(error, UMF_SEG_ERROR, "cannot map %s/segment (error %d)",
			 seg->path, err);
		return err;
	}
	hd = seg->map.addr;
	seg->header = hd;
	seg->port = (struct umf_seg_port *)((u8 *)hd + UMF_SEG_PAGE);

	if (!hd->magic) {
		/* New, or its maker died before the last line below. */
		hd->version = UMF_SEG_VERSION;
		hd->ports = UMF_SEG_PORTS;
		hd->page = UMF_SEG_PAGE;
		hd->ring = UMF_RING_FIRST;
		seg->unfinished = true;
		/* who sees the magic sees the rest */
		virt_store_release(&hd->magic, UMF_SEG_MAGIC);
	}
	seg->ring_size = READ_ONCE(hd->ring);
	if (hd->magic != UMF_SEG_MAGIC || hd->version != UMF_SEG_VERSION ||
	    hd->ports != UMF_SEG_PORTS || hd->page != UMF_SEG_PAGE ||
	    seg->ring_size < UMF_RING_MIN || seg->ring_size > UMF_RING_MAX ||
	    seg->ring_size & (seg->ring_size - 1)) {
		snprintf(error, UMF_SEG_ERROR,
			 "%s/segment is from an incompatible build (version %u, not %u); remove it if nobody uses it",
			 seg->path, hd->version, UMF_SEG_VERSION);
		return -EINVAL;
	}
	/* Whoever of us has made it may come second to the lock. */
	if (made)
		WRITE_ONCE(hd->made_dir, 1);
	seg->made_dir = READ_ONCE(hd->made_dir);
	return 0;
}

/* Are those who are there in virtual time if we are, and only then? */
static bool is_of_our_time(const struct umf_segment *seg)
{
	unsigned int i;

	for (i = 0; i < UMF_SEG_PORTS; i++)
		if (i != seg->me &&
		    READ_ONCE(seg->port[i].state) != UMF_PORT_FREE &&
		    !READ_ONCE(seg->port[i].clock) == umf_clock_virtual() &&
		    umf_host_locked(seg->fd, UMF_SEG_LOCK_PORT + i, 1))
			return false;
	return true;
}

/* The lowest slot nobody holds becomes ours. Under the join lock. */
static int take_port(struct umf_segment *seg, char *error)
{
	struct umf_seg_port *my;
	char name[UMF_SEG_NAME];
	unsigned int i;
	int err = 0;

	if (!umf_seg_others_alive(seg))
		for (i = 0; i < UMF_SEG_PORTS; i++)
			WRITE_ONCE(seg->port[i].state, UMF_PORT_FREE);
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		err = umf_host_lock(seg->fd, UMF_SEG_LOCK_PORT + i);
		if (err != -EAGAIN)
			break;
	}
	if (err == -EAGAIN) {
		snprintf(error, UMF_SEG_ERROR, "segment %s is full (%u ports)",
			 seg->path, UMF_SEG_PORTS);
		return -EUSERS;
	}
	if (err) {
		snprintf(error, UMF_SEG_ERROR, "cannot lock %s/segment (error %d)",
			 seg->path, err);
		return err;
	}

	umf_seg_remove_port(seg->dir, umf_seg_others_alive(seg) ? i :
								  UMF_SEG_PORTS);
	seg->me = i;
	if (!is_of_our_time(seg)) {
		snprintf(error, UMF_SEG_ERROR,
			 "segment %s is one of guests in %s time, and we are in the other",
			 seg->path, umf_clock_virtual() ? "real" : "virtual");
		return -EXDEV;
	}
	my = &seg->port[i];
	seg->gen = READ_ONCE(my->gen) + 1;
	WRITE_ONCE(my->gen, seg->gen);
	WRITE_ONCE(my->mac, 0);
	WRITE_ONCE(my->flags, 0);
	WRITE_ONCE(my->pid, os_getpid());
	memcpy(my->label, seg->label, sizeof(my->label));
	WRITE_ONCE(my->clock, umf_clock_virtual() ? umf_clock_me() : 0);
	WRITE_ONCE(my->due, 0);
	WRITE_ONCE(my->sleep, 0);
	WRITE_ONCE(my->changed_tx, 1);
	WRITE_ONCE(my->changed_rx, 0);
	WRITE_ONCE(my->pending[0], 0);
	WRITE_ONCE(my->pending[1], 0);
	/*
	 * Pairs with umf_segment_tx_scan(): state last. But before there is a
	 * file, so that who dies here is reaped.
	 */
	virt_store_release(&my->state, UMF_PORT_JOINED);
	umf_seg_bell_name(name, i);
	seg->bell = umf_host_bell_make(seg->dir, name);
	if (seg->bell < 0) {
		reap(seg, i);
		snprintf(error, UMF_SEG_ERROR, "cannot make %s/%s (error %d)",
			 seg->path, name, seg->bell);
		return seg->bell;
	}
	for (i = 0; i < UMF_SEG_PORTS; i++)
		seg->tx[i].serial = READ_ONCE(my->serial[i]);
	seg->state = UMF_PORT_JOINED;
	seg->my = my;
	/* without those of who had the slot before */
	umf_seg_cut_publish(seg);
	return 0;
}

static void free_segment(struct umf_segment *seg)
{
	umf_host_unmap(&seg->map);
	if (seg->bell >= 0)
		os_close_file(seg->bell);
	if (seg->fd >= 0)
		os_close_file(seg->fd);	/* and with it the locks */
	if (seg->dir >= 0)
		os_close_file(seg->dir);
	kfree(seg->file);
	kfree(seg->path);
	kfree(seg->name);
	kfree(seg);
}

static int try_join(struct umf_segment *seg, char *error)
{
	bool made = false;
	int err;

	err = umf_seg_open(seg, &made, error);
	seg->made_dir = made;
	if (err && err != -ESTALE && made)
		umf_seg_remove_folder(seg);
	if (err)
		return err;
	err = map_segment(seg, made, error);
	if (!err)
		err = take_port(seg, error);
	if (err && seg->unfinished && !umf_seg_others_alive(seg))
		umf_seg_remove_all(seg);
	umf_seg_unlock(seg);
	return err;
}

static void init_segment(struct umf_segment *seg)
{
	unsigned int i;

	seg->dir = -1;
	seg->fd = -1;
	seg->bell = -1;
	for (i = 0; i < UMF_SEG_PORTS; i++)
		seg->tx[i].bell = -1;
}

struct umf_segment *umf_segment_join(const char *name, const char *label,
				     char error[UMF_SEG_ERROR])
{
	struct umf_segment *seg;
	int err, tries = 10;

	do {
		strscpy(error, "out of memory", UMF_SEG_ERROR);
		seg = kzalloc_obj(*seg);
		if (!seg)
			return ERR_PTR(-ENOMEM);
		init_segment(seg);
		strscpy(seg->label, label, sizeof(seg->label));
		err = -ENOMEM;
		if (umf_seg_set_path(seg, name))
			err = try_join(seg, error);
		if (!err)
			return seg;
		free_segment(seg);
	} while (err == -ESTALE && --tries);
	if (err == -ESTALE)
		snprintf(error, UMF_SEG_ERROR, "%s goes away again and again",
			 name);
	return ERR_PTR(err);
}

/* Takes the name from a file that is of no more use. Under the join lock. */
static void unname(struct umf_segment *seg)
{
	if (umf_seg_file_named(seg))
		umf_host_unlink(seg->dir, "segment");
}

/*
 * What is there now may be the segment of others, who have joined anew. Of a
 * file that was truncated the name goes, and all else with the last port.
 */
static void give_back_lost(struct umf_segment *seg, bool sleep)
{
	if (umf_seg_lock(seg, sleep))
		return;
	umf_host_unlock(seg->fd, UMF_SEG_LOCK_PORT + seg->me);
	if (umf_seg_file_named(seg) && !umf_seg_others_alive(seg))
		umf_seg_remove_all(seg);
	else
		unname(seg);
	umf_seg_unlock(seg);
}

static void give_back(struct umf_segment *seg, bool sleep)
{
	bool locked;

	if (umf_seg_file_lost(seg)) {
		give_back_lost(seg, sleep);
		return;
	}
	locked = !umf_seg_lock(seg, sleep);
	reap(seg, seg->me);
	if (locked) {
		reap_orphans(seg);
		memset(seg->cut, 0, sizeof(seg->cut));
		umf_seg_cut_publish(seg);
	}
	umf_seg_notify_all(seg);
	umf_host_unlock(seg->fd, UMF_SEG_LOCK_PORT + seg->me);
	if (locked && !umf_seg_others_alive(seg))
		umf_seg_remove_all(seg);
	if (locked)
		umf_seg_unlock(seg);
}

void umf_segment_abandon(struct umf_segment *seg)
{
	WRITE_ONCE(seg->abandoned, true);
	seg->locked = 0;	/* whoever has it does not go on */
	give_back(seg, false);
}

static void close_rings(struct umf_segment *seg)
{
	unsigned int i;

	for (i = 0; i < UMF_SEG_PORTS; i++) {
		umf_seg_tx_close(&seg->tx[i]);
		umf_seg_rx_close(seg, i);
	}
}

void umf_segment_leave(struct umf_segment *seg)
{
	close_rings(seg);
	give_back(seg, true);
	free_segment(seg);
}

struct umf_segment *umf_segment_rejoin(struct umf_segment *seg)
{
	char error[UMF_SEG_ERROR];
	struct umf_segment *fresh;

	if (!umf_seg_lock(seg, true)) {
		/* Else who joins finds it, and it is of no use. */
		if (umf_seg_file_truncated(seg))
			unname(seg);
		umf_seg_unlock(seg);
	}
	fresh = umf_segment_join(seg->name, seg->label, error);
	if (IS_ERR(fresh)) {
		if (!seg->lost_for_now)
			pr_warn("%s\n", error);
		seg->lost_for_now = true;
	}
	return fresh;
}

/*
 * At the same address and with the same descriptors: those who look at the
 * segment meanwhile, for a rule or to tell of it, see the one or the other.
 */
static void take_over(struct umf_segment *seg, const struct umf_segment *fresh)
{
	unsigned int i;

	umf_host_dup_over(fresh->dir, seg->dir);
	umf_host_dup_over(fresh->fd, seg->fd);
	umf_host_dup_over(fresh->bell, seg->bell);
	seg->me = fresh->me;
	WRITE_ONCE(seg->my, &seg->port[fresh->me]);
	seg->gen = fresh->gen;
	seg->ring_size = fresh->ring_size;
	seg->made_dir = fresh->made_dir;
	memset(seg->cut, 0, sizeof(seg->cut));
	seg->forsaken |= seg->up;
	seg->up = 0;
	seg->monitors = 0;
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		seg->tx[i].serial = fresh->tx[i].serial;
		seg->tx[i].gen = 0;
		seg->tx[i].dead = 0;
	}
	seg->lost = NULL;
	seg->lost_for_now = false;
}

void umf_segment_adopt(struct umf_segment *seg, struct umf_segment *fresh)
{
	u32 state = seg->state;
	int err;

	/* Somebody of ours may hold the lock of what was, for moments. */
	while (test_and_set_bit_lock(0, &seg->locked))
		usleep_range(800, 1200);
	close_rings(seg);
	err = umf_host_map_replace(&seg->map, fresh->fd);
	if (!err)
		take_over(seg, fresh);
	clear_bit_unlock(0, &seg->locked);
	if (err) {
		umf_segment_leave(fresh);	/* tried again by the next watch */
		return;
	}
	free_segment(fresh);	/* but for what is ours now */
	pr_warn("%s: joined anew, as port %u\n", seg->path, seg->me);
	seg->state = UMF_PORT_JOINED;
	WRITE_ONCE(seg->my->flags, seg->flags);
	WRITE_ONCE(seg->my->mac, seg->mac);
	WRITE_ONCE(seg->my->mtu, seg->mtu);
	if (state != UMF_PORT_UP)
		return;
	umf_segment_rx_start(seg);
	umf_segment_set_up(seg, true);
}

bool umf_segment_lost(const struct umf_segment *seg)
{
	return READ_ONCE(seg->lost);
}

bool umf_segment_check(struct umf_segment *seg)
{
	const char *lost;

	if (READ_ONCE(seg->abandoned))
		return true;
	umf_seg_tell(seg);
	lost = umf_seg_file_lost(seg);
	if (lost) {
		if (!seg->lost)
			pr_warn("%s was %s: port %u is cut off, it joins anew\n",
				seg->file, lost, seg->me);
		WRITE_ONCE(seg->lost, lost);
		return true;
	}
	if (first_orphan(seg, 0) < UMF_SEG_PORTS || !umf_seg_cut_right(seg)) {
		if (umf_seg_trylock(seg))
			return true;	/* the next round sees to it */
		if (reap_orphans(seg)) {
			WRITE_ONCE(seg->my->changed_tx, 1);
			WRITE_ONCE(seg->my->changed_rx, 1);
			umf_seg_notify_all(seg);
		}
		umf_seg_cut_publish(seg);
		umf_seg_unlock(seg);
	}
	return umf_seg_others_alive(seg);
}

