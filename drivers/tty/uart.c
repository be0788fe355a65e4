// SPDX-License-Identifier: GPL-2.0
/*
 * The UART that serial_core drives.
 *
 * Sending, paced: characters stay in the core's FIFO until the moment their
 * last bit is out. tx_end is when the transmitter finished the last one; an
 * hrtimer comes when the next is out, or the next few, as one timer for each
 * character of a fast line would cost more than it tells. A timer that the host
 * has kept waiting is made up for; not so a processor that stood still, whose
 * UART has sent its FIFO and stopped. Not paced: whatever the transport takes, at
 * once.
 *
 * A transport that is full either says when it has room (event) or is asked
 * again after a while. Faults that keep characters back do so behind the
 * pacing; once enough wait there the FIFO stays as it is and the writer waits.
 *
 * Receiving, paced: as on a real line a reader that is too slow loses
 * characters, and the overrun is counted. Not paced: the transport keeps what
 * the tty buffers have no room for, until there is some.
 */
#include <linux/ktime.h>
#include <linux/serial.h>
#include <linux/tty.h>
#include <linux/tty_flip.h>
#include <linux/wait.h>
#include "tty/tty.h"

#define CHUNK		128
#define TURNS		256	/* chunks received without a pause, … */
#define TURNS_FREE	16	/* … and, beyond these, … */
#define TURNS_TIME	(2 * NSEC_PER_MSEC)	/* … no longer than that */
#define READER_TIME	NSEC_PER_MSEC	/* of the pause; a slow reader's, too */
#define RETRY_MIN	(100 * NSEC_PER_USEC)	/* of a full transport */
#define RETRY_MAX	(32 * NSEC_PER_MSEC)
#define BATCH_TIME	(500 * NSEC_PER_USEC)	/* of characters for one timer */
#define LATE_MAX	(20 * NSEC_PER_MSEC)	/* a timer of a busy host may be */

/* ---- sending ---- */

static struct tty_port *tty_port_of(struct umf_tty *tty)
{
	return &tty->port.state->port;
}

static u32 char_time(const struct umf_tty *tty)
{
	return READ_ONCE(tty->port.frame_time) ?: 1;
}

/* A character has the bits the line is set to, and no more. */
static u8 data_mask(const struct umf_tty *tty)
{
	return GENMASK(tty->wire.bits - 1, 0);
}

static void push_timer(struct hrtimer *timer, u64 when)
{
	hrtimer_start(timer, ns_to_ktime(when), HRTIMER_MODE_ABS);
}

bool umf_tty_uart_put(struct umf_tty *tty, u32 sym)
{
	if (tty->port.mctrl & TIOCM_LOOP) {
		umf_tty_uart_receive(tty, sym);
		return true;
	}
	if (tty->cut[UMF_DIR_TX])
		return true;
	if (tty->transport->put(tty, &sym, 1))
		return true;
	tty->full = true;
	return false;
}

static unsigned int tx_waiting(struct umf_tty *tty)
{
	if (uart_tx_stopped(&tty->port))
		return !!tty->port.x_char;
	return !!tty->port.x_char + kfifo_len(&tty_port_of(tty)->xmit_fifo);
}

/* The next character, if flow control lets it go. */
static bool tx_next(struct umf_tty *tty, u8 *ch)
{
	struct uart_port *port = &tty->port;

	if (port->x_char) {
		*ch = port->x_char & data_mask(tty);
		port->x_char = 0;
		port->icount.tx++;
		return true;
	}
	if (uart_tx_stopped(port) || !uart_fifo_get(port, ch))
		return false;
	*ch &= data_mask(tty);
	return true;
}

static bool tx_can(const struct umf_tty *tty)
{
	return tty->open && !tty->breaking && !tty->full &&
	       umf_tty_lane_open(&tty->lane[UMF_DIR_TX]);
}

static void send_paced(struct umf_tty *tty)
{
	u64 now = ktime_get_ns(), took = char_time(tty);
	u64 late = max(tty->port.fifosize * took, LATE_MAX);
	unsigned int n;
	u8 ch;

	if (tty->tx_end + late < now)
		tty->tx_end = now - late;
	while (tx_can(tty) && tty->tx_end + took <= now && tx_next(tty, &ch)) {
		tty->tx_end += took;
		umf_tty_lane_push(&tty->lane[UMF_DIR_TX], ch);
	}
	n = tx_waiting(tty);
	if (tx_can(tty) && n)
		push_timer(&tty->tx_timer, tty->tx_end + took *
			   clamp_t(u64, div64_u64(BATCH_TIME, took), 1, n));
}

/* Many at once, where nobody needs to look at each. */
static void send_plain(struct umf_tty *tty)
{
	struct uart_port *port = &tty->port;
	u8 bytes[CHUNK];
	u32 sym[CHUNK];
	unsigned int n, i;

	while (tx_can(tty) && !port->x_char && !uart_tx_stopped(port) &&
	       !(port->mctrl & TIOCM_LOOP) && !tty->cut[UMF_DIR_TX]) {
		n = kfifo_out_peek(&tty_port_of(tty)->xmit_fifo, bytes, CHUNK);
		if (!n)
			break;
		for (i = 0; i < n; i++)
			sym[i] = bytes[i] & data_mask(tty);
		i = tty->transport->put(tty, sym, n);
		uart_xmit_advance(port, i);
		tty->full = i < n;
		n = i;
		for (i = 0; i < n && umf_tty_capturing(tty); i++)
			umf_tty_capture(tty, UMF_DIR_TX, sym[i], NULL);
	}
}

static void send_unpaced(struct umf_tty *tty)
{
	u8 ch;

	while (tx_can(tty)) {
		if (umf_tty_lane_idle(&tty->lane[UMF_DIR_TX]))
			send_plain(tty);
		if (!tx_can(tty) || !tx_next(tty, &ch))
			break;
		umf_tty_lane_push(&tty->lane[UMF_DIR_TX], ch);
	}
}

static void send_some(struct umf_tty *tty)
{
	umf_tty_lane_run(&tty->lane[UMF_DIR_TX]);
	if (!tty->open)
		return;
	if (tty->pace)
		send_paced(tty);
	else
		send_unpaced(tty);
}

static void send_on(struct umf_tty *tty)
{
	send_some(tty);
	if (tty->full && !(tty->open || tty->lane[UMF_DIR_TX].len)) {
		tty->full = false;	/* nobody waits */
	} else if (tty->full) {
		/* Asked to say so, it may have room already. */
		if (!tty->transport->wait_room ||
		    !tty->transport->wait_room(tty))
			push_timer(&tty->tx_timer, ktime_get_ns() + tty->retry);
		tty->retry = min(2 * tty->retry, RETRY_MAX);
	} else {
		tty->retry = RETRY_MIN;
	}
	if (tty->transport->kick)
		tty->transport->kick(tty);
	if (tty->port.mctrl & TIOCM_LOOP)
		umf_tty_uart_push(tty);
	if (tty->open &&
	    kfifo_len(&tty_port_of(tty)->xmit_fifo) < WAKEUP_CHARS)
		uart_write_wakeup(&tty->port);
}

void umf_tty_uart_resume(struct umf_tty *tty)
{
	tty->full = false;
	if (!hrtimer_is_queued(&tty->tx_timer))
		tty->tx_end = max(tty->tx_end, ktime_get_ns());
	send_on(tty);
}

static enum hrtimer_restart tx_timer(struct hrtimer *timer)
{
	struct umf_tty *tty = container_of(timer, struct umf_tty, tx_timer);
	unsigned long flags;

	uart_port_lock_irqsave(&tty->port, &flags);
	if (tty->full)
		umf_tty_uart_resume(tty);
	else
		send_on(tty);
	uart_port_unlock_irqrestore(&tty->port, flags);
	return HRTIMER_NORESTART;
}

/* ---- receiving ---- */

void umf_tty_uart_receive(struct umf_tty *tty, u32 sym)
{
	struct uart_port *port = &tty->port;
	struct uart_icount *icount = &port->icount;
	u8 flag = TTY_NORMAL, ch = sym & data_mask(tty);

	if (!tty->open)
		return;
	if (sym & UMF_SYM_LOST) {
		icount->overrun++;
		if (!(port->ignore_status_mask & UMF_SYM_LOST) &&
		    !tty_insert_flip_char(tty_port_of(tty), 0, TTY_OVERRUN))
			icount->buf_overrun++;
		return;
	}
	if (sym & UMF_SYM_BREAK) {
		icount->brk++;
		flag = TTY_BREAK;
		ch = 0;
	} else {
		icount->rx++;
		if (sym & UMF_SYM_PARITY)
			icount->parity++;
		if (sym & UMF_SYM_FRAME)
			icount->frame++;
		sym &= port->read_status_mask | UMF_SYM_BYTE;
		if (sym & UMF_SYM_PARITY)
			flag = TTY_PARITY;
		else if (sym & UMF_SYM_FRAME)
			flag = TTY_FRAME;
	}
	/* UMF_SYM_BYTE in the mask: the receiver is off */
	if (port->ignore_status_mask & (sym & ~UMF_SYM_BYTE) ||
	    port->ignore_status_mask & UMF_SYM_BYTE)
		return;
	if (!tty_insert_flip_char(tty_port_of(tty), ch, flag))
		icount->buf_overrun++;
}

void umf_tty_uart_push(struct umf_tty *tty)
{
	if (tty->open)
		tty_flip_buffer_push(tty_port_of(tty));
}

/* One that is lost, as nobody listens. */
static void lose(struct umf_tty *tty, u32 sym)
{
	if (umf_tty_capturing(tty))
		umf_tty_capture_lost(tty, UMF_DIR_RX, &sym, 1,
				     tty->open ? "loopback" : "closed");
}

static void take_one(struct umf_tty *tty, u32 sym)
{
	struct umf_tty_lane *lane = &tty->lane[UMF_DIR_RX];
	u32 read[UMF_WIRE_MAX];
	unsigned int i, n;

	if (umf_wire_same(&tty->peer, &tty->wire)) {
		umf_tty_lane_push(lane, sym & UMF_SYM_MASK);
		return;
	}
	n = umf_wire_read(&tty->peer, &tty->wire, sym, read);
	for (i = 0; i < n; i++)
		umf_tty_lane_push(lane, read[i]);
}

static void take(struct umf_tty *tty, const u32 *sym, unsigned int n)
{
	bool listens = tty->open && !tty->cut[UMF_DIR_RX] &&
		       !(tty->port.mctrl & TIOCM_LOOP);
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (sym[i] & UMF_SYM_WIRE)
			umf_wire_unpack(sym[i], &tty->peer);
		else if (listens)
			take_one(tty, sym[i]);
		else
			lose(tty, sym[i]);
	}
}

/* Is the guest to do something else as well, however much comes? */
static bool enough(unsigned int turn, u64 *end)
{
	if (turn == TURNS_FREE)
		*end = ktime_get_ns() + TURNS_TIME;
	return turn >= TURNS || (turn > TURNS_FREE && ktime_get_ns() > *end);
}

static void receive_all(struct umf_tty *tty)
{
	unsigned int n, room, turn;
	u32 sym[CHUNK];
	u64 end;

	umf_tty_lane_run(&tty->lane[UMF_DIR_RX]);
	for (turn = 0; ; turn++) {
		room = enough(turn, &end) ? 0 : CHUNK;
		if (tty->open && !tty->pace)
			room = min_t(unsigned int, room,
				     tty_buffer_space_avail(tty_port_of(tty)));
		if (!room) {
			push_timer(&tty->rx_timer,
				   ktime_get_ns() + READER_TIME);
			break;
		}
		n = tty->transport->get(tty, sym, room);
		if (!n)
			break;
		take(tty, sym, n);
	}
	umf_tty_uart_push(tty);
}

static enum hrtimer_restart rx_timer(struct hrtimer *timer)
{
	struct umf_tty *tty = container_of(timer, struct umf_tty, rx_timer);
	unsigned long flags;

	uart_port_lock_irqsave(&tty->port, &flags);
	umf_tty_uart_event(tty);
	uart_port_unlock_irqrestore(&tty->port, flags);
	return HRTIMER_NORESTART;
}

void umf_tty_uart_found(struct umf_tty *tty)
{
	receive_all(tty);
	umf_tty_uart_resume(tty);
}

void umf_tty_uart_event(struct umf_tty *tty)
{
	/* What came before the lines changed is taken before they do. */
	if (tty->transport->event)
		tty->transport->event(tty);
	receive_all(tty);
	umf_tty_uart_lines(tty);
	umf_tty_uart_resume(tty);
}

/* ---- control lines ---- */

static unsigned int lines_now(const struct umf_tty *tty)
{
	unsigned int mctrl = tty->port.mctrl, lines = tty->lines_in;

	if (mctrl & TIOCM_LOOP)
		return (mctrl & TIOCM_RTS ? TIOCM_CTS : 0) |
		       (mctrl & TIOCM_DTR ? TIOCM_DSR : 0) |
		       (mctrl & TIOCM_OUT1 ? TIOCM_RI : 0) |
		       (mctrl & TIOCM_OUT2 ? TIOCM_CAR : 0);
	if (tty->cut[UMF_DIR_RX])
		lines = 0;
	return (lines & ~tty->force_mask) | tty->force_lines;
}

void umf_tty_uart_lines(struct umf_tty *tty)
{
	unsigned int mctrl = tty->port.mctrl, lines = lines_now(tty);
	unsigned int changed = lines ^ tty->lines_seen;
	unsigned int out = mctrl & (TIOCM_RTS | TIOCM_DTR);
	struct uart_port *port = &tty->port;

	if (tty->transport->set_lines) {
		if (mctrl & TIOCM_LOOP || tty->cut[UMF_DIR_TX])
			mctrl = 0;
		tty->transport->set_lines(tty, mctrl & (TIOCM_RTS | TIOCM_DTR));
	}
	tty->lines_seen = lines;
	swap(tty->lines_out, out);
	if (umf_tty_capturing(tty))
		umf_tty_capture_lines(tty, changed, out ^ tty->lines_out);
	if (!changed || !tty->open)
		return;
	if (changed & TIOCM_DSR)
		port->icount.dsr++;
	if (changed & TIOCM_RI && !(lines & TIOCM_RI))
		port->icount.rng++;	/* as UARTs do: when it ends */
	if (changed & TIOCM_CAR)
		uart_handle_dcd_change(port, lines & TIOCM_CAR);
	if (changed & TIOCM_CTS)
		uart_handle_cts_change(port, lines & TIOCM_CTS);
	wake_up_interruptible(&tty_port_of(tty)->delta_msr_wait);
}

/* ---- what serial_core calls ---- */

static unsigned int umf_tty_tx_empty(struct uart_port *port)
{
	struct umf_tty *tty = umf_tty_of(port);
	unsigned int ret = 0;
	unsigned long flags;

	uart_port_lock_irqsave(port, &flags);
	if (!tx_waiting(tty) && list_empty(&tty->lane[UMF_DIR_TX].queue))
		ret = TIOCSER_TEMT;
	uart_port_unlock_irqrestore(port, flags);
	return ret;
}

static void umf_tty_set_mctrl(struct uart_port *port, unsigned int mctrl)
{
	/* which the core has stored in port->mctrl, or will not change */
	umf_tty_uart_lines(umf_tty_of(port));
}

static unsigned int umf_tty_get_mctrl(struct uart_port *port)
{
	return lines_now(umf_tty_of(port));
}

/* The timer that may still come finds nothing to send. */
static void umf_tty_stop_tx(struct uart_port *port)
{
}

static void umf_tty_start_tx(struct uart_port *port)
{
	struct umf_tty *tty = umf_tty_of(port);

	if (hrtimer_is_queued(&tty->tx_timer) || tty->full)
		return;
	umf_tty_uart_resume(tty);
}

static void umf_tty_stop_rx(struct uart_port *port)
{
	port->ignore_status_mask |= UMF_SYM_BYTE;
}

static void umf_tty_enable_ms(struct uart_port *port)
{
}

static void umf_tty_break_ctl(struct uart_port *port, int state)
{
	struct umf_tty *tty = umf_tty_of(port);
	unsigned long flags;

	uart_port_lock_irqsave(port, &flags);
	if (state && !tty->breaking)
		umf_tty_lane_push(&tty->lane[UMF_DIR_TX], UMF_SYM_BREAK);
	tty->breaking = state;
	umf_tty_uart_resume(tty);
	uart_port_unlock_irqrestore(port, flags);
}

static int umf_tty_startup(struct uart_port *port)
{
	struct umf_tty *tty = umf_tty_of(port);
	unsigned long flags;

	uart_port_lock_irqsave(port, &flags);
	tty->breaking = false;
	tty->full = false;
	tty->lines_seen = lines_now(tty);
	tty->open = true;
	uart_port_unlock_irqrestore(port, flags);
	return 0;
}

static void umf_tty_shutdown(struct uart_port *port)
{
	struct umf_tty *tty = umf_tty_of(port);
	unsigned long flags;

	/*
	 * The timers go on: what has left the transmitter is on the line and
	 * stays there, and what the transport still has for the reader that
	 * left must be taken, as nothing else would tell its sender to go on.
	 */
	uart_port_lock_irqsave(port, &flags);
	tty->open = false;
	tty->breaking = false;
	port->x_char = 0;	/* as the core does with all else it had */
	umf_tty_fault_drop(&tty->lane[UMF_DIR_RX]);
	uart_port_unlock_irqrestore(port, flags);
}

static enum umf_parity parity_of(tcflag_t cflag)
{
	if (!(cflag & PARENB))
		return UMF_PARITY_NONE;
	if (cflag & CMSPAR)
		return cflag & PARODD ? UMF_PARITY_MARK : UMF_PARITY_SPACE;
	return cflag & PARODD ? UMF_PARITY_ODD : UMF_PARITY_EVEN;
}

static void umf_tty_set_termios(struct uart_port *port, struct ktermios *new,
				const struct ktermios *old)
{
	struct umf_tty *tty = umf_tty_of(port);
	unsigned int baud;
	unsigned long flags;

	baud = uart_get_baud_rate(port, new, old, 50, UMF_TTY_SPEED);
	uart_port_lock_irqsave(port, &flags);
	/* what has come so far has been read with the old ones */
	receive_all(tty);
	uart_update_timeout(port, new->c_cflag, baud);
	tty->wire.speed = tty->pace ? baud : 0;
	tty->wire.bits = tty_get_char_size(new->c_cflag);
	tty->wire.parity = parity_of(new->c_cflag);
	tty->wire.stop = new->c_cflag & CSTOPB ? 2 : 1;
	umf_tty_lane_mark(&tty->lane[UMF_DIR_TX]);

	/* Errors that are not asked for pass as good characters. */
	port->read_status_mask = 0;
	if (new->c_iflag & INPCK)
		port->read_status_mask |= UMF_SYM_PARITY | UMF_SYM_FRAME;
	port->ignore_status_mask = 0;
	if (new->c_iflag & IGNPAR)
		port->ignore_status_mask |= UMF_SYM_PARITY | UMF_SYM_FRAME;
	if (new->c_iflag & IGNBRK) {
		port->ignore_status_mask |= UMF_SYM_BREAK;
		if (new->c_iflag & IGNPAR)
			port->ignore_status_mask |= UMF_SYM_LOST;
	}
	if (!(new->c_cflag & CREAD))
		port->ignore_status_mask |= UMF_SYM_BYTE;
	uart_port_unlock_irqrestore(port, flags);
}

static const char *umf_tty_type(struct uart_port *port)
{
	return "umf";
}

static void umf_tty_release_port(struct uart_port *port)
{
}

static int umf_tty_request_port(struct uart_port *port)
{
	return 0;
}

static void umf_tty_config_port(struct uart_port *port, int flags)
{
	port->type = PORT_16550A;
}

static int umf_tty_verify_port(struct uart_port *port,
			       struct serial_struct *serial)
{
	/* There is no other chip, and no register to be elsewhere. */
	return serial->type == port->type && serial->irq == port->irq &&
	       serial->xmit_fifo_size == port->fifosize ? 0 : -EINVAL;
}

const struct uart_ops umf_tty_uart_ops = {
	.tx_empty	= umf_tty_tx_empty,
	.set_mctrl	= umf_tty_set_mctrl,
	.get_mctrl	= umf_tty_get_mctrl,
	.stop_tx	= umf_tty_stop_tx,
	.start_tx	= umf_tty_start_tx,
	.stop_rx	= umf_tty_stop_rx,
	.enable_ms	= umf_tty_enable_ms,
	.break_ctl	= umf_tty_break_ctl,
	.startup	= umf_tty_startup,
	.shutdown	= umf_tty_shutdown,
	.set_termios	= umf_tty_set_termios,
	.type		= umf_tty_type,
	.release_port	= umf_tty_release_port,
	.request_port	= umf_tty_request_port,
	.config_port	= umf_tty_config_port,
	.verify_port	= umf_tty_verify_port,
};

void umf_tty_uart_init(struct umf_tty *tty)
{
	hrtimer_setup(&tty->tx_timer, tx_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS);
	hrtimer_setup(&tty->rx_timer, rx_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS);
	umf_tty_capture_init(tty);
	tty->wire.bits = 8;
	tty->wire.stop = 1;
}

void umf_tty_uart_stop(struct umf_tty *tty)
{
	unsigned long flags;

	uart_port_lock_irqsave(&tty->port, &flags);
	umf_tty_fault_drop(&tty->lane[UMF_DIR_TX]);
	umf_tty_fault_drop(&tty->lane[UMF_DIR_RX]);
	tty->full = false;
	uart_port_unlock_irqrestore(&tty->port, flags);
	hrtimer_cancel(&tty->tx_timer);
	hrtimer_cancel(&tty->rx_timer);
	hrtimer_cancel(&tty->lane[UMF_DIR_TX].timer);
	hrtimer_cancel(&tty->lane[UMF_DIR_RX].timer);
	hrtimer_cancel(&tty->tape.timer);
}
