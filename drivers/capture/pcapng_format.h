/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers of a pcapng file, for who writes one and who reads it: of
 * draft-ietf-opsawg-pcapng and of https://www.tcpdump.org/linktypes.html
 */
#ifndef __UMF_PCAPNG_FORMAT_H
#define __UMF_PCAPNG_FORMAT_H

/* Blocks. */
#define PCAPNG_INTERFACE	1
#define PCAPNG_STATS		5
#define PCAPNG_PACKET		6
#define PCAPNG_SECTION		0x0a0d0d0a

#define PCAPNG_BYTE_ORDER	0x1a2b3c4d	/* a section's first word */

/* Options, of any block and of one kind. */
#define PCAPNG_OPT_END		0
#define PCAPNG_OPT_COMMENT	1
#define PCAPNG_SHB_HARDWARE	2
#define PCAPNG_SHB_OS		3
#define PCAPNG_SHB_PROGRAM	4
#define PCAPNG_IF_NAME		2
#define PCAPNG_IF_ABOUT		3
#define PCAPNG_IF_TSRESOL	9
#define PCAPNG_EPB_FLAGS	2
#define PCAPNG_EPB_DROPCOUNT	4
#define PCAPNG_ISB_START	2
#define PCAPNG_ISB_END		3
#define PCAPNG_ISB_RECEIVED	4
#define PCAPNG_ISB_DROPPED	5

/* Direction, in PCAPNG_EPB_FLAGS. */
#define PCAPNG_INBOUND		1
#define PCAPNG_OUTBOUND		2

/* Link types. */
#define PCAPNG_ETHERNET		1
#define PCAPNG_RTAC_SERIAL	250

#endif /* __UMF_PCAPNG_FORMAT_H */
