/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a healthy kernel never prints: extended regular expressions, which Perl reads as
 * well (tests/lib/scan-log takes the list from here).
 */
#ifndef __UMF_LAB_SPLATS_H
#define __UMF_LAB_SPLATS_H

static const char * const splats[] = {
	"WARNING:", "BUG:", "Oops", "KASAN:", "UBSAN:", "KCSAN:", "KFENCE:", "kernel BUG at",
	"Call Trace", "Kernel panic", "Kernel mode (fault|signal)", "general protection fault",
	"possible (recursive|circular) locking", "inconsistent lock state",
	"possible irq lock inversion", "suspicious RCU usage", "DEBUG_LOCKS_WARN_ON",
	"bad unlock balance", "lock held when returning",
	"INFO: task .* blocked for more than", "blocked for more than [0-9]+ seconds",
	"stalls on CPUs", "rcu.*(detected|self-detected) stall", "soft lockup", "hard LOCKUP",
	"unreferenced object", "new suspected memory leaks", "list_(add|del) corruption",
	"refcount_t:", "sleeping function called from invalid context",
	"scheduling while atomic", "nobody cared", "unregister_netdevice: waiting",
	"NETDEV WATCHDOG", "ODEBUG:", "BUG kmalloc", "page allocation failure",
	"Objects remaining", "still has locks held",
};

#endif /* __UMF_LAB_SPLATS_H */
