/* SPDX-License-Identifier: GPL-2.0 */
/*
 * umf-port: a program on the host as a port of a segment. The segment itself is
 * the guests' own code, drivers/net/segment/, and so is the port of a switch,
 * drivers/net/port/.
 */
#ifndef __UMF_PORT_H
#define __UMF_PORT_H

#include "host/host.h"
#include "net/segment/segment.h"

#define NAME		"umf-port"

enum port_exit {
	PORT_DONE	= 0,	/* it was told to end */
	PORT_FAILED	= 1,	/* no such segment, no such tap, nowhere to write */
	PORT_USAGE	= 2,
};

/* One line on stderr; fatal() also leaves the segment and ends. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Somebody wants us to end. */
extern volatile sig_atomic_t port_stop;

/* Ports' places in the folder's table, by the segment. */
struct port {
	struct umf_segment *seg;
	const char *name;		/* of the segment */
};

/*
 * Looks who came and who went, and buries who died. Called in every round; ports
 * that went are returned. @changed: some said so.
 */
u64 port_look_around(struct port *port, bool changed);

u64 mac_number(const u8 mac[6]);

/* ---- tap.c: a bridge to a tap device ---- */

int tap_open(const char *name, u8 mac[6]);
void tap_run(struct port *port, int fd, const u8 mac[6]);

/* ---- watch.c: everything on the segment as pcapng ---- */

int watch_open(const char *path);
void watch_run(struct port *port, int fd, const char *path);

#endif /* __UMF_PORT_H */
