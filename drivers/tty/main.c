// SPDX-License-Identifier: GPL-2.0
/*
 * ttySn=link,<path>|pty|fd:N|unix,<path>|tcp,<port>|null[,pace=on|off]
 *
 * One line is one port of the kernel's serial layer, from its configuration
 * (command line or mconsole `config`) to `remove` or the end of the guest.
 *
 * Locking: lines come and go under umf_ttys_lock.
 */
#define pr_fmt(fmt) "umf: " fmt

#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/major.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <irq_kern.h>
#include <init.h>
#include "mconsole_kern.h"
#include "tty/tty.h"

#define FIRST_MINOR	64

static const struct umf_tty_transport *const transports[] = {
	&umf_tty_link, &umf_tty_pty, &umf_tty_fd, &umf_tty_unix, &umf_tty_tcp,
	&umf_tty_null,
};

static DEFINE_MUTEX(umf_ttys_lock);
static struct umf_tty *umf_ttys[UMF_TTY_UNITS];
static char *umf_tty_boot[UMF_TTY_UNITS] __initdata;

static struct uart_driver umf_tty_driver = {
	.driver_name	= "umf-tty",
	.dev_name	= "ttyS",
	.major		= TTY_MAJOR,
	.minor		= FIRST_MINOR,
	.nr		= UMF_TTY_UNITS,
};

irqreturn_t umf_tty_irq(int irq, void *data)
{
	struct umf_tty *tty = data;
	unsigned long flags;

	uart_port_lock_irqsave(&tty->port, &flags);
	umf_tty_uart_event(tty);
	uart_port_unlock_irqrestore(&tty->port, flags);
	return IRQ_HANDLED;
}

/* ---- looking for what comes before the processor sleeps ---- */

static bool look_begin(void *data)
{
	struct umf_tty *tty = data;
	unsigned long flags;
	bool ret;

	uart_port_lock_irqsave(&tty->port, &flags);
	ret = tty->transport->look(tty, true);
	uart_port_unlock_irqrestore(&tty->port, flags);
	return ret;
}

static bool look_pending(void *data)
{
	struct umf_tty *tty = data;

	return tty->transport->pending(tty);
}

static void look_end(void *data)
{
	struct umf_tty *tty = data;
	unsigned long flags;

	uart_port_lock_irqsave(&tty->port, &flags);
	tty->transport->look(tty, false);
	if (tty->transport->pending(tty))
		umf_tty_uart_found(tty);
	uart_port_unlock_irqrestore(&tty->port, flags);
}

static const struct umf_idle_ops look_ops = {
	.begin		= look_begin,
	.pending	= look_pending,
	.end		= look_end,
};

static bool looks(const struct umf_tty *tty)
{
	return tty->transport->look && !tty->pace;
}

/* ---- virtual time ---- */

static u64 bell_look(void *data)
{
	struct umf_tty *tty = data;

	return tty->transport->due(tty);
}

static void bell_ring(void *data, bool gone)
{
	struct umf_tty *tty = data;

	umf_tty_irq(tty->irq, tty);
}

/* Does it have a bell? */
static bool is_rung(const struct umf_tty *tty)
{
	return umf_clock_virtual() && tty->transport->due;
}

static void add_bell(struct umf_tty *tty)
{
	tty->bell.look = bell_look;
	tty->bell.ring = bell_ring;
	tty->bell.data = tty;
	umf_clock_bell_add(&tty->bell);
}

/* ---- configuration ---- */

static int fail_transport(const char *text, char *error)
{
	unsigned int i;
	int at;

	at = scnprintf(error, UMF_TTY_ERROR, "'%.40s' is none of", text);
	for (i = 0; i < ARRAY_SIZE(transports); i++)
		at += scnprintf(error + at, UMF_TTY_ERROR - at, " %s%s",
				transports[i]->name, transports[i]->arg ?: "");
	return -EINVAL;
}

/* Cuts @text up; @arg is what stands behind the transport's name. */
static int parse_config(struct umf_tty *tty, char *text, char **arg,
			char *error)
{
	char *word = text, *pace;
	unsigned int i;
	char end;

	tty->pace = true;
	/* the last word, as a path may hold a comma */
	pace = strrchr(text, ',');
	if (pace && !strncmp(pace + 1, "pace=", 5)) {
		if (strcmp(pace + 6, "on") && strcmp(pace + 6, "off")) {
			snprintf(error, UMF_TTY_ERROR, "'%.40s' is not pace=on or pace=off",
				 pace + 1);
			return -EINVAL;
		}
		tty->pace = !strcmp(pace + 6, "on");
		*pace = '\0';
	}
	*arg = word + strcspn(word, ",:");
	end = **arg;
	for (i = 0; i < ARRAY_SIZE(transports); i++) {
		const struct umf_tty_transport *tr = transports[i];

		if (strlen(tr->name) != *arg - word ||
		    strncmp(tr->name, word, *arg - word))
			continue;
		if (tr->arg ? end != *tr->arg || !(*arg)[1] : end) {
			snprintf(error, UMF_TTY_ERROR, "'%.40s' must be %s%s[,pace=on|off]",
				 word, tr->name, tr->arg ?: "");
			return -EINVAL;
		}
		if (umf_clock_virtual() && !tr->due && !tr->still) {
			snprintf(error, UMF_TTY_ERROR,
				 "%s: what is behind it lives in real time, and this guest does not",
				 tr->name);
			return -EINVAL;
		}
		tty->transport = tr;
		if (end)
			++*arg;
		return 0;
	}
	return fail_transport(word, error);
}

static int add_port(struct umf_tty *tty)
{
	struct uart_port *port = &tty->port;

	tty->pdev = platform_device_register_simple("umf-tty", tty->unit, NULL,
						    0);
	if (IS_ERR(tty->pdev))
		return PTR_ERR(tty->pdev);
	port->dev = &tty->pdev->dev;
	port->line = tty->unit;
	port->type = PORT_16550A;
	port->iotype = UPIO_MEM;
	/* There are no registers, but without an address there is no port. */
	port->membase = (void __iomem *)~0UL;
	port->uartclk = 16 * UMF_TTY_SPEED;
	port->fifosize = 16;
	port->flags = UPF_FIXED_TYPE | UPF_FIXED_PORT | UPF_SKIP_TEST;
	port->ops = &umf_tty_uart_ops;
	port->has_sysrq = 0;
	return uart_add_one_port(&umf_tty_driver, port);
}

static void free_tty(struct umf_tty *tty)
{
	kfree(tty->spec);
	kfree(tty);
}

/* Line @unit as @text says, or the reason why not in @error. */
static int umf_tty_create(unsigned int unit, const char *text, char *error)
{
	struct umf_tty *tty;
	char *copy, *arg;
	int err;

	lockdep_assert_held(&umf_ttys_lock);
	if (umf_ttys[unit]) {
		snprintf(error, UMF_TTY_ERROR, "is configured already");
		return -EEXIST;
	}
	snprintf(error, UMF_TTY_ERROR, "out of memory");
	tty = kzalloc_obj(*tty);
	copy = kstrdup(text, GFP_KERNEL);
	err = -ENOMEM;
	if (!tty || !copy)
		goto out_free;
	tty->unit = unit;
	tty->fd = -1;
	tty->irq = -1;
	tty->spec = kstrdup(text, GFP_KERNEL);
	if (!tty->spec)
		goto out_free;
	umf_tty_uart_init(tty);
	umf_tty_fault_init(tty);
	err = parse_config(tty, copy, &arg, error);
	if (!err)
		err = tty->transport->open(tty, arg, error);
	if (err)
		goto out_free;
	snprintf(error, UMF_TTY_ERROR, "cannot be set up");
	err = add_port(tty);
	if (err)
		goto out_close;
	err = umf_tty_fault_add(tty);
	if (err)
		goto out_port;
	if (tty->fd >= 0) {
		err = um_request_irq(UM_IRQ_ALLOC, tty->fd, IRQ_READ,
				     umf_tty_irq, 0, tty->site.name, tty);
		if (err < 0)
			goto out_fault;
		tty->irq = err;
		/* What was there before that. */
		umf_tty_irq(tty->irq, tty);
	}
	if (looks(tty))
		umf_idle_add(&tty->idle, &look_ops, tty);
	if (is_rung(tty))
		add_bell(tty);
	umf_ttys[unit] = tty;
	kfree(copy);
	return 0;

out_fault:
	umf_tty_fault_del(tty);
out_port:
	uart_remove_one_port(&umf_tty_driver, &tty->port);
out_close:
	if (!IS_ERR_OR_NULL(tty->pdev))
		platform_device_unregister(tty->pdev);
	tty->transport->close(tty);
out_free:
	kfree(copy);
	if (tty)
		free_tty(tty);
	return err;
}

static void umf_tty_destroy(struct umf_tty *tty)
{
	umf_ttys[tty->unit] = NULL;
	if (looks(tty))
		umf_idle_del(&tty->idle);
	if (is_rung(tty))
		umf_clock_bell_del(&tty->bell);
	if (tty->irq >= 0)
		um_free_irq(tty->irq, tty);
	umf_tty_fault_del(tty);
	uart_remove_one_port(&umf_tty_driver, &tty->port);
	umf_tty_uart_stop(tty);
	tty->transport->close(tty);
	/* a client that left has looked at the line once more */
	umf_tty_uart_stop(tty);
	platform_device_unregister(tty->pdev);
	free_tty(tty);
}

/* ---- its ways in: command line, mconsole, the end ---- */

/* "<unit>" and what follows it; -1: no such unit. */
static int parse_unit(const char *text, const char **end)
{
	unsigned int unit;
	int len = 0;

	if (!isdigit(*text) || sscanf(text, "%u%n", &unit, &len) != 1)
		unit = UMF_TTY_UNITS;
	*end = text + len;
	return unit < UMF_TTY_UNITS ? (int)unit : -1;
}

static int __init umf_tty_setup(char *text)
{
	const char *end;
	int unit = parse_unit(text, &end);

	if (end == text || *end != '=')
		return 0;
	if (unit < 0)
		pr_err("ttyS%s: lines are ttyS0 to ttyS%u\n", text,
		       UMF_TTY_UNITS - 1);
	else if (umf_tty_boot[unit])
		pr_err("ttyS%d: configured twice, only the first counts\n",
		       unit);
	else
		umf_tty_boot[unit] = (char *)end + 1;
	return 1;
}

__uml_help(umf_tty_setup,
	   "ttyS[0-9]+=link,<path>|pty|fd:N|unix,<path>|tcp,<port>|null\n"
	   "            [,pace=on|off]\n"
	   "    A serial line. link is a null modem to the guest that names the\n"
	   "    same path: a folder on the host, or a bare name for one under\n"
	   "    /dev/shm. pty, fd, unix and tcp connect it to the host, null to\n"
	   "    nobody. With pace=off characters do not take the time their speed\n"
	   "    says.\n\n"
);

/* as __setup(): the list of documented ones is the kernel's */
__setup_param("ttyS", umf_tty_setup, umf_tty_setup, 0);

/* mconsole runs one request at a time and copies the text before the next. */
static char umf_tty_error[UMF_TTY_ERROR];

static int umf_tty_mc_config(char *text, char **error)
{
	const char *end;
	int unit = parse_unit(text, &end), err;

	if (unit < 0 || *end != '=') {
		snprintf(umf_tty_error, sizeof(umf_tty_error),
			 "expected ttyS<0-%u>=<transport>", UMF_TTY_UNITS - 1);
		*error = umf_tty_error;
		return -EINVAL;
	}
	mutex_lock(&umf_ttys_lock);
	err = umf_tty_create(unit, end + 1, umf_tty_error);
	mutex_unlock(&umf_ttys_lock);
	if (err)
		*error = umf_tty_error;
	return err;
}

static int umf_tty_mc_get_config(char *text, char *buf, int size, char **error)
{
	const char *end;
	int unit = parse_unit(text, &end), len = 0;
	char state[96] = "";
	struct umf_tty *tty;
	unsigned long flags;

	mutex_lock(&umf_ttys_lock);
	tty = unit < 0 || *end ? NULL : umf_ttys[unit];
	if (tty) {
		uart_port_lock_irqsave(&tty->port, &flags);
		if (tty->transport->describe)
			tty->transport->describe(tty, state, sizeof(state));
		uart_port_unlock_irqrestore(&tty->port, flags);
		len = snprintf(buf, size, "%s%s%s", tty->spec,
			       *state ? "\n  " : "", state) + 1;
	} else {
		*error = "no such line";
	}
	mutex_unlock(&umf_ttys_lock);
	return len;
}

static int umf_tty_mc_id(char **text, int *first, int *last)
{
	const char *end;
	int unit = parse_unit(*text, &end);

	*first = 0;
	*last = UMF_TTY_UNITS - 1;
	return *end ? -1 : unit;
}

static int umf_tty_mc_remove(int unit, char **error)
{
	struct umf_tty *tty;

	mutex_lock(&umf_ttys_lock);
	tty = umf_ttys[unit];
	if (tty)
		umf_tty_destroy(tty);
	mutex_unlock(&umf_ttys_lock);
	return tty ? 0 : -ENODEV;
}

static struct mc_device umf_tty_mc = {
	.list		= LIST_HEAD_INIT(umf_tty_mc.list),
	.name		= "ttyS",
	.config		= umf_tty_mc_config,
	.get_config	= umf_tty_mc_get_config,
	.id		= umf_tty_mc_id,
	.remove		= umf_tty_mc_remove,
};

static struct tty_operations umf_tty_ops;	/* the core's, but for hangup */
static void (*core_hangup)(struct tty_struct *tty);

/*
 * What the reader was not given is not for the next one; the core leaves it in
 * the port. That cannot be shutdown()'s: it has the port's mutex, which comes
 * after the flip buffer's.
 */
static void umf_tty_hangup(struct tty_struct *tty)
{
	core_hangup(tty);
	tty_ldisc_flush(tty);
}

static void __init umf_tty_set_operations(struct tty_driver *driver)
{
	umf_tty_ops = *driver->ops;
	core_hangup = umf_tty_ops.hangup;
	umf_tty_ops.hangup = umf_tty_hangup;
	tty_set_operations(driver, &umf_tty_ops);
}

static int __init umf_tty_init(void)
{
	int unit, err;

	err = uart_register_driver(&umf_tty_driver);
	if (err) {
		pr_err("no serial lines: %pe\n", ERR_PTR(err));
		return err;
	}
	umf_tty_set_operations(umf_tty_driver.tty_driver);
	mutex_lock(&umf_ttys_lock);
	for (unit = 0; unit < UMF_TTY_UNITS; unit++)
		if (umf_tty_boot[unit] &&
		    umf_tty_create(unit, umf_tty_boot[unit], umf_tty_error))
			pr_err("ttyS%d: %s\n", unit, umf_tty_error);
	mutex_unlock(&umf_ttys_lock);
	mconsole_register_dev(&umf_tty_mc);
	return 0;
}
device_initcall(umf_tty_init);

static void umf_tty_exit(void)
{
	int unit;

	for (unit = 0; unit < UMF_TTY_UNITS; unit++)
		if (umf_ttys[unit] && umf_ttys[unit]->transport->abandon)
			umf_ttys[unit]->transport->abandon(umf_ttys[unit]);
}

__uml_exitcall(umf_tty_exit);
