/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lies in a link's shared memory: the ABI between the two guests of a
 * serial cable; a change of it bumps UMF_LINK_VERSION. Little-endian.
 *
 *	<folder>/link		struct umf_link_shared
 *	<folder>/end-N.bell	FIFO that end N reads and the other one writes:
 *				a byte wakes N, its end says the other one is gone
 *
 * Locks on `link` (F_OFD_SETLK): byte 0 while joining or leaving, byte
 * UMF_LINK_LOCK_END + N for as long as end N lives.
 *
 * Whatever the other end can write is read once, checked, then used.
 *
 * Connecting: an end that joins takes another gen than its
 * place had and than the other one has seen. Each end that sees another
 * gen than it knew empties both rings on its side, that is head of what it
 * sends and tail of what it receives, and then stores that gen in sees. The two
 * are connected when each sees the other; only then do bytes move.
 */
#ifndef __UMF_TTY_LINK_H
#define __UMF_TTY_LINK_H

#define UMF_LINK_MAGIC		0x6b6e696c666d7532ULL
#define UMF_LINK_VERSION	4
#define UMF_LINK_LOCK_JOIN	0
#define UMF_LINK_LOCK_END	0x1000
#define UMF_LINK_RING		8192	/* symbols; a power of two */

#define UMF_LINK_RTS		1	/* umf_link_end.lines */
#define UMF_LINK_DTR		2

struct umf_link_end {
	/* Written by the end itself. */
	u32 gen;		/* 0: never used */
	u32 present;
	u32 sees;		/* the other's gen it is ready for */
	u32 lines;		/* UMF_LINK_RTS, UMF_LINK_DTR */
	u32 pid;		/* for people */
	char label[40];		/* for people */

	u32 head __aligned(64);	/* of its own ring; free-running, in symbols */
	u32 lost;		/* symbols that found the ring full */

	u32 tail __aligned(64);	/* of the other's ring */

	/*
	 * What this end waits for: the number of that wait, or 0. Written by it
	 * alone; the other one rings once for each number.
	 */
	u32 need_data __aligned(64);
	u32 need_space;
	/*
	 * Virtual time: who it is there (umf_clock_me()), and from when on it is
	 * to look; 0: there is nothing. Lowered by the other one, cleared by the
	 * end. One guest runs at a time, and nobody rings.
	 */
	u32 clock;
	u64 due;

	/*
	 * UMF_SYM_…; a mark of the sender's settings stands before the first
	 * symbol and wherever they have changed.
	 */
	u32 ring[UMF_LINK_RING] __aligned(4096);
};

struct umf_link_shared {
	u64 magic;		/* written last */
	u32 version;
	u32 size;		/* of all this */
	struct umf_link_end end[2];
};

#endif /* __UMF_TTY_LINK_H */
