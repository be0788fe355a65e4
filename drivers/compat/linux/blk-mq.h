/* SPDX-License-Identifier: GPL-2.0 */
/* Linux 6.14 merges requests always; before, a driver asked for it. */
#ifndef __UMF_COMPAT_LINUX_BLK_MQ_H
#define __UMF_COMPAT_LINUX_BLK_MQ_H

#include_next <linux/blk-mq.h>

#ifdef UMF_HAVE_BLK_MQ_F_SHOULD_MERGE
static inline int umf_blk_mq_alloc_tag_set(struct blk_mq_tag_set *set)
{
	set->flags |= BLK_MQ_F_SHOULD_MERGE;
	return blk_mq_alloc_tag_set(set);
}

#define blk_mq_alloc_tag_set umf_blk_mq_alloc_tag_set
#endif

#endif /* __UMF_COMPAT_LINUX_BLK_MQ_H */
