// SPDX-License-Identifier: GPL-2.0
/* Sockets of other processes. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <os.h>
#include "host/host.h"

int umf_host_is_bound(const void *addr, unsigned int len)
{
	int fd, gone;

	/* Who has no address cannot be asked for. */
	if (len <= sizeof(sa_family_t))
		return 1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 1;
	/* -EPERM is from one that is there and takes only what its peer sends. */
	gone = connect(fd, addr, len) < 0 &&
		(errno == ECONNREFUSED || errno == ENOENT);
	close(fd);
	return !gone;
}
