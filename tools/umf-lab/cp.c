// SPDX-License-Identifier: GPL-2.0
/*
 * cp: files and folders into guests, out of them, and from one to another.
 *
 * Two shell scripts, the same in a guest and here: one sends, one receives, and a
 * pipe joins them; a guest's is run as exec -i runs it. What goes through the pipe:
 *
 *	folder\n, and tar's archive of what is in it
 *	file <mode> <time>\n, its bytes, and a mark that nobody can have in a file
 *
 * (A file is not tar's: what is in /proc or grows has no size that is true.)
 *
 * The receiver has all in a folder of its own, .umf-lab.XXXXXX, beside where it goes, and
 * moves it there when it is whole: a file is the old one or the new one. That it is whole
 * says the end of the pipe, which we hold open until the sender has done well; and if we
 * are killed, the mark, or tar, which knows an archive's end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/stop.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define FAILED_NS 300000000LL	/* so long may the other side be the cause */
#define SAID	1	/* a script's exit status: it has said why */

/* $1 whose words, $2 from, $3 the mark */
static const char sender[] =
	"fail() { printf '" NAME ": %s%s\\n' \"$at\" \"$1\" >&2; exit 1; }\n"
	"at=$1\n"
	"if [ -d \"$2\" ]; then\n"
	"	cd \"$2\" || exit\n"
	"	echo folder\n"
	"	tar -cf - .\n"
	"	status=$?\n"
	"	[ $status != 1 ] || ! tar --version 2>/dev/null | grep -q GNU || exit 0\n"
	"	[ $status = 0 ] || exit 3\n"
	"elif [ -e \"$2\" ]; then\n"
	"	[ -r \"$2\" ] || fail \"$2: cannot be read\"\n"
	"	printf 'file ' && stat -L -c '%a %Y' \"$2\" && cat \"$2\" && printf %s \"$3\" || exit 3\n"
	"else\n"
	"	fail \"$2: no such file or folder\"\n"
	"fi\n";

/* $1 whose words, $2 to, $3 the source's name, $4 there are several, $5 the mark */
static const char receiver[] =
	/* what the shell itself has to say ("Terminated") is nobody's */
	"exec 3>&2 2>/dev/null\n"
	"run() { (exec \"$@\" 2>&3 3>&-) }\n"
	"fail() { printf '" NAME ": %s%s\\n' \"$at\" \"$1\" >&3; exit 1; }\n"
	/* what a folder lets nobody change it lets nobody move */
	"move()\n"
	"{\n"
	"	if [ -d \"$1\" ] && [ ! -L \"$1\" ] && [ ! -w \"$1\" ]; then\n"
	"		mode=$(stat -c %a \"$1\")\n"
	"		run chmod u+w \"$1\" && run mv \"$1\" \"$2\" && run chmod \"$mode\" \"$2\"\n"
	"	else\n"
	"		run mv -f \"$1\" \"$2\"\n"
	"	fi || exit 3\n"
	"}\n"
	"merge()\n"
	"{\n"
	"	local f t\n"
	"	[ -w \"$1\" ] || chmod u+w \"$1\"\n"
	"	for f in \"$1\"/* \"$1\"/.[!.]* \"$1\"/..?*; do\n"
	"		t=$2/${f##*/}\n"
	"		[ -e \"$f\" ] || [ -L \"$f\" ] || continue\n"
	"		if [ -d \"$f\" ] && [ ! -L \"$f\" ]; then\n"
	"			[ ! -d \"$t\" ] || { merge \"$f\" \"$t\"; continue; }\n"
	"			[ ! -e \"$t\" ] && [ ! -L \"$t\" ] || fail \"$t: is no folder\"\n"
	"		elif [ -L \"$t\" ] && [ -d \"$t\" ]; then\n"
	"			rm -f \"$t\"\n"
	"		elif [ -d \"$t\" ]; then\n"
	"			fail \"$t: is a folder\"\n"
	"		fi\n"
	"		move \"$f\" \"$t\"\n"
	"	done\n"
	"}\n"
	"at=$1 to=$2 new=\n"
	"read -r kind mode time || exit 1\n"
	"if [ -d \"$to\" ]; then\n"
	"	to=${to%/}${3:+/$3}\n"
	"	to=${to:-/}\n"
	"elif [ -n \"$4\" ]; then\n"
	"	fail \"$to: is no folder, and more than one is copied\"\n"
	"elif [ \"$kind\" = file ]; then\n"
	"	case $to in */) fail \"$to: no such folder\" ;; esac\n"
	"fi\n"
	"while [ \"$to\" != / ] && [ \"$to\" != \"${to%/}\" ]; do to=${to%/}; done\n"
	"[ ! -L \"$to\" ] || to=$(readlink -f \"$to\") || fail \"$2: leads nowhere\"\n"
	"in=${to%/*}\n"
	"in=${in:-/}\n"
	"[ -d \"$in\" ] || fail \"$in: no such folder\"\n"
	"if [ \"$kind\" = folder ] && [ -d \"$to\" ]; then\n"
	"	in=$to\n"
	"elif [ \"$kind\" = folder ]; then\n"
	"	[ ! -e \"$to\" ] || fail \"$to: is no folder\"\n"
	"else\n"
	"	[ ! -d \"$to\" ] || fail \"$to: is a folder\"\n"
	"	[ ! -e \"$to\" ] || [ -f \"$to\" ] || fail \"$to: is there and no file\"\n"
	"fi\n"
	"trap '[ -z \"$new\" ] || { chmod -R u+rwX \"$new\"; rm -rf \"$new\"; }' EXIT\n"
	"trap 'exit 3' HUP INT TERM\n"
	"new=$(run mktemp -d \"${in%/}/.umf-lab.XXXXXX\") || exit 3\n"
	"if [ \"$kind\" = folder ]; then\n"
	"	run mkdir \"$new/all\" && run tar -xpof - -C \"$new/all\" && cat >/dev/null || exit 3\n"
	"	if [ -d \"$to\" ]; then merge \"$new/all\" \"$to\"; else move \"$new/all\" \"$to\"; fi\n"
	"else\n"
	"	run cat >\"$new/file\" || exit 3\n"
	"	[ \"$(tail -c ${#5} \"$new/file\" | tr -d '\\000')\" = \"$5\" ] || exit 3\n"
	"	size=$(($(stat -c %s \"$new/file\") - ${#5}))\n"
	"	dd if=/dev/null of=\"$new/file\" bs=1 seek=$size || exit 3\n"
	"	touch -d \"@$time\" \"$new/file\" && chmod \"$mode\" \"$new/file\" || exit 3\n"
	"	move \"$new/file\" \"$to\"\n"
	"fi\n";

struct place {
	const char *said;
	char *guest;		/* NULL: this machine */
	char *path;		/* no option, and has a / */
};

struct side {
	pid_t pid;		/* 0: it has ended, with this */
	int status;
};

/* ---- what is said ---- */

static void read_place(struct lab *lab, const char *word, struct place *place)
{
	const char *colon = strchr(word, ':'), *path = word;

	place->said = word;
	place->guest = NULL;
	if (colon && colon > word && !memchr(word, '/', colon - word)) {
		place->guest = xstrndup(word, colon - word);
		pick_guest(lab, place->guest);
		path = colon + 1;
	}
	if (!*path)
		die(LAB_USAGE, "cp: '%s': a path is missing", word);
	place->path = xasprintf("%s%s", *path == '/' ? "" : "./", path);
}

/* Its last part; "" of a folder that has no name of its own, as . or /. */
static char *base_of(const char *path)
{
	size_t len = strlen(path);
	const char *at;

	while (len && path[len - 1] == '/')
		len--;
	for (at = path + len; at > path && at[-1] != '/'; at--)
		;
	if (path + len - at <= 2 && !strncmp(at, "..", path + len - at))
		len = at - path;
	return xstrndup(at, path + len - at);
}

static bool is_into_itself(const struct place *from, const struct place *to)
{
	size_t len = strlen(from->path);

	while (len && from->path[len - 1] == '/')
		len--;
	return from->guest && to->guest && !strcmp(from->guest, to->guest) &&
	       !strncmp(from->path, to->path, len) &&
	       (!to->path[len] || to->path[len] == '/');
}

static char *make_script(const char *script, const struct place *place,
			 const char *const *words)
{
	char *text = NULL, *whose = place->guest ? xasprintf("%s:", place->guest) :
						   xstrdup("");
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fputs("set -- ", out);
	quote(out, whose);
	fputc(' ', out);
	quote(out, place->path);
	for (; *words; words++) {
		fputc(' ', out);
		quote(out, *words);
	}
	fprintf(out, "\n%s", script);
	fclose(out);
	free(whose);
	return text;
}

/* ---- the two sides ---- */

__attribute__((noreturn))
static void become_shell(const char *script, const sigset_t *open)
{
	static const int defaults[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	size_t i;

	for (i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		signal(defaults[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, open, NULL);
	execl("/bin/sh", "sh", "-c", script, NULL);
	say("/bin/sh: %m");
	_exit(SAID);
}

/* The pipe's end is its input (@in), or its output. The other one is not its business. */
static struct side start(struct lab *lab, const struct place *place, const char *script,
			 const int *pipe, bool in, const struct exec *limits,
			 const sigset_t *open)
{
	struct exec exec = *limits;
	pid_t pid = fork();
	int ret;

	if (pid < 0)
		die(LAB_FAILED, "cp: %m");
	setpgid(pid, pid);	/* both do: who comes second changes nothing */
	if (pid)
		return (struct side) { .pid = pid };
	if (!place->guest) {
		if ((!in && !freopen("/dev/null", "r", stdin)) ||
		    (in && dup2(pipe[0], 0) < 0) || dup2(in ? 2 : pipe[1], 1) < 0)
			_exit(LAB_FAILED);
		become_shell(script, open);
	}
	close(pipe[in ? 1 : 0]);
	/* that nobody reads on is for who started us to see, and to say */
	signal(SIGPIPE, SIG_IGN);
	exec.command = script;
	exec.in = in ? pipe[0] : -1;
	exec.out = in ? stderr : fdopen(pipe[1], "w");
	exec.err = stderr;
	if (!exec.out)
		_exit(LAB_FAILED);
	ret = exec_in(lab, place->guest, &exec, open);
	if (ret == -EINTR)
		stop_die(stop_forget());
	_exit(ret);
}

static void end_side(struct side *side)
{
	if (!side->pid)
		return;
	kill(-side->pid, SIGTERM);
	waitpid(side->pid, NULL, 0);
	side->pid = 0;
	side->status = 0;
}

static bool has_ended(struct side *side)
{
	int status;

	if (side->pid && waitpid(side->pid, &status, WNOHANG) == side->pid) {
		side->pid = 0;
		side->status = WIFEXITED(status) ? WEXITSTATUS(status) :
						   128 + WTERMSIG(status);
	}
	return !side->pid;
}

/* ---- one source ---- */

/* Nothing is made at the other end for what is not there. */
static int wait_begin(struct side *from, int fd, const sigset_t *open)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	const struct timespec tick = { .tv_nsec = 20000000 };

	for (;;) {
		if (ppoll(&poll_fd, 1, &tick, open) > 0)
			return 0;
		if (stop_asked())
			return -EINTR;
		if (has_ended(from) && poll(&poll_fd, 1, 0) <= 0)
			return from->status ?: LAB_FAILED;
	}
}

/* Until both have ended: the status of who failed first. Who sends fails if nobody receives. */
static int wait_both(struct side *from, struct side *to, int *fd, const sigset_t *open)
{
	int64_t failed = 0;

	while (!has_ended(to)) {
		if (stop_asked())
			return -EINTR;
		if (has_ended(from) && from->status && !failed)
			failed = now_ns();
		if (failed && now_ns() > failed + FAILED_NS)
			return from->status;
		if (!from->pid && !from->status && *fd >= 0) {
			close(*fd);
			*fd = -1;
		}
		up_pause(open);
	}
	return to->status;
}

static int copy(struct lab *lab, const struct place *from, const struct place *to,
		bool several, const struct exec *limits, const sigset_t *open)
{
	uint64_t random = now_ns();
	char *mark, *base = base_of(from->path), *send, *receive;
	struct side source, target = { 0 };
	int pipe[2], ret;

	if (getrandom(&random, sizeof(random), 0) < 0)
		random ^= getpid();
	mark = xasprintf("umf-lab-end-%016llx", (unsigned long long)random);
	send = make_script(sender, from, (const char *const[]) { mark, NULL });
	receive = make_script(receiver, to, (const char *const[]) {
			      base, several ? "yes" : "", mark, NULL });
	if (pipe2(pipe, O_CLOEXEC))
		die(LAB_FAILED, "cp: %m");
	fflush(stdout);
	source = start(lab, from, send, pipe, false, limits, open);
	ret = wait_begin(&source, pipe[0], open);
	if (!ret) {
		target = start(lab, to, receive, pipe, true, limits, open);
		close(pipe[0]);
		pipe[0] = -1;
		ret = wait_both(&source, &target, &pipe[1], open);
	}
	end_side(&target);
	end_side(&source);
	if (pipe[0] >= 0)
		close(pipe[0]);
	if (pipe[1] >= 0)
		close(pipe[1]);
	free(send);
	free(receive);
	free(base);
	free(mark);
	return ret;
}

int cp_verb(struct lab *lab, const struct options *opt, char **args)
{
	struct exec limits = { 0 };
	struct place from, to;
	int ret, worst = LAB_DONE;
	sigset_t open;
	size_t n = 0, i;

	while (args[n])
		n++;
	if (n < 2)
		die(LAB_USAGE, "cp: <source>... <target>, each a path or <guest>:<path>");
	read_place(lab, args[n - 1], &to);
	for (i = 0; i < n - 1; i++) {
		read_place(lab, args[i], &from);
		if (!from.guest && !to.guest)
			die(LAB_USAGE, "cp: neither %s nor %s is in a guest, as n1:/path",
			    from.said, to.said);
		if (is_into_itself(&from, &to))
			die(LAB_USAGE, "cp: %s is %s, or in it", to.said, from.said);
	}
	if (lab->virtual)
		die(LAB_USAGE, "cp: files go through hostfs, and %s is in virtual time", lab->file);
	exec_limit(lab, &limits, opt);
	stop_catch(&open);
	for (i = 0; i < n - 1; i++) {
		read_place(lab, args[i], &from);
		ret = copy(lab, &from, &to, n > 2, &limits, &open);
		if (ret == -EINTR)
			stop_die(stop_forget());
		if (ret && ret != SAID && ret != LAB_TIMEOUT && ret != LAB_GONE) {
			say("%s: is not copied", from.said);
			ret = LAB_FAILED;
		}
		worst = ret > worst ? ret : worst;
	}
	return worst;
}
