// SPDX-License-Identifier: GPL-2.0
/*
 * Verdict → symbols, for each direction of a line.
 *
 * A line keeps its order: a symbol that waits makes those behind it wait. So
 * each direction has one queue. Its head goes when its time has come and the
 * rule that holds it, if any, is not in force any more; a timer or the rule's
 * end (update) looks again. With no rule and an empty queue symbols go past.
 *
 * dir=tx acts on what leaves the guest, dir=rx on what reaches it. Marks that
 * only a receiver can see (parity, frame, overrun) travel over a link as marks;
 * the transports to the host carry bytes only and lose them.
 */
#include <linux/bitops.h>
#include <linux/ctype.h>
#include <linux/hex.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "tty/tty.h"

#define TX_WAIT_MAX	1000	/* symbols kept behind the transmitter, … */
#define TX_WAIT_SLOW	16	/* … where the writer is to feel it */
#define LIMIT_DEFAULT	1000
#define CHAR_BITS	10	/* of rate: 8N1 */

struct umf_tty_op {
	struct umf_op op;
	u32 sym;
	const struct umf_tty_lane *lane;
};

struct waiting {
	struct list_head list;
	u32 sym;
	u32 rule;		/* that keeps it; 0: none */
	bool hold;		/* while it is in force; else until due */
	bool slow;		/* it waits for a slower line */
	u64 due;
};

/*
 * What belongs to a rule and goes with it; by enum umf_dir what each direction
 * has of its own. The port's lock protects free.
 */
struct umf_tty_rule {
	unsigned int len;	/* of pattern= */
	u8 pattern[UMF_TTY_PATTERN];
	u64 since[2];		/* lane->nseen when it came */
	u64 free[2];		/* rate: when the slower line is free again */
};

/* ---- what waits ---- */

static bool deliver(struct umf_tty_lane *lane, u32 sym)
{
	struct umf_tty *tty = lane->tty;

	if (lane->dir == UMF_DIR_RX)
		umf_tty_uart_receive(tty, sym);
	else if (sym & UMF_SYM_WIRE)
		tty->transport->set_wire(tty, sym & ~UMF_SYM_WIRE);
	else
		return umf_tty_uart_put(tty, sym);
	return true;
}

/* Must it still wait? Not for a rule that is over, however it ended. */
static bool held(const struct umf_tty_lane *lane, const struct waiting *first)
{
	return first->hold &&
	       umf_rule_in_force(&lane->tty->site, first->rule);
}

static bool early(const struct umf_tty_lane *lane, const struct waiting *first)
{
	return first->due > ktime_get_ns() &&
	       umf_rule_in_force(&lane->tty->site, first->rule);
}

static void pop(struct umf_tty_lane *lane, struct waiting *first)
{
	list_del(&first->list);
	lane->len--;
	kfree(first);
}

void umf_tty_lane_run(struct umf_tty_lane *lane)
{
	struct waiting *first;

	while ((first = list_first_entry_or_null(&lane->queue, struct waiting,
						 list))) {
		if (held(lane, first))
			break;
		if (early(lane, first)) {
			hrtimer_start(&lane->timer, ns_to_ktime(first->due),
				      HRTIMER_MODE_ABS);
			break;
		}
		if (!deliver(lane, first->sym))
			break;
		pop(lane, first);
	}
}

bool umf_tty_lane_open(const struct umf_tty_lane *lane)
{
	const struct waiting *last;

	if (list_empty(&lane->queue))
		return true;
	last = list_last_entry(&lane->queue, struct waiting, list);
	return !last->hold &&
	       lane->len < (last->slow ? TX_WAIT_SLOW : TX_WAIT_MAX);
}

void umf_tty_fault_drop(struct umf_tty_lane *lane)
{
	struct waiting *first, *next;

	list_for_each_entry_safe(first, next, &lane->queue, list)
		pop(lane, first);
	lane->seen_from = lane->nseen;
}

/* When and why a symbol goes on. */
struct fate {
	u64 due;
	u64 limit;		/* of those that wait; more are lost */
	u32 rule;
	bool hold, slow;
};

/* A symbol at its place in the line: not before those in front. False: lost. */
static bool pass(struct umf_tty_lane *lane, u32 sym, const struct fate *fate)
{
	struct waiting *item;

	if (list_empty(&lane->queue) && !fate->rule && deliver(lane, sym))
		return true;
	if (lane->dir == UMF_DIR_RX && lane->len >= fate->limit) {
		lane->tty->port.icount.buf_overrun++;
		return false;
	}
	item = kmalloc(sizeof(*item), GFP_ATOMIC);
	if (!item) {
		lane->tty->port.icount.buf_overrun++;
		return false;
	}
	item->sym = sym;
	item->due = fate->due;
	item->rule = fate->rule;
	item->hold = fate->hold;
	item->slow = fate->slow;
	list_add_tail(&item->list, &lane->queue);
	if (!lane->len++)
		umf_tty_lane_run(lane);
	return true;
}

/* It goes with the one before it, for whatever that waits. */
void umf_tty_lane_mark(struct umf_tty_lane *lane)
{
	u32 wire = umf_wire_pack(&lane->tty->wire);
	struct waiting *item = NULL;

	if (!lane->tty->transport->set_wire)
		return;
	if (!list_empty(&lane->queue))
		item = kmemdup(list_last_entry(&lane->queue, struct waiting, list),
			       sizeof(*item), GFP_ATOMIC);
	if (!item) {
		lane->tty->transport->set_wire(lane->tty, wire);
		return;
	}
	item->sym = UMF_SYM_WIRE | wire;
	list_add_tail(&item->list, &lane->queue);
	lane->len++;
}

static void run_again(struct umf_tty_lane *lane)
{
	umf_tty_lane_run(lane);
	if (lane->dir == UMF_DIR_TX)
		umf_tty_uart_resume(lane->tty);
	else
		umf_tty_uart_push(lane->tty);
}

static enum hrtimer_restart lane_timer(struct hrtimer *timer)
{
	struct umf_tty_lane *lane = container_of(timer, struct umf_tty_lane,
						 timer);
	struct uart_port *port = &lane->tty->port;
	unsigned long flags;

	uart_port_lock_irqsave(port, &flags);
	run_again(lane);
	uart_port_unlock_irqrestore(port, flags);
	return HRTIMER_NORESTART;
}

/* ---- effects ---- */

/* Which bits of a character are flipped; it has no others than the line's. */
static u8 draw_mask(const struct umf_tty *tty, const struct umf_spec *spec,
		    struct umf_rng *rng)
{
	unsigned int width = tty->wire.bits;
	u64 bits = min_t(u64, umf_num(spec, UMF_K_BITS, 1), width);
	u8 mask = 0;

	while (hweight8(mask) < bits)
		mask |= BIT(umf_rng_below(rng, width));
	return mask;
}

/* What the verdict makes of one symbol. */
struct outcome {
	u32 before[2 * UMF_WIRE_MAX];	/* noise, breaks */
	u32 sym[UMF_WIRE_MAX];		/* itself, or what is read of it */
	unsigned int nbefore, nsym;
	u64 copies;
	struct fate fate;
};

static void add_before(struct outcome *out, u32 sym)
{
	if (out->nbefore < ARRAY_SIZE(out->before))
		out->before[out->nbefore++] = sym;
}

static void mark(struct outcome *out, u32 flag)
{
	unsigned int i;

	for (i = 0; i < out->nsym; i++)
		out->sym[i] |= flag;
}

static void read_at(struct umf_tty_lane *lane, struct outcome *out, u64 speed)
{
	struct umf_wire tx = lane->tty->wire, rx = lane->tty->wire;
	u32 sym = out->sym[0];

	if (!rx.speed)
		rx.speed = 9600;	/* what an unpaced line calls itself */
	tx.speed = speed;
	out->nsym = umf_wire_read(&tx, &rx, sym, out->sym);
}

/* When a symbol that comes at @at has passed a slower line. */
static u64 rate_due(const struct umf_tty_lane *lane, u64 at,
		    const struct umf_effect *effect)
{
	struct umf_tty_rule *own = umf_effect_rule(effect)->priv;
	u64 *free = &own->free[lane->dir];

	/* what waited for it may have been dropped */
	if (list_empty(&lane->queue))
		*free = at;
	*free = max(*free, at) + div64_u64(CHAR_BITS * UMF_NSEC,
					   effect->spec->val[UMF_K_SPEED].a);
	return *free;
}

static void apply(struct umf_tty_lane *lane, struct outcome *out,
		  struct umf_effect *effect)
{
	const struct umf_spec *spec = effect->spec;
	u64 n;

	switch (effect->action) {
	case UMF_A_TTY_DROP:
		out->nsym = 0;
		break;
	case UMF_A_TTY_CORRUPT:
		if (out->nsym)
			out->sym[0] ^= draw_mask(lane->tty, spec,
						 &effect->rng);
		break;
	case UMF_A_TTY_INSERT:
		for (n = umf_num(spec, UMF_K_COPIES, 1); n; n--)
			add_before(out, umf_rng_below(&effect->rng, 256));
		break;
	case UMF_A_TTY_DUP:
		out->copies += umf_num(spec, UMF_K_COPIES, 1);
		break;
	case UMF_A_TTY_DELAY:
		out->fate.due += effect->arg;
		out->fate.rule = effect->rule;
		break;
	case UMF_A_TTY_RATE:
		out->fate.due = rate_due(lane, out->fate.due, effect);
		out->fate.slow = true;
		out->fate.rule = effect->rule;
		break;
	case UMF_A_TTY_PARITY:
		mark(out, UMF_SYM_PARITY);
		break;
	case UMF_A_TTY_FRAME:
		mark(out, UMF_SYM_FRAME);
		break;
	case UMF_A_TTY_OVERRUN:
		out->sym[0] = UMF_SYM_LOST;
		out->nsym = 1;
		break;
	case UMF_A_TTY_BREAK:
		add_before(out, UMF_SYM_BREAK);
		break;
	case UMF_A_TTY_BAUD:
		if (out->nsym == 1)
			read_at(lane, out, spec->val[UMF_K_SPEED].a);
		break;
	case UMF_A_TTY_HOLD:
		out->fate.rule = effect->rule;
		out->fate.hold = true;
		break;
	default:
		break;
	}
	if (umf_has(spec, UMF_K_LIMIT))
		out->fate.limit = spec->val[UMF_K_LIMIT].a;
}

static void remember(struct umf_tty_lane *lane, u32 sym)
{
	if (sym & (UMF_SYM_BREAK | UMF_SYM_LOST))
		return;
	memmove(lane->seen, lane->seen + 1, UMF_TTY_PATTERN - 1);
	lane->seen[UMF_TTY_PATTERN - 1] = sym;
	lane->nseen++;
}

/* ---- what a capture says of it ---- */

/* Of what was @sym before the rules. */
static void note_effect(struct umf_note *note, const struct umf_effect *effect,
			u32 sym)
{
	const struct umf_spec *spec = effect->spec;

	umf_note_effect(note, effect);
	switch (effect->action) {
	case UMF_A_TTY_CORRUPT:
	case UMF_A_TTY_BAUD:
		umf_note_more(note, " was %02x", sym & UMF_SYM_BYTE);
		break;
	case UMF_A_TTY_OVERRUN:
		umf_note_more(note, " drops %02x", sym & UMF_SYM_BYTE);
		break;
	case UMF_A_TTY_INSERT:
	case UMF_A_TTY_DUP:
		umf_note_more(note, " copies %llu",
			      umf_num(spec, UMF_K_COPIES, 1));
		break;
	case UMF_A_TTY_DELAY:
		umf_note_time(note, effect->arg);
		break;
	default:
		break;
	}
}

/* A symbol that has passed, or is lost as there was no room for it. */
static void capture(struct umf_tty_lane *lane, u32 sym, struct umf_note *note,
		    bool passed)
{
	struct umf_tty *tty = lane->tty;
	unsigned int len = note->len;

	if (!umf_tty_capturing(tty))
		return;
	if (lane->dir == UMF_DIR_TX && tty->cut[UMF_DIR_TX] && !len) {
		umf_tty_capture_lost(tty, lane->dir, &sym, 1, "cut");
		return;
	}
	if (!passed)
		umf_note_more(note, "%sno room, dropped", len ? ": " : "");
	umf_tty_capture(tty, lane->dir, sym, note);
	note->len = len;
	note->text[len] = '\0';
}

/* ---- the way in ---- */

static void push_judged(struct umf_tty_lane *lane, u32 sym)
{
	struct umf_tty_op op = {
		.op = { .dir = lane->dir, .len = 1 },
		.sym = sym,
		.lane = lane,
	};
	struct outcome out = {
		.sym = { sym }, .nsym = 1,
		.fate = { .due = ktime_get_ns(), .limit = LIMIT_DEFAULT },
	};
	bool noted = umf_tty_capturing(lane->tty);
	struct umf_verdict verdict;
	struct umf_note note;
	unsigned int i;

	note.len = 0;
	remember(lane, sym);
	rcu_read_lock();
	verdict = umf_decide(&lane->tty->site, &op.op);
	umf_verdict_done(&lane->tty->site, &op.op, &verdict);
	for (i = 0; i < verdict.n; i++) {
		if (noted)
			note_effect(&note, &verdict.effect[i], sym);
		apply(lane, &out, &verdict.effect[i]);
	}
	rcu_read_unlock();

	for (i = 0; i < out.nbefore; i++)
		capture(lane, out.before[i], &note,
			pass(lane, out.before[i], &out.fate));
	if (!out.nsym) {
		capture(lane, sym, &note, true);
		return;
	}
	do {
		for (i = 0; i < out.nsym; i++)
			capture(lane, out.sym[i], &note,
				pass(lane, out.sym[i], &out.fate));
	} while (out.copies--);
}

void umf_tty_lane_push(struct umf_tty_lane *lane, u32 sym)
{
	struct umf_note note;
	bool passed;

	if (umf_site_active(&lane->tty->site)) {
		push_judged(lane, sym);
		return;
	}
	note.len = 0;
	passed = pass(lane, sym, &(struct fate){ .limit = LIMIT_DEFAULT });
	capture(lane, sym, &note, passed);
}

/* ---- what the core asks of this class ---- */

static int fail_pattern(struct umf_reply *reply, const char *text)
{
	return umf_fail(reply, -EINVAL,
			"pattern=%s: must be 1 to %d bytes in hex, as in 0d0a",
			text, UMF_TTY_PATTERN);
}

static int read_pattern(struct umf_tty_rule *own, const char *text,
			struct umf_reply *reply)
{
	size_t len = strlen(text);

	if (len % 2 || len > 2 * UMF_TTY_PATTERN ||
	    hex2bin(own->pattern, text, len / 2))
		return fail_pattern(reply, text);
	own->len = len / 2;
	return 0;
}

/* Bytes that came before it do not belong to its pattern=. */
static void rule_comes(struct umf_tty *tty, struct umf_tty_rule *own)
{
	unsigned long flags;
	enum umf_dir dir;

	uart_port_lock_irqsave(&tty->port, &flags);
	for (dir = UMF_DIR_RX; dir <= UMF_DIR_TX; dir++)
		own->since[dir] = tty->lane[dir].nseen;
	uart_port_unlock_irqrestore(&tty->port, flags);
}

static int umf_tty_prepare(struct umf_rule *rule, struct umf_reply *reply)
{
	struct umf_tty *tty = container_of(rule->site, struct umf_tty, site);
	const struct umf_spec *spec = &rule->spec;
	struct umf_tty_rule *own;

	if (umf_num(spec, UMF_K_BITS, 1) > 8)
		return umf_fail(reply, -EINVAL,
				"bits=%llu: a byte has 8", spec->val[UMF_K_BITS].a);
	if (spec->action == UMF_A_TTY_INSERT &&
	    umf_num(spec, UMF_K_COPIES, 1) > UMF_WIRE_MAX)
		return umf_fail(reply, -EINVAL, "copies=%llu: at most %d at once",
				spec->val[UMF_K_COPIES].a, UMF_WIRE_MAX);
	if (spec->action == UMF_A_TTY_MODEM &&
	    !umf_has(spec, UMF_K_CTS) && !umf_has(spec, UMF_K_DSR) &&
	    !umf_has(spec, UMF_K_DCD) && !umf_has(spec, UMF_K_RI))
		return umf_fail(reply, -EINVAL,
				"modem needs one of cts= dsr= dcd= ri=");
	if (umf_has(spec, UMF_K_LIMIT) &&
	    umf_num(spec, UMF_K_DIR, UMF_DIR_RX) == UMF_DIR_TX)
		return umf_fail(reply, -EINVAL,
				"limit=%llu: not with dir=tx, where the writer waits",
				spec->val[UMF_K_LIMIT].a);
	own = kzalloc_obj(*own);
	if (!own)
		return umf_fail(reply, -ENOMEM, "out of memory");
	rule->priv = own;
	rule_comes(tty, own);
	if (!umf_has(spec, UMF_K_PATTERN))
		return 0;
	return read_pattern(own, spec->val[UMF_K_PATTERN].text, reply);
}

static void umf_tty_release(struct umf_rule *rule)
{
	kfree(rule->priv);
}

static bool umf_tty_match(const struct umf_rule *rule, const struct umf_op *op)
{
	const struct umf_tty_op *top = container_of(op, struct umf_tty_op, op);
	const struct umf_tty_lane *lane = top->lane;
	const struct umf_tty_rule *own = rule->priv;
	u64 from = max(own->since[lane->dir], lane->seen_from);

	if (!own->len)
		return true;
	return !(top->sym & (UMF_SYM_BREAK | UMF_SYM_LOST)) &&
	       lane->nseen - from >= own->len &&
	       !memcmp(lane->seen + UMF_TTY_PATTERN - own->len, own->pattern,
		       own->len);
}

static void umf_tty_describe(const struct umf_op *op,
			     const struct umf_effect *effect, char *buf,
			     size_t len)
{
	const struct umf_tty_op *top = container_of(op, struct umf_tty_op, op);
	struct umf_rng rng = effect->rng;
	size_t at;

	at = scnprintf(buf, len, "%s ", op->dir == UMF_DIR_TX ? "tx" : "rx");
	if (top->sym & UMF_SYM_BREAK)
		at += scnprintf(buf + at, len - at, "break");
	else
		at += scnprintf(buf + at, len - at, "%02x",
				top->sym & UMF_SYM_BYTE);
	if (effect->action == UMF_A_TTY_CORRUPT)
		scnprintf(buf + at, len - at, " flips %02x",
			  draw_mask(top->lane->tty, effect->spec, &rng));
	else if (effect->action == UMF_A_TTY_DELAY)
		scnprintf(buf + at, len - at, " for %llu ns", effect->arg);
}

/* ---- level actions ---- */

static void force(struct umf_tty *tty, const struct umf_spec *spec,
		  enum umf_key key, unsigned int line)
{
	if (!umf_has(spec, key))
		return;
	tty->force_mask |= line;
	tty->force_lines &= ~line;
	if (spec->val[key].a)
		tty->force_lines |= line;
}

static void visit_level(struct umf_rule *rule, void *data)
{
	const struct umf_spec *spec = &rule->spec;
	struct umf_tty *tty = data;

	if (spec->action == UMF_A_TTY_CUT) {
		if (umf_num(spec, UMF_K_DIR, UMF_DIR_RX) == UMF_DIR_RX)
			tty->cut[UMF_DIR_RX] = true;
		if (umf_num(spec, UMF_K_DIR, UMF_DIR_TX) == UMF_DIR_TX)
			tty->cut[UMF_DIR_TX] = true;
		return;
	}
	force(tty, spec, UMF_K_CTS, TIOCM_CTS);
	force(tty, spec, UMF_K_DSR, TIOCM_DSR);
	force(tty, spec, UMF_K_DCD, TIOCM_CAR);
	force(tty, spec, UMF_K_RI, TIOCM_RI);
}

static void umf_tty_update(struct umf_site *site)
{
	struct umf_tty *tty = container_of(site, struct umf_tty, site);
	unsigned long flags;

	uart_port_lock_irqsave(&tty->port, &flags);
	tty->force_mask = 0;
	tty->force_lines = 0;
	tty->cut[UMF_DIR_RX] = false;
	tty->cut[UMF_DIR_TX] = false;
	umf_site_visit_levels(site, visit_level, tty);
	run_again(&tty->lane[UMF_DIR_RX]);
	umf_tty_uart_lines(tty);
	run_again(&tty->lane[UMF_DIR_TX]);
	uart_port_unlock_irqrestore(&tty->port, flags);
}

static void umf_tty_flush(struct umf_site *site)
{
	struct umf_tty *tty = container_of(site, struct umf_tty, site);
	unsigned long flags;

	uart_port_lock_irqsave(&tty->port, &flags);
	umf_tty_capture_flush(tty);
	uart_port_unlock_irqrestore(&tty->port, flags);
}

static const struct umf_site_ops umf_tty_site_ops = {
	.prepare	= umf_tty_prepare,
	.release	= umf_tty_release,
	.match		= umf_tty_match,
	.describe	= umf_tty_describe,
	.update		= umf_tty_update,
	.flush		= umf_tty_flush,
};

static void lane_init(struct umf_tty *tty, enum umf_dir dir)
{
	struct umf_tty_lane *lane = &tty->lane[dir];

	lane->tty = tty;
	lane->dir = dir;
	INIT_LIST_HEAD(&lane->queue);
	hrtimer_setup(&lane->timer, lane_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS);
}

void umf_tty_fault_init(struct umf_tty *tty)
{
	lane_init(tty, UMF_DIR_RX);
	lane_init(tty, UMF_DIR_TX);
}

int umf_tty_fault_add(struct umf_tty *tty)
{
	snprintf(tty->site.name, sizeof(tty->site.name), "ttyS%u", tty->unit);
	tty->site.class = UMF_CLASS_TTY;
	tty->site.ops = &umf_tty_site_ops;
	return umf_site_add(&tty->site);
}

void umf_tty_fault_del(struct umf_tty *tty)
{
	umf_site_del(&tty->site);
}
