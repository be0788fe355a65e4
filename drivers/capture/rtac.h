/* SPDX-License-Identifier: GPL-2.0 */
/*
 * LINKTYPE_RTAC_SERIAL, 250: what happens on a serial line, as packets. Numbers
 * are big-endian: seconds and microseconds (4 bytes each), what it is, the
 * control lines as they are then, two bytes that are 0, then the line's bytes.
 */
#ifndef __UMF_RTAC_H
#define __UMF_RTAC_H

#define UMF_RTAC_HEAD	12

/* What it is: byte 8. */
#define UMF_RTAC_STATUS		0x00	/* control lines changed */
#define UMF_RTAC_TX		0x01
#define UMF_RTAC_RX		0x02
#define UMF_RTAC_FRAMING	0x07
#define UMF_RTAC_PARITY		0x08
#define UMF_RTAC_BREAK		0x09
#define UMF_RTAC_OVERRUN	0x0a

/* Control lines: byte 9. */
#define UMF_RTAC_CTS	0x01
#define UMF_RTAC_DCD	0x02
#define UMF_RTAC_DSR	0x04
#define UMF_RTAC_RTS	0x08
#define UMF_RTAC_DTR	0x10
#define UMF_RTAC_RI	0x20

#endif /* __UMF_RTAC_H */
