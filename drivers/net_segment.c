// SPDX-License-Identifier: GPL-2.0
/*
 * A port of a segment.
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
 * Whoever finds a slot not FREE whose lock is free buries it under the join
 * lock: its files go, the slot is FREE. Other ports drop what they mapped as
 * soon as they see another state or another generation. Unlinked rings stay
 * mapped where they are mapped, so no access to one can ever fail.
 *
 * A ring is valid for one sender generation and one receiver generation. Its
 * sender makes a new one whenever the receiver's generation changes or the ring
 * turns out to be corrupt, and counts it in its slot's serial[]; the receiver
 * maps what that number says, once it has read all that is in the one before.
 *
 * Rings begin small, as there may be 4032 of them. One that is full again and
 * again while its receiver does read makes both ends wait for each other after
 * every few GSO frames: its sender makes a larger one in its place, for a few of
 * its receivers.
 *
 * Partitions (net_ring.h) live in the slot of the port whose rule they are, and
 * everybody obeys the sum of them in the header. It is made anew whenever a part
 * of it changes or a slot changes hands, and by each port's watch that finds it
 * wrong: whoever dies at whatever point, or writes where it should not, has no
 * partition that lasts.
 *
 * Locking: the send side (tx, up, and what hangs on them) and the receive side
 * (rx, active) share nothing that changes, and each is serialised by the
 * caller. What only joining and leaving touch needs no lock.
 */
#define pr_fmt(fmt) "umf: " fmt

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/sync_bitops.h>
#include <os.h>
#include "net_segment.h"

#define JOIN_TRIES	2000		/* milliseconds */
#define RING_RETRY	(HZ / 10)	/* after a ring could not be made */
#define GROW_AFTER	16		/* times that a ring was full */
#define GROW_MOST	4		/* rings of one port that have grown */

struct seg_tx {
	struct umf_ring_tx ring;
	u32 serial;		/* of that ring, or of the last one */
	u32 gen;		/* of the port seen in this slot */
	u32 dead;		/* that generation's bell has no reader */
	int bell;		/* fd, or -1 */
	unsigned long retry;	/* jiffies: no new ring before that */
	bool failed;		/* retry is valid */
	u32 full_tail;		/* where the reader was when it was last full */
	unsigned int full;	/* how often it was, each time further on */
};

struct umf_segment {
	char *path;
	int dir, fd, bell;
	struct umf_seg_header *header;
	struct umf_seg_port *port;	/* all of them */
	struct umf_seg_port *my;
	unsigned int me;
	u32 state, gen, mtu, flags;	/* what our slot is to say */
	u64 mac;
	u32 ring_size;
	bool bare;			/* a name under the default folder */
	bool abandoned;
	unsigned long locked;		/* bit 0: we have the join lock */
	u64 cut[UMF_SEG_PORTS];		/* with it: what our partitions cut */

	u64 up;				/* send side */
	u64 monitors;			/* of these */
	struct seg_tx tx[UMF_SEG_PORTS];

	u64 active;			/* receive side: rings with frames */
	u64 gone;			/* to unmap once they are empty */
	unsigned int next;		/* whose turn it is */
	u32 forget[UMF_SEG_PORTS];	/* what slots said when last looked at */
	struct umf_ring_rx rx[UMF_SEG_PORTS];
};

#define NAME_LEN	16

static void ring_name(char *name, unsigned int from, unsigned int to)
{
	snprintf(name, NAME_LEN, "ring-%02u-%02u", from, to);
}

static void grow_name(char *name, unsigned int from, unsigned int to)
{
	snprintf(name, NAME_LEN, "grow-%02u-%02u", from, to);
}

static void bell_name(char *name, unsigned int port)
{
	snprintf(name, NAME_LEN, "port-%02u.bell", port);
}

static size_t ring_bytes(u32 size)
{
	return sizeof(struct umf_ring_shared) + size;
}

/* Nobody waits for a monitor, so there is room for more. */
static u32 ring_size_of(const struct umf_segment *seg, bool monitor)
{
	return monitor ? max_t(u32, seg->ring_size, UMF_RING_MONITOR) :
			 seg->ring_size;
}

static u32 grown_size_of(const struct umf_segment *seg, bool monitor)
{
	return max_t(u32, ring_size_of(seg, monitor), UMF_RING_GROWN);
}

/* ---- the folder ---- */

static void remove_port_files(int dir, unsigned int port)
{
	char name[NAME_LEN];
	unsigned int i;

	bell_name(name, port);
	umf_host_unlink(dir, name);
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		ring_name(name, port, i);
		umf_host_unlink(dir, name);
		ring_name(name, i, port);
		umf_host_unlink(dir, name);
		grow_name(name, port, i);
		umf_host_unlink(dir, name);
	}
}

/*
 * Nobody makes a ring to a port that is not UP, and a slot that is not FREE is
 * buried again should its undertaker die half way.
 */
static void bury(struct umf_segment *seg, unsigned int port)
{
	WRITE_ONCE(seg->port[port].state, UMF_PORT_JOINED);
	remove_port_files(seg->dir, port);
	WRITE_ONCE(seg->port[port].state, UMF_PORT_FREE);
}

static int check_owner(int fd, const char *path, char *error)
{
	struct umf_host_info info;
	int err = umf_host_info(fd, &info);

	if (err) {
		snprintf(error, UMF_SEG_ERROR, "%s: error %d", path, err);
		return err;
	}
	if (info.uid != umf_host_uid()) {
		snprintf(error, UMF_SEG_ERROR,
			 "%s is another user's segment (uid %u)",
			 path, info.uid);
		return -EPERM;
	}
	if (info.mode & 022) {
		snprintf(error, UMF_SEG_ERROR,
			 "%s can be written by other users (mode %03o); chmod 700 it",
			 path, info.mode & 0777);
		return -EPERM;
	}
	return 0;
}

/*
 * Opens a folder that is to be ours, and makes it first if need be. -ESTALE: it
 * was there, and its last port has just removed it.
 */
static int open_folder(const char *path, bool *made, char *error)
{
	int fd, err;

	err = umf_host_mkdir(path);
	*made = !err;
	if (err && err != -EEXIST) {
		snprintf(error, UMF_SEG_ERROR, "cannot make the folder %s (error %d)",
			 path, err);
		return err;
	}
	fd = umf_host_open_dir(path);
	if (fd == -ENOENT)
		return -ESTALE;
	if (fd < 0) {
		snprintf(error, UMF_SEG_ERROR, "cannot open the folder %s (error %d)",
			 path, fd);
		return fd;
	}
	err = check_owner(fd, path, error);
	if (err) {
		os_close_file(fd);
		return err;
	}
	return fd;
}

/* "/dev/shm/umf-1000/lan" → the same without its last part. */
static char *parent_of(const char *path)
{
	return kstrndup(path, strrchr(path, '/') - path, GFP_KERNEL);
}

static bool is_bare(const char *name)
{
	return !strchr(name, '/');
}

static char *segment_path(const char *name)
{
	if (is_bare(name))
		return kasprintf(GFP_KERNEL, "/dev/shm/umf-%u/%s",
				 umf_host_uid(), name);
	return kstrdup(name, GFP_KERNEL);
}

/*
 * The join lock: held for moments, unless its holder is stopped. To the host we
 * are one owner, whoever of us asks: that is what the bit is for.
 */
static int join_trylock(struct umf_segment *seg)
{
	int err;

	if (test_and_set_bit_lock(0, &seg->locked))
		return -EAGAIN;
	err = umf_host_lock(seg->fd, UMF_SEG_LOCK_JOIN);
	if (err)
		clear_bit_unlock(0, &seg->locked);
	return err;
}

static int join_lock(struct umf_segment *seg, void (*wait)(void))
{
	int err, i;

	for (i = 0; i < JOIN_TRIES; i++) {
		err = join_trylock(seg);
		if (err != -EAGAIN)
			return err;
		wait();
	}
	return -EBUSY;
}

static void join_unlock(struct umf_segment *seg)
{
	umf_host_unlock(seg->fd, UMF_SEG_LOCK_JOIN);
	clear_bit_unlock(0, &seg->locked);
}

static void wait_sleep(void)
{
	usleep_range(800, 1200);
}

static void wait_spin(void)
{
	mdelay(1);
}

/*
 * Opens the file `segment` with the join lock held. It may be removed between
 * the two by the last port that leaves, and then the folder as well: -ESTALE.
 */
static int open_segment_file(struct umf_segment *seg, char *error)
{
	struct umf_host_info info;
	int err;

	seg->fd = umf_host_open(seg->dir, "segment", 1, 0);
	if (seg->fd == -ENOENT)
		return -ESTALE;
	if (seg->fd < 0) {
		snprintf(error, UMF_SEG_ERROR, "cannot make %s/segment (error %d)",
			 seg->path, seg->fd);
		return seg->fd;
	}
	err = join_lock(seg, wait_sleep);
	if (!err)
		err = umf_host_info(seg->fd, &info);
	if (err == -EBUSY) {
		snprintf(error, UMF_SEG_ERROR,
			 "%s is busy: a port is stopped while it joins or leaves",
			 seg->path);
		return err;
	}
	if (err) {
		snprintf(error, UMF_SEG_ERROR, "cannot lock %s/segment (error %d)",
			 seg->path, err);
		return err;
	}
	return info.nlink ? 0 : -ESTALE;
}

/* Is any port alive? For the holder of the join lock. */
static bool others_alive(int fd)
{
	return umf_host_locked(fd, UMF_SEG_LOCK_PORT, UMF_SEG_PORTS) != 0;
}

/* The first slot from @i on that is not FREE although nobody holds it. */
static unsigned int first_dead(const struct umf_segment *seg, unsigned int i)
{
	for (; i < UMF_SEG_PORTS; i++)
		if (i != seg->me &&
		    READ_ONCE(seg->port[i].state) != UMF_PORT_FREE &&
		    !umf_host_locked(seg->fd, UMF_SEG_LOCK_PORT + i, 1))
			break;
	return i;
}

/* ---- partitions ---- */

/* Do another port's partitions count? */
static bool cut_counts(const struct umf_segment *seg, unsigned int i)
{
	const struct umf_seg_port *port = &seg->port[i];

	return i != seg->me && READ_ONCE(port->state) != UMF_PORT_FREE &&
	       READ_ONCE(port->cut_gen) == READ_ONCE(port->gen);
}

/* What the partitions of all ports come to. */
static void cut_sum(const struct umf_segment *seg, u64 sum[UMF_SEG_PORTS])
{
	unsigned int i, j;

	memcpy(sum, seg->cut, sizeof(seg->cut));
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		if (!cut_counts(seg, i))
			continue;
		for (j = 0; j < UMF_SEG_PORTS; j++)
			sum[j] |= READ_ONCE(seg->port[i].cut[j]);
	}
}

static bool cut_is(const struct umf_segment *seg, const u64 sum[UMF_SEG_PORTS])
{
	unsigned int i;

	for (i = 0; i < UMF_SEG_PORTS; i++)
		if (umf_seg_cut(seg->header, i) != sum[i])
			return false;
	return true;
}

/* Does everybody obey what it should? */
static bool cut_right(const struct umf_segment *seg)
{
	u64 sum[UMF_SEG_PORTS];
	unsigned int i;

	if (READ_ONCE(seg->abandoned))
		return true;
	for (i = 0; i < UMF_SEG_PORTS; i++)
		if (READ_ONCE(seg->my->cut[i]) != seg->cut[i])
			return false;
	cut_sum(seg, sum);
	return READ_ONCE(seg->my->cut_gen) == seg->gen && cut_is(seg, sum);
}

/* Under the join lock. */
static void cut_publish(struct umf_segment *seg)
{
	struct umf_seg_header *hd = seg->header;
	struct umf_seg_port *my = &seg->port[seg->me];
	u32 turn = READ_ONCE(hd->cut_turn);
	u64 sum[UMF_SEG_PORTS], any = 0;
	unsigned int i;

	for (i = 0; i < UMF_SEG_PORTS; i++)
		WRITE_ONCE(my->cut[i], seg->cut[i]);
	WRITE_ONCE(my->cut_gen, seg->gen);
	cut_sum(seg, sum);
	if (cut_is(seg, sum))
		return;
	turn ^= UMF_CUT_TABLE;
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		WRITE_ONCE(hd->cut[turn & UMF_CUT_TABLE][i], sum[i]);
		any |= sum[i];
	}
	turn = (turn & ~UMF_CUT_ANY) + UMF_CUT_STEP;
	/* pairs with umf_seg_cut() */
	virt_store_release(&hd->cut_turn, any ? turn | UMF_CUT_ANY : turn);
}

int umf_segment_trylock(struct umf_segment *seg)
{
	return join_trylock(seg);
}

void umf_segment_unlock(struct umf_segment *seg)
{
	join_unlock(seg);
}

void umf_segment_cut(struct umf_segment *seg, const u64 cut[UMF_SEG_PORTS])
{
	if (READ_ONCE(seg->abandoned))
		return;
	memcpy(seg->cut, cut, sizeof(seg->cut));
	cut_publish(seg);
}

bool umf_segment_rx_cut(const struct umf_segment *seg, unsigned int port)
{
	return umf_seg_cut(seg->header, port) & BIT_ULL(seg->me);
}

int umf_segment_cut_by(const struct umf_segment *seg, unsigned int from,
		       unsigned int to)
{
	unsigned int i;

	if (READ_ONCE(seg->cut[from]) & BIT_ULL(to))
		return seg->me;
	for (i = 0; i < UMF_SEG_PORTS; i++)
		if (cut_counts(seg, i) &&
		    (READ_ONCE(seg->port[i].cut[from]) & BIT_ULL(to)))
			return i;
	return -1;
}

/* ---- joining and leaving ---- */

/* Under the join lock: who joins has the lock on its slot before a state. */
static bool bury_dead(struct umf_segment *seg)
{
	bool any = false;
	unsigned int i;

	for (i = first_dead(seg, 0); i < UMF_SEG_PORTS;
	     i = first_dead(seg, i + 1)) {
		bury(seg, i);
		any = true;
	}
	return any;
}

/* Maps the port table; makes it, or refuses one that is not ours. */
static int map_segment(struct umf_segment *seg, bool made_dir, char *error)
{
	struct umf_seg_header *hd;
	struct umf_host_info info;
	int err;

	BUILD_BUG_ON(sizeof(struct umf_seg_header) > UMF_SEG_PAGE);
	BUILD_BUG_ON(sizeof(struct umf_seg_port) != UMF_SEG_PAGE);
	err = umf_host_info(seg->fd, &info);
	if (!err && !info.size) {
		err = umf_host_alloc(seg->fd, UMF_SEG_SIZE);
		info.size = UMF_SEG_SIZE;
	}
	if (err) {
		snprintf(error, UMF_SEG_ERROR, "no room for %s/segment (error %d)",
			 seg->path, err);
		return err;
	}
	if (info.size != UMF_SEG_SIZE) {
		snprintf(error, UMF_SEG_ERROR,
			 "%s/segment is from an incompatible build (%llu bytes, not %u); remove it if nobody uses it",
			 seg->path, info.size, UMF_SEG_SIZE);
		return -EINVAL;
	}
	hd = os_mmap_rw_shared(seg->fd, UMF_SEG_SIZE);
	if (!hd) {
		snprintf(error, UMF_SEG_ERROR, "cannot map %s/segment", seg->path);
		return -ENOMEM;
	}
	seg->header = hd;
	seg->port = (struct umf_seg_port *)((u8 *)hd + UMF_SEG_PAGE);

	if (!hd->magic) {
		/* New, or its maker died before the last line below. */
		hd->version = UMF_SEG_VERSION;
		hd->ports = UMF_SEG_PORTS;
		hd->page = UMF_SEG_PAGE;
		hd->ring = UMF_RING_DEFAULT;
		hd->made_dir = made_dir;
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
	return 0;
}

/* Tells the others to look again. */
static void notify_all(struct umf_segment *seg)
{
	char name[NAME_LEN];
	unsigned int i;
	int fd;

	for (i = 0; i < UMF_SEG_PORTS; i++) {
		if (i == seg->me ||
		    READ_ONCE(seg->port[i].state) == UMF_PORT_FREE)
			continue;
		WRITE_ONCE(seg->port[i].changed_tx, 1);
		WRITE_ONCE(seg->port[i].changed_rx, 1);
		virt_mb();	/* before it wakes up and looks */
		bell_name(name, i);
		fd = umf_host_bell_open(seg->dir, name);
		if (fd < 0)
			continue;
		umf_host_bell_ring(fd);
		os_close_file(fd);
	}
}

/* The lowest slot nobody holds becomes ours. Under the join lock. */
static int take_port(struct umf_segment *seg, const char *label, char *error)
{
	struct umf_seg_port *my;
	char name[NAME_LEN];
	unsigned int i;
	int err = 0;

	if (!others_alive(seg->fd))
		for (i = 0; i < UMF_SEG_PORTS; i++) {
			remove_port_files(seg->dir, i);
			WRITE_ONCE(seg->port[i].state, UMF_PORT_FREE);
		}
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

	remove_port_files(seg->dir, i);
	seg->me = i;
	my = &seg->port[i];
	seg->gen = READ_ONCE(my->gen) + 1;
	WRITE_ONCE(my->gen, seg->gen);
	WRITE_ONCE(my->mac, 0);
	WRITE_ONCE(my->flags, 0);
	WRITE_ONCE(my->pid, os_getpid());
	strscpy(my->label, label, sizeof(my->label));
	WRITE_ONCE(my->need_wake, 0);
	WRITE_ONCE(my->changed_tx, 1);
	WRITE_ONCE(my->changed_rx, 0);
	WRITE_ONCE(my->pending[0], 0);
	WRITE_ONCE(my->pending[1], 0);
	/*
	 * Pairs with umf_segment_tx_scan(): state last. But before there is a
	 * file, so that who dies here is buried.
	 */
	virt_store_release(&my->state, UMF_PORT_JOINED);
	bell_name(name, i);
	seg->bell = umf_host_bell_make(seg->dir, name);
	if (seg->bell < 0) {
		bury(seg, i);
		snprintf(error, UMF_SEG_ERROR, "cannot make %s/%s (error %d)",
			 seg->path, name, seg->bell);
		return seg->bell;
	}
	for (i = 0; i < UMF_SEG_PORTS; i++)
		seg->tx[i].serial = READ_ONCE(my->serial[i]);
	seg->state = UMF_PORT_JOINED;
	seg->my = my;
	/* without those of who had the slot before */
	cut_publish(seg);
	return 0;
}

static void free_segment(struct umf_segment *seg)
{
	if (seg->header)
		os_unmap_memory(seg->header, UMF_SEG_SIZE);
	if (seg->bell >= 0)
		os_close_file(seg->bell);
	if (seg->fd >= 0)
		os_close_file(seg->fd);	/* and with it the locks */
	if (seg->dir >= 0)
		os_close_file(seg->dir);
	kfree(seg->path);
	kfree(seg);
}

static int try_join(struct umf_segment *seg, const char *label, char *error)
{
	bool made = false;
	char *parent;
	int fd, err;

	if (seg->bare) {
		parent = parent_of(seg->path);
		if (!parent)
			return -ENOMEM;
		fd = open_folder(parent, &made, error);
		kfree(parent);
		if (fd < 0)
			return fd;
		os_close_file(fd);
	}
	seg->dir = open_folder(seg->path, &made, error);
	if (seg->dir < 0)
		return seg->dir == -ENOENT && seg->bare ? -ESTALE : seg->dir;
	err = open_segment_file(seg, error);
	if (err)
		return err;
	err = map_segment(seg, made, error);
	if (!err)
		err = take_port(seg, label, error);
	join_unlock(seg);
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
		seg->bare = is_bare(name);
		err = -ENOMEM;
		seg->path = segment_path(name);
		if (seg->path)
			err = try_join(seg, label, error);
		if (!err)
			return seg;
		free_segment(seg);
	} while (err == -ESTALE && --tries);
	if (err == -ESTALE)
		snprintf(error, UMF_SEG_ERROR, "%s goes away again and again",
			 name);
	return ERR_PTR(err);
}

static void give_back(struct umf_segment *seg, void (*wait)(void))
{
	bool locked = !join_lock(seg, wait);
	bool made_dir = READ_ONCE(seg->header->made_dir);
	char *last = strrchr(seg->path, '/');
	unsigned int i;

	bury(seg, seg->me);
	if (locked) {
		bury_dead(seg);
		memset(seg->cut, 0, sizeof(seg->cut));
		cut_publish(seg);
	}
	notify_all(seg);
	umf_host_unlock(seg->fd, UMF_SEG_LOCK_PORT + seg->me);
	if (locked && !others_alive(seg->fd)) {
		for (i = 0; i < UMF_SEG_PORTS; i++)
			remove_port_files(seg->dir, i);
		umf_host_unlink(seg->dir, "segment");
		if (made_dir && !umf_host_rmdir(seg->path) && seg->bare) {
			*last = '\0';
			umf_host_rmdir(seg->path);
		}
	}
	if (locked)
		join_unlock(seg);
}

void umf_segment_abandon(struct umf_segment *seg)
{
	WRITE_ONCE(seg->abandoned, true);
	seg->locked = 0;	/* whoever has it does not go on */
	give_back(seg, wait_spin);
}

static void tx_close(struct seg_tx *tx)
{
	if (tx->ring.sh)
		os_unmap_memory(tx->ring.sh, ring_bytes(tx->ring.size));
	tx->ring.sh = NULL;
	if (tx->bell >= 0)
		os_close_file(tx->bell);
	tx->bell = -1;
	tx->failed = false;
}

static void rx_close(struct umf_segment *seg, unsigned int port)
{
	struct umf_ring_rx *rx = &seg->rx[port];

	if (rx->sh)
		os_unmap_memory(rx->sh, ring_bytes(rx->size));
	rx->sh = NULL;
	seg->active &= ~BIT_ULL(port);
	seg->gone &= ~BIT_ULL(port);
}

void umf_segment_leave(struct umf_segment *seg)
{
	unsigned int i;

	for (i = 0; i < UMF_SEG_PORTS; i++) {
		tx_close(&seg->tx[i]);
		rx_close(seg, i);
	}
	give_back(seg, wait_sleep);
	free_segment(seg);
}

/* ---- who else is there ---- */

unsigned int umf_segment_port(const struct umf_segment *seg)
{
	return seg->me;
}

u32 umf_segment_ring_size(const struct umf_segment *seg)
{
	return seg->ring_size;
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

void umf_segment_publish(struct umf_segment *seg, u64 mac, u32 mtu)
{
	bool other = seg->mac != mac;

	seg->mac = mac;
	seg->mtu = mtu;
	WRITE_ONCE(seg->my->mac, mac);
	WRITE_ONCE(seg->my->mtu, mtu);
	if (other)
		notify_all(seg);	/* somebody's partition may name it */
}

void umf_segment_forget(struct umf_segment *seg)
{
	WRITE_ONCE(seg->my->forget, READ_ONCE(seg->my->forget) + 1);
	notify_all(seg);
}

void umf_segment_set_monitor(struct umf_segment *seg)
{
	seg->flags |= UMF_PORT_MONITOR;
	WRITE_ONCE(seg->my->flags, seg->flags);
}

u32 umf_segment_missed(const struct umf_segment *seg, unsigned int port)
{
	return READ_ONCE(seg->port[port].missed[seg->me]);
}

void umf_segment_set_up(struct umf_segment *seg, bool up)
{
	WRITE_ONCE(seg->state, up ? UMF_PORT_UP : UMF_PORT_JOINED);
	WRITE_ONCE(seg->my->state, seg->state);
	notify_all(seg);
}

bool umf_segment_check(struct umf_segment *seg)
{
	if (first_dead(seg, 0) < UMF_SEG_PORTS || !cut_right(seg)) {
		if (join_trylock(seg))
			return true;	/* the next round sees to it */
		if (bury_dead(seg)) {
			WRITE_ONCE(seg->my->changed_tx, 1);
			WRITE_ONCE(seg->my->changed_rx, 1);
			notify_all(seg);
		}
		cut_publish(seg);
		join_unlock(seg);
	}
	return others_alive(seg->fd);
}

/*
 * Says again what our slot is to say, should somebody have written there. Part
 * of every round of the watch; the rest of a slot heals by being used.
 */
static void repair_slot(struct umf_segment *seg)
{
	struct umf_seg_port *my = seg->my;
	u32 state = READ_ONCE(seg->state);
	bool wrong = false;
	unsigned int i;

	if (READ_ONCE(seg->abandoned))
		return;
	if (READ_ONCE(my->state) != state || READ_ONCE(my->gen) != seg->gen ||
	    READ_ONCE(my->mac) != seg->mac || READ_ONCE(my->mtu) != seg->mtu ||
	    READ_ONCE(my->flags) != seg->flags) {
		WRITE_ONCE(my->gen, seg->gen);
		WRITE_ONCE(my->flags, seg->flags);
		WRITE_ONCE(my->mac, seg->mac);
		WRITE_ONCE(my->mtu, seg->mtu);
		WRITE_ONCE(my->state, state);
		wrong = true;
	}
	for (i = 0; i < UMF_SEG_PORTS; i++)
		if (READ_ONCE(my->serial[i]) != seg->tx[i].serial) {
			WRITE_ONCE(my->serial[i], seg->tx[i].serial);
			wrong = true;
		}
	if (wrong) {
		pr_warn_ratelimited("%s: somebody wrote to the slot of port %u, repaired\n",
				    seg->path, seg->me);
		notify_all(seg);
	}
}

/* ---- sending ---- */

bool umf_segment_tx_changed(const struct umf_segment *seg)
{
	return READ_ONCE(seg->my->changed_tx);
}

u64 umf_segment_tx_scan(struct umf_segment *seg)
{
	u64 before = seg->up, up = 0, monitors = 0, gone = 0;
	unsigned int i;
	u32 gen;

	repair_slot(seg);
	WRITE_ONCE(seg->my->changed_tx, 0);
	virt_mb();	/* a change from here on sets it again */
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		struct seg_tx *tx = &seg->tx[i];

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
			tx_close(tx);
			gone |= BIT_ULL(i);
		}
		tx->gen = gen;
	}
	seg->up = up;
	seg->monitors = monitors & up;
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

static struct umf_ring_shared *make_ring_file(struct umf_segment *seg,
					      const char *name, u32 size)
{
	struct umf_ring_shared *sh;
	int fd, err;

	umf_host_unlink(seg->dir, name);
	fd = umf_host_open(seg->dir, name, 1, 1);
	if (fd < 0)
		return ERR_PTR(fd);
	/* All of it now: a full file system must not become a SIGBUS later. */
	err = umf_host_alloc(fd, ring_bytes(size));
	sh = err ? NULL : os_mmap_rw_shared(fd, ring_bytes(size));
	os_close_file(fd);
	if (sh)
		return sh;
	umf_host_unlink(seg->dir, name);
	return ERR_PTR(err ?: -ENOMEM);
}

static void use_ring(struct umf_segment *seg, unsigned int port,
		     struct umf_ring_shared *sh, u32 size)
{
	struct seg_tx *tx = &seg->tx[port];

	sh->magic = UMF_RING_MAGIC;
	sh->size = size;
	sh->serial = ++tx->serial;
	sh->gen = seg->gen;
	WRITE_ONCE(seg->my->missed[port], 0);
	tx->ring.sh = sh;
	tx->ring.size = size;
	tx->ring.head = 0;
	tx->full_tail = 0;
	tx->full = 0;
}

static void announce_ring(struct umf_segment *seg, unsigned int port)
{
	/* pairs with umf_segment_rx_next(): the ring is ready */
	virt_store_release(&seg->my->serial[port], seg->tx[port].serial);
}

static int make_ring(struct umf_segment *seg, unsigned int port)
{
	u32 size = ring_size_of(seg, seg->monitors & BIT_ULL(port));
	struct umf_ring_shared *sh;
	char name[NAME_LEN];

	ring_name(name, seg->me, port);
	sh = make_ring_file(seg, name, size);
	if (IS_ERR(sh))
		return PTR_ERR(sh);
	use_ring(seg, port, sh, size);
	announce_ring(seg, port);
	return 0;
}

static bool may_grow(const struct umf_segment *seg, unsigned int port)
{
	const struct umf_ring_tx *ring = &seg->tx[port].ring;
	unsigned int i, grown = 0;

	if (ring->size >= grown_size_of(seg, seg->monitors & BIT_ULL(port)))
		return false;
	for (i = 0; i < UMF_SEG_PORTS; i++)
		grown += seg->tx[i].ring.sh &&
			 seg->tx[i].ring.size > seg->ring_size &&
			 !(seg->monitors & BIT_ULL(i));
	return grown < GROW_MOST;
}

/*
 * A ring is full. Is it time for a larger one? The receiver has mapped this one,
 * as it has read from it, so it will come to its end before it takes the other;
 * and only when that is there does it get the name. True: there is room now.
 */
static bool grow_ring(struct umf_segment *seg, unsigned int port)
{
	struct seg_tx *tx = &seg->tx[port];
	u32 tail = READ_ONCE(tx->ring.sh->tail), old_size = tx->ring.size;
	struct umf_ring_shared *sh, *old = tx->ring.sh;
	char name[NAME_LEN], new[NAME_LEN];
	u32 size;

	if (tail == tx->full_tail || ++tx->full < GROW_AFTER)
		goto out;
	tx->full = 0;
	if (!may_grow(seg, port))
		goto out;
	size = grown_size_of(seg, seg->monitors & BIT_ULL(port));
	grow_name(new, seg->me, port);
	ring_name(name, seg->me, port);
	sh = make_ring_file(seg, new, size);
	if (IS_ERR(sh))
		goto out;
	use_ring(seg, port, sh, size);
	if (umf_host_rename(seg->dir, new, name)) {
		/* There is none that anybody can find; the next is made anew. */
		tx->ring.sh = NULL;
		tx->serial--;
		umf_host_unlink(seg->dir, new);
		os_unmap_memory(sh, ring_bytes(size));
	} else {
		announce_ring(seg, port);
	}
	os_unmap_memory(old, ring_bytes(old_size));
	return tx->ring.sh;
out:
	tx->full_tail = tail;
	return false;
}

/*
 * Does the receiver sleep, with nothing left that it was told of? It takes the
 * bits after it has cleared need_wake, so they are read here in reverse: who
 * sleeps now has emptied the rings whose bits it took.
 */
static bool receiver_idle(const struct umf_segment *seg, unsigned int port)
{
	const struct umf_seg_port *to = &seg->port[port];

	if (READ_ONCE(to->pending[seg->me / 32]) & BIT(seg->me % 32))
		return false;
	virt_rmb();	/* see umf_segment_rx_poll() */
	return READ_ONCE(to->need_wake);
}

int umf_segment_reserve(struct umf_segment *seg, unsigned int port, u32 len,
			struct umf_ring_rec **rec)
{
	struct seg_tx *tx = &seg->tx[port];
	int err;

	if (!(seg->up & BIT_ULL(port)) || READ_ONCE(seg->abandoned))
		return -ENOTCONN;
	if (umf_seg_cut(seg->header, seg->me) & BIT_ULL(port))
		return -EHOSTUNREACH;
	if (tx->ring.sh) {
		err = umf_ring_reserve(&tx->ring, len, rec);
		if (err == -EAGAIN && receiver_idle(seg, port)) {
			/* Then it is empty; full still, its tail is wrong. */
			err = umf_ring_reserve(&tx->ring, len, rec);
			if (err == -EAGAIN)
				err = -EBADMSG;
		} else if (err == -EAGAIN && grow_ring(seg, port)) {
			err = umf_ring_reserve(&tx->ring, len, rec);
		}
		if (err != -EBADMSG)
			return err;
		os_unmap_memory(tx->ring.sh, ring_bytes(tx->ring.size));
		tx->ring.sh = NULL;
		pr_warn_ratelimited("%s: the ring to port %u was corrupt, a new one is made\n",
				    seg->path, port);
	}
	if (tx->failed && time_before(jiffies, tx->retry))
		return -ENOSPC;
	err = make_ring(seg, port);
	tx->failed = err;
	if (err) {
		tx->retry = jiffies + RING_RETRY;
		pr_warn_ratelimited("%s: no ring to port %u can be made (error %d), frames to it are lost\n",
				    seg->path, port, err);
		return -ENOSPC;
	}
	return umf_ring_reserve(&tx->ring, len, rec);
}

void umf_segment_miss(struct umf_segment *seg, unsigned int port)
{
	u32 *missed = &seg->my->missed[port];

	WRITE_ONCE(*missed, READ_ONCE(*missed) + 1);
}

static int ring_bell(struct umf_segment *seg, unsigned int port)
{
	struct seg_tx *tx = &seg->tx[port];
	char name[NAME_LEN];
	int err;

	if (tx->bell < 0) {
		bell_name(name, port);
		tx->bell = umf_host_bell_open(seg->dir, name);
	}
	err = tx->bell < 0 ? tx->bell : umf_host_bell_ring(tx->bell);
	if (err == -EPIPE || err == -ENXIO || err == -ENOENT) {
		/* Its process is gone: the lock will say so in a moment. */
		tx->dead = tx->gen;
		WRITE_ONCE(seg->my->changed_tx, 1);
		return -EPIPE;
	}
	return 0;
}

int umf_segment_commit(struct umf_segment *seg, unsigned int port, u32 len)
{
	struct umf_seg_port *to = &seg->port[port];

	umf_ring_commit(&seg->tx[port].ring, len);
	/*
	 * A full barrier even on UP, the receiver is another process: the frame
	 * is there before the bit, the bit before need_wake is read. The other
	 * half is in umf_segment_rx_sleep().
	 */
	sync_set_bit(seg->me, (unsigned long *)to->pending);
	if (READ_ONCE(to->need_wake) && xchg(&to->need_wake, 0))
		return ring_bell(seg, port);
	return 0;
}

/* ---- receiving ---- */

void umf_segment_rx_start(struct umf_segment *seg)
{
	unsigned int i;

	for (i = 0; i < UMF_SEG_PORTS; i++)
		rx_close(seg, i);
	seg->active = 0;
	seg->gone = 0;
	WRITE_ONCE(seg->my->changed_rx, 1);
}

bool umf_segment_rx_poll(struct umf_segment *seg)
{
	struct umf_seg_port *my = seg->my;
	unsigned int i;
	int word;

	WRITE_ONCE(my->need_wake, 0);
	for (word = 0; word < 2; word++)
		if (READ_ONCE(my->pending[word]))
			seg->active |= (u64)xchg(&my->pending[word], 0) <<
				       (32 * word);
	seg->active &= ~BIT_ULL(seg->me);
	if (!READ_ONCE(my->changed_rx) || !xchg(&my->changed_rx, 0))
		return false;
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		struct umf_ring_rx *rx = &seg->rx[i];

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
		if (now == seg->forget[i])
			continue;
		seg->forget[i] = now;
		ports |= BIT_ULL(i);
	}
	return ports;
}

/* Maps the ring its sender's slot announces. */
static int rx_map(struct umf_segment *seg, unsigned int port, u32 serial)
{
	bool monitor = seg->flags & UMF_PORT_MONITOR;
	u32 size = ring_size_of(seg, monitor);
	struct umf_ring_rx *rx = &seg->rx[port];
	struct umf_ring_shared *sh;
	struct umf_host_info info;
	size_t bytes = ring_bytes(size);
	char name[NAME_LEN];
	int fd, err;

	ring_name(name, port, seg->me);
	fd = umf_host_open(seg->dir, name, 0, 0);
	if (fd < 0)
		return fd;
	err = umf_host_info(fd, &info);
	if (!err && info.size != bytes) {
		size = grown_size_of(seg, monitor);
		bytes = ring_bytes(size);
		if (info.size != bytes)
			err = -EBADMSG;
	}
	sh = err ? NULL : os_mmap_rw_shared(fd, bytes);
	os_close_file(fd);
	if (!sh)
		return err ?: -ENOMEM;
	if (READ_ONCE(sh->serial) == serial + 1) {
		/* The next one already; its sender is about to say so. */
		os_unmap_memory(sh, bytes);
		return -EAGAIN;
	}
	if (READ_ONCE(sh->magic) != UMF_RING_MAGIC ||
	    READ_ONCE(sh->size) != size ||
	    READ_ONCE(sh->serial) != serial) {
		/* Its sender cannot see that: it does not read these. */
		WRITE_ONCE(sh->broken, 1);
		os_unmap_memory(sh, bytes);
		return -EBADMSG;
	}
	if (READ_ONCE(sh->broken)) {
		/* Given up before; its sender will make another. */
		os_unmap_memory(sh, bytes);
		return -EPIPE;
	}
	rx->sh = sh;
	rx->size = size;
	rx->serial = serial;
	rx->tail = READ_ONCE(sh->tail);
	return 0;
}

int umf_segment_rx_next(struct umf_segment *seg, unsigned int *port,
			struct umf_ring_rec *rec, const u8 **data)
{
	while (seg->active) {
		u64 later = seg->active & ~(BIT_ULL(seg->next) - 1);
		unsigned int i = __ffs64(later ?: seg->active);
		struct umf_ring_rx *rx = &seg->rx[i];
		int ret = 0;
		u32 serial;

		/* pairs with make_ring() */
		serial = virt_load_acquire(&seg->port[i].serial[seg->me]);
		if (rx->sh)
			ret = umf_ring_peek(rx, rec, data);
		if (!ret && (!rx->sh || rx->serial != serial)) {
			rx_close(seg, i);
			seg->active |= BIT_ULL(i);
			ret = rx_map(seg, i, serial);
			if (!ret)
				ret = umf_ring_peek(rx, rec, data);
			else if (ret != -EBADMSG)
				ret = 0;	/* gone meanwhile */
		}
		if (ret == 1) {
			*port = i;
			seg->next = (i + 1) % UMF_SEG_PORTS;
			return 1;
		}
		seg->active &= ~BIT_ULL(i);
		if (ret == -EBADMSG) {
			if (rx->sh)
				WRITE_ONCE(rx->sh->broken, 1);
			rx_close(seg, i);
			pr_warn_ratelimited("%s: the ring from port %u is corrupt, what is in it is lost\n",
					    seg->path, i);
			return ret;
		}
		if (seg->gone & BIT_ULL(i))
			rx_close(seg, i);
	}
	return 0;
}

void umf_segment_rx_done(struct umf_segment *seg, unsigned int port, u32 len)
{
	umf_ring_consume(&seg->rx[port], len);
}

bool umf_segment_rx_sleep(struct umf_segment *seg)
{
	struct umf_seg_port *my = seg->my;

	if (seg->active)
		return false;
	WRITE_ONCE(my->need_wake, 1);
	virt_mb();	/* see umf_segment_commit() */
	return !READ_ONCE(my->pending[0]) && !READ_ONCE(my->pending[1]) &&
	       !READ_ONCE(my->changed_rx);
}
