// SPDX-License-Identifier: GPL-2.0
/*
 * The fault grammar: text to struct umf_spec and back.
 *
 * Pure: it knows the tables of fault/params.c and nothing of devices, time or
 * rules that exist. What umf_print_rule() prints, umf_parse_rule() reads into
 * an equal spec. A refused rule answers one line that names the word at fault
 * and what would be right, and leaves nothing behind.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/hex.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "fault/fault.h"

/* ---- words ---- */

int umf_parse_statement(char **pos, char **stmt)
{
	char quote = 0, *p = *pos;

	while (*p == ';' || isspace(*p))
		p++;
	*stmt = p;
	if (!*p) {
		*pos = p;
		return 0;
	}
	for (; *p; p++) {
		if (quote) {
			if (*p == quote)
				quote = 0;
		} else if (*p == '\'' || *p == '"') {
			quote = *p;
		} else if (*p == ';' || *p == '\n') {
			break;
		}
	}
	if (quote)
		return -EINVAL;
	if (*p)
		*p++ = '\0';
	*pos = p;
	return 1;
}

char *umf_parse_word(char **pos)
{
	char *p = *pos, *word, *out;
	char quote = 0;

	while (isspace(*p))
		p++;
	if (!*p) {
		*pos = p;
		return NULL;
	}
	word = p;
	for (out = p; *p && (quote || !isspace(*p)); p++) {
		if (quote && *p == quote)
			quote = 0;
		else if (!quote && (*p == '\'' || *p == '"'))
			quote = *p;
		else
			*out++ = *p;
	}
	if (*p)
		p++;
	*out = '\0';
	*pos = p;
	return word;
}

/* ---- numbers with units ---- */

struct unit {
	const char *name;
	u64 scale;
};

static const struct unit prob_units[] = {
	{ "", UMF_PPB }, { "%", UMF_PPB / 100 }, { "ppm", UMF_PPB / 1000000 },
	{ "ppb", 1 }, { }
};

static const struct unit time_units[] = {
	{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", UMF_NSEC },
	{ "m", 60 * UMF_NSEC }, { "h", 3600 * UMF_NSEC }, { }
};

static const struct unit size_units[] = {
	{ "", 1 }, { "k", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { }
};

static const struct unit rate_units[] = {
	{ "bit", 1 }, { "kbit", 1000 }, { "Mbit", 1000000 },
	{ "Gbit", 1000000000 }, { "B", 8 }, { "kB", 8000 }, { "MB", 8000000 },
	{ "GB", 8000000000ULL }, { }
};

/* A decimal number as mantissa and power of ten; moves *@p behind it. */
static int parse_decimal(const char **p, u64 *mant, int *exp)
{
	const char *s = *p;
	bool point = false, digits = false;

	*mant = 0;
	*exp = 0;
	for (; isdigit(*s) || (*s == '.' && !point); s++) {
		if (*s == '.') {
			point = true;
			continue;
		}
		digits = true;
		if (check_mul_overflow(*mant, 10ULL, mant) ||
		    check_add_overflow(*mant, (u64)(*s - '0'), mant))
			return -ERANGE;
		if (point)
			--*exp;
	}
	if (!digits)
		return -EINVAL;
	if (*s == 'e' && (isdigit(s[1]) ||
			  ((s[1] == '-' || s[1] == '+') && isdigit(s[2])))) {
		bool neg = *++s == '-';
		int e = 0;

		if (*s == '-' || *s == '+')
			s++;
		for (; isdigit(*s); s++)
			if (e < 100)
				e = e * 10 + *s - '0';
		*exp += neg ? -e : e;
	}
	*p = s;
	return 0;
}

/* -ENOENT: no such unit; -ERANGE: too large; -EDOM: finer than is kept. */
static int parse_scaled(const char *word, const struct unit *unit, u64 *val)
{
	u64 mant, scale;
	int err, exp;

	err = parse_decimal(&word, &mant, &exp);
	if (err)
		return err;
	while (unit->name && strcmp(unit->name, word))
		unit++;
	if (!unit->name)
		return -ENOENT;
	/* the point moves first, so that what fits never overflows on the way */
	for (; exp < 0 && mant && mant % 10 == 0; exp++)
		mant /= 10;
	for (scale = unit->scale; exp < 0 && scale % 10 == 0; exp++)
		scale /= 10;
	if (!mant) {
		*val = 0;
		return 0;
	}
	if (check_mul_overflow(mant, scale, val))
		return -ERANGE;
	for (; exp > 0; exp--)
		if (check_mul_overflow(*val, 10ULL, val))
			return -ERANGE;
	for (; exp < 0; exp++) {
		if (*val % 10)
			return -EDOM;
		*val /= 10;
	}
	return 0;
}

int umf_parse_number(const char *word, u64 *val)
{
	bool hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');

	/* kstrtoull() would take a sign and a newline */
	if (!isdigit(word[0]) || (hex && !isxdigit(word[2])) ||
	    word[strlen(word) - 1] == '\n')
		return -EINVAL;
	return kstrtou64(hex ? word + 2 : word, hex ? 16 : 10, val);
}

int umf_parse_time(const char *word, u64 *ns)
{
	return parse_scaled(word, time_units, ns);
}

int umf_parse_rate(const char *word, u64 *bits)
{
	return parse_scaled(word, rate_units, bits);
}

/* ---- one type of value each; word is what stands behind '=' ---- */

static bool id_ok(const char *word)
{
	const char *p;

	/* the kernel's isalpha() takes Latin-1 letters as well */
	if (!isascii(*word) || (!isalpha(*word) && *word != '_'))
		return false;
	for (p = word; *p; p++)
		if (!isascii(*p) || (!isalnum(*p) && !strchr("_.-", *p)))
			return false;
	return p - word < UMF_ID_LEN;
}

static bool text_ok(const char *word)
{
	const char *p;

	if (strchr(word, '\'') && strchr(word, '"'))
		return false;
	for (p = word; *p; p++)
		if (iscntrl(*p))
			return false;
	return true;
}

static int parse_text(const struct umf_param *param, const char *word,
		      struct umf_value *val, struct umf_reply *reply)
{
	if (param->type == UMF_T_ID && !id_ok(word))
		return umf_fail(reply, -EINVAL,
				"%s=%s: a name is a letter and up to %d letters, digits, '_', '.' and '-'",
				param->name, word, UMF_ID_LEN - 2);
	if (!*word || !text_ok(word) ||
	    (param->type == UMF_T_BPF && strpbrk(word, "'\"")))
		return umf_fail(reply, -EINVAL,
				"%s: a text is not empty, has no control characters and one kind of quote at most",
				param->name);
	val->text = kstrdup(word, GFP_KERNEL);
	return val->text ? 0 : umf_fail(reply, -ENOMEM, "out of memory");
}

static int parse_word(const struct umf_param *param, const char *word,
		      struct umf_value *val, struct umf_reply *reply)
{
	int i;

	for (i = 0; param->words[i]; i++) {
		if (!strcmp(param->words[i], word)) {
			val->a = i;
			return 0;
		}
	}
	return umf_fail(reply, -EINVAL, "%s=%s: must be %s", param->name, word,
			param->form);
}

static int parse_words(const struct umf_param *param, char *word,
		       struct umf_value *val, struct umf_reply *reply)
{
	struct umf_value one;
	char *next;
	int err;

	for (val->a = 0; word; word = next) {
		next = strchr(word, ',');
		if (next)
			*next++ = '\0';
		err = parse_word(param, word, &one, reply);
		if (err)
			return err;
		val->a |= BIT_ULL(one.a);
	}
	return 0;
}

static int parse_mac(const struct umf_param *param, const char *word,
		     struct umf_value *val, struct umf_reply *reply)
{
	const char *p = word;
	int i;

	val->a = 0;
	for (i = 0; i < 6; i++, p += 3) {
		if (!isxdigit(p[0]) || !isxdigit(p[1]) ||
		    p[2] != (i < 5 ? ':' : '\0'))
			return umf_fail(reply, -EINVAL, "%s=%s: must be %s",
					param->name, word, param->form);
		val->a = val->a << 8 | hex_to_bin(p[0]) << 4 | hex_to_bin(p[1]);
	}
	return 0;
}

static void print_number(struct umf_reply *reply, enum umf_type type, u64 val);

static int fail_range(const struct umf_param *param, const char *word,
		      struct umf_reply *reply)
{
	struct umf_reply lo = {}, hi = {};
	int err;

	print_number(&lo, param->type, param->min);
	print_number(&hi, param->type, param->max);
	err = umf_fail(reply, -EINVAL, "%s=%s: must be from %s to %s",
		       param->name, word, lo.text ?: "?", hi.text ?: "?");
	umf_reply_free(&lo);
	umf_reply_free(&hi);
	return err;
}

static int parse_number(const struct umf_param *param, const char *word,
			u64 *val, struct umf_reply *reply)
{
	const char *finest = "ppb", *ends = NULL;
	int err;

	switch (param->type) {
	case UMF_T_PROB:
	case UMF_T_BURST:
		err = parse_scaled(word, prob_units, val);
		break;
	case UMF_T_DRIFT:
		err = parse_scaled(word + 1, prob_units, val);	/* the sign */
		break;
	case UMF_T_TIME:
	case UMF_T_STEP:
	case UMF_T_SPAN:
	case UMF_T_AT:
		finest = "ns";
		ends = "a time ends in ns, us, ms, s, m or h";
		err = parse_scaled(word + (param->type == UMF_T_STEP),
				   time_units, val);
		break;
	case UMF_T_SIZE:
		finest = "byte";
		ends = "a size ends in k, M, G or nothing";
		err = parse_scaled(word, size_units, val);
		break;
	case UMF_T_RATE:
		finest = "bit";
		ends = "a rate ends in bit, kbit, Mbit, Gbit, B, kB, MB or GB";
		err = parse_scaled(word, rate_units, val);
		break;
	default:
		err = umf_parse_number(word, val);
		break;
	}

	if (!err && (*val < param->min || *val > param->max))
		err = -ERANGE;
	switch (err) {
	case 0:
		return 0;
	case -ERANGE:
		return fail_range(param, word, reply);
	case -EDOM:
		return umf_fail(reply, -EINVAL, "%s=%s: finer than 1 %s",
				param->name, word, finest);
	case -ENOENT:
		if (ends)
			return umf_fail(reply, -EINVAL, "%s=%s: %s",
					param->name, word, ends);
		fallthrough;
	default:
		return umf_fail(reply, -EINVAL, "%s=%s: must be %s",
				param->name, word, param->form);
	}
}

static int parse_range(const struct umf_param *param, char *word,
		       struct umf_value *val, struct umf_reply *reply)
{
	char *sep = strpbrk(word, "-+"), how = sep ? *sep : 0;
	int err;

	if (sep)
		*sep = '\0';
	err = parse_number(param, word, &val->a, reply);
	if (err)
		return err;
	val->b = val->a;
	if (!sep)
		return 0;
	err = parse_number(param, sep + 1, &val->b, reply);
	if (err)
		return err;
	if (how == '+' && !val->b)
		return umf_fail(reply, -EINVAL, "%s=%s+0: an empty range",
				param->name, word);
	if (how == '+')
		val->b += val->a - 1;
	if (val->b < val->a || val->b > param->max)
		return umf_fail(reply, -EINVAL,
				"%s=%s%c%s: must end at %llu to %llu",
				param->name, word, how, sep + 1, val->a,
				param->max);
	return 0;
}

static int parse_span(const struct umf_param *param, char *word,
		      struct umf_value *val, struct umf_reply *reply)
{
	char *comma = strchr(word, ',');
	int err;

	if (comma)
		*comma++ = '\0';
	err = parse_number(param, word, &val->a, reply);
	val->b = val->a;
	if (err || !comma)
		return err;
	err = parse_number(param, comma, &val->b, reply);
	if (!err && val->b < val->a)
		err = umf_fail(reply, -EINVAL,
			       "%s=%s,%s: the second is less than the first",
			       param->name, word, comma);
	return err;
}

static int parse_burst(const struct umf_param *param, char *word,
		       struct umf_value *val, struct umf_reply *reply)
{
	u64 p[4] = { 0, 0, UMF_PPB, 0 };
	char *next;
	int err, n;

	for (n = 0; word && n < 4; n++, word = next) {
		next = strchr(word, ',');
		if (next)
			*next++ = '\0';
		err = parse_number(param, word, &p[n], reply);
		if (err)
			return err;
	}
	if (word || n < 2)
		return umf_fail(reply, -EINVAL, "%s: must be %s", param->name,
				param->form);
	val->a = p[0] | p[1] << 32;
	val->b = p[2] | p[3] << 32;
	return 0;
}

static int parse_signed(const struct umf_param *param, const char *word,
			struct umf_value *val, struct umf_reply *reply)
{
	if (*word != '+' && *word != '-')
		return umf_fail(reply, -EINVAL, "%s=%s: must be %s, with its sign",
				param->name, word, param->form);
	val->b = *word == '-';
	return parse_number(param, word, &val->a, reply);
}

static int parse_value(const struct umf_param *param, char *word,
		       struct umf_value *val, struct umf_reply *reply)
{
	switch (param->type) {
	case UMF_T_ID:
	case UMF_T_BPF:
	case UMF_T_TEXT:
		return parse_text(param, word, val, reply);
	case UMF_T_WORD:
		return parse_word(param, word, val, reply);
	case UMF_T_WORDS:
		return parse_words(param, word, val, reply);
	case UMF_T_MAC:
		return parse_mac(param, word, val, reply);
	case UMF_T_RANGE:
		return parse_range(param, word, val, reply);
	case UMF_T_SPAN:
		return parse_span(param, word, val, reply);
	case UMF_T_BURST:
		return parse_burst(param, word, val, reply);
	case UMF_T_AT:
		val->b = *word == '+';
		return parse_number(param, word + val->b, &val->a, reply);
	case UMF_T_STEP:
	case UMF_T_DRIFT:
		return parse_signed(param, word, val, reply);
	case UMF_T_U64:
	case UMF_T_PROB:
	case UMF_T_TIME:
	case UMF_T_SIZE:
	case UMF_T_RATE:
		break;
	}
	return parse_number(param, word, &val->a, reply);
}

/* ---- rules ---- */

static bool is_text(enum umf_key key)
{
	enum umf_type type = umf_params[key].type;

	return type == UMF_T_ID || type == UMF_T_BPF || type == UMF_T_TEXT;
}

void umf_spec_free(struct umf_spec *spec)
{
	int key;

	for (key = 0; key < UMF_K_MAX; key++)
		if (umf_has(spec, key) && is_text(key))
			kfree(spec->val[key].text);
	memset(spec->have, 0, sizeof(spec->have));
}

static int fail_action(const char *word, u64 class, struct umf_reply *reply)
{
	struct umf_reply known = {};
	int i, err;

	for (i = 0; i < UMF_A_MAX; i++)
		if (umf_actions[i].classes & class)
			umf_say(&known, " %s", umf_actions[i].name);
	err = umf_fail(reply, -EINVAL, "%s%s: must be one of%s",
		       *word ? "no action " : "no action", word,
		       known.text ?: "");
	umf_reply_free(&known);
	return err;
}

static int fail_key(const struct umf_action *action, const char *word,
		    struct umf_reply *reply)
{
	struct umf_reply known = {};
	int i, err;

	for (i = 0; i < UMF_K_MAX; i++)
		if (umf_action_takes(action, i))
			umf_say(&known, " %s", umf_params[i].name);
	err = umf_fail(reply, -EINVAL, "%s: not a key of %s, which takes%s",
		       word, action->name, known.text ?: "");
	umf_reply_free(&known);
	return err;
}

static int check_rule(const struct umf_spec *spec, struct umf_reply *reply)
{
	const struct umf_action *action = &umf_actions[spec->action];
	int key;

	for (key = 0; key < UMF_K_MAX; key++)
		if (umf_action_needs(action, key) && !umf_has(spec, key))
			return umf_fail(reply, -EINVAL, "%s needs %s=%s",
					action->name, umf_params[key].name,
					umf_params[key].form);
	if (umf_has(spec, UMF_K_PERIOD) != umf_has(spec, UMF_K_DUTY))
		return umf_fail(reply, -EINVAL, "period= and duty= go together");
	if (umf_has(spec, UMF_K_MATCH) && !umf_has(spec, UMF_K_BPF))
		return umf_fail(reply, -EINVAL,
				"match= needs bpf= beside it; mconsole-fault compiles it");
	if (umf_num(spec, UMF_K_JITTER, 0) > umf_num(spec, UMF_K_TIME, 0))
		return umf_fail(reply, -EINVAL,
				"jitter= must not be more than time=");
	if ((umf_has(spec, UMF_K_DIST) || umf_has(spec, UMF_K_CORR) ||
	     umf_has(spec, UMF_K_TABLE)) && !umf_has(spec, UMF_K_JITTER))
		return umf_fail(reply, -EINVAL,
				"dist=, table= and corr= need jitter=, else there is nothing to draw");
	if (umf_has(spec, UMF_K_DIST) && umf_has(spec, UMF_K_TABLE))
		return umf_fail(reply, -EINVAL,
				"dist= and table= contradict each other");
	if (umf_has(spec, UMF_K_SLOT) &&
	    umf_num(spec, UMF_K_ORDER, UMF_ORDER_KEEP) == UMF_ORDER_FREE)
		return umf_fail(reply, -EINVAL,
				"slot= and order=free contradict each other");
	if (umf_has(spec, UMF_K_FRAMES) && !umf_has(spec, UMF_K_SLOT))
		return umf_fail(reply, -EINVAL, "frames= needs slot=");
	if (umf_has(spec, UMF_K_CELLHEAD) && !umf_has(spec, UMF_K_CELL))
		return umf_fail(reply, -EINVAL, "cellhead= needs cell=");
	if (umf_has(spec, UMF_K_BITS) && umf_has(spec, UMF_K_BER))
		return umf_fail(reply, -EINVAL,
				"bits= and ber= contradict each other: how many, or how likely each");
	if (spec->action == UMF_A_LINK && !umf_has(spec, UMF_K_RATE) &&
	    !umf_has(spec, UMF_K_DUPLEX))
		return umf_fail(reply, -EINVAL, "link needs rate= or duplex=");
	if (spec->action == UMF_A_LINK &&
	    umf_num(spec, UMF_K_RATE, 0) % 1000000)
		return umf_fail(reply, -EINVAL,
				"rate=: a link's is a whole number of Mbit");
	if (spec->action == UMF_A_NODE_CLOCK && !umf_has(spec, UMF_K_STEP) &&
	    !umf_has(spec, UMF_K_DRIFT))
		return umf_fail(reply, -EINVAL, "clock needs step= or drift=");
	if (umf_num(spec, UMF_K_STEP, 0) % 1000)
		return umf_fail(reply, -EINVAL, "step=: finer than 1 us");
	if (umf_has(spec, UMF_K_ID) && !strcmp(spec->val[UMF_K_ID].text, "all"))
		return umf_fail(reply, -EINVAL,
				"id=all: taken, it stands for every rule");
	return 0;
}

int umf_parse_rule(char *text, u64 class, struct umf_spec *spec,
		   struct umf_reply *reply)
{
	const struct umf_action *action;
	char *word, *eq;
	int err, key;

	memset(spec->have, 0, sizeof(spec->have));
	word = umf_parse_word(&text) ?: "";
	err = umf_action_find(word, strlen(word), class);
	if (err < 0)
		return fail_action(word, class, reply);
	spec->action = err;
	action = &umf_actions[spec->action];

	while ((word = umf_parse_word(&text))) {
		eq = strchrnul(word, '=');
		key = umf_param_find(word, eq - word);
		if (key < 0 || !umf_action_takes(action, key)) {
			err = fail_key(action, word, reply);
		} else if (!*eq) {
			err = umf_fail(reply, -EINVAL, "%s: needs =%s", word,
				       umf_params[key].form);
		} else if (umf_has(spec, key)) {
			err = umf_fail(reply, -EINVAL, "%s: given twice",
				       umf_params[key].name);
		} else {
			err = parse_value(&umf_params[key], eq + 1,
					  &spec->val[key], reply);
			if (!err)
				umf_set_has(spec, key);
		}
		if (err)
			goto out;
	}
	err = check_rule(spec, reply);
out:
	if (err)
		umf_spec_free(spec);
	return err;
}

/* ---- printing ---- */

static void print_prob(struct umf_reply *reply, u64 ppb)
{
	u64 part = ppb % (UMF_PPB / 100);
	int width = 7;

	umf_say(reply, "%llu", ppb / (UMF_PPB / 100));
	for (; part && part % 10 == 0; part /= 10)
		width--;
	if (part)
		umf_say(reply, ".%0*llu", width, part);
	umf_say(reply, "%%");
}

/* In the largest of the units up to @unit that is fine enough. */
static void print_scaled(struct umf_reply *reply, const struct unit *unit,
			 u64 val)
{
	while (val % unit->scale)
		unit--;
	umf_say(reply, "%llu%s", val / unit->scale, unit->name);
}

static void print_number(struct umf_reply *reply, enum umf_type type, u64 val)
{
	if (type == UMF_T_PROB || type == UMF_T_DRIFT || type == UMF_T_BURST)
		print_prob(reply, val);
	else if (type == UMF_T_TIME || type == UMF_T_STEP ||
		 type == UMF_T_SPAN || type == UMF_T_AT)
		print_scaled(reply, &time_units[3], val);	/* s */
	else if (type == UMF_T_SIZE)
		print_scaled(reply, &size_units[3], val);
	else if (type == UMF_T_RATE)
		print_scaled(reply, &rate_units[3], val);	/* Gbit */
	else
		umf_say(reply, "%llu", val);
}

void umf_print_value(struct umf_reply *reply, enum umf_key key,
		     const struct umf_value *val)
{
	const struct umf_param *param = &umf_params[key];
	const char *sep;
	int i;

	switch (param->type) {
	case UMF_T_ID:
		umf_say(reply, "%s", val->text);
		break;
	case UMF_T_TEXT:
	case UMF_T_BPF:
		umf_say(reply, strchr(val->text, '"') ? "'%s'" : "\"%s\"",
			val->text);
		break;
	case UMF_T_WORD:
		umf_say(reply, "%s", param->words[val->a]);
		break;
	case UMF_T_WORDS:
		for (i = 0, sep = ""; param->words[i]; i++) {
			if (!(val->a & BIT_ULL(i)))
				continue;
			umf_say(reply, "%s%s", sep, param->words[i]);
			sep = ",";
		}
		break;
	case UMF_T_MAC:
		for (i = 40; i >= 0; i -= 8)
			umf_say(reply, "%02llx%s", val->a >> i & 0xff,
				i ? ":" : "");
		break;
	case UMF_T_RANGE:
		umf_say(reply, val->a == val->b ? "%llu" : "%llu-%llu", val->a,
			val->b);
		break;
	case UMF_T_SPAN:
		print_number(reply, param->type, val->a);
		if (val->a == val->b)
			break;
		umf_say(reply, ",");
		print_number(reply, param->type, val->b);
		break;
	case UMF_T_BURST:
		print_prob(reply, val->a & U32_MAX);
		umf_say(reply, ",");
		print_prob(reply, val->a >> 32);
		umf_say(reply, ",");
		print_prob(reply, val->b & U32_MAX);
		umf_say(reply, ",");
		print_prob(reply, val->b >> 32);
		break;
	case UMF_T_STEP:
	case UMF_T_DRIFT:
		umf_say(reply, "%s", val->b ? "-" : "+");
		print_number(reply, param->type, val->a);
		break;
	case UMF_T_AT:
		umf_say(reply, "%s", val->b ? "+" : "");
		fallthrough;
	case UMF_T_U64:
	case UMF_T_PROB:
	case UMF_T_TIME:
	case UMF_T_SIZE:
	case UMF_T_RATE:
		print_number(reply, param->type, val->a);
		break;
	}
}

void umf_print_rule(struct umf_reply *reply, const struct umf_spec *spec)
{
	int key;

	umf_say(reply, "%s %s", spec->device, umf_actions[spec->action].name);
	for (key = 0; key < UMF_K_MAX; key++) {
		if (!umf_has(spec, key))
			continue;
		umf_say(reply, " %s=", umf_params[key].name);
		umf_print_value(reply, key, &spec->val[key]);
	}
}
