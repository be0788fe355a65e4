// SPDX-License-Identifier: GPL-2.0
/*
 * A capture as text, a line a packet. What is read are the files that guests
 * write (drivers/capture/pcapng.c): one section in this machine's byte order, one
 * interface, nanoseconds.
 *
 *	12:30:01.123456789 rx 98 bytes 02:…:01>02:…:02 0x0800: drop r1
 *	12:30:01.123456789 tx 5 bytes "hello": corrupt r1 was 61
 *	12:30:01.123456789 rx lines RTS DTR CTS: DSR off, DCD off
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../lib/xalloc.h"
#include "capture/pcapng_format.h"
#include "capture/rtac.h"
#include "tool.h"

#define BLOCK_MAX		(1 << 20)	/* nobody writes longer ones */

struct text {
	FILE *out;
	unsigned char *bytes;	/* not yet a whole block */
	size_t len, size;
	bool begun, broken;
	uint16_t link;
};

struct text *text_new(FILE *out)
{
	struct text *text = xrealloc(NULL, sizeof(*text));

	memset(text, 0, sizeof(*text));
	text->out = out;
	return text;
}

void text_free(struct text *text)
{
	free(text->bytes);
	free(text);
}

static uint32_t get32(const unsigned char *at)
{
	uint32_t val;

	memcpy(&val, at, sizeof(val));
	return val;
}

static uint16_t get16(const unsigned char *at)
{
	uint16_t val;

	memcpy(&val, at, sizeof(val));
	return val;
}

/* An option's value among those in @len bytes; NULL: it is not there. */
static const unsigned char *find_option(const unsigned char *at, size_t len,
					uint16_t code, uint16_t *size)
{
	while (len >= 4 && get16(at)) {
		size_t step = 4 + ((get16(at + 2) + 3) & ~3u);

		if (step > len)
			return NULL;
		*size = get16(at + 2);
		if (get16(at) == code)
			return at + 4;
		at += step;
		len -= step;
	}
	return NULL;
}

/* ---- packets ---- */

static void print_mac(FILE *out, const unsigned char *mac)
{
	int i;

	for (i = 0; i < 6; i++)
		fprintf(out, "%s%02x", i ? ":" : "", mac[i]);
}

static void print_frame(FILE *out, const unsigned char *data, uint32_t len)
{
	fprintf(out, " %u bytes", len);
	if (len < 14)
		return;
	fputc(' ', out);
	print_mac(out, data + 6);
	fputc('>', out);
	print_mac(out, data);
	fprintf(out, " 0x%02x%02x", data[12], data[13]);
}

/* As a C string, so that it reads back. */
static void print_bytes(FILE *out, const unsigned char *data, uint32_t len)
{
	static const char special[] = "\n\r\t\"\\";
	static const char names[] = "nrt\"\\";
	const char *found;
	uint32_t i;

	fprintf(out, " %u byte%s \"", len, len == 1 ? "" : "s");
	for (i = 0; i < len; i++) {
		found = data[i] ? strchr(special, data[i]) : NULL;
		if (found)
			fprintf(out, "\\%c", names[found - special]);
		else if (data[i] >= 0x7f || iscntrl(data[i]))
			fprintf(out, "\\x%02x", data[i]);
		else
			fputc(data[i], out);
	}
	fputc('"', out);
}

static void print_lines(FILE *out, unsigned char lines)
{
	static const struct {
		unsigned char bit;
		const char *name;
	} names[] = {
		{ UMF_RTAC_RTS, "RTS" }, { UMF_RTAC_DTR, "DTR" },
		{ UMF_RTAC_CTS, "CTS" }, { UMF_RTAC_DSR, "DSR" },
		{ UMF_RTAC_DCD, "DCD" }, { UMF_RTAC_RI, "RI" },
	};
	size_t i;

	fputs(" lines", out);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (lines & names[i].bit)
			fprintf(out, " %s", names[i].name);
}

static void print_serial(FILE *out, const unsigned char *data, uint32_t len)
{
	if (len < UMF_RTAC_HEAD) {
		fprintf(out, " %u bytes that are no event", len);
		return;
	}
	switch (data[8]) {
	case UMF_RTAC_STATUS:
		print_lines(out, data[9]);
		return;
	case UMF_RTAC_BREAK:
		fputs(" break", out);
		return;
	case UMF_RTAC_OVERRUN:
		fputs(" overrun", out);
		break;
	case UMF_RTAC_FRAMING:
		fputs(" framing error", out);
		break;
	case UMF_RTAC_PARITY:
		fputs(" parity error", out);
		break;
	}
	print_bytes(out, data + UMF_RTAC_HEAD, len - UMF_RTAC_HEAD);
}

static void print_time(FILE *out, uint64_t ns)
{
	time_t seconds = ns / 1000000000;
	struct tm tm;

	localtime_r(&seconds, &tm);
	fprintf(out, "%02d:%02d:%02d.%09u", tm.tm_hour, tm.tm_min, tm.tm_sec,
		(unsigned int)(ns % 1000000000));
}

static bool see_packet(struct text *text, const unsigned char *block,
		       uint32_t len)
{
	const unsigned char *data = block + 28, *option, *options;
	uint32_t size, padded, flags = 0, i;
	uint64_t lost = 0;
	uint16_t n = 0;

	if (len < 32 || !text->link)
		return false;
	size = get32(block + 20);
	if (size > len - 32)
		return false;
	padded = (size + 3) & ~3u;
	if (padded > len - 32)
		return false;
	options = data + padded;

	option = find_option(options, len - 32 - padded,
			     PCAPNG_EPB_DROPCOUNT, &n);
	if (option && n == sizeof(lost))
		memcpy(&lost, option, sizeof(lost));
	if (lost)
		fprintf(text->out, "lost=%llu\n", (unsigned long long)lost);
	print_time(text->out, (uint64_t)get32(block + 12) << 32 | get32(block + 16));
	option = find_option(options, len - 32 - padded,
			     PCAPNG_EPB_FLAGS, &n);
	if (option && n == sizeof(flags))
		flags = get32(option);
	fputs((flags & 3) == 2 ? " tx" : " rx", text->out);
	if (text->link == PCAPNG_ETHERNET)
		print_frame(text->out, data, size);
	else
		print_serial(text->out, data, size);
	option = find_option(options, len - 32 - padded,
			     PCAPNG_OPT_COMMENT, &n);
	if (option) {
		fputs(": ", text->out);
		for (i = 0; i < n; i++)
			fputc(iscntrl(option[i]) ? '?' : option[i], text->out);
	}
	fputc('\n', text->out);
	return true;
}

/* ---- blocks ---- */

static bool see_block(struct text *text, const unsigned char *block,
		      uint32_t len)
{
	switch (get32(block)) {
	case PCAPNG_SECTION:
		if (text->begun || len < 28 ||
		    get32(block + 8) != PCAPNG_BYTE_ORDER)
			return false;
		text->begun = true;
		return true;
	case PCAPNG_INTERFACE:
		if (!text->begun || text->link || len < 20)
			return false;
		text->link = get16(block + 8);
		return text->link == PCAPNG_ETHERNET ||
		       text->link == PCAPNG_RTAC_SERIAL;
	case PCAPNG_PACKET:
		return see_packet(text, block, len);
	default:
		return text->begun;
	}
}

bool text_feed(struct text *text, const void *bytes, size_t len)
{
	size_t done = 0;
	uint32_t size;

	if (text->broken)
		return false;
	if (text->len + len > text->size) {
		text->size = 2 * (text->len + len);
		text->bytes = xrealloc(text->bytes, text->size);
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	while (text->len - done >= 12) {
		size = get32(text->bytes + done + 4);
		if (size < 12 || size % 4 || size > BLOCK_MAX) {
			text->broken = true;
			break;
		}
		if (size > text->len - done)
			break;
		if (!see_block(text, text->bytes + done, size)) {
			text->broken = true;
			break;
		}
		done += size;
	}
	text->len -= done;
	memmove(text->bytes, text->bytes + done, text->len);
	return !text->broken;
}

bool text_whole(const struct text *text)
{
	return !text->broken && text->begun && !text->len;
}
