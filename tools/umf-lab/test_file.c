// SPDX-License-Identifier: GPL-2.0
/*
 * The .test file. libconfuse reads it, and each value comes here in the moment it was
 * read, as those of a lab file do (config.c): what is wrong is told with line and column,
 * and ends the tool. What needs the lab is looked at when both have been read.
 */
#define _GNU_SOURCE
#include <confuse.h>
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "test.h"

#define SECOND		1000000000LL
#define EVERY		SECOND
#define LIMIT		(10 * SECOND)
#define SHORTEST	(SECOND / 2)
#define LONGEST		(10 * SECOND)
#define BACK		(5 * SECOND)

struct said {
	char *word;
	int line;
};

static struct {
	struct test *test;
	const char *file;	/* as given */
	char *text;
	struct check check;
	struct said on[NR_KINDS][64], capture[64];
	size_t nr_on[NR_KINDS], nr_capture;
	int faults_line, kind_line[NR_KINDS];
	bool budget[NR_KINDS];
	cfg_opt_t *seen[1024];
	size_t nr_seen;
} now;

static const char * const roles[NR_CHECK_ROLES] = {
	[CHECK_FIRST] = "first", [CHECK_ALWAYS] = "always", [CHECK_FINALLY] = "finally",
	[CHECK_SOMETIMES] = "sometimes", [CHECK_LOAD] = "load",
};

/* ---- what is wrong, and where ---- */

/* From 1; 0: it is not in that line. */
static size_t column_of(int line, const char *word)
{
	size_t len = word ? strlen(word) : 0;
	const char *begin = now.text, *end, *at;

	while (begin && --line > 0) {
		begin = strchr(begin, '\n');
		begin += !!begin;
	}
	if (!begin || !len)
		return 0;
	end = strchrnul(begin, '\n');
	for (at = begin; (at = memmem(at, end - at, word, len)); at++)
		if ((at == begin || !isalnum((unsigned char)at[-1])) &&
		    (at + len == end || !isalnum((unsigned char)at[len])))
			return at - begin + 1;
	return 0;
}

__attribute__((noreturn))
static void vwrong(int line, const char *word, const char *fmt, va_list ap)
{
	size_t column = column_of(line, word);

	fprintf(stderr, "%s:%d:", now.file, line);
	if (column)
		fprintf(stderr, "%zu:", column);
	fputc(' ', stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	exit(LAB_USAGE);
}

__attribute__((noreturn, format(printf, 3, 4)))
static void wrong_at(int line, const char *word, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwrong(line, word, fmt, ap);
}

__attribute__((noreturn, format(printf, 3, 4)))
static void wrong(cfg_t *cfg, const char *word, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwrong(cfg->line, word, fmt, ap);
}

/* libconfuse's own words name the word at fault in quotes. */
static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char *text = xvasprintf(fmt, ap), *from, *to, *word = NULL;

	from = strchr(text, '\'');
	to = from ? strchr(from + 1, '\'') : NULL;
	if (to)
		word = xstrndup(from + 1, to - from - 1);
	if (!strcmp(text, "unexpected token ','"))
		wrong(cfg, NULL, "a value with a comma stands in quotes");
	if (word && !strncmp(text, "no such option", 14))
		wrong(cfg, word, "%s: no such word here", word);
	wrong(cfg, word, "%s", text);
}

/* ---- values ---- */

static int64_t parse_time(cfg_t *cfg, const char *key, const char *value, int64_t least)
{
	uint64_t ns;

	if (!units_time(value, false, &ns) || ns > (uint64_t)INT64_MAX / 16)
		wrong(cfg, value, "%s = %s: must be a time, as 500ms, 5s or 2m", key, value);
	if ((int64_t)ns < least)
		wrong(cfg, value, "%s = %s: must be at least %g s", key, value, least / 1e9);
	return ns;
}

static unsigned int parse_count(cfg_t *cfg, const char *key, const char *value)
{
	uint64_t n;

	if (!units_u64(value, &n) || n > 100)
		wrong(cfg, value, "%s = %s: must be a whole number, 0 to 100", key, value);
	return n;
}

static char *need_file(cfg_t *cfg, const char *key, const char *value)
{
	char *path = *value == '/' ? xstrdup(value) :
				     xasprintf("%s/%s", now.test->folder, value);
	struct stat st;

	if (stat(path, &st))
		wrong(cfg, value, "%s = %s: %s: %s", key, value, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		wrong(cfg, value, "%s = %s: %s: is no file", key, value, path);
	return path;
}

static void remember(cfg_t *cfg, struct said *list, size_t *n, size_t max, const char *word)
{
	if (*n == max)
		wrong(cfg, word, "%s: more than %zu are too many", word, max);
	list[(*n)++] = (struct said) { xstrdup(word), cfg->line };
}

static void set_top(cfg_t *cfg, const char *key, const char *value)
{
	char *why;

	if (!strcmp(key, "lab")) {
		now.test->lab_path = need_file(cfg, key, value);
	} else if (!strcmp(key, "time")) {
		if (!strcmp(value, "virtual"))
			wrong(cfg, value, "time = virtual: is not there yet; time = real is");
		if (strcmp(value, "real"))
			wrong(cfg, value, "time = %s: must be real", value);
	} else if (!strcmp(key, "timeline")) {
		now.test->timeline = need_file(cfg, key, value);
	} else if (!strcmp(key, "heal")) {
		now.test->heal = parse_time(cfg, key, value, 0);
	} else if (!strcmp(key, "allow")) {
		why = splat_wrong(value);
		if (why)
			wrong(cfg, value, "allow = '%s': %s", value, why);
		strings_add(&now.test->allow, xstrdup(value));
	} else if (!strcmp(key, "capture")) {
		remember(cfg, now.capture, &now.nr_capture, 64, value);
	}
}

static void set_check(cfg_t *cfg, const char *key, const char *value)
{
	struct check *check = &now.check;

	if (!strcmp(key, "run")) {
		if (!*value)
			wrong(cfg, key, "run: is empty");
		check->run = xstrdup(value);
	} else if (!strcmp(key, "on")) {
		check->on = xstrdup(value);
		check->line = cfg->line;
	} else if (!strcmp(key, "every")) {
		check->every = parse_time(cfg, key, value, SECOND / 100);
	} else if (!strcmp(key, "within")) {
		check->within = parse_time(cfg, key, value, 0);
	} else if (!strcmp(key, "limit")) {
		check->limit = parse_time(cfg, key, value, SECOND / 10);
	}
}

static void set_faults(cfg_t *cfg, const char *key, const char *value)
{
	struct space *space = &now.test->space;

	if (!strcmp(key, "from"))
		space->from = parse_time(cfg, key, value, 0);
	else if (!strcmp(key, "for"))
		space->length = parse_time(cfg, key, value, SECOND);
	else if (!strcmp(key, "shortest"))
		space->shortest = parse_time(cfg, key, value, SECOND / 100);
	else
		space->longest = parse_time(cfg, key, value, SECOND / 100);
}

static int kind_of(const char *name)
{
	int kind;

	for (kind = 0; kind < NR_KINDS; kind++)
		if (!strcmp(kind_names[kind], name))
			return kind;
	return -1;
}

static void set_budget(cfg_t *cfg, const char *key, const char *value)
{
	struct space *space = &now.test->space;

	if (!strcmp(key, "back")) {
		space->back = parse_time(cfg, key, value, 0);
	} else if (!strcmp(key, "any")) {
		space->any = parse_count(cfg, key, value);
	} else {
		space->budget[kind_of(key)] = parse_count(cfg, key, value);
		now.budget[kind_of(key)] = true;
	}
}

static const char *all_actions(enum kind kind)
{
	char *text = NULL;
	size_t len, i;
	FILE *out = open_memstream(&text, &len);

	for (i = 0; i < nr_actions; i++)
		if (actions[i].kind == kind)
			fprintf(out, "%s%s", ftello(out) ? ", " : "", actions[i].name);
	fclose(out);
	return text;
}

static void set_kind(cfg_t *cfg, enum kind kind, const char *key, const char *value)
{
	size_t i;

	if (!strcmp(key, "on")) {
		remember(cfg, now.on[kind], &now.nr_on[kind], 64, value);
		return;
	}
	for (i = 0; i < nr_actions; i++)
		if (actions[i].kind == kind && !strcmp(actions[i].name, value))
			break;
	if (i == nr_actions)
		wrong(cfg, value, "actions: %s: of a %s they are %s", value, kind_names[kind],
		      all_actions(kind));
	if (now.test->space.chosen[i])
		wrong(cfg, value, "actions: %s: is named twice", value);
	now.test->space.chosen[i] = true;
}

/* A value may be given once in a section. */
static void only_once(cfg_t *cfg, cfg_opt_t *opt)
{
	size_t i;

	if (opt->flags & CFGF_LIST)
		return;
	for (i = 0; i < now.nr_seen; i++)
		if (now.seen[i] == opt)
			wrong(cfg, opt->name, "%s: is given twice", opt->name);
	if (now.nr_seen < sizeof(now.seen) / sizeof(*now.seen))
		now.seen[now.nr_seen++] = opt;
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	int kind = kind_of(cfg->name);

	*(const char **)result = value;
	only_once(cfg, opt);
	if (!strcmp(cfg->name, "faults"))
		set_faults(cfg, opt->name, value);
	else if (!strcmp(cfg->name, "budget"))
		set_budget(cfg, opt->name, value);
	else if (kind >= 0)
		set_kind(cfg, kind, opt->name, value);
	else if (cfg->title)
		set_check(cfg, opt->name, value);
	else
		set_top(cfg, opt->name, value);
	return 0;
}

/* ---- ends of sections ---- */

static cfg_t *last_section(cfg_opt_t *opt)
{
	return cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
}

static enum check_role role_of(const char *name)
{
	enum check_role role = 0;

	while (strcmp(roles[role], name))
		role++;
	return role;
}

static int end_check(cfg_t *parent, cfg_opt_t *opt)
{
	cfg_t *cfg = last_section(opt);
	struct check *check = &now.check, *old;
	struct test *test = now.test;
	bool by_guest;
	size_t i;

	(void)parent;
	check->role = role_of(cfg->name);
	by_guest = check->role == CHECK_FIRST || check->role == CHECK_LOAD;
	if (!check->run)
		wrong(cfg, cfg->title, "%s %s: run = is missing", cfg->name, cfg->title);
	if (by_guest) {
		check->on = xstrdup(cfg->title);
		check->line = cfg->line;
		check->name = xasprintf("%s on %s", check->run, cfg->title);
	} else {
		check->name = xstrdup(cfg->title);
	}
	for (i = 0; i < test->nr_checks; i++) {
		old = &test->check[i];
		if (old->role == check->role && !strcmp(old->name, check->name))
			wrong(cfg, cfg->title, "%s %s: is there twice", cfg->name, cfg->title);
	}
	if (!*check->name || strpbrk(check->name, by_guest ? "" : "\n"))
		wrong(cfg, cfg->title, "%s: a name is one line", cfg->name);
	if (!check->every)
		check->every = EVERY;
	if (!check->limit && check->role != CHECK_LOAD)
		check->limit = LIMIT;
	test->check = xrealloc(test->check, (test->nr_checks + 1) * sizeof(*check));
	test->check[test->nr_checks++] = *check;
	memset(check, 0, sizeof(*check));
	return 0;
}

static int end_faults(cfg_t *parent, cfg_opt_t *opt)
{
	cfg_t *cfg = last_section(opt);

	(void)parent;
	if (now.test->has_faults)
		wrong(cfg, NULL, "faults: is given twice");
	now.test->has_faults = true;
	now.faults_line = cfg->line;
	return 0;
}

static int end_kind(cfg_t *parent, cfg_opt_t *opt)
{
	cfg_t *cfg = last_section(opt);
	int kind = kind_of(cfg->name);
	size_t i, n = 0;

	(void)parent;
	if (now.kind_line[kind])
		wrong(cfg, NULL, "%s: is given twice", cfg->name);
	now.kind_line[kind] = cfg->line;
	for (i = 0; i < nr_actions; i++)
		n += now.test->space.chosen[i] && actions[i].kind == (enum kind)kind;
	if (!n)
		wrong(cfg, NULL, "%s: actions = is missing: %s", cfg->name, all_actions(kind));
	if (!now.nr_on[kind])
		wrong(cfg, NULL, "%s: on = is missing", cfg->name);
	return 0;
}

static int end_budget(cfg_t *parent, cfg_opt_t *opt)
{
	(void)parent;
	if (cfg_opt_size(opt) > 1)
		wrong(last_section(opt), NULL, "budget: is given twice");
	return 0;
}

/* ---- what needs the lab ---- */

static void add_target(enum kind kind, const char *guest, const char *device)
{
	struct space *space = &now.test->space;
	size_t i;

	for (i = 0; i < space->nr_targets; i++)
		if (space->target[i].kind == kind && !strcmp(space->target[i].guest, guest) &&
		    !strcmp(space->target[i].device, device))
			return;
	space->target = xrealloc(space->target, (space->nr_targets + 1) *
				 sizeof(*space->target));
	space->target[space->nr_targets++] = (struct target) { kind, guest, device };
}

static size_t nr_devices(const struct guest_conf *guest, enum kind kind)
{
	switch (kind) {
	case KIND_NET:
		return guest->nr_nics;
	case KIND_DISK:
		return guest->nr_disks;
	case KIND_TTY:
		return guest->nr_serials;
	default:
		return 1;
	}
}

static const char *device_of(const struct guest_conf *guest, enum kind kind, size_t i)
{
	switch (kind) {
	case KIND_NET:
		return guest->nic[i].name;
	case KIND_DISK:
		return guest->disk[i].name;
	case KIND_TTY:
		return guest->serial[i].name;
	default:
		return "node";
	}
}

/* "n1:eth*", or of a node "n*" */
static void find_targets(enum kind kind, const struct said *said)
{
	char *copy = xstrdup(said->word), *colon = strchr(copy, ':');
	const struct lab *lab = &now.test->lab;
	const char *device;
	size_t i, k, n = 0;

	if (colon)
		*colon = '\0';
	if (!colon == (kind != KIND_NODE))
		wrong_at(said->line, said->word, "on = %s: must be %s", said->word,
			 kind == KIND_NODE ? "a guest, as n1 or n*" :
					     "a guest and its device, as n1:eth0 or n*:eth*");
	for (i = 0; i < lab->nr_guests; i++)
		for (k = 0; k < nr_devices(&lab->guest[i], kind); k++) {
			device = device_of(&lab->guest[i], kind, k);
			if (fnmatch(copy, lab->guest[i].name, 0) ||
			    (colon && fnmatch(colon + 1, device, 0)))
				continue;
			add_target(kind, lab->guest[i].name, device);
			n++;
		}
	if (!n)
		wrong_at(said->line, said->word, "on = %s: %s has no such %s", said->word,
			 lab->file, kind == KIND_NODE ? "guest" : "device");
	free(copy);
}

static void find_captures(const struct said *said)
{
	const char *colon = strchr(said->word, ':');
	char *name = xstrndup(said->word, colon ? colon - said->word : 0);
	struct guest_conf *guest = colon ? lab_guest(&now.test->lab, name) : NULL;
	size_t i;

	for (i = 0; guest && i < guest->nr_nics; i++)
		if (!strcmp(guest->nic[i].name, colon + 1))
			break;
	if (!guest || i == guest->nr_nics)
		wrong_at(said->line, said->word,
			 "capture = %s: must be a guest's interface, as n1:eth0", said->word);
	strings_add(&now.test->capture, xasprintf("%s %s", name, colon + 1));
	free(name);
}

static bool takes_boots(const struct space *space)
{
	size_t i;

	for (i = 0; i < nr_actions; i++)
		if (space->chosen[i] && (actions[i].how == HOW_KILL ||
					 actions[i].how == HOW_ONCE))
			return true;
	return false;
}

static void finish_space(void)
{
	struct space *space = &now.test->space;
	int line = now.faults_line, kind;
	int64_t least;
	size_t i;

	for (kind = 0; kind < NR_KINDS; kind++) {
		for (i = 0; i < now.nr_on[kind]; i++)
			find_targets(kind, &now.on[kind][i]);
		if (!now.budget[kind])
			space->budget[kind] = space->any;
		if (now.kind_line[kind] && !space->budget[kind])
			wrong_at(now.kind_line[kind], NULL, "%s: its budget is 0",
				 kind_names[kind]);
	}
	if (!space->nr_targets)
		wrong_at(line, NULL, "faults: net, disk, node or tty { } is missing");
	if (!space->any)
		wrong_at(line, NULL, "budget: any = 0 allows no fault");
	if (!space->length)
		wrong_at(line, NULL, "faults: for = is missing");
	if (space->shortest > space->longest)
		wrong_at(line, NULL, "faults: shortest is longer than longest");
	least = 2 * (space->shortest + (takes_boots(space) ? space->back : 0));
	if (space->length < least)
		wrong_at(line, NULL,
			 "faults: for = must be at least %g s: twice the shortest fault%s", least / 1e9, takes_boots(space) ? ", and back =" : "");
}

static void finish_check(struct check *check)
{
	if (check->on && !strcmp(check->on, "host")) {
		free(check->on);
		check->on = NULL;
	}
	if (check->on && !lab_guest(&now.test->lab, check->on))
		wrong_at(check->line, check->on, "%s: %s: %s has no such guest",
			 roles[check->role], check->on, now.test->lab.file);
}

/* ---- the file ---- */

#define VALUE(name)	CFG_STR_CB(name, NULL, CFGF_NODEFAULT, on_value)
#define VALUES(name)	CFG_STR_LIST_CB(name, NULL, CFGF_NODEFAULT, on_value)

static cfg_opt_t load_opts[] = { VALUE("run"), CFG_END() };
static cfg_opt_t first_opts[] = {
	VALUE("run"), VALUE("within"), VALUE("limit"), VALUE("every"), CFG_END()
};
static cfg_opt_t always_opts[] = {
	VALUE("run"), VALUE("on"), VALUE("every"), VALUE("limit"), CFG_END()
};
static cfg_opt_t finally_opts[] = {
	VALUE("run"), VALUE("on"), VALUE("within"), VALUE("every"), VALUE("limit"), CFG_END()
};
static cfg_opt_t kind_opts[] = { VALUES("on"), VALUES("actions"), CFG_END() };
static cfg_opt_t budget_opts[] = {
	VALUE("any"), VALUE("net"), VALUE("disk"), VALUE("node"), VALUE("tty"), VALUE("back"),
	CFG_END()
};
static cfg_opt_t faults_opts[] = {
	VALUE("from"), VALUE("for"), VALUE("shortest"), VALUE("longest"),
	CFG_SEC("budget", budget_opts, CFGF_MULTI), CFG_SEC("net", kind_opts, CFGF_MULTI),
	CFG_SEC("disk", kind_opts, CFGF_MULTI), CFG_SEC("node", kind_opts, CFGF_MULTI),
	CFG_SEC("tty", kind_opts, CFGF_MULTI), CFG_END()
};
static cfg_opt_t test_opts[] = {
	VALUE("lab"), VALUE("time"), VALUE("timeline"), VALUE("heal"), VALUES("allow"),
	VALUES("capture"),
	CFG_SEC("load", load_opts, CFGF_MULTI | CFGF_TITLE),
	CFG_SEC("first", first_opts, CFGF_MULTI | CFGF_TITLE),
	CFG_SEC("always", always_opts, CFGF_MULTI | CFGF_TITLE),
	CFG_SEC("finally", finally_opts, CFGF_MULTI | CFGF_TITLE),
	CFG_SEC("sometimes", always_opts, CFGF_MULTI | CFGF_TITLE),
	CFG_SEC("faults", faults_opts, CFGF_MULTI), CFG_END()
};

static char *read_text(const char *file)
{
	FILE *in = fopen(file, "re"), *out;
	char buf[4096], *text = NULL;
	size_t n, len;

	if (!in)
		die(LAB_USAGE, "%s: %m", file);
	out = open_memstream(&text, &len);
	while ((n = fread(buf, 1, sizeof(buf), in)))
		fwrite(buf, 1, n, out);
	if (ferror(in))
		die(LAB_USAGE, "%s: %m", file);
	fclose(in);
	fclose(out);
	if (strlen(text) < len)
		die(LAB_USAGE, "%s: is no text", file);
	return text;
}

static void name_it(struct test *test, const char *file)
{
	char *copy;

	test->path = path_canonical(file);
	if (!test->path)
		die(LAB_USAGE, "%s: %m", file);
	copy = xstrdup(test->path);
	test->folder = xstrdup(dirname(copy));
	free(copy);
	copy = xstrdup(test->path);
	test->name = xstrdup(basename(copy));
	free(copy);
	if (strlen(test->name) > 5 && !strcmp(test->name + strlen(test->name) - 5, ".test"))
		test->name[strlen(test->name) - 5] = '\0';
}

void test_read(struct test *test, const char *file, const char *kernel)
{
	static const char * const kinds[] = {
		"faults|net", "faults|disk", "faults|node", "faults|tty"
	};
	size_t i;
	cfg_t *cfg;

	now.test = test;
	now.file = file;
	name_it(test, file);
	now.text = read_text(file);
	test->space = (struct space) {
		.shortest = SHORTEST, .longest = LONGEST, .back = BACK, .any = 1,
		.chosen = xrealloc(NULL, nr_actions * sizeof(bool)),
	};
	memset(test->space.chosen, 0, nr_actions * sizeof(bool));
	cfg = cfg_init(test_opts, CFGF_NONE);
	cfg_set_error_function(cfg, on_error);
	for (i = 0; i < NR_CHECK_ROLES; i++)
		cfg_set_validate_func(cfg, roles[i], end_check);
	for (i = 0; i < NR_KINDS; i++)
		cfg_set_validate_func(cfg, kinds[i], end_kind);
	cfg_set_validate_func(cfg, "faults", end_faults);
	cfg_set_validate_func(cfg, "faults|budget", end_budget);
	if (cfg_parse_buf(cfg, now.text) != CFG_SUCCESS)
		die(LAB_USAGE, "%s: is no .test file", file);
	cfg_free(cfg);
	if (!test->lab_path)
		die(LAB_USAGE, "%s: lab = is missing", file);
	config_read(&test->lab, test->lab_path, kernel ?: "6.12");
	for (i = 0; i < test->nr_checks; i++)
		finish_check(&test->check[i]);
	for (i = 0; i < now.nr_capture; i++)
		find_captures(&now.capture[i]);
	if (test->has_faults)
		finish_space();
	if (!test->has_faults && !test->timeline && !test->nr_checks)
		die(LAB_USAGE, "%s: nothing is to be done in it", file);
}
