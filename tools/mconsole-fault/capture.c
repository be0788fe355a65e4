// SPDX-License-Identifier: GPL-2.0
/*
 * capture that is followed until Ctrl-C, and files of captures as text.
 *
 * With -w <file> the guest writes the file; here it is begun, looked after and
 * ended. Otherwise the guest writes into a FIFO whose name is gone as soon as
 * both have it open, and what comes is put out here. Ended is it by the guest,
 * which writes what it still has: so that is read on while the guest is asked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "fault/params.h"
#include "tool.h"

#define POLL_MS		200
#define LAST_MS		5000	/* without a byte, once it has been ended */
#define PIPE_SIZE	(1 << 20)

#define CAPTURE		umf_verbs[UMF_V_CAPTURE].name

static char *make_request(const char *device, char *what)
{
	struct words words = { 0 };
	char *request;

	words_add(&words, (char *)CAPTURE);
	if (device)
		words_add(&words, (char *)device);
	if (what)
		words_add(&words, what);
	request = request_one(&words);
	words_free(&words);
	return request;
}

/* One request; its reply is in calls[0] until the next. False: it was not done. */
static bool ask_one(struct tool *tool, struct mconsole_call *calls,
		    const char *device, char *what)
{
	char *request = make_request(device, what);
	bool done;

	calls[0].request = request;
	done = ask(tool, calls, ask_timeout(tool), NULL) == 1;
	calls[0].request = NULL;
	free(request);
	return done;
}

/* Ends it, and says what it was; a FIFO's name tells nobody anything. */
static void ask_off(struct tool *tool, struct mconsole_call *calls,
		    const char *device, bool fifo)
{
	char *file;

	if (!ask_one(tool, calls, device, "off"))
		return;
	file = strstr(calls[0].reply, " file=");
	if (fifo && file)
		*file = '\0';
	print_error(&tool->guests.guest[0], "%s", calls[0].reply);
}

/* ---- the guest writes ---- */

char *tool_path(const char *path)
{
	char *here, *whole;

	if (*path == '/')
		return xstrdup(path);
	here = getcwd(NULL, 0);
	if (!here)
		tool_usage("%s: the current folder has no name: %s", path,
			   strerror(errno));
	whole = xasprintf("%s/%s", here, path);
	free(here);
	return whole;
}

struct look {
	char *line;	/* how a line that lists it ends */
	bool found;
};

static void see_line(char *line, void *data)
{
	struct look *look = data;
	size_t len = strlen(line), end = strlen(look->line);

	if (len > end && !strcmp(line + len - end, look->line))
		look->found = true;
}

static void look_after(struct tool *tool, const char *device)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	const struct guest *guest = &tool->guests.guest[0];
	char *path = tool_path(tool->write);
	struct mconsole_call *calls = ask_new(tool);
	struct look look = { 0 };
	sigset_t open;

	stop_catch(&open);
	if (!ask_one(tool, calls, device, path))
		goto out;
	print_error(guest, "%s is captured to %s until Ctrl-C", device, path);
	look.line = xasprintf(" file=\"%s\"", path);
	for (;;) {
		ppoll(NULL, 0, &pause, &open);
		if (stop_asked()) {
			ask_off(tool, calls, device, false);
			break;
		}
		look.found = false;
		if (!ask_one(tool, calls, NULL, NULL))
			break;
		mconsole_lines(calls[0].reply, see_line, &look);
		if (look.found)
			continue;
		print_error(guest, "the capture of %s has ended; the guest's kernel log says why if it was not told to",
			    device);
		tool_worse(tool, TOOL_REFUSED);
		break;
	}
	free(look.line);
out:
	ask_free(tool, calls);
	free(path);
}

/* ---- we write ---- */

struct stream {
	struct tool *tool;
	const char *device;
	int fd;			/* the FIFO */
	FILE *out;
	struct text *text;	/* NULL: as it comes */
	bool deaf;		/* nobody reads what is put out */
	pid_t ender;		/* asks the guest to end it; 0: not yet */
};

/* Opens a FIFO, tells the guest, and removes its name. */
static bool open_stream(struct stream *stream)
{
	const char *tmp = getenv("TMPDIR");
	struct mconsole_call *calls = ask_new(stream->tool);
	char *dir, *fifo;
	bool done = false;

	dir = xasprintf("%s/mconsole-fault.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		tool_usage("%s: no folder can be made there: %s", dir,
			   strerror(errno));
	fifo = tool_path(dir);
	free(dir);
	dir = fifo;
	fifo = xasprintf("%s/fifo", dir);
	if (mkfifo(fifo, 0600) ||
	    (stream->fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
		print_error(&stream->tool->guests.guest[0], "%s: %s", fifo,
			    strerror(errno));
		tool_worse(stream->tool, TOOL_UNREACHED);
	} else {
		fcntl(stream->fd, F_SETPIPE_SZ, PIPE_SIZE);
		done = ask_one(stream->tool, calls, stream->device, fifo);
	}
	unlink(fifo);
	rmdir(dir);
	free(fifo);
	free(dir);
	ask_free(stream->tool, calls);
	return done;
}

/* Has it ended, whatever is still to be read? */
static void start_end(struct stream *stream)
{
	struct mconsole_call *calls;
	struct tool *tool = stream->tool;

	fflush(stream->out);
	stream->ender = fork();
	if (stream->ender)
		return;
	tool->status = TOOL_DONE;
	calls = ask_new(tool);
	ask_off(tool, calls, stream->device, true);
	_exit(tool->status);
}

static void put_out(struct stream *stream, const char *bytes, size_t len)
{
	if (stream->deaf)
		return;
	if (stream->text && !text_feed(stream->text, bytes, len)) {
		print_error(&stream->tool->guests.guest[0],
			    "what the guest writes is no capture");
		tool_worse(stream->tool, TOOL_UNREACHED);
		stream->deaf = true;
	} else if (!stream->text) {
		fwrite(bytes, 1, len, stream->out);
	}
	if (fflush(stream->out) || ferror(stream->out)) {
		/* who went away knows why */
		if (errno != EPIPE) {
			fprintf(stderr, "mconsole-fault: cannot write: %s\n",
				strerror(errno));
			tool_worse(stream->tool, TOOL_UNREACHED);
		}
		stream->deaf = true;
	}
}

static void run_stream(struct stream *stream, const sigset_t *open)
{
	const struct timespec last = { .tv_sec = LAST_MS / 1000 };
	static char bytes[1 << 16];
	struct pollfd fds[2] = {
		{ .fd = stream->fd, .events = POLLIN },
		{ .fd = fileno(stream->out) },
	};
	ssize_t n;
	int ready;

	for (;;) {
		if (!stream->ender && (stop_asked() || stream->deaf))
			start_end(stream);
		ready = ppoll(fds, stream->deaf ? 1 : 2,
			      stream->ender ? &last : NULL, open);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			break;
		if (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL))
			stream->deaf = true;
		if (!fds[0].revents)
			continue;
		n = read(stream->fd, bytes, sizeof(bytes));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			break;
		put_out(stream, bytes, n);
	}
}

static void follow_stream(struct tool *tool, const char *device)
{
	struct stream stream = { .tool = tool, .device = device, .fd = -1,
				 .out = stdout };
	const struct guest *guest = &tool->guests.guest[0];
	bool named = tool->write && strcmp(tool->write, "-");
	int status;
	sigset_t open;

	if (named) {
		stream.out = fopen(tool->write, "we");
		if (!stream.out)
			tool_usage("-w %s: %s", tool->write, strerror(errno));
	} else if (!tool->text && isatty(STDOUT_FILENO)) {
		tool_usage("-w -: a terminal shows no pcapng; --text is for people");
	}
	if (tool->text)
		stream.text = text_new(stream.out);
	signal(SIGPIPE, SIG_IGN);
	stop_catch(&open);
	if (open_stream(&stream)) {
		run_stream(&stream, &open);
		if (stream.ender > 0 && waitpid(stream.ender, &status, 0) > 0)
			tool_worse(tool, WIFEXITED(status) ?
				   (enum tool_exit)WEXITSTATUS(status) :
				   TOOL_UNREACHED);
		else if (mconsole_probe(guest->path)) {
			print_error(guest, "the guest has ended");
			tool_worse(tool, TOOL_UNREACHED);
		}
	}
	if (stream.fd >= 0)
		close(stream.fd);
	if (stream.text)
		text_free(stream.text);
	if (named && fclose(stream.out))
		tool_worse(tool, TOOL_UNREACHED);
}

void capture_verb(struct tool *tool, int argc, char **argv)
{
	if (argc != 1)
		tool_usage("capture takes one device here; its file is said with -w");
	if (tool->several)
		tool_usage("a capture is followed in one guest at a time");
	if (tool->json)
		tool_usage("--json: a capture is pcapng, or text");
	if (tool->write && !*tool->write)
		tool_usage("-w: the file's name is empty");
	if (tool->write && !tool->text && strcmp(tool->write, "-")) {
		look_after(tool, argv[0]);
	} else {
		tool->text = tool->text || !tool->write;
		follow_stream(tool, argv[0]);
	}
}

/* ---- a file ---- */

void capture_read(struct tool *tool, const char *path)
{
	struct text *text = text_new(stdout);
	FILE *in = strcmp(path, "-") ? fopen(path, "re") : stdin;
	static char bytes[1 << 16];
	bool good = true;
	size_t n;

	if (!in)
		tool_usage("--read %s: %s", path, strerror(errno));
	while (good && (n = fread(bytes, 1, sizeof(bytes), in)) > 0)
		good = text_feed(text, bytes, n);
	if (ferror(in))
		tool_usage("--read %s: %s", path, strerror(errno));
	if (!text_whole(text)) {
		fflush(stdout);
		fprintf(stderr, "mconsole-fault: %s: %s\n", path, good ?
			"ends in the middle" : "is no capture of a guest");
		tool_worse(tool, TOOL_UNREACHED);
	}
	if (in != stdin)
		fclose(in);
	text_free(text);
}
