// SPDX-License-Identifier: GPL-2.0
/*
 * What has no place in virtual time: devices that answer when the host pleases,
 * and a file system whose times, inodes and order of names are the host's. A run
 * with one of them would differ from the next for no reason that anybody sees, so
 * it does not begin.
 */
#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <asm/setup.h>
#include <kern_util.h>
#include <os.h>
#include "time/clock.h"

struct refused {
	const char *word;	/* what it begins with on the command line */
	const char *what;
};

static const struct refused refused[] __initconst = {
	{ "ubd", "disks of ubd" },
	{ "vec", "the vector NIC" },
	{ "virtio_uml.", "virtio devices" },
	{ "umf?", "disks" },	/* as umfa=, not umf="..."; not yet */
};

static bool __init is_of(const char *word, const char *what)
{
	size_t len = strcspn(what, "?");

	return !strncmp(word, what, len) && (!what[len] || islower(word[len]));
}

static void __init refuse(const char *word, const char *what)
{
	os_warn("%.*s: virtual time has no place for %s, which answer when the host pleases\n",
		(int)strcspn(word, " "), word, what);
	uml_exitcode = 1;
	machine_power_off();
}

static int __init umf_clock_refuse(void)
{
	const char *word = boot_command_line;
	unsigned int i;

	if (!umf_clock_virtual())
		return 0;
	for (word = skip_spaces(word); *word && strncmp(word, "-- ", 3);
	     word = skip_spaces(word + strcspn(word, " ")))
		for (i = 0; i < ARRAY_SIZE(refused); i++)
			if (is_of(word, refused[i].word))
				refuse(word, refused[i].what);
	return 0;
}
postcore_initcall(umf_clock_refuse);

/* Nothing can mount it then, whoever tries. */
static int __init umf_clock_no_hostfs(void)
{
	struct file_system_type *hostfs;

	if (!umf_clock_virtual())
		return 0;
	hostfs = get_fs_type("hostfs");
	if (!hostfs)
		return 0;
	unregister_filesystem(hostfs);
	put_filesystem(hostfs);
	pr_info("umf: virtual time has no place for hostfs, whose times and inodes are the host's\n");
	return 0;
}
late_initcall(umf_clock_no_hostfs);
