// SPDX-License-Identifier: GPL-2.0
/*
 * A line of stats, events, devices or capture as a JSON object: first words that have
 * their place, then key=value. Keys a newer guest adds come through. A seed is
 * a string, however large: it is for being given back, not for reckoning.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fault/params.h"
#include "mconsole.h"
#include "record.h"
#include "units.h"
#include "words.h"
#include "xalloc.h"

json_t *record_text(const char *text)
{
	json_t *json = json_string(text);
	char *copy, *p;

	if (json)
		return json;
	copy = xstrdup(text);
	for (p = copy; *p; p++)
		if (*p & 0x80)
			*p = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

/* What a double holds exactly: jq, like JavaScript, has no other numbers. */
#define NUMBER_MAX	(1ULL << 53)

json_t *record_u64(uint64_t n)
{
	char digits[24];

	if (n <= NUMBER_MAX)
		return json_integer(n);
	snprintf(digits, sizeof(digits), "%" PRIu64, n);
	return json_string(digits);
}

json_t *record_number(const char *text)
{
	uint64_t n;

	return units_u64(text, &n) ? record_u64(n) : record_text(text);
}

bool record_get(const json_t *object, const char *key, uint64_t *n)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_string(value))
		return units_u64(json_string_value(value), n);
	*n = json_integer_value(value);
	return json_is_integer(value);
}

static void set_ns(json_t *object, const char *key, const char *seconds)
{
	char *name = xasprintf("%s_ns", key);
	uint64_t ns;

	if (units_time(seconds, true, &ns))
		json_object_set_new(object, name, record_u64(ns));
	else
		json_object_set_new(object, name, record_text(seconds));
	free(name);
}

static void set_pair(json_t *object, const char *key, char *value)
{
	char *at;

	if (!strcmp(key, "time")) {
		set_ns(object, key, value);
	} else if (!strcmp(key, "first") || !strcmp(key, "last")) {
		/* <seconds since boot>@<operation index> */
		at = strchr(value, '@');
		if (at) {
			char *name = xasprintf("%s_index", key);

			*at++ = '\0';
			json_object_set_new(object, name, record_number(at));
			free(name);
		}
		set_ns(object, key, value);
	} else if (!strcmp(key, "what") || !strcmp(key, "file") || !strcmp(key, "rule") ||
		   !strcmp(key, "device")) {
		json_object_set_new(object, key, record_text(value));
	} else {
		json_object_set_new(object, key, record_number(value));
	}
}

/* @places names the words without '=', in their order. */
static json_t *record(const char *guest, const char *line,
		      const char *const *places)
{
	json_t *object = json_pack("{so}", "guest", record_text(guest));
	struct words words = { 0 };
	char *value;
	size_t i;

	words_split(&words, line);
	for (i = 0; i < words.n; i++) {
		value = strchr(words.word[i], '=');
		if (*places) {
			json_object_set_new(object, *places++,
					    record_text(words.word[i]));
		} else if (value && words.word[i] != word_separator) {
			*value++ = '\0';
			set_pair(object, words.word[i], value);
		}
	}
	words_free(&words);
	return object;
}

json_t *record_stats(const char *guest, const char *line)
{
	static const char *const places[] = { "id", "device", "action", NULL };
	static const char *const fire[] = { "first_ns", "first_index",
					    "last_ns", "last_index" };
	json_t *object = record(guest, line, places);
	size_t i;

	for (i = 0; i < sizeof(fire) / sizeof(*fire); i++)
		if (!json_object_get(object, fire[i]))
			json_object_set_new(object, fire[i], json_null());
	return object;
}

json_t *record_event(const char *guest, const char *line)
{
	static const char *const places[] = { NULL };

	return record(guest, line, places);
}

static json_t *record_device(const char *guest, const char *line)
{
	static const char *const places[] = { "device", "class", NULL };

	return record(guest, line, places);
}

static json_t *record_capture(const char *guest, const char *line)
{
	static const char *const places[] = { "device", NULL };

	return record(guest, line, places);
}

record_fn *record_of(const char *verb)
{
	switch (umf_verb_find(verb, strlen(verb))) {
	case UMF_V_STATS:
		return record_stats;
	case UMF_V_EVENTS:
		return record_event;
	case UMF_V_DEVICES:
		return record_device;
	case UMF_V_CAPTURE:
		return record_capture;
	default:
		return NULL;
	}
}

struct record_all {
	json_t *array;
	record_fn *record;
	const char *guest;
};

static void one_line(char *line, void *data)
{
	struct record_all *all = data;

	json_array_append_new(all->array, all->record(all->guest, line));
}

void record_all(json_t *array, record_fn *record, const char *guest,
		const char *reply)
{
	struct record_all all = { array, record, guest };

	mconsole_lines(reply, one_line, &all);
}

void record_print(json_t *json)
{
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
}
