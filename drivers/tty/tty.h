/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The serial line: what its files share.
 *
 *	write ─► serial core's FIFO ─► pacing ─► faults ─► transport
 *
 *	transport ─► wire (settings differ?) ─► faults ─► tty buffer ─► read
 *
 * tty/main.c	lines as configured: command line, mconsole, site
 * tty/uart.c	the UART that serial_core drives: pacing, receiving, modem lines
 * tty/fault.c	verdict → symbols, and what waits in each direction
 * tty/capture.c	bytes, control lines and verdicts for a capture
 * tty/wire.c	characters as bits on a wire
 * tty/link.c	the transport between two guests
 * tty/port.c	the transports to the host: pty, fd, unix, tcp, null
 *
 * Locking: uart_port.lock protects everything in struct umf_tty that changes
 * after configuration, the transport's state included; it is taken with
 * interrupts off, as timers and the transport's interrupt take it.
 */
#ifndef __UMF_TTY_H
#define __UMF_TTY_H

#include <linux/hrtimer.h>
#include <linux/irqreturn.h>
#include <linux/list.h>
#include <linux/serial_core.h>
#include <linux/types.h>
#include "capture/capture.h"
#include "fault/fault.h"
#include "node/idle.h"
#include "time/clock.h"
#include "capture/rtac.h"
#include "tty/wire.h"

#define UMF_TTY_UNITS	32
#define UMF_TTY_ERROR	224	/* room for a refusal's text */
#define UMF_TTY_SPEED	4000000	/* bits a second at most */
#define UMF_TTY_PATTERN	16	/* bytes a pattern= has at most */
#define UMF_TTY_TAPE	256	/* bytes in one packet of a capture */

#define UMF_TTY_LINES_IN	(TIOCM_CTS | TIOCM_DSR | TIOCM_CAR | TIOCM_RI)

struct umf_tty;

/* What a line is connected to. All but open and close: uart_port.lock held. */
struct umf_tty_transport {
	const char *name;
	const char *arg;	/* what follows it, or NULL: nothing */
	/*
	 * Sets tty->fd, if there is something to be woken by, and the first
	 * lines_in. Returns 0, or -errno and the reason in @error. May sleep.
	 */
	int (*open)(struct umf_tty *tty, const char *arg,
		    char error[UMF_TTY_ERROR]);
	void (*close)(struct umf_tty *tty);
	/* The same when the kernel halts: frees no memory, takes no lock. */
	void (*abandon)(struct umf_tty *tty);
	/* tty->fd woke us: bring lines_in up to date. */
	void (*event)(struct umf_tty *tty);
	/* Takes up to @n symbols; fewer: it is full. */
	unsigned int (*put)(struct umf_tty *tty, const u32 *sym,
			    unsigned int n);
	/* Full: will it say when there is room? Then event() comes. */
	bool (*wait_room)(struct umf_tty *tty);
	/*
	 * Gives up to @max symbols, marks of the other side's settings among
	 * them; none: event() comes when there are.
	 */
	unsigned int (*get)(struct umf_tty *tty, u32 *sym, unsigned int max);
	/* What was put is to be seen by the other side now. Optional. */
	void (*kick)(struct umf_tty *tty);
	/* TIOCM_RTS and TIOCM_DTR as the other side is to see them. Optional. */
	void (*set_lines)(struct umf_tty *tty, unsigned int mctrl);
	/*
	 * Without pacing: the guest looks by itself and need not be woken (or
	 * it must again), false if there is nothing to look at; and is there
	 * something? The latter without a lock. Optional, both.
	 */
	bool (*look)(struct umf_tty *tty, bool on);
	bool (*pending)(const struct umf_tty *tty);
	/*
	 * Virtual time: from when on is there something, as the other side has
	 * last said? 0: nothing. Without a lock. Who has none is the host's, and
	 * refused then unless @still.
	 */
	u64 (*due)(struct umf_tty *tty);
	bool still;		/* the host does nothing by itself */
	/*
	 * What is put from now on is sent with these settings, packed; the
	 * other side is to get that as a mark before it. Optional.
	 */
	void (*set_wire)(struct umf_tty *tty, u32 wire);
	/* A few words for people. Optional. */
	int (*describe)(struct umf_tty *tty, char *buf, int size);
};

/* One direction: what a rule keeps, in order. */
struct umf_tty_lane {
	struct umf_tty *tty;
	enum umf_dir dir;
	struct list_head queue;
	unsigned int len;
	struct hrtimer timer;		/* the first one's time */
	u8 seen[UMF_TTY_PATTERN];	/* the last bytes, newest last */
	u64 nseen;			/* of all that rules were asked about */
	u64 seen_from;			/* those before do not belong to them */
};

/* The packet of a capture that is gathered. */
struct umf_tty_tape {
	bool used;
	enum umf_dir dir;
	u64 time;		/* of its first byte, ns since 1970 */
	unsigned int len;	/* of its bytes */
	u8 packet[UMF_RTAC_HEAD + UMF_TTY_TAPE];
	struct umf_note note;
	struct hrtimer timer;	/* it has been gathered for long */
};

struct umf_tty {
	struct uart_port port;
	unsigned int unit;
	char *spec;			/* "link,…" as configured */
	bool pace;
	struct platform_device *pdev;

	const struct umf_tty_transport *transport;
	void *priv;			/* the transport's */
	int fd;				/* wakes us; -1: none */
	int irq;
	struct umf_idle idle;		/* looks for what comes, if ->look */
	struct umf_clock_bell bell;	/* virtual time: if ->due */

	bool open;			/* between startup and shutdown */
	bool breaking;			/* sends a break */
	bool full;			/* the transport took no more */
	u64 retry;			/* how long to wait before asking again */
	struct umf_wire wire;
	struct umf_wire peer;		/* of what comes; speed 0: unknown */
	u64 tx_end;			/* when the last character was out */
	struct hrtimer tx_timer;	/* the next ones are, or a retry */
	struct hrtimer rx_timer;	/* the reader may have made room */

	unsigned int lines_in;		/* the transport's TIOCM_CTS … */
	unsigned int lines_seen;	/* what the guest was told */
	unsigned int lines_out;		/* what it set: TIOCM_RTS, TIOCM_DTR */
	unsigned int force_mask;	/* rules: these lines are … */
	unsigned int force_lines;	/* … so */
	bool cut[2];			/* rules: by enum umf_dir */

	struct umf_tty_lane lane[2];	/* by enum umf_dir */
	struct umf_tty_tape tape;
	struct umf_site site;
};

static inline struct umf_tty *umf_tty_of(struct uart_port *port)
{
	return container_of(port, struct umf_tty, port);
}

/* ---- tty/main.c ---- */

irqreturn_t umf_tty_irq(int irq, void *data);	/* data is the line */

/* ---- tty/uart.c ---- */

extern const struct uart_ops umf_tty_uart_ops;

void umf_tty_uart_init(struct umf_tty *tty);
void umf_tty_uart_stop(struct umf_tty *tty);	/* no timer runs any more */
/* The following: uart_port.lock held. */
void umf_tty_uart_event(struct umf_tty *tty);	/* the transport's interrupt */
void umf_tty_uart_found(struct umf_tty *tty);	/* there is something to get */
void umf_tty_uart_lines(struct umf_tty *tty);	/* of either side changed */
void umf_tty_uart_resume(struct umf_tty *tty);	/* what held up sending is gone */
/* Both consume a symbol; false: the transport is full. */
bool umf_tty_uart_put(struct umf_tty *tty, u32 sym);
void umf_tty_uart_receive(struct umf_tty *tty, u32 sym);
void umf_tty_uart_push(struct umf_tty *tty);	/* after the last received */

/* ---- tty/fault.c ---- */

void umf_tty_fault_init(struct umf_tty *tty);
int umf_tty_fault_add(struct umf_tty *tty);	/* the site */
void umf_tty_fault_del(struct umf_tty *tty);
/* The following: uart_port.lock held. */
void umf_tty_fault_drop(struct umf_tty_lane *lane);	/* forgets what waits */
/* Is there nothing that this direction must ask or wait for? */
static inline bool umf_tty_lane_idle(const struct umf_tty_lane *lane)
{
	return !umf_site_active(&lane->tty->site) && list_empty(&lane->queue);
}

void umf_tty_lane_push(struct umf_tty_lane *lane, u32 sym);
/* What is pushed from now on is sent with the line's present settings. */
void umf_tty_lane_mark(struct umf_tty_lane *lane);
void umf_tty_lane_run(struct umf_tty_lane *lane);	/* lets go what is due */
/* May the sender go on? */
bool umf_tty_lane_open(const struct umf_tty_lane *lane);

/* ---- tty/capture.c; all with uart_port.lock held ---- */

static inline bool umf_tty_capturing(const struct umf_tty *tty)
{
	return umf_capturing(&tty->site);
}

void umf_tty_capture_init(struct umf_tty *tty);	/* but this */
/* Takes a symbol down, and what is to be said of it (NULL: nothing). */
void umf_tty_capture(struct umf_tty *tty, enum umf_dir dir, u32 sym,
		     const struct umf_note *note);
/* Some that go no further, as the line is cut or for @why. */
void umf_tty_capture_lost(struct umf_tty *tty, enum umf_dir dir, const u32 *sym,
			  unsigned int n, const char *why);
/* These of lines_seen and lines_out have changed. */
void umf_tty_capture_lines(struct umf_tty *tty, unsigned int in,
			   unsigned int out);
/* What is gathered goes to the capture. */
void umf_tty_capture_flush(struct umf_tty *tty);

/* ---- transports ---- */

extern const struct umf_tty_transport umf_tty_link;
extern const struct umf_tty_transport umf_tty_pty;
extern const struct umf_tty_transport umf_tty_fd;
extern const struct umf_tty_transport umf_tty_unix;
extern const struct umf_tty_transport umf_tty_tcp;
extern const struct umf_tty_transport umf_tty_null;

#endif /* __UMF_TTY_H */
