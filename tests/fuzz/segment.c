// SPDX-License-Identifier: GPL-2.0
/*
 * Three ports of a segment as the driver has them, on real files, while the
 * input writes into the shared memory, truncates and removes files, and kills
 * ports between any two of their stores and host calls. What a port receives lies
 * within a ring, nothing hangs; and
 *
 *	as long as ports have only been killed, a frame gets from each of those
 *	that are left to each other, by nothing but the bells;
 *
 *	after all else a few rounds of the watch, and those that were killed
 *	joining again, make it so.
 *
 * A port looks for frames when its bell is readable, or its watch says so.
 *
 * A kill is a longjmp() out of the port's code: its descriptors are closed, and
 * with them its locks are gone, and what it had mapped is unmapped.
 *
 * The folder is a temporary one, $UMF_FUZZ_DIR or under /dev/shm.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <sys/stat.h>
#include "fuzz.h"
#include "shim.h"
#include "host/host.h"
#include "net/segment/priv.h"

#define PORTS	3
#define ROUNDS	8
#define FDS	256
#define MAPS	512

unsigned long fuzz_jiffies;

static char folder[256], error[UMF_SEG_ERROR];
static struct umf_segment *seg[PORTS];
/* Nothing but kills so far: bells are enough. */
static bool clean;

/* ---- what a port has of the host, and how it loses it ---- */

static int me = -1;			/* whose code is running */
static unsigned int steps;		/* until it is killed; 0: it is not */
static jmp_buf killed;
static int fd_owner[FDS];		/* port + 1 */
static struct {
	struct umf_host_map map;
	int owner;
} maps[MAPS];
static struct umf_segment *joining;

void fuzz_step(void)
{
	if (steps && !--steps)
		longjmp(killed, 1);
}

void *fuzz_alloc(size_t size)
{
	joining = calloc(1, size);
	return joining;
}

static int own(int fd)
{
	if (fd >= 0) {
		must(fd < FDS);
		fd_owner[fd] = me + 1;
	}
	return fd;
}

int fuzz_close(int fd)
{
	if (fd >= 0 && fd < FDS)
		fd_owner[fd] = 0;
	return close(fd);
}

#define WRAP(name, args, call)						\
	int __real_umf_host_##name args;				\
	int __wrap_umf_host_##name args;				\
	int __wrap_umf_host_##name args					\
	{								\
		fuzz_step();						\
		return __real_umf_host_##name call;			\
	}
#define WRAP_FD(name, args, call)					\
	int __real_umf_host_##name args;				\
	int __wrap_umf_host_##name args;				\
	int __wrap_umf_host_##name args					\
	{								\
		fuzz_step();						\
		return own(__real_umf_host_##name call);		\
	}

WRAP_FD(open, (int dir, const char *name, int create, int excl),
	(dir, name, create, excl))
WRAP_FD(open_dir, (const char *path, int nofollow), (path, nofollow))
WRAP_FD(bell_make, (int dir, const char *name), (dir, name))
WRAP_FD(bell_open, (int dir, const char *name), (dir, name))
WRAP(unlink, (int dir, const char *name), (dir, name))
WRAP(rename, (int dir, const char *from, const char *to), (dir, from, to))
WRAP(alloc, (int fd, unsigned long long size), (fd, size))
WRAP(lock, (int fd, unsigned long long at), (fd, at))
WRAP(unlock, (int fd, unsigned long long at), (fd, at))
WRAP(bell_ring, (int fd), (fd))
WRAP(map_replace, (struct umf_host_map *map, int fd), (map, fd))

int __real_umf_host_map(int fd, unsigned long len, struct umf_host_map *map);
int __wrap_umf_host_map(int fd, unsigned long len, struct umf_host_map *map);
void __real_umf_host_unmap(struct umf_host_map *map);
void __wrap_umf_host_unmap(struct umf_host_map *map);

int __wrap_umf_host_map(int fd, unsigned long len, struct umf_host_map *map)
{
	int err, i;

	fuzz_step();
	err = __real_umf_host_map(fd, len, map);
	for (i = 0; !err && i < MAPS; i++)
		if (!maps[i].map.addr) {
			maps[i].map = *map;
			maps[i].owner = me + 1;
			return 0;
		}
	must(err);
	return err;
}

void __wrap_umf_host_unmap(struct umf_host_map *map)
{
	int i;

	for (i = 0; i < MAPS; i++)
		if (map->addr && maps[i].map.addr == map->addr)
			maps[i].map.addr = NULL;
	__real_umf_host_unmap(map);
}

static void free_port(struct umf_segment *of)
{
	if (!of)
		return;
	free(of->file);
	free(of->path);
	free(of->name);
	free(of);
}

/* What the host's kernel does when the process of @i has died. */
static void bury(int i)
{
	int n;

	for (n = 0; n < FDS; n++)
		if (fd_owner[n] == i + 1)
			fuzz_close(n);
	for (n = 0; n < MAPS; n++)
		if (maps[n].map.addr && maps[n].owner == i + 1)
			__real_umf_host_unmap(&maps[n].map);
	if (joining != seg[i])
		free_port(joining);
	free_port(seg[i]);
	joining = NULL;
	seg[i] = NULL;
}

/* ---- a port ---- */

static void remove_all(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	must(!rmdir(folder) || errno == ENOENT);
}

static void make_folder(void)
{
	const char *base = getenv("UMF_FUZZ_DIR");

	if (*folder)
		return;
	snprintf(folder, sizeof(folder), "%s/umf-fuzz.XXXXXX", base ?: "/dev/shm");
	must(mkdtemp(folder));
	atexit(remove_all);
}

static void leave(int i)
{
	struct umf_segment *of = seg[i];

	me = i;
	if (!of)
		return;
	umf_segment_leave(of);
	seg[i] = NULL;
}

/* Whether the frame was handed over. */
static bool send(int i, unsigned int to, u32 len, u8 mark)
{
	struct umf_ring_rec *rec;

	me = i;
	if (umf_segment_tx_changed(seg[i]))
		umf_segment_tx_scan(seg[i]);
	if (umf_segment_reserve(seg[i], to, len, &rec))
		return false;
	memset(rec->vnet, 0, sizeof(rec->vnet));
	memset(rec + 1, mark, len);
	umf_segment_commit(seg[i], to, len);
	return true;
}

static bool rung(int i)
{
	struct pollfd bell = { umf_segment_bell(seg[i]), POLLIN, 0 };

	return poll(&bell, 1, 0) == 1;
}

/* How many frames came with that mark: NAPI. */
static int receive(int i, u8 mark)
{
	static u8 copy[UMF_FRAME_MAX];
	struct umf_ring_rec rec;
	unsigned int port, n;
	const u8 *data;
	int ret, marked = 0;

	me = i;
	umf_host_bell_drain(umf_segment_bell(seg[i]));
	do {
		umf_segment_rx_poll(seg[i]);
		for (n = 0; n < 1000; n++) {
			ret = umf_segment_rx_next(seg[i], &port, &rec, &data);
			if (!ret)
				break;
			if (ret < 0)
				continue;
			must(port < UMF_SEG_PORTS && rec.len <= UMF_FRAME_MAX);
			if (rec.len) {
				memcpy(copy, data, rec.len);
				marked += copy[0] == mark && rec.len == 64;
			}
			umf_segment_rx_done(seg[i], port, rec.len);
		}
	} while (n < 1000 && !umf_segment_rx_sleep(seg[i]));
	return marked;
}

static bool join(int i)
{
	struct umf_segment *of;
	char label[16];

	me = i;
	snprintf(label, sizeof(label), "p%d/eth0", i);
	of = umf_segment_join(folder, label, error);
	joining = NULL;
	if (IS_ERR(of)) {
		must(*error);
		return false;
	}
	seg[i] = of;
	umf_segment_publish(of, 0x020000000001ULL + i, 1500);
	umf_segment_rx_start(of);
	umf_segment_set_up(of, true);
	receive(i, 0);
	return true;
}

static int receive_if_rung(int i, u8 mark)
{
	return rung(i) ? receive(i, mark) : 0;
}

/* A round of the driver's watch. */
static void watch(int i)
{
	struct umf_segment *fresh;

	me = i;
	if (umf_segment_rx_pending(seg[i]))
		receive(i, 0);
	umf_segment_check(seg[i]);
	if (umf_segment_lost(seg[i])) {
		fresh = umf_segment_rejoin(seg[i]);
		joining = NULL;
		if (!IS_ERR(fresh))
			umf_segment_adopt(seg[i], fresh);
	}
	umf_segment_tx_scan(seg[i]);
}

/* ---- what the input does ---- */

/* Writes from the input to a file of the segment, where @where says. */
static void scribble(struct input *in, const char *name, u32 where)
{
	u8 bytes[16];
	u32 len = take_u32(in, 1) % sizeof(bytes) + 1;
	char path[300];
	struct stat st;
	int fd;

	clean = false;
	take(in, bytes, len);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDWR);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && st.st_size > (off_t)len)
		must(pwrite(fd, bytes, len, where % (st.st_size - len)) == (ssize_t)len);
	close(fd);
}

static void resize(const char *name, u32 size, bool and_back)
{
	char path[300];
	struct stat st;

	clean = false;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (stat(path, &st))
		return;
	must(!truncate(path, size));
	if (and_back)
		must(!truncate(path, st.st_size));
}

static void cut(struct input *in, int i, bool none)
{
	u64 table[UMF_SEG_PORTS] = { 0 };
	u32 n = none ? 0 : take_u32(in, 1) % 4;

	me = i;
	while (n--)
		table[take_u32(in, 1) % UMF_SEG_PORTS] = take_u32(in, 4);
	if (umf_segment_trylock(seg[i]))
		return;
	umf_segment_cut(seg[i], table);
	umf_segment_unlock(seg[i]);
}

/* Something that a port does, all of it or up to its death. */
static void act(struct input *in, u32 op, int i)
{
	switch (op % 9) {
	case 0:
	case 1:
	case 2:
		send(i, take_u32(in, 1) % (PORTS + 1),
		     take_u32(in, op % 9 == 2 ? 3 : 2), 1);
		break;
	case 3:
	case 4:
		receive(i, 0);
		break;
	case 5:
		watch(i);
		break;
	case 6:
		clean = false;
		cut(in, i, false);
		break;
	case 7:
		clean = false;
		me = i;
		umf_segment_set_up(seg[i], take_u32(in, 1) & 1);
		umf_segment_forget(seg[i]);
		umf_segment_rx_forgotten(seg[i]);
		break;
	case 8:
		leave(i);
		break;
	}
}

static void one(struct input *in)
{
	static const char *const files[] = {
		"ring-00-01", "ring-01-00", "ring-02-00", "segment"
	};
	u32 op = take_u32(in, 1);
	volatile int i = op / 64 % PORTS;

	switch (op % 8) {
	case 0:		/* the header, or the slots of these and one more */
		op = take_u32(in, 1);
		scribble(in, "segment", op & 1 ? op * 8 :
			 UMF_SEG_PAGE * (1 + op / 2 % 4) +
			 take_u32(in, 2) % 1200);
		break;
	case 1:
		scribble(in, files[op / 8 % 3],
			 op & 64 ? take_u32(in, 1) * 4 : take_u32(in, 3));
		break;
	case 2:
		if (op & 128)
			break;
		resize(files[op / 8 % 4], take_u32(in, 2) * 8, op & 64);
		break;
	default:
		if (!seg[i] && op & 8) {
			/* a header that is refused stops all */
			if (!join(i))
				in->at = in->end;
			break;
		}
		if (op & 16)
			steps = take_u32(in, 1);
		if (setjmp(killed)) {
			bury(i);
		} else if (!seg[i]) {
			if (!join(i))
				in->at = in->end;
		} else {
			act(in, take_u32(in, 1), i);
		}
		steps = 0;
		joining = NULL;
	}
}

/* One frame, of which nothing tells the receiver but its bell. */
static bool crosses(int from, int to, int tries)
{
	int n;

	for (n = 0; n < tries; n++) {
		receive_if_rung(to, 0);
		if (send(from, umf_segment_port(seg[to]), 64, 0xa5) &&
		    receive_if_rung(to, 0xa5))
			return true;
		/* the ring or the queue was full, or its port dead just now */
		watch(from);
		fuzz_jiffies += HZ;
	}
	return false;
}

/* The rounds of a watch; then all reach each other. */
static void heal(void)
{
	struct input none = { 0 };
	int i, j, n;

	for (n = 0; n < ROUNDS; n++) {
		for (i = 0; i < PORTS; i++) {
			if (!seg[i]) {
				join(i);
				continue;
			}
			cut(&none, i, true);
			umf_segment_set_up(seg[i], true);
			watch(i);
		}
		fuzz_jiffies += HZ;
	}
	for (i = 0; i < PORTS; i++)
		for (j = 0; j < PORTS; j++) {
			if (i == j || !seg[i] || !seg[j])
				continue;
			/* a ring that was broken is found with the first ones */
			for (n = 0; n < ROUNDS && !crosses(i, j, 2); n++)
				watch(j);
			must(n < ROUNDS);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	int i, j;

	make_folder();
	clean = true;
	for (i = 0; i < PORTS; i++)
		must(join(i));
	/* They have been told of each other, and sleep. */
	for (i = 0; i < PORTS; i++)
		receive_if_rung(i, 0);
	while (in.at < in.end)
		one(&in);
	for (i = 0; clean && i < PORTS; i++)
		for (j = 0; j < PORTS; j++)
			if (i != j && seg[i] && seg[j])
				must(crosses(i, j, 1));
	heal();
	for (i = 0; i < PORTS; i++)
		leave(i);
	/* What is left of a header that was written over. */
	remove_all();
	must(!mkdir(folder, 0700));
	return 0;
}
