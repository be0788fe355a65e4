// SPDX-License-Identifier: GPL-2.0
/*
 * Variables of a lab file: ${name} is the value of
 *
 *	--set name=value	on the command line, or else
 *	umf-lab.set		"<name>\t<value>" a line, which pack wrote beside the
 *				lab file: what the lab was given where it was packed
 *	set name = value	in the lab file
 *
 * and ${env:NAME} that of the environment (or umf-lab.set): a lab depends on that
 * where its file says so, and nowhere else. What was given and nothing uses is an
 * error; what only a file sets need not be used.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/xalloc.h"
#include "lab.h"

#define ENVIRONMENT	"env:"

static struct var {
	char *name, *value;
	enum { GIVEN, PACKED, IN_FILE, FROM_ENV } from;
	bool used;
	const void *file;	/* IN_FILE: whose `set` it is */
	char *where;		/* … and "<file>:<line>" */
} *vars;
static size_t nr_vars;

static struct var *find(const char *name)
{
	size_t i;

	for (i = 0; i < nr_vars; i++)
		if (!strcmp(vars[i].name, name))
			return &vars[i];
	return NULL;
}

static struct var *add(const char *name, const char *value, int from)
{
	vars = xrealloc(vars, (nr_vars + 1) * sizeof(*vars));
	vars[nr_vars] = (struct var){
		.name = xstrdup(name), .value = xstrdup(value), .from = from
	};
	return &vars[nr_vars++];
}

bool var_name_is_good(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	while (isalnum((unsigned char)*name) || (*name && strchr("_-", *name)))
		name++;
	return !*name;
}

void var_give(const char *text)
{
	char *name = xstrdup(text), *value = strchr(name, '=');
	struct var *var;

	if (!value)
		die(LAB_USAGE, "--set %s: must be <name>=<value>", text);
	*value++ = '\0';
	if (!var_name_is_good(name))
		die(LAB_USAGE, "--set %s: a name has letters, digits, - and _, and no digit first",
		    text);
	if (!strcmp(name, VAR_NUMBER))
		die(LAB_USAGE, "--set %s: ${%s} is a guest's number in guest <name>[1-32]",
		    text, VAR_NUMBER);
	if (strchr(value, '\n'))
		die(LAB_USAGE, "--set %s: a value is one line", name);
	var = find(name) ?: add(name, value, GIVEN);
	free(var->value);
	var->value = xstrdup(value);	/* the last one counts */
	free(name);
}

bool var_given(void)
{
	return nr_vars && vars[0].from == GIVEN;
}

void var_read_packed(const char *folder)
{
	char *path = xasprintf("%s/umf-lab.set", folder), *line = NULL, *tab;
	FILE *in = fopen(path, "re");
	size_t size = 0;

	while (in && getline(&line, &size, in) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		tab = strchr(line, '\t');
		if (!tab)
			continue;
		*tab = '\0';
		if (!find(line))
			add(line, tab + 1, PACKED);
	}
	if (in)
		fclose(in);
	free(line);
	free(path);
}

bool var_write_packed(FILE *out)
{
	size_t i;

	for (i = 0; i < nr_vars; i++)
		if (vars[i].used && vars[i].from != IN_FILE)
			fprintf(out, "%s\t%s\n", vars[i].name, vars[i].value);
	return !ferror(out);
}

const void *var_owner(const char *name, const char **where)
{
	struct var *var = find(name);

	if (!var || var->from != IN_FILE)
		return NULL;
	*where = var->where;
	return var->file;
}

void var_set(const char *name, const char *value, const void *file, const char *where)
{
	struct var *var = find(name);

	if (var)
		return;
	var = add(name, value, IN_FILE);
	var->file = file;
	var->where = xstrdup(where);
}

const char *var_value(const char *name)
{
	bool env = !strncmp(name, ENVIRONMENT, strlen(ENVIRONMENT));
	struct var *var = find(name);
	const char *value;

	if (!var && env) {
		value = getenv(name + strlen(ENVIRONMENT));
		if (value && !strchr(value, '\n'))
			var = add(name, value, FROM_ENV);
	}
	if (!var)
		return NULL;
	var->used = true;
	return var->value;
}

const char *var_wrong(const char *name)
{
	bool env = !strncmp(name, ENVIRONMENT, strlen(ENVIRONMENT));

	if (env && getenv(name + strlen(ENVIRONMENT)))
		return "the environment's value is not one line";
	if (env)
		return "it is not in the environment";
	if (!strcmp(name, VAR_NUMBER))
		return "is a guest's number, in a guest <name>[1-32] only";
	if (!var_name_is_good(name))
		return "is no variable's name; a $ that means itself is \\$, or in single quotes";
	if (getenv(name))
		return xasprintf("no such variable; ${env:%s} is the environment's", name);
	return "no such variable; --set, or a `set` above, gives it a value";
}

const char *var_unused(void)
{
	size_t i;

	for (i = 0; i < nr_vars; i++)
		if (vars[i].from == GIVEN && !vars[i].used)
			return vars[i].name;
	return NULL;
}
