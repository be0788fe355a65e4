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
#include "capture/pcapng.h"
#include "capture/pcapng_format.h"
#include "port.h"

#define BUFFER		(1 << 20)

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

/* Where the next block goes, with room for @len bytes. */
static u8 *block_at(struct watch *watch, size_t len)
{
	if (watch->used + len > BUFFER)
		flush(watch);
	return watch->buffer + watch->used;
}

static void put_section(struct watch *watch)
{
	const struct umf_pcapng_if iface = {
		.program = NAME " " UMF_PORT_VERSION,
	};

	watch->used += umf_pcapng_section(block_at(watch, UMF_PCAPNG_SECTION),
					  &iface);
}

static void put_interface(struct watch *watch, unsigned int port)
{
	char name[UMF_SEG_LABEL], text[160];
	const struct umf_pcapng_if iface = {
		.name = name, .about = text, .link = PCAPNG_ETHERNET,
	};

	umf_segment_label(watch->port->seg, port, name);
	snprintf(text, sizeof(text), "port %u of segment %.100s", port,
		 watch->port->name);
	watch->used += umf_pcapng_interface(block_at(watch, UMF_PCAPNG_INTERFACE),
					    &iface);
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
	/* An interface of the file is a port, which has sent it. */
	struct umf_pcapng_packet packet = { .len = rec->len, .tx = true };
	struct timespec ts;
	u8 *at;

	if (!watch->interface[port] ||
	    watch->gen[port] != umf_segment_peer_gen(watch->port->seg, port)) {
		watch->gen[port] = umf_segment_peer_gen(watch->port->seg, port);
		put_interface(watch, port);
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	packet.time = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
	packet.iface = watch->interface[port] - 1;
	at = block_at(watch, UMF_PCAPNG_HEAD + rec->len + UMF_PCAPNG_TAIL);
	at += umf_pcapng_head(at, &packet);
	memcpy(at, data, rec->len);
	fill_checksum(at, rec->len, rec->vnet);
	at += rec->len;
	at += umf_pcapng_tail(at, &packet);
	watch->used = at - watch->buffer;
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
