// SPDX-License-Identifier: GPL-2.0
/*
 * `freeze --lose`: what is sent to a frozen guest is lost, as if nobody listened
 * at its switch ports, instead of waiting in its rings and at its senders.
 *
 * The slot of each of its ports (drivers/net/ring.h) says FROZEN instead of UP
 * meanwhile, to which nobody sends; only the port itself would write there, and
 * that is stopped. Nothing must be remembered: thaw makes UP of FROZEN, and a
 * guest that somebody else lets go on repairs its slot itself.
 *
 * A guest's ports are found by the segments that it has open: it may have more
 * than the lab file says.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"
#include "net/ring.h"

static off_t slot_at(unsigned int port, size_t field)
{
	return UMF_SEG_PAGE * (1 + (off_t)port) + field;
}

static u32 read_u32(int fd, off_t at)
{
	u32 value;

	return pread(fd, &value, sizeof(value), at) == sizeof(value) ? value : 0;
}

/* On tmpfs, and in one piece: who has it mapped sees it. */
static bool write_u32(int fd, off_t at, u32 value)
{
	return pwrite(fd, &value, sizeof(value), at) == sizeof(value);
}

static bool is_segment(int fd)
{
	struct umf_seg_header head;
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	       st.st_size == UMF_SEG_SIZE &&
	       pread(fd, &head, sizeof(head), 0) == sizeof(head) &&
	       head.magic == UMF_SEG_MAGIC && head.version == UMF_SEG_VERSION &&
	       head.ports == UMF_SEG_PORTS && head.page == UMF_SEG_PAGE;
}

/* The guest's ports on that segment; the others look again before they send. */
static bool set_ports(int fd, const struct process *p, u32 from, u32 to)
{
	bool any = false, ok = true;
	unsigned int i;
	off_t state;

	for (i = 0; i < UMF_SEG_PORTS; i++) {
		state = slot_at(i, offsetof(struct umf_seg_port, state));
		if (read_u32(fd, slot_at(i, offsetof(struct umf_seg_port, pid))) !=
		    (u32)p->pid || read_u32(fd, state) != from)
			continue;
		ok = write_u32(fd, state, to) && ok;
		any = true;
	}
	for (i = 0; any && i < UMF_SEG_PORTS; i++)
		ok = write_u32(fd, slot_at(i, offsetof(struct umf_seg_port,
						       changed_tx)), 1) && ok;
	return ok;
}

static bool set_state(const struct process *p, u32 from, u32 to)
{
	char *path = xasprintf("/proc/%d/fd", p->pid), *name, target[4096];
	DIR *dir = opendir(path);
	struct dirent *ent;
	bool ok = dir;
	ssize_t n;
	int fd;

	while (dir && (ent = readdir(dir))) {
		n = readlinkat(dirfd(dir), ent->d_name, target,
			       sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		name = strrchr(target, '/');
		if (!name || strncmp(name, "/segment", strlen("/segment")))
			continue;
		fd = openat(dirfd(dir), ent->d_name, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (is_segment(fd))
			ok = set_ports(fd, p, from, to) && ok;
		close(fd);
	}
	if (dir)
		closedir(dir);
	free(path);
	return ok;
}

bool lose_begin(const struct process *p)
{
	return set_state(p, UMF_PORT_UP, UMF_PORT_FROZEN);
}

bool lose_end(const struct process *p)
{
	return set_state(p, UMF_PORT_FROZEN, UMF_PORT_UP);
}
