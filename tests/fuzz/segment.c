// SPDX-License-Identifier: GPL-2.0
/*
 * Two ports of a segment as the driver has them, on real files, while the input
 * writes into the shared memory: into the header, the slots and the rings. What
 * a port receives lies within a ring, nothing hangs; and once the writing has
 * stopped, a few rounds of the watch later a frame gets from each to the other.
 *
 * The folder is a temporary one, $UMF_FUZZ_DIR or under /dev/shm.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include "fuzz.h"
#include "shim.h"
#include "net_segment.h"

#define PORTS	2
#define ROUNDS	8
#define FILES	4	/* slots that are ever taken */

unsigned long fuzz_jiffies;

static char folder[256], error[UMF_SEG_ERROR];
static struct umf_segment *seg[PORTS];

/*
 * Most of the time would go into removing files that never were: net_segment.c
 * calls this instead, and only the first ports ever have any.
 */
#undef umf_host_unlink
int umf_host_unlink(int dir, const char *name);

int fuzz_unlink(int dir, const char *name)
{
	unsigned int a = 0, b = 0;

	if (sscanf(name, "ring-%u-%u", &a, &b) < 1 &&
	    sscanf(name, "grow-%u-%u", &a, &b) < 1)
		sscanf(name, "port-%u", &a);
	return a < FILES && b < FILES ? umf_host_unlink(dir, name) : -ENOENT;
}

static void remove_all(void)
{
	char path[300];
	int i, j;

	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/port-%02d.bell", folder, i);
		unlink(path);
		for (j = 0; j < FILES; j++) {
			snprintf(path, sizeof(path), "%s/ring-%02d-%02d",
				 folder, i, j);
			unlink(path);
		}
	}
	snprintf(path, sizeof(path), "%s/segment", folder);
	unlink(path);
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

static bool join(int i)
{
	char label[16];

	snprintf(label, sizeof(label), "p%d/eth0", i);
	seg[i] = umf_segment_join(folder, label, error);
	if (IS_ERR(seg[i])) {
		must(*error);
		seg[i] = NULL;
		return false;
	}
	umf_segment_publish(seg[i], 0x020000000001ULL + i, 1500);
	umf_segment_rx_start(seg[i]);
	umf_segment_set_up(seg[i], true);
	return true;
}

static void leave(int i)
{
	if (seg[i])
		umf_segment_leave(seg[i]);
	seg[i] = NULL;
}

/* Whether the frame was handed over. */
static bool send(int i, unsigned int to, u32 len, u8 mark)
{
	struct umf_ring_rec *rec;

	if (umf_segment_tx_changed(seg[i]))
		umf_segment_tx_scan(seg[i]);
	if (umf_segment_reserve(seg[i], to, len, &rec))
		return false;
	memset(rec->vnet, 0, sizeof(rec->vnet));
	memset(rec + 1, mark, len);
	umf_segment_commit(seg[i], to, len);
	return true;
}

/* How many frames came with that mark. */
static int receive(int i, u8 mark)
{
	struct umf_ring_rec rec;
	unsigned int port, n;
	const u8 *data;
	int ret, marked = 0;

	umf_host_bell_drain(umf_segment_bell(seg[i]));
	umf_segment_rx_poll(seg[i]);
	for (n = 0; n < 1000; n++) {
		ret = umf_segment_rx_next(seg[i], &port, &rec, &data);
		if (!ret)
			break;
		if (ret < 0)
			continue;
		must(port < UMF_SEG_PORTS && rec.len <= UMF_FRAME_MAX);
		if (rec.len) {
			static u8 copy[UMF_FRAME_MAX];

			memcpy(copy, data, rec.len);
			marked += copy[0] == mark && rec.len == 64;
		}
		umf_segment_rx_done(seg[i], port, rec.len);
	}
	umf_segment_rx_sleep(seg[i]);
	return marked;
}

/* Writes from the input to a file of the segment, where @where says. */
static void scribble(struct input *in, const char *name, u32 where)
{
	u8 bytes[16];
	u32 len = take_u32(in, 1) % sizeof(bytes) + 1;
	char path[300];
	struct stat st;
	int fd;

	take(in, bytes, len);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDWR);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && st.st_size > (off_t)len)
		must(pwrite(fd, bytes, len, where % (st.st_size - len)) == (ssize_t)len);
	close(fd);
}

static void cut(struct input *in, int i, bool none)
{
	u64 table[UMF_SEG_PORTS] = { 0 };
	u32 n = none ? 0 : take_u32(in, 1) % 4;

	while (n--)
		table[take_u32(in, 1) % UMF_SEG_PORTS] = take_u32(in, 4);
	if (umf_segment_trylock(seg[i]))
		return;
	umf_segment_cut(seg[i], table);
	umf_segment_unlock(seg[i]);
}

static void one(struct input *in)
{
	u32 op = take_u32(in, 1), i = op >> 7 & 1;
	static const char *const rings[] = { "ring-00-01", "ring-01-00" };

	switch (op % 12) {
	case 0:
	case 1:
		send(i, take_u32(in, 1) % 3, take_u32(in, 3), 1);
		break;
	case 2:
		receive(i, 0);
		break;
	case 3:		/* the header */
		scribble(in, "segment", take_u32(in, 1) * 8);
		break;
	case 4:		/* the slots of these two, and one more */
		scribble(in, "segment", UMF_SEG_PAGE * (1 + take_u32(in, 1) % 3) +
					take_u32(in, 2) % 1200);
		break;
	case 5:
		scribble(in, rings[i], take_u32(in, 1) * 4);
		break;
	case 6:
		scribble(in, rings[i], take_u32(in, 3));
		break;
	case 7:
		umf_segment_check(seg[i]);
		umf_segment_tx_scan(seg[i]);
		break;
	case 8:
		cut(in, i, false);
		break;
	case 9:
		umf_segment_set_up(seg[i], op & 64);
		break;
	case 10:
		umf_segment_forget(seg[i]);
		umf_segment_rx_forgotten(seg[!i]);
		break;
	case 11:
		leave(i);
		/* a header that is refused stops all */
		if (!join(i))
			in->at = in->end;
		break;
	}
}

/* The rounds of a watch; then both reach each other. */
static void heal(void)
{
	int i, n, got = 0;
	struct input none = { 0 };

	for (n = 0; n < ROUNDS; n++) {
		for (i = 0; i < PORTS; i++) {
			cut(&none, i, true);
			umf_segment_set_up(seg[i], true);
			umf_segment_check(seg[i]);
			umf_segment_tx_scan(seg[i]);
			receive(i, 0);
		}
		fuzz_jiffies += HZ;
	}
	for (i = 0; i < PORTS; i++) {
		/* a ring that was broken is found with the first ones */
		for (n = 0, got = 0; n < ROUNDS && !got; n++) {
			send(i, umf_segment_port(seg[!i]), 64, 0xa5);
			got = receive(!i, 0xa5);
		}
		must(got);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	int i;

	make_folder();
	must(join(0) && join(1));
	while (in.at < in.end)
		one(&in);
	if (seg[0] && seg[1])
		heal();
	for (i = 0; i < PORTS; i++)
		leave(i);
	/* What is left of a header that was written over. */
	remove_all();
	must(!mkdir(folder, 0700));
	return 0;
}
