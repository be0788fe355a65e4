/* SPDX-License-Identifier: GPL-2.0 */
/* The host's side of a capture's file (capture/host_user.c). All return -errno. */
#ifndef __UMF_CAPTURE_USER_H
#define __UMF_CAPTURE_USER_H

/* Opens and locks it, and makes it empty if it is a file. -ESPIPE: else, @file. */
int umf_capture_host_open(const char *path, int file);
int umf_capture_host_write(int fd, const void *from, int len);
/* Waits until more can be written. */
void umf_capture_host_wait(int fd, int ms);
/* Cuts the last @len bytes off, if it is a file. */
void umf_capture_host_trim(int fd, int len);
void umf_capture_host_close(int fd);
const char *umf_capture_host_error(int err);

#endif /* __UMF_CAPTURE_USER_H */
