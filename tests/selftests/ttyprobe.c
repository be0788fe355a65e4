// SPDX-License-Identifier: GPL-2.0
/*
 * Asks a serial line what the tests want to know. Runs in the guest, static.
 *
 *	ttyprobe <device> <command> [argument]…
 *
 *	raw <speed>		8N1, no flow control, local
 *	mode <word>		crtscts clocal hupcl cread parenb parodd cs7
 *				cstopb ixon ixoff inpck parmrk ignpar ignbrk,
 *				with - in front: off
 *	set|clear|put <lines>	of rts,dtr,loop,out1,out2: on, off, these and no others
 *	lines			those that are on
 *	icount			TIOCGICOUNT
 *	miwait <lines> <ms>	TIOCMIWAIT on cd,cts,dsr,rng; prints how long
 *	lsr			TIOCSERGETLSR: empty or busy
 *	excl			TIOCEXCL; prints TIOCGEXCL
 *	break <ms>|on|posix	posix: tcsendbreak
 *	flow <word>		TCXONC: stop and start ask the other end to, hold
 *				and go are about what we send ourselves
 *	queues			TIOCINQ and TIOCOUTQ
 *	serial			TIOCGSERIAL
 *	setserial <word>	TIOCSSERIAL: low_latency, -low_latency,
 *				baud_base=, fifo=, type=
 *	ioctl <hex>		any number, with a zeroed argument
 *	write <text>		with \xx for a byte in hex
 *	fill <n>		n bytes of a known sequence
 *	drain			tcdrain; prints how long since the last fill
 *	read <n> <ms>		up to n bytes, as hex
 *	check <n> <ms>		n bytes of the sequence: how many came, how many
 *				differ, how long from the first to the last
 *	echo <ms>		sends back what comes
 *	ping <n> <ms>		n bytes there and back; microseconds each
 *	hesitate <us>		before each byte of a ping or an echo, by chance
 *				up to so long, without a system call
 *	bulk <n> <times> <ms>	n bytes of the sequence, then waits for a byte; kB/s
 *	sink <n> <times> <ms>	the other side of it
 *	flush			tcflush both
 *	discard in|out		tcflush one
 *	speed <n>		any number, 0 hangs up; prints what it came to
 *	shake <ms> <seed>	random settings, control lines, breaks and ioctls
 *	sleep <ms>
 *	ready			makes /tmp/<name of the device>.ready
 *
 * SIGUSR1 says that nothing more will be sent: it ends a sleep and an echo, and
 * a read or a check once nothing has come for QUIET.
 *
 * Exit: 0; 1 a call failed, which is said; 2 usage.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* Of <asm/termios.h>, which cannot be had beside <termios.h>. */
#ifndef TIOCM_LOOP
#define TIOCM_OUT1	0x2000
#define TIOCM_OUT2	0x4000
#define TIOCM_LOOP	0x8000
#endif

#define QUIET	150	/* ms */

static int fd;
static const char *device;
static volatile sig_atomic_t ending;	/* SIGUSR1 came */
static double filled;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	printf("%s: %s: %s\n", device, what, strerror(errno));
	exit(1);
}

static void usage(const char *word)
{
	fprintf(stderr, "ttyprobe: %s?\n", word);
	exit(2);
}

static const struct { int n; speed_t code; } speeds[] = {
	{ 50, B50 }, { 300, B300 }, { 1200, B1200 }, { 2400, B2400 }, { 4800, B4800 },
	{ 9600, B9600 }, { 19200, B19200 }, { 38400, B38400 }, { 57600, B57600 },
	{ 115200, B115200 }, { 230400, B230400 }, { 460800, B460800 },
	{ 921600, B921600 }, { 1000000, B1000000 }, { 4000000, B4000000 },
};

static void set_raw(int speed)
{
	struct termios tio;
	size_t i;

	if (tcgetattr(fd, &tio))
		fail("tcgetattr");
	cfmakeraw(&tio);
	tio.c_cflag |= CLOCAL | CREAD;
	tio.c_cflag &= ~(CRTSCTS | CSTOPB | PARENB | PARODD);
	tio.c_iflag = 0;
	tio.c_cc[VMIN] = 1;
	tio.c_cc[VTIME] = 0;
	for (i = 0; i < sizeof(speeds) / sizeof(*speeds); i++)
		if (speeds[i].n == speed)
			break;
	if (i == sizeof(speeds) / sizeof(*speeds))
		usage("speed");
	cfsetspeed(&tio, speeds[i].code);
	if (tcsetattr(fd, TCSANOW, &tio))
		fail("tcsetattr");
}

static void set_mode(const char *word)
{
	static const struct { const char *name; int input; tcflag_t bit; } modes[] = {
		{ "crtscts", 0, CRTSCTS }, { "clocal", 0, CLOCAL }, { "hupcl", 0, HUPCL },
		{ "cread", 0, CREAD }, { "parenb", 0, PARENB }, { "parodd", 0, PARODD },
		{ "cstopb", 0, CSTOPB }, { "ixon", 1, IXON }, { "ixoff", 1, IXOFF },
		{ "inpck", 1, INPCK }, { "parmrk", 1, PARMRK }, { "ignpar", 1, IGNPAR },
		{ "ignbrk", 1, IGNBRK }, { "cs7", 0, CS7 },
	};
	int off = *word == '-';
	struct termios tio;
	tcflag_t *flags;
	size_t i;

	tcgetattr(fd, &tio);
	for (i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (!strcmp(modes[i].name, word + off))
			break;
	if (i == sizeof(modes) / sizeof(*modes))
		usage(word);
	flags = modes[i].input ? &tio.c_iflag : &tio.c_cflag;
	if (!strcmp(word, "cs7"))
		*flags &= ~CSIZE;
	if (off)
		*flags &= ~modes[i].bit;
	else
		*flags |= modes[i].bit;
	if (tcsetattr(fd, TCSANOW, &tio))
		fail("tcsetattr");
}

static int lines_of(char *text)
{
	static const struct { const char *name; int bit; } lines[] = {
		{ "rts", TIOCM_RTS }, { "dtr", TIOCM_DTR }, { "cts", TIOCM_CTS },
		{ "dsr", TIOCM_DSR }, { "cd", TIOCM_CD }, { "rng", TIOCM_RNG },
		{ "out1", TIOCM_OUT1 }, { "out2", TIOCM_OUT2 }, { "loop", TIOCM_LOOP },
	};
	int bits = 0;
	size_t i;
	char *word;

	for (word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		for (i = 0; i < sizeof(lines) / sizeof(*lines); i++)
			if (!strcmp(lines[i].name, word))
				break;
		if (i == sizeof(lines) / sizeof(*lines))
			usage(word);
		bits |= lines[i].bit;
	}
	return bits;
}

static void show_lines(void)
{
	int bits;

	if (ioctl(fd, TIOCMGET, &bits))
		fail("TIOCMGET");
	printf("lines%s%s%s%s%s%s\n", bits & TIOCM_RTS ? " rts" : "",
	       bits & TIOCM_DTR ? " dtr" : "", bits & TIOCM_CTS ? " cts" : "",
	       bits & TIOCM_DSR ? " dsr" : "", bits & TIOCM_CD ? " cd" : "",
	       bits & TIOCM_RNG ? " rng" : "");
}

static void show_icount(void)
{
	struct serial_icounter_struct ic;

	if (ioctl(fd, TIOCGICOUNT, &ic))
		fail("TIOCGICOUNT");
	printf("icount cts=%d dsr=%d rng=%d dcd=%d rx=%d tx=%d frame=%d overrun=%d parity=%d brk=%d buf=%d\n",
	       ic.cts, ic.dsr, ic.rng, ic.dcd, ic.rx, ic.tx, ic.frame,
	       ic.overrun, ic.parity, ic.brk, ic.buf_overrun);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void on_usr1(int sig)
{
	(void)sig;
	ending = 1;
}

/* SIGUSR1 comes only while we wait. */
static void block_usr1(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(how, &set, NULL);
}

/* poll(), or the end by SIGUSR1 that came or comes: a shorter time. */
static int wait_for(struct pollfd *pfd, int n, int ms, int quiet)
{
	double end = now() + ms / 1000.0;
	struct timespec ts;
	sigset_t none;
	int ret, cut = 0;

	sigemptyset(&none);
	do {
		if (ending && !cut++ && now() + quiet / 1000.0 < end)
			end = now() + quiet / 1000.0;
		ms = (end - now()) * 1000 + 0.999;
		if (ms < 0)
			ms = 0;
		ts = (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
		ret = ppoll(pfd, n, &ts, &none);
	} while (ret < 0 && errno == EINTR);
	return ret;
}

static void miwait(char *text, int ms)
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct itimerval timer = {
		.it_value = { ms / 1000, ms % 1000 * 1000 },
	};
	double start = now();
	int err;

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	err = ioctl(fd, TIOCMIWAIT, lines_of(text));
	if (err && errno == EINTR)
		printf("miwait timeout\n");
	else if (err)
		fail("TIOCMIWAIT");
	else
		printf("miwait %d ms\n", (int)((now() - start) * 1000));
	memset(&timer, 0, sizeof(timer));
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void write_all(const unsigned char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			fail("write");
		buf += n;
		len -= n;
	}
}

static void write_text(const char *text)
{
	unsigned char buf[4096];
	size_t len = 0;

	for (; *text && len < sizeof(buf); text++) {
		unsigned int byte;

		if (*text == '\\' && sscanf(text + 1, "%2x", &byte) == 1) {
			buf[len++] = byte;
			text += 2;
		} else {
			buf[len++] = *text;
		}
	}
	write_all(buf, len);
}

/* All 256 values, and a sequence that repeats late. */
static unsigned char known(size_t i)
{
	return i * 167 + i / 256 * 31;
}

static void fill(size_t n)
{
	unsigned char buf[4096];
	size_t i, at = 0;

	filled = now();
	while (at < n) {
		size_t len = n - at < sizeof(buf) ? n - at : sizeof(buf);

		for (i = 0; i < len; i++)
			buf[i] = known(at + i);
		write_all(buf, len);
		at += len;
	}
}

/* -1: nothing came in time, or the line hung up. */
static ssize_t read_some(unsigned char *buf, size_t len, int ms)
{
	struct pollfd pfd = { fd, POLLIN, 0 };
	ssize_t n;

	if (wait_for(&pfd, 1, ms, QUIET) <= 0)
		return -1;
	n = read(fd, buf, len);
	if (n <= 0)
		return -1;
	return n;
}

static void read_hex(size_t n, int ms)
{
	double end = now() + ms / 1000.0;
	unsigned char buf[4096];
	size_t at = 0, i;

	if (n > sizeof(buf))
		n = sizeof(buf);
	while (at < n && now() < end) {
		ssize_t got = read_some(buf + at, n - at, (end - now()) * 1000 + 1);

		if (got < 0)
			break;
		at += got;
	}
	printf("read ");
	for (i = 0; i < at; i++)
		printf("%02x", buf[i]);
	printf("\n");
}

static void check(size_t n, int ms)
{
	unsigned char buf[4096];
	size_t at = 0, bad = 0;
	double first = 0, last = 0;
	ssize_t got, i;

	while (at < n) {
		got = read_some(buf, sizeof(buf), ms);
		if (got < 0)
			break;
		last = now();
		if (!first)
			first = last;
		for (i = 0; i < got; i++)
			if (buf[i] != known(at + i))
				bad++;
		at += got;
	}
	printf("check came=%zu bad=%zu us=%.0f\n", at, bad, (last - first) * 1e6);
}

/*
 * echo and ping make as few system calls as can be: read and write. A timer
 * looks every now and then whether anything has come since.
 */
static volatile sig_atomic_t came, came_before;

static void on_look(int sig)
{
	(void)sig;
	if (came == came_before)
		ending = 1;
	came_before = came;
}

static void look_every(int ms)
{
	struct sigaction act = { .sa_handler = on_look };
	struct itimerval timer = {
		.it_value = { ms / 1000, ms % 1000 * 1000 },
		.it_interval = { ms / 1000, ms % 1000 * 1000 },
	};

	came = 0;
	came_before = -1;
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Whatever comes, as soon as it does; 0: nothing for too long. */
static size_t read_soon(void *buf, size_t size)
{
	ssize_t got;

	do {
		got = read(fd, buf, size);
	} while (got < 0 && errno == EINTR && !ending);
	if (got <= 0)
		return 0;
	came++;
	return got;
}

/* A clock that takes no system call, as all others of a guest do. */
static unsigned long long ticks(void)
{
	return __builtin_ia32_rdtsc();
}

static unsigned long long longest;	/* ticks to hesitate */

static void set_hesitate(int us)
{
	unsigned long long first = ticks();
	double start = now();

	while (now() - start < 0.01)
		;
	longest = (ticks() - first) / (now() - start) * us / 1e6;
}

static void hesitate(void)
{
	unsigned long long end;

	if (!longest)
		return;
	for (end = ticks() + random() % longest; ticks() < end;)
		;
}

static void echo(int ms)
{
	unsigned char buf[4096];
	size_t got;

	look_every(ms);
	block_usr1(SIG_UNBLOCK);
	while (!ending && (got = read_soon(buf, sizeof(buf)))) {
		hesitate();
		write_all(buf, got);
	}
	block_usr1(SIG_BLOCK);
	look_every(0);
}

static void ping(int n, int ms)
{
	unsigned long long first, start, end, took, min = -1ULL, max = 0;
	double began, tick;	/* us */
	unsigned char ch;
	size_t got;
	int i;

	look_every(ms);
	began = now();
	first = start = ticks();
	for (i = 0; i < n; i++) {
		ch = i;
		hesitate();
		write_all(&ch, 1);
		got = read_soon(&ch, 1);
		if (!got || ch != (i & 255)) {
			printf("ping lost at %d: ", i);
			if (got)
				printf("0x%02x came\n", ch);
			else
				puts("nothing came");
			return;
		}
		end = ticks();
		took = end - start;
		start = end;
		min = took < min ? took : min;
		max = took > max ? took : max;
	}
	tick = (now() - began) * 1e6 / (start - first);
	look_every(0);
	printf("ping us min=%.1f avg=%.1f max=%.1f\n", min * tick, (start - first) * tick / n, max * tick);
}

static void bulk(size_t n, int times, int ms)
{
	double start = now();
	unsigned char ch;
	int i;

	alarm(30);	/* a write that never returns */
	for (i = 0; i < times; i++) {
		fill(n);
		if (read_some(&ch, 1, ms) != 1) {
			printf("bulk lost at %d\n", i);
			return;
		}
	}
	printf("bulk kB/s=%.0f\n", n * times / (now() - start) / 1000);
}

static void sink(size_t n, int times, int ms)
{
	unsigned char buf[4096];
	size_t at, bad = 0;
	ssize_t got, i;
	int turn;

	for (turn = 0; turn < times; turn++) {
		for (at = 0; at < n; at += got) {
			got = read_some(buf, sizeof(buf), ms);
			if (got < 0) {
				printf("sink turn=%d came=%zu\n", turn, at);
				return;
			}
			for (i = 0; i < got; i++)
				bad += buf[i] != known(at + i);
		}
		write_all(buf, 1);
	}
	printf("sink bad=%zu\n", bad);
}

static void set_lines(int request, char *text)
{
	int bits = lines_of(text);

	if (ioctl(fd, request, &bits))
		fail("TIOCMBIS");
}

static void do_break(const char *time)
{
	if (!strcmp(time, "posix")) {
		if (tcsendbreak(fd, 0))
			fail("tcsendbreak");
		return;
	}
	if (ioctl(fd, TIOCSBRK))
		fail("TIOCSBRK");
	if (!strcmp(time, "on"))
		return;
	usleep(atoi(time) * 1000);
	if (ioctl(fd, TIOCCBRK))
		fail("TIOCCBRK");
}

static void show_lsr(void)
{
	unsigned int lsr;

	if (ioctl(fd, TIOCSERGETLSR, &lsr))
		fail("TIOCSERGETLSR");
	printf("lsr %s\n", lsr & TIOCSER_TEMT ? "empty" : "busy");
}

static void exclude(void)
{
	int on;

	if (ioctl(fd, TIOCEXCL) || ioctl(fd, TIOCGEXCL, &on))
		fail("TIOCEXCL");
	printf("excl %d\n", on);
}

static void flow(const char *word)
{
	static const char *const words[] = {
		[TCOOFF] = "hold", [TCOON] = "go", [TCIOFF] = "stop", [TCION] = "start",
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(words[i], word))
			break;
	if (i == sizeof(words) / sizeof(*words))
		usage(word);
	if (ioctl(fd, TCXONC, i))
		fail("TCXONC");
}

static void show_queues(void)
{
	int in, out;

	if (ioctl(fd, TIOCINQ, &in) || ioctl(fd, TIOCOUTQ, &out))
		fail("TIOCINQ");
	printf("queues in=%d out=%d\n", in, out);
}

static void get_serial(struct serial_struct *serial)
{
	if (ioctl(fd, TIOCGSERIAL, serial))
		fail("TIOCGSERIAL");
}

static void show_serial(void)
{
	struct serial_struct serial;

	get_serial(&serial);
	printf("serial type=%d line=%d irq=%d baud_base=%d fifo=%d%s\n", serial.type, serial.line, serial.irq,
	       serial.baud_base, serial.xmit_fifo_size, serial.flags & ASYNC_LOW_LATENCY ? " low_latency" : "");
}

static void set_serial(const char *word)
{
	struct serial_struct serial;
	int n;

	get_serial(&serial);
	if (!strcmp(word, "low_latency"))
		serial.flags |= ASYNC_LOW_LATENCY;
	else if (!strcmp(word, "-low_latency"))
		serial.flags &= ~ASYNC_LOW_LATENCY;
	else if (sscanf(word, "baud_base=%d", &n) == 1)
		serial.baud_base = n;
	else if (sscanf(word, "fifo=%d", &n) == 1)
		serial.xmit_fifo_size = n;
	else if (sscanf(word, "type=%d", &n) == 1)
		serial.type = n;
	else
		usage(word);
	if (ioctl(fd, TIOCSSERIAL, &serial))
		printf("setserial %s: %s\n", word, strerror(errno));
}

static void any_ioctl(const char *number)
{
	char zero[256] = "";

	printf("ioctl %s: %s\n", number, ioctl(fd, strtoul(number, NULL, 16), zero) ? strerror(errno) : "done");
}

static void ready(void)
{
	const char *name = strrchr(device, '/');
	char path[64];

	snprintf(path, sizeof(path), "/tmp/%s.ready", name ? name + 1 : device);
	close(open(path, O_WRONLY | O_CREAT, 0600));
}

/* Of <asm/termbits.h>. */
struct termios2 {
	tcflag_t iflag, oflag, cflag, lflag;
	cc_t line, cc[19];
	speed_t ispeed, ospeed;
};

#define GETS2	_IOR('T', 0x2a, struct termios2)
#define SETS2	_IOW('T', 0x2b, struct termios2)
#define CBOTHER	010000

static void set_speed(unsigned int speed)
{
	struct termios2 tio;

	if (ioctl(fd, GETS2, &tio))
		fail("TCGETS2");
	tio.cflag = (tio.cflag & ~CBAUD) | (speed ? CBOTHER : B0);
	tio.ispeed = speed;
	tio.ospeed = speed;
	if (ioctl(fd, SETS2, &tio))
		fail("TCSETS2");
	if (ioctl(fd, GETS2, &tio))
		fail("TCGETS2");
	printf("speed %u\n", tio.ospeed);
}

static void shake(int ms, unsigned int seed)
{
	/* a break waits for what flow control holds back, for ever */
	struct itimerval timer = { { 0, 20000 }, { 0, 20000 } }, off = { 0 };
	struct sigaction act = { .sa_handler = on_alarm };
	double end = now() + ms / 1000.0;
	struct serial_struct serial;
	struct termios2 tio;
	int n = 0, bits;
	size_t i;

	srandom(seed);
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	for (; now() < end; n++) {
		bits = random();
		switch (random() % 10) {
		case 0:
		case 1:
			ioctl(fd, GETS2, &tio);
			for (i = 0; i < sizeof(tio.cc); i++)
				tio.cc[i] = random();
			tio.iflag = random();
			tio.oflag = random();
			tio.cflag = random();
			tio.lflag = random() & ~TOSTOP;
			tio.ospeed = random() >> random() % 31;
			tio.ispeed = tio.ospeed;
			ioctl(fd, SETS2, &tio);
			break;
		case 2:
			ioctl(fd, random() % 2 ? TIOCMBIS : TIOCMBIC, &bits);
			break;
		case 3:
			ioctl(fd, TIOCMSET, &bits);
			break;
		case 4:
			ioctl(fd, random() % 2 ? TIOCSBRK : TIOCCBRK);
			break;
		case 5:
			ioctl(fd, TCFLSH, random() % 4);
			break;
		case 6:
			ioctl(fd, TCXONC, random() % 5);
			break;
		case 7:
			ioctl(fd, TIOCGSERIAL, &serial);
			((unsigned char *)&serial)[random() % sizeof(serial)] = random();
			ioctl(fd, TIOCSSERIAL, &serial);
			break;
		default:
			bits = random() % 256;
			while (bits-- && write(fd, &bits, 1) == 1)
				;
			while (random() % 4 && read(fd, &serial, sizeof(serial)) > 0)
				;
		}
	}
	setitimer(ITIMER_REAL, &off, NULL);
	ioctl(fd, TIOCCBRK);
	bits = TIOCM_LOOP;
	ioctl(fd, TIOCMBIC, &bits);
	ioctl(fd, TCXONC, TCOON);
	ioctl(fd, TIOCGSERIAL, &serial);
	serial.flags &= ~ASYNC_SPD_MASK;
	serial.closing_wait = ASYNC_CLOSING_WAIT_NONE;
	ioctl(fd, TIOCSSERIAL, &serial);
	fcntl(fd, F_SETFL, O_RDWR);
	printf("shaken %d times\n", n);
}

static char **args;

static char *arg(void)
{
	if (!*args)
		usage("an argument");
	return *args++;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_usr1 };
	char *word, *text;
	int n, times;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGUSR1, &act, NULL);
	block_usr1(SIG_BLOCK);
	if (argc < 3)
		usage("device");
	device = argv[1];
	args = argv + 2;
	fd = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		fail("open");
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	while ((word = *args)) {
		args++;
		if (!strcmp(word, "raw"))
			set_raw(atoi(arg()));
		else if (!strcmp(word, "mode"))
			set_mode(arg());
		else if (!strcmp(word, "set"))
			set_lines(TIOCMBIS, arg());
		else if (!strcmp(word, "clear"))
			set_lines(TIOCMBIC, arg());
		else if (!strcmp(word, "put"))
			set_lines(TIOCMSET, arg());
		else if (!strcmp(word, "lines"))
			show_lines();
		else if (!strcmp(word, "icount"))
			show_icount();
		else if (!strcmp(word, "lsr"))
			show_lsr();
		else if (!strcmp(word, "excl"))
			exclude();
		else if (!strcmp(word, "break"))
			do_break(arg());
		else if (!strcmp(word, "flow"))
			flow(arg());
		else if (!strcmp(word, "queues"))
			show_queues();
		else if (!strcmp(word, "serial"))
			show_serial();
		else if (!strcmp(word, "setserial"))
			set_serial(arg());
		else if (!strcmp(word, "ioctl"))
			any_ioctl(arg());
		else if (!strcmp(word, "write"))
			write_text(arg());
		else if (!strcmp(word, "fill"))
			fill(atol(arg()));
		else if (!strcmp(word, "drain")) {
			if (tcdrain(fd))
				fail("tcdrain");
			printf("drain %d ms\n", (int)((now() - filled) * 1000));
		} else if (!strcmp(word, "flush"))
			tcflush(fd, TCIOFLUSH);
		else if (!strcmp(word, "discard"))
			tcflush(fd, !strcmp(arg(), "in") ? TCIFLUSH : TCOFLUSH);
		else if (!strcmp(word, "speed"))
			set_speed(strtoul(arg(), NULL, 10));
		else if (!strcmp(word, "shake")) {
			n = atoi(arg());
			shake(n, atoi(arg()));
		} else if (!strcmp(word, "sleep")) {
			wait_for(NULL, 0, atoi(arg()), 0);
			ending = 0;
		} else if (!strcmp(word, "ready"))
			ready();
		else if (!strcmp(word, "hesitate"))
			set_hesitate(atoi(arg()));
		else if (!strcmp(word, "echo"))
			echo(atoi(arg()));
		else if (!strcmp(word, "miwait")) {
			text = arg();
			miwait(text, atoi(arg()));
		} else if (!strcmp(word, "read")) {
			n = atoi(arg());
			read_hex(n, atoi(arg()));
		} else if (!strcmp(word, "check")) {
			n = atoi(arg());
			check(n, atoi(arg()));
		} else if (!strcmp(word, "bulk")) {
			n = atoi(arg());
			times = atoi(arg());
			bulk(n, times, atoi(arg()));
		} else if (!strcmp(word, "sink")) {
			n = atoi(arg());
			times = atoi(arg());
			sink(n, times, atoi(arg()));
		} else if (!strcmp(word, "ping")) {
			n = atoi(arg());
			ping(n, atoi(arg()));
		} else
			usage(word);
	}
	return 0;
}
