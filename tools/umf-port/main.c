// SPDX-License-Identifier: GPL-2.0
/*
 * umf-port: joins a segment as a port.
 *
 *	umf-port --tap <device> <segment>	bridges it to a tap device
 *	umf-port -w <file>|- <segment>		writes what crosses it as pcapng
 *
 * A port that is killed is one that guests bury; there is nothing to clean up.
 */
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include "../lib/message.h"
#include "port.h"

#define WATCH_PERIOD	250	/* ms between two looks for ports that died */

const char *const kernel_program = NAME;
volatile sig_atomic_t port_stop;

static struct port port;

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(NAME, fmt, ap, "");
	va_end(ap);
}

void fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(NAME, fmt, ap, "");
	va_end(ap);
	if (port.seg)
		umf_segment_leave(port.seg);
	exit(PORT_FAILED);
}

static void usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(NAME, fmt, ap, "; " NAME " --help tells more");
	va_end(ap);
	exit(PORT_USAGE);
}

static void help(void)
{
	puts("Usage: " NAME " --tap <device> <segment>\n"
	     "       " NAME " -w <file>|- <segment>\n"
	     "\n"
	     "<segment>: as in a guest's eth0=switch,<segment>: a folder, or a bare name for\n"
	     "one under /dev/shm/umf-<uid>\n"
	     "\n"
	     "  --tap <device>  joins the segment to this tap device, which is there:\n"
	     "                  ip tuntap add <device> mode tap user $USER\n"
	     "  -w <file>|-     writes every frame that crosses the segment to the file, or\n"
	     "                  to stdout, as pcapng: " NAME " -w - lan | wireshark -k -i -\n"
	     "  --help, --version\n"
	     "\n"
	     "Ends with Ctrl-C, and -w when its reader does. Exit status: 0 done, 1 no such\n"
	     "segment, no such device or nowhere to write, 2 usage.");
}

/* A write that waits for a stalled reader must not wait after that. */
static void stop(int sig)
{
	(void)sig;
	port_stop = 1;
	alarm(1);
}

static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGALRM };
	struct sigaction action = { .sa_handler = stop };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Its files are not what they were. */
static void rejoin(struct umf_segment *seg)
{
	struct umf_segment *fresh = umf_segment_rejoin(seg);

	if (!IS_ERR(fresh))
		umf_segment_adopt(seg, fresh);
}

u64 port_look_around(struct port *port, bool changed)
{
	static unsigned long next;

	if (changed || !next || !time_before(jiffies, next)) {
		umf_segment_check(port->seg);
		if (umf_segment_lost(port->seg))
			rejoin(port->seg);
		next = jiffies + HZ * WATCH_PERIOD / 1000;
		return umf_segment_tx_scan(port->seg);
	}
	return umf_segment_tx_changed(port->seg) ?
		umf_segment_tx_scan(port->seg) : 0;
}

u64 mac_number(const u8 mac[6])
{
	u64 number = 0;
	int i;

	for (i = 0; i < 6; i++)
		number = number << 8 | mac[i];
	return number;
}

static void join(const char *label, const u8 *mac)
{
	char error[UMF_SEG_ERROR];
	struct umf_segment *seg;

	seg = umf_segment_join(port.name, label, error);
	if (IS_ERR(seg))
		fatal("%s", error);
	port.seg = seg;
	if (mac)
		umf_segment_publish(seg, mac_number(mac), 65521);
	else
		umf_segment_set_monitor(seg);
	umf_segment_rx_start(seg);
	umf_segment_set_up(seg, true);
	say("port %u of segment %s", umf_segment_port(seg), port.name);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "tap", required_argument, NULL, 't' },
		{ "write", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ }
	};
	const char *tap = NULL, *file = NULL;
	char label[UMF_SEG_LABEL];
	u8 mac[6];
	int opt, fd;

	while ((opt = getopt_long(argc, argv, "t:w:h", options, NULL)) != -1) {
		switch (opt) {
		case 't':
			tap = optarg;
			break;
		case 'w':
			file = optarg;
			break;
		case 'h':
			help();
			return PORT_DONE;
		case 'v':
			puts(NAME " of segment version " UMF_PORT_VERSION);
			return PORT_DONE;
		default:
			return PORT_USAGE;
		}
	}
	if (!tap == !file)
		usage(tap ? "--tap and -w exclude each other" :
			    "one of --tap and -w is needed");
	if (optind != argc - 1)
		usage(optind == argc ? "which segment?" :
				       "%s: one segment only", argv[argc - 1]);
	port.name = argv[optind];
	if (!*port.name || !strcmp(port.name, ".") || !strcmp(port.name, ".."))
		usage("'%s' is no name for a segment", port.name);

	catch_signals();
	if (tap) {
		fd = tap_open(tap, mac);
		snprintf(label, sizeof(label), "host/%s", tap);
		join(label, mac);
		tap_run(&port, fd, mac);
	} else {
		fd = watch_open(file);
		join("host/" NAME, NULL);
		watch_run(&port, fd, file);
	}
	umf_segment_leave(port.seg);
	return PORT_DONE;
}
