/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Blocks of a pcapng file. Pure: bytes into memory; host tools compile it, too.
 *
 * The format is that of draft-ietf-opsawg-pcapng; numbers are in the byte order
 * of the machine, which the file's first block tells. Times count nanoseconds
 * since 1970.
 */
#ifndef __UMF_PCAPNG_H
#define __UMF_PCAPNG_H

#include <linux/types.h>

#define UMF_PCAPNG_COMMENT	256	/* the longest; what is behind is left out */
#define UMF_PCAPNG_TEXT		256	/* the same of what an interface says */

/* Room that is enough, in bytes. */
#define UMF_PCAPNG_SECTION	(2 * (UMF_PCAPNG_TEXT + 8) + 64)
#define UMF_PCAPNG_INTERFACE	(2 * (UMF_PCAPNG_TEXT + 8) + 64)
#define UMF_PCAPNG_INTRO	(UMF_PCAPNG_SECTION + UMF_PCAPNG_INTERFACE)
#define UMF_PCAPNG_HEAD		28
#define UMF_PCAPNG_TAIL		(UMF_PCAPNG_COMMENT + 48)
#define UMF_PCAPNG_STATS	80

/* NULL: not said. */
struct umf_pcapng_if {
	const char *name;	/* eth0 */
	const char *about;	/* whose it is */
	const char *os;
	const char *program;
	u16 link;
};

struct umf_pcapng_packet {
	u64 time;
	u32 iface;		/* which of the interfaces, from 0 */
	u32 len;
	bool tx;
	u64 lost;		/* packets that should stand before it */
	const char *comment;	/* NULL: none */
};

/* Each returns the bytes it wrote. What a file begins with. */
size_t umf_pcapng_section(u8 to[UMF_PCAPNG_SECTION],
			  const struct umf_pcapng_if *iface);
/* Before its first packet. They count in the order they come. */
size_t umf_pcapng_interface(u8 to[UMF_PCAPNG_INTERFACE],
			    const struct umf_pcapng_if *iface);
/* Both, for a file with one interface. */
size_t umf_pcapng_intro(u8 to[UMF_PCAPNG_INTRO],
			const struct umf_pcapng_if *iface);
/* What stands before a packet's bytes, and behind them. */
size_t umf_pcapng_head(u8 to[UMF_PCAPNG_HEAD],
		       const struct umf_pcapng_packet *packet);
size_t umf_pcapng_tail(u8 to[UMF_PCAPNG_TAIL],
		       const struct umf_pcapng_packet *packet);
/* The last block; @received counts the dropped ones too. */
size_t umf_pcapng_stats(u8 to[UMF_PCAPNG_STATS], u64 first, u64 last,
			u64 received, u64 dropped);

#endif /* __UMF_PCAPNG_H */
