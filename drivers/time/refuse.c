// SPDX-License-Identifier: GPL-2.0
/*
 * What has no place in virtual time: devices that answer when the host pleases,
 * and a file system whose times, inodes and order of names are the host's. A run
 * with one of them would differ from the next for no reason that anybody sees, so
 * it does not begin; and none is plugged while it runs.
 */
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <asm/setup.h>
#include <kern_util.h>
#include <mconsole_kern.h>
#include <os.h>
#include "time/clock.h"

#define WHY(what) "virtual time has no place for " what ", which answer when the host pleases"

struct refused {
	const char *word;	/* what it begins with on the command line */
	const char *why;
};

#define WHY_UBD	WHY("disks of ubd")
#define WHY_VEC	WHY("vector NICs")

static const struct refused refused[] __initconst = {
	{ "ubd", WHY_UBD },
	{ "vec", WHY_VEC },
	{ "virtio_uml.", WHY("virtio devices") },
};

static void __init refuse(const char *word, const char *why)
{
	os_warn("%.*s: %s\n", (int)strcspn(word, " "), word, why);
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
			if (!strncmp(word, refused[i].word,
				     strlen(refused[i].word)))
				refuse(word, refused[i].why);
	return 0;
}
postcore_initcall(umf_clock_refuse);

/* ---- mconsole's config ---- */

static int plug_ubd(char *text, char **error)
{
	*error = WHY_UBD;
	return -EINVAL;
}

static int plug_vec(char *text, char **error)
{
	*error = WHY_VEC;
	return -EINVAL;
}

static int none(char **text, int *first, int *last)
{
	return -ENODEV;
}

/* Who has taken a name last is who is asked. */
static struct mc_device unplugged[] = {
	{
		.list = LIST_HEAD_INIT(unplugged[0].list),
		.name = "ubd", .config = plug_ubd, .id = none,
	}, {
		.list = LIST_HEAD_INIT(unplugged[1].list),
		.name = "vec", .config = plug_vec, .id = none,
	},
};

static int __init umf_clock_no_plug(void)
{
	unsigned int i;

	if (!umf_clock_virtual())
		return 0;
	for (i = 0; i < ARRAY_SIZE(unplugged); i++)
		mconsole_register_dev(&unplugged[i]);
	return 0;
}
late_initcall(umf_clock_no_plug);

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
