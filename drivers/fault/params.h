/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The words of the fault grammar, as tables: keys, actions, verbs.
 *
 * One table serves everyone: the parser, the printer and `help` in the guest,
 * and on the host mconsole-fault, its manual page and its shell completion.
 * The file therefore needs nothing but integer types and compiles on both
 * sides; it holds no behaviour beyond looking a word up.
 */
#ifndef __UMF_FAULT_PARAMS_H
#define __UMF_FAULT_PARAMS_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/bits.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
typedef __u8 u8;
typedef __u64 u64;
#ifndef BIT_ULL
#define BIT_ULL(n)	(1ULL << (n))
#endif
#endif

#define UMF_PPB		1000000000ULL	/* probability 1, in parts per billion */
#define UMF_NSEC	1000000000ULL	/* one second, in nanoseconds */
#define UMF_ID_LEN	32		/* a rule's name, with its NUL */
#define UMF_TIME_MAX	(1000000ULL * UMF_NSEC)		/* about 11 days */

/* Device classes, as bits: what a rule on such a device may say. */
#define UMF_CLASS_NET	BIT_ULL(0)
#define UMF_CLASS_BLK	BIT_ULL(1)
#define UMF_CLASS_TTY	BIT_ULL(2)
#define UMF_CLASS_NODE	BIT_ULL(3)
#define UMF_CLASSES	4

enum umf_dir {
	UMF_DIR_RX,
	UMF_DIR_TX,
};

/* op= of a disk; a write may be both of the last two. */
enum umf_blk_op {
	UMF_OP_READ,
	UMF_OP_WRITE,
	UMF_OP_FLUSH,
	UMF_OP_DISCARD,
	UMF_OP_ZEROES,
	UMF_OP_FUA,
};

/* status= of a disk's error. */
enum umf_blk_status {
	UMF_STATUS_IOERR,
	UMF_STATUS_MEDIUM,
	UMF_STATUS_TRANSPORT,
	UMF_STATUS_TARGET,
	UMF_STATUS_PROTECTION,
	UMF_STATUS_NOSPC,
	UMF_STATUS_TIMEOUT,
	UMF_STATUS_RESV,
	UMF_STATUS_OFFLINE,
	UMF_STATUS_NOTSUPP,
};

/* unit= of a disk's rule: what is one match. */
enum umf_unit {
	UMF_UNIT_REQUEST,
	UMF_UNIT_BLOCK,
};

/* inflight= of a power cut. */
enum umf_inflight {
	UMF_INFLIGHT_OLD,
	UMF_INFLIGHT_NEW,
	UMF_INFLIGHT_TORN,
};

/* csum= of a corrupted frame. */
enum umf_csum {
	UMF_CSUM_KEEP,
	UMF_CSUM_FIX,
};

/* with= of a reject. */
enum umf_reject {
	UMF_REJECT_RST,
	UMF_REJECT_PORT,
	UMF_REJECT_HOST,
	UMF_REJECT_ADMIN,
};

/* dist= of a delay. */
enum umf_dist {
	UMF_DIST_UNIFORM,
	UMF_DIST_NORMAL,
	UMF_DIST_PARETO,
};

/* order= of delayed frames. */
enum umf_order {
	UMF_ORDER_FREE,
	UMF_ORDER_KEEP,
};

/* release= of held frames. */
enum umf_release {
	UMF_RELEASE_ORDER,
	UMF_RELEASE_REVERSE,
};

/* duplex= of a link. */
enum umf_duplex {
	UMF_DUPLEX_HALF,
	UMF_DUPLEX_FULL,
};

/* lockup= of a node that hangs. */
enum umf_lockup {
	UMF_LOCKUP_HARD,
	UMF_LOCKUP_SOFT,
};

/* How a key's value is written. */
enum umf_type {
	UMF_T_ID,	/* [A-Za-z_][A-Za-z0-9_.-]*, at most 31 characters */
	UMF_T_WORD,	/* one of umf_param.words */
	UMF_T_WORDS,	/* one or several of umf_param.words, by commas; as bits */
	UMF_T_U64,	/* a whole number, decimal or 0x… */
	UMF_T_PROB,	/* 10% 0.1 1e-6 20ppm; kept in parts per billion */
	UMF_T_TIME,	/* a number and ns us ms s m h; kept in nanoseconds */
	UMF_T_SIZE,	/* a number and k M G, by 1024; kept in bytes */
	UMF_T_RATE,	/* a number and bit kbit Mbit Gbit B kB MB GB; in bit/s */
	UMF_T_AT,	/* T since boot, or +T from when the rule was armed */
	UMF_T_STEP,	/* +T or -T, a time */
	UMF_T_DRIFT,	/* +P or -P, as a probability is written */
	UMF_T_BURST,	/* p_bad,p_good[,loss_bad[,loss_good]]; probabilities */
	UMF_T_SPAN,	/* T or T,T: from the one time to the other */
	UMF_T_RANGE,	/* A, A-B (both included) or A+N (N from A on) */
	UMF_T_MAC,	/* xx:xx:xx:xx:xx:xx */
	UMF_T_BPF,	/* classic BPF: "count,code jt jf k,…" as xt_bpf has it */
	UMF_T_TEXT,	/* free text, quoted where it holds blanks */
};

/* The order is the order in which a rule is printed. */
enum umf_key {
	UMF_K_DIR,
	UMF_K_PEER,
	UMF_K_MATCH,
	UMF_K_BPF,
	UMF_K_PATTERN,
	UMF_K_OP,
	UMF_K_SECTORS,
	UMF_K_UNIT,
	UMF_K_STATUS,
	UMF_K_REWRITES,
	UMF_K_BITS,
	UMF_K_BYTES,
	UMF_K_DATA,
	UMF_K_STICKY,
	UMF_K_DONE,
	UMF_K_SHIFT,
	UMF_K_KEEP,
	UMF_K_TORN,
	UMF_K_REORDER,
	UMF_K_INFLIGHT,
	UMF_K_STOP,
	UMF_K_IOPS,
	UMF_K_BPS,
	UMF_K_OFFSET,
	UMF_K_BER,
	UMF_K_CSUM,
	UMF_K_COPIES,
	UMF_K_LEN,
	UMF_K_A,
	UMF_K_B,
	UMF_K_ONEWAY,
	UMF_K_CHOSEN,
	UMF_K_ECN,
	UMF_K_WITH,
	UMF_K_RATE,
	UMF_K_BUCKET,
	UMF_K_OVERHEAD,
	UMF_K_CELL,
	UMF_K_CELLHEAD,
	UMF_K_DUPLEX,
	UMF_K_TIME,
	UMF_K_JITTER,
	UMF_K_DIST,
	UMF_K_CORR,
	UMF_K_TABLE,
	UMF_K_ORDER,
	UMF_K_SLOT,
	UMF_K_FRAMES,
	UMF_K_LIMIT,
	UMF_K_RELEASE,
	UMF_K_SPEED,
	UMF_K_CTS,
	UMF_K_DSR,
	UMF_K_DCD,
	UMF_K_RI,
	UMF_K_LOCKUP,
	UMF_K_ORDERLY,
	UMF_K_STEP,
	UMF_K_DRIFT,
	UMF_K_PROB,
	UMF_K_BURST,
	UMF_K_AFTER,
	UMF_K_EVERY,
	UMF_K_COUNT,
	UMF_K_PLACE,
	UMF_K_ON,
	UMF_K_AT,
	UMF_K_FOR,
	UMF_K_PERIOD,
	UMF_K_DUTY,
	UMF_K_SEED,
	UMF_K_ID,
	UMF_K_MAX
};

enum umf_group {
	UMF_G_FILTER,	/* which operations a rule looks at */
	UMF_G_EFFECT,	/* what the action does to one */
	UMF_G_TRIGGER,	/* when, and how often, it fires */
	UMF_G_NAME,	/* what the rule is called */
};

struct umf_param {
	const char *name;
	enum umf_type type;
	enum umf_group group;
	u64 min, max;			/* of numbers, in the unit kept */
	const char *const *words;	/* UMF_T_WORD(S): NULL-terminated */
	const char *form;		/* a value as help shows it */
	const char *help;
};

enum umf_action_id {
	UMF_A_DROP,
	UMF_A_CORRUPT,
	UMF_A_DUP,
	UMF_A_DELAY,
	UMF_A_DOWN,
	UMF_A_HOLD,
	UMF_A_TRUNCATE,
	UMF_A_REORDER,
	UMF_A_RATE,
	UMF_A_STALL,
	UMF_A_LINK,
	UMF_A_PARTITION,
	UMF_A_MACFLAP,
	UMF_A_REJECT,
	UMF_A_TTY_DROP,
	UMF_A_TTY_CORRUPT,
	UMF_A_TTY_INSERT,
	UMF_A_TTY_DUP,
	UMF_A_TTY_DELAY,
	UMF_A_TTY_RATE,
	UMF_A_TTY_PARITY,
	UMF_A_TTY_FRAME,
	UMF_A_TTY_OVERRUN,
	UMF_A_TTY_BREAK,
	UMF_A_TTY_BAUD,
	UMF_A_TTY_HOLD,
	UMF_A_TTY_CUT,
	UMF_A_TTY_MODEM,
	UMF_A_BLK_ERROR,
	UMF_A_BLK_BADSECTOR,
	UMF_A_BLK_CORRUPT,
	UMF_A_BLK_TORN,
	UMF_A_BLK_LOST,
	UMF_A_BLK_MISDIRECT,
	UMF_A_BLK_STALE,
	UMF_A_BLK_DELAY,
	UMF_A_BLK_RATE,
	UMF_A_BLK_HANG,
	UMF_A_BLK_TIMEOUT,
	UMF_A_BLK_OFFLINE,
	UMF_A_BLK_READONLY,
	UMF_A_BLK_NOSPACE,
	UMF_A_BLK_FLUSHLIE,
	UMF_A_BLK_POWERCUT,
	UMF_A_NODE_PANIC,
	UMF_A_NODE_HANG,
	UMF_A_NODE_REBOOT,
	UMF_A_NODE_POWEROFF,
	UMF_A_NODE_CLOCK,
	UMF_A_MAX
};

/* Flags of an action. */
#define UMF_AF_FINAL	BIT_ULL(0)	/* ends what happens to the operation */
#define UMF_AF_LEVEL	BIT_ULL(1)	/* a state while in force, not per operation */
#define UMF_AF_EDGES	BIT_ULL(2)	/* the device must hear when force ends */
#define UMF_AF_DELAY	BIT_ULL(3)	/* umf_effect.arg is nanoseconds to wait */

struct umf_action {
	const char *name;
	u64 classes;		/* UMF_CLASS_… it exists on */
	const u8 *keys;		/* UMF_K_… it may carry, up to UMF_K_MAX */
	const u8 *need;		/* of these, the ones it must; NULL: none */
	u64 flags;		/* UMF_AF_… */
	const char *help;
};

/* Verbs of the language, in the order of `help`. */
enum umf_verb_id {
	UMF_V_ADD,
	UMF_V_DEL,
	UMF_V_CLEAR,
	UMF_V_LIST,
	UMF_V_STATS,
	UMF_V_EVENTS,
	UMF_V_SEED,
	UMF_V_SUSPEND,
	UMF_V_RESUME,
	UMF_V_CAPTURE,
	UMF_V_DEVICES,
	UMF_V_TIME,
	UMF_V_HELP,
	UMF_V_MAX
};

struct umf_verb {
	const char *name;
	const char *args;
	const char *help;
};

extern const struct umf_param umf_params[UMF_K_MAX];
extern const struct umf_action umf_actions[UMF_A_MAX];
extern const struct umf_verb umf_verbs[UMF_V_MAX];

/* Each looks a word of @len bytes up; negative when there is no such word. */
int umf_param_find(const char *word, size_t len);
int umf_action_find(const char *word, size_t len, u64 class);
int umf_verb_find(const char *word, size_t len);

/* May, and must, a rule of that action carry the key? */
bool umf_action_takes(const struct umf_action *action, enum umf_key key);
bool umf_action_needs(const struct umf_action *action, enum umf_key key);

/* The word for the lowest of @classes: net, blk, tty, node. */
const char *umf_class_name(u64 classes);

#endif /* __UMF_FAULT_PARAMS_H */
