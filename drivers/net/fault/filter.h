/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bpf=: filters of frames, and when a GSO frame need not be segmented for them.
 *
 * Rules are asked about each segment. A filter that refuses the whole frame,
 * and reads nothing on the way there that differs among the segments, refuses
 * each of them.
 */
#ifndef __UMF_NET_FILTER_H
#define __UMF_NET_FILTER_H

#include <linux/bitops.h>
#include <linux/types.h>

struct bpf_prog;
struct sk_buff;
struct sock_filter;
struct umf_reply;

struct umf_net_filter {
	struct bpf_prog *prog;		/* NULL: takes any frame */
	struct sock_filter *insns;	/* the same as it was given */
};

#define UMF_GSO_HEADERS	192	/* bytes; more than there can be */

struct umf_net_gso {
	unsigned int segs;
	/* Bytes that are in all segments as they are in the whole. */
	DECLARE_BITMAP(same, UMF_GSO_HEADERS);
};

/*
 * Reads "<n>,<code> <jt> <jf> <k>,…", classic BPF as `tcpdump -ddd` prints it
 * with commas for newlines. 0, or a negative errno, which @reply explains.
 */
int umf_net_filter_parse(struct umf_net_filter *filter, const char *text,
			 struct umf_reply *reply);
void umf_net_filter_free(struct umf_net_filter *filter);
bool umf_net_filter_match(const struct umf_net_filter *filter,
			  const struct sk_buff *skb);

/* False: of a kind that is segmented whatever the rules are. */
bool umf_net_gso_look(const struct sk_buff *skb, struct umf_net_gso *gso);
/* Is it sure that the filter takes no segment of that frame? */
bool umf_net_filter_excludes(const struct umf_net_filter *filter,
			     const struct sk_buff *skb,
			     const struct umf_net_gso *gso);

/*
 * Does it refuse this frame, by its bytes alone? Then those that it has read
 * are set in @read, and it refuses any frame that has the same ones.
 */
bool umf_net_filter_refuses(const struct umf_net_filter *filter,
			    const struct sk_buff *skb,
			    unsigned long read[BITS_TO_LONGS(UMF_GSO_HEADERS)]);

#endif /* __UMF_NET_FILTER_H */
