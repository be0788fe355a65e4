// SPDX-License-Identifier: GPL-2.0
/*
 * Captures: one for a device at most, one pcapng file each.
 *
 * A packet's block is built in a ring under the capture's lock and written to
 * the host by a work item. When the ring is full, as the file's reader is slow
 * or gone, packets are dropped and counted: nobody waits. A capture is
 *
 *	running	from `capture <device> <path>` on;
 *	ended	its file could be written no more: it takes nothing, the file is
 *		closed at the end of its last whole block, one line says why;
 *	gone	after `off`, the device's end, or soon after it has ended.
 *
 * Locking: captures come and go under the verbs' mutex, a device's is found
 * under RCU. The work item takes no mutex, as it is waited for under it; what
 * has ended is freed by another (reap). The ring's lock is a leaf.
 *
 * What is in the ring when the kernel halts or panics is written at once.
 */
#define pr_fmt(fmt) "umf: " fmt

#include <linux/delay.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/panic_notifier.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/utsname.h>
#include <linux/workqueue.h>
#include <init.h>
#include <os.h>
#include "capture/capture.h"
#include "capture/host.h"
#include "capture/pcapng.h"
#include "capture/pcapng_format.h"
#include "time/clock.h"

#define RING_SIZE	SZ_2M	/* bytes; a power of two */
#define CHUNK		SZ_64K	/* of one write */
#define WRITE_DELAY	1	/* jiffies a packet may wait for others */
#define HURRY		(RING_SIZE / 8)	/* no waiting with so much in the ring */
#define LAST_WAIT	20	/* ms for a reader that is slow at the end, … */
#define LAST_TRIES	50	/* … so often without any progress */

struct umf_capture {
	struct list_head list;	/* of all; the verbs' mutex */
	char device[16];
	char *path;
	struct delayed_work work;

	int fd;			/* these two are the writer's */
	u32 partial;		/* bytes written of a block that is not whole */
	u32 missing;		/* bytes of it to come */

	spinlock_t lock;	/* what follows */
	bool ended;		/* nothing goes in any more */
	bool hurried;		/* the writer knows that there is much */
	bool filling;		/* a block is not whole yet */
	int err;		/* why */
	u32 head, tail;		/* running counts, RING_SIZE apart at most */
	u64 first, last;	/* times: begun, the newest packet */
	u64 packets[2];		/* by enum umf_dir; those in the file */
	u64 bytes, dropped;
	u64 lost;		/* dropped since the newest packet */
	u8 *ring;
};

DEFINE_STATIC_KEY_FALSE(umf_any_capture);
static LIST_HEAD(captures);

/* ---- comments ---- */

static __printf(2, 0) void note_vadd(struct umf_note *note, const char *fmt,
				     va_list args)
{
	note->len += vscnprintf(note->text + note->len,
				sizeof(note->text) - note->len, fmt, args);
}

void umf_note_more(struct umf_note *note, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note_vadd(note, fmt, args);
	va_end(args);
}

void umf_note(struct umf_note *note, const char *fmt, ...)
{
	va_list args;

	if (note->len)
		umf_note_more(note, "; ");
	va_start(args, fmt);
	note_vadd(note, fmt, args);
	va_end(args);
}

void umf_note_effect(struct umf_note *note, const struct umf_effect *effect)
{
	umf_note(note, "%s %s", umf_actions[effect->action].name,
		 effect->spec->val[UMF_K_ID].text);
}

void umf_note_time(struct umf_note *note, u64 ns)
{
	static const struct {
		u64 ns;
		const char *name;
		unsigned int digits;
	} units[] = {
		{ NSEC_PER_SEC, "s", 9 }, { NSEC_PER_MSEC, "ms", 6 },
		{ NSEC_PER_USEC, "us", 3 }, { 1, "ns", 0 },
	};
	unsigned int i = 0, digits;
	u64 whole, rest;

	while (ns < units[i].ns && units[i].ns > 1)
		i++;
	whole = div64_u64(ns, units[i].ns);
	rest = ns - whole * units[i].ns;
	umf_note_more(note, " %llu", whole);
	for (digits = units[i].digits; rest && !(rest % 10); digits--)
		rest = div_u64(rest, 10);
	if (rest)
		umf_note_more(note, ".%0*llu", digits, rest);
	umf_note_more(note, "%s", units[i].name);
}

/* ---- the ring ---- */

static u32 ring_room(const struct umf_capture *cap)
{
	return RING_SIZE - (cap->head - cap->tail);
}

static void ring_copy(struct umf_capture *cap,
		      void (*copy)(const void *from, size_t off, u8 *to,
				   size_t len),
		      const void *from, size_t len)
{
	size_t done = 0, n;
	u32 at;

	while (done < len) {
		at = cap->head & (RING_SIZE - 1);
		n = min_t(size_t, len - done, RING_SIZE - at);
		copy(from, done, cap->ring + at, n);
		cap->head += n;
		done += n;
	}
}

static void copy_memory(const void *from, size_t off, u8 *to, size_t len)
{
	memcpy(to, from + off, len);
}

static void ring_put(struct umf_capture *cap, const void *from, size_t len)
{
	ring_copy(cap, copy_memory, from, len);
}

static void ring_peek(const struct umf_capture *cap, u32 at, void *to,
		      size_t len)
{
	u8 *byte = to;

	for (; len; len--)
		*byte++ = cap->ring[at++ & (RING_SIZE - 1)];
}

static void take_down(struct umf_capture *cap,
		      const struct umf_capture_packet *from)
{
	u8 head[UMF_PCAPNG_HEAD], tail[UMF_PCAPNG_TAIL];
	struct umf_pcapng_packet packet = {
		.time = from->time ?: ktime_get_real_ns(),
		.len = from->len,
		.tx = from->dir == UMF_DIR_TX,
		.lost = cap->lost,
		.comment = from->comment,
	};
	size_t nhead, ntail;

	lockdep_assert_held(&cap->lock);
	nhead = umf_pcapng_head(head, &packet);
	ntail = umf_pcapng_tail(tail, &packet);
	if (ring_room(cap) < nhead + from->len + ntail + UMF_PCAPNG_STATS) {
		cap->dropped++;
		cap->lost++;
		return;
	}
	cap->filling = true;
	ring_put(cap, head, nhead);
	ring_copy(cap, from->copy, from->from, from->len);
	ring_put(cap, tail, ntail);
	cap->filling = false;
	cap->packets[from->dir]++;
	cap->bytes += from->len;
	cap->last = packet.time;
	cap->lost = 0;
}

void umf_capture_packet(struct umf_site *site,
			const struct umf_capture_packet *packet)
{
	struct umf_capture *cap;
	unsigned long flags;
	bool hurry = false;

	rcu_read_lock();
	cap = rcu_dereference(site->capture);
	if (cap) {
		spin_lock_irqsave(&cap->lock, flags);
		if (!cap->ended) {
			take_down(cap, packet);
			hurry = !cap->hurried && cap->head - cap->tail > HURRY;
			cap->hurried |= hurry;
		}
		spin_unlock_irqrestore(&cap->lock, flags);
		if (hurry)
			mod_delayed_work(system_percpu_wq, &cap->work, 0);
		else
			queue_delayed_work(system_percpu_wq, &cap->work,
					   WRITE_DELAY);
	}
	rcu_read_unlock();
}

/* ---- the writer ---- */

static void reap(struct work_struct *work)
{
	umf_rules_reap();
}

static DECLARE_WORK(reap_work, reap);

/* It cannot be written any more: what is there is made to end with a block. */
static void end_with(struct umf_capture *cap, int err)
{
	unsigned long flags;

	spin_lock_irqsave(&cap->lock, flags);
	cap->ended = true;
	cap->err = err;
	spin_unlock_irqrestore(&cap->lock, flags);
	umf_capture_host_trim(cap->fd, cap->partial);
	if (err == -EPIPE)
		pr_info("capture of %s ends: who reads %s is gone\n",
			cap->device, cap->path);
	else
		pr_err("capture of %s ends: %s: %s\n", cap->device, cap->path,
		       umf_capture_host_error(err));
	schedule_work(&reap_work);
}

/* @n bytes from @at on are in the file: where in a block does that end? */
static void count_blocks(struct umf_capture *cap, u32 at, u32 n)
{
	u32 step;

	for (; n; n -= step, at += step) {
		if (!cap->missing) {
			ring_peek(cap, at + 4, &cap->missing, 4);
			cap->partial = 0;
		}
		step = min(n, cap->missing);
		cap->missing -= step;
		cap->partial += step;
	}
	if (!cap->missing)
		cap->partial = 0;
}

/* Writes what there is up to the ring's end, or -EAGAIN and the like. */
static int write_some(struct umf_capture *cap)
{
	u32 at = cap->tail & (RING_SIZE - 1), n;
	unsigned long flags;
	int done;

	spin_lock_irqsave(&cap->lock, flags);
	n = cap->head - cap->tail;	/* whole blocks */
	spin_unlock_irqrestore(&cap->lock, flags);
	n = min3(n, (u32)CHUNK, RING_SIZE - at);
	if (!n)
		return 0;
	done = umf_capture_host_write(cap->fd, cap->ring + at, n);
	if (done <= 0)
		return done ?: -EAGAIN;
	count_blocks(cap, cap->tail, done);
	spin_lock_irqsave(&cap->lock, flags);
	cap->tail += done;
	if (cap->tail == cap->head)
		cap->hurried = false;
	spin_unlock_irqrestore(&cap->lock, flags);
	return done;
}

static void write_work(struct work_struct *work)
{
	struct umf_capture *cap = container_of(to_delayed_work(work),
					       struct umf_capture, work);
	int done;

	if (cap->ended)
		return;
	while ((done = write_some(cap)) > 0)
		cond_resched();
	if (done == -EAGAIN)
		queue_delayed_work(system_percpu_wq, &cap->work, WRITE_DELAY);
	else if (done < 0)
		end_with(cap, done);
}

/* The last block. */
static void put_stats(struct umf_capture *cap)
{
	u8 stats[UMF_PCAPNG_STATS];
	u64 packets;
	size_t n;

	lockdep_assert_held(&cap->lock);
	packets = cap->packets[0] + cap->packets[1] + cap->dropped;
	n = umf_pcapng_stats(stats, cap->first,
			     max(cap->last, ktime_get_real_ns()), packets,
			     cap->dropped);
	ring_put(cap, stats, n);
}

/*
 * All that is not written yet. @wait passes the time until a reader that is slow
 * may have read something.
 */
static void write_last(struct umf_capture *cap,
		       void (*wait)(struct umf_capture *))
{
	int tries = 0, done = 1;

	while (done && tries < LAST_TRIES) {
		done = write_some(cap);
		if (done > 0) {
			tries = 0;
		} else if (done == -EAGAIN) {
			wait(cap);
			tries++;
		} else if (done < 0) {
			end_with(cap, done);
			break;
		}
	}
	cap->ended = true;
}

static void wait_asleep(struct umf_capture *cap)
{
	msleep(LAST_WAIT);
}

static void wait_on_host(struct umf_capture *cap)
{
	umf_capture_host_wait(cap->fd, LAST_WAIT);
}

static void finish(struct umf_capture *cap)
{
	unsigned long flags;

	if (cap->ended)
		return;
	spin_lock_irqsave(&cap->lock, flags);
	put_stats(cap);
	spin_unlock_irqrestore(&cap->lock, flags);
	write_last(cap, wait_asleep);
}

/* ---- from start to stop ---- */

static void free_capture(struct umf_capture *cap)
{
	kvfree(cap->ring);
	kfree(cap->path);
	kfree(cap);
}

static struct umf_capture *new_capture(const struct umf_site *site,
				       const char *path)
{
	struct umf_capture *cap = kzalloc_obj(*cap);

	if (!cap)
		return NULL;
	spin_lock_init(&cap->lock);
	INIT_DELAYED_WORK(&cap->work, write_work);
	strscpy(cap->device, site->name);
	cap->path = kstrdup(path, GFP_KERNEL);
	cap->ring = kvmalloc(RING_SIZE, GFP_KERNEL);
	if (cap->path && cap->ring)
		return cap;
	free_capture(cap);
	return NULL;
}

static void introduce(struct umf_capture *cap, u16 link)
{
	char about[80], os[80];
	struct umf_pcapng_if iface = {
		.name = cap->device,
		.about = about,
		.os = os,
		.program = "umf",
		.link = link,
	};
	u8 *intro = cap->ring;	/* nothing else is there yet */

	snprintf(about, sizeof(about), "guest %.60s", get_umid());
	snprintf(os, sizeof(os), "Linux %.60s", init_utsname()->release);
	cap->head = umf_pcapng_intro(intro, &iface);
	cap->first = ktime_get_real_ns();
}

static u16 link_of(const struct umf_site *site)
{
	switch (site->class) {
	case UMF_CLASS_NET:
		return PCAPNG_ETHERNET;
	case UMF_CLASS_TTY:
		return PCAPNG_RTAC_SERIAL;
	default:
		return 0;
	}
}

static struct umf_capture *capture_of(const struct umf_site *site)
{
	/* changed under the verbs' mutex only */
	return rcu_dereference_protected(site->capture, true);
}

static void capture_reap(struct umf_site *site);

static int capture_start(struct umf_site *site, const char *path,
			 struct umf_reply *reply)
{
	struct umf_capture *cap;
	int fd;

	capture_reap(site);
	if (!link_of(site))
		return umf_fail(reply, -EOPNOTSUPP,
				"%s: only network interfaces and serial lines can be captured",
				site->name);
	cap = capture_of(site);
	if (cap)
		return umf_fail(reply, -EBUSY,
				"%s: is captured to %s; capture %s off ends that",
				site->name, cap->path, site->name);
	cap = new_capture(site, path);
	if (!cap)
		return umf_fail(reply, -ENOMEM, "out of memory");
	fd = umf_capture_host_open(path, umf_clock_virtual());
	if (fd < 0) {
		free_capture(cap);
		if (fd == -EAGAIN)
			return umf_fail(reply, -EBUSY,
					"%s: another capture writes it", path);
		if (fd == -ENXIO)
			return umf_fail(reply, fd, "%s: nobody reads it", path);
		if (fd == -ESPIPE)
			return umf_fail(reply, fd,
					"%s: virtual time has no place for readers that take their time; capture to a file",
					path);
		return umf_fail(reply, fd, "%s: %s", path,
				umf_capture_host_error(fd));
	}
	cap->fd = fd;
	introduce(cap, link_of(site));
	list_add_tail(&cap->list, &captures);
	rcu_assign_pointer(site->capture, cap);
	static_branch_inc(&umf_any_capture);
	queue_delayed_work(system_percpu_wq, &cap->work, 0);
	return 0;
}

static void say(const struct umf_capture *cap, struct umf_reply *reply)
{
	umf_say(reply, "%s rx=%llu tx=%llu bytes=%llu dropped=%llu file=\"%s\"\n",
		cap->device, cap->packets[UMF_DIR_RX],
		cap->packets[UMF_DIR_TX], cap->bytes, cap->dropped, cap->path);
}

static void capture_stop(struct umf_site *site, struct umf_reply *reply)
{
	struct umf_capture *cap = capture_of(site);

	if (!cap)
		return;
	if (site->ops->flush)
		site->ops->flush(site);
	rcu_assign_pointer(site->capture, NULL);
	static_branch_dec(&umf_any_capture);
	synchronize_rcu();
	cancel_delayed_work_sync(&cap->work);
	finish(cap);
	umf_capture_host_close(cap->fd);
	list_del(&cap->list);
	if (reply && cap->err)
		umf_fail(reply, cap->err, "%s: %s: %s", cap->device, cap->path,
			 umf_capture_host_error(cap->err));
	else if (reply)
		say(cap, reply);
	free_capture(cap);
}

static void capture_reap(struct umf_site *site)
{
	struct umf_capture *cap = capture_of(site);

	if (cap && READ_ONCE(cap->ended))
		capture_stop(site, NULL);
}

static void capture_list(const struct umf_site *site, struct umf_reply *reply)
{
	const struct umf_capture *cap = capture_of(site);

	if (cap && !cap->ended)
		say(cap, reply);
}

/* ---- the kernel's end ---- */

/*
 * Nobody else runs any more, or not for long; who held the lock may never let go
 * of it, and a panic in the middle of a block leaves that as it is.
 */
static void finish_all(void)
{
	struct umf_capture *cap;
	unsigned long flags;

	list_for_each_entry(cap, &captures, list) {
		if (cap->ended || READ_ONCE(cap->filling) ||
		    raw_spin_is_locked(spinlock_check(&cap->lock)))
			continue;
		spin_lock_irqsave(&cap->lock, flags);
		put_stats(cap);
		spin_unlock_irqrestore(&cap->lock, flags);
		write_last(cap, wait_on_host);
	}
}

static int on_panic(struct notifier_block *block, unsigned long event,
		    void *data)
{
	finish_all();
	return NOTIFY_DONE;
}

static struct notifier_block panic_block = {
	.notifier_call = on_panic,
	.priority = INT_MAX,	/* before the one that does not return */
};

static const struct umf_capture_ops capture_ops = {
	.start	= capture_start,
	.stop	= capture_stop,
	.reap	= capture_reap,
	.list	= capture_list,
};

static int __init umf_capture_init(void)
{
	umf_capture_ops = &capture_ops;
	atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
	return 0;
}
subsys_initcall(umf_capture_init);

__uml_exitcall(finish_all);
