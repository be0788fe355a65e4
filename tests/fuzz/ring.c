// SPDX-License-Identifier: GPL-2.0
/*
 * Both ends of a ring, whose memory anybody may write at any time. What is read
 * lies within the ring, whatever is in it; as long as nobody wrote, what is sent
 * arrives, in order and whole.
 */
#include "fuzz.h"
#include "shim.h"
#include "net/ring.h"

unsigned long fuzz_jiffies;

#define SIZE	8192		/* smaller than a real one: it wraps sooner */
#define QUEUE	1024

static u32 sent[QUEUE], sent_head, sent_tail;

static u8 pattern(u32 n, u32 i)
{
	return n * 31 + i;
}

static void send(struct umf_ring_tx *tx, u32 len, bool honest)
{
	struct umf_ring_rec *rec;
	u8 *bytes;
	u32 i;

	if (umf_ring_reserve(tx, len, &rec))
		return;
	bytes = (u8 *)(rec + 1);
	must((u8 *)rec >= tx->sh->data);
	must(bytes + len <= tx->sh->data + SIZE);
	for (i = 0; i < len; i++)
		bytes[i] = pattern(sent_head, i);
	umf_ring_commit(tx, len);
	if (honest) {
		must(sent_head - sent_tail < QUEUE);
		sent[sent_head++ % QUEUE] = len;
	}
}

static bool receive(struct umf_ring_rx *rx, bool honest)
{
	struct umf_ring_rec rec;
	const u8 *bytes;
	u32 i, sum = 0;
	int ret = umf_ring_peek(rx, &rec, &bytes);

	if (honest)
		must(ret == (sent_head != sent_tail));
	if (ret != 1)
		return ret == 0;
	must(rec.len <= UMF_FRAME_MAX);
	must(bytes >= rx->sh->data);
	must(bytes + rec.len <= rx->sh->data + SIZE);
	for (i = 0; i < rec.len; i++)
		sum += bytes[i];
	if (honest) {
		must(rec.len == sent[sent_tail % QUEUE]);
		for (i = 0; i < rec.len; i++)
			must(bytes[i] == pattern(sent_tail, i));
		sent_tail++;
	}
	umf_ring_consume(rx, rec.len);
	__asm__ volatile("" : : "r"(sum));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct umf_ring_shared *sh = NULL;
	struct input in = { data, data + size };
	struct umf_ring_tx tx = { .size = SIZE };
	struct umf_ring_rx rx = { .size = SIZE };
	struct umf_ring_rec rec;
	bool honest = true;
	u32 at;

	if (posix_memalign((void **)&sh, UMF_SEG_PAGE, sizeof(*sh) + SIZE))
		return 0;
	memset(sh, 0, sizeof(*sh) + SIZE);
	tx.sh = sh;
	rx.sh = sh;
	/* anywhere: the indices run free */
	tx.head = take_u32(&in, 4) & ~(u32)(UMF_RING_ALIGN - 1);
	rx.tail = tx.head;
	sh->head = tx.head;
	sh->tail = tx.head;
	sent_head = 0;
	sent_tail = 0;
	while (in.at < in.end) {
		switch (take_u32(&in, 1) % 8) {
		case 0:
		case 1:
			send(&tx, take_u32(&in, 2) % 3000, honest);
			break;
		case 2:
			send(&tx, take_u32(&in, 3), honest);
			break;
		case 3:
		case 4:
			if (!receive(&rx, honest))
				goto out;
			break;
		case 5:		/* the indices: mostly such as could be */
			honest = false;
			at = take_u32(&in, 1);
			if (at < 16)
				sh->head = take_u32(&in, 4);
			else if (at < 32)
				sh->tail = take_u32(&in, 4);
			else if (at < 128)
				sh->head = rx.tail + UMF_RING_ALIGN * (at - 31) * 4;
			else
				sh->tail = tx.head - UMF_RING_ALIGN * (at - 127) * 4;
			break;
		case 6:		/* the record that is next */
			honest = false;
			at = rx.tail & (SIZE - 1);
			rec.len = take_u32(&in, 2);
			rec.flags = take_u32(&in, 1);
			if (rec.flags > 16)
				rec.flags = 0;
			memcpy(sh->data + at, &rec, 8);
			break;
		case 7:		/* anywhere */
			honest = false;
			at = take_u32(&in, 2) % (sizeof(*sh) + SIZE - 4);
			take(&in, (u8 *)sh + at, 4);
			break;
		}
	}
out:
	free(sh);
	return 0;
}
