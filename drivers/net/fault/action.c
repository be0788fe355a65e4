// SPDX-License-Identifier: GPL-2.0
/* The table of what rules do to frames: a row is in the file of its family. */
#include "net/fault/priv.h"

const struct umf_net_action *const umf_net_actions[UMF_A_MAX] = {
	[UMF_A_DROP]		= &umf_net_drop,
	[UMF_A_DUP]		= &umf_net_dup,
	[UMF_A_CORRUPT]		= &umf_net_corrupt,
	[UMF_A_TRUNCATE]	= &umf_net_truncate,
	[UMF_A_DELAY]		= &umf_net_delay,
	[UMF_A_RATE]		= &umf_net_rate,
	[UMF_A_HOLD]		= &umf_net_hold,
	[UMF_A_REORDER]		= &umf_net_reorder,
	[UMF_A_PARTITION]	= &umf_net_partition,
	[UMF_A_MACFLAP]		= &umf_net_macflap,
	[UMF_A_REJECT]		= &umf_net_reject,
};
