// SPDX-License-Identifier: GPL-2.0
/*
 * The shell script that the guest runs: this machine's file system under an
 * overlay that is lost with the guest, the current folder as it is, and there the
 * command, with the environment and on the terminal of who called.
 *
 * It is run by the busybox of the initramfs. What it says of its own, and the
 * command's status, are files in the shared folder.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "run.h"

extern char **environ;

/* '…', whatever is in it */
static void put_quoted(FILE *f, const char *text)
{
	fputc('\'', f);
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", f);
		else
			fputc(*text, f);
	fputc('\'', f);
}

/* umfa, ttyS0, eth1: of ours */
static bool is_device(const char *name, size_t len)
{
	size_t i = !strncmp(name, "eth", 3) || !strncmp(name, "umf", 3) ? 3 :
		   !strncmp(name, "ttyS", 4) ? 4 : len;

	if (i >= len)
		return false;
	for (; i < len; i++)
		if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]))
			return false;
	return true;
}

/* What was asked of the kernel is there, or the line of its log that says why not. */
static void put_checks(FILE *f, const struct run *run)
{
	size_t i, len;

	fputs("fail() { echo \"$*\" >/umf/why; echo 125 >/umf/status; exit; }\n", f);
	for (i = 0; i < run->net.n; i++)
		fprintf(f, "[ -e /sys/class/net/eth%zu ] ||\n"
			"\tfail \"--net: $(dmesg | grep -o 'eth%zu: .*' | head -n 1)\"\n", i, i);
	for (i = 0; i < run->append.n; i++) {
		const char *text = run->append.s[i];

		len = strcspn(text, "=");
		if (!text[len] || !is_device(text, len))
			continue;
		fprintf(f, "[ -e /sys/class/net/%.*s ] || [ -c /dev/%.*s ] || [ -b /dev/%.*s ] ||\n"
			"\tfail \"--append: $(dmesg | grep -o '%.*s: .*' | head -n 1)\"\n",
			(int)len, text, (int)len, text, (int)len, text, (int)len, text);
	}
	if (run->fault.n)
		fputs("why=$(dmesg | sed -n 's/.*umf: umf=: //p' | head -n 1)\n"
		      "[ -z \"$why\" ] || fail \"--fault: $why\"\n", f);
}

static void put_mounts(FILE *f, const struct run *run, const char *cwd)
{
	const char *root = run->rootfs ?: "/";

	fputs("mkdir -p /lower /upper /new\n", f);
	if (run->rw) {
		fputs("mount -t hostfs -o ", f);
		put_quoted(f, root);
		fputs(" none /new || fail 'the file system cannot be mounted'\n", f);
	} else {
		fputs("mount -r -t hostfs -o ", f);
		put_quoted(f, root);
		fputs(" none /lower || fail 'the file system cannot be mounted'\n"
		      "mount -t tmpfs tmpfs /upper && mkdir /upper/new /upper/work &&\n"
		      "mount -t overlay -o lowerdir=/lower,upperdir=/upper/new,workdir=/upper/work none /new ||\n"
		      "\tfail 'the kernel has no overlay (CONFIG_OVERLAY_FS)'\n", f);
	}
	fputs("mount -t proc proc /new/proc && mount -t sysfs sysfs /new/sys &&\n"
	      "mount -o rbind /dev /new/dev &&\n"
	      "mount -t tmpfs -o mode=755 tmpfs /new/run &&\n"
	      "mount -t tmpfs -o mode=1777 tmpfs /new/tmp ||\n"
	      "\tfail 'there is no proc, sys, dev, run and tmp to mount on'\n"
	      "mount -t debugfs debugfs /new/sys/kernel/debug 2>/dev/null\n", f);
	/* Also what is below /tmp, which is another one in the guest. */
	if (!run->rw || !strncmp(cwd, "/tmp/", 5) || !strncmp(cwd, "/run/", 5)) {
		fputs("mkdir -p /new", f);
		put_quoted(f, cwd);
		fputs(" && mount -t hostfs -o ", f);
		fputs(run->ro ? "ro," : "", f);
		put_quoted(f, cwd);
		fputs(" none /new", f);
		put_quoted(f, cwd);
		fputs(" || fail 'the current folder cannot be mounted'\n", f);
	}
}

/* What has a name that a shell takes. */
static void put_environment(FILE *f)
{
	const char *const *env = (const char *const *)environ;
	size_t len, i;

	for (; *env; env++) {
		len = strcspn(*env, "=");
		for (i = 0; i < len; i++)
			if (!isalnum((unsigned char)(*env)[i]) && (*env)[i] != '_')
				break;
		if (i < len || !len || isdigit((unsigned char)**env))
			continue;
		fprintf(f, "export %.*s=", (int)len, *env);
		put_quoted(f, *env + len + 1);
		fputc('\n', f);
	}
}

static void put_terminal(FILE *f)
{
	struct winsize size;
	int fd;

	for (fd = 0; fd < 3; fd++)
		if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_row && size.ws_col) {
			fprintf(f, "stty rows %u cols %u </dev/console\n",
				size.ws_row, size.ws_col);
			break;
		}
	/* What is no terminal gets every byte as it is. */
	if (!isatty(STDOUT_FILENO))
		fputs("stty -opost </dev/console\n", f);
	if (!isatty(STDERR_FILENO))
		fputs("stty -opost </dev/tty1\n", f);
}

/*
 * Init starts us in the background, where a shell has Ctrl-C ignored, also by
 * what it starts: that lets us live to tell the status, and env undoes it for the
 * command.
 */
#define DEFAULT_SIGNALS	"env --default-signal=INT,QUIT"

static void put_command(FILE *f, const struct run *run, const char *cwd)
{
	const char *shell = getenv("SHELL");
	char **arg;

	fputs("/bin/busybox chroot /new /bin/sh -c 'cd \"$0\" || exit 125\n"
	      DEFAULT_SIGNALS " true 2>/dev/null && exec " DEFAULT_SIGNALS " \"$@\"\n"
	      "exec \"$@\"' ", f);
	put_quoted(f, cwd);
	if (run->command) {
		for (arg = run->command; *arg; arg++) {
			fputc(' ', f);
			put_quoted(f, *arg);
		}
	} else {
		fputc(' ', f);
		put_quoted(f, shell && *shell ? shell : "/bin/sh");
	}
	if (!isatty(STDIN_FILENO))
		fputs(run->input ? " </umf/input" : " </dev/null", f);
	if (!isatty(STDERR_FILENO) || !isatty(STDOUT_FILENO))
		fputs(" 2>/dev/tty1", f);
	fputs("\nstatus=$?\n", f);
}

static FILE *open_script(const struct run *run)
{
	char *path = xasprintf("%s/go", run->folder);
	FILE *f = fopen(path, "w");

	if (!f)
		fatal("%s: %m", path);
	free(path);
	fputs("#!/bin/sh\n", f);
	return f;
}

void script_write(const struct run *run)
{
	char *cwd = getcwd(NULL, 0);
	FILE *f;

	if (!cwd)
		fatal("the current folder: %m");
	f = open_script(run);
	put_checks(f, run);
	put_mounts(f, run, cwd);
	put_terminal(f);
	/* From here on the kernel's warnings are shown. */
	fprintf(f, "echo %u >/proc/sys/kernel/printk\n", run->verbose ? 8 : 5);
	put_environment(f);
	put_command(f, run, cwd);
	fputs("/bin/busybox sync\n"
	      "echo 0 >/proc/sys/kernel/printk\n"
	      "echo $status >/umf/status\n", f);
	if (fclose(f))
		fatal("the guest's script cannot be written: %m");
	free(cwd);
}
