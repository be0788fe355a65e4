// SPDX-License-Identifier: GPL-2.0
/*
 * The line's bytes and events for a capture, as RTAC serial packets (capture/rtac.h).
 *
 * Bytes that follow each other in one direction, and of which the same is to
 * be said, are gathered into one packet until something else happens on the
 * line, the packet is full or GATHER_TIME has passed; its time is that of the
 * first. What is sent is as it leaves the guest, what is received as it reaches
 * it, and what is lost as it was.
 *
 * uart_port.lock protects what is gathered.
 */
#include <linux/ktime.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/unaligned.h>
#include "capture/rtac.h"
#include "tty/tty.h"

#define GATHER_TIME	(20 * NSEC_PER_MSEC)

static u8 lines_of(const struct umf_tty *tty)
{
	unsigned int in = tty->lines_seen, out = tty->lines_out;

	return (in & TIOCM_CTS ? UMF_RTAC_CTS : 0) |
	       (in & TIOCM_CAR ? UMF_RTAC_DCD : 0) |
	       (in & TIOCM_DSR ? UMF_RTAC_DSR : 0) |
	       (in & TIOCM_RI ? UMF_RTAC_RI : 0) |
	       (out & TIOCM_RTS ? UMF_RTAC_RTS : 0) |
	       (out & TIOCM_DTR ? UMF_RTAC_DTR : 0);
}

static void copy_packet(const void *from, size_t off, u8 *to, size_t len)
{
	memcpy(to, from + off, len);
}

void umf_tty_capture_flush(struct umf_tty *tty)
{
	struct umf_tty_tape *tape = &tty->tape;
	struct umf_capture_packet packet = {
		.dir = tape->dir,
		.comment = tape->note.len ? tape->note.text : NULL,
		.time = tape->time,
		.len = UMF_RTAC_HEAD + tape->len,
		.copy = copy_packet,
		.from = tape->packet,
	};

	lockdep_assert_held(&tty->port.lock);
	if (!tape->used)
		return;
	umf_capture_packet(&tty->site, &packet);
	tape->used = false;
}

static enum hrtimer_restart gather_timer(struct hrtimer *timer)
{
	struct umf_tty *tty = container_of(timer, struct umf_tty, tape.timer);
	unsigned long flags;

	uart_port_lock_irqsave(&tty->port, &flags);
	umf_tty_capture_flush(tty);
	uart_port_unlock_irqrestore(&tty->port, flags);
	return HRTIMER_NORESTART;
}

static void begin(struct umf_tty *tty, enum umf_dir dir, u8 event,
		  const struct umf_note *note)
{
	struct umf_tty_tape *tape = &tty->tape;
	u64 now = ktime_get_real_ns(), seconds;
	u32 rest;

	umf_tty_capture_flush(tty);
	tape->used = true;
	tape->dir = dir;
	tape->time = now;
	tape->len = 0;
	tape->note.len = 0;
	if (note && note->len)
		tape->note = *note;
	seconds = div_u64_rem(now, NSEC_PER_SEC, &rest);
	put_unaligned_be32(seconds, tape->packet);
	put_unaligned_be32(rest / NSEC_PER_USEC, tape->packet + 4);
	tape->packet[8] = event;
	tape->packet[9] = lines_of(tty);
	tape->packet[10] = 0;
	tape->packet[11] = 0;
	if (!hrtimer_is_queued(&tape->timer))
		hrtimer_start(&tape->timer, ns_to_ktime(GATHER_TIME),
			      HRTIMER_MODE_REL);
}

static bool goes_on(const struct umf_tty_tape *tape, enum umf_dir dir,
		    const struct umf_note *note)
{
	unsigned int len = note ? note->len : 0;

	return tape->used && tape->dir == dir &&
	       tape->packet[8] == (dir == UMF_DIR_TX ? UMF_RTAC_TX : UMF_RTAC_RX) &&
	       tape->len < UMF_TTY_TAPE && tape->note.len == len &&
	       (!len || !memcmp(tape->note.text, note->text, len));
}

/* One that is not gathered. */
static void event(struct umf_tty *tty, enum umf_dir dir, u8 what, int byte,
		  const struct umf_note *note)
{
	struct umf_tty_tape *tape = &tty->tape;

	begin(tty, dir, what, note);
	if (byte >= 0)
		tape->packet[UMF_RTAC_HEAD + tape->len++] = byte;
	umf_tty_capture_flush(tty);
}

void umf_tty_capture(struct umf_tty *tty, enum umf_dir dir, u32 sym,
		     const struct umf_note *note)
{
	struct umf_tty_tape *tape = &tty->tape;

	if (sym & UMF_SYM_BREAK) {
		event(tty, dir, UMF_RTAC_BREAK, -1, note);
	} else if (sym & UMF_SYM_LOST) {
		event(tty, dir, UMF_RTAC_OVERRUN, -1, note);
	} else if (sym & (UMF_SYM_FRAME | UMF_SYM_PARITY)) {
		event(tty, dir, sym & UMF_SYM_FRAME ? UMF_RTAC_FRAMING :
						      UMF_RTAC_PARITY,
		      sym & UMF_SYM_BYTE, note);
	} else {
		if (!goes_on(tape, dir, note))
			begin(tty, dir, dir == UMF_DIR_TX ? UMF_RTAC_TX :
							    UMF_RTAC_RX, note);
		tape->packet[UMF_RTAC_HEAD + tape->len++] = sym;
	}
}

/* ---- level actions and control lines ---- */

struct visit {
	struct umf_note *note;
	enum umf_dir dir;
	bool lines;	/* the rules that act on control lines, too */
};

static void visit_level(struct umf_rule *rule, void *data)
{
	const struct umf_spec *spec = &rule->spec;
	struct visit *visit = data;

	if (spec->action == UMF_A_TTY_CUT ?
	    umf_num(spec, UMF_K_DIR, visit->dir) == visit->dir :
	    visit->lines)
		umf_note(visit->note, "%s %s", umf_actions[spec->action].name,
			 spec->val[UMF_K_ID].text);
}

void umf_tty_capture_lost(struct umf_tty *tty, enum umf_dir dir, const u32 *sym,
			  unsigned int n, const char *why)
{
	struct umf_note note = {};
	struct visit visit = { .note = &note, .dir = dir };
	unsigned int i;

	if (tty->cut[dir])
		umf_site_visit_levels(&tty->site, visit_level, &visit);
	if (!note.len)
		umf_note(&note, "%s", why);
	umf_note_more(&note, ": dropped");
	for (i = 0; i < n; i++)
		umf_tty_capture(tty, dir, sym[i], &note);
}

static void lines_changed(struct umf_tty *tty, enum umf_dir dir,
			  unsigned int lines, unsigned int changed)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
		{ TIOCM_RTS, "RTS" }, { TIOCM_DTR, "DTR" },
		{ TIOCM_CTS, "CTS" }, { TIOCM_DSR, "DSR" },
		{ TIOCM_CAR, "DCD" }, { TIOCM_RI, "RI" },
	};
	struct umf_note note = {};
	struct visit visit = { .note = &note, .dir = dir, .lines = true };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (changed & names[i].bit)
			umf_note(&note, "%s %s", names[i].name,
				 lines & names[i].bit ? "on" : "off");
	if (dir == UMF_DIR_RX)
		umf_site_visit_levels(&tty->site, visit_level, &visit);
	event(tty, dir, UMF_RTAC_STATUS, -1, &note);
}

void umf_tty_capture_lines(struct umf_tty *tty, unsigned int in,
			   unsigned int out)
{
	if (out)
		lines_changed(tty, UMF_DIR_TX, tty->lines_out, out);
	if (in)
		lines_changed(tty, UMF_DIR_RX, tty->lines_seen, in);
}

void umf_tty_capture_init(struct umf_tty *tty)
{
	hrtimer_setup(&tty->tape.timer, gather_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL);
}
