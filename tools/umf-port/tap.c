// SPDX-License-Identifier: GPL-2.0
/*
 * A segment bridged to a tap device. Frames keep their offloads: the ring's
 * virtio-net header is the tap's, so a TCP stream crosses in pieces of 64 KiB.
 *
 * The port is the guests' own (drivers/net/port/): while a receiver is slow, the
 * tap's queue waits as a guest's does. What comes from the segment is taken as
 * by a NIC of the tap's MTU.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include "net/port/backlog.h"
#include "net/port/route.h"
#include "port.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4	0x20
#define TUN_F_USO6	0x40
#endif

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define BUDGET		64	/* frames a round, each way */
#define MTU_PERIOD	250	/* ms between two looks at the tap's MTU */
#define VLAN		4	/* bytes of a tag */

/* As a guest's. */
#define BACKLOG_FRAMES	1000
#define BACKLOG_BYTES	(4 * 1024 * 1024)


/* A frame from the tap. */
struct tap_frame {
	struct umf_backlog_frame wait;
	u32 len;
	u8 vnet[10];
	u8 data[];
};

struct tap {
	struct port *port;
	int fd;
	int sock;		/* to ask for the MTU */
	u64 mac;
	u32 mtu;
	unsigned long mtu_at;	/* jiffies: when to look again */
	struct umf_route route;
	struct umf_backlogs backlogs;
	u64 from, to, lost, refused, cut, long_ones;	/* frames */
	struct tap_frame *frame;	/* with room for the longest */
};

int tap_open(const char *name, u8 mac[6])
{
	const unsigned int offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 |
				     TUN_F_TSO_ECN;
	struct ifreq ifr = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
	};
	int fd, sock, size = sizeof(((struct tap_frame *)0)->vnet);

	if (strlen(name) >= sizeof(ifr.ifr_name))
		fatal("%s: a device's name has %zu characters at most", name,
		      sizeof(ifr.ifr_name) - 1);
	strcpy(ifr.ifr_name, name);
	if (!if_nametoindex(name))
		fatal("there is no tap device %s; make it: ip tuntap add %s mode tap user $USER",
		      name, name);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		fatal("/dev/net/tun: %s", strerror(errno));
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		fatal(errno == EINVAL ? "%s is no tap device" :
		      errno == EBUSY ? "%s: another program has it" :
		      errno == EPERM ? "%s: this tap device is another user's" :
				       "%s: %m", name);
	/* Segmented UDP comes with Linux 6.2. */
	if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 ||
	    (ioctl(fd, TUNSETOFFLOAD, offload | TUN_F_USO4 | TUN_F_USO6) < 0 &&
	     ioctl(fd, TUNSETOFFLOAD, offload) < 0))
		fatal("%s: cannot take offloads: %s", name, strerror(errno));
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || ioctl(sock, SIOCGIFHWADDR, &ifr) < 0)
		fatal("%s: no MAC: %s", name, strerror(errno));
	close(sock);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return fd;
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static u32 now_seconds(void)
{
	return now_ns() / NSEC_PER_SEC;
}

/* The device may have another name and another MTU by now. */
static void look_at_mtu(struct tap *tap)
{
	struct ifreq ifr = { };

	if (tap->mtu && time_before(jiffies, tap->mtu_at))
		return;
	tap->mtu_at = jiffies + HZ * MTU_PERIOD / 1000;
	if (ioctl(tap->fd, TUNGETIFF, &ifr) < 0 ||
	    ioctl(tap->sock, SIOCGIFMTU, &ifr) < 0 ||
	    ifr.ifr_mtu == (int)tap->mtu)
		return;
	tap->mtu = ifr.ifr_mtu;
	umf_segment_publish(tap->port->seg, tap->mac, tap->mtu);
}

/* ---- from the tap ---- */

static struct tap *tap_of(struct umf_backlogs *backlogs)
{
	return container_of(backlogs, struct tap, backlogs);
}

static struct tap_frame *frame_of(struct umf_backlog_frame *wait)
{
	return container_of(wait, struct tap_frame, wait);
}

static int copy_frame(struct umf_backlogs *backlogs,
		      struct umf_backlog_frame *wait, unsigned int port)
{
	struct umf_segment *seg = tap_of(backlogs)->port->seg;
	struct tap_frame *frame = frame_of(wait);
	struct umf_ring_rec *rec;
	int err = umf_segment_reserve(seg, port, frame->len, &rec);

	if (err)
		return err;
	memcpy(rec->vnet, frame->vnet, sizeof(rec->vnet));
	memcpy(rec + 1, frame->data, frame->len);
	umf_segment_commit(seg, port, frame->len);
	return 0;
}

static u32 tail_of(struct umf_backlogs *backlogs, unsigned int port)
{
	return umf_segment_tx_tail(tap_of(backlogs)->port->seg, port);
}

static void frame_lost(struct umf_backlogs *backlogs,
		       struct umf_backlog_frame *wait, unsigned int port, int err)
{
	if (err == -EHOSTUNREACH)
		tap_of(backlogs)->cut++;
	else
		tap_of(backlogs)->lost++;
}

static void frame_waits(struct umf_backlogs *backlogs,
			struct umf_backlog_frame *wait, bool held)
{
}

static void free_frame(struct umf_backlogs *backlogs,
		       struct umf_backlog_frame *wait, bool sent)
{
	free(frame_of(wait));
}

static const struct umf_backlog_ops backlog_ops = {
	.copy	= copy_frame,
	.tail	= tail_of,
	.lost	= frame_lost,
	.waits	= frame_waits,
	.free	= free_frame,
};

static void send_to_monitors(struct tap *tap)
{
	struct umf_segment *seg = tap->port->seg;
	u64 missed = umf_backlog_watch(&tap->backlogs, &tap->frame->wait,
				       umf_segment_monitors(seg));

	for (; missed; missed &= missed - 1)
		umf_segment_miss(seg, __ffs64(missed));
}

static void send_frame(struct tap *tap)
{
	struct tap_frame *frame = tap->frame, *copy;
	size_t size = sizeof(*frame) + frame->len;
	bool flooded;
	u64 ports;

	send_to_monitors(tap);
	ports = umf_route_to(&tap->route, frame->data,
			     umf_segment_peers(tap->port->seg), now_seconds(),
			     &flooded);
	ports = umf_backlog_send(&tap->backlogs, &frame->wait, ports);
	for (; ports; ports &= ports - 1) {
		copy = malloc(size);
		if (!copy)
			fatal("out of memory");
		memcpy(copy, frame, size);
		umf_backlog_park(&tap->backlogs, &copy->wait, size,
				 __ffs64(ports), now_ns());
	}
}

/* Was there one? */
static bool take_frame(struct tap *tap)
{
	struct tap_frame *frame = tap->frame;
	struct iovec iov[] = {
		{ frame->vnet, sizeof(frame->vnet) },
		{ frame->data, UMF_FRAME_MAX },
	};
	ssize_t n = readv(tap->fd, iov, ARRAY_SIZE(iov));

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != EIO)
			fatal("the tap device is gone: %s", strerror(errno));
		return false;
	}
	if (n < (ssize_t)sizeof(frame->vnet) + UMF_ROUTE_HEAD)
		return true;
	tap->from++;
	frame->len = n - sizeof(frame->vnet);
	frame->vnet[0] &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	send_frame(tap);
	return true;
}

/* ---- to the tap ---- */

/*
 * The longest frame that it makes on a wire. Nobody sends segments without a
 * checksum to be made, so that says where the transport header is.
 */
static u32 wire_len(const u8 *data, u32 len, const struct virtio_net_hdr *hdr)
{
	u32 head = hdr->csum_start;

	if (hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return len;
	if ((hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_UDP_L4)
		head += 8;
	else if (head + 20 <= len)
		head += (data[head + 12] >> 4) * 4;
	return min(len, head + hdr->gso_size);
}

static void give_frame(struct tap *tap, struct umf_ring_rec *rec, const u8 *data)
{
	struct iovec iov[] = {
		{ rec->vnet, sizeof(rec->vnet) },
		{ (void *)data, rec->len },
	};
	struct virtio_net_hdr hdr;

	memcpy(&hdr, rec->vnet, sizeof(hdr));
	if (hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE &&
	    !(hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		tap->refused++;
	else if (wire_len(data, rec->len, &hdr) >
		 tap->mtu + UMF_ROUTE_HEAD + VLAN)
		tap->long_ones++;
	else if (writev(tap->fd, iov, ARRAY_SIZE(iov)) < 0)
		tap->refused++;
	else
		tap->to++;
}

/* False when there are no more. */
static bool give_frames(struct tap *tap)
{
	struct umf_segment *seg = tap->port->seg;
	struct umf_ring_rec rec;
	unsigned int port;
	const u8 *data;
	int i, ret;

	for (i = 0; i < BUDGET; i++) {
		ret = umf_segment_rx_next(seg, &port, &rec, &data);
		if (!ret)
			return false;
		if (ret < 0)
			continue;
		switch (umf_route_from(&tap->route, port, data, rec.len,
				       umf_segment_rx_cut(seg, port),
				       now_seconds())) {
		case UMF_ROUTE_TAKEN:
			give_frame(tap, &rec, data);
			break;
		case UMF_ROUTE_CUT:
			tap->cut++;
			break;
		case UMF_ROUTE_SHORT:
			tap->refused++;
			break;
		}
		umf_segment_rx_done(seg, port, rec.len);
	}
	return true;
}

static bool round_of(struct tap *tap)
{
	struct umf_segment *seg = tap->port->seg;
	bool changed = umf_segment_rx_poll(seg);
	u64 gone = port_look_around(tap->port, changed);
	bool more;
	int i;

	if (changed)
		umf_route_forget(&tap->route, umf_segment_rx_forgotten(seg));
	umf_route_left(&tap->route, gone);
	umf_backlog_drop(&tap->backlogs, gone);
	look_at_mtu(tap);
	more = give_frames(tap);
	if (!more)
		umf_route_read_all(&tap->route);
	umf_backlog_run(&tap->backlogs, now_ns());
	for (i = 0; !umf_backlog_slow(&tap->backlogs); i++)
		if (i == BUDGET)
			return true;
		else if (!take_frame(tap))
			break;
	return more;
}

/* Until there is something to do. A full ring has no bell: it is looked at. */
static void wait_for_frames(struct tap *tap)
{
	struct pollfd fds[] = {
		{ .fd = umf_segment_bell(tap->port->seg), .events = POLLIN },
		{ .fd = tap->fd },
	};
	u64 wait = umf_backlog_retry(&tap->backlogs) ?: NSEC_PER_SEC / 4;
	struct timespec ts = { .tv_nsec = wait };

	if (!umf_backlog_slow(&tap->backlogs))
		fds[1].events = POLLIN;
	ppoll(fds, ARRAY_SIZE(fds), &ts, NULL);
	if (fds[0].revents)
		umf_host_bell_drain(fds[0].fd);
}

void tap_run(struct port *port, int fd, const u8 mac[6])
{
	struct tap *tap = calloc(1, sizeof(*tap));

	if (tap)
		tap->frame = malloc(sizeof(*tap->frame) + UMF_FRAME_MAX);
	if (!tap || !tap->frame)
		fatal("out of memory");
	tap->port = port;
	tap->fd = fd;
	tap->mac = mac_number(mac);
	tap->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	tap->mtu = 65521;
	tap->mtu_at = jiffies;
	tap->backlogs.ops = &backlog_ops;
	tap->backlogs.frames_max = BACKLOG_FRAMES;
	tap->backlogs.bytes_max = BACKLOG_BYTES;
	while (!port_stop)
		if (!round_of(tap) && umf_segment_rx_sleep(port->seg))
			wait_for_frames(tap);
	umf_backlog_drop(&tap->backlogs, U64_MAX);
	say("%llu frames to the tap, %llu from it, %llu lost as a port did not keep up, %llu in partitions, %llu longer than the MTU, %llu not taken by the tap",
	    tap->to, tap->from, tap->lost, tap->cut, tap->long_ones, tap->refused);
	close(tap->sock);
	free(tap->frame);
	free(tap);
}
