// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that know what they were: for tests that must say which frame was
 * lost, changed, doubled or late, and when.
 *
 *   netprobe send <if> <dst mac> <count> <bytes> [<microseconds apart> [end]]
 *	frames 1 to <count>, of ethertype 0x88b5, and an end mark
 *   netprobe end <if> <dst mac>
 *	an end mark, of ethertype 0x88b6
 *   netprobe recv <if> <src mac> <dst mac> <bytes> <file>
 *	in the background once it listens: every frame of that length that did not
 *	leave here, until an end mark, or until there was no frame at all for 30 s.
 *	<file>.part has a line a frame, <monotonic µs> <number> <flipped bits>|-
 *	(when the kernel had it; bit 0 is the first byte's lowest, as in the event
 *	log), and is <file> at the end.
 *   netprobe show <file>		waits until it is there, and prints it
 *   netprobe await <file> <lines>	waits, 10 s at most, until it has as many
 *   netprobe hear <if> <file>
 *	in the background once it listens, for ever: a line for each call that comes,
 *	"<src mac> <dst mac>"
 *   netprobe call <if> <dst mac>	one frame, of ethertype 0x88b7
 *   netprobe join <if> <mac>	in the background, for ever: receives that group
 *   netprobe echo <address> <count> <microseconds apart> <wait ms>
 *	ICMP echo requests 1 to <count>; ends when all are answered, or so long after
 *	the last request or answer. A line an answer, <number> <round trip in µs>, and
 *	"<sent> sent <received> received <duplicates> duplicates"
 *   netprobe mesh <prefix> <me> <first> <last> <step> <count> <microseconds apart> <wait ms>
 *	ICMP echo requests to <prefix><first>, …, <prefix><last>, but <prefix><me>,
 *	<count> to each in turn; SIGTERM ends sending. A line for each address that has
 *	not answered all, <address> <missing>, and the same last line.
 *   netprobe counts <if>		what ethtool -S shows, <name> <value>
 *   netprobe flood <address> <count>
 *	each request as soon as the last is answered: ns a round trip. One that has no
 *	answer after 200 ms is sent again; that time does not count, stderr says how many
 *   netprobe sink <port>		takes one TCP connection, in the background
 *   netprobe source <address> <port> <MiB>	sends to it: Mbit/s until all is taken
 *   netprobe serve <port>		takes TCP connections, in the background, for ever
 *   netprobe try tcp|udp <address> <port>	connects, or sends a datagram; what it is
 *	told within two seconds: "connected", or the error
 *   netprobe usink <port> <file>	takes datagrams, in the background, until blast says
 *	it is done; <file> then has <datagrams> <ns from the first to the last>
 *   netprobe blast <address> <port> <bytes> <ms>
 *	sends as many as it can: <datagrams>
 *
 * Exit: 0 done, 1 something failed, 2 usage.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PROTO_FRAME	0x88b5	/* IEEE 802: local experiments */
#define PROTO_END	0x88b6
#define PROTO_CALL	0x88b7
#define COPIES		5	/* of a frame's number: the majority counts */
#define SHORTEST	(ETH_HLEN + COPIES * 4)
#define BATCH		64	/* frames in one system call */
#define LONGEST		65536
#define IDLE_MS		30000

static void die(const char *what)
{
	fprintf(stderr, "netprobe: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void usage(void)
{
	fprintf(stderr, "usage: netprobe send|end|recv|call|hear|join|echo|mesh|counts|flood|sink|source|usink|blast ..., see netprobe.c\n");
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void parse_mac(const char *text, uint8_t *mac)
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1],
		   &mac[2], &mac[3], &mac[4], &mac[5]) != 6)
		usage();
}

/* ---- frames ---- */

static void make_frame(uint8_t *frame, size_t len, const uint8_t *src,
		       const uint8_t *dst, uint16_t proto, uint32_t number)
{
	size_t i;

	memcpy(frame, dst, 6);
	memcpy(frame + 6, src, 6);
	frame[12] = proto >> 8;
	frame[13] = proto;
	number = htonl(number);
	for (i = 0; i < COPIES; i++)
		memcpy(frame + ETH_HLEN + 4 * i, &number, 4);
	for (i = SHORTEST; i < len; i++)
		frame[i] = i * 7 + 13;
}

static uint32_t frame_number(const uint8_t *frame)
{
	uint32_t number[COPIES], best = 0;
	int i, j, votes, most = 0;

	memcpy(number, frame + ETH_HLEN, sizeof(number));
	for (i = 0; i < COPIES; i++) {
		for (votes = 0, j = 0; j < COPIES; j++)
			votes += number[i] == number[j];
		if (votes > most) {
			most = votes;
			best = number[i];
		}
	}
	return ntohl(best);
}

static int packet_socket(const char *ifname, uint16_t proto, uint8_t *mac)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(proto),
	};
	struct packet_mreq promisc = { .mr_type = PACKET_MR_PROMISC };
	struct ifreq ifr = {};
	int room = 64 << 20, fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		die("socket");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		die(ifname);
	if (mac)
		memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	addr.sll_ifindex = if_nametoindex(ifname);
	promisc.mr_ifindex = addr.sll_ifindex;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die("bind");
	if (proto && setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) < 0)
		die("promiscuous mode");
	return fd;
}

static void send_frame(int fd, const uint8_t *frame, size_t len)
{
	while (send(fd, frame, len, 0) < 0) {
		if (errno != ENOBUFS && errno != EINTR)
			die("send");
		usleep(100);
	}
}

/* Frames @first to @last, no pause between; a system call is dear in a guest. */
static void send_frames(int fd, long first, long last, size_t len,
			const uint8_t *src, const uint8_t *dst)
{
	static uint8_t frame[BATCH][LONGEST];
	struct mmsghdr msg[BATCH] = {};
	struct iovec iov[BATCH];
	int i, n, sent, done;

	for (; first <= last; first += n) {
		n = last - first + 1 < BATCH ? last - first + 1 : BATCH;
		for (i = 0; i < n; i++) {
			make_frame(frame[i], len, src, dst, PROTO_FRAME, first + i);
			iov[i] = (struct iovec){ frame[i], len };
			msg[i].msg_hdr.msg_iov = &iov[i];
			msg[i].msg_hdr.msg_iovlen = 1;
		}
		for (done = 0; done < n; done += sent) {
			sent = sendmmsg(fd, msg + done, n - done, 0);
			if (sent > 0)
				continue;
			if (errno != ENOBUFS && errno != EINTR)
				die("sendmmsg");
			sent = 0;
			usleep(100);
		}
	}
}

static int send_mark(char **arg, int n, uint16_t proto);

static int do_send(char **arg, int n)
{
	uint8_t src[6], dst[6];
	long count, len, apart, i;
	uint64_t due, now;
	int fd;

	if (n < 4)
		usage();
	parse_mac(arg[1], dst);
	count = atol(arg[2]);
	len = atol(arg[3]);
	apart = n > 4 ? atol(arg[4]) : 0;
	if (len < SHORTEST || len > LONGEST)
		usage();
	fd = packet_socket(arg[0], 0, src);
	due = now_ns();
	if (!apart)
		send_frames(fd, 1, count, len, src, dst);
	for (i = 1; apart && i <= count; i++) {
		send_frames(fd, i, i, len, src, dst);
		due += apart * 1000ULL;
		while ((now = now_ns()) < due)
			usleep((due - now) / 1000 + 1);
	}
	if (n > 5)
		send_mark(arg, 2, PROTO_END);
	return 0;
}

/* One frame of that kind. */
static int send_mark(char **arg, int n, uint16_t proto)
{
	uint8_t frame[SHORTEST], src[6], dst[6];
	int fd;

	if (n < 2)
		usage();
	parse_mac(arg[1], dst);
	fd = packet_socket(arg[0], 0, src);
	make_frame(frame, sizeof(frame), src, dst, proto, 0);
	send_frame(fd, frame, sizeof(frame));
	return 0;
}

static int do_end(char **arg, int n)
{
	return send_mark(arg, n, PROTO_END);
}

static int do_call(char **arg, int n)
{
	return send_mark(arg, n, PROTO_CALL);
}

static void print_frame(FILE *out, const uint8_t *got, size_t len,
			uint64_t ns, const uint8_t *src, const uint8_t *dst)
{
	static uint8_t want[LONGEST];
	uint32_t number = frame_number(got);
	const char *sep = "";
	size_t i;

	make_frame(want, len, src, dst, PROTO_FRAME, number);
	fprintf(out, "%llu %u ", (unsigned long long)ns / 1000, number);
	for (i = 0; i < len * 8; i++) {
		if (!((got[i / 8] ^ want[i / 8]) >> i % 8 & 1))
			continue;
		fprintf(out, "%s%zu", sep, i);
		sep = ",";
	}
	fprintf(out, "%s\n", *sep ? "" : "-");
}

/* When the kernel had it, as now_ns() tells time. */
static uint64_t arrival(struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	static int64_t offset;
	struct timespec real;

	if (!offset) {
		clock_gettime(CLOCK_REALTIME, &real);
		offset = now_ns() - (real.tv_sec * 1000000000LL + real.tv_nsec);
	}
	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET ||
	    cmsg->cmsg_type != SCM_TIMESTAMPNS)
		return now_ns();
	memcpy(&real, CMSG_DATA(cmsg), sizeof(real));
	return real.tv_sec * 1000000000LL + real.tv_nsec + offset;
}

static bool is_end(const uint8_t *frame, size_t len)
{
	return len >= SHORTEST && frame[12] == PROTO_END >> 8 &&
	       frame[13] == (PROTO_END & 0xff);
}

static int do_recv(char **arg, int n)
{
	static uint8_t frame[BATCH][LONGEST];
	static union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct timespec))];
	} control[BATCH];
	static struct sockaddr_ll from[BATCH];
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	uint8_t src[6], dst[6];
	int fd, i, came = 0;
	bool ended = false;
	char temp[256];
	ssize_t len;
	FILE *out;

	if (n < 5)
		usage();
	parse_mac(arg[1], src);
	parse_mac(arg[2], dst);
	len = atol(arg[3]);
	fd = packet_socket(arg[0], ETH_P_ALL, NULL);
	unlink(arg[4]);
	snprintf(temp, sizeof(temp), "%s.part", arg[4]);
	out = fopen(temp, "w");
	if (!out)
		die(temp);
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &(int){ 1 }, sizeof(int)))
		die("SO_TIMESTAMPNS");
	if (fork())
		return 0;
	while (!ended && (came > 0 ||
			  poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, IDLE_MS) > 0)) {
		for (i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ frame[i], LONGEST };
			msg[i].msg_hdr = (struct msghdr){
				.msg_name = &from[i],
				.msg_namelen = sizeof(from[i]),
				.msg_iov = &iov[i],
				.msg_iovlen = 1,
				.msg_control = &control[i],
				.msg_controllen = sizeof(control[i]),
			};
		}
		came = recvmmsg(fd, msg, BATCH, MSG_DONTWAIT, NULL);
		for (i = 0; i < came && !ended; i++) {
			if (from[i].sll_pkttype == PACKET_OUTGOING)
				continue;
			if ((ssize_t)msg[i].msg_len == len)
				print_frame(out, frame[i], len, arrival(&msg[i].msg_hdr),
					    src, dst);
			else
				ended = is_end(frame[i], msg[i].msg_len);
		}
		fflush(out);
	}
	fclose(out);
	if (rename(temp, arg[4]) < 0)
		die(arg[4]);
	return 0;
}

/* All of a file into memory that is its own; NULL: it is not there. */
static char *read_file(const char *path, size_t *len)
{
	FILE *in = fopen(path, "r"), *out;
	char block[4096], *text;
	size_t n;

	if (!in)
		return NULL;
	out = open_memstream(&text, len);
	while (out && (n = fread(block, 1, sizeof(block), in)) > 0)
		fwrite(block, 1, n, out);
	fclose(in);
	if (!out || fclose(out))
		die(path);
	return text;
}

static int do_show(char **arg, int n)
{
	size_t len;
	char *text;

	if (n != 1)
		usage();
	while (!(text = read_file(arg[0], &len)))
		usleep(5000);
	fwrite(text, 1, len, stdout);
	return 0;
}

static int do_await(char **arg, int n)
{
	uint64_t end = now_ns() + 10000000000ULL;
	long lines, want;
	size_t len;
	char *text, *p;

	if (n != 2)
		usage();
	want = atol(arg[1]);
	for (;;) {
		text = read_file(arg[0], &len);
		for (lines = 0, p = text; p && (p = strchr(p, '\n')); p++)
			lines++;
		free(text);
		if (lines >= want)
			return 0;
		if (now_ns() > end)
			return 1;
		usleep(10000);
	}
}

static int do_join(char **arg, int n)
{
	struct packet_mreq group = { .mr_type = PACKET_MR_MULTICAST, .mr_alen = 6 };
	int fd;

	if (n < 2)
		usage();
	fd = packet_socket(arg[0], 0, NULL);
	group.mr_ifindex = if_nametoindex(arg[0]);
	parse_mac(arg[1], group.mr_address);
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		die("join");
	if (!fork())
		pause();
	return 0;
}

static int do_hear(char **arg, int n)
{
	uint8_t frame[SHORTEST];
	struct sockaddr_ll from;
	socklen_t fromlen;
	ssize_t got;
	FILE *out;
	int fd, i;

	if (n < 2)
		usage();
	fd = packet_socket(arg[0], PROTO_CALL, NULL);
	out = fopen(arg[1], "a");
	if (!out)
		die(arg[1]);
	setvbuf(out, NULL, _IOLBF, 0);
	if (fork())
		return 0;
	for (;;) {
		fromlen = sizeof(from);
		got = recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &fromlen);
		/* The interface is down for a moment. */
		if (got < 0 && errno != ENETDOWN)
			die("recvfrom");
		if (got < ETH_HLEN || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		for (i = 0; i < 12; i++)
			fprintf(out, "%02x%c", frame[(i + 6) % 12], i == 11 ? '\n' : i == 5 ? ' ' : ':');
	}
}

/* ---- round trips and throughput ---- */

static uint16_t checksum(const uint16_t *word, size_t bytes)
{
	uint32_t sum = 0;

	for (; bytes; bytes -= 2)
		sum += *word++;
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static struct sockaddr_in ipv4(const char *text, int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET, text, &addr.sin_addr) != 1)
		usage();
	return addr;
}

static int icmp_socket(const char *address)
{
	struct sockaddr_in to = ipv4(address, 0);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("socket");
	return fd;
}

static int send_request(int fd, uint16_t number, const struct sockaddr_in *to)
{
	uint16_t packet[32];
	struct icmphdr *icmp = (struct icmphdr *)packet;

	memset(packet, 0x55, sizeof(packet));
	*icmp = (struct icmphdr){ .type = ICMP_ECHO };
	icmp->un.echo.id = htons(getpid());
	icmp->un.echo.sequence = htons(number);
	icmp->checksum = checksum(packet, sizeof(packet));
	return sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr *)to, to ? sizeof(*to) : 0) < 0 ? -1 : 0;
}

/* The number of the next answer to us, or 0 if there was none in that time. */
static uint16_t get_answer(int fd, int ms)
{
	uint64_t end = now_ns() + ms * 1000000ULL, now;
	uint16_t packet[64];
	const struct icmphdr *icmp = (const struct icmphdr *)(packet + 10);

	for (;;) {
		now = now_ns();
		if (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, now < end ? (end - now) / 1000000 : 0) <= 0)
			return 0;
		if (recv(fd, packet, sizeof(packet), MSG_DONTWAIT) >= 28 && icmp->type == ICMP_ECHOREPLY &&
		    ntohs(icmp->un.echo.id) == (uint16_t)getpid())
			return ntohs(icmp->un.echo.sequence);
	}
}

static int do_echo(char **arg, int n)
{
	static uint64_t sent_at[65536];
	static char answered[65536];
	uint32_t count, sent = 0, received = 0, duplicates = 0, number;
	uint64_t due = now_ns(), apart, now;
	int fd, wait;

	if (n < 4)
		usage();
	fd = icmp_socket(arg[0]);
	count = atol(arg[1]);
	apart = atol(arg[2]) * 1000ULL;
	wait = atoi(arg[3]);
	while (received < count) {
		now = now_ns();
		if (sent < count && now >= due) {
			sent++;
			due += apart;
			sent_at[sent & 0xffff] = now;
			send_request(fd, sent, NULL);	/* without a route, or a carrier, it is just lost */
			continue;
		}
		number = get_answer(fd, sent < count ? (due - now) / 1000000 + 1 : (uint64_t)wait);
		if (!number && sent == count)
			break;
		if (!number)
			continue;
		printf("%u %llu\n", number, (unsigned long long)(now_ns() - sent_at[number]) / 1000);
		if (answered[number]++)
			duplicates++;
		else
			received++;
	}
	printf("%u sent %u received %u duplicates\n", sent, received, duplicates);
	return 0;
}

static volatile sig_atomic_t enough;

static void on_term(int sig)
{
	(void)sig;
	enough = 1;
}

static int do_mesh(char **arg, int n)
{
	static uint8_t came[256][65536 / 8];
	static uint32_t sent[256], received[256];
	uint32_t duplicates = 0, sum_sent = 0, sum_received = 0, number = 0, count;
	int me, first, last, step, fd, peer, wait, room = 16 << 20;
	uint64_t due = now_ns(), apart, end = 0, now;
	struct sockaddr_in to, from;
	uint16_t packet[64], got;
	const struct icmphdr *icmp = (const struct icmphdr *)(packet + 10);
	socklen_t fromlen;
	uint8_t *bits;
	char text[64];

	if (n < 8)
		usage();
	me = atoi(arg[1]);
	first = atoi(arg[2]);
	last = atoi(arg[3]);
	step = atoi(arg[4]);
	count = atoi(arg[5]);
	apart = atol(arg[6]) * 1000ULL;
	wait = atoi(arg[7]);
	if (first < 1 || last > 255 || step < 1 || count > 65535)
		usage();
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	signal(SIGTERM, on_term);
	peer = last;
	for (;;) {
		now = now_ns();
		if (!end && now >= due) {
			for (;;) {
				peer += step;
				if (peer > last) {
					peer = first;
					number++;
				}
				if (peer != me)
					break;
			}
			if (number > count || enough) {
				end = now + wait * 1000000ULL;
				continue;
			}
			snprintf(text, sizeof(text), "%s%d", arg[0], peer);
			to = ipv4(text, 0);
			send_request(fd, number, &to);
			sent[peer]++;
			sum_sent++;
			due += apart;
			continue;
		}
		if (end && (now >= end || sum_received == sum_sent))
			break;
		if (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, ((end ? end : due) - now) / 1000000 + 1) <= 0)
			continue;
		fromlen = sizeof(from);
		if (recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *)&from, &fromlen) < 28 ||
		    icmp->type != ICMP_ECHOREPLY || ntohs(icmp->un.echo.id) != (uint16_t)getpid())
			continue;
		got = ntohs(icmp->un.echo.sequence);
		bits = &came[ntohl(from.sin_addr.s_addr) & 0xff][got / 8];
		if (*bits >> got % 8 & 1) {
			duplicates++;
			continue;
		}
		*bits |= 1 << got % 8;
		received[ntohl(from.sin_addr.s_addr) & 0xff]++;
		sum_received++;
	}
	for (peer = 0; peer < 256; peer++)
		if (sent[peer] != received[peer])
			printf("%s%d %u\n", arg[0], peer, sent[peer] - received[peer]);
	printf("%u sent %u received %u duplicates\n", sum_sent, sum_received, duplicates);
	return 0;
}

static int do_counts(char **arg, int n)
{
	static union {
		struct ethtool_gstrings strings;
		uint8_t room[65536];
	} names;
	static union {
		struct ethtool_stats stats;
		uint8_t room[65536];
	} values;
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq ifr = {};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint32_t i;

	if (n < 1)
		usage();
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", arg[0]);
	ifr.ifr_data = (char *)&info;
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &ifr) < 0 || info.n_stats > 1000)
		die(arg[0]);
	names.strings.cmd = ETHTOOL_GSTRINGS;
	names.strings.string_set = ETH_SS_STATS;
	names.strings.len = info.n_stats;
	values.stats.cmd = ETHTOOL_GSTATS;
	values.stats.n_stats = info.n_stats;
	ifr.ifr_data = (char *)&names;
	if (ioctl(fd, SIOCETHTOOL, &ifr) < 0)
		die("names");
	ifr.ifr_data = (char *)&values;
	if (ioctl(fd, SIOCETHTOOL, &ifr) < 0)
		die("counts");
	for (i = 0; i < info.n_stats; i++)
		printf("%.*s %llu\n", ETH_GSTRING_LEN, (char *)names.strings.data + i * ETH_GSTRING_LEN,
		       (unsigned long long)values.stats.data[i]);
	return 0;
}

static int do_flood(char **arg, int n)
{
	uint64_t start, sent, again;
	uint16_t number, got;
	uint32_t lost = 0;
	int fd, tries;
	long i, count;

	if (n < 2)
		usage();
	fd = icmp_socket(arg[0]);
	count = atol(arg[1]);
	start = now_ns();
	for (i = 0; i < count; i++) {
		number = i % 65535 + 1;
		sent = now_ns();
		for (tries = 0;; tries++) {
			if (tries == 50) {
				errno = ETIMEDOUT;
				die(arg[0]);
			}
			again = now_ns();
			if (send_request(fd, number, NULL))
				die("send");
			do {
				got = get_answer(fd, 200);
			} while (got && got != number);
			if (got)
				break;
			lost++;
		}
		start += again - sent;
	}
	printf("%llu\n", (unsigned long long)(now_ns() - start) / count);
	if (lost)
		fprintf(stderr, "netprobe: %u lost\n", lost);
	return 0;
}

static int do_sink(char **arg, int n)
{
	static char buffer[256 * 1024];
	struct sockaddr_in addr;
	int fd, one = 1;

	if (n < 1)
		usage();
	addr = ipv4("0.0.0.0", atoi(arg[0]));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1) < 0)
		die("listen");
	if (fork())
		return 0;
	fd = accept(fd, NULL, NULL);
	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	if (write(fd, "", 1) < 0)
		die("write");
	return 0;
}

static int do_source(char **arg, int n)
{
	static char buffer[256 * 1024];
	struct sockaddr_in addr;
	uint64_t left, start;
	double seconds;
	ssize_t sent;
	int fd;

	if (n < 3)
		usage();
	addr = ipv4(arg[0], atoi(arg[1]));
	left = atoll(arg[2]) << 20;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die("connect");
	start = now_ns();
	while (left) {
		sent = write(fd, buffer, left < sizeof(buffer) ? left : sizeof(buffer));
		if (sent < 0)
			die("write");
		left -= sent;
	}
	shutdown(fd, SHUT_WR);
	if (read(fd, buffer, 1) != 1)
		die("the sink's answer");
	seconds = (now_ns() - start) / 1e9;
	printf("%.1f\n", atoll(arg[2]) * 8.388608 / seconds);
	return 0;
}

/* A datagram of one byte is the end. */
static int do_serve(char **arg, int n)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6 };
	int fd, one;

	if (n != 1)
		usage();
	addr.sin6_port = htons(atoi(arg[0]));
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, 16))
		die("serve");
	if (fork())
		return 0;
	for (;;) {
		one = accept(fd, NULL, NULL);
		if (one >= 0)
			close(one);
	}
}

static int do_try(char **arg, int n)
{
	int type, fd, err = 0;
	socklen_t len = sizeof(err);
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	struct pollfd pfd;
	bool v6;

	if (n != 3)
		usage();
	type = strcmp(arg[0], "tcp") ? SOCK_DGRAM : SOCK_STREAM;
	v6 = strchr(arg[1], ':');
	to4.sin_port = htons(atoi(arg[2]));
	to6.sin6_port = to4.sin_port;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, arg[1],
		      v6 ? (void *)&to6.sin6_addr : &to4.sin_addr) != 1)
		usage();
	fd = socket(v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("socket");
	/* an ICMP error is told of for some only if it is asked for */
	setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		   v6 ? IPV6_RECVERR : IP_RECVERR, &(int){ 1 }, sizeof(int));
	if (connect(fd, v6 ? (struct sockaddr *)&to6 : (struct sockaddr *)&to4,
		    v6 ? sizeof(to6) : sizeof(to4)) && errno != EINPROGRESS) {
		printf("%s\n", strerror(errno));
		return 0;
	}
	if (type == SOCK_DGRAM && send(fd, "?", 1, 0) < 0)
		die("send");
	pfd = (struct pollfd){
		.fd = fd,
		.events = type == SOCK_DGRAM ? POLLIN : POLLOUT,
	};
	if (poll(&pfd, 1, 2000) <= 0)
		err = ETIMEDOUT;
	else
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	printf("%s\n", err ? strerror(err) : "connected");
	return 0;
}

static int do_usink(char **arg, int n)
{
	static char buffer[65536];
	uint64_t first = 0, last = 0, count = 0;
	int fd, room = 4 << 20;
	struct sockaddr_in addr;
	char temp[256];
	ssize_t got;
	FILE *out;

	if (n < 2)
		usage();
	addr = ipv4("0.0.0.0", atoi(arg[0]));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die("bind");
	unlink(arg[1]);
	if (fork())
		return 0;
	for (;;) {
		got = recv(fd, buffer, sizeof(buffer), 0);
		if (got == 1)
			break;
		if (got < 0)
			die("recv");
		/* The clock costs a system call: not for each. */
		if (!count)
			first = now_ns();
		if (!(++count & 63))
			last = now_ns();
	}
	snprintf(temp, sizeof(temp), "%s.part", arg[1]);
	out = fopen(temp, "w");
	if (!out)
		die(temp);
	fprintf(out, "%llu %llu\n", (unsigned long long)(count & ~63ULL), (unsigned long long)(last - first));
	fclose(out);
	if (rename(temp, arg[1]) < 0)
		die(arg[1]);
	return 0;
}

static int do_blast(char **arg, int n)
{
	static char buffer[65536];
	struct sockaddr_in addr;
	uint64_t end, count = 0;
	int fd, i;

	if (n < 4)
		usage();
	addr = ipv4(arg[0], atoi(arg[1]));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die("connect");
	end = now_ns() + atol(arg[3]) * 1000000ULL;
	do {
		for (i = 0; i < 64; i++)
			if (send(fd, buffer, atol(arg[2]), 0) > 0)
				count++;
	} while (now_ns() < end);
	for (i = 0; i < 20; i++) {
		usleep(20000);
		if (send(fd, buffer, 1, 0) < 0 && errno == ECONNREFUSED)
			break;
	}
	printf("%llu\n", (unsigned long long)count);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(char **arg, int n);
	} commands[] = {
		{ "send", do_send }, { "end", do_end }, { "recv", do_recv }, { "call", do_call }, { "hear", do_hear }, { "join", do_join },
		{ "echo", do_echo }, { "mesh", do_mesh }, { "counts", do_counts }, { "flood", do_flood },
		{ "sink", do_sink }, { "source", do_source }, { "serve", do_serve }, { "try", do_try },
		{ "show", do_show }, { "await", do_await }, { "usink", do_usink }, { "blast", do_blast },
	};
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argv + 2, argc - 2);
	usage();
}
