// SPDX-License-Identifier: GPL-2.0
/* Blocks of a pcapng file: type, length, body, options, length again. */
#include <linux/align.h>
#include <linux/limits.h>
#include <linux/string.h>
#include "capture/pcapng.h"
#include "capture/pcapng_format.h"

struct writer {
	u8 *at;
};

static void put(struct writer *w, const void *from, size_t len)
{
	memcpy(w->at, from, len);
	w->at += len;
}

static void put_u16(struct writer *w, u16 val)
{
	put(w, &val, sizeof(val));
}

static void put_u32(struct writer *w, u32 val)
{
	put(w, &val, sizeof(val));
}

/* Times and counts of a block's body have their high half first. */
static void put_halves(struct writer *w, u64 val)
{
	put_u32(w, val >> 32);
	put_u32(w, val);
}

static void pad(struct writer *w, size_t len)
{
	static const u8 zero[4];

	put(w, zero, -len & 3);
}

static void put_option(struct writer *w, u16 code, const void *from, u16 len)
{
	put_u16(w, code);
	put_u16(w, len);
	put(w, from, len);
	pad(w, len);
}

static void put_text(struct writer *w, u16 code, const char *text, size_t max)
{
	if (text && *text)
		put_option(w, code, text, strnlen(text, max));
}

static size_t text_len(const char *text, size_t max)
{
	return text && *text ? 4 + ALIGN(strnlen(text, max), 4) : 0;
}

/* Ends a block that starts at @start: its length goes to both places. */
static void put_end(struct writer *w, u8 *start)
{
	u32 len;

	put_option(w, PCAPNG_OPT_END, NULL, 0);
	len = w->at + sizeof(len) - start;
	put_u32(w, len);
	memcpy(start + 4, &len, sizeof(len));
}

size_t umf_pcapng_section(u8 to[UMF_PCAPNG_SECTION],
			  const struct umf_pcapng_if *iface)
{
	struct writer w = { to };

	put_u32(&w, PCAPNG_SECTION);
	put_u32(&w, 0);
	put_u32(&w, PCAPNG_BYTE_ORDER);
	put_u16(&w, 1);			/* version 1.0 */
	put_u16(&w, 0);
	put_halves(&w, U64_MAX);	/* its length is not known yet */
	put_text(&w, PCAPNG_SHB_HARDWARE, "User Mode Linux", UMF_PCAPNG_TEXT);
	put_text(&w, PCAPNG_SHB_OS, iface->os, UMF_PCAPNG_TEXT);
	put_text(&w, PCAPNG_SHB_PROGRAM, iface->program, UMF_PCAPNG_TEXT);
	put_end(&w, to);
	return w.at - to;
}

size_t umf_pcapng_interface(u8 to[UMF_PCAPNG_INTERFACE],
			    const struct umf_pcapng_if *iface)
{
	static const u8 nanoseconds = 9;	/* 10^-9 s */
	struct writer w = { to };

	put_u32(&w, PCAPNG_INTERFACE);
	put_u32(&w, 0);
	put_u16(&w, iface->link);
	put_u16(&w, 0);
	put_u32(&w, 0);			/* frames of any length, whole */
	put_text(&w, PCAPNG_IF_NAME, iface->name, UMF_PCAPNG_TEXT);
	put_text(&w, PCAPNG_IF_ABOUT, iface->about, UMF_PCAPNG_TEXT);
	put_option(&w, PCAPNG_IF_TSRESOL, &nanoseconds, 1);
	put_end(&w, to);
	return w.at - to;
}

size_t umf_pcapng_intro(u8 to[UMF_PCAPNG_INTRO],
			const struct umf_pcapng_if *iface)
{
	size_t len = umf_pcapng_section(to, iface);

	return len + umf_pcapng_interface(to + len, iface);
}

static size_t tail_len(const struct umf_pcapng_packet *packet)
{
	return (-packet->len & 3) + text_len(packet->comment, UMF_PCAPNG_COMMENT) +
	       8 + (packet->lost ? 12 : 0) + 4 + 4;
}

size_t umf_pcapng_head(u8 to[UMF_PCAPNG_HEAD],
		       const struct umf_pcapng_packet *packet)
{
	struct writer w = { to };

	put_u32(&w, PCAPNG_PACKET);
	put_u32(&w, UMF_PCAPNG_HEAD + packet->len + tail_len(packet));
	put_u32(&w, packet->iface);
	put_halves(&w, packet->time);
	put_u32(&w, packet->len);
	put_u32(&w, packet->len);
	return w.at - to;
}

size_t umf_pcapng_tail(u8 to[UMF_PCAPNG_TAIL],
		       const struct umf_pcapng_packet *packet)
{
	u32 flags = packet->tx ? PCAPNG_OUTBOUND : PCAPNG_INBOUND;
	struct writer w = { to };

	pad(&w, packet->len);
	put_text(&w, PCAPNG_OPT_COMMENT, packet->comment, UMF_PCAPNG_COMMENT);
	put_option(&w, PCAPNG_EPB_FLAGS, &flags, sizeof(flags));
	if (packet->lost)
		put_option(&w, PCAPNG_EPB_DROPCOUNT, &packet->lost,
			   sizeof(packet->lost));
	put_option(&w, PCAPNG_OPT_END, NULL, 0);
	put_u32(&w, UMF_PCAPNG_HEAD + packet->len + tail_len(packet));
	return w.at - to;
}

static void put_time(struct writer *w, u16 code, u64 time)
{
	put_u16(w, code);
	put_u16(w, 8);
	put_halves(w, time);
}

size_t umf_pcapng_stats(u8 to[UMF_PCAPNG_STATS], u64 first, u64 last,
			u64 received, u64 dropped)
{
	struct writer w = { to };

	put_u32(&w, PCAPNG_STATS);
	put_u32(&w, 0);
	put_u32(&w, 0);
	put_halves(&w, last);
	put_time(&w, PCAPNG_ISB_START, first);
	put_time(&w, PCAPNG_ISB_END, last);
	put_option(&w, PCAPNG_ISB_RECEIVED, &received, sizeof(received));
	put_option(&w, PCAPNG_ISB_DROPPED, &dropped, sizeof(dropped));
	put_end(&w, to);
	return w.at - to;
}
