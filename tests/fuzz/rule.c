// SPDX-License-Identifier: GPL-2.0
/*
 * The grammar: any text is refused in one line and leaves nothing, or is a rule
 * that is printed as input that makes the same rule.
 */
#include "fuzz.h"
#include "fault/fault.h"

#define TEXT	4096

/* As in fault/log.c. */
void umf_say(struct umf_reply *reply, const char *fmt, ...)
{
	va_list args;
	char *more;
	int n;

	va_start(args, fmt);
	n = vasprintf(&more, fmt, args);
	va_end(args);
	must(n >= 0);
	reply->text = realloc(reply->text, reply->len + n + 1);
	memcpy(reply->text + reply->len, more, n + 1);
	reply->len += n;
	free(more);
}

int umf_fail(struct umf_reply *reply, int err, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	must(vasprintf(&text, fmt, args) >= 0);
	va_end(args);
	reply->len = 0;
	reply->err = err;
	umf_say(reply, "%s", text);
	free(text);
	return err;
}

void umf_reply_free(struct umf_reply *reply)
{
	free(reply->text);
	memset(reply, 0, sizeof(*reply));
}

static bool is_text(int key)
{
	return umf_params[key].type == UMF_T_ID ||
	       umf_params[key].type == UMF_T_BPF ||
	       umf_params[key].type == UMF_T_TEXT;
}

static void must_be_same(const struct umf_spec *a, const struct umf_spec *b)
{
	int key;

	must(a->action == b->action);
	must(!memcmp(a->have, b->have, sizeof(a->have)));
	for (key = 0; key < UMF_K_MAX; key++) {
		if (!umf_has(a, key))
			continue;
		if (is_text(key)) {
			must(!strcmp(a->val[key].text, b->val[key].text));
			continue;
		}
		must(a->val[key].a == b->val[key].a);
		if (umf_params[key].type == UMF_T_RANGE ||
		    umf_params[key].type == UMF_T_BURST ||
		    umf_params[key].type == UMF_T_SPAN ||
		    umf_params[key].type == UMF_T_AT ||
		    umf_params[key].type == UMF_T_STEP ||
		    umf_params[key].type == UMF_T_DRIFT)
			must(a->val[key].b == b->val[key].b);
	}
}

static bool has_any(const struct umf_spec *spec)
{
	int key;

	for (key = 0; key < UMF_K_MAX; key++)
		if (umf_has(spec, key))
			return true;
	return false;
}

static void try_rule(char *text, u64 class)
{
	struct umf_spec spec = { .device = "eth0" }, again = { .device = "eth0" };
	struct umf_reply reply = { 0 }, printed = { 0 };
	char *pos, *stmt;

	if (umf_parse_rule(text, class, &spec, &reply)) {
		must(reply.err && reply.len && !has_any(&spec));
		umf_reply_free(&reply);
		return;
	}
	must(!reply.err);
	umf_print_rule(&printed, &spec);
	pos = printed.text;
	must(umf_parse_statement(&pos, &stmt) == 1);
	must(!*pos);
	must(!strcmp(umf_parse_word(&stmt), "eth0"));
	must(!umf_parse_rule(stmt, class, &again, &reply));
	must_be_same(&spec, &again);
	umf_spec_free(&spec);
	umf_spec_free(&again);
	umf_reply_free(&reply);
	umf_reply_free(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text, *pos, *stmt;
	int ret, n;

	if (size < 1 || size > TEXT)
		return 0;
	/* no longer than it is: what reads on is caught */
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	for (pos = text, n = 0; n < 16; n++) {
		ret = umf_parse_statement(&pos, &stmt);
		if (ret != 1)
			break;
		try_rule(stmt, 1ULL << data[0] % 3);
	}
	free(text);
	return 0;
}
