/* SPDX-License-Identifier: GPL-2.0 */
/* kzalloc_obj() and friends came with Linux 7.0. */
#ifndef __UMF_COMPAT_LINUX_SLAB_H
#define __UMF_COMPAT_LINUX_SLAB_H

#include_next <linux/slab.h>

#ifndef kzalloc_obj
#define kzalloc_obj(P, ...) \
	kzalloc(sizeof(P), (GFP_KERNEL, ##__VA_ARGS__))
#endif

#endif /* __UMF_COMPAT_LINUX_SLAB_H */
