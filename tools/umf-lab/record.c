// SPDX-License-Identifier: GPL-2.0
/*
 * The record: what a lab is, as `up` found it in the lab file, so that nothing
 * that runs depends on what the file says later. JSON; the tables below are its
 * format, and what is written is read by them.
 *
 *	<live folder>/lab.json		the lab that is up
 *	<run folder>/umf-lab.json	{ "lab": the one that was last up, … }; made.c
 *
 * Numbers that may be above 2^53 are strings. What processes a guest has is in
 * files of their own (state.c): they come and go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define RECORD_VERSION	1

struct field {
	const char *name;
	enum { STRING, FLAG, NUMBER, BIG, LIST, PARTS } kind;
	size_t at;
	/* PARTS: an array of structs */
	size_t nr_at, size;
	const struct field *fields;
};

#define FIELD(type, member, what) \
	{ .name = #member, .kind = what, .at = offsetof(struct type, member) }
#define WORD_FIELD(section, word)	FIELD(section, word, STRING),
#define FLAG_FIELD(section, word)	FIELD(section, word, FLAG),
#define ARRAY(type, member, nr, part, of) \
	{ .name = #member, .kind = PARTS, .at = offsetof(struct type, member), \
	  .nr_at = offsetof(struct type, nr), .size = sizeof(struct part), .fields = of }

static const struct field nic_fields[] = {
	FIELD(nic, name, STRING), FIELD(nic, segment, STRING),
	FIELD(nic, latency, STRING),
	NIC_WORDS(WORD_FIELD) FIELD(nic, ip, LIST), { }
};

static const struct field serial_fields[] = {
	FIELD(serial, name, STRING), FIELD(serial, link, STRING),
	FIELD(serial, transport, STRING), SERIAL_WORDS(WORD_FIELD) { }
};

static const struct field disk_fields[] = {
	FIELD(disk, name, STRING), FIELD(disk, image, STRING),
	FIELD(disk, backing, STRING), FIELD(disk, in_run, FLAG),
	FIELD(disk, size, BIG), FIELD(disk, log, STRING),
	DISK_WORDS(WORD_FIELD) DISK_FLAGS(FLAG_FIELD) FIELD(disk, cow, FLAG),
	FIELD(disk, raw, FLAG), { }
};

static const struct field share_fields[] = {
	FIELD(share, folder, STRING), FIELD(share, at, STRING),
	FIELD(share, ro, FLAG), { }
};

static const struct field guest_fields[] = {
	FIELD(guest_conf, name, STRING), FIELD(guest_conf, kernel, STRING),
	FIELD(guest_conf, kernel_said, STRING), FIELD(guest_conf, rootfs, STRING),
	FIELD(guest_conf, rootfs_disk, FLAG), FIELD(guest_conf, memory, STRING),
	FIELD(guest_conf, append, STRING), FIELD(guest_conf, setup, STRING),
	FIELD(guest_conf, cpu, NUMBER), FIELD(guest_conf, fault, LIST),
	ARRAY(guest_conf, nic, nr_nics, nic, nic_fields),
	ARRAY(guest_conf, serial, nr_serials, serial, serial_fields),
	ARRAY(guest_conf, disk, nr_disks, disk, disk_fields),
	ARRAY(guest_conf, share, nr_shares, share, share_fields), { }
};

static const struct field lab_fields[] = {
	FIELD(lab, name, STRING), FIELD(lab, path, STRING),
	FIELD(lab, folder, STRING), FIELD(lab, run, STRING),
	FIELD(lab, seed, BIG), FIELD(lab, fencing, FLAG), FIELD(lab, virtual, FLAG),
	FIELD(lab, kernel, STRING), FIELD(lab, segment, LIST),
	ARRAY(lab, guest, nr_guests, guest_conf, guest_fields), { }
};

/* ---- writing ---- */

static json_t *write_list(const struct strings *list)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; array && i < list->n; i++)
		if (json_array_append_new(array, json_string(list->s[i]))) {
			json_decref(array);
			array = NULL;
		}
	return array;
}

static json_t *write_fields(const struct field *field, const char *from);

static json_t *write_parts(const struct field *field, const char *from)
{
	size_t i, n = *(const size_t *)(from + field->nr_at);
	const char *part = *(char *const *)(from + field->at);
	json_t *array = json_array();

	for (i = 0; array && i < n; i++, part += field->size)
		if (json_array_append_new(array, write_fields(field->fields, part))) {
			json_decref(array);
			array = NULL;
		}
	return array;
}

static json_t *write_field(const struct field *field, const char *from)
{
	const void *at = from + field->at;

	switch (field->kind) {
	case STRING:
		return json_string(*(char *const *)at);
	case FLAG:
		return json_boolean(*(const bool *)at);
	case NUMBER:
		return json_integer(*(const int *)at);
	case BIG:
		return json_sprintf("%" PRIu64, *(const uint64_t *)at);
	case LIST:
		return write_list(at);
	default:
		return write_parts(field, from);
	}
}

/* NULL: a text is not UTF-8. */
static json_t *write_fields(const struct field *field, const char *from)
{
	json_t *object = json_object();

	for (; object && field->name; field++) {
		if (field->kind == STRING && !*(char *const *)(from + field->at))
			continue;
		if (json_object_set_new(object, field->name, write_field(field, from))) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}

json_t *record_make(const struct lab *lab)
{
	json_t *record = write_fields(lab_fields, (const char *)lab);

	if (!record)
		say("%s: a name or path in it is not UTF-8, and a lab's record must be",
		    lab->file);
	else
		json_object_set_new(record, "version", json_integer(RECORD_VERSION));
	return record;
}

bool record_write(const json_t *record, const char *path)
{
	char *part = xasprintf("%s.part", path);
	bool ok;

	ok = !json_dump_file(record, part, JSON_INDENT(1)) && !rename(part, path);
	if (!ok) {
		say("%s: cannot be written: %m", part);
		unlink(part);
	}
	free(part);
	return ok;
}

bool record_save(const struct lab *lab)
{
	char *path = xasprintf("%s/lab.json", lab->live);
	json_t *record = record_make(lab);
	bool ok = record && record_write(record, path);

	json_decref(record);
	free(path);
	return ok;
}

/* ---- reading ---- */

static bool read_list(const json_t *array, struct strings *list)
{
	const json_t *value;
	size_t i;

	json_array_foreach(array, i, value) {
		if (!json_is_string(value))
			return false;
		strings_add(list, xstrdup(json_string_value(value)));
	}
	return json_is_array(array);
}

static bool read_fields(const struct field *field, const json_t *object, char *to);

static bool read_parts(const struct field *field, const json_t *array, char *to)
{
	size_t n = json_array_size(array), i;
	char *parts = xrealloc(NULL, n * field->size + 1);

	memset(parts, 0, n * field->size);
	*(char **)(to + field->at) = parts;
	*(size_t *)(to + field->nr_at) = n;
	for (i = 0; i < n; i++)
		if (!read_fields(field->fields, json_array_get(array, i),
				 parts + i * field->size))
			return false;
	return json_is_array(array);
}

static bool read_field(const struct field *field, const json_t *value, char *to)
{
	void *at = to + field->at;

	switch (field->kind) {
	case STRING:
		if (value)
			*(char **)at = xstrdup(json_string_value(value) ?: "");
		return !value || json_is_string(value);
	case FLAG:
		*(bool *)at = json_is_true(value);
		/* an older record has fewer */
		return !value || json_is_boolean(value);
	case NUMBER:
		*(int *)at = json_integer_value(value);
		return json_is_integer(value);
	case BIG:
		return json_is_string(value) && units_u64(json_string_value(value), at);
	case LIST:
		return read_list(value, at);
	default:
		return read_parts(field, value, to);
	}
}

static bool read_fields(const struct field *field, const json_t *object, char *to)
{
	bool ok = json_is_object(object);

	for (; ok && field->name; field++)
		ok = read_field(field, json_object_get(object, field->name), to);
	return ok;
}

/* What all the others build on must be there. */
static bool is_whole(const struct lab *lab)
{
	const struct guest_conf *guest = lab->guest;
	size_t i, k;
	bool ok = lab->name && lab->path && lab->folder && lab->run && lab->kernel;

	for (i = 0; ok && i < lab->nr_guests; i++, guest++) {
		ok = guest->name && name_is_good(guest->name) && guest->kernel &&
		     guest->kernel_said && guest->rootfs && guest->memory;
		for (k = 0; ok && k < guest->nr_nics; k++)
			ok = guest->nic[k].name && guest->nic[k].segment;
		for (k = 0; ok && k < guest->nr_serials; k++)
			ok = guest->serial[k].name &&
			     (guest->serial[k].link || guest->serial[k].transport);
		for (k = 0; ok && k < guest->nr_disks; k++)
			ok = guest->disk[k].name;
		for (k = 0; ok && k < guest->nr_shares; k++)
			ok = guest->share[k].folder && guest->share[k].at;
	}
	return ok;
}

/* A lab's folder that was copied or moved, run folder and all: its own files move along. */
static json_t *moved(const json_t *value, const char *from, const char *to)
{
	const char *text = json_string_value(value), *rest, *key;
	const json_t *part;
	json_t *copy;
	size_t i;

	if (text) {
		rest = path_below(text, from);
		return rest ? json_sprintf("%s/%s", to, rest) :
		       json_string(strcmp(text, from) ? text : to);
	}
	copy = json_copy((json_t *)value);
	json_array_foreach(value, i, part)
		json_array_set_new(copy, i, moved(part, from, to));
	json_object_foreach((json_t *)value, key, part)
		json_object_set_new(copy, key, moved(part, from, to));
	return copy;
}

json_t *record_move(const json_t *record, const char *run)
{
	const char *from = json_string_value(json_object_get(record, "folder"));
	const char *old = json_string_value(json_object_get(record, "run"));
	const char *name = from && old ? path_below(old, from) : NULL;
	size_t len = strlen(run), tail = name ? strlen(name) : 0;
	json_t *copy;
	char *to;

	if (!name || len <= tail + 1 || run[len - tail - 1] != '/' ||
	    strcmp(run + len - tail, name))
		return NULL;
	to = xstrndup(run, len - tail - 1);
	copy = moved(record, from, to);
	free(to);
	return copy;
}

bool record_take(struct lab *lab, const json_t *record)
{
	struct lab found = *lab;

	found.guest = NULL;
	found.nr_guests = 0;
	memset(&found.segment, 0, sizeof(found.segment));
	if (json_integer_value(json_object_get(record, "version")) != RECORD_VERSION ||
	    !read_fields(lab_fields, record, (char *)&found) || !is_whole(&found) ||
	    (lab->run && strcmp(found.run, lab->run)))
		return false;
	found.seeded = true;
	found.file = lab->file ?: found.path;
	*lab = found;
	return true;
}

bool record_read(struct lab *lab)
{
	char *path = xasprintf("%s/lab.json", lab->live);
	json_t *record = json_load_file(path, 0, NULL);
	bool ok = record && record_take(lab, record);

	json_decref(record);
	free(path);
	return ok;
}
