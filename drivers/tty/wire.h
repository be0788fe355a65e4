/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Characters as they look on the wire, and what a receiver that is set to
 * something else makes of them. Pure: integer types and nothing else.
 */
#ifndef __UMF_TTY_WIRE_H
#define __UMF_TTY_WIRE_H

#include <linux/types.h>
#include <linux/bits.h>

/* One character and what is to be said of it. */
#define UMF_SYM_BYTE	0xffU
#define UMF_SYM_BREAK	BIT(8)	/* no character: a break */
#define UMF_SYM_PARITY	BIT(9)	/* its parity is wrong */
#define UMF_SYM_FRAME	BIT(10)	/* it has no stop bit */
#define UMF_SYM_LOST	BIT(11)	/* no character: one was lost in an overrun */
#define UMF_SYM_MASK	0xfffU
/*
 * No symbol but a mark: those behind it are sent with the settings that are
 * packed in the rest of the word.
 */
#define UMF_SYM_WIRE	BIT(31)

enum umf_parity {
	UMF_PARITY_NONE,
	UMF_PARITY_ODD,
	UMF_PARITY_EVEN,
	UMF_PARITY_MARK,
	UMF_PARITY_SPACE,
};

/* How one end's transmitter and receiver are set. */
struct umf_wire {
	u32 speed;	/* bits a second; 0: no pacing, always understood */
	u8 bits;	/* 5 to 8 */
	u8 parity;	/* enum umf_parity */
	u8 stop;	/* 1 or 2 */
};

/* Bits of one character, start and stop included. */
static inline unsigned int umf_wire_len(const struct umf_wire *wire)
{
	return 1 + wire->bits + (wire->parity != UMF_PARITY_NONE) + wire->stop;
}

u32 umf_wire_pack(const struct umf_wire *wire);	/* below UMF_SYM_WIRE */
/* Whatever the number, the result is within the ranges above. */
void umf_wire_unpack(u32 packed, struct umf_wire *wire);
/* Does a receiver set to @rx understand @tx without any doubt? */
bool umf_wire_same(const struct umf_wire *tx, const struct umf_wire *rx);

#define UMF_WIRE_MAX	32	/* symbols one character can turn into */

/* What @rx makes of one symbol that @tx sends; returns how many, in @out. */
unsigned int umf_wire_read(const struct umf_wire *tx, const struct umf_wire *rx,
			   u32 sym, u32 out[UMF_WIRE_MAX]);

#endif /* __UMF_TTY_WIRE_H */
