/* SPDX-License-Identifier: GPL-2.0 */
/* What the two halves of the device `node` share. */
#ifndef __UMF_NODE_H
#define __UMF_NODE_H

/* Sleeps on the host for @ns, or less when a signal comes. */
void umf_node_nap(unsigned long long ns);

#endif /* __UMF_NODE_H */
