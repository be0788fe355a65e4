// SPDX-License-Identifier: GPL-2.0
/*
 * exec -i: what comes here on a descriptor goes to a command in a guest.
 *
 * Not through a console: those stop reading when more than 4 KiB wait in the
 * guest's tty. It goes in parts, each a file in a folder of the live folder,
 * which the guest mounts by hostfs:
 *
 *	<n>.new		is being written
 *	<n>		whole, from 0; the guest removes it when the command has it
 *	an empty one	the end
 *
 * In the guest a process of its own feeds the command through a FIFO. It has the
 * folder in a mount namespace of its own: nobody sees it, and it ends with it.
 *
 * At most PARTS parts wait, and none for more to come while the guest has none.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

#define PART	(1 << 20)
#define PARTS	4

struct input {
	int fd;			/* -1: all has been read */
	char *folder;
	char *part;		/* that is read */
	size_t len;
	uint64_t made, taken;	/* parts */
	bool ended;		/* the last one is there */
};

/* ---- the folder ---- */

/* Of processes that were killed before they could. */
static void remove_stale(const struct lab *lab, const char *guest)
{
	char *path = guest_file(lab, guest, "."), *name, *old;
	DIR *dir = opendir(path);
	struct dirent *ent;
	int pid;

	while (dir && (ent = readdir(dir))) {
		if (sscanf(ent->d_name, "input.%d", &pid) != 1 || !kill(pid, 0) || errno != ESRCH)
			continue;
		name = xasprintf("input.%d", pid);
		old = guest_file(lab, guest, name);
		remove_tree(old);
		free(old);
		free(name);
	}
	if (dir)
		closedir(dir);
	free(path);
}

struct input *input_open(const struct lab *lab, const char *guest, int fd)
{
	struct input *input = xrealloc(NULL, sizeof(*input));
	char *name = xasprintf("input.%d", getpid());

	remove_stale(lab, guest);
	*input = (struct input) { .fd = fd };
	input->folder = guest_file(lab, guest, name);
	input->part = xrealloc(NULL, PART);
	free(name);
	if (mkdir(input->folder, 0700)) {
		say("%s: %m", input->folder);
		free(input->folder);
		input->folder = NULL;
		input_close(input);
		return NULL;
	}
	return input;
}

void input_close(struct input *input)
{
	if (!input)
		return;
	if (input->folder)
		remove_tree(input->folder);
	free(input->folder);
	free(input->part);
	free(input);
}

/* ---- in the guest ---- */

/*
 * The feeder's first line says that it has the folder: a command whose input
 * cannot come must not run. The command has a shell of its own, with a $$ that it may
 * kill; what this one would say of that ("Killed") is nobody's. hostfs takes a bare
 * path by mount(2) only, and newer mount programs have another call.
 */
char *input_wrap(const struct input *input, const char *guest, const char *command)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fputs("umf_in=/run/umf-input.$$\n"
	      "mkfifo -m 600 \"$umf_in\" || exit 126\n"
	      "unshare -m sh -c '\n"
	      "export LIBMOUNT_FORCE_MOUNT2=always\n"
	      "mount -n -t hostfs -o \"$1\" none /run && cd /run && echo || exit\n"
	      "n=0\n"
	      "while until [ -e $n ]; do sleep 0.02; done; [ -s $n ]; do\n"
	      "cat $n && rm $n || exit\n"
	      "n=$((n + 1))\n"
	      "done' sh ", out);
	quote(out, input->folder);
	fputs(" </dev/null >\"$umf_in\" &\n"
	      "umf_feeder=$!\n"
	      "exec <\"$umf_in\" 3>&2\n"
	      "rm \"$umf_in\"\n"
	      "if read -r umf_has; then\n"
	      "exec 2>/dev/null\n"
	      "(exec sh -c ", out);
	quote(out, command);
	fputs(" 2>&3 3>&-)\n"
	      "set -- $?\n"
	      "else\n"
	      "set -- 126\n"
	      "echo ", out);
	quote(out, NAME ": ");
	quote(out, guest);
	fputs("': takes no input: that needs hostfs, and unshare' >&2\n"
	      "fi\n"
	      "exec </dev/null 2>/dev/null\n"
	      "kill $umf_feeder\n"
	      "wait $umf_feeder\n"
	      "exit $1\n", out);
	fclose(out);
	return text;
}

/* ---- parts ---- */

static bool write_part(struct input *input)
{
	char *path = xasprintf("%s/%llu", input->folder, (unsigned long long)input->made);
	char *new = xasprintf("%s.new", path);
	int fd = open(new, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	size_t done = 0;
	ssize_t n = fd < 0 ? -1 : 0;

	while (n >= 0 && done < input->len) {
		n = write(fd, input->part + done, input->len - done);
		done += n > 0 ? n : 0;
	}
	if (fd >= 0)
		close(fd);
	if (n >= 0)
		n = rename(new, path);
	if (n < 0)
		say("%s: %m", new);
	input->made++;
	input->len = 0;
	free(new);
	free(path);
	return n >= 0;
}

static void count_taken(struct input *input)
{
	char *path;
	bool there;

	while (input->taken < input->made) {
		path = xasprintf("%s/%llu", input->folder, (unsigned long long)input->taken);
		there = !access(path, F_OK);
		free(path);
		if (there)
			return;
		input->taken++;
	}
}

static bool has_room(const struct input *input)
{
	return input->made - input->taken < PARTS;
}

/* False, and a line, if it cannot be read. */
static bool read_some(struct input *input)
{
	struct pollfd poll_fd = { .fd = input->fd, .events = POLLIN };
	ssize_t n;

	while (input->fd >= 0 && input->len < PART && poll(&poll_fd, 1, 0) > 0) {
		n = read(input->fd, input->part + input->len, PART - input->len);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			say("standard input: %m");
			return false;
		}
		input->len += n;
		if (!n)
			input->fd = -1;
	}
	return true;
}

int input_fd(const struct input *input)
{
	return input->len < PART && has_room(input) ? input->fd : -1;
}

bool input_waits(const struct input *input)
{
	return !input->ended && input->taken < input->made;
}

bool input_move(struct input *input)
{
	bool ok = true;

	count_taken(input);
	while (ok && !input->ended && has_room(input)) {
		ok = read_some(input);
		if (ok && input->len && (input->len == PART || input->fd < 0 ||
					 input->made == input->taken)) {
			ok = write_part(input);
		} else if (ok && !input->len && input->fd < 0) {
			ok = write_part(input);
			input->ended = true;
		} else {
			break;
		}
	}
	return ok;
}
