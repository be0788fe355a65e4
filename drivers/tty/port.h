/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tty/port_user.c: the host's side of the serial transports. Each returns 0 or
 * more, or -errno. Descriptors are non-blocking and close-on-exec.
 */
#ifndef __UMF_TTY_PORT_H
#define __UMF_TTY_PORT_H

/* A FIFO to be woken by, opened for reading only: it ends with its writers. */
int umf_tty_host_bell(int dir, const char *name);
/* Empties it; 1: it has no writer. */
int umf_tty_host_drain(int fd);

/* A new pty; its other end, in raw mode, is kept open in *@other. */
int umf_tty_host_pty(int *other, char *name, int len);
/* Is it open, and a stream that can wake us? Makes it ready for use. */
int umf_tty_host_take(int fd);
/* Is it open? Helpers do not inherit it; what a reboot makes of us does if @on. */
int umf_tty_host_inherit(int fd, int on);
/* Replaces a dead socket at @path, nothing else. */
int umf_tty_host_unix(const char *path);
int umf_tty_host_tcp(int port);		/* on 127.0.0.1 */
int umf_tty_host_accept(int fd);
void umf_tty_host_unlink(const char *path);

#endif /* __UMF_TTY_PORT_H */
