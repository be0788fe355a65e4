// SPDX-License-Identifier: GPL-2.0
/*
 * link,<path>: a null modem between two guests, through memory they share.
 *
 * RTS is the other side's CTS, DTR its DSR and DCD. The format of the memory
 * and how two ends find each other is in tty/link.h. There is no process in
 * between: each end has a bell, a FIFO that only it reads and only the other
 * end writes. A byte in it says look; that it has no writer any more says that
 * the other guest is gone, at whatever instant that happened.
 *
 *	ALONE      nobody on the other end: no lines, what is sent is lost
 *	SEEN       there is somebody; the rings are ours, not yet theirs
 *	CONNECTED  bytes move
 *
 * The kernel's lock on the end's byte says who is alive; a folder both of whose
 * ends are alive refuses a third one.
 */
#define pr_fmt(fmt) "umf: " fmt

#include <linux/ctype.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <asm/barrier.h>
#include <init.h>
#include <os.h>
#include "host/host.h"
#include "tty/tty.h"
#include "tty/link.h"
#include "tty/port.h"

#define JOIN_TRIES	1000		/* of two milliseconds */
#define LOCK_TRIES	100		/* of two: its holder is dying */
#define RING_MASK	(UMF_LINK_RING - 1)

enum link_state {
	LINK_ALONE,
	LINK_SEEN,
	LINK_CONNECTED,
};

struct umf_link {
	char *path;
	int dir, fd, bell;
	int peer_bell;			/* -1: not open */
	unsigned int me;
	struct umf_host_map map;
	struct umf_link_shared *sh;	/* there */
	struct umf_link_end *my, *peer;
	enum link_state state;
	u32 peer_gen;			/* the one we are ready for */
	u32 gone_gen;			/* the one that has hung up */
	u32 head, tail;			/* ours of my ring and of the peer's */
	u32 lost_seen;			/* of peer->lost */
	u32 wire;			/* settings of what is put, … */
	u32 wire_told;			/* … and of the last mark; ~0: none */
	u32 waits;			/* the last number of ours */
	u32 rung_data, rung_space;	/* the peer's, that we have rung for */
	bool put;			/* something since the last kick */
	bool gone;			/* somebody has truncated the file */
};

static void bell_name(char name[16], unsigned int end)
{
	snprintf(name, 16, "end-%u.bell", end);
}

/* ---- moving symbols; uart_port.lock held ---- */

static struct umf_link *link_of(struct umf_tty *tty)
{
	return tty->priv;
}

/* Virtual time: it is to look when what we have for it gets there. */
static void ring_later(struct umf_link *link)
{
	u64 due = umf_clock_now() + umf_clock_lookahead();

	if (!READ_ONCE(link->peer->due) || due < READ_ONCE(link->peer->due))
		WRITE_ONCE(link->peer->due, due);
	umf_clock_wake(READ_ONCE(link->peer->clock), due);
}

static void ring_peer(struct umf_link *link)
{
	if (umf_clock_virtual()) {
		ring_later(link);
		return;
	}
	if (link->peer_bell >= 0)
		umf_host_bell_ring(link->peer_bell);
}

/* Wakes the peer if it waits: once a wait, whose number only it changes. */
static void ring_waiting(struct umf_link *link, const u32 *need, u32 *rung)
{
	u32 wait = READ_ONCE(*need);

	if (!wait || wait == *rung)
		return;
	*rung = wait;
	ring_peer(link);
}

static u32 next_wait(struct umf_link *link)
{
	link->waits = link->waits + 1 ?: 1;
	return link->waits;
}

/* Symbols of ours the other end has not taken; more than fit: it cheats. */
static u32 ring_used(struct umf_link *link)
{
	/* its reads of the ring come before it moved the tail */
	u32 tail = virt_load_acquire(&link->peer->tail);

	return min_t(u32, link->head - tail, UMF_LINK_RING);
}

static void ring_put(struct umf_link *link, u32 sym)
{
	WRITE_ONCE(link->my->ring[link->head++ & RING_MASK], sym);
}

static unsigned int link_put(struct umf_tty *tty, const u32 *sym,
			     unsigned int n)
{
	struct umf_link *link = link_of(tty);
	unsigned int room, i;

	if (link->state != LINK_CONNECTED)
		return n;	/* into the air */
	room = UMF_LINK_RING - ring_used(link);
	if (room && link->wire != link->wire_told) {
		ring_put(link, UMF_SYM_WIRE | link->wire);
		link->wire_told = link->wire;
		room--;
	}
	room = min(n, room);
	for (i = 0; i < room; i++)
		ring_put(link, sym[i]);
	/* the symbols before the head */
	virt_store_release(&link->my->head, link->head);
	link->put = true;
	umf_idle_expect(&tty->idle);
	if (room < n && tty->pace) {
		/* A line does not wait: the receiver is overrun. */
		WRITE_ONCE(link->my->lost, link->my->lost + (n - room));
		return n;
	}
	return room;
}

static bool link_wait_room(struct umf_tty *tty)
{
	struct umf_link *link = link_of(tty);

	WRITE_ONCE(link->my->need_space, next_wait(link));
	virt_mb();	/* pairs with the one in link_get() */
	return link->state == LINK_CONNECTED &&
	       ring_used(link) == UMF_LINK_RING;
}

static void link_kick(struct umf_tty *tty)
{
	struct umf_link *link = link_of(tty);

	if (!link->put)
		return;
	link->put = false;
	virt_mb();	/* the data before the look; pairs with link_get() */
	ring_waiting(link, &link->peer->need_data, &link->rung_data);
}

/* Symbols of the other end's. More than its ring has is no offer but a lie. */
static u32 ring_filled(struct umf_link *link)
{
	/* the head before the symbols */
	u32 used = virt_load_acquire(&link->peer->head) - link->tail;

	if (used <= UMF_LINK_RING)
		return used;
	link->tail += used;
	WRITE_ONCE(link->my->tail, link->tail);
	return 0;
}

static unsigned int link_get(struct umf_tty *tty, u32 *sym, unsigned int max)
{
	struct umf_link *link = link_of(tty);
	u32 used, lost, i;

	if (link->state != LINK_CONNECTED)
		return 0;
	used = ring_filled(link);
	if (!used) {
		lost = READ_ONCE(link->peer->lost);
		if (lost != link->lost_seen) {
			link->lost_seen = lost;
			sym[0] = UMF_SYM_LOST;
			return 1;
		}
		WRITE_ONCE(link->my->need_data, next_wait(link));
		virt_mb();	/* pairs with link_kick() */
		used = ring_filled(link);
		if (!used)
			return 0;
		WRITE_ONCE(link->my->need_data, 0);
	}
	umf_idle_expect(&tty->idle);
	used = min(used, max);
	for (i = 0; i < used; i++)
		sym[i] = READ_ONCE(link->peer->ring[(link->tail + i) &
						    RING_MASK]);
	link->tail += used;
	/* the reads before the tail */
	virt_store_release(&link->my->tail, link->tail);
	virt_mb();	/* pairs with link_wait_room() */
	ring_waiting(link, &link->peer->need_space, &link->rung_space);
	return used;
}

static bool link_pending(const struct umf_tty *tty)
{
	const struct umf_link *link = tty->priv;

	return READ_ONCE(link->peer->head) != READ_ONCE(link->tail);
}

static u64 link_due(struct umf_tty *tty)
{
	struct umf_link *link = link_of(tty);
	u64 due = READ_ONCE(link->my->due);

	WRITE_ONCE(link->my->due, 0);
	return due;
}

static bool link_look(struct umf_tty *tty, bool on)
{
	struct umf_link *link = link_of(tty);

	if (link->state != LINK_CONNECTED)
		return false;
	WRITE_ONCE(link->my->need_data, on ? 0 : next_wait(link));
	virt_mb();	/* before what may be there is looked for */
	return true;
}

/* ---- the other end comes and goes; uart_port.lock held ---- */

static void link_down(struct umf_tty *tty, struct umf_link *link)
{
	if (link->peer_bell >= 0)
		os_close_file(link->peer_bell);
	link->peer_bell = -1;
	link->state = LINK_ALONE;
	link->gone_gen = link->peer_gen;
	tty->lines_in = 0;
}

/* Makes both rings empty on our side, and says so. */
static void link_ready(struct umf_link *link, u32 gen)
{
	char name[16];

	link->head = 0;
	link->wire_told = ~0;
	WRITE_ONCE(link->my->head, 0);
	link->tail = 0;
	WRITE_ONCE(link->my->tail, 0);
	link->lost_seen = READ_ONCE(link->peer->lost);
	link->rung_data = 0;
	link->rung_space = 0;
	WRITE_ONCE(link->my->need_space, 0);
	WRITE_ONCE(link->my->need_data, next_wait(link));
	link->peer_gen = gen;
	if (link->peer_bell >= 0)
		os_close_file(link->peer_bell);
	bell_name(name, !link->me);
	link->peer_bell = umf_host_bell_open(link->dir, name);
	link->state = link->peer_bell < 0 ? LINK_ALONE : LINK_SEEN;
	if (link->state == LINK_ALONE)
		return;
	/* what was emptied before that; pairs with link_event() */
	virt_store_release(&link->my->sees, gen);
	ring_peer(link);
}

static unsigned int lines_of(u32 lines)
{
	return (lines & UMF_LINK_RTS ? TIOCM_CTS : 0) |
	       (lines & UMF_LINK_DTR ? TIOCM_DSR | TIOCM_CAR : 0);
}

static void link_event(struct umf_tty *tty)
{
	struct umf_link *link = link_of(tty);
	u32 sees, gen;
	bool gone;

	/* It opens our bell before it says that it sees us. */
	sees = virt_load_acquire(&link->peer->sees);
	gone = umf_tty_host_drain(link->bell) &&
	       sees == READ_ONCE(link->my->gen);
	/* its bell is there before its gen */
	gen = virt_load_acquire(&link->peer->gen);

	if (READ_ONCE(*link->map.gone) && !link->gone) {
		link->gone = true;
		pr_warn("ttyS%u: somebody has truncated %s/link: no carrier until the line is configured again\n",
			tty->unit, link->path);
	}
	if (link->state != LINK_ALONE &&
	    (gone || link->gone || gen != link->peer_gen ||
	     !READ_ONCE(link->peer->present)))
		link_down(tty, link);
	if (link->state == LINK_ALONE && !link->gone &&
	    READ_ONCE(link->peer->present) && gen != link->gone_gen)
		link_ready(link, gen);
	/* it has emptied its side before that */
	sees = virt_load_acquire(&link->peer->sees);
	if (link->state == LINK_SEEN && sees == READ_ONCE(link->my->gen))
		link->state = LINK_CONNECTED;
	if (link->state != LINK_CONNECTED)
		return;
	/* before what is in the ring is taken: they changed after it was sent */
	tty->lines_in = lines_of(virt_load_acquire(&link->peer->lines));
}

static void link_set_lines(struct umf_tty *tty, unsigned int mctrl)
{
	struct umf_link *link = link_of(tty);
	u32 lines = (mctrl & TIOCM_RTS ? UMF_LINK_RTS : 0) |
		    (mctrl & TIOCM_DTR ? UMF_LINK_DTR : 0);

	if (READ_ONCE(link->my->lines) == lines)
		return;
	/* what was sent before that */
	virt_store_release(&link->my->lines, lines);
	ring_peer(link);
}

static void link_set_wire(struct umf_tty *tty, u32 wire)
{
	link_of(tty)->wire = wire;
}

#define LABEL_LEN	sizeof_field(struct umf_link_end, label)

/* Somebody else's text, for people. */
static void label_of(const struct umf_link_end *end, char label[LABEL_LEN])
{
	size_t i;

	for (i = 0; i < LABEL_LEN - 1; i++) {
		label[i] = READ_ONCE(end->label[i]);
		if (label[i] && !isgraph(label[i]))
			label[i] = '?';
	}
	label[i] = '\0';
}

static int link_describe(struct umf_tty *tty, char *buf, int size)
{
	static const char *const states[] = {
		"nobody on the other end", "the other end is being set up",
		"connected to ",
	};
	struct umf_link *link = link_of(tty);
	char label[LABEL_LEN] = "";

	if (link->state == LINK_CONNECTED)
		label_of(link->peer, label);
	return scnprintf(buf, size, "end %u, %s%s", link->me,
			 states[link->state], label);
}

/* ---- the folder ---- */

static int join_lock(int fd)
{
	int err, i;

	for (i = 0; i < JOIN_TRIES; i++) {
		err = umf_host_lock(fd, UMF_LINK_LOCK_JOIN);
		if (err != -EAGAIN)
			return err;
		usleep_range(1800, 2200);
	}
	return -EBUSY;
}

static int open_folder(struct umf_link *link, const char *name, char *error)
{
	struct umf_host_info info;
	char *parent;
	int err;

	if (!strchr(name, '/')) {
		parent = kasprintf(GFP_KERNEL, "/dev/shm/umf-%u",
				   umf_host_uid());
		if (!parent)
			return -ENOMEM;
		umf_host_mkdir(parent);
		kfree(parent);
	}
	err = umf_host_mkdir(link->path);
	if (err && err != -EEXIST) {
		snprintf(error, UMF_TTY_ERROR, "cannot make the folder %s: %s",
			 link->path, umf_host_error(err));
		return err;
	}
	link->dir = umf_host_open_dir(link->path, 0);
	if (link->dir < 0) {
		snprintf(error, UMF_TTY_ERROR, "cannot open the folder %s: %s",
			 link->path, umf_host_error(link->dir));
		return link->dir;
	}
	err = umf_host_info(link->dir, &info);
	if (!err && info.uid != umf_host_uid()) {
		snprintf(error, UMF_TTY_ERROR, "%s is another user's link (uid %u)",
			 link->path, info.uid);
		return -EPERM;
	}
	if (!err && info.mode & 022) {
		snprintf(error, UMF_TTY_ERROR,
			 "%s can be written by other users (mode %03o); chmod 700 it",
			 link->path, info.mode & 0777);
		return -EPERM;
	}
	return err;
}

/* Opens `link` and takes the join lock. -ESTALE: it was removed meanwhile. */
static int open_file(struct umf_link *link, char *error)
{
	struct umf_host_info info;
	int err;

	link->fd = umf_host_open(link->dir, "link", 1, 0);
	if (link->fd == -ENOENT)
		return -ESTALE;
	if (link->fd < 0) {
		snprintf(error, UMF_TTY_ERROR, "cannot make %s/link: %s",
			 link->path, umf_host_error(link->fd));
		return link->fd;
	}
	err = join_lock(link->fd);
	if (err) {
		snprintf(error, UMF_TTY_ERROR,
			 err == -EBUSY ? "%s is busy: an end is stopped while it joins or leaves" :
			 "cannot lock %s/link: %s", link->path, umf_host_error(err));
		return err;
	}
	err = umf_host_info(link->fd, &info);
	if (!err && !info.nlink)
		return -ESTALE;
	if (!err && !info.size) {
		err = umf_host_alloc(link->fd, sizeof(*link->sh));
		info.size = sizeof(*link->sh);
	}
	if (err) {
		snprintf(error, UMF_TTY_ERROR, "no room for %s/link: %s",
			 link->path, umf_host_error(err));
		return err;
	}
	if (info.size != sizeof(*link->sh)) {
		snprintf(error, UMF_TTY_ERROR,
			 "%s/link is not one of this build (%llu bytes, not %zu)",
			 link->path, info.size, sizeof(*link->sh));
		return -EINVAL;
	}
	return 0;
}

static int map_file(struct umf_link *link, char *error)
{
	struct umf_link_shared *sh;
	int err;

	err = umf_host_map(link->fd, sizeof(*sh), &link->map);
	if (err) {
		snprintf(error, UMF_TTY_ERROR, "cannot map %s/link: %s",
			 link->path, umf_host_error(err));
		return err;
	}
	sh = link->map.addr;
	link->sh = sh;
	if (!sh->magic) {
		sh->version = UMF_LINK_VERSION;
		sh->size = sizeof(*sh);
		/* the rest before that */
		virt_store_release(&sh->magic, UMF_LINK_MAGIC);
	}
	if (sh->magic != UMF_LINK_MAGIC || sh->version != UMF_LINK_VERSION ||
	    sh->size != sizeof(*sh)) {
		snprintf(error, UMF_TTY_ERROR,
			 "%s/link is from an incompatible build (version %u, this one is %u)",
			 link->path, sh->version, UMF_LINK_VERSION);
		return -EINVAL;
	}
	return 0;
}

static int take_end(struct umf_link *link, char *error)
{
	char first[LABEL_LEN], second[LABEL_LEN];
	int err = -EAGAIN, i;

	/* A killed guest takes a moment to die. */
	for (i = 0; err == -EAGAIN && i < LOCK_TRIES; i++) {
		if (i)
			usleep_range(1800, 2200);
		for (link->me = 0; link->me < 2; link->me++) {
			err = umf_host_lock(link->fd,
					    UMF_LINK_LOCK_END + link->me);
			if (err != -EAGAIN)
				break;
		}
	}
	label_of(&link->sh->end[0], first);
	label_of(&link->sh->end[1], second);
	if (err == -EAGAIN)
		snprintf(error, UMF_TTY_ERROR,
			 "%s has two ends and both are taken, by %s and %s",
			 link->path, first, second);
	else if (err)
		snprintf(error, UMF_TTY_ERROR, "cannot lock %s/link: %s",
			 link->path, umf_host_error(err));
	if (err)
		return err;
	if (!READ_ONCE(link->sh->end[!link->me].clock) == umf_clock_virtual() &&
	    umf_host_locked(link->fd, UMF_LINK_LOCK_END + !link->me, 1)) {
		snprintf(error, UMF_TTY_ERROR,
			 "the other end of %s is in %s time, and this one is not",
			 link->path, umf_clock_virtual() ? "real" : "virtual");
		return -EXDEV;
	}
	return 0;
}

/* Another gen than any the peer has known, whatever was here before us. */
static u32 next_gen(const struct umf_link *link)
{
	u32 gen = link->my->gen + 1 ?: 1;

	return gen == READ_ONCE(link->peer->sees) ? gen + 1 ?: 1 : gen;
}

/* The end is ours: makes its bell and shows it to the other one. */
static int show_end(struct umf_tty *tty, struct umf_link *link, char *error)
{
	struct umf_link_end *my = &link->sh->end[link->me];
	char name[16];

	link->my = my;
	link->peer = &link->sh->end[!link->me];
	bell_name(name, link->me);
	umf_host_unlink(link->dir, name);
	link->bell = umf_tty_host_bell(link->dir, name);
	if (link->bell < 0) {
		snprintf(error, UMF_TTY_ERROR, "cannot make %s/%s: %s",
			 link->path, name, umf_host_error(link->bell));
		return link->bell;
	}
	WRITE_ONCE(my->clock, umf_clock_virtual() ? umf_clock_me() : 0);
	WRITE_ONCE(my->due, 0);
	WRITE_ONCE(my->sees, 0);
	WRITE_ONCE(my->lines, 0);
	link->wire = umf_wire_pack(&tty->wire);
	WRITE_ONCE(my->pid, os_getpid());
	snprintf(my->label, sizeof(my->label), "%.30s/ttyS%u", get_umid(),
		 tty->unit);
	WRITE_ONCE(my->present, 1);
	/* the bell and all of the above before that */
	virt_store_release(&my->gen, next_gen(link));
	/* What stands in a dead end's place is not there. */
	if (umf_host_locked(link->fd, UMF_LINK_LOCK_END + !link->me, 1) == 0)
		WRITE_ONCE(link->peer->present, 0);
	return 0;
}

static void free_link(struct umf_link *link)
{
	umf_host_unmap(&link->map);
	if (link->peer_bell >= 0)
		os_close_file(link->peer_bell);
	if (link->bell >= 0)
		os_close_file(link->bell);
	if (link->fd >= 0)
		os_close_file(link->fd);	/* and with it the locks */
	if (link->dir >= 0)
		os_close_file(link->dir);
	kfree(link->path);
	kfree(link);
}

static struct umf_link *try_open(struct umf_tty *tty, const char *name,
				 char *error)
{
	struct umf_link *link = kzalloc_obj(*link);
	int err = -ENOMEM;

	if (!link)
		return ERR_PTR(err);
	link->dir = -1;
	link->fd = -1;
	link->bell = -1;
	link->peer_bell = -1;
	if (strchr(name, '/'))
		link->path = kstrdup(name, GFP_KERNEL);
	else
		link->path = kasprintf(GFP_KERNEL, "/dev/shm/umf-%u/%s",
				       umf_host_uid(), name);
	if (link->path)
		err = open_folder(link, name, error);
	if (!err)
		err = open_file(link, error);
	if (!err)
		err = map_file(link, error);
	if (!err)
		err = take_end(link, error);
	if (!err)
		err = show_end(tty, link, error);
	if (link->fd >= 0)
		umf_host_unlock(link->fd, UMF_LINK_LOCK_JOIN);
	if (!err)
		return link;
	free_link(link);
	return ERR_PTR(err);
}

static int link_open(struct umf_tty *tty, const char *arg, char *error)
{
	struct umf_link *link;
	int tries = 0;

	do {
		link = try_open(tty, arg, error);
	} while (link == ERR_PTR(-ESTALE) && ++tries < 10);
	if (IS_ERR(link))
		return PTR_ERR(link);
	tty->priv = link;
	tty->fd = link->bell;
	return 0;
}

/* Under the join lock, if it can be had at once: else the other one does. */
static void link_abandon(struct umf_tty *tty)
{
	struct umf_link *link = link_of(tty);
	char name[16];
	bool last;

	WRITE_ONCE(link->my->present, 0);
	WRITE_ONCE(link->my->lines, 0);
	virt_mb();	/* before it wakes up and looks */
	ring_peer(link);
	if (umf_host_lock(link->fd, UMF_LINK_LOCK_JOIN))
		return;
	last = !umf_host_locked(link->fd, UMF_LINK_LOCK_END + !link->me, 1);
	bell_name(name, link->me);
	umf_host_unlink(link->dir, name);
	if (last) {
		bell_name(name, !link->me);
		umf_host_unlink(link->dir, name);
		umf_host_unlink(link->dir, "link");
		umf_host_rmdir(link->path);
	}
	umf_host_unlock(link->fd, UMF_LINK_LOCK_JOIN);
}

static void link_close(struct umf_tty *tty)
{
	struct umf_link *link = link_of(tty);

	link_abandon(tty);
	/* By itself: a helper process of ours may hold a copy of the fd. */
	umf_host_unlock(link->fd, UMF_LINK_LOCK_END + link->me);
	free_link(link);
}

const struct umf_tty_transport umf_tty_link = {
	.name		= "link",
	.arg		= ",<path>",
	.open		= link_open,
	.close		= link_close,
	.abandon	= link_abandon,
	.event		= link_event,
	.put		= link_put,
	.wait_room	= link_wait_room,
	.get		= link_get,
	.kick		= link_kick,
	.look		= link_look,
	.pending	= link_pending,
	.due		= link_due,
	.set_lines	= link_set_lines,
	.set_wire	= link_set_wire,
	.describe	= link_describe,
};
