/* SPDX-License-Identifier: GPL-2.0 */
/* umf-lab events: what its files share. Times are CLOCK_REALTIME in ns. */
#ifndef __UMF_LAB_EVENTS_H
#define __UMF_LAB_EVENTS_H

#include <jansson.h>
#include "lab.h"

enum event_source { EVENT_FAULT, EVENT_KERNEL, EVENT_POWER, EVENT_NODE };

/* ---- events.c ---- */

/*
 * One line, from any thread. @also: another guest it is about, or NULL. @json,
 * which is taken over and may be NULL, has more fields.
 */
void event_add(int64_t utc, enum event_source source, const char *guest,
	       const char *also, const char *event, const char *text, json_t *json);
/* CLOCK_MONOTONIC as CLOCK_REALTIME, by what lies between them now; or lab_now() as utc_now(). */
int64_t event_utc(int64_t monotonic);
int64_t event_clock(void);	/* lab_now() */

/* ---- event_log.c: the files that are written line by line ---- */

struct event_logs;

struct event_logs *event_logs_open(const struct lab *lab, bool kernel);
void event_logs_read(struct event_logs *logs);	/* what has come */

/* ---- event_rule.c: guests' rules and what they do ---- */

/* A thread for each guest; @follow: until the tool ends, else for one look. */
void event_rules_start(const struct lab *lab, struct guest_conf **list, size_t n, bool follow);
/* Until all have had a look, or a time of now_ns(), or a signal. */
void event_rules_wait(int64_t until, const sigset_t *open);
/* The host's time when the clock of a kernel that booted after @since was 0; false: unknown. */
bool event_rules_boot(const char *guest, int64_t since, int64_t *utc);

#endif /* __UMF_LAB_EVENTS_H */
