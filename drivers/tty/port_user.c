// SPDX-License-Identifier: GPL-2.0
/* The host calls the serial transports are made of. No policy here. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <os.h>
#include "tty/port.h"

int umf_tty_host_bell(int dir, const char *name)
{
	int fd;

	if (mkfifoat(dir, name, 0600) < 0)
		return -errno;
	fd = openat64(dir, name,
		      O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int umf_tty_host_drain(int fd)
{
	char buf[64];
	int n;

	/* To its end: what was rung last and that may have woken us together. */
	do {
		CATCH_EINTR(n = read(fd, buf, sizeof(buf)));
	} while (n > 0);
	return n == 0;
}

int umf_tty_host_pty(int *other, char *name, int len)
{
	int fd, err;

	fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (grantpt(fd) < 0 || unlockpt(fd) < 0) {
		err = -errno;
		goto out;
	}
	err = -ptsname_r(fd, name, len);
	if (err)
		goto out;
	*other = open64(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (*other < 0) {
		err = -errno;
		goto out;
	}
	err = raw(*other);
	if (!err)
		return fd;
	close(*other);
out:
	close(fd);
	return err;
}

int umf_tty_host_take(int fd)
{
	struct stat64 st;
	int flags;

	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fstat64(fd, &st) < 0)
		return -errno;
	/* What cannot wake us is of no use. */
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode))
		return -EINVAL;
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	if (isatty(fd))
		raw(fd);
	return fd;
}

int umf_tty_host_inherit(int fd, int on)
{
	return fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC) < 0 ? -errno : 0;
}

/* Is a socket at that address, and nobody behind it? */
static int is_dead(const struct sockaddr_un *addr)
{
	struct stat64 st;
	int fd, err;

	if (lstat64(addr->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return 0;
	err = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ?
	      errno : 0;
	close(fd);
	return err == ECONNREFUSED;
}

static int start_listening(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (fd < 0)
		return -errno;
	if (bind(fd, addr, len) < 0 || listen(fd, 4) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int umf_tty_host_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	if (is_dead(&addr))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return start_listening(fd, (struct sockaddr *)&addr, sizeof(addr));
}

int umf_tty_host_tcp(int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd, on = 1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return start_listening(fd, (struct sockaddr *)&addr, sizeof(addr));
}

int umf_tty_host_accept(int fd)
{
	int new, on = 1;

	CATCH_EINTR(new = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	if (new < 0)
		return -errno;
	/* fails on a unix socket, and need not succeed there */
	setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return new;
}

void umf_tty_host_unlink(const char *path)
{
	unlink(path);
}
