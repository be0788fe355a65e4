// SPDX-License-Identifier: GPL-2.0
/*
 * Heartbeats over a serial line, as Linux-HA's heartbeat sends and judges them
 * (lib/plugins/HBcomm/serial.c and heartbeat/heartbeat.c). Runs in the guest,
 * static, until it is killed.
 *
 *	ttybeat <device> <node> [keepalive=ms] [warntime=ms] [deadtime=ms]
 *
 * Every keepalive it sends a status message: lines of name=value between >>>
 * and <<<, with a sequence number, a generation that a restart changes and a
 * checksum. Each line it prints begins with the guest's monotonic time in ms:
 *
 *	up <node> gen=G			first message, or the first after dead
 *	late <node> silent=MS		a message came later than warntime
 *	dead <node> silent=MS		none came for deadtime
 *	lost <node> N			numbers that were left out
 *	restarted <node> gen=G		the other one is a new one
 *	bad <reason>			a message that is not used
 *	carrier on|off			DCD, as TIOCMIWAIT tells it
 *
 * Exit: 1 a call failed, which is said; 2 usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <signal.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE	512

static int fd;
static int keepalive = 200, warntime = 600, deadtime = 1500;
static const char *node;

/* The other node, as far as it is known. */
static char peer[32];
static unsigned long peer_gen, peer_seq;
static long heard;	/* its last message, ms; 0: never */
static int is_dead;

static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t crc32(const char *text, size_t len)
{
	uint32_t crc = ~0U;
	int bit;

	while (len--) {
		crc ^= (unsigned char)*text++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void open_line(const char *path)
{
	struct termios tio;

	fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || tcgetattr(fd, &tio))
		fail(path);
	cfmakeraw(&tio);
	tio.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&tio, B38400);
	if (tcsetattr(fd, TCSAFLUSH, &tio))
		fail("tcsetattr");
}

/* A child says how the carrier changes, at the time it does. */
static void watch_carrier(void)
{
	int before = -1, bits;

	switch (fork()) {
	case -1:
		fail("fork");
	case 0:
		break;
	default:
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		if (ioctl(fd, TIOCMGET, &bits))
			fail("TIOCMGET");
		if ((bits & TIOCM_CD) != before)
			printf("%ld carrier %s\n", now(), bits & TIOCM_CD ? "on" : "off");
		before = bits & TIOCM_CD;
		/* what changed in between is seen by the next turn at most 1 s later */
		alarm(1);
		if (ioctl(fd, TIOCMIWAIT, TIOCM_CD) && errno != EINTR)
			fail("TIOCMIWAIT");
	}
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void send_status(unsigned long gen)
{
	static unsigned long seq;
	char text[MESSAGE];
	int len;

	len = snprintf(text, sizeof(text),
		       "t=status\nst=active\ndt=%x\nprotocol=1\nsrc=%s\nseq=%lx\nhg=%lx\nts=%lx\nld=0.00 0.00 0.00 1/32 97\nttl=3\n",
		       deadtime, node, ++seq, gen, now());
	len += snprintf(text + len, sizeof(text) - len, "auth=1 %08x\n",
			crc32(text, len));
	dprintf(fd, ">>>\n%s<<<\n", text);	/* what finds no room is lost */
}

static const char *field(const char *text, const char *name, char *value, size_t size)
{
	const char *at = text;
	size_t len = strlen(name);

	for (; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, len) || at[len] != '=')
			continue;
		at += len + 1;
		len = strcspn(at, "\n");
		if (len >= size)
			return NULL;
		memcpy(value, at, len);
		value[len] = '\0';
		return at;
	}
	return NULL;
}

static void bad(const char *reason)
{
	printf("%ld bad %s\n", now(), reason);
}

/* The text between >>> and <<<. */
static void take_message(char *text)
{
	char src[32], value[64];
	unsigned long seq, gen;
	const char *auth;
	long t = now();

	auth = field(text, "auth", value, sizeof(value));
	if (!auth || strncmp(value, "1 ", 2))
		return bad("no checksum");
	if (strtoul(value + 2, NULL, 16) != crc32(text, auth - 5 - text))
		return bad("checksum");
	if (!field(text, "src", src, sizeof(src)))
		return bad("no source");
	if (!strcmp(src, node))
		return bad("our own");
	seq = field(text, "seq", value, sizeof(value)) ? strtoul(value, NULL, 16) : 0;
	gen = field(text, "hg", value, sizeof(value)) ? strtoul(value, NULL, 16) : 0;
	if (!heard || strcmp(src, peer)) {
		snprintf(peer, sizeof(peer), "%s", src);
		printf("%ld up %s gen=%lx\n", t, peer, gen);
	} else {
		if (is_dead)
			printf("%ld up %s gen=%lx\n", t, peer, gen);
		else if (t - heard > warntime)
			printf("%ld late %s silent=%ld\n", t, peer, t - heard);
		if (gen != peer_gen)
			printf("%ld restarted %s gen=%lx\n", t, peer, gen);
		else if (seq != peer_seq + 1)
			printf("%ld lost %s %ld\n", t, peer, (long)(seq - peer_seq - 1));
	}
	is_dead = 0;
	heard = t;
	peer_seq = seq;
	peer_gen = gen;
}

static void take_bytes(void)
{
	static char line[MESSAGE], text[MESSAGE];
	static size_t nline, ntext;
	static int inside;
	char buf[256];
	ssize_t n, i;

	n = read(fd, buf, sizeof(buf));
	for (i = 0; i < n; i++) {
		line[nline++] = buf[i];
		if (buf[i] != '\n' && nline < sizeof(line) - 1)
			continue;
		line[nline] = '\0';
		if (!strcmp(line, ">>>\n")) {
			if (inside)
				bad("no end");
			inside = 1;
			ntext = 0;
		} else if (!strcmp(line, "<<<\n") && inside) {
			text[ntext] = '\0';
			inside = 0;
			take_message(text);
		} else if (inside && ntext + nline < sizeof(text)) {
			memcpy(text + ntext, line, nline);
			ntext += nline;
		} else if (inside) {
			inside = 0;
			bad("too long");
		} else {
			bad("noise");
		}
		nline = 0;
	}
}

static void set_option(const char *word)
{
	if (sscanf(word, "keepalive=%d", &keepalive) != 1 &&
	    sscanf(word, "warntime=%d", &warntime) != 1 &&
	    sscanf(word, "deadtime=%d", &deadtime) != 1) {
		fprintf(stderr, "ttybeat: %s?\n", word);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct timespec boot;
	unsigned long gen;
	long next, t, wait;
	int i;

	if (argc < 3) {
		fprintf(stderr, "usage: ttybeat <device> <node> [option=ms]\n");
		return 2;
	}
	node = argv[2];
	for (i = 3; i < argc; i++)
		set_option(argv[i]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_line(argv[1]);
	sigaction(SIGALRM, &act, NULL);
	watch_carrier();
	clock_gettime(CLOCK_REALTIME, &boot);
	gen = boot.tv_sec ^ (unsigned long)boot.tv_nsec << 24 ^ getpid();
	gen &= 0xffffffff;
	next = now();
	for (;;) {
		struct pollfd pfd = { fd, POLLIN, 0 };

		t = now();
		if (t >= next) {
			send_status(gen);
			next = t + keepalive;
		}
		if (heard && !is_dead && t - heard >= deadtime) {
			is_dead = 1;
			printf("%ld dead %s silent=%ld\n", t, peer, t - heard);
		}
		wait = next - t;
		if (heard && !is_dead && heard + deadtime - t < wait)
			wait = heard + deadtime - t;
		if (poll(&pfd, 1, wait) > 0)
			take_bytes();
	}
}
