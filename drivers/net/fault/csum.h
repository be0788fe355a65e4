/* SPDX-License-Identifier: GPL-2.0 */
/* A frame's checksums, for csum=fix. */
#ifndef __UMF_NET_CSUM_H
#define __UMF_NET_CSUM_H

#include <linux/types.h>

struct sk_buff;

/* Where they are, in bytes from the start of the frame; 0: there is none. */
struct umf_net_csums {
	unsigned int ip;	/* IPv4 header */
	unsigned int ihl;
	unsigned int ip6;
	unsigned int l4, end;	/* what the other sums up */
	unsigned int field;	/* and where it stands */
	u8 proto;
};

/* Of a frame that is as it was sent, and linear. */
void umf_net_find_csums(struct sk_buff *skb, struct umf_net_csums *at);
void umf_net_fix_csums(struct sk_buff *skb, const struct umf_net_csums *at);

#endif /* __UMF_NET_CSUM_H */
