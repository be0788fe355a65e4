// SPDX-License-Identifier: GPL-2.0
/*
 * A schedule out of a seed. Pure: no clock, no file, no floating point.
 *
 * The seed first draws the run's character (swarm testing: which actions there are at
 * all, how dense, how long, how many at once), so that runs differ in more than
 * their instants; then one fault after the other, each from a stream of its own. One
 * that does not fit the budget, or what is there already, is left out.
 *
 * Invariants of what comes out, which tests/host/test-draw.t asks for:
 *	every fault begins at or after `from`, and has ended by `from + length`
 *	at no instant there are more than `any`, or of a kind more than its budget
 *	an action is on a device once at a time
 *	beside one that takes a whole guest nothing else is on that guest
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/xalloc.h"
#include "test_draw.h"

#define MS		((int64_t)1000000)
#define GUARD		(250 * MS)	/* what is done is done a little late */
#define FAULTS_MAX	500

const char * const kind_names[NR_KINDS] = {
	[KIND_NET] = "net", [KIND_DISK] = "disk", [KIND_NODE] = "node", [KIND_TTY] = "tty",
};

/*
 * %P a chance, 25, 50 or 100 %	%D rx, tx or both	%O one way or both
 * %T 1 ms to 300 ms		%S a step, + or -, 100 ms to 60 s	%G the guest
 */
const struct action actions[] = {
	{ KIND_NET, "drop", HOW_RULE, "%D prob=%P", "frames are lost" },
	{ KIND_NET, "delay", HOW_RULE, "%D time=%T", "frames come late" },
	{ KIND_NET, "corrupt", HOW_RULE, "%D prob=%P", "bits of frames are flipped" },
	{ KIND_NET, "dup", HOW_RULE, "%D prob=%P", "frames come twice" },
	{ KIND_NET, "hold", HOW_RULE, "%D", "frames are kept, and let go at the end" },
	{ KIND_NET, "down", HOW_RULE, "", "the link has no carrier" },
	{ KIND_NET, "partition", HOW_RULE, "a=%G%O", "the guest, and all others" },
	{ KIND_DISK, "error", HOW_RULE, "prob=%P", "operations fail" },
	{ KIND_DISK, "delay", HOW_RULE, "time=%T", "operations wait" },
	{ KIND_DISK, "hang", HOW_RULE, "", "operations are kept until the end" },
	{ KIND_DISK, "corrupt", HOW_RULE, "prob=%P", "data is wrong" },
	{ KIND_DISK, "torn", HOW_RULE, "prob=%P", "only the first sectors are written" },
	{ KIND_DISK, "lost", HOW_RULE, "prob=%P", "writes succeed and are never done" },
	{ KIND_DISK, "offline", HOW_RULE, "", "the disk is gone" },
	{ KIND_DISK, "readonly", HOW_RULE, "", "the disk is write-protected" },
	{ KIND_DISK, "nospace", HOW_RULE, "", "the disk is full" },
	{ KIND_DISK, "powercut", HOW_RULE, "", "the disk's write cache is lost" },
	{ KIND_NODE, "kill", HOW_KILL, "", "a power cut; it is started again" },
	{ KIND_NODE, "freeze", HOW_FREEZE, "", "it stands still, and goes on" },
	{ KIND_NODE, "reboot", HOW_ONCE, "", "it starts again at once" },
	{ KIND_NODE, "clock", HOW_RULE, "step=%S", "its clock on the wall is wrong" },
	{ KIND_TTY, "cut", HOW_RULE, "", "the cable is cut" },
	{ KIND_TTY, "corrupt", HOW_RULE, "%D prob=%P", "bits of bytes are flipped" },
	{ KIND_TTY, "drop", HOW_RULE, "%D prob=%P", "bytes are lost" },
	{ KIND_TTY, "hold", HOW_RULE, "%D", "flow control is stuck" },
};

const size_t nr_actions = sizeof(actions) / sizeof(*actions);

/* ---- numbers ---- */

struct stream {
	uint64_t state;
};

/* splitmix64 */
static uint64_t next(struct stream *s)
{
	uint64_t z = s->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* Streams of one seed are apart from each other, whatever is drawn from them. */
static struct stream stream_of(uint64_t seed, uint64_t nr)
{
	struct stream s = { seed };

	s.state = next(&s) + nr * 0xd1342543de82ef95ULL;
	s.state = next(&s);
	return s;
}

/* 0 to n - 1 */
static uint64_t below(struct stream *s, uint64_t n)
{
	return n ? (unsigned __int128)next(s) * n >> 64 : 0;
}

/* From low to high, whole milliseconds; as often in each octave. */
static int64_t octaves(struct stream *s, int64_t low, int64_t high)
{
	int64_t ends[64], from, to;
	size_t n = 0;

	if (low < MS)
		low = MS;
	if (high <= low)
		return low / MS * MS;
	for (from = low; from < high; from *= 2)
		ends[n++] = from;
	from = ends[below(s, n)];
	to = from > high / 2 ? high : 2 * from;
	return (from + (int64_t)below(s, to - from + 1)) / MS * MS;
}

/* ---- one fault ---- */

static void put_letter(FILE *out, char letter, struct stream *s, const struct fault *fault)
{
	static const char * const chances[] = { "25%", "50%", "100%" };
	static const char * const ways[] = { "", "dir=rx", "dir=tx" };
	int64_t ms;

	switch (letter) {
	case 'P':
		fputs(chances[below(s, 3)], out);
		break;
	case 'D':
		fputs(ways[below(s, 3)], out);
		break;
	case 'O':
		fputs(below(s, 4) ? "" : " oneway=on", out);
		break;
	case 'T':
		fprintf(out, "%" PRId64 "ms", octaves(s, MS, 300 * MS) / MS);
		break;
	case 'S':
		ms = octaves(s, 100 * MS, 60000 * MS) / MS;
		fprintf(out, "%c%" PRId64 "ms", "+-"[below(s, 2)], ms);
		break;
	case 'G':
		fputs(fault->target->guest, out);
		break;
	}
}

/* The words of the form, one blank between two. */
static char *draw_words(struct stream *s, const struct fault *fault)
{
	const char *at = fault->action->form;
	char *text = NULL, *from;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (; *at; at++)
		if (*at == '%')
			put_letter(out, *++at, s, fault);
		else
			fputc(*at, out);
	fclose(out);
	from = text + strspn(text, " ");
	from = xstrdup(from);
	free(text);
	return from;
}

bool action_is_whole(const struct action *action)
{
	return action->how != HOW_RULE;
}

int64_t fault_end(const struct space *space, const struct fault *fault)
{
	bool boots = fault->action->how == HOW_KILL || fault->action->how == HOW_ONCE;

	return fault->at + fault->time + (boots ? space->back : 0);
}

/* Is one there at that instant, or so shortly before it that it may be? */
static bool is_there(const struct space *space, const struct fault *fault, int64_t at)
{
	return fault->at <= at && at < fault_end(space, fault) + GUARD;
}

static bool collides(const struct space *space, const struct fault *a, const struct fault *b)
{
	if (a->at >= fault_end(space, b) + GUARD || b->at >= fault_end(space, a) + GUARD)
		return false;
	if (strcmp(a->target->guest, b->target->guest))
		return false;
	if (action_is_whole(a->action) || action_is_whole(b->action))
		return true;
	return a->action == b->action && !strcmp(a->target->device, b->target->device);
}

/* How many there are at that instant: of all kinds, and of one. */
static void count(const struct space *space, const struct schedule *schedule, int64_t at,
		  enum kind kind, unsigned int *all, unsigned int *same)
{
	size_t i;

	*all = *same = 0;
	for (i = 0; i < schedule->n; i++)
		if (is_there(space, &schedule->fault[i], at)) {
			++*all;
			*same += schedule->fault[i].action->kind == kind;
		}
}

/* Faults come by their times: nothing that is there already begins after the new one. */
static bool fits(const struct space *space, const struct schedule *schedule,
		 const struct fault *new, unsigned int any)
{
	unsigned int all, same;
	size_t i;

	count(space, schedule, new->at, new->action->kind, &all, &same);
	if (all >= any || same >= space->budget[new->action->kind])
		return false;
	for (i = 0; i < schedule->n; i++)
		if (collides(space, new, &schedule->fault[i]))
			return false;
	return true;
}

/* ---- the whole ---- */

struct character {
	bool *chosen;		/* of actions */
	unsigned int any;
	int64_t gap;		/* between two beginnings, at most twice that */
	int64_t longest;
};

static bool has_target(const struct space *space, enum kind kind)
{
	size_t i;

	for (i = 0; i < space->nr_targets; i++)
		if (space->target[i].kind == kind)
			return true;
	return false;
}

static void draw_character(struct character *c, const struct space *space, uint64_t seed)
{
	struct stream s = stream_of(seed, 0);
	size_t i, n = 0, only = 0, turn;
	bool on;

	c->chosen = xrealloc(NULL, nr_actions * sizeof(*c->chosen));
	for (i = 0; i < nr_actions; i++) {
		on = below(&s, 2);
		c->chosen[i] = space->chosen[i] && space->budget[actions[i].kind] &&
			       has_target(space, actions[i].kind);
		n += c->chosen[i];
		/* one of them, each as likely as the others, stays in any case */
		turn = below(&s, n);
		if (c->chosen[i] && !turn)
			only = i;
		c->chosen[i] = c->chosen[i] && on;
	}
	if (n)
		c->chosen[only] = true;
	c->any = 1 + below(&s, space->any);
	c->gap = octaves(&s, space->length / 24, space->length / 4);
	c->longest = octaves(&s, space->shortest, space->longest);
}

static const struct action *draw_action(struct stream *s, const struct character *c)
{
	size_t i, n = 0, turn;

	for (i = 0; i < nr_actions; i++)
		n += c->chosen[i];
	turn = below(s, n);
	for (i = 0; n && i < nr_actions; i++)
		if (c->chosen[i] && !turn--)
			return &actions[i];
	return NULL;
}

static const struct target *draw_target(struct stream *s, const struct space *space,
					enum kind kind)
{
	size_t i, n = 0, turn;

	for (i = 0; i < space->nr_targets; i++)
		n += space->target[i].kind == kind;
	turn = below(s, n);
	for (i = 0; i < space->nr_targets; i++)
		if (space->target[i].kind == kind && !turn--)
			return &space->target[i];
	return NULL;
}

void schedule_draw(struct schedule *schedule, const struct space *space, uint64_t seed)
{
	int64_t end = space->from + space->length, at = space->from;
	struct character c;
	struct fault fault;
	struct stream s;
	uint64_t i;

	memset(schedule, 0, sizeof(*schedule));
	schedule->seed = seed;
	draw_character(&c, space, seed);
	for (i = 1; i <= FAULTS_MAX; i++) {
		s = stream_of(seed, i);
		at += (int64_t)below(&s, 2 * c.gap) / MS * MS;
		fault = (struct fault) { .at = at, .action = draw_action(&s, &c) };
		if (!fault.action || at + space->shortest > end)
			break;
		fault.target = draw_target(&s, space, fault.action->kind);
		fault.time = fault.action->how == HOW_ONCE ? 0 :
			     octaves(&s, space->shortest, c.longest);
		if (fault_end(space, &fault) > end)
			fault.time -= fault_end(space, &fault) - end;
		if (fault.time < 0 || (fault.action->how != HOW_ONCE &&
				       fault.time < space->shortest))
			continue;
		if (!fits(space, schedule, &fault, c.any))
			continue;
		fault.nr = schedule->n + 1;
		fault.seed = next(&s) >> 32;
		fault.words = draw_words(&s, &fault);
		schedule->fault = xrealloc(schedule->fault,
					   (schedule->n + 1) * sizeof(fault));
		schedule->fault[schedule->n++] = fault;
	}
	free(c.chosen);
}

void schedule_free(struct schedule *schedule)
{
	size_t i;

	for (i = 0; i < schedule->n; i++)
		free(schedule->fault[i].words);
	free(schedule->fault);
	memset(schedule, 0, sizeof(*schedule));
}
