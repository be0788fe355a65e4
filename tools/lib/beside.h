/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lies beside the tools: in build/ as in build/bin, or, installed, in
 * <prefix>/lib/umf as in <prefix>/bin.
 */
#ifndef __UMF_BESIDE_H
#define __UMF_BESIDE_H

/* Its path; if it is nowhere, where make would put it. To be freed. */
char *beside(const char *path);
/* The kernel of a line: 6.12, or 7.3-smp with its flavour. As above. */
char *beside_kernel(const char *line);
/* That of the newest line there is, or NULL. */
char *beside_newest_kernel(void);

#endif /* __UMF_BESIDE_H */
