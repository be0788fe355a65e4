// SPDX-License-Identifier: GPL-2.0
/*
 * A segment bridged to a tap device. Frames keep their offloads: the ring's
 * virtio-net header is the tap's, so a TCP stream crosses in pieces of 64 KiB.
 *
 * A frame from the tap that finds a receiver's ring full waits, and the tap's
 * queue behind it, as a guest's would: until there is room, or until the
 * receiver has read nothing for STUCK_AFTER. Frames to one that is stuck are
 * lost, and counted, until it reads again.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include "port.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4	0x20
#define TUN_F_USO6	0x40
#endif

#define STUCK_AFTER	5	/* ms */
#define BUDGET		64	/* frames a round, each way */
#define MAC_MULTICAST	BIT_ULL(40)

struct tap {
	struct port *port;
	int fd;
	struct umf_fdb fdb;
	u64 waiting;		/* ports that are still to have the frame */
	u64 stuck;
	u32 tail[UMF_SEG_PORTS];	/* of those: where it had read to */
	unsigned long stuck_at;	/* jiffies: who waits then is stuck */
	u8 vnet[10];
	u32 len;
	u64 from, to, lost, refused;	/* frames */
	u8 frame[UMF_FRAME_MAX];
};

int tap_open(const char *name, u8 mac[6])
{
	const unsigned int offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 |
				     TUN_F_TSO_ECN;
	struct ifreq ifr = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
	};
	int fd, sock, size = sizeof(((struct tap *)0)->vnet);

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

static u64 mac_at(const u8 *p)
{
	return (u64)p[0] << 40 | (u64)p[1] << 32 | (u64)p[2] << 24 |
	       (u64)p[3] << 16 | p[4] << 8 | p[5];
}

static u32 now_seconds(void)
{
	return jiffies / HZ;
}

/* ---- from the tap ---- */

/* One copy: 0, or -EAGAIN when the ring is full. What goes wrong else is lost. */
static int put(struct tap *tap, unsigned int port)
{
	struct umf_ring_rec *rec;
	int err = umf_segment_reserve(tap->port->seg, port, tap->len, &rec);

	if (err)
		return err;
	memcpy(rec->vnet, tap->vnet, sizeof(rec->vnet));
	memcpy(rec + 1, tap->frame, tap->len);
	umf_segment_commit(tap->port->seg, port, tap->len);
	return 0;
}

static u64 route(struct tap *tap)
{
	u64 peers = umf_segment_peers(tap->port->seg);
	u64 dest = mac_at(tap->frame);
	int to = dest & MAC_MULTICAST ? -1 :
		 umf_fdb_lookup(&tap->fdb, dest, now_seconds());

	if (to >= 0 && to < UMF_SEG_PORTS && (peers & BIT_ULL(to)))
		return BIT_ULL(to);
	return peers;
}

/* The frame, or what is left to do of it. True when nothing is. */
static bool send_frame(struct tap *tap)
{
	struct umf_segment *seg = tap->port->seg;
	u64 todo = tap->waiting;
	unsigned int port;
	u32 tail;

	for (; todo; todo &= todo - 1) {
		port = __ffs64(todo);
		tail = umf_segment_tx_tail(seg, port);
		if ((tap->stuck & BIT_ULL(port)) && tail != tap->tail[port])
			tap->stuck &= ~BIT_ULL(port);
		if (put(tap, port) == -EAGAIN) {
			if (time_before(jiffies, tap->stuck_at) &&
			    !(tap->stuck & BIT_ULL(port)))
				continue;
			tap->stuck |= BIT_ULL(port);
			tap->tail[port] = tail;
			tap->lost++;
		}
		tap->waiting &= ~BIT_ULL(port);
	}
	return !tap->waiting;
}

static void send_to_monitors(struct tap *tap)
{
	u64 todo = umf_segment_monitors(tap->port->seg);

	for (; todo; todo &= todo - 1)
		if (put(tap, __ffs64(todo)))
			umf_segment_miss(tap->port->seg, __ffs64(todo));
}

/* True when there was a frame and it is on its way. */
static bool take_frame(struct tap *tap)
{
	struct iovec iov[] = {
		{ tap->vnet, sizeof(tap->vnet) },
		{ tap->frame, sizeof(tap->frame) },
	};
	ssize_t n = readv(tap->fd, iov, ARRAY_SIZE(iov));

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != EIO)
			fatal("the tap device is gone: %s", strerror(errno));
		return false;
	}
	if (n < (ssize_t)sizeof(tap->vnet) + 14)
		return true;
	tap->from++;
	tap->len = n - sizeof(tap->vnet);
	tap->vnet[0] &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	send_to_monitors(tap);
	tap->waiting = route(tap);
	tap->stuck_at = jiffies + STUCK_AFTER + 1;
	return send_frame(tap);
}

/* ---- to the tap ---- */

static bool give_frames(struct tap *tap)
{
	struct umf_segment *seg = tap->port->seg;
	struct umf_ring_rec rec;
	struct iovec iov[2];
	unsigned int port;
	const u8 *data;
	int i, ret;

	for (i = 0; i < BUDGET; i++) {
		ret = umf_segment_rx_next(seg, &port, &rec, &data);
		if (!ret)
			return false;
		if (ret < 0)
			continue;
		if (rec.len >= 14)
			umf_fdb_learn(&tap->fdb, mac_at(data + 6), port,
				      now_seconds());
		iov[0] = (struct iovec){ rec.vnet, sizeof(rec.vnet) };
		iov[1] = (struct iovec){ (void *)data, rec.len };
		/* Nobody sends segments without a checksum to be made. */
		if (rec.len < 14 ||
		    (rec.vnet[1] && !(rec.vnet[0] & VIRTIO_NET_HDR_F_NEEDS_CSUM)) ||
		    writev(tap->fd, iov, ARRAY_SIZE(iov)) < 0)
			tap->refused++;
		else
			tap->to++;
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

	if (gone) {
		umf_fdb_flush(&tap->fdb, gone);
		tap->waiting &= ~gone;
		tap->stuck &= ~gone;
	}
	more = give_frames(tap);
	if (!send_frame(tap))
		return more;
	for (i = 0; i < BUDGET; i++)
		if (!take_frame(tap))
			return more;
	return true;
}

void tap_run(struct port *port, int fd)
{
	struct umf_segment *seg = port->seg;
	struct tap *tap = calloc(1, sizeof(*tap));
	struct pollfd fds[] = {
		{ .fd = umf_segment_bell(seg), .events = POLLIN },
		{ .fd = fd },
	};

	if (!tap)
		fatal("out of memory");
	tap->port = port;
	tap->fd = fd;
	while (!port_stop) {
		if (round_of(tap) || !umf_segment_rx_sleep(seg))
			continue;
		/* A full ring has no bell: its reader is looked at each ms. */
		fds[1].events = tap->waiting ? 0 : POLLIN;
		poll(fds, ARRAY_SIZE(fds), tap->waiting ? 1 : 250);
		if (fds[0].revents)
			umf_host_bell_drain(fds[0].fd);
	}
	say("%llu frames to the tap, %llu from it, %llu lost as a port did not keep up, %llu not taken by the tap",
	    tap->to, tap->from, tap->lost, tap->refused);
	free(tap);
}
