/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers with units as the fault grammar writes them, read on the host. */
#ifndef __UMF_UNITS_H
#define __UMF_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* A whole number, decimal or 0x…. */
bool units_u64(const char *word, uint64_t *val);
/* "250us", "1.5s", …; without a unit only if @seconds, then in seconds. */
bool units_time(const char *word, bool seconds, uint64_t *ns);
/* "10%", "0.1", "1e-6", "20ppm", "5ppb": 0 to 1. */
bool units_prob(const char *word, double *prob);

#endif /* __UMF_UNITS_H */
