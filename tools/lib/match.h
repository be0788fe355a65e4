/* SPDX-License-Identifier: GPL-2.0 */
/*
 * match=: a pcap filter of a fault rule, which the tools compile. A guest knows
 * only bpf=, and keeps the filter for display.
 */
#ifndef __UMF_MATCH_H
#define __UMF_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include "words.h"

#define MATCH	"match="

/* Is there a bpf= in the statement whose words begin at @i? Both stand then, as in a line of list. */
bool match_has_bpf(const struct words *words, size_t i);
/*
 * Appends "match=<filter>" and, but with @has_bpf, the program as "bpf=<text>". False, and what
 * is wrong in *@why, which is the caller's to free.
 */
bool match_add(struct words *out, const char *filter, bool has_bpf, char **why);

#endif /* __UMF_MATCH_H */
