// SPDX-License-Identifier: GPL-2.0
/*
 * Actions whose frames wait: delay, rate, hold; and reorder, whose need not.
 *
 * Each adds a stage to the frame, in the order of the rules; it waits for one
 * after the other (lane.c). What it has to wait is known when it gets there.
 */
#include <linux/slab.h>
#include "net/fault/priv.h"

/* Between two slots. */
static u64 draw_gap(const struct umf_effect *effect)
{
	const struct umf_value *slot = &effect->spec->val[UMF_K_SLOT];
	struct umf_rng rng = effect->rng;

	if (!umf_has(effect->spec, UMF_K_SLOT))
		return 0;
	return slot->a + umf_rng_below(&rng, slot->b - slot->a + 1);
}

static enum umf_net_result add_stage(struct umf_net_job *job,
				     const struct umf_effect *effect)
{
	struct umf_net_frame *frame = job->frame;

	if (!frame) {
		frame = kzalloc_obj(*frame, GFP_ATOMIC);
		if (!frame) {
			umf_net_fault_count(job->net, umf_net_dir(&job->path),
					    UMF_NET_NOMEM);
			return UMF_NET_UNDONE;
		}
		frame->path = job->path;
		job->frame = frame;
	}
	frame->stage[frame->n++] = (struct umf_net_stage){
		.rule = effect->rule,
		.wait = effect->arg,
		.gap = draw_gap(effect),
	};
	return UMF_NET_WAITS;
}

/* ---- delay ---- */

static bool delay_free(const struct umf_spec *spec)
{
	return umf_num(spec, UMF_K_ORDER, UMF_ORDER_FREE) == UMF_ORDER_FREE &&
	       !umf_has(spec, UMF_K_SLOT);
}

static bool delay_changes(const struct umf_op *op,
			  const struct umf_effect *effect)
{
	return effect->arg || !delay_free(effect->spec);
}

static void delay_describe(const struct umf_net_job *job,
			   const struct umf_effect *effect, bool exact,
			   unsigned int room, struct umf_note *note)
{
	if (exact)
		umf_note_more(note, " %lluns", effect->arg);
	else
		umf_note_time(note, effect->arg);
}

static u64 delay_due(struct umf_net_queue *queue, const struct umf_spec *spec,
		     u64 now, const struct umf_net_stage *stage,
		     unsigned int len)
{
	u64 due;

	if (delay_free(spec))
		return now + stage->wait;
	due = umf_net_queue_in_order(queue, now, stage->wait);
	if (umf_has(spec, UMF_K_SLOT))
		due = umf_net_queue_slot(queue, due, stage->gap,
					 umf_num(spec, UMF_K_FRAMES, U32_MAX));
	return due;
}

const struct umf_net_action umf_net_delay = {
	.changes	= delay_changes,
	.apply		= add_stage,
	.describe	= delay_describe,
	.due		= delay_due,
	.free		= delay_free,
};

/* ---- rate ---- */

/* What a frame of @len bytes takes, as tc-netem has it. */
static unsigned int rate_len(const struct umf_spec *spec, unsigned int len)
{
	unsigned int cell = umf_num(spec, UMF_K_CELL, 0);

	len += umf_num(spec, UMF_K_OVERHEAD, 0);
	if (cell)
		len = DIV_ROUND_UP(len, cell) *
		      (cell + umf_num(spec, UMF_K_CELLHEAD, 0));
	return len;
}

static u64 rate_due(struct umf_net_queue *queue, const struct umf_spec *spec,
		    u64 now, const struct umf_net_stage *stage,
		    unsigned int len)
{
	return umf_net_queue_rate(queue, now, rate_len(spec, len),
				  umf_num(spec, UMF_K_RATE, 1),
				  umf_num(spec, UMF_K_BUCKET, 0));
}

/* Each frame takes its time, so each is an effect, whether it waits or not. */
const struct umf_net_action umf_net_rate = {
	.apply	= add_stage,
	.due	= rate_due,
};

/* ---- hold ---- */

static u64 hold_due(struct umf_net_queue *queue, const struct umf_spec *spec,
		    u64 now, const struct umf_net_stage *stage,
		    unsigned int len)
{
	return UMF_NET_NEVER;
}

const struct umf_net_action umf_net_hold = {
	.apply	= add_stage,
	.due	= hold_due,
};

/* ---- reorder ---- */

static enum umf_net_result reorder_apply(struct umf_net_job *job,
					 const struct umf_effect *effect)
{
	return UMF_NET_OVERTAKES;
}

const struct umf_net_action umf_net_reorder = {
	.apply	= reorder_apply,
};
