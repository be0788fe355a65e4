/* SPDX-License-Identifier: GPL-2.0 */
/* A guest's reply as JSON. */
#ifndef __UMF_RECORD_H
#define __UMF_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What a verb's reply becomes in JSON: an object for each line. */
typedef json_t *record_fn(const char *guest, const char *line);

record_fn *record_of(const char *verb);	/* NULL: it has no records */
record_fn record_stats, record_event;
/* Appends the objects of all of @reply to @array. */
void record_all(json_t *array, record_fn *record, const char *guest,
		const char *reply);
/* A JSON string of a guest's bytes, which need not be UTF-8. */
json_t *record_text(const char *text);
/*
 * A whole number: a JSON number as long as every reader of JSON has it exactly
 * (2^53), else its digits in a string.
 */
json_t *record_u64(uint64_t n);
json_t *record_number(const char *text);	/* what is none stays text */
/* Either of them again; false: there is none of that name. */
bool record_get(const json_t *object, const char *key, uint64_t *n);
void record_print(json_t *json);	/* one line; takes it over */

#endif /* __UMF_RECORD_H */
