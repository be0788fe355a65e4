// SPDX-License-Identifier: GPL-2.0
/*
 * Writes the manual page and the completions from the grammar's tables: copies
 * a template, and where a line is @NAME@ puts the table of that name. How a
 * table looks depends on what is written: man, bash or zsh.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fault/params.h"

/* By the bit of UMF_CLASS_…; a class without a row stops the build. */
static const struct class {
	const char *title;
	const char *device;		/* how names of its devices begin */
} classes[] = {
	{ "Actions on network interfaces (eth0)", "eth" },
	{ "Actions on disks (umfa)", "umf" },
	{ "Actions on serial lines (ttyS0)", "ttyS" },
	{ "Actions on the guest itself (node)", "node" },
};

#define NR_CLASSES	((int)(sizeof(classes) / sizeof(*classes)))

static uint64_t classes_used(void)
{
	uint64_t used = 0;
	int i;

	for (i = 0; i < UMF_A_MAX; i++)
		used |= umf_actions[i].classes;
	return used;
}

/* The first action of its name? Devices of several classes share names. */
static int is_first(int action)
{
	int i;

	for (i = 0; i < action; i++)
		if (!strcmp(umf_actions[i].name, umf_actions[action].name))
			return 0;
	return 1;
}

/* ---- manual page: man(7) ---- */

static void roff_char(char c)
{
	static const char special[] = "-\\'\"^~";
	static const char *const names[] = {
		"\\-", "\\e", "\\(aq", "\\(dq", "\\(ha", "\\(ti"
	};
	const char *found = strchr(special, c);

	if (found)
		fputs(names[found - special], stdout);
	else
		putchar(c);
}

/* Text in which every character stands for itself. */
static void roff(const char *text)
{
	while (*text)
		roff_char(*text++);
}

/* A sentence on lines of its own, cut at blanks as it gets long. */
static void __attribute__((format(printf, 1, 2))) sentence(const char *fmt, ...)
{
	char text[1024], *p;
	int column = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (p = text; *p; p++, column++) {
		if (*p == ' ' && column + strcspn(p + 1, " ") > 66) {
			/* a word that would look like a request */
			printf("\n%s", p[1] == '.' ? "\\&" : "");
			column = 0;
		} else {
			roff_char(*p);
		}
	}
	printf(".\n");
}

/* ~0 >> 1 and the like are not meant to be read out. */
static const char *number(uint64_t n, char buf[32])
{
	if (n == UINT64_MAX)
		return "2^64 - 1";
	if (n == UINT64_MAX >> 1)
		return "2^63 - 1";
	snprintf(buf, 32, "%" PRIu64, n);
	return buf;
}

static const char *duration(uint64_t ns, char buf[32])
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "s", 1000000000 }, { "ms", 1000000 }, { "us", 1000 },
		      { "ns", 1 } };
	size_t i = 0;

	while (ns % units[i].ns)
		i++;
	snprintf(buf, 32, "%" PRIu64 "%s", ns / units[i].ns, units[i].name);
	return buf;
}

static void range(const struct umf_param *param)
{
	char a[32], b[32];

	switch (param->type) {
	case UMF_T_U64:
	case UMF_T_RANGE:
		sentence("From %s to %s", number(param->min, a),
			 number(param->max, b));
		break;
	case UMF_T_TIME:
	case UMF_T_STEP:
	case UMF_T_SPAN:
	case UMF_T_AT:
		sentence("From %s to %s", duration(param->min, a),
			 duration(param->max, b));
		break;
	case UMF_T_PROB:
	case UMF_T_BURST:
		sentence("From 0 to 1, in steps of 10^-9");
		break;
	case UMF_T_ID:
		sentence("At most %d letters, digits and _ . -, the first a letter or _",
			 UMF_ID_LEN - 1);
		break;
	default:
		break;
	}
}

/* On which devices there is such a key, unless on all. */
static void man_users(int key)
{
	uint64_t users = 0;
	char list[128] = "";
	int i;

	for (i = 0; i < UMF_A_MAX; i++)
		if (umf_action_takes(&umf_actions[i], key))
			users |= umf_actions[i].classes;
	if (users == classes_used())
		return;
	for (i = 0; i < NR_CLASSES; i++) {
		if (!(users & BIT_ULL(i)))
			continue;
		if (*list)
			strcat(list, ", ");
		strcat(list, classes[i].device);
	}
	sentence("Only on %s", list);
}

static void man_group(enum umf_group group)
{
	int i;

	for (i = 0; i < UMF_K_MAX; i++) {
		if (umf_params[i].group != group)
			continue;
		printf(".TP\n.BI %s= \"", umf_params[i].name);
		roff(umf_params[i].form);
		printf("\"\n");
		sentence("%s", umf_params[i].help);
		range(&umf_params[i]);
		man_users(i);
	}
}

static void man_action(const struct umf_action *action)
{
	int key;

	printf(".TP\n.B %s\n", action->name);
	sentence("%s", action->help);
	printf("Takes");
	for (key = 0; key < UMF_K_MAX; key++)
		if (umf_action_takes(action, key))
			printf("\n%s%s", umf_params[key].name,
			       umf_action_needs(action, key) ? " (required)" : "");
	printf(".\n");
}

static void man_actions(void)
{
	int class, i;

	for (class = 0; class < NR_CLASSES; class++) {
		if (!(classes_used() & BIT_ULL(class)))
			continue;
		printf(".SS %s\n", classes[class].title);
		for (i = 0; i < UMF_A_MAX; i++)
			if (umf_actions[i].classes & BIT_ULL(class))
				man_action(&umf_actions[i]);
	}
}

static void man_verbs(void)
{
	int i;

	for (i = 0; i < UMF_V_MAX; i++) {
		printf(".TP\n.BR %s", umf_verbs[i].name);
		if (*umf_verbs[i].args) {
			printf(" \" ");
			roff(umf_verbs[i].args);
			putchar('"');
		}
		putchar('\n');
		sentence("%s", umf_verbs[i].help);
	}
}

static void man_filters(void)
{
	man_group(UMF_G_FILTER);
}

static void man_effects(void)
{
	man_group(UMF_G_EFFECT);
}

static void man_triggers(void)
{
	man_group(UMF_G_TRIGGER);
}

static void man_names(void)
{
	man_group(UMF_G_NAME);
}

/* ---- completions: words in a shell ---- */

static void sh_verbs(void)
{
	int i;

	printf("_mconsole_fault_verbs='");
	for (i = 0; i < UMF_V_MAX; i++)
		printf("%s ", umf_verbs[i].name);
	printf("wait expect'\n");
}

/* One row for each kind of device, one for all. */
static void sh_actions(void)
{
	int class, i, n;

	for (class = 0; class < NR_CLASSES; class++) {
		if (!(classes_used() & BIT_ULL(class)))
			continue;
		printf("\t%s*) echo '", classes[class].device);
		for (i = 0, n = 0; i < UMF_A_MAX; i++)
			if (umf_actions[i].classes & BIT_ULL(class))
				printf("%s%s", n++ ? " " : "",
				       umf_actions[i].name);
		printf("' ;;\n");
	}
	printf("\t*) echo '");
	for (i = 0, n = 0; i < UMF_A_MAX; i++)
		if (is_first(i))
			printf("%s%s", n++ ? " " : "", umf_actions[i].name);
	printf("' ;;\n");
}

/* Of device and action, with a blank between. */
static void sh_keys(void)
{
	int class, i, key, n;

	for (class = 0; class < NR_CLASSES; class++) {
		for (i = 0; i < UMF_A_MAX; i++) {
			if (!(umf_actions[i].classes & BIT_ULL(class)))
				continue;
			printf("\t%s*' %s') echo '", classes[class].device,
			       umf_actions[i].name);
			for (key = 0, n = 0; key < UMF_K_MAX; key++)
				if (umf_action_takes(&umf_actions[i], key))
					printf("%s%s=", n++ ? " " : "",
					       umf_params[key].name);
			printf("' ;;\n");
		}
	}
}

static void sh_values(void)
{
	const char *const *word;
	int key;

	for (key = 0; key < UMF_K_MAX; key++) {
		if (umf_params[key].type != UMF_T_WORD)
			continue;
		printf("\t%s) echo '", umf_params[key].name);
		for (word = umf_params[key].words; *word; word++)
			printf("%s%s", word == umf_params[key].words ? "" : " ",
			       *word);
		printf("' ;;\n");
	}
}

static const struct {
	const char *name;
	void (*man)(void);
	void (*shell)(void);
} tables[] = {
	{ "VERBS", man_verbs, sh_verbs },
	{ "ACTIONS", man_actions, sh_actions },
	{ "FILTERS", man_filters, NULL },
	{ "EFFECTS", man_effects, NULL },
	{ "TRIGGERS", man_triggers, NULL },
	{ "NAMES", man_names, NULL },
	{ "KEYS", NULL, sh_keys },
	{ "VALUES", NULL, sh_values },
	{ }
};

static int put_table(const char *line, int is_man)
{
	size_t len = strlen(line), i;
	void (*put)(void);

	for (i = 0; tables[i].name; i++) {
		if (strlen(tables[i].name) + 3 != len ||
		    strncmp(line + 1, tables[i].name, len - 3))
			continue;
		put = is_man ? tables[i].man : tables[i].shell;
		if (!put)
			break;
		put();
		return 0;
	}
	fprintf(stderr, "gen: no such table: %s", line);
	return -1;
}

int main(int argc, char **argv)
{
	char line[1024];
	size_t len;
	int is_man;

	if (argc != 2 || (strcmp(argv[1], "man") && strcmp(argv[1], "bash") &&
			  strcmp(argv[1], "zsh"))) {
		fprintf(stderr, "Usage: gen man|bash|zsh <template\n");
		return 2;
	}
	if (classes_used() >> NR_CLASSES) {
		fprintf(stderr, "gen: a device class has no row in classes[]\n");
		return 1;
	}
	is_man = !strcmp(argv[1], "man");
	while (fgets(line, sizeof(line), stdin)) {
		len = strlen(line);
		if (len > 3 && line[0] == '@' && line[len - 2] == '@') {
			if (put_table(line, is_man))
				return 1;
		} else {
			fputs(line, stdout);
		}
	}
	return fclose(stdout) ? 1 : 0;
}
