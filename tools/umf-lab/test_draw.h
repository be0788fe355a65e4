/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The space of faults of a test, and one schedule out of it. Pure: the same space and
 * seed give the same schedule, whatever runs, on any machine. Times are in ns.
 */
#ifndef __UMF_LAB_TEST_DRAW_H
#define __UMF_LAB_TEST_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind { KIND_NET, KIND_DISK, KIND_NODE, KIND_TTY, NR_KINDS };

/* How an action is done to a guest. */
enum how {
	HOW_RULE,	/* a rule, for as long as it lasts */
	HOW_ONCE,	/* a rule that has no end */
	HOW_KILL,	/* by umf-lab: killed, started again */
	HOW_FREEZE,	/* … stopped, let go on */
};

struct action {
	enum kind kind;
	const char *name;
	enum how how;
	const char *form;	/* of the rule's other words; test_draw.c has the letters */
	const char *help;
};

extern const struct action actions[];
extern const size_t nr_actions;
extern const char * const kind_names[NR_KINDS];

struct target {
	enum kind kind;
	const char *guest, *device;
};

struct space {
	int64_t from, length;		/* since the load began */
	int64_t shortest, longest;	/* a fault */
	int64_t back;			/* a guest that was started again is none yet */
	unsigned int any, budget[NR_KINDS];	/* at once, at most */
	struct target *target;
	size_t nr_targets;
	bool *chosen;			/* which of actions[] */
};

struct fault {
	unsigned int nr;	/* f1, f2, … */
	const struct action *action;
	const struct target *target;
	int64_t at, time;
	char *words;		/* of its rule, as drawn */
	uint32_t seed;
};

struct schedule {
	uint64_t seed;
	struct fault *fault;	/* by their times */
	size_t n;
};

/* Does no guest know anything of others while this is there? It excludes all else on its guest. */
bool action_is_whole(const struct action *action);
/* From when on it counts no more. */
int64_t fault_end(const struct space *space, const struct fault *fault);
void schedule_draw(struct schedule *schedule, const struct space *space, uint64_t seed);
void schedule_free(struct schedule *schedule);

#endif /* __UMF_LAB_TEST_DRAW_H */
