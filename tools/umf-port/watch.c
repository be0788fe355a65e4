// SPDX-License-Identifier: GPL-2.0
/*
 * Everything that crosses a segment, as pcapng (draft-ietf-opsawg-pcapng): an
 * interface for each port that sends, named as the port says, in nanoseconds.
 *
 * The port is a monitor: each sender gives it a copy and waits for nobody. Times
 * are of when a frame is taken out of its ring. What the rings had no room for is
 * counted by the senders, and said at the end.
 *
 * A checksum that a guest leaves to its device is filled in, as the device does.
 */
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <signal.h>
#include "port.h"

#define BUFFER		(1 << 20)
#define PAGE_SIZE	4096

enum {
	BLOCK_SECTION	= 0x0a0d0d0a,
	BLOCK_INTERFACE	= 1,
	BLOCK_PACKET	= 6,
	OPT_END		= 0,
	OPT_IF_NAME	= 2,
	OPT_IF_DESCRIPTION = 3,
	OPT_IF_TSRESOL	= 9,
	LINK_ETHERNET	= 1,
};

struct watch {
	struct port *port;
	int fd;
	const char *path;
	u32 interfaces;
	u32 interface[UMF_SEG_PORTS];	/* of a port, and one more; 0: none */
	u32 gen[UMF_SEG_PORTS];		/* of the port that it is of */
	u32 missed[UMF_SEG_PORTS];	/* last seen */
	bool last;		/* told to end: a reader that stalls is left */
	bool ended;		/* there is no reader any more */
	u64 frames, lost;
	size_t used;
	u8 buffer[BUFFER];
};

int watch_open(const char *path)
{
	int fd;

	if (!strcmp(path, "-")) {
		if (isatty(STDOUT_FILENO))
			fatal("pcapng is not for a terminal; name a file or a pipe");
		return STDOUT_FILENO;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		fatal("cannot write %s: %s", path, strerror(errno));
	return fd;
}

/* A reader that has gone is told from a file that takes no more. */
static void flush(struct watch *watch)
{
	size_t done = 0;
	ssize_t n;

	while (done < watch->used) {
		n = write(watch->fd, watch->buffer + done, watch->used - done);
		if (n < 0 && (errno == EINTR || errno == EAGAIN) && !watch->last) {
			if (errno == EAGAIN)
				poll(&(struct pollfd){ watch->fd, POLLOUT, 0 }, 1, 250);
			watch->last = port_stop;
			continue;
		}
		if (n < 0 && (errno == EPIPE || errno == EINTR ||
			      errno == EAGAIN)) {
			watch->ended = true;
			break;
		}
		if (n < 0)
			fatal("cannot write %s: %s", watch->path,
			      strerror(errno));
		done += n;
	}
	watch->used = 0;
}

/* ---- blocks ---- */

static u8 *block_begin(struct watch *watch, u32 type, size_t room)
{
	u8 *block;

	if (watch->used + room + 64 > BUFFER)
		flush(watch);
	block = watch->buffer + watch->used;
	memcpy(block, &type, 4);
	return block + 8;
}

static u8 *put(u8 *at, const void *data, size_t len)
{
	memcpy(at, data, len);
	memset(at + len, 0, -len & 3);
	return at + ALIGN(len, 4);
}

static u8 *put_option(u8 *at, u16 code, const void *data, u16 len)
{
	u16 head[] = { code, len };

	return put(put(at, head, sizeof(head)), data, len);
}

static void block_end(struct watch *watch, u8 *end)
{
	u8 *block = watch->buffer + watch->used;
	u32 len = end + 4 - block;

	memcpy(block + 4, &len, 4);
	memcpy(end, &len, 4);
	watch->used += len;
}

static void put_section(struct watch *watch)
{
	struct {
		u32 magic;
		u16 major, minor;
		u64 length;
	} __attribute__((packed)) head = { 0x1a2b3c4d, 1, 0, -1ULL };
	u8 *at = block_begin(watch, BLOCK_SECTION, sizeof(head));

	block_end(watch, put(at, &head, sizeof(head)));
}

static void put_interface(struct watch *watch, unsigned int port)
{
	struct {
		u16 link, reserved;
		u32 snaplen;
	} head = { LINK_ETHERNET, 0, 0 };
	char name[UMF_SEG_LABEL], text[160];
	u8 resolution = 9;
	u8 *at = block_begin(watch, BLOCK_INTERFACE, 512);

	umf_segment_label(watch->port->seg, port, name);
	snprintf(text, sizeof(text), "port %u of segment %.100s", port,
		 watch->port->name);
	at = put(at, &head, sizeof(head));
	at = put_option(at, OPT_IF_NAME, name, strlen(name));
	at = put_option(at, OPT_IF_DESCRIPTION, text, strlen(text));
	at = put_option(at, OPT_IF_TSRESOL, &resolution, 1);
	at = put_option(at, OPT_END, "", 0);
	block_end(watch, at);
	watch->interface[port] = ++watch->interfaces;
}

static u16 sum_up(const u8 *data, size_t len)
{
	u32 sum = 0;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += data[i] << 8 | data[i + 1];
	if (len & 1)
		sum += data[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* The header is another port's word: all of it is checked. */
static void fill_checksum(u8 *frame, u32 len, const u8 *vnet)
{
	struct virtio_net_hdr hdr;
	u16 sum;

	memcpy(&hdr, vnet, sizeof(hdr));
	if (!(hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
	    (u32)hdr.csum_start + hdr.csum_offset + 2 > len)
		return;
	sum = sum_up(frame + hdr.csum_start, len - hdr.csum_start);
	if (!sum)
		sum = 0xffff;
	frame[hdr.csum_start + hdr.csum_offset] = sum >> 8;
	frame[hdr.csum_start + hdr.csum_offset + 1] = sum;
}

static void put_frame(struct watch *watch, unsigned int port,
		      const struct umf_ring_rec *rec, const u8 *data)
{
	struct timespec ts;
	u32 head[5];
	u64 now;
	u8 *at;

	if (!watch->interface[port] ||
	    watch->gen[port] != umf_segment_peer_gen(watch->port->seg, port)) {
		watch->gen[port] = umf_segment_peer_gen(watch->port->seg, port);
		put_interface(watch, port);
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	now = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
	head[0] = watch->interface[port] - 1;
	head[1] = now >> 32;
	head[2] = now;
	head[3] = rec->len;
	head[4] = rec->len;
	at = put(block_begin(watch, BLOCK_PACKET, sizeof(head) + rec->len),
		 head, sizeof(head));
	put(at, data, rec->len);
	fill_checksum(at, rec->len, rec->vnet);
	block_end(watch, at + ALIGN(rec->len, 4));
	watch->frames++;
}

/* ---- the segment ---- */

static void count_lost(struct watch *watch)
{
	unsigned int port;
	u32 missed;

	for (port = 0; port < UMF_SEG_PORTS; port++) {
		missed = umf_segment_missed(watch->port->seg, port);
		/* It begins again with each ring. */
		watch->lost += missed - (missed < watch->missed[port] ? 0 :
					 watch->missed[port]);
		watch->missed[port] = missed;
	}
}

/* What the rings hold; what is being filled as fast as it is read has an end. */
static void take_all(struct watch *watch)
{
	unsigned int budget = 100000;
	struct umf_segment *seg = watch->port->seg;
	struct umf_ring_rec rec;
	unsigned int port;
	const u8 *data;
	int ret;

	while (!watch->ended && budget-- &&
	       (ret = umf_segment_rx_next(seg, &port, &rec, &data))) {
		if (ret < 0)
			continue;
		put_frame(watch, port, &rec, data);
		umf_segment_rx_done(seg, port, rec.len);
	}
}

void watch_run(struct port *port, int fd, const char *path)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	struct umf_segment *seg = port->seg;
	struct pollfd fds[] = {
		{ .fd = umf_segment_bell(seg), .events = POLLIN },
		{ .fd = fd, .events = 0 },	/* only whether its reader has gone */
	};
	unsigned int i;

	if (!watch)
		fatal("out of memory");
	watch->port = port;
	watch->fd = fd;
	watch->path = path;
	/* What was counted for who had this place before is not ours. */
	for (i = 0; i < UMF_SEG_PORTS; i++)
		watch->missed[i] = umf_segment_missed(seg, i);
	put_section(watch);
	while (!watch->ended) {
		/* Told to end, it writes what was sent up to then. */
		watch->last = port_stop;
		port_look_around(port, umf_segment_rx_poll(seg));
		take_all(watch);
		flush(watch);
		count_lost(watch);
		if (watch->last)
			break;
		if (!umf_segment_rx_sleep(seg))
			continue;
		poll(fds, ARRAY_SIZE(fds), 250);
		if (fds[0].revents)
			umf_host_bell_drain(fds[0].fd);
		if (fds[1].revents & (POLLERR | POLLHUP))
			break;
	}
	say("%llu frames, %llu more were lost as they came too fast",
	    watch->frames, watch->lost);
	free(watch);
}
