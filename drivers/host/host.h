/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's side of what several rooms keep there: folders, files, locks,
 * mappings, bells and sockets. Plain libc; each returns 0 or more, or -errno. No policy here.
 */
#ifndef __UMF_HOST_H
#define __UMF_HOST_H

/* ---- file_user.c ---- */

struct umf_host_info {
	unsigned long long size, dev, ino;
	unsigned int uid, mode, nlink;
};

const char *umf_host_error(int err);		/* what -errno means */
unsigned int umf_host_uid(void);
int umf_host_mkdir(const char *path);		/* mode 0700 */
int umf_host_rmdir(const char *path);
/* With @nofollow, not through a symbolic link in the last place. */
int umf_host_open_dir(const char *path, int nofollow);
/* Calls @fn for each name there, which it may remove. */
int umf_host_each(int dir, void (*fn)(void *with, const char *name),
		  void *with);
int umf_host_info(int fd, struct umf_host_info *info);
/* Of @name, which is relative to the folder @dir, or to nothing: -1. */
int umf_host_info_at(int dir, const char *name, struct umf_host_info *info);
/* From now on @to is what @from is, close-on-exec. Both stay open. */
int umf_host_dup_over(int from, int to);
/* Read-write, close-on-exec, mode 0600, no symlink; made when @create. */
int umf_host_open(int dir, const char *name, int create, int excl);
int umf_host_unlink(int dir, const char *name);
int umf_host_rename(int dir, const char *from, const char *to);
/* Sets the size and gets all of it from the file system, or fails. */
int umf_host_alloc(int fd, unsigned long long size);

/* ---- lock_user.c ---- */

/* An exclusive OFD lock on one byte, or -EAGAIN at once. */
int umf_host_lock(int fd, unsigned long long at);
int umf_host_unlock(int fd, unsigned long long at);
/* Is a byte of @len from @at locked by another open file? */
int umf_host_locked(int fd, unsigned long long at, unsigned long long len);

/* The host's time, ms, whatever the guest's is; and a millisecond of it. */
unsigned long long umf_host_ms(void);
void umf_host_nap(void);

/* ---- map_user.c ---- */

/*
 * Shared, read and written. Once some part of the file is not there any more,
 * an access to it finds zeroes that nobody else sees, and *gone is not 0.
 */
struct umf_host_map {
	void *addr;		/* NULL: none */
	unsigned long len;
	const int *gone;
};

int umf_host_map(int fd, unsigned long len, struct umf_host_map *map);
/* At the same address, for those who read there just now, is another file. */
int umf_host_map_replace(struct umf_host_map *map, int fd);
void umf_host_unmap(struct umf_host_map *map);

/* ---- bell_user.c ---- */

int umf_host_bell_make(int dir, const char *name);	/* the receiver's fd */
int umf_host_bell_open(int dir, const char *name);	/* a sender's fd */
int umf_host_bell_ring(int fd);		/* -EPIPE: nobody listens any more */
void umf_host_bell_drain(int fd);

/* ---- socket_user.c ---- */

/* Does a datagram socket listen at @addr, a struct sockaddr_un of @len bytes? */
int umf_host_is_bound(const void *addr, unsigned int len);

#endif /* __UMF_HOST_H */
