// SPDX-License-Identifier: GPL-2.0
/* exec, and other ways to reach a guest. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../lib/beside.h"
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define BEGIN_NS	30000000000LL	/* a guest that is busy may take so long */
#define TICK_NS		20000000L

/* One word is a command line of the guest's shell; several stay words. */
static char *make_command(char **args)
{
	char *text = NULL;
	size_t len;
	FILE *out;

	if (!args[1])
		return xstrdup(args[0]);
	out = open_memstream(&text, &len);
	for (; *args; args++) {
		quote(out, *args);
		if (args[1])
			fputc(' ', out);
	}
	fclose(out);
	return text;
}

static struct agent *wait_agent(struct lab *lab, const char *name, int64_t until,
				const sigset_t *open)
{
	struct agent *agent;
	struct process p;

	for (;;) {
		if (!process_read(lab, name, &p) || !process_alive(&p))
			return NULL;
		agent = agent_open(lab, name);
		if (agent || lab_now(lab) > until)
			return agent;
		virtual_pause(lab, TICK_NS, open);
		if (stop_asked())
			return NULL;
	}
}

/* What its kernel said when it panicked, and where; or nothing. */
static char *why_ended(const struct lab *lab, const char *name)
{
	char *why = log_panic(lab, name), *log = guest_log(lab, name), *text;

	text = why ? xasprintf(": %s; its log is %s", why, log) : xstrdup("");
	free(log);
	free(why);
	return text;
}

void exec_limit(const struct lab *lab, struct exec *exec, const struct options *opt)
{
	int64_t now = lab_now(lab);

	exec->end = opt->timed ? now + (int64_t)opt->timeout : 0;
	exec->begin = exec->end && exec->end < now + BEGIN_NS ? exec->end : now + BEGIN_NS;
}

static void say_why(struct lab *lab, const char *name, int ret, bool agent, bool begun,
		    const struct exec *exec)
{
	enum guest_state state = guest_state(lab, name);

	if (ret == LAB_GONE && state == GUEST_ENDED)
		say("%s: has ended meanwhile%s", name, why_ended(lab, name));
	else if (ret == LAB_GONE)
		say("%s: has booted again meanwhile", name);
	else if (ret == LAB_TIMEOUT && state == GUEST_FROZEN)
		say("%s: no answer: it is frozen; " NAME " thaw %s lets it go on",
		    name, name);
	else if (ret == LAB_TIMEOUT && !agent)
		say("%s: %d commands run there already", name, NR_AGENTS);
	else if (ret == LAB_TIMEOUT && !begun)
		say("%s: takes no command: it hangs, or has no agent", name);
	else if (ret == LAB_TIMEOUT && exec->end && lab_now(lab) >= exec->end)
		say("%s: not done in time", name);
}

int exec_in(struct lab *lab, const char *name, const struct exec *exec,
	    const sigset_t *open)
{
	struct input *input = NULL;
	char *command = NULL;
	struct agent *agent;
	bool begun = false;
	int ret;

	switch (guest_state(lab, name)) {
	case GUEST_DOWN:
		say("%s: is down; " NAME " up starts the lab", name);
		return LAB_GONE;
	case GUEST_ENDED:
		say("%s: has ended%s; " NAME " restart %s starts it", name,
		    why_ended(lab, name), name);
		return LAB_GONE;
	default:
		break;
	}
	if (exec->in >= 0) {
		input = input_open(lab, name, exec->in);
		if (!input)
			return LAB_FAILED;
		command = input_wrap(input, name, exec->command);
	}
	agent = wait_agent(lab, name, exec->begin, open);
	if (agent) {
		agent_redirect(agent, exec->out, exec->err);
		agent_feed(agent, input);
		ret = agent_run(agent, command ?: exec->command, exec->begin, exec->end,
				open, &begun);
		if (begun && ret != LAB_GONE && ret != -EINTR && !guest_is_ready(lab, name))
			guest_set_ready(lab, name);
	} else {
		ret = stop_asked() ? -EINTR :
		      guest_state(lab, name) == GUEST_ENDED ? LAB_GONE : LAB_TIMEOUT;
	}
	if (ret != -EINTR)
		say_why(lab, name, ret, agent, begun, exec);
	agent_close(agent);
	input_close(input);
	free(command);
	return ret;
}

int exec_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct exec exec = { .in = opt->input ? 0 : -1, .out = stdout, .err = stderr };
	struct guest_conf **list;
	char *name = args[0];
	sigset_t open;
	bool several;
	size_t n;
	int ret;

	if (!name)
		die(LAB_USAGE, "exec: which guest of %s?", lab->file);
	if (args[1] && !strcmp(args[1], "--"))
		args++;
	if (!args[1])
		die(LAB_USAGE, "exec: a command is missing");
	exec.command = make_command(args + 1);
	if (!*exec.command)
		die(LAB_USAGE, "exec: the command is empty");
	if (lab->virtual && opt->input)
		die(LAB_USAGE, "exec -i: input goes through hostfs, and %s is in virtual time",
		    lab->file);
	if (!virtual_hold(lab))
		return LAB_FAILED;
	exec_limit(lab, &exec, opt);
	if (opt->input && fcntl(0, F_GETFD) < 0)
		die(LAB_USAGE, "exec -i: there is no standard input");
	several = pick_list(lab, name, &list, &n);
	if (several && opt->input)
		die(LAB_USAGE, "exec -i: %s: input goes to one guest", name);
	if (several)
		return each_exec(lab, list, n, &exec);
	stop_catch(&open);
	ret = exec_in(lab, name, &exec, &open);
	if (ret == -EINTR)
		stop_die(stop_forget());
	return ret;
}

/* What makes other tools, and this one, find the guests. */
static const char * const env_names[] = {
	"UML_DIR", "UMF_LAB", "UMF_LAB_RUN", "UMF_LAB_KERNEL",
};

static char *env_value(const struct lab *lab, size_t i)
{
	switch (i) {
	case 0:
		return xasprintf("%s/uml", lab->live);
	case 1:
		return lab->path ? xstrdup(lab->path) : NULL;
	case 2:
		return xstrdup(lab->run);
	default:
		return !lab->kernel ? NULL : strchr(lab->kernel, '/') ?
		       path_canonical(lab->kernel) : xstrdup(lab->kernel);
	}
}

/* Most need no quotes, and are read by people and by sed. */
static void print_quoted(const char *word)
{
	const char *at = word;

	while (isalnum((unsigned char)*at) || (*at && strchr("/._-+=:@%", *at)))
		at++;
	if (*at)
		quote(stdout, word);
	else
		fputs(word, stdout);
}

#define NR_ENV (sizeof(env_names) / sizeof(*env_names))

int env_verb(struct lab *lab, const struct options *opt, char **args)
{
	size_t i;

	(void)opt;
	if (*args)
		die(LAB_USAGE, "%s: env takes no more words", *args);
	lab_say_elsewhere(lab);
	printf("export");
	for (i = 0; i < NR_ENV; i++) {
		printf(" %s=", env_names[i]);
		print_quoted(env_value(lab, i) ?: "");
	}
	putchar('\n');
	return LAB_DONE;
}

/* A timeline's commands for the host's shell may use this tool as well. */
static void prepend_path(void)
{
	char *tool = beside("bin/" NAME), *path = getenv("PATH");

	*strrchr(tool, '/') = '\0';
	setenv("PATH", xasprintf("%s:%s", tool, path ?: "/usr/bin:/bin"), 1);
}

int fault_verb(struct lab *lab, const struct options *opt, char **args)
{
	char *tool = beside("bin/mconsole-fault");
	size_t i;

	(void)opt;
	if (*args && !strcmp(*args, "power") && !lab_guest(lab, *args))
		return power_rules_verb(lab, args + 1);
	for (i = 0; i < NR_ENV; i++)
		setenv(env_names[i], env_value(lab, i) ?: "", 1);
	prepend_path();
	*--args = tool;
	execv(tool, args);
	execvp("mconsole-fault", args);
	die(LAB_FAILED, "%s: %m", tool);
}
