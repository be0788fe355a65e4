// SPDX-License-Identifier: GPL-2.0
/* Actions on what is in a frame: corrupt, truncate. */
#include <linux/bitops.h>
#include <linux/ip.h>
#include <linux/math64.h>
#include "net/fault/csum.h"
#include "net/fault/priv.h"

#define IP_CSUM_AT	offsetof(struct iphdr, check)
#define ROOM_FOR_MORE	16	/* bytes of a text: ",+65535" */

/* ---- which bits ---- */

/*
 * Bits that are not drawn: with csum=fix the checksums, as a flip there would be
 * made right again.
 */
struct bit_hole {
	u64 at, n;		/* bits, from the frame's first */
};

#define BIT_HOLES	2

/*
 * Draws distinct bits of a frame, in no memory: bits= of them by a keyed
 * permutation, or each with probability ber=, 64 at a time.
 */
struct umf_net_bits {
	u64 first, total;
	u32 n, i;		/* how many in all, and so far */
	u64 key, shift;		/* bits= */
	unsigned int half;	/* bits in half a Feistel block */
	struct bit_hole hole[BIT_HOLES];	/* in order, within the rest */
	unsigned int holes;
	struct umf_rng rng;	/* ber= */
	u64 threshold;		/* of 2^64; U64_MAX: always */
	u64 word, at;		/* drawn and not yet told; the bit after these */
};

/* 64 bits, each set if a draw of its own is below @threshold. */
static u64 draw_word(struct umf_rng *rng, u64 threshold)
{
	u64 open = U64_MAX, set = 0, bit, r;

	if (threshold == U64_MAX)
		return U64_MAX;
	/* All draws at once, from their high bit on, until each is decided. */
	for (bit = BIT_ULL(63); bit && open; bit >>= 1) {
		r = umf_rng_next(rng);
		if (threshold & bit) {
			set |= open & ~r;
			open &= r;
		} else {
			open &= ~r;
		}
	}
	return set;
}

static void refill(struct umf_net_bits *draw)
{
	u64 left = draw->total - draw->at;

	draw->word = draw_word(&draw->rng, draw->threshold);
	if (left < 64)
		draw->word &= BIT_ULL(left) - 1;
	draw->at += 64;
}

static void ber_start(struct umf_net_bits *draw, u64 ppb, const struct umf_rng *rng)
{
	draw->threshold = ppb == UMF_PPB ? U64_MAX :
			  mul_u64_u64_div_u64(U64_MAX, ppb, UMF_PPB);
	draw->rng = *rng;
	while (draw->at < draw->total) {
		refill(draw);
		draw->n += hweight64(draw->word);
	}
	draw->rng = *rng;
	draw->word = 0;
	draw->at = 0;
}

/* The checksum at that byte; 0: there is none. */
static void leave_out(struct umf_net_bits *draw, unsigned int byte)
{
	u64 end = draw->first + draw->total;
	u64 from = clamp(byte * 8ULL, draw->first, end);
	u64 to = clamp(byte * 8ULL + 16, draw->first, end);

	if (!byte || from == to)
		return;
	draw->hole[draw->holes++] = (struct bit_hole){ from, to - from };
	if (draw->holes == BIT_HOLES && draw->hole[0].at > from)
		swap(draw->hole[0], draw->hole[1]);
}

static u64 bit_at(const struct umf_net_bits *draw, u64 x)
{
	unsigned int i;

	x += draw->first;
	for (i = 0; i < draw->holes && x >= draw->hole[i].at; i++)
		x += draw->hole[i].n;
	return x;
}

/* @csums: NULL, or those that are to be made right. */
static void bits_start(struct umf_net_bits *draw, const struct umf_spec *spec,
		       const struct umf_rng *seed, u64 len,
		       const struct umf_net_csums *csums)
{
	struct umf_rng own = *seed, *rng = &own;
	u64 first = 0, last = len - 1;
	unsigned int i;

	memset(draw, 0, sizeof(*draw));
	if (umf_has(spec, UMF_K_OFFSET)) {
		first = spec->val[UMF_K_OFFSET].a;
		last = min(last, spec->val[UMF_K_OFFSET].b);
	}
	if (!len || first > last)
		return;
	draw->first = first * 8;
	draw->total = (last - first + 1) * 8;
	if (csums) {
		leave_out(draw, csums->ip ? csums->ip + IP_CSUM_AT : 0);
		leave_out(draw, csums->field);
	}
	for (i = 0; i < draw->holes; i++)
		draw->total -= draw->hole[i].n;
	if (!draw->total)
		return;
	if (umf_has(spec, UMF_K_BER)) {
		ber_start(draw, spec->val[UMF_K_BER].a, rng);
		return;
	}
	draw->key = umf_rng_next(rng);
	draw->shift = umf_rng_below(rng, draw->total);
	draw->half = (fls64(draw->total - 1) + 1) / 2;
	draw->n = min(umf_num(spec, UMF_K_BITS, 1), draw->total);
}

/* The next of n, counted from the frame's first byte, its low bit first. */
static u64 bits_next(struct umf_net_bits *draw)
{
	u64 mask = BIT_ULL(draw->half) - 1, left, right, x = draw->i++;
	int round;

	if (!draw->half) {
		while (!draw->word)
			refill(draw);
		x = draw->at - 64 + __ffs64(draw->word);
		draw->word &= draw->word - 1;
		return bit_at(draw, x);
	}

	do {
		left = x >> draw->half;
		right = x & mask;
		for (round = 0; round < 4; round++) {
			u64 f = umf_mix64(draw->key + (u64)round * 0x9e3779b9 +
					  (right << 3)) & mask;

			swap(left, right);
			right ^= f;
		}
		x = left << draw->half | right;
	} while (x >= draw->total);
	x += draw->shift;
	if (x >= draw->total)
		x -= draw->total;
	return bit_at(draw, x);
}

/* ---- corrupt ---- */

/*
 * Makes the frame the job's own, linear, with its checksums as sent, so that the
 * receiver sees them fail.
 */
static bool own_frame(struct umf_net_job *job)
{
	struct sk_buff *skb = job->skb, *copy;

	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return false;
	if (skb_cloned(skb) || skb_is_nonlinear(skb)) {
		copy = skb_copy(skb, GFP_ATOMIC);
		if (!copy)
			return false;
		consume_skb(skb);
		job->skb = copy;
		job->nop.skb = copy;
	}
	return true;
}

/* Most frames of a rule with ber= have no bit that is. */
static bool corrupt_changes(const struct umf_op *op,
			    const struct umf_effect *effect)
{
	struct umf_net_bits draw;

	bits_start(&draw, effect->spec, &effect->rng, op->len, NULL);
	return draw.n;
}

static enum umf_net_result corrupt_apply(struct umf_net_job *job,
					 const struct umf_effect *effect)
{
	bool fix = umf_num(effect->spec, UMF_K_CSUM, UMF_CSUM_KEEP);
	struct umf_net_csums csums;
	struct umf_net_bits draw;
	struct sk_buff *skb;
	u64 bit;
	u32 i;

	if (!own_frame(job)) {
		umf_net_fault_count(job->net, umf_net_dir(&job->path), UMF_NET_NOMEM);
		return UMF_NET_UNDONE;
	}
	skb = job->skb;
	if (fix)
		umf_net_find_csums(skb, &csums);
	bits_start(&draw, effect->spec, &effect->rng, skb->len,
		   fix ? &csums : NULL);
	if (!draw.n)
		return UMF_NET_UNDONE;
	job->bits = &draw;
	umf_net_did(job, effect);
	job->bits = NULL;
	skb->ip_summed = CHECKSUM_NONE;
	for (i = 0; i < draw.n; i++) {
		bit = bits_next(&draw);
		skb->data[bit / 8] ^= 1 << bit % 8;
	}
	if (fix)
		umf_net_fix_csums(skb, &csums);
	return UMF_NET_DONE;
}

/* " bits 300,301,+12": bit 300 is bit 4 of the byte at offset 37 */
static void corrupt_describe(const struct umf_net_job *job,
			     const struct umf_effect *effect, bool exact,
			     unsigned int room, struct umf_note *note)
{
	struct umf_net_bits draw = *job->bits;
	unsigned int end = note->len + room;
	u32 i;

	for (i = 0; i < draw.n; i++) {
		if (end - note->len < ROOM_FOR_MORE && i + 1 < draw.n) {
			umf_note_more(note, ",+%u", draw.n - i);
			break;
		}
		umf_note_more(note, "%s%llu", i ? "," : " bits ",
			      bits_next(&draw));
	}
}

const struct umf_net_action umf_net_corrupt = {
	.changes	= corrupt_changes,
	.apply		= corrupt_apply,
	.describe	= corrupt_describe,
};

/* ---- truncate ---- */

static bool truncate_changes(const struct umf_op *op,
			     const struct umf_effect *effect)
{
	return op->len > umf_num(effect->spec, UMF_K_LEN, op->len);
}

static unsigned int truncate_len(const struct umf_net_job *job,
				 const struct umf_effect *effect)
{
	return min_t(u64, job->skb->len,
		     umf_num(effect->spec, UMF_K_LEN, job->skb->len));
}

static enum umf_net_result truncate_apply(struct umf_net_job *job,
					  const struct umf_effect *effect)
{
	unsigned int len = truncate_len(job, effect);
	struct sk_buff *skb = job->skb;

	if (skb->len == len)
		return UMF_NET_UNDONE;
	/* what pskb_trim() needs memory for is had before it is said */
	if ((skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb)) ||
	    (skb_cloned(skb) && pskb_expand_head(skb, 0, 0, GFP_ATOMIC)) ||
	    skb_linearize(skb)) {
		umf_net_fault_count(job->net, umf_net_dir(&job->path), UMF_NET_NOMEM);
		return UMF_NET_UNDONE;
	}
	umf_net_did(job, effect);
	skb_trim(skb, len);
	skb->ip_summed = CHECKSUM_NONE;
	return UMF_NET_DONE;
}

static void truncate_describe(const struct umf_net_job *job,
			      const struct umf_effect *effect, bool exact,
			      unsigned int room, struct umf_note *note)
{
	umf_note_more(note, " %u to %u bytes", job->skb->len,
		      truncate_len(job, effect));
}

const struct umf_net_action umf_net_truncate = {
	.changes	= truncate_changes,
	.apply		= truncate_apply,
	.describe	= truncate_describe,
};
