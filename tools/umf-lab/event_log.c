// SPDX-License-Identifier: GPL-2.0
/*
 * The files among the events: node.log and power.log have the host's times; what a
 * guest's kernel says has the time since it booted.
 *
 * When that was, is known best from the guest's clock (event_rule.c), but only of
 * the boot that runs. Else a process's first boot began when node.log has it started, and
 * one in place with the last line of the boot before. (When a line came says little:
 * what is said before there is a console comes with it.)
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/tail.h"
#include "../lib/xalloc.h"
#include "events.h"

#define SLACK_NS	500000000LL	/* a socket is not older than its kernel by more */

/* ---- lines of a file ---- */

static void tail_init(struct tail *tail, char *path)
{
	*tail = (struct tail) { .path = path, .fd = -1 };
}

/* ---- all of them ---- */

struct kernel {
	const char *guest;
	struct event_logs *logs;
	struct tail tail;
	int64_t *started;	/* when each process was */
	size_t nr_started, started_used;
	int boots, last_boot;	/* seen so far, and in all, when the file was first read */
	int64_t begun;		/* at the earliest */
	int64_t zero;		/* of its clock */
	bool exact;		/* that is by the clock itself */
	bool restarts;		/* the last line says so */
	int64_t last;		/* the time of that */
};

struct event_logs {
	const struct lab *lab;
	bool kernels;
	int64_t now;		/* of this look */
	struct tail node, power;
	int64_t power_last;
	struct kernel kernel[];
};

/* ---- node.log, power.log ---- */

static void see_node(char *line, void *data)
{
	struct event_logs *logs = data;
	char *guest, *text, *event;
	const struct guest_conf *conf;
	struct kernel *kernel;
	int64_t utc;

	if (!nodelog_line(line, &utc, &guest, &text))
		return;
	event = xstrndup(text, strcspn(text, " ,:"));
	conf = lab_guest((struct lab *)logs->lab, guest);
	if (conf && !strcmp(event, "started")) {
		kernel = &logs->kernel[conf - logs->lab->guest];
		kernel->started = xrealloc(kernel->started, (kernel->nr_started + 1) *
					   sizeof(*kernel->started));
		kernel->started[kernel->nr_started++] = utc;
	}
	event_add(utc, EVENT_NODE, guest, NULL, event, text, NULL);
	free(event);
}

/* "<utc> <asker>: ask <tag> off n2: ok n2=off (0.012 s)" */
static void see_power(char *line, void *data)
{
	struct event_logs *logs = data;
	char *asker, *said, *op, *target, *answer, *text, *rule;
	int64_t utc;

	if (!nodelog_line(line, &utc, &asker, &said) || strncmp(said, "ask ", 4) ||
	    !strchr(said + 4, ' ') || !strstr(said, ": ")) {
		/* what the switch itself has to say */
		event_add(logs->power_last ?: logs->now, EVENT_POWER, NODELOG_LAB, NULL, "switch",
			  line, NULL);
		return;
	}
	logs->power_last = utc;
	/* "… [lie r1]": by a rule of the switch */
	rule = strrchr(said, '[');
	rule = rule && said[strlen(said) - 1] == ']' ? xstrndup(rule + 1, strlen(rule) - 2) : NULL;
	answer = strstr(said, ": ");
	*answer = '\0';
	answer += 2;
	op = strchr(said + 4, ' ') + 1;
	target = strchr(op, ' ');
	if (target)
		*target++ = '\0';
	text = xasprintf("%s asked by %s: %s", op, asker, answer);
	event_add(utc, EVENT_POWER, target ?: asker, asker, op, text,
		  json_pack("{ss* ss* ss* ss*}", "by", asker, "target", target, "answer", answer,
			    "rule", rule));
	free(rule);
	free(text);
}

/* ---- kernels ---- */

/* "[    3.141592] " anywhere, behind what was said without a line's end; the text behind it. */
static char *find_stamp(char *line, int64_t *ns)
{
	unsigned long sec, us;
	char *at = line;
	int len;

	while ((at = strchr(at, '['))) {
		len = 0;
		if (sscanf(++at, "%lu.%6lu] %n", &sec, &us, &len) == 2 && len &&
		    (isdigit((unsigned char)*at) || *at == ' ')) {
			*ns = sec * 1000000000LL + us * 1000LL;
			return at + len;
		}
	}
	return NULL;
}

static bool is_boot(const char *text, int64_t stamp)
{
	return !stamp && !strncmp(text, "Linux version ", 14);
}

static void count_boot(char *line, void *data)
{
	struct kernel *kernel = data;
	int64_t stamp;
	char *text = find_stamp(line, &stamp);

	kernel->last_boot += text && is_boot(text, stamp);
}

static void begin_boot(struct kernel *kernel)
{
	kernel->boots++;
	if (kernel->restarts || kernel->started_used >= kernel->nr_started)
		kernel->begun = kernel->last ?: kernel->logs->now;
	else
		kernel->begun = kernel->started[kernel->started_used++];
	kernel->zero = kernel->begun;
	kernel->exact = false;
}

static void see_kernel(char *line, void *data)
{
	struct kernel *kernel = data;
	int64_t stamp, utc;
	char *text = find_stamp(line, &stamp);

	if (!text)
		return;
	if (is_boot(text, stamp))
		begin_boot(kernel);
	if (!kernel->exact && kernel->boots >= kernel->last_boot)
		kernel->exact = event_rules_boot(kernel->guest, kernel->begun - SLACK_NS,
						 &kernel->zero);
	utc = kernel->zero + stamp;
	if (utc > kernel->logs->now)
		utc = kernel->logs->now;
	if (utc < kernel->last)
		utc = kernel->last;
	kernel->last = utc;
	kernel->restarts = strstr(text, "reboot: Restarting system");
	event_add(utc, EVENT_KERNEL, kernel->guest, NULL, "line", text,
		  json_pack("{sI}", "clock_ns", (json_int_t)stamp));
}

/* ---- ---- */

struct event_logs *event_logs_open(const struct lab *lab, bool kernel)
{
	size_t size = sizeof(struct event_logs) + lab->nr_guests * sizeof(struct kernel), i;
	struct event_logs *logs = xrealloc(NULL, size);
	struct tail first;

	memset(logs, 0, size);
	logs->lab = lab;
	logs->kernels = kernel;
	logs->now = utc_now();
	tail_init(&logs->node, nodelog_path(lab));
	tail_init(&logs->power, power_log(lab));
	for (i = 0; i < lab->nr_guests; i++) {
		logs->kernel[i].guest = lab->guest[i].name;
		logs->kernel[i].logs = logs;
		tail_init(&logs->kernel[i].tail, guest_log(lab, lab->guest[i].name));
		if (!kernel)
			continue;
		tail_init(&first, guest_log(lab, lab->guest[i].name));
		tail_read(&first, count_boot, &logs->kernel[i]);
		tail_end(&first);
	}
	return logs;
}

void event_logs_read(struct event_logs *logs)
{
	size_t i;

	logs->now = utc_now();
	tail_read(&logs->node, see_node, logs);
	if (logs->lab->fencing)
		tail_read(&logs->power, see_power, logs);
	for (i = 0; logs->kernels && i < logs->lab->nr_guests; i++)
		tail_read(&logs->kernel[i].tail, see_kernel, &logs->kernel[i]);
}
