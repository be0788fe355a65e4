// SPDX-License-Identifier: GPL-2.0
/*
 * A port of a segment on the host, as tests need one: the guests' own code with
 * an end put to it where they say.
 *
 *	hostport die <segment> <port> kill|stop
 *		sends one frame to that port, and is killed, or stops, when it
 *		is about to ring its bell
 *	hostport many <segment> <ports>
 *		so many ports, in this process. Reads lines: `cast`: each of them
 *		sends one broadcast; `read`: each of them takes what came. The
 *		answer is how many frames that were. Ends with its input
 *
 * Built by tests/lib/hostport.sh.
 */
#include <signal.h>
#include "host/host.h"
#include "net/segment/priv.h"

const char *const kernel_program = "hostport";

static int ring_signal;

int __real_umf_host_bell_ring(int fd);
int __wrap_umf_host_bell_ring(int fd);

int __wrap_umf_host_bell_ring(int fd)
{
	if (ring_signal)
		kill(getpid(), ring_signal);
	return __real_umf_host_bell_ring(fd);
}

static struct umf_segment *join(const char *name, unsigned int n)
{
	char error[UMF_SEG_ERROR], label[UMF_SEG_LABEL];
	struct umf_segment *seg;

	snprintf(label, sizeof(label), "host/port%u", n);
	seg = umf_segment_join(name, label, error);
	if (IS_ERR(seg)) {
		fprintf(stderr, "hostport: %s\n", error);
		exit(1);
	}
	umf_segment_publish(seg, 0x02000000aa00ULL + n, 1500);
	umf_segment_rx_start(seg);
	umf_segment_set_up(seg, true);
	umf_segment_tx_scan(seg);
	return seg;
}

/* A broadcast of an ethertype that nobody knows. */
static bool send_to(struct umf_segment *seg, unsigned int port)
{
	struct umf_ring_rec *rec;

	if (umf_segment_reserve(seg, port, 60, &rec))
		return false;
	memset(rec->vnet, 0, sizeof(rec->vnet));
	memset(rec + 1, 0, 60);
	memset(rec + 1, 0xff, 6);
	memset((u8 *)(rec + 1) + 6, 0x02, 6);
	((u8 *)(rec + 1))[12] = 0x88;
	((u8 *)(rec + 1))[13] = 0xb6;
	umf_segment_commit(seg, port, 60);
	return true;
}

static int die(const char *name, unsigned int port, const char *how)
{
	struct umf_segment *seg = join(name, 0);
	int tries;

	/* All have seen that it is here, and sleep. */
	usleep(500000);
	ring_signal = strcmp(how, "stop") ? SIGKILL : SIGSTOP;
	for (tries = 0; tries < 1000; tries++) {
		if (!send_to(seg, port))
			break;
		usleep(1000);
	}
	fprintf(stderr, "hostport: port %u never sleeps\n", port);
	return 1;
}

static unsigned int take_all(struct umf_segment *seg)
{
	struct umf_ring_rec rec;
	unsigned int port, n = 0;
	const u8 *data;
	int ret;

	umf_segment_rx_poll(seg);
	while ((ret = umf_segment_rx_next(seg, &port, &rec, &data))) {
		if (ret < 0)
			continue;
		umf_segment_rx_done(seg, port, rec.len);
		n++;
	}
	return n;
}

static void rejoin(struct umf_segment *seg)
{
	struct umf_segment *fresh = umf_segment_rejoin(seg);

	if (!IS_ERR(fresh))
		umf_segment_adopt(seg, fresh);
}

static int many(const char *name, unsigned int ports)
{
	struct umf_segment *seg[UMF_SEG_PORTS];
	unsigned int i, n;
	char line[16];
	u64 peers;

	if (ports > UMF_SEG_PORTS)
		return 2;
	for (i = 0; i < ports; i++)
		seg[i] = join(name, i);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		for (i = 0, n = 0; i < ports; i++) {
			umf_segment_check(seg[i]);
			if (umf_segment_lost(seg[i]))
				rejoin(seg[i]);
			umf_segment_tx_scan(seg[i]);
			if (strcmp(line, "cast\n")) {
				n += take_all(seg[i]);
				continue;
			}
			peers = umf_segment_peers(seg[i]);
			for (; peers; peers &= peers - 1)
				n += send_to(seg[i], __ffs64(peers));
		}
		printf("%u\n", n);
		fflush(stdout);
	}
	for (i = 0; i < ports; i++)
		umf_segment_leave(seg[i]);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 5 && !strcmp(argv[1], "die"))
		return die(argv[2], atoi(argv[3]), argv[4]);
	if (argc == 4 && !strcmp(argv[1], "many"))
		return many(argv[2], atoi(argv[3]));
	fprintf(stderr, "usage: hostport die|many ..., see hostport.c\n");
	return 2;
}
