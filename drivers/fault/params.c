// SPDX-License-Identifier: GPL-2.0
/*
 * The tables behind the fault grammar. A new action or key is a row here; the
 * parser, the printer, help, the manual page and the completion follow.
 */
#include "fault/params.h"
#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

static const char *const dir_words[] = { "rx", "tx", NULL };
static const char *const stop_words[] = { "disk", "guest", NULL };

static const char *const op_words[] = {
	[UMF_OP_READ] = "read", [UMF_OP_WRITE] = "write",
	[UMF_OP_FLUSH] = "flush", [UMF_OP_DISCARD] = "discard",
	[UMF_OP_ZEROES] = "zeroes", [UMF_OP_FUA] = "fua", NULL
};

#define STATUS_FORM \
	"ioerr|medium|transport|target|protection|nospc|timeout|resv|offline|notsupp"

static const char *const status_words[] = {
	[UMF_STATUS_IOERR] = "ioerr", [UMF_STATUS_MEDIUM] = "medium",
	[UMF_STATUS_TRANSPORT] = "transport", [UMF_STATUS_TARGET] = "target",
	[UMF_STATUS_PROTECTION] = "protection", [UMF_STATUS_NOSPC] = "nospc",
	[UMF_STATUS_TIMEOUT] = "timeout", [UMF_STATUS_RESV] = "resv",
	[UMF_STATUS_OFFLINE] = "offline", [UMF_STATUS_NOTSUPP] = "notsupp",
	NULL
};

static const char *const unit_words[] = {
	[UMF_UNIT_REQUEST] = "request", [UMF_UNIT_BLOCK] = "block", NULL
};

static const char *const inflight_words[] = {
	[UMF_INFLIGHT_OLD] = "old", [UMF_INFLIGHT_NEW] = "new",
	[UMF_INFLIGHT_TORN] = "torn", NULL
};

static const char *const switch_words[] = { "off", "on", NULL };

static const char *const csum_words[] = {
	[UMF_CSUM_KEEP] = "keep", [UMF_CSUM_FIX] = "fix", NULL
};

static const char *const with_words[] = {
	[UMF_REJECT_RST] = "rst", [UMF_REJECT_PORT] = "icmp-port",
	[UMF_REJECT_HOST] = "icmp-host", [UMF_REJECT_ADMIN] = "icmp-admin",
	NULL
};

static const char *const dist_words[] = {
	[UMF_DIST_UNIFORM] = "uniform", [UMF_DIST_NORMAL] = "normal",
	[UMF_DIST_PARETO] = "pareto", NULL
};

static const char *const order_words[] = {
	[UMF_ORDER_FREE] = "free", [UMF_ORDER_KEEP] = "keep", NULL
};

static const char *const release_words[] = {
	[UMF_RELEASE_ORDER] = "order", [UMF_RELEASE_REVERSE] = "reverse", NULL
};

static const char *const duplex_words[] = {
	[UMF_DUPLEX_HALF] = "half", [UMF_DUPLEX_FULL] = "full", NULL
};

#define K(key)		UMF_K_##key
#define KEYS(...)	((const u8[]){ __VA_ARGS__, UMF_K_MAX })

static const char *const lockup_words[] = {
	[UMF_LOCKUP_HARD] = "hard", [UMF_LOCKUP_SOFT] = "soft", NULL
};

/* When a rule that ends the guest does so. */
#define KEYS_ONCE	K(ID), K(ON), K(AT)
/* When a rule is in force; the only triggers a level action can have. */
#define KEYS_WINDOW	KEYS_ONCE, K(FOR), K(PERIOD), K(DUTY)
/* Everything that decides about single operations, on any device. */
#define KEYS_TRIGGER	KEYS_WINDOW, K(PROB), K(BURST), K(AFTER), K(EVERY), \
			K(COUNT), K(SEED)
#define KEYS_NET	KEYS_TRIGGER, K(DIR), K(PEER), K(MATCH), K(BPF)
#define KEYS_TTY	KEYS_TRIGGER, K(DIR), K(PATTERN)
#define KEYS_SECTORS	KEYS_TRIGGER, K(SECTORS)
#define KEYS_BLK	KEYS_SECTORS, K(OP)
/* Of those that can be about single blocks. */
#define KEYS_BLOCKS	KEYS_BLK, K(UNIT), K(PLACE)

const struct umf_param umf_params[UMF_K_MAX] = {
	[UMF_K_DIR] = {
		.name = "dir", .type = UMF_T_WORD, .group = UMF_G_FILTER,
		.words = dir_words, .form = "rx|tx",
		.help = "only what the guest receives, or sends; both unless given",
	},
	[UMF_K_PEER] = {
		.name = "peer", .type = UMF_T_MAC, .group = UMF_G_FILTER,
		.form = "xx:xx:xx:xx:xx:xx",
		.help = "only from or to the port with this MAC; one sent to many, for each",
	},
	[UMF_K_MATCH] = {
		.name = "match", .type = UMF_T_TEXT, .group = UMF_G_FILTER,
		.form = "'<pcap filter>'",
		.help = "what bpf= was compiled from; mconsole-fault compiles it",
	},
	[UMF_K_BPF] = {
		.name = "bpf", .type = UMF_T_BPF, .group = UMF_G_FILTER,
		.form = "\"<count>,<code> <jt> <jf> <k>,...\"",
		.help = "only frames this classic BPF program accepts (the text form of xt_bpf)",
	},
	[UMF_K_PATTERN] = {
		.name = "pattern", .type = UMF_T_TEXT, .group = UMF_G_FILTER,
		.form = "<hex bytes>",
		.help = "only the byte that completes these, 1 to 16, in its direction",
	},
	[UMF_K_OP] = {
		.name = "op", .type = UMF_T_WORDS, .group = UMF_G_FILTER,
		.words = op_words, .form = "read|write|flush|discard|zeroes|fua,...",
		.help = "only these operations; every one the action applies to unless given",
	},
	[UMF_K_SECTORS] = {
		.name = "sectors", .type = UMF_T_RANGE, .group = UMF_G_FILTER,
		.max = ~0ULL >> 9, .form = "A|A-B|A+N",
		.help = "only what touches these sectors of 512 bytes; anywhere unless given",
	},
	[UMF_K_UNIT] = {
		.name = "unit", .type = UMF_T_WORD, .group = UMF_G_FILTER,
		.words = unit_words, .form = "request|block",
		.help = "what one match is; block with sectors= or place=on, else request",
	},
	[UMF_K_STATUS] = {
		.name = "status", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = status_words,
		.form = STATUS_FORM,
		.help = "how it fails, ioerr unless given",
	},
	[UMF_K_REWRITES] = {
		.name = "rewrites", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.max = 1000000, .form = "N",
		.help = "writes that heal a bad sector, 1 unless given; 0: nothing does",
	},
	[UMF_K_BITS] = {
		.name = "bits", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.min = 1, .max = 65536, .form = "N",
		.help = "how many bits to flip, 1 unless given",
	},
	[UMF_K_BYTES] = {
		.name = "bytes", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.min = 1, .max = 65536, .form = "N",
		.help = "how many bytes become random ones, instead of bits=",
	},
	[UMF_K_DATA] = {
		.name = "data", .type = UMF_T_TEXT, .group = UMF_G_EFFECT,
		.form = "<hex bytes>",
		.help = "1 to 32 bytes that are put somewhere in the data, instead of bits=",
	},
	[UMF_K_STICKY] = {
		.name = "sticky", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = switch_words, .form = "off|on",
		.help = "on: a sector is wrong in the same way each time; off unless given",
	},
	[UMF_K_DONE] = {
		.name = "done", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.max = 65536, .form = "N",
		.help = "how many sectors from the first on are written; drawn unless given",
	},
	[UMF_K_SHIFT] = {
		.name = "shift", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.min = 1, .max = ~0ULL >> 9, .form = "N",
		.help = "how many sectors further on; drawn unless given",
	},
	[UMF_K_KEEP] = {
		.name = "keep", .type = UMF_T_PROB, .group = UMF_G_EFFECT,
		.max = UMF_PPB, .form = "P%",
		.help = "how much of what was not flushed survives; drawn unless given",
	},
	[UMF_K_TORN] = {
		.name = "torn", .type = UMF_T_PROB, .group = UMF_G_EFFECT,
		.max = UMF_PPB, .form = "P%",
		.help = "chance that a block (physical=) survives in part, 0% unless given",
	},
	[UMF_K_REORDER] = {
		.name = "reorder", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = switch_words, .form = "off|on",
		.help = "on: each sector survives by its own draw; off: the first written do",
	},
	[UMF_K_INFLIGHT] = {
		.name = "inflight", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = inflight_words, .form = "old|new|torn",
		.help = "what writes under way leave, old unless given; torn: a drawn part",
	},
	[UMF_K_STOP] = {
		.name = "stop", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = stop_words, .form = "disk|guest",
		.help = "what has no power, disk unless given",
	},
	[UMF_K_IOPS] = {
		.name = "iops", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.min = 1, .max = 100000000, .form = "N",
		.help = "operations a second",
	},
	[UMF_K_BPS] = {
		.name = "bps", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.min = 512, .max = ~0ULL >> 20, .form = "N",
		.help = "bytes a second",
	},
	[UMF_K_OFFSET] = {
		.name = "offset", .type = UMF_T_RANGE, .group = UMF_G_EFFECT,
		.max = 65535, .form = "A|A-B|A+N",
		.help = "flip only in these bytes of the frame, from 0; anywhere unless given",
	},
	[UMF_K_BER] = {
		.name = "ber", .type = UMF_T_PROB, .group = UMF_G_EFFECT,
		.max = UMF_PPB, .form = "1e-6|20ppm",
		.help = "flip each bit with this probability; instead of bits",
	},
	[UMF_K_CSUM] = {
		.name = "csum", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = csum_words, .form = "keep|fix",
		.help = "fix: IPv4, TCP, UDP and ICMP sums are made right again; keep unless given",
	},
	[UMF_K_COPIES] = {
		.name = "copies", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.min = 1, .max = 100, .form = "N",
		.help = "how many copies to add, 1 unless given",
	},
	[UMF_K_LEN] = {
		.name = "len", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.min = 14, .max = 65535, .form = "N",
		.help = "how many bytes are left, the Ethernet header included",
	},
	[UMF_K_A] = {
		.name = "a", .type = UMF_T_TEXT, .group = UMF_G_EFFECT,
		.form = "<port>,...",
		.help = "one side: guests, guest/interface, MACs, #numbers; or one, majority, ring",
	},
	[UMF_K_B] = {
		.name = "b", .type = UMF_T_TEXT, .group = UMF_G_EFFECT,
		.form = "<port>,...",
		.help = "the other side, likewise; all others unless given",
	},
	[UMF_K_ONEWAY] = {
		.name = "oneway", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = switch_words, .form = "off|on",
		.help = "on: only what a= sends to b= is lost; off unless given",
	},
	[UMF_K_CHOSEN] = {
		.name = "chosen", .type = UMF_T_TEXT, .group = UMF_G_EFFECT,
		.form = "<guest>/<interface>,...",
		.help = "whom a=one, majority, ring has drawn, told by list; or is to draw first",
	},
	[UMF_K_ECN] = {
		.name = "ecn", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = switch_words, .form = "off|on",
		.help = "on: a frame of who can ECN is marked (CE), not lost; off unless given",
	},
	[UMF_K_WITH] = {
		.name = "with", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = with_words, .form = "rst|icmp-port|icmp-host|icmp-admin",
		.help = "the answer; rst to TCP and icmp-port to others unless given",
	},
	[UMF_K_RATE] = {
		.name = "rate", .type = UMF_T_RATE, .group = UMF_G_EFFECT,
		.min = 8, .max = 1000000000000ULL, .form = "10Mbit|500kB",
		.help = "a second; bit kbit Mbit Gbit, or bytes: B kB MB GB",
	},
	[UMF_K_BUCKET] = {
		.name = "bucket", .type = UMF_T_SIZE, .group = UMF_G_EFFECT,
		.min = 1, .max = 1ULL << 30, .form = "N|Nk|NM|NG",
		.help = "what may pass at once after a pause, nothing unless given",
	},
	[UMF_K_OVERHEAD] = {
		.name = "overhead", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.max = 4096, .form = "N",
		.help = "bytes that a frame takes beside its own; 24 are Ethernet's on a wire",
	},
	[UMF_K_CELL] = {
		.name = "cell", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.min = 1, .max = 65535, .form = "N",
		.help = "a frame takes whole cells of so many bytes; ATM has 48",
	},
	[UMF_K_CELLHEAD] = {
		.name = "cellhead", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.max = 4096, .form = "N",
		.help = "bytes that a cell takes beside those of cell=; ATM has 5",
	},
	[UMF_K_DUPLEX] = {
		.name = "duplex", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = duplex_words, .form = "half|full",
		.help = "what ethtool says the link has negotiated",
	},
	[UMF_K_TIME] = {
		.name = "time", .type = UMF_T_TIME, .group = UMF_G_EFFECT,
		.max = 3600 * UMF_NSEC, .form = "T",
		.help = "how long to wait",
	},
	[UMF_K_JITTER] = {
		.name = "jitter", .type = UMF_T_TIME, .group = UMF_G_EFFECT,
		.max = 3600 * UMF_NSEC, .form = "T",
		.help = "how far the wait varies around time, at most time; dist says how",
	},
	[UMF_K_DIST] = {
		.name = "dist", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = dist_words, .form = "uniform|normal|pareto",
		.help = "time +- jitter, or jitter is the standard deviation; uniform unless given",
	},
	[UMF_K_CORR] = {
		.name = "corr", .type = UMF_T_PROB, .group = UMF_G_EFFECT,
		.max = UMF_PPB, .form = "P%",
		.help = "with this chance the wait is that of the match before",
	},
	[UMF_K_TABLE] = {
		.name = "table", .type = UMF_T_TEXT, .group = UMF_G_EFFECT,
		.form = "<file>",
		.help = "draws from this file of the host, which is as tc-netem's; instead of dist",
	},
	[UMF_K_ORDER] = {
		.name = "order", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = order_words, .form = "free|keep",
		.help = "keep: no frame of the rule overtakes another; free unless given",
	},
	[UMF_K_SLOT] = {
		.name = "slot", .type = UMF_T_SPAN, .group = UMF_G_EFFECT,
		.min = 1000, .max = 3600 * UMF_NSEC, .form = "T[,T]",
		.help = "frames leave together, T apart, or drawn from T to T; in order",
	},
	[UMF_K_FRAMES] = {
		.name = "frames", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.min = 1, .max = 65536, .form = "N",
		.help = "how many may leave in a slot, any number unless given",
	},
	[UMF_K_LIMIT] = {
		.name = "limit", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.min = 1, .max = 65536, .form = "N",
		.help = "how many operations may wait, 1000 unless given; more are dropped",
	},
	[UMF_K_RELEASE] = {
		.name = "release", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = release_words, .form = "order|reverse",
		.help = "how they are let go; in order unless given",
	},
	[UMF_K_SPEED] = {
		.name = "speed", .type = UMF_T_U64, .group = UMF_G_EFFECT,
		.min = 50, .max = 4000000, .form = "N",
		.help = "bits a second on the line",
	},
	[UMF_K_CTS] = {
		.name = "cts", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = switch_words, .form = "off|on",
		.help = "what the guest sees of clear to send, whatever the line says",
	},
	[UMF_K_DSR] = {
		.name = "dsr", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = switch_words, .form = "off|on",
		.help = "the same of data set ready",
	},
	[UMF_K_DCD] = {
		.name = "dcd", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = switch_words, .form = "off|on",
		.help = "the same of carrier detect",
	},
	[UMF_K_RI] = {
		.name = "ri", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = switch_words, .form = "off|on",
		.help = "the same of the ring indicator",
	},
	[UMF_K_LOCKUP] = {
		.name = "lockup", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = lockup_words, .form = "hard|soft",
		.help = "soft: no program runs, but interrupts do; hard unless given",
	},
	[UMF_K_ORDERLY] = {
		.name = "orderly", .type = UMF_T_WORD, .group = UMF_G_EFFECT,
		.words = switch_words, .form = "off|on",
		.help = "on: by the guest's own reboot or poweroff; off unless given",
	},
	[UMF_K_STEP] = {
		.name = "step", .type = UMF_T_STEP, .group = UMF_G_EFFECT,
		.min = 1000, .max = 400 * 86400 * UMF_NSEC, .form = "+T|-T",
		.help = "how far the clock on the wall is off, in whole microseconds",
	},
	[UMF_K_DRIFT] = {
		.name = "drift", .type = UMF_T_DRIFT, .group = UMF_G_EFFECT,
		.min = 1, .max = UMF_PPB / 10, .form = "+200ppm|-1%",
		.help = "how much too fast or slow the clock runs",
	},
	[UMF_K_PROB] = {
		.name = "prob", .type = UMF_T_PROB, .group = UMF_G_TRIGGER,
		.max = UMF_PPB, .form = "10%|0.1|1e-6|20ppm",
		.help = "fires with this probability; always unless given",
	},
	[UMF_K_BURST] = {
		.name = "burst", .type = UMF_T_BURST, .group = UMF_G_TRIGGER,
		.max = UMF_PPB, .form = "p_bad,p_good[,loss_bad[,loss_good]]",
		.help = "Gilbert-Elliott: chances to turn bad, to recover, to fire if bad or good",
	},
	[UMF_K_AFTER] = {
		.name = "after", .type = UMF_T_U64, .group = UMF_G_TRIGGER,
		.max = ~0ULL >> 1, .form = "N",
		.help = "lets the first N matches pass",
	},
	[UMF_K_EVERY] = {
		.name = "every", .type = UMF_T_U64, .group = UMF_G_TRIGGER,
		.min = 1, .max = ~0ULL >> 1, .form = "N",
		.help = "fires on each Nth match only",
	},
	[UMF_K_COUNT] = {
		.name = "count", .type = UMF_T_U64, .group = UMF_G_TRIGGER,
		.min = 1, .max = ~0ULL >> 1, .form = "N",
		.help = "is spent after firing N times",
	},
	[UMF_K_PLACE] = {
		.name = "place", .type = UMF_T_WORD, .group = UMF_G_TRIGGER,
		.words = switch_words, .form = "off|on",
		.help = "on: drawn by the block and how often it matched, not by the order",
	},
	[UMF_K_ON] = {
		.name = "on", .type = UMF_T_ID, .group = UMF_G_TRIGGER,
		.form = "<id>",
		.help = "waits until that rule fires; once spent, waits again",
	},
	[UMF_K_AT] = {
		.name = "at", .type = UMF_T_AT, .group = UMF_G_TRIGGER,
		.max = UMF_TIME_MAX, .form = "T|+T",
		.help = "in force from T after boot, or +T after being added or armed",
	},
	[UMF_K_FOR] = {
		.name = "for", .type = UMF_T_TIME, .group = UMF_G_TRIGGER,
		.min = 1, .max = UMF_TIME_MAX, .form = "T",
		.help = "in force for this long, then spent",
	},
	[UMF_K_PERIOD] = {
		.name = "period", .type = UMF_T_TIME, .group = UMF_G_TRIGGER,
		.min = 1000, .max = UMF_TIME_MAX, .form = "T",
		.help = "in force during the first part of each period; needs duty",
	},
	[UMF_K_DUTY] = {
		.name = "duty", .type = UMF_T_PROB, .group = UMF_G_TRIGGER,
		.max = UMF_PPB, .form = "P%",
		.help = "how much of each period; needs period",
	},
	[UMF_K_SEED] = {
		.name = "seed", .type = UMF_T_U64, .group = UMF_G_TRIGGER,
		.max = ~0ULL, .form = "N",
		.help = "the rule's own seed; from the guest's seed and the rule's id unless given",
	},
	[UMF_K_ID] = {
		.name = "id", .type = UMF_T_ID, .group = UMF_G_NAME,
		.form = "<name>",
		.help = "names the rule; r1, r2, ... unless given",
	},
};

const struct umf_action umf_actions[UMF_A_MAX] = {
	[UMF_A_DROP] = {
		.name = "drop", .classes = UMF_CLASS_NET,
		.keys = KEYS(KEYS_NET, K(ECN)), .flags = UMF_AF_FINAL,
		.help = "the frame is lost",
	},
	[UMF_A_CORRUPT] = {
		.name = "corrupt", .classes = UMF_CLASS_NET,
		.keys = KEYS(KEYS_NET, K(BITS), K(BER), K(OFFSET), K(CSUM)),
		.help = "bits of the frame are flipped; its checksums are left as they were",
	},
	[UMF_A_DUP] = {
		.name = "dup", .classes = UMF_CLASS_NET,
		.keys = KEYS(KEYS_NET, K(COPIES)),
		.help = "the frame arrives more than once",
	},
	[UMF_A_DELAY] = {
		.name = "delay", .classes = UMF_CLASS_NET,
		.keys = KEYS(KEYS_NET, K(TIME), K(JITTER), K(DIST), K(CORR),
			     K(TABLE), K(ORDER), K(SLOT), K(FRAMES), K(LIMIT)),
		.need = KEYS(K(TIME)), .flags = UMF_AF_DELAY | UMF_AF_EDGES,
		.help = "the frame waits; frames whose time comes earlier overtake it",
	},
	[UMF_A_DOWN] = {
		.name = "down", .classes = UMF_CLASS_NET, .keys = KEYS(KEYS_WINDOW),
		.flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "the link has no carrier",
	},
	[UMF_A_HOLD] = {
		.name = "hold", .classes = UMF_CLASS_NET,
		.keys = KEYS(KEYS_NET, K(LIMIT), K(RELEASE)),
		.flags = UMF_AF_FINAL | UMF_AF_EDGES,
		.help = "the frame is kept, and let go when the rule ends",
	},
	[UMF_A_TRUNCATE] = {
		.name = "truncate", .classes = UMF_CLASS_NET,
		.keys = KEYS(KEYS_NET, K(LEN)), .need = KEYS(K(LEN)),
		.help = "the frame is cut to its first bytes",
	},
	[UMF_A_REORDER] = {
		.name = "reorder", .classes = UMF_CLASS_NET, .keys = KEYS(KEYS_NET),
		.help = "the frame passes delay and rate at once, before those that wait",
	},
	[UMF_A_RATE] = {
		.name = "rate", .classes = UMF_CLASS_NET,
		.keys = KEYS(KEYS_NET, K(RATE), K(BUCKET), K(OVERHEAD), K(CELL),
			     K(CELLHEAD), K(LIMIT)),
		.need = KEYS(K(RATE)), .flags = UMF_AF_EDGES,
		.help = "frames wait until they fit rate=, in each direction",
	},
	[UMF_A_STALL] = {
		.name = "stall", .classes = UMF_CLASS_NET, .keys = KEYS(KEYS_WINDOW),
		.flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "the tx queue stops: the watchdog finds a transmitter that hangs",
	},
	[UMF_A_LINK] = {
		.name = "link", .classes = UMF_CLASS_NET,
		.keys = KEYS(KEYS_WINDOW, K(RATE), K(DUPLEX)),
		.flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "the link says it has another speed or duplex",
	},
	[UMF_A_PARTITION] = {
		.name = "partition", .classes = UMF_CLASS_NET,
		.keys = KEYS(KEYS_WINDOW, K(A), K(B), K(ONEWAY), K(CHOSEN), K(SEED)),
		.need = KEYS(K(A)),
		.flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "no frame passes between two sets of ports of the segment",
	},
	[UMF_A_MACFLAP] = {
		.name = "macflap", .classes = UMF_CLASS_NET,
		.keys = KEYS(KEYS_WINDOW, K(PEER), K(TIME)), .need = KEYS(K(PEER)),
		.flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "all ports are told, each time=, that peer= is at this one",
	},
	[UMF_A_REJECT] = {
		.name = "reject", .classes = UMF_CLASS_NET,
		.keys = KEYS(KEYS_NET, K(WITH)), .flags = UMF_AF_FINAL,
		.help = "the frame is lost, and its sender told so by the one it was for",
	},
	[UMF_A_TTY_DROP] = {
		.name = "drop", .classes = UMF_CLASS_TTY, .keys = KEYS(KEYS_TTY),
		.flags = UMF_AF_FINAL,
		.help = "the byte is lost",
	},
	[UMF_A_TTY_CORRUPT] = {
		.name = "corrupt", .classes = UMF_CLASS_TTY,
		.keys = KEYS(KEYS_TTY, K(BITS)),
		.help = "bits of the byte are flipped, those that the line has at most",
	},
	[UMF_A_TTY_INSERT] = {
		.name = "insert", .classes = UMF_CLASS_TTY,
		.keys = KEYS(KEYS_TTY, K(COPIES)),
		.help = "noise, copies= random bytes, comes in front of the byte",
	},
	[UMF_A_TTY_DUP] = {
		.name = "dup", .classes = UMF_CLASS_TTY,
		.keys = KEYS(KEYS_TTY, K(COPIES)),
		.help = "the byte comes more than once",
	},
	[UMF_A_TTY_DELAY] = {
		.name = "delay", .classes = UMF_CLASS_TTY,
		.keys = KEYS(KEYS_TTY, K(TIME), K(JITTER), K(LIMIT)),
		.need = KEYS(K(TIME)), .flags = UMF_AF_DELAY | UMF_AF_EDGES,
		.help = "the byte waits, and those behind it with it: order is kept",
	},
	[UMF_A_TTY_RATE] = {
		.name = "rate", .classes = UMF_CLASS_TTY,
		.keys = KEYS(KEYS_TTY, K(SPEED), K(LIMIT)),
		.need = KEYS(K(SPEED)), .flags = UMF_AF_EDGES,
		.help = "the byte takes as long as at this speed, at ten bits each",
	},
	[UMF_A_TTY_PARITY] = {
		.name = "parity", .classes = UMF_CLASS_TTY, .keys = KEYS(KEYS_TTY),
		.help = "the byte has a parity error",
	},
	[UMF_A_TTY_FRAME] = {
		.name = "frame", .classes = UMF_CLASS_TTY, .keys = KEYS(KEYS_TTY),
		.help = "the byte has a framing error: no stop bit was seen",
	},
	[UMF_A_TTY_OVERRUN] = {
		.name = "overrun", .classes = UMF_CLASS_TTY, .keys = KEYS(KEYS_TTY),
		.flags = UMF_AF_FINAL,
		.help = "the byte is lost as the receiver was not in time, which it tells",
	},
	[UMF_A_TTY_BREAK] = {
		.name = "break", .classes = UMF_CLASS_TTY, .keys = KEYS(KEYS_TTY),
		.help = "a break comes in front of the byte",
	},
	[UMF_A_TTY_BAUD] = {
		.name = "baud", .classes = UMF_CLASS_TTY,
		.keys = KEYS(KEYS_TTY, K(SPEED)), .need = KEYS(K(SPEED)),
		.help = "the byte is read as if its sender were set to this speed",
	},
	[UMF_A_TTY_HOLD] = {
		.name = "hold", .classes = UMF_CLASS_TTY,
		.keys = KEYS(KEYS_TTY, K(LIMIT)),
		.flags = UMF_AF_FINAL | UMF_AF_EDGES,
		.help = "flow control is stuck: bytes wait until the rule ends",
	},
	[UMF_A_TTY_CUT] = {
		.name = "cut", .classes = UMF_CLASS_TTY,
		.keys = KEYS(KEYS_WINDOW, K(DIR)),
		.flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "the cable is cut: no byte and no control line, both ways or one",
	},
	[UMF_A_TTY_MODEM] = {
		.name = "modem", .classes = UMF_CLASS_TTY,
		.keys = KEYS(KEYS_WINDOW, K(CTS), K(DSR), K(DCD), K(RI)),
		.flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "control lines the guest sees are forced on or off",
	},
	[UMF_A_BLK_ERROR] = {
		.name = "error", .classes = UMF_CLASS_BLK,
		.keys = KEYS(KEYS_BLOCKS, K(STATUS)), .flags = UMF_AF_FINAL,
		.help = "the operation fails: none of it is done, or what is before the block",
	},
	[UMF_A_BLK_BADSECTOR] = {
		.name = "badsector", .classes = UMF_CLASS_BLK,
		.keys = KEYS(KEYS_SECTORS, K(REWRITES)), .need = KEYS(K(SECTORS)),
		.flags = UMF_AF_FINAL,
		.help = "reads of these sectors fail, each until it is rewritten",
	},
	[UMF_A_BLK_CORRUPT] = {
		.name = "corrupt", .classes = UMF_CLASS_BLK,
		.keys = KEYS(KEYS_BLOCKS, K(BITS), K(BYTES), K(DATA), K(STICKY)),
		.help = "data is wrong: what a read returns, what a write leaves",
	},
	[UMF_A_BLK_TORN] = {
		.name = "torn", .classes = UMF_CLASS_BLK,
		.keys = KEYS(KEYS_BLK, K(DONE)),
		.help = "only the first sectors of a write are written; it succeeds",
	},
	[UMF_A_BLK_LOST] = {
		.name = "lost", .classes = UMF_CLASS_BLK, .keys = KEYS(KEYS_BLOCKS),
		.flags = UMF_AF_FINAL,
		.help = "a write, discard or zeroing succeeds and is never done",
	},
	[UMF_A_BLK_MISDIRECT] = {
		.name = "misdirect", .classes = UMF_CLASS_BLK,
		.keys = KEYS(KEYS_BLK, K(SHIFT)),
		.help = "a read or write takes place elsewhere on the disk",
	},
	[UMF_A_BLK_STALE] = {
		.name = "stale", .classes = UMF_CLASS_BLK,
		.keys = KEYS(KEYS_SECTORS),
		.help = "a read returns what was there before the last write since the rule",
	},
	[UMF_A_BLK_DELAY] = {
		.name = "delay", .classes = UMF_CLASS_BLK,
		.keys = KEYS(KEYS_BLK, K(TIME), K(JITTER)), .need = KEYS(K(TIME)),
		.flags = UMF_AF_DELAY | UMF_AF_EDGES,
		.help = "the operation waits before it is done",
	},
	[UMF_A_BLK_RATE] = {
		.name = "rate", .classes = UMF_CLASS_BLK,
		.keys = KEYS(KEYS_BLK, K(IOPS), K(BPS)), .flags = UMF_AF_EDGES,
		.help = "operations wait until they fit iops= and bps=",
	},
	[UMF_A_BLK_HANG] = {
		.name = "hang", .classes = UMF_CLASS_BLK, .keys = KEYS(KEYS_BLK),
		.flags = UMF_AF_FINAL | UMF_AF_EDGES,
		.help = "the operation is kept, and done when the rule ends",
	},
	[UMF_A_BLK_TIMEOUT] = {
		.name = "timeout", .classes = UMF_CLASS_BLK, .keys = KEYS(KEYS_BLK),
		.flags = UMF_AF_FINAL | UMF_AF_EDGES,
		.help = "the operation is never done: the queue's io_timeout ends it",
	},
	[UMF_A_BLK_OFFLINE] = {
		.name = "offline", .classes = UMF_CLASS_BLK,
		.keys = KEYS(KEYS_WINDOW), .flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "the disk is gone: every operation fails",
	},
	[UMF_A_BLK_READONLY] = {
		.name = "readonly", .classes = UMF_CLASS_BLK,
		.keys = KEYS(KEYS_WINDOW), .flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "the disk is write-protected",
	},
	[UMF_A_BLK_NOSPACE] = {
		.name = "nospace", .classes = UMF_CLASS_BLK,
		.keys = KEYS(KEYS_WINDOW), .flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "the disk is full: what writes fails for lack of space",
	},
	[UMF_A_BLK_FLUSHLIE] = {
		.name = "flushlie", .classes = UMF_CLASS_BLK, .keys = KEYS(KEYS_BLK),
		.help = "a flush succeeds and does nothing; FUA of a write is ignored",
	},
	[UMF_A_BLK_POWERCUT] = {
		.name = "powercut", .classes = UMF_CLASS_BLK,
		.keys = KEYS(KEYS_BLK, K(KEEP), K(TORN), K(REORDER), K(INFLIGHT),
			     K(STOP)),
		.flags = UMF_AF_FINAL | UMF_AF_EDGES,
		.help = "no power: what cache=volatile holds survives or not, nothing works",
	},
	[UMF_A_NODE_PANIC] = {
		.name = "panic", .classes = UMF_CLASS_NODE, .keys = KEYS(KEYS_ONCE),
		.flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "the guest's kernel panics",
	},
	[UMF_A_NODE_HANG] = {
		.name = "hang", .classes = UMF_CLASS_NODE,
		.keys = KEYS(KEYS_WINDOW, K(LOCKUP)),
		.flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "every CPU is stuck in the kernel; it goes on if the rule has an end",
	},
	[UMF_A_NODE_REBOOT] = {
		.name = "reboot", .classes = UMF_CLASS_NODE,
		.keys = KEYS(KEYS_ONCE, K(ORDERLY)),
		.flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "the guest starts again at once, as by a reset button",
	},
	[UMF_A_NODE_POWEROFF] = {
		.name = "poweroff", .classes = UMF_CLASS_NODE,
		.keys = KEYS(KEYS_ONCE, K(ORDERLY)),
		.flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "the guest ends at once, as by a pulled plug",
	},
	[UMF_A_NODE_CLOCK] = {
		.name = "clock", .classes = UMF_CLASS_NODE,
		.keys = KEYS(KEYS_WINDOW, K(STEP), K(DRIFT)),
		.flags = UMF_AF_LEVEL | UMF_AF_EDGES,
		.help = "the clock is wrong; at the end its step is taken back",
	},
};

const struct umf_verb umf_verbs[UMF_V_MAX] = {
	[UMF_V_ADD] = { "add", "<device> <action> [key=value ...]",
		"adds a rule and replies with its id" },
	[UMF_V_DEL] = { "del", "<id>", "deletes a rule" },
	[UMF_V_CLEAR] = { "clear", "[<device>]",
		"deletes all rules, or a device's; what they held is let go" },
	[UMF_V_LIST] = { "list", "[<device>]",
		"prints the seed and the rules, as input that makes them again" },
	[UMF_V_STATS] = { "stats", "[<id>]", "prints what each rule has done" },
	[UMF_V_EVENTS] = { "events", "[since=<seq>]",
		"prints the records of firings after that sequence number" },
	[UMF_V_SEED] = { "seed", "<n>",
		"sets the guest's seed and restarts the rules' streams" },
	[UMF_V_SUSPEND] = { "suspend", "<id>|all",
		"takes a rule out of force until resume" },
	[UMF_V_RESUME] = { "resume", "<id>|all", "puts it back" },
	[UMF_V_CAPTURE] = { "capture", "[<device> [<file>|off]]",
		"writes what passes a device to a pcapng file of the host, or lists what is" },
	[UMF_V_DEVICES] = { "devices", "", "prints the devices rules can name" },
	[UMF_V_TIME] = { "time", "",
		"prints the guest's clock, as events and at= have it: seconds since boot" },
	[UMF_V_HELP] = { "help", "[<action>]", "prints verbs, or an action's keys" },
};

static bool has_key(const u8 *keys, enum umf_key key)
{
	while (keys && *keys != UMF_K_MAX)
		if (*keys++ == key)
			return true;
	return false;
}

bool umf_action_takes(const struct umf_action *action, enum umf_key key)
{
	return has_key(action->keys, key);
}

bool umf_action_needs(const struct umf_action *action, enum umf_key key)
{
	return has_key(action->need, key);
}

static bool word_is(const char *name, const char *word, size_t len)
{
	return strlen(name) == len && !memcmp(name, word, len);
}

int umf_param_find(const char *word, size_t len)
{
	int i;

	for (i = 0; i < UMF_K_MAX; i++)
		if (word_is(umf_params[i].name, word, len))
			return i;
	return -1;
}

const char *umf_class_name(u64 classes)
{
	static const char *const names[UMF_CLASSES] = {
		"net", "blk", "tty", "node"
	};
	int i;

	for (i = 0; i < UMF_CLASSES; i++)
		if (classes & BIT_ULL(i))
			return names[i];
	return "?";
}

int umf_action_find(const char *word, size_t len, u64 class)
{
	int i;

	for (i = 0; i < UMF_A_MAX; i++)
		if ((umf_actions[i].classes & class) &&
		    word_is(umf_actions[i].name, word, len))
			return i;
	return -1;
}

int umf_verb_find(const char *word, size_t len)
{
	int i;

	for (i = 0; i < UMF_V_MAX; i++)
		if (word_is(umf_verbs[i].name, word, len))
			return i;
	return -1;
}
