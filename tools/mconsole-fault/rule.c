// SPDX-License-Identifier: GPL-2.0
/*
 * The reply to list as JSON. A rule's keys keep their names, in an object of
 * their own; a value has the type its row in fault/params.c gives it. Times
 * are whole nanoseconds, probabilities numbers from 0 to 1, seeds strings.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "fault/params.h"
#include "tool.h"

static json_t *time_json(const char *value)
{
	uint64_t ns;

	return units_time(value, false, &ns) ? record_u64(ns) : record_text(value);
}

static json_t *prob_json(const char *value)
{
	double prob;

	return units_prob(value, &prob) ? json_real(prob) : record_text(value);
}

static json_t *at_json(const char *value)
{
	bool relative = *value == '+';

	return json_pack("{so sb}", "ns", time_json(value + relative),
			 "relative", relative);
}

/* +T or -T, +P or -P */
static json_t *signed_json(const char *value, bool time)
{
	uint64_t ns;
	double prob;
	int sign = *value == '-' ? -1 : 1;

	if (time && units_time(value + 1, false, &ns) && ns <= 1ULL << 53)
		return json_integer(sign * (json_int_t)ns);
	if (!time && units_prob(value + 1, &prob))
		return json_real(sign * prob);
	return record_text(value);
}

/* A, A-B or A+N */
static json_t *range_json(const char *value)
{
	size_t len = strcspn(value, "-+");
	char *first = xstrndup(value, len);
	uint64_t a, b = 0;
	json_t *json;
	bool ok;

	ok = units_u64(first, &a);
	if (value[len])
		ok = units_u64(value + len + 1, &b) && ok;
	if (!value[len])
		b = a;
	else if (value[len] == '+')
		b = a + b - 1;
	free(first);
	json = ok ? json_pack("{so so}", "first", record_u64(a), "last",
			      record_u64(b)) : record_text(value);
	return json;
}

/* T or T,T */
static json_t *span_json(const char *value)
{
	size_t len = strcspn(value, ",");
	char *first = xstrndup(value, len);
	json_t *json;

	json = json_pack("{so so}", "first_ns", time_json(first), "last_ns",
			 time_json(value[len] ? value + len + 1 : first));
	free(first);
	return json;
}

static json_t *burst_json(const char *value)
{
	static const char *const names[] = { "p_bad", "p_good", "loss_bad",
					     "loss_good" };
	char *copy = xstrdup(value), *pos = copy, *next;
	json_t *json = json_object();
	size_t i;

	for (i = 0; i < 4 && (next = strsep(&pos, ",")); i++)
		json_object_set_new(json, names[i], prob_json(next));
	free(copy);
	return json;
}

static json_t *param_json(const char *key, const char *value)
{
	int id = umf_param_find(key, strlen(key));
	json_t *json = NULL;

	switch (id < 0 ? UMF_T_TEXT : umf_params[id].type) {
	case UMF_T_U64:
		json = id == UMF_K_SEED ? record_text(value) : record_number(value);
		break;
	case UMF_T_TIME:
		json = time_json(value);
		break;
	case UMF_T_PROB:
		json = prob_json(value);
		break;
	case UMF_T_AT:
		json = at_json(value);
		break;
	case UMF_T_STEP:
	case UMF_T_DRIFT:
		json = signed_json(value, umf_params[id].type == UMF_T_STEP);
		break;
	case UMF_T_RANGE:
		json = range_json(value);
		break;
	case UMF_T_SPAN:
		json = span_json(value);
		break;
	case UMF_T_BURST:
		json = burst_json(value);
		break;
	case UMF_T_ID:
	case UMF_T_WORD:
	case UMF_T_WORDS:
	case UMF_T_MAC:
	case UMF_T_BPF:
	case UMF_T_TEXT:
	case UMF_T_SIZE:
	case UMF_T_RATE:
		break;
	}
	return json ? json : record_text(value);
}

static json_t *rule_json(const char *guest, const struct words *words,
			 const char *line)
{
	json_t *params = json_object();
	const char *id = "";
	char *value;
	size_t i;

	for (i = 3; i < words->n; i++) {
		value = strchr(words->word[i], '=');
		if (words->word[i] == word_separator || !value)
			continue;
		*value++ = '\0';
		if (!strcmp(words->word[i], umf_params[UMF_K_ID].name))
			id = value;
		else
			json_object_set_new(params, words->word[i],
					    param_json(words->word[i], value));
	}
	return json_pack("{so so so so sb so so}",
			 "guest", record_text(guest),
			 "id", record_text(id),
			 "device", record_text(words->word[1]),
			 "action", record_text(words->word[2]),
			 "suspended", 0,
			 "params", params,
			 "line", record_text(line));
}

struct rule_list {
	json_t *array;
	size_t from;		/* where this guest's begin */
	const char *guest;
};

static void suspend(const struct rule_list *list, const char *id)
{
	const char *name;
	json_t *rule;
	size_t i;

	json_array_foreach(list->array, i, rule) {
		name = json_string_value(json_object_get(rule, "id"));
		if (i >= list->from && name && !strcmp(name, id))
			json_object_set_new(rule, "suspended", json_true());
	}
}

static void one_line(char *line, void *data)
{
	struct rule_list *list = data;
	struct words words = { 0 };
	const char *verb;

	words_split(&words, line);
	verb = words.n ? words.word[0] : "";
	switch (umf_verb_find(verb, strlen(verb))) {
	case UMF_V_SEED:
		if (words.n > 1)
			json_array_append_new(list->array,
				json_pack("{so so}",
					  "guest", record_text(list->guest),
					  "seed", record_text(words.word[1])));
		break;
	case UMF_V_ADD:
		if (words.n > 2)
			json_array_append_new(list->array,
				rule_json(list->guest, &words, line));
		break;
	case UMF_V_SUSPEND:
		if (words.n > 1)
			suspend(list, words.word[1]);
		break;
	}
	words_free(&words);
}

void rule_list(json_t *array, const char *guest, const char *reply)
{
	struct rule_list list = { array, json_array_size(array), guest };

	mconsole_lines(reply, one_line, &list);
}
