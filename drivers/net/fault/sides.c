// SPDX-License-Identifier: GPL-2.0
/*
 * The sides of a partition: whom a= and b= stand for.
 *
 * Names are asked for anew each time: who restarts, or comes later, is on the side
 * that names it. a=one, majority or ring is drawn from the ports that are there when
 * a window opens, by their labels, and stays until it closes, whoever leaves:
 *
 *	one		a port, from all others
 *	majority	n / 2 + 1 of n, from the others and whoever comes later
 *	ring		all, in a drawn order: each hears its two neighbours only
 *
 * The same seed draws the same of the same labels, in each window anew.
 */
#include <linux/etherdevice.h>
#include <linux/hex.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "net/fault/priv.h"

#define SHOWN	8		/* ports in an error's text */

enum drawn_kind { DRAWN_ONE, DRAWN_MAJORITY, DRAWN_RING, DRAWN_KINDS };

static const char *const drawn_words[DRAWN_KINDS] = {
	[DRAWN_ONE] = "one", [DRAWN_MAJORITY] = "majority", [DRAWN_RING] = "ring",
};

struct drawn_port {
	char label[UMF_SEG_LABEL];
	u64 place;			/* drawn */
};

struct umf_net_drawn {
	enum drawn_kind kind;
	bool given;			/* by chosen=: the first window's */
	spinlock_t lock;		/* what follows */
	u64 opening, seed, nr;		/* of the window it was drawn for */
	unsigned int n;
	struct drawn_port port[UMF_SEG_PORTS];
};

/* ---- names ---- */

/* "7" or "63"; UMF_SEG_PORTS: no number of a port. */
static unsigned int port_number(const char *text, size_t len)
{
	unsigned int nr;

	if (!len || len > 2 || strspn(text, "0123456789") < len)
		return UMF_SEG_PORTS;
	nr = text[0] - '0';
	if (len == 2)
		nr = nr * 10 + text[1] - '0';
	return min(nr, UMF_SEG_PORTS);
}

static bool is_named(const char *label, const char *name, size_t len)
{
	return len && len < UMF_SEG_LABEL && !strncmp(label, name, len) &&
	       (!label[len] || label[len] == '/');
}

/*
 * The ports that @name stands for: a guest or "<guest>/<interface>", a MAC, or a
 * number. Names come first, a guest may be called 1; "#1" is always a number.
 */
static u64 ports_named(const struct umf_segment *seg, const char *name,
		       size_t len)
{
	bool number = len && *name == '#';
	unsigned int i, nr = port_number(name + number, len - number);
	u64 named = 0, numbered = 0, mac = 0;
	char label[UMF_SEG_LABEL];
	u8 addr[ETH_ALEN];

	if (len == 3 * ETH_ALEN - 1 && mac_pton(name, addr))
		mac = ether_addr_to_u64(addr);
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		if (!umf_segment_label(seg, i, label))
			continue;
		if (mac ? umf_segment_mac(seg, i) == mac :
			  !number && is_named(label, name, len))
			named |= BIT_ULL(i);
		if (i == nr)
			numbered = BIT_ULL(i);
	}
	return named ?: numbered;
}

/* The same for names with commas between; *@bad: the first that is nobody's. */
static u64 side_ports(const struct umf_segment *seg, const char *text,
		      const char **bad)
{
	const char *end;
	u64 ports = 0, found;

	for (*bad = NULL;; text = end + 1) {
		end = strchrnul(text, ',');
		found = ports_named(seg, text, end - text);
		if (!found && !*bad)
			*bad = text;
		ports |= found;
		if (!*end)
			return ports;
	}
}

static int fail_name(const struct umf_segment *seg, enum umf_key key,
		     const char *name, struct umf_reply *reply)
{
	int len = strchrnul(name, ',') - name, err;
	struct umf_reply known = {};
	char label[UMF_SEG_LABEL];
	unsigned int i, n = 0;

	for (i = 0; i < UMF_SEG_PORTS; i++) {
		if (!umf_segment_label(seg, i, label))
			continue;
		if (n++ < SHOWN)
			umf_say(&known, "%s%u %.*s", n > 1 ? ", " : "", i,
				(int)sizeof(label), label);
	}
	if (n > SHOWN)
		umf_say(&known, " and %u more", n - SHOWN);
	err = umf_fail(reply, -ENOENT,
		       "%s=%.*s: no port of this segment, there is %s",
		       umf_params[key].name, len, name, known.text ?: "none");
	umf_reply_free(&known);
	return err;
}

/* ---- a rule that is made ---- */

/* chosen=: labels, which need not be there now. It is told apart from the keys. */
static int take_chosen(struct umf_spec *spec, struct umf_net_drawn *drawn,
		       struct umf_reply *reply)
{
	const char *text = spec->val[UMF_K_CHOSEN].text, *end;

	for (;; text = end + 1) {
		end = strchrnul(text, ',');
		if (end == text || end - text >= UMF_SEG_LABEL ||
		    drawn->n == UMF_SEG_PORTS)
			return umf_fail(reply, -EINVAL,
					"chosen=%s: must be %s", text,
					umf_params[UMF_K_CHOSEN].form);
		memcpy(drawn->port[drawn->n].label, text, end - text);
		drawn->n++;
		if (!*end)
			break;
	}
	drawn->given = true;
	kfree(spec->val[UMF_K_CHOSEN].text);
	umf_clear_has(spec, UMF_K_CHOSEN);
	return 0;
}

static int prepare_drawn(struct umf_spec *spec, enum drawn_kind kind,
			 struct umf_net_rule *own, struct umf_reply *reply)
{
	struct umf_net_drawn *drawn;

	if (umf_has(spec, UMF_K_B))
		return umf_fail(reply, -EINVAL,
				"a=%s and b= contradict each other: all others are the other side",
				drawn_words[kind]);
	if (kind == DRAWN_RING && umf_num(spec, UMF_K_ONEWAY, 0))
		return umf_fail(reply, -EINVAL,
				"a=ring and oneway=on contradict each other");
	drawn = kzalloc_obj(*drawn);
	if (!drawn)
		return umf_fail(reply, -ENOMEM, "out of memory");
	own->drawn = drawn;
	drawn->kind = kind;
	spin_lock_init(&drawn->lock);
	return umf_has(spec, UMF_K_CHOSEN) ? take_chosen(spec, drawn, reply) : 0;
}

int umf_net_sides_prepare(struct umf_net *net, struct umf_spec *spec,
			  struct umf_net_rule *own, struct umf_reply *reply)
{
	const struct umf_segment *seg = net->seg;
	const char *bad;
	u64 a, b = 0;
	int kind;

	a = side_ports(seg, spec->val[UMF_K_A].text, &bad);
	kind = match_string(drawn_words, DRAWN_KINDS, spec->val[UMF_K_A].text);
	if (bad && kind >= 0)
		return prepare_drawn(spec, kind, own, reply);
	if (umf_has(spec, UMF_K_CHOSEN) || umf_has(spec, UMF_K_SEED))
		return umf_fail(reply, -EINVAL,
				"chosen= and seed= are for a=one, majority or ring");
	if (bad)
		return fail_name(seg, UMF_K_A, bad, reply);
	if (umf_has(spec, UMF_K_B))
		b = side_ports(seg, spec->val[UMF_K_B].text, &bad);
	if (bad)
		return fail_name(seg, UMF_K_B, bad, reply);
	if (a & b)
		return umf_fail(reply, -EINVAL,
				"a= and b= contradict each other: port %u is on both sides",
				(unsigned int)__ffs64(a & b));
	return 0;
}

void umf_net_sides_free(struct umf_net_rule *own)
{
	kfree(own->drawn);
}

/* ---- drawing ---- */

static int compare_labels(const void *a, const void *b)
{
	const struct drawn_port *x = a, *y = b;

	return strcmp(x->label, y->label);
}

static int compare_places(const void *a, const void *b)
{
	const struct drawn_port *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

static void draw(const struct umf_segment *seg, struct umf_net_drawn *drawn)
{
	struct umf_rng rng = { umf_mix64(drawn->seed ^ umf_mix64(drawn->nr)) };
	unsigned int i;

	drawn->n = 0;
	for (i = 0; i < UMF_SEG_PORTS; i++)
		if (umf_segment_label(seg, i, drawn->port[drawn->n].label))
			drawn->n++;
	/* who has which number is a matter of who came first */
	sort(drawn->port, drawn->n, sizeof(*drawn->port), compare_labels, NULL);
	for (i = 0; i < drawn->n; i++)
		drawn->port[i].place = umf_rng_next(&rng);
	sort(drawn->port, drawn->n, sizeof(*drawn->port), compare_places, NULL);
	if (drawn->kind == DRAWN_ONE)
		drawn->n = min(drawn->n, 1);
	else if (drawn->kind == DRAWN_MAJORITY)
		drawn->n = min(drawn->n, drawn->n / 2 + 1);
}

/* In each window anew; after the seed was set, from the beginning. */
static void draw_once(const struct umf_segment *seg, struct umf_rule *rule,
		      struct umf_net_drawn *drawn)
{
	u64 seed, opening = umf_rule_opening(rule, ktime_get_ns(), &seed);

	lockdep_assert_held(&drawn->lock);
	if (drawn->nr && drawn->seed == seed && drawn->opening == opening)
		return;
	drawn->nr = drawn->seed == seed ? drawn->nr + 1 : 1;
	drawn->seed = seed;
	drawn->opening = opening;
	if (!drawn->given)
		draw(seg, drawn);
	drawn->given = false;
}

/* ---- whom it keeps apart ---- */

static void cut_sides(u64 a, u64 b, bool oneway, u64 cut[UMF_SEG_PORTS])
{
	unsigned int i;

	b &= ~a;
	for (i = 0; i < UMF_SEG_PORTS; i++) {
		if (a & BIT_ULL(i))
			cut[i] |= b;
		else if ((b & BIT_ULL(i)) && !oneway)
			cut[i] |= a;
	}
}

static u64 drawn_ports(const struct umf_segment *seg,
		       const struct umf_net_drawn *drawn, unsigned int i)
{
	const char *label = drawn->port[i % drawn->n].label;

	return ports_named(seg, label, strlen(label));
}

/* Who is not in the ring hears everybody. */
static void cut_ring(const struct umf_segment *seg,
		     const struct umf_net_drawn *drawn, u64 cut[UMF_SEG_PORTS])
{
	unsigned int i, j, n = drawn->n;
	u64 all = 0, near, here;

	for (i = 0; i < n; i++)
		all |= drawn_ports(seg, drawn, i);
	for (i = 0; i < n; i++) {
		here = drawn_ports(seg, drawn, i);
		near = here | drawn_ports(seg, drawn, i + 1) |
		       drawn_ports(seg, drawn, i + n - 1);
		for (j = 0; j < UMF_SEG_PORTS; j++)
			if (here & BIT_ULL(j))
				cut[j] |= all & ~near;
	}
}

static void cut_drawn(const struct umf_segment *seg, struct umf_rule *rule,
		      struct umf_net_drawn *drawn, u64 cut[UMF_SEG_PORTS])
{
	unsigned long flags;
	unsigned int i;
	u64 a = 0;

	spin_lock_irqsave(&drawn->lock, flags);
	draw_once(seg, rule, drawn);
	if (drawn->kind == DRAWN_RING) {
		cut_ring(seg, drawn, cut);
	} else {
		for (i = 0; i < drawn->n; i++)
			a |= drawn_ports(seg, drawn, i);
		cut_sides(a, ~0ULL, umf_num(&rule->spec, UMF_K_ONEWAY, 0), cut);
	}
	spin_unlock_irqrestore(&drawn->lock, flags);
}

void umf_net_sides_cut(const struct umf_segment *seg, struct umf_rule *rule,
		       u64 cut[UMF_SEG_PORTS])
{
	const struct umf_net_rule *own = rule->priv;
	const struct umf_spec *spec = &rule->spec;
	u64 a, b = ~0ULL;
	const char *bad;

	if (own->drawn) {
		cut_drawn(seg, rule, own->drawn, cut);
		return;
	}
	a = side_ports(seg, spec->val[UMF_K_A].text, &bad);
	if (umf_has(spec, UMF_K_B))
		b = side_ports(seg, spec->val[UMF_K_B].text, &bad);
	cut_sides(a, b, umf_num(spec, UMF_K_ONEWAY, 0), cut);
}

void umf_net_sides_print(const struct umf_net_rule *own,
			 struct umf_reply *reply)
{
	struct umf_net_drawn *drawn = own->drawn, *now;
	unsigned int i;

	if (!drawn)
		return;
	now = kmalloc_obj(*now);
	if (!now) {
		umf_fail(reply, -ENOMEM, "out of memory");
		return;
	}
	spin_lock_irq(&drawn->lock);
	*now = *drawn;
	spin_unlock_irq(&drawn->lock);
	for (i = 0; i < now->n; i++)
		umf_say(reply, "%s%s", i ? "," : " chosen=\"",
			now->port[i].label);
	if (now->n)
		umf_say(reply, "\"");
	kfree(now);
}
