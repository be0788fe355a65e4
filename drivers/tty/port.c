// SPDX-License-Identifier: GPL-2.0
/*
 * The transports to the host: streams of bytes.
 *
 *	pty		a pseudo terminal of the host; its name is in the log
 *			and in what mconsole's `config ttySn` answers
 *	fd:N		a descriptor the kernel was started with, and the command
 *			line names
 *	unix,<path>	listens there, one client at a time
 *	tcp,<port>	listens on 127.0.0.1, one client at a time
 *	null		nobody at all: what is sent is lost
 *
 * Where a client can come and go, carrier follows it. Bytes are all a stream
 * can carry: breaks, marks and our control lines end here. A stream that is
 * full makes the transmitter wait, as lowered CTS would.
 *
 * What fd:N names is looked for before the kernel opens anything of its own, and
 * stays open as long as the process lives: a number that was open then is never
 * the kernel's, and one that was not never the user's. A reboot, which is an exec
 * of the process itself, hands down the former and closes the latter.
 *
 * A client's descriptor has an interrupt of its own while the client is there.
 * Accepting one and closing one happen in a work, which alone changes `io` and
 * therefore needs the port's lock for writing it only.
 */
#define pr_fmt(fmt) "umf: " fmt

#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <init.h>
#include <irq_kern.h>
#include <os.h>
#include "host/host.h"
#include "tty/tty.h"
#include "tty/port.h"

#define CHUNK		128
#define LINES_UP	(TIOCM_CTS | TIOCM_DSR | TIOCM_CAR)

/* One that fd:N on the command line names. */
struct inherited {
	int fd;
	bool given;			/* it was open when we were started */
	const struct umf_tty *user;	/* the lines' mutex */
};

static struct inherited inherited[UMF_TTY_UNITS];
static unsigned int ninherited;

struct stream {
	struct umf_tty *tty;
	int listener;			/* -1: the stream is there or is not */
	int io;				/* the stream; -1: nobody */
	int other;			/* pty: its other end; -1 */
	int irq;			/* the client's */
	bool ended;			/* io is of no more use; the port's lock */
	struct work_struct work;
	char *path;			/* unix: to be removed */
	struct inherited *lent;		/* fd: what io is, not to be closed */
	char name[48];			/* pty: how the host calls it */
};

static struct stream *stream_of(struct umf_tty *tty)
{
	return tty->priv;
}

/* ---- bytes; uart_port.lock held ---- */

static void stream_end(struct umf_tty *tty, struct stream *st)
{
	st->ended = true;
	tty->lines_in = 0;
	schedule_work(&st->work);
}

static unsigned int stream_put(struct umf_tty *tty, const u32 *sym,
			       unsigned int n)
{
	struct stream *st = stream_of(tty);
	unsigned int i, len = 0;
	u8 bytes[CHUNK];
	int ret;

	if (st->io < 0 || st->ended)
		return n;
	n = min(n, CHUNK);
	for (i = 0; i < n; i++)
		if (!(sym[i] & (UMF_SYM_BREAK | UMF_SYM_LOST)))
			bytes[len++] = sym[i];
	if (!len)
		return n;
	ret = os_write_file(st->io, bytes, len);
	if (ret == -EAGAIN || ret == -EINTR)
		ret = 0;
	if (ret < 0) {
		stream_end(tty, st);
		umf_tty_uart_lines(tty);
		return n;
	}
	if (ret == len)
		return n;
	for (i = 0; ret > 0; i++)
		if (!(sym[i] & (UMF_SYM_BREAK | UMF_SYM_LOST)))
			ret--;
	return i;
}

static unsigned int stream_get(struct umf_tty *tty, u32 *sym, unsigned int max)
{
	struct stream *st = stream_of(tty);
	u8 bytes[CHUNK];
	int n, i;

	if (st->io < 0 || st->ended)
		return 0;
	do {
		n = os_read_file(st->io, bytes, min(max, CHUNK));
	} while (n == -EINTR);
	for (i = 0; i < n; i++)
		sym[i] = bytes[i];
	if (n > 0)
		return n;
	if (n != -EAGAIN)
		stream_end(tty, st);
	return 0;
}

static void stream_event(struct umf_tty *tty)
{
	struct stream *st = stream_of(tty);

	if (st->listener >= 0)
		schedule_work(&st->work);
}

/* ---- clients ---- */

static void set_io(struct stream *st, int fd)
{
	struct umf_tty *tty = st->tty;
	unsigned long flags;

	uart_port_lock_irqsave(&tty->port, &flags);
	st->io = fd;
	st->ended = false;
	tty->lines_in = fd < 0 ? 0 : LINES_UP;
	umf_tty_uart_lines(tty);
	uart_port_unlock_irqrestore(&tty->port, flags);
}

static void drop_client(struct stream *st)
{
	int fd = st->io;

	um_free_irq(st->irq, st->tty);
	set_io(st, -1);
	os_close_file(fd);
}

static void look(struct umf_tty *tty)
{
	unsigned long flags;

	uart_port_lock_irqsave(&tty->port, &flags);
	umf_tty_uart_event(tty);
	uart_port_unlock_irqrestore(&tty->port, flags);
}

static void take_client(struct stream *st, int fd)
{
	struct umf_tty *tty = st->tty;
	int irq;

	if (st->io >= 0) {
		/* It may have left just now: its interrupt is yet to come. */
		look(tty);
		if (READ_ONCE(st->ended))
			drop_client(st);
	}
	if (st->io >= 0) {
		os_close_file(fd);	/* one at a time */
		return;
	}
	set_io(st, fd);
	irq = um_request_irq(UM_IRQ_ALLOC, fd, IRQ_READ, umf_tty_irq, 0,
			     tty->site.name, tty);
	if (irq < 0) {
		pr_err("ttyS%u: no interrupt for a client: %s\n",
		       tty->unit, umf_host_error(irq));
		set_io(st, -1);
		os_close_file(fd);
		return;
	}
	st->irq = irq;
	/* What it sent before that. */
	look(tty);
}

static void stream_work(struct work_struct *work)
{
	struct stream *st = container_of(work, struct stream, work);
	int fd;

	if (st->listener < 0)
		return;
	if (st->io >= 0 && READ_ONCE(st->ended))
		drop_client(st);
	while ((fd = umf_tty_host_accept(st->listener)) >= 0)
		take_client(st, fd);
}

/* ---- opening and closing ---- */

static struct stream *stream_new(struct umf_tty *tty)
{
	struct stream *st = kzalloc_obj(*st);

	if (!st)
		return NULL;
	st->tty = tty;
	st->listener = -1;
	st->io = -1;
	st->other = -1;
	INIT_WORK(&st->work, stream_work);
	tty->priv = st;
	return st;
}

static int stream_fail(struct stream *st, int err)
{
	kfree(st->path);
	kfree(st);
	return err;
}

static int pty_open(struct umf_tty *tty, const char *arg, char *error)
{
	struct stream *st = stream_new(tty);
	int fd;

	if (!st)
		return -ENOMEM;
	fd = umf_tty_host_pty(&st->other, st->name, sizeof(st->name));
	if (fd < 0) {
		snprintf(error, UMF_TTY_ERROR, "the host gives no pty: %s",
			 umf_host_error(fd));
		return stream_fail(st, fd);
	}
	st->io = fd;
	tty->fd = fd;
	tty->lines_in = LINES_UP;
	pr_info("ttyS%u is %s on the host\n", tty->unit, st->name);
	return 0;
}

static struct inherited *find_inherited(int fd)
{
	unsigned int i;

	for (i = 0; i < ninherited; i++)
		if (inherited[i].fd == fd)
			return &inherited[i];
	return NULL;
}

/* Each ttyS<n>=fd:<N> of the command line, before anything of ours is open. */
static int __init fd_inherit(char *text, int *add)
{
	int unit, fd;

	if (sscanf(text, "%d=fd:%d", &unit, &fd) != 2 || fd < 0 ||
	    ninherited == UMF_TTY_UNITS || find_inherited(fd))
		return 0;
	inherited[ninherited++] = (struct inherited){
		.fd = fd, .given = !umf_tty_host_inherit(fd, 0),
	};
	return 0;
}

static struct uml_param fd_param __uml_init_setup = { "ttyS", fd_inherit };

/* A reboot finds open what was, and nothing else in its place. */
static void fd_hand_down(void)
{
	unsigned int i;

	for (i = 0; i < ninherited; i++)
		umf_tty_host_inherit(inherited[i].fd, inherited[i].given);
}

__uml_exitcall(fd_hand_down);

/* The one that @arg names, if it is free; NULL: there is a reason in @error. */
static struct inherited *fd_find(const char *arg, char *error)
{
	struct inherited *lent;
	int fd;

	if (kstrtoint(arg, 10, &fd) || fd < 0) {
		snprintf(error, UMF_TTY_ERROR, "'%s' is no descriptor: fd:<number>",
			 arg);
		return NULL;
	}
	lent = find_inherited(fd);
	if (!lent)
		snprintf(error, UMF_TTY_ERROR,
			 "fd:%s is none that a ttyS<n>=fd:<N> of the command line names",
			 arg);
	else if (!lent->given)
		snprintf(error, UMF_TTY_ERROR, "fd:%s is not open", arg);
	else if (lent->user)
		snprintf(error, UMF_TTY_ERROR, "fd:%s is ttyS%u's", arg,
			 lent->user->unit);
	return lent && lent->given && !lent->user ? lent : NULL;
}

static int fd_open(struct umf_tty *tty, const char *arg, char *error)
{
	struct inherited *lent = fd_find(arg, error);
	struct stream *st;
	int fd;

	if (!lent)
		return -EINVAL;
	st = stream_new(tty);
	if (!st)
		return -ENOMEM;
	fd = umf_tty_host_take(lent->fd);
	if (fd < 0) {
		snprintf(error, UMF_TTY_ERROR,
			 fd == -EINVAL ? "fd:%s is a file, not a stream" :
			 "fd:%s is not open", arg);
		return stream_fail(st, fd);
	}
	lent->user = tty;
	st->lent = lent;
	st->io = fd;
	tty->fd = fd;
	tty->lines_in = LINES_UP;
	return 0;
}

static int start_listener(struct umf_tty *tty, struct stream *st, int fd,
			  const char *arg, char *error)
{
	if (fd < 0) {
		snprintf(error, UMF_TTY_ERROR, "cannot listen on %s %s: %s",
			 tty->transport->name, arg, umf_host_error(fd));
		return stream_fail(st, fd);
	}
	st->listener = fd;
	tty->fd = fd;
	return 0;
}

static int unix_open(struct umf_tty *tty, const char *arg, char *error)
{
	struct stream *st = stream_new(tty);

	if (!st)
		return -ENOMEM;
	st->path = kstrdup(arg, GFP_KERNEL);
	if (!st->path)
		return stream_fail(st, -ENOMEM);
	return start_listener(tty, st, umf_tty_host_unix(arg), arg, error);
}

static int tcp_open(struct umf_tty *tty, const char *arg, char *error)
{
	struct stream *st;
	u16 port;

	if (kstrtou16(arg, 10, &port) || !port) {
		snprintf(error, UMF_TTY_ERROR, "'%s' is no port: tcp,<1-65535>",
			 arg);
		return -EINVAL;
	}
	st = stream_new(tty);
	if (!st)
		return -ENOMEM;
	return start_listener(tty, st, umf_tty_host_tcp(port), arg, error);
}

/* tty->fd has no interrupt any more. */
static void stream_close(struct umf_tty *tty)
{
	struct stream *st = stream_of(tty);
	int listener = st->listener;

	if (listener >= 0) {
		cancel_work_sync(&st->work);
		if (st->io >= 0)
			drop_client(st);
		/* the last bytes may have asked for it again */
		st->listener = -1;
		os_close_file(listener);
	}
	cancel_work_sync(&st->work);
	if (st->lent)
		st->lent->user = NULL;
	else if (st->io >= 0)
		os_close_file(st->io);
	if (st->other >= 0)
		os_close_file(st->other);
	if (st->path)
		umf_tty_host_unlink(st->path);
	kfree(st->path);
	kfree(st);
}

static void stream_abandon(struct umf_tty *tty)
{
	struct stream *st = stream_of(tty);

	if (st->path)
		umf_tty_host_unlink(st->path);
}

static int stream_describe(struct umf_tty *tty, char *buf, int size)
{
	struct stream *st = stream_of(tty);

	if (st->name[0])
		return scnprintf(buf, size, "%s", st->name);
	return scnprintf(buf, size, st->io >= 0 && !st->ended ? "connected" :
			 st->listener >= 0 ? "no client" : "ended");
}

/* ---- nobody ---- */

static int null_open(struct umf_tty *tty, const char *arg, char *error)
{
	return 0;
}

static void null_close(struct umf_tty *tty)
{
}

static unsigned int null_put(struct umf_tty *tty, const u32 *sym,
			     unsigned int n)
{
	return n;
}

static unsigned int null_get(struct umf_tty *tty, u32 *sym, unsigned int max)
{
	return 0;
}

#define STREAM_OPS					\
	.close		= stream_close,			\
	.abandon	= stream_abandon,		\
	.event		= stream_event,			\
	.put		= stream_put,			\
	.get		= stream_get,			\
	.describe	= stream_describe

const struct umf_tty_transport umf_tty_pty = {
	.name = "pty", .open = pty_open, STREAM_OPS
};

const struct umf_tty_transport umf_tty_fd = {
	.name = "fd", .arg = ":N", .open = fd_open, .still = true, STREAM_OPS
};

const struct umf_tty_transport umf_tty_unix = {
	.name = "unix", .arg = ",<path>", .open = unix_open, STREAM_OPS
};

const struct umf_tty_transport umf_tty_tcp = {
	.name = "tcp", .arg = ",<port>", .open = tcp_open, STREAM_OPS
};

const struct umf_tty_transport umf_tty_null = {
	.name	= "null",
	.open	= null_open,
	.close	= null_close,
	.put	= null_put,
	.get	= null_get,
	.still	= true,
};
