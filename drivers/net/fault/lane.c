// SPDX-License-Identifier: GPL-2.0
/*
 * Lanes: the order of frames in one direction.
 *
 * Invariant: nothing passes what came before it, unless it waits for a rule
 * that the other need not wait for, or a rule says so (order=free, reorder,
 * release=reverse). Whatever ends a rule lets go of what it kept, in its order,
 * before anything newer passes.
 *
 *	fresh -> decided ------------------------------------> passed on
 *	              \-> on a rule's queue -> released ------> passed on
 *	                      ^---- its next rule ----/
 *
 * Whoever finds the lane not busy runs it: takes what is released, then what is
 * fresh, one frame after the other, with no lock held. Who finds it busy leaves
 * his frame with those that are fresh. Lane RX is run by the NAPI poll only, so
 * that frames that have waited go through GRO with all others.
 *
 * A rule has ended when umf_rule_open() says so, at the time of the last verdict
 * or later: a frame that a rule has no longer been asked about cannot pass what
 * that rule still keeps, on whichever processor the rule is being removed. With
 * order=free frames keep their time when the window closes; they are let go when
 * the rule is deleted. Without carrier nothing is kept.
 *
 * Locking: lane->lock protects lists and queues and is never held while a frame
 * is passed on or the core is asked for a verdict. It is taken with BH off.
 */
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/netfilter.h>
#include <net/dst.h>
#include "net/fault/priv.h"

#define WAIT_TRIES	1000

static struct umf_net_lane *lane_of(struct umf_net *net,
				    enum umf_net_lane_id id)
{
	return &net->fault.lane[id];
}

static enum umf_net_lane_id lane_id(const struct umf_net_lane *lane)
{
	return lane - lane->net->fault.lane;
}

static struct umf_net_frame *frame_of(struct umf_net_item *item)
{
	return container_of(item, struct umf_net_frame, item);
}

/* Of a fresh frame. */
static struct umf_net_path *path_of(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct umf_net_path) > sizeof(skb->cb));
	return (struct umf_net_path *)skb->cb;
}

/* ---- queues, with the lock held ---- */

static const struct umf_net_action *action_of(const struct umf_net_lane *lane,
					      const struct umf_rule *rule)
{
	return lane->net->fault.actions[rule->spec.action];
}

static bool is_free(const struct umf_net_lane *lane,
		    const struct umf_rule *rule)
{
	const struct umf_net_action *action = action_of(lane, rule);

	return action->free && action->free(&rule->spec);
}

/* Does it keep nothing any more? */
static bool has_ended(const struct umf_net_lane *lane, struct umf_rule *rule,
		      u64 now)
{
	return is_free(lane, rule) ? READ_ONCE(rule->dead) :
				     !umf_rule_open(rule, now);
}

static void release_item(struct umf_net_lane *lane, struct umf_net_item *item)
{
	lane->came++;
	list_add_tail(&frame_of(item)->list, &lane->released);
}

static struct umf_net_waiting *first_due(const struct umf_net_lane *lane)
{
	struct umf_net_waiting *waiting, *first = NULL;

	list_for_each_entry(waiting, &lane->queues, list)
		if (!first || umf_net_queue_due(&waiting->queue) <
			      umf_net_queue_due(&first->queue))
			first = waiting;
	return first;
}

/* Releases what need not wait at @now. */
static void settle(struct umf_net_lane *lane, u64 now)
{
	bool down = READ_ONCE(lane->net->fault.down);
	struct umf_net_waiting *waiting, *next;
	struct umf_net_item *item;

	lockdep_assert_held(&lane->lock);
	list_for_each_entry_safe(waiting, next, &lane->queues, list) {
		if (!down && !has_ended(lane, waiting->rule, now))
			continue;
		while ((item = umf_net_queue_drain(&waiting->queue)))
			release_item(lane, item);
		list_del_init(&waiting->list);
	}
	while ((waiting = first_due(lane)) &&
	       (item = umf_net_queue_pop(&waiting->queue, now))) {
		release_item(lane, item);
		if (!waiting->queue.count)
			list_del_init(&waiting->list);
	}
}

static void start_timer(struct umf_net_lane *lane)
{
	struct umf_net_waiting *first = first_due(lane);
	u64 due = first ? umf_net_queue_due(&first->queue) : UMF_NET_NEVER;

	if (due == UMF_NET_NEVER ||
	    (hrtimer_is_queued(&lane->timer) &&
	     ktime_to_ns(hrtimer_get_expires(&lane->timer)) == due))
		return;
	hrtimer_start(&lane->timer, ns_to_ktime(due), HRTIMER_MODE_ABS_SOFT);
}

/* ---- waiting ---- */

/* Its frames may wait for long: they let go of what is not ours. */
static void let_go(struct sk_buff *skb)
{
	skb_orphan(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
}

static enum umf_net_fate wait_for(struct umf_net_lane *lane,
				  struct umf_rule *rule,
				  struct umf_net_frame *frame, u64 now,
				  u64 *due)
{
	struct umf_net_waiting *waiting =
		&((struct umf_net_rule *)rule->priv)->waiting[umf_net_dir(&frame->path)];
	const struct umf_spec *spec = &rule->spec;
	struct umf_net_queue *queue = &waiting->queue;

	lockdep_assert_held(&lane->lock);
	if (!lane->open || READ_ONCE(lane->net->fault.down) ||
	    READ_ONCE(rule->dead) || has_ended(lane, rule, now))
		return UMF_NET_LEAVES;
	if (queue->count >= umf_num(spec, UMF_K_LIMIT, UMF_NET_QUEUE_LIMIT))
		return UMF_NET_FULL;
	*due = action_of(lane, rule)->due(queue, spec, now,
					  &frame->stage[frame->next],
					  frame->skb->len);
	if (*due <= now && (is_free(lane, rule) || !queue->count))
		return UMF_NET_LEAVES;
	let_go(frame->skb);
	if (!queue->count)
		list_add_tail(&waiting->list, &lane->queues);
	umf_net_queue_push(queue, &frame->item, *due,
			   umf_num(spec, UMF_K_RELEASE, UMF_RELEASE_ORDER));
	return UMF_NET_QUEUED;
}

enum umf_net_fate umf_net_lane_wait(struct umf_net *net,
				    struct umf_net_frame *frame, u64 now,
				    u64 *due)
{
	struct umf_net_lane *lane = lane_of(net, frame->path.lane);
	enum umf_net_fate fate = UMF_NET_LEAVES;
	struct umf_rule *rule;

	for (; frame->next < frame->n; frame->next++) {
		rule = umf_rule_get(&net->fault.site,
				    frame->stage[frame->next].rule);
		if (!rule)
			continue;
		spin_lock(&lane->lock);
		fate = wait_for(lane, rule, frame, now, due);
		spin_unlock(&lane->lock);
		if (fate != UMF_NET_LEAVES)
			break;
	}
	return fate;
}

/* A frame that was released: to its next rule, or away. */
static void go_on(struct umf_net_lane *lane, struct umf_net_frame *frame,
		  u64 now)
{
	struct umf_net *net = lane->net;
	enum umf_net_fate fate;
	u64 due;

	frame->next++;
	rcu_read_lock();
	fate = umf_net_lane_wait(net, frame, now, &due);
	rcu_read_unlock();
	if (fate == UMF_NET_QUEUED)
		return;
	if (fate == UMF_NET_FULL) {
		umf_net_fault_count(net, umf_net_dir(&frame->path), UMF_NET_LIMIT);
		umf_net_lose(net, frame->skb, &frame->path, "no room");
	} else {
		lane->ops->pass(net, frame->skb, &frame->path);
	}
	kfree(frame);
}

/* ---- running ---- */

/* A frame that came has passed on, or waits. */
static void count_gone(struct umf_net_lane *lane)
{
	spin_lock(&lane->lock);
	lane->went++;
	spin_unlock(&lane->lock);
}

static struct umf_net_frame *take_released(struct umf_net_lane *lane)
{
	struct umf_net_frame *frame;

	frame = list_first_entry_or_null(&lane->released, struct umf_net_frame,
					 list);
	if (frame)
		list_del(&frame->list);
	return frame;
}

void umf_net_lane_flush(struct umf_net *net, enum umf_net_lane_id id, u64 now)
{
	struct umf_net_lane *lane = lane_of(net, id);
	struct umf_net_frame *frame;

	do {
		spin_lock(&lane->lock);
		settle(lane, now);
		frame = take_released(lane);
		spin_unlock(&lane->lock);
		if (frame) {
			go_on(lane, frame, now);
			count_gone(lane);
		}
	} while (frame);
}

/* Who is it that runs the lane? True: it is the caller. */
static bool take_lane(struct umf_net_lane *lane)
{
	bool taken;

	spin_lock(&lane->lock);
	taken = !lane->busy;
	lane->busy = true;
	spin_unlock(&lane->lock);
	return taken;
}

/*
 * The next of a lane that is taken: a frame that has waited, or a fresh one.
 * Neither: then it is left, before anybody can have come unseen.
 */
static struct umf_net_frame *next_frame(struct umf_net_lane *lane, u64 now,
					struct sk_buff **fresh)
{
	struct umf_net_frame *frame;

	spin_lock(&lane->lock);
	settle(lane, now);
	frame = take_released(lane);
	*fresh = frame ? NULL : __skb_dequeue(&lane->fresh);
	if (!frame && !*fresh) {
		lane->busy = false;
		start_timer(lane);
	}
	spin_unlock(&lane->lock);
	return frame;
}

/* The budget is spent. */
static void leave_lane(struct umf_net_lane *lane)
{
	spin_lock(&lane->lock);
	lane->busy = false;
	start_timer(lane);
	spin_unlock(&lane->lock);
}

int umf_net_lane_run(struct umf_net *net, enum umf_net_lane_id id, int budget)
{
	struct umf_net_lane *lane = lane_of(net, id);
	struct umf_net_frame *frame;
	struct umf_net_path path;
	struct sk_buff *skb;
	int done;
	u64 now;

	if (!take_lane(lane))
		return 0;
	for (done = 0; done < budget; done++) {
		now = ktime_get_ns();
		frame = next_frame(lane, now, &skb);
		if (frame) {
			go_on(lane, frame, now);
		} else if (skb) {
			path = *path_of(skb);
			lane->ops->decide(net, skb, &path);
		} else {
			return done;
		}
		count_gone(lane);
	}
	leave_lane(lane);
	return done;
}

void umf_net_lane_enter(struct umf_net *net, struct sk_buff *skb,
			const struct umf_net_path *path)
{
	struct umf_net_lane *lane = lane_of(net, path->lane);

	*path_of(skb) = *path;
	spin_lock(&lane->lock);
	lane->came++;
	__skb_queue_tail(&lane->fresh, skb);
	spin_unlock(&lane->lock);
	umf_net_lane_run(net, path->lane, INT_MAX);
}

void umf_net_lane_inject(struct umf_net *net, struct sk_buff *skb)
{
	struct umf_net_lane *lane = lane_of(net, UMF_NET_LANE_RX);
	struct umf_net_frame *frame = kzalloc_obj(*frame, GFP_ATOMIC);
	bool open = false;

	if (frame) {
		frame->skb = skb;
		frame->path.lane = UMF_NET_LANE_RX;
		frame->path.port = umf_segment_port(net->seg);
		spin_lock(&lane->lock);
		open = lane->open;
		if (open) {
			lane->came++;
			list_add_tail(&frame->list, &lane->released);
		}
		spin_unlock(&lane->lock);
	}
	if (open) {
		napi_schedule(&net->napi);
		return;
	}
	if (!frame)
		umf_net_fault_count(net, UMF_DIR_RX, UMF_NET_NOMEM);
	kfree_skb(skb);
	kfree(frame);
}

/* Sees to what is released; in whatever context. */
static void kick(struct umf_net_lane *lane)
{
	if (lane_id(lane) == UMF_NET_LANE_RX)
		napi_schedule(&lane->net->napi);
	else
		umf_net_lane_run(lane->net, lane_id(lane), INT_MAX);
}

static enum hrtimer_restart lane_timer(struct hrtimer *timer)
{
	struct umf_net_lane *lane = container_of(timer, struct umf_net_lane,
						 timer);

	local_bh_disable();
	kick(lane);
	local_bh_enable();
	return HRTIMER_NORESTART;
}

/* ---- all lanes ---- */

void umf_net_lanes_update(struct umf_net *net)
{
	struct umf_net_lane *lane;
	int id;

	local_bh_disable();
	for (id = 0; id < UMF_NET_LANES; id++) {
		lane = lane_of(net, id);
		/* here and now: the rule may be freed when we return */
		spin_lock(&lane->lock);
		settle(lane, ktime_get_ns());
		spin_unlock(&lane->lock);
		kick(lane);
	}
	local_bh_enable();
}

/* Is nobody on his way, nor waiting? */
static bool is_idle(const struct umf_net_lane *lane)
{
	return !READ_ONCE(lane->busy) && list_empty(&lane->queues) &&
	       list_empty(&lane->released) &&
	       skb_queue_empty_lockless(&lane->fresh);
}

bool umf_net_fault_idle(const struct umf_net *net)
{
	int id;

	for (id = 0; id < UMF_NET_LANES; id++)
		if (!is_idle(&net->fault.lane[id]))
			return false;
	return true;
}

/*
 * What is released goes before what is fresh: once as many have gone as are there
 * now, all have that were released. In a flood there are always others.
 */
static void lane_wait(struct umf_net_lane *lane)
{
	int tries = WAIT_TRIES;
	bool gone;
	u64 came;

	spin_lock_bh(&lane->lock);
	came = lane->came;
	spin_unlock_bh(&lane->lock);
	do {
		spin_lock_bh(&lane->lock);
		gone = !lane->open || lane->went >= came;
		spin_unlock_bh(&lane->lock);
		if (gone)
			return;
		usleep_range(50, 200);
	} while (tries--);
}

void umf_net_lanes_wait(struct umf_net *net)
{
	int id;

	for (id = 0; id < UMF_NET_LANES; id++)
		lane_wait(lane_of(net, id));
}

void umf_net_lanes_open(struct umf_net *net)
{
	struct umf_net_lane *lane;
	int id;

	for (id = 0; id < UMF_NET_LANES; id++) {
		lane = lane_of(net, id);
		spin_lock_bh(&lane->lock);
		WRITE_ONCE(lane->open, true);
		spin_unlock_bh(&lane->lock);
	}
}

static void lane_close(struct umf_net_lane *lane)
{
	struct umf_net_waiting *waiting, *next_waiting;
	struct umf_net_frame *frame, *next;
	struct umf_net_item *item;
	struct sk_buff_head fresh;
	struct umf_net_path path;
	struct sk_buff *skb;
	LIST_HEAD(kept);

	__skb_queue_head_init(&fresh);
	spin_lock_bh(&lane->lock);
	WRITE_ONCE(lane->open, false);
	list_for_each_entry_safe(waiting, next_waiting, &lane->queues, list) {
		while ((item = umf_net_queue_drain(&waiting->queue)))
			release_item(lane, item);
		list_del_init(&waiting->list);
	}
	list_splice_init(&lane->released, &kept);
	skb_queue_splice_init(&lane->fresh, &fresh);
	lane->went += list_count_nodes(&kept) + skb_queue_len(&fresh);
	spin_unlock_bh(&lane->lock);
	hrtimer_cancel(&lane->timer);
	list_for_each_entry_safe(frame, next, &kept, list) {
		umf_net_lose(lane->net, frame->skb, &frame->path,
			     "interface down");
		kfree(frame);
	}
	while ((skb = __skb_dequeue(&fresh))) {
		path = *path_of(skb);
		umf_net_lose(lane->net, skb, &path, "interface down");
	}
}

void umf_net_lanes_close(struct umf_net *net)
{
	int id;

	for (id = 0; id < UMF_NET_LANES; id++)
		lane_close(lane_of(net, id));
}

void umf_net_lanes_init(struct umf_net *net,
			const struct umf_net_lane_ops *ops)
{
	struct umf_net_lane *lane;
	int id;

	for (id = 0; id < UMF_NET_LANES; id++) {
		lane = lane_of(net, id);
		lane->net = net;
		lane->ops = ops;
		spin_lock_init(&lane->lock);
		INIT_LIST_HEAD(&lane->queues);
		INIT_LIST_HEAD(&lane->released);
		__skb_queue_head_init(&lane->fresh);
		hrtimer_setup(&lane->timer, lane_timer, CLOCK_MONOTONIC,
			      HRTIMER_MODE_ABS_SOFT);
	}
}
