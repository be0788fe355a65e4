// SPDX-License-Identifier: GPL-2.0
/*
 * The folder of a segment: who may use it, the names in it, and the join lock.
 *
 * The folder and, for a bare name, the one above it are made when they are first
 * needed and removed by the last port that leaves, if it was ports that made
 * them. They are their user's alone: who could write there could take down every
 * guest on the segment.
 *
 * The join lock is byte 0 of `segment` (net/ring.h). Between opening that file
 * and locking it the last port may remove it: who holds the lock of a file that
 * has no name any more begins again.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/time-internal.h>
#include <asm/sync_bitops.h>
#include <os.h>
#include "host/host.h"
#include "net/segment/priv.h"

#define JOIN_MS		2000	/* of the host, until a join lock is said to be busy */

void umf_seg_ring_name(char *name, unsigned int from, unsigned int to)
{
	snprintf(name, UMF_SEG_NAME, "ring-%02u-%02u", from, to);
}

void umf_seg_grow_name(char *name, unsigned int from, unsigned int to)
{
	snprintf(name, UMF_SEG_NAME, "grow-%02u-%02u", from, to);
}

void umf_seg_bell_name(char *name, unsigned int port)
{
	snprintf(name, UMF_SEG_NAME, "port-%02u.bell", port);
}

/* Files of one port, or of all. */
struct removal {
	int dir;
	unsigned int port;	/* UMF_SEG_PORTS: all */
};

static bool is_port_file(const char *name, unsigned int port)
{
	bool all = port == UMF_SEG_PORTS;
	unsigned int from, to;
	char end;

	if (sscanf(name, "ring-%u-%u%c", &from, &to, &end) == 2)
		return all || from == port || to == port;
	if (sscanf(name, "grow-%u-%u%c", &from, &to, &end) == 2)
		return all || from == port;
	return sscanf(name, "port-%u.bel%c", &from, &end) == 2 && end == 'l' &&
	       (all || from == port);
}

static void remove_name(void *with, const char *name)
{
	const struct removal *removal = with;

	if (is_port_file(name, removal->port))
		umf_host_unlink(removal->dir, name);
}

void umf_seg_remove_port(int dir, unsigned int port)
{
	struct removal removal = { dir, port };

	umf_host_each(dir, remove_name, &removal);
}

static int check_owner(int fd, const char *path, char *error)
{
	struct umf_host_info info;
	int err = umf_host_info(fd, &info);

	if (err) {
		snprintf(error, UMF_SEG_ERROR, "%s: error %d", path, err);
		return err;
	}
	if (info.uid != umf_host_uid()) {
		snprintf(error, UMF_SEG_ERROR,
			 "%s is another user's segment (uid %u)",
			 path, info.uid);
		return -EPERM;
	}
	if (info.mode & 022) {
		snprintf(error, UMF_SEG_ERROR,
			 "%s can be written by other users (mode %03o); chmod 700 it",
			 path, info.mode & 0777);
		return -EPERM;
	}
	return 0;
}

/*
 * Opens a folder that is to be ours, and makes it first if need be. -ESTALE: it
 * was there, and its last port has just removed it.
 */
static int open_folder(const char *path, bool nofollow, bool *made, char *error)
{
	int fd, err;

	err = umf_host_mkdir(path);
	*made = !err;
	if (err && err != -EEXIST) {
		snprintf(error, UMF_SEG_ERROR, "cannot make the folder %s (error %d)",
			 path, err);
		return err;
	}
	fd = umf_host_open_dir(path, nofollow);
	if (fd == -ENOENT)
		return -ESTALE;
	if (fd < 0) {
		snprintf(error, UMF_SEG_ERROR, "cannot open the folder %s (error %d)",
			 path, fd);
		return fd;
	}
	err = check_owner(fd, path, error);
	if (err) {
		os_close_file(fd);
		return err;
	}
	return fd;
}

bool umf_seg_set_path(struct umf_segment *seg, const char *name)
{
	seg->name = kstrdup(name, GFP_KERNEL);
	seg->bare = !strchr(name, '/');
	if (seg->bare)
		seg->path = kasprintf(GFP_KERNEL, "/dev/shm/umf-%u/%s",
				      umf_host_uid(), name);
	else
		seg->path = kstrdup(name, GFP_KERNEL);
	if (seg->path)
		seg->file = kasprintf(GFP_KERNEL, "%s/segment", seg->path);
	return seg->name && seg->file;
}

/* "/dev/shm/umf-1000" of "/dev/shm/umf-1000/lan" is ours to make as well. */
static int open_parent(const char *path, char *error)
{
	char *parent = kstrndup(path, strrchr(path, '/') - path, GFP_KERNEL);
	bool made;
	int fd;

	if (!parent)
		return -ENOMEM;
	/* Who else may write in /dev/shm does not say where ours is. */
	fd = open_folder(parent, true, &made, error);
	kfree(parent);
	if (fd < 0)
		return fd;
	os_close_file(fd);
	return 0;
}

/*
 * The join lock: held for moments, unless its holder is stopped. To the host we
 * are one owner, whoever of us asks: that is what the bit is for.
 */
int umf_seg_trylock(struct umf_segment *seg)
{
	int err;

	if (test_and_set_bit_lock(0, &seg->locked))
		return -EAGAIN;
	err = umf_host_lock(seg->fd, UMF_SEG_LOCK_JOIN);
	if (err)
		clear_bit_unlock(0, &seg->locked);
	return err;
}

/* A guest whose time is not the host's does not wait by its own. */
static void wait_a_ms(bool sleep)
{
	if (sleep && time_travel_mode == TT_MODE_OFF)
		usleep_range(800, 1200);
	else
		umf_host_nap();
}

int umf_seg_lock(struct umf_segment *seg, bool sleep)
{
	unsigned long long end = umf_host_ms() + JOIN_MS;
	int err;

	for (;;) {
		err = umf_seg_trylock(seg);
		if (err != -EAGAIN)
			return err;
		if (umf_host_ms() >= end)
			return -EBUSY;
		wait_a_ms(sleep);
	}
}

void umf_seg_unlock(struct umf_segment *seg)
{
	umf_host_unlock(seg->fd, UMF_SEG_LOCK_JOIN);
	clear_bit_unlock(0, &seg->locked);
}

/*
 * Opens the file `segment` with the join lock held. It may be removed between
 * the two by the last port that leaves, and then the folder as well: -ESTALE.
 */
static int open_file(struct umf_segment *seg, char *error)
{
	struct umf_host_info info;
	int err;

	seg->fd = umf_host_open(seg->dir, "segment", 1, 0);
	if (seg->fd == -ENOENT)
		return -ESTALE;
	if (seg->fd < 0) {
		snprintf(error, UMF_SEG_ERROR, "cannot make %s/segment (error %d)",
			 seg->path, seg->fd);
		return seg->fd;
	}
	err = umf_seg_lock(seg, true);
	if (!err)
		err = umf_host_info(seg->fd, &info);
	if (err == -EBUSY) {
		snprintf(error, UMF_SEG_ERROR,
			 "%s is busy: a port is stopped while it joins or leaves",
			 seg->path);
		return err;
	}
	if (err) {
		snprintf(error, UMF_SEG_ERROR, "cannot lock %s/segment (error %d)",
			 seg->path, err);
		return err;
	}
	return info.nlink ? 0 : -ESTALE;
}

int umf_seg_open(struct umf_segment *seg, bool *made, char *error)
{
	int err;

	if (seg->bare) {
		err = open_parent(seg->path, error);
		if (err)
			return err;
	}
	seg->dir = open_folder(seg->path, seg->bare, made, error);
	if (seg->dir < 0)
		return seg->dir == -ENOENT && seg->bare ? -ESTALE : seg->dir;
	return open_file(seg, error);
}

void umf_seg_remove_folder(struct umf_segment *seg)
{
	char *last = strrchr(seg->path, '/');

	if (umf_host_rmdir(seg->path) || !seg->bare)
		return;
	*last = '\0';
	umf_host_rmdir(seg->path);
	*last = '/';
}

void umf_seg_remove_all(struct umf_segment *seg)
{
	umf_seg_remove_port(seg->dir, UMF_SEG_PORTS);
	umf_host_unlink(seg->dir, "segment");
	if (seg->made_dir)
		umf_seg_remove_folder(seg);
}

static bool same_file(const struct umf_host_info *a,
		      const struct umf_host_info *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

bool umf_seg_file_named(const struct umf_segment *seg)
{
	struct umf_host_info own, named;

	return !umf_host_info(seg->fd, &own) &&
	       !umf_host_info_at(seg->dir, "segment", &named) &&
	       same_file(&own, &named);
}

bool umf_seg_file_truncated(const struct umf_segment *seg)
{
	struct umf_host_info own;

	return umf_seg_is_gone(&seg->map) ||
	       (!umf_host_info(seg->fd, &own) && own.size != UMF_SEG_SIZE);
}

/* The folder may have been moved: then there is nothing where it was. */
const char *umf_seg_file_lost(const struct umf_segment *seg)
{
	struct umf_host_info own, named;

	if (umf_seg_file_truncated(seg))
		return "truncated";
	if (umf_host_info(seg->fd, &own))
		return NULL;
	if (!umf_seg_file_named(seg) ||
	    (!umf_host_info_at(-1, seg->file, &named) &&
	     !same_file(&own, &named)))
		return "removed";
	return NULL;
}

bool umf_seg_others_alive(const struct umf_segment *seg)
{
	return umf_host_locked(seg->fd, UMF_SEG_LOCK_PORT, UMF_SEG_PORTS) != 0;
}

