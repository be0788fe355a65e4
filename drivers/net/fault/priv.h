/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of net/fault/ share.
 *
 * An action is one row: struct umf_net_action, in the file of its family, listed
 * in action.c. A frame for which a rule has fired is a job while the verdict is
 * carried out; one that then has to wait is a umf_net_frame until it leaves.
 */
#ifndef __UMF_NET_FAULT_PRIV_H
#define __UMF_NET_FAULT_PRIV_H

#include "net/fault/filter.h"
#include "net/fault/queue.h"
#include "net/net.h"

#define UMF_NET_ALL_PORTS	-1
#define UMF_NET_QUEUE_LIMIT	1000	/* limit= unless given */

/* Where a frame is on its way. */
struct umf_net_path {
	enum umf_net_lane_id lane;
	/* RX: who has sent it; PORT: who gets it; TX: UMF_NET_ALL_PORTS */
	int port;
	u32 gen;		/* PORT: of the port */
	u32 segs;		/* of a GSO frame that passes whole */
};

static inline enum umf_dir umf_net_dir(const struct umf_net_path *path)
{
	return path->lane == UMF_NET_LANE_RX ? UMF_DIR_RX : UMF_DIR_TX;
}

/* umf_op.key: a MAC, of which none is 0 */
static inline u64 umf_net_peer_key(u64 mac)
{
	return mac | BIT_ULL(48);
}

/* What the core is asked about. */
struct umf_net_op {
	struct umf_op op;
	struct sk_buff *skb;
	const struct umf_net_gso *gso;	/* of umf_pass_all() */
	const struct umf_net_job *job;	/* of umf_decide() */
	u64 peer;
};

/* What a rule keeps of one direction. */
struct umf_net_waiting {
	struct umf_net_queue queue;	/* both: the lane's lock */
	struct list_head list;		/* on lane->queues unless it is empty */
	struct umf_rule *rule;
};

/* A rule, compiled: umf_rule.priv. */
struct umf_net_rule {
	struct umf_net_filter filter;
	bool per_port;
	struct umf_net_waiting waiting[2];	/* by enum umf_dir */
	u64 due;			/* macflap's own */
	struct umf_net_drawn *drawn;	/* of a partition: sides.c; or NULL */
};

/* A wait of a frame, for one rule. */
struct umf_net_stage {
	u32 rule;
	u64 wait;			/* ns, of a delay */
	u64 gap;			/* ns, of slots: from the one before */
};

/*
 * A frame that has to wait, in one queue after the other:
 *
 *	on a rule's queue (item) -> released (list) -> the next stage or away
 */
struct umf_net_frame {
	struct umf_net_item item;
	struct list_head list;
	struct sk_buff *skb;
	struct umf_net_path path;
	unsigned int next, n;		/* stages */
	struct umf_net_stage stage[UMF_EFFECTS_MAX];
};

/* ---- actions ---- */

struct umf_net_bits;

/* One frame, and what is done to it. */
struct umf_net_job {
	struct umf_net *net;
	struct sk_buff *skb;		/* NULL: it goes no further */
	struct umf_net_path path;
	struct umf_net_op nop;
	struct umf_verdict verdict;
	const struct umf_net_bits *bits;	/* corrupt: for describe */
	bool overtakes;			/* it is not to wait for any rule */
	const char *name;		/* of what came about, if not the action's */
	u32 copies;			/* asked for by rules */
	struct umf_net_frame *frame;	/* NULL: it need not wait */
	bool noted;			/* a capture wants to know: */
	struct umf_note note;
};

enum umf_net_result {
	UMF_NET_UNDONE,		/* nothing came about */
	UMF_NET_DONE,		/* and said so: umf_net_did() */
	UMF_NET_WAITS,		/* it is to wait: known when all rules are heard */
	UMF_NET_COPIES,		/* copies are to be made, likewise */
	UMF_NET_OVERTAKES,	/* it is not to wait, likewise */
};

struct umf_net_action {
	/*
	 * Checks a rule that is made, and adds to @own: 0 or umf_fail(). May
	 * sleep. Optional.
	 */
	int (*prepare)(struct umf_net *net, struct umf_spec *spec,
		       struct umf_net_rule *own, struct umf_reply *reply);
	/* As umf_site_ops has it. Optional. */
	bool (*changes)(const struct umf_op *op,
			const struct umf_effect *effect);
	/* Of actions on single frames. */
	enum umf_net_result (*apply)(struct umf_net_job *job,
				     const struct umf_effect *effect);
	/*
	 * What it does, " so and so"; @room: bytes. @exact: for the event log,
	 * where programs read it. Optional.
	 */
	void (*describe)(const struct umf_net_job *job,
			 const struct umf_effect *effect, bool exact,
			 unsigned int room, struct umf_note *note);
	/*
	 * Of actions whose frames wait: the due time of one that comes at @now.
	 * What comes later is due later unless @free.
	 */
	u64 (*due)(struct umf_net_queue *queue, const struct umf_spec *spec,
		   u64 now, const struct umf_net_stage *stage,
		   unsigned int len);
	bool (*free)(const struct umf_spec *spec);
};

/* By enum umf_action_id; without entries for what single frames do not see. */
extern const struct umf_net_action *const umf_net_actions[UMF_A_MAX];

/* corrupt.c */
extern const struct umf_net_action umf_net_corrupt, umf_net_truncate;
/* wait.c */
extern const struct umf_net_action umf_net_delay, umf_net_rate, umf_net_hold,
				   umf_net_reorder;
/* drop.c, reject.c */
extern const struct umf_net_action umf_net_drop, umf_net_dup, umf_net_reject;
/* partition.c, flap.c */
extern const struct umf_net_action umf_net_partition, umf_net_macflap;

/* ---- note.c: what is told of frames ---- */

void umf_net_fault_count(struct umf_net *net, enum umf_dir dir, int what);
/* The effect comes about: counted, logged, and noted for a capture. */
void umf_net_did(struct umf_net_job *job, const struct umf_effect *effect);
/* Takes down what became of a frame; not if there is nothing to say apart. */
void umf_net_take_down(struct umf_net *net, const struct sk_buff *skb,
		       const struct umf_net_path *path, struct umf_note *note);
/* Frees a frame that goes no further, whatever the rules for it said. */
void umf_net_lose(struct umf_net *net, struct sk_buff *skb,
		  const struct umf_net_path *path, const char *why);

/* ---- l3.c ---- */

/*
 * Where the network header is, behind all VLAN tags, of which *@proto then is the
 * last one's; what comes before it is linear. 0: there is none.
 */
unsigned int umf_net_find_l3(struct sk_buff *skb, __be16 *proto);

/* ---- lane.c: the order of frames ---- */

struct umf_net_lane_ops {
	/* Decides on a new frame, and consumes it. */
	void (*decide)(struct umf_net *net, struct sk_buff *skb,
		       struct umf_net_path *path);
	/* The frame has waited for all that it had to: it passes on. */
	void (*pass)(struct umf_net *net, struct sk_buff *skb,
		     const struct umf_net_path *path);
};

void umf_net_lanes_init(struct umf_net *net,
			const struct umf_net_lane_ops *ops);
/* The interface is up. */
void umf_net_lanes_open(struct umf_net *net);
/* It is not: what waits is lost, and nothing waits any more. */
void umf_net_lanes_close(struct umf_net *net);
/* Rules or levels have changed: lets go of what needs no longer wait. */
void umf_net_lanes_update(struct umf_net *net);
/* In process context: until that is so for what has been let go. */
void umf_net_lanes_wait(struct umf_net *net);
/* A new frame: ops->decide() gets it, now or after those before it. */
void umf_net_lane_enter(struct umf_net *net, struct sk_buff *skb,
			const struct umf_net_path *path);
int umf_net_lane_run(struct umf_net *net, enum umf_net_lane_id id, int budget);
/*
 * For who decides on a frame that is the lane's next: before it leaves, all go
 * that need not wait at @now and came before it.
 */
void umf_net_lane_flush(struct umf_net *net, enum umf_net_lane_id id, u64 now);
enum umf_net_fate {
	UMF_NET_LEAVES,		/* it need not wait, and is the caller's */
	UMF_NET_QUEUED,		/* it waits; *@due says until when */
	UMF_NET_FULL,		/* limit= is reached; it is the caller's */
};

/* Lets a frame wait for its next stages. In an RCU section. */
enum umf_net_fate umf_net_lane_wait(struct umf_net *net,
				    struct umf_net_frame *frame, u64 now,
				    u64 *due);

/*
 * One that comes from nowhere and is for this interface: it passes in the NAPI
 * poll, and no rule is asked about it. Consumes it; BH is off.
 */
void umf_net_lane_inject(struct umf_net *net, struct sk_buff *skb);

/* ---- verdict.c: for umf_net_lanes_init() ---- */

extern const struct umf_net_lane_ops umf_net_lane_ops;

/* ---- level.c ---- */

/* Brings the interface to what the rules in force say of it. */
void umf_net_levels_update(struct umf_net *net);
void umf_net_levels_open(struct umf_net *net, bool open);

/* ---- flap.c ---- */

void umf_net_flap_init(struct umf_net *net);
void umf_net_flap_update(struct umf_net *net);

/* ---- sides.c: whom a partition's names stand for ---- */

/* As umf_net_action has it. */
int umf_net_sides_prepare(struct umf_net *net, struct umf_spec *spec,
			  struct umf_net_rule *own, struct umf_reply *reply);
void umf_net_sides_free(struct umf_net_rule *own);
/*
 * Whom each port is kept apart from, as names are now: adds to @cut[from] the ports
 * that do not hear it. Of a rule that is in force. The first of a window draws.
 */
void umf_net_sides_cut(const struct umf_segment *seg, struct umf_rule *rule,
		       u64 cut[UMF_SEG_PORTS]);
/* " chosen=…" of a rule that has drawn. */
void umf_net_sides_print(const struct umf_net_rule *own,
			 struct umf_reply *reply);

/* ---- partition.c ---- */

void umf_net_partition_init(struct umf_net *net);
/* Brings the segment up to date; sleeps in process context only. */
void umf_net_partition_update(struct umf_net *net);
/* Says what has ended and is not gone yet. */
void umf_net_partition_lingers(struct umf_net *net, struct umf_reply *reply);
/* Says whose partition is between two ports, and which if it is ours. */
void umf_net_partition_note(struct umf_net *net, unsigned int from,
			    unsigned int to, struct umf_note *note);

#endif /* __UMF_NET_FAULT_PRIV_H */
