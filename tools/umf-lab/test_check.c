// SPDX-License-Identifier: GPL-2.0
/*
 * Checks and loads while they run. All of a check's output is in one file of the
 * results, each time with a line in front and one behind:
 *
 *	# 12.345 s
 *	two masters: n1 n2
 *	# 12.401 s: status 1
 *
 * A check that a guest runs has no answer while the guest is dead or frozen, which
 * faults are there for: `always` goes on then, and counts it; what must come true
 * (`first`, `finally`) has not. A load whose guest ended begins again once it is back.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "test.h"

#define AGAIN_NS	1000000000LL	/* before a load begins again */
#define GRACE_NS	5000000000LL	/* exec ends a command itself */
#define END_NS		3000000000LL
#define TAIL_LINES	10

static void note(const struct run *run, struct checking *c, const char *text)
{
	int fd = open(c->out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	struct stat st;

	if (fd < 0)
		return;
	dprintf(fd, "# %.3f s%s\n", (now_ns() - run->zero) / 1e9, text);
	if (!fstat(fd, &st))
		c->from = st.st_size;
	close(fd);
}

bool checking_ask(struct run *run, struct checking *c)
{
	const struct check *check = c->check;
	char limit[32], *shell[] = { "/bin/sh", "-c", check->run, NULL };
	bool ok;

	snprintf(limit, sizeof(limit), "%.3f", check->limit / 1e9);
	note(run, c, "");
	c->asked++;
	if (!check->on)
		ok = proc_start(&c->proc, &run->lab, shell, c->out, NULL);
	else if (check->limit)
		ok = proc_verb(&c->proc, &run->lab, c->out, "exec", "-t", limit, check->on,
			       "--", check->run, NULL);
	else
		ok = proc_verb(&c->proc, &run->lab, c->out, "exec", check->on, "--",
			       check->run, NULL);
	if (!ok) {
		c->failed = true;
		c->status = 127;
	}
	return ok;
}

static void judge(struct run *run, struct checking *c)
{
	enum check_role role = c->check->role;
	char text[64];
	off_t from = c->from;

	c->status = c->proc.status;
	c->when = c->proc.ended - run->zero;
	snprintf(text, sizeof(text), ": status %d", c->status);
	note(run, c, text);
	c->from = from;
	c->next = c->proc.begun + c->check->every;
	if (!c->status) {
		c->held++;
		c->reached = true;
		if (role == CHECK_LOAD || role == CHECK_SOMETIMES)
			c->next = INT64_MAX;
	} else if (role == CHECK_SOMETIMES) {
		;	/* not yet */
	} else if (c->check->on && (c->status == LAB_GONE || c->status == LAB_TIMEOUT)) {
		c->unanswered++;
		if (role == CHECK_LOAD)
			c->next = now_ns() + AGAIN_NS;
	} else {
		c->failed = role == CHECK_ALWAYS || role == CHECK_LOAD;
	}
}

static bool is_late(const struct checking *c)
{
	int64_t limit = c->check->limit;

	if (limit && c->check->on)
		limit += GRACE_NS;
	return limit && now_ns() > c->proc.begun + limit;
}

void checking_tick(struct run *run, struct checking *c)
{
	bool ran = c->proc.pid;

	if (c->failed)
		return;
	if (proc_runs(&c->proc) && is_late(c)) {
		proc_end(&c->proc, END_NS);
		c->proc.status = LAB_TIMEOUT;
	}
	if (ran && !c->proc.pid)
		judge(run, c);
	else if (!ran && now_ns() >= c->next)
		checking_ask(run, c);
}

void checking_end(struct run *run, struct checking *c)
{
	if (!proc_runs(&c->proc))
		return;
	proc_end(&c->proc, END_NS);
	note(run, c, ": ended");
}

char *checking_tail(const struct checking *c)
{
	char *line = NULL, *last[TAIL_LINES] = { 0 }, *text = NULL;
	FILE *in = fopen(c->out, "re"), *out;
	size_t size = 0, n = 0, i, len;

	if (in)
		fseeko(in, c->from, SEEK_SET);
	while (in && getline(&line, &size, in) >= 0 && strncmp(line, "# ", 2)) {
		line[strcspn(line, "\r\n")] = '\0';
		free(last[n % TAIL_LINES]);
		last[n++ % TAIL_LINES] = xstrdup(log_clean(line));
	}
	if (in)
		fclose(in);
	free(line);
	out = open_memstream(&text, &len);
	for (i = n < TAIL_LINES ? 0 : n - TAIL_LINES; i < n; i++) {
		fprintf(out, "\n%s", last[i % TAIL_LINES]);
		free(last[i % TAIL_LINES]);
	}
	fclose(out);
	return text;
}
