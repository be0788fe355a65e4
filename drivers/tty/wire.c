// SPDX-License-Identifier: GPL-2.0
/*
 * A character as the receiver's sampling clock sees it.
 *
 * The transmitter puts a start bit (0), the data from the lowest bit on, a
 * parity bit and stop bits (1) on an idle line (1). The receiver waits for the
 * line to fall and samples the middle of each bit by its own clock. With equal
 * settings that gives the character back; otherwise it gives what a UART would
 * give: other characters, more or fewer of them, with parity and framing errors
 * where they belong. Each character is taken to be followed by an idle line.
 */
#include <linux/bitops.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include "tty/wire.h"

#define SPEED_BITS	24
#define SPEED_MASK	((1U << SPEED_BITS) - 1)

u32 umf_wire_pack(const struct umf_wire *wire)
{
	return min(wire->speed, SPEED_MASK) | (wire->bits - 5) << 24 |
	       wire->parity << 26 | (wire->stop - 1) << 29;
}

void umf_wire_unpack(u32 packed, struct umf_wire *wire)
{
	wire->speed = packed & SPEED_MASK;
	wire->bits = 5 + (packed >> 24 & 3);
	wire->parity = min_t(u32, packed >> 26 & 7, UMF_PARITY_SPACE);
	wire->stop = 1 + (packed >> 29 & 1);
}

bool umf_wire_same(const struct umf_wire *tx, const struct umf_wire *rx)
{
	u64 diff;

	if (!tx->speed || !rx->speed)
		return true;
	if (tx->bits != rx->bits || tx->parity != rx->parity)
		return false;
	/* within 2 % the last sample is still in its bit */
	diff = tx->speed > rx->speed ? tx->speed - rx->speed :
				       rx->speed - tx->speed;
	return diff * 50 <= rx->speed;
}

static bool parity_bit(enum umf_parity parity, u32 data)
{
	switch (parity) {
	case UMF_PARITY_ODD:
		return !(hweight32(data) & 1);
	case UMF_PARITY_EVEN:
		return hweight32(data) & 1;
	case UMF_PARITY_MARK:
		return true;
	default:
		return false;
	}
}

/* The levels of one character, the first bit lowest; @len of them count. */
static u32 wave_of(const struct umf_wire *tx, u32 sym, unsigned int *len)
{
	u32 data = sym & (BIT(tx->bits) - 1), wave = data << 1;
	unsigned int at = 1 + tx->bits;
	bool parity;

	if (tx->parity != UMF_PARITY_NONE) {
		parity = parity_bit(tx->parity, data);
		if (sym & UMF_SYM_PARITY)
			parity = !parity;
		wave |= (u32)parity << at++;
	}
	if (!(sym & UMF_SYM_FRAME))
		wave |= GENMASK(at + tx->stop - 1, at);
	*len = at + tx->stop;
	return wave;
}

static bool level(u32 wave, unsigned int len, u64 at)
{
	return at >= len || (wave >> at & 1);
}

unsigned int umf_wire_read(const struct umf_wire *tx, const struct umf_wire *rx,
			   u32 sym, u32 out[UMF_WIRE_MAX])
{
	unsigned int len, at = 0, count = 0, n, i;
	u32 wave, got, data;

	if (sym & (UMF_SYM_BREAK | UMF_SYM_LOST)) {
		out[0] = sym;
		return 1;
	}
	wave = wave_of(tx, sym, &len);
	n = 1 + rx->bits + (rx->parity != UMF_PARITY_NONE) + 1;
	while (count < UMF_WIRE_MAX) {
		/* the line falls at a bit's edge */
		while (at < len && level(wave, len, at))
			at++;
		if (at >= len)
			break;
		for (got = 0, i = 0; i < n; i++)
			if (level(wave, len, at + div_u64((2 * i + 1) * (u64)tx->speed,
							  2 * rx->speed)))
				got |= BIT(i);
		if (got & 1) {
			at++;	/* too short for a start bit */
			continue;
		}
		data = got >> 1 & (BIT(rx->bits) - 1);
		if (!got) {
			out[count] = UMF_SYM_BREAK;
		} else {
			out[count] = data;
			if (rx->parity != UMF_PARITY_NONE &&
			    (got >> (1 + rx->bits) & 1) !=
			    parity_bit(rx->parity, data))
				out[count] |= UMF_SYM_PARITY;
			if (!(got >> (n - 1)))
				out[count] |= UMF_SYM_FRAME;
		}
		count++;
		/* behind the middle of the stop bit, once the line is idle */
		at += div_u64((2 * n - 1) * (u64)tx->speed, 2 * rx->speed);
		while (at < len && !level(wave, len, at))
			at++;
	}
	return count;
}
